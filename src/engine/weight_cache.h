// A cache file of repacked weights: what a backend made of a model's weights, so that the next start maps it instead of
// repacking. One file per model and layout, in a folder of the user's choice.
//
//   magic, version, key (2 x u64) | n, then n x (offset, length, checksum of samples) | checksum of all before
//   the weights' bytes, each on a page
//
// The file is written beside its place and renamed, so it is there complete or not at all. It is used only when its
// key, its own size, the lengths the backend expects and the checksums all fit; else it is written anew. All little
// endian.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/plan.h"
#include "io/weight_index.h"

namespace tern::engine {

/// Says what a cache file was made from and for.
struct CacheKey {
  std::array<uint64_t, 2> hash{};
  bool operator==(const CacheKey&) const = default;
  /// "tern-0123456789abcdef0123456789abcdef.weights"
  std::string file_name() const;
};

/// Of the files' names, sizes, times, first bytes and samples, of the weights that the plan makes of them, and of
/// `layout`, the backend's word for how it keeps them. Errors: of reading.
Result<CacheKey> cache_key(const io::WeightIndex& files, const graph::Plan& plan, std::string_view layout);

/// The weights of a cache file, mapped.
class CachedWeights {
 public:
  /// lengths: bytes that each weight must have; 0: not in the file. Errors: of opening; kInvalidFile saying what is
  /// wrong.
  static Result<CachedWeights> open(const std::string& path, const CacheKey& key, std::span<const uint64_t> lengths);
  /// Empty for a weight that is not in the file.
  std::span<const std::byte> weight(size_t i) const { return weights_[i]; }

 private:
  std::unique_ptr<io::ByteSource> source_;
  std::vector<std::span<const std::byte>> weights_;
};

/// What place_weights() is to do with a cache, and what it did.
struct WeightCache {
  std::string folder;                   // empty: no cache
  std::optional<CachedWeights> cached;  // in use: must outlive the buffers
  std::string problem;                  // why there is none next time either, for a warning; else empty
};

/// Makes the folder if need be. weights: empty ones are left out. Errors: kIo with the system's words; then no file is
/// left.
Result<void> write_cached_weights(const std::string& path, const CacheKey& key,
                                  std::span<const std::span<const std::byte>> weights);

}  // namespace tern::engine
