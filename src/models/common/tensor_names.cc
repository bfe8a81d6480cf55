#include "models/common/tensor_names.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "io/model_files.h"
#include "models/common/architecture.h"

namespace tern::models {
namespace {

// What all architectures share in transformers' modeling files, unless their own table says otherwise.
constexpr TensorName kCommonNames[] = {
    {"token_embd", "embed_tokens"},
    {"output_norm", "norm"},
    {"output", "lm_head"},
    {"attn_norm", "input_layernorm"},
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
};

// "blk.3.attn_q.weight" -> layer "3", base "attn_q", suffix ".weight"; without a layer for "output.weight".
struct NameParts {
  std::string_view layer, base, suffix;
};

NameParts split(std::string_view name) {
  NameParts parts;
  if (name.starts_with("blk.")) {
    name.remove_prefix(4);
    parts.layer = name.substr(0, name.find('.'));
    name.remove_prefix(std::min(name.size(), parts.layer.size() + 1));
  }
  const size_t dot = std::min(name.rfind('.'), name.size());
  parts.base = name.substr(0, dot);
  parts.suffix = name.substr(dot);
  return parts;
}

std::string replace_star(std::string_view text, std::string_view with) {
  const size_t star = text.find('*');
  if (star == text.npos) return std::string(text);
  return std::string(text.substr(0, star)).append(with).append(text.substr(star + 1));
}

std::vector<std::string_view> spellings(const Architecture& arch, std::string_view base) {
  std::vector<std::string_view> found;
  for (const TensorName& n : arch.tensors) {
    if (n.gguf == base) found.push_back(n.hf);
  }
  if (!found.empty()) return found;
  for (const TensorName& n : kCommonNames) {
    if (n.gguf == base) found.push_back(n.hf);
  }
  return found;
}

// Checkpoints of models with several parts keep the text model deeper.
std::string find_prefix(const io::WeightIndex& weights) {
  for (const char* prefix : {"model.", "language_model.model."}) {
    if (weights.find(prefix + std::string("embed_tokens.weight"))) return prefix;
  }
  return "model.";
}

}  // namespace

TensorNames::TensorNames(const io::ModelFiles& files, const Architecture& arch)
    : weights_(files.weights), arch_(arch), is_gguf_(files.kind == io::ModelFiles::Kind::kGguf) {
  if (!is_gguf_) prefix_ = find_prefix(weights_);
}

std::string TensorNames::file_name(std::string_view name, std::string_view expert) const {
  if (is_gguf_) return std::string(name);
  const NameParts parts = split(name);
  const size_t head_prefix = prefix_.size() - std::string_view("model.").size();
  std::string first;
  for (const std::string_view spelling : spellings(arch_, parts.base)) {
    std::string full = parts.base == "output" ? prefix_.substr(0, head_prefix) : prefix_;
    if (!parts.layer.empty()) full.append("layers.").append(parts.layer).append(".");
    full.append(replace_star(spelling, expert)).append(parts.suffix);
    if (weights_.find(full)) return full;
    if (first.empty()) first = std::move(full);
  }
  return first.empty() ? std::string(name) : first;
}

std::string TensorNames::expert_name(std::string_view name, uint32_t expert) const {
  return file_name(name, std::to_string(expert));
}

std::string TensorNames::fused_experts_name(std::string_view name) const {
  const NameParts parts = split(name);
  std::string full = prefix_ + "layers.";
  full.append(parts.layer).append(".mlp.experts.");
  return full.append(parts.base == "ffn_down_exps" ? "down_proj" : "gate_up_proj");
}

uint64_t TensorNames::layer_count() const {
  const std::string prefix = is_gguf_ ? "blk." : prefix_ + "layers.";
  uint64_t count = 0;
  for (const io::TensorInfo& tensor : weights_.tensors()) {
    std::string_view name = tensor.name;
    if (!name.starts_with(prefix)) continue;
    name.remove_prefix(prefix.size());
    uint32_t layer = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), layer);
    if (error == std::errc() && end != name.data()) count = std::max<uint64_t>(count, uint64_t{layer} + 1);
  }
  return count;
}

}  // namespace tern::models
