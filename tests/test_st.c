/* Room st: safetensors against the verdicts of the reference, folders, and every way weights are stored: by a small
 * model in double precision that reads them as room model would, compared with golden logits. */

static const allm__host st_host = {{allm__mem_default_alloc, allm__mem_default_free, NULL}, NULL, NULL};

static void st_open_conf(const char *name, allm__conf *c, char **path) {
    allm_error err = {0};
    *path = test_golden_path(name);
    size_t n;
    char  *text = test_read(*path, &n), *object = (char *)malloc(n + 16);
    snprintf(object, n + 16, "{\"all\": %s}", text); /* the files are arrays */
    if (allm__conf_open(&st_host, allm__str_of(object), *path, c, &err)) fail_msg("%s", err.message);
    free(text), free(object);
    *strrchr(*path, '/') = 0;
}

ALLM__PRINTF(2, 3)
static const allm__conf_value *st_conf(const allm__conf *c, const char *format, ...) {
    char    key[200];
    va_list args;
    va_start(args, format);
    vsnprintf(key, sizeof key, format, args);
    va_end(args);
    return allm__conf_at(c, allm__str_of(key));
}

/* ---- the file */

static void st_check_tensor(const allm__st *st, const allm__conf *c, int i, int k, const char *file) {
    const allm__conf_value *name = st_conf(c, "all.%d.tensors.%d.name", i, k);
    const allm__tensor     *t = allm__st_tensor(st, name->text);
    if (!t) fail_msg("%s: no tensor \"%s\"", file, name->text.ptr);
    const allm__st_shape *s = &st->shapes[t - st->tensors];
    assert_true(allm__str_eq(allm__str_of(t->fmt->name), st_conf(c, "all.%d.tensors.%d.dtype", i, k)->text));
    assert_int_equal(t->n_bytes, st_conf(c, "all.%d.tensors.%d.n_bytes", i, k)->i);
    assert_int_equal(s->n_dims, st_conf(c, "all.%d.tensors.%d.shape", i, k)->n);
    for (int d = 0; d < s->n_dims; d++)
        assert_int_equal(s->dims[d], st_conf(c, "all.%d.tensors.%d.shape.%d", i, k, d)->i);
    for (int b = 0; b < 4; b++) {
        const allm__conf_value *v = st_conf(c, "all.%d.tensors.%d.first_bytes.%d", i, k, b);
        if (v) assert_int_equal(t->data[b], v->i);
    }
}

static void test_st_files(void **state) {
    allm__conf c;
    char      *folder;
    int        n = 0;
    (void)state;
    st_open_conf("broken-safetensors/files.json", &c, &folder);
    for (; st_conf(&c, "all.%d.file", n); n++) {
        const char *file = st_conf(&c, "all.%d.file", n)->text.ptr, *want = st_conf(&c, "all.%d.expect", n)->text.ptr;
        char       *path = test_path(folder, file);
        allm__st    st;
        allm_error  err    = {0};
        test_heap   heap   = {0};
        allm__host  h      = test_host(&heap);
        double      from   = test_seconds();
        allm_status status = allm__st_open(&h, path, &st, &err);
        if (strcmp(want, "either") && (status == ALLM_OK) != !strcmp(want, "accept"))
            fail_msg("%s: %s expected, but %s", file, want, status ? err.message : "it opens");
        if (status && (status != ALLM_E_FORMAT || !strstr(err.message, file))) fail_msg("%s: %s", file, err.message);
        for (int k = 0; !status && st_conf(&c, "all.%d.tensors.%d.name", n, k); k++)
            st_check_tensor(&st, &c, n, k, file);
        allm__st_close(&st);
        test_heap_check(&heap);
        assert_true(heap.peak < 64 << 20);
        test_time(file, test_seconds() - from, 0.1);
        free(path);
    }
    printf("             %d files\n", n);
    assert_true(n > 100);
    allm__conf_close(&c), free(folder);
}

/* A file of these header bytes and n_data bytes 0, 1, 2 ...; free it. */
static char *st_make(const char *header, size_t n_data, size_t *n) {
    size_t n_header = strlen(header);
    char  *p        = (char *)malloc(8 + n_header + n_data);
    for (int i = 0; i < 8; i++) p[i] = (char)(n_header >> 8 * i);
    memcpy(p + 8, header, n_header);
    for (size_t i = 0; i < n_data; i++) p[8 + n_header + i] = (char)i;
    *n = 8 + n_header + n_data;
    return p;
}

static const char st_small[] =
    "{\"__metadata__\": {\"format\": \"pt\"}, \"a.weight\": {\"dtype\": \"F16\", \"shape\": [2, 3], \"data_offsets\": "
    "[4, 16]},"
    "\"b\\u0041\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4], \"x\": [1, {\"y\": null}]},"
    "\"c\": {\"shape\": [2, 2, 2, 1, 2], \"data_offsets\": [16, 32], \"dtype\": \"I8\"} }  ";

static allm_status st_try(const allm__host *h, const void *p, size_t n, allm_error *err) {
    allm__st    st;
    allm_source src = {0};
    memset(err, 0, sizeof *err);
    src.data = p, src.n_bytes = n;
    allm_status status = allm__st_open_file(h, &src, &st, err);
    allm__wsrc  w;
    float       x[8];
    allm_error  e2 = {0};
    if (!status && !allm__st_weight(&st, ALLM__S("a.weight"), &w, &e2))
        for (int64_t r = 0; r < w.n_rows && r < 4; r++) allm__wsrc_row(&w, r, 0, ALLM__MIN(w.n_cols, 8), x);
    allm__st_close(&st);
    return status ? status : e2.status == ALLM_E_MEMORY ? e2.status : ALLM_OK;
}

static void test_st_small(void **state) {
    size_t      n;
    char       *p = st_make(st_small, 32, &n);
    allm__st    st;
    allm_error  err = {0};
    allm_source src = {0};
    (void)state;
    src.data = p, src.n_bytes = n;
    if (allm__st_open_file(&st_host, &src, &st, &err)) fail_msg("%s", err.message);
    assert_int_equal(st.n_tensors, 3);
    const allm__tensor *t = allm__st_tensor(&st, ALLM__S("a.weight"));
    assert_true(t->dims[0] == 3 && t->dims[1] == 2 && t->dims[2] == 1 && t->n_dims == 2 && t->data[0] == 4);
    t = allm__st_tensor(&st, ALLM__S("c"));
    assert_true(t->dims[0] == 2 && t->dims[1] == 1 && t->dims[2] == 2 && t->dims[3] == 4 && t->n_dims == 4);
    assert_non_null(allm__st_tensor(&st, ALLM__S("bA")));
    assert_true(allm__st_has(&st, ALLM__S("a")) && allm__st_has(&st, ALLM__S("bA")) &&
                !allm__st_has(&st, ALLM__S("b")));
    allm__wsrc w;
    float      x[3];
    assert_int_equal(allm__st_weight(&st, ALLM__S("a.weight"), &w, &err), ALLM_OK);
    allm__wsrc_row(&w, 1, 0, 3, x);
    assert_true(x[0] == allm__f16_to_f32(0x0b0a) && x[2] == allm__f16_to_f32(0x0f0e));
    assert_int_equal(allm__st_weight(&st, ALLM__S("c"), &w, &err), ALLM_E_UNSUPPORTED);
    memset(&err, 0, sizeof err);
    assert_int_equal(allm__st_weight(&st, ALLM__S("d.weight"), &w, &err), ALLM_E_FORMAT);
    assert_string_equal(err.message, "memory: tensor \"d.weight\" is missing");
    allm__st_close(&st);
    free(p);
}

