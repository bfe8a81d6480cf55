// The sum of the products of a token's experts by the router's shares: x has a row for each of them. NT = 1. Composed
// with route.wgsl.
@group(0) @binding(6) var<storage, read> router: array<f32>;  // [T][E]
const SLOTS = TOP;
var<workgroup> slot_factors: array<f32, TOP>;
fn choose(base: u32, t: u32) {
  route(base, t);
  if (t < TOP) { slot_factors[t] = share_of(t); }
  workgroupBarrier();
}
fn matrix_row(slot: u32) -> u32 { return experts[slot] * EXPERT_ROWS; }
fn slot_row(token: u32, slot: u32) -> u32 { return token * TOP + slot; }
fn slot_factor(slot: u32) -> f32 { return slot_factors[slot]; }
