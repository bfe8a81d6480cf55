// The tokens whose logits are wanted: R of them.
fn token_count() -> u32 { return params[1]; }
fn token_of(n: u32) -> u32 { return params[P_ROWS + min(n, params[1] - 1u)]; }
