// The fused kernels on whole models of every architecture: how many dispatches a layer takes, which is most of what
// decoding costs on a GPU, and that the logits are the CPU's. Skipped where there is no adapter, except for the counts.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "backends/webgpu/emitter.h"
#include "engine/gpu_logits.h"
#include "graph/passes/passes.h"
#include "models/common/load.h"
#include "models/random_model.h"

namespace tern::engine {
namespace {

using test::RandomModel;

/// A file that goes with the test.
class ModelFile {
 public:
  explicit ModelFile(const RandomModel& model)
      : path_(testing::TempDir() +
              fmt::format("tern-{}-{}-{}.gguf", getpid(), model.architecture, static_cast<uint32_t>(model.format))) {
    const auto done = test::RandomModelWriter::write(model, path_);
    EXPECT_TRUE(done) << done.error().to_string();
  }
  ~ModelFile() { std::filesystem::remove(path_); }
  ModelFile(const ModelFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

uint32_t steps_of(const RandomModel& model, uint32_t tokens, graph::KvFormat kv_format, const graph::Target& target) {
  const ModelFile file(model);
  const auto files = io::open_model(file.path());
  EXPECT_TRUE(files) << files.error().to_string();
  auto built = models::build_graph(*files);
  EXPECT_TRUE(built) << built.error().to_string();
  if (!built) return 0;
  EXPECT_TRUE(graph::run_passes(built->graph, target));
  const auto plan = backends::webgpu::lower(
      built->graph, {.max_tokens = 128, .max_rows = 64, .max_seqs = 64, .kv_format = kv_format}, target);
  EXPECT_TRUE(plan) << plan.error().to_string();
  return plan ? plan->program(tokens).n_steps : 0;
}

/// Dispatches that a layer adds to a step of 1, of 16 and of 100 tokens.
std::vector<uint32_t> dispatches(RandomModel model, graph::KvFormat kv_format = graph::KvFormat::kF16) {
  graph::Target target{.backend = "webgpu"};
  target.gpu.packed_dot = true;
  std::vector<uint32_t> out;
  for (const uint32_t tokens : {1u, 16u, 100u}) {
    model.layers = 3;
    const uint32_t three = steps_of(model, tokens, kv_format, target);
    model.layers = 2;
    out.push_back(three - steps_of(model, tokens, kv_format, target));
  }
  return out;
}

using Counts = std::vector<uint32_t>;

/// The budgets of docs/webgpu.md.
TEST(GpuModels, TakeAsManyDispatchesALayerAsTheirArchitectureNeeds) {
  EXPECT_EQ(dispatches({.architecture = "llama"}), (Counts{5, 6, 10}));
  EXPECT_EQ(dispatches({.architecture = "llama", .window = 16}), (Counts{5, 6, 10}));
  EXPECT_EQ(dispatches({.architecture = "qwen2"}), (Counts{5, 6, 10}));
  EXPECT_EQ(dispatches({.architecture = "gemma"}), (Counts{5, 6, 10}));
  EXPECT_EQ(dispatches({.architecture = "qwen3"}), (Counts{6, 7, 10}));
  EXPECT_EQ(dispatches({.architecture = "gemma2", .window = 16}), (Counts{7, 8, 10}));
  EXPECT_EQ(dispatches({.architecture = "gemma3", .window = 16}), (Counts{8, 9, 10}));
}

/// However many experts there are, and however many a token has.
TEST(GpuModels, TakeABoundedNumberOfDispatchesForExperts) {
  EXPECT_EQ(dispatches({.architecture = "mixtral"}), (Counts{6, 7, 13}));
  EXPECT_EQ(dispatches({.architecture = "qwen3moe"}), (Counts{7, 8, 13}));
}

TEST(GpuModels, TakeOneMoreForACacheOfInt8) {
  EXPECT_EQ(dispatches({.architecture = "llama"}, graph::KvFormat::kF32), (Counts{5, 6, 10}));
  EXPECT_EQ(dispatches({.architecture = "llama"}, graph::KvFormat::kQ8_0), (Counts{6, 7, 10}));
  EXPECT_EQ(dispatches({.architecture = "qwen3"}, graph::KvFormat::kQ8_0), (Counts{6, 7, 10}));
}

struct Case {
  std::string name;
  RandomModel model;
  graph::KvFormat kv_format = graph::KvFormat::kF16;
  bool has_f16 = true, has_subgroups = true;
  std::string golden = {};  // instead of a random model
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

class GpuModelsLogits : public testing::TestWithParam<Case> {};

/// What int8 activations and the cache's format cost on the cpu, as a share of the logits.
double cost_on_cpu(const std::string& path, uint32_t tokens, graph::KvFormat kv_format, std::vector<float>& exact) {
  const backends::BackendOptions floats{.threads = 1, .activations = backends::ActivationFormat::kF32};
  exact = logits_of(path, tokens,
                    {.device = "cpu", .chunk = tokens, .backend = floats, .kv_format = graph::KvFormat::kF32});
  return difference(logits_of(path, tokens, {"cpu", tokens, {.threads = 1}, kv_format}), exact, tokens);
}

/// As in gpu_prefill_test.cc: half as much again as on the cpu may be lost.
TEST_P(GpuModelsLogits, LoseWhatInt8ActivationsLose) {
  const auto gpu = backends::make_backend("gpu", {});
  if (!gpu) GTEST_SKIP() << gpu.error().to_string();
  const Case& c = GetParam();
  const uint32_t tokens = c.has_subgroups ? 40 : 18;  // software takes a second a step without them
  std::optional<ModelFile> file;
  if (c.golden.empty()) file.emplace(c.model);
  const std::string path = file ? file->path() : TERN_TEST_DATA "/golden/" + c.golden;
  std::vector<float> exact;
  double bound = 1.5 * cost_on_cpu(path, tokens, c.kv_format, exact);
  if (c.model.format == Format::kQ2_K) {  // the cpu multiplies it with finer activations than int8; not this one
    RandomModel twin = c.model;
    twin.format = Format::kQ8_0;
    std::vector<float> unused;
    bound = 1.5 * cost_on_cpu(ModelFile(twin).path(), tokens, c.kv_format, unused);
  }
  EXPECT_GT(bound, 0);
  EXPECT_LT(bound, 0.2) << "a bound that would let anything pass";
  const backends::BackendOptions weaker{.threads = 1, .gpu_no_f16 = !c.has_f16, .gpu_no_subgroups = !c.has_subgroups};
  const uint32_t chunks[] = {1, 16, tokens};  // each has a program of its own
  const auto got = logits_of(path, tokens, {"gpu", tokens, weaker, c.kv_format}, chunks);
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_LE(difference(got[i], exact, tokens), bound) << "chunks of " << chunks[i];
  }
}

/// A sample, since a CPU compiles kernels for long; with TERN_TEST_ALL everything.
std::vector<Case> cases() {
  using enum graph::KvFormat;
  std::vector<Case> out{
      {"qwen3_mix", {.architecture = "qwen3", .format = Format::kQ4_K, .v_format = Format::kQ6_K}, kQ8_0},
      {"gemma3", {.architecture = "gemma3", .head_dim = 128, .window = 12}},
      {"float_head", {.architecture = "gemma2", .format = Format::kQ3_K, .embed_format = Format::kF16}, kF32},
      {"mixtral", {.architecture = "mixtral"}},
      {"awq", {}, kF16, true, true, "llama3-awq-g128"},
  };
  if (std::getenv("TERN_TEST_ALL") == nullptr) return out;
  const Case more[] = {
      {"llama_q8_0_bare", {.architecture = "llama", .window = 12}, kQ8_0, false, false},
      {"llama", {.architecture = "llama"}},
      {"llama_f32", {.architecture = "llama"}, kF32},
      {"qwen2_q8_0", {.architecture = "qwen2"}, kQ8_0},
      {"qwen3", {.architecture = "qwen3"}},
      {"qwen3_f32_bare", {.architecture = "qwen3", .head_dim = 32}, kF32, false, false},
      {"gemma", {.architecture = "gemma", .head_dim = 256, .kv_heads = 1}},
      {"gemma2", {.architecture = "gemma2", .window = 12}},
      {"gemma2_bare", {.architecture = "gemma2", .window = 12}, kF16, false, false},
      {"mixtral_bare", {.architecture = "mixtral", .format = Format::kQ4_0}, kF16, false, false},
      {"qwen3moe", {.architecture = "qwen3moe"}},
      {"q2_k", {.architecture = "llama", .format = Format::kQ2_K}},
      {"iq4_xs", {.architecture = "llama", .format = Format::kIQ4_XS}},
  };
  out.insert(out.end(), std::begin(more), std::end(more));
  return out;
}

INSTANTIATE_TEST_SUITE_P(All, GpuModelsLogits, testing::ValuesIn(cases()), [](const auto& c) { return c.param.name; });

}  // namespace
}  // namespace tern::engine
