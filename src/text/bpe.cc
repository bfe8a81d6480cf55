// Byte-level BPE: GPT-2's tokenizer, and with other pre-tokenizers those of Llama 3 and Qwen2.
//
//   text -> pieces (pretokenizer.h) -> each byte its token -> merge the pair of lowest rank until none is left -> ids
//
// Sources: Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units" (2016), section 3.2; the byte
// alphabet is that of GPT-2's encoder.py. Merging keeps the symbols in a linked list and the candidate pairs in a heap,
// so a piece of n bytes costs O(n log n) however long it is.
#include <array>
#include <queue>
#include <unordered_map>

#include "text/pretokenizer.h"
#include "text/tokenizer_kinds.h"
#include "text/unicode.h"

namespace tern::text {
namespace {

// GPT-2 writes each byte as a visible character: the printable bytes of Latin-1 as themselves, the other 68 in order
// from U+0100.
struct ByteAlphabet {
  std::array<uint32_t, 256> to_char{};
  std::array<int16_t, 0x200> to_byte{};

  constexpr ByteAlphabet() {
    to_byte.fill(-1);
    uint32_t next = 0x100;
    for (uint32_t b = 0; b < 256; ++b) {
      const bool visible = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      to_char[b] = visible ? b : next++;
      to_byte[to_char[b]] = static_cast<int16_t>(b);
    }
  }
};
constexpr ByteAlphabet kAlphabet;

// The bytes that a normal token spells; nullopt when a character is not of the alphabet.
std::optional<std::string> spelled_bytes(std::string_view token) {
  std::string bytes;
  for (size_t pos = 0; pos < token.size();) {
    const Decoded d = decode_utf8(token, pos);
    if (d.code_point >= kAlphabet.to_byte.size() || kAlphabet.to_byte[d.code_point] < 0) return std::nullopt;
    bytes += static_cast<char>(kAlphabet.to_byte[d.code_point]);
    pos += d.length;
  }
  return bytes;
}

struct Merge {
  int32_t rank, merged;
};

uint64_t pair_key(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

struct Tables {
  std::vector<std::string> bytes;                             // by id
  std::unordered_map<std::string_view, int32_t> by_spelling;  // normal tokens, as the file spells them
  std::unordered_map<std::string_view, int32_t> by_bytes;     // the same by their bytes; keys point into `bytes`
  std::unordered_map<uint64_t, Merge> merges;
};

void fill_bytes(const TokenizerSpec& spec, Tables& tables) {
  const size_t count = spec.tokens.size();
  tables.bytes.resize(count);
  tables.by_spelling.reserve(count);
  tables.by_bytes.reserve(count);
  for (size_t id = 0; id < count; ++id) {
    const std::string& token = spec.tokens[id];
    if (spec.types[id] == TokenType::kUserDefined) tables.bytes[id] = token;
    if (spec.types[id] != TokenType::kNormal) continue;
    tables.by_spelling.emplace(token, static_cast<int32_t>(id));
    if (auto bytes = spelled_bytes(token)) {
      tables.bytes[id] = std::move(*bytes);
      tables.by_bytes.emplace(tables.bytes[id], static_cast<int32_t>(id));
    } else {
      tables.bytes[id] = token;  // converters leave added tokens typed normal: literal text that BPE never yields
    }
  }
}

// What a merge names is always a normal token; some vocabularies also list merges whose pieces became special.
Result<int32_t> merge_piece(const Tables& tables, size_t rank, std::string_view merge, std::string_view piece) {
  const auto it = tables.by_spelling.find(piece);
  if (it != tables.by_spelling.end()) return it->second;
  return fail(ErrorCode::kInvalidFile, "Merge {} \"{}\" needs the token \"{}\", which the vocabulary lacks.", rank,
              merge.substr(0, 64), piece.substr(0, 64));
}

Result<void> fill_merges(const TokenizerSpec& spec, Tables& tables) {
  tables.merges.reserve(spec.merges.size());
  std::string whole;
  for (size_t rank = 0; rank < spec.merges.size(); ++rank) {
    const std::string_view merge = spec.merges[rank];
    const size_t space = merge.find(' ', 1);  // the alphabet has no space, so it only separates
    if (space == std::string_view::npos || space + 1 == merge.size()) {
      return fail(ErrorCode::kInvalidFile, "Merge {} is \"{}\", expected two tokens with a space between.", rank,
                  merge.substr(0, 64));
    }
    const std::string_view left = merge.substr(0, space), right = merge.substr(space + 1);
    whole.assign(left).append(right);
    const int32_t a = TRY(merge_piece(tables, rank, merge, left));
    const int32_t b = TRY(merge_piece(tables, rank, merge, right));
    const int32_t merged = TRY(merge_piece(tables, rank, merge, whole));
    tables.merges.try_emplace(pair_key(a, b), Merge{static_cast<int32_t>(rank), merged});
  }
  return {};
}

class Bpe final : public Tokenizer {
 public:
  Bpe(CheckedSpec checked, Tables tables, PreTokenizer pre)
      : Tokenizer(std::move(checked.spec), std::move(tables.bytes), std::move(checked.special)),
        pre_(pre),
        by_bytes_(std::move(tables.by_bytes)),
        merges_(std::move(tables.merges)) {
    for (size_t b = 0; b < 256; ++b) {
      const char byte = static_cast<char>(b);
      const auto it = by_bytes_.find(std::string_view(&byte, 1));
      byte_ids_[b] = it == by_bytes_.end() ? spec().unk : it->second;
    }
  }

 private:
  // A token of the piece being merged. Merged-away symbols have length 0; next is an index, -1 at the end.
  struct Symbol {
    int32_t id, prev, next;
    bool alive;
  };
  struct Candidate {
    int32_t rank, left;         // left: index of the pair's first symbol
    int32_t left_id, right_id;  // what the pair was when it was queued: a later merge makes the candidate stale
    bool operator>(const Candidate& o) const { return rank != o.rank ? rank > o.rank : left > o.left; }
  };
  using Queue = std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>>;

  void encode_plain(std::string_view text, std::vector<int32_t>& ids) const override {
    std::vector<Symbol> symbols;
    pre_tokenize(pre_, text, [&](std::string_view piece) {
      if (spec().ignore_merges.value_or(false) || piece.size() == 1) {
        const auto it = by_bytes_.find(piece);
        if (it != by_bytes_.end()) return ids.push_back(it->second);
      }
      merge_piece_into(piece, symbols, ids);
    });
  }

  void merge_piece_into(std::string_view piece, std::vector<Symbol>& symbols, std::vector<int32_t>& ids) const {
    symbols.clear();
    for (const char c : piece) {
      const int32_t id = byte_ids_[static_cast<uint8_t>(c)];
      if (id < 0) continue;  // neither the byte nor an unknown token is in the vocabulary: it cannot be written
      const int32_t at = static_cast<int32_t>(symbols.size());
      symbols.push_back({id, at - 1, at + 1, true});
    }
    if (symbols.empty()) return;
    symbols.back().next = -1;
    Queue queue;
    for (int32_t i = 0; i >= 0; i = symbols[static_cast<size_t>(i)].next) enqueue(symbols, i, queue);
    while (!queue.empty()) {
      const Candidate best = queue.top();
      queue.pop();
      apply(best, symbols, queue);
    }
    for (int32_t i = 0; i >= 0; i = symbols[static_cast<size_t>(i)].next)
      ids.push_back(symbols[static_cast<size_t>(i)].id);
  }

  void enqueue(const std::vector<Symbol>& symbols, int32_t left, Queue& queue) const {
    const Symbol& a = symbols[static_cast<size_t>(left)];
    if (a.next < 0) return;
    const Symbol& b = symbols[static_cast<size_t>(a.next)];
    const auto it = merges_.find(pair_key(a.id, b.id));
    if (it != merges_.end()) queue.push({it->second.rank, left, a.id, b.id});
  }

  void apply(const Candidate& best, std::vector<Symbol>& symbols, Queue& queue) const {
    Symbol& left = symbols[static_cast<size_t>(best.left)];
    if (!left.alive || left.id != best.left_id || left.next < 0) return;
    Symbol& right = symbols[static_cast<size_t>(left.next)];
    if (right.id != best.right_id) return;
    left.id = merges_.find(pair_key(left.id, right.id))->second.merged;
    right.alive = false;
    left.next = right.next;
    if (left.next >= 0) symbols[static_cast<size_t>(left.next)].prev = best.left;
    enqueue(symbols, best.left, queue);
    if (left.prev >= 0) enqueue(symbols, left.prev, queue);
  }

  PreTokenizer pre_;
  std::unordered_map<std::string_view, int32_t> by_bytes_;
  std::unordered_map<uint64_t, Merge> merges_;
  std::array<int32_t, 256> byte_ids_{};
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> make_bpe(CheckedSpec checked) {
  TokenizerSpec& spec = checked.spec;
  const auto pre = find_pre_tokenizer(spec.pre);
  if (!pre) {
    return fail(ErrorCode::kUnsupported, "The pre-tokenizer is \"{}\"; Tern knows {}.", spec.pre,
                pre_tokenizer_names());
  }
  if (!spec.add_bos) spec.add_bos = pre->add_bos && spec.bos >= 0;
  if (!spec.ignore_merges) spec.ignore_merges = pre->ignore_merges;
  Tables tables;
  fill_bytes(spec, tables);
  TRY(fill_merges(spec, tables));
  tables.by_spelling.clear();
  spec.merges = {};
  return std::make_unique<Bpe>(std::move(checked), std::move(tables), pre->pre);
}

}  // namespace tern::text
