/* Room wire: every golden response, its bytes in pieces of every size, gives the expected events; what servers do that
 * no description tells; broken documents. The way there is that of room remote: a transport that plays the bytes. */

typedef struct wire_script { /* a transport that plays a response */
    const char *bytes;
    size_t      n, piece;
    int         cut; /* the bytes ended early */
} wire_script;

static allm_status wire_transport(void *ctx, const allm_http *io, allm_error *err) {
    wire_script      *s = (wire_script *)ctx;
    allm__http_reader r;
    memset(&r, 0, sizeof r);
    r.io = io, r.err = err, r.line.host = &http_host;
    for (size_t i = 0; i < s->n && !err->status; i += s->piece)
        allm__http_feed(&r, s->bytes + i, ALLM__MIN(s->piece, s->n - i));
    allm__http_close(&r);
    s->cut = r.cut;
    allm__http_free(&r);
    return err->status;
}

static void wire_put(allm__buf *b, const char *name, allm_str s) {
    allm__buf_puts(b, name), allm__buf_putc(b, '=');
    allm__json_put_str(b, s);
    allm__buf_putc(b, ' ');
}

static void wire_put_int(allm__buf *b, const char *name, int64_t v) {
    allm__buf_puts(b, name), allm__buf_putc(b, '='), allm__buf_int(b, v), allm__buf_putc(b, ' ');
}

static void wire_put_num(allm__buf *b, double v) {
    char t[32];
    allm__buf_put(b, t, allm__num_repr(t, v)), allm__buf_putc(b, ' ');
}

static const char *const wire_kinds[] = {"text",  "reasoning", "refusal", "tool_call",  "tool_args", "logprob",
                                         "finish", "usage",    "opaque",  "embeddings", "models"};
static const char *const wire_errors[] = {"", "protocol", "incomplete", "auth", "not_found", "rate_limit",
                                          "overloaded", "request", "server"};
static const char *const wire_finishes[] = {"stop", "length", "tool_calls", "cancelled", "content_filter"};

/* Events as lines; those of arguments that the golden data has as a value are put in its form. */
static int wire_on_event(void *ctx, const allm__wire_event *e) {
    allm__buf *b = (allm__buf *)ctx;
    allm__buf_puts(b, wire_kinds[e->kind]), allm__buf_putc(b, ' ');
    if (e->choice && e->kind != ALLM__WIRE_FINISH) wire_put_int(b, "choice", e->choice);
    switch (e->kind) {
    case ALLM__WIRE_TEXT: case ALLM__WIRE_REASONING: case ALLM__WIRE_REFUSAL: wire_put(b, "text", e->text); break;
    case ALLM__WIRE_CALL:
        wire_put_int(b, "index", e->index), wire_put(b, "id", e->id), wire_put(b, "name", e->name);
        break;
    case ALLM__WIRE_ARGS: wire_put_int(b, "index", e->index), wire_put(b, "text", e->text); break;
    case ALLM__WIRE_LOGPROB:
        wire_put(b, "token", e->text), wire_put_num(b, e->value);
        for (size_t i = 0; i < e->n_top; i++) wire_put(b, "top", e->top[i].text), wire_put_num(b, e->top[i].logprob);
        break;
    case ALLM__WIRE_FINISH: wire_put(b, "reason", allm__str_of(wire_finishes[e->finish])); break;
    case ALLM__WIRE_USAGE:
        wire_put_int(b, "prompt", e->prompt_tokens), wire_put_int(b, "completion", e->completion_tokens);
        if (e->cached_tokens >= 0) wire_put_int(b, "cached", e->cached_tokens);
        break;
    case ALLM__WIRE_OPAQUE: wire_put(b, "kind", e->name), wire_put(b, "data", e->text); break;
    case ALLM__WIRE_VECTOR:
        for (size_t i = 0; i < e->n_values; i++) wire_put_num(b, e->values[i]);
        break;
    case ALLM__WIRE_MODEL:
        wire_put(b, "name", e->name), wire_put_int(b, "size", e->size);
        wire_put(b, "parameters", e->text), wire_put(b, "quantization", e->id);
        break;
    }
    allm__buf_putc(b, '\n');
    return 0;
}

