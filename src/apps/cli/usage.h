// What a person is told who called tern in a way it does not know: one line with the likely meaning.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace tern::cli {

/// "There is no option --gredy of tern run; did you mean --greedy?" app: after its parse() threw `error`.
std::string usage_message(const CLI::App& app, const CLI::ParseError& error);

/// How the commands' --help looks.
std::shared_ptr<CLI::Formatter> help_formatter();

}  // namespace tern::cli
