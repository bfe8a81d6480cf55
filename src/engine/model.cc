#include "engine/model.h"

#include <algorithm>

#include "engine/memory.h"
#include "engine/weights.h"
#include "models/common/load.h"

namespace tern::engine {

Result<std::unique_ptr<Model>> load_model(const std::string& path, std::unique_ptr<backends::Backend> backend,
                                          const EngineOptions& options, const Progress& progress) {
  io::ModelFiles files = TRY(io::open_model(path));
  return load_model(std::move(files), std::move(backend), options, progress);
}

Result<std::unique_ptr<Model>> load_model(io::ModelFiles files, std::unique_ptr<backends::Backend> backend,
                                          const EngineOptions& options, const Progress& progress) {
  TRY(validate(options));
  auto model = std::make_unique<Model>();
  model->files = std::move(files);
  model->backend = std::move(backend);
  const std::string& name = model->files.name;

  ModelText text = TRY_CTX(read_text(model->files), "while loading {}", name);
  model->tokenizer = std::move(text.tokenizer);
  model->chat_template = std::move(text.chat_template);
  model->text_problem = std::move(text.text_problem);

  const uint32_t wanted = options.context == 0 ? kDefaultContext : options.context;
  models::ModelGraph built = TRY_CTX(models::build_graph(model->files, wanted), "while loading {}", name);
  model->hparams = std::move(built.hparams);
  model->end_tokens = model->hparams.end_tokens;
  model->end_tokens.insert(model->end_tokens.end(), text.end_tokens.begin(), text.end_tokens.end());
  std::ranges::sort(model->end_tokens);
  const auto repeated = std::ranges::unique(model->end_tokens);
  model->end_tokens.erase(repeated.begin(), repeated.end());

  graph::Plan plan = TRY_CTX(model->backend->lower(std::move(built.graph), plan_key(options)),
                             "while planning {} for {}", name, model->backend->target().device);
  auto weights = TRY_CTX(place_weights(plan, model->files.weights, *model->backend, progress),
                         "while placing the weights of {}", name);
  PlayableModel playable{.backend = model->backend.get(),
                         .plan = std::move(plan),
                         .weights = std::move(weights),
                         .tokenizer = model->tokenizer.get(),
                         .end_tokens = model->end_tokens,
                         .vocab = model->hparams.vocab,
                         .context = model->hparams.context};
  model->engine = TRY_CTX(Engine::create(std::move(playable), options), "while loading {}", name);
  return model;
}

}  // namespace tern::engine
