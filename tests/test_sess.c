/* Room sess: a prompt that begins like the last one is evaluated only from where it differs, and nobody can tell from
 * the answer. FAULTS row 34. */
#include "make_script.h"

enum { SESS_TOKENS = 12 };

/* The ids of a text, as a raw prompt has them. */
typedef struct sess_ids {
    int32_t ids[400];
    size_t  n;
} sess_ids;

static sess_ids sess_tokens(script_host *h, const char *text) {
    sess_ids    t   = {{0}, 0};
    allm_model *m   = NULL;
    allm_source src = {0};
    src.path        = SCRIPT_TINY;
    assert_int_equal(allm_model_open(h->rt, &src, NULL, &m, &h->err), ALLM_OK);
    assert_int_equal(allm_tokenize(m, allm__str_of(text), 0, 1, t.ids, ALLM__COUNT(t.ids), &t.n, &h->err), ALLM_OK);
    assert_true(t.n <= ALLM__COUNT(t.ids));
    allm_model_close(m);
    return t;
}

static allm_request sess_request(const sess_ids *t) {
    allm_request req = {0};
    req.prompt_ids = t->ids, req.n_prompt_ids = t->n, req.sampling = &script_greedy, req.max_tokens = SESS_TOKENS;
    return req;
}

/* What a model that has seen nothing yet answers. */
static script_answer sess_cold(script_host *h, const sess_ids *t) {
    allm_llm     *llm = script_open_path(h, SCRIPT_TINY);
    script_answer a   = script_answer_of(llm, sess_request(t));
    assert_int_equal(a.cached_tokens, 0);
    allm_destroy(llm);
    return a;
}

/* The same text, the same ids; n_cached: how much is expected to have been there. */
static void sess_expect(script_host *h, allm_llm *llm, const sess_ids *t, size_t n_cached) {
    script_answer cold = sess_cold(h, t), a = script_answer_of(llm, sess_request(t));
    if (strcmp(a.text, cold.text) || memcmp(a.ids, cold.ids, sizeof a.ids))
        fail_msg("\"%s\", a cold run gives \"%s\"", a.text, cold.text);
    assert_int_equal(a.prompt_tokens, t->n);
    assert_int_equal(a.cached_tokens, n_cached);
}

static void test_sess_prefix(void **state) {
    script_host h;
    (void)state;
    for (int32_t n_threads = 1; n_threads <= 2; n_threads++) {
        script_begin(&h, n_threads);
        sess_ids a = sess_tokens(&h, SCRIPT_PROMPT), b = sess_tokens(&h, SCRIPT_PROMPT " the moon was far away. So he"),
                 c       = sess_tokens(&h, "Once upon a time, there was a girl named Lily. Lily wanted to see the sea");
        allm_llm *llm    = script_open_path(&h, SCRIPT_TINY);
        size_t    common = 0;
        while (common < a.n && common < c.n && a.ids[common] == c.ids[common]) common++;
        assert_true(common > 4 && b.n > a.n && !memcmp(a.ids, b.ids, a.n * sizeof(int32_t)));
        sess_expect(&h, llm, &a, 0);
        sess_expect(&h, llm, &a, a.n - 1); /* the same again: its last token is evaluated for the logits */
        sess_expect(&h, llm, &b, a.n);     /* longer */
        sess_expect(&h, llm, &a, a.n - 1); /* shorter */
        sess_expect(&h, llm, &c, common);  /* edited */
        sess_expect(&h, llm, &b, common);
        sess_ids one = {{a.ids[0]}, 1}, other = {{c.ids[3]}, 1};
        sess_expect(&h, llm, &one, 0); /* all of it was there */
        sess_expect(&h, llm, &other, 0);
        sess_expect(&h, llm, &a, 0);
        /* the answer is part of the history, but for its last token, which was not evaluated */
        script_answer first = script_answer_of(llm, sess_request(&a));
        sess_ids      turn  = a;
        memcpy(turn.ids + turn.n, first.ids, SESS_TOKENS * sizeof(int32_t));
        turn.n += SESS_TOKENS;
        memcpy(turn.ids + turn.n, c.ids, 4 * sizeof(int32_t)), turn.n += 4;
        sess_expect(&h, llm, &turn, a.n + SESS_TOKENS - 1);
        allm_destroy(llm);
        script_end(&h);
    }
}

