// Test data as text or JSON.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "base/json.h"

namespace tern::text {

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline Json read_json(const std::string& path) {
  auto parsed = parse_json(read_file(path));
  EXPECT_TRUE(parsed) << path << ": " << (parsed ? "" : parsed.error().to_string());
  return parsed ? *std::move(parsed) : Json();
}

inline std::string data_path(const std::string& name) {
  return std::string(TERN_TEST_DATA "/text/") + name;
}

}  // namespace tern::text
