#include "backends/cpu/cpu_backend.h"

#include <algorithm>
#include <array>

#include "backends/cpu/op_cost.h"
#include "backends/cpu/ops.h"
#include "backends/cpu/roofs.h"
#include "backends/cpu/step_copy.h"
#include "backends/host/host_backend.h"
#include "base/pages.h"
#include "graph/params.h"
#include "graph/passes/passes.h"

namespace tern::backends {

namespace cpu {

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
    case graph::Op::kLinearAdd:
    case graph::Op::kLinearGlu:
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
    case graph::Op::kRopeKvWrite:
      return rope_kv_write;
  }
  return nullptr;
}

}  // namespace cpu

namespace {

constexpr uint64_t kInFlight = 4;  // steps that may be submitted and not done

/// A plan that is ready to play.
struct LoadedPlan {
  BoundPlan bound;
  std::vector<cpu::Panels> panels;  // index: as bound.weights
  cpu::Scratch scratch;
  std::array<cpu::StepCopy, kInFlight> steps;  // index: job % kInFlight
  HostBlock next_position;                     // for check_step
};

class CpuBackend final : public HostBackend {
 public:
  CpuBackend(const cpu::KernelTable& kernels, const BackendOptions& options)
      : kernels_(kernels),
        activations_(options.activations),
        trace_(options.trace),
        pool_(options.threads),
        runner_([this](uint64_t job) { play(job); }) {
    if (trace_) ops_lane_ = trace_->add_lane("ops");
    pool_.set_trace(trace_);
    target_.backend = "cpu";
    target_.device = fmt::format("cpu {}", kernels.name);
    target_.imports_host_memory = true;
    target_.threads = pool_.threads();
    target_.expose_values = options.expose_values;
  }

  Result<graph::Plan> lower(graph::Graph graph, const graph::PlanKey& key) const override {
    TRY(graph::run_passes(graph, target_));
    return graph::lower_ops(graph, key, target_.backend, /*reuse=*/true);
  }

  Result<Buffer> alloc(uint64_t bytes, Usage usage) override {
    const Buffer buffer = TRY(memory_.alloc(bytes));
    if (usage == Usage::kWeight) prefer_huge_pages(TRY(memory_.writable(buffer)));
    return buffer;
  }
  bool uses_file_layout(const graph::Plan& plan, uint32_t weight) const override { return !layout(plan, weight); }
  /// The layout is the same for all instruction sets, but which weights have it is not.
  std::string layout_name() const override {
    return activations_ == ActivationFormat::kF32 ? "" : fmt::format("panels {} {}", cpu::kPanelVersion, kernels_.name);
  }
  Result<std::span<const std::byte>> own_bytes(Buffer buffer) const override { return TRY(memory_.pieces(buffer))[0]; }
  Result<Buffer> import_own(std::span<const std::byte> bytes) override { return memory_.import({&bytes, 1}); }
  uint64_t weight_bytes(const graph::Plan& plan, uint32_t weight) const override {
    const auto panels = layout(plan, weight);
    return panels ? panels->bytes() : file_layout_bytes(plan.weights[weight]);
  }
  Result<void> upload_rows(const graph::Plan& plan, uint32_t weight, Buffer buffer, uint32_t row0,
                           std::span<const std::byte> rows) override {
    const std::span<std::byte> memory = TRY(memory_.writable(buffer));
    const auto panels = layout(plan, weight);
    if (!panels) return write_rows(plan.weights[weight], row0, rows, memory);
    const auto n = static_cast<uint32_t>(TRY(rows_in(plan.weights[weight], row0, rows)));
    if (memory.size() < panels->bytes()) {
      return fail(ErrorCode::kInvalidArgument, "The buffer of weight {} has {} bytes; {} are needed.",
                  plan.weights[weight].name, memory.size(), panels->bytes());
    }
    runner_.wait(last_.job);  // the pool has one caller at a time
    const uint64_t row_bytes = n > 0 ? rows.size() / n : 0;
    pool_.parallel_for(n, 16, [&](size_t begin, size_t end, uint32_t) {
      cpu::repack_rows(*panels, row0 + static_cast<uint32_t>(begin), static_cast<uint32_t>(end - begin),
                       rows.data() + begin * row_bytes, memory.data());
    });
    return {};
  }
  Result<std::optional<Buffer>> repack_later(const graph::Plan& plan, uint32_t weight,
                                             std::span<const std::span<const std::byte>> pieces,
                                             ReleaseRows release) override {
    const auto panels = layout(plan, weight);
    if (!panels) return std::nullopt;
    WeightRows rows = TRY(WeightRows::make(plan.weights[weight], pieces));
    const Buffer buffer = TRY(alloc(panels->bytes(), Usage::kWeight));
    std::byte* memory = TRY(memory_.writable(buffer)).data();
    sources_.resize(std::max<size_t>(sources_.size(), buffer.id + 1));
    sources_[buffer.id] = std::make_unique<cpu::PanelSource>(*panels, std::move(rows), memory, std::move(release));
    return buffer;
  }
  void free(Buffer buffer) override {
    runner_.wait(last_.job);
    if (buffer.id < sources_.size()) sources_[buffer.id].reset();
    HostBackend::free(buffer);
  }

