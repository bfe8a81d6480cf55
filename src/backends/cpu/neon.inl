// Advanced SIMD of AArch64: what its variants share (isa_neon.cc, isa_dotprod.cc, isa_i8mm.cc). Included inside the
// instruction set's anonymous namespace, after <arm_neon.h>. Everything here is in ARMv8.0, f16 conversions too.

constexpr int kLanes = 4;
constexpr int kTileRows = 4, kTileTokens = 4;  // 16 sums, 4 x and 1 w of 32 registers

#include "backends/cpu/vector.inl"

inline vf fma(vf a, vf b, vf c) {
  return vfmaq_f32(c, a, b);
}
inline uint16x8_t load_bytes_as_words(const uint8_t* p) {
  uint32_t four;
  __builtin_memcpy(&four, p, sizeof four);
  return vmovl_u8(vcreate_u8(four));
}
inline vi load_u8(const uint8_t* p) {
  return reinterpret_cast<vi>(vmovl_u16(vget_low_u16(load_bytes_as_words(p))));
}
inline vi load_i8(const uint8_t* p) {
  uint32_t four;
  __builtin_memcpy(&four, p, sizeof four);
  return vmovl_s16(vget_low_s16(vmovl_s8(vcreate_s8(four))));
}
inline uint16x4_t load_4_words(const uint8_t* p) {
  uint16x4_t v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
inline vi load_u16(const uint8_t* p) {
  return reinterpret_cast<vi>(vmovl_u16(load_4_words(p)));
}
inline vf load_halves(const uint8_t* p) {
  return vcvt_f32_f16(vreinterpret_f16_u16(load_4_words(p)));
}
inline void store_halves(uint16_t* p, vf v) {
  const float16x4_t halves = vcvt_f16_f32(v);
  __builtin_memcpy(p, &halves, sizeof halves);
}
inline float half_to_float(uint16_t h) {
  return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(h))), 0);
}
using Nibbles = NibblesByArithmetic;

constexpr int kPartsOfMany = 1;
constexpr int kWideTile = 0;  // none
constexpr bool kShortRounds = false;

inline vbytes lookup(vbytes codes, const uint8_t* table) {
  return vqtbl1q_u8(vld1q_u8(table), codes);
}
inline void store_low_bytes(uint8_t* p, vi v) {
  const int16x4_t words = vmovn_s32(v);
  const int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
  __builtin_memcpy(p, &bytes, kLanes);
}
inline const PanelKernel* bf16_kernel() {
  return nullptr;
}
inline double peak_bf16(uint32_t, float*) {
  return 0;
}
