#!/usr/bin/env python3
"""Speed of abstractllm.h beside other engines, on one machine, in one run. Python 3.9 and its standard library.

    tools/bench_peers.py MODEL.gguf [MODEL.gguf ...] [--threads 1,2] [--tests pp512,tg128,tg128@2048] [--pairs 6]
                         [--install] [--peer NAME=PATH[,FLAG...]] [--quantcpp] [--jsonl FILE] [--table FILE] [--svg FILE]

--install  gets the newest llama.cpp (the source that PyPI's llama-cpp-python carries) and builds its llama-bench and
           llama-perplexity under build/peers, for this processor; later runs find them there
--peer     any other llama-bench (of ik_llama.cpp, say) with flags of its own; llama-perplexity is looked for beside it
--quantcpp gets PyPI's quantcpp, a single header, and times its Python binding

A pair is ours, peer, peer, ours with the same file and threads; its ratio is ours / peer of the means, so that above 1 we
are faster. Beside each pair memory is read as fast as this machine can (GB/s), and where it has AVX-512 VNNI, its rate
of multiply-accumulates is taken: decode is shown as a share of the first (weights, keys and values), prompts of the
second.
The table gives medians, and of the ratios a 95 % interval by bootstrap. A peer counts only if it is right: its perplexity
over README.md is less than 1.6 times ours with --reference (the tools count windows differently; wrong kernels give
hundreds); a model without a tokenizer cannot be checked, which is said.
Tests: ppN a prompt of N tokens, tgN N tokens one by one, tgN@D the same after D tokens."""
import argparse, json, os, random, re, statistics, subprocess, sys, tarfile, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PEERS = os.path.join(ROOT, "build", "peers")
OURS = os.path.join(ROOT, "build", "allm")

PROBE = r"""
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
enum { N = 256 << 20 };
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + 1e-9 * t.tv_nsec; }
static volatile uint64_t sink;
static void *reads(void *arg) { /* four streams of 16 words */
    const uint64_t *p = arg;
    size_t q = N / 8 / 4;
    uint64_t s[16] = {0};
    for (size_t i = 0; i < q; i += 4)
        for (int k = 0; k < 4; k++)
            for (int j = 0; j < 4; j++) s[4 * k + j] ^= p[k * q + i + j];
    for (int i = 0; i < 16; i++) sink += s[i];
    return 0;
}
static void *macs(void *arg) { /* 16 products in flight; as C, compilers keep the sums in memory */
#if defined(__AVX512VNNI__)
#define DOT(i) "vpdpbusd %%zmm30, %%zmm31, %%zmm" #i "\n"
    for (int r = 0; r < 1000000; r++)
        __asm__ volatile(DOT(0) DOT(1) DOT(2) DOT(3) DOT(4) DOT(5) DOT(6) DOT(7) DOT(8) DOT(9) DOT(10) DOT(11) DOT(12)
                         DOT(13) DOT(14) DOT(15) ::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                         "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
#endif
    return arg;
}
static double timed(int n, void *(*f)(void *), char **mem) {
    pthread_t t[64];
    double t0 = now();
    for (int i = 0; i < n; i++) pthread_create(&t[i], 0, f, mem[i]);
    for (int i = 0; i < n; i++) pthread_join(t[i], 0);
    return now() - t0;
}
int main(int argc, char **argv) {
    int n = argc > 1 ? atoi(argv[1]) : 1;
    char *mem[64];
    double best = 1e9, t;
    for (int i = 0; i < n; i++) memset(mem[i] = aligned_alloc(64, N), i + 1, N);
    for (int r = 0; r < 6; r++) if ((t = timed(n, reads, mem)) < best) best = t;
    printf("%.2f", n * (double)N / best * 1e-9);
#if defined(__AVX512VNNI__)
    best = 1e9;
    for (int r = 0; r < 6; r++) if ((t = timed(n, macs, mem)) < best) best = t;
    printf(" %.1f", n * 1000000.0 * 16 * 64 / best * 1e-9);
#endif
    printf("\n");
    return 0;
}
"""


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(cmd, limit=1800, **more):
    r = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=limit, text=True, **more)
    if r.returncode:
        raise RuntimeError(f"{' '.join(cmd)[:200]}: exit {r.returncode}: {r.stderr[-300:].strip()}")
    return r.stdout


# ---- what is compared


def venv():
    python = os.path.join(PEERS, "venv", "bin", "python")
    if not os.path.exists(python):
        run([sys.executable, "-m", "venv", os.path.join(PEERS, "venv")])
    return python


