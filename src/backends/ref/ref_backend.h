// The scalar interpreter of plans: the oracle that every other backend is held against, and the debugger. It runs the
// graph as written (no fusion) in an arena without reuse, so that every value of a step can be looked at afterwards.
#pragma once

#include <memory>

#include "backends/backend.h"

namespace tern::backends {

/// submit() computes before it returns, so poll() is ready at once: an oracle has no use for more.
std::unique_ptr<Backend> make_ref_backend(const BackendOptions& options = {});

}  // namespace tern::backends
