// random_model ARCHITECTURE FORMAT FILE: a GGUF of such a model with random weights (tests/models/random_model.h).
#include "models/random_model.h"

#include <cstdio>

int main(int argc, char** argv) {
  using namespace tern;
  if (argc != 4) return 2;
  const std::optional<Format> format = formats::from_name(argv[2]);
  if (!format) return 2;
  const auto written = test::RandomModelWriter::write({.architecture = argv[1], .format = *format}, argv[3]);
  if (!written) std::fprintf(stderr, "%s\n", written.error().to_string().c_str());
  return written ? 0 : 1;
}
