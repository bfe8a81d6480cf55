// Engine: many sequences on one model. submit() queues a request, pump() moves everything on by what can be done
// without waiting, and hands out events. One thread owns an Engine; steps run on the backend's own threads or device.
//
//   request -> Scheduler (admit, prefill chunk, decode, preempt) -> StepParams -> Backend::submit
//           <- events <- Sampler <- logits <- Backend::poll
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "base/result.h"
#include "engine/request.h"
#include "text/tokenizer.h"

namespace tern::engine {

struct EngineOptions {
  uint32_t max_seqs = 16;     // sequences in one step
  uint32_t max_tokens = 512;  // tokens in one step: the prefill chunk
  uint32_t context = 0;       // positions per sequence at most; 0: the model's own
  uint64_t kv_tokens = 0;     // KV budget in tokens over all sequences; 0: from kv_bytes, else context
  uint64_t kv_bytes = 0;      // KV budget in bytes; 0: from kv_tokens
  graph::KvFormat kv_format = graph::KvFormat::kF16;
  uint32_t page_tokens = 32;
  bool share_prefixes = true;  // pages of a common prefix are computed once
};

struct EngineStats {
  uint64_t steps = 0, prompt_tokens = 0, generated_tokens = 0, shared_tokens = 0, preemptions = 0;
  uint32_t pages_total = 0, pages_free = 0, running = 0, waiting = 0;
};

/// What the engine needs of a loaded model, so that it can be tested with a scripted backend and no model at all.
struct PlayableModel {
  backends::Backend* backend = nullptr;        // outlives the engine
  graph::Plan plan;                            // output "logits": [R, vocab]
  std::vector<backends::Buffer> weights;       // one per plan.weights
  const text::Tokenizer* tokenizer = nullptr;  // may be null: then no text events and no stop strings
  std::vector<int32_t> end_tokens;
  uint32_t vocab = 0;
  uint32_t context = 0;
};

class Engine {
 public:
  /// Allocates the KV pool and loads the plan. Errors: kOutOfMemory with need and budget, kInvalidArgument.
  static Result<std::unique_ptr<Engine>> create(PlayableModel model, const EngineOptions& options);
  virtual ~Engine() = default;

  /// Queues a request. Errors: kInvalidArgument (empty prompt, ids outside the vocabulary, bad sampling options,
  /// a prompt longer than the context).
  virtual Result<RequestId> submit(Request request) = 0;
  /// Ends a request and frees its pages at once. Unknown ids are ignored.
  virtual void cancel(RequestId request) = 0;

  enum class State { kIdle, kBusy };  // kIdle: nothing queued, running or in flight
  /// Never blocks: polls the step in flight, samples, schedules the next. Appends events. Errors: the backend's.
  virtual Result<State> pump(std::vector<Event>& events) = 0;
  /// Blocks until the step in flight is done (not in a browser); returns at once when there is none.
  virtual void wait() = 0;

  virtual EngineStats stats() const = 0;
};

}  // namespace tern::engine
