/* What the tests share: an allocator that counts and fails, guarded memory, golden data, a small painted stack,
 * temporary files. Included once by run.c, before the rooms' tests. Functions that may skip or fail are for the test's
 * own thread: cmocka jumps out of them. */
#ifndef TEST_UTIL_H
#define TEST_UTIL_H

#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__has_feature)
#define TEST_FEATURE(name) __has_feature(name)
#else
#define TEST_FEATURE(name) 0
#endif
#if defined(TEST_SANITIZED) /* by hand: under an emulator */
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || TEST_FEATURE(address_sanitizer) || \
    TEST_FEATURE(thread_sanitizer) || TEST_FEATURE(memory_sanitizer)
#define TEST_SANITIZED 1 /* times and stack depths say nothing */
#else
#define TEST_SANITIZED 0
#endif

/* ---- cases: what each did, for the table at the end */

enum { TEST_N_FOLDERS = 32 };
typedef enum test_result { TEST_FAILED, TEST_PASSED, TEST_SKIPPED } test_result;
typedef struct test_case {
    const struct CMUnitTest *test;
    test_result              result;  /* failed until it returns: assertions jump */
    uint32_t                 folders; /* bit i: asked for golden data of test_folders[i] */
} test_case;

static test_case *test_now; /* the one that runs */
static char       test_folders[TEST_N_FOLDERS][32];

/* Notes that this case needs the golden folder that name begins with. */
static void test_note_folder(const char *name) {
    size_t n = strcspn(name, "/");
    for (uint32_t i = 0; i < TEST_N_FOLDERS && n < sizeof test_folders[0]; i++) {
        if (!test_folders[i][0]) memcpy(test_folders[i], name, n);
        if (strncmp(test_folders[i], name, n) != 0 || test_folders[i][n]) continue;
        test_now->folders |= (uint32_t)1 << i;
        return;
    }
}

/* Ends the test, saying why it could not run. */
ALLM__PRINTF(1, 2)
static void test_skip(const char *format, ...) {
    va_list args;
    va_start(args, format);
    printf("             skipped: ");
    vprintf(format, args);
    printf("\n");
    va_end(args);
    fflush(stdout);
    test_now->result = TEST_SKIPPED;
    skip();
}

/* ---- time: told, but no judge */

/* Processor time of this program: what others do meanwhile does not count. */
static double test_seconds(void) { return (double)clock() / CLOCKS_PER_SEC; }

/* Fails only where a time is of another order than the limit, so that something hangs or is quadratic. */
static void test_time(const char *what, double seconds, double limit) {
    if (seconds > limit) printf("             slow: %s: %.3f s, expected at most %.3f\n", what, seconds, limit);
    if (!TEST_SANITIZED && seconds > 30 * limit) fail_msg("%s: %.3f s, expected at most %.3f", what, seconds, limit);
}

/* Twice the work takes about twice as long. */
static void test_time_linear(const char *what, double t1, double t2) {
    if (t2 > 2.5 * t1 + 0.02) printf("             slow: %s: %.3f s, twice as much %.3f s\n", what, t1, t2);
    if (!TEST_SANITIZED && t2 > 3.5 * t1 + 0.3) fail_msg("%s: %.3f s, twice as much %.3f s", what, t1, t2);
}

/* A build without threads is used from one thread. */
#ifdef ABSTRACTLLM_NO_THREADS
#define TEST_NEEDS_THREADS() test_skip("%s", "a build without threads is used from one thread")
#else
#define TEST_NEEDS_THREADS() (void)0

/* Every pthread_create of the library is this one. */
static int test_threads_left = -1; /* so many more can be made; -1: as many as wanted */
int pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
int test_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *), void *arg) {
    if (test_threads_left == 0) return EAGAIN;
    if (test_threads_left > 0) test_threads_left--;
    return pthread_create(t, attr, run, arg);
}
#endif

#ifdef ABSTRACTLLM_NO_SIMD
#define TEST_NEEDS_SIMD() test_skip("%s", "the real model takes scalar kernels minutes")
#else
#define TEST_NEEDS_SIMD() (void)0
#endif

