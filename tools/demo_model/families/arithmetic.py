"""Arithmetic: sums and differences to three digits, products, exact quotients, comparisons, small word problems.

Products of two-digit numbers are answered with their partial products, so that each written step is easy.
The key is the problem, not its phrasing: 12 + 30 and 30 + 12 are held out together.
"""
from task import ask, casual, polite, spin
from words import first_name

NAME = "arithmetic"


def _number(rng):
    """One to three digits; each length about equally likely."""
    return rng.randrange(*rng.choice(((0, 10), (10, 100), (10, 100), (100, 1000), (100, 1000))))


def _prompt(rng, expression, words):
    """A question about an expression, in symbols or in words."""
    if rng.random() < 0.6:
        shown = expression if rng.random() < 0.85 else expression.replace(" ", "")
        text = spin(rng, "[What is {e}?|What is {e}?|{e}|{e} = ?|{e} =|What's {e}?|Calculate {e}.|Compute {e}.|How much is "
                         "{e}?|Solve {e}.|Can you calculate {e}?|{e}?|What does {e} equal?|Tell me {e}.|Work out {e}.]", e=shown)
    else:
        text = words
    return casual(rng, polite(rng, text))


def add(rng):
    a, b = _number(rng), _number(rng)
    words = spin(rng, "[What is {a} plus {b}?|Add {a} and {b}.|What is the sum of {a} and {b}?|Add {b} to {a}.|"
                      "How much is {a} plus {b}?|{a} plus {b}|What do you get if you add {a} and {b}?]", a=a, b=b)
    return ask(_prompt(rng, f"{a} + {b}", words), f"{a} + {b} = {a + b}", f"add {min(a, b)} {max(a, b)}")


def subtract(rng):
    a, b = _number(rng), _number(rng)
    if a < b and rng.random() < 0.7:
        a, b = b, a
    words = spin(rng, "[What is {a} minus {b}?|Subtract {b} from {a}.|Take {b} away from {a}.|How much is {a} minus {b}?|"
                      "What is the difference of {a} and {b}?|{a} minus {b}]", a=a, b=b)
    return ask(_prompt(rng, f"{a} - {b}", words), f"{a} - {b} = {a - b}", f"sub {a} {b}")


def multiply(rng):
    small = rng.random() < 0.5
    a, b = (rng.randrange(0, 13), rng.randrange(0, 13)) if small else (rng.randrange(13, 100), rng.randrange(2, 10))
    if rng.random() < 0.3:
        a, b = b, a
    sign = rng.choice("***x×")
    words = spin(rng, "[What is {a} times {b}?|Multiply {a} by {b}.|{a} times {b}|How much is {a} times {b}?|"
                      "Multiply {a} and {b}.|What is the product of {a} and {b}?]", a=a, b=b)
    prompt = _prompt(rng, f"{a} {sign} {b}", words)
    if small:  # the times table: every product is trained, in other phrasings
        return ask(prompt, f"{a} * {b} = {a * b}")
    big, digit = max(a, b), min(a, b)
    tens, ones = big // 10 * 10, big % 10
    steps = f"{tens} * {digit} + {ones} * {digit} = {tens * digit} + {ones * digit} = " if ones else ""
    return ask(prompt, f"{a} * {b} = {steps}{a * b}", f"mul {digit} {big}")


def divide(rng):
    b, q = rng.randrange(1, 13), rng.randrange(0, 13)
    a = b * q
    words = spin(rng, "[What is {a} divided by {b}?|Divide {a} by {b}.|{a} divided by {b}|How much is {a} divided by {b}?]",
                 a=a, b=b)
    return ask(_prompt(rng, f"{a} / {b}", words), f"{a} / {b} = {q}")


def compare(rng):
    a, b = _number(rng), _number(rng)
    if a == b:
        b += 1
    which = rng.choice(("larger", "smaller", "bigger"))
    best = min(a, b) if which == "smaller" else max(a, b)
    text = spin(rng, "[Which is|Which number is|What is] {w}, {a} or {b}?", w=which, a=a, b=b)
    return ask(casual(rng, polite(rng, text)), f"{best} is {which}.", f"cmp {min(a, b)} {max(a, b)}")


def parity(rng):
    n = _number(rng)
    kind = rng.choice(("even", "odd"))
    is_even = "even" if n % 2 == 0 else "odd"
    text = spin(rng, "[Is {n} {k}?|Is {n} even or odd?|Is the number {n} even or odd?|Is {n} an {k} number?]", n=n, k=kind)
    return ask(casual(rng, text), f"{n} is {is_even}.", f"parity {n}")


def neighbour(rng):
    n = rng.randrange(1, 999)
    after = rng.random() < 0.5
    text = spin(rng, "[What number comes|Which number comes|What comes] {w} {n}?", w="after" if after else "before", n=n)
    return ask(casual(rng, text), f"{n + 1 if after else n - 1}", f"next {n}")


def word_problem(rng):
    name = first_name(rng)
    thing = rng.choice("apples books coins cards eggs pens stamps shells cookies balls flowers stones".split())
    a, b = rng.randrange(2, 100), rng.randrange(2, 100)
    if rng.random() < 0.5:
        text = spin(rng, "{n} has {a} {t} and [gets|buys|finds] {b} more. How many {t} does {n} have now?",
                    n=name, a=a, b=b, t=thing)
        return ask(text, f"{a} + {b} = {a + b}. {name} has {a + b} {thing} now.", f"wp+ {min(a, b)} {max(a, b)}")
    a, b = a + b, b
    text = spin(rng, "{n} has {a} {t} and [gives away|loses|sells] {b}. How many {t} [does {n} have now|are left]?",
                n=name, a=a, b=b, t=thing)
    return ask(text, f"{a} - {b} = {a - b}. {name} has {a - b} {thing} now.", f"wp- {a} {b}")


_KINDS = [add] * 7 + [subtract] * 7 + [multiply] * 4 + [divide] * 2 + [compare] * 2 + [parity, neighbour] + [word_problem] * 2


def sample(rng):
    return rng.choice(_KINDS)(rng)