/* Random prompts over a few ids: every kind of overlap. */
static void test_sess_random(void **state) {
    script_host h;
    (void)state;
    script_begin(&h, 1);
    allm_llm *llm       = script_open_path(&h, SCRIPT_TINY);
    int       n_cached  = 0;
    sess_ids  t         = sess_tokens(&h, "Once upon a time, there was a dog");
    test_random_state   = 36;
    for (int i = 0; i < 30; i++) {
        size_t at = test_random_below(t.n);
        switch (test_random_below(4)) {
        case 0: t.ids[at] = (int32_t)(3 + test_random_below(500)); break; /* edited */
        case 1: t.n = at + 1; break;                                     /* shorter */
        default:                                                         /* longer */
            for (size_t k = test_random_below(8); k-- > 0 && t.n < 60;)
                t.ids[t.n++] = (int32_t)(3 + test_random_below(500));
        }
        script_answer cold = sess_cold(&h, &t), a = script_answer_of(llm, sess_request(&t));
        assert_string_equal(a.text, cold.text);
        assert_memory_equal(a.ids, cold.ids, sizeof a.ids);
        n_cached += a.cached_tokens > 0;
    }
    assert_true(n_cached > 10);
    allm_destroy(llm);
    script_end(&h);
}

/* A session that never took part: the low-level calls give the same ids. */
static void test_sess_by_hand(void **state) {
    script_host   h;
    allm_model   *m = NULL;
    allm_session *s = NULL;
    allm_sampler *p = NULL;
    allm_source   src = {0};
    (void)state;
    src.path = SCRIPT_TINY;
    script_begin(&h, 1);
    sess_ids      t = sess_tokens(&h, SCRIPT_PROMPT);
    script_answer a = sess_cold(&h, &t);
    assert_int_equal(allm_model_open(h.rt, &src, NULL, &m, &h.err), ALLM_OK);
    assert_int_equal(allm_session_create(m, NULL, &s, &h.err), ALLM_OK);
    assert_int_equal(allm_sampler_create(m, &script_greedy, NULL, &p, &h.err), ALLM_OK);
    assert_int_equal(allm_session_eval(s, t.ids, t.n, 0, &h.err), ALLM_OK);
    for (int i = 0; i < SESS_TOKENS; i++) {
        int32_t id = -1;
        assert_int_equal(allm_sampler_next(p, allm_session_logits(s, 0), &id, NULL, &h.err), ALLM_OK);
        assert_int_equal(id, a.ids[i]);
        assert_int_equal(allm_session_eval(s, &id, 1, 0, &h.err), ALLM_OK);
    }
    allm_sampler_destroy(p);
    allm_session_destroy(s);
    allm_model_close(m);
    script_end(&h);
}

/* A conversation: the next turn is evaluated only from the last answer's end. */
static void test_sess_turns(void **state) {
    script_host  h;
    allm_message m[8] = {{.role = "system", .content = "You tell short stories."}};
    script_answer said[3];
    size_t       n = 1;
    int32_t      n_before = 0;
    (void)state;
    script_begin(&h, 1);
    allm_llm *llm = script_open_path(&h, SCRIPT_TINY);
    for (int turn = 0; turn < 3; turn++) {
        allm_request req = {0};
        m[n].role = "user", m[n++].content = turn ? "Go on." : "A letter came for Max, but there was no name on it.";
        req.messages = m, req.n_messages = n, req.sampling = &script_greedy, req.max_tokens = 40;
        script_answer a = said[turn] = script_answer_of(llm, req);
        if (turn) assert_true(a.cached_tokens >= n_before); /* at least the prompt before */
        else assert_int_equal(a.cached_tokens, 0);
        allm_llm     *fresh = script_open_path(&h, SCRIPT_TINY);
        script_answer cold  = script_answer_of(fresh, req);
        assert_string_equal(a.text, cold.text);
        allm_destroy(fresh);
        n_before = a.prompt_tokens;
        m[n].role = "assistant", m[n++].content = said[turn].text;
    }
    allm_destroy(llm);
    script_end(&h);
}

