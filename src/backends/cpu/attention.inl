// Attention over the paged cache with the softmax taken on the go (Milakov and Gimelshein 2018): the keys and values of
// kSpan positions are decoded once for all heads that share them. Spans begin at multiples of kSpan of the absolute
// position, so that the order of sums depends on the position alone.

constexpr uint32_t kSpan = 32;

inline uint32_t padded(uint32_t head_dim) {
  return (head_dim + kLanes - 1) / kLanes * kLanes;
}

/// Per head: q, the sum of values, scores of a span, largest score and sum of weights; and one span of keys or values.
size_t attention_scratch(uint32_t head_dim, uint32_t n_heads) {
  return size_t{n_heads} * (2 * padded(head_dim) + kSpan + 2) + size_t{kSpan} * padded(head_dim);
}

struct HeadState {
  float* q;       // [padded]
  float* sum;     // [padded]
  float* weight;  // [kSpan]: scores, then e^(score - largest)
  float* largest;
  float* total;
};

inline HeadState head_state(const AttentionArgs& a, uint32_t i) {
  const uint32_t width = padded(a.head_dim);
  float* at = a.scratch + size_t{kSpan} * width + size_t{i} * (2 * width + kSpan + 2);
  return {at, at + width, at + 2 * width, at + 2 * width + kSpan, at + 2 * width + kSpan + 1};
}

/// Decodes positions [begin, end] of a span to rows[position % kSpan].
void decode_span(const AttentionArgs& a, const std::byte* cache, uint32_t begin, uint32_t end, float* rows) {
  const DecodeFn decode_row = format_kernels(a.format).decode;
  const uint32_t width = padded(a.head_dim);
  for (uint32_t p = begin; p <= end; ++p) {
    const std::byte* row = cache + a.pages[p / a.page_tokens] * a.page_bytes + p % a.page_tokens * a.row_bytes;
    for (uint32_t k0 = 0; k0 < a.head_dim; k0 += kChunk) {
      const uint32_t n = a.head_dim - k0 < kChunk ? a.head_dim - k0 : kChunk;
      decode_row(a.format, row, k0, n, rows + size_t{p % kSpan} * width + k0);
    }
  }
}

/// Scores of a span, the new largest one, and the weights; what was summed before is scaled to the new largest.
void weigh_span(const AttentionArgs& a, const HeadState& head, uint32_t begin, uint32_t end, const float* keys) {
  const uint32_t width = padded(a.head_dim);
  for (uint32_t i = 0; i < kSpan; ++i) head.weight[i] = -__builtin_inff();
  for (uint32_t p = begin; p <= end; ++p) {
    const float* key = keys + size_t{p % kSpan} * width;
    vf dot{};
    for (uint32_t i = 0; i < width; i += kLanes) dot = fma(load(head.q + i), load(key + i), dot);
    head.weight[p % kSpan] = sum_lanes(dot) * a.scale;
  }
  vf largest = splat(*head.largest);
  for (uint32_t i = 0; i < kSpan; i += kLanes) {
    vf score = load(head.weight + i);
    // A position that does not count keeps its -inf, which becomes the weight 0.
    if (a.softcap > 0) score = score >= splat(-__FLT_MAX__) ? soft_cap(score, a.softcap) : score;
    store(head.weight + i, score);
    largest = at_least(largest, score);
  }
  const float top = largest_lane(largest);
  vf total{};
  for (uint32_t i = 0; i < kSpan; i += kLanes) {
    const vf weight = exp(load(head.weight + i) - top);
    store(head.weight + i, weight);
    total = total + weight;
  }
  const vf shrink = exp(splat(*head.largest - top));
  *head.total = *head.total * shrink[0] + sum_lanes(total);
  *head.largest = top;
  for (uint32_t i = 0; i < width; i += kLanes) store(head.sum + i, load(head.sum + i) * shrink);
}

void add_span(const AttentionArgs& a, const HeadState& head, uint32_t begin, uint32_t end, const float* values) {
  const uint32_t width = padded(a.head_dim);
  for (uint32_t i = 0; i < width; i += kLanes) {
    vf sum = load(head.sum + i);
    for (uint32_t p = begin; p <= end; ++p) {
      sum = fma(splat(head.weight[p % kSpan]), load(values + size_t{p % kSpan} * width + i), sum);
    }
    store(head.sum + i, sum);
  }
}

void attention(const AttentionArgs& a) {
  const uint32_t width = padded(a.head_dim), n_heads = a.head1 - a.head0;
  float* rows = a.scratch;
  for (uint32_t h = 0; h < n_heads; ++h) {
    const HeadState head = head_state(a, h);
    const float* q = a.q + size_t{a.head0 + h} * a.head_dim;
    for (uint32_t i = 0; i < width; ++i) head.q[i] = i < a.head_dim ? q[i] : 0.0f;
    for (uint32_t i = 0; i < width; ++i) head.sum[i] = 0.0f;
    *head.largest = -__builtin_inff();
    *head.total = 0.0f;
  }
  for (uint32_t span = a.first / kSpan; span <= a.last / kSpan; ++span) {
    const uint32_t begin = a.first > span * kSpan ? a.first : span * kSpan;
    const uint32_t end = a.last / kSpan > span ? span * kSpan + kSpan - 1 : a.last;
    decode_span(a, a.keys, begin, end, rows);
    for (uint32_t h = 0; h < n_heads; ++h) weigh_span(a, head_state(a, h), begin, end, rows);
    decode_span(a, a.values, begin, end, rows);
    for (uint32_t h = 0; h < n_heads; ++h) add_span(a, head_state(a, h), begin, end, rows);
  }
  for (uint32_t h = 0; h < n_heads; ++h) {
    const HeadState head = head_state(a, h);
    float* out = a.out + size_t{a.head0 + h} * a.head_dim;
    for (uint32_t i = 0; i < a.head_dim; ++i) out[i] = head.sum[i] / *head.total;
  }
}
