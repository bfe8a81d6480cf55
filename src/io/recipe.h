// Recipes: how rows of Tern's layout are assembled from checkpoints that store a matrix in several tensors (AWQ) or
// keep the scales elsewhere (int8 per channel). WeightIndex::read_rows() follows them, so that nobody else has to know.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "formats/format.h"
#include "io/byte_source.h"

namespace tern::io {

/// Where one stored tensor lies.
struct Part {
  uint32_t source = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
};

enum class RecipeKind : uint8_t {
  kAwqGemm,  // weights i32 [in, out/8], zeros i32 [in/128, out/8], scales f16 [in/128, out]
  kAwqGemv,  // weights i32 [out, in/8], zeros i32 [out, z], scales f16 [out, 8z], z = ceil(in/128/8)
  kInt8,     // weights i8 [out, in], scales [out] in scale_format (F32, F16 or BF16)
};

struct Recipe {
  RecipeKind kind = RecipeKind::kAwqGemm;
  Part weights, zeros, scales;
  Format scale_format = Format::kF16;
};

/// Rows [row0, row0 + n) of the matrix {rows, cols} in the row layout of Format::kAWQ or kINT8.
/// The reader that made the recipe has checked the lengths of its parts against rows and cols.
/// Errors: those of ByteSource::read.
Result<void> assemble_rows(const Recipe& recipe, std::span<const std::unique_ptr<ByteSource>> sources, uint64_t rows,
                           uint64_t cols, uint64_t row0, uint64_t n, std::span<std::byte> out);

}  // namespace tern::io
