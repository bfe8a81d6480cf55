// The list of what the lowering can choose from.
#include "backends/webgpu/emitter.h"
#include "backends/webgpu/flash.h"
#include "backends/webgpu/fused_decode.h"
#include "backends/webgpu/fused_prefill.h"
#include "backends/webgpu/generic.h"

namespace tern::backends::webgpu {

namespace {

constexpr KernelDef kKernelDefs[] = {
    {"fused_prefill", emit_fused_prefill},
    {"fused_decode", emit_fused_decode},
    {"embed", emit_embed},
    {"gather_rows", emit_gather_rows},
    {"linear", emit_linear},
    {"elementwise", emit_elementwise},
    {"norm", emit_norm},
    {"pool_norm", emit_pool_norm},
    {"rope", emit_rope},
    {"kv_write", emit_kv_write},
    {"flash", emit_flash},
    {"attention", emit_attention},
    {"route_topk", emit_route},
    {"linear_experts", emit_linear_experts},
    {"combine_experts", emit_combine},
};

}  // namespace

std::span<const KernelDef> kernel_defs() {
  return kKernelDefs;
}

}  // namespace tern::backends::webgpu
