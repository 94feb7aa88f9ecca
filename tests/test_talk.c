/* Room talk: turns, tools, what is evaluated again, overflow, files, switching, who may call when. FAULTS rows 32 to 39
 * for chats. */
#include "make_script.h"

/* ---- a provider that writes down what it is sent, and cannot take more than so many bytes */

typedef struct talk_fake {
    char        seen[8192]; /* the last request: ROLE:CONTENT| for each message */
    size_t      limit;      /* bytes of it that fit; 0: any */
    const char *words[8];   /* of the answer; none: "A1", "A2" ... */
    allm_status status;     /* after the words */
    int         n_generate, n_call; /* n_call: so many rounds begin with a call of "add" */
    int32_t     n_count_ctx; /* of count; 0: it is not there */
} talk_fake;

static allm_status talk_fake_open(void *ctx, const allm_config *config, void **self, allm_error *err) {
    return (void)config, (void)err, *self = ctx, ALLM_OK;
}

static int talk_fake_say(const allm_request *req, const char *text) {
    allm_chunk chunk = {ALLM_TEXT, text, strlen(text), -1, 0, 0, NULL, 0};
    return req->on_chunk(&chunk, req->on_chunk_ctx);
}

static void talk_fake_see(const allm_request *req, char *seen, size_t cap) {
    size_t n = 0;
    seen[0]  = 0;
    for (size_t i = 0; i < req->n_messages && n < cap; i++)
        n += (size_t)snprintf(seen + n, cap - n, "%s:%s|", req->messages[i].role,
                              req->messages[i].content ? req->messages[i].content : "-");
}

static allm_status talk_fake_generate(void *self, const allm_request *req, allm_response *out, allm_error *err) {
    talk_fake *f = (talk_fake *)self;
    char       own[32];
    assert_true(!req->prompt && !req->system && !req->n_files && req->n_messages);
    f->n_generate++;
    talk_fake_see(req, f->seen, sizeof f->seen);
    if (f->limit && strlen(f->seen) > f->limit) return ALLM_E_CONTEXT;
    if (f->n_call > 0) {
        allm_chunk call = {ALLM_TOOL_CALL, "{\"x\": 1}", 8, -1, 0, 0, "add", 0};
        f->n_call--;
        if (talk_fake_say(req, "Let me.")) return ALLM_E_CANCELLED;
        return req->on_chunk(&call, req->on_chunk_ctx) ? ALLM_E_CANCELLED : ALLM_OK;
    }
    snprintf(own, sizeof own, "A%d", f->n_generate);
    if (!f->words[0] && talk_fake_say(req, own)) return ALLM_E_CANCELLED;
    for (int i = 0; i < 8 && f->words[i]; i++)
        if (talk_fake_say(req, f->words[i])) return ALLM_E_CANCELLED;
    out->seed = 7;
    if (f->status) snprintf(err->message, sizeof err->message, "it failed"), err->status = f->status;
    return f->status;
}

static allm_status talk_fake_count(void *self, const allm_request *req, int32_t *n_prompt, int32_t *n_ctx,
                                   allm_error *err) {
    talk_fake *f = (talk_fake *)self;
    char       seen[8192];
    (void)err;
    talk_fake_see(req, seen, sizeof seen);
    *n_prompt = (int32_t)strlen(seen), *n_ctx = f->n_count_ctx;
    return ALLM_OK;
}

static allm_llm *talk_fake_llm(script_host *h, talk_fake *f, const char *name) {
    allm_provider p = {0};
    allm_config   c = {0};
    p.name = name, p.open = talk_fake_open, p.generate = talk_fake_generate, p.ctx = f, p.capabilities = script_can;
    if (f->n_count_ctx) p.count = talk_fake_count;
    c.model = "any";
    assert_int_equal(allm_provider_register(h->rt, &p, &h->err), ALLM_OK);
    return script_open(h, name, c);
}

static allm_chat *talk_new(script_host *h, allm_llm *llm, allm_chat_config config) {
    allm_chat *chat = NULL;
    if (allm_chat_create(llm, &config, &chat, &h->err)) fail_msg("%s", h->err.message);
    return chat;
}

/* Sends and takes an answer that has to be this one; NULL: any. */
static allm_response talk_say(script_host *h, allm_chat *chat, const char *text, const char *answer) {
    allm_response r;
    if (allm_chat_send(chat, text, NULL, &r, &h->err)) fail_msg("%s: %s", text ? text : "NULL", h->err.message);
    if (answer) assert_string_equal(r.text, answer);
    return r;
}

static void talk_said(script_host *h, allm_chat *chat, const char *text, const char *answer) {
    allm_response r = talk_say(h, chat, text, answer);
    allm_response_free(&r);
}

/* The history is ROLE:CONTENT| for each message. */
static void talk_expect(const allm_chat *chat, const char *want) {
    const allm_message *m;
    size_t              n;
    char                got[4096];
    allm_request        req = {0};
    assert_int_equal(allm_chat_history(chat, &m, &n, NULL), ALLM_OK);
    req.messages = m, req.n_messages = n;
    talk_fake_see(&req, got, sizeof got);
    assert_string_equal(got, want);
}

/* ---- turns */

static void test_talk_turns(void **state) {
    script_host h;
    talk_fake   f = {0};
    (void)state;
    script_begin(&h, 1);
    allm_llm  *llm  = talk_fake_llm(&h, &f, "fake");
    allm_chat *chat = talk_new(&h, llm, (allm_chat_config){.system = "S"});
    talk_said(&h, chat, "a", "A1");
    talk_said(&h, chat, "b", "A2");
    assert_string_equal(f.seen, "system:S|user:a|assistant:A1|user:b|");
    talk_expect(chat, "user:a|assistant:A1|user:b|assistant:A2|");
    assert_int_equal(allm_chat_send(chat, "c", NULL, NULL, &h.err), ALLM_OK); /* nobody takes the answer */
    talk_expect(chat, "user:a|assistant:A1|user:b|assistant:A2|user:c|assistant:A3|");
    assert_int_equal(allm_chat_truncate(chat, 7, &h.err), ALLM_E_ARGUMENT);
    assert_int_equal(allm_chat_truncate(chat, 2, &h.err), ALLM_OK);
    talk_said(&h, chat, "d", NULL);
    assert_string_equal(f.seen, "system:S|user:a|assistant:A1|user:d|");
    assert_int_equal(allm_chat_truncate(chat, 3, &h.err), ALLM_OK);
    talk_said(&h, chat, NULL, "A5"); /* answered once more */
    assert_string_equal(f.seen, "system:S|user:a|assistant:A1|user:d|");
    allm_message m = {0};
    m.role = "user", m.content = "e";
    assert_int_equal(allm_chat_add(chat, &m, &h.err), ALLM_OK);
    talk_said(&h, chat, NULL, "A6");
    talk_expect(chat, "user:a|assistant:A1|user:d|assistant:A5|user:e|assistant:A6|");
    allm_chat *empty = talk_new(&h, llm, (allm_chat_config){0});
    assert_int_equal(allm_chat_send(empty, NULL, NULL, NULL, &h.err), ALLM_E_ARGUMENT);
    assert_non_null(strstr(h.err.message, "no message to answer"));
    allm_chat_destroy(empty), allm_chat_destroy(chat), allm_destroy(llm);
    script_end(&h);
}

