// A page is [kv_heads][page_tokens][head_dim] f32. at: of the first value within its page.
fn store(page: u32, at: u32, t: u32, col: u32, position: u32) {
  for (var i = 0u; i < UNIT; i++) {
    keys[page * PAGE_VALUES + at + i] = bitcast<u32>(key(t, col + i, position));
    values[page * PAGE_VALUES + at + i] = bitcast<u32>(v[t * V_STRIDE + V_COL0 + col + i]);
  }
}
