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
  bool devices = false;
};

struct FormatUse {
  uint64_t tensors = 0, parameters = 0, bytes = 0;
};

struct Contents {
  std::map<std::string, FormatUse> formats;
  uint64_t parameters = 0, bytes = 0;
};

// The memory of a context: the KV cache in both formats people choose between, and everything with the larger one.
struct MemoryRow {
  uint32_t context;
  uint64_t kv_f16, kv_q8_0, total;  // bytes; kv_q8_0 is 0 where the model's heads do not allow it
};

struct Info {
  io::ModelFiles files;
  models::Hparams hparams;
  engine::ModelText text;
  Contents contents;
  std::vector<MemoryRow> memory;
};

// Bytes of a tensor in the file. Assembled ones (AWQ, int8) lie there in parts of the same size as their rows.
uint64_t bytes_of(const io::TensorInfo& tensor) {
  return tensor.length > 0 ? tensor.length
                           : tensor.rows() * formats::row_bytes(tensor.format, tensor.cols()).value_or(0);
}

Contents count(const io::WeightIndex& weights) {
  Contents contents;
  for (const io::TensorInfo& tensor : weights.tensors()) {
    FormatUse& use = contents.formats[std::string(formats::info(tensor.format).name)];
    const uint64_t parameters = tensor.rows() * tensor.cols(), bytes = bytes_of(tensor);
    use.tensors += 1;
    use.parameters += parameters;
    use.bytes += bytes;
    contents.parameters += parameters;
    contents.bytes += bytes;
  }
  return contents;
}

// Powers of four from 1024, then the model's own context.
Result<std::vector<MemoryRow>> memory_rows(const models::Hparams& h, const graph::Plan& plan,
                                           const backends::Backend& backend) {
  std::vector<MemoryRow> rows;
  for (uint32_t context = 1024;; context *= 4) {
    const uint32_t n = std::min(context, h.context);
    const uint64_t f16 = engine::kv_cache_bytes(h, graph::KvFormat::kF16, n);
    const uint64_t q8_0 = h.head_dim % 32 == 0 ? engine::kv_cache_bytes(h, graph::KvFormat::kQ8_0, n) : 0;
    rows.push_back({n, f16, q8_0, engine::estimate_memory(plan, backend, n, h.vocab).total()});
    if (n == h.context || context > (1u << 28)) return rows;
  }
}

std::string bytes_text(uint64_t bytes) {
  return human_bytes(static_cast<double>(bytes));
}

Json to_json(const Info& info) {
  const models::Hparams& h = info.hparams;
  Json formats = Json::object(), memory = Json::array();
  for (const auto& [name, use] : info.contents.formats) {
    formats[name] = {{"tensors", use.tensors}, {"parameters", use.parameters}, {"bytes", use.bytes}};
  }
  for (const MemoryRow& row : info.memory) {
    memory.push_back({{"context", row.context},
                      {"kv_f16_bytes", row.kv_f16},
                      {"kv_q8_0_bytes", row.kv_q8_0 ? Json(row.kv_q8_0) : Json(nullptr)},
                      {"total_bytes", row.total}});
  }
  return {{"name", info.files.name},
          {"architecture", h.arch},
          {"parameters", info.contents.parameters},
          {"weight_bytes", info.contents.bytes},
          {"layers", h.n_layers},
          {"d_model", h.d_model},
          {"d_ff", h.d_ff},
          {"heads", h.n_heads},
          {"kv_heads", h.n_kv_heads},
          {"head_dim", h.head_dim},
          {"experts", h.experts.n},
          {"experts_per_token", h.experts.k},
          {"vocab", h.vocab},
          {"context", h.context},
          {"tokenizer", info.text.tokenizer != nullptr},
          {"chat_template", info.text.chat_template.has_value()},
          {"end_tokens", info.text.end_tokens},
          {"formats", std::move(formats)},
          {"memory", std::move(memory)}};
}

void print_row(std::string_view key, const std::string& value) {
  fmt::print("{} {}\n", styled(fmt::format("{:<13}", key), Style::kBold), value);
}

