// Any bytes as a chat template, applied to a conversation with tools. The budget of a rendering bounds time and memory.
#include <string>

#include "text/chat_template.h"

using namespace tern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Json conversation = *parse_json(R"({
    "messages": [{"role": "system", "content": "  Be brief. "}, {"role": "user", "content": "Größe <b>?\n"},
                 {"role": "assistant", "content": null,
                  "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1.5}}}]},
                 {"role": "tool", "content": {"a": [1, true, null]}}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    "extra": {"n": 3, "l": [3, 1, 2], "s": "hello", "d": {"k": "v", "n": {"x": -1}}}})");
  const auto chat = text::ChatTemplate::parse(std::string(reinterpret_cast<const char*>(data), size));
  if (!chat) return 0;
  text::RenderOptions options{.bos_token = "<s>", .eos_token = "</s>"};
  options.tools = conversation["tools"];
  options.extra = conversation["extra"];
  options.now = std::chrono::sys_seconds(std::chrono::seconds(1'720'000'000));
  (void)chat->render(conversation["messages"], options);
  return 0;
}