/* ---- conversations that take turns */

enum { SESS_CHATS = 10, SESS_LONG = 72 };

static sess_ids sess_long(size_t which) { /* nothing in common with another */
    sess_ids t = {{0}, SESS_LONG};
    for (size_t i = 0; i < t.n; i++) t.ids[i] = (int32_t)(3 + (which * 37 + i * (which + 1)) % 500);
    return t;
}

static void sess_longer(sess_ids *t, const script_answer *a) { /* the answer, and what is said to it */
    for (int i = 0; i < 5; i++) t->ids[t->n++] = a->ids[i];
    for (int i = 0; i < 4; i++) t->ids[t->n++] = 3 + i;
}

/* Each goes on where it was, as long as there is room for it, and says what it would say alone. */
static void sess_take_turns(const allm_config *config, size_t n_chats, size_t n_kept) {
    script_host   h;
    sess_ids      t[SESS_CHATS];
    script_answer a;
    script_begin(&h, 1);
    allm_config c = *config;
    c.model       = SCRIPT_TINY;
    allm_llm *llm = script_open(&h, NULL, c);
    for (int turn = 0; turn < 2; turn++)
        for (size_t i = 0; i < n_chats; i++) {
            const size_t n_before = turn ? t[i].n - 4 : 0;
            if (!turn) t[i] = sess_long(i);
            a = script_answer_of(llm, sess_request(&t[i]));
            if (turn && i < 2) {
                script_answer cold = sess_cold(&h, &t[i]);
                assert_string_equal(a.text, cold.text);
                assert_memory_equal(a.ids, cold.ids, sizeof a.ids);
            }
            if (n_chats <= n_kept + 1) assert_int_equal(a.cached_tokens, n_before);
            else assert_true(a.cached_tokens < 8);
            sess_longer(&t[i], &a);
        }
    allm_destroy(llm);
    script_end(&h);
}

static void test_sess_chats_take_turns(void **state) {
    allm_config  c = {0};
    size_t       n_bytes = 0;
    script_host  h;
    allm_capabilities before, after;
    (void)state;
    sess_take_turns(&c, 2, 8);
    sess_take_turns(&c, 3, 8);
    c.kept_bytes = 1 << 30;
    sess_take_turns(&c, 9, 8);
    sess_take_turns(&c, 10, 8);
    c.kept_bytes = -1;
    sess_take_turns(&c, 2, 0);
    c.kept_bytes = 1; /* room for none */
    sess_take_turns(&c, 2, 0);
    c.kept_bytes = 0, c.memory_limit = (uint64_t)1 << 30; /* a limit: none unless asked for */
    sess_take_turns(&c, 2, 0);
    /* the bytes are within what was said, and freed with the object */
    script_begin(&h, 1);
    c.kept_bytes = 4 << 20, c.memory_limit = 0, c.model = SCRIPT_TINY;
    allm_llm *llm = script_open(&h, NULL, c);
    assert_int_equal(allm_get_capabilities(llm, &before, &h.err), ALLM_OK);
    for (size_t i = 0; i < SESS_CHATS; i++) {
        sess_ids t = sess_long(i);
        script_answer_of(llm, sess_request(&t));
        assert_int_equal(allm_get_capabilities(llm, &after, &h.err), ALLM_OK);
        n_bytes = ALLM__MAX(n_bytes, (size_t)(after.memory_bytes - before.memory_bytes));
    }
    printf("             %d conversations: %llu bytes kept of %d allowed\n", (int)SESS_CHATS,
           (unsigned long long)n_bytes, 4 << 20);
    assert_true(n_bytes > 0 && n_bytes <= 4 << 20);
    allm_destroy(llm);
    script_end(&h);
}

