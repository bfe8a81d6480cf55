// Mistral 7B (Jiang et al. 2023): Llama's shape, where each layer sees a window of the last positions only. This file
// reads Hugging Face checkpoints; GGUF files of Mistral are "llama" files, with Q and K rows in that order.
#include "models/common/architecture.h"
#include "models/common/blocks.h"

namespace tern::models {
namespace {

void build(ModelWriter& m) {
  ValueId x = m.embed();  // [T, d_model]
  for (uint32_t layer = 0; layer < m.hp.n_layers; ++layer) {
    m.layer(layer);
    x = m.add(x, attention(m, m.norm(x, "attn_norm")), "attn_residual");
    x = m.add(x, feed_forward(m, m.norm(x, "ffn_norm")), "ffn_residual");
  }
  logits(m, x);
}

constexpr std::string_view kTypes[] = {"mistral"};

}  // namespace

extern const Architecture mistral;
const Architecture mistral{
    .name = "mistral",
    .gguf_name = "llama",
    .hf_types = kTypes,
    .gguf_interleaved_rope = true,
    .build = build,
};

}  // namespace tern::models
