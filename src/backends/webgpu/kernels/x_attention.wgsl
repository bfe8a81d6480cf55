// x = the attention output of the step's only token: every workgroup combines the parts itself and quantises them into
// workgroup memory, which costs less than a dispatch.
@group(0) @binding(1) var<storage, read> part_o: array<vec4<f32>>;   // [HEADS][SPLITS][HD / 4]
@group(0) @binding(6) var<storage, read> part_ml: array<vec2<f32>>;  // [HEADS][SPLITS]
var<workgroup> xq: array<vec4<u32>, 2u * G>;  // elements 0..15 of every group, then 16..31
var<workgroup> xs: array<vec2<f32>, G>;
fn load_x(base: u32, t: u32) {
  let n = params[P_POSITIONS] + 1u;
  for (var turn = 0u; turn < (G * 8u + WG - 1u) / WG; turn++) {
    let at = turn * WG + t; let i = min(at, G * 8u - 1u); let v = combine(0u, i, n); let a = abs(v);
    let m = max_of(8u, max(max(a.x, a.y), max(a.z, a.w)), t); let r = select(0.0, 127.0 / m, m > 0.0);
    let w = vec4<i32>(q8_round(v.x, r), q8_round(v.y, r), q8_round(v.z, r), q8_round(v.w, r));
    let s = sum_of(8u, f32(w.x + w.y + w.z + w.w), t);
    let words = four_words(pack4xI8(w), t); let live = at < G * 8u;
    if (live && i % 4u == 0u) { xq[i / 4u % 2u * G + i / 8u] = words; }
    if (live && i % 8u == 0u) { xs[i / 8u] = vec2<f32>(m / 127.0, m / 127.0 * s); }
  }
  workgroupBarrier();
}
fn x_factor(n: u32) -> f32 { return 1.0; }
fn x_lo(token: u32, k: u32) -> vec4<u32> { return xq[k]; }
fn x_hi(token: u32, k: u32) -> vec4<u32> { return xq[G + k]; }
fn x_scale(token: u32, k: u32) -> vec2<f32> { return xs[k]; }
