// tern convert: a model from any files that Tern reads to one GGUF, in another weight format if wanted. Tensors stream
// through in pieces of some megabytes, so that no model is ever in memory as a whole.

#include <algorithm>
#include <iostream>
#include <map>

#include "apps/cli/common.h"
#include "apps/cli/gguf_text.h"
#include "apps/cli/row_encoder.h"
#include "apps/cli/target_format.h"
#include "apps/cli/terminal.h"
#include "io/gguf_writer.h"
#include "io/text.h"
#include "models/common/export.h"

namespace tern::cli {
namespace {

struct ConvertOptions {
  std::string source;
  std::string out;
  std::string format = "f16";
  uint32_t threads = 0;
};

struct Output {
  const models::ModelTensor* tensor;
  Format format;
};

// The format that holds rows of `cols` weights and loses least, when the wanted one's blocks do not divide the row.
Format fitting(Format wanted, uint64_t cols) {
  if (formats::row_bytes(wanted, cols)) return wanted;
  return formats::row_bytes(Format::kQ8_0, cols) ? Format::kQ8_0 : Format::kF16;
}

class Plan {
 public:
  Plan(const std::vector<models::ModelTensor>& tensors, const TargetFormat& target) {
    uint32_t n_layers = 0;
    bool tied = true;
    for (const models::ModelTensor& tensor : tensors) {
      n_layers = std::max(n_layers, layer_count(tensor.name));
      tied &= tensor.name != "output.weight";
    }
    for (const models::ModelTensor& tensor : tensors) {
      const Format wanted = target.of(tensor.name, tensor.shape, n_layers, tied);
      const Format format = fitting(wanted, tensor.shape.back());
      if (format != wanted) ++fallbacks_[{tensor.shape.back(), wanted, format}];
      outputs_.push_back({&tensor, format});
    }
  }

  const std::vector<Output>& outputs() const { return outputs_; }

  void report_fallbacks() const {
    for (const auto& [what, count] : fallbacks_) {
      fmt::print(stderr, "{} tensor{} of {} columns, which {} in blocks of {} cannot hold: written as {}.\n", count,
                 count == 1 ? "" : "s", what.cols, formats::info(what.wanted).name, formats::info(what.wanted).block,
                 formats::info(what.got).name);
    }
  }

 private:
  struct Fallback {
    uint64_t cols;
    Format wanted, got;
    auto operator<=>(const Fallback&) const = default;
  };

  // One more than the layer in "blk.<layer>.<rest>".
  static uint32_t layer_count(const std::string& name) {
    return name.starts_with("blk.") ? static_cast<uint32_t>(strtoul(name.c_str() + 4, nullptr, 10)) + 1 : 0;
  }

