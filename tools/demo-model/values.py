"""The values that a user may tell (names, towns, words, numbers) and which split each one belongs to."""
import hashlib

import accents
from words import (ATTRS, COLOURS, CODA, FIRST, FOODS, HOBBIES, MONTHS, NUMWORDS, ONSET, SPORTS, TENS, TOWNS, VOWEL, WORDS)


def split_of(value):
    """train, dev or test. One value in eight has never been trained on, by this model or the one it goes on from;
    half of those serve choices (dev), half only the final scores (test)."""
    digest = hashlib.md5(("hearth-demo:" + value.lower()).encode()).digest()
    if digest[0] % 8:
        return "train"
    return "dev" if digest[1] % 2 else "test"


def num_word(n):
    if n < 20:
        return NUMWORDS[n]
    return TENS[n // 10] + ("-" + NUMWORDS[n % 10] if n % 10 else "")


def a_an(noun):
    return ("an " if noun[:1].lower() in "aeiou" else "a ") + noun


def cap(s):
    return s[:1].upper() + s[1:]


def low(s):
    """Lower the first letter, unless the sentence starts with a name or with 'I'."""
    if s.startswith(("I ", "I'", "Ember", "Hearth")):
        return s
    return s[:1].lower() + s[1:]


def join(xs):
    return xs[0] if len(xs) == 1 else ", ".join(xs[:-1]) + " and " + xs[-1]


class Values:
    """Every choice comes from rng; every open value is of the given split. accent is the share of names and words
    with letters beyond ASCII, set anew for each conversation."""

    def __init__(self, rng, split="train"):
        self.r = rng
        self.split = split
        self.accent = 0.0
        self.us = False

    def ok(self, v):
        return split_of(v) == self.split

    def pick(self, seq):
        return seq[int(self.r.random() * len(seq))]

    def syllables(self, n, onsets, vowels):
        out = []
        for i in range(n):
            out.append(onsets() if (i or self.r.random() < 0.85) else "")
            out.append(vowels())
            if i == n - 1 or self.r.random() < 0.3:
                out.append(self.pick(CODA))
        return "".join(out)

    def plain_word(self, lo=2, hi=3):
        while True:
            w = self.syllables(self.r.randint(lo, hi), lambda: self.pick(ONSET), lambda: self.pick(VOWEL))
            if 3 <= len(w) <= 11 and self.ok(w):
                return w

    def accented_word(self, lo=2, hi=3):
        while True:
            vowels, consonants = self.pick(accents.PALETTES)
            share = self.pick([0.25, 0.4, 0.6])
            def letter(special, plain):
                return self.pick(special) if special and self.r.random() < share else self.pick(plain)
            w = self.syllables(self.r.randint(lo, hi), lambda: letter(consonants, ONSET), lambda: letter(vowels, VOWEL))
            if 2 <= len(w) <= 10 and not w.isascii() and w[0] != "ı" and self.ok(w):
                return w

    def made_up(self, lo=2, hi=3):
        return self.accented_word(lo, hi) if self.r.random() < self.accent else self.plain_word(lo, hi)

    def from_list(self, seq, made=0.3, capital=False):
        if self.r.random() >= made:
            for _ in range(40):
                v = self.pick(seq)
                if self.ok(v):
                    return v
        w = self.made_up()
        return cap(w) if capital else w

    def name_like(self, plain, accented, made):
        """A capitalised value, plain or accented."""
        if self.r.random() < self.accent:
            if self.r.random() < 0.35:
                for _ in range(40):
                    v = self.pick(accented)
                    if self.ok(v):
                        return v
            return cap(self.accented_word())
        for _ in range(40):
            v = self.pick(plain) if self.r.random() >= made else cap(self.plain_word())
            if self.ok(v):
                return v
        return cap(self.plain_word())

    def first_name(self, made=0.6):
        return self.name_like(FIRST, accents.FIRST, made)

    def person(self):
        r, v = self.r, self.first_name()
        x = r.random()
        if x < 0.12:
            v += " " + (self.name_like(FIRST, accents.LAST, 0.2) if r.random() < 0.3 else cap(self.made_up()))
        elif x < 0.15:
            v += "-" + self.first_name()
        elif x < 0.165:
            v = self.pick(["O'", "D'", "Mc", "van ", "de "]) + cap(self.made_up())
        return v

    def town(self):
        if self.r.random() < 0.12:
            return self.pick(["New", "San", "Port", "North", "East", "Fort", "Old", "Lake", "Mount", "Saint", "Los", "Bad"]) + \
                " " + cap(self.made_up())
        return self.name_like(TOWNS, accents.TOWNS, 0.55)

    def word(self, made):
        """A word to remember, such as a code word."""
        if self.r.random() < self.accent * 0.5:
            return self.from_list(accents.WORDS, 0.6)
        return self.from_list(WORDS, made)

    def wordish(self, seq, made, pre):
        """A value from a list; now and then two words."""
        v = self.from_list(seq, made)
        if self.r.random() < 0.13:
            v = self.pick(pre) + " " + v
        return v

    def number(self, lo, hi):
        for _ in range(400):
            v = str(self.r.randint(lo, hi))
            if self.ok(v):
                return v
        raise ValueError(f"no {self.split} number from {lo} to {hi}")

    def big_number(self):
        n = self.r.choice([1, 2, 2, 3, 3, 4, 4, 5, 6])
        while True:
            v = "".join(self.pick("0123456789") for _ in range(n))
            if v[0] != "0" and (n == 1 or self.ok(v)):
                return v

    def attribute(self):
        """A noun for "My <noun> is <value>" and a value that suits it."""
        r = self.r
        noun = self.pick(list(ATTRS)) if r.random() < 0.8 else self.made_up()
        kind = ATTRS.get(noun) or self.pick(["word", "name", "num"])
        if kind == "date":
            return noun, f"{r.randint(1, 28)} {self.pick(MONTHS)}" if r.random() < 0.5 else f"in {self.pick(MONTHS)}"
        return noun, {"num": lambda: self.number(1, 99), "big": self.big_number, "name": lambda: cap(self.made_up()), "town": self.town,
                      "word": lambda: self.word(0.4), "sport": lambda: self.from_list(SPORTS + HOBBIES, 0.3),
                      "colour": lambda: self.from_list(COLOURS, 0.2), "food": lambda: self.from_list(FOODS, 0.3)}[kind]()
