/* Room model: what opens and what does not, memory counted and limited, references, what is told about a model.
 * FAULTS rows 12, 13, 36 and 38. */
#include "make_model.h"

static const allm_model_config model_config;

/* ---- golden/broken-gguf and golden/gguf */

/* Calls body for each object of a JSON array of flat objects; strings into the buffers named by keys. */
typedef struct model_row {
    char file[128], level[16], expect[16], refuse[64];
} model_row;

static void model_read_row(allm__json *j, model_row *r) {
    allm_str key;
    memset(r, 0, sizeof *r);
    while (allm__json_key(j, &key)) {
        char *dst = allm__str_eq(key, ALLM__S("file"))     ? r->file
                    : allm__str_eq(key, ALLM__S("level"))  ? r->level
                    : allm__str_eq(key, ALLM__S("expect")) ? r->expect
                    : allm__str_eq(key, ALLM__S("refuse")) ? r->refuse
                                                           : NULL;
        size_t cap = dst == r->file ? sizeof r->file : dst == r->refuse ? sizeof r->refuse : sizeof r->level;
        if (!dst) { allm__json_skip(j); continue; }
        allm__json_event e = allm__json_next(j);
        if (e == ALLM__JSON_STRING) snprintf(dst, cap, "%.*s", (int)allm__json_text(j).len, allm__json_text(j).ptr);
        else if (e == ALLM__JSON_OBJECT || e == ALLM__JSON_ARRAY) allm__json_skip(j);
    }
}

static void model_each_row(const char *index, void (*body)(const model_row *r, void *ctx), void *ctx) {
    size_t     n;
    char      *text = test_golden(index, &n);
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    allm_error err  = {0};
    allm__json j;
    model_row  r;
    allm__json_init(&j, &h, allm__str(text, n), index, 0, &err);
    for (allm__json_begin(&j, ALLM__JSON_ARRAY, "rows"); allm__json_elem(&j);) {
        model_read_row(&j, &r);
        body(&r, ctx);
    }
    assert_string_equal(err.message, "");
    allm__json_free(&j);
    free(text);
    test_heap_check(&heap);
}

typedef struct model_count {
    int n, n_ok, n_unsupported;
} model_count;

static allm_status model_open_golden(test_engine *e, const char *folder, const char *file, allm_error *err) {
    char        name[256];
    allm_source src = {0};
    allm_model *m   = NULL;
    snprintf(name, sizeof name, "%s/%s", folder, file);
    char *path = test_golden_path(name);
    src.path   = path;
    memset(err, 0, sizeof *err);
    allm_status status = allm__model_open(&e->host, &e->compute, &src, &model_config, &m, err);
    assert_int_equal(status, err->status);
    assert_true((m == NULL) == (status != ALLM_OK));
    if (status && !err->message[0]) fail_msg("%s: no message", file);
    allm__model_release(m);
    assert_int_equal(e->heap.live, 0);
    free(path);
    return status;
}

static void model_broken_row(const model_row *r, void *ctx) {
    model_count *c = (model_count *)ctx;
    test_engine  e;
    allm_error   err;
    test_engine_init(&e, 1, NULL);
    allm_status status = model_open_golden(&e, "broken-gguf", r->file, &err);
    test_engine_free(&e);
    int is_model = !strcmp(r->level, "model"), refuse = !strcmp(r->expect, "refuse"),
        accept = !strcmp(r->expect, "accept");
    c->n++, c->n_ok += status == ALLM_OK;
    if (refuse && !status) fail_msg("%s was opened", r->file);
    if (accept && is_model && status) fail_msg("%s: %s", r->file, err.message);
}

static void test_model_broken_files(void **state) {
    model_count c = {0, 0, 0};
    (void)state;
    model_each_row("broken-gguf/index.json", model_broken_row, &c);
    printf("             %d files, %d open\n", c.n, c.n_ok);
    assert_true(c.n >= 70);
}

static void model_family_row(const model_row *r, void *ctx) {
    model_count *c = (model_count *)ctx;
    test_engine  e;
    allm_error   err;
    test_engine_init(&e, 1, NULL);
    allm_status status = model_open_golden(&e, "gguf", r->file, &err);
    test_engine_free(&e);
    c->n++, c->n_ok += status == ALLM_OK, c->n_unsupported += status == ALLM_E_UNSUPPORTED;
    if (r->refuse[0] ? status == ALLM_OK : status && status != ALLM_E_UNSUPPORTED)
        fail_msg("%s: %s", r->file, err.message);
}

