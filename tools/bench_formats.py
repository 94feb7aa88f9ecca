#!/usr/bin/env python3
"""Decoding speed of every weight format beside Q8_0's. Python 3.9 and its standard library.

    tools/bench_formats.py [FORMAT ...] [--dir build/formats] [--pairs 3] [--tokens 24] [--threads 1] [--isa NAME]
                           [--allm build/allm] [--prefix "chrt -f 20"] [--test tg|pp] [--keep] [--markdown]

Makes one model for each format, a llama of 144 million random weights all of whose matrices have that format (folders
whose formats have no embeddings: these in F16), in a GGUF file or a folder as the tools that write the format lay it
out. Speed does not depend on the values. A pair is Q8_0, format, format, Q8_0, one behind the other; the table gives
medians of pairs.

  bits      of a weight in the file; and as it lies in memory when the kernels read it
  weights   a second, beside those of Q8_0
  file      bytes of the file's matrices that a second's tokens stand for, beside those of Q8_0
  memory    bytes that are in fact read a second, beside those of Q8_0; and in GB/s
--test pp times a prompt of 256 tokens instead."""
import argparse, json, os, random, re, statistics, struct, subprocess, sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DIM, FF, LAYERS, HEADS, KV, VOCAB = 1024, 2816, 12, 16, 4, 8192
HEAD_DIM = DIM // HEADS
BLOCKS = 4099  # different ones, over and over: of no length that lines up with rows
random.seed(5)

# GGUF: name -> type, weights and bytes of a block, bytes that are not random at (place, value): scales
H = b"\x00\x14"  # 2^-10 in f16
GGUF = {
    "F32": (0, 1, 4, None), "F16": (1, 1, 2, None), "BF16": (30, 1, 2, None),
    "Q8_0": (8, 32, 34, [(0, H)]), "Q4_0": (2, 32, 18, [(0, H)]), "Q4_1": (3, 32, 20, [(0, H), (2, H)]),
    "Q5_0": (6, 32, 22, [(0, H)]), "Q5_1": (7, 32, 24, [(0, H), (2, H)]),
    "Q2_K": (10, 256, 84, [(80, H), (82, H)]), "Q3_K": (11, 256, 110, [(108, H)]),
    "Q4_K": (12, 256, 144, [(0, H), (2, H)]), "Q5_K": (13, 256, 176, [(0, H), (2, H)]),
    "Q6_K": (14, 256, 210, [(208, H)]), "IQ4_NL": (20, 32, 18, [(0, H)]), "IQ4_XS": (23, 256, 136, [(0, H)]),
    "IQ1_S": (19, 256, 50, [(0, H)]), "IQ1_M": (29, 256, 56, [(49, b"\x00"), (51, b"\x00"), (53, b"\x40"), (55, b"\x10")]),
    "IQ2_XXS": (16, 256, 66, [(0, H)]), "IQ2_XS": (17, 256, 74, [(0, H)]), "IQ2_S": (22, 256, 82, [(0, H)]),
    "IQ3_XXS": (18, 256, 98, [(0, H)]), "IQ3_S": (21, 256, 110, [(0, H)]),
    "TQ1_0": (34, 256, 54, [(52, H)]), "TQ2_0": (35, 256, 66, [(64, H)]),
    "Q1_0": (41, 128, 18, [(0, H)]), "Q2_0": (42, 64, 18, [(0, H)]),
    "MXFP4": (39, 32, 17, [(0, b"\x75")]), "NVFP4": (40, 64, 36, [(0, b"\x18\x18\x18\x18")]),
}

# folders: name -> (kind, bits, columns of a group, type of the scales)
FOLDERS = {
    **{f"MLX-{b}": ("mlx", b, 64, "F16") for b in (2, 3, 4, 5, 6, 8)},
    "MLX-4-g32": ("mlx", 4, 32, "F16"), "MLX-4-g128-bf16": ("mlx", 4, 128, "BF16"),
    "MLX-8-g32": ("mlx", 8, 32, "F16"), "MLX-8-g128-bf16": ("mlx", 8, 128, "BF16"), "MLX-6-g32": ("mlx", 6, 32, "F16"),
    "MLX-mxfp4": ("mxfp4", 4, 32, "U8"), "MLX-mxfp8": ("mxfp8", 8, 32, "U8"), "MLX-nvfp4": ("nvfp4", 4, 16, "U8"),
    "GPTQ-4": ("gptq", 4, 128, "F16"), "GPTQ-4-act": ("gptq-act", 4, 128, "F16"), "GPTQ-8": ("gptq", 8, 128, "F16"),
    "AWQ": ("awq", 4, 128, "F16"), "CT-int4": ("ct", 4, 128, "BF16"), "CT-int8": ("ct8", 8, 0, "BF16"),
    "FP8-block": ("fp8", 8, 128, "F32"), "FP8-row": ("ct-fp8", 8, 0, "BF16"), "BNB-nf4": ("nf4", 4, 64, "F32"),
}


