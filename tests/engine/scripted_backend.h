// A backend with no model: its KV cache holds token ids, and a row of logits is a function of all tokens that the
// page table shows at positions 0 .. p. So a page given to the wrong sequence, shared too early, reused too soon or
// lost on the way changes tokens; and reading a slot that nobody wrote is reported.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backends/backend.h"

namespace tern::engine {

/// visible: the tokens at positions 0 .. p; logits: [vocab].
using Script = std::function<void(std::span<const int32_t> visible, std::span<float> logits)>;

/// The default: noise in [-4, 4) that depends on every visible token and its place (SplitMix64, Steele et al. 2014).
inline void noise_logits(std::span<const int32_t> visible, std::span<float> logits) {
  const auto split_mix = [](uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  };
  uint64_t state = 0;
  for (int32_t token : visible) state = split_mix(state ^ static_cast<uint32_t>(token));
  for (size_t id = 0; id < logits.size(); id++) {
    logits[id] = static_cast<float>(split_mix(state + id) >> 40) * 0x1p-21f - 4;
  }
}

class ScriptedBackend : public backends::Backend {
 public:
  struct StepLog {
    uint32_t tokens, seqs, rows;
  };
  Script script = noise_logits;
  uint32_t pending_polls = 0;  // poll() says kPending so often before each step is done
  std::optional<uint64_t> fail_submit_at, fail_poll_at, lose_device_at;  // step number, from 1
  bool out_of_memory = false;

  std::vector<StepLog> steps;           // what was submitted
  std::vector<std::string> violations;  // of the contract; tests expect none
  uint32_t live_buffers = 0, live_plans = 0, waits = 0;

  const graph::Target& target() const override { return target_; }
  Result<graph::Plan> lower(graph::Graph, const graph::PlanKey&) const override {
    return fail(ErrorCode::kUnsupported, "The scripted backend has no graphs.");
  }
  Result<backends::Buffer> alloc(uint64_t, backends::Usage) override {
    if (out_of_memory) return fail(ErrorCode::kOutOfMemory, "The script says there is no memory.");
    live_buffers++;
    return backends::Buffer{next_buffer_++};
  }
  Result<backends::Buffer> import_host(std::span<const std::span<const std::byte>>) override {
    return fail(ErrorCode::kUnsupported, "The scripted backend has no weights.");
  }
  uint64_t weight_bytes(const graph::Plan&, uint32_t) const override { return 0; }
  Result<void> upload_rows(const graph::Plan&, uint32_t, backends::Buffer, uint32_t,
                           std::span<const std::byte>) override {
    return {};
  }
  void free(backends::Buffer) override { live_buffers--; }
  Result<backends::PlanId> load(const graph::Plan& plan, std::span<const backends::Buffer>,
                                std::span<const backends::Buffer>, std::span<const backends::Buffer>,
                                uint32_t n_pages) override {
    key_ = plan.key;
    vocab_ = plan.outputs[0].binding.cols;
    n_pages_ = n_pages;
    cache_.assign(size_t{n_pages} * key_.page_tokens, kUnwritten);
    page_table_.reserve(size_t{n_pages} * key_.max_seqs);  // the engine's allocations are counted, not the script's
    visible_.reserve(cache_.size());
    live_plans++;
    return backends::PlanId{0};
  }
  void unload(backends::PlanId) override { live_plans--; }

  Result<backends::Ticket> submit(backends::PlanId, const graph::StepParams& step) override {
    if (running_) violations.push_back("a step was submitted while another was running");
    check(step);
    steps.push_back({uint32_t(step.tokens.size()), uint32_t(step.seqs.size()), uint32_t(step.rows.size())});
    if (fail_submit_at == steps.size()) return fail(ErrorCode::kOutOfMemory, "The script fails this submit.");
    tokens_.assign(step.tokens.begin(), step.tokens.end());
    positions_.assign(step.positions.begin(), step.positions.end());
    sequences_.assign(step.sequences.begin(), step.sequences.end());
    seqs_.assign(step.seqs.begin(), step.seqs.end());
    page_table_.assign(step.page_table.begin(), step.page_table.end());
    rows_.assign(step.rows.begin(), step.rows.end());
    running_ = true;
    left_ = pending_polls;
    return backends::Ticket{steps.size()};
  }

