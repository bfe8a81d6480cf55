// What rows_norm.wgsl adds: KS rows for each token, those of its experts, weighed by the router.
@group(0) @binding(5) var<storage, read> shares: array<f32>;  // [T][KS]
fn part_row(token: u32, p: u32) -> u32 { return token * KS + p; }
fn part_factor(token: u32, p: u32) -> f32 { return shares[token * KS + p]; }
