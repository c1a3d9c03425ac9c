"""Short biographies of invented people (and one cook named Soyer)."""

from .grammar import expand
from .stories import BOYS, GIRLS

SURNAMES = """Soyer Martin Keller Rossi Novak Lindgren Okafor Tanaka Silva Moreau Weber Dubois Jensen Costa Haas Ito Marin Vogel
Petit Larsen Romano Fischer Garnier Nowak Alvarez Brandt Duval Lemaire Berger Mori Sato Conti Ferreira Holm Nagy Peeters""".split()
REGIONS = """north-east France|a small town near Lyon|the south of Italy|the north of Spain|a village in the Alps|the harbour city of Hamburg
a quiet part of Wales|western Ireland|a fishing village in Norway|the old town of Kraków|the hills of Portugal|southern Sweden|a suburb of Kyoto
a town in Ghana|the mountains of Peru|a large family in Vienna|a farm near Zürich|eastern Hungary|the west of France|central Germany""".replace("\n", "|").split("|")
CITIES = "Paris London Vienna Berlin Lisbon Rome Madrid Prague Oslo Geneva Brussels Zürich Málaga Tokyo Boston".split()
JOBS = {
    "cook": ("in {a small restaurant|the kitchen of a large hotel|a famous kitchen} in $city",
             ["$He soon became known for $his {soups and sauces|fine pastries|fish dishes|simple but perfect meals}.",
              "$He {invented a small stove that soldiers could carry|wrote a cookbook for families with little money|opened a kitchen that fed the poor|designed a modern kitchen with gas ovens}.",
              "{Guests came from far away to taste $his food|Even kings ate at $his table}.",
              "{$His book of recipes was read in many countries|Many of $his recipes are still cooked today}."]),
    "painter": ("{at a school of art|with an old master|in a small studio} in $city",
                ["$He painted {the sea in every kind of weather|portraits of workers and farmers|gardens, bridges and quiet streets}.",
                 "{At first nobody bought $his pictures|For years $he was poor}, but {a friend showed them in a small gallery|later they became very popular}.",
                 "$His use of {blue and gold|light and shadow|strong colours} {was new|surprised everyone} at that time.",
                 "Today $his works hang in {museums all over the world|the museum of $city}."]),
    "engineer": ("{at the technical school|in a railway workshop|with a builder of bridges} in $city",
                 ["$He built {bridges of iron|mills and water wheels|small and quiet engines|lighthouses on the coast}.",
                  "$His first {bridge|machine} {fell apart|did not work}, but $he {learned from the mistake|found the reason and tried again}.",
                  "$He {measured everything twice|tested each part with great care}, and {$his machines were known to be safe|nobody was ever hurt on $his building sites}.",
                  "{$He taught many young engineers|One of $his bridges is still in use today}."]),
    "teacher": ("at the {university|teachers' college} in $city",
                ["$He taught {reading and writing|mathematics|history and music} in a {village school|school for poor children}.",
                 "$He believed that {children learn best when they are curious|every child can learn|questions are more important than answers}.",
                 "$He wrote {three books for children, which were|a book about learning, which was} used in many schools.",
                 "$His pupils remembered $him as {strict but fair|patient and kind}."]),
    "doctor": ("in {a large hospital|a small clinic} in $city",
               ["$He {cared for poor families without asking for money|travelled from village to village on a horse}.",
                "$He showed that {clean hands can save lives|fresh air and good food help sick people}.",
                "{At first other doctors laughed at $him|Not everybody believed $him}, but {the results were clear|after some years they had to agree}.",
                "{A hospital carries $his name today|$His letters are kept in a museum}."]),
    "musician": ("with a {violin teacher|choir master|famous pianist} in $city",
                 ["$He played the {violin|piano|flute|cello} from the age of {five|six|seven}.",
                  "$He wrote {songs about the sea|dances for village feasts|music for the theatre|four symphonies}.",
                  "{$He travelled with a small orchestra through many countries|$His concerts were always full}.",
                  "{$His melodies are still sung today|One of $his songs is known by every child}."]),
    "programmer": ("{at a computer company|at the university|in a research group} in $city",
                   ["$He wrote {one of the first programs that could play chess|a small and fast compiler|a program that helps doctors|a web server that thousands of people use}.",
                    "$He liked {simple ideas and short functions|clear code and good tests}.",
                    "$He gave $his software away for free, so that {everybody could learn from it|others could improve it}.",
                    "{Today it runs on millions of machines|Many young people learned to program with $his book}."]),
    "gardener": ("in the {royal gardens|botanical garden} in $city",
                 ["$He planned {parks with long rows of trees|a garden that was open to everyone}.",
                  "$He {collected seeds from many countries|grew roses that nobody had seen before}.",
                  "$He {worked outside in all weathers|knew the name of every plant}.",
                  "{One of $his parks can still be visited|A rose is named after $him}."]),
    "scientist": ("at the {university|academy} in $city",
                  ["$He studied {the stars|the life of bees|the weather|the nature of light|fossils and old bones}.",
                   "$He {made the same experiment hundreds of times|wrote down everything that $he saw}.",
                   "$He {discovered a small comet|found out how bees tell each other about flowers|explained why the wind changes}.",
                   "$He received {a great prize|a gold medal} for $his work and {gave the money to a school|shared it with $his team}."]),
}
FIRST = """Born in $region, $S trained as a $job $where.
Born in $region in $year, $S trained as a $job $where.
Born in $region, $n $S trained as a $job $where.
$n $S was born in $region in $year. $He trained as a $job $where.
$n $S was a $job from $region. $He was born in $year and learned $his craft $where.
$n $S ($year-$end) was a $job who was born in $region. As a young $man $he trained $where.""".split("\n")
EARLY = """$His {father|mother} was a {miller|tailor|farmer|carpenter|baker|shopkeeper}, and the family {had little money|had seven children|lived in a small house}.
As a child, $he {helped in the shop|loved to read|asked many questions|spent much time outside}.
At the age of {twelve|fourteen|fifteen}, $he left home and {walked to the city|took the train to the city}.""".split("\n")
LAST = """$He died in {$city2|$region} in $end.
$He died in $end, and {many people came to say goodbye|$his work was continued by $his daughter|$his friends put up a small statue}.
In $his last years $he {lived quietly by the sea|returned to the place of $his childhood|wrote about $his life}.
{$He is remembered as one of the best of $his time|$His name is still known today}.""".split("\n")


