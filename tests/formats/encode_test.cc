// Encoding: equal to the gguf package where it has an encoder, else within bounds that follow from the format.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

#include "base/half.h"
#include "formats/format.h"
#include "formats/random.h"
#include "vectors.h"

namespace tern::formats {
namespace {

std::vector<std::byte> encode(Format format, const std::vector<float>& in) {
  std::vector<std::byte> row(row_bytes(format, in.size()).value());
  const auto result = encode_row(format, in, row.data());
  EXPECT_TRUE(result.has_value()) << result.error().to_string();
  return row;
}

std::vector<float> round_trip(Format format, const std::vector<float>& in) {
  const auto row = encode(format, in);
  std::vector<float> out(in.size());
  decode_row(format, row.data(), out);
  return out;
}

class EncodeAsGguf : public testing::TestWithParam<Format> {};

TEST_P(EncodeAsGguf, EqualsTheVectorsByteForByte) {
  const std::string name(info(GetParam()).name);
  const auto in = read_vector<float>("weights");
  const auto expected = read_vector<std::byte>(name + ".encoded");
  const auto actual = encode(GetParam(), in);
  ASSERT_EQ(actual.size(), expected.size());
  const auto differs = std::mismatch(actual.begin(), actual.end(), expected.begin()).first;
  EXPECT_EQ(differs, actual.end()) << "in block " << (differs - actual.begin()) / info(GetParam()).block_bytes
                                   << ", byte " << (differs - actual.begin()) % info(GetParam()).block_bytes;
}
INSTANTIATE_TEST_SUITE_P(Formats, EncodeAsGguf,
                         testing::Values(Format::kF16, Format::kBF16, Format::kQ4_0, Format::kQ4_1, Format::kQ5_0,
                                         Format::kQ5_1, Format::kQ8_0, Format::kMXFP4),
                         [](const auto& test) { return std::string(formats::info(test.param).name); });

/// Sums of four uniforms: bell-shaped, so that blocks have the few large weights that make rounding hard.
std::vector<float> bell(size_t n, float stddev, uint64_t seed) {
  Random random(seed);
  std::vector<float> w(n);
  for (float& x : w) {
    x = stddev * std::sqrt(0.75f) * (random.uniform() + random.uniform() + random.uniform() + random.uniform());
  }
  return w;
}

double rms_error(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

TEST(Encode, F32IsExact) {
  const auto in = read_vector<float>("weights");
  expect_same_bits(round_trip(Format::kF32, in), in, "f32");
}

// A code is off by at most half a step d. The stored d is rounded to f16 (relative 2^-11, or half of 2^-24 when
// subnormal), and a code multiplies that error by up to `codes`. 1e-5 covers the f32 arithmetic.
double f16_rounding(double x) {
  return std::max(std::fabs(x) * 0x1p-11, 0x1p-25);
}

TEST(Encode, Q8_0IsWithinHalfAStep) {
  const auto in = read_vector<float>("weights");
  const auto out = round_trip(Format::kQ8_0, in);
  for (size_t b = 0; b < in.size(); b += 32) {
    double largest = 0;
    for (size_t i = b; i < b + 32; ++i) largest = std::max(largest, std::fabs(static_cast<double>(in[i])));
    const double d = largest / 127;
    for (size_t i = b; i < b + 32; ++i) {
      EXPECT_LE(std::fabs(in[i] - out[i]), (d / 2 + 127 * f16_rounding(d)) * (1 + 1e-5)) << i;
    }
  }
}

TEST(Encode, Q4_1AndQ5_1AreWithinHalfAStep) {
  const auto in = read_vector<float>("weights");
  for (const auto& [format, codes] : {std::pair{Format::kQ4_1, 15.0}, std::pair{Format::kQ5_1, 31.0}}) {
    const auto out = round_trip(format, in);
    for (size_t b = 0; b < in.size(); b += 32) {
      const auto [lo, hi] = std::minmax_element(in.begin() + b, in.begin() + b + 32);
      const double d = (static_cast<double>(*hi) - *lo) / codes;
      const double bound = d / 2 + codes * f16_rounding(d) + f16_rounding(*lo);
      for (size_t i = b; i < b + 32; ++i) EXPECT_LE(std::fabs(in[i] - out[i]), bound * (1 + 1e-5)) << i;
    }
  }
}

// d = extreme / -8 spans [-8 d, 7 d]: a weight near -extreme is clipped and loses a whole step.
TEST(Encode, Q4_0AndQ5_0AreWithinAStep) {
  const auto in = read_vector<float>("weights");
  for (const auto& [format, codes] : {std::pair{Format::kQ4_0, 8.0}, std::pair{Format::kQ5_0, 16.0}}) {
    const auto out = round_trip(format, in);
    for (size_t b = 0; b < in.size(); b += 32) {
      double largest = 0;
      for (size_t i = b; i < b + 32; ++i) largest = std::max(largest, std::fabs(static_cast<double>(in[i])));
      const double d = largest / codes;
      for (size_t i = b; i < b + 32; ++i) {
        EXPECT_LE(std::fabs(in[i] - out[i]), (d + codes * f16_rounding(d)) * (1 + 1e-5)) << i;
      }
    }
  }
}

TEST(Encode, Int8IsWithinHalfAStepOfTheRow) {
  const auto in = bell(333, 0.02f, 3);
  const auto out = round_trip(Format::kINT8, in);
  float largest = 0;
  for (const float w : in) largest = std::max(largest, std::fabs(w));
  for (size_t i = 0; i < in.size(); ++i) EXPECT_LE(std::fabs(in[i] - out[i]), largest / 127 / 2 * 1.00001f) << i;
  EXPECT_EQ(round_trip(Format::kINT8, std::vector<float>(7, 0.0f)), std::vector<float>(7, 0.0f));
}

/// The error of rounding every sub-block to `levels` equal steps between its minimum (or zero, if that is lower) and
/// maximum, with exact scales: what a K-quant with a minimum does at least as well.
double min_max_error(const std::vector<float>& in, size_t sub_block, int levels) {
  std::vector<float> out(in.size());
  for (size_t b = 0; b < in.size(); b += sub_block) {
    const auto [min, hi] = std::minmax_element(in.begin() + b, in.begin() + b + sub_block);
    const double lo = std::min(0.0f, *min), d = (*hi - lo) / levels;
    for (size_t i = b; i < b + sub_block; ++i) out[i] = static_cast<float>(lo + d * std::round((in[i] - lo) / d));
  }
  return rms_error(in, out);
}

/// The same for a scale without a minimum: codes -levels .. levels - 1, the extreme at -levels.
double extreme_error(const std::vector<float>& in, size_t sub_block, int levels) {
  std::vector<float> out(in.size());
  for (size_t b = 0; b < in.size(); b += sub_block) {
    const float extreme = *std::max_element(in.begin() + b, in.begin() + b + sub_block,
                                            [](float x, float y) { return std::fabs(x) < std::fabs(y); });
    const double d = static_cast<double>(extreme) / -levels;
    for (size_t i = b; i < b + sub_block; ++i) {
      out[i] = static_cast<float>(d * std::clamp(std::round(in[i] / d), -1.0 * levels, levels - 1.0));
    }
  }
  return rms_error(in, out);
}

// Least squares has to win back more than the rounding of the scales to 4 or 6 bits costs: plain rounding here has
// exact scales.
TEST(Encode, KQuantsBeatPlainRoundingOfTheirSubBlocks) {
  const auto in = bell(256 * 64, 0.02f, 5);
  EXPECT_LT(rms_error(in, round_trip(Format::kQ2_K, in)), min_max_error(in, 16, 3));
  EXPECT_LT(rms_error(in, round_trip(Format::kQ4_K, in)), min_max_error(in, 32, 15));
  EXPECT_LT(rms_error(in, round_trip(Format::kQ5_K, in)), min_max_error(in, 32, 31));
  EXPECT_LT(rms_error(in, round_trip(Format::kQ3_K, in)), extreme_error(in, 16, 4));
  EXPECT_LT(rms_error(in, round_trip(Format::kQ6_K, in)), extreme_error(in, 16, 32));
  EXPECT_LT(rms_error(in, round_trip(Format::kIQ4_NL, in)), min_max_error(in, 32, 15));
}

TEST(Encode, MoreBitsMeanLessError) {
  const auto in = bell(256 * 64, 0.02f, 6);
  const Format by_bits[] = {Format::kQ2_K, Format::kQ3_K, Format::kQ4_K, Format::kQ5_K, Format::kQ6_K, Format::kQ8_0};
  for (size_t i = 0; i + 1 < std::size(by_bits); ++i) {
    EXPECT_GT(rms_error(in, round_trip(by_bits[i], in)), 1.5 * rms_error(in, round_trip(by_bits[i + 1], in)))
        << info(by_bits[i]).name;
  }
}

// The error of any block stays below one step of the coarsest sub-block, whatever the weights look like.
TEST(Encode, KQuantsTakeAwkwardBlocks) {
  const std::pair<Format, double> formats[] = {{Format::kQ2_K, 3},  {Format::kQ3_K, 4},  {Format::kQ4_K, 15},
                                               {Format::kQ5_K, 31}, {Format::kQ6_K, 32}, {Format::kIQ4_NL, 8}};
  const auto noise = bell(256, 1.0f, 8);
  const std::function<float(size_t)> shapes[] = {
      [](size_t) { return 0.0f; },
      [](size_t) { return 0.37f; },
      [](size_t) { return -0.37f; },
      [](size_t i) { return i == 100 ? 5.0f : 0.0f; },
      [](size_t i) { return i == 100 ? -5.0f : 0.001f; },
      [](size_t i) { return i % 2 ? 1.0f : -1.0f; },
      [&](size_t i) { return i < 128 ? noise[i] : 1e-3f * noise[i]; },
      [&](size_t i) { return -1000.0f + 0.01f * noise[i]; },
      [&](size_t i) { return 20000.0f * noise[i]; },
      [&](size_t i) { return 1e-30f * noise[i]; },
      [&](size_t i) { return 1e-42f * noise[i]; },
  };
  for (const auto& shape : shapes) {
    std::vector<float> in(256);
    for (size_t i = 0; i < in.size(); ++i) in[i] = std::clamp(shape(i), -65504.0f, 65504.0f);
    const auto [lo, hi] = std::minmax_element(in.begin(), in.end());
    const double range = std::max(0.0f, *hi) - std::min(0.0f, *lo);
    for (const auto& [format, steps] : formats) {
      const auto out = round_trip(format, in);
      for (size_t i = 0; i < in.size(); ++i) {
        ASSERT_LE(std::fabs(in[i] - out[i]), range / steps + 256 * 0x1p-24)
            << info(format).name << ", weight " << i << ": " << in[i] << " became " << out[i];
      }
    }
  }
}

// What is decoded is representable, so encoding it again may not add an error (where codes and scales are searched, it
// may find an equally good pair).
TEST(Encode, DecodedWeightsSurviveASecondRoundTrip) {
  const auto in = bell(1024, 0.02f, 9);
  for (const FormatInfo& format : all()) {
    if (!can_encode(format.id)) continue;
    const auto once = round_trip(format.id, in), twice = round_trip(format.id, once);
    EXPECT_LE(rms_error(once, twice), 0.35 * rms_error(in, once)) << format.name;
  }
}

}  // namespace
}  // namespace tern::formats
