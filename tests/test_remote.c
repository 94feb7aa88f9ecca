/* Room remote: requests as each API wants them, answers through allm_generate, errors, tries, limits, cancel;
    servers on
 * loopback that break off, send garbage, never end, or answer without measure. */

static char remote_log[1 << 16]; /* the last request that a script was sent */

typedef struct remote_script { /* a transport that plays one response after another, in pieces */
    const char *const *responses; /* [n]; NULL: no connection */
    size_t             n, piece;
    int                n_calls, once; /* once: only the first piece is one, all the rest another */
} remote_script;

static allm_status remote_transport(void *ctx, const allm_http *io, allm_error *err) {
    remote_script     *s = (remote_script *)ctx;
    const char        *text = s->responses[ALLM__MIN((size_t)s->n_calls, s->n - 1)];
    size_t             n = text ? strlen(text) : 0, piece = s->piece ? s->piece : 7;
    allm__http_reader  r;
    int                len = snprintf(remote_log, sizeof remote_log, "%s %s\n", io->method, io->url);
    for (size_t i = 0; i < io->n_headers; i++)
        len += snprintf(remote_log + len, sizeof remote_log - (size_t)len, "%s\n", io->headers[i]);
    snprintf(remote_log + len, sizeof remote_log - (size_t)len, "%.*s", (int)io->n_body, (const char *)io->body);
    s->n_calls++;
    if (!text) return allm__fail(err, ALLM_E_REMOTE, io->url, -1, "cannot connect");
    memset(&r, 0, sizeof r);
    r.io = io, r.err = err, r.line.host = &http_host;
    for (size_t i = 0; i < n && !err->status; i += piece) {
        if (i && s->once) piece = n - i;
        allm__http_feed(&r, text + i, ALLM__MIN(piece, n - i));
    }
    allm__http_close(&r);
    allm__http_free(&r);
    return err->status;
}

#define REMOTE_SSE "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
#define REMOTE_HI \
    REMOTE_SSE "data: {\"choices\":[{\"delta\":{\"content\":\"Hi \"}}]}\n\n" \
               "data: {\"choices\":[{\"delta\":{\"content\":\"there\"},\"finish_reason\":\"stop\"}]}\n\n" \
               "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n"
#define REMOTE_ERROR(status, text) "HTTP/1.1 " status " X\r\nretry-after-ms: 1\r\nContent-Length: " text

typedef struct remote_rig {
    allm_runtime *rt;
    allm_llm     *llm;
    allm_error    err;
    remote_script script;
} remote_rig;

static void remote_begin_on(remote_rig *g, const char *provider, allm_config c, const allm_allocator *a) {
    allm_runtime_config rc = {0};
    if (a) rc.allocator = *a;
    rc.n_threads = 1, rc.isa = "scalar";
    assert_int_equal(allm_runtime_create(&rc, &g->rt, &g->err), ALLM_OK);
    c.runtime = g->rt;
    if (!c.model) c.model = "m";
    if (!c.transport && g->script.n) c.transport = remote_transport, c.transport_ctx = &g->script;
    if (allm_create(provider, &c, &g->llm, &g->err)) fail_msg("%s", g->err.message);
}

static void remote_begin(remote_rig *g, const char *provider, const char *const *responses, size_t n) {
    allm_config c = {0};
    memset(g, 0, sizeof *g);
    g->script.responses = responses, g->script.n = n;
    c.api_key = "k-123", c.base_url = "http://h/v1/";
    remote_begin_on(g, provider, c, NULL);
}

static void remote_end(remote_rig *g) { allm_destroy(g->llm), allm_runtime_destroy(g->rt); }

static allm_request remote_prompt(const char *text) {
    allm_request r = {0};
    r.prompt = text;
    return r;
}

/* ---- requests */