def matrices():
    """(HF name, GGUF name, rows, columns) of those that a token meets"""
    yield "model.embed_tokens", "token_embd", VOCAB, DIM
    for i in range(LAYERS):
        for hf, gguf, rows, cols in (("self_attn.q_proj", "attn_q", DIM, DIM),
                                     ("self_attn.k_proj", "attn_k", KV * HEAD_DIM, DIM),
                                     ("self_attn.v_proj", "attn_v", KV * HEAD_DIM, DIM),
                                     ("self_attn.o_proj", "attn_output", DIM, DIM), ("mlp.gate_proj", "ffn_gate", FF, DIM),
                                     ("mlp.up_proj", "ffn_up", FF, DIM), ("mlp.down_proj", "ffn_down", DIM, FF)):
            yield f"model.layers.{i}.{hf}", f"blk.{i}.{gguf}", rows, cols


def norms():
    yield "model.norm", "output_norm"
    for i in range(LAYERS):
        yield f"model.layers.{i}.input_layernorm", f"blk.{i}.attn_norm"
        yield f"model.layers.{i}.post_attention_layernorm", f"blk.{i}.ffn_norm"


N_WEIGHTS = sum(r * c for _, _, r, c in matrices())


def number(kind):
    """a weight of moderate size"""
    x = random.uniform(-0.03, 0.03)
    if kind == "F32":
        return struct.pack("<f", x)
    return struct.pack("<e", x) if kind == "F16" else struct.pack("<f", x)[2:]


