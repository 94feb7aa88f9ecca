/* Room api: the public calls as a caller meets them: NULL for everything, wrong numbers, wrong texts, sizes, memory,
 * threads, instruction sets, sources. FAULTS rows 24, 25, 29, 36 to 38. */
#include "make_script.h"

/* ---- what most tests need */

typedef struct api_all {
    script_host   h;
    allm_model   *m;
    allm_session *s;
    allm_sampler *p;
    allm_llm     *llm;
} api_all;

static allm_source api_path(const char *path) {
    allm_source src = {0};
    src.path        = path;
    return src;
}

static allm_model *api_open(script_host *h, allm_source src) {
    allm_model *m = NULL;
    if (allm_model_open(h->rt, &src, NULL, &m, &h->err)) fail_msg("%s", h->err.message);
    return m;
}

static void api_begin(api_all *a, int32_t n_threads) {
    memset(a, 0, sizeof *a);
    script_begin(&a->h, n_threads);
    a->m = api_open(&a->h, api_path(SCRIPT_TINY));
    assert_int_equal(allm_session_create(a->m, NULL, &a->s, &a->h.err), ALLM_OK);
    assert_int_equal(allm_sampler_create(a->m, &script_greedy, NULL, &a->p, &a->h.err), ALLM_OK);
    a->llm = script_open_path(&a->h, SCRIPT_TINY);
}

static void api_end(api_all *a) {
    allm_destroy(a->llm);
    allm_sampler_destroy(a->p);
    allm_session_destroy(a->s);
    allm_model_close(a->m);
    script_end(&a->h);
}

typedef struct api_ids {
    int32_t ids[64];
    size_t  n;
} api_ids;

static api_ids api_tokens(const allm_model *m, const char *text) {
    api_ids t = {{0}, 0};
    assert_int_equal(allm_tokenize(m, allm__str_of(text), 0, 1, t.ids, ALLM__COUNT(t.ids), &t.n, NULL), ALLM_OK);
    assert_true(t.n > 0 && t.n <= ALLM__COUNT(t.ids));
    return t;
}

static allm_request api_story(int32_t max_tokens) {
    allm_request req = {0};
    req.prompt = SCRIPT_PROMPT, req.raw = 1, req.sampling = &script_greedy, req.max_tokens = max_tokens;
    return req;
}

/* ---- FAULTS 37: NULL for every pointer of every public function, a freed one for every handle */

typedef struct api_handles {
    allm_runtime *rt;
    allm_llm     *llm;
    allm_job     *job;
    allm_chat    *chat;
    allm_model   *m;
    allm_session *s;
    allm_sampler *p;
    allm_adapter *a;
} api_handles;

static api_handles api_freed; /* all NULL, but in the tests of freed ones */

#define API_ARG(i, value) (null == (i) ? API_INSTEAD(value) : (value))
#define API_INSTEAD(value)                                                                                       \
    _Generic((value), allm_runtime *: api_freed.rt, allm_llm *: api_freed.llm, allm_job *: api_freed.job,        \
             allm_chat *: api_freed.chat, allm_model *: api_freed.m, allm_session *: api_freed.s,                \
             allm_sampler *: api_freed.p, allm_adapter *: api_freed.a, default: NULL)
#define API_GONE(field) (null == 0 ? api_freed.field : NULL) /* for what frees, which nobody else may do */
#define API_ERR(i) API_ARG(i, &a->h.err)
static char api_marker; /* what an out parameter holds before the call */

/* Each calls its function with one pointer argument NULL, or freed, counted from 0; -1: none. Returns the call's status
 * and has checked that a failed call has emptied what it gives out. */
static allm_status api_runtime_create(api_all *a, int null) {
    allm_runtime_config c      = {0};
    allm_runtime       *rt     = (allm_runtime *)(void *)&api_marker;
    allm_status         status = allm_runtime_create(API_ARG(0, &c), API_ARG(1, &rt), API_ERR(2));
    if (null != 1) allm_runtime_destroy(rt);
    return status;
}
static allm_status api_runtime_destroy(api_all *a, int null) {
    return (void)a, allm_runtime_destroy(API_GONE(rt)), ALLM_OK;
}
static allm_status api_create(api_all *a, int null) {
    allm_config c = {0};
    allm_llm   *llm = (allm_llm *)(void *)&api_marker;
    c.runtime = a->h.rt, c.model = SCRIPT_TINY;
    allm_status status = allm_create(API_ARG(0, "local"), API_ARG(1, &c), API_ARG(2, &llm), API_ERR(3));
    if (null != 2) assert_true((llm == NULL) == (status != ALLM_OK)), allm_destroy(llm);
    return status;
}
static allm_status api_destroy(api_all *a, int null) { return (void)a, allm_destroy(API_GONE(llm)), ALLM_OK; }
static allm_status api_get_capabilities(api_all *a, int null) {
    allm_capabilities caps;
    return allm_get_capabilities(API_ARG(0, a->llm), API_ARG(1, &caps), API_ERR(2));
}
static allm_status api_default_sampling(api_all *a, int null) {
    allm_sampling s;
    return allm_default_sampling(API_ARG(0, a->llm), API_ARG(1, &s), API_ERR(2));
}
static allm_status api_generate(api_all *a, int null) {
    allm_request  req = api_story(2);
    allm_response r;
    memset(&r, 0x5a, sizeof r);
    allm_status status = allm_generate(API_ARG(0, a->llm), API_ARG(1, &req), API_ARG(2, &r), API_ERR(3));
    if (null != 2) assert_true((r.text == NULL) == (status != ALLM_OK)), allm_response_free(&r);
    return status;
}
static allm_status api_response_free(api_all *a, int null) {
    return (void)a, (void)null, allm_response_free(NULL), ALLM_OK;
}
static allm_status api_generate_async(api_all *a, int null) {
    allm_request req = api_story(2);
    allm_job    *job = NULL;
    allm_status  status = allm_generate_async(API_ARG(0, a->llm), API_ARG(1, &req), API_ARG(2, &job), API_ERR(3));
    return allm_job_destroy(job), status;
}
static allm_status api_job_wait(api_all *a, int null) {
    allm_request  req = api_story(2);
    allm_job     *job = NULL;
    allm_response r   = {0};
    assert_int_equal(allm_generate_async(a->llm, &req, &job, NULL), ALLM_OK);
    allm_status status = allm_job_wait(API_ARG(0, job), -1, API_ARG(1, &r), API_ERR(2));
    return allm_response_free(&r), allm_job_destroy(job), status;
}
static allm_status api_job_cancel(api_all *a, int null) { return (void)a, allm_job_cancel(API_GONE(job)), ALLM_OK; }
static allm_status api_job_destroy(api_all *a, int null) {
    return (void)a, allm_job_destroy(API_GONE(job)), ALLM_OK;
}
static allm_status api_convert(api_all *a, int null) {
    static const allm_convert_config copy;
    test_temp                        t = test_temp_new("", 0);
    allm_status status = allm_convert(API_ARG(0, a->h.rt), API_ARG(1, SCRIPT_TINY), API_ARG(2, t.path),
                                      API_ARG(3, &copy), API_ERR(4));
    return test_temp_remove(&t), status;
}
static allm_status api_cancel(api_all *a, int null) { return (void)a, allm_cancel(API_GONE(llm)), ALLM_OK; }
static allm_status api_provider_open(void *ctx, const allm_config *c, void **self, allm_error *err) {
    return (void)ctx, (void)c, (void)err, *self = NULL, ALLM_OK;
}
static allm_status api_provider_generate(void *self, const allm_request *req, allm_response *out, allm_error *err) {
    return (void)self, (void)req, (void)out, (void)err, ALLM_OK;
}
static allm_status api_provider_register(api_all *a, int null) {
    allm_provider p = {"x", NULL, api_provider_open, api_provider_generate, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                       NULL, NULL, NULL, NULL};
    return allm_provider_register(API_ARG(0, a->h.rt), API_ARG(1, &p), API_ERR(2));
}
static allm_status api_provider_list(api_all *a, int null) {
    const char *names[4];
    assert_true((allm_provider_list(API_ARG(0, a->h.rt), API_ARG(1, names), 4) >= 3) == (null || !api_freed.rt));
    return ALLM_OK;
}
static allm_status api_model_open(api_all *a, int null) {
    allm_source       src = api_path(SCRIPT_TINY);
    allm_model_config c   = {0};
    allm_model       *m   = (allm_model *)(void *)&api_marker;
    allm_status       status =
        allm_model_open(API_ARG(0, a->h.rt), API_ARG(1, &src), API_ARG(2, &c), API_ARG(3, &m), API_ERR(4));
    if (null != 3) assert_true((m == NULL) == (status != ALLM_OK)), allm_model_close(m);
    return status;
}
static allm_status api_model_close(api_all *a, int null) {
    return (void)a, allm_model_close(API_GONE(m)), ALLM_OK;
}
static allm_status api_model_get_info(api_all *a, int null) {
    allm_model_info info;
    return allm_model_get_info(API_ARG(0, a->m), API_ARG(1, &info), API_ERR(2));
}
static allm_status api_plan(api_all *a, int null) {
    allm_source         src = api_path(SCRIPT_TINY);
    allm_model_config   c   = {0};
    allm_session_config sc  = {0};
    allm_memory_plan    plan;
    return allm_plan(API_ARG(0, a->h.rt), API_ARG(1, &src), API_ARG(2, &c), API_ARG(3, &sc), API_ARG(4, &plan),
                     API_ERR(5));
}
static allm_status api_tokenize(api_all *a, int null) {
    int32_t     ids[8];
    size_t      n      = 77;
    allm_status status =
        allm_tokenize(API_ARG(0, a->m), allm__str_of("hello"), 0, 0, API_ARG(1, ids), 8, API_ARG(2, &n), API_ERR(3));
    if (null != 2) assert_true((n == 0) == (status != ALLM_OK));
    return status;
}
static allm_status api_detokenize(api_all *a, int null) {
    const int32_t ids[] = {49, 80};
    char          text[8];
    size_t        n      = 77;
    allm_status   status =
        allm_detokenize(API_ARG(0, a->m), API_ARG(1, ids), 2, 0, API_ARG(2, text), 8, API_ARG(3, &n), API_ERR(4));
    if (null != 3) assert_true((n == 0) == (status != ALLM_OK));
    return status;
}
static allm_status api_detokenize_next(api_all *a, int null) {
    allm_detok_state state = {{0}, {0}};
    allm_str         out   = {&api_marker, 1};
    allm_status      status =
        allm_detokenize_next(API_ARG(0, a->m), API_ARG(1, &state), 49, 0, API_ARG(2, &out), API_ERR(3));
    if (null != 2) assert_true((out.len == 0) == (status != ALLM_OK));
    return status;
}
static allm_status api_token_piece(api_all *a, int null) {
    assert_int_equal(allm_token_piece(API_ARG(0, a->m), 49).len, null < 0);
    return ALLM_OK;
}
static allm_status api_token_is_end(api_all *a, int null) {
    assert_int_equal(allm_token_is_end(API_ARG(0, a->m), 2), null < 0);
    return ALLM_OK;
}
static allm_status api_render(api_all *a, int null) {
    allm_request req = {0};
    char         text[400];
    size_t       n   = 77;
    req.prompt       = "hello";
    allm_status status =
        allm_render(API_ARG(0, a->m), API_ARG(1, &req), API_ARG(2, text), sizeof text, API_ARG(3, &n), API_ERR(4));
    if (null != 3) assert_true((n == 0) == (status != ALLM_OK));
    return status;
}
static allm_status api_session_create(api_all *a, int null) {
    allm_session_config c      = {0};
    allm_session       *s      = (allm_session *)(void *)&api_marker;
    allm_status         status = allm_session_create(API_ARG(0, a->m), API_ARG(1, &c), API_ARG(2, &s), API_ERR(3));
    if (null != 2) assert_true((s == NULL) == (status != ALLM_OK)), allm_session_destroy(s);
    return status;
}
static allm_status api_session_destroy(api_all *a, int null) {
    return (void)a, allm_session_destroy(API_GONE(s)), ALLM_OK;
}
static allm_status api_session_eval(api_all *a, int null) {
    const int32_t ids[] = {49, 80};
    return allm_session_eval(API_ARG(0, a->s), API_ARG(1, ids), 2, 0, API_ERR(2));
}
static allm_status api_session_logits(api_all *a, int null) {
    const int32_t id = 49;
    assert_int_equal(allm_session_eval(a->s, &id, 1, 0, NULL), ALLM_OK);
    assert_true((allm_session_logits(API_ARG(0, a->s), 0) == NULL) == (null == 0));
    assert_null(allm_session_logits(a->s, 1));
    return ALLM_OK;
}
static allm_status api_session_length(api_all *a, int null) {
    const int32_t id = 49;
    assert_int_equal(allm_session_truncate(a->s, 0, NULL), ALLM_OK);
    assert_int_equal(allm_session_eval(a->s, &id, 1, 0, NULL), ALLM_OK);
    assert_int_equal(allm_session_length(API_ARG(0, a->s)), null < 0);
    return ALLM_OK;
}
static allm_status api_session_truncate(api_all *a, int null) {
    return allm_session_truncate(API_ARG(0, a->s), 0, API_ERR(1));
}
static allm_status api_session_eval_many(api_all *a, int null) {
    const int32_t id = 2;
    return allm_session_eval_many(API_ARG(0, &a->s), API_ARG(1, &id), 1, API_ERR(2));
}
static allm_status api_session_fork(api_all *a, int null) {
    allm_session *s      = (allm_session *)(void *)&api_marker;
    allm_status   status = allm_session_fork(API_ARG(0, a->s), API_ARG(1, &s), API_ERR(2));
    if (null != 1) assert_true((s == NULL) == (status != ALLM_OK)), allm_session_destroy(s);
    return status;
}
static allm_status api_session_shift(api_all *a, int null) {
    return allm_session_shift(API_ARG(0, a->s), 0, 0, API_ERR(1));
}
static allm_status api_session_save(api_all *a, int null) {
    static char buf[1 << 20];
    size_t      n      = 77;
    allm_status status = allm_session_save(API_ARG(0, a->s), API_ARG(1, buf), sizeof buf, API_ARG(2, &n), API_ERR(3));
    if (null != 2) assert_true((n == 0) == (status != ALLM_OK));
    return status;
}
static allm_status api_session_load(api_all *a, int null) {
    static char buf[1 << 20];
    size_t      n;
    assert_int_equal(allm_session_save(a->s, buf, sizeof buf, &n, NULL), ALLM_OK);
    return allm_session_load(API_ARG(0, a->s), API_ARG(1, buf), n, API_ERR(2));
}
static allm_status api_session_cancel(api_all *a, int null) {
    return (void)a, allm_session_cancel(API_GONE(s)), ALLM_OK;
}
static allm_status api_adapter_open(api_all *a, int null) { /* there is none at hand: it is not found, which is right */
    allm_adapter *p = (allm_adapter *)(void *)&api_marker;
    allm_status   status = allm_adapter_open(API_ARG(0, a->m), API_ARG(1, "no/where"), API_ARG(2, &p), API_ERR(3));
    if (null != 2) assert_null(p);
    return status == ALLM_E_NOT_FOUND ? ALLM_OK : status;
}
static allm_status api_adapter_close(api_all *a, int null) {
    return (void)a, allm_adapter_close(API_GONE(a)), ALLM_OK;
}
static allm_status api_session_use_adapter(api_all *a, int null) {
    return allm_session_use_adapter(API_ARG(0, a->s), null == 1 ? api_freed.a : NULL, 1, API_ERR(2));
}
static allm_status api_cache_list(api_all *a, int null) {
    allm_cached_model m[2];
    allm_cache_list(API_ARG(0, a->h.rt), API_ARG(1, m), 2);
    return ALLM_OK;
}
static allm_status api_cache_clear(api_all *a, int null) {
    return allm_cache_clear(API_ARG(0, a->h.rt), API_ARG(1, "no model")), ALLM_OK;
}
static allm_status api_sampler_create(api_all *a, int null) {
    allm_sampler *p      = (allm_sampler *)(void *)&api_marker;
    allm_status   status =
        allm_sampler_create(API_ARG(0, a->m), API_ARG(1, &script_greedy), API_ARG(2, "{}"), API_ARG(3, &p), API_ERR(4));
    if (null != 3) assert_true((p == NULL) == (status != ALLM_OK)), allm_sampler_destroy(p);
    return status;
}
static allm_status api_sampler_destroy(api_all *a, int null) {
    return (void)a, allm_sampler_destroy(API_GONE(p)), ALLM_OK;
}
static allm_status api_sampler_next(api_all *a, int null) {
    static float logits[512];
    int32_t      id;
    float        logprob;
    return allm_sampler_next(API_ARG(0, a->p), API_ARG(1, logits), API_ARG(2, &id), API_ARG(3, &logprob), API_ERR(4));
}
static allm_status api_sampler_accept(api_all *a, int null) {
    const int32_t ids[] = {49};
    return allm_sampler_accept(API_ARG(0, a->p), API_ARG(1, ids), 1, API_ERR(2));
}
static allm_status api_sampler_reset(api_all *a, int null) { return allm_sampler_reset(API_ARG(0, a->p)), ALLM_OK; }
static allm_status api_status_name(api_all *a, int null) {
    (void)a, (void)null;
    assert_string_equal(allm_status_name(ALLM_OK), "ALLM_OK");
    assert_string_equal(allm_status_name(ALLM_E_FILTERED), "ALLM_E_FILTERED");
    for (int i = -3; i < 40; i++) {
        allm_status s;
        SCRIPT_ENUM(s, i);
        assert_non_null(allm_status_name(s));
        if (i < 0 || i > ALLM_E_FILTERED) assert_string_equal(allm_status_name(s), "ALLM_E_unknown");
    }
    return ALLM_OK;
}
static allm_status api_version(api_all *a, int null) {
    (void)a, (void)null;
    assert_string_equal(allm_version(), ABSTRACTLLM_VERSION_STRING);
    return ALLM_OK;
}
static allm_status api_shutdown(api_all *a, int null) { /* once used, it is made anew */
    (void)a, (void)null;
    allm_shutdown();
    assert_int_equal(allm_provider_list(NULL, NULL, 0), ALLM__COUNT(allm__prov_rows));
    allm_shutdown();
    allm_shutdown();
    return ALLM_OK;
}

