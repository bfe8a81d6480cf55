#include "backends/cpu/kernels.h"

#include <fmt/ranges.h>
#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include <algorithm>
#include <array>
#include <span>

#include "base/half.h"

namespace tern::backends::cpu {

#ifndef __wasm_simd128__
namespace scalar {
extern const KernelTable kTable;
}
#endif
#ifdef __x86_64__
namespace avx2 {
extern const KernelTable kTable;
}
namespace avx512 {
extern const KernelTable kTable;
}
#endif
#ifdef __aarch64__
namespace neon {
extern const KernelTable kTable;
}
namespace dotprod {
extern const KernelTable kTable;
}
namespace i8mm {
extern const KernelTable kTable;
}
#endif
#ifdef __wasm_simd128__
// A module is linked with one of them, and without "scalar", whose code and results would be the same again.
namespace wasm128 {
[[gnu::weak]] extern const KernelTable kTable;
}
namespace wasm_relaxed {
[[gnu::weak]] extern const KernelTable kTable;
}
#endif

namespace {

struct Isa {
  const KernelTable* table;
  bool (*executes)();  // whether this machine can
};

#ifndef __wasm_simd128__
bool always() {
  return true;
}
#endif
#ifdef __x86_64__
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni");
}
#endif
#ifdef __aarch64__
/// Other systems than Linux are not asked: they have "neon".
bool has_dotprod() {
#ifdef __linux__
  return getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
#else
  return false;
#endif
}
bool has_i8mm() {
#ifdef __linux__
  return has_dotprod() && (getauxval(AT_HWCAP2) & HWCAP2_I8MM);
#else
  return false;
#endif
}
#endif
#ifdef __wasm_simd128__
bool has_simd128() {
  return &wasm128::kTable != nullptr;
}
bool has_relaxed_simd() {
  return &wasm_relaxed::kTable != nullptr;
}
#endif

// The best last.
// clang-format off: a line each
constexpr Isa kIsas[] = {
#ifdef __wasm_simd128__
    {&wasm128::kTable, has_simd128},
    {&wasm_relaxed::kTable, has_relaxed_simd},
#else
    {&scalar::kTable, always},
#endif
#ifdef __x86_64__
    {&avx2::kTable, has_avx2},
    {&avx512::kTable, has_avx512},
#endif
#ifdef __aarch64__
    {&neon::kTable, always},
    {&dotprod::kTable, has_dotprod},
    {&i8mm::kTable, has_i8mm},
#endif
};
// clang-format on

}  // namespace

void decode_by_truth(Format format, const std::byte* row, uint32_t k0, uint32_t n, float* out) {
  const FormatInfo& info = formats::info(format);
  ASSERT(info.block > 0 && kChunk % info.block == 0);
  formats::decode_row(format, row + size_t{k0} / info.block * info.block_bytes, {out, n});
}

void round_to_halves(const float* x, uint32_t n, uint16_t* out) {
  for (uint32_t i = 0; i < n; ++i) out[i] = f32_to_f16(x[i]);
}

std::vector<std::string_view> available_isas() {
  std::vector<std::string_view> names;
  for (const Isa& isa : kIsas) {
    if (isa.executes()) names.push_back(isa.table->name);
  }
  return names;
}

Result<const KernelTable*> choose_kernels(std::string_view name) {
  const KernelTable* chosen = nullptr;
  for (const Isa& isa : kIsas) {
    if (isa.executes() && (name.empty() || name == isa.table->name)) chosen = isa.table;
  }
  if (chosen) return chosen;
  return fail(ErrorCode::kUnsupported, "The instruction set {} is unknown, or this machine lacks it; it has {}.", name,
              fmt::join(available_isas(), ", "));
}

}  // namespace tern::backends::cpu
