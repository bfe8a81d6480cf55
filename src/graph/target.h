// Target: the facts of a device that passes and lowering decide by. Plain data: lowering needs no device at hand.
#pragma once

#include <cstdint>
#include <string>

namespace tern::graph {

struct Target {
  std::string backend;                     // "ref", "cpu", "webgpu"
  std::string device;                      // "cpu avx512", an adapter's name: for people and as a tuning key
  uint64_t max_weight_bytes = UINT64_MAX;  // larger weights are sharded (maxStorageBufferBindingSize)
  bool imports_host_memory = false;        // weights may stay in the mapped file
  bool fuse = true;                        // run the fusion passes; ref runs the graph as written
  bool expose_values = false;  // for --compare-with-ref: every value the model names is an output of the plan
  uint32_t threads = 1;
  uint32_t steps_in_flight = 1;  // steps that are worth having submitted at a time, at most kSampledTokens (step.h)
};

}  // namespace tern::graph
