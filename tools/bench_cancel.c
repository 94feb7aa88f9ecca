/* How long a cancel takes, through the public calls: jobs of each model are cancelled from another thread at a random
 * moment, half of them in a long prompt, half while they write, and the time is taken from the cancel until the call
 * has returned. A model without a tokenizer has no jobs: a session's evals are cancelled instead.
 *     make build/bench_cancel && build/bench_cancel [-t THREADS] [-n TRIES] [-p TOKENS] [-s SEED] [-r FILE] MODEL...
 * A line for each model and a last one for all; -r appends each time to a file, in milliseconds, and the processor time
 * of all threads meanwhile, which other work on the machine changes less. What does not open is said and left out. Ends
 * with 1 if one took 20 ms. Under chrt -f the thread that cancels goes one step above those that compute, since it has
 * to run when its moment comes. */
#define _GNU_SOURCE 1
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

enum { TRIES_MAX = 10000, SHORT = 16 /* tokens of the prompt where writing is cancelled */, WRITTEN = 400 };
static const double limit_s = 0.02;

typedef struct bench {
    allm_runtime *rt;
    allm_llm     *llm;  /* or else the next two */
    allm_model   *m;
    allm_session *s;
    int32_t       ids[4096], n_ids, n_vocab;
    int32_t       writes; /* what is cancelled: writing, or the prompt */
    int32_t       began;  /* the part that is to be cancelled */
    int32_t       ended;
    allm_status   status;
    double        seconds[2]; /* a prompt, and WRITTEN tokens, left alone; at most a second */
} bench;

typedef struct took { /* seconds, also of processor time */
    double wall, busy;
} took;

static uint64_t rng = 1;

static double random_part(void) { /* [0, 1); xorshift64* (Marsaglia; Vigna 2016) */
    rng ^= rng >> 12, rng ^= rng << 25, rng ^= rng >> 27;
    return (double)((rng * 2685821657736338717u) >> 11) / 9007199254740992.0;
}

