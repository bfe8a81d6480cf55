// Trace: what happened when, on lanes: one per thread of the pool, one for the ops of the steps, one for the engine.
// to_json() is the Trace Event Format that Perfetto and chrome://tracing open ("Trace Event Format", complete events).
// Where nothing is traced there is no Trace: a null pointer is all that is looked at.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tern {

class Trace {
 public:
  struct Span {
    std::string_view name;  // outlives the trace: a literal, as op_name() gives, or from keep()
    uint64_t begin_ns = 0, end_ns = 0;
    double bytes = 0, operations = 0;  // that the work needed to read and write, to compute; 0: not known
    double int8_operations = 0, bf16_operations = 0;  // of the operations
    std::string_view of = {};  // what of the model it worked on, if that says more; outlives the trace, too
  };
  /// Spans kept per lane; later ones are only counted. 48 MB, some minutes of decoding.
  static constexpr size_t kMostSpans = 1'000'000;

  Trace();
  /// Recording from the start; while paused, who would add spans does not even look at the clock.
  void pause(bool paused) { recording_.store(!paused, std::memory_order_relaxed); }
  bool recording() const { return recording_.load(std::memory_order_relaxed); }
  /// A copy of a name for spans; the same one for the same text. One thread at a time.
  std::string_view keep(std::string_view name) { return *names_.emplace(name).first; }
  /// Adds a lane; lanes are shown in this order. One thread at a time; others may add spans meanwhile.
  uint32_t add_lane(std::string name);
  /// One thread at a time per lane. Lanes that were not added are ignored.
  void add(uint32_t lane, const Span& span);
  /// Nanoseconds since the trace was made.
  uint64_t now() const;

  // The rest while nobody adds.
  std::span<const Span> spans(std::string_view lane) const;  // of the first lane of this name
  void clear();                                              // the spans; lanes stay
  std::string to_json() const;

 private:
  struct Lane {
    std::string name;
    std::vector<Span> spans;
    uint64_t dropped = 0;
  };
  static constexpr size_t kMostLanes = 512;
  std::atomic<bool> recording_{true};
  uint64_t start_ns_;
  std::set<std::string, std::less<>> names_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // room for kMostLanes from the start, so that it never moves
};

/// Adds a span from its making to its end; does nothing when `trace` is null or paused.
class TraceScope {
 public:
  TraceScope(Trace* trace, uint32_t lane, std::string_view name)
      : trace_(trace && trace->recording() ? trace : nullptr), lane_(lane) {
    if (trace_) span_ = {.name = name, .begin_ns = trace_->now()};
  }
  ~TraceScope() {
    if (!trace_) return;
    span_.end_ns = trace_->now();
    trace_->add(lane_, span_);
  }
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;

 private:
  Trace* trace_;
  uint32_t lane_;
  Trace::Span span_;
};

}  // namespace tern
