#include "engine/weights.h"

#include <algorithm>
#include <optional>
#include <span>

#include "io/file.h"

namespace tern::engine {
namespace {

using Pieces = std::vector<std::span<const std::byte>>;

/// Bytes read at a time where the file is not mapped: large enough to be cheap, small enough not to count.
constexpr uint64_t kRangeBytes = uint64_t{4} << 20;
/// Bytes that files are told of before they are read: on a network they are on their way while others are placed.
constexpr uint64_t kBytesAhead = uint64_t{16} << 20;

class Placer final : public WeightPlacer {
 public:
  Placer(const graph::Plan& plan, const io::WeightIndex& files, backends::Backend& backend, Progress progress,
         WeightCache* cache)
      : plan_(plan), files_(files), backend_(backend), progress_(std::move(progress)), cache_(cache) {
    if (cache_ && (cache_->folder.empty() || backend_.layout_name().empty())) cache_ = nullptr;
  }

  Result<void> make_buffers() {
    for (const graph::Weight& weight : plan_.weights) total_ += TRY(file_bytes(weight));
    if (cache_) TRY(open_cache());
    // All memory first: that there is too little is known before anything is read.
    for (uint32_t w = 0; w < plan_.weights.size(); w++) {
      const auto used = TRY_CTX(in_place(w), "while placing weight {}", plan_.weights[w].name);
      if (!used) uploads_.push_back(w);
      buffers_.push_back(used ? *used
                              : TRY_CTX(backend_.alloc(backend_.weight_bytes(plan_, w), backends::Usage::kWeight),
                                        "while making room for weight {}", plan_.weights[w].name));
    }
    for (const uint32_t w : uploads_) TRY_CTX(upload_constant(w), "while placing weight {}", plan_.weights[w].name);
    return {};
  }

  std::span<const backends::Buffer> buffers() const override { return buffers_; }

  Result<bool> step() override {
    skip_finished(place_);
    if (place_.upload < uploads_.size()) {
      look_ahead();
      TRY_CTX(upload_next(), "while placing weight {}", plan_.weights[uploads_[place_.upload]].name);
      return true;
    }
    if (cache_ && !cache_->cached) TRY(write_cache());
    if (progress_) progress_(total_, total_);
    return false;
  }

 private:
  /// Where the rows to be uploaded next are.
  struct Place {
    size_t upload = 0, slice = 0;  // which of uploads_, which of its slices,
    uint32_t row = 0;              // which row of the slice,
    uint32_t first_row = 0;        // and which row of the weight the slice begins at
  };

  graph::Plan plan_;
  const io::WeightIndex& files_;
  backends::Backend& backend_;
  Progress progress_;
  std::vector<backends::Buffer> buffers_;
  std::vector<uint32_t> uploads_;  // weights whose rows are to be uploaded
  Place place_;                    // where step() goes on
  uint64_t done_ = 0, total_ = 0;
  std::vector<std::byte> range_;
  WeightCache* cache_;  // null: none, or nothing to cache
  CacheKey cache_key_;
  std::string cache_path_;

  Result<void> open_cache() {
    cache_->cached.reset();         // of a backend that was lost
    std::vector<uint64_t> lengths;  // of the weights in the backend's own layout
    for (uint32_t w = 0; w < plan_.weights.size(); w++) {
      lengths.push_back(backend_.uses_file_layout(plan_, w) ? 0 : backend_.weight_bytes(plan_, w));
    }
    cache_key_ = TRY(cache_key(files_, plan_, backend_.layout_name()));
    cache_path_ = io::join_path(cache_->folder, cache_key_.file_name());
    auto opened = CachedWeights::open(cache_path_, cache_key_, lengths);
    if (opened) cache_->cached = *std::move(opened);
    return {};
  }

  Result<void> write_cache() {
    std::vector<std::span<const std::byte>> weights(buffers_.size());
    for (uint32_t w = 0; w < buffers_.size(); w++) {
      if (!backend_.uses_file_layout(plan_, w)) weights[w] = TRY(backend_.own_bytes(buffers_[w]));
    }
    const auto written = write_cached_weights(cache_path_, cache_key_, weights);
    if (!written) cache_->problem = written.error().to_string();
    return {};
  }

  void advance(uint64_t bytes) {
    done_ += bytes;
    if (progress_) progress_(done_, total_);
  }

