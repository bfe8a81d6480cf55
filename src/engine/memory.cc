#include "engine/memory.h"

#include <algorithm>

namespace tern::engine {

Result<void> validate(const EngineOptions& options) {
  const auto check = [](const char* name, uint32_t value, uint32_t low, uint32_t high) -> Result<void> {
    if (value >= low && value <= high) return {};
    return fail(ErrorCode::kInvalidArgument, "{} is {}, but must be in [{}, {}].", name, value, low, high);
  };
  TRY(check("max_seqs", options.max_seqs, 1, 4096));
  TRY(check("max_tokens", options.max_tokens, 1, 65536));
  TRY(check("max_rows", options.max_rows, 0, options.max_tokens));
  TRY(check("page_tokens", options.page_tokens, 1, 4096));
  return {};
}

graph::PlanKey plan_key(const EngineOptions& options) {
  // Every sequence at full length; page ids are counted once per sequence that shares them.
  const uint64_t context = options.context == 0 ? kDefaultContext : options.context;
  const uint64_t pages = options.max_seqs * ((context - 1) / std::max(options.page_tokens, 1u) + 1);
  return {.max_tokens = options.max_tokens,
          .max_rows = std::min(std::max(options.max_rows, options.max_seqs), options.max_tokens),
          .max_seqs = options.max_seqs,
          .kv_format = options.kv_format,
          .page_tokens = options.page_tokens,
          .max_pages = static_cast<uint32_t>(std::min<uint64_t>(pages, uint64_t{1} << 28))};
}

uint32_t context_limit(const EngineOptions& options, uint32_t model_context) {
  return std::min(options.context == 0 ? kDefaultContext : options.context, model_context);
}

Result<uint32_t> kv_page_count(const EngineOptions& options, const graph::Plan& plan, uint32_t context) {
  const uint64_t page_tokens = plan.key.page_tokens;
  const uint64_t page = 2 * plan.n_layers * plan.page_bytes();  // keys and values of all layers
  uint64_t tokens = options.kv_tokens != 0 ? options.kv_tokens : context;
  if (options.kv_tokens == 0 && options.kv_bytes != 0) {
    const uint64_t pages = page == 0 ? UINT32_MAX - 1 : options.kv_bytes / page;
    if (pages == 0) {
      return fail(ErrorCode::kInvalidArgument,
                  "The KV budget of {} bytes holds no page: a page of {} tokens over {} layers takes {} bytes.",
                  options.kv_bytes, page_tokens, plan.n_layers, page);
    }
    tokens = pages > UINT64_MAX / page_tokens ? UINT64_MAX : pages * page_tokens;
  }
  const uint64_t pages = tokens / page_tokens + (tokens % page_tokens != 0);
  // Far above any machine's memory; keeps the pool's own tables and all products within what can be counted.
  constexpr uint64_t kMaxPages = uint64_t{1} << 26;
  if (pages == 0 || pages > kMaxPages || (page != 0 && pages > UINT64_MAX / page)) {
    return fail(ErrorCode::kInvalidArgument,
                "A KV cache of {} tokens takes {} pages of {} tokens, allowed are 1 to {}.", tokens, pages, page_tokens,
                kMaxPages);
  }
  return static_cast<uint32_t>(pages);
}

uint64_t kv_cache_bytes(const models::Hparams& hparams, graph::KvFormat format, uint64_t tokens) {
  const uint64_t page_tokens = EngineOptions{}.page_tokens;
  const uint64_t rounded = (tokens + page_tokens - 1) / page_tokens * page_tokens;
  const auto head = graph::kv_bytes(format, hparams.head_dim);
  ASSERT(head);
  return 2 * rounded * hparams.n_layers * hparams.n_kv_heads * *head;
}

MemoryEstimate estimate_memory(const graph::Plan& plan, const backends::Backend& backend, uint64_t kv_tokens,
                               uint32_t vocab) {
  // A token of the vocabulary is taken for 600 bytes: its spelling in the metadata and in the tokenizer, a merge, and
  // the tables to find them, each a node and a string of some 60 bytes. Rather too much: a limit must hold.
  MemoryEstimate estimate{.activations = plan.arena_bytes(),
                          .logits = uint64_t{vocab} * (plan.key.max_seqs * sizeof(float) + 16),
                          .text = uint64_t{vocab} * 600,
                          .on_device = backend.target().has_own_memory()};
  if (estimate.on_device) estimate.staging = backend.upload_bytes();
  for (uint32_t weight = 0; weight < plan.weights.size(); weight++) {
    estimate.weights += backend.weight_bytes(plan, weight);
  }
  const uint64_t page_tokens = plan.key.page_tokens;
  const uint64_t pages = kv_tokens / page_tokens + (kv_tokens % page_tokens != 0);
  estimate.kv_cache = pages * 2 * plan.n_layers * plan.page_bytes();
  return estimate;
}

std::string memory_text(const MemoryEstimate& estimate) {
  const auto mb = [](uint64_t bytes) { return static_cast<double>(bytes) / 1e6; };
  const uint64_t rest = estimate.total() - estimate.weights - estimate.kv_cache - estimate.activations;
  return fmt::format(
      "{:.1f} MB of memory ({} bytes: weights {:.1f} MB, KV cache {:.1f} MB, activations {:.1f} MB, the "
      "rest {:.1f} MB)",
      mb(estimate.total()), estimate.total(), mb(estimate.weights), mb(estimate.kv_cache), mb(estimate.activations),
      mb(rest));
}

Result<void> check_memory(const MemoryEstimate& estimate, const EngineOptions& options) {
  if (options.memory_limit == 0 || estimate.host() <= options.memory_limit) return {};
  if (estimate.on_device) {
    return fail(ErrorCode::kOutOfMemory,
                "Beside the GPU's memory {} bytes of the host's are needed, but {} is {} bytes.", estimate.host(),
                options.memory_limit_name, options.memory_limit);
  }
  return fail(ErrorCode::kOutOfMemory,
              "The model needs {}, but {} is {} bytes. A shorter --context, --kv q8_0, a smaller --chunk or weights in "
              "a smaller format need less.",
              memory_text(estimate), options.memory_limit_name, options.memory_limit);
}

}  // namespace tern::engine
