// Stop strings in streamed text: they may begin in one piece and end in another, and none of a stop string may reach
// the reader.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tern::text {

class StopMatcher {
 public:
  struct Output {
    std::string text;            // safe to show: no stop string can begin in it any more
    std::optional<size_t> stop;  // index of the stop string that was hit; `text` then ends right before it
  };

  /// Empty stop strings are ignored.
  explicit StopMatcher(std::vector<std::string> stops);

  /// Feeds the next piece. The stop string that is complete first wins; of those that end at the same byte, the
  /// longest. After a hit nothing more comes out. Time: linear in the text times the number of stop strings.
  Output push(std::string_view text);

  /// The end of the text: what was held back because it might have begun a stop string.
  std::string flush();

 private:
  struct Automaton {               // Knuth, Morris, Pratt (1977)
    std::vector<uint32_t> border;  // border[i]: length of the longest proper border of the first i + 1 bytes
    size_t matched = 0;            // how many bytes of the stop string end the text so far
  };
  void step(size_t which, char c);

  std::vector<std::string> stops_;
  std::vector<Automaton> automata_;  // one per stop string
  std::string held_;
  size_t shown_ = 0;  // so many bytes of held_ are out already; cut off now and then, so that it costs little
  bool hit_ = false;
};

}  // namespace tern::text
