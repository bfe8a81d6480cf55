"""Dates: neighbours in the calendar, month lengths, weekdays N days away, leap years. The Gregorian calendar."""

import calendar

from task import ask, casual, polite, spin
from words import MONTH_DAYS, MONTHS, WEEKDAYS

NAME = "dates"
ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()


def weekday_neighbour(rng):
    day, after = rng.randrange(7), rng.random() < 0.5
    text = spin(
        rng,
        "[What day comes|Which day comes|What day is|Which day is|What is the day|Tell me the day that comes] "
        "[right |just |]{w} {d}?",
        w="after" if after else "before",
        d=WEEKDAYS[day],
    )
    return ask(casual(rng, polite(rng, text)), WEEKDAYS[(day + (1 if after else -1)) % 7] + ".")


def tomorrow(rng):
    day, kind = rng.randrange(7), rng.choice(("tomorrow", "yesterday", "the day after tomorrow"))
    shift = {"tomorrow": 1, "yesterday": -1, "the day after tomorrow": 2}[kind]
    text = spin(
        rng,
        "[If today is {d}, what day {v} {k}?|Today is {d}. What day {v} {k}?|If it is {d} today, which day {v} {k}?|It"
        " is {d}. What day {v} {k}?|What day {v} {k} if today is {d}?]",
        d=WEEKDAYS[day],
        k=kind,
        v="was" if shift < 0 else "is",
    )
    return ask(casual(rng, polite(rng, text)), WEEKDAYS[(day + shift) % 7] + ".")


# What people ask about the calendar as a whole.
CALENDAR = [
    (
        "A year has 365 days, or 366 in a leap year.",
        (
            "[How many days are in a year?|How many days are there in a year?|How many days in a year?|How long is a"
            " year?|How many days does a year have?|How many days has a year?]"
        ),
    ),
    (
        "A week has 7 days.",
        (
            "[How many days are in a week?|How many days are there in a week?|How many days in a week?|How long is a"
            " week?|How many days does a week have?]"
        ),
    ),
    (
        "A year has 12 months.",
        (
            "[How many months are in a year?|How many months are there in a year?|How many months in a year?|How many"
            " months does a year have?]"
        ),
    ),
    (
        "A year has 52 weeks.",
        (
            "[How many weeks are in a year?|How many weeks are there in a year?|How many weeks in a year?|How many"
            " weeks does a year have?]"
        ),
    ),
    (
        "A day has 24 hours.",
        (
            "[How many hours are in a day?|How many hours are there in a day?|How many hours in a day?|How many hours"
            " does a day have?|How long is a day?]"
        ),
    ),
    (
        "An hour has 3600 seconds.",
        (
            "[How many seconds are in an hour?|How many seconds are there in an hour?|How many seconds in an hour?|How"
            " many seconds does an hour have?]"
        ),
    ),
    (
        "A day has 1440 minutes.",
        (
            "[How many minutes are in a day?|How many minutes are there in a day?|How many minutes in a day?|How many"
            " minutes does a day have?]"
        ),
    ),
    (
        "A week has 168 hours.",
        (
            "[How many hours are in a week?|How many hours are there in a week?|How many hours in a week?|How many"
            " hours does a week have?]"
        ),
    ),
    (
        "The days of the week are " + ", ".join(WEEKDAYS[:-1]) + " and Sunday.",
        (
            "[What are the days of the week?|List the days of the week.|Name the days of the week.|Tell me the days of"
            " the week.|Which days has a week?]"
        ),
    ),
    (
        "The months are " + ", ".join(MONTHS[:-1]) + " and December.",
        (
            "[What are the months of the year?|List the months.|Name the months of the year.|Tell me the months.|List"
            " the months of the year.|Name all months.]"
        ),
    ),
    (
        "A leap year comes every four years, but not in 1900 or 2100.",
        (
            "[What is a leap year?|When is a leap year?|Explain leap years.|How often is a leap year?|What are leap"
            " years?]"
        ),
    ),
]


def whole_calendar(rng):
    answer, pattern = rng.choice(CALENDAR)
    text = spin(rng, pattern)
    core = text.startswith(("How many days are in", "How many hours are in", "How many seconds are in", "What are"))
    return ask(casual(rng, polite(rng, text)), answer, pinned=core)


def weekday_offset(rng):
    day, n = rng.randrange(7), rng.randrange(1, 61)
    back = rng.random() < 0.3
    today = WEEKDAYS[day]
    if back:
        text = spin(
            rng,
            "[If today is {d}, what day was it {n} days ago?|Today is {d}. What day was it {n} days ago?|"
            "What day is {n} days before {d}?|What weekday was {n} days before {d}?]",
            d=today,
            n=n,
        )
    else:
        text = spin(
            rng,
            "[If today is {d}, what day is it in {n} days?|Today is {d}. What day will it be in {n} days?|"
            "What day is {n} days after {d}?|What weekday comes {n} days after {d}?|It is {d}. Which day is it "
            "in {n} days?]",
            d=today,
            n=n,
        )
    weeks, rest = n // 7 * 7, n % 7
    target = WEEKDAYS[(day + (-n if back else n)) % 7]
    verb = "was" if back else "is"
    answer = f"{n} = {weeks} + {rest}, so it {verb} {target}." if n > 7 else f"It {verb} {target}."
    return ask(casual(rng, text), answer, f"weekday {day} {n} {back}")


