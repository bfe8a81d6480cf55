// model.safetensors.index.json: {"metadata": ..., "weight_map": {tensor: "model-00001-of-00002.safetensors"}}.
#include <set>

#include "io/file.h"
#include "io/safetensors.h"
#include "io/text.h"

namespace tern::io {
namespace {

constexpr uint64_t kMaxIndexBytes = 64u << 20;

/// Shards lie in the folder of their index; a name that leads elsewhere is an attack or a mistake.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find_first_of(std::string_view("/\\\0", 3)) == name.npos;
}

Result<WeightIndex> open_sharded(const std::string& path, const Json& config) {
  const std::string text = TRY(read_text(path, kMaxIndexBytes, "an index of shards"));
  const Json index = TRY(parse_json(text));
  const Json* map = json_find(index, "weight_map");
  if (!map || !map->is_object() || map->empty()) {
    return fail(ErrorCode::kInvalidFile, "Field \"weight_map\" is missing or not an object that names tensors.");
  }
  std::set<std::string> names;
  for (const auto& [tensor, shard] : map->items()) {
    const auto* name = shard.get_ptr<const std::string*>();
    if (!name || !is_plain_name(*name)) {
      return fail(ErrorCode::kInvalidFile,
                  "Field \"weight_map\" places tensor {} in {}, expected the name of a file in the same folder.",
                  printable(tensor), printable(name ? *name : shard.type_name()));
    }
    names.insert(*name);
  }
  std::vector<std::unique_ptr<ByteSource>> shards;
  for (const std::string& name : names) {
    shards.push_back(TRY_CTX(open_file(join_path(parent_directory(path), name)),
                             "while opening one of {} shards; download all of them into one folder", names.size()));
  }
  // Each header is read twice (here and for the index): it is small, and the map is checked before anything is built.
  StringMap<std::string> place;
  for (const auto& shard : shards) {
    for (RawTensor& tensor : TRY_CTX(read_safetensors_header(*shard), "while loading {}", shard->name())) {
      place.try_emplace(std::move(tensor.name), shard->name());
    }
  }
  for (const auto& [tensor, shard] : map->items()) {
    const auto it = place.find(tensor);
    if (it == place.end() || it->second != *shard.get_ptr<const std::string*>()) {
      return fail(ErrorCode::kInvalidFile, "Tensor {} should be in {} but {}. The shards are of different models.",
                  printable(tensor), *shard.get_ptr<const std::string*>(),
                  it == place.end() ? "no shard has it" : "is in " + it->second);
    }
  }
  return read_safetensors(std::move(shards), config);
}

}  // namespace

Result<WeightIndex> open_safetensors(const std::string& path, const Json& config) {
  if (path.ends_with(".json")) return TRY_CTX(open_sharded(path, config), "while loading {}", base_name(path));
  std::vector<std::unique_ptr<ByteSource>> single;
  single.push_back(TRY(open_file(path)));
  return read_safetensors(std::move(single), config);
}

}  // namespace tern::io