static allm_status api_provider_embed(void *self, const allm_str *texts, size_t n, float *out, int32_t dim,
                                      allm_error *err) {
    (void)self, (void)texts, (void)err;
    memset(out, 0, n * (size_t)dim * sizeof *out);
    return ALLM_OK;
}
static allm_status api_provider_models(void *self, allm_cached_model *out, size_t cap, size_t *n, allm_error *err) {
    return (void)self, (void)out, (void)cap, (void)err, *n = 0, ALLM_OK;
}
static allm_llm *api_lister(api_all *a) { /* an llm that has vectors and a list */
    allm_provider p = {"lister", NULL, api_provider_open, api_provider_generate, NULL, NULL, NULL, NULL, NULL,
                       api_provider_embed, api_provider_models, NULL, NULL, NULL, NULL};
    allm_config   c = {0};
    allm_llm     *llm = NULL;
    c.runtime = a->h.rt;
    assert_int_equal(allm_provider_register(a->h.rt, &p, NULL), ALLM_OK);
    assert_int_equal(allm_create("lister", &c, &llm, NULL), ALLM_OK);
    return llm;
}
static allm_status api_embed(api_all *a, int null) {
    allm_llm   *llm    = api_lister(a);
    allm_str    text   = {"x", 1};
    float       v[2];
    allm_status status = allm_embed(API_ARG(0, llm), API_ARG(1, &text), 1, API_ARG(2, v), 2, API_ERR(3));
    return allm_destroy(llm), status;
}
static allm_status api_models(api_all *a, int null) {
    allm_llm         *llm = api_lister(a);
    allm_cached_model m;
    size_t            n;
    allm_status       status = allm_models(API_ARG(0, llm), API_ARG(1, &m), 1, API_ARG(2, &n), API_ERR(3));
    return allm_destroy(llm), status;
}
/* Of the cache, which is none here, and a hub where nobody is: what is no argument's fault is all right. */
static allm_status api_hub_status(allm_status status) { return status == ALLM_E_ARGUMENT ? status : ALLM_OK; }
static allm_status api_hub_list(api_all *a, int null) {
    allm_cached_model m;
    size_t            n;
    setenv("HF_HUB_CACHE", "/nonexistent", 1), setenv("HF_ENDPOINT", "http://127.0.0.1:1", 1);
    return allm_hub_list(API_ARG(0, a->h.rt), API_ARG(1, &m), 1, API_ARG(2, &n), API_ERR(3));
}
static allm_status api_hub_resolve(api_all *a, int null) {
    char path[64];
    return api_hub_status(allm_hub_resolve(API_ARG(0, a->h.rt), API_ARG(1, "a/b"), API_ARG(2, path), 64, API_ERR(3)));
}
static allm_status api_hub_remove(api_all *a, int null) {
    return api_hub_status(allm_hub_remove(API_ARG(0, a->h.rt), API_ARG(1, "a/b"), API_ERR(2)));
}
static int api_hub_progress(void *ctx, uint64_t done, uint64_t total) { return (void)ctx, done > total; }
static allm_status api_hub_pull(api_all *a, int null) {
    int         ctx = 0;
    allm_status status = allm_hub_pull(API_ARG(0, a->h.rt), API_ARG(1, "a/b"), API_ARG(2, "t"),
                                       null == 3 ? NULL : api_hub_progress, API_ARG(4, &ctx), API_ERR(5));
    return api_hub_status(status);
}
static allm_status api_catalog_search(api_all *a, int null) {
    const allm_catalog_entry *e[1];
    allm_catalog_query        q = {0};
    (void)a;
    assert_true(allm_catalog_search(API_ARG(0, &q), API_ARG(1, e), 1) > 0);
    return ALLM_OK;
}

static allm_chat *api_chat(api_all *a) { /* with two messages */
    allm_config  c = {0};
    allm_llm    *llm;
    allm_chat   *chat;
    allm_message m = {0};
    (void)a;
    c.runtime = a->h.rt, m.role = "user", m.content = "x";
    assert_int_equal(allm_create("echo", &c, &llm, NULL), ALLM_OK);
    assert_int_equal(allm_chat_create(llm, NULL, &chat, NULL), ALLM_OK);
    for (int i = 0; i < 2; i++) assert_int_equal(allm_chat_add(chat, &m, NULL), ALLM_OK);
    return chat;
}
static allm_status api_chat_end(allm_chat *chat, allm_status status) {
    allm_llm *llm = chat->llm;
    return allm_chat_destroy(chat), allm_destroy(llm), status;
}
static allm_status api_chat_create(api_all *a, int null) {
    allm_chat_config c    = {0};
    allm_chat       *chat = (allm_chat *)(void *)&api_marker;
    allm_status      status =
        allm_chat_create(API_ARG(0, a->llm), API_ARG(1, &c), API_ARG(2, &chat), API_ERR(3));
    if (null != 2) assert_true((chat == NULL) == (status != ALLM_OK)), allm_chat_destroy(chat);
    return status;
}
static allm_status api_chat_destroy(api_all *a, int null) {
    return (void)a, allm_chat_destroy(API_GONE(chat)), ALLM_OK;
}
static allm_status api_chat_send(api_all *a, int null) {
    allm_chat    *chat = api_chat(a);
    allm_request  req  = {0};
    allm_response r;
    memset(&r, 0x5a, sizeof r);
    allm_status status =
        allm_chat_send(API_ARG(0, chat), API_ARG(1, "x"), API_ARG(2, &req), API_ARG(3, &r), API_ERR(4));
    if (null != 3) assert_true((r.text == NULL) == (status != ALLM_OK)), allm_response_free(&r);
    return api_chat_end(chat, status);
}
static allm_status api_chat_add(api_all *a, int null) {
    allm_chat   *chat = api_chat(a);
    allm_message m    = {0};
    m.role = "user", m.content = "x";
    return api_chat_end(chat, allm_chat_add(API_ARG(0, chat), API_ARG(1, &m), API_ERR(2)));
}
static allm_status api_chat_history(api_all *a, int null) {
    allm_chat          *chat = api_chat(a);
    const allm_message *m    = (const allm_message *)(const void *)&api_marker;
    size_t              n    = 7;
    allm_status         status = allm_chat_history(API_ARG(0, chat), API_ARG(1, &m), API_ARG(2, &n), API_ERR(3));
    if (null != 1) assert_true((m == NULL) == (status != ALLM_OK));
    if (null != 2) assert_true((n == 0) == (status != ALLM_OK));
    return api_chat_end(chat, status);
}
static allm_status api_chat_truncate(api_all *a, int null) {
    allm_chat *chat = api_chat(a);
    return api_chat_end(chat, allm_chat_truncate(API_ARG(0, chat), 1, API_ERR(1)));
}
static allm_status api_chat_switch(api_all *a, int null) {
    allm_chat  *chat   = api_chat(a);
    allm_llm   *llm    = chat->llm;
    allm_status status = allm_chat_switch(API_ARG(0, chat), API_ARG(1, a->llm), API_ERR(2));
    allm_destroy(llm), allm_chat_destroy(chat);
    return status;
}
static allm_status api_chat_save(api_all *a, int null) {
    allm_chat  *chat   = api_chat(a);
    test_temp   file   = test_temp_new("", 0);
    allm_status status = allm_chat_save(API_ARG(0, chat), API_ARG(1, file.path), 0, API_ERR(2));
    test_temp_remove(&file);
    return api_chat_end(chat, status);
}
static allm_status api_chat_load(api_all *a, int null) {
    allm_chat_config c    = {0};
    allm_chat       *chat = (allm_chat *)(void *)&api_marker;
    test_temp        file = test_temp_new("{\"messages\": []}", 16);
    allm_status      status =
        allm_chat_load(API_ARG(0, a->llm), API_ARG(1, file.path), API_ARG(2, &c), API_ARG(3, &chat), API_ERR(4));
    if (null != 3) assert_true((chat == NULL) == (status != ALLM_OK)), allm_chat_destroy(chat);
    test_temp_remove(&file);
    return status;
}

/* A letter for each pointer parameter: o may be NULL, a is ALLM_E_ARGUMENT; those of handles say of which kind, and
 * NULL is ALLM_E_ARGUMENT too, but for runtimes and adapters, and in calls without a status. */
static const struct {
    char        letter;
    const char *kind;
    int         optional;
} api_kinds[] = {{'R', "runtime", 1}, {'L', "llm", 0}, {'J', "job", 0}, {'C', "chat", 0},
                 {'M', "model", 0}, {'S', "session", 0}, {'P', "sampler", 0}, {'A', "adapter", 1}};

/* What a call does with a freed handle. Of a runtime that was freed the log is gone, too. */
enum { API_FAILS, API_TELLS, API_IS_SILENT };

#define API_ROW(name, letters) {"allm_" #name, letters, api_##name, API_FAILS}
#define API_VOID(name, letters, does) {"allm_" #name, letters, api_##name, does}
static const struct {
    const char *name, *letters;
    allm_status (*call)(api_all *a, int null);
    int does;
} api_functions[] = {
    API_ROW(status_name, ""),
    API_ROW(version, ""),
    API_ROW(runtime_create, "oao"),
    API_VOID(runtime_destroy, "R", API_IS_SILENT),
    API_ROW(shutdown, ""),
    API_ROW(create, "oaao"),
    API_VOID(destroy, "L", API_TELLS),
    API_ROW(get_capabilities, "Lao"),
    API_ROW(default_sampling, "Lao"),
    API_ROW(generate, "Laoo"),
    API_ROW(response_free, "o"),
    API_VOID(cancel, "L", API_IS_SILENT),
    API_ROW(generate_async, "Laao"),
    API_ROW(job_wait, "Joo"),
    API_VOID(job_cancel, "J", API_TELLS),
    API_VOID(job_destroy, "J", API_TELLS),
    API_ROW(embed, "Laao"),
    API_ROW(models, "Laao"),
    API_ROW(chat_create, "Loao"),
    API_VOID(chat_destroy, "C", API_TELLS),
    API_ROW(chat_send, "Coooo"),
    API_ROW(chat_add, "Cao"),
    API_ROW(chat_history, "Caao"),
    API_ROW(chat_truncate, "Co"),
    API_ROW(chat_switch, "CLo"),
    API_ROW(chat_save, "Cao"),
    API_ROW(chat_load, "Laoao"),
    API_VOID(cache_list, "Ro", API_IS_SILENT),
    API_VOID(cache_clear, "Ro", API_IS_SILENT),
    API_ROW(hub_list, "Raao"),
    API_ROW(hub_resolve, "Raao"),
    API_ROW(hub_remove, "Rao"),
    API_ROW(hub_pull, "Raoooo"),
    API_ROW(catalog_search, "oo"),
    API_ROW(provider_register, "Rao"),
    API_VOID(provider_list, "Ro", API_IS_SILENT),
    API_ROW(model_open, "Raoao"),
    API_ROW(convert, "Raaoo"),
    API_VOID(model_close, "M", API_TELLS),
    API_ROW(model_get_info, "Mao"),
    API_ROW(plan, "Raooao"),
    API_ROW(tokenize, "Maao"),
    API_ROW(detokenize, "Maaao"),
    API_ROW(detokenize_next, "Maao"),
    API_VOID(token_piece, "M", API_TELLS),
    API_VOID(token_is_end, "M", API_TELLS),
    API_ROW(render, "Maaao"),
    API_ROW(session_create, "Moao"),
    API_VOID(session_destroy, "S", API_TELLS),
    API_ROW(session_eval, "Sao"),
    API_VOID(session_logits, "S", API_TELLS),
    API_VOID(session_length, "S", API_TELLS),
    API_ROW(session_truncate, "So"),
    API_ROW(session_eval_many, "aao"),
    API_ROW(session_fork, "Sao"),
    API_ROW(session_shift, "So"),
    API_ROW(session_save, "Saao"),
    API_ROW(session_load, "Sao"),
    API_VOID(session_cancel, "S", API_IS_SILENT),
    API_ROW(adapter_open, "Maao"),
    API_VOID(adapter_close, "A", API_TELLS),
    API_ROW(session_use_adapter, "SAo"),
    API_ROW(sampler_create, "Mooao"),
    API_VOID(sampler_destroy, "P", API_TELLS),
    API_ROW(sampler_next, "Paaoo"),
    API_ROW(sampler_accept, "Pao"),
    API_VOID(sampler_reset, "P", API_TELLS),
};

/* The row of a handle's letter; -1: of no handle. */
static int api_kind(char letter) {
    for (size_t i = 0; i < ALLM__COUNT(api_kinds); i++)
        if (api_kinds[i].letter == letter) return (int)i;
    return -1;
}

static int api_is_needed(size_t function, int pointer) {
    const char letter = api_functions[function].letters[pointer];
    const int  kind   = api_kind(letter);
    return letter == 'a' || (kind >= 0 && !api_kinds[kind].optional && api_functions[function].does == API_FAILS);
}

static void test_api_fault_37_null(void **state) {
    api_all a;
    int     n = 0;
    (void)state;
    api_begin(&a, 1);
    for (size_t i = 0; i < ALLM__COUNT(api_functions); i++) {
        const char *letters = api_functions[i].letters;
        for (int null = -1; null < (int)strlen(letters); null++) {
            memset(&a.h.err, 0x5a, sizeof a.h.err); /* whatever stood there */
            int         has_err = null < 0 || letters[null + 1]; /* err is the last */
            allm_status want    = null >= 0 && api_is_needed(i, null) ? ALLM_E_ARGUMENT : ALLM_OK;
            allm_status got     = api_functions[i].call(&a, null);
            if (got != want) fail_msg("%s, pointer %d NULL: %d", api_functions[i].name, null, (int)got);
            if (got && has_err) assert_true(a.h.err.status == got && strstr(a.h.err.message, " is NULL"));
            n++;
        }
    }
    printf("             %d calls of %zu functions\n", n, ALLM__COUNT(api_functions));
    api_end(&a);
    allm_shutdown();
}

/* The table above has every function of the header, with all of its pointers. */
static void test_api_table_is_whole(void **state) {
    size_t n, n_found = 0;
    char  *text = test_read("abstractllm.h", &n);
    (void)state;
    if (!text) test_skip("no abstractllm.h: tests run in the root of the repository");
    const char *p = strstr(text, "MARK: >>decl"), *end = p ? strstr(p, "MARK: >>plat") : NULL;
    assert_true(p && end);
    while ((p = strstr(p, "\nABSTRACTLLM_API ")) != NULL && p < end) {
        const char *name = strstr(p, "allm_"), *from = strchr(p, '('), *to = strchr(p, ';');
        while (strstr(name + 1, "allm_") && strstr(name + 1, "allm_") < from) name = strstr(name + 1, "allm_");
        size_t      i = 0, len = (size_t)(from - name), n_pointers = 0;
        for (const char *c = from; c < to; c++) { /* parameters with a star, or two */
            n_pointers += memchr(c, '*', strcspn(c, ",;")) != NULL;
            c += strcspn(c, ",;");
        }
        while (i < ALLM__COUNT(api_functions) &&
               (strlen(api_functions[i].name) != len || memcmp(api_functions[i].name, name, len)))
            i++;
        if (i == ALLM__COUNT(api_functions)) fail_msg("%.*s is not in the table", (int)len, name);
        if (n_pointers != strlen(api_functions[i].letters))
            fail_msg("%s has %zu pointers", api_functions[i].name, n_pointers);
        n_found++, p = to;
    }
    assert_int_equal(n_found, ALLM__COUNT(api_functions));
    free(text);
}

