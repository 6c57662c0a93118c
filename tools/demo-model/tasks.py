"""Turns that need no memory of facts: greeting, identity, counting, sums, lists, spelling, closed facts, small talk.
Each returns (user text, assistant text, tag)."""
from facts import Facts
from values import a_an, cap, low, num_word
from words import *


class Tasks(Facts):
    def known_name(self):
        f = self.facts.get("name")
        return f and f["value"]

    def t_greet(self):
        n = self.known_name()
        return self.pick(GREET_Q), f"Hello again, {n}!" if n else "Hello! I am Ember. How can I help you?", "greet"

    def t_identity(self):
        q, a = self.r.choices([(WHO, WHO_A), (CAN, CAN_A), (HEARTH, HEARTH_A), (SILO, SILO_A), (KV, KV_A),
                               (HOWREM, HOWREM_A), (HUMAN, HUMAN_A), (WHOMADE, WHOMADE_A), (BIG, BIG_A), (LANG, LANG_A)],
                              [8, 5, 6, 1.2, 1.2, 2, 2, 1.5, 1, 1])[0]
        return self.noise(self.pick(q)), self.pick(a), "identity"

    def t_small(self):
        q, a = self.pick(SMALL)
        return self.noise(self.pick(q)), self.pick(a), "small"

    def t_fun(self):
        q, a = self.r.choices([(JOKE_Q, JOKES), (POEM_Q, POEM_A), (STORY_Q, STORY_A)], [3, 1, 1])[0]
        return self.noise(self.pick(q)), self.pick(a), "fun"

    def t_thanks(self):
        n = self.known_name()
        return self.pick(THANKS_Q), f"You are welcome, {n}." if n else "You are welcome.", "thanks"

    def t_bye(self):
        n = self.known_name()
        return self.pick(BYE_Q), f"Goodbye, {n}!" if n else "Goodbye! It was nice to chat.", "bye"

    def t_scope(self):
        if self.r.random() < 0.35:
            q = self.pick(SCOPE_FIX)
        else:
            q = self.pick(SCOPE_V) + " " + self.pick(SCOPE_T)
            if self.r.random() < 0.2:
                q += " and " + self.pick(SCOPE_T)
            q += self.pick([".", "?", ""])
            if self.r.random() < 0.25:
                q = "Can you " + low(q)
        return self.noise(q), SCOPE_A[0], "scope"

    def t_gibber(self):
        q = " ".join(self.made_up(1, 3) for _ in range(self.r.randint(1, 3)))
        return q + self.pick(["", "?", "."]), GIBBER_A[0], "gibber"

    def t_count(self):
        r = self.r
        words = r.random() < 0.25
        f, top, longest = (num_word, 40, 14) if words else (str, 60, 22)
        kind = r.choices([self.count_up, self.count_down, self.count_by_twos, self.count_next], [55, 25, 12, 8])[0]
        q, a = kind(f, top, longest)
        return self.noise(q), a, "count"

    def count_up(self, f, top, longest):
        r = self.r
        if r.random() < 0.55:
            a, b = 1, r.randint(2, longest + 2)
        else:
            a = r.randint(0, top - 3)
            b = min(top, a + r.randint(2, longest))
        qs = [f"Count from {f(a)} to {f(b)}.", f"Please count from {f(a)} to {f(b)}.", f"Can you count from {f(a)} to {f(b)}?",
              f"Count up from {f(a)} to {f(b)}."]
        if a == 1:
            qs += [f"Count to {f(b)}.", f"Can you count to {f(b)}?", f"Please count to {f(b)}."] * 2
        return self.pick(qs), ", ".join(f(x) for x in range(a, b + 1)) + "."

    def count_down(self, f, top, longest):
        r = self.r
        a = r.choice([5, 10, 10, 20]) if r.random() < 0.5 else r.randint(3, top)
        b = 1 if (r.random() < 0.5 and a <= 22) else r.randint(max(0, a - longest), a - 2)
        b = max(b, a - longest)
        qs = [f"Count down from {f(a)} to {f(b)}.", f"Count backwards from {f(a)} to {f(b)}.", f"Please count down from {f(a)} to {f(b)}."]
        if b == 1:
            qs += [f"Count down from {f(a)}."]
        return self.pick(qs), ", ".join(f(x) for x in range(a, b - 1, -1)) + "."

    def count_by_twos(self, f, top, longest):
        a, n = self.r.choice([0, 2, 2, 2, 4, 1, 6, 10]), self.r.randint(3, 11)
        seq = [f(a + 2 * i) for i in range(n)]
        qs = [f"Count from {seq[0]} to {seq[-1]} by twos.", f"Count by twos from {seq[0]} to {seq[-1]}.",
              f"Count in twos from {seq[0]} to {seq[-1]}."]
        return self.pick(qs), ", ".join(seq) + "."

    def count_next(self, f, top, longest):
        n = self.r.randint(0, top - 1)
        if self.r.random() < 0.5:
            return f"What number comes after {f(n)}?", f"{cap(f(n + 1))} comes after {f(n)}."
        return f"What number comes before {f(n + 1)}?", f"{cap(f(n))} comes before {f(n + 1)}."

    def t_order(self):
        r, letters = self.r, [chr(65 + i) for i in range(26)]
        x = r.random()
        for share, seq, qs in ((0.2, letters, ALPHABET_Q), (0.35, DAYS, DAYS_Q), (0.5, MONTHS, MONTHS_Q)):
            if x < share:
                return self.noise(self.pick(qs)), ", ".join(seq) + ".", "order"
        seq, noun = self.pick([(letters, "letter"), (DAYS, "day"), (MONTHS, "month")])
        i = r.randrange(len(seq) - 1)
        a, b = seq[i], seq[i + 1]
        if r.random() < 0.6:
            return self.noise(f"{self.pick(['What', 'Which'])} {noun} comes after {a}?"), f"{b} comes after {a}.", "order"
        return self.noise(f"{self.pick(['What', 'Which'])} {noun} comes before {b}?"), f"{a} comes before {b}.", "order"

    def t_sum(self, op=None):
        r = self.r
        op = op or r.choices(["+", "-", "*"], [5, 4, 1])[0]
        a, b = r.randint(0, 20), r.randint(0, 20)
        if op == "+" and r.random() < 0.4:
            a, b = r.randint(0, 10), r.randint(0, 10)
        if op == "-" and a < b:
            a, b = b, a
        if op == "*":
            a, b = r.randint(0, 10), r.randint(0, 10)
        c = {"+": a + b, "-": a - b, "*": a * b}[op]
        w = {"+": "plus", "-": "minus", "*": "times"}[op]
        qs = [f"What is {a} {w} {b}?", f"What is {a} {op} {b}?", f"What is {a} {w} {b}?", f"How much is {a} {w} {b}?",
              f"{a} {op} {b} = ?", f"{a} {op} {b}?", f"Can you tell me what {a} {w} {b} is?", f"Calculate {a} {op} {b}."]
        if r.random() < 0.15:
            qs = [f"What is {a}{op}{b}?", f"{a}{op}{b}", f"{a}{op}{b}=?", f"what is {a} {w} {b}"]
        return self.noise(self.pick(qs)), f"{a} {w} {b} is {c}.", "sum"

    def rand_words(self, lo, hi):
        out = []
        for _ in range(self.r.randint(lo, hi)):
            x = self.r.random()
            if x < 0.6:
                out.append(self.from_list(WORDS, 0.1))
            elif x < 0.75:
                out.append(self.made_up())
            elif x < 0.85:
                out.append(self.number(0, 99))
            else:
                out.append(self.from_list(self.pick([COLOURS, ANIMALS, FRUITS]), 0.0))
        return out

    def t_repeat(self):
        w = " ".join(self.rand_words(1, 6))
        q = self.pick(["Repeat after me: {w}", "Repeat after me: {w}", "Repeat this: {w}", "Say this: {w}", "Please repeat: {w}",
                       "Repeat these words: {w}", "Say after me: {w}", "Please say: {w}"])
        q = self.noise(q).replace("{w}", w)
        return q + self.pick(["", "", "."]), "You said: " + w + ".", "repeat"

    def t_reverse(self):
        w = self.rand_words(2, 5)
        q = self.pick(["Reverse this list: {w}", "Reverse these words: {w}", "Say this list backwards: {w}",
                       "Reverse the list: {w}"])
        return self.noise(q).replace("{w}", ", ".join(w)) + self.pick(["", "."]), "Reversed: " + ", ".join(w[::-1]) + ".", "reverse"

    def t_spell(self):
        x = self.r.random()
        w = self.plain_word() if x < 0.1 else self.from_list(FIRST if x < 0.22 else WORDS + ANIMALS + COLOURS, 0)
        q = self.pick(["Spell the word {w}.", "Spell {w}.", "How do you spell {w}?", "Can you spell {w}?",
                       "Please spell {w}.", "Spell the word {w} letter by letter."])
        return self.noise(q).replace("{w}", w), cap(w) + " is spelled: " + "-".join(w.upper()) + ".", "spell"

    def t_fact(self):
        r = self.r
        k = r.randrange(6)
        col = "color" if self.us else "colour"
        if k == 0:
            n = self.pick(list(COLOUR_FACTS))
            return self.noise(f"What {col} is {n}?"), f"{cap(n)} is {COLOUR_FACTS[n]}.", "fact"
        if k == 1:
            n = self.pick(list(SOUNDS))
            return self.noise(self.pick([f"What sound does a {n} make?", f"What does a {n} say?", f"Which sound does a {n} make?"])), \
                f"A {n} says {SOUNDS[n]}.", "fact"
        if k == 2:
            n = self.pick(list(LEGS))
            return self.noise(f"How many legs does {a_an(n)} have?"), f"{cap(a_an(n))} has {LEGS[n]} legs.", "fact"
        if k == 3:
            n = self.pick(list(YOUNG))
            return self.noise(self.pick([f"What is a young {n} called?", f"What is a baby {n} called?"])), \
                f"A young {n} is called {a_an(YOUNG[n])}.", "fact"
        if k == 4:
            n = self.pick(list(CAPITALS))
            return self.noise(self.pick([f"What is the capital of {n}?", f"What's the capital of {n}?", f"Capital of {n}?",
                                         f"Which city is the capital of {n}?"])), f"The capital of {n} is {CAPITALS[n]}.", "fact"
        q, a = self.pick(OTHER_FACTS)
        return self.noise(self.pick(q)), a, "fact"

    def t_opposite(self):
        p = self.pick(OPPOSITES)
        return self.noise(self.pick([f"What is the opposite of {p[0]}?", f"Opposite of {p[0]}?", f"Tell me the opposite of {p[0]}.",
                                     f"What's the opposite of {p[0]}?"])), f"The opposite of {p[0]} is {p[1]}.", "opposite"

    def t_free(self):
        return self.noise(self.free_talk() + "."), self.pick(FREE_R), "small"

    def free_talk(self):
        return self.pick(FREE_A) + " " + self.pick(FREE_B) + self.pick(FREE_C)
