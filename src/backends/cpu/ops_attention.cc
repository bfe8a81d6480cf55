#include <algorithm>
#include <cmath>

#include "backends/cpu/ops.h"

namespace tern::backends::cpu {

namespace {

/// The table of a rope call, filled when this step has not done so yet. Angles in double: a position of a million times
/// a frequency has to be exact to 1e-7 of a turn.
const RopeTable& turned_table(const Run& run) {
  RopeTable& table = run.scratch.rope_tables[run.scratch.rope_table_of[run.index]];
  if (table.filled_for == run.scratch.step) return table;
  table.filled_for = run.scratch.step;
  const std::span<const float> freqs = table.freqs->row(0);
  const size_t half = freqs.size();
  run.pool.parallel_for(run.tokens(), least_items(32 * half), [&](size_t begin, size_t end, uint32_t) {
    for (size_t t = begin; t < end; ++t) {
      const std::span<float> values = table.values.as<float>().subspan(t * 2 * half, 2 * half);
      for (size_t i = 0; i < half; ++i) {
        const double angle = double{freqs[i]} * run.step.positions[t];
        values[i] = static_cast<float>(std::cos(angle) * table.magnitude);
        values[half + i] = static_cast<float>(std::sin(angle) * table.magnitude);
      }
    }
  });
  return table;
}

void rotate(const Run& run, const RopeTable& table, const graph::RopeAttrs& attrs, size_t t, std::span<const float> x,
            float* out) {
  RopeArgs args;
  args.x = x.data();
  args.out = out;
  args.cos = table.values.as<float>().data() + t * attrs.rot_dim;
  args.sin = args.cos + attrs.rot_dim / 2;
  args.n_heads = static_cast<uint32_t>(x.size() / attrs.head_dim);
  args.head_dim = attrs.head_dim;
  args.rot_dim = attrs.rot_dim;
  args.interleaved = attrs.interleaved;
  run.kernels.rope(args);
}

/// Writes a token's vectors [n_kv_heads * head_dim] to their page of `cache`, the keys or values of a layer.
void store_token(const Run& run, std::span<std::byte> cache, size_t t, const float* x) {
  const KvLayout& kv = run.bound.kv;
  for (uint32_t head = 0; head < kv.n_kv_heads; ++head) {
    const uint64_t at = kv.offset(run.step, run.step.sequences[t], head, run.step.positions[t]);
    kv.store({x + size_t{head} * kv.head_dim, kv.head_dim}, cache.data() + at);
  }
}

/// Calls f(token, worker) for all tokens, split over the pool.
template <class F>
void for_tokens(const Run& run, size_t cost, F f) {
  run.pool.parallel_for(run.tokens(), least_items(cost), [&](size_t begin, size_t end, uint32_t worker) {
    for (size_t t = begin; t < end; ++t) f(t, worker);
  });
}

}  // namespace

void rope(const Run& run) {
  const RopeTable& table = turned_table(run);
  for_tokens(run, run.in(0).cols, [&](size_t t, uint32_t) {
    rotate(run, table, run.attrs<graph::RopeAttrs>(), t, run.in(0).row(t), run.out().row(t).data());
  });
}

void kv_write(const Run& run) {
  const uint32_t layer = run.attrs<graph::KvAttrs>().layer;
  for_tokens(run, 2 * size_t{run.in(0).cols}, [&](size_t t, uint32_t) {
    store_token(run, run.bound.keys[layer], t, run.in(0).row(t).data());
    store_token(run, run.bound.values[layer], t, run.in(1).row(t).data());
  });
}

void rope_kv_write(const Run& run) {
  const auto& attrs = run.attrs<graph::RopeKvAttrs>();
  const RopeTable& table = turned_table(run);
  for_tokens(run, run.in(0).cols + 3 * size_t{run.in(1).cols}, [&](size_t t, uint32_t worker) {
    float* keys = run.scratch.of_worker(worker);
    rotate(run, table, attrs.rope, t, run.in(0).row(t), run.out().row(t).data());
    rotate(run, table, attrs.rope, t, run.in(1).row(t), keys);
    store_token(run, run.bound.keys[attrs.kv.layer], t, keys);
    store_token(run, run.bound.values[attrs.kv.layer], t, run.in(2).row(t).data());
  });
}

namespace {

/// What does not depend on the token.
AttentionArgs attention_args(const Run& run, const graph::AttentionAttrs& attrs) {
  const KvLayout& kv = run.bound.kv;
  AttentionArgs args;
  args.head_dim = attrs.head_dim;
  args.scale = attrs.scale;
  args.softcap = attrs.softcap;
  args.format = kv.format;
  args.page_bytes = kv.page_bytes;
  args.row_bytes = kv.row_bytes;
  args.page_tokens = kv.page_tokens;
  return args;
}

/// Heads [head0, head1) of token t, all of one KV head.
void attend(const Run& run, AttentionArgs args, const graph::AttentionAttrs& attrs, size_t t, uint32_t head0,
            uint32_t head1) {
  const uint64_t head_offset = run.bound.kv.offset(0, head0 / (attrs.n_heads / attrs.n_kv_heads), 0);
  args.q = run.in(0).row(t).data();
  args.out = run.out().row(t).data();
  args.head0 = head0;
  args.head1 = head1;
  args.last = run.step.positions[t];
  args.first = attrs.window != 0 && args.last >= attrs.window ? args.last - attrs.window + 1 : 0;
  args.keys = run.bound.keys[attrs.layer].data() + head_offset;
  args.values = run.bound.values[attrs.layer].data() + head_offset;
  args.pages = run.step.page_table.data() + run.step.seqs[run.step.sequences[t]].first_page;
  run.kernels.attention(args);
}

}  // namespace

void attention(const Run& run) {
  const auto& attrs = run.attrs<graph::AttentionAttrs>();
  const AttentionArgs args = attention_args(run, attrs);
  const uint32_t group = attrs.n_heads / attrs.n_kv_heads;
  const uint32_t n_tokens = run.tokens();
  run.pool.parallel_for(size_t{n_tokens} * attrs.n_heads, 1, [&](size_t begin, size_t end, uint32_t worker) {
    AttentionArgs mine = args;
    mine.scratch = run.scratch.of_worker(worker);
    while (begin < end) {
      // First and last tokens in turn, since later ones see more: contiguous ranges then cost about the same.
      const size_t i = begin / attrs.n_heads;
      const size_t t = i % 2 == 0 ? i / 2 : n_tokens - 1 - i / 2;
      const auto head0 = static_cast<uint32_t>(begin % attrs.n_heads);
      const auto head1 = static_cast<uint32_t>(std::min<size_t>(head0 + (end - begin), (head0 / group + 1) * group));
      attend(run, mine, attrs, t, head0, head1);
      begin += head1 - head0;
    }
  });
}

}  // namespace tern::backends::cpu
