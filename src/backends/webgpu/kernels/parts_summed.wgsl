// What rows_norm.wgsl adds: KS matrices of T rows.
fn part_row(token: u32, p: u32) -> u32 { return p * params[0] + token; }
fn part_factor(token: u32, p: u32) -> f32 { return 1.0; }
