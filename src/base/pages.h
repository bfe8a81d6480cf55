// How memory is paged, where the system lets us say.
#pragma once

#include <cstddef>
#include <span>

namespace tern {

/// Asks for huge pages: with small ones a stream of weights loses a tenth to misses of the TLB. A hint; does nothing
/// where the system has none.
void prefer_huge_pages(std::span<std::byte> memory);

}  // namespace tern