  std::vector<Output> outputs_;
  std::map<Fallback, uint32_t> fallbacks_;
};

Result<void> add_metadata(io::GgufWriter& writer, const models::Export& model, const io::ModelFiles& files,
                          const TargetFormat& target) {
  for (const io::Metadata::Entry& entry : model.metadata) {
    if (entry.key == "general.file_type" || entry.key == "general.quantization_version") continue;
    TRY(writer.add(entry.key, entry.value));
  }
  TRY(writer.add("general.file_type", target.file_type()));
  if (formats::info(target.format).block > 1) TRY(writer.add("general.quantization_version", uint32_t{2}));
  if (files.kind == io::ModelFiles::Kind::kGguf) return {};  // its tokenizer is among its metadata
  const auto embedding = std::ranges::find(model.tensors, "token_embd.weight", &models::ModelTensor::name);
  ASSERT(embedding != model.tensors.end());
  const GgufText text = TRY_CTX(gguf_text(files, embedding->shape[0]), "while reading the tokenizer");
  if (!text.problem.empty()) fmt::print(stderr, "The file gets no tokenizer: {}\n", io::printable(text.problem, 1000));
  for (const io::Metadata::Entry& entry : text.metadata) TRY(writer.add(entry.key, entry.value));
  return {};
}

// Values that were computed (norms, biases, rope factors): small vectors, always f32.
Result<void> write_values(io::GgufWriter& writer, const Output& output) {
  ASSERT(output.format == Format::kF32);
  return writer.append(std::as_bytes(std::span(output.tensor->values)));
}

Result<uint64_t> bytes_of(const Output& output) {
  uint64_t rows = 1;
  for (size_t i = 0; i + 1 < output.tensor->shape.size(); ++i) rows *= output.tensor->shape[i];
  return rows * TRY(formats::row_bytes(output.format, output.tensor->shape.back()));
}

Result<void> convert(const ConvertOptions& options) {
  const double start = seconds_now();
  const TargetFormat target = TRY(parse_target_format(options.format, /*encode=*/true));
  const io::ModelFiles files = TRY(io::open_model(options.source));
  const models::Export model = TRY_CTX(models::export_gguf(files), "while loading {}", options.source);
  const Plan plan(model.tensors, target);

  catch_interrupts();  // so that Ctrl-C leaves no half a file
  io::GgufWriter writer = TRY(io::GgufWriter::create(options.out));
  TRY_CTX(add_metadata(writer, model, files, target), "while loading {}", options.source);
  uint64_t total = 0, done = 0;
  for (const Output& output : plan.outputs()) {
    TRY(writer.declare(output.tensor->name, output.format, output.tensor->shape));
    total += TRY(bytes_of(output));
  }
  plan.report_fallbacks();
  TRY(writer.write_header());

  ProgressBar bar("converting");
  RowEncoder encoder(files.weights, options.threads);
  for (const Output& output : plan.outputs()) {
    if (output.tensor->slices.empty()) {
      TRY(write_values(writer, output));
      continue;
    }
    const auto write = [&](std::span<const std::byte> rows) -> Result<void> {
      if (take_interrupt()) return stopped(options.out);
      bar.update(done += rows.size(), total);
      return writer.append(rows);
    };
    TRY_CTX(encoder.encode(output.tensor->slices, output.format, write), "while converting {}", output.tensor->name);
  }
  TRY(writer.finish());
  bar.clear();
  fmt::print(stderr, "{}: {} tensors, {} in {}, {:.1f} s\n", options.out, plan.outputs().size(),
             human_bytes(static_cast<double>(total)), target.name, seconds_now() - start);
  return {};
}

}  // namespace

void add_convert(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ConvertOptions>();
  CLI::App* command = app.add_subcommand("convert", "Write a GGUF from any model, in another weight format if wanted");
  command->add_option("SRC", options->source, "A .gguf file, or a Hugging Face folder (safetensors, AWQ, int8)")
      ->required();
  command->add_option("-o,--out", options->out, "The .gguf file to write")->required();
  command
      ->add_option("-f,--format", options->format,
                   "Format of the matrices: " + target_format_names(/*encode=*/true) + "; vectors stay f32")
      ->capture_default_str();
  command->add_option("-t,--threads", options->threads, "Worker threads; 0: one per available core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command->footer(
      "Examples:\n"
      "  tern convert path/to/Llama-3.2-1B -o llama.gguf              Hugging Face folder to F16\n"
      "  tern convert llama.gguf -o small.gguf --format q4_k_m        to 4.5 bits, the head to 6.5\n"
      "  tern convert path/to/some-awq-model -o m.gguf --format q8_0  AWQ or int8, decoded on the way\n\n"
      "q4_k_m is q4_k with q6_k for the head and for attn_v and ffn_down of half of the layers. Tensors whose rows a\n"
      "format's blocks do not divide are written as q8_0 or f16, and said so.");
  command->callback([options, &exit_code] {
    if (auto result = convert(*options); !result) exit_code = report(result.error());
  });
}

}  // namespace tern::cli
