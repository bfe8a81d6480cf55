// The machine's limits, measured in the same run as what is compared with them.
#pragma once

#include "backends/roofs.h"
#include "base/result.h"

namespace tern::backends {

/// With `threads` threads (0: all) and the kernels of `isa` ("": the best), which exist. Takes about half a second and
/// 256 MiB; zeros where these are not to be had.
Roofs measure_roofs(uint32_t threads, std::string_view isa);

}  // namespace tern::backends
