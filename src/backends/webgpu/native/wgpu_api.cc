#include "backends/webgpu/native/wgpu_api.h"

#include <dlfcn.h>

#include <cstdlib>

namespace tern::backends::webgpu {

namespace {

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

void* open_library() {
  if (const char* path = std::getenv("TERN_WGPU_LIBRARY")) return dlopen(path, RTLD_NOW | RTLD_LOCAL);
  for (const char* path : {TERN_WGPU_LIBRARY, "libwgpu_native.so", "libwgpu_native.dylib"}) {
    if (void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL)) return library;
  }
  return nullptr;
}

bool find_all(void* library, WgpuApi& api) {
  bool found = true;
  found &= find(library, "wgpuCreateInstance", api.create_instance);
  found &= find(library, "wgpuInstanceEnumerateAdapters", api.enumerate_adapters);
  found &= find(library, "wgpuInstanceProcessEvents", api.process_events);
  found &= find(library, "wgpuAdapterGetInfo", api.adapter_info);
  found &= find(library, "wgpuAdapterInfoFreeMembers", api.free_adapter_info);
  found &= find(library, "wgpuAdapterGetLimits", api.adapter_limits);
  found &= find(library, "wgpuAdapterHasFeature", api.adapter_has_feature);
  found &= find(library, "wgpuAdapterRequestDevice", api.request_device);
  found &= find(library, "wgpuAdapterRelease", api.release_adapter);
  found &= find(library, "wgpuDeviceRelease", api.release_device);
  found &= find(library, "wgpuQueueRelease", api.release_queue);
  found &= find(library, "wgpuDeviceGetQueue", api.get_queue);
  found &= find(library, "wgpuDevicePoll", api.poll);
  found &= find(library, "wgpuDevicePushErrorScope", api.push_error_scope);
  found &= find(library, "wgpuDevicePopErrorScope", api.pop_error_scope);
  found &= find(library, "wgpuDeviceCreateBuffer", api.create_buffer);
  found &= find(library, "wgpuBufferDestroy", api.destroy_buffer);
  found &= find(library, "wgpuBufferRelease", api.release_buffer);
  found &= find(library, "wgpuBufferMapAsync", api.map_buffer);
  found &= find(library, "wgpuBufferGetConstMappedRange", api.mapped_range);
  found &= find(library, "wgpuBufferUnmap", api.unmap);
  found &= find(library, "wgpuDeviceCreateShaderModuleTrusted", api.create_trusted_shader);
  found &= find(library, "wgpuShaderModuleRelease", api.release_shader);
  found &= find(library, "wgpuDeviceCreateBindGroupLayout", api.create_bind_group_layout);
  found &= find(library, "wgpuBindGroupLayoutRelease", api.release_bind_group_layout);
  found &= find(library, "wgpuDeviceCreatePipelineLayout", api.create_pipeline_layout);
  found &= find(library, "wgpuPipelineLayoutRelease", api.release_pipeline_layout);
  found &= find(library, "wgpuDeviceCreateComputePipeline", api.create_pipeline);
  found &= find(library, "wgpuComputePipelineRelease", api.release_pipeline);
  found &= find(library, "wgpuDeviceCreateBindGroup", api.create_bind_group);
  found &= find(library, "wgpuBindGroupRelease", api.release_bind_group);
  found &= find(library, "wgpuDeviceCreateCommandEncoder", api.create_encoder);
  found &= find(library, "wgpuCommandEncoderRelease", api.release_encoder);
  found &= find(library, "wgpuCommandEncoderBeginComputePass", api.begin_pass);
  found &= find(library, "wgpuComputePassEncoderSetPipeline", api.set_pipeline);
  found &= find(library, "wgpuComputePassEncoderSetBindGroup", api.set_bind_group);
  found &= find(library, "wgpuComputePassEncoderDispatchWorkgroups", api.dispatch);
  found &= find(library, "wgpuComputePassEncoderEnd", api.end_pass);
  found &= find(library, "wgpuComputePassEncoderRelease", api.release_pass);
  found &= find(library, "wgpuCommandEncoderCopyBufferToBuffer", api.copy_buffer);
  found &= find(library, "wgpuCommandEncoderFinish", api.finish);
  found &= find(library, "wgpuCommandBufferRelease", api.release_commands);
  found &= find(library, "wgpuQueueWriteBuffer", api.write_buffer);
  found &= find(library, "wgpuQueueSubmitForIndex", api.submit_for_index);
  found &= find(library, "wgpuQueueGetTimestampPeriod", api.timestamp_period);
  found &= find(library, "wgpuDeviceCreateQuerySet", api.create_query_set);
  found &= find(library, "wgpuCommandEncoderResolveQuerySet", api.resolve_query_set);
  found &= find(library, "wgpuQuerySetRelease", api.release_query_set);
  return found;
}

WGPUInstance make_instance(const WgpuApi& api) {
  // Of the memory that the driver says is free to this program: beyond, buffers are refused, where some drivers would
  // begin to swap or take other programs' memory.
  static constexpr uint8_t kPercentOfBudget = 98;
  WGPUInstanceExtras extras{};
  extras.chain.sType = static_cast<WGPUSType>(WGPUSType_InstanceExtras);
  extras.backends = WgpuApi::kBackends;
  extras.budgetForDeviceCreation = &kPercentOfBudget;
  WGPUInstanceDescriptor descriptor{};
  descriptor.nextInChain = &extras.chain;
  return api.create_instance(&descriptor);
}

}  // namespace

Result<const WgpuApi*> WgpuApi::load() {
  static WgpuApi api{};
  static const bool is_loaded = [] {
    void* library = open_library();
    if (library == nullptr || !find_all(library, api)) return false;
    api.instance = make_instance(api);
    return api.instance != nullptr;
  }();
  if (is_loaded) return &api;
  return fail(ErrorCode::kNotFound,
              "There is no WebGPU here: wgpu-native is not installed. `make setup` installs it; "
              "TERN_WGPU_LIBRARY names a library elsewhere.");
}

}  // namespace tern::backends::webgpu
