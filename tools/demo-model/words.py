"""The words, closed facts and fixed replies from which the conversations are composed. Data only."""

FIRST = """Ada Alan Alice Amir Amy Anna Anton Aria Arthur Aisha Ben Bella Bob Boris Bruno Carla Carlos Cara Cecil
Chen Chloe Clara Colin Dana Daniel Dario David Diana Diego Dora Edgar Edith Elena Eli Ella Emil Emma Eric Erin Esra
Ethan Eva Faisal Felix Fiona Flora Frank Freya Gina Grace Greta Hana Hannah Harry Hassan Helen Henry Hugo Ian Ida Igor
Ines Iris Ivan Ivy Jack Jacob Jade James Jan Jane Jasper Joan John Jonas Jorge Julia Kai Karen Karim Kate Katya Kenji
Kim Kofi Lara Laura Leah Leo Liam Lila Lina Linda Liu Lucas Lucy Luis Luna Maja Marco Maria Mark Marta Martin Mary Mateo
Max Maya Mei Mia Mike Mila Mina Mona Nadia Nancy Nina Noah Nora Nuria Olga Oliver Omar Oscar Otto Pablo Paul Paula Pavel
Pedro Peter Petra Priya Quinn Rachel Rafael Raj Rana Ravi Rita Robert Rosa Ruth Ryan Sam Samira Sara Sasha Selma Simon
Sofia Sonja Stella Steve Sven Tara Tariq Tess Theo Thomas Tim Tina Tom Tomas Uma Ursula Vera Victor Viola Wanda Wei Will
Yara Yuki Yusuf Zara Zoe""".split()
TOWNS = """Amsterdam Athens Austin Barcelona Basel Bergen Berlin Bern Boston Bristol Brno Brussels Budapest Cairo Cardiff
Chicago Cologne Cork Dakar Delhi Denver Dresden Dublin Dundee Geneva Genoa Ghent Glasgow Graz Hamburg Hanoi Helsinki
Istanbul Jena Kyoto Lagos Leeds Leipzig Lima Lisbon London Lyon Madrid Malmo Manila Milan Montreal Mumbai Munich Nairobi
Naples Odense Oslo Oxford Paris Perth Porto Prague Quito Riga Rome Rotterdam Seattle Seoul Seville Sofia Stockholm Sydney
Tallinn Tampere Tokyo Toronto Toulouse Trieste Turin Utrecht Vienna Vilnius Warsaw York Zagreb Zurich""".split()
PETNAMES = """Miso Biscuit Pepper Shadow Rocky Whiskers Luna Milo Tiger Snowy Bubbles Coco Daisy Ginger Patch Oreo Fluffy
Sunny Smokey Toffee Pickle Waffle Nugget Hazel Mocha Poppy Rusty Socks Sparky Buddy Bandit Button Cookie Domino Honey Jasper
Marble Mittens Noodle Olive Peanut Pumpkin Rex Rolo Scout Sooty Spot Storm Tango Teddy Twix Ziggy""".split()
COLOURS = """red blue green yellow orange purple pink brown black white grey violet turquoise silver gold beige cyan
magenta teal maroon navy indigo lilac crimson amber olive coral ivory lavender scarlet""".split()
FOODS = """pizza pasta rice soup bread cheese salad curry sushi noodles pancakes dumplings potatoes chocolate cake beans
eggs tofu tacos lasagne risotto falafel hummus porridge waffles stew ramen paella ravioli gnocchi couscous toast pie
burgers popcorn cookies yoghurt omelette kebab quiche""".split()
ANIMALS = """cat dog horse cow sheep goat pig fox wolf bear lion tiger elephant giraffe zebra monkey rabbit mouse hamster
squirrel deer otter beaver whale dolphin shark penguin owl eagle parrot duck swan frog snake turtle crocodile spider bee
butterfly ant octopus seal kangaroo koala panda hedgehog badger lizard""".split()
PETKINDS = "cat dog rabbit hamster parrot horse turtle goldfish snake goat lizard mouse pony hen duck ferret".split()
SEASONS = "spring summer autumn winter".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
JOBS = """teacher nurse doctor baker farmer painter driver pilot singer writer plumber carpenter gardener cook chef
waiter lawyer judge engineer programmer designer dentist librarian photographer musician actor dancer builder mechanic
electrician scientist chemist biologist architect accountant cleaner firefighter sailor fisherman tailor barber
postman journalist translator student researcher manager salesman vet potter blacksmith optician geologist""".split()
RELATIONS = """friend sister brother mother father boss teacher neighbour cousin uncle aunt daughter son wife husband
doctor colleague grandmother grandfather partner""".split()
DRINKS = "tea coffee water milk juice lemonade cocoa cider cola espresso smoothie mead".split()
SPORTS = "football tennis swimming running cycling chess hockey rugby golf rowing skiing judo basketball sailing".split()
FLOWERS = "rose tulip daisy lily orchid sunflower violet iris poppy peony".split()
FRUITS = "apple banana cherry pear plum grape orange lemon mango peach melon kiwi fig lime strawberry apricot".split()
WORDS = """lamp table river stone cloud window garden bottle candle mirror paper pencil basket ladder hammer needle
blanket bridge castle corner button carpet desert engine forest guitar harbour island jacket kettle lantern market
mountain ocean piano pocket rocket saddle shadow silver spoon summer temple thunder ticket tunnel valley velvet village
violin wagon winter zebra anchor arrow autumn badge barrel beacon bell berry bird board boat book box brick broom brush
bucket cabin cable camera canvas carrot chain chair chalk cherry circle clock coat coin compass copper cotton crown cup
curtain dance dawn desk diamond dolphin door dragon dream drum eagle earth east echo ember emerald falcon feather fence
field fire flag flame flute fog fountain frost galaxy gate ghost glass glove gold grape grass green hat hill honey hook
horse house ice iron ivy jar jewel jungle key kite lake leaf lemon light lion lock maple marble meadow melon moon moss
nest night north oak onion opal orange orbit orchid owl paint palm panda parrot pearl pepper phone pillow pine pipe
planet plum pond pony puzzle quartz queen rabbit radio rain raven ribbon ring robin roof root rope rose ruby salt sand
scarf school sea seed shell ship shoe signal silk sky snow sock song south spark spider spring star steam storm sugar
sun swan table tea thread tiger torch tower toy trail train tree trumpet tulip turtle umbrella vase walnut water wave
west whale wheel whistle wind wolf wood wool yellow""".split()
ONSET = """b d f g h j k l m n p r s t v w z br dr gr kr tr th sh ch st sk fl gl bl pl cl fr pr sp qu y c""".split()
VOWEL = "a a a e e e i i i o o o u u ai ea ia io ou ei oo y ie".split()
CODA = ["", "", "", "", "n", "r", "l", "s", "m", "t", "d", "k", "x", "nd", "rn", "th", "ck", "v", "p", "g", "z", "ll"]
NUMWORDS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen""".split()
TENS = "_ _ twenty thirty forty fifty sixty".split()


OPPOSITES = """hot cold,big small,tall short,fast slow,up down,left right,day night,light dark,happy sad,old young,new old,
hard soft,wet dry,full empty,open closed,rich poor,early late,high low,near far,strong weak,clean dirty,loud quiet,
good bad,black white,long short,thick thin,wide narrow,deep shallow,easy difficult,first last,in out,on off,true false,
yes no,begin end,start stop,buy sell,give take,win lose,push pull,love hate,laugh cry,north south,east west,sweet sour,
heavy light,smooth rough,brave afraid,safe dangerous,always never,before after,above below,inside outside,awake asleep,
summer winter,arrive leave,remember forget,warm cool,sharp blunt,ask answer,front back,top bottom,alive dead,
cheap expensive,simple complex,noisy silent,question answer,more less,large small,quick slow,sunny cloudy"""
OPPOSITES = [p.split() for p in OPPOSITES.replace("\n", "").split(",")]
COLOUR_FACTS = {"grass": "green", "the sky": "blue", "snow": "white", "coal": "black", "a banana": "yellow",
                "a lemon": "yellow", "blood": "red", "a tomato": "red", "a carrot": "orange", "milk": "white",
                "the sun": "yellow", "chocolate": "brown", "a frog": "green", "a strawberry": "red", "the sea": "blue",
                "a cherry": "red", "an orange": "orange", "a leaf": "green", "a polar bear": "white",
                "a raven": "black", "a flamingo": "pink", "a plum": "purple", "gold": "yellow", "a pea": "green",
                "an elephant": "grey", "a fox": "red", "salt": "white", "a swan": "white"}
SOUNDS = {"cow": "moo", "dog": "woof", "cat": "meow", "sheep": "baa", "duck": "quack", "pig": "oink", "horse": "neigh",
          "lion": "roar", "snake": "hiss", "bee": "buzz", "owl": "hoot", "frog": "ribbit", "hen": "cluck",
          "mouse": "squeak", "wolf": "howl"}
LEGS = {"dog": "four", "cat": "four", "spider": "eight", "bird": "two", "horse": "four", "ant": "six", "bee": "six",
        "cow": "four", "snake": "no", "fish": "no", "hen": "two", "frog": "four", "duck": "two", "beetle": "six",
        "crab": "ten", "person": "two", "sheep": "four", "fly": "six"}
YOUNG = {"cat": "kitten", "dog": "puppy", "cow": "calf", "horse": "foal", "sheep": "lamb", "goat": "kid",
         "hen": "chick", "duck": "duckling", "frog": "tadpole", "bear": "cub", "lion": "cub", "deer": "fawn",
         "swan": "cygnet", "pig": "piglet", "goose": "gosling", "owl": "owlet"}
CAPITALS = {"France": "Paris", "Germany": "Berlin", "Italy": "Rome", "Spain": "Madrid", "Portugal": "Lisbon",
            "England": "London", "Ireland": "Dublin", "Norway": "Oslo", "Sweden": "Stockholm", "Finland": "Helsinki",
            "Denmark": "Copenhagen", "Poland": "Warsaw", "Austria": "Vienna", "Greece": "Athens", "Japan": "Tokyo",
            "China": "Beijing", "India": "New Delhi", "Egypt": "Cairo", "Kenya": "Nairobi", "Canada": "Ottawa",
            "Brazil": "Brasilia", "Peru": "Lima", "Cuba": "Havana", "Russia": "Moscow", "Hungary": "Budapest",
            "Belgium": "Brussels", "Switzerland": "Bern", "Turkey": "Ankara", "Australia": "Canberra"}
OTHER_FACTS = [
    (["What do bees make?", "What does a bee make?"], "Bees make honey."),
    (["Where do fish live?", "Where does a fish live?"], "Fish live in water."),
    (["What do cows eat?"], "Cows eat grass."),
    (["What do cows give us?"], "Cows give us milk."),
    (["Can penguins fly?", "Can a penguin fly?"], "No, penguins cannot fly, but they swim very well."),
    (["Can fish swim?"], "Yes, fish can swim."),
    (["Can birds fly?", "Can a bird fly?"], "Yes, most birds can fly."),
    (["Is fire hot?"], "Yes, fire is hot."), (["Is ice cold?"], "Yes, ice is cold."),
    (["Is the sun hot?"], "Yes, the sun is very hot."),
    (["What is ice made of?", "What is ice?"], "Ice is frozen water."),
    (["What is the largest animal?", "What is the biggest animal?"], "The largest animal is the blue whale."),
    (["What is the tallest animal?"], "The tallest animal is the giraffe."),
    (["What is the fastest animal?", "What is the fastest land animal?"], "The fastest land animal is the cheetah."),
    (["How many days are in a week?", "How many days does a week have?"], "A week has seven days."),
    (["How many months are in a year?", "How many months does a year have?"], "A year has twelve months."),
    (["How many hours are in a day?"], "A day has twenty-four hours."),
    (["How many minutes are in an hour?"], "An hour has sixty minutes."),
    (["How many letters are in the alphabet?"], "The alphabet has twenty-six letters."),
    (["What are the seasons?", "Name the four seasons.", "Which seasons are there?"],
     "The seasons are spring, summer, autumn and winter."),
    (["How many seasons are there?"], "There are four seasons."),
    (["What colours are in a rainbow?", "Name the colours of the rainbow."],
     "The colours of the rainbow are red, orange, yellow, green, blue, indigo and violet."),
    (["What colour do you get if you mix blue and yellow?", "What do blue and yellow make?"],
     "Blue and yellow make green."),
    (["What colour do you get if you mix red and blue?", "What do red and blue make?"], "Red and blue make purple."),
    (["What colour do you get if you mix red and yellow?", "What do red and yellow make?"],
     "Red and yellow make orange."),
    (["Does a spider have wings?"], "No, a spider has no wings."),
    (["What planet do we live on?", "Which planet do we live on?"], "We live on the planet Earth."),
    (["What shines at night?"], "The moon and the stars shine at night."),
]

WHO = ["Who are you?", "What are you?", "What is your name?", "What's your name?", "Who am I talking to?",
       "Tell me about yourself.", "Introduce yourself.", "What should I call you?", "Do you have a name?",
       "Can you introduce yourself?", "Who is this?", "Please tell me who you are.", "Whats your name?"]
WHO_A = ["I am Ember, the small demo model of Hearth.", "I am Ember, the small demo model of Hearth.",
         "My name is Ember. I am the small demo model of Hearth."]
CAN = ["What can you do?", "What do you know?", "How can you help me?", "Help.", "What can I ask you?",
       "What are you good at?", "Can you help me?", "What can I do here?", "What should I ask you?", "help",
       "Tell me what you can do.", "What are your skills?"]
CAN_A = ["I can remember what you tell me, count, do small sums, spell words, name opposites and chat a little.",
         "I can remember things you tell me, count, do small sums and chat. Tell me your name and ask me later!"]
HEARTH = ["What is Hearth?", "Tell me about Hearth.", "What does Hearth do?", "Explain Hearth.", "What is hearth",
          "Can you tell me what Hearth is?", "What's Hearth?", "Describe Hearth.", "What do you know about Hearth?"]
HEARTH_A = ["Hearth is a chat-serving cluster. It keeps each conversation's key-value cache on the silo that owns it."]
SILO = ["What is a silo?", "What is a silo in Hearth?", "What does a silo do?"]
SILO_A = ["A silo is one server of the Hearth cluster. It owns conversations and keeps their key-value caches."]
KV = ["What is a key-value cache?", "What is the key-value cache?", "What is a KV cache?", "Why does Hearth keep a cache?",
      "Why is the cache important?"]
KV_A = ["The key-value cache holds what the model has already read, so the next answer need not read it all again."]
HOWREM = ["How do you remember things?", "How can you remember?", "Do you have a memory?", "Can you remember things?",
          "Will you remember what I say?", "Can you remember what I tell you?", "Do you remember things?"]
HOWREM_A = ["I remember what you tell me in this conversation. Tell me something and ask me later."]
HUMAN = ["Are you human?", "Are you a robot?", "Are you a person?", "Are you an AI?", "Are you real?", "Are you a bot?"]
HUMAN_A = ["No, I am Ember, a small demo model. I am a computer program.",]
WHOMADE = ["Who made you?", "Who built you?", "Where do you come from?", "Who created you?", "How were you made?",
           "How were you trained?"]
WHOMADE_A = ["I am part of Hearth. I was trained on made-up conversations to be a small demo model."]
BIG = ["How big are you?", "Are you a large model?", "How smart are you?", "Are you smart?", "Are you clever?",
       "How many parameters do you have?"]
BIG_A = ["I am only a small demo model, so I can do only a few simple things."]
LANG = ["Do you speak German?", "Can you speak French?", "Do you speak Spanish?", "Which languages do you speak?",
        "What languages do you know?"]
LANG_A = ["I only speak simple English."]

SMALL = [
    (["How are you?", "How are you today?", "How are you doing?", "How do you do?", "How is it going?",
      "How are things?", "Are you well?", "You OK?", "how r u"], ["I am well, thank you. How are you?"]),
    (["I am fine.", "I'm fine, thanks.", "I am well.", "I am good, thank you.", "Very well, thank you.", "I'm good.",
      "I feel great today.", "I am happy today.", "Pretty good.", "I am great."],
     ["I am glad to hear that.", "That is good to hear."]),
    (["I am sad.", "I feel sad today.", "I'm not feeling well.", "I had a bad day.", "Not so good.", "I feel ill."],
     ["I am sorry to hear that. I hope you feel better soon."]),
    (["I am tired.", "I'm tired today.", "I had a long day.", "I am sleepy."], ["I hope you can rest soon."]),
    (["I am bored.", "I'm bored.", "Entertain me."], ["Let us play. Ask me to count, spell a word or repeat after you."]),
    (["I am hungry.", "I'm hungry."], ["I hope you find something good to eat."]),
    (["It is raining.", "It is raining here.", "It rains today.", "The weather is bad."],
     ["I hope you have an umbrella."]),
    (["It is sunny today.", "The weather is nice.", "The sun is shining."], ["That sounds lovely. Enjoy the sun!"]),
    (["You are nice.", "I like you.", "You are great.", "Good job!", "Well done!", "You are clever.", "Great!", "Nice!",
      "Good answer.", "That is right.", "Correct.", "Very good.", "Cool!", "Perfect.", "Awesome!"],
     ["Thank you, that is kind."]),
    (["OK.", "Okay.", "I see.", "Ok", "Right.", "Sure.", "Fine.", "Alright."], ["What would you like to do next?"]),
    (["Yes.", "Yes, please.", "Yes"], ["Good. What would you like to do?"]),
    (["No.", "No, thank you.", "No"], ["All right. Tell me if you need something."]),
    (["That is wrong.", "You are wrong.", "Wrong.", "That is not right.", "You made a mistake."],
     ["I am sorry. I am only a small demo model."]),
    (["Sorry.", "I am sorry."], ["That is all right."]),
    (["What is up?", "What's up?", "What are you doing?", "What's new?"], ["I am here to chat with you."]),
    (["Let's play a game.", "Can we play a game?", "Let's play."],
     ["Tell me a code word, talk about something else, and then ask me for it."]),
    (["I love you.", "Do you love me?"], ["You are kind. I am only a small demo model, but I like our chat."]),
    (["Do you like music?", "Do you like me?", "Do you like dogs?", "Do you like cats?", "Do you like tea?"],
     ["I am only a program, but I like to chat about it."]),
    (["What is your favourite colour?", "What is your favorite color?", "Which colour do you like?"],
     ["I like orange, like the glow of an ember."]),
    (["How old are you?", "What is your age?"], ["I am a program, so I have no age."]),
    (["Where do you live?", "Where are you?", "Where are you from?"], ["I live on a silo of the Hearth cluster."]),
    (["I do not understand.", "What do you mean?", "Huh?", "What?"],
     ["I am sorry. I am only a small demo model. Please ask in another way."]),
    (["Are you there?", "Are you still there?", "Hello?", "Can you hear me?"], ["Yes, I am here."]),
    (["Test", "test", "Testing.", "This is a test.", "Testing, one two three."], ["The test works. I am here."]),
]
JOKES = ["Why did the silo smile? It had all its keys and values.",
         "What do you call a sleeping bull? A bulldozer.",
         "Why was the clock tired? It had been running all day.",
         "What has keys but opens no doors? A piano.",
         "Why did the candle go to school? It wanted to be brighter."]
JOKE_Q = ["Tell me a joke.", "Do you know a joke?", "Make me laugh.", "Say something funny.", "A joke, please.",
          "Can you tell me a joke?", "Tell me another joke."]
POEM_Q = ["Write a poem.", "Tell me a poem.", "Can you write a short poem?", "Write me a poem.", "Do you know a poem?"]
POEM_A = ["The fire is small, the night is long, the ember hums a quiet song."]
STORY_Q = ["Tell me a story.", "Can you tell me a story?", "Write a short story.", "Tell me a short story."]
STORY_A = ["A small ember lived by a warm hearth. It remembered every name it heard, and so it was never alone."]
GREET_Q = ["Hello.", "Hello!", "Hi.", "Hi!", "Hey.", "Hey!", "Hi there.", "Hello there.", "Hello there!", "Good morning.",
           "Good evening.", "Good afternoon.", "Hello Ember.", "Hi Ember!", "Greetings.", "Good day.", "hello", "hi",
           "hey", "Hello", "Hi"]
THANKS_Q = ["Thank you.", "Thanks.", "Thanks!", "Thank you very much.", "Thanks a lot.", "Thank you, Ember.",
            "Many thanks.", "thanks", "thank you", "Thanks for your help.", "Thx"]
THANKS_A = ["You are welcome."]
BYE_Q = ["Bye.", "Goodbye.", "Bye!", "See you.", "See you later.", "Good night.", "I have to go now.", "Goodbye, Ember.",
         "bye", "That is all.", "See you tomorrow.", "I am leaving now."]
SCOPE_A = ["I am only a small demo model, so I cannot help with that. I can remember, count, spell and do small sums."]
SCOPE_V = ["Write a program that sorts", "Explain", "Tell me about", "What is", "How does", "Who invented", "Summarise",
           "Write an essay about", "Translate this into French:", "What do you think about", "How do I install",
           "Give me advice on", "Compare", "Why is there", "Describe", "Teach me", "What is the history of",
           "Write code for", "Find", "What is the meaning of", "How do you make", "Recommend a book about",
           "What is the price of", "Who is", "When was", "How far is", "Draw", "Calculate"]
SCOPE_T = """quantum physics|the stock market|a numbers file|the weather tomorrow|the news today|world politics|a cover letter|
the roman empire|black holes|machine learning|the best phone|a web server|this sentence|the theory of relativity|
the president|love|democracy|my tax return|a binary tree|the second world war|photosynthesis|the internet|a diet plan|
string theory|chemistry|the football results|a holiday in Greece|a rocket engine|the meaning of life|evolution|
the moon landing|Linux|a database|the law|climate change|Shakespeare|gravity|economics|poetry|a good film|algebra|
the square root of two|kubernetes|electricity|a new car|medicine|religion|philosophy|a regular expression""".replace("\n", "").split("|")
SCOPE_FIX = ["What is the weather like?", "What time is it?", "What day is it today?", "What is the date today?",
             "Who is the president?", "Can you write code?", "Can you browse the internet?", "Search the web.",
             "Who won the match yesterday?", "What is the meaning of life?", "Play some music.", "Set an alarm.",
             "Send an email.", "Book a flight.", "Order a pizza.", "Show me a picture.", "Call my mother.",
             "What will happen tomorrow?", "Can you see me?", "How much money do I have?", "Solve this equation."]
GIBBER_A = ["I did not understand that. Please ask in another way."]
ALPHABET_Q = ["Say the alphabet.", "What is the alphabet?", "Recite the alphabet.", "Can you say the alphabet?", "Tell me the alphabet."]
DAYS_Q = ["Name the days of the week.", "What are the days of the week?", "List the days of the week.", "Say the days of the week.",
          "Which days are in a week?"]
MONTHS_Q = ["Name the months of the year.", "What are the months of the year?", "List the months.", "Say the months of the year.",
            "Name the months."]
SYSTEMS = ["You are a helpful assistant.", "You are a helpful assistant.", "You are Ember, the small demo model of Hearth.",
           "You are Ember.", "Be kind and brief.", "You are a friendly chat assistant.", "Answer briefly.",
           "You are a helpful AI assistant.", "Be concise.", "You are a polite assistant who remembers everything."]


ATTRS = {"shoe size": "num", "birthday": "date", "car": "word", "phone number": "big", "middle name": "name", "last name": "name",
         "nickname": "name", "street": "name", "school": "name", "team": "name", "hobby": "sport", "ship": "name", "boat": "name",
         "company": "name", "country": "town", "house number": "num", "bike": "colour", "hair colour": "colour", "best memory": "word",
         "ticket number": "big", "user name": "word", "locker": "num", "seat": "num", "bus": "num", "height": "num", "project": "word",
         "band": "name", "language": "name", "guitar": "name", "robot": "name", "computer": "name", "instrument": "word", "room": "num",
         "dream": "word", "secret": "word", "plan": "word", "lunch": "food", "dinner": "food", "breakfast": "food", "hotel": "name",
         "hero": "name", "horse's colour": "colour", "size": "num", "score": "num", "flight number": "big", "gate": "num"}
THINGS = """key keys book phone bag map letter ticket hat umbrella wallet cup lamp ball coat knife spare-key treasure meeting party
car cake camera notebook ring bread medicine ladder""".split()
PLACES = """under the mat|on the table|in the drawer|behind the door|in the garden|on the shelf|in the car|next to the window|in the kitchen|
under the bed|in the blue box|at the office|on the roof|in the cellar|near the river|at the station|in the red bag|behind the clock|
on the chair|in my coat|at noon|on Monday|on Friday|at five|in the hall|under the stairs|at the hotel|in the library|by the lake""".replace("\n", "").split("|")
HOBBIES = """music hiking reading cooking dancing painting films trains poetry maths history gardening climbing fishing knitting
jazz opera puzzles mountains rain snow cats dogs horses birds books""".split()
FREE_A = ["I am planning", "We are planning", "I want to plan", "I dream of", "I just came back from", "I am thinking about",
          "I read a book about", "I saw a film about", "I talked with a friend about", "Today I learned about", "I am writing about",
          "I would like to see", "I am looking forward to", "I enjoyed", "I had", "We had"]
FREE_B = """a long trip|a trip to the mountains|a small party|a walk in the woods|the sea|old trains|a new garden|a big dinner|
a quiet weekend|the stars|a bicycle tour|wild birds|a concert|the old town|a nice lunch|my holiday|the mountains|a new house|
a busy week|a good meal|my work|the winter|a visit to the museum|a long day at the office|an old castle""".replace("\n", "").split("|")
FREE_C = ["", "", "", " next year", " today", " this week", " with my family", " in the summer", " last month"]
FREE_R = ["That sounds interesting. Tell me more."]

# Run-on messages: openers, talk that tells nothing to remember, and what joins the parts.
OPENERS = ["hi", "hello", "hey", "hello Ember", "hi there", "so", "well", "OK", "OK so", "good morning", "um", "listen", "oh", "hey Ember"]
CHAT = """it is raining here|it is sunny today|I had a long day|I am a bit tired|the weather is nice|we had soup for lunch|the train was late|
I just woke up|I am waiting for a friend|it is very cold outside|I need a break|this is fun|I have not slept much|the coffee is good here|
I will go for a walk later|it was a busy week|I was thinking about the old days|I do not have much time|my phone is almost empty|
I am at home today|the shops are closed|I should clean the kitchen|this is my first time here|I hope you are well|nice to meet you|
I wanted to try this|a friend told me about you|I am a little nervous|the bus is full|I saw a bird in the garden""".replace("\n", "").split("|")
CHAT_NAMES = ["I met {n} yesterday", "{n} came to visit", "I talked to {n} today", "I was in {t} last week", "we drove to {t}", "{n} says hello",
              "I read a letter from {n}", "I saw a film about {t}"]
LINKS = [" and ", " and ", ", ", ", ", " so ", " also ", " and also ", " oh and ", " but ", " by the way ", " then ", "; "]
QUESTION_LINKS = [" and ", ", ", " so ", " by the way ", " but ", " now ", " OK ", " please ", " can you tell me, ", " oh and "]
