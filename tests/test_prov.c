/* Room prov: the registry, providers of others, echo, which provider a model goes to, the cache of open models, and one
 * generation at a time: events, cancel, re-entry, destroy. FAULTS rows 34 to 36. */
#include "make_model.h"
#include "make_script.h"
#include <fenv.h>
#include <locale.h>
#include <signal.h>
#include <sys/time.h>

/* ---- a provider of somebody else */

typedef struct prov_fake {
    int         fit; /* of the probe */
    allm_status open_status, status;
    const char *message;  /* of an error; NULL: it says nothing */
    allm_status err_status;
    const char *words[8]; /* what it answers */
    int         deaf;     /* goes on when told to stop, and returns ALLM_OK */
    int         odd;      /* sends events of all kinds, and NULL texts */
    int         n_open, n_probe, n_generate, n_cancel, n_close, n_told;
    allm_runtime *rt; /* if given, the probe asks for the list of providers */
} prov_fake;

static int prov_fake_probe(void *ctx, const allm_config *config) {
    prov_fake *f = (prov_fake *)ctx;
    assert_non_null(config);
    if (f->rt) assert_true(allm_provider_list(f->rt, NULL, 0) > 3);
    return f->n_probe++, f->fit;
}

static allm_status prov_fake_fail(const prov_fake *f, allm_status status, allm_error *err) {
    if (status && f->message)
        snprintf(err->message, sizeof err->message, "%s", f->message), err->status = f->err_status;
    return status;
}

static allm_status prov_fake_open(void *ctx, const allm_config *config, void **self, allm_error *err) {
    prov_fake *f = (prov_fake *)ctx;
    assert_non_null(config->runtime);
    f->n_open++;
    *self = f;
    return prov_fake_fail(f, f->open_status, err);
}

static allm_status prov_fake_generate(void *self, const allm_request *req, allm_response *out, allm_error *err) {
    prov_fake *f = (prov_fake *)self;
    f->n_generate++;
    assert_non_null(out);
    for (int i = 0; i < 8 && f->words[i]; i++) {
        allm_chunk chunk = {ALLM_TEXT, f->words[i], strlen(f->words[i]), -1, 0, 0, NULL, 0};
        if (f->odd) {
            allm_chunk done     = {ALLM_DONE, NULL, 0, -1, 0, 0, NULL, 0},
                       progress = {ALLM_PROMPT_PROGRESS, NULL, 7, -1, (float)(i + 1) / 8, 0, NULL, 0};
            req->on_chunk(&done, req->on_chunk_ctx);
            if (i == 0) req->on_chunk(&progress, req->on_chunk_ctx);
        }
        out->completion_tokens++;
        int stop = req->on_chunk(&chunk, req->on_chunk_ctx);
        f->n_told += stop != 0;
        if (stop && !f->deaf) return ALLM_E_CANCELLED;
    }
    return prov_fake_fail(f, f->status, err);
}

static void prov_fake_cancel(void *self) { ((prov_fake *)self)->n_cancel++; }
static void prov_fake_close(void *self) { ((prov_fake *)self)->n_close++; }

static allm_provider prov_row(const char *name, prov_fake *f) {
    allm_provider p = {name,
                       prov_fake_probe,
                       prov_fake_open,
                       prov_fake_generate,
                       NULL,
                       NULL,
                       prov_fake_cancel,
                       prov_fake_close,
                       f,
                       NULL,
                       NULL,
                       NULL,
                       NULL,
                       NULL,
                       NULL};
    return p;
}

static allm_request prov_prompt(const char *text) {
    allm_request req = {0};
    req.prompt       = text;
    return req;
}

/* ---- the registry */

enum { PROV_OURS = (int)ALLM__COUNT(allm__prov_rows) };

static void test_prov_list(void **state) {
    script_host h;
    const char *names[PROV_OURS + 8] = {NULL};
    (void)state;
    script_begin(&h, 1);
    assert_int_equal(allm_provider_list(h.rt, NULL, 0), PROV_OURS);
    assert_int_equal(allm_provider_list(h.rt, NULL, 8), PROV_OURS);
    assert_int_equal(allm_provider_list(h.rt, names, 2), PROV_OURS);
    assert_true(!strcmp(names[0], "local") && !strcmp(names[1], "gguf") && !names[2]);
    assert_int_equal(allm_provider_list(h.rt, names, 8), PROV_OURS);
    assert_true(!strcmp(names[2], "echo") && !names[PROV_OURS]);
    script_end(&h);
}

static void test_prov_register(void **state) {
    script_host   h;
    prov_fake     a = {.words = {"a"}}, b = {.words = {"b"}};
    allm_provider row = prov_row("mine", &a), other = prov_row("mine", &b);
    allm_config   c   = {0};
    (void)state;
    script_begin(&h, 1);
    c.runtime = h.rt, c.model = "any";
    assert_int_equal(allm_provider_register(h.rt, &row, &h.err), ALLM_OK);
    assert_int_equal(allm_provider_list(h.rt, NULL, 0), PROV_OURS + 1);
    allm_llm *first = script_open(&h, "mine", c);
    assert_int_equal(allm_provider_register(h.rt, &other, &h.err), ALLM_OK); /* replaced, for later calls */
    assert_int_equal(allm_provider_list(h.rt, NULL, 0), PROV_OURS + 1);
    allm_llm *second = script_open(&h, "mine", c);
    assert_string_equal(script_answer_of(first, prov_prompt("x")).text, "a");
    assert_string_equal(script_answer_of(second, prov_prompt("x")).text, "b");
    allm_destroy(first), allm_destroy(second);
    assert_true(a.n_open == 1 && a.n_close == 1 && b.n_open == 1 && b.n_close == 1);
    row.name = "echo"; /* ours can be replaced as well */
    assert_int_equal(allm_provider_register(h.rt, &row, &h.err), ALLM_OK);
    allm_llm *third = script_open(&h, "echo", c);
    assert_string_equal(script_answer_of(third, prov_prompt("x")).text, "a");
    allm_destroy(third);
    script_end(&h);
}

static void test_prov_register_too_many(void **state) {
    static char name[40][8];
    script_host h;
    prov_fake   f = {.words = {"x"}};
    (void)state;
    script_begin(&h, 1);
    for (int i = 0; i < 40; i++) {
        snprintf(name[i], sizeof name[i], "p%d", i);
        allm_provider row    = prov_row(name[i], &f);
        allm_status   status = allm_provider_register(h.rt, &row, &h.err);
        assert_int_equal(status, i < 32 - PROV_OURS ? ALLM_OK : ALLM_E_MEMORY);
        if (status) assert_string_equal(h.err.message, "at most 32 providers");
    }
    allm_provider again = prov_row("p7", &f); /* a name in use needs no room */
    assert_int_equal(allm_provider_register(h.rt, &again, &h.err), ALLM_OK);
    assert_int_equal(allm_provider_list(h.rt, NULL, 0), 32);
    script_end(&h);
}

static void test_prov_register_arguments(void **state) {
    script_host h;
    prov_fake   f = {.words = {"x"}};
    (void)state;
    script_begin(&h, 1);
    for (int i = 0; i < 5; i++) {
        static const char *const words[] = {"name is NULL", "open is NULL", "generate is NULL", "name is empty",
                                            "p is NULL"};
        allm_provider            row     = prov_row("x", &f);
        if (i == 0) row.name = NULL;
        if (i == 1) row.open = NULL;
        if (i == 2) row.generate = NULL;
        if (i == 3) row.name = "";
        assert_int_equal(allm_provider_register(h.rt, i == 4 ? NULL : &row, &h.err), ALLM_E_ARGUMENT);
        if (!strstr(h.err.message, words[i])) fail_msg("%s", h.err.message);
    }
    assert_int_equal(allm_provider_list(h.rt, NULL, 0), PROV_OURS);
    script_end(&h);
}

/* A row with only what must be there. */
static void test_prov_minimal(void **state) {
    script_host       h;
    prov_fake         f   = {.words = {"one ", "two"}};
    allm_provider     row = {"least", NULL, prov_fake_open, prov_fake_generate, NULL, NULL, NULL, NULL, &f, NULL, NULL,
                             NULL, NULL, NULL, NULL};
    allm_config       c   = {0};
    allm_capabilities caps;
    allm_sampling     s;
    (void)state;
    script_begin(&h, 1);
    assert_int_equal(allm_provider_register(h.rt, &row, &h.err), ALLM_OK);
    c.model = "its model, whose name is so long that it has to be cut somewhere, which must not be within one of the "
              "characters "
              "\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xb8\x96\xe7\x95\x8c\xe4\xbd\xa0";
    allm_llm *llm = script_open(&h, "least", c);
    assert_int_equal(allm_get_capabilities(llm, &caps, &h.err), ALLM_OK);
    assert_string_equal(caps.provider, "least");
    assert_true(!strncmp(caps.model, c.model, strlen(caps.model)) && strlen(caps.model) > 120);
    assert_int_equal(allm__utf8_bad(allm__str_of(caps.model)), SIZE_MAX);
    assert_int_equal(allm_default_sampling(llm, &s, &h.err), ALLM_OK);
    assert_true(s.temperature == 0.7f && s.top_p == 0.9f && s.seed == -1 && s.top_k == 0);
    script_answer a = script_answer_of(llm, prov_prompt("x"));
    assert_string_equal(a.text, "one two");
    assert_int_equal(a.completion_tokens, 2);
    allm_cancel(llm);
    allm_destroy(llm);
    assert_int_equal(f.n_cancel, 0);
    script_end(&h);
}

/* ---- what providers of others may get wrong */