/* ---- FAULTS 37: handles that were freed */

#ifdef ABSTRACTLLM_DEBUG
/* Memory that is not given out again, so an address is a handle's for ever; what was freed is overwritten. */
typedef struct api_arena {
    _Alignas(64) unsigned char bytes[24 << 20];
    size_t                     n, n_live;
} api_arena;

static void *api_arena_alloc(void *ctx, size_t n_bytes, size_t align) {
    api_arena *a = (api_arena *)ctx;
    a->n += (align - ((uintptr_t)a->bytes + a->n) % align) % align;
    assert_true(a->n <= sizeof a->bytes && n_bytes <= sizeof a->bytes - a->n);
    a->n += n_bytes, a->n_live++;
    return a->bytes + a->n - n_bytes;
}

static void api_arena_free(void *ctx, void *p, size_t n_bytes) {
    memset(p, 0xdd, n_bytes);
    ((api_arena *)ctx)->n_live--;
}

typedef struct api_told { /* what the log was told last, and how often of freed handles */
    int  n;
    char text[80];
} api_told;

static void api_tell(void *ctx, allm_log_level level, const char *text) {
    api_told *t = (api_told *)ctx;
    if (!strstr(text, "freed before this call")) return;
    assert_int_equal(level, ALLM_LOG_ERROR);
    t->n++, snprintf(t->text, sizeof t->text, "%s", text);
}

static allm_runtime *api_arena_runtime(api_arena *arena, api_told *told) {
    allm_runtime_config c  = {0};
    allm_runtime       *rt = NULL;
    c.allocator.alloc = api_arena_alloc, c.allocator.free = api_arena_free, c.allocator.ctx = arena;
    c.n_threads = 1, c.cache_models = -1, c.log = api_tell, c.log_ctx = told;
    assert_int_equal(allm_runtime_create(&c, &rt, NULL), ALLM_OK);
    return rt;
}

/* An adapter for tiny.gguf that adds nothing, to a file. */
static test_temp api_adapter(void) {
    make_gguf w = make_gguf_new();
    make_kv_str(&w, "general.architecture", "llama");
    make_kv_str(&w, "general.type", "adapter");
    make_kv_str(&w, "adapter.type", "lora");
    make_kv_f32(&w, "adapter.lora.alpha", 1);
    make_script_matrix(&w, "blk.0.attn_q.weight.lora_a", 128, 2, NULL);
    make_script_matrix(&w, "blk.0.attn_q.weight.lora_b", 2, 128, NULL);
    make_gguf_end(&w);
    test_temp t = test_temp_new(w.bytes, w.n);
    return make_gguf_free(&w), t;
}

/* One handle of each kind, all used once. rt is the runtime of the others. */
static api_handles api_make(api_arena *arena, api_told *told) {
    api_handles     h;
    allm_config     c   = {0};
    allm_request    req = {0};
    allm_error      err = {0};
    test_temp       file = api_adapter();
    allm_source     src  = api_path(SCRIPT_TINY);
    memset(&h, 0, sizeof h);
    c.runtime = h.rt = api_arena_runtime(arena, told), req.prompt = "x";
    assert_int_equal(allm_create("echo", &c, &h.llm, &err), ALLM_OK);
    assert_int_equal(allm_generate_async(h.llm, &req, &h.job, &err), ALLM_OK);
    assert_int_equal(allm_job_wait(h.job, -1, NULL, &err), ALLM_OK);
    assert_int_equal(allm_chat_create(h.llm, NULL, &h.chat, &err), ALLM_OK);
    assert_int_equal(allm_chat_send(h.chat, "x", NULL, NULL, &err), ALLM_OK);
    assert_int_equal(allm_model_open(h.rt, &src, NULL, &h.m, &err), ALLM_OK);
    assert_int_equal(allm_session_create(h.m, NULL, &h.s, &err), ALLM_OK);
    assert_int_equal(allm_sampler_create(h.m, NULL, NULL, &h.p, &err), ALLM_OK);
    if (allm_adapter_open(h.m, file.path, &h.a, &err)) fail_msg("%s", err.message);
    assert_int_equal(allm_session_use_adapter(h.s, h.a, 1, &err), ALLM_OK);
    test_temp_remove(&file);
    return h;
}

/* All but the runtime; the model and the adapter while others still use them. */
static void api_free_all(const api_handles *h) {
    allm_model_close(h->m), allm_adapter_close(h->a);
    assert_int_equal(allm_session_truncate(h->s, 0, NULL), ALLM_OK);
    allm_session_destroy(h->s), allm_sampler_destroy(h->p);
    allm_chat_destroy(h->chat), allm_job_destroy(h->job), allm_destroy(h->llm);
}

/* Each public call with each handle of its freed: an error that names it, or nothing but a word to the log. */
static void test_api_fault_37_freed(void **state) {
    static api_arena arena;
    api_all          a;
    api_told         told = {0, ""}, none = {0, ""};
    int              n    = 0;
    (void)state;
    arena.n = arena.n_live = 0;
    api_begin(&a, 1);
    api_freed = api_make(&arena, &told);
    allm_runtime *rt = api_freed.rt;
    api_freed.rt     = api_arena_runtime(&arena, &none);
    api_free_all(&api_freed), allm_runtime_destroy(api_freed.rt);
    for (size_t i = 0; i < ALLM__COUNT(api_functions); i++)
        for (int k = 0; api_functions[i].letters[k]; k++) {
            const int   kind = api_kind(api_functions[i].letters[k]), does = api_functions[i].does;
            char        want[80];
            if (kind < 0) continue;
            memset(&a.h.err, 0x5a, sizeof a.h.err), told.n = 0;
            snprintf(want, sizeof want, "%s: freed before this call", api_kinds[kind].kind);
            const allm_status status = api_functions[i].call(&a, k);
            if (status != (does == API_FAILS ? ALLM_E_ARGUMENT : ALLM_OK))
                fail_msg("%s, pointer %d freed: %s", api_functions[i].name, k, allm_status_name(status));
            if (status) assert_string_equal(a.h.err.message, want);
            if (told.n != (does == API_TELLS)) fail_msg("%s: %d words to the log", api_functions[i].name, told.n);
            if (told.n) assert_string_equal(told.text, want);
            n++;
        }
    printf("             %d calls with freed handles\n", n);
    assert_int_equal(none.n, 0);
    allm_runtime_destroy(rt);
    told.n = 0, allm_destroy(api_freed.llm), allm_session_destroy(api_freed.s); /* the log is gone, the rest stays */
    assert_int_equal(told.n, 0);
    assert_int_equal(allm_session_truncate(api_freed.s, 0, &a.h.err), ALLM_E_ARGUMENT);
    assert_int_equal(arena.n_live, 0);
    memset(&api_freed, 0, sizeof api_freed);
    api_end(&a);
    allm_shutdown();
}

/* Handles inside of other arguments. */
static void test_api_fault_37_freed_inside(void **state) {
    static api_arena arena;
    api_all          a;
    api_told         told = {0, ""};
    allm_config      c    = {0};
    allm_llm        *llm  = NULL;
    test_temp        file = test_temp_new("", 0);
    (void)state;
    arena.n = arena.n_live = 0;
    api_begin(&a, 1);
    api_handles h = api_make(&arena, &told);
    allm_session *s[2] = {a.s, h.s};
    const int32_t ids[2] = {49, 80};
    allm_session_destroy(h.s), allm_destroy(h.llm);
    assert_int_equal(allm_session_eval_many(s, ids, 2, &a.h.err), ALLM_E_ARGUMENT);
    assert_string_equal(a.h.err.message, "s[1]: session: freed before this call");
    assert_int_equal(allm_chat_send(h.chat, "x", NULL, NULL, &a.h.err), ALLM_E_ARGUMENT);
    assert_string_equal(a.h.err.message, "the chat's llm: freed before this call");
    assert_int_equal(allm_chat_save(h.chat, file.path, 0, &a.h.err), ALLM_E_ARGUMENT);
    assert_int_equal(allm_chat_switch(h.chat, a.llm, &a.h.err), ALLM_OK);
    assert_int_equal(allm_chat_save(h.chat, file.path, 0, &a.h.err), ALLM_OK);
    allm_chat_destroy(h.chat), allm_job_destroy(h.job), allm_sampler_destroy(h.p), allm_adapter_close(h.a);
    allm_model_close(h.m), allm_runtime_destroy(h.rt);
    c.runtime = h.rt;
    assert_int_equal(allm_create("echo", &c, &llm, &a.h.err), ALLM_E_ARGUMENT);
    assert_string_equal(a.h.err.message, "runtime: freed before this call");
    assert_int_equal(arena.n_live, 0);
    test_temp_remove(&file);
    api_end(&a);
}

/* A handle that is made where another one was is a good one; and no more than the last ones are remembered. */
static void test_api_fault_37_freed_places(void **state) {
    enum { N = ALLM__API_FREED_MAX };
    static api_arena    arena;
    static _Alignas(64) unsigned char buffer[4 << 20];
    api_all             a;
    api_told            told = {0, ""};
    allm_session_config sc   = {0};
    allm_sampler       *p[N + 1];
    allm_session       *s = NULL, *old = NULL;
    const int32_t       id = 49;
    (void)state;
    arena.n = arena.n_live = 0;
    api_begin(&a, 1);
    sc.n_ctx = 64, sc.buffer = buffer, sc.n_buffer = sizeof buffer;
    for (int i = 0; i < 3; i++, old = s) {
        assert_int_equal(allm_session_create(a.m, &sc, &s, &a.h.err), ALLM_OK);
        assert_true(!old || s == old);
        assert_int_equal(allm_session_eval(s, &id, 1, 0, &a.h.err), ALLM_OK);
        allm_session_destroy(s);
        memset(buffer, 0xdd, sizeof buffer);
        assert_int_equal(allm_session_length(s), 0);
    }
    api_handles h = api_make(&arena, &told);
    for (int i = 0; i <= N; i++) assert_int_equal(allm_sampler_create(h.m, NULL, NULL, &p[i], &a.h.err), ALLM_OK);
    for (int i = 0; i <= N; i++) allm_sampler_destroy(p[i]);
    for (int i = 1; i <= N; i++) assert_int_equal(allm_sampler_accept(p[i], &id, 1, &a.h.err), ALLM_E_ARGUMENT);
    assert_false(allm__api_is_freed(p[0], 1)); /* forgotten */
    api_free_all(&h), allm_runtime_destroy(h.rt);
    assert_int_equal(arena.n_live, 0);
    api_end(&a);
}

/* A signal handler may come while the list is in use: it does not wait. */
static void test_api_fault_37_freed_signal(void **state) {
    api_all a;
    (void)state;
    api_begin(&a, 1);
    allm__api_freed_enter(1);
    allm_cancel(a.llm), allm_session_cancel(a.s);
    allm__api_freed_leave();
    api_end(&a);
}

static int api_destroy_in_chunk(const allm_chunk *chunk, void *ctx) {
    allm_llm         *llm = (allm_llm *)ctx;
    allm_capabilities can;
    allm_error        err = {0};
    (void)chunk;
    allm_destroy(llm), allm_destroy(llm), allm_cancel(llm);
    assert_int_equal(allm_get_capabilities(llm, &can, &err), ALLM_E_ARGUMENT);
    assert_string_equal(err.message, "llm: freed before this call");
    return 0;
}

static void test_api_fault_37_freed_in_callback(void **state) {
    api_all      a;
    allm_request req = api_story(20);
    (void)state;
    api_begin(&a, 1);
    req.on_chunk = api_destroy_in_chunk, req.on_chunk_ctx = a.llm;
    assert_int_equal(allm_generate(a.llm, &req, NULL, &a.h.err), ALLM_E_CANCELLED);
    api_end(&a); /* destroys it once more */
}
#endif

/* ---- embeddings */

/* Of a model that is not made for them: the last token's hidden state, of length 1; alone as among others. Answers
 * before and after do not meet them. */
static void test_api_embed(void **state) {
    static const allm_str texts[] = {{"Once upon a time", 16}, {"Pip", 3}, {"Once upon a time", 16}};
    api_all               a;
    allm_capabilities     caps;
    allm_response         before, after;
    (void)state;
    api_begin(&a, 2);
    assert_int_equal(allm_get_capabilities(a.llm, &caps, &a.h.err), ALLM_OK);
    const size_t n    = (size_t)caps.embedding_dim;
    float       *v    = (float *)malloc(3 * n * sizeof *v), *one = (float *)malloc(n * sizeof *v);
    api_ids      ids  = api_tokens(a.m, "Pip");
    allm_request req  = api_story(8);
    assert_int_equal(allm_generate(a.llm, &req, &before, &a.h.err), ALLM_OK);
    assert_int_equal(allm_embed(a.llm, texts, 3, v, caps.embedding_dim, &a.h.err), ALLM_OK);
    assert_int_equal(allm_generate(a.llm, &req, &after, &a.h.err), ALLM_OK);
    assert_string_equal(before.text, after.text);
    assert_memory_equal(v, v + 2 * n, n * sizeof *v);
    assert_true(memcmp(v, v + n, n * sizeof *v) != 0);
    for (int i = 0; i < 3; i++) {
        double square = 0;
        for (size_t k = 0; k < n; k++) square += (double)v[(size_t)i * n + k] * (double)v[(size_t)i * n + k];
        assert_true(fabs(square - 1) < 1e-5);
    }
    assert_int_equal(allm__session_embed(a.s, ids.ids, NULL, ids.n, ALLM__POOL_LAST, 1, one, &a.h.err), ALLM_OK);
    assert_memory_equal(one, v + n, n * sizeof *v);
    assert_null(allm_session_logits(a.s, 0)); /* hidden states are no logits */
    allm_response_free(&before), allm_response_free(&after);
    free(v), free(one);
    api_end(&a);
}

static void test_api_embed_errors(void **state) {
    api_all           a;
    allm_capabilities caps;
    char              text[4096];
    float             v[256];
    (void)state;
    api_begin(&a, 1);
    memset(text, 'x', sizeof text);
    assert_int_equal(allm_get_capabilities(a.llm, &caps, &a.h.err), ALLM_OK);
    const allm_str one = {"Once", 4}, none = {NULL, 4}, large = {text, sizeof text};
    const struct { allm_str text; int32_t dim; allm_status status; const char *words; } rows[] = {
        {one, 0, ALLM_E_ARGUMENT, "dim is 0"},
        {one, caps.embedding_dim - 1, ALLM_E_ARGUMENT, "the model's is"},
        {none, caps.embedding_dim, ALLM_E_ARGUMENT, "texts[0] is NULL"},
        {large, caps.embedding_dim, ALLM_E_CONTEXT, "text 0 has "},
    };
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        assert_int_equal(allm_embed(a.llm, &rows[i].text, 1, v, rows[i].dim, &a.h.err), rows[i].status);
        assert_non_null(strstr(a.h.err.message, rows[i].words));
    }
    assert_int_equal(allm_embed(a.llm, NULL, 0, NULL, 1, &a.h.err), ALLM_OK);
    allm_llm   *echo = NULL;
    allm_config c    = {0};
    c.runtime        = a.h.rt;
    assert_int_equal(allm_create("echo", &c, &echo, &a.h.err), ALLM_OK);
    for (int dim = 0; dim < 2; dim++) { /* also with what its capabilities say, and the room for that */
        assert_int_equal(allm_embed(echo, &one, 1, dim ? v : NULL, dim, &a.h.err), ALLM_E_UNSUPPORTED);
        assert_non_null(strstr(a.h.err.message, "embeddings: the provider \"echo\""));
    }
    allm_destroy(echo);
    api_end(&a);
}

