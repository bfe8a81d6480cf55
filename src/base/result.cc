#include "base/result.h"

#include <cstdio>
#include <cstdlib>

namespace tern {

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "Internal error: %s does not hold (%s:%d). Please report this as a bug.\n", condition, file,
               line);
  std::abort();
}

}  // namespace tern
