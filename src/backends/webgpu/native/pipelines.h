// The compute pipelines of a device: compiled once per kernel, on all cores, behind the caller's back.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <string>

#include "backends/webgpu/native/wgpu_api.h"
#include "base/thread_pool.h"
#include "graph/plan.h"

namespace tern::backends::webgpu {

class Pipelines {
 public:
  struct Pipeline {
    WGPUBindGroupLayout layout = nullptr;
    WGPUComputePipeline pipeline = nullptr;
  };

  Pipelines(const WgpuApi& api, WGPUDevice device);
  ~Pipelines();
  Pipelines(const Pipelines&) = delete;
  Pipelines& operator=(const Pipelines&) = delete;

  /// Starts compiling those that are not known and returns at once.
  void compile(const std::vector<graph::PlanPipeline>& pipelines);
  /// In their order, when all are compiled: waits. They live as long as this. What is wrong with a kernel goes to the
  /// device's error callback, which then names it.
  std::vector<Pipeline> get(const std::vector<graph::PlanPipeline>& pipelines);

 private:
  struct Entry {
    graph::PlanPipeline from;
    Pipeline made;
  };

  const WgpuApi& api_;
  WGPUDevice device_;
  std::map<std::string, Entry*> known_;  // by source and access
  std::mutex lock_;                      // of waiting_
  std::deque<Entry> entries_;
  std::vector<Entry*> waiting_;  // for the next job
  uint64_t last_job_ = 0;
  JobRunner runner_;  // last: its job uses the rest

  Entry* find_or_add(const graph::PlanPipeline& pipeline);
  void compile_waiting();
  void compile(Entry& entry) const;
};

}  // namespace tern::backends::webgpu
