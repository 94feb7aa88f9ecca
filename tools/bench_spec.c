/* What speculation gains: for each prompt the same answer is written with and without, turn about, and the ratio of the
 * medians of the times printed, with how many guesses were right; with one thread also that of processor times, which
 * other work on the machine changes less. Texts that differ are said and end it with 1.
 *     make build/bench_spec && build/bench_spec MODEL [THREADS [TURNS [TEMPERATURE [DRAFT_MODEL]]]] */
#define _DEFAULT_SOURCE 1
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
#include <stdio.h>
#include <time.h>

#define STORY \
    "The lighthouse keeper, Anna Petersen, had lived on the island of Skerry for thirty-one years when the " \
    "letter from the harbour office came. It said that the lamp would be replaced by an automatic one in the " \
    "spring, and that she was free to stay in the house for as long as she liked. Anna Petersen read the " \
    "letter twice, put it under the sugar bowl, and went up to trim the wick. That night a fishing boat " \
    "called the Margrethe lost its engine off the northern reef. Its radio had been broken since the morning. " \
    "The crew of four burned their blankets on the deck, and Anna Petersen saw the fire from the gallery. She " \
    "rowed out with a rope and a lantern, and by four in the morning all of them sat in her kitchen, drinking " \
    "tea with far too much sugar. In the spring the harbour office sent another letter. It said that the lamp " \
    "on the island of Skerry would not be replaced after all."

#define CODE \
    "```python\n" \
    "def read_config(path):\n" \
    "    config = {}\n" \
    "    with open(path) as file:\n" \
    "        for line in file:\n" \
    "            line = line.strip()\n" \
    "            if not line or line.startswith('#'):\n" \
    "                continue\n" \
    "            key, value = line.split('=', 1)\n" \
    "            config[key.strip()] = value.strip()\n" \
    "    return config\n" \
    "\n" \
    "def write_config(path, config):\n" \
    "    with open(path, 'w') as file:\n" \
    "        for key, value in sorted(config.items()):\n" \
    "            file.write(key + ' = ' + value + '\\n')\n" \
    "```\n"

static const struct { const char *name, *prompt; int32_t n; } tasks[] = {
    {"summarise", "Summarise the following text in a few sentences.\n\n" STORY, 160},
    {"rewrite", "Rewrite the following text and correct all spelling mistakes. Give only the text.\n\n" STORY, 256},
    {"code edit", "Rename the variable `config` to `settings` in this code and give the whole code.\n\n" CODE, 256},
    {"chat: advice", "What should I think about when I buy my first bicycle?", 200},
    {"chat: facts", "Why is the sky blue, and why are sunsets red?", 200},
    {"chat: story", "Tell me a story about a fox who wanted to learn to swim.", 200},
};

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int fail(const allm_error *err) { return fprintf(stderr, "bench_spec: %s\n", err->message), 1; }

int main(int argc, char **argv) {
    enum { TURNS = 99 };
    const int           turns = argc > 3 ? ALLM__MIN(atoi(argv[3]), TURNS) : 5;
    allm_runtime_config rc    = {0};
    allm_runtime       *rt    = NULL;
    allm_llm           *llm[2] = {NULL, NULL};
    allm_error          err   = {0};
    allm_config         c     = {0};
    if (argc < 2) return fputs("usage: bench_spec MODEL [THREADS [TURNS [TEMPERATURE [DRAFT_MODEL]]]]\n", stderr), 2;
    rc.n_threads = argc > 2 ? atoi(argv[2]) : 1;
    if (allm_runtime_create(&rc, &rt, &err)) return fail(&err);
    c.runtime = rt, c.model = argv[1], c.n_ctx = 2048;
    for (int with = 0; with < 2; with++) {
        c.no_speculation = !with, c.draft_model = with && argc > 5 ? argv[5] : NULL;
        if (allm_create("local", &c, &llm[with], &err)) return fail(&err);
    }
    for (size_t i = 0; i < ALLM__COUNT(tasks); i++) {
        allm_sampling sampling = {0};
        allm_request  req      = {0};
        allm_response r[2];
        double        seconds[2][TURNS], busy[2][TURNS];
        sampling.temperature = argc > 4 ? (float)atof(argv[4]) : 0, sampling.seed = 7;
        req.prompt = tasks[i].prompt, req.max_tokens = tasks[i].n, req.sampling = &sampling;
        for (int turn = -1; turn < turns; turn++) /* the first one does not count */
            for (int k = 0; k < 2; k++) {
                const int with = turn & 1 ? k : !k;
                const clock_t from = clock();
                if (allm_generate(llm[with], &req, &r[with], &err)) return fail(&err);
                if (turn >= 0) busy[with][turn] = (double)(clock() - from);
                if (turn >= 0) seconds[with][turn] = r[with].generate_s;
                if (k == 0) continue;
                if (r[0].completion_tokens != r[1].completion_tokens || strcmp(r[0].text, r[1].text))
                    return fprintf(stderr, "%s: the texts differ\n", tasks[i].name), 1;
                if (turn + 1 < turns) allm_response_free(&r[0]), allm_response_free(&r[1]);
            }
        for (int with = 0; with < 2; with++) qsort(seconds[with], (size_t)turns, sizeof(double), compare);
        for (int with = 0; with < 2; with++) qsort(busy[with], (size_t)turns, sizeof(double), compare);
        printf("%-14s %.3f", tasks[i].name, seconds[0][turns / 2] / seconds[1][turns / 2]);
        if (rc.n_threads == 1) printf(" (%.3f)", busy[0][turns / 2] / busy[1][turns / 2]);
        printf("  %6.1f -> %6.1f tokens/s, %d tokens, %d of %d guesses right\n",
               r[0].completion_tokens / seconds[0][turns / 2],
               r[0].completion_tokens / seconds[1][turns / 2], (int)r[1].completion_tokens,
               (int)r[1].accepted_tokens, (int)r[1].drafted_tokens);
        fflush(stdout);
        allm_response_free(&r[0]), allm_response_free(&r[1]);
    }
    allm_destroy(llm[0]), allm_destroy(llm[1]);
    allm_runtime_destroy(rt);
    return 0;
}
