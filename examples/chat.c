/* chat.c - a conversation. The chat keeps the messages; the model evaluates only what is new since its last answer, so
 * a long conversation stays quick, and when it grows out of the context its oldest turns are left out.
 *     cc -std=c11 -O2 -I. examples/chat.c -lm -pthread -o chat
 *     ./chat model.gguf ["system prompt"]                      */
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
#include <stdio.h>
#include <string.h>

static int show(const allm_chunk *chunk, void *ctx) {
    (void)ctx;
    if (chunk->event == ALLM_TEXT) fwrite(chunk->text, 1, chunk->len, stdout);
    return fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc < 2) return fprintf(stderr, "usage: %s model.gguf [\"system prompt\"]\n", argv[0]), 2;
    char             line[4096];
    allm_error       err    = {0};
    allm_llm        *llm    = NULL;
    allm_chat       *chat   = NULL;
    allm_config      config = {.model = argv[1]};
    allm_chat_config how    = {.system = argc > 2 ? argv[2] : NULL, .overflow = ALLM_OVERFLOW_DROP_OLDEST};
    allm_request     extra  = {.on_chunk = show};
    if (!allm_create(NULL, &config, &llm, &err) && !allm_chat_create(llm, &how, &chat, &err))
        while (fputs("> ", stderr), fgets(line, sizeof line, stdin)) {
            line[strcspn(line, "\n")] = 0;
            if (allm_chat_send(chat, line, &extra, NULL, &err)) fprintf(stderr, "%s", err.message);
            putchar('\n');
        }
    else fprintf(stderr, "%s\n", err.message);
    allm_chat_destroy(chat);
    allm_destroy(llm);
    return chat == NULL;
}
