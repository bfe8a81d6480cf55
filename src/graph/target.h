// Target: the facts of a device that passes and lowering decide by. Plain data: lowering needs no device at hand.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tern::graph {

/// Shapes of kernels that were measured to be the best on a device: by the work they are for, what the kernel
/// understands (backends/webgpu/emitter.h: Choice). Unknown entries and values that no kernel offers are passed over.
using Tuning = std::map<std::string, std::vector<uint32_t>>;

/// What a GPU can do. The defaults are those of WebGPU, which every device has.
struct GpuFacts {
  bool software = false;  // the adapter is a CPU: chosen only by name
  bool f16 = false;       // shader-f16
  bool subgroups = false;
  uint32_t subgroup_min = 4, subgroup_max = 128;
  bool packed_dot = false;       // dot4I8Packed and its kin
  bool subgroup_matrix = false;  // Dawn's experimental feature: f16 x f16 -> f32, 16 x 16 x 16 or 8 x 8 x 8
  uint32_t max_storage_buffers = 8;
  uint32_t max_invocations = 256;  // of a workgroup
  uint32_t max_workgroup_bytes = 16384;
  uint32_t max_workgroups = 65535;  // along one axis of a dispatch
  uint64_t max_binding_bytes = uint64_t{128} << 20;
  uint64_t max_buffer_bytes = uint64_t{256} << 20;
};

struct Target {
  std::string backend;                     // "ref", "cpu", "webgpu"
  std::string device;                      // "cpu avx512", an adapter's name: for people and as a tuning key
  uint64_t max_weight_bytes = UINT64_MAX;  // larger weights are sharded (maxStorageBufferBindingSize)
  bool imports_host_memory = false;        // weights may stay in the mapped file
  bool fuse = true;                        // run the fusion passes; ref runs the graph as written
  bool expose_values = false;  // for --compare-with-ref: every value the model names is an output of the plan
  uint32_t threads = 1;
  GpuFacts gpu;                  // of webgpu only
  std::string adapter;           // of webgpu only: vendor, architecture, device, driver; what a tuning is kept for
  Tuning tuning;                 // of webgpu only
  uint32_t steps_in_flight = 1;  // steps that are worth having submitted at a time, at most kSampledTokens (step.h)

  /// Whether weights, cache and activations lie in memory of its own and take none of the host's.
  bool has_own_memory() const { return backend == "webgpu" && !gpu.software; }
};

}  // namespace tern::graph
