#include "text/chat_template.h"

#include "text/jinja/interpreter.h"
#include "text/jinja/parser.h"
#include "text/unicode.h"

namespace tern::text {
namespace {

// Two million steps are half a second. A real conversation takes some hundreds per message.
constexpr jinja::Budget kBase = {2'000'000, 16 << 20};
constexpr int64_t kStepsPerByte = 50, kBytesPerByte = 200;

// The size of what a template is given, as a measure of what it may need.
int64_t size_of(const Json& json) {
  if (json.is_string()) return 16 + static_cast<int64_t>(json.get_ref<const std::string&>().size());
  int64_t size = 16;
  if (json.is_structured()) {
    for (const Json& item : json) size += size_of(item);
  }
  return size;
}

}  // namespace

struct ChatTemplate::Parsed {
  jinja::Body body;
};

ChatTemplate::ChatTemplate(std::unique_ptr<Parsed> parsed) : parsed_(std::move(parsed)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

Result<ChatTemplate> ChatTemplate::parse(std::string source) {
  if (source.size() > kMaxSource) {
    return fail(ErrorCode::kInvalidFile, "The chat template has {} bytes, at most {} are allowed.", source.size(),
                kMaxSource);
  }
  if (!is_valid_utf8(source)) return fail(ErrorCode::kInvalidFile, "The chat template is not valid UTF-8.");
  const std::vector<jinja::Token> tokens = TRY_CTX(jinja::tokenize(source), "while reading the chat template");
  auto parsed = std::make_unique<Parsed>();
  parsed->body = TRY_CTX(jinja::parse(tokens), "while reading the chat template");
  return ChatTemplate(std::move(parsed));
}

Result<std::string> ChatTemplate::render(const Json& messages, const RenderOptions& options) const {
  const int64_t given = size_of(messages) + size_of(options.tools) + size_of(options.extra);
  jinja::Heap heap({kBase.steps + given * kStepsPerByte, kBase.bytes + given * kBytesPerByte});
  const auto now = options.now.value_or(std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
  jinja::Interpreter interpreter(heap, now);
  interpreter.set_global("messages", TRY(heap.from_json(messages)));
  interpreter.set_global("tools", TRY(heap.from_json(options.tools)));
  interpreter.set_global("documents", jinja::Value::none());
  interpreter.set_global("add_generation_prompt", jinja::Value::of(options.add_generation_prompt));
  interpreter.set_global("bos_token", TRY(heap.string(options.bos_token)));
  interpreter.set_global("eos_token", TRY(heap.string(options.eos_token)));
  if (options.extra.is_object()) {
    for (const auto& [name, value] : options.extra.items()) {
      interpreter.set_global(name, TRY(heap.from_json(value)));
    }
  }
  return TRY_CTX(interpreter.run(parsed_->body), "while applying the chat template");
}

}  // namespace tern::text
