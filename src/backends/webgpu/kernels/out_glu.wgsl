// act(gate) * up as int8 blocks of FF values. Weight rows 0 .. FF - 1 are gate, FF .. 2 FF - 1 up; y holds them
// alternating. OUT = 32, ROWS = 64. Composed with act_silu.wgsl or act_gelu.wgsl.
@group(0) @binding(3) var<storage, read_write> out: array<u32>;  // [T] blocks
fn row_of(wg: u32, i: u32) -> u32 { return (i & 1u) * FF + wg * OUT + i / 2u; }
fn prepare(wg: u32, base: u32, t: u32) {}
fn finish(wg: u32, base: u32, t: u32) {
  for (var first = 0u; first < NT; first += WG / 32u) {
    let n = first + t / 32u; let i = t % 32u; let live = n < NT && base + n < token_count();
    let m = min(n, NT - 1u);
    quantise32(act(result(m, 2u * i)) * result(m, 2u * i + 1u), t, (base + n) * 4u * q8_stride(FF / 32u), wg,
        FF / 32u, live);
  }
}
