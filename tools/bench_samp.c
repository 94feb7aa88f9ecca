/* Time of one sampled token over a large vocabulary: microseconds for each chain, by ISA.
 *     make build/bench_samp && build/bench_samp [N_VOCAB] */
#define _DEFAULT_SOURCE 1
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
#include <stdio.h>

enum { N_STEPS = 200, N_VECTORS = 8 };

/* Like a model's: a bell of width `spread`, 30 candidates above it by up to `peak`. */
static void fill(float *x, int32_t n, double spread, double peak, uint64_t seed) {
    for (int32_t i = 0; i < n; i++) {
        double sum = -6;
        for (uint64_t k = 0; k < 12; k++) sum += allm__random(seed, (uint64_t)i * 12 + k, 1);
        x[i] = (float)(sum * spread);
    }
    for (uint64_t k = 0; k < 30; k++)
        x[(size_t)(allm__random(seed, k, 2) * n)] += (float)(peak * (0.5 + 0.5 * allm__random(seed, k, 3)));
}

static const struct chain { const char *name; allm_sampling p; } chains[] = {
    {"greedy", {.temperature = 0}},
    {"temperature 0.7, top_p 0.9", {.temperature = 0.7f, .top_p = 0.9f}},
    {"temperature 0.7, top_k 40", {.temperature = 0.7f, .top_k = 40}},
    {"top_k 40, top_p 0.95, min_p 0.05, t 0.8", {.temperature = 0.8f, .top_k = 40, .top_p = 0.95f, .min_p = 0.05f}},
    {"min_p 0.05, t 1.2", {.temperature = 1.2f, .min_p = 0.05f}},
    {"temperature 1 alone", {.temperature = 1}},
    {"repeat 1.1, t 0.7, top_p 0.9", {.temperature = 0.7f, .top_p = 0.9f, .repeat_penalty = 1.1f}},
};

int main(int argc, char **argv) {
    static const struct { const char *name; double spread, peak; } kinds[] = {
        {"sharp", 2.0, 16}, {"medium", 2.0, 8}, {"flat", 1.0, 2}};
    int32_t    n    = argc > 1 ? (int32_t)strtol(argv[1], NULL, 10) : 151936;
    float     *x    = (float *)malloc((size_t)n * N_VECTORS * sizeof *x);
    allm__host host = {{allm__mem_default_alloc, allm__mem_default_free, NULL}, NULL, NULL};
    for (size_t k = 0; k < ALLM__COUNT(kinds); k++) {
        for (uint64_t v = 0; v < N_VECTORS; v++) fill(x + v * (size_t)n, n, kinds[k].spread, kinds[k].peak, v + 1);
        for (size_t c = 0; c < ALLM__COUNT(chains); c++) {
            printf("%-7s %-42s", kinds[k].name, chains[c].name);
            for (size_t i = 0; i < ALLM__COUNT(allm__isas); i++) {
                const allm__kern *kern = allm__kern_find(allm__isas[i].name);
                allm__samp        s;
                allm_error        err = {0};
                int32_t           id = 0;
                double            best = 1e9, sum = 0;
                if (!kern || allm__samp_init(&s, &host, kern, n, &chains[c].p, &err)) return puts(err.message), 1;
                for (int t = 0; t < N_STEPS; t++) {
                    double t0 = allm__plat_seconds();
                    if (allm__samp_next(&s, x + (size_t)(t % N_VECTORS) * (size_t)n, &id, NULL, &err)) return 1;
                    double d = allm__plat_seconds() - t0;
                    sum += d;
                    if (d < best) best = d;
                }
                printf("  %s %6.1f (least %6.1f)", kern->name, sum / N_STEPS * 1e6, best * 1e6);
                allm__samp_free(&s);
            }
            printf("\n");
        }
    }
    free(x);
    return 0;
}
