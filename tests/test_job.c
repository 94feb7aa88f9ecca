/* Room job: order, waiting, cancel, destroying from anywhere, the same answers as without jobs. */
#ifndef ABSTRACTLLM_NO_THREADS

/* A provider that holds each answer until it is let go, and writes down who was answered. */
typedef struct job_gate {
    allm__mutex mutex;
    allm__cond  change;
    int         open, n_began, cancelled;
    char        order[256];
} job_gate;

static void job_gate_init(job_gate *g) {
    memset(g, 0, sizeof *g);
    allm__mutex_init(&g->mutex), allm__cond_init(&g->change);
}

static void job_gate_free(job_gate *g) { allm__cond_free(&g->change), allm__mutex_free(&g->mutex); }

static void job_gate_set(job_gate *g, int open) {
    allm__lock(&g->mutex);
    g->open = open;
    allm__cond_all(&g->change);
    allm__unlock(&g->mutex);
}

static void job_gate_began(job_gate *g, int n_began) {
    allm__lock(&g->mutex);
    g->n_began = n_began;
    allm__cond_all(&g->change);
    allm__unlock(&g->mutex);
}

static void job_gate_await(job_gate *g, int n_began) {
    allm__lock(&g->mutex);
    while (g->n_began < n_began) allm__cond_wait(&g->change, &g->mutex);
    allm__unlock(&g->mutex);
}

static allm_status job_gate_open(void *ctx, const allm_config *config, void **self, allm_error *err) {
    (void)config, (void)err;
    return *self = ctx, ALLM_OK;
}

static allm_status job_gate_generate(void *self, const allm_request *req, allm_response *out, allm_error *err) {
    job_gate  *g     = (job_gate *)self;
    allm_chunk chunk = {ALLM_TEXT, req->prompt, strlen(req->prompt), -1, 0, 0, NULL, 0};
    (void)out, (void)err;
    allm__lock(&g->mutex);
    strncat(g->order, req->prompt, 1);
    g->n_began++;
    allm__cond_all(&g->change);
    while (!g->open && !g->cancelled) allm__cond_wait(&g->change, &g->mutex);
    g->cancelled = 0;
    allm__unlock(&g->mutex);
    return req->on_chunk(&chunk, req->on_chunk_ctx) ? ALLM_E_CANCELLED : ALLM_OK;
}

static void job_gate_cancel(void *self) {
    job_gate *g = (job_gate *)self;
    allm__lock(&g->mutex);
    g->cancelled = 1;
    allm__cond_all(&g->change);
    allm__unlock(&g->mutex);
}

static allm_llm *job_gate_llm(script_host *h, job_gate *g) {
    allm_provider p = {0};
    allm_config   c = {0};
    p.name = "gate", p.open = job_gate_open, p.generate = job_gate_generate, p.cancel = job_gate_cancel, p.ctx = g;
    c.model = "any";
    assert_int_equal(allm_provider_register(h->rt, &p, &h->err), ALLM_OK);
    return script_open(h, "gate", c);
}

static allm_job *job_start(allm_llm *llm, const char *prompt) {
    allm_request req = {0};
    allm_job    *job = NULL;
    allm_error   err;
    req.prompt = prompt;
    if (allm_generate_async(llm, &req, &job, &err)) fail_msg("%s", err.message);
    return job;
}

/* Waits for ever; what the job answered, and then it is destroyed. */
static void job_expect(allm_job *job, allm_status status, const char *text) {
    allm_response r;
    allm_error    err;
    assert_int_equal(allm_job_wait(job, -1, &r, &err), status);
    assert_int_equal(err.status, status);
    if (text) assert_string_equal(r.text, text);
    if (status == ALLM_E_CANCELLED) assert_string_equal(err.message, "cancelled");
    allm_response_free(&r);
    assert_int_equal(allm_job_wait(job, 0, &r, NULL), status); /* once more: the same, but for the response */
    assert_null(r.text);
    allm_job_destroy(job);
}

