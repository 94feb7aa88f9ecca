#!/usr/bin/env python3
# Random JSON Schemas: what a model writes under each has to fit it, by the judgement of Python's jsonschema.
# A tiny model that knows nothing of JSON is told to answer, at a high temperature, with `allm run --schema`; so the
# text is as good as random among all that the grammar allows. pip: jsonschema
# use: fuzz_schema.py [-n 1000] [-s SEED] [--allm build/allm] [--model examples/story.gguf] [-v]
#      fuzz_schema.py --one SEED    prints that schema and the answer
# build/allm as `make` builds it: without optimisation the model itself takes minutes.
# Ends with a line of counts and the slowest schema; exit 1 if any text did not fit, any dead end was met behind the beginning of a text, or
# anything took longer than 60 s. Schemas that nothing fits are refused at once and counted apart.
import argparse, json, os, random, re, subprocess, sys, tempfile, time
from decimal import Decimal, getcontext
import jsonschema

getcontext().prec = 1000
WORDS = ["id", "name", "a b", "x\"y", "über", "キー", "next", "kids", "", "k\\", "line\nend", "$ref"]
PATTERNS = ["^a*$", "^[a-z]{2,5}$", "b+", "^\\d{3}-\\d{2}$", "^(yes|no|n/a)$", "^(a+)+$", "^x?y?z?$", "end$", "^[^\"\\\\]{1,6}$",
            "^\\u00e9{1,3}$", "^(?:ab|a)(?:c|bcd)$", "[0-9]+[a-f]", "^.{0,4}$", "^\\s?\\w+\\s?$", "^(foo|ba[rz]){1,3}$", "^a.c$",
            "^\\+?[0-9]{3,12}$", "(^a|b$)", "^$", "^[\\x41-\\x5a]_[α-ω]+$"]
FORMATS = ["date", "time", "date-time", "uuid", "ipv4", "ipv6", "email"]

def number(r):
    return r.choice([r.randint(-20, 20), r.randint(-10**6, 10**6), round(r.uniform(-5, 5), r.randint(1, 3)), 0, 1, 1e3, 0.5])

def value(r, depth=0):
    k = r.randint(0, 7 if depth < 2 else 4)
    if k == 0: return None
    if k == 1: return r.choice([True, False])
    if k == 2: return number(r)
    if k <= 4: return r.choice(["", "a", "b\"c", "π", "x\ny", "🙂", "abc", "abd", "null"])
    if k == 5: return [value(r, depth + 1) for _ in range(r.randint(0, 3))]
    return {r.choice(WORDS): value(r, depth + 1) for _ in range(r.randint(0, 3))}

def string(r):
    s = {"type": "string"}
    k = r.randint(0, 5)
    if k == 0: s["pattern"] = r.choice(PATTERNS)
    if k == 1: s["format"] = r.choice(FORMATS)
    if k == 2: s["enum"] = [value_string(r) for _ in range(r.randint(1, 5))]
    if k == 3:                                       # both at once, and lengths that leave something
        s["pattern"] = r.choice(["^[a-c]*$", "b", "^x?y*z?$", "[0-9]+", "^(ab|c)*$"])
    if k >= 3: s["minLength"], s["maxLength"] = r.randint(0, 3), r.randint(3, 12)
    if "maxLength" not in s and k > 2: s["maxLength"] = 12
    if not set(s) & {"pattern", "format", "enum"}: s["maxLength"] = r.randint(s.get("minLength", 0), 20)
    return s

def value_string(r): return "".join(r.choice("ab \"\\é\n🙂") for _ in range(r.randint(0, 4)))

def numeric(r):
    s = {"type": r.choice(["integer", "number"])}
    lo = number(r)
    if r.random() < .6: s[r.choice(["minimum", "exclusiveMinimum"])] = lo
    if r.random() < .6: s[r.choice(["maximum", "exclusiveMaximum"])] = round(lo + r.choice([0.5, 2, 9, 1000, 12.25]), 3)
    if r.random() < .3: s["multipleOf"] = r.choice([1, 2, 3, 7, 0.5, 0.01, 1.5, 100])
    return s

def array(r, depth, defs):
    s = {"type": "array"}
    if r.random() < .7: s["items"] = schema(r, depth + 1, defs)
    if r.random() < .3: s["prefixItems"] = [schema(r, depth + 1, defs) for _ in range(r.randint(1, 3))]
    if r.random() < .2: s["items"] = False
    least = r.randint(0, 2)
    if r.random() < .4: s["minItems"] = least
    s["maxItems"] = least + r.randint(0, 3)
    return s

def obj(r, depth, defs):
    names = r.sample(WORDS, r.randint(0, 4))
    s = {"type": "object", "properties": {n: schema(r, depth + 1, defs) for n in names}}
    s["required"] = [n for n in names if r.random() < .5]
    k = r.randint(0, 5)
    if k == 0: s["additionalProperties"] = schema(r, depth + 1, defs)
    elif k < 3: s["additionalProperties"] = False
    if r.random() < .1: s["required"] = s["required"] + [r.choice(WORDS)]
    if r.random() < .1: del s["properties"]
    return s