/* One response through room remote's way of reading it, as lines. */
static void wire_play(int api, wire_script *script, allm__buf *lines) {
    allm__remote    r = {0};
    allm__remote_io io;
    allm_error      err = {0};
    memset(&io, 0, sizeof io);
    r.host = &http_host, r.api = &allm__remote_apis[0], r.transport = wire_transport, r.transport_ctx = script;
    io.r = &r, io.should_retry = -1, lines->host = &http_host;
    allm__wire_init(&io.w, &http_host, api);
    allm__stream_init(&io.s, &http_host, ALLM__STREAM_WHOLE, &io.own);
    io.w.sink = wire_on_event, io.w.ctx = lines, io.s.sink = allm__wire_document, io.s.ctx = &io.w;
    if (allm__remote_try(&io, "POST", "http://h/x", ALLM__S("{}"), &err)) {
        int kind = io.w.error ? (int)io.w.error : script->cut ? ALLM__WIRE_INCOMPLETE : ALLM__WIRE_PROTOCOL;
        wire_put(lines, "error kind", allm__str_of(wire_errors[kind]));
        if (kind > ALLM__WIRE_INCOMPLETE) wire_put(lines, "message", allm__stream_text(&io.w.message));
        if (kind > ALLM__WIRE_INCOMPLETE && io.status != 200) wire_put_int(lines, "status", io.status);
        if (io.retry_ms) wire_put_int(lines, "retry_after_s", io.retry_ms / 1000);
        allm__buf_putc(lines, '\n');
    }
    allm__stream_free(&io.s);
    allm__wire_free(&io.w);
}

static void wire_expect_str(allm__buf *b, allm__val e, const char *key, const char *name) {
    allm__val v = tmpl_at(e, key);
    if (v.type != ALLM__V_UNDEF) wire_put(b, name, allm__v_is_str(v) ? allm__v_str(v) : ALLM__S(""));
}

static void wire_expect_int(allm__buf *b, allm__val e, const char *key, const char *name) {
    allm__val v = tmpl_at(e, key);
    if (v.type == ALLM__V_INT) wire_put_int(b, name, v.u.i);
}

/* An expected event as the line that wire_on_event writes. */
static void wire_expect(allm__buf *b, allm__val e) {
    allm_str  type = allm__v_str(tmpl_at(e, "type"));
    allm__val json = tmpl_at(e, "json"), list;
    if (allm__str_eq(type, ALLM__S("embeddings")) || allm__str_eq(type, ALLM__S("models"))) {
        int vectors = allm__str_eq(type, ALLM__S("embeddings"));
        list        = tmpl_at(e, vectors ? "vectors" : "models");
        for (size_t i = 0; i < list.u.q->n; i++) {
            allm__val v = list.u.q->v[i];
            allm__buf_put(b, type.ptr, type.len), allm__buf_putc(b, ' ');
            for (size_t k = 0; vectors && k < v.u.q->n; k++)
                wire_put_num(b, v.u.q->v[k].type == ALLM__V_INT ? (double)v.u.q->v[k].u.i : v.u.q->v[k].u.f);
            if (!vectors)
                wire_expect_str(b, v, "name", "name"), wire_expect_int(b, v, "size", "size"),
                    wire_expect_str(b, v, "parameter_size", "parameters"),
                    wire_expect_str(b, v, "quantization", "quantization");
            allm__buf_putc(b, '\n');
        }
        return;
    }
    int error = allm__str_eq(type, ALLM__S("error"));
    if (!error) allm__buf_put(b, type.ptr, type.len), allm__buf_putc(b, ' ');
    wire_expect_int(b, e, "choice", "choice");
    wire_expect_int(b, e, "index", "index");
    if (!error) wire_expect_str(b, e, "id", "id");
    wire_expect_str(b, e, "name", "name");
    wire_expect_str(b, e, "kind", error ? "error kind" : "kind");
    wire_expect_str(b, e, "text", "text");
    if (json.type != ALLM__V_UNDEF) {
        allm__buf t = {&http_host, NULL, 0, 0, 0, 0};
        tmpl_json(&t, json);
        wire_put(b, "text", allm__str(t.ptr, t.len));
        allm__buf_free(&t);
    }
    wire_expect_str(b, e, "token", "token");
    allm__val p = tmpl_at(e, "logprob"), top = tmpl_at(e, "top");
    if (p.type == ALLM__V_FLOAT) wire_put_num(b, p.u.f);
    for (size_t i = 0; top.type == ALLM__V_LIST && i < top.u.q->n; i++)
        wire_put(b, "top", allm__v_str(top.u.q->v[i].u.q->v[0])), wire_put_num(b, top.u.q->v[i].u.q->v[1].u.f);
    wire_expect_str(b, e, "reason", "reason");
    wire_expect_str(b, e, "data", "data");
    wire_expect_int(b, e, "prompt_tokens", "prompt");
    wire_expect_int(b, e, "completion_tokens", "completion");
    wire_expect_int(b, e, "cached_tokens", "cached");
    allm_str kind = error ? allm__v_str(tmpl_at(e, "kind")) : ALLM__S("");
    if (error && !allm__str_eq(kind, ALLM__S("protocol")) && !allm__str_eq(kind, ALLM__S("incomplete")))
        wire_expect_str(b, e, "message", "message"), wire_expect_int(b, e, "status", "status");
    wire_expect_int(b, e, "retry_after_s", "retry_after_s");
    allm__buf_putc(b, '\n');
}

