// GpuTrace: the times of a GPU's dispatches as spans of a trace, on a lane "gpu" beside those of the CPU.
#pragma once

#include <deque>
#include <optional>

#include "backends/webgpu/device.h"
#include "backends/webgpu/work.h"
#include "base/trace.h"

namespace tern::backends::webgpu {

class GpuTrace {
 public:
  /// trace: null for none. Both outlive this.
  GpuTrace(Device& device, Trace* trace);

  /// Before a step is submitted: times its dispatches while the trace records.
  void begin(const graph::Plan& plan, const graph::StepParams& step);
  /// The step that begin() was called for has this ticket.
  void submitted(uint64_t ticket);
  /// poll() says that the ticket's step is ready: adds its spans, once.
  void ready(uint64_t ticket);

 private:
  struct Pending {
    uint64_t ticket = 0, submitted_ns = 0;
    const graph::Plan* plan = nullptr;
    StepShape shape;
  };

  Device& device_;
  Trace* trace_;
  uint32_t lane_ = 0;
  bool is_timing_ = false, has_times_ = true;
  std::optional<Pending> begun_;
  std::deque<Pending> pending_;    // by ticket
  std::optional<int64_t> offset_;  // from the GPU's clock to the trace's
};

}  // namespace tern::backends::webgpu
