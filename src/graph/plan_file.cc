// Plan <-> flat stream of u32:
//   magic, version, key (6 words), n_layers, n_kv_heads, head_dim, backend, then the arrays of Plan in its
//   order, each as a count and that many records. u64: low word, high word. String: length in bytes, then the bytes,
//   four to a word, little end first, the last word padded with zeros.
// A plan has one spelling: read_plan refuses what write_plan would not write, and nothing may follow the end.
#include <bit>

#include "graph/plan.h"

namespace tern::graph {
namespace {

// `code(stream, record)` names the fields of a record in order; Writer and Reader walk the same lists. An enum travels
// as its number, checked in validate().
template <class Stream>
void code(Stream& s, WeightSlice& v) {
  s.all(v.tensor, v.row0, v.rows);
}
template <class Stream>
void code(Stream& s, Weight& v) {
  s.all(v.name, v.format, v.rows, v.cols, v.slices, v.constant);
}
template <class Stream>
void code(Stream& s, PlanKey& v) {
  s.all(v.max_tokens, v.max_rows, v.max_seqs, v.kv_format, v.page_tokens, v.max_pages);
}
template <class Stream>
void code(Stream& s, GridExpr& v) {
  s.all(v.t, v.r, v.s, v.kv, v.p, v.constant, v.divisor);
}
template <class Stream>
void code(Stream& s, PlanSlot& v) {
  s.all(v.kind, v.index, v.offset, v.bytes);
}
template <class Stream>
void code(Stream& s, PlanPipeline& v) {
  s.all(v.name, v.source, v.op, v.constants, v.access);
}
template <class Stream>
void code(Stream& s, PlanBinding& v) {
  s.all(v.slot, v.dtype, v.rows.symbol, v.rows.multiple, v.cols, v.col0, v.row_stride);
}
template <class Stream>
void code(Stream& s, PlanStep& v) {
  s.all(v.pipeline, v.first_binding, v.n_inputs, v.n_outputs, v.grid[0], v.grid[1], v.grid[2], v.name);
}
template <class Stream>
void code(Stream& s, PlanProgram& v) {
  s.all(v.max_tokens, v.first_step, v.n_steps);
}
template <class Stream>
void code(Stream& s, PlanOutput& v) {
  s.all(v.name, v.binding);
}
template <class Stream>
void code(Stream& s, Plan& v) {
  s.all(v.key, v.n_layers, v.n_kv_heads, v.head_dim, v.backend, v.arena, v.weights, v.slots, v.pipelines, v.bindings,
        v.steps, v.programs, v.outputs, v.strings);
}

template <class T>
concept Word = std::is_same_v<T, uint32_t> || std::is_same_v<T, float> || std::is_enum_v<T>;

class Writer {
 public:
  std::vector<uint32_t> words;

  template <class... T>
  void all(T&... values) {
    (one(values), ...);
  }

 private:
  template <Word T>
  void one(T& value) {
    if constexpr (std::is_same_v<T, float>)
      words.push_back(std::bit_cast<uint32_t>(value));
    else
      words.push_back(static_cast<uint32_t>(value));
  }
  void one(uint64_t& value) {
    words.push_back(static_cast<uint32_t>(value));
    words.push_back(static_cast<uint32_t>(value >> 32));
  }
  void one(std::string& text) {
    words.push_back(static_cast<uint32_t>(text.size()));
    for (size_t i = 0; i < text.size(); ++i) {
      if (i % 4 == 0) words.push_back(0);
      words.back() |= uint32_t{static_cast<unsigned char>(text[i])} << (i % 4 * 8);
    }
  }
  template <class T>
  void one(std::vector<T>& items) {
    words.push_back(static_cast<uint32_t>(items.size()));
    for (T& item : items) one(item);
  }
  template <class T>
  void one(T& record) {
    code(*this, record);
  }
};

/// Reads until the first error, after which every read is zero and every array empty: memory grows with the words that
/// were really there, never with a count that a file claims.
class Reader {
 public:
  /// Reads from word `at` on.
  Reader(std::span<const uint32_t> words, size_t at) : words_(words), at_(at) {}

  template <class... T>
  void all(T&... values) {
    (one(values), ...);
  }

  /// Errors: kInvalidFile when the words ended early or something follows.
  Result<void> finish() const {
    if (!error_.empty()) return fail(ErrorCode::kInvalidFile, "{}", error_);
    if (at_ == words_.size()) return {};
    return fail(ErrorCode::kInvalidFile, "The plan ends at word {}, but {} words follow.", at_, words_.size() - at_);
  }

 private:
  std::span<const uint32_t> words_;
  size_t at_;
  std::string error_;

  uint32_t next() {
    if (at_ < words_.size()) return words_[at_++];
    if (error_.empty()) error_ = fmt::format("The plan is cut off at word {}.", at_);
    return 0;
  }
  template <Word T>
  void one(T& value) {
    if constexpr (std::is_same_v<T, float>)
      value = std::bit_cast<float>(next());
    else
      value = static_cast<T>(next());
  }
  void one(uint64_t& value) {
    const uint64_t low = next();
    value = low | uint64_t{next()} << 32;
  }
  void one(std::string& text) {
    const uint32_t size = count("bytes of text", 4);
    text.reserve(size);
    uint32_t word = 0;
    for (uint32_t i = 0; i < size; ++i) {
      if (i % 4 == 0) word = next();
      text.push_back(static_cast<char>(word & 0xff));
      word >>= 8;
    }
    if (word != 0 && error_.empty()) error_ = fmt::format("The text before word {} is padded with {:#x}.", at_, word);
  }
  template <class T>
  void one(std::vector<T>& items) {
    const uint32_t size = count("items", 1);  // an item takes a word at least
    for (uint32_t i = 0; i < size && error_.empty(); ++i) one(items.emplace_back());
  }
  template <class T>
  void one(T& record) {
    code(*this, record);
  }

  /// A count of things of which `per_word` fit into a word; more than the words left can hold is an error.
  uint32_t count(std::string_view what, uint64_t per_word) {
    const uint32_t n = next();
    const uint64_t left = words_.size() - at_;
    if (error_.empty() && n > left * per_word) {
      error_ = fmt::format("Word {} claims {} {}, but {} words are left.", at_ - 1, n, what, left);
    }
    return error_.empty() ? n : 0;
  }
};

}  // namespace

std::vector<uint32_t> write_plan(const Plan& plan) {
  Writer writer;
  writer.words = {Plan::kMagic, Plan::kVersion};
  Plan copy = plan;  // code() takes records by reference, as Reader needs them
  code(writer, copy);
  return std::move(writer.words);
}

Result<Plan> read_plan(std::span<const uint32_t> words) {
  if (words.size() < 2 || words[0] != Plan::kMagic) {
    return fail(ErrorCode::kInvalidFile, "This is no plan: it has {} words and begins with {:#x}, expected {:#x}.",
                words.size(), words.empty() ? 0 : words[0], Plan::kMagic);
  }
  if (words[1] != Plan::kVersion) {
    return fail(ErrorCode::kUnsupported, "The plan has version {}, expected {}. Plan the model again.", words[1],
                Plan::kVersion);
  }
  Reader reader(words, 2);
  Plan plan;
  code(reader, plan);
  TRY_CTX(reader.finish(), "while reading a plan");
  TRY_CTX(validate(plan), "while reading a plan");
  return plan;
}

}  // namespace tern::graph
