// Plans as streams of words: what is written is read back, and whatever else a stream says is refused or valid.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "graph/example_graphs.h"
#include "graph/params.h"
#include "graph/passes/passes.h"
#include "graph/plan.h"

namespace tern::graph {
namespace {

constexpr PlanKey kKey = {.max_tokens = 5, .max_rows = 2, .max_seqs = 3, .kv_format = KvFormat::kF16, .page_tokens = 4};

/// A plan with something in every array: constants, slices, views, shards. The last weight comes from the file.
Plan example_plan() {
  Graph graph = *llama_graph(1);
  Target target;
  target.max_weight_bytes = 400;
  EXPECT_TRUE(run_passes(graph, target));
  return *lower_ops(graph, kKey, "cpu", true);
}

TEST(PlanFile, IsReadBackAsItWas) {
  const Plan plan = example_plan();
  const std::vector<uint32_t> words = write_plan(plan);
  const Result<Plan> read = read_plan(words);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(*read, plan);
  EXPECT_EQ(write_plan(*read), words);
}

TEST(PlanFile, BeginsWithItsMagicAndVersion) {
  std::vector<uint32_t> words = write_plan(example_plan());
  EXPECT_EQ(words[0], uint32_t{'T'} | uint32_t{'P'} << 8 | uint32_t{'R'} << 16 | uint32_t{'N'} << 24);
  words[1] = 1;
  EXPECT_EQ(read_plan(words).error().message, "The plan has version 1, expected 3. Plan the model again.");
  words[0] = 0x46554747;
  EXPECT_NE(read_plan(words).error().message.find("0x46554747"), std::string::npos);
  EXPECT_FALSE(read_plan({}));
}

TEST(PlanFile, EveryTruncationIsRefused) {
  const std::vector<uint32_t> words = write_plan(example_plan());
  for (size_t n = 0; n < words.size(); ++n) EXPECT_FALSE(read_plan(std::span(words).first(n))) << n;
  std::vector<uint32_t> longer = words;
  longer.push_back(0);
  EXPECT_EQ(read_plan(longer).error().message,
            fmt::format("The plan ends at word {}, but 1 words follow.", words.size()));
}

TEST(PlanFile, EveryWordSetToAnythingIsRefusedOrValid) {
  const std::vector<uint32_t> words = write_plan(example_plan());
  size_t valid = 0;
  for (size_t i = 0; i < words.size(); ++i) {
    for (const uint32_t value : {0u, 1u, 2u, 63u, words[i] + 1, words[i] - 1, words[i] ^ 0x10000u, 0x7f800000u,
                                 0x7fffffffu, 0x80000000u, 0xfffffffeu, 0xffffffffu}) {
      std::vector<uint32_t> broken = words;
      broken[i] = value;
      const Result<Plan> plan = read_plan(broken);
      if (!plan) continue;
      ++valid;
      EXPECT_TRUE(validate(*plan));
      EXPECT_EQ(write_plan(*plan), broken) << "word " << i << " = " << value;
      EXPECT_FALSE(dump(*plan).empty());
    }
  }
  EXPECT_GT(valid, words.size());  // the words themselves, and names, tensors, factors of any value
}

// A seed of another version would be refused at its second word, and the fuzzer would have to invent a plan.
// TERN_WRITE_SEEDS=1 writes them anew.
TEST(PlanFile, TheFuzzersSeedsAreOfThisVersion) {
  const std::filesystem::path folder = TERN_SOURCE_DIR "/tests/fuzz/corpus/plan";
  const std::pair<const char*, Plan> seeds[] = {
      {"llama.plan", *lower_ops(*llama_graph(2), kKey, "cpu", true)},
      {"llama_fused_sharded.plan", example_plan()},
  };
  for (const auto& [name, plan] : seeds) {
    if (std::getenv("TERN_WRITE_SEEDS") != nullptr) {
      const std::vector<uint32_t> words = write_plan(plan);
      std::ofstream(folder / name, std::ios::binary)
          .write(reinterpret_cast<const char*>(words.data()), std::ssize(words) * 4);
    }
    std::vector<uint32_t> words(std::filesystem::file_size(folder / name) / 4);
    std::ifstream(folder / name, std::ios::binary).read(reinterpret_cast<char*>(words.data()), std::ssize(words) * 4);
    const Result<Plan> read = read_plan(words);
    EXPECT_TRUE(read) << name << ": " << read.error().to_string();
  }
}

struct BrokenPlan {
  const char* name;
  void (*damage)(Plan&);
  const char* says;
};

class PlanError : public testing::TestWithParam<BrokenPlan> {};

TEST_P(PlanError, IsFound) {
  Plan plan = example_plan();
  GetParam().damage(plan);
  const Result<void> valid = validate(plan);
  ASSERT_FALSE(valid);
  EXPECT_EQ(valid.error().code, ErrorCode::kInvalidFile);
  EXPECT_NE(valid.error().to_string().find(GetParam().says), std::string::npos) << valid.error().to_string();
  EXPECT_FALSE(read_plan(write_plan(plan)));
}

PlanStep& step_of(Plan& plan, Op op) {
  for (PlanStep& step : plan.steps) {
    if (plan.pipelines[step.pipeline].op == op) return step;
  }
  return plan.steps.front();
}
PlanBinding& binding_of(Plan& plan, Op op, uint32_t i) {
  return plan.bindings[step_of(plan, op).first_binding + i];
}
/// The attributes of the first step of `op`, as words.
std::vector<uint32_t>& words_of(Plan& plan, Op op) {
  return plan.pipelines[step_of(plan, op).pipeline].constants;
}

/// A plan of one kernel: it reads a weight and the step's block, and writes a value in a buffer of its own.
void make_kernel(Plan& plan, uint64_t offset) {
  const uint64_t block = ParamsLayout::of(plan.key, 0).bytes();
  const uint32_t first = static_cast<uint32_t>(plan.slots.size());
  plan.slots.push_back({SlotKind::kParams, 0, 0, block});
  plan.slots.push_back({SlotKind::kArena, 1, 0, 256});
  plan.slots.push_back({SlotKind::kArena, 1, offset, 256});
  plan.arena.push_back(offset + 256);
  plan.pipelines.push_back(
      {"kernel", "fn main() {}", Op::kAdd, {}, {Access::kRead, Access::kRead, Access::kReadWrite}});
  PlanStep step = plan.steps.back();
  step.pipeline = static_cast<uint32_t>(plan.pipelines.size() - 1);
  step.first_binding = static_cast<uint32_t>(plan.bindings.size());
  step.n_inputs = 2;
  step.n_outputs = 1;
  for (uint32_t i = 0; i < 3; ++i) plan.bindings.push_back({first + i, DType::kF32, Dim::constant(1), 1, 0, 1});
  plan.steps.push_back(step);
  plan.programs.back().n_steps += 1;
}

const BrokenPlan kBrokenPlans[] = {
    {"NoTokens", [](Plan& p) { p.key.max_tokens = 0; }, "max_tokens is 0, expected 1 to 65536"},
    {"Layers", [](Plan& p) { p.n_layers = 1u << 31; }, "n_layers is 2147483648"},
    {"KvFormat", [](Plan& p) { p.key.kv_format = static_cast<KvFormat>(9); }, "The KV format 9 is unknown"},
    {"ArenaTooLarge", [](Plan& p) { p.arena[0] = uint64_t{1} << 60; },
     "Buffer 0 of the arena has 1152921504606846976 bytes"},
    {"ArenaWithoutSlots", [](Plan& p) { p.arena.push_back(0); }, "Buffer 1 of the arena has 0 bytes"},
    {"SlotOfNoBuffer", [](Plan& p) { p.slots[0].index = 1; }, "It lies in buffer 1 of the arena, which has 1"},
    {"ParamsTooSmall", [](Plan& p) { p.slots.push_back({SlotKind::kParams, 0, 0, 64}); }, "It has 64 bytes at 0"},
    {"StateTwice",
     [](Plan& p) {
       p.slots.push_back({SlotKind::kState, 0, 0, 64});
       p.slots.push_back({SlotKind::kState, 0, 0, 64});
     },
     "is state 0 for a second time"},
    {"StateWithAPlace", [](Plan& p) { p.slots.push_back({SlotKind::kState, 0, 64, 64}); }, "It has 64 bytes at 64"},
    {"SlotBeyondAnyMemory", [](Plan& p) { p.slots[0].offset = UINT64_MAX - 63; }, "in slot 0 of the plan"},
    {"SlotMisaligned", [](Plan& p) { p.slots[0].offset = 4; }, "expected up to 281474976710656 at a multiple of 64"},
    {"SlotKind", [](Plan& p) { p.slots[0].kind = static_cast<SlotKind>(6); }, "Its kind 6 is unknown"},
    {"SlotOfNoWeight", [](Plan& p) { p.slots[binding_of(p, Op::kEmbed, 0).slot].index = 99; }, "It is weight 99 of"},
    {"CacheOfNoLayer", [](Plan& p) { p.slots.back().index = 1; }, "It is layer 1 of 1"},
    {"BindingOfNoSlot", [](Plan& p) { p.bindings[0].slot = 1000; }, "It is slot 1000 of"},
    {"BindingBeyondItsSlot", [](Plan& p) { binding_of(p, Op::kRmsNorm, 0).row_stride = 1u << 30; }, "more than the"},
    {"BindingColumnsOverflow",
     [](Plan& p) {
       binding_of(p, Op::kRmsNorm, 0).col0 = UINT32_MAX;
       binding_of(p, Op::kRmsNorm, 0).row_stride = UINT32_MAX;
     },
     "Its columns [4294967295, +8)"},
    {"BindingRowsOverflow", [](Plan& p) { binding_of(p, Op::kRmsNorm, 0).rows.multiple = UINT32_MAX; }, "more than"},
    {"BindingNoRows", [](Plan& p) { binding_of(p, Op::kRmsNorm, 0).rows.multiple = 0; }, "of 0 rows"},
    {"DType", [](Plan& p) { p.bindings[0].dtype = static_cast<DType>(2); }, "Its type is 2, expected 0 to 1"},
    {"StepOfNoPipeline", [](Plan& p) { p.steps[0].pipeline = 500; }, "It names pipeline 500 of"},
    {"StepOfNoBindings", [](Plan& p) { p.steps[0].first_binding = UINT32_MAX; }, "Its bindings [4294967295,"},
    {"StepCountsOverflow", [](Plan& p) { p.steps[0].n_inputs = p.steps[0].n_outputs = UINT32_MAX; }, "Its bindings"},
    {"StepWithoutOutputs", [](Plan& p) { step_of(p, Op::kRmsNorm).n_outputs = 0; }, "It has 0 outputs, expected 1"},
    {"GridDividesByZero", [](Plan& p) { p.steps[0].grid[2].divisor = 0; }, "Its grid divides by 0"},
    {"GridOverflows", [](Plan& p) { p.steps[0].grid[2].kv = 1u << 25; }, "A coefficient of its grid is 33554432"},
    {"NoPrograms", [](Plan& p) { p.programs.clear(); }, "The 0 programs play 0 of"},
    {"ProgramOfTooFewTokens", [](Plan& p) { p.programs[0].max_tokens = 4; }, "not up to 5 tokens"},
    {"ProgramsLeaveOutSteps", [](Plan& p) { p.programs[0].n_steps -= 1; }, "The 1 programs play"},
    {"ProgramsDescend", [](Plan& p) { p.programs.push_back({5, p.programs[0].n_steps, 0}); },
     "expected 6 or more tokens"},
    {"ProgramsOverflow", [](Plan& p) { p.programs[0].n_steps = UINT32_MAX; }, "The 1 programs play 4294967295 of"},
    {"Op", [](Plan& p) { p.pipelines[0].op = static_cast<Op>(100); }, "Op 100 is unknown"},
    {"OpThatIsNoStep", [](Plan& p) { p.pipelines[0] = {"weight", "", Op::kWeight, {0}}; }, "unknown"},
    {"Attributes", [](Plan& p) { words_of(p, Op::kAttention).pop_back(); }, "has 6 words of attributes, expected 7"},
    {"Layer", [](Plan& p) { words_of(p, Op::kAttention)[0] = 7; }, "the cache of layer 7, but there are 1"},
    {"Activation", [](Plan& p) { words_of(p, Op::kLinearGlu)[1] = 2; }, "The activation 2 is unknown"},
    {"OutputIntoAWeight", [](Plan& p) { binding_of(p, Op::kRmsNorm, 2) = binding_of(p, Op::kRmsNorm, 1); },
     "expected a computed"},
    {"WeightInPart", [](Plan& p) { binding_of(p, Op::kLinear, 1).rows.multiple = 1; }, "is bound as [1, 8]"},
    {"OpOnTheCache", [](Plan& p) { binding_of(p, Op::kLinear, 1).slot = static_cast<uint32_t>(p.slots.size() - 1); },
     "An op binds the cache or a state"},
    {"OutputIsNoArena", [](Plan& p) { p.outputs[0].binding = binding_of(p, Op::kEmbed, 0); }, "It is not in the arena"},
    {"KernelReadsAndWritesABuffer", [](Plan& p) { make_kernel(p, 256); },
     "Kernel kernel binds one buffer as binding 1"},
    {"KernelWritesTheParams",
     [](Plan& p) {
       make_kernel(p, 256);
       p.pipelines.back().access[0] = Access::kReadWrite;
     },
     "writes to a weight or to the step's block"},
    {"KernelWritesOverlap",
     [](Plan& p) {
       make_kernel(p, 0);
       p.pipelines.back().access[1] = Access::kReadWrite;
     },
     "binds one buffer as binding 1 and 2"},
    {"KernelMisaligned", [](Plan& p) { make_kernel(p, 320); }, "binds byte 320 of the arena"},
    {"KernelWithoutAccess",
     [](Plan& p) {
       make_kernel(p, 256);
       p.pipelines.back().access.pop_back();
     },
     "It has 3 bindings, but kernel kernel has 2"},
    {"WeightFormat", [](Plan& p) { p.weights[0].format = static_cast<Format>(77); }, "The format 77 is unknown"},
    {"WeightConstant", [](Plan& p) { p.weights.back().slices.clear(); }, "The constant has 0 values"},
    {"WeightSlice", [](Plan& p) { p.weights.back().slices[0].row0 = UINT32_MAX; }, "A slice has rows [4294967295"},
    {"WeightHuge", [](Plan& p) { p.weights.back().rows = p.weights.back().cols = UINT32_MAX; }, "Weight "},
};
INSTANTIATE_TEST_SUITE_P(Plans, PlanError, testing::ValuesIn(kBrokenPlans),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(PlanFile, AKernelMayWriteTwoPartsOfABuffer) {
  Plan plan = example_plan();
  make_kernel(plan, 256);
  plan.pipelines.back().access[1] = Access::kReadWrite;
  const Result<void> valid = validate(plan);
  EXPECT_TRUE(valid) << valid.error().to_string();
  EXPECT_EQ(*read_plan(write_plan(plan)), plan);
}

TEST(PlanFile, KernelsWithSourcesKeepTheirText) {
  Plan plan = example_plan();
  make_kernel(plan, 256);
  plan.pipelines.back().access[1] = Access::kReadWrite;
  for (const std::string_view source : {"a", "ab", "abc", "abcd", "fn main() { /* \xc3\xa9 */ }"}) {
    plan.pipelines.back().source = source;
    plan.steps.back().grid = {GridExpr{1, 2, 3, 4, 5, 6, 7}, {}, {}};
    const Result<Plan> read = read_plan(write_plan(plan));
    ASSERT_TRUE(read) << read.error().to_string();
    EXPECT_EQ(*read, plan);
  }
}

TEST(PlanFile, CountsThatTheStreamCannotHoldAllocateNothing) {
  // The header and then a count of 2^32 - 1 weights.
  std::vector<uint32_t> words = {Plan::kMagic, Plan::kVersion, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, UINT32_MAX};
  EXPECT_EQ(read_plan(words).error().message, "Word 13 claims 4294967295 items, but 0 words are left.");
  words.insert(words.end(), 100, 0);
  EXPECT_EQ(read_plan(words).error().message, "Word 13 claims 4294967295 items, but 100 words are left.");
}

}  // namespace
}  // namespace tern::graph
