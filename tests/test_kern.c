/* Room kern: every kernel table this machine can run, for every format of the list. Oracles compute in double. */

static allm__acts test_kern_acts_of(const allm__kern *k, const float *x, int64_t n_cols, int32_t n_tokens,
                                    int n_planes) {
    allm__acts a;
    void      *mem = test_pack_aligned(allm__acts_bytes(n_cols, n_tokens, n_planes));
    allm__acts_place(&a, mem, n_cols, n_tokens, n_planes);
    k->acts_quant(&a, x, 0, n_tokens);
    return a;
}

static allm__acts test_kern_acts(const allm__kern *k, const float *x, int64_t n_cols, int32_t n_tokens) {
    return test_kern_acts_of(k, x, n_cols, n_tokens, 1);
}

/* Token t's block i. *W: from one sum to the next. */
static allm__ablock test_kern_block(const allm__acts *a, int64_t t, int64_t i, int32_t *W) {
    *W = allm__acts_width(a, t / ALLM__TOKENS);
    uint8_t *p = allm__acts_tile(a, t / ALLM__TOKENS) + (size_t)(i * *W) * allm__acts_block_bytes(a->n_planes);
    return allm__acts_at(p, (int32_t)(t % ALLM__TOKENS), *W, a->n_planes);
}

/* Code of activation c of token t, and what it says. */
static int test_kern_code(const allm__acts *a, int64_t t, int64_t c) {
    int32_t            W;
    const allm__ablock b = test_kern_block(a, t, c / 32, &W);
    return a->n_planes > 1 ? 256 * b.q[c % 32] + b.low[c % 32] : b.q[c % 32];
}

static const float *test_kern_scale(const allm__acts *a, int64_t t) {
    return allm__acts_scale(a, t / ALLM__TOKENS) + t % ALLM__TOKENS;
}

/* What codes of block i of token t are multiples of. */
static double test_kern_step(const allm__acts *a, int64_t t, int64_t i) {
    int32_t W;
    return (double)*test_kern_block(a, t, i, &W).d * (double)*test_kern_scale(a, t);
}

static double test_kern_act(const allm__acts *a, int64_t t, int64_t c) {
    return test_kern_step(a, t, c / 32) * test_kern_code(a, t, c);
}

static float *test_kern_floats(int64_t n) {
    float *x = (float *)test_pack_aligned((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = test_pack_uniform();
    return x;
}

/* ---- activations */

static int test_kern_same_bits(float a, float b) { return allm__bits(a) == allm__bits(b) || (a != a && b != b); }

/* The same bits as the scalar table's; a NaN is like any other. */
static void test_kern_same(const char *what, const allm__kern *k, const float *got, const float *want, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (!test_kern_same_bits(got[i], want[i]))
            fail_msg("%s %s: [%d of %d] %a, scalar %a", k->name, what, (int)i, (int)n, (double)got[i], (double)want[i]);
}

static const float test_kern_odd[] = {0,       -0.0f,    1e-45f,   1e-38f,    -1e-30f, 1e20f,
                                      FLT_MAX, -FLT_MAX, INFINITY, -INFINITY, NAN};

/* n floats: 0 plain, 1 of all magnitudes, 2 with odd ones among them. */
static float *test_kern_wild(int64_t n, int kind) {
    float *x = test_kern_floats(n + 1);
    for (int64_t i = 0; i < n && kind == 1; i++) x[i] = ldexpf(x[i], (int)test_random_below(200) - 100);
    for (int64_t i = 0; i < n && kind == 2; i++)
        if (!test_random_below(1 + (uint64_t)n / 4))
            x[i] = test_kern_odd[test_random_below(ALLM__COUNT(test_kern_odd))];
    return x;
}

static void test_kern_acts_check(const allm__kern *k, const float *x, int64_t n_cols, int32_t n_tokens) {
    const allm__kern *scalar = allm__kern_find("scalar");
    for (int n_planes = 1; n_planes <= 2; n_planes++) {
        allm__acts want = test_kern_acts_of(scalar, x, n_cols, n_tokens, n_planes);
        allm__acts got  = test_kern_acts_of(k, x, n_cols, n_tokens, n_planes);
        for (int64_t i = 0; i < want.n_blocks * n_tokens; i++) {
            int32_t            W;
            const int64_t      t = i % n_tokens;
            const allm__ablock a = test_kern_block(&want, t, i / n_tokens, &W);
            const allm__ablock b = test_kern_block(&got, t, i / n_tokens, &W);
            if (memcmp(a.q, b.q, 32) || (n_planes > 1 && memcmp(a.low, b.low, 32)))
                fail_msg("%s: codes of block %d of %d columns", k->name, (int)i, (int)n_cols);
            int bad = !test_kern_same_bits(*a.d, *b.d);
            bad |= !test_kern_same_bits(*test_kern_scale(&want, t), *test_kern_scale(&got, t));
            for (int j = 0; j < 3; j++) bad |= a.n[j * W] != b.n[j * W] || !test_kern_same_bits(a.s[j * W], b.s[j * W]);
            if (bad) fail_msg("%s: scales of block %d of %d columns", k->name, (int)i, (int)n_cols);
        }
        free(want.mem), free(got.mem);
    }
}

/* The scalar quantiser against the words of its contract. */
static void test_kern_acts_contract(void **state) {
    (void)state;
    enum { N = 416, T = 27 };
    float *x = test_kern_floats(N * T);
    for (int n_planes = 1; n_planes <= 2; n_planes++) {
        allm__acts   a    = test_kern_acts_of(allm__kern_find("scalar"), x, N, T, n_planes);
        const double most = n_planes == 1 ? 127 : 32639;
        assert_int_equal(a.n_blocks, 14);
        for (int64_t t = 0; t < T; t++)
            for (int64_t b = 0; b < N / 32; b++) {
                float   amax = 0;
                int32_t W;
                for (int i = 0; i < 32; i++) amax = ALLM__MAX(amax, fabsf(x[t * N + 32 * b + i]));
                const allm__ablock g = test_kern_block(&a, t, b, &W);
                const double       step = test_kern_step(&a, t, b);
                int                sum[3] = {0, 0, 0}, e;
                if (n_planes > 1) assert_true(*g.d == amax / (float)most && step == (double)*g.d);
                else {
                    assert_true(frexpf(*g.d, &e) == 0.5f);
                    assert_true((double)amax <= 127.0001 * step && (double)amax >= 63.4999 * step);
                }
                for (int i = 0; i < 32; i++) {
                    int    q    = test_kern_code(&a, t, 32 * b + i);
                    double near = (double)x[t * N + 32 * b + i] / step;
                    assert_true(abs(q) <= most && fabs(near - q) <= 0.5 + 1e-6 * most);
                    sum[0] += q, sum[1 + i / 16] += q;
                }
                for (int h = 0; h < 3; h++) {
                    assert_int_equal(g.n[h * W], -128 * sum[h]);
                    assert_true(fabs((double)g.s[h * W] - sum[h] * (double)*g.d) < 1e-4);
                }
            }
        for (int c = N; c < 448; c++) assert_int_equal(test_kern_code(&a, 3, c), 0); /* past the end */
        free(a.mem);
    }
    free(x);
}

static void test_kern_acts_isas(void **state) {
    (void)state;
    static const float odd[] = {0,        -0.0f,    1e-45f,    1e-38f, 8.2e-25f, 8.3e-25f, FLT_MAX,
                                -FLT_MAX, INFINITY, -INFINITY, NAN,    1,      -1,     0.5f};
    TEST_KERN_EACH(k) {
        for (int64_t n = 1; n < 700; n += n < 70 ? 1 : 61) {
            float *x = test_kern_floats(n * 3);
            test_kern_acts_check(k, x, n, 3);
            for (int64_t i = 0; i < n * 3; i++) x[i] = rintf(x[i] * 254) / 2; /* many halves between codes */
            for (int64_t i = 0; i < n * 3; i += 32) x[i] = 127;
            test_kern_acts_check(k, x, n, 3);
            for (int64_t i = 0; i < n * 3; i++)
                if (!(test_random() & 15)) x[i] = odd[test_random_below(ALLM__COUNT(odd))];
            test_kern_acts_check(k, x, n, 3);
            free(x);
        }
    }
}

/* The same of whole tiles: any floats, blocks and tokens of zeros, numbers at the ends of what has codes. */
static void test_kern_acts_tiles(void **state) {
    (void)state;
    static const float ends[] = {0x1p-80f, 0x1.fffffep-81f, 0x1p100f, 0x1.000002p100f, 0x1p70f, FLT_MAX,
                                 1e-45f,   -0.0f,           -FLT_MAX, INFINITY,         NAN};
    TEST_KERN_EACH(k)
    for (int kind = 0; kind < 4; kind++)
        for (int64_t n = 32; n < 700; n += n < 200 ? 32 : 96) {
            float *x = test_kern_wild(n * 27, kind % 3);
            for (int64_t i = 0; i < 27 * n && kind == 3; i += 32) /* beside nothing, so that they are the largest */
                if (test_random_below(2)) memset(x + i, 0, 32 * sizeof *x);
            for (int64_t i = 0; i < 27 * n && kind == 3; i++)
                if (!test_random_below(50)) x[i] = ends[test_random_below(ALLM__COUNT(ends))];
            memset(x + 5 * n, 0, (size_t)n * sizeof *x), memset(x + 22 * n, 0, 32 * sizeof *x);
            for (int c = 0; c < 16; c++) x[7 * n + c] = -0x1p-20f; /* codes that are all 0, of numbers below */
            x[7 * n + 16] = 1;
            test_kern_acts_check(k, x, n, 27);
            free(x);
        }
}

/* What has codes, and what makes a token's scale NaN. */
static void test_kern_acts_ends(void **state) {
    (void)state;
    static const struct { float x; int codes, nan; } ends[] = {
        {0x1p-80f, 1, 0}, {0x1.fffffep-81f, 0, 0}, {0x1p100f, 1, 0}, {0x1.000002p100f, 0, 1}, {NAN, 0, 1}};
    for (size_t i = 0; i < ALLM__COUNT(ends); i++) {
        float   x[64] = {0};
        int32_t W;
        x[3] = ends[i].x, x[40] = 1;
        allm__acts  a     = test_kern_acts(allm__kern_find("scalar"), x, 64, 1);
        const float scale = *test_kern_scale(&a, 0);
        assert_int_equal(*test_kern_block(&a, 0, 0, &W).d > 0, ends[i].codes);
        assert_int_equal(test_kern_code(&a, 0, 3) > 0, ends[i].codes);
        assert_int_equal(scale != scale, ends[i].nan);
        free(a.mem);
    }
}

/* Of a token's 16 limits the one with the least sum of squares of steps. */
static void test_kern_acts_limit(void **state) {
    (void)state;
    enum { N = 512 };
    for (int round = 0; round < 200; round++) {
        float *x = test_kern_floats(N);
        double best = INFINITY, got = 0;
        for (int i = 0; i < N; i++) x[i] *= (float)(1 + test_random_below(9));
        allm__acts a = test_kern_acts(allm__kern_find("scalar"), x, N, 1);
        for (int b = 0; b < N / 32; b++) got += pow(test_kern_step(&a, 0, b), 2);
        for (int k = 1; k <= 16; k++) {
            double cost = 0;
            for (int b = 0; b < N / 32; b++) {
                double top = 0, most = k < 16 ? 1 + k / 16.0 : 127 / 64.0;
                for (int i = 0; i < 32; i++) top = ALLM__MAX(top, fabs((double)x[32 * b + i]));
                most *= exp2(floor(log2(top)));
                cost += pow((most < top ? 2 : 1) * most / 127, 2);
            }
            best = ALLM__MIN(best, cost);
        }
        assert_true(fabs(got - best) <= 1e-5 * best);
        free(a.mem), free(x);
    }
}

/* Quantising tokens apart gives what quantising them together gives. */
static void test_kern_acts_split(void **state) {
    (void)state;
    float *x = test_kern_floats(300 * 15);
    TEST_KERN_EACH(k) {
        allm__acts a = test_kern_acts(k, x, 300, 15), b = test_kern_acts(k, x, 300, 15);
        memset(b.mem, 0x55, allm__acts_bytes(300, 15, 1));
        k->acts_quant(&b, x, 13, 15), k->acts_quant(&b, x, 0, 2), k->acts_quant(&b, x, 2, 13);
        assert_memory_equal(a.mem, b.mem, allm__acts_bytes(300, 15, 1));
        free(a.mem), free(b.mem);
    }
    free(x);
}

/* ---- matrix products */

enum { TEST_KERN_T = 27 };
static const int64_t test_kern_rows[] = {1, 16, 33, 11};

/* What a product is asked for: how often activations are rounded (0: not at all), weights packed before or not. */
typedef struct test_kern_way {
    int n_planes, packed;
} test_kern_way;
static const test_kern_way test_kern_ways[] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}, {2, 0}, {2, 1}};

static const char *test_kern_way_name(test_kern_way way) {
    static const char *const names[] = {"gemm_f32", "gemm_f32, packed", "gemm", "gemm, packed",
                                        "gemm of 16 bits", "gemm of 16 bits, packed"};
    return names[2 * way.n_planes + way.packed];
}

static int test_kern_has_way(const allm__fmt *f, test_kern_way way) { return f->n_weights > 1 || !way.n_planes; }