static void test_prov_error_without_message(void **state) {
    static const struct {
        allm_status open_status, status;
        const char *message;
        allm_status err_status;
        const char *words;
    } rows[] = {
        {ALLM_E_AUTH, ALLM_OK, NULL, ALLM_OK, "the provider failed without a message"},
        {ALLM_E_AUTH, ALLM_OK, "wrong key", ALLM_E_AUTH, "wrong key"},
        {ALLM_OK, ALLM_E_QUOTA, NULL, ALLM_OK, "the provider failed without a message"},
        {ALLM_OK, ALLM_E_QUOTA, "too much", ALLM_E_QUOTA, "too much"},
        {ALLM_OK, ALLM_E_QUOTA, "too much", ALLM_E_REMOTE, "too much"}, /* the returned status counts */
        {ALLM_OK, ALLM_E_CANCELLED, "it gave up", ALLM_E_CANCELLED, "it gave up"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        script_host   h;
        prov_fake     f = {.words = {"so ", "far"}};
        allm_provider row = prov_row("faulty", &f);
        allm_config   c   = {0};
        allm_llm     *llm = (allm_llm *)&h;
        script_begin(&h, 1);
        c.runtime = h.rt;
        f.open_status = rows[i].open_status, f.status = rows[i].status, f.message = rows[i].message,
        f.err_status = rows[i].err_status;
        assert_int_equal(allm_provider_register(h.rt, &row, &h.err), ALLM_OK);
        allm_status status = allm_create("faulty", &c, &llm, &h.err);
        assert_int_equal(status, rows[i].open_status);
        assert_true((llm == NULL) == (status != ALLM_OK));
        if (!status) {
            static script_ear e;
            allm_response     r;
            memset(&e, 0, sizeof e);
            status = script_ask(llm, prov_prompt("x"), &e, &r, &h.err);
            assert_int_equal(status, rows[i].status);
            assert_string_equal(r.text, "so far");
            allm_response_free(&r);
            f.status = ALLM_OK;
            script_answer_of(llm, prov_prompt("x"));
            assert_int_equal(allm_generate(llm, &(allm_request){.prompt = "x"}, NULL, &h.err), ALLM_OK);
            assert_true(h.err.status == ALLM_OK && h.err.message[0] == 0);
        } else {
            assert_int_equal(h.err.status, status);
            assert_string_equal(h.err.message, rows[i].words);
        }
        allm_destroy(llm);
        assert_int_equal(f.n_close, rows[i].open_status ? 0 : 1);
        script_end(&h);
    }
}

static void prov_cancel_now(script_ear *e, const allm_chunk *chunk) {
    if (chunk->event == ALLM_TEXT && e->n_text == 2) allm_cancel((allm_llm *)e->ctx);
}

/* Asks a provider that does not stop when told to, after two words: by the callback, or (way 1) by a cancel. */
static allm_llm *prov_stop_deaf(script_host *h, prov_fake *f, int way, script_ear *e) {
    allm_response r;
    allm_provider row = prov_row("deaf", f);
    script_begin(h, 1);
    assert_int_equal(allm_provider_register(h->rt, &row, &h->err), ALLM_OK);
    allm_llm *llm = script_open(h, "deaf", (allm_config){0});
    memset(e, 0, sizeof *e);
    if (way == 0) e->stop_at = 2;
    else e->act = prov_cancel_now, e->ctx = llm;
    assert_int_equal(script_ask(llm, prov_prompt("x"), e, &r, &h->err), ALLM_E_CANCELLED);
    assert_string_equal(h->err.message, way ? "cancelled" : "cancelled by the callback");
    assert_string_equal(r.text, "a b ");
    allm_response_free(&r);
    return llm;
}

/* Told to stop, it ends with an error of its own: the call is cancelled, whatever it returned. */
static void test_prov_stopped_with_error(void **state) {
    (void)state;
    for (int way = 0; way < 2; way++) {
        script_host       h;
        static script_ear e;
        allm_response     r;
        prov_fake         f = {.words = {"a ", "b ", "c"}, .deaf = 1, .message = "the connection broke"};
        f.status = f.err_status = ALLM_E_REMOTE;
        allm_llm *llm = prov_stop_deaf(&h, &f, way, &e);
        memset(&e, 0, sizeof e);
        assert_int_equal(script_ask(llm, prov_prompt("x"), &e, &r, &h.err), ALLM_E_REMOTE); /* nobody stopped it */
        allm_response_free(&r);
        allm_destroy(llm);
        script_end(&h);
    }
}

/* It does not stop when told to: the caller hears nothing more, and the call is cancelled all the same. */
static void test_prov_deaf(void **state) {
    (void)state;
    for (int way = 0; way < 2; way++) {
        script_host       h;
        static script_ear e;
        prov_fake         f   = {.words = {"a ", "b ", "c ", "d"}, .deaf = 1};
        allm_llm         *llm = prov_stop_deaf(&h, &f, way, &e);
        assert_true(e.n_chunks == 2 && f.n_told == (way ? 2 : 3) && f.n_cancel == way);
        assert_string_equal(script_answer_of(llm, prov_prompt("x")).text, "a b c d");
        allm_destroy(llm);
        script_end(&h);
    }
}

/* Its own DONE is ours to send; texts that are NULL become empty. */
static void test_prov_odd_events(void **state) {
    script_host   h;
    prov_fake     f   = {.words = {"a ", "b"}, .odd = 1};
    allm_provider row = prov_row("odd", &f);
    (void)state;
    script_begin(&h, 1);
    assert_int_equal(allm_provider_register(h.rt, &row, &h.err), ALLM_OK);
    allm_llm *llm = script_open(&h, "odd", (allm_config){0});
    assert_string_equal(script_answer_of(llm, prov_prompt("x")).text, "a b");
    allm_destroy(llm);
    script_end(&h);
}

/* ---- which provider a model goes to */

static void test_prov_choice(void **state) {
    static const struct {
        const char *model;
        int         fit; /* of a provider of somebody else */
        const char *provider; /* NULL: none */
        allm_status status;
        const char *words;
    } rows[] = {
        {SCRIPT_TINY, 0, "local", ALLM_OK, ""},
        {SCRIPT_TINY, 59, "local", ALLM_OK, ""},
        {SCRIPT_TINY, 100, "mine", ALLM_OK, ""},
        {"LINK", 0, "local", ALLM_OK, ""},  /* a model file of another name */
        {"LINK", 39, "local", ALLM_OK, ""},
        {"LINK", 41, "mine", ALLM_OK, ""},
        {"tests/run.c", 0, NULL, ALLM_E_FORMAT, "tests/run.c: "}, /* a file, but not a model */
        {"tests", 0, NULL, ALLM_E_NOT_FOUND, "tests/config.json: cannot open: No such file"},
        {"gpt-9", 0, NULL, ALLM_E_NOT_FOUND, "gpt-9: there is no such file, and no provider knows this model"},
        {"gpt-9", 1, "mine", ALLM_OK, ""},
        {"echo", 0, NULL, ALLM_E_NOT_FOUND, "echo: there is no such file"}, /* echo only by its own name */
        {"missing.gguf", 0, NULL, ALLM_E_NOT_FOUND, "missing.gguf: cannot open: No such file"},
        {"no/such/model", 0, NULL, ALLM_E_NOT_FOUND, "no/such/model: cannot open: No such file"},
        {"org/model", 30, "mine", ALLM_OK, ""},
#ifndef ABSTRACTLLM_NO_REMOTE
        {"http://127.0.0.1:9/v1", 0, "openai", ALLM_OK, ""}, /* asked for nothing yet */
        {"https://127.0.0.1:9/v1", 89, "openai", ALLM_OK, ""},
        {"http://127.0.0.1:9/v1", 91, "mine", ALLM_OK, ""},
#endif
        {"", 0, NULL, ALLM_E_NOT_FOUND, "neither a model nor a provider"},
        {NULL, 0, NULL, ALLM_E_NOT_FOUND, "neither a model nor a provider"},
        {NULL, 1, "mine", ALLM_OK, ""},
    };
    char link[300], here[1024];
    (void)state;
    test_temp t = test_temp_new("", 0);
    snprintf(link, sizeof link, "%s.link", t.path);
    if (!getcwd(here, sizeof here - 40)) fail_msg("getcwd");
    strcat(here, "/" SCRIPT_TINY);
    assert_int_equal(symlink(here, link), 0);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        script_host       h;
        prov_fake         f   = {.words = {"x"}};
        allm_provider     row = prov_row("mine", &f);
        allm_config       c   = {0};
        allm_llm         *llm = NULL;
        allm_capabilities caps;
        script_begin(&h, 1);
        f.fit = rows[i].fit, f.rt = h.rt;
        c.runtime = h.rt, c.model = rows[i].model && !strcmp(rows[i].model, "LINK") ? link : rows[i].model;
        assert_int_equal(allm_provider_register(h.rt, &row, &h.err), ALLM_OK);
        allm_status status = allm_create(NULL, &c, &llm, &h.err);
        if (status != rows[i].status || !strstr(h.err.message, rows[i].words))
            fail_msg("row %zu: %d \"%s\"", i, (int)status, h.err.message);
        assert_true((llm != NULL) == (rows[i].provider != NULL));
        if (llm && !allm_get_capabilities(llm, &caps, NULL)) assert_string_equal(caps.provider, rows[i].provider);
        allm_destroy(llm);
        script_end(&h);
    }
    unlink(link);
    test_temp_remove(&t);
}

static void test_prov_by_name(void **state) {
    static const struct { const char *provider, *model; allm_status status; const char *words; } rows[] = {
        {"local", SCRIPT_TINY, ALLM_OK, ""},
        {"gguf", SCRIPT_TINY, ALLM_OK, ""},
        {"mlx", SCRIPT_TINY, ALLM_OK, ""},
        {"hf", SCRIPT_TINY, ALLM_OK, ""},
        {"echo", NULL, ALLM_OK, ""},
        {"echo", "whatever", ALLM_OK, ""},
        {"local", NULL, ALLM_E_ARGUMENT, "config.model is empty"},
        {"local", "", ALLM_E_ARGUMENT, "config.model is empty"},
        {"local", "gpt-9", ALLM_E_NOT_FOUND, "gpt-9: cannot open: No such file"},
        {"Local", SCRIPT_TINY, ALLM_E_NOT_FOUND, "no provider is named \"Local\""},
        {"", SCRIPT_TINY, ALLM_E_NOT_FOUND, "no provider is named \"\""},
    };
    script_host h;
    (void)state;
    script_begin(&h, 1);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm_config c   = {0};
        allm_llm   *llm = NULL;
        c.runtime = h.rt, c.model = rows[i].model;
        allm_status status = allm_create(rows[i].provider, &c, &llm, &h.err);
        if (status != rows[i].status || !strstr(h.err.message, rows[i].words) || (llm == NULL) != (status != ALLM_OK))
            fail_msg("row %zu: %d \"%s\"", i, (int)status, h.err.message);
        allm_destroy(llm);
    }
    script_end(&h);
}

/* ---- echo */

static void test_prov_echo(void **state) {
    static const allm_message messages[] = {{.role = "system", .content = "be brief"},
                                            {.role = "user", .content = "first"},
                                            {.role = "assistant", .content = "yes"},
                                            {.role = "user", .content = "the second one"}},
                              no_user[]  = {{.role = "assistant", .content = "yes"}},
                              empty[]    = {{.role = "user", .content = ""}};
    static const char *const  stop[]     = {"fox j", "never"};
    static const struct {
        const char         *prompt;
        const allm_message *messages;
        size_t              n_messages, n_stop;
        int32_t             max_tokens;
        const char         *out;
        allm_finish         finish;
        int32_t             n_prompt, n_tokens;
        int                 n_chunks;
    } rows[] = {
        {"the quick brown fox jumps", NULL, 0, 0, 0, "the quick brown fox jumps", ALLM_FINISH_STOP, 5, 5, 5},
        {"the quick brown fox jumps", NULL, 0, 0, 5, "the quick brown fox jumps", ALLM_FINISH_STOP, 5, 5, 5},
        {"the quick brown fox jumps", NULL, 0, 0, 2, "the quick", ALLM_FINISH_LENGTH, 5, 2, 2},
        {"the quick brown fox jumps", NULL, 0, 2, 0, "the quick brown ", ALLM_FINISH_STOP, 5, 5, 4},
        {"the quick brown fox", NULL, 0, 2, 0, "the quick brown fox", ALLM_FINISH_STOP, 4, 4, 5}, /* held back */
        {"", NULL, 0, 0, 0, "", ALLM_FINISH_STOP, 0, 0, 0},
        {" two  blanks ", NULL, 0, 0, 0, " two  blanks ", ALLM_FINISH_STOP, 4, 4, 4},
        {"na\xc3\xafve\n\xf0\x9f\x99\x82", NULL, 0, 0, 0, "na\xc3\xafve\n\xf0\x9f\x99\x82", ALLM_FINISH_STOP, 1, 1, 1},
        {NULL, messages, 4, 0, 0, "the second one", ALLM_FINISH_STOP, 3, 3, 3},
        {NULL, no_user, 1, 0, 0, "", ALLM_FINISH_STOP, 0, 0, 0},
        {NULL, empty, 1, 0, 0, "", ALLM_FINISH_STOP, 0, 0, 0},
    };
    script_host       h;
    static script_ear e;
    (void)state;
    script_begin(&h, 1);
    allm_llm         *llm = script_open(&h, "echo", (allm_config){0});
    allm_capabilities caps;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm_request  req = {0};
        allm_response r;
        req.prompt = rows[i].prompt, req.messages = rows[i].messages, req.n_messages = rows[i].n_messages;
        req.stop = stop, req.n_stop = rows[i].n_stop, req.max_tokens = rows[i].max_tokens;
        memset(&e, 0, sizeof e);
        assert_int_equal(script_ask(llm, req, &e, &r, &h.err), ALLM_OK);
        if (strcmp(r.text, rows[i].out) || r.finish != rows[i].finish || r.prompt_tokens != rows[i].n_prompt ||
            r.completion_tokens != rows[i].n_tokens || e.n_text != rows[i].n_chunks)
            fail_msg("row %zu: \"%s\", finish %d, %d + %d tokens, %d chunks", i, r.text, (int)r.finish,
                     (int)r.prompt_tokens, (int)r.completion_tokens, e.n_text);
        assert_null(r.token_ids);
        allm_response_free(&r);
    }
    assert_int_equal(allm_get_capabilities(llm, &caps, &h.err), ALLM_OK);
    assert_true(caps.streaming && caps.system_prompt && caps.multi_turn && !caps.tools && caps.n_parallel == 1);
    assert_true(!strcmp(caps.provider, "echo") && !strcmp(caps.model, "echo") && caps.max_context > 0);
    allm_destroy(llm);
    script_end(&h);
}

static void test_prov_echo_files_and_errors(void **state) {
    script_host   h;
    allm_response r;
    allm_request  req = {0};
    char          want[300];
    test_temp     t    = test_temp_new("caf\xe9", 4);
    const char   *path = t.path, *missing = "no/such/file";
    const int32_t ids[] = {1};
    allm_sampling bad   = {.temperature = -1};
    (void)state;
    script_begin(&h, 1);
    allm_llm *llm = script_open(&h, "echo", (allm_config){0});
    req.prompt = "read", req.files = &path, req.n_files = 1;
    snprintf(want, sizeof want, "read\n\n### Content from file '%s':\ncaf\xc3\xa9\n###\n", strrchr(path, '/') + 1);
    assert_string_equal(script_answer_of(llm, req).text, want);
    req.files = &missing;
    assert_int_equal(allm_generate(llm, &req, &r, &h.err), ALLM_E_NOT_FOUND);
    allm_response_free(&r);
    req = (allm_request){0}, req.prompt_ids = ids, req.n_prompt_ids = 1;
    assert_int_equal(allm_generate(llm, &req, &r, &h.err), ALLM_E_UNSUPPORTED);
    allm_response_free(&r);
    req = prov_prompt("x"), req.sampling = &bad; /* the same errors whatever the provider */
    assert_int_equal(allm_generate(llm, &req, &r, &h.err), ALLM_E_ARGUMENT);
    allm_response_free(&r);
    assert_string_equal(script_answer_of(llm, prov_prompt("still here")).text, "still here");
    test_temp_remove(&t);
    allm_destroy(llm);
    script_end(&h);
}

