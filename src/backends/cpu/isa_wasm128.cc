// SIMD128 of WebAssembly.
#ifdef __wasm_simd128__
#include <wasm_simd128.h>

#include <utility>

#include "backends/cpu/kernels.h"

namespace tern::backends::cpu::wasm128 {
namespace {

#include "backends/cpu/wasm.inl"

/// Products of 16 bits, the even and the odd columns by themselves: so a row's sums stay in its lane, and codes need no
/// more than a mask and a shift.
template <int kBits>
struct Dot {
  static constexpr bool kSigned = false, kComplements = false;
  using Sum = v128_t;
  static Sum start(int32_t value) { return wasm_i32x4_splat(value); }
  static Sum step(Sum sum, vbytes codes, const uint8_t* x, int s) {
    const v128_t w = reinterpret_cast<v128_t>(codes), four = wasm_v128_load32_splat(x + 4 * s);
    const v128_t even = wasm_i16x8_shr(wasm_i16x8_shl(four, 8), 8), odd = wasm_i16x8_shr(four, 8);
    sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(wasm_v128_and(w, wasm_i16x8_const_splat(255)), even));
    return wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(wasm_u16x8_shr(w, 8), odd));
  }
  static vi finish(Sum sum, int32_t) { return reinterpret_cast<vi>(sum); }
};
inline vbytes lookup(vbytes codes, const uint8_t* table) {
  return reinterpret_cast<vbytes>(wasm_i8x16_swizzle(wasm_v128_load(table), reinterpret_cast<v128_t>(codes)));
}

#include "backends/cpu/kernels.inl"

}  // namespace

extern const KernelTable kTable;
const KernelTable kTable = make_table("wasm128");

}  // namespace tern::backends::cpu::wasm128
#endif
