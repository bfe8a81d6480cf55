// out[m, n] = epilogue(sum over k of x[m, k] * W[n, k]) for many rows m by packed 4x8 products: int8 activations
// (q8_block.wgsl), any family of weights with a dot_*.wgsl that knows w_product. A workgroup of 256 computes a tile of
// 16 * MA rows m by 128 rows n; an invocation MA x 8 of it, its rows 16 apart, so that neighbours read neighbours. One
// group of 32 k lies in workgroup memory (10 KiB), the next is on its way while it is multiplied. Workgroup (x, y, z):
// rows m, rows n, part z of KS parts of K, each of which leaves a matrix of its own. Composed with tile_rows.wgsl, or
// tile_experts.wgsl for rows of x by their experts. Measured on an H200: 61-68 TOP/s.
@group(0) @binding(1) var<storage, read> x: array<vec4<u32>>;  // [M] blocks of G groups
@group(0) @binding(2) var<storage, read> params: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
const BM = 16u * MA;
var<workgroup> x_tile: array<vec4<u32>, 2u * BM>;  // [half of the group][row]
var<workgroup> w_tile: array<vec4<u32>, 256>;
var<workgroup> x_factors: array<vec2<f32>, BM>;
var<workgroup> w_factors: array<Factor, 128>;
fn x_scale(block: u32, k: u32) -> vec2<f32> {
  let v = x[block + q8_scales(G) + k / 2u];
  return bitcast<vec2<f32>>(select(v.xy, v.zw, (k & 1u) == 1u));
}
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) t: u32) {
  let m0 = wid.x * BM; let n0 = wid.y * 128u;
  if (!has_tile(wid.x)) { return; }
  let is_w = t >= 128u; let i = t & 127u; let has_x = i < BM;
  let row = first_row(wid.x) + min(n0 + i, N - 1u); let block = x_row(m0 + min(i, BM - 1u)) * q8_stride(G);
  let first = min(wid.z * ((G + KS - 1u) / KS), G); let end = min(first + (G + KS - 1u) / KS, G);
  let tm = t / 16u; let tn = t % 16u;
$for a MA
$for b 8
  var c$a$_$b$ = 0.0;
$end
$end
  var lo: vec4<u32>; var hi: vec4<u32>; var factor: Factor;
  if (is_w) { let w = w_group(row, min(first, G - 1u)); lo = w_lo(w); hi = w_hi(w); factor = w_factor(w); }
  else if (has_x) { lo = x[block + first]; hi = x[block + G + first]; factor = as_factor(x_scale(block, first)); }
  for (var k = first; k < end; k++) {
    workgroupBarrier();
    if (is_w) { w_tile[i] = lo; w_tile[128u + i] = hi; w_factors[i] = factor; }
    else if (has_x) { x_tile[i] = lo; x_tile[BM + i] = hi; x_factors[i] = factor.xy; }
    workgroupBarrier();
    let next = min(k + 1u, G - 1u);
    if (is_w) { let w = w_group(row, next); lo = w_lo(w); hi = w_hi(w); factor = w_factor(w); }
    else if (has_x) { lo = x[block + next]; hi = x[block + G + next]; factor = as_factor(x_scale(block, next)); }
$for a MA
    let l$a$ = x_tile[tm + $a$u * 16u]; let h$a$ = x_tile[BM + tm + $a$u * 16u];
    let f$a$ = x_factors[tm + $a$u * 16u];
$end
$for b 8
    { let l = w_tile[tn + $b$u * 16u]; let h = w_tile[128u + tn + $b$u * 16u]; let f = w_factors[tn + $b$u * 16u];
$for a MA
      c$a$_$b$ += w_product(l, h, f, l$a$, h$a$, f$a$);
$end
    }
$end
  }
$for a MA
  { let i = m0 + tm + $a$u * 16u;
  if (has_row(i)) {
    let m = out_row(i); let to = (wid.z * row_count() + m) * OUT_STRIDE + OUT_COL0;
$for b 8
    { let n = n0 + tn + $b$u * 16u; if (n < N) { out[to + n] = epilogue(m, n, c$a$_$b$); } }
$end
  } }
$end
}
