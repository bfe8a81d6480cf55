// The passes, in the order of run_passes(). Each is one small file, keeps ref(before) == ref(after), and has a
// before/after text golden in tests/graph/.
#pragma once

#include "graph/graph.h"
#include "graph/target.h"

namespace tern::graph {

using Pass = Result<void> (*)(Graph&, const Target&);

Result<void> fold_constants(Graph&, const Target&);  // arithmetic on constants; scale into embed and attention
Result<void> merge_qkv(Graph&, const Target&);       // linears that read one x become one linear and slices
Result<void> merge_gate_up(Graph&, const Target&);   // gate and up likewise (and stacked experts)
Result<void> glu_epilogue(Graph&, const Target&);    // linear [gate; up] + glu -> linear_glu
Result<void> rope_kv_write(Graph&, const Target&);   // rope(q), rope(k), kv_write -> rope_kv_write
Result<void> residual_norm(Graph&, const Target&);   // add + rms_norm -> add_rms_norm; linear + add -> linear_add
Result<void> shard_weights(Graph&, const Target&);   // weights above max_weight_bytes into row ranges
Result<void> expose_values(Graph&, const Target&);   // every value that still has a name becomes an output

/// fold_constants always; the fusions when target.fuse; shard_weights when a weight is too large; expose_values when
/// target.expose_values. Validates after each.
Result<void> run_passes(Graph& graph, const Target& target);

}  // namespace tern::graph
