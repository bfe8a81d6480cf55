// A tokenizer of 26 letters, a space, and a few tokens that are parts of characters or end an answer.
#pragma once

#include <memory>

#include "text/tokenizer.h"

namespace tern::engine {

// Ids: 0..25 "a".."z", 26 " ", 27 and 28 the two bytes of "é" (C3 A9), 29 "<end>" (control), 30 "ab".
inline std::unique_ptr<text::Tokenizer> letters_tokenizer() {
  text::TokenizerSpec spec;
  spec.kind = "bpe";
  for (char c = 'a'; c <= 'z'; c++) spec.tokens.emplace_back(1, c);
  spec.types.assign(26, text::TokenType::kNormal);
  // GPT-2's alphabet writes the space as U+0120, C3 and A9 as the Latin-1 characters of the same number.
  for (const char* token : {"\u0120", "\u00c3", "\u00a9"}) spec.tokens.push_back(token);
  spec.types.insert(spec.types.end(), 3, text::TokenType::kNormal);
  spec.tokens.push_back("<end>");
  spec.types.push_back(text::TokenType::kControl);
  spec.tokens.push_back("ab");
  spec.types.push_back(text::TokenType::kNormal);
  spec.eos = 29;
  return std::move(text::make_tokenizer(std::move(spec)).value());
}
inline constexpr int32_t kEnd = 29;
inline constexpr uint32_t kLetters = 31;

}  // namespace tern::engine
