// Writes what models::export_gguf() says to a file, without requantising; formats that GGUF lacks become F32.
#pragma once

#include <string>
#include <vector>

#include "formats/format.h"
#include "io/gguf_writer.h"
#include "models/common/export.h"

namespace tern::test {

inline bool is_gguf_format(Format format) {
  return static_cast<uint32_t>(format) < 0x100;
}

inline Result<void> append_rows(io::GgufWriter& writer, const io::WeightIndex& index,
                                const models::ModelTensor& tensor) {
  if (tensor.slices.empty()) return writer.append(std::as_bytes(std::span(tensor.values)));
  const uint64_t cols = tensor.shape.back();
  const uint64_t row_bytes = TRY(formats::row_bytes(tensor.format, cols));
  for (const graph::WeightSlice& slice : tensor.slices) {
    std::vector<std::byte> rows(slice.rows * row_bytes);
    TRY(index.read_rows(slice.tensor, slice.row0, slice.rows, rows));
    if (is_gguf_format(tensor.format)) {
      TRY(writer.append(rows));
      continue;
    }
    std::vector<float> values(slice.rows * cols);
    for (uint32_t r = 0; r < slice.rows; ++r) {
      formats::decode_row(tensor.format, rows.data() + r * row_bytes, std::span(values).subspan(r * cols, cols));
    }
    TRY(writer.append(std::as_bytes(std::span(values))));
  }
  return {};
}

inline Result<void> write_gguf(const models::Export& exported, const io::WeightIndex& index, const std::string& path) {
  io::GgufWriter writer = TRY(io::GgufWriter::create(path));
  for (const io::Metadata::Entry& entry : exported.metadata) TRY(writer.add(entry.key, entry.value));
  for (const models::ModelTensor& tensor : exported.tensors) {
    TRY(writer.declare(tensor.name, is_gguf_format(tensor.format) ? tensor.format : Format::kF32, tensor.shape));
  }
  TRY(writer.write_header());
  for (const models::ModelTensor& tensor : exported.tensors) TRY(append_rows(writer, index, tensor));
  return writer.finish();
}

}  // namespace tern::test
