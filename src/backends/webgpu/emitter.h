// Emitter: how a graph becomes the steps of a GPU plan. For every program (graph/plan.h) it walks the nodes; the first
// KernelDef that takes a node emits its dispatches and may take nodes after it as well, which is how fused kernels come
// in. Memory is laid out when all dispatches are known: a value or a temporary has a buffer of the arena to itself
// while it lives, so that no buffer is ever read and written by one dispatch.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backends/webgpu/compose.h"
#include "backends/webgpu/planes.h"
#include "graph/params.h"
#include "graph/target.h"

namespace tern::backends::webgpu {

/// A buffer that a kernel binds, before memory is laid out. index: into Emitter's arena values, weight, layer.
struct Ref {
  graph::SlotKind kind = graph::SlotKind::kArena;
  uint32_t index = 0;
  bool operator==(const Ref&) const = default;
};

/// A matrix of activations: columns [col0, col0 + cols) of rows `stride` values apart.
struct View {
  Ref ref;
  graph::Dim rows;
  uint32_t cols = 0, col0 = 0, stride = 0;
};

struct Bind {
  Ref ref;
  graph::Access access = graph::Access::kRead;
};
inline Bind reads(Ref ref) {
  return {ref, graph::Access::kRead};
}
inline Bind writes(Ref ref) {
  return {ref, graph::Access::kReadWrite};
}

/// A kernel that can do the same work in several shapes, all of them right: what `tern tune` measures. What the numbers
/// of a shape are is the kernel's to say.
struct Choice {
  std::string key;          // the work: "fused_qkv q4 6144x4096 1" is a kernel, a matrix and the program's tokens
  uint32_t max_tokens = 0;  // of the program
  std::vector<uint32_t> standard;
  std::vector<std::vector<uint32_t>> variants;  // standard among them
  std::vector<uint32_t> steps;                  // of the plan, that do this work
};

/// One dispatch. Bindings in the order of their numbers in the kernel.
struct Dispatch {
  std::string_view name;  // of the kernel, for dumps and errors
  std::vector<std::string_view> files;
  Constants constants;
  std::vector<Bind> binds;
  std::array<graph::GridExpr, 3> grid;
  std::string_view features = "";  // "enable subgroups;\n"
  uint32_t choice = graph::kNone;  // of Emitter::choices()
};

/// `rows` rows, `each` to a workgroup.
graph::GridExpr grid_rows(graph::Dim rows, uint32_t each = 1);
graph::GridExpr grid_constant(uint32_t n);
inline uint32_t div_up(uint32_t a, uint32_t b) {
  return a / b + (a % b != 0);
}

class Emitter {
 public:
  Emitter(const graph::Graph& graph, const graph::Target& target, const graph::PlanKey& key);

  const graph::Graph& graph() const { return graph_; }
  const graph::Target& target() const { return target_; }
  const graph::PlanKey& key() const { return key_; }
  /// The one of these that is the KV cache's format.
  std::string_view of_cache(std::string_view f32, std::string_view f16, std::string_view q8_0) const {
    switch (key_.kv_format) {
      case graph::KvFormat::kF32:
        return f32;
      case graph::KvFormat::kF16:
        return f16;
      case graph::KvFormat::kQ8_0:
        return q8_0;
    }
    return f32;
  }
  const graph::ParamsLayout& params_layout() const { return params_layout_; }
  /// Largest T of the program that is being emitted.
  uint32_t max_tokens() const { return max_tokens_; }
  /// The most of everything in this program, and the most rows that a matrix has.
  graph::StepCounts most() const;
  uint64_t most_rows(graph::Dim rows) const;

  const graph::Node& node(graph::NodeId n) const { return graph_.nodes[n]; }
  /// Input or output i of a node, which is no weight.
  View input(graph::NodeId n, size_t i) const { return view(graph_.nodes[n].inputs[i]); }
  View output(graph::NodeId n, size_t i = 0) const { return view(graph_.nodes[n].outputs[i]); }
  View view(graph::ValueId value) const;
  /// The weight that input i of a node is; nullptr when it is computed.
  const graph::Weight* weight(graph::NodeId n, size_t i) const { return graph_.weight_of(graph_.nodes[n].inputs[i]); }
  Ref weight_ref(graph::NodeId n, size_t i) const;
  static Ref params() { return {graph::SlotKind::kParams, 0}; }
  static Ref state() { return {graph::SlotKind::kState, 0}; }
  static Ref keys(uint32_t layer) { return {graph::SlotKind::kKeys, layer}; }
  static Ref values(uint32_t layer) { return {graph::SlotKind::kValues, layer}; }
  /// Memory of this program alone.
  View temporary(graph::Dim rows, uint32_t cols);

