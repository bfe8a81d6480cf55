// Any bytes as a GGUF: read, described, its tensors read, and written down as a model.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "formats/format.h"
#include "io/model_files.h"
#include "models/common/load.h"

namespace {

using namespace tern;

/// Bytes that come only by read(), as in the browser.
class RangedSource final : public io::ByteSource {
 public:
  explicit RangedSource(std::span<const std::byte> bytes) : bytes_(bytes) {}
  uint64_t size() const override { return bytes_.size(); }
  const std::string& name() const override { return name_; }
  Result<void> read(uint64_t offset, std::span<std::byte> out) const override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) std::abort();  // readers check first
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return {};
  }

 private:
  std::span<const std::byte> bytes_;
  std::string name_ = "fuzz.gguf";
};

Result<io::ModelFiles> open(std::unique_ptr<io::ByteSource> source) {
  std::vector<std::unique_ptr<io::ByteSource>> parts;
  parts.push_back(std::move(source));
  return io::open_gguf(std::move(parts));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto ranged = open(std::make_unique<RangedSource>(bytes));
  const auto files = open(io::memory_source("fuzz.gguf", std::vector(bytes.begin(), bytes.end())));
  if (ranged.has_value() != files.has_value()) std::abort();
  if (!files) {
    if (ranged.error().to_string() != files.error().to_string()) std::abort();
    return 0;
  }
  for (const io::Metadata::Entry& entry : files->metadata.entries()) (void)io::describe(entry.value);
  for (uint32_t i = 0; i < files->weights.tensors().size(); ++i) {
    const io::TensorInfo& tensor = files->weights.tensors()[i];
    const uint64_t n = std::min<uint64_t>(tensor.rows(), 2);
    std::vector<std::byte> rows(n * formats::row_bytes(tensor.format, tensor.cols()).value());
    if (!files->weights.read_rows(i, tensor.rows() - n, n, rows)) std::abort();
    if (files->weights.mapped_rows(i, tensor.rows() - n, n).size() != rows.size()) std::abort();
  }
  (void)models::build_graph(*files);
  return 0;
}