/* Families and types that we do not have are refused as such, never half opened. */
static void test_model_golden_files_open(void **state) {
    model_count c = {0, 0, 0};
    (void)state;
    model_each_row("gguf/manifest.json", model_family_row, &c);
    printf("             %d files, %d open, %d not supported yet\n", c.n, c.n_ok, c.n_unsupported);
    assert_true(c.n_ok >= 20);
}

/* ---- memory */

/* plan tells what the caller's allocator then sees, byte for byte: for bytes in memory and for a reader. */
static int64_t model_read(void *ctx, uint64_t offset, void *dst, size_t n) {
    const make_gguf *w = (const make_gguf *)ctx;
    size_t           left = offset < w->n ? w->n - (size_t)offset : 0, take = ALLM__MIN(n, ALLM__MIN(left, 777));
    if (take) memcpy(dst, w->bytes + offset, take);
    return (int64_t)take;
}

static void test_model_plan(void **state) {
    (void)state;
    for (int kind = 0; kind < 8; kind++) {
        test_engine         e;
        allm_error          err = {0};
        allm_model_config   cfg = {0};
        allm_session_config sc  = {0};
        allm_memory_plan    plan;
        allm_source         src = {0};
        allm_model         *m   = NULL;
        allm_session       *s   = NULL;
        make_model          p   = make_model_new("llama");
        p.type                  = kind % 2 ? ALLM__Q4_0 : ALLM__F16;
        p.n_embd = 64, p.n_ff = 96, p.head_dim = 16;
        make_gguf w = make_model_file(&p);
        test_engine_init(&e, 1 + kind % 3, NULL);
        if (kind < 4) src.data = w.bytes, src.n_bytes = w.n;
        else src.read = model_read, src.size = w.n, src.ctx = &w;
        cfg.reference = kind / 2 % 2;
        sc.n_ctx = 10 + kind, sc.n_batch = kind;
        assert_int_equal(allm__model_plan(&e.host, &e.compute, &src, &cfg, &sc, &plan, &err), ALLM_OK);
        assert_int_equal(e.heap.live, 0);
        e.heap.peak = 0;
        assert_int_equal(allm__model_open(&e.host, &e.compute, &src, &cfg, &m, &err), ALLM_OK);
        assert_int_equal(plan.mapped, kind < 4 ? m->n_tensor_bytes : 0);
        assert_true(plan.other > (kind < 4 ? 0 : w.n));
        assert_int_equal(e.heap.live, plan.other);
        assert_int_equal(m->meter.live, e.heap.live);
        assert_int_equal(allm__session_create(m, &sc, &s, &err), ALLM_OK);
        assert_int_equal(e.heap.live, plan.other + plan.repacked + plan.kv + plan.scratch);
        assert_int_equal(e.heap.peak, plan.peak);
        assert_true(plan.repacked > 0);
        const uint64_t n_keys = ALLM__KEYS; /* a block, into which all these contexts fit */
        assert_int_equal(plan.kv, 2 * 2 * 2 * 16 * n_keys * (cfg.reference ? 4 : 2)); /* layers, K and V, heads, size */
        allm__session_destroy(s);
        allm__model_release(m);
        test_engine_free(&e);
        make_gguf_free(&w);
    }
}

