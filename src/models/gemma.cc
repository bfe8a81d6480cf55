// Gemma (Gemma Team 2024): wide heads, gated GELU, token embeddings scaled by sqrt(d_model) and shared with the head,
// and norms that multiply by 1 + w (GGUF stores the sum).
#include <cmath>

#include "models/common/architecture.h"
#include "models/common/blocks.h"

namespace tern::models {
namespace {

Result<void> hparams(const Config&, Hparams& hp) {
  hp.embed_scale = static_cast<float>(std::sqrt(static_cast<double>(hp.d_model)));
  return {};
}

void build(ModelWriter& m) {
  ValueId x = m.embed();  // [T, d_model]
  for (uint32_t layer = 0; layer < m.hp.n_layers; ++layer) {
    m.layer(layer);
    x = m.add(x, attention(m, m.norm(x, "attn_norm")), "attn_residual");
    x = m.add(x, feed_forward(m, m.norm(x, "ffn_norm")), "ffn_residual");
  }
  logits(m, x);
}

constexpr std::string_view kTypes[] = {"gemma"};

}  // namespace

extern const Architecture gemma;
const Architecture gemma{
    .name = "gemma",
    .gguf_name = "gemma",
    .hf_types = kTypes,
    .activation = graph::Activation::kGeluTanh,
    .hf_norm_plus_one = true,
    .hparams = hparams,
    .build = build,
};

}  // namespace tern::models
