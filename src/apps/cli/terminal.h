// What a person sees: colours (only on a terminal), progress bars (only for what takes over a second), line editing.
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

/// `text` in a style when stream `fd` is a terminal and NO_COLOR is unset, else unchanged.
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

/// Reads lines: from an editor with history on a terminal, plainly otherwise.
class LineReader {
 public:
  LineReader();
  ~LineReader();
  enum class End { kLine, kEof, kInterrupted };
  struct Line {
    End end;
    std::string text;  // without the newline
  };
  /// prompt: shown on a terminal, followed by a space.
  Line read(const char* prompt);
  void remember(const std::string& entry);  // into the history, saved between runs

 private:
  bool editing_;
  std::string history_file_;
};

/// Ctrl-C sets a flag instead of ending the program, from here on.
void catch_interrupts();
/// True once per Ctrl-C.
bool take_interrupt();

}  // namespace tern::cli
