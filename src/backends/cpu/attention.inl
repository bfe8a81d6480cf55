// Attention over the paged cache: out = softmax(softcap(q K^T scale)) V for rows, each a head of a token, that share a
// KV head. The softmax is taken on the go (Milakov and Gimelshein 2018) over blocks of kAttentionBlock positions.
//
//   block of positions -> panels of kPanel keys, decoded once for all rows -> scores [rows][block] by tiles of kMr rows
//   and kNv vectors of positions -> weights e^(score - largest of the block), their sum -> panels of values -> a part
//   per row {largest, total, sum[head_dim]}; parts are joined in the order of positions.
//
// A row's part depends on its own positions alone: sums run over them in ascending order, and a weight of 0 for what
// other rows of the tile see adds nothing. So neither chunks, nor batch-mates, nor threads change a bit.
// Keys lie transposed in their pages (kv_cache.inl), so that a vector of them is a load. Up to kMr rows, as one token
// has them, read the cache itself instead of panels: one token at 4,000 of context on Zen 5, f16 16 to 23.5 GB/s,
// q8_0 5.9 to 13.8 (a plain sum: 42).

constexpr int kMr = 4;  // rows of a tile
// Vectors of a tile; with kMr rows they leave registers for the operands, of which there are 32 or 16.
constexpr int kNv = kTileRows * kTileTokens >= 16 ? 4 : 2;

inline uint32_t padded(uint32_t head_dim) {
  return (head_dim + kLanes - 1) / kLanes * kLanes;
}
inline uint32_t part_stride(uint32_t head_dim) {
  return padded(head_dim) + kLanes;  // the sum, then largest and total
}

/// Scores [rows][block]; a part and the joined state of every row; a panel of keys or values.
size_t attention_scratch(uint32_t head_dim) {
  const size_t rows = kAttentionRows;
  return rows * kAttentionBlock + 2 * rows * part_stride(head_dim) + size_t{kPanel} * padded(head_dim);
}
size_t attention_part(uint32_t head_dim) {
  return part_stride(head_dim);
}

/// c[m][n] (+)= sum over i < k of a[m][i] * b[i][n], i ascending. N vectors of columns; b(i, n) gives the n-th.
template <int M, int N, class B>
void product_tile(const float* const* a, uint32_t k, const B& b, float* c, size_t c_stride, bool add) {
  vf sum[M][N];
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 16
    for (int n = 0; n < N; ++n) sum[m][n] = add ? load(c + m * c_stride + n * kLanes) : vf{};
  }
  for (uint32_t i = 0; i < k; ++i) {
    vf bs[N];
#pragma GCC unroll 16
    for (int n = 0; n < N; ++n) bs[n] = b(i, n);
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
      const vf x = splat(a[m][i]);
#pragma GCC unroll 16
      for (int n = 0; n < N; ++n) sum[m][n] = fma(x, bs[n], sum[m][n]);
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 16
    for (int n = 0; n < N; ++n) store(c + m * c_stride + n * kLanes, sum[m][n]);
  }
}

/// The same for `columns` columns, a multiple of kLanes.
template <int M, int N = kNv>
void product_columns(const float* const* a, uint32_t k, const float* b, size_t b_stride, uint32_t columns, float* c,
                     size_t c_stride, bool add) {
  uint32_t n = 0;
  for (; n + N * kLanes <= columns; n += N * kLanes) {
    const auto vectors = [p = b + n, b_stride](uint32_t i, int v)
                             __attribute__((always_inline)) { return load(p + i * b_stride + v * kLanes); };
    product_tile<M, N>(a, k, vectors, c + n, c_stride, add);
  }
  if constexpr (N > 1) {
    if (n < columns) product_columns<M, N / 2>(a, k, b + n, b_stride, columns - n, c + n, c_stride, add);
  }
}

/// The same for m <= kMr rows.
template <int M = kMr>
void product(uint32_t m, const float* const* a, uint32_t k, const float* b, size_t b_stride, uint32_t columns, float* c,
             size_t c_stride, bool add) {
  if constexpr (M > 1) {
    if (m < M) return product<M - 1>(m, a, k, b, b_stride, columns, c, c_stride, add);
  }
  product_columns<M>(a, k, b, b_stride, columns, c, c_stride, add);
}

/// The same for m <= kMr rows, kNv vectors of columns.
template <int M = kMr, class B>
void product_direct(uint32_t m, const float* const* a, uint32_t k, const B& b, float* c, size_t c_stride, bool add) {
  if constexpr (M > 1) {
    if (m < M) return product_direct<M - 1>(m, a, k, b, c, c_stride, add);
  }
  product_tile<M, kNv>(a, k, b, c, c_stride, add);
}

