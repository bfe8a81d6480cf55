// LineReader: lines from an editor with history on a terminal, plainly from anything else.
#pragma once

#include <memory>
#include <string>

namespace tern::cli {

class LineReader {
 public:
  LineReader();
  ~LineReader();  // saves the history

  enum class End { kLine, kEof, kInterrupted };
  struct Line {
    End end;
    std::string text;  // without the newline
  };
  /// prompt: shown on a terminal, followed by a space. kInterrupted: Ctrl-C was pressed on a terminal.
  Line read(const char* prompt);
  /// Into the history, which outlives the program.
  void remember(const std::string& entry);

 private:
  class Editor;
  std::unique_ptr<Editor> editor_;  // null when no person types
};

}  // namespace tern::cli