def schema(r, depth=0, defs=()):
    if depth > 3: return r.choice([{"type": "integer"}, {"type": "boolean"}, {"enum": [1, "a", None]}, {"type": "null"}])
    k = r.randint(0, 13)
    if k <= 1: return string(r)
    if k <= 3: return numeric(r)
    if k <= 5: return obj(r, depth, defs)
    if k == 6: return array(r, depth, defs)
    if k == 7: return {"enum": [value(r) for _ in range(r.randint(1, 6))]} if r.random() < .6 else {"const": value(r)}
    if k == 8: return {"type": r.sample(["null", "boolean", "integer", "string"], 2), "maxLength": 5}
    if k == 9: return {"anyOf": [schema(r, depth + 1, defs) for _ in range(r.randint(1, 3))]}
    if k == 10: return {"oneOf": [schema(r, depth + 1, defs) for _ in range(r.randint(1, 3))]}
    if k == 11:
        base = r.choice([string, numeric])(r)
        more = r.choice([string, numeric])(r) if r.random() < .3 else {k: v for k, v in base.items() if k in ("minimum", "minLength")}
        return {"allOf": [base, more]}
    if k == 12 and defs: return {"$ref": "#/$defs/" + r.choice(defs)}
    return {"type": "object", "allOf": [obj(r, depth + 1, defs), obj(r, depth + 1, defs)]} if r.random() < .5 else obj(r, depth, defs)

def whole(seed):
    r, defs = random.Random(seed), []
    if r.random() < .4: defs = ["node", "leaf"][:r.randint(1, 2)]
    s = schema(r, 0, defs)
    if not defs: return s
    s = {"$defs": {}, "anyOf": [s]}
    for d in defs:                                    # a value between any two references
        s["$defs"][d] = {"type": "object", "properties": {"v": schema(r, 3), d: {"anyOf": [{"$ref": "#/$defs/" + d}, {"type": "null"}]}},
                         "required": ["v"], "additionalProperties": False}
    return s

def is_integer(_, x): return not isinstance(x, bool) and (isinstance(x, int) or isinstance(x, Decimal) and x == x.to_integral_value())
def is_number(_, x): return not isinstance(x, bool) and isinstance(x, (int, Decimal))
Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", is_integer).redefine("number", is_number))

Formats = jsonschema.FormatChecker(("date", "uuid", "ipv4", "ipv6", "email"))
TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(?:\.[0-9]+)?(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))")

@Formats.checks("time")
def is_time(x):                                       # RFC 3339; a leap second is 23:59:60 at offset zero
    m = TIME.fullmatch(x) if isinstance(x, str) else None
    if not m or m[3] != "60": return not isinstance(x, str) or bool(m)
    shift = 0 if not m[4] else (1 if m[4] == "-" else -1) * (int(m[5]) * 60 + int(m[6]))
    return (int(m[1]) * 60 + int(m[2]) + shift) % 1440 == 1439

@Formats.checks("date-time")
def is_date_time(x):
    return not isinstance(x, str) or (x[10:11] in ("T", "t") and Formats.conforms(x[:10], "date") and is_time(x[11:]))

def ask(a, s, seed):
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8", delete=False) as f: json.dump(s, f, ensure_ascii=False)
    try:
        return subprocess.run([a.allm, "run", "-m", a.model, "-p", "One", "--raw", "--temp", "2", "--seed", str(seed), "-n", "400",
                               "--json", "-t", "1", "--schema", f.name], capture_output=True, timeout=60)
    finally: os.unlink(f.name)

def main():
    p = argparse.ArgumentParser()
    p.add_argument("-n", type=int, default=1000); p.add_argument("-s", type=int, default=1)
    p.add_argument("--allm", default="build/allm"); p.add_argument("--model", default="examples/story.gguf")
    p.add_argument("--one", type=int); p.add_argument("-v", action="store_true")
    a, count = p.parse_args(), {"fit": 0, "cut off": 0, "nothing fits": 0, "FAILED": 0}
    slowest = (0, 0)
    for seed in [a.one] if a.one is not None else range(a.s, a.s + a.n):
        s, what = whole(seed), "FAILED"
        start = time.monotonic()
        try:
            r    = ask(a, s, seed)
            slowest = max(slowest, (time.monotonic() - start, seed))
            said = r.stderr.decode(errors="replace").strip()
            if r.returncode: what, text = ("nothing fits", "") if 'after ""' in said else ("FAILED", "")
            else:
                answer = json.loads(r.stdout)
                text   = answer["text"]
                if answer["finish"] == "length": what = "cut off"
                else:
                    v = Validator(json.loads(json.dumps(s), parse_float=Decimal), format_checker=Formats)
                    error = jsonschema.exceptions.best_match(v.iter_errors(json.loads(text, parse_float=Decimal)))
                    what, said = ("FAILED", error.message) if error else ("fit", said)
        except subprocess.TimeoutExpired: said, text = "more than 60 s", ""
        except ValueError as e: said = "not JSON: %s" % e
        count[what] += 1
        if what == "FAILED" or a.v or a.one is not None: print(what, seed, json.dumps(s, ensure_ascii=False), "->", text, "|", said, flush=True)
    print(", ".join("%s: %d" % kv for kv in count.items()) + ", slowest: %.2f s (seed %d)" % slowest)
    return count["FAILED"] > 0

sys.exit(main())
