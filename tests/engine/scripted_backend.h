// A backend with no model: its KV cache holds token ids, and a row of logits is a function of all tokens that the
// page table shows at positions 0 .. p. So a page given to the wrong sequence, shared too early, reused too soon or
// lost on the way changes tokens; and reading a slot that nobody wrote is reported. Like a device, it computes steps in
// order and later than they are submitted, and it can sample.
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "engine/sampler.h"

namespace tern::engine {

/// visible: the tokens at positions 0 .. p; logits: [vocab].
using Script = std::function<void(std::span<const int32_t> visible, std::span<float> logits)>;

/// The hidden state of the last of these tokens, as in Script: [kHidden].
inline constexpr uint32_t kHidden = 3;
inline std::array<float, kHidden> hidden_state(std::span<const int32_t> visible) {
  float sum = 0;
  for (const int32_t token : visible) sum += static_cast<float>(token);
  return {sum, static_cast<float>(visible.size()), static_cast<float>(visible.back())};  // whole numbers: exact sums
}

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
  bool lost = false;                                                     // from now on, at any call
  bool out_of_memory = false;

  std::vector<StepLog> steps;           // what was submitted
  std::vector<std::string> violations;  // of the contract; tests expect none
  uint32_t live_buffers = 0, live_plans = 0, waits = 0;
  uint32_t unseen_tokens = 0;  // that steps took from the device; at a depth above 1 tests expect some
  uint64_t read_back = 0;      // bytes that poll() gave out

  explicit ScriptedBackend(uint32_t steps_in_flight = 1) {
    target_.device = "a script";
    target_.steps_in_flight = steps_in_flight;
  }
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
  /// A plan with an output "tokens" samples.
  Result<backends::PlanId> load(const graph::Plan& plan, std::span<const backends::Buffer>,
                                std::span<const backends::Buffer>, std::span<const backends::Buffer>,
                                uint32_t n_pages) override {
    key_ = plan.key;
    vocab_ = plan.outputs[0].binding.cols;
    n_pages_ = n_pages;
    tokens_output_ = plan.find_output("tokens");
    pooled_output_ = plan.find_output("pooled");
    samples_ = tokens_output_ != graph::kNone;
    sampler_.emplace(vocab_);
    cache_.assign(size_t{n_pages} * key_.page_tokens, kUnwritten);
    state_.assign(size_t{key_.max_seqs} * graph::kSampledTokens, kUnwritten);
    visible_.reserve(cache_.size() + 1);  // the engine's allocations are counted, not the script's
    fake_history_.reserve(cache_.size() + 1);
    submitted_.resize(target_.steps_in_flight);
    for (Step& step : submitted_) step.reserve(key_, n_pages, vocab_);
    done_ = computed_ = steps.size();
    live_plans++;
    return backends::PlanId{0};
  }
  void unload(backends::PlanId) override { live_plans--; }

  Result<backends::Ticket> submit(backends::PlanId, const graph::StepParams& step) override {
    if (steps.size() - done_ >= target_.steps_in_flight) violations.push_back("too many steps are in flight");
    check(step);
    steps.push_back({uint32_t(step.tokens.size()), uint32_t(step.seqs.size()), uint32_t(step.rows.size())});
    if (lost) return fail(ErrorCode::kDeviceLost, "The script has lost the device.");
    if (fail_submit_at == steps.size()) {
      done_ = computed_ = steps.size();  // of no interest any more
      return fail(ErrorCode::kOutOfMemory, "The script fails this submit.");
    }
    submitted_[steps.size() % submitted_.size()].assign(step, pending_polls);
    return backends::Ticket{steps.size()};
  }

  Result<backends::Poll> poll(backends::Ticket ticket, uint32_t output, backends::OutputRoom room) override {
    if (ticket.id == 0 || ticket.id > steps.size() || ticket.id + submitted_.size() <= steps.size()) {
      violations.push_back("poll asked for another step");
    }
    Step& step = submitted_[ticket.id % submitted_.size()];
    if (step.pending > 0) {
      step.pending--;
      return backends::Poll::kPending;
    }
    done_ = std::max(done_, ticket.id);
    if (lost || lose_device_at == ticket.id) {
      lost = true;
      return backends::Poll::kDeviceLost;
    }
    while (computed_ < ticket.id) compute(submitted_[++computed_ % submitted_.size()]);
    if (fail_poll_at == ticket.id) return fail(ErrorCode::kInternal, "The script fails this poll.");
    if (!room.empty()) give(step, output, room);
    return backends::Poll::kReady;
  }
  void wait(backends::Ticket ticket) override {
    waits++;
    for (uint64_t id = done_ + 1; id <= ticket.id; id++) submitted_[id % submitted_.size()].pending = 0;
  }

