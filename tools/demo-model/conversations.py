#!/usr/bin/env python3
"""Whole conversations, seeded and unlimited, composed from the lists in words.py and accents.py; no outside text is used.

    python3 conversations.py --count 5 --seed 1            # print a few
    python3 conversations.py --count 3 --turns 20          # long ones
"""
import argparse
import random

from tasks import Tasks
from values import cap, join, low
from words import CHAT, CHAT_NAMES, FREE_R, LINKS, OPENERS, QUESTION_LINKS, SYSTEMS

DISTRACT = dict(t_free=2, t_greet=2, t_identity=5, t_small=5, t_fun=1.2, t_thanks=2, t_scope=3, t_gibber=0.5, t_count=6, t_order=4,
                t_sum=9, t_repeat=7, t_reverse=3, t_spell=5, t_fact=6, t_opposite=3)
DRILL = dict(t_sum=9, t_count=8, t_spell=5, t_order=1, t_reverse=1.5, t_small=1, t_identity=1, t_opposite=0.5)
RUN_ON_QUESTIONS = dict(t_sum=4, t_opposite=2, t_fact=3, t_identity=2, t_count=1)

KNOW_ASKS = ["What do you know about me?", "What have I told you?", "What do you remember?", "What did I tell you?",
             "Tell me what you know about me.", "Summarise what I told you.", "What do you remember about me?"]
PET_ASKS = ["What is my pet called?", "What is my pet's name?", "Do I have a pet?", "What's my pet's name?", "What pet do I have?",
            "What is the name of my pet?"]
CORRECTIONS = ["Actually, {c}.", "Actually, {c}.", "Actually {c}.", "Sorry, {c}.", "No, {c}.", "Correction: {c}.", "I was wrong: {c}.",
               "Let me correct that: {c}.", "Wait, {c}.", "I made a mistake. {C}.", "I have changed my mind, {c}.",
               "Sorry, I meant {c}.", "Now {c}.", "Please change that: {c}.", "{C}, not {old}.", "Sorry, {c}, not {old}."]