static void test_fault_16_truncated(void **state) {
    size_t     n;
    char      *p = st_make(st_small, 32, &n);
    allm_error err;
    (void)state;
    for (size_t i = 0; i < n; i++) {
        test_guard g = test_guard_new(i);
        memcpy(g.ptr, p, i);
        assert_int_equal(st_try(&st_host, g.ptr, i, &err), ALLM_E_FORMAT);
        assert_true(strlen(err.message) > 10);
        test_guard_free(&g);
        char *zeros = (char *)calloc(1, n);
        memcpy(zeros, p, i);
        st_try(&st_host, zeros, n, &err);
        free(zeros);
    }
    free(p);
}

static void test_fault_17_bytes(void **state) {
    static const uint8_t values[] = {0, 0x7f, 0x80, 0xff, '0', '9', '"', '[', '{', '-'};
    size_t               n;
    char                *p = st_make(st_small, 32, &n);
    allm_error           err;
    (void)state;
    test_guard g = test_guard_new(n);
    for (size_t i = 0; i < n - 32; i++)
        for (size_t k = 0; k < ALLM__COUNT(values) + 8; k++) {
            memcpy(g.ptr, p, n);
            ((uint8_t *)g.ptr)[i] = k < 10 ? values[k] : (uint8_t)(p[i] ^ 1 << (k - 10));
            st_try(&st_host, g.ptr, n, &err);
        }
    for (int round = 0; round < 20000; round++) {
        memcpy(g.ptr, p, n);
        for (uint64_t k = test_random_below(4) + 1; k; k--)
            ((uint8_t *)g.ptr)[8 + test_random_below(n - 40)] =
                (uint8_t)p[8 + test_random_below(n - 40)]; /* a byte of the same alphabet */
        st_try(&st_host, g.ptr, n, &err);
    }
    test_guard_free(&g);
    free(p);
}

static allm_status st_body(const allm__host *h, void *ctx) {
    allm_error err;
    size_t     n;
    char      *p = st_make((const char *)ctx, 32, &n);
    allm_status status = st_try(h, p, n, &err);
    free(p);
    return status;
}

static void test_st_no_memory(void **state) {
    (void)state;
    test_fail_each(st_body, (void *)(uintptr_t)st_small);
}

static void st_stack_body(void *arg) {
    allm_error err;
    st_try(&st_host, arg, 100008, &err);
}

static void test_fault_17_deep(void **state) { /* nesting costs no stack */
    char *p = (char *)malloc(100008);
    (void)state;
    memset(p, '[', 100008);
    for (int i = 0; i < 8; i++) p[i] = (char)((size_t)100000 >> 8 * i);
    memcpy(p + 8, "{\"a\":{\"x\":", 10);
    test_stack_check(st_stack_body, p);
    free(p);
}

/* ---- folders */

static void st_write(const char *folder, const char *name, const void *bytes, size_t n) {
    char *path = test_path(folder, name);
    FILE *f    = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
    free(path);
}

static void st_folder_new(char path[300]) {
    const char *tmp = getenv("TMPDIR");
    snprintf(path, 300, "%s/allm-st-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(path));
}

static void st_folder_remove(const char *path) {
    static const char *const names[] = {"config.json", "generation_config.json", "model.safetensors",
                                        "model.safetensors.index.json", "a.safetensors", "b.safetensors",
                                        "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"};
    for (size_t i = 0; i < ALLM__COUNT(names); i++) {
        char *name = test_path(path, names[i]);
        unlink(name);
        free(name);
    }
    rmdir(path);
}

static void test_fault_19_index(void **state) {
    static const struct { const char *index, *message; } rows[] = { /* NULL: opens */
        {"{\"weight_map\": {\"a\": \"a.safetensors\", \"b\": \"b.safetensors\"}}", NULL},
        {"{\"weight_map\": {\"a\": \"a.safetensors\"}, \"metadata\": {\"total_size\": -1}}", NULL},
        {"{\"weight_map\": {\"a\": \"../a.safetensors\"}}", "the name of a file in this folder expected"},
        {"{\"weight_map\": {\"a\": \"/etc/passwd\"}}", "the name of a file in this folder expected"},
        {"{\"weight_map\": {\"a\": \"C:a.safetensors\"}}", "the name of a file in this folder expected"},
        {"{\"weight_map\": {\"a\": \"x\\\\a.safetensors\"}}", "the name of a file in this folder expected"},
        {"{\"weight_map\": {\"a\": \"a.safe\\u0000tensors\"}}", "the name of a file in this folder expected"},
        {"{\"weight_map\": {\"a\": \"..\"}}", "the name of a file in this folder expected"},
        {"{\"weight_map\": {\"a\": \"\"}}", "the name of a file in this folder expected"},
        {"{\"weight_map\": {\"a\": \"a.safetensors\", \"a\": \"b.safetensors\"}}", "is there twice"},
        {"{\"weight_map\": {\"a\": \"b.safetensors\"}}", "is said to be in \"b.safetensors\", but is not there"},
        {"{\"weight_map\": {\"z\": \"a.safetensors\"}}", "tensor \"z\" is said to be in \"a.safetensors\""},
        {"{\"weight_map\": {\"a\": \"c.safetensors\"}}", "c.safetensors: cannot open"},
        {"{\"weight_map\": {\"a\": 1}}", "a string expected"},
        {"{\"weight_map\": []}", "an object expected"},
        {"{\"weight_map\": {}}", "weight_map is empty"},
        {"{}", "weight_map is missing"},
        {"", "a value expected, but the text ends"},
    };
    static const char a[] = "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}";
    static const char b[] = "{\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}";
    char              path[300];
    size_t            n;
    (void)state;
    st_folder_new(path);
    char *bytes = st_make(a, 2, &n);
    st_write(path, "a.safetensors", bytes, n), free(bytes);
    bytes = st_make(b, 3, &n);
    st_write(path, "b.safetensors", bytes, n), free(bytes);
    st_write(path, "config.json", "{}", 2);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm__st   st;
        allm_error err = {0};
        st_write(path, "model.safetensors.index.json", rows[i].index, strlen(rows[i].index));
        allm_status status = allm__st_open(&st_host, path, &st, &err);
        if (!rows[i].message && status) fail_msg("%s: %s", rows[i].index, err.message);
        if (!status) assert_non_null(allm__st_tensor(&st, ALLM__S("a")));
        allm__st_close(&st);
        if (rows[i].message && !(status && strstr(err.message, rows[i].message)))
            fail_msg("%s: \"%s\", expected \"%s\"", rows[i].index, err.message, rows[i].message);
    }
    st_folder_remove(path);
}

