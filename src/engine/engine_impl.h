// The engine's inside. engine.cc: requests in and out; engine_steps.cc: steps, and what becomes of their tokens;
// engine_recovery.cc: another device after a loss; engine_embed.cc: embeddings.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/engine.h"
#include "engine/kv_pool.h"
#include "engine/player.h"
#include "engine/sampler.h"
#include "engine/scheduler.h"
#include "engine/step_samples.h"
#include "text/detokenizer.h"
#include "text/stop.h"

namespace tern::engine {

/// A request on its way.
struct Answer {
  Request request;  // its prompt has moved to sequence.tokens
  Sequence sequence;
  uint32_t generated = 0;
  bool on_device = false;  // its tokens are drawn by the backend
  std::vector<float> sum;  // of the hidden states so far, when it is embedded
  std::optional<text::Detokenizer> detokenizer;
  std::optional<text::StopMatcher> stops;
};

struct Engine::Impl {
  PlayableModel model;
  graph::PlanKey key;
  uint32_t context;
  std::unique_ptr<Player> player;  // null: the device is lost
  KvPool pool;
  Scheduler scheduler;
  Sampler sampler;
  StepSamples samples;
  std::vector<float> logits;         // [max_seqs, vocab]
  std::vector<int32_t> drawn;        // [max_seqs], by the device
  std::vector<float> pooled;         // [max_seqs, hidden], from the first embedding on
  std::vector<uint32_t> mask_words;  // [ceil(vocab / 32)], for rows that are masked and drawn here
  std::unordered_map<RequestId, std::unique_ptr<Answer>> answers;
  std::vector<Event> pending;  // of requests that ended outside pump()
  RequestId next_id = 1;
  EngineStats stats;
  size_t next_replacement = 0;  // to be tried after the next loss; 0 again when a step is done
  std::string loss;             // what happened at the last one, and since
  bool lost_for_good = false;   // no device, and none to come
  Trace* trace = nullptr;
  uint32_t trace_lane = 0;

  Impl(PlayableModel playable, uint32_t n_pages, const SchedulerLimits& limits);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Result<void> check_tokens(std::span<const int32_t> prompt) const;
  Result<RequestId> submit(Request request);
  Result<RequestId> submit_embedding(Request request);
  void cancel(RequestId request);
  Result<void> get_idle();
  Result<void> run_chunks(std::span<const int32_t> tokens, std::span<const PageId> pages, uint32_t chunk,
                          std::span<const uint32_t> outputs, const OutputSink& sink);

  State pump(std::vector<Event>& events);
  Result<backends::Poll> finish_step(std::vector<Event>& events);
  Result<bool> start_step(std::vector<Event>& events);
  bool any_row(const Batch& batch, bool on_device) const;
  void describe_rows(const Batch& batch, graph::StepParams& step);
  void take_row(Answer& answer, uint32_t row, std::vector<Event>& events);
  void take_pool(Answer& answer, const Batch& batch, uint32_t row, std::vector<Event>& events);
  Result<Sample> draw(const Answer& answer, uint32_t row);
  void take_sample(Answer& answer, const Sample& sample, std::vector<Event>& events);
  bool emit_text(Answer& answer, std::string_view text, std::vector<Event>& events);
  void finish(Answer& answer, StopReason reason, std::vector<Event>& events, std::string error = {});
  void step_failed(const Error& error, std::vector<Event>& events);
  void fail_all(const Error& error, std::vector<Event>& events);

  void place_sampling(Answer& answer) const;
  void lose_device(const Error& error, std::vector<Event>& events);
  void find_device(std::vector<Event>& events);
  Result<void> adopt(Playable playable);
};

}  // namespace tern::engine
