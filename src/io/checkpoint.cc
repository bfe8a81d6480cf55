#include "io/checkpoint.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "io/text.h"

namespace tern::io {
namespace {

constexpr uint64_t kAwqGroup = 128;
constexpr uint64_t kAwqPack = 8;  // 4-bit weights per i32

enum class Quantization { kNone, kAwqGemm, kAwqGemv, kInt8 };

std::unexpected<Error> unsupported(std::string_view field, std::string_view found, std::string_view allowed) {
  return fail(ErrorCode::kUnsupported, "Field \"quantization_config.{}\" is {}, supported is {}.", field,
              printable(found), allowed);
}

Result<Quantization> read_awq(const Json& q) {
  const uint32_t bits = TRY(json_u32(q, "bits"));
  const uint32_t group = TRY(json_u32(q, "group_size"));
  const bool zero_point = TRY(json_bool(q, "zero_point", true));
  std::string version = TRY(json_string(q, "version", "gemm"));
  if (bits != 4) return unsupported("bits", std::to_string(bits), "4");
  if (group != kAwqGroup) return unsupported("group_size", std::to_string(group), "128");
  if (!zero_point) return unsupported("zero_point", "false", "true");
  std::ranges::transform(version, version.begin(), [](unsigned char c) { return std::tolower(c); });
  if (version == "gemm") return Quantization::kAwqGemm;
  if (version == "gemv") return Quantization::kAwqGemv;
  return unsupported("version", version, "\"gemm\" or \"gemv\"");
}

/// The weights of each group must be symmetric int8 with a scale per output channel.
/// Fields: https://github.com/vllm-project/compressed-tensors (QuantizationConfig, QuantizationArgs).
Result<Quantization> read_compressed_tensors(const Json& q) {
  const Json* groups = json_find(q, "config_groups");
  if (!groups || !groups->is_object()) return unsupported("config_groups", "not an object", "an object of groups");
  for (const auto& [name, group] : groups->items()) {
    const Json* args = json_find(group, "weights");
    if (!args) continue;
    const uint32_t bits = TRY(json_u32(*args, "num_bits", 8));
    const std::string type = TRY(json_string(*args, "type", "int"));
    const std::string strategy = TRY(json_string(*args, "strategy", "channel"));
    const bool symmetric = TRY(json_bool(*args, "symmetric", true));
    const std::string at = fmt::format("config_groups.{}.weights.", printable(name));
    if (bits != 8) return unsupported(at + "num_bits", std::to_string(bits), "8");
    if (type != "int") return unsupported(at + "type", type, "\"int\"");
    if (strategy != "channel") return unsupported(at + "strategy", strategy, "\"channel\"");
    if (!symmetric) return unsupported(at + "symmetric", "false", "true");
  }
  return Quantization::kInt8;
}

Result<Quantization> read_quantization(const Json& config) {
  const Json* q = json_find(config, "quantization_config");
  if (!q) return Quantization::kNone;
  const std::string method = TRY_CTX(json_string(*q, "quant_method"), "while reading quantization_config");
  if (method == "awq") return TRY_CTX(read_awq(*q), "while reading quantization_config");
  if (method == "compressed-tensors") {
    return TRY_CTX(read_compressed_tensors(*q), "while reading quantization_config");
  }
  return unsupported("quant_method", method, "\"awq\" or \"compressed-tensors\" (int8)");
}

class Assembler {
 public:
  Assembler(std::vector<RawTensor> raw, Quantization quantization, WeightIndex& weights)
      : raw_(std::move(raw)), used_(raw_.size(), false), quantization_(quantization), weights_(weights) {}

  Result<void> run() {
    for (uint32_t i = 0; i < raw_.size(); ++i) {
      if (!by_name_.try_emplace(raw_[i].name, i).second) {
        return fail(ErrorCode::kInvalidFile, "Tensor {} appears in two files, every name must be unique.",
                    printable(raw_[i].name));
      }
    }
    for (const RawTensor& tensor : raw_) {
      if (tensor.dtype == Dtype::kI32 && tensor.name.ends_with(".qweight")) {
        TRY_CTX(add_awq(tensor), "while assembling tensor {}", printable(tensor.name));
      } else if (tensor.dtype == Dtype::kI8) {
        TRY_CTX(add_int8(tensor), "while assembling tensor {}", printable(tensor.name));
      }
    }
    for (uint32_t i = 0; i < raw_.size(); ++i) {
      if (!used_[i]) TRY(add_plain(raw_[i]));
    }
    return {};
  }

 private:
  /// Marks the tensor as part of a matrix.
  Result<const RawTensor*> take(const std::string& name) {
    const auto it = by_name_.find(name);
    if (it == by_name_.end()) return fail(ErrorCode::kInvalidFile, "Its part {} is missing.", printable(name));
    used_[it->second] = true;
    return &raw_[it->second];
  }

  static Result<void> expect(const RawTensor& part, Dtype dtype, const std::vector<uint64_t>& shape) {
    if (part.dtype == dtype && part.shape == shape) return {};
    return fail(ErrorCode::kInvalidFile, "{} is {} {}, expected {} {}.", printable(part.name), dtype_name(part.dtype),
                shape_text(part.shape), dtype_name(dtype), shape_text(shape));
  }

