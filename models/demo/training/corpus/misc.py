"""Lists, arithmetic, weather, recipes, letters, greetings, code, symbols."""

from .grammar import expand, join_list, upper_first
from .stories import BOYS, DAYS, FOODS, GIRLS

NUMBERS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen twenty""".split()
LISTS = {
    "fruits": "apples|pears|plums|cherries|bananas|oranges|grapes|strawberries|lemons|mangoes",
    "vegetables": "carrots|onions|potatoes|tomatoes|leeks|beans|peas|cabbage|spinach|cucumbers",
    "animals": "cat|dog|horse|cow|sheep|fox|bear|owl|frog|elephant|lion|whale",
    "colours": "red|blue|green|yellow|orange|purple|black|white|brown|grey|pink",
    "countries": "France|Spain|Italy|Japan|Brazil|Kenya|Norway|India|Canada|Peru|Egypt|Poland",
    "cities": "Paris|London|Tokyo|Rome|Berlin|Lima|Cairo|Oslo|Madrid|Vienna|Nairobi",
    "planets": "Mercury|Venus|Earth|Mars|Jupiter|Saturn|Uranus|Neptune",
    "programming languages": "Python|JavaScript|TypeScript|Rust|C|Java|Go|Ruby|Haskell|Swift",
    "parts of a computer": "processor|memory|disk|screen|keyboard|fan|power supply|graphics card",
    "instruments": "piano|violin|guitar|flute|drum|trumpet|cello|harp|clarinet",
    "sports": "football|swimming|tennis|running|cycling|skiing|chess|rowing",
    "jobs": "doctor|teacher|farmer|engineer|painter|baker|pilot|gardener|cook|nurse",
    "things in a kitchen": "a pot|a pan|a knife|a spoon|a bowl|a stove|a cup|a plate",
    "flowers": "roses|tulips|daisies|lilies|sunflowers|violets|poppies",
}
REASONS = """It is good for your health.|It makes you happy.|It costs very little.|It can be done at any age.|You can do it alone or with friends.
It trains your patience.|You learn something new every day.|It brings people together.""".replace("\n", "|").split("|")
ACTIVITIES = "reading|walking|cooking|swimming|learning a language|singing|gardening|drawing|cycling|playing chess|writing".split("|")
GREETINGS = {
    "French": ("Bonjour", "merci", "au revoir", "Ça va très bien, merci. À bientôt !"), "German": ("Guten Tag", "danke schön", "auf Wiedersehen", "Schöne Grüße aus Köln und viel Glück für die nächste Prüfung!"),
    "Spanish": ("¡Hola!", "gracias", "adiós", "¿Cómo estás? Mañana será otro día, señor Núñez."), "Italian": ("Ciao", "grazie", "arrivederci", "È una bella giornata, così andiamo al caffè."),
    "Portuguese": ("Olá", "obrigado", "adeus", "Bom dia! A lição de amanhã é fácil, não é?"), "Swedish": ("Hej", "tack", "hej då", "Jag åker båt på sjön i kväll."),
    "Danish": ("God dag", "tak", "farvel", "Rødgrød med fløde smager godt."), "Polish": ("Dzień dobry", "dziękuję", "do widzenia", "Cześć, jak się masz? Wszystko w porządku."),
    "Czech": ("Dobrý den", "děkuji", "na shledanou", "Těší mě, že vás vidím."), "Hungarian": ("Jó napot", "köszönöm", "viszontlátásra", "Szép őszi idő van."),
    "Turkish": ("Merhaba", "teşekkür ederim", "hoşça kal", "Güneşli bir gün, çok güzel."), "Japanese": ("こんにちは", "ありがとう", "さようなら", "今日はいい天気です。私は日本語を学びます。"),
    "Chinese": ("你好", "谢谢", "再见", "今天天气很好。我喜欢学习中文。"), "Korean": ("안녕하세요", "감사합니다", "안녕히 가세요", "오늘은 날씨가 좋아요."),
    "Russian": ("Здравствуйте", "спасибо", "до свидания", "Сегодня хорошая погода."), "Greek": ("Καλημέρα", "ευχαριστώ", "αντίο", "Ο καιρός είναι καλός."),
    "Arabic": ("مرحبا", "شكرا", "مع السلامة", "الطقس جميل اليوم."), "Hindi": ("नमस्ते", "धन्यवाद", "अलविदा", "आज मौसम अच्छा है।"),
    "Thai": ("สวัสดี", "ขอบคุณ", "ลาก่อน", "วันนี้อากาศดี"), "Hebrew": ("שלום", "תודה", "להתראות", "היום יום יפה."),
}
EMOJI = "😀 😊 😂 🎉 🐉 🚀 🌞 🌧️ ❤️ 👍 🍎 🍞 🎂 🐱 🐶 🌍 ⭐ 🔥 👩‍🍳 👨‍👩‍👧 🇫🇷 👋🏽 🏳️‍🌈 🧠".split()
EMOJI_TEXT = """Happy birthday, $a! $e1 {I hope you have a wonderful day|Enjoy your cake} $e2
Hi $a $e1 are you coming to the {market|park|concert} {today|on $day}? $e2
{Good morning|Good night}, $a! $e1$e2
We made $food {today|yesterday} and it was {very good|delicious} $e1 $e2
{Thank you|Thanks a lot} for your help, $a! $e1
{The sun is out|It is raining again|We won the game}! $e1 {See you soon|Call me later}, $b $e2""".split("\n")
WEATHER = """On $day it will be {sunny|cloudy|rainy|windy|foggy} {in the north|in the south|near the coast|in the mountains}, with temperatures {around|of up to} $t °C. {In the evening|During the night|In the afternoon} {some rain is possible|the wind becomes stronger|the clouds disappear|it can snow above 1500 metres}. {Take an umbrella with you|Do not forget a warm coat|It is a good day for a walk|Drivers should be careful}.
{Today|This morning} it is {cold|warm|cool|hot} outside. {The sun is shining|It is raining|There is a strong wind|There is snow on the roofs}, and the thermometer shows $t °C. {Tomorrow|On $day} it will be {a little warmer|a little colder|about the same}.
The weather on $day: {sunshine and a few clouds|light rain|snow and ice|a storm from the west}, $t °C. The weather on $day2: {dry and warm|grey and wet|cold but clear}, $t2 °C.""".split("\n")
LETTERS = r"""Dear $a,\n\n{thank you for your letter|how are you}? {I was very happy to hear from you|I hope that you are well}. {Here the weather is fine|It has been raining all week}, and {the garden is full of flowers|I spend my time with books}. {On $day|Last week} I {baked|ate} $food and thought of you.\n\n{Please write soon|Come and visit me when you can|Give my love to your family}.\n\n{Yours|With love|Best wishes},\n$b
Dear $a,\n\nI would like to invite you to {my birthday|a small concert|dinner} on $day at {five|six|seven|eight} o'clock. There will be $food and {music|games}. {Please tell me if you can come|I hope to see you there}.\n\n{Best wishes|Yours},\n$b
Dear {team|colleagues},\n\nthe new version of {the server|our program|the library} is ready. It is {faster|easier to use|more stable}, and {we fixed many bugs|the documentation is better}. {Please test it until $day|Please send me your questions}.\n\nThank you,\n$b
Hello $a,\n\n{I am sorry that I am late|I am sorry that I forgot your birthday}. {I was ill|The train was late|I had too much work}. {I will bring you $food on $day|Let us meet on $day}.\n\nYour friend\n$b""".split("\n")
RECIPES = r"""{For|To make} a simple $dish you need $x, $y and {a little salt|some butter|some oil|fresh herbs}. First wash and cut the $x. Then {fry|cook} the $x {in a pan|in a pot} for {five|ten} minutes. Add the $y and {half a litre of|some} water. {Let everything cook slowly for $m minutes|Wait for $m minutes and stir now and then}. {Serve it hot with bread|Add salt and pepper and enjoy your meal|Taste it, and add some more salt if you like}.
Recipe: {a quick|an easy} $dish\n\nYou need:\n- $k $x\n- $k2 $y\n- salt and pepper\n\n1. Wash the $x and cut them into small pieces.\n2. Cook them for $m minutes.\n3. Add the $y and stir well.\n4. Season with salt and pepper.\n\n{Enjoy your meal|Bon appétit}!""".split("\n")
PRICES = """A {kilo of apples|cup of coffee|loaf of bread|ticket to Zürich} costs $p € here, and in the {city|old café|market} it costs $p2 €. {That is too much|I think that is fair|So we stayed at home}.
The menu of the café: {crème brûlée|soup of the day|apple strudel} $p €, {tea|coffee|hot chocolate} $p2 €. {The waiter is very friendly|The cake is famous|It is open until ten o'clock}.
The bill was $p €. {We paid and went home|$a paid for everyone|We had expected more}.""".split("\n")
DIALOGUES = r""""{Good morning|Hello|Good afternoon}, {what would you like|can I help you}?" asked the {baker|shopkeeper|waiter}.\n"{A loaf of bread, please|Two kilos of apples, please|A cup of tea and some $food, please}," said $a.\n"{Anything else|Is that all}?"\n"{No, thank you. How much is it|Yes, some cheese, please. How much is it}?"\n"{Four|Six|Nine} euros, please."\n"{Here you are|There you go}. {Have a nice day|Goodbye}!"
"{Where are you going|What are you doing}, $a?" asked $b.\n"I am {going to the library|looking for my keys|learning for the test|baking $food}," said $a. "{Do you want to come|Can you help me|What about you}?"\n"{Yes, with pleasure|Of course|I am sorry, I have no time today}," {said|answered} $b.\n{And so they went together|They laughed|After that they went home and drank some tea}.
"{My program does not work|The server is slow today}," said $a.\n"{What does the error message say|Did you look at the log|When did it start}?" asked $b.\n"{It says that a file is missing|It says that the memory is full|There are too many requests in the queue}."\n"{Then let us look at it together|Then we should make the batch larger|Then we need a cache}," said $b. "{Most problems have a simple reason|We will find it}."
""".strip().split("\n")
CODE = ['function add(a: number, b: number): number {\n  return a + b;\n}', 'const names: string[] = ["Ann", "Ben"];\nfor (const name of names) {\n  console.log(`Hello, ${name}!`);\n}',
        'def square(x):\n    """Return x times x."""\n    return x * x', 'for i in range(10):\n    print(i, i * i)', 'const server = http.createServer((request, response) => {\n  response.end("Hello");\n});\nserver.listen(8080);',
        'if (tokens.length > limit) {\n  throw new Error("The text is too long.");\n}', 'let sum = 0;\nfor (let i = 1; i <= 100; i++) {\n  sum += i;\n}\nconsole.log(sum); // 5050', '{"name": "demo", "layers": 6, "vocab": 4096}']
CODE_TEXT = ["Here is a small example:", "This is how it looks in code:", "A short example:", "The following lines show how it works:"]
CODE_QA = ["Show me some code.", "Write a small program.", "Give me a code example."]


def _person_pair(rng):
    a, b = rng.sample(GIRLS + BOYS, 2)
    day, day2 = rng.sample(DAYS, 2)
    return {"a": a, "b": b, "day": day, "day2": day2, "food": rng.choice(FOODS)}


def make_list(rng):
    """Return (request, list)."""
    if rng.random() < 0.25:
        activity, count = rng.choice(ACTIVITIES), rng.randint(2, 5)
        items = rng.sample(REASONS, count)
        lines = "\n".join(f"{i}. {x}" for i, x in enumerate(items, 1))
        return f"Give me {NUMBERS[count]} reasons for {activity}.", f"Here are {NUMBERS[count]} reasons for {activity}:\n{lines}"
    name = rng.choice(list(LISTS))
    items = LISTS[name].split("|")
    count = rng.randint(3, min(7, len(items)))
    chosen = rng.sample(items, count)
    request = expand(rng.choice([f"Name {NUMBERS[count]} {name}.", f"List {NUMBERS[count]} {name}.", f"Give me a list of {NUMBERS[count]} {name}.",
                                 f"Can you name {NUMBERS[count]} {name}?", f"Give me {count} {name}."]), rng)
    style = rng.random()
    if style < 0.4:
        return request, upper_first(join_list(chosen)) + "."
    mark = (lambda i: f"{i}. ") if style < 0.7 else (lambda i: "- ")
    return request, f"Here are {NUMBERS[count]} {name}:\n" + "\n".join(mark(i) + x for i, x in enumerate(chosen, 1))


def arithmetic(rng):
    """Return (question, answer) of a small sum."""
    a, b = rng.randint(0, 10), rng.randint(0, 10)
    sign, word, result = rng.choice([("+", "plus", a + b), ("-", "minus", a), ("*", "times", a * b)])
    left = a + b if sign == "-" else a
    if rng.random() < 0.5 and result <= 20 and left <= 20:
        return f"What is {NUMBERS[left]} {word} {NUMBERS[b]}?", f"{upper_first(NUMBERS[left])} {word} {NUMBERS[b]} is {NUMBERS[result]}."
    question = rng.choice([f"What is {left} {sign} {b}?", f"{left} {sign} {b} =", f"How much is {left} {sign} {b}?"])
    return question, f"{left} {sign} {b} = {result}."


def word_problem(rng):
    """Return (question, answer) of a small story with numbers."""
    v = _person_pair(rng)
    a, b = rng.randint(2, 10), rng.randint(1, 9)
    thing = rng.choice(["apples", "books", "coins", "stones", "pencils", "cards", "shells"])
    if rng.random() < 0.5:
        return (f"{v['a']} has {a} {thing}. {v['b']} gives {v['a']} {b} more. How many {thing} does {v['a']} have now?",
                f"{v['a']} has {a} + {b} = {a + b} {thing}.")
    return (f"{v['a']} has {a + b} {thing} and gives {b} of them to {v['b']}. How many {thing} does {v['a']} have left?",
            f"{v['a']} has {a + b} - {b} = {a} {thing} left.")


def greeting(rng):
    """Return (question, answer) about a word in another language."""
    lang = rng.choice(list(GREETINGS))
    hello, thanks, bye, sentence = GREETINGS[lang]
    return rng.choice([
        (f"How do you say hello in {lang}?", f"In {lang} you say: {hello}"), (f"How do I say thank you in {lang}?", f"In {lang} you say: {thanks}"),
        (f"How do you say goodbye in {lang}?", f"In {lang} you say: {bye}"), (f"Say hello in {lang}.", hello),
        (f"Write a sentence in {lang}.", sentence), (f"Greet me in {lang}.", f"{hello} {rng.choice(EMOJI)}")])


def greeting_text(rng):
    """Return a short text that mixes several languages."""
    langs = rng.sample(list(GREETINGS), rng.randint(2, 5))
    parts = [f"in {x} they say “{GREETINGS[x][0]}”" for x in langs]
    text = "People greet each other in many ways: " + join_list(parts) + "."
    if rng.random() < 0.6:
        text += "\n" + "\n".join(f"{x}: {GREETINGS[x][3]}" for x in langs)
    return text


def symbols_text(rng):
    """Return a short message with emoji, a price, a temperature."""
    emoji = rng.sample(EMOJI, 2)
    t, t2 = rng.randint(-9, 34), rng.randint(-9, 34)
    p, p2 = f"{rng.randint(1, 19)}.{rng.randint(0, 9)}0", f"{rng.randint(1, 19)}.{rng.randint(0, 9)}5"
    v = {**_person_pair(rng), "e1": emoji[0], "e2": emoji[1], "t": t, "t2": t2, "p": p, "p2": p2}
    return expand(rng.choice(rng.choice([EMOJI_TEXT, WEATHER, PRICES])), rng, v)


def letter(rng):
    """Return (request, letter)."""
    v = _person_pair(rng)
    request = expand("{Write a letter to a friend.|Write a short letter.|Please write a letter to $a.}", rng, v)
    return request, expand(rng.choice(LETTERS).replace("\\n", "\n"), rng, v)


def recipe(rng):
    """Return (request, recipe)."""
    x, y = rng.sample("carrots potatoes onions tomatoes leeks beans mushrooms peppers".split(), 2)
    v = {"x": x, "y": y, "k": rng.randint(2, 6), "k2": rng.randint(2, 6), "m": rng.choice([10, 15, 20, 25, 30]),
         "dish": rng.choice(["soup", "stew", "salad", "pan dish", f"{x[:-1] if not x.endswith('oes') else x[:-2]} soup"])}
    request = expand("{How do I make a $dish?|Give me a recipe for a $dish.|Write a simple recipe.|How can I cook a $dish?}", rng, v)
    return request, expand(rng.choice(RECIPES).replace("\\n", "\n"), rng, v)


def dialogue(rng):
    """Return a short spoken scene."""
    return expand(rng.choice(DIALOGUES).replace("\\n", "\n"), rng, _person_pair(rng))


def code(rng):
    """Return (request, answer) with a code block."""
    return rng.choice(CODE_QA), f"{rng.choice(CODE_TEXT)}\n\n{rng.choice(CODE)}"


def any_pair(rng):
    """Return one (request, answer) of this module."""
    return rng.choices([make_list, arithmetic, word_problem, greeting, letter, recipe, code], [5, 3, 2, 3, 2, 3, 1])[0](rng)


def any_text(rng):
    """Return one text without a request."""
    return rng.choices([greeting_text, symbols_text, dialogue, lambda r: letter(r)[1], lambda r: recipe(r)[1]], [2, 6, 4, 2, 2])[0](rng)
