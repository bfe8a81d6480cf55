#include "engine/scheduler.h"

#include <algorithm>

namespace tern::engine {

graph::StepParams Batch::params() const {
  return {.tokens = tokens,
          .positions = positions,
          .sequences = sequences,
          .seqs = seqs,
          .page_table = page_table,
          .rows = rows,
          .pools = pools};
}

Scheduler::Scheduler(KvPool& pool, const SchedulerLimits& limits) : pool_(pool), limits_(limits) {
  ASSERT(limits.max_tokens >= 1 && limits.max_seqs >= 1 && limits.context >= 1);
  // So that the decode tokens of all running sequences fit a step, and a prefill beside them always gets on.
  limits_.max_seqs = std::min(limits.max_seqs, limits.max_tokens);
  running_.reserve(limits_.max_seqs);
  for (uint32_t place = limits_.max_seqs; place-- > 0;) places_.push_back(place);
  actions_.reserve(size_t{limits_.max_seqs} * 4);
  make_batches();
}

void Scheduler::make_batches() {
  ASSERT(limits_.steps_in_flight >= 1 && limits_.steps_in_flight <= graph::kSampledTokens);
  oldest_ = in_flight_ = planned_ = 0;
  batches_.assign(limits_.steps_in_flight, {});
  for (Batch& batch : batches_) {
    for (auto* array : {&batch.positions, &batch.sequences}) array->reserve(limits_.max_tokens);
    batch.tokens.reserve(limits_.max_tokens);
    batch.rows.reserve(limits_.max_seqs);
    batch.seqs.reserve(limits_.max_seqs);
    batch.pools.reserve(limits_.max_seqs);
    batch.entries.reserve(limits_.max_seqs);
    batch.page_table.reserve(size_t{limits_.max_seqs} * std::min(pool_.page_count(), pages_for(limits_.context)));
  }
}

void Scheduler::enqueue(Sequence& sequence) {
  ASSERT(sequence.state == Sequence::State::kNew);
  ASSERT(!sequence.tokens.empty() && sequence.tokens.size() <= limits_.context);
  sequence.state = Sequence::State::kWaiting;
  waiting_.push_back(&sequence);
}

void Scheduler::remove(Sequence& sequence) {
  if (sequence.state == Sequence::State::kWaiting) std::erase(waiting_, &sequence);
  if (sequence.state == Sequence::State::kRunning) {
    std::erase(running_, &sequence);
    stop_running(sequence, Sequence::State::kDone);
  }
  sequence.state = Sequence::State::kDone;
  refused_at_ = UINT64_MAX;
}

void Scheduler::schedule() {
  ASSERT(can_schedule());
  planned_ = ring(oldest_ + in_flight_);
  Batch& batch = batches_[planned_];
  for (auto* array : {&batch.positions, &batch.sequences, &batch.page_table, &batch.rows}) array->clear();
  batch.tokens.clear();
  batch.seqs.clear();
  batch.pools.clear();
  batch.entries.clear();
  actions_.clear();
  // Sequences leave running_ only at its end while this loop runs, so no index is skipped.
  for (size_t i = 0; i < running_.size(); i++) {
    Sequence& sequence = *running_[i];
    if (sequence.remaining() == 1 && make_room(sequence)) add(sequence, 1, Action::Kind::kDecode);
  }
  for (size_t i = 0; i < running_.size() && budget() > 0; i++) {
    Sequence& sequence = *running_[i];
    const uint32_t remaining = sequence.remaining();
    if (remaining > 1) add(sequence, std::min(remaining, budget()), Action::Kind::kPrefill);
  }
  admit_waiting();
  if (!batch.empty()) in_flight_++;
}

void Scheduler::admit_waiting() {
  while (budget() > 0 && !waiting_.empty() && running_.size() < limits_.max_seqs && refused_at_ != pool_.changes()) {
    Sequence& sequence = *waiting_.front();
    if (pages_for(sequence.tokens.size()) > pool_.page_count()) {
      waiting_.pop_front();
      sequence.state = Sequence::State::kDone;
      actions_.push_back({Action::Kind::kOutOfPages, &sequence, 0});
      continue;
    }
    if (!try_admit(sequence)) {
      refused_at_ = pool_.changes();
      break;
    }
    add(sequence, std::min(sequence.remaining(), budget()), Action::Kind::kPrefill);
  }
}

/// Takes pages for all tokens of the first in line, shared ones first. False: not now.
bool Scheduler::try_admit(Sequence& sequence) {
  const uint32_t n_tokens = static_cast<uint32_t>(sequence.tokens.size());
  const uint32_t page_tokens = pool_.page_tokens();
  const uint32_t n_pages = pages_for(n_tokens);
  sequence.final_tokens = std::max(sequence.final_tokens, n_tokens);
  sequence.tokens.reserve(size_t{sequence.final_tokens} + 1);
  sequence.pages.reserve(std::min(pages_for(sequence.final_tokens), pool_.page_count()));

  // The last token is always computed, because its logits are wanted.
  for (uint32_t at = 0; shares(sequence) && at + page_tokens < n_tokens; at += page_tokens) {
    const auto node = pool_.acquire(sequence.prefix, std::span(sequence.tokens).subspan(at, page_tokens));
    if (!node) break;
    sequence.prefix = *node;
    sequence.pages.push_back(node->page);
  }
  sequence.n_published = static_cast<uint32_t>(sequence.pages.size());
  sequence.computed = sequence.scheduled = sequence.shared = sequence.n_published * page_tokens;

  // Whoever runs keeps the page it will need next; else the newcomer would soon be thrown out again.
  const auto headroom = std::ranges::count_if(
      running_, [this](const Sequence* other) { return other->pages.size() < pages_for(other->final_tokens); });
  const uint64_t wanted = n_pages - sequence.pages.size() + static_cast<uint64_t>(headroom);
  if (pool_.available() < wanted || worth_waiting(sequence)) {
    drop_pages(sequence);
    return false;
  }
  while (sequence.pages.size() < n_pages) sequence.pages.push_back(*pool_.allocate());
  waiting_.pop_front();
  running_.push_back(&sequence);
  sequence.place = places_.back();
  places_.pop_back();
  sequence.state = Sequence::State::kRunning;
  actions_.push_back({Action::Kind::kAdmit, &sequence, sequence.shared});
  return true;
}

/// True when a running sequence is about to compute pages that this one could share.
bool Scheduler::worth_waiting(const Sequence& sequence) const {
  if (!shares(sequence)) return false;
  const uint32_t page_tokens = pool_.page_tokens();
  return std::ranges::any_of(running_, [&](const Sequence* other) {
    // The first page after the shared ones is enough to decide; comparing from the start keeps it exact.
    const size_t end = sequence.computed + page_tokens;
    if (end >= sequence.tokens.size() || end > other->tokens.size() || other->computed >= end) return false;
    return std::equal(sequence.tokens.begin(), sequence.tokens.begin() + end, other->tokens.begin());
  });
}

/// Gives a decoding sequence the page for its next token. False when it cannot go on now, or lost its place.
bool Scheduler::make_room(Sequence& sequence) {
  const bool ahead = sequence.unseen > 0;
  if (ahead && (!sequence.runs_ahead || sequence.scheduled >= sequence.final_tokens)) return false;
  if (sequence.scheduled < sequence.pages.size() * size_t{pool_.page_tokens()}) return true;
  while (true) {
    if (const auto page = pool_.allocate()) {
      sequence.pages.push_back(*page);
      return true;
    }
    if (ahead) return false;
    if (running_.size() == 1) {  // it holds the whole pool
      running_.clear();
      refused_at_ = UINT64_MAX;
      stop_running(sequence, Sequence::State::kDone);
      actions_.push_back({Action::Kind::kOutOfPages, &sequence, 0});
      return false;
    }
    const bool itself = running_.back() == &sequence;
    preempt_youngest();
    if (itself) return false;
  }
}

/// What steps in flight sample for the victim is thrown away: it will be sampled again, and come out the same.
void Scheduler::preempt_youngest() {
  Sequence& victim = *running_.back();
  running_.pop_back();
  stop_running(victim, Sequence::State::kWaiting);
  waiting_.push_front(&victim);  // older than all who wait
  refused_at_ = UINT64_MAX;
  actions_.push_back({Action::Kind::kPreempt, &victim, 0});
}

void Scheduler::add(Sequence& sequence, uint32_t count, Action::Kind kind) {
  Batch& batch = batches_[planned_];
  const uint32_t s = static_cast<uint32_t>(batch.seqs.size());
  const uint32_t kv_len = sequence.scheduled + count;
  const size_t n_known = sequence.tokens.size();
  batch.seqs.push_back({.kv_len = kv_len, .first_page = static_cast<uint32_t>(batch.page_table.size())});
  batch.page_table.insert(batch.page_table.end(), sequence.pages.begin(), sequence.pages.begin() + pages_for(kv_len));
  for (uint32_t position = sequence.scheduled; position < kv_len; position++) {
    const auto word = graph::sampled_word(sequence.place, position);
    batch.tokens.push_back(position < n_known ? sequence.tokens[position] : graph::sampled_token(word));
    batch.positions.push_back(position);
    batch.sequences.push_back(s);
  }
  int32_t row = -1, pool = -1;
  const bool is_end = kv_len == n_known + sequence.unseen;
  if (sequence.pool == Sequence::Pool::kAll || (is_end && sequence.pool == Sequence::Pool::kLast)) {
    const uint32_t n = sequence.pool == Sequence::Pool::kAll ? count : 1;
    pool = static_cast<int32_t>(batch.pools.size());
    batch.pools.push_back({.first = static_cast<uint32_t>(batch.tokens.size()) - n, .n = n});
  }
  if (is_end && sequence.pool == Sequence::Pool::kNone) {
    row = static_cast<int32_t>(batch.rows.size());
    batch.rows.push_back(static_cast<uint32_t>(batch.tokens.size() - 1));
    sequence.unseen++;
  }
  sequence.scheduled = kv_len;
  batch.entries.push_back({&sequence, count, row, pool});
  actions_.push_back({kind, &sequence, count});
}

const Batch& Scheduler::complete() {
  ASSERT(in_flight_ > 0);
  const Batch& batch = batches_[oldest_];
  oldest_ = ring(oldest_ + 1);
  in_flight_--;
  for (const Batch::Entry& entry : batch.entries) {
    if (!entry.sequence) continue;
    entry.sequence->computed += entry.tokens;
    if (entry.row >= 0) entry.sequence->unseen--;
    if (limits_.share_prefixes) publish(*entry.sequence);
  }
  return batch;
}

void Scheduler::restart(uint32_t steps_in_flight) {
  limits_.steps_in_flight = steps_in_flight;
  make_batches();
  for (; !running_.empty(); running_.pop_back()) {
    stop_running(*running_.back(), Sequence::State::kWaiting);
    waiting_.push_front(running_.back());
  }
  pool_.forget_prefixes();
  refused_at_ = UINT64_MAX;
}

void Scheduler::publish(Sequence& sequence) {
  const size_t page_tokens = pool_.page_tokens();
  for (; (sequence.n_published + 1) * page_tokens <= sequence.computed; sequence.n_published++) {
    const auto tokens = std::span(sequence.tokens).subspan(sequence.n_published * page_tokens, page_tokens);
    sequence.prefix = pool_.publish(sequence.pages[sequence.n_published], sequence.prefix, tokens);
  }
}

/// Of a sequence that has just left running_.
void Scheduler::stop_running(Sequence& sequence, Sequence::State next) {
  for (Batch& batch : batches_) {
    for (Batch::Entry& entry : batch.entries) {
      if (entry.sequence == &sequence) entry.sequence = nullptr;
    }
  }
  drop_pages(sequence);
  places_.push_back(sequence.place);
  sequence.unseen = 0;
  sequence.state = next;
}

void Scheduler::drop_pages(Sequence& sequence) {
  while (!sequence.pages.empty()) {
    pool_.release(sequence.pages.back());
    sequence.pages.pop_back();
  }
  sequence.computed = sequence.scheduled = sequence.shared = sequence.n_published = 0;
  sequence.prefix = {};
}

Result<void> Scheduler::check() const {
  TRY(pool_.check());
  TRY(check_running());
  std::vector<uint32_t> holders(pool_.page_count());
  for (const Sequence* sequence : running_) {
    for (PageId page : sequence->pages) holders[page]++;
  }
  for (const Sequence* sequence : waiting_) {
    if (sequence->state != Sequence::State::kWaiting || !sequence->pages.empty() || sequence->unseen > 0) {
      return fail(ErrorCode::kInternal, "Waiting sequence {} holds something.", sequence->id);
    }
  }
  for (PageId page = 0; page < holders.size(); page++) {
    if (holders[page] == pool_.holders(page)) continue;
    return fail(ErrorCode::kInternal, "Page {} has {} holders, but the pool counts {}.", page, holders[page],
                pool_.holders(page));
  }
  return {};
}

Result<void> Scheduler::check_running() const {
  std::vector<bool> taken(limits_.max_seqs);
  for (uint32_t place : places_) taken[place] = true;
  for (const Sequence* sequence : running_) {
    if (sequence->state != Sequence::State::kRunning) return fail(ErrorCode::kInternal, "A running state is wrong.");
    if (taken[sequence->place]) return fail(ErrorCode::kInternal, "Place {} is not free.", sequence->place);
    taken[sequence->place] = true;
    if (sequence->scheduled > sequence->pages.size() * uint64_t{pool_.page_tokens()}) {
      return fail(ErrorCode::kInternal, "Sequence {} has computed more than its pages hold.", sequence->id);
    }
    uint32_t tokens = 0, rows = 0;
    for (uint32_t i = 0; i < in_flight_; i++) {
      for (const Batch::Entry& entry : batches_[ring(oldest_ + i)].entries) {
        if (entry.sequence == sequence) tokens += entry.tokens, rows += entry.row >= 0;
      }
    }
    if (sequence->computed + tokens != sequence->scheduled || sequence->unseen != rows) {
      return fail(ErrorCode::kInternal, "Sequence {} has other tokens in flight than it counts.", sequence->id);
    }
  }
  return {};
}

}  // namespace tern::engine
