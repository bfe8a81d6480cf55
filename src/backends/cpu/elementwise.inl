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

/// A few thousand multiplications per token: scalar, so that both pairings are plain to see.
void rope(const RopeArgs& a) {
  const uint32_t half = a.rot_dim / 2;
  for (uint32_t head = 0; head < a.n_heads; ++head) {
    const float* x = a.x + size_t{head} * a.head_dim;
    float* out = a.out + size_t{head} * a.head_dim;
    for (uint32_t i = 0; i < half; ++i) {
      const uint32_t p = a.interleaved ? 2 * i : i;
      const uint32_t q = a.interleaved ? 2 * i + 1 : i + half;
      const float xp = x[p], xq = x[q];
      out[p] = xp * a.cos[i] - xq * a.sin[i];
      out[q] = xq * a.cos[i] + xp * a.sin[i];
    }
    for (uint32_t i = a.rot_dim; i < a.head_dim; ++i) out[i] = x[i];
  }
}
