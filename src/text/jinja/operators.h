// Operators on values, as Python defines them.
#pragma once

#include "text/jinja/ast.h"
#include "text/jinja/value.h"

namespace tern::text::jinja {

/// + - / // * % **. Errors (kInvalidFile): operands of the wrong kind, results beyond 64 bits, division by zero.
Result<Value> apply_arithmetic(Heap& heap, Op op, const Value& left, const Value& right);
/// == != < <= > >= in, not in.
Result<bool> apply_comparison(Heap& heap, Op op, const Value& left, const Value& right);
/// Unary + and -.
Result<Value> apply_sign(Op op, const Value& operand);

}  // namespace tern::text::jinja
