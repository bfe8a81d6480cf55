#include "engine/kv_pool.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace tern::engine {
namespace {

using Tokens = std::vector<int32_t>;

TEST(KvPool, GivesOutEveryPageOnceAndTakesThemBack) {
  KvPool pool(5, 2);
  std::set<PageId> pages;
  for (int i = 0; i < 5; i++) pages.insert(pool.allocate().value());
  EXPECT_EQ(pages, (std::set<PageId>{0, 1, 2, 3, 4}));
  EXPECT_FALSE(pool.allocate());
  for (PageId page : pages) pool.release(page);
  EXPECT_EQ(pool.available(), 5u);
  EXPECT_TRUE(pool.check());
}

TEST(KvPool, AHeldPageIsFreeOnlyAfterItsLastHolder) {
  KvPool pool(1, 2);
  const PageId page = pool.allocate().value();
  pool.retain(page);
  pool.release(page);
  EXPECT_FALSE(pool.allocate());
  pool.release(page);
  EXPECT_TRUE(pool.allocate());
}

TEST(KvPool, FindsAPrefixByAllItsTokens) {
  KvPool pool(4, 2);
  const PageId a = pool.allocate().value(), b = pool.allocate().value();
  const PrefixNode first = pool.publish(a, {}, Tokens{1, 2});
  const PrefixNode second = pool.publish(b, first, Tokens{3, 4});
  EXPECT_FALSE(pool.acquire({}, Tokens{3, 4})) << "the same tokens elsewhere in a text are another page";
  EXPECT_FALSE(pool.acquire({}, Tokens{1, 3}));
  EXPECT_FALSE(pool.acquire(first, Tokens{1, 2}));
  const auto found = pool.acquire({}, Tokens{1, 2});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->page, a);
  EXPECT_EQ(pool.acquire(*found, Tokens{3, 4})->page, b);
  EXPECT_EQ(pool.holders(a), 2u);
  EXPECT_EQ(second.page, b);
  EXPECT_TRUE(pool.check());
}

TEST(KvPool, KeepsReleasedPrefixesUntilMemoryIsWanted) {
  KvPool pool(2, 1);
  const PageId a = pool.allocate().value();
  pool.publish(a, {}, Tokens{7});
  pool.release(a);
  EXPECT_EQ(pool.available(), 2u);
  EXPECT_EQ(pool.acquire({}, Tokens{7})->page, a);
  pool.release(a);
  EXPECT_NE(pool.allocate().value(), a) << "free pages go first";
  EXPECT_EQ(pool.allocate().value(), a);
  EXPECT_FALSE(pool.acquire({}, Tokens{7})) << "an evicted page matches nothing";
  EXPECT_TRUE(pool.check());
}

TEST(KvPool, EvictsTheLeastRecentlyUsedFirst) {
  KvPool pool(3, 1);
  std::vector<PageId> pages;
  for (int32_t token = 0; token < 3; token++) {
    pages.push_back(pool.allocate().value());
    pool.publish(pages.back(), {}, Tokens{token});
  }
  for (PageId page : pages) pool.release(page);
  pool.release(pool.acquire({}, Tokens{0})->page);  // used again: now 1 is the oldest
  EXPECT_EQ(pool.allocate().value(), pages[1]);
  EXPECT_EQ(pool.allocate().value(), pages[2]);
  EXPECT_EQ(pool.allocate().value(), pages[0]);
}

TEST(KvPool, AChildOfAnEvictedPageIsNotFoundUnderItsNextTenant) {
  KvPool pool(2, 1);
  const PageId a = pool.allocate().value(), b = pool.allocate().value();
  const PrefixNode node = pool.publish(a, {}, Tokens{1});
  pool.publish(b, node, Tokens{2});
  pool.release(a);  // parents first, so that a goes first: the awkward order
  pool.release(b);
  ASSERT_EQ(pool.allocate().value(), a);
  const PrefixNode other = pool.publish(a, {}, Tokens{9});
  EXPECT_EQ(other.page, a);
  EXPECT_FALSE(pool.acquire(other, Tokens{2})) << "b continues 1, not 9";
  EXPECT_FALSE(pool.acquire(node, Tokens{2})) << "the node is gone with its page";
  EXPECT_TRUE(pool.check());
}

TEST(KvPool, PublishingKnownContentGivesTheFirstPage) {
  KvPool pool(3, 1);
  const PageId a = pool.allocate().value(), b = pool.allocate().value();
  const PrefixNode first = pool.publish(a, {}, Tokens{5});
  const PrefixNode again = pool.publish(b, {}, Tokens{5});
  EXPECT_EQ(again.page, a);
  EXPECT_EQ(again.serial, first.serial);
  pool.release(b);
  EXPECT_TRUE(pool.check());
}

// Random operations against a model that stores whole prefixes: whatever the pool finds must be exactly that prefix.
TEST(KvPool, RandomOperationsKeepEveryInvariant) {
  std::mt19937 random(1);
  KvPool pool(12, 2);
  std::map<uint64_t, Tokens> prefix_of;  // serial -> the whole prefix
  prefix_of[0] = {};
  struct Chain {
    std::vector<PageId> pages;
    PrefixNode node;
    Tokens tokens;
  };
  std::vector<Chain> chains;
  for (int i = 0; i < 20000; i++) {
    const auto pick = [&](size_t n) { return random() % n; };
    if (chains.size() < 4 && pick(3) == 0) chains.emplace_back();
    if (chains.empty()) continue;
    const size_t at = pick(chains.size());
    Chain& chain = chains[at];
    const Tokens page_tokens = {int32_t(pick(2)), int32_t(pick(2))};
    if (pick(8) == 0) {
      while (!chain.pages.empty()) pool.release(chain.pages.back()), chain.pages.pop_back();
      chains.erase(chains.begin() + at);
    } else if (const auto found = pool.acquire(chain.node, page_tokens)) {
      chain.pages.push_back(found->page);
      chain.tokens.insert(chain.tokens.end(), page_tokens.begin(), page_tokens.end());
      chain.node = *found;
      ASSERT_EQ(prefix_of.at(found->serial), chain.tokens);
    } else if (const auto page = pool.allocate()) {
      chain.pages.push_back(*page);
      chain.tokens.insert(chain.tokens.end(), page_tokens.begin(), page_tokens.end());
      chain.node = pool.publish(*page, chain.node, page_tokens);
      if (chain.node.page == *page) prefix_of[chain.node.serial] = chain.tokens;
    }
    if (i % 16 == 0) {
      ASSERT_TRUE(pool.check());
    }
  }
}

TEST(KvPool, ForgottenPrefixesAreFoundNoMore) {
  KvPool pool(3, 2);
  const Tokens tokens = {1, 2};
  const PageId page = *pool.allocate();
  pool.publish(page, {}, tokens);
  pool.release(page);
  const uint64_t before = pool.changes();
  pool.forget_prefixes();
  EXPECT_FALSE(pool.acquire({}, tokens));
  EXPECT_EQ(pool.available(), 3u);
  EXPECT_GT(pool.changes(), before);
  EXPECT_TRUE(pool.check());
}

}  // namespace
}  // namespace tern::engine
