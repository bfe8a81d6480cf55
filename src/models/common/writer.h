// ModelWriter: what the files of src/models/ write models with. It puts together the hyperparameters, the file's
// weights and the graph's Builder, so that a model's file can say `m.linear(x, "attn_q", hp.q_dim())` and mean: the
// tensor blk.<layer>.attn_q.weight of that shape, wherever and however the file stores it, and its bias if it has one.
//
// Errors (a missing tensor, a shape that disagrees with the hyperparameters) are kept, the first one counts, and
// load.cc asks for it at the end.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/builder.h"
#include "models/common/hparams.h"
#include "models/common/rope.h"
#include "models/common/tensor_names.h"

namespace tern::models {

using graph::kNone;
using graph::ValueId;

/// One tensor of a model under its GGUF name: rows of the file's tensors, or values that were computed.
struct ModelTensor {
  std::string name;
  std::vector<uint64_t> shape;  // outermost first
  Format format = Format::kF32;
  std::vector<graph::WeightSlice> slices;
  std::vector<float> values;  // when slices is empty: all vectors (norms, biases)
};

enum class Bias { kOptional, kRequired };

class ModelWriter {
 public:
  /// context: positions that will be used at most.
  ModelWriter(const Hparams& hparams, const TensorNames& names, graph::Builder& builder, uint32_t context);

  const Hparams& hp;
  graph::Builder& b;

  /// Names from here on are of this layer ("blk.3."); kNone: of no layer.
  void layer(uint32_t layer);
  uint32_t layer() const { return layer_; }
  bool has(std::string_view name) const { return names_.find(full_name(name) + ".weight"); }

  // Weights. A name is without prefix and suffix: "attn_q".
  ValueId matrix(std::string_view name, uint32_t rows, uint32_t cols);
  /// Rows [row0, row0 + rows) of a matrix with `of_rows` rows.
  ValueId matrix_rows(std::string_view name, uint32_t of_rows, uint32_t cols, uint32_t row0, uint32_t rows);
  /// The stacked matrices of all experts: [n * rows, cols].
  ValueId expert_matrix(std::string_view name, uint32_t rows, uint32_t cols);
  /// [1, n] in f32, or kNone when it is optional and missing.
  ValueId bias(std::string_view name, uint32_t n, Bias presence);

  // Ops with their weights.
  ValueId embed();                                                                          // -> [T, d_model]
  ValueId linear(ValueId x, std::string_view name, uint32_t rows, Bias = Bias::kOptional);  // -> [.., rows]
  ValueId norm(ValueId x, std::string_view name, uint32_t group);  // RMS over groups of `group` columns
  ValueId norm_weight(std::string_view name, uint32_t group);      // that norm's weight alone
  ValueId norm(ValueId x, std::string_view name) { return norm(x, name, hp.d_model); }
  ValueId rope(ValueId x, std::string_view name);  // by the layer's own frequencies
  ValueId add(ValueId x, ValueId y, std::string_view name) { return b.add(x, y, name); }

  /// Everything that was asked for so far, in order, each once; what a GGUF of this model consists of.
  std::vector<ModelTensor> take_tensors() { return std::move(tensors_); }
  const std::optional<Error>& error() const { return error_; }

 private:
  const TensorNames& names_;
  RopeTable rope_, local_rope_;
  ValueId rope_value_ = kNone, local_rope_value_ = kNone;
  uint32_t layer_ = kNone;
  std::vector<ModelTensor> tensors_;
  std::map<std::string, ValueId> values_;  // by name (and rows), so that tied embeddings are one weight
  std::optional<Error> error_;

  std::string full_name(std::string_view name) const;
  uint32_t id_of(const io::TensorInfo* info) const;
  void keep(Error error);
  const io::TensorInfo* checked(const std::string& file_name, const std::vector<uint64_t>& shape);
  Result<ModelTensor> stacked(const std::string& name, uint32_t rows, uint32_t cols);
  ValueId vector(const std::string& name, uint32_t n, bool plus_one);
  ValueId weight(const std::string& name, Format format, uint32_t rows, uint32_t cols,
                 std::vector<graph::WeightSlice> slices);
};

}  // namespace tern::models