/* A limit of exactly what is needed is enough, one byte less is not, and the message says so. */
static void test_model_memory_limit(void **state) {
    test_engine         e;
    allm_error          err = {0};
    allm_model_config   cfg = {0};
    allm_session_config sc  = {0};
    allm_memory_plan    plan;
    allm_source         src = {0};
    allm_model         *m   = NULL;
    allm_session       *s   = NULL;
    make_model          p   = make_model_new("llama");
    make_gguf           w   = make_model_file(&p);
    (void)state;
    test_engine_init(&e, 1, NULL);
    src.data = w.bytes, src.n_bytes = w.n;
    assert_int_equal(allm__model_plan(&e.host, &e.compute, &src, &cfg, &sc, &plan, &err), ALLM_OK);
    assert_true(plan.repacked > 0 && plan.peak == plan.other + plan.repacked + plan.kv + plan.scratch);
    cfg.memory_limit = plan.other + plan.kv + plan.scratch; /* too little to repack */
    assert_int_equal(allm__model_plan(&e.host, &e.compute, &src, &cfg, &sc, &plan, &err), ALLM_OK);
    assert_int_equal(plan.repacked, 0);
    assert_true(plan.peak == cfg.memory_limit);
    assert_int_equal(allm__model_open(&e.host, &e.compute, &src, &cfg, &m, &err), ALLM_OK);
    assert_int_equal(allm__session_create(m, &sc, &s, &err), ALLM_OK);
    allm__session_destroy(s);
    allm__model_release(m);
    cfg.memory_limit = 0, cfg.low_memory = 1; /* the same without a limit */
    assert_int_equal(allm__model_plan(&e.host, &e.compute, &src, &cfg, &sc, &plan, &err), ALLM_OK);
    assert_true(plan.repacked == 0 && plan.peak == plan.other + plan.kv + plan.scratch);
    cfg.low_memory   = 0;
    cfg.memory_limit = plan.peak - 1;
    assert_int_equal(allm__model_open(&e.host, &e.compute, &src, &cfg, &m, &err), ALLM_OK);
    assert_int_equal(allm__session_create(m, &sc, &s, &err), ALLM_E_MEMORY);
    assert_non_null(strstr(err.message, "memory limit"));
    allm__model_release(m);
    for (uint64_t limit = 1; limit < plan.other; limit += 1 + plan.other / 50) {
        memset(&err, 0, sizeof err);
        cfg.memory_limit = limit;
        assert_int_equal(allm__model_open(&e.host, &e.compute, &src, &cfg, &m, &err), ALLM_E_MEMORY);
        assert_non_null(strstr(err.message, "memory limit"));
        assert_true(e.heap.peak <= (int64_t)plan.peak + 4096);
    }
    test_engine_free(&e);
    make_gguf_free(&w);
}

/* The same for a file that has a tokenizer and a template. */
static void test_model_plan_file(void **state) {
    test_engine         e;
    allm_error          err = {0};
    allm_model_config   cfg = {0};
    allm_session_config sc  = {0};
    allm_memory_plan    plan;
    allm_source         src = {0};
    allm_model         *m   = NULL;
    allm_session       *s   = NULL;
    allm_model_info     info;
    (void)state;
    src.path = "tests/data/tiny.gguf";
    if (access(src.path, R_OK)) test_skip("no %s: not started from the top of the repository", src.path);
#ifdef ABSTRACTLLM_NO_MMAP
    test_skip("%s is read, not mapped: its bytes are held in memory as well", src.path);
#endif
    test_engine_init(&e, 2, NULL);
    assert_int_equal(allm__model_plan(&e.host, &e.compute, &src, &cfg, &sc, &plan, &err), ALLM_OK);
    assert_int_equal(e.heap.live, 0);
    e.heap.peak = 0;
    assert_int_equal(allm__model_open(&e.host, &e.compute, &src, &cfg, &m, &err), ALLM_OK);
    assert_int_equal(e.heap.live, plan.other);
    assert_int_equal(allm__session_create(m, &sc, &s, &err), ALLM_OK);
    assert_int_equal(e.heap.live, plan.other + plan.repacked + plan.kv + plan.scratch);
    assert_int_equal(e.heap.peak, plan.peak);
    allm__model_info(m, &info);
    assert_int_equal(info.n_bytes, plan.mapped);
    assert_true(info.has_tokenizer && info.has_template && info.bos == 0 && info.eos == 2 && info.n_vocab == 512);
    assert_int_equal(info.n_parameters, 287360);
    assert_string_equal(info.quantization, "Q8_0");
    allm__session_destroy(s);
    allm__model_release(m);
    test_engine_free(&e);
}

typedef struct model_life_ctx {
    allm__compute compute;
    allm_source   src;
} model_life_ctx;