def install_llama():
    """llama-bench and llama-perplexity of the newest llama-cpp-python; returns llama-bench."""
    to = os.path.join(PEERS, "llama")
    bench = os.path.join(to, "bin", "llama-bench")
    if os.path.exists(bench):
        return bench
    python = venv()
    say("llama.cpp: getting the source of llama-cpp-python and building it; this takes minutes")
    run([python, "-m", "pip", "install", "-q", "cmake"])
    source = os.path.join(PEERS, "source")
    os.makedirs(source, exist_ok=True)
    run([python, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "llama-cpp-python", "-d", source,
         "llama-cpp-python"])
    archive = sorted(n for n in os.listdir(source) if n.endswith(".tar.gz"))[-1]
    with tarfile.open(os.path.join(source, archive)) as t:
        t.extractall(source)
    say("llama.cpp: " + archive)
    cmake = os.path.join(PEERS, "venv", "bin", "cmake")
    run([cmake, "-S", os.path.join(source, archive[:-7], "vendor", "llama.cpp"), "-B", to, "-DCMAKE_BUILD_TYPE=Release",
         "-DGGML_NATIVE=ON", "-DLLAMA_CURL=OFF", "-DBUILD_SHARED_LIBS=OFF", "-DLLAMA_BUILD_TOOLS=ON"])
    run([cmake, "--build", to, "--target", "llama-bench", "llama-perplexity", "-j", str(os.cpu_count() or 1)], 7200)
    return bench


class Ours:
    name = "abstractllm.h"

    def speed(self, model, test, threads):
        n_p, n_g, depth = test
        row = json.loads(run([OURS, "bench", "-m", model, "-p", str(n_p), "-n", str(n_g), "-d", str(depth), "-t",
                              str(threads), "-r", "1", "--json"]))
        return row["tokens_per_second"]


class LlamaBench:
    """Its tools run in a folder of their own: llama-perplexity leaves a llama.log where it runs."""

    def __init__(self, name, path, flags):
        self.name, self.flags, self.dir = name, flags, tempfile.TemporaryDirectory()
        self.path = os.path.abspath(path) if os.sep in path else path

    def speed(self, model, test, threads):
        n_p, n_g, depth = test
        ways = [["-p", str(n_p), "-n", str(n_g)] + (["-d", str(depth)] if depth else [])]
        if depth:  # ik_llama.cpp has no -d; its pair times the generated tokens only
            ways.append(["-p", "0", "-n", "0", "-gp", f"{depth},{n_g}"])
        for way in ways:
            try:
                out = run([self.path, "-m", model, "-t", str(threads), "-r", "1", "-o", "json"] + way + self.flags,
                          cwd=self.dir.name)
                return json.loads(out[out.index("["):])[-1]["avg_ts"]
            except (RuntimeError, ValueError):
                if way is ways[-1]:
                    raise

    def perplexity(self, model, text):
        tool = os.path.join(os.path.dirname(self.path), "llama-perplexity")
        if not os.path.exists(tool):
            raise RuntimeError(f"no llama-perplexity beside {self.path}: its output is not checked")
        r = subprocess.run([tool, "-m", model, "-f", text, "-c", "512"] + self.flags, capture_output=True, text=True,
                           timeout=1800, cwd=self.dir.name)
        found = re.findall(r"Final estimate: PPL.*?= ([0-9.]+) \+/-", r.stdout + r.stderr)
        if not found:
            raise RuntimeError(f"{self.name}: no perplexity: {r.stderr[-200:].strip()}")
        return float(found[-1])


QUANTCPP = r"""
import sys, time, quantcpp
model, n_p, n_g, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
m = quantcpp.Model(model, temperature=0.0, max_tokens=n_g + 1, n_threads=threads, kv_compress=0)
t, at = time.monotonic(), []
for piece in m.generate("the " * max(n_p - 1, 1) + "the"):
    at.append(time.monotonic())
print(n_p / (at[0] - t) if n_p else (len(at) - 1) / (at[-1] - at[0]))
"""


class QuantCpp:
    """Its binding generates from text: a prompt is n times the word "the", whose time ends with the first token."""
    name = "quantcpp"

    def __init__(self):
        self.python = venv()
        run([self.python, "-m", "pip", "install", "-q", "quantcpp"])

    def speed(self, model, test, threads):
        n_p, n_g, depth = test
        if depth:
            raise RuntimeError("quantcpp: no test at a depth")
        return float(run([self.python, "-c", QUANTCPP, model, str(n_p), str(n_g), str(threads)]).split()[-1])


