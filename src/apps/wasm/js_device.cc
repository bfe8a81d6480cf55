#include "apps/wasm/js_device.h"

#include <string>

#include "apps/wasm/target_json.h"
#include "backends/webgpu/device.h"
#include "backends/webgpu/webgpu_backend.h"

// Handles are small integers, 0 means that error() has a sentence. Sizes and offsets that may exceed 32 bits are f64.
#define IMPORT(name) __attribute__((import_module("tern_gpu"), import_name(#name)))
extern "C" {
/// A device: a handle from 1 on, 0 while it is being asked for, -1 when there is none.
IMPORT(open) int32_t tern_gpu_open();
/// Facts of the device as JSON; returns its size, of which at most `capacity` bytes were written.
IMPORT(facts) uint32_t tern_gpu_facts(int32_t device, char* out, uint32_t capacity);
IMPORT(close) void tern_gpu_close(int32_t device);
IMPORT(error) uint32_t tern_gpu_error(char* out, uint32_t capacity);
IMPORT(alloc) uint32_t tern_gpu_alloc(int32_t device, double bytes);
IMPORT(write) uint32_t tern_gpu_write(int32_t device, uint32_t buffer, double offset, const void* data, uint32_t size);
IMPORT(free) void tern_gpu_free(int32_t device, uint32_t buffer);
IMPORT(compile) uint32_t tern_gpu_compile(int32_t device, const uint32_t* plan, uint32_t n_words);
/// buffers: those of weights, then keys, then values.
IMPORT(load)
uint32_t tern_gpu_load(int32_t device, const uint32_t* plan, uint32_t n_words, const uint32_t* buffers,
                       uint32_t n_weights, uint32_t n_layers);
IMPORT(unload) void tern_gpu_unload(int32_t device, uint32_t plan);
IMPORT(submit)
double tern_gpu_submit(int32_t device, uint32_t plan, const tern::graph::StepCounts* counts, const void* params,
                       uint32_t size, uint32_t outputs);
/// 0 pending, 1 ready, 2 the device is lost, 3 an error.
IMPORT(poll) uint32_t tern_gpu_poll(int32_t device, double ticket, uint32_t output, void* out, uint32_t size);
}

namespace tern::wasm {
namespace {

/// Text of an import that writes at most `capacity` bytes and says how many there are.
template <class Call>
std::string read_text(const Call& call) {
  std::string text(1024, '\0');
  const uint32_t size = call(text.data(), static_cast<uint32_t>(text.size()));
  if (size > text.size()) {
    text.resize(size);
    call(text.data(), size);
  }
  text.resize(size);
  return text;
}

std::unexpected<Error> last_error(ErrorCode code) {
  return fail(code, "{}", read_text(tern_gpu_error));
}

class JsDevice final : public backends::webgpu::Device {
 public:
  JsDevice(int32_t device, graph::Target target) : device_(device), target_(std::move(target)) {}
  ~JsDevice() override { tern_gpu_close(device_); }

  const graph::Target& target() const override { return target_; }

  Result<uint32_t> alloc(uint64_t bytes) override {
    const uint32_t buffer = tern_gpu_alloc(device_, static_cast<double>(bytes));
    if (buffer == 0) return last_error(ErrorCode::kOutOfMemory);
    return buffer;
  }
  Result<void> write(uint32_t buffer, uint64_t offset, std::span<const std::byte> data) override {
    const auto size = static_cast<uint32_t>(data.size());
    if (tern_gpu_write(device_, buffer, static_cast<double>(offset), data.data(), size) != 0) return {};
    return last_error(ErrorCode::kInternal);
  }
  void free(uint32_t buffer) override { tern_gpu_free(device_, buffer); }

  Result<void> compile(std::span<const uint32_t> plan) override {
    if (tern_gpu_compile(device_, plan.data(), static_cast<uint32_t>(plan.size())) != 0) return {};
    return last_error(ErrorCode::kInvalidFile);
  }
  Result<uint32_t> load(std::span<const uint32_t> plan, std::span<const uint32_t> weights,
                        std::span<const uint32_t> keys, std::span<const uint32_t> values) override {
    std::vector<uint32_t> buffers(weights.begin(), weights.end());
    buffers.insert(buffers.end(), keys.begin(), keys.end());
    buffers.insert(buffers.end(), values.begin(), values.end());
    const uint32_t id = tern_gpu_load(device_, plan.data(), static_cast<uint32_t>(plan.size()), buffers.data(),
                                      static_cast<uint32_t>(weights.size()), static_cast<uint32_t>(keys.size()));
    if (id == 0) return last_error(ErrorCode::kInvalidFile);
    return id;
  }
  void unload(uint32_t plan) override { tern_gpu_unload(device_, plan); }

  Result<uint64_t> submit(uint32_t plan, const graph::StepCounts& n, std::span<const std::byte> params,
                          uint32_t outputs) override {
    const double ticket =
        tern_gpu_submit(device_, plan, &n, params.data(), static_cast<uint32_t>(params.size()), outputs);
    if (ticket == 0) return last_error(ErrorCode::kInternal);
    return static_cast<uint64_t>(ticket);
  }
  Result<backends::Poll> poll(uint64_t ticket, uint32_t output, std::span<std::byte> out) override {
    switch (
        tern_gpu_poll(device_, static_cast<double>(ticket), output, out.data(), static_cast<uint32_t>(out.size()))) {
      case 0:
        return backends::Poll::kPending;
      case 1:
        return backends::Poll::kReady;
      case 2:
        return backends::Poll::kDeviceLost;
      default:
        return last_error(ErrorCode::kInternal);
    }
  }
  void wait(uint64_t) override {}  // whoever would wait here lets JavaScript run instead

 private:
  int32_t device_;
  graph::Target target_;
};

}  // namespace

Result<std::unique_ptr<backends::Backend>> open_gpu() {
  const int32_t device = tern_gpu_open();
  if (device < 0) return last_error(ErrorCode::kNotFound);
  if (device == 0) return nullptr;
  const std::string facts = read_text([&](char* out, uint32_t size) { return tern_gpu_facts(device, out, size); });
  auto target = TRY_CTX(parse_target(facts), "while reading the facts of the GPU");
  return backends::webgpu::make_webgpu_backend(std::make_unique<JsDevice>(device, std::move(target)));
}

}  // namespace tern::wasm
