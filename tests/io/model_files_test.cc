// open_model(): every way to name a model, and every file that is none.
#include "io/model_files.h"

#include <sys/stat.h>

#include <filesystem>

#include "io/file.h"
#include "io/support.h"

namespace tern::io {
namespace {

const std::string kWeights =
    safetensors_bytes(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", floats({1}));

std::string gguf(std::string_view chat_template = "") {
  GgufBytes file;
  file.str("general.architecture", "llama");
  if (!chat_template.empty()) file.str("tokenizer.chat_template", chat_template);
  file.tensor("t", {1}, 0);
  file.data = floats({1});
  return file.build();
}

TEST(OpenModel, HuggingFaceFolderWithShards) {
  for (const char* path : {"sharded", "sharded/", "sharded/model-00001-of-00002.safetensors"}) {
    const auto model = open_model(data_path(path));
    ASSERT_TRUE(model) << model.error().to_string();
    EXPECT_EQ(model->kind, ModelFiles::Kind::kHuggingFace);
    EXPECT_EQ(model->name, "sharded");
    EXPECT_EQ(*json_u32(model->config, "vocab_size"), 7u);
    EXPECT_TRUE(model->generation_config["eos_token_id"].is_array());
    EXPECT_TRUE(model->tokenizer.contains("model"));
    EXPECT_EQ(model->chat_template, "yes");  // the one named "default"
    ASSERT_EQ(model->weights.tensors().size(), 3u);
    EXPECT_EQ(*model->weights.read_f32(*model->weights.id_of("z")), (std::vector<float>{0, 0.25f, 0.5f, 0.75f}));
  }
}

TEST(OpenModel, OptionalFilesMayBeMissing) {
  const TempDir dir;
  dir.write("config.json", "{}");
  dir.write("model.safetensors", kWeights);
  for (const std::string& path : {dir.path(), dir.path("model.safetensors")}) {
    const auto model = open_model(path);
    ASSERT_TRUE(model) << model.error().to_string();
    EXPECT_TRUE(model->tokenizer.is_null());
    EXPECT_TRUE(model->tokenizer_config.is_null());
    EXPECT_TRUE(model->generation_config.is_null());
    EXPECT_EQ(model->chat_template, "");
  }
}

TEST(OpenModel, ChatTemplateFileComesFirst) {
  const TempDir dir;
  dir.write("config.json", "{}");
  dir.write("model.safetensors", kWeights);
  dir.write("tokenizer_config.json", R"({"chat_template":"from config"})");
  EXPECT_EQ(open_model(dir.path())->chat_template, "from config");
  dir.write("chat_template.jinja", "from file");
  EXPECT_EQ(open_model(dir.path())->chat_template, "from file");
}

TEST(OpenModel, Gguf) {
  const TempDir dir;
  dir.write("model.gguf", gguf("{{ x }}"));
  dir.write("misnamed.bin", gguf());
  const auto model = open_model(dir.path("model.gguf"));
  ASSERT_TRUE(model) << model.error().to_string();
  EXPECT_EQ(model->kind, ModelFiles::Kind::kGguf);
  EXPECT_EQ(model->name, "model.gguf");
  EXPECT_EQ(model->chat_template, "{{ x }}");
  EXPECT_TRUE(model->config.is_null());
  EXPECT_TRUE(open_model(dir.path("misnamed.bin")));  // content decides
  EXPECT_TRUE(open_model(dir.path()));                // the only .gguf of the folder
  dir.write("other.gguf", gguf());
  expect_error(open_model(dir.path()), ErrorCode::kInvalidArgument, {"2 GGUF models", "model.gguf", "Name one"});
}

TEST(OpenModel, FolderWithASplitGguf) {
  const TempDir dir;
  for (int no = 1; no <= 3; ++no) {
    const std::string name = fmt::format("split-{:05}-of-00003.gguf", no);
    std::filesystem::copy(data_path(name), dir.path(name));
  }
  const auto model = open_model(dir.path());
  ASSERT_TRUE(model) << model.error().to_string();
  EXPECT_EQ(model->weights.tensors().size(), 5u);
}

TEST(OpenModelBad, PathsThatLeadNowhere) {
  const TempDir dir;
  expect_error(open_model(dir.path("none")), ErrorCode::kNotFound, {"no file or folder", "none"});
  expect_error(open_model(dir.path()), ErrorCode::kNotFound, {"neither config.json", ".gguf"});
  dir.write("empty.gguf", "");
  expect_error(open_model(dir.path("empty.gguf")), ErrorCode::kInvalidFile, {"empty (0 bytes)"});
  expect_error(open_model("/dev/null"), ErrorCode::kInvalidFile, {"not a regular file"});
  ASSERT_EQ(mkfifo(dir.path("pipe.gguf").c_str(), 0600), 0);
  expect_error(open_model(dir.path("pipe.gguf")), ErrorCode::kInvalidFile, {"not a regular file"});  // and no waiting
}

TEST(OpenModelBad, UnreadableFile) {
  if (geteuid() == 0) GTEST_SKIP() << "root reads everything";
  const TempDir dir;
  const std::string path = dir.write("secret.gguf", gguf());
  std::filesystem::permissions(path, std::filesystem::perms::none);
  expect_error(open_model(path), ErrorCode::kIo, {"secret.gguf", "Permission denied"});
}

TEST(OpenModelBad, FilesThatAreSomethingElse) {
  const TempDir dir;
  const auto bad = [&](std::string_view bytes, const std::string& text, ErrorCode code) {
    expect_error(open_model(dir.write("model.gguf", bytes)), code, {text, "while loading"});
  };
  bad("<!DOCTYPE html><html>", "web page", ErrorCode::kInvalidFile);
  bad("\xef\xbb\xbf\n  <HTML>", "web page", ErrorCode::kInvalidFile);
  bad("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull", ErrorCode::kInvalidFile);
  bad(std::string_view("PK\x03\x04zip", 7), "pickle", ErrorCode::kUnsupported);
  bad("\x80\x02}q", "pickle", ErrorCode::kUnsupported);
  bad("tjgg\x03", "older than GGUF", ErrorCode::kUnsupported);
  bad("\x1f\x8b\x08", "gzip", ErrorCode::kUnsupported);
  bad("{\"a\": 1}", "JSON", ErrorCode::kInvalidFile);
  bad(std::string(100, '\0'), "zeros", ErrorCode::kInvalidFile);
  bad("hello", "\"hello\"", ErrorCode::kInvalidFile);
  bad("x", "\"x\"", ErrorCode::kInvalidFile);
  bad("GGU", "\"GGU\"", ErrorCode::kInvalidFile);
}

TEST(OpenModelBad, IncompleteFolders) {
  const TempDir dir;
  dir.write("model.safetensors", kWeights);
  expect_error(open_model(dir.path("model.safetensors")), ErrorCode::kNotFound, {"config.json"});
  expect_error(open_model(dir.path()), ErrorCode::kNotFound, {"config.json"});
  std::filesystem::remove(dir.path("model.safetensors"));
  dir.write("config.json", "{}");
  expect_error(open_model(dir.path()), ErrorCode::kNotFound, {"no model.safetensors"});
  dir.write("pytorch_model.bin", "PK");
  expect_error(open_model(dir.path()), ErrorCode::kUnsupported, {"pickle", "safetensors"});
  dir.write("model-00001-of-00002.safetensors", kWeights);
  dir.write("model-00002-of-00002.safetensors", kWeights);
  expect_error(open_model(dir.path()), ErrorCode::kNotFound, {"2 safetensors files", "index.json"});
}

TEST(OpenModelBad, Configs) {
  const TempDir dir;
  dir.write("model.safetensors", kWeights);
  const auto bad = [&](const std::string& name, std::string_view text, const std::vector<std::string>& texts) {
    dir.write("config.json", "{}");
    dir.write(name, text);
    expect_error(open_model(dir.path()), ErrorCode::kInvalidFile, texts);
    std::filesystem::remove(dir.path(name));
  };
  bad("config.json", "[]", {"config.json", "array", "object"});
  bad("config.json", "{", {"JSON", "config.json"});
  bad("config.json", std::string(1000, '['), {"nested", "config.json"});
  bad("config.json", std::string((1 << 20) + 1, ' '), {"config.json", "1,048,577", "1,048,576", "configuration"});
  bad("tokenizer.json", "5", {"tokenizer.json", "object"});
  bad("tokenizer_config.json", R"({"chat_template":5})", {"chat_template", "tokenizer_config.json"});
  bad("tokenizer_config.json", R"({"chat_template":[{"name":"x","template":"y"}]})", {"chat_template", "default"});
  bad("chat_template.jinja", std::string(10 << 20, 'x'), {"10,485,760", "chat template"});
  bad("tokenizer_config.json", R"({"chat_template":")" + std::string(10 << 20, 'x') + "\"}",
      {"10,485,760", "chat template"});
}

TEST(OpenModelBad, TemplateOfTenMegabytesInAGguf) {
  std::vector<std::unique_ptr<ByteSource>> parts;
  parts.push_back(memory(gguf(std::string(10 << 20, 'x'))));
  expect_error(open_gguf(std::move(parts)), ErrorCode::kInvalidFile, {"10,485,760", "1,048,576"});
}

TEST(File, Names) {
  EXPECT_EQ(base_name("a/b.gguf"), "b.gguf");
  EXPECT_EQ(base_name("a/b/"), "b");
  EXPECT_EQ(base_name("b"), "b");
  EXPECT_EQ(base_name("/"), "/");
  EXPECT_EQ(parent_directory("a/b.gguf"), "a");
  EXPECT_EQ(parent_directory("b.gguf"), ".");
  EXPECT_EQ(parent_directory("/b.gguf"), "/");
  EXPECT_EQ(join_path("a", "b"), "a/b");
  EXPECT_EQ(join_path("a/", "b"), "a/b");
}

TEST(File, ReadsAndMapsAndKnowsItsEnd) {
  const TempDir dir;
  const auto file = open_file(dir.write("f", "0123456789"));
  ASSERT_TRUE(file);
  EXPECT_EQ((*file)->size(), 10u);
  EXPECT_EQ((*file)->name(), "f");
  std::string text(4, ' ');
  ASSERT_TRUE((*file)->read(6, std::as_writable_bytes(std::span(text))));
  EXPECT_EQ(text, "6789");
  expect_error((*file)->read(7, std::as_writable_bytes(std::span(text))), ErrorCode::kInvalidFile,
               {"7 to 11", "10 bytes"});
  expect_error((*file)->read(UINT64_MAX, std::as_writable_bytes(std::span(text))), ErrorCode::kInvalidFile,
               {"10 bytes"});
  (*file)->release(0, UINT64_MAX);
  EXPECT_EQ(std::to_integer<char>((*file)->mapped()[9]), '9');
  expect_error(open_file(dir.path()), ErrorCode::kInvalidFile, {"is a folder"});
}

}  // namespace
}  // namespace tern::io
