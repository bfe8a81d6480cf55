// The only fork in loading: where bytes come from. Natively a memory map, in the browser a ranged fetch or OPFS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace tern::io {

struct ByteSource {
  virtual ~ByteSource() = default;
  virtual uint64_t size() const = 0;
  /// Name for messages ("model.gguf").
  virtual const std::string& name() const = 0;
  /// Copies [offset, offset + out.size()). Errors: kInvalidFile when past the end, kIo.
  virtual Result<void> read(uint64_t offset, std::span<std::byte> out) const = 0;
  /// All bytes when they are addressable (mmap, memory), else empty.
  virtual std::span<const std::byte> mapped() const { return {}; }
  /// Errors: kInvalidFile when the bytes are not those that were opened (a file that was written to).
  virtual Result<void> check_unchanged() const { return {}; }
  /// When the bytes were last written, in nanoseconds of the system's clock; 0 where nobody knows.
  virtual uint64_t modified() const { return 0; }
  /// A hint that these bytes will not be read again soon: a memory map gives the pages back, so that a model whose
  /// weights were repacked is not resident twice.
  virtual void release(uint64_t offset, uint64_t length) const { (void)offset, (void)length; }
  /// A hint that these bytes will be read soon, as they are asked for here: what comes over a network can be on its
  /// way.
  virtual void will_need(uint64_t offset, uint64_t length) const { (void)offset, (void)length; }
};

/// mmap, read-only (wasm: ranged reads). Errors: kNotFound, kIo (with errno's text), kInvalidFile for a directory or an
/// empty file.
Result<std::unique_ptr<ByteSource>> open_file(const std::string& path);

/// Owns a copy of bytes; for tests, fuzzers and small downloads.
std::unique_ptr<ByteSource> memory_source(std::string name, std::vector<std::byte> bytes);

}  // namespace tern::io
