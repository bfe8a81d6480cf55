// Any bytes as a tokenizer: as tokenizer.json, and as lists of tokens, types and merges such as GGUF metadata holds.
// What is accepted must encode any text, and give it back when every byte has a token.
#include <cstdlib>
#include <string>

#include "text/detokenizer.h"
#include "text/stop.h"

using namespace tern;

namespace {

// Lines until an empty one; `text` is what follows.
std::vector<std::string> take_lines(std::string_view& text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty()) break;
    lines.emplace_back(line);
  }
  return lines;
}

// GPT-2's spelling of the bytes, so that some vocabularies are whole.
void add_bytes(text::TokenizerSpec& spec) {
  const auto utf8 = [](unsigned cp) {
    if (cp < 0x80) return std::string(1, static_cast<char>(cp));
    return std::string{static_cast<char>(0xC0 | (cp >> 6)), static_cast<char>(0x80 | (cp & 0x3F))};
  };
  unsigned next = 0x100;
  for (unsigned b = 0; b < 256; ++b) {
    const bool visible = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    spec.tokens.push_back(utf8(visible ? b : next++));
  }
}

void use(const text::Tokenizer& tokenizer, std::string_view input, bool whole) {
  const auto ids = tokenizer.encode(input, {.bos = true, .special = input.size() % 2 == 0});
  const auto plain = tokenizer.encode(input);
  if (!ids || !plain) abort();
  text::Detokenizer detokenizer(tokenizer, true);
  text::StopMatcher stops({"ab", std::string(input.substr(0, 3)), "b\n"});
  for (const int32_t id : *ids) (void)stops.push(detokenizer.push(id));
  (void)stops.push(detokenizer.flush());
  (void)stops.flush();
  std::string back;
  for (const int32_t id : *plain) back += tokenizer.bytes_of(id);
  if (whole && back != input) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const uint8_t kind = data[0];
  std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  if (kind == '{') {
    const auto json = parse_json({reinterpret_cast<const char*>(data), size});
    auto spec = json ? text::spec_from_hf(*json, *json) : std::unexpected(json.error());
    if (!spec) return 0;
    const auto tokenizer = text::make_tokenizer(*std::move(spec));
    if (tokenizer) use(**tokenizer, input, false);
    return 0;
  }
  text::TokenizerSpec spec;
  spec.kind = "gpt2";
  constexpr const char* kPre[] = {"llama-bpe", "qwen2", "gpt-2"};
  spec.pre = kPre[kind % 3];
  spec.nfc = kind & 4;
  const bool whole = (kind & 8) && !spec.nfc;
  if (kind & 8) add_bytes(spec);
  for (std::string& token : take_lines(input)) spec.tokens.push_back(std::move(token));
  spec.merges = take_lines(input);
  if (kind & 16) {
    for (size_t id = 0; id < spec.tokens.size(); ++id) {
      const int type = id < 256 && (kind & 8) ? 1 : data[id % size] % 8;
      spec.types.push_back(static_cast<text::TokenType>(type));
    }
  }
  spec.bos = data[1] % 64 - 1;
  const auto tokenizer = text::make_tokenizer(std::move(spec));
  if (tokenizer) use(**tokenizer, input, whole);
  return 0;
}