  Result<backends::Poll> poll(backends::Ticket ticket, uint32_t output, backends::OutputRoom room) override {
    const std::span out(reinterpret_cast<float*>(room.data()), room.size() / sizeof(float));
    if (ticket.id != steps.size() || output != 0) violations.push_back("poll asked for another step or output");
    if (left_ > 0) {
      left_--;
      return backends::Poll::kPending;
    }
    if (fail_poll_at == steps.size()) {
      running_ = false;
      return fail(ErrorCode::kInternal, "The script fails this poll.");
    }
    if (lose_device_at == steps.size()) {
      running_ = false;
      return backends::Poll::kDeviceLost;
    }
    compute(out);
    return backends::Poll::kReady;
  }
  void wait(backends::Ticket) override { waits++, left_ = 0; }

 private:
  static constexpr int32_t kUnwritten = -1;
  graph::Target target_;
  graph::PlanKey key_;
  uint32_t vocab_ = 0, n_pages_ = 0, next_buffer_ = 0, left_ = 0;
  bool running_ = false;
  std::vector<int32_t> cache_;  // [n_pages, page_tokens]
  std::vector<int32_t> tokens_, visible_;
  std::vector<uint32_t> positions_, sequences_, page_table_, rows_;
  std::vector<graph::StepSequence> seqs_;

  int32_t& slot(uint32_t sequence, uint32_t position) {
    const uint32_t page = page_table_[seqs_[sequence].first_page + position / key_.page_tokens];
    return cache_[size_t{page} * key_.page_tokens + position % key_.page_tokens];
  }

  /// At the end of the step, not at submit(): a page that changed hands in between is noticed.
  void compute(std::span<float> out) {
    running_ = false;
    for (size_t t = 0; t < tokens_.size(); t++) slot(sequences_[t], positions_[t]) = tokens_[t];
    if (out.size() != rows_.size() * vocab_) return violations.push_back("poll gave room for another number of rows");
    for (size_t r = 0; r < rows_.size(); r++) {
      const uint32_t sequence = sequences_[rows_[r]];
      visible_.clear();
      for (uint32_t p = 0; p <= positions_[rows_[r]]; p++) {
        visible_.push_back(slot(sequence, p));
        if (visible_.back() == kUnwritten) violations.push_back("a slot was read that nobody wrote");
      }
      script(visible_, out.subspan(r * vocab_, vocab_));
    }
  }

  /// The contract of StepParams and of the plan's key.
  void check(const graph::StepParams& step) {
    const auto require = [this](bool holds, const char* what) {
      if (!holds) violations.push_back(what);
    };
    const size_t n = step.tokens.size();
    require(n >= 1 && n <= key_.max_tokens, "T is out of range");
    require(step.positions.size() == n && step.sequences.size() == n, "arrays of T differ in length");
    require(!step.seqs.empty() && step.seqs.size() <= key_.max_seqs, "S is out of range");
    require(step.rows.size() <= key_.max_rows, "R is out of range");
    for (size_t s = 0; s < step.seqs.size(); s++) {
      const uint32_t pages = (step.seqs[s].kv_len - 1) / key_.page_tokens + 1;
      require(step.seqs[s].first_page + pages <= step.page_table.size(), "pages are missing in the table");
    }
    for (uint32_t page : step.page_table) require(page < n_pages_, "a page id is out of range");
    for (size_t t = 0; t < n; t++) {
      require(step.sequences[t] < step.seqs.size(), "a sequence index is out of range");
      require(step.positions[t] < step.seqs[step.sequences[t]].kv_len, "a position is beyond kv_len");
      require(step.tokens[t] >= 0 && uint32_t(step.tokens[t]) < vocab_, "a token is beyond the vocabulary");
    }
    for (size_t r = 0; r < step.rows.size(); r++) {
      require(step.rows[r] < n && (r == 0 || step.rows[r] > step.rows[r - 1]), "rows are not ascending");
    }
  }
};

}  // namespace tern::engine
