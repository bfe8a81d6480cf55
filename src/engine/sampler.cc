#include "engine/sampler.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <utility>

#include "engine/philox.h"

namespace tern::engine {

Result<void> validate(const SamplingOptions& options, uint32_t vocab) {
  // Written so that NaN fails every one. The bounds on penalties and biases keep finite logits finite.
  const auto check = [](const char* name, float value, float low, bool open, float high) -> Result<void> {
    if ((open ? value > low : value >= low) && value <= high) return {};
    return fail(ErrorCode::kInvalidArgument, "{} is {}, but must be in {}{}, {}].", name, value, open ? '(' : '[', low,
                high);
  };
  TRY(check("temperature", options.temperature, 0, false, 1e6f));
  TRY(check("top_p", options.top_p, 0, true, 1));
  TRY(check("min_p", options.min_p, 0, false, 1));
  TRY(check("typical_p", options.typical_p, 0, true, 1));
  TRY(check("repetition_penalty", options.repetition_penalty, 0.01f, false, 100));
  TRY(check("frequency_penalty", options.frequency_penalty, -100, false, 100));
  TRY(check("presence_penalty", options.presence_penalty, -100, false, 100));
  for (const auto& [id, bias] : options.logit_bias) {
    if (id < 0 || static_cast<uint32_t>(id) >= vocab) {
      return fail(ErrorCode::kInvalidArgument, "logit_bias names token {}, but the vocabulary ends at {}.", id,
                  vocab - 1);
    }
    if (bias == -INFINITY) continue;  // banned
    TRY_CTX(check("logit_bias", bias, -1000, false, 1000), "for token {} (-infinity bans a token)", id);
  }
  if (options.logprobs > kMaxLogprobs) {
    return fail(ErrorCode::kInvalidArgument, "logprobs is {}, but at most {} alternatives are reported.",
                options.logprobs, kMaxLogprobs);
  }
  return {};
}

Sampler::Sampler(uint32_t vocab) : candidates_(vocab), weights_(vocab), counts_(vocab) {
  ASSERT(vocab >= 1);
}

bool Sampler::better(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

Result<Sample> Sampler::sample(std::span<float> logits, const SamplingOptions& options,
                               std::span<const int32_t> history, std::span<const uint32_t> mask) {
  ASSERT(logits.size() == candidates_.size());
  for (const auto& [id, bias] : options.logit_bias) logits[id] += bias;
  penalise(logits, options, history);
  float max = -INFINITY;
  int32_t best = -1;
  for (size_t id = 0; id < logits.size(); id++) {
    if (!(logits[id] <= FLT_MAX)) {
      return fail(
          ErrorCode::kInternal,
          "The logit of token {} at position {} is {}. The model's weights are damaged, or its values overflow.", id,
          history.size(), logits[id]);
    }
    const bool allowed = mask.empty() || (mask[id / 32] >> (id % 32) & 1) != 0;
    if (!allowed) logits[id] = -INFINITY;
    if (logits[id] > max) max = logits[id], best = static_cast<int32_t>(id);
  }
  if (best < 0) return fail(ErrorCode::kInvalidArgument, "No token is left: logit_bias or the mask bans all of them.");

  Sample sample;
  if (options.temperature == 0) {
    sample.token = best;
  } else {
    gather(logits, options.top_k);
    float kept_max = max;
    if (options.typical_p < 1) {
      keep_typical(max, options.typical_p);  // may drop the most probable token
      kept_max = candidates_[0].logit;
    }
    if (options.top_p < 1) keep_top_p(kept_max, options.top_p);
    if (options.min_p > 0) keep_min_p(kept_max, options.min_p);
    sample.token = draw(kept_max, options.temperature, uniform(options.seed, history.size()));
  }
  if (options.logprobs > 0) report(logits, max, options.logprobs, sample);
  return sample;
}

/// Over the last penalty_last_n tokens of `history`; each distinct token once, with how often it occurs.
void Sampler::penalise(std::span<float> logits, const SamplingOptions& options, std::span<const int32_t> history) {
  if (options.repetition_penalty == 1 && options.frequency_penalty == 0 && options.presence_penalty == 0) return;
  const auto window = history.last(std::min<size_t>(history.size(), options.penalty_last_n));
  for (int32_t id : window) counts_[id]++;
  for (int32_t id : window) {
    const uint32_t count = std::exchange(counts_[id], 0);
    if (count == 0) continue;
    float& logit = logits[id];
    logit = logit > 0 ? logit / options.repetition_penalty : logit * options.repetition_penalty;
    logit -= static_cast<float>(count) * options.frequency_penalty + options.presence_penalty;
  }
}

/// The top_k best, sorted; with top_k 0 all that are not banned, by id.
void Sampler::gather(std::span<const float> logits, uint32_t top_k) {
  n_ = sorted_ = 0;
  const auto begin = candidates_.begin();
  const bool all = top_k == 0 || top_k >= logits.size();
  for (size_t id = 0; id < logits.size(); id++) {
    const Candidate candidate{logits[id], static_cast<int32_t>(id)};
    if (candidate.logit == -INFINITY) continue;
    if (all) {
      candidates_[n_++] = candidate;
    } else if (n_ < top_k) {  // a heap with the worst in front
      candidates_[n_++] = candidate;
      std::push_heap(begin, begin + n_, better);
    } else if (better(candidate, candidates_[0])) {
      std::pop_heap(begin, begin + n_, better);
      candidates_[n_ - 1] = candidate;
      std::push_heap(begin, begin + n_, better);
    }
  }
  if (!all) sort_prefix(n_);
}

/// Makes the first `count` candidates the best, in order, with no work for those already sorted.
void Sampler::sort_prefix(size_t count) {
  count = std::min(count, n_);
  if (count <= sorted_) return;
  const auto begin = candidates_.begin();
  if (count < n_) std::nth_element(begin + sorted_, begin + count, begin + n_, better);
  std::sort(begin + sorted_, begin + count, better);
  sorted_ = count;
}

/// Keeps the candidates whose surprise -ln p is nearest to the entropy, up to the given mass.
void Sampler::keep_typical(float max, float mass) {
  double sum = 0, weighted = 0;  // of exp(l - max), and of exp(l - max) * (l - max)
  for (size_t i = 0; i < n_; i++) {
    const double shifted = double{candidates_[i].logit} - max;
    const double weight = std::exp(shifted);
    sum += weight;
    weighted += weight * shifted;
  }
  // -ln p_i = ln sum - (l_i - max), entropy = ln sum - weighted / sum: ln sum cancels in their difference.
  const double centre = max + weighted / sum;
  const auto distance = [centre](const Candidate& c) { return std::abs(c.logit - centre); };
  const auto begin = candidates_.begin();
  std::sort(begin, begin + n_, [&](const Candidate& a, const Candidate& b) {
    return distance(a) != distance(b) ? distance(a) < distance(b) : better(a, b);
  });
  double kept = 0;
  size_t count = 0;
  while (count < n_ && kept < mass * sum) kept += std::exp(double{candidates_[count++].logit} - max);
  n_ = count;
  sorted_ = 0;
  sort_prefix(n_);
}

/// Keeps the fewest best candidates that together hold the mass.
void Sampler::keep_top_p(float max, float mass) {
  double sum = 0;
  for (size_t i = 0; i < n_; i++) sum += std::exp(double{candidates_[i].logit} - max);
  double kept = 0;
  size_t count = 0;
  while (count < n_ && kept < mass * sum) {
    if (count == sorted_) sort_prefix(std::max<size_t>(256, sorted_ * 4));  // few are needed as a rule
    kept += std::exp(double{candidates_[count++].logit} - max);
  }
  n_ = count;
}

/// Keeps the candidates at least min_p times as probable as the best; keeps their order.
void Sampler::keep_min_p(float max, float min_p) {
  const double floor = double{max} + std::log(double{min_p});
  const auto begin = candidates_.begin();
  n_ = std::remove_if(begin, begin + n_, [floor](const Candidate& c) { return c.logit < floor; }) - begin;
}

/// By inversion of the cumulative distribution, in order of ids, so that a device need not sort. uniform: [0, 1).
int32_t Sampler::draw(float max, float temperature, double uniform) {
  const auto by_id = [](const Candidate& a, const Candidate& b) { return a.id < b.id; };
  const auto begin = candidates_.begin();
  if (!std::is_sorted(begin, begin + n_, by_id)) std::sort(begin, begin + n_, by_id);
  double sum = 0;
  for (size_t i = 0; i < n_; i++) sum += weights_[i] = std::exp((double{candidates_[i].logit} - max) / temperature);
  const double target = uniform * sum;
  double below = 0;
  int32_t token = candidates_[0].id;
  for (size_t i = 0; i < n_; i++) {
    if (weights_[i] == 0) continue;
    token = candidates_[i].id;  // also the answer when rounding leaves `target` above the last sum
    below += weights_[i];
    if (target < below) break;
  }
  return token;
}

/// ln softmax of the whole row, for the token and the `count` best.
void Sampler::report(std::span<const float> logits, float max, uint32_t count, Sample& sample) {
  double sum = 0;
  for (float logit : logits) sum += std::exp(double{logit} - max);
  const double log_sum = max + std::log(sum);
  sample.logprob = static_cast<float>(logits[sample.token] - log_sum);
  gather(logits, std::min(count, static_cast<uint32_t>(logits.size())));
  sort_prefix(count);
  sample.n_top = static_cast<uint32_t>(std::min<size_t>(count, n_));
  for (uint32_t i = 0; i < sample.n_top; i++) {
    sample.top[i] = {candidates_[i].id, static_cast<float>(candidates_[i].logit - log_sum)};
  }
}

}  // namespace tern::engine