/* An encoder: its golden vector through the public call; no text, and its capabilities say so. */
static void test_api_encoder(void **state) {
    char             *path = test_golden_path("gguf/bert.gguf");
    script_host       h;
    allm_capabilities caps;
    allm_request      req = {0};
    allm_response     r;
    const allm_str    text = {"the cat", 7};
    float             v[32], want[32];
    (void)state;
    script_begin(&h, 1);
    allm_llm *llm = script_open_path(&h, path);
    assert_int_equal(allm_get_capabilities(llm, &caps, &h.err), ALLM_OK);
    assert_true(caps.embeddings && caps.embedding_dim == 32 && !caps.streaming && !caps.logprobs && !caps.max_output);
    assert_int_equal(allm_embed(llm, &text, 1, v, 32, &h.err), ALLM_OK);
    req.prompt = "the cat", req.raw = 1;
    assert_int_equal(allm_generate(llm, &req, &r, &h.err), ALLM_E_UNSUPPORTED);
    assert_non_null(strstr(h.err.message, "an encoder (bert): it gives embeddings, neither text nor logits"));
    allm_response_free(&r);
    allm_destroy(llm);
    allm_model      *m = api_open(&h, api_path(path));
    allm_session    *s = NULL;
    allm_model_info  info;
    api_ids          ids = api_tokens(m, "the cat"); /* the file names neither [CLS] nor [SEP] */
    assert_true(ids.n == 2);
    assert_int_equal(allm_model_get_info(m, &info, &h.err), ALLM_OK);
    assert_true(info.is_embedding && info.n_embd == 32);
    assert_int_equal(allm_session_create(m, NULL, &s, &h.err), ALLM_OK);
    assert_int_equal(allm__session_embed(s, ids.ids, NULL, ids.n, ALLM__POOL_MEAN, 1, want, &h.err), ALLM_OK);
    assert_memory_equal(v, want, sizeof want);
    assert_int_equal(allm_session_eval(s, ids.ids, 1, 0, &h.err), ALLM_E_UNSUPPORTED);
    allm_session_destroy(s);
    allm_model_close(m);
    script_end(&h);
    free(path);
}

/* ---- zeroed structs */

static void test_api_zeroed_structs(void **state) {
    api_all             a;
    allm_source         src = {0};
    allm_config         c   = {0};
    allm_request        req = {0};
    allm_provider       row = {0};
    allm_response       r   = {0};
    allm_llm           *llm = NULL;
    allm_model         *m   = NULL;
    allm_memory_plan    plan;
    (void)state;
    api_begin(&a, 1);
    c.runtime = a.h.rt;
    assert_int_equal(allm_model_open(a.h.rt, &src, NULL, &m, &a.h.err), ALLM_E_ARGUMENT);
    assert_non_null(strstr(a.h.err.message, "exactly one of path, data, read"));
    assert_int_equal(allm_plan(a.h.rt, &src, NULL, NULL, &plan, &a.h.err), ALLM_E_ARGUMENT);
    assert_int_equal(allm_create(NULL, &c, &llm, &a.h.err), ALLM_E_NOT_FOUND);
    c.source = &src;
    assert_int_equal(allm_create(NULL, &c, &llm, &a.h.err), ALLM_E_ARGUMENT);
    assert_int_equal(allm_provider_register(a.h.rt, &row, &a.h.err), ALLM_E_ARGUMENT);
    assert_int_equal(allm_generate(a.llm, &req, NULL, &a.h.err), ALLM_E_ARGUMENT);
    assert_non_null(strstr(a.h.err.message, "exactly one of prompt, messages, prompt_ids"));
    allm_response_free(&r);
    allm_response_free(&r);
    api_end(&a);
}

/* ---- the error record */

static void test_api_error_record(void **state) {
    api_all     a;
    allm_error *e = &a.h.err;
    allm_model *m = NULL;
    allm_source missing = api_path("no/such/file.gguf");
    (void)state;
    api_begin(&a, 1);
    memset(e, 0xff, sizeof *e);
    assert_int_equal(allm_model_open(a.h.rt, &missing, NULL, &m, e), ALLM_E_NOT_FOUND);
    assert_true(e->status == ALLM_E_NOT_FOUND && e->offset == -1 && !e->line && !e->column && !e->retry_after_ms);
    assert_string_equal(e->source, "no/such/file.gguf");
    assert_true(!strncmp(e->message, "no/such/file.gguf: cannot open: ", 32) && !strchr(e->message, '\n'));
    allm_request req = api_story(1); /* what succeeds leaves nothing of it */
    assert_int_equal(allm_generate(a.llm, &req, NULL, e), ALLM_OK);
    assert_true(e->status == ALLM_OK && e->offset == -1 && !e->source[0] && !e->message[0]);
    memset(e, 0xff, sizeof *e);
    assert_int_equal(allm_session_truncate(a.s, 0, e), ALLM_OK);
    assert_true(e->status == ALLM_OK && e->offset == -1 && !e->message[0]);
    assert_int_equal(allm_session_truncate(a.s, 5, e), ALLM_E_ARGUMENT);
    assert_string_equal(e->message, "session: 5 tokens to keep, there are 0");
    test_temp bad = test_temp_new("GGUF\3\0\0\0", 8);
    allm_source src = api_path(bad.path);
    assert_int_equal(allm_model_open(a.h.rt, &src, NULL, &m, e), ALLM_E_FORMAT);
    assert_true(e->offset == 8 && strstr(e->message, "byte 0x8: "));
    test_temp_remove(&bad);
    api_end(&a);
}

/* ---- wrong numbers */

static void test_api_runtime_numbers(void **state) {
    test_heap heap = {0};
    static const struct {
        int32_t     n_threads;
        const char *isa;
        int         half;
        allm_status status;
        const char *words;
    } rows[] = {
        {0, NULL, 0, ALLM_OK, ""},
        {1, "scalar", 0, ALLM_OK, ""},
        {1000000, "scalar", 0, ALLM_OK, ""},
        {-1, NULL, 0, ALLM_E_ARGUMENT, "n_threads -1"},
        {INT32_MIN, NULL, 0, ALLM_E_ARGUMENT, "n_threads"},
        {0, "", 0, ALLM_E_ARGUMENT, "isa \"\""},
        {0, "z80", 0, ALLM_E_ARGUMENT, "isa \"z80\""},
        {0, NULL, 1, ALLM_E_ARGUMENT, "alloc and free"},
        {0, NULL, 2, ALLM_E_ARGUMENT, "alloc and free"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm_runtime_config c  = {0};
        allm_runtime       *rt = NULL;
        allm_error          err;
        c.n_threads = rows[i].n_threads, c.isa = rows[i].isa, c.allocator = test_allocator(&heap);
        if (rows[i].half == 1) c.allocator.free = NULL;
        if (rows[i].half == 2) c.allocator.alloc = NULL;
        allm_status status = allm_runtime_create(&c, &rt, &err);
        if (status != rows[i].status || !strstr(err.message, rows[i].words))
            fail_msg("row %zu: %d %s", i, (int)status, err.message);
        assert_true((rt == NULL) == (status != ALLM_OK));
        allm_runtime_destroy(rt);
    }
    test_heap_check(&heap);
}

static void test_api_config_numbers(void **state) {
    static const struct { int32_t n_ctx, n_batch, kv_type; allm_status status; const char *words; } rows[] = {
        {0, 0, 0, ALLM_OK, ""},
        {1, 1, ALLM_KV_BF16, ALLM_OK, ""},
        {100, 1000, ALLM_KV_F32, ALLM_OK, ""},
        {-1, 0, 0, ALLM_E_ARGUMENT, "n_ctx is -1"},
        {INT32_MAX, 0, 0, ALLM_E_ARGUMENT, "n_ctx is 2147483647"},
        {0, -1, 0, ALLM_E_ARGUMENT, "n_batch is -1"},
        {0, INT32_MIN, 0, ALLM_E_ARGUMENT, "n_batch is -2147483648"},
        {0, 0, 99, ALLM_E_ARGUMENT, "kv_type is 99"},
        {0, 0, -1, ALLM_E_ARGUMENT, "kv_type is "},
        {0, 0, INT32_MAX, ALLM_E_ARGUMENT, "kv_type is "},
        {0, 0, ALLM_KV_Q8_0, ALLM_OK, ""},
    };
    api_all a;
    (void)state;
    api_begin(&a, 1);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm_config         c  = {0};
        allm_session_config sc = {0};
        allm_llm           *llm = NULL;
        allm_session       *s = NULL;
        c.runtime = a.h.rt, c.model = SCRIPT_TINY;
        c.n_ctx = sc.n_ctx = rows[i].n_ctx, c.n_batch = sc.n_batch = rows[i].n_batch;
        SCRIPT_ENUM(c.kv_type, rows[i].kv_type), SCRIPT_ENUM(sc.kv_type, rows[i].kv_type);
        allm_status status = allm_create(NULL, &c, &llm, &a.h.err);
        if (status != rows[i].status || !strstr(a.h.err.message, rows[i].words))
            fail_msg("row %zu: %d %s", i, (int)status, a.h.err.message);
        assert_int_equal(allm_session_create(a.m, &sc, &s, &a.h.err), rows[i].status);
        assert_true((llm == NULL) == (status != ALLM_OK) && (s == NULL) == (status != ALLM_OK));
        if (llm)
            assert_true(
                script_answer_of(
                    llm, (allm_request){.prompt_ids = (const int32_t[]){49}, .n_prompt_ids = 1, .max_tokens = 2})
                    .completion_tokens > 0);
        allm_destroy(llm);
        allm_session_destroy(s);
    }
    api_end(&a);
}

static void test_api_fault_29_sampling(void **state) {
    static const int32_t ids[] = {3, 512}, minus[] = {-1};
    static const float   bias[] = {1, 1}, nan_bias[] = {NAN, 0}, inf_bias[] = {INFINITY, 0}, ban[] = {-INFINITY, 0};
    static const struct { allm_sampling s; allm_status status; const char *words; } rows[] = {
        {{.temperature = NAN}, ALLM_E_ARGUMENT, "temperature"},
        {{.temperature = -1}, ALLM_E_ARGUMENT, "temperature"},
        {{.temperature = INFINITY}, ALLM_E_ARGUMENT, "temperature"},
        {{.temperature = 1e30f}, ALLM_OK, ""},
        {{.temperature = 1e-30f}, ALLM_OK, ""},
        {{.temperature = 1, .top_p = -0.5f}, ALLM_E_ARGUMENT, "top_p"},
        {{.temperature = 1, .top_p = 1.5f}, ALLM_E_ARGUMENT, "top_p"},
        {{.temperature = 1, .top_p = NAN}, ALLM_E_ARGUMENT, "top_p"},
        {{.temperature = 1, .min_p = 2}, ALLM_E_ARGUMENT, "min_p"},
        {{.temperature = 1, .top_k = -1}, ALLM_E_ARGUMENT, "top_k"},
        {{.temperature = 1, .top_k = INT32_MAX}, ALLM_OK, ""},
        {{.repeat_penalty = -1}, ALLM_E_ARGUMENT, "repeat_penalty"},
        {{.repeat_penalty = INFINITY}, ALLM_E_ARGUMENT, "repeat_penalty"},
        {{.presence_penalty = NAN}, ALLM_E_ARGUMENT, "presence_penalty"},
        {{.frequency_penalty = -INFINITY}, ALLM_E_ARGUMENT, "frequency_penalty"},
        {{.penalty_window = -2}, ALLM_E_ARGUMENT, "penalty_window"},
        {{.penalty_window = INT32_MAX, .repeat_penalty = 1.1f}, ALLM_OK, ""},
        {{.bias_ids = ids, .bias = bias, .n_bias = 1}, ALLM_OK, ""},
        {{.bias_ids = ids, .bias = ban, .n_bias = 1}, ALLM_OK, ""},
        {{.bias_ids = ids, .bias = bias, .n_bias = 2}, ALLM_E_ARGUMENT, "bias_ids[1] is 512, the vocabulary has 512"},
        {{.bias_ids = minus, .bias = bias, .n_bias = 1}, ALLM_E_ARGUMENT, "bias_ids[0] is -1"},
        {{.bias_ids = ids, .bias = nan_bias, .n_bias = 1}, ALLM_E_ARGUMENT, "bias"},
        {{.bias_ids = ids, .bias = inf_bias, .n_bias = 1}, ALLM_E_ARGUMENT, "bias"},
        {{.bias_ids = NULL, .bias = bias, .n_bias = 1}, ALLM_E_ARGUMENT, "bias_ids"},
        {{.bias_ids = ids, .bias = NULL, .n_bias = 1}, ALLM_E_ARGUMENT, "bias"},
        {{.temperature = 1, .order = "top_k;top_x"}, ALLM_E_ARGUMENT, "\"top_x\" is the name of no sampler"},
        {{.temperature = 1, .mirostat = 3}, ALLM_E_ARGUMENT, "mirostat"},
        {{.temperature = 1, .dry_multiplier = 1}, ALLM_OK, ""},
        {{.temperature = 1, .dry_multiplier = 1, .n_dry_breakers = 1}, ALLM_E_ARGUMENT, "dry_breakers[0] is NULL"},
        {{.seed = INT64_MAX}, ALLM_OK, ""},
        {{.seed = INT64_MIN}, ALLM_OK, ""},
    };
    api_all a;
    (void)state;
    api_begin(&a, 1);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm_request  req = api_story(2);
        allm_response r;
        allm_sampler *p = NULL;
        req.sampling    = &rows[i].s;
        allm_status status = allm_generate(a.llm, &req, &r, &a.h.err);
        if (status != rows[i].status || !strstr(a.h.err.message, rows[i].words))
            fail_msg("row %zu: %d %s", i, (int)status, a.h.err.message);
        if (!status) assert_true(rows[i].s.seed >= 0 ? r.seed == rows[i].s.seed : r.seed >= 0);
        allm_response_free(&r);
        assert_int_equal(allm_sampler_create(a.m, &rows[i].s, NULL, &p, &a.h.err), rows[i].status);
        assert_true((p == NULL) == (status != ALLM_OK));
        allm_sampler_destroy(p);
    }
    api_end(&a);
}

/* A seed is the same text again; none is one that can be asked for again. */
static void test_api_seeds(void **state) {
    api_all       a;
    allm_response r[3];
    allm_sampling s;
    (void)state;
    api_begin(&a, 1);
    allm_request req = api_story(30);
    req.sampling     = NULL;
    for (int i = 0; i < 2; i++) assert_int_equal(allm_generate(a.llm, &req, &r[i], NULL), ALLM_OK);
    assert_true(r[0].seed >= 0 && r[1].seed >= 0 && r[0].seed != r[1].seed);
    assert_int_equal(allm_default_sampling(a.llm, &s, NULL), ALLM_OK);
    assert_int_equal(s.seed, -1);
    s.seed = r[0].seed, req.sampling = &s;
    assert_int_equal(allm_generate(a.llm, &req, &r[2], NULL), ALLM_OK);
    assert_string_equal(r[2].text, r[0].text);
    assert_int_equal(r[2].seed, s.seed);
    for (int i = 0; i < 3; i++) allm_response_free(&r[i]);
    api_end(&a);
}

/* ---- wrong requests */

