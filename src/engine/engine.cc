#include "engine/engine.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "engine/kv_pool.h"
#include "engine/memory.h"
#include "engine/sampler.h"
#include "engine/scheduler.h"
#include "text/detokenizer.h"
#include "text/stop.h"

namespace tern::engine {
namespace {

/// A request on its way.
struct Answer {
  Request request;  // its prompt has moved to sequence.tokens
  Sequence sequence;
  uint32_t generated = 0;
  std::optional<text::Detokenizer> detokenizer;
  std::optional<text::StopMatcher> stops;
};

bool contains(const std::vector<int32_t>& ids, int32_t id) {
  return std::ranges::find(ids, id) != ids.end();
}

Event finished_event(RequestId request, StopReason reason, std::string error = {}) {
  return {.request = request, .kind = Event::Kind::kFinished, .reason = reason, .error = std::move(error)};
}

/// The cache's memory: one buffer of keys and one of values per layer, n_pages pages each.
struct KvBuffers {
  backends::Backend* backend;
  std::vector<backends::Buffer> keys = {}, values = {};

  static Result<std::unique_ptr<KvBuffers>> make(backends::Backend& backend, const graph::Plan& plan,
                                                 uint32_t n_pages) {
    auto cache = std::make_unique<KvBuffers>(&backend);
    const uint64_t bytes = plan.page_bytes() * n_pages;
    for (uint32_t layer = 0; layer < plan.n_layers; layer++) {
      for (auto* buffers : {&cache->keys, &cache->values}) {
        buffers->push_back(TRY_CTX(backend.alloc(bytes, backends::Usage::kKvCache),
                                   "while making a KV cache of {} tokens: {} layers, keys and values of {} bytes each",
                                   uint64_t{n_pages} * plan.key.page_tokens, plan.n_layers, bytes));
      }
    }
    return cache;
  }
  explicit KvBuffers(backends::Backend* owner) : backend(owner) {}
  KvBuffers(const KvBuffers&) = delete;
  KvBuffers& operator=(const KvBuffers&) = delete;
  ~KvBuffers() {
    for (const auto* buffers : {&keys, &values}) {
      for (backends::Buffer buffer : *buffers) backend->free(buffer);
    }
  }
};

Result<uint32_t> find_logits(const graph::Plan& plan, uint32_t vocab) {
  for (uint32_t i = 0; i < plan.outputs.size(); i++) {
    const graph::PlanBinding& binding = plan.outputs[i].binding;
    if (plan.outputs[i].name != "logits") continue;
    if (binding.cols == vocab && binding.rows == graph::Dim::rows() && vocab > 0) return i;
    return fail(ErrorCode::kInvalidArgument, "The plan's logits have {} columns, but the vocabulary has {} tokens.",
                binding.cols, vocab);
  }
  return fail(ErrorCode::kInvalidArgument, "The plan has no output named logits.");
}

}  // namespace

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

struct Engine::Impl {
  PlayableModel model;
  uint32_t logits_output;
  uint32_t context;
  std::unique_ptr<KvBuffers> cache;
  backends::PlanId plan;
  KvPool pool;
  Scheduler scheduler;
  Sampler sampler;
  std::vector<float> logits;  // [max_seqs, vocab]
  std::unordered_map<RequestId, std::unique_ptr<Answer>> answers;
  std::vector<Event> pending;  // of requests that ended outside pump()
  std::optional<backends::Ticket> in_flight;
  RequestId next_id = 1;
  bool device_lost = false;
  EngineStats stats;

