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
inline vf load_halves(const uint8_t* p) {
  return halves_to_float(load_u16(p));
}
inline float half_to_float(uint16_t h) {
  return halves_to_float(splat(int32_t{h}))[0];
}

#include "backends/cpu/kernels.inl"

}  // namespace

extern const KernelTable kTable;
const KernelTable kTable = make_table("scalar");

}  // namespace tern::backends::cpu::scalar
