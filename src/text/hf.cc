// tokenizer.json (Hugging Face `tokenizers`) and tokenizer_config.json (transformers) to a TokenizerSpec. The formats
// are those of the serde and Python classes named like the JSON's "type" fields.
#include <algorithm>
#include <unordered_map>

#include "text/pretokenizer.h"
#include "text/tokenizer.h"

namespace tern::text {
namespace {

std::unexpected<Error> unsupported(std::string_view what, std::string_view found, std::string_view known) {
  return fail(ErrorCode::kUnsupported, "The {} of tokenizer.json is \"{}\"; Tern knows {}.", what, found, known);
}

Result<std::string> type_of(const Json& part, std::string_view what) {
  if (!part.is_object()) return fail(ErrorCode::kInvalidFile, "Field \"{}\" is not an object.", what);
  return TRY_CTX(json_string(part, "type"), "while reading \"{}\"", what);
}

// The parts of a "Sequence", or the part itself.
std::vector<const Json*> parts_of(const Json& part, std::string_view list) {
  std::vector<const Json*> parts;
  const Json* members = json_find(part, list);
  if (!members || !members->is_array()) return {&part};
  for (const Json& member : *members) parts.push_back(&member);
  return parts;
}

Result<void> place(TokenizerSpec& spec, const std::string& token, const Json& id, TokenType type, size_t max_id) {
  if (!id.is_number_unsigned() || id.get<uint64_t>() > max_id) {
    return fail(ErrorCode::kInvalidFile, "Token \"{}\" has id {}, expected a number from 0 to {}.", token.substr(0, 64),
                id.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 64), max_id);
  }
  const size_t at = id.get<size_t>();
  if (at >= spec.tokens.size()) {
    spec.tokens.resize(at + 1);
    spec.types.resize(at + 1, TokenType::kUnused);
  }
  if (spec.types[at] != TokenType::kUnused && spec.tokens[at] != token) {
    return fail(ErrorCode::kInvalidFile, "Tokens \"{}\" and \"{}\" both have id {}.", spec.tokens[at].substr(0, 64),
                token.substr(0, 64), at);
  }
  spec.tokens[at] = token;
  spec.types[at] = type;
  return {};
}

Result<void> read_vocabulary(const Json& root, const Json& model, TokenizerSpec& spec) {
  const Json* vocab = json_find(model, "vocab");
  if (!vocab || !vocab->is_object()) return fail(ErrorCode::kInvalidFile, "Field \"model.vocab\" is not an object.");
  const Json* added = json_find(root, "added_tokens");
  if (added && !added->is_array()) return fail(ErrorCode::kInvalidFile, "Field \"added_tokens\" is not an array.");
  // Ids may have holes (then the model's table is padded), but not so many that a small file asks for much memory.
  const size_t max_id = 2 * (vocab->size() + (added ? added->size() : 0)) + 1024;
  for (const auto& [token, id] : vocab->items()) TRY(place(spec, token, id, TokenType::kNormal, max_id));
  if (!added) return {};
  for (const Json& token : *added) {
    const std::string content = TRY_CTX(json_string(token, "content"), "while reading \"added_tokens\"");
    const bool special = TRY_CTX(json_bool(token, "special", false), "while reading \"added_tokens\"");
    const Json* id = json_find(token, "id");
    const TokenType type = special ? TokenType::kControl : TokenType::kUserDefined;
    TRY(place(spec, content, id ? *id : Json(), type, max_id));
  }
  return {};
}

Result<void> read_merges(const Json& model, TokenizerSpec& spec) {
  const Json* merges = json_find(model, "merges");
  if (!merges || !merges->is_array()) return fail(ErrorCode::kInvalidFile, "Field \"model.merges\" is not an array.");
  spec.merges.reserve(merges->size());
  for (const Json& merge : *merges) {
    if (merge.is_string()) {
      spec.merges.push_back(merge.get<std::string>());
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      spec.merges.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
    } else {
      return fail(ErrorCode::kInvalidFile, "Merge {} is neither \"a b\" nor [\"a\", \"b\"].", spec.merges.size());
    }
  }
  return {};
}

Result<void> read_model(const Json& root, TokenizerSpec& spec) {
  const Json* model = json_find(root, "model");
  if (!model) return fail(ErrorCode::kInvalidFile, "Field \"model\" is missing.");
  const std::string type = TRY(type_of(*model, "model"));
  if (type != "BPE") return unsupported("model", type, "BPE");
  if (TRY(json_bool(*model, "byte_fallback", false)))
    return unsupported("model", "BPE with byte fallback", "byte-level BPE");
  for (const std::string_view affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const std::string text = TRY(json_string(*model, affix, ""));
    if (!text.empty()) return unsupported(affix, text, "only an empty one");
  }
  spec.kind = "bpe";
  spec.ignore_merges = TRY(json_bool(*model, "ignore_merges", false));
  TRY(read_vocabulary(root, *model, spec));
  return read_merges(*model, spec);
}

Result<void> read_normalizer(const Json& root, TokenizerSpec& spec) {
  const Json* normalizer = json_find(root, "normalizer");
  if (!normalizer) return {};
  for (const Json* part : parts_of(*normalizer, "normalizers")) {
    const std::string type = TRY(type_of(*part, "normalizer"));
    if (type != "NFC") return unsupported("normalizer", type, "NFC");
    spec.nfc = true;
  }
  return {};
}

Result<void> read_pre_tokenizer(const Json& root, TokenizerSpec& spec) {
  const Json* pre = json_find(root, "pre_tokenizer");
  if (!pre) return unsupported("pre_tokenizer", "null", "ByteLevel");
  bool byte_level = false;
  for (const Json* part : parts_of(*pre, "pretokenizers")) {
    const std::string type = TRY(type_of(*part, "pre_tokenizer"));
    if (type == "Split") {
      const Json* pattern = json_find(*part, "pattern");
      const std::string regex = pattern ? TRY(json_string(*pattern, "Regex", "")) : "";
      spec.pre = pre_tokenizer_of_regex(regex);
      if (spec.pre.empty()) return unsupported("pre_tokenizer", regex, "the expressions of GPT-2, Llama 3 and Qwen2");
    } else if (type == "ByteLevel") {
      byte_level = true;
      if (TRY(json_bool(*part, "add_prefix_space", true))) {
        return unsupported("pre_tokenizer", "ByteLevel with add_prefix_space", "ByteLevel without it");
      }
      if (TRY(json_bool(*part, "use_regex", true))) {
        if (!spec.pre.empty()) return unsupported("pre_tokenizer", "a Split and ByteLevel's own", "one of them");
        spec.pre = "gpt-2";
      }
    } else {
      return unsupported("pre_tokenizer", type, "Split and ByteLevel");
    }
  }
  if (!byte_level || spec.pre.empty()) return unsupported("pre_tokenizer", "one without ByteLevel", "ByteLevel");
  return {};
}

using Ids = std::unordered_map<std::string_view, int32_t>;

int32_t find_id(const Ids& ids, std::string_view token) {
  const auto it = ids.find(token);
  return it == ids.end() ? -1 : it->second;
}

// TemplateProcessing says what stands before and after the text ("single").
Result<void> read_post_processor(const Json& root, const Ids& ids, TokenizerSpec& spec) {
  const Json* post = json_find(root, "post_processor");
  if (!post) return {};
  for (const Json* part : parts_of(*post, "processors")) {
    const Json* single = json_find(*part, "single");
    if (TRY(type_of(*part, "post_processor")) != "TemplateProcessing" || !single || !single->is_array()) continue;
    bool before = true;
    spec.add_bos = false;
    for (const Json& item : *single) {
      const Json* token = json_find(item, "SpecialToken");
      if (json_find(item, "Sequence")) before = false;
      if (!token) continue;
      const std::string name = TRY_CTX(json_string(*token, "id"), "while reading \"post_processor\"");
      const int32_t id = find_id(ids, name);
      if (id < 0) return fail(ErrorCode::kInvalidFile, "The post_processor adds \"{}\", which is no token.", name);
      (before ? spec.bos : spec.eos) = id;
      if (before) {
        spec.add_bos = true;
      } else {
        spec.add_eos = true;
      }
    }
  }
  return {};
}

// A token of tokenizer_config.json: its text, or an object with the text in "content".
Result<int32_t> config_token(const Json& config, std::string_view key, const Ids& ids, int32_t fallback) {
  const Json* value = json_find(config, key);
  if (!value) return fallback;
  const std::string name = TRY(value->is_object() ? json_string(*value, "content") : json_string(config, key));
  const int32_t id = find_id(ids, name);
  return id < 0 ? fallback : id;
}

Result<void> read_config(const Json& config, const Ids& ids, TokenizerSpec& spec) {
  spec.bos = TRY(config_token(config, "bos_token", ids, spec.bos));
  spec.eos = TRY(config_token(config, "eos_token", ids, spec.eos));
  spec.pad = TRY(config_token(config, "pad_token", ids, spec.pad));
  spec.unk = TRY(config_token(config, "unk_token", ids, spec.unk));
  // The post-processor is what transformers runs; the flags count where it says nothing.
  if (!spec.add_bos) spec.add_bos = TRY(json_bool(config, "add_bos_token", false)) && spec.bos >= 0;
  spec.add_eos = spec.add_eos || TRY(json_bool(config, "add_eos_token", false));
  return {};
}

}  // namespace

Result<TokenizerSpec> spec_from_hf(const Json& tokenizer_json, const Json& tokenizer_config) {
  if (!tokenizer_json.is_object()) return fail(ErrorCode::kInvalidFile, "tokenizer.json is not a JSON object.");
  TokenizerSpec spec;
  TRY_CTX(read_model(tokenizer_json, spec), "while reading tokenizer.json");
  TRY_CTX(read_normalizer(tokenizer_json, spec), "while reading tokenizer.json");
  TRY_CTX(read_pre_tokenizer(tokenizer_json, spec), "while reading tokenizer.json");
  Ids ids;
  for (size_t id = 0; id < spec.tokens.size(); ++id) {
    if (spec.types[id] != TokenType::kUnused) ids.emplace(spec.tokens[id], static_cast<int32_t>(id));
  }
  TRY_CTX(read_post_processor(tokenizer_json, ids, spec), "while reading tokenizer.json");
  TRY_CTX(read_config(tokenizer_config, ids, spec), "while reading tokenizer_config.json");
  return spec;
}

}  // namespace tern::text
