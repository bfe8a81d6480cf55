// ref against numbers that were not computed by us: it is the oracle of everything else.
#include <gtest/gtest.h>

#include <cmath>

#include "backends/ref/ops.h"

namespace tern::backends::ref {
namespace {

// silu and gelu (tanh approximation) as PyTorch 2 gives them.
TEST(Ref, Activations) {
  EXPECT_NEAR(activate(graph::Activation::kSilu, 1), 0.731058578630005, 1e-14);
  EXPECT_NEAR(activate(graph::Activation::kSilu, -2), -0.238405844044235, 1e-14);
  EXPECT_EQ(activate(graph::Activation::kSilu, 0), 0);
  EXPECT_NEAR(activate(graph::Activation::kGeluTanh, 1), 0.841191990608, 1e-11);
  EXPECT_NEAR(activate(graph::Activation::kGeluTanh, -0.5), -0.154285989, 1e-8);
  EXPECT_EQ(activate(graph::Activation::kGeluTanh, 10), 10);
}

// Zhang and Sennrich 2019, equation 4: after the norm the mean square is 1 (times w^2).
TEST(Ref, RmsNorm) {
  const std::vector<float> x{3, 4, 0, 0}, w{1, 1, 2, 1};
  std::vector<float> out(4);
  normalise(x, w, 0, out);  // mean square 25 / 4
  EXPECT_FLOAT_EQ(out[0], 3 / 2.5f);
  EXPECT_FLOAT_EQ(out[1], 4 / 2.5f);
  normalise(x, std::span(w).first(2), 0, out);  // two groups, the second all zero
  EXPECT_FLOAT_EQ(out[0], 3 / std::sqrt(12.5f));
  EXPECT_TRUE(std::isnan(out[2]));
  normalise(x, std::span(w).first(2), 1e-6f, out);
  EXPECT_EQ(out[2], 0);
}

TEST(Ref, SumsAreTakenInDouble) {
  const std::vector<float> a{1e8f, 1, -1e8f}, b{1, 1, 1};
  EXPECT_EQ(dot(a, b), 1);
}

}  // namespace
}  // namespace tern::backends::ref
