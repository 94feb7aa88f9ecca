/* Room lora: golden adapters over a folder and over the GGUF file it becomes, every family against merged weights, the
 * same bits however the work is cut, switching, threads, and adapters that are not what they should be. FAULTS rows 15
 * to 19, 36 and 38. */

typedef struct lora_case {
    fwd_folder c;
    char      *base, *adapter; /* paths */
    float     *want;           /* [n_ids, n_vocab] */
} lora_case;

static void lora_case_free(lora_case *c) { free(c->base), free(c->adapter), free(c->want); }

/* Case i of golden/lora; 0: there are no more. */
static int lora_read_case(int i, lora_case *to) {
    size_t     n, n_logits;
    char      *text = test_golden("lora/manifest.json", &n), name[240];
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    allm_error err  = {0};
    allm__json j;
    int        found = 0;
    memset(to, 0, sizeof *to);
    allm__json_init(&j, &h, allm__str(text, n), "manifest.json", 0, &err);
    for (allm__json_begin(&j, ALLM__JSON_ARRAY, "cases"); allm__json_elem(&j);) {
        fwd_folder c;
        fwd_read_folder(&j, &c);
        if (i-- == 0) to->c = c, found = 1;
    }
    allm__json_free(&j);
    free(text);
    if (!found) return 0;
    snprintf(name, sizeof name, "lora/%s", to->c.base), to->base = test_golden_path(name);
    snprintf(name, sizeof name, "lora/%s%s", to->c.dir, strcmp(to->c.kind, "gguf") ? "" : "/adapter.gguf");
    if (strcmp(to->c.kind, "none")) to->adapter = test_golden_path(name);
    snprintf(name, sizeof name, "lora/%s", to->c.logits), to->want = (float *)(void *)test_golden(name, &n_logits);
    assert_int_equal(n_logits, to->c.n_ids * to->c.n_vocab * sizeof(float));
    return 1;
}

typedef struct lora_opened {
    test_engine   e;
    allm_model   *m;
    allm_adapter *a;
    allm_session *s;
} lora_opened;

/* A model, a session, and the adapter, if there is one, in use. */
static void lora_open(lora_opened *o, const char *model, const char *adapter, float scale, int reference,
                      allm_kv_type type, int32_t n_batch, int32_t n_threads) {
    allm_error          err = {0};
    allm_model_config   cfg = {0};
    allm_session_config sc  = {0};
    allm_source         src = {0};
    memset(o, 0, sizeof *o);
    src.path = model, cfg.reference = reference, sc.n_batch = n_batch, sc.kv_type = type;
    test_engine_init(&o->e, n_threads, NULL);
    if (allm__model_open(&o->e.host, &o->e.compute, &src, &cfg, &o->m, &err)) fail_msg("%s", err.message);
    sc.n_ctx = o->m->w.positions ? 0 : 128;
    if (allm__session_create(o->m, &sc, &o->s, &err)) fail_msg("%s", err.message);
    if (!adapter) return;
    if (allm__lora_open(o->m, adapter, &o->a, &err)) fail_msg("%s", err.message);
    if (allm__session_adapt(o->s, o->a, scale, &err)) fail_msg("%s", err.message);
}

static void lora_close(lora_opened *o) {
    allm__session_destroy(o->s);
    allm__lora_release(o->a);
    allm__model_release(o->m);
    test_engine_free(&o->e);
}

static const float *lora_eval(lora_opened *o, const int32_t *ids, size_t n) { /* from an empty cache, of all */
    allm_error err = {0};
    assert_int_equal(allm__session_truncate(o->s, 0, &err), ALLM_OK);
    if (allm__session_eval(o->s, ids, n, 1, NULL, NULL, &err)) fail_msg("%s", err.message);
    return allm__session_logits(o->s, 0);
}

/* ---- golden */

/* The GGUF file that a folder becomes, in t, which is to be removed; 0: it cannot be one. */
static int lora_convert(const char *folder, test_temp *t) {
    test_engine         e;
    allm_error          err = {0};
    allm_convert_config cfg = {0};
    allm_source         src = {0};
    *t = test_temp_new("", 0), src.path = folder;
    test_engine_init(&e, 1, NULL);
    const allm_status status = allm__conv_file(&e.host, &e.compute, &src, t->path, &cfg, &err);
    if (status && status != ALLM_E_UNSUPPORTED) fail_msg("%s", err.message);
    allm_model       *m  = NULL;
    allm_model_config mc = {0};
    src.path = t->path;
    const allm_status opens = status ? status : allm__model_open(&e.host, &e.compute, &src, &mc, &m, &err);
    if (opens) printf("             %s as GGUF: %.90s\n", strrchr(folder, '/') + 1, err.message);
    allm__model_release(m);
    test_engine_free(&e);
    return opens == ALLM_OK;
}

static void test_lora_golden(void **state) {
    lora_case c;
    int       n = 0;
    (void)state;
    printf("             NMSE                 folder   GGUF     default  with K, V as floats\n");
    for (; lora_read_case(n, &c); n++) {
        const size_t n_row = c.c.n_vocab, n_all = c.c.n_ids * n_row;
        test_temp    gguf;
        double       nmse[4];
        assert_true(lora_convert(c.base, &gguf));
        for (int k = 0; k < 4; k++) {
            lora_opened o;
            const allm_kv_type type = k == 3 ? ALLM_KV_F32 : ALLM_KV_DEFAULT;
            lora_open(&o, k == 1 ? gguf.path : c.base, c.adapter, 1, k < 2, type, 7, 2);
            nmse[k] = fwd_nmse(lora_eval(&o, c.c.ids, c.c.n_ids), c.want, n_all);
            if (k < 2) assert_int_equal(fwd_follow(o.s, &c.c), c.c.n_greedy);
            lora_close(&o);
        }
        printf("             %-20s %.1e  %.1e  %.1e  %.1e\n", c.c.name, nmse[0], nmse[1], nmse[2], nmse[3]);
        if (!(nmse[0] < 1e-9 && nmse[1] < 1e-9)) fail_msg("%s: reference path NMSE %g %g", c.c.name, nmse[0], nmse[1]);
        if (!(nmse[2] < 1e-3 && nmse[3] < 1e-6)) fail_msg("%s: default path NMSE %g %g", c.c.name, nmse[2], nmse[3]);
        test_temp_remove(&gguf);
        lora_case_free(&c);
    }
    assert_true(n > 1);
}

