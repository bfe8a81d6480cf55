#!/usr/bin/env python3
"""Test data for the text room from other people's implementations (tests/data/text/).

  gen_text_vectors.py templates          template_cases.json: jinja2 (PyPI) set up as transformers sets it up
  gen_text_vectors.py llama31 FILE       llama31_cases.json: the same for Llama 3.1's own template, which is read from
                                         FILE and not committed (its license is Meta's)
  gen_text_vectors.py tokenizers         hf_*.json: small tokenizers trained by `tokenizers` (PyPI), with their ids
  gen_text_vectors.py tiktoken VOCAB     tiktoken_vectors.json: ids by `tiktoken` (PyPI) with Llama 3's expression and
                                         the vocabulary that gen_text_vectors.mjs extracts
"""
import datetime
import json
import pathlib
import sys

DATA = pathlib.Path(__file__).resolve().parent.parent / "tests/data/text"
NOW = datetime.datetime(2024, 7, 6, 15, 4, 5)

# --- templates ---------------------------------------------------------------------------------------------------------


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
    context = {"messages": [], "tools": None, "documents": None, "add_generation_prompt": False, "bos_token": "<s>",
               "eos_token": "</s>"}
    context.update(variables)
    try:
        return {"output": environment().from_string(template).render(**context)}
    except Exception as error:  # whatever jinja2 raises is the answer that the case records
        return {"error": f"{type(error).__name__}: {error}"}


WHITESPACE = [
    "a\n{% if true %}\nb\n{% endif %}\nc\n", "  {% if true %}  x  {% endif %}  \n", "a  {%- if true -%}  x  {%- endif -%}  b",
    "a\n  {%+ if true %}\n  x\n  {% endif +%}\nb", "  {{ 1 }}  \n  {{- 2 -}}  \n  3", "{# c #}\na", "  {# c #}  \na",
    "a {#- c -#} b", "x\n    {# c #}\n    y\n", "{% raw %}{{ x }} {% if %}{% endraw %}", "a\n  {% raw %}\n b \n  {% endraw %}\nc",
    "a {%- raw -%}  b  {%- endraw -%} c", "a\r\nb\rc\n", "one\n\n", "\n", "", "{{ 'a' }}\n\n{% set x = 1 %}\n\n{{ x }}",
    "{% for i in range(3) %}\n  {{ i }}\n{% endfor %}\n", "{%- for i in range(3) -%}\n  {{ i }}\n{%- endfor -%}",
    "x{% if 1 %}\n\n{% endif %}y", "{ { % # {a} }} %}", "{% set a %}\n  b\n{% endset %}[{{ a }}]", "\t {%- set q = 1 %}\n\tz",
]

