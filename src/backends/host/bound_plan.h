// BoundPlan: a plan whose bindings have become pointers: what the players in host memory (ref, cpu) walk. The arena,
// the decoded vectors (norm weights, biases, rope frequencies) and the views of weights live here.
#pragma once

#include <vector>

#include "backends/host/check_step.h"
#include "backends/host/host_memory.h"
#include "backends/host/kv_layout.h"
#include "backends/host/weight_rows.h"

namespace tern::backends {

/// An operand of a call: a matrix of the arena (or a decoded vector), or the encoded rows of a weight.
struct Matrix {
  float* data = nullptr;  // row 0; null when the operand is a weight of several rows and columns
  graph::Dim rows;
  uint32_t cols = 0;
  uint32_t stride = 0;                 // elements between rows
  const WeightRows* weight = nullptr;  // set for every weight

  std::span<float> row(size_t r) const { return {data + r * stride, cols}; }
  std::span<const int32_t> int_row(size_t r) const { return {reinterpret_cast<int32_t*>(data) + r * stride, cols}; }
  std::span<int32_t> mutable_int_row(size_t r) const { return {reinterpret_cast<int32_t*>(data) + r * stride, cols}; }
};

/// One step of the plan: which op, on what.
struct Call {
  graph::Op op = graph::Op::kWeight;
  graph::Attrs attrs;
  std::vector<Matrix> inputs;
  std::vector<Matrix> outputs;
  std::string_view name;  // of the graph's node
};

struct BoundPlan {
  graph::Plan plan;
  StepLimits limits;
  KvLayout kv;
  HostBlock arena;
  std::vector<WeightRows> weights;           // one per plan.weights
  std::vector<std::vector<float>> vectors;   // likewise; empty for matrices
  std::vector<std::span<std::byte>> keys;    // per layer: n_pages pages
  std::vector<std::span<std::byte>> values;  // likewise
  std::vector<Call> calls;                   // one per plan.steps
  std::vector<Matrix> outputs;               // one per plan.outputs

  BoundPlan() = default;
  BoundPlan(BoundPlan&&) = default;  // calls point into the vectors, whose elements stay where they are
  BoundPlan& operator=(BoundPlan&&) = default;
};

/// Validates the plan against the buffers and binds it. `backend`: whose plans we play.
/// Errors: kInvalidArgument (buffers that do not fit the plan), kInvalidFile (the plan breaks its own rules),
/// kOutOfMemory (the arena).
Result<BoundPlan> bind_plan(const graph::Plan& plan, std::string_view backend, const HostMemory& memory,
                            std::span<const Buffer> weights, std::span<const Buffer> keys,
                            std::span<const Buffer> values, uint32_t n_pages);

/// Copies the rows that output `output` has in a step of counts `n` to out, which has room for exactly those.
/// Errors: kInvalidArgument when there is no such output or `out` has another size.
Result<void> read_output(const BoundPlan& bound, uint32_t output, const graph::StepCounts& n, std::span<std::byte> out);

}  // namespace tern::backends
