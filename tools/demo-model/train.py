#!/usr/bin/env python3
"""Trains the demo model on CPU: one single-threaded process per core, gradients summed through shared memory, AdamW.
The learning rate follows wall time, so that a run ends on time on a busy machine. SIGTERM ends it early but cleanly.

    python3 train.py --minutes 60                                       # from nothing
    python3 train.py --minutes 60 --resume ../../models/demo            # on from the saved model
    python3 train.py --minutes 60 --resume ../../artifacts/demo/checkpoint.pt
"""
import os
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
import argparse
import math
import multiprocessing as mp
import random
import signal
import sys
import time

import torch

import folder
import model
import probes
from conversations import Conversations
from tokenizer import IM_END, IM_START, Tokenizer

WEIGHT = dict(recall=2.0, correct=2.0, tell=1.5, unknown=1.5, repeat=1.5, reverse=1.5, sum=1.5)
USER_WEIGHT, MARKUP_WEIGHT = 0.05, 0.02
BETA1, BETA2 = 0.9, 0.98


def pack(tok, turns, jumps={}):
    """ids, positions and the weight with which each token is a target. jumps: how far the positions jump before a turn."""
    ids, pos, weights, p = [], [], [], 0
    for i, (role, text, tag) in enumerate(turns):
        head = [IM_START] + tok.encode_plain(role + "\n")
        body = tok.encode_plain(text) + [IM_END]
        tail = tok.encode_plain("\n")
        x = WEIGHT.get(tag, 1.0) if role == "assistant" else USER_WEIGHT
        weights += [MARKUP_WEIGHT] * len(head) + [x] * len(body) + [MARKUP_WEIGHT] * len(tail)
        p += jumps.get(i, 0)
        turn = head + body + tail
        ids += turn
        pos += range(p, p + len(turn))
        p += len(turn)
    return ids, pos, weights


