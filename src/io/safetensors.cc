#include "io/safetensors.h"

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>

#include "io/checkpoint.h"
#include "io/cursor.h"
#include "io/layout.h"
#include "io/text.h"

namespace tern::io {
namespace {

// The reference implementation's limit.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kMaxDims = 8;

/// Receives the header's JSON as events: no tree is built, so a hostile header costs no more than its own size, and
/// duplicate names, which a tree would swallow, are seen. Returning false ends the parse with `error`.
class HeaderReader {
 public:
  struct Entry {
    std::string name, dtype;
    std::vector<uint64_t> shape, offsets;
    bool has_dtype = false, has_shape = false, has_offsets = false;
  };
  std::vector<Entry> entries;
  std::string error;

  bool key(std::string& text) {
    if (depth_ == 1) {
      if (!names_.insert(text).second)
        return refuse("\"{}\" appears twice, every name must be unique.", printable(text));
      in_metadata_ = text == "__metadata__";
      if (!in_metadata_) entries.push_back({.name = text});
    } else if (!in_metadata_) {
      Entry& entry = entries.back();
      bool* seen = text == "dtype"          ? &entry.has_dtype
                   : text == "shape"        ? &entry.has_shape
                   : text == "data_offsets" ? &entry.has_offsets
                                            : nullptr;
      if (!seen)
        return refuse("Tensor {} has a field \"{}\", allowed are dtype, shape, data_offsets.", printable(entry.name),
                      printable(text));
      if (*seen) return refuse("Tensor {} has field \"{}\" twice.", printable(entry.name), text);
      *seen = true;
      list_ = text == "shape" ? &entry.shape : text == "data_offsets" ? &entry.offsets : nullptr;
    }
    return true;
  }
  bool string(std::string& text) {
    if (depth_ == 2 && in_metadata_) return true;
    if (depth_ != 2 || list_) return unexpected("a string");
    entries.back().dtype = text;
    return true;
  }
  bool number_unsigned(uint64_t value) {
    if (!in_list_) return unexpected("a number");
    if (list_->size() == kMaxDims) {
      return refuse("Tensor {} has more than {} dimensions or offsets.", printable(entries.back().name),
                    size_t{kMaxDims});
    }
    list_->push_back(value);
    return true;
  }
  bool start_object(size_t) {
    if (in_list_ || depth_ == 2) return unexpected("an object");
    ++depth_;
    return true;
  }
  bool end_object() {
    --depth_;
    return true;
  }
  bool start_array(size_t) {
    if (depth_ != 2 || in_metadata_ || !list_ || in_list_) return unexpected("an array");
    in_list_ = true;
    return true;
  }
  bool end_array() { return !(in_list_ = false); }
  bool null() { return unexpected("null"); }
  bool boolean(bool) { return unexpected("a bool"); }
  bool number_integer(int64_t) { return unexpected("a negative number"); }
  bool number_float(double, const std::string&) { return unexpected("a fraction"); }
  bool binary(std::vector<uint8_t>&) { return unexpected("binary data"); }
  template <class Exception>
  bool parse_error(size_t position, const std::string&, const Exception&) {
    return refuse("The header is not valid JSON at byte {}.", size_t{position});
  }
  bool complete() const { return depth_ == 0; }

 private:
  template <class... Args>
  bool refuse(fmt::format_string<Args...> text, Args&&... args) {
    error = fmt::format(text, std::forward<Args>(args)...);
    return false;
  }
  bool unexpected(const std::string& what) {
    const std::string place = depth_ == 0       ? "The header"
                              : in_metadata_    ? "__metadata__ (text values only)"
                              : entries.empty() ? "The header"
                                                : "Tensor " + printable(entries.back().name);
    return refuse("{} has {} where the format has none.", place, what);
  }

