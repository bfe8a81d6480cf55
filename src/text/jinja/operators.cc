#include "text/jinja/operators.h"

#include <cmath>

namespace tern::text::jinja {
namespace {

constexpr std::string_view kSymbols[] = {"+", "-", "*", "/", "//", "%", "**"};

std::unexpected<Error> overflow(Op op, const Value& left, const Value& right) {
  return fail(ErrorCode::kInvalidFile, "{} {} {} does not fit into 64 bits.", left.as_int(),
              kSymbols[static_cast<size_t>(op)], right.as_int());
}

std::unexpected<Error> division_by_zero() {
  return fail(ErrorCode::kInvalidFile, "A number is divided by zero.");
}

// Python rounds the quotient down and gives the remainder the divisor's sign.
Result<Value> divide_down(Op op, const Value& left, const Value& right) {
  const int64_t a = left.as_int(), b = right.as_int();
  if (b == 0) return division_by_zero();
  if (b == -1) {
    if (op == Op::kMod) return Value::of(int64_t{0});
    if (a == INT64_MIN) return overflow(op, left, right);
  }
  const int64_t quotient = a / b, remainder = a % b;
  const bool adjust = remainder != 0 && (remainder < 0) != (b < 0);
  return Value::of(op == Op::kMod ? (adjust ? remainder + b : remainder) : (adjust ? quotient - 1 : quotient));
}

Result<Value> power(const Value& left, const Value& right) {
  int64_t exponent = right.as_int(), base = left.as_int(), result = 1;
  if (exponent < 0) {
    if (base == 0) return division_by_zero();
    return Value::of(std::pow(left.as_double(), right.as_double()));
  }
  while (exponent > 0) {
    if (exponent & 1 && __builtin_mul_overflow(result, base, &result)) return overflow(Op::kPow, left, right);
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) return overflow(Op::kPow, left, right);
  }
  return Value::of(result);
}

Result<Value> integers(Op op, const Value& left, const Value& right) {
  int64_t result = 0;
  bool overflows = false;
  switch (op) {
    case Op::kAdd:
      overflows = __builtin_add_overflow(left.as_int(), right.as_int(), &result);
      break;
    case Op::kSub:
      overflows = __builtin_sub_overflow(left.as_int(), right.as_int(), &result);
      break;
    case Op::kMul:
      overflows = __builtin_mul_overflow(left.as_int(), right.as_int(), &result);
      break;
    case Op::kDiv:
      if (right.as_int() == 0) return division_by_zero();
      return Value::of(left.as_double() / right.as_double());
    case Op::kPow:
      return power(left, right);
    default:
      return divide_down(op, left, right);
  }
  if (overflows) return overflow(op, left, right);
  return Value::of(result);
}

Result<Value> floats(Op op, double a, double b) {
  switch (op) {
    case Op::kAdd:
      return Value::of(a + b);
    case Op::kSub:
      return Value::of(a - b);
    case Op::kMul:
      return Value::of(a * b);
    case Op::kPow:
      return Value::of(std::pow(a, b));
    default:
      break;
  }
  if (b == 0) return division_by_zero();
  if (op == Op::kDiv) return Value::of(a / b);
  const double remainder = std::fmod(a, b);
  const double floored = remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
  return Value::of(op == Op::kMod ? floored : std::round((a - floored) / b));
}

// text * n and list * n; a negative n counts as 0.
Result<Value> repeat(Heap& heap, const Value& value, int64_t count) {
  const size_t times = static_cast<size_t>(std::max<int64_t>(count, 0));
  const size_t item_size = value.is_string() ? 1 : sizeof(Value);
  const size_t size = value.is_string() ? value.string->size() : value.list->size();
  size_t bytes = 0;
  if (__builtin_mul_overflow(size * item_size, times, &bytes)) bytes = SIZE_MAX;
  TRY(heap.claim(bytes));
  if (value.is_string()) {
    std::string text;
    if (size > 0) {
      text.reserve(bytes);
      for (size_t i = 0; i < times; ++i) text += *value.string;
    }
    return heap.string(std::move(text));
  }
  List items;
  if (size > 0) {
    items.reserve(size * times);
    for (size_t i = 0; i < times; ++i) items.insert(items.end(), value.list->begin(), value.list->end());
  }
  return heap.list(std::move(items), value.kind);
}

}  // namespace

Result<Value> apply_arithmetic(Heap& heap, Op op, const Value& left, const Value& right) {
  if (left.is_integral() && right.is_integral()) return integers(op, left, right);
  if (left.is_number() && right.is_number()) return floats(op, left.as_double(), right.as_double());
  if (left.is_undefined()) return undefined_error(left);
  if (right.is_undefined()) return undefined_error(right);
  if (op == Op::kAdd && left.is_string() && right.is_string()) {
    TRY(heap.claim(left.string->size() + right.string->size()));
    return heap.string(*left.string + *right.string);
  }
  if (op == Op::kAdd && left.is_sequence() && right.kind == left.kind) {
    TRY(heap.claim((left.list->size() + right.list->size()) * sizeof(Value)));
    List items = *left.list;
    items.insert(items.end(), right.list->begin(), right.list->end());
    return heap.list(std::move(items), left.kind);
  }
  const auto repeats = [](const Value& v) { return v.is_string() || v.is_sequence(); };
  if (op == Op::kMul && repeats(left) && right.is_integral()) return repeat(heap, left, right.as_int());
  if (op == Op::kMul && left.is_integral() && repeats(right)) return repeat(heap, right, left.as_int());
  return fail(ErrorCode::kInvalidFile, "A {} and a {} have no \"{}\".", kind_name(left), kind_name(right),
              kSymbols[static_cast<size_t>(op)]);
}

Result<bool> apply_comparison(Heap& heap, Op op, const Value& left, const Value& right) {
  switch (op) {
    case Op::kEq:
      return equal(heap, left, right);
    case Op::kNe:
      return !TRY(equal(heap, left, right));
    case Op::kIn:
      return contains(heap, right, left);
    case Op::kNotIn:
      return !TRY(contains(heap, right, left));
    default:
      break;
  }
  if (left.is_number() && right.is_number() && (std::isnan(left.as_double()) || std::isnan(right.as_double())))
    return false;
  const int order = TRY(compare(heap, left, right));
  switch (op) {
    case Op::kLt:
      return order < 0;
    case Op::kLe:
      return order <= 0;
    case Op::kGt:
      return order > 0;
    default:
      return order >= 0;
  }
}

Result<Value> apply_sign(Op op, const Value& operand) {
  if (operand.is_undefined()) return undefined_error(operand);
  if (!operand.is_number()) return fail(ErrorCode::kInvalidFile, "A {} has no sign.", kind_name(operand));
  if (operand.is(Kind::kFloat)) return Value::of(op == Op::kSub ? -operand.number : operand.number);
  if (op == Op::kAdd) return Value::of(operand.as_int());
  int64_t result = 0;
  if (__builtin_sub_overflow(int64_t{0}, operand.as_int(), &result)) {
    return fail(ErrorCode::kInvalidFile, "The negative of {} does not fit into 64 bits.", operand.as_int());
  }
  return Value::of(result);
}

}  // namespace tern::text::jinja
