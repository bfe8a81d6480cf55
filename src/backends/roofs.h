// The limits of a device, measured in the same run as what is compared with them.
#pragma once

namespace tern::backends {

/// Zeros where a limit was not measured.
struct Roofs {
  double read_gb_s = 0;          // reading memory, 1e9 bytes a second
  double peak_int8_gop_s = 0;    // dot products of int8 from registers, 2 operations a product
  double peak_gflop_s = 0;       // multiply-adds of f32 from registers, 2 operations each
  double peak_bf16_gflop_s = 0;  // dot products of bf16 from registers; 0 where nothing is computed by them
};

}  // namespace tern::backends
