#include "backends/webgpu/webgpu_backend.h"

#include <algorithm>
#include <optional>

#include "backends/host/check_step.h"
#include "backends/webgpu/emitter.h"
#include "backends/webgpu/gpu_roofs.h"
#include "backends/webgpu/gpu_trace.h"
#include "backends/webgpu/tuner.h"
#include "backends/webgpu/uploader.h"
#include "graph/passes/passes.h"

namespace tern::backends::webgpu {

graph::Target complete(graph::Target device) {
  device.backend = "webgpu";
  // Passes count a weight's bytes in the file's format; planes take up to 2.3 times as many (Q2_K: 6 bits for 2.6).
  device.max_weight_bytes = std::min(device.gpu.max_binding_bytes, device.gpu.max_buffer_bytes) / 5 * 2;
  device.imports_host_memory = false;
  return device;
}

namespace {

/// Enough to share out over all cores; the rows lie in the mapped file.
constexpr uint64_t kUploadBytes = uint64_t{64} << 20;

class WebgpuBackend final : public Backend {
 public:
  WebgpuBackend(std::unique_ptr<Device> device, const WebgpuOptions& options)
      : device_(std::move(device)),
        target_(complete(device_->target())),
        threads_(options.threads),
        trace_(*device_, options.trace),
        keeps_plans_(options.trace != nullptr) {
    target_.expose_values = options.expose_values;
    if (!options.tuning.empty()) target_.tuning = options.tuning;
  }

  const graph::Target& target() const override { return target_; }

  Result<graph::Plan> lower(graph::Graph graph, const graph::PlanKey& key) const override {
    TRY(graph::run_passes(graph, target_));
    return TRY_CTX(webgpu::lower(graph, key, target_), "while planning for {}", target_.device);
  }

  Result<Buffer> alloc(uint64_t bytes, Usage usage) override {
    if (usage == Usage::kKvCache) TRY(check_cache(bytes));
    return Buffer{TRY(device_->alloc((bytes + 15) / 16 * 16))};
  }
  Result<Buffer> import_host(std::span<const std::span<const std::byte>>) override {
    return fail(ErrorCode::kUnsupported, "A GPU does not use host memory in place.");
  }
  void free(Buffer buffer) override { device_->free(buffer.id); }

  Result<void> check_room(const graph::Plan& plan, uint64_t kv_bytes) override {
    TRY(check_cache(kv_bytes));
    std::vector<uint64_t> sizes = plan.arena;
    sizes.insert(sizes.end(), 2 * plan.n_layers, (kv_bytes + 15) / 16 * 16);
    sizes.push_back(kUploadBytes);
    return device_->try_alloc(sizes);
  }

  uint64_t weight_bytes(const graph::Plan& plan, uint32_t weight) const override {
    return PlaneLayout::of(plan.weights[weight]).bytes;
  }

  Result<void> upload_rows(const graph::Plan& plan, uint32_t weight, Buffer buffer, uint32_t row0,
                           std::span<const std::byte> rows) override {
    if (!uploader_) uploader_.emplace(*device_, threads_);
    return uploader_->upload(plan.weights[weight], buffer.id, row0, rows);
  }
  uint64_t upload_bytes() const override { return kUploadBytes; }

  Result<void> prepare(const graph::Plan& plan) override { return device_->compile(graph::write_plan(plan)); }

  Result<PlanId> load(const graph::Plan& plan, std::span<const Buffer> weights, std::span<const Buffer> keys,
                      std::span<const Buffer> values, uint32_t n_pages) override {
    uploader_.reset();  // its threads and memory: weights are complete
    TRY_CTX(graph::validate(plan), "while loading a plan");
    if (plan.backend != target_.backend || weights.size() != plan.weights.size() || keys.size() != plan.n_layers ||
        values.size() != plan.n_layers) {
      return fail(ErrorCode::kInvalidArgument,
                  "The plan for {} has {} weights and {} layers; {} weights and {} and {} caches are given to {}.",
                  plan.backend, plan.weights.size(), plan.n_layers, weights.size(), keys.size(), values.size(),
                  target_.backend);
    }
    const uint32_t logits = plan.find_output("logits");
    const uint32_t vocabulary = logits == graph::kNone ? 0 : plan.outputs[logits].binding.cols;
    LoadedPlan loaded{.limits = StepLimits::of(plan, n_pages), .layout = graph::ParamsLayout::of(plan.key, vocabulary)};
    loaded.key = plan.key;
    loaded.block.resize(loaded.layout.words);
    loaded.next_position.resize(plan.key.max_seqs);
    loaded.tokens_output = plan.find_output("tokens");
    loaded.pooled_output = plan.find_output("pooled");
    loaded.n_outputs = static_cast<uint32_t>(plan.outputs.size());
    const auto ids = [](std::span<const Buffer> buffers) {
      std::vector<uint32_t> out;
      for (const Buffer buffer : buffers) out.push_back(buffer.id);
      return out;
    };
    loaded.id = TRY(device_->load(graph::write_plan(plan), ids(weights), ids(keys), ids(values)));
    loaded.used = true;
    if (keeps_plans_) loaded.plan = std::make_unique<graph::Plan>(plan);
    plans_.push_back(std::move(loaded));
    return PlanId{static_cast<uint32_t>(plans_.size() - 1)};
  }

