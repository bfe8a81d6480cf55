// GgufWriter: streams a GGUF (version 3) to disk. Metadata and the list of tensors come first, then the tensors' bytes
// in that order and in pieces of any size, so that no model is ever in memory as a whole.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "formats/format.h"
#include "io/metadata.h"
#include "io/output_file.h"

namespace tern::io {

class GgufWriter {
 public:
  /// The file gets its name in finish() (OutputFile). Errors: kIo when it cannot be created.
  static Result<GgufWriter> create(const std::string& path);

  /// Before write_header(). Errors: kInvalidArgument for a key that is taken, empty or longer than 65535 bytes.
  /// "general.alignment" is not to be added: files use the default of 32.
  Result<void> add(std::string key, Metadata::Value value);

  /// shape is outermost first, 1 to 4 dimensions. Errors: kInvalidArgument for names (1 to 64 bytes) or shapes that
  /// GGUF cannot hold, kUnsupported for formats that are no GGUF type (AWQ, INT8).
  Result<void> declare(std::string name, Format format, std::vector<uint64_t> shape);

  /// Errors: kIo.
  Result<void> write_header();

  /// The next bytes of the tensor that is being written; the first declared one first. A piece lies within one tensor;
  /// padding between tensors is added here. Errors: kInvalidArgument for more bytes than were declared, kIo.
  Result<void> append(std::span<const std::byte> bytes);

  /// Errors: kInvalidArgument while bytes are missing, kIo.
  Result<void> finish();

 private:
  struct Tensor {
    std::string name;
    Format format;
    std::vector<uint64_t> shape;
    uint64_t offset, length;
  };

  explicit GgufWriter(OutputFile file) : file_(std::move(file)) {}
  Result<void> write(std::span<const std::byte> bytes);
  Result<void> pad();

  OutputFile file_;
  Metadata metadata_;
  std::vector<Tensor> tensors_;
  uint64_t data_bytes_ = 0;  // where the next declared tensor begins
  uint64_t position_ = 0;    // bytes written to the file
  bool header_written_ = false;
  size_t current_ = 0;    // the tensor that append() writes
  uint64_t written_ = 0;  // bytes of it
};

}  // namespace tern::io
