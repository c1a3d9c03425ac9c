"""Short stories: a cast, a place, a plot with cause and effect, an ending."""

from .grammar import expand, upper_first

GIRLS = """Anna Mia Lily Rosa Clara Emma Zoë Nora Ella Ines Maya Lena Sofia Amélie Chloé Ida Tara Yuki Amira Greta
Olga Petra Lucía Hana Elsa Ruth Alma Vera Wilma Dora Begoña Noémi Frieda Irene Paula Judith Selma Kira Tilda Renée""".split()
BOYS = """Tom Ben Leo Max Oscar Hugo Sam Jack Felix Otto Karim Pedro Luis Finn Emil Noah Theo Ivan Mateo Paul
André José Jürgen Kenji Omar Niko Adam Anton Björn Erik Hans Iñigo Jakob Kurt Louis Milo Rafael Søren Tim Victor""".split()
ANIMALS = """fox rabbit mouse bear owl hedgehog squirrel cat dog frog duck goose pony goat lamb badger otter beaver
turtle sparrow penguin elephant lion tiger monkey donkey kitten puppy crow seal""".split()
ANIMAL_NAMES = """Pip Bramble Rusty Dot Hazel Nib Tuft Clover Biscuit Button Moss Patch Pepper Willow Fern Socks Maple
Juniper Toffee Barley Smudge Twig Puddle Acorn Ginger Cocoa Olive Snow Ember Poppy""".split()
PLACES = """a small village near the sea|a quiet valley between two hills|a town with a tall clock tower
a house at the edge of the forest|a village by a wide river|a little town in the mountains|a busy city by the harbour
a farm on a green hill|an old castle above a lake|a village where it snowed every winter|a warm island far away
a street with many small shops|a cottage beside a mill|a fishing village on the north coast
a town full of gardens|a little house under an old oak tree""".replace("\n", "|").split("|")
TRAITS = "kind|curious|brave|clever|cheerful|patient|gentle|honest|quiet|lively|careful|friendly|hard-working|thoughtful".split("|")
HOBBIES = """to read books about the stars|to sing songs in the kitchen|to climb trees|to watch the boats
to draw pictures of birds|to bake bread with the family|to walk in the rain|to collect round stones|to ask questions
to listen to old stories|to swim in the lake|to build small things out of wood|to count the stars at night
to play in the garden|to help the neighbours""".replace("\n", "|").split("|")
WEATHER = """the sun was shining|it was raining softly|the wind was strong|the sky was grey|fresh snow lay on the ground
the air was warm and clear|a thick fog covered the fields|white clouds moved slowly over the hills""".replace("\n", "|").split("|")
OBJECTS = """golden key|red kite|silver ring|blue scarf|little music box|wooden boat|brass compass|old map|green lantern
woollen hat|glass marble|small drum|paper crown|pocket watch|painted cup|leather bag|tin whistle|yellow umbrella""".replace("\n", "|").split("|")
FOODS = """apple pie|vegetable soup|warm bread|honey cake|cheese|plum jam|roasted nuts|pancakes|hot chocolate|pear cake
potato stew|cherry tart|crème brûlée|carrot cake|noodle soup""".replace("\n", "|").split("|")
HIDING = """under the bed|behind the old mill|in the tall grass|beside the well|under a pile of leaves|in a hollow tree
behind the church|on the window sill|at the bottom of the garden|between two stones near the river""".replace("\n", "|").split("|")
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()

OPENINGS = """Once upon a time{,|} there was {a|a little|a young|a $trait} $K {named|called} $H who lived in $P.
Once upon a time, in $P, there lived {a|a little|a young} $K named $H.
Once upon a time, a {$trait|little|young} $K named $H lived in $P.
Once upon a time there lived a $K in $P. {$His|The $K's} name was $H.
One {morning|evening|afternoon}, in $P, a $K named $H looked out of the window and saw that $weather.
Long ago, in $P, there was {a|a little|a young} $K called $H.
There was once a $K named $H who lived in $P.
$H was a $trait $K who lived in $P.
In $P lived a $trait $K {named|called} $H.""".split("\n")