/* What it lacks is refused before anything is said, by the names that requests to servers are refused with. */
static void test_prov_echo_lacks(void **state) {
    static const int32_t   id    = 1;
    static const allm_tool tool  = {"add", NULL, NULL, NULL, NULL};
    const struct { allm_request req; const char *name; } rows[] = {
        {{.prompt_ids = &id, .n_prompt_ids = 1}, "prompt_ids: "},
        {{.prompt = "x", .tools = &tool, .n_tools = 1}, "tools: "},
        {{.prompt = "x", .tools = &tool, .n_tools = 1, .tool_choice = "required"}, "tools: "},
        {{.prompt = "x", .tools = &tool, .n_tools = 1, .tool_choice = "none"}, NULL},
        {{.prompt = "x", .response_schema = "{}"}, "response_schema: "},
        {{.prompt = "x", .grammar = "root ::= \"x\""}, "grammar: "},
        {{.prompt = "x", .n_logprobs = 1}, "logprobs: "},
        {{.prompt = "x", .template_kwargs = "{}"}, "template_kwargs: "},
        {{.prompt = "x", .raw = 1}, NULL},
    };
    script_host h;
    (void)state;
    script_begin(&h, 1);
    allm_llm *llm = script_open(&h, "echo", (allm_config){0});
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        script_ear    e = {0};
        allm_response r;
        allm_status   status = script_ask(llm, rows[i].req, &e, &r, &h.err);
        assert_int_equal(status, rows[i].name ? ALLM_E_UNSUPPORTED : ALLM_OK);
        if (rows[i].name && strncmp(h.err.message, rows[i].name, strlen(rows[i].name))) fail_msg("%s", h.err.message);
        assert_true((e.n_text == 0) == (rows[i].name != NULL));
        allm_response_free(&r);
    }
    allm_destroy(llm);
    script_end(&h);
}

/* ---- the cache of open models */

typedef struct prov_loads {
    int   n;
    float last;
} prov_loads;

static void prov_on_load(void *ctx, float fraction) {
    prov_loads *l = (prov_loads *)ctx;
    assert_true(fraction >= l->last && fraction <= 1);
    l->n++, l->last = fraction;
}

/* Opens and tells whether it was open already: then all that is reported is the end. */
static allm_llm *prov_cached_open(script_host *h, allm_config c, int *cached) {
    prov_loads l = {0, 0};
    c.on_load = prov_on_load, c.on_load_ctx = &l;
    allm_llm *llm = script_open(h, NULL, c);
    assert_true(l.last == 1);
    *cached = l.n == 1;
    return llm;
}

static allm_model *prov_model(allm_llm *llm) { return ((allm__local *)llm->self)->model; }

static test_temp prov_copy_of_tiny(void) {
    size_t    n;
    char     *bytes = test_read(SCRIPT_TINY, &n);
    assert_non_null(bytes);
    test_temp t = test_temp_new(bytes, n);
    free(bytes);
    return t;
}

static void test_prov_cache(void **state) {
    static const struct {
        int32_t     cache_models;
        uint64_t    cache_bytes;
        const char *opens, *cached; /* files a, b, c in turn; which of these were open already */
    } rows[] = {
        {0, 0, "aaaa", "0111"},
        {0, 0, "abab", "0011"}, /* two by default */
        {0, 0, "abcab", "00000"},
        {0, 0, "abacab", "001010"}, /* c drives b out: a was used last */
        {3, 0, "abcabc", "000111"},
        {1, 0, "aabbab", "010100"},
        {-1, 0, "aaa", "000"},
        {INT32_MIN, 0, "aa", "00"},
        {INT32_MAX, 0, "abcabc", "000111"},
        {2, 1, "aaa", "000"}, /* none is so small */
        {2, 400000, "abaab", "000100"}, /* only one of them fits; "ab" then "a", "a", "b" */
        {2, 700000, "abab", "0011"},
    };
    test_temp files[3];
    (void)state;
    for (int i = 0; i < 3; i++) files[i] = prov_copy_of_tiny();
    for (size_t i = 0; i < ALLM__COUNT(rows); i++)
        for (int alive = 0; alive < 2; alive++) { /* destroyed at once, or only at the end */
            script_host         h;
            allm_runtime_config rc = {0};
            allm_llm           *llms[8];
            int                 n = 0;
            rc.n_threads = 1, rc.cache_models = rows[i].cache_models, rc.cache_bytes = rows[i].cache_bytes;
            script_begin_with(&h, rc);
            for (; rows[i].opens[n]; n++) {
                allm_config c = {0};
                int         cached;
                c.model = files[rows[i].opens[n] - 'a'].path;
                llms[n] = prov_cached_open(&h, c, &cached);
                if (cached != (rows[i].cached[n] == '1')) fail_msg("row %zu, open %d: cached %d", i, n, cached);
                if (!alive) allm_destroy(llms[n]);
            }
            if (alive) /* also those that have left the cache work */
                for (int k = 0; k < n; k++) {
                    allm_request req = prov_prompt("Once upon a time");
                    req.raw = 1, req.sampling = &script_greedy, req.max_tokens = 5;
                    assert_string_equal(script_answer_of(llms[k], req).text, script_answer_of(llms[0], req).text);
                }
            if (alive) while (n-- > 0) allm_destroy(llms[n]);
            script_end(&h); /* the runtime closes what it has kept */
        }
    for (int i = 0; i < 3; i++) test_temp_remove(&files[i]);
}

static void test_prov_cache_shares(void **state) {
    script_host h;
    allm_config c = {0};
    int         cached;
    (void)state;
    script_begin(&h, 1);
    c.model         = SCRIPT_TINY;
    allm_llm *first = prov_cached_open(&h, c, &cached), *second = prov_cached_open(&h, c, &cached);
    assert_true(cached && prov_model(first) == prov_model(second));
    c.n_ctx = 100, c.kv_type = ALLM_KV_F32; /* a matter of the session */
    allm_llm *third = prov_cached_open(&h, c, &cached);
    assert_true(cached && prov_model(first) == prov_model(third));
    c.reference      = 1; /* of the model */
    allm_llm *fourth = prov_cached_open(&h, c, &cached);
    assert_true(!cached && prov_model(first) != prov_model(fourth));
    allm_destroy(first), allm_destroy(second), allm_destroy(third), allm_destroy(fourth);
    script_end(&h);
}

/* A file that was replaced is another one; what has no identity is never kept. */
static void test_prov_cache_identity(void **state) {
    script_host h;
    allm_config c = {0};
    int         cached;
    size_t      n;
    char       *bytes = test_read(SCRIPT_TINY, &n);
    test_temp   a = prov_copy_of_tiny(), b = prov_copy_of_tiny();
    allm_source src = {0};
    (void)state;
    script_begin(&h, 1);
    c.model = a.path;
    for (int i = 0; i < 3; i++) {
        allm_destroy(prov_cached_open(&h, c, &cached));
        assert_int_equal(cached, i == 1);
        if (i == 1) assert_int_equal(rename(b.path, a.path), 0);
    }
    src.data = bytes, src.n_bytes = n, c.source = &src, c.model = NULL;
    for (int i = 0; i < 2; i++) {
        allm_destroy(prov_cached_open(&h, c, &cached));
        assert_int_equal(cached, 0);
    }
    test_temp_remove(&a);
    script_end(&h);
    free(bytes);
}

/* A limit is one object's own: it neither gets nor gives a model that is shared. */
static void test_prov_cache_memory_limit(void **state) {
    script_host h;
    allm_config c   = {0};
    allm_llm   *llm = NULL;
    int         cached;
    (void)state;
    script_begin(&h, 1);
    c.runtime = h.rt, c.model = SCRIPT_TINY;
    allm_llm *first = prov_cached_open(&h, c, &cached);
    c.memory_limit  = 1000;
    assert_int_equal(allm_create(NULL, &c, &llm, &h.err), ALLM_E_MEMORY);
    assert_non_null(strstr(h.err.message, "memory limit of 1000 bytes"));
    c.memory_limit   = 8 << 20;
    allm_llm *second = prov_cached_open(&h, c, &cached), *third = prov_cached_open(&h, c, &cached);
    assert_true(!cached && prov_model(second) != prov_model(third));
    c.memory_limit   = 0;
    allm_llm *fourth = prov_cached_open(&h, c, &cached);
    assert_true(cached && prov_model(first) == prov_model(fourth));
    allm_destroy(first), allm_destroy(second), allm_destroy(third), allm_destroy(fourth);
    script_end(&h);
}

static void *prov_open_many(void *arg) {
    script_host *h  = (script_host *)arg;
    intptr_t     ok = 1;
    for (int i = 0; i < 20; i++) {
        allm_config c   = {0};
        allm_llm   *llm = NULL;
        c.runtime = h->rt, c.model = i % 3 ? SCRIPT_TINY : SCRIPT_STORY;
        ok &= allm_create(NULL, &c, &llm, NULL) == ALLM_OK;
        allm_destroy(llm);
    }
    return (void *)ok;
}

static void test_prov_cache_threads(void **state) {
    script_host         h;
    allm_runtime_config rc = {0};
    pthread_t           threads[4];
    (void)state;
    TEST_NEEDS_THREADS();
    rc.n_threads = 1, rc.cache_models = 2;
    script_begin_with(&h, rc);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, prov_open_many, &h), 0);
    for (int i = 0; i < 4; i++) {
        void *ok;
        pthread_join(threads[i], &ok);
        assert_non_null(ok);
    }
    assert_int_equal(h.rt->n_cached, 2); /* one of each, whoever came first */
    script_end(&h);
}

/* A file is one file whatever its name; a folder is another when a file in it is. */
static void test_prov_cache_names(void **state) {
    script_host h;
    allm_config c = {0};
    int         cached;
    size_t      n;
    char       *bytes = test_read(SCRIPT_TINY, &n), link[300];
    test_temp   a = prov_copy_of_tiny();
    (void)state;
    script_begin(&h, 1);
    snprintf(link, sizeof link, "%s-link", a.path);
    assert_int_equal(symlink(a.path, link), 0);
    c.model = a.path;
    allm_destroy(prov_cached_open(&h, c, &cached));
    c.model = link;
    allm_destroy(prov_cached_open(&h, c, &cached));
    assert_int_equal(cached, 1);
    for (int i = 0; i < 2; i++) { /* the same size, in place: the time tells, even within a second */
        FILE *f = fopen(a.path, "r+b");
        usleep(20000);
        assert_true(f && fwrite(bytes, 1, 4, f) == 4 && fclose(f) == 0);
        allm_destroy(prov_cached_open(&h, c, &cached));
#if defined(__linux__)
        assert_int_equal(cached, 0);
#endif
    }
    unlink(link);
    test_temp_remove(&a);
    script_end(&h);
    free(bytes);
}

/* What is open, by its last use; letting go of one, of all that nobody uses; a second open takes no time. */
static void test_prov_cache_list(void **state) {
    script_host       h;
    allm_config       c = {0};
    allm_cached_model m[4];
    allm_llm         *llm[3];
    int               cached;
    (void)state;
    script_begin(&h, 1);
    assert_int_equal(allm_cache_list(h.rt, m, 4), 0);
    allm_cache_clear(h.rt, NULL), allm_cache_clear(h.rt, "none");
    c.model = SCRIPT_TINY, llm[0] = prov_cached_open(&h, c, &cached), llm[1] = prov_cached_open(&h, c, &cached);
    c.model = SCRIPT_STORY, llm[2] = prov_cached_open(&h, c, &cached);
    assert_int_equal(allm_cache_list(h.rt, NULL, 0), 2);
    m[1].in_memory = 77;
    assert_int_equal(allm_cache_list(h.rt, m, 1), 2);
    assert_int_equal(m[1].in_memory, 77);
    assert_int_equal(allm_cache_list(h.rt, m, 4), 2);
    assert_string_equal(m[0].name, SCRIPT_STORY);
    assert_string_equal(m[1].name, SCRIPT_TINY);
    assert_string_equal(m[1].path, SCRIPT_TINY);
    assert_int_equal(m[0].in_memory, 1);
    assert_int_equal(m[1].n_bytes, prov_model(llm[0])->n_tensor_bytes);
    assert_int_equal(m[0].n_users, 1);
    assert_int_equal(m[1].n_users, 2);
    assert_true(llabs((long long)(m[0].last_used_unix - (int64_t)time(NULL))) < 600);
    allm_destroy(llm[2]);
    allm_cache_clear(h.rt, NULL); /* the other one is in use */
    assert_int_equal(allm_cache_list(h.rt, m, 4), 1);
    assert_true(!strcmp(m[0].name, SCRIPT_TINY) && m[0].n_users == 2);
    allm_cache_clear(h.rt, "no such name");
    assert_int_equal(allm_cache_list(h.rt, m, 4), 1);
    allm_cache_clear(h.rt, SCRIPT_TINY); /* lives on where it is used */
    assert_int_equal(allm_cache_list(h.rt, m, 4), 0);
    assert_true(script_answer_of(llm[0], prov_prompt("Once")).text[0] != 0);
    allm_destroy(llm[0]), allm_destroy(llm[1]);
    c.model = SCRIPT_TINY, llm[0] = prov_cached_open(&h, c, &cached);
    assert_int_equal(cached, 0);
    allm_model *again;
    allm_source src = {0};
    allm_model_config mc = {0};
    src.path = SCRIPT_TINY;
    double least = 1;
    for (int i = 0; i < 20; i++) { /* but for the session, which is another's every time */
        const double from = allm__plat_seconds();
        assert_int_equal(allm__cache_open(h.rt, &src, SCRIPT_TINY, &mc, &again, &h.err), ALLM_OK);
        least = ALLM__MIN(least, allm__plat_seconds() - from);
        assert_true(again == prov_model(llm[0]));
        allm__cache_close(h.rt, again);
    }
    printf("             a model that is open is found in %.1f us\n", 1e6 * least);
    test_time("second open", least, 0.001);
    allm_destroy(llm[0]);
    assert_int_equal(allm_cache_list(h.rt, m, 4), 1);
    assert_int_equal(m[0].n_users, 0);
    allm_cache_clear(h.rt, NULL);
    assert_int_equal(allm_cache_list(h.rt, m, 4), 0);
    script_end(&h);
}

