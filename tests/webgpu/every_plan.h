// Every plan that the WebGPU lowering is asked for, made without a device and without weights: the models of
// tests/data/golden in the sizes of real ones, in every format, for devices of every kind. What comes out of it are the
// shaders that tests compile; there is no list of kernels beside the lowering itself.
#pragma once

#include <string>
#include <vector>

#include "graph/plan.h"
#include "graph/target.h"

namespace tern::test {

/// A combination, each part an index into a table of every_plan.cc. variant: of the shapes that kernels can be tuned to
/// (emitter.h: Choice), each kernel's of this number; 0: the standard ones.
struct PlanCase {
  uint32_t model = 0, shape = 0, format = 0, cache = 0, device = 0, sequences = 0, variant = 0;
  bool has_float_ends = false;  // embedding and head in f16, whatever the format
};

/// All that differ in a way that a kernel could notice: parts that no kernel sees together are not multiplied.
std::vector<PlanCase> every_case();
/// "qwen3-qknorm, 4096 wide, q4_0, ...", for messages.
std::string name_of(const PlanCase& which);
/// Errors: of lowering, which takes everything that every_case() gives.
Result<graph::Plan> make_plan(const PlanCase& which);

/// The shaders of the plans, each once. sample: of every so many cases one, another one for each seed; 1: of all.
/// Errors: the first of lowering.
Result<std::vector<graph::PlanPipeline>> every_shader(uint32_t sample = 1, uint32_t seed = 0);

}  // namespace tern::test
