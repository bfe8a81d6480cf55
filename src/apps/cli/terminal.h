// What a person sees: colours (only on a terminal), progress bars (only for what takes over a second); and Ctrl-C.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tern::cli {

bool stdin_is_terminal();
bool stdout_is_terminal();
bool stderr_is_terminal();

/// Stream `fd` is a terminal and NO_COLOR is unset.
bool use_colors(int fd);

/// `text` in a style when use_colors(fd), else unchanged.
enum class Style { kDim, kBold, kRed, kGreen, kCyan };
std::string styled(std::string_view text, Style style, int fd = 1);

/// "1.2 GB", "14.9 MB": decimal units, as files are sold.
std::string human_bytes(double bytes);
/// "13.1 M", "1.24 B".
std::string human_count(double count);

/// A bar on stderr, drawn at most ten times a second once a second has passed; nothing when stderr is no terminal.
class ProgressBar {
 public:
  explicit ProgressBar(std::string label);
  ~ProgressBar();
  void update(uint64_t done, uint64_t total);
  void clear();  // takes it off the screen, before something else is printed

 private:
  std::string label_;
  std::chrono::steady_clock::time_point start_, drawn_;
  bool visible_ = false;
};

/// Ctrl-C is kept for take_interrupt() instead of ending the program, from here on.
void catch_interrupts();
/// True when there was a Ctrl-C since the last call.
bool take_interrupt();
/// Readable while there is one to take; -1 before catch_interrupts().
int interrupt_fd();

}  // namespace tern::cli
