// What hparams.cc asks of each source beyond plain fields: rotary embeddings, windows and the ids that end a text are
// spelled too differently in GGUF and in Hugging Face configs to be one Field.
#pragma once

#include <optional>
#include <vector>

#include "models/common/config.h"
#include "models/common/hparams.h"

namespace tern::models {

/// Fills hp.rope and hp.local_rope. hp.head_dim and hp.context are set already.
Result<void> read_rope_gguf(const Config& config, Hparams& hp);
Result<void> read_rope_hf(const Config& config, Hparams& hp);

/// For each layer whether it has a window, where the file lists them; else nothing.
Result<std::optional<std::vector<bool>>> windowed_layers_gguf(const Config& config, const Hparams& hp);
Result<std::optional<std::vector<bool>>> windowed_layers_hf(const Config& config, const Hparams& hp);

/// Ids as the file gives them; the caller checks them against the vocabulary.
Result<std::vector<uint32_t>> end_tokens_gguf(const Config& config);
Result<std::vector<uint32_t>> end_tokens_hf(const Config& config);

inline constexpr NumberRange kRopeFactorRange{1e-3, 1e6};

}  // namespace tern::models
