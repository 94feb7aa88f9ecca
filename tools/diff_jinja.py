#!/usr/bin/env python3
"""Random templates through build/allm and Jinja2, set up as transformers does: the same text, or an error in both.

needs: pip install "jinja2>=3.1.6"
usage: diff_jinja.py [-n 4000] [--seed 1] [--templates DIR] [--allm build/allm]
Without DIR: random expressions and statements. With DIR, a folder of *.jinja: random conversations, n for all of them.
Prints what differs and the counts; exit 1 if anything does. Known: complex numbers, and slices of constants that cannot
be cut, within conditions.
"""
import argparse
import copy
import datetime
import glob
import json
import random
import re
import subprocess
import sys
import warnings

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2026, 7, 26, 10, 11, 12)


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_call"), [], [], body).set_lineno(line)

    def _call(self, caller):
        return caller()


class Namespace(jinja2.utils.Namespace):
    def __init__(*args, **kwargs):
        self, attrs = args[0], dict(*args[1:], **kwargs)
        for name in attrs:
            Namespace.check(name)
        jinja2.utils.Namespace.__init__(self, attrs)

    def __setitem__(self, name, value):
        Namespace.check(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)

    @staticmethod
    def check(name):
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(name)


class Dict:
    def __call__(self, *args, **kwargs):
        return dict(*args, **kwargs)

    def fromkeys(self, *args, **kwargs):
        return dict.fromkeys(*args, **kwargs)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


ENV = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                    extensions=[Generation, jinja2.ext.loopcontrols])
ENV.filters["tojson"] = tojson
ENV.globals.update(raise_exception=raise_exception, strftime_now=lambda format: NOW.strftime(format), dict=Dict(),
                   namespace=Namespace)


def reference(template, context):
    """The text, or None for an error; raises RecursionError where Python itself gives up."""
    try:
        return ENV.from_string(template).render(**copy.deepcopy(context))
    except RecursionError:
        raise
    except Exception:
        return None


CONTEXT = {
    "s": "héllo Wörld", "e": "", "u": "🙂é日 ab", "l": [3, 1, 2], "ld": [{"n": 1, "r": "a"}, {"n": 2, "r": "b", "x": None},
    {"n": 3}], "d": {"a": 1, "b": "x", "items": [1], "c": {"k": [1, 2]}}, "n": None, "t": True, "f": 2.5, "i": 7,
    "messages": [{"role": "user", "content": "Hi <b>"}, {"role": "assistant", "content": "yo\n"}], "le": [], "de": {},
    "multi": "a\nb\n\nc  d", "ls": ["b", "A", "c", "a"], "big": 12345678901234567890123, "neg": -3}
