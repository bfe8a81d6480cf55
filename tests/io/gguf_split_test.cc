// Split GGUFs: the three parts that the gguf package of PyPI wrote, and sets that do not belong together.
#include <filesystem>

#include "io/gguf.h"
#include "io/model_files.h"
#include "io/support.h"

namespace tern::io {
namespace {

std::string part_name(int no) {
  return fmt::format("split-{:05}-of-00003.gguf", no);
}

std::string part_path(int no) {
  return data_path(part_name(no));
}

/// One part with one tensor "t<no>" of one float, value no.
std::string part(uint16_t no, uint16_t count, int32_t total, const std::string& tensor = "") {
  GgufBytes file;
  file.key("split.no", 2, Bytes().put(no)).key("split.count", 2, Bytes().put(count));
  file.key("split.tensors.count", 5, Bytes().put(total));
  file.tensor(tensor.empty() ? fmt::format("t{}", no) : tensor, {1}, 0);
  file.data = floats({static_cast<float>(no)});
  return file.build();
}

Result<Gguf> join(const std::vector<std::string>& files) {
  std::vector<std::unique_ptr<ByteSource>> parts;
  for (size_t i = 0; i < files.size(); ++i) parts.push_back(memory(files[i], fmt::format("part{}", i)));
  return read_gguf(std::move(parts));
}

TEST(GgufSplit, AnyPartOpensAll) {
  for (int no = 1; no <= 3; ++no) {
    const auto model = open_gguf_file(part_path(no));
    ASSERT_TRUE(model) << model.error().to_string();
    EXPECT_EQ(*model->metadata.get_u32("llama.context_length"), 64u);
    ASSERT_EQ(model->weights.tensors().size(), 5u);
    for (uint32_t i = 0; i < 5; ++i) {
      const auto values = model->weights.read_f32(*model->weights.id_of(fmt::format("t{}", i)));
      ASSERT_TRUE(values);
      for (size_t k = 0; k < 8; ++k) EXPECT_EQ((*values)[k], static_cast<float>(k) / 4 + static_cast<float>(i));
    }
  }
}

TEST(GgufSplit, PartsMayComeInAnyOrder) {
  const auto model = join({part(2, 3, 3), part(0, 3, 3), part(1, 3, 3)});
  ASSERT_TRUE(model) << model.error().to_string();
  for (uint32_t i = 0; i < 3; ++i) EXPECT_EQ(*model->weights.read_f32(i), std::vector<float>{static_cast<float>(i)});
}

TEST(GgufSplit, OpenedSourcesOfTheBrowser) {
  std::vector<std::unique_ptr<ByteSource>> parts;
  for (int no = 3; no >= 1; --no) parts.push_back(std::make_unique<RangedSource>(read_all(part_path(no))));
  const auto model = open_gguf(std::move(parts));
  ASSERT_TRUE(model) << model.error().to_string();
  EXPECT_EQ(model->kind, ModelFiles::Kind::kGguf);
  EXPECT_EQ(model->weights.tensors().size(), 5u);
}

TEST(GgufSplit, MissingPartOnDisk) {
  const TempDir dir;
  for (int no : {1, 3}) {
    std::filesystem::copy(part_path(no), dir.path(part_name(no)));
  }
  expect_error(open_gguf_file(dir.path("split-00001-of-00003.gguf")), ErrorCode::kNotFound,
               {"Part 2 of 3", "split-00002-of-00003.gguf", "Download all parts"});
}

TEST(GgufSplit, RenamedPart) {
  const TempDir dir;
  std::filesystem::copy(part_path(1), dir.path("model.gguf"));
  expect_error(open_gguf_file(dir.path("model.gguf")), ErrorCode::kInvalidFile,
               {"part 1 of 3", "-00001-of-00003.gguf"});
}

TEST(GgufSplit, MissingPart) {
  expect_error(join({part(0, 3, 3), part(1, 3, 3)}), ErrorCode::kInvalidFile, {"one of 3 parts", "2 are given"});
  expect_error(join({}), ErrorCode::kInvalidArgument, {"at least one"});
}

TEST(GgufSplit, DuplicatedPart) {
  expect_error(join({part(0, 2, 2), part(0, 2, 2, "other")}), ErrorCode::kInvalidFile,
               {"part0 and part1", "both part 1 of 2"});
}

TEST(GgufSplit, DuplicatedTensor) {
  expect_error(join({part(0, 2, 2, "t"), part(1, 2, 2, "t")}), ErrorCode::kInvalidFile,
               {"t appears twice", "while loading part1"});
}

TEST(GgufSplit, ForeignPart) {
  expect_error(join({part(0, 2, 2), part(1, 2, 9)}), ErrorCode::kInvalidFile,
               {"different models", "2 tensors", "9 tensors"});
  expect_error(join({part(0, 2, 2), part(1, 3, 2)}), ErrorCode::kInvalidFile, {"different models", "3 parts"});
  GgufBytes whole;
  whole.str("general.architecture", "llama");
  expect_error(join({part(0, 2, 2), whole.build()}), ErrorCode::kInvalidFile, {"different models"});
  expect_error(join({whole.build(), whole.build()}), ErrorCode::kInvalidFile, {"one of 1 parts"});
}

TEST(GgufSplit, TensorCountDisagrees) {
  expect_error(join({part(0, 2, 3), part(1, 2, 3)}), ErrorCode::kInvalidFile,
               {"hold 2 tensors", "split.tensors.count is 3"});
}

TEST(GgufSplit, BadSplitKeys) {
  expect_error(join({part(2, 2, 2), part(1, 2, 2)}), ErrorCode::kInvalidFile, {"split.no is 2", "0 to 1"});
  GgufBytes no_number;
  no_number.u32("split.count", 2);
  expect_error(join({no_number.build(), part(1, 2, 2)}), ErrorCode::kInvalidFile, {"split.no"});
  GgufBytes text;
  text.str("split.count", "2");
  expect_error(join({text.build()}), ErrorCode::kInvalidFile, {"split.count is string"});
}

}  // namespace
}  // namespace tern::io
