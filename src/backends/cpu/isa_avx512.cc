// AVX-512 F, BW, DQ, VL, VNNI: Intel's servers since 2019, AMD since Zen 4. Products of bf16 where the CPU has them.
// See CMake's tern_cpu_isas for the flags.
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
// With a mask of all lanes, as the forms without one warn in GCC 12.
inline __m128i load_16(const uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
inline __m256i load_32(const uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline vi load_u8(const uint8_t* p) {
  return reinterpret_cast<vi>(_mm512_maskz_cvtepu8_epi32(0xffff, load_16(p)));
}
inline vi load_i8(const uint8_t* p) {
  return reinterpret_cast<vi>(_mm512_maskz_cvtepi8_epi32(0xffff, load_16(p)));
}
inline vi load_u16(const uint8_t* p) {
  return reinterpret_cast<vi>(_mm512_maskz_cvtepu16_epi32(0xffff, load_32(p)));
}
inline vf load_halves(const uint8_t* p) {
  return _mm512_maskz_cvtph_ps(0xffff, load_32(p));
}
inline void store_halves(uint16_t* p, vf v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_maskz_cvtps_ph(0xffff, v, _MM_FROUND_TO_NEAREST_INT));
}
inline float half_to_float(uint16_t h) {
  return _cvtsh_ss(h);
}

/// s (q - bias) - m of codes q = 0..15, from a table of all sixteen; bits above these four do not count.
struct Nibbles {
  vf table;
  Nibbles(vf s, int bias, vf m)
      : table(s * (to_float(vi{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} - bias)) - m) {}
  vf operator()(vi codes) const { return _mm512_maskz_permutexvar_ps(0xffff, reinterpret_cast<__m512i>(codes), table); }
};

constexpr int kPanelTile = 12;  // tokens: 12 integer and 12 float sums of 32 registers
constexpr int kPartsOfMany = 1;
constexpr int kWideTile = 6;  // of two panels: as many sums
constexpr bool kTokenPairs = false, kShortRounds = false;

template <int kBits>
struct Dot {
  static constexpr bool kSigned = false, kComplements = false;
  using Sum = vi;
  static Sum start(int32_t value) { return splat(value); }
  static Sum step(Sum sum, vbytes codes, const uint8_t* x, int s) {
    int32_t four;
    __builtin_memcpy(&four, x + 4 * s, sizeof four);
    return reinterpret_cast<vi>(
        _mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum), reinterpret_cast<__m512i>(codes), _mm512_set1_epi32(four)));
  }
  static vi finish(Sum sum, int32_t) { return sum; }
};
inline vbytes lookup(vbytes codes, const uint8_t* table) {
  const __m512i values = _mm512_maskz_broadcast_i32x4(0xffff, load_16(table));
  return reinterpret_cast<vbytes>(_mm512_shuffle_epi8(values, reinterpret_cast<__m512i>(codes)));
}
inline void store_low_bytes(uint8_t* p, vi v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_maskz_cvtepi32_epi8(0xffff, reinterpret_cast<__m512i>(v)));
}

// clang-format off: in this order
#include "backends/cpu/panel_bf16.inl"
#include "backends/cpu/kernels.inl"
// clang-format on

}  // namespace

extern const KernelTable kTable;
const KernelTable kTable = make_table("avx512");

}  // namespace tern::backends::cpu::avx512
#endif
