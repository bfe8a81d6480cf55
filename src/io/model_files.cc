#include "io/model_files.h"

#include <algorithm>
#include <optional>

#include "io/file.h"
#include "io/gguf.h"
#include "io/safetensors.h"
#include "io/sniff.h"
#include "io/text.h"

namespace tern::io {
namespace {

constexpr uint64_t kMaxConfigBytes = 1u << 20;
constexpr uint64_t kMaxTokenizerConfigBytes = 16u << 20;  // lists every added token
constexpr uint64_t kMaxTokenizerBytes = 64u << 20;        // 260k tokens with merges are 33 MB
constexpr uint64_t kMaxTemplateBytes = 1u << 20;          // the longest known are 20 kB

Result<void> check_template(const std::string& text) {
  if (text.size() <= kMaxTemplateBytes) return {};
  return fail(ErrorCode::kInvalidFile, "The chat template has {} bytes, at most {} are allowed.", grouped(text.size()),
              grouped(kMaxTemplateBytes));
}

/// null when the file does not exist.
Result<Json> read_optional_json(const std::string& folder, std::string_view name, uint64_t limit,
                                std::string_view what) {
  const std::string path = join_path(folder, name);
  if (!file_exists(path)) return Json();
  const std::string text = TRY(read_text(path, limit, what));
  Json json = TRY_CTX(parse_json(text), "while reading {}", name);
  if (!json.is_object()) {
    return fail(ErrorCode::kInvalidFile, "{} is JSON of type {}, expected an object.", path, json.type_name());
  }
  return json;
}

/// tokenizer_config.json's "chat_template": a text, or a list of {"name", "template"} of which "default" is taken.
Result<std::string> template_of(const Json& tokenizer_config) {
  const Json* field = json_find(tokenizer_config, "chat_template");
  if (!field) return std::string();
  if (const auto* text = field->get_ptr<const std::string*>()) return *text;
  if (field->is_array()) {
    for (const Json& item : *field) {
      if (TRY(json_string(item, "name", "")) == "default") return json_string(item, "template");
    }
  }
  return fail(ErrorCode::kInvalidFile,
              "Field \"chat_template\" of tokenizer_config.json is neither a text nor a list with one named "
              "\"default\".");
}

/// The file that leads to all weights of a folder: the single file or the index of its shards.
Result<std::string> weights_of(const std::string& folder, const std::vector<std::string>& names) {
  const auto has = [&](std::string_view name) { return std::ranges::find(names, name) != names.end(); };
  for (const std::string_view name : {"model.safetensors", "model.safetensors.index.json"}) {
    if (has(name)) return join_path(folder, name);
  }
  std::vector<std::string> found;
  std::ranges::copy_if(names, std::back_inserter(found), [](const auto& n) { return n.ends_with(".safetensors"); });
  if (found.size() == 1) return join_path(folder, found[0]);
  if (found.size() > 1) {
    return fail(ErrorCode::kNotFound,
                "{} has {} safetensors files but no model.safetensors.index.json that ties them together. Download it "
                "too.",
                folder, found.size());
  }
  if (std::ranges::any_of(names, [](const auto& n) { return n.ends_with(".bin") || n.ends_with(".pth"); })) {
    return fail(
        ErrorCode::kUnsupported,
        "{} has its weights only in PyTorch's pickle format (.bin, .pth), which can run code when it is opened. "
        "Use the model's safetensors files, or convert it with save_pretrained(..., safe_serialization=True).",
        folder);
  }
  return fail(ErrorCode::kNotFound, "{} has config.json but no model.safetensors. Download the weights into it.",
              folder);
}

/// `weights`: the path of a safetensors file or index in `folder`, which has a config.json.
Result<ModelFiles> open_hugging_face(const std::string& folder, const std::string& weights) {
  ModelFiles model;
  model.kind = ModelFiles::Kind::kHuggingFace;
  model.name = base_name(folder);
  if (model.name == "." || model.name == "..") model.name = base_name(weights);
  model.config = TRY(read_optional_json(folder, "config.json", kMaxConfigBytes, "a configuration"));
  if (model.config.is_null()) {
    return fail(ErrorCode::kNotFound, "There is no config.json beside {}: it tells what the weights mean.", weights);
  }
  model.weights = TRY(open_safetensors(weights, model.config));
  model.generation_config =
      TRY(read_optional_json(folder, "generation_config.json", kMaxConfigBytes, "a configuration"));
  model.tokenizer = TRY(read_optional_json(folder, "tokenizer.json", kMaxTokenizerBytes, "a tokenizer"));
  model.tokenizer_config =
      TRY(read_optional_json(folder, "tokenizer_config.json", kMaxTokenizerConfigBytes, "a tokenizer's configuration"));
  const std::string jinja = join_path(folder, "chat_template.jinja");
  if (file_exists(jinja)) {
    model.chat_template = TRY(read_text(jinja, kMaxTemplateBytes, "a chat template"));
  } else {
    model.chat_template = TRY(template_of(model.tokenizer_config));
    TRY(check_template(model.chat_template));
  }
  return model;
}

/// "x-00002-of-00003.gguf" -> 2; 0 for other names.
uint32_t part_number(std::string_view name) {
  constexpr std::string_view kShape = "-00000-of-00000.gguf";
  if (name.size() < kShape.size()) return 0;
  const std::string_view tail = name.substr(name.size() - kShape.size());
  uint32_t number = 0;
  for (size_t i = 0; i < kShape.size(); ++i) {
    const bool digit = tail[i] >= '0' && tail[i] <= '9';
    if (kShape[i] == '0' ? !digit : tail[i] != kShape[i]) return 0;
    if (i >= 1 && i <= 5) number = number * 10 + static_cast<uint32_t>(tail[i] - '0');
  }
  return number;
}

Result<ModelFiles> from_gguf(std::string name, Gguf gguf) {
  ModelFiles model;
  model.name = std::move(name);
  model.chat_template = TRY(gguf.metadata.get_string("tokenizer.chat_template", ""));
  TRY(check_template(model.chat_template));
  model.weights = std::move(gguf.weights);
  model.metadata = std::move(gguf.metadata);
  return model;
}

Result<ModelFiles> open_gguf_path(const std::string& path) {
  Gguf gguf = TRY(open_gguf_file(path));
  return from_gguf(base_name(path), std::move(gguf));
}

Result<ModelFiles> open_folder(const std::string& folder) {
  const std::vector<std::string> names = TRY(list_directory(folder));
  const bool has_config = std::ranges::find(names, "config.json") != names.end();
  std::vector<std::string> ggufs;  // of a split model, its first part
  for (const std::string& name : names) {
    if (name.ends_with(".gguf") && part_number(name) <= 1) ggufs.push_back(name);
  }
  const bool has_safetensors = std::ranges::any_of(names, [](const auto& n) { return n.contains(".safetensors"); });
  if (has_config && (has_safetensors || ggufs.empty())) {
    const std::string weights = TRY(weights_of(folder, names));
    return open_hugging_face(folder, weights);
  }
  if (ggufs.size() == 1) return open_gguf_path(join_path(folder, ggufs[0]));
  if (ggufs.size() > 1) {
    return fail(ErrorCode::kInvalidArgument, "{} holds {} GGUF models ({}, {}, ...). Name one of them.", folder,
                ggufs.size(), ggufs[0], ggufs[1]);
  }
  return fail(ErrorCode::kNotFound, "{} holds neither config.json with safetensors nor a .gguf file.", folder);
}

Result<ModelFiles> open_path(const std::string& path) {
  if (is_directory(path)) return open_folder(path);
  const std::unique_ptr<ByteSource> file = TRY(open_file(path));
  const FileKind kind = TRY(sniff(*file));
  if (kind == FileKind::kGguf) return open_gguf_path(path);
  const std::string folder = parent_directory(path);
  // One shard of several stands for all of them.
  const std::string index = join_path(folder, "model.safetensors.index.json");
  const bool is_shard = base_name(path).contains("-of-") && file_exists(index);
  return open_hugging_face(folder, is_shard ? index : path);
}

}  // namespace

Result<ModelFiles> open_model(const std::string& path) {
  return TRY_CTX(open_path(path), "while loading {}", path);
}

Result<ModelFiles> open_gguf(std::vector<std::unique_ptr<ByteSource>> parts) {
  const std::string name = parts.empty() ? "" : parts[0]->name();
  Gguf gguf = TRY(read_gguf(std::move(parts)));
  return from_gguf(name, std::move(gguf));
}

}  // namespace tern::io
