// Advanced SIMD as every AArch64 CPU has it. int8 products are added up in 16 bits.
#ifdef __aarch64__
#include <arm_neon.h>

#include <utility>

#include "backends/cpu/kernels.h"

namespace tern::backends::cpu::neon {
namespace {

#include "backends/cpu/neon.inl"

constexpr int kPanelTile = 4;  // tokens: 8 integer and 4 float sums of 32 registers
constexpr bool kTokenPairs = false;

/// The same four activations for each of four rows.
inline int8x16_t broadcast_4(const uint8_t* x) {
  int32_t four;
  __builtin_memcpy(&four, x, sizeof four);
  return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

/// Products of a whole group fit into 16 bits: 8 * 31 * 127 of codes of up to five bits, 4 * 63 * 127 of codes of six,
/// whose groups have 16 columns.
template <int kBits>
struct Dot {
  static constexpr bool kSigned = false, kComplements = false;
  struct Sum {
    int16x8_t low, high;  // four columns each of rows 0 and 1, of rows 2 and 3
  };
  static Sum start(int32_t) { return {vdupq_n_s16(0), vdupq_n_s16(0)}; }
  static Sum step(Sum sum, vbytes codes, const uint8_t* x, int s) {
    const auto w = reinterpret_cast<int8x16_t>(codes), four = broadcast_4(x + 4 * s);
    return {vmlal_s8(sum.low, vget_low_s8(w), vget_low_s8(four)), vmlal_high_s8(sum.high, w, four)};
  }
  static vi finish(Sum sum, int32_t value) {
    return vpaddq_s32(vpaddlq_s16(sum.low), vpaddlq_s16(sum.high)) + splat(value);
  }
};
/// Two products of code - 128 fit into 16 bits: 2 * 128 * 127. So every other step adds to 32.
template <>
struct Dot<8> {
  static constexpr bool kSigned = true, kComplements = false;
  struct Sum {
    int32x4_t low, high;          // two sums each of rows 0 and 1, of rows 2 and 3
    int16x8_t low_two, high_two;  // of the step before, when that one is even
  };
  static Sum start(int32_t) { return {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s16(0), vdupq_n_s16(0)}; }
  static Sum step(Sum sum, vbytes codes, const uint8_t* x, int s) {
    const int8x16_t w = vreinterpretq_s8_u8(veorq_u8(codes, vdupq_n_u8(128))), four = broadcast_4(x + 4 * s);
    if (s % 2 == 0) {
      sum.low_two = vmull_s8(vget_low_s8(w), vget_low_s8(four));
      sum.high_two = vmull_high_s8(w, four);
      return sum;
    }
    sum.low = vpadalq_s16(sum.low, vmlal_s8(sum.low_two, vget_low_s8(w), vget_low_s8(four)));
    sum.high = vpadalq_s16(sum.high, vmlal_high_s8(sum.high_two, w, four));
    return sum;
  }
  static vi finish(Sum sum, int32_t value) { return vpaddq_s32(sum.low, sum.high) + splat(value); }
};

#include "backends/cpu/kernels.inl"

}  // namespace

extern const KernelTable kTable;
const KernelTable kTable = make_table("neon");

}  // namespace tern::backends::cpu::neon
#endif
