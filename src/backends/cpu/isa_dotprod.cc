// Advanced SIMD with the dot products of ARMv8.2 (sdot): Cortex-A75, Neoverse N1, Apple A13 and later. See CMake's
// tern_cpu_isas for the flags.
#ifdef __ARM_FEATURE_DOTPROD
#include <arm_neon.h>

#include <utility>

#include "backends/cpu/kernels.h"

namespace tern::backends::cpu::dotprod {
namespace {

#include "backends/cpu/neon.inl"

constexpr int kPanelTile = 8;  // tokens: 8 integer and 8 float sums, 8 times 16 activations of 32 registers
constexpr bool kTokenPairs = false;

/// sdot multiplies with one lane of a vector, so 16 activations are loaded once for four steps, and nothing is
/// broadcast.
template <int kBits>
struct Dot {
  static constexpr bool kSigned = kBits == 8, kComplements = false;
  using Sum = int32x4_t;
  static Sum start(int32_t value) { return vdupq_n_s32(value); }
  static Sum step(Sum sum, vbytes codes, const uint8_t* x, int s) {
    if constexpr (kSigned) codes = veorq_u8(codes, vdupq_n_u8(128));
    const auto w = reinterpret_cast<int8x16_t>(codes);
    const int8x16_t sixteen = vld1q_s8(reinterpret_cast<const int8_t*>(x) + 16 * (s / 4));
    switch (s % 4) {  // s is known when the loop is unrolled
      case 0:
        return vdotq_laneq_s32(sum, w, sixteen, 0);
      case 1:
        return vdotq_laneq_s32(sum, w, sixteen, 1);
      case 2:
        return vdotq_laneq_s32(sum, w, sixteen, 2);
      default:
        return vdotq_laneq_s32(sum, w, sixteen, 3);
    }
  }
  static vi finish(Sum sum, int32_t) { return sum; }
};

#include "backends/cpu/kernels.inl"

}  // namespace

extern const KernelTable kTable;
const KernelTable kTable = make_table("dotprod");

}  // namespace tern::backends::cpu::dotprod
#endif
