#!/usr/bin/env python3
"""Scores the saved model by greedy decoding in plain float32, writes sample conversations and golden outputs.

    python3 evaluate.py --split dev --each 50              # while working
    python3 evaluate.py --split test --each 150 --scores scores.json
    python3 evaluate.py --each 0 --samples samples.md --golden ../../models/demo/golden.json
"""
import os
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
import argparse
import ctypes
import json
import multiprocessing as mp
import random
import re
import time

import torch

import folder
import probes
import reference
from conversations import Conversations
from tokenizer import IM_END, Tokenizer, render

W = TOK = None
LIMIT = 160


def measure(turns):
    return len(TOK.encode(render(messages(turns))))


TASKS = {f"recall after {n} turns": probes.recall(n) for n in (1, 3, 5, 10, 20)}
TASKS.update({f"recall after {n} turns, accented": probes.recall(n, accented=True) for n in (5, 10)})
TASKS.update({f"recall after {n} turns, told in a run-on message": probes.recall(n, run_on=True) for n in (5, 10)})
TASKS.update({
    "recall after 600 tokens": probes.recall_after_tokens(600, measure),
    "recall after 1000 tokens": probes.recall_after_tokens(1000, measure),
    "recall after 1000 tokens, accented": probes.recall_after_tokens(1000, measure, accented=True),
    "recall after 1000 tokens, told in a run-on message": probes.recall_after_tokens(1000, measure, run_on=True),
    "recall after 1400 tokens": probes.recall_after_tokens(1400, measure),
    "correction, asked 3 turns later": probes.corrected(3),
    "never told, first turn": probes.unknown(0),
    "never told, after 10 turns": probes.unknown(10),
    "never told, after 25 turns": probes.unknown(25),
    "reply to a run-on message": probes.run_on_reply(2),
    "greeting": probes.task("t_greet"),
    "who are you, what is Hearth": probes.task("t_identity", 1),
    "small talk": probes.task("t_small", 1),
    "sums": probes.task("t_sum", 2),
    "counting": probes.task("t_count", 2),
    "alphabet, days, months": probes.task("t_order", 2),
    "repeat": probes.task("t_repeat", 2),
    "reverse a list": probes.task("t_reverse", 2),
    "spell a word": probes.task("t_spell", 2),
    "facts": probes.task("t_fact", 2),
    "opposites": probes.task("t_opposite", 2),
    "out of scope": probes.task("t_scope", 2),
})

MEMORY = ("recall", "correction", "never", "reply to a run-on")

SCRIPTS = [
    ["Hello! My name is Ada.", "What is my name?", "My favourite colour is teal.", "What is 7 plus 5?", "Which colour do I like?",
     "Count from 1 to 10.", "What is my name?", "Thank you!", "Bye."],
    ["Hi", "Who are you?", "What is Hearth?", "What can you do?", "Tell me a joke."],
    ["My name is Sam and I live in Oslo.", "I have a dog called Biscuit.", "The code word is lantern.", "Where do I live?",
     "What is my dog called?", "What was the code word?", "What do you know about me?"],
    ["What is my name?", "My name is Quorvin.", "What's my name?", "Actually, my name is Zelmira.", "What is my name?", "Who am I?"],
    ["Hi, I am Bjørn.", "My sister is called Zoë and my boss is called Łukasz.", "What is 9 minus 4?", "Tell me a joke.",
     "What is my sister called?", "Who is my boss?", "What is my name?"],
    ["hey im Nguyễn and i live in Malmö it was a long day what is 3 plus 4", "so my cat is called Çelik by the way where do I live",
     "what is my cat called and what is my name", "do you know my job"],
    ["Hello, I am Jorrik. I am planning a long trip next year.", "I would like to see the mountains.", "What is my name?",
     "Reverse this list: lamp, river, stone", "Say the alphabet.", "Where do I live?"],
    ["Please remember the number 48213.", "Spell the word garden.", "What is the opposite of hot?", "How are you?",
     "Repeat after me: silver rocket seven", "Count from 5 to 12.", "What does a cow say?", "What is the capital of France?",
     "12 - 5", "Name the days of the week.", "I am a bit tired.", "What was the number?"],
    ["I am a teacher.", "I am 34 years old.", "My sister is called Velda.", "My favorite food is sushi.", "How old am I?",
     "What is my job?", "What is my sister called?", "What is my favorite food?", "What did I just say?"],
    ["Can you explain quantum physics?", "What is the weather like?", "What is my favourite number?", "What is 3 times 4?", "Goodbye"],
]
GOLDEN = [
    ["Hello! My name is Ada."],
    ["My name is Quorvin.", "Nice to meet you, Quorvin.", "What is 7 plus 5?", "7 plus 5 is 12.", "What is my name?"],
    [dict(role="system", content="You are a helpful assistant."), "Count from 1 to 15."],
    ["The code word is lantern.", "I will remember that the code word is lantern.", "Actually, the code word is velvet.",
     "Thank you for the correction. The code word is velvet.", "What was the code word?"],
    ["What is Hearth?"],
    ["hi I am Bjørn and I live in Malmö it is raining here", "I will remember that your name is Bjørn and you live in Malmö.",
     "what is my name"],
]


def messages(turns):
    return [dict(role=role, content=content) for role, content, *_ in turns]


def setup(path):
    global W, TOK
    torch.set_num_threads(1)
    allocator = ctypes.CDLL(None)
    allocator.mallopt(-3, 32 << 20)         # M_MMAP_THRESHOLD and M_TRIM_THRESHOLD: giving every large tensor back
    allocator.mallopt(-1, 1 << 30)          # to the system costs as much time as computing it
    W, TOK = folder.load(path), Tokenizer(os.path.join(path, "tokenizer.json"))


