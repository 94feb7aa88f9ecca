/* Room thr: mutexes and the pool. */

#ifdef ABSTRACTLLM_NO_THREADS
enum { TEST_THR_MOST = 1 };
#else
enum { TEST_THR_MOST = ABSTRACTLLM_MAX_THREADS };
#endif

typedef struct test_thr_count {
    int32_t done[ABSTRACTLLM_MAX_THREADS]; /* times each part ran */
    int32_t n_parts, n_wrong;
    int32_t spin; /* work of a part */
} test_thr_count;

static void test_thr_task(void *arg, int32_t i_part, int32_t n_parts) {
    test_thr_count *c = (test_thr_count *)arg;
    if (n_parts != c->n_parts || i_part < 0 || i_part >= n_parts) ALLM__ADD(&c->n_wrong, 1);
    else ALLM__ADD(&c->done[i_part], 1);
    for (volatile int32_t i = 0; i < c->spin; i++) {}
}

/* Runs n_stages and checks after each that every part ran exactly once. Returns the parts of a stage. */
static int32_t test_thr_stages(allm__pool *p, int n_stages, int spin) {
    allm__team t = allm__team_begin(p);
    int32_t    n = t.n_parts, n_wrong = 0;
    for (int i = 0; i < n_stages; i++) {
        test_thr_count c = {.n_parts = n, .spin = spin};
        allm__team_run(&t, test_thr_task, &c);
        for (int32_t k = 0; k < n; k++) n_wrong += c.done[k] != 1;
        n_wrong += c.n_wrong;
    }
    allm__team_end(&t);
    assert_int_equal(n_wrong, 0);
    return n;
}

/* Parts of the next region, however busy the machine was before: see allm__pool_judge. */
static int32_t test_thr_parts(allm__pool *p) {
#ifndef ABSTRACTLLM_NO_THREADS
    p->t_retry = 0;
#endif
    return test_thr_stages(p, 2, 0);
}

static void test_thr_counts(void **state) {
    (void)state;
    static const int32_t wants[] = {1, 2, 3, 4, 7, ABSTRACTLLM_MAX_THREADS, ABSTRACTLLM_MAX_THREADS + 1, INT32_MAX};
    for (size_t i = 0; i < ALLM__COUNT(wants); i++) {
        allm__pool p;
        allm__pool_init(&p, wants[i]);
        assert_int_equal(p.n_threads, ALLM__MIN(wants[i], TEST_THR_MOST));
        int32_t n = test_thr_stages(&p, wants[i] > 8 ? 20 : 300, 0);
        assert_int_equal(n, p.n_threads);
        test_thr_stages(&p, 3, 0); /* another region */
        allm__pool_free(&p);
    }
    for (int i = 0; i < 50; i++) { /* made, used a little or not at all, freed */
        allm__pool p;
        allm__pool_init(&p, 2 + i % 3);
        if (i % 2) test_thr_stages(&p, 1, 0);
        allm__pool_free(&p);
    }
}

static void test_thr_default(void **state) {
    (void)state;
    allm__pool p;
    allm__pool_init(&p, 0);
    assert_true(p.n_threads >= 1 && p.n_threads <= ABSTRACTLLM_MAX_THREADS);
#ifdef _SC_NPROCESSORS_ONLN
    assert_true(p.n_threads <= sysconf(_SC_NPROCESSORS_ONLN));
#endif
    allm__pool_free(&p);
    allm__pool_init(&p, -5);
    assert_true(p.n_threads >= 1);
    allm__pool_free(&p);
}

