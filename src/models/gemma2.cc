// Gemma 2 (Gemma Team 2024): Gemma with a norm before and after each block, soft caps on attention scores and logits,
// and windows on every other layer.
#include <cmath>

#include "models/common/architecture.h"
#include "models/common/blocks.h"

namespace tern::models {
namespace {

constexpr uint32_t kLayersOf27B = 46;

Result<void> hparams(const Config& config, Hparams& hp) {
  hp.embed_scale = static_cast<float>(std::sqrt(static_cast<double>(hp.d_model)));
  hp.attn_softcap = static_cast<float>(TRY(config.number(kAttnSoftcap, kSoftcapRange, 0)));
  hp.final_softcap = static_cast<float>(TRY(config.number(kFinalSoftcap, kSoftcapRange, 0)));
  return read_query_scale(config, kLayersOf27B, hp);
}

void build(ModelWriter& m) {
  ValueId x = m.embed();  // [T, d_model]
  for (uint32_t layer = 0; layer < m.hp.n_layers; ++layer) {
    m.layer(layer);
    ValueId y = attention(m, m.norm(x, "attn_norm"));
    x = m.add(x, m.norm(y, "post_attention_norm"), "attn_residual");
    y = feed_forward(m, m.norm(x, "ffn_norm"));
    x = m.add(x, m.norm(y, "post_ffw_norm"), "ffn_residual");
  }
  logits(m, x);
}

constexpr std::string_view kTypes[] = {"gemma2"};
constexpr TensorName kTensors[] = {
    {"post_attention_norm", "post_attention_layernorm"},
    {"ffn_norm", "pre_feedforward_layernorm"},
    {"post_ffw_norm", "post_feedforward_layernorm"},
};

}  // namespace

extern const Architecture gemma2;
const Architecture gemma2{
    .name = "gemma2",
    .gguf_name = "gemma2",
    .hf_types = kTypes,
    .tensors = kTensors,
    .activation = graph::Activation::kGeluTanh,
    .window_period = 2,
    .hf_norm_plus_one = true,
    .hparams = hparams,
    .build = build,
};

}  // namespace tern::models