/* ---- adapters */

/* An adapter for tiny.gguf, by the names of folders. */
static char *prov_adapter(void) {
    char     *folder = lora_folder();
    lora_file f = {{NULL, 0, 0}, {NULL, 0, 0}};
    allm_model *m = NULL;
    allm_source src = {0};
    src.path = SCRIPT_TINY;
    assert_int_equal(allm_model_open(NULL, &src, NULL, &m, NULL), ALLM_OK);
    for (int i = 0; i < 2; i++) {
        const int64_t n_in = m->hp.n_embd, n_out = i ? m->layers->n_ff : m->layers->n_head * m->layers->head_dim;
        float *w = (float *)calloc((size_t)(n_in * n_out), sizeof *w);
        lora_adapt(&f, i ? "model.layers.0.mlp.up_proj" : "model.layers.0.self_attn.q_proj", w, n_out, n_in, 0);
        free(w);
    }
    lora_save(&f, folder, "adapter_model.safetensors");
    lora_save_text(folder, "adapter_config.json", "{\"peft_type\": \"LORA\", \"r\": 3, \"lora_alpha\": 12}");
    allm_model_close(m);
    allm_shutdown();
    return folder;
}

/* One model, with and without; each as if it were alone. */
static void test_prov_adapter(void **state) {
    script_host h;
    allm_config c = {0};
    char       *folder = prov_adapter();
    int         cached;
    (void)state;
    script_begin(&h, 2);
    c.model = SCRIPT_TINY;
    allm_request req = prov_prompt(SCRIPT_PROMPT);
    req.raw = 1, req.sampling = &script_greedy, req.max_tokens = 30;
    allm_llm *plain = prov_cached_open(&h, c, &cached);
    const script_answer was = script_answer_of(plain, req);
    c.adapter = folder;
    allm_llm *with = prov_cached_open(&h, c, &cached);
    assert_true(cached && prov_model(plain) == prov_model(with));
    const script_answer is = script_answer_of(with, req);
    assert_true(strcmp(is.text, was.text) != 0);
    assert_string_equal(script_answer_of(plain, req).text, was.text);
    assert_string_equal(script_answer_of(with, req).text, is.text);
    c.adapter_scale = 1;
    allm_llm *same = prov_cached_open(&h, c, &cached);
    assert_string_equal(script_answer_of(same, req).text, is.text);
    c.adapter_scale = 1e-30f;
    allm_llm *little = prov_cached_open(&h, c, &cached);
    assert_string_equal(script_answer_of(little, req).text, was.text);
    allm_destroy(plain), allm_destroy(with), allm_destroy(same), allm_destroy(little);
    static const struct {
        const char *provider, *adapter;
        float       scale;
        allm_status status;
        const char *words;
    } rows[] = {
        {"local", "no/where", 0, ALLM_E_NOT_FOUND, "no/where"},
        {"local", "tests", 0, ALLM_E_NOT_FOUND, "no adapter_model.safetensors"},
        {"local", "tests/data/tiny.gguf", 0, ALLM_E_FORMAT, "tiny.gguf"},
        {"local", NULL, NAN, ALLM_E_ARGUMENT, "the scale is not a number"},
        {"echo", NULL, 0, ALLM_E_UNSUPPORTED, "takes no adapter"},
#ifndef ABSTRACTLLM_NO_REMOTE
        {"openai", NULL, 0, ALLM_E_UNSUPPORTED, "takes no adapter"},
#endif
    };
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm_llm *llm = NULL;
        c.runtime = h.rt, c.adapter = rows[i].adapter ? rows[i].adapter : folder, c.adapter_scale = rows[i].scale;
        allm_status status = allm_create(rows[i].provider, &c, &llm, &h.err);
        if (status != rows[i].status || llm || !strstr(h.err.message, rows[i].words))
            fail_msg("row %zu: %d \"%s\"", i, (int)status, h.err.message);
    }
    script_end(&h);
    lora_remove(folder);
}

/* ---- one generation at a time */

static allm_request prov_story(void) {
    allm_request req = prov_prompt(SCRIPT_PROMPT);
    req.raw = 1, req.sampling = &script_greedy, req.max_tokens = 20;
    return req;
}

typedef struct prov_inner { /* what a callback does */
    allm_llm     *llm;
    allm_status   status;
    allm_error    err;
    allm_response r;
    int           n;
} prov_inner;

static void prov_reenter(script_ear *e, const allm_chunk *chunk) {
    prov_inner       *in = (prov_inner *)e->ctx;
    allm_capabilities caps;
    allm_sampling     s;
    (void)chunk;
    allm_request req = prov_prompt("again");
    in->status       = allm_generate(in->llm, &req, &in->r, &in->err);
    in->n += in->status == ALLM_E_BUSY && in->err.status == ALLM_E_BUSY && !in->r.text && !in->r.owner;
    in->n -= allm_get_capabilities(in->llm, &caps, NULL) || allm_default_sampling(in->llm, &s, NULL); /* these may */
}

/* FAULTS 35: from any event, DONE too. */
static void test_prov_fault_35_reentry(void **state) {
    static const char *const names[] = {"local", "echo"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        script_host       h;
        static script_ear e;
        prov_inner        in  = {0};
        allm_config       c   = {0};
        allm_response     r;
        script_begin(&h, 2);
        c.model       = SCRIPT_TINY;
        allm_llm *llm = in.llm = script_open(&h, names[i], c);
        script_answer plain    = script_answer_of(llm, prov_story());
        memset(&e, 0, sizeof e);
        e.act = prov_reenter, e.ctx = &in;
        assert_int_equal(script_ask(llm, prov_story(), &e, &r, &h.err), ALLM_OK);
        assert_true(in.n == e.n_chunks && in.n > 10);
        assert_string_equal(r.text, plain.text);
        assert_non_null(strstr(in.err.message, "another generation is running"));
        allm_response_free(&r);
        allm_destroy(llm);
        script_end(&h);
    }
}

static void prov_ask_other(script_ear *e, const allm_chunk *chunk) {
    prov_inner *in = (prov_inner *)e->ctx;
    if (chunk->event != ALLM_TEXT || e->n_text != 3) return;
    allm_request req = prov_story();
    in->status       = allm_generate(in->llm, &req, &in->r, &in->err);
}

/* Another object on the same model may be asked from a callback. */
static void test_prov_nested(void **state) {
    script_host       h;
    static script_ear e;
    prov_inner        in = {0};
    allm_response     r;
    (void)state;
    script_begin(&h, 2);
    allm_llm *outer = script_open_path(&h, SCRIPT_TINY);
    in.llm          = script_open_path(&h, SCRIPT_TINY);
    memset(&e, 0, sizeof e);
    e.act = prov_ask_other, e.ctx = &in;
    assert_int_equal(script_ask(outer, prov_story(), &e, &r, &h.err), ALLM_OK);
    assert_int_equal(in.status, ALLM_OK);
    assert_string_equal(in.r.text, r.text);
    allm_response_free(&r), allm_response_free(&in.r);
    allm_destroy(outer), allm_destroy(in.llm);
    script_end(&h);
}

typedef struct prov_destroyer {
    allm_llm *llm; /* NULL: done */
    int       event, n_after;
} prov_destroyer;

static int prov_destroy_now(const allm_chunk *chunk, void *ctx) {
    prov_destroyer *d = (prov_destroyer *)ctx;
    d->n_after += d->llm == NULL;
    if ((int)chunk->event == d->event && d->llm) allm_destroy(d->llm), d->llm = NULL;
    return 0;
}

/* FAULTS 35: destroyed in its own callback: it is cancelled, and freed when the call ends. */
static void test_prov_fault_35_destroy(void **state) {
    static const struct { const char *name; int event;
    } rows[] = {{"local", ALLM_PROMPT_PROGRESS},
                {"local", ALLM_TEXT},
                {"local", ALLM_DONE},
                {"echo", ALLM_TEXT},
                {"echo", ALLM_DONE},
                {"mine", ALLM_TEXT},
                {"mine", ALLM_DONE}};
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        script_host   h;
        prov_fake     f   = {.words = {"a ", "b"}};
        allm_provider row = prov_row("mine", &f);
        allm_config   c   = {0};
        allm_response r;
        script_begin(&h, 1);
        assert_int_equal(allm_provider_register(h.rt, &row, &h.err), ALLM_OK);
        c.model            = SCRIPT_TINY;
        prov_destroyer d   = {script_open(&h, rows[i].name, c), rows[i].event, 0};
        allm_request   req = prov_story();
        req.on_chunk = prov_destroy_now, req.on_chunk_ctx = &d;
        allm_status status = allm_generate(d.llm, &req, &r, &h.err);
        assert_int_equal(status, rows[i].event == ALLM_DONE ? ALLM_OK : ALLM_E_CANCELLED);
        assert_true(!d.llm && !d.n_after && r.text);
        assert_int_equal(f.n_close, !strcmp(rows[i].name, "mine"));
        allm_response_free(&r); /* the answer is the caller's, still */
        script_end(&h);
    }
}

/* ---- FAULTS 41: surroundings */

static volatile sig_atomic_t prov_n_signals;
static void prov_on_tick(int number) { (void)number, prov_n_signals++; }

typedef struct prov_place { script_host *h; script_answer a; } prov_place;

static void *prov_answer_here(void *arg) { /* opened and asked here: threads are made here, too */
    prov_place *p   = (prov_place *)arg;
    allm_llm   *llm = script_open_path(p->h, SCRIPT_TINY);
    p->a            = script_answer_of(llm, prov_story());
    allm_destroy(llm);
    return NULL;
}

static void prov_expect_here(script_answer *want, const char *what) {
    script_host h;
    prov_place  p = {.h = &h};
    script_begin(&h, 2);
    prov_answer_here(&p);
    script_end(&h);
    if (!want->text[0]) *want = p.a;
    if (strcmp(p.a.text, want->text) || memcmp(p.a.ids, want->ids, sizeof p.a.ids))
        fail_msg("%s: \"%s\", not \"%s\"", what, p.a.text, want->text);
}

static void test_prov_fault_41_surroundings(void **state) {
    static const int  modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    struct itimerval  often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    struct sigaction  on = {0}, before;
    script_answer     want = {0};
    script_host       h;
    prov_place        place = {.h = &h};
    pthread_attr_t    small;
    pthread_t         thread;
    char              locale[64];
    (void)state;
    prov_expect_here(&want, "plain");
    for (size_t i = 0; i < ALLM__COUNT(modes); i++) { /* no assertion may fail in another mode */
        assert_int_equal(fesetround(modes[i]), 0);
        prov_expect_here(&want, "another rounding mode");
        const int mode = fegetround();
        fesetround(FE_TONEAREST);
        assert_int_equal(mode, modes[i]);
    }
    snprintf(locale, sizeof locale, "%s", setlocale(LC_ALL, NULL));
    if (setlocale(LC_ALL, "de_DE.UTF-8") || setlocale(LC_ALL, "fr_FR.UTF-8")) prov_expect_here(&want, "decimal comma");
    setlocale(LC_ALL, locale);
#if defined(__x86_64__)
    const unsigned csr = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(csr | 0x8040); /* denormals count as zero, results of them become zero */
    prov_expect_here(&want, "no denormals");
    const unsigned after = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(csr);
    assert_int_equal(after & 0x8040, 0x8040);
#endif
    on.sa_handler = prov_on_tick; /* without SA_RESTART: calls of the system are interrupted */
    assert_int_equal(sigaction(SIGALRM, &on, &before), 0);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int k = 0; k < 1000 && (!k || !prov_n_signals); k++) prov_expect_here(&want, "signals");
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    assert_true(prov_n_signals > 0);
#ifdef __OPTIMIZE__
    const size_t n_stack = 64 << 10;
#else
    const size_t n_stack = 128 << 10;
#endif
    pthread_attr_init(&small);
    if (!TEST_SANITIZED && !pthread_attr_setstacksize(&small, n_stack)) {
        script_begin(&h, 2);
        assert_int_equal(pthread_create(&thread, &small, prov_answer_here, &place), 0);
        pthread_join(thread, NULL);
        script_end(&h);
        assert_string_equal(place.a.text, want.text);
    }
    pthread_attr_destroy(&small);
    printf("             %d signals during an answer\n", (int)prov_n_signals);
}

/* ---- cancel */

