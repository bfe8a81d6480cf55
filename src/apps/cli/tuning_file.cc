#include "apps/cli/tuning_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "apps/cli/common.h"
#include "base/json.h"
#include "io/file.h"

namespace tern::cli {
namespace {

constexpr uint32_t kFormat = 1;
constexpr uint64_t kMostBytes = uint64_t{16} << 20;

Result<graph::Tuning> parse_tuning(const Json& entries) {
  graph::Tuning tuning;
  if (!entries.is_object()) return fail(ErrorCode::kInvalidFile, "An adapter has no object of shapes.");
  for (const auto& [work, numbers] : entries.items()) {
    if (!numbers.is_array()) return fail(ErrorCode::kInvalidFile, "The shape for {} is no list.", work);
    std::vector<uint32_t> shape;
    for (const Json& number : numbers) {
      const Json holder = {{"number", number}};
      shape.push_back(TRY_CTX(json_u32(holder, "number"), "in the shape for {}", work));
    }
    tuning[work] = std::move(shape);
  }
  return tuning;
}

Result<Tunings> parse_tunings(std::string_view text) {
  const Json json = TRY(parse_json(text));
  const uint32_t format = TRY(json_u32(json, "format"));
  if (format != kFormat)
    return fail(ErrorCode::kInvalidFile, "Its format is {}, this version reads {}.", format, kFormat);
  Tunings tunings;
  const Json* adapters = json_find(json, "adapters");
  if (!adapters || !adapters->is_object()) return fail(ErrorCode::kInvalidFile, "It has no object \"adapters\".");
  for (const auto& [name, entries] : adapters->items()) {
    tunings[name] = TRY_CTX(parse_tuning(entries), "of {}", name);
  }
  return tunings;
}

}  // namespace

std::string default_tuning_path() {
  return io::join_path(user_cache(), "gpu_tuning.json");
}

Result<Tunings> read_tunings(const std::string& path) {
  if (!io::file_exists(path)) return Tunings{};
  const std::string text = TRY(io::read_text(path, kMostBytes, "a tuning"));
  return TRY_CTX(parse_tunings(text), "while reading {}", path);
}

Result<void> write_tunings(const std::string& path, const Tunings& tunings) {
  Json adapters = Json::object();
  for (const auto& [name, tuning] : tunings) {
    Json entries = Json::object();
    for (const auto& [work, shape] : tuning) entries[work] = shape;
    adapters[name] = std::move(entries);
  }
  const Json json = {{"format", kFormat}, {"adapters", std::move(adapters)}};
  TRY(io::make_directories(io::parent_directory(path)));
  const std::string partial = path + ".part";
  std::ofstream out(partial, std::ios::binary);
  out << json.dump(1, ' ', false, Json::error_handler_t::replace) << '\n';
  out.close();
  if (out && std::rename(partial.c_str(), path.c_str()) == 0) return {};
  const std::string why = strerror(errno);
  std::remove(partial.c_str());
  return fail(ErrorCode::kNotFound, "{} cannot be written: {}.", path, why);
}

}  // namespace tern::cli
