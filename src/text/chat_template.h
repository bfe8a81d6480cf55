// A model's chat template: conversations to the prompt that the model was trained on. The language is the part of Jinja
// in jinja/, run as transformers' apply_chat_template runs it.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace tern::text {

struct RenderOptions {
  bool add_generation_prompt = true;  // end with the beginning of the assistant's answer
  std::string bos_token, eos_token;   // as text; most templates write them themselves
  Json tools;                         // an array of function descriptions, or null
  Json extra;                         // an object: more variables for the template (documents, enable_thinking ...)
  /// What strftime_now() shows, as the local clock counts; absent: the system's clock in UTC.
  std::optional<std::chrono::sys_seconds> now;
};

class ChatTemplate {
 public:
  static constexpr size_t kMaxSource = 1 << 20;  // the longest template in use has some 20 kB

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  /// Errors: kInvalidFile for a source that is too long, not UTF-8 or not a template, with the line; kUnsupported for
  /// statements that Tern does not have.
  static Result<ChatTemplate> parse(std::string source);

  /// `messages`: an array of objects with "role" and "content", as the template expects them. The steps and the memory
  /// of a rendering are bounded in proportion to the conversation. Errors: kInvalidArgument with the template's words
  /// when it refuses the conversation (raise_exception), kInvalidFile for a template that fails, with its line.
  Result<std::string> render(const Json& messages, const RenderOptions& options) const;

 private:
  struct Parsed;
  explicit ChatTemplate(std::unique_ptr<Parsed> parsed);
  std::unique_ptr<Parsed> parsed_;
};

}  // namespace tern::text
