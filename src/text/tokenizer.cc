#include "text/tokenizer.h"

#include <algorithm>
#include <unordered_map>

#include "text/tokenizer_kinds.h"
#include "text/unicode.h"

namespace tern::text {
namespace {

struct Kind {
  std::string_view name;
  Result<std::unique_ptr<Tokenizer>> (*make)(CheckedSpec);
};
constexpr Kind kKinds[] = {{"bpe", make_bpe}, {"gpt2", make_bpe}};

// Control tokens that end a turn in the chat formats of the models that Tern runs. Files name only one of them as EOS,
// and older ones name none as EOT.
constexpr std::string_view kEndNames[] = {"<|eot_id|>", "<|eom_id|>",    "<|end_of_text|>", "<|im_end|>",
                                          "<|end|>",    "<|endoftext|>", "<end_of_turn>"};

const std::string kNothing;

bool is_special(TokenType type) {
  return type == TokenType::kControl || type == TokenType::kUserDefined || type == TokenType::kUnknown;
}

Result<void> check_id(std::string_view name, int32_t id, size_t vocab_size) {
  if (id >= -1 && id < static_cast<int64_t>(vocab_size)) return {};
  return fail(ErrorCode::kInvalidFile, "The {} token has id {}, allowed are those of the vocabulary, 0 to {}.", name,
              id, vocab_size - 1);
}

Result<void> check_ids(const TokenizerSpec& spec) {
  const size_t size = spec.tokens.size();
  TRY(check_id("BOS", spec.bos, size));
  TRY(check_id("EOS", spec.eos, size));
  TRY(check_id("end-of-turn", spec.eot, size));
  TRY(check_id("padding", spec.pad, size));
  TRY(check_id("unknown", spec.unk, size));
  for (const int32_t id : spec.extra_end_ids) {
    if (id < 0) return fail(ErrorCode::kInvalidFile, "An end token has id {}, expected 0 or more.", id);
    TRY(check_id("end", id, size));
  }
  return {};
}

Result<void> check_types(TokenizerSpec& spec) {
  if (spec.types.empty()) spec.types.assign(spec.tokens.size(), TokenType::kNormal);
  if (spec.types.size() != spec.tokens.size()) {
    return fail(ErrorCode::kInvalidFile, "The vocabulary has {} tokens but {} token types.", spec.tokens.size(),
                spec.types.size());
  }
  for (size_t id = 0; id < spec.types.size(); ++id) {
    const auto type = static_cast<int>(spec.types[id]);
    if (type < 1 || type > 6) {
      return fail(ErrorCode::kInvalidFile, "Token {} has type {}, expected a number from 1 to 6.", id, type);
    }
  }
  return {};
}

Result<void> check_tokens(const TokenizerSpec& spec) {
  std::unordered_map<std::string_view, size_t> seen;
  seen.reserve(spec.tokens.size());
  for (size_t id = 0; id < spec.tokens.size(); ++id) {
    const std::string& token = spec.tokens[id];
    if (!is_valid_utf8(token)) return fail(ErrorCode::kInvalidFile, "Token {} is not valid UTF-8.", id);
    if (spec.types[id] == TokenType::kUnused) continue;
    const auto [first, fresh] = seen.emplace(token, id);
    if (!fresh) {
      return fail(ErrorCode::kInvalidFile, "Tokens {} and {} are both \"{}\"; tokens must differ.", first->second, id,
                  token.substr(0, 64));
    }
  }
  return {};
}

Result<SpecialTokens> collect_special(const TokenizerSpec& spec) {
  SpecialTokens special;
  for (size_t id = 0; id < spec.tokens.size(); ++id) {
    const std::string& token = spec.tokens[id];
    if (token.empty() || !is_special(spec.types[id])) continue;
    if (token.size() > SpecialTokens::kMaxLength) {
      return fail(ErrorCode::kInvalidFile, "Special token {} has {} bytes, at most {} are allowed.", id, token.size(),
                  SpecialTokens::kMaxLength);
    }
    special.add(token, static_cast<int32_t>(id), spec.types[id] == TokenType::kUserDefined);
  }
  return special;
}

}  // namespace

Tokenizer::Tokenizer(TokenizerSpec spec, std::vector<std::string> bytes, SpecialTokens special)
    : spec_(std::move(spec)), bytes_(std::move(bytes)), special_(std::move(special)) {
  ends_.insert(spec_.extra_end_ids.begin(), spec_.extra_end_ids.end());
  if (spec_.eos >= 0) ends_.insert(spec_.eos);
  if (spec_.eot >= 0) ends_.insert(spec_.eot);
  for (int32_t id = 0; id < vocab_size(); ++id) {
    if (is_control(id) && std::ranges::find(kEndNames, name_of(id)) != std::end(kEndNames)) ends_.insert(id);
  }
}

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  if (text.size() >= 1u << 31) {
    return fail(ErrorCode::kInvalidArgument, "The text has {} bytes; at most 2147483647 can be tokenized at once.",
                text.size());
  }
  std::vector<int32_t> ids;
  if (options.bos && bos() >= 0) ids.push_back(bos());
  const auto plain = [&](std::string_view part) {
    if (part.empty()) return;
    if (spec_.nfc) {
      encode_plain(to_nfc(part), ids);
    } else {
      encode_plain(part, ids);
    }
  };
  size_t pos = 0;
  while (const auto match = special_.find(text, pos, options.special, options.barriers)) {
    plain(text.substr(pos, match->offset - pos));
    ids.push_back(match->id);
    pos = match->offset + match->length;
  }
  plain(text.substr(pos));
  return ids;
}

const std::string& Tokenizer::bytes_of(int32_t id) const {
  return id >= 0 && id < vocab_size() ? bytes_[static_cast<size_t>(id)] : kNothing;
}

const std::string& Tokenizer::name_of(int32_t id) const {
  return id >= 0 && id < vocab_size() ? spec_.tokens[static_cast<size_t>(id)] : kNothing;
}

bool Tokenizer::is_control(int32_t id) const {
  return id >= 0 && id < vocab_size() && spec_.types[static_cast<size_t>(id)] == TokenType::kControl;
}

int32_t Tokenizer::id_of(std::string_view name) const {
  const auto it = std::ranges::find(spec_.tokens, name);
  return it == spec_.tokens.end() ? -1 : static_cast<int32_t>(it - spec_.tokens.begin());
}

Result<std::unique_ptr<Tokenizer>> make_tokenizer(TokenizerSpec spec) {
  const auto kind = std::ranges::find(kKinds, spec.kind, &Kind::name);
  if (kind == std::end(kKinds)) {
    std::string known;
    for (const Kind& k : kKinds) known += fmt::format("{}\"{}\"", known.empty() ? "" : ", ", k.name);
    return fail(ErrorCode::kUnsupported, "The tokenizer is of kind \"{}\"; Tern knows {}.", spec.kind, known);
  }
  if (spec.tokens.empty() || spec.tokens.size() > INT32_MAX) {
    return fail(ErrorCode::kInvalidFile, "The vocabulary has {} tokens, allowed are 1 to {}.", spec.tokens.size(),
                INT32_MAX);
  }
  TRY(check_types(spec));
  TRY(check_tokens(spec));
  TRY(check_ids(spec));
  SpecialTokens special = TRY(collect_special(spec));
  return kind->make(CheckedSpec{std::move(spec), std::move(special)});
}

}  // namespace tern::text