/* A link in the index's place: to a neighbour, into a cache's blobs, or away. */
static void test_fault_19_links(void **state) {
    static const char a[]     = "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}";
    static const char index[] = "{\"weight_map\": {\"a\": \"a.safetensors\"}}";
    static const struct { const char *target; int opens; } rows[] = {
        {"b.safetensors", 1}, {"../blobs/0123abc", 1}, {"../b.safetensors", 0}, {"/etc/passwd", 0},
        {"../blobs/../b.safetensors", 0}, {"../../blobs/x/y", 0},
    };
    char   path[300], folder[320], blob[340], *link;
    size_t n;
    (void)state;
    st_folder_new(path);
    snprintf(folder, sizeof folder, "%s/snap", path), snprintf(blob, sizeof blob, "%s/blobs", path);
    assert_int_equal(mkdir(folder, 0700) | mkdir(blob, 0700), 0);
    char *bytes = st_make(a, 2, &n);
    st_write(folder, "b.safetensors", bytes, n), st_write(path, "b.safetensors", bytes, n);
    st_write(blob, "0123abc", bytes, n), free(bytes);
    st_write(folder, "config.json", "{}", 2), st_write(folder, "model.safetensors.index.json", index, sizeof index - 1);
    link = test_path(folder, "a.safetensors");
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm__st   st;
        allm_error err = {0};
        assert_int_equal(symlink(rows[i].target, link), 0);
        allm_status status = allm__st_open(&st_host, folder, &st, &err);
        allm__st_close(&st);
        if (rows[i].opens != (status == ALLM_OK)) fail_msg("%s: %s", rows[i].target, err.message);
        if (status) assert_true(status == ALLM_E_FORMAT && strstr(err.message, "outside of the folder"));
        unlink(link);
    }
    free(link), link = test_path(blob, "0123abc"), unlink(link), free(link), rmdir(blob);
    st_folder_remove(folder), st_folder_remove(path);
}

static allm_status st_folder_body(const allm__host *h, void *ctx) {
    allm__st    st;
    allm_error  err    = {0};
    allm__wsrc  w;
    allm_status status = allm__st_open(h, (const char *)ctx, &st, &err);
    if (!status) status = allm__st_weight(&st, ALLM__S("model.layers.0.self_attn.q_proj"), &w, &err);
    allm__st_close(&st);
    return status;
}

static void test_st_folder_no_memory(void **state) {
    static const char *const folders[] = {"mlx/llama_q4_odd_shards", "broken-safetensors/d_ok_shards",
                                          "hfquant/gptq_g32_sym"};
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(folders); i++) {
        char *path = test_golden_path(folders[i]);
        test_fail_each(st_folder_body, path);
        free(path);
    }
}

/* ---- a small model: llama, qwen2, qwen3 in double precision */

typedef struct st_net {
    allm__st st;
    int64_t  n_embd, n_ff, n_layer, n_head, n_kv, head, n_vocab;
    double   eps, theta;
    int      tied;
} st_net;

static int st_net_read(st_net *m, allm_error *err) {
    const allm__conf *c = &m->st.config;
    allm_str          type = {"", 0};
    int64_t           unused;
    (void)unused;
    if (allm__conf_get_str(c, "model_type", allm__str(NULL, 0), &type, err) ||
        allm__conf_get_int(c, "hidden_size", 1, 1 << 20, ALLM__REQUIRED, &m->n_embd, err) ||
        allm__conf_get_int(c, "intermediate_size", 1, 1 << 20, ALLM__REQUIRED, &m->n_ff, err) ||
        allm__conf_get_int(c, "num_hidden_layers", 1, 1000, ALLM__REQUIRED, &m->n_layer, err) ||
        allm__conf_get_int(c, "num_attention_heads", 1, 1000, ALLM__REQUIRED, &m->n_head, err) ||
        allm__conf_get_int(c, "num_key_value_heads", 1, m->n_head, m->n_head, &m->n_kv, err) ||
        allm__conf_get_int(c, "head_dim", 1, 1 << 20, m->n_embd / m->n_head, &m->head, err) ||
        allm__conf_get_int(c, "vocab_size", 1, 1 << 20, ALLM__REQUIRED, &m->n_vocab, err) ||
        allm__conf_get_f64(c, "rms_norm_eps", 0, 1, NAN, &m->eps, err) ||
        allm__conf_get_f64(c, allm__conf_find(c, "rope_theta") ? "rope_theta" : "rope_parameters.rope_theta", 1, 1e9,
                           10000, &m->theta, err) ||
        allm__conf_get_bool(c, "tie_word_embeddings", 0, &m->tied, err))
        return 0;
    if (m->n_head % m->n_kv) return allm__fail(err, ALLM_E_FORMAT, NULL, -1, "heads do not divide"), 0;
    if (!allm__str_eq(type, ALLM__S("llama")) && !allm__str_eq(type, ALLM__S("qwen2")) &&
        !allm__str_eq(type, ALLM__S("qwen3")))
        return allm__fail(err, ALLM_E_UNSUPPORTED, NULL, -1, "model_type \"%s\"", type.ptr), 0;
    return 1;
}

/* The weight [n_out, n_in] as floats, or NULL; free it. */
static float *st_net_weight(st_net *m, allm_error *err, int64_t n_out, int64_t n_in, const char *format, ...) {
    char       name[200];
    va_list    args;
    allm__wsrc w;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    if (allm__st_weight(&m->st, allm__str_of(name), &w, err)) return NULL;
    if (w.n_rows != n_out || w.n_cols != n_in || w.n_mats != 1)
        return allm__fail(err, ALLM_E_FORMAT, NULL, -1, "%s: %lld x %lld", name, (long long)w.n_rows,
                          (long long)w.n_cols),
               NULL;
    float *x = (float *)malloc((size_t)(n_out * n_in) * sizeof *x);
    for (int64_t r = 0; r < n_out; r++) allm__wsrc_row(&w, r, 0, n_in, x + r * n_in);
    return x;
}

