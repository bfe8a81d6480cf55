// Weights from files to a backend: in place where the backend can use the file's bytes, else in row ranges of a few
// megabytes, so that no more than one range is held beside the file and the backend's own copy.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "backends/backend.h"
#include "engine/model.h"
#include "engine/weight_cache.h"
#include "graph/plan.h"
#include "io/weight_index.h"

namespace tern::engine {

/// Places weights range by range, for whoever must not block long. What a backend uses in place is there at once.
///
///   begin() -> buffers(), which may be loaded with the plan already -> step() until it returns false
///
/// `files` must outlive the buffers: imported weights stay where they are mapped, and the backend may repack others
/// when it first needs them (not with a cache: all are needed for its file). Weights that were copied are released from
/// the map, so that they are not resident twice. With a cache, weights in the backend's own layout come from it when it
/// fits, else it is written; a cache that cannot be read or written is no error.
class WeightPlacer {
 public:
  /// plan: copied. The others outlive the placer; cache may be null. Errors: kOutOfMemory, kInvalidArgument for slices
  /// the files do not have.
  static Result<std::unique_ptr<WeightPlacer>> begin(const graph::Plan& plan, const io::WeightIndex& files,
                                                     backends::Backend& backend, Progress progress,
                                                     WeightCache* cache = nullptr);
  virtual ~WeightPlacer() = default;

  /// One per plan.weights.
  virtual std::span<const backends::Buffer> buffers() const = 0;
  /// Uploads the next range, of a few megabytes. False: there was none left, and all is done.
  /// Errors: kOutOfMemory, kIo and kInvalidFile naming the tensor; after one of reading it may be called again.
  virtual Result<bool> step() = 0;
};

/// The same at one go: one buffer per plan.weights.
Result<std::vector<backends::Buffer>> place_weights(const graph::Plan& plan, const io::WeightIndex& files,
                                                    backends::Backend& backend, const Progress& progress,
                                                    WeightCache* cache = nullptr);

}  // namespace tern::engine