def reply(chat):
    ids = TOK.encode(render(chat, True))
    out, _ = reference.generate(W, ids, LIMIT)
    return TOK.decode(out), len(ids)


def greedy_says(ids, want):
    """Whether greedy decoding would give exactly the wanted reply: one pass instead of one per token."""
    body = TOK.encode_plain(want) + [IM_END]
    with torch.no_grad():
        lg = reference.logits(W, torch.tensor(ids + body), last=len(body) + 1)
    return lg[:-1].argmax(-1).tolist() == body


def one(job):
    """One probe: (task, whole reply right, value right, tokens of the prompt, what went wrong)."""
    name, i, seed, split = job
    turns, want, value = TASKS[name](Conversations(random.Random(f"{seed}/{name}/{i}"), split))
    chat = messages(turns)
    ids = TOK.encode(render(chat, True))
    if greedy_says(ids, want):
        return name, True, True, len(ids), None
    got, _ = reply(chat)
    whole = got in probes.accepted(want)
    right = whole if value is None else re.search(r"(?<!\w)" + re.escape(value) + r"(?!\w)", got, re.I) is not None
    return name, whole, right, len(ids), None if whole else [turns[-1][1], want, got]


def scores(o):
    jobs = [(name, i, o.seed, o.split) for name in TASKS for i in range(o.each if name.startswith(MEMORY) else -(-o.each // 2))]
    random.Random(0).shuffle(jobs)          # long and short ones evenly over the processes
    with mp.Pool(o.workers, setup, (o.model,)) as pool:
        results = pool.map(one, jobs, chunksize=4)
    table = {}
    for name in TASKS:
        r = [x for x in results if x[0] == name]
        share = lambda k: round(sum(x[k] for x in r) / len(r), 4)
        table[name] = dict(n=len(r), whole=share(1), value=share(2), prompt_tokens=round(sum(x[3] for x in r) / len(r)),
                           failures=[x[4] for x in r if x[4]][:o.failures])
        print(f"| {name} | {100 * share(1):.0f}% | {100 * share(2):.0f}% | {table[name]['prompt_tokens']} |", flush=True)
    if o.scores:
        with open(o.scores, "w", encoding="utf-8") as f:
            json.dump(dict(split=o.split, decoding="greedy, float32 over the saved bf16 weights", whole="the whole reply is right",
                           value="the reply holds the remembered value; for what was never told, it says \"I do not know\"",
                           tasks=table), f, indent=1, ensure_ascii=False)
            f.write("\n")


def samples(path):
    with open(path, "w", encoding="utf-8") as f:
        f.write("# Sample conversations\n\nGreedy replies of the model; each reply is part of the next prompt. Nothing is edited.\n")
        for k, users in enumerate(SCRIPTS):
            f.write(f"\n## {k + 1}\n\n")
            chat = []
            for text in users:
                chat.append(dict(role="user", content=text))
                answer, _ = reply(chat)
                chat.append(dict(role="assistant", content=answer))
                f.write(f"- **User:** {text}\n- **Ember:** {answer}\n")


def golden_case(script):
    chat = []
    for x in script:
        user = not chat or chat[-1]["role"] != "user"
        chat.append(x if isinstance(x, dict) else dict(role="user" if user else "assistant", content=x))
    prompt = render(chat, True)
    ids = TOK.encode(prompt)
    out, steps = reference.generate(W, ids, LIMIT)
    raw, raw_steps = reference.generate(W, ids, 40, stops=())
    margin = lambda rows: round(min(float(a - b) for a, b in (x.topk(2).values for x in rows)), 4)
    top = steps[0].topk(5)
    return dict(messages=chat, prompt=prompt, prompt_ids=ids, output_ids=out, text=TOK.decode(out), output_ids_40_ignoring_eos=raw,
                text_40_ignoring_eos=TOK.decode(raw, False),
                smallest_top1_margin=dict(until_eos=margin(steps[:len(out)]), all_40=margin(raw_steps)),
                first_step_top5=[dict(id=int(i), token=TOK.inv[int(i)], logit=round(float(v), 5)) for i, v in zip(top.indices, top.values)])


def golden(path):
    note = "float32 arithmetic over the bf16 weights in this folder; greedy; eos ids 2 and 0; the stop id is kept in output_ids"
    with open(path, "w", encoding="utf-8") as f:
        json.dump(dict(note=note, cases=[golden_case(x) for x in GOLDEN]), f, indent=1, ensure_ascii=False)
        f.write("\n")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--model", default="../../models/demo")
    p.add_argument("--split", default="dev", choices=["train", "dev", "test"])
    p.add_argument("--each", type=int, default=20, help="probes per task of memory; the others get half")
    p.add_argument("--seed", default="1")
    p.add_argument("--workers", type=int, default=2)
    p.add_argument("--failures", type=int, default=3, help="wrong replies to keep per task")
    p.add_argument("--only", help="only the tasks whose name holds this text")
    p.add_argument("--scores", help="file for the scores")
    p.add_argument("--samples", help="file for sample conversations")
    p.add_argument("--golden", help="file for golden outputs")
    o = p.parse_args()
    setup(o.model)
    if o.only:
        for name in [n for n in TASKS if o.only not in n]:
            del TASKS[name]
    t = time.time()
    if o.each:
        scores(o)
    if o.samples:
        samples(o.samples)
    if o.golden:
        golden(o.golden)
    print(f"{time.time() - t:.0f} s")


if __name__ == "__main__":
    mp.set_start_method("fork")
    main()