static void test_remote_requests(void **state) {
    static const char *const hi[] = {REMOTE_HI};
    static const char *const ollama[] = {"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n"
                                         "{\"message\":{\"content\":\"Hi there\"},\"done\":true}\n"};
    static const char *const anthropic[] = {
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
        "{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"Hi there\"}],\"stop_reason\":\"end_turn\"}"};
    static const allm_tool_call call = {"c1", "add", "{\"a\": 1}"};
    static const allm_message messages[] = {{"user", "Q\"", NULL, NULL, 0, NULL, NULL, NULL, 0},
                                            {"assistant", NULL, NULL, &call, 1, NULL, NULL, NULL, 0},
                                            {"tool", "3", NULL, NULL, 0, "c1", "add", NULL, 0},
                                            {"user", "and?", NULL, NULL, 0, NULL, NULL, NULL, 0}};
    static const allm_tool tool = {"add", "adds", "{\"type\": \"object\"}", NULL, NULL};
    static const struct { const char *provider, *const *answer, *request; } cases[] = {
        {"openai", hi,
         "POST http://h/v1/chat/completions\n"
         "Accept: text/event-stream, application/x-ndjson, application/json\nContent-Type: application/json\n"
         "Authorization: Bearer k-123\n"
         "{\"model\": \"m\", \"messages\": [{\"role\": \"system\", \"content\": \"S\"}, {\"role\": \"user\", "
             "\"content\": \"Q\\\"\"}, "
         "{\"role\": \"assistant\", \"content\": \"\", \"tool_calls\": [{\"id\": \"c1\", \"type\": \"function\", "
             "\"function\": "
         "{\"name\": \"add\", \"arguments\": \"{\\\"a\\\": 1}\"}}]}, {\"role\": \"tool\", \"content\": \"3\", "
             "\"tool_call_id\": \"c1\"}, "
         "{\"role\": \"user\", \"content\": \"and?\"}], \"stream\": true, \"stream_options\": {\"include_usage\": "
             "true}, "
         "\"max_tokens\": 9, \"temperature\": 0.500000, \"top_p\": 0.900000, \"seed\": 3, \"stop\": [\"END\"], "
             "\"tools\": "
         "[{\"type\": \"function\", \"function\": {\"name\": \"add\", \"description\": \"adds\", \"parameters\": "
             "{\"type\": \"object\"}}}], "
         "\"response_format\": {\"type\": \"json_schema\", \"json_schema\": {\"name\": \"answer\", \"strict\": true, "
             "\"schema\": "
         "{\"type\": \"string\"}}}}"},
        {"ollama", ollama,
         "POST http://h/v1/api/chat\n"
         "Accept: text/event-stream, application/x-ndjson, application/json\nContent-Type: application/json\n"
         "Authorization: Bearer k-123\n"
         "{\"model\": \"m\", \"messages\": [{\"role\": \"system\", \"content\": \"S\"}, {\"role\": \"user\", "
             "\"content\": \"Q\\\"\"}, "
         "{\"role\": \"assistant\", \"content\": \"\", \"tool_calls\": [{\"function\": {\"name\": \"add\", "
             "\"arguments\": {\"a\": 1}}}]}, "
         "{\"role\": \"tool\", \"content\": \"3\", \"tool_name\": \"add\"}, {\"role\": \"user\", \"content\": "
             "\"and?\"}], \"stream\": true, "
         "\"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"add\", \"description\": \"adds\", "
             "\"parameters\": "
         "{\"type\": \"object\"}}}], \"format\": {\"type\": \"string\"}, \"options\": {\"num_predict\": 9, "
             "\"temperature\": 0.500000, "
         "\"top_p\": 0.900000, \"seed\": 3, \"stop\": [\"END\"]}}"},
        {"anthropic", anthropic,
         "POST http://h/v1/v1/messages\n"
         "Accept: text/event-stream, application/x-ndjson, application/json\nContent-Type: application/json\n"
         "x-api-key: k-123\nanthropic-version: 2023-06-01\n"
         "{\"model\": \"m\", \"max_tokens\": 9, \"messages\": [{\"role\": \"user\", \"content\": [{\"type\": "
             "\"text\", \"text\": \"Q\\\"\"}]}, "
         "{\"role\": \"assistant\", \"content\": [{\"type\": \"tool_use\", \"id\": \"c1\", \"name\": \"add\", "
             "\"input\": {\"a\": 1}}]}, "
         "{\"role\": \"user\", \"content\": [{\"type\": \"tool_result\", \"tool_use_id\": \"c1\", \"content\": \"3\"}, "
         "{\"type\": \"text\", \"text\": \"and?\"}]}], \"system\": \"S\", \"stream\": true, \"temperature\": 0.500000, "
         "\"top_p\": 0.900000, \"stop_sequences\": [\"END\"], \"tools\": [{\"name\": \"add\", \"description\": "
             "\"adds\", \"input_schema\": "
         "{\"type\": \"object\"}}], \"output_config\": {\"format\": {\"type\": \"json_schema\", \"schema\": "
             "{\"type\": \"string\"}}}}"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(cases); i++) {
        const char *const stop[] = {"END"};
        remote_rig        g;
        allm_response     r;
        allm_sampling     s = {0};
        allm_request      q = {0};
        s.temperature = 0.5f, s.top_p = 0.9f, s.seed = 3;
        q.system = "S", q.messages = messages, q.n_messages = 4, q.sampling = &s, q.max_tokens = 9;
        q.stop = stop, q.n_stop = 1, q.tools = &tool, q.n_tools = 1, q.response_schema = "{\"type\": \"string\"}";
        remote_begin(&g, cases[i].provider, cases[i].answer, 1);
        if (allm_generate(g.llm, &q, &r, &g.err)) fail_msg("%s: %s", cases[i].provider, g.err.message);
        assert_string_equal(r.text, "Hi there");
        assert_int_equal(r.finish, ALLM_FINISH_STOP);
        assert_string_equal(strchr(remote_log, '{'), strchr(cases[i].request, '{'));
        assert_string_equal(remote_log, cases[i].request);
        allm_response_free(&r);
        remote_end(&g);
    }
}

/* What an API has not is told before anything is sent; options replace our members. */
static void test_remote_unsupported(void **state) {
    static const char *const hi[] = {REMOTE_HI};
    static const int32_t     id   = 1;
    static const struct { const char *provider, *what; } cases[] = {
        {"openai", "prompt_ids"}, {"ollama", "grammar"}, {"anthropic", "logprobs"}, {"anthropic", "raw"},
        {"ollama", "tool_choice"}, {"anthropic", "min_p"}, {"openai", "no_repeat_ngram"}, {"ollama", "template_kwargs"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(cases); i++) {
        remote_rig    g;
        allm_response r;
        allm_sampling s = {0};
        allm_tool     t = {"t", NULL, NULL, NULL, NULL};
        allm_request  q = remote_prompt("x");
        const char   *w = cases[i].what;
        if (!strcmp(w, "prompt_ids")) q.prompt = NULL, q.prompt_ids = &id, q.n_prompt_ids = 1;
        if (!strcmp(w, "grammar")) q.grammar = "root ::= \"a\"";
        if (!strcmp(w, "logprobs")) q.n_logprobs = 1;
        if (!strcmp(w, "raw")) q.raw = 1;
        if (!strcmp(w, "tool_choice")) q.tools = &t, q.n_tools = 1, q.tool_choice = "required";
        if (!strcmp(w, "min_p")) s.min_p = 0.1f, q.sampling = &s;
        if (!strcmp(w, "no_repeat_ngram")) s.no_repeat_ngram = 3, q.sampling = &s;
        if (!strcmp(w, "template_kwargs")) q.template_kwargs = "{}";
        remote_begin(&g, cases[i].provider, hi, 1);
        assert_int_equal(allm_generate(g.llm, &q, &r, &g.err), ALLM_E_UNSUPPORTED);
        if (!strstr(g.err.message, w)) fail_msg("%s: %s", w, g.err.message);
        assert_int_equal(g.script.n_calls, 0);
        allm_response_free(&r);
        remote_end(&g);
    }
    remote_rig   g = {0};
    allm_config  c = {0};
    allm_request q = remote_prompt("x");
    c.options_json = "{\"max_tokens\": 3, \"stream_options\": null}", g.script.responses = hi, g.script.n = 1;
    q.max_tokens   = 9;
    remote_begin_on(&g, "openai", c, NULL);
    assert_int_equal(allm_generate(g.llm, &q, NULL, &g.err), ALLM_OK);
    assert_string_equal(strchr(remote_log, '{'), "{\"model\": \"m\", \"messages\": [{\"role\": \"user\", "
        "\"content\": \"x\"}], "
                                                 "\"stream\": true, \"max_tokens\": 3, \"stream_options\": null}");
    assert_non_null(strstr(remote_log, "https://api.openai.com/v1/chat/completions\n"));
    assert_null(strstr(remote_log, "Authorization"));
    remote_end(&g);
}

/* What no server can make anything of is told before anything is sent, too. */
static void test_remote_bad_requests(void **state) {
    static const char *const hi[] = {REMOTE_HI};
    static const int32_t     id   = -1;
    static const float       bias = 1;
    remote_rig    g;
    allm_sampling s = {0};
    allm_request  q = remote_prompt("x");
    (void)state;
    remote_begin(&g, "openai", hi, 1);
    for (int i = 0; i < 2; i++) {
        q.template_kwargs = i ? "[1]" : "[";
        assert_int_equal(allm_generate(g.llm, &q, NULL, &g.err), ALLM_E_ARGUMENT);
        assert_non_null(strstr(g.err.message, "template_kwargs"));
    }
    q.template_kwargs = NULL, q.sampling = &s, s.bias_ids = &id, s.bias = &bias, s.n_bias = 1;
    assert_int_equal(allm_generate(g.llm, &q, NULL, &g.err), ALLM_E_ARGUMENT);
    assert_non_null(strstr(g.err.message, "bias_ids[0] is -1, expected 0 or more"));
    assert_int_equal(g.script.n_calls, 0);
    remote_end(&g);
}

static void test_remote_open(void **state) {
    static const struct { const char *provider, *model, *base, *key, *options; allm_status status; } cases[] = {
        {"openai", NULL, "http://h", NULL, NULL, ALLM_OK},
        {NULL, "m", "http://h", NULL, NULL, ALLM_OK}, /* an address and no provider */
        {"ollama", NULL, NULL, NULL, NULL, ALLM_E_ARGUMENT},
        {"anthropic", "", NULL, NULL, NULL, ALLM_E_ARGUMENT},
        {"openai", "m", "h", NULL, NULL, ALLM_E_ARGUMENT},
        {"openai", "m", "http://h\r\nX: y", NULL, NULL, ALLM_E_ARGUMENT},
        {"openai", "m", NULL, "a\nb", NULL, ALLM_E_ARGUMENT},
        {"openai", "m", NULL, NULL, "[]", ALLM_E_FORMAT},
        {"openai", "m", NULL, NULL, "{", ALLM_E_FORMAT},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(cases); i++) {
        allm_config       c   = {0};
        allm_llm         *llm = NULL;
        allm_error        err;
        allm_capabilities caps;
        c.model = cases[i].model, c.base_url = cases[i].base, c.api_key = cases[i].key, c.options_json =
            cases[i].options;
        allm_status status = allm_create(cases[i].provider, &c, &llm, &err);
        if (status != cases[i].status) fail_msg("case %d: %d %s", (int)i, (int)status, err.message);
        if (!status) assert_int_equal(allm_get_capabilities(llm, &caps, &err), ALLM_OK);
        if (!status) assert_true(caps.tools && caps.streaming && caps.vision && !strcmp(caps.provider, "openai"));
        allm_destroy(llm);
    }
    allm_shutdown();
}

/* ---- answers */

static int remote_collect(const allm_chunk *c, void *ctx) {
    allm__buf *b = (allm__buf *)ctx;
    static const char *const names[] = {"T", "R", "C", "P", "D"};
    allm__buf_puts(b, names[c->event]);
    if (c->event == ALLM_TOOL_CALL) allm__buf_int(b, c->i_tool_call);
    allm__buf_putc(b, '['), allm__buf_put(b, c->text, c->len), allm__buf_putc(b, ']');
    return 0;
}

static void test_remote_answers(void **state) {
    /* calls whose pieces alternate come one after another; the arguments of one were cut off, the last has no name:
     * they are text */
    static const char *const calls[] = {REMOTE_SSE
        "data: {\"choices\":[{\"delta\":{\"content\":\"Look.\",\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"funct"
         "ion\":{\"name\":\"f\"}}]}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"\",\"function\":{\"name\":\"g\","
         "\"arguments\":\"{\"}}]}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"x\\\":1"
         "}\"}}]}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":2,\"id\":\"c\",\"function\":{\"name\":\"h\","
         "\"arguments\":\"{\\\"y\"}}]}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":3,\"id\":\"d\",\"function\":{\"name\":\"\","
         "\"arguments\":\"{}\"}}]}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":\"}\"}}]},\"fi"
         "nish_reason\":\"tool_calls\"}]}\n\n"
        "data: [DONE]\n\n"};
    static const char *const logprobs[] = {REMOTE_SSE
        "data: {\"choices\":[{\"delta\":{\"content\":\"Yes\"},\"logprobs\":{\"content\":[{\"token\":\"Yes\",\"lo"
         "gprob\":-0.5,"
        "\"top_logprobs\":[{\"token\":\"Yes\",\"logprob\":-0.5}]}]},\"finish_reason\":\"stop\"}],\"usage\":{\"pr"
         "ompt_tokens\":4,"
        "\"completion_tokens\":2}}\n\ndata: [DONE]\n\n"};
    const char *const stop[] = {"the", "x"};
    remote_rig        g;
    allm_response     r;
    allm_request      q   = remote_prompt("x");
    allm__buf         got = {&http_host, NULL, 0, 0, 0, 0};
    allm_tool         t   = {"f", NULL, NULL, NULL, NULL};
    static const char *const hi[] = {REMOTE_HI};
    (void)state;
    remote_begin(&g, "openai", calls, 1);
    q.on_chunk = remote_collect, q.on_chunk_ctx = &got, q.tools = &t, q.n_tools = 1;
    assert_int_equal(allm_generate(g.llm, &q, &r, &g.err), ALLM_OK);
    assert_string_equal(allm__buf_text(&got),
                        "T[Look.]C0[]C0[{\"x\":1}]C1[]C1[{}]C2[]C2[{\"y]C3[]C3[{}]T[{\"y]T[{}]D[]");
    assert_int_equal(r.finish, ALLM_FINISH_TOOL_CALLS);
    assert_int_equal(r.n_tool_calls, 2);
    assert_string_equal(r.tool_calls[0].id, "a");
    assert_string_equal(r.tool_calls[0].arguments_json, "{\"x\":1}");
    assert_string_equal(r.tool_calls[1].id, "call_1");
    assert_string_equal(r.tool_calls[1].name, "g");
    assert_string_equal(r.text, "Look.{\"y{}");
    allm_response_free(&r), allm__buf_free(&got);
    remote_end(&g);

    remote_begin(&g, "openai", logprobs, 1);
    q = remote_prompt("x"), q.n_logprobs = 2;
    assert_int_equal(allm_generate(g.llm, &q, &r, &g.err), ALLM_OK);
    assert_int_equal(r.completion_tokens, 2); /* the end token has none */
    assert_true(r.logprobs[0] == -0.5f && isnan(r.logprobs[1]) && r.top_logprobs[0] == -0.5f && r.top_ids[0] == -1);
    allm_response_free(&r);
    remote_end(&g);

    remote_begin(&g, "openai", hi, 1); /* stop texts across pieces, whatever the server makes of them */
    q = remote_prompt("x"), q.stop = stop, q.n_stop = 2;
    assert_int_equal(allm_generate(g.llm, &q, &r, &g.err), ALLM_OK);
    assert_string_equal(r.text, "Hi ");
    assert_int_equal(r.finish, ALLM_FINISH_STOP);
    allm_response_free(&r);
    remote_end(&g);
}

/* A transport that goes on when it is told to stop: what comes behind the end of an answer is no part of it. */
static allm_status remote_deaf_transport(void *ctx, const allm_http *io, allm_error *err) {
    static const char *const headers[] = {"Content-Type: text/event-stream"};
    (void)err;
    (void)io->on_head(io->self, 200, headers, 1);
    for (const char *p = (const char *)ctx; *p; p++) (void)io->on_body(io->self, p, 1);
    return ALLM_OK;
}

static void test_remote_behind_the_end(void **state) {
#define REMOTE_HEY "data: {\"choices\":[{\"delta\":{\"content\":\"hey\"}}]}\n\n"
    static const char body[] = REMOTE_HEY "data: [DONE]\n\n" REMOTE_HEY;
    remote_rig    g = {0};
    allm_config   c = {0};
    allm_response r;
    allm_request  q = remote_prompt("x");
    (void)state;
    c.transport = remote_deaf_transport, c.transport_ctx = (void *)(uintptr_t)body;
    remote_begin_on(&g, "openai", c, NULL);
    assert_int_equal(allm_generate(g.llm, &q, &r, &g.err), ALLM_OK);
    assert_string_equal(r.text, "hey");
    allm_response_free(&r);
    remote_end(&g);
}

/* Tools run, results go back; Anthropic's thinking goes back with them unchanged. */
static allm_status remote_add(void *ctx, const char *arguments, const char **result, allm_error *err) {
    (void)err;
    assert_string_equal(arguments, "{\"a\":1}");
    (*(int *)ctx)++;
    return *result = "2", ALLM_OK;
}

static void test_remote_tool_rounds(void **state) {
    static const char *const answers[] = {REMOTE_SSE
        "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\"}}\n\n"
        "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"thinking\":\"hm \\u00e9\"}}\n\n"
        "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"signature\":\"sig==\"}}\n\n"
        "data: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"redacted_thinking\","
         "\"data\":\"zz\"}}\n\n"
        "data: {\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t"
         "u\",\"name\":\"add\",\"input\":{}}}\n\n"
        "data: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"partial_json\":\"{\\\"a\\\":1}\"}}\n\n"
        "data: {\"type\":\"content_block_stop\",\"index\":2}\n\n"
        "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\""
         ":7}}\n\n"
        "data: {\"type\":\"message_stop\"}\n\n",
        REMOTE_SSE "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3,\"cache_read_in"
         "put_tokens\":4}}}\n\n"
        "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"text\":\"It is 2\"}}\n\n"
        "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\""
         ":4}}\n\n"
        "data: {\"type\":\"message_stop\"}\n\n"};
    int           n_runs = 0;
    remote_rig    g;
    allm_response r;
    allm_request  q = remote_prompt("x");
    allm_tool     t = {"add", NULL, NULL, remote_add, &n_runs};
    (void)state;
    remote_begin(&g, "anthropic", answers, 2);
    q.tools = &t, q.n_tools = 1;
    if (allm_generate(g.llm, &q, &r, &g.err)) fail_msg("%s", g.err.message);
    assert_int_equal(n_runs, 1);
    assert_string_equal(r.text, "It is 2");
    assert_string_equal(r.reasoning, "hm \xc3\xa9");
    assert_true(r.prompt_tokens == 7 && r.cached_tokens == 4 && r.completion_tokens == 11);
    assert_non_null(strstr(remote_log,
                           "{\"role\": \"assistant\", \"content\": [{\"type\": \"thinking\", \"thinking\": \"hm "
                               "\xc3\xa9\", "
                           "\"signature\": \"sig==\"}, {\"type\": \"redacted_thinking\", \"data\": \"zz\"}, "
                               "{\"type\": \"tool_use\", "
                           "\"id\": \"tu\", \"name\": \"add\", \"input\": {\"a\":1}}]}, {\"role\": \"user\", "
                               "\"content\": [{\"type\": "
                           "\"tool_result\", \"tool_use_id\": \"tu\", \"content\": \"2\"}]}"));
    allm_response_free(&r);
    remote_end(&g);
}

/* ---- images */

#define REMOTE_PNG \
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAIAAAB7QOjdAAAAEklEQVR4AQEHAPj/AAECA/r7/AYDAvgMgsBJAAAAAElFTkSuQmCC"

/* A message's own images, the request's, those among the files, in this order and before the text; other files are
 * still inlined. Pixels became a PNG (its bytes by Python's zlib, level 0). */
static void test_remote_images(void **state) {
    static const char *const hi[] = {REMOTE_HI};
    static const uint8_t     rgb[6] = {1, 2, 3, 250, 251, 252};
#define REMOTE_URL(media, data) \
    "{\"type\": \"image_url\", \"image_url\": {\"url\": \"data:image/" media ";base64," data "\"}}, "
#define REMOTE_SOURCE(media, data) \
    "{\"type\": \"image\", \"source\": {\"type\": \"base64\", \"media_type\": \"image/" media "\", \"data\": \"" data \
        "\"}}, "
#define REMOTE_TEXT "What?\\n\\n### Content from file 'note.txt':\\nhey\\n###\\n"
    static const struct { const char *provider, *words; } cases[] = {
        {"openai", "{\"role\": \"user\", \"content\": [" REMOTE_URL("jpeg", "/9j/4A==") REMOTE_URL("png", REMOTE_PNG)
            REMOTE_URL("gif", "R0lGODlh") "{\"type\": \"text\", \"text\": \"" REMOTE_TEXT "\"}]}]"},
        {"ollama", "{\"role\": \"user\", \"content\": \"" REMOTE_TEXT "\", \"images\": [\"/9j/4A==\", \"" REMOTE_PNG
            "\", \"R0lGODlh\"]}]"},
        {"anthropic", "{\"role\": \"user\", \"content\": [" REMOTE_SOURCE("jpeg", "/9j/4A==") REMOTE_SOURCE("png",
            REMOTE_PNG) REMOTE_SOURCE("gif", "R0lGODlh") "{\"type\": \"text\", \"text\": \"" REMOTE_TEXT "\"}]}]"},
    };
    hub_rig dir;
    char    gif[300], note[300];
    (void)state;
    hub_begin(&dir);
    hub_write(&dir, "a.txt", "GIF89a", 6), hub_write(&dir, "note.txt", "hey", 3);
    snprintf(gif, sizeof gif, "%s/a.txt", dir.root), snprintf(note, sizeof note, "%s/note.txt", dir.root);
    for (size_t i = 0; i < ALLM__COUNT(cases); i++) {
        const char *const files[]  = {gif, note};
        const allm_image  own      = {NULL, "\xff\xd8\xff\xe0", 4, 0, 0}, pixels = {NULL, rgb, 6, 2, 1};
        const allm_message said[]  = {{.role = "user", .content = "x"}, {.role = "assistant", .content = "y"},
                                      {.role = "user", .content = "What?", .images = &own, .n_images = 1}};
        remote_rig        g;
        allm_request      q = {0};
        q.messages = said, q.n_messages = 3, q.images = &pixels, q.n_images = 1, q.files = files, q.n_files = 2;
        remote_begin(&g, cases[i].provider, hi, 1);
        (void)allm_generate(g.llm, &q, NULL, &g.err); /* the answer is that of OpenAI */
        if (!strstr(remote_log, cases[i].words)) fail_msg("%s\n%s", remote_log, cases[i].words);
        assert_non_null(strstr(remote_log, i == 2 ? "\"text\": \"x\"}]}" : "{\"role\": \"user\", \"content\": \"x\"}"));
        remote_end(&g);
    }
    hub_end(&dir);
}

/* What is no image, too many bytes, no place for it; and a prompt that is an image alone. */
static void test_remote_bad_images(void **state) {
    static const char *const hi[] = {REMOTE_HI};
    static const allm_image  images[] = {{NULL, "BM....\0\0\0\0", 10, 0, 0}, {NULL, "hello", 5, 0, 0}, {"/nonexistent",
        NULL, 0, 0, 0}, {"/tmp", NULL, 0, 0, 0}, {NULL, "", 0, 0, 0}, {NULL, "GIF89a", 6, 0, 0}};
    static const struct { allm_status status; const char *words; } cases[] = {
        {ALLM_E_UNSUPPORTED, "a BMP image, expected a PNG"}, {ALLM_E_FORMAT, "no image, expected a PNG"},
        {ALLM_E_NOT_FOUND, "/nonexistent"}, {ALLM_E_FORMAT, "/tmp"}, {ALLM_E_FORMAT, "no image"}, {ALLM_OK, ""},
    };
    static const allm_message said[] = {{.role = "assistant", .content = "x"}};
    remote_rig        g;
    allm_request      q = remote_prompt("");
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(images); i++) {
        remote_begin(&g, "openai", hi, 1);
        q.images = &images[i], q.n_images = 1;
        allm_status status = allm_generate(g.llm, &q, NULL, &g.err);
        if (status != cases[i].status || !strstr(g.err.message, cases[i].words))
            fail_msg("image %d: %d %s", (int)i, (int)status, g.err.message);
        assert_int_equal(g.script.n_calls, !status); /* nothing was sent */
        remote_end(&g);
    }
    assert_non_null(strstr(remote_log, "\"content\": [{\"type\": \"image_url\", \"image_url\": {\"url\": "
                                       "\"data:image/gif;base64,R0lGODlh\"}}]}]"));
    remote_begin(&g, "openai", hi, 1);
    q = (allm_request){.messages = said, .n_messages = 1, .images = &images[5], .n_images = 1};
    assert_int_equal(allm_generate(g.llm, &q, NULL, &g.err), ALLM_E_ARGUMENT);
    remote_end(&g);
    size_t     n_big = (size_t)3 << 20; /* 1024 x 1024 pixels, 22 times */
    allm_image big[22];
    uint8_t   *bytes = (uint8_t *)calloc(n_big, 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < ALLM__COUNT(big); i++) big[i] = (allm_image){NULL, bytes, n_big, 1024, 1024};
    remote_begin(&g, "openai", hi, 1);
    q = (allm_request){.prompt = "x", .images = big, .n_images = ALLM__COUNT(big)};
    assert_int_equal(allm_generate(g.llm, &q, NULL, &g.err), ALLM_E_MEMORY);
    assert_non_null(strstr(g.err.message, "67108864 bytes"));
    remote_end(&g);
    free(bytes);
}

/* A call without a name is none: what there is of it is text. */
static void test_remote_nameless(void **state) {
    static const char *const streams[][2] = {
        {"openai", REMOTE_SSE "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{"
         "\"name\":\"\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n"},
        {"ollama", "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n"
         "{\"message\":{\"tool_calls\":[{\"function\":{\"name\":\"\",\"arguments\":{}}}]},\"done\":true,"
         "\"done_reason\":\"stop\"}\n"},
        {"anthropic", REMOTE_SSE
         "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"a\","
         "\"name\":\"\",\"input\":{}}}\n\n"
         "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"partial_json\":\"{}\"}}\n\n"
         "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"}}\n\n"
         "data: {\"type\":\"message_stop\"}\n\n"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(streams); i++) {
        remote_rig    g;
        allm_response r;
        allm_request  q = remote_prompt("x");
        allm_tool     t = {"f", NULL, NULL, NULL, NULL};
        q.tools = &t, q.n_tools = 1;
        remote_begin(&g, streams[i][0], &streams[i][1], 1);
        if (allm_generate(g.llm, &q, &r, &g.err)) fail_msg("%s: %s", streams[i][0], g.err.message);
        if (strcmp(r.text, "{}") || r.n_tool_calls || r.finish != ALLM_FINISH_STOP)
            fail_msg("%s: \"%s\", %zu calls, finish %d", streams[i][0], r.text, r.n_tool_calls, (int)r.finish);
        allm_response_free(&r);
        remote_end(&g);
    }
}

