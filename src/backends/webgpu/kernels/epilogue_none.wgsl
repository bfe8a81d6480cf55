// Products are stored as they are.
fn epilogue(m: u32, n: u32, value: f32) -> f32 { return value; }