static allm_status model_life(const allm__host *h, void *ctx) {
    const model_life_ctx *c   = (const model_life_ctx *)ctx;
    allm_error            err = {0};
    allm_model_config     cfg = {0};
    allm_session_config   sc  = {0};
    allm_model           *m   = NULL;
    allm_session         *s   = NULL;
    static const int32_t  ids[] = {1, 2, 3};
    allm_status status = allm__model_open(h, &c->compute, &c->src, &cfg, &m, &err);
    if (!status) status = allm__session_create(m, &sc, &s, &err);
    if (!status) status = allm__session_eval(s, ids, 3, 1, NULL, NULL, &err);
    if (status && !err.message[0]) status = ALLM_E_FORMAT; /* an error without a message */
    allm__session_destroy(s);
    allm__model_release(m);
    return status;
}

static void test_model_fault_38_allocations(void **state) {
    make_model     p = make_model_new("llama");
    make_gguf      w = make_model_file(&p);
    allm__pool     pool;
    model_life_ctx c;
    (void)state;
    allm__pool_init(&pool, 1);
    memset(&c, 0, sizeof c);
    c.compute.kern = allm__kern_find(NULL), c.compute.pool = &pool;
    c.src.data = w.bytes, c.src.n_bytes = w.n;
    test_fail_each(model_life, &c);
    memset(&c.src, 0, sizeof c.src);
    c.src.path = "tests/data/tiny.gguf"; /* with a tokenizer */
    if (access(c.src.path, R_OK) == 0) test_fail_each(model_life, &c);
    allm__pool_free(&pool);
    make_gguf_free(&w);
}

/* ---- a model in every truncation */

static void test_model_fault_1_truncation(void **state) {
    test_engine e;
    make_model  p = make_model_new("llama");
    p.n_layer = 1, p.n_embd = 8, p.head_dim = 4, p.n_head = 2, p.n_head_kv = 1, p.n_ff = 8, p.n_vocab = 8;
    make_gguf w = make_model_file(&p), cut;
    (void)state;
    test_engine_init(&e, 1, NULL);
    for (size_t n = 0; n < w.n; n++) {
        allm_model *m = NULL;
        allm_error  err;
        test_guard  g = test_guard_new(n);
        if (n) memcpy(g.ptr, w.bytes, n);
        memset(&cut, 0, sizeof cut);
        cut.bytes = (uint8_t *)g.ptr, cut.n = n;
        allm_status status = test_engine_open(&e, &cut, 0, &m, &err);
        if (status != ALLM_E_FORMAT) fail_msg("cut at %zu of %zu: status %d %s", n, w.n, (int)status, err.message);
        test_guard_free(&g);
    }
    test_engine_free(&e);
    make_gguf_free(&w);
}

/* ---- life and information */

static void test_model_references(void **state) {
    test_engine         e;
    allm_error          err;
    allm_session_config sc = {0};
    allm_model         *m  = NULL;
    allm_session       *a = NULL, *b = NULL;
    make_model          p = make_model_new("llama");
    make_gguf           w = make_model_file(&p);
    static const int32_t id[] = {1};
    (void)state;
    test_engine_init(&e, 1, NULL);
    assert_int_equal(test_engine_open(&e, &w, 0, &m, &err), ALLM_OK);
    assert_int_equal(allm__session_create(m, &sc, &a, &err) || allm__session_create(m, &sc, &b, &err), 0);
    allm__model_retain(m);
    allm__model_release(m);
    allm__model_release(m); /* ours: the sessions keep it */
    assert_int_equal(allm__session_eval(a, id, 1, 0, NULL, NULL, &err), ALLM_OK);
    allm__session_destroy(a);
    assert_int_equal(allm__session_eval(b, id, 1, 0, NULL, NULL, &err), ALLM_OK);
    allm__session_destroy(b);
    allm__session_destroy(NULL);
    allm__model_release(NULL);
    test_engine_free(&e);
    make_gguf_free(&w);
}

static float model_progress[64];
static int   model_n_progress;
static void  model_on_load(void *ctx, float fraction) {
    assert_ptr_equal(ctx, model_progress);
    assert_true(model_n_progress < 64);
    model_progress[model_n_progress++] = fraction;
}

