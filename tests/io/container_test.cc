// Memory limits of control groups, from files laid out as the kernel lays them out.
#include "io/container.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tern::io {
namespace {

class Container : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(root_); }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void file(const std::string& path, const std::string& text) {
    const std::filesystem::path full = root_ / path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full) << text << "\n";
  }
  std::optional<uint64_t> limit() const { return container_memory_limit(root_ / "self", root_ / "fs"); }

 private:
  std::filesystem::path root_ =
      std::filesystem::temp_directory_path() / testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(Container, Version2TakesTheLeastOfTheGroupAndThoseAroundIt) {
  file("self", "0::/outer/inner");
  file("fs/outer/inner/memory.max", "max");
  EXPECT_EQ(limit(), std::nullopt);
  file("fs/outer/memory.max", "2147483648");
  EXPECT_EQ(limit(), uint64_t{1} << 31);
  file("fs/outer/inner/memory.max", "1048576");
  EXPECT_EQ(limit(), uint64_t{1} << 20);
}

TEST_F(Container, Version2SeenFromInside) {
  file("self", "0::/");
  file("fs/memory.max", "1073741824");
  EXPECT_EQ(limit(), uint64_t{1} << 30);
}

TEST_F(Container, Version1) {
  file("self", "12:cpu,cpuacct:/a\n7:memory:/docker/f00\n1:name=systemd:/a");
  file("fs/memory/memory.limit_in_bytes", "9223372036854771712");
  EXPECT_EQ(limit(), std::nullopt) << "the kernel's way to write none";
  file("fs/memory/docker/f00/memory.limit_in_bytes", "536870912");
  EXPECT_EQ(limit(), uint64_t{1} << 29);
}

TEST_F(Container, NothingToReadIsNoLimit) {
  EXPECT_EQ(limit(), std::nullopt);
  file("self", "nonsense");
  file("fs/memory.max", "12 monkeys?");
  EXPECT_EQ(limit(), std::nullopt);
}

}  // namespace
}  // namespace tern::io
