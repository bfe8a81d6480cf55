#include "apps/cli/gguf_text.h"

#include <algorithm>

#include "engine/model.h"
#include "models/common/load.h"
#include "text/tokenizer.h"

namespace tern::cli {
namespace {

using io::Metadata;

void add_id(std::vector<Metadata::Entry>& out, std::string_view name, int32_t id) {
  if (id >= 0) out.push_back({fmt::format("tokenizer.ggml.{}_token_id", name), static_cast<uint32_t>(id)});
}

// GGUF has three places for tokens that end an answer; files of Hugging Face have a list. others: ids of the list that
// a reader does not find by itself.
void add_end_ids(std::vector<Metadata::Entry>& out, int32_t eos, int32_t eot, const std::vector<int32_t>& others) {
  auto next = others.begin();
  for (int32_t* id : {&eos, &eot}) {
    if (*id < 0 && next != others.end()) *id = *next++;
  }
  add_id(out, "eos", eos);
  add_id(out, "eot", eot);
  if (next != others.end()) add_id(out, "eom", *next);
}

// Unused ids get names: readers want them to differ.
void fill_up(text::TokenizerSpec& spec, uint64_t vocab) {
  spec.tokens.resize(vocab);
  spec.types.resize(vocab, text::TokenType::kUnused);
  for (size_t id = 0; id < vocab; ++id) {
    if (spec.types[id] == text::TokenType::kUnused) spec.tokens[id] = fmt::format("[PAD{}]", id);
  }
}

void add_tokenizer(std::vector<Metadata::Entry>& out, text::TokenizerSpec spec) {
  out.push_back({"tokenizer.ggml.model", std::string("gpt2")});
  out.push_back({"tokenizer.ggml.pre", spec.pre});
  std::vector<int32_t> types;
  for (const text::TokenType type : spec.types) types.push_back(static_cast<int32_t>(type));
  out.push_back({"tokenizer.ggml.tokens", std::move(spec.tokens)});
  out.push_back({"tokenizer.ggml.token_type", std::move(types)});
  out.push_back({"tokenizer.ggml.merges", std::move(spec.merges)});
  add_id(out, "bos", spec.bos);
  add_id(out, "padding", spec.pad);
  add_id(out, "unknown", spec.unk);
  out.push_back({"tokenizer.ggml.add_bos_token", spec.add_bos.value_or(false)});
  if (spec.add_eos) out.push_back({"tokenizer.ggml.add_eos_token", true});
}

}  // namespace

Result<GgufText> gguf_text(const io::ModelFiles& files, uint64_t vocab) {
  GgufText out;
  const models::Architecture* architecture = TRY(models::find_architecture(files));
  const models::Hparams hparams = TRY(models::read_hparams(files, *architecture));
  std::vector<int32_t> ends = hparams.end_tokens;
  std::optional<text::TokenizerSpec> spec;
  if (!files.tokenizer.is_null()) {
    const engine::ModelText text = TRY(engine::read_text(files));  // checks it as a reader of the GGUF will
    if (text.tokenizer) spec = TRY(text::spec_from_hf(files.tokenizer, files.tokenizer_config));
    out.problem = text.text_problem;
    ends.insert(ends.end(), text.end_tokens.begin(), text.end_tokens.end());
    std::ranges::sort(ends);
    ends.erase(std::ranges::unique(ends).begin(), ends.end());
  }
  if (spec && spec->tokens.size() > vocab) {
    return fail(ErrorCode::kInvalidFile, "The tokenizer has {} tokens, but the token embedding only {} rows.",
                spec->tokens.size(), vocab);
  }
  if (spec) {
    const auto tokenizer = TRY(text::make_tokenizer(*spec));
    std::erase_if(ends, [&](int32_t id) { return tokenizer->is_end(id); });
    const int32_t eos = spec->eos, eot = spec->eot;
    fill_up(*spec, vocab);
    add_tokenizer(out.metadata, *std::move(spec));
    add_end_ids(out.metadata, eos, eot, ends);
  } else {
    out.metadata.push_back({"tokenizer.ggml.model", std::string("no_vocab")});
    add_end_ids(out.metadata, -1, -1, ends);
  }
  if (!files.chat_template.empty()) out.metadata.push_back({"tokenizer.chat_template", files.chat_template});
  return out;
}

}  // namespace tern::cli
