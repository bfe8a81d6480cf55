// tern synth: random weights in the shapes of real models, for measuring speed without a download. The text such a
// model writes is noise; every byte it moves is real.

#include <cmath>

#include "apps/cli/common.h"
#include "apps/cli/target_format.h"
#include "apps/cli/terminal.h"
#include "base/thread_pool.h"
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
  std::vector<uint64_t> shape;  // {cols} is a norm: ones
  Format format = Format::kF32;
};

std::vector<Tensor> tensors_of(const Shape& s, const TargetFormat& target) {
  std::vector<Tensor> out;
  const auto add = [&](std::string name, std::vector<uint64_t> shape) {
    const Format format = target.of(name, shape, s.n_layers, s.tied);
    out.push_back({std::move(name), std::move(shape), format});
  };
  const uint32_t q = s.n_heads * s.head_dim, kv = s.n_kv_heads * s.head_dim;
  add("token_embd.weight", {s.vocab, s.d_model});
  for (uint32_t layer = 0; layer < s.n_layers; ++layer) {
    const auto name = [&](std::string_view what) { return fmt::format("blk.{}.{}.weight", layer, what); };
    add(name("attn_norm"), {s.d_model});
    add(name("attn_q"), {q, s.d_model});
    add(name("attn_k"), {kv, s.d_model});
    add(name("attn_v"), {kv, s.d_model});
    add(name("attn_output"), {s.d_model, q});
    add(name("ffn_norm"), {s.d_model});
    add(name("ffn_gate"), {s.d_ff, s.d_model});
    add(name("ffn_up"), {s.d_ff, s.d_model});
    add(name("ffn_down"), {s.d_model, s.d_ff});
  }
  add("output_norm.weight", {s.d_model});
  if (!s.tied) add("output.weight", {s.vocab, s.d_model});
  return out;
}

Result<void> add_metadata(io::GgufWriter& writer, const Shape& s, const TargetFormat& target, uint64_t seed) {
  TRY(writer.add("general.architecture", std::string("llama")));
  TRY(writer.add("general.name", fmt::format("{} {} (random weights, seed {})", s.name, target.name, seed)));
  TRY(writer.add("general.file_type", target.file_type()));
  if (formats::info(target.format).block > 1) TRY(writer.add("general.quantization_version", uint32_t{2}));
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

// Writes one tensor in pieces of about 4 MB. Row r comes from seed + r alone, whatever the threads.
Result<void> write_tensor(io::GgufWriter& writer, const Tensor& tensor, uint64_t seed, ThreadPool& pool,
                          const std::function<Result<void>(uint64_t)>& wrote) {
  const uint64_t cols = tensor.shape.back();
  if (tensor.shape.size() == 1) {
    const std::vector<float> ones(cols, 1.0f);
    return writer.append(std::as_bytes(std::span(ones)));
  }
  const uint64_t rows = tensor.shape[0], row_bytes = TRY(formats::row_bytes(tensor.format, cols));
  // Activations keep their size through a product when weights have variance 1 / cols.
  const float stddev = 1.0f / std::sqrt(static_cast<float>(cols));
  const uint64_t piece = std::max<uint64_t>(1, (4u << 20) / row_bytes);
  std::vector<std::byte> bytes(piece * row_bytes);
  for (uint64_t row = 0; row < rows; row += piece) {
    const uint64_t n = std::min(piece, rows - row);
    pool.parallel_for(n, 1, [&](size_t begin, size_t end, uint32_t) {
      for (size_t i = begin; i < end; ++i) {
        formats::random_row(tensor.format, seed + row + i, stddev, cols, bytes.data() + i * row_bytes);
      }
    });
    TRY(writer.append(std::span(bytes).first(n * row_bytes)));
    TRY(wrote(n * row_bytes));
  }
  return {};
}

Result<const Shape*> find_shape(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Shape& s : kShapes) {
    names.push_back(s.name);
    if (s.name == name) return &s;
  }
  return fail(ErrorCode::kInvalidArgument, "There is no shape \"{}\"; there are {}.", name, fmt::join(names, ", "));
}

Result<void> synth(const SynthOptions& options) {
  const Shape& shape = *TRY(find_shape(options.shape));
  const TargetFormat target = TRY(parse_target_format(options.format, /*encode=*/false));
  const std::vector<Tensor> tensors = tensors_of(shape, target);
  catch_interrupts();  // so that Ctrl-C leaves no half a file
  io::GgufWriter writer = TRY(io::GgufWriter::create(options.out));
  TRY(add_metadata(writer, shape, target, options.seed));
  uint64_t total = 0, done = 0;
  for (const Tensor& t : tensors) {
    TRY(writer.declare(t.name, t.format, t.shape));
    total += (t.shape.size() == 1 ? 1 : t.shape[0]) * TRY(formats::row_bytes(t.format, t.shape.back()));
  }
  TRY(writer.write_header());

  ProgressBar bar("writing");
  ThreadPool pool(0);
  const auto wrote = [&](uint64_t bytes) -> Result<void> {
    if (take_interrupt()) return stopped(options.out);
    bar.update(done += bytes, total);
    return {};
  };
  uint64_t seed = options.seed << 40;  // each row of each tensor has a seed of its own
  for (const Tensor& t : tensors) {
    TRY_CTX(write_tensor(writer, t, seed, pool, wrote), "while making {}", t.name);
    seed += t.shape[0];
  }
  TRY(writer.finish());
  bar.clear();
  fmt::print(stderr, "{}: {} in {}, {}\n", options.out, shape.name, target.name,
             human_bytes(static_cast<double>(total)));
  return {};
}

}  // namespace

void add_synth(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<SynthOptions>();
  CLI::App* command = app.add_subcommand("synth", "Write a model of real shapes with random weights");
  command->add_option("SHAPE", options->shape, "llama-3.2-1b, llama-3.2-3b, llama-3-8b or tiny")->required();
  command->add_option("-o,--out", options->out, "The .gguf file to write")->required();
  command
      ->add_option("-f,--format", options->format, "Format of the matrices: " + target_format_names(/*encode=*/false))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Same seed, same bytes")->check(is_seed())->capture_default_str();
  command->footer(
      "Examples:\n"
      "  tern synth llama-3.2-1b --format q4_0 -o 1b.gguf    0.7 GB, then: tern bench 1b.gguf\n"
      "  tern synth tiny --format f32 -o tiny.gguf           small enough for a look at everything");
  command->callback([options, &exit_code] {
    if (auto result = synth(*options); !result) exit_code = report(result.error());
  });
}

}  // namespace tern::cli