static void test_job_order(void **state) {
    static const char *const prompts[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    script_host h;
    job_gate    g;
    allm_job   *jobs[8];
    (void)state;
    script_begin(&h, 1), job_gate_init(&g);
    allm_llm *llm = job_gate_llm(&h, &g);
    for (int i = 0; i < 8; i++) jobs[i] = job_start(llm, prompts[i]);
    job_gate_await(&g, 1);
    for (int i = 0; i < 8; i++) {
        allm_response r;
        allm_error    err;
        assert_int_equal(allm_job_wait(jobs[i], i % 2, &r, &err), ALLM_E_BUSY);
        assert_string_equal(err.message, "the job is not done");
        assert_null(r.text);
    }
    job_gate_set(&g, 1);
    for (int i = 7; i >= 0; i--) job_expect(jobs[i], ALLM_OK, prompts[i]);
    assert_string_equal(g.order, "abcdefgh");
    allm_destroy(llm);
    job_gate_free(&g), script_end(&h);
}

static void test_job_cancel(void **state) {
    script_host   h;
    job_gate      g;
    allm_response r;
    (void)state;
    script_begin(&h, 1), job_gate_init(&g);
    allm_llm *llm = job_gate_llm(&h, &g);
    allm_job *a = job_start(llm, "a"), *b = job_start(llm, "b"), *c = job_start(llm, "c");
    job_gate_await(&g, 1);
    allm_job_cancel(b); /* has not begun: done at once */
    assert_int_equal(allm_job_wait(b, 0, &r, NULL), ALLM_E_CANCELLED);
    assert_true(r.finish == ALLM_FINISH_CANCELLED && !r.text);
    allm_job_cancel(a), allm_job_cancel(a), allm_job_cancel(NULL);
    job_expect(a, ALLM_E_CANCELLED, NULL);
    allm_job_cancel(b); /* done long ago: not the one that runs now */
    job_gate_await(&g, 2);
    job_gate_set(&g, 1);
    job_expect(c, ALLM_OK, "c");
    job_expect(b, ALLM_E_CANCELLED, NULL);
    assert_string_equal(g.order, "ac");
    allm_destroy(llm);
    job_gate_free(&g), script_end(&h);
}

/* A caller's own generation and a job exclude each other: the call is refused, the job waits. */
static void *job_other_main(void *arg) {
    script_host  h = {{0}, NULL, {0}};
    allm_request req = {0};
    req.prompt = "x";
    return (void *)(uintptr_t)(allm_generate((allm_llm *)arg, &req, NULL, &h.err) + 1);
}

static void test_job_and_call(void **state) {
    script_host  h;
    job_gate     g;
    pthread_t    thread;
    void        *result = NULL;
    allm_request req    = {0};
    (void)state;
    script_begin(&h, 1), job_gate_init(&g);
    allm_llm *llm = job_gate_llm(&h, &g);
    allm_job *a   = job_start(llm, "a");
    job_gate_await(&g, 1);
    req.prompt = "x";
    assert_int_equal(allm_generate(llm, &req, NULL, &h.err), ALLM_E_BUSY); /* and a goes on */
    assert_int_equal(allm_job_wait(a, 0, NULL, NULL), ALLM_E_BUSY);
    job_gate_set(&g, 1);
    job_expect(a, ALLM_OK, "a"); /* done: the object is free again */
    assert_int_equal(allm_generate(llm, &req, NULL, &h.err), ALLM_OK);
    job_gate_set(&g, 0);
    assert_int_equal(pthread_create(&thread, NULL, job_other_main, llm), 0);
    job_gate_await(&g, 3);
    allm_job *b = job_start(llm, "b"), *c = job_start(llm, "c");
    assert_int_equal(allm_job_wait(b, 20, NULL, NULL), ALLM_E_BUSY);
    allm_job_cancel(b); /* it waits for the call, which goes on */
    job_expect(b, ALLM_E_CANCELLED, NULL);
    job_gate_set(&g, 1);
    job_expect(c, ALLM_OK, "c");
    pthread_join(thread, &result);
    assert_int_equal((uintptr_t)result, ALLM_OK + 1);
    assert_string_equal(g.order, "axxc");
    allm_destroy(llm);
    job_gate_free(&g), script_end(&h);
}

/* The object goes first: what runs and what waits is cancelled, and can still be asked. */
static void test_job_destroyed_object(void **state) {
    script_host h;
    job_gate    g;
    (void)state;
    script_begin(&h, 1), job_gate_init(&g);
    allm_llm *llm = job_gate_llm(&h, &g);
    allm_job *a = job_start(llm, "a"), *b = job_start(llm, "b"), *c = job_start(llm, "c");
    job_gate_await(&g, 1);
    allm_destroy(llm);
    job_expect(c, ALLM_E_CANCELLED, NULL);
    job_expect(a, ALLM_E_CANCELLED, NULL);
    allm_job_cancel(b);
    allm_job_destroy(b);
    llm = job_gate_llm(&h, &g);
    a   = job_start(llm, "a"), b = job_start(llm, "b");
    job_gate_await(&g, 2);
    allm_job_destroy(b);
    allm_job_destroy(a); /* runs: is cancelled and waited for */
    allm_destroy(llm);
    job_gate_free(&g), script_end(&h);
}

/* Callbacks of the job's own. */
typedef struct job_own {
    allm_llm   *llm;
    allm_job   *job;
    int         what; /* 0: waits, 1: destroys the job, 2: destroys the object, 3: both */
    int         n_chunks;
    allm_status seen;
    job_gate   *gate;
} job_own;

static int job_own_hear(const allm_chunk *chunk, void *ctx) {
    job_own *o = (job_own *)ctx;
    if (chunk->event != ALLM_TEXT || o->n_chunks++) return 0;
    job_gate_await(o->gate, 1); /* the test knows the job */
    if (o->what == 0) o->seen = allm_job_wait(o->job, -1, NULL, NULL);
    if (o->what == 2 || o->what == 3) allm_destroy(o->llm);
    if (o->what == 1 || o->what == 3) allm_job_destroy(o->job);
    job_gate_began(o->gate, 2);
    return 0;
}

static void test_job_in_its_callback(void **state) {
    (void)state;
    for (int what = 0; what < 4; what++) {
        script_host  h;
        job_gate     g;
        allm_request req = {0};
        allm_config  c   = {0};
        script_begin(&h, 1), job_gate_init(&g);
        job_own o = {NULL, NULL, what, 0, ALLM_OK, &g};
        c.model   = "any";
        o.llm     = script_open(&h, "echo", c);
        req.prompt = "one two three", req.on_chunk = job_own_hear, req.on_chunk_ctx = &o;
        assert_int_equal(allm_generate_async(o.llm, &req, &o.job, &h.err), ALLM_OK);
        job_gate_began(&g, 1);
        job_gate_await(&g, 2);
        if (what == 0) {
            job_expect(o.job, ALLM_OK, "one two three");
            assert_int_equal(o.seen, ALLM_E_BUSY);
        }
        if (what == 2) job_expect(o.job, ALLM_E_CANCELLED, NULL);
        if (what < 2) allm_destroy(o.llm); /* waits for the thread */
        for (double t = allm__plat_seconds(); __atomic_load_n(&h.heap.n_live, __ATOMIC_SEQ_CST) > 1 &&
                                              allm__plat_seconds() < t + 30;) /* but the runtime */
            allm__thread_yield();
        job_gate_free(&g), script_end(&h);
    }
}

static void test_job_arguments(void **state) {
    script_host  h;
    allm_request req = {0}, bad = {0};
    allm_job    *job = NULL;
    allm_config  c   = {0};
    (void)state;
    script_begin(&h, 1);
    c.model       = "any";
    allm_llm *llm = script_open(&h, "echo", c);
    req.prompt    = "x";
    assert_int_equal(allm_generate_async(NULL, &req, &job, &h.err), ALLM_E_ARGUMENT);
    assert_string_equal(h.err.message, "llm is NULL");
    assert_int_equal(allm_generate_async(llm, NULL, &job, &h.err), ALLM_E_ARGUMENT);
    assert_int_equal(allm_generate_async(llm, &req, NULL, &h.err), ALLM_E_ARGUMENT);
    assert_int_equal(allm_generate_async(llm, &bad, &job, &h.err), ALLM_E_ARGUMENT);
    assert_null(job);
    assert_int_equal(allm_job_wait(NULL, 0, NULL, &h.err), ALLM_E_ARGUMENT);
    assert_string_equal(h.err.message, "job is NULL");
    allm_job_destroy(NULL);
    allm_destroy(llm), script_end(&h);
}

/* No thread can be made for jobs: said at once, and the next job tries again. */
static void test_job_fault_40_no_thread(void **state) {
    script_host  h;
    allm_request req = {0};
    allm_job    *job = NULL;
    allm_config  c   = {0};
    (void)state;
    TEST_NEEDS_THREADS();
#ifndef ABSTRACTLLM_NO_THREADS
    script_begin(&h, 1);
    c.model = "any", req.prompt = "some words";
    allm_llm *llm = script_open(&h, "echo", c);
    test_threads_left = 0;
    assert_int_equal(allm_generate_async(llm, &req, &job, &h.err), ALLM_E_MEMORY);
    test_threads_left = -1;
    assert_null(job);
    assert_non_null(strstr(h.err.message, "no thread"));
    assert_int_equal(allm_generate_async(llm, &req, &job, &h.err), ALLM_OK);
    job_expect(job, ALLM_OK, "some words");
    allm_destroy(llm), script_end(&h);
#endif
}

static void test_job_no_memory(void **state) {
    (void)state;
    for (int64_t k = 0; k < 40; k++) {
        script_host  h;
        allm_request req = {0};
        allm_job    *job = NULL;
        allm_config  c   = {0};
        script_begin(&h, 1);
        c.model       = "any";
        allm_llm *llm = script_open(&h, "echo", c);
        req.prompt    = "some words";
        h.heap.fail_at = h.heap.n_calls + k;
        allm_status status = allm_generate_async(llm, &req, &job, &h.err);
        if (!status) status = allm_job_wait(job, -1, NULL, &h.err);
        assert_true(status == ALLM_OK || status == ALLM_E_MEMORY);
        allm_job_destroy(job), allm_destroy(llm), script_end(&h);
    }
}

/* Many threads, each with jobs of its own on two objects, some of them cancelled. */
typedef struct job_user {
    allm_llm *llm[2];
    pthread_t thread;
    uint64_t  seed;
    int       n_bad, n_done;
} job_user;

static void *job_user_main(void *arg) {
    job_user *u = (job_user *)arg;
    for (int i = 0; i < 60; i++) {
        allm_request  req = {0};
        allm_response r;
        allm_job     *job = NULL;
        req.prompt        = "tell me of ships and shoes and sealing wax";
        u->seed           = u->seed * 6364136223846793005u + 1442695040888963407u;
        int what          = (int)(u->seed >> 60);
        if (allm_generate_async(u->llm[i % 2], &req, &job, NULL)) return u->n_bad++, NULL;
        if (what < 4) allm_job_cancel(job);
        allm_status status = what < 12 ? allm_job_wait(job, what % 2 ? -1 : 10000, &r, NULL) : ALLM_E_CANCELLED;
        if (status == ALLM_OK) u->n_bad += strcmp(r.text, req.prompt) != 0, u->n_done++;
        else u->n_bad += status != ALLM_E_CANCELLED || (what >= 4 && what < 12);
        if (what < 12) allm_response_free(&r);
        allm_job_destroy(job);
    }
    return NULL;
}

static void test_job_many(void **state) {
    enum { N = 6 };
    script_host h;
    job_user    users[N];
    allm_config c = {0};
    (void)state;
    script_begin(&h, 1);
    c.model          = "any";
    allm_llm *llm[2] = {script_open(&h, "echo", c), script_open(&h, "echo", c)};
    memset(users, 0, sizeof users);
    for (int i = 0; i < N; i++) {
        memcpy(users[i].llm, llm, sizeof llm), users[i].seed = (uint64_t)i;
        assert_int_equal(pthread_create(&users[i].thread, NULL, job_user_main, &users[i]), 0);
    }
    for (int i = 0; i < N; i++) {
        pthread_join(users[i].thread, NULL);
        assert_int_equal(users[i].n_bad, 0);
        assert_true(users[i].n_done >= 20);
    }
    allm_destroy(llm[0]), allm_destroy(llm[1]);
    script_end(&h);
}
#endif

/* A model's answer by a job is its answer without. */
static void test_job_same(void **state) {
    script_host   h;
    allm_request  req = {0};
    allm_sampling s   = {0};
    allm_job     *job = NULL;
    allm_response r, q;
    (void)state;
    script_begin(&h, 2);
    allm_llm *llm = script_open_path(&h, SCRIPT_TINY);
    s.temperature = 0.8f, s.seed = 7;
    req.prompt = SCRIPT_PROMPT, req.raw = 1, req.max_tokens = 24, req.sampling = &s;
    assert_int_equal(allm_generate(llm, &req, &r, &h.err), ALLM_OK);
    assert_int_equal(allm_generate_async(llm, &req, &job, &h.err), ALLM_OK);
    assert_int_equal(allm_job_wait(job, -1, &q, &h.err), ALLM_OK);
    assert_string_equal(r.text, q.text);
    assert_int_equal(r.completion_tokens, q.completion_tokens);
    allm_response_free(&r), allm_response_free(&q);
    allm_job_destroy(job), allm_destroy(llm);
    script_end(&h);
}

static const struct CMUnitTest test_job[] = {
#ifndef ABSTRACTLLM_NO_THREADS
    cmocka_unit_test(test_job_order),     cmocka_unit_test(test_job_cancel),
    cmocka_unit_test(test_job_and_call),  cmocka_unit_test(test_job_destroyed_object),
    cmocka_unit_test(test_job_in_its_callback), cmocka_unit_test(test_job_arguments),
    cmocka_unit_test(test_job_fault_40_no_thread),
    cmocka_unit_test(test_job_no_memory), cmocka_unit_test(test_job_many),
#endif
    cmocka_unit_test(test_job_same),
};
