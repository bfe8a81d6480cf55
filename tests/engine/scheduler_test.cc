#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace tern::engine {
namespace {

using Kind = Action::Kind;

struct Fixture {
  KvPool pool;
  Scheduler scheduler;
  std::vector<std::unique_ptr<Sequence>> sequences;
  int32_t next_token = 1000;
  bool runs_ahead = true;  // of sequences added from now on

  Fixture(uint32_t n_pages, uint32_t page_tokens, SchedulerLimits limits)
      : pool(n_pages, page_tokens), scheduler(pool, limits) {}

  Sequence& add(std::vector<int32_t> tokens, uint32_t more = 100) {
    auto sequence = std::make_unique<Sequence>();
    sequence->id = sequences.size();
    sequence->tokens = std::move(tokens);
    sequence->final_tokens = static_cast<uint32_t>(sequence->tokens.size()) + more;
    sequence->runs_ahead = runs_ahead;
    sequences.push_back(std::move(sequence));
    scheduler.enqueue(*sequences.back());
    return *sequences.back();
  }
  /// `n` tokens that no other prompt shares.
  Sequence& add_distinct(uint32_t n, uint32_t more = 100) {
    std::vector<int32_t> tokens(n);
    std::iota(tokens.begin(), tokens.end(), next_token += 1000);
    return add(std::move(tokens), more);
  }
  /// One step, and the end of the oldest when no more may be in flight; rows get a token then. Returns the actions as
  /// "0+2" admit with 2 shared, "p0:5", "d0", "-0" preempted, "!0" out of pages.
  std::string step() {
    scheduler.schedule();
    std::string text;
    for (const Action& action : scheduler.actions()) {
      const std::string id = std::to_string(action.sequence->id), n = std::to_string(action.tokens);
      if (!text.empty()) text += ' ';
      switch (action.kind) {
        case Kind::kAdmit:
          text += id + "+" + n;
          break;
        case Kind::kPrefill:
          text += "p" + id + ":" + n;
          break;
        case Kind::kDecode:
          text += "d" + id;
          break;
        case Kind::kPreempt:
          text += "-" + id;
          break;
        case Kind::kOutOfPages:
          text += "!" + id;
          break;
      }
    }
    if (!scheduler.can_schedule() || scheduler.batch().empty()) finish();
    const auto ok = scheduler.check();
    EXPECT_TRUE(ok) << ok.error().to_string();
    return text;
  }
  /// The oldest step in flight, if there is one, is done.
  void finish() {
    if (scheduler.in_flight() == 0) return;
    for (const Batch::Entry& entry : scheduler.complete().entries) {
      if (entry.sequence && entry.row >= 0) entry.sequence->tokens.push_back(next_token++);
    }
    const auto ok = scheduler.check();
    EXPECT_TRUE(ok) << ok.error().to_string();
  }
};

constexpr SchedulerLimits kLimits{.max_tokens = 8, .max_seqs = 4, .context = 1000};

TEST(Scheduler, PrefillsInChunksThenDecodes) {
  Fixture f(10, 4, kLimits);
  f.add_distinct(19);
  EXPECT_EQ(f.step(), "0+0 p0:8");
  EXPECT_EQ(f.step(), "p0:8");
  EXPECT_EQ(f.step(), "p0:3");
  EXPECT_EQ(f.step(), "d0");
  EXPECT_EQ(f.step(), "d0");
}

TEST(Scheduler, DecodeTokensComeFirstAndPrefillTakesTheRest) {
  Fixture f(20, 4, kLimits);
  f.add_distinct(3);
  EXPECT_EQ(f.step(), "0+0 p0:3");
  f.add_distinct(10);
  f.add_distinct(5);
  EXPECT_EQ(f.step(), "d0 1+0 p1:7");
  EXPECT_EQ(f.step(), "d0 p1:3 2+0 p2:4");
  EXPECT_EQ(f.step(), "d0 d1 d2") << "the last token of a prompt is a step of one token like any other";
}

TEST(Scheduler, BatchLaysOutTokensPagesAndRows) {
  Fixture f(20, 4, kLimits);
  f.add_distinct(6);
  f.step();
  Sequence& second = f.add_distinct(9);
  f.scheduler.schedule();
  const graph::StepParams step = f.scheduler.batch().params();
  const auto list = [](auto span) { return std::vector<int64_t>(span.begin(), span.end()); };
  EXPECT_EQ(list(step.positions), (std::vector<int64_t>{6, 0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(list(step.sequences), (std::vector<int64_t>{0, 1, 1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(step.tokens[0], f.sequences[0]->tokens[6]);
  EXPECT_EQ(step.tokens[7], second.tokens[6]);
  ASSERT_EQ(step.seqs.size(), 2u);
  EXPECT_EQ(step.seqs[0].kv_len, 7u);
  EXPECT_EQ(step.seqs[1].kv_len, 7u);
  EXPECT_EQ(step.seqs[1].first_page, 2u);
  EXPECT_EQ(step.page_table.size(), 4u) << "two pages of each are in use";
  EXPECT_EQ(list(step.rows), (std::vector<int64_t>{0})) << "the second prompt is not complete";
}

TEST(Scheduler, AdmitsNoMoreThanMaxSeqs) {
  Fixture f(20, 4, {.max_tokens = 8, .max_seqs = 2, .context = 100});
  for (int i = 0; i < 3; i++) f.add_distinct(1);
  EXPECT_EQ(f.step(), "0+0 p0:1 1+0 p1:1");
  EXPECT_EQ(f.step(), "d0 d1");
  f.scheduler.remove(*f.sequences[0]);
  EXPECT_EQ(f.step(), "d1 2+0 p2:1");
}

TEST(Scheduler, AStepNeverExceedsMaxTokens) {
  Fixture f(20, 4, {.max_tokens = 2, .max_seqs = 4, .context = 100});
  for (int i = 0; i < 4; i++) f.add_distinct(1);
  EXPECT_EQ(f.step(), "0+0 p0:1 1+0 p1:1");
  EXPECT_EQ(f.step(), "d0 d1") << "no more run than a step can decode";
}

TEST(Scheduler, AdmitsWhenPagesSufficeAndNotOnePageBefore) {
  Fixture f(4, 4, kLimits);
  f.add_distinct(4, 0);  // will never need more than its page
  f.add_distinct(12, 0);
  EXPECT_EQ(f.step(), "0+0 p0:4 1+0 p1:4") << "1 + 3 pages: exactly the pool";
  Fixture g(4, 4, kLimits);
  g.add_distinct(4, 0);
  g.add_distinct(13, 0);
  EXPECT_EQ(g.step(), "0+0 p0:4");
}

TEST(Scheduler, LeavesAPageToEachRunningSequenceThatWillGrow) {
  Fixture f(4, 4, kLimits);
  f.add_distinct(4, 100);
  f.add_distinct(12, 0);
  EXPECT_EQ(f.step(), "0+0 p0:4");
  EXPECT_EQ(f.step(), "d0");
  EXPECT_EQ(f.scheduler.waiting(), 1u);
}

TEST(Scheduler, NobodyOvertakesTheFirstInLine) {
  Fixture f(4, 4, kLimits);
  f.add_distinct(8, 0);
  f.add_distinct(12, 0);
  f.add_distinct(1, 0);
  EXPECT_EQ(f.step(), "0+0 p0:8");
  EXPECT_EQ(f.step(), "d0") << "2 would fit, 1 does not";
  EXPECT_EQ(f.scheduler.waiting(), 2u);
}

TEST(Scheduler, PreemptsTheYoungestAndComputesItAgain) {
  Fixture f(3, 4, {.max_tokens = 8, .max_seqs = 4, .context = 100, .share_prefixes = false});
  f.add_distinct(4, 5);
  f.add_distinct(3, 1);
  EXPECT_EQ(f.step(), "0+0 p0:4 1+0 p1:3");
  EXPECT_EQ(f.step(), "d0 d1");
  EXPECT_EQ(f.step(), "d0 -1") << "1 wants a second page, and there is none";
  EXPECT_EQ(f.step(), "d0");
  f.scheduler.remove(*f.sequences[0]);
  EXPECT_EQ(f.step(), "1+0 p1:5") << "prompt and answer so far, in one go";
  EXPECT_EQ(f.step(), "d1");
}

TEST(Scheduler, TheYoungestMakesRoomForAnOlderOne) {
  Fixture f(4, 4, {.max_tokens = 8, .max_seqs = 4, .context = 100, .share_prefixes = false});
  f.add_distinct(4, 16);
  f.add_distinct(5, 2);
  EXPECT_EQ(f.step(), "0+0 p0:4 1+0 p1:4");
  for (int i = 0; i < 4; i++) EXPECT_EQ(f.step(), "d0 d1");
  EXPECT_EQ(f.step(), "-1 d0") << "0 has filled its second page";
  EXPECT_EQ(f.sequences[0]->pages.size(), 3u);
  EXPECT_EQ(f.scheduler.waiting(), 1u);
}

TEST(Scheduler, ASequenceThatAloneExceedsThePoolIsDone) {
  Fixture f(2, 4, kLimits);
  f.add_distinct(7);
  EXPECT_EQ(f.step(), "0+0 p0:7");
  EXPECT_EQ(f.step(), "d0");
  EXPECT_EQ(f.step(), "!0");
  EXPECT_EQ(f.sequences[0]->state, Sequence::State::kDone);
  EXPECT_EQ(f.pool.available(), 2u);
  f.add_distinct(9);
  EXPECT_EQ(f.step(), "!1") << "a prompt larger than the pool, at once";
  EXPECT_EQ(f.step(), "");
}

TEST(Scheduler, SharesWholePagesOfACommonPrefix) {
  Fixture f(20, 4, kLimits);
  const std::vector<int32_t> prompt = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  f.add(prompt);
  f.step();
  f.step();
  f.add(prompt);
  f.add({1, 2, 3, 4, 5, 6, 7, 0});
  EXPECT_EQ(f.step(), "d0 1+8 p1:1 2+4 p2:4");
  EXPECT_EQ(f.sequences[1]->pages[1], f.sequences[0]->pages[1]);
  EXPECT_NE(f.sequences[1]->pages[2], f.sequences[0]->pages[2]);
  EXPECT_EQ(f.pool.holders(f.sequences[0]->pages[0]), 3u);
}

TEST(Scheduler, TheLastTokenIsComputedEvenWhenAllPagesAreKnown) {
  Fixture f(20, 4, kLimits);
  f.add({1, 2, 3, 4, 5, 6, 7, 8});
  f.step();
  f.add({1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_EQ(f.step(), "d0 1+4 p1:4") << "somebody must compute the logits of token 8";
}

TEST(Scheduler, AFinishedPrefixIsStillShared) {
  Fixture f(4, 4, kLimits);
  f.add({1, 2, 3, 4, 5});
  f.step();
  f.scheduler.remove(*f.sequences[0]);
  EXPECT_EQ(f.pool.available(), 4u);
  f.add({1, 2, 3, 4, 6});
  EXPECT_EQ(f.step(), "1+4 p1:1");
}

TEST(Scheduler, WaitsForAPrefixThatIsBeingComputed) {
  Fixture f(20, 4, kLimits);
  f.add({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  f.add({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12});
  EXPECT_EQ(f.step(), "0+0 p0:8");
  EXPECT_EQ(f.step(), "p0:3 1+8 p1:3");
}

TEST(Scheduler, WithoutSharingEverybodyComputesTheirOwn) {
  SchedulerLimits limits = kLimits;
  limits.share_prefixes = false;
  Fixture f(20, 4, limits);
  f.add({1, 2, 3, 4, 5});
  f.step();
  f.add({1, 2, 3, 4, 5});
  EXPECT_EQ(f.step(), "d0 1+0 p1:5");
}

TEST(Scheduler, RemovingInFlightFreesPagesAndForgetsTheEntry) {
  Fixture f(4, 4, kLimits);
  f.add_distinct(10);
  f.scheduler.schedule();
  f.scheduler.remove(*f.sequences[0]);
  EXPECT_EQ(f.pool.available(), 4u);
  EXPECT_EQ(f.scheduler.batch().entries[0].sequence, nullptr);
  f.scheduler.complete();
  EXPECT_TRUE(f.scheduler.check());
}

TEST(Scheduler, RemovingAWaitingSequenceLetsTheNextOneIn) {
  Fixture f(4, 4, kLimits);
  f.add_distinct(8, 0);
  f.add_distinct(12, 0);
  f.add_distinct(3, 0);
  EXPECT_EQ(f.step(), "0+0 p0:8");
  f.scheduler.remove(*f.sequences[1]);
  EXPECT_EQ(f.scheduler.waiting(), 1u);
  f.scheduler.schedule();
  EXPECT_EQ(f.scheduler.running(), 2u);
}

constexpr SchedulerLimits kDeep{
    .max_tokens = 8, .max_seqs = 4, .context = 1000, .share_prefixes = false, .steps_in_flight = 3};

TEST(Scheduler, PlansAheadWithTokensNobodyHasSeen) {
  Fixture f(10, 4, kDeep);
  f.add_distinct(5);
  f.scheduler.schedule();
  f.scheduler.schedule();
  ASSERT_TRUE(f.scheduler.can_schedule());
  f.scheduler.schedule();
  EXPECT_FALSE(f.scheduler.can_schedule());
  const graph::StepParams step = f.scheduler.batch().params();
  ASSERT_EQ(step.tokens.size(), 1u);
  EXPECT_EQ(step.positions[0], 6u);
  EXPECT_EQ(step.tokens[0], graph::sampled_token(graph::sampled_word(f.sequences[0]->place, 6)));
  EXPECT_EQ(step.seqs[0].kv_len, 7u);
  EXPECT_EQ(f.sequences[0]->pages.size(), 2u);
  EXPECT_TRUE(f.scheduler.check());
  f.finish();
  EXPECT_EQ(f.sequences[0]->tokens.size(), 6u);
  EXPECT_EQ(f.sequences[0]->computed, 5u);
  EXPECT_EQ(f.sequences[0]->unseen, 2u);
  f.scheduler.schedule();
  EXPECT_EQ(f.scheduler.batch().positions[0], 7u);
}

TEST(Scheduler, WhoMayNotRunAheadWaitsForItsToken) {
  Fixture f(20, 4, kDeep);
  f.add_distinct(2);
  f.runs_ahead = false;
  f.add_distinct(2);
  EXPECT_EQ(f.step(), "0+0 p0:2 1+0 p1:2");
  EXPECT_EQ(f.step(), "d0");
  EXPECT_EQ(f.step(), "d0");
  EXPECT_EQ(f.step(), "d0 d1") << "the first step is done";
}

TEST(Scheduler, NobodyRunsAheadOfItsLastPosition) {
  Fixture f(20, 4, kDeep);
  f.add_distinct(2, 1);
  EXPECT_EQ(f.step(), "0+0 p0:2");
  EXPECT_EQ(f.step(), "d0");
  EXPECT_EQ(f.step(), "") << "position 3 is not needed by any answer";
}

TEST(Scheduler, RunningAheadThrowsNobodyOut) {
  Fixture f(3, 4, kDeep);
  f.add_distinct(2);
  Sequence& young = f.add_distinct(3);
  EXPECT_EQ(f.step(), "0+0 p0:2 1+0 p1:3");
  EXPECT_EQ(f.step(), "d0 d1");
  EXPECT_EQ(f.step(), "d0 d1") << "1 takes the last page";
  EXPECT_EQ(f.step(), "d1") << "0 needs a page, but nobody knows yet whether it goes on";
  EXPECT_EQ(f.step(), "d1");
  const size_t n_tokens = young.tokens.size();
  EXPECT_EQ(f.step(), "-1 d0") << "now it does";
  EXPECT_EQ(young.unseen, 0u);
  f.finish();
  f.finish();
  EXPECT_EQ(young.tokens.size(), n_tokens) << "what steps in flight sampled for it will be sampled again";
}

TEST(Scheduler, RestartingComputesEverythingAgainInTheOldOrder) {
  SchedulerLimits limits = kDeep;
  limits.share_prefixes = true;
  Fixture f(20, 4, limits);
  f.add_distinct(5);
  f.add_distinct(2);
  for (int i = 0; i < 3; i++) f.step();
  f.add_distinct(3);
  f.scheduler.restart(1);
  EXPECT_TRUE(f.scheduler.check());
  EXPECT_EQ(f.scheduler.in_flight(), 0u);
  EXPECT_EQ(f.step(), "0+0 p0:6 1+0 p1:2") << "no page of before is shared";
  EXPECT_EQ(f.step(), "d0 d1 2+0 p2:3");
}

// Random arrivals and removals on a pool that is far too small: everyone gets to the end, the oldest is never thrown
// out, and all invariants hold after each step.
TEST(Scheduler, UnderPressureEverybodyFinishesInBoundedSteps) {
  for (uint32_t seed = 0; seed < 40; seed++) {
    std::mt19937 random(seed);
    const uint32_t page_tokens = 1 + random() % 5;
    Fixture f(40 / page_tokens, page_tokens,
              {.max_tokens = 1 + uint32_t(random() % 9),
               .max_seqs = 1 + uint32_t(random() % 5),
               .context = 40,
               .steps_in_flight = 1 + seed % 4});
    std::vector<uint32_t> goal;
    uint32_t done = 0, steps = 0;
    while (done < 30) {
      ASSERT_LT(++steps, 5000u) << "somebody starves, seed " << seed;
      if (goal.size() < 30 && random() % 3 == 0) {
        std::vector<int32_t> prompt(1 + random() % 20);
        for (int32_t& token : prompt) token = random() % 2;  // many common prefixes
        goal.push_back(std::min<uint32_t>(38, uint32_t(prompt.size()) + 1 + random() % 20));
        f.add(std::move(prompt), 20);
      }
      const Sequence* oldest = nullptr;
      for (auto& s : f.sequences) {
        if (!oldest && s->state == Sequence::State::kRunning) oldest = s.get();
      }
      const std::string actions = f.step();
      if (oldest) {
        ASSERT_EQ(oldest->state, Sequence::State::kRunning) << actions;
      }
      ASSERT_EQ(actions.find('!'), std::string::npos) << "each fits the pool alone";
      for (size_t i = 0; i < f.sequences.size(); i++) {
        Sequence& s = *f.sequences[i];
        if (s.state == Sequence::State::kDone || s.tokens.size() < goal[i]) continue;
        f.scheduler.remove(s);
        done++;
      }
    }
    EXPECT_EQ(f.pool.available(), f.pool.page_count());
  }
}

}  // namespace
}  // namespace tern::engine
