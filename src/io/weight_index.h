// WeightIndex: name -> where a tensor's rows lie and in which format. Filled by gguf.cc or safetensors.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/format.h"
#include "io/byte_source.h"
#include "io/recipe.h"
#include "io/string_map.h"

namespace tern::io {

/// shape is outermost first: a matrix is {rows, cols}, stacked experts {experts, rows, cols}, a vector {cols}.
struct TensorInfo {
  std::string name;
  Format format = Format::kF32;
  std::vector<uint64_t> shape;
  uint32_t source = 0;  // index of the ByteSource
  uint64_t offset = 0;  // absolute, in bytes
  uint64_t length = 0;
  // Formats whose file layout is not rows of blocks (AWQ, INT8 of Hugging Face): the Recipe of the WeightIndex that
  // says how read_rows() assembles rows; -1 for a plain tensor, which alone has source, offset and length.
  int32_t recipe = -1;

  uint64_t cols() const { return shape.back(); }
  uint64_t rows() const;  // product of all but the last dimension
};

class WeightIndex {
 public:
  const TensorInfo* find(std::string_view name) const;
  std::span<const TensorInfo> tensors() const;
  /// Index into tensors(); ids in a Graph's weights are these.
  Result<uint32_t> id_of(std::string_view name) const;

  /// Rows [row0, row0 + n) in the format's row layout. out: n * row_bytes(format, cols).
  Result<void> read_rows(uint32_t tensor, uint64_t row0, uint64_t n, std::span<std::byte> out) const;
  /// The same without a copy; empty when the bytes are not addressable or need assembling.
  std::span<const std::byte> mapped_rows(uint32_t tensor, uint64_t row0, uint64_t n) const;
  /// All rows decoded to f32; for small tensors (norms, biases, tests).
  Result<std::vector<float>> read_f32(uint32_t tensor) const;

  /// A hint that these rows will not be read again soon (they were repacked or uploaded); see ByteSource::release.
  void release_rows(uint32_t tensor, uint64_t row0, uint64_t n) const;

  /// A hint that these rows will be read soon; see ByteSource::will_need.
  void will_need_rows(uint32_t tensor, uint64_t row0, uint64_t n) const;

  /// All sources are as they were when they were opened; see ByteSource::check_unchanged.
  Result<void> check_unchanged() const;

  // The readers' side. A reader checks offsets against the source's size before it adds a tensor.
  uint32_t add_source(std::unique_ptr<ByteSource> source);
  const ByteSource& source(uint32_t i) const { return *sources_[i]; }
  uint32_t source_count() const { return static_cast<uint32_t>(sources_.size()); }
  uint32_t add_recipe(const Recipe& recipe);
  /// Errors: kInvalidFile when the name is taken.
  Result<void> add_tensor(TensorInfo tensor);

 private:
  std::vector<std::unique_ptr<ByteSource>> sources_;
  std::vector<TensorInfo> tensors_;
  std::vector<Recipe> recipes_;
  StringMap<uint32_t> by_name_;
};

}  // namespace tern::io
