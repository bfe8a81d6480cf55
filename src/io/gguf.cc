#include "io/gguf.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <type_traits>
#include <utility>

#include "io/cursor.h"
#include "io/layout.h"
#include "io/text.h"

namespace tern::io {
namespace {

// The largest vocabularies (260k tokens with merges and scores) make headers of about 20 MB.
constexpr uint64_t kMaxHeaderBytes = 512u << 20;
// Generous: page sizes are at most 64 KiB, and a larger alignment would only be a damaged number.
constexpr uint64_t kMaxAlignment = 1u << 16;
constexpr uint64_t kMinKeyRecord = 8 + 1 + 4 + 1;
constexpr uint64_t kMinTensorRecord = 8 + 1 + 4 + 8 + 4 + 8;

Result<std::string> read_string(Cursor& in, std::string_view what) {
  const uint64_t length = TRY(in.number<uint64_t>(what));
  TRY(in.expect(length, 1, "bytes of a string"));
  std::string text(static_cast<size_t>(length), '\0');
  TRY(in.bytes(std::as_writable_bytes(std::span(text)), what));
  return text;
}

Result<std::string> read_name(Cursor& in, std::string_view what, uint64_t max) {
  const uint64_t at = in.offset();
  const uint64_t length = TRY(in.number<uint64_t>(what));
  if (length == 0 || length > max) {
    return fail(ErrorCode::kInvalidFile, "The length of {} at byte {} is {}, allowed are 1 to {}. The file is damaged.",
                what, grouped(at), grouped(length), grouped(max));
  }
  TRY(in.expect(length, 1, "bytes of a name"));
  std::string name(static_cast<size_t>(length), '\0');
  TRY(in.bytes(std::as_writable_bytes(std::span(name)), what));
  return name;
}

Result<bool> as_bool(uint8_t byte) {
  if (byte > 1) return fail(ErrorCode::kInvalidFile, "The bool is {}, allowed are 0 and 1.", byte);
  return byte == 1;
}

/// One value of a scalar type.
template <class T>
Result<T> read_item(Cursor& in) {
  if constexpr (std::is_same_v<T, bool>) {
    const uint8_t byte = TRY(in.number<uint8_t>("a value"));
    return as_bool(byte);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return read_string(in, "a string");
  } else {
    return in.number<T>("a value");
  }
}

template <class T>
Result<Metadata::Value> read_items(Cursor& in, uint64_t count) {
  constexpr bool kPlain = std::is_arithmetic_v<T> && !std::is_same_v<T, bool>;
  constexpr uint64_t kItemBytes = std::is_same_v<T, std::string> ? 8 : std::is_same_v<T, bool> ? 1 : sizeof(T);
  TRY(in.expect(count, kItemBytes, "array elements"));
  std::vector<T> items;
  if constexpr (kPlain) {
    items.resize(static_cast<size_t>(count));
    TRY(in.bytes(std::as_writable_bytes(std::span(items)), "an array"));
  } else {
    items.reserve(static_cast<size_t>(count));
    for (uint64_t i = 0; i < count; ++i) items.push_back(TRY(read_item<T>(in)));
  }
  return Metadata::Value(std::move(items));
}

/// Calls f.template operator()<T>() with the C++ type of a scalar GGUF type.
template <class F>
Result<Metadata::Value> with_type(GgufType type, F&& f) {
  switch (type) {
    case GgufType::kU8:
      return f.template operator()<uint8_t>();
    case GgufType::kI8:
      return f.template operator()<int8_t>();
    case GgufType::kU16:
      return f.template operator()<uint16_t>();
    case GgufType::kI16:
      return f.template operator()<int16_t>();
    case GgufType::kU32:
      return f.template operator()<uint32_t>();
    case GgufType::kI32:
      return f.template operator()<int32_t>();
    case GgufType::kF32:
      return f.template operator()<float>();
    case GgufType::kBool:
      return f.template operator()<bool>();
    case GgufType::kString:
      return f.template operator()<std::string>();
    case GgufType::kU64:
      return f.template operator()<uint64_t>();
    case GgufType::kI64:
      return f.template operator()<int64_t>();
    case GgufType::kF64:
      return f.template operator()<double>();
    case GgufType::kArray:
      break;
  }
  return fail(ErrorCode::kInvalidFile, "The value's type is {}, allowed are 0 to 12. The file is damaged.",
              std::to_underlying(type));
}

Result<Metadata::Value> read_value(Cursor& in) {
  const auto type = static_cast<GgufType>(TRY(in.number<uint32_t>("a value's type")));
  if (type != GgufType::kArray) {
    return with_type(type, [&]<class T>() -> Result<Metadata::Value> {
      T item = TRY(read_item<T>(in));
      return Metadata::Value(std::move(item));
    });
  }
  const auto item_type = static_cast<GgufType>(TRY(in.number<uint32_t>("an array's type")));
  const uint64_t count = TRY(in.number<uint64_t>("an array's length"));
  if (item_type == GgufType::kArray) {
    return fail(ErrorCode::kUnsupported, "The value is an array of arrays, which no known model uses.");
  }
  return with_type(item_type, [&]<class T>() { return read_items<T>(in, count); });
}

Result<uint32_t> read_version(Cursor& in) {
  const uint32_t magic = TRY(in.number<uint32_t>("the magic"));
  const uint32_t version = TRY(in.number<uint32_t>("the version"));
  if (magic == std::byteswap(kGgufMagic) || (version != 0 && (version & 0xffff) == 0)) {
    return fail(ErrorCode::kUnsupported,
                "The file is big endian (its version reads {:#x}), only little endian files are supported. "
                "Convert it with gguf_convert_endian.py of the gguf package.",
                version);
  }
  if (magic != kGgufMagic) {
    return fail(ErrorCode::kInvalidFile, "The file starts with {:#010x}, expected {:#010x} (\"GGUF\"). It is no GGUF.",
                magic, kGgufMagic);
  }
  if (version != 2 && version != 3) {
    return fail(ErrorCode::kUnsupported, "The GGUF version is {}, supported are 2 and 3. {}", version,
                version < 2 ? "Convert the model again with a current converter." : "A newer Tern may read it.");
  }
  return version;
}

Result<uint64_t> alignment_of(const Metadata& metadata) {
  const Metadata::Value* value = metadata.find("general.alignment");
  if (!value) return kGgufDefaultAlignment;
  const uint32_t* alignment = std::get_if<uint32_t>(value);
  if (!alignment) {
    return fail(ErrorCode::kInvalidFile, "Metadata key general.alignment is {}, expected u32.", type_name(*value));
  }
  if (*alignment < 8 || *alignment > kMaxAlignment || !std::has_single_bit(*alignment)) {
    return fail(ErrorCode::kInvalidFile,
                "Metadata key general.alignment is {}, allowed are powers of two from 8 to {}.", *alignment,
                kMaxAlignment);
  }
  return *alignment;
}

/// Types of ggml that Tern has no decoder for, so that the message can name them (ggml.h, enum ggml_type).
std::string_view foreign_type_name(uint32_t id) {
  static constexpr std::pair<uint32_t, std::string_view> kNames[] = {
      {4, "Q4_2"},     {5, "Q4_3"},   {9, "Q8_1"},   {15, "Q8_K"},  {16, "IQ2_XXS"}, {17, "IQ2_XS"},
      {18, "IQ3_XXS"}, {19, "IQ1_S"}, {21, "IQ3_S"}, {22, "IQ2_S"}, {24, "I8"},      {25, "I16"},
      {26, "I32"},     {27, "I64"},   {28, "F64"},   {29, "IQ1_M"}, {34, "TQ1_0"},   {35, "TQ2_0"}};
  for (const auto& [known, name] : kNames) {
    if (known == id) return name;
  }
  return "unknown";
}

Result<Format> read_format(Cursor& in) {
  const uint32_t id = TRY(in.number<uint32_t>("a tensor's type"));
  // Ids from 0x100 are Tern's own and never stored in a GGUF.
  const FormatInfo* info = id < 0x100 ? formats::find(id) : nullptr;
  if (info) return info->id;
  std::string known;
  for (const FormatInfo& format : formats::all()) {
    if (std::to_underlying(format.id) < 0x100) known += (known.empty() ? "" : ", ") + std::string(format.name);
  }
  return fail(ErrorCode::kUnsupported, "The tensor's type is {} ({}), supported are {}.", id, foreign_type_name(id),
              known);
}

/// The rest of a tensor's record after its name; `offset` stays relative to the data.
Result<void> read_tensor(Cursor& in, TensorInfo& tensor) {
  const uint32_t n_dims = TRY(in.number<uint32_t>("a tensor's number of dimensions"));
  if (n_dims == 0 || n_dims > kMaxGgufDims) {
    return fail(ErrorCode::kInvalidFile, "The tensor has {} dimensions, allowed are 1 to {}.", n_dims, kMaxGgufDims);
  }
  tensor.shape.resize(n_dims);
  for (uint32_t i = 0; i < n_dims; ++i) tensor.shape[n_dims - 1 - i] = TRY(in.number<uint64_t>("a tensor's shape"));
  if (std::ranges::find(tensor.shape, 0u) != tensor.shape.end()) {
    return fail(ErrorCode::kInvalidFile, "The tensor's shape is {}, every dimension must be at least 1.",
                shape_text(tensor.shape));
  }
  tensor.format = TRY(read_format(in));
  tensor.offset = TRY(in.number<uint64_t>("a tensor's offset"));
  const uint64_t row_bytes = TRY(formats::row_bytes(tensor.format, tensor.cols()));
  const auto elements = element_count(tensor.shape);
  const uint64_t rows = elements ? *elements / tensor.cols() : 0;
  if (!elements || row_bytes > static_cast<uint64_t>(INT64_MAX) / rows) {
    return fail(ErrorCode::kInvalidFile, "The tensor's shape is {}, whose product exceeds 63 bits.",
                shape_text(tensor.shape));
  }
  tensor.length = rows * row_bytes;
  return {};
}

/// Makes offsets absolute and holds every tensor against the file's size and its neighbours.
Result<void> place_tensors(std::vector<TensorInfo>& tensors, uint64_t header_end, uint64_t alignment,
                           uint64_t file_size) {
  const uint64_t data = (header_end + alignment - 1) / alignment * alignment;
  std::vector<ByteRange> ranges;
  ranges.reserve(tensors.size());
  for (TensorInfo& tensor : tensors) {
    if (tensor.offset % alignment != 0) {
      return fail(ErrorCode::kInvalidFile, "Tensor {} has offset {}, which is not a multiple of the alignment {}.",
                  printable(tensor.name), grouped(tensor.offset), alignment);
    }
    if (tensor.offset > static_cast<uint64_t>(INT64_MAX) - data || tensor.length > UINT64_MAX - data - tensor.offset ||
        data + tensor.offset + tensor.length > file_size) {
      return fail(ErrorCode::kInvalidFile,
                  "Tensor {} of {} bytes at offset {} of the data (which starts at byte {}) ends past the file's {} "
                  "bytes. The download is probably incomplete.",
                  printable(tensor.name), grouped(tensor.length), grouped(tensor.offset), grouped(data),
                  grouped(file_size));
    }
    tensor.offset += data;
    ranges.push_back({tensor.offset, tensor.offset + tensor.length, tensor.name});
  }
  return check_disjoint(ranges);
}

Result<void> read_metadata(Cursor& in, uint64_t count, Metadata& metadata) {
  for (uint64_t i = 0; i < count; ++i) {
    std::string key = TRY_CTX(read_name(in, "a metadata key", kMaxKeyBytes), "while reading metadata key {} of {}",
                              i + 1, grouped(count));
    Metadata::Value value = TRY_CTX(read_value(in), "while reading metadata key {}", printable(key));
    TRY(metadata.add(std::move(key), std::move(value)));
  }
  return {};
}

}  // namespace

Result<GgufHeader> read_gguf_header(const ByteSource& source) {
  Cursor in(source, kMaxHeaderBytes);
  GgufHeader header;
  header.version = TRY(read_version(in));
  const uint64_t n_tensors = TRY(in.number<uint64_t>("the tensor count"));
  const uint64_t n_keys = TRY(in.number<uint64_t>("the metadata count"));
  TRY(in.expect(n_tensors, kMinTensorRecord, "tensors"));
  TRY(in.expect(n_keys, kMinKeyRecord, "metadata keys"));
  TRY(read_metadata(in, n_keys, header.metadata));
  const uint64_t alignment = TRY(alignment_of(header.metadata));

  TRY(in.expect(n_tensors, kMinTensorRecord, "tensors"));
  header.tensors.reserve(static_cast<size_t>(n_tensors));
  for (uint64_t i = 0; i < n_tensors; ++i) {
    TensorInfo tensor;
    tensor.name = TRY_CTX(read_name(in, "a tensor's name", kMaxTensorNameBytes), "while reading tensor {} of {}", i + 1,
                          grouped(n_tensors));
    TRY_CTX(read_tensor(in, tensor), "while reading tensor {}", printable(tensor.name));
    header.tensors.push_back(std::move(tensor));
  }
  TRY(place_tensors(header.tensors, in.offset(), alignment, source.size()));
  return header;
}

}  // namespace tern::io
