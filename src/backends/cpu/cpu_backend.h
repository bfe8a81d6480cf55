// The CPU as a player of plans. Weights stay in the file's layout (in the mapped file itself where the engine imports
// it) and are decoded on the fly; activations are f32. submit() only copies the step's parameters; whoever waits for a
// step walks its ops, or a thread of its own when nobody does (JobRunner), and shares each op with the pool.
#pragma once

#include <memory>

#include "backends/backend.h"

namespace tern::backends {

/// Errors: kUnsupported when this machine cannot execute options.isa.
Result<std::unique_ptr<Backend>> make_cpu_backend(const BackendOptions& options);

}  // namespace tern::backends