/* y[n_tok, n_out] = x[n_tok, n_in] W^T + bias, if the bias is there. */
static int st_net_linear(st_net *m, allm_error *err, const double *x, double *y, int64_t n_tok, int64_t n_out,
                         int64_t n_in, int64_t layer, const char *name) {
    float *w = st_net_weight(m, err, n_out, n_in, "model.layers.%d.%s.weight", (int)layer, name), *b = NULL;
    char   bias[200];
    if (!w) return 0;
    snprintf(bias, sizeof bias, "model.layers.%d.%s.bias", (int)layer, name);
    if (allm__st_has(&m->st, allm__str_of(bias))) b = st_net_weight(m, err, 1, n_out, "%s", bias);
    for (int64_t t = 0; t < n_tok; t++)
        for (int64_t o = 0; o < n_out; o++) {
            double sum = b ? (double)b[o] : 0;
            for (int64_t i = 0; i < n_in; i++) sum += x[t * n_in + i] * (double)w[o * n_in + i];
            y[t * n_out + o] = sum;
        }
    free(w), free(b);
    return 1;
}

static void st_net_norm(const double *x, const float *w, double eps, double *y, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
    for (int64_t i = 0; i < n; i++) y[i] = x[i] / sqrt(sum / (double)n + eps) * (double)w[i];
}

static int st_net_norms(st_net *m, allm_error *err, const double *x, double *y, int64_t n_rows, int64_t n,
                        int64_t layer, const char *name) {
    float *w = layer < 0 ? st_net_weight(m, err, 1, n, "model.norm.weight")
                         : st_net_weight(m, err, 1, n, "model.layers.%d.%s.weight", (int)layer, name);
    for (int64_t r = 0; r < n_rows && w; r++) st_net_norm(x + r * n, w, m->eps, y + r * n, n);
    free(w);
    return w != NULL;
}

/* q or k [n_tok, n_heads, head]: the norm of qwen3, then the rotation of halves. */
static int st_net_rope(st_net *m, allm_error *err, double *x, int64_t n_tok, int64_t n_heads, int64_t layer,
                       const char *norm) {
    char name[200];
    snprintf(name, sizeof name, "model.layers.%d.%s.weight", (int)layer, norm);
    if (allm__st_has(&m->st, allm__str_of(name)) &&
        !st_net_norms(m, err, x, x, n_tok * n_heads, m->head, layer, norm))
        return 0;
    for (int64_t t = 0; t < n_tok; t++)
        for (int64_t h = 0; h < n_heads; h++)
            for (int64_t i = 0, half = m->head / 2; i < half; i++) {
                double *p = x + (t * n_heads + h) * m->head + i, a = p[0], b = p[half];
                double  angle = (double)t * pow(m->theta, -2.0 * (double)i / (double)m->head);
                p[0] = a * cos(angle) - b * sin(angle), p[half] = b * cos(angle) + a * sin(angle);
            }
    return 1;
}

static void st_net_attend(const st_net *m, const double *q, const double *k, const double *v, double *y,
                          int64_t n_tok) {
    int64_t nh = m->n_head, nk = m->n_kv, hd = m->head;
    for (int64_t t = 0; t < n_tok; t++)
        for (int64_t h = 0; h < nh; h++) {
            double  p[64], top = -1e300, sum = 0;
            int64_t g = h / (nh / nk);
            for (int64_t j = 0; j <= t; j++) {
                p[j] = 0;
                for (int64_t i = 0; i < hd; i++) p[j] += q[(t * nh + h) * hd + i] * k[(j * nk + g) * hd + i];
                p[j] /= sqrt((double)hd), top = fmax(top, p[j]);
            }
            for (int64_t j = 0; j <= t; j++) sum += p[j] = exp(p[j] - top);
            for (int64_t i = 0; i < hd; i++) {
                double s = 0;
                for (int64_t j = 0; j <= t; j++) s += p[j] / sum * v[(j * nk + g) * hd + i];
                y[(t * nh + h) * hd + i] = s;
            }
        }
}

/* One layer on x [n_tok, n_embd]; scratch of 8 parts of `part` doubles. */
static int st_net_layer(st_net *m, allm_error *err, double *x, int64_t n_tok, int64_t l, double *scratch, size_t part) {
    double *n = scratch, *q = n + part, *k = q + part, *v = k + part, *a = v + part, *up = a + part, *o = up + part;
    int64_t e = m->n_embd, nq = m->n_head * m->head, nk = m->n_kv * m->head;
    if (!st_net_norms(m, err, x, n, n_tok, e, l, "input_layernorm") ||
        !st_net_linear(m, err, n, q, n_tok, nq, e, l, "self_attn.q_proj") ||
        !st_net_linear(m, err, n, k, n_tok, nk, e, l, "self_attn.k_proj") ||
        !st_net_linear(m, err, n, v, n_tok, nk, e, l, "self_attn.v_proj") ||
        !st_net_rope(m, err, q, n_tok, m->n_head, l, "self_attn.q_norm") ||
        !st_net_rope(m, err, k, n_tok, m->n_kv, l, "self_attn.k_norm"))
        return 0;
    st_net_attend(m, q, k, v, a, n_tok);
    if (!st_net_linear(m, err, a, o, n_tok, e, nq, l, "self_attn.o_proj")) return 0;
    for (int64_t i = 0; i < n_tok * e; i++) x[i] += o[i];
    if (!st_net_norms(m, err, x, n, n_tok, e, l, "post_attention_layernorm") ||
        !st_net_linear(m, err, n, a, n_tok, m->n_ff, e, l, "mlp.gate_proj") ||
        !st_net_linear(m, err, n, up, n_tok, m->n_ff, e, l, "mlp.up_proj"))
        return 0;
    for (int64_t i = 0; i < n_tok * m->n_ff; i++) a[i] = a[i] / (1 + exp(-a[i])) * up[i];
    if (!st_net_linear(m, err, a, o, n_tok, e, m->n_ff, l, "mlp.down_proj")) return 0;
    for (int64_t i = 0; i < n_tok * e; i++) x[i] += o[i];
    return 1;
}

