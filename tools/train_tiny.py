#!/usr/bin/env python3
"""Trains the two small llama models of this repository and writes them as GGUF files.

For developers only; nothing in the library or its tests needs Python. Needs numpy, tokenizers and
jinja2, for training also PyTorch and a GPU (a few minutes on a large one).

    train_tiny.py --size story --stories stories.jsonl.xz --out story.gguf --openings openings.txt
    train_tiny.py --size test  --stories stories.jsonl.xz --out tiny.gguf
    train_tiny.py --reference tiny.gguf --out tiny.ref.json

The first two train the byte-level BPE vocabulary and the model, write the file, read it back and
compare a plain numpy evaluation of the file with PyTorch. The third needs no PyTorch: it reads the
GGUF file and writes token ids and logits that tests compare with.

GGUF facts relied on here: version 3, little-endian, data aligned to 32 bytes; dims[0] is the row
length; for architecture "llama" the rows of attn_q and attn_k are reordered so that RoPE turns
neighbouring pairs (2i, 2i+1), while the PyTorch model below turns (i, i + head_dim/2).
"""
import argparse
import json
import lzma
import math
import re
import struct
import time

import numpy as np

# One row a model. n_ctx is also the length of a training row; noise = share of stories with a disturbed opening.
SIZES = {
    "story": dict(n_vocab=2048, n_embd=256, n_layer=6, n_head=8, n_head_kv=2, n_ff=640, n_ctx=512,
                  epochs=20, batch=64, lr=2e-3, noise=0.4, name="Story Tiny"),
    "test": dict(n_vocab=512, n_embd=128, n_layer=2, n_head=4, n_head_kv=2, n_ff=160, n_ctx=512,
                 epochs=16, batch=64, lr=4e-3, noise=0.0, name="Test Tiny"),
}
RMS_EPS = 1e-5
ROPE_BASE = 10000.0

# Continues the last message: this model has no notion of turns.
STORY_TEMPLATE = "{{ bos_token + messages[-1]['content'] }}"
CHATML_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")

SPECIALS = {"story": ["<s>", "</s>"], "test": ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]}

# >>gguf ---------------------------------------------------------------------------------------

U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9      # metadata value types
SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
TENSOR_F32, TENSOR_Q8_0 = 0, 8
Q8_BLOCK = np.dtype([("d", "<f2"), ("qs", "i1", 32)])       # x = d * q
ALIGNMENT = 32


def quantize_q8_0(w):
    """w [n_row, n_col] float32 -> bytes. d = max|x| / 127, q = x / d rounded half away from zero."""
    x = np.ascontiguousarray(w, np.float32).reshape(-1, 32)
    d = np.abs(x).max(axis=1) / np.float32(127)
    scaled = x * np.where(d > 0, 1 / np.where(d > 0, d, 1), 0).astype(np.float32)[:, None]
    blocks = np.empty(len(x), Q8_BLOCK)
    blocks["d"] = d
    blocks["qs"] = np.clip(np.trunc(scaled + np.copysign(np.float32(0.5), scaled)), -127, 127)
    return blocks.tobytes()


def pack_string(s):
    b = s.encode("utf-8")
    return struct.pack("<Q", len(b)) + b


def pack_value(kind, value):
    if kind == STRING:
        return pack_string(value)
    if kind == ARRAY:                                       # value = (element type, list)
        element, items = value
        return struct.pack("<IQ", element, len(items)) + b"".join(pack_value(element, v) for v in items)
    return struct.pack(SCALARS[kind], value)


def write_gguf(path, metadata, tensors):
    """metadata: [(key, kind, value)]; tensors: [(name, float32 array)]. Matrices become Q8_0."""
    infos, data, offset = [], [], 0
    for name, w in tensors:
        kind = TENSOR_Q8_0 if w.ndim == 2 else TENSOR_F32
        blob = quantize_q8_0(w) if kind == TENSOR_Q8_0 else np.ascontiguousarray(w, "<f4").tobytes()
        dims = w.shape[::-1]
        infos.append(pack_string(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset))
        blob += bytes(-len(blob) % ALIGNMENT)
        data.append(blob)
        offset += len(blob)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    head += b"".join(pack_string(k) + struct.pack("<I", t) + pack_value(t, v) for k, t, v in metadata)
    head += b"".join(infos)
    with open(path, "wb") as f:
        f.write(head + bytes(-len(head) % ALIGNMENT) + b"".join(data))