/* ---- answers cut at every byte */

static void test_remote_every_split(void **state) {
    static const char *const streams[][2] = {
        {"openai", REMOTE_SSE ": ping\r\n\r\ndata: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\r\n\r\n"
         "data: {\"choices\":[{\"delta\":{\"content\":\"na\xc3\xafve \\ud83d\\ude00\"}}]}\n\ndata: {\"choices\":[{\""
         "delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1"
         "}\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\""
         "completion_tokens\":2}}\n\ndata: [DONE]\n\n"},
        {"ollama", "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n3e\r\n"
         "{\"message\":{\"role\":\"assistant\",\"thinking\":\"hm\"},\"done\":false}\n\r\n3b\r\n"
         "{\"message\":{\"content\":\"na\xc3\xafve \\ud83d\\ude00\"},\"done\":false}\n\r\n58\r\n"
         "{\"message\":{\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1}}}]},\"done\":false}\n\r\n"
         "58\r\n"
         "{\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":5,\"eval_count\":2,\"message\":{}}   \n\r\n"
         "0\r\n\r\n"},
        {"anthropic", REMOTE_SSE "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\""
         "input_tokens\":5}}}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n"
         "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\"}}\n\n"
         "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm"
         "\"}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\""
         "na\xc3\xafve \\ud83d\\ude00\"}}\n\ndata: {\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\""
         "type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\",\"input\":{}}}\n\n"
         "data: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"partial_json\":\"{\\\"x\\\":1}\"}}\n\n"
         "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":2}}"
         "\n\ndata: {\"type\":\"message_stop\"}\n\n"},
    };
    int n_splits = 0;
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(streams); i++) {
        size_t n = strlen(streams[i][1]);
        for (size_t split = 0; split <= n; split++, n_splits++) { /* 0: in bytes */
            remote_rig    g;
            allm_response r;
            allm_request  q   = remote_prompt("x");
            allm__buf     got = {&http_host, NULL, 0, 0, 0, 0};
            allm_tool     t   = {"f", NULL, NULL, NULL, NULL};
            q.tools = &t, q.n_tools = 1, q.on_chunk = remote_collect, q.on_chunk_ctx = &got;
            remote_begin(&g, streams[i][0], &streams[i][1], 1);
            g.script.piece = split ? split : 1, g.script.once = split > 0;
            if (allm_generate(g.llm, &q, &r, &g.err))
                fail_msg("%s cut at %d: %s", streams[i][0], (int)split, g.err.message);
            assert_string_equal(r.text, "na\xc3\xafve \xf0\x9f\x98\x80");
            assert_string_equal(r.reasoning, "hm");
            assert_true(r.finish == ALLM_FINISH_TOOL_CALLS && r.n_tool_calls == 1);
            assert_true(allm__round_complete(&http_host, allm__str_of(r.tool_calls[0].arguments_json)));
            assert_true(!strcmp(r.tool_calls[0].name, "f"));
            assert_true(r.prompt_tokens == 5 && r.completion_tokens == 2);
            if (strncmp(allm__buf_text(&got), "R[hm]T[", 7)) fail_msg("%s", got.ptr);
            allm__buf_free(&got), allm_response_free(&r);
            remote_end(&g);
        }
    }
    printf("             %d splits of %d streams\n", n_splits, (int)ALLM__COUNT(streams));
}

