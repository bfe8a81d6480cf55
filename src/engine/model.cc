#include "engine/model.h"

#include <algorithm>
#include <utility>

#include "engine/memory.h"
#include "engine/weights.h"
#include "models/common/load.h"

namespace tern::engine {

namespace {

Result<models::ModelGraph> build(const Model& model, const EngineOptions& options) {
  const uint32_t wanted = options.context == 0 ? kDefaultContext : options.context;
  return models::build_graph(model.files, wanted);
}

/// A model on its way to a backend: its plan is made, its weights are being placed.
struct Placing {
  Playable playable;
  std::unique_ptr<WeightPlacer> placer;
};

Result<Placing> begin_placing(Model& model, graph::Graph graph, const EngineOptions& options,
                              const Progress& progress) {
  const std::string& name = model.files.name;
  backends::Backend& backend = *model.backend;
  Placing placing{.playable = {.backend = &backend, .plan = {}, .weights = {}}, .placer = nullptr};
  Playable& playable = placing.playable;
  playable.plan = TRY_CTX(backend.lower(std::move(graph), plan_key(options)), "while planning {} for {}", name,
                          backend.target().device);
  const uint32_t context = context_limit(options, model.hparams.context);
  const uint64_t pages = TRY(kv_page_count(options, playable.plan, context));
  const MemoryEstimate estimate =
      estimate_memory(playable.plan, backend, pages * options.page_tokens, model.hparams.vocab);
  TRY_CTX(check_memory(estimate, options), "before loading {}", name);
  TRY_CTX(backend.prepare(playable.plan), "while loading {}", name);
  placing.placer =
      TRY_CTX(WeightPlacer::begin(playable.plan, model.files.weights, backend, progress, &model.weight_cache),
              "while placing the weights of {}, which needs {}", name, memory_text(estimate));
  playable.weights.assign(placing.placer->buffers().begin(), placing.placer->buffers().end());
  TRY_CTX(backend.check_room(playable.plan, pages * playable.plan.page_bytes()),
          "before placing the weights of {}, which needs {}", name, memory_text(estimate));
  return placing;
}

/// False: everything is placed.
Result<bool> place_next(const Model& model, WeightPlacer& placer) {
  const std::string& name = model.files.name;
  if (TRY_CTX(placer.step(), "while placing the weights of {}", name)) return true;
  TRY_CTX(model.files.weights.check_unchanged(), "after placing the weights of {}", name);
  return false;
}

/// Reads that may fail one after the other before a device is given up. A file on a network fails until its host has
/// fetched what was wanted, once for every part that a tensor is assembled from.
constexpr int kReadTries = 16;

/// Puts a loaded model on another backend, a few megabytes a call, as ModelLoad does: between two calls the host of a
/// browser lets the page live and fetches what could not be read.
class Replacer {
 public:
  /// model: owns the engine that calls this. graph: of the model, so that nothing is read to build it again.
  Replacer(Model& model, std::shared_ptr<const graph::Graph> graph, BackendFactory factory,
           const EngineOptions& options)
      : model_(model), graph_(std::move(graph)), factory_(std::move(factory)), options_(options) {}

  /// nullopt: not yet, ask again.
  Result<std::optional<Playable>> step() {
    auto more = place();
    if (more && *more) {
      tries_ = 0;
      return std::nullopt;
    }
    if (!more && more.error().code == ErrorCode::kIo && ++tries_ < kReadTries) return std::nullopt;
    const auto placing = std::exchange(placing_, std::nullopt);
    tries_ = 0;
    if (!more) return std::unexpected(std::move(more).error());
    return placing->playable;
  }

 private:
  Model& model_;
  std::shared_ptr<const graph::Graph> graph_;
  BackendFactory factory_;
  EngineOptions options_;
  std::optional<Placing> placing_;  // on model_.backend
  int tries_ = 0;