STATEMENTS = [
    "{% if a is defined %}1{% elif n > 2 %}2{% else %}3{% endif %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for i in [] %}x{% else %}none{% endfor %}", "{% for i in l %}{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }}{% endfor %}",
    "{% for i in l %}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }} {% endfor %}",
    "{% for i in l %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} {% endfor %}", "{% for i in l if i is odd %}{{ i }}{{ loop.length }}{% endfor %}",
    "{% for i in l if i > 99 %}x{% else %}e{% endfor %}", "{% for i in l %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% for i in [1,1,2,2,1] %}{{ loop.changed(i) }} {% endfor %}", "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% set x = 1 %}{% for i in l %}{% set x = x + i %}{{ x }},{% endfor %}{{ x }}", "{% set ns = namespace(x=1) %}{% for i in l %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}",
    "{% set a, b = 1, 'two' %}{{ a }}{{ b }}", "{% set x %}{{ n }}-{{ s }}{% endset %}{{ x|upper }}", "{% set x | upper | trim %} abc {% endset %}[{{ x }}]",
    "{% macro f(a, b=2, c='z') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }} {{ f(1, c=3) }} {{ f(a='q', b='r') }}",
    "{% macro f(x) %}{% if x > 0 %}{{ x }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(4) }}", "{% macro f() %}{{ later }}{% endmacro %}{% set later = 7 %}{{ f() }}",
    "{% macro f(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ f(3) }}", "{% macro f(a) %}[{{ a }}]{% endmacro %}{{ f() }}",
    "{% macro w(t) %}<{{ t }}>{{ caller() }}</{{ t }}>{% endmacro %}{% call w('b') %}in{% endcall %}",
    "{% macro each(l) %}{% for i in l %}{{ caller(i) }}{% endfor %}{% endmacro %}{% call(x) each(l) %}({{ x }}){% endcall %}",
    "{% filter upper %}abc{{ s }}{% endfilter %}", "{% filter replace('a', 'b')|upper %}aXa{% endfilter %}", "{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a is defined }}",
    "{% generation %}text {{ n }}{% endgeneration %}!", "{% if true %}{% set inside = 5 %}{% endif %}{{ inside }}",
    "{% for i in range(2) %}{% for j in range(2) %}{{ i }}{{ j }}{{ loop.index }} {% endfor %}{{ loop.index }}{% endfor %}",
    "{% for a, b in [(1, 2), (3, 4)] %}{{ a * b }} {% endfor %}", "{% for x in d %}{{ x }}{% endfor %}", "{% for c in 'häß' %}{{ c }}.{% endfor %}",
    "{% for x in missing %}x{% else %}nothing{% endfor %}", "{% set l2 = l + [9] %}{{ l2 }}{{ l }}", "{% set loop_x = 3 %}{% for i in l %}{% set loop_x = i %}{% endfor %}{{ loop_x }}",
]

