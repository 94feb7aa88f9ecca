/* search.c - semantic search: the lines of a text nearest in meaning to a question, by embeddings.
 *     cc -std=c11 -O2 -I. examples/search.c -lm -pthread -o search
 *     ./search embedding-model.gguf "Where is the cat?" notes.txt */
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LINES = 4096, MAX_LINE = 512, N_BEST = 5 };

static char     lines[MAX_LINES + 1][MAX_LINE]; /* the question is line 0 */
static allm_str texts[MAX_LINES + 1];

static size_t read_lines(const char *path) {
    FILE  *f = fopen(path, "r");
    size_t n = 1;
    while (f && n <= MAX_LINES && fgets(lines[n], MAX_LINE, f)) {
        texts[n] = (allm_str){lines[n], strcspn(lines[n], "\r\n")};
        if (texts[n].len) n++;
    }
    if (f) fclose(f);
    return n;
}

int main(int argc, char **argv) {
    if (argc < 4) return fprintf(stderr, "usage: %s model.gguf \"question\" notes.txt\n", argv[0]), 2;
    allm_error        err    = {0};
    allm_llm         *llm    = NULL;
    allm_capabilities can    = {0};
    allm_config       config = {.model = argv[1]};
    size_t            n      = read_lines(argv[3]);
    float            *v      = NULL; /* [n, dim], each of length 1: a dot product is the cosine */
    texts[0] = (allm_str){argv[2], strlen(argv[2])};
    if (allm_create(NULL, &config, &llm, &err) || allm_get_capabilities(llm, &can, &err)) goto end;
    v = (float *)malloc(n * (size_t)(can.embedding_dim + 1) * sizeof *v);
    if (!v || allm_embed(llm, texts, n, v, can.embedding_dim, &err)) goto end;
    for (int k = 0; k < N_BEST; k++) {
        size_t best  = 0;
        float  score = -2;
        for (size_t i = 1; i < n; i++) {
            float dot = 0;
            for (int32_t d = 0; d < can.embedding_dim; d++) dot += v[d] * v[i * (size_t)can.embedding_dim + (size_t)d];
            if (texts[i].len && dot > score) score = dot, best = i;
        }
        if (!best) break;
        printf("%6.3f  %.*s\n", (double)score, (int)texts[best].len, texts[best].ptr);
        texts[best].len = 0; /* shown */
    }
end:
    if (err.status) fprintf(stderr, "%s: %s\n", allm_status_name(err.status), err.message);
    free(v);
    allm_destroy(llm);
    return err.status != ALLM_OK;
}
