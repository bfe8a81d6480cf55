// Ids back to text, while they stream in.
#pragma once

#include <string>
#include <string_view>

#include "text/tokenizer.h"

namespace tern::text {

/// Turns bytes that arrive in pieces into valid UTF-8: an incomplete sequence at the end (at most 3 bytes) waits for
/// the next piece, each maximal invalid subpart becomes U+FFFD (as Python's and WHATWG's decoders do).
class Utf8Stream {
 public:
  std::string push(std::string_view bytes);
  /// What still waits, as U+FFFD; "" if nothing does.
  std::string flush();

 private:
  std::string held_;
};

/// push() gives the text that became complete with a token. The tokenizer must outlive this.
class Detokenizer {
 public:
  /// `show_control`: control tokens appear as their names instead of as nothing.
  explicit Detokenizer(const Tokenizer& tokenizer, bool show_control = false)
      : tokenizer_(&tokenizer), show_control_(show_control) {}

  std::string push(int32_t id);
  std::string flush() { return stream_.flush(); }

 private:
  const Tokenizer* tokenizer_;
  bool show_control_;
  Utf8Stream stream_;
};

}  // namespace tern::text