/// Positions [begin, end), all in one block; empty when begin >= end.
struct Range {
  uint32_t begin, end;
  bool empty() const { return begin >= end; }
};
inline Range intersect(Range a, Range b) {
  return {a.begin > b.begin ? a.begin : b.begin, a.end < b.end ? a.end : b.end};
}
inline Range hull(Range a, Range b) {
  if (a.empty() || b.empty()) return a.empty() ? b : a;
  return {a.begin < b.begin ? a.begin : b.begin, a.end > b.end ? a.end : b.end};
}

/// What rows [row, row + n) see of a block.
inline Range seen(const AttentionArgs& a, uint32_t block, uint32_t row, uint32_t n) {
  Range all{0, 0};
  for (uint32_t r = row; r < row + n; ++r) {
    all = hull(all, intersect({block * kAttentionBlock, (block + 1) * kAttentionBlock}, {a.first[r], a.last[r] + 1}));
  }
  return all;
}

/// Whether the rows are so few that a panel of f32 would be used once: then tiles read the cache itself. Sums have the
/// same order, so the bits are the same.
inline bool is_direct(const AttentionArgs& a) {
  return a.n_rows <= kMr && a.page_tokens % kLanes == 0 && a.head_dim % (kNv * kLanes) == 0 &&
         (a.format == Format::kF16 || a.format == Format::kQ8_0);
}

/// Keys of kNv vectors of positions, and what will be asked for after them: the panel that follows, if there is one.
struct KeyVectors {
  const uint8_t *page[kNv], *next[kNv];
  size_t slot[kNv];

  KeyVectors(const AttentionArgs& a, uint32_t p) {
    for (int n = 0; n < kNv; ++n, p += kLanes) {
      const uint32_t after = p + kPanel <= a.last[a.n_rows - 1] ? p + kPanel : p;
      page[n] = reinterpret_cast<const uint8_t*>(pages_at(a, a.keys, p).page);
      next[n] = reinterpret_cast<const uint8_t*>(pages_at(a, a.keys, after).page);
      slot[n] = p % a.page_tokens;
    }
  }
};

/// Scores of kNv vectors of positions from p on, of all rows.
void score_direct(const AttentionArgs& a, uint32_t p, float* scores) {
  const KeyVectors keys(a, p);
  const size_t column = a.page_tokens;
  float* c = scores + p % kAttentionBlock;
  if (a.format == Format::kF16) {
    const auto vectors = [&](uint32_t d, int n) __attribute__((always_inline)) {
      if (n % 2 == 0) __builtin_prefetch(keys.next[n] + 2 * (d * column + keys.slot[n]));
      return load_halves(keys.page[n] + 2 * (d * column + keys.slot[n]));
    };
    return product_direct(a.n_rows, a.q, a.head_dim, vectors, c, kAttentionBlock, false);
  }
  for (uint32_t d0 = 0; d0 < a.head_dim; d0 += kBlock8) {
    vf scale[kNv];
    for (int n = 0; n < kNv; ++n) {
      scale[n] = load_halves(keys.page[n] + a.head_dim * column + 2 * (d0 / kBlock8 * column + keys.slot[n]));
    }
    const auto vectors = [&](uint32_t d, int n) __attribute__((always_inline)) {
      const size_t offset = (d0 + d) * column + keys.slot[n];
      if (n % 2 == 0) __builtin_prefetch(keys.next[n] + offset);
      return scale[n] * to_float(load_i8(keys.page[n] + offset));
    };
    const float* q[kMr];
    for (uint32_t r = 0; r < a.n_rows; ++r) q[r] = a.q[r] + d0;
    product_direct(a.n_rows, q, kBlock8, vectors, c, kAttentionBlock, d0 > 0);
  }
}

/// parts (+)= n values from position p on, all in one page, weighted.
void add_page(const AttentionArgs& a, uint32_t p, uint32_t n_values, const float* const* weights, float* parts,
              bool add) {
  const PagePair at = pages_at(a, a.values, p);
  const size_t begin = p % a.page_tokens * a.row_bytes, stride = a.row_bytes;
  const auto *values = reinterpret_cast<const uint8_t*>(at.page) + begin,
             *next = reinterpret_cast<const uint8_t*>(at.next) + begin;
  for (uint32_t d = 0; d < a.head_dim; d += kNv * kLanes) {
    float* c = parts + d;
    if (a.format == Format::kF16) {
      const auto vectors = [=](uint32_t i, int n) __attribute__((always_inline)) {
        const size_t offset = i * stride + 2 * (d + n * kLanes);
        if (n % 2 == 0) __builtin_prefetch(next + offset);
        return load_halves(values + offset);
      };
      product_direct(a.n_rows, weights, n_values, vectors, c, part_stride(a.head_dim), add);
    } else {
      const auto vectors = [=](uint32_t i, int n) __attribute__((always_inline)) {
        const uint32_t column = d + n * kLanes;
        const size_t block = i * stride + column / kBlock8 * (kBlock8 + 2);
        if (n % 2 == 0) __builtin_prefetch(next + block);
        uint16_t scale;
        __builtin_memcpy(&scale, values + block, sizeof scale);
        return splat(half_to_float(scale)) * to_float(load_i8(values + block + 2 + column % kBlock8));
      };
      product_direct(a.n_rows, weights, n_values, vectors, c, part_stride(a.head_dim), add);
    }
  }
}