def repeated(block, n):
    return (block * (n // len(block) + 1))[:n]


# ---- GGUF


def gguf(path, name):
    type_, n_weights, n_bytes, fixed = GGUF[name]
    if fixed is None:
        blocks = b"".join(number(name) for _ in range(16 * BLOCKS))
    else:
        blocks = bytearray(random.randbytes(BLOCKS * n_bytes))
        for at, value in fixed:
            for i in range(BLOCKS):
                blocks[i * n_bytes + at : i * n_bytes + at + len(value)] = value
        blocks = bytes(blocks)
    text = lambda s: struct.pack("<Q", len(s)) + s.encode()
    u32 = lambda k, v: text(k) + struct.pack("<II", 4, v)
    f32 = lambda k, v: text(k) + struct.pack("<If", 6, v)
    keys = [text("general.architecture") + struct.pack("<I", 8) + text("llama"),
            text("tokenizer.ggml.model") + struct.pack("<I", 8) + text("no_vocab"),
            u32("llama.context_length", 4096), u32("llama.embedding_length", DIM), u32("llama.block_count", LAYERS),
            u32("llama.feed_forward_length", FF), u32("llama.attention.head_count", HEADS),
            u32("llama.attention.head_count_kv", KV), f32("llama.attention.layer_norm_rms_epsilon", 1e-5),
            f32("llama.rope.freq_base", 10000.0), u32("llama.rope.dimension_count", HEAD_DIM),
            u32("llama.vocab_size", VOCAB)]
    tensors = [(g + ".weight", (c, r), type_, r * c // n_weights * n_bytes) for _, g, r, c in matrices()]
    tensors += [(g + ".weight", (DIM,), 0, 4 * DIM) for _, g in norms()]
    head, at = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)) + b"".join(keys), 0
    for name_, dims, t, size in tensors:
        head += text(name_) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, t, at)
        at += (size + 31) // 32 * 32
    with open(path, "wb") as f:
        f.write(head + bytes(-len(head) % 32))
        for _, dims, t, size in tensors:
            f.write(repeated(blocks, size) if len(dims) > 1 else struct.pack("<f", 1.0) * DIM)
            f.write(bytes(-size % 32))
    return sum(size for _, dims, _, size in tensors if len(dims) > 1)


# ---- folders


def parts(kind, bits, group, scale, rows, cols, plain):
    """(ending, dtype, shape, bytes) of a matrix"""
    fill = lambda n: repeated(CODES, n)
    fp8 = lambda n: repeated(CODES8, n)
    numbers = lambda n, t: repeated(SCALES[t], n * len(SCALES[t]) // 512)
    if plain or kind == "plain":
        return [(".weight", "F16", [rows, cols], numbers(rows * cols, "F16"))]
    n = cols // group if group else 1
    words = cols * bits // 32
    if kind in ("mlx", "mxfp4", "mxfp8", "nvfp4"):
        out = [(".weight", "U32", [rows, words], (fp8 if kind == "mxfp8" else fill)(4 * rows * words))]
        if kind != "mlx":
            return out + [(".scales", "U8", [rows, n], (b"\x75" if kind[0] == "m" else b"\x18") * (rows * n))]
        return out + [(e, scale, [rows, n], numbers(rows * n, scale)) for e in (".scales", ".biases")]
    if kind[:4] == "gptq":
        g_idx = [c % n if kind == "gptq-act" else c // group for c in range(cols)]
        return [(".qweight", "I32", [words, rows], fill(4 * words * rows)),
                (".qzeros", "I32", [n, rows * bits // 32], b"\x77" * (n * rows * bits // 8)),
                (".scales", scale, [n, rows], numbers(rows * n, scale)),
                (".g_idx", "I32", [cols], struct.pack(f"<{cols}i", *g_idx))]
    if kind == "awq":
        return [(".qweight", "I32", [cols, rows // 8], fill(cols * rows // 2)),
                (".qzeros", "I32", [n, rows // 8], fill(n * rows // 2)),
                (".scales", scale, [n, rows], numbers(rows * n, scale))]
    if kind == "ct":
        return [(".weight_packed", "I32", [rows, words], fill(4 * rows * words)),
                (".weight_scale", scale, [rows, n], numbers(rows * n, scale)),
                (".weight_shape", "I64", [2], struct.pack("<2q", rows, cols))]
    if kind in ("ct8", "ct-fp8"):
        return [(".weight", "I8" if kind == "ct8" else "F8_E4M3", [rows, cols], fp8(rows * cols)),
                (".weight_scale", scale, [rows, 1], numbers(rows, scale))]
    if kind == "fp8":
        grid = [-(-rows // group), -(-cols // group)]
        return [(".weight", "F8_E4M3", [rows, cols], fp8(rows * cols)),
                (".weight_scale_inv", scale, grid, numbers(grid[0] * grid[1], scale))]
    state = json.dumps({"quant_type": "nf4", "blocksize": group, "dtype": "float16", "shape": [rows, cols]}).encode()
    nf4 = [-1, -0.6961928, -0.52507305, -0.3949175, -0.28444138, -0.18477343, -0.091050036, 0, 0.0795803, 0.1609302,
           0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1]
    return [(".weight", "U8", [rows * cols // 2, 1], fill(rows * cols // 2)),
            (".weight.absmax", "F32", [rows * cols // group], numbers(rows * cols // group, "F32")),
            (".weight.quant_map", "F32", [16], struct.pack("<16f", *nf4)),
            (".weight.quant_state.bitsandbytes__nf4", "U8", [len(state)], state)]


def config(kind, bits, group):
    weights = {"num_bits": bits, "type": "float" if kind == "ct-fp8" else "int", "symmetric": True,
               "strategy": "group" if group else "channel", "group_size": group or None}
    method = {"gptq": {"quant_method": "gptq", "bits": bits, "group_size": group, "desc_act": False, "sym": True},
              "gptq-act": {"quant_method": "gptq", "bits": bits, "group_size": group, "desc_act": True, "sym": True},
              "awq": {"quant_method": "awq", "bits": bits, "group_size": group, "zero_point": True, "version": "gemm"},
              "fp8": {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [group, group]},
              "nf4": {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4",
                      "_load_in_4bit": True}}.get(kind)
    if kind[:2] == "ct":
        method = {"quant_method": "compressed-tensors", "quantization_status": "compressed", "ignore": ["lm_head"],
                  "format": {"ct": "pack-quantized", "ct8": "int-quantized", "ct-fp8": "float-quantized"}[kind],
                  "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}}}
    c = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": DIM, "intermediate_size": FF,
         "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": KV, "vocab_size": VOCAB,
         "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": True,
         "torch_dtype": "float16"}
    if method:
        c["quantization_config"] = method
    elif kind != "plain":
        c["quantization"] = {"group_size": group, "bits": bits, "mode": "affine" if kind == "mlx" else kind}
    return c


def folder(path, name):
    kind, bits, group, scale = FOLDERS[name]
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "config.json"), "w") as f:
        json.dump(config(kind, bits, group), f)
    embeds = kind in ("mlx", "mxfp4", "mxfp8", "nvfp4")
    all_, head, at, size = [], {}, 0, 0
    for hf, _, rows, cols in matrices():
        for end, dtype, shape, data in parts(kind, bits, group, scale, rows, cols, "embed" in hf and not embeds):
            all_.append((hf + end, dtype, shape, data))
            size += len(data)
    all_ += [(hf + ".weight", "F16", [DIM], struct.pack("<e", 1.0) * DIM) for hf, _ in norms()]
    for n, dtype, shape, data in all_:
        head[n] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(path, "model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for *_, data in all_:
            f.write(data)
    return size


CODES = random.randbytes(16 * BLOCKS)
CODES8 = CODES.replace(b"\x7f", b"\x01").replace(b"\xff", b"\x02")  # NaN of FP8
SCALES = {t: b"".join(number(t) for _ in range(512)) for t in ("F32", "F16", "BF16")}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("formats", nargs="*")
    p.add_argument("--dir", default=os.path.join(ROOT, "build", "formats"))
    p.add_argument("--allm", default=os.path.join(ROOT, "build", "allm"))
    p.add_argument("--prefix", default="")
    p.add_argument("--isa")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--pairs", type=int, default=3)
    p.add_argument("--tokens", type=int, default=24)
    p.add_argument("--test", choices=("tg", "pp"), default="tg")
    p.add_argument("--keep", action="store_true", help="leave the models there")
    p.add_argument("--markdown", action="store_true")
    o = p.parse_args()
    os.makedirs(o.dir, exist_ok=True)

    def call(*args):
        r = subprocess.run([*o.prefix.split(), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if r.returncode:
            raise RuntimeError(r.stderr.strip())
        return json.loads(r.stdout.strip().splitlines()[-1])

    def speed(path):
        n = ["-p", "0", "-n", str(o.tokens)] if o.test == "tg" else ["-p", "256", "-n", "0"]
        isa = ["--isa", o.isa] if o.isa else []
        return call(o.allm, "bench", "-m", path, *n, "-r", "3", "-t", str(o.threads), *isa, "--json")

    def make(name):
        path = os.path.join(o.dir, name + (".gguf" if name in GGUF else ""))
        size = gguf(path, name) if name in GGUF else folder(path, name)
        plan = call(o.allm, "plan", path, "--json", "-c", "256")
        return path, size, plan

    unknown = [n for n in o.formats if n not in GGUF and n not in FOLDERS]
    if unknown:
        p.error(f"unknown: {' '.join(unknown)}; known: {' '.join([*GGUF, *FOLDERS])}")
    base, base_size, plan = make("Q8_0")
    best = lambda r: (o.tokens if o.test == "tg" else 256) / min(r["seconds"])
    row = "| {} | {} | {} | {} | {} | {} | {} |" if o.markdown else "{:16} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}"
    print(row.format("format", "bits", "in memory", "weights", "file", "memory", "GB/s"))
    if o.markdown:
        print("|---|---|---|---|---|---|---|")
    base_memory = plan["repacked"]
    for name in o.formats or [*GGUF, *FOLDERS]:
        path, size, plan = make(name)
        ratios, rates = [], []
        try:
            for _ in range(o.pairs):
                a, b, c, d = (best(speed(x)) for x in (base, path, path, base))
                ratios.append((b + c) / (a + d))
                rates.append((b + c) / 2)
        except RuntimeError as e:
            print(f"{name}: {e}", flush=True)
            continue
        r, per = statistics.median(ratios), statistics.median(rates)
        print(row.format(name, f"{8 * size / N_WEIGHTS:.2f}", f"{8 * plan['repacked'] / N_WEIGHTS:.2f}", f"{r:.2f}",
                         f"{r * size / base_size:.2f}", f"{r * plan['repacked'] / base_memory:.2f}",
                         f"{per * plan['repacked'] * 1e-9:.1f}"), flush=True)
        if not o.keep and name != "Q8_0":
            subprocess.run(["rm", "-r", path])


main()
