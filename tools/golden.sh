#!/bin/sh
# Runs every kind of golden data found in a folder and prints a table; exit 1 if a case is wrong.
#
#     tools/golden.sh FOLDER [real]         real: only that folder
#
# Most folders are read by the unit tests. real/ is compared by its own program, which needs python3 with numpy
# (PYTHON names another one) and the model in ALLM_TEST_MODELS. The bounds of its default path can be set: KL_MAX
# (mean KL divergence) and TOP1_MIN (same best token, from which the program takes 0.003 as noise).
set -u
folder=${1:?a folder of golden data}
only=${2:-}
python=${PYTHON:-python3}
passed=0 failed=0 skipped=0

if [ ! -d "$folder" ]; then
    echo "skipped: no golden data at $folder"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi

if [ "$only" != real ]; then
    ALLM_GOLDEN=$folder build/tests -g >build/golden.log 2>&1
    grep -E '^ERROR|\[ +(ERROR|LINE|FAILED) +\]' build/golden.log
    sed -n '/^golden folder/,/^$/p' build/golden.log
    for kind in "$folder"/*/; do
        kind=$(basename "$kind")
        [ "$kind" = real ] || grep -q "^$kind  " build/golden.log || echo "no test asks for $kind"
    done
    set -- $(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' build/golden.log | tail -n 1)
    passed=${1:-0} failed=${2:-1} skipped=${3:-0}
fi

compare_real() { # NAME FLAGS...: one path of the real model
    name=$1
    shift
    echo "real, $name path:"
    if $python "$folder/real/check_real.py" "$folder/real" --gate $name "$@"; then passed=$((passed + 1))
    else failed=$((failed + 1)); fi
}

# Folders of models, as a user opens them: logits of the reference path by the command line. What is refused as not
# supported is named, not counted. build/golden-KIND.txt has a line a case.
if [ "$only" != real ] && $python -c 'import numpy' 2>/dev/null; then
    for kind in models mlx hfquant lora; do
        [ -f "$folder/$kind/manifest.json" ] || continue
        if $python - "$folder/$kind" <<'END'
import json, os, subprocess, sys
import numpy as np

folder, out = sys.argv[1], "build/golden.bin"
right = wrong = other = 0
worst = 0.0
table = open("build/golden-" + os.path.basename(folder) + ".txt", "w")

def log_softmax(x):
    x = x - x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))

for row in json.load(open(folder + "/manifest.json")):
    if row.get("kind", "causal") != "causal": continue
    model, adapter = os.path.join(folder, row.get("base", row["dir"])), os.path.join(folder, row["dir"])
    flags = ["--adapter", adapter] if row.get("adapter_kind", "none") != "none" else []
    run = subprocess.run(["build/allm", "logits", "-m", model, "--ids", ",".join(map(str, row["ids"])), "--reference",
                          "-o", out] + flags, capture_output=True, text=True)
    if run.returncode:
        unsupported = "not supported" in run.stderr
        print(f"  {row['name']:24} {run.stderr.strip()[-100:]}")
        other, wrong = other + unsupported, wrong + (not unsupported)
        continue
    want, got = (np.fromfile(f, "<f4").astype(float) for f in (os.path.join(folder, row["logits"]), out))
    nmse = np.mean((want - got) ** 2) / np.var(want) if want.size == got.size else np.inf
    good = nmse < 1e-6
    right, wrong, worst = right + good, wrong + (not good), max(worst, nmse)
    if not good: print(f"  {row['name']:24} NMSE {nmse:.2e}")
    if want.size != got.size: continue
    a, b = (x.reshape(len(row["ids"]), -1) for x in (want, got))
    p, q = log_softmax(a), log_softmax(b)
    print(f"{row['name']:28} NMSE {nmse:.1e}  same best {100 * np.mean(a.argmax(1) == b.argmax(1)):.1f} %  "
          f"KL {np.mean((np.exp(p) * (p - q)).sum(1)):.1e}", file=table)
print(f"{os.path.basename(folder)} by the command line: {right} right, {wrong} wrong, {other} not supported; "
      f"worst NMSE {worst:.2e}")
sys.exit(wrong != 0)
END
        then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    done
fi

if [ -d "$folder/real" ]; then
    model=${ALLM_TEST_MODELS:-}/SmolLM2-135M-Instruct.Q4_1.gguf
    logits="build/allm logits -m '$model' --ids {ids} -o {out}"
    if [ ! -f "$model" ]; then
        echo "real: skipped: no SmolLM2-135M-Instruct.Q4_1.gguf in ALLM_TEST_MODELS"
        skipped=$((skipped + 2))
    elif ! $python -c 'import numpy' 2>/dev/null; then
        echo "real: skipped: $python has no numpy"
        skipped=$((skipped + 2))
    else
        compare_real reference --cmd "$logits --reference"
        compare_real default --cmd "$logits" --kl-max "${KL_MAX:-0.0036}" --top1-min "${TOP1_MIN:-0.969}"
    fi
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
