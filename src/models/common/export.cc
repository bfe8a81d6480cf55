#include "models/common/export.h"

#include <algorithm>
#include <cmath>

#include "models/common/architecture.h"
#include "models/common/load.h"

namespace tern::models {
namespace {

using Kind = RopeScaling::Kind;
using graph::WeightSlice;

class MetadataList {
 public:
  MetadataList(std::vector<io::Metadata::Entry>& entries, std::string_view arch) : entries_(entries), arch_(arch) {}
  /// key: after "<architecture>."
  void add(std::string_view key, io::Metadata::Value value) {
    entries_.push_back({arch_ + "." + std::string(key), std::move(value)});
  }

 private:
  std::vector<io::Metadata::Entry>& entries_;
  std::string arch_;
};

// The period n of "every n-th layer sees everything", 0 for windows everywhere; nothing when there is none.
std::optional<uint32_t> window_period(const std::vector<uint32_t>& windows) {
  for (uint32_t n = 0; n <= windows.size(); ++n) {
    bool fits = true;
    for (uint32_t i = 0; i < windows.size(); ++i) fits &= (windows[i] != 0) == (n == 0 || (i + 1) % n != 0);
    if (fits) return n;
  }
  return std::nullopt;
}

void add_windows(const Hparams& hp, uint32_t usual_period, MetadataList& list) {
  const uint32_t window = std::ranges::max(hp.windows);
  if (window == 0) return;
  list.add("attention.sliding_window", window);
  const std::optional<uint32_t> period = window_period(hp.windows);
  if (!period) {
    std::vector<bool> layers;
    for (const uint32_t w : hp.windows) layers.push_back(w != 0);
    list.add("attention.sliding_window_pattern", std::move(layers));
  } else if (*period != usual_period) {
    list.add("attention.sliding_window_pattern", *period);
  }
}

void add_rope(const Hparams& hp, MetadataList& list) {
  const RopeScaling& s = hp.rope.scaling;
  list.add("rope.freq_base", static_cast<float>(hp.rope.theta));
  list.add("rope.dimension_count", hp.rope.rot_dim);
  if (hp.local_rope.theta != hp.rope.theta) {
    list.add("rope.freq_base_swa", static_cast<float>(hp.local_rope.theta));
  }
  if (s.kind == Kind::kLinear || s.kind == Kind::kYarn) {
    list.add("rope.scaling.type", std::string(s.kind == Kind::kLinear ? "linear" : "yarn"));
    list.add("rope.scaling.factor", static_cast<float>(s.factor));
  }
  if (s.kind == Kind::kYarn) {
    list.add("rope.scaling.yarn_beta_fast", static_cast<float>(s.beta_fast));
    list.add("rope.scaling.yarn_beta_slow", static_cast<float>(s.beta_slow));
  }
  if (s.kind == Kind::kYarn || s.kind == Kind::kLongRope) {
    list.add("rope.scaling.original_context_length", s.original_context);
    const double usual = s.kind == Kind::kYarn ? 0.1 * std::log(s.factor) + 1 : 1;  // what readers multiply by already
    const double magnitude = rope_table(hp.rope, hp.context).magnitude / usual;
    list.add("rope.scaling.attn_factor", static_cast<float>(magnitude));
  }
}

void add_hparams(const Hparams& hp, const Architecture& arch, MetadataList& list) {
  list.add("block_count", hp.n_layers);
  list.add("context_length", hp.context);
  list.add("embedding_length", hp.d_model);
  list.add("feed_forward_length", hp.d_ff);
  list.add("vocab_size", hp.vocab);
  list.add("attention.head_count", hp.n_heads);
  list.add("attention.head_count_kv", hp.n_kv_heads);
  list.add("attention.key_length", hp.head_dim);
  list.add("attention.value_length", hp.head_dim);
  list.add("attention.layer_norm_rms_epsilon", hp.rms_eps);
  const auto usual_scale = static_cast<float>(1 / std::sqrt(static_cast<double>(hp.head_dim)));
  if (hp.attn_scale != usual_scale) list.add("attention.scale", hp.attn_scale);
  if (hp.attn_softcap > 0) list.add("attn_logit_softcapping", hp.attn_softcap);
  if (hp.final_softcap > 0) list.add("final_logit_softcapping", hp.final_softcap);
  if (hp.experts.n > 0) {
    list.add("expert_count", hp.experts.n);
    list.add("expert_used_count", hp.experts.k);
    if (hp.experts.d_ff != hp.d_ff) list.add("expert_feed_forward_length", hp.experts.d_ff);
    if (!hp.experts.normalise) list.add("expert_weights_norm", false);
  }
  add_rope(hp, list);
  add_windows(hp, arch.window_period, list);
}

ModelTensor vector_tensor(std::string name, std::vector<float> values) {
  const uint64_t n = values.size();
  return {std::move(name), {n}, Format::kF32, {}, std::move(values)};
}

// GGUF has no key for Llama 3.1's scaling: writers store what it does to each frequency.
void add_rope_tensors(const Hparams& hp, std::vector<ModelTensor>& tensors) {
  const RopeScaling& s = hp.rope.scaling;
  if (s.kind == Kind::kLlama3) {
    Rope plain = hp.rope;
    plain.scaling = {};
    const std::vector<float> from = rope_table(plain, hp.context).freqs, to = rope_table(hp.rope, hp.context).freqs;
    std::vector<float> factors(from.size());
    for (size_t i = 0; i < from.size(); ++i) factors[i] = from[i] / to[i];
    tensors.push_back(vector_tensor("rope_freqs.weight", std::move(factors)));
  }
  if (s.kind == Kind::kLongRope) {
    tensors.push_back(vector_tensor("rope_factors_long.weight", s.long_factors));
    tensors.push_back(vector_tensor("rope_factors_short.weight", s.short_factors));
  }
}

// Row r of GGUF's order for pairs (2i, 2i+1) is this row of Hugging Face's order for pairs (i, i + head_dim / 2).
uint32_t interleaved_source(uint32_t r, uint32_t head_dim) {
  const uint32_t in_head = r % head_dim;
  return r - in_head + in_head / 2 + in_head % 2 * (head_dim / 2);
}

void interleave(ModelTensor& tensor, uint32_t head_dim) {
  if (tensor.slices.empty()) {  // a bias
    std::vector<float> values(tensor.values.size());
    for (uint32_t r = 0; r < values.size(); ++r) values[r] = tensor.values[interleaved_source(r, head_dim)];
    tensor.values = std::move(values);
    return;
  }
  const WeightSlice whole = tensor.slices[0];
  tensor.slices.clear();
  for (uint32_t r = 0; r < whole.rows; ++r) {
    tensor.slices.push_back({whole.tensor, whole.row0 + interleaved_source(r, head_dim), 1});
  }
}

bool is_q_or_k(std::string_view name) {
  return name.find(".attn_q.") != name.npos || name.find(".attn_k.") != name.npos;
}

Export as_it_is(const io::ModelFiles& files) {
  Export out;
  for (const io::Metadata::Entry& entry : files.metadata.entries()) {
    if (!entry.key.starts_with("split.") && entry.key != "general.alignment") out.metadata.push_back(entry);
  }
  uint32_t id = 0;
  for (const io::TensorInfo& info : files.weights.tensors()) {
    out.tensors.push_back({info.name, info.shape, info.format, {{id++, 0, static_cast<uint32_t>(info.rows())}}, {}});
  }
  return out;
}

}  // namespace

Result<Export> export_gguf(const io::ModelFiles& files) {
  const Architecture* arch = TRY(find_architecture(files));
  if (files.kind == io::ModelFiles::Kind::kGguf) {
    TRY(build_graph(files));
    return as_it_is(files);
  }
  BuiltModel built = TRY(build_model(files, 0));
  const Hparams& hp = built.graph.hparams;
  Export out;
  out.metadata = {{"general.architecture", std::string(arch->gguf_name)}, {"general.name", files.name}};
  MetadataList list(out.metadata, arch->gguf_name);
  add_hparams(hp, *arch, list);
  out.tensors = std::move(built.tensors);
  if (arch->gguf_interleaved_rope) {
    for (ModelTensor& tensor : out.tensors) {
      if (is_q_or_k(tensor.name)) interleave(tensor, hp.head_dim);
    }
  }
  add_rope_tensors(hp, out.tensors);
  return out;
}

}  // namespace tern::models
