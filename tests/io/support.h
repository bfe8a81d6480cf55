// What the io tests share: bytes put together by hand (independently of GgufWriter, so that reader and writer cannot
// share a mistake), sources that are not in memory, temporary folders, and a watch over the largest allocation.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/byte_source.h"

namespace tern::io {

/// Little-endian bytes in order.
struct Bytes {
  std::string s;
  template <class T>
  Bytes& put(T value) {
    s.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Bytes& u8(uint8_t v) { return put(v); }
  Bytes& u32(uint32_t v) { return put(v); }
  Bytes& u64(uint64_t v) { return put(v); }
  /// GGUF string: length u64, bytes.
  Bytes& str(std::string_view text) {
    u64(text.size());
    s += text;
    return *this;
  }
};

/// A GGUF from its parts, each of which a test may spoil. Type ids are the specification's numbers.
struct GgufBytes {
  std::string magic = "GGUF";
  uint32_t version = 3;
  Bytes keys, tensors;
  uint64_t n_keys = 0, n_tensors = 0;
  uint64_t alignment = 32;
  std::string data;

  GgufBytes& key(std::string_view name, uint32_t type, const Bytes& value) {
    keys.str(name).u32(type);
    keys.s += value.s;
    ++n_keys;
    return *this;
  }
  GgufBytes& u32(std::string_view name, uint32_t value) { return key(name, 4, Bytes().u32(value)); }
  GgufBytes& str(std::string_view name, std::string_view value) { return key(name, 8, Bytes().str(value)); }
  /// dims innermost first, as stored; type 0 is F32.
  GgufBytes& tensor(std::string_view name, const std::vector<uint64_t>& dims, uint64_t offset, uint32_t type = 0) {
    tensors.str(name).u32(static_cast<uint32_t>(dims.size()));
    for (const uint64_t dim : dims) tensors.u64(dim);
    tensors.u32(type).u64(offset);
    ++n_tensors;
    return *this;
  }
  std::string header() const {
    Bytes out;
    out.s = magic;
    out.u32(version).u64(n_tensors).u64(n_keys);
    return out.s + keys.s + tensors.s;
  }
  std::string build() const {
    std::string out = header();
    out.resize((out.size() + alignment - 1) / alignment * alignment, '\0');
    return out + data;
  }
};

inline std::string floats(const std::vector<float>& values) {
  Bytes out;
  for (const float v : values) out.put(v);
  return out.s;
}

/// Header and data of a safetensors file.
inline std::string safetensors_bytes(std::string_view header, std::string_view data) {
  Bytes out;
  out.str(header);
  return out.s + std::string(data);
}

inline std::unique_ptr<ByteSource> memory(std::string_view bytes, std::string name = "test.bin") {
  const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
  return memory_source(std::move(name), std::vector<std::byte>(begin, begin + bytes.size()));
}

/// As in the browser: bytes come only by read().
class RangedSource final : public ByteSource {
 public:
  explicit RangedSource(std::string bytes) : bytes_(std::move(bytes)) {}
  uint64_t size() const override { return bytes_.size(); }
  const std::string& name() const override { return name_; }
  Result<void> read(uint64_t offset, std::span<std::byte> out) const override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) {
      return fail(ErrorCode::kInvalidFile, "past the end");
    }
    std::memcpy(out.data(), bytes_.data() + offset, out.size());
    ++reads;
    return {};
  }
  mutable int reads = 0;

 private:
  std::string bytes_, name_ = "ranged.bin";
};

inline std::string read_all(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline std::string data_path(const std::string& name) {
  return std::string(TERN_TEST_DATA "/io/") + name;
}

/// A folder that disappears with the test.
class TempDir {
 public:
  TempDir() {
    static int count = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("tern_io_test_" + std::to_string(getpid()) + "_" + std::to_string(count++));
    std::filesystem::create_directories(path_);
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string path(const std::string& name = ".") const { return (path_ / name).string(); }
  std::string write(const std::string& name, std::string_view bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return path(name);
  }

 private:
  std::filesystem::path path_;
};

/// The largest single request to operator new since the last call (allocation_watch.cc).
void reset_largest_allocation();
size_t largest_allocation();

/// Expects an error that mentions every given text.
template <class T>
void expect_error(const Result<T>& result, ErrorCode code, const std::vector<std::string>& texts) {
  ASSERT_FALSE(result.has_value()) << "an error with \"" << (texts.empty() ? "" : texts[0]) << "\" was expected";
  const std::string message = result.error().to_string();
  EXPECT_EQ(result.error().code, code) << message;
  for (const std::string& text : texts)
    EXPECT_NE(message.find(text), std::string::npos) << text << "\nnot in\n" << message;
}

}  // namespace tern::io
