// The machine's limits, measured beside what is compared with them: read bandwidth and float arithmetic.
#pragma once

#include <cstdint>

namespace tern::cli {

struct Roofs {
  double read_gb_s = 0;     // plain sum over memory that no cache holds, all threads, 10^9 bytes/s
  double peak_gflop_s = 0;  // f32 fused multiply-adds on registers, all threads, 2 operations each
};

/// Takes about half a second. threads: as the engine would use.
Roofs measure_roofs(uint32_t threads);

}  // namespace tern::cli
