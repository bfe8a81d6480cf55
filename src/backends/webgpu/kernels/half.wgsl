// A group of 32 weights (dot_*.wgsl) as f16, from half i of the tile on. Four codes, one a byte, are f16 after two or
// three operations: the bits 0x6400 | q are 1024 + q. Then scale and minimum in one fma.
fn half4(v: u32, d: vec2<f16>) -> vec2<u32> {
  let u = v ^ HALF_FLIP;
  let a = bitcast<vec2<f16>>((u & 0xffu) | ((u & 0xff00u) << 8u) | 0x64006400u) - f16(HALF_BASE);
  let b = bitcast<vec2<f16>>(((u >> 16u) & 0xffu) | ((u >> 8u) & 0xff0000u) | 0x64006400u) - f16(HALF_BASE);
  return vec2<u32>(bitcast<u32>(fma(a, vec2<f16>(d.x), vec2<f16>(d.y))),
                   bitcast<u32>(fma(b, vec2<f16>(d.x), vec2<f16>(d.y))));
}
fn put_group(i: u32, w: Group) {
  let lo = w_lo(w); let hi = w_hi(w); let d = vec4<f16>(w_affine(w));
  put_halves(i, vec4<u32>(half4(lo.x, d.xy), half4(lo.y, d.xy)));
  put_halves(i + 8u, vec4<u32>(half4(lo.z, d.xy), half4(lo.w, d.xy)));
  put_halves(i + 16u, vec4<u32>(half4(hi.x, d.zw), half4(hi.y, d.zw)));
  put_halves(i + 24u, vec4<u32>(half4(hi.z, d.zw), half4(hi.w, d.zw)));
}