/* Rows [r0, r1) and n_tokens tokens of x [.., n_cols]. */
static void test_kern_product(const allm__kern *k, const test_pack_w *m, int64_t r0, int64_t r1, const float *x,
                              int32_t n_tokens, test_kern_way way, float *y, int64_t ldy) {
    void     *scratch = test_pack_aligned(ALLM__GEMM_SCRATCH);
    allm__mat w       = m->mat;
    uint8_t  *packed  = NULL;
    for (int32_t t = 0; t < n_tokens; t++) /* a product that leaves something out is none */
        memset(y + t * ldy + r0, 0xff, (size_t)(r1 - r0) * sizeof *y);
    if (way.packed) {
        const int64_t n_groups = (w.n_rows + ALLM__ROWS - 1) / ALLM__ROWS;
        const size_t n_bytes = allm__pack_bytes(allm__pack_find(w.fmt->id), w.n_rows, w.n_cols);
        w.packed = packed = (uint8_t *)test_pack_aligned(n_bytes);
        k->pack(&w, n_groups / 2, n_groups, packed), k->pack(&w, 0, n_groups / 2, packed);
        w.data = NULL;
    }
    if (way.n_planes) {
        allm__acts a = test_kern_acts_of(k, x, w.n_cols, n_tokens, way.n_planes);
        k->gemm(&w, r0, r1, NULL, 0, &a, y, ldy, scratch);
        free(a.mem);
    } else k->gemm_f32(&w, r0, r1, x, w.n_cols, n_tokens, y, ldy, scratch);
    free(scratch), free(packed);
}

static int64_t test_kern_cols(const allm__fmt *f, int i) { /* odd sizes; more than one panel, the largest not slowly */
    static const int64_t cols[] = {32, 64, 96, 128, 160, 576, 1536, 4096 + 160};
    static const int64_t blocks[] = {1, 2, 3, 5, 17}, loose[] = {1, 5, 17, 33, 127, 300, 4101};
    if (f->n_weights > 32) return i < (TEST_SANITIZED ? 4 : 5) ? f->n_weights * blocks[i] : 0;
    if (f->n_weights == 1) return i < (TEST_SANITIZED ? 5 : 7) ? loose[i] : 0;
    return i < (TEST_SANITIZED ? 6 : 8) ? cols[i] : 0;
}

static void test_kern_gemm_check(const allm__kern *k, const test_pack_w *m, const float *x, test_kern_way way,
                                 double tol) {
    const int64_t n = m->mat.n_cols, n_rows = m->mat.n_rows;
    allm__acts    a    = test_kern_acts_of(k, x, n, TEST_KERN_T, ALLM__MAX(1, way.n_planes));
    float        *y    = test_kern_floats(n_rows * TEST_KERN_T), *also = test_kern_floats(n_rows * TEST_KERN_T);
    char          what[96];
    test_kern_product(k, m, 0, n_rows, x, TEST_KERN_T, way, y, n_rows);
    way.packed = 0;
    test_kern_product(allm__kern_find("scalar"), m, 0, n_rows, x, TEST_KERN_T, way, also, n_rows);
    snprintf(what, sizeof what, "%s of %s, %d columns", test_kern_way_name(way), m->mat.fmt->name, (int)n);
    test_kern_same(what, k, y, also, n_rows * TEST_KERN_T);
    for (int64_t t = 0; t < TEST_KERN_T; t++)
        for (int64_t r = 0; r < n_rows; r++) {
            double want = 0, size = 0;
            for (int64_t c = 0; c < n; c++) {
                double v = m->w[r * n + c] * (way.n_planes ? test_kern_act(&a, t, c) : (double)x[t * n + c]);
                want += v, size += fabs(v);
            }
            if (!(fabs((double)y[t * n_rows + r] - want) <= tol * size + 1e-30))
                fail_msg("%s %s %s %dx%d row %d token %d: %.9g, not %.9g (terms %.3g)", k->name, m->mat.fmt->name,
                         test_kern_way_name(way), (int)n_rows, (int)n, (int)r, (int)t, (double)y[t * n_rows + r], want,
                         size);
        }
    free(a.mem), free(y), free(also);
}

static void test_kern_gemm(void **state) {
    (void)state;
    TEST_KERN_EACH(k)
    for (size_t i = 0; i < ALLM__COUNT(allm__fmts); i++)
        for (int c = 0; allm__fmts[i].has_kernels && test_kern_cols(&allm__fmts[i], c); c++) {
            const int64_t n = test_kern_cols(&allm__fmts[i], c), n_rows = test_kern_rows[c % 4];
            test_pack_w   m = test_pack_weights(&allm__fmts[i], n_rows, n, 0, -1);
            float        *x = test_kern_floats(n * TEST_KERN_T);
            for (size_t way = 0; way < ALLM__COUNT(test_kern_ways); way++)
                if (test_kern_has_way(m.mat.fmt, test_kern_ways[way])) /* minima cancel against codes: their size is */
                    test_kern_gemm_check(k, &m, x, test_kern_ways[way], 4e-6); /* not in the sum */
            test_pack_weights_free(&m), free(x);
        }
}

/* Is format i the first of those that are packed alike? The others go the same ways. */
static int test_kern_first(size_t i) {
    const allm__pack *p = allm__pack_find(allm__fmts[i].id);
    for (size_t k = 0; p && p->n_bits <= 8 && k < i; k++) {
        const allm__pack *q = allm__pack_find(allm__fmts[k].id);
        if (q && q->n_bits == p->n_bits && q->n_part == p->n_part && q->n_head == p->n_head &&
            q->n_scale == p->n_scale && q->shift == p->shift)
            return 0;
    }
    return p && allm__fmts[i].has_kernels;
}

/* Any bytes as weights, any floats as activations, one token and several: the scalar table's bits. */
static void test_kern_gemm_wild(void **state) {
    (void)state;
    const allm__kern *scalar = allm__kern_find("scalar");
    TEST_KERN_EACH(k)
    for (size_t i = 0; i < ALLM__COUNT(allm__fmts); i++)
        for (int c = 0; test_kern_first(i) && test_kern_cols(&allm__fmts[i], c); c++)
            for (int kind = 0; kind < 4; kind++) {
                const int64_t n = test_kern_cols(&allm__fmts[i], c);
                test_pack_w   m = test_pack_weights(&allm__fmts[i], 5, n, 0, -1);
                float        *x = test_kern_wild(n * 6, kind % 3), got[30], want[30];
                uint8_t      *p = (uint8_t *)m.guard.ptr;
                for (size_t b = 0; b < m.mat.row_bytes * 5 && kind == 3; b++) p[b] = (uint8_t)test_random();
                for (size_t way = 0; way < ALLM__COUNT(test_kern_ways); way++)
                    for (int32_t n_tok = 1; n_tok <= 6; n_tok += 5) {
                        if (!test_kern_has_way(m.mat.fmt, test_kern_ways[way])) continue;
                        test_kern_product(k, &m, 0, 5, x, n_tok, test_kern_ways[way], got, 5);
                        test_kern_product(scalar, &m, 0, 5, x, n_tok, test_kern_ways[way & ~(size_t)1], want, 5);
                        test_kern_same(allm__fmts[i].name, k, got, want, 5 * n_tok);
                    }
                test_pack_weights_free(&m);
                free(x);
            }
}

/* The same with two whole groups of rows and nearly two tiles of tokens; then a group alone. */
static void test_kern_gemm_groups(void **state) {
    (void)state;
    enum { R = 37, T = 23 }; /* of tokens the kernels take 12, 8, 6, 4, 2, 1 */
    const allm__kern *scalar = allm__kern_find("scalar");
    TEST_KERN_EACH(k)
    for (size_t i = 0; i < ALLM__COUNT(allm__fmts); i++)
        for (int c = 0; c < 3 && allm__fmts[i].n_weights > 1 && test_kern_first(i) &&
                        test_kern_cols(&allm__fmts[i], c); c++)
            for (int kind = 0; kind < 5; kind++) { /* 3: any bytes; 4: and numbers of all magnitudes */
                const int64_t n = test_kern_cols(&allm__fmts[i], c);
                test_pack_w   m = test_pack_weights(&allm__fmts[i], R, n, 0, -1);
                float        *x = test_kern_wild(n * T, kind == 4 ? 1 : kind % 3), got[R * T], want[R * T];
                uint8_t      *p = (uint8_t *)m.guard.ptr;
                for (size_t b = 0; b < m.mat.row_bytes * R && kind >= 3; b++) p[b] = (uint8_t)test_random();
                for (size_t way = 2; way < ALLM__COUNT(test_kern_ways); way++) {
                    test_kern_product(scalar, &m, 0, R, x, T, test_kern_ways[way & ~(size_t)1], want, R);
                    test_kern_product(k, &m, 0, R, x, T, test_kern_ways[way], got, R);
                    test_kern_same(allm__fmts[i].name, k, got, want, R * T);
                    test_kern_product(k, &m, 0, 16, x, T, test_kern_ways[way], got, R);
                    test_kern_same(allm__fmts[i].name, k, got, want, R * T);
                }
                test_pack_weights_free(&m), free(x);
            }
}

/* Tokens alone give the bits they have together: of few by packed codes, of many with rows and columns in several
 * blocks. */
static void test_kern_gemm_alone(const allm__kern *k, const allm__fmt *f, int64_t n_rows, int64_t n, int32_t n_tok,
                                 test_kern_way way) {
    test_pack_w m    = test_pack_weights(f, n_rows, n, 0, -1);
    float      *x    = test_kern_floats(n * n_tok);
    float      *got  = test_kern_floats(n_rows * n_tok), *want = test_kern_floats(n_rows * n_tok);
    test_kern_product(k, &m, 0, n_rows, x, n_tok, way, got, n_rows);
    for (int32_t t = 0; t < n_tok; t++)
        test_kern_product(k, &m, 0, n_rows, x + t * n, 1, way, want + t * n_rows, n_rows);
    test_kern_same(f->name, k, got, want, n_rows * n_tok);
    test_pack_weights_free(&m), free(x), free(got), free(want);
}

static void test_kern_gemm_few(void **state) {
    (void)state;
    TEST_KERN_EACH(k) {
        for (size_t i = 0; i < ALLM__COUNT(allm__fmts); i++)
            for (int32_t n_tok = 2; test_kern_first(i) && n_tok <= ALLM__DIRECT + 1; n_tok++)
                for (size_t way = 3; way < 6; way += 2)
                    if (test_kern_has_way(&allm__fmts[i], test_kern_ways[way]))
                        test_kern_gemm_alone(k, &allm__fmts[i], 21, 256, n_tok, test_kern_ways[way]);
        test_kern_gemm_alone(k, allm__fmt_find(ALLM__Q4_0), 203, 26 * 64, TEST_KERN_T, test_kern_ways[3]);
        test_kern_gemm_alone(k, allm__fmt_find(ALLM__Q6_K), 203, 7 * 256, TEST_KERN_T, test_kern_ways[3]);
    }
}

/* What rounding x has left. */
static allm__acts test_kern_rest_of(const allm__kern *k, const allm__acts *a, const float *x) {
    allm__acts rest;
    void      *mem = test_pack_aligned(allm__acts_rest_bytes(a->n_cols, a->n_tokens));
    allm__acts_place_rest(&rest, mem, a->n_cols, a->n_tokens);
    k->acts_rest(a, x, 0, a->n_tokens, &rest);
    return rest;
}

/* What it says of column c of token t. */
static double test_kern_left(const allm__acts *rest, int64_t t, int64_t c) {
    return rest->idle[t / ALLM__TOKENS * (rest->n_blocks / 2) + c / 64] ? 0 : test_kern_act(rest, t, c);
}

/* Floats of which some columns are far larger than others: each token has them somewhere. */
static float *test_kern_uneven(int64_t n, int32_t n_tok) {
    float *x = test_kern_floats(n * n_tok);
    for (int32_t t = 0; t < n_tok; t++)
        for (int64_t i = 0; i < n / 300 + 1; i++) x[t * n + (int64_t)test_random_below((uint64_t)n)] *= 40;
    return x;
}

/* Of 64 columns of a token all is left to 16 bits or nothing: by the steps of that token alone. */
static void test_kern_rest_contract(void **state) {
    (void)state;
    enum { N = 620, T = 27 };
    float     *x    = test_kern_uneven(N, T);
    memset(x + 7 * N, 0, N * sizeof *x); /* nothing is left of a token of zeros */
    allm__acts a    = test_kern_acts(allm__kern_find("scalar"), x, N, T);
    allm__acts rest = test_kern_rest_of(allm__kern_find("scalar"), &a, x);
    int        n_kept = 0, n_left_out = 0;
    for (int64_t t = 0; t < T; t++) {
        double d[20] = {0}, mean = 0;
        for (int64_t b = 0; b < 20; b++) d[b] = test_kern_step(&a, t, b), mean += d[b] / 10;
        for (int64_t c = 0; c < N; c++) {
            const double both = d[c / 64 * 2] + d[c / 64 * 2 + 1], left = test_kern_left(&rest, t, c);
            const double off = (double)x[t * N + c] - test_kern_act(&a, t, c) - left;
            if (both > 1.499 * mean && both < 1.501 * mean) continue;
            if (both < 1.5 * mean || t == 7) assert_true(left == 0), n_left_out++;
            else { /* half a step, which is at most half of a code's */
                const double step = test_kern_step(&rest, t, c / 32);
                assert_true(fabs(off) <= step / 2 * 1.001 && step <= d[c / 32] / 127 * 1.001), n_kept++;
            }
        }
    }
    assert_true(n_kept >= T * 32 && n_left_out >= T * 32);
    free(x), free(a.mem), free(rest.mem);
}

