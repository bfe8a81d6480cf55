// No intrinsics: four lanes that the compiler turns into whatever every machine of the target has (SSE2 on x86-64,
// NEON), or into scalar code. The fallback, which is always there.
#include <utility>

#include "backends/cpu/kernels.h"

namespace tern::backends::cpu::scalar {
namespace {

constexpr int kLanes = 4;
constexpr int kTileRows = 4, kTileTokens = 2;  // 8 sums, 2 x and 1 w of 16 registers

#include "backends/cpu/vector.inl"

/// Two roundings: without an instruction, a fused one would be a call of libm.
inline vf fma(vf a, vf b, vf c) {
  return a * b + c;
}
inline vi load_u8(const uint8_t* p) {
  return vi{p[0], p[1], p[2], p[3]};
}
inline vi load_i8(const uint8_t* p) {
  const auto* q = reinterpret_cast<const int8_t*>(p);
  return vi{q[0], q[1], q[2], q[3]};
}
inline vi load_u16(const uint8_t* p) {
  uint16_t q[kLanes];
  __builtin_memcpy(q, p, sizeof q);
  return vi{q[0], q[1], q[2], q[3]};
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
const KernelTable kTable = make_table("scalar");

}  // namespace tern::backends::cpu::scalar
