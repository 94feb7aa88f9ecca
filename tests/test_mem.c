/* Room mem: allocator, checked arithmetic, arenas, growing buffers. */

static const allm__host test_mem_default_host = {{allm__mem_default_alloc, allm__mem_default_free, NULL}, NULL, NULL};

static void test_mem_default(void **state) {
    (void)state;
    const allm__host *h = &test_mem_default_host;
    for (size_t align = 1; align <= 4096; align *= 2) {
        char *p = (char *)allm__alloc(h, 100, align);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % align, 0);
        memset(p, 1, 100);
        allm__free(h, p, 100);
    }
    volatile size_t absurd = SIZE_MAX; /* volatile: compilers warn of sizes they know */
    assert_null(allm__alloc(h, absurd, 64));
    assert_null(allm__alloc(h, absurd - 64, 64));
    if (!TEST_SANITIZED) assert_null(allm__alloc_zero(h, absurd / 2, 64));
    allm__free(h, NULL, 5);
    unsigned char *z = (unsigned char *)allm__alloc_zero(h, 1000, 8);
    assert_non_null(z);
    for (int i = 0; i < 1000; i++) assert_int_equal(z[i], 0);
    allm__free(h, z, 1000);
}

/* An allocator never sees zero bytes, and gets back the size it was asked for. */
static void test_mem_host(void **state) {
    (void)state;
    test_heap   m = {0};
    allm__host h = test_host(&m);
    void      *p = allm__alloc(&h, 0, 1), *q = allm__alloc_zero(&h, 0, 8);
    assert_true(p && q);
    assert_int_equal(m.live, 2);
    allm__free(&h, p, 0);
    allm__free(&h, q, 0);
    test_heap_check(&m);
}

static void test_mem_catch_log(void *ctx, allm_log_level level, const char *text) {
    snprintf((char *)ctx, 600, "%d %s", (int)level, text);
}

static void test_mem_log(void **state) {
    (void)state;
    char       got[600] = "", text[1000];
    allm__host h        = {{allm__mem_default_alloc, allm__mem_default_free, NULL}, NULL, NULL};
    allm__log(&h, ALLM_LOG_WARN, "nobody listens");
    h.log = test_mem_catch_log, h.log_ctx = got;
    allm__log(&h, ALLM_LOG_WARN, "%s: %d", "layer", 7);
    assert_string_equal(got, "2 layer: 7");
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = 0;
    allm__log(&h, ALLM_LOG_INFO, "%s", text);
    assert_int_equal(strlen(got), 2 + 511);
}

static void test_mem_checked(void **state) {
    (void)state;
    static const size_t rows[] = {0,            1,                2,            255,     SIZE_MAX / 3,
                                  SIZE_MAX / 2, SIZE_MAX / 2 + 1, SIZE_MAX - 1, SIZE_MAX};
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        for (size_t k = 0; k < ALLM__COUNT(rows); k++) {
            size_t a = rows[i], b = rows[k], want, got = 77;
            int    fits = !__builtin_mul_overflow(a, b, &want);
            assert_int_equal(allm__mul(a, b, &got), fits);
            assert_int_equal(got, fits ? want : 77);
            fits = !__builtin_add_overflow(a, b, &want), got = 77;
            assert_int_equal(allm__add(a, b, &got), fits);
            assert_int_equal(got, fits ? want : 77);
        }
    }
    for (size_t n = 0; n < 300; n++) {
        for (size_t align = 1; align <= 64; align *= 2) {
            size_t up = allm__round_up(n, align);
            assert_true(up >= n && up < n + align && up % align == 0);
        }
    }
}

static void test_mem_arena(void **state) {
    (void)state;
    test_heap    m = {0};
    allm__host  h = test_host(&m);
    allm__arena a = {.host = &h};
    enum { N = 3000 };
    static struct {
        unsigned char *p;
        size_t         n;
    } things[N];
    for (int i = 0; i < N; i++) {
        size_t align = (size_t)1 << test_random_below(i % 100 ? 7 : 13);
        size_t n     = (size_t)test_random_below(i % 50 ? 100 : 20000);
        things[i].p  = (unsigned char *)allm__arena_alloc(&a, n, align);
        things[i].n  = n;
        assert_non_null(things[i].p);
        assert_int_equal((uintptr_t)things[i].p % align, 0);
        memset(things[i].p, i & 255, n);
    }
    for (int i = 0; i < N; i++)
        for (size_t k = 0; k < things[i].n; k++) assert_int_equal(things[i].p[k], i & 255);
    assert_int_equal(a.n_bytes, m.live);
    assert_true(m.n_live < 40); /* chunks grow */
    assert_int_equal(a.failed, 0);
    unsigned char *z = (unsigned char *)allm__arena_array(&a, 50, 40, 16);
    for (int i = 0; i < 2000; i++) assert_int_equal(z[i], 0);
    assert_string_equal(allm__arena_copy(&a, "four", 3), "fou");
    assert_string_equal(allm__arena_copy(&a, NULL, 0), "");
    allm__arena_free(&a);
    test_heap_check(&m);
    assert_non_null(allm__arena_zero(&a, 10, 8)); /* usable again */
    allm__arena_free(&a);
    test_heap_check(&m);
}

