/* Room wsrc: weights that lie in several tensors, against golden vectors of MLX, FP8 and bitsandbytes. Formats that are
 * only met in folders are tested with room st. */

typedef struct wsrc_set { /* a .json that describes a .bin */
    allm__conf conf;
    char      *bin;
    size_t     n;
} wsrc_set;

static wsrc_set wsrc_open(const char *json, const char *bin) {
    static const allm__host h = {{allm__mem_default_alloc, allm__mem_default_free, NULL}, NULL, NULL};
    wsrc_set   s;
    allm_error err = {0};
    char      *path = test_golden_path(json);
    if (allm__conf_open_file(&h, path, &s.conf, &err)) fail_msg("%s", err.message);
    s.bin = test_golden(bin, &s.n);
    free(path);
    return s;
}

static void wsrc_close(wsrc_set *s) { allm__conf_close(&s->conf), free(s->bin); }

static const allm__conf_value *wsrc_value(const wsrc_set *s, int i, const char *name) {
    char key[128];
    snprintf(key, sizeof key, "cases.%d.%s", i, name);
    return allm__conf_find(&s->conf, key);
}

static int64_t wsrc_int(const wsrc_set *s, int i, const char *name) {
    const allm__conf_value *v = wsrc_value(s, i, name);
    return v ? v->i : -1;
}

static const uint8_t *wsrc_part(const wsrc_set *s, int i, const char *name) { /* NULL: there is none */
    char key[64];
    snprintf(key, sizeof key, "%s.off", name);
    int64_t off = wsrc_int(s, i, key);
    return off < 0 ? NULL : (const uint8_t *)s->bin + off;
}

static const allm__fmt *wsrc_fmt(const wsrc_set *s, int i, const char *name) {
    char key[64];
    snprintf(key, sizeof key, "%s.dtype", name);
    const allm__conf_value *v = wsrc_value(s, i, key);
    for (int32_t id = -20; id < ALLM__FMT_COUNT && v; id++) {
        const allm__fmt *f = allm__fmt_of(id);
        if (f && strlen(f->name) == v->text.len && !strncasecmp(f->name, v->text.ptr, v->text.len)) return f;
    }
    return NULL;
}

/* Every row whole, and cut at odd places. */
static void wsrc_check(const allm__wsrc *w, const void *want, const char *name) {
    float *got = (float *)malloc((size_t)w->n_cols * sizeof *got);
    for (int64_t m = 0; m < w->n_mats; m++) {
        allm__wsrc one = allm__wsrc_mat(w, m);
        for (int64_t r = 0; r < one.n_rows; r++)
            for (int64_t cut = 0; cut < one.n_cols; cut += cut < 3 ? 1 : 37) {
                allm__wsrc_row(&one, r, 0, cut, got);
                allm__wsrc_row(&one, r, cut, one.n_cols - cut, got + cut);
                for (int64_t c = 0; c < one.n_cols; c++) {
                    float x = allm__load_f32((const uint8_t *)want + 4 * ((m * one.n_rows + r) * one.n_cols + c));
                    if (allm__bits(got[c]) != allm__bits(x))
                        fail_msg("%s [%d][%d]: %a, not %a", name, (int)r, (int)c, (double)got[c], (double)x);
                }
            }
    }
    free(got);
}

/* The codes with scale and minimum are the same weights. */
static void wsrc_check_codes(const allm__wsrc *w, const char *name) {
    uint8_t q[64];
    float   d[2], m[2], want[64];
    for (int64_t r = 0; r < w->n_rows; r++)
        for (int64_t c = 0; c < w->n_cols; c += 64) {
            assert_true(allm__wsrc_codes(w, NULL, r, c, 64, 32, q, d, m));
            allm__wsrc_row(w, r, c, 64, want);
            for (int i = 0; i < 64; i++) {
                double got = (double)d[i / 32] * q[i] + (double)m[i / 32];
                if (fabs(got - (double)want[i]) > 1e-6 * (fabs((double)m[i / 32]) + fabs(got)) + 1e-30)
                    fail_msg("%s [%d][%d]: %g, not %g", name, (int)r, (int)(c + i), got, (double)want[i]);
            }
        }
}

static allm__wgrid wsrc_grid(const wsrc_set *s, int i, const char *name, int64_t n_groups) {
    allm__wgrid g = {wsrc_part(s, i, name), wsrc_fmt(s, i, name), 1, n_groups, 1};
    return g;
}

