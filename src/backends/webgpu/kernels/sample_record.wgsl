// How row `r`'s token is drawn: the record in the params block (graph/params.h).
fn setting(r: u32, i: u32) -> f32 { return bitcast<f32>(params[P_SAMPLES + 16u * r + i]); }
fn record(r: u32, i: u32) -> u32 { return params[P_SAMPLES + 16u * r + i]; }
fn sampled(r: u32) -> bool { return (record(r, 11u) & 1u) != 0u; }
// Orders floats as u32: larger float, larger key; -infinity is above 0.
fn key_of(b: u32) -> u32 { return select(b | 0x80000000u, ~b, (b & 0x80000000u) != 0u); }
fn value_of(key: u32) -> f32 { return bitcast<f32>(select(~key, key & 0x7fffffffu, (key & 0x80000000u) != 0u)); }
