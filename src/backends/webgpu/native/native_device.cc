#include "backends/webgpu/native/native_device.h"

#include <algorithm>
#include <cstring>

namespace tern::backends::webgpu {

namespace {

struct DeviceRequest {
  WGPUDevice device = nullptr;
  std::string message;
};

void on_device(WGPURequestDeviceStatus status, WGPUDevice device, WGPUStringView message, void* request, void*) {
  auto& out = *static_cast<DeviceRequest*>(request);
  if (status == WGPURequestDeviceStatus_Success) out.device = device;
  out.message = text_of(message);
}

struct Scope {
  bool is_done = false;
  std::string message;
};

void on_scope(WGPUPopErrorScopeStatus, WGPUErrorType type, WGPUStringView message, void* scope, void*) {
  auto& out = *static_cast<Scope*>(scope);
  out.is_done = true;
  if (type != WGPUErrorType_NoError) out.message = text_of(message);
}

/// The message of the error scope that was pushed last; empty when there was none.
std::string pop_error(const WgpuApi& api, WGPUDevice device) {
  Scope scope;
  WGPUPopErrorScopeCallbackInfo callback{};
  callback.mode = WGPUCallbackMode_AllowProcessEvents;
  callback.callback = on_scope;
  callback.userdata1 = &scope;
  api.pop_error_scope(device, callback);
  while (!scope.is_done) api.process_events(api.instance);
  return scope.message;
}

/// Bytes that may wait in the queue's staging memory before they are sent off. As many again are on their way then.
constexpr uint64_t kMaxUnsubmitted = uint64_t{32} << 20;

constexpr uint32_t kMaxQueries = 4096;  // of a query set, in WebGPU

}  // namespace

void NativeDevice::on_error(const WGPUDevice*, WGPUErrorType, WGPUStringView message, void* self, void*) {
  auto& device = *static_cast<NativeDevice*>(self);
  const std::lock_guard lock(device.error_lock_);
  if (device.error_.empty()) device.error_ = text_of(message);
}

void NativeDevice::on_lost(const WGPUDevice*, WGPUDeviceLostReason reason, WGPUStringView, void* self, void*) {
  if (reason != WGPUDeviceLostReason_Destroyed) static_cast<NativeDevice*>(self)->lost_ = true;
}

Result<std::unique_ptr<Device>> NativeDevice::open(const WgpuApi& api, WGPUAdapter adapter, const WGPULimits& limits,
                                                   const graph::Target& target) {
  std::unique_ptr<NativeDevice> out(new NativeDevice(api, target));
  std::vector<WGPUFeatureName> features;
  out->has_timestamps_ = api.adapter_has_feature(adapter, WGPUFeatureName_TimestampQuery);
  if (out->has_timestamps_) features.push_back(WGPUFeatureName_TimestampQuery);
  if (target.gpu.f16) features.push_back(WGPUFeatureName_ShaderF16);
  if (target.gpu.subgroups) {
    features.push_back(static_cast<WGPUFeatureName>(static_cast<int>(WGPUNativeFeature_Subgroup)));
  }
  WGPUDeviceDescriptor descriptor{};
  descriptor.requiredFeatureCount = features.size();
  descriptor.requiredFeatures = features.data();
  descriptor.requiredLimits = &limits;
  descriptor.uncapturedErrorCallbackInfo.callback = on_error;
  descriptor.uncapturedErrorCallbackInfo.userdata1 = out.get();
  descriptor.deviceLostCallbackInfo.mode = WGPUCallbackMode_AllowSpontaneous;
  descriptor.deviceLostCallbackInfo.callback = on_lost;
  descriptor.deviceLostCallbackInfo.userdata1 = out.get();
  DeviceRequest request;
  WGPURequestDeviceCallbackInfo callback{};
  callback.mode = WGPUCallbackMode_AllowSpontaneous;
  callback.callback = on_device;
  callback.userdata1 = &request;
  api.request_device(adapter, &descriptor, callback);
  api.release_adapter(adapter);
  if (request.device == nullptr) {
    return fail(ErrorCode::kUnsupported, "{} gives no device: {}", target.device, request.message);
  }
  out->device_ = request.device;
  out->queue_ = api.get_queue(request.device);
  out->pipelines_ = std::make_unique<Pipelines>(api, request.device);
  return out;
}

NativeDevice::~NativeDevice() {
  for (uint32_t i = 0; i < plans_.size(); ++i) unload(i);
  pipelines_.reset();
  if (device_ != nullptr) api_.poll(device_, true, nullptr);
  for (Readback& slot : ring_) drop(slot.buffer);
  for (Buffer& buffer : buffers_) drop(buffer);
  drop(resolved_);
  if (queries_ != nullptr) api_.release_query_set(queries_);
  if (queue_ != nullptr) api_.release_queue(queue_);
  if (device_ != nullptr) api_.release_device(device_);
}

Result<void> NativeDevice::take_error(std::string_view doing) {
  const std::lock_guard lock(error_lock_);
  if (error_.empty()) return {};
  const std::string message = std::exchange(error_, "");
  return fail(ErrorCode::kInternal, "{} failed while {}: {}", target_.device, doing, message);
}

Result<NativeDevice::Buffer> NativeDevice::make_buffer(uint64_t bytes, WGPUBufferUsage usage) {
  if (bytes > target_.gpu.max_buffer_bytes) {
    return fail(ErrorCode::kOutOfMemory, "A buffer of {} bytes is needed; {} allows {}.", bytes, target_.device,
                target_.gpu.max_buffer_bytes);
  }
  WGPUBufferDescriptor descriptor{};
  descriptor.usage = usage;
  descriptor.size = bytes;
  api_.push_error_scope(device_, WGPUErrorFilter_Validation);
  api_.push_error_scope(device_, WGPUErrorFilter_OutOfMemory);
  Buffer out{api_.create_buffer(device_, &descriptor), bytes};
  const std::string memory = pop_error(api_, device_);
  const std::string other = pop_error(api_, device_);
  if (memory.empty() && other.empty()) return out;
  drop(out);
  return fail(ErrorCode::kOutOfMemory, "{} has no memory for a buffer of {} bytes: {}", target_.device, bytes,
              memory.empty() ? other : memory);
}

void NativeDevice::drop(Buffer& buffer) {
  if (buffer.handle == nullptr) return;
  api_.destroy_buffer(buffer.handle);
  api_.release_buffer(buffer.handle);
  buffer = {};
}

Result<uint32_t> NativeDevice::alloc(uint64_t bytes) {
  constexpr WGPUBufferUsage kUsage = WGPUBufferUsage_Storage | WGPUBufferUsage_CopyDst | WGPUBufferUsage_CopySrc;
  const Buffer buffer = TRY(make_buffer(std::max<uint64_t>(bytes, 16), kUsage));
  const auto unused = std::ranges::find(buffers_, nullptr, &Buffer::handle);
  const auto id = static_cast<uint32_t>(unused - buffers_.begin());
  if (unused == buffers_.end()) buffers_.push_back({});
  buffers_[id] = buffer;
  return id;
}

void NativeDevice::free(uint32_t buffer) {
  if (buffer < buffers_.size()) drop(buffers_[buffer]);
}

Result<void> NativeDevice::try_alloc(std::span<const uint64_t> bytes) {
  std::vector<uint32_t> made;
  Result<void> result;
  uint64_t total = 0, got = 0;
  for (const uint64_t size : bytes) total += size;
  for (const uint64_t size : bytes) {
    const Result<uint32_t> buffer = alloc(size);
    if (!buffer) {
      result = fail(ErrorCode::kOutOfMemory, "{} bytes more are needed, of which {} has room for {}: {}", total,
                    target_.device, got, buffer.error().message);
      break;
    }
    made.push_back(*buffer);
    got += size;
  }
  for (const uint32_t buffer : made) free(buffer);
  api_.poll(device_, true, nullptr);  // gives the memory back
  return result;
}

Result<void> NativeDevice::write(uint32_t buffer, uint64_t offset, std::span<const std::byte> data) {
  if (buffer >= buffers_.size() || buffers_[buffer].handle == nullptr || offset > buffers_[buffer].bytes ||
      data.size() > buffers_[buffer].bytes - offset || offset % 4 != 0 || data.size() % 4 != 0) {
    return fail(ErrorCode::kInvalidArgument, "{} bytes at {} do not fit buffer {}.", data.size(), offset, buffer);
  }
  api_.write_buffer(queue_, buffers_[buffer].handle, offset, data.data(), data.size());
  const std::lock_guard lock(write_lock_);
  unsubmitted_ += data.size();
  if (unsubmitted_ > kMaxUnsubmitted) {  // else the staging memory grows to the size of the model
    const WGPUSubmissionIndex before = std::exchange(written_, api_.submit_for_index(queue_, 0, nullptr));
    if (before != 0) api_.poll(device_, true, &before);
    unsubmitted_ = 0;
  }
  return {};
}

/// One pass for all, or one for each dispatch while these are timed, as many as there are queries.
void NativeDevice::record(const LoadedPlan& loaded, const graph::StepCounts& n, WGPUCommandEncoder encoder,
                          std::vector<uint32_t>& timed) {
  const graph::PlanProgram& program = loaded.plan.program(n.t);
  WGPUComputePassEncoder pass = nullptr;
  const auto end_pass = [&] {
    if (pass == nullptr) return;
    api_.end_pass(pass);
    api_.release_pass(std::exchange(pass, nullptr));
  };
  uint32_t current = UINT32_MAX;
  for (uint32_t s = program.first_step; s < program.first_step + program.n_steps; ++s) {
    const graph::PlanStep& step = loaded.plan.steps[s];
    const uint64_t x = step.grid[0].at(n), y = step.grid[1].at(n), z = step.grid[2].at(n);
    if (x == 0 || y == 0 || z == 0) continue;
    const bool is_timed = is_timing_ && timed.size() < kMaxQueries / 2;
    if (is_timed || pass == nullptr) {
      end_pass();
      const auto query = static_cast<uint32_t>(2 * timed.size());
      WGPUPassTimestampWrites writes{};
      writes.querySet = queries_;
      writes.beginningOfPassWriteIndex = query;
      writes.endOfPassWriteIndex = query + 1;
      WGPUComputePassDescriptor descriptor{};
      if (is_timed) descriptor.timestampWrites = &writes;
      pass = api_.begin_pass(encoder, &descriptor);
      current = UINT32_MAX;
    }
    if (step.pipeline != current) api_.set_pipeline(pass, loaded.pipelines[step.pipeline].pipeline);
    current = step.pipeline;
    api_.set_bind_group(pass, 0, loaded.groups[s], 0, nullptr);
    api_.dispatch(pass, static_cast<uint32_t>(x), static_cast<uint32_t>(y), static_cast<uint32_t>(z));
    if (!is_timed) continue;
    timed.push_back(s);
    end_pass();
  }
  end_pass();
}

Result<void> NativeDevice::record_readback(const LoadedPlan& loaded, const graph::StepCounts& n, uint32_t outputs,
                                           WGPUCommandEncoder encoder, Readback& slot) {
  slot.pieces.assign(loaded.plan.outputs.size(), {});
  uint64_t bytes = 0;
  for (size_t i = 0; i < slot.pieces.size(); ++i) {
    const graph::PlanBinding& from = loaded.plan.outputs[i].binding;
    if (i < 32 && (outputs >> i & 1) == 0) continue;
    const uint64_t rows = from.rows.at(n);
    slot.pieces[i] = {.offset = bytes,
                      .bytes = rows == 0 ? 0 : ((rows - 1) * from.row_stride + from.cols) * 4,
                      .row_bytes = uint64_t{from.cols} * 4,
                      .stride = uint64_t{from.row_stride} * 4};
    bytes += slot.pieces[i].bytes;
  }
  slot.times_at = (bytes + 7) / 8 * 8;
  const uint64_t times_bytes = 2 * sizeof(uint64_t) * slot.timed.size();
  if (times_bytes > 0) bytes = slot.times_at + times_bytes;
  if (slot.buffer.bytes < std::max<uint64_t>(bytes, 4)) {
    drop(slot.buffer);
    slot.buffer = TRY(make_buffer(std::max<uint64_t>(bytes, 256), WGPUBufferUsage_MapRead | WGPUBufferUsage_CopyDst));
  }
  for (size_t i = 0; i < slot.pieces.size(); ++i) {
    if (slot.pieces[i].bytes == 0) continue;
    const graph::PlanBinding& from = loaded.plan.outputs[i].binding;
    const graph::PlanSlot& place = loaded.plan.slots[from.slot];
    api_.copy_buffer(encoder, loaded.arena[place.index].handle, place.offset + uint64_t{from.col0} * 4,
                     slot.buffer.handle, slot.pieces[i].offset, slot.pieces[i].bytes);
  }
  if (times_bytes == 0) return {};
  const auto n_queries = static_cast<uint32_t>(2 * slot.timed.size());
  api_.resolve_query_set(encoder, queries_, 0, n_queries, resolved_.handle, 0);
  api_.copy_buffer(encoder, resolved_.handle, 0, slot.buffer.handle, slot.times_at, times_bytes);
  return {};
}

void NativeDevice::start_map(Readback& slot) {
  slot.pending = true;
  slot.mapped = slot.failed = false;
  WGPUBufferMapCallbackInfo callback{};
  callback.mode = WGPUCallbackMode_AllowProcessEvents;
  callback.callback = [](WGPUMapAsyncStatus status, WGPUStringView, void* userdata, void*) {
    auto& done = *static_cast<Readback*>(userdata);
    done.pending = false;
    done.mapped = status == WGPUMapAsyncStatus_Success;
    done.failed = !done.mapped;
  };
  callback.userdata1 = &slot;
  api_.map_buffer(slot.buffer.handle, WGPUMapMode_Read, 0, slot.buffer.bytes, callback);
}

Result<uint64_t> NativeDevice::submit(uint32_t plan, const graph::StepCounts& n, std::span<const std::byte> params,
                                      uint32_t outputs) {
  if (plan >= plans_.size() || !plans_[plan]) return fail(ErrorCode::kInvalidArgument, "There is no plan {}.", plan);
  const LoadedPlan& loaded = *plans_[plan];
  Readback& slot = ring_[(last_ticket_ + 1) % ring_.size()];
  if (slot.pending) {
    return fail(ErrorCode::kInvalidArgument, "{} steps are in flight, which is the most; wait for one.", ring_.size());
  }
  if (n.t == 0 || n.t > loaded.plan.key.max_tokens || n.r > loaded.plan.key.max_rows ||
      n.p > loaded.plan.key.max_seqs || params.size() > loaded.params.bytes || params.size() % 4 != 0) {
    return fail(ErrorCode::kInvalidArgument, "A step of {} tokens and {} bytes does not fit the plan.", n.t,
                params.size());
  }
  if (slot.mapped) api_.unmap(slot.buffer.handle);
  slot.mapped = false;
  api_.write_buffer(queue_, loaded.params.handle, 0, params.data(), params.size());
  api_.push_error_scope(device_, WGPUErrorFilter_Validation);
  const WGPUCommandEncoder encoder = api_.create_encoder(device_, nullptr);
  slot.timed.clear();
  record(loaded, n, encoder, slot.timed);
  const Result<void> readback = record_readback(loaded, n, outputs, encoder, slot);
  const WGPUCommandBuffer commands = api_.finish(encoder, nullptr);
  const std::string error = pop_error(api_, device_);  // submitting invalid commands aborts the process
  if (error.empty() && readback) slot.submission = api_.submit_for_index(queue_, 1, &commands);
  api_.release_commands(commands);
  api_.release_encoder(encoder);
  TRY(readback);
  if (!error.empty()) return fail(ErrorCode::kInternal, "{} refuses a step: {}", target_.device, error);
  unsubmitted_ = 0;
  slot.ticket = ++last_ticket_;
  start_map(slot);
  return last_ticket_;
}

Result<Poll> NativeDevice::poll(uint64_t ticket, uint32_t output, std::span<std::byte> out) {
  if (lost_) return Poll::kDeviceLost;
  if (ticket == 0 || ticket > last_ticket_) {
    return fail(ErrorCode::kInvalidArgument, "There is no ticket {}; the last is {}.", ticket, last_ticket_);
  }
  Readback& slot = ring_[ticket % ring_.size()];
  if (slot.ticket != ticket) {
    if (out.empty()) return Poll::kReady;
    return fail(ErrorCode::kInvalidArgument, "The outputs of ticket {} are gone.", ticket);
  }
  if (slot.pending) {
    api_.poll(device_, false, nullptr);
    api_.process_events(api_.instance);
  }
  TRY(take_error("running a step"));
  if (slot.pending) return Poll::kPending;
  if (slot.failed) return Poll::kDeviceLost;
  if (out.empty()) return Poll::kReady;
  const Piece piece = output < slot.pieces.size() ? slot.pieces[output] : Piece{};
  const uint64_t rows = piece.bytes == 0 ? 0 : (piece.bytes - piece.row_bytes) / piece.stride + 1;
  if (rows == 0 || rows * piece.row_bytes != out.size()) {
    return fail(ErrorCode::kInvalidArgument, "Output {} is asked for with room for {} bytes.", output, out.size());
  }
  const void* from = api_.mapped_range(slot.buffer.handle, 0, slot.buffer.bytes);
  if (from == nullptr) return Poll::kDeviceLost;
  for (uint64_t r = 0; r < rows; ++r) {
    std::memcpy(out.data() + r * piece.row_bytes, static_cast<const std::byte*>(from) + piece.offset + r * piece.stride,
                piece.row_bytes);
  }
  return Poll::kReady;
}

void NativeDevice::wait(uint64_t ticket) {
  Readback& slot = ring_[ticket % ring_.size()];
  while (!lost_ && slot.ticket == ticket && slot.pending) {
    api_.poll(device_, true, &slot.submission);  // for this step alone: those behind it keep the device busy
    api_.process_events(api_.instance);
  }
}

Result<void> NativeDevice::time_dispatches(bool on) {
  if (on && !has_timestamps_) {
    return fail(ErrorCode::kUnsupported, "{} takes no timestamps (timestamp-query).", target_.device);
  }
  if (on && queries_ == nullptr) {
    resolved_ =
        TRY(make_buffer(kMaxQueries * sizeof(uint64_t), WGPUBufferUsage_QueryResolve | WGPUBufferUsage_CopySrc));
    WGPUQuerySetDescriptor descriptor{};
    descriptor.type = WGPUQueryType_Timestamp;
    descriptor.count = kMaxQueries;
    queries_ = api_.create_query_set(device_, &descriptor);
    TRY(take_error("making timestamps"));
  }
  is_timing_ = on;
  return {};
}

std::vector<DispatchTime> NativeDevice::times(uint64_t ticket) {
  const Readback& slot = ring_[ticket % ring_.size()];
  if (slot.ticket != ticket || !slot.mapped || slot.timed.empty()) return {};
  const void* from = api_.mapped_range(slot.buffer.handle, 0, slot.buffer.bytes);
  if (from == nullptr) return {};
  std::vector<uint64_t> ticks(2 * slot.timed.size());
  std::memcpy(ticks.data(), static_cast<const std::byte*>(from) + slot.times_at, ticks.size() * sizeof(uint64_t));
  const double period = api_.timestamp_period(queue_);  // nanoseconds
  const auto ns = [&](uint64_t t) { return static_cast<uint64_t>(static_cast<double>(t) * period); };
  std::vector<DispatchTime> out;
  for (size_t i = 0; i < slot.timed.size(); ++i) {
    out.push_back({slot.timed[i], ns(ticks[2 * i]), ns(std::max(ticks[2 * i], ticks[2 * i + 1]))});
  }
  return out;
}

}  // namespace tern::backends::webgpu