/* No memory for a copy is no error. */
static void test_sess_fault_38_no_room_for_turns(void **state) {
    script_host h;
    sess_ids    a = sess_long(0), b = sess_long(1);
    int         n_ok = 0;
    (void)state;
    script_begin(&h, 1);
    script_answer cold = sess_cold(&h, &b);
    for (int at = 1; at < 40; at++) {
        allm_llm     *llm = script_open_path(&h, SCRIPT_TINY);
        allm_response r;
        script_answer_of(llm, sess_request(&a));
        allm_request req = sess_request(&b);
        h.heap.fail_at   = h.heap.n_calls + at;
        allm_status status = allm_generate(llm, &req, &r, &h.err);
        h.heap.fail_at     = 0;
        assert_true(status == ALLM_OK || status == ALLM_E_MEMORY);
        if (!status) assert_string_equal(r.text, cold.text), n_ok++;
        allm_response_free(&r);
        sess_expect(&h, llm, &b, status ? 0 : b.n - 1);
        allm_destroy(llm);
    }
    assert_true(n_ok > 1);
    script_end(&h);
}

/* ---- after something went wrong */

typedef struct sess_stage { /* a host's threads that cancel at a stage of the work: at any layer of any step */
    allm_llm *llm;
    int       n, at; /* stages so far; the one to cancel at */
} sess_stage;

static void sess_parallel_for(void *ctx, int32_t n_parts, allm_task task, void *arg) {
    sess_stage *s = (sess_stage *)ctx;
    for (int32_t i = 0; i < n_parts; i++) task(arg, i, n_parts);
    if (++s->n == s->at) allm_cancel(s->llm);
}

static void sess_begin_staged(script_host *h, sess_stage *stage) {
    allm_runtime_config c = {0};
    memset(stage, 0, sizeof *stage);
    c.n_threads = 2, c.parallel_for = sess_parallel_for, c.parallel_ctx = stage;
    script_begin_with(h, c);
}

/* Cancelled at stage 1, 2, ...: the call ends within a layer, and the next answer is as if nothing had been. */
static void test_sess_fault_34_cancel_anywhere(void **state) {
    script_host       h;
    sess_stage        stage;
    static script_ear e;
    int               n_stages;
    (void)state;
    sess_begin_staged(&h, &stage);
    sess_ids     t = sess_tokens(&h, "Once upon a time, there was a dog");
    allm_config  c = {0};
    c.model = SCRIPT_TINY, c.n_batch = 4;
    allm_llm    *llm = stage.llm = script_open(&h, NULL, c);
    stage.n = 0; /* opening has stages too */
    allm_request req = sess_request(&t);
    req.max_tokens   = 5;
    script_answer cold = script_answer_of(llm, req);
    n_stages           = stage.n;
    sess_ids other     = {{5, 6, 7}, 3};
    assert_true(n_stages > 60);
    for (int at = 1; at <= n_stages; at++) {
        allm_response r;
        script_answer_of(llm, sess_request(&other)); /* nothing in common */
        memset(&e, 0, sizeof e);
        stage.n = 0, stage.at = at;
        allm_status status = script_ask(llm, req, &e, &r, &h.err);
        assert_int_equal(status, ALLM_E_CANCELLED); /* there is no stage after the last token: it is not evaluated */
        assert_string_equal(h.err.message, "cancelled");
        assert_true(stage.n < at + 9); /* the layer's own stages */
        assert_true(r.text != NULL && !strncmp(r.text, cold.text, r.text_len));
        assert_true(r.completion_tokens <= 5);
        int32_t n_done = r.completion_tokens;
        allm_response_free(&r);
        stage.at        = 0;
        script_answer a = script_answer_of(llm, req);
        assert_string_equal(a.text, cold.text);
        assert_memory_equal(a.ids, cold.ids, sizeof a.ids);
        if (n_done > 0) assert_int_equal(a.cached_tokens, t.n - 1); /* what had been evaluated is known */
        else assert_int_equal(a.cached_tokens, 0); /* a prompt counts as a whole */
    }
    printf("             cancelled at each of %d stages of a prompt and %d tokens\n", n_stages, 5);
    allm_destroy(llm);
    script_end(&h);
}