/* A failure leaves the history as it was; a stop keeps what was said, if anything was. */
static int talk_stop_at(const allm_chunk *chunk, void *ctx) {
    int *left = (int *)ctx;
    return chunk->event == ALLM_TEXT && --*left <= 0;
}

static void test_talk_failures(void **state) {
    script_host   h;
    talk_fake     f   = {0};
    allm_request  req = {0};
    allm_response r;
    int           left;
    (void)state;
    script_begin(&h, 1);
    allm_llm  *llm  = talk_fake_llm(&h, &f, "fake");
    allm_chat *chat = talk_new(&h, llm, (allm_chat_config){0});
    talk_said(&h, chat, "a", "A1");
    f.status = ALLM_E_REMOTE, f.words[0] = "half";
    assert_int_equal(allm_chat_send(chat, "b", NULL, &r, &h.err), ALLM_E_REMOTE);
    assert_string_equal(r.text, "half");
    allm_response_free(&r);
    talk_expect(chat, "user:a|assistant:A1|");
    f.status = ALLM_OK, f.words[1] = " more";
    req.on_chunk = talk_stop_at, req.on_chunk_ctx = &left, left = 2;
    assert_int_equal(allm_chat_send(chat, "b", &req, &r, &h.err), ALLM_E_CANCELLED);
    assert_int_equal(r.finish, ALLM_FINISH_CANCELLED);
    allm_response_free(&r);
    talk_expect(chat, "user:a|assistant:A1|user:b|assistant:half more|");
    f.status = ALLM_E_CANCELLED, f.words[0] = NULL, f.words[1] = NULL, f.words[2] = NULL;
    f.words[0] = "";
    req.on_chunk = NULL;
    allm_chat_truncate(chat, 2, NULL);
    assert_int_equal(allm_chat_send(chat, "b", &req, NULL, &h.err), ALLM_E_CANCELLED); /* before a word */
    talk_expect(chat, "user:a|assistant:A1|");
    static const struct { const char *text; allm_request req; const char *says; } rows[] = {
        {"x", {.prompt = "p"}, "a chat gives the messages"}, {"x", {.system = "s"}, "a chat gives the messages"},
        {"x", {.n_messages = 1}, "a chat gives the messages"}, {"x", {.n_prompt_ids = 1}, "a chat gives the messages"},
        {"x", {.raw = 1}, "a chat gives the messages"}, {"\xff", {.raw = 0}, "invalid UTF-8"},
        {"x", {.max_tokens = -1}, "max_tokens"}, {NULL, {.n_files = 1}, "files and images go with a text"},
        {NULL, {.n_images = 1}, "files and images go with a text"},
        {"x", {.tool_choice = "no"}, "tool_choice"},
    };
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        assert_int_equal(allm_chat_send(chat, rows[i].text, &rows[i].req, NULL, &h.err), ALLM_E_ARGUMENT);
        if (!strstr(h.err.message, rows[i].says)) fail_msg("%s", h.err.message);
    }
    talk_expect(chat, "user:a|assistant:A1|");
    allm_chat_destroy(chat), allm_destroy(llm);
    script_end(&h);
}

static void test_talk_add_errors(void **state) {
    static const allm_tool_call none = {"1", NULL, NULL}, list = {"1", "f", "[]"}, bytes = {"1", "f", "{\"\xff\": 1}"};
    static const struct { allm_message m; const char *says; } rows[] = {
        {{NULL, "x", NULL, NULL, 0, NULL, NULL, NULL, 0}, "no role"},
        {{"", "x", NULL, NULL, 0, NULL, NULL, NULL, 0}, "no role"},
        {{"user", "\xc3", NULL, NULL, 0, NULL, NULL, NULL, 0}, "invalid UTF-8"},
        {{"user", "x", NULL, NULL, 1, NULL, NULL, NULL, 0}, "tool_calls is NULL"},
        {{"assistant", "x", NULL, &none, 1, NULL, NULL, NULL, 0}, "name is missing"},
        {{"assistant", "x", NULL, &list, 1, NULL, NULL, NULL, 0}, "is no JSON object"},
        {{"assistant", "x", NULL, &bytes, 1, NULL, NULL, NULL, 0}, "invalid UTF-8"},
    };
    static const struct { allm_chat_config c; const char *says; } configs[] = {
        {{.system = "\xff"}, "invalid UTF-8"}, {{.title = "\xff"}, "invalid UTF-8"}, {{.n_tools = 1}, "tools"},
    };
    script_host h;
    talk_fake   f = {0};
    (void)state;
    script_begin(&h, 1);
    allm_llm  *llm  = talk_fake_llm(&h, &f, "fake");
    allm_chat *chat = talk_new(&h, llm, (allm_chat_config){0});
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        assert_int_equal(allm_chat_add(chat, &rows[i].m, &h.err), ALLM_E_ARGUMENT);
        if (!strstr(h.err.message, rows[i].says)) fail_msg("row %zu: %s", i, h.err.message);
    }
    talk_expect(chat, "");
    allm_chat_destroy(chat);
    for (size_t i = 0; i < ALLM__COUNT(configs); i++) {
        assert_int_equal(allm_chat_create(llm, &configs[i].c, &chat, &h.err), ALLM_E_ARGUMENT);
        assert_null(chat);
        if (!strstr(h.err.message, configs[i].says)) fail_msg("config %zu: %s", i, h.err.message);
    }
    for (int i = -1; i <= 3; i += 4) {
        allm_chat_config c = {0};
        SCRIPT_ENUM(c.overflow, i);
        assert_int_equal(allm_chat_create(llm, &c, &chat, &h.err), ALLM_E_ARGUMENT);
    }
    allm_destroy(llm);
    script_end(&h);
}

/* ---- tools */

typedef struct talk_tool {
    int         n_runs;
    allm_llm   *cancel; /* stops the generation from inside the tool */
    allm_status status;
} talk_tool;

static allm_status talk_tool_run(void *ctx, const char *arguments, const char **result, allm_error *err) {
    talk_tool *t = (talk_tool *)ctx;
    (void)arguments, (void)err;
    t->n_runs++, *result = "3";
    allm_cancel(t->cancel);
    return t->status;
}

