/* chat.c - a conversation: keeps the messages, sends all of them every time. The library evaluates only what is new
 * since the last call, so a long conversation stays quick.
 *     cc -std=c11 -O2 -I. examples/chat.c -lm -pthread -o chat
 *     ./chat model.gguf ["system prompt"]                      */
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MESSAGES = 1000 };

static int show(const allm_chunk *chunk, void *ctx) {
    (void)ctx;
    if (chunk->event == ALLM_TEXT) fwrite(chunk->text, 1, chunk->len, stdout);
    return fflush(stdout);
}

static char *copy(const char *text) {
    char *p = (char *)malloc(strlen(text) + 1);
    return p ? strcpy(p, text) : NULL;
}

int main(int argc, char **argv) {
    if (argc < 2) return fprintf(stderr, "usage: %s model.gguf [\"system prompt\"]\n", argv[0]), 2;
    static allm_message messages[MAX_MESSAGES];
    size_t      n = 0;
    char        line[4096];
    allm_error  err    = {0};
    allm_llm   *llm    = NULL;
    allm_config config = {.model = argv[1]};
    if (allm_create(NULL, &config, &llm, &err)) return fprintf(stderr, "%s\n", err.message), 1;
    if (argc > 2) messages[n++] = (allm_message){.role = "system", .content = copy(argv[2])};
    while (n + 2 <= MAX_MESSAGES && (fputs("> ", stderr), fgets(line, sizeof line, stdin))) {
        allm_response r = {0};
        line[strcspn(line, "\n")] = 0;
        messages[n++]     = (allm_message){.role = "user", .content = copy(line)};
        allm_request req  = {.messages = messages, .n_messages = n, .on_chunk = show};
        if (allm_generate(llm, &req, &r, &err) == ALLM_OK)
            messages[n++] = (allm_message){.role = "assistant", .content = copy(r.text)};
        else { /* such as a conversation longer than the context: forget this turn, go on */
            fprintf(stderr, "%s", err.message);
            free((void *)messages[--n].content);
        }
        allm_response_free(&r);
        putchar('\n');
    }
    while (n) free((void *)messages[--n].content);
    allm_destroy(llm);
    return 0;
}
