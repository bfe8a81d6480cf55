#include "backends/webgpu/compose.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>

#include "webgpu_kernels.h"

namespace tern::backends::webgpu {

void Constants::add(std::string_view name, uint32_t value) {
  entries_.push_back({std::string(name), fmt::format("{}u", value), value});
}

void Constants::add(std::string_view name, float value) {
  ASSERT(std::isfinite(value));
  entries_.push_back({std::string(name), fmt::format("{}f", value), 0});
}

namespace {

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

/// The first word of a line without its indentation.
bool begins(std::string_view line, std::string_view word) {
  const size_t at = line.find_first_not_of(' ');
  return at != std::string_view::npos && line.substr(at).starts_with(word);
}

class Unroller {
 public:
  explicit Unroller(const Constants& constants) : constants_(constants) {}

  Result<void> run(std::span<const std::string> lines, std::string& out) const {
    for (size_t i = 0; i < lines.size(); ++i) {
      if (!begins(lines[i], "$for ")) {
        out += lines[i];
        out += '\n';
        continue;
      }
      const size_t end = TRY(end_of_loop(lines, i));
      TRY(repeat(lines[i], lines.subspan(i + 1, end - i - 1), out));
      i = end;
    }
    return {};
  }

 private:
  const Constants& constants_;

  static Result<size_t> end_of_loop(std::span<const std::string> lines, size_t begin) {
    size_t depth = 0;
    for (size_t i = begin; i < lines.size(); ++i) {
      if (begins(lines[i], "$for ")) ++depth;
      if (begins(lines[i], "$end") && --depth == 0) return i;
    }
    return fail(ErrorCode::kInternal, "The loop \"{}\" has no $end.", lines[begin]);
  }

  Result<uint32_t> count(std::string_view text) const {
    uint32_t value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc()) return value;
    for (const Constants::Entry& entry : constants_.entries()) {
      if (entry.name == text) return entry.count;
    }
    return fail(ErrorCode::kInternal, "A loop runs to {}, which is no constant.", text);
  }

  Result<void> repeat(std::string_view head, std::span<const std::string> body, std::string& out) const {
    head.remove_prefix(head.find("$for ") + 5);
    const size_t space = std::min(head.find(' '), head.size() - 1);
    const std::string name = fmt::format("${}$", head.substr(0, space));
    const uint32_t n = TRY(count(head.substr(space + 1)));
    for (uint32_t i = 0; i < n; ++i) {
      std::vector<std::string> copy(body.begin(), body.end());
      for (std::string& line : copy) {
        for (size_t at = line.find(name); at != std::string::npos; at = line.find(name)) {
          line.replace(at, name.size(), fmt::format("{}", i));
        }
      }
      TRY(run(copy, out));
    }
    return {};
  }
};

}  // namespace

Result<std::string> compose(const std::vector<std::string_view>& files, const Constants& constants,
                            std::string_view features) {
  std::string out(features);
  for (const Constants::Entry& entry : constants.entries()) {
    out += fmt::format("const {} = {};\n", entry.name, entry.text);
  }
  const Unroller unroller(constants);
  for (const std::string_view name : files) {
    const auto* const end = std::end(kKernelFiles);
    const auto* const file = std::find_if(std::begin(kKernelFiles), end, [&](const auto& f) { return f.name == name; });
    if (file == end) return fail(ErrorCode::kInternal, "There is no kernel file {}.wgsl.", name);
    const std::vector<std::string_view> views = lines_of(file->text);
    const std::vector<std::string> lines(views.begin(), views.end());
    TRY_CTX(unroller.run(lines, out), "in {}.wgsl", name);
  }
  return out;
}

}  // namespace tern::backends::webgpu
