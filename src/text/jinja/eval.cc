// Expressions to values.
#include <algorithm>

#include "text/jinja/interpreter.h"
#include "text/jinja/operators.h"

namespace tern::text::jinja {
namespace {

constexpr int kMaxDepth = 400;

}  // namespace

Result<Value> Interpreter::eval(const Expr& e) {
  TRY(heap_.spend(1));
  if (e.kind == ExprKind::kLiteral) return e.literal;
  if (e.kind == ExprKind::kName) return lookup(e);
  if (depth_ >= kMaxDepth) {
    return fail(ErrorCode::kInvalidFile, "Expressions and macro calls are nested more than {} levels deep.", kMaxDepth);
  }
  ++depth_;
  auto value = eval_node(e);
  --depth_;
  return value;
}

Result<Value> Interpreter::eval_node(const Expr& e) {
  switch (e.kind) {
    case ExprKind::kList:
      return heap_.list(TRY(eval_all(e.args)));
    case ExprKind::kTuple:
      return heap_.list(TRY(eval_all(e.args)), Kind::kTuple);
    case ExprKind::kDict:
      return eval_dict(e);
    case ExprKind::kAttribute:
      return get_attribute(context_, TRY(eval(*e.args[0])), e.text);
    case ExprKind::kSubscript: {
      const Value object = TRY(eval(*e.args[0]));
      return get_item(context_, object, TRY(eval(*e.args[1])));
    }
    case ExprKind::kSlice:
      return eval_slice(e);
    case ExprKind::kCall:
      return eval_call(e, nullptr);
    case ExprKind::kFilter:
      return eval_filter(e, TRY(eval(*e.args[0])));
    case ExprKind::kTest: {
      const Value input = TRY(eval(*e.args[0]));
      const Args args = TRY(eval_args(e));
      return Value::of(TRY(apply_test(context_, e.text, input, args)) != e.negated);
    }
    case ExprKind::kUnary:
      return apply_sign(e.ops[0], TRY(eval(*e.args[0])));
    case ExprKind::kBinary: {
      const Value left = TRY(eval(*e.args[0]));
      return apply_arithmetic(heap_, e.ops[0], left, TRY(eval(*e.args[1])));
    }
    case ExprKind::kCompare:
      return eval_compare(e);
    case ExprKind::kAnd:
    case ExprKind::kOr: {
      // As in Python the value is that of the operand that decided.
      Value value;
      for (const ExprPtr& arg : e.args) {
        value = TRY(eval(*arg));
        if (truthy(value) == (e.kind == ExprKind::kOr)) break;
      }
      return value;
    }
    case ExprKind::kNot:
      return Value::of(!truthy(TRY(eval(*e.args[0]))));
    case ExprKind::kConcat:
      return eval_concat(e);
    case ExprKind::kTernary: {
      if (truthy(TRY(eval(*e.args[1])))) return eval(*e.args[0]);
      return e.args[2] ? eval(*e.args[2]) : heap_.undefined("An \"if\" without \"else\" has no value here");
    }
    default:
      return e.literal;
  }
}

Result<Value> Interpreter::lookup(const Expr& e) {
  if (const Value* value = scope_->find(e.text)) return *value;
  if (is_function(e.text)) return Value::of(&e.text, Kind::kFunction);
  return heap_.undefined(fmt::format("\"{}\" is undefined", e.text.substr(0, 64)));
}

Result<List> Interpreter::eval_all(const std::vector<ExprPtr>& exprs, size_t from) {
  List values;
  for (size_t i = from; i < exprs.size(); ++i) values.push_back(TRY(eval(*exprs[i])));
  return values;
}

Result<Args> Interpreter::eval_args(const Expr& e) {
  Args args;
  args.positional = TRY(eval_all(e.args, 1));
  for (const NamedArg& arg : e.named) args.named.emplace_back(arg.name, TRY(eval(*arg.value)));
  for (const Value& value : args.positional) TRY(heap_.look_at(value));
  return args;
}

Result<Value> Interpreter::eval_dict(const Expr& e) {
  Dict dict;
  for (size_t i = 0; i + 1 < e.args.size(); i += 2) {
    const Value key = TRY(eval(*e.args[i]));
    if (!key.is_string() && !key.is_number() && !key.is(Kind::kNone)) {
      return fail(ErrorCode::kInvalidFile, "A {} cannot be the key of a dict.", kind_name(key));
    }
    dict.set(key, TRY(eval(*e.args[i + 1])));
  }
  return heap_.dict(std::move(dict));
}

Result<Value> Interpreter::eval_slice(const Expr& e) {
  List parts;
  for (const ExprPtr& arg : e.args) parts.push_back(arg ? TRY(eval(*arg)) : Value::none());
  return get_slice(context_, parts[0], parts[1], parts[2], parts[3]);
}

Result<Value> Interpreter::eval_filter(const Expr& e, const Value& input) {
  const Args args = TRY(eval_args(e));
  TRY(heap_.look_at(input));
  return apply_filter(context_, e.text, input, args);
}

Result<Value> Interpreter::filter_text(const Expr& e, const Value& text) {
  return eval_filter(e, e.args[0] ? TRY(filter_text(*e.args[0], text)) : text);
}

Result<Value> Interpreter::eval_compare(const Expr& e) {
  Value left = TRY(eval(*e.args[0]));
  for (size_t i = 0; i < e.ops.size(); ++i) {
    const Value right = TRY(eval(*e.args[i + 1]));
    if (!TRY(apply_comparison(heap_, e.ops[i], left, right))) return Value::of(false);
    left = right;
  }
  return Value::of(true);
}

Result<Value> Interpreter::eval_concat(const Expr& e) {
  std::string text;
  for (const ExprPtr& arg : e.args) {
    const Value value = TRY(eval(*arg));
    TRY(append_str(heap_, text, value));
  }
  return heap_.string(std::move(text));
}

Result<Value> Interpreter::eval_call(const Expr& e, const Value* caller) {
  const Value callee = TRY(eval(*e.args[0]));
  const Args args = TRY(eval_args(e));
  return call(callee, args, caller);
}

Result<Value> Interpreter::call(const Value& callee, const Args& args, const Value* caller) {
  switch (callee.kind) {
    case Kind::kMacro:
      return call_macro(*callee.macro, args, caller);
    case Kind::kFunction:
      return call_function(context_, *callee.string, args);
    case Kind::kMethod:
      if (callee.method->receiver.is(Kind::kLoop)) return call_loop_method(*callee.method, args);
      TRY(heap_.look_at(callee.method->receiver));
      return call_method(context_, *callee.method, args);
    case Kind::kUndefined:
      return undefined_error(callee);
    default:
      return fail(ErrorCode::kInvalidFile, "A {} cannot be called.", kind_name(callee));
  }
}

Result<Value> Interpreter::call_macro(const MacroValue& macro, const Args& args, const Value* caller) {
  const Stmt& definition = *macro.definition;
  const std::string_view name = definition.kind == StmtKind::kMacro ? std::string_view(definition.text) : "caller";
  if (args.positional.size() > definition.params.size()) {
    return fail(ErrorCode::kInvalidFile, "Macro \"{}\" takes at most {} arguments, not {}.", name,
                definition.params.size(), args.positional.size());
  }
  Scope* outer = scope_;
  Scope* scope = push_scope(macro.scope);
  for (size_t i = 0; i < args.positional.size(); ++i) scope->set(definition.params[i].name, args.positional[i]);
  if (caller) scope->set("caller", *caller);
  for (const auto& [arg, value] : args.named) {
    size_t i = 0;
    while (i < definition.params.size() && definition.params[i].name != arg) ++i;
    if (i == definition.params.size()) {
      return fail(ErrorCode::kInvalidFile, "Macro \"{}\" has no parameter \"{}\".", name, arg);
    }
    scope->set(definition.params[i].name, value);  // the tree's name: `arg` goes away
  }
  for (const Param& param : definition.params) {
    const bool given = std::ranges::any_of(scope->variables, [&](const auto& v) { return v.first == param.name; });
    if (given) continue;
    scope->set(param.name, param.value
                               ? TRY(eval(*param.value))
                               : TRY(heap_.undefined(fmt::format("Parameter \"{}\" was not given", param.name))));
  }
  auto text = capture(definition.body);
  pop_scope(scope);
  scope_ = outer;
  return text;
}

Result<Value> Interpreter::call_loop_method(const Method& method, const Args& args) {
  LoopState& loop = *method.receiver.loop;
  if (method.name == "cycle") {
    if (args.positional.empty()) return fail(ErrorCode::kInvalidFile, "loop.cycle needs an argument.");
    return args.positional[loop.index % args.positional.size()];
  }
  const Value values = TRY(heap_.list(args.positional, Kind::kTuple));
  const bool changed = loop.changed.is_undefined() || !TRY(equal(heap_, loop.changed, values));
  loop.changed = values;
  return Value::of(changed);
}

}  // namespace tern::text::jinja