static void test_wsrc_mlx(void **state) {
    (void)state;
    wsrc_set s = wsrc_open("mlx/dequant.json", "mlx/dequant.bin");
    int      n = 0;
    for (; wsrc_value(&s, n, "name"); n++) {
        const char *name = wsrc_value(&s, n, "name")->text.ptr, *mode = wsrc_value(&s, n, "mode")->text.ptr;
        allm__wsrc  w    = {0};
        w.n_mats = w.row_step = 1, w.n_rows = wsrc_int(&s, n, "rows"), w.n_cols = wsrc_int(&s, n, "cols");
        w.group      = wsrc_int(&s, n, "group_size");
        w.codes.bits = (int32_t)wsrc_int(&s, n, "bits"), w.codes.word_bytes = 4;
        w.codes.data = w.data = wsrc_part(&s, n, "w");
        w.codes.line_bytes = w.n_cols * w.codes.bits / 8, w.row_bytes = (size_t)w.codes.line_bytes;
        w.scales = wsrc_grid(&s, n, "scales", w.n_cols / w.group);
        w.biases = wsrc_grid(&s, n, "biases", w.n_cols / w.group);
        float factor = wsrc_value(&s, n, "global_scale") ? (float)wsrc_value(&s, n, "global_scale")->d : 0;
        if (factor != 0) w.factor = (const uint8_t *)&factor, w.factor_kind = ALLM__W_MLX; /* little-endian here */
        if (!strcmp(mode, "affine")) w.kind = ALLM__W_INT;
        else if (!strcmp(mode, "mxfp8")) w.kind = ALLM__W_FMT, w.fmt = allm__fmt_of(ALLM__F8_E4M3);
        else w.kind = ALLM__W_FP4;
        if (w.kind != ALLM__W_INT)
            w.scales.fmt = allm__fmt_of(!strcmp(mode, "nvfp4") ? ALLM__F8_E4M3 : ALLM__F8_E8M0);
        wsrc_check(&w, wsrc_part(&s, n, "out"), name);
        if (w.kind == ALLM__W_INT) wsrc_check_codes(&w, name);
    }
    assert_true(n > 60);
    wsrc_close(&s);
}

static void test_wsrc_fp8_blocks(void **state) {
    (void)state;
    wsrc_set s = wsrc_open("hfquant/fp8_ragged.json", "hfquant/fp8_ragged.bin");
    int      n = 0;
    for (; wsrc_value(&s, n, "name"); n++) {
        allm__wsrc w = {0};
        w.n_mats = w.row_step = 1, w.n_rows = wsrc_int(&s, n, "w.shape.0"), w.n_cols = wsrc_int(&s, n, "w.shape.1");
        w.kind = ALLM__W_FMT, w.fmt = wsrc_fmt(&s, n, "w"), w.data = wsrc_part(&s, n, "w");
        w.row_bytes = (size_t)w.n_cols, w.group = wsrc_int(&s, n, "block.1");
        w.scales      = wsrc_grid(&s, n, "scale_inv", wsrc_int(&s, n, "scale_inv.shape.1"));
        w.scales.rows = wsrc_int(&s, n, "block.0");
        wsrc_check(&w, wsrc_part(&s, n, "out"), wsrc_value(&s, n, "name")->text.ptr);
    }
    assert_true(n > 1);
    wsrc_close(&s);
}

static void test_wsrc_bitsandbytes(void **state) {
    (void)state;
    wsrc_set s = wsrc_open("hfquant/nf4.json", "hfquant/nf4.bin");
    int      n = 0;
    for (; wsrc_value(&s, n, "name"); n++) {
        allm__wsrc w = {0};
        w.kind = ALLM__W_FLAT, w.n_mats = w.row_step = 1;
        w.n_rows = wsrc_int(&s, n, "state.shape.0"), w.n_cols = wsrc_int(&s, n, "state.shape.1");
        w.data = wsrc_part(&s, n, "weight"), w.map = wsrc_part(&s, n, "quant_map");
        w.scales.data = wsrc_part(&s, n, "absmax"), w.group = wsrc_int(&s, n, "state.blocksize");
        w.map2 = wsrc_part(&s, n, "nested_quant_map"), w.absmax2 = wsrc_part(&s, n, "nested_absmax");
        w.block2 = wsrc_int(&s, n, "state.nested_blocksize");
        if (w.map2) w.offset = (float)wsrc_value(&s, n, "state.nested_offset")->d;
        wsrc_check(&w, wsrc_part(&s, n, "out"), wsrc_value(&s, n, "name")->text.ptr);
    }
    assert_true(n > 2);
    wsrc_close(&s);
}

