#!/usr/bin/env python3
"""What rounding in the kernels costs: mean KL divergence from the same file's weights in float32. Python 3.9, numpy.

    tools/bench_quality.py MODEL.gguf [MODEL.gguf ...] [--text README.md] [--window 512] [--windows 4]
                           [--peer NAME=FOLDER[,FLAG...]]

Ours: the default path against --reference. --peer: a folder with a llama-perplexity (of llama.cpp or ik_llama.cpp), which is
compared with itself on the file that `allm convert --type F32` makes of the model, so that each engine is measured against
its own float path. As llama-perplexity does it, the second half of each window counts."""
import argparse, os, re, subprocess, sys, tempfile
import numpy

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OURS = os.path.join(ROOT, "build", "allm")


def run(cmd, **more):
    r = subprocess.run(cmd, capture_output=True, text=True, **more)
    if r.returncode:
        sys.exit(f"bench_quality.py: {' '.join(cmd)[:200]}: exit {r.returncode}: {r.stderr[-300:].strip()}")
    return r.stdout + r.stderr


def log_probs(model, ids, tmp, *flags):
    """Of the tokens in the second half of a window: [n, n_vocab]"""
    out = os.path.join(tmp, "logits")
    run([OURS, "logits", "-m", model, "--ids", ",".join(map(str, ids)), "-c", str(len(ids)), "-o", out, *flags])
    x = numpy.fromfile(out, dtype="<f4").reshape(len(ids), -1).astype(numpy.float64)[len(ids) // 2 - 1:-1]
    x -= x.max(1, keepdims=True)
    return x - numpy.log(numpy.exp(x).sum(1, keepdims=True))


def ours(model, args, tmp):
    with open(args.text, encoding="utf-8") as f:
        ids = [int(x) for x in run([OURS, "tokenize", "-m", model], stdin=f).split()]
    kl, same = [], []
    for i in range(min(args.windows, len(ids) // args.window)):
        some = ids[i * args.window:(i + 1) * args.window]
        want, got = log_probs(model, some, tmp, "--reference"), log_probs(model, some, tmp)
        kl.append((numpy.exp(want) * (want - got)).sum(1))
        same.append(want.argmax(1) == got.argmax(1))
    kl, same = numpy.concatenate(kl), numpy.concatenate(same)
    return kl.mean(), kl.std() / len(kl) ** 0.5, 100 * same.mean()


def peer(folder, flags, model, floats, args, tmp):
    base = os.path.join(tmp, "base")
    cmd = [os.path.join(folder, "llama-perplexity"), "-f", os.path.abspath(args.text), "-c", str(args.window), "--chunks",
           str(args.windows), "--kl-divergence-base", base] + flags
    run(cmd + ["-m", floats], cwd=tmp)
    text = run(cmd + ["-m", os.path.abspath(model), "--kl-divergence"], cwd=tmp)
    kl = re.search(r"Mean\s+KLD:\s*([-0-9.]+)\s*\S+\s*([0-9.]+)", text)
    same = re.search(r"Same top p:\s*([0-9.]+)", text)
    if not kl or not same:
        sys.exit(f"bench_quality.py: no divergence in what llama-perplexity says: {text[-300:].strip()}")
    return float(kl[1]), float(kl[2]), float(same[1])


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("models", nargs="+")
    p.add_argument("--text", default=os.path.join(ROOT, "README.md"))
    p.add_argument("--window", type=int, default=512)
    p.add_argument("--windows", type=int, default=4)
    p.add_argument("--peer", action="append", default=[])
    args = p.parse_args()
    print("| model | engine | mean KL | same best token |\n|---|---|---|---|")
    for model in args.models:
        with tempfile.TemporaryDirectory() as tmp:
            rows = [("abstractllm.h", ours(model, args, tmp))]
            floats = os.path.join(tmp, "floats.gguf")
            if args.peer:
                run([OURS, "convert", model, floats, "--type", "F32"])
            for text in args.peer:
                name, rest = text.split("=", 1)
                folder, *flags = rest.split(",")
                rows.append((name, peer(os.path.abspath(folder), flags, model, floats, args, tmp)))
        for name, (kl, error, same) in rows:
            print(f"| {os.path.basename(model)} | {name} | {kl:.5f} +- {error:.5f} | {same:.2f} % |", flush=True)


if __name__ == "__main__":
    main()