static void test_api_requests(void **state) {
    static const allm_message good[]        = {{.role = "user", .content = "hi"}},
                              no_role[]     = {{.role = "user", .content = "hi"}, {.role = NULL, .content = "hi"}},
                              bad_role[]    = {{.role = "us\xff", .content = "hi"}},
                              bad_content[] = {{.role = "user", .content = "hi"},
                                               {.role = "user", .content = "caf\xe9!"}};
    static const int32_t     ids[]   = {49, 80}, bad_ids[] = {49, 512, 3}, minus[] = {-1};
    static const allm_image  no_image[] = {{NULL, NULL, 0, 0, 0}}, both[] = {{"a", "b", 1, 0, 0}},
                             few[] = {{NULL, "12345", 5, 2, 1}}, minus_one[] = {{NULL, "123", 3, -1, 1}},
                             huge[] = {{NULL, "123", 3, INT32_MAX, INT32_MAX}}, gif[] = {{NULL, "GIF89a", 6, 0, 0}};
    static const allm_message shown[] = {{.role = "assistant", .content = "hi", .images = gif, .n_images = 1}},
                              seen[]  = {{.role = "user", .content = "hi", .images = gif, .n_images = 1}};
    static const char *const stops[] = {"ok", "\xc0\x80"}, *const no_stop[] = {"ok", NULL}, *const file[] = {NULL};
    static const struct { allm_request r; allm_status status; int64_t offset; const char *words;
    } rows[] = {
        {{.prompt = "a", .messages = good, .n_messages = 1}, ALLM_E_ARGUMENT, -1, "exactly one of"},
        {{.prompt = "a", .prompt_ids = ids, .n_prompt_ids = 2}, ALLM_E_ARGUMENT, -1, "exactly one of"},
        {{.messages = good, .n_messages = 1, .prompt_ids = ids, .n_prompt_ids = 2},
         ALLM_E_ARGUMENT,
         -1,
         "exactly one of"},
        {{.messages = good}, ALLM_E_ARGUMENT, -1, "exactly one of"}, /* none of them */
        {{.prompt_ids = ids}, ALLM_E_ARGUMENT, -1, "exactly one of"},
        {{.n_messages = 1}, ALLM_E_ARGUMENT, -1, "messages is NULL"},
        {{.n_prompt_ids = 1}, ALLM_E_ARGUMENT, -1, "prompt_ids is NULL"},
        {{.prompt = "a", .n_files = 1}, ALLM_E_ARGUMENT, -1, "files is NULL"},
        {{.prompt = "a", .files = file, .n_files = 1}, ALLM_E_ARGUMENT, -1, "files[0] is NULL"},
        {{.prompt = "a", .n_stop = 1}, ALLM_E_ARGUMENT, -1, "stop is NULL"},
        {{.prompt = "a", .stop = no_stop, .n_stop = 2}, ALLM_E_ARGUMENT, -1, "stop[1] is NULL"},
        {{.prompt = "a", .stop = stops, .n_stop = 2},
         ALLM_E_ARGUMENT,
         0,
         "invalid UTF-8 (byte 0 of stop[1])"},
        {{.prompt = "a", .max_tokens = -1}, ALLM_E_ARGUMENT, -1, "max_tokens is -1"},
        {{.prompt = "a", .n_images = 1}, ALLM_E_ARGUMENT, -1, "images is NULL"},
        {{.prompt = "a", .images = no_image, .n_images = 1}, ALLM_E_ARGUMENT, -1, "images[0] needs exactly one of"},
        {{.prompt = "a", .images = both, .n_images = 1}, ALLM_E_ARGUMENT, -1, "images[0] needs exactly one of"},
        {{.prompt = "a", .images = few, .n_images = 1}, ALLM_E_ARGUMENT, -1, "images[0] is 2 x 1 and has 5 bytes"},
        {{.prompt = "a", .images = minus_one, .n_images = 1}, ALLM_E_ARGUMENT, -1, "images[0] is -1 x 1"},
        {{.prompt = "a", .images = huge, .n_images = 1}, ALLM_E_ARGUMENT, -1, "images[0] is 2147483647 x"},
        {{.prompt = "a", .images = gif, .n_images = 1, .raw = 1}, ALLM_E_ARGUMENT, -1, "images need a chat"},
        {{.messages = shown, .n_messages = 1}, ALLM_E_ARGUMENT, -1, "only messages of a user have images"},
        {{.prompt = "a", .images = gif, .n_images = 1}, ALLM_E_UNSUPPORTED, -1, "vision"},
        {{.messages = seen, .n_messages = 1}, ALLM_E_UNSUPPORTED, -1, "vision"},
        {{.prompt = "a", .n_logprobs = -2}, ALLM_E_ARGUMENT, -1, "n_logprobs is -2, expected -1 to 100"},
        {{.prompt = "a", .n_logprobs = 101}, ALLM_E_ARGUMENT, -1, "n_logprobs is 101"},
        {{.prompt = "a", .max_tokens = INT32_MIN}, ALLM_E_ARGUMENT, -1, "max_tokens"},
        {{.prompt = "caf\xc3\xa9 \xff", .raw = 1}, ALLM_E_ARGUMENT, 6, "invalid UTF-8 (byte 6 of prompt)"},
        {{.prompt = "\xed\xa0\x80", .raw = 1}, ALLM_E_ARGUMENT, 0, "(byte 0 of prompt)"}, /* a surrogate */
        {{.prompt = "cut \xf0\x9f\x99", .raw = 1}, ALLM_E_ARGUMENT, 4, "byte 4 of prompt"},
        {{.prompt = "a", .system = "\x80"}, ALLM_E_ARGUMENT, 0, "byte 0 of system"},
        {{.prompt = "a", .template_kwargs = "{\"\xff"}, ALLM_E_ARGUMENT, 2, "byte 2 of template_kwargs"},
        {{.messages = no_role, .n_messages = 2}, ALLM_E_ARGUMENT, -1, "messages[1].role is NULL"},
        {{.messages = bad_role, .n_messages = 1}, ALLM_E_ARGUMENT, 2, "byte 2 of messages[0].role"},
        {{.messages = bad_content, .n_messages = 2},
         ALLM_E_ARGUMENT,
         3,
         "invalid UTF-8 (byte 3 of messages[1].content)"},
        {{.prompt = "", .raw = 1}, ALLM_E_ARGUMENT, -1, "the prompt is empty"},
        {{.prompt = "a", .system = "be brief", .raw = 1}, ALLM_E_ARGUMENT, -1, "a system prompt needs a chat template"},
        {{.messages = good, .n_messages = 1, .raw = 1},
         ALLM_E_ARGUMENT,
         -1,
         "a list of messages needs a chat template"},
        {{.prompt_ids = ids, .n_prompt_ids = 2, .system = "x"},
         ALLM_E_ARGUMENT,
         -1,
         "prompt_ids are evaluated as they are"},
        {{.prompt_ids = ids, .n_prompt_ids = 2, .files = stops, .n_files = 1},
         ALLM_E_ARGUMENT,
         -1,
         "prompt_ids are evaluated as they are"},
        {{.prompt_ids = bad_ids, .n_prompt_ids = 3}, ALLM_E_ARGUMENT, -1, "token id 512 at 1, the vocabulary has 512"},
        {{.prompt_ids = minus, .n_prompt_ids = 1}, ALLM_E_ARGUMENT, -1, "token id -1"},
        {{.prompt_ids = ids, .n_prompt_ids = 2, .max_tokens = INT32_MAX}, ALLM_OK, -1, ""},
        {{.prompt_ids = ids, .n_prompt_ids = 2, .prompt = NULL, .stop = stops, .n_stop = 1, .max_tokens = 1},
         ALLM_OK,
         -1,
         ""},
    };
    api_all a;
    (void)state;
    api_begin(&a, 1);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm_response r;
        memset(&r, 0x5a, sizeof r);
        allm_status status = allm_generate(a.llm, &rows[i].r, &r, &a.h.err);
        if (status != rows[i].status || a.h.err.offset != rows[i].offset || !strstr(a.h.err.message, rows[i].words))
            fail_msg("row %zu: %d at %lld: %s", i, (int)status, (long long)a.h.err.offset, a.h.err.message);
        assert_true(status == ALLM_OK || (r.completion_tokens == 0 && r.text_len == 0));
        allm_response_free(&r);
    }
    assert_int_equal(script_answer_of(a.llm, api_story(3)).completion_tokens, 3);
    api_end(&a);
}

/* ---- sizes: two calls; FAULTS 24, 25 */

static const char *const api_texts[] = {"",
                                        "a",
                                        "Once upon a time",
                                        "<|im_start|>user\nHello<|im_end|>",
                                        "na\xc3\xafve \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x99\x82",
                                        "not UTF-8: \xff\xfe\xc3",
                                        "Numbers 1, 22, 333 and 4.5%"};

static void test_api_fault_24_sizes(void **state) {
    api_all a;
    int     n_checked = 0;
    (void)state;
    api_begin(&a, 1);
    for (size_t i = 0; i < ALLM__COUNT(api_texts); i++)
        for (int flags = 0; flags < 4; flags++) {
            allm_str text = allm__str_of(api_texts[i]);
            int32_t  all[200], ids[200];
            char     bytes[800], part[800];
            size_t   n = 0, n_text = 0, got;
            assert_int_equal(allm_tokenize(a.m, text, flags & 1, flags >> 1, NULL, 0, &n, &a.h.err), ALLM_OK);
            assert_true(n < 200 && (n > 0) == (text.len > 0));
            assert_int_equal(allm_tokenize(a.m, text, flags & 1, flags >> 1, all, 200, &got, &a.h.err), ALLM_OK);
            assert_int_equal(got, n);
            for (size_t cap = 0; cap <= n + 1; cap++) {
                memset(ids, 0x5a, sizeof ids);
                assert_int_equal(allm_tokenize(a.m, text, flags & 1, flags >> 1, ids, cap, &got, &a.h.err), ALLM_OK);
                assert_int_equal(got, n);
                assert_memory_equal(ids, all, ALLM__MIN(cap, n) * sizeof *ids);
                for (size_t k = ALLM__MIN(cap, n); k < 200; k++) assert_int_equal(ids[k], 0x5a5a5a5a);
                n_checked++;
            }
            assert_int_equal(allm_detokenize(a.m, all, n, flags >> 1, NULL, 0, &n_text, &a.h.err), ALLM_OK);
            assert_int_equal(allm_detokenize(a.m, all, n, flags >> 1, bytes, sizeof bytes, &got, &a.h.err), ALLM_OK);
            assert_int_equal(got, n_text);
            if (!flags && allm__utf8_bad(text) == SIZE_MAX)
                assert_true(n_text == text.len && !memcmp(bytes, text.ptr, n_text));
            for (size_t cap = 0; cap <= n_text + 1; cap++) {
                memset(part, 0x5a, sizeof part);
                assert_int_equal(allm_detokenize(a.m, all, n, flags >> 1, part, cap, &got, &a.h.err), ALLM_OK);
                assert_int_equal(got, n_text);
                assert_memory_equal(part, bytes, ALLM__MIN(cap, n_text));
                for (size_t k = ALLM__MIN(cap, n_text); k < sizeof part; k++) assert_int_equal(part[k], 0x5a);
                n_checked++;
            }
            allm_detok_state st = {{0}, {0}}; /* and in pieces */
            size_t           at = 0;
            for (size_t k = 0; k <= n; k++) {
                allm_str piece;
                assert_int_equal(allm_detokenize_next(a.m, &st, k < n ? all[k] : -1, flags >> 1, &piece, &a.h.err),
                                 ALLM_OK);
                assert_true(allm__utf8_bad(piece) == SIZE_MAX && at + piece.len <= n_text);
                assert_memory_equal(piece.ptr, bytes + at, piece.len);
                at += piece.len;
            }
            assert_int_equal(at, n_text);
        }
    printf("             %d sizes\n", n_checked);
    api_end(&a);
}

static void test_api_fault_24_render(void **state) {
    static const allm_message chat[] = {{.role = "system", .content = "Be brief."},
                                        {.role = "user", .content = "na\xc3\xafve?"}};
    api_all      a;
    allm_request req = {0};
    char         all[400], part[400];
    size_t       n, got;
    (void)state;
    api_begin(&a, 1);
    req.messages = chat, req.n_messages = 2;
    assert_int_equal(allm_render(a.m, &req, NULL, 0, &n, &a.h.err), ALLM_OK);
    assert_int_equal(allm_render(a.m, &req, all, sizeof all, &got, &a.h.err), ALLM_OK);
    assert_true(n == got && n > 60 && n < sizeof all && !memcmp(all, "<|im_start|>system\nBe brief.<|im_end|>", 38));
    for (size_t cap = 0; cap <= n + 1; cap++) {
        memset(part, 0x5a, sizeof part);
        assert_int_equal(allm_render(a.m, &req, part, cap, &got, &a.h.err), ALLM_OK);
        assert_int_equal(got, n);
        assert_memory_equal(part, all, ALLM__MIN(cap, n));
        for (size_t k = ALLM__MIN(cap, n); k < sizeof part; k++) assert_int_equal(part[k], 0x5a);
    }
    static const char *const no_objects[] = {"[1]", "[", "", "{\"a\": }"};
    for (size_t i = 0; i < ALLM__COUNT(no_objects); i++) {
        req.template_kwargs = no_objects[i];
        assert_int_equal(allm_render(a.m, &req, part, sizeof part, &got, &a.h.err), ALLM_E_ARGUMENT);
        assert_int_equal(got, 0);
    }
    req = (allm_request){0}, req.prompt_ids = (const int32_t[]){1}, req.n_prompt_ids = 1;
    assert_int_equal(allm_render(a.m, &req, part, sizeof part, &got, &a.h.err), ALLM_E_ARGUMENT);
    api_end(&a);
}

static void test_api_fault_25_ids(void **state) {
    static const int32_t bad[] = {-1, 512, INT32_MIN, INT32_MAX};
    api_all              a;
    (void)state;
    api_begin(&a, 1);
    for (size_t i = 0; i < ALLM__COUNT(bad); i++) {
        const int32_t    ids[] = {49, bad[i]};
        char             words[64];
        size_t           n  = 77;
        allm_detok_state st = {{0}, {0}};
        allm_str         piece;
        snprintf(words, sizeof words, "ids[1] is %d, expected 0..511", (int)bad[i]);
        assert_int_equal(allm_detokenize(a.m, ids, 2, 0, NULL, 0, &n, &a.h.err), ALLM_E_ARGUMENT);
        assert_string_equal(a.h.err.message, words);
        assert_int_equal(n, 0);
        assert_int_equal(allm_token_piece(a.m, bad[i]).len, 0);
        assert_int_equal(allm_token_is_end(a.m, bad[i]), 0);
        assert_int_equal(allm_detokenize_next(a.m, &st, bad[i], 0, &piece, &a.h.err),
                         bad[i] < 0 ? ALLM_OK : ALLM_E_ARGUMENT);
        assert_int_equal(allm_session_eval(a.s, ids, 2, 0, &a.h.err), ALLM_E_ARGUMENT);
        assert_int_equal(allm_session_length(a.s), 0);
        assert_int_equal(allm_sampler_accept(a.p, ids, 2, &a.h.err), ALLM_E_ARGUMENT);
    }
    assert_true(allm_token_is_end(a.m, 2) && !allm_token_is_end(a.m, 49));
    allm_detok_state dirty;
    allm_str         piece;
    memset(&dirty, 0x7f, sizeof dirty);
    assert_int_equal(allm_detokenize_next(a.m, &dirty, 49, 0, &piece, &a.h.err), ALLM_E_ARGUMENT);
    assert_non_null(strstr(a.h.err.message, "not zeroed"));
    assert_int_equal(allm_session_eval(a.s, NULL, 0, 0, &a.h.err), ALLM_E_ARGUMENT);
    assert_int_equal(allm_sampler_accept(a.p, NULL, 0, &a.h.err), ALLM_OK);
    size_t n = 77;
    assert_int_equal(allm_tokenize(a.m, (allm_str){NULL, 0}, 0, 0, NULL, 0, &n, &a.h.err), ALLM_OK);
    assert_int_equal(n, 0);
    assert_int_equal(allm_tokenize(a.m, (allm_str){NULL, 1}, 0, 0, NULL, 0, &n, &a.h.err), ALLM_E_ARGUMENT);
    assert_string_equal(a.h.err.message, "text is NULL");
    assert_int_equal(allm_detokenize(a.m, NULL, 0, 0, NULL, 0, &n, &a.h.err), ALLM_OK);
    api_end(&a);
}

/* Rows of the head that the tokenizer has no token for: the sampler may choose them, so they are ids with no text. */
static void test_api_padding_ids(void **state) {
    static const int32_t ids[] = {1, 4, 2, 5}; /* the two halves of a character, and padding */
    make_script      script = make_script_new((const char *const[]){"end", "\xc3", "\xa9", "x", NULL});
    script_host      h;
    allm_source      src = {0};
    allm_sampler    *p   = NULL;
    allm_detok_state st  = {{0}, {0}};
    allm_model_info  info;
    allm_str         piece;
    char             text[8], joined[8] = "";
    size_t           n;
    int32_t          id;
    float            logits[SCRIPT_WIDTH] = {0};
    (void)state;
    script.n_padding = 2;
    make_gguf w      = make_script_file(&script);
    script_begin(&h, 1);
    src.data = w.bytes, src.n_bytes = w.n;
    allm_model *m = api_open(&h, src);
    assert_int_equal(allm_model_get_info(m, &info, &h.err), ALLM_OK);
    assert_int_equal(info.n_vocab, 6);
    assert_int_equal(allm_sampler_create(m, &script_greedy, NULL, &p, &h.err), ALLM_OK);
    logits[5] = 1;
    assert_int_equal(allm_sampler_next(p, logits, &id, NULL, &h.err), ALLM_OK);
    assert_int_equal(id, 5);
    assert_int_equal(allm_detokenize(m, ids, 4, 0, text, sizeof text, &n, &h.err), ALLM_OK);
    assert_true(n == 2 && !memcmp(text, "\xc3\xa9", 2));
    for (int i = 0; i <= 4; i++) {
        assert_int_equal(allm_detokenize_next(m, &st, i < 4 ? ids[i] : -1, 0, &piece, &h.err), ALLM_OK);
        strncat(joined, piece.ptr, piece.len);
    }
    assert_string_equal(joined, "\xc3\xa9");
    assert_int_equal(allm_detokenize_next(m, &st, 6, 0, &piece, &h.err), ALLM_E_ARGUMENT);
    id = 6;
    assert_int_equal(allm_detokenize(m, &id, 1, 0, text, sizeof text, &n, &h.err), ALLM_E_ARGUMENT);
    assert_string_equal(h.err.message, "ids[0] is 6, expected 0..5");
    assert_true(allm_token_piece(m, 5).len == 0 && !allm_token_is_end(m, 5));
    allm_sampler_destroy(p);
    allm_model_close(m);
    script_end(&h);
    make_gguf_free(&w);
}

