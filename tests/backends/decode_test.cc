// The decoders of every instruction set against the scalar truth, bit for bit.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "backends/cpu/kernels.h"

namespace tern::backends::cpu {
namespace {

void expect_decodes_as_truth(const KernelTable& kernels, const FormatInfo& format, uint32_t cols,
                             const std::vector<std::byte>& row) {
  std::vector<float> truth(cols);
  formats::decode_row(format.id, row.data(), truth);
  for (uint32_t k0 = 0; k0 < cols; k0 += kChunk) {
    std::vector<float> got(kChunk, NAN);
    const uint32_t n = std::min(kChunk, cols - k0);
    kernels.format(format.id).decode(format.id, row.data(), k0, n, got.data());
    for (uint32_t i = 0; i < n; ++i) {
      const bool both_nan = std::isnan(got[i]) && std::isnan(truth[k0 + i]);
      ASSERT_TRUE(both_nan || std::bit_cast<uint32_t>(got[i]) == std::bit_cast<uint32_t>(truth[k0 + i]))
          << kernels.name << " " << format.name << " column " << k0 + i << ": " << got[i] << ", not " << truth[k0 + i];
    }
    for (uint32_t i = n; i % kernels.lanes != 0; ++i) ASSERT_EQ(got[i], 0.0f);
  }
}

TEST(Decode, EqualsTheScalarTruth) {
  for (const std::string_view isa : available_isas()) {
    const KernelTable& kernels = **choose_kernels(isa);
    for (const FormatInfo& format : formats::all()) {
      const uint32_t block = std::max(1u, format.block);
      for (const uint32_t cols : {block, 3 * block, 6 * 256u, 256u + block}) {
        std::vector<std::byte> row(*formats::row_bytes(format.id, cols));
        for (uint64_t seed = 0; seed < 5; ++seed) {
          formats::random_row(format.id, seed, 0.5f, cols, row.data());
          expect_decodes_as_truth(kernels, format, cols, row);
        }
      }
    }
  }
}

/// Any bytes at all: scales that are subnormal, infinite or NaN.
TEST(Decode, EqualsTheScalarTruthOnNoise) {
  for (const std::string_view isa : available_isas()) {
    for (const FormatInfo& format : formats::all()) {
      uint64_t state = 1;
      std::vector<std::byte> row(*formats::row_bytes(format.id, 1024));
      for (int round = 0; round < 20; ++round) {
        for (std::byte& b : row) {
          state = state * 6364136223846793005u + 1442695040888963407u;
          b = static_cast<std::byte>(state >> 56);
        }
        expect_decodes_as_truth(**choose_kernels(isa), format, 1024, row);
      }
    }
  }
}

/// All 65,536 halves.
TEST(Decode, EveryHalf) {
  std::vector<uint16_t> halves(65536);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
  std::vector<std::byte> row(halves.size() * 2);
  std::memcpy(row.data(), halves.data(), row.size());
  for (const std::string_view isa : available_isas()) {
    expect_decodes_as_truth(**choose_kernels(isa), formats::info(Format::kF16), 65536, row);
    expect_decodes_as_truth(**choose_kernels(isa), formats::info(Format::kBF16), 65536, row);
  }
}

}  // namespace
}  // namespace tern::backends::cpu
