// A backend that is lost when told: everything else is done by the one inside. After the loss nothing works any more.
#pragma once

#include <memory>

#include "backends/backend.h"

namespace tern::engine {

class LossyBackend : public backends::Backend {
 public:
  /// lose_at: number of the submit, from 1, whose step is never done.
  LossyBackend(std::unique_ptr<backends::Backend> inside, uint64_t lose_at)
      : inside_(std::move(inside)), lose_at_(lose_at) {}

  const graph::Target& target() const override { return inside_->target(); }
  Result<graph::Plan> lower(graph::Graph graph, const graph::PlanKey& key) const override {
    return inside_->lower(std::move(graph), key);
  }
  Result<backends::Buffer> alloc(uint64_t bytes, backends::Usage usage) override {
    return inside_->alloc(bytes, usage);
  }
  Result<backends::Buffer> import_host(std::span<const std::span<const std::byte>> pieces) override {
    return inside_->import_host(pieces);
  }
  uint64_t weight_bytes(const graph::Plan& plan, uint32_t weight) const override {
    return inside_->weight_bytes(plan, weight);
  }
  Result<void> upload_rows(const graph::Plan& plan, uint32_t weight, backends::Buffer buffer, uint32_t row0,
                           std::span<const std::byte> rows) override {
    return inside_->upload_rows(plan, weight, buffer, row0, rows);
  }
  void free(backends::Buffer buffer) override { inside_->free(buffer); }
  Result<backends::PlanId> load(const graph::Plan& plan, std::span<const backends::Buffer> weights,
                                std::span<const backends::Buffer> keys, std::span<const backends::Buffer> values,
                                uint32_t n_pages) override {
    return inside_->load(plan, weights, keys, values, n_pages);
  }
  void unload(backends::PlanId plan) override { inside_->unload(plan); }
  Result<backends::Ticket> submit(backends::PlanId plan, const graph::StepParams& step) override {
    if (++submits_ > lose_at_) return fail(ErrorCode::kDeviceLost, "The device is gone.");
    return inside_->submit(plan, step);
  }
  Result<backends::Poll> poll(backends::Ticket ticket, uint32_t output, backends::OutputRoom out) override {
    if (submits_ >= lose_at_) return backends::Poll::kDeviceLost;
    return inside_->poll(ticket, output, out);
  }
  void wait(backends::Ticket ticket) override {
    if (submits_ < lose_at_) inside_->wait(ticket);
  }

 private:
  std::unique_ptr<backends::Backend> inside_;
  uint64_t submits_ = 0, lose_at_;
};

}  // namespace tern::engine
