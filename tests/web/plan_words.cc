// plan_words MODEL FACTS CHUNK CONTEXT: the words of the plan for a GPU with these facts (JSON, as web/src/gpu.ts's
// DeviceFacts), for one sequence, on stdout.
#include <cstdio>
#include <cstdlib>

#include "apps/wasm/target_json.h"
#include "backends/webgpu/device.h"
#include "backends/webgpu/webgpu_backend.h"
#include "engine/memory.h"
#include "io/model_files.h"
#include "models/common/load.h"

namespace {

using namespace tern;

/// A device of which nothing but its facts is asked.
struct FactsOnly final : backends::webgpu::Device {
  graph::Target facts;
  const graph::Target& target() const override { return facts; }
  Result<uint32_t> alloc(uint64_t) override { return 0; }
  Result<void> write(uint32_t, uint64_t, std::span<const std::byte>) override { return {}; }
  void free(uint32_t) override {}
  Result<uint32_t> load(std::span<const uint32_t>, std::span<const uint32_t>, std::span<const uint32_t>,
                        std::span<const uint32_t>) override {
    return 0;
  }
  void unload(uint32_t) override {}
  Result<uint64_t> submit(uint32_t, const graph::StepCounts&, std::span<const std::byte>, uint32_t) override {
    return 0;
  }
  Result<backends::Poll> poll(uint64_t, uint32_t, std::span<std::byte>) override { return backends::Poll::kReady; }
  void wait(uint64_t) override {}
};

Result<std::vector<uint32_t>> plan(char** arguments) {
  const auto number = [&](int i) { return static_cast<uint32_t>(std::strtoul(arguments[i], nullptr, 10)); };
  const engine::EngineOptions options{.max_seqs = 1, .max_tokens = number(3), .context = number(4)};
  auto device = std::make_unique<FactsOnly>();
  device->facts = TRY(wasm::parse_target(arguments[2]));
  const auto backend = backends::webgpu::make_webgpu_backend(std::move(device));
  const io::ModelFiles files = TRY(io::open_model(arguments[1]));
  auto built = TRY(models::build_graph(files, options.context));
  return graph::write_plan(TRY(backend->lower(std::move(built.graph), engine::plan_key(options))));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const auto words = plan(argv);
  if (!words) {
    std::fprintf(stderr, "%s\n", words.error().to_string().c_str());
    return 1;
  }
  std::fwrite(words->data(), sizeof(uint32_t), words->size(), stdout);
  return 0;
}
