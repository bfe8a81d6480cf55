// list_shaders FILE SAMPLE [SEED]: the shaders of every_plan.h as JSON, one a line: name, source, access of each
// binding
// ("r" or "w"). For web/test/shaders.test.ts.
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "base/json.h"
#include "webgpu/every_plan.h"

int main(int argc, char** argv) {
  using namespace tern;
  if (argc < 3) return 2;
  const auto number = [&](int i) { return i < argc ? static_cast<uint32_t>(std::strtoul(argv[i], nullptr, 10)) : 0; };
  const auto shaders = test::every_shader(std::max(number(2), 1u), number(3));
  if (!shaders) {
    std::fprintf(stderr, "%s\n", shaders.error().to_string().c_str());
    return 1;
  }
  std::ofstream out(argv[1], std::ios::binary);
  for (const graph::PlanPipeline& shader : *shaders) {
    std::string access;
    for (const graph::Access a : shader.access) access.push_back(a == graph::Access::kRead ? 'r' : 'w');
    out << Json{{"name", shader.name}, {"source", shader.source}, {"access", access}}.dump() << '\n';
  }
  out.close();
  return out ? 0 : 1;
}
