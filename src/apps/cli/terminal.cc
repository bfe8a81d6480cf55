#include "apps/cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>

namespace tern::cli {
namespace {

// A pipe and not a flag: any thread may get the signal, and a read that waits for the terminal has to learn of it.
int interrupt_pipe[2] = {-1, -1};

void on_interrupt(int) {
  const int saved = errno;
  [[maybe_unused]] const ssize_t written = write(interrupt_pipe[1], "!", 1);  // a full pipe says enough
  errno = saved;
}

const char* code(Style style) {
  switch (style) {
    case Style::kDim:
      return "\033[2m";
    case Style::kBold:
      return "\033[1m";
    case Style::kRed:
      return "\033[31m";
    case Style::kGreen:
      return "\033[32m";
    case Style::kCyan:
      return "\033[36m";
  }
  return "";
}

std::string scaled(double value, const char* const* units, size_t n_units) {
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < n_units) value /= 1000, ++unit;
  return unit == 0 ? fmt::format("{:.0f} {}", value, units[0]) : fmt::format("{:.3g} {}", value, units[unit]);
}

}  // namespace

bool stdin_is_terminal() {
  return isatty(0);
}
bool stdout_is_terminal() {
  return isatty(1);
}
bool stderr_is_terminal() {
  return isatty(2);
}

bool use_colors(int fd) {
  return getenv("NO_COLOR") == nullptr && isatty(fd);
}

std::string styled(std::string_view text, Style style, int fd) {
  if (!use_colors(fd)) return std::string(text);
  return fmt::format("{}{}\033[0m", code(style), text);
}

std::string human_bytes(double bytes) {
  static const char* const units[] = {"bytes", "kB", "MB", "GB", "TB"};
  return scaled(bytes, units, std::size(units));
}

std::string human_count(double count) {
  static const char* const units[] = {"", "K", "M", "B", "T"};
  return scaled(count, units, std::size(units));
}

ProgressBar::ProgressBar(std::string label) : label_(std::move(label)), start_(std::chrono::steady_clock::now()) {}

ProgressBar::~ProgressBar() {
  clear();
}

void ProgressBar::clear() {
  if (visible_) fputs("\r\033[K", stderr);
  visible_ = false;
}

void ProgressBar::update(uint64_t done, uint64_t total) {
  using namespace std::chrono_literals;
  const auto now = std::chrono::steady_clock::now();
  if (!stderr_is_terminal() || total == 0 || now - start_ < 1s || now - drawn_ < 100ms) return;
  drawn_ = now;
  visible_ = true;
  constexpr int kWidth = 30;
  const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const int filled = static_cast<int>(share * kWidth);
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const double left = share > 0 ? elapsed / share - elapsed : 0;
  fmt::print(stderr, "\r\033[K{} [{}{}] {:3.0f}%  {:.0f} s left", label_, std::string(filled, '#'),
             std::string(kWidth - filled, '.'), share * 100, left);
  fflush(stderr);
}

void catch_interrupts() {
  if (interrupt_pipe[0] >= 0 || pipe2(interrupt_pipe, O_NONBLOCK | O_CLOEXEC) != 0) return;
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  sigaction(SIGINT, &action, nullptr);
}

bool take_interrupt() {
  char bytes[16];
  bool any = false;
  while (interrupt_pipe[0] >= 0 && read(interrupt_pipe[0], bytes, sizeof bytes) > 0) any = true;
  return any;
}

int interrupt_fd() {
  return interrupt_pipe[0];
}

}  // namespace tern::cli