def check(peer, model):
    """Whether the peer computes what the file says; None: cannot be told."""
    if not hasattr(peer, "perplexity"):
        say(f"{peer.name}: its output is not checked")
        return None
    text = os.path.join(ROOT, "README.md")
    try:
        windows = ["-c", "512"]
        ours = json.loads(run([OURS, "perplexity", "-m", model, "-f", text, "--reference"] + windows))["perplexity"]
        theirs = peer.perplexity(model, text)
    except RuntimeError as e:
        say(f"{peer.name}: {e}")
        return None
    # llama-perplexity counts the second half of each window only; a right engine is near, a wrong one is far off
    right = theirs < 1.6 * ours
    say(f"{peer.name}: perplexity {theirs:.2f}, reference {ours:.2f}: {'right' if right else 'WRONG, does not count'}")
    return right


# ---- measuring


class Probe:
    def __init__(self):
        self.dir = tempfile.TemporaryDirectory()
        self.exe = os.path.join(self.dir.name, "probe")
        source = self.exe + ".c"
        with open(source, "w") as f:
            f.write(PROBE)
        run([os.environ.get("CC", "cc"), "-O3", "-march=native", "-w", "-o", self.exe, source, "-lm", "-pthread"])

    def take(self, threads):
        return [float(x) for x in run([self.exe, str(threads)]).split()]  # GB/s, and GMAC/s where there is VNNI


def sizes(model):
    """Bytes that a decoded token reads, multiply-accumulates of a prompt's token (weights of the layers)."""
    tensors = json.loads(run([OURS, "inspect", model, "--tensors", "--json"]))["tensors"]
    names = {t["name"] for t in tensors}
    read = sum(t["n_bytes"] for t in tensors if t["name"] != "token_embd.weight" or "output.weight" not in names)
    macs = 0
    for t in tensors:
        dims = [d for d in t.get("shape", t.get("dims")) if d > 1]
        if t["name"].startswith("blk.") and len(dims) == 2:
            macs += dims[0] * dims[1]
    return read, macs


def parse_test(text):
    m = re.fullmatch(r"pp(\d+)", text)
    if m:
        return int(m[1]), 0, 0
    m = re.fullmatch(r"tg(\d+)(?:@(\d+))?", text)
    if not m:
        sys.exit(f"bench_peers.py: test {text}: expected ppN, tgN or tgN@D")
    return 0, int(m[1]), int(m[2] or 0)


def interval(ratios, rounds=4000):
    rnd = random.Random(1)
    m = sorted(statistics.median(rnd.choices(ratios, k=len(ratios))) for _ in range(rounds))
    return m[int(rounds * 0.025)], m[int(rounds * 0.975)]


def compare(ours, peer, model, name, threads, pairs, probe, log):
    test, rows = parse_test(name), []
    for k in range(pairs):
        before = probe.take(threads)
        v = [e.speed(model, test, threads) for e in (ours, peer, peer, ours)]
        after = probe.take(threads)
        rows.append({"model": os.path.basename(model), "test": name, "threads": threads, "peer": peer.name, "pair": k,
                     "ours": [v[0], v[3]], "theirs": [v[1], v[2]],
                     "probe": [(a + b) / 2 for a, b in zip(before, after)]})
        if log:
            log.write(json.dumps(rows[-1]) + "\n")
            log.flush()
    return rows


def kv_bytes(model, depth):
    """Bytes of keys and values of depth tokens."""
    return json.loads(run([OURS, "plan", model, "-c", str(depth), "--json"]))["kv"] if depth else 0


def summary(rows, read, macs):
    a = [x for r in rows for x in r["ours"]]
    b = [x for r in rows for x in r["theirs"]]
    ratios = [sum(r["ours"]) / sum(r["theirs"]) for r in rows]
    lo, hi = interval(ratios)
    share = None
    for r in rows[:1]:
        if r["test"].startswith("tg"):
            share = statistics.median(sum(q["ours"]) / 2 * read / 1e9 / q["probe"][0] for q in rows)
        elif len(r["probe"]) > 1:
            share = statistics.median(sum(q["ours"]) / 2 * macs / 1e9 / q["probe"][1] for q in rows)
    r = rows[0]
    return {"model": r["model"], "test": r["test"], "threads": r["threads"], "peer": r["peer"],
            "ours": statistics.median(a), "theirs": statistics.median(b), "ratio": statistics.median(ratios), "lo": lo,
            "hi": hi, "share": share, "gbs": statistics.median(q["probe"][0] for q in rows)}