static void prov_cancel_at(script_ear *e, const allm_chunk *chunk) {
    static const int wanted[] = {ALLM_PROMPT_PROGRESS, ALLM_TEXT};
    prov_inner      *in       = (prov_inner *)e->ctx;
    if ((int)chunk->event == wanted[in->n]) allm_cancel(in->llm), allm_cancel(in->llm); /* twice is once */
}

static void test_prov_fault_34_cancel_in_callback(void **state) {
    static const char *const names[] = {"local", "echo"};
    (void)state;
    for (int i = 0; i < 4; i++) {
        script_host       h;
        static script_ear e;
        prov_inner        in = {.n = i & 1};
        allm_config       c  = {0};
        allm_response     r;
        script_begin(&h, 1);
        c.model = SCRIPT_TINY, c.n_batch = 8;
        allm_llm *llm = in.llm = script_open(&h, names[i / 2], c);
        allm_cancel(llm); /* nothing runs */
        script_answer plain = script_answer_of(llm, prov_story());
        allm_cancel(llm);
        memset(&e, 0, sizeof e);
        e.act = prov_cancel_at, e.ctx = &in;
        allm_status status = script_ask(llm, prov_story(), &e, &r, &h.err);
        if (i == 2) assert_int_equal(status, ALLM_OK); /* echo has no prompt to speak of */
        else {
            assert_int_equal(status, ALLM_E_CANCELLED);
            assert_string_equal(h.err.message, "cancelled");
            assert_int_equal(e.n_chunks - e.n_progress, i & 1); /* not one chunk more */
            assert_int_equal(e.n_progress, i == 0 ? 1 : i == 1 ? 1 : 0);
            assert_true(!strncmp(r.text, plain.text, r.text_len));
        }
        allm_response_free(&r);
        assert_string_equal(script_answer_of(llm, prov_story()).text, plain.text);
        allm_destroy(llm);
        script_end(&h);
    }
}

typedef struct prov_trap { /* an allocator that cancels at its n-th call, and the work done afterwards */
    test_heap heap;
    allm_llm *llm;
    int64_t   at, n_stages;
} prov_trap;

static void *prov_trap_alloc(void *ctx, size_t n_bytes, size_t align) {
    prov_trap *t = (prov_trap *)ctx;
    if (t->llm && t->at-- == 1) allm_cancel(t->llm);
    return test_heap_alloc(&t->heap, n_bytes, align);
}

static void prov_trap_free(void *ctx, void *p, size_t n_bytes) {
    test_heap_free(&((prov_trap *)ctx)->heap, p, n_bytes);
}

static void prov_trap_parallel_for(void *ctx, int32_t n_parts, allm_task task, void *arg) {
    prov_trap *t = (prov_trap *)ctx;
    t->n_stages += t->at <= 0;
    for (int32_t i = 0; i < n_parts; i++) task(arg, i, n_parts);
}

/* However early in the call it comes, a cancel counts, before the first layer. */
static void test_prov_fault_34_cancel_early(void **state) {
    (void)state;
    for (int64_t at = 1;; at++) {
        script_host         h;
        prov_trap           t = {.at = 0};
        allm_runtime_config c = {0};
        allm_response       r;
        c.allocator.alloc = prov_trap_alloc, c.allocator.free = prov_trap_free, c.allocator.ctx = &t;
        c.parallel_for = prov_trap_parallel_for, c.parallel_ctx = &t, c.n_threads = 2;
        script_begin_with(&h, c);
        allm_llm *llm = script_open_path(&h, SCRIPT_TINY);
        t.llm = llm, t.at = at, t.n_stages = 0;
        allm_request req    = prov_story();
        allm_status  status = allm_generate(llm, &req, &r, &h.err);
        t.llm               = NULL;
        if (t.at > 0) { /* there were not so many */
            assert_true(status == ALLM_OK && at > 3);
            allm_response_free(&r);
            allm_destroy(llm);
            script_end(&h);
            break;
        }
        if (status != ALLM_E_CANCELLED || t.n_stages > 1)
            fail_msg("cancelled at allocation %d: status %d, %d stages afterwards", (int)at, (int)status,
                     (int)t.n_stages);
        assert_int_equal(r.finish, ALLM_FINISH_CANCELLED);
        allm_response_free(&r);
        assert_true(script_answer_of(llm, prov_story()).completion_tokens > 0); /* it does not last */
        allm_destroy(llm);
        script_end(&h);
        test_heap_check(&t.heap);
    }
}

static int prov_cancel_at_end_of_prompt(const allm_chunk *chunk, void *ctx) {
    if (chunk->event == ALLM_PROMPT_PROGRESS && chunk->progress == 1) allm_cancel((allm_llm *)ctx);
    return 0;
}

/* A cancel counts at once, also where nothing is evaluated just then and no text is about to come. */
static void test_prov_fault_34_cancel_between(void **state) {
    script_host   h;
    allm_response r;
    make_script   p = make_script_new((const char *const[]){"end", "", "", "", "x", NULL});
    make_gguf     w = make_script_file(&p);
    allm_request  req = {0};
    const int32_t ids[] = {0};
    (void)state;
    script_begin(&h, 1);
    allm_llm *llm = script_open_bytes(&h, &w);
    req.prompt_ids = ids, req.n_prompt_ids = 1, req.sampling = &script_greedy;
    req.on_chunk = prov_cancel_at_end_of_prompt, req.on_chunk_ctx = llm;
    assert_int_equal(allm_generate(llm, &req, &r, &h.err), ALLM_E_CANCELLED);
    assert_true(r.completion_tokens == 1 && r.text && !r.text_len);
    allm_response_free(&r);
    req.on_chunk = NULL;
    assert_string_equal(script_answer_of(llm, req).text, "x");
    allm_destroy(llm);
    script_end(&h);
    make_gguf_free(&w);
}

static allm_llm *prov_signalled;
static void      prov_on_signal(int number) { (void)number, allm_cancel(prov_signalled); }
static void      prov_raise(script_ear *e, const allm_chunk *chunk) {
    (void)chunk;
    if (e->n_text == 5) raise(SIGUSR1);
}

static void test_prov_cancel_in_signal_handler(void **state) {
    script_host       h;
    static script_ear e;
    allm_response     r;
    void (*before)(int) = signal(SIGUSR1, prov_on_signal);
    (void)state;
    script_begin(&h, 1);
    allm_llm *llm = prov_signalled = script_open_path(&h, SCRIPT_TINY);
    raise(SIGUSR1); /* nothing runs */
    memset(&e, 0, sizeof e);
    e.act = prov_raise;
    assert_int_equal(script_ask(llm, prov_story(), &e, &r, &h.err), ALLM_E_CANCELLED);
    assert_int_equal(e.n_text, 5);
    allm_response_free(&r);
    allm_destroy(llm);
    signal(SIGUSR1, before);
    script_end(&h);
}

typedef struct prov_other { /* another thread: waits for a stage of the work, then does something */
    allm_llm   *llm;
    int32_t     stage, wait_for, stage_then; /* stages of work so far; which to wait for; how many when it was done */
    int         ask; /* generate, else cancel */
    allm_status status;
} prov_other;

static void prov_parallel_for(void *ctx, int32_t n_parts, allm_task task, void *arg) {
    prov_other *o = (prov_other *)ctx;
    for (int32_t i = 0; i < n_parts; i++) task(arg, i, n_parts);
    if (ALLM__ADD(&o->stage, 1) != ALLM__LOAD(&o->wait_for) || !o->ask) return;
    while (!ALLM__LOAD(&o->stage_then)) sched_yield(); /* stays inside the call until the other has asked */
}

static void *prov_other_main(void *arg) {
    prov_other  *o   = (prov_other *)arg;
    allm_request req = prov_story();
    while (ALLM__LOAD(&o->stage) < ALLM__LOAD(&o->wait_for)) sched_yield();
    if (o->ask) o->status = allm_generate(o->llm, &req, NULL, NULL);
    else allm_cancel(o->llm);
    ALLM__STORE(&o->stage_then, ALLM__LOAD(&o->stage));
    return NULL;
}

/* In the prompt and while it writes; twice from two threads. What runs ends within a layer. */
static void test_prov_fault_34_cancel_other_thread(void **state) {
    static const int at[] = {1, 20, 200, 800};
    (void)state;
    TEST_NEEDS_THREADS();
    for (size_t i = 0; i < ALLM__COUNT(at); i++) {
        script_host         h;
        allm_runtime_config rc = {0};
        allm_config         c  = {0};
        prov_other          o  = {0};
        allm_request        req = prov_story();
        allm_response       r;
        pthread_t           thread;
        rc.n_threads = 2, rc.parallel_for = prov_parallel_for, rc.parallel_ctx = &o;
        script_begin_with(&h, rc);
        c.model = SCRIPT_STORY, c.n_batch = 8; /* 42 tokens, 6 layers: some 200 stages of prompt */
        o.llm         = script_open(&h, NULL, c);
        o.stage = 0, o.wait_for = at[i]; /* opening has stages too */
        req.max_tokens = 400, req.stop = (const char *const[]){"<never>"}, req.n_stop = 1;
        assert_int_equal(pthread_create(&thread, NULL, prov_other_main, &o), 0);
        allm_status status = allm_generate(o.llm, &req, &r, &h.err);
        pthread_join(thread, NULL);
        assert_int_equal(status, ALLM_E_CANCELLED);
        if (o.stage > o.stage_then + 10)
            fail_msg("cancelled at stage %d, ended at %d", (int)o.stage_then, (int)o.stage);
        assert_true(r.finish == ALLM_FINISH_CANCELLED && r.text);
        allm_response_free(&r);
        req.max_tokens = 5;
        assert_int_equal(script_answer_of(o.llm, req).finish, ALLM_FINISH_LENGTH);
        allm_destroy(o.llm);
        script_end(&h);
    }
}

static void test_prov_busy_other_thread(void **state) {
    script_host         h;
    allm_runtime_config rc = {0};
    allm_config         c  = {0};
    prov_other          o  = {.ask = 1};
    pthread_t           thread;
    (void)state;
    TEST_NEEDS_THREADS();
    rc.n_threads = 2, rc.parallel_for = prov_parallel_for, rc.parallel_ctx = &o;
    script_begin_with(&h, rc);
    c.model = SCRIPT_TINY;
    o.llm   = script_open(&h, NULL, c);
    o.stage = 0, o.wait_for = 5; /* opening has stages too */
    assert_int_equal(pthread_create(&thread, NULL, prov_other_main, &o), 0);
    script_answer a = script_answer_of(o.llm, prov_story());
    pthread_join(thread, NULL);
    assert_int_equal(o.status, ALLM_E_BUSY);
    assert_int_equal(a.completion_tokens, 20);
    allm_destroy(o.llm);
    script_end(&h);
}

/* ---- what is said about a model */

static void test_prov_capabilities(void **state) {
    script_host       h;
    allm_capabilities caps;
    allm_sampling     s;
    allm_config       c = {0};
    (void)state;
    script_begin(&h, 1);
    c.model = SCRIPT_TINY, c.n_ctx = 77;
    allm_llm *llm = script_open(&h, NULL, c);
    assert_int_equal(allm_get_capabilities(llm, &caps, &h.err), ALLM_OK);
    assert_true(caps.streaming && caps.n_parallel == 1 && caps.max_context == 77 && caps.max_output == 77);
    assert_true(!caps.tools && !caps.parallel_tools && !caps.vision && caps.logprobs && !caps.reasoning);
    assert_true(caps.embeddings && caps.embedding_dim == 128);
#ifndef ABSTRACTLLM_NO_THREADS
    assert_true(caps.async);
#endif
#ifndef ABSTRACTLLM_NO_GRAMMAR
    assert_true(caps.json_schema);
#endif
    assert_int_equal(caps.n_parameters, 287360);
    assert_true(caps.memory_bytes == prov_model(llm)->meter.live && caps.memory_bytes > 10000);
    assert_string_equal(caps.architecture, "llama");
    assert_string_equal(caps.quantization, "Q8_0");
    assert_string_equal(caps.provider, "local");
    assert_true(caps.model[0] != 0);
    assert_true(caps.system_prompt && caps.multi_turn); /* ChatML */
    assert_int_equal(allm_default_sampling(llm, &s, &h.err), ALLM_OK);
    assert_true(s.temperature == 0.7f && s.top_p == 0.9f && s.seed == -1);
    allm_destroy(llm);
    llm = script_open_path(&h, SCRIPT_STORY);
    assert_int_equal(allm_default_sampling(llm, &s, &h.err), ALLM_OK);
    assert_true(s.temperature == 0.7f && s.top_p == 0.95f);
    assert_int_equal(allm_get_capabilities(llm, &caps, &h.err), ALLM_OK);
    assert_true(!caps.system_prompt && !caps.multi_turn); /* its template takes the last message alone */
    allm_destroy(llm);
    script_end(&h);
}