static void test_talk_tools(void **state) {
    script_host         h;
    talk_fake           f    = {0};
    talk_tool           t    = {0};
    char                name[] = "add";
    allm_tool           tool = {name, "adds", NULL, talk_tool_run, &t};
    const allm_message *m;
    size_t              n;
    (void)state;
    script_begin(&h, 1);
    allm_llm  *llm  = talk_fake_llm(&h, &f, "fake");
    allm_chat *chat = talk_new(&h, llm, (allm_chat_config){.tools = &tool, .n_tools = 1});
    memset(name, 'x', 3); /* it has its own copy */
    f.n_call = 2;
    allm_response r = talk_say(&h, chat, "sum", "Let me.Let me.A3");
    allm_response_free(&r);
    talk_expect(chat, "user:sum|assistant:Let me.|tool:3|assistant:Let me.|tool:3|assistant:A3|");
    assert_int_equal(allm_chat_history(chat, &m, &n, &h.err), ALLM_OK);
    assert_string_equal(m[1].tool_calls[0].name, "add");
    assert_string_equal(m[1].tool_calls[0].arguments_json, "{\"x\": 1}");
    assert_string_equal(m[2].tool_call_id, m[1].tool_calls[0].id);
    assert_string_equal(m[2].name, "add");
    assert_true(strcmp(m[3].tool_calls[0].id, m[1].tool_calls[0].id) != 0);
    assert_true(m[5].n_tool_calls == 0 && !m[5].tool_calls);
    talk_said(&h, chat, "next", "A4"); /* the rounds are part of what is sent */
    assert_string_equal(f.seen, "user:sum|assistant:Let me.|tool:3|assistant:Let me.|tool:3|assistant:A3|user:next|");
    /* a tool that fails: nothing of the turn stays; one that stops: complete rounds stay */
    allm_chat_truncate(chat, 0, NULL);
    f.n_call = 1, t.status = ALLM_E_IO;
    assert_int_equal(allm_chat_send(chat, "sum", NULL, NULL, &h.err), ALLM_E_TOOL);
    talk_expect(chat, "");
    f.n_call = 1, t.status = ALLM_OK, t.cancel = llm;
    assert_int_equal(allm_chat_send(chat, "sum", NULL, NULL, &h.err), ALLM_E_CANCELLED);
    talk_expect(chat, "user:sum|assistant:Let me.|");
    t.cancel = NULL;
    allm_chat_destroy(chat);
    /* the caller runs them */
    tool.run = NULL, tool.name = "add";
    chat = talk_new(&h, llm, (allm_chat_config){.tools = &tool, .n_tools = 1});
    f.n_call = 1;
    r = talk_say(&h, chat, "sum", "Let me.");
    assert_true(r.finish == ALLM_FINISH_TOOL_CALLS && r.n_tool_calls == 1);
    allm_message result = {"tool", "3", NULL, NULL, 0, r.tool_calls[0].id, "add", NULL, 0};
    assert_int_equal(allm_chat_history(chat, &m, &n, &h.err), ALLM_OK);
    assert_string_equal(m[1].tool_calls[0].id, r.tool_calls[0].id);
    assert_int_equal(allm_chat_add(chat, &result, &h.err), ALLM_OK);
    allm_response_free(&r);
    talk_said(&h, chat, NULL, NULL);
    assert_string_equal(f.seen, "user:sum|assistant:Let me.|tool:3|");
    allm_chat_destroy(chat), allm_destroy(llm);
    script_end(&h);
}

/* A request without tools of its own may name one of the chat's; any other name is refused. */
static void test_talk_tool_choice(void **state) {
    static const struct { const char *choice; allm_status status; } rows[] = {
        {"add", ALLM_OK}, {"required", ALLM_OK}, {"auto", ALLM_OK}, {"sub", ALLM_E_ARGUMENT}};
    script_host h;
    talk_fake   f    = {0};
    allm_tool   tool = {"add", "adds", NULL, NULL, NULL};
    (void)state;
    script_begin(&h, 1);
    allm_llm *llm = talk_fake_llm(&h, &f, "fake");
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm_chat   *chat  = talk_new(&h, llm, (allm_chat_config){.tools = &tool, .n_tools = 1});
        allm_request extra = {.tool_choice = rows[i].choice};
        if (allm_chat_send(chat, "sum", &extra, NULL, &h.err) != rows[i].status)
            fail_msg("%s: %s", rows[i].choice, h.err.message);
        allm_chat_destroy(chat);
    }
    allm_destroy(llm);
    script_end(&h);
}

/* ---- overflow */

/* Providers that cannot count refuse, until half of the older turns and again half of them are gone; the system's
 * messages and the last turn stay, and so does the history. */
static void test_talk_overflow(void **state) {
    (void)state;
    for (int counts = 0; counts < 2; counts++)
        for (int policy = 0; policy < 3; policy++) {
            script_host      h;
            talk_fake        f = {0};
            allm_chat_config c = {0};
            allm_message     m = {0};
            char             all[1000] = "system:T|", text[8], want[400];
            f.limit = 120, f.n_count_ctx = counts ? 120 : 0;
            SCRIPT_ENUM(c.overflow, policy);
            c.system = "S";
            script_begin(&h, 1);
            allm_llm  *llm  = talk_fake_llm(&h, &f, "fake");
            allm_chat *chat = talk_new(&h, llm, c);
            m.role = "system", m.content = "T";
            assert_int_equal(allm_chat_add(chat, &m, &h.err), ALLM_OK);
            f.words[0] = "yes";
            int failed = 0;
            for (int i = 0; i < 12; i++) {
                snprintf(text, sizeof text, "q%d", i);
                allm_status status = allm_chat_send(chat, text, NULL, NULL, &h.err);
                failed += status == ALLM_E_CONTEXT;
                if (!status) snprintf(all + strlen(all), 40, "user:%s|assistant:yes|", text);
                else assert_int_equal(status, ALLM_E_CONTEXT);
                assert_true(status || strlen(f.seen) <= 120);
                if (!status) assert_memory_equal(f.seen, "system:S|system:T|", 18);
                snprintf(want, sizeof want, "user:%s|", text);
                if (!status) assert_non_null(strstr(f.seen, want));
                if (!status && counts && policy) assert_true(strlen(f.seen) <= 90); /* room for the answer */
                const char *first = f.seen + 18; /* whole turns */
                if (!status) assert_memory_equal(first, "user:", 5);
            }
            talk_expect(chat, all);
            assert_int_equal(failed > 0, policy == 0);
            memset(text, 0, sizeof text);
            char *large = (char *)calloc(200, 1);
            memset(large, 'x', 199);
            assert_int_equal(allm_chat_send(chat, large, NULL, NULL, &h.err), ALLM_E_CONTEXT); /* alone too long */
            talk_expect(chat, all);
            free(large);
            if (policy) talk_said(&h, chat, "ok", "yes");
            f.limit = 0, f.n_count_ctx = 5000; /* a larger model has all of it again */
            assert_int_equal(allm_chat_switch(chat, llm, &h.err), ALLM_OK);
            talk_said(&h, chat, "end", "yes");
            assert_non_null(strstr(f.seen, "user:q0|assistant:yes|user:q1|"));
            allm_chat_destroy(chat), allm_destroy(llm);
            script_end(&h);
        }
}

