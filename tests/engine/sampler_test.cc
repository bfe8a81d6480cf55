#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>

#include "engine/philox.h"

namespace tern::engine {
namespace {

using Logits = std::vector<float>;
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Everything off: draws from the plain softmax.
SamplingOptions plain() {
  return {.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0, .typical_p = 1};
}

Logits logs(std::vector<double> probabilities) {
  Logits out;
  for (double p : probabilities) out.push_back(static_cast<float>(std::log(p)));
  return out;
}

Sample sample(Logits logits, const SamplingOptions& options, const std::vector<int32_t>& history = {0}) {
  Sampler sampler(static_cast<uint32_t>(logits.size()));
  auto result = sampler.sample(logits, options, history);
  EXPECT_TRUE(result) << result.error().to_string();
  return result.value_or(Sample{});
}

std::set<int32_t> support(const Logits& logits, SamplingOptions options, uint32_t draws = 3000) {
  std::set<int32_t> tokens;
  Sampler sampler(static_cast<uint32_t>(logits.size()));
  for (options.seed = 0; options.seed < draws; options.seed++) {
    Logits row = logits;
    tokens.insert(sampler.sample(row, options, std::vector<int32_t>{0})->token);
  }
  return tokens;
}

// kat_vectors of Random123 (github.com/DEShawResearch/random123), lines "philox4x32 10".
TEST(Philox, KnownAnswers) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, UniformTakesItsBitsFromTheFirstTwoWords) {
  EXPECT_EQ(uniform(0, 0), static_cast<double>(0xe169c58d6627e8d5u >> 11) * 0x1p-53);
  for (uint64_t i = 0; i < 1000; i++) {
    EXPECT_GE(uniform(i, 3), 0.0);
    EXPECT_LT(uniform(i, 3), 1.0);
  }
  EXPECT_NE(uniform(1, 0), uniform(uint64_t{1} << 32, 0));
  EXPECT_NE(uniform(0, 1), uniform(0, uint64_t{1} << 32));
}

TEST(Sampler, GreedyTakesTheLargestAndOfEqualsTheLowestId) {
  SamplingOptions greedy = plain();
  greedy.temperature = 0;
  EXPECT_EQ(sample({1, 3, 2}, greedy).token, 1);
  EXPECT_EQ(sample({2, 3, 3}, greedy).token, 1);
  EXPECT_EQ(sample({-0.0f, 0.0f}, greedy).token, 0);
  EXPECT_EQ(sample({-kInf, -kInf, -5}, greedy).token, 2);
  EXPECT_EQ(sample({7}, greedy).token, 0);
}

TEST(Sampler, PlainDrawsFollowTheSoftmax) {
  const std::vector<double> p = {0.1, 0.4, 0.2, 0.3};
  SamplingOptions options = plain();
  for (const double temperature : {1.0, 2.0}) {  // at 2 the odds are the square roots
    options.temperature = static_cast<float>(temperature);
    std::vector<double> expected;
    double sum = 0;
    for (double x : p) expected.push_back(std::pow(x, 1 / temperature)), sum += expected.back();
    std::vector<int> counts(4);
    const int n = 20000;
    for (options.seed = 0; options.seed < n; options.seed++) counts[sample(logs(p), options).token]++;
    for (int i = 0; i < 4; i++) {
      const double mean = n * expected[i] / sum;
      EXPECT_NEAR(counts[i], mean, 4 * std::sqrt(mean)) << "token " << i << " at temperature " << temperature;
    }
  }
}

TEST(Sampler, ATinyTemperatureIsGreedyAndAHugeOneUniform) {
  SamplingOptions options = plain();
  options.temperature = 1e-30f;
  EXPECT_EQ(support({1, 1.001f, 1}, options), (std::set<int32_t>{1}));
  options.temperature = 1e6f;
  EXPECT_EQ(support({-20, 0, 20}, options), (std::set<int32_t>{0, 1, 2}));
}

TEST(Sampler, TopKKeepsExactlyKAndOfEqualsTheLowestIds) {
  const Logits logits = logs({0.1, 0.4, 0.2, 0.3});
  SamplingOptions options = plain();
  options.top_k = 1;
  EXPECT_EQ(support(logits, options), (std::set<int32_t>{1}));
  options.top_k = 3;
  EXPECT_EQ(support(logits, options), (std::set<int32_t>{1, 2, 3}));
  options.top_k = 100;
  EXPECT_EQ(support(logits, options), (std::set<int32_t>{0, 1, 2, 3}));
  options.top_k = 2;
  EXPECT_EQ(support({0, 5, 5, 5}, options), (std::set<int32_t>{1, 2}));
}

TEST(Sampler, TopPKeepsTheFewestThatReachTheMass) {
  const Logits logits = logs({0.1, 0.4, 0.2, 0.3});
  SamplingOptions options = plain();
  const std::vector<std::pair<float, std::set<int32_t>>> cases = {
      {0.01f, {1}}, {0.39f, {1}}, {0.41f, {1, 3}}, {0.69f, {1, 3}}, {0.71f, {1, 2, 3}}, {0.91f, {0, 1, 2, 3}}};
  for (const auto& [top_p, expected] : cases) {
    options.top_p = top_p;
    EXPECT_EQ(support(logits, options), expected) << top_p;
  }
}

TEST(Sampler, MinPKeepsWhatIsProbableBesideTheBest) {
  const Logits logits = logs({0.1, 0.4, 0.2, 0.3});
  SamplingOptions options = plain();
  const std::vector<std::pair<float, std::set<int32_t>>> cases = {
      {0.2f, {0, 1, 2, 3}}, {0.3f, {1, 2, 3}}, {0.6f, {1, 3}}, {0.8f, {1}}, {1.0f, {1}}};
  for (const auto& [min_p, expected] : cases) {
    options.min_p = min_p;
    EXPECT_EQ(support(logits, options), expected) << min_p;
  }
}

// p = 0.6, 0.2, 0.1, 0.1: entropy 1.0889; surprises 0.511, 1.609, 2.303: distances 0.578, 0.521, 1.214. So the typical
// set grows 0.2, then 0.6, then the rest: the most probable token is not the most typical.
TEST(Sampler, TypicalKeepsTheSurprisesNearTheEntropy) {
  const Logits logits = logs({0.6, 0.2, 0.1, 0.1});
  SamplingOptions options = plain();
  const std::vector<std::pair<float, std::set<int32_t>>> cases = {
      {0.1f, {1}}, {0.19f, {1}}, {0.3f, {0, 1}}, {0.79f, {0, 1}}, {0.85f, {0, 1, 2}}, {0.95f, {0, 1, 2, 3}}};
  for (const auto& [typical_p, expected] : cases) {
    options.typical_p = typical_p;
    EXPECT_EQ(support(logits, options), expected) << typical_p;
  }
}

// The chain written from the definitions with maps of probabilities, renormalised after every filter.
std::set<int32_t> naive_support(const Logits& logits, const SamplingOptions& options) {
  struct Token {
    int32_t id;
    double p;
  };
  std::vector<Token> tokens;
  double sum = 0;
  for (size_t i = 0; i < logits.size(); i++) tokens.push_back({int32_t(i), std::exp(double{logits[i]})});
  const auto normalise = [&] {
    sum = 0;
    for (const Token& t : tokens) sum += t.p;
    for (Token& t : tokens) t.p /= sum;
  };
  const auto keep_mass = [&](double mass) {
    double kept = 0;
    size_t n = 0;
    while (n < tokens.size() && kept < mass) kept += tokens[n++].p;
    tokens.resize(n);
    normalise();
  };
  const auto by_p = [](const Token& a, const Token& b) { return a.p > b.p; };
  std::ranges::sort(tokens, by_p);
  if (options.top_k > 0 && options.top_k < tokens.size()) tokens.resize(options.top_k);
  normalise();
  if (options.typical_p < 1) {
    double entropy = 0;
    for (const Token& t : tokens) entropy -= t.p * std::log(t.p);
    const auto distance = [&](const Token& t) { return std::abs(-std::log(t.p) - entropy); };
    std::ranges::sort(tokens, [&](const Token& a, const Token& b) { return distance(a) < distance(b); });
    keep_mass(options.typical_p);
    std::ranges::sort(tokens, by_p);
  }
  if (options.top_p < 1) keep_mass(options.top_p);
  const double best = tokens[0].p;
  std::erase_if(tokens, [&](const Token& t) { return t.p < options.min_p * best; });
  std::set<int32_t> ids;
  for (const Token& t : tokens) ids.insert(t.id);
  return ids;
}

TEST(Sampler, FiltersInARowAgreeWithTheirDefinitions) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> unit(0.05f, 1), logit(-2, 2);
  for (int i = 0; i < 60; i++) {
    Logits logits(2 + random() % 9);
    for (float& x : logits) x = logit(random);
    SamplingOptions options = plain();
    if (random() % 2) options.top_k = 1 + random() % logits.size();
    if (random() % 2) options.typical_p = unit(random);
    if (random() % 2) options.top_p = unit(random);
    if (random() % 2) options.min_p = unit(random) / 2;
    options.temperature = 3;  // comes last, so it changes no support and lets rare tokens show
    EXPECT_EQ(support(logits, options), naive_support(logits, options)) << "case " << i;
  }
}

