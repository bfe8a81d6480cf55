// src/backends/webgpu/kernels/matrices.wgsl for devices without subgroup matrices: every invocation has whole matrices,
// 32 of them the same. For tests of what the kernels do around them.
struct Left { v: array<f32, 256> }   // [row][k]
struct Right { v: array<f32, 256> }  // [k][col]
struct Sums { v: array<f32, 256> }   // [row][col]
var<workgroup> tile: array<u32, TILE_BYTES / 4u>;
fn put_halves(i: u32, v: vec4<u32>) {
  tile[i / 2u] = v.x; tile[i / 2u + 1u] = v.y; tile[i / 2u + 2u] = v.z; tile[i / 2u + 3u] = v.w;
}
fn put_float(i: u32, v: f32) { tile[i] = bitcast<u32>(v); }
fn get_float(i: u32) -> f32 { return bitcast<f32>(tile[i]); }
fn get_floats(i: u32) -> vec4<f32> {
  return vec4<f32>(get_float(i), get_float(i + 1u), get_float(i + 2u), get_float(i + 3u));
}
fn half(i: u32) -> f32 {
  let v = unpack2x16float(tile[i / 2u]);
  return select(v.x, v.y, (i & 1u) == 1u);
}
fn left(i: u32) -> Left {
  var m: Left;
  for (var e = 0u; e < 256u; e++) { m.v[e] = half(i + e / 16u * P + e % 16u); }
  return m;
}
fn left_of_sums(i: u32) -> Left {
  var m: Left;
  for (var e = 0u; e < 256u; e++) { m.v[e] = half(i + e / 16u * 2u * F + e % 16u); }
  return m;
}
fn right_across(i: u32) -> Right {
  var m: Right;
  for (var e = 0u; e < 256u; e++) { m.v[e] = half(i + e % 16u * P + e / 16u); }
  return m;
}
fn right(i: u32) -> Right {
  var m: Right;
  for (var e = 0u; e < 256u; e++) { m.v[e] = half(i + e / 16u * P + e % 16u); }
  return m;
}
fn multiplied(a: Left, b: Right, c: Sums) -> Sums {
  var x = a; var y = b; var m = c;
  for (var e = 0u; e < 256u; e++) {
    for (var k = 0u; k < 16u; k++) { m.v[e] += x.v[e / 16u * 16u + k] * y.v[k * 16u + e % 16u]; }
  }
  return m;
}
fn put_sums(i: u32, c: Sums) {
  var m = c;
  for (var e = 0u; e < 256u; e++) { put_float(i + e / 16u * F + e % 16u, m.v[e]); }
}
