#include "backends/webgpu/uploader.h"

#include <algorithm>

namespace tern::backends::webgpu {

namespace {

/// Bytes of planes that are repacked and written at a time: they stay in a core's cache in between, and a write costs
/// some microseconds of its own.
constexpr uint64_t kPieceBytes = uint64_t{1} << 20;

}  // namespace

Result<void> Uploader::upload_piece(const graph::Weight& weight, const PlaneLayout& layout, uint32_t buffer,
                                    uint64_t row, std::span<const std::byte> rows, uint64_t n, Worker& worker) {
  const uint64_t codes_at = row * layout.row_bytes;
  if (layout.group == 0 && layout.family == family_of(weight.format) && rows.size() == n * layout.row_bytes) {
    return device_.write(buffer, codes_at, rows);
  }
  const uint64_t scale_bytes = uint64_t{layout.row_scales} * layout.scale_bytes;
  worker.codes.resize(n * layout.row_bytes);
  worker.scales.resize(n * scale_bytes);
  repack_rows(weight, layout, rows.data(), n, worker.codes.data(), worker.scales.data());
  TRY(device_.write(buffer, codes_at, worker.codes));
  if (worker.scales.empty()) return {};
  return device_.write(buffer, layout.scales + row * scale_bytes, worker.scales);
}

Result<void> Uploader::upload(const graph::Weight& weight, uint32_t buffer, uint32_t row0,
                              std::span<const std::byte> rows) {
  const PlaneLayout layout = PlaneLayout::of(weight);
  const uint64_t n = TRY(whole_rows(weight, rows));
  if (row0 > layout.rows || n > layout.rows - row0) {
    return fail(ErrorCode::kInvalidArgument, "Rows [{}, +{}) do not fit weight {}, which has {}.", row0, n, weight.name,
                layout.rows);
  }
  if (n == 0) return {};
  const uint64_t file_bytes = rows.size() / n;
  const uint64_t step = std::clamp<uint64_t>(kPieceBytes / std::max(layout.row_bytes, 1u), 1, n);
  threads_.parallel_for(n, step, [&](size_t begin, size_t end, uint32_t w) {
    Worker& worker = workers_[w];
    for (size_t at = begin; at < end && worker.result; at += step) {
      const uint64_t some = std::min<uint64_t>(step, end - at);
      worker.result = upload_piece(weight, layout, buffer, row0 + at, rows.subspan(at * file_bytes, some * file_bytes),
                                   some, worker);
    }
  });
  for (Worker& worker : workers_) TRY(std::exchange(worker.result, {}));
  return {};
}

}  // namespace tern::backends::webgpu
