// Capped logits (Gemma 2), as f_softcap.wgsl has them.
fn epilogue(m: u32, n: u32, value: f32) -> f32 { return CAP * tanh(clamp(value / CAP, -15.0, 15.0)); }