/* ---- the same bits */

/* However the text is cut, with any number of threads, on both paths. */
static void test_lora_bits(void **state) {
    static const struct { int32_t n_batch, n_threads; } cuts[] = {{64, 1}, {1, 1}, {3, 2}, {16, 3}, {5, 4}};
    lora_case c;
    (void)state;
    for (int i = 0; lora_read_case(i, &c); i++) {
        const size_t n = c.c.n_ids * c.c.n_vocab * sizeof(float);
        float       *want = (float *)malloc(n);
        for (int reference = 0; reference < 2; reference++)
            for (size_t k = 0; k < ALLM__COUNT(cuts); k++) {
                lora_opened o;
                lora_open(&o, c.base, c.adapter, 0.75f, reference, ALLM_KV_DEFAULT, cuts[k].n_batch, cuts[k].n_threads);
                const float *got = lora_eval(&o, c.c.ids, c.c.n_ids);
                if (k == 0) memcpy(want, got, n);
                else assert_memory_equal(want, got, n);
                lora_close(&o);
            }
        free(want);
        lora_case_free(&c);
    }
}

/* Off is off, on again is as before, and what was cached with another is gone. */
static void test_lora_switch(void **state) {
    lora_case c, d;
    (void)state;
    assert_true(lora_read_case(1, &c) && lora_read_case(3, &d));
    for (int reference = 0; reference < 2; reference++) {
        const size_t n = c.c.n_ids * c.c.n_vocab * sizeof(float);
        float       *plain = (float *)malloc(n), *first = (float *)malloc(n), *second = (float *)malloc(n);
        allm_error   err = {0};
        lora_opened  o;
        allm_adapter *other = NULL;
        lora_open(&o, c.base, NULL, 0, reference, ALLM_KV_DEFAULT, 0, 2);
        memcpy(plain, lora_eval(&o, c.c.ids, c.c.n_ids), n);
        if (allm__lora_open(o.m, c.adapter, &o.a, &err) || allm__lora_open(o.m, d.adapter, &other, &err))
            fail_msg("%s", err.message);
        assert_int_equal(allm__session_length(o.s), c.c.n_ids);
        assert_int_equal(allm__session_adapt(o.s, o.a, 0, &err), ALLM_OK); /* nothing changes */
        assert_int_equal(allm__session_length(o.s), c.c.n_ids);
        assert_int_equal(allm__session_adapt(o.s, o.a, 1, &err), ALLM_OK);
        assert_int_equal(allm__session_length(o.s), 0);
        assert_null(allm__session_logits(o.s, 0));
        memcpy(first, lora_eval(&o, c.c.ids, c.c.n_ids), n);
        assert_int_equal(allm__session_adapt(o.s, o.a, 1, &err), ALLM_OK); /* nothing changes */
        assert_int_equal(allm__session_length(o.s), c.c.n_ids);
        assert_int_equal(allm__session_adapt(o.s, other, 1, &err), ALLM_OK);
        assert_int_equal(allm__session_length(o.s), 0);
        memcpy(second, lora_eval(&o, c.c.ids, c.c.n_ids), n);
        assert_true(memcmp(plain, first, n) && memcmp(first, second, n) && memcmp(plain, second, n));
        assert_int_equal(allm__session_adapt(o.s, other, 0, &err), ALLM_OK); /* off */
        assert_memory_equal(plain, lora_eval(&o, c.c.ids, c.c.n_ids), n);
        assert_int_equal(allm__session_adapt(o.s, o.a, 1, &err), ALLM_OK);
        assert_memory_equal(first, lora_eval(&o, c.c.ids, c.c.n_ids), n);
        assert_int_equal(allm__session_adapt(o.s, NULL, 1, &err), ALLM_OK);
        assert_memory_equal(plain, lora_eval(&o, c.c.ids, c.c.n_ids), n);
        assert_int_equal(allm__session_adapt(o.s, o.a, NAN, &err), ALLM_E_ARGUMENT);
        memset(&err, 0, sizeof err);
        assert_int_equal(allm__session_adapt(o.s, o.a, INFINITY, &err), ALLM_E_ARGUMENT);
        memset(&err, 0, sizeof err);
        assert_int_equal(allm__session_length(o.s), c.c.n_ids);
        assert_int_equal(allm__session_adapt(o.s, other, -0.5f, &err), ALLM_OK);
        allm__lora_release(other); /* the session keeps it */
        assert_true(memcmp(plain, lora_eval(&o, c.c.ids, c.c.n_ids), n) != 0);
        free(plain), free(first), free(second);
        lora_close(&o);
    }
    lora_case_free(&c), lora_case_free(&d);
}

typedef struct lora_thread {
    allm_model  *m;
    const char  *adapter;
    const int32_t *ids;
    size_t       n_ids, n;
    float       *got;
    int          same;
} lora_thread;

static void *lora_thread_main(void *arg) { /* opens the adapter, too */
    lora_thread  *t = (lora_thread *)arg;
    allm_adapter *a = NULL;
    allm_session *s = NULL;
    allm_session_config sc = {0};
    sc.n_batch = 5;
    t->same = !allm_session_create(t->m, &sc, &s, NULL) && !allm_adapter_open(t->m, t->adapter, &a, NULL);
    for (int i = 0; i < 20 && t->same; i++) {
        t->same &= !allm_session_use_adapter(s, a, i % 2 ? 0.0f : 1.0f, NULL);
        t->same &= !allm_session_truncate(s, 0, NULL) && !allm_session_eval(s, t->ids, t->n_ids, 1, NULL);
        if (i == 0 && t->same) memcpy(t->got, allm_session_logits(s, 0), t->n);
        else if (t->same) t->same = (memcmp(t->got, allm_session_logits(s, 0), t->n) == 0) == (i % 2 == 0);
    }
    allm_adapter_close(a);
    allm_session_destroy(s);
    return NULL;
}

