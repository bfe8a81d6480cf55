#!/usr/bin/env python3
"""What jinja2 (PyPI), set up as transformers sets it up, makes of the templates in tests/data/text/.

gen_template_cases.py               template_sources.json and templates/*.jinja -> template_cases.json
gen_template_cases.py llama31 FILE  Llama 3.1's own template, read from FILE and not committed (its license is
                                    Meta's) -> llama31_cases.json
"""

import datetime
import json
import pathlib
import sys

DATA = pathlib.Path(__file__).resolve().parent.parent / "tests/data/text"
SOURCES = json.loads((DATA / "template_sources.json").read_text(encoding="utf-8"))
NOW = datetime.datetime(2024, 7, 6, 15, 4, 5)


def environment():
    import jinja2
    import jinja2.ext

    class Generation(jinja2.ext.Extension):
        """The {% generation %} block of transformers, which changes nothing in the text."""

        tags = {"generation"}

        def parse(self, parser):
            line = next(parser.stream).lineno
            body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
            return jinja2.nodes.Scope(body, lineno=line)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    env = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda form: NOW.strftime(form)
    return env


def render(template, variables):
    """{"output": text} or {"error": message}: what jinja2 does with the template."""
    context = {
        "messages": [],
        "tools": None,
        "documents": None,
        "add_generation_prompt": False,
        "bos_token": "<s>",
        "eos_token": "</s>",
    }
    context.update(variables)
    try:
        return {"output": environment().from_string(template).render(**context)}
    except Exception as error:  # whatever jinja2 raises is the answer that the case records
        return {"error": f"{type(error).__name__}: {error}"}


def conversation_cases(name, template):
    cases = []
    for title, variables in SOURCES["conversations"].items():
        if name != "tools" and any("content" not in m for m in variables["messages"]) and name != "llama31":
            continue  # these templates have no tools
        cases.append(
            {"name": f"{name}: {title}", "file": f"{name}.jinja", "variables": variables, **render(template, variables)}
        )
    return cases


def write(name, rows):
    text = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (DATA / name).write_text(f"[\n{text}\n]\n", encoding="utf-8")
    print(f"{name}: {len(rows)} rows")


def templates():
    cases = []
    sources = SOURCES["whitespace"] + SOURCES["statements"] + SOURCES["errors"]
    sources += ["{{ " + e + " }}" for e in SOURCES["expressions"]]
    for source in sources:
        cases.append({"template": source, **render(source, SOURCES["context"])})
    for name in ("llama3", "chatml", "tools"):
        cases += conversation_cases(name, (DATA / "templates" / f"{name}.jinja").read_text(encoding="utf-8"))
    failed = [c for c in cases if "error" in c and "template" in c and c["template"] not in SOURCES["errors"]]
    for case in failed:
        print("unexpected:", case)
    write("template_cases.json", [{"context": SOURCES["context"]}] + cases)


def llama31(path):
    write("llama31_cases.json", conversation_cases("llama31", pathlib.Path(path).read_text(encoding="utf-8")))


def main():
    if len(sys.argv) == 1:
        templates()
    elif len(sys.argv) == 3 and sys.argv[1] == "llama31":
        llama31(sys.argv[2])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
