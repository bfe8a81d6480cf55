#include "backends/webgpu/gpu_roofs.h"

#include <algorithm>
#include <chrono>

#include "backends/webgpu/compose.h"
#include "graph/params.h"
#include "graph/plan.h"

namespace tern::backends::webgpu {

namespace {

using graph::Access, graph::PlanSlot, graph::SlotKind;

constexpr uint32_t kSums = 256, kUnroll = 16, kThreads = 256;  // as the kernels have them

/// How much a dispatch does: enough that nothing else counts, on a GPU; on a CPU that plays one, little.
struct Size {
  uint64_t bytes;
  uint32_t groups, loops;
  uint32_t repeats;  // dispatches in the longer of two steps, less one
  int runs;

  static Size of(const graph::GpuFacts& gpu) {
    if (gpu.software) return {uint64_t{16} << 20, 8, 32, 4, 3};
    const uint64_t most = std::min(gpu.max_binding_bytes, gpu.max_buffer_bytes) / 256 * 256;
    return {std::min(uint64_t{512} << 20, most), 2048, 256, 8, 4};
  }
};

/// A plan that runs one kernel once or 1 + repeats times, as the step's number of tokens says: the difference is time
/// of the kernel alone. What a program is for: kFill, then kRead, kInt8, kFloat, each for one and for many.
class RoofPlan {
 public:
  enum Kernel : uint32_t { kFill, kRead, kInt8, kFloat };
  static uint32_t tokens(Kernel kernel, bool many) { return kernel == kFill ? 1 : 2 * kernel + many; }

  static Result<graph::Plan> make(const Size& size, bool has_int8) {
    RoofPlan out(size);
    Constants constants;
    constants.add("VECTORS", static_cast<uint32_t>(size.bytes / 16));
    constants.add("SUMS", kSums);
    constants.add("LOOPS", size.loops);
    const auto kernel = [&](std::string_view file, Kernel which, bool reads_data) -> Result<void> {
      const bool is_fill = which == kFill;
      std::string source = TRY(compose({file}, constants));
      std::vector<Access> access(reads_data ? 2 : 1, Access::kReadWrite);
      if (reads_data) access[0] = Access::kRead;
      out.plan_.pipelines.push_back({std::string(file), std::move(source), graph::Op::kAdd, {}, access});
      out.program(tokens(which, false), 1, is_fill || reads_data, !is_fill);
      if (!is_fill) out.program(tokens(which, true), 1 + size.repeats, reads_data, true);
      return {};
    };
    TRY(kernel("roof_fill", kFill, false));
    TRY(kernel("roof_read", kRead, true));
    // Without packed products their place is taken, so that the numbers of tokens stay as they are.
    TRY(kernel(has_int8 ? "roof_int8" : "roof_f32", kInt8, false));
    TRY(kernel("roof_f32", kFloat, false));
    TRY(graph::validate(out.plan_));
    return std::move(out.plan_);
  }

 private:
  graph::Plan plan_;
  uint32_t groups_;

  explicit RoofPlan(const Size& size) : groups_(size.groups) {
    plan_.backend = "webgpu";
    plan_.key = {.max_tokens = tokens(kFloat, true), .max_rows = 1, .max_seqs = 1, .max_pages = 1};
    plan_.arena = {size.bytes, kSums * 4};
    plan_.slots = {PlanSlot{SlotKind::kArena, 0, 0, size.bytes}, PlanSlot{SlotKind::kArena, 1, 0, kSums * 4},
                   PlanSlot{SlotKind::kParams, 0, 0, graph::ParamsLayout::of(plan_.key, 1).bytes()}};
    plan_.strings = {"limit"};
    plan_.outputs = {{"sums", {1, graph::DType::kF32, graph::Dim::constant(1), 1, 0, 1}}};
  }

