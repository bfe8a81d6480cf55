// Real models on real backends: load_model end to end, logits against PyTorch's, and batches against each sequence
// alone, bit for bit.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <map>

#include "base/json.h"
#include "engine/logits.h"
#include "engine/model.h"

namespace tern::engine {
namespace {

const std::string kGolden = std::string(TERN_TEST_DATA) + "/golden/";

struct Golden {
  std::vector<int32_t> ids, next;
  std::vector<float> logits;  // [ids, vocab]
  uint32_t vocab = 0;
};

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

Golden read_golden(const std::string& name) {
  Golden golden;
  const Json json = parse_json(read_file(kGolden + name + "/golden.json")).value();
  for (const Json& id : json["ids"]) golden.ids.push_back(id.get<int32_t>());
  for (const Json& id : json["greedy"]) golden.next.push_back(id.get<int32_t>());
  // NumPy's format 1.0: magic, version, u16 length of a header, data.
  const std::string npy = read_file(kGolden + name + "/golden_logits.npy");
  const size_t data = 10 + uint8_t(npy[8]) + 256 * size_t(uint8_t(npy[9]));
  golden.logits.resize((npy.size() - data) / 4);
  std::memcpy(golden.logits.data(), npy.data() + data, golden.logits.size() * 4);
  golden.vocab = uint32_t(golden.logits.size() / golden.ids.size());
  return golden;
}

std::unique_ptr<Model> load(const std::string& name, const std::string& device, EngineOptions options,
                            uint32_t threads = 1) {
  auto backend = backends::make_backend(device, {.threads = threads, .activations = backends::ActivationFormat::kF32});
  EXPECT_TRUE(backend) << backend.error().to_string();
  if (!backend) return nullptr;
  uint64_t done = 0, total = 0;
  auto model = load_model(kGolden + name, std::move(*backend), options, [&](uint64_t d, uint64_t t) {
    EXPECT_GE(d, done);
    done = d;
    total = t;
  });
  EXPECT_TRUE(model) << model.error().to_string();
  EXPECT_EQ(done, total);
  EXPECT_GT(total, 0u);
  return model ? std::move(*model) : nullptr;
}

using Answers = std::map<RequestId, std::vector<int32_t>>;

Engine::State pump(Engine& engine, Answers& answers) {
  std::vector<Event> events;
  const auto state = engine.pump(events);
  for (const Event& event : events) {
    if (event.kind == Event::Kind::kToken) answers[event.request].push_back(event.token);
    EXPECT_NE(event.reason, StopReason::kError) << event.error;
  }
  return state;
}

void drain(Engine& engine, Answers& answers) {
  while (pump(engine, answers) == Engine::State::kBusy) engine.wait();
}

std::vector<int32_t> answer(Engine& engine, const Request& request) {
  Answers answers;
  const auto id = engine.submit(request);
  EXPECT_TRUE(id) << id.error().to_string();
  drain(engine, answers);
  return answers[id.value_or(0)];
}

Request greedy(std::vector<int32_t> prompt, uint32_t max_tokens) {
  Request request{.prompt = std::move(prompt), .max_tokens = max_tokens, .ignore_eos = true};
  request.sampling.temperature = 0;
  return request;
}

// On ref with an f32 cache the logits are PyTorch's f64 ones within f32's rounding: the bound of 2e-4.
TEST(GoldenModels, RefGivesPyTorchsLogitsInAnyChunks) {
  const Golden golden = read_golden("llama32-tied");
  const auto model = load("llama32-tied", "ref",
                          {.max_seqs = 1, .max_tokens = 64, .max_rows = 64, .kv_format = graph::KvFormat::kF32});
  ASSERT_TRUE(model);
  for (const uint32_t chunk : {1u, 7u, 64u}) {
    double worst = 0;
    const auto compare = [&](uint32_t row, std::span<const float> logits) -> Result<void> {
      for (uint32_t i = 0; i < golden.vocab; i++) {
        worst = std::max(worst, std::abs(double{logits[i]} - golden.logits[size_t{row} * golden.vocab + i]));
      }
      return {};
    };
    ASSERT_TRUE(run_logits(*model, golden.ids, chunk, compare));
    EXPECT_LT(worst, 2e-4) << "in chunks of " << chunk;
  }
}

TEST(GoldenModels, RefContinuesAsPyTorchDoes) {
  const Golden golden = read_golden("llama31-gqa-ropescale");
  const auto model =
      load("llama31-gqa-ropescale", "ref", {.max_seqs = 1, .max_tokens = 64, .kv_format = graph::KvFormat::kF32});
  ASSERT_TRUE(model);
  EXPECT_EQ(answer(*model->engine, greedy(golden.ids, uint32_t(golden.next.size()))), golden.next);
}

// Requests of different lengths, greedy and seeded, that start at different times on a pool too small for all.
std::vector<Request> requests_for(const Golden& golden) {
  std::vector<Request> requests;
  for (uint32_t i = 0; i < 5; i++) {
    Request request = greedy({golden.ids.begin(), golden.ids.begin() + 3 + i * 9}, 12 + i);
    if (i % 2) request.sampling = {.temperature = 1, .seed = i};
    requests.push_back(std::move(request));
  }
  return requests;
}

TEST(GoldenModels, OnCpuABatchGivesEachSequenceItsTokensAlone) {
  for (const std::string name : {"llama31-gqa-ropescale", "gemma2", "mixtral"}) {
    const Golden golden = read_golden(name);
    std::vector<std::vector<int32_t>> alone;
    for (const uint32_t threads : {1u, 2u, 3u}) {
      const auto one = load(name, "cpu", {.max_seqs = 1, .max_tokens = 64, .page_tokens = 8}, threads);
      ASSERT_TRUE(one);
      const auto requests = requests_for(golden);
      for (size_t i = 0; i < requests.size(); i++) {
        const auto tokens = answer(*one->engine, requests[i]);
        if (threads == 1) alone.push_back(tokens);
        EXPECT_EQ(tokens, alone[i]) << name << ", request " << i << ", threads " << threads;
      }
      const auto batch =
          load(name, "cpu", {.max_seqs = 4, .max_tokens = 11, .kv_tokens = 80, .page_tokens = 8}, threads);
      ASSERT_TRUE(batch);
      Answers answers;
      for (const Request& request : requests) {
        ASSERT_TRUE(batch->engine->submit(request));
        pump(*batch->engine, answers);  // its step may or may not be done: both must do
      }
      drain(*batch->engine, answers);
      for (size_t i = 0; i < requests.size(); i++) {
        EXPECT_EQ(answers[i + 1], alone[i]) << name << ", request " << i << " in a batch, threads " << threads;
      }
    }
  }
}

TEST(GoldenModels, AModelWithoutTokenizerHasNoText) {
  const auto model = load("qwen2-bias", "cpu", {});
  ASSERT_TRUE(model);
  EXPECT_FALSE(model->tokenizer);
  EXPECT_FALSE(model->chat_template);
  EXPECT_EQ(model->text_problem, "");
}

TEST(LoadModel, ErrorsNameTheFile) {
  auto backend = backends::make_backend("ref", {});
  const auto missing = load_model(kGolden + "no-such-model", std::move(backend.value()), {});
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().to_string().find("no-such-model"), std::string::npos) << missing.error().to_string();
  backend = backends::make_backend("ref", {});
  const auto options = load_model(kGolden + "qwen2-bias", std::move(backend.value()), {.max_seqs = 0});
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace tern::engine
