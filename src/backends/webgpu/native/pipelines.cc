#include "backends/webgpu/native/pipelines.h"

#include <algorithm>

namespace tern::backends::webgpu {

namespace {

/// naga takes no `enable subgroups;` and no `requires`; it needs neither.
std::string for_naga(const std::string& source) {
  std::string out;
  for (size_t begin = 0; begin < source.size();) {
    const size_t end = std::min(source.find('\n', begin), source.size());
    const std::string_view line(source.data() + begin, end - begin);
    if (!line.starts_with("enable subgroups") && !line.starts_with("requires ")) out.append(line).append("\n");
    begin = end + 1;
  }
  return out;
}

}  // namespace

Pipelines::Pipelines(const WgpuApi& api, WGPUDevice device)
    : api_(api), device_(device), runner_([this](uint64_t) { compile_waiting(); }) {}

Pipelines::~Pipelines() {
  runner_.wait(last_job_);
  for (const Entry& entry : entries_) {
    if (entry.made.pipeline != nullptr) api_.release_pipeline(entry.made.pipeline);
    if (entry.made.layout != nullptr) api_.release_bind_group_layout(entry.made.layout);
  }
}

void Pipelines::compile(Entry& entry) const {
  const graph::PlanPipeline& pipeline = entry.from;
  const std::string code = for_naga(pipeline.source);
  WGPUShaderSourceWGSL source{};
  source.chain.sType = WGPUSType_ShaderSourceWGSL;
  source.code = view_of(code);
  WGPUShaderModuleDescriptor module_descriptor{};
  module_descriptor.nextInChain = &source.chain;
  module_descriptor.label = view_of(pipeline.name);
  // The shaders are ours, and all that they index with is checked before a step (check_step, check_params): without
  // bounds checks a decode step of an 8B takes a third less on an H200.
  const WGPUShaderModule module = api_.create_trusted_shader(device_, &module_descriptor, WGPUShaderRuntimeChecks_None);

  std::vector<WGPUBindGroupLayoutEntry> entries(pipeline.access.size());
  for (uint32_t i = 0; i < entries.size(); ++i) {
    entries[i].binding = i;
    entries[i].visibility = WGPUShaderStage_Compute;
    entries[i].buffer.type = pipeline.access[i] == graph::Access::kRead ? WGPUBufferBindingType_ReadOnlyStorage
                                                                        : WGPUBufferBindingType_Storage;
  }
  WGPUBindGroupLayoutDescriptor group_descriptor{};
  group_descriptor.entryCount = entries.size();
  group_descriptor.entries = entries.data();
  entry.made.layout = api_.create_bind_group_layout(device_, &group_descriptor);
  WGPUPipelineLayoutDescriptor layout_descriptor{};
  layout_descriptor.bindGroupLayoutCount = 1;
  layout_descriptor.bindGroupLayouts = &entry.made.layout;
  const WGPUPipelineLayout layout = api_.create_pipeline_layout(device_, &layout_descriptor);

  WGPUComputePipelineDescriptor descriptor{};
  descriptor.label = view_of(pipeline.name);
  descriptor.layout = layout;
  descriptor.compute.module = module;
  descriptor.compute.entryPoint = view_of("main");
  entry.made.pipeline = api_.create_pipeline(device_, &descriptor);
  api_.release_pipeline_layout(layout);
  api_.release_shader(module);
}

Pipelines::Entry* Pipelines::find_or_add(const graph::PlanPipeline& pipeline) {
  std::string key = pipeline.source;
  for (const graph::Access access : pipeline.access) key.push_back(access == graph::Access::kRead ? 'r' : 'w');
  const auto [found, is_new] = known_.try_emplace(std::move(key), nullptr);
  if (is_new) {
    found->second = &entries_.emplace_back(Entry{.from = pipeline, .made = {}});
    const std::lock_guard lock(lock_);
    waiting_.push_back(found->second);
  }
  return found->second;
}

void Pipelines::compile(const std::vector<graph::PlanPipeline>& pipelines) {
  const size_t before = entries_.size();
  for (const graph::PlanPipeline& pipeline : pipelines) find_or_add(pipeline);
  if (entries_.size() == before) return;
  last_job_ = runner_.start();
  runner_.done(last_job_);  // which gets a thread to work
}

void Pipelines::compile_waiting() {
  std::vector<Entry*> entries;
  {
    const std::lock_guard lock(lock_);
    entries.swap(waiting_);
  }
  ThreadPool threads(0);
  threads.parallel_for(entries.size(), 1, [&](size_t begin, size_t end, uint32_t) {
    for (size_t i = begin; i < end; ++i) compile(*entries[i]);
  });
}

std::vector<Pipelines::Pipeline> Pipelines::get(const std::vector<graph::PlanPipeline>& pipelines) {
  compile(pipelines);
  runner_.wait(last_job_);
  std::vector<Pipeline> out;
  for (const graph::PlanPipeline& pipeline : pipelines) out.push_back(find_or_add(pipeline)->made);
  return out;
}

}  // namespace tern::backends::webgpu
