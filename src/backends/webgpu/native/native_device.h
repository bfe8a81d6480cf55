// NativeDevice: plays plans through wgpu-native. Steps are recorded into one command buffer with one compute pass over
// bind groups made at load; outputs are copied to a ring of readback buffers, so that several steps may be in flight.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <vector>

#include "backends/webgpu/device.h"
#include "backends/webgpu/native/pipelines.h"
#include "backends/webgpu/native/wgpu_api.h"

namespace tern::backends::webgpu {

class NativeDevice final : public Device {
 public:
  static Result<std::unique_ptr<Device>> open(const WgpuApi& api, WGPUAdapter adapter, const WGPULimits& limits,
                                              const graph::Target& target);
  ~NativeDevice() override;

  const graph::Target& target() const override { return target_; }
  Result<uint32_t> alloc(uint64_t bytes) override;
  Result<void> write(uint32_t buffer, uint64_t offset, std::span<const std::byte> data) override;
  void free(uint32_t buffer) override;
  Result<void> try_alloc(std::span<const uint64_t> bytes) override;
  Result<void> compile(std::span<const uint32_t> plan) override;
  Result<uint32_t> load(std::span<const uint32_t> plan, std::span<const uint32_t> weights,
                        std::span<const uint32_t> keys, std::span<const uint32_t> values) override;
  void unload(uint32_t plan) override;
  Result<uint64_t> submit(uint32_t plan, const graph::StepCounts& n, std::span<const std::byte> params,
                          uint32_t outputs) override;
  Result<Poll> poll(uint64_t ticket, uint32_t output, std::span<std::byte> out) override;
  void wait(uint64_t ticket) override;
  Result<void> time_dispatches(bool on) override;
  std::vector<DispatchTime> times(uint64_t ticket) override;

  /// wgpu-native does not report a lost device reliably: tests lose it by hand. From now on every poll says so.
  void lose() { lost_ = true; }

 private:
  struct Buffer {
    WGPUBuffer handle = nullptr;
    uint64_t bytes = 0;
  };
  struct LoadedPlan {
    graph::Plan plan;
    Buffer params;
    std::vector<Buffer> arena, state;
    std::vector<Pipelines::Pipeline> pipelines;  // per pipeline
    std::vector<WGPUBindGroup> groups;           // per step
  };
  struct Piece {
    uint64_t offset = 0, bytes = 0;      // in the readback buffer; nothing when not asked for
    uint64_t row_bytes = 0, stride = 0;  // of an output's rows; a view of columns leaves gaps
  };
  struct Readback {
    Buffer buffer;
    std::vector<Piece> pieces;  // per output
    uint64_t ticket = 0;
    WGPUSubmissionIndex submission = 0;
    std::vector<uint32_t> timed;  // steps of the plan whose two timestamps lie at times_at
    uint64_t times_at = 0;
    bool pending = false, mapped = false, failed = false;
  };

  const WgpuApi& api_;
  WGPUDevice device_ = nullptr;
  WGPUQueue queue_ = nullptr;
  graph::Target target_;
  std::vector<Buffer> buffers_;                     // index: id
  std::vector<std::unique_ptr<LoadedPlan>> plans_;  // index: id
  std::array<Readback, graph::kSampledTokens> ring_;
  uint64_t last_ticket_ = 0;
  std::mutex write_lock_;            // of the two below
  uint64_t unsubmitted_ = 0;         // bytes written since the last submit
  WGPUSubmissionIndex written_ = 0;  // the submission that holds the writes before those
  std::unique_ptr<Pipelines> pipelines_;
  bool lost_ = false;
  bool has_timestamps_ = false, is_timing_ = false;
  WGPUQuerySet queries_ = nullptr;  // of one step: steps run in order, and each copies its own away
  Buffer resolved_;
  std::mutex error_lock_;
  std::string error_;  // the first that no scope caught

  NativeDevice(const WgpuApi& api, const graph::Target& target) : api_(api), target_(target) {}

  Result<Buffer> make_buffer(uint64_t bytes, WGPUBufferUsage usage);
  void drop(Buffer& buffer);
  Result<void> take_error(std::string_view doing);
  static void on_error(const WGPUDevice*, WGPUErrorType, WGPUStringView message, void* self, void*);
  static void on_lost(const WGPUDevice*, WGPUDeviceLostReason, WGPUStringView, void* self, void*);

  Result<void> make_memory(LoadedPlan& loaded);
  Result<void> make_pipelines(LoadedPlan& loaded);
  Result<void> make_groups(LoadedPlan& loaded, std::span<const uint32_t> weights, std::span<const uint32_t> keys,
                           std::span<const uint32_t> values);
  Result<WGPUBindGroupEntry> entry(const LoadedPlan& loaded, uint32_t slot, std::span<const uint32_t> weights,
                                   std::span<const uint32_t> keys, std::span<const uint32_t> values) const;
  void record(const LoadedPlan& loaded, const graph::StepCounts& n, WGPUCommandEncoder encoder,
              std::vector<uint32_t>& timed);
  Result<void> record_readback(const LoadedPlan& loaded, const graph::StepCounts& n, uint32_t outputs,
                               WGPUCommandEncoder encoder, Readback& slot);
  void start_map(Readback& slot);
};

}  // namespace tern::backends::webgpu
