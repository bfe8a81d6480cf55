#include "apps/cli/usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <string_view>
#include <vector>

namespace tern::cli {
namespace {

// Levenshtein distance: insertions, deletions and replacements from a to b.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
    }
  }
  return row.back();
}

// The known word that is nearest, if it is near enough to have been meant: "; did you mean X?", else nothing.
std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  size_t best = std::max<size_t>(2, word.size() / 3) + 1;
  std::string_view found;
  for (const std::string& candidate : known) {
    const size_t d = candidate.starts_with(word) && word.size() > 2 ? 1 : distance(word, candidate);
    if (d < best) best = d, found = candidate;
  }
  return found.empty() ? "." : fmt::format("; did you mean {}?", found);
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

// `rest`: the words that `command` could not place.
std::string unplaced(const CLI::App& command, const std::string& name, const std::vector<std::string>& rest) {
  const auto dashed = std::ranges::find_if(rest, [](const std::string& w) { return w.size() > 1 && w[0] == '-'; });
  if (dashed == rest.end()) {
    return fmt::format("\"{}\" is one word too many for {}.", rest.front(), name);
  }
  const std::string word = dashed->substr(0, dashed->find('='));
  return fmt::format("{} has no option {}{}", name, word, suggestion(word, option_names(command)));
}

std::string one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  while (text.ends_with(' ') || text.ends_with('.')) text.pop_back();
  return text + ".";
}

// "-n,--max-tokens N    Tokens to generate at most [0]": what the option takes in one letter or word, its default in
// brackets. CLI11's own spells out types and checks, which our descriptions say better.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() {
    column_width(32);
    label("SUBCOMMAND", "COMMAND");
  }

  std::string make_option_opts(const CLI::Option* option) const override {
    if (option->get_type_size() == 0 || option->get_positional()) return "";
    const std::string type = option->get_type_name();
    const std::string_view name = std::string_view(type).substr(0, type.find(':'));
    if (name == "UINT" || name == "INT") return " N";
    return name == "FLOAT" ? " X" : " " + std::string(name);
  }

  std::string make_option_desc(const CLI::Option* option) const override {
    std::string value = option->get_default_str();
    if (!value.empty() && !value.starts_with('[')) value = "[" + value + "]";  // a list has its own
    return option->get_description() + (value.empty() ? "" : " " + value);
  }

  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    std::string help = CLI::Formatter::make_help(app, std::move(name), mode);
    while (help.ends_with('\n')) help.pop_back();
    for (size_t at; (at = help.find("\n\n\n")) != help.npos;) help.erase(at, 1);
    return help + "\n";
  }
};

// CLI11's words for a value that is missing or of the wrong kind, in ours.
std::string value_problem(const CLI::ParseError& error) {
  const std::string what = error.what();
  if (const std::string_view start = "Could not convert: "; what.starts_with(start)) {
    const size_t equals = what.find(" = ");
    return fmt::format("{} cannot be \"{}\".", what.substr(start.size(), equals - start.size()),
                       equals == what.npos ? "" : what.substr(equals + 3));
  }
  if (what.find(" required ") != what.npos && what.ends_with(" missing")) {
    return fmt::format("{} needs a value.", what.substr(0, what.find(':')));
  }
  if (const size_t colon = what.find(": At Most 1 required"); colon != what.npos) {
    return fmt::format("{} is given more than once.", what.substr(0, colon));
  }
  return one_line(what);
}

}  // namespace

std::string usage_message(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<CLI::App*> called = app.get_subcommands();
  const CLI::App& command = called.empty() ? app : *called.front();
  const std::string name = called.empty() ? "tern" : "tern " + command.get_name();
  const std::vector<std::string> rest = command.remaining();
  std::string message = value_problem(error);
  if (called.empty() && !rest.empty() && !rest.front().starts_with('-')) {
    const std::vector<std::string> commands = command_names(app);
    message = fmt::format("There is no command {}{}", rest.front(), suggestion(rest.front(), commands));
  } else if (!rest.empty()) {
    message = unplaced(command, name, rest);
  }
  return fmt::format("{} ({} --help explains.)", message, name);
}

std::shared_ptr<CLI::Formatter> help_formatter() {
  return std::make_shared<HelpFormatter>();
}

}  // namespace tern::cli