/* Any floats, tokens of zeros among them: every table leaves what the scalar one leaves, also tile by tile. */
static void test_kern_rest_wild(void **state) {
    (void)state;
    const allm__kern *scalar = allm__kern_find("scalar");
    TEST_KERN_EACH(k)
    for (int kind = 0; kind < 3; kind++)
        for (int64_t n = 40; n < 700; n += 93) {
            float *x = test_kern_wild(n * 27, kind);
            memset(x + 5 * n, 0, (size_t)n * sizeof *x);
            for (int64_t i = 0; i < 27; i++) x[i * n + (int64_t)test_random_below((uint64_t)n)] *= 100;
            allm__acts a = test_kern_acts(k, x, n, 27), b = test_kern_acts(scalar, x, n, 27);
            allm__acts got = test_kern_rest_of(k, &a, x), want = test_kern_rest_of(scalar, &b, x);
            memset(got.mem, 0x55, allm__acts_rest_bytes(n, 27));
            k->acts_rest(&a, x, 12, 27, &got), k->acts_rest(&a, x, 0, 12, &got);
            assert_memory_equal(got.idle, want.idle, (size_t)(3 * got.n_blocks / 2));
            for (int64_t i = 0; i < got.n_blocks * 27; i++) {
                int32_t            W;
                const int64_t      t = i / got.n_blocks, c = i % got.n_blocks;
                const allm__ablock p = test_kern_block(&got, t, c, &W), q = test_kern_block(&want, t, c, &W);
                if (want.idle[t / ALLM__TOKENS * (got.n_blocks / 2) + c / 2]) continue;
                assert_memory_equal(p.q, q.q, 32);
                assert_true(test_kern_same_bits(*p.d, *q.d) && *p.n == *q.n && test_kern_same_bits(*p.s, *q.s));
            }
            free(x), free(a.mem), free(b.mem), free(got.mem), free(want.mem);
        }
}

/* Products of it are added: as the scalar table adds them, some rows of some tokens, and near the sum in double. */
static void test_kern_rest_check(const allm__kern *k, const allm__fmt *fmt, int64_t n_rows, int64_t n, int32_t n_tok,
                                 int packed) {
    const allm__kern *scalar = allm__kern_find("scalar");
    const int64_t     r0 = n_rows > 20 ? 3 : 0, r1 = n_rows > 20 ? n_rows - 2 : n_rows;
    test_pack_w       m = test_pack_weights(fmt, n_rows, n, 0, -1);
    allm__mat         w = m.mat;
    float            *x = test_kern_uneven(n, n_tok), *got = test_kern_floats(n_rows * n_tok);
    float            *want = test_kern_floats(n_rows * n_tok), *alone = test_kern_floats(n_rows * n_tok);
    void             *scratch = test_pack_aligned(ALLM__GEMM_SCRATCH);
    uint8_t          *to = (uint8_t *)test_pack_aligned(allm__pack_bytes(allm__pack_find(fmt->id), n_rows, n));
    allm__acts        a = test_kern_acts(k, x, n, n_tok), rest = test_kern_rest_of(k, &a, x);
    memcpy(want, got, (size_t)(n_rows * n_tok) * sizeof *got);
    memcpy(alone, got, (size_t)(n_rows * n_tok) * sizeof *got);
    if (packed) k->pack(&w, 0, (n_rows + ALLM__ROWS - 1) / ALLM__ROWS, to), w.packed = to, w.data = NULL;
    k->gemm_rest(&w, r0, r1, &rest, got, n_rows, scratch);
    for (int32_t t = 0; t < n_tok; t++) {
        allm__acts one = test_kern_acts(k, x + t * n, n, 1), left = test_kern_rest_of(k, &one, x + t * n);
        k->gemm_rest(&w, r0, r1, &left, alone + t * n_rows, n_rows, scratch);
        free(one.mem), free(left.mem);
    }
    test_kern_same(fmt->name, k, alone, got, n_rows * n_tok);
    for (int32_t t = 0; t < n_tok; t++)
        for (int64_t r = 0; r < n_rows; r++) {
            double sum = (double)want[t * n_rows + r], size = fabs(sum);
            for (int64_t c = 0; c < n && r >= r0 && r < r1; c++) {
                const double v = m.w[r * n + c] * test_kern_left(&rest, t, c);
                sum += v, size += fabs(v);
            }
            if (!(fabs((double)got[t * n_rows + r] - sum) <= 4e-6 * size + 1e-30))
                fail_msg("%s %s rest, %d columns: %.9g, not %.9g", k->name, fmt->name, (int)n,
                         (double)got[t * n_rows + r], sum);
        }
    free(a.mem), free(rest.mem);
    a = test_kern_acts(scalar, x, n, n_tok), rest = test_kern_rest_of(scalar, &a, x), w = m.mat;
    scalar->gemm_rest(&w, r0, r1, &rest, want, n_rows, scratch);
    test_kern_same(fmt->name, k, got, want, n_rows * n_tok);
    free(a.mem), free(rest.mem), free(x), free(got), free(want), free(alone), free(scratch), free(to);
    test_pack_weights_free(&m);
}

static void test_kern_rest(void **state) {
    (void)state;
    TEST_KERN_EACH(k)
    for (size_t i = 0; i < ALLM__COUNT(allm__fmts); i++)
        for (int c = 0; test_kern_first(i) && allm__fmts[i].n_weights > 1 && test_kern_cols(&allm__fmts[i], c); c++) {
            const int64_t n = test_kern_cols(&allm__fmts[i], c);
            if (n > 128) /* of fewer there is hardly ever a rest */
                test_kern_rest_check(k, &allm__fmts[i], c % 2 ? 5 : 37, n, ((size_t)c + i) % 4 ? 27 : 1, c % 2);
        }
    TEST_KERN_EACH(k)
    for (int packed = 0; packed < 2; packed++) { /* more panels than are unpacked at a time */
        test_kern_rest_check(k, allm__fmt_find(ALLM__Q4_0), 21, (ALLM__PANELS + 5) * 64, 15, packed);
        test_kern_rest_check(k, allm__fmt_find(ALLM__Q6_K), 37, (ALLM__PANELS + 8) * 64, 15, packed);
    }
}

/* With scales of 1 everything is an integer below 2^24: every table gives exactly that integer. */
static void test_kern_exact(const allm__fmt *f, const float *x, int64_t n, int fill) {
    test_pack_w m = test_pack_weights(f, 5, n, 1, fill);
    TEST_KERN_EACH(k) {
        allm__acts a = test_kern_acts(k, x, n, TEST_KERN_T);
        float      y[5 * TEST_KERN_T];
        test_kern_product(k, &m, 0, 5, x, TEST_KERN_T, test_kern_ways[3], y, 5);
        for (int64_t t = 0; t < TEST_KERN_T; t++)
            for (int64_t r = 0; r < 5; r++) {
                double want = 0, size = 0;
                for (int64_t c = 0; c < n; c++) {
                    want += m.w[r * n + c] * (double)x[t * n + c], size += fabs(m.w[r * n + c] * (double)x[t * n + c]);
                    assert_true(test_kern_act(&a, t, c) == (double)x[t * n + c]);
                }
                if (size < 16777216 && (double)y[t * 5 + r] != want)
                    fail_msg("%s %s codes %d: %.9g, not %.9g", k->name, f->name, fill, (double)y[t * 5 + r], want);
            }
        free(a.mem);
    }
    test_pack_weights_free(&m);
}

static void test_kern_integers(void **state) {
    (void)state;
    static const int fills[] = {-1, 0x00, 0xff, 0x80, 0x7f, 0x88, 0x11, 0x01};
    enum { N = 256 };
    float *x = test_kern_floats(N * TEST_KERN_T);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < N * TEST_KERN_T; i++) {
            int sign = test_random() & 1 ? 1 : -1; /* all at the limit, of one sign or both; small; sparse */
            x[i]     = (float)(round == 0   ? 127
                               : round == 1 ? 127 * sign
                               : round == 2 ? sign * (int)test_random_below(4)
                                            : 0);
            if (i % 32 == 0) x[i] = (float)(127 * sign); /* so that d = 1 */
        }
        for (size_t i = 0; i < ALLM__COUNT(allm__fmts); i++)
            for (size_t c = 0; c < ALLM__COUNT(fills) && allm__fmts[i].has_kernels && allm__fmts[i].n_weights > 1 &&
                               allm__pack_find(allm__fmts[i].id)->n_low; c++) /* others are fractions */
                test_kern_exact(&allm__fmts[i], x, N, fills[c]);
    }
    free(x);
}

/* The same bits for every choice of rows, tokens and result stride, and nothing written elsewhere. */
static void test_kern_split(const allm__kern *k, const allm__fmt *f, int64_t n, test_kern_way way) {
    enum { R = 53, T = 15 };
    static const int     rows[][2] = {{0, 53}, {0, 1},   {1, 1},   {3, 15}, {15, 17},
                                      {5, 51}, {16, 48}, {16, 53}, {34, 53}};
    static const int32_t tokens[]  = {1, 2, 3, 4, 6, 8, 15};
    test_pack_w m = test_pack_weights(f, R, n, 0, -1);
    float      *x = test_kern_floats(n * T), y[R * T], z[R * T + R];
    test_kern_product(k, &m, 0, R, x, T, way, y, R);
    for (size_t c = 0; c < ALLM__COUNT(rows); c++)
        for (int32_t t0 = 0; t0 < T; t0 += 1 + t0)
            for (size_t d = 0; d < ALLM__COUNT(tokens); d++) {
                    const int64_t r0 = rows[c][0], r1 = rows[c][1];
                    const int32_t n_tok = ALLM__MIN(tokens[d], T - t0);
                    for (int i = 0; i < R * T + R; i++) z[i] = -77;
                    test_kern_product(k, &m, r0, r1, x + t0 * n, n_tok, way, z, R + 1);
                    for (int i = 0; i < R * T + R; i++) {
                        int     inside = i % (R + 1) >= r0 && i % (R + 1) < r1 && i / (R + 1) < n_tok;
                        float   want = inside ? y[(t0 + i / (R + 1)) * R + i % (R + 1)] : -77;
                        if (allm__bits(z[i]) != allm__bits(want))
                            fail_msg("%s %s %s: rows %d-%d tokens %d+%d: %a, not %a", k->name, f->name,
                                     test_kern_way_name(way), (int)r0, (int)r1, t0, n_tok, (double)z[i], (double)want);
                    }
                }
    test_pack_weights_free(&m);
    free(x);
}

static void test_kern_same_bits_split(void **state) {
    (void)state;
    TEST_KERN_EACH(k)
    for (size_t i = 0; i < ALLM__COUNT(allm__fmts); i++) {
        const allm__fmt *f = &allm__fmts[i];
        for (size_t way = 0; test_kern_first(i) && way < ALLM__COUNT(test_kern_ways); way++)
            if (test_kern_has_way(f, test_kern_ways[way]))
                test_kern_split(k, f, f->n_weights == 1 ? 77 : f->n_weights == 32 ? 96 : 256, test_kern_ways[way]);
    }
}

/* NaN and infinities in scales and activations come out and do nothing else. */
static void test_kern_odd_numbers(void **state) {
    (void)state;
    TEST_KERN_EACH(k)
    for (size_t i = 0; i < ALLM__COUNT(allm__fmts); i++)
        for (size_t w = 0; w < ALLM__COUNT(test_kern_ways); w++) {
            const allm__fmt    *f   = &allm__fmts[i];
            const test_kern_way way = test_kern_ways[w];
            int                 at[2];
            test_pack_scales(f->id, at);
            if (!f->has_kernels || !test_kern_has_way(f, way)) continue;
            if (at[0] < 0 && f->n_weights > 1) continue; /* scales that are never NaN */
            test_pack_w m = test_pack_weights(f, 6, 512, 0, -1);
            float      *x = test_kern_floats(512 * 2), y[12];
            uint8_t    *p = (uint8_t *)m.guard.ptr;
            if (at[0] < 0) f->quant((float[1]){NAN}, p, 1);
            else allm__put_h(p + at[0], NAN); /* row 0, first block */
            x[512 + 300] = NAN;               /* token 1 */
            test_kern_product(k, &m, 0, 6, x, 2, way, y, 6);
            for (int r = 0; r < 12; r++)
                if ((r == 0 || r >= 6) != (y[r] != y[r])) fail_msg("%s %s: NaN at %d", k->name, f->name, r);
            for (int round = 0; round < 10; round++) { /* any bytes at all */
                static const float odd[] = {0, -0.0f, 1e-45f, 1e-38f, FLT_MAX, INFINITY, -INFINITY, NAN, 1};
                for (size_t b = 0; b < m.mat.row_bytes * 6; b++) p[b] = (uint8_t)test_random();
                for (int c = 0; c < 1024; c++) x[c] = odd[test_random_below(ALLM__COUNT(odd))];
                test_kern_product(k, &m, 0, 6, x, 2, way, y, 6);
            }
            for (int c = 0; c < 1024; c++) x[c] = 0; /* zeros give zeros */
            test_pack_w clean = test_pack_weights(f, 6, 512, 0, -1);
            test_kern_product(k, &clean, 0, 6, x, 2, way, y, 6);
            for (int r = 0; r < 12; r++) assert_true(y[r] == 0);
            test_pack_weights_free(&m), test_pack_weights_free(&clean);
            free(x);
        }
}

