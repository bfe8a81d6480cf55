#include "engine/kv_pool.h"

#include <algorithm>
#include <bit>

namespace tern::engine {
namespace {
constexpr PageId kNoPage = UINT32_MAX;

/// The finaliser of MurmurHash3 (Appleby): every input bit reaches every output bit.
uint64_t mix(uint64_t h) {
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdull;
  h ^= h >> 33;
  h *= 0xc4ceb9fe1a85ec53ull;
  return h ^ (h >> 33);
}
}  // namespace

KvPool::KvPool(uint32_t n_pages, uint32_t page_tokens) : page_tokens_(page_tokens), pages_(n_pages) {
  ASSERT(n_pages >= 1 && n_pages < kNoPage && page_tokens >= 1);
  tokens_.resize(size_t{n_pages} * page_tokens);
  buckets_.assign(std::bit_ceil(size_t{n_pages} * 2), kNoPage);
  for (PageId page = n_pages; page-- > 0;) push_free(page);
  changes_ = 0;
}

std::optional<PageId> KvPool::allocate() {
  PageId page = free_head_;
  if (page != kNoPage) {
    free_head_ = pages_[page].next;
    n_free_--;
  } else if (page = lru_head_; page != kNoPage) {
    lru_remove(page);
    unpublish(page);
  } else {
    return std::nullopt;
  }
  pages_[page].next = kNoPage;
  pages_[page].holders = 1;
  return page;
}

void KvPool::retain(PageId page) {
  ASSERT(page < pages_.size() && pages_[page].holders > 0);
  pages_[page].holders++;
}

void KvPool::release(PageId page) {
  ASSERT(page < pages_.size() && pages_[page].holders > 0);
  if (--pages_[page].holders > 0) return;
  pages_[page].serial == 0 ? push_free(page) : lru_append(page);
}

PrefixNode KvPool::publish(PageId page, PrefixNode parent, std::span<const int32_t> tokens) {
  ASSERT(page < pages_.size() && pages_[page].holders > 0 && pages_[page].serial == 0);
  ASSERT(tokens.size() == page_tokens_);
  // Below an evicted parent nothing can be found, so the page would only be in the way.
  if (!alive(parent)) return parent;
  const uint32_t bucket = bucket_of(parent.serial, tokens);
  if (PageId known = find(bucket, parent.serial, tokens); known != kNoPage) return {known, pages_[known].serial};
  Page& entry = pages_[page];
  entry.serial = next_serial_++;
  entry.parent = parent.serial;
  entry.bucket = bucket;
  entry.bucket_next = buckets_[bucket];
  buckets_[bucket] = page;
  std::ranges::copy(tokens, tokens_.begin() + size_t{page} * page_tokens_);
  changes_++;
  return {page, entry.serial};
}

std::optional<PrefixNode> KvPool::acquire(PrefixNode parent, std::span<const int32_t> tokens) {
  ASSERT(tokens.size() == page_tokens_);
  if (!alive(parent)) return std::nullopt;
  const PageId page = find(bucket_of(parent.serial, tokens), parent.serial, tokens);
  if (page == kNoPage) return std::nullopt;
  if (pages_[page].holders++ == 0) lru_remove(page);
  return PrefixNode{page, pages_[page].serial};
}

void KvPool::forget_prefixes() {
  ASSERT(available() == page_count());
  while (lru_head_ != kNoPage) {
    const PageId page = lru_head_;
    lru_remove(page);
    unpublish(page);
    push_free(page);
  }
}

uint32_t KvPool::bucket_of(uint64_t parent, std::span<const int32_t> tokens) const {
  uint64_t hash = mix(parent);
  for (int32_t token : tokens) hash = (std::rotl(hash, 5) ^ static_cast<uint32_t>(token)) * 0x9e3779b97f4a7c15ull;
  return static_cast<uint32_t>(mix(hash) & (buckets_.size() - 1));
}

PageId KvPool::find(uint32_t bucket, uint64_t parent, std::span<const int32_t> tokens) const {
  for (PageId page = buckets_[bucket]; page != kNoPage; page = pages_[page].bucket_next) {
    if (pages_[page].parent != parent) continue;
    if (std::ranges::equal(tokens, std::span(tokens_).subspan(size_t{page} * page_tokens_, page_tokens_))) return page;
  }
  return kNoPage;
}

bool KvPool::alive(PrefixNode node) const {
  return node.serial == 0 || (node.page < pages_.size() && pages_[node.page].serial == node.serial);
}

void KvPool::unpublish(PageId page) {
  PageId* link = &buckets_[pages_[page].bucket];
  while (*link != page) link = &pages_[*link].bucket_next;
  *link = pages_[page].bucket_next;
  pages_[page].bucket_next = kNoPage;
  pages_[page].serial = pages_[page].parent = 0;
}

void KvPool::push_free(PageId page) {
  pages_[page].next = free_head_;
  free_head_ = page;
  n_free_++;
  changes_++;
}

void KvPool::lru_append(PageId page) {
  pages_[page].prev = lru_tail_;
  pages_[page].next = kNoPage;
  (lru_tail_ == kNoPage ? lru_head_ : pages_[lru_tail_].next) = page;
  lru_tail_ = page;
  n_cached_++;
  changes_++;
}

void KvPool::lru_remove(PageId page) {
  Page& entry = pages_[page];
  (entry.prev == kNoPage ? lru_head_ : pages_[entry.prev].next) = entry.next;
  (entry.next == kNoPage ? lru_tail_ : pages_[entry.next].prev) = entry.prev;
  entry.prev = entry.next = kNoPage;
  n_cached_--;
}

Result<void> KvPool::check() const {
  const auto broken = [](const char* what, uint64_t page) {
    return fail(ErrorCode::kInternal, "The KV pool is broken at page {}: {}.", page, what);
  };
  enum : uint8_t { kUnseen, kFree, kCached };
  std::vector<uint8_t> seen(pages_.size(), kUnseen);
  uint32_t n_free = 0, n_cached = 0, n_hashed = 0, n_published = 0;
  for (PageId page = free_head_; page != kNoPage; page = pages_[page].next, n_free++) {
    if (seen[page] != kUnseen) return broken("it is twice in the free list", page);
    seen[page] = kFree;
  }
  PageId prev = kNoPage;
  for (PageId page = lru_head_; page != kNoPage; prev = page, page = pages_[page].next, n_cached++) {
    if (seen[page] != kUnseen) return broken("it is twice in the lists", page);
    if (pages_[page].prev != prev) return broken("the links of the cached list disagree", page);
    seen[page] = kCached;
  }
  if (prev != lru_tail_ || n_free != n_free_ || n_cached != n_cached_) return broken("a count is wrong", 0);
  for (PageId page = 0; page < pages_.size(); page++) {
    const Page& entry = pages_[page];
    const bool published = entry.serial != 0;
    n_published += published;
    if (seen[page] == kFree && published) return broken("it is free and published", page);
    if (seen[page] == kCached && !published) return broken("it is cached but not published", page);
    if ((seen[page] == kUnseen) != (entry.holders > 0)) return broken("its holders disagree with its list", page);
  }
  for (size_t bucket = 0; bucket < buckets_.size(); bucket++) {
    for (PageId page = buckets_[bucket]; page != kNoPage; page = pages_[page].bucket_next, n_hashed++) {
      const auto tokens = std::span(tokens_).subspan(size_t{page} * page_tokens_, page_tokens_);
      if (n_hashed > pages_.size()) return broken("the index has a cycle", page);
      if (pages_[page].serial == 0) return broken("it is in the index but not published", page);
      if (bucket_of(pages_[page].parent, tokens) != bucket) return broken("it is in the wrong bucket", page);
    }
  }
  if (n_hashed != n_published) return broken("a published page is not in the index", 0);
  return {};
}

}  // namespace tern::engine