EXPRESSIONS = [
    "1 + 2 * 3 - 4", "7 / 2", "7 // 2", "-7 // 2", "7 % 3", "-7 % 3", "7 % -3", "2 ** 10", "2 ** 3 ** 2", "2 ** -1", "-2 ** 2", "1.5 + 1", "7.5 // 2",
    "7.5 % 2", "1 / 3", "1e20", "1e16", "1e15", "0.0001", "0.00001", "1.0", "100.0 * 3", "1_000", "3.0 == 3", "true + true", "not true", "not not 1",
    "1 < 2 < 3", "1 < 3 < 2", "3 > 2 >= 2 != 1", "'a' < 'b'", "[1, 2] < [1, 3]", "'b' in 'abc'", "4 not in l", "2 in l", "'k' in d", "'zz' in d",
    "1 in (1, 2)", "true and 'x'", "0 or 'y'", "'' or none", "1 and 0", "not a and true", "'yes' if n > 2 else 'no'", "'yes' if n > 99",
    "('a' if false else 'b') ~ 'c'", "1 ~ 2 ~ 'x' ~ none ~ true ~ 1.0", "'a' + 'b' * 3", "[1] + [2, 3]", "[0] * 3", "(1, 2) + (3,)", "'a' 'b' \"c\"",
    "l[0]", "l[-1]", "l[1:]", "l[:-1]", "l[::-1]", "l[::2]", "l[5:2]", "l[-2:]", "l[3:0:-1]", "s[0]", "s[-1]", "s[1:3]", "s[::-1]", "'häß→😀'[2:]", "'häß→😀'|length",
    "l[99] is defined", "d.k", "d['k']", "d.missing is defined", "d['missing'] is undefined", "d.nested.x", "d.nested['list'][1]", "l.0", "d.get('k')",
    "d.get('zz')", "d.get('zz', 'fall')", "d.keys()|list", "d.values()|list", "d.items()|list", "{'a': 1, 'b': [1, 2.5, none, true]}", "{1: 'x'}[1]",
    "[1, 'a', \"it's\", none, true, 1.5, [], {}, ()]", "(1,)", "()", "['\"', '\\'\\'\"', '\\n\\t\\\\', 'é', '\\x00', '\\u200b']", "missing", "[missing]", "none", "true", "'\\x41\\u00e9\\101\\q'",
    "a is defined", "n is defined", "none is none", "n is none", "s is string", "n is string", "n is number", "true is number", "1.5 is float", "1 is integer",
    "true is integer", "true is boolean", "true is true", "1 is true", "false is false", "d is mapping", "l is mapping", "l is iterable", "s is iterable", "n is iterable",
    "l is sequence", "d is sequence", "s is sequence", "n is odd", "n is even", "9 is divisibleby 3", "9 is divisibleby(2)", "n is equalto 3", "n is eq 3", "n is ne 3",
    "n is gt 2", "n is lt(2)", "2 is in l", "2 is not in(l)", "'abc' is lower", "'ABC' is upper", "'123' is upper", "n is not none and n is not string",
    "a is not defined or a", "n is sameas 3", "range is callable", "s is callable", "'length' is filter", "'odd' is test",
    "'  x '|trim", "'xxaxx'|trim('x')", "s|upper", "'HeLLo wOrld'|lower", "'heLLo wOrld-foo (bar)'|title", "'heLLo World'|capitalize", "'äöü'|upper", "'aXbXc'|replace('X', '--')",
    "'aXbXc'|replace('X', '-', 1)", "'abc'|replace('', '-')", "l|first", "l|last", "[]|first is defined", "l|length", "s|length", "d|length", "l|count", "d|list", "'abc'|list",
    "l|join", "l|join(', ')", "[{'x': 1}, {'x': 2}]|join('+', attribute='x')", "a|default('dflt')", "''|default('e')", "''|default('e', true)", "none|default('n')", "a|d('x')|upper",
    "people|map(attribute='name')|list", "people|map(attribute='age', default=0)|list", "l|map('string')|list", "['a', 'b']|map('upper')|join", "['aXa']|map('replace', 'X', '-')|list",
    "people|map(attribute='tags.0')|list", "l|select('odd')|list", "l|reject('odd')|list", "[0, 1, '', 'x']|select|list", "l|select('gt', 2)|list", "l|select('in', [1, 2])|list",
    "people|selectattr('age')|map(attribute='name')|list", "people|selectattr('age', 'gt', 30)|map(attribute='name')|list", "people|rejectattr('age', 'defined')|list|length",
    "people|selectattr('name', 'equalto', 'Ann')|list|length", "['x', 'code_interpreter']|reject('equalto', 'code_interpreter')|join(', ')",
    "n|string + 'x'", "'12'|int + 1", "'x'|int", "'x'|int(5)", "'12.9'|int", "'ff'|int(0, 16)", "3.99|int", "'2.5'|float", "'x'|float(1.5)", "3|float", "2.567|round", "2.567|round(2)",
    "2.5|round", "3.5|round", "2.1|round(method='ceil')", "2.9|round(0, 'floor')", "42|round", "-3|abs", "'<a>'|safe", "'<a href=\"x\">'|escape", "'a\\nb\\n\\nc'|indent", "'a\\nb'|indent(2, true)",
    "'a\\n\\nb'|indent(2, blank=true)", "'a\\nb'|indent('> ')", "[3, 1, 2]|sort", "[3, 1, 2]|sort(reverse=true)", "['b', 'A', 'c']|sort", "['b', 'A', 'c']|sort(case_sensitive=true)",
    "people|sort(attribute='name')|map(attribute='name')|list", "[1, 2, 1, 3, 2]|unique|list", "['a', 'A', 'b']|unique|list", "d2|dictsort", "d2|dictsort(by='value')", "d2|dictsort(reverse=true)",
    "l|max", "l|min", "l|sum", "people|sum(attribute='n', start=10)", "l|reverse|list", "'abc'|reverse", "d|items|list", "missing|items|list", "people|groupby('n')|map('first')|list",
    "l|batch(2)|list", "[1, 2, 3]|batch(2, 0)|list", "'one two, three'|wordcount", "d|attr('k') is defined",
    "d|tojson", "d|tojson(indent=2)", "[]|tojson(indent=2)", "{}|tojson(indent=4)", "[1, [2, {'a': none}]]|tojson(indent=4)", "'é\"\\n\\u0001😀</x>'|tojson", "'é😀'|tojson(ensure_ascii=true)",
    "{'b': 1, 'a': 2}|tojson(sort_keys=true)", "[1, 2]|tojson(separators=(',', ':'))", "{'a': 1}|tojson(separators=[',', ':'])", "1.0|tojson", "1e100|tojson", "true|tojson", "none|tojson", "{1: 2}|tojson", "(1, 2)|tojson",
    "'  x '.strip()", "'xxaxx'.strip('x')", "'  x '.lstrip()", "'  x '.rstrip()", "'abc'.lstrip('ab')", "'a,b,c'.split(',')", "'a b  c'.split()", "' a b '.split(' ')", "'a,b,c'.split(',', 1)",
    "'a,b,c'.rsplit(',', 1)", "'<think>x</think>y'.split('</think>')[-1].lstrip('\\n')", "'a\\nb\\r\\nc\\n'.splitlines()", "s.startswith('he')", "s.endswith('x')", "s.startswith(('x', 'he'))", "s.upper()",
    "'ABC'.lower()", "'they\\'re bill\\'s'.title()", "'heLLo'.capitalize()", "'aXbX'.replace('X', '-')", "'aXbX'.replace('X', '-', 1)", "'hello'.find('l')", "'hello'.find('z')", "'hello'.count('l')",
    "', '.join(['a', 'b'])", "'123'.isdigit()", "'12a'.isdigit()", "'abc'.isalpha()", "'  '.isspace()", "'abc'.islower()", "'prefix-x'.removeprefix('prefix-')", "l.index(2)", "l.count(2)", "[1, 2, 3].pop()", "[1, 2, 3].pop(0)", "'{}-{}'.format(n, s)", "'{1}{0}{{}}{x}'.format(1, 'b', x=none)",
    "none|selectattr('x')|list", "none|map('upper')|list", "0|reject('odd')|list", "'a\\n\\n'|indent", "'ß'.upper() != ''",
    "range(5)|list", "range(2, 5)|list", "range(10, 0, -3)|list", "range(0)|list", "dict(a=1, b='x')", "dict({'a': 1}, b=2)", "namespace(a=1).a", "strftime_now('%d %b %Y')", "strftime_now('%Y-%m-%d %H:%M:%S %A %j %I %p %y %B %a %%')",
    "messages[0]['role'] if messages else 'empty'", "(n, s)", "n, s", "[l, [l]]|tojson", "l == [1, 2, 3, 4]", "d == {'k': 'v'}", "'1' == 1", "none == false", "(1, 2) == [1, 2]", "1 == true", "n|string|length",
    "((((1))))", "[[[[1]]]]", "{'a': {'b': {'c': 1}}}.a.b.c", "l|first + l|last", "-n|abs", "not n is odd", "n * -1", "l|length > 2 and s|length < 99", "('x' ~ n)|upper", "d['k'] + d.k", "s|replace('h', 'H')|trim|length",
]

