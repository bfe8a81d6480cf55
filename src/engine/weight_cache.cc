#include "engine/weight_cache.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "formats/bytes.h"
#include "io/file.h"

namespace tern::engine {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::array<char, 8> kMagic = {'T', 'E', 'R', 'N', 'W', 'C', 'F', '\n'};
constexpr uint64_t kVersion = 1;
constexpr uint64_t kPage = 4096;
constexpr uint64_t kHead = sizeof kMagic + 4 * sizeof(uint64_t);  // magic, version, key, n
constexpr uint64_t kEntry = 3 * sizeof(uint64_t);                 // offset, length, checksum
constexpr uint64_t kSample = 4096, kSampleStep = uint64_t{1} << 20;

/// FNV-1a over words of 8 bytes; finds accidents, not attacks (any bytes are harmless weights).
class Hash {
 public:
  explicit Hash(uint64_t seed = 0) : state_(0xcbf29ce484222325 ^ seed) {}
  void add(uint64_t word) {
    state_ = (state_ ^ word) * 0x100000001b3;
    state_ ^= state_ >> 29;
  }
  void add(std::span<const std::byte> bytes) {
    add(bytes.size());
    for (; bytes.size() >= 8; bytes = bytes.subspan(8)) add(formats::load<uint64_t>(bytes.data()));
    uint64_t rest = 0;
    if (!bytes.empty()) std::memcpy(&rest, bytes.data(), bytes.size());  // an empty span may point nowhere
    add(rest);
  }
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  uint64_t value() const { return state_; }

 private:
  uint64_t state_;
};

/// The first bytes, the last, and some of every megabyte.
uint64_t checksum(std::span<const std::byte> bytes) {
  Hash hash;
  hash.add(bytes.size());
  for (uint64_t at = 0; at < bytes.size(); at += kSampleStep) {
    hash.add(bytes.subspan(at, std::min<uint64_t>(kSample, bytes.size() - at)));
  }
  hash.add(bytes.last(std::min<uint64_t>(kSample, bytes.size())));
  return hash.value();
}

/// A megabyte at the start (headers), then samples. Read, not mapped: a source need not be addressable.
Result<void> add_source(Hash& hash, const io::ByteSource& source) {
  hash.add(source.name());
  hash.add(source.size());
  hash.add(source.modified());
  std::vector<std::byte> buffer(std::min(kSampleStep, source.size()));
  TRY(source.read(0, buffer));
  hash.add(buffer);
  for (uint64_t at = kSampleStep; at < source.size(); at += 16 * kSampleStep) {
    const auto part = std::span(buffer).first(std::min<uint64_t>(kSample, source.size() - at));
    TRY(source.read(at, part));
    hash.add(part);
  }
  return {};
}

void add_weight(Hash& hash, const graph::Weight& weight) {
  hash.add(weight.name);
  for (const uint32_t word : {static_cast<uint32_t>(weight.format), weight.rows, weight.cols}) hash.add(word);
  for (const graph::WeightSlice& slice : weight.slices) {
    for (const uint32_t word : {slice.tensor, slice.row0, slice.rows}) hash.add(word);
  }
  hash.add(std::as_bytes(std::span(weight.constant)));
}

class Writer {
 public:
  explicit Writer(std::FILE* file) : file_(file) {}
  void bytes(std::span<const std::byte> bytes) {
    at_ += bytes.size();
    ok_ = ok_ && std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size();
  }
  void pad_to(uint64_t offset) {
    const std::vector<std::byte> zeros(offset - at_);
    bytes(zeros);
  }
  bool ok() const { return ok_; }

 private:
  std::FILE* file_;
  uint64_t at_ = 0;
  bool ok_ = true;
};

uint64_t to_page(uint64_t offset) {
  return (offset + kPage - 1) / kPage * kPage;
}

std::vector<std::byte> header(const CacheKey& key, std::span<const std::span<const std::byte>> weights) {
  std::vector<std::byte> out(kHead + weights.size() * kEntry + sizeof(uint64_t));
  std::byte* to = out.data();
  const auto put = [&](uint64_t word) {
    std::memcpy(to, &word, sizeof word);
    to += sizeof word;
  };
  std::memcpy(to, kMagic.data(), sizeof kMagic);
  to += sizeof kMagic;
  for (const uint64_t word : {kVersion, key.hash[0], key.hash[1], uint64_t{weights.size()}}) put(word);
  uint64_t offset = to_page(out.size());
  for (const auto weight : weights) {
    for (const uint64_t word : {offset, uint64_t{weight.size()}, checksum(weight)}) put(word);
    offset = to_page(offset + weight.size());
  }
  Hash hash;
  hash.add(std::span(out).first(out.size() - sizeof(uint64_t)));
  put(hash.value());
  return out;
}

std::unexpected<Error> wrong(const std::string& path, std::string_view what) {
  return fail(ErrorCode::kInvalidFile, "The weight cache {} {}.", path, what);
}

}  // namespace