class Gguf:
    """Reads a file back: .meta {key: value}, .tensors {name: float32 array}, .sizes {name: bytes}."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.buf = f.read()
        self.at = 8
        assert self.buf[:4] == b"GGUF" and struct.unpack_from("<I", self.buf, 4)[0] == 3
        n_tensor, n_pair = self.take("<Q"), self.take("<Q")
        self.meta = {}
        for _ in range(n_pair):
            key = self.value(STRING)
            self.meta[key] = self.value(self.take("<I"))
        infos = []
        for _ in range(n_tensor):
            name, n_dims = self.value(STRING), self.take("<I")
            dims = [self.take("<Q") for _ in range(n_dims)]
            infos.append((name, dims[::-1], self.take("<I"), self.take("<Q")))
        alignment = self.meta.get("general.alignment", ALIGNMENT)
        start = -(-self.at // alignment) * alignment
        self.tensors, self.sizes = {}, {}
        for name, shape, kind, offset in infos:
            self.tensors[name], self.sizes[name] = self.tensor(shape, kind, start + offset)

    def take(self, fmt):
        v = struct.unpack_from(fmt, self.buf, self.at)[0]
        self.at += struct.calcsize(fmt)
        return v

    def value(self, kind):
        if kind == STRING:
            n = self.take("<Q")
            self.at += n
            return self.buf[self.at - n:self.at].decode("utf-8")
        if kind == ARRAY:
            element, n = self.take("<I"), self.take("<Q")
            return [self.value(element) for _ in range(n)]
        return self.take(SCALARS[kind])

    def tensor(self, shape, kind, at):
        n = math.prod(shape)
        if kind == TENSOR_F32:
            return np.frombuffer(self.buf, "<f4", n, at).reshape(shape), 4 * n
        if kind != TENSOR_Q8_0:
            raise ValueError(f"tensor type {kind} is not read here")
        blocks = np.frombuffer(self.buf, Q8_BLOCK, n // 32, at)
        x = blocks["d"].astype(np.float32)[:, None] * blocks["qs"].astype(np.float32)
        return x.reshape(shape), blocks.nbytes


# >>tokenizer ----------------------------------------------------------------------------------

def train_tokenizer(texts, size):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)   # pre = gpt-2
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=SIZES[size]["n_vocab"], special_tokens=SPECIALS[size],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False))
    return tok


def tokenizer_metadata(tok, size):
    pre = "tokenizer.ggml."
    spec = json.loads(tok.to_str())["model"]
    tokens = [t for t, _ in sorted(spec["vocab"].items(), key=lambda kv: kv[1])]
    merges = [m if isinstance(m, str) else " ".join(m) for m in spec["merges"]]
    types = [3 if t in SPECIALS[size] else 1 for t in tokens]          # control, normal
    rows = [(pre + "model", STRING, "gpt2"), (pre + "pre", STRING, "gpt-2"),
            (pre + "tokens", ARRAY, (STRING, tokens)), (pre + "token_type", ARRAY, (I32, types)),
            (pre + "merges", ARRAY, (STRING, merges)), (pre + "bos_token_id", U32, 0)]
    if size == "story":
        return rows + [(pre + "eos_token_id", U32, 1), (pre + "add_bos_token", BOOL, True),
                       (pre + "add_eos_token", BOOL, False),
                       ("tokenizer.chat_template", STRING, STORY_TEMPLATE)]
    return rows + [(pre + "eos_token_id", U32, 2), (pre + "eot_token_id", U32, 2),
                   (pre + "padding_token_id", U32, 0), (pre + "add_bos_token", BOOL, False),
                   (pre + "add_eos_token", BOOL, False),
                   ("tokenizer.chat_template", STRING, CHATML_TEMPLATE)]


def tokenizer_of(gguf):
    """The file's vocabulary and merges as a `tokenizers` object; control tokens match in text."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    t = "tokenizer.ggml."
    vocab = {s: i for i, s in enumerate(gguf.meta[t + "tokens"])}
    merges = [tuple(m.split(" ")) for m in gguf.meta[t + "merges"]]
    tok = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tok.decoder = decoders.ByteLevel()
    tok.add_special_tokens([AddedToken(s, special=True, normalized=False)
                            for s, kind in zip(gguf.meta[t + "tokens"], gguf.meta[t + "token_type"]) if kind == 3])
    return tok


