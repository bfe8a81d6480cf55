// What the commands share: how a model is named on the command line and opened, errors and exit codes, token lists.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/trace.h"
#include "engine/engine.h"
#include "engine/model.h"

namespace tern::cli {

inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;    // the work itself failed, or was stopped
inline constexpr int kBadInput = 2;  // usage, a wrong file, a wrong argument

/// Prints "tern: <message> - while ..." to stderr and gives the exit code.
int report(const Error& error);

struct ModelOptions {
  std::string path;
  std::string device = "auto";
  uint32_t threads = 0;
  std::string isa;
  std::string activations = "auto";
  uint32_t context = 0;
  std::string kv_format = "f16";
  uint32_t chunk = 512;
  std::string memory_limit;
  std::string trace;  // file to write; empty: none
  std::string weight_cache;
  std::string tuning = "auto";
  bool expose_values = false;  // no option: for comparisons (graph::Target)
};

/// For --seed: CLI11 takes -1 for 2^64 - 1, and what is larger as well.
CLI::Validator is_seed();

/// Default of --chunk where a step gives logits for all of its tokens: 64 rows of a vocabulary of 128,256 take 33 MB.
inline constexpr uint32_t kLogitsChunk = 64;

/// MODEL, --device, --threads, --isa, --activations, --context, --kv, --chunk.
void add_model_options(CLI::App& command, ModelOptions& options);

/// --trace, for the commands that generate.
void add_trace_option(CLI::App& command, ModelOptions& options);

/// A trace that becomes a file when it goes away, so that what was recorded before an error is kept too.
class TraceFile {
 public:
  /// Creates the file, if a path is given. Errors: kNotFound when it cannot be written.
  static Result<std::unique_ptr<TraceFile>> create(const std::string& path);
  ~TraceFile();
  Trace trace;

 private:
  std::string path_;
};

struct OpenedModel {
  std::unique_ptr<TraceFile> trace;  // first: the model records into it to the end; null: nothing is recorded
  std::unique_ptr<engine::Model> model;
  double load_s = 0;
};
/// Opens a model with a progress bar. `engine` gives what the command itself wants (sequences, rows).
/// record: keep a trace although no file is asked for.
Result<OpenedModel> open_model(const ModelOptions& options, engine::EngineOptions engine, bool record = false);

/// What an option --tokens says: "1,2,3" or "@file". Errors: kInvalidArgument, also for no ids at all.
Result<std::vector<int32_t>> parse_tokens(const std::string& text);
/// Ids separated by commas or white space, perhaps in brackets. Errors: kInvalidArgument naming the piece.
Result<std::vector<int32_t>> parse_token_list(std::string_view list);

Result<std::string> read_text(const std::string& path);  // "-": stdin. Errors: kNotFound
/// Ctrl-C ended the command before `file` was written.
std::unexpected<Error> stopped(const std::string& file);
/// The model cannot do what text needs. problem: Model::text_problem.
std::unexpected<Error> no_text(const std::string& path, std::string_view missing, const std::string& problem);
/// Bytes the process held at most so far, mapped file pages included.
uint64_t peak_rss_bytes();
/// Where programs keep what they can make again (XDG Base Directory Specification).
std::string user_cache();
double seconds_now();  // monotonic

// One per command: registers it; when it is the one that was called, it runs and leaves its exit code in exit_code.
void add_chat(CLI::App& app, int& exit_code);
void add_run(CLI::App& app, int& exit_code);
void add_embed(CLI::App& app, int& exit_code);
void add_logits(CLI::App& app, int& exit_code);
void add_info(CLI::App& app, int& exit_code);
void add_tokenize(CLI::App& app, int& exit_code);
void add_convert(CLI::App& app, int& exit_code);
void add_synth(CLI::App& app, int& exit_code);
void add_bench(CLI::App& app, int& exit_code);
void add_perplexity(CLI::App& app, int& exit_code);
void add_tune(CLI::App& app, int& exit_code);

}  // namespace tern::cli
