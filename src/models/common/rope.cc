#include "models/common/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tern::models {
namespace {

using Kind = RopeScaling::Kind;

// Llama 3.1: long waves are slowed by `factor`, short ones kept, those between are blended
// (transformers, modeling_rope_utils._compute_llama3_parameters).
double llama3_freq(double freq, const RopeScaling& s) {
  const double waves = s.original_context * freq / (2 * std::numbers::pi);  // turns over the original context
  if (waves > s.high_freq) return freq;
  if (waves < s.low_freq) return freq / s.factor;
  const double smooth = (waves - s.low_freq) / (s.high_freq - s.low_freq);
  return (1 - smooth) * freq / s.factor + smooth * freq;
}

// YaRN (Peng et al. 2023, section 3.2): dimensions that turn more than beta_fast times over the original context are
// kept, those that turn less than beta_slow times are slowed, with a linear ramp between.
double yarn_freq(double freq, uint32_t i, const Rope& rope) {
  const RopeScaling& s = rope.scaling;
  const auto dim_of_turns = [&](double turns) {
    return rope.rot_dim * std::log(s.original_context / (turns * 2 * std::numbers::pi)) / (2 * std::log(rope.theta));
  };
  const double last = rope.rot_dim - 1;
  const double low = std::max(std::floor(dim_of_turns(s.beta_fast)), 0.0);
  const double high = std::min(std::ceil(dim_of_turns(s.beta_slow)), last);
  const double ramp = std::clamp((i - low) / std::max(high - low, 0.001), 0.0, 1.0);
  return freq / s.factor * ramp + freq * (1 - ramp);
}

double magnitude_of(const RopeScaling& s) {
  if (s.attention_factor > 0) return s.attention_factor;
  if (s.factor <= 1) return 1;
  if (s.kind == Kind::kYarn) return 0.1 * std::log(s.factor) + 1;  // YaRN, eq. 22
  if (s.kind == Kind::kLongRope) return std::sqrt(1 + std::log(s.factor) / std::log(s.original_context));  // Phi-3
  return 1;
}

}  // namespace

RopeTable rope_table(const Rope& rope, uint32_t context) {
  const RopeScaling& s = rope.scaling;
  const std::vector<float>& longrope = context > s.original_context ? s.long_factors : s.short_factors;
  RopeTable table;
  table.freqs.resize(rope.rot_dim / 2);
  for (uint32_t i = 0; i < table.freqs.size(); ++i) {
    double freq = std::pow(rope.theta, -2.0 * i / rope.rot_dim);
    switch (s.kind) {
      case Kind::kNone:
        break;
      case Kind::kLinear:
        freq /= s.factor;
        break;
      case Kind::kLlama3:
        freq = llama3_freq(freq, s);
        break;
      case Kind::kLongRope:
        freq /= longrope[i];
        break;
      case Kind::kYarn:
        freq = yarn_freq(freq, i, rope);
        break;
    }
    if (!s.freq_factors.empty()) freq /= s.freq_factors[i];
    table.freqs[i] = static_cast<float>(freq);
  }
  table.magnitude = static_cast<float>(magnitude_of(s));
  return table;
}

}  // namespace tern::models