std::string CacheKey::file_name() const {
  return fmt::format("tern-{:016x}{:016x}.weights", hash[0], hash[1]);
}

Result<CacheKey> cache_key(const io::WeightIndex& files, const graph::Plan& plan, std::string_view layout) {
  CacheKey key;
  for (size_t i = 0; i < key.hash.size(); ++i) {
    Hash hash(i);
    hash.add(kVersion);
    hash.add(layout);
    for (uint32_t source = 0; source < files.source_count(); ++source) TRY(add_source(hash, files.source(source)));
    for (const graph::Weight& weight : plan.weights) add_weight(hash, weight);
    key.hash[i] = hash.value();
  }
  return key;
}

Result<CachedWeights> CachedWeights::open(const std::string& path, const CacheKey& key,
                                          std::span<const uint64_t> lengths) {
  CachedWeights out;
  out.source_ = TRY(io::open_file(path));
  const std::span<const std::byte> all = out.source_->mapped();
  const uint64_t head = kHead + lengths.size() * kEntry + sizeof(uint64_t);
  if (all.empty()) return wrong(path, "cannot be mapped");
  if (all.size() < head || std::memcmp(all.data(), kMagic.data(), sizeof kMagic) != 0) return wrong(path, "is none");
  const auto word = [&](uint64_t offset) { return formats::load<uint64_t>(all.data() + offset); };
  const CacheKey found{{word(sizeof kMagic + 8), word(sizeof kMagic + 16)}};
  if (word(sizeof kMagic) != kVersion || found != key)
    return wrong(path, "was made from another file or for another layout");
  Hash hash;
  hash.add(all.first(head - sizeof(uint64_t)));
  if (word(kHead - 8) != lengths.size() || word(head - 8) != hash.value()) return wrong(path, "has a broken header");
  for (size_t i = 0; i < lengths.size(); ++i) {
    const uint64_t entry = kHead + i * kEntry, offset = word(entry), length = word(entry + 8);
    if (length != lengths[i] || offset > all.size() || length > all.size() - offset || offset % kPage != 0) {
      return wrong(path, fmt::format("is cut off or has a wrong weight {}", i));
    }
    const auto bytes = all.subspan(offset, length);
    if (word(entry + 16) != checksum(bytes)) return wrong(path, fmt::format("has changed bytes in weight {}", i));
    out.weights_.push_back(bytes);
  }
  return out;
}

Result<void> write_cached_weights(const std::string& path, const CacheKey& key,
                                  std::span<const std::span<const std::byte>> weights) {
  const std::string temporary = fmt::format("{}.{:x}", path, reinterpret_cast<uintptr_t>(&key) ^ key.hash[0]);
  const auto problem = [&] {
    return fail(ErrorCode::kIo, "The weight cache {} cannot be written: {}.", path, std::strerror(errno));
  };
  TRY_CTX(io::make_directories(io::parent_directory(path)), "while making room for the weight cache");
  std::FILE* file = std::fopen(temporary.c_str(), "wbx");
  if (!file) return problem();
  const std::vector<std::byte> head = header(key, weights);
  Writer writer(file);
  writer.bytes(head);
  uint64_t offset = to_page(head.size());
  for (const auto weight : weights) {
    writer.pad_to(offset);
    writer.bytes(weight);
    offset = to_page(offset + weight.size());
  }
  const bool closed = std::fclose(file) == 0;
  if (writer.ok() && closed && std::rename(temporary.c_str(), path.c_str()) == 0) return {};
  const auto failed = problem();
  std::remove(temporary.c_str());
  return failed;
}

}  // namespace tern::engine
