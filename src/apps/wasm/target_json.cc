#include "apps/wasm/target_json.h"

#include <algorithm>

#include "base/json.h"

namespace tern::wasm {
namespace {

// Two hide the way from JavaScript to the GPU and back when nothing else is to be done in between; the engine, its
// events and the page want two more.
constexpr uint32_t kStepsInFlight = 4;

}  // namespace

Result<graph::Target> parse_target(std::string_view facts) {
  const Json json = TRY(parse_json(facts));
  graph::Target target{.backend = "webgpu", .device = TRY(json_string(json, "device"))};
  graph::GpuFacts& gpu = target.gpu;
  gpu.software = TRY(json_bool(json, "software"));
  gpu.f16 = TRY(json_bool(json, "f16"));
  gpu.subgroups = TRY(json_bool(json, "subgroups"));
  gpu.subgroup_min = TRY(json_u32(json, "subgroup_min"));
  gpu.subgroup_max = TRY(json_u32(json, "subgroup_max"));
  gpu.packed_dot = TRY(json_bool(json, "packed_dot"));
  gpu.subgroup_matrix = TRY(json_bool(json, "subgroup_matrix"));
  gpu.max_storage_buffers = TRY(json_u32(json, "max_storage_buffers"));
  gpu.max_invocations = TRY(json_u32(json, "max_invocations"));
  gpu.max_workgroup_bytes = TRY(json_u32(json, "max_workgroup_bytes"));
  gpu.max_workgroups = TRY(json_u32(json, "max_workgroups"));
  // Beyond 2^53 a double is no longer exact, and no device has as much.
  gpu.max_binding_bytes = static_cast<uint64_t>(std::clamp(TRY(json_number(json, "max_binding_bytes")), 0.0, 9e15));
  gpu.max_buffer_bytes = static_cast<uint64_t>(std::clamp(TRY(json_number(json, "max_buffer_bytes")), 0.0, 9e15));
  target.steps_in_flight = kStepsInFlight;
  return target;
}

}  // namespace tern::wasm