  /// False: all is placed.
  Result<bool> place() {
    if (placing_) return place_next(model_, *placing_->placer);
    auto backend = TRY(factory_());
    if (!backend) return true;
    model_.backend = std::move(backend);
    placing_ = TRY_CTX(begin_placing(model_, *graph_, options_, {}), "while loading {} again", model_.files.name);
    return true;
  }
};

/// The texts of the model, and which tokens end an answer.
Result<void> take_text(Model& model) {
  ModelText text = TRY_CTX(read_text(model.files), "while loading {}", model.files.name);
  model.tokenizer = std::move(text.tokenizer);
  model.chat_template = std::move(text.chat_template);
  model.text_problem = std::move(text.text_problem);
  model.end_tokens.insert(model.end_tokens.end(), text.end_tokens.begin(), text.end_tokens.end());
  std::ranges::sort(model.end_tokens);
  const auto repeated = std::ranges::unique(model.end_tokens);
  model.end_tokens.erase(repeated.begin(), repeated.end());
  return {};
}

class Load final : public ModelLoad {
 public:
  Result<void> begin(io::ModelFiles files, std::unique_ptr<backends::Backend> backend, const EngineOptions& options,
                     const Progress& progress, std::vector<BackendFactory> replacements) {
    TRY(validate(options));
    model_->files = std::move(files);
    model_->backend = std::move(backend);
    model_->weight_cache.folder = options.weight_cache;
    models::ModelGraph built = TRY_CTX(build(*model_, options), "while loading {}", model_->files.name);
    model_->hparams = std::move(built.hparams);
    model_->end_tokens = model_->hparams.end_tokens;
    TRY(take_text(*model_));

    if (!replacements.empty()) graph_ = std::make_shared<graph::Graph>(built.graph);
    placing_ = TRY(begin_placing(*model_, std::move(built.graph), options, progress));
    options_ = options;
    replacements_ = std::move(replacements);
    return {};
  }

  Result<bool> step() override { return place_next(*model_, *placing_.placer); }

  Result<std::unique_ptr<Model>> finish() override {
    PlayableModel playable{.playable = std::move(placing_.playable),
                           .tokenizer = model_->tokenizer.get(),
                           .end_tokens = model_->end_tokens,
                           .vocab = model_->hparams.vocab,
                           .context = model_->hparams.context};
    for (BackendFactory& factory : replacements_) {
      auto replacer = std::make_shared<Replacer>(*model_, graph_, std::move(factory), options_);
      playable.replacements.push_back([replacer] { return replacer->step(); });
    }
    model_->engine = TRY_CTX(Engine::create(std::move(playable), options_), "while loading {}", model_->files.name);
    return std::move(model_);
  }

 private:
  std::unique_ptr<Model> model_ = std::make_unique<Model>();
  EngineOptions options_;
  std::shared_ptr<const graph::Graph> graph_;  // for replacements
  std::vector<BackendFactory> replacements_;
  Placing placing_;  // last: it uses the model's files and backend
};

}  // namespace

Result<std::unique_ptr<ModelLoad>> ModelLoad::begin(io::ModelFiles files, std::unique_ptr<backends::Backend> backend,
                                                    const EngineOptions& options, const Progress& progress,
                                                    std::vector<BackendFactory> replacements) {
  auto load = std::make_unique<Load>();
  TRY(load->begin(std::move(files), std::move(backend), options, progress, std::move(replacements)));
  return load;
}

Result<std::unique_ptr<Model>> load_model(const std::string& path, std::unique_ptr<backends::Backend> backend,
                                          const EngineOptions& options, const Progress& progress,
                                          std::vector<BackendFactory> replacements) {
  io::ModelFiles files = TRY(io::open_model(path));
  return load_model(std::move(files), std::move(backend), options, progress, std::move(replacements));
}

Result<std::unique_ptr<Model>> load_model(io::ModelFiles files, std::unique_ptr<backends::Backend> backend,
                                          const EngineOptions& options, const Progress& progress,
                                          std::vector<BackendFactory> replacements) {
  const auto load =
      TRY(ModelLoad::begin(std::move(files), std::move(backend), options, progress, std::move(replacements)));
  while (TRY(load->step())) {
  }
  return load->finish();
}

}  // namespace tern::engine