CHARACTER = """$H was $trait and $trait2, and {everybody|all the neighbours|the whole place} liked $him.
$He loved $hobby {more than anything else|very much|every day}.
$H was $trait, but sometimes $he was a little {shy|lonely|impatient}.
Every day $H liked $hobby.
$His best friend was a $FK named $F.
$H and $his friend $F, a $FK, liked $hobby.""".split("\n")

ENDINGS = """From that day on, $H and $F were {the best of friends|never far apart|good friends}.
That night $H {slept well|fell asleep with a smile|dreamed of new adventures}.
$H had learned that {it is good to ask for help|a kind word can open many doors|patience is worth more than gold|small steps lead to great things|sharing makes every meal better|courage does not mean that you are never afraid}.
And whenever $H {thought of|remembered} that day, $he smiled.
And they lived happily ever after.
"{What a day|What an adventure}!" said $H, and $he {laughed|smiled|yawned}.
And so the {story|day} ended well, and everyone was {happy|glad|content}.
After that, {nobody in the village|no one} ever forgot what $H had done.""".split("\n")

# Every plot: the words a reader may ask for, then its sentences in order; `/` starts a paragraph.
PLOTS = [
    (["a lost $obj", "a $K who loses something", "a $obj"], """
One {day|morning}, $H noticed that $his $obj was {gone|missing|no longer there}.
$He looked {under the table|in every room|in all $his pockets} and {behind the door|in the kitchen|under the chairs}, but $he could not find it.
$H felt {very sad|worried|ready to cry}, because the $obj had been a {present|gift} from $his grandmother.
/
"{What is wrong|Why are you so sad}, $H?" asked $F.
"I have lost my $obj," {said|answered} $H. "{I have looked everywhere|I do not know where it is}."
"{Do not worry|Do not be sad}," said $F. "{We will look for it together|Two pairs of eyes see more than one|Let us think about where you went yesterday}."
So $H and $F walked back along the path that $H had taken the day before.
They {asked the baker|asked the old fisherman|asked the postman}, but he had not seen it.
They looked near the bridge, but {there was only a wet leaf|they found nothing|they only found an old shoe}.
/
{Just as the sun was going down|At last|When they were almost ready to give up}, $F saw something {shiny|bright|small} $hiding.
It was the $obj! {A bird had carried it there|It had fallen there while $H was playing|The wind had blown it there}.
$H {jumped for joy|laughed with joy|hugged $F}. "Thank you, $F!" $he said. "{Without you I would never have found it|You are a true friend}."
Then they went home and {ate|shared} some $food."""),
    (["a dragon", "a friendly dragon", "a dragon and a $K"], """
{In the mountains near by|In a cave above the valley|Behind the hills} lived a {huge|green|red|great} dragon.
{All the people|Everybody} {were|was} afraid of the dragon, because {smoke came out of its cave every night|it roared when the moon was full|it was as large as a house}.
{But|Only} $H was {more curious than afraid|not so sure that the dragon was bad}.
/
One {morning|day}, $H {packed some $food|put some $food into a bag} and {climbed up|walked up} to the cave.
"{Hello|Good morning}, dragon!" $he called. "{Why do you roar every night|Why do you make so much smoke}?"
The dragon {opened one yellow eye|lifted its heavy head|looked at $him in surprise}. "{Nobody has ever asked me that|You are the first one who speaks to me}," {it said|it answered|said the dragon} {softly|slowly}.
"I {roar|make smoke} because {I have a thorn in my foot|I am lonely|my tooth hurts|I am always cold in this cave}," the dragon said.
$H {thought for a moment|nodded}. "{I can help you|Let me see what I can do|Then I will help you}," $he said.
{$He shared the $food with the dragon and stayed until evening|$He worked carefully for an hour, and the dragon held very still|$He brought a warm blanket and made a cup of tea for the dragon}.
The dragon {began to smile|felt much better|was so happy that a tear ran down its nose}.
/
The next day, the dragon {flew down to the village|came down from the mountain} with $H on its back.
At first the people {ran away|hid in their houses}, but then they saw that $H was laughing.
From then on, the dragon {lit the lamps every evening|warmed the houses in winter|carried the heavy stones for the new bridge|helped the baker to heat his oven}, and {nobody was afraid any more|all the children loved it}."""),
    (["a storm", "a lighthouse", "a brave $K"], """
{Not far from there|On a rock in the sea}, there stood an old lighthouse, and $H {helped|often helped} the {old|kind} keeper.
One night there was a {terrible|great} storm. {The wind howled|The waves were as high as houses} and {the rain beat against the windows|the thunder rolled over the water}.
Suddenly the light went out. "{Oh no|This is bad}!" cried the keeper. "{The ships will not see the rocks|There are boats out there}!"
The keeper was {too old to climb the stairs quickly|ill that night}, so $H took a lamp and {ran|hurried} up the {long|dark} stairs.
There were {two hundred|one hundred and twenty|ninety-nine} steps, and $H counted every one of them.
At the top, $he saw that {the wind had broken a window|the oil was empty|the wick was wet}.
{$His hands were cold|$He was afraid}, but $he {did not stop|kept working}. {At last|After a while} the light {was burning again|shone over the sea again}.
/
Out on the water, $F {saw the light|was in a small boat and saw the light} and {turned away from the rocks|steered safely to the harbour}.
In the morning {the sea was calm|the sun came out}, and all the boats were {safe|home}.
"You saved us, $H," said $F. "{Your light was like a star|We could not see anything until your light came back}."
The keeper gave $H a $obj {as a thank-you|to remember that night}."""),
    (["a seed", "a garden", "a tree"], """
One day in spring, {an old woman|a traveller} gave $H a {tiny|small brown} seed. "{Take good care of it|Be patient}," {she|the stranger} said.
$H {dug a hole|made a small hole} in the garden, put the seed into the soil and {gave it some water|watered it}.
The next morning $he {ran outside|went to look}, but there was nothing to see.
{Every day|Day after day} $H watered the seed. {Every day|Each time} $he {waited|looked}, and {nothing happened|there was only brown earth}.
"{It will never grow|Perhaps it was a bad seed}," said $F.
"{Good things take time|I will wait a little longer|Let us give it one more week}," said $H.
/
{Then|At last}, after {three|four|five} weeks, a small green leaf came out of the ground.
$H was so {happy|excited} that $he {danced around the garden|called everyone to see it}.
The plant grew and grew. In summer it was as tall as $H, and in autumn it was {taller than the house|full of {apples|pears|plums|golden flowers}}.
$H {gave some to everyone in the village|invited all the neighbours}, and they {made|shared} $food together.
"{You were right to wait|I am glad that you did not give up}," said $F."""),
    (["a robot", "a machine", "a robot and a $K"], """
In {a small workshop|the garden shed}, $H was building a robot out of {old wires, two lamps and a kettle|tin cans and a clock|a broken radio and four wheels}.
{For many weeks|Every evening} $he worked on it, and at last the robot {opened its eyes|blinked|began to hum}.
"Hello," said the robot. "{What is my name|Who am I}?"
"Your name is {Bolt|Spark|Chip|Tik|Copper}," said $H, "and {I am your friend|you are my friend}."
/
{The robot wanted to help, but it made many mistakes|At first the robot did everything wrong}. It {put salt into the tea|watered the books|swept the floor with a fish}.
$F {laughed|shook $fhis head}. "{That robot is of no use|It will never learn}," $fhe said.
But $H was patient. "{Everyone learns from mistakes|Let us try again|You only need more examples}," $he said to the robot.
So $H showed it {a hundred examples|the same thing again and again}, and {each time|little by little} the robot did {it a bit better|a little better}.
{By winter|After some months}, the robot could {cook soup, read stories and find lost keys|paint the fence and count to a million|bake bread and play chess}.
/
One {cold|dark} night {$F was lost in the snow|$F did not come home}. The robot {turned on its lamps|switched on its bright eyes} and {found $fhim|led $fhim home}.
"{Thank you, little robot|I was wrong about you}," said $F. "{You have learned more than I have|I will never laugh at you again}."
The robot {beeped happily|blinked twice}, because {that is how robots smile|it had learned what a friend is}."""),
    (["sharing", "a hungry winter", "$food"], """
It was {a cold winter|a hard winter}, and there was {not much|very little} to eat.
$H had {only one|one last} {loaf of bread|bag of flour|basket of apples}. $He wanted to keep {it all for $himself|it hidden}.
{Then|One evening} there was a knock at the door. It was $F, who {was cold and hungry|had not eaten for two days}.
"{May I come in|Please, can you help me}?" asked $F. "{It is so cold outside|I have nothing left}."
$H {thought about it for a moment|looked at the small fire and then at $F}. {Then $he opened the door wide|Then $he smiled}. "{Come in|Sit down by the fire}," $he said. "{We will share what I have|There is enough for two}."
Together they {made|cooked} $food, and it {tasted better than ever|was the best meal of the whole winter}.
/
The next day $F {came back|returned} with {a jar of honey|some dry wood|a bag of nuts} that {$fhe had found|a neighbour had given $fhim}.
Soon {other neighbours|more friends} came, and each of them brought {something small|a little}: {a carrot, an onion, a piece of cheese|some salt, a potato, a handful of beans}.
They put everything into one big pot, and {nobody was hungry any more|there was enough for everyone}.
"{When we share, we have more|How strange}," said $H. "{I gave away half of my bread, and now I have a feast|I had little, and now I have plenty}." """),
    (["the moon", "space", "a trip to the moon", "a rocket"], """
Every night $H looked at the moon and {wondered what it was made of|wanted to go there}.
"I will {fly to the moon|visit the moon}," $he told $F. "{Will you come with me|Do you want to come}?"
"{How can we get there|It is much too far}," said $F, but $fhe {was curious too|wanted to see it}.
So they built a rocket out of {an old bath and three barrels|wood, rope and a big kettle|boxes and silver paper}. It took them {all summer|many weeks}.
{Three, two, one|Five, four, three, two, one} ... and the rocket {flew up into the dark sky|rose above the clouds}!
/
Soon they could see the {whole|blue} Earth below them. {It was round and blue|It looked like a blue marble}.
On the moon {everything was quiet|it was very quiet}. They could jump {as high as a house|higher than the trees at home}, because {things weigh less on the moon|the moon pulls only a little}.
They {drew a smile in the grey dust|put a small flag into the dust|collected three grey stones}.
"{It is beautiful here|I like it here}," said $H after a while, "but {there is no $food|there are no trees and no birds|nobody lives here}."
"{Then let us go home|I miss my bed}," said $F.
So they flew back and {landed softly in the lake|landed in the garden}. {Nobody believed their story|Everyone wanted to hear their story}, but $H still had {a little grey stone|some moon dust in $his shoe}."""),
    (["a contest", "a cook", "a soup"], """
{Each year|Every autumn} there was a {cooking|soup} contest {on the market square|in the town hall}, and this year $H wanted to {win|take part}.
$H had no {expensive|fine} pots and no {rare|fancy} spices. $He only had {carrots, onions and a little salt|potatoes, leeks and some herbs from the garden}.
"{You cannot win with that|That is too simple}," said {a proud cook|a cook with a very tall hat}. "I have {forty spices|gold dust in my soup}!"
$H did not answer. $He {cut the vegetables carefully|stirred slowly} and {tasted the soup again and again|listened to the bubbling pot}.
"{It needs something|Something is missing}," $he whispered to $F.
"{Perhaps a bit of lemon|Perhaps some thyme}?" said $F. And {that was exactly right|that made all the difference}.
/
The {judge|mayor} tried every soup. {The soup of the proud cook|The expensive soup} was {too salty|so hot that he had to drink three glasses of water}.
Then {he|the judge} tried the soup that $H had made. {He closed his eyes|He said nothing for a long time}. "{It tastes like home|This is the soup my grandmother made}," he said {at last|softly}.
So $H won {the first prize|the golden spoon}, and {even the proud cook|the proud cook too} asked for {a second bowl|the recipe}."""),
    (["a fox", "a clever trick", "a forest"], """
{In the forest|Near by} there lived a {sly|hungry} fox who {stole food from everyone|always wanted to eat without working}.
One day the fox {stopped $H on the path|stood in front of the house}. "{Good morning|What a nice day}," said the fox. "{What do you have in your basket|Where are you going with that basket}?"
$H knew that the fox {wanted the $food|was very greedy}. So $he thought {quickly|hard}.
"{Only some $food|Just $food}," said $H, "but {the best things are at the bottom of the well|there is a much bigger cheese in the pond}."
The fox {ran to the well|hurried there} and looked into the water. {There was the moon, round and yellow|He saw something round and yellow}, and he thought that it was a {big|huge} cheese.
{Splash!|Plop!} The fox jumped in, and {he got very wet|the water was very cold}.
/
"{Help|Help me}!" cried the fox. "{I cannot get out|The water is so cold}!"
$H and $F {came with a rope|threw him a rope}. "{We will pull you out|We will help you}," said $H, "if you promise {never to steal again|to work like everyone else}."
"I promise!" said the fox, and {they pulled him out|they pulled with all their strength}.
The fox {kept his word|did what he had promised}. From then on he {carried the post|guarded the hens}, and {in the evening they all ate together|everyone was surprised how good he was at it}."""),
    (["a painter", "colours", "a grey town"], """
In those days everything {in the town was grey|there was grey}: the {houses|walls} were grey, the doors were grey, and {even the flowers were grey|people wore grey coats}.
One day $H {found|was given} a small box of paint. Inside there was {red, blue and yellow|a brush and three colours}.
First $he painted {$his own door red|a yellow sun on the wall}. {The neighbours stopped and looked|People stood still and stared}.
"{What is that|What have you done}?" asked $F. "{It looks like summer|I have never seen anything like it}."
"{Red and yellow make orange|Blue and yellow make green}," said $H. "{Would you like to try|Here, take the brush}."
So $F painted {a green tree|the fence}, and {the next day the baker painted his shop|soon the teacher painted the school}.
/
{After a week|Before long} {every house had its own colour|the whole street was full of colour}, and people {began to smile|sang on their way to work}.
{The mayor|An important man} came and asked, "Who {did this|started this}?"
"I did," said $H {quietly|in a small voice}. {$He was afraid that the mayor was angry|$He did not know if that was good or bad}.
But the mayor {laughed|took off his grey hat}. "{Please paint the town hall too|Could you paint my hat as well}?" he said."""),
    (["a river", "a bridge", "working together"], """
There was a {wide|wild} river, and {on the other side grew the sweetest berries|all the friends of $H lived on the other side}.
{One spring|After a heavy rain} the old bridge {broke|was washed away}, and nobody could cross the water.
"{I will build a new bridge|We need a new bridge}," said $H. $He {carried|brought} one plank, but it {was too short|fell into the water}.
$He tried a rope, but {it was too thin|it broke}. $He tried a big stone, but {it was too heavy|it sank}.
{Tired and wet|Tired}, $H sat down {in the grass|on a log}. "{I cannot do it alone|It is too hard for me}," $he said.
/
"{Then do not do it alone|Why did you not ask us}?" said $F. "{I am good with ropes|I can carry stones}, and {the bear is strong|my cousin is strong}, and {the beaver knows everything about wood|the old carpenter knows everything about wood}."
The next day everybody {came|helped}. {Some carried stones, some cut wood, and some cooked lunch|The strong ones carried stones, and the small ones tied the knots}.
{In three days|After four days} the bridge was {ready|finished}. It was {strong and wide|better than the old one}.
$H was the first to {walk across it|cross it}, but {not alone: everyone walked with $him|$he held the hand of $F}."""),
    (["a wish", "a magic $obj", "three wishes"], """
One day $H found an old $obj $hiding. When $he {cleaned it|picked it up}, {a little blue light|a tiny voice} came out of it.
"You may have {one wish|three wishes}," said {the light|the voice}. "{Think well before you speak|Choose carefully}."
$H {was so surprised that $he could not speak|could hardly believe it}. "{I wish for a mountain of $food|I wish for a hundred bags of gold}!" $he said {quickly|without thinking}.
{Boom!|At once} the whole house was full of it, and {there was no room to move|$H could not open the door}.
"{Oh dear|This is not good}," said $H. "{I wish it would all go away|Please take it back}!" And {it was gone|the house was empty again}, {even the chairs and the bed|even the kitchen table}.
/
$H {sat down on the floor|thought for a long time}. {Then $he remembered|Just then $he heard} that $F was {ill|sick and could not walk}.
"I wish that $F {were well again|could run again}," said $H {softly|at last}.
{The light grew warm and bright|The voice laughed kindly}. "That is {the best wish of all|a good wish}," it said, and then it {was silent|went out}.
The next morning, $F {knocked at the door|came running down the street}. "{Look, I am well|Come and play}!" $fhe called."""),
    (["a computer", "a slow computer", "a $K who learns to program"], """
At school there was an old computer that {nobody used|stood in a corner}, because it was {slow|very slow}.
$H {wanted to know how it worked|liked the sound it made}. $He {read a thick book about it|asked the teacher many questions}.
"A computer does exactly what you tell it," said the teacher. "{The art is to tell it the right thing|So think before you type}."
$H wrote {a first small program|ten short lines}. It should {count the birds in the garden|print the names of all the children|draw a star}, but {it printed the same number again and again|it stopped with an error}.
"{It does not work|I will never understand this}," said $H.
"{Let us read it line by line|Which line is wrong}?" asked $F. {Together|So} they read the program slowly, and {in line seven|in the last line} they found {the bug|the mistake}.
/
{They changed one word|They moved one line}, and {suddenly|now} it worked. {The computer was even fast|It was fast, too}, because {the program no longer did the same work twice|it kept the answers that it already knew}.
{The whole class|Everyone} came to look. "{How did you do that|Can you show us}?" they asked.
"{One step at a time|We read the error message}," said $H. "{That is the whole secret|It usually tells you where to look}." """),
    (["a train", "a journey", "a long trip"], """
One {summer|winter} day, $H {got on|took} the train to visit $his {grandmother|uncle}, who lived far away in {Lisbon|Kraków|Zürich|Málaga|Paris|Oslo}.
$He had {a small bag|a suitcase} with {two shirts, a book and some $food|a warm coat and some $food}.
In the train, $H sat next to $F, {an old friend|whom $he had not seen for a long time}. "{Where are you going|What a surprise}?" said $F.
They {looked out of the window|talked and laughed} while {fields, rivers and small towns went by|the train crossed a high bridge}.
{In the middle of the night|Suddenly} the train {stopped|stood still}. {There was snow on the tracks|A cow was standing on the tracks}!
"{We may have to wait until morning|This can take a long time}," said the driver. {Some people were angry|Everyone was tired and hungry}.
/
Then $H had an idea. $He {opened $his bag|stood up} and shared the $food with {everyone|all the people in the carriage}.
$F {began to sing|told a funny story}, and soon {the whole train was singing|nobody was angry any more}.
When {the sun came up|morning came}, the track was {clear|free} and the train went on.
"{I was late, but I am not sorry|That was the best part of my journey}," said $H when $he arrived."""),
    (["a lost animal", "a kitten", "a lost puppy"], """
One {rainy|cold} evening $H heard a {soft|small} sound at the door. {It was a little kitten, wet and cold|There sat a little puppy, wet and hungry}.
"{You poor thing|Where do you come from}?" said $H. $He {dried it with a towel|took it inside} and gave it some {warm milk|water and a bit of food}.
The little animal {fell asleep by the fire|curled up in $his lap}. $H {wanted to keep it|liked it at once}.
But the next morning $F said, "{Perhaps someone is looking for it|Somebody may miss it very much}."
$H {was silent|knew that this was true}. {It was hard, but|So} together they {went from house to house|put up a sign at the market}.
/
{In the last house|At the end of the street} lived an old man who had been {crying|looking all night}. "{That is my little one|You found my friend}!" he {cried|said}, and his {eyes were shining|hands were shaking}.
$H was {sad and happy at the same time|glad, but also a little sad}.
"{Come and visit us every day|You may come and play whenever you like}," said the old man. "{A friend of my friend is my friend|My door is always open for you}."
So in the end $H had not lost {a pet|anything}. $He had found {two new friends|a new friend}."""),
    (["a music lesson", "a song", "a shy singer"], """
$H had a {beautiful|clear} voice, but $he was {so shy that $he only sang when nobody was near|afraid to sing in front of other people}.
One day $F {heard $him sing in the garden|walked past the window and heard $him}. "{That was wonderful|I did not know that you could sing}!" said $F.
$H {turned red|became very quiet}. "{Please do not tell anyone|I only sing for the trees}," $he said.
{A week later|In spring} there was a big feast, but {the singer was ill|the musicians did not come}. {Everyone was sad|The people stood there and did not know what to do}.
"{You could sing|Sing for us}, $H," whispered $F. "{I will stand next to you|Look only at me}."
/
$H {took a deep breath|closed $his eyes}. {At first|In the beginning} $his voice was {very soft|like a whisper}. {Then it grew|But then it became stronger}.
{The people stopped talking|It became so quiet that you could hear the river}. {Even the birds listened|An old woman wiped away a tear}.
When the song was over, {everybody clapped|the whole square clapped for a long time}.
"{Were you afraid|How do you feel}?" asked $F. "{Yes|Very afraid}," said $H, "but {I sang anyway|the song was bigger than my fear}." """),
    (["a king", "a princess and a riddle", "a riddle", "a queen"], """
{In the castle|Far away in a castle} lived a {wise|strict} queen. She said, "{Whoever can solve my riddle shall have a wish|Who solves my riddle may ask for anything}."
Many {knights and princes|clever people} came, but {nobody knew the answer|all of them went home again}.
$H {heard about it at the market|wanted to try, too}. "{What can you know|You are only a $K}," said the guard, but he {let $him in|opened the gate}.
"{Here is my riddle|Listen well}," said the queen. {"What has hands but cannot clap?"|"What has a face but no eyes, and runs but has no legs?"|"What goes round the house all day and stands in the hall at night, and has two hands?"}
$H {listened|thought}. {It was so quiet in the hall that one could hear: tick, tock, tick, tock|On the wall something went tick, tock}.
"{It is a clock|The answer is a clock}!" {cried|said} $H.
/
The queen {smiled for the first time in years|was delighted}. "{You listened while others only talked|That is right}," she said. "{What is your wish|What do you want}?"
{The guard thought that $H would ask for gold|$H could have asked for gold}. But $he said, "{I wish for a school in our village|I wish for a library where everyone may read}."
So {the school|it} was built {before the winter|within a year}, and {above the door hung a big clock|the queen herself came to open it}."""),
    (["a whale", "the sea", "a boat", "a fisherman"], """
One {morning|day} $H {took a small boat and rowed out to sea|went fishing in a small boat}. {The water was calm and blue|The sea was as smooth as glass}.
{But far out|After an hour} a {thick fog|grey fog} came, and $H could {no longer see the land|see nothing at all}.
"{Which way is home|Where am I}?" $he {thought|said aloud}. {Only the waves answered|There was no answer}.
Then {something big|a dark shape} came up {next to the boat|out of the water}. It was a {young whale|whale}, and it was {caught in an old net|tangled in a rope}.
$H was {afraid|a little afraid}, but the whale {looked at $him with a sad eye|lay very still}. So $he took $his knife and {cut the net|cut the rope}, {piece by piece|slowly and carefully}.
/
The whale {was free|swam in a circle}. {It blew a tall fountain into the air|It slapped the water with its tail}. Then it {pushed the boat gently|swam ahead, slowly, as if it wanted to show the way}.
{After a while|Before evening} $H heard the bell of the harbour and saw $F, who {was waiting on the pier with a lantern|was calling $his name}.
"{I was so worried|Thank goodness}!" said $F. "How did you find the way?"
"{A friend showed me|Somebody brought me home}," said $H, and {far out, a fountain rose into the air|from the sea came a deep, friendly sound}."""),
]

