#include "backends/backend.h"

#include "backends/cpu/cpu_backend.h"
#include "backends/ref/ref_backend.h"

namespace tern::backends {

Result<std::unique_ptr<Backend>> make_backend(std::string_view name, const BackendOptions& options) {
  if (name == "cpu") return make_cpu_backend(options);
  if (name == "ref") return make_ref_backend(options);
  return fail(ErrorCode::kNotFound, "There is no backend {}; there are cpu and ref.", name);
}

}  // namespace tern::backends
