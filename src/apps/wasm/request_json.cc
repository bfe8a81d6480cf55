#include "apps/wasm/request_json.h"

#include <limits>

#include "engine/prompt.h"

namespace tern::wasm {
namespace {

/// null when absent.
Result<const Json*> json_list(const Json& object, std::string_view key) {
  const Json* list = json_find(object, key);
  if (!list || list->is_array()) return list;
  return fail(ErrorCode::kInvalidFile, "\"{}\" is JSON of type {}, expected a list.", key, list->type_name());
}

Result<int32_t> token_id(const Json& value) {
  const auto* id = value.get_ptr<const Json::number_unsigned_t*>();
  if (id && *id <= std::numeric_limits<int32_t>::max()) return static_cast<int32_t>(*id);
  return fail(ErrorCode::kInvalidFile, "A list of token ids has an entry that is none.");
}

Result<std::vector<int32_t>> prompt_of(const engine::Model& model, const Json& json) {
  if (const Json* messages = TRY(json_list(json, "messages"))) return engine::encode_chat(model, *messages);
  if (json_find(json, "tokens")) return token_ids(json, "tokens");
  const std::string prompt = TRY(json_string(json, "prompt", ""));
  return engine::encode_prompt(model, prompt, /*special=*/false);
}

Result<float> json_float(const Json& object, std::string_view key, float fallback) {
  return static_cast<float>(TRY(json_number(object, key, fallback)));
}

Result<engine::SamplingOptions> sampling_of(const Json& json) {
  engine::SamplingOptions s;
  s.temperature = TRY(json_float(json, "temperature", s.temperature));
  s.top_k = TRY(json_u32(json, "top_k", s.top_k));
  s.top_p = TRY(json_float(json, "top_p", s.top_p));
  s.min_p = TRY(json_float(json, "min_p", s.min_p));
  s.typical_p = TRY(json_float(json, "typical_p", s.typical_p));
  s.repetition_penalty = TRY(json_float(json, "repetition_penalty", s.repetition_penalty));
  s.frequency_penalty = TRY(json_float(json, "frequency_penalty", s.frequency_penalty));
  s.presence_penalty = TRY(json_float(json, "presence_penalty", s.presence_penalty));
  s.penalty_last_n = TRY(json_u32(json, "penalty_last_n", s.penalty_last_n));
  s.seed = TRY(json_u32(json, "seed", 0));
  s.logprobs = TRY(json_u32(json, "logprobs", 0));
  const Json* biases = TRY(json_list(json, "logit_bias"));
  if (!biases) return s;
  for (const Json& entry : *biases) {
    if (!entry.is_array() || entry.size() != 2 || !entry[1].is_number()) {
      return fail(ErrorCode::kInvalidFile, "An entry of \"logit_bias\" is no pair such as [13, -100].");
    }
    s.logit_bias.emplace_back(TRY(token_id(entry[0])), entry[1].get<float>());
  }
  return s;
}

Result<std::optional<engine::EmbeddingOptions>> embedding_of(const Json& json) {
  const Json* embed = json_find(json, "embed");
  if (!embed) return std::nullopt;
  if (!embed->is_object()) {
    return fail(ErrorCode::kInvalidFile, "\"embed\" is JSON of type {}, expected an object.", embed->type_name());
  }
  const std::string pooling = TRY(json_string(*embed, "pooling", "mean"));
  if (pooling != "mean" && pooling != "last") {
    return fail(ErrorCode::kInvalidArgument, "\"pooling\" is \"{}\", allowed are mean and last.", pooling);
  }
  return engine::EmbeddingOptions{.pooling = pooling == "last" ? engine::Pooling::kLast : engine::Pooling::kMean,
                                  .normalise = TRY(json_bool(*embed, "normalize", true))};
}

}  // namespace

Result<std::vector<int32_t>> token_ids(const Json& object, std::string_view key) {
  std::vector<int32_t> ids;
  const Json* list = TRY(json_list(object, key));
  if (!list) return ids;
  for (const Json& value : *list) ids.push_back(TRY(token_id(value)));
  return ids;
}

Result<engine::Request> parse_request(const engine::Model& model, std::string_view text) {
  const Json json = TRY_CTX(parse_json(text), "while reading a request");
  if (!json.is_object()) return fail(ErrorCode::kInvalidFile, "A request is a JSON object, not {}.", json.type_name());
  engine::Request request;
  request.prompt = TRY(prompt_of(model, json));
  request.sampling = TRY(sampling_of(json));
  request.max_tokens = TRY(json_u32(json, "max_tokens", UINT32_MAX));
  request.stop_tokens = TRY(token_ids(json, "stop_tokens"));
  request.ignore_eos = TRY(json_bool(json, "ignore_eos", false));
  request.embedding = TRY(embedding_of(json));
  const Json* stops = TRY(json_list(json, "stop"));
  if (!stops) return request;
  for (const Json& stop : *stops) {
    const auto* stop_text = stop.get_ptr<const std::string*>();
    if (!stop_text) return fail(ErrorCode::kInvalidFile, "\"stop\" has an entry that is no text.");
    request.stop.push_back(*stop_text);
  }
  return request;
}

}  // namespace tern::wasm
