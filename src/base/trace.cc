#include "base/trace.h"

#include <fmt/format.h>

#include <chrono>
#include <iterator>

namespace tern {

namespace {

uint64_t clock_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

/// Names are ours (ops, lanes); what JSON would need escaped is left out.
std::string plain(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\') out += c;
  }
  return out;
}

}  // namespace

Trace::Trace() : start_ns_(clock_ns()) {
  lanes_.reserve(kMostLanes);
}

uint32_t Trace::add_lane(std::string name) {
  if (lanes_.size() == kMostLanes) return UINT32_MAX;
  lanes_.push_back(std::make_unique<Lane>(Lane{.name = std::move(name), .spans = {}}));
  return static_cast<uint32_t>(lanes_.size() - 1);
}

void Trace::add(uint32_t lane, const Span& span) {
  if (lane >= kMostLanes) return;
  Lane& into = *lanes_.data()[lane];
  if (into.spans.size() < kMostSpans) {
    into.spans.push_back(span);
  } else {
    ++into.dropped;
  }
}

uint64_t Trace::now() const {
  return clock_ns() - start_ns_;
}

std::span<const Trace::Span> Trace::spans(std::string_view lane) const {
  for (const auto& one : lanes_) {
    if (one->name == lane) return one->spans;
  }
  return {};
}

void Trace::clear() {
  for (const auto& lane : lanes_) {
    lane->spans.clear();
    lane->dropped = 0;
  }
}

std::string Trace::to_json() const {
  std::string out = R"({"displayTimeUnit":"ns","traceEvents":[{"ph":"M","pid":1,"name":"process_name",)";
  out += R"("args":{"name":"tern"}})";
  const auto end = std::back_inserter(out);
  for (size_t lane = 0; lane < lanes_.size(); ++lane) {
    fmt::format_to(end, R"(,{{"ph":"M","pid":1,"tid":{},"name":"thread_name","args":{{"name":"{}"}}}})", lane,
                   plain(lanes_[lane]->name));
    fmt::format_to(end, R"(,{{"ph":"M","pid":1,"tid":{0},"name":"thread_sort_index","args":{{"sort_index":{0}}}}})",
                   lane);
    for (const Span& span : lanes_[lane]->spans) {
      fmt::format_to(end, R"(,{{"ph":"X","pid":1,"tid":{},"name":"{}","ts":{:.3f},"dur":{:.3f})", lane,
                     plain(span.name), static_cast<double>(span.begin_ns) * 1e-3,
                     static_cast<double>(span.end_ns - span.begin_ns) * 1e-3);
      if (span.bytes > 0 || span.operations > 0 || !span.of.empty()) {
        fmt::format_to(end, R"(,"args":{{"bytes":{:.0f},"operations":{:.0f},"of":"{}"}})", span.bytes, span.operations,
                       plain(span.of));
      }
      out += '}';
    }
    if (lanes_[lane]->dropped > 0) {
      fmt::format_to(end, R"(,{{"ph":"M","pid":1,"tid":{},"name":"dropped_spans","args":{{"count":{}}}}})", lane,
                     lanes_[lane]->dropped);
    }
  }
  out += "]}\n";
  return out;
}

}  // namespace tern