/* Logits [n_tok, n_vocab], or NULL with an error. */
static double *st_net_run(st_net *m, const int64_t *ids, int64_t n_tok, allm_error *err) {
    int64_t e = m->n_embd;
    size_t  part = (size_t)(n_tok * (e + m->n_ff + m->n_head * m->head));
    double *x = (double *)calloc(part, sizeof *x), *scratch = (double *)calloc(8 * part, sizeof *x);
    double *y = (double *)calloc((size_t)(n_tok * m->n_vocab), sizeof *y);
    float  *embd = st_net_weight(m, err, m->n_vocab, e, "model.embed_tokens.weight"), *head = embd;
    int     ok   = embd != NULL;
    for (int64_t t = 0; ok && t < n_tok; t++)
        for (int64_t i = 0; i < e; i++) x[t * e + i] = (double)embd[ids[t] * e + i];
    for (int64_t l = 0; ok && l < m->n_layer; l++) ok = st_net_layer(m, err, x, n_tok, l, scratch, part);
    ok = ok && st_net_norms(m, err, x, x, n_tok, e, -1, "");
    if (ok && !m->tied) ok = (head = st_net_weight(m, err, m->n_vocab, e, "lm_head.weight")) != NULL;
    for (int64_t t = 0; ok && t < n_tok; t++)
        for (int64_t o = 0; o < m->n_vocab; o++)
            for (int64_t i = 0; i < e; i++) y[t * m->n_vocab + o] += x[t * e + i] * (double)head[o * e + i];
    if (head != embd) free(head);
    free(embd), free(x), free(scratch);
    if (!ok) free(y), y = NULL;
    return y;
}

/* All weights of a folder can be read. */
static void st_read_all(const allm__st *st, const char *name) {
    float row[4096];
    for (size_t i = 0; i < st->n_tensors; i++) {
        allm__st_bind b;
        allm_str      s = st->tensors[i].name;
        allm__wsrc    w;
        allm_error    err = {0};
        if (allm__st_is_part(st, s) || !allm__st_find_way(st, s, &b)) continue;
        if (allm__st_weight(st, s, &w, &err)) fail_msg("%s: %s", name, err.message);
        for (int64_t m = 0; m < w.n_mats; m++) {
            allm__wsrc one = allm__wsrc_mat(&w, m);
            for (int64_t r = 0; r < one.n_rows; r++) {
                allm__wsrc_row(&one, r, 0, one.n_cols, row);
                for (int64_t c = 0; c < one.n_cols; c++) assert_true(isfinite(row[c]));
            }
        }
    }
}

static void st_check_case(const allm__conf *c, const char *folder, int i, int *n_run) {
    const char *name  = st_conf(c, "all.%d.dir", i)->text.ptr;
    char       *path  = test_path(folder, name);
    int64_t     ids[64], n_tok = (int64_t)st_conf(c, "all.%d.ids", i)->n;
    st_net      m;
    allm_error  err = {0};
    size_t      n;
    if (allm__st_open(&st_host, path, &m.st, &err)) fail_msg("%s: %s", name, err.message);
    st_read_all(&m.st, name);
    for (int64_t t = 0; t < n_tok; t++) ids[t] = st_conf(c, "all.%d.ids.%d", i, (int)t)->i;
    if (st_net_read(&m, &err)) {
        double *y = st_net_run(&m, ids, n_tok, &err), diff = 0, sum = 0;
        if (!y) fail_msg("%s: %s", name, err.message);
        char *file = test_path(folder, st_conf(c, "all.%d.logits", i)->text.ptr), *want = test_read(file, &n);
        assert_int_equal(n, n_tok * m.n_vocab * 4);
        for (int64_t k = 0; k < n_tok * m.n_vocab; k++) {
            double w = (double)allm__load_f32(want + 4 * k);
            diff += (y[k] - w) * (y[k] - w), sum += w * w;
        }
        if (!(diff / sum < 1e-11)) fail_msg("%s: NMSE %g", name, diff / sum);
        free(y), free(file), free(want);
        ++*n_run;
    } else if (err.status != ALLM_E_UNSUPPORTED) fail_msg("%s: %s", name, err.message);
    allm__st_close(&m.st);
    free(path);
}

static void test_st_logits(void **state) {
    static const char *const sets[] = {"mlx/manifest.json", "hfquant/manifest.json"};
    (void)state;
    for (size_t s = 0; s < ALLM__COUNT(sets); s++) {
        allm__conf c;
        char      *folder;
        int        n = 0, n_run = 0;
        st_open_conf(sets[s], &c, &folder);
        for (; st_conf(&c, "all.%d.dir", n); n++) st_check_case(&c, folder, n, &n_run);
        printf("             %s: %d folders, logits of %d\n", sets[s], n, n_run);
        assert_true(n > 10 && n_run > 8);
        allm__conf_close(&c), free(folder);
    }
}

/* Verdicts on folders: what this room lets pass, the small model refuses. */
static void test_st_folders(void **state) {
    allm__conf c;
    char      *folder;
    int        n = 0;
    (void)state;
    st_open_conf("broken-safetensors/folders.json", &c, &folder);
    for (; st_conf(&c, "all.%d.dir", n); n++) {
        const char   *name = st_conf(&c, "all.%d.dir", n)->text.ptr, *want = st_conf(&c, "all.%d.expect", n)->text.ptr;
        char         *path = test_path(folder, name);
        st_net        m;
        allm_error    err = {0};
        const int64_t ids[2] = {1, 2};
        double       *y = NULL, from = test_seconds();
        if (!allm__st_open(&st_host, path, &m.st, &err) && st_net_read(&m, &err)) y = st_net_run(&m, ids, 2, &err);
        if (strcmp(want, "either") && (y != NULL) != !strcmp(want, "accept"))
            fail_msg("%s: %s expected, but %s", name, want, y ? "it runs" : err.message);
        if (!y && !err.message[0]) fail_msg("%s: no message", name);
        allm__st_close(&m.st);
        test_time(name, test_seconds() - from, 0.1);
        free(y), free(path);
    }
    printf("             %d folders\n", n);
    assert_true(n > 30);
    allm__conf_close(&c), free(folder);
}

/* ---- formats and settings without golden data */

/* Opens a folder of one file with this header, these data and this config. */
static allm_status st_open_made(char path[300], const char *config, const char *header, const void *data, size_t n_data,
                                allm__st *st, allm_error *err) {
    size_t n;
    char  *bytes = st_make(header, n_data, &n);
    memcpy(bytes + n - n_data, data, n_data);
    memset(err, 0, sizeof *err);
    st_folder_new(path);
    st_write(path, "config.json", config, strlen(config));
    st_write(path, "model.safetensors", bytes, n);
    free(bytes);
    return allm__st_open(&st_host, path, st, err);
}