/* Sessions of one model with different adapters, at the same time. */
static void test_lora_threads(void **state) {
    enum { N = 4 };
    lora_case   c[N];
    lora_thread t[N];
    pthread_t   threads[N];
    lora_opened o;
    (void)state;
    TEST_NEEDS_THREADS();
    for (int i = 0; i < N; i++) assert_true(lora_read_case(i + 1, &c[i]));
    lora_open(&o, c[0].base, NULL, 0, 0, ALLM_KV_DEFAULT, 0, 2);
    for (int i = 0; i < N; i++) {
        const lora_thread row = {o.m, c[i].adapter, c[0].c.ids, c[0].c.n_ids,
                                 c[0].c.n_ids * c[0].c.n_vocab * sizeof(float), NULL, 0};
        t[i] = row, t[i].got = (float *)malloc(row.n);
        assert_int_equal(pthread_create(&threads[i], NULL, lora_thread_main, &t[i]), 0);
    }
    for (int i = 0; i < N; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < N; i++) {
        lora_opened alone;
        assert_true(t[i].same);
        lora_open(&alone, c[0].base, c[i].adapter, 1, 0, ALLM_KV_DEFAULT, 64, 1);
        assert_memory_equal(t[i].got, lora_eval(&alone, c[0].c.ids, c[0].c.n_ids), t[i].n);
        lora_close(&alone);
        free(t[i].got);
    }
    for (int i = 0; i < N; i++) lora_case_free(&c[i]);
    lora_close(&o);
}

/* ---- every family, against merged weights */

typedef struct lora_file { /* a safetensors file that grows */
    make_bytes head, data;
} lora_file;

static void lora_put(lora_file *f, const char *name, const char *dtype, const int64_t *dims, int n_dims, const void *p,
                     size_t n) {
    char text[640];
    int  at = snprintf(text, sizeof text, "%s\"%s\": {\"dtype\": \"%s\", \"shape\": [", f->head.n ? ", " : "{", name,
                       dtype);
    for (int i = 0; i < n_dims; i++) at += snprintf(text + at, sizeof text - (size_t)at, "%s%lld", i ? ", " : "",
                                                    (long long)dims[i]);
    at += snprintf(text + at, sizeof text - (size_t)at, "], \"data_offsets\": [%zu, %zu]}", f->data.n, f->data.n + n);
    make_raw(&f->head, text, (size_t)at);
    make_raw(&f->data, p, n);
}

static void lora_write(const char *path, const void *p, size_t n) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* Writes the file and empties it. */
static void lora_save(lora_file *f, const char *folder, const char *name) {
    make_bytes all = {NULL, 0, 0};
    char      *path = test_path(folder, name);
    make_raw(&f->head, f->head.n ? "}" : "{}", f->head.n ? 1 : 2);
    make_uint(&all, f->head.n, 8);
    make_raw(&all, f->head.p, f->head.n), make_raw(&all, f->data.p, f->data.n);
    lora_write(path, all.p, all.n);
    free(path), free(all.p), free(f->head.p), free(f->data.p);
    memset(f, 0, sizeof *f);
}

static void lora_save_text(const char *folder, const char *name, const char *text) {
    char *path = test_path(folder, name);
    lora_write(path, text, strlen(text));
    free(path);
}

static char *lora_folder(void) { /* new; remove it with lora_remove */
    char *path = strdup("/tmp/allm-lora-XXXXXX");
    assert_non_null(mkdtemp(path));
    return path;
}

static void lora_remove(char *folder) {
    static const char *const names[] = {"config.json", "model.safetensors", "adapter_config.json",
                                        "adapter_model.safetensors", "adapters.safetensors", "adapter.gguf"};
    for (size_t i = 0; i < ALLM__COUNT(names); i++) {
        char *path = test_path(folder, names[i]);
        unlink(path);
        free(path);
    }
    rmdir(folder);
    free(folder);
}

/* Does a module's name end as an entry of a table's list, "*" standing for digits? */
static int lora_is_entry(const char *module, const char *entry, size_t n) {
    for (const char *at = module; at; at = strchr(at, '.') ? strchr(at, '.') + 1 : NULL) {
        size_t i = 0;
        const char *p = at;
        for (; i < n; i++)
            if (entry[i] != '*') {
                if (*p++ != entry[i]) break;
            } else
                while (*p >= '0' && *p <= '9') p++;
        if (i == n && !*p) return 1;
    }
    return 0;
}

/* The module is one of matrices; *way: the letter behind "@", or 0. */
static int lora_is_matrix(const char *module, char *way) {
    for (size_t i = 0; i < ALLM__COUNT(allm__arch_tensors); i++) {
        const allm__arch_tensor *row = &allm__arch_tensors[i];
        for (const char *k = row->kind == 'm' && row->hf ? row->hf : ""; *k;) {
            const size_t n = strcspn(k, " "), n_name = n > 2 && k[n - 2] == '@' ? n - 2 : n;
            if (lora_is_entry(module, k, n_name)) return *way = n_name < n ? k[n - 1] : 0, 1;
            k += n + (k[n] == ' ');
        }
    }
    return 0;
}

static float lora_normal(void) { /* about */
    double sum = -6;
    for (int i = 0; i < 12; i++) sum += (double)test_random_below(1 << 20) / (1 << 20);
    return (float)sum;
}

/* A and B for W [n_out, n_in] (in_out: as it lies, [n_in, n_out]), to the adapter and into w. */
static void lora_adapt(lora_file *f, const char *module, float *w, int64_t n_out, int64_t n_in, int in_out) {
    enum { R = 3 };
    const int64_t da[2] = {R, n_in}, db[2] = {n_out, R};
    float *a = (float *)malloc((size_t)(R * n_in) * sizeof *a), *b = (float *)malloc((size_t)(R * n_out) * sizeof *b);
    char   name[300];
    for (int64_t i = 0; i < R * n_in; i++) a[i] = lora_normal() / sqrtf((float)n_in);
    for (int64_t i = 0; i < R * n_out; i++) b[i] = lora_normal() * 0.2f;
    snprintf(name, sizeof name, "base_model.model.%s.lora_A.weight", module);
    lora_put(f, name, "F32", da, 2, a, (size_t)(R * n_in) * sizeof *a);
    snprintf(name, sizeof name, "base_model.model.%s.lora_B.weight", module);
    lora_put(f, name, "F32", db, 2, b, (size_t)(R * n_out) * sizeof *b);
    for (int64_t o = 0; o < n_out; o++)
        for (int64_t i = 0; i < n_in; i++) {
            double sum = 0;
            for (int k = 0; k < R; k++) sum += (double)b[o * R + k] * (double)a[k * n_in + i];
            w[in_out ? i * n_out + o : o * n_in + i] += (float)(2 * sum); /* alpha / r */
        }
    free(a), free(b);
}

