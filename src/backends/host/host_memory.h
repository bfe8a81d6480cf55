// HostMemory: the buffers of a backend that computes in host memory (ref, cpu). A buffer is either one zeroed block of
// our own or a list of pieces of somebody else's memory (a mapped model file), which is never written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "backends/backend.h"

namespace tern::backends {

/// A zeroed block on a cache line. Big ones cost no memory until they are touched.
class HostBlock {
 public:
  /// Errors: kOutOfMemory naming `what` and the need.
  static Result<HostBlock> make(uint64_t bytes, std::string_view what);

  std::span<std::byte> bytes() const { return bytes_; }
  /// The block as an array of T; as many as fit.
  template <class T>
  std::span<T> as() const {
    return {reinterpret_cast<T*>(bytes_.data()), bytes_.size() / sizeof(T)};
  }

 private:
  struct Free {
    size_t mapped;  // bytes of map_pages(); 0: the memory is calloc's
    void operator()(void* p) const;
  };
  std::unique_ptr<void, Free> owner_;
  std::span<std::byte> bytes_;
};

class HostMemory {
 public:
  Result<Buffer> alloc(uint64_t bytes);
  Result<Buffer> import(std::span<const std::span<const std::byte>> pieces);
  void free(Buffer buffer);

  /// The runs of memory a buffer consists of. Errors: kInvalidArgument when there is no such buffer.
  Result<std::span<const std::span<const std::byte>>> pieces(Buffer buffer) const;
  /// A buffer of our own, to write to. Errors: kInvalidArgument when it is imported or unknown.
  Result<std::span<std::byte>> writable(Buffer buffer) const;

 private:
  struct Entry {
    bool used = false;
    HostBlock block;                                 // empty when imported
    std::vector<std::span<const std::byte>> pieces;  // of the block, or imported
  };
  std::vector<Entry> entries_;

  Result<Buffer> add(Entry entry);
  Result<const Entry*> find(Buffer buffer) const;
};

}  // namespace tern::backends
