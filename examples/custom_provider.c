/* custom_provider.c - a provider of your own: here one that answers in capitals. It emits chunks; the library builds
 * the response, runs tools, keeps jobs, carries cancellation: callers cannot tell it from a model.
 *     cc -std=c11 -O2 -I. examples/custom_provider.c -lm -pthread -o custom_provider
 *     ./custom_provider "hello there" */
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static int shout_fits(void *ctx, const allm_config *config) { /* 0..100, asked when the caller names no provider */
    (void)ctx;
    return config->model && !strcmp(config->model, "shout") ? 90 : 0;
}

static allm_status shout_open(void *ctx, const allm_config *config, void **self, allm_error *err) {
    (void)config, (void)err;
    return *self = ctx, ALLM_OK; /* one with a connection, or weights, opens them here and closes them in `close` */
}

static allm_status shout_generate(void *self, const allm_request *req, allm_response *out, allm_error *err) {
    const char *text = req->prompt ? req->prompt : req->n_messages ? req->messages[req->n_messages - 1].content : "";
    (void)self, (void)err;
    for (; text && *text; text++) {
        char       letter = (char)toupper((unsigned char)*text);
        allm_chunk chunk  = {.event = ALLM_TEXT, .text = &letter, .len = 1, .token_id = -1};
        if (req->on_chunk(&chunk, req->on_chunk_ctx)) return ALLM_E_CANCELLED; /* always look at it */
        out->completion_tokens++;
    }
    return out->finish = ALLM_FINISH_STOP, ALLM_OK;
}

static allm_status shout_can(void *self, allm_capabilities *out, allm_error *err) {
    (void)self, (void)err;
    return out->streaming = out->multi_turn = 1, out->max_context = 4096, ALLM_OK;
}

static int show(const allm_chunk *chunk, void *ctx) {
    (void)ctx;
    return chunk->event == ALLM_TEXT && fwrite(chunk->text, 1, chunk->len, stdout) != chunk->len;
}

int main(int argc, char **argv) {
    const allm_provider shout = {.name = "shout", .probe = shout_fits, .open = shout_open, .generate = shout_generate,
                                 .capabilities = shout_can};
    allm_error   err    = {0};
    allm_llm    *llm    = NULL;
    allm_config  config = {.model = "shout"};
    allm_request ask    = {.prompt = argc > 1 ? argv[1] : "hello there", .on_chunk = show};
    if (allm_provider_register(NULL, &shout, &err) || allm_create(NULL, &config, &llm, &err) ||
        allm_generate(llm, &ask, NULL, &err))
        fprintf(stderr, "%s\n", err.message);
    printf("\n");
    allm_destroy(llm);
    allm_shutdown();
    return err.status != ALLM_OK;
}
