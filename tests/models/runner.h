// Runner: one sequence of one model on one backend, driven by hand. The engine does this for users; here it is small
// enough to see that a wrong logit is the model's or the backend's. The cache's pages are handed out in a shuffled
// order, so that a backend that ignores the page table is found out.
#pragma once

#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "io/model_files.h"
#include "models/common/load.h"

namespace tern::test {

class Runner {
 public:
  static constexpr uint32_t kPageTokens = 8;
  static constexpr uint32_t kPages = 16;  // 128 positions
  static constexpr uint32_t kMaxTokens = 64;

  /// files must outlive the Runner: weights may stay in them.
  static Result<std::unique_ptr<Runner>> create(const io::ModelFiles& files, std::string_view backend,
                                                graph::KvFormat kv = graph::KvFormat::kF32,
                                                const backends::BackendOptions& options = {}) {
    auto runner = std::make_unique<Runner>();
    runner->backend_ = TRY(backends::make_backend(backend, options));
    models::ModelGraph model = TRY(models::build_graph(files));
    runner->vocab_ = model.hparams.vocab;
    const graph::PlanKey key{kMaxTokens, kMaxTokens, 1, kv, kPageTokens};
    runner->plan_ = TRY(runner->backend_->lower(std::move(model.graph), key));
    TRY(runner->load(files.weights));
    return runner;
  }

  uint32_t vocab() const { return vocab_; }
  const graph::Plan& plan() const { return plan_; }

  /// Forgets the sequence.
  void reset() { length_ = 0; }

  /// Runs the next tokens of the sequence. -> their logits [tokens, vocab]
  Result<std::vector<float>> step(std::span<const int32_t> tokens) {
    const auto n = static_cast<uint32_t>(tokens.size());
    std::vector<uint32_t> positions(n), sequences(n, 0), rows(n), pages(kPages);
    std::iota(positions.begin(), positions.end(), length_);
    std::iota(rows.begin(), rows.end(), 0u);
    for (uint32_t i = 0; i < kPages; ++i) pages[i] = (i * 7 + 3) % kPages;  // 7 and 16 have no common divisor
    length_ += n;
    const graph::StepSequence sequence{length_, 0};
    const backends::Ticket ticket =
        TRY(backend_->submit(plan_id_, {tokens, positions, sequences, {&sequence, 1}, pages, rows}));
    backend_->wait(ticket);
    std::vector<float> logits(size_t{n} * vocab_);
    const backends::Poll poll = TRY(backend_->poll(ticket, 0, logits));
    if (poll != backends::Poll::kReady) return fail(ErrorCode::kInternal, "The step is not ready after wait().");
    return logits;
  }

  /// A fresh sequence in chunks of at most `chunk` tokens. -> [tokens, vocab]
  Result<std::vector<float>> prefill(std::span<const int32_t> tokens, size_t chunk = kMaxTokens) {
    reset();
    std::vector<float> logits;
    for (size_t i = 0; i < tokens.size(); i += chunk) {
      const std::vector<float> part = TRY(step(tokens.subspan(i, std::min(chunk, tokens.size() - i))));
      logits.insert(logits.end(), part.begin(), part.end());
    }
    return logits;
  }

  /// After a prefill whose last logits are given: the n tokens of largest logit, one after the other.
  Result<std::vector<int32_t>> greedy(std::span<const float> last_logits, size_t n) {
    std::vector<float> logits(last_logits.begin(), last_logits.end());
    std::vector<int32_t> tokens;
    while (true) {
      tokens.push_back(static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
      if (tokens.size() == n) return tokens;
      logits = TRY(step({&tokens.back(), 1}));
    }
  }

 private:
  std::unique_ptr<backends::Backend> backend_;
  graph::Plan plan_;
  backends::PlanId plan_id_;
  uint32_t vocab_ = 0;
  uint32_t length_ = 0;

  Result<void> load(const io::WeightIndex& index) {
    std::vector<backends::Buffer> weights, keys, values;
    for (uint32_t w = 0; w < plan_.weights.size(); ++w) {
      weights.push_back(TRY_CTX(place(index, w), "while placing weight {}", plan_.weights[w].name));
    }
    const uint64_t bytes = plan_.page_bytes() * kPages;
    for (uint32_t layer = 0; layer < plan_.n_layers; ++layer) {
      keys.push_back(TRY(backend_->alloc(bytes, backends::Usage::kKvCache)));
      values.push_back(TRY(backend_->alloc(bytes, backends::Usage::kKvCache)));
    }
    plan_id_ = TRY(backend_->load(plan_, weights, keys, values, kPages));
    return {};
  }

  Result<backends::Buffer> place(const io::WeightIndex& index, uint32_t w) {
    const graph::Weight& weight = plan_.weights[w];
    const backends::Buffer buffer = TRY(backend_->alloc(backend_->weight_bytes(plan_, w), backends::Usage::kWeight));
    if (weight.slices.empty()) {
      TRY(backend_->upload_rows(plan_, w, buffer, 0, std::as_bytes(std::span(weight.constant))));
      return buffer;
    }
    uint32_t row = 0;
    for (const graph::WeightSlice& slice : weight.slices) {
      const uint64_t row_bytes = TRY(formats::row_bytes(weight.format, weight.cols));
      std::vector<std::byte> bytes(slice.rows * row_bytes);
      TRY(index.read_rows(slice.tensor, slice.row0, slice.rows, bytes));
      TRY(backend_->upload_rows(plan_, w, buffer, row, bytes));
      row += slice.rows;
    }
    return buffer;
  }
};

}  // namespace tern::test
