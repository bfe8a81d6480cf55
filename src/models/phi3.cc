// Phi-3 and Phi-4-mini (Abdin et al. 2024): Llama's shape whose files keep Q, K and V in one matrix and gate and up in
// another; they are taken apart by rows. The long-context models turn by longrope.
#include "models/common/architecture.h"
#include "models/common/blocks.h"

namespace tern::models {
namespace {

ValueId attention_of_fused(ModelWriter& m, ValueId x) {
  const Hparams& hp = m.hp;
  const uint32_t q_dim = hp.q_dim(), kv_dim = hp.kv_dim();
  const auto rows = [&](uint32_t row0, uint32_t n, std::string_view name) {
    return m.b.linear(x, m.matrix_rows("attn_qkv", q_dim + 2 * kv_dim, hp.d_model, row0, n), name);
  };
  const ValueId q = rows(0, q_dim, "attn_q");                // [T, n_heads * head_dim]
  const ValueId k = rows(q_dim, kv_dim, "attn_k");           // [T, n_kv_heads * head_dim]
  const ValueId v = rows(q_dim + kv_dim, kv_dim, "attn_v");  // [T, n_kv_heads * head_dim]
  return attend(m, q, k, v);
}

ValueId feed_forward_of_fused(ModelWriter& m, ValueId x) {
  const Hparams& hp = m.hp;
  const auto half = [&](uint32_t row0, std::string_view name) {
    return m.b.linear(x, m.matrix_rows("ffn_up", 2 * hp.d_ff, hp.d_model, row0, hp.d_ff), name);
  };
  const ValueId gate = half(0, "ffn_gate");    // [T, d_ff]
  const ValueId up = half(hp.d_ff, "ffn_up");  // [T, d_ff]
  return m.linear(m.b.glu(gate, up, hp.activation, "ffn_glu"), "ffn_down", hp.d_model);
}

void build(ModelWriter& m) {
  ValueId x = m.embed();  // [T, d_model]
  for (uint32_t layer = 0; layer < m.hp.n_layers; ++layer) {
    m.layer(layer);
    x = m.add(x, attention_of_fused(m, m.norm(x, "attn_norm")), "attn_residual");
    x = m.add(x, feed_forward_of_fused(m, m.norm(x, "ffn_norm")), "ffn_residual");
  }
  logits(m, x);
}

constexpr std::string_view kTypes[] = {"phi3"};
constexpr TensorName kTensors[] = {
    {"attn_qkv", "self_attn.qkv_proj"},
    {"ffn_up", "mlp.gate_up_proj"},  // gate rows, then up rows; GGUF keeps them under this name
};

}  // namespace

extern const Architecture phi3;
const Architecture phi3{
    .name = "phi3",
    .gguf_name = "phi3",
    .hf_types = kTypes,
    .tensors = kTensors,
    .build = build,
};

}  // namespace tern::models