/* Largest and smallest scales: finite where the true result is. */
static void test_kern_scales_extreme(void **state) {
    (void)state;
    static const float scales[] = {65504, 6e-8f, 6.1e-5f, -65504};
    TEST_KERN_EACH(k)
    for (size_t i = 0; i < ALLM__COUNT(allm__fmts); i++)
        for (size_t s = 0; s < ALLM__COUNT(scales) && allm__fmts[i].has_kernels; s++) {
            test_pack_w m = test_pack_weights(&allm__fmts[i], 4, 512, scales[s], -1);
            float      *x = test_kern_floats(512 * TEST_KERN_T);
            for (int c = 0; c < 512 * TEST_KERN_T; c++) x[c] *= s & 1 ? 1e20f : 1e-20f;
            for (size_t way = 0; way < ALLM__COUNT(test_kern_ways); way++)
                if (test_kern_has_way(m.mat.fmt, test_kern_ways[way]))
                    test_kern_gemm_check(k, &m, x, test_kern_ways[way], 4e-6);
            test_pack_weights_free(&m), free(x);
        }
}

/* ---- vectors */

static void test_kern_near(const char *what, const allm__kern *k, double got, double want, double tol) {
    if (!(fabs(got - want) <= tol)) fail_msg("%s %s: %.9g, not %.9g", k->name, what, got, want);
}

static void test_kern_norms(void **state) {
    (void)state;
    TEST_KERN_EACH(k)
    for (int n = 1; n < 600; n += n < 40 ? 1 : 67) {
        float *x = test_kern_floats(n), *w = test_kern_floats(n), *b = test_kern_floats(n),
              *y   = test_kern_floats(n + 1);
        double sum = 0, sum2 = 0, var = 0;
        for (int i = 0; i < n; i++) sum += (double)x[i], sum2 += (double)x[i] * (double)x[i];
        for (int i = 0; i < n; i++) var += ((double)x[i] - sum / n) * ((double)x[i] - sum / n);
        y[n] = 5;
        k->rms_norm(x, w, 1e-5f, y, n);
        for (int i = 0; i < n; i++)
            test_kern_near("rms_norm", k, (double)y[i], (double)x[i] * (double)w[i] / sqrt(sum2 / n + 1e-5), 2e-6);
        k->layer_norm(x, w, b, 1e-5f, y, n);
        for (int i = 0; i < n; i++)
            test_kern_near("layer_norm", k, (double)y[i],
                           ((double)x[i] - sum / n) * (double)w[i] / sqrt(var / n + 1e-5) + (double)b[i], 4e-6);
        k->layer_norm(x, w, NULL, 1e-5f, y, n);
        test_kern_near("no bias", k, (double)y[0], ((double)x[0] - sum / n) * (double)w[0] / sqrt(var / n + 1e-5),
                       4e-6);
        k->rms_norm(x, NULL, 0, y, n);
        test_kern_near("no weight", k, (double)y[n - 1], (double)x[n - 1] / sqrt(sum2 / n), 2e-6);
        memcpy(b, x, sizeof(float) * (size_t)n);
        k->rms_norm(x, w, 1e-5f, y, n), k->rms_norm(b, w, 1e-5f, b, n); /* in place */
        assert_memory_equal(y, b, sizeof(float) * (size_t)n);
        k->add(b, x, n);
        for (int i = 0; i < n; i++) assert_true(b[i] == y[i] + x[i]);
        assert_true(y[n] == 5);
        x[n / 2] = NAN;
        k->rms_norm(x, w, 1e-5f, y, n);
        for (int i = 0; i < n; i++) assert_true(y[i] != y[i]);
        free(x), free(w), free(b), free(y);
    }
}

static void test_kern_exp(void **state) {
    (void)state;
    enum { N = 20011 };
    static const float odd[] = {-INFINITY, INFINITY, NAN, -FLT_MAX, FLT_MAX, 0, -0.0f,
                                1e-45f,    -200,     200, -104,     88.7f,   89};
    float *x = test_kern_floats(N), *y = test_kern_floats(N);
    for (int i = 0; i < N; i++) x[i] = i < 8000 ? -87.3f + (float)i * 0.0214f : i < 14000 ? x[i] : x[i] * 20;
    TEST_KERN_EACH(k) {
        double sum = 0, worst = 0;
        float  got = k->exp_sum(x, 0, y, N);
        for (int i = 0; i < N; i++) {
            double want = exp((double)x[i]), error = fabs((double)y[i] - want) / want;
            worst = ALLM__MAX(worst, error), sum += want;
            if (want < (double)FLT_MAX && error >= 2e-7)
                fail_msg("%s: exp(%a) is off by %.3g", k->name, (double)x[i], error);
        }
        test_kern_near("sum", k, (double)got / sum, 1, 1e-5);
        k->exp_sum(odd, 0, y, ALLM__COUNT(odd));
        for (size_t i = 0; i < ALLM__COUNT(odd); i++) {
            float want = (float)exp((double)odd[i]);
            if (want != want) assert_true(y[i] != y[i]);
            else if (isinf(want)) assert_true(y[i] == want);
            else if (want < 1e-37f) assert_true(fabsf(y[i] - want) <= 1e-44f);
            else assert_true(fabsf(y[i] - want) <= want * 2e-7f);
        }
        for (int n = 0; n < 40; n++) { /* tails, and nothing written behind them */
            y[n] = 3;
            k->exp_sum(x, 1, y, n);
            for (int i = 0; i < n; i++) test_kern_near("tail", k, (double)y[i], exp((double)x[i] - 1), 1e-6);
            assert_true(y[n] == 3);
        }
    }
    free(x), free(y);
}

static void test_kern_swiglu(void **state) {
    (void)state;
    TEST_KERN_EACH(k)
    for (int n = 1; n < 300; n += n < 40 ? 1 : 29) {
        float *g = test_kern_floats(n + 1), *u = test_kern_floats(n), *x = test_kern_floats(n);
        for (int i = 0; i < n; i++) g[i] *= i % 3 ? 5 : 120, x[i] = g[i];
        g[n] = 9;
        k->glu(g, u, n, ALLM__ACT_SILU);
        for (int i = 0; i < n; i++) {
            double want = (double)x[i] / (1 + exp(-(double)x[i])) * (double)u[i];
            test_kern_near("swiglu", k, (double)g[i], want, fabs(want) * 5e-7 + 1e-36);
        }
        assert_true(g[n] == 9);
        g[0] = NAN;
        k->glu(g, u, n, ALLM__ACT_SILU);
        assert_true(g[0] != g[0]);
        free(g), free(u), free(x);
    }
}

static void test_kern_rope(void **state) {
    (void)state;
    TEST_KERN_EACH(k)
    for (int n = 2; n <= 128; n += 2) {
        float *x = test_kern_floats(n + 1), *y = test_kern_floats(n + 1), *cs = test_kern_floats(n);
        memcpy(y, x, sizeof(float) * (size_t)(n + 1));
        k->rope_pairs(y, cs, n);
        for (int i = 0; i < n / 2; i++) {
            double a = (double)x[2 * i], b = (double)x[2 * i + 1], c = (double)cs[2 * i], s = (double)cs[2 * i + 1];
            test_kern_near("pairs", k, (double)y[2 * i], a * c - b * s, 3e-7);
            test_kern_near("pairs", k, (double)y[2 * i + 1], a * s + b * c, 3e-7);
        }
        assert_true(x[n] == y[n]);
        memcpy(y, x, sizeof(float) * (size_t)(n + 1));
        k->rope_halves(y, cs, n);
        for (int i = 0; i < n / 2; i++) {
            double a = (double)x[i], b = (double)x[i + n / 2], c = (double)cs[2 * i], s = (double)cs[2 * i + 1];
            test_kern_near("halves", k, (double)y[i], a * c - b * s, 3e-7);
            test_kern_near("halves", k, (double)y[i + n / 2], a * s + b * c, 3e-7);
        }
        assert_true(x[n] == y[n]);
        free(x), free(y), free(cs);
    }
}

static void test_kern_max(void **state) {
    (void)state;
    TEST_KERN_EACH(k) {
        assert_true(k->max_of(NULL, 0) == -INFINITY);
        for (int n = 1; n < 200; n++) {
            float *x = test_kern_floats(n), want = -INFINITY;
            for (int i = 0; i < n; i++) want = ALLM__MAX(want, x[i]);
            assert_true(k->max_of(x, n) == want);
            x[test_random_below((uint64_t)n)] = INFINITY;
            assert_true(k->max_of(x, n) == INFINITY);
            x[test_random_below((uint64_t)n)] = NAN;
            assert_true(isnan(k->max_of(x, n)));
            for (int i = 0; i < n; i++) x[i] = -INFINITY;
            assert_true(k->max_of(x, n) == -INFINITY);
            free(x);
        }
    }
}

/* The largest of each 64, and of all; the mass of all. */
static void test_kern_vocabulary(void **state) {
    (void)state;
    TEST_KERN_EACH(k) {
        for (int n = 1; n < 1200; n += n < 150 ? 1 : 37) {
            float *x = test_kern_floats(n), peaks[20], want = -INFINITY;
            double mass = 0;
            assert_true(n > 1 || k->peaks(x, 0, peaks) == -INFINITY);
            for (int i = 0; i < n; i++) want = ALLM__MAX(want, x[i]);
            if (n % 3 == 0) x[n / 2] = -INFINITY;
            for (int i = 0; i < n; i++) mass += exp(((double)x[i] - 3) / 2);
            assert_true(fabs(k->exp_mass(x, n, 3, 0.5f) - mass) <= 3e-7 * mass);
            const double same = allm__kern_find("scalar")->exp_mass(x, n, 3, 0.5f);
            assert_true(k->exp_mass(x, n, 3, 0.5f) == same); /* the same bits */
            x[n - 1] = want + 1;
            assert_true(k->peaks(x, n, peaks) == want + 1);
            for (int b = 0; b * 64 < n; b++) {
                float top = -INFINITY;
                for (int i = b * 64; i < n && i < b * 64 + 64; i++) top = ALLM__MAX(top, x[i]);
                assert_true(peaks[b] == top);
            }
            x[test_random_below((uint64_t)n)] = INFINITY;
            assert_true(k->peaks(x, n, peaks) == INFINITY);
            x[test_random_below((uint64_t)n)] = NAN;
            assert_true(isnan(k->peaks(x, n, peaks)));
            for (int i = 0; i < n; i++) x[i] = i % 2 ? -INFINITY : -FLT_MAX;
            assert_true(k->peaks(x, n, peaks) == -FLT_MAX);
            for (int i = 0; i < n; i++) x[i] = -INFINITY;
            assert_true(k->peaks(x, n, peaks) == -INFINITY && peaks[0] == -INFINITY);
            free(x);
        }
    }
}

/* What families add: every table against the definitions in double and, to the bit, against the scalar one. */
static double test_kern_glu_of(double g, double u, int act) {
    const double s = 1 / (1 + exp(-g));
    switch (act) {
    case ALLM__ACT_SILU: return g * s * u;
    case ALLM__ACT_GELU_TANH: return g / 2 * (1 + tanh(0.7978845608028654 * (g + 0.044715 * g * g * g))) * u;
    case ALLM__ACT_GELU_ERF: return g / 2 * (1 + erf(g / sqrt(2))) * u;
    case ALLM__ACT_RELU2: return g > 0 ? g * g * u : 0;
    case ALLM__ACT_SIGMOID: return s * u;
    case ALLM__ACT_RELU: return g > 0 ? g * u : 0;
    case ALLM__ACT_GELU_QUICK: return g / (1 + exp(-1.702 * g)) * u;
    default:
        g = g < 7 ? g : 7, u = u < -7 ? -7 : u > 7 ? 7 : u;
        return g / (1 + exp(-1.702 * g)) * (u + 1);
    }
}