/* Weight "w" of two rows of eight, as every row here has it. */
static void test_st_made(void **state) {
    static const struct { const char *name, *config, *header; uint8_t data[64]; size_t n; float want[2][8];
    } rows[] = {
        {"fp8, one scale",
         "{}",
         "{\"w.weight\":{\"dtype\":\"F8_E4M3\",\"shape\":[2,8],\"data_offsets\":[0,16]},"
         "\"w.weight_scale\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[16,20]}}",
         {0x38, 0xb8, 0x40, 0, 1, 0x7e, 0xfe, 0x80, 0x30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40},
         20,
         {{2, -2, 4, 0, 0.00390625f, 896, -896, -0.0f}, {1, 0, 0, 0, 0, 0, 0, 0}}},
        {"int8, a scale and a zero a row",
         "{\"quantization_config\":{\"quant_method\":\"compressed-tensors\"}}",
         "{\"w.weight\":{\"dtype\":\"I8\",\"shape\":[2,8],\"data_offsets\":[0,16]},"
         "\"w.weight_scale\":{\"dtype\":\"BF16\",\"shape\":[2,1],\"data_offsets\":[16,20]},"
         "\"w.weight_zero_point\":{\"dtype\":\"I8\",\"shape\":[2,1],\"data_offsets\":[20,22]}}",
         {1, 2, 3, 4, 0xff, 0x80, 0x7f, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x80, 0x3f, 0, 0x40, 1, 0xff},
         22,
         {{0, 1, 2, 3, -2, -129, 126, -1}, {4, 6, 8, 10, 12, 14, 16, 18}}},
        {"bitsandbytes, 8 bits",
         "{\"quantization_config\":{\"quant_method\":\"bitsandbytes\"}}",
         "{\"w.weight\":{\"dtype\":\"I8\",\"shape\":[2,8],\"data_offsets\":[0,16]},"
         "\"w.SCB\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[16,24]}}",
         {1, 2, 3, 4, 0xff, 0x81, 0x7f, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0xfe, 0x42, 0, 0, 0xfe, 0x41},
         24,
         {{1, 2, 3, 4, -1, -127, 127, 0}, {.25f, .5f, .75f, 1, 1.25f, 1.5f, 1.75f, 2}}},
        {"ModelOpt NVFP4",
         "{\"quantization_config\":{\"quant_method\":\"modelopt\"}}",
         "{\"w.weight\":{\"dtype\":\"U8\",\"shape\":[2,4],\"data_offsets\":[0,8]},"
         "\"w.weight_scale\":{\"dtype\":\"F8_E4M3\",\"shape\":[2,1],\"data_offsets\":[8,10]},"
         "\"w.weight_scale_2\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[10,14]}}",
         {0x21, 0xf8, 0x43, 0x65, 0x21, 0xf8, 0x43, 0x65, 0x38, 0x40, 0, 0, 0, 0x40},
         14,
         {{1, 2, -0.0f, -12, 3, 4, 6, 8}, {2, 4, -0.0f, -24, 6, 8, 12, 16}}},
        {"mxfp4 of compressed-tensors",
         "{\"quantization_config\":{\"quant_method\":\"compressed-tensors\"}}",
         "{\"w.weight_packed\":{\"dtype\":\"U8\",\"shape\":[2,4],\"data_offsets\":[0,8]},"
         "\"w.weight_scale\":{\"dtype\":\"U8\",\"shape\":[2,1],\"data_offsets\":[8,10]}}",
         {0x21, 0xf8, 0x43, 0x65, 0x21, 0xf8, 0x43, 0x65, 128, 126},
         10,
         {{1, 2, -0.0f, -12, 3, 4, 6, 8}, {.25f, .5f, -0.0f, -3, .75f, 1, 1.5f, 2}}},
        {"fp8 in blocks that do not divide",
         "{\"quantization_config\":{\"quant_method\":\"fp8\",\"weight_block_size\":[1,5]}}",
         "{\"w.weight\":{\"dtype\":\"F8_E4M3\",\"shape\":[2,8],\"data_offsets\":[0,16]},"
         "\"w.weight_scale_inv\":{\"dtype\":\"BF16\",\"shape\":[2,2],\"data_offsets\":[16,24]}}",
         {56, 56, 56, 56, 56, 56, 56, 56, 56, 56, 56, 56, 56, 56, 56, 56, 0, 0x40, 0x80, 0x3f, 0, 0x41, 0x80, 0x40},
         24,
         {{2, 2, 2, 2, 2, 1, 1, 1}, {8, 8, 8, 8, 8, 4, 4, 4}}},
        {"plain, with a name of its own",
         "{}",
         "{\"w\":{\"dtype\":\"F8_E5M2\",\"shape\":[2,8],\"data_offsets\":[0,16]}}",
         {0x3c, 0x40, 0, 0, 0, 0, 0, 0, 0xbc},
         16,
         {{1, 2, 0, 0, 0, 0, 0, 0}, {-1, 0, 0, 0, 0, 0, 0, 0}}},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        char       path[300];
        allm__st   st;
        allm_error err;
        allm__wsrc w;
        float      got[8];
        if (st_open_made(path, rows[i].config, rows[i].header, rows[i].data, rows[i].n, &st, &err) ||
            allm__st_weight(&st, ALLM__S("w.weight"), &w, &err))
            if (strcmp(rows[i].name, "plain, with a name of its own")) fail_msg("%s: %s", rows[i].name, err.message);
        if (err.status) {
            memset(&err, 0, sizeof err);
            if (allm__st_weight(&st, ALLM__S("w"), &w, &err)) fail_msg("%s: %s", rows[i].name, err.message);
        }
        assert_true(w.n_rows == 2 && w.n_cols == 8 && w.n_mats == 1);
        for (int64_t r = 0; r < 2; r++) {
            allm__wsrc_row(&w, r, 0, 8, got);
            for (int c = 0; c < 8; c++)
                if (allm__bits(got[c]) != allm__bits(rows[i].want[r][c]))
                    fail_msg("%s [%d][%d]: %g, not %g", rows[i].name, (int)r, c, (double)got[c],
                             (double)rows[i].want[r][c]);
        }
        allm__st_close(&st);
        st_folder_remove(path);
    }
}