/* A busy pool is not waited for: the second region runs alone, in one part. */
static void test_thr_busy(void **state) {
    (void)state;
    allm__pool p;
    allm__pool_init(&p, 3);
    allm__team     first = allm__team_begin(&p), second = allm__team_begin(&p);
    test_thr_count c     = {.n_parts = 1};
    assert_int_equal(second.n_parts, 1);
    allm__team_run(&second, test_thr_task, &c);
    assert_int_equal(c.done[0], 1);
    allm__team_end(&second);
    assert_int_equal(test_thr_stages(&p, 2, 0), 1); /* the first still owns it */
    if (first.n_parts > 1) {
        test_thr_count d = {.n_parts = first.n_parts};
        allm__team_run(&first, test_thr_task, &d);
        for (int32_t i = 0; i < first.n_parts; i++) assert_int_equal(d.done[i], 1);
    }
    allm__team_end(&first);
    allm__team_end(&first); /* twice is nothing */
    assert_int_equal(test_thr_parts(&p), p.n_threads);
    allm__pool_free(&p);
}

#if defined(__linux__) && !defined(ABSTRACTLLM_NO_THREADS)
/* The default counts the cores that we may use, not those of the machine. */
static void test_thr_affinity(void **state) {
    unsigned long all[16] = {0}, one[16] = {0};
    const int     n_bits = (int)(8 * sizeof *all);
    (void)state;
    long n = syscall(SYS_sched_getaffinity, 0, sizeof all, all);
    if (n <= 0) test_skip("this system does not tell the processors that may be used");
    int32_t cores = allm__pool_default_threads();
    for (int i = 0; i < 16 * n_bits; i++) {
        if (!(all[i / n_bits] >> i % n_bits & 1)) continue;
        memset(one, 0, sizeof one);
        one[i / n_bits] = 1UL << i % n_bits; /* also a core's second thread */
        if (syscall(SYS_sched_setaffinity, 0, sizeof one, one)) test_skip("may not choose a processor");
        int32_t alone = allm__pool_default_threads();
        assert_int_equal(syscall(SYS_sched_setaffinity, 0, sizeof all, all), 0);
        assert_int_equal(alone, 1);
    }
    assert_int_equal(allm__pool_default_threads(), cores);
}
#endif

#if !defined(ABSTRACTLLM_NO_THREADS) && defined(SIG_BLOCK)
typedef struct test_thr_mask {
    pthread_t caller;
    int32_t   n_workers, n_wrong;
} test_thr_mask;

static void test_thr_mask_task(void *arg, int32_t i_part, int32_t n_parts) {
    test_thr_mask *w = (test_thr_mask *)arg;
    sigset_t       now;
    (void)i_part, (void)n_parts;
    for (int i = 0; i < 20000; i++) ALLM__PAUSE(); /* let a worker have a part */
    if (pthread_equal(pthread_self(), w->caller)) return;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    ALLM__ADD(&w->n_workers, 1);
    ALLM__ADD(&w->n_wrong, !sigismember(&now, SIGINT) || !sigismember(&now, SIGALRM) || sigismember(&now, SIGSEGV) ||
                               sigismember(&now, SIGBUS));
}

/* Signals are for the host's threads; the caller's own mask stays. */
static void test_thr_signals(void **state) {
    test_thr_mask w = {.caller = pthread_self()};
    sigset_t      before, after;
    allm__pool    p;
    (void)state;
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    allm__pool_init(&p, 2);
    for (int i = 0; i < 20000 && !w.n_workers; i++) {
        allm__team t = allm__team_begin(&p);
        allm__team_run(&t, test_thr_mask_task, &w);
        allm__team_end(&t);
    }
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    if (p.n_threads > 1) assert_true(w.n_workers > 0);
    assert_int_equal(w.n_wrong, 0);
    for (int s = 1; s < 32; s++) assert_int_equal(sigismember(&before, s), sigismember(&after, s));
    allm__pool_free(&p);
}
#endif

static void test_thr_host_backwards(void *ctx, int32_t n_parts, allm_task task, void *arg) {
    ++*(int *)ctx;
    for (int32_t i = n_parts; i-- > 0;) task(arg, i, n_parts);
}

