// silu(gate) * up; the bound keeps exp finite.
fn f(gate: f32, up: f32) -> f32 { return gate / (1.0 + exp(min(-gate, 80.0))) * up; }
