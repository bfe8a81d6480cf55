#include "formats/format.h"

#include <array>
#include <cmath>

#include "formats/all_formats.h"

namespace tern::formats {
namespace {

// One line per format: its facts and its row functions, compiled from the header's block functions.
struct Entry {
  FormatInfo info;
  void (*decode_row)(const std::byte* row, std::span<float> out);
  void (*encode_row)(std::span<const float> in, std::byte* out);  // nullptr: only read
  float max_magnitude;                                            // that encode_row takes
  void (*random_row)(Random& random, float stddev, uint64_t cols, std::byte* out);
};

template <BlockFormat T>
void decode_blocks(const std::byte* row, std::span<float> out) {
  for (size_t i = 0; i < out.size(); i += T::kInfo.block, row += T::kInfo.block_bytes) {
    T::decode_block(row, out.data() + i);
  }
}

template <BlockFormat T>
void encode_blocks(std::span<const float> in, std::byte* out) {
  for (size_t i = 0; i < in.size(); i += T::kInfo.block, out += T::kInfo.block_bytes) {
    T::encode_block(in.data() + i, out);
  }
}

template <BlockFormat T>
void random_blocks(Random& random, float stddev, uint64_t cols, std::byte* out) {
  for (uint64_t i = 0; i < cols; i += T::kInfo.block, out += T::kInfo.block_bytes) {
    T::random_block(random, stddev, out);
  }
}

template <WeightFormat T>
constexpr Entry entry() {
  Entry e{T::kInfo, nullptr, nullptr, 0, nullptr};
  if constexpr (RowFormat<T>) {
    e.decode_row = &T::decode_row;
    e.random_row = &T::random_row;
    if constexpr (Encodable<T>) e.encode_row = &T::encode_row;
  } else {
    e.decode_row = &decode_blocks<T>;
    e.random_row = &random_blocks<T>;
    if constexpr (Encodable<T>) e.encode_row = &encode_blocks<T>;
  }
  if constexpr (Encodable<T>) e.max_magnitude = T::kMaxMagnitude;
  return e;
}

template <class... Ts>
constexpr std::array<Entry, sizeof...(Ts)> make_entries(TypeList<Ts...>) {
  return {entry<Ts>()...};
}
constexpr auto kEntries = make_entries(AllFormats{});

constexpr auto kInfos = [] {
  std::array<FormatInfo, kEntries.size()> infos{};
  for (size_t i = 0; i < infos.size(); ++i) infos[i] = kEntries[i].info;
  return infos;
}();

const Entry& entry_of(Format format) {
  for (const Entry& e : kEntries) {
    if (e.info.id == format) return e;
  }
  assertion_failed("the format has a header in formats/types", __FILE__, __LINE__);
}

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

}  // namespace

const FormatInfo* find(uint32_t id) {
  for (const FormatInfo& format : kInfos) {
    if (static_cast<uint32_t>(format.id) == id) return &format;
  }
  return nullptr;
}

const FormatInfo& info(Format format) {
  return entry_of(format).info;
}

std::optional<Format> from_name(std::string_view name) {
  for (const FormatInfo& format : kInfos) {
    if (same_name(format.name, name)) return format.id;
  }
  return std::nullopt;
}

std::span<const FormatInfo> all() {
  return kInfos;
}

Result<uint64_t> row_bytes(Format format, uint64_t cols) {
  const FormatInfo& facts = info(format);
  // No row comes near 2^56 bytes; refusing it here keeps every sum below free of overflow.
  if (cols > uint64_t{1} << 48) {
    return fail(ErrorCode::kInvalidFile, "A row has {} weights, at most {} are allowed.", cols, uint64_t{1} << 48);
  }
  if (facts.block == 0) {
    uint64_t bytes = 0;
    with_format(format, [&]<class T>() {
      if constexpr (RowFormat<T>) bytes = T::row_bytes(cols);
    });
    return bytes;
  }
  if (cols % facts.block != 0) {
    return fail(ErrorCode::kInvalidFile,
                "A row has {} weights, but format {} stores them in blocks of {}: the row must be a multiple of {}.",
                cols, facts.name, facts.block, facts.block);
  }
  return cols / facts.block * facts.block_bytes;
}

void decode_row(Format format, const std::byte* row, std::span<float> out) {
  const Entry& e = entry_of(format);
  ASSERT(e.info.block == 0 || out.size() % e.info.block == 0);
  e.decode_row(row, out);
}

Result<void> encode_row(Format format, std::span<const float> in, std::byte* out) {
  const Entry& e = entry_of(format);
  ASSERT(e.info.block == 0 || in.size() % e.info.block == 0);
  if (!e.encode_row) {
    return fail(ErrorCode::kUnsupported, "Format {} can be read but not written.", e.info.name);
  }
  for (size_t i = 0; i < in.size(); ++i) {
    if (std::fabs(in[i]) <= e.max_magnitude) continue;
    return fail(ErrorCode::kInvalidArgument, "Weight {} of the row is {}; format {} holds magnitudes up to {}.", i,
                in[i], e.info.name, e.max_magnitude);
  }
  e.encode_row(in, out);
  return {};
}

bool can_encode(Format format) {
  return entry_of(format).encode_row != nullptr;
}

void random_row(Format format, uint64_t seed, float stddev, uint64_t cols, std::byte* out) {
  const Entry& e = entry_of(format);
  ASSERT(e.info.block == 0 || cols % e.info.block == 0);
  Random random(seed);
  e.random_row(random, stddev, cols, out);
}

}  // namespace tern::formats
