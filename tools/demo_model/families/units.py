"""Unit conversion with whole numbers, both ways; the answer writes the factor down."""

from task import ask, casual, polite, spin

NAME = "units"
UNKNOWN = "I cannot convert that. I know whole numbers of metric units, feet, inches, yards, times and money."

# (big unit, small unit, factor, largest count of big units)
CONVERSIONS = [
    (("kilometer", "kilometers", "km"), ("meter", "meters", "m"), 1000, 99),
    (("meter", "meters", "m"), ("centimeter", "centimeters", "cm"), 100, 99),
    (("centimeter", "centimeters", "cm"), ("millimeter", "millimeters", "mm"), 10, 99),
    (("kilogram", "kilograms", "kg"), ("gram", "grams", "g"), 1000, 99),
    (("ton", "tons", "t"), ("kilogram", "kilograms", "kg"), 1000, 99),
    (("liter", "liters", "l"), ("milliliter", "milliliters", "ml"), 1000, 99),
    (("hour", "hours", "h"), ("minute", "minutes", "min"), 60, 30),
    (("minute", "minutes", "min"), ("second", "seconds", "s"), 60, 30),
    (("day", "days", "d"), ("hour", "hours", "h"), 24, 20),
    (("week", "weeks", None), ("day", "days", None), 7, 30),
    (("year", "years", None), ("month", "months", None), 12, 20),
    (("foot", "feet", "ft"), ("inch", "inches", "in"), 12, 20),
    (("yard", "yards", None), ("foot", "feet", "ft"), 3, 30),
    (("dozen", "dozen", None), ("piece", "pieces", None), 12, 20),
    (("euro", "euros", None), ("cent", "cents", None), 100, 99),
    (("dollar", "dollars", None), ("cent", "cents", None), 100, 99),
]


def _count(n, unit):
    return f"{n} {unit[0] if n == 1 else unit[1]}"


def _ask(rng, n, source, target):
    shorts = source[2] and target[2] and rng.random() < 0.25
    have = f"{n} {source[2]}" if shorts else _count(n, source)
    want = target[2] if shorts else target[1]
    one = source[0]
    text = spin(
        rng,
        "[Convert {h} to {w}.|How many {w} are in {h}?|How many {w} are {h}?|What is {h} in {w}?|{h} in {w}|"
        "{h} to {w}|Express {h} in {w}.|How many {w} is {h}?|How many {w} make {h}?|Change {h} into {w}.|"
        "Please convert {h} into {w}.]",
        h=have,
        w=want,
    )
    if n == 1 and not shorts and rng.random() < 0.5:
        text = spin(rng, "How many {w} [are there |]in {a} {o}?", w=target[1], o=one, a="an" if one == "hour" else "a")
    return casual(rng, polite(rng, text))


def sample(rng):
    roll = rng.random()
    if roll < 0.08:
        return temperature(rng)
    if roll < 0.16:
        return unknown(rng)
    big, small, factor, most = rng.choice(CONVERSIONS)
    n = rng.randrange(1, most + 1) if rng.random() < 0.85 else rng.randrange(1, 11)
    if n == 1 and small[0] in ("hour", "day", "month"):
        n = 2  # "How many days are in a week?" belongs to the dates
    if rng.random() < 0.65:
        steps = f"{n} * {factor} = " if n > 1 else ""
        return ask(_ask(rng, n, big, small), f"{_count(n, big)} = {steps}{_count(n * factor, small)}.")
    total = n * factor
    return ask(_ask(rng, total, small, big), f"{_count(total, small)} = {total} / {factor} = {_count(n, big)}.")


def unknown(rng):
    """Units or numbers beyond the table: an honest refusal."""
    a, b = rng.sample(
        (
            "miles",
            "pounds",
            "ounces",
            "gallons",
            "pints",
            "acres",
            "bytes",
            "watts",
            "volts",
            "light years",
            "cups",
            "stones",
            "nautical miles",
            "bananas",
            "kelvin",
            "joules",
            "kilometers",
            "meters",
            "kilograms",
            "liters",
            "hours",
            "knots",
        ),
        2,
    )
    n = rng.choice((rng.randrange(1, 100), f"{rng.randrange(0, 50)}.{rng.randrange(1, 10)}"))
    known = ("kilometers", "meters", "kilograms", "liters", "hours")
    if a in known and b in known:
        n, a, b = f"{rng.randrange(0, 50)}.{rng.randrange(1, 10)}", "kilometers", "meters"
    text = spin(
        rng,
        "[Convert {n} {a} to {b}.|How many {b} are {n} {a}?|What is {n} {a} in {b}?|{n} {a} in {b}|{n} {a} to {b}|How"
        " many {b} are in {n} {a}?|Change {n} {a} into {b}.]",
        n=n,
        a=a,
        b=b,
    )
    return ask(casual(rng, polite(rng, text)), UNKNOWN)


def temperature(rng):
    """Celsius in steps of five, so that Fahrenheit is a whole number."""
    c = rng.randrange(0, 101, 5)
    f = c * 9 // 5 + 32
    if rng.random() < 0.6:
        text = spin(
            rng,
            "[Convert {c} degrees Celsius to Fahrenheit.|What is {c} degrees Celsius in Fahrenheit?|"
            "How warm is {c} degrees Celsius in Fahrenheit?|{c} Celsius in Fahrenheit|{c} C to F]",
            c=c,
        )
        return ask(casual(rng, polite(rng, text)), f"{c} degrees Celsius = {f} degrees Fahrenheit.")
    text = spin(
        rng,
        "[Convert {f} degrees Fahrenheit to Celsius.|What is {f} degrees Fahrenheit in Celsius?|"
        "How warm is {f} degrees Fahrenheit in Celsius?|{f} Fahrenheit in Celsius|{f} F to C]",
        f=f,
    )
    return ask(casual(rng, polite(rng, text)), f"{f} degrees Fahrenheit = {c} degrees Celsius.")
