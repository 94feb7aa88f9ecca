#!/usr/bin/env python3
"""Writes the packed tables of room `data` in abstractllm.h from tools/unicode.txt and tools/codebooks.txt. Needs only
Python 3.

usage: gen_tables.py            rewrites the section between the two markers of the header
       gen_tables.py --check    exit 1 if the header is not what this program would write
       gen_tables.py --derive GOLDEN > tools/unicode.txt
                                makes the source file anew from GOLDEN/tokenizers/unicode (what Hugging Face tokenizers 0.23
                                measurably does) and from Python; needs Python 3.11 and
                                pip install tokenizers regex unicodedata2==16.0.0
       gen_tables.py --derive-codebooks GOLDEN > tools/codebooks.txt
                                the same from GOLDEN/dequant/tables

tools/codebooks.txt: `name: values`, in hex, each the difference to the one before.
tools/unicode.txt: `name: values`, in hex; a value is CP, FIRST-LAST, or CP=CP+CP.. for mappings.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE, HEADER = os.path.join(HERE, "unicode.txt"), os.path.join(HERE, "..", "abstractllm.h")
CODEBOOKS = os.path.join(HERE, "codebooks.txt")
BEGIN, END = "/* ---- begin of generated tables: tools/gen_tables.py */\n", "/* ---- end of generated tables */\n"
N_CP = 0x110000
GC = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn".split()
PROPS = "SPACE WORD HAN UPPER LOWER DIGIT PYSPACE IGNORABLE NUMBER17 NORMAL".split()


# ---- the source file

def read_source(path):
    out = {}
    with open(path, encoding="ascii") as f:
        for line in f:
            if line.startswith("#") or not line.strip():
                continue
            if not line.startswith(" "):
                name, line = line.split(":", 1)
                out[name] = []
            out[name] += line.split()
    return out


def cps_of(values):
    """The set of code points of a list of ranges."""
    out = set()
    for v in values:
        a, _, b = v.partition("-")
        out.update(range(int(a, 16), int(b or a, 16) + 1))
    return out


def maps_of(values):
    """Mappings, as {code point: tuple of code points}."""
    out = {}
    for v in values:
        a, b = v.split("=")
        out[int(a, 16)] = tuple(int(x, 16) for x in b.split("+"))
    return out


# ---- general category and properties: code point -> one of about 70 classes, as a list of ranges

def classes(src):
    """For each code point (general category, properties)."""
    gc = ["Cn"] * N_CP
    for k in GC[:-1]:
        for c in cps_of(src[k]):
            gc[c] = k
    has = {k: cps_of(src[k]) for k in ("space", "word", "han", "upper", "lower", "digit", "number17")}
    nfd, ccc = maps_of(src["nfd"]), maps_of(src["ccc"])
    excluded = cps_of(src["nfc_excluded"])
    unstable = {b[1] for b in nfd.values() if len(b) > 1} | set(ccc) | cps_of(["1161-1175", "11A8-11C2"])
    unstable |= {c for c, b in nfd.items() if len(b) == 1 or c in excluded}
    ignorable = cps_of("27 2E 3A B7 387 55F 5F4 2018 2019 2024 2027 FE13 FE52 FE55 FF07 FF0E FF1A".split())
    out = []
    for c, k in enumerate(gc):
        p = 0
        p |= 1 * (c in has["space"])
        p |= 2 * (k[0] in "LM" or k in ("Nd", "Nl", "Pc") or c in has["word"])
        p |= 4 * (c in has["han"])
        p |= 8 * (k == "Lu" or c in has["upper"])
        p |= 16 * (k == "Ll" or c in has["lower"])
        p |= 32 * (k == "Nd" or c in has["digit"])
        p |= 64 * (c in has["space"] or 0x1c <= c <= 0x1f)
        p |= 128 * (k in ("Mn", "Me", "Cf", "Lm", "Sk") or c in ignorable)
        p |= 256 * (k[0] == "N" or c in has["number17"])
        p |= 512 * (c in unstable)
        out.append((GC.index(k), p))
    return out


def digits(n, count):
    """n in base 64, as characters from '0' on."""
    return "".join(chr(0x30 + (n >> 6 * i & 63)) for i in reversed(range(count)))


def wrap(items, indent="    ", width=118):
    lines, line = [], indent
    for x in items:
        if len(line) + len(x) + 1 > width:
            lines.append(line.rstrip())
            line = indent
        line += x + " "
    return "\n".join(lines + [line.rstrip()]) + "\n"


def pack(name, records, comment):
    """A table of records of equal length: rows of 8 records, and their number."""
    rows = ["".join(records[i:i + 8]) for i in range(0, len(records), 8)]
    rows = ['"%s",' % r.replace("\\", "\\\\").replace("?", "\\?") for r in rows]  # no escapes, no trigraphs
    return (f"/* {comment} */\nenum {{ {name.upper().replace('ALLM__', 'ALLM__N_')} = {len(records)} }};\n"
            f"static const char {name}[{len(rows)}][{8 * len(records[0]) + 1}] = {{\n" + wrap(rows) + "};\n")


def write_classes(src):
    per_cp = classes(src)
    kinds = sorted(set(per_cp))
    assert len(kinds) <= 0x7e - 0x28, len(kinds)
    number = {k: i for i, k in enumerate(kinds)}
    assert set(per_cp[0x3f000:0xe0000]) == set(per_cp[0xe1000:0xf0000]) == {per_cp[0xffff]}  # see allm__uni_class
    assert all(k == per_cp[0xe000 if c & 0xffff < 0xfffe else 0xffff] for c, k in enumerate(per_cp) if c >= 0xf0000)
    per_cp = per_cp[:0x3f000] + per_cp[0xe0000:0xe1000]
    ranges = [(c, k) for c, k in enumerate(per_cp) if c == 0 or per_cp[c - 1] != k]
    last, index = 0, []  # number of the range that holds the first code point of each block
    for block in range(0, 0x20000 + 128, 128):
        while last + 1 < len(ranges) and ranges[last + 1][0] <= block:
            last += 1
        index.append(last)
    out = "/* [class] number of its general category, and its properties */\n"
    out += f"static const struct {{ uint8_t category; uint16_t props; }} allm__uni_classes[{len(kinds)}] = {{\n"
    out += wrap(["{%d, %d}," % k for k in kinds]) + "};\n"
    out += pack("allm__uni_ranges", [digits(c, 3) + chr(0x28 + number[k]) for c, k in ranges],
                "ranges of equal class: first code point, three digits, and class, counted from '('")
    return out + pack("allm__uni_blocks", [digits(i, 3) for i in index],
                      "[code point / 128] range of its block's first code point, three digits; up to 0x20000")


# ---- case

def runs(m):
    """Mappings to one code point, as [first, last, step, delta]."""
    out = []
    for c in sorted(m):
        d = m[c] - c
        if out and out[-1][3] == d:
            r = out[-1]
            step = c - r[1]
            if step <= 2 and (r[0] == r[1] or r[2] == step):
                r[1], r[2] = c, step
                continue
        out.append([c, c, 1, d])
    return out


def write_case(src):
    maps = [maps_of(src[k]) for k in ("lowercase", "uppercase", "titlecase")]
    out = ""
    for name, m in zip(("lower", "upper", "title"), maps):
        r = runs({c: v[0] for c, v in m.items() if len(v) == 1})
        out += pack(f"allm__uni_{name}_runs", [digits(a, 3) + digits(b - a, 2) + digits(step, 1) + digits(d + 0x20000, 3) for a, b, step, d in r],
                    "title case where it is not upper case" if name == "title" else
                    f"{name} case: first code point, three digits; last - first, two; step, one; delta + 0x20000, three")
    rows = [(c, k) + v + (0,) * (3 - len(v)) for k, m in enumerate(maps) for c, v in m.items() if len(v) > 1]
    return out + pack("allm__uni_special", [digits(r[0], 3) + digits(r[1], 1) + "".join(digits(x, 3) for x in r[2:]) for r in sorted(rows)],
                      "case mappings to several: code point; 0 lower 1 upper 2 title, one digit; three code points or 0")


# ---- canonical decomposition, composition and combining classes

def write_normal(src):
    nfd, excluded = maps_of(src["nfd"]), cps_of(src["nfc_excluded"])
    pairs = sorted((c, v) for c, v in nfd.items() if len(v) == 2)
    single = sorted((c, v[0]) for c, v in nfd.items() if len(v) == 1)
    nfc = sorted((v[0], v[1], i) for i, (c, v) in enumerate(pairs) if c not in excluded)
    out = pack("allm__uni_pairs", [digits(c, 3) + digits(v[0], 3) + digits(v[1], 3) for c, v in pairs],
               "canonical decompositions into two: code point, first, second, three digits each")
    out += pack("allm__uni_composed", [digits(i, 2) for _, _, i in nfc],
                "those that compose, by (first, second): number in allm__uni_pairs, two digits")
    out += pack("allm__uni_singles", [digits(v, 3) for _, v in single], "decompositions into one, by code point, three digits")
    out += "/* code points with such: first, and number of the first one's decomposition */\n"
    runs = [(c, i) for i, (c, _) in enumerate(single) if i == 0 or single[i - 1][0] != c - 1] + [(N_CP, len(single))]
    out += f"static const int32_t allm__uni_single_runs[{len(runs)}][2] = {{\n" + wrap(["{%d, %d}," % r for r in runs]) + "};\n"
    ccc, r = {c: v[0] for c, v in maps_of(src["ccc"]).items()}, []
    for c in sorted(ccc):
        if r and r[-1][0] + r[-1][1] == c and r[-1][2] == ccc[c]:
            r[-1][1] += 1
        else:
            r.append([c, 1, ccc[c]])
    return out + pack("allm__uni_ccc", [digits(a, 3) + digits(n, 2) + digits(k, 2) for a, n, k in r],
                      "combining classes: first code point, three digits; how many, class, two digits each")


# ---- what only normalizers and pre-tokenizers ask: compatibility decompositions, old classes, grapheme clusters

def write_compat(src):
    m = maps_of(src["nfkd"])
    single = runs({c: v[0] for c, v in m.items() if len(v) == 1})
    several = sorted((c, v) for c, v in m.items() if len(v) > 1)
    out = pack("allm__uni_compat_runs", [digits(a, 3) + digits(b - a, 2) + digits(step, 1) + digits(d + 0x20000, 3) for a, b, step, d in single],
               "compatibility decompositions into one, full: as the case tables")
    records, text = [], []
    for c, v in several:
        records.append(digits(c, 3) + digits(len(v), 1) + digits(len(text), 3))
        text += [digits(x, 3) for x in v]
    out += pack("allm__uni_compat", records, "into several: code point, three digits; how many, one; place in the next table, three")
    return out + pack("allm__uni_compat_text", text, "code points, three digits each")


CLUSTER = "other control extend spacing prepend pictograph consonant linker".split()  # extend: and ZWJ


def write_marks(src):
    value = [0] * N_CP
    for bit, k in enumerate(("old_m", "old_mn", "old_p", "bert_drop")):
        for c in cps_of(src[k]):
            value[c] |= 1 << bit
    for i, k in enumerate(CLUSTER[1:], 1):
        for c in cps_of(src["cluster_" + k]):
            assert value[c] < 16, c
            value[c] |= i << 4
    assert set(value[0x3f000:0xe0000]) == set(value[0xe1000:0xf0000]) == {value[0xffff]}  # see allm__uni_fold
    value = value[:0x3f000] + value[0xe0000:0xe1000]
    ranges = [(c, v) for c, v in enumerate(value) if c == 0 or value[c - 1] != v]
    return pack("allm__uni_marks", [digits(c, 3) + digits(v, 2) for c, v in ranges],
                "first code point, three digits; bits ALLM__UNI_OLD_M and on, and kind in clusters above them, two digits")


def write_scripts(src):
    runs = [(int(a, 16), int(b, 16)) for a, b in (v.split("=") for v in src["scripts"])]
    value = [k for (a, k), (b, _) in zip(runs, runs[1:] + [(N_CP, 0)]) for _ in range(a, b)]
    assert set(value[0x3f000:0xe0000]) | set(value[0xe1000:]) == {value[0xffff]} == {value[0xe000]}  # see allm__uni_fold
    value = value[:0x3f000] + value[0xe0000:0xe1000]
    ranges = [(c, v) for c, v in enumerate(value) if c == 0 or value[c - 1] != v]
    return pack("allm__uni_scripts", [digits(c, 3) + digits(v, 2) for c, v in ranges],
                "first code point, three digits; number of the script from there on, two; 0: any")


# ---- codebooks of the IQ types

GRIDS = {"iq1_s": (2048, "8 weights, 2 bits each: -1, 0, 1"), "iq2_xxs": (256, "8 weights, 2 bits each: 8, 25, 43"),
         "iq2_xs": (512, "as iq2_xxs"), "iq2_s": (1024, "as iq2_xxs"),
         "iq3_xxs": (256, "4 weights, 3 bits each: 4, 12 ... 52, 62"), "iq3_s": (512, "4 weights, 3 bits each: 1, 3 ... 15")}


def write_codebooks():
    out, src = "#ifndef ABSTRACTLLM_NO_IQ\n", read_source(CODEBOOKS)
    for name, (n, what) in GRIDS.items():
        values, last = [], 0
        for v in src[name]:
            last += int(v, 16)
            values.append(last)
        assert len(values) == n and last < 0x10000, name
        out += f"/* rows of {what}; the first weight in the lowest bits */\n"
        out += f"static const uint16_t allm__{name}_grid[{n}] = {{\n" + wrap(["%d," % v for v in values]) + "};\n"
    return out + "#endif\n"


# ---- what most questions end at: the classes of ASCII, and tables that say nothing of a whole block

def write_short_ways(src):
    per_cp = classes(src)
    number = {k: i for i, k in enumerate(sorted(set(per_cp)))}
    out = pack("allm__uni_ascii", [chr(0x28 + number[k]) for k in per_cp[:128]], "[code point] class, counted from '('")
    marks = ("old_m", "old_mn", "old_p", "bert_drop", *("cluster_" + k for k in CLUSTER[1:]))
    tables = [set(maps_of(src["lowercase"])), set(maps_of(src["nfd"])), set(maps_of(src["nfkd"])),
              set(maps_of(src["ccc"])), set().union(*(cps_of(src[k]) for k in marks)),
              {c for c, k in enumerate(per_cp) if k[1] & 512}]
    blocks = [{c >> 7 for c in t} for t in tables]
    records = [digits(sum(1 << i for i, t in enumerate(blocks) if b in t), 1) for b in range(0x20000 >> 7)]
    return out + pack("allm__uni_blocks_in", records, "[code point / 128] bits ALLM__UNI_IN_LOWER and on; up to 0x20000")


def generate():
    src = read_source(SOURCE)
    out = write_classes(src) + write_case(src) + write_normal(src) + write_compat(src)
    return out + write_marks(src) + write_scripts(src) + write_short_ways(src) + write_codebooks()


def main():
    with open(HEADER, encoding="utf-8", newline="") as f:
        text = f.read()
    a, b = text.index(BEGIN) + len(BEGIN), text.index(END)
    new = text[:a] + generate() + text[b:]
    if "--check" in sys.argv:
        if new != text:
            sys.exit("gen_tables: the tables in abstractllm.h are not those of tools/unicode.txt and tools/codebooks.txt")
        return
    if new != text:
        with open(HEADER, "w", encoding="utf-8", newline="") as f:
            f.write(new)


# ---- deriving the source file

def derive(golden):
    import base64
    import json
    import lzma
    import unicodedata as py  # Python 3.11: Unicode 14
    import unicodedata2 as u
    from tokenizers import normalizers, pre_tokenizers
    folder = golden + "/tokenizers/unicode/"
    cls, maps = (json.loads(lzma.open(folder + k + ".json.xz").read()) for k in ("classes", "maps"))
    golden_set = lambda k: {c for a, b in cls[k] for c in range(a, b + 1)}
    all_cp = range(N_CP)
    known = {c for c in all_cp if py.category(chr(c)) != "Cn"}
    gc = {c: u.category(chr(c)) for c in all_cp}
    for k in ("L", "M", "N", "P", "S", "Z", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No"):
        assert golden_set("\\p{%s}" % k) == {c for c in all_cp if gc[c].startswith(k)}, k

    def show(name, values):
        print(name + ":")
        print(wrap(values, " "), end="")

    def ranges(name, cps):
        r = []
        for c in sorted(cps):
            if r and r[-1][1] == c - 1:
                r[-1][1] = c
            else:
                r.append([c, c])
        show(name, ["%X" % a if a == b else "%X-%X" % (a, b) for a, b in r])

    def mapping(name, m):
        show(name, ["%X=%s" % (c, "+".join("%X" % x for x in v)) for c, v in sorted(m.items())])

    print("# Unicode facts behind room `data` of abstractllm.h; written by tools/gen_tables.py --derive, read by tools/gen_tables.py.")
    print("# General categories: Unicode 16.0, equal to what Oniguruma in Hugging Face tokenizers 0.23 measurably does.")
    for k in GC[:-1]:
        ranges(k, [c for c in all_cp if gc[c] == k])
    print("# White_Space; what \\w adds to L, M, Nd, Nl, Pc; script Han; what Unicode 17 adds to N")
    ranges("space", golden_set("\\s"))
    base = {c for c in all_cp if gc[c][0] in "LM" or gc[c] in ("Nd", "Nl", "Pc")}
    assert base <= golden_set("\\w") | set(range(0xd800, 0xe000))
    ranges("word", golden_set("\\w") - base)
    ranges("han", golden_set("\\p{Han}"))
    ranges("number17", golden_set("Digits") - {c for c in all_cp if gc[c][0] == "N"})
    print("# What str.isupper, str.islower, str.isdigit of Python 3.11 add to Lu, Ll, Nd")
    for k, f in (("upper", str.isupper), ("lower", str.islower), ("digit", str.isdigit)):
        same = {c for c in known if gc[c] == {"upper": "Lu", "lower": "Ll", "digit": "Nd"}[k]}
        assert all(f(chr(c)) for c in same)
        ranges(k, {c for c in known if f(chr(c))} - same)
    print("# Lower case: Unicode 17; upper and title case: Python 3.11, and the new letters by their lower case.")
    low = {int(a, 16): tuple(int(x, 16) for x in b.split()) for a, b in maps["Lowercase"]}
    assert all(tuple(map(ord, chr(c).lower())) == low.get(c, (c,)) for c in known)
    up = {c: tuple(map(ord, chr(c).upper())) for c in known if chr(c).upper() != chr(c)}
    up.update({v[0]: (c,) for c, v in low.items() if c not in known and v[0] not in known})
    title = {c: tuple(map(ord, chr(c).title())) for c in known}
    mapping("lowercase", low)
    mapping("uppercase", up)
    mapping("titlecase", {c: v for c, v in title.items() if v != up.get(c, (c,))})
    print("# Canonical decompositions, one level, without Hangul; those that never compose; combining classes: as the")
    print("# normalizers of tokenizers 0.23 have them (Unicode 9).")
    full = {int(a, 16) for a, b in maps["NFD"]}
    parts = {c: tuple(int(x, 16) for x in py.decomposition(chr(c)).split()) for c in full}
    assert all(1 <= len(v) <= 2 for v in parts.values())
    mapping("nfd", parts)
    ranges("nfc_excluded", {int(a, 16) for a, b in maps["NFC"]} & {c for c, v in parts.items() if len(v) == 2})
    nfd = normalizers.NFD()
    ccc = {}
    for c in known:
        k = py.combining(chr(c))
        over, under = chr(0x301), chr(0x334)  # classes 230 and 1
        if k > 1 and nfd.normalize_str("a" + chr(c) + under).index(under) == 1:
            ccc[c] = (k,)
        if k == 1 and nfd.normalize_str("a" + over + chr(c)).index(chr(c)) == 1:
            ccc[c] = (k,)
    mapping("ccc", ccc)
    print("# Compatibility decompositions, full, where they differ from the canonical ones; without Hangul.")
    nfd_full, nfkd = ({int(a, 16): tuple(int(x, 16) for x in b.split()) for a, b in maps[k]} for k in ("NFD", "NFKD"))
    mapping("nfkd", {c: v for c, v in nfkd.items() if v != nfd_full.get(c)})
    print("# What the normalizers StripAccents and BertNormalizer drop, and what BertPreTokenizer takes for punctuation.")
    ranges("old_m", golden_set("StripAccents drops"))
    ranges("old_mn", golden_set("BertNormalizer strip_accents drops"))
    ranges("old_p", golden_set("Punctuation"))
    private = {c for c in all_cp if c >= 0xf0000}
    ranges("bert_drop", golden_set("BertNormalizer clean_text drops") - private)
    print("# Kinds of characters in grapheme clusters (UAX 29, Unicode 16; what joins the character before it: 17, as")
    print("# the normalizer Precompiled measurably does), Hangul and regional indicators left out.")
    import regex
    has = lambda p: {c for c in all_cp if (gc[c] != "Cn" or p in ("GCB=Control", "Extended_Pictographic")) and regex.match(r"\p{%s}" % p, chr(c))}
    xlmr = json.loads(lzma.open(golden + "/tokenizers/xlmr/tokenizer.json.xz").read())["normalizer"]
    clusters = normalizers.Precompiled(base64.b64decode(xlmr["precompiled_charsmap"])).normalize_str
    # U+00AA becomes "a", and so do all clusters below 6 bytes that begin with it
    joins_it = {c for c in all_cp if 0x80 <= c < 0xd800 or 0xe000 <= c < 0x10000
                if clusters("\xaa" + chr(c)) == "a" != "a" + clusters(chr(c))}
    joins_it |= {c for c in range(0x10000, N_CP) if clusters("\xaa\u0301" + chr(c)).startswith("a\u0301")}
    linker, consonant = has("InCB=Linker") & joins_it, has("InCB=Consonant")
    spacing = {c for c in joins_it if regex.match(r"\p{GCB=SpacingMark}", chr(c))} - linker
    ranges("cluster_control", has("GCB=Control") | {10, 13})
    ranges("cluster_extend", joins_it - linker - spacing)
    ranges("cluster_spacing", spacing)
    ranges("cluster_prepend", has("GCB=Prepend"))
    ranges("cluster_pictograph", has("Extended_Pictographic"))
    ranges("cluster_consonant", consonant)
    ranges("cluster_linker", linker)
    print("# Where the pre-tokenizer UnicodeScripts sees another script begin: first code point and a number; 0: any script.")
    cut = pre_tokenizers.UnicodeScripts().pre_tokenize_str
    chars = [c for c in all_cp if not 0xd800 <= c <= 0xdfff]

    def joins(rep, cps):  # those that are not cut from rep
        at = {x for _, span in cut(rep + "".join(chr(c) + rep for c in cps)) for x in span}
        return {c for i, c in enumerate(cps) if not {2 * i + 1, 2 * i + 2} & at}

    script, n = {c: 0 for c in joins("a", chars) & joins("\u044f", chars)}, 0
    rest = [c for c in chars if c not in script]
    while rest:
        n += 1
        script.update({c: n for c in joins(chr(rest[0]), rest) | {rest[0]}})
        rest = [c for c in rest if c not in script]
    starts = [c for i, c in enumerate(chars) if i == 0 or script[c] != script[chars[i - 1]]]
    show("scripts", ["%X=%X" % (c, script[c]) for c in starts])


def derive_codebooks(golden):
    import struct
    print("# Codebooks of the tensor types IQ1..IQ3: facts of the files that hold them, found by clustering and given by no rule.")
    print("# Numbers: llama.cpp (MIT licence). Each value is the difference to the one before, all are ascending.")
    for name in GRIDS:
        with open(f"{golden}/dequant/tables/{name.replace('_', '')}_grid_packed.bin", "rb") as f:
            data = f.read()
        values = struct.unpack("<%dH" % (len(data) // 2), data)
        print(name + ":")
        print(wrap(["%X" % (v - (values[i - 1] if i else 0)) for i, v in enumerate(values)], " "), end="")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--derive-codebooks":
        derive_codebooks(sys.argv[2])
        sys.exit()
    if len(sys.argv) == 3 and sys.argv[1] == "--derive":
        derive(sys.argv[2])
    else:
        main()
