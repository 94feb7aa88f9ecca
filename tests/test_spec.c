/* Room spec: an answer has the same bits with and without guesses, whatever guesses and samples; afterwards the session
 * is what it would be. */
#include "make_script.h"

enum { SPEC_TOKENS = 30, SPEC_CTX = 512, SPEC_ORACLE = SPEC_CTX / 2 };

typedef struct spec_way { /* how an answer is written */
    allm_sampling sampling;
    int           off;
    int32_t       n_guess, n_batch, n_threads; /* n_guess 0: as many as pay */
    int           lies; /* with an oracle for guesses, which lies at every so many; 0: no oracle */
} spec_way;

typedef struct spec_answer {
    int32_t ids[SPEC_TOKENS], n_drafted, n_accepted;
    size_t  length; /* of the session */
    float  *logits; /* [n_vocab] of one more token */
} spec_answer;

/* What the plain way gave, but for the lies, at the end of the text's memory: the guesses are taken from there. */
static void spec_ask_oracle(allm__spec *p, const spec_way *way, const spec_answer *truth, int i) {
    if (!way->lies || !p->place) return;
    for (int k = i; k < SPEC_TOKENS; k++)
        p->ids[SPEC_ORACLE + k] = k % way->lies == way->lies - 1 ? (truth->ids[k] + 1) % 8 : truth->ids[k];
    p->next = (size_t)(SPEC_ORACLE + i), p->alike = ALLM__SPEC_LOOK;
}

/* The next n tokens after a prompt. truth: the same without guesses, or NULL. */
static spec_answer spec_write(const eval_opened *o, const eval_case *c, int n, const spec_way *way,
                              const spec_answer *truth) {
    static int32_t    ids[SPEC_CTX];
    static const int32_t more = 3;
    allm__spec        p;
    allm__spec_config cfg = {way->off, way->n_guess};
    allm__samp        samp;
    allm_error        err = {0};
    spec_answer       a;
    allm_session_config sc = {0};
    allm_session     *s = NULL;
    const int64_t     n_vocab = o->m->hp.n_vocab;
    memset(&a, 0, sizeof a), memset(&p, 0, sizeof p);
    sc.n_ctx = (int32_t)c->ids.n + n, sc.n_batch = way->n_batch;
    if (allm__session_create(o->m, &sc, &s, &err)) fail_msg("%s: %s", c->name, err.message);
    allm__spec_begin(&p, s, &cfg);
    assert_true(way->off || p.place);
    memcpy(ids, c->ids.id, c->ids.n * sizeof *ids);
    if (allm__session_eval(s, ids, c->ids.n, 0, NULL, NULL, &err)) fail_msg("%s: %s", c->name, err.message);
    allm__spec_start(&p, ids, c->ids.n, 0);
    if (allm__samp_init(&samp, &o->e.host, o->e.compute.kern, (int32_t)n_vocab, &way->sampling, &err))
        fail_msg("%s", err.message);
    allm__samp_accept(&samp, c->ids.id, c->ids.n);
    const float  *logits  = allm__session_logits(s, 0);
    const int64_t n_calls = o->e.heap.n_calls;
    for (int i = 0; i < n; i++) {
        if (i) spec_ask_oracle(&p, way, truth, i - 1);
        if (i && allm__spec_next(&p, a.ids[i - 1], (size_t)(n - i), &logits, &err))
            fail_msg("%s: %s", c->name, err.message);
        if (allm__samp_next(&samp, logits, &a.ids[i], NULL, &err)) fail_msg("%s: %s", c->name, err.message);
    }
    assert_int_equal(o->e.heap.n_calls, n_calls);
    a.n_drafted = p.n_drafted, a.n_accepted = p.n_accepted;
    allm__spec_end(&p, 0);
    a.length = allm__session_length(s);
    a.logits = (float *)malloc((size_t)n_vocab * sizeof *a.logits);
    if (allm__session_eval(s, &more, 1, 0, NULL, NULL, &err)) fail_msg("%s: %s", c->name, err.message);
    memcpy(a.logits, allm__session_logits(s, 0), (size_t)n_vocab * sizeof *a.logits);
    allm__samp_free(&samp);
    allm__session_destroy(s);
    return a;
}

typedef struct spec_sums { int n_models, n_runs; int64_t n_drafted, n_accepted; } spec_sums;

