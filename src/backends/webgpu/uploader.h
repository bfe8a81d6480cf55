// Uploader: weights from rows in the file's layout to planes in a buffer of the device. All cores repack; each writes
// what it has repacked, a megabyte at a time, so that repacking, copying to staging memory and the device's own copying
// go on side by side and no more than a megabyte a core is held.
#pragma once

#include <span>
#include <vector>

#include "backends/webgpu/device.h"
#include "backends/webgpu/repack.h"
#include "base/thread_pool.h"

namespace tern::backends::webgpu {

class Uploader {
 public:
  /// threads: 0: all cores.
  Uploader(Device& device, uint32_t threads) : device_(device), threads_(threads), workers_(threads_.threads()) {}

  /// rows: whole ones in file layout, which become rows [row0, ...) of the weight that lies in `buffer`.
  /// Errors: kInvalidArgument when they are not whole or not rows of the weight; the device's.
  Result<void> upload(const graph::Weight& weight, uint32_t buffer, uint32_t row0, std::span<const std::byte> rows);

 private:
  struct Worker {
    std::vector<std::byte> codes, scales;
    Result<void> result;
  };

  Device& device_;
  ThreadPool threads_;
  std::vector<Worker> workers_;

  Result<void> upload_piece(const graph::Weight& weight, const PlaneLayout& layout, uint32_t buffer, uint64_t row,
                            std::span<const std::byte> rows, uint64_t n, Worker& worker);
};

}  // namespace tern::backends::webgpu
