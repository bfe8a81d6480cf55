#include "io/gguf_writer.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "io/gguf.h"
#include "io/layout.h"
#include "io/text.h"

namespace tern::io {
namespace {

constexpr uint64_t aligned(uint64_t n) {
  return (n + kGgufDefaultAlignment - 1) / kGgufDefaultAlignment * kGgufDefaultAlignment;
}

/// The id of T's value type; Metadata::Value lists the scalars in GGUF's order, without kArray.
template <class T>
constexpr GgufType kTypeOf = GgufType::kU8;
template <>
constexpr GgufType kTypeOf<int8_t> = GgufType::kI8;
template <>
constexpr GgufType kTypeOf<uint16_t> = GgufType::kU16;
template <>
constexpr GgufType kTypeOf<int16_t> = GgufType::kI16;
template <>
constexpr GgufType kTypeOf<uint32_t> = GgufType::kU32;
template <>
constexpr GgufType kTypeOf<int32_t> = GgufType::kI32;
template <>
constexpr GgufType kTypeOf<float> = GgufType::kF32;
template <>
constexpr GgufType kTypeOf<bool> = GgufType::kBool;
template <>
constexpr GgufType kTypeOf<std::string> = GgufType::kString;
template <>
constexpr GgufType kTypeOf<uint64_t> = GgufType::kU64;
template <>
constexpr GgufType kTypeOf<int64_t> = GgufType::kI64;
template <>
constexpr GgufType kTypeOf<double> = GgufType::kF64;

/// Collects the header; it is small beside the weights.
class Bytes {
 public:
  template <class T>
  void put(const T& value) {
    if constexpr (std::is_same_v<T, std::string>) {
      put<uint64_t>(value.size());
      append(std::as_bytes(std::span(value)));
    } else if constexpr (std::is_same_v<T, bool>) {
      put<uint8_t>(value ? 1 : 0);
    } else {
      append(std::as_bytes(std::span(&value, 1)));
    }
  }
  template <class T>
  void put_value(const T& value) {
    put<uint32_t>(std::to_underlying(kTypeOf<T>));
    put(value);
  }
  template <class T>
  void put_value(const std::vector<T>& items) {
    put<uint32_t>(std::to_underlying(GgufType::kArray));
    put<uint32_t>(std::to_underlying(kTypeOf<T>));
    put<uint64_t>(items.size());
    for (size_t i = 0; i < items.size(); ++i) put<T>(items[i]);  // by index: vector<bool> has no references
  }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  void append(std::span<const std::byte> more) { bytes_.insert(bytes_.end(), more.begin(), more.end()); }
  std::vector<std::byte> bytes_;
};

}  // namespace

Result<GgufWriter> GgufWriter::create(const std::string& path) {
  return GgufWriter(TRY(OutputFile::create(path)));
}

Result<void> GgufWriter::add(std::string key, Metadata::Value value) {
  ASSERT(!header_written_);
  if (key.empty() || key.size() > kMaxKeyBytes || key == "general.alignment") {
    return fail(ErrorCode::kInvalidArgument, "\"{}\" cannot be a metadata key.", printable(key));
  }
  return metadata_.add(std::move(key), std::move(value));
}

Result<void> GgufWriter::declare(std::string name, Format format, std::vector<uint64_t> shape) {
  ASSERT(!header_written_);
  if (std::to_underlying(format) >= 0x100) {
    return fail(ErrorCode::kUnsupported, "Tensor {} has format {}, which a GGUF cannot hold.", printable(name),
                formats::info(format).name);
  }
  const auto elements = element_count(shape);
  if (name.empty() || name.size() > kMaxTensorNameBytes || shape.empty() || shape.size() > kMaxGgufDims || !elements ||
      *elements == 0 || std::ranges::any_of(tensors_, [&](const Tensor& t) { return t.name == name; })) {
    return fail(ErrorCode::kInvalidArgument,
                "Tensor \"{}\" of shape {} cannot be declared: names are unique and have 1 to {} bytes, shapes 1 to {} "
                "dimensions of at least 1.",
                printable(name), shape_text(shape), kMaxTensorNameBytes, kMaxGgufDims);
  }
  const uint64_t row_bytes = TRY_CTX(formats::row_bytes(format, shape.back()), "while declaring tensor {}", name);
  const uint64_t length = *elements / shape.back() * row_bytes;
  tensors_.push_back({std::move(name), format, std::move(shape), data_bytes_, length});
  data_bytes_ += aligned(length);
  return {};
}

Result<void> GgufWriter::write_header() {
  ASSERT(!header_written_);
  Bytes out;
  out.put(kGgufMagic);
  out.put(kGgufVersion);
  out.put<uint64_t>(tensors_.size());
  out.put<uint64_t>(metadata_.entries().size());
  for (const Metadata::Entry& entry : metadata_.entries()) {
    out.put(entry.key);
    std::visit([&](const auto& value) { out.put_value(value); }, entry.value);
  }
  for (const Tensor& tensor : tensors_) {
    out.put(tensor.name);
    out.put(static_cast<uint32_t>(tensor.shape.size()));
    for (size_t i = tensor.shape.size(); i-- > 0;) out.put(tensor.shape[i]);
    out.put(std::to_underlying(tensor.format));
    out.put(tensor.offset);
  }
  TRY(write(out.bytes()));
  header_written_ = true;
  return pad();
}

Result<void> GgufWriter::append(std::span<const std::byte> bytes) {
  ASSERT(header_written_);
  if (bytes.empty()) return {};
  if (current_ == tensors_.size() || bytes.size() > tensors_[current_].length - written_) {
    return fail(ErrorCode::kInvalidArgument, "{} bytes are too many: {} remain of {}.", grouped(bytes.size()),
                grouped(current_ == tensors_.size() ? 0 : tensors_[current_].length - written_),
                current_ == tensors_.size() ? "all tensors" : tensors_[current_].name);
  }
  TRY(write(bytes));
  written_ += bytes.size();
  if (written_ < tensors_[current_].length) return {};
  ++current_;
  written_ = 0;
  return pad();
}

Result<void> GgufWriter::finish() {
  ASSERT(header_written_);
  if (current_ < tensors_.size()) {
    return fail(ErrorCode::kInvalidArgument, "Tensor {} has {} of its {} bytes, and {} tensors follow it.",
                tensors_[current_].name, grouped(written_), grouped(tensors_[current_].length),
                tensors_.size() - current_ - 1);
  }
  return file_.finish();
}

Result<void> GgufWriter::write(std::span<const std::byte> bytes) {
  TRY(file_.write(bytes));
  position_ += bytes.size();
  return {};
}

Result<void> GgufWriter::pad() {
  static constexpr std::byte kZeros[kGgufDefaultAlignment] = {};
  return write(std::span(kZeros).first(static_cast<size_t>(aligned(position_) - position_)));
}

}  // namespace tern::io
