// A request as JavaScript spells it.
#pragma once

#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "engine/model.h"
#include "engine/request.h"

namespace tern::wasm {

/// The list of ids at `key`; empty when absent. Errors: kInvalidFile for anything else.
Result<std::vector<int32_t>> token_ids(const Json& object, std::string_view key);

/// text: JSON, an object with one of
///   "tokens": [ids], "prompt": "text to continue", "messages": [{"role": ..., "content": ...}]
/// and any of max_tokens, stop, stop_tokens, ignore_eos, seed, temperature, top_k, top_p, min_p, typical_p,
/// repetition_penalty, frequency_penalty, presence_penalty, penalty_last_n, logit_bias ([[id, bias], ...]), logprobs:
/// the fields of engine::Request and SamplingOptions, with their defaults.
/// With "embed": {"pooling": "mean" | "last", "normalize": bool} it is embedded instead (engine::EmbeddingOptions).
/// Errors: kInvalidFile for wrong types, kInvalidArgument, those of encode_prompt() and encode_chat().
Result<engine::Request> parse_request(const engine::Model& model, std::string_view text);

}  // namespace tern::wasm
