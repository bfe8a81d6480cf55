// Errors as values. Everything below apps/ returns Result<T>; an Error is a full sentence plus the chain of
// what was being done ("while ..."), innermost first, so that a user sees the fact and the way to it.
#pragma once

#include <fmt/format.h>

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tern {

enum class ErrorCode {
  kInvalidArgument,  // the caller's request makes no sense
  kInvalidFile,      // a file, plan or message breaks its format
  kUnsupported,      // well-formed, but Tern cannot do it
  kNotFound,
  kIo,
  kOutOfMemory,
  kDeviceLost,
  kInternal,
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;               // full sentence: what is wrong, value found, value allowed, what to do
  std::vector<std::string> context;  // "while loading model.gguf", innermost first

  /// "message - while a - while b".
  std::string to_string() const {
    std::string out = message;
    for (const std::string& c : context) out += " - " + c;
    return out;
  }
};

template <class T>
using Result = std::expected<T, Error>;

/// `return fail(ErrorCode::kInvalidFile, "The magic is {:#x}, expected {:#x}.", a, b);`
template <class... Args>
std::unexpected<Error> fail(ErrorCode code, fmt::format_string<Args...> text, Args&&... args) {
  return std::unexpected(Error{code, fmt::format(text, std::forward<Args>(args)...), {}});
}

/// Prints the condition and aborts: for invariants of our own, never for input.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace tern

// auto x = TRY(expr);  returns the error of `expr` to the caller, else yields its value.
#define TRY(expr)                                                               \
  ({                                                                            \
    auto tern_result_ = (expr);                                                 \
    if (!tern_result_) return std::unexpected(std::move(tern_result_).error()); \
    *std::move(tern_result_);                                                   \
  })

// TRY_CTX(expr, "while reading tensor {}", name) adds a link to the chain.
#define TRY_CTX(expr, ...)                                     \
  ({                                                           \
    auto tern_result_ = (expr);                                \
    if (!tern_result_) {                                       \
      auto tern_error_ = std::move(tern_result_).error();      \
      tern_error_.context.push_back(fmt::format(__VA_ARGS__)); \
      return std::unexpected(std::move(tern_error_));          \
    }                                                          \
    *std::move(tern_result_);                                  \
  })

#define ASSERT(condition) \
  (static_cast<bool>(condition) ? void(0) : ::tern::assertion_failed(#condition, __FILE__, __LINE__))
