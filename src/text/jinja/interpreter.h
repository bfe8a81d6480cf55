// Runs a template: walks the tree, writes to one string. No C++ library for Jinja is kept in Debian, and the engine's
// core has neither exceptions nor RTTI, so this room has its own interpreter of the part that chat templates use.
//
//   source -> tokenize (lexer.h) -> parse (parser.h) -> Interpreter -> text
//                                                        |-> eval: operators.h, builtins.h on values (value.h)
//
// Differences from Jinja that a chat template can notice: integers have 64 bits; recursive loops, inheritance, import
// and formatting with % are refused; `safe` marks nothing (in Jinja, text added to safe text is escaped as HTML even
// though nothing else is); lists may be changed with append and pop (transformers' sandbox forbids it).
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/builtins.h"

namespace tern::text::jinja {

/// The variables of one block. Inner scopes see outer ones; what is set inside stays inside.
struct Scope {
  Scope* parent = nullptr;
  bool captured = false;  // a macro defined here may be called later
  std::vector<std::pair<std::string_view, Value>> variables;

  const Value* find(std::string_view name) const;  // here or outside
  void set(std::string_view name, Value value);    // here
};

struct MacroValue {
  const Stmt* definition = nullptr;
  Scope* scope = nullptr;  // where it was defined
};

class Interpreter {
 public:
  Interpreter(Heap& heap, std::chrono::sys_seconds now) : heap_(heap), context_{heap, now} {}

  /// A variable of the template's surroundings; `name` must outlive the rendering.
  void set_global(std::string_view name, Value value) { globals_.set(name, value); }

  /// Errors: kInvalidArgument with the template's own words when it calls raise_exception; kInvalidFile for anything
  /// else that goes wrong in it, with its line.
  Result<std::string> run(const Body& body);

 private:
  enum class Flow : uint8_t { kNext, kBreak, kContinue };

  // Statements (interpreter.cc).
  Result<Flow> exec(const Body& body);
  Result<Flow> exec(const Stmt& s);
  Result<Flow> exec_if(const Stmt& s);
  Result<Flow> exec_for(const Stmt& s);
  Result<List> loop_items(const Stmt& s);
  Result<void> exec_set(const Stmt& s);
  Result<void> exec_macro(const Stmt& s);
  Result<void> exec_call_block(const Stmt& s);
  Result<Flow> exec_with(const Stmt& s);
  Result<void> assign(const Stmt& s, const Value& value);
  /// Runs a body in a scope of its own and gives what it writes.
  Result<Value> capture(const Body& body, const Expr* filters = nullptr);

  // Expressions (eval.cc).
  Result<Value> eval(const Expr& e);
  Result<Value> eval_node(const Expr& e);
  Result<List> eval_all(const std::vector<ExprPtr>& exprs, size_t from = 0);
  Result<Args> eval_args(const Expr& e);
  Result<Value> eval_dict(const Expr& e);
  Result<Value> eval_slice(const Expr& e);
  Result<Value> eval_filter(const Expr& e, const Value& input);
  Result<Value> eval_compare(const Expr& e);
  Result<Value> eval_concat(const Expr& e);
  Result<Value> eval_call(const Expr& e, const Value* caller);
  Result<Value> call(const Value& callee, const Args& args, const Value* caller);
  Result<Value> call_macro(const MacroValue& macro, const Args& args, const Value* caller);
  Result<Value> call_loop_method(const Method& method, const Args& args);
  Result<Value> lookup(const Expr& e);
  Result<Value> new_macro(const Stmt& definition);
  /// The filters of a filter block around text (in the tree their innermost input is null).
  Result<Value> filter_text(const Expr& e, const Value& text);

  Scope* push_scope(Scope* parent);
  void pop_scope(Scope* scope);

  Heap& heap_;
  Context context_;
  Scope globals_;
  Scope* scope_ = nullptr;
  std::string* out_ = nullptr;
  int depth_ = 0;
  bool located_ = false;  // the error under way names its line
  std::deque<Scope> scopes_;
  std::vector<Scope*> free_scopes_;
  std::deque<MacroValue> macros_;
};

}  // namespace tern::text::jinja
