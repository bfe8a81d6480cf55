// The text side of model files: GGUF's tokenizer.* metadata, or Hugging Face's tokenizer.json and its companions, to a
// Tokenizer, a ChatTemplate and the tokens that end an answer.
//
// GGUF's keys: github.com/ggml-org/ggml/blob/master/docs/gguf.md, "Tokenizer"; eot and eom are llama.cpp's additions.
#include <algorithm>

#include "engine/model.h"

namespace tern::engine {
namespace {

/// A token id of the metadata, -1 when absent. Old converters wrote -1 or 2^32 - 1 for "none".
Result<int32_t> gguf_id(const io::Metadata& metadata, std::string_view key) {
  const io::Metadata::Value* value = metadata.find(key);
  if (!value) return -1;
  if (const auto* number = std::get_if<int32_t>(value); number && *number == -1) return -1;
  const uint32_t id = TRY(metadata.get_u32(key));
  if (id == UINT32_MAX) return -1;
  if (id > INT32_MAX) return fail(ErrorCode::kInvalidFile, "{} is {}, which is no token id.", key, id);
  return static_cast<int32_t>(id);
}

Result<std::optional<bool>> gguf_flag(const io::Metadata& metadata, std::string_view key) {
  if (!metadata.contains(key)) return std::nullopt;
  return TRY(metadata.get_bool(key));
}

/// nullopt when the file has no tokenizer.
Result<std::optional<text::TokenizerSpec>> spec_from_gguf(const io::Metadata& metadata) {
  const std::string kind = TRY(metadata.get_string("tokenizer.ggml.model", ""));
  if (kind.empty() || kind == "none" || kind == "no_vocab") return std::nullopt;
  text::TokenizerSpec spec;
  spec.kind = kind;
  spec.pre = TRY(metadata.get_string("tokenizer.ggml.pre", ""));
  const auto tokens = TRY(metadata.find_strings("tokenizer.ggml.tokens"));
  spec.tokens.assign(tokens.begin(), tokens.end());
  for (const int32_t type : TRY(metadata.find_i32s("tokenizer.ggml.token_type"))) {
    if (type < 1 || type > 6) {
      return fail(ErrorCode::kInvalidFile, "Token {} has type {} in tokenizer.ggml.token_type, allowed are 1 to 6.",
                  spec.types.size(), type);
    }
    spec.types.push_back(static_cast<text::TokenType>(type));
  }
  const auto merges = TRY(metadata.find_strings("tokenizer.ggml.merges"));
  spec.merges.assign(merges.begin(), merges.end());
  spec.bos = TRY(gguf_id(metadata, "tokenizer.ggml.bos_token_id"));
  spec.eos = TRY(gguf_id(metadata, "tokenizer.ggml.eos_token_id"));
  spec.eot = TRY(gguf_id(metadata, "tokenizer.ggml.eot_token_id"));
  spec.pad = TRY(gguf_id(metadata, "tokenizer.ggml.padding_token_id"));
  spec.unk = TRY(gguf_id(metadata, "tokenizer.ggml.unknown_token_id"));
  if (const int32_t eom = TRY(gguf_id(metadata, "tokenizer.ggml.eom_token_id")); eom >= 0) {
    spec.extra_end_ids.push_back(eom);
  }
  spec.add_bos = TRY(gguf_flag(metadata, "tokenizer.ggml.add_bos_token"));
  spec.add_eos = TRY(gguf_flag(metadata, "tokenizer.ggml.add_eos_token")).value_or(false);
  return spec;
}

/// eos_token_id of generation_config.json: a number or a list of them.
Result<std::vector<int32_t>> end_ids_of(const Json& generation_config) {
  std::vector<int32_t> ids;
  const Json* field = generation_config.is_object() ? json_find(generation_config, "eos_token_id") : nullptr;
  if (!field) return ids;
  const Json list = field->is_array() ? *field : Json::array({*field});
  for (const Json& id : list) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX) {
      return fail(ErrorCode::kInvalidFile, "eos_token_id of generation_config.json holds {}, which is no token id.",
                  id.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 64));
    }
    ids.push_back(static_cast<int32_t>(id.get<uint64_t>()));
  }
  return ids;
}

Result<std::optional<text::TokenizerSpec>> read_spec(const io::ModelFiles& files) {
  if (files.kind == io::ModelFiles::Kind::kGguf) {
    return TRY_CTX(spec_from_gguf(files.metadata), "while reading the tokenizer's metadata");
  }
  if (files.tokenizer.is_null()) return std::nullopt;
  text::TokenizerSpec spec =
      TRY_CTX(text::spec_from_hf(files.tokenizer, files.tokenizer_config), "while reading tokenizer.json");
  const auto ends = TRY(end_ids_of(files.generation_config));
  spec.extra_end_ids.insert(spec.extra_end_ids.end(), ends.begin(), ends.end());
  return spec;
}

Result<std::unique_ptr<text::Tokenizer>> read_tokenizer(const io::ModelFiles& files) {
  auto spec = TRY(read_spec(files));
  if (!spec) return nullptr;
  return TRY_CTX(text::make_tokenizer(std::move(*spec)), "while building the tokenizer");
}

}  // namespace

Result<ModelText> read_text(const io::ModelFiles& files) {
  ModelText out;
  if (auto tokenizer = read_tokenizer(files)) {
    out.tokenizer = std::move(*tokenizer);
  } else if (tokenizer.error().code == ErrorCode::kUnsupported) {
    out.text_problem = tokenizer.error().to_string();
  } else {
    return std::unexpected(std::move(tokenizer).error());
  }
  if (!files.chat_template.empty()) {
    if (auto parsed = text::ChatTemplate::parse(files.chat_template)) {
      out.chat_template = std::move(*parsed);
    } else if (parsed.error().code == ErrorCode::kUnsupported) {
      if (out.text_problem.empty()) out.text_problem = parsed.error().to_string();
    } else {
      return std::unexpected(std::move(parsed).error());
    }
  }
  if (out.tokenizer) {
    for (int32_t id = 0; id < out.tokenizer->vocab_size(); id++) {
      if (out.tokenizer->is_end(id)) out.end_tokens.push_back(id);
    }
  }
  return out;
}

Result<ModelText> load_text(const std::string& path) {
  const io::ModelFiles files = TRY(io::open_model(path));
  return TRY_CTX(read_text(files), "while loading {}", path);
}

}  // namespace tern::engine
