// What the kernels need of WebAssembly's SIMD128, but for Dot: the same four lanes as "scalar", which every engine
// executes as vectors, and so the same bits. Included by isa_wasm128.cc and isa_wasm_relaxed.cc.

constexpr int kLanes = 4;
constexpr int kTileRows = 4, kTileTokens = 2;

#include "backends/cpu/vector.inl"

/// Two roundings, as relaxed SIMD's fused product is fused on some machines only and results must not depend on it.
inline vf fma(vf a, vf b, vf c) {
  return a * b + c;
}
inline vi load_u8(const uint8_t* p) {
  const v128_t bytes = wasm_v128_load32_zero(p);
  return reinterpret_cast<vi>(wasm_u32x4_extend_low_u16x8(wasm_u16x8_extend_low_u8x16(bytes)));
}
inline vi load_i8(const uint8_t* p) {
  const v128_t bytes = wasm_v128_load32_zero(p);
  return reinterpret_cast<vi>(wasm_i32x4_extend_low_i16x8(wasm_i16x8_extend_low_i8x16(bytes)));
}
inline vi load_u16(const uint8_t* p) {
  return reinterpret_cast<vi>(wasm_u32x4_load16x4(p));
}
inline vf load_halves(const uint8_t* p) {
  return halves_to_float(load_u16(p));
}
inline void store_halves(uint16_t* p, vf v) {
  store_halves_by_truth(p, v);
}
inline float half_to_float(uint16_t h) {
  return halves_to_float(splat(int32_t{h}))[0];
}
using Nibbles = NibblesByArithmetic;

constexpr int kPanelTile = 4;    // tokens
constexpr int kPartsOfMany = 2;  // 8 integer sums of 16 registers; those of floats are used once per group
constexpr int kWideTile = 0;     // none
constexpr bool kTokenPairs = false, kShortRounds = true;

inline void store_low_bytes(uint8_t* p, vi v) {
  const v128_t low = wasm_v128_and(reinterpret_cast<v128_t>(v), wasm_i32x4_const_splat(255));
  const v128_t words = wasm_u16x8_narrow_i32x4(low, low);
  wasm_v128_store32_lane(p, wasm_u8x16_narrow_i16x8(words, words), 0);
}
inline const PanelKernel* bf16_kernel() {
  return nullptr;
}
inline double peak_bf16(uint32_t, float*) {
  return 0;
}
