#include <algorithm>
#include <cmath>

#include "engine/engine_impl.h"

namespace tern::engine {
namespace {

/// The sum of the hidden states of `n` tokens as an embedding. Sums are in double, because a square may be too large
/// for a float. Errors: kInvalidFile when there is none, because the sum has a NaN or an infinity.
Result<std::vector<float>> embedding_of(std::vector<float> sum, size_t n, bool normalise) {
  double squares = 0;
  for (const float x : sum) squares += double{x} * x;
  if (!std::isfinite(squares)) {
    return fail(ErrorCode::kInvalidFile,
                "The text has no embedding: a hidden state is nan or infinite, because the model's weights are damaged "
                "or its values overflow.");
  }
  const double divisor = normalise ? std::sqrt(squares) : static_cast<double>(n);
  if (divisor == 0) return sum;  // all zeros have no direction
  for (float& x : sum) x = static_cast<float>(x / divisor);
  return sum;
}

}  // namespace

Result<RequestId> Engine::Impl::submit_embedding(Request request) {
  if (model.playable.plan.find_output("pooled") == graph::kNone) {
    return fail(ErrorCode::kUnsupported, "The model's plan gives no hidden states, so there are no embeddings.");
  }
  const RequestId id = next_id++;
  auto answer = std::make_unique<Answer>();
  answer->sequence.id = id;
  answer->sequence.tokens = std::move(request.prompt);
  answer->sequence.final_tokens = static_cast<uint32_t>(answer->sequence.tokens.size());
  const bool is_mean = request.embedding->pooling == Pooling::kMean;
  answer->sequence.pool = is_mean ? Sequence::Pool::kAll : Sequence::Pool::kLast;
  answer->request = std::move(request);
  scheduler.enqueue(answer->sequence);
  answers.emplace(id, std::move(answer));
  return id;
}

/// A chunk's hidden states join the sum; the last chunk ends the request.
void Engine::Impl::take_pool(Answer& answer, const Batch& batch, uint32_t row, std::vector<Event>& events) {
  const size_t hidden = player->hidden();
  const auto part = std::span(pooled).subspan(row * hidden, hidden);
  const bool is_mean = answer.sequence.pool == Sequence::Pool::kAll;
  // A sequence that lost its place begins again at position 0.
  const bool is_first = !is_mean || batch.positions[batch.pools[row].first] == 0;
  if (is_first) answer.sum.assign(hidden, 0);
  std::ranges::transform(answer.sum, part, answer.sum.begin(), std::plus());
  if (answer.sequence.computed < answer.sequence.tokens.size()) return;

  const size_t n = is_mean ? answer.sequence.tokens.size() : 1;
  auto embedding = embedding_of(std::move(answer.sum), n, answer.request.embedding->normalise);
  if (!embedding) return finish(answer, StopReason::kError, events, embedding.error().to_string());
  Event& event = events.emplace_back();
  event.request = answer.sequence.id;
  event.kind = Event::Kind::kEmbedding;
  event.embedding = *std::move(embedding);
  finish(answer, StopReason::kEnd, events);
}

}  // namespace tern::engine
