// Relaxed SIMD of WebAssembly: products of four int8 and four codes of seven bits in one instruction where the machine
// has one (vpdpbusd, sdot). A module with such instructions is refused as a whole by engines that do not know them, so
// this file is linked into modules of its own (src/apps/wasm/CMakeLists.txt).
//
// What "relaxed" leaves open is never asked for: the second operand of the dot product stays within 0..127, and sums of
// two products then fit into 16 bits. So all engines give the same bits, those of "scalar".
#ifdef __wasm_relaxed_simd__
#include <wasm_simd128.h>

#include <utility>

#include "backends/cpu/kernels.h"

namespace tern::backends::cpu::wasm_relaxed {
namespace {

#include "backends/cpu/wasm.inl"

template <int kBits>
struct Dot {
  static_assert(kBits < 8);
  static constexpr bool kSigned = false, kComplements = false;
  using Sum = v128_t;
  static Sum start(int32_t value) { return wasm_i32x4_splat(value); }
  static Sum step(Sum sum, vbytes codes, const uint8_t* x, int s) {
    return wasm_i32x4_relaxed_dot_i8x16_i7x16_add(wasm_v128_load32_splat(x + 4 * s), reinterpret_cast<v128_t>(codes),
                                                  sum);
  }
  static vi finish(Sum sum, int32_t) { return reinterpret_cast<vi>(sum); }
};
/// Codes of eight bits, w = code - 128: |x| is the operand of seven bits (x >= -127), w that of eight, complemented
/// where x is negative. ~w = -w - 1, so that such products lack |x|: kComplements, see quantize.inl.
template <>
struct Dot<8> {
  static constexpr bool kSigned = true, kComplements = true;
  using Sum = v128_t;
  static Sum start(int32_t value) { return wasm_i32x4_splat(value); }
  static Sum step(Sum sum, vbytes codes, const uint8_t* x, int s) {
    v128_t zero = wasm_i8x16_const_splat(0);
    asm("" : "+r"(zero));  // else Clang makes a shift of the comparison, for which x86 has no instruction
    const v128_t four = wasm_v128_load32_splat(x + 4 * s);
    const v128_t flip = wasm_v128_xor(wasm_i8x16_lt(four, zero), wasm_i8x16_const_splat(-128));
    const v128_t w = wasm_v128_xor(reinterpret_cast<v128_t>(codes), flip);
    return wasm_i32x4_relaxed_dot_i8x16_i7x16_add(w, wasm_i8x16_abs(four), sum);
  }
  static vi finish(Sum sum, int32_t) { return reinterpret_cast<vi>(sum); }
};
/// Codes are below 16, where all implementations agree.
inline vbytes lookup(vbytes codes, const uint8_t* table) {
  return reinterpret_cast<vbytes>(wasm_i8x16_relaxed_swizzle(wasm_v128_load(table), reinterpret_cast<v128_t>(codes)));
}

#include "backends/cpu/kernels.inl"

}  // namespace

extern const KernelTable kTable;
const KernelTable kTable = make_table("wasm128-relaxed");

}  // namespace tern::backends::cpu::wasm_relaxed
#endif