static void test_kern_families(void **state) {
    (void)state;
    const allm__kern *s = allm__kern_find("scalar");
    TEST_KERN_EACH(k)
    for (int n = 1; n < 200; n += n < 40 ? 1 : 37) {
        float       *x = test_kern_floats(n), *u = test_kern_floats(n), *y = test_kern_floats(n + 1);
        const size_t n_bytes = sizeof *x * (size_t)n;
        float       *z = test_kern_floats(n);
        for (int i = 0; i < n; i++) x[i] *= 12, u[i] *= 9;
        y[n] = 5;
        for (int act = 0; act < ALLM__ACTS; act++) {
            for (int one = 0; one < 2; one++) {
                memcpy(y, x, n_bytes), memcpy(z, x, n_bytes);
                k->glu(y, one ? NULL : u, n, (allm__kern_act)act), s->glu(z, one ? NULL : u, n, (allm__kern_act)act);
                for (int i = 0; i < n; i++) {
                    const double want = test_kern_glu_of((double)x[i], one ? 1 : (double)u[i], act);
                    test_kern_near("glu", k, (double)y[i], want, 4e-6 + 4e-6 * fabs(want));
                }
                test_kern_same("glu", k, y, z, n);
            }
            const float wild[3] = {NAN, INFINITY, -INFINITY};
            memcpy(y, wild, sizeof wild * (n > 2)), k->glu(y, NULL, n > 2 ? 1 : 0, (allm__kern_act)act);
            if (n > 2) assert_true(y[0] != y[0]);
        }
        memcpy(y, x, n_bytes), memcpy(z, x, n_bytes), k->softcap(y, 5, n), s->softcap(z, 5, n);
        for (int i = 0; i < n; i++) test_kern_near("softcap", k, (double)y[i], 5 * tanh((double)x[i] / 5), 1.5e-6);
        test_kern_same("softcap", k, y, z, n);
        memcpy(y, x, n_bytes), k->scale(y, 3, n);
        for (int i = 0; i < n; i++) assert_true(y[i] == 3 * x[i]);
        memcpy(y, x, n_bytes), k->clamp(y, 2, n);
        for (int i = 0; i < n; i++) assert_true(y[i] == (x[i] > 2 ? 2 : x[i] < -2 ? -2 : x[i]));
        memcpy(y, x, n_bytes), memcpy(z, x, n_bytes), k->add_scaled(y, u, 0.3f, n), s->add_scaled(z, u, 0.3f, n);
        for (int i = 0; i < n; i++)
            test_kern_near("add_scaled", k, (double)y[i], (double)x[i] + (double)0.3f * (double)u[i], 2e-6);
        test_kern_same("add_scaled", k, y, z, n);
        assert_true(y[n] == 5);
        free(x), free(u), free(y), free(z);
    }
}

/* A product with few rows: the same. */
static void test_kern_few_rows(void **state) {
    enum { ROWS = 11, COLS = 83, UP = 96, TOKENS = 9 };
    static const struct { int32_t n_rows, n, n_tokens; } cuts[] = {
        {1, 1, 1}, {8, 64, 1}, {4, 16, 4}, {ROWS, COLS, TOKENS}, {3, 31, 5}, {6, 0, 2}, {7, 80, 3}, {0, 16, 1},
    };
    const allm__kern *scalar = allm__kern_find("scalar");
    float *x = test_kern_floats(COLS * TOKENS), *a = test_kern_floats(ROWS * UP);
    (void)state;
    for (int half = 0; half < 2; half++) {
        const int id = half ? ALLM__F16 : ALLM__F32;
        uint8_t  *packed = (uint8_t *)test_pack_aligned(ROWS * UP * sizeof *a);
        TEST_KERN_EACH(k)
        for (size_t i = 0; i < ALLM__COUNT(cuts); i++) {
            const int32_t n_rows = cuts[i].n_rows, n = cuts[i].n, up = (n + 15) / 16 * 16, T = cuts[i].n_tokens;
            float         got[ROWS * TOKENS], want[ROWS * TOKENS];
            memset(got, 0, sizeof got), memset(want, 0, sizeof want);
            for (int32_t r = 0; r < n_rows * up; r++) {
                const float    v = r % up < n ? a[r] : 0;
                const uint16_t h = allm__f32_to_f16(v);
                if (half) packed[2 * r] = (uint8_t)h, packed[2 * r + 1] = (uint8_t)(h >> 8);
                else memcpy(packed + 4 * r, &v, sizeof v);
            }
            k->mul_few_rows(packed, id, n_rows, n, x, COLS, T, got, ROWS);
            scalar->mul_few_rows(packed, id, n_rows, n, x, COLS, T, want, ROWS);
            test_kern_same("mul_few_rows", k, got, want, ROWS * TOKENS);
            for (int32_t t = 0; t < T; t++) {
                scalar->mul_few_rows(packed, id, n_rows, n, x + t * COLS, COLS, 1, want, ROWS);
                test_kern_same("mul_few_rows, alone", k, got + t * ROWS, want, n_rows);
                for (int32_t r = 0; r < n_rows; r++) {
                    double sum = 0;
                    for (int32_t c = 0; c < n; c++) {
                        const float v = a[r * up + c];
                        sum += (double)x[t * COLS + c] * (double)(half ? allm__f16_to_f32(allm__f32_to_f16(v)) : v);
                    }
                    test_kern_near("mul_few_rows", k, (double)got[t * ROWS + r], sum, 1e-5);
                }
            }
        }
        free(packed);
    }
    free(x), free(a);
}

/* A product with few columns: near the exact one, the scalar table's bits, and a row's and a token's alone. */
static void test_kern_few_cols(void **state) {
    enum { ROWS = 83, PAD = 96, TOKENS = 21, RANK = 40 };
    static const struct { int32_t rank, n_tokens, r0, r1; } cuts[] = {
        {1, 1, 0, ROWS}, {8, 1, 0, 64}, {8, 1, 5, 80}, {16, 9, 16, 32}, {3, 8, 0, 16}, {RANK, TOKENS, 0, ROWS},
        {5, 13, 7, 9},   {0, 2, 0, 48}, {2, 7, 15, 17}, {16, 4, 64, ROWS},
    };
    const allm__kern *scalar = allm__kern_find("scalar");
    float *b = test_kern_floats(PAD * RANK), *u = test_kern_floats(TOKENS * RANK), *y = test_kern_floats(PAD * TOKENS);
    (void)state;
    for (int half = 0; half < 2; half++) {
        const int id = half ? ALLM__F16 : ALLM__F32;
        uint8_t  *packed = (uint8_t *)test_pack_aligned(PAD * RANK * sizeof *b);
        for (int i = 0; i < PAD * RANK && half; i++) {
            const uint16_t h = allm__f32_to_f16(b[i]);
            b[i] = allm__f16_to_f32(h), packed[2 * i] = (uint8_t)h, packed[2 * i + 1] = (uint8_t)(h >> 8);
        }
        if (!half) memcpy(packed, b, PAD * RANK * sizeof *b);
        TEST_KERN_EACH(k)
        for (size_t i = 0; i < ALLM__COUNT(cuts); i++) {
            const int32_t rank = cuts[i].rank, T = cuts[i].n_tokens, r0 = cuts[i].r0, r1 = cuts[i].r1;
            float         got[PAD * TOKENS], want[PAD * TOKENS], one[PAD * TOKENS];
            memcpy(got, y, sizeof got), memcpy(want, y, sizeof want), memcpy(one, y, sizeof one);
            k->add_few_cols(packed, id, rank, r0, r1, u, RANK, T, 0.7f, got + r0, PAD);
            scalar->add_few_cols(packed, id, rank, r0, r1, u, RANK, T, 0.7f, want + r0, PAD);
            for (int32_t n = 0; n < T * (r1 - r0); n++) {
                const int32_t t = n / (r1 - r0), r = r0 + n % (r1 - r0), at = t * PAD + r;
                double        sum = 0;
                for (int32_t c = 0; c < rank; c++)
                    sum += (double)u[t * RANK + c] * (double)b[(r / 16 * rank + c) * 16 + r % 16];
                test_kern_near("add_few_cols", k, (double)got[at], (double)y[at] + (double)0.7f * sum, 1e-5);
                k->add_few_cols(packed, id, rank, r, r + 1, u + t * RANK, RANK, 1, 0.7f, one + at, 1);
            }
            test_kern_same("add_few_cols", k, got, want, PAD * TOKENS);
            test_kern_same("add_few_cols, alone", k, one, want, PAD * TOKENS);
        }
        free(packed);
    }
    free(b), free(u), free(y);
}

/* Steps through a state: from zeros, to another place, in place. */
static void test_kern_recurrent(void **state) {
    (void)state;
    const allm__kern *s = allm__kern_find("scalar");
    TEST_KERN_EACH(k)
    for (int t = 0; t < 3 * 24; t++) {
        const int   how = t % 3, n = 1 + t / 3 * 3 % 41, m = 1 + t * 7 % 37; /* state [n][m] */
        float      *from = test_kern_floats(n * m), *to = test_kern_floats(n * m), *want = test_kern_floats(n * m);
        float      *q = test_kern_floats(n), *b = test_kern_floats(n);
        float      *v = test_kern_floats(m), *c = test_kern_floats(m);
        float      *out = test_kern_floats(n + m), *out2 = test_kern_floats(n + m), *own = test_kern_floats(m);
        const float decay = 0.75f, beta = 0.6f;
        for (int kind = 0; kind < 3; kind++) { /* delta, ssm, ssm_row */
            const int rows = kind == 2 ? 1 : n;
            for (int i = 0; i < n * m; i++) to[i] = want[i] = from[i];
            const float *in = how == 0 ? NULL : how == 1 ? from : to, *in2 = how == 0 ? NULL : how == 1 ? from : want;
            if (kind == 0) {
                k->delta(in, to, n, m, q, b, v, decay, beta, own, out);
                s->delta(in2, want, n, m, q, b, v, decay, beta, own, out2);
            } else if (kind == 1) {
                k->ssm(in, to, n, m, q, v, c, decay, 0.3f, 2, out);
                s->ssm(in2, want, n, m, q, v, c, decay, 0.3f, 2, out2);
            } else {
                out[0]  = k->ssm_row(in, to, m, q[0], c, v, c, 0.3f, 2);
                out2[0] = s->ssm_row(in2, want, m, q[0], c, v, c, 0.3f, 2);
            }
            test_kern_same("state", k, to, want, rows * m);
            test_kern_same("result", k, out, out2, kind == 0 ? m : rows);
            double sum[64] = {0};
            for (int i = 0; i < rows; i++)
                for (int j = 0; j < m; j++) {
                    const double old = how ? (double)from[i * m + j] : 0;
                    double       v_k = 0, now;
                    for (int r = 0; r < n && how; r++) v_k += (double)decay * (double)from[r * m + j] * (double)b[r];
                    if (kind == 0) now = (double)decay * old + (double)b[i] * (double)beta * ((double)v[j] - v_k);
                    else now = (kind == 1 ? (double)decay : exp((double)0.3f * (double)c[j])) * old +
                               (double)0.3f * (double)q[i] * (double)v[j];
                    test_kern_near("state", k, (double)to[i * m + j], now, 1e-5);
                    sum[kind == 0 ? j : i] += now * (kind == 0 ? (double)q[i] : (double)c[j]);
                }
            for (int i = 0; i < (kind == 0 ? m : rows); i++)
                test_kern_near("result", k, (double)out[i], sum[i] + (kind ? 2 * (double)q[i] : 0), 3e-5);
        }
        free(from), free(to), free(want), free(q), free(b), free(v), free(c), free(out), free(out2), free(own);
    }
}

/* Every table gives the scalar one's bits: sizes with and without tails, plain and wild numbers, in place or not. */
static void test_kern_vectors_isas(void **state) {
    (void)state;
    const allm__kern *s = allm__kern_find("scalar");
    TEST_KERN_EACH(k)
    for (int n = 1; n < 700; n += n < 130 ? 1 : 61)
        for (int kind = 0; kind < 3; kind++) {
            float *x = test_kern_wild(n, kind), *w = test_kern_wild(n, kind == 1), *b = test_kern_wild(n, kind == 1);
            float *got = test_kern_floats(n), *want = test_kern_floats(n);
            k->rms_norm(x, w, 1e-5f, got, n), s->rms_norm(x, w, 1e-5f, want, n);
            test_kern_same("rms_norm", k, got, want, n);
            k->rms_norm(x, NULL, 1e-6f, got, n), s->rms_norm(x, NULL, 1e-6f, want, n);
            test_kern_same("rms_norm, no weight", k, got, want, n);
            k->layer_norm(x, w, b, 1e-5f, got, n), s->layer_norm(x, w, b, 1e-5f, want, n);
            test_kern_same("layer_norm", k, got, want, n);
            k->layer_norm(x, w, NULL, 1e-5f, got, n), s->layer_norm(x, w, NULL, 1e-5f, want, n);
            test_kern_same("layer_norm, no bias", k, got, want, n);
            memcpy(got, x, sizeof *x * (size_t)n), memcpy(want, x, sizeof *x * (size_t)n);
            k->add(got, b, n), s->add(want, b, n);
            test_kern_same("add", k, got, want, n);
            for (int i = 0; i < n && !kind; i++) x[i] *= 30;
            memcpy(got, x, sizeof *x * (size_t)n), memcpy(want, x, sizeof *x * (size_t)n);
            k->glu(got, b, n, ALLM__ACT_SILU), s->glu(want, b, n, ALLM__ACT_SILU);
            test_kern_same("swiglu", k, got, want, n);
            const float top = k->max_of(x, n), sum = k->exp_sum(x, 1.5f, got, n), sum2 = s->exp_sum(x, 1.5f, want, n);
            const float top2 = s->max_of(x, n);
            assert_true(top == top2 || (top != top && top2 != top2)); /* a zero of either sign */
            test_kern_same("exp_sum", k, got, want, n), test_kern_same("exp_sum's sum", k, &sum, &sum2, 1);
            for (int halves = 0; halves < 2; halves++) {
                memcpy(got, x, sizeof *x * (size_t)n), memcpy(want, x, sizeof *x * (size_t)n);
                (halves ? k->rope_halves : k->rope_pairs)(got, b, n & ~1);
                (halves ? s->rope_halves : s->rope_pairs)(want, b, n & ~1);
                test_kern_same("rope", k, got, want, n);
            }
            free(x), free(w), free(b), free(got), free(want);
        }
    TEST_KERN_EACH(k) { /* e^x over its whole range */
        enum { N = 1 << 16 };
        float *x = test_kern_floats(N), *got = test_kern_floats(N), *want = test_kern_floats(N);
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < N; i++)
                x[i] = round ? allm__float((uint32_t)test_random()) : -104.5f + (float)i * 0.003f;
            k->exp_sum(x, 0, got, N), s->exp_sum(x, 0, want, N);
            test_kern_same("exp", k, got, want, N);
        }
        free(x), free(got), free(want);
    }
}

