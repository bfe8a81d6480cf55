// Values of the template language, and the heap and budget of one rendering.
//
// A Value is a tag and a pointer: everything it points to belongs to the Heap of the rendering (or to the template) and
// is freed with it at once, so lists that contain themselves do no harm. Every allocation and every step is paid from
// the Heap's budget: a template is untrusted, and an endless one ends with an error.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace tern::text::jinja {

enum class Kind : uint8_t {
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kNamespace,  // namespace(): a dict whose entries `set ns.x` may change
  kLoop,       // `loop` in a for statement
  kMacro,
  kFunction,  // a global function, by name
  kMethod,    // a method bound to its receiver
};

struct Dict;
struct LoopState;
struct MacroValue;
struct Method;
struct Value;
using List = std::vector<Value>;

struct Value {
  Kind kind = Kind::kUndefined;
  union {
    bool boolean;
    int64_t integer;
    double number;
    const std::string* string;  // kString and kFunction; for kUndefined what is undefined, or null
    List* list;                 // kList and kTuple
    Dict* dict;                 // kDict and kNamespace
    LoopState* loop;
    MacroValue* macro;
    Method* method;
  };

  Value() : string(nullptr) {}
  static Value none() { return with(Kind::kNone); }
  static Value of(bool value) {
    Value v = with(Kind::kBool);
    v.boolean = value;
    return v;
  }
  static Value of(int64_t value) {
    Value v = with(Kind::kInt);
    v.integer = value;
    return v;
  }
  static Value of(double value) {
    Value v = with(Kind::kFloat);
    v.number = value;
    return v;
  }
  /// `text` must live as long as the rendering.
  static Value of(const std::string* text, Kind kind = Kind::kString) {
    Value v = with(kind);
    v.string = text;
    return v;
  }

  bool is(Kind k) const { return kind == k; }
  bool is_undefined() const { return kind == Kind::kUndefined; }
  bool is_string() const { return kind == Kind::kString; }
  bool is_sequence() const { return kind == Kind::kList || kind == Kind::kTuple; }
  bool is_integral() const { return kind == Kind::kInt || kind == Kind::kBool; }
  bool is_number() const { return is_integral() || kind == Kind::kFloat; }
  /// Of a value that is_integral() / is_number(): True is 1, as in Python.
  int64_t as_int() const { return kind == Kind::kBool ? boolean : integer; }
  double as_double() const { return kind == Kind::kFloat ? number : static_cast<double>(as_int()); }

 private:
  static Value with(Kind kind) {
    Value v;
    v.kind = kind;
    return v;
  }
};

/// In order of insertion; found linearly (chat messages have a handful of fields), and searching is paid for.
struct Dict {
  std::vector<std::pair<Value, Value>> items;
  const Value* find(std::string_view key) const;
  void set(Value key, Value value);  // replaces an equal key
};

struct LoopState {
  List items;
  size_t index = 0;
  Value changed;  // the last arguments of loop.changed()
};

struct Method {
  Value receiver;
  std::string name;
};

/// What one rendering may use. Steps are node visits plus work on long values; bytes are what it allocates, output
/// included.
struct Budget {
  int64_t steps = 0;
  int64_t bytes = 0;
};

class Heap {
 public:
  explicit Heap(Budget budget) : budget_(budget), full_(budget) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  /// Errors: kInvalidFile when the budget is used up.
  Result<void> spend(size_t steps);
  Result<void> claim(size_t bytes);  // before building something whose size is a product
  /// Steps for looking at the whole of `value` once.
  Result<void> look_at(const Value& value);

  Result<Value> string(std::string text);
  Result<Value> list(List items, Kind kind = Kind::kList);
  Result<Value> dict(Dict dict, Kind kind = Kind::kDict);
  Result<Value> loop(List items);
  Result<Value> method(const Value& receiver, std::string_view name);
  /// Undefined, with a sentence part that says what: "'x' is undefined".
  Result<Value> undefined(std::string what);
  Result<Value> from_json(const Json& json);

 private:
  Budget budget_, full_;
  std::deque<std::string> strings_;
  std::deque<List> lists_;
  std::deque<Dict> dicts_;
  std::deque<LoopState> loops_;
  std::deque<Method> methods_;
};

/// Python's bool(value).
bool truthy(const Value& value);
/// "string", "list", ...: for messages.
std::string_view kind_name(const Value& value);
/// An error about an undefined value: what is undefined.
std::unexpected<Error> undefined_error(const Value& value);

/// Python's ==. The depth of what is compared is bounded (kInvalidFile beyond).
Result<bool> equal(Heap& heap, const Value& a, const Value& b, int depth = 0);
/// -1, 0, 1 for numbers, strings (by code point) and sequences of them. kInvalidFile for other pairs.
Result<int> compare(Heap& heap, const Value& a, const Value& b, int depth = 0);
/// Python's `item in container`.
Result<bool> contains(Heap& heap, const Value& container, const Value& item);
/// What iterating yields: items of sequences, keys of dicts, characters of strings, nothing of undefined.
Result<List> iterate(Heap& heap, const Value& value);

/// Appends str(value), or repr(value), as Python prints it.
Result<void> append_str(Heap& heap, std::string& out, const Value& value);
Result<void> append_repr(Heap& heap, std::string& out, const Value& value, int depth = 0);
Result<std::string> to_str(Heap& heap, const Value& value);

/// json.dumps: `indent` < 0 is one line.
struct JsonStyle {
  int indent = -1;
  bool ensure_ascii = false;
  bool sort_keys = false;
  std::string item_separator = ", ", key_separator = ": ";
};
Result<std::string> to_json(Heap& heap, const Value& value, const JsonStyle& style);

}  // namespace tern::text::jinja