/* A model without a template has nothing to render with; an answer falls back to ChatML. */
static void test_api_render_without_template(void **state) {
    make_script  script = make_script_new((const char *const[]){"end", "a", NULL});
    make_gguf    w      = make_script_file(&script);
    script_host  h;
    allm_source  src = {0};
    allm_request req = {0};
    size_t       n   = 7;
    (void)state;
    script_begin(&h, 1);
    src.data = w.bytes, src.n_bytes = w.n, req.prompt = "a";
    allm_model *m = api_open(&h, src);
    assert_int_equal(allm_render(m, &req, NULL, 0, &n, &h.err), ALLM_E_UNSUPPORTED);
    assert_string_equal(h.err.message, "the model has no chat template");
    assert_int_equal(n, 0);
    allm_model_close(m);
    script_end(&h);
    make_gguf_free(&w);
}

/* ---- memory */

/* What allm_plan says is what is allocated, to the byte. */
static void test_api_plan(void **state) {
    static const struct { const char *path; int32_t n_ctx, n_batch, n_threads, kv_type, reference; } rows[] = {
        {SCRIPT_TINY, 0, 0, 1, 0, 0}, {SCRIPT_TINY, 0, 0, 3, 0, 0}, {SCRIPT_TINY, 100, 7, 2, ALLM_KV_F32, 0},
        {SCRIPT_TINY, 33, 0, 1, ALLM_KV_BF16, 1}, {SCRIPT_STORY, 0, 0, 2, 0, 0}, {SCRIPT_STORY, 1000, 1, 1, 0, 1},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        script_host         h;
        allm_source         src = api_path(rows[i].path);
        allm_model_config   mc  = {0};
        allm_session_config sc  = {0};
        allm_memory_plan    plan;
        allm_model         *m = NULL;
        allm_session       *s = NULL;
        struct stat         st;
        script_begin(&h, rows[i].n_threads);
        mc.reference = rows[i].reference, sc.n_ctx = rows[i].n_ctx, sc.n_batch = rows[i].n_batch;
        SCRIPT_ENUM(sc.kv_type, rows[i].kv_type);
        int64_t before = h.heap.live;
        assert_int_equal(allm_plan(h.rt, &src, &mc, &sc, &plan, &h.err), ALLM_OK);
        assert_int_equal(h.heap.live, before);
        assert_int_equal(allm_model_open(h.rt, &src, &mc, &m, &h.err), ALLM_OK);
        assert_int_equal(h.heap.live - before, plan.other);
        assert_int_equal(allm_session_create(m, &sc, &s, &h.err), ALLM_OK);
        assert_int_equal(h.heap.live - before, plan.other + plan.repacked + plan.kv + plan.scratch);
        assert_int_equal(stat(rows[i].path, &st), 0);
#ifdef ABSTRACTLLM_NO_MMAP
        assert_true(plan.mapped == 0 && plan.other > (uint64_t)st.st_size);
#else
        assert_true(plan.mapped > 0 && plan.mapped < (uint64_t)st.st_size);
#endif
        assert_true(plan.repacked > 0 && plan.peak >= plan.other + plan.repacked + plan.kv + plan.scratch);
        api_ids t = api_tokens(m, "Once upon a time");
        int64_t calls = h.heap.n_calls;
        assert_int_equal(allm_session_eval(s, t.ids, t.n, 0, &h.err), ALLM_OK);
        assert_int_equal(h.heap.n_calls, calls); /* evaluating allocates nothing */
        allm_session_destroy(s);
        /* the same session in the caller's memory */
        size_t n = (size_t)(plan.kv + plan.scratch);
        sc.buffer = aligned_alloc(64, (n + 63) / 64 * 64), sc.n_buffer = n - 1;
        assert_non_null(sc.buffer);
        assert_int_equal(allm_session_create(m, &sc, &s, &h.err), ALLM_E_ARGUMENT);
        sc.n_buffer = n, calls = h.heap.n_calls;
        assert_int_equal(allm_session_create(m, &sc, &s, &h.err), ALLM_OK);
        assert_int_equal(allm_session_eval(s, t.ids, t.n, 0, &h.err), ALLM_OK);
        assert_int_equal(h.heap.n_calls, calls);
        allm_session_destroy(s);
        free(sc.buffer);
        allm_model_close(m);
        script_end(&h);
    }
}

/* A limit of what is planned, and the ids that a chat keeps, is enough to open a model, one byte less is not. */
static void test_api_memory_limit(void **state) {
    script_host      h;
    allm_memory_plan plan;
    allm_source      src = api_path(SCRIPT_TINY);
    allm_config      c   = {0};
    (void)state;
    script_begin(&h, 2);
    assert_int_equal(allm_plan(h.rt, &src, NULL, NULL, &plan, &h.err), ALLM_OK);
    c.runtime = h.rt, c.model = SCRIPT_TINY;
    for (int i = 0; i < 4; i++) {
        allm_llm *llm = NULL;
        uint64_t  most = ALLM__MAX(plan.peak - plan.repacked, plan.other + plan.kv + plan.scratch +
                                                                  SCRIPT_TINY_CTX * sizeof(int32_t));
        c.memory_limit = i == 0 ? most : i == 1 ? most - 1 : i == 2 ? plan.other / 2 : 1;
        int64_t     before = h.heap.live;
        allm_status status = allm_create(NULL, &c, &llm, &h.err);
        assert_int_equal(status, i ? ALLM_E_MEMORY : ALLM_OK);
        if (status) {
            char words[40];
            snprintf(words, sizeof words, "memory limit of %llu bytes", (unsigned long long)c.memory_limit);
            if (!strstr(h.err.message, words)) fail_msg("%s", h.err.message);
            assert_int_equal(h.heap.live, before);
        }
        allm_destroy(llm);
    }
    script_end(&h);
}

static int api_hear_nothing(const allm_chunk *chunk, void *ctx) { return (void)chunk, (void)ctx, 0; }

/* A generation keeps to the limit too: prompt, sampler and stop texts are counted, all but the answer. */
static void test_api_memory_limit_of_answers(void **state) {
    static const char *const stops[] = {"never said"};
    allm_request             req     = api_story(3);
    int                      n_refused = 0, n_answered = 0;
    const size_t             n_handles = sizeof(struct allm_llm) + sizeof(allm__local) + 256; /* and names */
    (void)state;
    req.stop = stops, req.n_stop = 1, req.on_chunk = api_hear_nothing; /* no response: no answer is kept */
    for (uint64_t extra = 0; n_answered < 3; extra += 64) {
        script_host      h;
        allm_memory_plan plan;
        allm_source      src = api_path(SCRIPT_TINY);
        allm_config      c   = {0};
        allm_llm        *llm = NULL;
        script_begin(&h, 2);
        assert_int_equal(allm_plan(h.rt, &src, NULL, NULL, &plan, &h.err), ALLM_OK);
        int64_t before = h.heap.live;
        c.runtime = h.rt, c.model = SCRIPT_TINY;
        c.memory_limit = plan.peak - plan.repacked + SCRIPT_TINY_CTX * sizeof(int32_t) + extra;
        assert_int_equal(allm_create(NULL, &c, &llm, &h.err), ALLM_OK);
        h.heap.peak        = h.heap.live;
        allm_status status = allm_generate(llm, &req, NULL, &h.err);
        if (status) {
            assert_int_equal(status, ALLM_E_MEMORY);
            if (!strstr(h.err.message, "is too small for this request")) fail_msg("%s", h.err.message);
            n_refused++;
        } else n_answered++;
        assert_true((uint64_t)(h.heap.peak - before) <= c.memory_limit + n_handles);
        allm_destroy(llm);
        script_end(&h);
    }
    assert_true(n_refused > 1);
}

/* FAULTS 38: every allocation of a whole life fails, once and from there on. */
static allm_status api_life(const allm__host *host, void *ctx) {
    allm_runtime_config rc  = {0};
    allm_runtime       *rt  = NULL;
    allm_config         c   = {0};
    allm_llm           *llm = NULL;
    allm_request        req = *(const allm_request *)ctx;
    allm_response       r   = {0};
    allm_capabilities   caps;
    allm_error          err;
    rc.allocator = host->mem, rc.n_threads = 1;
    allm_status status = allm_runtime_create(&rc, &rt, &err);
    c.runtime = rt, c.model = SCRIPT_TINY, c.n_ctx = 64;
    if (!status) status = allm_create(req.prompt ? NULL : "local", &c, &llm, &err);
    if (!status) status = allm_get_capabilities(llm, &caps, &err);
    if (!status) status = allm_generate(llm, &req, &r, &err);
    assert_int_equal(err.status, status);
    assert_true(status || (r.text && r.completion_tokens > 0));
    if (llm && status) { /* it is as good as before */
        test_heap *heap    = (test_heap *)host->mem.ctx;
        int64_t    fail_at = heap->fail_at;
        heap->fail_at      = 0;
        allm_response_free(&r);
        assert_int_equal(allm_generate(llm, &req, &r, &err), ALLM_OK);
        heap->fail_at = fail_at;
    }
    allm_response_free(&r);
    allm_destroy(llm);
    allm_runtime_destroy(rt);
    return status;
}

static void test_api_fault_38_allocations(void **state) {
    static const char *const stops[] = {"never said", "nor this"};
    static const int32_t     ids[]   = {49, 80, 385};
    test_heap                heap    = {0};
    test_temp                t       = test_temp_new("some text\n", 10);
    const char              *path    = t.path;
    allm_sampling            penalty = {.temperature = 0.5f, .repeat_penalty = 1.1f, .top_k = 20, .seed = 1};
    allm_request             req     = {0}, by_ids = {0}, chat = {0};
    static const allm_message messages[] = {{.role = "system", .content = "Be brief."},
                                            {.role = "user", .content = "Hello"}};
    (void)state;
    req.prompt = "Once upon", req.raw = 1, req.max_tokens = 2, req.stop = stops, req.n_stop = 2,
    req.sampling = &penalty;
    req.files = &path, req.n_files = 1;
    allm__host host = test_host(&heap);
    assert_int_equal(api_life(&host, &req), ALLM_OK);
    printf("             %lld allocations\n", (long long)heap.n_calls);
    test_fail_each(api_life, &req);
    by_ids.prompt_ids = ids, by_ids.n_prompt_ids = 3, by_ids.max_tokens = 1;
    test_fail_each(api_life, &by_ids);
    chat.messages = messages, chat.n_messages = 2, chat.max_tokens = 1, chat.sampling = &script_greedy;
    test_fail_each(api_life, &chat);
    static const char *const breakers[] = {"\n", "and so"};
    penalty.dry_multiplier = 1, penalty.dry_breakers = breakers, penalty.n_dry_breakers = 2;
    by_ids.n_logprobs = 3, by_ids.sampling = &penalty;
    test_fail_each(api_life, &by_ids);
    test_temp_remove(&t);
}

/* The same for the low-level calls. */
static allm_status api_low_life(const allm__host *host, void *ctx) {
    allm_runtime_config rc = {0};
    allm_runtime       *rt = NULL;
    allm_source         src = api_path(SCRIPT_TINY);
    allm_model         *m   = NULL;
    allm_session       *s   = NULL, *fork = NULL;
    static char         state[1 << 17];
    size_t              n_state;
    allm_sampler       *p   = NULL;
    allm_session_config sc  = {0};
    allm_memory_plan    plan;
    allm_error          err;
    int32_t             ids[32], id;
    size_t              n;
    char                text[64];
    (void)ctx;
    rc.allocator = host->mem, rc.n_threads = 1, sc.n_ctx = 32;
    allm_status status = allm_runtime_create(&rc, &rt, &err);
    if (!status) status = allm_plan(rt, &src, NULL, &sc, &plan, &err);
    if (!status) status = allm_model_open(rt, &src, NULL, &m, &err);
    if (!status) status = allm_session_create(m, &sc, &s, &err);
    if (!status) status = allm_sampler_create(m, NULL, NULL, &p, &err);
    if (!status) status = allm_tokenize(m, allm__str_of("Once upon a time"), 1, 1, ids, 32, &n, &err);
    if (!status) status = allm_session_eval(s, ids, n, 1, &err);
    if (!status) status = allm_session_fork(s, &fork, &err);
    allm_session *const both[2] = {s, fork};
    if (!status) status = allm_session_eval_many(both, ids, 2, &err);
    if (!status) status = allm_session_shift(fork, 1, 1, &err);
    if (!status) status = allm_session_save(s, state, sizeof state, &n_state, &err);
    if (!status) status = allm_session_load(fork, state, n_state, &err);
    if (!status) status = allm_sampler_next(p, allm_session_logits(s, 0), &id, NULL, &err);
    if (!status) status = allm_detokenize(m, ids, n, 0, text, sizeof text, &n, &err);
    assert_int_equal(err.status, status);
    allm_sampler_destroy(p);
    allm_session_destroy(s);
    allm_session_destroy(fork);
    allm_model_close(m);
    allm_runtime_destroy(rt);
    return status;
}

static void test_api_fault_38_low_level(void **state) {
    (void)state;
    test_fail_each(api_low_life, NULL);
}

/* ---- the same bits, however the work is done */

enum { API_VOCAB = 512 };

typedef struct api_way {
    int32_t     n_threads, n_batch, split; /* tokens of one eval; 0: all */
    const char *isa;
    int         host_loop, reference;
} api_way;

static void api_parallel_for(void *ctx, int32_t n_parts, allm_task task, void *arg) { /* backwards, one after another */
    ++*(int *)ctx;
    for (int32_t i = n_parts; i-- > 0;) task(arg, i, n_parts);
}

/* Logits of every token of the prompt [43, API_VOCAB] (free them); 0 in *n: no such ISA here. */
static float *api_logits(api_way w, size_t *n) {
    script_host         h;
    allm_runtime_config rc   = {0};
    allm_model_config   mc   = {0};
    allm_session_config sc   = {0};
    allm_source         src  = api_path(SCRIPT_TINY);
    allm_model         *m    = NULL;
    allm_session       *s    = NULL;
    int                 n_stages = 0;
    *n = 0;
    rc.n_threads = w.n_threads, rc.isa = w.isa;
    if (w.host_loop) rc.parallel_for = api_parallel_for, rc.parallel_ctx = &n_stages;
    script_begin_with(&h, rc);
    mc.reference = w.reference, sc.n_batch = w.n_batch;
    assert_int_equal(allm_model_open(h.rt, &src, &mc, &m, &h.err), ALLM_OK);
    assert_int_equal(allm_session_create(m, &sc, &s, &h.err), ALLM_OK);
    api_ids t   = api_tokens(m, SCRIPT_PROMPT);
    float  *all = (float *)malloc(t.n * API_VOCAB * sizeof *all);
    size_t  step = w.split ? (size_t)w.split : t.n;
    assert_non_null(all);
    for (size_t i = 0; i < t.n; i += step) {
        size_t k = ALLM__MIN(step, t.n - i);
        assert_int_equal(allm_session_eval(s, t.ids + i, k, 1, &h.err), ALLM_OK);
        for (size_t j = 0; j < k; j++)
            memcpy(all + (i + j) * API_VOCAB, allm_session_logits(s, j), API_VOCAB * sizeof *all);
    }
    assert_true((n_stages > 0) == (w.host_loop != 0));
    *n = t.n;
    allm_session_destroy(s);
    allm_model_close(m);
    script_end(&h);
    return all;
}

static void test_api_same_bits(void **state) {
    static const api_way ways[]     = {{1, 0, 0, NULL, 0, 0},  {2, 0, 0, NULL, 0, 0},  {3, 0, 0, NULL, 0, 0},
                                       {1, 0, 22, NULL, 0, 0}, {2, 0, 22, NULL, 0, 0}, {1, 0, 1, NULL, 0, 0},
                                       {3, 0, 1, NULL, 0, 0},  {1, 5, 0, NULL, 0, 0},  {2, 1, 0, NULL, 0, 0},
                                       {2, 16, 7, NULL, 0, 0}, {2, 0, 0, NULL, 1, 0},  {3, 4, 5, NULL, 1, 0},
                                       {7, 0, 22, NULL, 1, 0}};
    int n_compared = 0;
    (void)state;
    for (size_t k = 0; k <= ALLM__COUNT(allm__isas); k++) { /* k 0: the default */
        if (k && (!allm__isas[k - 1].detect() || !allm__kern_find(allm__isas[k - 1].name))) continue;
        for (int reference = 0; reference < (k ? 1 : 2); reference++) {
            float *first = NULL;
            for (size_t i = 0; i < ALLM__COUNT(ways); i++) {
                api_way w = ways[i];
                size_t  n;
                w.isa = k ? allm__isas[k - 1].name : NULL, w.reference = reference;
                float *got = api_logits(w, &n);
                if (!first) first = got;
                else if (memcmp(first, got, n * API_VOCAB * sizeof *got))
                    fail_msg("isa %zu, way %zu: other bits", k, i);
                if (first != got) free(got), n_compared++;
            }
            free(first);
        }
    }
    printf("             %d ways\n", n_compared);
}

