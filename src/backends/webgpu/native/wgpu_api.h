// wgpu-native by dlopen: Tern builds with its header and runs without its library, saying how to install it. Only
// functions that work in it are here; several others abort the process.
#pragma once

#include <wgpu.h>

#include "base/result.h"

namespace tern::backends::webgpu {

struct WgpuApi {
  /// Vulkan, Metal and Direct3D 12: OpenGL lacks what kernels need.
  static constexpr WGPUInstanceBackend kBackends =
      WGPUInstanceBackend_Vulkan | WGPUInstanceBackend_Metal | WGPUInstanceBackend_DX12;

  WGPUInstance instance;  // of the whole program: making one takes a driver a good part of a second
  decltype(&wgpuCreateInstance) create_instance;
  decltype(&wgpuInstanceEnumerateAdapters) enumerate_adapters;
  decltype(&wgpuInstanceProcessEvents) process_events;
  decltype(&wgpuAdapterGetInfo) adapter_info;
  decltype(&wgpuAdapterInfoFreeMembers) free_adapter_info;
  decltype(&wgpuAdapterGetLimits) adapter_limits;
  decltype(&wgpuAdapterHasFeature) adapter_has_feature;
  decltype(&wgpuAdapterRequestDevice) request_device;
  decltype(&wgpuAdapterRelease) release_adapter;
  decltype(&wgpuDeviceRelease) release_device;
  decltype(&wgpuQueueRelease) release_queue;
  decltype(&wgpuDeviceGetQueue) get_queue;
  decltype(&wgpuDevicePoll) poll;
  decltype(&wgpuDevicePushErrorScope) push_error_scope;
  decltype(&wgpuDevicePopErrorScope) pop_error_scope;
  decltype(&wgpuDeviceCreateBuffer) create_buffer;
  decltype(&wgpuBufferDestroy) destroy_buffer;
  decltype(&wgpuBufferRelease) release_buffer;
  decltype(&wgpuBufferMapAsync) map_buffer;
  decltype(&wgpuBufferGetConstMappedRange) mapped_range;
  decltype(&wgpuBufferUnmap) unmap;
  decltype(&wgpuDeviceCreateShaderModuleTrusted) create_trusted_shader;
  decltype(&wgpuShaderModuleRelease) release_shader;
  decltype(&wgpuDeviceCreateBindGroupLayout) create_bind_group_layout;
  decltype(&wgpuBindGroupLayoutRelease) release_bind_group_layout;
  decltype(&wgpuDeviceCreatePipelineLayout) create_pipeline_layout;
  decltype(&wgpuPipelineLayoutRelease) release_pipeline_layout;
  decltype(&wgpuDeviceCreateComputePipeline) create_pipeline;
  decltype(&wgpuComputePipelineRelease) release_pipeline;
  decltype(&wgpuDeviceCreateBindGroup) create_bind_group;
  decltype(&wgpuBindGroupRelease) release_bind_group;
  decltype(&wgpuDeviceCreateCommandEncoder) create_encoder;
  decltype(&wgpuCommandEncoderRelease) release_encoder;
  decltype(&wgpuCommandEncoderBeginComputePass) begin_pass;
  decltype(&wgpuComputePassEncoderSetPipeline) set_pipeline;
  decltype(&wgpuComputePassEncoderSetBindGroup) set_bind_group;
  decltype(&wgpuComputePassEncoderDispatchWorkgroups) dispatch;
  decltype(&wgpuComputePassEncoderEnd) end_pass;
  decltype(&wgpuComputePassEncoderRelease) release_pass;
  decltype(&wgpuCommandEncoderCopyBufferToBuffer) copy_buffer;
  decltype(&wgpuCommandEncoderFinish) finish;
  decltype(&wgpuCommandBufferRelease) release_commands;
  decltype(&wgpuQueueWriteBuffer) write_buffer;
  decltype(&wgpuQueueSubmitForIndex) submit_for_index;
  decltype(&wgpuQueueGetTimestampPeriod) timestamp_period;
  decltype(&wgpuDeviceCreateQuerySet) create_query_set;
  decltype(&wgpuCommandEncoderResolveQuerySet) resolve_query_set;
  decltype(&wgpuQuerySetRelease) release_query_set;

  /// Loads the library once: from $TERN_WGPU_LIBRARY, where the build found it, or where the system looks.
  /// Errors: kNotFound, saying how to install it.
  static Result<const WgpuApi*> load();
};

inline WGPUStringView view_of(std::string_view text) {
  return {text.data(), text.size()};
}
inline std::string text_of(WGPUStringView view) {
  if (view.data == nullptr) return "";
  return view.length == WGPU_STRLEN ? std::string(view.data) : std::string(view.data, view.length);
}

}  // namespace tern::backends::webgpu
