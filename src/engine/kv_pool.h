// KvPool: who owns which page of the KV cache. Pages are numbers here; their bytes lie in the backend's buffers.
//
//            allocate                 publish (the page is full, its tokens are known)
//   free ----------------> held ----------------------------------------> held and published
//    ^                       |  ^  acquire (a new request has the same prefix)   |
//    | release, unpublished  |  +----------------- cached <----------------------+ last release
//    +-----------------------+                        | evicted, least recently used first, when nothing is free
//
// A published page is a node of a tree: its key is its parent's node and its own tokens, so finding a node proves that
// the whole prefix is the same; hashes only say where to look. Every operation is O(1) (comparing one page's tokens
// counted as one) and allocates nothing; only forgetting everything takes longer.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"

namespace tern::engine {

using PageId = uint32_t;

/// A published page as a place in the tree of prefixes. The serial is never reused, so a node whose page was evicted
/// matches nothing, whatever its page holds now.
struct PrefixNode {
  PageId page = UINT32_MAX;
  uint64_t serial = 0;  // 0: the root, the empty prefix
};

class KvPool {
 public:
  /// n_pages >= 1 pages of page_tokens >= 1 tokens each.
  KvPool(uint32_t n_pages, uint32_t page_tokens);

  uint32_t page_count() const { return static_cast<uint32_t>(pages_.size()); }
  uint32_t page_tokens() const { return page_tokens_; }
  /// Pages that allocate() can still give out: free ones and cached ones.
  uint32_t available() const { return n_free_ + n_cached_; }
  /// How many hold this page; 0: free or cached.
  uint32_t holders(PageId page) const { return pages_[page].holders; }
  /// Grows whenever a page becomes available or is published: a failed admission need not be tried again before.
  uint64_t changes() const { return changes_; }

  /// A page with one holder, whose content is to be written; nullopt when all pages are held.
  std::optional<PageId> allocate();
  /// One more holder of a held page.
  void retain(PageId page);
  /// One holder less. To keep prefixes whole, release a sequence's pages last page first.
  void release(PageId page);

  /// Enters a held page, now full and never written again, under its parent. tokens: [page_tokens]. Gives the node for
  /// this prefix: of this page, or of another that was published with the same content before.
  PrefixNode publish(PageId page, PrefixNode parent, std::span<const int32_t> tokens);
  /// The page that continues `parent` with these tokens, with one more holder. tokens: [page_tokens].
  std::optional<PrefixNode> acquire(PrefixNode parent, std::span<const int32_t> tokens);
  /// The content of every page is lost: nothing that was published is found any more. No page is held.
  void forget_prefixes();

  /// Verifies every invariant; O(pages). For tests.
  Result<void> check() const;

 private:
  struct Page {
    uint32_t holders = 0;
    uint64_t serial = 0;  // 0: not published
    uint64_t parent = 0;  // the parent's serial
    uint32_t bucket = 0;
    // One list at a time: free pages (next only), or cached ones in order of their last use.
    PageId prev = UINT32_MAX, next = UINT32_MAX;
    PageId bucket_next = UINT32_MAX;
  };
  uint32_t page_tokens_;
  std::vector<Page> pages_;
  std::vector<int32_t> tokens_;    // [n_pages, page_tokens], of published pages
  std::vector<PageId> buckets_;    // heads of lists; a power of two of them
  PageId free_head_ = UINT32_MAX;  // a stack
  PageId lru_head_ = UINT32_MAX, lru_tail_ = UINT32_MAX;
  uint32_t n_free_ = 0, n_cached_ = 0;
  uint64_t next_serial_ = 1, changes_ = 0;

  uint32_t bucket_of(uint64_t parent, std::span<const int32_t> tokens) const;
  PageId find(uint32_t bucket, uint64_t parent, std::span<const int32_t> tokens) const;
  bool alive(PrefixNode node) const;
  void unpublish(PageId page);
  void push_free(PageId page);
  void lru_append(PageId page);
  void lru_remove(PageId page);
};

}  // namespace tern::engine
