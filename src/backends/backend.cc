#include "backends/backend.h"

#include "backends/cpu/cpu_backend.h"
#include "backends/ref/ref_backend.h"
#include "backends/webgpu/gpu_roofs.h"
#include "backends/webgpu/webgpu_backend.h"
#ifdef TERN_HAVE_NATIVE_GPU
#include "backends/webgpu/native/adapters.h"
#endif

namespace tern::backends {

namespace {

#ifdef TERN_HAVE_NATIVE_GPU
Result<std::unique_ptr<Backend>> make_gpu_backend(const BackendOptions& options) {
  const webgpu::NativeOptions limits{options.gpu_default_limits, options.gpu_no_f16, options.gpu_no_subgroups};
  auto device = TRY(webgpu::open_native_device(!options.gpu_hardware_only, limits));
  graph::Tuning tuning;
  if (options.gpu_tunings) {
    const auto found = options.gpu_tunings->find(device->target().adapter);
    if (found != options.gpu_tunings->end()) tuning = found->second;
  }
  return webgpu::make_webgpu_backend(std::move(device), {.expose_values = options.expose_values,
                                                         .threads = options.threads,
                                                         .trace = options.trace,
                                                         .tuning = std::move(tuning)});
}
#else
constexpr std::string_view kNoWgpu =
    "There is no WebGPU here: Tern was built without wgpu-native. `make setup` installs it; build again then.";

Result<std::unique_ptr<Backend>> make_gpu_backend(const BackendOptions&) {
  return fail(ErrorCode::kNotFound, "{}", kNoWgpu);
}
#endif

}  // namespace

Result<std::vector<GpuDescription>> list_gpus() {
#ifdef TERN_HAVE_NATIVE_GPU
  std::vector<GpuDescription> out;
  for (webgpu::AdapterFacts& adapter : TRY(webgpu::list_adapters())) {
    out.push_back({std::move(adapter.target), std::move(adapter.kind)});
  }
  return out;
#else
  return fail(ErrorCode::kNotFound, "{}", kNoWgpu);
#endif
}

Result<Roofs> measure_gpu(size_t index) {
#ifdef TERN_HAVE_NATIVE_GPU
  const auto device = TRY(webgpu::open_adapter(index));
  return webgpu::measure_gpu_roofs(*device);
#else
  return fail(ErrorCode::kNotFound, "There is no GPU {}. {}", index, kNoWgpu);
#endif
}

Result<std::unique_ptr<Backend>> make_backend(std::string_view name, const BackendOptions& options) {
  if (name == "cpu") return make_cpu_backend(options);
  if (name == "ref") return make_ref_backend(options);
  if (name == "gpu") return make_gpu_backend(options);
  return fail(ErrorCode::kNotFound, "There is no backend {}; there are cpu, gpu and ref.", name);
}

}  // namespace tern::backends
