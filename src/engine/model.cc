#include "engine/model.h"

#include <algorithm>

#include "engine/memory.h"
#include "engine/weights.h"
#include "models/common/load.h"

namespace tern::engine {

namespace {

Result<models::ModelGraph> build(const Model& model, const EngineOptions& options) {
  const uint32_t wanted = options.context == 0 ? kDefaultContext : options.context;
  return models::build_graph(model.files, wanted);
}

/// The model's graph on the model's backend.
Result<Playable> place(Model& model, graph::Graph graph, const EngineOptions& options, const Progress& progress) {
  const std::string& name = model.files.name;
  backends::Backend& backend = *model.backend;
  Playable playable{.backend = &backend, .plan = {}, .weights = {}};
  playable.plan = TRY_CTX(backend.lower(std::move(graph), plan_key(options)), "while planning {} for {}", name,
                          backend.target().device);
  const uint32_t context = context_limit(options, model.hparams.context);
  const uint64_t kv_tokens = uint64_t{TRY(kv_page_count(options, playable.plan, context))} * options.page_tokens;
  const MemoryEstimate estimate = estimate_memory(playable.plan, backend, kv_tokens, model.hparams.vocab);
  TRY_CTX(check_memory(estimate, options), "before loading {}", name);
  TRY_CTX(backend.prepare(playable.plan), "while loading {}", name);
  playable.weights = TRY_CTX(place_weights(playable.plan, model.files.weights, backend, progress, &model.weight_cache),
                             "while placing the weights of {}, which needs {}", name, memory_text(estimate));
  TRY_CTX(model.files.weights.check_unchanged(), "after placing the weights of {}", name);
  return playable;
}

/// `model` owns the engine that calls this.
Result<std::optional<Playable>> replace(Model& model, const BackendFactory& factory, const EngineOptions& options) {
  auto backend = TRY(factory());
  if (!backend) return std::nullopt;
  model.backend = std::move(backend);
  auto built = TRY_CTX(build(model, options), "while loading {} again", model.files.name);
  return TRY(place(model, std::move(built.graph), options, {}));
}

}  // namespace

Result<std::unique_ptr<Model>> load_model(const std::string& path, std::unique_ptr<backends::Backend> backend,
                                          const EngineOptions& options, const Progress& progress,
                                          std::vector<BackendFactory> replacements) {
  io::ModelFiles files = TRY(io::open_model(path));
  return load_model(std::move(files), std::move(backend), options, progress, std::move(replacements));
}

Result<std::unique_ptr<Model>> load_model(io::ModelFiles files, std::unique_ptr<backends::Backend> backend,
                                          const EngineOptions& options, const Progress& progress,
                                          std::vector<BackendFactory> replacements) {
  TRY(validate(options));
  auto model = std::make_unique<Model>();
  model->files = std::move(files);
  model->backend = std::move(backend);
  model->weight_cache.folder = options.weight_cache;
  const std::string& name = model->files.name;

  ModelText text = TRY_CTX(read_text(model->files), "while loading {}", name);
  model->tokenizer = std::move(text.tokenizer);
  model->chat_template = std::move(text.chat_template);
  model->text_problem = std::move(text.text_problem);

  models::ModelGraph built = TRY_CTX(build(*model, options), "while loading {}", name);
  model->hparams = std::move(built.hparams);
  model->end_tokens = model->hparams.end_tokens;
  model->end_tokens.insert(model->end_tokens.end(), text.end_tokens.begin(), text.end_tokens.end());
  std::ranges::sort(model->end_tokens);
  const auto repeated = std::ranges::unique(model->end_tokens);
  model->end_tokens.erase(repeated.begin(), repeated.end());

  PlayableModel playable{.playable = TRY(place(*model, std::move(built.graph), options, progress)),
                         .tokenizer = model->tokenizer.get(),
                         .end_tokens = model->end_tokens,
                         .vocab = model->hparams.vocab,
                         .context = model->hparams.context};
  for (BackendFactory& factory : replacements) {
    playable.replacements.push_back(
        [owner = model.get(), make = std::move(factory), options] { return replace(*owner, make, options); });
  }
  model->engine = TRY_CTX(Engine::create(std::move(playable), options), "while loading {}", name);
  return model;
}

}  // namespace tern::engine