 private:
  static constexpr int32_t kUnwritten = -1000000;
  struct Step {
    std::vector<int32_t> tokens, recent, drawn;
    std::vector<uint32_t> positions, sequences, page_table, rows, masks;
    std::vector<graph::StepSequence> seqs;
    std::vector<graph::StepSample> samples;
    std::vector<graph::StepPool> pools;
    std::vector<float> logits;  // [R, vocab]
    std::vector<float> pooled;  // [P, kHidden]
    bool read_logits = true;
    uint32_t pending = 0;

    void reserve(const graph::PlanKey& key, uint32_t n_pages, uint32_t vocab) {
      for (auto* array : {&positions, &sequences, &rows}) array->reserve(key.max_tokens);
      tokens.reserve(key.max_tokens);
      recent.reserve(size_t{key.max_seqs} * graph::kMaxRecent);
      drawn.reserve(key.max_rows);
      page_table.reserve(size_t{n_pages} * key.max_seqs);
      seqs.reserve(key.max_seqs);
      samples.reserve(key.max_seqs);
      pools.reserve(key.max_seqs);
      pooled.reserve(size_t{key.max_seqs} * kHidden);
      logits.reserve(size_t{key.max_seqs} * vocab);
    }
    void assign(const graph::StepParams& step, uint32_t polls) {
      tokens.assign(step.tokens.begin(), step.tokens.end());
      positions.assign(step.positions.begin(), step.positions.end());
      sequences.assign(step.sequences.begin(), step.sequences.end());
      seqs.assign(step.seqs.begin(), step.seqs.end());
      page_table.assign(step.page_table.begin(), step.page_table.end());
      rows.assign(step.rows.begin(), step.rows.end());
      pools.assign(step.pools.begin(), step.pools.end());
      samples.assign(step.samples.begin(), step.samples.end());
      recent.assign(step.recent.begin(), step.recent.end());
      masks.assign(step.masks.begin(), step.masks.end());
      read_logits = step.read_logits;
      pending = polls;
    }
  };
  graph::Target target_;
  graph::PlanKey key_;
  uint32_t vocab_ = 0, n_pages_ = 0, next_buffer_ = 0;
  bool samples_ = false;
  uint32_t tokens_output_ = graph::kNone, pooled_output_ = graph::kNone;
  uint64_t done_ = 0, computed_ = 0;  // last step whose poll() said so, and that was computed
  std::vector<Step> submitted_;       // index: number of the step % their count
  std::vector<int32_t> cache_;        // [n_pages, page_tokens]
  std::vector<int32_t> state_;        // [max_seqs, kSampledTokens]
  std::vector<int32_t> visible_, fake_history_;
  std::vector<float> scratch_;  // [vocab]
  std::optional<Sampler> sampler_;

  int32_t& slot(const Step& step, uint32_t sequence, uint32_t position) {
    const uint32_t page = step.page_table[step.seqs[sequence].first_page + position / key_.page_tokens];
    return cache_[size_t{page} * key_.page_tokens + position % key_.page_tokens];
  }
  int32_t resolve(int32_t token) {
    if (token >= 0) return token;
    unseen_tokens++;
    const int32_t sampled = state_[size_t(-1 - token)];
    if (sampled == kUnwritten) violations.push_back("a token was taken from where none was sampled");
    return sampled;
  }

  /// Late, not at submit(): a page that changed hands in between is noticed.
  void compute(Step& step) {
    for (size_t t = 0; t < step.tokens.size(); t++) {
      slot(step, step.sequences[t], step.positions[t]) = resolve(step.tokens[t]);
    }
    step.logits.resize(step.rows.size() * vocab_);
    step.drawn.resize(step.rows.size());
    for (size_t r = 0; r < step.rows.size(); r++) {
      look(step, step.rows[r]);
      const auto logits = std::span(step.logits).subspan(r * vocab_, vocab_);
      script(visible_, logits);
      if (!step.samples.empty()) step.drawn[r] = draw(step, r, logits);
    }
    step.pooled.assign(step.pools.size() * kHidden, 0);
    for (size_t p = 0; p < step.pools.size(); p++) {
      for (uint32_t t = step.pools[p].first; t < step.pools[p].first + step.pools[p].n; t++) {
        look(step, t);
        const auto state = hidden_state(visible_);
        for (uint32_t i = 0; i < kHidden; i++) step.pooled[p * kHidden + i] += state[i];
      }
    }
  }

