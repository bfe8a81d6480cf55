// Gemma 3, its language model (Gemma Team 2025): Gemma 2 without soft caps, with norms on queries and keys, five layers
// with windows for each one without, and a rope of their own for the layers with windows.
#include <cmath>

#include "models/common/architecture.h"
#include "models/common/blocks.h"

namespace tern::models {
namespace {

constexpr uint32_t kLayersOf27B = 62;
constexpr Field kLocalTheta{"rope.freq_base_swa", ""};

Result<void> hparams(const Config& config, Hparams& hp) {
  hp.embed_scale = static_cast<float>(std::sqrt(static_cast<double>(hp.d_model)));
  hp.attn_softcap = static_cast<float>(TRY(config.number(kAttnSoftcap, kSoftcapRange, 0)));
  hp.final_softcap = static_cast<float>(TRY(config.number(kFinalSoftcap, kSoftcapRange, 0)));
  if (config.is_gguf() && !config.has(kLocalTheta)) {  // older files leave it out; all models have this one
    hp.local_rope.theta = 10000;
    hp.local_rope.scaling = {};
  }
  return read_query_scale(config, kLayersOf27B, hp);
}

void build(ModelWriter& m) {
  ValueId x = m.embed();  // [T, d_model]
  for (uint32_t layer = 0; layer < m.hp.n_layers; ++layer) {
    m.layer(layer);
    ValueId y = attention(m, m.norm(x, "attn_norm"), {.qk_norm = true});
    x = m.add(x, m.norm(y, "post_attention_norm"), "attn_residual");
    y = feed_forward(m, m.norm(x, "ffn_norm"));
    x = m.add(x, m.norm(y, "post_ffw_norm"), "ffn_residual");
  }
  logits(m, x);
}

constexpr std::string_view kTypes[] = {"gemma3_text", "gemma3"};
constexpr TensorName kTensors[] = {
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
    {"post_attention_norm", "post_attention_layernorm"},
    {"ffn_norm", "pre_feedforward_layernorm"},
    {"post_ffw_norm", "post_feedforward_layernorm"},
};

}  // namespace

extern const Architecture gemma3;
const Architecture gemma3{
    .name = "gemma3",
    .gguf_name = "gemma3",
    .hf_types = kTypes,
    .tensors = kTensors,
    .activation = graph::Activation::kGeluTanh,
    .window_period = 6,
    .hf_norm_plus_one = true,
    .hparams = hparams,
    .build = build,
};

}  // namespace tern::models