/* A model: greedy and by chance, one to three threads, all kinds of passes. */
static void spec_case(const eval_case *c, spec_sums *sums) {
    static const struct { int32_t n_guess, n_batch, n_threads; int lies; } ways[] = {
        {7, 64, 1, 4}, {3, 64, 2, 2}, {1, 64, 1, 3}, {11, 64, 3, 9}, {5, 3, 2, 5}, {4, 1, 1, 3}, {6, 64, 1, 0},
        {0, 64, 2, 0}, {0, 64, 1, 7}, {31, 64, 1, 100},
    };
    static const allm_sampling samplings[] = {
        {.temperature = 0}, {.temperature = 0.8f, .seed = 1, .repeat_penalty = 1.2f},
        {.temperature = 0.8f, .seed = 2, .top_k = 8, .dry_multiplier = 0.5f}};
    eval_opened o[3];
    for (int i = 0; i < 3; i++) eval_case_open(&o[i], c, 0, 64, i + 1, 64);
    const int n = o[0].m->w.positions ? ALLM__MIN(SPEC_TOKENS, (int)(o[0].m->hp.n_ctx_train - (int64_t)c->ids.n))
                                      : SPEC_TOKENS;
    assert_true(n > 12);
    for (size_t k = 0; k < ALLM__COUNT(samplings); k++) {
        spec_way    plain = {samplings[k], 1, 0, 64, 1, 0};
        spec_answer want = spec_write(&o[0], c, n, &plain, NULL);
        for (size_t i = 0; i < ALLM__COUNT(ways); i++) {
            spec_way way = {samplings[k], 0, ways[i].n_guess, ways[i].n_batch, ways[i].n_threads, ways[i].lies};
            if (i % ALLM__COUNT(samplings) != k && ways[i].lies != 4) continue; /* each way by one of the samplings */
            spec_answer got = spec_write(&o[way.n_threads - 1], c, n, &way, &want);
            for (int t = 0; t < n; t++)
                if (got.ids[t] != want.ids[t])
                    fail_msg("%s, sampling %d, way %d: token %d is %d, without guesses %d", c->name, (int)k, (int)i, t,
                             (int)got.ids[t], (int)want.ids[t]);
            if (got.length != want.length)
                fail_msg("%s, way %d: %zu tokens left, without guesses %zu", c->name, (int)i, got.length, want.length);
            if (memcmp(got.logits, want.logits, (size_t)c->n_vocab * sizeof(float)))
                fail_msg("%s, sampling %d, way %d: another state is left", c->name, (int)k, (int)i);
            assert_true(got.n_accepted <= got.n_drafted && got.n_accepted < n);
            if (way.n_guess && way.n_batch > 1 && way.lies && way.lies < 8)
                assert_true(got.n_drafted > got.n_accepted);
            if (ways[i].n_batch == 1) assert_int_equal(got.n_drafted, 0);
            if (way.lies == 100) assert_true(got.n_accepted > n / 2); /* nearly the truth */
            sums->n_drafted += got.n_drafted, sums->n_accepted += got.n_accepted, sums->n_runs++;
            free(got.logits);
        }
        free(want.logits);
    }
    for (int i = 0; i < 3; i++) eval_case_close(&o[i]);
    sums->n_models++;
}

static void test_spec_golden_models(void **state) {
    size_t     n;
    char      *text = test_golden("models/manifest.json", &n);
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    allm_error err  = {0};
    allm__json j;
    eval_case  c;
    spec_sums  sums = {0};
    (void)state;
    allm__json_init(&j, &h, allm__str(text, n), "manifest.json", 0, &err);
    for (allm__json_begin(&j, ALLM__JSON_ARRAY, "cases"); allm__json_elem(&j);) {
        eval_read_case(&j, &c);
        if (!c.hidden[0]) spec_case(&c, &sums);
    }
    assert_string_equal(err.message, "");
    printf("             %d models, %d answers, %lld of %lld guesses right\n", sums.n_models, sums.n_runs,
           (long long)sums.n_accepted, (long long)sums.n_drafted);
    assert_true(sums.n_models >= 60 && sums.n_accepted > 100 * sums.n_models / 4);
    allm__json_free(&j);
    free(text);
    test_heap_check(&heap);
}

/* ---- whole answers */

static const char spec_prompt[] = /* a text that the answer repeats, if the model is able to */
    "Write this again: One day a little fox saw a big red ball. The little fox ran to the big red ball and jumped.";

static allm_llm *spec_open(script_host *h, const char *path, int off, int32_t n_draft, const char *draft_model) {
    allm_config c = {0};
    c.model = path, c.n_ctx = 512, c.no_speculation = off, c.n_draft = n_draft, c.draft_model = draft_model;
    return script_open(h, "local", c);
}

