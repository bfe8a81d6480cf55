#include <algorithm>

#include "engine/engine_impl.h"

namespace tern::engine {
namespace {

bool contains(const std::vector<int32_t>& ids, int32_t id) {
  return std::ranges::find(ids, id) != ids.end();
}

Event finished_event(RequestId request, StopReason reason, std::string error) {
  return {.request = request, .kind = Event::Kind::kFinished, .reason = reason, .error = std::move(error)};
}

}  // namespace

Engine::State Engine::Impl::pump(std::vector<Event>& events) {
  std::ranges::move(pending, std::back_inserter(events));
  pending.clear();
  if (!player && !answers.empty()) find_device(events);
  while (player && player->in_flight() > 0) {
    const auto poll = finish_step(events);
    if (!poll) {
      step_failed(poll.error(), events);
    } else if (*poll == backends::Poll::kPending) {
      break;
    }
  }
  while (player && scheduler.can_schedule()) {
    const auto started = start_step(events);
    if (!started) {
      step_failed(started.error(), events);
    } else if (!*started) {
      break;
    }
  }
  return (player ? player->in_flight() > 0 : !answers.empty()) ? State::kBusy : State::kIdle;
}

/// Of the oldest step. kPending, or kReady when it is done and its tokens are taken.
Result<backends::Poll> Engine::Impl::finish_step(std::vector<Event>& events) {
  const Batch& batch = scheduler.oldest();
  const uint64_t number = stats.steps + 1 - player->in_flight();
  const bool on_host = any_row(batch, false), on_device = any_row(batch, true);
  const size_t n_pooled = batch.pools.size() * player->hidden();
  pooled.resize(std::max(pooled.size(), n_pooled));
  const auto poll = TRY_CTX(
      player->poll(std::span(logits).first(on_host ? batch.rows.size() * model.vocab : 0),
                   std::span(drawn).first(on_device ? batch.rows.size() : 0), std::span(pooled).first(n_pooled)),
      "while computing step {}", number);
  if (poll == backends::Poll::kPending) return poll;
  if (poll == backends::Poll::kDeviceLost) {
    return fail(ErrorCode::kDeviceLost, "The device was lost during step {}.", number);
  }
  const TraceScope scope(trace, trace_lane, "sample");
  next_replacement = 0;
  scheduler.complete();
  for (const Batch::Entry& entry : batch.entries) {
    if (!entry.sequence) continue;
    Answer& answer = *answers.at(entry.sequence->id);
    if (entry.row >= 0) take_row(answer, uint32_t(entry.row), events);
    if (entry.pool >= 0) take_pool(answer, batch, uint32_t(entry.pool), events);
  }
  return poll;
}

/// False when nothing can run now.
Result<bool> Engine::Impl::start_step(std::vector<Event>& events) {
  const TraceScope scope(trace, trace_lane, "schedule");
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
  const Batch& batch = scheduler.batch();
  if (batch.empty()) {
    // Else nothing would ever move again.
    ASSERT(scheduler.in_flight() > 0 || (scheduler.running() == 0 && scheduler.waiting() == 0));
    return false;
  }
  stats.steps++;
  graph::StepParams step = batch.params();
  if (any_row(batch, true)) describe_rows(batch, step);
  TRY_CTX(player->submit(step), "while starting step {}", stats.steps);
  return true;
}

/// True when a row of the step is drawn by the device, or one is by the host.
bool Engine::Impl::any_row(const Batch& batch, bool on_device) const {
  return std::ranges::any_of(batch.entries, [&](const Batch::Entry& entry) {
    return entry.sequence && entry.row >= 0 && answers.at(entry.sequence->id)->on_device == on_device;
  });
}

void Engine::Impl::describe_rows(const Batch& batch, graph::StepParams& step) {
  samples.start(batch.rows.size());
  for (const Batch::Entry& entry : batch.entries) {
    if (entry.row < 0) continue;
    const Answer& answer = *answers.at(entry.sequence->id);
    // Rows that the host draws are sampled too, plainly: nobody will look at those tokens.
    samples.set(static_cast<uint32_t>(entry.row), answer.sequence,
                answer.on_device ? answer.request.sampling : SamplingOptions{.temperature = 0},
                answer.on_device ? answer.request.mask : nullptr, answer.generated);
  }
  samples.fill(step);
  step.read_logits = any_row(batch, false);
}

void Engine::Impl::take_row(Answer& answer, uint32_t row, std::vector<Event>& events) {
  const auto sample = draw(answer, row);
  if (!sample) return finish(answer, StopReason::kError, events, sample.error().to_string());
  take_sample(answer, *sample, events);
}

Result<Sample> Engine::Impl::draw(const Answer& answer, uint32_t row) {
  const Request& request = answer.request;
  const std::vector<int32_t>& history = answer.sequence.tokens;
  if (answer.on_device) {
    const int32_t token = drawn[row];
    if (token >= 0 && static_cast<uint32_t>(token) < model.vocab) return Sample{.token = token, .top = {}};
    return fail(
        ErrorCode::kInternal,
        "The device found no token for position {}: a logit is nan or infinite, because the model's weights are "
        "damaged or its values overflow; or the mask bans every token.",
        history.size());
  }
  std::span<const uint32_t> mask;
  if (request.mask) {
    StepSamples::allowed(request.mask, std::span(history).last(answer.generated), mask_words);
    mask = mask_words;
  }
  return sampler.sample(std::span(logits).subspan(size_t{row} * model.vocab, model.vocab), request.sampling, history,
                        mask);
}

/// The next token of a sequence; may end it.
void Engine::Impl::take_sample(Answer& answer, const Sample& sample, std::vector<Event>& events) {
  const Request& request = answer.request;
  Sequence& sequence = answer.sequence;
  if (!request.ignore_eos && contains(model.end_tokens, sample.token)) {
    return finish(answer, StopReason::kEnd, events);
  }
  if (contains(request.stop_tokens, sample.token)) return finish(answer, StopReason::kStop, events);

  sequence.tokens.push_back(sample.token);
  answer.generated++;
  stats.generated_tokens++;
  Event& event = events.emplace_back();
  event.request = sequence.id;
  event.token = sample.token;
  if (request.sampling.logprobs > 0) {
    event.logprob = TokenLogprob{sample.token, sample.logprob};
    event.top_logprobs.assign(sample.top.begin(), sample.top.begin() + sample.n_top);
  }
  if (answer.detokenizer && emit_text(answer, answer.detokenizer->push(sample.token), events)) {
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

/// A step could not be started or finished. The other steps in flight are polled as ever, though nobody wants them.
void Engine::Impl::step_failed(const Error& error, std::vector<Event>& events) {
  if (error.code == ErrorCode::kDeviceLost) return lose_device(error, events);
  fail_all(error, events);
  while (scheduler.in_flight() > player->in_flight()) scheduler.complete();
}

void Engine::Impl::fail_all(const Error& error, std::vector<Event>& events) {
  while (!answers.empty()) finish(*answers.begin()->second, StopReason::kError, events, error.to_string());
}

}  // namespace tern::engine