  Result<void> add_awq(const RawTensor& qweight) {
    if (quantization_ != Quantization::kAwqGemm && quantization_ != Quantization::kAwqGemv) {
      return fail(ErrorCode::kUnsupported,
                  "It holds packed 4-bit weights, but config.json has no \"quantization_config\" with quant_method "
                  "\"awq\" that says how they are packed.");
    }
    const std::string stem = qweight.name.substr(0, qweight.name.size() - std::string_view("qweight").size());
    TRY(take(qweight.name));
    const RawTensor& qzeros = *TRY(take(stem + "qzeros"));
    const RawTensor& scales = *TRY(take(stem + "scales"));
    const bool gemm = quantization_ == Quantization::kAwqGemm;
    // Lengths were checked against the file, so doubling and multiplying by 8 cannot overflow.
    if (qweight.shape.size() != 2) {
      return fail(ErrorCode::kInvalidFile, "Its shape is {}, expected two dimensions.", shape_text(qweight.shape));
    }
    const uint64_t in = gemm ? qweight.shape[0] : qweight.shape[1] * kAwqPack;
    const uint64_t out = gemm ? qweight.shape[1] * kAwqPack : qweight.shape[0];
    if (in % kAwqGroup != 0) {
      return fail(ErrorCode::kUnsupported, "It has {} input features, supported are multiples of {}.", in, kAwqGroup);
    }
    const uint64_t groups = in / kAwqGroup;
    const uint64_t padded = (groups + kAwqPack - 1) / kAwqPack;  // GEMV pads the groups to whole i32s
    TRY(expect(qzeros, Dtype::kI32, gemm ? std::vector{groups, out / kAwqPack} : std::vector{out, padded}));
    TRY(expect(scales, Dtype::kF16, gemm ? std::vector{groups, out} : std::vector{out, padded * kAwqPack}));
    const Recipe recipe{gemm ? RecipeKind::kAwqGemm : RecipeKind::kAwqGemv, qweight.part, qzeros.part, scales.part,
                        Format::kF16};
    return add_matrix(stem + "weight", Format::kAWQ, out, in, recipe);
  }

  Result<void> add_int8(const RawTensor& weight) {
    if (!weight.name.ends_with(".weight") || weight.shape.size() != 2 ||
        by_name_.contains(weight.name + "_zero_point")) {
      return fail(ErrorCode::kUnsupported,
                  "It is I8 {}; supported are matrices \"X.weight\" with scales \"X.weight_scale\" and no zero point.",
                  shape_text(weight.shape));
    }
    TRY(take(weight.name));
    const RawTensor& scale = *TRY(take(weight.name + "_scale"));
    const uint64_t out = weight.shape[0], in = weight.shape[1];
    const Format format = scale.dtype == Dtype::kF32   ? Format::kF32
                          : scale.dtype == Dtype::kF16 ? Format::kF16
                                                       : Format::kBF16;
    const bool is_float = scale.dtype != Dtype::kI8 && scale.dtype != Dtype::kI32;
    const bool per_channel = scale.shape == std::vector{out} || scale.shape == std::vector{out, uint64_t{1}};
    if (!is_float || !per_channel) {
      return fail(ErrorCode::kInvalidFile, "{} is {} {}, expected one float per output channel: [{}] or [{}, 1].",
                  printable(scale.name), dtype_name(scale.dtype), shape_text(scale.shape), out, out);
    }
    return add_matrix(weight.name, Format::kINT8, out, in, {RecipeKind::kInt8, weight.part, {}, scale.part, format});
  }

  Result<void> add_matrix(std::string name, Format format, uint64_t rows, uint64_t cols, const Recipe& recipe) {
    TensorInfo tensor{std::move(name), format, {rows, cols}};
    tensor.recipe = static_cast<int32_t>(weights_.add_recipe(recipe));
    return weights_.add_tensor(std::move(tensor));
  }

  Result<void> add_plain(RawTensor& raw) {
    TensorInfo tensor{raw.name, Format::kF32, raw.shape, raw.part.source, raw.part.offset, raw.part.length};
    switch (raw.dtype) {
      case Dtype::kF32:
        tensor.format = Format::kF32;
        break;
      case Dtype::kF16:
        tensor.format = Format::kF16;
        break;
      case Dtype::kBF16:
        tensor.format = Format::kBF16;
        break;
      case Dtype::kI8:
      case Dtype::kI32:
        return fail(ErrorCode::kUnsupported, "Tensor {} is {} but part of no AWQ or int8 matrix.", printable(raw.name),
                    dtype_name(raw.dtype));
    }
    return weights_.add_tensor(std::move(tensor));
  }

  std::vector<RawTensor> raw_;
  std::vector<bool> used_;
  StringMap<uint32_t> by_name_;
  Quantization quantization_;
  WeightIndex& weights_;
};

}  // namespace

Result<void> add_checkpoint_tensors(std::vector<RawTensor> raw, const Json& config, WeightIndex& weights) {
  const Quantization quantization = TRY(read_quantization(config));
  return Assembler(std::move(raw), quantization, weights).run();
}

}  // namespace tern::io