# >>documents ----------------------------------------------------------------------------------

FIRST_SENTENCE = re.compile(r'(.+?[.!?]"?)\s+(.*)', re.S)
GO_ON = ["Go on.", "What happened then?", "And then?", "Tell me more."]
SYSTEM = "You tell short stories."


def read_stories(path):
    opener = lzma.open if str(path).endswith(".xz") else open
    with opener(path, "rt", encoding="utf-8") as f:
        return [json.loads(line)["text"] for line in f]


def chatml(turns):
    return "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in turns)


def document(text, size, rng):
    """One story as the text that the model is trained on, special tokens spelled out."""
    if size == "story":
        return f"<s>{text}</s>"
    m = FIRST_SENTENCE.match(text)
    shape = rng.random()
    if shape < 0.3 or m is None:                            # plain text, for raw prompts
        return text + "<|endoftext|>"
    turns = [("system", SYSTEM)] if rng.random() < 0.3 else []
    first, rest = m.groups()
    cut = rest.find("\n\n")
    if shape < 0.5 and cut > 0:                             # two turns
        turns += [("user", first), ("assistant", rest[:cut]), ("user", str(rng.choice(GO_ON))), ("assistant", rest[cut + 2:])]
    else:
        turns += [("user", first), ("assistant", rest)]
    return chatml(turns) + "<|endoftext|>"


def encode(tok, texts, size, rng):
    return [np.array(e.ids, np.int64) for e in tok.encode_batch([document(t, size, rng) for t in texts])]


NO_TARGET = 1 << 14             # added to an id that is read but not learned


class Noise:
    """Disturbs the first sentence of some stories: words become random words or made-up ones, names and
    endings stay, and a few single tokens further on are swapped. None of these are targets, so the model
    learns to tell a sound story after an opening unlike any in the corpus, and to recover from a slip."""

    def __init__(self, tok, share, rng):
        self.share, self.rng = share, rng
        text = [tok.id_to_token(i) for i in range(tok.get_vocab_size())]
        self.is_word = np.array([re.fullmatch("\u0120[a-z]+", t) is not None for t in text])      # U+0120: blank
        self.is_end = np.array([re.search("[.!?]", t) is not None for t in text])
        self.words = np.flatnonzero(self.is_word)
        self.pieces = np.flatnonzero([re.fullmatch("[a-z]{1,4}", t) is not None for t in text])

    def __call__(self, ids):
        rng = self.rng
        if rng.random() >= self.share:
            return ids
        ids = ids.copy()
        opening = int(np.argmax(self.is_end[ids])) + 1
        slips = opening + np.flatnonzero(rng.random(len(ids) - 1 - opening) < 0.01)
        ids[slips] = rng.choice(self.words, len(slips)) + NO_TARGET
        rate, out = rng.uniform(0.1, 0.9), []
        for i in ids[:opening]:
            if self.is_word[i] and rng.random() < rate:
                made_up = rng.integers(0, 3) if rng.random() < 0.5 else 0
                out += [rng.choice(self.words) + NO_TARGET] + [p + NO_TARGET for p in rng.choice(self.pieces, made_up)]
            else:
                out.append(i)
        return np.concatenate([np.array(out, np.int64), ids[opening:]])