  Result<PlanId> load(const graph::Plan& plan, std::span<const Buffer> weights, std::span<const Buffer> keys,
                      std::span<const Buffer> values, uint32_t n_pages) override {
    auto loaded = std::make_unique<LoadedPlan>();
    loaded->bound = TRY(bind_plan(plan, target_.backend, memory_, weights, keys, values, n_pages));
    uint64_t largest_pair = 0;
    for (uint32_t w = 0; w < weights.size(); ++w) {
      loaded->panels.push_back(TRY(panels_of(loaded->bound, w, weights[w])));
      const cpu::Panels& panels = loaded->panels.back();
      if (panels.source) largest_pair = std::max(largest_pair, 2 * panels.layout.panel_bytes());
    }
    loaded->scratch = TRY(cpu::Scratch::make(loaded->bound, kernels_, pool_.threads(), largest_pair));
    for (cpu::StepCopy& step : loaded->steps) step = TRY(cpu::StepCopy::make(loaded->bound.limits));
    loaded->next_position =
        TRY(HostBlock::make(loaded->bound.limits.max_seqs * sizeof(uint64_t), "the positions of sequences"));
    plans_.push_back(std::move(loaded));
    return PlanId{static_cast<uint32_t>(plans_.size() - 1)};
  }
  void unload(PlanId plan) override {
    runner_.wait(last_.job);
    if (plan.id < plans_.size()) plans_[plan.id].reset();
  }

  Result<Ticket> submit(PlanId plan, const graph::StepParams& step) override {
    if (plan.id >= plans_.size() || !plans_[plan.id]) {
      return fail(ErrorCode::kInvalidArgument, "There is no plan {}.", plan.id);
    }
    LoadedPlan& loaded = *plans_[plan.id];
    TRY(check_step(loaded.bound.limits, step, loaded.next_position.as<uint64_t>()));
    if (last_.job - runner_.finished() >= kInFlight) {
      return fail(ErrorCode::kInvalidArgument, "{} steps are in flight, which is the most; wait for one.", kInFlight);
    }
    const uint64_t job = last_.job + 1;
    loaded.steps[job % kInFlight].assign(step);
    jobs_[job % kInFlight] = &loaded;
    last_ = {job, plan, graph::count(step)};
    runner_.start();
    return Ticket{job};
  }

  Result<Poll> poll(Ticket ticket, uint32_t output, OutputRoom out) override {
    if (ticket.id == 0 || ticket.id > last_.job) {
      return fail(ErrorCode::kInvalidArgument, "There is no ticket {}; the last is {}.", ticket.id, last_.job);
    }
    if (!runner_.done(ticket.id)) return Poll::kPending;
    if (out.empty()) return Poll::kReady;
    if (ticket.id != last_.job || !plans_[last_.plan.id]) {
      return fail(ErrorCode::kInvalidArgument, "The outputs of ticket {} are gone.", ticket.id);
    }
    TRY(read_output(plans_[last_.plan.id]->bound, output, last_.counts, out));
    return Poll::kReady;
  }

