// Slots 0 .. T * TOP - 1, the experts of the tokens, in the order of their experts: tiles of BM slots of one expert
// each, the last of an expert filled up with NONE. One workgroup.
@group(0) @binding(0) var<storage, read> ids: array<u32>;  // [T][TOP]
@group(0) @binding(1) var<storage, read> params: array<u32>;
@group(0) @binding(2) var<storage, read_write> tiles: array<u32>;  // [TILES] experts or NONE, then [TILES][BM] slots
const NONE = 0xffffffffu;
var<workgroup> counts: array<atomic<u32>, E>;
var<workgroup> begins: array<u32, E + 1u>;  // in tiles
@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) t: u32) {
  let n = params[0] * TOP;
  for (var e = t; e < E; e += 256u) { atomicStore(&counts[e], 0u); }
  workgroupBarrier();
  for (var s = t; s < n; s += 256u) { atomicAdd(&counts[ids[s]], 1u); }
  workgroupBarrier();
  if (t == 0u) {
    var at = 0u;
    for (var e = 0u; e < E; e++) { begins[e] = at; at += (atomicLoad(&counts[e]) + BM - 1u) / BM; }
    begins[E] = at;
  }
  workgroupBarrier();
  for (var e = t; e < E; e += 256u) {
    for (var i = begins[e]; i < begins[e + 1u]; i++) { tiles[i] = e; }
    let end = TILES + begins[e + 1u] * BM;
    for (var i = TILES + begins[e] * BM + atomicLoad(&counts[e]); i < end; i++) { tiles[i] = NONE; }
  }
  for (var i = begins[E] + t; i < TILES; i += 256u) { tiles[i] = NONE; }
  workgroupBarrier();
  for (var e = t; e < E; e += 256u) { atomicStore(&counts[e], 0u); }
  workgroupBarrier();
  for (var s = t; s < n; s += 256u) {
    let e = ids[s];
    tiles[TILES + begins[e] * BM + atomicAdd(&counts[e], 1u)] = s;
  }
}
