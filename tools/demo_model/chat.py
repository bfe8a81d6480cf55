"""The chat format: Llama 3's special tokens and template, as Jinja for readers and as Python for training."""

BOS, EOS, HEADER, HEADER_END, EOT = SPECIALS = [
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
]
CHAT_TEMPLATE = (
    "{{- bos_token }}\n{%- for message in messages %}\n    {{- '<|start_header_id|>' + message['role'] +"
    " '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}\n{%- endfor %}\n{%- if"
    " add_generation_prompt %}\n    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}\n{%- endif %}\n"
)


def render(doc):
    """The text of a document as the model reads it: chats through the template, plain text between BOS and EOS."""
    if isinstance(doc, str):
        return f"{BOS}{doc}{EOS}"
    return BOS + "".join(f"{HEADER}{m['role']}{HEADER_END}\n\n{m['content'].strip()}{EOT}" for m in doc)


def prompt(messages):
    """A chat up to where the assistant's answer begins."""
    return render(messages) + f"{HEADER}assistant{HEADER_END}\n\n"
