// tern chat: a conversation in the terminal, or one message per line from a pipe.

#include <iostream>

#include "apps/cli/common.h"
#include "apps/cli/generation.h"
#include "apps/cli/line_reader.h"
#include "apps/cli/terminal.h"
#include "engine/prompt.h"
#include "io/text.h"

namespace tern::cli {
namespace {

constexpr const char* kHelp =
    "  /help            this list\n"
    "  /system TEXT     set the system message and start over (no TEXT: remove it)\n"
    "  /reset           forget the conversation\n"
    "  /stats           tokens and memory so far\n"
    "  /exit            leave (or Ctrl-D)\n"
    "  \"\"\"              begin and end a message of several lines; a \\ at a line's end does the same for one line\n"
    "  Ctrl-C           stop the answer\n"
    "A message may begin with a space; so one that begins with a / is no command.\n";

struct ChatOptions {
  ModelOptions model;
  GenerationOptions generation;
  std::string system;
  bool echo = false;
};

class Chat {
 public:
  Chat(const ChatOptions& options, engine::Model& model) : options_(options), model_(model) { reset(options.system); }

  Result<void> loop() {
    while (true) {
      const std::optional<std::string> message = read_message();
      if (!message) return {};
      if (message->empty()) continue;
      if (message->front() == '/') {
        if (!command(*message)) return {};
        continue;
      }
      if (options_.echo && !stdin_is_terminal()) fmt::print("\n{} {}\n", styled(">", Style::kGreen), *message);
      TRY(answer(*message));
    }
  }

 private:
  void reset(const std::string& system) {
    messages_ = Json::array();
    if (!system.empty()) messages_.push_back({{"role", "system"}, {"content", system}});
    system_ = system;
  }

  // One message: a line, lines joined by a trailing backslash, or everything between two """. nullopt: the end.
  std::optional<std::string> read_message() {
    std::string message;
    bool quoted = false;
    while (true) {
      const LineReader::Line line = reader_.read(message.empty() && !quoted ? ">" : ".");
      if (line.end == LineReader::End::kEof) return message.empty() ? std::nullopt : std::optional(message);
      if (line.end == LineReader::End::kInterrupted) {
        fmt::print("{}\n", styled("(Ctrl-D or /exit leaves)", Style::kDim));
        return "";
      }
      std::string text = line.text;
      if (text.starts_with("\"\"\"") && !quoted) {
        quoted = true;
        text.erase(0, 3);
      }
      if (quoted && text.ends_with("\"\"\"")) {
        message += text.substr(0, text.size() - 3);
        break;
      }
      const bool continues = !quoted && text.ends_with('\\');
      if (continues) text.pop_back();
      message += text;
      if (!quoted && !continues) break;
      message += '\n';
    }
    reader_.remember(message);
    return message;
  }

  // False: leave.
  bool command(const std::string& line) {
    const size_t space = line.find(' ');
    const std::string name = line.substr(0, space);
    const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
    if (name == "/exit" || name == "/quit" || name == "/bye") return false;
    if (name == "/help") {
      fmt::print("{}", kHelp);
    } else if (name == "/reset") {
      reset(system_);
      fmt::print("{}\n", styled("(a new conversation)", Style::kDim));
    } else if (name == "/system") {
      reset(rest);
      fmt::print("{}\n", styled(rest.empty() ? "(no system message)" : "(system message set)", Style::kDim));
    } else if (name == "/stats") {
      const engine::EngineStats stats = model_.engine->stats();
      fmt::print(
          "{} prompt tokens computed, {} taken from the cache, {} generated; {} of {} KV pages free; {} of memory\n",
          stats.prompt_tokens, stats.shared_tokens, stats.generated_tokens, stats.pages_free, stats.pages_total,
          human_bytes(static_cast<double>(peak_rss_bytes())));
    } else {
      fmt::print("There is no command {}; /help lists them.\n", io::printable(name));
    }
    return true;
  }

  Result<Generated> ask() {
    auto prompt = TRY(engine::encode_chat(model_, messages_));
    engine::Request request = TRY(make_request(std::move(prompt), options_.generation));
    Generated out = TRY(generate(*model_.engine, std::move(request),
                                 [](const std::string& piece) { std::cout << piece << std::flush; }));
    TRY(model_.files.weights.check_unchanged());
    return out;
  }

  Result<void> answer(const std::string& message) {
    messages_.push_back({{"role", "user"}, {"content", message}});
    const auto generated = ask();
    if (!generated) {
      // What the template refuses (a system message, for some) or the context does not hold is the user's to change,
      // not the program's to end at.
      messages_.erase(messages_.size() - 1);
      const ErrorCode code = generated.error().code;
      if (code != ErrorCode::kInvalidArgument && code != ErrorCode::kInvalidFile) {
        return std::unexpected(generated.error());
      }
      report(generated.error());
      fmt::print("{}\n", styled("(not sent; /reset and /system start over)", Style::kDim));
      return {};
    }
    messages_.push_back({{"role", "assistant"}, {"content", generated->text}});
    print_note(*generated);
    return {};
  }

  void print_note(const Generated& generated) {
    std::string note = fmt::format("[{} tokens, {:.1f} tok/s, first after {:.0f} ms", generated.tokens.size(),
                                   generated.decode_tok_s(), generated.prefill_s * 1e3);
    if (generated.reason == engine::StopReason::kCancelled) note += ", stopped";
    if (generated.reason == engine::StopReason::kContext) note += ", the context is full: /reset starts over";
    // Scripts that read the answers get nothing but them.
    const bool for_people = stdout_is_terminal() || options_.echo;
    fmt::print("\n{}", for_people ? styled(note + "]", Style::kDim) + "\n" : "");
    fflush(stdout);
    if (!for_people) fmt::print(stderr, "{}\n", styled(note + "]", Style::kDim, 2));
  }

  const ChatOptions& options_;
  engine::Model& model_;
  LineReader reader_;
  Json messages_;
  std::string system_;
};

Result<void> chat(const ChatOptions& options) {
  const OpenedModel opened = TRY(open_model(options.model, {.max_seqs = 1}));
  engine::Model& model = *opened.model;
  if (!model.tokenizer) return no_text(options.model.path, "tokenizer", model.text_problem);
  if (!model.chat_template) return no_text(options.model.path, "chat template", model.text_problem);
  catch_interrupts();
  if (stdout_is_terminal()) {
    fmt::print("{}\n", styled(fmt::format("{} on {}, ready in {:.2f} s. /help lists the commands.", model.hparams.arch,
                                          model.backend->target().device, opened.load_s),
                              Style::kDim));
  }
  return Chat(options, model).loop();
}

}  // namespace

void add_chat(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ChatOptions>();
  CLI::App* command = app.add_subcommand("chat", "Talk to a model in the terminal");
  add_model_options(*command, options->model);
  add_trace_option(*command, options->model);
  command->add_option("--system", options->system, "System message");
  command->add_flag("--echo", options->echo, "Print messages that come from a pipe before their answers");
  add_generation_options(*command, options->generation);
  command->footer(
      "Examples:\n"
      "  tern chat model.gguf\n"
      "  tern chat path/to/huggingface-folder --system 'You answer in one sentence.'\n"
      "  printf 'What is Tern?\\nAnd what is a plan?\\n' | tern chat model.gguf    one message per line\n\n"
      "In the conversation:\n" +
      std::string(kHelp));
  command->callback([options, &exit_code] {
    if (auto result = chat(*options); !result) exit_code = report(result.error());
  });
}

}  // namespace tern::cli