/* Arguments that came as a value, in the form that the expected ones are written in. */
static void wire_canonical(allm__buf *lines) {
    allm__buf out = {&http_host, NULL, 0, 0, 0, 0};
    for (char *p = lines->ptr, *end; p && p < lines->ptr + lines->len; p = end + 1) {
        end = (char *)memchr(p, '\n', (size_t)(lines->ptr + lines->len - p));
        const char    *at = strstr(p, "text=");
        allm__json     j;
        allm_error     err = {0};
        allm__tmpl_ctx c;
        allm__val      v;
        if (strncmp(p, "tool_args", 9) || !at || at > end) { allm__buf_put(&out, p, (size_t)(end - p) + 1); continue; }
        allm__json_init(&j, &http_host, allm__str(at + 5, (size_t)(end - at) - 5), "args", 0, &err);
        allm__json_next(&j);
        allm_str text = allm__json_text(&j);
        allm__tmpl_ctx_init(&c, &http_host);
        if (allm__val_from_json(&c, text, 0, "args", &v, &err)) allm__buf_put(&out, p, (size_t)(end - p) + 1);
        else {
            allm__buf t = {&http_host, NULL, 0, 0, 0, 0};
            tmpl_json(&t, v);
            allm__buf_put(&out, p, (size_t)(at - p)), wire_put(&out, "text", allm__str(t.ptr, t.len)),
                allm__buf_putc(&out, '\n');
            allm__buf_free(&t);
        }
        allm__tmpl_ctx_free(&c);
        allm__json_free(&j);
    }
    allm__buf_free(lines);
    *lines = out;
}

static int wire_api(allm_str name) {
    static const struct { const char *name; int api; } apis[] = {
        {"openai", ALLM__WIRE_OPENAI}, {"responses", ALLM__WIRE_RESPONSES}, {"ollama", ALLM__WIRE_OLLAMA},
        {"anthropic", ALLM__WIRE_ANTHROPIC},
    };
    for (size_t i = 0; i < ALLM__COUNT(apis); i++)
        if (allm__str_eq(name, allm__str_of(apis[i].name))) return apis[i].api;
    return ALLM__WIRE_LISTS; /* ollama-embed, openai-models ... */
}

