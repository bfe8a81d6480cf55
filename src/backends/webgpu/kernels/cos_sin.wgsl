// Cosines and sines for RoPE, of pos * freq. The product is split so that turns come off exactly: the functions
// themselves are only good near 0.
fn cos_sin(pos: u32, freq: f32) -> vec2<f32> {
  let coarse = bitcast<f32>(bitcast<u32>(freq) & 0xfffff000u); let fine = freq - coarse;  // 12 + 12 bits
  let high = f32(pos & 0xfffff000u); let low = f32(pos & 0xfffu);
  var a = turn_off(low * coarse);
  a = turn_off(a + turn_off(high * coarse)); a = turn_off(a + turn_off(f32(pos) * fine));
  return vec2<f32>(cos(a), sin(a));
}
fn turn_off(v: f32) -> f32 {  // v - 2 pi round(v / 2 pi), 2 pi in three parts (6.28125 has 8 bits, the next 11)
  let n = round(v * 0.15915494309189535);
  return ((v - n * 6.28125) - n * 0.0019350051879882812) - n * 3.019916050561733e-07;
}
