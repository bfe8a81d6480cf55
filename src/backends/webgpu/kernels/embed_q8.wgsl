// Begins a step: h = FACTOR * embedding of each token (an id, or -1 - word where an earlier step left it in `state`),
// int8 of h * gain of the first norm with the partial sums of h^2, and cos and sin of the token's position. Workgroup
// = token. Composed with cos_sin.wgsl.
@group(0) @binding(1) var<storage, read> state: array<u32>;
@group(0) @binding(2) var<storage, read> params: array<u32>;
@group(0) @binding(3) var<storage, read_write> h: array<vec4<f32>>;     // [T][G * 8]
@group(0) @binding(4) var<storage, read> gain: array<vec4<f32>>;        // [G * 8]
@group(0) @binding(5) var<storage, read_write> out: array<u32>;         // [T] blocks of G groups
@group(0) @binding(6) var<storage, read> freqs: array<f32>;             // [ROT / 2]
@group(0) @binding(7) var<storage, read_write> rope: array<vec2<f32>>;  // [T][ROT / 2] (cos, sin) * MAGNITUDE
fn kernel(wid: vec3<u32>, t: u32) {
  let token = wid.x; let word = i32(params[P_TOKENS + token]); let pos = params[P_POSITIONS + token];
  var id = u32(word);
  if (word < 0) { id = state[u32(-1 - word)]; }
  id = min(id, VOCAB - 1u);
  for (var turn = 0u; turn < (ROT / 2u + WG - 1u) / WG; turn++) {
    let i = turn * WG + t;
    if (i < ROT / 2u) { rope[token * (ROT / 2u) + i] = MAGNITUDE * cos_sin(pos, freqs[i]); }
  }
  let block = token * 4u * q8_stride(G);
  for (var turn = 0u; turn < (G * 8u + WG - 1u) / WG; turn++) {
    let at = turn * WG + t; let i = min(at, G * 8u - 1u); let x = FACTOR * w_four(id, i); let v = x * gain[i];
    let a = abs(v);
    let m = max_of(8u, max(max(a.x, a.y), max(a.z, a.w)), t); let r = select(0.0, 127.0 / m, m > 0.0);
    let w = vec4<i32>(q8_round(v.x, r), q8_round(v.y, r), q8_round(v.z, r), q8_round(v.w, r));
    let s = sum_of(8u, f32(w.x + w.y + w.z + w.w), t); let squares = sum_of(8u, dot(x, x), t);
    if (at < G * 8u) {
      h[token * G * 8u + i] = x;
      out[block + q8_word(i, G)] = pack4xI8(w);
      if (i % 8u == 0u) {
        let scale = block + 4u * q8_scales(G) + i / 4u;
        out[scale] = bitcast<u32>(m / 127.0); out[scale + 1u] = bitcast<u32>(m / 127.0 * s);
        out[block + 4u * q8_squares(G) + i / 8u] = bitcast<u32>(squares);
      }
    }
  }
}
