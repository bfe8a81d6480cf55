// The committed vectors of tests/data/formats/ (tools/gen_format_vectors.py): what others say our formats mean.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace tern::formats {

template <class T>
std::vector<T> read_vector(const std::string& name) {
  std::ifstream file(std::string(TERN_TEST_DATA) + "/formats/" + name + ".bin", std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_EQ(bytes.size() % sizeof(T), 0u) << name;
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

/// Equal as bits: tells -0 from 0, and takes equal NaNs as equal.
inline void expect_same_bits(const std::vector<float>& actual, const std::vector<float>& expected,
                             const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_EQ(std::bit_cast<uint32_t>(actual[i]), std::bit_cast<uint32_t>(expected[i]))
        << what << ": weight " << i << " is " << actual[i] << ", expected " << expected[i];
  }
}

}  // namespace tern::formats