  void program(uint32_t max_tokens, uint32_t n_steps, bool binds_data, bool binds_sums) {
    const auto first = static_cast<uint32_t>(plan_.steps.size());
    for (uint32_t i = 0; i < n_steps; ++i) {
      graph::PlanStep step{.pipeline = static_cast<uint32_t>(plan_.pipelines.size() - 1),
                           .first_binding = static_cast<uint32_t>(plan_.bindings.size()),
                           .n_inputs = binds_data && binds_sums ? 1u : 0u,
                           .n_outputs = 1,
                           .grid = {}};
      step.grid[0].constant = groups_;
      for (uint32_t slot = binds_data ? 0 : 1; slot < (binds_sums ? 2u : 1u); ++slot) {
        plan_.bindings.push_back({slot, graph::DType::kF32, graph::Dim::constant(1), 1, 0, 1});
      }
      plan_.steps.push_back(step);
    }
    plan_.programs.push_back({max_tokens, first, n_steps});
  }
};

/// Steps of a loaded RoofPlan.
class Stopwatch {
 public:
  Stopwatch(Device& device, uint32_t plan, const Size& size) : device_(device), plan_(plan), size_(size) {}

  /// Seconds of the whole step, with the way to the device and back.
  Result<double> step(uint32_t tokens) {
    const auto start = std::chrono::steady_clock::now();
    const uint32_t params = 0;
    const uint64_t ticket =
        TRY(device_.submit(plan_, {.t = tokens, .r = 1, .s = 1}, std::as_bytes(std::span(&params, 1)), 1));
    for (auto poll = Poll::kPending; poll != Poll::kReady;) {
      device_.wait(ticket);
      poll = TRY(device_.poll(ticket, 0, {}));
      if (poll == Poll::kDeviceLost) return fail(ErrorCode::kDeviceLost, "The device was lost.");
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  /// Seconds of one dispatch: of the fastest steps.
  Result<double> dispatch(RoofPlan::Kernel kernel) {
    // A GPU that idled runs at a fraction of its clock: some tens of milliseconds of work wake it (docs/webgpu.md).
    double one = 1e30, many = 1e30, warming = 0;
    while (warming < kWarm) warming += TRY(step(RoofPlan::tokens(kernel, true)));
    for (int run = 0; run < size_.runs; ++run) {
      one = std::min(one, TRY(step(RoofPlan::tokens(kernel, false))));
      many = std::min(many, TRY(step(RoofPlan::tokens(kernel, true))));
    }
    return std::max(many - one, 1e-9) / size_.repeats;
  }

 private:
  static constexpr double kWarm = 0.02;
  Device& device_;
  uint32_t plan_;
  Size size_;
};

}  // namespace

Result<Roofs> measure_gpu_roofs(Device& device) {
  const graph::GpuFacts& gpu = device.target().gpu;
  const Size size = Size::of(gpu);
  const graph::Plan plan = TRY(RoofPlan::make(size, gpu.packed_dot));
  const uint32_t id = TRY_CTX(device.load(graph::write_plan(plan), {}, {}, {}), "while measuring the GPU's limits");
  const auto measure = [&]() -> Result<Roofs> {
    Stopwatch watch(device, id, size);
    TRY(watch.step(RoofPlan::tokens(RoofPlan::kFill, false)));
    const double products = 1.0 * size.groups * kThreads * size.loops * kUnroll;
    Roofs roofs;
    roofs.read_gb_s = static_cast<double>(size.bytes) / TRY(watch.dispatch(RoofPlan::kRead)) * 1e-9;
    roofs.peak_gflop_s = 2 * products / TRY(watch.dispatch(RoofPlan::kFloat)) * 1e-9;
    if (gpu.packed_dot) roofs.peak_int8_gop_s = 8 * products / TRY(watch.dispatch(RoofPlan::kInt8)) * 1e-9;
    return roofs;
  };
  auto roofs = measure();
  device.unload(id);
  return roofs;
}

}  // namespace tern::backends::webgpu