class Conversations(Tasks):
    def begin(self, accent=None):
        r = self.r
        self.us = r.random() < 0.35
        self.accent = r.choices([0.0, 0.2, 0.7], [45, 35, 20])[0] if accent is None else accent
        self.facts, self.out, self.users = {}, [], []
        self.far = False

    def say(self, q, a, tag):
        self.out += [("user", q, tag), ("assistant", a, tag)]
        self.users.append(q)

    # ------------------------------------------------------------ turns about memory
    def distract(self):
        while True:
            q, a, tag = getattr(self, self.r.choices(list(DISTRACT), list(DISTRACT.values()))[0])()
            if len(q) + len(a) < 220:
                return q, a, tag

    def keep(self, f):
        self.facts[f["key"]] = f

    def tell(self):
        r = self.r
        f = self.fresh_fact("name" if (not self.facts and r.random() < 0.35) else None)
        if f is None:
            return self.distract()
        self.keep(f)
        x = r.random()
        if x < 0.14:
            g = self.fresh_fact()
            if g is not None:
                return self.tell_several(f, g)
        q = self.tell_text(f)
        if r.random() < 0.08:
            q = self.pick(["Hello! ", "Hi. ", "OK. ", "Listen: ", "Let me tell you something. ", "Good morning. "]) + q
        if x > 0.95:
            return q.rstrip(".?!") + ". " + self.pick(f["asks"]), self.answer(f), "recall"
        if "acks" in f and r.random() < 0.85:
            return q, self.pick(f["acks"]).replace("{v}", f["value"]), "tell"
        a = r.choices(["I will remember that {s}.", "Thank you, I will remember that.", "Got it: {s}.", "OK. I will remember it."],
                      [5, 3, 1, 1])[0].replace("{s}", self.second(f))
        return q, a, "tell"

    def tell_several(self, f, g):
        """Two or three facts in one tidy message."""
        r = self.r
        self.keep(g)
        told = [f, g]
        h = self.fresh_fact() if r.random() < 0.25 else None
        if h is not None:
            self.keep(h)
            told.append(h)
        cs = [self.pick(x["core"]).replace("{v}", x["value"]) for x in told]
        q = cap(join(cs)) + "." if r.random() < 0.6 else " ".join(cap(c) + "." for c in cs)
        if f["key"] == "name" and r.random() < 0.3:
            q = self.pick(["Hi, ", "Hello, ", "Hello! "]) + (q if r.random() < 0.5 else low(q))
        if r.random() < 0.1:
            q = q[:-1]
        return q, f"I will remember that {join([self.second(x) for x in told])}.", "tell"

    def clause(self, f):
        """The fact as a clause that fits into a longer sentence."""
        plain = [low(t[:-1]) for t in f["tells"] if t.endswith(".") and not set(t[:-1]) & set(".,:?!") and not t.startswith("{v}")]
        return self.pick(f["core"] if self.r.random() < 0.4 else plain)

    def chat(self):
        x = self.r.random()
        if x < 0.6:
            return self.pick(CHAT)
        if x < 0.8:
            return self.free_talk()
        return self.pick(CHAT_NAMES).replace("{n}", self.person()).replace("{t}", self.town())

    def run_on(self, facts=None):
        """Facts, talk and a question in one breath, often without punctuation or capitals. Talk is not answered
        when there is a fact or a question to answer."""
        r = self.r
        lower, bare = r.random() < 0.45, r.random() < 0.5
        if facts is None:
            facts = []
            for _ in range(r.choices([0, 1, 2, 3, 4], [20 if self.facts else 0, 34, 28, 13, 5])[0]):
                f = self.fresh_fact("name" if not self.facts and r.random() < 0.4 else None)
                if f is not None:
                    self.keep(f)
                    facts.append(f)
        parts = []
        for f in facts:
            c = self.clause(f)
            if lower:
                c = c.lower()
                f["value"] = f["value"].lower() if r.random() < 0.7 else f["value"]
            parts.append(c.replace("{v}", f["value"]))
        for _ in range(r.choices([0, 1, 2], [35, 50, 15] if parts else [0, 70, 30])[0]):
            c = self.chat()
            parts.insert(r.randint(0, len(parts)), c.lower() if lower else c)
        question, answer, tag = self.run_on_question(facts)
        if question:
            question = low(question.rstrip("?. ") if bare else question)
            question = question.lower() if lower and tag != "recall" else question
        if not facts and not question:
            answer = FREE_R[0]
        ack = ""
        if facts:
            name_only = len(facts) == 1 and facts[0]["kind"] == "name"
            ack = f"Nice to meet you, {facts[0]['value']}." if name_only else f"I will remember that {join([self.second(f) for f in facts])}."
        return self.in_one_breath(parts, question, lower, bare), (ack + " " + answer).strip(), tag or ("tell" if facts else "small")

    def run_on_question(self, told):
        r = self.r
        before = [f for f in self.facts.values() if all(f is not t for t in told)]
        x = r.random()
        if x < (0.3 if told else 0.6) and before:
            f = self.asked(before)
            return self.ask_text(f), self.answer(f), "recall"
        if x > 0.9:
            f = self.fresh_fact()
            if f is not None:
                return self.ask_text(f), self.unknown(f), "unknown"
        if x > 0.68:
            return getattr(self, r.choices(list(RUN_ON_QUESTIONS), list(RUN_ON_QUESTIONS.values()))[0])()
        if x > 0.64:
            return "How are you?", "I am well, thank you. How are you?", "small"
        return "", "", ""

    def in_one_breath(self, parts, question, lower, bare):
        r = self.r
        link = lambda links: self.pick([x for x in links if not set(x) & set(",;")] + [" "] * 4 if bare else links)
        s = ""
        if r.random() < 0.45:
            opener = self.pick(OPENERS)
            s = (opener.lower() if lower else cap(opener)) + (" " if bare else self.pick([", ", " ", "! "]))
        for i, p in enumerate(parts):
            if i:
                s += link(LINKS)
            s += p
        if question:
            s += link(QUESTION_LINKS) + question
        elif not bare and r.random() < 0.7:
            s += "."
        return s if lower else cap(s)

    def asked(self, facts):
        """One of the facts; for long conversations mostly one not mentioned for long."""
        if not self.far:
            return self.pick(facts)
        turns = [(q[1] + a[1]).lower() for q, a in zip(self.out[-1::-2], self.out[-2::-2]) if q[0] == "assistant"]
        age = [next((i for i, t in enumerate(turns) if f["value"].lower() in t), len(turns)) + 1 for f in facts]
        return self.r.choices(facts, [x ** 1.5 for x in age])[0]

    def ask(self):
        r = self.r
        facts = list(self.facts.values())
        f = self.asked(facts)
        x = r.random()
        if x < 0.06:
            q, a = self.ask_yes_no(f)
            if q:
                return q, a, "recall"
        if x < 0.12 and len(facts) >= 2:
            g = self.pick([g for g in facts if g is not f])
            q = self.pick(f["asks"][:2]).rstrip("?.") + " and " + low(self.pick(g["asks"][:2]))
            return self.noise(q), self.answer(f)[:-1] + " and " + self.second(g) + ".", "recall"
        if x < 0.19 and len(facts) <= 5:
            return self.noise(self.pick(KNOW_ASKS)), "You told me that " + join([self.second(f) for f in facts]) + ".", "recall"
        if f["kind"] in ("pet", "rel") and x < 0.32:
            if x < 0.25:
                return self.noise("Who is {v}?").replace("{v}", f["value"]), f"{f['value']} is your {f['key'].split(':')[1]}.", "recall"
            if f["kind"] == "pet" and sum(k.startswith("pet:") for k in self.facts) == 1:
                return self.noise(self.pick(PET_ASKS)), self.answer(f), "recall"
        return self.ask_text(f), self.answer(f), "recall"

    def ask_yes_no(self, f):
        v = f["value"]
        if self.r.random() < 0.5:
            for _ in range(20):
                g = self.new_fact(f["kind"])
                if g["value"] != v and g["key"] == f["key"]:
                    v = g["value"]
                    break
        s = f["second"].replace("{v}", v)
        if s.startswith("you live in "):
            q = f"Do I live in {v}?"
        elif s.startswith(("your ", "the ")) and " is " in s:
            head, tail = s.split(" is ", 1)
            q = f"Is {head.replace('your ', 'my ', 1)} {tail}?"
        else:
            return None, None
        return q, ("Yes, " if v == f["value"] else "No, ") + self.second(f) + "."

    def ask_unknown(self):
        if not self.facts and self.r.random() < 0.12:
            q = self.pick(["What do you know about me?", "What have I told you?", "What do you remember about me?"])
            return self.noise(q), "You have not told me anything about you yet.", "unknown"
        f = self.fresh_fact()
        if f is None:
            return self.distract()
        return self.ask_text(f), self.unknown(f), "unknown"

    def correct(self):
        """A new value for a known fact."""
        f = self.pick(list(self.facts.values()))
        for _ in range(120):
            g = self.new_fact(f["kind"])
            if g["key"] == f["key"] and g["value"] != f["value"]:
                break
        else:
            return self.distract()
        old, f = f["value"], dict(f, value=g["value"])
        self.keep(f)
        c = self.pick(f["core"])
        t = self.noise(self.pick(CORRECTIONS)).replace("{C}", cap(c)).replace("{c}", c)
        return t.replace("{v}", f["value"]).replace("{old}", old), f"Thank you for the correction. {self.answer(f)}", "correct"

    def quote(self):
        """The previous or the first message of the user."""
        last, first = self.users[-1], self.users[0]
        if len(last) <= 70 and self.r.random() < 0.6:
            q = self.pick(["What did I just say?", "What was my last message?", "Repeat my last message.", "What did I say before this?"])
            return self.noise(q), f"You said: {last}", "lastsaid"
        if len(first) <= 70:
            q = self.pick(["What was the first thing I said?", "What was my first message?", "What did I say first?",
                           "How did this conversation start?"])
            return self.noise(q), f"You first said: {first}", "lastsaid"
        return self.t_small()

    # ------------------------------------------------------------ whole conversations
    def conversation(self, level=1.0):
        """1 to 12 turns. level 0: short, almost only memory; level 1: the full mix."""
        r = self.r
        self.begin()
        if r.random() < 0.18 * level + 0.02:
            self.out.append(("system", self.pick(SYSTEMS), "system"))
        turns = r.randint(2, 3 + int(9 * level)) if level < 0.3 or r.random() < 0.88 else 1
        talk = (0.25 + 2.9 * level * r.random()) * (6 if r.random() < 0.12 * level else 1)
        for i in range(turns):
            n = len(self.facts)
            weights = [(self.tell, 3.0 if n == 0 else 1.2 if n < 3 else 0.5 if n < 6 else 0.05), (self.ask, 2.4 if n else 0),
                       (self.ask_unknown, 0.4), (self.correct, 0.35 if n else 0),
                       (self.distract, talk + (0.5 * level if i == 0 else 0)), (self.quote, 0.12 * level if i else 0),
                       (self.run_on, 1.0 if n == 0 else 0.6 if n < 6 else 0.1)]
            if i == 0 and r.random() < 0.12 * level:
                turn = self.t_greet
            elif i == turns - 1 and turns > 3 and r.random() < 0.12:
                turn = self.t_bye
            else:
                turn = self.choose(weights)
            self.say(*turn())
        return self.out

    def choose(self, weights):
        return self.r.choices([w[0] for w in weights], [w[1] for w in weights])[0]

    def long_conversation(self, turns):
        """Facts early, other talk, then questions, mostly about what was not mentioned for long or never told."""
        r = self.r
        self.begin()
        if r.random() < 0.2:
            self.out.append(("system", self.pick(SYSTEMS), "system"))
        talk = r.choice([0.3, 0.8, 1.5, 3.0])
        early = turns * r.choice([0.15, 0.3, 0.5])
        most = r.choice([1, 3, 5, 8])
        for i in range(turns):
            n, start = len(self.facts), i < early
            tell = 3.0 if n == 0 else 1.5 if start and n < most else 0.25 if n < most + 4 else 0
            weights = [(self.tell, tell), (self.run_on, 0.5 * tell + (0.15 if not start else 0)),
                       (self.ask, 0 if n == 0 else 0.2 if start else 1.5), (self.ask_unknown, 0.15 if start else 0.6),
                       (self.correct, 0.12 if n else 0), (self.distract, talk), (self.quote, 0.03 if i else 0)]
            self.far = r.random() < 0.8
            turn = self.t_greet if i == 0 and r.random() < 0.15 else self.choose(weights)
            self.say(*turn())
        return self.out

    def drill(self):
        """A short run of the tasks that take the most practice."""
        self.begin()
        for _ in range(self.r.randint(1, 5)):
            self.say(*getattr(self, self.r.choices(list(DRILL), list(DRILL.values()))[0])())
        return self.out


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--count", type=int, default=5)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--level", type=float, default=1.0)
    p.add_argument("--turns", type=int, help="long conversations of this many turns")
    p.add_argument("--split", default="train")
    o = p.parse_args()
    g = Conversations(random.Random(o.seed), o.split)
    for _ in range(o.count):
        for role, text, tag in g.long_conversation(o.turns) if o.turns else g.conversation(o.level):
            print(f"{role:>9}: {text}   [{tag}]")
        print("-" * 60)


if __name__ == "__main__":
    main()
