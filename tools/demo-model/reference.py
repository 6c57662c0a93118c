"""The same model in plain float32 torch, for checks, scores and golden outputs."""
import math

import torch

from model import CFG, rope_tables

COS, SIN = rope_tables()


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return x * torch.cat([cos, cos], -1) + torch.cat([-b, a], -1) * torch.cat([sin, sin], -1)


def rms(x, weight, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


def attend(q, k, v, rows=128):
    """Causal attention of the last positions over all; some rows at a time, as whole score matrices of long texts are large."""
    n, total = q.shape[1], k.shape[1]
    out = []
    for a in range(0, n, rows):
        b = min(n, a + rows)
        seen = total - n + b
        s = q[:, a:b] @ k[:, :seen].transpose(1, 2) / math.sqrt(q.shape[2])
        s += torch.full((b - a, seen), -1e30).triu(seen - (b - a) + 1)
        out.append(s.softmax(-1) @ v[:, :seen])
    return torch.cat(out, 1)


def logits(w, ids, past=None, c=CFG, last=0):
    """The logits of one sequence, or of its last positions. past: a list, the key-value cache, extended in place."""
    H, KV, D, F = c["heads"], c["kv"], c["dim"], c["ffn"]
    past = past if past is not None else []
    p0, n = (past[0][0].shape[1] if past else 0), ids.numel()
    cos, sin = COS[p0:p0 + n], SIN[p0:p0 + n]
    x = w["embed"][ids.long()]
    for i in range(c["layers"]):
        qkv = rms(x, w[f"{i}.n1"], c["eps"]) @ w[f"{i}.qkv"].t()
        q, k, v = qkv.view(n, H + 2 * KV, D).transpose(0, 1).split([H, KV, KV])
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if len(past) > i:
            k, v = torch.cat([past[i][0], k], 1), torch.cat([past[i][1], v], 1)
            past[i] = (k, v)
        else:
            past.append((k, v))
        mixed = attend(q, k.repeat_interleave(H // KV, 0), v.repeat_interleave(H // KV, 0))
        x = x + mixed.transpose(0, 1).reshape(n, H * D) @ w[f"{i}.o"].t()
        gate, up = (rms(x, w[f"{i}.n2"], c["eps"]) @ w[f"{i}.gu"].t()).split(F, -1)
        x = x + (gate * torch.sigmoid(gate) * up) @ w[f"{i}.down"].t()
    return rms(x[-last:], w["norm"], c["eps"]) @ w["embed"].t()


def generate(w, prompt, limit, stops=(2, 0)):
    """Greedy. Returns the new ids (a stop id, when reached, is the last) and the logits of every step."""
    past, ids, steps, new = [], [], [], list(prompt)
    with torch.no_grad():
        while len(ids) < limit and not (ids and ids[-1] in stops):
            steps.append(logits(w, torch.tensor(new), past, last=1)[-1])
            new = [int(steps[-1].argmax())]
            ids += new
    return ids, steps