/* GGUF blocks through the same door, cut anywhere; parts of a matrix; columns as rows. */
static void test_wsrc_blocks(void **state) {
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(allm__fmts); i++) {
        const allm__fmt *f = &allm__fmts[i];
        allm__tensor     t = {0};
        if (!f->dequant) continue;
        t.fmt = f, t.dims[0] = f->n_weights == 1 ? 77 : 512, t.dims[1] = 3, t.dims[2] = 2, t.dims[3] = 1;
        size_t     n_raw = (size_t)(t.dims[0] / f->n_weights) * (size_t)f->n_bytes * 6, n = (size_t)t.dims[0] * 6;
        test_guard g     = test_guard_new(n_raw);
        float     *want  = (float *)malloc(n * sizeof *want), got[3];
        for (size_t k = 0; k < n_raw; k++) ((uint8_t *)g.ptr)[k] = (uint8_t)test_random();
        t.data = (const uint8_t *)g.ptr;
        for (int64_t r = 0; r < 6; r++)
            f->dequant(t.data + n_raw / 6 * (size_t)r, want + r * t.dims[0], t.dims[0]);
        allm__wsrc w = allm__wsrc_of(&t), part, turned;
        wsrc_check(&w, want, f->name);
        part = allm__wsrc_mat(&w, 1);
        part = allm__wsrc_rows(&part, 0, 2, 2);
        allm__wsrc_row(&part, 1, 5, 1, got);
        assert_true(allm__bits(got[0]) == allm__bits(want[5 * t.dims[0] + 5]));
        assert_int_equal(allm__wsrc_transpose(&w, &turned), f->n_weights == 1);
        if (f->n_weights == 1) {
            turned = allm__wsrc_mat(&turned, 1);
            allm__wsrc_row(&turned, 76, 0, 3, got);
            for (int k = 0; k < 3; k++) assert_true(allm__bits(got[k]) == allm__bits(want[77 * (3 + k) + 76]));
        }
        free(want);
        test_guard_free(&g);
    }
}

/* GPTQ whose groups' columns are apart: codes, group by group, are the same weights in another order. */
static void test_wsrc_order(void **state) {
    enum { R = 8, N = 256, GROUP = 64 };
    static uint8_t codes[R * N / 2], scales[R * N / GROUP * 2], g_idx[4 * N];
    uint8_t        q[64];
    int32_t        order[N];
    int64_t        next[N / GROUP];
    float          d[2], m[2], want[N];
    allm__wsrc     w = {0};
    (void)state;
    for (size_t i = 0; i < sizeof codes; i++) codes[i] = (uint8_t)test_random();
    for (size_t i = 0; i < sizeof scales; i += 2) allm__put_h(scales + i, (float)(1 + test_random() % 9) / 64);
    for (int c = 0; c < N; c++) g_idx[4 * c] = (uint8_t)(c * 7 % N / GROUP); /* 7 and N: every place once */
    w.name = "test", w.kind = ALLM__W_INT, w.n_mats = w.row_step = 1, w.n_rows = R, w.n_cols = N, w.group = GROUP;
    w.codes.data = codes, w.codes.bits = 4, w.codes.by_column = 1, w.codes.word_bytes = 4, w.codes.line_bytes = R / 2;
    w.scales.data = scales, w.scales.fmt = allm__fmt_of(ALLM__F16), w.scales.rows = 1, w.scales.row_step = N / GROUP;
    w.scales.group_step = 1, w.zero_add = 8, w.g_idx = g_idx;
    assert_false(allm__wsrc_codes(&w, NULL, 0, 0, 64, 32, q, d, m));
    assert_true(allm__wsrc_order(&w, order, next));
    for (int64_t r = 0; r < R; r++) {
        uint8_t seen[N] = {0};
        allm__wsrc_row(&w, r, 0, N, want);
        for (int64_t c = 0; c < N; c += 64) {
            assert_true(allm__wsrc_codes(&w, order, r, c, 64, 32, q, d, m));
            for (int i = 0; i < 64; i++) {
                const float got = d[i / 32] * (float)q[i] + m[i / 32];
                assert_true(!seen[order[c + i]]++ && got >= want[order[c + i]] && got <= want[order[c + i]]);
            }
        }
    }
    g_idx[0] ^= 1; /* a group has a column too many */
    assert_false(allm__wsrc_order(&w, order, next));
}

static const struct CMUnitTest test_wsrc[] = {
    cmocka_unit_test(test_wsrc_order),
    cmocka_unit_test(test_wsrc_mlx),
    cmocka_unit_test(test_wsrc_fp8_blocks),
    cmocka_unit_test(test_wsrc_bitsandbytes),
    cmocka_unit_test(test_wsrc_blocks),
};
