// Scheduler: which sequence does what in the next step. A pure state machine over sequences and pages: no backend, no
// sampling, no clock.
//
//   enqueue -> waiting --admit--> running: prefilling (chunks) -> decoding (a token a step) -> remove
//                 ^                  |      (one that is embedded is done after its prompt)
//                 +---- preempt -----+   its pages go, its tokens so far are computed again later
//
// Rules. Admission is first come, first served; who waits keeps the order of arrival, so the running are always older
// than the waiting. A step takes the decode token of every running sequence first, then prefill chunks in order of
// age. When pages run out the youngest makes room, so the oldest always gets on and nobody starves. All pages of a
// prompt are taken at admission: only decoding can run out.
//
// Several steps may be in flight. A sequence that samples on the device then takes its next token from there, before
// anybody on the host knows it (graph/step.h). Such a step may turn out to have run past the end of its sequence, so it
// takes only pages that are available and never throws anybody out. Steps run in the order they were submitted: pages
// may change hands while older steps still write to them, because the new owner writes later.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "base/result.h"
#include "engine/kv_pool.h"
#include "graph/step.h"

namespace tern::engine {

/// One sequence as the scheduler sees it; owned by the caller, who appends sampled tokens and reads the rest.
struct Sequence {
  uint64_t id = 0;
  std::vector<int32_t> tokens;  // prompt, then what was generated
  uint32_t final_tokens = 0;    // positions in the cache that it can come to need at most: bounds its pages
  bool runs_ahead = false;      // its tokens are sampled on the device, and the next step may follow unseen
  enum class Pool { kNone, kLast, kAll };
  Pool pool = Pool::kNone;  // whose hidden states are wanted, of its tokens; else kNone: it is continued

  // The scheduler's.
  enum class State { kNew, kWaiting, kRunning, kDone };
  State state = State::kNew;
  uint32_t computed = 0;      // tokens whose keys and values are in the cache
  uint32_t scheduled = 0;     // those, and the tokens in steps in flight
  uint32_t unseen = 0;        // tokens that steps in flight sample: they follow `tokens`
  uint32_t place = 0;         // while running: below max_seqs, no other running sequence has it
  uint32_t shared = 0;        // of those, found in pages of others at the last admission
  std::vector<PageId> pages;  // page i holds positions [i * page_tokens, (i + 1) * page_tokens)
  PrefixNode prefix;          // of the published pages
  uint32_t n_published = 0;   // pages whose node is known, from the first on

  uint32_t remaining() const { return static_cast<uint32_t>(tokens.size()) + unseen - scheduled; }
};

/// What schedule() did, in order: for statistics, traces and tests.
struct Action {
  enum class Kind { kAdmit, kDecode, kPrefill, kPreempt, kOutOfPages };
  Kind kind;
  Sequence* sequence;
  uint32_t tokens;  // kAdmit: shared tokens; kDecode, kPrefill: tokens in the step; else 0
};

/// One step; the arrays keep their capacity from step to step. Layouts as in graph::StepParams.
struct Batch {
  struct Entry {
    Sequence* sequence;  // nullptr: removed while the step was in flight
    uint32_t tokens;     // in this step
    int32_t row;         // its row of logits, -1 when its prompt is not complete
    int32_t pool;        // its row of pooled hidden states, or -1
  };
  std::vector<int32_t> tokens;
  std::vector<uint32_t> positions, sequences, page_table, rows;
  std::vector<graph::StepSequence> seqs;
  std::vector<graph::StepPool> pools;
  std::vector<Entry> entries;  // [S]

  bool empty() const { return entries.empty(); }
  graph::StepParams params() const;
};

struct SchedulerLimits {
  uint32_t max_tokens = 512;  // T
  uint32_t max_seqs = 16;     // S, R
  uint32_t context = 0;       // positions per sequence
  bool share_prefixes = true;
  uint32_t steps_in_flight = 1;  // at most graph::kSampledTokens
};

class Scheduler {
 public:
  /// limits: all >= 1. Allocates for the largest step.
  Scheduler(KvPool& pool, const SchedulerLimits& limits);

  /// `sequence` is new, has 1 to context tokens, and stays where it is until remove().
  void enqueue(Sequence& sequence);
  /// Finished or cancelled: frees its pages at once; steps in flight forget it.
  void remove(Sequence& sequence);

  /// Plans the next step; call it only when can_schedule(). A batch() that is not empty counts as in flight from now
  /// on. It is empty when nothing can run before an older step is complete, or at all; sequences that alone exceed the
  /// pool appear in actions() as kOutOfPages and are done.
  void schedule();
  bool can_schedule() const { return in_flight_ < limits_.steps_in_flight; }
  const Batch& batch() const { return batches_[planned_]; }
  std::span<const Action> actions() const { return actions_; }

  uint32_t in_flight() const { return in_flight_; }
  /// The oldest step in flight; one must be.
  const Batch& oldest() const { return batches_[oldest_]; }
  /// The oldest step is computed: its keys and values are in the cache. The caller then appends the tokens of its rows
  /// to their sequences, or removes those. The batch stays until the next schedule().
  const Batch& complete();
  /// Nothing of the cache is left (the device is new): forgets the steps in flight and every prefix, and lets all
  /// running sequences wait, in their order, to be computed again.
  void restart(uint32_t steps_in_flight);

  uint32_t running() const { return static_cast<uint32_t>(running_.size()); }
  uint32_t waiting() const { return static_cast<uint32_t>(waiting_.size()); }
  /// Verifies every invariant, the pool's too. For tests.
  Result<void> check() const;

 private:
  KvPool& pool_;
  SchedulerLimits limits_;
  std::vector<Sequence*> running_;  // oldest first
  std::deque<Sequence*> waiting_;   // oldest first
  std::vector<uint32_t> places_;    // that nobody sits in
  std::vector<Batch> batches_;      // [steps_in_flight], a ring: in_flight_ of them from oldest_ on
  uint32_t oldest_ = 0, in_flight_ = 0, planned_ = 0;
  std::vector<Action> actions_;
  uint64_t refused_at_ = UINT64_MAX;  // pool_.changes() when the first in line did not fit

  uint32_t pages_for(size_t tokens) const { return static_cast<uint32_t>((tokens - 1) / pool_.page_tokens() + 1); }
  void make_batches();
  uint32_t ring(uint32_t index) const { return index % static_cast<uint32_t>(batches_.size()); }
  void admit_waiting();
  bool try_admit(Sequence& sequence);
  /// False as well for one whose every token is looked at.
  bool shares(const Sequence& sequence) const {
    return limits_.share_prefixes && sequence.pool != Sequence::Pool::kAll;
  }
  bool worth_waiting(const Sequence& sequence) const;
  bool make_room(Sequence& sequence);
  void preempt_youngest();
  void add(Sequence& sequence, uint32_t count, Action::Kind kind);
  void publish(Sequence& sequence);
  void stop_running(Sequence& sequence, Sequence::State next);
  void drop_pages(Sequence& sequence);
  Result<void> check_running() const;
  uint32_t budget() const { return limits_.max_tokens - static_cast<uint32_t>(batch().tokens.size()); }
};

}  // namespace tern::engine
