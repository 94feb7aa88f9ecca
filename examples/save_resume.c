/* save_resume.c - a conversation that outlives the program: each run says one thing and leaves the rest in a file, with
 * what the model has evaluated beside it, so that the next run goes on at once.
 *     cc -std=c11 -O2 -I. examples/save_resume.c -lm -pthread -o save_resume
 *     ./save_resume model.gguf talk.json "Name three rivers."
 *     ./save_resume model.gguf talk.json "And three lakes?"        */
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
#include <stdio.h>

static int show(const allm_chunk *chunk, void *ctx) {
    (void)ctx;
    if (chunk->event == ALLM_TEXT) fwrite(chunk->text, 1, chunk->len, stdout);
    return fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc < 4) return fprintf(stderr, "usage: %s model.gguf file.json \"text\"\n", argv[0]), 2;
    allm_error    err    = {0};
    allm_llm     *llm    = NULL;
    allm_chat    *chat   = NULL;
    allm_config   config = {.model = argv[1]};
    allm_request  extra  = {.on_chunk = show};
    allm_response r      = {0};
    allm_status   status = allm_create(NULL, &config, &llm, &err);
    if (!status) status = allm_chat_load(llm, argv[2], NULL, &chat, &err);
    if (status == ALLM_E_NOT_FOUND && llm) status = allm_chat_create(llm, NULL, &chat, &err); /* the first run */
    if (!status) status = allm_chat_send(chat, argv[3], &extra, &r, &err);
    if (!status) status = allm_chat_save(chat, argv[2], 1, &err);
    if (status) fprintf(stderr, "%s\n", err.message);
    else fprintf(stderr, "\n%d of %d tokens of the prompt were there\n", (int)r.cached_tokens, (int)r.prompt_tokens);
    allm_response_free(&r);
    allm_chat_destroy(chat);
    allm_destroy(llm);
    return status != ALLM_OK;
}
