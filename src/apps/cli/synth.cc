// tern synth: random weights in the shapes of real models, for measuring speed without a download. The text such a
// model writes is noise; every byte it moves is real.

#include <cmath>

#include "apps/cli/common.h"
#include "apps/cli/terminal.h"
#include "formats/format.h"
#include "io/gguf_writer.h"

namespace tern::cli {
namespace {

struct Shape {
  std::string_view name;
  uint32_t d_model, d_ff, n_layers, n_heads, n_kv_heads, head_dim, vocab, context;
  bool tied;
};

// From the models' published config.json.
constexpr Shape kShapes[] = {
    {"llama-3.2-1b", 2048, 8192, 16, 32, 8, 64, 128256, 131072, true},
    {"llama-3.2-3b", 3072, 8192, 28, 24, 8, 128, 128256, 131072, true},
    {"llama-3-8b", 4096, 14336, 32, 32, 8, 128, 128256, 8192, false},
    {"tiny", 256, 512, 2, 4, 2, 64, 512, 2048, true},  // of no real model: for trying things out in a second
};

struct SynthOptions {
  std::string shape;
  std::string format = "q4_0";
  std::string out;
  uint64_t seed = 1;
};

struct Tensor {
  std::string name;
  Format format;
  uint32_t rows, cols;  // rows 0: a vector of `cols` ones (norms)
};

// The mix that files named Q4_K_M have: Q6_K for the head, and for attn_v and ffn_down of half of the layers.
bool q6_in_mix(std::string_view tensor, uint32_t layer, const Shape& shape) {
  const uint32_t eighth = shape.n_layers / 8;
  return (tensor == "attn_v" || tensor == "ffn_down") &&
         (layer < eighth || layer >= 7 * eighth || (layer - eighth) % 3 == 2);
}

std::vector<Tensor> tensors_of(const Shape& s, Format format, bool mix) {
  std::vector<Tensor> out;
  const Format head = mix ? Format::kQ6_K : format;
  const uint32_t q = s.n_heads * s.head_dim, kv = s.n_kv_heads * s.head_dim;
  out.push_back({"token_embd.weight", s.tied ? head : format, s.vocab, s.d_model});
  for (uint32_t layer = 0; layer < s.n_layers; ++layer) {
    const auto add = [&](std::string_view name, uint32_t rows, uint32_t cols) {
      const Format f = rows == 0 ? Format::kF32 : mix && q6_in_mix(name, layer, s) ? Format::kQ6_K : format;
      out.push_back({fmt::format("blk.{}.{}.weight", layer, name), f, rows, cols});
    };
    add("attn_norm", 0, s.d_model);
    add("attn_q", q, s.d_model);
    add("attn_k", kv, s.d_model);
    add("attn_v", kv, s.d_model);
    add("attn_output", s.d_model, q);
    add("ffn_norm", 0, s.d_model);
    add("ffn_gate", s.d_ff, s.d_model);
    add("ffn_up", s.d_ff, s.d_model);
    add("ffn_down", s.d_model, s.d_ff);
  }
  out.push_back({"output_norm.weight", Format::kF32, 0, s.d_model});
  if (!s.tied) out.push_back({"output.weight", head, s.vocab, s.d_model});
  return out;
}

Result<void> add_metadata(io::GgufWriter& writer, const Shape& s, const SynthOptions& options) {
  TRY(writer.add("general.architecture", std::string("llama")));
  TRY(writer.add("general.name", fmt::format("{} {} (random weights, seed {})", s.name, options.format, options.seed)));
  TRY(writer.add("llama.block_count", s.n_layers));
  TRY(writer.add("llama.context_length", s.context));
  TRY(writer.add("llama.embedding_length", s.d_model));
  TRY(writer.add("llama.feed_forward_length", s.d_ff));
  TRY(writer.add("llama.attention.head_count", s.n_heads));
  TRY(writer.add("llama.attention.head_count_kv", s.n_kv_heads));
  TRY(writer.add("llama.attention.key_length", s.head_dim));
  TRY(writer.add("llama.attention.value_length", s.head_dim));
  TRY(writer.add("llama.attention.layer_norm_rms_epsilon", 1e-5f));
  TRY(writer.add("llama.rope.dimension_count", s.head_dim));
  TRY(writer.add("llama.rope.freq_base", 500000.0f));
  TRY(writer.add("llama.vocab_size", s.vocab));
  TRY(writer.add("tokenizer.ggml.model", std::string("no_vocab")));
  return {};
}

// Writes one tensor in pieces of about 4 MB.
Result<void> write_tensor(io::GgufWriter& writer, const Tensor& tensor, uint64_t seed,
                          const std::function<void(uint64_t)>& wrote) {
  if (tensor.rows == 0) {
    const std::vector<float> ones(tensor.cols, 1.0f);
    return writer.append(std::as_bytes(std::span(ones)));
  }
  const uint64_t row_bytes = TRY_CTX(formats::row_bytes(tensor.format, tensor.cols), "while making {}", tensor.name);
  // Activations keep their size through a product when weights have variance 1 / cols.
  const float stddev = 1.0f / std::sqrt(static_cast<float>(tensor.cols));
  const uint32_t piece = static_cast<uint32_t>(std::max<uint64_t>(1, (4u << 20) / row_bytes));
  std::vector<std::byte> rows(piece * row_bytes);
  for (uint32_t row = 0; row < tensor.rows; row += piece) {
    const uint32_t n = std::min(piece, tensor.rows - row);
    for (uint32_t i = 0; i < n; ++i) {
      formats::random_row(tensor.format, seed + row + i, stddev, tensor.cols, rows.data() + i * row_bytes);
    }
    TRY(writer.append(std::span(rows).first(n * row_bytes)));
    wrote(n * row_bytes);
  }
  return {};
}

Result<void> synth(const SynthOptions& options) {
  const Shape* shape = nullptr;
  std::vector<std::string_view> names;
  for (const Shape& s : kShapes) {
    names.push_back(s.name);
    if (s.name == options.shape) shape = &s;
  }
  if (!shape) {
    return fail(ErrorCode::kInvalidArgument, "There is no shape \"{}\"; there are {}.", options.shape,
                fmt::join(names, ", "));
  }
  const bool mix = options.format == "q4_k_m";
  const std::optional<Format> format = mix ? Format::kQ4_K : formats::from_name(options.format);
  if (!format) return fail(ErrorCode::kInvalidArgument, "There is no weight format \"{}\".", options.format);

  io::GgufWriter writer = TRY(io::GgufWriter::create(options.out));
  TRY(add_metadata(writer, *shape, options));
  const std::vector<Tensor> tensors = tensors_of(*shape, *format, mix);
  uint64_t total = 0;
  for (const Tensor& t : tensors) {
    TRY(writer.declare(t.name, t.format, t.rows == 0 ? std::vector<uint64_t>{t.cols} : std::vector<uint64_t>{t.rows, t.cols}));
    total += t.rows == 0 ? 4 * t.cols : t.rows * TRY(formats::row_bytes(t.format, t.cols));
  }
  TRY(writer.write_header());
  ProgressBar bar("writing");
  uint64_t done = 0, seed = options.seed << 40;
  for (const Tensor& t : tensors) {
    TRY(write_tensor(writer, t, seed, [&](uint64_t bytes) { bar.update(done += bytes, total); }));
    seed += t.rows;
  }
  TRY(writer.finish());
  fmt::print(stderr, "{}: {} in {}, {}\n", options.out, shape->name, options.format,
             human_bytes(static_cast<double>(total)));
  return {};
}

}  // namespace

void add_synth(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<SynthOptions>();
  CLI::App* command = app.add_subcommand("synth", "Write a model of real shapes with random weights");
  command->add_option("SHAPE", options->shape, "llama-3.2-1b, llama-3.2-3b, llama-3-8b or tiny")->required();
  command->add_option("--format", options->format, "A weight format (f16, q8_0, q4_0, q4_k, ...), or the mix q4_k_m")
      ->capture_default_str();
  command->add_option("-o,--out", options->out, "The .gguf file to write")->required();
  command->add_option("--seed", options->seed, "Same seed, same bytes")->capture_default_str();
  command->callback([options, &exit_code] {
    if (auto result = synth(*options); !result) exit_code = report(result.error());
  });
}

}  // namespace tern::cli
