// What an op of a step has to move and to compute at least, for traces and `tern bench`.
#pragma once

#include "backends/cpu/ops.h"

namespace tern::backends::cpu {

struct OpCost {
  double bytes = 0;            // weights and cache read, operands read and results written once
  double operations = 0;       // of products: 2 per multiply-add
  double int8_operations = 0;  // of these, those with int8 activations
  double bf16_operations = 0;  // and those with bf16 activations
};
OpCost op_cost(const Run& run);

}  // namespace tern::backends::cpu
