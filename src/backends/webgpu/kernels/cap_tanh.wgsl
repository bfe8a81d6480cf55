fn cap(score: f32) -> f32 { return CAP * tanh(clamp(score / CAP, -15.0, 15.0)); }