/* ---- attention */

static const allm_kv_type test_kern_kv[] = {ALLM_KV_F32, ALLM_KV_F16, ALLM_KV_BF16, ALLM_KV_Q8_0, ALLM_KV_Q4_0};
enum { TEST_KERN_KV_PLAIN = 3 }; /* the others are codes */

/* Where element e of key (value) i lies, in elements. */
static size_t test_kern_k_at(int64_t i, int e, int dim, allm_kv_type type) {
    const int u = type >= ALLM_KV_BF16 ? 2 : 1; /* [dim / u][64][u] */
    (void)dim;
    return (size_t)((e / u * 64 + i) * u + e % u);
}

static size_t test_kern_v_at(int64_t i, int e, int dim, allm_kv_type type) {
    const int u = type >= ALLM_KV_BF16 ? 2 : 1, n = (dim + 15) / 16 * 16; /* [e / 64][i / u][64 or what is left][u] */
    const int width = ALLM__MIN(64, n - e / 64 * 64);
    return (size_t)(e / 64 * 64 * 64 + (i / u * width + e % 64) * u + i % u);
}

/* Where its block begins. */
static const uint8_t *test_kern_kv_block(const allm__attend *a, const uint8_t *p, int64_t i) {
    return p + (size_t)(i / 64 / a->n_run) * a->ld_run + (size_t)(i / 64 % a->n_run) * a->ld_block;
}

static double test_kern_cached(const uint8_t *p, size_t at, allm_kv_type type) {
    if (type == ALLM_KV_F32) return (double)allm__load_f32(p + 4 * at);
    const uint16_t h = allm__load_u16(p + 2 * at);
    return (double)(type == ALLM_KV_F16 ? allm__f16_to_f32(h) : allm__bf16_to_f32(h));
}

/* Code number `at` of a block of codes, times the scale with that index, which is *d. */
static double test_kern_kv_code(const uint8_t *p, int dim, size_t i_scale, size_t line, size_t at, allm_kv_type type,
                             float *d) {
    const uint8_t *codes = p + 128 * (size_t)((dim + 31) / 32);
    const uint8_t  four = codes[line / 2 * 32 + at];
    const int      q = type == ALLM_KV_Q8_0 ? (int8_t)codes[line * 32 + at] : (line % 2 ? four >> 4 : four & 15) - 8;
    *d = allm__bf16_to_f32(allm__load_u16(p + 2 * i_scale));
    return (double)allm__bf16_to_f32(allm__f32_to_bf16((float)q * *d));
}

/* Element e of key (value) i < 64 of a block. */
static double test_kern_k(const uint8_t *p, size_t i, size_t e, int dim, allm_kv_type type, float *d) {
    const size_t n = ((size_t)dim + 31) / 32;
    if (type <= ALLM_KV_BF16) return test_kern_cached(p, test_kern_k_at((int64_t)i, (int)e, dim, type), type);
    return test_kern_kv_code(p, dim, (i / 16 * n + e / 32) * 16 + i % 16, i / 16 * n * 16 + e / 2, i % 16 * 2 + e % 2,
                          type, d);
}

static double test_kern_v(const uint8_t *p, size_t i, size_t e, int dim, allm_kv_type type, float *d) {
    const size_t n = ((size_t)dim + 31) / 32;
    if (type <= ALLM_KV_BF16) return test_kern_cached(p, test_kern_v_at((int64_t)i, (int)e, dim, type), type);
    return test_kern_kv_code(p, dim, (i / 2 * n + e / 32) * 2 + i % 2, i / 2 * n * 2 + e / 16, e % 16 * 2 + i % 2, type,
                          d);
}

/* What the cache makes of x. */
static double test_kern_rounded(float x, allm_kv_type type) {
    if (type == ALLM_KV_F32) return (double)x;
    if (type == ALLM_KV_F16) return (double)allm__f16_to_f32(allm__f32_to_f16(x));
    return fabsf(x) < 0x1p-56f ? 0 : (double)allm__bf16_to_f32(allm__f32_to_bf16(x));
}

/* Every element has its place; what is nobody's stays, but for padding: all bytes are 0xff before. */
static void test_kern_kv_store_check(const allm__kern *k, int dim, allm_kv_type type, const int32_t *keys,
                                     int n_keys) {
    const size_t n_k = allm__attend_k_bytes(dim, type), n_v = allm__attend_v_bytes(dim, type);
    const size_t size = allm__kv_bytes(type);
    test_guard   gk = test_guard_new(n_k), gv = test_guard_new(n_v);
    uint8_t     *ck = (uint8_t *)gk.ptr, *cv = (uint8_t *)gv.ptr;
    int         *seen_k = (int *)calloc(n_k, sizeof(int)), *seen_v = (int *)calloc(n_v, sizeof(int));
    memset(ck, 0xff, n_k), memset(cv, 0xff, n_v);
    for (int i = 0; i < n_keys; i++) {
        float *x = test_kern_wild(dim, i % 3);
        k->k_store(x, dim, ck, keys[i], type), k->v_store(x, dim, cv, keys[i], type);
        for (int e = 0; e < dim; e++) {
            const size_t at_k = test_kern_k_at(keys[i], e, dim, type), at_v = test_kern_v_at(keys[i], e, dim, type);
            const double got_k = test_kern_cached(ck, at_k, type), got_v = test_kern_cached(cv, at_v, type);
            const double want = test_kern_rounded(x[e], type);
            if ((got_k != want || got_v != want) && !(want != want && got_k != got_k && got_v != got_v))
                fail_msg("%s, type %d, dim %d, key %d[%d]: %g, %g, not %g", k->name, (int)type, dim, (int)keys[i], e,
                         got_k, got_v, want);
            assert_false(seen_k[at_k]++ || seen_v[at_v]++);
        }
        for (int e = dim; e < allm__attend_k_len(dim, type); e++) { /* a pair's partner is zero */
            const size_t at = test_kern_k_at(keys[i], e, dim, type);
            assert_true(test_kern_cached(ck, at, type) == 0);
            seen_k[at] = 1;
        }
        for (int e = dim; e < allm__attend_pad(dim); e++) seen_v[test_kern_v_at(keys[i], e, dim, type)] = 1;
        free(x);
    }
    for (size_t i = 0; i < n_k / size; i++)
        for (size_t b = 0; b < size && !seen_k[i]; b++) assert_int_equal(ck[i * size + b], 0xff);
    for (size_t i = 0; i < n_v / size; i++)
        for (size_t b = 0; b < size && !seen_v[i]; b++) assert_int_equal(cv[i * size + b], 0xff);
    free(seen_k), free(seen_v), test_guard_free(&gk), test_guard_free(&gv);
}

static void test_kern_kv_store(void **state) {
    static const int32_t keys[] = {0, 1, 15, 16, 18, 31, 32, 61, 63};
    (void)state;
    TEST_KERN_EACH(k)
    for (size_t t = 0; t < TEST_KERN_KV_PLAIN; t++)
        for (int dim = 1; dim < 150; dim += dim < 36 ? 1 : 19)
            test_kern_kv_store_check(k, dim, test_kern_kv[t], keys, ALLM__COUNT(keys));
}

/* Codes are within half a step of the number, which is the largest one's 127th or 8th part; of 4 bits, the other end
 * has one step less. All keys of a block, in an order that has neighbours apart, in full memory. */
static void test_kern_kv_codes(void **state) {
    static const int dims[] = {1, 2, 16, 31, 33, 40, 64, 80, 128};
    (void)state;
    TEST_KERN_EACH(k)
    for (size_t t = TEST_KERN_KV_PLAIN; t < ALLM__COUNT(test_kern_kv); t++)
        for (size_t n = 0; n < ALLM__COUNT(dims); n++) {
            const int          dim = dims[n];
            const allm_kv_type type = test_kern_kv[t];
            const size_t       n_block = allm__attend_k_bytes(dim, type);
            test_guard         gk = test_guard_new(n_block), gv = test_guard_new(n_block);
            float             *x = test_kern_floats(64 * dim), d[2] = {0, 0};
            assert_int_equal(n_block, allm__attend_v_bytes(dim, type));
            assert_int_equal(n_block, 64 * (size_t)((dim + 31) / 32) * (type == ALLM_KV_Q8_0 ? 34 : 18));
            memset(gk.ptr, 0xff, n_block), memset(gv.ptr, 0xff, n_block);
            for (int i = 0; i < 64; i++) {
                const int key = i * 37 % 64;
                k->k_store(x + key * dim, dim, gk.ptr, key, type), k->v_store(x + key * dim, dim, gv.ptr, key, type);
            }
            for (int i = 0; i < 64 * dim; i++) {
                const int    e = i % dim, end = ALLM__MIN(dim, e / 32 * 32 + 32), of = type == ALLM_KV_Q8_0 ? 127 : 8;
                float        most = 0;
                const double got = test_kern_k((uint8_t *)gk.ptr, (size_t)(i / dim), (size_t)e, dim, type, d);
                const double other = test_kern_v((uint8_t *)gv.ptr, (size_t)(i / dim), (size_t)e, dim, type, d + 1);
                for (int c = e / 32 * 32; c < end; c++) most = ALLM__MAX(most, fabsf(x[i - e + c]));
                assert_true(got == other && test_kern_same_bits(d[0], d[1]));
                assert_true(fabsf(fabsf(d[0]) * (float)of - most) <= most * 0x1p-8f);
                const double step = (double)fabsf(d[0]), far = (double)x[i] / (double)d[0] > 7.5 && of == 8 ? 1 : 0.5;
                if (!(fabs(got - (double)x[i]) <= step * far * 1.01 + fabs(got) * 0x1p-8))
                    fail_msg("%s, type %d, dim %d, key %d[%d]: %g, not %g", k->name, (int)type, dim, i / dim, e, got,
                             (double)x[i]);
            }
            free(x), test_guard_free(&gk), test_guard_free(&gv);
        }
}

typedef struct test_kern_att { /* a batch of queries on a cache, whose end is guarded */
    test_guard   guard;
    uint8_t     *k, *v; /* blocks of K and V in turn */
    size_t       n_cache;
    allm__attend a;
    int          n_tok, n_rows;
    int64_t      n_keys;
    float       *q, *out, *scratch; /* q [n_tok, n_q + 1, head_dim], out [n_tok, n_q + 2, head_dim_v] */
    size_t       n_out;
} test_kern_att;

/* Key x and value y number i; NULL: as it was. */
static void test_kern_att_store(const allm__kern *k, const test_kern_att *t, const float *x, const float *y,
                                int64_t i) {
    const size_t at = allm__attend_at(i, t->a.n_run, t->a.ld_block, t->a.ld_run);
    if (x) k->k_store(x, t->a.head_dim, t->k + at, (int32_t)(i % 64), t->a.type);
    if (y) k->v_store(y, t->a.head_dim_v, t->v + at, (int32_t)(i % 64), t->a.type);
}

/* Keys to come are NaN. kind: of the numbers, see test_kern_wild. */
static test_kern_att test_kern_att_new(int n_q, int d, int dv, allm_kv_type type, int64_t pos, int n_tok, int kind) {
    const allm__kern *k = allm__kern_find("scalar");
    test_kern_att     t;
    memset(&t, 0, sizeof t);
    t.n_tok = n_tok, t.n_rows = n_tok * n_q, t.n_keys = pos + n_tok;
    const size_t n_k = allm__attend_k_bytes(d, type), n_v = allm__attend_v_bytes(dv, type);
    t.a.n_run = 1 + n_q % 4, t.a.ld_block = n_k + n_v;
    t.a.ld_run = (size_t)t.a.n_run * t.a.ld_block + 64 * (size_t)(n_q % 3);
    t.n_cache = (size_t)((t.n_keys + 63) / 64 / t.a.n_run + 1) * t.a.ld_run;
    t.guard = test_guard_new(t.n_cache);
    t.k = t.v = (uint8_t *)t.guard.ptr;
    if (n_q % 2) t.v += n_k;
    else t.k += n_v;
    memset(t.guard.ptr, 0xff, t.n_cache);
    t.q     = test_kern_wild(n_tok * (n_q + 1) * d, kind);
    t.n_out = (size_t)(n_tok * (n_q + 2) * dv);
    t.out   = test_kern_floats((int64_t)t.n_out);
    t.scratch = (float *)test_pack_aligned(sizeof(float) * allm__attend_scratch(d, dv, type));
    memset(t.scratch, 0xff, sizeof(float) * allm__attend_scratch(d, dv, type));
    t.a.q = t.q, t.a.out = t.out, t.a.ldq = (n_q + 1) * d, t.a.ldo = (n_q + 2) * dv;
    t.a.k = t.k, t.a.v = t.v, t.a.pos = pos, t.a.n_q = n_q;
    t.a.head_dim = d, t.a.head_dim_v = dv, t.a.scale = 1 / sqrtf((float)d), t.a.type = type;
    for (int64_t i = 0; i < t.n_keys; i++) {
        float *x = test_kern_wild(d, kind), *y = test_kern_wild(dv, kind);
        test_kern_att_store(k, &t, x, y, i);
        free(x), free(y);
    }
    return t;
}

