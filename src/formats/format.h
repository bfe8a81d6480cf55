// Weight formats: one header per format in types/ says how a row of weights lies in bytes and decodes it; that scalar
// decode is the truth everything else (SIMD kernels, WGSL, requantising) is tested against.
//
// A weight matrix is [rows, cols], row-major; a row is row_bytes(format, cols) bytes: cols / block blocks of
// block_bytes. Formats whose scale covers the whole row (INT8) have block == 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"

namespace tern {

/// Values below 0x100 are GGUF's type ids, so that the reader needs no table.
enum class Format : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kIQ4_NL = 20,
  kIQ4_XS = 23,
  kBF16 = 30,
  kMXFP4 = 39,
  kAWQ = 0x100,   // AutoAWQ int4 g128, transposed at load into blocks of 128 along a row
  kINT8 = 0x101,  // int8 with one f32 scale per output channel (row)
};

struct FormatInfo {
  Format id;
  std::string_view name;  // as users write it: "q4_k"
  uint32_t block;         // weights per block along a row; 0 = one block spans the row
  uint32_t block_bytes;   // for block == 0: bytes before the row's weights (the scale)
};

namespace formats {

/// nullptr when `id` is no format of ours.
const FormatInfo* find(uint32_t id);
const FormatInfo& info(Format format);
/// Case-insensitive: "q4_0", "Q4_K".
std::optional<Format> from_name(std::string_view name);
std::span<const FormatInfo> all();

/// Bytes of one row of `cols` weights. Errors: kInvalidFile when cols is not a multiple of the block.
Result<uint64_t> row_bytes(Format format, uint64_t cols);

/// Decodes one row. row: row_bytes(format, out.size()) bytes; out: [cols], cols a multiple of the block.
void decode_row(Format format, const std::byte* row, std::span<float> out);

/// Encodes one row. in: [cols], cols a multiple of the block; out: row_bytes(format, in.size()). Errors: kUnsupported
/// for formats that are only read; kInvalidArgument for a weight that is NaN or larger than the format can hold.
Result<void> encode_row(Format format, std::span<const float> in, std::byte* out);
bool can_encode(Format format);

/// A valid row of random weights of mean zero and about the given standard deviation, in every format; the same bytes
/// for the same seed. cols: a multiple of the block; stddev: 1e-3 .. 1e2 keeps every f16 scale in range; out:
/// row_bytes(format, cols).
void random_row(Format format, uint64_t seed, float stddev, uint64_t cols, std::byte* out);

}  // namespace formats
}  // namespace tern