/* A file without a name of its own is known by its path; bytes by the name the caller gave. */
static void test_prov_model_names(void **state) {
    make_script p = make_script_new((const char *const[]){"end", "a", NULL});
    (void)state;
    for (int i = 0; i < 4; i++) {
        script_host       h;
        allm_capabilities caps;
        allm_source       src = {0};
        allm_config       c   = {0};
        p.name                = i & 1 ? "a name" : NULL;
        make_gguf w           = make_script_file(&p);
        test_temp t           = test_temp_new(w.bytes, w.n);
        script_begin(&h, 1);
        src.data = w.bytes, src.n_bytes = w.n, c.source = i & 2 ? &src : NULL, c.model = i & 2 ? "mine" : t.path;
        allm_llm *llm = script_open(&h, "local", c);
        assert_int_equal(allm_get_capabilities(llm, &caps, &h.err), ALLM_OK);
        assert_string_equal(caps.model, i & 1 ? "a name" : c.model);
        allm_destroy(llm);
        script_end(&h);
        test_temp_remove(&t);
        make_gguf_free(&w);
    }
}

/* A model that cannot talk is refused when it is opened. */
static void test_prov_no_tokenizer(void **state) {
    script_host h;
    allm_config c   = {0};
    allm_llm   *llm = NULL;
    make_model  p   = make_model_new("llama");
    make_gguf   w   = make_model_file(&p);
    test_temp   t   = test_temp_new(w.bytes, w.n);
    (void)state;
    script_begin(&h, 1);
    c.runtime = h.rt, c.model = t.path;
    assert_int_equal(allm_create("local", &c, &llm, &h.err), ALLM_E_UNSUPPORTED);
    assert_non_null(strstr(h.err.message, "has no tokenizer"));
    assert_true(!llm && strstr(h.err.message, t.path));
    script_end(&h);
    test_temp_remove(&t);
    make_gguf_free(&w);
}

/* ---- tools: a model that calls one, and answers when the prompt ends with the tool's result Q */

static const char prov_tool_template[] = /* for tools */
    "{# <tool_call> tools #}{% if messages[-1].role == 'tool' %}{{ messages[-1].content }}{% else %}P{% endif %}";
static const char prov_template[] = "{# </think> #}{% if no_tools is defined %}P{% else %}T{% endif %}";

static make_gguf prov_tool_model(void) {
    make_script p = make_script_new((const char *const[]){
        "", "P", "Let me. ", "<tool_", "call>", "{\"name\": \"add\", \"arguments\": {\"x\": [1,", " 2]}}</tool_call>",
        "Q", "It is 3.", "T", " <think>", "Hm. ", "</think>\n", "Hi", NULL});
    p.next[6] = 0, p.next[8] = 0, p.uneven = 1;
    p.chat_template = prov_template, p.tool_template = prov_tool_template;
    return make_script_file(&p);
}

typedef struct prov_tool { /* a tool, and an ear for its calls */
    const char *result;
    allm_status status;
    int         n_runs;
    char        args[200], pieces[200], reasoning[100];
    int         n_pieces, n_begun;
} prov_tool;

static allm_status prov_tool_run(void *ctx, const char *arguments, const char **result, allm_error *err) {
    prov_tool *t = (prov_tool *)ctx;
    t->n_runs++;
    snprintf(t->args, sizeof t->args, "%s", arguments);
    *result = t->result;
    if (t->status && t->result) snprintf(err->message, sizeof err->message, "%s", t->result), err->status = t->status;
    return t->status;
}

static int prov_tool_hear(const allm_chunk *chunk, void *ctx) {
    prov_tool *t = (prov_tool *)ctx;
    assert_non_null(chunk->text);
    if (chunk->event == ALLM_REASONING) strncat(t->reasoning, chunk->text, chunk->len);
    if (chunk->event != ALLM_TOOL_CALL) return 0;
    assert_string_equal(chunk->tool_name, "add");
    if (chunk->i_tool_call == t->n_begun) t->n_begun++, t->pieces[0] = 0;
    assert_int_equal(chunk->i_tool_call, t->n_begun - 1);
    t->n_pieces++;
    strncat(t->pieces, chunk->text, chunk->len);
    return 0;
}

static allm_request prov_tool_request(prov_tool *t, allm_tool *tool, int runs) {
    allm_request req = prov_prompt("?");
    memset(tool, 0, sizeof *tool);
    tool->name = "add", tool->description = "adds", tool->ctx = t;
    tool->parameters_schema = "{\"type\": \"object\", \"properties\": {\"x\": {\"type\": \"array\"}}}";
    if (runs) tool->run = prov_tool_run;
    req.tools = tool, req.n_tools = 1, req.sampling = &script_greedy;
    req.on_chunk = prov_tool_hear, req.on_chunk_ctx = t;
    return req;
}

static void prov_tool_answer(allm_llm *llm, const allm_request *req, allm_response *r, allm_status status,
                             const char *message) {
    allm_error err = {0};
    allm_response_free(r);
    allm_status got = allm_generate(llm, req, r, &err);
    if (got != status) fail_msg("status %d: %s", (int)got, err.message);
    if (message && !strstr(err.message, message)) fail_msg("%s", err.message);
}

/* ---- a provider that draws its own seed when it is given none */

typedef struct prov_seeds { int n; int64_t seeds[8]; float temperature; } prov_seeds;

static allm_status prov_seeds_open(void *ctx, const allm_config *config, void **self, allm_error *err) {
    (void)config, (void)err;
    return *self = ctx, ALLM_OK;
}

static allm_status prov_seeds_generate(void *self, const allm_request *req, allm_response *out, allm_error *err) {
    prov_seeds *s    = (prov_seeds *)self;
    allm_chunk  call = {ALLM_TOOL_CALL, "{}", 2, -1, 0, 0, "add", 0};
    (void)err;
    s->seeds[s->n]  = req->sampling ? req->sampling->seed : -1;
    s->temperature  = req->sampling ? req->sampling->temperature : 0;
    out->seed       = s->seeds[s->n] >= 0 ? s->seeds[s->n] : 70 + s->n;
    out->finish     = s->n < 2 ? ALLM_FINISH_TOOL_CALLS : ALLM_FINISH_STOP;
    if (s->n++ < 2) req->on_chunk(&call, req->on_chunk_ctx);
    return ALLM_OK;
}

/* ---- a provider that makes calls of any kind, in two rounds */

typedef struct prov_calls {
    struct { const char *name, *args; } calls[4];
    int32_t n, n_rounds;
    int     says_so; /* finish */
    char    seen[300]; /* the messages of the last round */
    int32_t from;      /* the number of the first call */
} prov_calls;

static allm_status prov_calls_open(void *ctx, const allm_config *config, void **self, allm_error *err) {
    (void)config, (void)err;
    return *self = ctx, ALLM_OK;
}

static allm_status prov_calls_generate(void *self, const allm_request *req, allm_response *out, allm_error *err) {
    prov_calls *p    = (prov_calls *)self;
    allm_chunk  text = {ALLM_TEXT, "ok", 2, -1, 0, 0, NULL, 0};
    (void)err;
    p->seen[0] = 0;
    for (size_t i = 0, n = 0; i < req->n_messages; i++)
        n += (size_t)snprintf(p->seen + n, sizeof p->seen - n, "%s:%s|", req->messages[i].role,
                              req->messages[i].content ? req->messages[i].content : "-");
    req->on_chunk(&text, req->on_chunk_ctx);
    if (p->n_rounds++) return ALLM_OK;
    for (int32_t i = 0; i < p->n; i++) {
        allm_chunk c = {ALLM_TOOL_CALL, p->calls[i].args, strlen(p->calls[i].args), -1, 0, p->from + i,
                        p->calls[i].name, 0};
        if (req->on_chunk(&c, req->on_chunk_ctx)) return ALLM_OK;
    }
    if (p->says_so) out->finish = ALLM_FINISH_TOOL_CALLS;
    return ALLM_OK;
}

static int prov_calls_stop(const allm_chunk *chunk, void *ctx) { /* at what was a call */
    return (void)ctx, chunk->event == ALLM_TEXT && chunk->text[0] == '{';
}

static allm_status prov_calls_echo(void *ctx, const char *arguments, const char **result, allm_error *err) {
    char *own = (char *)ctx;
    (void)err;
    snprintf(own, 40, "got %s", arguments);
    return *result = own, ALLM_OK;
}

/* Two tools that both run: each result goes back with its call, in order. */
static void test_prov_calls_two(void **state) {
    script_host     h;
    char            own[2][40];
    prov_calls      p       = {{{"sub", "{\"y\": 2}"}, {"add", "{\"x\": 1}"}}, 2, 0, 1, "", 0};
    const allm_tool tools[] = {{"add", NULL, NULL, prov_calls_echo, own[0]},
                               {"sub", NULL, NULL, prov_calls_echo, own[1]}};
    allm_provider   row     = {.name = "calls", .open = prov_calls_open, .generate = prov_calls_generate, .ctx = &p,
                                .capabilities = script_can};
    allm_request    req     = {.prompt = "?", .tools = tools, .n_tools = 2};
    allm_response   r;
    (void)state;
    script_begin(&h, 1);
    assert_int_equal(allm_provider_register(h.rt, &row, &h.err), ALLM_OK);
    allm_llm *llm = script_open(&h, "calls", (allm_config){.model = "any"});
    assert_int_equal(allm_generate(llm, &req, &r, &h.err), ALLM_OK);
    assert_string_equal(p.seen, "user:?|assistant:ok|tool:got {\"y\": 2}|tool:got {\"x\": 1}|");
    assert_string_equal(r.text, "okok");
    assert_true(r.finish == ALLM_FINISH_STOP && !r.n_tool_calls && p.n_rounds == 2);
    allm_response_free(&r);
    allm_destroy(llm);
    script_end(&h);
}

/* A call whose arguments are no object comes as text, also beside good ones; that finish is for those that are left. */
static void test_prov_calls_none(void **state) {
    static const struct {
        prov_calls p;
        int        stops;
        const char *text;
        size_t     n_calls;
        int        n_runs;
        allm_status status;
        allm_finish finish;
    } rows[] = {
        {{{{"add", "{\"x\": "}, {"sub", "{}"}}, 2, 0, 1, "", 0}, 0, "ok{\"x\": ", 1, 0, ALLM_OK,
         ALLM_FINISH_TOOL_CALLS},
        {{{{"sub", "{}"}, {"add", "[1]"}}, 2, 0, 0, "", 0}, 0, "ok[1]", 1, 0, ALLM_OK, ALLM_FINISH_TOOL_CALLS},
        {{{{"add", "{}"}, {"sub", "{}"}}, 2, 0, 1, "", 0}, 0, "ok", 2, 0, ALLM_OK, /* no tool */
         ALLM_FINISH_TOOL_CALLS},
        {{{{"add", "{"}, {"add", "{}"}}, 2, 0, 1, "", 0}, 0, "ok{ok", 0, 1, ALLM_OK, ALLM_FINISH_STOP},
        {{{{"", "{}"}}, 1, 0, 1, "", 0}, 0, "ok{}", 0, 0, ALLM_OK, ALLM_FINISH_STOP}, /* nobody's name */
        {{{{NULL, "{}"}, {"sub", "{}"}}, 2, 0, 1, "", 0}, 0, "ok{}", 1, 0, ALLM_OK, ALLM_FINISH_TOOL_CALLS},
        {{{{"sub", "{\"a\":1}"}}, 1, 0, 1, "", -1}, 0, "ok{\"a\":1}", 0, 0, ALLM_OK, ALLM_FINISH_STOP}, /* numbers */
        {{{{"sub", "{\"a\":1}"}}, 1, 0, 1, "", 1000000}, 0, "ok{\"a\":1}", 0, 0, ALLM_OK, ALLM_FINISH_STOP},
        {{{{"add", "no"}, {"add", ""}}, 2, 0, 1, "", 0}, 0, "okno", 0, 0, ALLM_OK, ALLM_FINISH_STOP},
        {{{{"add", "{"}, {"add", "{}"}}, 2, 0, 1, "", 0}, 1, "ok{", 0, 0, ALLM_E_CANCELLED, ALLM_FINISH_CANCELLED},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        script_host   h;
        prov_calls    p   = rows[i].p;
        prov_tool     t   = {0};
        allm_provider row = {0};
        allm_config   c   = {0};
        allm_response r;
        allm_tool     tool;
        script_begin(&h, 1);
        c.runtime = h.rt, c.model = "any", t.result = "Q";
        row.name = "calls", row.open = prov_calls_open, row.generate = prov_calls_generate, row.ctx = &p;
        row.capabilities = script_can;
        assert_int_equal(allm_provider_register(h.rt, &row, &h.err), ALLM_OK);
        allm_llm    *llm = script_open(&h, "calls", c);
        allm_request req = prov_tool_request(&t, &tool, 1);
        req.on_chunk = rows[i].stops ? prov_calls_stop : NULL;
        assert_int_equal(allm_generate(llm, &req, &r, &h.err), rows[i].status);
        if (strcmp(r.text, rows[i].text) || r.n_tool_calls != rows[i].n_calls || r.finish != rows[i].finish ||
            t.n_runs != rows[i].n_runs)
            fail_msg("row %zu: \"%s\", %zu calls, finish %d, %d runs", i, r.text, r.n_tool_calls, (int)r.finish,
                     t.n_runs);
        allm_response_free(&r);
        allm_destroy(llm);
        script_end(&h);
    }
}

