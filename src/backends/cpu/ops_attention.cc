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

/// Writes a token's vectors [n_kv_heads * head_dim] to their page: keys or values of a layer.
void store_token(const Run& run, std::span<std::byte> cache, void (*store)(const KvStoreArgs&), size_t t,
                 const float* x) {
  const KvLayout& kv = run.bound.kv;
  const uint32_t position = run.step.positions[t];
  const uint32_t first_page = run.step.seqs[run.step.sequences[t]].first_page;
  const uint32_t page = run.step.page_table[first_page + position / kv.page_tokens];
  KvStoreArgs args;
  args.format = kv.format;
  args.head_dim = kv.head_dim;
  args.slot = position % kv.page_tokens;
  args.page_tokens = kv.page_tokens;
  args.row_bytes = kv.row_bytes;
  for (uint32_t head = 0; head < kv.n_kv_heads; ++head) {
    args.x = x + size_t{head} * kv.head_dim;
    args.page = cache.data() + kv.offset(page, head, 0);
    store(args);
  }
}

void store_keys(const Run& run, uint32_t layer, size_t t, const float* x) {
  store_token(run, run.bound.keys[layer], run.kernels.store_key, t, x);
}
void store_values(const Run& run, uint32_t layer, size_t t, const float* x) {
  store_token(run, run.bound.values[layer], run.kernels.store_value, t, x);
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
    store_keys(run, layer, t, run.in(0).row(t).data());
    store_values(run, layer, t, run.in(1).row(t).data());
  });
}

void rope_kv_write(const Run& run) {
  const auto& attrs = run.attrs<graph::RopeKvAttrs>();
  const RopeTable& table = turned_table(run);
  for_tokens(run, run.in(0).cols + 3 * size_t{run.in(1).cols}, [&](size_t t, uint32_t worker) {
    float* keys = run.scratch.of_worker(worker);
    rotate(run, table, attrs.rope, t, run.in(0).row(t), run.out().row(t).data());
    rotate(run, table, attrs.rope, t, run.in(1).row(t), keys);
    store_keys(run, attrs.kv.layer, t, keys);
    store_values(run, attrs.kv.layer, t, run.in(2).row(t).data());
  });
}

namespace {

/// The rows of a tile that share a KV head, as the kernel wants them. Some KiB, on the stack.
struct TileRows {
  const float* q[kAttentionRows];
  float* out[kAttentionRows];
  uint32_t first[kAttentionRows], last[kAttentionRows];
  AttentionArgs args;
};

/// An attention op of one step, cut into tasks: a tile of tokens and up to kAttentionRows heads of one KV head.
class Tasks {
 public:
  explicit Tasks(const Run& run) : run_(run), attrs_(run.attrs<graph::AttentionAttrs>()) {
    group_ = attrs_.n_heads / attrs_.n_kv_heads;
    heads_ = std::min(group_, kAttentionRows);
    chunks_ = (group_ + heads_ - 1) / heads_;
    const std::span<AttentionTile> room = run.scratch.tiles.as<AttentionTile>();
    for (uint32_t t = 0; t < run.tokens(); ++t) {
      const bool goes_on = n_tiles_ > 0 && run.step.sequences[t] == run.step.sequences[t - 1] &&
                           room[n_tiles_ - 1].n_tokens < kAttentionRows / heads_;
      if (goes_on) {
        ++room[n_tiles_ - 1].n_tokens;
      } else {
        room[n_tiles_++] = {t, 1};
      }
    }
    tiles_ = room.first(n_tiles_);
  }

  size_t size() const { return tiles_.size() * attrs_.n_kv_heads * chunks_; }

  /// First and last tiles in turn, since later ones see more: contiguous ranges of tasks then cost about the same.
  const AttentionTile& tile(size_t task) const {
    const size_t i = task / (size_t{attrs_.n_kv_heads} * chunks_);
    return tiles_[i % 2 == 0 ? i / 2 : tiles_.size() - 1 - i / 2];
  }
  /// Blocks of positions that a task's rows see.
  uint32_t n_blocks(size_t task) const { return last(task) / kAttentionBlock - first(task) / kAttentionBlock + 1; }
  uint32_t first_block(size_t task) const { return first(task) / kAttentionBlock; }
  uint32_t n_rows(size_t task) const { return tile(task).n_tokens * heads_of(task); }

  /// Values of keys that the task reads, times the rows.
  size_t cost(size_t task) const {
    return size_t{last(task) - first(task) + 1} * attrs_.head_dim * (1 + tile(task).n_tokens * heads_);
  }

