/* Room pack: what is packed says the same as the rows did, for every format; and random matrices for room kern. */

#define TEST_KERN_EACH(k)                                                 \
    for (size_t k##_i = 0; k##_i < ALLM__COUNT(allm__isas); k##_i++)      \
        for (const allm__kern *k = allm__kern_find(allm__isas[k##_i].name); k; k = NULL)

static float test_pack_uniform(void) { return (float)(allm__random(5, test_random(), 0) * 2 - 1); }

static void *test_pack_aligned(size_t n_bytes) {
    void *p = NULL;
    assert_int_equal(posix_memalign(&p, 64, n_bytes ? n_bytes : 1), 0);
    return p;
}

/* ---- random weights of any format */

/* Where a block keeps its f16 scales; -1: none. */
static void test_pack_scales(int32_t id, int at[2]) {
#define AT(type, a, b) at[0] = (int)offsetof(type, a), at[1] = (int)offsetof(type, b)
    at[0] = at[1] = -1;
    switch (id) {
    case ALLM__Q4_0: AT(allm__q4_0, d, d); break;
    case ALLM__Q4_1: AT(allm__q4_1, d, m); break;
    case ALLM__Q5_0: AT(allm__q5_0, d, d); break;
    case ALLM__Q5_1: AT(allm__q5_1, d, m); break;
    case ALLM__Q8_0: AT(allm__q8_0, d, d); break;
    case ALLM__Q2_K: AT(allm__q2_k, d, dmin); break;
    case ALLM__Q3_K: AT(allm__q3_k, d, d); break;
    case ALLM__Q4_K: AT(allm__q4_k, d, dmin); break;
    case ALLM__Q5_K: AT(allm__q5_k, d, dmin); break;
    case ALLM__Q6_K: AT(allm__q6_k, d, d); break;
    case ALLM__Q1_0: AT(allm__q1_0, d, d); break;
    case ALLM__Q2_0: AT(allm__q2_0, d, d); break;
    case ALLM__TQ1_0: AT(allm__tq1_0, d, d); break;
    case ALLM__TQ2_0: AT(allm__tq2_0, d, d); break;
    case ALLM__IQ4_NL: AT(allm__iq4_nl, d, d); break;
    case ALLM__IQ4_XS: AT(allm__iq4_xs, d, d); break;
    case ALLM__IQ2_XXS: case ALLM__IQ2_XS: case ALLM__IQ2_S: case ALLM__IQ3_XXS: case ALLM__IQ3_S: case ALLM__IQ1_S:
        AT(allm__iq2_xxs, d, d); /* all at the front */
        break;
    default: break;
    }
#undef AT
}

typedef struct test_pack_w { /* a matrix whose last byte lies before a forbidden page */
    test_guard guard;
    allm__mat  mat;
    double    *w; /* [n_rows, n_cols] dequantised */
} test_pack_w;

/* scale 0: random scales, else this value everywhere; fill < 0: random codes, else every byte of the codes. */
static test_pack_w test_pack_weights(const allm__fmt *f, int64_t n_rows, int64_t n_cols, float scale, int fill) {
    test_pack_w m = {0};
    size_t      row_bytes = (size_t)(n_cols / f->n_weights) * (size_t)f->n_bytes, n = row_bytes * (size_t)n_rows;
    m.guard      = test_guard_new(n + (test_random() & 1)); /* an odd address half of the time */
    uint8_t *p   = (uint8_t *)m.guard.ptr;
    int      at[2];
    test_pack_scales(f->id, at);
    for (size_t i = 0; i < n; i++) p[i] = (uint8_t)(fill < 0 ? test_random() : (uint64_t)fill);
    for (size_t i = 0; i < n; i += (size_t)f->n_bytes) {
        if (f->id == ALLM__MXFP4) p[i] = (uint8_t)(scale != 0 ? 128 : 120 + test_random_below(12));
        if (f->id == ALLM__IQ1_M) { /* d is four bits of each word; below 1 */
            uint8_t *words = p + i + offsetof(allm__iq1_m, scales);
            for (int k = 1; k < 8; k += 2) words[k] = (uint8_t)((words[k] & 15) | (k == 7 ? 0x30 : 0x50));
        }
        for (int k = 0; k < 2; k++) {
            if (at[k] >= 0) allm__put_h(p + i + at[k], scale != 0 ? scale : test_pack_uniform());
            if (f->n_weights == 1) f->quant((float[1]){scale != 0 ? scale : test_pack_uniform()}, p + i, 1);
        }
    }
    float *row = (float *)malloc((size_t)n_cols * sizeof *row);
    m.w        = (double *)malloc((size_t)(n_rows * n_cols) * sizeof *m.w);
    for (int64_t r = 0; r < n_rows; r++) {
        f->dequant(p + (size_t)r * row_bytes, row, n_cols);
        for (int64_t c = 0; c < n_cols; c++) m.w[r * n_cols + c] = (double)row[c];
    }
    free(row);
    m.mat.fmt = f, m.mat.data = p, m.mat.n_rows = n_rows, m.mat.n_cols = n_cols, m.mat.row_bytes = row_bytes;
    m.mat.packed = NULL, m.mat.parts = NULL, m.mat.row0 = 0;
    return m;
}

static void test_pack_weights_free(test_pack_w *m) {
    test_guard_free(&m->guard);
    free(m->w);
}

/* ---- reading by the layout's description: nothing of the library's but the sizes */

/* Code of row r of 16, column c of 64, from planes of n_bits. */
static int test_pack_code(const uint8_t *p, int n_bits, int r, int c) {
    const int k = 4 * r + c % 4, j = c % 32 / 4, n_low = n_bits < 4 ? 2 : 4;
    int       q = 0;
    p += c / 32 * 64 * n_bits;
    if (n_bits == 8) return p[64 * j + k];
    if (n_bits == 6) q = (p[64 * (j % 2) + k] >> j / 2 * 2 & 3) << 4, p += 2 * 64;
    if (n_bits & 1) q = (p[k] >> j & 1) << n_low, p += 64;
    return q | (p[64 * (j % n_low) + k] >> j / n_low * n_low & ((1 << n_low) - 1));
}

static double test_pack_half(const uint8_t *head, int i, int r) { return (double)allm__h(head + 32 * i + 2 * r); }

/* Weight of row r, column c of a tile. */
static double test_pack_weight(const allm__pack *p, const uint8_t *tile, int r, int c) {
    const uint8_t *floats = tile + (size_t)(c * 16 + r) * (size_t)p->n_bits / 8;
    const uint8_t *panel  = tile + p->n_head + (size_t)(c / 64) * (size_t)(p->n_scale + 128 * p->n_bits);
    const int8_t  *super  = (const int8_t *)panel;
    const int      n = 64 / p->n_part, part = c % 64 / p->n_part; /* scales of 64 columns */
    if (p->id == ALLM__F32) return (double)allm__float((uint32_t)allm__load_le(floats, 4));
    if (p->id == ALLM__F16) return (double)allm__h(floats);
    if (p->id == ALLM__BF16) return (double)allm__bf16_to_f32(allm__load_u16(floats));
    const int off = p->shift == ALLM__NO_OFFSET || p->book ? 0 : 1 << p->shift;
    const int code = test_pack_code(panel + p->n_scale, p->n_bits, r, c % 64), q = p->book ? p->book[code] : code - off;
    if (!p->n_head && p->at_d == ALLM__F32) return q * (double)allm__load_f32(panel + 64 * part + 4 * r);
    if (!p->n_head && p->at_d == ALLM__BF16)
        return q * (double)allm__bf16_to_f32(allm__load_u16(panel + 32 * part + 2 * r));
    if (!p->n_head) return q * test_pack_half(panel, part, r);
    if (!p->n_low) return q * (double)allm__load_f32(tile + 4 * r) * super[16 * part + r];
    if (p->n_cols == 64)
        return q * test_pack_half(tile, part, r) + (p->has_min ? test_pack_half(tile, 2 + part, r) : 0);
    return q * test_pack_half(tile, 0, r) * super[16 * part + r] -
           (p->has_min ? test_pack_half(tile, 1, r) * super[16 * (n + part) + r] : 0);
}

static void test_pack_check(const allm__kern *k, const allm__fmt *f, int64_t n_rows, int64_t n_cols) {
    const allm__pack *p       = allm__pack_find(f->id);
    test_pack_w       m       = test_pack_weights(f, n_rows, n_cols, 0, -1);
    const int64_t     n_tiles = allm__pack_n_tiles(p, n_cols), n_groups = (n_rows + 15) / 16;
    const size_t      n_tile = allm__pack_tile_bytes(p), n = allm__pack_bytes(p, n_rows, n_cols);
    uint8_t          *packed = (uint8_t *)test_pack_aligned(n + 1);
    memset(packed, 0xa5, n + 1);
    k->pack(&m.mat, 0, n_groups, packed);
    assert_int_equal(n, (size_t)(n_groups * n_tiles) * n_tile);
    assert_int_equal(packed[n], 0xa5);
    for (int64_t r = 0; r < n_groups * 16; r++)
        for (int64_t c = 0; c < n_tiles * p->n_cols; c++) {
            const uint8_t *tile = packed + (size_t)(r / 16 * n_tiles + c / p->n_cols) * n_tile;
            const double   got  = test_pack_weight(p, tile, (int)(r % 16), (int)(c % p->n_cols));
            const double   want = r < n_rows && c < n_cols ? m.w[r * n_cols + c] : 0;
            const double   tol  = p->has_min ? 1e-6 : 0; /* the sum with a minimum is rounded in `want` */
            if (r < n_rows && c < n_cols && !(fabs(got - want) <= tol * fmax(1, fabs(want))))
                fail_msg("%s %s: row %d of %d, column %d of %d: %.9g, not %.9g", k->name, f->name, (int)r, (int)n_rows,
                         (int)c, (int)n_cols, got, want);
        }
    free(packed);
    test_pack_weights_free(&m);
}

static void test_pack_says_the_same(void **state) {
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(allm__fmts); i++) {
        const allm__fmt *f = &allm__fmts[i];
        if (!f->has_kernels) continue;
        if (!allm__pack_find(f->id)) fail_msg("%s is not packed", f->name);
        for (int64_t n_rows = 1; n_rows <= 35; n_rows += 17)
            for (int64_t n = 1; n <= 3; n++)
                TEST_KERN_EACH(k) test_pack_check(k, f, n_rows, n * (f->n_weights == 1 ? 37 : f->n_weights));
    }
}

/* Rows and columns that do not exist add nothing to a product: scales, minima and floats there are zero. */
static void test_pack_padding(void **state) {
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(allm__packs); i++) {
        const allm__pack *p = &allm__packs[i];
        const allm__fmt  *f = allm__fmt_find(p->id);
        if (!f) continue; /* of sources: see test_kern_sources */
        test_pack_w       m = test_pack_weights(f, 3, f->n_weights == 1 ? 5 : f->n_weights, 0, -1);
        uint8_t          *packed = (uint8_t *)test_pack_aligned(ALLM__TILE_BYTES);
        memset(packed, 0xa5, ALLM__TILE_BYTES);
        allm__kern_find(NULL)->pack(&m.mat, 0, 1, packed);
        for (int r = 0; r < 16; r++)
            for (int c = 0; c < p->n_cols; c++)
                if (r >= 3 || c >= m.mat.n_cols) assert_true(test_pack_weight(p, packed, r, c) == 0);
        free(packed);
        test_pack_weights_free(&m);
    }
}

/* A row a format, and what the kernels take for granted about it. */
static void test_pack_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(allm__packs); i++) {
        const allm__pack *p = &allm__packs[i];
        assert_true(allm__pack_tile_bytes(p) <= ALLM__TILE_BYTES && allm__pack_tile_bytes(p) % 64 == 0);
        assert_true(p->n_cols % ALLM__PANEL_COLS == 0 && (p->n_part == 32 || p->n_part == 16 || p->n_part == 64));
        assert_ptr_equal(allm__pack_find(p->id), p);
        if (p->book)
            for (int k = 0; k < 1 << p->n_bits; k++)
                assert_in_range(p->book[k] + (1 << p->shift), 0, (1 << p->n_value) - 1);
        if (p->id < 1000) {
            assert_non_null(allm__fmt_find(p->id));
            assert_true(p->n_cols >= allm__fmt_find(p->id)->n_weights);
            assert_true(p->n_cols % allm__fmt_find(p->id)->n_weights == 0);
        }
    }
    assert_null(allm__pack_find(-1));
}

static const struct CMUnitTest test_pack[] = {
    cmocka_unit_test(test_pack_says_the_same),
    cmocka_unit_test(test_pack_padding),
    cmocka_unit_test(test_pack_rows),
};
