/* stream.c - one answer as a stream of events: progress while the prompt is read, text as it comes, the figures at
 * the end; Ctrl-C stops the answer within a layer and what was written so far stays valid. Greedy, so that the same
 * prompt gives the same text.
 *     cc -std=c11 -O2 -I. examples/stream.c -lm -pthread -o stream
 *     ./stream model.gguf "prompt" [max tokens]                */
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static allm_llm *running; /* for the signal handler: allm_cancel may be called from anywhere */

static void on_interrupt(int sig) {
    (void)sig;
    allm_cancel(running);
}

/* Called on this thread for every event; a result other than 0 would stop the answer. */
static int on_chunk(const allm_chunk *chunk, void *ctx) {
    (void)ctx;
    switch (chunk->event) {
    case ALLM_TEXT: /* whole UTF-8 characters; the chunks concatenate to the answer */
        fwrite(chunk->text, 1, chunk->len, stdout);
        return fflush(stdout);
    case ALLM_REASONING: fwrite(chunk->text, 1, chunk->len, stderr); return 0;
    case ALLM_PROMPT_PROGRESS: fprintf(stderr, "\rprompt %3.0f %%\r", 100 * (double)chunk->progress); return 0;
    default: return 0;
    }
}

int main(int argc, char **argv) {
    if (argc < 3) return fprintf(stderr, "usage: %s model.gguf \"prompt\" [max tokens]\n", argv[0]), 2;
    allm_error    err      = {0};
    allm_response r        = {0};
    allm_config   config   = {.model = argv[1]};
    allm_sampling greedy   = {0}; /* taken literally: temperature 0 = the likeliest token, nothing else */
    allm_request  req      = {.prompt = argv[2], .sampling = &greedy, .on_chunk = on_chunk};
    req.max_tokens         = argc > 3 ? atoi(argv[3]) : 0;
    if (allm_create(NULL, &config, &running, &err) == ALLM_OK) {
        signal(SIGINT, on_interrupt);
        allm_generate(running, &req, &r, &err); /* after ALLM_E_CANCELLED r holds the answer so far */
    }
    if (r.text)
        fprintf(stderr, "\n%d + %d tokens%s; prompt %.2f s, answer %.2f s\n", (int)r.prompt_tokens,
                (int)r.completion_tokens, r.finish == ALLM_FINISH_LENGTH ? ", cut at the limit" : "", r.prompt_s,
                r.generate_s);
    if (err.status) fprintf(stderr, "%s: %s\n", allm_status_name(err.status), err.message);
    allm_response_free(&r);
    allm_destroy(running);
    return err.status != ALLM_OK;
}
