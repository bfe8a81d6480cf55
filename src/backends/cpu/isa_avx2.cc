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

constexpr int kPanelTile = 4;  // tokens: 4 integer and 4 float sums of 16 registers
constexpr int kPartsOfMany = 1;
constexpr int kWideTile = 0;  // none
constexpr bool kTokenPairs = false, kShortRounds = false;

inline __m256i broadcast_4(const uint8_t* p) {
  int32_t v;
  __builtin_memcpy(&v, p, sizeof v);
  return _mm256_set1_epi32(v);
}
/// vpmaddubsw adds pairs of products of u8 and s8 in 16 bits. Codes of up to five bits as they are: a pair is below
/// 2 * 31 * 127. Codes of eight bits as |code - 128| times x with the sign of code - 128: below 2 * 128 * 127.
template <int kBits>
struct Dot {
  static constexpr bool kSigned = kBits == 8, kComplements = false;
  using Sum = __m256i;
  static Sum start(int32_t value) { return _mm256_set1_epi32(value); }
  static Sum step(Sum sum, vbytes codes, const uint8_t* x, int s) {
    __m256i w = reinterpret_cast<__m256i>(codes), four = broadcast_4(x + 4 * s);
    if constexpr (kSigned) {
      w = _mm256_xor_si256(w, _mm256_set1_epi8(-128));
      four = _mm256_sign_epi8(four, w);
      w = _mm256_abs_epi8(w);
    }
    const __m256i pairs = _mm256_maddubs_epi16(w, four);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  static vi finish(Sum sum, int32_t) { return reinterpret_cast<vi>(sum); }
};
/// Codes of four bits: the pairs of a whole group fit into 16 bits, 8 * 2 * 15 * 127.
template <>
struct Dot<4> {
  static constexpr bool kSigned = false, kComplements = false;
  using Sum = __m256i;
  static Sum start(int32_t) { return _mm256_setzero_si256(); }
  static Sum step(Sum sum, vbytes codes, const uint8_t* x, int s) {
    return _mm256_add_epi16(sum, _mm256_maddubs_epi16(reinterpret_cast<__m256i>(codes), broadcast_4(x + 4 * s)));
  }
  static vi finish(Sum sum, int32_t value) {
    return reinterpret_cast<vi>(
        _mm256_add_epi32(_mm256_madd_epi16(sum, _mm256_set1_epi16(1)), _mm256_set1_epi32(value)));
  }
};
inline vbytes lookup(vbytes codes, const uint8_t* table) {
  const __m256i values = _mm256_broadcastsi128_si256(load_16(table));
  return reinterpret_cast<vbytes>(_mm256_shuffle_epi8(values, reinterpret_cast<__m256i>(codes)));
}
inline void store_low_bytes(uint8_t* p, vi v) {
  const __m256i words = _mm256_packs_epi32(reinterpret_cast<__m256i>(v), _mm256_setzero_si256());
  const __m256i bytes = _mm256_packs_epi16(words, _mm256_setzero_si256());
  const int32_t low = _mm256_extract_epi32(bytes, 0), high = _mm256_extract_epi32(bytes, 4);
  __builtin_memcpy(p, &low, 4);
  __builtin_memcpy(p + 4, &high, 4);
}
inline const PanelKernel* bf16_kernel() {
  return nullptr;
}
inline double peak_bf16(uint32_t, float*) {
  return 0;
}

#include "backends/cpu/kernels.inl"

}  // namespace

extern const KernelTable kTable;
const KernelTable kTable = make_table("avx2");

}  // namespace tern::backends::cpu::avx2
#endif
