"""Writes a Hugging Face folder of the demo model as a GGUF file, with the `gguf` package alone.

    python3 export_gguf.py FOLDER OUT.gguf [--format q8_0]      formats: f32, f16, q8_0, q4_0

It exists so that the model does not depend on the engine it tests; `tern convert` does the same and more. Norms stay
f32. GGUF's llama architecture rotates neighbouring pairs (2i, 2i + 1) of a head where Hugging Face rotates halves
(i, i + h/2), so the rows of Q and K change places.
"""

import argparse
import json
import pathlib

import gguf
from safetensors.numpy import load_file

FORMATS = {
    "f32": gguf.GGMLQuantizationType.F32,
    "f16": gguf.GGMLQuantizationType.F16,
    "q8_0": gguf.GGMLQuantizationType.Q8_0,
    "q4_0": gguf.GGMLQuantizationType.Q4_0,
}
FILE_TYPES = {
    "f32": gguf.LlamaFileType.ALL_F32,
    "f16": gguf.LlamaFileType.MOSTLY_F16,
    "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
    "q4_0": gguf.LlamaFileType.MOSTLY_Q4_0,
}
LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def interleave(weight, heads):
    """Rows of each head from halves to neighbouring pairs.  [heads * h, D]"""
    rows, width = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, width).swapaxes(1, 2).reshape(rows, width)


def gguf_name(name):
    """model.layers.3.mlp.up_proj.weight -> blk.3.ffn_up.weight"""
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    layer, part = name.removeprefix("model.layers.").removesuffix(".weight").split(".", 1)
    return f"blk.{layer}.{LAYER_NAMES[part]}.weight"


def write_hyperparameters(w, c, form):
    w.add_name("Tern demo")
    w.add_license("apache-2.0")
    w.add_file_type(FILE_TYPES[form])
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    w.add_vocab_size(c["vocab_size"])
    w.add_context_length(c["max_position_embeddings"])
    w.add_embedding_length(c["hidden_size"])
    w.add_block_count(c["num_hidden_layers"])
    w.add_feed_forward_length(c["intermediate_size"])
    w.add_head_count(c["num_attention_heads"])
    w.add_head_count_kv(c["num_key_value_heads"])
    w.add_rope_dimension_count(c["head_dim"])
    w.add_rope_freq_base(c["rope_parameters"]["rope_theta"])
    w.add_layer_norm_rms_eps(c["rms_norm_eps"])


def write_tokenizer(w, folder, c):
    data = json.loads((folder / "tokenizer.json").read_text())
    tokens = sorted(data["model"]["vocab"], key=data["model"]["vocab"].get)
    special = {t["content"]: t["id"] for t in data["added_tokens"]}
    tokens += [t for t in special if t not in data["model"]["vocab"]]
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("llama-bpe")
    w.add_token_list(tokens)
    w.add_token_types([gguf.TokenType.CONTROL if t in special else gguf.TokenType.NORMAL for t in tokens])
    w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in data["model"]["merges"]])
    w.add_bos_token_id(c["bos_token_id"])
    w.add_eos_token_id(special["<|eot_id|>"])  # what ends an answer; <|end_of_text|> ends plain text
    w.add_eot_token_id(special["<|eot_id|>"])
    w.add_add_bos_token(True)
    w.add_chat_template((folder / "chat_template.jinja").read_text())


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("folder", type=pathlib.Path)
    p.add_argument("out")
    p.add_argument("--format", choices=FORMATS, default="q8_0")
    args = p.parse_args()
    config = json.loads((args.folder / "config.json").read_text())
    w = gguf.GGUFWriter(args.out, "llama")
    write_hyperparameters(w, config, args.format)
    write_tokenizer(w, args.folder, config)
    for name, weight in load_file(args.folder / "model.safetensors").items():
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            weight = interleave(weight, weight.shape[0] // config["head_dim"])
        form = FORMATS[args.format] if weight.ndim == 2 else gguf.GGMLQuantizationType.F32
        w.add_tensor(gguf_name(name), gguf.quants.quantize(weight, form), raw_dtype=form)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


if __name__ == "__main__":
    main()