/* A model's own context: the conversation never ends, turns are whole, each answer has its room. */
static void test_talk_overflow_local(void **state) {
    script_host   h;
    allm_request  req = {0};
    allm_response r;
    int           n_full = 0;
    (void)state;
    script_begin(&h, 1);
    allm_llm  *llm  = script_open_path(&h, SCRIPT_TINY);
    allm_chat *chat = talk_new(&h, llm, (allm_chat_config){.system = "You tell short stories.",
                                                           .overflow = ALLM_OVERFLOW_DROP_OLDEST});
    req.sampling = &script_greedy, req.max_tokens = 40;
    for (int i = 0; i < 14; i++) {
        if (allm_chat_send(chat, "Tell me of a fox and of a rabbit that saw the moon.", &req, &r, &h.err))
            fail_msg("turn %d: %s", i, h.err.message);
        assert_true(r.prompt_tokens <= SCRIPT_TINY_CTX - 40);
        n_full += r.cached_tokens < r.prompt_tokens / 2;
        assert_true(r.finish == ALLM_FINISH_STOP || r.completion_tokens == 40);
        allm_response_free(&r);
    }
    assert_true(n_full < 7); /* most turns go on from the last one */
    allm_chat_destroy(chat);
    chat = talk_new(&h, llm, (allm_chat_config){0});
    char *large = (char *)calloc(8001, 1);
    memset(large, 'x', 8000);
    assert_int_equal(allm_chat_send(chat, large, &req, NULL, &h.err), ALLM_E_CONTEXT);
    assert_non_null(strstr(h.err.message, "the context holds 512"));
    test_temp   file   = test_temp_new(large, 8000);
    const char *path   = file.path;
    req.files = &path, req.n_files = 1;
    assert_int_equal(allm_chat_send(chat, "Read.", &req, NULL, &h.err), ALLM_E_CONTEXT);
    assert_non_null(strstr(h.err.message, "this is the largest of its files, 8000 bytes"));
    talk_expect(chat, "");
    free(large);
    test_temp_remove(&file);
    allm_chat_destroy(chat), allm_destroy(llm);
    script_end(&h);
}

/* ---- what is evaluated again */

/* The logits behind the session's text, made anew from its last token: an answer with guesses leaves none. */
static const float *talk_logits(allm_session *s) {
    allm_error err = {0};
    size_t     n   = allm_session_length(s);
    int32_t    id  = s->history[n - 1];
    if (allm_session_truncate(s, n - 1, &err) || allm_session_eval(s, &id, 1, 0, &err)) fail_msg("%s", err.message);
    return allm_session_logits(s, 0);
}

/* Turn for turn the answers of a chat are those of a model that sees the conversation for the first time, and only what
 * is new is evaluated; also after an edit. */
static void talk_check_prefix(const char *path, const char *const *texts, int n_texts, int32_t max_tokens) {
    script_host   h;
    allm_request  req = {0};
    int32_t       n_before = 0;
    script_begin(&h, 2);
    allm_llm  *llm  = script_open_path(&h, path);
    allm_chat *chat = talk_new(&h, llm, (allm_chat_config){.system = "You tell short stories."});
    req.sampling = &script_greedy, req.max_tokens = max_tokens;
    for (int i = 0; i < n_texts; i++) {
        if (i == 2) { /* edited: the second turn is another one */
            assert_int_equal(allm_chat_truncate(chat, 2, &h.err), ALLM_OK);
        }
        allm_response r, cold;
        if (allm_chat_send(chat, texts[i], &req, &r, &h.err)) fail_msg("%s", h.err.message);
        const allm_message *m;
        size_t              n;
        allm_message        all[16] = {{.role = "system", .content = "You tell short stories."}};
        allm_request        whole   = req;
        assert_int_equal(allm_chat_history(chat, &m, &n, &h.err), ALLM_OK);
        memcpy(all + 1, m, (n - 1) * sizeof *m); /* but for the answer */
        whole.messages = all, whole.n_messages = n;
        allm_llm *fresh = script_open_path(&h, path);
        assert_int_equal(allm_generate(fresh, &whole, &cold, &h.err), ALLM_OK);
        assert_string_equal(r.text, cold.text);
        assert_string_equal(m[n - 1].content, cold.text);
        assert_int_equal(r.prompt_tokens, cold.prompt_tokens);
        assert_int_equal(r.completion_tokens, cold.completion_tokens);
        assert_memory_equal(r.token_ids, cold.token_ids, (size_t)r.completion_tokens * sizeof(int32_t));
        assert_int_equal(cold.cached_tokens, 0);
        allm_session *a = ((allm__local *)llm->self)->sess.session, *b = ((allm__local *)fresh->self)->sess.session;
        assert_memory_equal(talk_logits(a), talk_logits(b), (size_t)a->m->hp.n_vocab * sizeof(float));
        printf("             turn %d: %d of %d tokens evaluated\n", i + 1, (int)(r.prompt_tokens - r.cached_tokens),
               (int)r.prompt_tokens);
        if (i) assert_true(r.cached_tokens > 8); /* at least what was not edited */
        if (i == 1 || i > 2) assert_true(r.cached_tokens >= n_before); /* all of the last prompt */
        n_before = r.prompt_tokens;
        allm_response_free(&r), allm_response_free(&cold);
        allm_destroy(fresh);
    }
    allm_chat_destroy(chat), allm_destroy(llm);
    script_end(&h);
}

static void test_talk_prefix(void **state) {
    static const char *const texts[] = {"A fox saw a cake.", "Go on.", "Tell it with a bear.", "And then?"};
    (void)state;
    talk_check_prefix(SCRIPT_TINY, texts, 4, 24);
}

static void test_talk_prefix_smollm2(void **state) {
    static const char *const texts[] = {"Name three rivers.", "And three mountains?", "And three lakes?", "Why these?"};
    (void)state;
    TEST_NEEDS_SPEED();
    char *path = test_model_path("SmolLM2-135M-Instruct.Q4_1.gguf");
    talk_check_prefix(path, texts, 4, 24);
    free(path);
}

/* ---- files */

static void test_talk_save_load(void **state) {
    script_host h;
    talk_fake   f    = {0};
    talk_tool   t    = {0};
    allm_tool   tool = {"add", "adds", NULL, talk_tool_run, &t};
    allm_chat  *copy = NULL;
    size_t      n;
    (void)state;
    script_begin(&h, 1);
    allm_llm  *llm  = talk_fake_llm(&h, &f, "fake");
    allm_chat *chat =
        talk_new(&h, llm, (allm_chat_config){.system = "S", .title = "T\"", .tools = &tool, .n_tools = 1});
    test_temp  file = test_temp_new("old", 3);
    f.n_call = 1;
    talk_said(&h, chat, "sum", "Let me.A2");
    assert_int_equal(allm_chat_save(chat, file.path, 0, &h.err), ALLM_OK);
    char *text = test_read(file.path, &n);
    assert_non_null(strstr(text, "\"title\": \"T\\\"\""));
    assert_non_null(strstr(text, "\"fake\": {\n      \"model\": \"any\",\n      \"seed\": 7,"));
    free(text);
    if (allm_chat_load(llm, file.path, NULL, &copy, &h.err)) fail_msg("%s", h.err.message);
    talk_expect(copy, "user:sum|assistant:Let me.|tool:3|assistant:A2|");
    talk_said(&h, copy, "next", "A3");
    assert_string_equal(f.seen, "system:S|user:sum|assistant:Let me.|tool:3|assistant:A2|user:next|");
    allm_chat_destroy(copy);
    allm_chat_config c = {.system = "Z", .title = "U"};
    if (allm_chat_load(llm, file.path, &c, &copy, &h.err)) fail_msg("%s", h.err.message);
    talk_said(&h, copy, "next", "A4");
    assert_memory_equal(f.seen, "system:Z|user:sum", 17);
    assert_int_equal(allm_chat_save(copy, file.path, 0, &h.err), ALLM_OK);
    text = test_read(file.path, &n);
    assert_true(strstr(text, "\"title\": \"U\"") && !strstr(text, "\"T\\\"\""));
    free(text);
    allm_chat_destroy(copy);
    assert_int_equal(allm_chat_save(chat, "/nonexistent/x", 0, &h.err), ALLM_E_IO);
    assert_int_equal(allm_chat_save(chat, "/tmp", 0, &h.err), ALLM_E_ARGUMENT);
    assert_int_equal(allm_chat_save(chat, "", 0, &h.err), ALLM_E_ARGUMENT);
    assert_string_equal(h.err.message, "path is empty");
    assert_int_equal(allm_chat_save(chat, file.path, 1, &h.err), ALLM_E_UNSUPPORTED);
    assert_int_equal(allm_chat_load(llm, "/nonexistent/x", NULL, &copy, &h.err), ALLM_E_NOT_FOUND);
    assert_null(copy);
    test_temp_remove(&file);
    allm_chat_destroy(chat), allm_destroy(llm);
    script_end(&h);
}

