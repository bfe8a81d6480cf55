// Kernels without sums, and the norm.

/// out[i] = f(x[i], y[i]), whole vectors and then the rest.
template <class F>
inline void map(const float* x, const float* y, uint32_t n, float* out, F f) {
  uint32_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(out + i, f(load(x + i), load(y + i)));
  if (i < n) store_part(out + i, f(load_part(x + i, n - i), load_part(y + i, n - i)), n - i);
}

void add(const float* x, const float* y, uint32_t n, float* out) {
  map(x, y, n, out, [](vf a, vf b) { return a + b; });
}
void scale(const float* x, float factor, uint32_t n, float* out) {
  map(x, x, n, out, [=](vf a, vf) { return a * factor; });
}
void softcap(const float* x, float cap, uint32_t n, float* out) {
  map(x, x, n, out, [=](vf a, vf) { return soft_cap(a, cap); });
}
void glu(uint32_t activation, const float* gate, const float* up, uint32_t n, float* out) {
  map(gate, up, n, out, [=](vf a, vf b) { return activate(activation, a) * b; });
}
void add_scaled(const float* x, float factor, uint32_t n, float* out) {
  map(x, out, n, out, [=](vf a, vf b) { return fma(a, splat(factor), b); });
}

void rms_norm(const float* x, const float* w, uint32_t n, float eps, float* out) {
  vf sum{};
  uint32_t i = 0;
  for (; i + kLanes <= n; i += kLanes) sum = fma(load(x + i), load(x + i), sum);
  if (i < n) sum = fma(load_part(x + i, n - i), load_part(x + i, n - i), sum);
  const float factor = 1.0f / __builtin_sqrtf(sum_lanes(sum) / static_cast<float>(n) + eps);
  map(x, w, n, out, [=](vf a, vf b) { return a * factor * b; });
}

/// Of 2 kLanes floats in a row the even and the odd ones, and back.
template <int... I>
inline void split_pairs(vf a, vf b, vf* even, vf* odd, std::integer_sequence<int, I...>) {
  *even = __builtin_shufflevector(a, b, (2 * I)...);
  *odd = __builtin_shufflevector(a, b, (2 * I + 1)...);
}
template <int... I>
inline void join_pairs(vf even, vf odd, vf* a, vf* b, std::integer_sequence<int, I...>) {
  *a = __builtin_shufflevector(even, odd, (I / 2 + I % 2 * kLanes)...);
  *b = __builtin_shufflevector(even, odd, (I / 2 + I % 2 * kLanes + kLanes / 2)...);
}

/// Turns (p, q) by the angle that has this cos and sin.
template <class T>
inline void turn(T& p, T& q, T cos, T sin) {
  const T turned = p * cos - q * sin;
  q = q * cos + p * sin;
  p = turned;
}

/// One head. out may be x. Pairs that fill no vector are turned one by one.
inline void rope_head(const RopeArgs& a, const float* x, float* out) {
  constexpr std::make_integer_sequence<int, kLanes> kSequence;
  const uint32_t half = a.rot_dim / 2;
  uint32_t i = 0;
  for (; i + kLanes <= half; i += kLanes) {
    const uint32_t at = a.interleaved ? 2 * i : i, step = a.interleaved ? kLanes : half;
    vf p = load(x + at), q = load(x + at + step);
    if (a.interleaved) split_pairs(p, q, &p, &q, kSequence);
    turn(p, q, load(a.cos + i), load(a.sin + i));
    if (a.interleaved) join_pairs(p, q, &p, &q, kSequence);
    store(out + at, p);
    store(out + at + step, q);
  }
  for (; i < half; ++i) {
    const uint32_t at = a.interleaved ? 2 * i : i, step = a.interleaved ? 1 : half;
    float p = x[at], q = x[at + step];
    turn(p, q, a.cos[i], a.sin[i]);
    out[at] = p;
    out[at + step] = q;
  }
  for (i = a.rot_dim; i < a.head_dim; ++i) out[i] = x[i];
}

void rope(const RopeArgs& a) {
  for (uint32_t head = 0; head < a.n_heads; ++head) {
    rope_head(a, a.x + size_t{head} * a.head_dim, a.out + size_t{head} * a.head_dim);
  }
}