/* ---- errors and tries */

#define REMOTE_FIFTY "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* Half a second, doubled each time, less a random quarter; or what the server says; or cancelled. */
static void test_remote_pauses(void **state) {
    static const struct { int32_t i; int64_t retry_ms; double lo, hi; } cases[] = {
        {0, 0, 0.375, 0.5}, {1, 0, 0.75, 1}, {0, 30, 0.03, 0.03}};
    allm__remote    r;
    allm__remote_io io;
    double          start;
    (void)state;
    memset(&r, 0, sizeof r), memset(&io, 0, sizeof io);
    io.r = &r;
    for (size_t i = 0; i < ALLM__COUNT(cases); i++) {
        io.retry_ms = cases[i].retry_ms, start = allm__plat_seconds();
        assert_true(allm__remote_pause(&io, cases[i].i));
        double t = allm__plat_seconds() - start;
        if (t < cases[i].lo - 0.001) fail_msg("pause %d: %.3f s", (int)i, t);
        test_time("a pause", t, cases[i].hi + 0.5);
    }
    r.cancelled = 1, start = allm__plat_seconds();
    assert_false(allm__remote_pause(&io, 9));
    test_time("a cancelled pause", allm__plat_seconds() - start, 0.1);
}

static void test_remote_errors(void **state) {
    static const struct { const char *first, *second; allm_status status; int n_calls; const char *words; } cases[] = {
        {REMOTE_HI, NULL, ALLM_OK, 1, ""},
        {REMOTE_ERROR("429", "0\r\n\r\n"), REMOTE_HI, ALLM_OK, 2, ""},
        {REMOTE_ERROR("503", "0\r\n\r\n"), REMOTE_HI, ALLM_OK, 2, ""},
        {REMOTE_ERROR("429", "0\r\n\r\n"), REMOTE_ERROR("429", "0\r\n\r\n"), ALLM_E_QUOTA, 3, "status 429"},
        {REMOTE_ERROR("429", "39\r\n\r\n{\"error\":{\"code\":\"insufficient_quota\"}}"), REMOTE_HI, ALLM_E_QUOTA, 1,
            ""},
        {REMOTE_ERROR("401", "34\r\n\r\n{\"error\":{\"message\":\"no such key\"}}"), REMOTE_HI, ALLM_E_AUTH, 1,
            "no such key"},
        {REMOTE_ERROR("403", "0\r\n\r\n"), REMOTE_HI, ALLM_E_AUTH, 1, ""},
        {REMOTE_ERROR("401", "46\r\nx-request-id: k-123\r\n\r\n{\"error\":{\"message\":\"bad key: k-123, k-123\"}} "),
            REMOTE_HI, ALLM_E_AUTH, 1, "bad key: *****, *****, request *****"}, /* a server that quotes the key */
        {"HTTP/1.1 302 F\r\nLocation: " REMOTE_FIFTY REMOTE_FIFTY "12345678k-123\r\nContent-Length: 0\r\n\r\n",
            REMOTE_HI, ALLM_E_REMOTE, 1, "12345678***)"}, /* which is cut */
        {REMOTE_ERROR("403", "160\r\n\r\n") REMOTE_FIFTY REMOTE_FIFTY REMOTE_FIFTY "12345k-123", REMOTE_HI,
            ALLM_E_AUTH, 1, "12345*****"},
        {"HTTP/1.1 302 F\r\nLocation: http://evil/?k-123\r\nContent-Length: 0\r\n\r\n", REMOTE_HI, ALLM_E_REMOTE, 1,
            "http://evil/?*****"},
        {REMOTE_ERROR("404", "19\r\n\r\n{\"error\":\"no model\"}"), REMOTE_HI, ALLM_E_NOT_FOUND, 1, "no model"},
        {REMOTE_ERROR("408", "0\r\n\r\n"), REMOTE_HI, ALLM_E_ARGUMENT, 1, ""},
        {REMOTE_ERROR("400", "54\r\n\r\n{\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"x\"}}"),
            REMOTE_HI, ALLM_E_CONTEXT, 1, ""},
        {REMOTE_ERROR("400", "39\r\n\r\n{\"error\":\"m does not support tools\"}    "), REMOTE_HI, ALLM_E_UNSUPPORTED,
            1, "does not support tools"},
        {REMOTE_ERROR("400", "38\r\n\r\n{\"error\":{\"code\":\"content_filter\"}}    "), REMOTE_HI, ALLM_E_FILTERED,
            1, ""},
        {REMOTE_ERROR("501", "39\r\n\r\n{\"error\":{\"message\":\"no embeddings\"}}   "), REMOTE_HI,
            ALLM_E_UNSUPPORTED, 1, "no embeddings"},
        {"HTTP/1.1 302 F\r\nLocation: http://evil/\r\nContent-Length: 0\r\n\r\n", REMOTE_HI, ALLM_E_REMOTE, 1,
            "http://evil/"},
        {"garbage", REMOTE_HI, ALLM_OK, 2, ""}, /* no answer came: another try */
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<html>", REMOTE_HI, ALLM_E_REMOTE, 1, "cut off"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", REMOTE_HI, ALLM_E_REMOTE, 1, "no JSON came: <html>"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", REMOTE_HI, ALLM_E_REMOTE, 1, "completions: no text came"},
        {"HTTP/1.1 204 N\r\n\r\n", REMOTE_HI, ALLM_E_REMOTE, 1, "completions: no text came"},
        {REMOTE_SSE "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n", REMOTE_HI, ALLM_E_REMOTE, 1,
            "before it was complete"},
        {REMOTE_SSE "data: {\"error\":{\"message\":\"slot failed\"}}\n\n", REMOTE_HI, ALLM_E_REMOTE, 1, "slot failed"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(cases); i++) {
        const char *const answers[] = {cases[i].first, cases[i].second};
        remote_rig        g;
        allm_response     r;
        allm_request      q = remote_prompt("x");
        remote_begin(&g, "openai", answers, 2);
        allm_status status = allm_generate(g.llm, &q, &r, &g.err);
        if (status != cases[i].status || g.script.n_calls != cases[i].n_calls || !strstr(g.err.message, cases[i].words))
            fail_msg("case %d: status %d after %d calls: %s", (int)i, (int)status, g.script.n_calls, g.err.message);
        if (status == ALLM_E_QUOTA) assert_int_equal(g.err.retry_after_ms, 1);
        if (status && g.err.message[strlen(g.err.message) - 1] == ' ') fail_msg("\"%s\"", g.err.message);
        if (strstr(g.err.message, "k-123")) fail_msg("the key is in the message: %s", g.err.message);
        if (status) assert_int_equal(g.err.status, status);
        allm_response_free(&r);
        remote_end(&g);
    }
    static const char *const none[] = {NULL}; /* no connection: as many tries as allowed */
    remote_rig   g = {0};
    allm_config  c = {0};
    allm_request q = remote_prompt("x");
    g.script.responses = none, g.script.n = 1, c.max_retries = -1;
    remote_begin_on(&g, "openai", c, NULL);
    assert_int_equal(allm_generate(g.llm, &q, NULL, &g.err), ALLM_E_REMOTE);
    assert_int_equal(g.script.n_calls, 1);
    remote_end(&g);
}

/* Who is asked to wait for more than a minute gives up at once, and says for how long. */
static void test_remote_asked_to_wait(void **state) {
    static const struct { const char *answer; allm_status status; int32_t ms; } cases[] = {
        {"HTTP/1.1 429 X\r\nRetry-After: 61\r\nContent-Length: 0\r\n\r\n", ALLM_E_QUOTA, 61000},
        {"HTTP/1.1 503 X\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n", ALLM_E_REMOTE, 3600000},
        {"HTTP/1.1 401 X\r\nRetry-After: 61\r\nContent-Length: 0\r\n\r\n", ALLM_E_AUTH, 0},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(cases); i++) {
        remote_rig   g;
        allm_request q = remote_prompt("x");
        remote_begin(&g, "openai", &cases[i].answer, 1);
        assert_int_equal(allm_generate(g.llm, &q, NULL, &g.err), cases[i].status);
        assert_int_equal(g.script.n_calls, 1);
        assert_int_equal(g.err.retry_after_ms, cases[i].ms);
        remote_end(&g);
    }
}

/* Embeddings and lists of models. */
static void test_remote_lists(void **state) {
    static const char *const vectors[] = {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"data\":["
                                          "{\"index\":1,\"embedding\":[3,4]},{\"index\":0,\"embedding\":[1,2.5]}]}"};
    static const char *const models[]  = {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"models\":["
                                          "{\"name\":\"a:1b\",\"size\":7},{\"name\":\"b\"}]}"};
    static const char *const twice[] = {"HTTP/1.1 200 OK\r\n\r\n{\"data\":[{\"index\":0,\"embedding\":[3,4]},"
                                        "{\"index\":0,\"embedding\":[1,2]}]}"};
    static const char *const uneven[] = {"HTTP/1.1 200 OK\r\n\r\n{\"data\":[{\"index\":0,\"embedding\":[3,4]},"
                                         "{\"index\":1,\"embedding\":[1]}]}"};
    static const char *const both[] = {"HTTP/1.1 200 OK\r\n\r\n{\"models\":[{\"name\":\"a.gguf\",\"size\":\"\"}],"
                                       "\"object\":\"list\",\"data\":[{\"id\":\"a.gguf\"}]}"}; /* llama-server */
    static const char *const second[] = {"HTTP/1.1 200 OK\r\n\r\n{\"models\":[],\"data\":[{\"id\":\"b\"}]}"};
    remote_rig        g;
    float             v[4];
    allm_str          texts[] = {{"x", 1}, {"y\"", 2}};
    allm_cached_model list[1];
    size_t            n;
    (void)state;
    remote_begin(&g, "openai", vectors, 1);
    assert_int_equal(allm_embed(g.llm, texts, 2, v, 2, &g.err), ALLM_OK);
    assert_true(v[0] == 1 && v[1] == 2.5f && v[2] == 3 && v[3] == 4);
    assert_non_null(strstr(remote_log, "/embeddings\n"));
    assert_non_null(strstr(remote_log, "{\"model\": \"m\", \"input\": [\"x\", \"y\\\"\"]}"));
    assert_int_equal(allm_embed(g.llm, texts, 2, v, 1, &g.err), ALLM_E_ARGUMENT);
    assert_non_null(strstr(g.err.message, "has 2 numbers, 1 expected"));
    assert_int_equal(allm_embed(g.llm, texts, 2, v, 0, &g.err), ALLM_E_ARGUMENT); /* not known before */
    assert_non_null(strstr(g.err.message, "has 2 numbers, 0 expected"));
    assert_int_equal(allm_embed(g.llm, texts, 1, v, 2, &g.err), ALLM_E_REMOTE); /* more than asked for */
    assert_non_null(strstr(g.err.message, "a vector for text 1 came, of 1 from 0 on"));
    remote_end(&g);
    remote_begin(&g, "openai", twice, 1);
    assert_int_equal(allm_embed(g.llm, texts, 2, v, 2, &g.err), ALLM_E_REMOTE);
    assert_non_null(strstr(g.err.message, "two vectors came for text 0"));
    remote_end(&g);
    remote_begin(&g, "openai", uneven, 1);
    assert_int_equal(allm_embed(g.llm, texts, 2, v, 2, &g.err), ALLM_E_REMOTE);
    remote_end(&g);
    remote_begin(&g, "openai", both, 1);
    assert_int_equal(allm_models(g.llm, list, 1, &n, &g.err), ALLM_OK);
    assert_true(n == 1 && !strcmp(list[0].name, "a.gguf"));
    remote_end(&g);
    remote_begin(&g, "openai", second, 1);
    assert_int_equal(allm_models(g.llm, list, 1, &n, &g.err), ALLM_OK);
    assert_true(n == 1 && !strcmp(list[0].name, "b"));
    remote_end(&g);
    remote_begin(&g, "ollama", models, 1);
    assert_int_equal(allm_models(g.llm, list, 1, &n, &g.err), ALLM_OK);
    assert_true(n == 2 && !strcmp(list[0].name, "a:1b") && list[0].n_bytes == 7);
    assert_non_null(strstr(remote_log, "GET http://h/v1/api/tags\n"));
    remote_end(&g);
    remote_begin(&g, "anthropic", models, 1);
    for (int dim = 0; dim < 3; dim += 2) {
        assert_int_equal(allm_embed(g.llm, texts, 2, v, dim, &g.err), ALLM_E_UNSUPPORTED);
        assert_non_null(strstr(g.err.message, "embeddings: "));
    }
    remote_end(&g);
}

static allm_status remote_fail_body(const allm__host *h, void *ctx) {
    static const char *const hi[] = {REMOTE_HI};
    remote_rig          g   = {0};
    allm_runtime_config rc  = {0};
    allm_config         c   = {0};
    allm_request        q   = remote_prompt("x");
    allm_response       r;
    (void)ctx;
    rc.allocator = h->mem, rc.n_threads = 1, rc.isa = "scalar";
    allm_status status = allm_runtime_create(&rc, &g.rt, &g.err);
    g.script.responses = hi, g.script.n = 1;
    c.runtime = g.rt, c.model = "m", c.transport = remote_transport, c.transport_ctx = &g.script, c.api_key = "k";
    if (!status) status = allm_create("openai", &c, &g.llm, &g.err);
    if (!status) {
        status = allm_generate(g.llm, &q, &r, &g.err);
        if (!status) assert_string_equal(r.text, "Hi there");
        allm_response_free(&r);
    }
    remote_end(&g);
    return status;
}

static void test_remote_memory(void **state) {
    (void)state;
    test_fail_each(remote_fail_body, NULL);
}

/* ---- a server on loopback */

enum { SERVER_PLAY, SERVER_FOREVER, SERVER_SILENT, SERVER_CLOSE, SERVER_BYTES, SERVER_RESET };

typedef struct remote_server {
    int         listener, port, what, n_accepted, stop;
    const char *text; /* what is played */
    const char *again; /* what FOREVER says; NULL: more words of OpenAI's */
    pthread_t   thread;
} remote_server;

static void remote_serve(remote_server *s, int fd) {
    const struct linger at_once = {1, 0};
    if (s->what == SERVER_RESET) { /* the rest of the request meets a closed connection */
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        return;
    }
    char    request[4096];
    ssize_t n = recv(fd, request, sizeof request, 0);
    if (n <= 0 || s->what == SERVER_CLOSE) return;
    size_t len = strlen(s->text), step = s->what == SERVER_BYTES ? 1 : len;
    for (size_t i = 0; s->what != SERVER_SILENT && i < len; i += step)
        if (send(fd, s->text + i, ALLM__MIN(step, len - i), MSG_NOSIGNAL) < 0) return;
    while (s->what == SERVER_FOREVER) {
        const char *again = s->again ? s->again : "data: {\"choices\":[{\"delta\":{\"content\":\"more \"}}]}\n\n";
        if (send(fd, again, strlen(again), MSG_NOSIGNAL) < 0) return;
    }
    while (s->what == SERVER_SILENT && recv(fd, request, sizeof request, 0) > 0) {}
}

static void *remote_server_main(void *arg) {
    remote_server *s = (remote_server *)arg;
    for (;;) {
        int fd = accept(s->listener, NULL, NULL), one = 1;
        if (fd < 0 || __atomic_load_n(&s->stop, __ATOMIC_SEQ_CST)) return fd >= 0 ? close(fd) : 0, NULL;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        __atomic_add_fetch(&s->n_accepted, 1, __ATOMIC_SEQ_CST);
        remote_serve(s, fd);
        close(fd);
    }
}

static void remote_server_start(remote_server *s, int what, const char *text) {
    struct sockaddr_in a = {0};
    socklen_t          n = sizeof a;
    memset(s, 0, sizeof *s);
    s->what = what, s->text = text, s->listener = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_family = AF_INET, a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(s->listener, 8), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&a, &n), 0);
    s->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, remote_server_main, s), 0);
}