static double seconds_of(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double now(void) { return seconds_of(CLOCK_MONOTONIC); }

static took took_now(void) { return (took){now(), seconds_of(CLOCK_PROCESS_CPUTIME_ID)}; }

static took took_since(took from) {
    const took t = took_now();
    return (took){t.wall - from.wall, t.busy - from.busy};
}

static void wait_until(double moment) {
    struct timespec t;
    t.tv_sec = (time_t)moment, t.tv_nsec = (long)(1e9 * (moment - (double)t.tv_sec));
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void step_ahead(int on) {
    struct sched_param p;
    if (sched_getscheduler(0) != SCHED_FIFO || sched_getparam(0, &p)) return;
    p.sched_priority += on ? 1 : -1;
    sched_setscheduler(0, SCHED_FIFO, &p);
}

static int compare(const void *a, const void *b) {
    const took *x = (const took *)a, *y = (const took *)b;
    return x->wall < y->wall ? -1 : x->wall > y->wall;
}

/* ---- what is cancelled */

static int on_chunk(const allm_chunk *chunk, void *ctx) {
    (void)chunk;
    return ALLM__STORE(&((bench *)ctx)->began, 1), 0;
}

static void new_prompt(bench *b) { /* that shares no beginning with the last one */
    for (int32_t i = 0; i < b->n_ids; i++) b->ids[i] = (int32_t)(random_part() * b->n_vocab);
}

static allm_request request(bench *b) {
    static const allm_sampling greedy;
    allm_request req = {0};
    req.prompt_ids = b->ids, req.n_prompt_ids = (size_t)(b->writes ? SHORT : b->n_ids);
    req.max_tokens = b->writes ? WRITTEN : 1, req.sampling = &greedy;
    req.on_chunk = on_chunk, req.on_chunk_ctx = b;
    return req;
}

/* The same by a session, on a thread of its own. */
static void *run_session(void *arg) {
    bench      *b = (bench *)arg;
    allm_error  err = {0};
    allm_status status = allm_session_truncate(b->s, 0, &err);
    if (!b->writes) ALLM__STORE(&b->began, 1);
    if (!status) status = allm_session_eval(b->s, b->ids, (size_t)(b->writes ? SHORT : b->n_ids), 0, &err);
    ALLM__STORE(&b->began, 1);
    for (int32_t i = SHORT; !status && b->writes && i < b->n_ids; i++)
        status = allm_session_eval(b->s, &b->ids[i], 1, 0, &err);
    b->status = status;
    ALLM__STORE(&b->ended, 1);
    return NULL;
}

/* Cancels at a moment of 0..1 of the part's whole time, or not (< 0); returns what it took from the cancel, or from the
 * part's beginning, to the end. */
static took try_session(bench *b, double at) {
    pthread_t thread;
    ALLM__STORE(&b->began, 0), ALLM__STORE(&b->ended, 0);
    if (pthread_create(&thread, NULL, run_session, b)) return b->status = ALLM_E_MEMORY, (took){0, 0};
    while (!ALLM__LOAD(&b->began)) wait_until(now() + 1e-5);
    took from = took_now();
    if (at >= 0) wait_until(from.wall + at * b->seconds[b->writes]), from = took_now();
    while (!ALLM__LOAD(&b->ended)) { /* one that comes between two evals is none */
        if (at >= 0) allm_session_cancel(b->s);
        wait_until(now() + 2e-5);
    }
    const took t = took_since(from);
    return pthread_join(thread, NULL), t;
}

static took try_job(bench *b, double at, allm_error *err) {
    allm_request req = request(b);
    allm_job    *job = NULL;
    ALLM__STORE(&b->began, 0);
    if ((b->status = allm_generate_async(b->llm, &req, &job, err)) != ALLM_OK) return (took){0, 0};
    while (b->writes && !ALLM__LOAD(&b->began) && allm_job_wait(job, 0, NULL, NULL) == ALLM_E_BUSY)
        wait_until(now() + 1e-5);
    took from = took_now();
    if (at >= 0) wait_until(from.wall + at * b->seconds[b->writes]), from = took_now(), allm_job_cancel(job);
    b->status    = allm_job_wait(job, -1, NULL, err);
    const took t = took_since(from);
    return allm_job_destroy(job), t;
}

static took try_once(bench *b, double at, allm_error *err) {
    new_prompt(b);
    return b->llm ? try_job(b, at, err) : try_session(b, at);
}

/* ---- a model */

/* An llm, or a session for a model that has no tokenizer. */
static allm_status bench_open(bench *b, const char *path, int32_t n_prompt, allm_error *err) {
    allm_config         c   = {0};
    allm_source         src = {0};
    allm_model_info     info;
    allm_session_config sc = {0};
    c.runtime = b->rt, c.model = path, c.n_ctx = n_prompt + WRITTEN, src.path = path;
    if (allm_model_open(b->rt, &src, NULL, &b->m, err) || allm_model_get_info(b->m, &info, err)) return err->status;
    b->n_vocab = (int32_t)info.n_vocab, b->n_ids = n_prompt;
    sc.n_ctx = n_prompt + WRITTEN;
    if (info.has_tokenizer) return allm_create("local", &c, &b->llm, err);
    if (!allm_session_create(b->m, &sc, &b->s, err)) return ALLM_OK;
    sc.n_ctx = b->n_ids = (int32_t)info.n_ctx_train; /* positions are learned: no more than these */
    return allm_session_create(b->m, &sc, &b->s, err);
}

static void bench_close(bench *b) {
    allm_destroy(b->llm), allm_session_destroy(b->s), allm_model_close(b->m);
    b->llm = NULL, b->s = NULL, b->m = NULL;
}

/* Times of n_tries cancels, to t; returns how many hit what they were meant for. */
static int bench_times(bench *b, int n_tries, took *t, allm_error *err) {
    int n = 0;
    for (b->writes = 0; b->writes < 2; b->writes++)
        for (int i = 0; i < 2; i++) { /* the first brings weights into their layout */
            b->seconds[b->writes] = ALLM__MIN(try_once(b, -1, err).wall, 1.0);
            if (b->status) return -1;
        }
    step_ahead(1);
    for (int i = 0; n < n_tries && i < 3 * n_tries; i++) {
        b->writes    = i & 1;
        const took s = try_once(b, random_part(), err);
        if (b->status == ALLM_E_CANCELLED) t[n++] = s;
        else if (b->status) return -1;
    }
    return step_ahead(0), n;
}

static void tell(const char *name, took *t, int n) {
    double busy = 0;
    qsort(t, (size_t)n, sizeof *t, compare);
    for (int i = 0; i < n; i++) busy = ALLM__MAX(busy, t[i].busy);
    printf("%-24s %5d tries, median %6.2f ms, 99 %% %6.2f ms, worst %6.2f ms, %6.2f ms of processor time\n", name, n,
           1e3 * t[n / 2].wall, 1e3 * t[n * 99 / 100].wall, 1e3 * t[n - 1].wall, 1e3 * busy);
    fflush(stdout);
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

int main(int argc, char **argv) {
    static bench        b;
    static took         t[TRIES_MAX], all[TRIES_MAX * 8];
    allm_runtime_config rc      = {0};
    int                 n_tries = 200, n_prompt = 1600, n_all = 0, i = 1;
    FILE               *raw     = NULL;
    rc.n_threads                = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        const char *value = argv[i + 1];
        if (argv[i][1] == 't') rc.n_threads = atoi(value);
        if (argv[i][1] == 'n') n_tries = ALLM__MIN(ALLM__MAX(atoi(value), 1), TRIES_MAX);
        if (argv[i][1] == 'p') n_prompt = ALLM__MIN(ALLM__MAX(atoi(value), 2 * SHORT), (int)ALLM__COUNT(b.ids));
        if (argv[i][1] == 's') rng = (uint64_t)atoll(value) * 2 + 1;
        if (argv[i][1] == 'r') raw = fopen(value, "a");
    }
    if (i >= argc || allm_runtime_create(&rc, &b.rt, NULL))
        return fputs("usage: bench_cancel [-t THREADS] [-n TRIES] [-p TOKENS] [-s SEED] [-r FILE] MODEL...\n",
                     stderr), 2;
    for (; i < argc; i++) {
        allm_error err = {0};
        int        n   = bench_open(&b, argv[i], n_prompt, &err) ? -1 : bench_times(&b, n_tries, t, &err);
        if (n < 0) printf("%-24s left out: %.90s\n", base_name(argv[i]), *err.message ? err.message : "no answers");
        if (n > 0) tell(base_name(argv[i]), t, n);
        if (n == 0) printf("%-24s each of %d ended before its cancel\n", base_name(argv[i]), 3 * n_tries);
        for (int k = 0; k < n && raw; k++) fprintf(raw, "%.3f %.3f\n", 1e3 * t[k].wall, 1e3 * t[k].busy);
        for (int k = 0; k < n && n_all < (int)ALLM__COUNT(all); k++) all[n_all++] = t[k];
        bench_close(&b);
    }
    allm_runtime_destroy(b.rt);
    if (raw) fclose(raw);
    if (n_all) tell("all", all, n_all);
    return !n_all || all[n_all - 1].wall >= limit_s;
}
