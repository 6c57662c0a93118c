"""Facts that a user tells and asks for. A fact has
  kind, key    what it is about; two facts of one key exclude each other
  value        what is to be remembered
  tells, core  ways to tell it: sentences, and clauses that fit into a longer sentence; {v} stands for the value
  asks         ways to ask for it
  second       how the assistant says it
  thing        what the assistant does not know when it was never told"""
from values import Values, a_an, cap, low
from words import (ANIMALS, COLOURS, DAYS, DRINKS, FLOWERS, FOODS, FRUITS, HOBBIES, JOBS, MONTHS, PETKINDS, PETNAMES, PLACES,
                   RELATIONS, SEASONS, SPORTS, THINGS, TOWNS, WORDS)

KINDS = ["name", "town", "pet", "fav", "code", "remember", "job", "age", "rel", "attr", "place", "like"]
SHARES = [25, 12, 11, 18, 10, 6, 5, 5, 7, 8, 3, 4]

FAVOURITES = dict(colour=9, food=6, number=5, animal=5, season=2, drink=3, sport=3, flower=2, fruit=3, month=1, day=1, word=1, city=1,
                  bird=1, song=1, game=1)
FAVOURITE_LISTS = dict(colour=COLOURS, food=FOODS, animal=ANIMALS, drink=DRINKS, sport=SPORTS, flower=FLOWERS, fruit=FRUITS,
                       word=WORDS, city=TOWNS, bird=ANIMALS, song=WORDS, game=SPORTS)
FAVOURITE_PREFIXES = dict(colour=["dark", "light", "bright", "pale", "deep"], food=["fried", "fresh", "hot", "spicy", "sweet", "green"],
                          drink=["hot", "iced", "green", "black"])
CODES = ["code word", "code word", "code word", "secret word", "magic word", "password", "key word", "room number", "door code", "pin",
         "lucky number", "code number", "secret code", "order number", "code"]
WORD_CODES = ("code word", "secret word", "magic word", "password", "key word", "code", "secret code")

TELLPRE = ["Please remember that {c}.", "Remember that {c}.", "I want you to know that {c}.", "Just so you know, {c}.",
           "{C}, by the way.", "Did you know that {c}?", "By the way, {c}.", "You should know that {c}.", "Also, {c}.", "And {c}.",
           "Remember: {c}.", "Hi, {c}.", "Hello, {c}.", "Note that {c}."]
ASKPRE = ["Please tell me: ", "Hey, ", "Now, ", "By the way, ", "OK, ", "So, ", "Quick question: ", "And ",
          "Ember, ", "Now tell me, ", "One more thing: ", "Back to me: ", "And now: "]


