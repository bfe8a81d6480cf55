// Qwen 3 (Yang et al. 2025): Llama's shape with an RMS norm on each head's query and key.
#include "models/common/architecture.h"
#include "models/common/blocks.h"

namespace tern::models {
namespace {

void build(ModelWriter& m) {
  ValueId x = m.embed();  // [T, d_model]
  for (uint32_t layer = 0; layer < m.hp.n_layers; ++layer) {
    m.layer(layer);
    x = m.add(x, attention(m, m.norm(x, "attn_norm"), {.qk_norm = true}), "attn_residual");
    x = m.add(x, feed_forward(m, m.norm(x, "ffn_norm")), "ffn_residual");
  }
  logits(m, x);
}

constexpr std::string_view kTypes[] = {"qwen3"};
constexpr TensorName kTensors[] = {
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
};

}  // namespace

extern const Architecture qwen3;
const Architecture qwen3{
    .name = "qwen3",
    .gguf_name = "qwen3",
    .hf_types = kTypes,
    .tensors = kTensors,
    .build = build,
};

}  // namespace tern::models
