// What people type is text: "<|eot_id|>" in a message is ten characters, never the token that ends a turn. The prompt
// is rendered from the template's text and theirs together, so their strings carry marks through the rendering:
//
//   messages -> Guard::mark -> ChatTemplate::render -> Guard::take_marks -> text, barriers -> Tokenizer::encode
//
// A mark stands behind the first character of whatever could be read as a control token, or be the beginning of one,
// and nowhere else. So a template sees ordinary messages unchanged, and can cut, trim and compare them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/tokenizer.h"

namespace tern::text {

class Guard {
 public:
  /// Chooses a mark that is nowhere in `conversation`: one of Unicode's noncharacters, which are for internal use.
  /// Errors: kInvalidArgument when it holds all of them.
  static Result<Guard> make(const Tokenizer& tokenizer, const Json& conversation);

  /// All strings in `json`, keys too, with their marks. `tokenizer` must still be there.
  Json mark(const Json& json) const;

  struct Unmarked {
    std::string text;
    std::vector<size_t> barriers;  // for EncodeOptions
  };
  Unmarked take_marks(std::string_view rendered) const;

 private:
  Guard(const Tokenizer& tokenizer, std::string mark) : tokenizer_(&tokenizer), mark_(std::move(mark)) {}
  std::string marked(std::string_view text) const;

  const Tokenizer* tokenizer_;
  std::string mark_;
};

}  // namespace tern::text
