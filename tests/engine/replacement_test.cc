// A loaded model that is placed on another backend from a file that is far away: nothing is read at one go, and what
// cannot be read yet is asked for again.
#include <gtest/gtest.h>

#include <optional>

#include "engine/model.h"
#include "io/file.h"
#include "lossy_backend.h"

namespace tern::engine {
namespace {

const std::string kDemo = std::string(TERN_SOURCE_DIR) + "/models/tern-demo-q8_0.gguf";

/// What is known of a file on a server, outside the model that reads it.
struct Server {
  bool far = false;                 // reads fail until their bytes have been fetched
  std::string bytes;                // of the file
  uint64_t here = 0, here_end = 0;  // fetched last
  std::optional<std::pair<uint64_t, uint64_t>> missing;
  uint64_t read = 0;  // bytes

  bool fetch() {
    if (!missing) return false;
    here = missing->first, here_end = missing->second;
    missing.reset();
    return true;
  }
};

struct FarSource : io::ByteSource {
  Server& server;
  std::string label = "far.gguf";
  explicit FarSource(Server& s) : server(s) {}
  uint64_t size() const override { return server.bytes.size(); }
  const std::string& name() const override { return label; }
  Result<void> read(uint64_t offset, std::span<std::byte> out) const override {
    const uint64_t end = offset + out.size();
    if (server.far && (offset < server.here || end > server.here_end)) {
      server.missing = {offset, end};
      return fail(ErrorCode::kIo, "Cannot read {} at byte {}.", label, offset);
    }
    std::memcpy(out.data(), server.bytes.data() + offset, out.size());
    server.read += out.size();
    return {};
  }
};

std::unique_ptr<backends::Backend> cpu() {
  return backends::make_backend("cpu", {.threads = 1, .isa = "scalar"}).value();
}

/// Lost at its second step; the cpu backend goes on.
std::unique_ptr<Model> load(Server& server) {
  server.bytes = io::read_text(kDemo, 1 << 30, "a model").value();
  std::vector<std::unique_ptr<io::ByteSource>> parts;
  parts.push_back(std::make_unique<FarSource>(server));
  auto model = load_model(io::open_gguf(std::move(parts)).value(), std::make_unique<LossyBackend>(cpu(), 2),
                          {.kv_tokens = 256}, {}, {[] { return cpu(); }});
  server.far = true;
  server.read = 0;
  return std::move(model).value();
}

TEST(Replacement, AFarFileIsReadStepByStep) {
  Server server;
  const auto model = load(server);
  ASSERT_TRUE(model->engine->submit({.prompt = {1, 2, 3}, .max_tokens = 4, .ignore_eos = true}));
  std::vector<Event> events;
  int fetched = 0;
  for (auto state = Engine::State::kBusy; state == Engine::State::kBusy;) {
    const uint64_t before = server.read;
    state = model->engine->pump(events);
    EXPECT_LE(server.read - before, uint64_t{5} << 20) << "a pump gives way after a few megabytes";
    fetched += server.fetch();
    model->engine->wait();
  }
  EXPECT_GT(fetched, 10);
  EXPECT_GT(server.read, uint64_t{14} << 20) << "all weights";
  EXPECT_EQ(model->engine->stats().device_losses, 1u);
  EXPECT_EQ(events.back().reason, StopReason::kLength) << events.back().error;
}

TEST(Replacement, AFileThatNeverComesEndsTheAnswerAndSaysSo) {
  Server server;
  const auto model = load(server);
  ASSERT_TRUE(model->engine->submit({.prompt = {1, 2, 3}, .max_tokens = 4}));
  std::vector<Event> events;
  int pumps = 0;
  for (; model->engine->pump(events) == Engine::State::kBusy && pumps < 1000; pumps++) model->engine->wait();
  EXPECT_LT(pumps, 1000);
  EXPECT_EQ(events.back().reason, StopReason::kError);
  EXPECT_NE(events.back().error.find("far.gguf"), std::string::npos) << events.back().error;
}

}  // namespace
}  // namespace tern::engine
