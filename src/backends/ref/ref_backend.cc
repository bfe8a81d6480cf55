#include "backends/ref/ref_backend.h"

#include <optional>

#include "backends/host/host_backend.h"
#include "backends/ref/ops.h"
#include "graph/params.h"
#include "graph/passes/passes.h"

namespace tern::backends {

namespace ref {

OpFunction op_function(graph::Op op) {
  switch (op) {
    case graph::Op::kWeight:
    case graph::Op::kSlice:
    case graph::Op::kConcat:
      return nullptr;  // views, made when the plan was
    case graph::Op::kEmbed:
      return embed;
    case graph::Op::kGatherRows:
      return gather_rows;
    case graph::Op::kLinear:
      return linear;
    case graph::Op::kRmsNorm:
      return rms_norm;
    case graph::Op::kPoolNorm:
      return pool_norm;
    case graph::Op::kAdd:
      return add;
    case graph::Op::kScale:
      return scale;
    case graph::Op::kSoftcap:
      return softcap;
    case graph::Op::kGlu:
      return glu;
    case graph::Op::kRope:
      return rope;
    case graph::Op::kKvWrite:
      return kv_write;
    case graph::Op::kAttention:
      return attention;
    case graph::Op::kRouteTopk:
      return route_topk;
    case graph::Op::kLinearExperts:
      return linear_experts;
    case graph::Op::kCombineExperts:
      return combine_experts;
    case graph::Op::kAddRmsNorm:
      return add_rms_norm;
    case graph::Op::kLinearAdd:
      return linear_add;
    case graph::Op::kLinearGlu:
      return linear_glu;
    case graph::Op::kRopeKvWrite:
      return rope_kv_write;
  }
  return nullptr;
}

}  // namespace ref

namespace {

class RefBackend final : public HostBackend {
 public:
  explicit RefBackend(const BackendOptions& options) {
    target_.backend = "ref";
    target_.device = "scalar interpreter";
    target_.imports_host_memory = true;
    target_.fuse = false;
    target_.expose_values = options.expose_values;
  }

  Result<graph::Plan> lower(graph::Graph graph, const graph::PlanKey& key) const override {
    TRY(graph::run_passes(graph, target_));
    return graph::lower_ops(graph, key, target_.backend, /*reuse=*/false);
  }

  Result<PlanId> load(const graph::Plan& plan, std::span<const Buffer> weights, std::span<const Buffer> keys,
                      std::span<const Buffer> values, uint32_t n_pages) override {
    plans_.push_back(TRY(bind_plan(plan, target_.backend, memory_, weights, keys, values, n_pages)));
    return PlanId{static_cast<uint32_t>(plans_.size() - 1)};
  }
  void unload(PlanId plan) override {
    if (plan.id < plans_.size()) plans_[plan.id].reset();
  }

  Result<Ticket> submit(PlanId plan, const graph::StepParams& step) override {
    if (plan.id >= plans_.size() || !plans_[plan.id]) {
      return fail(ErrorCode::kInvalidArgument, "There is no plan {}.", plan.id);
    }
    const BoundPlan& bound = *plans_[plan.id];
    std::vector<uint64_t> next_position(bound.limits.max_seqs);
    TRY(check_step(bound.limits, step, next_position));
    const graph::PlanProgram& program = bound.plan.program(static_cast<uint32_t>(step.tokens.size()));
    for (const Call& call : std::span(bound.calls).subspan(program.first_step, program.n_steps)) {
      if (const ref::OpFunction compute = ref::op_function(call.op)) compute({bound, call, step});
    }
    last_ = {plan, graph::count(step)};
    return Ticket{++last_ticket_};
  }

  Result<Poll> poll(Ticket ticket, uint32_t output, OutputRoom out) override {
    if (ticket.id == 0 || ticket.id > last_ticket_) {
      return fail(ErrorCode::kInvalidArgument, "There is no ticket {}; the last is {}.", ticket.id, last_ticket_);
    }
    if (out.empty()) return Poll::kReady;
    if (ticket.id != last_ticket_ || !plans_[last_.plan.id]) {
      return fail(ErrorCode::kInvalidArgument, "The outputs of ticket {} are gone.", ticket.id);
    }
    TRY(read_output(*plans_[last_.plan.id], output, last_.counts, out));
    return Poll::kReady;
  }

  void wait(Ticket) override {}

 private:
  struct Last {
    PlanId plan;
    graph::StepCounts counts;
  };
  std::vector<std::optional<BoundPlan>> plans_;  // index: PlanId
  Last last_;
  uint64_t last_ticket_ = 0;
};

}  // namespace

std::unique_ptr<Backend> make_ref_backend(const BackendOptions& options) {
  return std::make_unique<RefBackend>(options);
}

}  // namespace tern::backends
