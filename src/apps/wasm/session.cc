#include "apps/wasm/session.h"

#include "apps/wasm/js_device.h"
#include "apps/wasm/request_json.h"
#include "engine/memory.h"

namespace tern::wasm {
namespace {

Result<graph::KvFormat> kv_format(const std::string& name) {
  if (name == "f32") return graph::KvFormat::kF32;
  if (name == "f16") return graph::KvFormat::kF16;
  if (name == "q8_0") return graph::KvFormat::kQ8_0;
  return fail(ErrorCode::kInvalidArgument, "\"kv\" is \"{}\", allowed are f32, f16 and q8_0.", name);
}

Result<engine::EngineOptions> engine_options(const Json& json) {
  engine::EngineOptions options;
  options.max_seqs = TRY(json_u32(json, "max_seqs", 1));
  options.context = TRY(json_u32(json, "context", 0));
  options.kv_tokens = TRY(json_u32(json, "kv_tokens", 0));
  options.max_tokens = std::max(TRY(json_u32(json, "chunk", 512)), options.max_seqs);
  const std::string kv = TRY(json_string(json, "kv", "f16"));
  options.kv_format = TRY(kv_format(kv));
  return options;
}

Result<std::unique_ptr<backends::Backend>> cpu() {
  return backends::make_backend("cpu", {});
}

/// The backend to begin with, and those to go on with when it is lost.
struct Devices {
  std::unique_ptr<backends::Backend> first;
  std::vector<engine::BackendFactory> others;
};

Result<Devices> devices_for(const Json& json) {
  const std::string device = TRY(json_string(json, "device", "cpu"));
  if (device == "cpu") return Devices{.first = TRY(cpu()), .others = {}};
  if (device != "gpu") {
    return fail(ErrorCode::kInvalidArgument, "\"device\" is \"{}\", allowed are cpu and gpu.", device);
  }
  auto gpu = TRY(open_gpu());
  if (!gpu) return fail(ErrorCode::kNotFound, "The GPU is not open yet; JavaScript asks for it first.");
  return Devices{.first = std::move(gpu), .others = {open_gpu, cpu}};
}

Json logprob_json(const engine::TokenLogprob& entry) {
  return {{"token", entry.token}, {"logprob", entry.logprob}};
}

Json event_json(const engine::Event& event) {
  Json entry = {{"id", event.request}};
  switch (event.kind) {
    case engine::Event::Kind::kToken:
      entry["token"] = event.token;
      if (event.logprob) {
        entry["logprob"] = event.logprob->logprob;
        Json top = Json::array();
        for (const engine::TokenLogprob& other : event.top_logprobs) top.push_back(logprob_json(other));
        entry["top"] = std::move(top);
      }
      break;
    case engine::Event::Kind::kText:
      entry["text"] = event.text;
      break;
    case engine::Event::Kind::kEmbedding:
      entry["embedding"] = event.embedding;
      break;
    case engine::Event::Kind::kFinished:
      entry["finished"] = engine::stop_reason_name(event.reason);
      if (!event.error.empty()) entry["error"] = event.error;
      break;
    case engine::Event::Kind::kDevice:
      entry["device"] = event.text;
      break;
  }
  return entry;
}

Json describe(const engine::Model& model) {
  const engine::MemoryEstimate memory =
      engine::estimate_memory(model.engine->plan(), *model.backend, model.engine->context(), model.hparams.vocab);
  return Json{{"arch", model.hparams.arch},
              {"name", model.files.name},
              {"vocab", model.hparams.vocab},
              {"context", model.engine->context()},
              {"device", model.backend->target().device},
              {"chat", model.chat_template.has_value()},
              {"weights_bytes", memory.weights},
              {"kv_bytes", memory.kv_cache}};
}

}  // namespace

Result<engine::Model*> Session::model() const {
  if (model_) return model_.get();
  return fail(ErrorCode::kInvalidArgument, "No model is loaded.");
}

Result<const text::Tokenizer*> Session::tokenizer() const {
  const engine::Model& model = *TRY(this->model());
  if (model.tokenizer) return model.tokenizer.get();
  return fail(ErrorCode::kUnsupported, "{} has no tokenizer that is known here: {}", model.files.name,
              model.text_problem);
}

Result<Json> Session::open(std::string_view text, engine::Progress progress) {
  load_.reset();
  model_.reset();
  const Json json = TRY_CTX(parse_json(text), "while reading the options of a model");
  const std::string path = TRY(json_string(json, "path"));
  const engine::EngineOptions options = TRY(engine_options(json));
  io::ModelFiles files = TRY(io::open_model(path));
  Devices devices = TRY(devices_for(json));
  load_ = TRY(engine::ModelLoad::begin(std::move(files), std::move(devices.first), options, progress,
                                       std::move(devices.others)));
  return Json::object();
}

Result<Json> Session::load_step() {
  if (!load_) return fail(ErrorCode::kInvalidArgument, "No model is being loaded.");
  if (TRY(load_->step())) return Json{{"done", false}};
  auto model = load_->finish();
  load_.reset();
  model_ = TRY(std::move(model));
  return Json{{"done", true}, {"model", describe(*model_)}};
}

Result<Json> Session::submit(std::string_view text) {
  engine::Model& model = *TRY(this->model());
  engine::Request request = TRY(parse_request(model, text));
  const size_t prompt_tokens = request.prompt.size();
  const engine::RequestId id = TRY(model.engine->submit(std::move(request)));
  return Json{{"id", id}, {"prompt_tokens", prompt_tokens}};
}

void Session::cancel(engine::RequestId id) {
  if (model_) model_->engine->cancel(id);
}

Result<Json> Session::pump() {
  engine::Model& model = *TRY(this->model());
  std::vector<engine::Event> events;
  const auto state = model.engine->pump(events);
  Json list = Json::array();
  for (const engine::Event& event : events) list.push_back(event_json(event));
  return Json{{"idle", state == engine::Engine::State::kIdle}, {"events", std::move(list)}};
}

Result<Json> Session::stats() const {
  const engine::Model& model = *TRY(this->model());
  const engine::EngineStats stats = model.engine->stats();
  return Json{{"device", model.backend->target().device},
              {"steps", stats.steps},
              {"prompt_tokens", stats.prompt_tokens},
              {"shared_tokens", stats.shared_tokens},
              {"generated_tokens", stats.generated_tokens},
              {"device_losses", stats.device_losses},
              {"pages_total", stats.pages_total},
              {"pages_free", stats.pages_free},
              {"running", stats.running},
              {"waiting", stats.waiting}};
}

Result<Json> Session::tokenize(std::string_view text) const {
  const text::Tokenizer& tokenizer = *TRY(this->tokenizer());
  const Json json = TRY_CTX(parse_json(text), "while reading a text to tokenize");
  const std::string plain = TRY(json_string(json, "text"));
  return Json{{"tokens", TRY(tokenizer.encode(plain))}};
}

Result<Json> Session::detokenize(std::string_view text) const {
  const text::Tokenizer& tokenizer = *TRY(this->tokenizer());
  const Json json = TRY_CTX(parse_json(text), "while reading tokens");
  std::string bytes;
  for (const int32_t id : TRY(token_ids(json, "tokens"))) bytes += tokenizer.bytes_of(id);
  return Json{{"text", std::move(bytes)}};
}

Result<std::vector<uint32_t>> Session::plan() const {
  return graph::write_plan(TRY(model())->engine->plan());
}

}  // namespace tern::wasm
