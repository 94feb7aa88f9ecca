/* A model that writes what a test wants, in memory: after token i it chooses token next[i], whatever came before, with
 * nearly all of the probability. Its vocabulary is the test's texts, so an answer can be cut into tokens anywhere,
 * also within a character. Token 0 ends the answer.
 *
 *     make_script p = make_script_new((const char *[]){"", "He", "llo", NULL});
 *     make_gguf w = make_script_file(&p);             prompt_ids {0} gives "Hello": 1, 2, then 0
 *
 * How: embeddings are the unit vectors, the layers add nothing, the head is a permutation.
 *
 * And what the rooms gen, sess, prov and api share: a runtime that counts, and a listener that checks every chunk. */
#ifndef MAKE_SCRIPT_H
#define MAKE_SCRIPT_H
#include "make_gguf.h"

enum { SCRIPT_WIDTH = 64 }; /* most tokens */

typedef struct make_script {
    const char *texts[SCRIPT_WIDTH]; /* [n] bytes of the tokens; text 0 is not used */
    int32_t     next[SCRIPT_WIDTH];  /* the last text is followed by token 0, token 0 by token 1 */
    int32_t     n, n_layer, n_ctx;
    int32_t     n_padding; /* rows of the head behind those of the tokens */
    int32_t     nan_at; /* evaluating this token gives NaN; 0: none */
    const char *name;   /* general.name; NULL: none */
    int         add_bos; /* tokenizer.ggml.add_bos_token */
    const char *chat_template, *tool_template; /* NULL: none */
    int         uneven; /* each token is followed with a probability of its own */
    int32_t     added; /* this token is matched in the text before it is cut into words; 0: none */
} make_script;

static make_script make_script_new(const char *const *texts) {
    make_script p = {{0}, {0}, 0, 1, 64, 0, 0, NULL, 0, NULL, NULL, 0, 0};
    for (; texts[p.n]; p.n++) {
        assert_true(p.n < SCRIPT_WIDTH);
        p.texts[p.n] = texts[p.n], p.next[p.n] = texts[p.n + 1] ? p.n + 1 : 0;
    }
    return p;
}

static void make_script_str(make_bytes *b, const char *text) { /* in the letters of byte-level BPE */
    char   u[1024];
    size_t n = 0;
    for (; *text; text++) n += allm__utf8_put(u + n, allm__norm_letter((unsigned char)*text));
    make_str(b, u, n);
}

/* A matrix of n_rows rows; values NULL: zeros. */
static void make_script_matrix(make_gguf *w, const char *name, int64_t n_cols, int64_t n_rows, const float *values) {
    float *x = (float *)calloc((size_t)(n_cols * n_rows), sizeof *x);
    assert_non_null(x);
    if (values) memcpy(x, values, (size_t)(n_cols * n_rows) * sizeof *x);
    make_tensor(w, name, ALLM__F32, n_rows > 1 ? 2 : 1, (const int64_t[]){n_cols, n_rows}, x,
                (size_t)(n_cols * n_rows) * sizeof *x);
    free(x);
}

