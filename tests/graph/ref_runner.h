// Runs a graph as it stands on the scalar interpreter, over a step of two prompts and a step that decodes both.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "backends/backend.h"
#include "graph/params.h"
#include "graph/plan.h"

namespace tern::graph {

inline constexpr PlanKey kRunKey = {
    .max_tokens = 8, .max_rows = 4, .max_seqs = 2, .kv_format = KvFormat::kF32, .page_tokens = 4};

/// Element `i` of file tensor `tensor`: anything in [-1, 1) that depends on both (splitmix64).
inline float tensor_element(uint32_t tensor, uint64_t i) {
  uint64_t z = (uint64_t{tensor} << 32) + i + 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return static_cast<float>(static_cast<int32_t>((z ^ (z >> 31)) >> 32)) * 0x1p-31f;
}

/// Values of a weight, [rows * cols], from its constant or from the tensors behind its slices.
inline std::vector<float> weight_values(const Weight& weight) {
  std::vector<float> values = weight.constant;
  for (const WeightSlice& slice : weight.slices) {
    const uint64_t begin = uint64_t{slice.row0} * weight.cols;
    for (uint64_t i = 0; i < uint64_t{slice.rows} * weight.cols; ++i) {
      values.push_back(tensor_element(slice.tensor, begin + i));
    }
  }
  return values;
}

class RefRunner {
 public:
  /// All outputs of both steps, one after the other. With `reuse` in an arena whose slots are reused.
  static std::vector<float> run(const Graph& graph, bool reuse = false) {
    RefRunner runner;
    const Result<Plan> plan = lower_ops(graph, kRunKey, "ref", reuse);
    EXPECT_TRUE(plan) << plan.error().to_string();
    if (!plan) return {};
    runner.load(*plan);
    // Sequence 0 has pages 2 and 0, sequence 1 has page 1.
    const StepSequence prompts[] = {{4, 0}, {1, 2}}, decodes[] = {{5, 0}, {2, 2}};
    runner.step(*plan, {3, 17, 5, 5, 11}, {0, 1, 2, 3, 0}, {0, 0, 0, 0, 1}, prompts, {3, 4});
    runner.step(*plan, {19, 0}, {4, 1}, {0, 1}, decodes, {0, 1});
    return runner.out_;
  }

 private:
  std::unique_ptr<backends::Backend> backend_ = *backends::make_backend("ref", {});
  backends::PlanId id_;
  std::vector<float> out_;

  void load(const Plan& plan) {
    constexpr uint32_t kPages = 3;
    std::vector<backends::Buffer> weights, keys, values;
    for (uint32_t w = 0; w < plan.weights.size(); ++w) {
      weights.push_back(*backend_->alloc(backend_->weight_bytes(plan, w), backends::Usage::kWeight));
      const std::vector<std::byte> bytes = encode(plan.weights[w]);
      const Result<void> uploaded = backend_->upload_rows(plan, w, weights.back(), 0, bytes);
      EXPECT_TRUE(uploaded) << uploaded.error().to_string();
    }
    for (uint32_t layer = 0; layer < plan.n_layers; ++layer) {
      keys.push_back(*backend_->alloc(kPages * plan.page_bytes(), backends::Usage::kKvCache));
      values.push_back(*backend_->alloc(kPages * plan.page_bytes(), backends::Usage::kKvCache));
    }
    const Result<backends::PlanId> loaded = backend_->load(plan, weights, keys, values, kPages);
    ASSERT_TRUE(loaded) << loaded.error().to_string();
    id_ = *loaded;
  }

  static std::vector<std::byte> encode(const Weight& weight) {
    const std::vector<float> values = weight_values(weight);
    const uint64_t row_bytes = *formats::row_bytes(weight.format, weight.cols);
    std::vector<std::byte> bytes(weight.rows * row_bytes);
    for (uint32_t r = 0; r < weight.rows; ++r) {
      const std::span row = std::span(values).subspan(size_t{r} * weight.cols, weight.cols);
      EXPECT_TRUE(formats::encode_row(weight.format, row, bytes.data() + r * row_bytes));
    }
    return bytes;
  }

  void step(const Plan& plan, std::vector<int32_t> tokens, std::vector<uint32_t> positions,
            std::vector<uint32_t> sequences, std::span<const StepSequence> seqs, std::vector<uint32_t> rows) {
    const std::vector<uint32_t> pages = {2, 0, 1};
    const StepParams step{tokens, positions, sequences, seqs, pages, rows};
    const auto ticket = backend_->submit(id_, step);
    ASSERT_TRUE(ticket) << ticket.error().to_string();
    backend_->wait(*ticket);
    for (uint32_t i = 0; i < plan.outputs.size(); ++i) {
      const PlanBinding& binding = plan.outputs[i].binding;
      const uint64_t n = binding.rows.at(count(step));
      std::vector<float> out(n * binding.cols);
      const auto poll = backend_->poll(*ticket, i, out);
      ASSERT_TRUE(poll) << poll.error().to_string();
      out_.insert(out_.end(), out.begin(), out.end());
    }
  }
};

}  // namespace tern::graph
