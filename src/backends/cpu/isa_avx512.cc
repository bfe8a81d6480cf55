// AVX-512 F, BW, DQ, VL: servers since 2017, AMD since Zen 4. See CMake's tern_cpu_isas for the flags.
#ifdef __AVX512F__
#include <immintrin.h>

#include <utility>

#include "backends/cpu/kernels.h"

namespace tern::backends::cpu::avx512 {
namespace {

constexpr int kLanes = 16;
constexpr int kTileRows = 4, kTileTokens = 4;  // 16 sums, 4 x and 1 w of 32 registers

#include "backends/cpu/vector.inl"

inline vf fma(vf a, vf b, vf c) {
  return _mm512_fmadd_ps(a, b, c);
}
inline vf load_halves(const uint8_t* p) {
  const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_maskz_cvtph_ps(0xffff, halves);  // the unmasked one warns in GCC 12
}
inline float half_to_float(uint16_t h) {
  return _cvtsh_ss(h);
}

#include "backends/cpu/kernels.inl"

}  // namespace

extern const KernelTable kTable;
const KernelTable kTable = make_table("avx512");

}  // namespace tern::backends::cpu::avx512
#endif
