// NativeDevice::load: memory, pipelines and bind groups of a plan.
#include <algorithm>

#include "backends/webgpu/native/native_device.h"

namespace tern::backends::webgpu {

Result<void> NativeDevice::make_memory(LoadedPlan& loaded) {
  constexpr WGPUBufferUsage kUsage = WGPUBufferUsage_Storage | WGPUBufferUsage_CopyDst | WGPUBufferUsage_CopySrc;
  for (const uint64_t bytes : loaded.plan.arena) loaded.arena.push_back(TRY(make_buffer(bytes, kUsage)));
  for (const graph::PlanSlot& slot : loaded.plan.slots) {
    if (slot.kind == graph::SlotKind::kParams && loaded.params.bytes < slot.bytes) {
      drop(loaded.params);
      loaded.params = TRY(make_buffer(slot.bytes, kUsage));
    } else if (slot.kind == graph::SlotKind::kState) {
      if (loaded.state.size() <= slot.index) loaded.state.resize(slot.index + 1);
      loaded.state[slot.index] = TRY(make_buffer(slot.bytes, kUsage));
    }
  }
  return {};
}

Result<void> NativeDevice::make_pipelines(LoadedPlan& loaded) {
  loaded.pipelines = pipelines_->get(loaded.plan.pipelines);
  return take_error("compiling kernels");
}

Result<WGPUBindGroupEntry> NativeDevice::entry(const LoadedPlan& loaded, uint32_t slot_index,
                                               std::span<const uint32_t> weights, std::span<const uint32_t> keys,
                                               std::span<const uint32_t> values) const {
  const graph::PlanSlot& slot = loaded.plan.slots[slot_index];
  WGPUBindGroupEntry out{};
  out.offset = slot.offset;
  out.size = slot.bytes;
  const auto given = [&](std::span<const uint32_t> ids, bool whole) -> Result<void> {
    if (slot.index >= ids.size() || ids[slot.index] >= buffers_.size() ||
        buffers_[ids[slot.index]].bytes < slot.bytes) {
      return fail(ErrorCode::kInvalidArgument, "The buffer of slot {} is missing or too small.", slot_index);
    }
    out.buffer = buffers_[ids[slot.index]].handle;
    if (whole) out.size = buffers_[ids[slot.index]].bytes;
    return {};
  };
  switch (slot.kind) {
    case graph::SlotKind::kArena:
      out.buffer = loaded.arena[slot.index].handle;
      break;
    case graph::SlotKind::kWeight:
      TRY(given(weights, false));
      break;
    case graph::SlotKind::kKeys:
      TRY(given(keys, true));
      break;
    case graph::SlotKind::kValues:
      TRY(given(values, true));
      break;
    case graph::SlotKind::kParams:
      out.buffer = loaded.params.handle;
      break;
    case graph::SlotKind::kState:
      out.buffer = loaded.state[slot.index].handle;
      break;
  }
  return out;
}

Result<void> NativeDevice::make_groups(LoadedPlan& loaded, std::span<const uint32_t> weights,
                                       std::span<const uint32_t> keys, std::span<const uint32_t> values) {
  for (const graph::PlanStep& step : loaded.plan.steps) {
    const graph::PlanPipeline& pipeline = loaded.plan.pipelines[step.pipeline];
    if (pipeline.source.empty()) {
      return fail(ErrorCode::kInvalidArgument, "Step {} of the plan has no kernel.", loaded.plan.strings[step.name]);
    }
    std::vector<WGPUBindGroupEntry> entries;
    for (uint32_t i = 0; i < step.n_inputs + step.n_outputs; ++i) {
      const uint32_t slot = loaded.plan.bindings[step.first_binding + i].slot;
      entries.push_back(TRY(entry(loaded, slot, weights, keys, values)));
      entries.back().binding = i;
    }
    WGPUBindGroupDescriptor descriptor{};
    descriptor.layout = loaded.pipelines[step.pipeline].layout;
    descriptor.entryCount = entries.size();
    descriptor.entries = entries.data();
    loaded.groups.push_back(api_.create_bind_group(device_, &descriptor));
  }
  return take_error("binding buffers");
}

Result<void> NativeDevice::compile(std::span<const uint32_t> words) {
  const graph::Plan plan = TRY(graph::read_plan(words));
  pipelines_->compile(plan.pipelines);
  return {};
}

Result<uint32_t> NativeDevice::load(std::span<const uint32_t> words, std::span<const uint32_t> weights,
                                    std::span<const uint32_t> keys, std::span<const uint32_t> values) {
  auto loaded = std::make_unique<LoadedPlan>();
  loaded->plan = TRY(graph::read_plan(words));
  plans_.push_back(std::move(loaded));  // so that unload() frees what an error leaves behind
  const auto id = static_cast<uint32_t>(plans_.size() - 1);
  const auto make = [&]() -> Result<void> {
    TRY(make_memory(*plans_[id]));
    TRY(make_pipelines(*plans_[id]));
    return make_groups(*plans_[id], weights, keys, values);
  };
  const Result<void> made = make();
  if (!made) unload(id);
  TRY_CTX(made, "while loading a plan on {}", target_.device);
  return id;
}

void NativeDevice::unload(uint32_t plan) {
  if (plan >= plans_.size() || !plans_[plan]) return;
  LoadedPlan& loaded = *plans_[plan];
  api_.poll(device_, true, nullptr);
  for (const WGPUBindGroup group : loaded.groups) api_.release_bind_group(group);
  drop(loaded.params);
  for (Buffer& buffer : loaded.arena) drop(buffer);
  for (Buffer& buffer : loaded.state) drop(buffer);
  plans_[plan].reset();
}

}  // namespace tern::backends::webgpu
