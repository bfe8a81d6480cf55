// HostBackend: what backends that compute in host memory (ref, cpu) have in common: their buffers, and weights in the
// file's own layout.
#pragma once

#include "backends/host/host_memory.h"
#include "backends/host/weight_rows.h"

namespace tern::backends {

class HostBackend : public Backend {
 public:
  const graph::Target& target() const override { return target_; }
  Result<Buffer> alloc(uint64_t bytes, Usage) override { return memory_.alloc(bytes); }
  Result<Buffer> import_host(std::span<const std::span<const std::byte>> pieces) override {
    return memory_.import(pieces);
  }
  uint64_t weight_bytes(const graph::Plan& plan, uint32_t weight) const override {
    return file_layout_bytes(plan.weights[weight]);
  }
  Result<void> upload_rows(const graph::Plan& plan, uint32_t weight, Buffer buffer, uint32_t row0,
                           std::span<const std::byte> rows) override {
    return write_rows(plan.weights[weight], row0, rows, TRY(memory_.writable(buffer)));
  }
  void free(Buffer buffer) override { memory_.free(buffer); }

 protected:
  graph::Target target_;
  HostMemory memory_;
};

}  // namespace tern::backends
