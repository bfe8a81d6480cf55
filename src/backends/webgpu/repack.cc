#include "backends/webgpu/repack.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "backends/webgpu/repack_blocks.h"
#include "formats/bytes.h"
#include "formats/k_scales.h"

namespace tern::backends::webgpu {

namespace {

/// value = scale * code + minimum, `code` being what the family stores (less 8 for q4).
struct Scale {
  float scale = 0, minimum = 0;
  float zero = 0;  // of q4z, whose minimum is -scale * zero
};

/// The scale of the weights [k, k + group) of an encoded row, in the words of the file's format (formats/types/).
Scale scale_of(Format format, const std::byte* row, uint32_t k) {
  using formats::load_f16, formats::load_i8, formats::load_u8;
  const FormatInfo& info = formats::info(format);
  const std::byte* block = info.block == 0 ? row : row + size_t{k / info.block} * info.block_bytes;
  const int j32 = static_cast<int>(k % 256 / 32), j16 = static_cast<int>(k % 256 / 16);
  const auto scaled = [&](size_t at, uint32_t by) { return load_f16(block + at) * static_cast<float>(by); };
  switch (format) {
    case Format::kQ4_1:
    case Format::kQ5_1:
      return {load_f16(block), load_f16(block + 2)};
    case Format::kQ4_K:
    case Format::kQ5_K: {
      const formats::KScale scale = formats::load_k_scale(block + 4, j32);
      return {scaled(0, scale.scale), -scaled(2, scale.min)};
    }
    case Format::kAWQ:
      return {load_f16(block), -scaled(0, load_u8(block + 2)), static_cast<float>(load_u8(block + 2))};
    case Format::kQ2_K:
      return {scaled(80, load_u8(block + j16) & 15), -scaled(82, load_u8(block + j16) >> 4)};
    case Format::kQ3_K: {
      const uint32_t low = load_u8(block + 96 + j16 % 8) >> 4 * (j16 / 8) & 15;
      const uint32_t high = load_u8(block + 104 + j16 % 4) >> 2 * (j16 / 4) & 3;
      const float scale = load_f16(block + 108) * (static_cast<float>(low | high << 4) - 32);
      return {scale, -4 * scale};
    }
    case Format::kQ6_K:
      return {load_f16(block + 208) * static_cast<float>(load_i8(block + 192 + j16)), 0};
    case Format::kIQ4_XS: {
      const uint32_t low = load_u8(block + 4 + j32 / 2) >> 4 * (j32 % 2) & 15;
      const uint32_t high = static_cast<uint32_t>(formats::load<uint16_t>(block + 2)) >> 2 * j32 & 3;
      return {load_f16(block) * (static_cast<float>(low | high << 4) - 32), 0};
    }
    case Format::kMXFP4: {
      const uint32_t e = load_u8(block);
      return {std::bit_cast<float>(e < 2 ? 0x00200000u << e : (e - 1) << 23), 0};
    }
    case Format::kINT8:
      return {formats::load<float>(row), 0};
    default:  // Q4_0, Q5_0, Q8_0, IQ4_NL
      return {load_f16(block), 0};
  }
}

/// Codes of one group, from its values: exact, because a value is scale * code + minimum with an error far below half a
/// scale. (A minimum that dwarfs the scale loses codes that the values had lost already.)
void codes_of(std::span<const float> values, const Scale& scale, Family family, std::span<int32_t> codes) {
  const float inverse = scale.scale != 0 && std::isfinite(1 / scale.scale) ? 1 / scale.scale : 0;
  const int32_t bias = family == Family::kQ4 ? 8 : 0;
  const int32_t low = is_nibbles(family) ? -bias : -128, high = is_nibbles(family) ? 15 - bias : 127;
  for (size_t i = 0; i < values.size(); ++i) {
    codes[i] = formats::nearest((values[i] - scale.minimum) * inverse, low, high) + bias;
  }
}

void pack_codes(Family family, std::span<const int32_t> codes, std::byte* out) {
  for (size_t i = 0; i < codes.size(); ++i) {
    if (!is_nibbles(family)) {
      formats::store(out + i, static_cast<int8_t>(codes[i]));
    } else if (i % 32 < 16) {
      formats::store_u8(out + i / 32 * 16 + i % 16, static_cast<uint32_t>(codes[i] | codes[i + 16] << 4));
    }
  }
}

void pack_scale(const PlaneLayout& layout, const Scale& scale, std::byte* out) {
  if (layout.family == Family::kQ8f) {
    formats::store(out, scale.scale);
    return;
  }
  formats::store_f16(out, scale.scale);
  if (layout.scale_bytes == 4) formats::store_f16(out + 2, layout.family == Family::kQ4z ? scale.zero : scale.minimum);
}

/// Over the values: for formats whose codes are found in tables or lie across blocks.
void repack_values(const graph::Weight& weight, const PlaneLayout& layout, const std::byte* row,
                   std::vector<float>& values, std::vector<int32_t>& codes, std::byte* code_out, std::byte* scale_out) {
  formats::decode_row(weight.format, row, std::span(values).first(layout.cols));
  for (uint32_t k = 0; k < layout.cols; k += layout.group) {
    const uint32_t n = std::min(layout.group, layout.cols - k);
    const Scale scale = scale_of(weight.format, row, k);
    codes_of(std::span(values).subspan(k, n), scale, layout.family, std::span(codes).subspan(k, n));
    pack_scale(layout, scale, scale_out + size_t{k / layout.group} * layout.scale_bytes);
  }
  pack_codes(layout.family, codes, code_out);
}

/// Rows of 16- and 32-bit floats are copied; other vectors are decoded. Zeros beyond the row.
void repack_floats(const graph::Weight& weight, const PlaneLayout& layout, const std::byte* row, uint64_t file_bytes,
                   std::byte* out) {
  const bool is_same = layout.family == family_of(weight.format);
  const size_t bytes = is_same ? file_bytes : layout.cols * sizeof(float);
  if (is_same) {
    std::memcpy(out, row, bytes);
  } else {
    std::vector<float> values(layout.cols);
    formats::decode_row(weight.format, row, values);
    std::memcpy(out, values.data(), bytes);
  }
  std::memset(out + bytes, 0, layout.row_bytes - bytes);
}

}  // namespace

void repack_rows(const graph::Weight& weight, const PlaneLayout& layout, const std::byte* rows, size_t n,
                 std::byte* codes, std::byte* scales) {
  const uint64_t file_bytes = formats::row_bytes(weight.format, weight.cols).value_or(0);
  const size_t scale_bytes = size_t{layout.row_scales} * layout.scale_bytes;
  const RepackRow direct = layout.group == 0 ? nullptr : block_repack(weight.format);
  std::vector<float> values(layout.group == 0 || direct ? 0 : layout.padded);
  std::vector<int32_t> numbers(values.size());  // zero beyond the row
  const size_t used = layout.group == 0 ? 0 : (layout.cols + layout.group - 1) / layout.group * layout.scale_bytes;
  for (size_t r = 0; r < n; ++r, rows += file_bytes, codes += layout.row_bytes, scales += scale_bytes) {
    if (layout.group == 0) {
      repack_floats(weight, layout, rows, file_bytes, codes);
    } else if (direct) {
      direct(rows, layout.cols, codes, scales);
    } else {
      repack_values(weight, layout, rows, values, numbers, codes, scales);
    }
    if (used < scale_bytes) std::memset(scales + used, 0, scale_bytes - used);
  }
}

Result<uint64_t> whole_rows(const graph::Weight& weight, std::span<const std::byte> rows) {
  const uint64_t file_bytes = TRY(formats::row_bytes(weight.format, weight.cols));
  if (file_bytes != 0 && rows.size() % file_bytes == 0) return rows.size() / file_bytes;
  return fail(ErrorCode::kInvalidArgument, "{} bytes are not whole rows of {} bytes.", rows.size(), file_bytes);
}

Result<PackedRows> repack(const graph::Weight& weight, std::span<const std::byte> rows) {
  const PlaneLayout layout = PlaneLayout::of(weight);
  const uint64_t n = TRY(whole_rows(weight, rows));
  PackedRows out;
  out.codes.resize(n * layout.row_bytes);
  out.scales.resize(n * layout.row_scales * layout.scale_bytes);
  repack_rows(weight, layout, rows.data(), n, out.codes.data(), out.scales.data());
  return out;
}

}  // namespace tern::backends::webgpu
