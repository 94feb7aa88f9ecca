#!/usr/bin/env python3
"""Compares build/allm's pull, list and rm with huggingface_hub, on a hub of its own on loopback that can also misbehave.

    pip install huggingface_hub; make build/allm; python3 tools/check_hub.py [path of allm]
"""
import hashlib
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading

ALLM = sys.argv[1] if len(sys.argv) > 1 else "build/allm"
BLOB = bytes((i * 7 + i // 251) % 256 for i in range(2_000_000))
SHA256 = hashlib.sha256(BLOB).hexdigest()
SMALL = b'{"a": 1}\n'
GIT = hashlib.sha1(b"blob %d\0" % len(SMALL) + SMALL).hexdigest()
COMMIT = "c0ffee" * 6 + "c0de"
mode = "good"
log = []  # (is the other host, Authorization, Range)


class Hub(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def head(self, code, headers):
        self.send_response(code)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)

    def answer(self, body):
        other = self.server is other_host
        log.append((other, self.headers.get("Authorization"), self.headers.get("Range")))
        if "/api/models/" in self.path:
            files = [{"rfilename": "config.json"}, {"rfilename": "m-Q4_0.gguf"}]
            text = json.dumps({"id": "acme/m", "sha": COMMIT, "siblings": files}).encode()
            self.head(200, {"Content-Length": len(text), "Content-Type": "application/json"})
            self.wfile.write(text)
        elif self.path.endswith("config.json"):
            self.head(200, {"X-Repo-Commit": COMMIT, "ETag": f'"{GIT}"', "Content-Length": len(SMALL)})
            if body:
                self.wfile.write(SMALL)
        elif not other:
            size = len(BLOB) + {"longer": 10, "shorter": -10}.get(mode, 0)
            where = f"http://127.0.0.1:{other_host.server_port}/blob"
            self.head(302, {"X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{SHA256}"', "X-Linked-Size": size,
                            "Location": where, "Content-Length": 0})
        else:
            self.send_blob(body)

    def send_blob(self, body):
        data = BLOB if mode != "hash" else BLOB[:5] + b"!" + BLOB[6:]
        headers, code, ask = {"ETag": f'"{SHA256}"'}, 200, self.headers.get("Range")
        if ask and mode != "no ranges":
            start = int(ask.split("=")[1].split("-")[0])
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            data, code = data[start:], 206
        self.head(code, {**headers, "Content-Length": len(data)})
        if mode == "drops":
            data, self.close_connection = data[:len(data) // 2], True
        try:
            if body:
                self.wfile.write(data)
        except OSError:
            self.close_connection = True


hub = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
other_host = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
for server in (hub, other_host):
    threading.Thread(target=server.serve_forever, daemon=True).start()
endpoint = f"http://127.0.0.1:{hub.server_port}"
os.environ.update(HF_ENDPOINT=endpoint, HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_TELEMETRY="1")
from huggingface_hub import hf_hub_download, scan_cache_dir  # noqa: E402  reads the environment

n_checks = n_wrong = 0


def check(what, is_right, saw=""):
    global n_checks, n_wrong
    n_checks += 1
    n_wrong += not is_right
    print("ok   " if is_right else "WRONG", what, saw if not is_right else "")


def allm(cache, *args):
    env = {**os.environ, "HF_HUB_CACHE": cache, "HF_TOKEN": "secret"}
    run = subprocess.run([ALLM, *args], env=env, capture_output=True, text=True)
    return run.returncode, run.stdout.strip(), run.stderr.strip()


def listed(cache):
    return [(m["name"], m["n_bytes"]) for m in json.loads(allm(cache, "list", "--json")[1])]


def part_files(cache):
    return sum(name.endswith(".incomplete") for _, _, names in os.walk(cache) for name in names)


with tempfile.TemporaryDirectory() as folder:
    cache = folder + "/theirs"
    for name in ("config.json", "m-Q4_0.gguf"):
        hf_hub_download("acme/m", name, endpoint=endpoint, cache_dir=cache)
    theirs = [(r.repo_id, r.size_on_disk) for r in scan_cache_dir(cache).repos]
    check("list of a cache that huggingface_hub laid out", listed(cache) == theirs, (listed(cache), theirs))
    code, out, err = allm(cache, "pull", "acme/m")
    check("pull finds what it has", code == 0 and open(out, "rb").read() == BLOB, err)
    check("rm", allm(cache, "rm", "acme/m")[0] == 0 and not scan_cache_dir(cache).repos)
    code, out, err = allm(cache, "rm", "acme/m")
    check("rm of what is not there", code == 1 and "not in the Hugging Face cache" in err, err)
    for mode, good, parts in (("good", 1, 0), ("no ranges", 1, 0), ("drops", 0, 1), ("longer", 0, 1), ("shorter", 0, 1),
                              ("hash", 0, 0)):
        cache = folder + "/" + mode.replace(" ", "")
        log.clear()
        code, out, err = allm(cache, "pull", "acme/m")
        check(f"pull, {mode}: exit status", code == (0 if good else 1), err)
        check(f"pull, {mode}: nothing half-written is found", len(listed(cache)) == good, listed(cache))
        check(f"pull, {mode}: parts kept", part_files(cache) == parts, part_files(cache))
        check(f"pull, {mode}: the token stays here", not any(other and auth for other, auth, _ in log))
        check(f"pull, {mode}: the token is not shown", "secret" not in out + err)
        if mode == "drops":
            mode = "good"
            log.clear()
            code, out, err = allm(cache, "pull", "acme/m")
            check("pull again goes on where it ended", code == 0 and any(r for other, _, r in log if other), err)
            path = hf_hub_download("acme/m", "m-Q4_0.gguf", endpoint=endpoint, cache_dir=cache, local_files_only=True)
            check("and huggingface_hub finds it", path == out and open(path, "rb").read() == BLOB, (path, out))
            check("and has nothing to warn of", not scan_cache_dir(cache).warnings)
    for server in (hub, other_host):
        server.shutdown()
        server.server_close()
    code, out, err = allm(folder + "/none", "pull", "acme/m")
    check("nobody there: one line, exit 1", code == 1 and err.startswith("allm: ") and err.count("\n") == 0, err)
    print("      ", err)
print(f"{n_checks - n_wrong} passed, {n_wrong} failed, 0 skipped")
sys.exit(n_wrong != 0)