/* Writes an adapter for all matrices of a model, and the model merged with it; returns for how many. */
static int lora_make(const char *model, const char *merged, const char *adapter, int in_out) {
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    allm_error err  = {0};
    allm__st   st;
    lora_file  out = {{NULL, 0, 0}, {NULL, 0, 0}}, ad = out;
    size_t     n_config;
    int        n = 0;
    if (allm__st_open(&h, model, &st, &err)) fail_msg("%s", err.message);
    for (size_t i = 0; i < st.n_tensors; i++) {
        const allm__tensor   *t = &st.tensors[i];
        const allm__st_shape *s = &st.shapes[i];
        const size_t          n_all = (size_t)(t->dims[0] * t->dims[1] * t->dims[2] * t->dims[3]);
        char                  name[260], way = 0;
        snprintf(name, sizeof name, "%.*s", (int)t->name.len, t->name.ptr);
        if (t->type != ALLM__F32 && t->type != ALLM__F16 && t->type != ALLM__BF16) {
            lora_put(&out, name, t->fmt->name, s->dims, s->n_dims, t->data, t->n_bytes);
            continue;
        }
        float *x = (float *)malloc(n_all * sizeof *x);
        t->fmt->dequant(t->data, x, (int64_t)n_all);
        char *end = strstr(name, ".weight");
        if (s->n_dims == 2 && end && !end[7]) {
            *end = 0;
            if (lora_is_matrix(name, &way)) {
                const int turned = in_out && way == 't';
                lora_adapt(&ad, name, x, s->dims[turned], s->dims[!turned], turned), n++;
            }
            *end = '.';
        }
        lora_put(&out, name, "F32", s->dims, s->n_dims, x, n_all * sizeof *x);
        free(x);
    }
    allm__st_close(&st);
    char *path = test_path(model, "config.json"), *config = test_read(path, &n_config);
    lora_save_text(merged, "config.json", config);
    free(path), free(config);
    lora_save(&out, merged, "model.safetensors");
    lora_save(&ad, adapter, "adapter_model.safetensors");
    lora_save_text(adapter, "adapter_config.json", "{\"peft_type\": \"LORA\", \"r\": 3, \"lora_alpha\": 6}");
    test_heap_check(&heap);
    return n;
}

/* The logits of a model with an adapter against those of a merged one; < 0: refused, which GGUF files may be. */
static double lora_compare(const char *name, const char *model, const char *merged, const char *adapter, int may_refuse,
                           const eval_case *c) {
    lora_opened probe, want;
    allm_error  err = {0};
    double      nmse = -1;
    lora_open(&probe, model, NULL, 0, 1, ALLM_KV_DEFAULT, 5, 2);
    lora_open(&want, merged, NULL, 0, 1, ALLM_KV_DEFAULT, 0, 2);
    const size_t n     = c->ids.n * (size_t)probe.m->hp.n_vocab;
    const float *right = lora_eval(&want, c->ids.id, c->ids.n);
    if (!(fwd_nmse(lora_eval(&probe, c->ids.id, c->ids.n), right, n) > 1e-4)) fail_msg("%s: nothing changes", name);
    const allm_status status = allm__lora_open(probe.m, adapter, &probe.a, &err);
    if (status && !(may_refuse && status == ALLM_E_UNSUPPORTED)) fail_msg("%s: %s", name, err.message);
    if (status) printf("             %s as GGUF: %s\n", name, strstr(err.message, ": ") + 2);
    else if (allm__session_adapt(probe.s, probe.a, 1, &err)) fail_msg("%s: %s", name, err.message);
    else if (!((nmse = fwd_nmse(lora_eval(&probe, c->ids.id, c->ids.n), right, n)) < 1e-9))
        fail_msg("%s%s: NMSE %g from merged weights", name, may_refuse ? " as GGUF" : "", nmse);
    lora_close(&want), lora_close(&probe);
    return nmse;
}

/* A model with an adapter for all its matrices, as a folder, and as the GGUF file that it becomes. */
static void lora_run_family(const char *path, const eval_case *c, double worst[2], int n_run[2]) {
    char       *folders[2] = {lora_folder(), lora_folder()}; /* merged, adapter */
    lora_opened o;
    lora_open(&o, path, NULL, 0, 1, ALLM_KV_DEFAULT, 0, 1);
    const int causal = o.m->hp.causal != 0, in_out = (o.m->src.hf->flags & ALLM__H_IN_OUT) != 0;
    lora_close(&o);
    if (causal && lora_make(path, folders[0], folders[1], in_out) > 0) {
        test_temp gguf[2];
        double    nmse[2] = {lora_compare(c->name, path, folders[0], folders[1], 0, c), -1};
        const int plain = lora_convert(path, &gguf[0]), merged = lora_convert(folders[0], &gguf[1]);
        if (plain && merged) nmse[1] = lora_compare(c->name, gguf[0].path, gguf[1].path, folders[1], 1, c);
        for (int k = 0; k < 2; k++) worst[k] = ALLM__MAX(worst[k], nmse[k]), n_run[k] += nmse[k] >= 0;
        test_temp_remove(&gguf[0]), test_temp_remove(&gguf[1]);
    }
    lora_remove(folders[0]), lora_remove(folders[1]);
}

static void test_lora_families(void **state) {
    size_t     n;
    char      *text = test_golden("models/manifest.json", &n), name[120];
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    allm_error err  = {0};
    allm__json j;
    double     worst[2] = {0, 0};
    int        n_run[2] = {0, 0};
    (void)state;
    allm__json_init(&j, &h, allm__str(text, n), "manifest.json", 0, &err);
    for (allm__json_begin(&j, ALLM__JSON_ARRAY, "cases"); allm__json_elem(&j);) {
        eval_case c;
        eval_read_case(&j, &c);
        snprintf(name, sizeof name, "models/%s", c.dir);
        char *path = test_golden_path(name);
        lora_run_family(path, &c, worst, n_run);
        free(path);
    }
    assert_string_equal(err.message, "");
    printf("             %d models with adapters for all matrices: NMSE %.1e at most from merged weights; "
           "%d as GGUF: %.1e\n", n_run[0], worst[0], n_run[1], worst[1]);
    assert_true(n_run[0] >= 60 && n_run[1] >= 20);
    allm__json_free(&j);
    free(text);
    test_heap_check(&heap);
}

/* ---- scales */

