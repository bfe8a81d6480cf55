// Any words as a plan: refused, or valid, written back as the same words, and fit to be shown.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "graph/plan.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tern;
  std::vector<uint32_t> words(size / 4);
  if (!words.empty()) std::memcpy(words.data(), data, words.size() * 4);
  const Result<graph::Plan> plan = graph::read_plan(words);
  if (!plan) return 0;
  if (!graph::validate(*plan) || graph::write_plan(*plan) != words || graph::dump(*plan).empty()) std::abort();
  if (plan->n_layers > 0 && plan->page_bytes() == 0) std::abort();
  return 0;
}
