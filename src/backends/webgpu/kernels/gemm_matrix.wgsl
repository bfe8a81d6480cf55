// out[m, n] = store(sum over k of x[m, k] * W[n, k]) for many rows m on subgroup matrices: f16 activations, weights
// of any family with a half_*.wgsl decoded to f16 on their way, f32 sums. Tile BM rows m x BN rows n x BK; WM x WN
// subgroups of 32, each TM x TN matrices of 16 x 16. The next tile is fetched into registers while the present one is
// multiplied. LA = BM BK / 8 / threads and LB = BN BK / 32 / threads: vectors of x and groups of weights a thread
// fetches. Workgroup (x, y, z): rows m, rows n, part z of KS parts of K, each of which leaves a matrix of its own.
// Composed with tile_rows.wgsl, or tile_experts.wgsl for rows of x by their experts.
// Measured on an H200 with 128 x 128 x 32 in 2 x 2: 153-204 TFLOP/s at 512 rows, 205-217 at 2048.
@group(0) @binding(1) var<storage, read> x: array<vec4<u32>>;  // [M][K / 8] of 8 f16
@group(0) @binding(2) var<storage, read> params: array<u32>;
const THREADS = WM * WN * 32u;
const K = G * 32u;
const STEPS = K / BK;
const B = BM * P;                   // where the weights lie in `tile`, in halves
const STRIP = 16u * F;              // floats of a subgroup's results in `tile`, a row of matrices at a time
const ACROSS = 16u * TN / EACH;     // stores for a row of them
@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let t = index % THREADS;  // says that t < THREADS, which lets the compiler drop bounds checks on workgroup memory
  let m0 = wid.x * BM; let n0 = wid.y * BN;
  if (!has_tile(wid.x)) { return; }
  let sg = t / 32u; let am = sg / WN * (TM * 16u); let bn = sg % WN * (TN * 16u);
  let first = min(wid.z * ((STEPS + KS - 1u) / KS), STEPS); let end = min(first + (STEPS + KS - 1u) / KS, STEPS);
$for i TM
$for j TN
  var c$i$_$j$ = Sums();
$end
$end
$for u LA
  let ra$u$ = (t + $u$u * THREADS) / (BK / 8u); let ca$u$ = (t + $u$u * THREADS) % (BK / 8u);
  let xa$u$ = x_row(m0 + ra$u$) * (K / 8u) + ca$u$;
  var x$u$ = x[xa$u$ + min(first, STEPS - 1u) * (BK / 8u)];
$end
$for u LB
  let rb$u$ = (t + $u$u * THREADS) / (BK / 32u); let cb$u$ = (t + $u$u * THREADS) % (BK / 32u);
  let wb$u$ = first_row(wid.x) + weight_row(min(n0 + rb$u$, N - 1u));
  var w$u$ = w_group(wb$u$, min(first, STEPS - 1u) * (BK / 32u) + cb$u$);
$end
  for (var k = first; k < end; k++) {
    workgroupBarrier();
$for u LA
    put_halves(ra$u$ * P + ca$u$ * 8u, x$u$);
$end
$for u LB
    put_group(B + rb$u$ * P + cb$u$ * 32u, w$u$);
$end
    workgroupBarrier();
    let next = min(k + 1u, STEPS - 1u);
$for u LA
    x$u$ = x[xa$u$ + next * (BK / 8u)];
$end
$for u LB
    w$u$ = w_group(wb$u$, next * (BK / 32u) + cb$u$);
$end
$for s KK
    {
$for i TM
      let a$i$ = left((am + $i$u * 16u) * P + $s$u * 16u);
$end
$for j TN
      { let b = right_across(B + (bn + $j$u * 16u) * P + $s$u * 16u);
$for i TM
        c$i$_$j$ = multiplied(a$i$, b, c$i$_$j$);
$end
      }
$end
    }
$end
  }
  // A row of matrices of every subgroup at a time through workgroup memory, where what is stored and the edges are.
$for i TM
  workgroupBarrier();
$for j TN
  put_sums(sg * STRIP + $j$u * 16u, c$i$_$j$);
$end
  workgroupBarrier();
  for (var u = t % 32u; u < 16u * ACROSS; u += 32u) {
    let i = m0 + am + $i$u * 16u + u / ACROSS; let n = n0 + bn + u % ACROSS * EACH;
    if (has_row(i) && n < N) {
      let m = out_row(i);
      store(wid.z * row_count() + m, m, n, sg * STRIP + u / ACROSS * F + u % ACROSS * EACH);
    }
  }
$end
}
