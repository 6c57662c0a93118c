#!/usr/bin/env python3
"""The training step's loss and gradients against plain float32 torch, and its speed.

    python3 check_kernels.py
"""
import os
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
import time

import torch

import model
import reference


def batch(lengths):
    n = sum(lengths)
    ints = lambda x: torch.as_tensor(x, dtype=torch.int32)
    docs = ints([0] + list(torch.tensor(lengths).cumsum(0)))
    positions = torch.cat([torch.arange(x) for x in lengths])
    return ints(torch.randint(0, 768, (n,))), ints(positions), docs, ints(torch.randint(0, 768, (n,))), torch.rand(n)


def check(flat, lengths):
    ids, pos, docs, targets, weights = batch(lengths)
    grad = torch.zeros_like(flat)
    loss, _ = model.Fast(flat).step(ids, pos, docs, targets, weights, 1.0, model.views(grad))
    plain = flat.clone().requires_grad_()
    want = 0
    for a, b in zip(docs.tolist(), docs.tolist()[1:]):
        lg = reference.logits(model.views(plain), ids[a:b])
        want = want + (torch.nn.functional.cross_entropy(lg, targets[a:b].long(), reduction="none") * weights[a:b]).sum()
    want.backward()
    errors = {name: float((g - r).norm() / r.norm())
              for (name, g), r in zip(model.views(grad).items(), model.views(plain.grad).values())}
    worst = max(errors, key=errors.get)
    print(f"conversations of {lengths} tokens: loss {loss:.3f}, in float32 {float(want):.3f}; "
          f"largest relative gradient error {errors[worst]:.4f} ({worst})")
    assert abs(loss - want) < 1e-3 * want and errors[worst] < 0.03


def speed(flat, length, n=4096):
    net, grad, b = model.Fast(flat), model.views(torch.zeros_like(flat)), batch([length] * (n // length))
    best = 9e9
    for _ in range(4):
        t = time.time()
        net.step(*b, 1.0, grad)
        best = min(best, time.time() - t)
    print(f"conversations of {length} tokens: {n / best:.0f} tokens/s on one core")


def main():
    torch.set_num_threads(1)
    torch.manual_seed(1)
    flat = torch.empty(model.count())
    model.init(flat, 1)
    check(flat, [37, 4, 55])
    check(flat, [700, 300])
    speed(flat, 128)
    speed(flat, 1024)


if __name__ == "__main__":
    main()
