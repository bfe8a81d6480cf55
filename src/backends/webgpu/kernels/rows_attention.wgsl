// Combines the parts that attention_split.wgsl left of every token's attention, as the next product reads them:
// workgroup = (4 * WG columns, token). Composed with splits.wgsl, combine.wgsl and put_*.wgsl; G = HEADS * HD / 32.
@group(0) @binding(1) var<storage, read> part_o: array<vec4<f32>>;   // [T][HEADS][SPLITS][HD / 4]
@group(0) @binding(2) var<storage, read> params: array<u32>;
@group(0) @binding(3) var<storage, read> part_ml: array<vec2<f32>>;  // [T][HEADS][SPLITS]
fn kernel(wid: vec3<u32>, t: u32) {
  let i = wid.x * WG + t;
  let v = combine(wid.y, min(i, G * 8u - 1u), params[P_POSITIONS + wid.y] + 1u);
  put4(wid.y, i, v, i < G * 8u, t);
}
