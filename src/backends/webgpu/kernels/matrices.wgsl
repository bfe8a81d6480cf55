// Subgroup matrices of 16 x 16 (Dawn's experimental feature, subgroups of 32) whose operands lie in workgroup memory
// `tile`. Positions go into the views and not into the loads: under robustness a load at an offset that is computed
// costs a branch, which halves the rate; a load at 0 of a view that is just large enough costs a min.
alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sums = subgroup_matrix_result<f32, 16, 16>;
var<workgroup> tile: buffer<TILE_BYTES>;
// Eight f16 that begin at half i.
fn put_halves(i: u32, v: vec4<u32>) { *bufferView<vec4<u32>>(&tile, i * 2u) = v; }
fn put_float(i: u32, v: f32) { *bufferView<f32>(&tile, i * 4u) = v; }  // float i
fn get_float(i: u32) -> f32 { return *bufferView<f32>(&tile, i * 4u); }
fn get_floats(i: u32) -> vec4<f32> { return *bufferView<vec4<f32>>(&tile, i * 4u); }
// The matrix that begins at half i, rows P halves apart; `across` reads what lies there as its transpose.
fn left(i: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(bufferView<array<f16, 15u * P + 16u>>(&tile, i * 2u), 0u, P);
}
// The same among the sums: rows 2 F halves apart.
fn left_of_sums(i: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(bufferView<array<f16, 30u * F + 16u>>(&tile, i * 2u), 0u, 2u * F);
}
fn right_across(i: u32) -> Right {
  return subgroupMatrixLoad<Right, col_major>(bufferView<array<f16, 15u * P + 16u>>(&tile, i * 2u), 0u, P);
}
fn right(i: u32) -> Right {
  return subgroupMatrixLoad<Right, row_major>(bufferView<array<f16, 15u * P + 16u>>(&tile, i * 2u), 0u, P);
}
fn multiplied(a: Left, b: Right, c: Sums) -> Sums { return subgroupMatrixMultiplyAccumulate(a, b, c); }
// Stores from float i on, rows F floats apart.
fn put_sums(i: u32, c: Sums) {
  subgroupMatrixStore<row_major>(bufferView<array<f32, 15u * F + 16u>>(&tile, i * 4u), 0u, c, F);
}