static void test_thr_host(void **state) {
    (void)state;
    int        n_calls = 0;
    allm__pool p;
    const int32_t n_threads = ALLM__MIN(5, ABSTRACTLLM_MAX_THREADS);
    allm__pool_init(&p, 5);
    allm__pool_host(&p, 5, test_thr_host_backwards, &n_calls); /* builds without threads have it, too */
    assert_int_equal(test_thr_stages(&p, 40, 0), n_threads);
    assert_int_equal(n_calls, n_threads > 1 ? 40 : 0); /* one call a stage */
    allm__pool_free(&p);
}

#ifndef ABSTRACTLLM_NO_THREADS

typedef struct test_thr_caller {
    allm__pool *pool;
    int32_t     n_wrong, n_alone;
} test_thr_caller;

static void *test_thr_call(void *arg) {
    test_thr_caller *w = (test_thr_caller *)arg;
    for (int i = 0; i < 200; i++) {
        allm__team t = allm__team_begin(w->pool);
        ALLM__ADD(&w->n_alone, t.n_parts == 1);
        for (int k = 0; k < 5; k++) {
            test_thr_count c = {.n_parts = t.n_parts, .spin = 100};
            allm__team_run(&t, test_thr_task, &c);
            for (int32_t j = 0; j < t.n_parts; j++) ALLM__ADD(&w->n_wrong, c.done[j] != 1);
            ALLM__ADD(&w->n_wrong, c.n_wrong);
        }
        allm__team_end(&t);
    }
    return NULL;
}

/* Many host threads want one pool. */
static void test_thr_shared(void **state) {
    (void)state;
    allm__pool p;
    allm__pool_init(&p, 2);
    test_thr_caller w = {.pool = &p};
    pthread_t       threads[4];
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, test_thr_call, &w), 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    assert_int_equal(w.n_wrong, 0);
    assert_int_equal(test_thr_parts(&p), p.n_threads); /* nobody kept it */
    allm__pool_free(&p);
}

static double test_thr_cpu_seconds(void) { return (double)clock() / CLOCKS_PER_SEC; }

/* Workers sleep between regions, and wake for the next stage, however long they slept. */
static void test_thr_idle(void **state) {
    (void)state;
    allm__pool p;
    allm__pool_init(&p, 4);
    test_thr_stages(&p, 10, 1000);
    usleep(100000); /* what they may spin is long over */
    double before = test_thr_cpu_seconds();
    usleep(300000);
    double used = test_thr_cpu_seconds() - before;
    if (used > 0.03) fail_msg("an idle pool used %.3f s of 0.3 s", used);
    for (int i = 0; i < 30; i++) {
        usleep((useconds_t)(100 * i)); /* from spinning to asleep */
        test_thr_stages(&p, 2, 0);
    }
    allm__pool_free(&p);
}

static void test_thr_uneven_task(void *arg, int32_t i_part, int32_t n_parts) {
    if (i_part == n_parts - 1) usleep(2000);
    ALLM__ADD((int32_t *)arg, 1);
}

/* A slow part holds up the stage's end, nothing else. */
static void test_thr_uneven(void **state) {
    (void)state;
    allm__pool p;
    allm__pool_init(&p, 3);
    allm__team t = allm__team_begin(&p);
    for (int i = 0; i < 20; i++) {
        int32_t n = 0;
        allm__team_run(&t, test_thr_uneven_task, &n);
        assert_int_equal(n, t.n_parts);
    }
    allm__team_end(&t);
    allm__pool_free(&p);
}

/* Where a thread keeps being put aside, the pool does with fewer for a while; every part runs once all the same. */
static void test_thr_late(void **state) {
    (void)state;
#ifdef ABSTRACTLLM_NO_THREADS
    test_skip("a build without threads has no workers");
#else
    allm__pool p;
    int        fewer = 0;
    allm__pool_init(&p, 3);
    for (int i = 0; i < 200 && fewer < 5; i++) {
        allm__team t = allm__team_begin(&p);
        int32_t    n = 0, n_parts = t.n_parts;
        allm__team_run(&t, test_thr_uneven_task, &n);
        assert_int_equal(n, n_parts);
        allm__team_end(&t);
        fewer += n_parts < 3;
    }
    if (fewer) assert_true(p.n_active < 3 || p.pause > 0); /* how often is the system's business, not ours */
    usleep(1000 * (useconds_t)(1000 * p.pause + 10));
    allm__team t = allm__team_begin(&p);
    assert_int_equal(t.n_parts, 3);
    allm__team_end(&t);
    for (int i = 0; i < 50; i++) test_thr_stages(&p, 3, 0);
    allm__pool_free(&p);
#endif
}