std::string windows_text(const std::vector<uint32_t>& windows) {
  const uint32_t window = std::ranges::max(windows);
  const auto n = std::ranges::count_if(windows, [](uint32_t w) { return w != 0; });
  return fmt::format("{} of {} layers see the last {} positions only", n, windows.size(), window);
}

std::string text_summary(const engine::ModelText& text) {
  if (!text.tokenizer)
    return text.text_problem.empty() ? "none; token ids only" : io::printable(text.text_problem, 1000);
  std::vector<std::string> ends;
  for (const int32_t id : text.end_tokens) ends.push_back(io::printable(text.tokenizer->name_of(id)));
  return fmt::format("{} tokens{}, answers end at {}", text.tokenizer->vocab_size(),
                     text.chat_template ? ", with a chat template" : ", no chat template",
                     ends.empty() ? "no token" : fmt::format("{}", fmt::join(ends, " ")));
}

void print_memory(const std::vector<MemoryRow>& rows) {
  fmt::print("\n{}\n", styled(fmt::format("{:<13} {:>10} {:>12} {:>12} {:>12}", "memory", "context", "KV f16",
                                          "KV q8_0", "in all, f16"),
                              Style::kBold));
  for (const MemoryRow& row : rows) {
    fmt::print("{:<13} {:>10} {:>12} {:>12} {:>12}\n", "", row.context, bytes_text(row.kv_f16),
               row.kv_q8_0 ? bytes_text(row.kv_q8_0) : "-", bytes_text(row.total));
  }
}

void print_summary(const Info& info) {
  const models::Hparams& h = info.hparams;
  const Contents& contents = info.contents;
  print_row("model", io::printable(info.files.name));
  print_row("architecture", h.arch);
  print_row("parameters", human_count(static_cast<double>(contents.parameters)));
  print_row("weights", fmt::format("{}, {:.2f} bits each", bytes_text(contents.bytes),
                                   8.0 * static_cast<double>(contents.bytes) /
                                       static_cast<double>(std::max<uint64_t>(1, contents.parameters))));
  for (const auto& [name, use] : contents.formats) {
    print_row("", fmt::format("{:<7} {:>5} tensors {:>9} parameters {:>10}", name, use.tensors,
                              human_count(static_cast<double>(use.parameters)), bytes_text(use.bytes)));
  }
  print_row("layers", fmt::format("{} of width {}, feed-forward {}", h.n_layers, h.d_model, h.d_ff));
  print_row("attention", fmt::format("{} heads of {}, {} of keys and values", h.n_heads, h.head_dim, h.n_kv_heads));
  if (std::ranges::max(h.windows) > 0) print_row("", windows_text(h.windows));
  if (h.experts.n > 0) {
    print_row("experts", fmt::format("{} of width {}, {} per token", h.experts.n, h.experts.d_ff, h.experts.k));
  }
  print_row("vocabulary", fmt::format("{}{}", h.vocab, h.tied_embeddings ? ", embedding and head are one matrix" : ""));
  print_row("context", fmt::format("{} positions", h.context));
  print_row("tokenizer", text_summary(info.text));
  print_memory(info.memory);
}

Result<void> print_tensors(const io::WeightIndex& weights) {
  for (const io::TensorInfo& tensor : weights.tensors()) {
    fmt::print("{:<48} {:<7} {:<20} {:>10}\n", io::printable(tensor.name), formats::info(tensor.format).name,
               io::shape_text(tensor.shape), bytes_text(bytes_of(tensor)));
  }
  return {};
}

Result<void> print_metadata(const io::ModelFiles& files) {
  if (files.kind == io::ModelFiles::Kind::kHuggingFace) {
    fmt::print("{}\n", files.config.dump(2, ' ', true, Json::error_handler_t::replace));
  }
  for (const io::Metadata::Entry& entry : files.metadata.entries()) {
    fmt::print("{:<44} {:<16} {}\n", io::printable(entry.key), io::type_name(entry.value), io::describe(entry.value));
  }
  return {};
}

