// Global functions, and the finding of filters.
#include <algorithm>

#include "text/jinja/builtins.h"

namespace tern::text::jinja {
namespace {

using Function = Result<Value> (*)(Context&, const Args&);
struct NamedFunction {
  std::string_view name;
  Function call;
};

Result<Value> range(Context& context, const Args& args) {
  const size_t count = args.positional.size();
  if (count < 1 || count > 3) return fail(ErrorCode::kInvalidFile, "range takes 1 to 3 integers, not {}.", count);
  int64_t numbers[3] = {0, 0, 1};  // start, stop, step
  for (size_t i = 0; i < count; ++i) {
    numbers[count == 1 ? 1 : i] = TRY(integer_of(args.positional[i], "range"));
  }
  const auto [start, stop, step] = numbers;
  if (step == 0) return fail(ErrorCode::kInvalidFile, "The step of range is 0.");
  List items;
  for (int64_t i = start; step > 0 ? i < stop : i > stop;) {
    TRY(context.heap.spend(1));
    TRY(context.heap.claim(sizeof(Value)));
    items.push_back(Value::of(i));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return context.heap.list(std::move(items));
}

Result<Value> dict_of(Context& context, const Args& args, Kind kind) {
  Dict dict;
  if (args.positional.size() > 1) {
    return fail(ErrorCode::kInvalidFile, "One dict and named values are allowed, not {} values.",
                args.positional.size());
  }
  for (const Value& base : args.positional) {
    if (!base.is(Kind::kDict) && !base.is(Kind::kNamespace)) {
      return fail(ErrorCode::kInvalidFile, "A {} is no dict.", kind_name(base));
    }
    dict = *base.dict;
  }
  for (const auto& [name, value] : args.named) dict.set(TRY(context.heap.string(name)), value);
  return context.heap.dict(std::move(dict), kind);
}

Result<Value> dict(Context& context, const Args& args) {
  return dict_of(context, args, Kind::kDict);
}
Result<Value> make_namespace(Context& context, const Args& args) {
  return dict_of(context, args, Kind::kNamespace);
}

Result<Value> raise_exception(Context& context, const Args& args) {
  const auto [message] = TRY(args.bind({"message"}));
  return fail(ErrorCode::kInvalidArgument, "{}", TRY(to_str(context.heap, message)));
}

// One specifier of strftime in the C locale, which Python's is in practice.
void append_date(std::string& out, char specifier, std::chrono::sys_seconds now) {
  constexpr std::string_view kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                          "July",    "August",   "September", "October", "November", "December"};
  constexpr std::string_view kDays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
  const auto day = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(now - day);
  const unsigned month = static_cast<unsigned>(date.month()), weekday = std::chrono::weekday(day).c_encoding();
  const int year = static_cast<int>(date.year());
  const auto hour = time.hours().count();
  switch (specifier) {
    case 'Y':
      out += fmt::format("{}", year);
      break;
    case 'y':
      out += fmt::format("{:02}", year % 100);
      break;
    case 'm':
      out += fmt::format("{:02}", month);
      break;
    case 'd':
      out += fmt::format("{:02}", static_cast<unsigned>(date.day()));
      break;
    case 'e':
      out += fmt::format("{:2}", static_cast<unsigned>(date.day()));
      break;
    case 'B':
      out += kMonths[month - 1];
      break;
    case 'b':
      out += kMonths[month - 1].substr(0, 3);
      break;
    case 'A':
      out += kDays[weekday];
      break;
    case 'a':
      out += kDays[weekday].substr(0, 3);
      break;
    case 'j':
      out += fmt::format("{:03}", (day - std::chrono::sys_days(date.year() / 1 / 1)).count() + 1);
      break;
    case 'H':
      out += fmt::format("{:02}", hour);
      break;
    case 'I':
      out += fmt::format("{:02}", hour % 12 == 0 ? 12 : hour % 12);
      break;
    case 'p':
      out += hour < 12 ? "AM" : "PM";
      break;
    case 'M':
      out += fmt::format("{:02}", time.minutes().count());
      break;
    case 'S':
      out += fmt::format("{:02}", time.seconds().count());
      break;
    case '%':
      out += '%';
      break;
    default:
      out += {'%', specifier};
  }
}

Result<Value> strftime_now(Context& context, const Args& args) {
  const auto [format] = TRY(args.bind({"format"}));
  const std::string& text = *TRY(string_of(format, "strftime_now"));
  TRY(context.heap.claim(text.size() * 5));
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 1 < text.size()) {
      append_date(out, text[++i], context.now);
    } else {
      out += text[i];
    }
  }
  return context.heap.string(std::move(out));
}

constexpr NamedFunction kFunctions[] = {
    {"range", range},
    {"dict", dict},
    {"namespace", make_namespace},
    {"raise_exception", raise_exception},
    {"strftime_now", strftime_now},
};

const NamedFilter* find_filter(std::string_view name) {
  for (const auto& family : {kTextFilters, kListFilters}) {
    const auto it = std::ranges::find(family, name, &NamedFilter::name);
    if (it != family.end()) return it;
  }
  return nullptr;
}

}  // namespace

bool is_function(std::string_view name) {
  return std::ranges::find(kFunctions, name, &NamedFunction::name) != std::end(kFunctions);
}

Result<Value> call_function(Context& context, std::string_view name, const Args& args) {
  const auto it = std::ranges::find(kFunctions, name, &NamedFunction::name);
  ASSERT(it != std::end(kFunctions));
  if (name == "raise_exception") return it->call(context, args);  // the template's own words, nothing added
  return TRY_CTX(it->call(context, args), "while calling {}", name);
}

bool has_filter(std::string_view name) {
  return find_filter(name) != nullptr;
}

Result<Value> apply_filter(Context& context, std::string_view name, const Value& input, const Args& args) {
  const NamedFilter* filter = find_filter(name);
  if (!filter) return fail(ErrorCode::kUnsupported, "Tern does not know the filter \"{}\".", name.substr(0, 64));
  return filter->apply(context, input, args);
}

}  // namespace tern::text::jinja
