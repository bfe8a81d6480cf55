// From text and conversations to the token ids a model was trained to expect.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "engine/model.h"

namespace tern::engine {

/// Ids of raw text. BOS in front when the model says so, never twice (templates often spell it out themselves).
/// special: the text of control tokens counts as those tokens. Errors: kUnsupported without a tokenizer,
/// kInvalidArgument when nothing is left to say.
Result<std::vector<int32_t>> encode_prompt(const Model& model, std::string_view text, bool special);

/// messages: [{"role": "user", "content": "..."}, ...], rendered by the model's chat template with a generation prompt.
/// Only the template's own words can become control tokens: those in a message stay text (text::Guard).
/// Errors: kUnsupported without template or tokenizer; the template's own.
Result<std::vector<int32_t>> encode_chat(const Model& model, const Json& messages);

}  // namespace tern::engine
