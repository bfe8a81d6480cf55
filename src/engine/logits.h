// Raw logits for given tokens: `tern logits`, perplexity, golden tests.
#pragma once

#include <cstdint>
#include <span>

#include "engine/engine.h"
#include "engine/model.h"

namespace tern::engine {

/// Logits of every position of `tokens`, computed in chunks of `chunk` tokens; see Engine::run_logits. The model must
/// be loaded with max_tokens and max_rows of at least `chunk`. Errors beyond those: kInvalidFile when the model's files
/// changed meanwhile.
inline Result<void> run_logits(Model& model, std::span<const int32_t> tokens, uint32_t chunk, const LogitsSink& sink) {
  TRY(model.engine->run_logits(tokens, chunk, sink));
  return model.files.weights.check_unchanged();
}

}  // namespace tern::engine
