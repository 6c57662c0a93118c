"""The demo model, a small Llama, and its training step: bf16 matrix products and the C kernels, forward and backward written
out by hand. All parameters lie in one flat float32 vector, so that processes can share it and its gradients."""
import ctypes
import math
import os
import subprocess

import numpy as np
import torch

CFG = dict(hidden=256, layers=5, heads=8, kv=4, dim=32, ffn=512, vocab=768, eps=1e-5, theta=10000.0, maxpos=4096)


def shapes(c=CFG):
    """name -> shape of the fused parameters, in flat order."""
    C, H, KV, D, F = c["hidden"], c["heads"], c["kv"], c["dim"], c["ffn"]
    out = [("embed", (c["vocab"], C))]
    for i in range(c["layers"]):
        out += [(f"{i}.n1", (C,)), (f"{i}.qkv", ((H + 2 * KV) * D, C)), (f"{i}.o", (C, H * D)),
                (f"{i}.n2", (C,)), (f"{i}.gu", (2 * F, C)), (f"{i}.down", (C, F))]
    return out + [("norm", (C,))]


def count(c=CFG):
    return sum(int(np.prod(s)) for _, s in shapes(c))


def views(flat, c=CFG):
    out, o = {}, 0
    for name, shape in shapes(c):
        n = int(np.prod(shape))
        out[name] = flat[o:o + n].view(*shape)
        o += n
    return out


def init(flat, seed, c=CFG):
    g = torch.Generator().manual_seed(seed)
    for name, w in views(flat, c).items():
        if w.dim() == 1:
            w.fill_(1.0)
            continue
        std = 0.03 if name == "embed" else w.shape[1] ** -0.5 * 0.7
        if name.endswith((".o", ".down")):
            std /= math.sqrt(2 * c["layers"])
        w.copy_(torch.randn(w.shape, generator=g) * std)


def rope_tables(c=CFG):
    frequency = 1.0 / (c["theta"] ** (torch.arange(0, c["dim"], 2, dtype=torch.float64) / c["dim"]))
    angle = torch.arange(c["maxpos"], dtype=torch.float64)[:, None] * frequency[None]
    return angle.cos().float().contiguous(), angle.sin().float().contiguous()


def library():
    """kernels.c, compiled when it has changed."""
    here = os.path.dirname(os.path.abspath(__file__))
    src, so = os.path.join(here, "kernels.c"), os.path.join(here, "kernels.so")
    if not os.path.exists(so) or os.path.getmtime(so) < os.path.getmtime(src):
        subprocess.check_call(["gcc", "-Ofast", "-march=native", "-mprefer-vector-width=512", "-shared", "-fPIC", src, "-o", so, "-lm"])
    lib = ctypes.CDLL(so)
    lib.xent.restype = ctypes.c_double
    return lib


def c_args(*args):
    """Tensors as pointers, ints as C longs, floats as C floats."""
    out = []
    for a in args:
        if isinstance(a, torch.Tensor):
            assert a.is_contiguous()
            out.append(ctypes.c_void_p(a.data_ptr()))
        elif a is None:
            out.append(ctypes.c_void_p(None))
        else:
            out.append(ctypes.c_float(a) if isinstance(a, float) else ctypes.c_long(a))
    return out


def bf16(*shape):
    return torch.empty(*shape, dtype=torch.bfloat16)


