// A token at position n - 1 attends to positions [kv_begin(n), n), cut into at most SPLITS pieces of kv_chunk(n)
// positions, a multiple of 64; short contexts use few. WINDOW = 0: all positions.
fn kv_begin(n: u32) -> u32 { return select(0u, n - min(n, WINDOW), WINDOW > 0u); }
fn kv_first(n: u32) -> u32 { return kv_begin(n) / 64u * 64u; }
fn kv_chunk(n: u32) -> u32 { return 64u * ((n - kv_first(n) + 64u * SPLITS - 1u) / (64u * SPLITS)); }
fn splits_used(n: u32) -> u32 { return (n - kv_first(n) + kv_chunk(n) - 1u) / kv_chunk(n); }
