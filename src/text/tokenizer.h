// The text room: bytes to token ids and back, and conversations to prompts.
//
//   model file -> TokenizerSpec -> make_tokenizer -> Tokenizer::encode        text -> ids
//                                                    Detokenizer::push        ids -> UTF-8 text, streamed
//                                                    StopMatcher::push        text -> text up to a stop string
//   model file -> ChatTemplate  -> render                                     messages -> prompt text
//                 Guard         -> mark, take_marks         keeps what people typed from becoming control tokens
//
// A TokenizerSpec is plain data, so that this room knows no file format but the JSON of Hugging Face. A kind of
// tokenizer is one file (bpe.cc) with one line in tokenizer.cc; docs/adding-a-tokenizer.md walks through it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "text/special_tokens.h"

namespace tern::text {

/// GGUF's numbers (tokenizer.ggml.token_type).
enum class TokenType : uint8_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

/// What a file says about its tokenizer; untrusted until make_tokenizer has checked it.
struct TokenizerSpec {
  std::string kind;                 // "bpe", or as GGUF spells it "gpt2": byte-level BPE
  std::string pre;                  // the pre-tokenizer, by GGUF's names: see pretokenizer.h; "" is GPT-2's
  std::vector<std::string> tokens;  // by id; normal tokens of "bpe" in GPT-2's byte alphabet, others literal
  std::vector<TokenType> types;     // by id; empty: all normal
  std::vector<std::string> merges;  // "left right", the earliest merge first
  int32_t bos = -1, eos = -1, eot = -1, pad = -1, unk = -1;  // -1: there is none
  std::vector<int32_t> extra_end_ids;                        // more ids that end an answer (generation_config.json)
  std::optional<bool> add_bos;                               // nullopt: as the pre-tokenizer's models do
  bool add_eos = false;
  std::optional<bool> ignore_merges;  // a pre-token that is a token is taken whole; nullopt: as above
  bool nfc = false;                   // text is brought to Unicode's Normalization Form C first (Qwen2)
};

struct EncodeOptions {
  bool bos = false;      // put bos() in front, if there is one; callers pass add_bos() unless they know better
  bool special = false;  // read the text of control tokens as the tokens; untrusted text must not be read so
  std::span<const size_t> barriers = {};  // ascending offsets into the text that no control token may cross: see Guard
};

/// A checked vocabulary and the way from text to its ids. Immutable, so safe to share between threads.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Ids of `text`. Invalid UTF-8 is kept byte for byte by byte-level tokenizers, so decoding gives the text back.
  /// User-defined tokens are always found in the text, control tokens only with options.special; of several that
  /// match at one place the longest is taken. A text of 2 GiB or more is kInvalidArgument.
  Result<std::vector<int32_t>> encode(std::string_view text, EncodeOptions options = {}) const;

  /// Offsets at which control tokens of `text` begin, whether whole or cut off by its end: see SpecialTokens, Guard.
  std::vector<size_t> control_starts(std::string_view text) const { return special_.control_starts(text); }

  /// The raw bytes that a token stands for (not always whole UTF-8 sequences). Empty for control tokens and for ids
  /// beyond the vocabulary.
  const std::string& bytes_of(int32_t id) const;
  /// The token as the vocabulary spells it: "<|eot_id|>", but also "Ġthe". Empty for ids beyond the vocabulary.
  const std::string& name_of(int32_t id) const;

  int32_t vocab_size() const { return static_cast<int32_t>(spec_.tokens.size()); }
  int32_t bos() const { return spec_.bos; }  // -1: none; so for the others
  int32_t eos() const { return spec_.eos; }
  int32_t eot() const { return spec_.eot; }
  int32_t pad() const { return spec_.pad; }
  bool add_bos() const { return spec_.add_bos.value_or(false); }
  bool add_eos() const { return spec_.add_eos; }
  /// Ends an answer: eos, eot, the extra end ids, and control tokens that are known by name to end a turn.
  bool is_end(int32_t id) const { return ends_.contains(id); }
  bool is_control(int32_t id) const;
  /// The id of the token that the vocabulary spells so; -1 if there is none. Linear: for set-up, not per token.
  int32_t id_of(std::string_view name) const;

 protected:
  /// `bytes`: by id, what bytes_of() answers.
  Tokenizer(TokenizerSpec spec, std::vector<std::string> bytes, SpecialTokens special);
  /// Appends the ids of text that holds no special token.
  virtual void encode_plain(std::string_view text, std::vector<int32_t>& ids) const = 0;
  const TokenizerSpec& spec() const { return spec_; }

 private:
  TokenizerSpec spec_;
  std::vector<std::string> bytes_;
  SpecialTokens special_;
  std::unordered_set<int32_t> ends_;
};

/// Checks the specification and builds the tokenizer. Errors: kUnsupported for a kind or pre-tokenizer that Tern does
/// not know (the message lists those it does); kInvalidFile for an empty vocabulary, ids beyond it, duplicate tokens,
/// invalid UTF-8 in tokens, merges of unknown pieces.
Result<std::unique_ptr<Tokenizer>> make_tokenizer(TokenizerSpec spec);

/// Reads tokenizer.json of Hugging Face `tokenizers` (model BPE, byte-level) and tokenizer_config.json (may be null).
/// Errors: kUnsupported for another model, pre-tokenizer or normalizer; kInvalidFile naming the field.
Result<TokenizerSpec> spec_from_hf(const Json& tokenizer_json, const Json& tokenizer_config);

}  // namespace tern::text