/* All rounds of a request go on with the seed that the first one drew: the response's seed gives all of it again. */
static void test_prov_seed_of_rounds(void **state) {
    static const allm_sampling warm = {.temperature = 1.5f, .seed = -1};
    (void)state;
    for (int given = 0; given < 2; given++) {
        script_host   h;
        prov_seeds    s   = {0};
        prov_tool     t   = {0};
        allm_provider row = {0};
        allm_config   c   = {0};
        allm_response r   = {0};
        allm_tool     tool;
        script_begin(&h, 1);
        c.runtime = h.rt, c.model = "any";
        row.name = "seeds", row.open = prov_seeds_open, row.generate = prov_seeds_generate, row.ctx = &s;
        row.capabilities = script_can;
        assert_int_equal(allm_provider_register(h.rt, &row, &h.err), ALLM_OK);
        allm_llm    *llm = script_open(&h, "seeds", c);
        allm_request req = prov_tool_request(&t, &tool, 1);
        t.result = "Q", req.on_chunk = NULL, req.sampling = given ? &warm : NULL;
        prov_tool_answer(llm, &req, &r, ALLM_OK, NULL);
        assert_true(s.n == 3 && s.seeds[0] == -1 && s.seeds[1] == 70 && s.seeds[2] == 70 && r.seed == 70);
        assert_true(s.temperature == (given ? 1.5f : 0.7f));
        allm_response_free(&r);
        allm_destroy(llm);
        script_end(&h);
    }
}

static void test_prov_tools(void **state) {
    make_gguf     w = prov_tool_model();
    script_host   h;
    prov_tool     t = {0};
    allm_tool     tool;
    allm_response r = {0};
    (void)state;
    script_begin(&h, 1);
    allm_llm         *llm = script_open_bytes(&h, &w);
    allm_capabilities can;
    assert_int_equal(allm_get_capabilities(llm, &can, &h.err), ALLM_OK);
    assert_true(can.tools && can.reasoning && can.parallel_tools);
    /* returned to the caller */
    allm_request req = prov_tool_request(&t, &tool, 0);
    prov_tool_answer(llm, &req, &r, ALLM_OK, NULL);
    assert_string_equal(r.text, "Let me.");
    assert_int_equal(r.finish, ALLM_FINISH_TOOL_CALLS);
    assert_int_equal(r.n_tool_calls, 1);
    assert_string_equal(r.tool_calls[0].name, "add");
    assert_string_equal(r.tool_calls[0].arguments_json, "{\"x\":[1,2]}");
    assert_true(strlen(r.tool_calls[0].id) == 29 && !strncmp(r.tool_calls[0].id, "call_", 5));
    assert_string_equal(t.pieces, r.tool_calls[0].arguments_json);
    assert_true(t.n_pieces > 2 && t.n_begun == 1);
    /* the caller runs it */
    allm_message said[] = {{.role = "user", .content = "?"},
                           {.role = "assistant", .content = r.text, .tool_calls = r.tool_calls, .n_tool_calls = 1},
                           {.role = "tool", .content = "Q", .tool_call_id = r.tool_calls[0].id, .name = "add"}};
    allm_request  next = req;
    allm_response r2   = {0};
    next.prompt = NULL, next.messages = said, next.n_messages = 3;
    prov_tool_answer(llm, &next, &r2, ALLM_OK, NULL);
    assert_string_equal(r2.text, "It is 3.");
    assert_true(r2.finish == ALLM_FINISH_STOP && !r2.n_tool_calls && !r2.tool_calls);
    allm_response_free(&r2);
    /* we run it */
    req = prov_tool_request(&t, &tool, 1), t.result = "Q", t.n_begun = 0;
    prov_tool_answer(llm, &req, &r, ALLM_OK, NULL);
    assert_string_equal(r.text, "Let me.It is 3.");
    assert_string_equal(t.args, "{\"x\":[1,2]}");
    assert_true(r.finish == ALLM_FINISH_STOP && !r.n_tool_calls && t.n_runs == 1);
    assert_int_equal(r.completion_tokens, 8); /* of both rounds: 5 + end, 1 + end */
    assert_true(r.token_ids[5] == 0 && r.token_ids[6] == 8 && r.token_ids[7] == 0);
    /* it is called again and again */
    t.result = "P", t.n_runs = 0, t.n_begun = 0, req.max_tool_rounds = 3;
    prov_tool_answer(llm, &req, &r, ALLM_E_TOOL, "after 3 rounds");
    assert_int_equal(t.n_runs, 3);
    assert_true(r.finish == ALLM_FINISH_TOOL_CALLS && r.n_tool_calls == 1); /* the one that was not run any more */
    assert_string_equal(r.tool_calls[0].arguments_json, "{\"x\":[1,2]}");
    /* it fails */
    t.status = ALLM_E_IO, t.result = "no disk", t.n_begun = 0;
    prov_tool_answer(llm, &req, &r, ALLM_E_TOOL, "tool \"add\" failed with ALLM_E_IO: no disk");
    assert_true(r.finish == ALLM_FINISH_TOOL_CALLS && r.n_tool_calls == 1);
    assert_string_equal(r.tool_calls[0].name, "add");
    t.status = ALLM_OK, t.result = "\xff", t.n_begun = 0;
    prov_tool_answer(llm, &req, &r, ALLM_E_TOOL, "UTF-8");
    t.status = ALLM_E_BUSY, t.result = NULL, t.n_begun = 0;
    prov_tool_answer(llm, &req, &r, ALLM_E_TOOL, "tool \"add\" failed with ALLM_E_BUSY: it gave no message");
    t.status = ALLM_OK;
    /* choices */
    t.n_runs = 0, t.n_begun = 0, req.tool_choice = "none", req.template_kwargs = "{\"no_tools\": 1}";
    prov_tool_answer(llm, &req, &r, ALLM_OK, NULL);
    assert_string_equal(r.text, "Let me. <tool_call>{\"name\": \"add\", \"arguments\": {\"x\": [1, 2]}}</tool_call>");
    assert_true(t.n_runs == 0 && t.n_begun == 0);
    t.result = "Q"; /* must call, whatever it would say; then it is free again, and answers */
    for (int i = 0; i < 2; i++) {
        t.n_runs = 0, t.n_begun = 0, req.tool_choice = i ? "add" : "required";
        prov_tool_answer(llm, &req, &r, ALLM_OK, NULL);
        assert_string_equal(r.text, "It is 3.");
        assert_string_equal(t.args, "{\"x\":[1,2]}");
        assert_int_equal(t.n_runs, 1);
    }
    tool.run = NULL, t.n_begun = 0;
    prov_tool_answer(llm, &req, &r, ALLM_OK, NULL);
    assert_true(!r.text_len && r.finish == ALLM_FINISH_TOOL_CALLS && r.n_tool_calls == 1);
    for (int i = 0; i < 2; i++) { /* an answer of a fixed form is no call */
        req.response_schema = i ? NULL : "{}", req.grammar = i ? "root ::= \"P\"" : NULL;
        prov_tool_answer(llm, &req, &r, ALLM_E_UNSUPPORTED, "tool_choice: ");
    }
    req.grammar = NULL;
    /* a dead end: the vocabulary has no word for what has to come */
    tool.parameters_schema = "{\"type\":\"object\",\"properties\":{\"y\":{}},\"required\":[\"y\"]}", t.n_begun = 0;
    prov_tool_answer(llm, &req, &r, ALLM_E_GRAMMAR, "dead end");
    tool.parameters_schema = "{\"not\":{}}", t.n_begun = 0;
    prov_tool_answer(llm, &req, &r, ALLM_E_GRAMMAR, "tools[0].parameters_schema");
    req.tool_choice = "auto"; /* where the call is the model's own choice, that is none of its faults */
    prov_tool_answer(llm, &req, &r, ALLM_OK, NULL);
    assert_int_equal(r.n_tool_calls, 1);
    tool.parameters_schema = "{\"type\":\"object\",\"properties\":{\"x\":{\"maxItems\":2}}}", t.n_begun = 0;
    prov_tool_answer(llm, &req, &r, ALLM_OK, NULL); /* "Let me.", then the call, bound from its marker on */
    assert_string_equal(r.text, "Let me.");
    assert_int_equal(r.n_tool_calls, 1);
    req.tool_choice = "sub";
    prov_tool_answer(llm, &req, &r, ALLM_E_ARGUMENT, "sub");
    req.tool_choice = NULL, req.raw = 1;
    prov_tool_answer(llm, &req, &r, ALLM_E_ARGUMENT, "raw");
    req.raw = 0, tool.parameters_schema = "[1]";
    prov_tool_answer(llm, &req, &r, ALLM_E_ARGUMENT, "tools[0].parameters_schema");
    tool.name = "";
    prov_tool_answer(llm, &req, &r, ALLM_E_ARGUMENT, "tools[0].name");
    allm_tool_call bad = {"1", "add", "{"};
    said[1].tool_calls = &bad, said[1].content = NULL, said[2].tool_call_id = "1";
    next.tools         = NULL, next.n_tools = 0;
    prov_tool_answer(llm, &next, &r, ALLM_E_ARGUMENT, "messages[1].tool_calls[0].arguments_json");
    allm_response_free(&r);
    allm_destroy(llm);
    make_gguf_free(&w);
    script_end(&h);
}

/* An answer that is cut off within a call: what there is of it is text, however much of the call was told before. */
static void test_prov_tools_cut(void **state) {
    static const char whole[] =
        "Let me. <tool_call>{\"name\": \"add\", \"arguments\": {\"x\": [1, 2]}}</tool_call>";
    static const size_t ends[] = {8, 14, 19, 57}; /* of the first tokens' texts */
    make_gguf     w = prov_tool_model();
    script_host   h;
    allm_tool     tool;
    allm_response r = {0};
    (void)state;
    script_begin(&h, 1);
    allm_llm *llm = script_open_bytes(&h, &w);
    for (int32_t n = 2; n <= 5; n++) {
        prov_tool    t   = {0};
        allm_request req = prov_tool_request(&t, &tool, 1);
        req.max_tokens = n;
        prov_tool_answer(llm, &req, &r, ALLM_OK, NULL);
        if (n < 5 && (r.text_len != ends[n - 1] || memcmp(r.text, whole, ends[n - 1])))
            fail_msg("%d tokens: \"%s\"", (int)n, r.text);
        assert_true(r.finish == ALLM_FINISH_LENGTH && !t.n_runs && r.n_tool_calls == (size_t)(n == 5));
        assert_true(n != 4 || !strncmp(t.pieces, "{\"x\":[1", 7));
        if (n == 5) assert_string_equal(r.text, "Let me."); /* the call is whole, but its answer was cut off */
    }
    allm_response_free(&r);
    allm_destroy(llm);
    make_gguf_free(&w);
    script_end(&h);
}

/* What a template leaves out: a system prompt is refused by name, earlier turns are told of in the log. */
static void prov_hear_log(void *ctx, allm_log_level level, const char *text) {
    *(int *)ctx += level == ALLM_LOG_WARN && !strncmp(text, "multi_turn: ", 12);
}

static void test_prov_left_out(void **state) {
    static const allm_message system[] = {{.role = "system", .content = "Be a pirate."},
                                          {.role = "user", .content = "a"}},
                              turns[]  = {{.role = "user", .content = "a"}, {.role = "assistant", .content = "b"},
                                          {.role = "user", .content = "c"}};
    static const char *const templates[] = {
        "{{ messages[-1].content }}", "{% for m in messages %}{{ m.content }}{% endfor %}", NULL};
    static const struct { allm_request r; allm_status lacking; int warns; } rows[] = {
        {{.prompt = "a", .max_tokens = 1}, ALLM_OK, 0},
        {{.prompt = "a", .system = "Be a pirate.", .max_tokens = 1}, ALLM_E_UNSUPPORTED, 0},
        {{.messages = system, .n_messages = 2, .max_tokens = 1}, ALLM_E_UNSUPPORTED, 0},
        {{.messages = turns, .n_messages = 3, .max_tokens = 1}, ALLM_OK, 1},
        {{.prompt = "a", .raw = 1, .max_tokens = 1}, ALLM_OK, 0},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(templates); i++) { /* the first one leaves out, the last is ChatML */
        make_script p = make_script_new((const char *[]){"", "?", "a", "b", "c", NULL});
        script_host h;
        int         n = 0;
        p.chat_template = templates[i], p.n_ctx = 512;
        make_gguf w     = make_script_file(&p);
        script_begin_with(&h, (allm_runtime_config){.n_threads = 1, .log = prov_hear_log, .log_ctx = &n});
        allm_llm *llm = script_open_bytes(&h, &w);
        for (size_t k = 0; k < ALLM__COUNT(rows); k++) {
            n = 0;
            const allm_status want = i ? ALLM_OK : rows[k].lacking;
            const allm_status status = allm_generate(llm, &rows[k].r, NULL, &h.err);
            if (status != want || n != (i ? 0 : rows[k].warns) ||
                (want && strncmp(h.err.message, "system_prompt: ", 15)))
                fail_msg("template %zu, row %zu: %d, %d warnings: %s", i, k, (int)status, n, h.err.message);
        }
        allm_destroy(llm);
        make_gguf_free(&w);
        script_end(&h);
    }
}