/* Twice the scale of half the alpha is the same, to the bit, lengths of rows too; plain text finds no memory. */
static void test_lora_scale(void **state) {
    (void)state;
    for (int i = 1; i < 4; i++) {
        lora_case   c;
        lora_opened one, other;
        size_t      n_bytes, n_config;
        assert_true(lora_read_case(i, &c));
        char        *folder = lora_folder();
        const size_t n = c.c.n_ids * c.c.n_vocab * sizeof(float);
        char *path[2] = {test_path(c.adapter, "adapter_model.safetensors"),
                         test_path(c.adapter, "adapter_config.json")};
        char *bytes = test_read(path[0], &n_bytes), *config = test_read(path[1], &n_config), text[4000];
        char *at = strstr(config, "\"lora_alpha\":");
        if (bytes && at && strstr(config, "\"alpha_pattern\": {}")) {
            const int alpha = atoi(at + 13);
            snprintf(text, sizeof text, "%.*s \"lora_alpha\": %d%s", (int)(at - config), config, 2 * alpha,
                     strchr(at, ','));
            lora_save_text(folder, "adapter_config.json", text);
            char *file = test_path(folder, "adapter_model.safetensors");
            lora_write(file, bytes, n_bytes);
            free(file);
            lora_open(&one, c.base, c.adapter, 1, 0, ALLM_KV_DEFAULT, 0, 2);
            lora_open(&other, c.base, folder, 0.5f, 0, ALLM_KV_DEFAULT, 0, 1);
            assert_memory_equal(lora_eval(&one, c.c.ids, c.c.n_ids), lora_eval(&other, c.c.ids, c.c.n_ids), n);
            const int64_t n_calls = one.e.heap.n_calls; /* nothing is allocated for a token */
            allm_error    err = {0};
            assert_int_equal(allm__session_eval(one.s, c.c.ids, 3, 0, NULL, NULL, &err), ALLM_OK);
            assert_int_equal(one.e.heap.n_calls, n_calls);
            lora_close(&one), lora_close(&other);
        }
        free(path[0]), free(path[1]), free(bytes), free(config);
        lora_remove(folder);
        lora_case_free(&c);
    }
}

/* ---- what is wrong */

/* A folder with a llama of two layers, for which the adapters below are; all of its numbers are small. */
static char *lora_base(void) {
    static const struct { const char *name; int64_t dims[2]; } tensors[] = {
        {"model.embed_tokens.weight", {128, 48}}, {"lm_head.weight", {128, 48}}, {"model.norm.weight", {48, 0}},
        {"self_attn.q_proj.weight", {64, 48}}, {"self_attn.k_proj.weight", {32, 48}},
        {"self_attn.v_proj.weight", {32, 48}}, {"self_attn.o_proj.weight", {48, 64}},
        {"mlp.gate_proj.weight", {80, 48}}, {"mlp.up_proj.weight", {80, 48}}, {"mlp.down_proj.weight", {48, 80}},
        {"input_layernorm.weight", {48, 0}}, {"post_attention_layernorm.weight", {48, 0}},
    };
    static float x[128 * 48];
    char        *folder = lora_folder(), name[100];
    lora_file    f = {{NULL, 0, 0}, {NULL, 0, 0}};
    for (size_t i = 0; i < ALLM__COUNT(x); i++) x[i] = 0.2f * lora_normal();
    for (int layer = 0; layer < 2; layer++)
        for (size_t i = layer ? 3 : 0; i < ALLM__COUNT(tensors); i++) {
            const int64_t *d = tensors[i].dims, n = d[0] * (d[1] ? d[1] : 1);
            if (i < 3) snprintf(name, sizeof name, "%s", tensors[i].name);
            else snprintf(name, sizeof name, "model.layers.%d.%s", layer, tensors[i].name);
            lora_put(&f, name, "F32", d, d[1] ? 2 : 1, x, (size_t)n * sizeof *x);
        }
    lora_save(&f, folder, "model.safetensors");
    lora_save_text(folder, "config.json",
                   "{\"model_type\": \"llama\", \"hidden_size\": 48, \"intermediate_size\": 80, "
                   "\"num_hidden_layers\": 2, \"num_attention_heads\": 4, \"num_key_value_heads\": 2, "
                   "\"head_dim\": 16, \"vocab_size\": 128, \"max_position_embeddings\": 128, "
                   "\"rms_norm_eps\": 1e-5, \"tie_word_embeddings\": false}");
    return folder;
}

typedef struct lora_bad {
    const char *config, *tensors; /* "name dtype 4,48; ..." */
    allm_status status;
    const char *words;
} lora_bad;

#define LORA_Q "model.layers.0.self_attn.q_proj"
#define LORA_PEFT "{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 8}"
#define LORA_PEFT_WITH(more) "{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 8, " more "}"
#define LORA_GOOD LORA_Q ".lora_A.weight F32 4,48; " LORA_Q ".lora_B.weight F32 64,4"