TITLES = ["The {Story|Adventure|Day|Secret} of $H", "$H and $F", "$H Finds a Way", "A Good Day for $H"]

REQUESTS = """Write a short story about $topic.
Tell me a story about $topic.
Tell me a short story about $topic.
Can you tell me a story about $topic?
Write a story about $topic.
Please write a short story about $topic.
I would like to hear a story about $topic.
write a story about $topic
Tell me a bedtime story about $topic, please.""".split("\n")

GENERAL_REQUESTS = """Tell me a story.
Write a short story.
Tell me a bedtime story.
Can you tell me a story?
Tell me something nice.
Please tell me a story about a $K.
Write a story about a $K named $H.
Write a short story about a $K.
Tell me a story about $H and $F.""".split("\n")


def make_cast(rng):
    """Return the variables of one story: hero, friend, place, things."""
    def person():
        kind = rng.choice(["girl", "boy", "animal"])
        if kind == "animal":
            gender = rng.choice(["f", "m"])
            return rng.choice(ANIMAL_NAMES), rng.choice(ANIMALS), gender
        if kind == "girl":
            return rng.choice(GIRLS), "girl", "f"
        return rng.choice(BOYS), "boy", "m"

    hero, friend = person(), person()
    while friend[0] == hero[0]:
        friend = person()
    she = {"he": "she", "him": "her", "his": "her", "himself": "herself"}
    v = {}
    for prefix, who in (("", hero), ("f", friend)):
        for word in she:
            form = she[word] if who[2] == "f" else word
            v[prefix + word] = form
            v[upper_first(prefix + word)] = upper_first(form)
    v["trait"], v["trait2"] = rng.sample(TRAITS, 2)
    v.update(H=hero[0], K=hero[1], F=friend[0], FK=friend[1], P=rng.choice(PLACES), hobby=rng.choice(HOBBIES),
             weather=rng.choice(WEATHER), obj=rng.choice(OBJECTS), food=rng.choice(FOODS), hiding=rng.choice(HIDING))
    return v


