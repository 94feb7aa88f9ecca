/* Room tval: long integers against 128-bit ones, dictionaries of many keys; test_tmpl.c has what templates compute. */

#if defined(__SIZEOF_INT128__)
__extension__ typedef __int128 tval_wide;
#else
typedef int64_t tval_wide; /* then with shorter numbers */
#endif
enum { TVAL_BITS = sizeof(tval_wide) * 8 };

/* A BIG or INT of w. */
static allm__val tval_of(allm__arena *a, tval_wide w) {
    allm__vbig b;
    allm__vbig_load(&b, allm__v_int(0));
    for (int i = TVAL_BITS - 1; i >= 0; i--) allm__vbig_muladd(&b, 2, (uint32_t)((w < 0 ? -w : w) >> i & 1));
    b.negative = w < 0;
    return allm__vbig_store(a, &b);
}

static tval_wide tval_random(void) { /* of any length up to half of them */
    tval_wide w = (tval_wide)(test_random() >> (66 - TVAL_BITS / 2 + (int)test_random_below(TVAL_BITS / 2 - 2)));
    return test_random() & 1 ? -w : w;
}

static void test_tval_long_integers(void **state) {
    test_heap   m = {0};
    allm__host  h = test_host(&m);
    allm__arena a = {0};
    (void)state;
    a.host            = &h;
    test_random_state = 3;
    for (int i = 0; i < 20000; i++) {
        tval_wide  x = tval_random() * (i % 3 ? 1 : tval_random()), y = tval_random() * (i % 5 ? 1 : tval_random());
        allm__vbig p, q, want;
        char       text[2][ALLM__BIG_TEXT + 1];
        for (int op = 0; op < 4; op++) {
            if (op == 2 && (i % 3 == 0 || i % 5 == 0)) continue; /* the product may not fit the reference */
            allm__vbig_load(&p, tval_of(&a, x)), allm__vbig_load(&q, tval_of(&a, y));
            if (op == 2) allm__vbig_mul(&p, &q);
            else if (op < 2) allm__vbig_add(&p, &q, op);
            else assert_int_equal(allm__vbig_cmp(&p, &q), x < y ? -1 : x > y);
            if (op == 3) continue;
            allm__val v = allm__vbig_store(&a, &p);
            tval_wide w = op == 2 ? x * y : op ? x - y : x + y;
            assert_int_equal(v.type, w == (int64_t)w ? ALLM__V_INT : ALLM__V_BIG);
            allm__vbig_load(&want, tval_of(&a, w));
            size_t n = allm__vbig_text(&p, text[0]);
            assert_int_equal(n, allm__vbig_text(&want, text[1]));
            assert_memory_equal(text[0], text[1], n);
            assert_true(allm__v_double(v) == (double)w);
        }
        if (i % 1000 == 999) allm__arena_free(&a);
    }
    allm__arena_free(&a);
    test_heap_check(&m);
}

/* Keys that are equal have one place, whatever their types; all nans are one key; the order is that of insertion. */
static void test_tval_keys(void **state) {
    enum { N = 5000 };
    test_heap   m = {0};
    allm__host  h = test_host(&m);
    allm__arena a = {0};
    (void)state;
    a.host         = &h;
    allm__vdict *d = allm__v_dict(&a, ALLM__V_DICT).u.d;
    for (int round = 0; round < 2; round++)
        for (int64_t i = 0; i < N; i++) {
            allm__val big = tval_of(&a, ((tval_wide)1 << 40) + i), key[4]; /* a float holds each, also 2^30 times it */
            allm__vbig b;
            allm__vbig_load(&b, big), allm__vbig_muladd(&b, 1 << 30, 0), big = allm__vbig_store(&a, &b);
            assert_int_equal(big.type, ALLM__V_BIG);
            key[0] = round ? allm__v_float((double)i) : allm__v_int(i);
            key[1] = allm__v_text(&a, (char *)&i, sizeof i, 0);
            key[2] = round ? allm__v_float(allm__v_double(big)) : big;
            key[3] = allm__v_float((double)NAN);
            allm__val pair = allm__v_pair(&a, key[0], key[2]);
            for (int k = 0; k < 4; k++) assert_true(allm__v_put(&a, d, key[k], allm__v_int(i)));
            assert_true(allm__v_put(&a, d, pair, allm__v_int(i)));
        }
    assert_int_equal(d->n, 4 * N + 1);
    uint32_t hash;
    for (size_t i = 0; i < d->n; i++) {
        assert_true(allm__v_hash(d->seed, d->v[i].key, 0, &hash));
        assert_ptr_equal(allm__v_find(d, d->v[i].key, hash), &d->v[i]);
        if (i > 4) assert_int_equal(d->v[i].val.u.i, (i - 1) / 4);
    }
    allm__arena_free(&a);
    test_heap_check(&m);
}

static const struct CMUnitTest test_tval[] = {
    cmocka_unit_test(test_tval_long_integers),
    cmocka_unit_test(test_tval_keys),
};
