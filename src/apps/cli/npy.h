// NumPy's .npy, version 1.0 (numpy.lib.format): float32, C order, written row by row.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "io/output_file.h"

namespace tern::cli {

class NpyWriter {
 public:
  /// The file gets its name in finish() (io::OutputFile). Errors: kIo.
  static Result<NpyWriter> create(const std::string& path, uint64_t rows, uint64_t cols) {
    NpyWriter writer(TRY(io::OutputFile::create(path)));
    std::string header = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, cols);
    // The data starts at a multiple of 64: magic 6, version 2, length 2, header padded with spaces, newline.
    header.append(63 - (10 + header.size()) % 64, ' ');
    header += '\n';
    const char length[2] = {static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
    const std::string all = std::string("\x93NUMPY\x01\x00", 8) + std::string(length, 2) + header;
    TRY(writer.file_.write(std::as_bytes(std::span(all))));
    return writer;
  }

  /// Errors: kIo.
  Result<void> row(std::span<const float> values) { return file_.write(std::as_bytes(values)); }

  /// Errors: kIo.
  Result<void> finish() { return file_.finish(); }

 private:
  explicit NpyWriter(io::OutputFile file) : file_(std::move(file)) {}

  io::OutputFile file_;
};

}  // namespace tern::cli
