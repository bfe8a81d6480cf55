// tern tune: which shape of each kernel is the fastest on this GPU, for the matrices of a model.

#include <iostream>

#include "apps/cli/common.h"
#include "apps/cli/terminal.h"
#include "apps/cli/tuning_file.h"
#include "engine/memory.h"
#include "engine/weights.h"
#include "models/common/load.h"

namespace tern::cli {
namespace {

struct Options {
  std::string path;
  std::string device = "gpu";
  std::vector<uint32_t> tokens = {1, 2, 4, 8, 16, 32, 64, 512};
  uint32_t most = 0;
  std::string out;
  bool json = false;
};

using backends::TunedShape;

Json to_json(std::span<const TunedShape> shapes, const graph::Target& target, const std::string& out) {
  Json list = Json::array();
  for (const TunedShape& shape : shapes) {
    list.push_back({{"work", shape.key},
                    {"standard", shape.standard},
                    {"best", shape.best},
                    {"standard_s", shape.standard_s},
                    {"best_s", shape.best_s},
                    {"variants", shape.variants}});
  }
  return {{"device", target.device}, {"adapter", target.adapter}, {"file", out}, {"shapes", std::move(list)}};
}

void print(std::span<const TunedShape> shapes, const graph::Target& target) {
  fmt::print("{}\n\n{}\n", styled(target.device, Style::kBold),
             styled(fmt::format("{:<44} {:>16} {:>10} {:>16} {:>10} {:>7}", "work of a step", "standard", "us", "best",
                                "us", "gain"),
                    Style::kBold));
  for (const TunedShape& shape : shapes) {
    const auto text = [](const std::vector<uint32_t>& numbers) { return fmt::format("{}", fmt::join(numbers, " ")); };
    const bool is_new = shape.best != shape.standard;
    fmt::print("{:<44} {:>16} {:>10.1f} {:>16} {:>10.1f} {:>6.1f}%\n", shape.key, text(shape.standard),
               shape.standard_s * 1e6, is_new ? text(shape.best) : "the same", shape.best_s * 1e6,
               shape.best_s > 0 ? 100 * (shape.standard_s / shape.best_s - 1) : 0);
  }
}

Result<void> tune(Options options) {
  if (options.out.empty()) options.out = default_tuning_path();
  Tunings tunings = TRY(read_tunings(options.out));
  const io::ModelFiles files = TRY(io::open_model(options.path));
  const engine::EngineOptions engine{.max_seqs = 1};
  const auto graph =
      TRY_CTX(models::build_graph(files, engine::kDefaultContext), "while loading {}", options.path).graph;
  const auto backend = TRY(backends::make_backend(options.device, {}));
  const graph::Plan plan = TRY(backend->lower(graph, engine::plan_key(engine)));
  ProgressBar loading("loading");
  const auto weights = TRY_CTX(engine::place_weights(plan, files.weights, *backend,
                                                     [&](uint64_t done, uint64_t all) { loading.update(done, all); }),
                               "while placing the weights of {}", options.path);
  loading.clear();
  ProgressBar bar("tuning");
  const std::vector<TunedShape> shapes = TRY(backend->tune(
      graph, weights,
      {.tokens = options.tokens, .most_variants = options.most, .progress = [&](uint64_t done, uint64_t all) {
         bar.update(done, all);
       }}));
  bar.clear();
  const graph::Target& target = backend->target();
  graph::Tuning& kept = tunings[target.adapter];
  for (const TunedShape& shape : shapes) {
    if (shape.best == shape.standard) {
      kept.erase(shape.key);
    } else {
      kept[shape.key] = shape.best;
    }
  }
  TRY(write_tunings(options.out, tunings));
  if (options.json) {
    std::cout << to_json(shapes, target, options.out).dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
  } else {
    print(shapes, target);
    fmt::print("\n{} has what is faster; models with such matrices use it from now on.\n", options.out);
  }
  return {};
}

}  // namespace

void add_tune(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("tune", "Find the fastest shape of each kernel on this GPU, for a model");
  command->add_option("MODEL", options->path, "A .gguf file, or a Hugging Face folder")->required();
  command->add_option("--device", options->device, "gpu; the kernels of other devices have no shapes to choose from")
      ->check(CLI::IsMember({"gpu", "cpu", "ref"}))
      ->capture_default_str();
  command
      ->add_option("--tokens", options->tokens,
                   "Sizes of steps: sequences decoded at a time, above 64 a prompt's tokens")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--most", options->most, "Shapes of a kernel to measure, spread over all there are; 0: all")
      ->capture_default_str();
  command->add_option("-o,--out", options->out, "The file to keep it in; as it is, one in the user's cache folder");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->footer(
      "Examples:\n"
      "  tern tune model.gguf                 a minute or two; other commands use what it finds\n"
      "  tern tune model.gguf --tokens 1      only for one sequence at a time\n"
      "  tern bench model.gguf --tuning none  without it\n\n"
      "Measured are all shapes that a kernel offers, with the model's own weights. The file is kept by adapter and\n"
      "driver, and by kernel, format and size of the matrix; everything that is not in it runs in the standard shape.");
  command->callback([options, &exit_code] {
    if (auto result = tune(*options); !result) exit_code = report(result.error());
  });
}

}  // namespace tern::cli
