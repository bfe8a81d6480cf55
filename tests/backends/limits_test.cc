// What submit(), load(), poll() and the buffers refuse: every limit at, below and above.
#include "backends/small_model.h"

namespace tern::backends {
namespace {

class Limits : public testing::TestWithParam<const char*> {
 protected:
  SmallModel model{GetParam(), {.threads = 2}};
  SmallStep step;

  void expect_accepted() {
    const auto ticket = model.backend->submit(model.id, step.params());
    ASSERT_TRUE(ticket) << ticket.error().to_string();
    model.backend->wait(*ticket);
  }
  /// Refused with a message that has `part`, which names the value found or allowed.
  void expect_refused(std::string_view part) {
    const auto ticket = model.backend->submit(model.id, step.params());
    ASSERT_FALSE(ticket) << "expected: " << part;
    EXPECT_EQ(ticket.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(ticket.error().message.find(part), std::string::npos) << ticket.error().message;
  }
  /// Tokens [0, n) of one sequence.
  void set_tokens(uint32_t n) {
    step = {};
    step.tokens.assign(n, 1);
    step.sequences.assign(n, 0);
    step.positions.clear();
    for (uint32_t i = 0; i < n; ++i) step.positions.push_back(i);
    step.seqs = {{n, 0}};
    step.page_table = {0, 1, 2, 3, 4};
    step.rows = {n - 1};
  }
};

TEST_P(Limits, ASoundStepIsAccepted) {
  expect_accepted();
}

TEST_P(Limits, Tokens) {
  set_tokens(4);
  expect_accepted();
  set_tokens(5);
  expect_refused("5 tokens; the plan allows 4");
  step = {};
  step.tokens = {};
  step.positions = step.sequences = step.rows = {};
  expect_refused("no tokens");
}

TEST_P(Limits, TokenIds) {
  step.tokens[1] = 10;
  expect_accepted();
  step.tokens[1] = 11;
  expect_refused("id 11; the vocabulary has 11");
  step.tokens[1] = -1;
  expect_refused("id -1");
}

TEST_P(Limits, ArraysOfOneLength) {
  step.positions.pop_back();
  expect_refused("3 tokens, but 2 positions");
  step = {};
  step.sequences.push_back(0);
  expect_refused("4 sequence indices");
}

TEST_P(Limits, Rows) {
  step.rows = {};
  expect_accepted();
  step.rows = {0, 1, 2};
  expect_refused("3 rows of logits; the plan allows 2");
  step.rows = {1, 3};
  expect_refused("row 3");
  step.rows = {2, 1};
  expect_refused("row 1 after row 2");
  step.rows = {1, 1};
  expect_refused("row 1 after row 1");
}

TEST_P(Limits, Pools) {
  step.pools = {{0, 2}, {2, 1}};
  expect_accepted();
  step.pools = {{1, 1}};
  expect_accepted();
  step.pools = {{0, 1}, {1, 1}, {2, 1}};
  expect_refused("3 pools; the plan allows 2");
  step.pools = {{1, 0}};
  expect_refused("Pool 0 is 0 tokens from token 1");
  step.pools = {{2, 2}};
  expect_refused("2 tokens from token 2");
  step.pools = {{3, 1}};
  expect_refused("1 tokens from token 3");
  step.pools = {{1, UINT32_MAX}};
  expect_refused("4294967295 tokens from token 1");
  step.pools = {{0, 2}, {1, 1}};
  expect_refused("Pool 1 is 1 tokens from token 1 on; expected at least 1, from token 2 on");
  step.pools = {{1, 2}};
  expect_refused("Pool 0 has tokens of sequences 0 and 1");
}

TEST_P(Limits, Sequences) {
  step.seqs.push_back({1, 0});
  expect_accepted();
  step.seqs.push_back({1, 0});
  expect_refused("4 sequences; the plan allows 3");
  step = {};
  step.sequences[2] = 2;
  expect_refused("sequence 2; the step has 2");
}

TEST_P(Limits, Positions) {
  step.seqs[0].kv_len = 1;  // position 1 is its second
  expect_refused("position 1, but its sequence 0 has a length of 1");
  step = {};
  step.positions = {1, 1, 4};
  expect_refused("does not ascend");
  step.positions = {1, 0, 4};
  expect_refused("does not ascend");
  step.seqs[0].kv_len = UINT32_MAX;
  step.positions = {0, UINT32_MAX - 1, 4};
  expect_refused("pages");
}

TEST_P(Limits, Pages) {
  step.seqs[1].kv_len = 8;  // exactly two pages of four
  expect_accepted();
  step.seqs[1].kv_len = 9;
  expect_refused("needs 3 pages for 9 tokens");
  step = {};
  step.seqs[1].first_page = 2;
  expect_refused("from entry 2 of the page table, which has 3");
  step.seqs[1].first_page = UINT32_MAX;
  expect_refused("from entry 4294967295");
  step = {};
  step.page_table[1] = 5;
  expect_refused("page 5; there are 5");
  step = {};
  step.page_table.assign(15, 4);
  expect_accepted();
  step.page_table.assign(16, 4);
  expect_refused("16 page table entries; the plan allows 15");
}

/// A refused step changes nothing: the next one gives what it would have given.
TEST_P(Limits, RefusedStepsLeaveNoTrace) {
  std::vector<float> before(2 * SmallModel::kVocabulary), after(before);
  auto ticket = model.backend->submit(model.id, step.params());
  ASSERT_TRUE(ticket);
  model.backend->wait(*ticket);
  ASSERT_EQ(model.backend->poll(*ticket, 0, before), Poll::kReady);
  SmallStep bad;
  bad.tokens[0] = 99;
  EXPECT_FALSE(model.backend->submit(model.id, bad.params()));
  ticket = model.backend->submit(model.id, step.params());
  model.backend->wait(*ticket);
  ASSERT_EQ(model.backend->poll(*ticket, 0, after), Poll::kReady);
  EXPECT_EQ(before, after);
}

TEST_P(Limits, Poll) {
  const auto first = model.backend->submit(model.id, step.params());
  const auto ticket = model.backend->submit(model.id, step.params());
  ASSERT_TRUE(ticket);
  model.backend->wait(*ticket);
  std::vector<float> out(2 * SmallModel::kVocabulary), smaller(out.size() - 1);
  EXPECT_EQ(model.backend->poll(*ticket, 0, out), Poll::kReady);
  EXPECT_EQ(model.backend->poll(*ticket, 0, {}), Poll::kReady);
  EXPECT_FALSE(model.backend->poll(*ticket, 0, smaller));
  EXPECT_FALSE(model.backend->poll(*ticket, 1, out));
  EXPECT_FALSE(model.backend->poll({ticket->id + 1}, 0, out));
  EXPECT_FALSE(model.backend->poll({0}, 0, out));
  EXPECT_FALSE(model.backend->poll(*first, 0, out)) << "its outputs are overwritten";
  EXPECT_EQ(model.backend->poll(*first, 0, {}), Poll::kReady);
}

TEST_P(Limits, UnknownPlans) {
  EXPECT_FALSE(model.backend->submit({}, step.params()));
  model.backend->unload({7});
  model.backend->unload(model.id);
  EXPECT_FALSE(model.backend->submit(model.id, step.params()));
}

TEST_P(Limits, LoadChecksTheBuffers) {
  const auto refused = [&](std::string_view part) {
    const auto loaded = model.load();
    ASSERT_FALSE(loaded) << "expected: " << part;
    EXPECT_NE(loaded.error().to_string().find(part), std::string::npos) << loaded.error().to_string();
  };
  ++model.n_pages;
  refused("pages of");
  --model.n_pages;
  const Buffer sound = model.weights.front();
  model.weights.front() = *model.backend->alloc(100, Usage::kWeight);
  refused("weight");
  model.weights.front() = sound;
  const Buffer weight = model.weights.back();
  model.weights.pop_back();
  refused("weight buffers are given");
  model.weights.push_back({12345});
  refused("There is no buffer 12345");
  model.weights.back() = weight;
  const Buffer keys = model.keys.back();
  model.keys.pop_back();
  refused("cache buffers are given");
  model.keys.push_back(keys);
  model.plan.backend = "other";
  refused("made for the backend other");
}

TEST_P(Limits, LoadChecksThePlan) {
  model.plan.bindings[0].slot = 1000;
  EXPECT_FALSE(model.load());
}

TEST_P(Limits, UploadsStayInside) {
  const graph::Weight& weight = model.plan.weights[0];
  std::vector<std::byte> row(*formats::row_bytes(weight.format, weight.cols));
  Backend& backend = *model.backend;
  EXPECT_TRUE(backend.upload_rows(model.plan, 0, model.weights[0], weight.rows - 1, row));
  EXPECT_FALSE(backend.upload_rows(model.plan, 0, model.weights[0], weight.rows, row));
  EXPECT_FALSE(backend.upload_rows(model.plan, 0, model.weights[0], UINT32_MAX, row));
  EXPECT_FALSE(backend.upload_rows(model.plan, 0, model.weights[0], 0, std::span(row).first(row.size() - 1)));
  const auto small = backend.alloc(16, Usage::kWeight);
  EXPECT_FALSE(backend.upload_rows(model.plan, 0, *small, 0, row));
}

TEST_P(Limits, ImportedMemoryIsNeverWritten) {
  const std::vector<std::byte> bytes(1 << 16);
  const std::span<const std::byte> piece = bytes;
  const auto buffer = model.backend->import_host({&piece, 1});
  ASSERT_TRUE(buffer);
  EXPECT_FALSE(model.backend->upload_rows(model.plan, 0, *buffer, 0, {}));
  model.keys[0] = *buffer;
  EXPECT_FALSE(model.load());
}

TEST_P(Limits, OutOfMemoryIsAnError) {
  const auto buffer = model.backend->alloc(uint64_t{1} << 60, Usage::kKvCache);
  ASSERT_FALSE(buffer);
  EXPECT_EQ(buffer.error().code, ErrorCode::kOutOfMemory);
  EXPECT_NE(buffer.error().message.find("1152921504606846976"), std::string::npos);
  EXPECT_FALSE(model.backend->alloc(UINT64_MAX, Usage::kWeight));
}

INSTANTIATE_TEST_SUITE_P(Backends, Limits, testing::Values("ref", "cpu"),
                         [](const auto& backend) { return backend.param; });

}  // namespace
}  // namespace tern::backends
