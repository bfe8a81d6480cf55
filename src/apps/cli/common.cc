#include "apps/cli/common.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>

#include "apps/cli/terminal.h"
#include "apps/cli/tuning_file.h"
#include "io/container.h"
#include "io/file.h"
#include "io/text.h"

namespace tern::cli {
namespace {

Result<graph::KvFormat> parse_kv_format(const std::string& name) {
  if (name == "f32") return graph::KvFormat::kF32;
  if (name == "f16") return graph::KvFormat::kF16;
  if (name == "q8_0") return graph::KvFormat::kQ8_0;
  return fail(ErrorCode::kInvalidArgument, "--kv is \"{}\", allowed are f32, f16 and q8_0.", name);
}

/// "1500000000", "2G", "512MiB" -> bytes; units are powers of 1024. "none" and "" -> 0.
Result<uint64_t> parse_bytes(const std::string& text) {
  if (text.empty() || text == "none") return 0;
  uint64_t bytes = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, bytes);
  std::string unit(rest, end);
  if (unit.ends_with("iB")) unit.resize(unit.size() - 2);
  if (unit.ends_with("B")) unit.pop_back();
  constexpr std::string_view kUnits = "KMGT";
  const size_t power = unit.empty() ? 0 : kUnits.find(unit) + 1;  // npos + 1 is 0
  const bool known = unit.empty() || (power > 0 && unit.size() == 1);
  if (error != std::errc() || !known || bytes == 0 || bytes > (UINT64_MAX >> (10 * power))) {
    return fail(ErrorCode::kInvalidArgument,
                "--memory-limit is \"{}\", expected bytes such as 1500000000, 512M, 2G, or none.", text);
  }
  return bytes << (10 * power);
}

/// --memory-limit and the container's limit, whichever is less; "none" lifts both.
Result<void> set_memory_limit(const std::string& text, engine::EngineOptions& engine) {
  engine.memory_limit = TRY(parse_bytes(text));
  engine.memory_limit_name = "--memory-limit";
  const auto container = text == "none" ? std::nullopt : io::container_memory_limit();
  if (!container || (engine.memory_limit != 0 && engine.memory_limit <= *container)) return {};
  engine.memory_limit = *container;
  engine.memory_limit_name = "the limit of the container (its control group; --memory-limit none tries anyway)";
  return {};
}

}  // namespace

int report(const Error& error) {
  const bool input = error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kInvalidFile ||
                     error.code == ErrorCode::kUnsupported || error.code == ErrorCode::kNotFound ||
                     error.code == ErrorCode::kOutOfMemory;
  // What files say of themselves is in the message; a compiler's words about a shader may have several lines.
  const std::string text = input ? io::printable(error.to_string(), SIZE_MAX) : error.to_string();
  fflush(stdout);
  fputs(fmt::format("{} {}\n", styled("tern:", Style::kRed, 2), text).c_str(), stderr);  // fmt::print may throw
  return input ? kBadInput : kFailed;
}

void add_model_options(CLI::App& command, ModelOptions& options) {
  const char* group = "Model";
  command.add_option("MODEL", options.path, "A .gguf file, or a Hugging Face folder (config.json, *.safetensors)")
      ->required();
  command
      .add_option(
          "--device", options.device,
          "auto (a GPU that is one, else the CPU), gpu (a software one too), cpu, or ref (the slow, exact reference)")
      ->check(CLI::IsMember({"auto", "gpu", "cpu", "ref"}))
      ->capture_default_str()
      ->group(group);
  command.add_option("-t,--threads", options.threads, "Worker threads; 0: one per available core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--isa", options.isa,
                  "Use the kernels of one instruction set: scalar; avx2, avx512; neon, dotprod, i8mm")
      ->group(group);
  command
      .add_option("--activations", options.activations,
                  "auto: int8 (bf16 with f16 and bf16 weights) in products; f32: slower, only the weights are rounded")
      ->check(CLI::IsMember({"auto", "f32"}))
      ->capture_default_str()
      ->group(group);
  command.add_option("-c,--context", options.context, "Positions of context; 0: the model's own, at most 4096")
      ->capture_default_str()
      ->group(group);
  command.add_option("--kv", options.kv_format, "Format of the KV cache: f32, f16 or q8_0")
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--weight-cache", options.weight_cache,
                  "Keep weights as the kernels want them in this folder, for a faster next start; auto: the user's "
                  "cache folder")
      ->group(group);
  command
      .add_option("--memory-limit", options.memory_limit,
                  "Refuse to load a model that needs more: bytes, 512M, 2G; none: not even the container's limit")
      ->group(group);
  command
      .add_option(
          "--tuning", options.tuning,
          "Shapes of a GPU's kernels, as tern tune measured them: a file; auto: that of the user's cache folder; "
          "none")
      ->capture_default_str()
      ->group(group);
  command.add_option("--chunk", options.chunk, "Tokens of a prompt computed in one step")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str()
      ->group(group);
}

