// Tokenizer, template and end tokens from metadata and from Hugging Face's files.
#include <gtest/gtest.h>

#include "engine/memory.h"
#include "engine/model.h"
#include "engine/prompt.h"

namespace tern::engine {
namespace {

using Strings = std::vector<std::string>;

io::ModelFiles gguf(std::string kind = "gpt2") {
  io::ModelFiles files;
  files.kind = io::ModelFiles::Kind::kGguf;
  files.name = "test.gguf";
  const auto add = [&](const char* key, io::Metadata::Value value) {
    EXPECT_TRUE(files.metadata.add(key, std::move(value)));
  };
  add("tokenizer.ggml.model", std::move(kind));
  add("tokenizer.ggml.tokens", Strings{"a", "b", "ab", "<bos>", "<end>", "<turn>", "<more>"});
  add("tokenizer.ggml.token_type", std::vector<int32_t>{1, 1, 1, 3, 3, 3, 3});
  add("tokenizer.ggml.merges", Strings{"a b"});
  add("tokenizer.ggml.bos_token_id", uint32_t{3});
  add("tokenizer.ggml.eos_token_id", uint32_t{4});
  add("tokenizer.ggml.eot_token_id", uint32_t{5});
  add("tokenizer.ggml.eom_token_id", uint32_t{6});
  add("tokenizer.ggml.add_bos_token", true);
  return files;
}

TEST(ModelText, ReadsGgufMetadata) {
  const auto text = read_text(gguf());
  ASSERT_TRUE(text) << text.error().to_string();
  ASSERT_TRUE(text->tokenizer);
  EXPECT_EQ(text->tokenizer->encode("aba", {.bos = true}).value(), (std::vector<int32_t>{3, 2, 0}));
  EXPECT_TRUE(text->tokenizer->add_bos());
  EXPECT_EQ(text->end_tokens, (std::vector<int32_t>{4, 5, 6}));
  EXPECT_FALSE(text->chat_template);
  EXPECT_EQ(text->text_problem, "");
}

TEST(ModelText, OldSpellingsOfNoToken) {
  io::ModelFiles files = gguf();
  ASSERT_TRUE(files.metadata.add("tokenizer.ggml.padding_token_id", uint32_t{UINT32_MAX}));
  ASSERT_TRUE(files.metadata.add("tokenizer.ggml.unknown_token_id", int32_t{-1}));
  const auto text = read_text(files);
  ASSERT_TRUE(text) << text.error().to_string();
  EXPECT_EQ(text->tokenizer->pad(), -1);
}

TEST(ModelText, FilesWithoutATokenizerHaveNone) {
  io::ModelFiles files;
  files.kind = io::ModelFiles::Kind::kGguf;
  auto text = read_text(files);
  ASSERT_TRUE(text);
  EXPECT_FALSE(text->tokenizer);
  files.kind = io::ModelFiles::Kind::kHuggingFace;
  text = read_text(files);
  ASSERT_TRUE(text);
  EXPECT_FALSE(text->tokenizer);
}

TEST(ModelText, AnUnknownTokenizerLeavesTokenIdsUsable) {
  const auto text = read_text(gguf("rwkv"));
  ASSERT_TRUE(text);
  EXPECT_FALSE(text->tokenizer);
  EXPECT_NE(text->text_problem.find("rwkv"), std::string::npos) << text->text_problem;
  Model model;
  model.text_problem = text->text_problem;
  const auto refused = encode_prompt(model, "hello", false);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("rwkv"), std::string::npos) << refused.error().message;
}

TEST(ModelText, BrokenMetadataIsAnError) {
  const auto refused = [](const char* key, io::Metadata::Value value) {
    io::ModelFiles files = gguf();
    io::Metadata changed;
    for (const io::Metadata::Entry& entry : files.metadata.entries()) {
      EXPECT_TRUE(changed.add(entry.key, entry.key == key ? value : entry.value));
    }
    files.metadata = std::move(changed);
    const auto text = read_text(files);
    ASSERT_FALSE(text) << key;
    EXPECT_EQ(text.error().code, ErrorCode::kInvalidFile) << text.error().to_string();
  };
  refused("tokenizer.ggml.eos_token_id", uint32_t{7});
  refused("tokenizer.ggml.eom_token_id", uint32_t{1u << 31});
  refused("tokenizer.ggml.token_type", std::vector<int32_t>{1, 1, 1, 3, 3, 3, 7});
  refused("tokenizer.ggml.token_type", std::vector<int32_t>{1});
  refused("tokenizer.ggml.tokens", Strings{});
  refused("tokenizer.ggml.merges", Strings{"a z"});
}

TEST(ModelText, BrokenTemplatesAreAnError) {
  io::ModelFiles files = gguf();
  files.chat_template = "{% for message in messages %}{{ message.content }}";
  const auto text = read_text(files);
  ASSERT_FALSE(text);
  EXPECT_NE(text.error().to_string().find("chat template"), std::string::npos) << text.error().to_string();
}

TEST(ModelText, ChatsThroughTheTemplateWithOneBos) {
  io::ModelFiles files = gguf();
  files.chat_template = "<bos>{% for message in messages %}{{ message.content }}<turn>{% endfor %}";
  auto text = read_text(files);
  ASSERT_TRUE(text) << text.error().to_string();
  Model model;
  model.tokenizer = std::move(text->tokenizer);
  model.chat_template = std::move(text->chat_template);
  const auto ids = encode_chat(model, parse_json(R"([{"role": "user", "content": "ab"}])").value());
  ASSERT_TRUE(ids) << ids.error().to_string();
  EXPECT_EQ(*ids, (std::vector<int32_t>{3, 2, 5}));
  EXPECT_EQ(encode_prompt(model, "b", false).value(), (std::vector<int32_t>{3, 1}));
  EXPECT_EQ(encode_prompt(model, "<turn>", false).value()[0], 3) << "untrusted text does not spell control tokens";
}

TEST(Memory, KvCacheOfLlama32) {
  // Llama 3.2 1B: 16 layers, 8 KV heads of 64. Keys and values: 2 * 16 * 8 * 64 * 2 bytes = 32 KiB a token in f16.
  models::Hparams hparams;
  hparams.n_layers = 16;
  hparams.n_kv_heads = 8;
  hparams.head_dim = 64;
  EXPECT_EQ(kv_cache_bytes(hparams, graph::KvFormat::kF16, 1024), uint64_t{32} << 20);
  EXPECT_EQ(kv_cache_bytes(hparams, graph::KvFormat::kF32, 1024), uint64_t{64} << 20);
  EXPECT_EQ(kv_cache_bytes(hparams, graph::KvFormat::kQ8_0, 1024), (uint64_t{32} << 20) / 64 * 34);
  EXPECT_EQ(kv_cache_bytes(hparams, graph::KvFormat::kF16, 1), uint64_t{1} << 20) << "a whole page of 32";
}

TEST(Memory, TheDefaultContextIsBounded) {
  EXPECT_EQ(context_limit({}, 131072), 4096u);
  EXPECT_EQ(context_limit({}, 1024), 1024u);
  EXPECT_EQ(context_limit({.context = 100000}, 131072), 100000u);
  EXPECT_EQ(context_limit({.context = 100000}, 8192), 8192u);
}

}  // namespace
}  // namespace tern::engine
