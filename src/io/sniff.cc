#include "io/sniff.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "io/text.h"

namespace tern::io {
namespace {

struct Signature {
  std::string_view bytes;
  ErrorCode code;
  std::string_view sentence;
};

constexpr std::string_view kConvert =
    "PyTorch's pickle format, which can run code when it is opened. Use the model's safetensors files, or convert it "
    "with save_pretrained(..., safe_serialization=True).";

/// Compared without regard to case, after leading white space for text.
constexpr Signature kText[] = {
    {"<!doctype", ErrorCode::kInvalidFile,
     "a web page, not a model. The link probably led to a page about the file: use its download link."},
    {"<html", ErrorCode::kInvalidFile,
     "a web page, not a model. The link probably led to a page about the file: use its download link."},
    {"<?xml", ErrorCode::kInvalidFile, "an XML text (often a server's error message), not a model. Download it again."},
    {"version https://git-lfs", ErrorCode::kInvalidFile,
     "a git-lfs pointer, which stands for the real file. Run \"git lfs pull\" in its repository."},
    {"{", ErrorCode::kInvalidFile, "a JSON text, not weights. Name the model's folder instead."},
};

constexpr Signature kBinary[] = {
    {std::string_view("PK\x03\x04", 4), ErrorCode::kUnsupported, kConvert},
    {"\x80\x02", ErrorCode::kUnsupported, kConvert},
    {"\x1f\x8b", ErrorCode::kUnsupported, "compressed with gzip. Unpack it first."},
    {"\x28\xb5\x2f\xfd", ErrorCode::kUnsupported, "compressed with zstd. Unpack it first."},
    {"7z\xbc\xaf", ErrorCode::kUnsupported, "a 7z archive. Unpack it first."},
    {"\x89HDF", ErrorCode::kUnsupported, "an HDF5 file (Keras), which is not supported. Use safetensors or GGUF."},
    {"lmgg", ErrorCode::kUnsupported, "a GGML file of 2023, older than GGUF. Download a GGUF of the model."},
    {"fmgg", ErrorCode::kUnsupported, "a GGMF file of 2023, older than GGUF. Download a GGUF of the model."},
    {"tjgg", ErrorCode::kUnsupported, "a GGJT file of 2023, older than GGUF. Download a GGUF of the model."},
};

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

}  // namespace

Result<FileKind> sniff(const ByteSource& source) {
  std::array<char, 64> head = {};
  const size_t n = static_cast<size_t>(std::min<uint64_t>(source.size(), head.size()));
  TRY(source.read(0, std::as_writable_bytes(std::span(head).first(n))));
  const std::string_view bytes(head.data(), n);
  // A big-endian GGUF may have its magic swapped: the reader has the right words for it.
  if (bytes.starts_with("GGUF") || bytes.starts_with("FUGG")) return FileKind::kGguf;
  if (n > 9) {
    uint64_t header = 0;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (bytes[8] == '{' && header < (uint64_t{1} << 32)) return FileKind::kSafetensors;
  }
  std::string_view text = bytes;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const std::string trimmed = lower(text.substr(std::min(text.find_first_not_of(" \t\r\n"), text.size())));
  for (const Signature& s : kText) {
    if (trimmed.starts_with(s.bytes)) return fail(s.code, "{} is {}", source.name(), s.sentence);
  }
  for (const Signature& s : kBinary) {
    if (bytes.starts_with(s.bytes)) return fail(s.code, "{} is {}", source.name(), s.sentence);
  }
  if (std::ranges::all_of(bytes, [](char c) { return c == 0; })) {
    return fail(ErrorCode::kInvalidFile, "{} starts with zeros. The download was probably interrupted.", source.name());
  }
  return fail(ErrorCode::kInvalidFile,
              "{} starts with \"{}\" and is neither a GGUF (\"GGUF\") nor a safetensors file. Name one of these, or a "
              "folder with config.json.",
              source.name(), printable(bytes.substr(0, 8)));
}

}  // namespace tern::io
