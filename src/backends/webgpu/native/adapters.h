// The GPUs of this machine as wgpu-native sees them, and devices on them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backends/webgpu/device.h"

namespace tern::backends::webgpu {

/// Restrictions for tests: what the weakest device would do.
struct NativeOptions {
  bool default_limits = false;  // WebGPU's, not the adapter's
  bool no_f16 = false;
  bool no_subgroups = false;
};

struct AdapterFacts {
  graph::Target target;  // as a device on it would have
  std::string kind;      // "discrete GPU", "integrated GPU", "CPU", "unknown"
};

/// In the order in which they are preferred: discrete, integrated, others, CPUs. Errors: kNotFound without the library.
Result<std::vector<AdapterFacts>> list_adapters();

/// A device on the adapter at this place of list_adapters(). Errors: kNotFound; kUnsupported when it gives none.
Result<std::unique_ptr<Device>> open_adapter(size_t index);

/// A device on the first adapter that allows it. software: adapters that are CPUs count as well.
/// Errors: kNotFound when there is no adapter or no library.
Result<std::unique_ptr<Device>> open_native_device(bool software, const NativeOptions& options = {});

}  // namespace tern::backends::webgpu
