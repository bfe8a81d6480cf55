// Rows of f32 as a product reads them: workgroup = (4 * WG columns, row). Composed with put_*.wgsl.
@group(0) @binding(1) var<storage, read> x: array<f32>;  // [rows] X_STRIDE apart, from column X_COL0 on
fn kernel(wid: vec3<u32>, t: u32) {
  let i = wid.x * WG + t; let at = wid.y * X_STRIDE + X_COL0 + 4u * min(i, G * 8u - 1u);
  put4(wid.y, i, vec4<f32>(x[at], x[at + 1u], x[at + 2u], x[at + 3u]), i < G * 8u, t);
}