def make_story(rng, opening=None):
    """Return (text, request, variables) of one story."""
    cast = make_cast(rng)
    topics, plot = rng.choice(PLOTS)
    paragraphs = [[opening or rng.choice(OPENINGS), *rng.sample(CHARACTER[:4], rng.choice([1, 1, 2])), rng.choice(CHARACTER[4:5])]]
    if rng.random() < 0.5:
        paragraphs.append([])
    for line in plot.strip().split("\n"):
        if line.strip() == "/":
            paragraphs.append([])
        elif rng.random() < 0.97:
            paragraphs[-1].append(line.strip())
    if rng.random() < 0.85:
        paragraphs[-1].append(rng.choice(ENDINGS))
    glue = rng.choice(["\n\n", "\n\n", "\n", " "])
    text = glue.join(" ".join(expand(s, rng, cast) for s in p) for p in paragraphs)
    request = expand(rng.choice(REQUESTS) if rng.random() < 0.7 else rng.choice(GENERAL_REQUESTS), rng,
                     {**cast, "topic": expand(rng.choice(topics), rng, cast)})
    if "about a obj" in request:
        request = "Tell me a story."
    return text, request, cast


def story_document(rng):
    """Return one raw story, now and then with a title or with its request in front."""
    text, request, cast = make_story(rng)
    kind = rng.random()
    if kind < 0.08:
        return expand(rng.choice(TITLES), rng, cast) + "\n\n" + text
    if kind < 0.14:
        return request + rng.choice(["\n\n", "\n"]) + text
    return text
