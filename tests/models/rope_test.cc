// Rotary frequencies of real models. The numbers were computed in Python from the formulas of transformers'
// modeling_rope_utils.py (f64).
#include "models/common/rope.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tern::test {
namespace {

using models::Rope;
using models::rope_table;
using models::RopeScaling;
using Kind = RopeScaling::Kind;

void expect_near(double value, double expected) {
  EXPECT_NEAR(value, expected, expected * 1e-6);
}

TEST(RopeTest, PlainFrequenciesFallFromOneToNearlyOneOverTheta) {
  const auto table = rope_table({.theta = 10000, .rot_dim = 4}, 100);
  ASSERT_EQ(table.freqs.size(), 2u);
  expect_near(table.freqs[0], 1);
  expect_near(table.freqs[1], 0.01);  // 10000^(-2/4)
  EXPECT_EQ(table.magnitude, 1);
}

TEST(RopeTest, Llama31) {
  Rope rope{.theta = 500000, .rot_dim = 128};
  rope.scaling = {.kind = Kind::kLlama3, .factor = 8, .original_context = 8192, .low_freq = 1, .high_freq = 4};
  const auto table = rope_table(rope, 131072);
  expect_near(table.freqs[0], 1.0);
  expect_near(table.freqs[28], 0.0032114459947525913);   // short waves are kept
  expect_near(table.freqs[30], 0.0013718935677611381);   // between: blended
  expect_near(table.freqs[33], 0.00031269375038406517);  // between: blended
  expect_near(table.freqs[63], 3.068925988914511e-07);   // long waves: an eighth
  EXPECT_EQ(table.magnitude, 1);
}

TEST(RopeTest, YarnOfQwen25) {
  Rope rope{.theta = 1000000, .rot_dim = 128};
  rope.scaling = {.kind = Kind::kYarn, .factor = 4, .original_context = 32768};
  const auto table = rope_table(rope, 131072);
  expect_near(table.freqs[20], 0.01333521432163324);
  expect_near(table.freqs[23], 0.006978305848598663);
  expect_near(table.freqs[30], 0.0010643609812470017);
  expect_near(table.freqs[39], 6.490394320837029e-05);
  expect_near(table.freqs[63], 3.102344401879299e-07);
  expect_near(table.magnitude, 1.138629436111989);
}

TEST(RopeTest, LongRopeOfPhi3ChoosesItsFactorsByTheContext) {
  Rope rope{.theta = 10000, .rot_dim = 4};
  rope.scaling = {.kind = Kind::kLongRope, .factor = 32, .original_context = 4096};
  rope.scaling.short_factors = {1, 2};
  rope.scaling.long_factors = {4, 8};
  const auto within = rope_table(rope, 4096), beyond = rope_table(rope, 4097);
  expect_near(within.freqs[1], 0.01 / 2);
  expect_near(beyond.freqs[1], 0.01 / 8);
  expect_near(within.magnitude, 1.1902380714238083);  // sqrt(1 + ln 32 / ln 4096), as Phi-3-mini-128k has it
  expect_near(beyond.magnitude, 1.1902380714238083);
}

TEST(RopeTest, LinearScalingDividesAll) {
  Rope rope{.theta = 10000, .rot_dim = 4};
  rope.scaling = {.kind = Kind::kLinear, .factor = 8};
  expect_near(rope_table(rope, 100).freqs[1], 0.01 / 8);
}

TEST(RopeTest, FactorsOfAFileDivide) {
  Rope rope{.theta = 10000, .rot_dim = 4};
  rope.scaling.freq_factors = {1, 5};
  expect_near(rope_table(rope, 100).freqs[1], 0.01 / 5);
}

}  // namespace
}  // namespace tern::test