Result<void> print_devices() {
  const std::vector<backends::GpuDescription> gpus = TRY(backends::list_gpus());
  if (gpus.empty()) fmt::print("There is no GPU.\n");
  for (size_t i = 0; i < gpus.size(); ++i) {
    const backends::GpuDescription& gpu = gpus[i];
    const graph::GpuFacts& facts = gpu.target.gpu;
    fmt::print("{}\n  kind        {}\n  features   {}{}{}\n", gpu.target.device, gpu.kind, facts.f16 ? " f16" : "",
               facts.subgroups ? " subgroups" : "", facts.packed_dot ? " packed-dot" : "");
    fmt::print("  binding     {:.0f} MiB; buffer {:.0f} MiB\n", static_cast<double>(facts.max_binding_bytes) / 0x1p20,
               static_cast<double>(facts.max_buffer_bytes) / 0x1p20);
    fmt::print("  workgroup   {} invocations, {} KiB; {} storage buffers\n", facts.max_invocations,
               facts.max_workgroup_bytes / 1024, facts.max_storage_buffers);
    if (const auto roofs = backends::measure_gpu(i)) {
      fmt::print("  measured    read {:.1f} GB/s, f32 {:.0f} GFLOP/s, int8 {:.0f} GOP/s\n", roofs->read_gb_s,
                 roofs->peak_gflop_s, roofs->peak_int8_gop_s);
    } else {
      fmt::print("  measured    nothing: {}\n", roofs.error().to_string());
    }
    if (facts.software) fmt::print("  --device auto does not choose it: it computes on the CPU\n");
  }
  return {};
}

Result<void> info(const InfoOptions& options) {
  Info info{.files = TRY(io::open_model(options.path))};
  if (options.metadata) return print_metadata(info.files);
  if (options.tensors) return print_tensors(info.files.weights);
  models::ModelGraph model = TRY_CTX(models::build_graph(info.files), "while loading {}", options.path);
  const auto backend = TRY(backends::make_backend(options.device, {}));
  if (options.dump_graph) {
    if (backend->target().fuse) TRY(graph::run_passes(model.graph, backend->target()));
    fmt::print("{}", graph::dump(model.graph));
    return {};
  }
  const graph::Plan plan = TRY(backend->lower(std::move(model.graph), engine::plan_key({})));
  if (options.dump_plan) {
    fmt::print("{}", graph::dump(plan));
    return {};
  }
  info.hparams = std::move(model.hparams);
  info.text = TRY_CTX(engine::read_text(info.files), "while loading {}", options.path);
  info.contents = count(info.files.weights);
  info.memory = TRY(memory_rows(info.hparams, plan, *backend));
  if (options.json) {
    std::cout << to_json(info).dump(2, ' ', false, Json::error_handler_t::replace) << std::endl;
  } else {
    print_summary(info);
  }
  return {};
}

}  // namespace

void add_info(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<InfoOptions>();
  CLI::App* command = app.add_subcommand("info", "What is in a model file and what memory it needs");
  auto* model = command->add_option("MODEL", options->path, "A .gguf file, or a Hugging Face folder");
  command->add_flag("--devices", options->devices, "List the GPUs and what they can do; needs no MODEL");
  command->add_flag("--tensors", options->tensors, "List every tensor");
  command->add_flag("--metadata", options->metadata, "List every metadata key of a GGUF, or show config.json");
  command->add_flag("--dump-graph", options->dump_graph, "The graph after the passes of --device");
  command->add_flag("--dump-plan", options->dump_plan, "The plan for --device: memory, then steps");
  command->add_option("--device", options->device, "cpu, gpu, or ref (no fusion, no reuse of memory)")
      ->check(CLI::IsMember({"cpu", "gpu", "ref"}))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print one JSON object");
  command->footer(
      "Examples:\n"
      "  tern info model.gguf\n"
      "  tern info model.gguf --tensors | sort -k4 -h\n"
      "  tern info path/to/huggingface-folder --dump-graph\n\n"
      "\"in all\" is weights, an f16 KV cache of that many positions, and the activations of a step of 512 tokens.");
  command->callback([options, model, &exit_code] {
    if (!options->devices && model->count() == 0) throw CLI::RequiredError("MODEL");
    if (auto result = options->devices ? print_devices() : info(*options); !result) exit_code = report(result.error());
  });
}

}  // namespace tern::cli
