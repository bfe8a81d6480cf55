#include "backends/webgpu/planes.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "base/half.h"
#include "formats/bytes.h"
#include "formats/k_scales.h"

namespace tern::backends::webgpu {

namespace {

Family family_of(Format format) {
  switch (format) {
    case Format::kF32:
      return Family::kF32;
    case Format::kF16:
      return Family::kF16;
    case Format::kBF16:
      return Family::kBf16;
    case Format::kQ4_0:
      return Family::kQ4;
    case Format::kQ4_1:
    case Format::kQ4_K:
      return Family::kQ4m;
    case Format::kAWQ:
      return Family::kQ4z;
    case Format::kQ2_K:
    case Format::kQ3_K:
      return Family::kQ4m16;
    case Format::kQ5_0:
    case Format::kQ8_0:
    case Format::kIQ4_NL:
    case Format::kIQ4_XS:
      return Family::kQ8;
    case Format::kQ6_K:
      return Family::kQ8x16;
    case Format::kQ5_1:
    case Format::kQ5_K:
      return Family::kQ8m;
    case Format::kMXFP4:
    case Format::kINT8:
      return Family::kQ8f;
  }
  ASSERT(false);
  return Family::kF32;
}

bool is_nibbles(Family family) {
  return family == Family::kQ4 || family == Family::kQ4z || family == Family::kQ4m || family == Family::kQ4m16;
}

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

void repack_quantised(const graph::Weight& weight, const PlaneLayout& layout, const std::byte* row,
                      std::vector<float>& values, std::vector<int32_t>& codes, std::byte* code_out,
                      std::byte* scale_out) {
  formats::decode_row(weight.format, row, std::span(values).first(layout.cols));
  for (uint32_t k = 0; k < layout.cols; k += layout.group) {
    const uint32_t n = std::min(layout.group, layout.cols - k);
    const Scale scale = scale_of(weight.format, row, k);
    codes_of(std::span(values).subspan(k, n), scale, layout.family, std::span(codes).subspan(k, n));
    pack_scale(layout, scale, scale_out + size_t{k / layout.group} * layout.scale_bytes);
  }
  pack_codes(layout.family, codes, code_out);
}

/// Rows of 16- and 32-bit floats are copied; other vectors are decoded.
void repack_floats(const graph::Weight& weight, const PlaneLayout& layout, const std::byte* row, uint64_t file_bytes,
                   std::byte* out) {
  if (layout.family == family_of(weight.format)) {
    std::memcpy(out, row, file_bytes);
    return;
  }
  std::vector<float> values(layout.cols);
  formats::decode_row(weight.format, row, values);
  std::memcpy(out, values.data(), values.size() * sizeof(float));
}

}  // namespace

PlaneLayout PlaneLayout::of(const graph::Weight& weight) {
  const bool is_vector = weight.rows == 1 || weight.cols == 1;
  PlaneLayout out;
  out.family = is_vector ? Family::kF32 : family_of(weight.format);
  out.rows = weight.rows;
  out.cols = weight.cols;
  out.padded = weight.cols == 1 ? 1 : (weight.cols + 31) / 32 * 32;
  switch (out.family) {
    case Family::kF32:
      out.row_bytes = out.padded * 4;
      break;
    case Family::kF16:
    case Family::kBf16:
      out.row_bytes = out.padded * 2;
      break;
    default:
      out.row_bytes = is_nibbles(out.family) ? out.padded / 2 : out.padded;
      out.group = out.family == Family::kQ4m16 || out.family == Family::kQ8x16 ? 16 : 32;
      out.scale_bytes = out.family == Family::kQ4 || out.family == Family::kQ8 || out.family == Family::kQ8x16 ? 2 : 4;
      out.row_scales = out.padded / out.group;
      if (out.scale_bytes == 2) out.row_scales += out.row_scales % 2;
  }
  const uint64_t codes = uint64_t{out.row_bytes} * out.rows;
  out.scales = (codes + 255) / 256 * 256;
  out.bytes = out.group == 0 ? codes : out.scales + uint64_t{out.row_scales} * out.scale_bytes * out.rows;
  out.bytes = (out.bytes + 15) / 16 * 16;  // kernels read vec4
  return out;
}

std::string_view family_file(Family family) {
  switch (family) {
    case Family::kQ4:
      return "w_q4";
    case Family::kQ4z:
      return "w_q4z";
    case Family::kQ4m:
    case Family::kQ4m16:
      return "w_q4m";
    case Family::kQ8:
    case Family::kQ8x16:
      return "w_q8";
    case Family::kQ8m:
      return "w_q8m";
    case Family::kQ8f:
      return "w_q8f";
    case Family::kF16:
      return "w_f16";
    case Family::kBf16:
      return "w_bf16";
    case Family::kF32:
      return "w_f32";
  }
  return "";
}

Result<PackedRows> repack(const graph::Weight& weight, std::span<const std::byte> rows) {
  const PlaneLayout layout = PlaneLayout::of(weight);
  const uint64_t file_bytes = TRY(formats::row_bytes(weight.format, weight.cols));
  if (file_bytes == 0 || rows.size() % file_bytes != 0) {
    return fail(ErrorCode::kInvalidArgument, "{} bytes are not whole rows of {} bytes.", rows.size(), file_bytes);
  }
  const size_t n = rows.size() / file_bytes;
  PackedRows out;
  out.codes.resize(n * layout.row_bytes);
  out.scales.resize(n * layout.row_scales * layout.scale_bytes);
  std::vector<float> values(layout.padded);
  std::vector<int32_t> codes(layout.padded);  // zero beyond the row
  for (size_t r = 0; r < n; ++r) {
    const std::byte* row = rows.data() + r * file_bytes;
    std::byte* code_out = out.codes.data() + r * layout.row_bytes;
    if (layout.group == 0) {
      repack_floats(weight, layout, row, file_bytes, code_out);
    } else {
      repack_quantised(weight, layout, row, values, codes, code_out,
                       out.scales.data() + r * layout.row_scales * layout.scale_bytes);
    }
  }
  return out;
}

void decode_planes(const PlaneLayout& layout, const PackedRows& packed, uint32_t row, std::span<float> out) {
  const std::byte* codes = packed.codes.data() + size_t{row} * layout.row_bytes;
  const std::byte* scales = packed.scales.data() + size_t{row} * layout.row_scales * layout.scale_bytes;
  for (uint32_t k = 0; k < out.size(); ++k) {
    if (layout.family == Family::kF32) {
      out[k] = formats::load<float>(codes + k * 4);
    } else if (layout.family == Family::kF16) {
      out[k] = formats::load_f16(codes + k * 2);
    } else if (layout.family == Family::kBf16) {
      out[k] = bf16_to_f32(formats::load<uint16_t>(codes + k * 2));
    } else {
      const std::byte* at = scales + size_t{k / layout.group} * layout.scale_bytes;
      const float scale = layout.family == Family::kQ8f ? formats::load<float>(at) : formats::load_f16(at);
      const bool has_minimum = layout.scale_bytes == 4 && layout.family != Family::kQ8f;
      const float minimum = has_minimum ? formats::load_f16(at + 2) : 0;
      const uint32_t pair = formats::load_u8(codes + k / 32 * 16 + k % 16);
      const auto nibble = static_cast<int32_t>(k % 32 < 16 ? pair & 15 : pair >> 4);
      const int32_t code =
          is_nibbles(layout.family) ? nibble - (layout.family == Family::kQ4 ? 8 : 0) : formats::load_i8(codes + k);
      const auto value = static_cast<float>(code);
      out[k] = layout.family == Family::kQ4z ? scale * (value - minimum) : scale * value + minimum;
    }
  }
}

}  // namespace tern::backends::webgpu
