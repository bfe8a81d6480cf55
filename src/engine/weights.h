// Weights from files to a backend: in place where the backend can use the file's bytes, else in row ranges of a few
// megabytes, so that no more than one range is held beside the file and the backend's own copy.
#pragma once

#include <vector>

#include "backends/backend.h"
#include "engine/model.h"
#include "engine/weight_cache.h"
#include "graph/plan.h"
#include "io/weight_index.h"

namespace tern::engine {

/// One buffer per plan.weights. `files` must outlive them: imported weights stay where they are mapped, and the backend
/// may repack others when it first needs them (not with a cache: all are needed for its file). Weights that were copied
/// are released from the map, so that they are not resident twice.
/// With a cache, weights in the backend's own layout come from it when it fits, else it is written; a cache that cannot
/// be read or written is no error.
/// Errors: kOutOfMemory, kIo and kInvalidFile naming the tensor, kInvalidArgument for slices the files do not have.
Result<std::vector<backends::Buffer>> place_weights(const graph::Plan& plan, const io::WeightIndex& files,
                                                    backends::Backend& backend, const Progress& progress,
                                                    WeightCache* cache = nullptr);

}  // namespace tern::engine
