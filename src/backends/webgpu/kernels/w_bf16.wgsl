// Weights in bfloat16, two to a word: the high halves of f32.
@group(0) @binding(0) var<storage, read> w: array<vec4<u32>>;

// Weights [n, k .. k + 8), k a multiple of 8.
fn weights8(n: u32, k: u32) -> mat2x4<f32> {
  let x = w[n * (PADDED / 8u) + k / 8u];
  let even = bitcast<vec4<f32>>(x << vec4<u32>(16u));
  let odd = bitcast<vec4<f32>>(x & vec4<u32>(0xffff0000u));
  return mat2x4<f32>(vec4<f32>(even.x, odd.x, even.y, odd.y), vec4<f32>(even.z, odd.z, even.w, odd.w));
}