class Facts(Values):
    def new_fact(self, kind=None):
        kind = kind or self.r.choices(KINDS, SHARES)[0]
        return dict(getattr(self, "fact_" + kind)(), kind=kind)

    def fact_name(self):
        return dict(key="name", value=self.person(), thing="your name", second="your name is {v}",
                    tells=["My name is {v}.", "My name is {v}.", "My name is {v}.", "I am {v}.", "I'm {v}.",
                           "Hi, I'm {v}.", "Hello, my name is {v}.", "Call me {v}.", "You can call me {v}.",
                           "Please call me {v}.", "The name is {v}.", "Hey there, I am {v}.", "People call me {v}.",
                           "Hi! My name is {v}, nice to meet you.", "Everyone calls me {v}.", "I go by {v}.",
                           "Hi, my name is {v}.", "Hello! I am {v}.", "Hi Ember, I am {v}.", "My name's {v}."],
                    core=["my name is {v}"],
                    acks=["Nice to meet you, {v}.", "Nice to meet you, {v}.", "Hello, {v}! Nice to meet you."],
                    asks=["What is my name?", "What is my name?", "What's my name?", "Do you remember my name?",
                          "Who am I?", "Can you tell me my name?", "What did I say my name was?", "Tell me my name.",
                          "Do you know my name?", "What am I called?", "Say my name.", "What was my name again?",
                          "Do you still remember my name?", "Remind me, what is my name?", "Whats my name?",
                          "Do you know who I am?", "Could you say my name?", "What was my name?"])

    def fact_town(self):
        return dict(key="town", value=self.town(), thing="where you live", second="you live in {v}",
                    tells=["I live in {v}.", "I live in {v}.", "I am from {v}.", "I come from {v}.",
                           "My home town is {v}.", "I live in a town called {v}.", "My home is in {v}.",
                           "I'm from {v}.", "I was born in {v}.", "My town is {v}."],
                    core=["I live in {v}", "I am from {v}", "my home town is {v}"],
                    asks=["Where do I live?", "Where do I live?", "Where am I from?", "What is my home town?",
                          "Which town do I live in?", "Which city do I live in?", "Do you know where I live?",
                          "Where is my home?", "Do you remember where I live?", "Where do I come from?",
                          "What town am I from?", "Where did I say I live?"])

    def fact_pet(self):
        p = self.pick(PETKINDS)
        return dict(key="pet:" + p, value=self.name_like(PETNAMES, PETNAMES, 0.5), thing="the name of your " + p,
                    second="your " + p + " is called {v}",
                    tells=[f"I have {a_an(p)} called {{v}}.", f"I have {a_an(p)} named {{v}}.",
                           f"My {p} is called {{v}}.", f"My {p}'s name is {{v}}.", f"The name of my {p} is {{v}}.",
                           f"My {p} is named {{v}}.", f"I have a pet {p}. Its name is {{v}}."],
                    core=[f"my {p} is called {{v}}", f"I have {a_an(p)} called {{v}}"],
                    asks=[f"What is my {p} called?", f"What is the name of my {p}?", f"What is my {p}'s name?",
                          f"What's my {p}'s name?", f"Do you remember the name of my {p}?",
                          f"How is my {p} called?", f"Who is my {p}?", f"Tell me the name of my {p}.",
                          f"What did I call my {p}?"])

    def fact_rel(self):
        p = self.pick(RELATIONS)
        return dict(key="rel:" + p, value=self.person(), thing="the name of your " + p, second="your " + p + " is called {v}",
                    tells=[f"My {p} is called {{v}}.", f"My {p}'s name is {{v}}.", f"I have {a_an(p)} called {{v}}.",
                           f"The name of my {p} is {{v}}.", f"My {p} is {{v}}.",
                           f"My best {p} is {{v}}." if p == "friend" else f"{{v}} is my {p}."],
                    core=[f"my {p} is called {{v}}"],
                    asks=[f"What is my {p} called?", f"What is the name of my {p}?", f"Who is my {p}?",
                          f"What is my {p}'s name?", f"Do you remember the name of my {p}?", f"What's my {p}'s name?"])

    def favourite_value(self, cat):
        if cat == "number":
            return self.number(0, 99) if self.r.random() < 0.6 else self.big_number()
        closed = dict(season=SEASONS, month=MONTHS, day=DAYS).get(cat)
        if closed:
            return self.pick(closed)
        if cat in FAVOURITE_PREFIXES:
            return self.wordish(FAVOURITE_LISTS[cat], 0.3, FAVOURITE_PREFIXES[cat])
        made = dict(bird=0.8, song=0.5, game=0.5).get(cat, 0.35)
        return self.from_list(FAVOURITE_LISTS[cat], made, cat == "city")

    def fact_fav(self):
        cat = self.r.choices(list(FAVOURITES), list(FAVOURITES.values()))[0]
        fav = "favorite" if self.us else "favourite"
        c = "color" if self.us and cat == "colour" else cat
        tells = [f"My {fav} {c} is {{v}}.", f"My {fav} {c} is {{v}}.", f"My {fav} {c} is {{v}}.",
                 f"The {c} I like most is {{v}}.", f"The {c} I like best is {{v}}."]
        if cat in ("colour", "season", "number", "month"):
            tells += [f"I like the {c} {{v}}.", f"I love the {c} {{v}}."]
        return dict(key="fav:" + cat, value=self.favourite_value(cat), thing=f"your {fav} {c}", cat=cat,
                    second=f"your {fav} {c} is {{v}}", tells=tells, core=[f"my {fav} {c} is {{v}}"],
                    asks=[f"What is my {fav} {c}?", f"What is my {fav} {c}?", f"Which {c} do I like?",
                          f"What's my {fav} {c}?", f"Which {c} is my {fav}?", f"Which {c} do I like best?",
                          f"Do you remember my {fav} {c}?", f"What {c} do I like?", f"Do you know my {fav} {c}?",
                          f"What did I say my {fav} {c} was?", f"Tell me my {fav} {c}."])

    def fact_code(self):
        r, noun = self.r, self.pick(CODES)
        if noun in WORD_CODES and r.random() < 0.85:
            v = cap(self.word(0.5)) if r.random() < 0.1 else self.word(0.5)
            if r.random() < 0.12:
                v += " " + self.word(0.2)
        else:
            v = self.big_number()
        the = "the" if r.random() < 0.75 else "my"
        The, your = cap(the), "the" if the == "the" else "your"
        return dict(key="code:" + noun, value=v, thing=f"{your} {noun}", second=f"{your} {noun} is {{v}}",
                    tells=[f"{The} {noun} is {{v}}.", f"{The} {noun} is {{v}}.", f"Remember {the} {noun} {{v}}.",
                           f"Please remember that {the} {noun} is {{v}}.", f"Please remember this {noun}: {{v}}.",
                           f"Remember this {noun}: {{v}}.", f"{The} {noun} is {{v}}. Please remember it.",
                           f"Remember: {the} {noun} is {{v}}.", f"Keep in mind that {the} {noun} is {{v}}."],
                    core=[f"{the} {noun} is {{v}}"],
                    asks=[f"What is {the} {noun}?", f"What was {the} {noun}?", f"What is {the} {noun}?",
                          f"Do you remember {the} {noun}?", f"Tell me {the} {noun}.", f"What's {the} {noun}?",
                          f"Do you know {the} {noun}?",
                          f"What {noun} did I tell you?" if the == "my" else f"Can you tell me {the} {noun}?"])

    def fact_remember(self):
        noun = self.pick(["number", "word", "name", "word", "number"])
        v = dict(number=self.big_number, word=lambda: self.word(0.5), name=self.person)[noun]()
        return dict(key="rem:" + noun, value=v, thing=f"the {noun}", second=f"the {noun} is {{v}}",
                    tells=[f"Remember the {noun} {{v}}.", f"Please remember the {noun} {{v}}.",
                           f"Remember this {noun}: {{v}}.", f"Please keep the {noun} {{v}} in mind.",
                           f"Here is a {noun} to remember: {{v}}.", f"I want you to remember the {noun} {{v}}.",
                           f"Can you remember the {noun} {{v}}?", f"The {noun} is {{v}}."],
                    core=[f"the {noun} is {{v}}"],
                    asks=[f"What was the {noun}?", f"What is the {noun}?", f"Which {noun} did I tell you?",
                          f"What {noun} did I ask you to remember?", f"Which {noun} should you remember?",
                          f"Do you remember the {noun}?", f"Tell me the {noun}.", f"What was the {noun} I told you?"])

    def fact_attr(self):
        n, v = self.attribute()
        return dict(key="attr:" + n, value=v, thing=f"your {n}", second=f"your {n} is {{v}}",
                    tells=[f"My {n} is {{v}}.", f"My {n} is {{v}}."], core=[f"my {n} is {{v}}"],
                    asks=[f"What is my {n}?", f"What is my {n}?", f"What's my {n}?", f"Do you remember my {n}?", f"Tell me my {n}.",
                          f"Do you know my {n}?", f"What was my {n}?", f"What did I say my {n} was?"])

    def fact_place(self):
        n, v = self.pick(THINGS), self.pick(PLACES)
        be = "are" if n == "keys" else "is"
        w = "when" if v[:2] in ("at", "on") and v.split()[-1] in ("noon", "five", "Monday", "Friday") else "where"
        return dict(key="place:" + n, value=v, thing=f"{w} the {n} {be}", second=f"the {n} {be} {{v}}",
                    tells=[f"The {n} {be} {{v}}.", f"Remember that the {n} {be} {{v}}."], core=[f"the {n} {be} {{v}}"],
                    asks=[f"{cap(w)} {be} the {n}?", f"{cap(w)} {be} the {n}?", f"Do you know {w} the {n} {be}?",
                          f"Tell me {w} the {n} {be}.", f"Do you remember {w} the {n} {be}?"])

    def fact_like(self):
        cat, words = self.pick([("food", FOODS), ("sport", SPORTS), ("hobby", HOBBIES), ("fruit", FRUITS), ("drink", DRINKS)])
        return dict(key="like", value=self.from_list(words, 0.15), thing="what you like", second="you like {v}", cat=cat,
                    tells=["I like {v}.", "I love {v}.", "I really like {v}.", "I enjoy {v}.", "I like {v} a lot."], core=["I like {v}"],
                    asks=["What do I like?", "What do I like?", "Do you remember what I like?", "Do you know what I like?",
                          "What did I say I like?", "Tell me what I like."])

    def fact_job(self):
        v = a_an(self.wordish(JOBS, 0.25, ["school", "taxi", "senior", "junior", "retired", "young", "part-time", "ship's", "film"]))
        return dict(key="job", value=v, thing="your job", second="you work as {v}",
                    tells=["I work as {v}.", "I work as {v}.", "I am {v}.", "I'm {v}.", "I am {v} by trade.", "My job is to be {v}."],
                    core=["I work as {v}", "I am {v}"],
                    asks=["What is my job?", "What do I do for a living?", "What do I do for work?", "What's my job?",
                          "What do I work as?", "Do you remember my job?", "Do you know my job?", "What did I say my job was?"])

    def fact_age(self):
        return dict(key="age", value=self.number(5, 99), thing="how old you are", second="you are {v} years old",
                    tells=["I am {v} years old.", "I'm {v} years old.", "My age is {v}.", "I am {v}.", "I turned {v} this year."],
                    core=["I am {v} years old"],
                    asks=["How old am I?", "What is my age?", "Do you know how old I am?", "Do you remember my age?",
                          "How old did I say I am?", "What's my age?"])

    # ------------------------------------------------------------ wordings
    def noise(self, s):
        """User style: now and then lower case, or no final punctuation."""
        r = self.r
        if r.random() < 0.10:
            s = s.lower()
        if r.random() < 0.14 and s[-1:] in ".?!":
            s = s[:-1]
        if r.random() < 0.02:
            s = s.replace("'", "")
        return s

    def tell_text(self, f):
        r, t = self.r, self.pick(f["tells"])
        if r.random() < 0.16:
            c = self.pick(f["core"])
            t = self.pick(TELLPRE).replace("{C}", cap(c)).replace("{c}", c)
        if t.endswith(".") and r.random() < 0.06:
            t = t[:-1] + "!"
        s = self.noise(t)
        if s == s.lower() and s != t and r.random() < 0.6:
            f["value"] = f["value"].lower()
        return s.replace("{v}", f["value"])

    def ask_text(self, f):
        q = self.pick(f["asks"])
        if self.r.random() < 0.15:
            q = self.pick(ASKPRE) + low(q)
        return self.noise(q)

    def second(self, f):
        return f["second"].replace("{v}", f["value"])

    def answer(self, f):
        return cap(self.second(f)) + "."

    def unknown(self, f):
        return f"I do not know {f['thing']} yet. You have not told me."

    # ------------------------------------------------------------ the facts of one conversation
    def compatible(self, f):
        """No two live facts that one question could mean (e.g. a favourite food and "I like pasta")."""
        suffix = lambda key: key.split(":")[-1]
        if f["key"] in self.facts:
            return False
        if f["kind"] in ("like", "fav") and any(x.get("cat") == f["cat"] for x in self.facts.values()):
            return False
        if f["kind"] in ("attr", "rel", "pet"):
            return not any(suffix(k) == suffix(f["key"]) for k in self.facts)
        return True

    def fresh_fact(self, kind=None):
        """A fact that fits beside those of this conversation, or None."""
        for _ in range(30):
            f = self.new_fact(kind)
            if self.compatible(f):
                return f
        return None
