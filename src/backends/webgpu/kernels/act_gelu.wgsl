// The tanh form; the clamp keeps exp inside of tanh finite.
fn act(v: f32) -> f32 {
  return 0.5 * v * (1.0 + tanh(clamp(0.7978845608028654 * (v + 0.044715 * v * v * v), -15.0, 15.0)));
}
