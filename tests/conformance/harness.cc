#include "conformance/harness.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cpu/kernels.h"
#include "graph/params.h"
#include "graph/passes/passes.h"

namespace tern::conformance {

std::vector<Candidate> candidates() {
  std::vector<Candidate> out;
  for (const std::string_view isa : backends::cpu::available_isas()) {
    const uint32_t lanes = (*backends::cpu::choose_kernels(isa))->lanes;
    for (const uint32_t threads : {1u, 2u, 3u}) {
      out.push_back({fmt::format("cpu_{}_t{}", isa, threads), "cpu", std::string(isa), threads, lanes});
    }
  }
  return out;
}

std::vector<Candidate> quantising_candidates() {
  std::vector<Candidate> out;
  for (const std::string_view isa : backends::cpu::available_isas()) {
    for (const uint32_t threads : {1u, 3u}) {
      out.push_back({fmt::format("cpu_{}_t{}", isa, threads), "cpu", std::string(isa), threads, 1,
                     backends::ActivationFormat::kAuto});
    }
  }
  return out;
}

const Candidate& ref() {
  static const Candidate kRef{"ref", "ref", "", 1, 1};
  return kRef;
}

std::span<const Unsupported> unsupported() {
  static constexpr Unsupported kUnsupported[] = {
      {"", "attention q8_0 head_dim=80", "A q8_0 cache stores a head in blocks of 32 values."},
  };
  return kUnsupported;
}

graph::ValueId Model::weight(Format format, uint32_t rows, uint32_t cols, float stddev, uint32_t pieces) {
  std::vector<graph::WeightSlice> slices;
  std::vector<uint32_t> ids;
  for (uint32_t piece = 0; piece < pieces; ++piece) {
    const uint32_t begin = rows * piece / pieces, end = rows * (piece + 1) / pieces;
    const auto id = static_cast<uint32_t>(tensors.size());
    Tensor tensor{format, end - begin, cols, {}};
    const uint64_t row_bytes = *formats::row_bytes(format, cols);
    tensor.bytes.resize(row_bytes * tensor.rows);
    for (uint32_t row = 0; row < tensor.rows; ++row) {
      formats::random_row(format, 1000 * id + row, stddev, cols, tensor.bytes.data() + row * row_bytes);
    }
    tensors.push_back(std::move(tensor));
    slices.push_back({id, 0, end - begin});
    ids.push_back(id);
  }
  const graph::ValueId value = builder.weight(fmt::format("w{}", tensors.size()), format, rows, cols, slices);
  tensors_of_.push_back({value, ids});
  return value;
}

graph::ValueId Model::activations(uint32_t cols, float stddev) {
  if (cols == 1) return builder.slice(activations(2, stddev), 0, 1);  // a table of one column would be a vector
  table = weight(Format::kF32, kVocabulary, cols, stddev);
  return builder.embed(table);
}

std::vector<std::vector<float>> Model::decoded(graph::ValueId value) const {
  std::vector<std::vector<float>> out;
  for (const auto& [owner, ids] : tensors_of_) {
    if (owner != value) continue;
    for (const uint32_t id : ids) {
      const Tensor& tensor = tensors[id];
      const size_t row_bytes = tensor.bytes.size() / tensor.rows;
      for (uint32_t row = 0; row < tensor.rows; ++row) {
        out.emplace_back(tensor.cols);
        formats::decode_row(tensor.format, tensor.bytes.data() + row * row_bytes, out.back());
      }
    }
  }
  return out;
}

std::vector<float> Model::embedded(graph::ValueId of, int32_t id) const {
  return decoded(of)[static_cast<size_t>(id)];
}

Player::Player(const Candidate& candidate, const Model& model, bool fuse, bool later) : later_(later) {
  auto backend = backends::make_backend(
      candidate.backend, {.threads = candidate.threads, .isa = candidate.isa, .activations = candidate.activations});
  EXPECT_TRUE(backend) << backend.error().to_string();
  if (!backend) return;
  backend_ = *std::move(backend);
  graph::Graph graph = model.graph;
  if (fuse && candidate.backend == "ref") {  // ref does not fuse by itself, but has to know what fused ops mean
    auto passed = graph::run_passes(graph, {.backend = "ref", .fuse = true});
    EXPECT_TRUE(passed) << passed.error().to_string();
  }
  auto plan = backend_->lower(graph, model.key);
  if (!plan) {
    plan_id_ = std::unexpected(std::move(plan).error());
    return;
  }
  plan_ = *std::move(plan);
  plan_id_ = load(model);
}

Result<backends::PlanId> Player::load(const Model& model) {
  std::vector<backends::Buffer> weights, keys, values;
  for (uint32_t w = 0; w < plan_.weights.size(); ++w) weights.push_back(TRY(place(model, w)));
  for (uint32_t layer = 0; layer < plan_.n_layers; ++layer) {
    keys.push_back(TRY(backend_->alloc(model.n_pages * plan_.page_bytes(), backends::Usage::kKvCache)));
    values.push_back(TRY(backend_->alloc(model.n_pages * plan_.page_bytes(), backends::Usage::kKvCache)));
  }
  return backend_->load(plan_, weights, keys, values, model.n_pages);
}

/// Imports where the backend does, else uploads; constants are always uploaded.
Result<backends::Buffer> Player::place(const Model& model, uint32_t weight) {
  const graph::Weight& w = plan_.weights[weight];
  std::vector<std::span<const std::byte>> pieces;
  for (const graph::WeightSlice& slice : w.slices) {
    const Model::Tensor& tensor = model.tensors[slice.tensor];
    const size_t row_bytes = tensor.bytes.size() / tensor.rows;
    pieces.push_back(std::span(tensor.bytes).subspan(slice.row0 * row_bytes, slice.rows * row_bytes));
  }
  if (!pieces.empty() && backend_->uses_file_layout(plan_, weight)) return backend_->import_host(pieces);
  if (!pieces.empty() && later_) {
    const auto release = [this](uint32_t, uint32_t n) { released_rows_ += n; };
    if (const auto buffer = TRY(backend_->repack_later(plan_, weight, pieces, release))) return *buffer;
  }
  const backends::Buffer buffer = TRY(backend_->alloc(backend_->weight_bytes(plan_, weight), backends::Usage::kWeight));
  if (pieces.empty()) pieces.push_back(std::as_bytes(std::span(w.constant)));
  uint32_t row = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    TRY(backend_->upload_rows(plan_, weight, buffer, row, pieces[i]));
    if (!w.slices.empty()) row += w.slices[i].rows;
  }
  return buffer;
}

