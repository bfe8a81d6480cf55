#include "models/common/load.h"

#include <algorithm>
#include <vector>

#include "model_list.h"
#include "models/common/architecture.h"
#include "models/common/writer.h"

namespace tern::models {
namespace {

// Classifiers and encoders share model_type with the language models, but have no head.
Result<void> check_is_language_model(const Json& config) {
  const Json* classes = json_find(config, "architectures");
  if (!classes || !classes->is_array()) return {};
  for (const Json& item : *classes) {
    const std::string name = item.is_string() ? item.get<std::string>() : "";
    if (name.ends_with("ForCausalLM") || name.ends_with("ForConditionalGeneration")) continue;
    return fail(ErrorCode::kUnsupported, "architectures has {}, supported are models that end in ForCausalLM.",
                shown(name));
  }
  return {};
}

Result<const Architecture*> find_hf(const Json& config) {
  TRY(check_is_language_model(config));
  const std::string type = TRY_CTX(json_string(config, "model_type"), "while reading config.json");
  std::vector<std::string_view> supported;
  for (const Architecture* arch : kArchitectures) {
    if (std::ranges::find(arch->hf_types, type) != arch->hf_types.end()) return arch;
    supported.insert(supported.end(), arch->hf_types.begin(), arch->hf_types.end());
  }
  return fail(ErrorCode::kUnsupported, "model_type in config.json is {}, supported are {}.", shown(type),
              fmt::join(supported, ", "));
}

Result<const Architecture*> find_gguf(const io::Metadata& metadata) {
  const std::string name = TRY_CTX(metadata.get_string("general.architecture"), "while reading GGUF metadata");
  std::vector<std::string_view> supported;
  for (const Architecture* arch : kArchitectures) {
    if (arch->name != arch->gguf_name) continue;  // its GGUF files are another architecture's
    if (arch->name == name) return arch;
    supported.push_back(arch->name);
  }
  return fail(ErrorCode::kUnsupported, "general.architecture is {}, supported are {}.", shown(name),
              fmt::join(supported, ", "));
}

}  // namespace

Result<const Architecture*> find_architecture(const io::ModelFiles& files) {
  return files.kind == io::ModelFiles::Kind::kGguf ? find_gguf(files.metadata) : find_hf(files.config);
}

Result<BuiltModel> build_model(const io::ModelFiles& files, uint32_t context) {
  const Architecture* arch = TRY(find_architecture(files));
  BuiltModel built;
  built.graph.hparams = TRY(read_hparams(files, *arch));
  const Hparams& hp = built.graph.hparams;
  graph::Builder builder(hp.n_layers, hp.n_kv_heads, hp.head_dim);
  const TensorNames names(files, *arch);
  ModelWriter writer(hp, names, builder, context == 0 ? hp.context : context);
  arch->build(writer);
  if (writer.error()) {
    Error error = *writer.error();
    error.context.push_back(fmt::format("while building the {} model", arch->name));
    return std::unexpected(std::move(error));
  }
  built.graph.graph = TRY_CTX(builder.finish(), "while building the {} model", arch->name);
  built.tensors = writer.take_tensors();
  return built;
}

Result<ModelGraph> build_graph(const io::ModelFiles& files, uint32_t context) {
  return TRY(build_model(files, context)).graph;
}

}  // namespace tern::models
