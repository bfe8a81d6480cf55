// The kernels, and their table. Included by each isa_<name>.cc inside its own anonymous namespace, so that nothing
// compiled for one instruction set is ever linked into another.

// clang-format off: each builds on those before
#include "backends/cpu/math.inl"
#include "backends/cpu/elementwise.inl"
#include "backends/cpu/decode.inl"
#include "backends/cpu/linear.inl"
#include "backends/cpu/kv_cache.inl"
#include "backends/cpu/quantize.inl"
#include "backends/cpu/panel_codecs.inl"
#include "backends/cpu/panel_halves.inl"
#include "backends/cpu/panel_wide.inl"
#include "backends/cpu/panel_tile.inl"
#include "backends/cpu/panel_linear.inl"
#include "backends/cpu/attention.inl"
#include "backends/cpu/roofs.inl"
// clang-format on

constexpr KernelTable make_table(const char* name) {
  return {name,
          kLanes,
          format_kernels,
          linear,
          linear_scratch,
          store_key,
          store_value,
          panel_kernel,
          quantize,
          linear_panels,
          attention,
          attention_block,
          attention_join,
          attention_scratch,
          attention_part,
          rope,
          rms_norm,
          add,
          scale,
          softcap,
          glu,
          add_scaled,
          peak,
          peak_int8,
          peak_bf16,
          read};
}
