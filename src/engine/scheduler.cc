#include "engine/scheduler.h"

#include <algorithm>

namespace tern::engine {

graph::StepParams Batch::params() const {
  return {.tokens = tokens,
          .positions = positions,
          .sequences = sequences,
          .seqs = seqs,
          .page_table = page_table,
          .rows = rows};
}

Scheduler::Scheduler(KvPool& pool, const SchedulerLimits& limits) : pool_(pool), limits_(limits) {
  ASSERT(limits.max_tokens >= 1 && limits.max_seqs >= 1 && limits.context >= 1);
  // So that the decode tokens of all running sequences fit a step, and a prefill beside them always gets on.
  limits_.max_seqs = std::min(limits.max_seqs, limits.max_tokens);
  running_.reserve(limits_.max_seqs);
  for (auto* array : {&batch_.positions, &batch_.sequences}) array->reserve(limits_.max_tokens);
  batch_.tokens.reserve(limits_.max_tokens);
  batch_.rows.reserve(limits_.max_seqs);
  batch_.seqs.reserve(limits_.max_seqs);
  batch_.entries.reserve(limits_.max_seqs);
  batch_.page_table.reserve(size_t{limits_.max_seqs} * std::min(pool.page_count(), pages_for(limits_.context)));
  actions_.reserve(size_t{limits_.max_seqs} * 4);
}

void Scheduler::enqueue(Sequence& sequence) {
  ASSERT(sequence.state == Sequence::State::kNew);
  ASSERT(!sequence.tokens.empty() && sequence.tokens.size() <= limits_.context);
  sequence.state = Sequence::State::kWaiting;
  waiting_.push_back(&sequence);
}

void Scheduler::remove(Sequence& sequence) {
  if (sequence.state == Sequence::State::kWaiting) std::erase(waiting_, &sequence);
  if (sequence.state == Sequence::State::kRunning) std::erase(running_, &sequence);
  for (Batch::Entry& entry : batch_.entries) {
    if (entry.sequence == &sequence) entry.sequence = nullptr;
  }
  drop_pages(sequence);
  sequence.state = Sequence::State::kDone;
  refused_at_ = UINT64_MAX;
}

void Scheduler::schedule() {
  for (auto* array : {&batch_.positions, &batch_.sequences, &batch_.page_table, &batch_.rows}) array->clear();
  batch_.tokens.clear();
  batch_.seqs.clear();
  batch_.entries.clear();
  actions_.clear();
  // Sequences leave running_ only at its end while this loop runs, so no index is skipped.
  for (size_t i = 0; i < running_.size(); i++) {
    Sequence& sequence = *running_[i];
    if (sequence.remaining() == 1 && make_room(sequence)) add(sequence, 1, Action::Kind::kDecode);
  }
  const auto budget = [this] { return limits_.max_tokens - static_cast<uint32_t>(batch_.tokens.size()); };
  for (size_t i = 0; i < running_.size() && budget() > 0; i++) {
    Sequence& sequence = *running_[i];
    const uint32_t remaining = sequence.remaining();
    if (remaining > 1) add(sequence, std::min(remaining, budget()), Action::Kind::kPrefill);
  }
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
  for (uint32_t at = 0; limits_.share_prefixes && at + page_tokens < n_tokens; at += page_tokens) {
    const auto node = pool_.acquire(sequence.prefix, std::span(sequence.tokens).subspan(at, page_tokens));
    if (!node) break;
    sequence.prefix = *node;
    sequence.pages.push_back(node->page);
  }
  sequence.n_published = static_cast<uint32_t>(sequence.pages.size());
  sequence.computed = sequence.shared = sequence.n_published * page_tokens;

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
  sequence.state = Sequence::State::kRunning;
  actions_.push_back({Action::Kind::kAdmit, &sequence, sequence.shared});
  return true;
}

/// True when a running sequence is about to compute pages that this one could share.
bool Scheduler::worth_waiting(const Sequence& sequence) const {
  if (!limits_.share_prefixes) return false;
  const uint32_t page_tokens = pool_.page_tokens();
  return std::ranges::any_of(running_, [&](const Sequence* other) {
    // The first page after the shared ones is enough to decide; comparing from the start keeps it exact.
    const size_t end = sequence.computed + page_tokens;
    if (end >= sequence.tokens.size() || end > other->tokens.size() || other->computed >= end) return false;
    return std::equal(sequence.tokens.begin(), sequence.tokens.begin() + end, other->tokens.begin());
  });
}

/// Gives a decoding sequence the page for its next token. False when it lost its place instead.
bool Scheduler::make_room(Sequence& sequence) {
  if (sequence.computed < sequence.pages.size() * size_t{pool_.page_tokens()}) return true;
  while (true) {
    if (const auto page = pool_.allocate()) {
      sequence.pages.push_back(*page);
      return true;
    }
    if (running_.size() == 1) {  // it holds the whole pool
      running_.clear();
      refused_at_ = UINT64_MAX;
      drop_pages(sequence);
      sequence.state = Sequence::State::kDone;
      actions_.push_back({Action::Kind::kOutOfPages, &sequence, 0});
      return false;
    }
    const bool itself = running_.back() == &sequence;
    preempt_youngest();
    if (itself) return false;
  }
}

void Scheduler::preempt_youngest() {
  Sequence& victim = *running_.back();
  running_.pop_back();
  drop_pages(victim);
  victim.state = Sequence::State::kWaiting;
  waiting_.push_front(&victim);  // older than all who wait
  refused_at_ = UINT64_MAX;
  actions_.push_back({Action::Kind::kPreempt, &victim, 0});
}

void Scheduler::add(Sequence& sequence, uint32_t count, Action::Kind kind) {
  const uint32_t s = static_cast<uint32_t>(batch_.seqs.size());
  const uint32_t kv_len = sequence.computed + count;
  batch_.seqs.push_back({.kv_len = kv_len, .first_page = static_cast<uint32_t>(batch_.page_table.size())});
  batch_.page_table.insert(batch_.page_table.end(), sequence.pages.begin(), sequence.pages.begin() + pages_for(kv_len));
  for (uint32_t position = sequence.computed; position < kv_len; position++) {
    batch_.tokens.push_back(sequence.tokens[position]);
    batch_.positions.push_back(position);
    batch_.sequences.push_back(s);
  }
  int32_t row = -1;
  if (kv_len == sequence.tokens.size()) {
    row = static_cast<int32_t>(batch_.rows.size());
    batch_.rows.push_back(static_cast<uint32_t>(batch_.tokens.size() - 1));
  }
  batch_.entries.push_back({&sequence, count, row});
  actions_.push_back({kind, &sequence, count});
}

void Scheduler::complete() {
  for (Batch::Entry& entry : batch_.entries) {
    if (!entry.sequence) continue;
    entry.sequence->computed += entry.tokens;
    if (limits_.share_prefixes) publish(*entry.sequence);
  }
}

void Scheduler::publish(Sequence& sequence) {
  const size_t page_tokens = pool_.page_tokens();
  for (; (sequence.n_published + 1) * page_tokens <= sequence.computed; sequence.n_published++) {
    const auto tokens = std::span(sequence.tokens).subspan(sequence.n_published * page_tokens, page_tokens);
    sequence.prefix = pool_.publish(sequence.pages[sequence.n_published], sequence.prefix, tokens);
  }
}

void Scheduler::drop_pages(Sequence& sequence) {
  while (!sequence.pages.empty()) {
    pool_.release(sequence.pages.back());
    sequence.pages.pop_back();
  }
  sequence.computed = sequence.shared = sequence.n_published = 0;
  sequence.prefix = {};
}

Result<void> Scheduler::check() const {
  TRY(pool_.check());
  std::vector<uint32_t> holders(pool_.page_count());
  for (const Sequence* sequence : running_) {
    if (sequence->state != Sequence::State::kRunning) return fail(ErrorCode::kInternal, "A running state is wrong.");
    if (sequence->computed > sequence->pages.size() * uint64_t{pool_.page_tokens()}) {
      return fail(ErrorCode::kInternal, "Sequence {} has computed more than its pages hold.", sequence->id);
    }
    for (PageId page : sequence->pages) holders[page]++;
  }
  for (const Sequence* sequence : waiting_) {
    if (sequence->state != Sequence::State::kWaiting || !sequence->pages.empty()) {
      return fail(ErrorCode::kInternal, "Waiting sequence {} holds pages.", sequence->id);
    }
  }
  for (PageId page = 0; page < holders.size(); page++) {
    if (holders[page] == pool_.holders(page)) continue;
    return fail(ErrorCode::kInternal, "Page {} has {} holders, but the pool counts {}.", page, holders[page],
                pool_.holders(page));
  }
  return {};
}

}  // namespace tern::engine
