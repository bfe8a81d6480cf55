// What templates can call: filters, tests, methods and global functions, each a C++ function found by its name.
// They behave as those of Jinja 3.1 and Python 3 do; tojson and strftime_now as transformers defines them.
#pragma once

#include <array>
#include <chrono>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace tern::text::jinja {

struct Args {
  List positional;
  std::vector<std::pair<std::string, Value>> named;

  /// The values of the parameters `names`, in order; an argument that is not given is undefined. kInvalidFile for too
  /// many arguments and unknown names.
  template <size_t N>
  Result<std::array<Value, N>> bind(const char* const (&names)[N]) const {
    std::array<Value, N> values;
    TRY(bind_into(values.data(), names, N));
    return values;
  }
  Result<void> expect_none() const { return bind_into(nullptr, nullptr, 0); }
  Result<void> bind_into(Value* values, const char* const* names, size_t count) const;
};

/// What a builtin may use of the rendering.
struct Context {
  Heap& heap;
  std::chrono::sys_seconds now;  // of the local clock
};

Result<Value> apply_filter(Context& context, std::string_view name, const Value& input, const Args& args);
Result<bool> apply_test(Context& context, std::string_view name, const Value& input, const Args& args);
Result<Value> call_method(Context& context, const Method& method, const Args& args);
Result<Value> call_function(Context& context, std::string_view name, const Args& args);

bool has_test(std::string_view name);
bool has_filter(std::string_view name);
bool is_function(std::string_view name);
bool has_method(const Value& receiver, std::string_view name);

/// value.name and value[key] as Jinja resolves them; undefined where there is none.
Result<Value> get_attribute(Context& context, const Value& object, std::string_view name);
Result<Value> get_item(Context& context, const Value& object, const Value& key);
/// object[start:stop:step]; undefined or none where left out.
Result<Value> get_slice(Context& context, const Value& object, const Value& start, const Value& stop,
                        const Value& step);

/// "a.b.0" as map(attribute=...) and sort(attribute=...) take it.
Result<Value> get_path(Context& context, const Value& object, const Value& path);

/// Argument checks with a message: "`what` needs an integer, not a string".
Result<int64_t> integer_of(const Value& value, std::string_view what);
Result<const std::string*> string_of(const Value& value, std::string_view what);

/// One family of filters; each answers nullopt for a name it does not have. Strings and numbers, and lists.
using Filter = Result<Value> (*)(Context&, const Value&, const Args&);
struct NamedFilter {
  std::string_view name;
  Filter apply;
};
extern const std::initializer_list<NamedFilter> kTextFilters;
extern const std::initializer_list<NamedFilter> kListFilters;

}  // namespace tern::text::jinja