  void wait(Ticket ticket) override {
    if (ticket.id <= last_.job) runner_.wait(ticket.id);
  }

  Result<Roofs> measure_roofs() override { return backends::measure_roofs(target_.threads, kernels_.name); }

 private:
  struct Last {
    uint64_t job = 0;  // tickets are the runner's jobs
    PlanId plan;
    graph::StepCounts counts;
  };

  /// Where the weight's panels lie; without data when it has none.
  Result<cpu::Panels> panels_of(BoundPlan& bound, uint32_t weight, Buffer buffer) const {
    const auto panels = layout(bound.plan, weight);
    if (!panels) return cpu::Panels{};
    const std::span<const std::byte> memory =
        TRY_CTX(own_bytes(buffer), "while binding weight {}", bound.plan.weights[weight].name);
    if (memory.size() < panels->bytes()) {
      return fail(ErrorCode::kInvalidArgument, "The buffer of weight {} has {} bytes; {} are needed.",
                  bound.plan.weights[weight].name, memory.size(), panels->bytes());
    }
    bound.weights[weight].runs.clear();  // they are not rows
    cpu::PanelSource* source = buffer.id < sources_.size() ? sources_[buffer.id].get() : nullptr;
    return cpu::Panels{*panels, memory.data(), kernels_.panel_kernel(panels->format), source};
  }

  std::optional<cpu::PanelLayout> layout(const graph::Plan& plan, uint32_t weight) const {
    if (activations_ == ActivationFormat::kF32) return std::nullopt;
    return cpu::panel_layout(plan, weight, kernels_);
  }

  /// On the runner's thread: all ops of a step.
  void play(uint64_t job) {
    LoadedPlan& loaded = *jobs_[job % kInFlight];
    ++loaded.scratch.step;
    const graph::StepParams& step = loaded.steps[job % kInFlight].params();
    const graph::PlanProgram& program = loaded.bound.plan.program(static_cast<uint32_t>(step.tokens.size()));
    for (size_t i = program.first_step; i < program.first_step + program.n_steps; ++i) {
      const cpu::OpFunction compute = cpu::op_function(loaded.bound.calls[i].op);
      if (compute) play(compute, {loaded.bound, loaded.panels, i, step, kernels_, pool_, loaded.scratch});
    }
  }

  void play(cpu::OpFunction compute, const cpu::Run& run) {
    if (!trace_ || !trace_->recording()) return compute(run);
    const std::string_view name = graph::op_name(run.call().op);
    pool_.name_loops(name.data());
    const uint64_t begin = trace_->now();
    compute(run);
    const uint64_t end = trace_->now();
    const cpu::OpCost cost = cpu::op_cost(run);
    trace_->add(ops_lane_, {name, begin, end, cost.bytes, cost.operations, cost.int8_operations, cost.bf16_operations});
  }

  const cpu::KernelTable& kernels_;
  const ActivationFormat activations_;
  Trace* const trace_;
  uint32_t ops_lane_ = 0;
  std::vector<std::unique_ptr<cpu::PanelSource>> sources_;  // index: Buffer; null where the panels are there
  std::vector<std::unique_ptr<LoadedPlan>> plans_;          // index: PlanId
  std::array<LoadedPlan*, kInFlight> jobs_{};               // index: job % kInFlight
  Last last_;
  ThreadPool pool_;
  JobRunner runner_;  // last: its thread uses all of the above
};

}  // namespace

Result<std::unique_ptr<Backend>> make_cpu_backend(const BackendOptions& options) {
  const cpu::KernelTable* kernels = TRY(cpu::choose_kernels(options.isa));
  return std::make_unique<CpuBackend>(*kernels, options);
}

}  // namespace tern::backends