ERRORS = [
    "{{ raise_exception('No!') }}", "{{ missing.attribute }}", "{{ missing + 1 }}", "{{ missing() }}", "{{ 'a' + 1 }}", "{{ 1 / 0 }}", "{{ 1 // 0 }}", "{{ 1 % 0 }}", "{{ [] < 1 }}", "{{ none.x.y }}",
    "{{ 1|nofilter }}", "{{ 1 is notest }}", "{% for %}{% endfor %}", "{% if %}x{% endif %}", "{% if x %}", "{% endif %}", "{% for x in l %}", "{{", "{{ x", "{% x", "{# x", "{{ 'a }}", "{{ ( }}", "{{ ) }}",
    "{{ [1, }}", "{{ {'a' 1} }}", "{% raw %}x", "{{ a b }}", "{{ 1 + }}", "{{ 'x'|trim( }}", "{% set = 1 %}", "{% macro %}{% endmacro %}", "{% unknown %}", "{% break %}", "{{ l.append }}{{ n() }}",
    "{% for a, b in [1] %}{% endfor %}", "{% set n.x = 1 %}", "{{ [1, 2]|first(1, 2, 3) }}", "{{ s.split('') }}", "{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}", "{% macro f(a) %}{% endmacro %}{{ f(b=2) }}", "{{ ? }}",
    "{{ missing|tojson }}", "{{ '{}'.format() }}", "{{ '{'.format(1) }}", "{{ '}'.format(1) }}", "{{ [].pop() }}", "{{ [1].pop(1) }}", "{{ range(1, 2, 0)|list }}", "{% include 'x' %}", "{% else %}", "{{ loop.index }}",
]