TEST(Sampler, TopPOverALargeFlatVocabularyReachesFarBeyondTheFirstSortedPart) {
  const uint32_t vocab = 3000;
  Logits logits(vocab);
  for (uint32_t i = 0; i < vocab; i++) logits[i] = static_cast<float>(i) * 1e-5f;
  SamplingOptions options = plain();
  options.top_p = 0.5f;
  const std::set<int32_t> tokens = support(logits, options, 20000);
  EXPECT_GE(*tokens.begin(), 1485);  // the upper half, which weighs a little more than its share
  EXPECT_LE(*tokens.begin(), 1530);
  EXPECT_GT(tokens.size(), 1300u);
}

// The formulas of the papers over a window of the history, with plain loops.
Logits naive_penalties(Logits logits, const SamplingOptions& o, const std::vector<int32_t>& history) {
  const size_t n = std::min<size_t>(history.size(), o.penalty_last_n);
  for (int32_t id = 0; id < int32_t(logits.size()); id++) {
    const auto count = std::count(history.end() - n, history.end(), id);
    if (count == 0) continue;
    logits[id] = logits[id] > 0 ? logits[id] / o.repetition_penalty : logits[id] * o.repetition_penalty;
    logits[id] -= float(count) * o.frequency_penalty + o.presence_penalty;
  }
  return logits;
}

