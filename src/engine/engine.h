// Engine: many sequences on one model. submit() queues a request, pump() moves everything on by what can be done
// without waiting, and hands out events. One thread owns an Engine; steps run on the backend's own threads or device.
//
//   request -> Scheduler (admit, prefill chunk, decode, preempt) -> StepParams -> Player::submit
//           <- events <- tokens, or logits and the Sampler <- Player::poll
//
// When the device is lost, the engine asks for another and computes the cache of all live sequences again: tokens that
// were given out stay, and answers go on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
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
  uint32_t max_rows = 0;      // rows of logits in one step, for run_logits(); at least max_seqs are possible anyway
  uint32_t context = 0;       // positions per sequence, at most the model's own; 0: its own, but at most 4096
  uint64_t kv_tokens = 0;     // KV budget in tokens over all sequences, rounded up to pages; 0: from kv_bytes
  uint64_t kv_bytes = 0;      // KV budget in bytes, rounded down to pages; 0 as well: one full context
  graph::KvFormat kv_format = graph::KvFormat::kF16;
  uint32_t page_tokens = 32;
  std::string weight_cache;   // folder of cache files of repacked weights (engine/weight_cache.h); empty: none
  uint64_t memory_limit = 0;  // bytes that loading may plan for; 0: no limit
  std::string memory_limit_name = "the memory limit";  // who set it, for the message
  bool share_prefixes = true;                          // pages of a common prefix are computed once
  Trace* trace = nullptr;                              // lane "engine"; outlives the engine
};

struct EngineStats {
  uint64_t steps = 0;
  uint64_t prompt_tokens = 0;  // computed by prefill, those computed again after a preemption or a loss included
  uint64_t shared_tokens = 0;  // of prompts, not computed because their pages were there
  uint64_t generated_tokens = 0, preemptions = 0, device_losses = 0;
  uint32_t pages_total = 0, pages_free = 0;  // free: pages that a new request could get, cached prefixes included
  uint32_t running = 0, waiting = 0;         // sequences
};

/// A model on a device.
struct Playable {
  backends::Backend* backend = nullptr;  // outlives the engine, or its replacement
  /// Outputs "logits" [R, vocab], "pooled" [P, hidden] if texts can be embedded, "tokens" [R, 1] where the backend
  /// samples.
  graph::Plan plan;
  std::vector<backends::Buffer> weights;  // one per plan.weights
};

/// Puts the model on another device, for the same options; the lost one may be destroyed. nullopt: not yet, ask again
/// (a browser gives devices by promise, and weights are placed step by step). Errors: this device is not to be had.
using Replacement = std::function<Result<std::optional<Playable>>()>;

/// What the engine needs of a loaded model, so that it can be tested with a scripted backend and no model at all.
struct PlayableModel {
  Playable playable;
  const text::Tokenizer* tokenizer = nullptr;  // may be null: then no text events and no stop strings
  std::vector<int32_t> end_tokens;
  uint32_t vocab = 0;
  uint32_t context = 0;
  /// In order of preference. After a loss the first that works is taken; if that one is lost before it has completed a
  /// step, those behind it are left.
  std::vector<Replacement> replacements = {};
};

/// Receives the logits of one position: [vocab], valid during the call. An error ends the run, which returns it.
using LogitsSink = std::function<Result<void>(uint32_t position, std::span<const float> logits)>;
/// Receives output `output` of plan().outputs for the chunk that begins at `position`: [rows, cols] of the output.
using OutputSink = std::function<Result<void>(uint32_t output, uint32_t position, std::span<const float> values)>;

class Engine {
 public:
  /// Allocates the KV pool and loads the plan. options: those that the plan was lowered with.
  /// Errors: kOutOfMemory with need and budget; kInvalidArgument for options, or a plan, that cannot work.
  static Result<std::unique_ptr<Engine>> create(PlayableModel model, const EngineOptions& options);
  /// Waits for the steps in flight, then frees the KV pool and the plan. The weights stay.
  ~Engine();

  /// Queues a request. Errors: kInvalidArgument (empty prompt, ids outside the vocabulary, bad sampling options,
  /// a prompt longer than the context or the KV pool, stop strings without a tokenizer); kDeviceLost when the device is
  /// lost for good; kUnsupported for an embedding when the plan has no hidden states.
  Result<RequestId> submit(Request request);
  /// Ends a request and frees its pages at once, even while its steps are in flight. The next pump() reports it as
  /// finished (kCancelled). Unknown ids are ignored.
  void cancel(RequestId request);

  enum class State { kIdle, kBusy };  // kIdle: nothing queued, running or in flight
  /// Never blocks: takes the results of steps that are done, and submits next ones; after a loss it places a few
  /// megabytes of the model on another device instead. Appends events, and they tell everything: when a step fails,
  /// every request that is unfinished ends with a kFinished event that says why (kError), and the engine goes on with
  /// new ones; kDevice events tell of devices lost and found.
  State pump(std::vector<Event>& events);
  /// Blocks until the oldest step in flight is done (not in a browser); returns at once when there is none.
  void wait();

  /// Raw logits of every position of `tokens`, computed in chunks of `chunk` tokens. Blocks; only while idle. The same
  /// for any chunk on backends that are batch-invariant. Errors: kInvalidArgument (tokens as in submit(); a chunk of 0
  /// or beyond max_tokens or max_rows; unfinished requests), the backend's, the sink's.
  Result<void> run_logits(std::span<const int32_t> tokens, uint32_t chunk, const LogitsSink& sink);
  /// The same for any outputs of the plan (indices into plan().outputs), chunk by chunk in the order of `outputs`.
  Result<void> run_outputs(std::span<const int32_t> tokens, uint32_t chunk, std::span<const uint32_t> outputs,
                           const OutputSink& sink);

  EngineStats stats() const;
  uint32_t context() const;         // positions per sequence
  const graph::Plan& plan() const;  // on the device of now

 private:
  struct Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tern::engine