static void test_wire_golden(void **state) {
    allm__tmpl_ctx file;
    allm__val      list = tmpl_at(tmpl_golden(&http_host, &file, "remote/cases.json"), "cases");
    int            n[2] = {0, 0};
    (void)state;
    for (size_t i = 0; i < list.u.q->n; i++) {
        allm__val   c = list.u.q->v[i], events = tmpl_at(c, "events");
        char        name[200];
        allm__buf   want = {&http_host, NULL, 0, 0, 0, 0}, first = {0};
        wire_script script = {0};
        snprintf(name, sizeof name, "remote/%s", tmpl_at(c, "file").u.s->ptr);
        char *bytes = test_golden(name, &script.n);
        for (size_t k = 0; k < events.u.q->n; k++) wire_expect(&want, events.u.q->v[k]);
        allm__buf_text(&want);
        for (script.piece = 1; script.piece <= script.n + 1;
             script.piece += script.piece < 20 ? 1 : script.piece < 600 ? 37 : script.n) {
            allm__buf got = {0};
            script.bytes  = bytes;
            wire_play(wire_api(allm__v_str(tmpl_at(c, "api"))), &script, &got);
            allm__buf_text(&got);
            if (first.ptr && (first.len != got.len || memcmp(first.ptr, got.ptr, got.len)))
                fail_msg("%s in pieces of %d:\n%s, in pieces of 1:\n%s", name, (int)script.piece, got.ptr, first.ptr);
            if (!first.ptr) first = got;
            else allm__buf_free(&got);
        }
        wire_canonical(&first), wire_canonical(&want);
        int same = first.len == want.len && (!want.len || !memcmp(first.ptr, want.ptr, want.len));
        if (!same) printf("             %s:\n%s  expected\n%s\n", name, allm__buf_text(&first), allm__buf_text(&want));
        n[same]++;
        allm__buf_free(&want), allm__buf_free(&first);
        free(bytes);
    }
    printf("             %d of %d responses\n", n[1], n[0] + n[1]);
    allm__tmpl_ctx_free(&file);
    assert_int_equal(n[0], 0);
}

/* ---- what descriptions do not tell */

static const char wire_head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

typedef struct wire_case { const char *api, *documents, *lines; } wire_case;