def month_days(rng):
    m = rng.randrange(12)
    text = spin(
        rng,
        "[How many days are in {m}?|How many days does {m} have?|How long is {m}?|How many days are there in "
        "{m}?|Number of days in {m}?|How many days has {m} got?|How many days are in the month of {m}?|"
        "What is the number of days in {m}?]",
        m=MONTHS[m],
    )
    answer = "February has 28 days, or 29 in a leap year." if m == 1 else f"{MONTHS[m]} has {MONTH_DAYS[m]} days."
    return ask(casual(rng, polite(rng, text)), answer)


def month_neighbour(rng):
    m = rng.randrange(12)
    kind = rng.randrange(3)
    if kind == 2:
        text = spin(rng, "[What|Which] is the {o} month[ of the year|]?", o=ORDINALS[m])
        return ask(casual(rng, polite(rng, text)), MONTHS[m] + ".")
    text = spin(
        rng,
        "[What month comes|Which month comes|What month is|Which month is|What is the month|Tell me the month] "
        "[right |just |]{w} {m}?",
        w="after" if kind else "before",
        m=MONTHS[m],
    )
    return ask(casual(rng, polite(rng, text)), MONTHS[(m + (1 if kind else -1)) % 12] + ".")


def date_neighbour(rng):
    m = rng.randrange(12)
    length = MONTH_DAYS[m]
    d = rng.choice((1, length, rng.randrange(1, length + 1)))  # month ends matter most
    after = rng.random() < 0.5
    with_year = rng.random() < 0.5
    year = rng.randrange(1950, 2051)
    if (m, d, after) in ((1, 28, True), (2, 1, False)):
        with_year = True  # the answer depends on the year
        year = year // 4 * 4 if rng.random() < 0.5 else year
    date = f"{MONTHS[m]} {d}" + (f", {year}" if with_year else "")
    text = spin(
        rng,
        "[What date comes|What is the date|What day comes|What is the day|Which date is] {w} {d}?",
        w="after" if after else "before",
        d=date,
    )
    if with_year and calendar.isleap(year) and m == 1:
        length = 29
    if after:
        d2, m2 = (d + 1, m) if d < length else (1, (m + 1) % 12)
        y2 = year + (m == 11 and m2 == 0)
    elif d > 1:
        d2, m2, y2 = d - 1, m, year
    else:
        m2 = (m - 1) % 12
        d2 = 29 if (m2 == 1 and calendar.isleap(year)) else MONTH_DAYS[m2]
        y2 = year - (m == 0)
    return ask(casual(rng, text), f"{MONTHS[m2]} {d2}" + (f", {y2}." if with_year else "."), f"date {date} {after}")


def date_offset(rng):
    m, n = rng.randrange(12), rng.randrange(2, 15)
    if m == 1:
        d = rng.randrange(1, 29 - n)  # stays inside February: no year is given
    else:
        d = rng.randrange(1, MONTH_DAYS[m] + 1)
    text = spin(
        rng,
        "[What date is {n} days after {d}?|Which date is {n} days after {d}?|It is {d}. What is the date in {n} "
        "days?|What is the date {n} days after {d}?]",
        n=n,
        d=f"{MONTHS[m]} {d}",
    )
    end = d + n
    m2 = m
    if end > MONTH_DAYS[m]:
        end, m2 = end - MONTH_DAYS[m], (m + 1) % 12
    return ask(casual(rng, text), f"{MONTHS[m2]} {end}.", f"offset {m} {d} {n}")


def days_between(rng):
    m = rng.randrange(12)
    a, b = sorted(rng.sample(range(1, MONTH_DAYS[m] + 1), 2))
    text = spin(
        rng,
        "How many days [are there |are |]{p}?",
        p=rng.choice((f"from {MONTHS[m]} {a} to {MONTHS[m]} {b}", f"between {MONTHS[m]} {a} and {MONTHS[m]} {b}")),
    )
    return ask(
        casual(rng, text), f"{b} - {a} = {b - a}, so {b - a} day{'s' if b - a > 1 else ''}.", f"between {m} {a} {b}"
    )


def leap_year(rng):
    year = rng.randrange(1900, 2101)
    text = spin(
        rng,
        "[Is {y} a leap year?|Was {y} a leap year?|Does {y} have 366 days?|Is the year {y} a leap year?|Is {y} leap?]",
        y=year,
    )
    leap = calendar.isleap(year)
    return ask(
        casual(rng, text), f"Yes, {year} is a leap year." if leap else f"No, {year} is not a leap year.", f"leap {year}"
    )


_KINDS = (
    [weekday_neighbour, tomorrow, whole_calendar] * 2
    + [weekday_offset] * 5
    + [month_days, month_neighbour] * 2
    + [date_neighbour] * 4
    + [date_offset] * 4
    + [days_between] * 3
    + [leap_year] * 2
)


def sample(rng):
    return rng.choice(_KINDS)(rng)
