// Pre-tokenizers: the regular expressions that cut text into pieces before BPE, as matchers written by hand. A general
// regex engine would be slower, larger, and would bring its own Unicode.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace tern::text {

/// The expressions, as tokenizer.json spells them:
///   kGpt2    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
///   kLlama3  (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*
///            |\s*[\r\n]+|\s+(?!\S)|\s+
///   kQwen2   as kLlama3, but \p{N} in place of \p{N}{1,3}
enum class PreTokenizer : uint8_t { kGpt2, kLlama3, kQwen2 };

/// What a GGUF file means by tokenizer.ggml.pre, beside the expression.
struct PreTokenizerInfo {
  std::string_view name;
  PreTokenizer pre;
  bool add_bos;        // when the file does not say
  bool ignore_merges;  // when the file does not say
};

/// nullopt: unknown.
std::optional<PreTokenizerInfo> find_pre_tokenizer(std::string_view gguf_name);
/// The GGUF name for an expression of tokenizer.json; "" if it is none of ours.
std::string_view pre_tokenizer_of_regex(std::string_view regex);
/// "llama-bpe, llama3, ...": for messages.
std::string pre_tokenizer_names();

/// Calls `piece` for each match, in order; together they are the whole text. An invalid UTF-8 subpart counts as one
/// character that is neither letter, number nor space, like U+FFFD. text.size() < 2^32. Time: linear.
void pre_tokenize(PreTokenizer pre, std::string_view text, const std::function<void(std::string_view)>& piece);

}  // namespace tern::text