  void fill(size_t task, float* scratch, TileRows& rows) const {
    const KvLayout& kv = run_.bound.kv;
    const AttentionTile& tile = this->tile(task);
    const auto kv_head = static_cast<uint32_t>(task / chunks_ % attrs_.n_kv_heads);
    const uint32_t head0 = kv_head * group_ + static_cast<uint32_t>(task % chunks_) * heads_;
    uint32_t n = 0;
    for (uint32_t t = tile.token; t < tile.token + tile.n_tokens; ++t) {
      for (uint32_t head = head0; head < head0 + heads_of(task); ++head, ++n) {
        rows.q[n] = run_.in(0).row(t).data() + size_t{head} * attrs_.head_dim;
        rows.out[n] = run_.out().row(t).data() + size_t{head} * attrs_.head_dim;
        rows.first[n] = first_of(t);
        rows.last[n] = run_.step.positions[t];
      }
    }
    AttentionArgs& args = rows.args;
    args = {};
    args.q = rows.q;
    args.out = rows.out;
    args.first = rows.first;
    args.last = rows.last;
    args.n_rows = n;
    args.head_dim = attrs_.head_dim;
    args.scale = attrs_.scale;
    args.softcap = attrs_.softcap;
    args.format = kv.format;
    args.keys = run_.bound.keys[attrs_.layer].data() + kv.offset(0, kv_head, 0);
    args.values = run_.bound.values[attrs_.layer].data() + kv.offset(0, kv_head, 0);
    args.pages = run_.step.page_table.data() + run_.step.seqs[run_.step.sequences[tile.token]].first_page;
    args.page_bytes = kv.page_bytes;
    args.row_bytes = kv.row_bytes;
    args.page_tokens = kv.page_tokens;
    args.scratch = scratch;
  }

 private:
  uint32_t heads_of(size_t task) const {
    return std::min(heads_, group_ - static_cast<uint32_t>(task % chunks_) * heads_);
  }
  uint32_t first_of(uint32_t t) const {
    const uint32_t last = run_.step.positions[t];
    return attrs_.window != 0 && last >= attrs_.window ? last - attrs_.window + 1 : 0;
  }
  uint32_t first(size_t task) const { return first_of(tile(task).token); }
  uint32_t last(size_t task) const { return run_.step.positions[tile(task).token + tile(task).n_tokens - 1]; }

  const Run& run_;
  const graph::AttentionAttrs& attrs_;
  uint32_t group_, heads_, chunks_;  // heads of a KV head; of a task; tasks of a KV head
  size_t n_tiles_ = 0;
  std::span<const AttentionTile> tiles_;
};

/// Every task in blocks of positions, spread over the threads, when there are too few tasks to share. False when there
/// are enough, or no room for the parts.
bool attend_in_blocks(const Run& run, const Tasks& tasks) {
  constexpr size_t kMost = 64;  // tasks that are split: the places of their blocks and parts are kept on the stack
  const uint32_t threads = run.pool.threads();
  if (threads == 1 || tasks.size() >= std::min<size_t>(2 * threads, kMost)) return false;
  const size_t part = run.kernels.attention_part(run.attrs<graph::AttentionAttrs>().head_dim);
  size_t block0[kMost + 1] = {}, part0[kMost + 1] = {};  // of a task: its first block among all, its first part
  for (size_t i = 0; i < tasks.size(); ++i) {
    block0[i + 1] = block0[i] + tasks.n_blocks(i);
    part0[i + 1] = part0[i] + size_t{tasks.n_blocks(i)} * tasks.n_rows(i) * part;
  }
  const size_t n_blocks = block0[tasks.size()];
  const std::span<float> parts = run.scratch.part_floats();
  if (n_blocks == tasks.size() || part0[tasks.size()] > parts.size()) return false;
  run.pool.parallel_for(n_blocks, 1, [&](size_t begin, size_t end, uint32_t worker) {
    TileRows rows;
    for (size_t i = begin; i < end; ++i) {
      const size_t task = static_cast<size_t>(std::upper_bound(block0, block0 + tasks.size(), i) - block0 - 1);
      tasks.fill(task, run.scratch.of_worker(worker), rows);
      const size_t block = i - block0[task];
      run.kernels.attention_block(rows.args, tasks.first_block(task) + static_cast<uint32_t>(block),
                                  parts.data() + part0[task] + block * rows.args.n_rows * part);
    }
  });
  TileRows rows;
  for (size_t task = 0; task < tasks.size(); ++task) {
    tasks.fill(task, run.scratch.of_worker(0), rows);
    run.kernels.attention_join(rows.args, parts.data() + part0[task], tasks.n_blocks(task));
  }
  return true;
}

}  // namespace

void attention(const Run& run) {
  const Tasks tasks(run);
  if (attend_in_blocks(run, tasks)) return;
  run.pool.parallel_for(tasks.size(), least_items(tasks.cost(0)), [&](size_t begin, size_t end, uint32_t worker) {
    TileRows rows;
    for (size_t task = begin; task < end; ++task) {
      tasks.fill(task, run.scratch.of_worker(worker), rows);
      run.kernels.attention(rows.args);
    }
  });
}

}  // namespace tern::backends::cpu