CLI::Validator is_seed() {
  const auto check = [](std::string& text) -> std::string {
    uint64_t seed = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, seed);
    if (error == std::errc() && rest == end) return {};
    return fmt::format("\"{}\" is no number from 0 to {}", text, UINT64_MAX);
  };
  return {check, "", "seed"};
}

void add_trace_option(CLI::App& command, ModelOptions& options) {
  command
      .add_option("--trace", options.trace,
                  "Write what every thread and every kernel of a GPU does when to a file for ui.perfetto.dev")
      ->type_name("FILE");
}

Result<std::unique_ptr<TraceFile>> TraceFile::create(const std::string& path) {
  auto file = std::make_unique<TraceFile>();
  if (!path.empty() && !std::ofstream(path)) {
    return fail(ErrorCode::kNotFound, "The trace {} cannot be written: {}.", path, strerror(errno));
  }
  file->path_ = path;
  return file;
}

TraceFile::~TraceFile() {
  if (path_.empty()) return;
  std::ofstream out(path_, std::ios::binary);
  out << trace.to_json();
  out.close();
  if (!out) fmt::print(stderr, "The trace {} could not be written: {}.\n", path_, strerror(errno));
}

namespace {

using MakeBackend = std::function<Result<std::unique_ptr<backends::Backend>>(std::string_view)>;

/// What --device auto chose, where somebody is reading.
void say_device(std::string_view text) {
  if (!isatty(STDERR_FILENO)) return;
  fmt::print(stderr, "{}\n", styled("Running " + io::printable(text, SIZE_MAX), Style::kDim, 2));
}

Result<OpenedModel> load(const ModelOptions& options, const engine::EngineOptions& engine, const std::string& device,
                         const MakeBackend& make) {
  const double start = seconds_now();
  auto backend = TRY(make(device));
  ProgressBar bar("loading");
  OpenedModel opened;
  opened.model = TRY(engine::load_model(options.path, std::move(backend), engine,
                                        [&](uint64_t done, uint64_t total) { bar.update(done, total); },
                                        {[make, device] { return make(device); }, [make] { return make("cpu"); }}));
  opened.load_s = seconds_now() - start;
  return opened;
}

/// On the device that the options name, or the one that suits.
Result<OpenedModel> load(const ModelOptions& options, const engine::EngineOptions& engine, const MakeBackend& make) {
  if (options.device != "auto") return load(options, engine, options.device, make);

  // No GPU, no wgpu-native, or a model that does not fit the GPU: what else is wrong, the CPU's attempt says again.
  Result<OpenedModel> opened = load(options, engine, "gpu", make);
  if (opened) {
    say_device(fmt::format("on {}.", opened->model->backend->target().device));
    return opened;
  }
  const ErrorCode code = opened.error().code;
  if (code != ErrorCode::kNotFound && code != ErrorCode::kOutOfMemory && code != ErrorCode::kUnsupported) return opened;
  say_device(fmt::format("on the CPU. {}", opened.error().to_string()));
  return load(options, engine, "cpu", make);
}

}  // namespace

namespace {

/// A file that is named has to be sound; one that lies where it is kept is not worth failing for.
Result<Tunings> load_tunings(const std::string& option) {
  if (option == "none") return Tunings{};
  if (option != "auto") return read_tunings(option);
  Result<Tunings> tunings = read_tunings(default_tuning_path());
  if (tunings) return tunings;
  fmt::print(stderr, "{} going on without tuning: {}\n", styled("tern:", Style::kDim, 2), tunings.error().to_string());
  return Tunings{};
}

}  // namespace

