#include "backends/webgpu/gpu_trace.h"

#include <algorithm>
#include <utility>

namespace tern::backends::webgpu {

GpuTrace::GpuTrace(Device& device, Trace* trace) : device_(device), trace_(trace) {
  if (trace_) lane_ = trace_->add_lane("gpu");
}

void GpuTrace::begin(const graph::Plan& plan, const graph::StepParams& step) {
  begun_.reset();
  if (!trace_) return;
  const bool wanted = trace_->recording() && has_times_;
  if (wanted != is_timing_) {
    has_times_ = device_.time_dispatches(wanted).has_value();
    is_timing_ = wanted && has_times_;
  }
  if (!is_timing_) return;
  begun_ = Pending{.submitted_ns = trace_->now(), .plan = &plan, .shape = StepShape::of(plan, step)};
}

void GpuTrace::submitted(uint64_t ticket) {
  if (!begun_) return;
  begun_->ticket = ticket;
  pending_.push_back(*std::exchange(begun_, std::nullopt));
}

void GpuTrace::ready(uint64_t ticket) {
  while (!pending_.empty() && pending_.front().ticket < ticket) pending_.pop_front();  // never asked for
  if (pending_.empty() || pending_.front().ticket != ticket) return;
  const Pending step = std::move(pending_.front());
  pending_.pop_front();
  const std::vector<DispatchTime> times = device_.times(ticket);
  if (times.empty()) return;
  // The clocks have nothing in common but that no step runs before it is submitted. One that has to wait for others
  // says less than one that begins at once, so the largest difference seen is kept.
  const auto least = static_cast<int64_t>(step.submitted_ns) - static_cast<int64_t>(times.front().begin_ns);
  offset_ = std::max(offset_.value_or(least), least);
  for (const DispatchTime& time : times) {
    const graph::PlanStep& dispatch = step.plan->steps[time.step];
    const Work work = work_of(*step.plan, dispatch, step.shape);
    trace_->add(lane_, {.name = trace_->keep(step.plan->pipelines[dispatch.pipeline].name),
                        .begin_ns = static_cast<uint64_t>(static_cast<int64_t>(time.begin_ns) + *offset_),
                        .end_ns = static_cast<uint64_t>(static_cast<int64_t>(time.end_ns) + *offset_),
                        .bytes = work.bytes,
                        .operations = work.operations,
                        .int8_operations = work.int8_operations,
                        .of = trace_->keep(step.plan->strings[dispatch.name])});
  }
}

}  // namespace tern::backends::webgpu
