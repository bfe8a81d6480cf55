#include "backends/webgpu/planes.h"

#include "base/half.h"
#include "formats/bytes.h"

namespace tern::backends::webgpu {

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
      return Family::kQ6;
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
      if (out.family == Family::kQ6) out.row_bytes = q6_high(out.padded) + (out.padded / 4 + 15) / 16 * 16;
      out.group = out.family == Family::kQ4m16 || out.family == Family::kQ6 ? 16 : 32;
      out.scale_bytes = out.family == Family::kQ4 || out.family == Family::kQ8 || out.family == Family::kQ6 ? 2 : 4;
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
    case Family::kQ6:
      return "w_q6";
    case Family::kQ8:
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

namespace {

/// The code of weight k in a row of `padded` weights, as a signed number.
int32_t code_of(Family family, const std::byte* row, uint32_t padded, uint32_t k) {
  const uint32_t pair = formats::load_u8(row + k / 32 * 16 + k % 16);
  const auto nibble = static_cast<int32_t>(k % 32 < 16 ? pair & 15 : pair >> 4);
  if (family == Family::kQ6) {
    const uint32_t high = formats::load_u8(row + q6_high(padded) + k / 32 * 8 + k % 32 / 16 * 4 + k % 4);
    return (nibble | static_cast<int32_t>(high >> k % 16 / 4 * 2 & 3) << 4) - 32;
  }
  if (is_nibbles(family)) return nibble - (family == Family::kQ4 ? 8 : 0);
  return formats::load_i8(row + k);
}

}  // namespace

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
      const auto value = static_cast<float>(code_of(layout.family, codes, layout.padded, k));
      out[k] = layout.family == Family::kQ4z ? scale * (value - minimum) : scale * value + minimum;
    }
  }
}

}  // namespace tern::backends::webgpu
