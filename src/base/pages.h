// How memory is paged, where the system lets us say.
#pragma once

#include <cstddef>
#include <span>

namespace tern {

/// Zeroed memory of whole pages, none of which is touched; null where the system has no such call, or no memory. Blocks
/// tend to lie side by side, and those that prefer huge pages then share the ones that both have a part of. (Blocks of
/// malloc do not: what it writes in front of them makes them strangers to each other.)
void* map_pages(size_t bytes);
void unmap_pages(void* memory, size_t bytes);

/// Asks for huge pages, before the memory is touched: with small ones a stream of weights loses 10 to 30% to misses of
/// the TLB (Q4_0 on Zen 5: 28 of 40 GB/s). A hint; does nothing where the system has none. Small pages that the memory
/// has only a part of are asked for as well.
void prefer_huge_pages(std::span<std::byte> memory);

}  // namespace tern
