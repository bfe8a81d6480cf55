// Filters on lists and dicts.
#include <algorithm>

#include "text/jinja/builtins.h"
#include "text/jinja/operators.h"
#include "text/jinja/strings.h"
#include "text/unicode.h"

namespace tern::text::jinja {
namespace {

bool given(const Value& v) {
  return !v.is_undefined() && !v.is(Kind::kNone);
}

Result<Value> length(Context&, const Value& input, const Args& args) {
  TRY(args.expect_none());
  switch (input.kind) {
    case Kind::kUndefined:
      return Value::of(int64_t{0});
    case Kind::kString:
      return Value::of(static_cast<int64_t>(count_code_points(*input.string)));
    case Kind::kList:
    case Kind::kTuple:
      return Value::of(static_cast<int64_t>(input.list->size()));
    case Kind::kDict:
      return Value::of(static_cast<int64_t>(input.dict->items.size()));
    default:
      return fail(ErrorCode::kInvalidFile, "A {} has no length.", kind_name(input));
  }
}

Result<Value> first(Context& context, const Value& input, const Args& args) {
  TRY(args.expect_none());
  const List items = TRY(iterate(context.heap, input));
  return items.empty() ? context.heap.undefined("No first item, sequence was empty") : items.front();
}

Result<Value> last(Context& context, const Value& input, const Args& args) {
  TRY(args.expect_none());
  const List items = TRY(iterate(context.heap, input));
  return items.empty() ? context.heap.undefined("No last item, sequence was empty") : items.back();
}

Result<Value> to_list(Context& context, const Value& input, const Args& args) {
  TRY(args.expect_none());
  return context.heap.list(TRY(iterate(context.heap, input)));
}

Result<Value> reverse(Context& context, const Value& input, const Args& args) {
  TRY(args.expect_none());
  List items = TRY(iterate(context.heap, input));
  std::ranges::reverse(items);
  if (!input.is_string()) return context.heap.list(std::move(items));
  std::string text;
  for (const Value& item : items) text += *item.string;
  return context.heap.string(std::move(text));
}

Result<Value> join(Context& context, const Value& input, const Args& args) {
  const auto [separator, attribute] = TRY(args.bind({"d", "attribute"}));
  const std::string between = separator.is_undefined() ? "" : TRY(to_str(context.heap, separator));
  std::string out;
  bool begun = false;
  for (const Value& item : TRY(iterate(context.heap, input))) {
    if (begun) {
      TRY(context.heap.claim(between.size()));
      out += between;
    }
    begun = true;
    const Value value = given(attribute) ? TRY(get_path(context, item, attribute)) : item;
    TRY(append_str(context.heap, out, value));
  }
  return context.heap.string(std::move(out));
}

Result<Value> items(Context& context, const Value& input, const Args& args) {
  TRY(args.expect_none());
  if (input.is_undefined()) return context.heap.list({});
  if (!input.is(Kind::kDict)) return fail(ErrorCode::kInvalidFile, "items needs a dict, not a {}.", kind_name(input));
  return call_method(context, Method{input, "items"}, {});
}

// The filter or test whose name is the first argument, with the arguments behind it.
struct Call {
  std::string name;
  Args args;
};

Result<Call> call_from(const Args& args, size_t skip) {
  Call call;
  if (args.positional.size() > skip) {
    call.name = *TRY(string_of(args.positional[skip], "The name of a filter or test"));
    call.args.positional.assign(args.positional.begin() + static_cast<ptrdiff_t>(skip) + 1, args.positional.end());
  }
  call.args.named = args.named;
  return call;
}

// map, select and their kin take what is false (none above all) for an empty list.
Result<List> items_or_none(Context& context, const Value& input) {
  return truthy(input) ? iterate(context.heap, input) : List();
}

Result<Value> map(Context& context, const Value& input, const Args& args) {
  List out;
  if (args.positional.empty()) {
    const auto [attribute, fallback] = TRY(args.bind({"attribute", "default"}));
    if (!given(attribute)) return fail(ErrorCode::kInvalidFile, "map needs a filter's name or attribute=.");
    for (const Value& item : TRY(items_or_none(context, input))) {
      const Value value = TRY(get_path(context, item, attribute));
      out.push_back(value.is_undefined() && !fallback.is_undefined() ? fallback : value);
    }
  } else {
    const Call call = TRY(call_from(args, 0));
    for (const Value& item : TRY(items_or_none(context, input))) {
      TRY(context.heap.spend(1));
      TRY(context.heap.look_at(item));
      out.push_back(TRY(apply_filter(context, call.name, item, call.args)));
    }
  }
  return context.heap.list(std::move(out));
}

template <bool kKeep, bool kByAttribute>
Result<Value> select(Context& context, const Value& input, const Args& args) {
  if (kByAttribute && args.positional.empty()) {
    return fail(ErrorCode::kInvalidFile, "selectattr and rejectattr need the name of an attribute.");
  }
  const Call call = TRY(call_from(args, kByAttribute ? 1 : 0));
  List out;
  for (const Value& item : TRY(items_or_none(context, input))) {
    TRY(context.heap.spend(1));
    const Value value = kByAttribute ? TRY(get_path(context, item, args.positional[0])) : item;
    const bool passes = call.name.empty() ? truthy(value) : TRY(apply_test(context, call.name, value, call.args));
    if (passes == kKeep) out.push_back(item);
  }
  return context.heap.list(std::move(out));
}

// What sort, unique, min and max compare: an attribute perhaps, text without case unless asked otherwise.
Result<Value> sort_key(Context& context, const Value& item, const Value& attribute, bool case_sensitive) {
  const Value value = given(attribute) ? TRY(get_path(context, item, attribute)) : item;
  if (case_sensitive || !value.is_string()) return value;
  return context.heap.string(lower(*value.string));
}

struct Keyed {
  Value key, item;
};

Result<std::vector<Keyed>> keyed_items(Context& context, const Value& input, const Value& attribute,
                                       bool case_sensitive) {
  std::vector<Keyed> out;
  for (const Value& item : TRY(iterate(context.heap, input))) {
    out.push_back({TRY(sort_key(context, item, attribute, case_sensitive)), item});
  }
  TRY(context.heap.claim(out.size() * sizeof(Keyed)));
  return out;
}

// A merge sort of our own: comparisons may fail, and with NaN they are no order, which std::sort answers with undefined
// behaviour. Stable.
Result<void> sort_keyed(Context& context, std::vector<Keyed>& items, bool descending) {
  std::vector<Keyed> merged(items.size());
  for (size_t width = 1; width < items.size(); width *= 2) {
    for (size_t begin = 0; begin < items.size(); begin += 2 * width) {
      const size_t middle = std::min(begin + width, items.size()), end = std::min(begin + 2 * width, items.size());
      size_t left = begin, right = middle;
      for (size_t i = begin; i < end; ++i) {
        bool take_right = left == middle;
        if (left < middle && right < end) {
          const int order = TRY(compare(context.heap, items[right].key, items[left].key));
          take_right = descending ? order > 0 : order < 0;
        }
        merged[i] = items[take_right ? right++ : left++];
      }
    }
    std::swap(items, merged);
  }
  return {};
}

Result<Value> values_of(Context& context, const std::vector<Keyed>& items) {
  List out;
  for (const Keyed& k : items) out.push_back(k.item);
  return context.heap.list(std::move(out));
}

Result<Value> sort(Context& context, const Value& input, const Args& args) {
  const auto [descending, sensitive, attribute] = TRY(args.bind({"reverse", "case_sensitive", "attribute"}));
  std::vector<Keyed> items = TRY(keyed_items(context, input, attribute, truthy(sensitive)));
  TRY(sort_keyed(context, items, truthy(descending)));
  return values_of(context, items);
}

Result<Value> unique(Context& context, const Value& input, const Args& args) {
  const auto [sensitive, attribute] = TRY(args.bind({"case_sensitive", "attribute"}));
  std::vector<Keyed> kept;
  for (const Keyed& k : TRY(keyed_items(context, input, attribute, truthy(sensitive)))) {
    bool known = false;
    for (const Keyed& other : kept) known = known || TRY(equal(context.heap, other.key, k.key));
    if (!known) kept.push_back(k);
  }
  return values_of(context, kept);
}

template <bool kMax>
Result<Value> extreme(Context& context, const Value& input, const Args& args) {
  const auto [sensitive, attribute] = TRY(args.bind({"case_sensitive", "attribute"}));
  const std::vector<Keyed> items = TRY(keyed_items(context, input, attribute, truthy(sensitive)));
  if (items.empty()) return context.heap.undefined("No aggregated item, sequence was empty");
  Keyed best = items[0];
  for (const Keyed& k : items) {
    const int order = TRY(compare(context.heap, k.key, best.key));
    if (kMax ? order > 0 : order < 0) best = k;
  }
  return best.item;
}

Result<Value> sum(Context& context, const Value& input, const Args& args) {
  const auto [attribute, start] = TRY(args.bind({"attribute", "start"}));
  Value total = start.is_undefined() ? Value::of(int64_t{0}) : start;
  for (const Value& item : TRY(iterate(context.heap, input))) {
    const Value value = given(attribute) ? TRY(get_path(context, item, attribute)) : item;
    total = TRY(apply_arithmetic(context.heap, Op::kAdd, total, value));
  }
  return total;
}

Result<Value> dictsort(Context& context, const Value& input, const Args& args) {
  const auto [sensitive, by, descending] = TRY(args.bind({"case_sensitive", "by", "reverse"}));
  if (!input.is(Kind::kDict))
    return fail(ErrorCode::kInvalidFile, "dictsort needs a dict, not a {}.", kind_name(input));
  const Value pairs = TRY(items(context, input, {}));
  const bool by_value = by.is_string() && *by.string == "value";
  std::vector<Keyed> entries =
      TRY(keyed_items(context, pairs, Value::of(static_cast<int64_t>(by_value)), truthy(sensitive)));
  TRY(sort_keyed(context, entries, truthy(descending)));
  return values_of(context, entries);
}

Result<Value> groupby(Context& context, const Value& input, const Args& args) {
  const auto [attribute, fallback] = TRY(args.bind({"attribute", "default"}));
  std::vector<Keyed> entries = TRY(keyed_items(context, input, attribute, false));
  for (Keyed& k : entries) k.key = k.key.is_undefined() ? fallback : k.key;
  TRY(sort_keyed(context, entries, false));
  List groups;
  for (size_t i = 0; i < entries.size();) {
    List members;
    size_t end = i;
    while (end < entries.size() && TRY(equal(context.heap, entries[end].key, entries[i].key))) {
      members.push_back(entries[end++].item);
    }
    const Value named = TRY(get_path(context, entries[i].item, attribute));
    const Value list = TRY(context.heap.list(std::move(members)));
    groups.push_back(TRY(context.heap.list({named.is_undefined() ? fallback : named, list}, Kind::kTuple)));
    i = end;
  }
  return context.heap.list(std::move(groups));
}

Result<Value> batch(Context& context, const Value& input, const Args& args) {
  const auto [count, fill] = TRY(args.bind({"linecount", "fill_with"}));
  const int64_t size = TRY(integer_of(count, "batch"));
  if (size < 1) return fail(ErrorCode::kInvalidFile, "batch needs a size of at least 1, not {}.", size);
  List rows, row;
  for (const Value& item : TRY(iterate(context.heap, input))) {
    row.push_back(item);
    if (static_cast<int64_t>(row.size()) == size) rows.push_back(TRY(context.heap.list(std::exchange(row, {}))));
  }
  while (!row.empty() && given(fill) && static_cast<int64_t>(row.size()) < size) {
    TRY(context.heap.claim(sizeof(Value)));
    row.push_back(fill);
  }
  if (!row.empty()) rows.push_back(TRY(context.heap.list(std::move(row))));
  return context.heap.list(std::move(rows));
}

Result<Value> attr(Context& context, const Value& input, const Args& args) {
  const auto [name] = TRY(args.bind({"name"}));
  const std::string& text = *TRY(string_of(name, "attr"));
  // Attributes only: the entries of a dict are its items.
  if (input.is(Kind::kDict) && !has_method(input, text)) return context.heap.undefined("A dict has no such attribute");
  return get_attribute(context, input, text);
}

}  // namespace

const std::initializer_list<NamedFilter> kListFilters = {
    {"length", length},
    {"count", length},
    {"first", first},
    {"last", last},
    {"list", to_list},
    {"reverse", reverse},
    {"join", join},
    {"items", items},
    {"map", map},
    {"select", select<true, false>},
    {"reject", select<false, false>},
    {"selectattr", select<true, true>},
    {"rejectattr", select<false, true>},
    {"sort", sort},
    {"unique", unique},
    {"min", extreme<false>},
    {"max", extreme<true>},
    {"sum", sum},
    {"dictsort", dictsort},
    {"groupby", groupby},
    {"batch", batch},
    {"attr", attr},
};

}  // namespace tern::text::jinja
