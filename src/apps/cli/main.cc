// tern: the command line. Each command is one file; this one only gathers them.

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <iostream>
#include <system_error>

#include "apps/cli/common.h"
#include "apps/cli/terminal.h"
#include "apps/cli/usage.h"
#include "io/map_faults.h"

namespace {

// Started without one of the three streams, a program's first file would take its place, and get what is printed.
void fill_missing_streams() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) open("/dev/null", O_RDONLY);  // still refuses what is printed
  }
}

int output_lost() {
  return tern::cli::report({tern::ErrorCode::kIo, "Standard output cannot be written. Is the disk full?", {}});
}

// What was printed last may still be on its way: a full disk must not look like success to a script.
int flushed(int exit_code) {
  if (exit_code != tern::cli::kOk) return exit_code;
  return std::cout.flush() && fflush(stdout) == 0 && !ferror(stdout) ? exit_code : output_lost();
}

}  // namespace

int main(int argc, char** argv) {
  using namespace tern::cli;
  fill_missing_streams();
  CLI::App app(
      "Tern runs language models of the Llama family on any CPU, and on GPUs.\n\n"
      "  tern chat model.gguf                 talk to a model\n"
      "  tern run model.gguf -p 'Once upon'   continue a text\n"
      "  tern info model.gguf                 what is in a file and what memory it needs\n"
      "  tern COMMAND --help                  everything a command can do\n");
  app.name("tern");
  app.require_subcommand(1);
  app.formatter(help_formatter());
  app.set_version_flag("--version", std::string("tern ") + TERN_VERSION);
  app.footer("Exit codes: 0 success, 1 the work failed or was stopped, 2 bad input or usage.");

  tern::io::exit_on_map_faults(kBadInput);
  int exit_code = kOk;
  add_chat(app, exit_code);
  add_run(app, exit_code);
  add_info(app, exit_code);
  add_tokenize(app, exit_code);
  add_embed(app, exit_code);
  add_logits(app, exit_code);
  add_perplexity(app, exit_code);
  add_bench(app, exit_code);
  add_convert(app, exit_code);
  add_synth(app, exit_code);
  add_tune(app, exit_code);

  for (CLI::App* command : app.get_subcommands({})) command->group("Commands");
  if (argc == 1) {
    fputs(app.help().c_str(), stderr);
    return kBadInput;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return flushed(app.exit(error));  // --help, --version
    return report({tern::ErrorCode::kInvalidArgument, usage_message(app, error), {}});
  } catch (const std::system_error& error) {  // {fmt}'s when it cannot write; the thread library's
    return ferror(stdout) ? output_lost() : report({tern::ErrorCode::kInternal, error.what(), {}});
  }
  return flushed(exit_code);
}
