// Advanced SIMD with the int8 matrix products of ARMv8.6 (usmmla) and its mixed dot product (usdot): Neoverse V1 and
// N2, Apple M2 and later. See CMake's tern_cpu_isas for the flags.
#ifdef __ARM_FEATURE_MATMUL_INT8
#include <arm_neon.h>

#include <utility>

#include "backends/cpu/kernels.h"

namespace tern::backends::cpu::i8mm {
namespace {

#include "backends/cpu/neon.inl"

constexpr int kPanelTile = 12;  // tokens: 12 integer and 12 float sums of 32 registers
constexpr bool kTokenPairs = true;

/// Of unsigned codes, as they are, and signed activations.
template <int kBits>
struct Dot {
  static constexpr bool kSigned = false, kComplements = false;
  using Sum = int32x4_t;
  static Sum start(int32_t value) { return vdupq_n_s32(value); }
  static Sum step(Sum sum, vbytes codes, const uint8_t* x, int s) {
    const int8x16_t sixteen = vld1q_s8(reinterpret_cast<const int8_t*>(x) + 16 * (s / 4));
    switch (s % 4) {  // s is known when the loop is unrolled
      case 0:
        return vusdotq_laneq_s32(sum, codes, sixteen, 0);
      case 1:
        return vusdotq_laneq_s32(sum, codes, sixteen, 1);
      case 2:
        return vusdotq_laneq_s32(sum, codes, sixteen, 2);
      default:
        return vusdotq_laneq_s32(sum, codes, sixteen, 3);
    }
  }
  static vi finish(Sum sum, int32_t) { return sum; }
  /// Two rows x two tokens, eight columns of each (panel_pairs.inl).
  static Sum pair_step(Sum sum, vbytes rows, vbytes tokens) {
    return vusmmlaq_s32(sum, rows, vreinterpretq_s8_u8(tokens));
  }
};

// clang-format off: in this order
#include "backends/cpu/kernels.inl"
#include "backends/cpu/panel_pairs.inl"
// clang-format on

}  // namespace

extern const KernelTable kTable;
const KernelTable kTable = make_table("i8mm");

}  // namespace tern::backends::cpu::i8mm
#endif
