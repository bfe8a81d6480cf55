// Tests: what may stand behind `is`, and what select and reject take.
#include <algorithm>

#include "text/jinja/builtins.h"
#include "text/jinja/operators.h"
#include "text/jinja/strings.h"

namespace tern::text::jinja {
namespace {

bool is_kind(const Value& v, std::initializer_list<Kind> kinds) {
  return std::ranges::find(kinds, v.kind) != kinds.end();
}

using Simple = bool (*)(const Value&);
struct SimpleTest {
  std::string_view name;
  Simple test;
};
constexpr SimpleTest kSimple[] = {
    {"defined", [](const Value& v) { return !v.is_undefined(); }},
    {"undefined", [](const Value& v) { return v.is_undefined(); }},
    {"none", [](const Value& v) { return v.is(Kind::kNone); }},
    {"boolean", [](const Value& v) { return v.is(Kind::kBool); }},
    {"true", [](const Value& v) { return v.is(Kind::kBool) && v.boolean; }},
    {"false", [](const Value& v) { return v.is(Kind::kBool) && !v.boolean; }},
    {"integer", [](const Value& v) { return v.is(Kind::kInt); }},
    {"float", [](const Value& v) { return v.is(Kind::kFloat); }},
    {"number", [](const Value& v) { return v.is_number(); }},
    {"string", [](const Value& v) { return v.is_string(); }},
    {"mapping", [](const Value& v) { return v.is(Kind::kDict); }},
    {"sequence",
     [](const Value& v) {
       return is_kind(v, {Kind::kString, Kind::kList, Kind::kTuple, Kind::kDict, Kind::kUndefined});
     }},
    {"iterable",
     [](const Value& v) {
       return is_kind(v, {Kind::kString, Kind::kList, Kind::kTuple, Kind::kDict, Kind::kUndefined, Kind::kLoop});
     }},
    {"callable", [](const Value& v) { return is_kind(v, {Kind::kMacro, Kind::kFunction, Kind::kMethod}); }},
    {"escaped", [](const Value&) { return false; }},
    {"lower",
     [](const Value& v) { return v.is_string() && lower(*v.string) == *v.string && upper(*v.string) != *v.string; }},
    {"upper",
     [](const Value& v) { return v.is_string() && upper(*v.string) == *v.string && lower(*v.string) != *v.string; }},
};

struct Comparison {
  std::string_view name;
  Op op;
};
constexpr Comparison kComparisons[] = {
    {"eq", Op::kEq}, {"equalto", Op::kEq}, {"ne", Op::kNe},          {"lt", Op::kLt}, {"lessthan", Op::kLt},
    {"le", Op::kLe}, {"gt", Op::kGt},      {"greaterthan", Op::kGt}, {"ge", Op::kGe}, {"in", Op::kIn},
};

constexpr std::string_view kOthers[] = {"odd", "even", "divisibleby", "sameas", "filter", "test"};

Result<bool> divisible(const Value& value, const Value& divisor, int64_t remainder) {
  const int64_t a = TRY(integer_of(value, "The test")), b = TRY(integer_of(divisor, "The test"));
  if (b == 0) return fail(ErrorCode::kInvalidFile, "A number is divided by zero.");
  return b == -1 ? remainder == 0 : a % b == remainder || a % b == remainder - b;
}

}  // namespace

bool has_test(std::string_view name) {
  return std::ranges::find(kSimple, name, &SimpleTest::name) != std::end(kSimple) ||
         std::ranges::find(kComparisons, name, &Comparison::name) != std::end(kComparisons) ||
         std::ranges::find(kOthers, name) != std::end(kOthers);
}

Result<bool> apply_test(Context& context, std::string_view name, const Value& input, const Args& args) {
  if (const auto simple = std::ranges::find(kSimple, name, &SimpleTest::name); simple != std::end(kSimple)) {
    return simple->test(input);
  }
  const auto [operand] = TRY_CTX(args.bind({"other"}), "while applying the test \"{}\"", name);
  const auto comparison = std::ranges::find(kComparisons, name, &Comparison::name);
  if (comparison != std::end(kComparisons)) return apply_comparison(context.heap, comparison->op, input, operand);
  if (name == "odd") return divisible(input, Value::of(int64_t{2}), 1);
  if (name == "even") return divisible(input, Value::of(int64_t{2}), 0);
  if (name == "divisibleby") return divisible(input, operand, 0);
  if (name == "filter") return input.is_string() && has_filter(*input.string);
  if (name == "test") return input.is_string() && has_test(*input.string);
  if (name == "sameas") {
    if (input.kind != operand.kind) return false;
    // Lists and dicts are the same when they are one object, plain values when they are equal.
    if (is_kind(input, {Kind::kList, Kind::kTuple, Kind::kDict, Kind::kNamespace})) return input.list == operand.list;
    return equal(context.heap, input, operand);
  }
  return fail(ErrorCode::kUnsupported, "Tern does not know the test \"{}\".", name.substr(0, 64));
}

}  // namespace tern::text::jinja
