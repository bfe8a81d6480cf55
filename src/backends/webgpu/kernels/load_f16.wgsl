// Two neighbouring values of a page of f16; at: even, within the page.
fn load_key(page: u32, at: u32) -> vec2<f32> { return unpack2x16float(keys[(page * PAGE_VALUES + at) / 2u]); }
fn load_value(page: u32, at: u32) -> vec2<f32> { return unpack2x16float(values[(page * PAGE_VALUES + at) / 2u]); }
