// A product for each expert of each token: tokens are T * TOP, of TOP that follow each other all have the x of one
// token. NT = 1. Composed with route.wgsl.
@group(0) @binding(4) var<storage, read> router: array<f32>;  // [T][E]
const SLOTS = 1u;
fn token_count() -> u32 { return params[0] * TOP; }
fn token_of(n: u32) -> u32 { return min(n / TOP, params[0] - 1u); }
fn choose(base: u32, t: u32) {
  route(base / TOP, t);
  if (t == 0u) { chosen = experts[base % TOP]; }
  workgroupBarrier();
}
var<workgroup> chosen: u32;
fn matrix_row(slot: u32) -> u32 { return chosen * EXPERT_ROWS; }
fn slot_row(token: u32, slot: u32) -> u32 { return token; }
fn slot_factor(slot: u32) -> f32 { return 1.0; }