  Impl(PlayableModel playable, uint32_t output, std::unique_ptr<KvBuffers> buffers, backends::PlanId loaded,
       uint32_t n_pages, const SchedulerLimits& limits)
      : model(std::move(playable)),
        logits_output(output),
        context(limits.context),
        cache(std::move(buffers)),
        plan(loaded),
        pool(n_pages, model.plan.key.page_tokens),
        scheduler(pool, limits),
        sampler(model.vocab),
        logits(size_t{limits.max_seqs} * model.vocab) {}
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Result<void> check_tokens(std::span<const int32_t> tokens) const;
  Result<RequestId> submit(Request request);
  void cancel(RequestId request);
  Result<State> pump(std::vector<Event>& events);
  Result<backends::Poll> finish_step(std::vector<Event>& events);
  Result<void> start_step(std::vector<Event>& events);
  void take_sample(Answer& answer, std::span<float> row, std::vector<Event>& events);
  bool emit_text(Answer& answer, std::string_view text, std::vector<Event>& events);
  void finish(Answer& answer, StopReason reason, std::vector<Event>& events, std::string error = {});
  void fail_all(const Error& error, std::vector<Event>& events);
  Result<void> run_chunks(std::span<const int32_t> tokens, std::span<const PageId> pages, uint32_t chunk,
                          std::span<const uint32_t> outputs, const OutputSink& sink);
  Result<void> read_step(uint32_t output, std::span<float> out);
};

Engine::Impl::~Impl() {
  if (in_flight) model.backend->wait(*in_flight);
  model.backend->unload(plan);
}

Result<void> Engine::Impl::check_tokens(std::span<const int32_t> tokens) const {
  if (device_lost) return fail(ErrorCode::kDeviceLost, "The device was lost; load the model again.");
  if (tokens.empty()) return fail(ErrorCode::kInvalidArgument, "The prompt is empty; it needs at least one token.");
  for (size_t i = 0; i < tokens.size(); i++) {
    if (tokens[i] >= 0 && static_cast<uint32_t>(tokens[i]) < model.vocab) continue;
    return fail(ErrorCode::kInvalidArgument, "Token {} of the prompt is {}, but the vocabulary ends at {}.", i,
                tokens[i], model.vocab - 1);
  }
  const uint64_t pool_tokens = uint64_t{pool.page_count()} * pool.page_tokens();
  if (tokens.size() > std::min<uint64_t>(context, pool_tokens)) {
    return fail(
        ErrorCode::kInvalidArgument,
        "The prompt has {} tokens, but the context holds {} and the KV cache {}. Shorten the prompt or load the "
        "model with a larger context.",
        tokens.size(), context, pool_tokens);
  }
  return {};
}

Result<RequestId> Engine::Impl::submit(Request request) {
  TRY(check_tokens(request.prompt));
  TRY_CTX(validate(request.sampling, model.vocab), "while checking the sampling options");
  if (!model.tokenizer && !request.stop.empty()) {
    return fail(ErrorCode::kInvalidArgument, "The model has no tokenizer, so stop strings cannot be found.");
  }
  const RequestId id = next_id++;
  if (request.max_tokens == 0) {
    pending.push_back(finished_event(id, StopReason::kLength));
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
  scheduler.enqueue(answer->sequence);
  answers.emplace(id, std::move(answer));
  return id;
}

void Engine::Impl::cancel(RequestId request) {
  const auto found = answers.find(request);
  if (found != answers.end()) finish(*found->second, StopReason::kCancelled, pending);
}

Result<Engine::State> Engine::Impl::pump(std::vector<Event>& events) {
  std::ranges::move(pending, std::back_inserter(events));
  pending.clear();
  if (in_flight) {
    const auto poll = finish_step(events);
    if (!poll) {
      fail_all(poll.error(), events);
      return std::unexpected(poll.error());
    }
    if (*poll == backends::Poll::kPending) return State::kBusy;
  }
  if (auto started = start_step(events); !started) {
    fail_all(started.error(), events);
    return std::unexpected(std::move(started).error());
  }
  return in_flight ? State::kBusy : State::kIdle;
}

/// kPending, or kReady when the step is done and its tokens are taken.
Result<backends::Poll> Engine::Impl::finish_step(std::vector<Event>& events) {
  const Batch& batch = scheduler.batch();
  const auto rows = std::span(logits).first(batch.rows.size() * model.vocab);
  const auto poll =
      TRY_CTX(model.backend->poll(*in_flight, logits_output, rows), "while computing step {}", stats.steps);
  if (poll == backends::Poll::kPending) return poll;
  in_flight.reset();
  if (poll == backends::Poll::kDeviceLost) {
    device_lost = true;
    return fail(ErrorCode::kDeviceLost, "The device was lost during step {}; load the model again.", stats.steps);
  }
  scheduler.complete();
  for (const Batch::Entry& entry : batch.entries) {
    if (!entry.sequence || entry.row < 0) continue;
    take_sample(*answers.at(entry.sequence->id), rows.subspan(size_t(entry.row) * model.vocab, model.vocab), events);
  }
  return poll;
}

Result<void> Engine::Impl::start_step(std::vector<Event>& events) {
  scheduler.schedule();
  for (const Action& action : scheduler.actions()) {
    switch (action.kind) {
      case Action::Kind::kAdmit:
        stats.shared_tokens += action.tokens;
        break;
      case Action::Kind::kPreempt:
        stats.preemptions++;
        break;
      case Action::Kind::kPrefill:
        stats.prompt_tokens += action.tokens;
        break;
      case Action::Kind::kDecode:
        break;
      case Action::Kind::kOutOfPages:
        finish(*answers.at(action.sequence->id), StopReason::kContext, events);
        break;
    }
  }
  if (scheduler.batch().empty()) {
    ASSERT(scheduler.running() == 0 && scheduler.waiting() == 0);  // else nothing would ever move again
    return {};
  }
  stats.steps++;
  in_flight = TRY_CTX(model.backend->submit(plan, scheduler.batch().params()), "while starting step {}", stats.steps);
  return {};
}

/// Draws the next token of a sequence; may end it.
void Engine::Impl::take_sample(Answer& answer, std::span<float> row, std::vector<Event>& events) {
  const Request& request = answer.request;
  Sequence& sequence = answer.sequence;
  const auto sample = sampler.sample(row, request.sampling, sequence.tokens);
  if (!sample) return finish(answer, StopReason::kError, events, sample.error().to_string());
  if (!request.ignore_eos && contains(model.end_tokens, sample->token)) {
    return finish(answer, StopReason::kEnd, events);
  }
  if (contains(request.stop_tokens, sample->token)) return finish(answer, StopReason::kStop, events);

  sequence.tokens.push_back(sample->token);
  answer.generated++;
  stats.generated_tokens++;
  Event& event = events.emplace_back();
  event.request = sequence.id;
  event.token = sample->token;
  if (request.sampling.logprobs > 0) {
    event.logprob = TokenLogprob{sample->token, sample->logprob};
    event.top_logprobs.assign(sample->top.begin(), sample->top.begin() + sample->n_top);
  }
  if (answer.detokenizer && emit_text(answer, answer.detokenizer->push(sample->token), events)) {
    return finish(answer, StopReason::kStop, events);
  }
  if (answer.generated == request.max_tokens) return finish(answer, StopReason::kLength, events);
  if (sequence.tokens.size() > context) return finish(answer, StopReason::kContext, events);
}

/// True when a stop string was hit.
bool Engine::Impl::emit_text(Answer& answer, std::string_view text, std::vector<Event>& events) {
  text::StopMatcher::Output output = answer.stops->push(text);
  if (!output.text.empty()) {
    events.push_back({.request = answer.sequence.id, .kind = Event::Kind::kText, .text = std::move(output.text)});
  }
  return output.stop.has_value();
}

/// Gives out the text that was held back (not after a stop string or an error), frees the pages, forgets the request.
void Engine::Impl::finish(Answer& answer, StopReason reason, std::vector<Event>& events, std::string error) {
  const RequestId id = answer.sequence.id;
  const bool complete = reason == StopReason::kEnd || reason == StopReason::kLength || reason == StopReason::kContext;
  if (answer.detokenizer && complete) {
    if (emit_text(answer, answer.detokenizer->flush(), events)) {
      reason = StopReason::kStop;
    } else if (std::string rest = answer.stops->flush(); !rest.empty()) {
      events.push_back({.request = id, .kind = Event::Kind::kText, .text = std::move(rest)});
    }
  }
  events.push_back(finished_event(id, reason, std::move(error)));
  scheduler.remove(answer.sequence);
  answers.erase(id);
}

void Engine::Impl::fail_all(const Error& error, std::vector<Event>& events) {
  in_flight.reset();
  while (!answers.empty()) finish(*answers.begin()->second, StopReason::kError, events, error.to_string());
}

/// Waits for the step in flight and copies one of its outputs.
Result<void> Engine::Impl::read_step(uint32_t output, std::span<float> out) {
  backends::Poll poll;
  do {
    model.backend->wait(*in_flight);
    poll = TRY(model.backend->poll(*in_flight, output, out));
  } while (poll == backends::Poll::kPending);
  device_lost = poll == backends::Poll::kDeviceLost;
  if (device_lost) return fail(ErrorCode::kDeviceLost, "The device was lost; load the model again.");
  return {};
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
    in_flight = TRY(model.backend->submit(plan, {.tokens = part,
                                                 .positions = positions,
                                                 .sequences = sequences,
                                                 .seqs = {&sequence, 1},
                                                 .page_table = pages.first(n_pages),
                                                 .rows = indices}));
    for (const uint32_t output : outputs) {
      const graph::PlanBinding& binding = model.plan.outputs[output].binding;
      values.resize(binding.rows.at(n, n) * binding.cols);
      TRY(read_step(output, values));
      sink(output, positions[0], values);
    }
  }
  return {};
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::create(PlayableModel model, const EngineOptions& options) {
  TRY(validate(options));
  const graph::PlanKey& key = model.plan.key;
  if (key != plan_key(options)) {
    return fail(ErrorCode::kInvalidArgument, "The plan was lowered for other options than the engine's.");
  }
  const uint32_t output = TRY(find_logits(model.plan, model.vocab));
  const uint32_t context = context_limit(options, model.context);
  if (context == 0) return fail(ErrorCode::kInvalidArgument, "The model has a context of 0 positions.");
  const uint32_t n_pages = TRY(kv_page_count(options, model.plan, context));
  const SchedulerLimits limits{.max_tokens = key.max_tokens,
                               .max_seqs = std::min(key.max_seqs, key.max_rows),
                               .context = context,
                               .share_prefixes = options.share_prefixes};
  backends::Backend& backend = *model.backend;
  auto cache = TRY(KvBuffers::make(backend, model.plan, n_pages));
  const auto plan = TRY(backend.load(model.plan, model.weights, cache->keys, cache->values, n_pages));
  auto impl = std::make_unique<Impl>(std::move(model), output, std::move(cache), plan, n_pages, limits);
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

Result<RequestId> Engine::submit(Request request) {
  return impl_->submit(std::move(request));
}
void Engine::cancel(RequestId request) {
  impl_->cancel(request);
}
Result<Engine::State> Engine::pump(std::vector<Event>& events) {
  return impl_->pump(events);
}
const graph::Plan& Engine::plan() const {
  return impl_->model.plan;
}
uint32_t Engine::context() const {
  return impl_->context;
}

void Engine::wait() {
  if (impl_->in_flight) impl_->model.backend->wait(*impl_->in_flight);
}

Result<void> Engine::run_logits(std::span<const int32_t> tokens, uint32_t chunk, const LogitsSink& sink) {
  const uint32_t vocab = impl_->model.vocab;
  const auto by_row = [&](uint32_t, uint32_t position, std::span<const float> values) {
    for (; !values.empty(); values = values.subspan(vocab)) sink(position++, values.first(vocab));
  };
  return run_outputs(tokens, chunk, {&impl_->logits_output, 1}, by_row);
}

Result<void> Engine::run_outputs(std::span<const int32_t> tokens, uint32_t chunk, std::span<const uint32_t> outputs,
                                 const OutputSink& sink) {
  Impl& impl = *impl_;
  TRY(impl.check_tokens(tokens));
  const graph::PlanKey& key = impl.model.plan.key;
  if (chunk == 0 || chunk > std::min(key.max_tokens, key.max_rows)) {
    return fail(ErrorCode::kInvalidArgument, "The chunk is {} tokens, but the model was loaded for 1 to {}.", chunk,
                std::min(key.max_tokens, key.max_rows));
  }
  if (!impl.answers.empty() || impl.in_flight) {
    return fail(ErrorCode::kInvalidArgument, "The engine is busy with {} requests; logits need it idle.",
                impl.answers.size());
  }
  std::vector<PageId> pages((tokens.size() - 1) / impl.pool.page_tokens() + 1);
  for (PageId& page : pages) page = *impl.pool.allocate();  // check_tokens() saw that they fit an idle pool
  const auto result = impl.run_chunks(tokens, pages, chunk, outputs, sink);
  impl.in_flight.reset();
  for (PageId page : pages) impl.pool.release(page);
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