/* A system prompt that is the first message too is sent once. */
static void test_talk_system_once(void **state) {
    static const char one[] = "{\"system_prompt\": \"S\", \"messages\": [{\"role\": \"system\", \"content\": \"S\"}, "
                              "{\"role\": \"user\", \"content\": \"a\"}]}";
    script_host h;
    talk_fake   f    = {0};
    allm_chat  *chat = NULL;
    (void)state;
    script_begin(&h, 1);
    allm_llm *llm  = talk_fake_llm(&h, &f, "fake");
    test_temp file = test_temp_new(one, sizeof one - 1);
    if (allm_chat_load(llm, file.path, NULL, &chat, &h.err)) fail_msg("%s", h.err.message);
    talk_said(&h, chat, NULL, "A1");
    assert_string_equal(f.seen, "system:S|user:a|");
    test_temp_remove(&file);
    allm_chat_destroy(chat), allm_destroy(llm);
    script_end(&h);
}

/* Files of a request become part of the turn's text, for good. */
static void test_talk_files(void **state) {
    script_host  h;
    talk_fake    f    = {0};
    allm_request req  = {0};
    test_temp    file = test_temp_new("inside", 6);
    const char  *path = file.path;
    char         want[400];
    (void)state;
    script_begin(&h, 1);
    allm_llm  *llm  = talk_fake_llm(&h, &f, "fake");
    allm_chat *chat = talk_new(&h, llm, (allm_chat_config){0});
    req.files = &path, req.n_files = 1;
    assert_int_equal(allm_chat_send(chat, "Read:", &req, NULL, &h.err), ALLM_OK);
    talk_said(&h, chat, "And?", "A2");
    snprintf(want, sizeof want, "user:Read:\n\n### Content from file '%s':\ninside\n###\n|assistant:A1|user:And?|",
             strrchr(file.path, '/') + 1);
    assert_string_equal(f.seen, want);
    path = "/nonexistent";
    assert_int_equal(allm_chat_send(chat, "Read:", &req, NULL, &h.err), ALLM_E_NOT_FOUND);
    test_temp_remove(&file);
    allm_chat_destroy(chat), allm_destroy(llm);
    script_end(&h);
}

/* ---- state beside the file */

typedef struct talk_folder { /* a folder of its own, with everything in it */
    char path[256], file[300];
} talk_folder;

static talk_folder talk_folder_new(void) {
    talk_folder t;
    const char *tmp = getenv("TMPDIR");
    snprintf(t.path, sizeof t.path, "%s/allm-talk-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(t.path));
    snprintf(t.file, sizeof t.file, "%s/talk.json", t.path);
    return t;
}

/* How many files there are; the last one with state, if kv is given. */
static int talk_folder_files(const talk_folder *t, char kv[600]) {
    DIR *dir = opendir(t->path);
    int  n   = 0;
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.') continue;
        if (kv && strstr(e->d_name, ".kv")) snprintf(kv, 600, "%s/%s", t->path, e->d_name);
        n++;
    }
    closedir(dir);
    return n;
}

static void talk_folder_remove(const talk_folder *t) {
    DIR *dir = opendir(t->path);
    char name[600];
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        snprintf(name, sizeof name, "%s/%s", t->path, e->d_name);
        if (e->d_name[0] != '.') unlink(name);
    }
    closedir(dir);
    assert_int_equal(rmdir(t->path), 0);
}

static void talk_same_answer(script_host *h, allm_chat *one, allm_chat *two, const char *text, int32_t max_tokens) {
    allm_request  req = {0};
    allm_response a, b;
    req.sampling = &script_greedy, req.max_tokens = max_tokens, req.n_logprobs = 3;
    if (allm_chat_send(one, text, &req, &a, &h->err)) fail_msg("%s", h->err.message);
    if (allm_chat_send(two, text, &req, &b, &h->err)) fail_msg("%s", h->err.message);
    assert_string_equal(a.text, b.text);
    assert_int_equal(a.cached_tokens, b.cached_tokens); /* the saved state is as good as the one that was there */
    assert_true(a.cached_tokens > 0);
    assert_int_equal(a.completion_tokens, b.completion_tokens);
    assert_memory_equal(a.token_ids, b.token_ids, (size_t)a.completion_tokens * sizeof(int32_t));
    assert_memory_equal(a.logprobs, b.logprobs, (size_t)a.completion_tokens * sizeof(float));
    assert_memory_equal(a.top_logprobs, b.top_logprobs, (size_t)a.completion_tokens * 3 * sizeof(float));
    allm_session *s = ((allm__local *)one->llm->self)->sess.session, *t = ((allm__local *)two->llm->self)->sess.session;
    assert_memory_equal(talk_logits(s), talk_logits(t), (size_t)s->m->hp.n_vocab * sizeof(float));
    allm_response_free(&a), allm_response_free(&b);
}

static void talk_check_state(const char *path, int32_t n_first, int32_t n_second) {
    script_host  h;
    allm_request req  = {0};
    allm_chat   *copy = NULL;
    talk_folder  t    = talk_folder_new();
    script_begin(&h, 1);
    allm_llm  *llm  = script_open_path(&h, path), *other = script_open_path(&h, path);
    allm_chat *chat = talk_new(&h, llm, (allm_chat_config){.system = "You tell short stories."});
    req.sampling = &script_greedy, req.max_tokens = n_first;
    assert_int_equal(allm_chat_send(chat, "A fox saw a cake.", &req, NULL, &h.err), ALLM_OK);
    if (allm_chat_save(chat, t.file, 1, &h.err)) fail_msg("%s", h.err.message);
    assert_int_equal(talk_folder_files(&t, NULL), 2);
    if (allm_chat_load(other, t.file, NULL, &copy, &h.err)) fail_msg("%s", h.err.message);
    talk_same_answer(&h, chat, copy, "Go on.", n_second);
    /* saved again: the older state goes, whoever saves; without state there is none */
    assert_int_equal(allm_chat_save(copy, t.file, 1, &h.err), ALLM_OK);
    assert_int_equal(talk_folder_files(&t, NULL), 2);
    allm_chat_destroy(chat);
    if (allm_chat_load(llm, t.file, NULL, &chat, &h.err)) fail_msg("%s", h.err.message);
    talk_same_answer(&h, chat, copy, "And then?", 8);
    assert_int_equal(allm_chat_save(chat, t.file, 0, &h.err), ALLM_OK);
    assert_int_equal(talk_folder_files(&t, NULL), 1);
    allm_chat_destroy(chat), allm_chat_destroy(copy);
    allm_destroy(llm), allm_destroy(other);
    talk_folder_remove(&t);
    script_end(&h);
}