static struct {
    allm__mutex mutex;
    int         sum; /* not atomic: the mutex is what keeps it whole */
} test_thr_locked;

static void test_thr_lock_task(void *arg, int32_t i_part, int32_t n_parts) {
    (void)i_part, (void)n_parts, (void)arg;
    for (int i = 0; i < 5000; i++) {
        allm__lock(&test_thr_locked.mutex);
        test_thr_locked.sum++;
        allm__unlock(&test_thr_locked.mutex);
    }
}

static void test_thr_mutex(void **state) {
    (void)state;
    allm__pool p;
    allm__pool_init(&p, 4);
    allm__mutex_init(&test_thr_locked.mutex);
    allm__team t = allm__team_begin(&p);
    allm__team_run(&t, test_thr_lock_task, NULL);
    assert_int_equal(test_thr_locked.sum, 5000 * t.n_parts);
    allm__team_end(&t);
    allm__mutex_free(&test_thr_locked.mutex);
    allm__pool_free(&p);
}
#endif

#ifndef ABSTRACTLLM_NO_THREADS
/* The system makes only so many threads: the pool is that much smaller, from then on, and does its work. */
static void test_thr_fault_40_no_threads(void **state) {
    (void)state;
    for (int32_t k = 0; k < 5; k++) {
        allm__pool p;
        allm__pool_init(&p, 4);
        test_threads_left = k;
        const int32_t n = test_thr_stages(&p, 100, 0);
        test_threads_left = -1;
        assert_int_equal(n, ALLM__MIN(k + 1, 4));
        assert_int_equal(test_thr_parts(&p), n);
        allm__pool_free(&p);
    }
}
#endif

/* Parts cover all things exactly once, in order, cut only at whole steps, and none is much larger than another. */
static void test_thr_part(void **state) {
    (void)state;
    for (int64_t n = 0; n < 200; n += 1 + n / 20) {
        for (int64_t step = 1; step <= 64; step *= 2) {
            for (int32_t n_parts = 1; n_parts <= 9; n_parts++) {
                int64_t next = 0, from, to, n_steps = (n + step - 1) / step;
                for (int32_t i = 0; i < n_parts; i++) {
                    allm__part(n, step, i, n_parts, &from, &to);
                    assert_true(from == next && to >= from && to <= n);
                    assert_true(from % step == 0 || from == n);
                    assert_true(to - from <= (n_steps / n_parts + 1) * step);
                    next = to;
                }
                assert_true(next == n);
            }
        }
    }
}

static const struct CMUnitTest test_thr[] = {
    cmocka_unit_test(test_thr_counts), cmocka_unit_test(test_thr_default), cmocka_unit_test(test_thr_busy),
    cmocka_unit_test(test_thr_part),
#if defined(__linux__) && !defined(ABSTRACTLLM_NO_THREADS)
    cmocka_unit_test(test_thr_affinity),
#endif
#if !defined(ABSTRACTLLM_NO_THREADS) && defined(SIG_BLOCK)
    cmocka_unit_test(test_thr_signals),
#endif
    cmocka_unit_test(test_thr_host),
#ifndef ABSTRACTLLM_NO_THREADS
    cmocka_unit_test(test_thr_shared), cmocka_unit_test(test_thr_idle),    cmocka_unit_test(test_thr_uneven),
    cmocka_unit_test(test_thr_late), cmocka_unit_test(test_thr_fault_40_no_threads),
    cmocka_unit_test(test_thr_mutex),
#endif
};