class Stream:
    """Flat batches of exactly n tokens made of whole conversations (the last one is cut)."""

    def __init__(self, tok, rng, o):
        self.tok, self.r, self.o = tok, rng, o
        self.gen = Conversations(rng, "train")

    def conversation(self):
        """The turns and the jumps of their positions. What a small model forgets it forgets by distance, not by the amount of
        text between, so jumps teach it to recall from afar at the price of short texts."""
        r, o, x = self.r, self.o, self.r.random()
        if x < o.long:
            return self.gen.long_conversation(r.randint(18, o.turns)), {}
        if x < o.long + o.far:
            turns = self.gen.long_conversation(r.randint(6, 16))
            return turns, self.jumps(turns, o.reach) if r.random() < 0.8 else {}
        if x < o.long + o.far + o.drill:
            return self.gen.drill(), {}
        turns = self.gen.conversation(0.0 if r.random() < 0.1 else 0.4 + 0.6 * r.random())
        return turns, self.jumps(turns, o.reach // 2) if r.random() < 0.25 else {}

    def jumps(self, turns, reach):
        """A distance of up to reach, parted among a few turns."""
        r = self.r
        at = [r.randrange(1, len(turns)) for _ in range(r.choice([1, 1, 2, 3, 6]))]
        total, parts = r.randint(0, reach), [r.random() for _ in at]
        return {i: int(total * x / sum(parts)) for i, x in zip(at, parts)}

    def batch(self):
        n = self.o.tokens
        ids, targets, positions, weights, docs = [], [], [], [], [0]
        while len(ids) < n:
            i, p, w = pack(self.tok, *self.conversation())
            k = min(len(i) - 1, n - len(ids))
            if p[k - 1] >= model.CFG["maxpos"]:
                continue
            ids += i[:k]
            targets += i[1:k + 1]
            positions += p[:k]
            weights += w[1:k + 1]
            docs.append(len(ids))
        ints = lambda x: torch.tensor(x, dtype=torch.int32)
        return ints(ids), ints(positions), ints(docs), ints(targets), torch.tensor(weights)


def dev_probes(tok):
    measure = lambda turns: len(pack(tok, turns)[0])
    return {"recall1": probes.recall(1), "recall5": probes.recall(5), "recall10": probes.recall(10),
            "accent10": probes.recall(10, accented=True), "runon10": probes.recall(10, run_on=True),
            "recall1000": probes.recall_after_tokens(1000, measure), "unknown1": probes.unknown(0), "unknown10": probes.unknown(10),
            "unknown26": probes.unknown(26), "runon": probes.run_on_reply(2), "correct": probes.corrected(2),
            "count": probes.task("t_count", 2), "sum": probes.task("t_sum", 2), "repeat": probes.task("t_repeat", 2),
            "spell": probes.task("t_spell", 2), "fact": probes.task("t_fact", 2)}


def score(net, tok, seed, each):
    """Dev probes: (number whose whole answer is the greedy choice, number, sum of the loss, its tokens) for each kind."""
    out = []
    for name, probe in dev_probes(tok).items():
        g = Conversations(random.Random(f"{seed}{name}"), "dev")
        row = [0, 0, 0.0, 0]
        for _ in range(each):
            turns, answer, _ = probe(g)
            prompt = pack(tok, turns)[0] + [IM_START] + tok.encode_plain("assistant\n")
            body = tok.encode_plain(answer) + [IM_END]
            seq = torch.tensor(prompt + body, dtype=torch.int32)
            n, k = len(seq) - 1, len(body)
            weights = torch.zeros(n)
            weights[-k:] = 1.0
            loss, ok = net.step(seq[:-1].contiguous(), torch.arange(n, dtype=torch.int32), torch.tensor([0, n], dtype=torch.int32),
                                seq[1:].contiguous(), weights, 1.0)
            row = [row[0] + int(ok[-k:].all()), row[1] + 1, row[2] + loss, row[3] + k]
        out += row
    return torch.tensor(out)


class Worker:
    """One process: its share of every batch, and its slice of the parameters in the optimizer."""

    def __init__(self, rank, o, s):
        self.rank, self.o, self.s = rank, o, s
        torch.set_num_threads(1)
        sys.stdout.reconfigure(line_buffering=True)
        self.tok = Tokenizer(os.path.join(o.model, "tokenizer.json"))
        self.net = model.Fast(s["flat"])
        self.grad = model.views(s["grads"][rank])
        n = s["flat"].numel()
        per = -(-n // o.workers)
        self.slice = slice(rank * per, min(n, (rank + 1) * per))
        decays = [torch.full((w.numel(),), float(w.dim() > 1)) for w in model.views(s["flat"]).values()]
        self.decay = torch.cat(decays)[self.slice] * o.decay
        self.step = self.first = s["step"]
        self.stream = Stream(self.tok, random.Random(f"{o.seed}/{rank}/{self.first}"), o)

    def say(self, text):
        if self.rank == 0:
            print(text)

    def run(self):
        o, s, bar = self.o, self.s, self.s["bar"]
        start, next_eval, loss = time.time(), o.every * 60, None
        while True:
            t = time.time() - start
            if self.rank == 0:
                s["clock"][0] = 1.0 if s["stop"].value else t / (o.minutes * 60)
                s["clock"][1] = t
            bar.wait()
            progress, t = s["clock"].tolist()
            if t >= next_eval or progress >= 1.0:
                next_eval += o.every * 60
                self.checkpoint(t)
            if progress >= 1.0:
                return
            lr = o.lr * min(1.0, (self.step - self.first + 1) / o.warmup) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))
            l, norm = self.update(lr)
            loss = l if loss is None else 0.95 * loss + 0.05 * l
            if self.step % 50 == 0:
                rate = (self.step - self.first) * o.tokens * o.workers / (time.time() - start)
                self.say(f"step {self.step} {t:.0f}s loss {loss:.4f} norm {norm:.2f} lr {lr:.5f} {rate:.0f} tokens/s")

    def update(self, lr):
        """One step of AdamW over the batches of all workers."""
        o, s, bar, a = self.o, self.s, self.s["bar"], self.slice
        batch = self.stream.batch()
        weight = float(batch[4].sum())
        s["grads"][self.rank].zero_()
        loss, _ = self.net.step(*batch, 1.0 / (weight * o.workers), self.grad)
        s["losses"][self.rank] = loss / weight
        bar.wait()
        g = s["grads"][:, a].sum(0)
        s["norms"][self.rank] = float(g.double().pow(2).sum())
        bar.wait()
        norm = math.sqrt(float(s["norms"].sum()))
        g *= min(1.0, 1.0 / (norm + 1e-6))
        self.step += 1
        updates = s["updates"] + self.step - self.first
        m, v, p = s["mom"][a], s["var"][a], s["flat"][a]
        m.mul_(BETA1).add_(g, alpha=1 - BETA1)
        v.mul_(BETA2).addcmul_(g, g, value=1 - BETA2)
        p -= lr * ((m / (1 - BETA1 ** updates)) / ((v / (1 - BETA2 ** updates)).sqrt() + 1e-8) + self.decay * p)
        bar.wait()
        self.net.refresh()
        return float(s["losses"].mean()), norm

    def checkpoint(self, t):
        o, s = self.o, self.s
        if self.rank == 0:
            path = os.path.join(o.out, "checkpoint.pt")
            torch.save(dict(flat=s["flat"].clone(), mom=s["mom"].clone(), var=s["var"].clone(), updates=s["updates"] + self.step - self.first,
                            step=self.step, seen=s["seen"] + (self.step - self.first) * o.tokens * o.workers,
                            seconds=s["seconds"] + t), path + ".new")
            os.replace(path + ".new", path)
        s["scores"][self.rank] = score(self.net, self.tok, f"{o.seed}-{self.rank}", o.probes)
        s["bar"].wait()
        rows = s["scores"].sum(0).view(-1, 4)
        parts = " ".join(f"{n} {100 * good / total:.0f}%" for n, (good, total, _, _) in zip(dev_probes(self.tok), rows.tolist()))
        seen = (s["seen"] + (self.step - self.first) * o.tokens * o.workers) / 1e6
        self.say(f"step {self.step} {t:.0f}s tokens {seen:.2f}M dev loss {float(rows[:, 2].sum() / rows[:, 3].sum()):.4f} | {parts}")
        s["bar"].wait()


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--model", default="../../models/demo", help="folder of tokenizer.json")
    p.add_argument("--out", default="../../artifacts/demo", help="folder for checkpoint.pt")
    p.add_argument("--resume", help="checkpoint, or folder of a saved model, to go on from")
    p.add_argument("--minutes", type=float, default=60)
    p.add_argument("--workers", type=int, default=2)
    p.add_argument("--tokens", type=int, default=3072, help="tokens per worker and step")
    p.add_argument("--lr", type=float, default=1.5e-3)
    p.add_argument("--decay", type=float, default=0.05)
    p.add_argument("--warmup", type=int, default=60)
    p.add_argument("--every", type=float, default=8, help="minutes between checkpoints")
    p.add_argument("--probes", type=int, default=12, help="dev probes per kind and worker")
    p.add_argument("--seed", type=int, default=31)
    p.add_argument("--far", type=float, default=0.5, help="share of conversations of 6 to 16 turns, most with jumps of their positions")
    p.add_argument("--reach", type=int, default=1400, help="sum of the jumps at most")
    p.add_argument("--long", type=float, default=0.1, help="share of conversations of 18 turns and more")
    p.add_argument("--turns", type=int, default=32, help="turns of the longest")
    p.add_argument("--drill", type=float, default=0.1, help="share of short practice runs of sums, counting and spelling")
    return p.parse_args()