CONTEXT = {
    "n": 3, "s": "hello", "l": [1, 2, 3, 4], "d": {"k": "v", "nested": {"x": 1.5, "list": [1, "two"]}, "é": None}, "d2": {"b": 1, "A": 3, "c": 2},
    "people": [{"name": "Bob", "age": 41, "n": 1, "tags": ["x"]}, {"name": "Ann", "age": 29, "n": 2, "tags": ["y", "z"]}, {"name": "Cy", "n": 1, "tags": []}],
}

TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "Weather of a city <now> & later",
          "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": "Île-de-France"}, "days": {"type": "integer", "default": 1.5}}, "required": ["city"]}}}]

CONVERSATIONS = {
    "one": {"messages": [{"role": "user", "content": "  Hi there!\n"}], "add_generation_prompt": True},
    "system": {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"},
                            {"role": "user", "content": "Größe: {{ not a template }}\n\n{% %} 😀"}], "add_generation_prompt": True},
    "finished": {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": " b "}], "add_generation_prompt": False},
    "dated": {"messages": [{"role": "user", "content": "When?"}], "date_string": "26 Jul 2024", "add_generation_prompt": True},
    "tools": {"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Weather in Paris?"},
                           {"role": "assistant", "tool_calls": [{"function": {"name": "get_weather", "arguments": {"city": "Paris", "days": 2}}}]},
                           {"role": "tool", "content": {"temperature": 21.0, "sky": "ensoleillé"}}, {"role": "tool", "content": "done"}], "tools": TOOLS, "add_generation_prompt": True},
    "tools_in_system": {"messages": [{"role": "user", "content": "Weather?"}], "tools": TOOLS, "tools_in_user_message": False, "tools_first": False, "add_generation_prompt": True},
    "builtin": {"messages": [{"role": "user", "content": "Search."}, {"role": "assistant", "tool_calls": [{"function": {"name": "brave_search", "arguments": {"query": "terns", "n": "2"}}}]},
                             {"role": "ipython", "content": "found"}], "builtin_tools": ["brave_search", "code_interpreter", "interpreter"], "add_generation_prompt": True},
    "two_calls": {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [{"function": {}}, {"function": {}}]}]},
    "empty_tools": {"messages": [], "tools": TOOLS},
    "no_thinking": {"messages": [{"role": "user", "content": "x"}], "enable_thinking": False, "add_generation_prompt": True},
}


def conversation_cases(name, template):
    cases = []
    for title, variables in CONVERSATIONS.items():
        if name != "tools" and any("content" not in m for m in variables["messages"]) and name != "llama31":
            continue  # these templates have no tools
        cases.append({"name": f"{name}: {title}", "file": f"{name}.jinja", "variables": variables, **render(template, variables)})
    return cases


def write(name, rows):
    text = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (DATA / name).write_text(f"[\n{text}\n]\n", encoding="utf-8")
    print(f"{name}: {len(rows)} rows")


def templates():
    cases = []
    sources = WHITESPACE + STATEMENTS + ["{{ " + e + " }}" for e in EXPRESSIONS] + ERRORS
    for source in sources:
        cases.append({"template": source, **render(source, CONTEXT)})
    for name in ("llama3", "chatml", "tools"):
        cases += conversation_cases(name, (DATA / "templates" / f"{name}.jinja").read_text(encoding="utf-8"))
    failed = [c for c in cases if "error" in c and "template" in c and c["template"] not in ERRORS]
    for case in failed:
        print("unexpected:", case)
    write("template_cases.json", [{"context": CONTEXT}] + cases)


def llama31(path):
    write("llama31_cases.json", conversation_cases("llama31", pathlib.Path(path).read_text(encoding="utf-8")))


# --- tokenizers --------------------------------------------------------------------------------------------------------

