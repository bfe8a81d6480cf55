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
  uint32_t max_pages = 4096;  // entries of a step's page table, all sequences together
  bool operator==(const PlanKey&) const = default;

  /// The most of everything that a step may count.
  constexpr StepCounts most() const {
    const uint64_t max_kv = uint64_t{max_pages} * page_tokens;
    return {max_tokens, max_rows, max_seqs, max_kv > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(max_kv), max_seqs};
  }
};

/// ceil((t*T + r*R + s*S + kv*max_kv + p*P + constant) / divisor): workgroups of a GPU dispatch along one axis. A step
/// with a zero in its grid is skipped. CPU plans leave it as it is here.
struct GridExpr {
  uint32_t t = 0, r = 0, s = 0, kv = 0, p = 0, constant = 1, divisor = 1;
  bool operator==(const GridExpr&) const = default;

  /// Coefficients up to kMaxCoefficient keep this below 2^64.
  static constexpr uint32_t kMaxCoefficient = 1u << 24;
  constexpr uint64_t at(const StepCounts& n) const {
    const uint64_t sum = uint64_t{t} * n.t + uint64_t{r} * n.r + uint64_t{s} * n.s + uint64_t{kv} * n.max_kv +
                         uint64_t{p} * n.p + constant;
    return (sum + divisor - 1) / divisor;
  }
};

enum class SlotKind : uint32_t {
  kArena,   // activations
  kWeight,  // a buffer of its own
  kKeys,    // a layer's pages
  kValues,
  kParams,  // the step's block (params.h), written once a step
  kState,   // survives steps, zeroed when the plan is loaded: sampled tokens (step.h)
};

struct PlanSlot {
  SlotKind kind = SlotKind::kArena;
  uint32_t index = 0;   // weight, layer, number of the arena's buffer or of the state; params: 0
  uint64_t offset = 0;  // in the arena's buffer, bytes, 64-byte aligned (256 where a kernel binds it); else 0
  uint64_t bytes = 0;   // arena, params, state: worst case; weight: in the backend's layout; keys and values: one page
  bool operator==(const PlanSlot&) const = default;
};

/// How a kernel uses a binding.
enum class Access : uint32_t { kRead, kReadWrite };

struct PlanPipeline {
  std::string name;    // op or kernel: "linear_add"
  std::string source;  // whole WGSL, entry point `main`, binding i of group 0 is binding i of the step, all storage
                       // buffers over the byte range of their slots; empty where the player has the code
  Op op = Op::kWeight;
  std::vector<uint32_t> constants;  // the op's attributes as words; of a kernel, whose source has what it needs, those
                                    // that are the same in all layers (layer: 0): what the cost of a step is told by
  std::vector<Access> access;       // one per binding of a kernel; empty for an op
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

/// Steps [first_step, first_step + n_steps) play a step of up to max_tokens tokens.
struct PlanProgram {
  uint32_t max_tokens = 0;
  uint32_t first_step = 0, n_steps = 0;
  bool operator==(const PlanProgram&) const = default;
};

struct PlanOutput {
  std::string name;
  PlanBinding binding;
  bool operator==(const PlanOutput&) const = default;
};

struct Plan {
  static constexpr uint32_t kMagic = 0x4e525054;  // "TPRN" little endian
  static constexpr uint32_t kVersion = 3;

  std::string backend;  // whose player it is for
  PlanKey key;
  uint32_t n_layers = 0, n_kv_heads = 0, head_dim = 0;
  std::vector<uint64_t> arena;  // bytes of each buffer of activations: up to the end of its last slot, multiples of 64
  std::vector<Weight> weights;
  std::vector<PlanSlot> slots;
  std::vector<PlanPipeline> pipelines;
  std::vector<PlanBinding> bindings;
  std::vector<PlanStep> steps;
  std::vector<PlanProgram> programs;  // ascending by max_tokens, the last one's is key.max_tokens
  /// "logits" [R, vocabulary] f32; "pooled" [P, hidden] f32; where the backend samples, "tokens" i32 [R, 1].
  std::vector<PlanOutput> outputs;
  std::vector<std::string> strings;
  bool operator==(const Plan&) const;

  uint64_t arena_bytes() const;
  /// The first program that plays T <= key.max_tokens tokens.
  const PlanProgram& program(uint32_t t) const;
  /// Index of the output of that name, or kNone.
  uint32_t find_output(std::string_view name) const;

  /// Bytes of one page of one layer's keys (values have the same size): page_tokens * n_kv_heads * head_dim values.
  /// Inside a page: [n_kv_heads][page_tokens][head_dim], so that a head's keys are contiguous.
  uint64_t page_bytes() const;
};

/// Plan <-> flat stream of u32. read_plan checks magic, version, every count, index and range.
std::vector<uint32_t> write_plan(const Plan& plan);
Result<Plan> read_plan(std::span<const uint32_t> words);

/// All indices in range, slots inside the arena, bindings inside their slots, shapes as the ops demand (of pipelines
/// without a source), and of kernels what WebGPU demands: no buffer is bound for reading and for writing in one step,
/// and what is written overlaps nothing. What it cannot know: ids that linear_experts reads may be any number in a
/// hostile plan.
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
