"""Questions with answers and explanatory paragraphs, built from the tables in `data/`."""

from pathlib import Path

from .grammar import expand, upper_first

DATA = Path(__file__).parent / "data"

WHAT = """What is $n?
What is $n?
What is $n ?
What's $n?
what is $n
what is $n?
Explain $n.
Explain what $n is.
Tell me about $n.
Tell me something about $n.
Can you explain $n?
Can you tell me what $n is?
Describe $n.
Describe $n in simple words.
Define $n.
Please explain $n to a child.
Write a short paragraph about $n.
I would like to know what $n is.
Give me a short explanation of $n.
Do you know what $n is?
How would you explain $n?""".split("\n")
DOES = """Explain what $n does.
What does $n do?
What is $n good for?
What is $n used for?
Why is $n useful?
Why do we need $n?
Why is $n important?""".split("\n")
OPENERS = ["$N is $d.", "$N is $d.", "$N is $d.", "In simple words, $n is $d.", "$N is $d, or, in other words, $e.",
           "We can say that $n is $d.", "Simply put, $n is $d."]
BACKGROUND = ["It is also called $e.", "You can also think of it as $e.", "One could also say that it is $e."]
COUNTRY_QA = [
    ("What is the capital of $c?", "The capital of $c is $cap."),
    ("what is the capital of $c", "$cap is the capital of $c."),
    ("Which city is the capital of $c?", "The capital of $c is $cap."),
    ("Where is $c?", "$C is in $cont."),
    ("Which language do people speak in $c?", "In $c most people speak $lang."),
    ("Which country has the capital $cap?", "$cap is the capital of $c."),
    ("What is $c famous for?", "$C is famous for $fame."),
    ("What is $c known for?", "$C is known for $fame."),
    ("Tell me about $c.", "$C is a country in $cont. Its capital is $cap. Most people speak $lang. It is famous for $fame."),
    ("What is $c?", "$C is a country in $cont. Its capital is $cap, and it is known for $fame."),
    ("Tell me about $cap.", "$cap is the capital of $c. Most people there speak $lang. {Visitors like to walk through the old streets|Many visitors come every year|There are many museums and parks}."),
]
COUNTRY_TEXT = [
    "The capital of $c is $cap. {It is a large city with many streets and parks|It is a city with a long history|Many people live and work there}. $C is in $cont, and most people there speak $lang.",
    "The capital of $c is $cap. {Many visitors come to see it every year|The city has many museums, schools and markets}. The country is famous for $fame.",
    "$cap is the capital of $c. The country lies in $cont and is known for $fame.",
    "$C is a country in $cont. The capital of $c is $cap. People there speak $lang. Visitors love $fame.",
    "{In spring|Last summer|Some years ago} I travelled to $cap, the capital of $c. I had heard so much about $fame. {The people were friendly, and the food was good|I stayed for a week and learned a few words of the language}.",
]
UNKNOWN_ANSWERS = ["I am sorry, but I do not know what $w is. I am only a small model. Could you explain it to me?",
                   "I have never heard of $w. Perhaps you can tell me more about it.",
                   "I do not know anything about $w. Maybe you can ask me about something else."]
SYLLABLES = "zor bla fen qui tra mox lin gra pto wex nar dro vil kus hep yon sma rib tol eck".split()
PEOPLE_PLURALS = "{many people|engineers|children|teachers|students}"


def read_table(name):
    """Return the rows of a `|` separated table."""
    lines = (DATA / name).read_text(encoding="utf-8").strip().split("\n")
    return [[cell.strip() for cell in line.split(" | ")] for line in lines]


def _topics():
    topics = []
    for name, weight in (("computing.txt", 2), ("world.txt", 1), ("life.txt", 1)):
        for n, d, e, facts in read_table(name):
            facts = [f.strip() for f in facts.split(" / ")]
            topic = {"n": n, "N": upper_first(n), "d": d, "e": e,
                     "facts": [f for f in facts if f[0] != "+"], "uses": [f[2:] for f in facts if f[0] == "+"]}
            topics += [topic] * weight
    return topics


TOPICS = _topics()
COUNTRIES = [dict(zip(("c", "cap", "cont", "lang", "fame"), row)) | {"C": upper_first(row[0])}
             for row in read_table("countries.txt")]
QUESTIONS = [(q, a.replace("\\n", "\n")) for q, a in read_table("questions.txt")]


def explanation(rng, topic):
    """Return a paragraph that explains `topic`."""
    if rng.random() < 0.25:
        topic = topic | {"d": topic["e"], "e": topic["d"]}
    opener = rng.choice(OPENERS)
    sentences = [expand(opener, rng, topic)]
    if "$e" not in opener and rng.random() < 0.15:
        sentences.append(expand(rng.choice(BACKGROUND), rng, topic))
    count = rng.randint(0, len(topic["facts"])) if rng.random() < 0.3 else len(topic["facts"])
    sentences += topic["facts"][:count]
    if rng.random() < 0.75:
        sentences += topic["uses"]
    return " ".join(sentences)


def purpose(rng, topic):
    """Return what `topic` does or is good for."""
    sentences = [expand(rng.choice(["$N is $d.", "$N is $d.", "$N is $e."]), rng, topic)]
    sentences += topic["facts"][:rng.choice([0, 1, 3])] + topic["uses"]
    return " ".join(sentences)


def question_answer(rng):
    """Return (question, answer)."""
    kind = rng.random()
    if kind < 0.56:
        topic = rng.choice(TOPICS)
        question = expand(rng.choice(WHAT), rng, topic)
        return question, explanation(rng, topic)
    if kind < 0.70:
        topic = rng.choice(TOPICS)
        return expand(rng.choice(DOES), rng, topic), purpose(rng, topic)
    if kind < 0.82:
        country = rng.choice(COUNTRIES)
        question, answer = rng.choice(COUNTRY_QA)
        return expand(question, rng, country), expand(answer, rng, country)
    if kind < 0.98:
        question, answer = rng.choice(QUESTIONS)
        if rng.random() < 0.15:
            question = question.rstrip("?.!") + rng.choice(["", " ?", "?"] if question.endswith("?") else ["", "."])
        return question, answer
    word = "".join(rng.sample(SYLLABLES, rng.choice([2, 2, 3])))
    v = {"n": "a " + word, "w": "a " + word}
    return expand(rng.choice(WHAT), rng, v), expand(rng.choice(UNKNOWN_ANSWERS), rng, v)


def explanatory_text(rng):
    """Return a text without a question: one topic, or a few of them."""
    if rng.random() < 0.25:
        country = rng.choice(COUNTRIES)
        return expand(rng.choice(COUNTRY_TEXT), rng, country)
    if rng.random() < 0.6:
        return explanation(rng, rng.choice(TOPICS))
    first, second = rng.sample(TOPICS, 2)
    starts = ["Today we learned about two things in class.", "Here are two short explanations.",
              expand("This is what " + PEOPLE_PLURALS + " should know.", rng)]
    return "\n\n".join([rng.choice(starts), explanation(rng, first), explanation(rng, second)])
