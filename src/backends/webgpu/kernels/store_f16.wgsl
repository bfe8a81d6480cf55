// A page is [kv_heads][page_tokens][head_dim] f16, two to a word. at: of the first value within its page.
fn store(page: u32, at: u32, t: u32, col: u32, position: u32) {
  let word = (page * PAGE_VALUES + at) / 2u;
  let begin = t * V_STRIDE + V_COL0 + col;
  keys[word] = pack2x16float(vec2<f32>(key(t, col, position), key(t, col + 1u, position)));
  values[word] = pack2x16float(vec2<f32>(v[begin], v[begin + 1u]));
}