STRINGS = "'' 'a' 'abc' 'a,b,c' '_x_' 'é' 'A-B' '1' '-5' '2.5' '<&>' 'a\\nb' '%s' '{}' 'b' '%d-%s' '{0}{1}'".split()
NUMBERS = "0 1 2 -1 3 10 2.5 0.1 -2.5 1e20 100 7 true false none".split()
FILTERS = """abs|attr('a')|batch(2)|list;batch(2,'z')|list;capitalize;center(8);default('D');default('D',true);dictsort;
dictsort(by='value');escape;filesizeformat;first;float;forceescape;format(1);groupby('n');indent;indent(2,true);
indent(1,blank=true);int;int(5);int(0,16);items|list;join;join(',');join('-',attribute='n');last;length;list;lower;
map('upper')|list;map(attribute='n')|list;map(attribute='n',default=0)|list;map('int')|list;max;min;max(attribute='n');
reject|list;select('odd')|list;select('string')|list;rejectattr('n')|list;selectattr('n','gt',1)|list;replace('a','b');
selectattr('r','equalto','a')|list;replace('','-');replace('b','',1);reverse|list;round;round(1);round(1,'ceil');safe;
slice(2)|list;slice(3,'f')|list;sort;sort(reverse=true);sort(attribute='n');sort(case_sensitive=true);string;striptags;
sum;sum(attribute='n');title;tojson;tojson(indent=2);tojson(sort_keys=true);tojson(ensure_ascii=true);trim;trim('ab');
truncate(3);truncate(4,true);unique|list;upper;urlencode;wordcount;wordwrap(3);xmlattr;urlize;pprint""".replace("\n", "")
FILTERS = FILTERS.split(";")
TESTS = """defined;undefined;none;number;integer;float;string;mapping;iterable;sequence;boolean;true;odd;even;
divisibleby 2;lower;upper;callable;escaped;eq 1;gt 1;in [1,'a'];in 'abc';sameas none;equalto 'a'""".replace("\n", "")
TESTS = TESTS.split(";")
ENDS = """.a;.b;.items;.n;.role;[0];[-1];[1:];[:2];[::-1];['a'];[1:3];[-2:];.c.k;[5];.x.y;[n];[i];.upper();.title();
.capitalize();.swapcase();.strip();.rstrip('b');.split();.split(',');.split('b',1);.rsplit(',',1);.split(none,1);
.splitlines();.startswith('a');.endswith(('c','b'));.replace('a','zz');.find('b');.rfind('b');.index('b');.count('b');
.join(['x','y']);.zfill(5);.center(7,'*');.ljust(4);.isdigit();.isalpha();.isspace();.isupper();.istitle();.isnumeric();
.partition('b');.removeprefix('a');.expandtabs();.encode();.casefold();.format(1,2);.get('a');.get('q',1);.keys()|list;
.items()|list;.copy();.index(1);.append(1);.is_integer();.bit_length();.find('b',2);.count('a',1,3)""".replace("\n", "")
ENDS = ENDS.split(";")
OPERATORS = "+ - * / // % ~ == != < <= > >= in and or".split() + ["not in"]
PRINTF = "%s %d %5.2f %-5s| %05d %x %o %e %g %.3g %r %c %% %+d %#x %i %.2s %E %(a)s %*d".split()
SPECS = ["", "d", "5", "<5", "^7", ">6", "*^9", "+d", "x", "#x", "b", "e", ".2f", "10.3f", ".3g", "%", ",", "_", "05d",
         "s", ".2", "=+6d", "c", "010", ",.2f"]


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def literal(self, depth):
        r, k = self.r, self.r.random()
        if k < .35:
            return r.choice(STRINGS)
        if k < .65 or depth <= 0:
            return r.choice(NUMBERS)
        if k < .9:
            return r.choice([*CONTEXT, "undefined_name"])
        if k < .95:
            return "[" + ", ".join(self.expression(depth - 1) for _ in range(r.randint(0, 3))) + "]"
        return "{'a': %s, 1: %s}" % (self.expression(depth - 1), self.expression(depth - 1))

    def expression(self, depth):
        r, k = self.r, self.r.random()
        if depth <= 0 or k < .3:
            return self.literal(depth)
        if k < .5:
            return "%s %s %s" % (self.expression(depth - 1), r.choice(OPERATORS), self.expression(depth - 1))
        inner = "(" + self.expression(depth - 1) + ")"
        if k < .7:
            return inner + "|" + r.choice(FILTERS)
        if k < .78:
            return inner + " is " + r.choice(["", "not "]) + r.choice(TESTS)
        if k < .93:
            return inner + r.choice(ENDS)
        if k < .95:
            return r.choice(["not ", "-", "+"]) + inner
        return "%s if %s else %s" % (inner, self.expression(depth - 1), self.expression(depth - 1))

    def formatting(self):
        r = self.r
        if r.random() < .5:
            text = "".join(r.choice(PRINTF) for _ in range(r.randint(1, 2)))
            return "{{ %s %% (%s, %s) }}" % (json.dumps(text), self.literal(1), self.literal(1))
        return "{{ %s.format(%s, %s) }}" % (json.dumps("{:%s}{!r}" % r.choice(SPECS)), self.literal(1), self.literal(1))

    def statement(self, depth):
        r, k = self.r, self.r.random()
        a, z, body = r.choice(["", "", "-", "+"]), r.choice(["", "", "-"]), self.body
        if k < .25:
            return "{{%s %s %s}}" % (a.replace("+", ""), self.expression(3), z)
        if k < .35:
            return r.choice(["\n", "  ", " a ", "x\n  ", "\n\n", "\t"])
        if k < .5:
            return "{%%%s if %s %s%%}%s{%% else %%}%s{%% endif %s%%}" % (a, self.expression(2), z, body(depth), body(depth), z)
        if k < .7:
            over = r.choice(["l", "ls", "s", "d", "ld", "range(3)", "le", self.expression(1)])
            inside = r.choice(["{{ loop.index }}", "{{ v }}", "{{ loop.last }}", "{{ loop.nextitem }}", "{{ loop.previtem }}",
                               "{{ loop.cycle('a','b') }}", "{% if loop.first %}{% continue %}{% endif %}z",
                               "{% if loop.index == 2 %}{% break %}{% endif %}", "{{ loop.changed(v) }}", "{% set q = v %}"])
            return "{%%%s for v in %s%s %s%%}%s%s%s{%% endfor %%}" % (
                a, over, r.choice(["", " if v", " if v != 1"]), z, body(depth), inside, r.choice(["", "{% else %}none"]))
        if k < .78:
            return "{%% set %s = %s %s%%}" % (r.choice(["q", "s", "l", "w"]), self.expression(2), z)
        if k < .82:
            return "{%% set q%s %%}%s{%% endset %%}" % (r.choice(["", " | upper", " | trim | title"]), body(depth))
        if k < .86:
            return "{%% macro m(a, b=%s) %%}%s{{ a }}{{ b }}{%% endmacro %%}{{ m(%s) }}" % (
                self.expression(1), body(depth), self.expression(1))
        if k < .9:
            return "{%% filter %s %%}%s{%% endfilter %%}" % (r.choice(["upper", "trim", "indent(2)", "title"]), body(depth))
        if k < .93:
            return "{%% with q = %s, w = q %%}%s{{ q }}{%% endwith %%}" % (self.expression(1), body(depth))
        if k < .96:
            return "{%% set ns = namespace(a=%s) %%}{%% for v in l %%}{%% set ns.a = %s %%}{%% endfor %%}{{ ns.a }}" % (
                self.expression(1), self.expression(2))
        return "{%% macro k() %%}[{{ caller(%s) }}]{%% endmacro %%}{%% call(x) k() %%}{{ x }}%s{%% endcall %%}" % (
            self.expression(1), body(depth))

    def body(self, depth):
        return "".join(self.statement(depth - 1) for _ in range(self.r.randint(0, 2))) if depth > 0 else "b"

    def template(self):
        k = self.r.random()
        if k < .6:
            return "{{ %s }}" % self.expression(self.r.randint(1, 4))
        if k < .7:
            return self.formatting()
        return "".join(self.statement(3) for _ in range(self.r.randint(1, 4)))

    # ---- conversations

    def text(self):
        return self.r.choice(["Hi", "  spaced  ", "", "<think>\nab\n</think>\n\nans", "a</think>b", "line1\nline2\n", "é 日 🙂",
                              "{\"a\": 1}", "<|im_end|></s>", "<b>&amp;</b>", "[INST] hey [/INST]", "<tool_call>x</tool_call>"])

    def content(self):
        if self.r.random() < .85:
            return self.text()
        return [{"type": "text", "text": self.text()} for _ in range(self.r.randint(1, 3))]

    def call(self):
        arguments = self.r.choice([{"city": "Łódź"}, {}, {"xs": [1, 2.5], "o": {"k": None}}, "{\"city\": \"Oslo\"}"])
        return {"id": "call00001", "type": "function", "function": {"name": "f", "arguments": arguments}}

    def tool(self):
        kind = self.r.choice(["string", "number", "array", ["string", "null"]])
        parameters = {"type": "object", "properties": {"city": {"type": kind, "description": self.text()}}, "required": []}
        return {"type": "function", "function": {"name": "f", "description": self.text(), "parameters": parameters}}

    def conversation(self):
        r, messages = self.r, []
        if r.random() < .4:
            messages.append({"role": r.choice(["system", "system", "developer"]), "content": self.content()})
        for _ in range(r.randint(1, 5)):
            if r.random() < .8:
                messages.append({"role": "user", "content": self.content()})
            m = {"role": "assistant"}
            if r.random() < .85:
                m["content"] = self.content()
            if r.random() < .3:
                m["reasoning_content"] = m["thinking"] = self.text()
            if r.random() < .3:
                m["tool_calls"] = [self.call() for _ in range(r.randint(1, 2))]
            messages.append(m)
            if "tool_calls" in m:
                messages.append({"role": "tool", "tool_call_id": "call00001", "name": "f", "content": self.content()})
        if r.random() < .6:
            messages.append({"role": "user", "content": self.content()})
        return {"messages": messages, "tools": [self.tool()] if r.random() < .5 else None, "documents": None,
                "add_generation_prompt": r.random() < .6, "bos_token": "<s>", "eos_token": "</s>",
                "enable_thinking": r.random() < .5}


