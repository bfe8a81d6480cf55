#include "backends/host/kv_layout.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/half.h"

namespace tern::backends {

namespace {

/// One block of q8_0: an f16 scale, then 32 codes.
void store_q8_0(std::span<const float> in, std::byte* out) {
  float largest = 0;
  for (const float x : in) largest = std::max(largest, std::abs(x));
  const uint16_t scale = f32_to_f16(largest / 127);
  const float inverse = largest > 0 ? 127 / largest : 0;
  std::memcpy(out, &scale, sizeof scale);
  for (size_t i = 0; i < in.size(); ++i) {
    const float code = std::round(in[i] * inverse);
    out[2 + i] = static_cast<std::byte>(static_cast<int8_t>(std::abs(code) <= 127 ? code : 0));
  }
}

}  // namespace

Result<KvLayout> KvLayout::make(const graph::Plan& plan) {
  KvLayout out;
  switch (plan.key.kv_format) {
    case graph::KvFormat::kF32:
      out.format = Format::kF32;
      break;
    case graph::KvFormat::kF16:
      out.format = Format::kF16;
      break;
    case graph::KvFormat::kQ8_0:
      out.format = Format::kQ8_0;
      break;
  }
  out.n_kv_heads = plan.n_kv_heads;
  out.page_tokens = plan.key.page_tokens;
  out.head_dim = plan.head_dim;
  const uint32_t block = formats::info(out.format).block;
  if (plan.n_layers > 0 && out.head_dim % block != 0) {
    return fail(ErrorCode::kUnsupported,
                "A {} cache needs heads whose size is a multiple of {}; this model's have {}. Use an f16 cache.",
                formats::info(out.format).name, block, out.head_dim);
  }
  out.row_bytes = out.head_dim / block * formats::info(out.format).block_bytes;
  out.page_bytes = out.row_bytes * out.n_kv_heads * out.page_tokens;
  return out;
}

void KvLayout::store(std::span<const float> in, std::byte* out) const {
  switch (format) {
    case Format::kF16:
      for (size_t i = 0; i < in.size(); ++i) {
        const uint16_t half = f32_to_f16(in[i]);
        std::memcpy(out + 2 * i, &half, sizeof half);
      }
      return;
    case Format::kQ8_0:
      for (size_t i = 0; i < in.size(); i += 32) store_q8_0(in.subspan(i, 32), out + i / 32 * 34);
      return;
    default:
      std::memcpy(out, in.data(), in.size_bytes());
  }
}

}  // namespace tern::backends
