// tern info: what is in a model file, and what running it takes.

#include <iostream>
#include <map>

#include "apps/cli/common.h"
#include "apps/cli/terminal.h"
#include "engine/memory.h"
#include "graph/passes/passes.h"
#include "io/text.h"
#include "models/common/load.h"

namespace tern::cli {
namespace {

struct InfoOptions {
  std::string path;
  std::string device = "cpu";
  bool tensors = false;
  bool metadata = false;
  bool dump_graph = false;
  bool dump_plan = false;
  bool json = false;
};

struct FormatUse {
  uint64_t tensors = 0, parameters = 0, bytes = 0;
};

struct Contents {
  std::map<std::string, FormatUse> formats;
  uint64_t parameters = 0, bytes = 0;
};

Contents count(const io::WeightIndex& weights) {
  Contents contents;
  for (const io::TensorInfo& tensor : weights.tensors()) {
    FormatUse& use = contents.formats[std::string(formats::info(tensor.format).name)];
    const uint64_t parameters = tensor.rows() * tensor.cols();
    use.tensors += 1;
    use.parameters += parameters;
    use.bytes += tensor.length;
    contents.parameters += parameters;
    contents.bytes += tensor.length;
  }
  return contents;
}

void print_tensors(const io::WeightIndex& weights) {
  for (const io::TensorInfo& tensor : weights.tensors()) {
    fmt::print("{:<48} {:<7} {:<20} {}\n", tensor.name, formats::info(tensor.format).name, io::shape_text(tensor.shape),
               human_bytes(static_cast<double>(tensor.length)));
  }
}

Json to_json(const io::ModelFiles& files, const models::Hparams& h, const Contents& contents) {
  Json formats = Json::object();
  for (const auto& [name, use] : contents.formats) {
    formats[name] = {{"tensors", use.tensors}, {"parameters", use.parameters}, {"bytes", use.bytes}};
  }
  return {{"name", files.name},
          {"architecture", h.arch},
          {"parameters", contents.parameters},
          {"weight_bytes", contents.bytes},
          {"layers", h.n_layers},
          {"d_model", h.d_model},
          {"heads", h.n_heads},
          {"kv_heads", h.n_kv_heads},
          {"head_dim", h.head_dim},
          {"vocab", h.vocab},
          {"context", h.context},
          {"formats", std::move(formats)}};
}

void print_summary(const io::ModelFiles& files, const models::Hparams& h, const Contents& contents) {
  const auto row = [](std::string_view key, const std::string& value) {
    fmt::print("{} {}\n", styled(fmt::format("{:<14}", key), Style::kBold), value);
  };
  row("model", files.name);
  row("architecture", h.arch);
  row("parameters", human_count(static_cast<double>(contents.parameters)));
  row("weights", human_bytes(static_cast<double>(contents.bytes)));
  for (const auto& [name, use] : contents.formats) {
    row("", fmt::format("{:<7} {:>5} tensors, {:>8} parameters, {}", name, use.tensors,
                        human_count(static_cast<double>(use.parameters)), human_bytes(static_cast<double>(use.bytes))));
  }
  row("shape", fmt::format("{} layers, width {}, {} heads of {}, {} KV heads, vocabulary {}", h.n_layers, h.d_model,
                           h.n_heads, h.head_dim, h.n_kv_heads, h.vocab));
  row("context", fmt::format("{} positions", h.context));
  fmt::print("{}\n", styled("memory for a context of", Style::kBold));
  for (uint32_t context = 1024; context / 4 < h.context && context <= (1u << 20); context *= 4) {
    const uint32_t n = std::min(context, h.context);
    const auto kv = [&](graph::KvFormat format) {
      return human_bytes(static_cast<double>(engine::kv_cache_bytes(h, format, n)));
    };
    row("", fmt::format("{:>7}: weights + KV cache of {} (f16), {} (q8_0)", n, kv(graph::KvFormat::kF16),
                        h.head_dim % 32 == 0 ? kv(graph::KvFormat::kQ8_0) : "-"));
  }
}

Result<void> info(const InfoOptions& options) {
  const io::ModelFiles files = TRY(io::open_model(options.path));
  if (options.metadata) {
    for (const io::Metadata::Entry& entry : files.metadata.entries()) {
      fmt::print("{:<44} {:<16} {}\n", entry.key, io::type_name(entry.value), io::describe(entry.value));
    }
    return {};
  }
  if (options.tensors) {
    print_tensors(files.weights);
    return {};
  }
  models::ModelGraph model = TRY(models::build_graph(files));
  if (options.dump_graph || options.dump_plan) {
    const auto backend = TRY(backends::make_backend(options.device, {}));
    if (options.dump_plan) {
      fmt::print("{}", graph::dump(TRY(backend->lower(std::move(model.graph), {}))));
      return {};
    }
    TRY(graph::run_passes(model.graph, backend->target()));
    fmt::print("{}", graph::dump(model.graph));
    return {};
  }
  const Contents contents = count(files.weights);
  if (options.json) {
    std::cout << to_json(files, model.hparams, contents).dump(2) << std::endl;
  } else {
    print_summary(files, model.hparams, contents);
  }
  return {};
}

}  // namespace

void add_info(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<InfoOptions>();
  CLI::App* command = app.add_subcommand("info", "What is in a model file and what memory it needs");
  command->add_option("MODEL", options->path, "A .gguf file, or a Hugging Face folder")->required();
  command->add_flag("--tensors", options->tensors, "List every tensor");
  command->add_flag("--metadata", options->metadata, "List every metadata key of a GGUF");
  command->add_flag("--dump-graph", options->dump_graph, "The graph after the passes of --device");
  command->add_flag("--dump-plan", options->dump_plan, "The plan for --device: memory, then steps");
  command->add_option("--device", options->device, "cpu, or ref (no fusion, no reuse of memory)")
      ->check(CLI::IsMember({"cpu", "ref"}))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &exit_code] {
    if (auto result = info(*options); !result) exit_code = report(result.error());
  });
}

}  // namespace tern::cli