  void unload(PlanId plan) override {
    if (plan.id >= plans_.size() || !plans_[plan.id].used) return;
    device_->unload(plans_[plan.id].id);
    plans_[plan.id] = {};
  }

  Result<Ticket> submit(PlanId plan, const graph::StepParams& step) override {
    if (plan.id >= plans_.size() || !plans_[plan.id].used) {
      return fail(ErrorCode::kInvalidArgument, "There is no plan {}.", plan.id);
    }
    LoadedPlan& loaded = plans_[plan.id];
    TRY(check_step(loaded.limits, step, loaded.next_position));
    TRY(graph::check_params(loaded.layout, loaded.key, step));
    const auto words = graph::write_params(loaded.layout, step, loaded.block);
    if (loaded.plan) trace_.begin(*loaded.plan, step);
    const uint64_t ticket =
        TRY(device_->submit(loaded.id, graph::count(step), std::as_bytes(words), wanted_outputs(loaded, step)));
    trace_.submitted(ticket);
    return Ticket{ticket};
  }

  Result<Poll> poll(Ticket ticket, uint32_t output, OutputRoom out) override {
    const Poll poll = TRY(device_->poll(ticket.id, output, out));
    if (poll == Poll::kReady) trace_.ready(ticket.id);
    return poll;
  }
  void wait(Ticket ticket) override { device_->wait(ticket.id); }

  Result<Roofs> measure_roofs() override { return measure_gpu_roofs(*device_); }

  Result<std::vector<TunedShape>> tune(graph::Graph graph, std::span<const Buffer> weights,
                                       const TuneOptions& options) override {
    uploader_.reset();
    TRY(graph::run_passes(graph, target_));
    std::vector<uint32_t> ids;
    for (const Buffer buffer : weights) ids.push_back(buffer.id);
    Tuner tuner(*device_, target_, graph, ids, options);
    return tuner.run();
  }

 private:
  /// A layer's keys or values are one binding.
  Result<void> check_cache(uint64_t bytes) const {
    const uint64_t most = std::min(target_.gpu.max_binding_bytes, target_.gpu.max_buffer_bytes);
    if (bytes <= most) return {};
    return fail(ErrorCode::kOutOfMemory,
                "A layer's keys need {} bytes and its values as many; {} binds {} at most. A shorter --context or --kv "
                "q8_0 needs less.",
                bytes, target_.device, most);
  }

  struct LoadedPlan {
    StepLimits limits;
    graph::ParamsLayout layout{};
    graph::PlanKey key;
    std::vector<uint32_t> block;          // params, written anew for each step
    std::vector<uint64_t> next_position;  // for check_step
    std::unique_ptr<graph::Plan> plan;    // while there is a trace, which names its steps
    uint32_t id = 0;                      // of the device
    uint32_t tokens_output = graph::kNone, pooled_output = graph::kNone;
    uint32_t n_outputs = 0;
    bool used = false;
  };

  std::unique_ptr<Device> device_;
  graph::Target target_;
  uint32_t threads_;
  GpuTrace trace_;
  bool keeps_plans_ = false;
  std::optional<Uploader> uploader_;  // from the first rows to load()
  std::vector<LoadedPlan> plans_;     // index: PlanId

  /// Bit i: output i is read back.
  static uint32_t wanted_outputs(const LoadedPlan& loaded, const graph::StepParams& step) {
    const uint32_t all = loaded.n_outputs >= 32 ? UINT32_MAX : (1u << loaded.n_outputs) - 1;
    const auto bit = [](uint32_t output) { return output < 32 ? 1u << output : 0; };
    const uint32_t tokens = bit(loaded.tokens_output), pooled = bit(loaded.pooled_output);
    return (step.samples.empty() ? 0 : tokens) | (step.pools.empty() ? 0 : pooled) |
           (step.read_logits ? all & ~tokens & ~pooled : 0);
  }
};

}  // namespace

std::unique_ptr<Backend> make_webgpu_backend(std::unique_ptr<Device> device, const WebgpuOptions& options) {
  return std::make_unique<WebgpuBackend>(std::move(device), options);
}

}  // namespace tern::backends::webgpu
