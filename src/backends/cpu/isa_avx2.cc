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
inline __m128i load_8(const uint8_t* p) {
  return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
}
inline __m128i load_16(const uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
inline vi load_u8(const uint8_t* p) {
  return reinterpret_cast<vi>(_mm256_cvtepu8_epi32(load_8(p)));
}
inline vi load_i8(const uint8_t* p) {
  return reinterpret_cast<vi>(_mm256_cvtepi8_epi32(load_8(p)));
}
inline vi load_u16(const uint8_t* p) {
  return reinterpret_cast<vi>(_mm256_cvtepu16_epi32(load_16(p)));
}
inline vf load_halves(const uint8_t* p) {
  return _mm256_cvtph_ps(load_16(p));
}
inline void store_halves(uint16_t* p, vf v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}
inline float half_to_float(uint16_t h) {
  return _cvtsh_ss(h);
}
using Nibbles = NibblesByArithmetic;

#include "backends/cpu/kernels.inl"

}  // namespace

extern const KernelTable kTable;
const KernelTable kTable = make_table("avx2");

}  // namespace tern::backends::cpu::avx2
#endif
