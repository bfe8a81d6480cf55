"""What lies beyond the model, answered honestly: questions it cannot know, other languages, noise, plain statements."""

from task import ask, casual, normalise, spin
from words import CITIES, FIRST_NAMES, LAST_NAMES, made_up_word

UNCLEAR = "I did not understand that. Type help to see what I can do."
STATEMENT = "I see. What can I do for you?"
ENGLISH = "I only speak English."
BEYOND = (
    "I am a very small model, so I do not know that. I can help with Tern, numbers, dates, units, words and rhymes."
)

TOPICS = """economics|physics|quantum mechanics|the stock market|bitcoin|the weather in {city}|the news|
politics|football|the last election|the president of {city}|the French Revolution|the Roman Empire|
world war two|black holes|evolution|photosynthesis|chemistry|psychology|philosophy|machine translation|
the theory of relativity|gravity|volcanoes|dinosaurs|DNA|vaccines|cancer|climate change|chess openings|
the moon landing|Shakespeare|Mozart|Picasso|Einstein|Napoleon|{person}|{person}|{thing}|{thing}|
the {thing} company|the city of {thing}|the film {thing}|the book {thing}|marketing|taxes|law|medicine|religion|
history|geography|biology|yoga|meditation|cars|airplanes|computer games|fashion""".replace("\n", "").split("|")

BEYOND_PATTERNS = [
    "[Who is|Who was|Tell me about|What do you know about|Do you know|Who exactly is|Have you heard of] {person}?",
    (
        "[Who won|Who lost] the [world cup|championship|election|final|race|Nobel prize|game|gold medal] in"
        " [1990|1998|2002|2006|2010|2014|2016|2018|2020|2022|{city}]?"
    ),
    (
        "[What is|What's|Do you know] the [population|mayor|area code|history|size|GDP|zip code|phone code|most famous"
        " street|best restaurant|president|climate] of {city}?"
    ),
    (
        "[Write|Write me|Can you write|Please write|Draft|Compose] [an essay|a long essay|a report|an article|a"
        " letter|a speech|an email|a blog post|a novel|a summary] about {topic}."
    ),
    (
        "[Explain|Please explain|Can you explain|Tell me about|Teach me|What do you know about|What do you think"
        " about|Describe] {topic}."
    ),
    (
        "[Write|Write me|Give me|Can you write|Please write] [a Python program|some code|a function|a C program|a"
        " JavaScript program|a shell script|an SQL query|a regular expression] [that sorts a list|for a game|to parse"
        " JSON|that prints primes|for my website|to send mail|that reads a file|for {thing}]."
    ),
    (
        "[Translate|Please translate|Can you translate] ['{thing}'|this|the word {thing}|this sentence|'good"
        " morning'|'I love you'|'thank you'] [to|into]"
        " [French|German|Spanish|Italian|Chinese|Latin|Dutch|Polish|Japanese]."
    ),
    "[What is|What's|How is|Tell me] the weather [today|tomorrow|like|in {city}|in {city} today|this weekend|outside]?",
    (
        "[How do I|How can I|How should I|What is the best way to|Can you tell me how to] [fix my car|lose weight|learn"
        " to swim|get rich|bake bread|find a job|repair a bicycle|grow tomatoes|cook rice|play guitar|invest money|get"
        " to {city}|stop smoking|learn Spanish|build a house|install {thing}|clean a carpet|train a dog]?"
    ),
    (
        "[Where is|Where can I find|How far is|How do I get to] [{city}|the nearest hospital|a good hotel|the next bus"
        " stop|the train station|the museum of {city}|mount {thing}]?"
    ),
    (
        "[When was|When did|When will] [{person} born|the war end|{city} founded|the pyramids built|the next eclipse"
        " be|{person} die|{thing} invented|the world end]?"
    ),
    (
        "[What is|What's] [the meaning of life|love|the speed of light|the boiling point of {thing}|the price of"
        " gold|the tallest mountain|the longest river|the best movie|the best phone|the square root of 2|pi|the latest"
        " news|happiness|the formula for {thing}|a {thing}|the time|the time now|today's date|the date today]?"
    ),
    (
        "[Should I|Is it safe to|Is it good to|Do you recommend that I] [take aspirin|buy a house|marry {person}|invest"
        " in {thing}|quit my job|drink coffee|move to {city}|sell my car]?"
    ),
    (
        "[Why|How come] [is the sky blue|do birds fly|is the sea salty|do we dream|is water wet|do cats purr|does"
        " {thing} work|is {person} famous|are leaves green|do people lie]?"
    ),
    (
        "[Can you|Could you|Please] [search the web|book a flight to {city}|open a website|call {person}|send an"
        " email|play music|draw a picture|order a pizza|tell me the news|set an alarm|read this file|show me a"
        " picture|make a table about {topic}|summarize this book]?"
    ),
    (
        "[What is|What's|Where is|Name|Tell me] the capital of [{thing}|Atlantis|the moon|Mars|the"
        " world|Narnia|{city}|{thing}]?"
    ),
    (
        "[What is|What's|Explain|Describe|Tell me about|Who invented]"
        " [Python|Java|Linux|Windows|JavaScript|Google|Facebook|YouTube|Wikipedia|the internet|ChatGPT|OpenAI|bitcoin|a"
        " {thing}|an {thing}|a car|a banana|a house|the sun|the moon|water|a dog|a cat|an atom|time|money|art|music|a"
        " book|a computer|energy|an apple|a virus|a planet]?"
    ),
    (
        "[Recommend|Suggest|Give me] [a book|a movie|a song|a recipe|a hotel in {city}|a gift|a recipe for {thing}|a"
        " restaurant|a game|advice about {topic}]."
    ),
]


