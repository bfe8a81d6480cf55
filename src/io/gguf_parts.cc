// A GGUF split into parts: "name-00001-of-00003.gguf", each a GGUF of its own. split.no (from 0), split.count and
// split.tensors.count (over all parts) tie them together; the first part holds the model's metadata.
#include <optional>
#include <utility>

#include "io/file.h"
#include "io/gguf.h"
#include "io/text.h"

namespace tern::io {
namespace {

struct SplitKeys {
  uint32_t no = 0, count = 1;
  std::optional<uint32_t> tensors;  // absent in files that were never split
};

Result<SplitKeys> split_keys(const Metadata& metadata) {
  SplitKeys keys;
  keys.count = TRY(metadata.get_u32("split.count", 1));
  if (keys.count <= 1) return SplitKeys{};
  keys.no = TRY(metadata.get_u32("split.no"));
  keys.tensors = TRY(metadata.get_u32("split.tensors.count"));
  if (keys.no >= keys.count) {
    return fail(ErrorCode::kInvalidFile, "Metadata key split.no is {}, allowed are 0 to {} (split.count is {}).",
                keys.no, keys.count - 1, keys.count);
  }
  return keys;
}

std::string part_name(std::string_view prefix, uint32_t no, uint32_t count) {
  return fmt::format("{}-{:05}-of-{:05}.gguf", prefix, no + 1, count);
}

/// The prefix of a name that part_name(prefix, no, count) gives; nullopt for any other name.
std::optional<std::string> part_prefix(std::string_view name, uint32_t no, uint32_t count) {
  const std::string suffix = part_name("", no, count);
  if (!name.ends_with(suffix)) return std::nullopt;
  return std::string(name.substr(0, name.size() - suffix.size()));
}

struct OpenPart {
  std::unique_ptr<ByteSource> source;
  GgufHeader header;
};

Result<Gguf> join(std::vector<OpenPart> parts) {
  Gguf model;
  std::vector<OpenPart*> by_no(parts.size(), nullptr);
  const SplitKeys first = TRY_CTX(split_keys(parts[0].header.metadata), "while loading {}", parts[0].source->name());
  for (OpenPart& part : parts) {
    const std::string& name = part.source->name();
    const SplitKeys keys = TRY_CTX(split_keys(part.header.metadata), "while loading {}", name);
    if (keys.count != first.count || keys.tensors != first.tensors) {
      return fail(ErrorCode::kInvalidFile,
                  "{} (one of {} parts with {} tensors) and {} (one of {} parts with {} tensors) are of different "
                  "models.",
                  parts[0].source->name(), first.count, first.tensors.value_or(0), name, keys.count,
                  keys.tensors.value_or(0));
    }
    if (keys.count != parts.size()) {
      return fail(ErrorCode::kInvalidFile, "{} is one of {} parts, but {} {} given. All parts are needed.", name,
                  keys.count, parts.size(), parts.size() == 1 ? "is" : "are");
    }
    if (by_no[keys.no]) {
      return fail(ErrorCode::kInvalidFile, "{} and {} are both part {} of {} (split.no {}).",
                  by_no[keys.no]->source->name(), name, keys.no + 1, keys.count, keys.no);
    }
    by_no[keys.no] = &part;
  }
  uint64_t n_tensors = 0;
  for (OpenPart* part : by_no) {
    const std::string name = part->source->name();
    const uint32_t source = model.weights.add_source(std::move(part->source));
    for (TensorInfo& tensor : part->header.tensors) {
      tensor.source = source;
      TRY_CTX(model.weights.add_tensor(std::move(tensor)), "while loading {}", name);
    }
    n_tensors += part->header.tensors.size();
  }
  if (first.tensors && *first.tensors != n_tensors) {
    return fail(ErrorCode::kInvalidFile,
                "The {} parts hold {} tensors but split.tensors.count is {}. A part is damaged or of another model.",
                parts.size(), n_tensors, *first.tensors);
  }
  model.metadata = std::move(by_no[0]->header.metadata);
  return model;
}

Result<OpenPart> open_part(std::unique_ptr<ByteSource> source) {
  OpenPart part{std::move(source), {}};
  part.header = TRY_CTX(read_gguf_header(*part.source), "while loading {}", part.source->name());
  return part;
}

Result<OpenPart> open_part(const std::string& path) {
  std::unique_ptr<ByteSource> source = TRY(open_file(path));
  return open_part(std::move(source));
}

}  // namespace

Result<Gguf> read_gguf(std::vector<std::unique_ptr<ByteSource>> sources) {
  if (sources.empty()) return fail(ErrorCode::kInvalidArgument, "No GGUF file is given, expected at least one.");
  std::vector<OpenPart> parts;
  for (auto& source : sources) parts.push_back(TRY(open_part(std::move(source))));
  return join(std::move(parts));
}

Result<Gguf> open_gguf_file(const std::string& path) {
  std::vector<OpenPart> parts;
  parts.push_back(TRY(open_part(path)));
  const std::string name = base_name(path);
  const SplitKeys keys = TRY_CTX(split_keys(parts[0].header.metadata), "while loading {}", name);
  if (keys.count == 1) return join(std::move(parts));
  const auto prefix = part_prefix(name, keys.no, keys.count);
  if (!prefix) {
    return fail(ErrorCode::kInvalidFile,
                "{} is part {} of {} of a split model, but is not named *{}. Give all parts their original names.",
                name, keys.no + 1, keys.count, part_name("", keys.no, keys.count));
  }
  for (uint32_t no = 0; no < keys.count; ++no) {
    if (no == keys.no) continue;
    const std::string sibling = join_path(parent_directory(path), part_name(*prefix, no, keys.count));
    if (!file_exists(sibling)) {
      return fail(ErrorCode::kNotFound, "Part {} of {} is missing: there is no {}. Download all parts into one folder.",
                  no + 1, keys.count, sibling);
    }
    parts.push_back(TRY(open_part(sibling)));
  }
  return join(std::move(parts));
}

}  // namespace tern::io