/* KL(p of b || p of a), the mean over tokens. */
static double api_kl(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t t = 0; t < n; t++) {
        const float *x = a + t * API_VOCAB, *y = b + t * API_VOCAB;
        double       zx = 0, zy = 0;
        for (int i = 0; i < API_VOCAB; i++) zx += exp((double)x[i]), zy += exp((double)y[i]);
        for (int i = 0; i < API_VOCAB; i++)
            sum += exp((double)y[i]) / zy * ((double)y[i] - (double)x[i] + log(zx / zy));
    }
    return sum / (double)n;
}

static double api_nmse(const float *a, const float *b, size_t n) {
    double e = 0, mean = 0, var = 0;
    for (size_t i = 0; i < n; i++) mean += (double)b[i] / (double)n;
    for (size_t i = 0; i < n; i++) e += pow((double)a[i] - (double)b[i], 2), var += pow((double)b[i] - mean, 2);
    return e / var;
}

static void test_api_every_isa(void **state) {
    size_t  n;
    api_way scalar = {1, 0, 0, "scalar", 0, 0}, reference = {1, 0, 0, "scalar", 0, 1};
    float  *base = api_logits(scalar, &n), *exact = api_logits(reference, &n);
    (void)state;
    for (size_t k = 0; k < ALLM__COUNT(allm__isas); k++) {
        const char *name = allm__isas[k].name;
        if (!allm__kern_find(name)) { /* not here: said so, with its name */
            allm_runtime_config c  = {0};
            allm_runtime       *rt = NULL;
            allm_error          err;
            c.isa = name;
            assert_int_equal(allm_runtime_create(&c, &rt, &err), ALLM_E_ARGUMENT);
            assert_non_null(strstr(err.message, name));
            continue;
        }
        scalar.isa = reference.isa = name;
        float *plain = api_logits(scalar, &n), *floats = api_logits(reference, &n);
        double kl = api_kl(plain, base, n), nmse = api_nmse(floats, exact, n * API_VOCAB);
        printf("             %-8s default path: KL %.2e, reference path: NMSE %.2e\n", name, kl, nmse);
        if (!(kl <= 1e-3) || !(nmse <= 1e-6)) fail_msg("%s: KL %g, NMSE %g", name, kl, nmse);
        free(plain), free(floats);
    }
    free(base), free(exact);
}

/* A whole answer, drawn from a seed: the same text from any number of threads. */
static void test_api_same_text(void **state) {
    static const allm_sampling drawn = {.temperature = 0.8f, .top_p = 0.95f, .repeat_penalty = 1.05f, .seed = 42};
    char                       first[4096] = "";
    (void)state;
    for (int32_t i = 0; i < 5; i++) {
        script_host         h;
        allm_runtime_config rc = {0};
        allm_config         c  = {0};
        int                 n_stages = 0;
        rc.n_threads = 1 + i % 3;
        if (i > 2) rc.n_threads = 2, rc.parallel_for = api_parallel_for, rc.parallel_ctx = &n_stages;
        script_begin_with(&h, rc);
        c.model = SCRIPT_STORY, c.n_batch = i == 2 ? 3 : 0;
        allm_llm    *llm = script_open(&h, NULL, c);
        allm_request req = api_story(60);
        req.sampling     = &drawn;
        script_answer a  = script_answer_of(llm, req);
        assert_true(a.completion_tokens == 60 && strlen(a.text) > 100);
        if (i == 0) strcpy(first, a.text);
        assert_string_equal(a.text, first);
        allm_destroy(llm);
        script_end(&h);
    }
}

/* ---- sources */

typedef struct api_reader {
    const char *bytes;
    size_t      n, most; /* bytes given at a time */
    int         n_calls, fail_at, how; /* how: 0 error, 1 end, 2 too many */
} api_reader;

static int64_t api_read(void *ctx, uint64_t offset, void *dst, size_t n_bytes) {
    api_reader *r = (api_reader *)ctx;
    if (++r->n_calls == r->fail_at) return r->how == 0 ? -1 : r->how == 1 ? 0 : (int64_t)n_bytes + 1;
    if (offset >= r->n) return 0;
    size_t n = ALLM__MIN(ALLM__MIN(n_bytes, r->most), r->n - (size_t)offset);
    memcpy(dst, r->bytes + offset, n);
    return (int64_t)n;
}

/* FAULTS 42: from memory at an odd address, or that can only be read, too. */
static void test_api_sources(void **state) {
    script_host   h;
    size_t        n;
    char         *bytes = test_read(SCRIPT_TINY, &n), *odd = (char *)malloc(n + 64);
    int           fd    = open(SCRIPT_TINY, O_RDONLY);
    void         *map   = mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0);
    api_reader    reader = {bytes, n, 1000, 0, 0, 0}, large = {bytes, n, SIZE_MAX, 0, 0, 0};
    (void)state;
    assert_true(bytes && odd);
    script_begin(&h, 1);
    allm_llm     *llm  = script_open_path(&h, SCRIPT_TINY);
    script_answer want = script_answer_of(llm, api_story(20));
    allm_destroy(llm);
    assert_true(map != MAP_FAILED);
    for (int i = 0; i < 6; i++) {
        allm_source       src = {0};
        allm_config       c   = {0};
        allm_capabilities caps;
        memcpy(odd + 1 + i, bytes, n);
        if (i == 0) src.data = bytes, src.n_bytes = n;
        else if (i == 1) src.read = api_read, src.size = n, src.ctx = &reader;
        else if (i == 2) src.read = api_read, src.size = n, src.ctx = &large;
        else if (i == 3) src.data = odd + 1 + i, src.n_bytes = n; /* at an odd address */
        else if (i == 4) src.data = map, src.n_bytes = n;
        else src.path = SCRIPT_TINY;
        c.source = &src, c.runtime = h.rt;
        llm = script_open(&h, NULL, c);
        memset(&src, 0x5a, sizeof src); /* it was copied */
        script_answer a = script_answer_of(llm, api_story(20));
        assert_string_equal(a.text, want.text);
        assert_memory_equal(a.ids, want.ids, sizeof a.ids);
        assert_int_equal(allm_get_capabilities(llm, &caps, NULL), ALLM_OK);
        allm_destroy(llm);
    }
    free(bytes), free(odd), munmap(map, n), close(fd);
    script_end(&h);
}

static void test_api_broken_sources(void **state) {
    script_host h;
    size_t      n;
    char       *bytes = test_read(SCRIPT_TINY, &n);
    (void)state;
    assert_non_null(bytes);
    script_begin(&h, 1);
    for (int i = 0; i < 8; i++) {
        api_reader  r   = {bytes, n, 100000, 0, i < 3 ? 2 : 0, i};
        allm_source src = {0};
        allm_model *m   = NULL;
        static const struct { allm_status status; const char *words; } want[] = {
            {ALLM_E_IO, "reader: byte 0x186a0: read failed"}, {ALLM_E_IO, "reader: byte 0x186a0: ends early"},
            {ALLM_E_IO, "gave more than"}, {ALLM_E_FORMAT, "memory: "}, {ALLM_E_ARGUMENT, "exactly one of"},
            {ALLM_E_FORMAT, "memory: "}, {ALLM_E_IO, "ends early"}, {ALLM_E_MEMORY, ""}};
        src.read = api_read, src.size = i == 6 ? n + 1 : i == 7 ? UINT64_MAX : n, src.ctx = &r;
        if (i == 3) memset(&src, 0, sizeof src), src.data = bytes, src.n_bytes = n - 1; /* cut */
        if (i == 4) src.data = bytes; /* both */
        if (i == 5) memset(&src, 0, sizeof src), src.data = bytes, src.n_bytes = 0;
        allm_status status = allm_model_open(h.rt, &src, NULL, &m, &h.err);
        if (status != want[i].status || !strstr(h.err.message, want[i].words))
            fail_msg("case %d: %d %s", i, (int)status, h.err.message);
        assert_null(m);
    }
    free(bytes);
    script_end(&h);
}

/* ---- one model, several sessions, several threads */

typedef struct api_worker {
    allm_runtime *rt;
    allm_model   *m;
    api_ids       prompt;
    int32_t       ids[24];
    int           failed, high; /* high: through allm_create */
    pthread_t     thread;
} api_worker;

static void *api_work(void *arg) {
    api_worker   *w = (api_worker *)arg;
    allm_session *s = NULL;
    allm_sampler *p = NULL;
    if (w->high) {
        allm_config  c   = {0};
        allm_llm    *llm = NULL;
        allm_request req = api_story(24);
        allm_response r  = {0};
        allm_capabilities caps;
        c.runtime = w->rt, c.model = SCRIPT_TINY;
        w->failed |=
            allm_create(NULL, &c, &llm, NULL) || allm_generate(llm, &req, &r, NULL) || r.completion_tokens != 24;
        w->failed |= llm && allm_get_capabilities(llm, &caps, NULL);
        if (!w->failed) memcpy(w->ids, r.token_ids, sizeof w->ids);
        allm_response_free(&r);
        allm_destroy(llm);
        return NULL;
    }
    w->failed |= allm_session_create(w->m, NULL, &s, NULL) ||
                 allm_sampler_create(w->m, &script_greedy, NULL, &p, NULL) ||
                 allm_session_eval(s, w->prompt.ids, w->prompt.n, 0, NULL);
    for (int i = 0; i < 24 && !w->failed; i++)
        w->failed |= allm_sampler_next(p, allm_session_logits(s, 0), &w->ids[i], NULL, NULL) ||
                     allm_session_eval(s, &w->ids[i], 1, 0, NULL);
    allm_sampler_destroy(p);
    allm_session_destroy(s);
    return NULL;
}

static void test_api_fault_36_threads(void **state) {
    static api_worker w[8];
    (void)state;
    TEST_NEEDS_THREADS();
    for (int32_t n_threads = 1; n_threads <= 2; n_threads++) {
        script_host h;
        script_begin(&h, n_threads);
        allm_model *m = api_open(&h, api_path(SCRIPT_TINY));
        api_ids     t = api_tokens(m, SCRIPT_PROMPT);
        memset(w, 0, sizeof w);
        for (int i = 0; i < 8; i++) {
            w[i].rt = h.rt, w[i].m = m, w[i].prompt = t, w[i].high = i & 1;
            assert_int_equal(pthread_create(&w[i].thread, NULL, api_work, &w[i]), 0);
        }
        for (int i = 0; i < 8; i++) {
            pthread_join(w[i].thread, NULL);
            assert_int_equal(w[i].failed, 0);
            assert_memory_equal(w[i].ids, w[0].ids, sizeof w[0].ids);
        }
        allm_model_close(m);
        script_end(&h);
    }
}

/* The model lives as long as somebody needs it. */
static void test_api_model_outlives_close(void **state) {
    script_host   h;
    allm_session *s = NULL;
    const int32_t id = 49;
    (void)state;
    script_begin(&h, 1);
    allm_model *m = api_open(&h, api_path(SCRIPT_TINY));
    assert_int_equal(allm_session_create(m, NULL, &s, &h.err), ALLM_OK);
    allm_model_close(m);
    assert_int_equal(allm_session_eval(s, &id, 1, 0, &h.err), ALLM_OK);
    assert_non_null(allm_session_logits(s, 0));
    allm_session_destroy(s);
    script_end(&h);
}

/* A sampler over it too: its memory is the model's. */
static void test_api_sampler_outlives_close(void **state) {
    script_host   h;
    allm_sampler *p = NULL;
    float         logits[SCRIPT_WIDTH] = {0};
    int32_t       id = -1;
    make_script   script = make_script_new((const char *const[]){"end", "a", "b", NULL});
    make_gguf     w      = make_script_file(&script);
    allm_source   src    = {0};
    (void)state;
    script_begin(&h, 1);
    src.data = w.bytes, src.n_bytes = w.n;
    allm_model *m = api_open(&h, src);
    assert_int_equal(allm_sampler_create(m, &script_greedy, NULL, &p, &h.err), ALLM_OK);
    allm_model_close(m);
    logits[2] = 1;
    assert_int_equal(allm_sampler_next(p, logits, &id, NULL, &h.err), ALLM_OK);
    assert_int_equal(id, 2);
    allm_sampler_destroy(p);
    script_end(&h);
    make_gguf_free(&w);
}

static void *api_eval_until_cancelled(void *arg) {
    api_all *a = (api_all *)arg;
    static int32_t ids[500];
    allm_status    status = ALLM_OK;
    while (!status) {
        status = allm_session_eval(a->s, ids, 500, 0, &a->h.err);
        if (!status) allm_session_truncate(a->s, 0, NULL);
    }
    return NULL;
}

static void test_api_session_cancel(void **state) {
    api_all       a;
    pthread_t     thread;
    const int32_t id = 49;
    (void)state;
    TEST_NEEDS_THREADS();
    api_begin(&a, 1);
    allm_session_cancel(a.s); /* nothing runs: it does not count for the next */
    assert_int_equal(allm_session_eval(a.s, &id, 1, 0, &a.h.err), ALLM_OK);
    assert_int_equal(allm_session_truncate(a.s, 0, &a.h.err), ALLM_OK);
    assert_int_equal(pthread_create(&thread, NULL, api_eval_until_cancelled, &a), 0);
    while (!ALLM__LOAD(&a.s->busy)) sched_yield();
    for (int i = 0; i < 100 && ALLM__LOAD(&a.s->busy); i++) allm_session_cancel(a.s), usleep(1000);
    pthread_join(thread, NULL);
    assert_int_equal(a.h.err.status, ALLM_E_CANCELLED);
    assert_int_equal(allm_session_length(a.s), 0);
    assert_null(allm_session_logits(a.s, 0));
    assert_int_equal(allm_session_eval(a.s, &id, 1, 0, &a.h.err), ALLM_OK);
    api_end(&a);
}

/* ---- the rest */

/* Without weights a model still has words: the tokenizer works, and a sampler for logits from elsewhere. */
static void test_api_vocab_only(void **state) {
    script_host       h;
    allm_source       src = api_path(SCRIPT_TINY);
    allm_model_config c   = {0};
    allm_model       *m   = NULL;
    allm_session     *s   = NULL;
    allm_sampler     *p   = NULL;
    static float      logits[API_VOCAB];
    int32_t           id = -1;
    float             logprob = 1;
    (void)state;
    script_begin(&h, 1);
    c.vocab_only = 1;
    assert_int_equal(allm_model_open(h.rt, &src, &c, &m, &h.err), ALLM_OK);
    assert_int_equal(api_tokens(m, "Once upon a time").n, 7);
    assert_int_equal(allm_session_create(m, NULL, &s, &h.err), ALLM_E_ARGUMENT);
    assert_int_equal(allm_sampler_create(m, &script_greedy, NULL, &p, &h.err), ALLM_OK);
    logits[77] = 9;
    assert_int_equal(allm_sampler_next(p, logits, &id, &logprob, &h.err), ALLM_OK);
    assert_true(id == 77 && logprob < 0);
    logits[3] = NAN;
    assert_int_equal(allm_sampler_next(p, logits, &id, &logprob, &h.err), ALLM_E_NUMERIC);
    allm_sampler_destroy(p);
    allm_model_close(m);
    script_end(&h);
}

/* Everything works with err NULL and with the process-wide runtime. */
static void test_api_default_runtime(void **state) {
    allm_config   c   = {0};
    allm_llm     *llm = NULL;
    allm_response r;
    allm_request  req = api_story(5);
    (void)state;
    c.model = SCRIPT_TINY;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(allm_create(NULL, &c, &llm, NULL), ALLM_OK);
        assert_int_equal(allm_generate(llm, &req, &r, NULL), ALLM_OK);
        assert_int_equal(r.completion_tokens, 5);
        allm_response_free(&r);
        allm_destroy(llm);
        allm_shutdown();
    }
    c.model = "missing.gguf";
    assert_int_equal(allm_create(NULL, &c, &llm, NULL), ALLM_E_NOT_FOUND);
    assert_null(llm);
    allm_shutdown();
}

static allm_status api_any_open(void *ctx, const allm_config *config, void **self, allm_error *err) {
    (void)config, (void)err;
    return *self = ctx, ALLM_OK;
}

static allm_status api_any_generate(void *self, const allm_request *req, allm_response *out, allm_error *err) {
    (void)req, (void)out, (void)err;
    return ++*(int *)self, ALLM_OK;
}