static make_gguf make_script_file(const make_script *p) {
    make_gguf   w = make_gguf_new();
    const int   d = SCRIPT_WIDTH;
    static const char *const zeros[] = {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"};
    float                   *embd    = (float *)calloc((size_t)(d * d), sizeof(float)),
          *head                      = (float *)calloc((size_t)(d * d), sizeof(float));
    float       ones[SCRIPT_WIDTH];
    const int   n_rows = p->n + p->n_padding;
    assert_true(embd && head && n_rows <= d);
    for (int i = 0; i < d; i++) ones[i] = 1;
    for (int i = 0; i < n_rows; i++)
        embd[i * d + i]          = i && i == p->nan_at ? (float)NAN : 1,
        head[p->next[i] * d + i] = p->uneven ? 1 - 0.25f * (float)i / (float)d : 1;
    make_kv_str(&w, "general.architecture", "llama");
    if (p->name) make_kv_str(&w, "general.name", p->name);
    make_kv_u32(&w, "llama.context_length", (uint32_t)p->n_ctx);
    make_kv_u32(&w, "llama.embedding_length", (uint32_t)d);
    make_kv_u32(&w, "llama.block_count", (uint32_t)p->n_layer);
    make_kv_u32(&w, "llama.feed_forward_length", 32);
    make_kv_u32(&w, "llama.attention.head_count", 2);
    make_kv_f32(&w, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    make_kv_str(&w, "tokenizer.ggml.model", "gpt2");
    make_kv_str(&w, "tokenizer.ggml.pre", "gpt-2");
    make_kv_array(&w, "tokenizer.ggml.tokens", ALLM__GGUF_STRING, (uint64_t)p->n);
    make_str(&w.kv, "<end>", 5);
    for (int i = 1; i < p->n; i++) make_script_str(&w.kv, p->texts[i]);
    make_kv_array(&w, "tokenizer.ggml.token_type", ALLM__GGUF_I32, (uint64_t)p->n);
    for (int i = 0; i < p->n; i++) make_uint(&w.kv, i && i == p->added ? 4 : i ? 1 : 3, 4);
    make_kv_array(&w, "tokenizer.ggml.merges", ALLM__GGUF_STRING, 0);
    make_kv_u32(&w, "tokenizer.ggml.bos_token_id", 0);
    make_kv_u32(&w, "tokenizer.ggml.eos_token_id", 0);
    if (p->chat_template) make_kv_str(&w, "tokenizer.chat_template", p->chat_template);
    if (p->tool_template) make_kv_str(&w, "tokenizer.chat_template.tool_use", p->tool_template);
    if (p->add_bos) make_kv_uint(&w, "tokenizer.ggml.add_bos_token", ALLM__GGUF_BOOL, 1, 1);
    make_script_matrix(&w, "token_embd.weight", d, n_rows, embd);
    for (int l = 0; l < p->n_layer; l++) {
        char name[64];
        for (size_t k = 0; k < ALLM__COUNT(zeros); k++) {
            snprintf(name, sizeof name, "blk.%d.%s.weight", l, zeros[k]);
            make_script_matrix(&w, name, k == 6 ? 32 : d, k == 4 || k == 5 ? 32 : d, NULL);
        }
        snprintf(name, sizeof name, "blk.%d.attn_norm.weight", l);
        make_script_matrix(&w, name, d, 1, ones);
        snprintf(name, sizeof name, "blk.%d.ffn_norm.weight", l);
        make_script_matrix(&w, name, d, 1, ones);
    }
    make_script_matrix(&w, "output_norm.weight", d, 1, ones);
    make_script_matrix(&w, "output.weight", d, n_rows, head);
    make_gguf_end(&w);
    free(embd), free(head);
    return w;
}

/* ---- a runtime that counts */

#define SCRIPT_TINY "tests/data/tiny.gguf"
#define SCRIPT_TINY_CTX 512 /* of tiny.gguf */
#define SCRIPT_STORY "examples/story.gguf"
#define SCRIPT_PROMPT \
    "Once upon a time, there was a little rabbit named Pip. Pip wanted to see the moon, but it was dark and"

static const allm_sampling script_greedy; /* all zero */

typedef struct script_host {
    test_heap     heap;
    allm_runtime *rt;
    allm_error    err;
} script_host;

static void script_begin_with(script_host *h, allm_runtime_config c) {
    memset(h, 0, sizeof *h);
    if (!c.allocator.alloc) c.allocator = test_allocator(&h->heap);
    if (allm_runtime_create(&c, &h->rt, &h->err)) fail_msg("%s", h->err.message);
}

static void script_begin(script_host *h, int32_t n_threads) {
    allm_runtime_config c = {0};
    c.n_threads           = n_threads;
    script_begin_with(h, c);
}

static void script_end(script_host *h) {
    allm_runtime_destroy(h->rt);
    test_heap_check(&h->heap);
}

/* Opens what config says, with what is missing filled in. */
static allm_llm *script_open(script_host *h, const char *provider, allm_config config) {
    allm_llm *llm = NULL;
    if (!config.runtime) config.runtime = h->rt;
    if (allm_create(provider, &config, &llm, &h->err)) fail_msg("%s", h->err.message);
    assert_non_null(llm);
    return llm;
}

static allm_llm *script_open_path(script_host *h, const char *path) {
    allm_config c = {0};
    c.model       = path;
    return script_open(h, NULL, c);
}

static allm_llm *script_open_bytes(script_host *h, const make_gguf *w) {
    allm_config c   = {0};
    allm_source src = {0};
    src.data = w->bytes, src.n_bytes = w->n, c.source = &src;
    return script_open(h, NULL, c);
}

/* ---- a listener: every chunk is whole UTF-8, events come in their order, deltas add up to the text */

typedef struct script_ear {
    char      text[1 << 16];
    size_t    n;
    int       n_chunks, n_text, n_progress, n_done;
    float     progress;
    int       stop_at;    /* returns non-zero at this chunk, counted from 1; 0: never */
    int       stop_event; /* or at the first of this event + 1; 0: never */
    int       n_wrong;    /* chunks after an end, NULL, broken UTF-8, progress that falls */
    int       ended;      /* DONE came, or we said stop */
    test_heap *heap;      /* if given: how many allocations had been made at the first and at the last text */
    int64_t   first, last;
    void (*act)(struct script_ear *ear, const allm_chunk *chunk); /* if given: does something at each chunk */
    void     *ctx;
} script_ear;

static int script_hear(const allm_chunk *chunk, void *ctx) {
    script_ear *e = (script_ear *)ctx;
    e->n_chunks++;
    e->n_wrong += e->ended || !chunk->text;
    switch (chunk->event) {
    case ALLM_TEXT:
        e->n_wrong += !chunk->len || e->n + chunk->len > sizeof e->text || e->n_done > 0;
        e->n_wrong += allm__utf8_bad(allm__str(chunk->text, chunk->len)) != SIZE_MAX;
        if (e->n + chunk->len <= sizeof e->text) memcpy(e->text + e->n, chunk->text, chunk->len);
        e->n += chunk->len, e->n_text++;
        if (e->heap) e->last = e->heap->n_calls;
        if (e->n_text == 1) e->first = e->last;
        break;
    case ALLM_PROMPT_PROGRESS:
        e->n_wrong += e->n_text > 0 || !(chunk->progress > e->progress && chunk->progress <= 1) || chunk->len != 0 ||
                      chunk->token_id != -1;
        e->progress = chunk->progress, e->n_progress++;
        break;
    case ALLM_DONE: e->n_wrong += chunk->len != 0 || chunk->token_id != -1, e->n_done++, e->ended = 1; break;
    default: e->n_wrong++;
    }
    if (e->act) e->act(e, chunk);
    int stop = e->n_chunks == e->stop_at || (e->stop_event && (int)chunk->event + 1 == e->stop_event);
    e->ended |= stop;
    return stop;
}

/* Asks, listens, checks what is true of every answer. Free *r, and look at e. */
static allm_status script_ask(allm_llm *llm, allm_request req, script_ear *e, allm_response *r, allm_error *err) {
    req.on_chunk = script_hear, req.on_chunk_ctx = e;
    allm_status status = allm_generate(llm, &req, r, err);
    assert_int_equal(err->status, status);
    assert_int_equal(e->n_wrong, 0);
    assert_int_equal(e->n_done, status == ALLM_OK);
    if (r->text) assert_int_equal(r->text_len, strlen(r->text));
    if (r->text && (r->text_len != e->n || memcmp(r->text, e->text, e->n)))
        fail_msg("text \"%s\", chunks \"%.*s\"", r->text, (int)e->n, e->text);
    if (!status) assert_non_null(r->text);
    if (!status && r->token_ids && e->n_progress) assert_true(e->progress == 1);
    if (status == ALLM_E_CANCELLED) assert_int_equal(r->finish, ALLM_FINISH_CANCELLED);
    assert_true(r->completion_tokens >= 0 && r->cached_tokens <= r->prompt_tokens);
    return status;
}

/* The same for a request that must be answered; the answer in a buffer of ours. */
typedef struct script_answer {
    char        text[4096];
    allm_finish finish;
    int32_t     prompt_tokens, cached_tokens, completion_tokens, ids[640];
} script_answer;

static script_answer script_answer_of(allm_llm *llm, allm_request req) {
    static script_ear e;
    allm_response     r;
    allm_error        err;
    script_answer     a;
    memset(&e, 0, sizeof e), memset(&a, 0, sizeof a);
    if (script_ask(llm, req, &e, &r, &err)) fail_msg("%s", err.message);
    assert_true(r.text_len < sizeof a.text && r.completion_tokens <= (int32_t)ALLM__COUNT(a.ids));
    memcpy(a.text, r.text, r.text_len);
    a.finish = r.finish, a.prompt_tokens = r.prompt_tokens, a.cached_tokens = r.cached_tokens;
    a.completion_tokens = r.completion_tokens;
    if (r.token_ids) memcpy(a.ids, r.token_ids, (size_t)r.completion_tokens * sizeof(int32_t));
    allm_response_free(&r);
    return a;
}

/* Capabilities of a provider of a test that takes whatever it is asked for. */
static allm_status script_can(void *self, allm_capabilities *out, allm_error *err) {
    (void)self, (void)err;
    return out->tools = out->json_schema = out->logprobs = 1, ALLM_OK;
}

/* Any number as a value of an enum. */
#define SCRIPT_ENUM(field, number) memcpy(&(field), &(const int){number}, sizeof(field))

#endif