static const lora_bad lora_bads[] = { /* a file of PEFT, for lora_base */
    {LORA_PEFT, LORA_GOOD, ALLM_OK, ""},
    {LORA_PEFT,
     "base_model.model." LORA_Q ".lora_A.x.weight BF16 4,48; base_model.model." LORA_Q ".lora_B.x.weight F16 64,4",
     ALLM_OK, ""},
    {LORA_PEFT, "layers.1.mlp.up_proj.lora_A F32 4,48; layers.1.mlp.up_proj.lora_B F32 80,4", ALLM_OK, ""},
    {LORA_PEFT, LORA_GOOD "; " LORA_Q ".lora_B.bias F32 64", ALLM_OK, ""},
    {LORA_PEFT_WITH("\"use_dora\": true"), LORA_GOOD "; " LORA_Q ".lora_magnitude_vector.default.weight F32 64",
     ALLM_OK, ""},
    {LORA_PEFT, "lm_head.modules_to_save.default.weight F32 128,48; model.norm.weight F32 48", ALLM_OK, ""},
    {LORA_PEFT_WITH("\"rank_pattern\": {\"x\": 9, \"^model.*q_proj\": 4}, \"alpha_pattern\": {}"), LORA_GOOD,
     ALLM_OK, ""},
    {LORA_PEFT, "", ALLM_OK, ""},
    {LORA_PEFT, "model.layers.0.self_attn.x_proj.lora_A.weight F32 4,48; "
     "model.layers.0.self_attn.x_proj.lora_B.weight F32 64,4",
     ALLM_E_UNSUPPORTED, "self_attn.x_proj\" is not a matrix"},
    {LORA_PEFT, "model.layers.7.self_attn.q_proj.lora_A.weight F32 4,48; "
     "model.layers.7.self_attn.q_proj.lora_B.weight F32 64,4",
     ALLM_E_UNSUPPORTED, "layers.7.self_attn.q_proj"},
    {LORA_PEFT, "model.layers.00.mlp.up_proj.lora_A.weight F32 4,48; "
     "model.layers.00.mlp.up_proj.lora_B.weight F32 80,4",
     ALLM_E_UNSUPPORTED, "layers.00.mlp.up_proj"},
    {LORA_PEFT, "vision_tower.encoder.layers.0.self_attn.q_proj.lora_A.weight F32 4,48", ALLM_E_UNSUPPORTED,
     "vision_tower"},
    {LORA_PEFT, LORA_Q ".lora_A.weight F32 4,47; " LORA_Q ".lora_B.weight F32 64,4", ALLM_E_FORMAT,
     "q_proj\": A [4, 47] and B [64, 4] do not fit 64 rows of 48"},
    {LORA_PEFT, LORA_Q ".lora_A.weight F32 4,48; " LORA_Q ".lora_B.weight F32 64,5", ALLM_E_FORMAT, "do not fit"},
    {LORA_PEFT, LORA_Q ".lora_A.weight F32 4,48; " LORA_Q ".lora_B.weight F32 4,64", ALLM_E_FORMAT, "do not fit"},
    {LORA_PEFT, LORA_Q ".lora_A.weight F32 4,48", ALLM_E_FORMAT, "q_proj\": lora_A or lora_B is missing"},
    {LORA_PEFT, LORA_Q ".lora_B.weight F32 64,4", ALLM_E_FORMAT, "q_proj\": lora_A or lora_B is missing"},
    {LORA_PEFT, LORA_Q ".lora_A.weight F32 0,48; " LORA_Q ".lora_B.weight F32 64,0", ALLM_E_FORMAT, "or empty"},
    {LORA_PEFT, LORA_Q ".lora_A.weight I32 4,48; " LORA_Q ".lora_B.weight F32 64,4", ALLM_E_UNSUPPORTED, "are not F32"},
    {LORA_PEFT, LORA_Q ".lora_A.weight F32 2,4,48; " LORA_Q ".lora_B.weight F32 2,64,4", ALLM_E_FORMAT, "matrices"},
    {LORA_PEFT, LORA_GOOD "; " LORA_Q ".lora_A.default.weight F32 4,48", ALLM_E_FORMAT, "another of the same meaning"},
    {LORA_PEFT, LORA_GOOD "; " LORA_Q ".lora_magnitude_vector F32 63", ALLM_E_FORMAT, "of another size"},
    {LORA_PEFT, LORA_GOOD "; " LORA_Q ".lora_B.bias F32 65", ALLM_E_FORMAT, "of another size"},
    {LORA_PEFT, LORA_GOOD "; " LORA_Q ".lora_C.weight F32 65", ALLM_E_UNSUPPORTED, "lora_C"},
    {LORA_PEFT, "model.embed_tokens.lora_embedding_A F32 4,127; model.embed_tokens.lora_embedding_B F32 48,4",
     ALLM_E_FORMAT, "embed_tokens"},
    {LORA_PEFT, "model.embed_tokens.token_adapter.trainable_tokens_delta F32 4,48", ALLM_E_UNSUPPORTED,
     "token_adapter"},
    {LORA_PEFT, "lm_head.weight F32 127,48", ALLM_E_FORMAT, "lm_head.weight"},
    {LORA_PEFT, "lm_head.weight I32 128,48", ALLM_E_UNSUPPORTED, "lm_head.weight"},
    {LORA_PEFT, "foo.weight F32 128,48", ALLM_E_UNSUPPORTED, "\"foo.weight\" is not a matrix or tensor"},
    {LORA_PEFT, "model.norm.weight F32 48; norm.weight F32 48", ALLM_E_FORMAT, "another of the same meaning"},
    {"{\"peft_type\": \"LORA\", \"r\": 8, \"lora_alpha\": 8}", LORA_GOOD, ALLM_E_FORMAT, "lora_A has 4 rows"},
    {"{\"peft_type\": \"LORA\", \"r\": 0}", LORA_GOOD, ALLM_E_FORMAT, "key \"r\""},
    {"{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": \"8\"}", LORA_GOOD, ALLM_E_FORMAT, "lora_alpha"},
    {"{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 1e999}", LORA_GOOD, ALLM_E_FORMAT, ""},
    {"{\"peft_type\": \"IA3\"}", LORA_GOOD, ALLM_E_UNSUPPORTED, "peft_type \"IA3\""},
    {"{\"peft_type\": 3}", LORA_GOOD, ALLM_E_FORMAT, "peft_type"},
    {"[]", LORA_GOOD, ALLM_E_FORMAT, ""},
    {"", LORA_GOOD, ALLM_E_FORMAT, ""},
    {LORA_PEFT_WITH("\"use_dora\": true"), LORA_GOOD, ALLM_E_FORMAT, "no lengths"},
    {LORA_PEFT_WITH("\"target_parameters\": [\"x\"]"), LORA_GOOD, ALLM_E_UNSUPPORTED, "target_parameters"},
    {LORA_PEFT_WITH("\"alora_invocation_tokens\": [1]"), LORA_GOOD, ALLM_E_UNSUPPORTED, "alora"},
    {LORA_PEFT_WITH("\"use_qalora\": true"), LORA_GOOD, ALLM_E_UNSUPPORTED, "use_qalora"},
    {LORA_PEFT_WITH("\"use_qalora\": false, \"target_parameters\": []"), LORA_GOOD, ALLM_OK, ""},
    {LORA_PEFT_WITH("\"rank_pattern\": {\"q_proj(\": 4}"), LORA_GOOD, ALLM_E_FORMAT, "adapter_config.json"},
    {LORA_PEFT_WITH("\"rank_pattern\": {\"q_proj\": \"4\"}"), LORA_GOOD, ALLM_E_FORMAT, "is no number"},
    {LORA_PEFT_WITH("\"rank_pattern\": {\"q_proj\": 5}"), LORA_GOOD, ALLM_E_FORMAT, "says 5"},
    {LORA_PEFT_WITH("\"rank_pattern\": {\"_proj\": 5, \"v_proj\": 5, \"q_pro\": 5}"), LORA_GOOD, ALLM_OK, ""},
};

