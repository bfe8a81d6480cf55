// NumPy's .npy, version 1.0 (numpy.lib.format): float32, C order, written row by row.
#pragma once

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <span>
#include <string>

#include "base/result.h"

namespace tern::cli {

/// Writes to "<path>.partial"; finish() gives it its name, so a file of that name is always complete.
class NpyWriter {
 public:
  /// Errors: kIo when the file cannot be made.
  static Result<NpyWriter> create(const std::string& path, uint64_t rows, uint64_t cols) {
    NpyWriter writer(path);
    writer.file_.open(writer.partial_, std::ios::binary);
    std::string header = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, cols);
    // The data starts at a multiple of 64: magic 6, version 2, length 2, header padded with spaces, newline.
    header.append(63 - (10 + header.size()) % 64, ' ');
    header += '\n';
    const char length[2] = {static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
    writer.file_.write("\x93NUMPY\x01\x00", 8).write(length, 2).write(header.data(), header.size());
    if (!writer.file_) return fail(ErrorCode::kIo, "{} cannot be written.", path);
    return writer;
  }
  NpyWriter(NpyWriter&&) = default;
  ~NpyWriter() {
    if (file_.is_open()) std::remove(partial_.c_str());
  }

  void row(std::span<const float> values) {
    file_.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
  }

  /// Errors: kIo.
  Result<void> finish() {
    file_.flush();
    if (!file_) return fail(ErrorCode::kIo, "{} could not be written whole; is the disk full?", path_);
    file_.close();
    if (std::rename(partial_.c_str(), path_.c_str()) == 0) return {};
    std::remove(partial_.c_str());
    return fail(ErrorCode::kIo, "{} cannot be written.", path_);
  }

 private:
  explicit NpyWriter(const std::string& path) : path_(path), partial_(path + ".partial") {}

  std::string path_, partial_;
  std::ofstream file_;
};

}  // namespace tern::cli