TEST(Sampler, PenaltiesAgreeWithTheirFormulas) {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> logit(-3, 3);
  for (int i = 0; i < 500; i++) {
    Logits logits(12);
    for (float& x : logits) x = logit(random);
    std::vector<int32_t> history(1 + random() % 20);
    for (int32_t& id : history) id = random() % 12;
    SamplingOptions options = plain();
    options.temperature = 0;
    options.repetition_penalty = 0.5f + float(random() % 100) / 50;
    options.frequency_penalty = float(random() % 100) / 50 - 1;
    options.presence_penalty = float(random() % 100) / 50 - 1;
    options.penalty_last_n = random() % 24;
    options.logprobs = 12;
    const Logits expected = naive_penalties(logits, options, history);
    const Sample found = sample(logits, options, history);
    EXPECT_EQ(found.token, std::max_element(expected.begin(), expected.end()) - expected.begin());
    double sum = 0;
    for (float x : expected) sum += std::exp(double{x});
    for (const TokenLogprob& top : std::span(found.top).first(found.n_top)) {
      EXPECT_NEAR(top.logprob, expected[top.token] - std::log(sum), 1e-5);
    }
  }
}

TEST(Sampler, LogitBiasBansAndForces) {
  SamplingOptions options = plain();
  options.logit_bias = {{1, -kInf}};
  EXPECT_EQ(support(logs({0.1, 0.6, 0.3}), options), (std::set<int32_t>{0, 2}));
  options.logit_bias = {{0, 100.f}};
  EXPECT_EQ(support(logs({0.1, 0.6, 0.3}), options), (std::set<int32_t>{0}));
  options.temperature = 0;
  options.logit_bias = {{1, -100.f}, {2, -1.f}, {2, -1.f}};  // the same id twice counts twice
  EXPECT_EQ(sample({0, 5, 1.5f}, options).token, 0);
}

TEST(Sampler, BanningEverythingIsAnError) {
  for (float temperature : {0.f, 1.f}) {
    SamplingOptions options = plain();
    options.temperature = temperature;
    options.logit_bias = {{0, -kInf}, {1, -kInf}};
    Sampler sampler(2);
    Logits logits = {1, 2};
    EXPECT_FALSE(sampler.sample(logits, options, {}));
  }
}

TEST(Sampler, LogitsThatAreNoNumbersAreAnError) {
  for (float bad : {kNan, -kNan, kInf}) {
    for (float temperature : {0.f, 1.f}) {
      SamplingOptions options = plain();
      options.temperature = temperature;
      Sampler sampler(3);
      Logits logits = {1, bad, 2};
      const auto result = sampler.sample(logits, options, std::vector<int32_t>{0, 1});
      ASSERT_FALSE(result);
      EXPECT_NE(result.error().message.find("token 1"), std::string::npos) << result.error().message;
    }
  }
}

