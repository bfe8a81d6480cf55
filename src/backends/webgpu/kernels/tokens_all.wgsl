// The tokens of the step: T of them.
fn token_count() -> u32 { return params[0]; }
fn token_of(n: u32) -> u32 { return min(n, params[0] - 1u); }
