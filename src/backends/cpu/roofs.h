// The machine's limits, measured in the same run as what is compared with them.
#pragma once

#include "base/result.h"

namespace tern::backends {

struct Roofs {
  double read_gb_s = 0;        // reading memory, 1e9 bytes a second
  double peak_int8_gop_s = 0;  // dot products of int8 from registers, 2 operations a product
  double peak_gflop_s = 0;     // multiply-adds of f32 from registers, 2 operations each
};

/// With `threads` threads (0: all) and the kernels of `isa` ("": the best), which exist. Takes about half a second and
/// 256 MiB; zeros where these are not to be had.
Roofs measure_roofs(uint32_t threads, std::string_view isa);

}  // namespace tern::backends
