#include <span>

#include "graph/passes/passes.h"

namespace tern::graph {
namespace {

struct NamedPass {
  std::string_view name;
  Pass pass;
};

/// The order matters: gate and up are merged before the epilogue looks for their slices, and weights are cut last.
constexpr NamedPass kPasses[] = {
    {"fold_constants", fold_constants}, {"merge_qkv", merge_qkv},         {"merge_gate_up", merge_gate_up},
    {"glu_epilogue", glu_epilogue},     {"rope_kv_write", rope_kv_write}, {"residual_norm", residual_norm},
    {"shard_weights", shard_weights},
};

}  // namespace

Result<void> run_passes(Graph& graph, const Target& target) {
  for (const NamedPass& entry : kPasses) {
    const bool always = entry.pass == fold_constants || entry.pass == shard_weights;
    if (!always && !target.fuse) continue;
    TRY_CTX(entry.pass(graph, target), "in pass {}", entry.name);
    TRY_CTX(validate(graph), "after pass {}", entry.name);
  }
  return {};
}

}  // namespace tern::graph
