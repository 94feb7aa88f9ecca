/* Room recur: states that are not cut back, that a failed batch leaves alone, that go on from one eval to the next. */
#include "make_model.h"

typedef struct recur_cancel {
    allm_session *s;
    int           n, at; /* regions so far; cancelled in this one */
} recur_cancel;

static void recur_loop(void *ctx, int32_t n_parts, allm_task task, void *arg) {
    recur_cancel *c = (recur_cancel *)ctx;
    for (int32_t i = 0; i < n_parts; i++) task(arg, i, n_parts);
    if (++c->n == c->at) allm__session_cancel(c->s);
}

/* Of every family with a state: the logits after a text do not know of an eval that was cancelled before its end, nor
 * of one that was cut off at the start; cutting back elsewhere is refused. */
static void test_recur_state(void **state) {
    static const int32_t ids[] = {3, 14, 15, 92, 65, 35, 89, 79, 32, 38};
    enum { N = 10, FIRST = 6 };
    int n_families = 0;
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(allm__archs); i++) {
        if (allm__archs[i].mixer <= ALLM__MIX_MLA) continue;
        make_model p = make_model_new(allm__archs[i].name);
        p.groups = allm__archs[i].may, p.n_layer = 4;
        make_gguf           w = make_model_file(&p);
        test_engine         e;
        allm_error          err;
        allm_session_config sc = {0};
        allm_model         *m  = NULL;
        allm_session       *s  = NULL, *whole = NULL;
        recur_cancel        c  = {0};
        test_engine_init(&e, 2, NULL);
        e.pool.parallel_for = recur_loop, e.pool.parallel_ctx = &c;
        assert_int_equal(test_engine_open(&e, &w, 0, &m, &err), ALLM_OK);
        assert_int_equal(allm__session_create(m, &sc, &s, &err), ALLM_OK);
        assert_int_equal(allm__session_create(m, &sc, &whole, &err), ALLM_OK);
        assert_true(s->n_state > 0);
        assert_int_equal(allm__session_eval(whole, ids, N, 0, NULL, NULL, &err), ALLM_OK);
        assert_int_equal(allm__session_eval(s, ids + 3, 4, 0, NULL, NULL, &err), ALLM_OK);
        assert_int_equal(allm__session_truncate(s, 2, &err), ALLM_E_UNSUPPORTED);
        assert_non_null(strstr(err.message, "cannot be cut back from 4 tokens to 2"));
        memset(&err, 0, sizeof err);
        assert_int_equal(allm__session_truncate(s, 0, &err), ALLM_OK);
        assert_int_equal(allm__session_eval(s, ids, FIRST, 0, NULL, NULL, &err), ALLM_OK);
        c.s = s, c.n = 0, c.at = e.pool.n_threads > 1 ? 9 : 0;
        if (c.at) assert_int_equal(allm__session_eval(s, ids, 4, 0, NULL, NULL, &err), ALLM_E_CANCELLED);
        memset(&err, 0, sizeof err);
        assert_int_equal(allm__session_length(s), FIRST);
        assert_int_equal(allm__session_eval(s, ids + FIRST, N - FIRST, 0, NULL, NULL, &err), ALLM_OK);
        assert_memory_equal(allm__session_logits(s, 0), allm__session_logits(whole, 0), p.n_vocab * sizeof(float));
        allm__session_destroy(s);
        allm__session_destroy(whole);
        allm__model_release(m);
        test_engine_free(&e);
        make_gguf_free(&w);
        n_families++;
    }
    assert_true(n_families >= 9);
}

static const struct CMUnitTest test_recur[] = {
    cmocka_unit_test(test_recur_state),
};
