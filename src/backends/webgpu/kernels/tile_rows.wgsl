// Tiles of all rows of x by one weight.
fn row_count() -> u32 { return params[ROWS_SYMBOL] * ROWS_MULTIPLE; }
fn has_tile(tile: u32) -> bool { return true; }
fn has_row(m: u32) -> bool { return m < row_count(); }
fn x_row(m: u32) -> u32 { return min(m, row_count() - 1u); }
fn out_row(m: u32) -> u32 { return m; }
fn first_row(tile: u32) -> u32 { return 0u; }
