// Two neighbouring values of a page of f32; at: even, within the page.
fn load_key(page: u32, at: u32) -> vec2<f32> {
  let i = page * PAGE_VALUES + at;
  return bitcast<vec2<f32>>(vec2<u32>(keys[i], keys[i + 1u]));
}
fn load_value(page: u32, at: u32) -> vec2<f32> {
  let i = page * PAGE_VALUES + at;
  return bitcast<vec2<f32>>(vec2<u32>(values[i], values[i + 1u]));
}
