// StepSamples: what a step tells a sampling backend about its rows: graph::StepSample, with the tokens that penalties
// look back on and the masks of constrained output.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/request.h"
#include "engine/scheduler.h"
#include "graph/step.h"

namespace tern::engine {

/// True when a device can draw this request's tokens. longest: tokens its sequence can come to have.
bool device_can_sample(const SamplingOptions& options, uint64_t longest);

class StepSamples {
 public:
  /// Allocates for the largest step; only masks are allocated when the first one comes.
  StepSamples(uint32_t max_seqs, uint32_t vocab);

  /// A new step of n_rows rows, none of which is sampled.
  void start(size_t n_rows);
  /// Row `row` draws the token after all that is scheduled of `sequence`; generated: tokens of its answer.
  void set(uint32_t row, const Sequence& sequence, const SamplingOptions& options, const TokenMask& mask,
           size_t generated);
  /// For StepParams; valid until the next start().
  void fill(graph::StepParams& step) const;

  /// All tokens allowed, then asked of the mask: [ceil(vocab / 32)].
  static void allowed(const TokenMask& mask, std::span<const int32_t> generated, std::span<uint32_t> words);

 private:
  size_t mask_words_;
  std::vector<graph::StepSample> samples_;  // [R]
  std::vector<int32_t> recent_;
  std::vector<uint32_t> masks_;  // [R, mask_words_] when any row is masked
};

}  // namespace tern::engine
