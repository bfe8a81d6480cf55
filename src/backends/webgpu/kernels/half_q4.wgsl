// A group of dot_q4.wgsl as 32 f16 from half i of the tile on. Four nibbles, one a byte, are f16 after two operations:
// the bits 0x6400 | q are 1024 + q.
fn half4(v: u32, d: f16) -> vec2<u32> {
  let a = (v & 0xffu) | ((v & 0xff00u) << 8u) | 0x64006400u;
  let b = ((v >> 16u) & 0xffu) | ((v >> 8u) & 0xff0000u) | 0x64006400u;
  return vec2<u32>(bitcast<u32>((bitcast<vec2<f16>>(a) - 1032.0h) * d),
                   bitcast<u32>((bitcast<vec2<f16>>(b) - 1032.0h) * d));
}
fn put_group(i: u32, w: Group) {
  let lo = w_lo(w); let hi = w_hi(w); let d = f16(w.d);
  put_halves(i, vec4<u32>(half4(lo.x, d), half4(lo.y, d)));
  put_halves(i + 8u, vec4<u32>(half4(lo.z, d), half4(lo.w, d)));
  put_halves(i + 16u, vec4<u32>(half4(hi.x, d), half4(hi.y, d)));
  put_halves(i + 24u, vec4<u32>(half4(hi.z, d), half4(hi.w, d)));
}
