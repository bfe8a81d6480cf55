// y[token][row] = W[row, :] . x[token, :] for NT tokens at a time, int8 activations (q8_block.wgsl), packed 4x8
// products. Workgroup (x, y) owns OUT results of each of tokens y * NT .. + NT - 1; ROWS = OUT weight rows (2 * OUT
// for gate and up). A job is R rows in one of KS parts of K; a team takes a job, its lanes stride the groups, so that
// a loaded weight serves NT tokens and a loaded activation R rows. Composed with team_*, dot_*, one x_* (how x is
// had), one tokens_* (which tokens), one_matrix or experts_* (which matrix), and one out_* (what becomes of the
// results). Where a result is a sum over SLOTS matrices (the experts of a token), each slot has its own KS parts. What
// does not depend on the product (residual, gain) is loaded before it.
@group(0) @binding(2) var<storage, read> params: array<u32>;
const PARTS = KS * SLOTS;
const JOBS = ROWS / R * PARTS;
var<workgroup> y: array<f32, NT * PARTS * ROWS>;
fn result(n: u32, i: u32) -> f32 {
  var s = y[n * PARTS * ROWS + i] * slot_factor(0u);
  for (var p = 1u; p < PARTS; p++) { s += y[(n * PARTS + p) * ROWS + i] * slot_factor(p / KS); }
  return s * x_factor(n);
}
fn kernel(wid: vec3<u32>, t: u32) {
  let wg = wid.x; let base = wid.y * NT;
  prepare(wg, base, t);
  load_x(base, t);
  choose(base, t);
$for n NT
  let x$n$ = token_of(base + $n$u);
$end
  for (var turn = 0u; turn < JOBS; turn += WG / lanes) {
    let job = min(turn + t / lanes, JOBS - 1u); let first = job / PARTS * R; let part = job % PARTS;
    let slot = part / KS; let top_row = matrix_row(slot);
$for r R
    let row$r$ = top_row + row_of(wg, first + $r$u);
$end
$for n NT
    let token$n$ = slot_row(x$n$, slot);
$end
$for r R
$for n NT
    var a$r$_$n$ = 0.0;
$end
$end
    for (var k = part % KS * lanes + lane; k < G; k += lanes * KS) {
$for r R
      let w$r$ = w_group(row$r$, k);
$end
$for n NT
      { let lo = x_lo(token$n$, k); let hi = x_hi(token$n$, k); let d = x_scale(token$n$, k);
$for r R
        a$r$_$n$ += w_dot(w$r$, lo, hi, d);
$end
      }
$end
    }
$for r R
$for n NT
    a$r$_$n$ = team_sum(a$r$_$n$, t);
$end
$end
    if (lane == 0u) {
$for r R
$for n NT
      y[($n$u * PARTS + part) * ROWS + first + $r$u] = a$r$_$n$;
$end
$end
    }
  }
  workgroupBarrier();
  finish(wg, base, t);
}