/// The same for positions `here` of a panel, page by page.
void add_direct(const AttentionArgs& a, Range here, const float* scores, bool add, float* parts) {
  for (uint32_t p = here.begin; p < here.end;) {
    const uint32_t left = a.page_tokens - p % a.page_tokens, n = left < here.end - p ? left : here.end - p;
    const float* weights[kMr];
    for (uint32_t r = 0; r < a.n_rows; ++r) weights[r] = scores + r * kAttentionBlock + p % kAttentionBlock;
    add_page(a, p, n, weights, parts, add);
    p += n;
    add = true;
  }
}

/// scores[r][position % block] of all rows and panels that see each other.
void score_block(const AttentionArgs& a, uint32_t block, float* scores, float* panel) {
  const Range all = seen(a, block, 0, a.n_rows);
  for (uint32_t p0 = all.begin / kPanel * kPanel; p0 < all.end; p0 += kPanel) {
    const Range here = intersect({p0, p0 + kPanel}, all);
    const uint32_t columns = (here.end - p0 + kLanes - 1) / kLanes * kLanes;
    if (is_direct(a) && here.begin == p0 && here.end == p0 + kPanel) {
      for (uint32_t p = p0; p < here.end; p += kNv * kLanes) score_direct(a, p, scores);
      continue;
    }
    load_keys(a, here.begin, here.end, panel);
    for (uint32_t r = 0; r < a.n_rows; r += kMr) {
      const uint32_t m = a.n_rows - r < kMr ? a.n_rows - r : kMr;
      if (intersect(seen(a, block, r, m), here).empty()) continue;
      product(m, a.q + r, a.head_dim, panel, kPanel, columns, scores + r * kAttentionBlock + p0 % kAttentionBlock,
              kAttentionBlock, false);
    }
  }
}

/// Scores of a row become weights; those of positions in `group` that it does not see become 0.
void weigh_row(const AttentionArgs& a, Range mine, Range group, float* scores, float* largest, float* total) {
  const uint32_t base = mine.begin / kAttentionBlock * kAttentionBlock;
  const uint32_t first = mine.begin / kLanes * kLanes, end = (mine.end + kLanes - 1) / kLanes * kLanes;
  vf top = splat(-__builtin_inff());
  for (uint32_t p = first; p < end; p += kLanes) {
    vf score = load(scores + p - base) * a.scale;
    if (a.softcap > 0) score = soft_cap(score, a.softcap);
    if (p < mine.begin || p + kLanes > mine.end) {
      const vi at = lane_numbers() + static_cast<int32_t>(p);
      const vi out = (at < static_cast<int32_t>(mine.begin)) | (at >= static_cast<int32_t>(mine.end));
      score = out ? splat(-__builtin_inff()) : score;
    }
    store(scores + p - base, score);
    top = at_least(top, score);
  }
  *largest = largest_lane(top);
  vf sum{};
  for (uint32_t p = first; p < end; p += kLanes) {
    const vf weight = exp(load(scores + p - base) - *largest);
    store(scores + p - base, weight);
    sum = sum + weight;
  }
  *total = sum_lanes(sum);
  for (uint32_t p = group.begin; p < first; ++p) scores[p - base] = 0;
  for (uint32_t p = end; p < group.end; ++p) scores[p - base] = 0;
}

