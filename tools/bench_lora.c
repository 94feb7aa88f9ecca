/* What an adapter costs: a session with it and one without evaluate the same tokens, turn about, and the ratios of the
 * medians of the times are printed, for prompts and for tokens one at a time.
 *     make build/bench_lora && build/bench_lora MODEL ADAPTER [THREADS [TURNS]] */
#define _DEFAULT_SOURCE 1
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
#include <stdio.h>
#include <time.h>

enum { PROMPT = 512, WRITTEN = 64, TURNS = 99 };

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds of the prompt, and of the tokens behind it, to t; returns a status. */
static allm_status turn(allm_session *s, const int32_t *ids, double t[2], allm_error *err) {
    allm_session_truncate(s, 0, err);
    const double from   = now();
    allm_status  status = allm_session_eval(s, ids, PROMPT, 0, err);
    const double half   = now();
    for (int i = 0; i < WRITTEN && !status; i++) status = allm_session_eval(s, ids + PROMPT + i, 1, 0, err);
    t[0] = half - from, t[1] = now() - half;
    return status;
}

int main(int argc, char **argv) {
    static const char *const names[] = {"prompt", "writing"};
    static double       t[2][2][TURNS]; /* with; part */
    const int           turns  = argc > 4 ? ALLM__MIN(ALLM__MAX(atoi(argv[4]), 1), TURNS) : 11;
    allm_runtime_config rc     = {0};
    allm_session_config sc     = {0};
    allm_source         src    = {0};
    allm_error          err    = {0};
    allm_runtime       *rt     = NULL;
    allm_model         *m      = NULL;
    allm_adapter       *a      = NULL;
    allm_session       *s[2]   = {NULL, NULL};
    int32_t             ids[PROMPT + WRITTEN];
    if (argc < 3) return fputs("usage: bench_lora MODEL ADAPTER [THREADS [TURNS]]\n", stderr), 2;
    for (int32_t i = 0; i < PROMPT + WRITTEN; i++) ids[i] = 1 + i * 31 % 977;
    rc.n_threads = argc > 3 ? atoi(argv[3]) : 1, src.path = argv[1], sc.n_ctx = PROMPT + WRITTEN;
    if (allm_runtime_create(&rc, &rt, &err) || allm_model_open(rt, &src, NULL, &m, &err) ||
        allm_session_create(m, &sc, &s[0], &err) || allm_session_create(m, &sc, &s[1], &err) ||
        allm_adapter_open(m, argv[2], &a, &err) || allm_session_use_adapter(s[1], a, 1, &err))
        return fprintf(stderr, "bench_lora: %s\n", err.message), 1;
    for (int i = -1; i < turns; i++) /* the first one does not count */
        for (int k = 0; k < 2; k++) {
            const int with = i & 1 ? k : !k;
            double    part[2];
            if (turn(s[with], ids, part, &err)) return fprintf(stderr, "bench_lora: %s\n", err.message), 1;
            for (int p = 0; p < 2 && i >= 0; p++) t[with][p][i] = part[p];
        }
    for (int p = 0; p < 2; p++) {
        const double n = p ? WRITTEN : PROMPT;
        for (int with = 0; with < 2; with++) qsort(t[with][p], (size_t)turns, sizeof(double), compare);
        printf("%-8s %.3f  %7.1f -> %7.1f tokens/s\n", names[p], t[0][p][turns / 2] / t[1][p][turns / 2],
               n / t[0][p][turns / 2], n / t[1][p][turns / 2]);
    }
    allm_session_destroy(s[0]), allm_session_destroy(s[1]);
    allm_adapter_close(a), allm_model_close(m);
    allm_runtime_destroy(rt);
    return 0;
}