def cases(maker, n, folder):
    """(name, template, context, text or None)"""
    files = sorted(glob.glob(folder + "/*.jinja")) if folder else []
    sources = [(f, open(f, encoding="utf-8", newline="").read()) for f in files]
    i = 0
    while i < n:
        name, template = sources[i % len(sources)] if sources else ("", maker.template())
        context = maker.conversation() if sources else CONTEXT
        try:
            text = reference(template, context)
        except RecursionError:
            continue
        if text is not None and re.search(r" at 0x[0-9a-f]{6}|<function|<built-in|<bound|[\ud800-\udfff]", text):
            continue  # an address, or what cannot be written as UTF-8
        yield name or template, template, context, text
        i += 1


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("-n", type=int, default=4000)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--templates")
    p.add_argument("--allm", default="build/allm")
    args = p.parse_args()
    warnings.simplefilter("ignore")
    all_cases = list(cases(Maker(args.seed), args.n, args.templates))
    lines = "".join(json.dumps({"template": t, "context": c}) + "\n" for _, t, c, _ in all_cases)
    out = subprocess.run([args.allm, "render", "--jsonl", "--now", str(NOW)], input=lines.encode(), capture_output=True, check=True)
    n_other = n_errors = 0
    for (name, _, _, text), line in zip(all_cases, out.stdout.decode().splitlines(), strict=True):
        got = json.loads(line)
        n_errors += text is None
        if got.get("text") == text and ("error" in got) == (text is None):
            continue
        n_other += 1
        if n_other <= 20:
            print(name, "\n  jinja2:", "an error" if text is None else repr(text), "\n  allm:  ", repr(got.get("text", got.get("error"))))
    print(f"{len(all_cases)} templates, {n_errors} of them errors: {n_other} differ")
    return n_other != 0


if __name__ == "__main__":
    sys.exit(main())
