// How much memory playing a model takes, for Engine::create and for people (`tern info`).
#pragma once

#include <cstdint>
#include <string>

#include "backends/backend.h"
#include "base/result.h"
#include "engine/engine.h"
#include "graph/plan.h"
#include "models/common/hparams.h"

namespace tern::engine {

/// Errors: kInvalidArgument naming the option, the value and the values allowed.
Result<void> validate(const EngineOptions& options);

/// What a plan is to be made for under these options.
graph::PlanKey plan_key(const EngineOptions& options);

/// Positions of context when nobody asks for more: a model's own 131,072 would cost gigabytes of cache.
inline constexpr uint32_t kDefaultContext = 4096;

/// Positions a sequence may have. model_context: the model's own.
uint32_t context_limit(const EngineOptions& options, uint32_t model_context);

/// Pages that the KV budget of the options buys. context: context_limit().
/// Errors: kInvalidArgument when the budget holds no page, or more pages than can be counted.
Result<uint32_t> kv_page_count(const EngineOptions& options, const graph::Plan& plan, uint32_t context);

/// Bytes.
struct MemoryEstimate {
  uint64_t weights = 0;      // in the backend's layout; in place in the file where the backend can use it so
  uint64_t kv_cache = 0;     // keys and values of all layers, whole pages
  uint64_t activations = 0;  // the plan's arena
  uint64_t logits = 0;       // rows of logits and the sampler's candidates
  uint64_t text = 0;         // tokenizer and metadata
  uint64_t staging = 0;      // of a device with memory of its own: what waits on the way there
  bool on_device = false;    // weights, cache and activations lie in such memory
  uint64_t device() const { return on_device ? weights + kv_cache + activations : 0; }
  uint64_t total() const { return weights + kv_cache + activations + logits + text + staging + kProgram; }
  uint64_t host() const { return total() - device(); }
  /// The program itself, threads' stacks, scratch of kernels and what the allocator keeps.
  static constexpr uint64_t kProgram = uint64_t{24} << 20;
};

/// Keys and values of `tokens` tokens in whole pages of the default size. Precondition: q8_0 needs a head_dim that is a
/// multiple of 32.
uint64_t kv_cache_bytes(const models::Hparams& hparams, graph::KvFormat format, uint64_t tokens);

/// For a cache of `kv_tokens` tokens. vocab: tokens of the tokenizer and columns of the logits.
MemoryEstimate estimate_memory(const graph::Plan& plan, const backends::Backend& backend, uint64_t kv_tokens,
                               uint32_t vocab);

/// "81.5 MB of memory (81470040 bytes: weights 40.1 MB, KV cache ...)", for messages.
std::string memory_text(const MemoryEstimate& estimate);

/// Errors: kOutOfMemory with need, limit and what to do, when what the host needs is beyond options.memory_limit.
Result<void> check_memory(const MemoryEstimate& estimate, const EngineOptions& options);

}  // namespace tern::engine
