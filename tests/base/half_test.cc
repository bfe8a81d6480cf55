// binary16 and bfloat16 against their definitions in IEEE 754-2019 (section 3.4: sign, exponent, fraction; section
// 4.3.1: round to nearest, ties to even), over every value.
#include "base/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tern {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

double value_of_f16(uint16_t h) {
  const double sign = h & 0x8000 ? -1 : 1;
  const int exponent = h >> 10 & 31, fraction = h & 1023;
  if (exponent == 31) return fraction ? NAN : sign * kInf;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

TEST(Half, EveryF16HasItsValue) {
  for (uint32_t h = 0; h < 0x10000; ++h) {
    const float actual = f16_to_f32(static_cast<uint16_t>(h));
    const double expected = value_of_f16(static_cast<uint16_t>(h));
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(actual)) << h;
    } else {
      EXPECT_EQ(static_cast<double>(actual), expected) << h;
      EXPECT_EQ(std::signbit(actual), std::signbit(expected)) << h;
    }
  }
}

TEST(Half, EveryF16SurvivesTheRoundTrip) {
  for (uint32_t h = 0; h < 0x10000; ++h) {
    const float f = f16_to_f32(static_cast<uint16_t>(h));
    if (std::isnan(f)) {
      EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(f)))) << h;
    } else {
      EXPECT_EQ(f32_to_f16(f), h);
    }
  }
}

// Between two neighbours the halfway point goes to the even one, everything else to the nearer one. 65520 lies halfway
// between the largest finite value and what the next one would be, and rounds to infinity.
TEST(Half, F32RoundsToTheNearestF16) {
  for (uint32_t h = 0; h < 0x7c00; ++h) {
    const float low = f16_to_f32(static_cast<uint16_t>(h));
    const double high = h == 0x7bff ? 65536.0 : f16_to_f32(static_cast<uint16_t>(h + 1));
    const auto halfway = static_cast<float>((low + high) / 2);  // exact: one more bit than an f16 has
    const uint32_t even = h % 2 ? h + 1 : h;
    for (const uint32_t sign : {0u, 0x8000u}) {
      const float s = sign ? -1.0f : 1.0f;
      EXPECT_EQ(f32_to_f16(s * halfway), sign | even) << h;
      EXPECT_EQ(f32_to_f16(s * std::nextafter(halfway, 0.0f)), sign | h) << h;
      EXPECT_EQ(f32_to_f16(s * std::nextafter(halfway, kInf)), sign | (h + 1)) << h;
      EXPECT_EQ(f32_to_f16(s * std::nextafter(low, kInf)), sign | h) << h;
    }
  }
}

TEST(Half, F16Extremes) {
  EXPECT_EQ(f32_to_f16(65504.0f), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7c00);
  EXPECT_EQ(f32_to_f16(3e38f), 0x7c00);
  EXPECT_EQ(f32_to_f16(-kInf), 0xfc00);
  EXPECT_EQ(f32_to_f16(0x1p-25f), 0x0000);  // halfway to the smallest subnormal: even
  EXPECT_EQ(f32_to_f16(1e-45f), 0x0000);
  EXPECT_EQ(f32_to_f16(-0.0f), 0x8000);
  EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(std::bit_cast<float>(0x7f800001u)))));  // a payload that has no room
}

TEST(Half, EveryBf16SurvivesTheRoundTrip) {
  for (uint32_t h = 0; h < 0x10000; ++h) {
    const float f = bf16_to_f32(static_cast<uint16_t>(h));
    EXPECT_EQ(std::bit_cast<uint32_t>(f), h << 16);
    if (std::isnan(f)) {
      EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(f)))) << h;
    } else {
      EXPECT_EQ(f32_to_bf16(f), h);
    }
  }
}

TEST(Half, F32RoundsToTheNearestBf16) {
  for (uint32_t h = 0; h < 0x7f80; ++h) {
    const uint32_t even = h % 2 ? h + 1 : h;
    for (const uint32_t sign : {0u, 0x8000u}) {
      const uint32_t low = (sign | h) << 16;
      EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(low | 0x8000u)), sign | even);
      EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(low | 0x7fffu)), sign | h);
      EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(low | 0x8001u)), sign | (h + 1));
    }
  }
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_EQ(f32_to_bf16(std::numeric_limits<float>::max()), 0x7f80);
}

}  // namespace
}  // namespace tern
