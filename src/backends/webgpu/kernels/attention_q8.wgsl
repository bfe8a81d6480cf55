// Combines the parts of every token's attention once and writes int8 blocks of HEADS * HD values: workgroup = (WG / 8
// groups, token).
@group(0) @binding(0) var<storage, read> part_o: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> part_ml: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> params: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<u32>;  // [T] blocks
const G = HEADS * HD / 32u;
fn kernel(wid: vec3<u32>, t: u32) {
  let token = wid.y;
  let n = params[P_POSITIONS + token] + 1u;
  let i = wid.x * WG + t;
  let block = token * 4u * q8_stride(G);
  let v = combine(token, min(i, G * 8u - 1u), n); let a = abs(v);
  let m = max_of(8u, max(max(a.x, a.y), max(a.z, a.w)), t); let r = select(0.0, 127.0 / m, m > 0.0);
  let w = vec4<i32>(q8_round(v.x, r), q8_round(v.y, r), q8_round(v.z, r), q8_round(v.w, r));
  let s = sum_of(8u, f32(w.x + w.y + w.z + w.w), t);
  if (i >= G * 8u) { return; }
  out[block + q8_word(i, G)] = pack4xI8(w);
  if (i % 8u == 0u) {
    let at = block + 4u * q8_scales(G) + i / 4u;
    out[at] = bitcast<u32>(m / 127.0); out[at + 1u] = bitcast<u32>(m / 127.0 * s);
  }
}