def main():
    o = options()
    torch.set_num_threads(1)
    os.makedirs(o.out, exist_ok=True)
    model.library()
    n = model.count()
    zeros = lambda *shape: torch.zeros(*shape).share_memory_()
    s = dict(flat=zeros(n), mom=zeros(n), var=zeros(n), grads=zeros(o.workers, n), losses=zeros(o.workers), norms=zeros(o.workers),
             scores=zeros(o.workers, 4 * len(dev_probes(None))), clock=torch.zeros(2, dtype=torch.float64).share_memory_(),
             bar=mp.Barrier(o.workers), stop=mp.Value("i", 0), step=0, seen=0, seconds=0.0, updates=0)
    model.init(s["flat"], o.seed)
    if o.resume and os.path.isdir(o.resume):
        for name, w in folder.load(o.resume).items():
            model.views(s["flat"])[name].copy_(w)
    elif o.resume:
        c = torch.load(o.resume)
        for name in ("flat", "mom", "var"):
            s[name].copy_(c[name])
        s.update({name: c[name] for name in ("step", "seen", "seconds", "updates")})
    print(f"parameters {n}, from step {s['step']}, options {vars(o)}", flush=True)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    workers = [mp.Process(target=lambda r=r: Worker(r, o, s).run()) for r in range(o.workers)]
    for w in workers:
        w.start()
    signal.signal(signal.SIGTERM, lambda *_: setattr(s["stop"], "value", 1))
    for w in workers:
        w.join()


if __name__ == "__main__":
    mp.set_start_method("fork")
    main()
