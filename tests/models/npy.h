// Reads the .npy files of tests/data/golden: little-endian f32 in C order (numpy's format description, version 1).
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/result.h"

namespace tern::test {

inline Result<std::vector<float>> read_npy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (bytes.size() < 10 || bytes.compare(0, 6, "\x93NUMPY") != 0) {
    return fail(ErrorCode::kInvalidFile, "{} is no .npy file.", path);
  }
  const size_t header = 10 + static_cast<uint8_t>(bytes[8]) + 256u * static_cast<uint8_t>(bytes[9]);
  if (header > bytes.size() || bytes.substr(0, header).find("'<f4'") == bytes.npos) {
    return fail(ErrorCode::kInvalidFile, "{} does not hold little-endian f32.", path);
  }
  std::vector<float> values((bytes.size() - header) / sizeof(float));
  std::memcpy(values.data(), bytes.data() + header, values.size() * sizeof(float));
  return values;
}

}  // namespace tern::test
