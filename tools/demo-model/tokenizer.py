#!/usr/bin/env python3
"""Byte-level BPE: encoder and decoder, trainer, and writer of the Hugging Face tokenizer files. Two digits are never merged,
so that a number is always spelled digit by digit.

    python3 tokenizer.py --out ../../artifacts/tokenizer --vocab 768 --conversations 12000 --seed 7
"""
import argparse
import collections
import json
import os
import random

import regex

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
EOT, IM_START, IM_END = 0, 1, 2
WORD = regex.compile(r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""")
SPECIAL = regex.compile("(" + "|".join(regex.escape(s) for s in SPECIALS) + ")")
DIGITS = set("0123456789")
CHAT_TEMPLATE = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + "
                 "'<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")


def byte_chars():
    """GPT-2's table: byte -> printable character."""
    table = {b: chr(b) for b in [*range(33, 127), *range(161, 173), *range(174, 256)]}
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + len(table) - 188)
    return table


BYTE_TO_CHAR = byte_chars()
CHAR_TO_BYTE = {c: b for b, c in BYTE_TO_CHAR.items()}


def symbols(word):
    return [BYTE_TO_CHAR[b] for b in word.encode("utf-8")]


def merge(parts, pair):
    """Every occurrence of the pair made one symbol, from left to right."""
    out, i = [], 0
    while i < len(parts):
        both = i + 1 < len(parts) and (parts[i], parts[i + 1]) == pair
        out.append(parts[i] + parts[i + 1] if both else parts[i])
        i += 2 if both else 1
    return out


class Tokenizer:
    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            bpe = json.load(f)["model"]
        self.vocab = bpe["vocab"]
        self.ranks = {tuple(m.split(" ")): i for i, m in enumerate(bpe["merges"])}
        self.inv = {i: t for t, i in self.vocab.items()}
        self.cache = {}

    def word(self, w):
        ids = self.cache.get(w)
        if ids is None:
            parts = symbols(w)
            while len(parts) > 1:
                pair = min(zip(parts, parts[1:]), key=lambda x: self.ranks.get(x, len(self.ranks)))
                if pair not in self.ranks:
                    break
                parts = merge(parts, pair)
            ids = [self.vocab[p] for p in parts]
            if len(self.cache) < 200_000:
                self.cache[w] = ids
        return ids

    def encode_plain(self, text):
        """Text without special tokens."""
        return [i for w in WORD.findall(text) for i in self.word(w)]

    def encode(self, text):
        out = []
        for part in SPECIAL.split(text):
            out += [SPECIALS.index(part)] if part in SPECIALS else self.encode_plain(part)
        return out

    def decode(self, ids, skip_special=True):
        out = bytearray()
        for i in ids:
            if i >= len(SPECIALS):
                out += bytes(CHAR_TO_BYTE[c] for c in self.inv[i])
            elif not skip_special:
                out += SPECIALS[i].encode()
        return out.decode("utf-8", "replace")


def render(messages, generation_prompt=False):
    """The chat template."""
    s = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
    return s + ("<|im_start|>assistant\n" if generation_prompt else "")


def train(counts, vocab_size):
    """The merges for the words and their counts, most frequent pair first."""
    words = [(symbols(w), n) for w, n in counts.items()]
    pairs, where = collections.Counter(), collections.defaultdict(set)

    def note(k, sign):
        parts, n = words[k]
        for pair in zip(parts, parts[1:]):
            pairs[pair] += sign * n
            (where[pair].add if sign > 0 else where[pair].discard)(k)

    for k in range(len(words)):
        note(k, 1)
    merges = []
    while len(SPECIALS) + 256 + len(merges) < vocab_size:
        n, pair = max(((n, p) for p, n in pairs.items() if not (p[0][-1] in DIGITS and p[1][0] in DIGITS)), default=(0, None))
        if n < 2:
            break
        merges.append(pair)
        for k in list(where[pair]):
            note(k, -1)
            words[k] = merge(words[k][0], pair), words[k][1]
            note(k, 1)
    return merges


def save(folder, merges):
    tokens = SPECIALS + list(BYTE_TO_CHAR[b] for b in range(256)) + [a + b for a, b in merges]
    added = [dict(id=i, content=s, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
             for i, s in enumerate(SPECIALS)]
    byte_level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
    bpe = dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=None, end_of_word_suffix=None, fuse_unk=False,
               byte_fallback=False, vocab={t: i for i, t in enumerate(tokens)}, merges=[f"{a} {b}" for a, b in merges])
    marks = dict(bos_token=SPECIALS[EOT], eos_token=SPECIALS[IM_END], pad_token=SPECIALS[EOT], unk_token=SPECIALS[EOT],
                 additional_special_tokens=[SPECIALS[IM_START], SPECIALS[IM_END]])
    files = {
        "tokenizer.json": dict(version="1.0", truncation=None, padding=None, added_tokens=added, normalizer=None,
                               pre_tokenizer=byte_level, post_processor=None, decoder=byte_level, model=bpe),
        "tokenizer_config.json": dict(
            added_tokens_decoder={str(a["id"]): {k: v for k, v in a.items() if k != "id"} for a in added}, add_prefix_space=False,
            add_bos_token=False, **marks, chat_template=CHAT_TEMPLATE, clean_up_tokenization_spaces=False, model_max_length=4096,
            tokenizer_class="PreTrainedTokenizerFast"),
        "special_tokens_map.json": marks,
    }
    os.makedirs(folder, exist_ok=True)
    for name, content in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            json.dump(content, f, indent=1, ensure_ascii=False)
            f.write("\n")


def main():
    from conversations import Conversations
    p = argparse.ArgumentParser()
    p.add_argument("--out", default="../../artifacts/tokenizer")
    p.add_argument("--vocab", type=int, default=768)
    p.add_argument("--conversations", type=int, default=12000)
    p.add_argument("--seed", type=int, default=7)
    o = p.parse_args()
    g = Conversations(random.Random(o.seed))
    counts = collections.Counter()
    for _ in range(o.conversations):
        for role, text, _ in g.conversation():
            counts.update(WORD.findall(role + "\n") + WORD.findall(text))
    save(o.out, train(counts, o.vocab))
    tok = Tokenizer(os.path.join(o.out, "tokenizer.json"))
    ids = chars = 0
    for _ in range(300):
        text = render([dict(role=role, content=content) for role, content, _ in g.conversation()])
        assert tok.decode(tok.encode(text), False) == text
        ids, chars = ids + len(tok.encode(text)), chars + len(text)
    print(f"{len(tok.vocab)} tokens, {chars / ids:.2f} characters per token, {ids / 300:.0f} tokens per conversation")


if __name__ == "__main__":
    main()
