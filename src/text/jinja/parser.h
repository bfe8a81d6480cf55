// Tokens to the tree: the grammar of Jinja 3.1's documentation ("Template Designer Documentation"), with the statements
// that chat templates use. Inheritance, include and import are refused: a chat template is one file.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/lexer.h"

namespace tern::text::jinja {

/// Deeper nesting than any template written by hand; the interpreter and destructors recurse, and a WebAssembly stack
/// is small.
constexpr int kMaxNesting = 100;
constexpr int kMaxExprDepth = 200;  // also the longest chain a + b + c ...

/// Errors: kInvalidFile with the line; kUnsupported for statements that Tern does not have.
Result<Body> parse(const std::vector<Token>& tokens);

/// The position in the tokens, and what both halves of the parser (statements, expressions) do with it.
class Cursor {
 public:
  explicit Cursor(const std::vector<Token>& tokens) : tokens_(tokens) {}

  const Token& peek(size_t ahead = 0) const { return tokens_[std::min(pos_ + ahead, tokens_.size() - 1)]; }
  Token next() { return tokens_[pos_ + 1 < tokens_.size() ? pos_++ : pos_]; }
  bool at(TokenKind kind) const { return peek().kind == kind; }
  bool at_op(std::string_view op) const { return at(TokenKind::kOperator) && peek().text == op; }
  bool at_name(std::string_view name) const { return at(TokenKind::kName) && peek().text == name; }
  bool skip_op(std::string_view op) { return at_op(op) && (++pos_, true); }
  bool skip_name(std::string_view name) { return at_name(name) && (++pos_, true); }
  Result<void> expect_op(std::string_view op);
  Result<std::string> expect_name();

  /// "Line 3 of the template: ..., found ...".
  std::unexpected<Error> unexpected_token(std::string_view wanted) const;

 private:
  const std::vector<Token>& tokens_;
  size_t pos_ = 0;
};

/// The half for expressions.
class ExprParser {
 public:
  explicit ExprParser(Cursor& cursor) : in_(cursor) {}

  Result<ExprPtr> parse(bool with_ternary = true);
  /// One expression, or several with commas as a tuple.
  Result<ExprPtr> parse_tuple(bool with_ternary = true);
  /// (a, b, name=c): the arguments are appended to `call`.
  Result<void> parse_call_args(Expr& call);
  /// name(args) | name ...: the filters around `input` (null in a filter block).
  Result<ExprPtr> parse_filters(ExprPtr input, bool first_without_pipe);

 private:
  using Rule = Result<ExprPtr> (ExprParser::*)();
  Result<ExprPtr> parse_or();
  Result<ExprPtr> parse_and();
  Result<ExprPtr> parse_not();
  Result<ExprPtr> parse_compare();
  Result<ExprPtr> parse_sum();
  Result<ExprPtr> parse_concat();
  Result<ExprPtr> parse_product();
  Result<ExprPtr> parse_power();
  Result<ExprPtr> parse_unary(bool with_filters = true);
  Result<ExprPtr> parse_operand();  // a primary with its postfixes
  Result<ExprPtr> parse_primary();
  Result<ExprPtr> parse_postfix(ExprPtr operand);
  Result<ExprPtr> parse_subscript(ExprPtr operand);
  Result<ExprPtr> parse_after(ExprPtr operand);  // filters, tests and calls behind a postfix expression
  Result<ExprPtr> parse_test(ExprPtr operand);
  Result<ExprPtr> parse_number();
  Result<ExprPtr> parse_list();
  Result<ExprPtr> parse_dict();
  Result<ExprPtr> parse_parenthesis();
  Result<ExprPtr> left_chain(Rule operand, std::initializer_list<std::pair<std::string_view, Op>> ops);

  /// A node over `args`, its depth checked.
  Result<ExprPtr> node(ExprKind kind, std::vector<ExprPtr> args, std::string text = "");
  Result<void> check_depth(Expr& expr);

  Cursor& in_;
  int nesting_ = 0;
};

}  // namespace tern::text::jinja
