// WebgpuBackend: everything of the GPU backend that is the same on all devices: lowering, repacking, the params block.
#pragma once

#include <memory>

#include "backends/backend.h"
#include "backends/webgpu/device.h"

namespace tern::backends::webgpu {

struct WebgpuOptions {
  bool expose_values = false;  // graph::Target::expose_values
  uint32_t threads = 0;        // that repack weights; 0: all cores
  Trace* trace = nullptr;      // gets a lane "gpu" with every dispatch; outlives the backend
  graph::Tuning tuning = {};   // graph::Target::tuning
};
std::unique_ptr<Backend> make_webgpu_backend(std::unique_ptr<Device> device, const WebgpuOptions& options = {});

/// The target that a backend on this device lowers for.
graph::Target complete(graph::Target device);

}  // namespace tern::backends::webgpu
