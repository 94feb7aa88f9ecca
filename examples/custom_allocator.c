/* custom_allocator.c - all memory from one fixed array: no malloc, no file, no thread, as on a small device. The model
 * is bytes in memory (flash) that are used in place.
 *     cc -std=c11 -O2 -I. examples/custom_allocator.c -lm -pthread -o custom_allocator
 *     ./custom_allocator examples/story.gguf */
#define ABSTRACTLLM_IMPLEMENTATION
#define ABSTRACTLLM_NO_THREADS
#include "abstractllm.h"
#include <stdio.h>

enum { ARENA_BYTES = 64 << 20, FLASH_BYTES = 32 << 20 };

static unsigned char arena[ARENA_BYTES], flash[FLASH_BYTES];

typedef struct pile { /* blocks lie one on another; what is freed on top is used again, and all once none is left */
    size_t top, most, n_blocks;
} pile;

static void *pile_alloc(void *ctx, size_t n_bytes, size_t align) {
    pile  *p    = (pile *)ctx;
    size_t from = p->top + (align - ((uintptr_t)arena + p->top) % align) % align;
    if (from > ARENA_BYTES || n_bytes > ARENA_BYTES - from) return NULL;
    p->top = from + n_bytes, p->n_blocks++;
    if (p->top > p->most) p->most = p->top;
    return arena + from;
}

static void pile_free(void *ctx, void *block, size_t n_bytes) { /* the size comes back: blocks need no headers */
    pile *p = (pile *)ctx;
    if ((unsigned char *)block + n_bytes == arena + p->top) p->top -= n_bytes;
    if (--p->n_blocks == 0) p->top = 0;
}

static int show(const allm_chunk *chunk, void *ctx) {
    (void)ctx;
    fwrite(chunk->text, 1, chunk->len, stdout);
    return fflush(stdout);
}

int main(int argc, char **argv) {
    pile                p       = {0, 0, 0};
    allm_error          err     = {0};
    allm_runtime       *rt      = NULL;
    allm_llm           *llm     = NULL;
    FILE               *f       = fopen(argc > 1 ? argv[1] : "examples/story.gguf", "rb"); /* stands for the flash */
    allm_source         source  = {.data = flash, .n_bytes = f ? fread(flash, 1, FLASH_BYTES, f) : 0};
    allm_runtime_config host    = {.allocator = {pile_alloc, pile_free, &p}, .cache_models = -1};
    allm_request        ask     = {.prompt = "Once upon a time", .max_tokens = 60, .on_chunk = show};
    if (!f || fgetc(f) != EOF) return fprintf(stderr, "no such model, or one of more than %d bytes\n", FLASH_BYTES), 1;
    fclose(f);
    if (!allm_runtime_create(&host, &rt, &err)) {
        allm_memory_plan    plan  = {0};
        allm_session_config shape = {.n_ctx = 128};
        allm_config         small = {.runtime = rt, .source = &source, .n_ctx = 128};
        if (!allm_plan(rt, &source, NULL, &shape, &plan, &err))
            fprintf(stderr, "plan: %llu bytes at once at most\n", (unsigned long long)plan.peak);
        if (!err.status && !allm_create("local", &small, &llm, &err)) allm_generate(llm, &ask, NULL, &err);
    }
    printf("\n");
    if (err.status) fprintf(stderr, "%s: %s\n", allm_status_name(err.status), err.message);
    allm_destroy(llm);
    allm_runtime_destroy(rt);
    fprintf(stderr, "%zu bytes of the arena were used, %zu blocks are left\n", p.most, p.n_blocks);
    return err.status != ALLM_OK || p.n_blocks != 0;
}