static void test_kern_att_free(test_kern_att *t) {
    test_guard_free(&t->guard);
    free(t->q), free(t->out), free(t->scratch);
}

/* All queries, in tiles of n. */
static void test_kern_att_run(const allm__kern *k, test_kern_att *t, int n) {
    for (size_t i = 0; i < t->n_out; i++) t->out[i] = 4;
    for (int r = 0; r < t->n_rows; r += n) k->attend(&t->a, r, ALLM__MIN(r + n, t->n_rows), t->scratch);
}

/* Against the definition, in double; then nothing was written between. */
static void test_kern_att_oracle(const allm__kern *k, const test_kern_att *t) {
    const allm__attend *a = &t->a;
    const int           d = a->head_dim, dv = a->head_dim_v, bf16 = a->type >= ALLM_KV_BF16;
    float               step;
    double             *p = (double *)malloc(sizeof(double) * (size_t)t->n_keys);
    for (int r = 0; r < t->n_rows; r++) {
        const float  *q = a->q + r / a->n_q * a->ldq + r % a->n_q * d;
        const float  *out = a->out + r / a->n_q * a->ldo + r % a->n_q * dv;
        const int64_t n = a->pos + r / a->n_q + 1, first = a->window && n > a->window ? n - a->window : 0;
        const double  sink = a->sinks ? (double)a->sinks[r % a->n_q] : -1e300, cap = (double)a->softcap;
        double        top = sink, sum = 0, size = 0;
        for (int64_t i = first; i < n; i++) {
            p[i] = 0;
            for (int e = 0; e < d; e++) {
                const double x = bf16 ? test_kern_rounded(q[e] * a->scale, a->type) : (double)q[e] * (double)a->scale;
                p[i] += x * test_kern_k(test_kern_kv_block(a, a->k, i), (size_t)i % 64, (size_t)e, d, a->type, &step);
                size = ALLM__MAX(size, fabs(x));
            }
            if (cap > 0) p[i] = cap * tanh(p[i] / cap);
            top = ALLM__MAX(top, p[i]);
        }
        for (int64_t i = first; i < n; i++) sum += p[i] = exp(p[i] - top);
        sum += exp(sink - top);
        for (int e = 0; e < dv; e++) {
            double want = 0, all = 0;
            for (int64_t i = first; i < n; i++) {
                const double v = p[i] / sum * test_kern_v(test_kern_kv_block(a, a->v, i), (size_t)i % 64, (size_t)e,
                                                          dv, a->type, &step);
                want += v, all += fabs(v);
            }
            if (!(fabs((double)out[e] - want) <= all * (bf16 ? 0x1p-8 : 0) + 3e-6 + 1e-6 * d * size))
                fail_msg("%s: %d queries of %d/%d, type %d, keys %d: query %d[%d]: %.9g, not %.9g", k->name, a->n_q, d,
                         dv, (int)a->type, (int)t->n_keys, r, e, (double)out[e], want);
        }
        if (r % a->n_q == a->n_q - 1)
            for (int e = 0; e < 2 * dv; e++) assert_true(out[dv + e] == 4);
    }
    free(p);
}

/* The scalar table's bits, for plain and odd numbers; oracle if wanted. */
static const float test_kern_sinks[] = {0.5f, -3, 40, 2, -90, 1, 0, 3, 1};

/* limits: 0 none, 1 window, 2 sinks too, 3 a cap, 4 all of these. */
static void test_kern_att_limit(test_kern_att *t, int limits, int64_t window) {
    if (limits == 1 || limits == 2 || limits == 4) t->a.window = window;
    if (limits == 2 || limits == 4) t->a.sinks = test_kern_sinks;
    if (limits >= 3) t->a.softcap = 1.5f;
}

static void test_kern_attend_limits_check(const allm__kern *k, int n_q, int d, int dv, allm_kv_type type, int64_t pos,
                                          int n_tok, float sharp, int oracle, int limits, int64_t window) {
    for (int kind = 0; kind < 3; kind++) {
        test_kern_att t    = test_kern_att_new(n_q, d, dv, type, pos, n_tok, kind);
        float        *want = test_kern_floats((int64_t)t.n_out);
        t.a.scale *= sharp;
        test_kern_att_limit(&t, limits, window);
        test_kern_att_run(allm__kern_find("scalar"), &t, ALLM__QUERIES);
        memcpy(want, t.out, t.n_out * sizeof *want);
        test_kern_att_run(k, &t, ALLM__QUERIES);
        test_kern_same("attend", k, t.out, want, (int64_t)t.n_out);
        if (kind == 0 && oracle) test_kern_att_oracle(k, &t);
        free(want), test_kern_att_free(&t);
    }
}

static void test_kern_attend_check(const allm__kern *k, int n_q, int d, int dv, allm_kv_type type, int64_t pos,
                                   int n_tok, float sharp, int oracle) {
    test_kern_attend_limits_check(k, n_q, d, dv, type, pos, n_tok, sharp, oracle, 0, 0);
}

/* Windows, sinks, caps. */
static void test_kern_attend_limits(void **state) {
    (void)state;
    static const int64_t pos[] = {0, 7, 60, 130, 509, 700}, windows[] = {1, 13, 64, 100, 513};
    TEST_KERN_EACH(k)
    for (size_t t = 0; t < ALLM__COUNT(test_kern_kv); t++)
        for (size_t i = 0; i < ALLM__COUNT(pos) * ALLM__COUNT(windows); i++)
            test_kern_attend_limits_check(k, 1 + (int)(i % 5), i % 2 ? 40 : 16, 24, test_kern_kv[t], pos[i % 6],
                                          1 + (int)(i % 9), 1, 1, 1 + (int)(i % 4), windows[i / 6]);
}

static void test_kern_attend(void **state) {
    (void)state;
    static const int dims[][2] = {{1, 1},   {8, 8},   {33, 40},   {40, 33},   {64, 64},  {72, 5},
                                  {80, 80}, {96, 96}, {112, 112}, {128, 128}, {192, 128}, {256, 256}};
    static const int ends[] = {1, 2, 15, 31, 33, 63, 64, 65, 97, 129, 200};
    TEST_KERN_EACH(k)
    for (size_t t = 0; t < ALLM__COUNT(test_kern_kv); t++)
        for (size_t d = 0; d < ALLM__COUNT(dims); d++)
            for (size_t e = d % 2; e < ALLM__COUNT(ends); e += TEST_SANITIZED ? 4 : 2) {
                const int n_q = 1 + (int)((d + e) % 9), n = ends[e], n_tok = ALLM__MIN(n, 1 + (int)((3 * d + e) % 7));
                test_kern_attend_check(k, n_q, dims[d][0], dims[d][1], test_kern_kv[t], n - n_tok, n_tok, 1, 1);
                if (e == 5) test_kern_attend_check(k, 2, dims[d][0], dims[d][1], test_kern_kv[t], 60, 5, 200, 0);
            }
}

/* Every number of keys; and more than one span. */
static void test_kern_attend_keys(void **state) {
    (void)state;
    TEST_KERN_EACH(k)
    for (size_t t = 0; t < ALLM__COUNT(test_kern_kv); t++) {
        for (int n = 1; n <= 200; n += TEST_SANITIZED ? 7 : 1)
            test_kern_attend_check(k, 1 + n % 4, 16, 16, test_kern_kv[t], n - ALLM__MIN(n, 1 + n % 5),
                                   ALLM__MIN(n, 1 + n % 5), 3, 1);
        for (int n = 500; n <= 1100; n += n % 512 < 2 || n % 512 > 508 ? 1 : 23)
            test_kern_attend_check(k, 2, 8, 8, test_kern_kv[t], n - 3, 3, 3, 1);
    }
}

/* VDPBF16PS, where this machine has it, does what the tables with fused multiply-adds do: sums that cancel, that are
 * tiny, huge, rescaled. */
static void test_kern_attend_pairs(void **state) {
    (void)state;
    TEST_KERN_EACH(k)
    for (int i = 0; i < 60; i++) {
        test_kern_att t    = test_kern_att_new(3, 64, 64, ALLM_KV_BF16, 130, 4, 0);
        float        *want = test_kern_floats((int64_t)t.n_out);
        uint16_t     *p    = (uint16_t *)t.guard.ptr; /* n_q is odd: K, V, K, V, K, V of 64 x 64 */
        const int     low  = i % 2 ? 71 : 120, range = i % 2 ? 30 : 14; /* exponents; nothing is below 2^-56 */
        for (size_t n = 0; n < t.n_cache / 2; n++)
            p[n] = (uint16_t)((test_random() & 0x80ff) |
                              (uint64_t)(low + (int)test_random_below((uint64_t)range)) << 7);
        for (int n = 0; n < 4 * 4 * 64; n++) t.q[n] = ldexpf(t.q[n], i % 3 * 20 - 20 - (int)test_random_below(40));
        for (size_t n = 1; n < t.n_cache / 2 && i % 4 > 1; n += 2) /* pairs that cancel */
            if (n / 4096 % 2 == 0 && test_random() % 2) p[n] = p[n - 1] ^ 0x8000;
        t.a.scale = 1;
        test_kern_att_run(allm__kern_find("scalar"), &t, 12);
        memcpy(want, t.out, t.n_out * sizeof *want);
        test_kern_att_run(k, &t, 12);
        test_kern_same("attend, extremes", k, t.out, want, (int64_t)t.n_out);
        free(want), test_kern_att_free(&t);
    }
}

/* A query's result is the same in any tile, batch, or put together from spans; later keys do not matter. */
static void test_kern_attend_bits_check(const allm__kern *k, int n_q, int d, int dv, allm_kv_type type, int64_t pos,
                                        int limits) {
    enum { T = 7 };
    test_kern_att t       = test_kern_att_new(n_q, d, dv, type, pos, T, 0), one;
    const int64_t n_state = allm__attend_state(dv), ld = 4 * n_state;
    float        *whole = test_kern_floats((int64_t)t.n_out), *spans = test_kern_floats(n_q * ld);
    float         nan[300];
    for (int i = 0; i < 300; i++) nan[i] = i % 2 ? NAN : INFINITY;
    t.a.scale *= 5;
    test_kern_att_limit(&t, limits, 70);
    test_kern_att_run(k, &t, ALLM__QUERIES);
    memcpy(whole, t.out, t.n_out * sizeof *whole);
    for (int n = 1; n < ALLM__QUERIES; n++) {
        test_kern_att_run(k, &t, n);
        assert_memory_equal(whole, t.out, t.n_out * sizeof *whole);
    }
    for (int i = T - 1; i >= 0; i--) { /* token after token, from the last on; behind it all is NaN */
        one = t;
        one.a.q += i * t.a.ldq, one.a.out += i * t.a.ldo, one.a.pos += i, one.n_tok = 1, one.n_rows = n_q;
        one.n_out = (size_t)(n_q * dv), one.out = one.a.out;
        test_kern_att_run(k, &one, ALLM__QUERIES);
        assert_memory_equal(whole + i * t.a.ldo, one.out, one.n_out * sizeof *whole);
        const int64_t first = allm__attend_first(one.a.pos, one.a.window) / ALLM__SPAN;
        for (int64_t s = first; s * ALLM__SPAN <= one.a.pos; s++)
            for (int r = 0; r < n_q; r += 2)
                k->attend_span(&one.a, r, ALLM__MIN(r + 2, n_q), s, spans + r * ld + s * n_state, ld,
                               t.scratch);
        for (int r = 0; r < n_q; r++)
            k->attend_join(spans + r * ld + first * n_state, allm__attend_spans(one.a.pos + 1) - first, dv,
                           one.a.sinks ? one.a.sinks + r : NULL, one.out + r * dv);
        assert_memory_equal(whole + i * t.a.ldo, one.out, one.n_out * sizeof *whole);
        if (i == 4) { /* those before do not see this one in the same batch */
            test_kern_att_store(k, &t, nan, nan, pos + i);
            test_kern_att_run(k, &t, ALLM__QUERIES);
            assert_memory_equal(whole, t.out, (size_t)(4 * t.a.ldo) * sizeof *whole);
            for (int n = 0; n < n_q * dv; n++) assert_true(t.out[4 * t.a.ldo + n] != t.out[4 * t.a.ldo + n]);
        }
    }
    free(whole), free(spans), test_kern_att_free(&t);
}

static void test_kern_attend_bits(void **state) {
    (void)state;
    static const int64_t pos[] = {0, 1, 12, 57, 58, 63, 100, 505, 506, 509, 511, 700, 1021};
    TEST_KERN_EACH(k)
    for (size_t t = 0; t < ALLM__COUNT(test_kern_kv); t++)
        for (size_t i = 0; i < ALLM__COUNT(pos); i++)
            test_kern_attend_bits_check(k, 1 + (int)(i + t) % 5, i % 2 ? 80 : 15, i % 3 ? 24 : 64, test_kern_kv[t],
                                        pos[i], (int)(i + t) % 5);
}