static void test_talk_state(void **state) {
    (void)state;
    talk_check_state(SCRIPT_TINY, 24, 40);
}

static void test_talk_state_smollm2(void **state) {
    (void)state;
    TEST_NEEDS_SPEED();
    char *path = test_model_path("SmolLM2-135M-Instruct.Q4_1.gguf");
    talk_check_state(path, 16, 100);
    free(path);
}

/* Nothing of another conversation leaves with a state. */
static void test_talk_state_own(void **state) {
    script_host h;
    char        kv[600] = "";
    talk_folder t = talk_folder_new();
    (void)state;
    script_begin(&h, 1);
    allm_llm    *llm = script_open_path(&h, SCRIPT_TINY);
    allm_chat   *one = talk_new(&h, llm, (allm_chat_config){0}), *two = talk_new(&h, llm, (allm_chat_config){0});
    allm_request req = {0};
    req.sampling = &script_greedy, req.max_tokens = 8;
    assert_int_equal(allm_chat_send(one, "A fox.", &req, NULL, &h.err), ALLM_OK);
    assert_int_equal(allm_chat_send(two, "Another conversation, much longer than that.", &req, NULL, &h.err), ALLM_OK);
    assert_int_equal(allm_chat_save(one, t.file, 1, &h.err), ALLM_OK);
    allm__sess *s = &((allm__local *)llm->self)->sess;
    allm_response r;
    if (talk_folder_files(&t, kv) == 2) { /* the beginning that both have */
        allm_chat *copy = NULL;
        assert_int_equal(allm_chat_load(llm, t.file, NULL, &copy, &h.err), ALLM_OK);
        assert_true(s->n < 12);
        allm_chat_destroy(copy);
    }
    assert_int_equal(allm_chat_send(one, "Go on.", &req, &r, &h.err), ALLM_OK);
    assert_true(r.cached_tokens < 12);
    allm_response_free(&r);
    allm_chat_destroy(one), allm_chat_destroy(two), allm_destroy(llm);
    talk_folder_remove(&t);
    script_end(&h);
}

static void talk_write_file(const char *path, const char *bytes, size_t n) {
    FILE *f = fopen(path, "wb");
    assert_true(f && fwrite(bytes, 1, n, f) == n);
    fclose(f);
}

/* A state that is damaged, gone or not this model's is an error, unless none is asked for; the model goes on. */
static void test_talk_state_bad(void **state) {
    script_host      h;
    char             kv[600] = "";
    size_t           n, n_json;
    talk_folder      t    = talk_folder_new();
    allm_chat       *copy = NULL;
    allm_chat_config only = {.ignore_state = 1};
    (void)state;
    script_begin(&h, 1);
    allm_llm    *llm = script_open_path(&h, SCRIPT_TINY), *story = script_open_path(&h, SCRIPT_STORY);
    allm_chat   *chat = talk_new(&h, llm, (allm_chat_config){0});
    allm_request req = {0};
    req.sampling = &script_greedy, req.max_tokens = 4;
    assert_int_equal(allm_chat_send(chat, "A fox.", &req, NULL, &h.err), ALLM_OK);
    assert_int_equal(allm_chat_save(chat, t.file, 1, &h.err), ALLM_OK);
    assert_int_equal(talk_folder_files(&t, kv), 2);
    char *bytes = test_read(kv, &n), *json = test_read(t.file, &n_json);
    for (size_t i = 0; i <= n; i += i < 200 || i + 200 > n ? 13 : n / 50) { /* cut, or a bit of it turned */
        talk_write_file(kv, bytes, i == n ? i - 1 : i);
        assert_int_equal(allm_chat_load(llm, t.file, NULL, &copy, &h.err), ALLM_E_FORMAT);
        assert_null(copy);
        if (i == n) break;
        bytes[i] ^= 4;
        talk_write_file(kv, bytes, n);
        assert_int_equal(allm_chat_load(llm, t.file, NULL, &copy, &h.err), ALLM_E_FORMAT);
        assert_true(strstr(h.err.message, "SHA-256") && strstr(h.err.message, ".kv: "));
        assert_int_equal(allm_chat_load(llm, t.file, &only, &copy, &h.err), ALLM_OK);
        allm_chat_destroy(copy);
        bytes[i] ^= 4;
    }
    talk_write_file(kv, bytes, n);
    assert_int_equal(allm_chat_load(story, t.file, NULL, &copy, &h.err), ALLM_E_ARGUMENT); /* another model */
    assert_non_null(strstr(h.err.message, ".kv: "));
    allm_llm *echo = script_open(&h, "echo", (allm_config){0}); /* the state is not its: only checked, if it is there */
    for (int i = 0; i < 3; i++) {
        if (i == 1) talk_write_file(kv, "damaged", 7);
        if (i == 2) unlink(kv);
        assert_int_equal(allm_chat_load(echo, t.file, NULL, &copy, &h.err), i == 1 ? ALLM_E_FORMAT : ALLM_OK);
        if (i == 1) assert_true(!copy && strstr(h.err.message, "SHA-256") && strstr(h.err.message, ".kv: "));
        if (i == 1) assert_int_equal(allm_chat_load(echo, t.file, &only, &copy, &h.err), ALLM_OK);
        talk_said(&h, copy, "say this", "say this");
        allm_chat_destroy(copy);
    }
    assert_int_equal(allm_chat_load(llm, t.file, NULL, &copy, &h.err), ALLM_E_NOT_FOUND);
    static const struct { const char *from, *to, *says; } rows[] = { /* what the conversation's file says of it */
        {"talk.json.", "../k.json.", "kv_snapshot"}, {"talk.json.", "/alk.json.", "kv_snapshot"},
        {"talk.json.", "..lk.json.", "kv_snapshot"}, {"\"kv_sha256\": \"", "\"kv_shaXYZ\": \"", "kv_sha256"},
        {"\"kv_sha256\": \"", "\"kv_sha256\": 1,\"", "a string expected"},
    };
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        char *at = strstr(json, rows[i].from), was[40];
        assert_non_null(at);
        memcpy(was, at, sizeof was - 1);
        memcpy(at, rows[i].to, strlen(rows[i].to));
        talk_write_file(t.file, json, n_json);
        assert_int_equal(allm_chat_load(llm, t.file, NULL, &copy, &h.err), ALLM_E_FORMAT);
        if (i < 4 && !strstr(h.err.message, rows[i].says)) fail_msg("%s", h.err.message);
        memcpy(at, was, sizeof was - 1);
    }
    assert_int_equal(allm_chat_send(chat, "Go on.", &req, NULL, &h.err), ALLM_OK);
    free(bytes), free(json);
    allm_chat_destroy(chat), allm_destroy(llm), allm_destroy(story), allm_destroy(echo);
    talk_folder_remove(&t);
    script_end(&h);
}

