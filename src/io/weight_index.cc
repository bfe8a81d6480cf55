#include "io/weight_index.h"

#include "io/text.h"

namespace tern::io {

uint64_t TensorInfo::rows() const {
  uint64_t product = 1;
  for (size_t i = 0; i + 1 < shape.size(); ++i) product *= shape[i];
  return product;
}

const TensorInfo* WeightIndex::find(std::string_view name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : &tensors_[it->second];
}

std::span<const TensorInfo> WeightIndex::tensors() const {
  return tensors_;
}

Result<uint32_t> WeightIndex::id_of(std::string_view name) const {
  const auto it = by_name_.find(name);
  if (it == by_name_.end()) {
    return fail(ErrorCode::kInvalidFile, "The model has no tensor {} among its {}.", name, tensors_.size());
  }
  return it->second;
}

Result<void> WeightIndex::read_rows(uint32_t tensor, uint64_t row0, uint64_t n, std::span<std::byte> out) const {
  const TensorInfo& info = tensors_[tensor];
  const uint64_t row_bytes = TRY(formats::row_bytes(info.format, info.cols()));
  ASSERT(row0 <= info.rows() && n <= info.rows() - row0 && out.size() == n * row_bytes);
  if (info.recipe < 0) {
    TRY_CTX(sources_[info.source]->read(info.offset + row0 * row_bytes, out), "while reading tensor {}", info.name);
    return {};
  }
  TRY_CTX(assemble_rows(recipes_[static_cast<size_t>(info.recipe)], sources_, info.rows(), info.cols(), row0, n, out),
          "while reading tensor {}", info.name);
  return {};
}

std::span<const std::byte> WeightIndex::mapped_rows(uint32_t tensor, uint64_t row0, uint64_t n) const {
  const TensorInfo& info = tensors_[tensor];
  const auto row_bytes = formats::row_bytes(info.format, info.cols());
  if (info.recipe >= 0 || !row_bytes) return {};
  ASSERT(row0 <= info.rows() && n <= info.rows() - row0);
  const std::span<const std::byte> bytes = sources_[info.source]->mapped();
  return bytes.empty() ? bytes : bytes.subspan(info.offset + row0 * *row_bytes, n * *row_bytes);
}

Result<std::vector<float>> WeightIndex::read_f32(uint32_t tensor) const {
  const TensorInfo& info = tensors_[tensor];
  const uint64_t row_bytes = TRY(formats::row_bytes(info.format, info.cols()));
  std::vector<std::byte> row(row_bytes);
  std::vector<float> values(info.rows() * info.cols());
  // Assembling goes through the whole matrix for any rows of it, so a recipe's rows are read at once.
  const uint64_t step = info.recipe < 0 ? 1 : info.rows();
  row.resize(row_bytes * step);
  for (uint64_t r = 0; r < info.rows(); r += step) {
    TRY(read_rows(tensor, r, step, row));
    for (uint64_t i = 0; i < step; ++i) {
      formats::decode_row(info.format, row.data() + i * row_bytes,
                          std::span(values).subspan((r + i) * info.cols(), info.cols()));
    }
  }
  return values;
}

Result<void> WeightIndex::check_unchanged() const {
  for (const auto& source : sources_) TRY(source->check_unchanged());
  return {};
}

void WeightIndex::release_rows(uint32_t tensor, uint64_t row0, uint64_t n) const {
  const TensorInfo& info = tensors_[tensor];
  if (info.recipe >= 0) {
    // Any row may need any byte of the parts; rows are repacked in order, so the last ones end their use.
    if (row0 + n < info.rows()) return;
    const Recipe& recipe = recipes_[static_cast<size_t>(info.recipe)];
    for (const Part& part : {recipe.weights, recipe.zeros, recipe.scales}) {
      sources_[part.source]->release(part.offset, part.length);
    }
    return;
  }
  const auto row_bytes = formats::row_bytes(info.format, info.cols());
  if (row_bytes) sources_[info.source]->release(info.offset + row0 * *row_bytes, n * *row_bytes);
}

void WeightIndex::will_need_rows(uint32_t tensor, uint64_t row0, uint64_t n) const {
  const TensorInfo& info = tensors_[tensor];
  const auto row_bytes = formats::row_bytes(info.format, info.cols());
  if (info.recipe >= 0 || !row_bytes) return;
  sources_[info.source]->will_need(info.offset + row0 * *row_bytes, n * *row_bytes);
}

uint32_t WeightIndex::add_source(std::unique_ptr<ByteSource> source) {
  sources_.push_back(std::move(source));
  return static_cast<uint32_t>(sources_.size() - 1);
}

uint32_t WeightIndex::add_recipe(const Recipe& recipe) {
  recipes_.push_back(recipe);
  return static_cast<uint32_t>(recipes_.size() - 1);
}

Result<void> WeightIndex::add_tensor(TensorInfo tensor) {
  ASSERT(!tensor.shape.empty());
  if (!by_name_.try_emplace(tensor.name, static_cast<uint32_t>(tensors_.size())).second) {
    return fail(ErrorCode::kInvalidFile, "Tensor {} appears twice, every name must be unique.", printable(tensor.name));
  }
  tensors_.push_back(std::move(tensor));
  return {};
}

}  // namespace tern::io