std::unique_ptr<Player> Player::make(const Candidate& candidate, const Model& model, std::string_view case_name) {
  auto player = std::make_unique<Player>(candidate, model);
  for (const Unsupported& entry : unsupported()) {
    if (case_name != entry.case_name || !candidate.name.starts_with(entry.candidate_prefix)) continue;
    EXPECT_FALSE(player->plan_id_) << "is listed as unsupported, but works: " << entry.reason;
    return nullptr;
  }
  EXPECT_TRUE(player->plan_id_) << player->plan_id_.error().to_string();
  return player->plan_id_ ? std::move(player) : nullptr;
}

std::vector<float> Player::run(const Step& step) {
  EXPECT_TRUE(plan_id_) << plan_id_.error().to_string();
  if (!plan_id_) return {};
  const auto ticket = backend_->submit(*plan_id_, step.params());
  EXPECT_TRUE(ticket) << ticket.error().to_string();
  if (!ticket) return {};
  backend_->wait(*ticket);
  const graph::PlanBinding& output = plan_.outputs[0].binding;
  std::vector<float> out(output.rows.at(graph::count(step.params())) * output.cols);
  const auto poll = backend_->poll(*ticket, 0, out);
  EXPECT_TRUE(poll) << poll.error().to_string();
  EXPECT_EQ(*poll, backends::Poll::kReady);
  return out;
}

bool Player::uses(graph::Op op) const {
  return std::ranges::any_of(plan_.steps, [&](const auto& step) { return plan_.pipelines[step.pipeline].op == op; });
}

Step one_sequence(const Model& model, uint32_t begin, uint32_t n) {
  Step step;
  for (uint32_t i = 0; i < n; ++i) {
    step.tokens.push_back(static_cast<int32_t>((begin + i) * 37 % Model::kVocabulary));
    step.positions.push_back(begin + i);
    step.sequences.push_back(0);
    step.rows.push_back(i);
  }
  step.seqs = {{begin + n, 0}};
  // Backwards, so that a page is not where its index is.
  for (uint32_t page = 0; page < model.n_pages; ++page) step.page_table.push_back(model.n_pages - 1 - page);
  return step;
}

std::vector<float> run_chunked(Player& player, const Model& model, uint32_t n, uint32_t chunk) {
  std::vector<float> out;
  for (uint32_t begin = 0; begin < n; begin += chunk) {
    const std::vector<float> part = player.run(one_sequence(model, begin, std::min(chunk, n - begin)));
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

void expect_close(std::span<const float> got, std::span<const float> want, std::span<const double> bound) {
  ASSERT_EQ(got.size(), want.size());
  ASSERT_EQ(bound.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_LE(std::abs(double{got[i]} - want[i]), bound[i]) << "element " << i << ": " << got[i] << " for " << want[i];
  }
}

void expect_close(std::span<const float> got, std::span<const float> want, double relative, double absolute) {
  std::vector<double> bound;
  for (const float x : want) bound.push_back(relative * std::abs(double{x}) + absolute);
  expect_close(got, want, bound);
}

void expect_same(std::span<const float> got, std::span<const float> want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(std::bit_cast<uint32_t>(got[i]), std::bit_cast<uint32_t>(want[i]))
        << "element " << i << ": " << got[i] << " and " << want[i];
  }
}

INSTANTIATE_TEST_SUITE_P(All, Conformance, testing::ValuesIn(candidates()),
                         [](const auto& candidate) { return candidate.param.name; });
INSTANTIATE_TEST_SUITE_P(All, PanelConformance, testing::ValuesIn(quantising_candidates()),
                         [](const auto& candidate) { return candidate.param.name; });

}  // namespace tern::conformance
