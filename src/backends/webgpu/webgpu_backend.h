// WebgpuBackend: everything of the GPU backend that is the same on all devices: lowering, repacking, the params block.
#pragma once

#include <memory>

#include "backends/backend.h"
#include "backends/webgpu/device.h"

namespace tern::backends::webgpu {

/// threads: that repack weights; 0: all cores.
std::unique_ptr<Backend> make_webgpu_backend(std::unique_ptr<Device> device, bool expose_values = false,
                                             uint32_t threads = 0);

/// The target that a backend on this device lowers for.
graph::Target complete(graph::Target device);

}  // namespace tern::backends::webgpu
