// A product with the whole weight.
const SLOTS = 1u;
fn choose(base: u32, t: u32) {}
fn matrix_row(slot: u32) -> u32 { return 0u; }
fn slot_row(token: u32, slot: u32) -> u32 { return token; }
fn slot_factor(slot: u32) -> f32 { return 1.0; }
