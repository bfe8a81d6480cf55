// The limits of a GPU: kernels that do nothing but read or multiply (kernels/roof_*.wgsl), played as a plan.
#pragma once

#include "backends/roofs.h"
#include "backends/webgpu/device.h"

namespace tern::backends::webgpu {

/// Takes less than half a second and up to 512 MiB of the device; blocks. Errors: the device's.
Result<Roofs> measure_gpu_roofs(Device& device);

}  // namespace tern::backends::webgpu
