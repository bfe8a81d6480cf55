// Template source to tokens, with the whitespace rules that transformers chooses: trim_blocks and lstrip_blocks are on,
// the last newline of the source is dropped. Follows the description in Jinja's documentation, "Whitespace Control".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tern::text::jinja {

enum class TokenKind : uint8_t {
  kText,           // output as it is
  kVariableBegin,  // {{
  kVariableEnd,    // }}
  kBlockBegin,     // {%
  kBlockEnd,       // %}
  kName,
  kString,    // text: the value, escapes resolved
  kInteger,   // text: the digits, underscores removed
  kFloat,     // likewise
  kOperator,  // text: one of + - / // * % ** ~ [ ] ( ) { } == != > >= < <= = . : | , ;
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
  uint32_t line = 1;
};

/// Errors: kInvalidFile with the line, for tags, comments, raw blocks and strings that do not end, unbalanced brackets
/// and characters that begin no token. The last token is kEnd.
Result<std::vector<Token>> tokenize(std::string_view source);

}  // namespace tern::text::jinja
