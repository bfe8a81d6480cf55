#include <algorithm>
#include <cmath>

#include "backends/ref/ops.h"

namespace tern::backends::ref {

namespace {

/// Rotary embedding (Su et al. 2021) of one head: pair i turns by position * freqs[i]. Pairs are neighbours when
/// interleaved (GGUF's llama), else columns i and i + rot_dim / 2 (Hugging Face); columns from rot_dim on pass.
void rotate_head(std::span<const float> x, std::span<const float> freqs, const graph::RopeAttrs& attrs,
                 uint32_t position, std::span<float> out) {
  std::ranges::copy(x, out.begin());
  const uint32_t half = attrs.rot_dim / 2;
  for (uint32_t i = 0; i < half; ++i) {
    const double angle = double{freqs[i]} * position;
    const double c = std::cos(angle) * attrs.magnitude;
    const double s = std::sin(angle) * attrs.magnitude;
    const uint32_t a = attrs.interleaved ? 2 * i : i;
    const uint32_t b = attrs.interleaved ? 2 * i + 1 : i + half;
    const double xa = x[a], xb = x[b];
    out[a] = static_cast<float>(xa * c - xb * s);
    out[b] = static_cast<float>(xb * c + xa * s);
  }
}

void rotate(std::span<const float> x, std::span<const float> freqs, const graph::RopeAttrs& attrs, uint32_t position,
            std::span<float> out) {
  for (size_t begin = 0; begin < x.size(); begin += attrs.head_dim) {
    rotate_head(x.subspan(begin, attrs.head_dim), freqs, attrs, position, out.subspan(begin, attrs.head_dim));
  }
}

/// Writes a token's vectors [n_kv_heads * head_dim] to their page of `cache`, the keys or values of a layer.
void store_token(const Run& run, std::span<std::byte> cache, size_t t, std::span<const float> x) {
  const KvLayout& kv = run.bound.kv;
  for (uint32_t head = 0; head < kv.n_kv_heads; ++head) {
    const uint64_t at = kv.offset(run.step, run.step.sequences[t], head, run.step.positions[t]);
    kv.store(x.subspan(size_t{head} * kv.head_dim, kv.head_dim), cache.data() + at);
  }
}

}  // namespace

void rope(const Run& run) {
  for (size_t t = 0; t < run.tokens(); ++t) {
    rotate(run.in(0).row(t), run.in(1).row(0), run.attrs<graph::RopeAttrs>(), run.step.positions[t], run.out().row(t));
  }
}

void kv_write(const Run& run) {
  const uint32_t layer = run.attrs<graph::KvAttrs>().layer;
  for (size_t t = 0; t < run.tokens(); ++t) {
    store_token(run, run.bound.keys[layer], t, run.in(0).row(t));
    store_token(run, run.bound.values[layer], t, run.in(1).row(t));
  }
}

void rope_kv_write(const Run& run) {
  const auto& attrs = run.attrs<graph::RopeKvAttrs>();
  std::vector<float> turned(run.in(1).cols);
  for (size_t t = 0; t < run.tokens(); ++t) {
    rotate(run.in(0).row(t), run.in(3).row(0), attrs.rope, run.step.positions[t], run.out().row(t));
    rotate(run.in(1).row(t), run.in(3).row(0), attrs.rope, run.step.positions[t], turned);
    store_token(run, run.bound.keys[attrs.kv.layer], t, turned);
    store_token(run, run.bound.values[attrs.kv.layer], t, run.in(2).row(t));
  }
}

namespace {

/// softmax(softcap(q K^T * scale)) V of one head of one token over the positions it sees.
void attend_head(const Run& run, size_t t, uint32_t head, std::span<const float> q, std::span<float> out) {
  const auto& attrs = run.attrs<graph::AttentionAttrs>();
  const KvLayout& kv = run.bound.kv;
  const uint32_t kv_head = head / (attrs.n_heads / attrs.n_kv_heads);
  const uint32_t last = run.step.positions[t];
  const uint32_t first = attrs.window != 0 && last >= attrs.window ? last - attrs.window + 1 : 0;
  std::vector<float> row(kv.head_dim);
  const auto load = [&](std::span<const std::byte> cache, uint32_t position) {
    const uint64_t at = kv.offset(run.step, run.step.sequences[t], kv_head, position);
    formats::decode_row(kv.format, cache.data() + at, row);
  };

  std::vector<double> weights;  // [last - first + 1]: scores, then e^(score - largest)
  for (uint32_t position = first; position <= last; ++position) {
    load(run.bound.keys[attrs.layer], position);
    const double score = dot(q, row) * attrs.scale;
    weights.push_back(attrs.softcap > 0 ? attrs.softcap * std::tanh(score / attrs.softcap) : score);
  }
  const double largest = *std::ranges::max_element(weights);
  double total = 0;
  for (double& weight : weights) total += weight = std::exp(weight - largest);

  std::vector<double> sum(kv.head_dim, 0);
  for (uint32_t position = first; position <= last; ++position) {
    load(run.bound.values[attrs.layer], position);
    for (uint32_t i = 0; i < kv.head_dim; ++i) sum[i] += weights[position - first] / total * row[i];
  }
  std::ranges::transform(sum, out.begin(), [](double x) { return static_cast<float>(x); });
}

}  // namespace

void attention(const Run& run) {
  const auto& attrs = run.attrs<graph::AttentionAttrs>();
  for (size_t t = 0; t < run.tokens(); ++t) {
    for (uint32_t head = 0; head < attrs.n_heads; ++head) {
      const size_t begin = size_t{head} * attrs.head_dim;
      attend_head(run, t, head, run.in(0).row(t).subspan(begin, attrs.head_dim),
                  run.out().row(t).subspan(begin, attrs.head_dim));
    }
  }
}

}  // namespace tern::backends::ref
