#include "text/jinja/interpreter.h"

#include <utility>

namespace tern::text::jinja {
namespace {

// Statements and expressions inside each other while running; macros that call themselves get here.
constexpr int kMaxDepth = 400;

}  // namespace

const Value* Scope::find(std::string_view name) const {
  for (const Scope* scope = this; scope; scope = scope->parent) {
    for (const auto& [known, value] : scope->variables) {
      if (known == name) return &value;
    }
  }
  return nullptr;
}

void Scope::set(std::string_view name, Value value) {
  for (auto& [known, old] : variables) {
    if (known == name) {
      old = value;
      return;
    }
  }
  variables.emplace_back(name, value);
}

Scope* Interpreter::push_scope(Scope* parent) {
  if (free_scopes_.empty()) free_scopes_.push_back(&scopes_.emplace_back());
  Scope* scope = free_scopes_.back();
  free_scopes_.pop_back();
  scope->parent = parent;
  scope->variables.clear();
  return scope_ = scope;
}

void Interpreter::pop_scope(Scope* scope) {
  if (!scope->captured) free_scopes_.push_back(scope);
}

Result<std::string> Interpreter::run(const Body& body) {
  std::string out;
  out_ = &out;
  push_scope(&globals_);
  TRY(exec(body));
  return out;
}

Result<Interpreter::Flow> Interpreter::exec(const Body& body) {
  for (const Stmt& s : body) {
    auto flow = exec(s);
    if (!flow) {
      Error error = std::move(flow).error();
      if (!std::exchange(located_, true)) error.context.push_back(fmt::format("at line {} of the template", s.line));
      return std::unexpected(std::move(error));
    }
    if (*flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::exec(const Stmt& s) {
  TRY(heap_.spend(1));
  if (depth_ >= kMaxDepth) {
    return fail(ErrorCode::kInvalidFile, "Blocks and macro calls are nested more than {} levels deep.", kMaxDepth);
  }
  ++depth_;
  Result<Flow> flow = Flow::kNext;
  const auto done = [&](Result<void> result) {
    if (!result) flow = std::unexpected(std::move(result).error());
  };
  switch (s.kind) {
    case StmtKind::kText:
      done(append_str(heap_, *out_, Value::of(&s.text)));
      break;
    case StmtKind::kOutput: {
      auto value = eval(*s.expr);
      done(value ? append_str(heap_, *out_, *value) : Result<void>(std::unexpected(std::move(value).error())));
      break;
    }
    case StmtKind::kIf:
      flow = exec_if(s);
      break;
    case StmtKind::kFor:
      flow = exec_for(s);
      break;
    case StmtKind::kSet:
    case StmtKind::kSetBlock:
    case StmtKind::kFilter:
      done(exec_set(s));
      break;
    case StmtKind::kMacro:
      done(exec_macro(s));
      break;
    case StmtKind::kCallBlock:
      done(exec_call_block(s));
      break;
    case StmtKind::kWith:
      flow = exec_with(s);
      break;
    case StmtKind::kScope:
      flow = exec(s.body);
      break;
    case StmtKind::kBreak:
      flow = Flow::kBreak;
      break;
    case StmtKind::kContinue:
      flow = Flow::kContinue;
      break;
  }
  --depth_;
  return flow;
}

Result<Interpreter::Flow> Interpreter::exec_if(const Stmt& s) {
  for (const Branch& branch : s.branches) {
    if (!branch.condition || truthy(TRY(eval(*branch.condition)))) return exec(branch.body);
  }
  return Flow::kNext;
}

Result<void> Interpreter::assign(const Stmt& s, const Value& value) {
  if (s.targets.size() == 1) {
    scope_->set(s.targets[0], value);
    return {};
  }
  const List items = TRY(iterate(heap_, value));
  if (items.size() != s.targets.size()) {
    return fail(ErrorCode::kInvalidFile, "{} values cannot be assigned to {} names.", items.size(), s.targets.size());
  }
  for (size_t i = 0; i < items.size(); ++i) scope_->set(s.targets[i], items[i]);
  return {};
}

// What a for statement runs over, its `if` applied.
Result<List> Interpreter::loop_items(const Stmt& s) {
  const Value iterable = TRY(eval(*s.expr));
  List items = TRY(iterate(heap_, iterable));
  if (!s.condition) return items;
  List kept;
  Scope* outer = scope_;
  Scope* scope = push_scope(outer);
  for (const Value& item : items) {
    TRY(assign(s, item));
    if (truthy(TRY(eval(*s.condition)))) kept.push_back(item);
  }
  pop_scope(scope);
  scope_ = outer;
  return kept;
}

Result<Interpreter::Flow> Interpreter::exec_for(const Stmt& s) {
  List items = TRY(loop_items(s));
  if (items.empty()) {
    Scope* outer = scope_;
    Scope* scope = push_scope(outer);
    const Flow flow = TRY(exec(s.else_body));
    pop_scope(scope);
    scope_ = outer;
    return flow;
  }
  const Value loop = TRY(heap_.loop(std::move(items)));
  Scope* outer = scope_;
  for (size_t i = 0; i < loop.loop->items.size(); ++i) {
    TRY(heap_.spend(1));
    loop.loop->index = i;
    Scope* scope = push_scope(outer);
    scope->set("loop", loop);
    TRY(assign(s, loop.loop->items[i]));
    const Flow flow = TRY(exec(s.body));
    pop_scope(scope);
    scope_ = outer;
    if (flow == Flow::kBreak) break;
  }
  return Flow::kNext;
}

Result<void> Interpreter::exec_set(const Stmt& s) {
  if (s.kind == StmtKind::kFilter) {
    const Value text = TRY(capture(s.body, s.expr.get()));
    return append_str(heap_, *out_, text);
  }
  const Value value = s.kind == StmtKind::kSet ? TRY(eval(*s.expr)) : TRY(capture(s.body, s.expr.get()));
  if (s.attribute.empty()) return assign(s, value);
  const Value* target = scope_->find(s.targets[0]);
  if (!target || !target->is(Kind::kNamespace)) {
    return fail(ErrorCode::kInvalidFile, "\"{}.{}\" cannot be set: \"{}\" is not a namespace.", s.targets[0],
                s.attribute, s.targets[0]);
  }
  target->dict->set(TRY(heap_.string(s.attribute)), value);
  return {};
}

Result<Value> Interpreter::capture(const Body& body, const Expr* filters) {
  std::string text;
  std::string* outer_out = std::exchange(out_, &text);
  Scope* outer = scope_;
  Scope* scope = push_scope(outer);
  auto flow = exec(body);
  pop_scope(scope);
  scope_ = outer;
  out_ = outer_out;
  if (!flow) return std::unexpected(std::move(flow).error());
  const Value value = TRY(heap_.string(std::move(text)));
  return filters ? filter_text(*filters, value) : value;
}

Result<Value> Interpreter::new_macro(const Stmt& definition) {
  TRY(heap_.claim(sizeof(MacroValue) + sizeof(Scope)));
  for (Scope* scope = scope_; scope; scope = scope->parent) scope->captured = true;
  Value value;
  value.kind = Kind::kMacro;
  value.macro = &macros_.emplace_back(MacroValue{&definition, scope_});
  return value;
}

Result<void> Interpreter::exec_macro(const Stmt& s) {
  scope_->set(s.text, TRY(new_macro(s)));
  return {};
}

Result<void> Interpreter::exec_call_block(const Stmt& s) {
  const Value caller = TRY(new_macro(s));
  return append_str(heap_, *out_, TRY(eval_call(*s.expr, &caller)));
}

Result<Interpreter::Flow> Interpreter::exec_with(const Stmt& s) {
  Scope* outer = scope_;
  List values;
  for (const Param& param : s.params) values.push_back(TRY(eval(*param.value)));
  Scope* scope = push_scope(outer);
  for (size_t i = 0; i < values.size(); ++i) scope->set(s.params[i].name, values[i]);
  const Flow flow = TRY(exec(s.body));
  pop_scope(scope);
  scope_ = outer;
  return flow;
}

}  // namespace tern::text::jinja