FOREIGN = """Was ist Tern?|Wie geht es dir?|Hallo, wie heißt du?|Kannst du Deutsch?|Guten Tag!|Guten Morgen|
Wer bist du?|Was kannst du?|Danke!|Bonjour!|Comment ça va?|Qui es-tu?|Merci beaucoup|Parlez-vous français?|
Qu'est-ce que c'est?|Hola!|¿Cómo estás?|Hola, ¿qué tal?|Muchas gracias|¿Quién eres?|Ciao!|Come stai?|Grazie|
Chi sei?|Olá, tudo bem?|Obrigado|Hoe gaat het?|Dank je wel|Hej!|Tack|Dzień dobry|Merhaba|Привет|Как дела?|
Спасибо|你好|你是谁?|こんにちは|ありがとう|안녕하세요|नमस्ते|مرحبا|Γεια σου|שלום|Wie spät ist es?|Ich heiße {n}.|Je m'appelle {n}.|
Me llamo {n}.|Wo wohnst du?|Où habites-tu?|Wie alt bist du?|Erzähl mir eine Geschichte.|Schreibe ein Gedicht.|
Was ist {n}?|Wer ist {n}?|Qui est {n}?|¿Dónde está {n}?|Wo ist {n}?|Ich komme aus {n}.|
Was ist die Hauptstadt von {n}?""".replace("\n", "").split("|")

NOISE = """?|??|...|.|!|hm|hmm|haha|lol|huh|eh|uh|xyz|abc|test|testing|asdf|qwerty|la la la|blah|123abc|:)|:-)|
xx|what|What?|why|Why?|how|When?|which|and|the|so|then|well|this|that|it|x|y|z|aaa|bla bla|foo|foo bar|$$$|#|
***|-|ok then what|umm""".replace("\n", "").split("|")

STATEMENTS = [
    (
        "The [sun|rain|wind|snow|moon|sea|sky|light] is [bright|cold|warm|strong|quiet|blue|gray|beautiful]"
        " [today|tonight|this morning|again|]."
    ),
    (
        "[Yesterday|Today|Last week|This morning|On Monday|Last night] [I|we|my friend|my sister|my brother|our"
        " neighbor] [saw|bought|found|lost|met|painted|cooked|read|fixed] [a|the|my|some|our]"
        " [dog|book|house|car|cake|film|friend|letter|tree|boat]."
    ),
    (
        "The [quick|lazy|small|old|happy|clever] [brown|gray|red|white] [fox|dog|cat|bird|mouse]"
        " [jumps|runs|sleeps|sits|walks] [over|under|near|behind] the [lazy|old|big|quiet] [dog|house|tree|car]."
    ),
    (
        "[I think|I believe|I know|I guess|My mother says|People say] [that |][it will rain|time flies|life is"
        " short|you are right|cats are smart|music is nice|it is late|models are small]."
    ),
    (
        "[I am going to|I want to|I will|I have to|I would like to] [bed|the shop|go home|work now|cook dinner|take a"
        " walk|read a book|learn to code|eat|sleep|drink tea]."
    ),
]


def unclear(rng):
    """Other languages, noise, plain statements: what no other intent covers."""
    roll = rng.random()
    if roll < 0.35:
        return ask(spin(rng, rng.choice(FOREIGN), n=made_up_word(rng).capitalize()), ENGLISH, pinned=True)
    if roll < 0.7:
        text = (
            rng.choice(NOISE)
            if rng.random() < 0.5
            else "".join(rng.choice("abcdefghijklmnopqrstuvwxyz ") for _ in range(rng.randrange(3, 16))).strip()
        )
        return ask(text or "?", UNCLEAR, pinned=len(normalise(text)) < 4)
    return ask(casual(rng, spin(rng, rng.choice(STATEMENTS))), STATEMENT)


def beyond(rng):
    topic = spin(rng, rng.choice(TOPICS), city=rng.choice(CITIES), person=_person(rng), thing=made_up_word(rng))
    text = spin(
        rng,
        rng.choice(BEYOND_PATTERNS),
        city=rng.choice(CITIES),
        person=_person(rng),
        thing=made_up_word(rng),
        topic=topic,
    )
    if text.endswith(".") and text.startswith(("Can", "What", "Do ", "Have")):
        text = text[:-1] + "?"
    return ask(casual(rng, text), BEYOND)


def _person(rng):
    first = rng.choice(FIRST_NAMES) if rng.random() < 0.5 else made_up_word(rng).capitalize()
    last = rng.choice(LAST_NAMES) if rng.random() < 0.5 else made_up_word(rng).capitalize()
    return f"{first} {last}"