def make_person(rng):
    """Return the variables of one life."""
    female = rng.random() < 0.5
    year = rng.randint(1780, 1940)
    v = {"n": rng.choice(GIRLS if female else BOYS), "S": rng.choice(SURNAMES), "region": rng.choice(REGIONS),
         "year": year, "end": year + rng.randint(50, 88), "job": rng.choice(list(JOBS))}
    v["city"], v["city2"] = rng.sample(CITIES, 2)
    words = ("she", "her", "her", "woman") if female else ("he", "him", "his", "man")
    v.update(zip(("he", "him", "his", "man"), words))
    v.update(He=words[0].capitalize(), His=words[2].capitalize())
    if v["S"] == "Soyer" and rng.random() < 0.8:
        v.update(region="north-east France", job="cook", n="Alexis", he="he", him="him", his="his", man="man", He="He", His="His")
    where, v["deeds"] = JOBS[v["job"]]
    v["where"] = expand(where, rng, v)
    if v["job"] == "cook" and rng.random() < 0.5:
        v["job"] = "chef"
    return v


def biography(rng):
    """Return (text, question) for one life."""
    v = make_person(rng)
    sentences = [rng.choice(FIRST)]
    if rng.random() < 0.5:
        sentences.append(rng.choice(EARLY))
    if rng.random() < 0.5:
        sentences.append("{Later|After some years|At the age of twenty-{two|five|eight}}, $he moved to $city2{, where $he {stayed for the rest of $his life|found work and many friends}|}.")
    sentences += [d for d in v["deeds"] if rng.random() < 0.8] + [rng.choice(LAST)]
    text = " ".join(expand(s, rng, v) for s in sentences)
    return text, expand(rng.choice(["Who was $n $S?", "Tell me about $n $S.", "Write a short biography of a $job.",
                                    "Write a short biography of $n $S."]), rng, v)
