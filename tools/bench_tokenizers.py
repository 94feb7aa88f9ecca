#!/usr/bin/env python3
"""Speed of build/allm and of Hugging Face tokenizers on the same texts, one thread each, megabytes a second.

needs: pip install tokenizers
usage: bench_tokenizers.py TOKENIZER.json TEXT... [--cut 4096] [--reps 5] [--allm build/allm]
Each text is cut into pieces of about so many bytes, at line ends; time is that of the tokenizer alone, the best of all
repetitions. Exit 1 if the ids differ.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer  # noqa: E402


def cut(text, size):
    out, n = [""], 0
    for line in text.splitlines(keepends=True):
        if n > size:
            out.append("")
            n = 0
        out[-1] += line
        n += len(line.encode())
    return out


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("tokenizer"), ap.add_argument("texts", nargs="+")
    ap.add_argument("--cut", type=int, default=4096), ap.add_argument("--reps", type=int, default=5)
    ap.add_argument("--allm", default="build/allm")
    args = ap.parse_args()
    tok, bad = Tokenizer.from_file(args.tokenizer), 0
    for path in args.texts:
        with open(path, encoding="utf-8", newline="") as f:
            pieces = cut(f.read(), args.cut)
        n_bytes, best, ours = sum(len(x.encode()) for x in pieces), 1e9, 1e9
        lines = "".join(json.dumps(x) + "\n" for x in pieces).encode()
        for _ in range(args.reps):
            start = time.perf_counter()
            want = [tok.encode(x, add_special_tokens=False).ids for x in pieces]
            best = min(best, time.perf_counter() - start)
            r = subprocess.run([args.allm, "tokenize", "-m", args.tokenizer, "--special", "--jsonl", "--stats"],
                               input=lines, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
            ours = min(ours, float(re.search(rb"([0-9.]+) seconds", r.stderr)[1]))
        same = [json.loads(x) for x in r.stdout.decode().split("\n")[:-1]] == want
        bad += not same
        print(f"{os.path.basename(path):16} {n_bytes:9d} bytes  tokenizers {n_bytes / best / 1e6:7.2f} MB/s"
              f"  allm {n_bytes / ours / 1e6:7.2f} MB/s  {best / ours:6.2f} x{'' if same else '  ids differ'}", flush=True)
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
