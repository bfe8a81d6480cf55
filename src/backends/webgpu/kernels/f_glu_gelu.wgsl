// gelu(gate) * up in the tanh form of Hendrycks and Gimpel 2016.
fn f(gate: f32, up: f32) -> f32 {
  let inner = 0.7978845608 * (gate + 0.044715 * gate * gate * gate);
  return 0.5 * gate * (1.0 + tanh(clamp(inner, -15.0, 15.0))) * up;
}
