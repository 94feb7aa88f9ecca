/* many_sessions.c - one model, several texts at a time: each has a session and a sampler, and one call evaluates
 * a token of each in a single pass over the weights, which is several times as fast as one after another.
 *     cc -std=c11 -O2 -I. examples/many_sessions.c -lm -pthread -o many_sessions
 *     ./many_sessions model.gguf "Once upon a time" "The old house" "My dog" ...        */
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
#include <stdio.h>
#include <string.h>

enum { MOST = 16, N_TOKENS = 64, N_TEXT = 2048 };

typedef struct text { /* one of them, on its way */
    allm_session    *session;
    allm_sampler    *sampler;
    allm_detok_state state;
    int32_t          id; /* the next token */
    char             answer[N_TEXT];
    size_t           n;
} text;

static int failed(const allm_error *err) { return fprintf(stderr, "%s\n", err->message), 1; }

static int begin(text *t, const allm_model *m, const char *prompt, int64_t seed) {
    allm_error          err   = {0};
    allm_session_config shape = {.n_ctx = 512 + N_TOKENS};
    allm_sampling       how   = {.temperature = 0.8f, .top_p = 0.95f, .seed = seed};
    int32_t             ids[512];
    size_t              n;
    if (allm_session_create(m, &shape, &t->session, &err) || allm_sampler_create(m, &how, NULL, &t->sampler, &err) ||
        allm_tokenize(m, (allm_str){prompt, strlen(prompt)}, 0, 1, ids, 512, &n, &err))
        return failed(&err);
    if (n > 512) return fprintf(stderr, "a prompt of %zu tokens, at most 512 here\n", n), 1;
    return allm_session_eval(t->session, ids, n, 0, &err) ? failed(&err) : 0;
}

/* Chooses the next token; 0 when the text has ended, -1 when something failed. */
static int next(text *t, const allm_model *m) {
    allm_error err = {0};
    allm_str   piece;
    if (allm_sampler_next(t->sampler, allm_session_logits(t->session, 0), &t->id, NULL, &err)) return -failed(&err);
    const int end = allm_token_is_end(m, t->id);
    if (allm_detokenize_next(m, &t->state, end ? -1 : t->id, 1, &piece, &err)) return -failed(&err);
    if (piece.len > N_TEXT - t->n) return 0;
    memcpy(t->answer + t->n, piece.ptr, piece.len);
    t->n += piece.len;
    return !end;
}

static int run(text *texts, int n, const allm_model *m) {
    allm_error    err = {0};
    allm_session *sessions[MOST]; /* of the texts that go on */
    int32_t       ids[MOST];
    int           going[MOST];
    for (int i = 0; i < n; i++) going[i] = 1;
    for (int k = 0; k < N_TOKENS; k++) {
        size_t n_going = 0;
        for (int i = 0; i < n; i++) {
            if (going[i] && (going[i] = next(&texts[i], m)) < 0) return 1;
            if (going[i]) sessions[n_going] = texts[i].session, ids[n_going++] = texts[i].id;
        }
        if (!n_going) return 0;
        if (allm_session_eval_many(sessions, ids, n_going, &err)) return failed(&err);
    }
    return 0;
}

int main(int argc, char **argv) {
    static text texts[MOST];
    const int   n = argc - 2 < MOST ? argc - 2 : MOST;
    allm_error  err = {0};
    allm_model *m   = NULL;
    if (argc < 3) return fprintf(stderr, "usage: %s model.gguf \"text\" \"text\" ...\n", argv[0]), 2;
    int rc = allm_model_open(NULL, &(allm_source){.path = argv[1]}, NULL, &m, &err) ? failed(&err) : 0;
    for (int i = 0; i < n && !rc; i++) rc = begin(&texts[i], m, argv[i + 2], i);
    if (!rc) rc = run(texts, n, m);
    for (int i = 0; i < n; i++) {
        if (!rc) printf("%s%.*s\n\n", argv[i + 2], (int)texts[i].n, texts[i].answer);
        allm_sampler_destroy(texts[i].sampler);
        allm_session_destroy(texts[i].session);
    }
    allm_model_close(m);
    return rc;
}