/* All that a response says, but for times and guesses. */
static void spec_expect_same(const allm_response *a, const allm_response *b) {
    const size_t n = (size_t)a->completion_tokens;
    assert_string_equal(a->text, b->text);
    assert_true(a->finish == b->finish && a->seed == b->seed && a->n_logprobs == b->n_logprobs);
    assert_int_equal(a->prompt_tokens, b->prompt_tokens);
    assert_int_equal(a->cached_tokens, b->cached_tokens);
    assert_int_equal(a->completion_tokens, b->completion_tokens);
    assert_memory_equal(a->token_ids, b->token_ids, n * sizeof *a->token_ids);
    if (a->logprobs) assert_memory_equal(a->logprobs, b->logprobs, n * sizeof *a->logprobs);
    if (a->top_ids) assert_memory_equal(a->top_ids, b->top_ids, n * (size_t)a->n_logprobs * sizeof *a->top_ids);
    assert_true(a->drafted_tokens == 0 && a->accepted_tokens == 0 && b->accepted_tokens <= b->drafted_tokens);
}

/* Answers with and without, by every kind of sampling, grammar and end; each twice: the second finds the first's. */
static void spec_answers(const char *path, const char *draft_model, int32_t n_draft, int32_t max_tokens) {
    static const char *const   stops[]   = {"jumped"};
    static const allm_sampling samplings[] = {
        {.temperature = 0}, {.temperature = 0.8f, .seed = 1}, {.temperature = 0.8f, .seed = 2, .top_p = 0.9f},
        {.temperature = 0.8f, .seed = 3, .repeat_penalty = 1.1f, .frequency_penalty = 0.2f},
        {.temperature = 0.8f, .seed = 4, .mirostat = 2}, {.temperature = 1, .seed = 5, .xtc_probability = 0.5f}};
    allm_error e = {0};
    int        n = 0, n_drafted = 0, n_accepted = 0;
    for (int32_t n_threads = 1; n_threads <= 3; n_threads++) {
        script_host h;
        script_begin(&h, n_threads);
        allm_llm *plain = spec_open(&h, path, 1, 0, NULL), *spec = spec_open(&h, path, 0, n_draft, draft_model);
        for (size_t i = 0; i < 2 * ALLM__COUNT(samplings); i++) {
            allm_request  req = {0};
            allm_response a, b;
            if (i % 3 != (size_t)n_threads - 1) continue;
            req.prompt = spec_prompt, req.raw = i & 1, req.sampling = &samplings[i / 2], req.max_tokens = max_tokens;
            req.stop = stops, req.n_stop = i % 4 == 1, req.n_logprobs = i % 5 == 0 ? 3 : 0;
#ifndef ABSTRACTLLM_NO_GRAMMAR
            if (i == 4) req.grammar = "root ::= (\"the \" | \"fox \")+";
#endif
            for (int turn = 0; turn < 2; turn++) {
                if (allm_generate(plain, &req, &a, &e) || allm_generate(spec, &req, &b, &e)) fail_msg("%s", e.message);
                spec_expect_same(&a, &b);
                n++, n_drafted += b.drafted_tokens, n_accepted += b.accepted_tokens;
                allm_response_free(&a), allm_response_free(&b);
            }
        }
        allm_destroy(plain), allm_destroy(spec);
        script_end(&h);
    }
    printf("             %s: %d answers, %d of %d guesses right\n", path, n, n_accepted, n_drafted);
    if (n_draft) assert_true(n_drafted > n && n_accepted > 0);
}

static void test_spec_answers(void **state) {
    (void)state;
    for (int32_t n_draft = 0; n_draft <= 4; n_draft += 4) spec_answers(SCRIPT_TINY, NULL, n_draft, 40);
    spec_answers(SCRIPT_STORY, NULL, 3, 24);
}

static void test_spec_real(void **state) {
    (void)state;
    TEST_NEEDS_SIMD();
    char *path = test_model_path("SmolLM2-135M-Instruct.Q4_1.gguf");
    for (int32_t n_draft = TEST_SANITIZED ? 5 : 0; n_draft <= 5; n_draft += 5)
        spec_answers(path, NULL, n_draft, TEST_SANITIZED ? 12 : 40);
    free(path);
}

/* A draft model: the model itself is always right where the likeliest is taken; it goes on after turns of others. */
static void test_spec_draft_model(void **state) {
    (void)state;
    for (int32_t n_draft = 0; n_draft <= 3; n_draft += 3) spec_answers(SCRIPT_TINY, SCRIPT_TINY, n_draft, 40);
}

