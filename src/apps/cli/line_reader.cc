#include "apps/cli/line_reader.h"

#include <errno.h>
#include <fmt/format.h>
#include <histedit.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <clocale>
#include <cwchar>
#include <filesystem>
#include <iostream>

#include "apps/cli/terminal.h"

namespace tern::cli {
namespace {

constexpr int kHistoryLines = 1000;

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

}  // namespace

// libedit by its own interface: the readline one cannot be told to stop waiting for a key.
class LineReader::Editor {
 public:
  Editor() : file_(history_path()), edit_(el_init("tern", stdin, stdout, stderr)), history_(history_init()) {
    HistEvent event;
    ::history(history_, &event, H_SETSIZE, kHistoryLines);
    if (!file_.empty()) ::history(history_, &event, H_LOAD, file_.c_str());
    el_set(edit_, EL_CLIENTDATA, this);
    el_set(edit_, EL_EDITOR, "emacs");
    el_set(edit_, EL_PROMPT_ESC, &Editor::prompt, '\1');  // \1 encloses what takes no room on the screen
    el_set(edit_, EL_HIST, ::history, history_);
    el_set(edit_, EL_GETCFN, &Editor::read_char);
    el_source(edit_, nullptr);  // ~/.editrc
  }
  ~Editor() {
    HistEvent event;
    if (!file_.empty()) ::history(history_, &event, H_SAVE, file_.c_str());
    history_end(history_);
    el_end(edit_);
  }

  Line read(const char* prompt) {
    take_interrupt();  // one that came too late to stop an answer is not meant for this line
    prompt_ = use_colors(1) ? fmt::format("\1\033[32m\1{}\1\033[0m\1 ", prompt) : fmt::format("{} ", prompt);
    el_resize(edit_);
    int length = 0;
    const char* text = el_gets(edit_, &length);
    if (take_interrupt()) {
      fputs("\n", stdout);
      return {End::kInterrupted, {}};
    }
    if (!text || length <= 0) return {End::kEof, {}};
    const auto n = static_cast<size_t>(length);
    return {End::kLine, std::string(text, text[n - 1] == '\n' ? n - 1 : n)};
  }

  void remember(const std::string& entry) {
    HistEvent event;
    ::history(history_, &event, H_ENTER, entry.c_str());
  }

 private:
  static Editor& self(EditLine* edit) {
    void* data = nullptr;
    el_get(edit, EL_CLIENTDATA, &data);
    return *static_cast<Editor*>(data);
  }

  static char* prompt(EditLine* edit) { return self(edit).prompt_.data(); }

  // The next character: 1, 0 at the end of the input, -1 for an error, which Ctrl-C counts as.
  static int read_char(EditLine*, wchar_t* out) {
    std::mbstate_t state = {};
    while (true) {
      pollfd sources[] = {{.fd = 0, .events = POLLIN}, {.fd = interrupt_fd(), .events = POLLIN}};
      if (poll(sources, std::size(sources), -1) < 0 && errno != EINTR) return -1;
      if (sources[1].revents != 0) return -1;
      if (sources[0].revents == 0) continue;
      char byte = 0;
      const ssize_t n = ::read(0, &byte, 1);
      if (n <= 0) return n < 0 && errno != EIO ? -1 : 0;  // EIO: the terminal is gone
      const size_t used = std::mbrtowc(out, &byte, 1, &state);
      if (used == static_cast<size_t>(-2)) continue;  // within a character of several bytes
      if (used == static_cast<size_t>(-1)) *out = L'?';
      return 1;
    }
  }

  std::string file_, prompt_;
  EditLine* edit_;
  History* history_;
};

LineReader::LineReader() {
  if (!stdin_is_terminal() || !stdout_is_terminal()) return;
  setlocale(LC_CTYPE, "");
  if (MB_CUR_MAX == 1) setlocale(LC_CTYPE, "C.UTF-8");  // containers often name no locale; people type umlauts anyway
  editor_ = std::make_unique<Editor>();
}

LineReader::~LineReader() = default;

LineReader::Line LineReader::read(const char* prompt) {
  if (editor_) return editor_->read(prompt);
  std::string line;
  if (!std::getline(std::cin, line)) return {End::kEof, {}};
  return {End::kLine, std::move(line)};
}

void LineReader::remember(const std::string& entry) {
  if (editor_ && !entry.empty()) editor_->remember(entry);
}

}  // namespace tern::cli
