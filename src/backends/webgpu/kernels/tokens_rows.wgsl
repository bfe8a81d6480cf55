// The rows of a matrix that has one for every wanted token: R of them.
fn token_count() -> u32 { return params[1]; }
fn token_of(n: u32) -> u32 { return min(n, params[1] - 1u); }
