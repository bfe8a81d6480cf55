// exp and tanh on vectors, and what is made of them. Errors below 3 units in the last place; any lane gives the same
// bits as any other.

/// e^x = 2^n e^r with n = round(x / ln 2), |r| <= ln 2 / 2, e^r by its Taylor series to r^7 (next term: 5e-9).
/// 0 below -87.3; from 88.3 on about 2e38 (no infinity: all uses divide by it).
inline vf exp(vf x) {
  const vf clamped = at_most(at_least(x, splat(-87.3f)), splat(88.3f));
  constexpr float kMagic = 0x1.8p23f;  // adding it rounds to an integer that stands in the low bits
  const vf shifted = fma(clamped, splat(1.44269504f), splat(kMagic));
  const vf n = shifted - kMagic;
  // ln 2 in two parts, the first of so few bits that n * part is exact.
  const vf r = fma(n, splat(2.12194440e-4f), fma(n, splat(-0.693359375f), clamped));
  vf p = splat(1.0f / 5040);
  p = fma(p, r, splat(1.0f / 720));
  p = fma(p, r, splat(1.0f / 120));
  p = fma(p, r, splat(1.0f / 24));
  p = fma(p, r, splat(1.0f / 6));
  p = fma(p, r, splat(0.5f));
  p = fma(p, r, splat(1.0f));
  p = fma(p, r, splat(1.0f));
  const vi exponent = float_to_bits(shifted) - float_to_bits(splat(kMagic)) + 127;
  const vf result = p * bits_to_float(exponent << 23);
  return x < splat(-87.3f) ? vf{} : result;
}

/// Near 0 its Taylor series to x^13 (next term at 0.4: 4e-9 of the value), elsewhere 1 - 2 / (e^2x + 1).
inline vf tanh(vf x) {
  const vf x2 = x * x;
  vf p = splat(21844.0f / 6081075);
  p = fma(p, x2, splat(-1382.0f / 155925));
  p = fma(p, x2, splat(62.0f / 2835));
  p = fma(p, x2, splat(-17.0f / 315));
  p = fma(p, x2, splat(2.0f / 15));
  p = fma(p, x2, splat(-1.0f / 3));
  const vf near = fma(p * x2, x, x);
  const vf far = 1.0f - 2.0f / (exp(x + x) + 1.0f);
  return x2 < splat(0.16f) ? near : far;
}

/// cap * tanh(x / cap).
inline vf soft_cap(vf x, float cap) {
  return cap * tanh(x / cap);
}

/// silu(x) = x / (1 + e^-x). gelu_tanh: (1 + tanh u) / 2 = 1 / (1 + e^-2u) with u = sqrt(2 / pi) (x + 0.044715 x^3).
inline vf activate(uint32_t activation, vf x) {
  constexpr uint32_t kSilu = 0;
  constexpr float kTwice = 1.5957691216057308f;  // 2 sqrt(2 / pi)
  const vf u = activation == kSilu ? x : kTwice * fma(0.044715f * x * x, x, x);
  return x / (1.0f + exp(-u));
}
