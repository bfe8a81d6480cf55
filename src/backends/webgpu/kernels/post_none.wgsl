fn post_factor(squares: f32, t: u32) -> f32 { return 1.0; }
fn post_gain(i: u32) -> vec4<f32> { return vec4<f32>(1.0); }
