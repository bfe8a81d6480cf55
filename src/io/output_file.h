// OutputFile: a file that has its name when it is whole, and never before.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"

namespace tern::io {

class OutputFile {
 public:
  /// Writes to "<path>.partial", which finish() renames; one that is not finished is removed. A device or a pipe is
  /// written to, where a file would be replaced. Errors: kIo when it cannot be created.
  static Result<OutputFile> create(const std::string& path);

  /// Errors: kIo.
  Result<void> write(std::span<const std::byte> bytes);

  /// Errors: kIo.
  Result<void> finish();

 private:
  struct File {
    std::string path, partial;  // the same for what is no file
    std::FILE* handle = nullptr;
    ~File();
  };
  explicit OutputFile(std::unique_ptr<File> file) : file_(std::move(file)) {}

  std::unique_ptr<File> file_;
};

}  // namespace tern::io
