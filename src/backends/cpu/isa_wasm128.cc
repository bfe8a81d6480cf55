// SIMD128 of WebAssembly: the same four lanes as "scalar", which every engine executes as vectors.
#ifdef __wasm_simd128__
#include <wasm_simd128.h>

#include <utility>

#include "backends/cpu/kernels.h"

namespace tern::backends::cpu::wasm128 {
namespace {

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
#include "backends/cpu/panel_portable.inl"
using Nibbles = NibblesByArithmetic;

#include "backends/cpu/kernels.inl"

}  // namespace

extern const KernelTable kTable;
const KernelTable kTable = make_table("wasm128");

}  // namespace tern::backends::cpu::wasm128
#endif
