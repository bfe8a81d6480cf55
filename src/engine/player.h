// Player: a loaded plan, its KV cache, and the steps in flight, oldest first. The engine drops it when the device is
// lost and makes another; sequences and their tokens know nothing of it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "backends/backend.h"
#include "base/result.h"
#include "engine/engine.h"

namespace tern::engine {

class Player {
 public:
  /// Allocates the cache of n_pages pages and loads the plan. playable outlives the player.
  /// Errors: kInvalidArgument for a plan without logits of `vocab` columns, or with other tokens than [R, 1], or
  /// another pooled than [P, ..]; kOutOfMemory; the backend's.
  static Result<std::unique_ptr<Player>> make(const Playable& playable, uint32_t vocab, uint32_t n_pages);
  /// Waits for the steps in flight, then frees the cache and the plan.
  ~Player();
  Player(const Player&) = delete;
  Player& operator=(const Player&) = delete;

  /// True when steps give out tokens.
  bool samples() const { return tokens_output_.has_value(); }
  /// Columns of the output "pooled"; 0 where the plan has none.
  uint32_t hidden() const { return pooled_output_ ? playable_.plan.outputs[*pooled_output_].binding.cols : 0; }
  /// Steps that are worth having in flight: with no tokens to hand on, each has to wait for the one before.
  uint32_t depth() const;
  uint32_t in_flight() const { return n_; }

  Result<void> submit(const graph::StepParams& step);
  /// Of the oldest step, which is no longer in flight afterwards unless it is kPending. kReady: logits [R, vocab],
  /// tokens [R] and pooled [P, hidden()] are filled, where they are not empty.
  Result<backends::Poll> poll(std::span<float> logits, std::span<int32_t> tokens, std::span<float> pooled = {});
  /// Blocks until the oldest step is done and copies output `output` (index into plan.outputs), which fits `values`
  /// exactly. The step stays in flight until drop_oldest(). Errors: kDeviceLost, the backend's.
  Result<void> read(uint32_t output, std::span<float> values);
  void drop_oldest() { oldest_++, n_--; }
  uint32_t logits_output() const { return logits_output_; }
  /// Blocks until the oldest step is done; returns at once when there is none.
  void wait();
  /// The device is lost: no step will ever be done.
  void abandon() { n_ = 0; }

 private:
  explicit Player(const Playable& playable) : playable_(playable) {}
  Result<void> allocate_cache(uint32_t n_pages);

  const Playable& playable_;
  std::vector<backends::Buffer> keys_, values_;  // one per layer, n_pages pages each
  std::optional<backends::PlanId> plan_;
  uint32_t logits_output_ = 0;
  std::optional<uint32_t> tokens_output_, pooled_output_;
  std::array<backends::Ticket, graph::kSampledTokens> tickets_;  // a ring: n_ of them from oldest_ on
  uint32_t oldest_ = 0, n_ = 0;
};

}  // namespace tern::engine
