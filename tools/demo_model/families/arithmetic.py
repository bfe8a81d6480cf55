"""Arithmetic: sums and differences to four digits, products, quotients, chains over turns, small word problems.

Products of two-digit numbers are answered with their partial products, so that each written step is easy; what is
beyond that gets an honest refusal.
The key is the problem, not its phrasing: 12 + 30 and 30 + 12 are held out together.
"""

from task import Task, ask, casual, polite, spin
from words import NUMBER_WORDS, first_name

NAME = "arithmetic"
TOO_HARD = "That is too hard for me. I can add and subtract up to four digits and multiply by one digit."


def _number(rng):
    """One to four digits; large ones more rarely."""
    return rng.randrange(
        *rng.choice(((0, 10), (10, 100), (10, 100), (10, 100), (100, 1000), (100, 1000), (1000, 10000)))
    )


def _prompt(rng, expression, words):
    """A question about an expression, in symbols or in words."""
    if rng.random() < 0.6:
        shown = expression if rng.random() < 0.85 else expression.replace(" ", "")
        text = spin(
            rng,
            "[What is {e}?|What is {e}?|{e}|{e} = ?|{e} =|What's {e}?|Calculate {e}.|Compute {e}.|How much is "
            "{e}?|Solve {e}.|Can you calculate {e}?|{e}?|What does {e} equal?|Tell me {e}.|Work out {e}.]",
            e=shown,
        )
    else:
        text = words
    return casual(rng, polite(rng, text))


def add(rng):
    a, b = _number(rng), _number(rng)
    words = spin(
        rng,
        "[What is {a} plus {b}?|Add {a} and {b}.|What is the sum of {a} and {b}?|Add {b} to {a}.|"
        "How much is {a} plus {b}?|{a} plus {b}|What do you get if you add {a} and {b}?]",
        a=a,
        b=b,
    )
    return ask(_prompt(rng, f"{a} + {b}", words), f"{a} + {b} = {a + b}", f"add {min(a, b)} {max(a, b)}")


def subtract(rng):
    a, b = _number(rng), _number(rng)
    if a < b and rng.random() < 0.7:
        a, b = b, a
    words = spin(
        rng,
        "[What is {a} minus {b}?|Subtract {b} from {a}.|Take {b} away from {a}.|How much is {a} minus {b}?|"
        "What is the difference of {a} and {b}?|{a} minus {b}]",
        a=a,
        b=b,
    )
    return ask(_prompt(rng, f"{a} - {b}", words), f"{a} - {b} = {a - b}", f"sub {a} {b}")


def multiply(rng):
    small = rng.random() < 0.5
    a, b = (rng.randrange(0, 13), rng.randrange(0, 13)) if small else (rng.randrange(13, 100), rng.randrange(2, 10))
    if rng.random() < 0.3:
        a, b = b, a
    sign = rng.choice("***x×")
    words = spin(
        rng,
        "[What is {a} times {b}?|Multiply {a} by {b}.|{a} times {b}|How much is {a} times {b}?|"
        "Multiply {a} and {b}.|What is the product of {a} and {b}?]",
        a=a,
        b=b,
    )
    prompt = _prompt(rng, f"{a} {sign} {b}", words)
    if small:  # the times table: every product is trained, in other phrasings
        return ask(prompt, f"{a} * {b} = {a * b}")
    big, digit = max(a, b), min(a, b)
    tens, ones = big // 10 * 10, big % 10
    steps = f"{tens} * {digit} + {ones} * {digit} = {tens * digit} + {ones * digit} = " if ones else ""
    return ask(prompt, f"{a} * {b} = {steps}{a * b}", f"mul {digit} {big}")


def divide(rng):
    b, q = rng.randrange(1, 13), rng.randrange(0, 13)
    rest = rng.randrange(b) if rng.random() < 0.4 else 0
    a = b * q + rest
    words = spin(
        rng,
        "[What is {a} divided by {b}?|Divide {a} by {b}.|{a} divided by {b}|How much is {a} divided by {b}?]",
        a=a,
        b=b,
    )
    return ask(_prompt(rng, f"{a} / {b}", words), f"{a} / {b} = {q}" + (f" remainder {rest}" if rest else ""))


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
    text = spin(
        rng, "[Is {n} {k}?|Is {n} even or odd?|Is the number {n} even or odd?|Is {n} an {k} number?]", n=n, k=kind
    )
    return ask(casual(rng, text), f"{n} is {is_even}.", f"parity {n}")


def neighbour(rng):
    n = rng.randrange(1, 999)
    after = rng.random() < 0.5
    text = spin(
        rng, "[What number comes|Which number comes|What comes] {w} {n}?", w="after" if after else "before", n=n
    )
    return ask(casual(rng, text), f"{n + 1 if after else n - 1}", f"next {n}")


def three_terms(rng):
    a, b, c = (rng.randrange(1, rng.choice((10, 100))) for _ in range(3))
    total = a + b - c if a + b >= c and rng.random() < 0.3 else a + b + c
    sign = "+" if total == a + b + c else "-"
    expression = f"{a} + {b} {sign} {c}"
    return ask(
        _prompt(rng, expression, f"{a} plus {b} {'plus' if sign == '+' else 'minus'} {c}"),
        f"{expression} = {a + b} {sign} {c} = {total}",
        f"three {a} {b} {sign} {c}",
    )


