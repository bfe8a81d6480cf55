#include "models/common/blocks.h"

namespace tern::models {

ValueId attend(ModelWriter& m, ValueId q, ValueId k, ValueId v) {
  const Hparams& hp = m.hp;
  const uint32_t layer = m.layer();
  q = m.rope(q, "rope_q");
  k = m.rope(k, "rope_k");
  m.b.kv_write(k, v, {layer, hp.n_kv_heads, hp.head_dim});
  const ValueId y = m.b.attention(
      q, {layer, hp.n_heads, hp.n_kv_heads, hp.head_dim, hp.attn_scale, hp.attn_softcap, hp.windows[layer]});
  return m.linear(y, "attn_output", hp.d_model);
}

ValueId attention(ModelWriter& m, ValueId x, const AttentionOptions& options) {
  const Hparams& hp = m.hp;
  ValueId q = m.linear(x, "attn_q", hp.q_dim(), options.qkv_bias);         // [T, n_heads * head_dim]
  ValueId k = m.linear(x, "attn_k", hp.kv_dim(), options.qkv_bias);        // [T, n_kv_heads * head_dim]
  const ValueId v = m.linear(x, "attn_v", hp.kv_dim(), options.qkv_bias);  // [T, n_kv_heads * head_dim]
  if (options.qk_norm) {
    q = m.norm(q, "attn_q_norm", hp.head_dim);
    k = m.norm(k, "attn_k_norm", hp.head_dim);
  }
  return attend(m, q, k, v);
}

ValueId feed_forward(ModelWriter& m, ValueId x) {
  const Hparams& hp = m.hp;
  const ValueId gate = m.linear(x, "ffn_gate", hp.d_ff);  // [T, d_ff]
  const ValueId up = m.linear(x, "ffn_up", hp.d_ff);      // [T, d_ff]
  return m.linear(m.b.glu(gate, up, hp.activation, "ffn_glu"), "ffn_down", hp.d_model);
}

ValueId mixture_of_experts(ModelWriter& m, ValueId x) {
  const Hparams& hp = m.hp;
  const Experts& experts = hp.experts;
  const graph::ExpertsAttrs attrs{experts.n, experts.k};
  const ValueId scores = m.linear(x, "ffn_gate_inp", experts.n);                                    // [T, n]
  const auto [ids, weights] = m.b.route_topk(scores, {experts.k, experts.normalise}, "ffn_route");  // [T, k] each
  // One row for each token and each of its k experts: [T * k, ..].
  const auto linear = [&](ValueId in, std::string_view name, uint32_t rows) {
    return m.b.linear_experts(in, m.expert_matrix(name, rows, m.b.desc(in).cols), ids, attrs, name);
  };
  const ValueId gate = linear(x, "ffn_gate_exps", experts.d_ff);
  const ValueId up = linear(x, "ffn_up_exps", experts.d_ff);
  const ValueId down = linear(m.b.glu(gate, up, hp.activation, "ffn_glu"), "ffn_down_exps", hp.d_model);
  return m.b.combine_experts(down, weights, "ffn_combine");
}

void logits(ModelWriter& m, ValueId x) {
  const Hparams& hp = m.hp;
  m.layer(kNone);
  const ValueId gain = m.norm_weight("output_norm", hp.d_model);
  const ValueId pooled = m.b.pool_norm(x, gain, hp.rms_eps, "pooled");    // [P, d_model]
  x = m.b.rms_norm(m.b.gather_rows(x), gain, hp.rms_eps, "output_norm");  // [R, d_model]
  const std::string_view head = hp.tied_embeddings ? "token_embd" : "output";
  ValueId y = m.b.linear(x, m.matrix(head, hp.vocab, hp.d_model), "output");  // [R, vocab]
  if (hp.final_softcap > 0) y = m.b.softcap(y, hp.final_softcap, "final_softcap");
  m.b.output("logits", y);
  m.b.output("pooled", pooled);
}

}  // namespace tern::models
