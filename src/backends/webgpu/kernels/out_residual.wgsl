// h += y; leaves int8(h * gain of the next norm) and the partial sums of h^2 for x_q8_norm.wgsl. OUT = 32.
@group(0) @binding(3) var<storage, read_write> h: array<f32>;    // [T][N]
@group(0) @binding(4) var<storage, read> gain: array<f32>;       // [N]
@group(0) @binding(5) var<storage, read_write> out: array<u32>;  // [T] blocks of N values
var<private> h_before: f32;
var<private> gain_of: f32;
fn row_of(wg: u32, i: u32) -> u32 { return wg * OUT + i; }
fn prepare(wg: u32, base: u32, t: u32) {
  h_before = h[(base + min(t / 32u, NT - 1u)) * N + wg * 32u + t % 32u]; gain_of = gain[wg * 32u + t % 32u];
}
fn finish(wg: u32, base: u32, t: u32) {
  for (var turn = 0u; turn < (NT * 32u + WG - 1u) / WG; turn++) {
    let first = turn * (WG / 32u); let n = first + t / 32u; let i = t % 32u;
    let live = n < NT && base + n < token_count();
    let at = (base + n) * N + wg * 32u + i;
    if (first > 0u) { h_before = h[at]; }
    let v = h_before + result(min(n, NT - 1u), i);
    if (live) { h[at] = v; }
    let s = sum_of(32u, v * v, t);
    let block = (base + n) * 4u * q8_stride(N / 32u);
    if (live && i == 0u) { out[block + 4u * q8_squares(N / 32u) + wg] = bitcast<u32>(s); }
    quantise32(v * gain_of, t, block, wg, N / 32u, live);
  }
}
