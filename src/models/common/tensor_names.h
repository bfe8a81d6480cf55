// Where a tensor lies in the file. Tern calls tensors as GGUF does ("blk.3.attn_q.weight"); for a Hugging Face
// checkpoint the name is translated ("model.layers.3.self_attn.q_proj.weight").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "io/weight_index.h"

namespace tern::io {
struct ModelFiles;
}

namespace tern::models {

struct Architecture;

class TensorNames {
 public:
  /// Both must outlive this.
  TensorNames(const io::ModelFiles& files, const Architecture& arch);

  /// The file's name of a tensor, whether it is there or not. Where several spellings exist, the one the file uses.
  std::string file_name(std::string_view name) const { return file_name(name, ""); }
  /// The same for one expert of a stacked tensor ("blk.0.ffn_up_exps.weight"), which Hugging Face stores apart.
  std::string expert_name(std::string_view name, uint32_t expert) const;
  /// The layer's tensor of gate and up of all experts in one, as transformers v5 may store it: [experts, 2 * d_ff, d].
  std::string fused_experts_name(std::string_view name) const;

  /// nullptr when the file has no such tensor.
  const io::TensorInfo* find(std::string_view name) const { return weights_.find(file_name(name)); }
  const io::WeightIndex& weights() const { return weights_; }
  bool is_gguf() const { return is_gguf_; }

  /// One more than the highest layer of any tensor's name.
  uint64_t layer_count() const;

 private:
  const io::WeightIndex& weights_;
  const Architecture& arch_;
  bool is_gguf_;
  std::string prefix_;  // of the Hugging Face names of the text model: "model."

  std::string file_name(std::string_view name, std::string_view expert) const;
};

}  // namespace tern::models
