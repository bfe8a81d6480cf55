// The cache file of repacked weights: what was written comes back, and nothing else is ever used.
#include "engine/weight_cache.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tern::engine {
namespace {

class WeightCache : public testing::Test {
 protected:
  void SetUp() override {
    for (size_t i = 0; i < big_.size(); ++i) big_[i] = static_cast<std::byte>(i * 31 >> 3);
    std::filesystem::remove_all(folder_);
    ASSERT_TRUE(write_cached_weights(path_, key_, std::vector<std::span<const std::byte>>{big_, {}, small_}));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// The message of the refusal.
  std::string refusal(const CacheKey& key, std::vector<uint64_t> lengths) const {
    const auto opened = CachedWeights::open(path_, key, lengths);
    return opened ? "opened" : opened.error().message;
  }
  std::string refusal() const { return refusal(key_, {big_.size(), 0, small_.size()}); }
  void overwrite(uint64_t offset) const {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset));
    file.put('\x5a');
  }

  std::vector<std::byte> big_ = std::vector<std::byte>(3'000'001), small_ = std::vector<std::byte>(5, std::byte{7});
  CacheKey key_{{1, 2}};
  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / testing::UnitTest::GetInstance()->current_test_info()->name();
  std::string path_ = folder_ / "made" / "on demand" / key_.file_name();
};

TEST_F(WeightCache, GivesBackWhatWasWritten) {
  const auto opened = CachedWeights::open(path_, key_, std::vector<uint64_t>{big_.size(), 0, small_.size()});
  ASSERT_TRUE(opened) << opened.error().to_string();
  EXPECT_TRUE(std::ranges::equal(opened->weight(0), big_));
  EXPECT_TRUE(opened->weight(1).empty());
  EXPECT_TRUE(std::ranges::equal(opened->weight(2), small_));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(opened->weight(2).data()) % 4096, 0u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_ / "made" / "on demand"), {}), 1);
}

TEST_F(WeightCache, RefusesWhatIsForeign) {
  EXPECT_NE(refusal({{1, 3}}, {big_.size(), 0, small_.size()}).find("another file"), std::string::npos);
  EXPECT_NE(refusal(key_, {big_.size(), 0}), "opened");
  EXPECT_NE(refusal(key_, {big_.size(), 0, small_.size() + 1}), "opened");
  std::ofstream(path_, std::ios::trunc) << std::string(10000, 'x');
  EXPECT_NE(refusal().find("is none"), std::string::npos);
}

TEST_F(WeightCache, RefusesWhatIsCutOffAnywhere) {
  const uint64_t size = std::filesystem::file_size(path_);
  for (const uint64_t length : {size - 1, size - 4096, size / 2, uint64_t{4096}, uint64_t{50}, uint64_t{8}}) {
    std::filesystem::resize_file(path_, length);
    EXPECT_NE(refusal(), "opened") << length;
  }
}

TEST_F(WeightCache, RefusesChangedHeadersAndSampledBytes) {
  for (const uint64_t offset : {uint64_t{9}, uint64_t{41}, uint64_t{49}, uint64_t{4096}, uint64_t{4096 + 2'999'999}}) {
    SetUp();
    ASSERT_EQ(refusal(), "opened");
    overwrite(offset);
    EXPECT_NE(refusal(), "opened") << offset;
  }
}

TEST_F(WeightCache, AFolderThatCannotBeWrittenIsAnError) {
  const auto written = write_cached_weights(path_ + "/below a file/x", key_, {});
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().message.find("Cannot make the folder"), std::string::npos);
}

TEST(CacheKey, DependsOnContentPlanAndLayout) {
  const auto key = [](std::byte content, uint32_t rows, std::string_view layout) {
    io::WeightIndex files;
    files.add_source(io::memory_source("model", std::vector<std::byte>(3 << 20, content)));
    graph::Plan plan;
    plan.weights.push_back({"w", Format::kF32, rows, 4, {{0, 0, rows}}, {}});
    return cache_key(files, plan, layout).value();
  };
  const CacheKey one = key(std::byte{1}, 2, "avx2 1");
  EXPECT_EQ(one, key(std::byte{1}, 2, "avx2 1"));
  EXPECT_NE(one, key(std::byte{2}, 2, "avx2 1"));
  EXPECT_NE(one, key(std::byte{1}, 3, "avx2 1"));
  EXPECT_NE(one, key(std::byte{1}, 2, "avx2 2"));
}

}  // namespace
}  // namespace tern::engine