/* Writes the tensors of a spec, all of them 0.01. */
static void lora_make_bad(const char *folder, const lora_bad *b) {
    lora_file f = {{NULL, 0, 0}, {NULL, 0, 0}};
    static float x[1 << 15];
    for (size_t i = 0; i < ALLM__COUNT(x); i++) x[i] = 0.01f;
    for (const char *p = b->tensors; *p;) {
        char    name[200], type[8];
        int64_t dims[4], n = 1;
        int     n_dims = 0, used = 0;
        assert_int_equal(sscanf(p, " %199s %7s%n", name, type, &used), 2);
        p += used;
        do {
            char *end;
            dims[n_dims++] = strtol(p + (*p == ','), &end, 10);
            n *= dims[n_dims - 1], p = end;
        } while (*p == ',');
        if (*p == ';') p++;
        lora_put(&f, name, type, dims, n_dims, x, (size_t)n * (type[1] == '3' ? 4 : 2));
    }
    lora_save(&f, folder, "adapter_model.safetensors");
    lora_save_text(folder, "adapter_config.json", b->config);
}

static void test_lora_bad(void **state) {
    char       *folder = lora_folder(), *base = lora_base();
    lora_opened o;
    (void)state;
    lora_open(&o, base, NULL, 0, 0, ALLM_KV_DEFAULT, 0, 1);
    for (size_t i = 0; i < ALLM__COUNT(lora_bads); i++) {
        const lora_bad *b = &lora_bads[i];
        allm_error      err = {0};
        allm_adapter   *a = NULL;
        lora_make_bad(folder, b);
        const allm_status status = allm__lora_open(o.m, folder, &a, &err);
        if (status != b->status || !strstr(err.message, b->words) || (a == NULL) != (status != 0))
            fail_msg("row %zu: status %d, \"%s\"; expected %d, \"%s\"", i, (int)status, err.message, (int)b->status,
                     b->words);
        if (status && !strstr(err.message, "adapter_")  && !strstr(err.message, folder))
            fail_msg("row %zu: no place in \"%s\"", i, err.message);
        if (!status && allm__session_adapt(o.s, a, 1, &err)) fail_msg("row %zu: %s", i, err.message);
        if (!status) lora_eval(&o, (const int32_t[]){1, 2, 3}, 3);
        assert_int_equal(allm__session_adapt(o.s, NULL, 0, &err), ALLM_OK);
        allm__lora_release(a);
    }
    printf("             %zu adapters, most of them refused by name\n", ALLM__COUNT(lora_bads));
    lora_close(&o);
    lora_remove(folder), lora_remove(base);
}

typedef struct lora_bytes { /* files of an adapter, to be spoiled */
    char  *folder, *path; /* path: what is opened */
    char  *file[2], *bytes[2];
    size_t n[2];
} lora_bytes;

static int lora_bytes_open(lora_bytes *b, int i_case) { /* of golden/lora; GGUF has no second file; 0: none */
    static const char *const names[3] = {"adapter_model.safetensors", "adapters.safetensors", "adapter.gguf"};
    lora_case c;
    if (!lora_read_case(i_case, &c)) return 0;
    const int kind = !strcmp(c.c.kind, "gguf") ? 2 : !strcmp(c.c.kind, "mlx");
    memset(b, 0, sizeof *b);
    b->folder = lora_folder();
    char *from[2] = {kind == 2 ? strdup(c.adapter) : test_path(c.adapter, names[kind]),
                     test_path(c.adapter, "adapter_config.json")};
    b->file[0] = test_path(b->folder, names[kind]), b->file[1] = test_path(b->folder, "adapter_config.json");
    b->path = kind == 2 ? b->file[0] : b->folder;
    for (int i = 0; i < 2 - (kind == 2); i++) {
        b->bytes[i] = test_read(from[i], &b->n[i]);
        assert_non_null(b->bytes[i]);
        lora_write(b->file[i], b->bytes[i], b->n[i]);
    }
    free(from[0]), free(from[1]);
    lora_case_free(&c);
    return 1;
}

static void lora_bytes_close(lora_bytes *b) {
    lora_remove(b->folder);
    for (int i = 0; i < 2; i++) free(b->file[i]), free(b->bytes[i]);
}

static allm_status lora_try(const lora_opened *o, const char *path, allm_error *err) {
    allm_adapter *a = NULL;
    memset(err, 0, sizeof *err);
    const allm_status status = allm__lora_open(o->m, path, &a, err);
    assert_true((a == NULL) == (status != ALLM_OK) && (!status || strlen(err->message) > 10));
    if (!status && !allm__session_adapt(o->s, a, 1, err)) {
        const int32_t ids[] = {1, 2};
        allm__session_eval(o->s, ids, 2, 0, NULL, NULL, err);
        allm__session_adapt(o->s, NULL, 0, err);
    }
    allm__lora_release(a);
    return status;
}

/* Cut at every byte, and with zeros behind it; then bytes changed here and there. */
static void test_lora_fault_16_bytes(void **state) {
    static const int cases[] = {1, 3, 5, 8}; /* PEFT, DoRA, MLX, GGUF */
    char            *base = test_golden_path("lora/base");
    lora_opened      o;
    int              n = 0;
    (void)state;
    lora_open(&o, base, NULL, 0, 0, ALLM_KV_DEFAULT, 0, 1);
    for (size_t k = 0; k < ALLM__COUNT(cases); k++) {
        lora_bytes b;
        allm_error err;
        if (!lora_bytes_open(&b, cases[k])) continue;
        assert_int_equal(lora_try(&o, b.path, &err), ALLM_OK);
        for (int i = 0; i < 2 && b.bytes[i]; i++) {
            char *copy = (char *)malloc(b.n[i]);
            for (size_t at = 0; at < b.n[i]; at += at >= 1800 ? 97 : TEST_SANITIZED ? 13 : 1) {
                lora_write(b.file[i], b.bytes[i], at);
                const allm_status status = lora_try(&o, b.path, &err);
                if (status != ALLM_E_FORMAT && at + 2 < b.n[i])
                    fail_msg("cut at %zu: status %d %s", at, (int)status, err.message);
                if (at % 32 == 0) {
                    memset(copy, 0, b.n[i]), memcpy(copy, b.bytes[i], at);
                    lora_write(b.file[i], copy, b.n[i]);
                    lora_try(&o, b.path, &err);
                }
                n++;
            }
            for (int r = 0; r < (TEST_SANITIZED ? 60 : 200); r++) {
                memcpy(copy, b.bytes[i], b.n[i]);
                for (int j = 0; j < 3; j++) copy[test_random_below(ALLM__MIN(b.n[i], 1500))] = (char)test_random();
                lora_write(b.file[i], copy, b.n[i]);
                lora_try(&o, b.path, &err);
            }
            lora_write(b.file[i], b.bytes[i], b.n[i]);
            free(copy);
        }
        lora_bytes_close(&b);
    }
    printf("             cut at %d places\n", n);
    lora_close(&o);
    free(base);
}

