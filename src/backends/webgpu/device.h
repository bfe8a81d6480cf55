// Device: what plays plans on a GPU. Two implementations: native/ (wgpu-native) and the TypeScript player, reached
// from WebAssembly. Both see plan words, buffers and bytes; everything that knows models is above, in WebgpuBackend.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backends/backend.h"

namespace tern::backends::webgpu {

/// When a dispatch ran, on the GPU's own clock. step: index into plan.steps.
struct DispatchTime {
  uint32_t step = 0;
  uint64_t begin_ns = 0, end_ns = 0;
};

struct Device {
  virtual ~Device() = default;
  /// The facts that lowering decides by; `backend` is "webgpu", max_weight_bytes is left to WebgpuBackend.
  virtual const graph::Target& target() const = 0;

  /// A zeroed storage buffer; bytes: a multiple of 4. Errors: kOutOfMemory naming the need and the limit.
  virtual Result<uint32_t> alloc(uint64_t bytes) = 0;
  /// offset and size: multiples of 4. The data is copied before this returns. Several threads may write at a time.
  virtual Result<void> write(uint32_t buffer, uint64_t offset, std::span<const std::byte> data) = 0;
  virtual void free(uint32_t buffer) = 0;
  /// Whether such buffers could all be made at a time, beside those that there are. Errors: kOutOfMemory saying how
  /// much there is. A device that knows that only later says yes.
  virtual Result<void> try_alloc(std::span<const uint64_t> /*bytes*/) { return {}; }

  /// Starts compiling the kernels of a plan (write_plan) and returns at once; load() then finds them. A kernel that is
  /// known already is not compiled again. What does not compile, load() reports.
  virtual Result<void> compile(std::span<const uint32_t> /*plan*/) { return {}; }
  /// Reads a plan and makes it ready: arena, state and params buffers, pipelines, bind groups. weights:
  /// one buffer per plan.weights; keys, values: one per layer. Compiling may go on after this returns.
  virtual Result<uint32_t> load(std::span<const uint32_t> plan, std::span<const uint32_t> weights,
                                std::span<const uint32_t> keys, std::span<const uint32_t> values) = 0;
  virtual void unload(uint32_t plan) = 0;

  /// Writes the params block, runs the program for n.t tokens, and starts reading those outputs back whose bit is set
  /// in `outputs` (bit i: plan.outputs[i]). Returns the ticket: 1, 2, 3 ...; never waits.
  virtual Result<uint64_t> submit(uint32_t plan, const graph::StepCounts& n, std::span<const std::byte> params,
                                  uint32_t outputs) = 0;
  /// out: as large as the output is in that step, or empty to ask only whether the step is done. Outputs are kept for
  /// the last kSampledTokens tickets.
  virtual Result<Poll> poll(uint64_t ticket, uint32_t output, std::span<std::byte> out) = 0;
  /// Blocks; never called in a browser.
  virtual void wait(uint64_t ticket) = 0;

  /// Whether steps from here on are played with a pass and two timestamps for each dispatch, which takes longer.
  /// Errors: kUnsupported where the device takes none.
  virtual Result<void> time_dispatches(bool /*on*/) {
    return fail(ErrorCode::kUnsupported, "{} gives no times.", target().device);
  }
  /// Of a step that poll() says is ready; empty when it was not timed, or later tickets took its place.
  virtual std::vector<DispatchTime> times(uint64_t /*ticket*/) { return {}; }
};

}  // namespace tern::backends::webgpu
