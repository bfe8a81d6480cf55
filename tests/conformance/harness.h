// The conformance suite: small graphs with random weights, played by `ref` and by every candidate, which have to agree
// within what the length of their sums explains. A new backend inherits all of it by a line in candidates().
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <ostream>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "graph/builder.h"

namespace tern::conformance {

inline constexpr double kUlp = 0x1p-24;  // largest relative error of one f32 operation

/// A backend with options that should make no difference to what it computes.
struct Candidate {
  std::string name;  // "cpu_avx2_t3"
  std::string backend;
  std::string isa;
  uint32_t threads = 1;
  uint32_t lanes = 1;  // partial sums that a sum of n products is split into at least
  backends::ActivationFormat activations = backends::ActivationFormat::kF32;
};
std::vector<Candidate> candidates();
/// Those whose products take int8 or bf16 activations (panels_test.cc).
std::vector<Candidate> quantising_candidates();
inline void PrintTo(const Candidate& candidate, std::ostream* out) {
  *out << candidate.name;
}
const Candidate& ref();

/// Cases a candidate refuses, and why. One that it accepts nevertheless fails: the list must not outlive its reasons.
struct Unsupported {
  std::string_view candidate_prefix, case_name, reason;
};
std::span<const Unsupported> unsupported();

/// One step, by default of one sequence that starts at position 0.
struct Step {
  std::vector<int32_t> tokens;
  std::vector<uint32_t> positions, sequences;
  std::vector<graph::StepSequence> seqs;
  std::vector<uint32_t> page_table;
  std::vector<uint32_t> rows;
  std::vector<graph::StepPool> pools;

  graph::StepParams params() const {
    graph::StepParams step{tokens, positions, sequences, seqs, page_table, rows};
    step.pools = pools;
    return step;
  }
};

/// A graph under construction whose weights are random.
class Model {
 public:
  explicit Model(uint32_t n_layers = 0, uint32_t n_kv_heads = 0, uint32_t head_dim = 0)
      : builder(n_layers, n_kv_heads, head_dim) {}

  static constexpr uint32_t kVocabulary = 96;

  /// A weight [rows, cols], in `pieces` tensors of the "file" (a merged weight).
  graph::ValueId weight(Format format, uint32_t rows, uint32_t cols, float stddev = 0.5f, uint32_t pieces = 1);
  /// [T, cols]: rows of a random f32 table, chosen by the step's token ids.
  graph::ValueId activations(uint32_t cols, float stddev = 1.0f);

  /// Rows [0, rows) of the weight behind `value`, decoded.
  std::vector<std::vector<float>> decoded(graph::ValueId value) const;
  /// What activations(cols) gives for token `id`.
  std::vector<float> embedded(graph::ValueId table, int32_t id) const;

  /// Finishes the graph.
  void build() {
    auto finished = builder.finish();
    ASSERT_TRUE(finished) << finished.error().to_string();
    graph = *std::move(finished);
  }

  graph::Builder builder;
  graph::Graph graph;
  graph::PlanKey key{
      .max_tokens = 80, .max_rows = 80, .max_seqs = 4, .kv_format = graph::KvFormat::kF32, .page_tokens = 16};
  uint32_t n_pages = 16;
  graph::ValueId table = graph::kNone;  // of the last activations()

  struct Tensor {
    Format format;
    uint32_t rows, cols;
    std::vector<std::byte> bytes;
  };
  std::vector<Tensor> tensors;  // index: WeightSlice::tensor

 private:
  std::vector<std::pair<graph::ValueId, std::vector<uint32_t>>> tensors_of_;
};

/// A model loaded on a backend.
class Player {
 public:
  /// later: weights are given to Backend::repack_later() where it takes them. The model must outlive the player.
  Player(const Candidate& candidate, const Model& model, bool fuse = true, bool later = false);

  /// nullptr when loading failed as listed in unsupported(); a test then returns.
  static std::unique_ptr<Player> make(const Candidate& candidate, const Model& model, std::string_view case_name);

  /// All values of output 0.
  std::vector<float> run(const Step& step);
  bool uses(graph::Op op) const;
  const Result<backends::PlanId>& plan_id() const { return plan_id_; }
  backends::Backend& backend() { return *backend_; }
  const graph::Plan& plan() const { return plan_; }
  /// Rows of weights that the backend said it does not read again; rows may be told twice.
  uint64_t released_rows() const { return released_rows_; }

 private:
  std::unique_ptr<backends::Backend> backend_;
  graph::Plan plan_;
  Result<backends::PlanId> plan_id_ = fail(ErrorCode::kInternal, "Not loaded.");
  bool later_ = false;
  std::atomic<uint64_t> released_rows_{0};

  Result<backends::PlanId> load(const Model& model);
  Result<backends::Buffer> place(const Model& model, uint32_t weight);
};

/// A step of `n` tokens of one sequence, the first at position `begin`; token ids are pseudo-random but a function of
/// the position.
Step one_sequence(const Model& model, uint32_t begin, uint32_t n);

/// Runs tokens [0, n) of a sequence in chunks of at most `chunk`; the outputs of all steps, one after the other.
std::vector<float> run_chunked(Player& player, const Model& model, uint32_t n, uint32_t chunk);

/// |got - want| <= bound element by element; names the first that differs.
void expect_close(std::span<const float> got, std::span<const float> want, std::span<const double> bound);
void expect_close(std::span<const float> got, std::span<const float> want, double relative, double absolute);
/// The same bits.
void expect_same(std::span<const float> got, std::span<const float> want);

/// Runs a test for every candidate.
class Conformance : public testing::TestWithParam<Candidate> {};
/// And for every quantising candidate.
class PanelConformance : public testing::TestWithParam<Candidate> {};

}  // namespace tern::conformance
