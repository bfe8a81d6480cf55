#include "base/trace.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/thread_pool.h"

namespace tern {
namespace {

TEST(Trace, JsonHasALanePerThreadAndTheSpansOnThem) {
  Trace trace;
  ThreadPool pool(3);
  pool.set_trace(&trace);
  pool.name_loops("work");
  const uint32_t engine = trace.add_lane("the \"engine\"\n");
  trace.add(engine, {.name = "step", .begin_ns = 1500, .end_ns = 4000, .bytes = 64, .operations = 128});
  for (int i = 0; i < 50; ++i) pool.parallel_for(300, 1, [](size_t, size_t, uint32_t) {});
  pool.parallel_for(1, 1, [](size_t, size_t, uint32_t) {});  // stays with the caller

  const auto json = parse_json(trace.to_json());
  ASSERT_TRUE(json) << json.error().to_string();
  std::vector<std::string> lanes;
  size_t work = 0;
  for (const Json& event : *json_find(*json, "traceEvents")) {
    const std::string name = *json_find(event, "name");
    if (name == "thread_name") lanes.push_back(*json_find(*json_find(event, "args"), "name"));
    work += name == "work";
    if (name != "step") continue;
    EXPECT_EQ(*json_find(event, "ts"), 1.5);  // microseconds
    EXPECT_EQ(*json_find(event, "dur"), 2.5);
    EXPECT_EQ(*json_find(*json_find(event, "args"), "bytes"), 64);
  }
  EXPECT_EQ(lanes, (std::vector<std::string>{"thread 0", "thread 1", "thread 2", "the engine"}));
  EXPECT_EQ(work, 50 * 12 + 1);
}

TEST(Trace, PausedRecordsNothing) {
  Trace trace;
  const uint32_t lane = trace.add_lane("a");
  trace.pause(true);
  {
    const TraceScope scope(&trace, lane, "x");
  }
  EXPECT_TRUE(trace.spans("a").empty());
  trace.pause(false);
  {
    const TraceScope scope(&trace, lane, "x");
  }
  {
    const TraceScope scope(nullptr, lane, "x");
  }
  ASSERT_EQ(trace.spans("a").size(), 1u);
  EXPECT_LE(trace.spans("a")[0].begin_ns, trace.spans("a")[0].end_ns);
  trace.clear();
  EXPECT_TRUE(trace.spans("a").empty());
  EXPECT_TRUE(trace.spans("no such lane").empty());
}

TEST(Trace, TooManyLanesAreLeftOut) {
  Trace trace;
  uint32_t last = 0;
  for (int i = 0; i < 600; ++i) last = trace.add_lane("lane");
  trace.add(last, {.name = "x"});
  EXPECT_EQ(trace.to_json().find("\"x\""), std::string::npos);
}

}  // namespace
}  // namespace tern