#if defined(__SANITIZE_THREAD__) || TEST_FEATURE(thread_sanitizer)
#define TEST_NEEDS_SPEED() test_skip("%s", "long answers of the real model take the thread sanitizer minutes")
#else
#define TEST_NEEDS_SPEED() TEST_NEEDS_SIMD()
#endif

/* ---- a random sequence of its own, the same in every run */

static uint64_t test_random_state = 1;

static uint64_t test_random(void) {
    uint64_t x = test_random_state += 0x9E3779B97F4A7C15u;
    x          = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x          = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static uint64_t test_random_below(uint64_t n) { return test_random() % n; }

/* ---- allocator: counts calls and live bytes, checks sizes and both ends of every block, fails on demand */

typedef struct test_heap { /* zero it */
    int64_t n_calls;      /* of alloc */
    int64_t fail_at;      /* this call fails, counted from 1; 0: none */
    int     sticky;       /* and all later ones */
    int64_t live, peak;   /* bytes asked for and not freed */
    int64_t n_live;       /* blocks */
    int64_t budget;       /* most live bytes; 0: no limit */
    int32_t n_bad;        /* wrong size at free, broken canary, misaligned request */
} test_heap;

enum { TEST_CANARY = 32 };
typedef struct test_block { /* stands right below the canary in front of the caller's bytes */
    void  *base;
    size_t n_bytes;
} test_block;

static void *test_heap_alloc(void *ctx, size_t n_bytes, size_t align) {
    test_heap *m    = (test_heap *)ctx;
    int64_t   call = __atomic_add_fetch(&m->n_calls, 1, __ATOMIC_SEQ_CST);
    if (m->fail_at && (m->sticky ? call >= m->fail_at : call == m->fail_at)) return NULL;
    if (align == 0 || align > 4096 || (align & (align - 1)) || n_bytes == 0)
        __atomic_add_fetch(&m->n_bad, 1, __ATOMIC_SEQ_CST);
    if (n_bytes > (size_t)1 << 40) return NULL;
    int64_t live = __atomic_add_fetch(&m->live, (int64_t)n_bytes, __ATOMIC_SEQ_CST);
    size_t  head = sizeof(test_block) + TEST_CANARY, extra = head + align + TEST_CANARY;
    char   *base = m->budget && live > m->budget ? NULL : (char *)malloc(n_bytes + extra);
    if (!base) {
        __atomic_add_fetch(&m->live, -(int64_t)n_bytes, __ATOMIC_SEQ_CST);
        return NULL;
    }
    char *p = base + head;
    p += (align - (uintptr_t)p % align) % align;
    test_block block = {base, n_bytes};
    memcpy(p - head, &block, sizeof block);
    memset(p - TEST_CANARY, 0xC5, TEST_CANARY);
    memset(p, 0xA7, n_bytes < (1 << 20) ? n_bytes : 1 << 20); /* nobody may count on zeros */
    memset(p + n_bytes, 0xC5, TEST_CANARY);
    __atomic_add_fetch(&m->n_live, 1, __ATOMIC_SEQ_CST);
    for (int64_t peak = __atomic_load_n(&m->peak, __ATOMIC_SEQ_CST); live > peak;)
        if (__atomic_compare_exchange_n(&m->peak, &peak, live, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) break;
    return p;
}

static int test_canary_intact(const void *at) {
    const unsigned char *p = (const unsigned char *)at;
    for (int i = 0; i < TEST_CANARY; i++)
        if (p[i] != 0xC5) return 0;
    return 1;
}

static void test_heap_free(void *ctx, void *ptr, size_t n_bytes) {
    test_heap  *m = (test_heap *)ctx;
    char      *p = (char *)ptr;
    test_block block;
    memcpy(&block, p - TEST_CANARY - sizeof block, sizeof block);
    if (block.n_bytes != n_bytes || !test_canary_intact(p - TEST_CANARY) || !test_canary_intact(p + block.n_bytes))
        __atomic_add_fetch(&m->n_bad, 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&m->live, -(int64_t)block.n_bytes, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&m->n_live, -1, __ATOMIC_SEQ_CST);
    free(block.base);
}

static allm_allocator test_allocator(test_heap *m) {
    allm_allocator a = {test_heap_alloc, test_heap_free, m};
    return a;
}

static allm__host test_host(test_heap *m) {
    allm__host h = {test_allocator(m), NULL, NULL};
    return h;
}

/* Everything was given back, with the right sizes, and nobody wrote beyond a block. */
#define test_heap_check(m)                   \
    do {                                    \
        assert_int_equal((m)->n_bad, 0);    \
        assert_int_equal((m)->live, 0);     \
        assert_int_equal((m)->n_live, 0);   \
    } while (0)

/* Runs body with every allocation failing in turn, once and sticky. The body makes, uses and frees its objects with
 * the given host and returns its status: ALLM_OK or ALLM_E_MEMORY. Of more than 2,000 calls a sample is taken. */
typedef allm_status (*test_body)(const allm__host *h, void *ctx);

static void test_fail_each(test_body body, void *ctx) {
    test_heap   m = {0};
    allm__host h = test_host(&m);
    assert_int_equal(body(&h, ctx), ALLM_OK);
    test_heap_check(&m);
    int64_t n = m.n_calls, step = n > 2000 ? n / 2000 : 1;
    for (int sticky = 0; sticky < 2; sticky++) {
        for (int64_t k = 1; k <= n; k += step) {
            memset(&m, 0, sizeof m);
            m.fail_at = k, m.sticky = sticky;
            allm_status status = body(&h, ctx);
            if (status != ALLM_E_MEMORY && status != ALLM_OK)
                fail_msg("allocation %lld of %lld failed (%s): status %d", (long long)k, (long long)n,
                         sticky ? "sticky" : "once", (int)status);
            if (m.live || m.n_live || m.n_bad)
                fail_msg("allocation %lld of %lld failed (%s): %lld bytes lost, %d bad frees", (long long)k,
                         (long long)n, sticky ? "sticky" : "once", (long long)m.live, (int)m.n_bad);
        }
    }
}

/* ---- guarded memory: n bytes that end at a page nobody may touch; reading one byte too far is a crash */

typedef struct test_guard {
    void  *map, *ptr; /* ptr: [n] bytes */
    size_t n_map;
} test_guard;

static test_guard test_guard_new(size_t n) {
    size_t     page = (size_t)sysconf(_SC_PAGESIZE), n_map = (n + page - 1) / page * page + page;
    test_guard g    = {mmap(NULL, n_map, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), NULL, n_map};
    assert_true(g.map != MAP_FAILED);
    assert_int_equal(mprotect((char *)g.map + n_map - page, page, PROT_NONE), 0);
    g.ptr = (char *)g.map + n_map - page - n;
    return g;
}

static void test_guard_free(test_guard *g) { munmap(g->map, g->n_map); }

/* ---- files: golden data, models, temporary ones */

static char *test_path(const char *folder, const char *name) { /* malloc */
    size_t n = strlen(folder) + strlen(name) + 2;
    char  *s = (char *)malloc(n);
    assert_non_null(s);
    snprintf(s, n, "%s/%s", folder, name);
    return s;
}

/* All bytes of a file, with a NUL behind them, from malloc; NULL if it cannot be read. */
static char *test_read(const char *path, size_t *n) {
    FILE  *f   = fopen(path, "rb");
    char  *s   = NULL;
    size_t cap = 0, got;
    *n         = 0;
    if (!f) return NULL;
    do {
        if (*n + 1 >= cap) s = (char *)realloc(s, cap = cap * 2 + 65536);
        assert_non_null(s);
        *n += got = fread(s + *n, 1, cap - *n - 1, f);
    } while (got);
    int bad = ferror(f);
    fclose(f);
    if (bad) return free(s), (char *)NULL;
    s[*n] = 0;
    return s;
}

/* The path of a golden file or folder (free it); skips the test where there is none. */
static char *test_golden_path(const char *name) {
    const char *folder = getenv("ALLM_GOLDEN");
    char       *path   = test_path(folder && *folder ? folder : "../shared/golden", name);
    test_note_folder(name);
    if (access(path, R_OK) == 0) return path;
    static char shown[300];
    snprintf(shown, sizeof shown, "%s", path);
    free(path);
    test_skip("no golden data at %s", shown);
    return NULL;
}

/* The bytes of a golden file (free them), or skips. */
static char *test_golden(const char *name, size_t *n) {
    char *path = test_golden_path(name), *bytes = test_read(path, n);
    free(path);
    assert_non_null(bytes);
    return bytes;
}

/* The path of a model in $ALLM_TEST_MODELS (free it), or skips. */
static char *test_model_path(const char *name) {
    const char *folder = getenv("ALLM_TEST_MODELS");
    if (!folder || !*folder) test_skip("%s: ALLM_TEST_MODELS is not set", name);
    char *path = test_path(folder, name);
    if (access(path, R_OK) == 0) return path;
    free(path);
    test_skip("no %s in ALLM_TEST_MODELS", name);
    return NULL;
}

typedef struct test_temp {
    char path[256];
} test_temp;

/* A new file with these bytes; remove it with test_temp_remove. */
static test_temp test_temp_new(const void *bytes, size_t n) {
    test_temp   t;
    const char *folder = getenv("TMPDIR");
    snprintf(t.path, sizeof t.path, "%s/allm-test-XXXXXX", folder && *folder ? folder : "/tmp");
    int fd = mkstemp(t.path);
    assert_true(fd >= 0);
    for (size_t done = 0; done < n;) {
        ssize_t got = write(fd, (const char *)bytes + done, n - done);
        assert_true(got > 0);
        done += (size_t)got;
    }
    close(fd);
    return t;
}

static void test_temp_remove(test_temp *t) { unlink(t->path); }

/* ---- stack: runs body in a thread with a painted stack and tells how deep it went */

static int test_named; /* tests were asked for by name (-t): they may take long */

enum { TEST_STACK_PROMISE = 64 << 10, TEST_STACK_SIZE = TEST_SANITIZED ? 8 << 20 : 512 << 10 };

typedef struct test_stack_call {
    void (*body)(void *arg); /* must not use cmocka's assertions: they jump to another stack */
    void *arg;
    char *top; /* where the body's frames begin */
} test_stack_call;

static void *test_stack_main(void *arg) {
    test_stack_call *call = (test_stack_call *)arg;
    call->top             = (char *)__builtin_frame_address(0);
    call->body(call->arg);
    return NULL;
}

/* Bytes of stack that body(arg) used. */
static size_t test_stack_depth(void (*body)(void *arg), void *arg) {
    size_t page  = (size_t)sysconf(_SC_PAGESIZE);
    char  *stack = (char *)mmap(NULL, TEST_STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(stack != MAP_FAILED);
    assert_int_equal(mprotect(stack, page, PROT_NONE), 0);
    memset(stack + page, 0x5A, TEST_STACK_SIZE - page);
    pthread_attr_t attr;
    pthread_t      thread;
    assert_int_equal(pthread_attr_init(&attr), 0);
    assert_int_equal(pthread_attr_setstack(&attr, stack + page, TEST_STACK_SIZE - page), 0);
    test_stack_call call = {body, arg, NULL};
    assert_int_equal(pthread_create(&thread, &attr, test_stack_main, &call), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attr);
    size_t low = page;
    while (stack[low] == 0x5A) low++;
    size_t depth = (size_t)(call.top - (stack + low));
    munmap(stack, TEST_STACK_SIZE);
    return depth;
}

/* The promise of 64 KB; not checked where a sanitizer widens the frames. */
#define test_stack_check(body, arg)                                                                          \
    do {                                                                                                     \
        size_t test_depth = test_stack_depth(body, arg);                                                     \
        if (!TEST_SANITIZED && test_depth > TEST_STACK_PROMISE) fail_msg("%zu bytes of stack", test_depth);  \
    } while (0)

/* Unused helpers are no warning: not every build has every room. */
static void test_util_use(void) {
    (void)test_random_below, (void)test_fail_each, (void)test_guard_new, (void)test_guard_free, (void)test_golden;
    (void)test_model_path, (void)test_temp_new, (void)test_temp_remove, (void)test_stack_depth;
}

#endif
