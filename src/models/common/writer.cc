#include "models/common/writer.h"

#include <algorithm>

#include "formats/format.h"

namespace tern::models {
namespace {

using graph::WeightSlice;

std::string shape_text(const std::vector<uint64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

}  // namespace

ModelWriter::ModelWriter(const Hparams& hparams, const TensorNames& names, graph::Builder& builder, uint32_t context)
    : hp(hparams),
      b(builder),
      names_(names),
      rope_(rope_table(hparams.rope, context)),
      local_rope_(rope_table(hparams.local_rope, context)) {}

void ModelWriter::layer(uint32_t layer) {
  layer_ = layer;
  b.scope(layer == kNone ? "" : fmt::format("blk.{}", layer));
}

std::string ModelWriter::full_name(std::string_view name) const {
  return layer_ == kNone ? std::string(name) : fmt::format("blk.{}.{}", layer_, name);
}

uint32_t ModelWriter::id_of(const io::TensorInfo* info) const {
  return static_cast<uint32_t>(info - names_.weights().tensors().data());
}

void ModelWriter::keep(Error error) {
  if (!error_) error_ = std::move(error);
}

// The tensor of that name if it has that shape; else nullptr, and the error is kept.
const io::TensorInfo* ModelWriter::checked(const std::string& file_name, const std::vector<uint64_t>& shape) {
  const io::TensorInfo* info = names_.weights().find(file_name);
  if (!info) {
    keep({ErrorCode::kInvalidFile, fmt::format("Tensor {} is missing, a {} model needs it.", file_name, hp.arch), {}});
    return nullptr;
  }
  if (info->shape != shape) {
    keep({ErrorCode::kInvalidFile,
          fmt::format("Tensor {} has the shape {}, the hyperparameters ask for {}.", file_name, shape_text(info->shape),
                      shape_text(shape)),
          {}});
    return nullptr;
  }
  return info;
}

ValueId ModelWriter::weight(const std::string& name, Format format, uint32_t rows, uint32_t cols,
                            std::vector<WeightSlice> slices) {
  const auto known = values_.find(name);
  if (known != values_.end()) return known->second;
  const ValueId value = b.weight(name, format, rows, cols, std::move(slices));
  values_.emplace(name, value);
  return value;
}

ValueId ModelWriter::matrix(std::string_view name, uint32_t rows, uint32_t cols) {
  return matrix_rows(name, rows, cols, 0, rows);
}

ValueId ModelWriter::matrix_rows(std::string_view name, uint32_t of_rows, uint32_t cols, uint32_t row0, uint32_t rows) {
  const std::string full = full_name(name) + ".weight";
  const std::string key = rows == of_rows ? full : fmt::format("{}[{}:{}]", full, row0, row0 + rows);
  const io::TensorInfo* info = checked(names_.file_name(full), {of_rows, cols});
  if (!info) return weight(key, Format::kF32, rows, cols, {});
  const auto same = [&](const ModelTensor& t) { return t.name == full; };
  if (std::ranges::none_of(tensors_, same)) {
    tensors_.push_back({full, info->shape, info->format, {{id_of(info), 0, of_rows}}, {}});
  }
  return weight(key, info->format, rows, cols, {{id_of(info), row0, rows}});
}

// Experts in one tensor [n, rows, cols] (GGUF), as halves of a fused one, or each in a tensor of its own.
Result<ModelTensor> ModelWriter::stacked(const std::string& name, uint32_t rows, uint32_t cols) {
  const uint32_t n = hp.experts.n;
  ModelTensor tensor{name, {n, rows, cols}, Format::kF32, {}, {}};
  const auto take = [&](const std::string& file_name, const std::vector<uint64_t>& shape) -> Result<uint32_t> {
    const io::TensorInfo* info = checked(file_name, shape);
    if (!info) return std::unexpected(*error_);
    if (!tensor.slices.empty() && info->format != tensor.format) {
      return fail(ErrorCode::kUnsupported, "Tensor {} is {}, but other experts of the layer are {}.", file_name,
                  formats::info(info->format).name, formats::info(tensor.format).name);
    }
    tensor.format = info->format;
    return id_of(info);
  };
  if (names_.is_gguf()) {
    tensor.slices = {{TRY(take(names_.file_name(name), tensor.shape)), 0, n * rows}};
    return tensor;
  }
  const std::string fused = names_.fused_experts_name(name);
  if (names_.weights().find(fused)) {
    const bool half = fused.ends_with("gate_up_proj");  // gate rows, then up rows, of each expert
    const uint32_t stride = half ? 2 * rows : rows;
    const uint32_t first = name.find("ffn_up_exps") == name.npos ? 0 : rows;
    const uint32_t id = TRY(take(fused, {n, stride, cols}));
    for (uint32_t e = 0; e < n; ++e) tensor.slices.push_back({id, e * stride + first, rows});
    return tensor;
  }
  for (uint32_t e = 0; e < n; ++e) {
    const uint32_t id = TRY(take(names_.expert_name(name, e), {rows, cols}));
    tensor.slices.push_back({id, 0, rows});
  }
  return tensor;
}

ValueId ModelWriter::expert_matrix(std::string_view name, uint32_t rows, uint32_t cols) {
  const std::string full = full_name(name) + ".weight";
  const uint32_t all_rows = hp.experts.n * rows;
  if (error_) return weight(full, Format::kF32, all_rows, cols, {});
  Result<ModelTensor> tensor = stacked(full, rows, cols);
  if (!tensor) {
    keep(tensor.error());
    return weight(full, Format::kF32, all_rows, cols, {});
  }
  tensors_.push_back(*tensor);
  return weight(full, tensor->format, all_rows, cols, std::move(tensor->slices));
}

// Vectors are small, kernels read them as f32, and gemma's are changed on the way: they are values in the graph.
ValueId ModelWriter::vector(const std::string& name, uint32_t n, bool plus_one) {
  const io::TensorInfo* info = checked(names_.file_name(name), {n});
  if (!info) return b.constant(name, std::vector<float>(1));
  Result<std::vector<float>> values = names_.weights().read_f32(id_of(info));
  if (!values) {
    keep(values.error());
    return b.constant(name, std::vector<float>(1));
  }
  if (plus_one) std::ranges::for_each(*values, [](float& w) { w += 1; });
  tensors_.push_back({name, {n}, Format::kF32, {}, *values});
  return b.constant(name, *std::move(values));
}

ValueId ModelWriter::bias(std::string_view name, uint32_t n, Bias presence) {
  const std::string full = full_name(name) + ".bias";
  if (presence == Bias::kOptional && !names_.find(full)) return kNone;
  return vector(full, n, false);
}

ValueId ModelWriter::embed() {
  layer(kNone);
  const ValueId x = b.embed(matrix("token_embd", hp.vocab, hp.d_model), "embed");
  return hp.embed_scale == 1 ? x : b.scale(x, hp.embed_scale, "embed_scale");
}

ValueId ModelWriter::linear(ValueId x, std::string_view name, uint32_t rows, Bias presence) {
  return b.linear(x, matrix(name, rows, b.desc(x).cols), name, bias(name, rows, presence));
}

ValueId ModelWriter::norm_weight(std::string_view name, uint32_t group) {
  return vector(full_name(name) + ".weight", group, hp.norm_plus_one);
}

ValueId ModelWriter::norm(ValueId x, std::string_view name, uint32_t group) {
  return b.rms_norm(x, norm_weight(name, group), hp.rms_eps, name);
}

ValueId ModelWriter::rope(ValueId x, std::string_view name) {
  const bool local = hp.windows[layer_] != 0;
  const Rope& rope = local ? hp.local_rope : hp.rope;
  const RopeTable& table = local ? local_rope_ : rope_;
  ValueId& freqs = local ? local_rope_value_ : rope_value_;
  if (freqs == kNone) freqs = b.constant(local ? "rope_freqs_local" : "rope_freqs", table.freqs);
  return b.rope(x, freqs, {hp.head_dim, rope.rot_dim, rope.interleaved, table.magnitude}, name);
}

}  // namespace tern::models
