#include "apps/cli/row_encoder.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace tern::cli {
namespace {

constexpr uint64_t kPieceWeights = uint64_t{1} << 21;  // 8 MB as f32: several milliseconds of work for each thread

}  // namespace

Result<void> RowEncoder::encode(std::span<const graph::WeightSlice> slices, Format target, const Sink& sink) {
  const io::TensorInfo& info = weights_.tensors()[slices[0].tensor];
  const uint64_t cols = info.cols();
  const uint64_t row_bytes = TRY(formats::row_bytes(target, cols));
  const uint64_t piece = std::max<uint64_t>(1, kPieceWeights / cols);
  std::vector<std::byte> out(piece * row_bytes);
  std::vector<Row> rows;
  const auto flush = [&]() -> Result<void> {
    TRY(locate(rows));
    const std::span<std::byte> bytes = std::span(out).first(rows.size() * row_bytes);
    TRY(encode_piece(info.format, target, cols, bytes));
    for (const Run& run : runs_) weights_.release_rows(run.tensor, run.row0, run.n);
    rows.clear();
    return sink(bytes);
  };
  for (const graph::WeightSlice& slice : slices) {
    for (uint64_t row = slice.row0; row < uint64_t{slice.row0} + slice.rows; ++row) {
      rows.push_back({slice.tensor, row});
      if (rows.size() == piece) TRY(flush());
    }
  }
  if (!rows.empty()) TRY(flush());
  return {};
}

// Fills at_: one run of rows of the same tensor after the other.
Result<void> RowEncoder::locate(std::span<const Row> rows) {
  at_.clear();
  runs_.clear();
  buffers_.clear();
  while (!rows.empty()) {
    const auto end = std::ranges::find_if(rows, [&](const Row& row) { return row.tensor != rows[0].tensor; });
    const auto n = static_cast<size_t>(end - rows.begin());
    TRY(locate_run(rows.first(n)));
    rows = rows.subspan(n);
  }
  return {};
}

// Rows of one tensor, in any order (Q and K are permuted within heads): in place where the file is mapped; else all
// that lie between the first and the last are read at once, because assembling a single row of AWQ costs as much as
// eight.
Result<void> RowEncoder::locate_run(std::span<const Row> rows) {
  const uint32_t tensor = rows[0].tensor;
  const auto [low, high] = std::ranges::minmax(rows, {}, &Row::row);
  const uint64_t n = high.row - low.row + 1;
  const io::TensorInfo& info = weights_.tensors()[tensor];
  const uint64_t row_bytes = TRY(formats::row_bytes(info.format, info.cols()));
  std::span<const std::byte> bytes = weights_.mapped_rows(tensor, low.row, n);
  if (bytes.empty()) {
    std::vector<std::byte>& buffer = buffers_.emplace_back(n * row_bytes);
    TRY(weights_.read_rows(tensor, low.row, n, buffer));
    bytes = buffer;
  }
  runs_.push_back({tensor, low.row, n});
  for (const Row& row : rows) at_.push_back(bytes.data() + (row.row - low.row) * row_bytes);
  return {};
}

Result<void> RowEncoder::encode_piece(Format source, Format target, uint64_t cols, std::span<std::byte> out) {
  const uint64_t row_bytes = out.size() / at_.size();
  std::vector<std::optional<Error>> errors(pool_.threads());
  pool_.parallel_for(at_.size(), 1, [&](size_t begin, size_t end, uint32_t worker) {
    std::vector<float> values(source == target ? 0 : cols);
    for (size_t i = begin; i < end; ++i) {
      std::byte* to = out.data() + i * row_bytes;
      if (source == target) {
        std::memcpy(to, at_[i], row_bytes);
        continue;
      }
      formats::decode_row(source, at_[i], values);
      if (auto encoded = formats::encode_row(target, values, to); !encoded) {
        errors[worker] = std::move(encoded).error();
        return;
      }
    }
  });
  for (std::optional<Error>& error : errors) {
    if (error) return std::unexpected(*std::move(error));
  }
  return {};
}

}  // namespace tern::cli