static void test_spec_config_errors(void **state) {
    static const struct { int32_t n_draft; const char *draft; allm_status status; const char *words; } rows[] = {
        {-1, NULL, ALLM_E_ARGUMENT, "config.n_draft is -1, expected 0..31"},
        {32, NULL, ALLM_E_ARGUMENT, "config.n_draft is 32, expected 0..31"},
        {0, "tests/data/none.gguf", ALLM_E_NOT_FOUND, "tests/data/none.gguf"},
        {0, SCRIPT_STORY, ALLM_E_ARGUMENT, "examples/story.gguf: draft model: its tokenizer"},
    };
    script_host h;
    (void)state;
    script_begin(&h, 1);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm_config c   = {0};
        allm_llm   *llm = NULL;
        c.runtime = h.rt, c.model = SCRIPT_TINY, c.n_draft = rows[i].n_draft, c.draft_model = rows[i].draft;
        assert_int_equal(allm_create(NULL, &c, &llm, &h.err), rows[i].status);
        if (!strstr(h.err.message, rows[i].words)) fail_msg("%s", h.err.message);
        assert_null(llm);
    }
    allm_destroy(spec_open(&h, SCRIPT_TINY, 0, 0, "")); /* none */
    script_end(&h);
}

/* ---- when something fails */

static allm_status spec_life(const allm__host *host, void *ctx) {
    allm_runtime_config rc = {0};
    allm_runtime       *rt = NULL;
    allm_llm           *llm = NULL;
    allm_config         c  = {0};
    allm_request        req = {0};
    allm_response       r  = {0};
    rc.allocator = host->mem, rc.n_threads = 1;
    allm_status status = allm_runtime_create(&rc, &rt, NULL);
    c.runtime = rt, c.model = SCRIPT_TINY, c.n_ctx = 128, c.n_draft = 2, c.draft_model = (const char *)ctx;
    if (!status) status = allm_create(NULL, &c, &llm, NULL);
    req.prompt = "Once upon a time", req.raw = 1, req.sampling = &script_greedy, req.max_tokens = 12;
    if (!status) status = allm_generate(llm, &req, &r, NULL);
    allm_response_free(&r);
    allm_destroy(llm);
    allm_runtime_destroy(rt);
    return status;
}

static void test_spec_allocation_fails(void **state) {
    (void)state;
    test_fail_each(spec_life, NULL);
    test_fail_each(spec_life, (void *)(uintptr_t)SCRIPT_TINY);
}

/* Cancelled at any stage of the passes of a model that repeats itself, and of its draft model: the answer so far is the
 * beginning of the whole, and the next one is as if nothing had been. */
static void test_spec_fault_34_cancel_anywhere(void **state) {
    script_host       h;
    sess_stage        stage;
    static script_ear e;
    (void)state;
    for (int with = 0; with < 2; with++) {
        sess_begin_staged(&h, &stage);
        sess_ids      t   = sess_tokens(&h, SCRIPT_PROMPT), other = {{5, 6, 7}, 3};
        allm_llm     *llm = stage.llm = spec_open(&h, SCRIPT_TINY, 0, 3, with ? SCRIPT_TINY : NULL);
        allm_request  req = sess_request(&t);
        script_answer cold = script_answer_of(llm, req);
        script_answer_of(llm, sess_request(&other));
        stage.n = 0;
        script_answer_of(llm, req);
        const int n_stages = stage.n;
        for (int at = 1; at <= n_stages; at += 7) {
            allm_response r;
            script_answer_of(llm, sess_request(&other)); /* nothing in common */
            memset(&e, 0, sizeof e);
            stage.n = 0, stage.at = at;
            const allm_status status = script_ask(llm, req, &e, &r, &h.err);
            assert_int_equal(status, ALLM_E_CANCELLED);
            assert_true(r.text != NULL && !strncmp(r.text, cold.text, r.text_len));
            allm_response_free(&r);
            stage.at        = 0;
            script_answer a = script_answer_of(llm, req);
            assert_string_equal(a.text, cold.text);
            assert_memory_equal(a.ids, cold.ids, sizeof a.ids);
        }
        assert_true(n_stages > 60);
        allm_destroy(llm);
        script_end(&h);
    }
}

static const struct CMUnitTest test_spec[] = {
    cmocka_unit_test(test_spec_golden_models),
    cmocka_unit_test(test_spec_answers),
    cmocka_unit_test(test_spec_real),
    cmocka_unit_test(test_spec_draft_model),
    cmocka_unit_test(test_spec_config_errors),
    cmocka_unit_test(test_spec_allocation_fails),
    cmocka_unit_test(test_spec_fault_34_cancel_anywhere),
};
