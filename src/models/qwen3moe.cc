// Qwen 3 with experts (Yang et al. 2025): Qwen 3's attention, and a mixture of many narrow experts instead of one
// feed-forward block. A config may keep some layers dense (mlp_only_layers, decoder_sparse_step): those have no router.
#include "models/common/architecture.h"
#include "models/common/blocks.h"

namespace tern::models {
namespace {

constexpr Field kExpertWidth{"expert_feed_forward_length", "moe_intermediate_size"};

Result<void> hparams(const Config& config, Hparams& hp) {
  hp.experts.normalise = config.is_gguf();  // GGUF has no key for it and its readers normalise
  return read_experts(config, kExpertWidth, hp);
}

void build(ModelWriter& m) {
  ValueId x = m.embed();  // [T, d_model]
  for (uint32_t layer = 0; layer < m.hp.n_layers; ++layer) {
    m.layer(layer);
    x = m.add(x, attention(m, m.norm(x, "attn_norm"), {.qk_norm = true}), "attn_residual");
    const ValueId y = m.norm(x, "ffn_norm");
    x = m.add(x, m.has("ffn_gate_inp") ? mixture_of_experts(m, y) : feed_forward(m, y), "ffn_residual");
  }
  logits(m, x);
}

constexpr std::string_view kTypes[] = {"qwen3_moe"};
constexpr TensorName kTensors[] = {
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
    {"ffn_gate_inp", "mlp.gate"},
    {"ffn_gate_exps", "mlp.experts.*.gate_proj"},
    {"ffn_up_exps", "mlp.experts.*.up_proj"},
    {"ffn_down_exps", "mlp.experts.*.down_proj"},
};

}  // namespace

extern const Architecture qwen3moe;
const Architecture qwen3moe{
    .name = "qwen3moe",
    .gguf_name = "qwen3moe",
    .hf_types = kTypes,
    .tensors = kTensors,
    .hparams = hparams,
    .build = build,
};

}  // namespace tern::models