Result<OpenedModel> open_model(const ModelOptions& options, engine::EngineOptions engine, bool record) {
  engine.context = options.context;
  engine.kv_format = TRY(parse_kv_format(options.kv_format));
  engine.max_tokens = std::max(options.chunk, engine.max_seqs);
  TRY(set_memory_limit(options.memory_limit, engine));
  engine.weight_cache = options.weight_cache == "auto" ? user_cache() : options.weight_cache;
  std::unique_ptr<TraceFile> trace;
  if (record || !options.trace.empty()) trace = TRY(TraceFile::create(options.trace));
  engine.trace = trace ? &trace->trace : nullptr;
  const auto tunings = std::make_shared<const Tunings>(TRY(load_tunings(options.tuning)));
  const auto make = [options, lanes = engine.trace, tunings](std::string_view name) {
    const bool f32 = options.activations == "f32";
    return backends::make_backend(
        name, {.threads = options.threads,
               .isa = options.isa,
               .activations = f32 ? backends::ActivationFormat::kF32 : backends::ActivationFormat::kAuto,
               .expose_values = options.expose_values,
               .trace = lanes,
               .gpu_hardware_only = options.device == "auto",
               .gpu_tunings = tunings.get()});
  };
  OpenedModel opened = TRY(load(options, engine, make));
  opened.trace = std::move(trace);
  if (!opened.model->weight_cache.problem.empty()) {
    fmt::print(stderr, "{} going on without a weight cache: {}\n", styled("tern:", Style::kDim, 2),
               opened.model->weight_cache.problem);
  }
  return opened;
}

Result<std::vector<int32_t>> parse_tokens(const std::string& text) {
  const bool file = text.starts_with('@');
  const std::string list = file ? TRY(read_text(text.substr(1))) : text;
  std::vector<int32_t> tokens = TRY_CTX(parse_token_list(list), "while reading {}", file ? text.substr(1) : "--tokens");
  if (tokens.empty()) return fail(ErrorCode::kInvalidArgument, "--tokens \"{}\" names no token ids.", text);
  return tokens;
}

Result<std::vector<int32_t>> parse_token_list(std::string_view list) {
  std::vector<int32_t> tokens;
  const char* at = list.data();
  const char* end = at + list.size();
  while (true) {
    while (at < end && (*at == ',' || std::isspace(static_cast<unsigned char>(*at)) || *at == '[' || *at == ']')) ++at;
    if (at == end) break;
    int32_t token = 0;
    const auto [next, error] = std::from_chars(at, end, token);
    if (error != std::errc() || token < 0) {
      return fail(ErrorCode::kInvalidArgument, "\"{}\" is not a list of token ids such as 1,2,3 or @file.",
                  io::printable({at, std::min<size_t>(static_cast<size_t>(end - at), 20)}));
    }
    tokens.push_back(token);
    at = next;
  }
  return tokens;
}

Result<std::string> read_text(const std::string& path) {
  if (path == "-") {
    std::string text(std::istreambuf_iterator<char>(std::cin), {});
    if (!ferror(stdin)) return text;
    return fail(ErrorCode::kNotFound, "Standard input cannot be read: {}.", strerror(errno));
  }
  if (io::is_directory(path)) return fail(ErrorCode::kNotFound, "{} is a folder, expected a file.", path);
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file.is_open() || file.bad()) {
    return fail(ErrorCode::kNotFound, "The file {} cannot be read: {}.", path, strerror(errno));
  }
  return text;
}

std::unexpected<Error> stopped(const std::string& file) {
  return fail(ErrorCode::kInternal, "Stopped; {} was not written.", file);
}

std::unexpected<Error> no_text(const std::string& path, std::string_view missing, const std::string& problem) {
  if (problem.empty()) return fail(ErrorCode::kUnsupported, "{} has no {}.", path, missing);
  return fail(ErrorCode::kUnsupported, "The {} of {} cannot be used: {}", missing, path, problem);
}

std::string user_cache() {
  const char* cache = getenv("XDG_CACHE_HOME");
  if (cache && cache[0] == '/') return io::join_path(cache, "tern");
  const char* home = getenv("HOME");
  return io::join_path(home ? home : ".", ".cache/tern");
}

uint64_t peak_rss_bytes() {
  // Linux's VmHWM starts anew with the program; ru_maxrss keeps the peak of the process that it was forked from.
  std::ifstream status("/proc/self/status");
  for (std::string key; status >> key;) {
    uint64_t kib = 0;
    if (key == "VmHWM:" && status >> kib) return kib * 1024;
  }
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace tern::cli
