#!/usr/bin/env python3
"""Random texts through build/allm and Hugging Face tokenizers: ids with and without special tokens, decoded text, chunks.

needs: pip install tokenizers
usage: diff_tokenizers.py TOKENIZER.json [-m MODEL] [-n 20000] [--seed 1] [--added N] [--allm build/allm]
MODEL is what build/allm opens, a GGUF made from that tokenizer for example; without it, the tokenizer.json itself.
TOKENIZER.json may also be an object that holds one under "tokenizer". --added N gives it N more tokens, of random
spelling and with random lstrip, rstrip, single_word, normalized and special.
Compared are: three ways to encode a text, texts of arbitrary bytes (a text is what is left when each ill-formed part is
U+FFFD), decoded ids of texts and of nobody's choice, and the joined chunks of a stream. Where the reference refuses,
so must we. Prints what differs (three of each kind) and the counts; exit 1 if anything does.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer  # noqa: E402

BLOCKS = [(0x20, 0x7e)] * 6 + [
    (0x00, 0x1f), (0x7f, 0x9f), (0xa0, 0x17f), (0x300, 0x36f), (0x370, 0x52f), (0x590, 0x6ff), (0x900, 0x97f),
    (0x980, 0xdff), (0xe00, 0xe7f), (0xf00, 0x109f), (0x1100, 0x11ff), (0x1780, 0x17ff), (0x1ab0, 0x1aff),
    (0x1dc0, 0x1fff), (0x2000, 0x206f), (0x20d0, 0x20ff), (0x2100, 0x218f), (0x2460, 0x24ff), (0x2500, 0x27bf),
    (0x3000, 0x30ff), (0x3130, 0x318f), (0x3200, 0x33ff), (0x4e00, 0x9fff), (0xa960, 0xa97f), (0xac00, 0xd7ff),
    (0xe000, 0xe0ff), (0xf900, 0xfaff), (0xfb1d, 0xfdff), (0xfe00, 0xffff), (0x10000, 0x1ffff), (0x11000, 0x11fff),
    (0x1d100, 0x1d7ff), (0x1f1e6, 0x1f1ff), (0x1f300, 0x1faff), (0x20000, 0x2fa1f), (0xe0000, 0xe01ef),
    (0x10ff00, 0x10ffff)]
SPACES = [" ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", " \n", "\r", "\n\r", "\r\r\n", "\v", "\f", "\x1c", "\x85",
          "\u00a0", "\u3000", "\u2028", "\u2029", "\u200b", "\u1680", "\u180e", "\ufeff", "\u2009"]
SHORT = ["'s", "'LL", "'\u017f", "don't", "1", "12", "123", "1234567", "a.b", "e\u0301", "!?", "...", "(", "_", "//",
         "\u2581", "\u2581\u2581", "##", "<0x0A>", "<0x", "\u0120", "\u00c4\u00a0", "\ufffd", "\u0130", "\u03a3", "\ufb01",
         "\u1e9e", "\u00df", "A", "Z", "\u0000", "I\u0307", "\u212b", "\u2126"]
CLUSTERS = ["\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f469\U0001f3fd\u200d\U0001f52c",
            "\U0001f1fa\U0001f1f8\U0001f1eb", "\u2764\ufe0f\u200d\U0001f525", "1\ufe0f\u20e3", "\U0001f3f4\U000e0067"
            "\U000e0062\U000e007f", "\u0915\u094d\u0937\u093f", "\u0baa\u0bbf\u0bb0", "\u0e01\u0e33\u0e49", "\u1100\u1161"
            "\u11a8", "\u202eabc\u202c", "\u0644\u0627\u064b\u0651", "\u05e9\u05c1\u05b8", "a\u0323\u0307", "q\u0307\u0323",
            "\u0cb0\u0ccd\u200c\u0c95", "\u0d28\u0d4d\u200d", "\u1025\u102e", "\u0f40\u0fb5", "\U0001d15e\U0001d165",
            "\U00011935\U00011930", "\u304b\u3099", "\u0344\u0315"]
BYTES = [b"\x80", b"\xbf", b"\xc0\x80", b"\xc1", b"\xc3", b"\xe0\x80\x80", b"\xe0\xa0", b"\xe4\xb8", b"\xed\xa0\x80",
         b"\xed\xb0\x80", b"\xef\xbf", b"\xf0\x80\x80\x80", b"\xf0\x9f", b"\xf0\x9f\x98", b"\xf4\x90\x80\x80", b"\xf5",
         b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff", b"\xe2\x28\xa1", b"\xf0\x28\x8c\xbc"]
CUTS = ["<|", "|>", "[", "]", "<", ">", "</", "\u2581", " ", "\n", "a", "B", "\u00e9", "\u4e2d", "0", "_", "\u0301"]


def random_text(rng, pieces, added, most):
    """Tokens of the vocabulary, characters of any script, white space, special tokens and near misses."""
    out = []
    for _ in range(rng.randrange(most)):
        k = rng.random()
        if k < .30 and pieces:
            out.append(rng.choice(pieces))
        elif k < .45:
            out.append(rng.choice(SPACES))
        elif k < .60:
            out.append(rng.choice(SHORT))
        elif k < .66:
            c = rng.choice(CLUSTERS)
            out.append(c[:rng.randint(1, len(c))])
        elif k < .92 or not added:
            a, b = rng.choice(BLOCKS)
            out.append("".join(chr(rng.randint(a, b)) for _ in range(rng.choice((1, 1, 2, 5)))))
        else:
            a = rng.choice(added)
            around = [s if rng.random() < .3 else "" for s in rng.choices(SPACES + SHORT, k=2)]
            out.append(around[0] + rng.choice((a, a, a, a[:-1], a[1:], a + a, a.upper(), a.lower())) + around[1])
    if rng.random() < .02:
        a, b = rng.choice(BLOCKS)
        out.append(rng.choice([*pieces[:99], *SPACES, *SHORT, *CLUSTERS, *added, chr(rng.randint(a, b))]) *
                   rng.choice((10, 100, 1000)))
        rng.shuffle(out)
    return "".join(c for s in out for c in s if not "\ud800" <= c <= "\udfff")


def random_bytes(rng, text):
    """The text in UTF-8, damaged."""
    b = bytearray(text.encode())
    for _ in range(rng.choice((1, 1, 2, 5))):
        k, at = rng.random(), rng.randint(0, len(b))
        if k < .6:
            b[at:at] = rng.choice(BYTES)
        elif k < .8:
            b[at:at] = bytes([rng.randrange(128, 256)])
        elif b:
            del b[at:at + 1]
    return bytes(b)


def more_added(data, rng, n):
    """Tokens that a trainer would not add, with ids behind all others."""
    vocab = data["model"]["vocab"]
    ids = range(len(vocab)) if isinstance(vocab, list) else vocab.values()
    known = set(w[0] for w in vocab) if isinstance(vocab, list) else set(vocab)
    known |= set(t["content"] for t in data["added_tokens"])
    first = max([*ids, *(t["id"] for t in data["added_tokens"]), -1]) + 1
    while n:
        s = "".join(rng.choice(CUTS) for _ in range(rng.randint(1, 4)))
        if s in known or not s.strip():
            continue
        known.add(s)
        flags = {k: rng.random() < .4 for k in ("single_word", "lstrip", "rstrip", "normalized", "special")}
        flags["normalized"] &= not flags["special"]  # the reference shows such tokens where special ones are left out
        data["added_tokens"].append({"id": first, "content": s, **flags})
        first, n = first + 1, n - 1


def allm(args, command, lines):
    """One JSON line out for each in; None for an error."""
    text = "".join(json.dumps(x) + "\n" for x in lines)
    command = [args.allm, *command, "-m", args.model, "--jsonl"]
    r = subprocess.run(command, input=text.encode(), stdout=subprocess.PIPE, check=True)
    out = [json.loads(x) for x in r.stdout.decode().split("\n")[:-1]]
    return [None if isinstance(x, dict) else x for x in out]


def encode(tok, texts, around):
    """The reference's ids; None where it gives up."""
    try:
        return [e.ids for e in tok.encode_batch_fast(texts, add_special_tokens=around)]
    except BaseException as e:
        if isinstance(e, KeyboardInterrupt):
            raise
    out = []
    for t in texts:
        try:
            out.append(tok.encode(t, add_special_tokens=around).ids)
        except BaseException as e:  # a panic of the reference is no Exception
            if isinstance(e, KeyboardInterrupt):
                raise
            out.append(None)
    return out