/* Providers of all kinds: echo, servers that are not there, a model, one of the caller's; *n: calls of the latter. */
static size_t api_any(script_host *h, int *n, allm_llm *llms[5]) {
    static const char *const names[] = {"echo", "openai", "anthropic", "any"};
    allm_provider row = {.name = "any", .open = api_any_open, .generate = api_any_generate, .ctx = n,
                         .capabilities = script_can};
    script_begin(h, 1);
    assert_int_equal(allm_provider_register(h->rt, &row, &h->err), ALLM_OK);
    llms[0] = script_open_path(h, SCRIPT_TINY);
    for (size_t i = 0; i < ALLM__COUNT(names); i++)
        llms[i + 1] = script_open(h, names[i], (allm_config){.model = "m", .base_url = "http://127.0.0.1:9"});
    return 5;
}

/* A tool's schema that is none: the same answer from everybody, before anybody works. */
static void test_api_tool_schemas(void **state) {
    static const struct { const char *schema, *says; } rows[] = {
        {"", ""}, {"{", "1:2: "}, {"no", "1:1: "}, {"[1]", "1:1: an object"}, {"true", "1:1: an object"},
        {"\"x\"", "an object"}, {"{} {}", "1:4: "},
        {"{\"type\": 5}", "1:10: \"type\""}, {"{\"type\": \"thing\"}", "1:10: \"type\""},
        {"{\"type\": [\"object\", 1]}", "\"type\""}, {"{\"type\": \"string\"}", "1:10: \"type\": \"object\" expected"},
        {"{\"type\": [\"array\", \"null\"]}", "\"object\" expected"}, {"{\"properties\": [1]}", "\"properties\""},
        {"{\"properties\": {\"x\": 1}}", "\"properties\""}, {"{\"required\": \"x\"}", "\"required\""},
        {"{\"properties\":\n {\"x\": {\"type\": \"array\", \"items\": 3}}}", "2:35: \"items\""},
        {"{\"properties\": {\"x\": {\"anyOf\": [{\"minLength\": \"2\"}]}}}", "\"minLength\""},
        {"{\"$defs\": {\"a\": {\"items\": [{\"type\": 1}]}}}", "\"type\""}, {"{\"enum\": 1}", "\"enum\""},
        {"{\"additionalProperties\": {\"pattern\": 1}}", "\"pattern\""},
        /* schemas, though not all of them could be forced */
        {"{}", NULL}, {"{\"type\": \"object\", \"properties\": {}}", NULL}, {"{\"not\": {}}", NULL},
        {"{\"x-note\": 1, \"whatever\": [2], \"uniqueItems\": true}", NULL}, {"{\"const\": {\"type\": 5}}", NULL},
        {"{\"properties\": {\"type\": {\"type\": [\"string\", \"null\"]}, \"required\": true}}", NULL},
        {"{\"items\": [{}, true], \"minimum\": 1, \"exclusiveMinimum\": true, \"default\": {\"type\": 5}}", NULL},
    };
    script_host h;
    int         n = 0, n_before;
    allm_llm   *llms[5];
    (void)state;
    size_t n_llms = api_any(&h, &n, llms);
    for (size_t i = 0; i < ALLM__COUNT(rows) * n_llms; i++) {
        const char      *says = rows[i / n_llms].says;
        const allm_tool  tools[] = {{"first", NULL, NULL, NULL, NULL},
                                    {"second", NULL, rows[i / n_llms].schema, NULL, NULL}};
        allm_llm        *llm  = llms[i % n_llms];
        allm_chat_config c    = {.tools = tools, .n_tools = 2};
        allm_chat       *chat = NULL, *plain = NULL;
        allm_job        *job  = NULL;
        allm_request     req  = {.tools = tools, .n_tools = 2, .tool_choice = "none", .max_tokens = 1};
        assert_int_equal(allm_chat_create(llm, NULL, &plain, &h.err), ALLM_OK);
        n_before = n;
        if (says) {
            assert_int_equal(allm_chat_send(plain, "x", &req, NULL, &h.err), ALLM_E_ARGUMENT);
            req.prompt = "x";
            assert_int_equal(allm_generate_async(llm, &req, &job, &h.err), ALLM_E_ARGUMENT);
            assert_int_equal(allm_chat_create(llm, &c, &chat, &h.err), ALLM_E_ARGUMENT);
            assert_int_equal(allm_generate(llm, &req, NULL, &h.err), ALLM_E_ARGUMENT);
            if (strncmp(h.err.message, "tools[1].parameters_schema (\"second\"): ", 39) || !strstr(h.err.message, says))
                fail_msg("%s: %s", rows[i / n_llms].schema, h.err.message);
            assert_int_equal(n, n_before);
        } else {
            assert_int_equal(allm_chat_create(llm, &c, &chat, &h.err), ALLM_OK);
            req.prompt = "x";
            if (i % n_llms % 4 == 0) assert_int_equal(allm_generate(llm, &req, NULL, &h.err), ALLM_OK);
        }
        allm_chat_destroy(chat), allm_chat_destroy(plain);
    }
    for (size_t i = 0; i < n_llms; i++) allm_destroy(llms[i]);
    script_end(&h);
}

/* What no provider can make anything of: the same answer from everybody, before anybody works. */
static void test_api_requests_of_all(void **state) {
    static const allm_tool_call empty = {"1", "add", ""}, list = {"1", "add", "[]"};
    static const allm_message   good[]     = {{.role = "user", .content = "a"}},
                                no_role[]  = {{.role = "", .content = "a"}},
                                no_args[]  = {{.role = "assistant", .tool_calls = &empty, .n_tool_calls = 1}},
                                two_args[] = {{.role = "assistant", .tool_calls = &list, .n_tool_calls = 1}};
    static const struct { allm_request r; const char *says; } rows[] = {
        {{.messages = no_role, .n_messages = 1}, "messages[0].role is empty"},
        {{.messages = good, .n_messages = 1, .raw = 1}, "a list of messages needs a chat template"},
        {{.prompt = "a", .system = "b", .raw = 1}, "a system prompt needs a chat template"},
        {{.messages = no_args, .n_messages = 1}, "messages[0].tool_calls[0].arguments_json is no JSON object"},
        {{.messages = two_args, .n_messages = 1}, "messages[0].tool_calls[0].arguments_json is no JSON object"},
        {{.prompt = "a", .tool_choice = "required"}, "tool_choice is \"required\", and there are no tools"},
        {{.prompt = "a", .tool_choice = "add"}, "tool_choice is \"add\""},
    };
    script_host h;
    int         n = 0;
    allm_llm   *llms[5];
    (void)state;
    size_t n_llms = api_any(&h, &n, llms);
    for (size_t i = 0; i < ALLM__COUNT(rows) * n_llms; i++) {
        const allm_status status = allm_generate(llms[i % n_llms], &rows[i / n_llms].r, NULL, &h.err);
        if (status != ALLM_E_ARGUMENT || !strstr(h.err.message, rows[i / n_llms].says))
            fail_msg("row %zu, llm %zu: %s", i / n_llms, i % n_llms, h.err.message);
    }
    assert_int_equal(n, 0);
    for (size_t i = 0; i < n_llms; i++) allm_destroy(llms[i]);
    script_end(&h);
}

/* What a provider's capabilities lack, or what one without any says nothing of, is refused by name before it works. */
static void test_api_capabilities_lack(void **state) {
    static const allm_tool tools[] = {{"add", NULL, NULL, NULL, NULL}};
    static const struct { allm_request r; const char *says; } rows[] = {
        {{.prompt = "a", .tools = tools, .n_tools = 1}, "tools: "},
        {{.prompt = "a", .response_schema = "{}"}, "response_schema: "},
        {{.prompt = "a", .n_logprobs = -1}, "logprobs: "},
        {{.prompt = "a", .tools = tools, .n_tools = 1, .tool_choice = "none"}, NULL},
        {{.prompt = "a", .raw = 1, .template_kwargs = "{}", .grammar = "root ::= \"a\""}, NULL}, /* its own affair */
    };
    script_host   h;
    int           n   = 0;
    allm_provider row = {.name = "plain", .open = api_any_open, .generate = api_any_generate, .ctx = &n};
    (void)state;
    script_begin(&h, 1);
    for (int can = 0; can < 2; can++) {
        row.capabilities = can ? script_can : NULL;
        assert_int_equal(allm_provider_register(h.rt, &row, &h.err), ALLM_OK);
        allm_llm *llm = script_open(&h, "plain", (allm_config){.model = "m"});
        for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
            const char       *says   = can ? NULL : rows[i].says;
            const int         before = n;
            const allm_status status = allm_generate(llm, &rows[i].r, NULL, &h.err);
            if (status != (says ? ALLM_E_UNSUPPORTED : ALLM_OK) || n != before + !says ||
                (says && strncmp(h.err.message, says, strlen(says))))
                fail_msg("row %zu, can %d: %s", i, can, h.err.message);
        }
        allm_destroy(llm);
    }
    script_end(&h);
}

/* A message that says nothing: the same answer from everybody. */
static void test_api_messages_without_content(void **state) {
    static const allm_tool_call call  = {"1", "add", "{}"};
    static const allm_image     image = {.path = "no/such/file.png"};
    const struct { allm_message m; allm_status status; } rows[] = {
        {{.role = "user"}, ALLM_E_ARGUMENT}, {{.role = "system"}, ALLM_E_ARGUMENT}, {{.role = "tool"}, ALLM_E_ARGUMENT},
        {{.role = "assistant"}, ALLM_E_ARGUMENT}, {{.role = "assistant", .reasoning = "hm"}, ALLM_E_ARGUMENT},
        {{.role = "user", .content = ""}, ALLM_OK},
        {{.role = "assistant", .tool_calls = &call, .n_tool_calls = 1}, ALLM_OK},
        {{.role = "user", .images = &image, .n_images = 1}, ALLM_E_UNSUPPORTED}, /* or no such file */
    };
    script_host h;
    int         n = 0;
    allm_llm   *llms[5];
    (void)state;
    size_t n_llms = api_any(&h, &n, llms);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++)
        for (size_t k = 0; k < n_llms; k++) {
            const allm_message said[] = {{.role = "user", .content = "a"}, rows[i].m, {.role = "user", .content = "b"}};
            allm_request       req    = {.messages = said, .n_messages = 3, .max_tokens = 1};
            allm_chat         *chat   = NULL;
            const int          server = k == 2 || k == 3, refused = rows[i].status == ALLM_E_ARGUMENT;
            assert_int_equal(allm_chat_create(llms[k], NULL, &chat, &h.err), ALLM_OK);
            assert_int_equal(allm_chat_add(chat, &rows[i].m, &h.err), refused ? ALLM_E_ARGUMENT : ALLM_OK);
            allm_chat_destroy(chat);
            if (server && !refused) continue; /* which is not there */
            n = 0;
            assert_int_equal(allm_generate(llms[k], &req, NULL, &h.err), rows[i].status);
            assert_true(n == (k == 4 && !rows[i].status));
            if (refused && !strstr(h.err.message, "messages[1].content is NULL")) fail_msg("%s", h.err.message);
        }
    for (size_t i = 0; i < n_llms; i++) allm_destroy(llms[i]);
    script_end(&h);
}

/* A text of 64 KB of stack is enough for a whole life. */
static void api_on_small_stack(void *arg) {
    script_host *h   = (script_host *)arg;
    allm_config  c   = {0};
    allm_llm    *llm = NULL;
    c.runtime = h->rt, c.model = SCRIPT_TINY;
    allm_request        req = api_story(3);
    static const allm_sampling drawn = {.temperature = 1, .top_p = 0.9f, .top_k = 300, .repeat_penalty = 1.1f};
    req.sampling                     = &drawn;
    if (!allm_create(NULL, &c, &llm, &h->err)) allm_generate(llm, &req, NULL, &h->err);
    allm_destroy(llm);
}

static void test_api_small_stack(void **state) {
    script_host h;
    (void)state;
    script_begin(&h, 1);
    size_t depth = test_stack_depth(api_on_small_stack, &h);
    assert_string_equal(h.err.message, "");
    script_end(&h);
    printf("             %zu bytes of stack, %d are promised\n", depth, (int)TEST_STACK_PROMISE);
#ifdef __OPTIMIZE__
    if (!TEST_SANITIZED) assert_true(depth <= TEST_STACK_PROMISE);
#else
    test_skip("%s", "without optimisation (-O0) each variable has a place of its own: no promise is made of that");
#endif
}

static void api_count_log(void *ctx, allm_log_level level, const char *text) {
    assert_true(level >= ALLM_LOG_ERROR && level <= ALLM_LOG_DEBUG && text && *text);
    ++*(int *)ctx;
}

/* Nothing is printed: what is to be said goes to the log. */
static void test_api_silent(void **state) {
    script_host         h;
    allm_runtime_config rc = {0};
    int                 n = 0, fds[2], saved[2];
    char                byte;
    (void)state;
    rc.log = api_count_log, rc.log_ctx = &n, rc.n_threads = 1;
    fflush(stdout), fflush(stderr);
    test_temp t = test_temp_new("", 0);
    for (int i = 0; i < 2; i++) saved[i] = dup(i + 1), fds[i] = open(t.path, O_RDWR | O_APPEND), dup2(fds[i], i + 1);
    script_begin_with(&h, rc);
    allm_config c   = {0};
    allm_llm   *llm = NULL;
    c.runtime = h.rt, c.model = SCRIPT_TINY;
    allm_request req    = api_story(5);
    allm_status  status = allm_create(NULL, &c, &llm, &h.err);
    if (!status) status = allm_generate(llm, &req, NULL, &h.err);
    allm_destroy(llm);
    c.model = "missing.gguf", llm = NULL;
    allm_create(NULL, &c, &llm, &h.err);
    fflush(stdout), fflush(stderr);
    for (int i = 0; i < 2; i++) dup2(saved[i], i + 1), close(saved[i]);
    lseek(fds[0], 0, SEEK_SET);
    ssize_t got = read(fds[0], &byte, 1);
    close(fds[0]), close(fds[1]);
    test_temp_remove(&t);
    assert_int_equal(status, ALLM_OK);
    assert_int_equal(got, 0);
    script_end(&h);
}

static const struct CMUnitTest test_api[] = {
    cmocka_unit_test(test_api_fault_37_null),
    cmocka_unit_test(test_api_table_is_whole),
    cmocka_unit_test(test_api_zeroed_structs),
    cmocka_unit_test(test_api_embed),
    cmocka_unit_test(test_api_embed_errors),
    cmocka_unit_test(test_api_encoder),
    cmocka_unit_test(test_api_error_record),
    cmocka_unit_test(test_api_runtime_numbers),
    cmocka_unit_test(test_api_config_numbers),
    cmocka_unit_test(test_api_fault_29_sampling),
    cmocka_unit_test(test_api_seeds),
    cmocka_unit_test(test_api_requests),
    cmocka_unit_test(test_api_fault_24_sizes),
    cmocka_unit_test(test_api_fault_24_render),
    cmocka_unit_test(test_api_fault_25_ids),
    cmocka_unit_test(test_api_plan),
    cmocka_unit_test(test_api_memory_limit),
    cmocka_unit_test(test_api_memory_limit_of_answers),
    cmocka_unit_test(test_api_fault_38_allocations),
    cmocka_unit_test(test_api_fault_38_low_level),
    cmocka_unit_test(test_api_same_bits),
    cmocka_unit_test(test_api_every_isa),
    cmocka_unit_test(test_api_same_text),
    cmocka_unit_test(test_api_sources),
    cmocka_unit_test(test_api_broken_sources),
    cmocka_unit_test(test_api_fault_36_threads),
    cmocka_unit_test(test_api_model_outlives_close),
    cmocka_unit_test(test_api_padding_ids),
    cmocka_unit_test(test_api_render_without_template),
    cmocka_unit_test(test_api_sampler_outlives_close),
    cmocka_unit_test(test_api_session_cancel),
    cmocka_unit_test(test_api_vocab_only),
    cmocka_unit_test(test_api_default_runtime),
    cmocka_unit_test(test_api_small_stack),
    cmocka_unit_test(test_api_tool_schemas), cmocka_unit_test(test_api_requests_of_all),
    cmocka_unit_test(test_api_capabilities_lack),
    cmocka_unit_test(test_api_messages_without_content),
    cmocka_unit_test(test_api_silent),
#ifdef ABSTRACTLLM_DEBUG
    cmocka_unit_test(test_api_fault_37_freed),
    cmocka_unit_test(test_api_fault_37_freed_inside),
    cmocka_unit_test(test_api_fault_37_freed_places),
    cmocka_unit_test(test_api_fault_37_freed_signal),
    cmocka_unit_test(test_api_fault_37_freed_in_callback),
#endif
};