static void remote_server_stop(remote_server *s) { /* a last connection wakes it */
    struct sockaddr_in a  = {0};
    int                fd = socket(AF_INET, SOCK_STREAM, 0);
    __atomic_store_n(&s->stop, 1, __ATOMIC_SEQ_CST);
    a.sin_family = AF_INET, a.sin_addr.s_addr = htonl(INADDR_LOOPBACK), a.sin_port = htons((uint16_t)s->port);
    (void)!connect(fd, (struct sockaddr *)&a, sizeof a);
    pthread_join(s->thread, NULL);
    close(fd), close(s->listener);
}

static void remote_open_server_as(remote_rig *g, const remote_server *s, int32_t timeout_ms, const char *provider,
                                  const char *host) {
    char        base[64];
    allm_config c = {0};
    memset(g, 0, sizeof *g);
    snprintf(base, sizeof base, "http://%s:%d/v1", host, s->port);
    c.base_url = base, c.timeout_ms = timeout_ms, c.max_retries = 1;
    remote_begin_on(g, provider, c, NULL);
}

static void remote_open_server(remote_rig *g, const remote_server *s, int32_t timeout_ms) {
    remote_open_server_as(g, s, timeout_ms, "openai", "127.0.0.1");
}

/* Answers of 10^9 tokens, whatever they consist of and whichever API says them, end at max_tokens or are refused; the
 * connection is closed: the server could not end else. */
