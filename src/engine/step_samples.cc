#include "engine/step_samples.h"

#include <algorithm>

namespace tern::engine {
namespace {

bool penalises(const SamplingOptions& options) {
  return options.repetition_penalty != 1 || options.frequency_penalty != 0 || options.presence_penalty != 0;
}

}  // namespace

bool device_can_sample(const SamplingOptions& options, uint64_t longest) {
  const uint64_t window = penalises(options) ? std::min<uint64_t>(options.penalty_last_n, longest) : 0;
  return options.logit_bias.empty() && options.typical_p >= 1 && options.logprobs == 0 && window <= graph::kMaxRecent;
}

StepSamples::StepSamples(uint32_t max_seqs, uint32_t vocab) : mask_words_((size_t{vocab} + 31) / 32) {
  samples_.reserve(max_seqs);
  recent_.reserve(size_t{max_seqs} * graph::kMaxRecent);
}

void StepSamples::start(size_t n_rows) {
  samples_.assign(n_rows, {});
  recent_.clear();
  masks_.clear();
}

void StepSamples::set(uint32_t row, const Sequence& sequence, const SamplingOptions& options, const TokenMask& mask,
                      size_t generated) {
  graph::StepSample& sample = samples_[row];
  sample.settings = {.temperature = options.temperature,
                     .top_k = options.top_k,
                     .top_p = options.top_p,
                     .min_p = options.min_p,
                     .repetition_penalty = options.repetition_penalty,
                     .frequency_penalty = options.frequency_penalty,
                     .presence_penalty = options.presence_penalty,
                     .seed = options.seed};
  sample.position = sequence.scheduled;
  sample.word = graph::sampled_word(sequence.place, sequence.scheduled);
  sample.first_recent = static_cast<uint32_t>(recent_.size());
  if (penalises(options)) {
    const uint32_t end = sequence.scheduled;
    for (uint32_t position = end - std::min(end, options.penalty_last_n); position < end; position++) {
      recent_.push_back(position < sequence.tokens.size()
                            ? sequence.tokens[position]
                            : graph::sampled_token(graph::sampled_word(sequence.place, position)));
    }
  }
  sample.n_recent = static_cast<uint32_t>(recent_.size()) - sample.first_recent;
  if (!mask) return;
  sample.masked = true;
  masks_.resize(samples_.size() * mask_words_);
  allowed(mask, std::span(sequence.tokens).last(generated), std::span(masks_).subspan(row * mask_words_, mask_words_));
}

void StepSamples::fill(graph::StepParams& step) const {
  step.samples = samples_;
  step.recent = recent_;
  step.masks = masks_;
}

void StepSamples::allowed(const TokenMask& mask, std::span<const int32_t> generated, std::span<uint32_t> words) {
  std::ranges::fill(words, UINT32_MAX);
  mask(generated, words);
}

}  // namespace tern::engine
