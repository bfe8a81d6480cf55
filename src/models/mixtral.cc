// Mixtral (Jiang et al. 2024): Mistral with a mixture of a few wide experts in each layer. This file reads Hugging Face
// checkpoints; GGUF files of Mixtral are "llama" files with an expert count.
#include "models/common/architecture.h"
#include "models/common/blocks.h"

namespace tern::models {
namespace {

constexpr Field kExpertWidth{"", "intermediate_size"};

Result<void> hparams(const Config& config, Hparams& hp) {
  return read_experts(config, kExpertWidth, hp);
}

void build(ModelWriter& m) {
  ValueId x = m.embed();  // [T, d_model]
  for (uint32_t layer = 0; layer < m.hp.n_layers; ++layer) {
    m.layer(layer);
    x = m.add(x, attention(m, m.norm(x, "attn_norm")), "attn_residual");
    x = m.add(x, mixture_of_experts(m, m.norm(x, "ffn_norm")), "ffn_residual");
  }
  logits(m, x);
}

constexpr std::string_view kTypes[] = {"mixtral"};
// transformers v4 spelled the block block_sparse_moe and its matrices w1 (gate), w2 (down), w3 (up).
constexpr TensorName kTensors[] = {
    {"ffn_gate_inp", "block_sparse_moe.gate"},          {"ffn_gate_inp", "mlp.gate"},
    {"ffn_gate_exps", "block_sparse_moe.experts.*.w1"}, {"ffn_gate_exps", "mlp.experts.*.gate_proj"},
    {"ffn_up_exps", "block_sparse_moe.experts.*.w3"},   {"ffn_up_exps", "mlp.experts.*.up_proj"},
    {"ffn_down_exps", "block_sparse_moe.experts.*.w2"}, {"ffn_down_exps", "mlp.experts.*.down_proj"},
};

}  // namespace

extern const Architecture mixtral;
const Architecture mixtral{
    .name = "mixtral",
    .gguf_name = "llama",
    .hf_types = kTypes,
    .tensors = kTensors,
    .gguf_interleaved_rope = true,
    .hparams = hparams,
    .build = build,
};

}  // namespace tern::models
