// Expressions. Each rule binds tighter than the one that calls it; the order is Jinja's, where filters and tests bind
// tighter than every operator but the unary ones.
#include <charconv>
#include <cstdlib>

#include "text/jinja/parser.h"

namespace tern::text::jinja {

Result<void> Cursor::expect_op(std::string_view op) {
  if (skip_op(op)) return {};
  return unexpected_token(fmt::format("\"{}\"", op));
}

Result<std::string> Cursor::expect_name() {
  if (at(TokenKind::kName)) return next().text;
  return unexpected_token("a name");
}

std::unexpected<Error> Cursor::unexpected_token(std::string_view wanted) const {
  std::string_view found;
  switch (peek().kind) {
    case TokenKind::kVariableEnd:
      found = "}}";
      break;
    case TokenKind::kBlockEnd:
      found = "%}";
      break;
    case TokenKind::kEnd:
      found = "the end of the template";
      break;
    default:
      found = std::string_view(peek().text).substr(0, 64);
  }
  return fail(ErrorCode::kInvalidFile, "Line {} of the template: expected {}, found {}.", peek().line, wanted, found);
}

Result<void> ExprParser::check_depth(Expr& expr) {
  uint16_t deepest = 0;
  for (const ExprPtr& arg : expr.args) deepest = std::max(deepest, arg ? arg->depth : uint16_t{0});
  for (const NamedArg& arg : expr.named) deepest = std::max(deepest, arg.value->depth);
  expr.depth = static_cast<uint16_t>(deepest + 1);
  if (expr.depth <= kMaxExprDepth) return {};
  return fail(ErrorCode::kInvalidFile, "Line {} of the template: an expression is nested more than {} levels deep.",
              expr.line, kMaxExprDepth);
}

Result<ExprPtr> ExprParser::node(ExprKind kind, std::vector<ExprPtr> args, std::string text) {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->line = in_.peek().line;
  expr->text = std::move(text);
  expr->args = std::move(args);
  TRY(check_depth(*expr));
  return expr;
}

namespace {

// A vector of move-only elements cannot come from an initializer list.
template <class... T>
std::vector<ExprPtr> args(T... exprs) {
  std::vector<ExprPtr> out;
  (out.push_back(std::move(exprs)), ...);
  return out;
}

}  // namespace

Result<ExprPtr> ExprParser::parse(bool with_ternary) {
  if (++nesting_ > kMaxNesting) {
    return fail(ErrorCode::kInvalidFile, "Line {} of the template: brackets are nested more than {} levels deep.",
                in_.peek().line, kMaxNesting);
  }
  ExprPtr expr = TRY(parse_or());
  while (with_ternary && in_.skip_name("if")) {
    ExprPtr condition = TRY(parse_or());
    ExprPtr otherwise = in_.skip_name("else") ? TRY(parse()) : nullptr;
    expr = TRY(node(ExprKind::kTernary, args(std::move(expr), std::move(condition), std::move(otherwise))));
  }
  --nesting_;
  return expr;
}

Result<ExprPtr> ExprParser::parse_tuple(bool with_ternary) {
  ExprPtr first = TRY(parse(with_ternary));
  if (!in_.at_op(",")) return first;
  std::vector<ExprPtr> items = args(std::move(first));
  while (in_.skip_op(",")) {
    const TokenKind kind = in_.peek().kind;
    if (kind == TokenKind::kVariableEnd || kind == TokenKind::kBlockEnd || in_.at_op(")")) break;
    items.push_back(TRY(parse(with_ternary)));
  }
  return node(ExprKind::kTuple, std::move(items));
}

Result<ExprPtr> ExprParser::parse_or() {
  std::vector<ExprPtr> terms = args(TRY(parse_and()));
  while (in_.skip_name("or")) terms.push_back(TRY(parse_and()));
  if (terms.size() == 1) return std::move(terms[0]);
  return node(ExprKind::kOr, std::move(terms));
}

Result<ExprPtr> ExprParser::parse_and() {
  std::vector<ExprPtr> terms = args(TRY(parse_not()));
  while (in_.skip_name("and")) terms.push_back(TRY(parse_not()));
  if (terms.size() == 1) return std::move(terms[0]);
  return node(ExprKind::kAnd, std::move(terms));
}

Result<ExprPtr> ExprParser::parse_not() {
  size_t count = 0;
  while (in_.skip_name("not")) ++count;
  ExprPtr expr = TRY(parse_compare());
  // Two nots make a boolean; more cancel in pairs.
  for (size_t nots = count <= 2 ? count : 2 - count % 2; nots > 0; --nots) {
    expr = TRY(node(ExprKind::kNot, args(std::move(expr))));
  }
  return expr;
}

Result<ExprPtr> ExprParser::parse_compare() {
  ExprPtr first = TRY(parse_sum());
  std::vector<ExprPtr> operands = args(std::move(first));
  std::vector<Op> ops;
  constexpr std::pair<std::string_view, Op> kOps[] = {{"==", Op::kEq}, {"!=", Op::kNe}, {"<=", Op::kLe},
                                                      {">=", Op::kGe}, {"<", Op::kLt},  {">", Op::kGt}};
  while (true) {
    const size_t before = ops.size();
    for (const auto& [text, op] : kOps) {
      if (ops.size() == before && in_.skip_op(text)) ops.push_back(op);
    }
    if (ops.size() == before && in_.skip_name("in")) ops.push_back(Op::kIn);
    if (ops.size() == before && in_.at_name("not") && in_.peek(1).kind == TokenKind::kName &&
        in_.peek(1).text == "in") {
      in_.next();
      in_.next();
      ops.push_back(Op::kNotIn);
    }
    if (ops.size() == before) break;
    operands.push_back(TRY(parse_sum()));
  }
  if (ops.empty()) return std::move(operands[0]);
  ExprPtr expr = TRY(node(ExprKind::kCompare, std::move(operands)));
  expr->ops = std::move(ops);
  return expr;
}

Result<ExprPtr> ExprParser::left_chain(Rule operand, std::initializer_list<std::pair<std::string_view, Op>> ops) {
  ExprPtr left = TRY((this->*operand)());
  for (bool found = true; found;) {
    found = false;
    for (const auto& [text, op] : ops) {
      if (!in_.skip_op(text)) continue;
      ExprPtr right = TRY((this->*operand)());
      left = TRY(node(ExprKind::kBinary, args(std::move(left), std::move(right))));
      left->ops = {op};
      found = true;
    }
  }
  return left;
}

Result<ExprPtr> ExprParser::parse_sum() {
  return left_chain(&ExprParser::parse_concat, {{"+", Op::kAdd}, {"-", Op::kSub}});
}

Result<ExprPtr> ExprParser::parse_concat() {
  std::vector<ExprPtr> parts = args(TRY(parse_product()));
  while (in_.skip_op("~")) parts.push_back(TRY(parse_product()));
  if (parts.size() == 1) return std::move(parts[0]);
  return node(ExprKind::kConcat, std::move(parts));
}

Result<ExprPtr> ExprParser::parse_product() {
  return left_chain(&ExprParser::parse_power,
                    {{"*", Op::kMul}, {"/", Op::kDiv}, {"//", Op::kFloorDiv}, {"%", Op::kMod}});
}

Result<ExprPtr> ExprParser::parse_power() {
  ExprPtr left = TRY(parse_unary());
  while (in_.skip_op("**")) {
    ExprPtr right = TRY(parse_unary());
    left = TRY(node(ExprKind::kBinary, args(std::move(left), std::move(right))));
    left->ops = {Op::kPow};
  }
  return left;
}

Result<ExprPtr> ExprParser::parse_unary(bool with_filters) {
  std::vector<Op> signs;
  while (in_.at_op("-") || in_.at_op("+")) signs.push_back(in_.next().text == "-" ? Op::kSub : Op::kAdd);
  ExprPtr expr = TRY(parse_operand());
  for (; !signs.empty(); signs.pop_back()) {
    expr = TRY(node(ExprKind::kUnary, args(std::move(expr))));
    expr->ops = {signs.back()};
  }
  return with_filters ? parse_after(std::move(expr)) : std::move(expr);
}

Result<ExprPtr> ExprParser::parse_primary() {
  const Token token = in_.peek();
  if (token.kind == TokenKind::kInteger || token.kind == TokenKind::kFloat) return parse_number();
  if (token.kind == TokenKind::kString) {
    std::string text;
    while (in_.at(TokenKind::kString)) text += in_.next().text;  // neighbours are one string, as in Python
    ExprPtr expr = TRY(node(ExprKind::kLiteral, {}, std::move(text)));
    expr->literal = Value::of(&expr->text);
    return expr;
  }
  if (token.kind == TokenKind::kName) {
    in_.next();
    const bool yes = token.text == "true" || token.text == "True", no = token.text == "false" || token.text == "False";
    if (!yes && !no && token.text != "none" && token.text != "None") return node(ExprKind::kName, {}, token.text);
    ExprPtr expr = TRY(node(ExprKind::kLiteral, {}));
    expr->literal = yes || no ? Value::of(yes) : Value::none();
    return expr;
  }
  if (in_.skip_op("(")) return parse_parenthesis();
  if (in_.skip_op("[")) return parse_list();
  if (in_.skip_op("{")) return parse_dict();
  return in_.unexpected_token("an expression");
}

Result<ExprPtr> ExprParser::parse_number() {
  const Token token = in_.next();
  ExprPtr expr = TRY(node(ExprKind::kLiteral, {}));
  if (token.kind == TokenKind::kFloat) {
    expr->literal = Value::of(std::strtod(token.text.c_str(), nullptr));
    return expr;
  }
  int64_t value = 0;
  const auto read = std::from_chars(token.text.data(), token.text.data() + token.text.size(), value);
  if (read.ec != std::errc()) {
    return fail(ErrorCode::kInvalidFile, "Line {} of the template: the integer {} does not fit into 64 bits.",
                token.line, token.text.substr(0, 64));
  }
  expr->literal = Value::of(value);
  return expr;
}

Result<ExprPtr> ExprParser::parse_parenthesis() {
  if (in_.skip_op(")")) return node(ExprKind::kTuple, {});
  ExprPtr expr = TRY(parse_tuple());
  TRY(in_.expect_op(")"));
  return expr;
}

Result<ExprPtr> ExprParser::parse_list() {
  std::vector<ExprPtr> items;
  while (!in_.skip_op("]")) {
    if (!items.empty()) {
      TRY(in_.expect_op(","));
      if (in_.skip_op("]")) break;
    }
    items.push_back(TRY(parse()));
  }
  return node(ExprKind::kList, std::move(items));
}

Result<ExprPtr> ExprParser::parse_dict() {
  std::vector<ExprPtr> items;
  while (!in_.skip_op("}")) {
    if (!items.empty()) {
      TRY(in_.expect_op(","));
      if (in_.skip_op("}")) break;
    }
    items.push_back(TRY(parse()));
    TRY(in_.expect_op(":"));
    items.push_back(TRY(parse()));
  }
  return node(ExprKind::kDict, std::move(items));
}

Result<ExprPtr> ExprParser::parse_operand() {
  ExprPtr primary = TRY(parse_primary());
  return parse_postfix(std::move(primary));
}

Result<ExprPtr> ExprParser::parse_postfix(ExprPtr operand) {
  while (true) {
    if (in_.skip_op(".")) {
      if (in_.at(TokenKind::kInteger)) {
        ExprPtr index = TRY(parse_number());
        operand = TRY(node(ExprKind::kSubscript, args(std::move(operand), std::move(index))));
      } else {
        std::string name = TRY(in_.expect_name());
        operand = TRY(node(ExprKind::kAttribute, args(std::move(operand)), std::move(name)));
      }
    } else if (in_.skip_op("[")) {
      operand = TRY(parse_subscript(std::move(operand)));
    } else if (in_.skip_op("(")) {
      operand = TRY(node(ExprKind::kCall, args(std::move(operand))));
      TRY(parse_call_args(*operand));
    } else {
      return operand;
    }
  }
}

// Behind "[": an index, or start:stop:step with any of them left out.
Result<ExprPtr> ExprParser::parse_subscript(ExprPtr operand) {
  std::vector<ExprPtr> parts = args(std::move(operand));
  size_t colons = 0;
  parts.push_back(nullptr);
  while (!in_.at_op("]")) {
    if (in_.skip_op(":")) {
      if (++colons > 2) return in_.unexpected_token("\"]\"");
      parts.push_back(nullptr);
    } else if (!parts.back()) {
      parts.back() = TRY(parse_tuple());
    } else {
      return in_.unexpected_token("\"]\"");
    }
  }
  if (colons == 0 && !parts[1]) return in_.unexpected_token("an index");
  TRY(in_.expect_op("]"));
  if (colons == 0) return node(ExprKind::kSubscript, std::move(parts));
  parts.resize(4);
  return node(ExprKind::kSlice, std::move(parts));
}

Result<void> ExprParser::parse_call_args(Expr& call) {
  for (bool first = true; !in_.skip_op(")"); first = false) {
    if (!first) {
      TRY(in_.expect_op(","));
      if (in_.skip_op(")")) break;
    }
    const bool named = in_.at(TokenKind::kName) && in_.peek(1).kind == TokenKind::kOperator && in_.peek(1).text == "=";
    if (named) {
      std::string name = in_.next().text;
      in_.next();
      call.named.push_back({std::move(name), TRY(parse())});
    } else if (!call.named.empty()) {
      return in_.unexpected_token("a named argument");
    } else {
      call.args.push_back(TRY(parse()));
    }
  }
  return check_depth(call);
}

Result<ExprPtr> ExprParser::parse_filters(ExprPtr input, bool first_without_pipe) {
  while (first_without_pipe || in_.skip_op("|")) {
    first_without_pipe = false;
    std::string name = TRY(in_.expect_name());
    input = TRY(node(ExprKind::kFilter, args(std::move(input)), std::move(name)));
    if (in_.skip_op("(")) TRY(parse_call_args(*input));
  }
  return input;
}

Result<ExprPtr> ExprParser::parse_after(ExprPtr operand) {
  while (true) {
    if (in_.at_op("|")) {
      operand = TRY(parse_filters(std::move(operand), false));
    } else if (in_.at_name("is")) {
      operand = TRY(parse_test(std::move(operand)));
    } else if (in_.skip_op("(")) {
      operand = TRY(node(ExprKind::kCall, args(std::move(operand))));
      TRY(parse_call_args(*operand));
    } else {
      return operand;
    }
  }
}

Result<ExprPtr> ExprParser::parse_test(ExprPtr operand) {
  in_.next();  // is
  const bool negated = in_.skip_name("not");
  std::string name = TRY(in_.expect_name());
  ExprPtr test = TRY(node(ExprKind::kTest, args(std::move(operand)), std::move(name)));
  test->negated = negated;
  const Token& token = in_.peek();
  const bool keyword = token.text == "else" || token.text == "or" || token.text == "and" || token.text == "is" ||
                       token.text == "if" || token.text == "in" || token.text == "not";
  const bool operand_follows = (token.kind == TokenKind::kName && !keyword) || token.kind == TokenKind::kString ||
                               token.kind == TokenKind::kInteger || token.kind == TokenKind::kFloat || in_.at_op("[") ||
                               in_.at_op("{");
  if (in_.skip_op("(")) {
    TRY(parse_call_args(*test));
  } else if (operand_follows) {
    test->args.push_back(TRY(parse_operand()));
    TRY(check_depth(*test));
  }
  return test;
}

}  // namespace tern::text::jinja
