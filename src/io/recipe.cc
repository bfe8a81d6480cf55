#include "io/recipe.h"

#include <algorithm>
#include <cstring>

#include "base/half.h"
#include "formats/all_formats.h"

namespace tern::io {
namespace {

/// Bytes of a part: in place when the source is addressable, else a copy.
class PartBytes {
 public:
  static Result<PartBytes> read(const Part& part, std::span<const std::unique_ptr<ByteSource>> sources) {
    PartBytes out;
    const ByteSource& source = *sources[part.source];
    if (const auto all = source.mapped(); !all.empty()) {
      out.view_ = all.subspan(static_cast<size_t>(part.offset), static_cast<size_t>(part.length));
    } else {
      out.copy_.resize(static_cast<size_t>(part.length));
      TRY(source.read(part.offset, out.copy_));
      out.view_ = out.copy_;
    }
    return out;
  }
  std::span<const std::byte> get() const { return view_; }

 private:
  std::vector<std::byte> copy_;  // moving a vector keeps its bytes in place, so view_ stays valid
  std::span<const std::byte> view_;
};

float scale_at(std::span<const std::byte> scales, Format format, uint64_t row) {
  if (format == Format::kF32) {
    float value;
    std::memcpy(&value, scales.data() + row * sizeof value, sizeof value);
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, scales.data() + row * sizeof bits, sizeof bits);
  return format == Format::kF16 ? f16_to_f32(bits) : bf16_to_f32(bits);
}

/// Row layout of Format::kINT8: f32 scale, the weights, zeros to a multiple of 4 bytes.
Result<void> int8_rows(const Recipe& recipe, std::span<const std::unique_ptr<ByteSource>> sources, uint64_t cols,
                       uint64_t row0, uint64_t n, std::span<std::byte> out) {
  const uint64_t row_bytes = TRY(formats::row_bytes(Format::kINT8, cols));
  const uint64_t scale_bytes = formats::info(Format::kINT8).block_bytes;
  const PartBytes scales = TRY(PartBytes::read(recipe.scales, sources));
  for (uint64_t i = 0; i < n; ++i) {
    const std::span<std::byte> row = out.subspan(static_cast<size_t>(i * row_bytes), static_cast<size_t>(row_bytes));
    const float scale = scale_at(scales.get(), recipe.scale_format, row0 + i);
    std::memcpy(row.data(), &scale, sizeof scale);
    const auto weights = row.subspan(static_cast<size_t>(scale_bytes), static_cast<size_t>(cols));
    TRY(sources[recipe.weights.source]->read(recipe.weights.offset + (row0 + i) * cols, weights));
    std::ranges::fill(row.subspan(static_cast<size_t>(scale_bytes + cols)), std::byte{0});
  }
  return {};
}

}  // namespace

Result<void> assemble_rows(const Recipe& recipe, std::span<const std::unique_ptr<ByteSource>> sources, uint64_t rows,
                           uint64_t cols, uint64_t row0, uint64_t n, std::span<std::byte> out) {
  if (recipe.kind == RecipeKind::kInt8) return int8_rows(recipe, sources, cols, row0, n, out);
  const PartBytes weights = TRY(PartBytes::read(recipe.weights, sources));
  const PartBytes zeros = TRY(PartBytes::read(recipe.zeros, sources));
  const PartBytes scales = TRY(PartBytes::read(recipe.scales, sources));
  const formats::AwqTensors tensors{weights.get(), zeros.get(), scales.get(), rows, cols};
  if (recipe.kind == RecipeKind::kAwqGemm) {
    formats::awq_rows_from_gemm(tensors, row0, n, out);
  } else {
    formats::awq_rows_from_gemv(tensors, row0, n, out);
  }
  return {};
}

}  // namespace tern::io