/* GGUF adapters of other models. */
static void test_lora_gguf(void **state) {
    static const struct {
        const char *type, *arch, *kind, *name;
        int64_t     a[2], b[2];
        allm_status status;
        const char *words;
    } rows[] = {
        {"adapter", "llama", "lora", "blk.1.ffn_up.weight", {48, 4}, {4, 80}, ALLM_OK, ""},
        {"adapter", "llama", "lora", "token_embd.weight", {4, 128}, {4, 48}, ALLM_OK, ""},
        {"adapter", "llama", "lora", "token_embd.weight", {48, 4}, {4, 128}, ALLM_OK, ""},
        {"adapter", "llama", "lora", "output.weight", {48, 4}, {4, 128}, ALLM_OK, ""},
        {"model", "llama", "lora", "blk.1.ffn_up.weight", {48, 4}, {4, 80}, ALLM_E_FORMAT, "\"adapter\" expected"},
        {"adapter", "qwen2", "lora", "blk.1.ffn_up.weight", {48, 4}, {4, 80}, ALLM_E_FORMAT, "\"llama\" expected"},
        {"adapter", "llama", "control", "blk.1.ffn_up.weight", {48, 4}, {4, 80}, ALLM_E_FORMAT, "\"lora\" expected"},
        {"adapter", "llama", "lora", "blk.2.ffn_up.weight", {48, 4}, {4, 80}, ALLM_E_UNSUPPORTED, "blk.2.ffn_up"},
        {"adapter", "llama", "lora", "blk.1.ffn_norm.weight", {48, 4}, {4, 80}, ALLM_E_UNSUPPORTED, "ffn_norm"},
        {"adapter", "llama", "lora", "blk.1.ffn_up.weight", {47, 4}, {4, 80}, ALLM_E_FORMAT, "do not fit"},
        {"adapter", "llama", "lora", "blk.1.ffn_up.weight", {48, 4}, {5, 80}, ALLM_E_FORMAT, "do not fit"},
    };
    char       *base = lora_base();
    lora_opened o;
    static float x[1 << 13];
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(x); i++) x[i] = 0.02f;
    lora_open(&o, base, NULL, 0, 0, ALLM_KV_DEFAULT, 0, 1);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        make_gguf  w = make_gguf_new();
        allm_error err;
        char       name[100];
        make_kv_str(&w, "general.type", rows[i].type), make_kv_str(&w, "general.architecture", rows[i].arch);
        make_kv_str(&w, "adapter.type", rows[i].kind), make_kv_f32(&w, "adapter.lora.alpha", 8);
        snprintf(name, sizeof name, "%s.lora_a", rows[i].name);
        make_tensor(&w, name, ALLM__F32, 2, rows[i].a, x, (size_t)(rows[i].a[0] * rows[i].a[1]) * sizeof *x);
        snprintf(name, sizeof name, "%s.lora_b", rows[i].name);
        make_tensor(&w, name, ALLM__F32, 2, rows[i].b, x, (size_t)(rows[i].b[0] * rows[i].b[1]) * sizeof *x);
        make_gguf_end(&w);
        test_temp t = test_temp_new(w.bytes, w.n);
        const allm_status status = lora_try(&o, t.path, &err);
        if (status != rows[i].status || !strstr(err.message, rows[i].words))
            fail_msg("row %zu: %d \"%s\"", i, (int)status, err.message);
        test_temp_remove(&t);
        make_gguf_free(&w);
    }
    lora_close(&o);
    lora_remove(base);
}

/* ---- no memory */

typedef struct lora_paths {
    const char *base, *adapter;
} lora_paths;

static allm_status lora_all(const allm__host *h, void *ctx) {
    const lora_paths   *p = (const lora_paths *)ctx;
    static const int32_t ids[] = {5, 6, 7};
    allm__pool          pool;
    allm__compute       compute = {NULL, NULL};
    allm_model_config   cfg = {0};
    allm_session_config sc  = {0};
    allm_source         src = {0};
    allm_error          err = {0};
    allm_model         *m   = NULL;
    allm_session       *s   = NULL;
    allm_adapter       *a   = NULL;
    allm__pool_init(&pool, 1);
    compute.kern = allm__kern_find("scalar"), compute.pool = &pool;
    src.path = p->base, sc.n_batch = 4;
    if (!allm__model_open(h, &compute, &src, &cfg, &m, &err) && !allm__session_create(m, &sc, &s, &err) &&
        !allm__lora_open(m, p->adapter, &a, &err) && !allm__session_adapt(s, a, 1, &err))
        allm__session_eval(s, ids, 3, 1, NULL, NULL, &err);
    allm__session_destroy(s);
    allm__lora_release(a);
    allm__model_release(m);
    allm__pool_free(&pool);
    return err.status;
}

static void test_lora_fault_15_no_memory(void **state) {
    lora_case c;
    (void)state;
    for (int i = 2; i < 9; i += 3) { /* rsLoRA with patterns and a head of its own, MLX, GGUF */
        if (!lora_read_case(i, &c) || !c.adapter) continue;
        lora_paths p = {c.base, c.adapter};
        test_fail_each(lora_all, &p);
        lora_case_free(&c);
    }
}

static const struct CMUnitTest test_lora[] = {
    cmocka_unit_test(test_lora_golden),  cmocka_unit_test(test_lora_bits),    cmocka_unit_test(test_lora_switch),
    cmocka_unit_test(test_lora_threads), cmocka_unit_test(test_lora_scale),   cmocka_unit_test(test_lora_bad),
    cmocka_unit_test(test_lora_gguf),    cmocka_unit_test(test_lora_fault_16_bytes),
    cmocka_unit_test(test_lora_fault_15_no_memory),
    cmocka_unit_test(test_lora_families),
};