# ---- what is written


def table(results):
    lines = ["| model | test | threads | abstractllm.h | peer | | ratio [95 %] | of the machine |",
             "|---|---|---|---|---|---|---|---|"]
    for r in results:
        share = "" if r["share"] is None else f"{100 * r['share']:.0f} % of {'memory' if r['test'][0] == 't' else 'VNNI'}"
        lines.append(f"| {r['model']} | {r['test']} | {r['threads']} | {r['ours']:.0f} | {r['peer']} | {r['theirs']:.0f} | "
                     f"{r['ratio']:.2f} [{r['lo']:.2f}, {r['hi']:.2f}] | {share} |")
    return "\n".join(lines) + "\n"


def chart(results):
    """Bars of the ratios; the line at 1 is the peer."""
    h, left, scale = 22, 330, 90
    most = max([r["hi"] for r in results] + [1])
    scale = min(scale, 420 / most)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + 480}" height="{h * len(results) + 40}" '
           'font-family="sans-serif" font-size="12">']
    for i, r in enumerate(results):
        y = 24 + i * h
        label = f"{r['model'].removesuffix('.gguf')}, {r['test']}, {r['threads']} thread{'s' * (r['threads'] > 1)}"
        out.append(f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{label[:52]}</text>')
        out.append(f'<rect x="{left}" y="{y + 2}" width="{r["ratio"] * scale:.1f}" height="{h - 6}" fill="#3b7dd8"/>')
        out.append(f'<text x="{left + r["ratio"] * scale + 6:.1f}" y="{y + 13}">{r["ratio"]:.2f} x {r["peer"]}</text>')
    one = f"{left + scale:.1f}"
    out.append(f'<line x1="{one}" y1="20" x2="{one}" y2="{24 + h * len(results)}" stroke="#888"/>')
    out.append(f'<text x="{one}" y="14" text-anchor="middle" fill="#555">1</text></svg>')
    return "\n".join(out) + "\n"


def processor():
    try:
        with open("/proc/cpuinfo") as f:
            text = f.read()
        get = lambda key: (re.search(rf"^{key}\s*:\s*(.*)$", text, re.M) or ["", "?"])[1]
        return f"{get('model name')}, family {get('cpu family')} model {get('model')}, {os.cpu_count()} processors"
    except OSError:
        return f"{os.cpu_count()} processors"


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("models", nargs="+")
    ap.add_argument("--threads", default="1,2")
    ap.add_argument("--tests", default="pp512,tg128,tg128@2048")
    ap.add_argument("--pairs", type=int, default=6)
    ap.add_argument("--install", action="store_true")
    ap.add_argument("--quantcpp", action="store_true")
    ap.add_argument("--peer", action="append", default=[])
    ap.add_argument("--jsonl")
    ap.add_argument("--table")
    ap.add_argument("--svg")
    a = ap.parse_args()
    os.makedirs(PEERS, exist_ok=True)
    if not os.path.exists(OURS):
        run(["make", "-C", ROOT, "build/allm"])
    peers = []
    if a.install:
        peers.append(LlamaBench("llama.cpp", install_llama(), ["-fa", "1"]))
    for p in a.peer:
        name, _, rest = p.partition("=")
        path, *flags = rest.split(",")
        peers.append(LlamaBench(name, path, flags))
    if a.quantcpp:
        peers.append(QuantCpp())
    if not peers:
        sys.exit("bench_peers.py: no peer: --install, --peer NAME=PATH or --quantcpp")
    probe, log, results = Probe(), open(a.jsonl, "a") if a.jsonl else None, []
    print(f"{processor()}; load {os.getloadavg()[0]:.1f}; {time.strftime('%Y-%m-%d')}")
    for model in map(os.path.abspath, a.models):
        read, macs = sizes(model)
        for peer in peers:
            if check(peer, model) is False:
                continue
            for name in a.tests.split(","):
                for threads in map(int, a.threads.split(",")):
                    try:
                        rows = compare(Ours(), peer, model, name, threads, a.pairs, probe, log)
                    except (RuntimeError, subprocess.TimeoutExpired) as e:
                        say(f"{os.path.basename(model)} {name}: {e}")
                        continue
                    results.append(summary(rows, read + kv_bytes(model, parse_test(name)[2]), macs))
                    say(table(results[-1:]).splitlines()[-1])
    text = table(results)
    print(text, end="")
    for path, what in ((a.table, text), (a.svg, chart(results))):
        if path:
            with open(path, "w") as f:
                f.write(what)


if __name__ == "__main__":
    main()
