// Pages of the KV cache: [pages][KV_HEADS][PAGE][HD]. Which page holds position `pos` of sequence `seq`:
fn page_of(seq: u32, pos: u32) -> u32 { return params[P_PAGES + params[P_SEQS + 4u * seq + 1u] + pos / PAGE]; }
