// NumPy's .npy, version 1.0 (numpy.lib.format): float32, C order, written row by row.
#pragma once

#include <cstdint>
#include <fstream>
#include <span>
#include <string>

#include "base/result.h"

namespace tern::cli {

class NpyWriter {
 public:
  /// Errors: kIo when the file cannot be made.
  static Result<NpyWriter> create(const std::string& path, uint64_t rows, uint64_t cols) {
    NpyWriter writer;
    writer.file_.open(path, std::ios::binary);
    std::string header = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, cols);
    // The data starts at a multiple of 64: magic 6, version 2, length 2, header padded with spaces, newline.
    header.append(63 - (10 + header.size()) % 64, ' ');
    header += '\n';
    const char length[2] = {static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
    writer.file_.write("\x93NUMPY\x01\x00", 8).write(length, 2).write(header.data(), header.size());
    if (!writer.file_) return fail(ErrorCode::kIo, "{} cannot be written.", path);
    return writer;
  }

  void row(std::span<const float> values) {
    file_.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
  }

  Result<void> finish() {
    file_.flush();
    if (!file_) return fail(ErrorCode::kIo, "The logits could not be written whole; is the disk full?");
    return {};
  }

 private:
  std::ofstream file_;
};

}  // namespace tern::cli
