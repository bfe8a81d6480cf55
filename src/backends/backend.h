// Backend: what plays plans. One folder each; engine/ knows only this. Nothing here waits but wait().
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/roofs.h"
#include "base/result.h"
#include "base/trace.h"
#include "graph/plan.h"
#include "graph/step.h"
#include "graph/target.h"

namespace tern::backends {

enum class Usage : uint32_t { kWeight, kKvCache };
struct Buffer {
  uint32_t id = UINT32_MAX;
};  // small integers; the backend owns what they name
struct PlanId {
  uint32_t id = UINT32_MAX;
};
struct Ticket {
  uint64_t id = 0;
};
enum class Poll { kPending, kReady, kDeviceLost };

/// What tuning found for one piece of work that a kernel can do in several shapes (backends/webgpu/emitter.h: Choice).
struct TunedShape {
  std::string key;
  std::vector<uint32_t> standard, best;
  double standard_s = 0, best_s = 0;  // of all dispatches of a step that do this work; without timestamps of the step
  uint32_t variants = 0;              // that were measured
};

struct TuneOptions {
  std::span<const uint32_t> tokens;  // of the steps to tune: one of each of so many sequences, above 64 all of one
  uint32_t most_variants = 0;        // of a kernel that are measured, spread over all there are; 0: all
  std::function<void(uint64_t done, uint64_t total)> progress;
};

/// Room for an output: an array of f32 or i32, as the plan says. An empty one asks for nothing.
struct OutputRoom : std::span<std::byte> {
  OutputRoom() = default;
  template <std::ranges::contiguous_range Values>
    requires(sizeof(std::ranges::range_value_t<Values>) == 4)
  OutputRoom(Values&& values)  // NOLINT: any array of the right kind is such a room
      : span(std::as_writable_bytes(std::span(values))) {}
};

using ReleaseRows = std::function<void(uint32_t row0, uint32_t n)>;

struct Backend {
  virtual ~Backend() = default;
  virtual const graph::Target& target() const = 0;

  /// Runs the passes and compiles the graph for this target. Pure: the same bytes for the same input, needs no device.
  virtual Result<graph::Plan> lower(graph::Graph graph, const graph::PlanKey& key) const = 0;

  /// Zeroed device memory. Errors: kOutOfMemory naming the need.
  virtual Result<Buffer> alloc(uint64_t bytes, Usage usage) = 0;
  /// Uses host memory in place, which must outlive the buffer. A weight merged from several tensors of the file (Q, K
  /// and V) comes as one piece per run of adjacent rows, in row order, so that merging copies nothing.
  /// Errors: kUnsupported when target() does not import.
  virtual Result<Buffer> import_host(std::span<const std::span<const std::byte>> pieces) = 0;
  /// Whether this backend computes with weight `weight` of the plan as the file has it, so that it may be imported.
  /// (Their sizes may be equal although the layouts are not.)
  virtual bool uses_file_layout(const graph::Plan& /*plan*/, uint32_t /*weight*/) const {
    return target().imports_host_memory;
  }
  /// For a cache of weights in this backend's own layout: a word that changes with the layout (empty: nothing to
  /// cache), the bytes of a buffer that upload_rows() has filled, and such bytes used in place as import_host() does.
  /// Errors: kUnsupported where there is no such layout; kInvalidArgument for an unknown buffer.
  virtual std::string layout_name() const { return {}; }
  virtual Result<std::span<const std::byte>> own_bytes(Buffer /*buffer*/) const {
    return fail(ErrorCode::kUnsupported, "{} has no layout of its own that could be cached.", target().backend);
  }
  virtual Result<Buffer> import_own(std::span<const std::byte> /*bytes*/) {
    return fail(ErrorCode::kUnsupported, "{} has no layout of its own that could be cached.", target().backend);
  }
  /// Bytes that weight `weight` of the plan takes in this backend's layout.
  virtual uint64_t weight_bytes(const graph::Plan& plan, uint32_t weight) const = 0;
  /// Rows [row0, ...) of a weight in file layout; the backend repacks them into its own. rows: n * row_bytes.
  virtual Result<void> upload_rows(const graph::Plan& plan, uint32_t weight, Buffer buffer, uint32_t row0,
                                   std::span<const std::byte> rows) = 0;
  /// Bytes of rows worth giving to upload_rows() at a time where the file is mapped: large enough to be cheap, small
  /// enough not to count in memory.
  virtual uint64_t upload_bytes() const { return uint64_t{4} << 20; }
  /// Takes a weight that lies in host memory, pieces as in import_host(), and repacks it when steps first use it, so
  /// that a first token does not wait for that; nullopt where weights have to be uploaded. `release` is called, by any
  /// thread, when rows [row0, row0 + n) are not read again.
  virtual Result<std::optional<Buffer>> repack_later(const graph::Plan& /*plan*/, uint32_t /*weight*/,
                                                     std::span<const std::span<const std::byte>> /*pieces*/,
                                                     ReleaseRows /*release*/) {
    return std::nullopt;
  }
  virtual void free(Buffer buffer) = 0;