LLAMA3_REGEX = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
                r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2_REGEX = LLAMA3_REGEX.replace(r"\p{N}{1,3}", r"\p{N}")

TEXTS = [
    "", " ", "  ", "\n", " \n ", "a", "The terns fly south, don't they?", "IT'S WE'LL 'S 's 'x ''s", "x'\u017f y'\u017f", "'\u212a", "12345 1 22 333 ٣٤٥٦ ½²", "tabs\tand\t\tmore", "a\u0085b\u0085\u0085 c", "a\ufeffb \ufeff c",
    "a\u00a0b\u00a0\u00a0c", "\u3000\u3000x", "line\r\nline\r\n\r\nx", "  lead", "trail  ", "é e\u0301 \u1e9b\u0323 ﬁ Å A\u030a 각 \u1100\u1161\u11a8", "中文 日本語 한국어", "مرحبا بالعالم", "नमस्ते दुनिया", "👩‍👩‍👧‍👦 👍🏽", "<|end|>", "a<|end|>b <|start|>", "<tool>x</tool>",
    "\u200b\u200d\u00ad", "snake_case camelCase", "$9.99 (50%) #1 @x", "...!!!\n\n", "!!! \r\n x", "ꟲ \U0001df00 \U00010d4a", "\u1c80\u1c89 \ua7cb", "\x00\x01\x7f", "\u2028\u2029", "K\u0308o\u0308", "Ⅷ ⑨ 〇",
]


def tokenizers():
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    corpus = [(DATA / "templates" / "tools.jinja").read_text(encoding="utf-8"), pathlib.Path(__file__).read_text(encoding="utf-8")] + TEXTS * 3
    kinds = {
        "llama3": pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3_REGEX), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]),
        "qwen2": pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2_REGEX), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]),
        "gpt2": pre_tokenizers.ByteLevel(add_prefix_space=False),
    }
    for name, pre in kinds.items():
        tokenizer = Tokenizer(models.BPE(ignore_merges=name == "llama3"))
        tokenizer.pre_tokenizer = pre
        tokenizer.decoder = decoders.ByteLevel()
        if name == "qwen2":
            tokenizer.normalizer = normalizers.NFC()
        trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=["<|start|>", "<|end|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
        tokenizer.train_from_iterator(corpus, trainer)
        tokenizer.add_tokens([AddedToken("<tool>", normalized=False), AddedToken("<tool></tool>", normalized=False)])
        if name == "llama3":
            tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(single="<|start|> $A", special_tokens=[("<|start|>", 0)])])
        saved = json.loads(tokenizer.to_str())
        vectors = [[text, tokenizer.encode(text).ids] for text in TEXTS + corpus[:1]]
        rows = [f'"tokenizer": {json.dumps(saved, ensure_ascii=False)}', '"vectors": [\n' + ",\n".join(json.dumps(v, ensure_ascii=False) for v in vectors) + "\n]"]
        (DATA / f"hf_{name}.json").write_text("{" + ",\n".join(rows) + "}\n", encoding="utf-8")
        print(f"hf_{name}.json: {len(vectors)} texts")


def tiktoken_vectors(path):
    import tiktoken

    # GPT-2's alphabet: printable Latin-1 bytes as themselves, the others from U+0100 on.
    visible = [b for b in range(256) if 0x21 <= b <= 0x7E or 0xA1 <= b <= 0xAC or b >= 0xAE]
    hidden = [b for b in range(256) if b not in visible]
    to_byte = {chr(b): b for b in visible} | {chr(0x100 + i): b for i, b in enumerate(hidden)}
    tokens = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))["tokens"]
    ranks = {bytes(to_byte[c] for c in token): i for i, token in enumerate(tokens[:128000])}
    encoding = tiktoken.Encoding("llama3", pat_str=LLAMA3_REGEX, mergeable_ranks=ranks, special_tokens={})
    write("tiktoken_vectors.json", [[text, encoding.encode(text, disallowed_special=())] for text in TEXTS])


def main():
    commands = {"templates": templates, "llama31": llama31, "tokenizers": tokenizers, "tiktoken": tiktoken_vectors}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
