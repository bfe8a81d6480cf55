// Qwen 2 and 2.5 (Yang et al. 2024): Llama's shape with a bias on Q, K and V. The windows that some configs mention are
// switched off by use_sliding_window.
#include "models/common/architecture.h"
#include "models/common/blocks.h"

namespace tern::models {
namespace {

void build(ModelWriter& m) {
  ValueId x = m.embed();  // [T, d_model]
  for (uint32_t layer = 0; layer < m.hp.n_layers; ++layer) {
    m.layer(layer);
    x = m.add(x, attention(m, m.norm(x, "attn_norm"), {.qkv_bias = Bias::kRequired}), "attn_residual");
    x = m.add(x, feed_forward(m, m.norm(x, "ffn_norm")), "ffn_residual");
  }
  logits(m, x);
}

constexpr std::string_view kTypes[] = {"qwen2"};

}  // namespace

extern const Architecture qwen2;
const Architecture qwen2{
    .name = "qwen2",
    .gguf_name = "qwen2",
    .hf_types = kTypes,
    .build = build,
};

}  // namespace tern::models