def square(rng):
    n = rng.randrange(0, 13)
    text = spin(
        rng,
        "[What is {n} squared?|{n} squared|What is the square of {n}?|Square of {n}?|Calculate {n} squared.|"
        "How much is {n} squared?|{n}^2|What is {n}^2?]",
        n=n,
    )
    return ask(casual(rng, polite(rng, text)), f"{n} * {n} = {n * n}")


def chain(rng):
    """The second turn goes on from the result of the first."""
    a, b, c = rng.randrange(1, 500), rng.randrange(1, 500), rng.randrange(1, 100)
    total = a + b
    first = (_prompt(rng, f"{a} + {b}", f"What is {a} plus {b}?"), f"{a} + {b} = {total}")
    if rng.random() < 0.5 or c > total:
        text = spin(
            rng,
            "[Add {c} to that.|Plus {c}?|Now add {c}.|Add {c}.|And plus {c}?|Add {c} more.|Now add {c} to it.]",
            c=c,
        )
        second = (casual(rng, text), f"{total} + {c} = {total + c}")
    else:
        text = spin(
            rng,
            "[Subtract {c} from that.|Minus {c}?|Now subtract {c}.|Take away {c}.|And minus {c}?|Subtract {c}.]",
            c=c,
        )
        second = (casual(rng, text), f"{total} - {c} = {total - c}")
    return Task(f"chain {a} {b} {c}", [first, second])


def too_hard(rng):
    a, b, c = rng.randrange(13, 1000), rng.randrange(13, 1000), rng.randrange(2, 100)
    big, bigger = rng.randrange(10_000, 10_000_000), rng.randrange(1000, 10_000_000)
    expression = rng.choice(
        (
            f"{a} * {b}",
            f"{a} * {b}",
            f"{a} x {b}",
            f"{a * 7 + 9} * {c}",
            f"{big} + {bigger}",
            f"{big} - {bigger}",
            f"({c} + {a % 90}) * {b % 80}",
            f"({a} - {c}) / {b % 9 + 2}",
            f"{c} * ({a % 50} + {b % 40})",
            f"{a}.{c} + {b}",
            f"{c}.5 * {b}",
            f"sqrt({a})",
            f"the square root of {a}",
            f"{c}% of {a}",
            f"{c} percent of {a}",
            f"{c} / {a}",
            f"{a % 90 + 2}^{b % 7 + 3}",
            f"{c}!",
            f"{a} / {b}",
        )
    )
    words = spin(
        rng,
        "[What is {a} times {b}?|Multiply {a} by {b}.|What is the square root of {a}?|What is {c} percent of {a}?]",
        a=a,
        b=b,
        c=c,
    )
    return ask(_prompt(rng, expression, words), TOO_HARD)


def word_problem(rng):
    if rng.random() < 0.4:
        return own_problem(rng)
    name = first_name(rng)
    thing = rng.choice(COUNTED)
    a, b = rng.randrange(2, 100), rng.randrange(2, 100)
    if rng.random() < 0.5:
        text = spin(
            rng,
            "{n} has {a} {t} and [gets|buys|finds] {b} more. How many {t} does {n} have now?",
            n=name,
            a=a,
            b=b,
            t=thing,
        )
        return ask(text, f"{a} + {b} = {a + b}. {name} has {a + b} {thing} now.", f"wp+ {min(a, b)} {max(a, b)}")
    a, b = a + b, b
    text = spin(
        rng,
        "{n} has {a} {t} and [gives away|loses|sells] {b}. How many {t} [does {n} have now|are left]?",
        n=name,
        a=a,
        b=b,
        t=thing,
    )
    return ask(text, f"{a} - {b} = {a - b}. {name} has {a - b} {thing} now.", f"wp- {a} {b}")


COUNTED = (
    """apples books coins cards eggs pens stamps shells cookies balls flowers stones dogs cats fish chairs cars pencils
cups candies oranges pears birds keys toys tickets""".split()
)


def own_problem(rng):
    """The same in the first person, small numbers sometimes in words."""
    thing = rng.choice(COUNTED)
    a, b = rng.randrange(1, 21), rng.randrange(1, 11)
    plus = rng.random() < 0.5
    if not plus:
        a += b
    shown = [NUMBER_WORDS[n] if n <= 10 and rng.random() < 0.3 else n for n in (a, b)]
    if plus:
        text = spin(
            rng,
            "[I have|If I have|Suppose I have] {a} {t} and [I |][buy|get|find] {b} more[. How|, how] many [{t} |][do I"
            " have|do I have now]?",
            a=shown[0],
            b=shown[1],
            t=thing,
        )
        return ask(text, f"{a} + {b} = {a + b}. You have {a + b} {thing} now.", f"own+ {a} {b} {thing}")
    text = spin(
        rng,
        "[I have|If I have|I had] {a} {t} and [I |][lose|eat|sell|give away] {b}[. How|, how] many [{t} |][do I have"
        " left|are left]?",
        a=shown[0],
        b=shown[1],
        t=thing,
    )
    return ask(text, f"{a} - {b} = {a - b}. You have {a - b} {thing} now.", f"own- {a} {b} {thing}")


_KINDS = (
    [add] * 8
    + [subtract] * 8
    + [multiply] * 4
    + [divide] * 3
    + [compare] * 2
    + [parity, neighbour, square]
    + [word_problem] * 3
    + [three_terms, chain] * 2
    + [too_hard] * 2
)


def sample(rng):
    return rng.choice(_KINDS)(rng)
