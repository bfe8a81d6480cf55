// Any bytes as a safetensors file, under each kind of quantisation that config.json can announce.
#include <cstdlib>

#include "formats/format.h"
#include "io/safetensors.h"

using namespace tern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr std::string_view kConfigs[] = {
      "{}", R"({"quantization_config":{"quant_method":"awq","bits":4,"group_size":128,"version":"gemm"}})",
      R"({"quantization_config":{"quant_method":"awq","bits":4,"group_size":128,"version":"gemv"}})",
      R"({"quantization_config":{"quant_method":"compressed-tensors","config_groups":{}}})"};
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  for (const std::string_view config : kConfigs) {
    std::vector<std::unique_ptr<io::ByteSource>> shards;
    shards.push_back(io::memory_source("fuzz.safetensors", std::vector(bytes.begin(), bytes.end())));
    const auto weights = io::read_safetensors(std::move(shards), parse_json(config).value());
    if (!weights) continue;
    for (uint32_t i = 0; i < weights->tensors().size(); ++i) {
      const io::TensorInfo& tensor = weights->tensors()[i];
      std::vector<std::byte> row(formats::row_bytes(tensor.format, tensor.cols()).value());
      if (!weights->read_rows(i, tensor.rows() - 1, 1, row)) std::abort();
      std::vector<float> values(tensor.cols());
      formats::decode_row(tensor.format, row.data(), values);
    }
  }
  return 0;
}
