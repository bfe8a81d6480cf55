// StepCopy: room for the parameters of one step, so that a caller may forget them as soon as submit() returns.
#pragma once

#include "backends/host/bound_plan.h"

namespace tern::backends::cpu {

class StepCopy {
 public:
  /// Room for the largest step the limits allow.
  static Result<StepCopy> make(const StepLimits& limits);
  /// `step` is within the limits (check_step).
  void assign(const graph::StepParams& step);
  const graph::StepParams& params() const { return params_; }

 private:
  HostBlock tokens_, positions_, sequences_, seqs_, page_table_, rows_, pools_;
  graph::StepParams params_;
};

}  // namespace tern::backends::cpu
