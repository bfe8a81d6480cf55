// The C ABI of the WebAssembly module (web/src/engine.ts is its other side). Strings go out as NUL-terminated JSON,
// {"error": ..., "code": ...} or a result, that stays valid until the next call; texts come in through tern_alloc and
// stay the caller's. Nothing blocks: between two calls of tern_pump JavaScript waits for the GPU.

#include <cstdlib>
#include <string>

#include "apps/wasm/session.h"

/// How much of the weights is placed, in bytes. Called while tern_open and tern_load_step run.
extern "C" __attribute__((import_module("tern_host"), import_name("progress"))) void tern_host_progress(double done,
                                                                                                        double total);

#define EXPORT(name) extern "C" __attribute__((export_name(#name)))

namespace tern::wasm {
namespace {

// The module's whole state. JavaScript has no other handle on it, hence the one global in Tern.
struct Module {
  Session session;
  std::string answer;           // what the last call returned
  std::vector<uint32_t> words;  // what tern_plan returned
};
Module& module() {
  static Module instance;
  return instance;
}

/// TernErrorCode of web/src/errors.ts.
const char* code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kInvalidFile:
      return "invalid";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kNotFound:
      return "not-found";
    case ErrorCode::kIo:
      return "storage";
    case ErrorCode::kOutOfMemory:
      return "memory";
    case ErrorCode::kDeviceLost:
      return "gpu";
    case ErrorCode::kInternal:
      break;
  }
  return "internal";
}

const char* answer(const Result<Json>& result) {
  const Json value =
      result ? *result : Json{{"error", result.error().to_string()}, {"code", code_name(result.error().code)}};
  module().answer = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return module().answer.c_str();
}

}  // namespace
}  // namespace tern::wasm

using tern::wasm::answer;
using tern::wasm::module;

EXPORT(tern_alloc) void* tern_alloc(size_t bytes) {
  return std::malloc(bytes);
}
EXPORT(tern_free) void tern_free(void* pointer) {
  std::free(pointer);
}
EXPORT(tern_open) const char* tern_open(const char* text, size_t size) {
  return answer(module().session.open({text, size}, [](uint64_t done, uint64_t total) {
    tern_host_progress(static_cast<double>(done), static_cast<double>(total));
  }));
}
EXPORT(tern_load_step) const char* tern_load_step() {
  return answer(module().session.load_step());
}
EXPORT(tern_submit) const char* tern_submit(const char* text, size_t size) {
  return answer(module().session.submit({text, size}));
}
EXPORT(tern_cancel) void tern_cancel(double id) {
  module().session.cancel(static_cast<uint64_t>(id));
}
EXPORT(tern_pump) const char* tern_pump() {
  return answer(module().session.pump());
}
EXPORT(tern_stats) const char* tern_stats() {
  return answer(module().session.stats());
}
EXPORT(tern_tokenize) const char* tern_tokenize(const char* text, size_t size) {
  return answer(module().session.tokenize({text, size}));
}
EXPORT(tern_detokenize) const char* tern_detokenize(const char* text, size_t size) {
  return answer(module().session.detokenize({text, size}));
}
/// {"words": n, "at": address}: valid until the next call of tern_plan.
EXPORT(tern_plan) const char* tern_plan() {
  auto words = module().session.plan();
  if (!words) return answer(std::unexpected(words.error()));
  module().words = std::move(*words);
  return answer(
      tern::Json{{"words", module().words.size()}, {"at", reinterpret_cast<uintptr_t>(module().words.data())}});
}
