// Q8_0: 32 weights in 34 bytes, 8.5 bits per weight. Source: GGUF specification, tensor type 8 (ggml block_q8_0).
//   0  d   f16     scale
//   2  qs  32 x i8 byte i: weight i
// w = d * q: one product of two floats, so there is only one order.
#pragma once

#include "formats/format_concept.h"
#include "formats/nibbles.h"

namespace tern::formats::types {

struct Q8_0 {
  static constexpr FormatInfo kInfo{Format::kQ8_0, "q8_0", 32, 34};
  static constexpr float kMaxMagnitude = kMaxF16;

  static void decode_block(const std::byte* block, float* out) {
    const float d = load_f16(block);
    for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(load_i8(block + 2 + i));
  }

  /// As ggml's reference: d = largest magnitude / 127, q = w / d rounded to nearest with ties away from zero, with the
  /// d that is not yet rounded to f16.
  static void encode_block(const float* in, std::byte* block) {
    const float d = std::fabs(signed_extreme(in)) / 127.0f;
    const float inverse = inverse_or_zero(d);
    for (int i = 0; i < 32; ++i) {
      const auto magnitude = static_cast<int32_t>(truncated(std::fabs(in[i]) * inverse + 0.5f, 0, 127));
      store(block + 2 + i, static_cast<int8_t>(in[i] < 0 ? -magnitude : magnitude));
    }
    store_f16(block, d);
  }

  static void random_block(Random& random, float stddev, std::byte* block) {
    store_f16(block, stddev / 73.9f);  // the root mean square of -128..127
    random.fill(block + 2, 32);
  }
};
static_assert(BlockFormat<Q8_0> && Encodable<Q8_0>);

}  // namespace tern::formats::types
