#include "backends/host/weight_rows.h"

#include <algorithm>
#include <cstring>

namespace tern::backends {

namespace {

Result<uint64_t> file_row_bytes(const graph::Weight& weight) {
  if (weight.rows == 0 || weight.cols == 0) {
    return fail(ErrorCode::kInvalidArgument, "Weight {} is empty: its shape is [{}, {}].", weight.name, weight.rows,
                weight.cols);
  }
  return formats::row_bytes(weight.format, weight.cols);
}

}  // namespace

Result<WeightRows> WeightRows::make(const graph::Weight& weight, std::span<const std::span<const std::byte>> pieces) {
  WeightRows out{weight.format, weight.rows, weight.cols, TRY(file_row_bytes(weight)), {}};
  uint64_t row = 0;
  for (const std::span<const std::byte> piece : pieces) {
    if (row == weight.rows) break;
    // Only the last piece may be larger than its rows: an allocated buffer is as large as its owner likes.
    const uint64_t rows = std::min<uint64_t>(piece.size() / out.row_bytes, weight.rows - row);
    if (rows == 0 || (row + rows < weight.rows && piece.size() % out.row_bytes != 0)) {
      return fail(ErrorCode::kInvalidArgument,
                  "A piece of weight {} has {} bytes, which is not whole rows of {} bytes.", weight.name, piece.size(),
                  out.row_bytes);
    }
    out.runs.push_back({piece.data(), static_cast<uint32_t>(row), static_cast<uint32_t>(rows)});
    row += rows;
  }
  if (row != weight.rows) {
    return fail(ErrorCode::kInvalidArgument, "The buffer of weight {} holds {} rows of {} bytes; the plan needs {}.",
                weight.name, row, out.row_bytes, weight.rows);
  }
  return out;
}

WeightRows WeightRows::of_vector(std::span<const float> vector) {
  const auto* data = reinterpret_cast<const std::byte*>(vector.data());
  return {Format::kF32, 1, static_cast<uint32_t>(vector.size()), vector.size_bytes(), {{data, 0, 1}}};
}

const WeightRows::Run& WeightRows::run_of(uint32_t r) const {
  return *(std::ranges::upper_bound(runs, r, {}, &Run::row0) - 1);
}

const std::byte* WeightRows::row(uint32_t r) const {
  const Run& run = run_of(r);
  return run.data + (r - run.row0) * row_bytes;
}

void WeightRows::decode(uint32_t r, std::span<float> out) const {
  formats::decode_row(format, row(r), out);
}

std::vector<float> WeightRows::decode_vector() const {
  std::vector<float> out(rows == 1 ? cols : rows);
  if (rows == 1) {
    decode(0, out);
    return out;
  }
  for (uint32_t r = 0; r < rows; ++r) decode(r, std::span(out).subspan(r, 1));
  return out;
}

uint64_t file_layout_bytes(const graph::Weight& weight) {
  return weight.rows * formats::row_bytes(weight.format, weight.cols).value_or(0);
}

Result<uint64_t> rows_in(const graph::Weight& weight, uint32_t row0, std::span<const std::byte> rows) {
  const uint64_t row_bytes = TRY(file_row_bytes(weight));
  const uint64_t n = rows.size() / row_bytes;
  if (rows.size() % row_bytes != 0 || n > weight.rows || row0 > weight.rows - n) {
    return fail(ErrorCode::kInvalidArgument,
                "Rows from {} on in {} bytes do not fit weight {}, which has {} rows of {} bytes.", row0, rows.size(),
                weight.name, weight.rows, row_bytes);
  }
  return n;
}

Result<void> write_rows(const graph::Weight& weight, uint32_t row0, std::span<const std::byte> rows,
                        std::span<std::byte> memory) {
  TRY(rows_in(weight, row0, rows));
  const uint64_t row_bytes = TRY(file_row_bytes(weight));
  if (memory.size() / row_bytes < weight.rows) {
    return fail(ErrorCode::kInvalidArgument, "The buffer of weight {} has {} bytes; {} rows of {} bytes are needed.",
                weight.name, memory.size(), weight.rows, row_bytes);
  }
  if (!rows.empty()) std::memcpy(memory.data() + row0 * row_bytes, rows.data(), rows.size());
  return {};
}

}  // namespace tern::backends