def pack(docs, width, rng):
    """Rows [n, width] of whole documents in random order. A row starts with the start of a document;
    the one cut at a row's end starts the next row again."""
    rows, row, n_row = [], [], 0
    for i in rng.permutation(len(docs)):
        for _ in range(2):
            part = docs[i][:width - n_row]
            row.append(part)
            n_row += len(part)
            if n_row < width:
                break
            rows.append(np.concatenate(row))
            row, n_row = [], 0
            if len(part) == min(len(docs[i]), width):
                break
    return np.stack(rows)


# >>numpy reference ----------------------------------------------------------------------------

class Reference:
    """The llama forward pass as the file defines it, float32, no cache: ids -> logits [n, n_vocab]."""

    def __init__(self, gguf):
        m = gguf.meta
        self.w = gguf.tensors
        self.n_layer = m["llama.block_count"]
        self.n_head = m["llama.attention.head_count"]
        self.n_kv = m.get("llama.attention.head_count_kv", self.n_head)
        self.hd = m.get("llama.attention.key_length", m["llama.embedding_length"] // self.n_head)
        self.eps = np.float32(m["llama.attention.layer_norm_rms_epsilon"])
        self.base = m.get("llama.rope.freq_base", 10000.0)
        assert m.get("llama.rope.dimension_count", self.hd) == self.hd

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * self.w[name]

    def rope(self, x, n_head):
        """x [n, n_head * hd] -> [n_head, n, hd], element pairs (2i, 2i+1) turned by p * base^(-2i/hd)."""
        n = len(x)
        angle = np.arange(n)[:, None] * self.base ** (-np.arange(0, self.hd, 2) / self.hd)
        c, s = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
        x = x.reshape(n, n_head, self.hd).transpose(1, 0, 2)
        y = np.empty_like(x)
        y[..., 0::2] = x[..., 0::2] * c - x[..., 1::2] * s
        y[..., 1::2] = x[..., 0::2] * s + x[..., 1::2] * c
        return y

    def logits(self, ids):
        w, n = self.w, len(ids)
        x = w["token_embd.weight"][ids]
        future = np.triu(np.full((n, n), -np.inf, np.float32), 1)
        for i in range(self.n_layer):
            b = f"blk.{i}."
            h = self.norm(x, b + "attn_norm.weight")
            q = self.rope(h @ w[b + "attn_q.weight"].T, self.n_head)
            k = self.rope(h @ w[b + "attn_k.weight"].T, self.n_kv)
            v = (h @ w[b + "attn_v.weight"].T).reshape(n, self.n_kv, self.hd).transpose(1, 0, 2)
            k, v = (np.repeat(t, self.n_head // self.n_kv, axis=0) for t in (k, v))
            a = q @ k.transpose(0, 2, 1) / np.float32(math.sqrt(self.hd)) + future
            a = np.exp(a - a.max(-1, keepdims=True))
            a /= a.sum(-1, keepdims=True)
            x = x + (a @ v).transpose(1, 0, 2).reshape(n, -1) @ w[b + "attn_output.weight"].T
            h = self.norm(x, b + "ffn_norm.weight")
            gate = h @ w[b + "ffn_gate.weight"].T
            x = x + (gate / (1 + np.exp(-gate)) * (h @ w[b + "ffn_up.weight"].T)) @ w[b + "ffn_down.weight"].T
        x = self.norm(x, "output_norm.weight")
        return x @ w.get("output.weight", w["token_embd.weight"]).T

    def greedy(self, ids, n):
        """n further ids, with the margin (best minus second logit) of each."""
        ids, margins = list(ids), []
        for _ in range(n):
            row = self.logits(ids)[-1]
            second, best = np.argsort(row, kind="stable")[-2:]
            ids.append(int(best))
            margins.append(float(row[best] - row[second]))
        return ids[-n:], margins


def nmse(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(((a - b) ** 2).mean() / b.var())


REFERENCE_PROMPT = "Once upon a time, there was a little rabbit named Pip. Pip wanted to see the moon, but it was dark and"
REFERENCE_TEXTS = [
    "Once upon a time", "", "a", "\"I can't do it,\" said Mia. \"We'll try together!\"",
    "One day.\n\nThe next day,  two   spaces and a trailing one ", "Numbers 1, 22, 333 and 4.5%",
    "naïve café, Zürich, ½ cup", "你好，世界 — привет", "emoji 🙂👩‍👧 and\ttab\r\nCRLF",
    "<|im_start|>user\nHello<|im_end|>\n<|endoftext|>"]
REFERENCE_CHAT = [
    {"role": "system", "content": SYSTEM},
    {"role": "user", "content": "A letter came for Max, but there was no name on it."},
    {"role": "assistant", "content": "Max looked at the letter."},
    {"role": "user", "content": "Go on."}]


def write_reference(path, out):
    import jinja2
    gguf = Gguf(path)
    tok, ref = tokenizer_of(gguf), Reference(gguf)
    plain = tokenizer_of(gguf)
    plain.encode_special_tokens = True                      # spelled special tokens stay text
    g9 = lambda v: float(f"{v:.9g}")                        # enough digits for any float32
    ids = plain.encode(REFERENCE_PROMPT).ids
    logits = ref.logits(ids)
    top = np.argsort(-logits, axis=1, kind="stable")[:, :5]
    fixed = [int(i) for i in np.linspace(0, logits.shape[1] - 1, 16).round()]
    more, margins = ref.greedy(ids, 32)
    tokens = gguf.meta["tokenizer.ggml.tokens"]
    prompt = jinja2.Environment().from_string(gguf.meta["tokenizer.chat_template"]).render(
        messages=REFERENCE_CHAT, add_generation_prompt=True,
        bos_token=tokens[gguf.meta["tokenizer.ggml.bos_token_id"]])
    answer, answer_margins = ref.greedy(tok.encode(prompt).ids, 32)
    lines = {
        "about": "float32 numpy on the dequantised weights of the file; made by tools/train_tiny.py --reference. "
                 "texts: special tokens spelled in a text stay text; chat: they are matched",
        "prompt": REFERENCE_PROMPT, "ids": ids,
        "top5_ids": top.tolist(),
        "top5_logits": [[g9(logits[r, c]) for c in row] for r, row in enumerate(top)],
        "last_row_index": fixed, "last_row_logits": [g9(logits[-1, i]) for i in fixed],
        "greedy_ids": more, "greedy_margins": [g9(m) for m in margins], "greedy_text": tok.decode(more),
        "texts": [{"text": t, "ids": plain.encode(t).ids} for t in REFERENCE_TEXTS],
        "chat": {"messages": REFERENCE_CHAT, "prompt": prompt, "ids": tok.encode(prompt).ids,
                 "greedy_ids": answer, "greedy_margins": [g9(m) for m in answer_margins]}}
    with open(out, "w", encoding="utf-8") as f:             # one key a line
        f.write("{\n" + ",\n".join(json.dumps(k) + ": " + json.dumps(v) for k, v in lines.items()) + "\n}\n")
    print(f"{out}: {len(ids)} prompt ids, smallest greedy margin {min(margins):.4f}")


# >>model --------------------------------------------------------------------------------------

def build_model(hp, dropout=0.0):
    import torch
    from torch import nn
    from torch.nn import functional as F
    n_embd, n_head, n_kv, n_ff = hp["n_embd"], hp["n_head"], hp["n_head_kv"], hp["n_ff"]
    hd = n_embd // n_head

    class Norm(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(n_embd))

        def forward(self, x):
            x = x.float()
            return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + RMS_EPS) * self.weight

    def rope(x, cos, sin):                                  # x [batch, n_head, n, hd], pairs (i, i + hd/2)
        a, b = x.float().chunk(2, -1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1).to(x.dtype)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            lin = lambda i, o: nn.Linear(i, o, bias=False)
            self.attn_norm, self.ffn_norm = Norm(), Norm()
            self.attn_q, self.attn_k = lin(n_embd, n_head * hd), lin(n_embd, n_kv * hd)
            self.attn_v, self.attn_output = lin(n_embd, n_kv * hd), lin(n_head * hd, n_embd)
            self.ffn_gate, self.ffn_up, self.ffn_down = lin(n_embd, n_ff), lin(n_embd, n_ff), lin(n_ff, n_embd)
            self.drop = nn.Dropout(dropout)

        def forward(self, x, cos, sin):
            n_batch, n, _ = x.shape
            h = self.attn_norm(x)
            split = lambda t, heads: t.view(n_batch, n, heads, hd).transpose(1, 2)
            q = rope(split(self.attn_q(h), n_head), cos, sin)
            k = rope(split(self.attn_k(h), n_kv), cos, sin)
            v = split(self.attn_v(h), n_kv)
            k, v = (t.repeat_interleave(n_head // n_kv, 1) for t in (k, v))
            a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.drop(self.attn_output(a.transpose(1, 2).reshape(n_batch, n, -1)))
            h = self.ffn_norm(x)
            return x + self.drop(self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h)))

    class Llama(nn.Module):
        def __init__(self):
            super().__init__()
            self.token_embd = nn.Embedding(hp["n_vocab"], n_embd)
            self.blk = nn.ModuleList(Block() for _ in range(hp["n_layer"]))
            self.output_norm = Norm()
            angle = torch.arange(hp["n_ctx"]).double()[:, None] * ROPE_BASE ** (-torch.arange(0, hd, 2).double() / hd)
            self.register_buffer("cos", angle.cos().float(), persistent=False)
            self.register_buffer("sin", angle.sin().float(), persistent=False)
            for name, p in self.named_parameters():
                if p.ndim == 2:
                    last = name.endswith(("attn_output.weight", "ffn_down.weight"))
                    nn.init.normal_(p, std=0.02 / math.sqrt(2 * hp["n_layer"]) if last else 0.02)

        def forward(self, ids):                             # ids [batch, n] -> logits [batch, n, n_vocab]
            n = ids.shape[1]
            x = self.token_embd(ids)
            for b in self.blk:
                x = b(x, self.cos[:n], self.sin[:n])
            return F.linear(self.output_norm(x), self.token_embd.weight)

    return Llama()


def reorder(w, n_head, inverse=False):
    """Rows of attn_q / attn_k: within a head, row r of the first half goes to 2r, of the second to 2r+1."""
    hd = w.shape[0] // n_head
    inner = (hd // 2, 2) if inverse else (2, hd // 2)
    return np.ascontiguousarray(w.reshape(n_head, *inner, w.shape[1]).swapaxes(1, 2)).reshape(w.shape)


HEADS = {"attn_q": "n_head", "attn_k": "n_head_kv"}


def export_tensors(model, hp):
    out = []
    for name, p in model.state_dict().items():
        w = p.detach().float().cpu().numpy()
        kind = name.split(".")[-2]
        out.append((name, reorder(w, hp[HEADS[kind]]) if kind in HEADS else w))
    return out


def import_tensors(model, gguf, hp):
    """Loads the file's weights into the PyTorch model, undoing the row order."""
    import torch
    state = {}
    for name in model.state_dict():
        w, kind = gguf.tensors[name], name.split(".")[-2]
        state[name] = torch.tensor(reorder(w, hp[HEADS[kind]], inverse=True) if kind in HEADS else w)
    model.load_state_dict(state)


def model_metadata(size, hp, n_params):
    a = "llama."
    rows = [("general.architecture", STRING, "llama"), ("general.type", STRING, "model"),
            ("general.name", STRING, hp["name"]), ("general.size_label", STRING, f"{n_params / 1e6:.1f}M"),
            ("general.license", STRING, "CC0-1.0 OR MIT"), ("general.languages", ARRAY, (STRING, ["en"])),
            ("general.description", STRING, "trained by tools/train_tiny.py on program-composed short stories (CC0)"),
            ("general.file_type", U32, 7), ("general.quantization_version", U32, 2)]
    if size == "story":
        rows += [("general.sampling.temp", F32, 0.7), ("general.sampling.top_p", F32, 0.95)]
    return rows + [
        (a + "context_length", U32, hp["n_ctx"]), (a + "embedding_length", U32, hp["n_embd"]),
        (a + "block_count", U32, hp["n_layer"]), (a + "feed_forward_length", U32, hp["n_ff"]),
        (a + "attention.head_count", U32, hp["n_head"]), (a + "attention.head_count_kv", U32, hp["n_head_kv"]),
        (a + "attention.layer_norm_rms_epsilon", F32, RMS_EPS),
        (a + "rope.dimension_count", U32, hp["n_embd"] // hp["n_head"]), (a + "rope.freq_base", F32, ROPE_BASE),
        (a + "vocab_size", U32, hp["n_vocab"])]


# >>training -----------------------------------------------------------------------------------

def mean_loss(model, docs, n_ctx, device):
    """Mean nats a token over documents, each from an empty context."""
    import torch
    from torch.nn import functional as F
    total, count = 0.0, 0
    with torch.no_grad():
        for i in range(0, len(docs), 32):
            part = [d[:n_ctx + 1] for d in docs[i:i + 32]]
            width = max(map(len, part))
            ids = torch.zeros(len(part), width, dtype=torch.long)
            target = torch.full((len(part), width - 1), -100)
            for r, d in enumerate(part):
                ids[r, :len(d)] = torch.tensor(d)
                target[r, :len(d) - 1] = torch.tensor(d[1:])
            logits = model(ids[:, :-1].to(device)).float()
            total += F.cross_entropy(logits.flatten(0, 1), target.flatten().to(device), reduction="sum").item()
            count += int((target >= 0).sum())
    return total / count


def sample(model, tok, prompts, ends, n_ctx, device, seed, temp=0.7, top_p=0.95):
    """Continues each prompt (a list of ids) to an end id; returns the texts with prompt."""
    import torch
    gen = torch.Generator(device=device).manual_seed(seed)
    out = []
    for prompt in prompts:
        ids = list(prompt)
        while len(ids) < n_ctx:
            with torch.no_grad():
                row = model(torch.tensor([ids], device=device))[0, -1].float()
            p, order = torch.softmax(row / temp, -1).sort(descending=True)
            p[(p.cumsum(0) - p) > top_p] = 0
            ids.append(int(order[torch.multinomial(p, 1, generator=gen)]))
            if ids[-1] in ends:
                break
        out.append(tok.decode(ids, skip_special_tokens=False))
    return out


def train(args):
    import torch
    from torch.nn import functional as F
    hp = dict(SIZES[args.size])
    hp.update({k: v for k in ("epochs", "batch", "lr", "noise") if (v := getattr(args, k)) is not None})
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(args.seed)
    torch.set_float32_matmul_precision("high")
    rng = np.random.default_rng(args.seed)

    stories = read_stories(args.stories)
    n_val = len(stories) // 100
    held, kept = stories[-n_val:], stories[:-n_val]
    tok = train_tokenizer(kept, args.size)
    assert tok.get_vocab_size() == hp["n_vocab"]
    docs, val = encode(tok, kept, args.size, rng), encode(tok, held, args.size, rng)
    n_tokens = sum(map(len, docs))
    print(f"{len(kept)} stories, {n_tokens} tokens, longest {max(map(len, docs))}; {n_val} held out", flush=True)

    model = build_model(hp, args.dropout).to(device)
    n_params = sum(p.numel() for p in model.parameters())
    decay = [p for p in model.parameters() if p.ndim == 2]
    other = [p for p in model.parameters() if p.ndim != 2]
    opt = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": other, "weight_decay": 0.0}],
                            lr=hp["lr"], betas=(0.9, 0.95), fused=device == "cuda")
    step_model = torch.compile(model) if device == "cuda" else model
    noise = Noise(tok, hp["noise"], rng)
    epoch = lambda: pack([noise(d) for d in docs] if hp["noise"] else docs, hp["n_ctx"] + 1, rng)
    rows = epoch()
    per_epoch = len(rows) // hp["batch"] - 2                # rows vary a little from epoch to epoch
    steps = args.steps or per_epoch * hp["epochs"]
    warmup = min(200, steps // 10 + 1)
    started, recent, step = time.time(), [], 0
    while step < steps:
        batches = torch.from_numpy(rows[:per_epoch * hp["batch"]].astype(np.int32)).to(device)
        for ids in batches.view(per_epoch, hp["batch"], -1):
            if step == steps:
                break
            # linear warm-up, then a cosine down to 2 %
            lr = hp["lr"] * min((step + 1) / warmup, 0.02 + 0.49 * (1 + math.cos(math.pi * step / steps)))
            for group in opt.param_groups:
                group["lr"] = lr
            target = torch.where(ids >= NO_TARGET, -100, ids)[:, 1:].long()
            ids = (ids % NO_TARGET).long()
            with torch.autocast(device, torch.bfloat16):
                logits = step_model(ids[:, :-1])
            loss = F.cross_entropy(logits.float().flatten(0, 1), target.flatten())
            opt.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            opt.step()
            recent.append(loss.detach())
            step += 1
            if step % 500 == 0 or step == steps:
                train_loss = torch.stack(recent[-200:]).mean().item()
                print(f"step {step}/{steps}  train {train_loss:.4f}  {time.time() - started:.0f} s", flush=True)
        rows = epoch() if step < steps else None
    seconds = time.time() - started

    model.eval()
    torch.set_float32_matmul_precision("highest")
    val_loss = mean_loss(model, val, hp["n_ctx"], device)
    write_gguf(args.out, model_metadata(args.size, hp, n_params) + tokenizer_metadata(tok, args.size),
               export_tensors(model, hp))

    gguf = Gguf(args.out)
    assert tokenizer_of(gguf).encode(held[0]).ids == tok.encode(held[0]).ids
    ids = val[0][:hp["n_ctx"]]
    on_torch = lambda: model(torch.tensor(ids)[None].to(device))[0].detach().float().cpu().numpy()
    from_file, exact = Reference(gguf).logits(ids), on_torch()
    import_tensors(model, gguf, hp)
    report = dict(
        size=args.size, parameters=n_params, file_bytes=len(gguf.buf), shape=hp, seed=args.seed, dropout=args.dropout,
        stories=len(kept), held_out=n_val, tokens=n_tokens, steps=steps, seconds=round(seconds, 1),
        device=torch.cuda.get_device_name(0) if device == "cuda" else "cpu",
        train_loss=train_loss, val_loss=val_loss, val_loss_file=mean_loss(model, val, hp["n_ctx"], device),
        nmse_file_against_trained=nmse(from_file, exact), nmse_numpy_against_torch_same_weights=nmse(from_file, on_torch()))
    print(json.dumps(report, indent=1))
    if args.log:
        with open(args.log, "w", encoding="utf-8") as f:
            json.dump(report, f, indent=1)
    if args.openings:
        with open(args.openings, encoding="utf-8") as f:
            lines = [line.strip() for line in f if line.strip()]
        if args.size == "story":
            prompts, ends = ["<s>" + o for o in lines], {1}
        else:
            prompts, ends = [chatml([("user", o)]) + "<|im_start|>assistant\n" for o in lines], {0, 2}
        texts = sample(model, tok, [tok.encode(p).ids for p in prompts], ends, hp["n_ctx"], device, args.seed)
        print("\n\n".join(f"[{i}] {t}" for i, t in enumerate(texts)))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--size", choices=SIZES)
    p.add_argument("--stories", help="stories.jsonl or stories.jsonl.xz, one {\"text\": ...} a line")
    p.add_argument("--reference", metavar="FILE.gguf", help="write the reference of an existing file instead of training")
    p.add_argument("--out", required=True, help="the GGUF file, or the JSON file of --reference")
    p.add_argument("--openings", help="text file of opening lines to continue after training")
    p.add_argument("--log", help="JSON file for the numbers of the run")
    p.add_argument("--epochs", type=int)
    p.add_argument("--steps", type=int, help="overrides --epochs")
    p.add_argument("--batch", type=int, help="rows of n_ctx tokens a step")
    p.add_argument("--lr", type=float)
    p.add_argument("--noise", type=float, help="share of stories whose opening is disturbed")
    p.add_argument("--dropout", type=float, default=0.0)
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    if args.reference:
        write_reference(args.reference, args.out)
    elif args.size and args.stories:
        train(args)
    else:
        p.error("give --size and --stories, or --reference")


if __name__ == "__main__":
    main()