/* A model whose template shows no tools is given none: capabilities say so, a request that brings some is refused
 * before the prompt is looked at, and what needs none goes on. */
static void prov_tools_unknown(allm_llm *llm, script_host *h, int32_t *n_refused) {
    static const char *const choices[] = {NULL, "auto", "required", "add", "none"};
    prov_tool         t = {0};
    allm_tool         tool;
    allm_capabilities can;
    assert_int_equal(allm_get_capabilities(llm, &can, &h->err), ALLM_OK);
    for (size_t i = 0; i < ALLM__COUNT(choices); i++) {
        script_ear    e    = {0};
        allm_request  req  = prov_tool_request(&t, &tool, 1);
        allm_response r;
        int           none = choices[i] && !strcmp(choices[i], "none");
        req.tool_choice = choices[i], req.max_tokens = 2;
        allm_status status = script_ask(llm, req, &e, &r, &h->err);
        assert_int_equal(status, none || can.tools ? ALLM_OK : ALLM_E_UNSUPPORTED);
        if (status && strncmp(h->err.message, "tools: ", 7)) fail_msg("%s", h->err.message);
        if (status) assert_true(!e.n_chunks && !r.prompt_tokens), ++*n_refused;
        allm_response_free(&r);
    }
    assert_int_equal(t.n_runs, 0);
}

static void test_prov_tools_unknown(void **state) {
    static const char *const templates[] = {
        NULL, "{{ messages[0].content }}", "{# tools #}{{ messages[0].content }}", /* no form of calls */
        "{# <tool_call> #}{{ messages[0].content }}"};                             /* it is shown none */
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(templates); i++) {
        make_script p = make_script_new((const char *[]){"", "?", "a", "b", NULL});
        script_host h;
        int32_t     n = 0;
        p.chat_template = templates[i];
        make_gguf w     = make_script_file(&p);
        script_begin(&h, 1);
        allm_llm *llm = script_open_bytes(&h, &w);
        prov_tools_unknown(llm, &h, &n);
        assert_int_equal(n, 4);
        allm_destroy(llm);
        make_gguf_free(&w);
        script_end(&h);
    }
}

static void test_prov_tools_smollm2(void **state) { /* whose template knows none */
    script_host h;
    int32_t     n = 0;
    (void)state;
    TEST_NEEDS_SPEED();
    char *path = test_model_path("SmolLM2-135M-Instruct.Q4_1.gguf");
    script_begin(&h, 2);
    allm_llm *llm = script_open_path(&h, path);
    prov_tools_unknown(llm, &h, &n);
    assert_int_equal(n, 4);
    allm_destroy(llm);
    script_end(&h);
    free(path);
}

static void test_prov_reasoning(void **state) {
    make_gguf     w = prov_tool_model();
    script_host   h;
    prov_tool     t   = {0};
    allm_request  req = prov_prompt("?");
    allm_response r   = {0};
    (void)state;
    script_begin(&h, 1);
    allm_llm *llm = script_open_bytes(&h, &w);
    req.sampling = &script_greedy, req.on_chunk = prov_tool_hear, req.on_chunk_ctx = &t;
    prov_tool_answer(llm, &req, &r, ALLM_OK, NULL);
    assert_string_equal(r.text, "Hi");
    assert_string_equal(r.reasoning, "Hm.");
    assert_string_equal(t.reasoning, "Hm.");
    req.max_tokens = 2; /* the reasoning is cut */
    prov_tool_answer(llm, &req, &r, ALLM_OK, NULL);
    assert_true(!strcmp(r.text, "") && !strcmp(r.reasoning, "Hm.") && r.finish == ALLM_FINISH_LENGTH);
    req.raw = 1, req.prompt = "T", req.max_tokens = 0; /* not a chat: as it is */
    prov_tool_answer(llm, &req, &r, ALLM_OK, NULL);
    assert_string_equal(r.text, " <think>Hm. </think>\nHi");
    assert_null(r.reasoning);
    allm_response_free(&r);
    allm_destroy(llm);
    make_gguf_free(&w);
    script_end(&h);
}

/* A tool that is asked for again twice, and the tokens of the chunks meanwhile. */
typedef struct prov_again {
    int     n_runs, fails_at, n;
    int32_t ids[64]; /* [n], as logprobs */
    float   logprobs[64];
} prov_again;

static allm_status prov_again_run(void *ctx, const char *arguments, const char **result, allm_error *err) {
    prov_again *a = (prov_again *)ctx;
    (void)arguments, (void)err;
    *result = ++a->n_runs < 3 ? "P" : "Q";
    return a->n_runs == a->fails_at ? ALLM_E_IO : ALLM_OK;
}

static int prov_again_hear(const allm_chunk *chunk, void *ctx) {
    prov_again *a = (prov_again *)ctx;
    if (chunk->token_id < 0) return assert_true(chunk->logprob == 0), 0;
    assert_in_range(a->n, 0, 63);
    a->ids[a->n] = chunk->token_id, a->logprobs[a->n++] = chunk->logprob;
    return 0;
}

/* Tokens n.. of an answer are those of another one, with all that is said of them. */
static void prov_same_tokens(const allm_response *r, int32_t n, const allm_response *one) {
    size_t from = (size_t)n, count = (size_t)one->completion_tokens, k = (size_t)one->n_logprobs;
    assert_int_equal(r->n_logprobs, one->n_logprobs);
    assert_true(count > 0 && from + count <= (size_t)r->completion_tokens);
    assert_memory_equal(r->token_ids + from, one->token_ids, count * sizeof(int32_t));
    assert_true(!r->logprobs == !one->logprobs && !r->top_ids == !k && !r->top_logprobs == !k);
    if (one->logprobs) assert_memory_equal(r->logprobs + from, one->logprobs, count * sizeof(float));
    if (k) assert_memory_equal(r->top_ids + from * k, one->top_ids, count * k * sizeof(int32_t));
    if (k) assert_memory_equal(r->top_logprobs + from * k, one->top_logprobs, count * k * sizeof(float));
}

/* Token ids and log-probabilities are those of all rounds, one behind the other. */
static void test_prov_tools_logprobs(void **state) {
    static const struct { int32_t n_logprobs, max_tokens, fails_at; } all[] = { /* 6: the arrays have to grow */
        {0, 0, 0}, {-1, 0, 0}, {3, 0, 0}, {0, 6, 0}, {-1, 6, 0}, {3, 6, 0}, {3, 6, 1}, {100, 6, 3}};
    make_gguf   w = prov_tool_model();
    script_host h;
    allm_tool   tool;
    (void)state;
    script_begin(&h, 1);
    allm_llm *llm = script_open_bytes(&h, &w);
    for (size_t i = 0; i < ALLM__COUNT(all); i++) {
        allm_response r = {0}, asks = {0}, tells = {0};
        prov_again    a = {.fails_at = all[i].fails_at};
        allm_request  req = prov_tool_request(NULL, &tool, 1), raw = prov_prompt("P");
        raw.raw = 1, raw.sampling = req.sampling, raw.n_logprobs = req.n_logprobs = all[i].n_logprobs;
        prov_tool_answer(llm, &raw, &asks, ALLM_OK, NULL);
        raw.prompt = "Q";
        prov_tool_answer(llm, &raw, &tells, ALLM_OK, NULL);
        tool.run = prov_again_run, tool.ctx = &a;
        req.on_chunk = prov_again_hear, req.on_chunk_ctx = &a, req.max_tokens = all[i].max_tokens;
        prov_tool_answer(llm, &req, &r, a.fails_at ? ALLM_E_TOOL : ALLM_OK, NULL);
        int32_t n_asks = a.fails_at ? a.fails_at : 3, n = 0;
        assert_true(a.n_runs == n_asks && asks.completion_tokens == 6 && tells.completion_tokens == 2);
        assert_int_equal(r.completion_tokens, n_asks * 6 + (a.fails_at ? 0 : 2));
        for (; n < n_asks; n++) prov_same_tokens(&r, n * 6, &asks);
        if (!a.fails_at) prov_same_tokens(&r, n * 6, &tells);
        for (int k = n = 0; k < a.n; k++) { /* a chunk's token is one of these, in their order, with its logprob */
            while (n < r.completion_tokens && r.token_ids[n] != a.ids[k]) n++;
            assert_true(n < r.completion_tokens && a.logprobs[k] == (r.logprobs ? r.logprobs[n] : 0));
        }
        assert_true(a.n > 3 * n_asks && (!r.logprobs || (r.logprobs[0] != r.logprobs[2] && r.logprobs[0] < -1e-4f)));
        allm_response_free(&r), allm_response_free(&asks), allm_response_free(&tells);
    }
    allm_destroy(llm);
    make_gguf_free(&w);
    script_end(&h);
}

static allm_status prov_tools_life(const allm__host *host, void *ctx) {
    const make_gguf    *w      = (const make_gguf *)ctx;
    allm_runtime_config c      = {0};
    allm_config         config = {0};
    allm_source         src    = {0};
    allm_llm           *llm    = NULL;
    allm_error          err    = {0};
    prov_tool           t      = {.result = "Q"};
    allm_tool           tool;
    allm_response       r   = {0};
    allm_request        req = prov_tool_request(&t, &tool, 1);
    c.allocator = host->mem, c.n_threads = 1;
    src.data = w->bytes, src.n_bytes = w->n, config.source = &src;
    req.n_logprobs = 3, req.max_tokens = 6; /* the second round's do not fit where the first's are */
    allm_status status = allm_runtime_create(&c, &config.runtime, &err);
    if (!status) status = allm_create(NULL, &config, &llm, &err);
    if (!status) status = allm_generate(llm, &req, &r, &err);
    if (!status) assert_string_equal(r.text, "Let me.It is 3.");
    if (!status) assert_true(r.completion_tokens == 8 && r.top_ids);
    for (int32_t i = 0; i < r.completion_tokens && r.token_ids; i++) /* of all, or of none */
        assert_true(r.token_ids[i] >= 0 && r.top_ids[3 * i] == r.token_ids[i] && r.logprobs[i] < 0 &&
                    r.top_logprobs[3 * i] == r.logprobs[i]);
    allm_response_free(&r);
    allm_destroy(llm);
    allm_runtime_destroy(config.runtime);
    return status;
}

static void test_prov_tools_memory(void **state) {
    make_gguf w = prov_tool_model();
    (void)state;
    test_fail_each(prov_tools_life, &w);
    make_gguf_free(&w);
}

static const struct CMUnitTest test_prov[] = {
    cmocka_unit_test(test_prov_seed_of_rounds),
    cmocka_unit_test(test_prov_tools),
    cmocka_unit_test(test_prov_calls_two), cmocka_unit_test(test_prov_calls_none),
    cmocka_unit_test(test_prov_tools_cut),
    cmocka_unit_test(test_prov_left_out),
    cmocka_unit_test(test_prov_tools_unknown),
    cmocka_unit_test(test_prov_tools_smollm2),
    cmocka_unit_test(test_prov_reasoning),
    cmocka_unit_test(test_prov_tools_logprobs),
    cmocka_unit_test(test_prov_tools_memory),
    cmocka_unit_test(test_prov_list),
    cmocka_unit_test(test_prov_register),
    cmocka_unit_test(test_prov_register_too_many),
    cmocka_unit_test(test_prov_register_arguments),
    cmocka_unit_test(test_prov_minimal),
    cmocka_unit_test(test_prov_error_without_message),
    cmocka_unit_test(test_prov_stopped_with_error),
    cmocka_unit_test(test_prov_deaf),
    cmocka_unit_test(test_prov_odd_events),
    cmocka_unit_test(test_prov_choice),
    cmocka_unit_test(test_prov_by_name),
    cmocka_unit_test(test_prov_echo),
    cmocka_unit_test(test_prov_echo_files_and_errors),
    cmocka_unit_test(test_prov_echo_lacks),
    cmocka_unit_test(test_prov_cache),
    cmocka_unit_test(test_prov_cache_shares),
    cmocka_unit_test(test_prov_cache_identity),
    cmocka_unit_test(test_prov_cache_memory_limit),
    cmocka_unit_test(test_prov_cache_threads),
    cmocka_unit_test(test_prov_cache_names),
    cmocka_unit_test(test_prov_cache_list),
    cmocka_unit_test(test_prov_adapter),
    cmocka_unit_test(test_prov_fault_35_reentry),
    cmocka_unit_test(test_prov_nested),
    cmocka_unit_test(test_prov_fault_35_destroy),
    cmocka_unit_test(test_prov_fault_41_surroundings),
    cmocka_unit_test(test_prov_fault_34_cancel_in_callback),
    cmocka_unit_test(test_prov_fault_34_cancel_early),
    cmocka_unit_test(test_prov_fault_34_cancel_between),
    cmocka_unit_test(test_prov_cancel_in_signal_handler),
    cmocka_unit_test(test_prov_fault_34_cancel_other_thread),
    cmocka_unit_test(test_prov_busy_other_thread),
    cmocka_unit_test(test_prov_capabilities),
    cmocka_unit_test(test_prov_model_names),
    cmocka_unit_test(test_prov_no_tokenizer),
};
