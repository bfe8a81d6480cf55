// AVX2 with FMA and F16C: x86-64 since 2013. See CMake's tern_cpu_isas for the flags.
#ifdef __AVX2__
#include <immintrin.h>

#include <utility>

#include "backends/cpu/kernels.h"

namespace tern::backends::cpu::avx2 {
namespace {

constexpr int kLanes = 8;
constexpr int kTileRows = 4, kTileTokens = 2;  // 8 sums, 2 x and 1 w of 16 registers

#include "backends/cpu/vector.inl"

inline vf fma(vf a, vf b, vf c) {
  return _mm256_fmadd_ps(a, b, c);
}
inline vf load_halves(const uint8_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline float half_to_float(uint16_t h) {
  return _cvtsh_ss(h);
}

#include "backends/cpu/kernels.inl"

}  // namespace

extern const KernelTable kTable;
const KernelTable kTable = make_table("avx2");

}  // namespace tern::backends::cpu::avx2
#endif
