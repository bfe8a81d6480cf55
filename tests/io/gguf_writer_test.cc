// The writer against the reader (which is itself held against the gguf package's files), and against the bytes that the
// specification demands.
#include "io/gguf_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "io/gguf.h"
#include "io/support.h"

namespace tern::io {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

TEST(GgufWriter, WritesTheBytesOfTheSpecification) {
  const TempDir dir;
  auto writer = GgufWriter::create(dir.path("a.gguf"));
  ASSERT_TRUE(writer) << writer.error().to_string();
  ASSERT_TRUE(writer->add("general.architecture", std::string("llama")));
  ASSERT_TRUE(writer->add("flags", std::vector<bool>{true, false}));
  ASSERT_TRUE(writer->declare("first", Format::kF32, {4}));
  ASSERT_TRUE(writer->declare("second", Format::kF32, {1, 2}));
  ASSERT_TRUE(writer->write_header());
  ASSERT_TRUE(writer->append(bytes_of(floats({1, 2, 3, 4}))));
  ASSERT_TRUE(writer->append(bytes_of(floats({5, 6}))));
  ASSERT_TRUE(writer->finish());

  GgufBytes expected;
  expected.str("general.architecture", "llama");
  expected.key("flags", 9, Bytes().u32(7).u64(2).u8(1).u8(0));
  expected.tensor("first", {4}, 0).tensor("second", {2, 1}, 32);
  expected.data = floats({1, 2, 3, 4}) + std::string(16, '\0') + floats({5, 6}) + std::string(24, '\0');
  EXPECT_EQ(read_all(dir.path("a.gguf")), expected.build());
}

TEST(GgufWriter, CopiesTheReferenceFileByteForByte) {
  const auto model = open_gguf_file(data_path("all_types.gguf"));
  ASSERT_TRUE(model);
  const TempDir dir;
  auto writer = GgufWriter::create(dir.path("copy.gguf"));
  ASSERT_TRUE(writer);
  for (const Metadata::Entry& entry : model->metadata.entries()) ASSERT_TRUE(writer->add(entry.key, entry.value));
  const WeightIndex& weights = model->weights;
  for (const TensorInfo& t : weights.tensors()) ASSERT_TRUE(writer->declare(t.name, t.format, t.shape));
  ASSERT_TRUE(writer->write_header());
  for (uint32_t i = 0; i < weights.tensors().size(); ++i) {
    auto rows = weights.mapped_rows(i, 0, weights.tensors()[i].rows());
    for (; !rows.empty(); rows = rows.subspan(std::min<size_t>(rows.size(), 7))) {
      ASSERT_TRUE(writer->append(rows.first(std::min<size_t>(rows.size(), 7))));
    }
  }
  ASSERT_TRUE(writer->finish());
  EXPECT_EQ(read_all(dir.path("copy.gguf")), read_all(data_path("all_types.gguf")));
}

TEST(GgufWriter, AnUnfinishedFileNeverHasItsName) {
  const TempDir dir;
  {
    auto writer = GgufWriter::create(dir.path("a.gguf"));
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->declare("t", Format::kF32, {4}));
    ASSERT_TRUE(writer->write_header());
    ASSERT_TRUE(writer->append(bytes_of(floats({1}))));
    expect_error(writer->finish(), ErrorCode::kInvalidArgument, {"Tensor t has 4 of its 16 bytes"});
    EXPECT_FALSE(std::filesystem::exists(dir.path("a.gguf")));
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

// A name that is not a file's, such as /dev/null or a pipe, is written to and neither replaced nor removed.
TEST(GgufWriter, APipeStaysAPipe) {
  const std::string path = testing::TempDir() + "gguf_writer_pipe";
  std::remove(path.c_str());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  auto writer = GgufWriter::create(path);
  ASSERT_TRUE(writer) << writer.error().to_string();
  ASSERT_TRUE(writer->write_header());
  ASSERT_TRUE(writer->finish());
  char magic[5] = {};
  EXPECT_EQ(read(reader, magic, 4), 4);
  EXPECT_STREQ(magic, "GGUF");
  struct stat status{};
  EXPECT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_TRUE(S_ISFIFO(status.st_mode));
  close(reader);
  std::remove(path.c_str());
}

TEST(GgufWriter, RefusesWhatAGgufCannotHold) {
  const TempDir dir;
  auto writer = GgufWriter::create(dir.path("a.gguf"));
  ASSERT_TRUE(writer);
  ASSERT_TRUE(writer->add("k", uint32_t{1}));
  expect_error(writer->add("k", uint32_t{1}), ErrorCode::kInvalidFile, {"k appears twice"});
  expect_error(writer->add("", uint32_t{1}), ErrorCode::kInvalidArgument, {"metadata key"});
  ASSERT_TRUE(writer->declare("t", Format::kQ8_0, {2, 64}));
  expect_error(writer->declare("t", Format::kQ8_0, {2, 64}), ErrorCode::kInvalidArgument, {"unique"});
  expect_error(writer->declare("five", Format::kF32, {1, 1, 1, 1, 1}), ErrorCode::kInvalidArgument,
               {"[1, 1, 1, 1, 1]"});
  expect_error(writer->declare("zero", Format::kF32, {0}), ErrorCode::kInvalidArgument, {"zero"});
  expect_error(writer->declare(std::string(65, 'n'), Format::kF32, {1}), ErrorCode::kInvalidArgument, {"64 bytes"});
  expect_error(writer->declare("odd", Format::kQ8_0, {33}), ErrorCode::kInvalidFile, {"33", "tensor odd"});
  expect_error(writer->declare("awq", Format::kAWQ, {8, 128}), ErrorCode::kUnsupported, {"awq"});
  ASSERT_TRUE(writer->write_header());
  expect_error(writer->append(bytes_of(std::string(137, 'x'))), ErrorCode::kInvalidArgument,
               {"137 bytes are too many", "136"});
}

TEST(GgufWriter, SaysWhenTheFileCannotBeCreated) {
  expect_error(GgufWriter::create("/nonexistent/folder/a.gguf"), ErrorCode::kIo, {"/nonexistent/folder/a.gguf"});
}

}  // namespace
}  // namespace tern::io
