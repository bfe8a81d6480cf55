#include "text/jinja/parser.h"

namespace tern::text::jinja {
namespace {

class Parser {
 public:
  explicit Parser(const std::vector<Token>& tokens) : in_(tokens), expressions_(in_) {}

  Result<Body> run() {
    Body body = TRY(parse_body({}));
    return body;
  }

 private:
  using Names = std::initializer_list<std::string_view>;

  template <class... Args>
  std::unexpected<Error> error(uint32_t line, fmt::format_string<Args...> text, Args&&... args) const {
    return fail(ErrorCode::kInvalidFile, "Line {} of the template: {}", line,
                fmt::format(text, std::forward<Args>(args)...));
  }

  bool at_any(Names names) const {
    for (const std::string_view name : names) {
      if (in_.at_name(name)) return true;
    }
    return false;
  }

  // Statements up to a block whose name is in `ends`, whose name is then next; without `ends`, up to the end.
  Result<Body> parse_body(Names ends) {
    if (++nesting_ > kMaxNesting) {
      return error(in_.peek().line, "blocks are nested more than {} levels deep.", kMaxNesting);
    }
    const uint32_t line = in_.peek().line;
    Body body;
    while (true) {
      const Token token = in_.next();
      if (token.kind == TokenKind::kEnd) {
        if (ends.size() == 0) break;
        return error(line, "a block does not end; expected \"{{% {} %}}\".", *(ends.end() - 1));
      }
      if (token.kind == TokenKind::kBlockBegin && at_any(ends)) break;
      Stmt statement;
      statement.line = token.line;
      if (token.kind == TokenKind::kText) {
        statement.text = token.text;
      } else if (token.kind == TokenKind::kVariableBegin) {
        statement.kind = StmtKind::kOutput;
        statement.expr = TRY(expressions_.parse_tuple());
        if (!in_.at(TokenKind::kVariableEnd)) return in_.unexpected_token("\"}}\"");
        in_.next();
      } else {
        TRY(parse_statement(statement));
      }
      body.push_back(std::move(statement));
    }
    --nesting_;
    return body;
  }

  Result<void> end_block() {
    if (!in_.at(TokenKind::kBlockEnd)) return in_.unexpected_token("\"%}\"");
    in_.next();
    return {};
  }

  // {% end_name %} behind a body; the name is next.
  Result<void> end_statement() {
    in_.next();
    return end_block();
  }

  Result<void> parse_statement(Stmt& s) {
    const std::string name = TRY(in_.expect_name());
    if (name == "if") return parse_if(s);
    if (name == "for") return parse_for(s);
    if (name == "set") return parse_set(s);
    if (name == "macro") return parse_macro(s);
    if (name == "call") return parse_call(s);
    if (name == "filter") return parse_filter(s);
    if (name == "with") return parse_with(s);
    if (name == "break" || name == "continue") {
      if (loops_ == 0) return error(s.line, "\"{}\" stands outside of a for loop.", name);
      s.kind = name == "break" ? StmtKind::kBreak : StmtKind::kContinue;
      return end_block();
    }
    if (name == "generation") {  // transformers marks the assistant's tokens with it; the text is the same
      s.kind = StmtKind::kScope;
      TRY(end_block());
      s.body = TRY(parse_body({"endgeneration"}));
      return end_statement();
    }
    return fail(ErrorCode::kUnsupported,
                "Line {} of the template: Tern does not know the statement \"{}\"; it knows if, for, set, macro, call, "
                "filter, with, break, continue, raw and generation.",
                s.line, name.substr(0, 64));
  }

  Result<void> parse_if(Stmt& s) {
    s.kind = StmtKind::kIf;
    bool more = true;
    for (bool has_condition = true; more;) {
      Branch branch;
      if (has_condition) branch.condition = TRY(expressions_.parse_tuple(false));
      TRY(end_block());
      if (has_condition) {
        branch.body = TRY(parse_body({"elif", "else", "endif"}));
      } else {
        branch.body = TRY(parse_body({"endif"}));
      }
      s.branches.push_back(std::move(branch));
      has_condition = in_.at_name("elif");
      more = !in_.at_name("endif");
      in_.next();
    }
    return end_block();
  }

