// The C ABI of the WebAssembly module: load a model from memory, queue a request, pump for events. Strings go out as
// NUL-terminated JSON that stays valid until the next call; buffers come in through tern_alloc. One model at a time.

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "backends/backend.h"
#include "base/json.h"
#include "engine/model.h"
#include "engine/prompt.h"
#include "io/model_files.h"

#define EXPORT(name) extern "C" __attribute__((export_name(#name)))

namespace tern::wasm {
namespace {

// The module's whole state. JavaScript has no other handle on it, hence the one global in Tern.
struct Module {
  std::unique_ptr<engine::Model> model;
  std::string answer;  // what the last call returned
};
Module& module() {
  static Module instance;
  return instance;
}

// Bytes that JavaScript wrote into the heap; freed with the source.
class HeapSource final : public io::ByteSource {
 public:
  HeapSource(std::byte* data, size_t size) : data_(data), size_(size) {}
  ~HeapSource() override { std::free(data_); }
  uint64_t size() const override { return size_; }
  const std::string& name() const override { return name_; }
  Result<void> read(uint64_t offset, std::span<std::byte> out) const override {
    if (offset > size_ || out.size() > size_ - offset) {
      return fail(ErrorCode::kInvalidFile, "Bytes {} to {} are past the end of the model ({} bytes).", offset,
                  offset + out.size(), size_);
    }
    std::copy_n(data_ + offset, out.size(), out.data());
    return {};
  }
  std::span<const std::byte> mapped() const override { return {data_, size_}; }

 private:
  std::byte* data_;
  size_t size_;
  std::string name_ = "model";
};

const char* answer(const Json& value) {
  module().answer = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return module().answer.c_str();
}

const char* answer_error(const Error& error) {
  return answer({{"error", error.to_string()}});
}

Result<Json> load(std::byte* data, size_t size, uint32_t context) {
  module().model.reset();
  std::vector<std::unique_ptr<io::ByteSource>> sources;
  sources.push_back(std::make_unique<HeapSource>(data, size));
  io::ModelFiles files = TRY(io::open_gguf(std::move(sources)));
  auto backend = TRY(backends::make_backend("cpu", {}));
  module().model = TRY(engine::load_model(std::move(files), std::move(backend), {.max_seqs = 4, .context = context}));
  const engine::Model& model = *module().model;
  return Json{{"arch", model.hparams.arch}, {"vocab", model.hparams.vocab}, {"device", model.backend->target().device}};
}

// request: {"tokens": [...], "max_tokens": n, "temperature": t, "seed": s, "ignore_eos": b}
//       or {"messages": [...], ...}: rendered by the chat template.
Result<Json> submit(std::string_view text) {
  if (!module().model) return fail(ErrorCode::kInvalidArgument, "No model is loaded.");
  engine::Model& model = *module().model;
  const Json json = TRY(parse_json(text));
  engine::Request request;
  if (const Json* messages = json_find(json, "messages")) {
    request.prompt = TRY(engine::encode_chat(model, *messages));
  } else if (const Json* tokens = json_find(json, "tokens"); tokens && tokens->is_array()) {
    for (const Json& token : *tokens) {
      if (!token.is_number_unsigned()) return fail(ErrorCode::kInvalidArgument, "\"tokens\" must hold token ids.");
      request.prompt.push_back(static_cast<int32_t>(token.get<uint32_t>()));
    }
  }
  request.max_tokens = TRY(json_u32(json, "max_tokens", UINT32_MAX));
  request.sampling.temperature = static_cast<float>(TRY(json_number(json, "temperature", 0.8)));
  request.sampling.seed = TRY(json_u32(json, "seed", 0));
  request.ignore_eos = TRY(json_bool(json, "ignore_eos", false));
  return Json{{"id", TRY(model.engine->submit(std::move(request)))}};
}

Result<Json> pump() {
  if (!module().model) return fail(ErrorCode::kInvalidArgument, "No model is loaded.");
  std::vector<engine::Event> events;
  const auto state = module().model->engine->pump(events);
  Json list = Json::array();
  for (const engine::Event& event : events) {
    Json entry = {{"id", event.request}};
    switch (event.kind) {
      case engine::Event::Kind::kToken:
        entry["token"] = event.token;
        break;
      case engine::Event::Kind::kText:
        entry["text"] = event.text;
        break;
      case engine::Event::Kind::kFinished:
        entry["finished"] = engine::stop_reason_name(event.reason);
        if (!event.error.empty()) entry["error"] = event.error;
        break;
      case engine::Event::Kind::kDevice:
        entry["device"] = event.text;
        break;
    }
    list.push_back(std::move(entry));
  }
  return Json{{"idle", state == engine::Engine::State::kIdle}, {"events", std::move(list)}};
}

const char* finish(const Result<Json>& result) {
  return result ? answer(*result) : answer_error(result.error());
}

}  // namespace
}  // namespace tern::wasm

EXPORT(tern_alloc) void* tern_alloc(size_t bytes) {
  return std::malloc(bytes);
}
EXPORT(tern_free) void tern_free(void* pointer) {
  std::free(pointer);
}

/// Takes over `data` (from tern_alloc): a whole GGUF. context: 0 = the model's own.
EXPORT(tern_load) const char* tern_load(std::byte* data, size_t size, uint32_t context) {
  return tern::wasm::finish(tern::wasm::load(data, size, context));
}
/// {"id": n} or {"error": ...}; `text` stays the caller's.
EXPORT(tern_submit) const char* tern_submit(const char* text, size_t size) {
  return tern::wasm::finish(tern::wasm::submit({text, size}));
}
EXPORT(tern_cancel) void tern_cancel(double id) {
  if (tern::wasm::module().model) tern::wasm::module().model->engine->cancel(static_cast<uint64_t>(id));
}
/// {"idle": bool, "events": [...]} or {"error": ...}.
EXPORT(tern_pump) const char* tern_pump() {
  return tern::wasm::finish(tern::wasm::pump());
}