  /// visible_: the tokens that token `t` of the step sees.
  void look(const Step& step, uint32_t t) {
    visible_.clear();
    for (uint32_t p = 0; p <= step.positions[t]; p++) {
      visible_.push_back(slot(step, step.sequences[t], p));
      if (visible_.back() == kUnwritten) violations.push_back("a slot was read that nobody wrote");
    }
  }

  /// By the host's sampler, but with nothing of the history than what the step says of it.
  int32_t draw(const Step& step, size_t row, std::span<const float> logits) {
    const graph::StepSample& sample = step.samples[row];
    const graph::SampleSettings& settings = sample.settings;
    if (sample.position != visible_.size()) violations.push_back("a token is drawn for another position");
    fake_history_.assign(sample.position, 0);
    for (uint32_t i = 0; i < sample.n_recent; i++) {
      fake_history_[sample.position - sample.n_recent + i] = resolve(step.recent[sample.first_recent + i]);
    }
    const SamplingOptions options{.temperature = settings.temperature,
                                  .top_k = settings.top_k,
                                  .top_p = settings.top_p,
                                  .min_p = settings.min_p,
                                  .repetition_penalty = settings.repetition_penalty,
                                  .frequency_penalty = settings.frequency_penalty,
                                  .presence_penalty = settings.presence_penalty,
                                  .penalty_last_n = sample.n_recent,
                                  .seed = settings.seed};
    const size_t mask_words = (vocab_ + 31) / 32;
    const auto mask =
        std::span(step.masks).subspan(sample.masked ? row * mask_words : 0, sample.masked ? mask_words : 0);
    scratch_.assign(logits.begin(), logits.end());
    const auto drawn = sampler_->sample(scratch_, options, fake_history_, mask);
    state_[sample.word] = drawn ? drawn->token : 0;
    return drawn ? drawn->token : graph::kNoToken;
  }

  void give(const Step& step, uint32_t output, backends::OutputRoom room) {
    const bool tokens = output == tokens_output_, pooled = output == pooled_output_;
    if (output != 0 && !tokens && !pooled) return violations.push_back("poll asked for an output that there is not");
    const bool computed = tokens ? !step.samples.empty() : pooled ? !step.pools.empty() : step.read_logits;
    if (!computed) violations.push_back("poll asked for what is not computed");
    const auto bytes = tokens   ? std::as_bytes(std::span(step.drawn))
                       : pooled ? std::as_bytes(std::span(step.pooled))
                                : std::as_bytes(std::span(step.logits));
    if (bytes.size() != room.size()) return violations.push_back("poll gave room for another number of rows");
    std::ranges::copy(bytes, room.begin());
    read_back += bytes.size();
  }

  /// The contract of StepParams and of the plan's key.
  void check(const graph::StepParams& step) {
    const auto require = [this](bool holds, const char* what) {
      if (!holds) violations.push_back(what);
    };
    const size_t n = step.tokens.size();
    const auto known = [this](int32_t token) { return token >= 0 && uint32_t(token) < vocab_; };
    const auto word = [this](int32_t token) { return samples_ && token < 0 && size_t(-1 - token) < state_.size(); };
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
      require(known(step.tokens[t]) || word(step.tokens[t]), "a token is beyond the vocabulary");
    }
    for (size_t r = 0; r < step.rows.size(); r++) {
      require(step.rows[r] < n && (r == 0 || step.rows[r] > step.rows[r - 1]), "rows are not ascending");
    }
    require(step.pools.size() <= step.seqs.size(), "P is out of range");
    uint32_t pools_end = 0;
    for (const auto& [first, n_pooled] : step.pools) {
      require(n_pooled > 0 && first >= pools_end && first + n_pooled <= n, "a pool is out of range");
      pools_end = first + n_pooled;
    }
    require(step.samples.empty() || (samples_ && step.samples.size() == step.rows.size()), "samples are not of rows");
    for (const graph::StepSample& sample : step.samples) {
      require(sample.word < state_.size(), "a sample has no place");
      require(sample.n_recent <= graph::kMaxRecent, "too many tokens are looked back on");
      require(sample.first_recent + sample.n_recent <= step.recent.size(), "recent tokens are missing");
    }
    for (int32_t token : step.recent) require(known(token) || word(token), "a recent token is none");
  }
};

}  // namespace tern::engine
