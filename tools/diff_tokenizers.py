#!/usr/bin/env python3
"""Random texts through build/allm and Hugging Face tokenizers: ids with and without special tokens, and decoded text.

needs: pip install tokenizers
usage: diff_tokenizers.py MODEL TOKENIZER.json [-n 20000] [--seed 1] [--allm build/allm]
MODEL is what build/allm opens: a GGUF made from that tokenizer, or the tokenizer.json itself.
Prints what differs (three of each kind) and the counts; exit 1 if anything does.
"""
import argparse
import json
import random
import subprocess
import sys

from tokenizers import Tokenizer

BLOCKS = [(0x20, 0x7e)] * 6 + [
    (0x00, 0x1f), (0xa0, 0x17f), (0x300, 0x36f), (0x370, 0x52f), (0x590, 0x6ff), (0x900, 0x97f), (0xe00, 0xe7f),
    (0x1100, 0x11ff), (0x1e00, 0x1fff), (0x2000, 0x206f), (0x2100, 0x218f), (0x3000, 0x30ff), (0x4e00, 0x9fff),
    (0xac00, 0xd7a3), (0xf900, 0xfaff), (0xfe00, 0xfffd), (0x10000, 0x1ffff), (0x20000, 0x2fa1f), (0xe0000, 0xe01ef)]
SPACES = [" ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", " \n", "\u00a0", "\u3000", "\u2028", "\x85"]
SHORT = ["'s", "'LL", "'\u017f", "don't", "1", "12", "123", "1234567", "a.b", "e\u0301", "!?", "...", "(", "_", "//"]


def random_text(rng, pieces, added, most):
    """Tokens of the vocabulary, characters of any script, white space, special tokens and near misses."""
    out = []
    for _ in range(rng.randrange(most)):
        k = rng.random()
        if k < .35:
            out.append(rng.choice(pieces))
        elif k < .5:
            out.append(rng.choice(SPACES))
        elif k < .65:
            out.append(rng.choice(SHORT))
        elif k < .95 or not added:
            a, b = rng.choice(BLOCKS)
            out.append("".join(chr(rng.randint(a, b)) for _ in range(rng.choice((1, 1, 2, 5)))))
        else:
            a = rng.choice(added)
            out.append(rng.choice((a, a, a[:-1], a[1:], a + a[-1])))
    if rng.random() < .02:
        out.append(rng.choice(pieces + SPACES) * rng.choice((10, 100, 1000)))
    return "".join(out)


def allm(args, command, lines):
    """One JSON line out for each in."""
    text = "".join(json.dumps(x) + "\n" for x in lines)
    command = [args.allm, *command, "-m", args.model, "--jsonl"]
    r = subprocess.run(command, input=text.encode(), stdout=subprocess.PIPE, check=True)
    return [json.loads(x) for x in r.stdout.decode().split("\n")[:-1]]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("model"), ap.add_argument("tokenizer")
    ap.add_argument("-n", type=int, default=20000), ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--allm", default="build/allm")
    args = ap.parse_args()
    tok, rng = Tokenizer.from_file(args.tokenizer), random.Random(args.seed)
    with open(args.tokenizer, encoding="utf-8") as f:
        added = [t["content"] for t in json.load(f)["added_tokens"]]
    n = tok.get_vocab_size()
    pieces = [tok.decode([i], skip_special_tokens=False) for i in rng.sample(range(n), min(n, 4000))]
    pieces = [s for s in pieces if s and "\ufffd" not in s]
    texts = [random_text(rng, pieces, added, rng.choice((4, 12, 40))) for _ in range(args.n)]
    n_bad = 0
    for special, around in ((True, True), (False, False)):
        tok.encode_special_tokens = not special
        want = [tok.encode(t, add_special_tokens=around).ids for t in texts]
        got = allm(args, ["tokenize"] + ["--special"] * special + ["--bos"] * around, texts)
        bad = [(t, w, g) for t, w, g in zip(texts, want, got, strict=True) if w != g]
        decoded = allm(args, ["detokenize"], want)
        bad += [(w, d, g) for w, g in zip(want, decoded) if (d := tok.decode(w, skip_special_tokens=False)) != g]
        skipped = allm(args, ["detokenize", "--skip-special", "--stream"], want)
        bad += [(w, d, g) for w, g in zip(want, skipped) if (d := tok.decode(w)) != "".join(g)]
        for case in bad[:3]:
            print(*(ascii(x)[:200] for x in case), sep="\n    ")
        print("special tokens" if special else "plain", len(texts), "texts,", len(bad), "differ", flush=True)
        n_bad += len(bad)
    sys.exit(n_bad > 0)


if __name__ == "__main__":
    main()
