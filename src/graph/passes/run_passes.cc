#include <span>

#include "graph/passes/passes.h"

namespace tern::graph {
namespace {

struct NamedPass {
  std::string_view name;
  Pass pass;
};

/// The order matters: gate and up are merged before the epilogue looks for their slices, weights are cut after all
/// fusions, and values are exposed last, so that asking for them changes nothing of what is computed.
constexpr NamedPass kPasses[] = {
    {"fold_constants", fold_constants}, {"merge_qkv", merge_qkv},         {"merge_gate_up", merge_gate_up},
    {"glu_epilogue", glu_epilogue},     {"rope_kv_write", rope_kv_write}, {"residual_norm", residual_norm},
    {"shard_weights", shard_weights},   {"expose_values", expose_values},
};

}  // namespace

Result<void> run_passes(Graph& graph, const Target& target) {
  for (const NamedPass& entry : kPasses) {
    const bool always = entry.pass == fold_constants || entry.pass == shard_weights;
    const bool wanted = entry.pass == expose_values ? target.expose_values : always || target.fuse;
    if (!wanted) continue;
    TRY_CTX(entry.pass(graph, target), "in pass {}", entry.name);
    TRY_CTX(validate(graph), "after pass {}", entry.name);
  }
  return {};
}

}  // namespace tern::graph
