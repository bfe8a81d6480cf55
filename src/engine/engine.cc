#include "engine/engine.h"

#include <algorithm>

#include "engine/engine_impl.h"
#include "engine/memory.h"

namespace tern::engine {

const char* stop_reason_name(StopReason reason) {
  switch (reason) {
    case StopReason::kEnd:
      return "end";
    case StopReason::kLength:
      return "length";
    case StopReason::kStop:
      return "stop";
    case StopReason::kContext:
      return "context";
    case StopReason::kCancelled:
      return "cancelled";
    case StopReason::kError:
      return "error";
  }
  return "error";
}

Engine::Impl::Impl(PlayableModel playable, uint32_t n_pages, const SchedulerLimits& limits)
    : model(std::move(playable)),
      key(model.playable.plan.key),
      context(limits.context),
      pool(n_pages, key.page_tokens),
      scheduler(pool, limits),
      sampler(model.vocab),
      samples(limits.max_seqs, model.vocab),
      logits(size_t{limits.max_seqs} * model.vocab),
      drawn(limits.max_seqs),
      mask_words((size_t{model.vocab} + 31) / 32) {}

Result<void> Engine::Impl::check_tokens(std::span<const int32_t> prompt) const {
  if (lost_for_good) return fail(ErrorCode::kDeviceLost, "{}", loss);
  if (prompt.empty()) return fail(ErrorCode::kInvalidArgument, "The prompt is empty; it needs at least one token.");
  for (size_t i = 0; i < prompt.size(); i++) {
    if (prompt[i] >= 0 && static_cast<uint32_t>(prompt[i]) < model.vocab) continue;
    return fail(ErrorCode::kInvalidArgument, "Token {} of the prompt is {}, but the vocabulary ends at {}.", i,
                prompt[i], model.vocab - 1);
  }
  const uint64_t pool_tokens = uint64_t{pool.page_count()} * pool.page_tokens();
  if (prompt.size() > std::min<uint64_t>(context, pool_tokens)) {
    return fail(
        ErrorCode::kInvalidArgument,
        "The prompt has {} tokens, but the context holds {} and the KV cache {}. Shorten the prompt or load the "
        "model with a larger context.",
        prompt.size(), context, pool_tokens);
  }
  return {};
}

Result<RequestId> Engine::Impl::submit(Request request) {
  TRY(check_tokens(request.prompt));
  if (request.embedding) return submit_embedding(std::move(request));
  TRY_CTX(validate(request.sampling, model.vocab), "while checking the sampling options");
  if (!model.tokenizer && !request.stop.empty()) {
    return fail(ErrorCode::kInvalidArgument, "The model has no tokenizer, so stop strings cannot be found.");
  }
  const RequestId id = next_id++;
  if (request.max_tokens == 0) {
    pending.push_back({.request = id, .kind = Event::Kind::kFinished, .reason = StopReason::kLength});
    return id;
  }
  auto answer = std::make_unique<Answer>();
  answer->sequence.id = id;
  answer->sequence.tokens = std::move(request.prompt);
  // The last token of an answer is never fed back, so it needs no place in the cache.
  const uint64_t longest = uint64_t{answer->sequence.tokens.size()} + request.max_tokens - 1;
  answer->sequence.final_tokens = static_cast<uint32_t>(std::min<uint64_t>(context, longest));
  if (model.tokenizer) {
    answer->detokenizer.emplace(*model.tokenizer);
    answer->stops.emplace(std::move(request.stop));
  }
  answer->request = std::move(request);
  if (player) place_sampling(*answer);
  scheduler.enqueue(answer->sequence);
  answers.emplace(id, std::move(answer));
  return id;
}

void Engine::Impl::cancel(RequestId request) {
  const auto found = answers.find(request);
  if (found != answers.end()) finish(*found->second, StopReason::kCancelled, pending);
}

Result<void> Engine::Impl::run_chunks(std::span<const int32_t> tokens, std::span<const PageId> pages, uint32_t chunk,
                                      std::span<const uint32_t> outputs, const OutputSink& sink) {
  std::vector<float> values;
  std::vector<uint32_t> positions, indices;
  for (size_t at = 0; at < tokens.size(); at += chunk) {
    const auto part = tokens.subspan(at, std::min<size_t>(chunk, tokens.size() - at));
    const auto n = static_cast<uint32_t>(part.size());
    positions.resize(n);
    indices.resize(n);
    for (uint32_t i = 0; i < n; i++) {
      positions[i] = static_cast<uint32_t>(at) + i;
      indices[i] = i;
    }
    const std::vector<uint32_t> sequences(n, 0);
    const graph::StepSequence sequence{.kv_len = static_cast<uint32_t>(at) + n, .first_page = 0};
    const size_t n_pages = (sequence.kv_len - 1) / pool.page_tokens() + 1;
    TRY(player->submit({.tokens = part,
                        .positions = positions,
                        .sequences = sequences,
                        .seqs = {&sequence, 1},
                        .page_table = pages.first(n_pages),
                        .rows = indices}));
    for (const uint32_t output : outputs) {
      const graph::PlanBinding& binding = model.playable.plan.outputs[output].binding;
      values.resize(binding.rows.at({.t = n, .r = n, .s = 1}) * binding.cols);
      TRY(player->read(output, values));
      TRY(sink(output, positions[0], values));
    }
    player->drop_oldest();
  }
  return {};
}

/// A device, no request and no step in flight. For run_outputs(), which blocks.
Result<void> Engine::Impl::get_idle() {
  if (!answers.empty()) {
    return fail(ErrorCode::kInvalidArgument, "The engine is busy with {} requests; logits need it idle.",
                answers.size());
  }
  if (!player) find_device(pending);
  while (player && player->in_flight() > 0) {
    player->wait();
    if (const auto poll = finish_step(pending); !poll) step_failed(poll.error(), pending);
  }
  if (!player) return fail(ErrorCode::kDeviceLost, "{}", loss);
  return {};
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::create(PlayableModel model, const EngineOptions& options) {
  TRY(validate(options));
  const graph::PlanKey key = model.playable.plan.key;
  if (key != plan_key(options)) {
    return fail(ErrorCode::kInvalidArgument, "The plan was lowered for other options than the engine's.");
  }
  const uint32_t context = context_limit(options, model.context);
  if (context == 0) return fail(ErrorCode::kInvalidArgument, "The model has a context of 0 positions.");
  const uint32_t n_pages = TRY(kv_page_count(options, model.playable.plan, context));
  const SchedulerLimits limits{.max_tokens = key.max_tokens,
                               .max_seqs = std::min(key.max_seqs, key.max_rows),
                               .context = context,
                               .share_prefixes = options.share_prefixes};
  if (model.vocab == 0) return fail(ErrorCode::kInvalidArgument, "The model has a vocabulary of 0 tokens.");
  auto impl = std::make_unique<Impl>(std::move(model), n_pages, limits);
  impl->trace = options.trace;
  if (options.trace) impl->trace_lane = options.trace->add_lane("engine");
  TRY(impl->adopt(std::move(impl->model.playable)));
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

Result<RequestId> Engine::submit(Request request) {
  return impl_->submit(std::move(request));
}
void Engine::cancel(RequestId request) {
  impl_->cancel(request);
}
Engine::State Engine::pump(std::vector<Event>& events) {
  return impl_->pump(events);
}
const graph::Plan& Engine::plan() const {
  return impl_->model.playable.plan;
}
uint32_t Engine::context() const {
  return impl_->context;
}

void Engine::wait() {
  const TraceScope scope(impl_->trace, impl_->trace_lane, "wait");
  if (impl_->player) impl_->player->wait();
}

Result<void> Engine::run_logits(std::span<const int32_t> tokens, uint32_t chunk, const LogitsSink& sink) {
  TRY(impl_->get_idle());
  const uint32_t vocab = impl_->model.vocab, output = impl_->player->logits_output();
  const auto by_row = [&](uint32_t, uint32_t position, std::span<const float> values) -> Result<void> {
    for (; !values.empty(); values = values.subspan(vocab)) TRY(sink(position++, values.first(vocab)));
    return {};
  };
  return run_outputs(tokens, chunk, {&output, 1}, by_row);
}

Result<void> Engine::run_outputs(std::span<const int32_t> tokens, uint32_t chunk, std::span<const uint32_t> outputs,
                                 const OutputSink& sink) {
  Impl& impl = *impl_;
  TRY(impl.check_tokens(tokens));
  const uint32_t longest = std::min(impl.key.max_tokens, impl.key.max_rows);
  if (chunk == 0 || chunk > longest) {
    return fail(ErrorCode::kInvalidArgument, "The chunk is {} tokens, but the model was loaded for 1 to {}.", chunk,
                longest);
  }
  TRY(impl.get_idle());
  std::vector<PageId> pages((tokens.size() - 1) / impl.pool.page_tokens() + 1);
  for (PageId& page : pages) page = *impl.pool.allocate();  // check_tokens() saw that they fit an idle pool
  const auto result = impl.run_chunks(tokens, pages, chunk, outputs, sink);
  for (PageId page : pages) impl.pool.release(page);
  if (result) return {};
  if (result.error().code == ErrorCode::kDeviceLost) {
    impl.lose_device(result.error(), impl.pending);
  } else if (impl.player->in_flight() > 0) {
    impl.player->drop_oldest();
  }
  return result;
}

EngineStats Engine::stats() const {
  EngineStats stats = impl_->stats;
  stats.pages_total = impl_->pool.page_count();
  stats.pages_free = impl_->pool.available();
  stats.running = impl_->scheduler.running();
  stats.waiting = impl_->scheduler.waiting();
  return stats;
}

}  // namespace tern::engine
