// tern tokenize: text on stdin to ids, or with --decode ids to text.

#include <iostream>

#include "apps/cli/common.h"
#include "engine/model.h"

namespace tern::cli {
namespace {

struct TokenizeOptions {
  std::string path;
  bool special = false;
  bool bos = false;
  bool decode = false;
  bool pieces = false;
};

Result<void> tokenize(const TokenizeOptions& options) {
  const engine::ModelText text = TRY(engine::load_text(options.path));
  if (!text.tokenizer) return no_text(options.path, "tokenizer", text.text_problem);
  const std::string input = TRY(read_text("-"));
  if (options.decode) {
    for (const int32_t id : TRY(parse_token_list(input))) {
      if (id >= text.tokenizer->vocab_size()) {
        return fail(ErrorCode::kInvalidArgument, "Token id {} is beyond the vocabulary of {}.", id,
                    text.tokenizer->vocab_size());
      }
      const bool name = options.special && text.tokenizer->is_control(id);
      std::cout << (name ? text.tokenizer->name_of(id) : text.tokenizer->bytes_of(id));
    }
    std::cout << std::flush;
    return {};
  }
  const auto ids = TRY(text.tokenizer->encode(input, {.bos = options.bos, .special = options.special}));
  if (options.pieces) {
    for (const int32_t id : ids) fmt::print("{}\t{}\n", id, Json(text.tokenizer->name_of(id)).dump());
  } else {
    fmt::print("{}\n", fmt::join(ids, ","));
  }
  return {};
}

}  // namespace

void add_tokenize(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App* command = app.add_subcommand("tokenize", "Text on standard input to token ids, and back");
  command->add_option("MODEL", options->path, "A .gguf file, or a Hugging Face folder")->required();
  command->add_flag("--special", options->special, "Read the text of control tokens (<|eot_id|>) as those tokens");
  command->add_flag("--bos", options->bos, "Put the begin-of-text token in front");
  command->add_flag("--decode", options->decode, "Read ids, print text");
  command->add_flag("--pieces", options->pieces, "One line per token: id and piece");
  command->footer(
      "Examples:\n"
      "  echo -n 'Hello there' | tern tokenize model.gguf            15339,1070\n"
      "  echo -n 'Hello there' | tern tokenize model.gguf --pieces   a line for each token\n"
      "  echo 15339,1070 | tern tokenize model.gguf --decode         Hello there");
  command->callback([options, &exit_code] {
    if (auto result = tokenize(*options); !result) exit_code = report(result.error());
  });
}

}  // namespace tern::cli
