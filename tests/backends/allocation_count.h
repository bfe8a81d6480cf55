#pragma once

#include <cstdint>

namespace tern::backends {

/// Calls of operator new so far, in all threads; 0 under a sanitizer that has its own. (Engine code calls malloc in
/// HostBlock alone, which is made at load.)
uint64_t allocation_count();

}  // namespace tern::backends
