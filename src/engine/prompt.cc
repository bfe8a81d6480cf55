#include "engine/prompt.h"

#include "text/guard.h"

namespace tern::engine {
namespace {

/// Why the one that the files have cannot be used, in brackets; else nothing.
std::string problem(const Model& model) {
  return model.text_problem.empty() ? "" : fmt::format(" that Tern can use ({})", model.text_problem);
}

Result<std::vector<int32_t>> encode(const Model& model, std::string_view text, const text::EncodeOptions& options) {
  if (!model.tokenizer) {
    return fail(ErrorCode::kUnsupported, "The model has no tokenizer{}; give token ids with --tokens instead.",
                problem(model));
  }
  auto ids = TRY(model.tokenizer->encode(text, options));
  const int32_t bos = model.tokenizer->bos();
  if (model.tokenizer->add_bos() && bos >= 0 && (ids.empty() || ids.front() != bos)) ids.insert(ids.begin(), bos);
  if (ids.empty()) return fail(ErrorCode::kInvalidArgument, "The prompt is empty.");
  return ids;
}

}  // namespace

Result<std::vector<int32_t>> encode_prompt(const Model& model, std::string_view text, bool special) {
  return encode(model, text, {.special = special});
}

Result<std::vector<int32_t>> encode_chat(const Model& model, const Json& messages) {
  if (!model.chat_template || !model.tokenizer) {
    return fail(ErrorCode::kUnsupported, "The model has no {}{}, so it cannot chat; continue plain text instead.",
                model.tokenizer ? "chat template" : "tokenizer", problem(model));
  }
  text::RenderOptions options;
  options.add_generation_prompt = true;
  const text::Tokenizer& tokenizer = *model.tokenizer;
  if (tokenizer.bos() >= 0) options.bos_token = tokenizer.name_of(tokenizer.bos());
  if (tokenizer.eos() >= 0) options.eos_token = tokenizer.name_of(tokenizer.eos());
  const text::Guard guard = TRY(text::Guard::make(tokenizer, messages));
  const std::string rendered = TRY_CTX(model.chat_template->render(guard.mark(messages), options),
                                       "while preparing a prompt for {}", model.files.name);
  const auto [prompt, barriers] = guard.take_marks(rendered);
  return encode(model, prompt, {.special = true, .barriers = barriers});
}

}  // namespace tern::engine