static const wire_case wire_cases[] = {
    /* calls without numbers, in documents of their own; with the same number for all; repeated names */
    {"openai",
     "{'choices':[{'delta':{'tool_calls':[{'id':'a','function':{'name':'f','arguments':'{}'}}]}}]}\n"
     "{'choices':[{'delta':{'tool_calls':[{'id':'b','function':{'name':'g','arguments':'{}'}}]},'finish_reason':'stop'}"
     "]}",
     "tool_call index=0 id='a' name='f' \ntool_args index=0 text='{}' \ntool_call index=1 id='b' name='g' \n"
     "tool_args index=1 text='{}' \nfinish reason='tool_calls' \n"},
    {"openai",
     "{'choices':[{'delta':{'tool_calls':[{'index':0,'id':'a','function':{'name':'f','arguments':'{'}},"
     "{'index':0,'id':'b','function':{'name':'g','arguments':'{'}}]}}]}\n"
     "{'choices':[{'delta':{'tool_calls':[{'index':0,'function':{'arguments':'}'}}]},'finish_reason':'tool_calls'}]}",
     "tool_call index=0 id='a' name='f' \ntool_args index=0 text='{' \ntool_call index=1 id='b' name='g' \n"
     "tool_args index=1 text='{' \ntool_args index=1 text='}' \nfinish reason='tool_calls' \n"},
    {"openai",
     "{'choices':[{'delta':{'tool_calls':[{'index':0,'id':'a','function':{'name':'f','arguments':'{'}}]}}]}\n"
     "{'choices':[{'delta':{'tool_calls':[{'index':0,'id':'a','function':{'name':'f','arguments':'}'}}]},'finish_"
     "reason':'length'}]}",
     "tool_call index=0 id='a' name='f' \ntool_args index=0 text='{' \ntool_args index=0 text='}' \nfinish "
     "reason='length' \n"},
    /* an object for arguments; content in parts; the finish before the content; unknown things everywhere */
    {"openai",
     "{'x':[[{'choices':1}]],'choices':[{'finish_reason':'stop','delta':{'content':[{'type':'text','text':'a'},"
     "{'type':'y','text':'b'}],'tool_calls':null,'z':{'content':'no'}}}],'usage':null}",
     "text text='ab' \nfinish reason='stop' \n"},
    {"openai",
     "{'choices':[{'delta':{'tool_calls':[{'index':0,'id':'a','function':{'name':'f','arguments':{'k':[1]}}}]},'finish_"
     "reason':'tool_calls'}],"
     "'usage':{'prompt_tokens':1e300,'completion_tokens':-3}}",
     "tool_call index=0 id='a' name='f' \ntool_args index=0 text='{'k':[1]}' \nfinish reason='tool_calls' \nusage "
     "prompt=0 completion=0 \n"},
    {"openai",
     "{'choices':[{'logprobs':{'content':[{'top_logprobs':[{'logprob':-1,'token':'b'}],'logprob':-0.5,'token':'a'}]},"
     "'delta':{'content':'a'},'finish_reason':'stop'}]}",
     "text text='a' \nlogprob token='a' -0.5 top='b' -1.0 \nfinish reason='stop' \n"},
    {"openai", "{'error':'boom'}", "error kind='server' message='boom' \n"},
    {"openai", "{'error':{'message':null,'code':429}}", "error kind='rate_limit' message='' \n"},
    {"openai", "{'error':null,'choices':[{'delta':{'content':'a'},'finish_reason':'stop'}]}",
     "text text='a' \nfinish reason='stop' \n"},
    {"openai", "[]", "error kind='incomplete' \n"},
    /* an end mark behind nothing, or of another API, is no answer */
    {"openai", "[DONE]", "error kind='incomplete' \n"},
    {"openai", "{'choices':[{'delta':{'role':'assistant'}}]}\n[DONE]", ""},
    {"anthropic", "{'type':'content_block_delta','index':0,'delta':{'text':'a'}}\n[DONE]",
     "text text='a' \nerror kind='incomplete' \n"},
    /* half of a pair of surrogates, as servers send it that cut UTF-16 */
    {"openai",
     "{'choices':[{'delta':{'content':'a\\ud83c'}}]}\n"
     "{'choices':[{'delta':{'content':'\\udf0d\\ud83cb\\ud83c\\udf0d'},'finish_reason':'stop'}]}\n[DONE]",
     "text text='a\xef\xbf\xbd' \ntext text='\xef\xbf\xbd\xef\xbf\xbd" "b\xf0\x9f\x8c\x8d' \nfinish reason='stop' \n"},
    {"openai", "{'choices':7}", "error kind='incomplete' \n"},
    {"anthropic", "{'type':'error','error':{'type':'rate_limit_error','message':'slow'}}",
     "error kind='rate_limit' message='slow' \n"},
    {"anthropic",
     "{'type':'content_block_delta','index':3,'delta':{'type':'input_json_delta','partial_json':'{}'}}\n"
     "{'type':'content_block_stop','index':3}\n{'type':'message_stop'}",
     ""}, /* arguments of no call */
    {"responses",
     "{'object':'response','status':'completed','output':[{'type':'reasoning','summary':[{'text':'hm'}]},"
     "{'type':'message','content':[{'type':'output_text','text':'a'}]},"
     "{'type':'function_call','call_id':'c','name':'f','arguments':'{}'}],'usage':{'input_tokens':2,'output_tokens':3}"
     "}",
     "reasoning text='hm' \ntext text='a' \ntool_call index=2 id='c' name='f' \ntool_args index=2 text='{}' \n"
     "finish reason='tool_calls' \nusage prompt=2 completion=3 \n"},
    {"lists",
     "{'object':'list','data':[{'index':1,'embedding':[0.5,2]},{'index':0,'embedding':[]}],'usage':{'prompt_tokens':4}"
     "}",
     "embeddings 0.5 2.0 \nusage prompt=4 completion=0 \n"},
    {"lists", "{'data':[{'id':'m1'},{'id':'m2','x':{'id':'no'}}]}",
     "models name='m1' size=0 parameters='' quantization='' \nmodels name='m2' size=0 parameters='' quantization='' "
     "\n"},
};