  Result<std::vector<std::string>> parse_targets() {
    std::vector<std::string> targets;
    const bool bracket = in_.skip_op("(");
    do {
      if (!targets.empty() && (in_.at_name("in") || in_.at_op("=") || in_.at_op(")"))) break;
      targets.push_back(TRY(in_.expect_name()));
    } while (in_.skip_op(","));
    if (bracket) TRY(in_.expect_op(")"));
    return targets;
  }

  Result<void> parse_for(Stmt& s) {
    s.kind = StmtKind::kFor;
    s.targets = TRY(parse_targets());
    if (!in_.skip_name("in")) return in_.unexpected_token("\"in\"");
    s.expr = TRY(expressions_.parse_tuple(false));
    if (in_.skip_name("if")) s.condition = TRY(expressions_.parse());
    if (in_.at_name("recursive")) {
      return fail(ErrorCode::kUnsupported, "Line {} of the template: Tern does not know recursive loops.", s.line);
    }
    TRY(end_block());
    ++loops_;
    s.body = TRY(parse_body({"else", "endfor"}));
    --loops_;
    if (in_.skip_name("else")) {
      TRY(end_block());
      s.else_body = TRY(parse_body({"endfor"}));
    }
    return end_statement();
  }

  Result<void> parse_set(Stmt& s) {
    s.targets = TRY(parse_targets());
    if (s.targets.size() == 1 && in_.skip_op(".")) s.attribute = TRY(in_.expect_name());
    if (in_.skip_op("=")) {
      s.kind = StmtKind::kSet;
      s.expr = TRY(expressions_.parse_tuple());
      return end_block();
    }
    s.kind = StmtKind::kSetBlock;
    if (s.targets.size() != 1) return in_.unexpected_token("\"=\"");
    s.expr = TRY(expressions_.parse_filters(nullptr, false));
    TRY(end_block());
    s.body = TRY(parse_body({"endset"}));
    return end_statement();
  }

  // (a, b=1), behind the opening bracket.
  Result<void> parse_params(Stmt& s) {
    while (!in_.skip_op(")")) {
      if (!s.params.empty()) TRY(in_.expect_op(","));
      Param param;
      param.name = TRY(in_.expect_name());
      if (in_.skip_op("=")) {
        param.value = TRY(expressions_.parse());
      } else if (!s.params.empty() && s.params.back().value) {
        return error(s.line, "parameter \"{}\" has no default but stands behind one that has.", param.name);
      }
      s.params.push_back(std::move(param));
    }
    return {};
  }

  Result<void> parse_macro(Stmt& s) {
    s.kind = StmtKind::kMacro;
    s.text = TRY(in_.expect_name());
    TRY(in_.expect_op("("));
    TRY(parse_params(s));
    TRY(end_block());
    const int outer_loops = std::exchange(loops_, 0);
    s.body = TRY(parse_body({"endmacro"}));
    loops_ = outer_loops;
    return end_statement();
  }

  Result<void> parse_call(Stmt& s) {
    s.kind = StmtKind::kCallBlock;
    if (in_.skip_op("(")) TRY(parse_params(s));
    s.expr = TRY(expressions_.parse());
    if (s.expr->kind != ExprKind::kCall) return error(s.line, "\"call\" needs a call of a macro.");
    TRY(end_block());
    const int outer_loops = std::exchange(loops_, 0);
    s.body = TRY(parse_body({"endcall"}));
    loops_ = outer_loops;
    return end_statement();
  }

  Result<void> parse_filter(Stmt& s) {
    s.kind = StmtKind::kFilter;
    s.expr = TRY(expressions_.parse_filters(nullptr, true));
    TRY(end_block());
    s.body = TRY(parse_body({"endfilter"}));
    return end_statement();
  }

  Result<void> parse_with(Stmt& s) {
    s.kind = StmtKind::kWith;
    while (!in_.at(TokenKind::kBlockEnd)) {
      if (!s.params.empty()) TRY(in_.expect_op(","));
      Param param;
      param.name = TRY(in_.expect_name());
      TRY(in_.expect_op("="));
      param.value = TRY(expressions_.parse());
      s.params.push_back(std::move(param));
    }
    TRY(end_block());
    s.body = TRY(parse_body({"endwith"}));
    return end_statement();
  }

  Cursor in_;
  ExprParser expressions_;
  int nesting_ = 0;
  int loops_ = 0;
};

}  // namespace

Result<Body> parse(const std::vector<Token>& tokens) {
  return Parser(tokens).run();
}

}  // namespace tern::text::jinja
