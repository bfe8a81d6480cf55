// What the dispatches of a step have to move and to compute at least, for traces and `tern bench`: counted from the
// plan and from what the step was asked for.
#pragma once

#include <vector>

#include "graph/plan.h"
#include "graph/step.h"

namespace tern::backends::webgpu {

struct Work {
  double bytes = 0;            // weights and cache read, operands read and results written once
  double operations = 0;       // of products: 2 per multiply-add
  double int8_operations = 0;  // of these, those with int8 activations
};

/// Of a step, what its work is counted by; it outlives the step's own arrays.
struct StepShape {
  graph::StepCounts n;
  uint32_t max_tokens = 0;  // of the program that plays it
  std::vector<uint32_t> positions, sequences;

  static StepShape of(const graph::Plan& plan, const graph::StepParams& step);
};

Work work_of(const graph::Plan& plan, const graph::PlanStep& step, const StepShape& shape);

}  // namespace tern::backends::webgpu
