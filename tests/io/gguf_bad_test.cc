// Bad GGUFs: each breaks one rule, gets one clear error, and makes the reader allocate next to nothing.
#include <cstdint>

#include "io/gguf.h"
#include "io/support.h"

namespace tern::io {
namespace {

constexpr uint64_t k2To63 = uint64_t{1} << 63;

/// A file of one key and two tensors that is right in everything.
GgufBytes good() {
  GgufBytes file;
  file.str("general.architecture", "llama").tensor("first", {4}, 0).tensor("second", {2, 2}, 32);
  file.data = floats({1, 2, 3, 4}) + std::string(16, '\0') + floats({5, 6, 7, 8});
  return file;
}

Result<GgufHeader> read(const std::string& bytes) {
  return read_gguf_header(*memory(bytes, "bad.gguf"));
}

void expect_bad(const std::string& bytes, const std::vector<std::string>& texts,
                ErrorCode code = ErrorCode::kInvalidFile) {
  reset_largest_allocation();
  const auto header = read(bytes);
  EXPECT_LT(largest_allocation(), 64 * bytes.size() + 4096);
  expect_error(header, code, texts);
}

TEST(GgufBad, TheGoodFileIsGood) {
  const auto header = read(good().build());
  ASSERT_TRUE(header) << header.error().to_string();
  EXPECT_EQ(header->tensors.size(), 2u);
}

TEST(GgufBad, WrongMagic) {
  GgufBytes file = good();
  file.magic = "GGUX";
  expect_bad(file.build(), {"0x58554747", "\"GGUF\""});
}

TEST(GgufBad, Versions) {
  for (const uint32_t version : {0u, 1u, 4u, 1000u}) {
    GgufBytes file = good();
    file.version = version;
    expect_bad(file.build(), {"version is " + std::to_string(version), "2 and 3"}, ErrorCode::kUnsupported);
  }
}

TEST(GgufBad, ByteSwappedVersion) {
  GgufBytes file = good();
  file.version = 0x03000000;
  expect_bad(file.build(), {"big endian"}, ErrorCode::kUnsupported);
  file.magic = "FUGG";
  expect_bad(file.build(), {"big endian"}, ErrorCode::kUnsupported);
}

TEST(GgufBad, BigEndianFileOfTheReferenceWriter) {
  expect_error(open_gguf_file(data_path("big_endian.gguf")), ErrorCode::kUnsupported,
               {"big endian", "big_endian.gguf"});
}

TEST(GgufBad, CountsOf2To63) {
  for (const uint64_t count : {k2To63, UINT64_MAX, k2To63 / 16}) {
    GgufBytes tensors = good();
    tensors.n_tensors = count;
    expect_bad(tensors.build(), {"tensors", "follow"});
    GgufBytes keys = good();
    keys.n_keys = count;
    expect_bad(keys.build(), {"metadata keys", "follow"});
    for (uint32_t type = 0; type <= 12; ++type) {
      if (type == 9) continue;
      GgufBytes array = good();
      array.key("array", 9, Bytes().u32(type).u64(count));
      expect_bad(array.build(), {"array elements", "while reading metadata key array"});
    }
    GgufBytes text = good();
    text.key("text", 8, Bytes().u64(count));
    expect_bad(text.build(), {"bytes of a string", "while reading metadata key text"});
    GgufBytes texts = good();
    texts.key("texts", 9, Bytes().u32(8).u64(1).u64(count));
    expect_bad(texts.build(), {"bytes of a string"});
  }
}

TEST(GgufBad, KeyLengths) {
  GgufBytes empty = good();
  empty.u32("", 1);
  expect_bad(empty.build(), {"metadata key", "is 0", "1 to 65,535"});
  GgufBytes huge = good();
  huge.keys.u64(UINT64_MAX);
  ++huge.n_keys;
  expect_bad(huge.build(), {"18,446,744,073,709,551,615", "1 to 65,535"});
  GgufBytes beyond = good();
  beyond.keys.u64(60000);
  ++beyond.n_keys;
  expect_bad(beyond.build(), {"60,000", "follow"});
}

TEST(GgufBad, ValueTypes) {
  for (const uint32_t type : {13u, 255u, UINT32_MAX}) {
    GgufBytes file = good();
    file.key("k", type, Bytes().u64(0));
    expect_bad(file.build(), {"type is " + std::to_string(type), "0 to 12", "metadata key k"});
    GgufBytes array = good();
    array.key("k", 9, Bytes().u32(type).u64(0));
    expect_bad(array.build(), {"type is " + std::to_string(type), "metadata key k"});
  }
}

TEST(GgufBad, NestedArrays) {
  GgufBytes file = good();
  Bytes nested;
  for (int depth = 0; depth < 1000; ++depth) nested.u32(9).u64(1);
  file.key("nested", 9, nested);
  expect_bad(file.build(), {"array of arrays", "metadata key nested"}, ErrorCode::kUnsupported);
}

TEST(GgufBad, DuplicateKeys) {
  GgufBytes file = good();
  file.u32("twice", 1).u32("twice", 1);
  expect_bad(file.build(), {"twice appears twice"});
}

TEST(GgufBad, DuplicateTensors) {
  GgufBytes file;
  file.tensor("t", {4}, 0).tensor("t", {4}, 32);
  file.data.assign(64, '\0');
  std::vector<std::unique_ptr<ByteSource>> parts;
  parts.push_back(memory(file.build(), "bad.gguf"));
  expect_error(read_gguf(std::move(parts)), ErrorCode::kInvalidFile, {"t appears twice", "while loading bad.gguf"});
}

TEST(GgufBad, DuplicateTensorsInOnePlace) {
  GgufBytes file;
  file.tensor("t", {4}, 0).tensor("t", {4}, 0);
  file.data.assign(32, '\0');
  expect_bad(file.build(), {"t appears twice"});
}

TEST(GgufBad, Bool2) {
  GgufBytes file = good();
  file.key("flag", 7, Bytes().u8(2));
  expect_bad(file.build(), {"bool is 2", "0 and 1", "metadata key flag"});
  GgufBytes array = good();
  array.key("flags", 9, Bytes().u32(7).u64(2).u8(1).u8(2));
  expect_bad(array.build(), {"bool is 2", "metadata key flags"});
}

TEST(GgufBad, Alignments) {
  for (const uint32_t alignment : {0u, 1u, 3u, 4u, 24u, 1u << 31, UINT32_MAX}) {
    GgufBytes file = good();
    file.u32("general.alignment", alignment);
    expect_bad(file.build(), {"general.alignment is " + std::to_string(alignment), "powers of two from 8"});
  }
  GgufBytes wide = good();
  wide.key("general.alignment", 10, Bytes().u64(32));
  expect_bad(wide.build(), {"general.alignment is u64", "expected u32"});
  GgufBytes text = good();
  text.str("general.alignment", "32");
  expect_bad(text.build(), {"general.alignment is string"});
}

TEST(GgufBad, Dimensions) {
  for (const uint32_t n : {0u, 5u, UINT32_MAX}) {
    GgufBytes file = good();
    file.tensors.str("odd").u32(n).u64(1).u64(1).u64(1).u64(1).u64(1).u32(0).u64(64);
    ++file.n_tensors;
    expect_bad(file.build(), {std::to_string(n) + " dimensions", "1 to 4", "tensor odd"});
  }
}

TEST(GgufBad, DimensionZero) {
  GgufBytes file = good();
  file.tensor("odd", {4, 0}, 64);
  expect_bad(file.build(), {"[0, 4]", "at least 1", "tensor odd"});
}

TEST(GgufBad, ProductsThatOverflow) {
  const std::vector<std::vector<uint64_t>> shapes = {{k2To63, 2},
                                                     {uint64_t{1} << 32, uint64_t{1} << 32},
                                                     {UINT64_MAX},
                                                     {uint64_t{1} << 61, 1, 1, 1},
                                                     {uint64_t{1} << 20, uint64_t{1} << 20, uint64_t{1} << 20, 16}};
  for (const auto& shape : shapes) {
    GgufBytes file = good();
    file.tensor("odd", shape, 64);
    expect_bad(file.build(), {"tensor odd"});
  }
}

TEST(GgufBad, RowIsNoMultipleOfTheBlock) {
  GgufBytes file = good();
  file.tensor("odd", {33, 2}, 64, 8);  // Q8_0 has blocks of 32
  expect_bad(file.build(), {"33", "32", "tensor odd"});
}

TEST(GgufBad, UnknownTensorTypes) {
  GgufBytes file = good();
  file.tensor("odd", {32}, 64, 255);
  expect_bad(file.build(), {"255 (unknown)", "q4_k", "tensor odd"}, ErrorCode::kUnsupported);
  GgufBytes iq = good();
  iq.tensor("odd", {256}, 64, 16);
  expect_bad(iq.build(), {"16 (IQ2_XXS)", "tensor odd"}, ErrorCode::kUnsupported);
  GgufBytes ours = good();
  ours.tensor("odd", {128}, 64, 0x100);  // Tern's own AWQ is no GGUF type
  expect_bad(ours.build(), {"256 (unknown)", "tensor odd"}, ErrorCode::kUnsupported);
}

TEST(GgufBad, TensorNames) {
  GgufBytes empty = good();
  empty.tensor("", {1}, 64);
  expect_bad(empty.build(), {"tensor's name", "is 0", "tensor 3 of 3"});
  GgufBytes longer = good();
  longer.tensor(std::string(65, 'x'), {1}, 64);
  expect_bad(longer.build(), {"is 65", "1 to 64"});
}

TEST(GgufBad, MisalignedOffset) {
  GgufBytes file = good();
  file.data.resize(128, '\0');
  file.tensor("odd", {1}, 68);
  expect_bad(file.build(), {"Tensor odd", "offset 68", "alignment 32"});
}

TEST(GgufBad, OverlappingTensors) {
  GgufBytes file = good();
  file.tensor("odd", {2}, 32);
  expect_bad(file.build(), {"odd", "second", "overlap"});
}

TEST(GgufBad, OffsetsPastTheEnd) {
  for (const uint64_t offset : {uint64_t{64}, uint64_t{1} << 40, k2To63, UINT64_MAX - 31, UINT64_MAX - 63}) {
    GgufBytes file = good();
    file.tensor("odd", {4}, offset);
    expect_bad(file.build(), {"Tensor odd", "past the file's", "incomplete"});
  }
}

TEST(GgufBad, TruncationAtEveryByteOfTheHeader) {
  GgufBytes file = good();
  file.key("array", 9, Bytes().u32(8).u64(2).str("ab").str("")).key("flag", 7, Bytes().u8(1)).u32("n", 5);
  const std::string whole = file.build();
  ASSERT_TRUE(read(whole));
  const size_t header = file.header().size();
  for (size_t n = 0; n < header; ++n) {
    reset_largest_allocation();
    const auto mapped = read(whole.substr(0, n));
    ASSERT_FALSE(mapped) << n;
    EXPECT_NE(mapped.error().to_string().find("incomplete"), std::string::npos) << mapped.error().to_string();
    EXPECT_LT(largest_allocation(), 64u << 10);
    const auto ranged = read_gguf_header(RangedSource(whole.substr(0, n)));
    ASSERT_FALSE(ranged) << n;
    EXPECT_EQ(ranged.error().to_string(), mapped.error().to_string());
  }
}

TEST(GgufBad, TruncationAtEveryByteOfTheTensors) {
  const GgufBytes file = good();
  const std::string whole = file.build();
  for (size_t n = file.header().size(); n < whole.size(); ++n) {
    const auto header = read(whole.substr(0, n));
    ASSERT_FALSE(header) << n;
    const std::string message = header.error().to_string();
    EXPECT_NE(message.find("Tensor "), std::string::npos) << message;
    EXPECT_NE(message.find("incomplete"), std::string::npos) << message;
  }
}

TEST(GgufBad, EveryByteSpoiltNeverCrashes) {
  const std::string whole = good().build();
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const char value : {'\x00', '\x01', '\x7f', '\xff'}) {
      std::string bytes = whole;
      bytes[i] = value;
      reset_largest_allocation();
      (void)read(bytes);
      EXPECT_LT(largest_allocation(), 64u << 10) << i;
    }
  }
}

TEST(GgufBad, NamesInMessagesArePrintable) {
  GgufBytes file = good();
  file.key("evil\x1b[2J", 255, Bytes());
  expect_bad(file.build(), {"evil\\x1b[2J"});
}

}  // namespace
}  // namespace tern::io