static void test_remote_floods(void **state) {
    static const struct { const char *provider, *head, *again; allm_status status; } cases[] = {
        {"openai", REMOTE_SSE, "data: {\"choices\":[{\"delta\":{\"reasoning\":\"hm \"}}]}\n\n", ALLM_OK},
        {"openai", REMOTE_SSE, "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":"
            "{\"name\":\"f\",\"arguments\":\" \"}}]}}]}\n\n", ALLM_OK},
        {"openai", REMOTE_SSE, "data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            ALLM_E_REMOTE},
        {"openai", REMOTE_SSE, "data: {]\n\n", ALLM_E_REMOTE},
        {"ollama", "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n",
            "{\"message\":{\"content\":\"more \"},\"done\":false}\n", ALLM_OK},
        {"ollama", "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n", "\x01\xff garbage \n",
            ALLM_E_REMOTE},
        {"anthropic", REMOTE_SSE, "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
            "\"text_delta\",\"text\":\"more \"}}\n\n", ALLM_OK},
        {"anthropic", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n",
            "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
            ALLM_E_REMOTE},
        {"anthropic", "HTTP/1.1 200 OK\r\n", "X-Header: 1\r\n", ALLM_E_REMOTE},
    };
    (void)state;
    TEST_NEEDS_THREADS();
    for (size_t i = 0; i < ALLM__COUNT(cases); i++) {
        remote_server s;
        remote_rig    g;
        allm_response r;
        allm_request  q     = remote_prompt("x");
        allm_tool     t     = {"f", NULL, NULL, NULL, NULL};
        double        start = allm__plat_seconds();
        q.max_tokens = 50, q.tools = &t, q.n_tools = 1;
        remote_server_start(&s, SERVER_FOREVER, cases[i].head);
        s.again = cases[i].again;
        remote_open_server_as(&g, &s, 0, cases[i].provider, i % 2 ? "localhost" : "127.0.0.1");
        allm_status status = allm_generate(g.llm, &q, &r, &g.err);
        if (status != cases[i].status) fail_msg("case %d: status %d: %s", (int)i, (int)status, g.err.message);
        if (!status) assert_int_equal(r.finish, ALLM_FINISH_LENGTH);
        allm_response_free(&r);
        remote_end(&g);
        remote_server_stop(&s);
        test_time("a flood", allm__plat_seconds() - start, 3);
    }
}

/* More than we take: the message says what and from where. */
static void test_remote_too_much(void **state) {
    allm__buf    b = {&http_host, NULL, 0, 0, 0, 0};
    remote_rig   g = {0};
    allm_config  c = {0};
    allm_request q = remote_prompt("x");
    (void)state;
    c.transport = remote_deaf_transport;
    for (int i = 0; i < 129; i++) {
        char one[200];
        snprintf(one, sizeof one, "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":%d,\"id\":\"i%d\","
                 "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}\n\n", i, i);
        allm__buf_puts(&b, one);
    }
    c.transport_ctx = (void *)(uintptr_t)allm__buf_text(&b);
    remote_begin_on(&g, "openai", c, NULL);
    assert_int_equal(allm_generate(g.llm, &q, NULL, &g.err), ALLM_E_MEMORY);
    if (!strstr(g.err.message, "more than 128 tool calls")) fail_msg("%s", g.err.message);
    remote_end(&g);
    b.len = 0;
    allm__buf_puts(&b, "data: ");
    char *room = allm__buf_room(&b, (16 << 20) + 1);
    assert_non_null(room);
    memset(room, 'x', (16 << 20) + 1);
    c.transport_ctx = (void *)(uintptr_t)allm__buf_text(&b);
    remote_begin_on(&g, "openai", c, NULL);
    assert_int_equal(allm_generate(g.llm, &q, NULL, &g.err), ALLM_E_REMOTE);
    assert_string_equal(g.err.message, "https://api.openai.com/v1/chat/completions: a line of more than 16 MiB");
    remote_end(&g);
    allm__buf_free(&b);
}

static void test_remote_server(void **state) {
    static const struct { int what; const char *text; int32_t timeout_ms; allm_status status; allm_finish finish;
        int n; } cases[] = {
        {SERVER_PLAY, REMOTE_HI, 0, ALLM_OK, ALLM_FINISH_STOP, 1},
        {SERVER_BYTES, REMOTE_HI, 0, ALLM_OK, ALLM_FINISH_STOP, 1},
        {SERVER_FOREVER, REMOTE_SSE, 0, ALLM_OK, ALLM_FINISH_LENGTH, 1}, /* 10^9 tokens, if we let it */
        {SERVER_SILENT, "", 100, ALLM_E_TIMEOUT, ALLM_FINISH_STOP, 1},
        {SERVER_CLOSE, "", 0, ALLM_E_REMOTE, ALLM_FINISH_STOP, 2},
        {SERVER_PLAY, "SSH-2.0-x\r\n", 0, ALLM_E_REMOTE, ALLM_FINISH_STOP, 2},
        {SERVER_PLAY, REMOTE_SSE "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n", 0, ALLM_E_REMOTE,
            ALLM_FINISH_STOP, 1},
    };
    (void)state;
    TEST_NEEDS_THREADS();
    for (size_t i = 0; i < ALLM__COUNT(cases); i++) {
        remote_server s;
        remote_rig    g;
        allm_response r;
        allm_request  q = remote_prompt("x");
        q.max_tokens    = 100;
        remote_server_start(&s, cases[i].what, cases[i].text);
        remote_open_server(&g, &s, cases[i].timeout_ms);
        allm_status status = allm_generate(g.llm, &q, &r, &g.err);
        if (status != cases[i].status || r.finish != cases[i].finish)
            fail_msg("case %d: status %d, finish %d: %s", (int)i, (int)status, (int)r.finish, g.err.message);
        if (cases[i].what == SERVER_FOREVER) assert_true(r.text_len >= 100 * 5 && r.text_len < 1000 * 5);
        if (i == 6) assert_string_equal(r.text, "Hi"); /* what had come is kept */
        allm_response_free(&r);
        remote_end(&g);
        remote_server_stop(&s);
        assert_int_equal(s.n_accepted, cases[i].n);
    }
    remote_server s; /* nobody listens there any more */
    remote_rig    g;
    allm_request  q = remote_prompt("x");
    remote_server_start(&s, SERVER_CLOSE, "");
    remote_server_stop(&s);
    remote_open_server(&g, &s, 0);
    assert_int_equal(allm_generate(g.llm, &q, NULL, &g.err), ALLM_E_REMOTE);
    remote_end(&g);
}

static int remote_pipes;

static void remote_count_pipe(int number) { (void)number, remote_pipes++; }

/* A server that hangs up while a long request is sent: an error, no signal. */
static void test_remote_fault_41_sigpipe(void **state) {
    const size_t n = 8 << 20;
    char        *text = (char *)malloc(n + 1);
    (void)state;
    TEST_NEEDS_THREADS();
    memset(text, 'x', n), text[n] = 0;
    remote_pipes = 0;
    void (*before)(int) = signal(SIGPIPE, remote_count_pipe);
    for (int i = 0; i < 3; i++) {
        remote_server s;
        remote_rig    g;
        allm_request  q = remote_prompt(text);
        remote_server_start(&s, SERVER_RESET, "");
        remote_open_server(&g, &s, 5000);
        assert_int_equal(allm_generate(g.llm, &q, NULL, &g.err), ALLM_E_REMOTE);
        assert_non_null(strstr(g.err.message, "127.0.0.1"));
        remote_end(&g);
        remote_server_stop(&s);
    }
    signal(SIGPIPE, before);
    assert_int_equal(remote_pipes, 0);
    free(text);
}

static void *remote_cancel_main(void *arg) {
    allm__plat_sleep(60);
    allm_cancel((allm_llm *)arg);
    return NULL;
}

static int remote_stop_at_once(const allm_chunk *c, void *ctx) {
    (void)c;
    (*(int *)ctx)++;
    return 1;
}

/* Cancelled from another thread while nothing comes; stopped by the callback; the object stays usable. */
static void test_remote_cancel(void **state) {
    remote_server s;
    remote_rig    g;
    pthread_t     thread;
    allm_response r;
    allm_request  q     = remote_prompt("x");
    int           n     = 0;
    double        start = allm__plat_seconds();
    (void)state;
    TEST_NEEDS_THREADS();
    remote_server_start(&s, SERVER_SILENT, "");
    remote_open_server(&g, &s, 0);
    assert_int_equal(pthread_create(&thread, NULL, remote_cancel_main, g.llm), 0);
    assert_int_equal(allm_generate(g.llm, &q, &r, &g.err), ALLM_E_CANCELLED);
    test_time("cancel while waiting", allm__plat_seconds() - start, 0.5);
    assert_int_equal(r.finish, ALLM_FINISH_CANCELLED);
    pthread_join(thread, NULL);
    allm_response_free(&r);
    remote_end(&g);
    remote_server_stop(&s);
    remote_server_start(&s, SERVER_FOREVER, REMOTE_SSE);
    remote_open_server(&g, &s, 0);
    q.on_chunk = remote_stop_at_once, q.on_chunk_ctx = &n;
    for (int i = 1; i < 4; i++) {
        assert_int_equal(allm_generate(g.llm, &q, &r, &g.err), ALLM_E_CANCELLED);
        assert_int_equal(n, i);
        allm_response_free(&r);
    }
    remote_end(&g);
    remote_server_stop(&s);
}

static const struct CMUnitTest test_remote[] = {
    cmocka_unit_test(test_remote_requests), cmocka_unit_test(test_remote_unsupported),
        cmocka_unit_test(test_remote_open),     cmocka_unit_test(test_remote_bad_requests),
    cmocka_unit_test(test_remote_answers),  cmocka_unit_test(test_remote_tool_rounds),
        cmocka_unit_test(test_remote_errors),
    cmocka_unit_test(test_remote_asked_to_wait),
    cmocka_unit_test(test_remote_behind_the_end), cmocka_unit_test(test_remote_too_much),
    cmocka_unit_test(test_remote_lists),
           cmocka_unit_test(test_remote_memory),
    cmocka_unit_test(test_remote_images),   cmocka_unit_test(test_remote_bad_images),
    cmocka_unit_test(test_remote_nameless),
    cmocka_unit_test(test_remote_every_split), cmocka_unit_test(test_remote_pauses),
    cmocka_unit_test(test_remote_floods),
    cmocka_unit_test(test_remote_server),   cmocka_unit_test(test_remote_cancel),
    cmocka_unit_test(test_remote_fault_41_sigpipe),
};
