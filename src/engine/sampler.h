// Sampler: a row of logits -> the next token. A pure function of logits, options and the sequence's own tokens: random
// numbers are keyed by seed and position (philox.h), so batch-mates and threads never matter.
//
//   logits -> + bias -> penalties -> mask -> [temperature 0: the largest] -> top-k -> typical -> top-p -> min-p
//          -> / temperature -> draw, in order of ids
//
// Devices that sample do the same from the penalties on (graph/step.h).
//
// Sources. Repetition penalty: Keskar et al. 2019, "CTRL", section 4.1, with the sign rule of transformers (a negative
// logit is multiplied). Frequency and presence penalties: OpenAI's API reference. Top-k: Fan et al. 2018. Top-p:
// Holtzman et al. 2020. Typical: Meister et al. 2023, "Locally typical sampling". Min-p: Nguyen et al. 2024.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "engine/request.h"

namespace tern::engine {

inline constexpr uint32_t kMaxLogprobs = 20;

/// Errors: kInvalidArgument naming the option, the value and the values allowed.
Result<void> validate(const SamplingOptions& options, uint32_t vocab);

struct Sample {
  int32_t token = -1;
  float logprob = 0;   // of `token`; like top, only set when options.logprobs > 0
  uint32_t n_top = 0;  // min(options.logprobs, vocab)
  std::array<TokenLogprob, kMaxLogprobs> top;
};

class Sampler {
 public:
  /// Allocates its scratch for vocab >= 1 tokens; sample() allocates nothing.
  explicit Sampler(uint32_t vocab);

  /// logits: [vocab], changed in place. history: the sequence's tokens so far, prompt first; its length is the position
  /// of the token to be drawn. options: valid. mask: as in TokenMask, or empty. Ties go to the lowest id.
  /// Errors: kInternal when a logit is NaN or +infinity; kInvalidArgument when no token is allowed.
  Result<Sample> sample(std::span<float> logits, const SamplingOptions& options, std::span<const int32_t> history,
                        std::span<const uint32_t> mask = {});

 private:
  struct Candidate {
    float logit;
    int32_t id;
  };
  std::vector<Candidate> candidates_;  // [vocab]; the first n_ are in play
  size_t n_ = 0;
  size_t sorted_ = 0;             // candidates_[0, sorted_) are the best, in order
  std::vector<double> weights_;   // [vocab]
  std::vector<uint32_t> counts_;  // [vocab], all zero between calls

  static bool better(const Candidate& a, const Candidate& b);
  void penalise(std::span<float> logits, const SamplingOptions& options, std::span<const int32_t> history);
  void gather(std::span<const float> logits, uint32_t top_k);
  void sort_prefix(size_t count);
  void keep_typical(float max, float mass);
  void keep_top_p(float max, float mass);
  void keep_min_p(float max, float min_p);
  int32_t draw(float max, float temperature, double uniform);
  void report(std::span<const float> logits, float max, uint32_t count, Sample& sample);
};

}  // namespace tern::engine
