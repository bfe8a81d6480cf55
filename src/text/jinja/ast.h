// The tree of a template. Built by the parser, read by the interpreter, never changed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "text/jinja/value.h"

namespace tern::text::jinja {

enum class ExprKind : uint8_t {
  kLiteral,    // literal
  kName,       // text
  kList,       // args
  kTuple,      // args
  kDict,       // args: key, value, key, value ...
  kAttribute,  // args[0].text
  kSubscript,  // args[0][args[1]]
  kSlice,      // args[0][args[1]:args[2]:args[3]], null where left out
  kCall,       // args[0](args[1] ..., named)
  kFilter,     // args[0] | text(args[1] ..., named); in a filter block args[0] is null
  kTest,       // args[0] is text(args[1] ...); `negated`
  kUnary,      // ops[0] args[0], + or -
  kBinary,     // args[0] ops[0] args[1], arithmetic
  kCompare,    // args[0] ops[0] args[1] ops[1] args[2] ...
  kAnd,        // args
  kOr,         // args
  kNot,        // args[0]
  kConcat,     // args[0] ~ args[1] ~ ...
  kTernary,    // args[0] if args[1] else args[2] (may be null)
};

enum class Op : uint8_t { kAdd, kSub, kMul, kDiv, kFloorDiv, kMod, kPow, kEq, kNe, kLt, kLe, kGt, kGe, kIn, kNotIn };

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct NamedArg {
  std::string name;
  ExprPtr value;
};

struct Expr {
  ExprKind kind = ExprKind::kLiteral;
  bool negated = false;
  uint16_t depth = 1;  // of the tree below, this included: bounded by the parser
  uint32_t line = 1;
  Value literal;     // a string literal points to `text`
  std::string text;  // a name
  std::vector<Op> ops;
  std::vector<ExprPtr> args;
  std::vector<NamedArg> named;
};

enum class StmtKind : uint8_t {
  kText,       // text
  kOutput,     // expr
  kIf,         // branches; the last may have no condition
  kFor,        // targets in expr, if condition; body, else_body
  kSet,        // targets (or target.attribute) = expr
  kSetBlock,   // targets[0] = body, through the filters of expr (may be null)
  kMacro,      // text(params): body
  kCallBlock,  // expr (a call) with caller(params): body
  kFilter,     // body through the filters of expr
  kWith,       // params set, then body
  kBreak,
  kContinue,
  kScope,  // body, as it is (generation blocks)
};

struct Stmt;
using Body = std::vector<Stmt>;

struct Branch {
  ExprPtr condition;
  Body body;
};

struct Param {
  std::string name;
  ExprPtr value;  // the default of a macro's parameter (may be null)
};

struct Stmt {
  StmtKind kind = StmtKind::kText;
  uint32_t line = 1;
  std::string text;
  std::string attribute;  // set namespace.attribute
  std::vector<std::string> targets;
  ExprPtr expr, condition;
  std::vector<Branch> branches;
  std::vector<Param> params;
  Body body, else_body;
};

}  // namespace tern::text::jinja