/* What cannot be a weight: NaN and infinities in scores and values. */
static void test_kern_attend_odd(void **state) {
    (void)state;
    enum { D = 24 };
    TEST_KERN_EACH(k)
    for (size_t n = 0; n < ALLM__COUNT(test_kern_kv); n++)
        for (int i = 0; i < 4; i++) {
            const allm_kv_type type = test_kern_kv[n];
            test_kern_att      t    = test_kern_att_new(2, D, D, type, 90, 3, 0);
            float              x[D];
            for (int e = 0; e < D; e++) x[e] = i == 0 ? NAN : i == 1 ? -INFINITY : INFINITY;
            for (int e = 0; e < 8 * D; e++) t.q[e] = fabsf(t.q[e]) + 0.1f;
            test_kern_att_store(k, &t, i < 3 ? x : NULL, i < 3 ? NULL : x, 50);
            for (int64_t c = 0; c < 93 && i == 1; c++) test_kern_att_store(k, &t, x, NULL, c);
            test_kern_att_run(k, &t, 12);
            for (int r = 0; r < t.n_rows; r++)
                for (int e = 0; e < D; e++) {
                    const float y = t.out[r / 2 * t.a.ldo + r % 2 * D + e];
                    if (n >= TEST_KERN_KV_PLAIN) assert_true(y != y); /* nothing is infinite in codes */
                    else assert_true(i == 1 ? y == 0 : i == 3 ? y == INFINITY : y != y); /* 1: no key counts */
                }
            test_kern_att_free(&t);
        }
}

/* ---- weights that are codes and scales apart */

/* Random codes of so many bits in groups of columns; FP4 without biases. */
static allm__wsrc test_kern_source(int n_bits, int64_t group, const allm__fmt *scales, int64_t n_rows, int64_t n_cols) {
    allm__wsrc    w = {0};
    const int64_t n_groups = n_cols / group;
    const size_t  n_codes = (size_t)(n_rows * n_cols * n_bits / 8), n_scales = (size_t)(n_rows * n_groups);
    uint8_t *codes = (uint8_t *)malloc(n_codes), *grids = (uint8_t *)malloc(2 * n_scales * (size_t)scales->n_bytes);
    for (size_t i = 0; i < n_codes; i++) codes[i] = (uint8_t)test_random();
    for (size_t i = 0; i < 2 * n_scales; i++) {
        const float x = test_pack_uniform();
        if (scales->quant) scales->quant(&x, grids + i * (size_t)scales->n_bytes, 1);
        else grids[i] = (uint8_t)(scales->id == ALLM__F8_E8M0 ? 120 + test_random_below(12) : test_random() & 0xf7);
    }
    w.name = "test", w.kind = scales->quant ? ALLM__W_INT : ALLM__W_FP4;
    w.n_mats = w.row_step = 1, w.n_rows = n_rows, w.n_cols = n_cols, w.group = group;
    w.codes.data = codes, w.codes.bits = n_bits, w.codes.word_bytes = 4, w.codes.line_bytes = n_cols * n_bits / 8;
    w.scales.data = grids, w.scales.fmt = scales, w.scales.rows = 1, w.scales.row_step = n_groups;
    w.scales.group_step = 1;
    w.biases = w.scales, w.biases.data = scales->quant ? grids + n_scales * (size_t)scales->n_bytes : NULL;
    return w;
}

/* E4M3 with scales, some of it NaN. */
static allm__wsrc test_kern_fp8(int64_t group, const allm__fmt *scales, int64_t n_rows, int64_t n_cols) {
    allm__wsrc w = test_kern_source(8, group, scales, n_rows, n_cols);
    uint8_t   *q = (uint8_t *)(uintptr_t)w.codes.data;
    for (int64_t i = 0; i < n_rows * n_cols; i++)
        if ((q[i] & 127) == 127 && i > n_cols) q[i] = 0x10; /* NaN in the first row only */
    q[5] = 0xff;
    w.kind = ALLM__W_FMT, w.fmt = allm__fmt_of(ALLM__F8_E4M3), w.data = q, w.row_bytes = (size_t)n_cols;
    w.biases.data = NULL;
    return w;
}

/* Signed bytes with scales. */
static allm__wsrc test_kern_i8(int64_t group, const allm__fmt *scales, int64_t n_rows, int64_t n_cols) {
    allm__wsrc w = test_kern_source(8, group, scales, n_rows, n_cols);
    w.kind = ALLM__W_FMT, w.fmt = allm__fmt_of(ALLM__I8), w.data = w.codes.data, w.row_bytes = (size_t)n_cols;
    w.biases.data = NULL;
    return w;
}

static void test_kern_source_check(const allm__wsrc *src) {
    enum { T = 5 };
    const int64_t R = src->n_rows, N = src->n_cols;
    test_pack_w   m = {0};
    float        *x = test_kern_floats(N * T), *row = test_kern_floats(N), *y = test_kern_floats(R * T);
    float        *first = test_kern_floats(R * T);
    const allm__mat_part whole = {*src, R, 0, R, 0};
    m.mat.fmt = allm__pack_of(src), m.mat.parts = &whole, m.mat.n_parts = 1, m.mat.n_rows = R, m.mat.n_cols = N;
    assert_non_null(m.mat.fmt);
    for (size_t way = 0; way < ALLM__COUNT(test_kern_ways); way++)
        for (int i = 0; i < 3 && test_kern_has_way(m.mat.fmt, test_kern_ways[way]); i++) {
            const allm__kern *scalar = allm__kern_find("scalar");
            const int32_t     n_tok  = i ? T - 2 + i : 1;
            test_kern_product(scalar, &m, 0, R, x, n_tok, test_kern_ways[way & ~(size_t)1], first, R);
            TEST_KERN_EACH(k) {
                test_kern_product(k, &m, 0, R, x, n_tok, test_kern_ways[way], y, R);
                test_kern_same(m.mat.fmt->name, k, y, first, R * n_tok);
            }
            allm__acts a = test_kern_acts_of(scalar, x, N, n_tok, ALLM__MAX(1, test_kern_ways[way].n_planes));
            for (int64_t r = 0; r < R; r++) {
                allm__wsrc_row(src, r, 0, N, row);
                for (int64_t t = 0; t < n_tok; t++) {
                    double want = 0, size = 1e-30;
                    for (int64_t c = 0; c < N; c++) {
                        const double v = test_kern_ways[way].n_planes ? test_kern_act(&a, t, c) : (double)x[t * N + c];
                        want += (double)row[c] * v, size += fabs(v) * (fabs((double)row[c]) + 1);
                    }
                    if (want != want && first[t * R + r] != first[t * R + r]) continue;
                    if (!(fabs((double)first[t * R + r] - want) <= 1e-5 * size))
                        fail_msg("%s, row %d, token %d: %g, not %g", m.mat.fmt->name, (int)r, (int)t,
                                 (double)first[t * R + r], want);
                }
            }
            free(a.mem);
        }
    const allm__mat some = allm__mat_rows(&m.mat, 3, 2); /* as packed on the way */
    test_pack_w     part = {0};
    part.mat             = some;
    const size_t    floats = m.mat.fmt->n_weights == 1 ? 0 : 2;
    test_kern_product(allm__kern_find(NULL), &part, 0, 2, x, 1, test_kern_ways[floats], y, 2);
    test_kern_product(allm__kern_find(NULL), &m, 0, R, x, 1, test_kern_ways[floats + 1], first, R);
    test_kern_same("rows of a source", allm__kern_find(NULL), y, first + 3, 2);
    free(x), free(row), free(y), free(first);
}

static void test_kern_sources(void **state) {
    (void)state;
    static const int bits[] = {2, 3, 4, 5, 6, 8}, scales[] = {ALLM__F16, ALLM__BF16, ALLM__F32};
    for (size_t b = 0; b < ALLM__COUNT(bits) + 2; b++)
        for (int64_t group = 32; group <= 128; group *= 2)
            for (size_t i = 0; i < ALLM__COUNT(scales); i++) {
                const int  fp4 = b < ALLM__COUNT(bits) ? 0 : b == ALLM__COUNT(bits) ? ALLM__F8_E8M0 : ALLM__F8_E4M3;
                allm__wsrc w   = test_kern_source(fp4 ? 4 : bits[b], fp4 == ALLM__F8_E4M3 ? 16 : group,
                                                  allm__fmt_of(fp4 ? fp4 : scales[i]), 35, 384);
                test_kern_source_check(&w);
                free((void *)(uintptr_t)w.codes.data), free((void *)(uintptr_t)w.scales.data);
            }
    for (int64_t group = 32; group <= 128; group *= 2)
        for (size_t i = 0; i < ALLM__COUNT(scales) + 1; i++) {
            const allm__fmt *f = allm__fmt_of(i ? scales[i - 1] : ALLM__F8_E8M0);
            for (int fp8 = !i; fp8 < 2; fp8++) {
                allm__wsrc w = fp8 ? test_kern_fp8(group, f, 35, 384) : test_kern_i8(group, f, 35, 384);
                test_kern_source_check(&w);
                free((void *)(uintptr_t)w.codes.data), free((void *)(uintptr_t)w.scales.data);
            }
        }
    allm__wsrc odd = {0};
    assert_null(allm__pack_of(&odd));
}

/* Two groups of rows, of codes and inputs as they come and of the largest, whose sums nearly fill 20 bits. */
static void test_kern_source_groups(void **state) {
    (void)state;
    enum { R = 35, N = 384, T = 23 };
    static const int bits[] = {2, 3, 4, 5, 6, 8}, scales[] = {ALLM__F16, ALLM__BF16, ALLM__F32};
    for (size_t i = 0; i < ALLM__COUNT(bits) * ALLM__COUNT(scales) * 6; i++) {
        const int  b = bits[i / 18], most = (int)i % 3 - 1;
        allm__wsrc w = test_kern_source(b, i / 3 % 2 ? 64 : 32, allm__fmt_of(scales[i / 6 % 3]), R, N);
        float     *x = test_kern_floats(N * T), y[R * T], want[R * T];
        const allm__mat_part whole = {w, R, 0, R, 0};
        test_pack_w          m     = {0};
        if (most) memset((void *)(uintptr_t)w.codes.data, 255, (size_t)(R * N * b / 8));
        for (int c = 0; c < N * T && most; c++) x[c] = (float)(127 * most);
        m.mat.fmt = allm__pack_of(&w), m.mat.parts = &whole, m.mat.n_parts = 1, m.mat.n_rows = R, m.mat.n_cols = N;
        test_kern_product(allm__kern_find("scalar"), &m, 0, R, x, T, test_kern_ways[2], want, R);
        TEST_KERN_EACH(k)
        for (size_t way = 2; way < 4; way++) {
            test_kern_product(k, &m, 0, R, x, T, test_kern_ways[way], y, R);
            test_kern_same(m.mat.fmt->name, k, y, want, R * T);
        }
        free(x), free((void *)(uintptr_t)w.codes.data), free((void *)(uintptr_t)w.scales.data);
    }
}

static const struct CMUnitTest test_kern[] = {
    cmocka_unit_test(test_kern_acts_contract),  cmocka_unit_test(test_kern_acts_isas),
    cmocka_unit_test(test_kern_acts_split),     cmocka_unit_test(test_kern_gemm),
    cmocka_unit_test(test_kern_acts_tiles),     cmocka_unit_test(test_kern_acts_ends),
    cmocka_unit_test(test_kern_acts_limit),     cmocka_unit_test(test_kern_gemm_groups),
    cmocka_unit_test(test_kern_sources),        cmocka_unit_test(test_kern_source_groups),
    cmocka_unit_test(test_kern_integers),
    cmocka_unit_test(test_kern_same_bits_split), cmocka_unit_test(test_kern_odd_numbers),
    cmocka_unit_test(test_kern_scales_extreme), cmocka_unit_test(test_kern_norms),
    cmocka_unit_test(test_kern_exp),            cmocka_unit_test(test_kern_swiglu),
    cmocka_unit_test(test_kern_rope),           cmocka_unit_test(test_kern_max),
    cmocka_unit_test(test_kern_vocabulary),
    cmocka_unit_test(test_kern_kv_store),       cmocka_unit_test(test_kern_attend),
    cmocka_unit_test(test_kern_kv_codes),
    cmocka_unit_test(test_kern_attend_limits),
    cmocka_unit_test(test_kern_families),
    cmocka_unit_test(test_kern_recurrent),      cmocka_unit_test(test_kern_few_rows),
    cmocka_unit_test(test_kern_few_cols),
    cmocka_unit_test(test_kern_attend_bits),    cmocka_unit_test(test_kern_vectors_isas),
    cmocka_unit_test(test_kern_attend_keys),    cmocka_unit_test(test_kern_attend_pairs),
    cmocka_unit_test(test_kern_attend_odd),
    cmocka_unit_test(test_kern_gemm_wild),
    cmocka_unit_test(test_kern_gemm_few),       cmocka_unit_test(test_kern_rest_contract),
    cmocka_unit_test(test_kern_rest),           cmocka_unit_test(test_kern_rest_wild),
};