/* A save that fails leaves what stood there, with its state. */
static void test_talk_state_failing(void **state) {
    script_host h;
    char        kv[600] = "", now[600] = "";
    size_t      n, n2;
    talk_folder t    = talk_folder_new();
    allm_chat  *copy = NULL;
    (void)state;
    script_begin(&h, 1);
    allm_llm    *llm  = script_open_path(&h, SCRIPT_TINY);
    allm_chat   *chat = talk_new(&h, llm, (allm_chat_config){0});
    allm_request req  = {0};
    req.sampling = &script_greedy, req.max_tokens = 4;
    assert_int_equal(allm_chat_send(chat, "A fox.", &req, NULL, &h.err), ALLM_OK);
    assert_int_equal(allm_chat_save(chat, t.file, 1, &h.err), ALLM_OK);
    talk_folder_files(&t, kv);
    char *before = test_read(t.file, &n);
    assert_int_equal(allm_chat_send(chat, "Go on.", &req, NULL, &h.err), ALLM_OK);
    int failed = 0;
    for (int64_t k = 1; k < 4000; k++) { /* memory is gone at each place in turn */
        h.heap.fail_at = h.heap.n_calls + k;
        allm_status status = allm_chat_save(chat, t.file, 1, &h.err);
        int reached = h.heap.n_calls >= h.heap.fail_at;
        h.heap.fail_at = 0;
        if (!reached) break;
        if (!status) continue;
        assert_int_equal(status, ALLM_E_MEMORY);
        failed++;
        if (k < 1000 && failed % 8 != 1) continue;
        char *after = test_read(t.file, &n2);
        assert_true(n == n2 && !memcmp(before, after, n));
        free(after);
        assert_int_equal(talk_folder_files(&t, now), 2);
        assert_string_equal(now, kv);
    }
    assert_true(failed > 3);
    assert_int_equal(allm_chat_load(llm, t.file, NULL, &copy, &h.err), ALLM_OK);
    allm_chat_destroy(copy), allm_chat_destroy(chat), allm_destroy(llm);
    free(before);
    talk_folder_remove(&t);
    script_end(&h);
}

/* With ALLM_OVERFLOW_SHIFT most of what stays is moved, not evaluated again. */
static void test_talk_shift(void **state) {
    int32_t n_new[2] = {0, 0}, n_turns = 14;
    (void)state;
    for (int shifts = 0; shifts < 2; shifts++) {
        script_host      h;
        allm_chat_config c   = {0};
        allm_request     req = {0};
        allm_response    r;
        script_begin(&h, 1);
        c.overflow = shifts ? ALLM_OVERFLOW_SHIFT : ALLM_OVERFLOW_DROP_OLDEST, c.system = "You tell short stories.";
        allm_llm  *llm  = script_open_path(&h, SCRIPT_TINY);
        allm_chat *chat = talk_new(&h, llm, c);
        req.sampling = &script_greedy, req.max_tokens = 24;
        for (int i = 0; i < n_turns; i++) {
            char text[80];
            snprintf(text, sizeof text, "Tell me of fox number %d and of the rabbit that saw %d moons.", i, i * i);
            if (allm_chat_send(chat, text, &req, &r, &h.err)) fail_msg("turn %d: %s", i, h.err.message);
            n_new[shifts] += r.prompt_tokens - r.cached_tokens;
            allm_response_free(&r);
        }
        allm_chat_destroy(chat), allm_destroy(llm);
        script_end(&h);
    }
    printf("             %d turns: %d tokens evaluated, shifting %d\n", (int)n_turns, (int)n_new[0], (int)n_new[1]);
    assert_true(n_new[1] < n_new[0]);
}

/* ---- who may call when */

typedef struct talk_inside { /* calls back into the chat from its own callback */
    allm_chat *chat;
    allm_llm  *llm;
    int        destroys, n;
} talk_inside;

static int talk_inside_hear(const allm_chunk *chunk, void *ctx) {
    talk_inside        *t = (talk_inside *)ctx;
    const allm_message *m;
    size_t              n;
    allm_message        one = {"user", "x", NULL, NULL, 0, NULL, NULL, NULL, 0};
    allm_response       r;
    if (chunk->event != ALLM_TEXT) return 0;
    t->n++;
    if (t->destroys) return allm_chat_destroy(t->chat), 0;
    assert_int_equal(allm_chat_send(t->chat, "x", NULL, &r, NULL), ALLM_E_BUSY);
    assert_null(r.text);
    assert_int_equal(allm_chat_add(t->chat, &one, NULL), ALLM_E_BUSY);
    assert_int_equal(allm_chat_history(t->chat, &m, &n, NULL), ALLM_E_BUSY);
    assert_int_equal(allm_chat_truncate(t->chat, 0, NULL), ALLM_E_BUSY);
    assert_int_equal(allm_chat_switch(t->chat, t->llm, NULL), ALLM_E_BUSY);
    assert_int_equal(allm_chat_save(t->chat, "/tmp/x", 0, NULL), ALLM_E_BUSY);
    return 0;
}

static void test_talk_callbacks(void **state) {
    script_host  h;
    talk_fake    f   = {0};
    allm_request req = {0};
    (void)state;
    script_begin(&h, 1);
    allm_llm   *llm   = talk_fake_llm(&h, &f, "fake");
    allm_chat  *chat  = talk_new(&h, llm, (allm_chat_config){0}), *other = talk_new(&h, llm, (allm_chat_config){0});
    talk_inside t     = {chat, llm, 0, 0};
    f.words[0] = "a", f.words[1] = "b";
    req.on_chunk = talk_inside_hear, req.on_chunk_ctx = &t;
    assert_int_equal(allm_chat_send(chat, "hi", &req, NULL, &h.err), ALLM_OK);
    assert_int_equal(t.n, 2);
    talk_expect(chat, "user:hi|assistant:ab|");
    t.chat = other, t.destroys = 0; /* another chat of the same model: it is the model that is busy */
    allm_chat_destroy(other);
    t.chat = chat, t.destroys = 1, t.n = 0; /* destroyed by its own callback: cancelled, and gone when send is back */
    allm_response r;
    assert_int_equal(allm_chat_send(chat, "hi", &req, &r, &h.err), ALLM_E_CANCELLED);
    assert_int_equal(t.n, 1);
    allm_response_free(&r);
    allm_chat_destroy(NULL);
    allm_destroy(llm);
    script_end(&h);
}

#ifndef ABSTRACTLLM_NO_THREADS
typedef struct talk_thread {
    allm_chat  *chat;
    allm_status status;
} talk_thread;

static void *talk_thread_main(void *arg) {
    talk_thread  *t   = (talk_thread *)arg;
    allm_request  req = {0};
    allm_response r;
    req.sampling = &script_greedy, req.max_tokens = 400;
    t->status = allm_chat_send(t->chat, "Tell me a long story of a fox.", &req, &r, NULL);
    allm_response_free(&r);
    return NULL;
}