  int depth_ = 0;
  bool in_metadata_ = false, in_list_ = false;
  std::vector<uint64_t>* list_ = nullptr;
  std::unordered_set<std::string> names_;
};

std::optional<Dtype> dtype_from_name(std::string_view name) {
  for (const Dtype dtype : {Dtype::kF32, Dtype::kF16, Dtype::kBF16, Dtype::kI8, Dtype::kI32}) {
    if (dtype_name(dtype) == name) return dtype;
  }
  return std::nullopt;
}

/// data: byte of the file where the tensors begin; data_bytes: how many follow.
Result<RawTensor> check_entry(HeaderReader::Entry entry, uint64_t data, uint64_t data_bytes) {
  if (!entry.has_dtype || !entry.has_shape || !entry.has_offsets || entry.offsets.size() != 2) {
    return fail(ErrorCode::kInvalidFile, "The header entry must have dtype, shape and data_offsets [begin, end].");
  }
  const auto dtype = dtype_from_name(entry.dtype);
  if (!dtype) {
    return fail(ErrorCode::kUnsupported,
                "The dtype is {}, supported are F32, F16, BF16, and I8 and I32 in quantised matrices.",
                printable(entry.dtype));
  }
  const uint64_t begin = entry.offsets[0], end = entry.offsets[1];
  if (begin > end || end > data_bytes) {
    return fail(
        ErrorCode::kInvalidFile,
        "The data_offsets are [{}, {}], but the file has {} bytes of data. The download is probably incomplete.",
        grouped(begin), grouped(end), grouped(data_bytes));
  }
  if (entry.shape.empty()) entry.shape = {1};
  const auto elements = element_count(entry.shape);
  if (!elements || *elements == 0) {
    return fail(ErrorCode::kInvalidFile,
                "The shape is {}, every dimension must be at least 1 and the product below 2^63.",
                shape_text(entry.shape));
  }
  if ((end - begin) / dtype_bytes(*dtype) != *elements || (end - begin) % dtype_bytes(*dtype) != 0) {
    return fail(ErrorCode::kInvalidFile, "The shape {} of {} does not fill the {} bytes of data_offsets [{}, {}].",
                shape_text(entry.shape), dtype_name(*dtype), grouped(end - begin), grouped(begin), grouped(end));
  }
  return RawTensor{std::move(entry.name), *dtype, std::move(entry.shape), {0, data + begin, end - begin}};
}

/// The format allows no holes: bytes that no tensor owns mean a damaged header.
Result<void> check_gapless(const std::vector<RawTensor>& tensors, uint64_t data, uint64_t file_size) {
  std::vector<ByteRange> ranges;
  for (const RawTensor& t : tensors) ranges.push_back({t.part.offset, t.part.offset + t.part.length, t.name});
  TRY(check_disjoint(ranges));
  uint64_t end = data;
  for (const ByteRange& range : ranges) {
    if (range.begin != end) {
      return fail(ErrorCode::kInvalidFile, "Bytes {} to {} before tensor {} belong to no tensor. The file is damaged.",
                  grouped(end), grouped(range.begin), printable(range.name));
    }
    end = range.end;
  }
  if (end != file_size) {
    return fail(ErrorCode::kInvalidFile, "The tensors end at byte {} but the file has {} bytes. The file is damaged.",
                grouped(end), grouped(file_size));
  }
  return {};
}

}  // namespace

std::string_view dtype_name(Dtype dtype) {
  switch (dtype) {
    case Dtype::kF32:
      return "F32";
    case Dtype::kF16:
      return "F16";
    case Dtype::kBF16:
      return "BF16";
    case Dtype::kI8:
      return "I8";
    case Dtype::kI32:
      return "I32";
  }
  return "?";
}

uint64_t dtype_bytes(Dtype dtype) {
  switch (dtype) {
    case Dtype::kF32:
    case Dtype::kI32:
      return 4;
    case Dtype::kF16:
    case Dtype::kBF16:
      return 2;
    case Dtype::kI8:
      return 1;
  }
  return 1;
}

Result<std::vector<RawTensor>> read_safetensors_header(const ByteSource& source) {
  Cursor in(source, source.size());
  const uint64_t length = TRY(in.number<uint64_t>("the header's length"));
  if (length < 2 || length > kMaxHeaderBytes || length > in.remaining()) {
    return fail(ErrorCode::kInvalidFile,
                "The header's length is {}, allowed are 2 to {}; {} bytes follow. The download is incomplete, or it is "
                "no safetensors file.",
                grouped(length), grouped(kMaxHeaderBytes), grouped(in.remaining()));
  }
  std::string text(static_cast<size_t>(length), '\0');
  TRY(in.bytes(std::as_writable_bytes(std::span(text)), "the header"));
  HeaderReader reader;
  if (!Json::sax_parse(text, &reader) || !reader.complete()) return fail(ErrorCode::kInvalidFile, "{}", reader.error);

  const uint64_t data = in.offset();
  std::vector<RawTensor> tensors;
  tensors.reserve(reader.entries.size());
  for (HeaderReader::Entry& entry : reader.entries) {
    const std::string name = printable(entry.name);
    tensors.push_back(
        TRY_CTX(check_entry(std::move(entry), data, source.size() - data), "while reading tensor {}", name));
  }
  TRY(check_gapless(tensors, data, source.size()));
  std::ranges::sort(tensors, {}, [](const RawTensor& t) { return t.part.offset; });
  return tensors;
}

Result<WeightIndex> read_safetensors(std::vector<std::unique_ptr<ByteSource>> shards, const Json& config) {
  if (shards.empty()) return fail(ErrorCode::kInvalidArgument, "No safetensors file is given, expected at least one.");
  WeightIndex weights;
  std::vector<RawTensor> all;
  for (auto& shard : shards) {
    auto tensors = TRY_CTX(read_safetensors_header(*shard), "while loading {}", shard->name());
    const uint32_t source = weights.add_source(std::move(shard));
    for (RawTensor& tensor : tensors) {
      tensor.part.source = source;
      all.push_back(std::move(tensor));
    }
  }
  TRY(add_checkpoint_tensors(std::move(all), config, weights));
  return weights;
}

}  // namespace tern::io