  /// The plan's output "tokens", one word a wanted row; the plan has it when this was called.
  Ref tokens_output();

  /// The shape for a dispatch: what the target's tuning says for this work, else the standard one. Notes that there was
  /// a choice. work: what it depends on beside the dispatch's name and the program's tokens.
  std::vector<uint32_t> choose(Dispatch& dispatch, std::string_view work, std::vector<uint32_t> standard,
                               std::vector<std::vector<uint32_t>> variants);
  const std::vector<Choice>& choices() const { return choices_; }

  /// Adds a dispatch for `node`.
  Result<void> dispatch(graph::NodeId node, const Dispatch& dispatch);
  /// The node is computed by what was emitted for another one.
  void take(graph::NodeId node) { taken_[node] = true; }
  bool is_taken(graph::NodeId node) const { return taken_[node]; }

  /// Emits a program. Errors: kUnsupported naming the node that no kernel takes.
  Result<void> program(uint32_t max_tokens);
  /// Lays out memory and gives the plan.
  Result<graph::Plan> finish();

 private:
  struct ArenaValue {  // a base value of the graph, or a temporary
    uint64_t bytes = 0;
    uint32_t program = 0, first = UINT32_MAX, last = 0;  // steps that touch it
    bool is_output = false;                              // lives in all programs
    uint32_t buffer = UINT32_MAX;                        // of the arena
  };
  struct Step {
    graph::PlanStep step;
    std::vector<Bind> binds;
  };

  const graph::Graph& graph_;
  const graph::Target& target_;
  graph::PlanKey key_;
  graph::ParamsLayout params_layout_;
  uint32_t max_tokens_ = 0;
  std::vector<View> places_;            // index: ValueId; ref.index: the base's ValueId
  std::vector<bool> taken_;             // index: NodeId
  std::vector<uint32_t> base_value_;    // index: ValueId of a base; of the program being emitted, or UINT32_MAX
  uint32_t tokens_value_ = UINT32_MAX;  // of arena_
  std::vector<ArenaValue> arena_;
  std::vector<Step> steps_;
  std::vector<Choice> choices_;
  std::map<std::string, uint32_t> pipelines_;  // by source and access
  graph::Plan plan_;

  Ref arena_ref(const View& place) const;
  void touch(Ref ref, uint32_t step);
  void place_values();
  void begin_program(uint32_t max_tokens);
  uint32_t add_arena_value(uint64_t bytes, bool is_output);
  Result<void> check_fits(const graph::Node& node, const Dispatch& dispatch) const;
  uint32_t pipeline(const Dispatch& dispatch, const graph::Node& node, std::string source);
  void lay_out_program(uint32_t program);
  Result<uint32_t> slot(Ref ref, std::map<std::pair<uint32_t, uint32_t>, uint32_t>& slots);
};

/// One way to compute a node, and maybe others after it. Returns false, having emitted nothing, when it cannot.
struct KernelDef {
  std::string_view name;
  Result<bool> (*emit)(Emitter& emitter, graph::NodeId node);
};
/// In order of preference: the first that takes a node wins. Fused and fast ones stand before the generic ones.
std::span<const KernelDef> kernel_defs();

/// Programs: up to 1 token, up to 16, and all; where the model is fused (fused_model.h) also 2, 4, 8, 32 and 64, as far
/// as there may be so many sequences (pipelines take time to compile), and 512.
/// choices: if given, gets all shapes that were chosen.
Result<graph::Plan> lower(const graph::Graph& graph, const graph::PlanKey& key, const graph::Target& target,
                          std::vector<Choice>* choices = nullptr);

}  // namespace tern::backends::webgpu
