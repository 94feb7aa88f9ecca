/* What constrained output costs: compiling a schema, and the token mask at each token of texts that fit it.
 *
 *     make build/bench_gram && build/bench_gram MODEL SCHEMAS.json [TEXTS]
 *
 * MODEL: a GGUF file with a tokenizer, or a tokenizer.json. SCHEMAS.json: [{"name", "schema", "valid": [text, ...]},
 * ...], as realistic.json of the golden data. Each text is written token by token, in a run of its own; then TEXTS more
 * (3) at random, each up to 300 tokens that the mask allows. A line a schema: milliseconds to compile; masks made;
 * their mean and the longest. The last line is of all of them. */
#define ABSTRACTLLM_STATIC
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"

#include <stdio.h>
#include <stdlib.h>

static const allm__host host = {{allm__mem_default_alloc, allm__mem_default_free, NULL}, NULL, NULL};

typedef struct cost { double compile, sum, longest; size_t n; } cost;

static void add(cost *c, double t) { c->sum += t, c->n++, c->longest = ALLM__MAX(c->longest, t); }

/* One text: ids[n], or, with n 0, ids that the mask allows, by chance. */
static void walk(const allm__gram *g, const allm__gram_trie *trie, const allm__tok *tok, const int32_t *ids, size_t n,
                 uint64_t *seed, cost *c, allm_error *err) {
    allm__gram_run  r;
    const uint64_t *mask = NULL;
    if (allm__gram_run_init(&r, &host, g, trie, err)) return;
    for (size_t i = 0; i < (n ? n : 300); i++) {
        double t = allm__plat_seconds();
        if (allm__gram_mask(&r, &mask, err)) break;
        add(c, allm__plat_seconds() - t);
        int32_t id = n ? ids[i] : 0;
        for (uint64_t x = *seed; !n;) {
            id = (int32_t)((x = *seed = allm__mix64(x)) % (uint64_t)tok->n_vocab);
            if (mask[id / 64] >> id % 64 & 1) break;
            while (!mask[id / 64]) id = (id / 64 + 1) % (int32_t)trie->n_mask * 64; /* the next that is allowed */
            while (!(mask[id / 64] >> id % 64 & 1)) id = id / 64 * 64 + (id + 1) % 64;
            break;
        }
        if (!(mask[id / 64] >> id % 64 & 1)) {
            allm__fail(err, ALLM_E_GRAMMAR, NULL, -1, "token %d is not allowed", (int)id);
            break;
        }
        if (allm__gram_accept_token(&r, tok, id, err) || allm__tok_is_end(tok, id)) break;
    }
    allm__gram_run_free(&r);
}

static allm_str raw(allm__json *j) { /* the value that comes next, as it is written */
    allm__json_next(j);
    size_t at = j->at;
    if (j->event == ALLM__JSON_OBJECT || j->event == ALLM__JSON_ARRAY) allm__json_skip(j);
    return allm__str(j->p + at, j->pos - at);
}

static void one(allm_str name, allm_str schema, allm_str valid, int n_random, const allm__gram_trie *trie,
                const allm__tok *tok, cost *all, allm_error *err) {
    allm__gram *g    = NULL;
    cost        c    = {0, 0, 0, 0};
    uint64_t    seed = 1;
    allm__json  j;
    double      t = allm__plat_seconds();
    if (allm__gram_compile_schema(&host, schema, "schema", NULL, 1, &g, err)) return;
    c.compile = allm__plat_seconds() - t;
    allm__json_init(&j, &host, valid, "valid", 0, err);
    for (allm__json_begin(&j, ALLM__JSON_ARRAY, "a list"); allm__json_elem(&j) && !err->status;) {
        allm__ids ids = {&host, NULL, 0, 0, 0};
        allm__tok_encode(tok, allm__json_text(&j), 0, NULL, 0, &ids, err);
        if (ids.len) walk(g, trie, tok, ids.ptr, ids.len, &seed, &c, err);
        allm__ids_free(&ids);
    }
    allm__json_free(&j);
    for (int i = 0; i < n_random && !err->status; i++) walk(g, trie, tok, NULL, 0, &seed, &c, err);
    allm__gram_free(g);
    printf("%-32.*s compiled in %7.3f ms; %5zu masks, mean %7.4f ms, longest %7.3f ms\n", (int)name.len, name.ptr,
           1e3 * c.compile, c.n, c.n ? 1e3 * c.sum / (double)c.n : 0, 1e3 * c.longest);
    all->compile = ALLM__MAX(all->compile, c.compile), all->longest = ALLM__MAX(all->longest, c.longest);
    all->sum += c.sum, all->n += c.n;
}

static void open_json(FILE *f, const char *path, allm__tok **tok, allm_error *err) {
    enum { MOST = 1 << 26 };
    char *text = (char *)malloc(MOST);
    if (text) allm__tok_open_json(&host, allm__str(text, fread(text, 1, MOST, f)), path, tok, err);
    free(text);
}

int main(int argc, char **argv) {
    allm_error       err = {0};
    allm_source      src = {0};
    allm__gguf       file;
    allm__tok       *tok  = NULL;
    allm__gram_trie *trie = NULL;
    cost             all  = {0, 0, 0, 0};
    allm__json       j;
    static char      text[1 << 22];
    FILE            *f = argc > 2 ? fopen(argv[2], "rb") : NULL;
    if (!f) return fprintf(stderr, "usage: bench_gram MODEL SCHEMAS.json [TEXTS]\n"), 2;
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    src.path = argv[1];
    memset(&file, 0, sizeof file);
    if (allm__str_ends(allm__str_of(argv[1]), ALLM__S(".json"))) {
        FILE *g = fopen(argv[1], "rb");
        if (g) open_json(g, argv[1], &tok, &err), fclose(g);
    } else if (!allm__gguf_open(&host, &src, &file, &err)) allm__tok_open_gguf(&host, &file, &tok, &err);
    if (!tok) return fprintf(stderr, "%s: %s\n", argv[1], err.message), 1;
    double t = allm__plat_seconds();
    if (allm__gram_trie_make(&host, tok, &trie, &err)) return fprintf(stderr, "%s\n", err.message), 1;
    printf("%d tokens, %zu nodes, made once in %.1f ms\n", (int)tok->n_vocab, trie->n,
           1e3 * (allm__plat_seconds() - t));
    allm__json_init(&j, &host, allm__str(text, n), argv[2], 0, &err);
    for (allm__json_begin(&j, ALLM__JSON_ARRAY, "a list"); allm__json_elem(&j);) {
        allm_str key, name = {"", 0}, schema = {"{}", 2}, valid = {"[]", 2};
        while (allm__json_key(&j, &key))
            if (allm__str_eq(key, ALLM__S("name"))) name = raw(&j);
            else if (allm__str_eq(key, ALLM__S("schema"))) schema = raw(&j);
            else if (allm__str_eq(key, ALLM__S("valid"))) valid = raw(&j);
            else allm__json_skip(&j);
        allm_error own = {0};
        one(name, schema, valid, argc > 3 ? atoi(argv[3]) : 3, trie, tok, &all, &own);
        if (own.status) printf("%.*s: %s\n", (int)name.len, name.ptr, own.message);
    }
    allm__json_free(&j);
    printf("%-32s compiled in %7.3f ms; %5zu masks, mean %7.4f ms, longest %7.3f ms\n", "all: at most",
           1e3 * all.compile, all.n, all.n ? 1e3 * all.sum / (double)all.n : 0, 1e3 * all.longest);
    allm__gram_trie_free(trie), allm__tok_close(tok);
    if (file.host) allm__gguf_close(&file);
    return err.status != 0;
}