class Fast:
    """The training step over one flat stream of whole conversations."""

    def __init__(self, flat, c=CFG):
        self.c, self.flat, self.w = c, flat, views(flat, c)
        self.lib = library()
        self.rounded = torch.empty(flat.shape, dtype=torch.bfloat16)
        self.b = views(self.rounded, c)
        self.cos, self.sin = rope_tables(c)
        self.refresh()

    def call(self, name, *args):
        return getattr(self.lib, name)(*c_args(*args))

    def refresh(self):
        """After the parameters have changed."""
        self.call("to_bf16", self.flat, self.rounded, self.flat.numel())

    def rms(self, x, weight):
        n = x.shape[0]
        y, rstd = bf16(n, self.c["hidden"]), torch.empty(n)
        self.call("rms_fwd", x, weight, y, rstd, n, self.c["hidden"], self.c["eps"])
        return y, rstd

    def add(self, x, y):
        z = torch.empty(x.shape)
        self.call("add_to", x, y, z, x.numel())
        return z

    def rope(self, qkv, pos, sign):
        c = self.c
        heads = c["heads"] + c["kv"]
        self.call("rope", qkv, pos, self.cos, self.sin, qkv.shape[0], heads, (heads + c["kv"]) * c["dim"], sign)

    def step(self, ids, pos, docs, targets, weights, scale, grad=None):
        """ids, pos, targets: int32[n]; docs: int32 bounds of the conversations; weights: float32[n]. Returns the sum of the
        weighted loss and, for each token, whether the target was the likeliest; adds scale times the gradients to `grad`."""
        x = self.w["embed"].index_select(0, ids.long())
        kept = []
        for i in range(self.c["layers"]):
            x, saved = self.forward_layer(i, x, pos, docs)
            kept.append(saved)
        n, V = x.shape[0], self.c["vocab"]
        y, rstd = self.rms(x, self.w["norm"])
        logits = torch.mm(y.float(), self.w["embed"].t())
        dlogits = bf16(n, V) if grad is not None else None
        right = torch.empty(n, dtype=torch.uint8)
        loss = self.call("xent", logits, targets, weights, dlogits, right, n, V, float(scale))
        if grad is None:
            return loss, right
        grad["embed"].add_(torch.mm(dlogits.t(), y))
        dx = torch.zeros(x.shape)
        self.rms_backward("norm", x, rstd, torch.mm(dlogits, self.b["embed"]), dx, grad)
        for i in reversed(range(self.c["layers"])):
            self.backward_layer(i, kept[i], dx, pos, docs, grad)
        grad["embed"].index_add_(0, ids.long(), dx)
        return loss, right

    def forward_layer(self, i, x, pos, docs):
        c, w, b, n = self.c, self.w, self.b, x.shape[0]
        n1, r1 = self.rms(x, w[f"{i}.n1"])
        qkv = torch.mm(n1, b[f"{i}.qkv"].t())
        self.rope(qkv, pos, 1.0)
        att, lse = bf16(n, c["heads"] * c["dim"]), torch.empty(n, c["heads"])
        self.call("attn_fwd", qkv, att, lse, docs, docs.numel() - 1, c["heads"], c["kv"])
        x1 = self.add(x, torch.mm(att, b[f"{i}.o"].t()))
        n2, r2 = self.rms(x1, w[f"{i}.n2"])
        gu = torch.mm(n2, b[f"{i}.gu"].t())
        h = bf16(n, c["ffn"])
        self.call("swiglu_fwd", gu, h, n, c["ffn"])
        x2 = self.add(x1, torch.mm(h, b[f"{i}.down"].t()))
        return x2, (x, n1, r1, qkv, att, lse, x1, n2, r2, gu, h)

    def rms_backward(self, name, x, rstd, dy, dx, grad):
        self.call("rms_bwd", x, self.w[name], rstd, dy, dx, grad[name], x.shape[0], self.c["hidden"])

    def backward_layer(self, i, saved, dx, pos, docs, grad):
        """Turns dx, the gradient of the layer's output, into that of its input."""
        c, b, n = self.c, self.b, dx.shape[0]
        x, n1, r1, qkv, att, lse, x1, n2, r2, gu, h = saved
        dout = bf16(n, c["hidden"])
        self.call("to_bf16", dx, dout, dx.numel())
        grad[f"{i}.down"].add_(torch.mm(dout.t(), h))
        dgu = bf16(n, 2 * c["ffn"])
        self.call("swiglu_bwd", gu, torch.mm(dout, b[f"{i}.down"]), dgu, n, c["ffn"])
        grad[f"{i}.gu"].add_(torch.mm(dgu.t(), n2))
        self.rms_backward(f"{i}.n2", x1, r2, torch.mm(dgu, b[f"{i}.gu"]), dx, grad)
        self.call("to_bf16", dx, dout, dx.numel())
        grad[f"{i}.o"].add_(torch.mm(dout.t(), att))
        dqkv = bf16(*qkv.shape)
        self.call("attn_bwd", qkv, att, torch.mm(dout, b[f"{i}.o"]), lse, dqkv, docs, docs.numel() - 1, c["heads"], c["kv"])
        self.rope(dqkv, pos, -1.0)
        grad[f"{i}.qkv"].add_(torch.mm(dqkv.t(), n1))
        self.rms_backward(f"{i}.n1", x, r1, torch.mm(dqkv, b[f"{i}.qkv"]), dx, grad)
