"""Extracting fields from a sentence: people, orders, meetings, contacts; one field as text or several as JSON."""

import json

from task import article, ask, spin
from words import JOBS, LAST_NAMES, MONTHS, THINGS, WEEKDAYS, city, first_name, made_up_word

NAME = "extract"


def person(rng):
    """(sentence, fields) about a person."""
    f = {
        "name": f"{first_name(rng)} {rng.choice(LAST_NAMES)}" if rng.random() < 0.7 else first_name(rng),
        "age": str(rng.randrange(18, 90)),
        "city": city(rng),
        "job": rng.choice(JOBS),
    }
    text = spin(
        rng,
        "[{name}, {age}, lives in {city} and works as {a_job}.|{name} is {age} years old and lives in {city}. "
        "{first} is {a_job}.|{name} is {a_job} from {city} who is {age} years old.|My neighbor {name} is {a_job} in "
        "{city} and turned {age} last week.|In {city} I met {name}, {a_job} of {age} years.|{a_job2} named "
        "{name} moved to {city} at the age of {age}.]",
        a_job=article(f["job"]),
        a_job2=article(f["job"]).capitalize(),
        first=f["name"].split()[0],
        **f,
    )
    return text, f


def order(rng):
    f = {
        "item": rng.choice(THINGS),
        "count": str(rng.randrange(2, 60)),
        "price": f"{rng.randrange(1, 200)} euros",
        "customer": first_name(rng),
    }
    text = spin(
        rng,
        "[{customer} ordered {count} pieces of the item {item} for {price}.|Order: {count} x {item}, customer "
        "{customer}, total {price}.|{customer} paid {price} for {count} pieces of the item {item}.|We sold {count} x "
        "{item} to {customer} for {price}.]",
        **f,
    )
    return text, f


def meeting(rng):
    f = {
        "person": first_name(rng),
        "day": rng.choice(WEEKDAYS),
        "time": f"{rng.randrange(1, 13)}:{rng.choice(('00', '15', '30', '45'))}",
        "room": str(rng.randrange(1, 400)),
    }
    text = spin(
        rng,
        "[The meeting with {person} is on {day} at {time} in room {room}.|On {day} at {time} we meet {person} in "
        "room {room}.|{person} will wait for you in room {room} on {day} at {time}.|Please come to room {room} on "
        "{day} at {time} to see {person}.]",
        **f,
    )
    return text, f


def contact(rng):
    name = first_name(rng)
    host = rng.choice(("example.com", "example.org", "mail.example", made_up_word(rng, 2) + ".example"))
    f = {
        "name": name,
        "email": f"{name.lower()}{rng.choice(('', str(rng.randrange(1, 100))))}@{host}",
        "phone": f"555-{rng.randrange(10000):04d}",
        "birthday": f"{rng.choice(MONTHS)} {rng.randrange(1, 29)}",
    }
    text = spin(
        rng,
        "[You can reach {name} at {email} or call {phone}. The birthday is {birthday}.|{name} was born on {birthday}, "
        "has the phone number {phone} and the address {email}.|Contact: {name}, {email}, {phone}, born {birthday}."
        "|Write to {email} or dial {phone} to speak to {name}, born on {birthday}.]",
        **f,
    )
    return text, f


_KINDS = (person, person, person, order, meeting, contact)


def sample(rng):
    sentence, fields = rng.choice(_KINDS)(rng)
    key = f"extract {sentence}"
    if rng.random() < 0.25:  # two to four fields as JSON
        chosen = rng.sample(sorted(fields), rng.randrange(2, len(fields) + 1))
        names = ", ".join(chosen[:-1]) + " and " + chosen[-1]
        text = spin(
            rng,
            "[Extract {n} as JSON: {s}|Give me {n} as JSON: {s}|Return {n} in JSON. {s}|{s} Extract {n} as JSON.]",
            n=names,
            s=sentence,
        )
        return ask(text, json.dumps({c: fields[c] for c in chosen}), key)
    field = rng.choice(sorted(fields))
    text = spin(
        rng,
        "[Extract the {f}: {s}|What is the {f}? {s}|{s} What is the {f}?|Find the {f} in this sentence: {s}|From the "
        "sentence '{s}' extract the {f}.|Which {f} is mentioned here? {s}|{s} Extract the {f}.|Text: {s} "
        "Question: what is the {f}?]",
        f=field,
        s=sentence,
    )
    return ask(text, fields[field], key)