  /// Whether what load() needs beside the weights, whose buffers are made, fits the device too: keys and values of each
  /// layer, kv_bytes each, activations, room to upload through. Called before weights are read, so that nobody waits
  /// for a model that cannot be played. Errors: kOutOfMemory with need and limit.
  virtual Result<void> check_room(const graph::Plan& /*plan*/, uint64_t /*kv_bytes*/) { return {}; }

  /// Starts what load() of this plan will wait for (compiling kernels) and returns at once, so that it goes on while
  /// weights are placed. Not needed before load().
  virtual Result<void> prepare(const graph::Plan& /*plan*/) { return {}; }

  /// Makes the plan ready to play. weights: one per plan.weights; keys, values: one per layer, n_pages pages each.
  virtual Result<PlanId> load(const graph::Plan& plan, std::span<const Buffer> weights, std::span<const Buffer> keys,
                              std::span<const Buffer> values, uint32_t n_pages) = 0;
  virtual void unload(PlanId plan) = 0;

  /// Starts a step and returns at once; steps of one backend run in order. StepParams are copied. A
  /// backend may refuse to have more than target().steps_in_flight steps submitted and not done.
  /// Errors: kInvalidArgument when the step breaks the plan's limits (T, R, S, ids, positions, pages).
  virtual Result<Ticket> submit(PlanId plan, const graph::StepParams& step) = 0;
  /// When ready, copies output `output` (index into plan.outputs; R * cols values) to out. A ticket's outputs live
  /// until target().steps_in_flight more steps were submitted. An empty `out` only asks whether the step is done.
  virtual Result<Poll> poll(Ticket ticket, uint32_t output, OutputRoom out) = 0;
  /// Blocks until the ticket is done: for command lines and tests; never called in a browser.
  virtual void wait(Ticket ticket) = 0;

  /// The limits of the device, while no step is in flight: for command lines; blocks for half a second.
  /// Errors: the device's.
  virtual Result<Roofs> measure_roofs() { return Roofs{}; }

  /// Measures the shapes of all kernels that play such steps on the device, while none is in flight: for command lines;
  /// blocks for a minute or two. graph: as for lower(). weights: one per weight of its plans. Nothing changes:
  /// target().tuning decides the shapes of the next lower(). Errors: kUnsupported where kernels have no shapes to
  /// choose from; the device's.
  virtual Result<std::vector<TunedShape>> tune(graph::Graph /*graph*/, std::span<const Buffer> /*weights*/,
                                               const TuneOptions& /*options*/) {
    return fail(ErrorCode::kUnsupported, "The kernels of {} have no shapes to tune.", target().device);
  }
};

/// Activations of products with quantised weights: int8 (bf16 with halves) where there are kernels for it, or always
/// f32.
enum class ActivationFormat : uint32_t { kAuto, kF32 };

/// Which backend "cpu", "gpu" and "ref" name. threads: 0 = as many as the machine has. isa: "" = best, or "scalar",
/// "avx2", "neon", ...
struct BackendOptions {
  uint32_t threads = 0;
  std::string_view isa;
  ActivationFormat activations = ActivationFormat::kAuto;
  bool expose_values = false;  // graph::Target::expose_values
  // cpu: lanes "ops" and "thread 0", "thread 1", ...; gpu: a lane "gpu" with every kernel. Outlives the backend.
  Trace* trace = nullptr;
  bool gpu_hardware_only = false;                                     // no adapters that are CPUs
  const std::map<std::string, graph::Tuning>* gpu_tunings = nullptr;  // by adapter: graph::Target::adapter
  // For tests: a weaker device.
  bool gpu_default_limits = false, gpu_no_f16 = false, gpu_no_subgroups = false;
};
Result<std::unique_ptr<Backend>> make_backend(std::string_view name, const BackendOptions& options);

/// A GPU of this machine: the target a backend on it would have, and what it is ("discrete GPU", "CPU").
struct GpuDescription {
  graph::Target target;
  std::string kind;
};
/// The preferred one first. Errors: kNotFound, saying how to install WebGPU.
Result<std::vector<GpuDescription>> list_gpus();
/// The limits of the GPU at this place of list_gpus(). Errors: kUnsupported when it gives no device; the device's.
Result<Roofs> measure_gpu(size_t index);

}  // namespace tern::backends