/* GPTQ of all widths: codes along the inputs in one string of bits, zeros along the outputs, groups by g_idx. */
static void test_st_gptq_bits(void **state) {
    enum { OUT = 32, IN = 64, GROUP = 16 };
    static const int widths[] = {2, 3, 4, 8};
    (void)state;
    for (size_t k = 0; k < ALLM__COUNT(widths); k++) {
        int      bits = widths[k], n_words = IN * bits / 32, n_zeros = OUT * bits / 32, n_groups = IN / GROUP;
        size_t   n_q = (size_t)(n_words * OUT * 4), n_z = (size_t)(n_groups * n_zeros * 4),
               n_s    = (size_t)(n_groups * OUT * 2);
        uint8_t *data = (uint8_t *)calloc(1, n_q + n_z + n_s + IN * 4);
        int      code[OUT][IN], zero[4][OUT], g_idx[IN];
        for (int i = 0; i < IN; i++) {
            g_idx[i] = (i * 7 + 3) % n_groups;
            data[n_q + n_z + n_s + (size_t)i * 4] = (uint8_t)g_idx[i];
            for (int o = 0; o < OUT; o++) {
                code[o][i] = (int)test_random_below(1u << bits);
                for (int b = 0; b < bits; b++)
                    if (code[o][i] >> b & 1) {
                        int at = i * bits + b;
                        data[(at / 32 * OUT + o) * 4 + at % 32 / 8] |= (uint8_t)(1 << at % 8);
                    }
            }
        }
        for (int g = 0; g < n_groups; g++)
            for (int o = 0; o < OUT; o++) {
                zero[g][o] = (int)test_random_below(1u << bits);
                for (int b = 0; b < bits; b++)
                    if (zero[g][o] >> b & 1) {
                        int at = o * bits + b;
                        data[n_q + (size_t)((g * n_zeros + at / 32) * 4 + at % 32 / 8)] |= (uint8_t)(1 << at % 8);
                    }
                data[n_q + n_z + (size_t)(g * OUT + o) * 2 + 1] = 0x3c; /* 1 */
            }
        char header[600], config[200], path[300];
        snprintf(header, sizeof header,
                 "{\"w.qweight\":{\"dtype\":\"I32\",\"shape\":[%d,%d],\"data_offsets\":[0,%d]},"
                 "\"w.qzeros\":{\"dtype\":\"I32\",\"shape\":[%d,%d],\"data_offsets\":[%d,%d]},"
                 "\"w.scales\":{\"dtype\":\"F16\",\"shape\":[%d,%d],\"data_offsets\":[%d,%d]},"
                 "\"w.g_idx\":{\"dtype\":\"I32\",\"shape\":[%d],\"data_offsets\":[%d,%d]}}",
                 n_words, OUT, (int)n_q, n_groups, n_zeros, (int)n_q, (int)(n_q + n_z), n_groups, OUT, (int)(n_q + n_z),
                 (int)(n_q + n_z + n_s), IN, (int)(n_q + n_z + n_s), (int)(n_q + n_z + n_s) + IN * 4);
        snprintf(config, sizeof config,
                 "{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":%d,\"group_size\":16}}", bits);
        allm__st   st;
        allm_error err;
        allm__wsrc w;
        if (st_open_made(path, config, header, data, n_q + n_z + n_s + IN * 4, &st, &err) ||
            allm__st_weight(&st, ALLM__S("w.weight"), &w, &err))
            fail_msg("%d bits: %s", bits, err.message);
        assert_non_null(w.g_idx);
        for (int o = 0; o < OUT; o++) {
            float row[IN];
            allm__wsrc_row(&w, o, 0, IN, row);
            for (int i = 0; i < IN; i++) {
                int z = (zero[g_idx[i]][o] + 1) & ((1 << bits) - 1);
                if (row[i] != (float)(code[o][i] - z)) fail_msg("%d bits [%d][%d]: %g", bits, o, i, (double)row[i]);
            }
        }
        allm__st_close(&st);
        st_folder_remove(path);
        free(data);
    }
}