def decode(tok, ids, skip):
    """The reference's text; "panic" where it dies, which is no verdict."""
    try:
        return tok.decode(ids, skip_special_tokens=skip)
    except BaseException as e:
        if isinstance(e, KeyboardInterrupt):
            raise
        return "panic"


def compare(args, tok, texts, bad):
    """All texts, in all ways; differences go to bad."""
    fallback = "ByteFallback" in args.decoder
    for special, around in ((True, True), (True, False), (False, False)):
        tok.encode_special_tokens = not special
        flags = ["--special"] * special + ["--bos"] * around
        raw = [isinstance(t, bytes) for t in texts]
        want = encode(tok, [t.decode(errors="replace") if r else t for t, r in zip(texts, raw)], around)
        if any(raw):
            got = allm(args, ["tokenize", "--hex", *flags], [t.hex() if r else t.encode().hex() for t, r in zip(texts, raw)])
        else:
            got = allm(args, ["tokenize", *flags], texts)
        bad += [("ids", t, w, g) for t, w, g in zip(texts, want, got, strict=True) if w != g]
        if special != around:
            continue
        want = [w or [] for w in want]
        if special:
            want += [args.rng.choices(args.ids, k=args.rng.randrange(12)) for _ in range(len(want) // 4)]
        for skip in (False, True):
            flags = ["--skip-special"] * skip
            texts_of = [decode(tok, w, skip) for w in want]
            got = allm(args, ["detokenize", *flags], want)
            bad += [("text", w, d, g) for w, d, g in zip(want, texts_of, got, strict=True) if d not in (g, "panic")]
            chunks = allm(args, ["detokenize", "--stream", *flags], want)
            # a run of byte tokens that is no UTF-8 is wholly U+FFFD in the reference, which a stream cannot know
            bad += [("chunks", w, d, g) for w, d, g in zip(want, texts_of, chunks, strict=True)
                    if d not in ("".join(g or []), "panic") and not (fallback and "\ufffd" in d)]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("tokenizer"), ap.add_argument("-m", dest="model")
    ap.add_argument("-n", type=int, default=20000), ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--added", type=int, default=0), ap.add_argument("--allm", default="build/allm")
    args = ap.parse_args()
    args.rng = rng = random.Random(args.seed)
    with open(args.tokenizer, encoding="utf-8") as f:
        data = json.load(f)
    wrapped = "tokenizer" in data
    data = data["tokenizer"] if wrapped else data
    with tempfile.TemporaryDirectory() as folder:
        path = args.tokenizer
        if wrapped or args.added:
            more_added(data, rng, args.added)
            path = os.path.join(folder, "tokenizer.json")
            with open(path, "w", encoding="utf-8") as f:
                json.dump(data, f)
        args.model = args.model or path
        tok, args.decoder = Tokenizer.from_file(path), json.dumps(data["decoder"])
        tok.no_truncation(), tok.no_padding()
        added = [t["content"] for t in data["added_tokens"]]
        added += 9 * added[-args.added:] if args.added else []
        args.ids = sorted(tok.get_vocab().values())
        pieces = [decode(tok, [i], False) for i in rng.sample(args.ids, min(len(args.ids), 4000))]
        pieces = [s for s in pieces if s and "\ufffd" not in s]
        n_done, bad = 0, []
        while n_done < args.n:
            texts = [random_text(rng, pieces, added, rng.choice((4, 12, 40))) for _ in range(min(10000, args.n - n_done))]
            n_done += len(texts)
            n_raw = len(texts) // 10
            compare(args, tok, texts[n_raw:], bad)
            compare(args, tok, [random_bytes(rng, t) for t in texts[:n_raw]], bad)
    for case in [c for kind in ("ids", "text", "chunks") for c in [b for b in bad if b[0] == kind][:3]]:
        print(*(ascii(x)[:400] for x in case), sep="\n    ")
    name = os.path.basename(os.path.dirname(args.tokenizer)) + "/" + os.path.basename(args.tokenizer)
    print(name, f"seed {args.seed}, {n_done} texts, {len(bad)} differ", flush=True)
    sys.exit(len(bad) > 0)


if __name__ == "__main__":
    main()