static void test_model_progress(void **state) {
    test_engine       e;
    allm_error        err = {0};
    allm_model_config cfg = {0};
    allm_source       src = {0};
    allm_model       *m   = NULL;
    make_model        p   = make_model_new("llama");
    make_gguf         w   = make_model_file(&p);
    (void)state;
    test_engine_init(&e, 1, NULL);
    src.data = w.bytes, src.n_bytes = w.n;
    cfg.on_load = model_on_load, cfg.on_load_ctx = model_progress;
    model_n_progress = 0;
    assert_int_equal(allm__model_open(&e.host, &e.compute, &src, &cfg, &m, &err), ALLM_OK);
    assert_true(model_n_progress >= 2 && model_progress[0] == 0 && model_progress[model_n_progress - 1] == 1);
    for (int i = 1; i < model_n_progress; i++) assert_true(model_progress[i] >= model_progress[i - 1]);
    allm__model_release(m);
    test_engine_free(&e);
    make_gguf_free(&w);
}

static void test_model_info(void **state) {
    static const struct { int32_t type, file_type; const char *name; } rows[] = {
        {ALLM__F32, -1, "F32"}, {ALLM__F32, 0, "F32"}, {ALLM__Q4_1, 3, "Q4_1"}, {ALLM__Q4_1, -1, "Q4_1"},
        {ALLM__Q4_1, 15, "Q4_1"}, /* it says Q4_K_M, but no tensor is Q4_K */
        {ALLM__Q8_0, 7, "Q8_0"}, {ALLM__F16, 999, "F16"},
    };
    test_engine e;
    (void)state;
    test_engine_init(&e, 1, NULL);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm_error      err;
        allm_model_info info;
        allm_model     *m = NULL;
        make_model      p = make_model_new("llama");
        p.type            = rows[i].type;
        make_model_set_text(&p, ".general.name", 's', 0,
                            i == 1 ? "0123456789012345678901234567890123456789012345678901234567890123456789"
                                     "012345678901234567890123456789012345678901234567890123456\xc3\xa4 and more"
                                   : "a name");
        if (rows[i].file_type >= 0) make_model_set(&p, ".general.file_type", 'u', rows[i].file_type);
        make_gguf w = make_model_file(&p);
        assert_int_equal(test_engine_open(&e, &w, 0, &m, &err), ALLM_OK);
        allm__model_info(m, &info);
        assert_string_equal(info.quantization, rows[i].name);
        assert_string_equal(info.architecture, "llama");
        assert_int_equal(strlen(info.name), i == 1 ? 127 : 6); /* cut between characters */
        assert_int_equal(info.n_parameters, 96 * 32 + 32 + 2 * (2 * 32 + 2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64));
        assert_int_equal(info.n_bytes, m->n_tensor_bytes);
        assert_true(info.n_vocab == 96 && info.n_ctx_train == 64 && info.n_embd == 32 && info.n_layer == 2);
        assert_true(info.n_head == 4 && info.n_head_kv == 2 && info.bos == -1 && info.eos == -1);
        assert_ptr_equal(m->w.output.data, m->w.tok_embd.data); /* tied */
        allm__model_release(m);
        make_gguf_free(&w);
    }
    test_engine_free(&e);
}

