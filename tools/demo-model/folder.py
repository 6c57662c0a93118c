#!/usr/bin/env python3
"""The model's folder in Hugging Face's format: writes it from a checkpoint, and reads the weights back as a server sees them.

    python3 folder.py --checkpoint ../../artifacts/demo/checkpoint.pt --model ../../models/demo
"""
import argparse
import json
import os
import struct

import numpy as np
import torch

from model import CFG, views


def named(w, c=CFG):
    H, KV, D, F = c["heads"], c["kv"], c["dim"], c["ffn"]
    out = {"model.embed_tokens.weight": w["embed"]}
    for i in range(c["layers"]):
        p = f"model.layers.{i}."
        q, k, v = w[f"{i}.qkv"].split([H * D, KV * D, KV * D])
        gate, up = w[f"{i}.gu"].split(F)
        out.update({p + "input_layernorm.weight": w[f"{i}.n1"], p + "self_attn.q_proj.weight": q, p + "self_attn.k_proj.weight": k,
                    p + "self_attn.v_proj.weight": v, p + "self_attn.o_proj.weight": w[f"{i}.o"],
                    p + "post_attention_layernorm.weight": w[f"{i}.n2"], p + "mlp.gate_proj.weight": gate,
                    p + "mlp.up_proj.weight": up, p + "mlp.down_proj.weight": w[f"{i}.down"]})
    out["model.norm.weight"] = w["norm"]
    return out


def save(flat, folder, c=CFG):
    """model.safetensors in bf16, config.json and generation_config.json."""
    os.makedirs(folder, exist_ok=True)
    head, data = {"__metadata__": {"format": "pt"}}, b""
    for name, t in named(views(flat, c), c).items():
        raw = t.contiguous().to(torch.bfloat16).view(torch.int16).numpy().tobytes()
        head[name] = dict(dtype="BF16", shape=list(t.shape), data_offsets=[len(data), len(data) + len(raw)])
        data += raw
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)
    config = dict(architectures=["LlamaForCausalLM"], attention_bias=False, attention_dropout=0.0, bos_token_id=0, eos_token_id=2,
                  pad_token_id=0, head_dim=c["dim"], hidden_act="silu", hidden_size=c["hidden"], initializer_range=0.02,
                  intermediate_size=c["ffn"], max_position_embeddings=c["maxpos"], mlp_bias=False, model_type="llama",
                  num_attention_heads=c["heads"], num_hidden_layers=c["layers"], num_key_value_heads=c["kv"], pretraining_tp=1,
                  rms_norm_eps=c["eps"], rope_scaling=None, rope_theta=c["theta"], tie_word_embeddings=True,
                  torch_dtype="bfloat16", transformers_version="4.44.0", use_cache=True, vocab_size=c["vocab"])
    generation = dict(bos_token_id=0, eos_token_id=[2, 0], pad_token_id=0, do_sample=False, transformers_version="4.44.0")
    for name, content in (("config.json", config), ("generation_config.json", generation)):
        with open(os.path.join(folder, name), "w") as f:
            json.dump(content, f, indent=2)
            f.write("\n")


def load(folder, c=CFG):
    """The saved bf16 weights as fused float32."""
    with open(os.path.join(folder, "model.safetensors"), "rb") as f:
        head = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    head.pop("__metadata__")
    g = {}
    for name, x in head.items():
        bits = np.frombuffer(data[slice(*x["data_offsets"])], dtype=np.uint16).astype(np.uint32) << 16
        g[name] = torch.from_numpy(bits.view(np.float32).reshape(x["shape"]).copy())
    w = {"embed": g["model.embed_tokens.weight"], "norm": g["model.norm.weight"]}
    for i in range(c["layers"]):
        p = f"model.layers.{i}."
        w[f"{i}.n1"], w[f"{i}.n2"] = g[p + "input_layernorm.weight"], g[p + "post_attention_layernorm.weight"]
        w[f"{i}.qkv"] = torch.cat([g[p + f"self_attn.{x}_proj.weight"] for x in "qkv"])
        w[f"{i}.gu"] = torch.cat([g[p + f"mlp.{x}_proj.weight"] for x in ("gate", "up")])
        w[f"{i}.o"], w[f"{i}.down"] = g[p + "self_attn.o_proj.weight"], g[p + "mlp.down_proj.weight"]
    return w


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--checkpoint", default="../../artifacts/demo/checkpoint.pt")
    p.add_argument("--model", default="../../models/demo")
    o = p.parse_args()
    save(torch.load(o.checkpoint)["flat"], o.model)


if __name__ == "__main__":
    main()