  /// Also checks the weight against the files: a plan may come from a cache.
  Result<uint64_t> file_bytes(const graph::Weight& weight) const {
    if (weight.slices.empty()) return weight.constant.size() * sizeof(float);
    uint64_t rows = 0;
    for (const graph::WeightSlice& slice : weight.slices) {
      if (slice.tensor >= files_.tensors().size()) {
        return fail(ErrorCode::kInvalidArgument, "Weight {} names tensor {}, but the files have {}.", weight.name,
                    slice.tensor, files_.tensors().size());
      }
      const io::TensorInfo& tensor = files_.tensors()[slice.tensor];
      const bool elements = by_elements(weight, slice);
      const uint64_t there_are = elements ? tensor.rows() * tensor.cols() : tensor.rows();
      const uint64_t end = uint64_t{slice.row0} + slice.rows;
      if (tensor.format != weight.format || (!elements && tensor.cols() != weight.cols) || end > there_are) {
        return fail(ErrorCode::kInvalidArgument,
                    "Weight {} wants rows {} to {} of {} columns from tensor {}, which has "
                    "{} of {}.",
                    weight.name, slice.row0, end, weight.cols, tensor.name, there_are, tensor.cols());
      }
      rows += slice.rows;
    }
    if (rows != weight.rows) {
      return fail(ErrorCode::kInvalidArgument, "Weight {} has {} rows, but its slices {}.", weight.name, weight.rows,
                  rows);
    }
    return rows * TRY(formats::row_bytes(weight.format, weight.cols));
  }

  /// A weight of one column is a vector put together from elements of other vectors (graph::Weight).
  bool by_elements(const graph::Weight& weight, const graph::WeightSlice& slice) const {
    return weight.cols == 1 && files_.tensors()[slice.tensor].cols() != 1;
  }

  /// Rows [at, at + n) of a slice where they are mapped; empty when they are not.
  std::span<const std::byte> mapped(const graph::Weight& weight, const graph::WeightSlice& slice, uint32_t at,
                                    uint32_t n) const {
    if (!by_elements(weight, slice)) return files_.mapped_rows(slice.tensor, slice.row0 + at, n);
    const auto all = files_.mapped_rows(slice.tensor, 0, files_.tensors()[slice.tensor].rows());
    return all.empty() ? all : elements(weight, all, slice.row0 + at, n);
  }

  std::span<const std::byte> elements(const graph::Weight& weight, std::span<const std::byte> all, uint64_t first,
                                      uint64_t n) const {
    const uint64_t bytes = formats::row_bytes(weight.format, 1).value_or(0);
    return all.subspan(first * bytes, n * bytes);
  }

  /// The same, read to range_ when they are not mapped.
  Result<std::span<const std::byte>> rows_of(const graph::Weight& weight, const graph::WeightSlice& slice, uint32_t at,
                                             uint32_t n) {
    if (const auto rows = mapped(weight, slice, at, n); !rows.empty()) return rows;
    const io::TensorInfo& tensor = files_.tensors()[slice.tensor];
    const bool whole = by_elements(weight, slice);
    const uint64_t first = whole ? 0 : slice.row0 + at, count = whole ? tensor.rows() : n;
    range_.resize(count * TRY(formats::row_bytes(tensor.format, tensor.cols())));
    TRY(files_.read_rows(slice.tensor, first, count, range_));
    if (!whole) return std::span<const std::byte>(range_);
    return elements(weight, range_, slice.row0 + at, n);
  }

  /// A buffer over memory that has the weight already; nullopt when the backend has to have its own copy now.
  Result<std::optional<backends::Buffer>> in_place(uint32_t w) {
    const graph::Weight& weight = plan_.weights[w];
    const auto pieces = mapped_pieces(weight);
    std::optional<backends::Buffer> buffer;
    if (pieces && backend_.uses_file_layout(plan_, w)) {
      buffer = TRY(backend_.import_host(*pieces));
    } else if (cache_ && cache_->cached && !cache_->cached->weight(w).empty()) {
      buffer = TRY(backend_.import_own(cache_->cached->weight(w)));
    } else if (pieces && !cache_) {
      buffer = TRY(backend_.repack_later(plan_, w, *pieces, releaser(weight)));
    }
    if (buffer) advance(TRY(file_bytes(weight)));
    return buffer;
  }

  /// Does nothing for a weight that files have.
  Result<void> upload_constant(uint32_t w) {
    const graph::Weight& weight = plan_.weights[w];
    if (!weight.slices.empty()) return {};
    TRY(backend_.upload_rows(plan_, w, buffers_[w], 0, std::as_bytes(std::span(weight.constant))));
    advance(TRY(file_bytes(weight)));
    return {};
  }