static void test_mem_arena_refuses(void **state) {
    (void)state;
    test_heap    m = {0};
    allm__host  h = test_host(&m);
    allm__arena a = {.host = &h};
    assert_null(allm__arena_alloc(&a, SIZE_MAX, 16));
    assert_null(allm__arena_alloc(&a, SIZE_MAX - 20, 16));
    assert_int_equal(a.failed, 1);
    assert_non_null(allm__arena_alloc(&a, 16, 16)); /* a later call may work, the flag stays */
    assert_int_equal(a.failed, 1);
    allm__arena_free(&a);
    assert_int_equal(a.failed, 0);
    assert_null(allm__arena_array(&a, SIZE_MAX / 4, 8, 8));
    assert_int_equal(a.failed, 1);
    allm__arena_free(&a);
    assert_null(allm__arena_copy(&a, "", SIZE_MAX));
    assert_int_equal(a.failed, 1);
    allm__arena_free(&a);
    test_heap_check(&m);
}

static allm_status test_mem_arena_body(const allm__host *h, void *ctx) {
    (void)ctx;
    allm__arena a = {.host = h};
    for (size_t i = 0; i < 40; i++) {
        char *p = (char *)allm__arena_zero(&a, 1000 + i * 100, 8);
        if (p) memset(p, 1, 1000 + i * 100);
        char *s = allm__arena_copy(&a, "text", 4);
        if (s && strcmp(s, "text") != 0) return ALLM_E_FORMAT;
    }
    allm_status status = a.failed ? ALLM_E_MEMORY : ALLM_OK;
    allm__arena_free(&a);
    return status;
}

static void test_mem_arena_fails(void **state) {
    (void)state;
    test_fail_each(test_mem_arena_body, NULL);
}

static void test_mem_grow(void **state) {
    (void)state;
    test_heap   m   = {0};
    allm__host h   = test_host(&m);
    int32_t   *ids = NULL;
    size_t     cap = 0;
    for (size_t n = 0; n < 5000; n++) {
        assert_true(allm__grow(&h, (void **)&ids, &cap, n, n + 1, sizeof *ids));
        assert_true(cap > n && (uintptr_t)ids % 64 == 0);
        ids[n] = (int32_t)n;
    }
    assert_true(m.n_calls < 12);
    for (int32_t n = 0; n < 5000; n++) assert_int_equal(ids[n], n);
    int32_t *before = ids;
    assert_false(allm__grow(&h, (void **)&ids, &cap, 5000, SIZE_MAX / 2, sizeof *ids));
    assert_false(allm__grow(&h, (void **)&ids, &cap, 5000, SIZE_MAX, 1));
    assert_ptr_equal(ids, before);
    assert_int_equal(ids[4999], 4999);
    allm__free(&h, ids, cap * sizeof *ids);
    test_heap_check(&m);
}

static void test_mem_buf(void **state) {
    (void)state;
    test_heap   m = {0};
    allm__host h = test_host(&m);
    allm__buf  b = {.host = &h};
    assert_string_equal(allm__buf_text(&b), "");
    allm__buf_puts(&b, "one");
    allm__buf_putc(&b, '\0');
    allm__buf_put(&b, "two!", 3);
    allm__buf_put(&b, NULL, 0);
    assert_int_equal(b.len, 7);
    assert_memory_equal(allm__buf_text(&b), "one\0two", 8);
    assert_int_equal(b.len, 7);
    char *room = allm__buf_room(&b, 1000);
    assert_non_null(room);
    memset(room, 'r', 1000);
    assert_memory_equal(b.ptr, "one\0two", 7);
    assert_int_equal(b.len, 1007);
    allm__buf_free(&b);
    test_heap_check(&m);
    allm__buf_puts(&b, "again");
    assert_string_equal(allm__buf_text(&b), "again");
    assert_null(allm__buf_room(&b, SIZE_MAX)); /* the sum wraps */
    assert_true(b.failed);
    allm__buf_puts(&b, "x");
    assert_null(allm__buf_text(&b));
    assert_int_equal(b.len, 5);
    allm__buf_free(&b);
    test_heap_check(&m);
}

static void test_mem_buf_limit(void **state) {
    (void)state;
    test_heap   m = {0};
    allm__host h = test_host(&m);
    for (size_t limit = 1; limit < 70; limit++) {
        allm__buf b = {.host = &h, .limit = limit};
        for (size_t i = 0; i < limit; i++) allm__buf_putc(&b, 'x');
        assert_false(b.failed);
        assert_int_equal(b.len, limit);
        char *text = allm__buf_text(&b); /* the terminator is not counted, here either */
        assert_non_null(text);
        assert_int_equal(strlen(text), limit);
        allm__buf_putc(&b, 'x');
        assert_true(b.failed);
        assert_int_equal(b.len, limit);
        allm__buf_free(&b);
    }
    test_heap_check(&m);
}

static allm_status test_mem_buf_body(const allm__host *h, void *ctx) {
    (void)ctx;
    allm__buf b = {.host = h};
    for (int i = 0; i < 2000; i++) allm__buf_puts(&b, "0123456789");
    char       *text   = allm__buf_text(&b);
    allm_status status = !text ? ALLM_E_MEMORY : strlen(text) == 20000 ? ALLM_OK : ALLM_E_FORMAT;
    if ((text == NULL) != b.failed) status = ALLM_E_FORMAT;
    allm__buf_free(&b);
    return status;
}

static void test_mem_buf_fails(void **state) {
    (void)state;
    test_fail_each(test_mem_buf_body, NULL);
}

static const struct CMUnitTest test_mem[] = {
    cmocka_unit_test(test_mem_default),     cmocka_unit_test(test_mem_host),
    cmocka_unit_test(test_mem_log),         cmocka_unit_test(test_mem_checked),
    cmocka_unit_test(test_mem_arena),       cmocka_unit_test(test_mem_arena_refuses),
    cmocka_unit_test(test_mem_arena_fails), cmocka_unit_test(test_mem_grow),
    cmocka_unit_test(test_mem_buf),         cmocka_unit_test(test_mem_buf_limit),
    cmocka_unit_test(test_mem_buf_fails),
};
