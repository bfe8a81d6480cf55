// Plan: a model compiled for one target, as data. Slots (memory), weights, pipelines (what runs), steps (with which
// bindings, over which grid), outputs. A player walks it; the bytes are the same for the same target, and are checked
// before use because they may come from a disk or from JavaScript.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace tern::graph {

enum class KvFormat : uint32_t { kF32, kF16, kQ8_0 };

/// Bytes of `n` cached values (n a multiple of 32 for q8_0).
Result<uint64_t> kv_bytes(KvFormat format, uint64_t n);

/// What a plan is made for: worst cases that fix its memory.
struct PlanKey {
  uint32_t max_tokens = 512;  // T of the largest step
  uint32_t max_rows = 16;     // R of the largest step
  uint32_t max_seqs = 16;     // S
  KvFormat kv_format = KvFormat::kF16;
  uint32_t page_tokens = 32;  // tokens a KV page holds
  bool operator==(const PlanKey&) const = default;
};

/// a*T + b*R + c, rounded up to `divisor` pieces: grids of GPU dispatches. CPU plans leave it {0,0,1,1}.
struct GridExpr {
  uint32_t t = 0, r = 0, constant = 1, divisor = 1;
  bool operator==(const GridExpr&) const = default;
};

enum class SlotKind : uint32_t { kArena, kWeight, kKeys, kValues };

struct PlanSlot {
  SlotKind kind = SlotKind::kArena;
  uint32_t index = 0;   // weight or layer; for arena slots the arena's buffer (0 where there is one)
  uint64_t offset = 0;  // in the arena, bytes, 64-byte aligned
  uint64_t bytes = 0;   // arena: worst case; weight: in the file's layout; keys and values: one page
  bool operator==(const PlanSlot&) const = default;
};

struct PlanPipeline {
  std::string name;    // op or kernel: "linear_add"
  std::string source;  // composed WGSL; empty where the player has the code
  Op op = Op::kWeight;
  std::vector<uint32_t> constants;  // the op's attributes as words, or override constants
  bool operator==(const PlanPipeline&) const = default;
};

/// A matrix inside a slot: columns [col0, col0 + cols) of rows that are row_stride elements apart.
struct PlanBinding {
  uint32_t slot = 0;
  DType dtype = DType::kF32;
  Dim rows;
  uint32_t cols = 0;
  uint32_t col0 = 0;
  uint32_t row_stride = 0;  // elements
  bool operator==(const PlanBinding&) const = default;
};

struct PlanStep {
  uint32_t pipeline = 0;
  uint32_t first_binding = 0;  // inputs, then outputs, in the op's order
  uint32_t n_inputs = 0, n_outputs = 0;
  std::array<GridExpr, 3> grid;
  uint32_t name = 0;  // index into strings: the graph node it came from
  bool operator==(const PlanStep&) const = default;
};

struct PlanOutput {
  std::string name;
  PlanBinding binding;
  bool operator==(const PlanOutput&) const = default;
};

struct Plan {
  static constexpr uint32_t kMagic = 0x4e525054;  // "TPRN" little endian
  static constexpr uint32_t kVersion = 1;

  std::string backend;  // whose player it is for
  PlanKey key;
  uint32_t n_layers = 0, n_kv_heads = 0, head_dim = 0;
  uint64_t arena_bytes = 0;  // up to the end of the last slot, a multiple of 64; summed over the arena's buffers
  std::vector<Weight> weights;
  std::vector<PlanSlot> slots;
  std::vector<PlanPipeline> pipelines;
  std::vector<PlanBinding> bindings;
  std::vector<PlanStep> steps;
  std::vector<PlanOutput> outputs;
  std::vector<std::string> strings;
  bool operator==(const Plan&) const;

  /// Bytes of one page of one layer's keys (values have the same size): page_tokens * n_kv_heads * head_dim values.
  /// Inside a page: [n_kv_heads][page_tokens][head_dim], so that a head's keys are contiguous.
  uint64_t page_bytes() const;
};

/// Plan <-> flat stream of u32. read_plan checks magic, version, every count, index and range.
std::vector<uint32_t> write_plan(const Plan& plan);
Result<Plan> read_plan(std::span<const uint32_t> words);

/// All indices in range, slots inside the arena, bindings inside their slots, shapes as the ops demand (of pipelines
/// without a source). What it cannot know: ids that linear_experts reads may be any number in a hostile plan.
Result<void> validate(const Plan& plan);
/// The part of validate() that page_bytes() relies on: the key and the shape of the cache.
Result<void> check_key(const Plan& plan);

/// More than any device has; sums of two such sizes do not overflow.
inline constexpr uint64_t kMaxArenaBytes = uint64_t{1} << 48;

/// For people: slots with offsets and lifetimes, then one line per step (`tern run --dump-plan`).
std::string dump(const Plan& plan);

/// Attributes <-> words of a PlanPipeline. Errors: kInvalidFile when the words do not fit the op.
std::vector<uint32_t> attrs_to_words(const Attrs& attrs);
Result<Attrs> attrs_from_words(Op op, std::span<const uint32_t> words);

/// Lowers op by op: one step per node, one pipeline per op with the same attributes, activations in one arena. Slices
/// and concats get no step: bindings say which columns of the base's slot are meant. Bindings hold activations and
/// weights only; a player finds a layer's cache through the attributes' layer. No output shares memory with an input.
/// With `reuse` slots of dead values are reused (cpu); without, every value keeps its own slot (ref, so that
/// --compare-with-ref can look at all of them). Errors: as validate(); kUnsupported when a value is too large.
Result<Plan> lower_ops(const Graph& graph, const PlanKey& key, std::string backend, bool reuse);

}  // namespace tern::graph
