#include "engine/player.h"

#include <algorithm>

#include "graph/shapes.h"

namespace tern::engine {
namespace {

/// cols: 0 for any.
Result<std::optional<uint32_t>> find_output(const graph::Plan& plan, std::string_view name, graph::Dim rows,
                                            uint32_t cols) {
  const uint32_t found = plan.find_output(name);
  if (found == graph::kNone) return std::nullopt;
  const graph::PlanBinding& binding = plan.outputs[found].binding;
  if ((cols == 0 || binding.cols == cols) && binding.rows == rows) return found;
  return fail(ErrorCode::kInvalidArgument, "The plan's output {} is {}, expected {}.", name,
              to_string(graph::TensorDesc{binding.dtype, binding.rows, binding.cols}),
              to_string(graph::TensorDesc{binding.dtype, rows, cols == 0 ? binding.cols : cols}));
}

}  // namespace

Result<std::unique_ptr<Player>> Player::make(const Playable& playable, uint32_t vocab, uint32_t n_pages) {
  std::unique_ptr<Player> player(new Player(playable));
  const graph::Plan& plan = playable.plan;
  const auto logits = TRY(find_output(plan, "logits", graph::Dim::rows(), vocab));
  if (!logits || vocab == 0) {
    return fail(ErrorCode::kInvalidArgument, "The plan has no output named logits, or the vocabulary no tokens.");
  }
  player->logits_output_ = *logits;
  player->tokens_output_ = TRY(find_output(plan, "tokens", graph::Dim::rows(), 1));
  player->pooled_output_ = TRY(find_output(plan, "pooled", graph::Dim::pools(), 0));
  TRY(player->allocate_cache(n_pages));
  player->plan_ = TRY(playable.backend->load(plan, playable.weights, player->keys_, player->values_, n_pages));
  return player;
}

Result<void> Player::allocate_cache(uint32_t n_pages) {
  const graph::Plan& plan = playable_.plan;
  const uint64_t bytes = plan.page_bytes() * n_pages;
  for (uint32_t layer = 0; layer < plan.n_layers; layer++) {
    for (auto* buffers : {&keys_, &values_}) {
      buffers->push_back(TRY_CTX(playable_.backend->alloc(bytes, backends::Usage::kKvCache),
                                 "while making a KV cache of {} tokens: {} layers, keys and values of {} bytes each",
                                 uint64_t{n_pages} * plan.key.page_tokens, plan.n_layers, bytes));
    }
  }
  return {};
}

Player::~Player() {
  for (; n_ > 0; drop_oldest()) wait();
  if (plan_) playable_.backend->unload(*plan_);
  for (const auto* buffers : {&keys_, &values_}) {
    for (backends::Buffer buffer : *buffers) playable_.backend->free(buffer);
  }
}

uint32_t Player::depth() const {
  const uint32_t wanted = std::min(playable_.backend->target().steps_in_flight, graph::kSampledTokens);
  return samples() ? std::max(wanted, 1u) : 1;
}

Result<void> Player::submit(const graph::StepParams& step) {
  ASSERT(n_ < tickets_.size());
  tickets_[(oldest_ + n_) % tickets_.size()] = TRY(playable_.backend->submit(*plan_, step));
  n_++;
  return {};
}

Result<backends::Poll> Player::poll(std::span<float> logits, std::span<int32_t> tokens, std::span<float> pooled) {
  ASSERT(n_ > 0);
  backends::Backend& backend = *playable_.backend;
  const backends::Ticket ticket = tickets_[oldest_ % tickets_.size()];
  auto poll = backend.poll(ticket, logits_output_, logits);
  const auto is_ready = [&] { return poll && *poll == backends::Poll::kReady; };
  if (is_ready() && !tokens.empty()) poll = backend.poll(ticket, *tokens_output_, tokens);
  if (is_ready() && !pooled.empty()) poll = backend.poll(ticket, *pooled_output_, pooled);
  if (!poll || *poll != backends::Poll::kPending) drop_oldest();
  return poll;
}

Result<void> Player::read(uint32_t output, std::span<float> values) {
  const backends::Ticket ticket = tickets_[oldest_ % tickets_.size()];
  auto poll = backends::Poll::kPending;
  while (poll == backends::Poll::kPending) {
    playable_.backend->wait(ticket);
    poll = TRY(playable_.backend->poll(ticket, output, values));
  }
  if (poll == backends::Poll::kDeviceLost) return fail(ErrorCode::kDeviceLost, "The device was lost.");
  return {};
}

void Player::wait() {
  if (n_ > 0) playable_.backend->wait(tickets_[oldest_ % tickets_.size()]);
}

}  // namespace tern::engine
