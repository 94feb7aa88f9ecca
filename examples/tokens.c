/* tokens.c - the engine underneath, without templates or events: text to token ids, ids to logits, logits to the next
 * id, that id to text. For engines and experiments built on top; most programs want hello.c.
 *     cc -std=c11 -O2 -I. examples/tokens.c -lm -pthread -o tokens
 *     ./tokens model.gguf "Once upon a time" [n tokens]        */
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed(const allm_error *err) { return fprintf(stderr, "%s\n", err->message), 1; }

static int generate(allm_model *m, allm_session *s, allm_sampler *sampler, const char *text, int n_max) {
    enum { MAX_PROMPT = 2048 };
    static int32_t  ids[MAX_PROMPT];
    allm_error      err   = {0};
    allm_detok_state state = {0};
    allm_str        prompt = {text, strlen(text)}, piece;
    size_t          n      = 0;
    int32_t         id;
    float           logprob;
    if (allm_tokenize(m, prompt, 0, 1, ids, MAX_PROMPT, &n, &err)) return failed(&err);
    if (n > MAX_PROMPT) return fprintf(stderr, "the prompt has %zu tokens, at most %d here\n", n, MAX_PROMPT), 1;
    for (size_t i = 0; i < n; i++) fprintf(stderr, "%d ", (int)ids[i]); /* what the model sees */
    if (allm_sampler_accept(sampler, ids, n, &err)) return failed(&err); /* penalties look at the prompt too */
    for (int i = 0; i < n_max; i++) {
        const int32_t *next = i ? &id : ids; /* the whole prompt first, then one token at a time */
        if (allm_session_eval(s, next, i ? 1 : n, 0, &err)) return failed(&err);
        if (allm_sampler_next(sampler, allm_session_logits(s, 0), &id, &logprob, &err)) return failed(&err);
        fprintf(stderr, "\n%6d  %5.1f %%  ", (int)id, 100 * exp((double)logprob));
        if (allm_token_is_end(m, id)) break;
        if (allm_detokenize_next(m, &state, id, 1, &piece, &err)) return failed(&err);
        fwrite(piece.ptr, 1, piece.len, stdout); /* whole characters, maybe none yet */
        fflush(stdout);
    }
    if (allm_detokenize_next(m, &state, -1, 1, &piece, &err)) return failed(&err); /* what was held back */
    fwrite(piece.ptr, 1, piece.len, stdout);
    putchar('\n');
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 3) return fprintf(stderr, "usage: %s model.gguf \"text\" [n tokens]\n", argv[0]), 2;
    allm_error          err     = {0};
    allm_model         *m       = NULL;
    allm_session       *s       = NULL;
    allm_sampler       *sampler = NULL;
    allm_source         source  = {.path = argv[1]};
    allm_session_config shape   = {.n_ctx = 2048 + 256};
    allm_sampling       how     = {.temperature = 0.8f, .top_p = 0.95f, .seed = 1}; /* a fixed seed: the same text */
    int                 rc      = 1;
    if (allm_model_open(NULL, &source, NULL, &m, &err) || allm_session_create(m, &shape, &s, &err) ||
        allm_sampler_create(m, &how, NULL, &sampler, &err))
        failed(&err);
    else rc = generate(m, s, sampler, argv[2], argc > 3 ? atoi(argv[3]) : 64);
    allm_sampler_destroy(sampler);
    allm_session_destroy(s);
    allm_model_close(m);
    return rc;
}
