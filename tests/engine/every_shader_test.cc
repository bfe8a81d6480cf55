// Every shader that the lowering can emit compiles: here by naga, through wgpu-native and whatever Vulkan there is;
// web/test/shaders.test.ts has the same compiled by Tint. A sample, or all of them with TERN_TEST_ALL.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "webgpu/every_plan.h"
#include "webgpu_kernels.h"
#ifdef TERN_HAVE_NATIVE_GPU
#include "backends/webgpu/native/adapters.h"
#endif

namespace tern::test {
namespace {

constexpr uint32_t kSample = 97;      // coprime to the sizes of all tables, so that each of their entries has its turn
constexpr uint32_t kUsageSample = 3;  // denser: making plans is quick
bool is_whole() {
  return std::getenv("TERN_TEST_ALL") != nullptr;
}

/// A kernel file that no plan uses is dead, or the tables of every_plan.cc have a gap.
TEST(EveryShader, UsesEveryKernelFile) {
  const auto shaders = every_shader(is_whole() ? 1 : kUsageSample);
  ASSERT_TRUE(shaders) << shaders.error().to_string();
  for (const auto& [name, text] : backends::webgpu::kKernelFiles) {
    if (name.starts_with("roof_")) continue;  // of measurements, which tests/conformance takes
    // The longest line that no loop changes stands for the file.
    std::string_view longest;
    for (std::string_view rest = text; !rest.empty();) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      if (line.find('$') == line.npos && line.size() > longest.size()) longest = line;
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    }
    const auto uses = [&](const graph::PlanPipeline& shader) {
      return shader.source.find(longest) != std::string::npos;
    };
    EXPECT_TRUE(std::ranges::any_of(*shaders, uses)) << name << ".wgsl is in none of " << shaders->size() << " shaders";
  }
}

#ifdef TERN_HAVE_NATIVE_GPU
/// A plan of nothing but shaders.
graph::Plan plan_of(std::vector<graph::PlanPipeline> pipelines) {
  graph::Plan plan{.backend = "webgpu", .key = {.max_tokens = 1, .max_rows = 1, .max_seqs = 1, .max_pages = 1}};
  plan.pipelines = std::move(pipelines);
  plan.programs = {{1, 0, 0}};
  return plan;
}

/// What the device lacks for a shader; empty for nothing.
std::string_view missing(const graph::GpuFacts& gpu, std::string_view source) {
  const auto enables = [&](std::string_view what) { return source.find(what) != source.npos; };
  if (enables("enable chromium_experimental_subgroup_matrix")) return "subgroup matrices, which wgpu-native lacks";
  if (enables("enable f16") && !gpu.f16) return "shader-f16";
  return enables("enable subgroups") && !gpu.subgroups ? "subgroups" : "";
}

TEST(EveryShader, CompilesWithNaga) {
  const auto found = backends::webgpu::open_native_device(true);
  if (!found) GTEST_SKIP() << found.error().to_string();
  const graph::Target& target = (*found)->target();
  const auto shaders = every_shader(is_whole() ? 1 : kSample);
  ASSERT_TRUE(shaders) << shaders.error().to_string();
  size_t compiled = 0;
  std::map<std::string_view, size_t> left_out;  // by what is missing
  std::vector<graph::PlanPipeline> some;
  const auto compile = [&] {
    const auto device = backends::webgpu::open_native_device(true);  // a new one, because pipelines stay with theirs
    ASSERT_TRUE(device) << device.error().to_string();
    compiled += some.size();
    const auto plan = (*device)->load(graph::write_plan(plan_of(std::exchange(some, {}))), {}, {}, {});
    EXPECT_TRUE(plan) << plan.error().to_string();
  };
  for (const graph::PlanPipeline& shader : *shaders) {
    const std::string_view lack = missing(target.gpu, shader.source);
    if (!lack.empty()) {
      ++left_out[lack];
    } else {
      some.push_back(shader);
      if (some.size() == 512) compile();
    }
  }
  compile();
  EXPECT_GT(compiled, 100u);
  fmt::print("naga compiled {} shaders for {}\n", compiled, target.device);
  for (const auto& [lack, n] : left_out) fmt::print("{} shaders are left out, for want of {}\n", n, lack);
}
#endif

}  // namespace
}  // namespace tern::test