static void wire_quotes(char *p) { /* ' for " in the cases above */
    for (; *p; p++) *p = *p == '\'' ? '"' : *p;
}

/* A stream of the documents that stand in the lines of a text. */
static void wire_stream(allm__buf *b, const char *documents) {
    b->host = &http_host;
    allm__buf_puts(b, wire_head);
    for (const char *p = documents, *end; *p; p = *end ? end + 1 : end) {
        end = p + strcspn(p, "\n");
        allm__buf_puts(b, "data: "), allm__buf_put(b, p, (size_t)(end - p)), allm__buf_puts(b, "\n\n");
    }
}

static void test_wire_oddities(void **state) {
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(wire_cases); i++) {
        char        documents[2000], lines[2000];
        allm__buf   b = {0}, got = {0};
        wire_script script = {0};
        snprintf(documents, sizeof documents, "%s", wire_cases[i].documents), wire_quotes(documents);
        snprintf(lines, sizeof lines, "%s", wire_cases[i].lines), wire_quotes(lines);
        for (char *p = lines; (p = strstr(p, "text=\"{\"k\":[1]}\"")); p++) /* quotes within quotes */
            memmove(p + 18, p + 16, strlen(p + 16) + 1), memcpy(p, "text=\"{\\\"k\\\":[1]}\"", 18);
        wire_stream(&b, documents);
        script.bytes = b.ptr, script.n = b.len, script.piece = 11;
        wire_play(wire_api(allm__str_of(wire_cases[i].api)), &script, &got);
        assert_string_equal(allm__buf_text(&got), lines);
        allm__buf_free(&b), allm__buf_free(&got);
    }
}

static allm_status wire_fail_body(const allm__host *h, void *ctx) {
    char        documents[2000];
    allm__wire  w;
    allm__buf   lines  = {&http_host, NULL, 0, 0, 0, 0};
    allm_status status = ALLM_OK;
    snprintf(documents, sizeof documents, "%s", ((const wire_case *)ctx)->documents), wire_quotes(documents);
    allm__wire_init(&w, h, wire_api(allm__str_of(((const wire_case *)ctx)->api)));
    w.sink = wire_on_event, w.ctx = &lines;
    for (char *p = documents, *end; *p && !status; p = *end ? end + 1 : end) {
        end                  = p + strcspn(p, "\n");
        allm__stream_event e = {ALLM__S("message"), allm__str(p, (size_t)(end - p)), ALLM__S("")};
        status               = allm__wire_document(&w, &e);
    }
    allm__wire_end(&w, 1);
    if (w.failed) status = ALLM_E_MEMORY;
    allm__wire_free(&w), allm__buf_free(&lines);
    return status == ALLM_E_CANCELLED ? ALLM_OK : status;
}

/* Documents cut at every byte and with every byte changed: an error or events, in bounded memory. */
static void test_wire_flips(void **state) {
    static const unsigned char values[] = {0, 0x7f, 0xff, '"', '{', ']', '0'};
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(wire_cases); i++) {
        char      documents[2000];
        allm__buf b = {0};
        test_fail_each(wire_fail_body, (void *)(uintptr_t)&wire_cases[i]);
        snprintf(documents, sizeof documents, "%s", wire_cases[i].documents), wire_quotes(documents);
        wire_stream(&b, documents);
        for (size_t k = sizeof wire_head - 1; k < b.len; k++)
            for (size_t v = 0; v <= ALLM__COUNT(values); v++) {
                char        old = b.ptr[k];
                allm__buf   got = {0};
                wire_script script = {b.ptr, v ? b.len : k, 64, 0};
                if (v) b.ptr[k] = (char)values[v - 1];
                wire_play(wire_api(allm__str_of(wire_cases[i].api)), &script, &got);
                b.ptr[k] = old;
                allm__buf_free(&got);
            }
        allm__buf_free(&b);
    }
}

static const struct CMUnitTest test_wire[] = {
    cmocka_unit_test(test_wire_golden),
    cmocka_unit_test(test_wire_oddities),
    cmocka_unit_test(test_wire_flips),
};