/// Sums of values of all rows, weighted, to parts.
void add_values(const AttentionArgs& a, uint32_t block, const float* scores, float* panel, float* parts) {
  const Range all = seen(a, block, 0, a.n_rows);
  const uint32_t width = padded(a.head_dim), stride = part_stride(a.head_dim);
  for (uint32_t p0 = all.begin / kPanel * kPanel; p0 < all.end; p0 += kPanel) {
    const Range here = intersect({p0, p0 + kPanel}, all);
    if (is_direct(a)) {
      add_direct(a, here, scores, p0 > all.begin / kPanel * kPanel, parts);
      continue;
    }
    load_values(a, here.begin, here.end, panel);
    for (uint32_t r = 0; r < a.n_rows; r += kMr) {
      const uint32_t m = a.n_rows - r < kMr ? a.n_rows - r : kMr;
      const Range group = seen(a, block, r, m);
      const Range both = intersect(group, here);
      if (both.empty()) continue;
      const float* weights[kMr];
      for (uint32_t i = 0; i < m; ++i) weights[i] = scores + (r + i) * kAttentionBlock + both.begin % kAttentionBlock;
      product(m, weights, both.end - both.begin, panel + (both.begin - p0) * width, width, width,
              parts + size_t{r} * stride, stride, group.begin < p0);
    }
  }
}

/// A part per row, part_stride floats each.
void attention_block(const AttentionArgs& a, uint32_t block, float* parts) {
  float* scores = a.scratch;
  float* panel = scores + kAttentionRows * kAttentionBlock;
  const uint32_t width = padded(a.head_dim), stride = part_stride(a.head_dim);
  score_block(a, block, scores, panel);
  for (uint32_t r = 0; r < a.n_rows; ++r) {
    const uint32_t r0 = r / kMr * kMr;
    const Range mine = seen(a, block, r, 1);
    const Range group = seen(a, block, r0, a.n_rows - r0 < kMr ? a.n_rows - r0 : kMr);
    float* row = scores + r * kAttentionBlock;
    float* largest = parts + size_t{r} * stride + width;
    largest[0] = -__builtin_inff();
    largest[1] = 0;
    if (!mine.empty()) {
      weigh_row(a, mine, group, row, largest, largest + 1);
    } else {
      for (uint32_t p = group.begin; p < group.end; ++p) row[p % kAttentionBlock] = 0;
    }
  }
  add_values(a, block, scores, panel, parts);
}

/// Adds a block's part to what was joined before; both are scaled to the larger of their largest scores.
void join_part(uint32_t width, const float* part, float* state) {
  const float* theirs = part + width;
  float* ours = state + width;
  if (theirs[1] == 0) return;  // the row saw nothing of the block
  const float top = theirs[0] > ours[0] ? theirs[0] : ours[0];
  const vf keep = exp(splat(ours[0] - top)), take = exp(splat(theirs[0] - top));
  ours[0] = top;
  ours[1] = ours[1] * keep[0] + theirs[1] * take[0];
  for (uint32_t i = 0; i < width; i += kLanes) {
    store(state + i, fma(load(part + i), take, load(state + i) * keep));
  }
}

void begin_state(uint32_t width, float* state) {
  for (uint32_t i = 0; i < width; i += kLanes) store(state + i, vf{});
  state[width] = -__builtin_inff();
  state[width + 1] = 0;
}

void finish_row(uint32_t head_dim, const float* state, float* out) {
  const vf total = splat(state[padded(head_dim) + 1]);
  uint32_t i = 0;
  for (; i + kLanes <= head_dim; i += kLanes) store(out + i, load(state + i) / total);
  if (i < head_dim) store_part(out + i, load(state + i) / total, head_dim - i);
}

/// parts: of n_blocks blocks, [block][row]; joined and divided to out.
void attention_join(const AttentionArgs& a, const float* parts, uint32_t n_blocks) {
  const uint32_t width = padded(a.head_dim), stride = part_stride(a.head_dim);
  for (uint32_t r = 0; r < a.n_rows; ++r) {
    float* state = a.scratch;
    begin_state(width, state);
    for (uint32_t b = 0; b < n_blocks; ++b) join_part(width, parts + (size_t{b} * a.n_rows + r) * stride, state);
    finish_row(a.head_dim, state, a.out[r]);
  }
}

/// All blocks that a row sees, one after the other.
void attention(const AttentionArgs& a) {
  const uint32_t width = padded(a.head_dim), stride = part_stride(a.head_dim);
  float* parts = a.scratch + kAttentionRows * kAttentionBlock + kPanel * width;
  float* states = parts + kAttentionRows * stride;
  uint32_t first = a.first[0], last = a.last[0];
  for (uint32_t r = 0; r < a.n_rows; ++r) {
    first = a.first[r] < first ? a.first[r] : first;
    last = a.last[r] > last ? a.last[r] : last;
    begin_state(width, states + r * stride);
  }
  for (uint32_t block = first / kAttentionBlock; block <= last / kAttentionBlock; ++block) {
    attention_block(a, block, parts);
    for (uint32_t r = 0; r < a.n_rows; ++r) join_part(width, parts + r * stride, states + r * stride);
  }
  for (uint32_t r = 0; r < a.n_rows; ++r) finish_row(a.head_dim, states + r * stride, a.out[r]);
}