/* Stopped by the callback at each of its chunks. */
static void test_sess_after_callback_stop(void **state) {
    script_host       h;
    static script_ear e;
    (void)state;
    script_begin(&h, 1);
    sess_ids      t = sess_tokens(&h, SCRIPT_PROMPT);
    allm_llm     *llm  = script_open_path(&h, SCRIPT_TINY);
    script_answer cold = sess_cold(&h, &t);
    for (int at = 1;; at++) {
        allm_response r;
        memset(&e, 0, sizeof e), e.stop_at = at;
        allm_status status = script_ask(llm, sess_request(&t), &e, &r, &h.err);
        if (status == ALLM_OK) { /* it was DONE */
            assert_int_equal(at, e.n_chunks);
            allm_response_free(&r);
            break;
        }
        assert_int_equal(status, ALLM_E_CANCELLED);
        assert_string_equal(h.err.message, "cancelled by the callback");
        assert_true(e.n_chunks == at && !strncmp(r.text, cold.text, r.text_len));
        allm_response_free(&r);
        sess_expect(&h, llm, &t, at == 1 ? 0 : t.n - 1);
    }
    allm_destroy(llm);
    script_end(&h);
}

static void test_sess_after_errors(void **state) {
    script_host h;
    (void)state;
    script_begin(&h, 1);
    sess_ids      t = sess_tokens(&h, SCRIPT_PROMPT), bad = t, none = {{0}, 0};
    allm_llm     *llm = script_open_path(&h, SCRIPT_TINY);
    static int32_t long_ids[600];
    allm_sampling  hot = {.temperature = NAN};
    bad.ids[7]         = 512;
    sess_expect(&h, llm, &t, 0);
    for (int i = 0; i < 5; i++) {
        allm_request req    = sess_request(i == 0 ? &bad : i == 1 ? &none : &t);
        allm_status  expect = ALLM_E_ARGUMENT;
        if (i == 2) req.sampling = &hot;
        if (i == 3) req.prompt_ids = long_ids, req.n_prompt_ids = 600, expect = ALLM_E_CONTEXT;
        if (i == 4) h.heap.fail_at = h.heap.n_calls + 1, expect = ALLM_E_MEMORY;
        allm_response r;
        assert_int_equal(allm_generate(llm, &req, &r, &h.err), expect);
        h.heap.fail_at = 0;
        assert_int_equal(h.err.status, expect);
        assert_true(r.completion_tokens == 0 && r.text_len == 0);
        allm_response_free(&r);
        sess_expect(&h, llm, &t, i == 0 ? 7 : t.n - 1);
    }
    allm_destroy(llm);
    script_end(&h);
}

static const struct CMUnitTest test_sess[] = {
    cmocka_unit_test(test_sess_prefix),
    cmocka_unit_test(test_sess_random),
    cmocka_unit_test(test_sess_by_hand),
    cmocka_unit_test(test_sess_turns),
    cmocka_unit_test(test_sess_chats_take_turns),
    cmocka_unit_test(test_sess_fault_38_no_room_for_turns),
    cmocka_unit_test(test_sess_fault_34_cancel_anywhere),
    cmocka_unit_test(test_sess_after_callback_stop),
    cmocka_unit_test(test_sess_after_errors),
};
