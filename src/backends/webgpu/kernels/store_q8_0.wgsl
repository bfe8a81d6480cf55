// A page is [kv_heads][page_tokens][head_dim] int8, then the f16 scales of 32 values each, two to a word. An invocation
// stores 64 values. at: of the first value within its page.
fn code_word(x: vec4<f32>, inverse: f32) -> u32 {
  let rounded = round(clamp(x * inverse, vec4<f32>(-127.0), vec4<f32>(127.0)));
  let codes = bitcast<vec4<u32>>(vec4<i32>(rounded)) & vec4<u32>(255u);
  return codes.x | (codes.y << 8u) | (codes.z << 16u) | (codes.w << 24u);
}

fn store(page: u32, at: u32, t: u32, col: u32, position: u32) {
  let base = page * (PAGE_VALUES / 4u + PAGE_VALUES / 64u);
  let begin = t * V_STRIDE + V_COL0 + col;
  var key_scales = vec2<f32>();
  var value_scales = vec2<f32>();
  for (var half = 0u; half < 2u; half++) {
    var largest = vec2<f32>();
    for (var i = half * 32u; i < half * 32u + 32u; i++) {
      largest = max(largest, abs(vec2<f32>(key(t, col + i, position), v[begin + i])));
    }
    let inverse = select(vec2<f32>(), 127.0 / largest, largest > vec2<f32>());
    for (var i = half * 32u; i < half * 32u + 32u; i += 4u) {
      let x = vec4<f32>(key(t, col + i, position), key(t, col + i + 1u, position), key(t, col + i + 2u, position),
                        key(t, col + i + 3u, position));
      keys[base + (at + i) / 4u] = code_word(x, inverse.x);
      values[base + (at + i) / 4u] =
          code_word(vec4<f32>(v[begin + i], v[begin + i + 1u], v[begin + i + 2u], v[begin + i + 3u]), inverse.y);
    }
    if (half == 0u) {
      key_scales.x = largest.x / 127.0;
      value_scales.x = largest.y / 127.0;
    } else {
      key_scales.y = largest.x / 127.0;
      value_scales.y = largest.y / 127.0;
    }
  }
  keys[base + PAGE_VALUES / 4u + at / 64u] = pack2x16float(key_scales);
  values[base + PAGE_VALUES / 4u + at / 64u] = pack2x16float(value_scales);
}
