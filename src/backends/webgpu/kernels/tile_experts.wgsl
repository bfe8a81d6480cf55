// Tiles of the slots of one expert by its rows of the weight, as sort_experts.wgsl lists them. X_EACH slots that follow
// each other have one row of x.
@group(0) @binding(4) var<storage, read> tiles: array<u32>;  // [TILES] experts, then [TILES][BM] slots
const NONE = 0xffffffffu;
fn row_count() -> u32 { return params[0] * TOP; }
fn has_tile(tile: u32) -> bool { return tiles[tile] != NONE; }
fn has_row(m: u32) -> bool { return tiles[TILES + m] != NONE; }
fn x_row(m: u32) -> u32 { return min(tiles[TILES + m], row_count() - 1u) / X_EACH; }
fn out_row(m: u32) -> u32 { return tiles[TILES + m]; }
fn first_row(tile: u32) -> u32 { return tiles[tile] * N; }
