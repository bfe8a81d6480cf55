#include "apps/cli/terminal.h"

#include <editline/readline.h>
#include <fmt/format.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <filesystem>
#include <iostream>

namespace tern::cli {
namespace {

volatile sig_atomic_t interrupted = 0;
void on_interrupt(int) {
  interrupted = 1;
}

bool use_colors(int fd) {
  return getenv("NO_COLOR") == nullptr && isatty(fd);
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

// $XDG_STATE_HOME/tern/history, by default ~/.local/state/tern/history; empty when there is no home.
std::string history_path() {
  std::filesystem::path base;
  if (const char* state = getenv("XDG_STATE_HOME"); state && *state) {
    base = state;
  } else if (const char* home = getenv("HOME"); home && *home) {
    base = std::filesystem::path(home) / ".local" / "state";
  } else {
    return {};
  }
  std::error_code ignored;
  std::filesystem::create_directories(base / "tern", ignored);
  return (base / "tern" / "history").string();
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

LineReader::LineReader() : editing_(stdin_is_terminal() && stdout_is_terminal()) {
  if (!editing_) return;
  setlocale(LC_CTYPE, "");
  if (MB_CUR_MAX == 1) setlocale(LC_CTYPE, "C.UTF-8");  // containers often name no locale; people type umlauts anyway
  using_history();
  stifle_history(1000);
  history_file_ = history_path();
  if (!history_file_.empty()) read_history(history_file_.c_str());
}

LineReader::~LineReader() {
  if (editing_ && !history_file_.empty()) write_history(history_file_.c_str());
}

LineReader::Line LineReader::read(const char* prompt) {
  if (!editing_) {
    std::string line;
    if (!std::getline(std::cin, line)) return {End::kEof, {}};
    return {End::kLine, std::move(line)};
  }
  take_interrupt();  // one that came too late to stop an answer is not meant for this line
  // \1 and \2 enclose what takes no room on the screen.
  const std::string start =
      use_colors(1) ? fmt::format("\1{}\2{}\1\033[0m\2 ", code(Style::kGreen), prompt) : fmt::format("{} ", prompt);
  char* text = readline(start.c_str());
  if (take_interrupt()) {
    free(text);
    fputs("\n", stdout);
    return {End::kInterrupted, {}};
  }
  if (!text) return {End::kEof, {}};
  Line line{End::kLine, text};
  free(text);
  return line;
}

void LineReader::remember(const std::string& entry) {
  if (editing_ && !entry.empty()) add_history(entry.c_str());
}

void catch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = on_interrupt;  // no SA_RESTART: a blocked read returns, so that the prompt sees the flag
  sigaction(SIGINT, &action, nullptr);
}

bool take_interrupt() {
  const bool was = interrupted != 0;
  interrupted = 0;
  return was;
}

}  // namespace tern::cli