static void test_model_sampling_defaults(void **state) {
    test_engine   e;
    allm_error    err;
    allm_sampling s;
    allm_model   *m = NULL;
    make_model    p = make_model_new("llama");
    (void)state;
    test_engine_init(&e, 1, NULL);
    make_gguf w = make_model_file(&p);
    assert_int_equal(test_engine_open(&e, &w, 0, &m, &err), ALLM_OK);
    allm__samp_of_model(m, &s);
    assert_true(s.temperature == 0.7f && s.top_p == 0.9f && s.seed == -1 && s.top_k == 0 && s.min_p == 0 &&
                s.repeat_penalty == 0);
    allm__model_release(m);
    make_gguf_free(&w);
    make_model_set(&p, ".general.sampling.temp", 'f', 0.25);
    make_model_set(&p, ".general.sampling.top_k", 'i', 20);
    make_model_set(&p, ".general.sampling.top_p", 'f', 7); /* out of range: left out */
    make_model_set(&p, ".general.sampling.min_p", 'f', 0.125);
    make_model_set(&p, ".general.sampling.penalty_repeat", 's', 0); /* of another type: left out */
    make_model_set(&p, ".general.sampling.penalty_last_n", 'i', 32);
    w = make_model_file(&p);
    assert_int_equal(test_engine_open(&e, &w, 0, &m, &err), ALLM_OK);
    allm__samp_of_model(m, &s);
    assert_true(s.temperature == 0.25f && s.top_p == 0.9f && s.top_k == 20 && s.min_p == 0.125f &&
                s.repeat_penalty == 0);
    assert_int_equal(s.penalty_window, 32);
    allm__model_release(m);
    make_gguf_free(&w);
    static const char *const orders[][2] = {{"top_k;temp", "top_k;temp"}, {"top_k;nonsense", NULL}, {"", NULL}};
    for (size_t i = 0; i < ALLM__COUNT(orders); i++) {
        p = make_model_new("llama");
        make_model_set_text(&p, ".general.sampling.sequence", 's', 0, orders[i][0]);
        make_model_set(&p, ".general.sampling.mirostat", 'i', i == 1 ? 3 : 2); /* 3 is none */
        make_model_set(&p, ".general.sampling.mirostat_tau", 'f', 4);
        make_model_set(&p, ".general.sampling.xtc_probability", 'f', 0.25);
        w = make_model_file(&p);
        assert_int_equal(test_engine_open(&e, &w, 0, &m, &err), ALLM_OK);
        allm__samp_of_model(m, &s);
        assert_true(s.mirostat == (i == 1 ? 0 : 2) && s.mirostat_tau == 4 && s.xtc_probability == 0.25f);
        assert_true(s.xtc_threshold == 0 && (s.order != NULL) == (orders[i][1] != NULL));
        if (s.order) assert_string_equal(s.order, orders[i][1]);
        allm__model_release(m);
        make_gguf_free(&w);
    }
    for (int window = 0; window < 2; window++) { /* no last tokens at all: the penalties are off */
        p = make_model_new("llama");
        make_model_set(&p, ".general.sampling.penalty_repeat", 'f', 1.5);
        make_model_set(&p, ".general.sampling.penalty_last_n", 'i', window);
        w = make_model_file(&p);
        assert_int_equal(test_engine_open(&e, &w, 0, &m, &err), ALLM_OK);
        allm__samp_of_model(m, &s);
        assert_true(s.penalty_window == window && s.repeat_penalty == (window ? 1.5f : 0));
        allm__model_release(m);
        make_gguf_free(&w);
    }
    test_engine_free(&e);
}

/* No weights: metadata is all that is looked at. A session over it is refused. */
static void test_model_vocab_only(void **state) {
    test_engine         e;
    allm_error          err = {0};
    allm_model_config   cfg = {0};
    allm_session_config sc  = {0};
    allm_source         src = {0};
    allm_model         *m   = NULL;
    allm_session       *s;
    allm_model_info     info;
    allm_memory_plan    plan;
    make_model          p = make_model_new("zzz");
    make_gguf           w = make_model_file(&p);
    (void)state;
    test_engine_init(&e, 1, NULL);
    src.data = w.bytes, src.n_bytes = w.n, cfg.vocab_only = 1;
    assert_int_equal(allm__model_open(&e.host, &e.compute, &src, &cfg, &m, &err), ALLM_OK);
    allm__model_info(m, &info);
    assert_string_equal(info.architecture, "zzz");
    assert_int_equal(allm__session_create(m, &sc, &s, &err), ALLM_E_ARGUMENT);
    allm__model_release(m);
    memset(&err, 0, sizeof err);
    assert_int_equal(allm__model_plan(&e.host, &e.compute, &src, &cfg, &sc, &plan, &err), ALLM_OK);
    assert_true(plan.kv == 0 && plan.scratch == 0 && plan.other > 0);
    test_engine_free(&e);
    make_gguf_free(&w);
}

static const struct CMUnitTest test_model[] = {
    cmocka_unit_test(test_model_broken_files),
    cmocka_unit_test(test_model_golden_files_open),
    cmocka_unit_test(test_model_plan),
    cmocka_unit_test(test_model_plan_file),
    cmocka_unit_test(test_model_memory_limit),
    cmocka_unit_test(test_model_fault_38_allocations),
    cmocka_unit_test(test_model_fault_1_truncation),
    cmocka_unit_test(test_model_references),
    cmocka_unit_test(test_model_progress),
    cmocka_unit_test(test_model_info),
    cmocka_unit_test(test_model_sampling_defaults),
    cmocka_unit_test(test_model_vocab_only),
};
