/* files.c - asks about text files: they stand behind the prompt; images among them go to models that see.
 *     cc -std=c11 -O2 -I. examples/files.c -lm -pthread -o files
 *     ./files model.gguf "What does this do?" main.c util.h */
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
#include <stdio.h>

static int show(const allm_chunk *chunk, void *ctx) {
    (void)ctx;
    if (chunk->event == ALLM_TEXT) fwrite(chunk->text, 1, chunk->len, stdout);
    if (chunk->event == ALLM_PROMPT_PROGRESS) fprintf(stderr, "\rreading %3.0f %%", 100 * (double)chunk->progress);
    return fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc < 4) return fprintf(stderr, "usage: %s model.gguf \"question\" file...\n", argv[0]), 2;
    allm_error   err    = {0};
    allm_llm    *llm    = NULL;
    allm_config  config = {.model = argv[1]};
    allm_request ask    = {.prompt = argv[2], .files = (const char *const *)(argv + 3), .n_files = (size_t)(argc - 3),
                           .max_tokens = 300, .on_chunk = show};
    /* A file that is no text, or too large, or a prompt longer than the context: the message names the file. */
    if (allm_create(NULL, &config, &llm, &err) || allm_generate(llm, &ask, NULL, &err))
        fprintf(stderr, "\n%s: %s", allm_status_name(err.status), err.message);
    printf("\n");
    allm_destroy(llm);
    return err.status != ALLM_OK;
}