/* Settings and shapes that do not fit are refused by name. */
static void test_fault_20_quantization(void **state) {
#define ST_MLX(w, s) "{\"w.weight\":{\"dtype\":\"U32\",\"shape\":[1," w "],\"data_offsets\":[0,32]},"      \
                     "\"w.scales\":{\"dtype\":\"F16\",\"shape\":[1," s "],\"data_offsets\":[32,34]},"     \
                     "\"w.biases\":{\"dtype\":\"F16\",\"shape\":[1," s "],\"data_offsets\":[34,36]}}"
#define ST_QUANT(text) "{\"quantization\":" text "}"
    static const char good[] = ST_MLX("8", "1");
    static const struct { const char *config, *header, *message;
    } rows[] = {
        {ST_QUANT("{\"group_size\":64,\"bits\":4}"), good, NULL},
        {ST_QUANT("{\"group_size\":32,\"bits\":2,\"w\":{\"group_size\":64,\"bits\":4}}"), good, NULL},
        {ST_QUANT("{\"group_size\":32,\"bits\":4,\"mode\":\"mxfp4\",\"w\":{}}"), good, NULL},
        {ST_QUANT("{\"group_size\":64,\"bits\":4,\"w\":false}"), good, NULL},
        {ST_QUANT("{\"group_size\":64,\"bits\":8}"), good, "are no groups of 64 weights of 8 bits"},
        {ST_QUANT("{\"group_size\":32,\"bits\":4}"), good, "\"w.scales\": dimension 1 from the last is 1, 2 expected"},
        {ST_QUANT("{\"group_size\":0,\"bits\":4}"), good, "key \"quantization.group_size\" is 0, expected"},
        {ST_QUANT("{\"group_size\":48,\"bits\":4}"), good, "in groups of 48"},
        {ST_QUANT("{\"group_size\":64,\"bits\":0}"), good, "key \"quantization.bits\" is 0, expected"},
        {ST_QUANT("{\"group_size\":64,\"bits\":7}"), good, "7 bits in groups of 64"},
        {ST_QUANT("{\"group_size\":64,\"bits\":64}"), good, "key \"quantization.bits\" is 64, expected"},
        {ST_QUANT("{\"group_size\":64,\"bits\":\"4\"}"), good,
         "key \"quantization.bits\" is a string, an integer expected"},
        {ST_QUANT("{\"group_size\":64,\"bits\":4,\"mode\":\"q4\"}"), good, "key \"quantization.mode\" is \"q4\""},
        {ST_QUANT("{\"group_size\":64,\"bits\":4,\"w\":{\"bits\":9}}"), good, "key \"quantization.w.bits\" is 9"},
        {ST_QUANT("7"), good, "key \"quantization\" is an integer, an object expected"},
        {"{\"quantization_config\":{\"quant_method\":3}}", good, "quant_method\" is an integer, a string expected"},
        {"{}", good, "no \"quantization\" in config.json"},
        {"{\"quantization_config\":{\"quant_method\":\"hqq\"}}",
         "{\"w.W_q\":{\"dtype\":\"U8\",\"shape\":[36],\"data_offsets\":[0,36]}}", "is missing; quantisation: hqq"},
        {"{\"quantization_config\":{\"quant_method\":\"bitnet\"}}",
         "{\"w.weight\":{\"dtype\":\"U8\",\"shape\":[4,8],\"data_offsets\":[0,32]},"
         "\"w.weight_scale\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[32,36]}}",
         "\"bitnet\" is not supported"},
        {"{}", "{\"w.weight\":{\"dtype\":\"I32\",\"shape\":[9],\"data_offsets\":[0,36]}}", "has dtype I32"},
        {"{}",
         "{\"w.weight\":{\"dtype\":\"F32\",\"shape\":[9,0],\"data_offsets\":[0,0]},"
         "\"x\":{\"dtype\":\"F32\",\"shape\":[9],\"data_offsets\":[0,36]}}",
         "is empty"},
        {ST_QUANT("{\"group_size\":64,\"bits\":4}"),
         "{\"w.weight\":{\"dtype\":\"U32\",\"shape\":[1,8],\"data_offsets\":[0,32]},"
         "\"w.scales\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[32,36]}}",
         "needs \"w.biases\", which is missing"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        static const uint8_t data[36] = {0};
        char                 path[300];
        allm__st             st;
        allm_error           err;
        allm__wsrc           w;
        if (!st_open_made(path, rows[i].config, rows[i].header, data, sizeof data, &st, &err))
            allm__st_weight(&st, ALLM__S("w.weight"), &w, &err);
        if (!rows[i].message && err.status) fail_msg("%s: %s", rows[i].config, err.message);
        if (rows[i].message && !(err.status && strstr(err.message, rows[i].message)))
            fail_msg("%s: \"%s\", expected \"%s\"", rows[i].config, err.message, rows[i].message);
        allm__st_close(&st);
        st_folder_remove(path);
    }
}

/* Tensors of golden folders whose shapes, types and names were exchanged: whatever is then read lies inside the parts,
 * each of which ends at a page that nobody may touch. */
static void st_shake(const char *name) {
    char       *path = test_golden_path(name);
    allm__st    st;
    allm_error  err = {0};
    float       row[1024];
    int         n_read = 0;
    if (allm__st_open(&st_host, path, &st, &err)) fail_msg("%s", err.message);
    size_t        n     = st.n_tensors;
    test_guard   *guard = (test_guard *)malloc(n * sizeof *guard);
    allm__tensor *good  = (allm__tensor *)malloc(n * sizeof *good);
    for (size_t i = 0; i < n; i++) {
        guard[i] = test_guard_new(st.tensors[i].n_bytes);
        memcpy(guard[i].ptr, st.tensors[i].data, st.tensors[i].n_bytes);
        st.tensors[i].data = (const uint8_t *)guard[i].ptr;
        good[i]            = st.tensors[i];
    }
    for (int round = 0; round < 3000; round++) {
        memcpy(st.tensors, good, n * sizeof *good);
        for (uint64_t k = test_random_below(3); k < 3; k++) {
            allm__tensor *t = &st.tensors[test_random_below(n)], *u = &st.tensors[test_random_below(n)];
            uint64_t      a = test_random_below(4), b = test_random_below(4);
            int64_t       d = t->dims[a];
            if (test_random_below(2)) t->dims[a] = t->dims[b], t->dims[b] = d; /* as many bytes, another shape */
            const allm__fmt *f = allm__fmt_of((int32_t)test_random_below(56) - 14);
            if (test_random_below(3) == 0 && f && f->n_bytes == t->fmt->n_bytes && f->n_weights == t->fmt->n_weights)
                t->fmt = f, t->type = f->id;
            if (test_random_below(3) == 0) {
                allm__tensor v = *t;
                *t = *u, t->name = v.name, v.name = u->name, *u = v;
            }
        }
        for (size_t i = 0; i < n; i++) {
            allm__wsrc w;
            memset(&err, 0, sizeof err);
            if (allm__st_is_part(&st, st.tensors[i].name) ||
                allm__st_weight(&st, st.tensors[i].name, &w, &err))
                continue;
            for (int64_t m = 0; m < w.n_mats; m += ALLM__MAX(1, w.n_mats - 1)) {
                allm__wsrc one = allm__wsrc_mat(&w, m);
                for (int64_t r = 0; r < one.n_rows; r += ALLM__MAX(1, one.n_rows - 1))
                    for (int64_t c = 0; c < one.n_cols; c += 1024)
                        allm__wsrc_row(&one, r, c, ALLM__MIN(1024, one.n_cols - c), row), n_read++;
            }
            if (round % 8) i += test_random_below(n / 2);
        }
    }
    assert_true(n_read > 1000);
    memcpy(st.tensors, good, n * sizeof *good);
    for (size_t i = 0; i < n; i++) test_guard_free(&guard[i]);
    allm__st_close(&st);
    free(guard), free(good), free(path);
}

static void test_fault_18_parts(void **state) {
    static const char *const folders[] = {"mlx/llama_custom", "mlx/mixtral_nvfp4_gs", "hfquant/gptq_g64_act",
                                          "hfquant/awq_g64", "hfquant/ct_int4_asym", "hfquant/ct_nvfp4",
                                          "hfquant/ct_fp8_channel", "hfquant/fp8_block32_e8m0", "hfquant/gptoss_mxfp4"};
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(folders); i++) st_shake(folders[i]);
}

static void test_st_multimodal(void **state) { /* text_config holds the language model, some keys stay outside */
    static const char config[] = "{\"model_type\": \"gemma3\", \"hidden_size\": 1, \"tie_word_embeddings\": true,"
                                 "\"text_config\": {\"model_type\": \"gemma3_text\", \"hidden_size\": 64}}";
    static const char header[] = "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    char              path[300];
    allm__st          st;
    allm_error        err;
    allm_str          type = {"", 0};
    int64_t           n;
    int               tied;
    (void)state;
    if (st_open_made(path, config, header, "abcd", 4, &st, &err)) fail_msg("%s", err.message);
    assert_int_equal(allm__conf_get_str(&st.config, "model_type", allm__str(NULL, 0), &type, &err), ALLM_OK);
    assert_true(allm__str_eq(type, ALLM__S("gemma3_text")));
    assert_int_equal(allm__conf_get_int(&st.config, "hidden_size", 1, 100, ALLM__REQUIRED, &n, &err), ALLM_OK);
    assert_int_equal(n, 64);
    assert_int_equal(allm__conf_get_bool(&st.config, "tie_word_embeddings", -1, &tied, &err), ALLM_OK);
    assert_int_equal(tied, 1);
    assert_int_equal(allm__conf_get_int(&st.config, "vocab_size", 1, 100, ALLM__REQUIRED, &n, &err), ALLM_E_FORMAT);
    assert_non_null(strstr(err.message, "config.json: key \"text_config.vocab_size\" is missing, an integer expected"));
    allm__st_close(&st);
    st_folder_remove(path);
}

static const struct CMUnitTest test_st[] = {
    cmocka_unit_test(test_st_small),
    cmocka_unit_test(test_st_files),
    cmocka_unit_test(test_fault_16_truncated),
    cmocka_unit_test(test_fault_17_bytes),
    cmocka_unit_test(test_fault_17_deep),
    cmocka_unit_test(test_st_no_memory),
    cmocka_unit_test(test_fault_19_index),
    cmocka_unit_test(test_fault_19_links),
    cmocka_unit_test(test_st_folder_no_memory),
    cmocka_unit_test(test_fault_18_parts),
    cmocka_unit_test(test_st_folders),
    cmocka_unit_test(test_st_logits),
    cmocka_unit_test(test_st_made),
    cmocka_unit_test(test_st_gptq_bits),
    cmocka_unit_test(test_fault_20_quantization),
    cmocka_unit_test(test_st_multimodal),
};
