// Scales for the K-quants' encoders. A sub-block of n weights is fitted by a search: some step sizes around the one of
// plain min/max rounding give integer codes; for given codes the best scale (and minimum) is a linear least-squares
// problem; the step with the smallest squared error wins. The plain step is among them, so the fit never loses to it.
// Then the sub-blocks' scales are themselves rounded to multiples of the super-block's f16 scale, and the codes are
// chosen again for the scales that a reader will see.
#pragma once

#include <array>
#include <cmath>

#include "formats/bytes.h"

namespace tern::formats {

inline constexpr int kSuperBlock = 256;  // weights per block of every K-quant

/// w ~ scale * q - min, both >= 0.
struct ScaleMin {
  float scale = 0, min = 0;
};

// Steps tried: range / (levels + delta), delta = -0.9 .. 0.9. Measured on a million bell-shaped weights: 4-6% less RMS
// error than the plain step with least squares; 41 steps from -2 to 2 win another 0.0-0.7% (Q6_K 2.4%) for twice the
// time.
inline constexpr int kStepsTried = 19;
inline constexpr float step_delta(int i) {
  return 0.1f * static_cast<float>(i - kStepsTried / 2);
}

/// The best {scale, min} for codes q in [0, levels]. w: [n].
inline ScaleMin fit_scale_min(const float* w, int n, int levels) {
  float lo = 0, hi = w[0];  // min >= 0 means that zero lies inside the range
  for (int i = 0; i < n; ++i) {
    lo = w[i] < lo ? w[i] : lo;
    hi = w[i] > hi ? w[i] : hi;
  }
  if (hi - lo < 1e-30f) return {0, -lo};
  // Everything in terms of v = w - lo >= 0, so that a large common offset does not swallow the differences.
  const float count = static_cast<float>(n);
  ScaleMin best;
  float best_error = INFINITY;
  for (int step = 0; step < kStepsTried; ++step) {
    const float inverse = (static_cast<float>(levels) + step_delta(step)) / (hi - lo);
    float sum_q = 0, sum_qq = 0, sum_v = 0, sum_qv = 0, sum_vv = 0;
    for (int i = 0; i < n; ++i) {
      const float v = w[i] - lo, q = static_cast<float>(nearest(v * inverse, 0, levels));
      sum_q += q, sum_qq += q * q, sum_v += v, sum_qv += q * v, sum_vv += v * v;
    }
    const float determinant = count * sum_qq - sum_q * sum_q;
    if (determinant <= 0) continue;
    float scale = (count * sum_qv - sum_q * sum_v) / determinant;
    float shift = (sum_v - scale * sum_q) / count;  // v ~ scale * q + shift, so min = -(lo + shift)
    if (shift > -lo) shift = -lo, scale = (sum_qv - shift * sum_q) / sum_qq;
    if (!(scale > 0)) continue;
    // sum over i of (scale * q + shift - v)^2, multiplied out.
    const float error = scale * scale * sum_qq + count * shift * shift + sum_vv + 2 * scale * shift * sum_q -
                        2 * scale * sum_qv - 2 * shift * sum_v;
    if (error < best_error) best_error = error, best = {scale, -(lo + shift)};
  }
  return best_error < INFINITY ? best : ScaleMin{(hi - lo) / static_cast<float>(levels), -lo};
}

/// The best scale, of either sign, for w ~ scale * q with codes q in [-levels, levels - 1]. w: [n].
inline float fit_scale(const float* w, int n, int levels) {
  float extreme = 0;
  for (int i = 0; i < n; ++i) {
    if (std::fabs(w[i]) > std::fabs(extreme)) extreme = w[i];
  }
  if (std::fabs(extreme) < 1e-30f) return 0;
  float best = 0, best_gain = -1;
  for (int step = 0; step < kStepsTried; ++step) {
    const float inverse = -(static_cast<float>(levels) + step_delta(step)) / extreme;
    float sum_qq = 0, sum_qw = 0;
    for (int i = 0; i < n; ++i) {
      const float q = static_cast<float>(nearest(w[i] * inverse, -levels, levels - 1));
      sum_qq += q * q, sum_qw += q * w[i];
    }
    // With scale = sum_qw / sum_qq the squared error is sum_ww - sum_qw^2 / sum_qq.
    const float gain = sum_qw * sum_qw / sum_qq;
    if (gain > best_gain) best_gain = gain, best = sum_qw / sum_qq;
  }
  return best;
}

/// A super-block of kSubBlocks sub-blocks: w = (d * scale[j]) * q - (d_min * min[j]).
template <int kSubBlocks>
struct ScaleMinBlock {
  float d, d_min;  // as stored: already rounded to f16
  std::array<uint8_t, kSubBlocks> scale, min;
  std::array<uint8_t, kSuperBlock> q;
};

/// w: [256]; codes q in [0, levels], scales and minimums in [0, scale_levels].
template <int kSubBlocks>
ScaleMinBlock<kSubBlocks> fit_scale_min_block(const float* w, int levels, int scale_levels) {
  constexpr int kSize = kSuperBlock / kSubBlocks;
  std::array<ScaleMin, kSubBlocks> fits;
  float max_scale = 0, max_min = 0;
  for (int j = 0; j < kSubBlocks; ++j) {
    fits[j] = fit_scale_min(w + j * kSize, kSize, levels);
    max_scale = fits[j].scale > max_scale ? fits[j].scale : max_scale;
    max_min = fits[j].min > max_min ? fits[j].min : max_min;
  }
  ScaleMinBlock<kSubBlocks> out;
  out.d = f16_to_f32(f32_to_f16(max_scale / static_cast<float>(scale_levels)));
  out.d_min = f16_to_f32(f32_to_f16(max_min / static_cast<float>(scale_levels)));
  for (int j = 0; j < kSubBlocks; ++j) {
    out.scale[j] = static_cast<uint8_t>(out.d > 0 ? nearest(fits[j].scale / out.d, 0, scale_levels) : 0);
    out.min[j] = static_cast<uint8_t>(out.d_min > 0 ? nearest(fits[j].min / out.d_min, 0, scale_levels) : 0);
    const float scale = out.d * static_cast<float>(out.scale[j]);
    const float min = out.d_min * static_cast<float>(out.min[j]);
    for (int i = j * kSize; i < (j + 1) * kSize; ++i) {
      out.q[i] = static_cast<uint8_t>(scale > 0 ? nearest((w[i] + min) / scale, 0, levels) : 0);
    }
  }
  return out;
}

/// A super-block of 16 sub-blocks of 16: w = (d * scale[j]) * (q - levels).
struct ScaleBlock {
  float d;  // as stored: already rounded to f16
  std::array<int8_t, 16> scale;
  std::array<uint8_t, kSuperBlock> q;  // 0 .. 2 * levels - 1
};

/// w: [256]; codes q in [0, 2 * levels - 1], scales in [-scale_levels, scale_levels - 1].
inline ScaleBlock fit_scale_block(const float* w, int levels, int scale_levels) {
  std::array<float, 16> fits;
  float extreme = 0;
  for (int j = 0; j < 16; ++j) {
    fits[j] = fit_scale(w + j * 16, 16, levels);
    if (std::fabs(fits[j]) > std::fabs(extreme)) extreme = fits[j];
  }
  ScaleBlock out;
  out.d = f16_to_f32(f32_to_f16(extreme / static_cast<float>(-scale_levels)));
  for (int j = 0; j < 16; ++j) {
    out.scale[j] = static_cast<int8_t>(out.d != 0 ? nearest(fits[j] / out.d, -scale_levels, scale_levels - 1) : 0);
    const float scale = out.d * static_cast<float>(out.scale[j]);
    for (int i = j * 16; i < (j + 1) * 16; ++i) {
      const int code = scale != 0 ? nearest(w[i] / scale, -levels, levels - 1) : 0;
      out.q[i] = static_cast<uint8_t>(code + levels);
    }
  }
  return out;
}

}  // namespace tern::formats