TEST(Sampler, LogprobsAreTheLogSoftmaxBeforeTemperatureAndFilters) {
  SamplingOptions options = plain();
  options.temperature = 0.1f;
  options.top_k = 1;
  options.logprobs = 3;
  const Sample found = sample(logs({0.1, 0.4, 0.1, 0.4}), options);
  EXPECT_EQ(found.token, 1);
  EXPECT_NEAR(found.logprob, std::log(0.4), 1e-6);
  ASSERT_EQ(found.n_top, 3u);
  EXPECT_EQ(found.top[0].token, 1);
  EXPECT_EQ(found.top[1].token, 3);
  EXPECT_EQ(found.top[2].token, 0);
  EXPECT_NEAR(found.top[2].logprob, std::log(0.1), 1e-6);
  options.logprobs = 20;
  EXPECT_EQ(sample({1, 2}, options).n_top, 2u) << "no more than the vocabulary has";
}

TEST(Sampler, DrawsDependOnSeedAndPositionAlone) {
  SamplingOptions options = plain();
  const Logits logits(64, 0.f);
  Sampler used(64);
  std::set<int32_t> by_seed, by_position;
  for (uint64_t i = 0; i < 40; i++) {
    options.seed = i;
    Logits row = logits;
    const int32_t token = used.sample(row, options, std::vector<int32_t>(5))->token;
    EXPECT_EQ(token, sample(logits, options, std::vector<int32_t>(5, 9)).token) << "a fresh sampler draws the same";
    by_seed.insert(token);
    options.seed = 0;
    by_position.insert(sample(logits, options, std::vector<int32_t>(i)).token);
  }
  EXPECT_GT(by_seed.size(), 20u);
  EXPECT_GT(by_position.size(), 20u);
}

// What a device that samples does the same way: the running sum goes by id, however the filters ordered the tokens.
TEST(Sampler, DrawsInOrderOfIds) {
  const Logits logits = {0, 3, 1, 2, -5, 2.5f};
  for (uint64_t seed = 0; seed < 50; seed++) {
    SamplingOptions options = plain();
    options.seed = seed;
    options.top_k = 4;  // leaves 1, 2, 3, 5
    double sum = 0, below = 0;
    for (int32_t id : {1, 2, 3, 5}) sum += std::exp(double{logits[id]});
    int32_t expected = -1;
    for (int32_t id : {1, 2, 3, 5}) {
      below += std::exp(double{logits[id]});
      if (expected < 0 && uniform(seed, 3) * sum < below) expected = id;
    }
    EXPECT_EQ(sample(logits, options, std::vector<int32_t>(3)).token, expected);
  }
}

TEST(Sampler, AMaskLeavesOnlyWhatItAllows) {
  Sampler sampler(40);
  Logits logits(40, 0.f);
  logits[35] = 9;
  SamplingOptions options = plain();
  const std::vector<uint32_t> mask = {1u << 4, 1u << 2}, nothing = {0, 0};
  std::set<int32_t> drawn;
  for (options.seed = 0; options.seed < 40; options.seed++) {
    Logits row = logits;
    drawn.insert(sampler.sample(row, options, {}, mask)->token);
  }
  EXPECT_EQ(drawn, (std::set<int32_t>{4, 34}));
  EXPECT_FALSE(sampler.sample(logits, options, {}, nothing));
}

TEST(SamplingOptions, OutOfRangeValuesAreRefusedByName) {
  const auto refused = [](const char* name, auto set) {
    SamplingOptions options;
    set(options);
    const auto result = validate(options, 10);
    ASSERT_FALSE(result) << name;
    EXPECT_NE(result.error().to_string().find(name), std::string::npos) << result.error().to_string();
  };
  EXPECT_TRUE(validate(SamplingOptions{}, 10));
  EXPECT_TRUE(validate(plain(), 10));
  for (float bad : {kNan, -0.1f, kInf}) refused("temperature", [&](auto& o) { o.temperature = bad; });
  for (float bad : {kNan, 0.f, -0.1f, 1.01f}) {
    refused("top_p", [&](auto& o) { o.top_p = bad; });
    refused("typical_p", [&](auto& o) { o.typical_p = bad; });
  }
  for (float bad : {kNan, -0.1f, 1.01f}) refused("min_p", [&](auto& o) { o.min_p = bad; });
  for (float bad : {kNan, 0.f, -1.f, 101.f})
    refused("repetition_penalty", [&](auto& o) { o.repetition_penalty = bad; });
  for (float bad : {kNan, kInf, -101.f}) {
    refused("frequency_penalty", [&](auto& o) { o.frequency_penalty = bad; });
    refused("presence_penalty", [&](auto& o) { o.presence_penalty = bad; });
  }
  for (int32_t id : {-1, 10}) refused("logit_bias", [&](auto& o) { o.logit_bias = {{id, 1.f}}; });
  for (float bad : {kNan, kInf, 1e9f}) refused("logit_bias", [&](auto& o) { o.logit_bias = {{1, bad}}; });
  refused("logprobs", [](auto& o) { o.logprobs = 21; });
}

}  // namespace
}  // namespace tern::engine
