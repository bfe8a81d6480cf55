// Tuner: measures the shapes that kernels offer (emitter.h: Choice) on a device, with a model's own weights.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "backends/webgpu/device.h"
#include "backends/webgpu/emitter.h"

namespace tern::backends::webgpu {

class Tuner {
 public:
  /// graph: after the passes. weights: one buffer per weight. All outlive this.
  Tuner(Device& device, const graph::Target& target, const graph::Graph& graph, std::span<const uint32_t> weights,
        const TuneOptions& options);
  ~Tuner();
  Tuner(const Tuner&) = delete;
  Tuner& operator=(const Tuner&) = delete;

  Result<std::vector<TunedShape>> run();

 private:
  struct Loaded {  // a plan for steps of n tokens
    uint32_t id = 0, n = 0;
    graph::ParamsLayout layout{};
    std::vector<Choice> choices;  // of the program for n tokens
  };

  Device& device_;
  const graph::Target& target_;
  const graph::Graph& graph_;
  std::span<const uint32_t> weights_;
  const TuneOptions& options_;
  std::vector<uint32_t> keys_, values_;  // one per layer
  bool has_times_ = false;

  Result<std::vector<Choice>> choices_for(uint32_t n) const;
  Result<void> make_cache(uint32_t pages);
  Result<Loaded> load(uint32_t n, const graph::Tuning& tuning);
  Result<uint64_t> step(const Loaded& loaded);
  Result<void> warm_up(const Loaded& loaded);
  Result<std::vector<double>> measure(const Loaded& loaded);
  Result<void> try_variant(uint32_t n, size_t variant, std::span<TunedShape> shapes, std::span<const Choice> choices);
  Result<std::vector<TunedShape>> tune(uint32_t n, const std::function<void()>& progress);
};

}  // namespace tern::backends::webgpu
