// How often this test program has called operator new.
#pragma once

#include <cstdint>

namespace tern::engine {
uint64_t allocation_count();
}