  /// Gives rows of a weight back to the file's map, slice by slice.
  backends::ReleaseRows releaser(const graph::Weight& weight) const {
    return [&files = files_, slices = weight.slices](uint32_t row0, uint32_t n) {
      uint32_t first = 0;  // row of the weight
      for (const graph::WeightSlice& slice : slices) {
        const uint32_t begin = std::max(row0, first), end = std::min(row0 + n, first + slice.rows);
        if (begin < end) files.release_rows(slice.tensor, slice.row0 + (begin - first), end - begin);
        first += slice.rows;
      }
    };
  }

  /// The weight as runs of mapped memory, adjacent rows as one; nullopt when some of it is not mapped.
  std::optional<Pieces> mapped_pieces(const graph::Weight& weight) const {
    if (weight.slices.empty()) return std::nullopt;
    Pieces pieces;
    for (const graph::WeightSlice& slice : weight.slices) {
      const auto rows = mapped(weight, slice, 0, slice.rows);
      if (rows.empty()) return std::nullopt;
      const bool adjacent = !pieces.empty() && pieces.back().data() + pieces.back().size() == rows.data();
      if (adjacent) {
        pieces.back() = {pieces.back().data(), pieces.back().size() + rows.size()};
      } else {
        pieces.push_back(rows);
      }
    }
    return pieces;
  }

  void skip_finished(Place& place) const {
    while (place.upload < uploads_.size()) {
      const auto& slices = plan_.weights[uploads_[place.upload]].slices;
      if (place.slice == slices.size()) {
        place.upload++;
        place.slice = place.first_row = 0;
      } else if (place.row == slices[place.slice].rows) {
        place.first_row += place.row;
        place.slice++;
        place.row = 0;
      } else {
        return;
      }
    }
  }

  /// Rows that are uploaded at once from `place` on.
  Result<uint32_t> rows_at(const Place& place) const {
    const graph::Weight& weight = plan_.weights[uploads_[place.upload]];
    const graph::WeightSlice& slice = weight.slices[place.slice];
    const uint64_t row_bytes = TRY(formats::row_bytes(weight.format, weight.cols));
    const uint64_t range = mapped(weight, slice, 0, 1).empty() ? kRangeBytes : backend_.upload_bytes();
    uint32_t step = static_cast<uint32_t>(std::clamp<uint64_t>(range / row_bytes, 1, slice.rows));
    // A tensor that has to be assembled is gone through as a whole for any rows of it: once is enough.
    if (files_.tensors()[slice.tensor].recipe >= 0) step = slice.rows;
    return std::min(step, slice.rows - place.row);
  }

  /// Tells the files which rows come next.
  void look_ahead() const {
    uint64_t bytes = 0;
    for (Place place = place_; bytes < kBytesAhead && place.upload < uploads_.size(); skip_finished(place)) {
      const graph::Weight& weight = plan_.weights[uploads_[place.upload]];
      const graph::WeightSlice& slice = weight.slices[place.slice];
      const uint32_t n = rows_at(place).value_or(slice.rows - place.row);
      if (!by_elements(weight, slice)) files_.will_need_rows(slice.tensor, slice.row0 + place.row, n);
      bytes += n * formats::row_bytes(weight.format, weight.cols).value_or(0);
      place.row += n;
    }
  }

  /// The next rows of the slice.
  Result<void> upload_next() {
    const uint32_t w = uploads_[place_.upload];
    const graph::Weight& weight = plan_.weights[w];
    const graph::WeightSlice& slice = weight.slices[place_.slice];
    const uint32_t n = TRY(rows_at(place_));
    const auto rows =
        TRY_CTX(rows_of(weight, slice, place_.row, n), "while reading tensor {}", files_.tensors()[slice.tensor].name);
    TRY(backend_.upload_rows(plan_, w, buffers_[w], place_.first_row + place_.row, rows));
    if (!by_elements(weight, slice)) files_.release_rows(slice.tensor, slice.row0 + place_.row, n);
    advance(n * TRY(formats::row_bytes(weight.format, weight.cols)));
    place_.row += n;
    return {};
  }
};

}  // namespace

Result<std::unique_ptr<WeightPlacer>> WeightPlacer::begin(const graph::Plan& plan, const io::WeightIndex& files,
                                                          backends::Backend& backend, Progress progress,
                                                          WeightCache* cache) {
  auto placer = std::make_unique<Placer>(plan, files, backend, std::move(progress), cache);
  TRY(placer->make_buffers());
  return placer;
}

Result<std::vector<backends::Buffer>> place_weights(const graph::Plan& plan, const io::WeightIndex& files,
                                                    backends::Backend& backend, const Progress& progress,
                                                    WeightCache* cache) {
  const auto placer = TRY(WeightPlacer::begin(plan, files, backend, progress, cache));
  while (TRY(placer->step())) {
  }
  return std::vector(placer->buffers().begin(), placer->buffers().end());
}

}  // namespace tern::engine
