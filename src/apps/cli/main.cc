// tern: the command line. Each command is one file; this one only gathers them.

#include <CLI/CLI.hpp>
#include <clocale>

#include "apps/cli/common.h"

int main(int argc, char** argv) {
  CLI::App app(
      "Tern runs Llama-family language models on any CPU.\n\n"
      "  tern chat model.gguf                 talk to a model\n"
      "  tern run model.gguf -p 'Once upon'   continue a text\n"
      "  tern info model.gguf                 what is in a file and what memory it needs\n"
      "  tern COMMAND --help                  everything a command can do\n");
  app.name("tern");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("tern ") + TERN_VERSION);
  app.footer("Exit codes: 0 success, 1 the work failed, 2 bad input or usage.");

  int exit_code = tern::cli::kOk;
  tern::cli::add_chat(app, exit_code);
  tern::cli::add_run(app, exit_code);
  tern::cli::add_info(app, exit_code);
  tern::cli::add_tokenize(app, exit_code);
  tern::cli::add_logits(app, exit_code);
  tern::cli::add_perplexity(app, exit_code);
  tern::cli::add_bench(app, exit_code);
  tern::cli::add_convert(app, exit_code);
  tern::cli::add_synth(app, exit_code);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? tern::cli::kOk : tern::cli::kBadInput;
  }
  return exit_code;
}
