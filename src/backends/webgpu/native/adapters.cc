#include "backends/webgpu/native/adapters.h"

#ifdef __linux__
#include <unistd.h>
#endif

#include <algorithm>

#include "backends/webgpu/native/native_device.h"

namespace tern::backends::webgpu {

namespace {

struct Adapter {
  WGPUAdapter handle = nullptr;
  WGPULimits limits{};
  int rank = 0;  // lower is preferred
  AdapterFacts facts;
};

std::string_view kind_of(WGPUAdapterType type) {
  switch (type) {
    case WGPUAdapterType_DiscreteGPU:
      return "discrete GPU";
    case WGPUAdapterType_IntegratedGPU:
      return "integrated GPU";
    case WGPUAdapterType_CPU:
      return "CPU";
    default:
      return "unknown";
  }
}

/// wgpu-native reports sizes of 0, so they are the hardware's, by PCI vendor: what a driver may choose from. Unknown
/// vendors keep the widest range, and with it the kernels that sum through workgroup memory.
void set_subgroup_sizes(uint32_t vendor, graph::GpuFacts& gpu) {
  struct Sizes {
    uint32_t vendor, min, max;
  };
  constexpr Sizes kKnown[] = {
      {0x10de, 32, 32},  // NVIDIA
      {0x106b, 32, 32},  // Apple
      {0x1002, 32, 64},  // AMD
      {0x8086, 8, 32},   // Intel
      {0x10005, 4, 32},  // Mesa's software: as wide as the CPU's vectors
  };
  for (const Sizes& known : kKnown) {
    if (known.vendor == vendor) gpu.subgroup_min = known.min, gpu.subgroup_max = known.max;
  }
}

graph::GpuFacts facts_of(const WgpuApi& api, WGPUAdapter adapter, const WGPULimits& limits) {
  graph::GpuFacts gpu;
  gpu.f16 = api.adapter_has_feature(adapter, WGPUFeatureName_ShaderF16);
  gpu.subgroups =
      api.adapter_has_feature(adapter, static_cast<WGPUFeatureName>(static_cast<int>(WGPUNativeFeature_Subgroup)));
  gpu.packed_dot = true;  // naga has dot4I8Packed everywhere
  gpu.max_storage_buffers = limits.maxStorageBuffersPerShaderStage;
  gpu.max_invocations = limits.maxComputeInvocationsPerWorkgroup;
  gpu.max_workgroup_bytes = limits.maxComputeWorkgroupStorageSize;
  gpu.max_workgroups = limits.maxComputeWorkgroupsPerDimension;
  gpu.max_binding_bytes = limits.maxStorageBufferBindingSize;
  gpu.max_buffer_bytes = limits.maxBufferSize;
  return gpu;
}

Adapter describe(const WgpuApi& api, WGPUAdapter handle) {
  Adapter out{.handle = handle};
  api.adapter_limits(handle, &out.limits);
  WGPUAdapterInfo info{};
  api.adapter_info(handle, &info);
  out.facts.kind = kind_of(info.adapterType);
  out.facts.target.backend = "webgpu";
  out.facts.target.device = text_of(info.device);
  out.facts.target.adapter = fmt::format("{}, {}, {}, {}", text_of(info.vendor), text_of(info.architecture),
                                         text_of(info.device), text_of(info.description));
  out.facts.target.steps_in_flight = 3;  // one runs, one waits, one is being recorded
  out.facts.target.gpu = facts_of(api, handle, out.limits);
  set_subgroup_sizes(info.vendorID, out.facts.target.gpu);
  out.facts.target.gpu.software = info.adapterType == WGPUAdapterType_CPU;
  out.rank = static_cast<int>(info.adapterType);
  api.free_adapter_info(info);
  return out;
}

Result<std::vector<Adapter>> adapters(const WgpuApi& api) {
  WGPUInstanceEnumerateAdapterOptions options{};
  options.backends = WgpuApi::kBackends;
  std::vector<WGPUAdapter> handles(api.enumerate_adapters(api.instance, &options, nullptr));
  handles.resize(api.enumerate_adapters(api.instance, &options, handles.data()));
  std::vector<Adapter> out;
  for (const WGPUAdapter handle : handles) out.push_back(describe(api, handle));
  // Insertion keeps equals in their order; libstdc++ 12's stable_sort warns under clang.
  for (auto at = out.begin(); at != out.end(); ++at) {
    std::rotate(std::ranges::upper_bound(out.begin(), at, at->rank, {}, &Adapter::rank), at, at + 1);
  }
  return out;
}

void weaken(Adapter& adapter, const NativeOptions& options) {
  graph::GpuFacts& gpu = adapter.facts.target.gpu;
  if (options.default_limits) {
    const graph::GpuFacts defaults;
    gpu.max_storage_buffers = adapter.limits.maxStorageBuffersPerShaderStage = defaults.max_storage_buffers;
    gpu.max_invocations = adapter.limits.maxComputeInvocationsPerWorkgroup = defaults.max_invocations;
    adapter.limits.maxComputeWorkgroupSizeX = adapter.limits.maxComputeWorkgroupSizeY = 256;
    adapter.limits.maxComputeWorkgroupSizeZ = 64;
    gpu.max_workgroup_bytes = adapter.limits.maxComputeWorkgroupStorageSize = defaults.max_workgroup_bytes;
    gpu.max_workgroups = adapter.limits.maxComputeWorkgroupsPerDimension = defaults.max_workgroups;
    gpu.max_binding_bytes = adapter.limits.maxStorageBufferBindingSize = defaults.max_binding_bytes;
    gpu.max_buffer_bytes = adapter.limits.maxBufferSize = defaults.max_buffer_bytes;
  }
  if (options.no_f16) gpu.f16 = false;
  if (options.no_subgroups) gpu.subgroups = false;
}

}  // namespace

Result<std::vector<AdapterFacts>> list_adapters() {
  const WgpuApi& api = *TRY(WgpuApi::load());
  std::vector<AdapterFacts> out;
  for (const Adapter& adapter : TRY(adapters(api))) {
    out.push_back(adapter.facts);
    api.release_adapter(adapter.handle);
  }
  return out;
}

namespace {

/// False where the kernel has no device file of any GPU. Asking Vulkan instead maps every driver, the software one with
/// its compiler too: 50 MB and 30 ms of a start for nothing.
bool may_have_hardware() {
#ifdef __linux__
  for (const char* path : {"/dev/dri", "/dev/nvidiactl", "/dev/dxg", "/dev/kgsl-3d0", "/dev/mali0"}) {
    if (access(path, F_OK) == 0) return true;
  }
  return false;
#else
  return true;
#endif
}

}  // namespace

Result<std::unique_ptr<Device>> open_adapter(size_t index) {
  const WgpuApi& api = *TRY(WgpuApi::load());
  const std::vector<Adapter> found = TRY(adapters(api));
  for (size_t i = 0; i < found.size(); ++i) {
    if (i != index) api.release_adapter(found[i].handle);
  }
  if (index < found.size()) {
    const Adapter& adapter = found[index];
    return NativeDevice::open(api, adapter.handle, adapter.limits, adapter.facts.target);
  }
  return fail(ErrorCode::kNotFound, "There is no GPU {}; {} adapters were found.", index, found.size());
}

Result<std::unique_ptr<Device>> open_native_device(bool software, const NativeOptions& options) {
  if (!software && !may_have_hardware()) return fail(ErrorCode::kNotFound, "There is no GPU.");
  const WgpuApi& api = *TRY(WgpuApi::load());
  std::vector<Adapter> found = TRY(adapters(api));
  for (Adapter& adapter : found) {
    if (adapter.facts.target.gpu.software && !software) continue;
    weaken(adapter, options);
    return NativeDevice::open(api, adapter.handle, adapter.limits, adapter.facts.target);
  }
  return fail(ErrorCode::kNotFound, "There is no GPU: {} adapters were found{}.", found.size(),
              found.empty() || software ? "" : ", all of them software");
}

}  // namespace tern::backends::webgpu