/* From another thread: busy while it answers; destroying cancels it. */
static void test_talk_threads(void **state) {
    script_host h;
    pthread_t   thread;
    (void)state;
    script_begin(&h, 1);
    allm_llm *llm = script_open_path(&h, SCRIPT_STORY);
    for (int i = 0; i < 8; i++) {
        talk_thread t = {talk_new(&h, llm, (allm_chat_config){0}), ALLM_OK};
        assert_int_equal(pthread_create(&thread, NULL, talk_thread_main, &t), 0);
        for (int tries = 0; tries < 10000; tries++) {
            const allm_message *m;
            size_t              n;
            allm_status         status = allm_chat_history(t.chat, &m, &n, NULL);
            assert_true(status == ALLM_OK || status == ALLM_E_BUSY);
            if (status == ALLM_E_BUSY) break;
            allm__plat_sleep(1);
        }
        allm__plat_sleep(i);
        if (i % 2) allm_cancel(llm);
        else allm_chat_destroy(t.chat);
        pthread_join(thread, NULL);
        assert_true(t.status == ALLM_E_CANCELLED || t.status == ALLM_OK);
        if (i % 2) allm_chat_destroy(t.chat);
    }
    allm_destroy(llm);
    script_end(&h);
}
#endif

static void test_talk_switch(void **state) {
    script_host h;
    talk_fake   f = {0}, g = {0};
    (void)state;
    script_begin(&h, 1);
    allm_llm  *one  = talk_fake_llm(&h, &f, "one"), *two = talk_fake_llm(&h, &g, "two");
    allm_llm  *echo = script_open(&h, "echo", (allm_config){0}), *tiny = script_open_path(&h, SCRIPT_TINY);
    allm_chat *chat = talk_new(&h, one, (allm_chat_config){.system = "S"});
    talk_said(&h, chat, "a", "A1");
    assert_int_equal(allm_chat_switch(chat, two, &h.err), ALLM_OK);
    allm_destroy(one); /* it is not needed any more */
    talk_said(&h, chat, "b", "A1");
    assert_string_equal(g.seen, "system:S|user:a|assistant:A1|user:b|");
    assert_int_equal(allm_chat_switch(chat, echo, &h.err), ALLM_OK);
    talk_said(&h, chat, "say this", "say this");
    assert_int_equal(allm_chat_switch(chat, tiny, &h.err), ALLM_OK);
    talk_said(&h, chat, "And a fox?", NULL);
    allm_chat_destroy(chat);
    allm_destroy(two), allm_destroy(echo), allm_destroy(tiny);
    script_end(&h);
}

/* ---- memory */

typedef struct talk_faults { const char *path; } talk_faults;

static allm_status talk_fault_body(const allm__host *host, void *ctx) {
    talk_faults        *p  = (talk_faults *)ctx;
    allm_runtime_config rc = {0};
    allm_runtime       *rt = NULL;
    allm_llm           *llm = NULL;
    allm_chat          *chat = NULL, *copy = NULL;
    allm_error          err;
    talk_fake           f = {0};
    talk_tool           t = {0};
    allm_tool           tool = {"add", "adds", "{}", talk_tool_run, &t};
    allm_chat_config    c    = {.system = "S", .title = "T", .tools = &tool, .n_tools = 1,
                                .overflow = ALLM_OVERFLOW_DROP_OLDEST};
    allm_response       r    = {0};
    allm_config         lc   = {0};
    allm_provider       row  = {0};
    rc.allocator = host->mem, rc.n_threads = 1;
    allm_status status = allm_runtime_create(&rc, &rt, &err);
    row.name = "fake", row.open = talk_fake_open, row.generate = talk_fake_generate, row.ctx = &f;
    row.capabilities = script_can;
    lc.runtime = rt, lc.model = "any", f.n_call = 1, f.limit = 60;
    if (!status) status = allm_provider_register(rt, &row, &err);
    if (!status) status = allm_create("fake", &lc, &llm, &err);
    if (!status) status = allm_chat_create(llm, &c, &chat, &err);
    for (int i = 0; i < 3 && !status; i++) {
        const allm_message *m;
        size_t              n[2];
        assert_int_equal(allm_chat_history(chat, &m, &n[0], NULL), ALLM_OK);
        status = allm_chat_send(chat, "a text", NULL, &r, &err);
        allm_response_free(&r);
        assert_int_equal(allm_chat_history(chat, &m, &n[1], NULL), ALLM_OK);
        if (status) assert_int_equal(n[0], n[1]); /* all or nothing */
    }
    if (!status) status = allm_chat_save(chat, p->path, 0, &err);
    if (!status) status = allm_chat_load(llm, p->path, &c, &copy, &err);
    allm_chat_destroy(chat), allm_chat_destroy(copy);
    allm_destroy(llm);
    allm_runtime_destroy(rt);
    return status;
}

static void test_talk_no_memory(void **state) {
    test_temp   file = test_temp_new("", 0);
    talk_faults p    = {file.path};
    (void)state;
    test_fail_each(talk_fault_body, &p);
    test_temp_remove(&file);
}

/* A conversation of very many messages: linear. */
static void test_talk_many(void **state) {
    static talk_fake f;
    double           seconds[2];
    const int        n_messages[2] = {TEST_SANITIZED ? 5000 : 400000, TEST_SANITIZED ? 10000 : 800000};
    (void)state;
    for (int k = 0; k < 2; k++) {
        script_host  h;
        allm_message m = {0};
        script_begin(&h, 1);
        memset(&f, 0, sizeof f);
        allm_llm  *llm  = talk_fake_llm(&h, &f, "fake");
        allm_chat *chat = talk_new(&h, llm, (allm_chat_config){.overflow = ALLM_OVERFLOW_DROP_OLDEST});
        f.limit         = 200;
        seconds[k]      = test_seconds();
        for (int i = 0; i < n_messages[k]; i++) {
            m.role = i % 2 ? "assistant" : "user", m.content = "x";
            assert_int_equal(allm_chat_add(chat, &m, &h.err), ALLM_OK);
        }
        talk_said(&h, chat, "last", NULL);
        assert_true(f.n_generate < 25);
        seconds[k] = test_seconds() - seconds[k];
        allm_chat_destroy(chat), allm_destroy(llm);
        script_end(&h);
    }
    test_time_linear("adding 800,000 messages and answering", seconds[0], seconds[1]);
}

static const struct CMUnitTest test_talk[] = {
    cmocka_unit_test(test_talk_turns),     cmocka_unit_test(test_talk_failures),
    cmocka_unit_test(test_talk_add_errors), cmocka_unit_test(test_talk_tools),
    cmocka_unit_test(test_talk_tool_choice),
    cmocka_unit_test(test_talk_overflow),  cmocka_unit_test(test_talk_overflow_local),
    cmocka_unit_test(test_talk_prefix),    cmocka_unit_test(test_talk_prefix_smollm2),
    cmocka_unit_test(test_talk_save_load), cmocka_unit_test(test_talk_system_once),
    cmocka_unit_test(test_talk_files),     cmocka_unit_test(test_talk_state),
    cmocka_unit_test(test_talk_state_smollm2), cmocka_unit_test(test_talk_state_own),
    cmocka_unit_test(test_talk_state_bad), cmocka_unit_test(test_talk_state_failing),
    cmocka_unit_test(test_talk_shift),     cmocka_unit_test(test_talk_callbacks),
#ifndef ABSTRACTLLM_NO_THREADS
    cmocka_unit_test(test_talk_threads),
#endif
    cmocka_unit_test(test_talk_switch),    cmocka_unit_test(test_talk_no_memory),
    cmocka_unit_test(test_talk_many),
};
