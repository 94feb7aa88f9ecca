/* hello.c - a language model in twenty lines: opens a model and streams one answer to the terminal.
 * The same program stands in the manual at the top of abstractllm.h.
 *     cc -std=c11 -O2 -I. examples/hello.c -lm -pthread -o hello
 *     ./hello [model.gguf [prompt]]                            */
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
#include <stdio.h>

static int show(const allm_chunk *chunk, void *ctx) {
    (void)ctx;
    fwrite(chunk->text, 1, chunk->len, stdout);
    return fflush(stdout);
}

int main(int argc, char **argv) {
    allm_error  err    = {0};
    allm_llm   *llm    = NULL;
    allm_config config = {.model = argc > 1 ? argv[1] : "examples/story.gguf"};
    allm_request req   = {.prompt = argc > 2 ? argv[2] : "Once upon a time", .on_chunk = show};
    if (allm_create(NULL, &config, &llm, &err) || allm_generate(llm, &req, NULL, &err))
        fprintf(stderr, "%s\n", err.message);
    allm_destroy(llm);
    return err.status != ALLM_OK;
}
