/* Room filt: every golden output, whole, cut at every byte and byte by byte; forms found by their templates; what is
 * no call comes back as text; hostile outputs. FAULTS rows 23 and 28 for what a model writes. */

#include <dirent.h>

enum { FILT_CALLS = 64 };
typedef struct filt_run {
    test_heap   mem;
    allm__host  host;
    allm__filt  f;
    allm__buf   content, reasoning, name[FILT_CALLS], args[FILT_CALLS], id[FILT_CALLS];
    int         done[FILT_CALLS], n_begun;
    int         whole; /* every piece was whole UTF-8 */
    size_t      n_pieces;
    allm_error  err;
    allm_status status;
} filt_run;

static allm_status filt_sink(void *ctx, const allm__filt_piece *p, allm_error *err) {
    filt_run *r = (filt_run *)ctx;
    int       i = (int)ALLM__MIN(p->i_call, FILT_CALLS - 1);
    (void)err;
    r->n_pieces++;
    r->whole &= allm__utf8_bad(p->text) == SIZE_MAX;
    if (p->kind == ALLM__FILT_TEXT) allm__buf_put(&r->content, p->text.ptr, p->text.len);
    if (p->kind == ALLM__FILT_REASONING) allm__buf_put(&r->reasoning, p->text.ptr, p->text.len);
    if (p->kind == ALLM__FILT_CALL) {
        assert_int_equal(p->i_call, r->n_begun);
        r->n_begun++;
        r->name[i].len = r->args[i].len = r->id[i].len = 0, r->done[i] = 0; /* the last one stands for many */
        allm__buf_puts(&r->name[i], p->name);
    }
    if (p->kind == ALLM__FILT_ARGS) allm__buf_put(&r->args[i], p->text.ptr, p->text.len);
    if (p->kind == ALLM__FILT_DONE) r->done[i] = 1, allm__buf_put(&r->id[i], p->id.ptr, p->id.len);
    return ALLM_OK;
}

typedef struct filt_given { /* what there is to parse */
    const allm__filt_row *row;
    allm_str              text, tail;
    const allm_tool      *tools;
    size_t                n_tools;
    int                   no_calls, ended;
} filt_given;

static void filt_begin(filt_run *r, const filt_given *g) {
    memset(r, 0, sizeof *r);
    r->host = test_host(&r->mem), r->whole = 1;
    r->content.host = r->reasoning.host = &r->host;
    for (int i = 0; i < FILT_CALLS; i++) r->name[i].host = r->args[i].host = r->id[i].host = &r->host;
    r->status = allm__filt_init(&r->f, &r->host, g->row, g->tail, !g->no_calls, g->tools, g->n_tools, 64, &r->err);
    r->f.sink = filt_sink, r->f.ctx = r;
}

static void filt_end(filt_run *r) {
    allm__filt_free(&r->f);
    allm__buf_free(&r->content), allm__buf_free(&r->reasoning);
    for (int i = 0; i < FILT_CALLS; i++)
        allm__buf_free(&r->name[i]), allm__buf_free(&r->args[i]), allm__buf_free(&r->id[i]);
    test_heap_check(&r->mem);
}

/* The pieces text[0 .. cut), text[cut .. n); with every = 1 each byte alone. */
static void filt_feed(filt_run *r, const filt_given *g, size_t cut, int every) {
    size_t step = every ? 1 : ALLM__MAX(cut, 1);
    for (size_t i = 0; !r->status && i < g->text.len; i += step, step = every ? 1 : g->text.len) {
        step      = ALLM__MIN(step, g->text.len - i);
        r->status = allm__filt_push(&r->f, allm__str(g->text.ptr + i, step), &r->err);
    }
    if (!r->status) r->status = allm__filt_finish(&r->f, g->ended, &r->err);
}

static void filt_put_trimmed(allm__buf *b, const allm__buf *from) {
    allm_str s = allm__filt_trim(from);
    allm__buf_put(b, s.ptr, s.len);
}

/* Members in the order of their keys: some templates sort them. */
static void filt_sort(allm__val v) {
    size_t n = v.type == ALLM__V_DICT ? v.u.d->n : 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i; k > 0 && allm__str_cmp(allm__v_str(v.u.d->v[k].key), allm__v_str(v.u.d->v[k - 1].key)) < 0;
             k--) {
            allm__vpair t   = v.u.d->v[k];
            v.u.d->v[k]     = v.u.d->v[k - 1];
            v.u.d->v[k - 1] = t;
        }
    }
    for (size_t i = 0; i < n; i++) filt_sort(v.u.d->v[i].val);
    for (size_t i = 0; v.type == ALLM__V_LIST && i < v.u.q->n; i++) filt_sort(v.u.q->v[i]);
}

static void filt_put_json(allm_str json, allm__buf *b) { /* compact, members sorted */
    allm__tmpl_ctx c;
    allm_error     err = {0};
    allm__val      v;
    allm__buf      t = {0};
    t.host           = b->host;
    allm__tmpl_ctx_init(&c, b->host);
    assert_int_equal(allm__val_from_json(&c, json, 0, "arguments", &v, &err), ALLM_OK);
    filt_sort(v);
    tmpl_json(&t, v);
    assert_true(allm__filt_val_whole(allm__str(t.ptr, t.len), ALLM__FILT_JSON, b));
    allm__buf_free(&t);
    allm__tmpl_ctx_free(&c);
}

/* The result in one text: content | reasoning | name(arguments)id ... | finish. Arguments in compact JSON. */
static void filt_tell(filt_run *r, allm__buf *b, int with_ids) {
    int n = 0;
    filt_put_trimmed(b, &r->content), allm__buf_puts(b, " | ");
    filt_put_trimmed(b, &r->reasoning), allm__buf_puts(b, " |");
    for (int i = 0; i < ALLM__MIN(r->n_begun, FILT_CALLS); i++) {
        allm__buf json = {0};
        json.host      = &r->host;
        int is_json    = allm__filt_val_whole(allm__str(r->args[i].ptr ? r->args[i].ptr : "", r->args[i].len),
                                              ALLM__FILT_JSON, &json);
        /* complete arguments and a complete call are the same thing */
        if (is_json != r->done[i]) fail_msg("call %d: %s, but done is %d", i, is_json ? "JSON" : "no JSON", r->done[i]);
        if (r->done[i]) {
            n++;
            allm__buf_putc(b, ' '), allm__buf_put(b, r->name[i].ptr, r->name[i].len), allm__buf_putc(b, '(');
            filt_put_json(allm__str(json.ptr, json.len), b), allm__buf_putc(b, ')');
            if (with_ids) allm__buf_put(b, r->id[i].ptr, r->id[i].len);
        }
        allm__buf_free(&json);
    }
    allm__buf_puts(b, r->f.text_cut ? " | length" : n ? " | tool_calls" : " | stop");
    allm__buf_text(b);
}

static void filt_run_one(const filt_given *g, size_t cut, int every, int with_ids, allm__buf *told) {
    filt_run r;
    filt_begin(&r, g);
    filt_feed(&r, g, cut, every);
    if (r.status) fail_msg("%s", r.err.message);
    if (!r.whole) fail_msg("a piece that is no whole UTF-8");
    told->len = 0;
    filt_tell(&r, told, with_ids);
    filt_end(&r);
}

/* The same result however the text is cut; 1: it is the expected one. */
static int filt_same(const filt_given *g, const char *expected, int with_ids, const char *what) {
    static const allm__host h    = {{allm__mem_default_alloc, allm__mem_default_free, NULL}, NULL, NULL};
    allm__buf               told = {0};
    int                     ok   = 1;
    told.host                    = &h;
    for (size_t cut = 0; ok && cut <= g->text.len; cut++) {
        filt_run_one(g, cut == g->text.len ? 1 : cut, cut == g->text.len, with_ids, &told);
        ok = !strcmp(told.ptr, expected);
        if (!ok)
            printf("             %s, cut at %d:\n               %s\n             expected\n               %s\n", what,
                   (int)cut, told.ptr, expected);
    }
    allm__buf_free(&told);
    return ok;
}

/* ---- a few outputs of each kind; the golden ones are many more */

static const allm_tool filt_tools[] = {
    {"get_weather", NULL,
     "{\"type\": \"object\", \"properties\": {\"city\": {\"type\": \"string\"}, \"days\": {\"type\": \"integer\"}}}",
     NULL, NULL},
    {"note", NULL,
     "{\"properties\": {\"text\": {\"type\": [\"string\", \"null\"]}, \"at\": {\"properties\": {\"tags\": {\"items\": "
     "{\"type\": \"string\"}, \"type\": \"array\"}, \"n\": {\"anyOf\": [{\"type\": \"number\"}, {\"type\": "
     "\"null\"}]}}}}}",
     NULL, NULL},
    {"now", NULL, NULL, NULL, NULL},
};

typedef struct filt_case {
    const char *family, *tail, *text, *expected;
} filt_case;

static const filt_case filt_cases[] = {
    {"qwen3", "", "Hi there.\n", "Hi there. |  | | stop"},
    {"qwen3", "", " <think>\nHm.\n</think>\n\nHi", "Hi | Hm. | | stop"},
    {"qwen3", "<think>\n", "Hm.</think>Hi", "Hi | Hm. | | stop"},
    {"qwen3", "<think>\n", "<think>Hm.</think>Hi", "Hi | Hm. | | stop"},
    {"qwen3", "", "</think>Hi", "Hi |  | | stop"},
    {"qwen3", "<think>", "Hm", " | Hm | | length"},
    {"qwen3", "",
     "On it.\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"A\\n\"}}\n</tool_call>\n",
     "On it. |  | get_weather({\"city\":\"A\\n\"}) | tool_calls"},
    {"qwen3", "", "<tool_call>{\"arguments\": {\"city\": \"A\"}, \"name\": \"f\", \"id\": 7}</tool_call>Then.",
     "Then. |  | f({\"city\":\"A\"})7 | tool_calls"},
    {"qwen3", "",
     "<tool_call>{\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\": 1}\"}}</tool_call>",
     " |  | f({\"a\":1}) | tool_calls"},
    {"qwen3", "", "<tool_call>{\"name\": \"f\", \"arguments\": null}</tool_call>", " |  | f({}) | tool_calls"},
    {"qwen3", "", "<tool_call>{\"name\": \"f\"}</tool_call>", " |  | f({}) | tool_calls"},
    /* slips that are made good: a raw line end, a comma too many, Python's words, an escape of nobody's, half a pair */
    {"qwen3", "", "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"1\n2\", \"b\": [True, None,],}}</tool_call>",
     " |  | f({\"a\":\"1\\n2\",\"b\":[true,null]}) | tool_calls"},
    {"qwen3", "", "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"\\d\\ud83d\\ude00\\ud83d!\"}}</tool_call>",
     " |  | f({\"a\":\"\\\\d\xf0\x9f\x98\x80\xef\xbf\xbd!\"}) | tool_calls"},
    /* a bracket is missing: the arguments are whole, and so is the call */
    {"qwen3", "", "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}</tool_call>",
     "</tool_call> |  | f({\"a\":1}) | tool_calls"},
    /* no calls */
    {"qwen3", "", "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1e999}}</tool_call>",
     "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1e999}}</tool_call> |  | | stop"},
    {"qwen3", "", "Use <tool_call> and </tool_call>.", "Use <tool_call> and </tool_call>. |  | | stop"},
    {"qwen3", "", "<tool_call><tool_call>{\"name\": \"f\"}</tool_call>", "<tool_call> |  | f({}) | tool_calls"},
    {"qwen3", "", "<tool_call>{\"name\": 5}", "<tool_call>{\"name\": 5} |  | | stop"},
    {"qwen3", "", "<tool_call>{\"arguments\": [1]}", "<tool_call>{\"arguments\": [1]} |  | | stop"},
    {"qwen3", "", "a <tool_ca", "a <tool_ca |  | | stop"},
    {"qwen3", "", "a <tool_call>{\"na", "a |  | | length"},
    {"qwen3-coder", "",
     "<tool_call>\n<function=get_weather>\n<parameter=city>\n\n5\n</parameter>\n<parameter=days>\n5\n</parameter>\n"
     "</function>\n</tool_call>",
     " |  | get_weather({\"city\":\"\\n5\",\"days\":5}) | tool_calls"},
    {"qwen3-coder", "",
     "<function=note>\n<parameter=text>\nnull\n</parameter>\n<parameter=at>\n{'n': None}\n</parameter>\n</function>",
     " |  | note({\"at\":{\"n\":null},\"text\":null}) | tool_calls"},
    {"qwen3-coder", "",
     "<function=note>\n<parameter=text>\n\"q\"\n</parameter>\n<parameter=new>\n12\n</parameter>\n</function>",
     " |  | note({\"new\":\"12\",\"text\":\"\\\"q\\\"\"}) | tool_calls"},
    {"glm-4.6", "", "<tool_call>f\n<arg_key>a</arg_key>\n<arg_value>12</arg_value>\n</tool_call>",
     " |  | f({\"a\":12}) | tool_calls"},
    {"glm-4.6", "", "<tool_call> is a tag, <arg_key> too", "<tool_call> is a tag, <arg_key> too |  | | stop"},
    {"minimax-m3", "",
     "]<]minimax[>[<tool_call>]<]minimax[>[<invoke name=\"note\">]<]minimax[>[<at>]<]minimax[>[<tags>]<]minimax[>["
     "</tags>]<]minimax[>[<n>5]<]minimax[>[</n>]<]minimax[>[</at>]<]minimax[>[</invoke>]<]minimax[>[</tool_call>",
     " |  | note({\"at\":{\"n\":5,\"tags\":[]}}) | tool_calls"},
    {"llama3.1", "", "{\"name\": \"now\", \"parameters\": {}}; {\"name\": \"now\", \"parameters\": {}}",
     " |  | now({}) now({}) | tool_calls"},
    {"llama3.1", "", "{\"name\": \"who\", \"parameters\": {}}", "{\"name\": \"who\", \"parameters\": {}} |  | | stop"},
    {"llama3.1", "", "{\"name\": \"now\"} is it.", "{\"name\": \"now\"} is it. |  | | stop"},
    {"llama3.1", "", "<|python_tag|>wolfram_alpha.call(query=\"1+1\")",
     " |  | wolfram_alpha({\"query\":\"1+1\"}) | tool_calls"},
    {"llama3.1", "", "<|python_tag|>print(1)", "<|python_tag|>print(1) |  | | stop"}, /* no tool runs code */
    {"lfm2", "", "<|tool_call_start|>[f(a='x\\'\\x41\"', b=(1, 2.5), c={'k': [None]},), g()]<|tool_call_end|>ok",
     "ok |  | f({\"a\":\"x'A\\\"\",\"b\":[1,2.5],\"c\":{\"k\":[null]}}) g({}) | tool_calls"},
    {"llama4", "", "{\"name\": \"now\", \"parameters\": {}}", " |  | now({}) | tool_calls"},
    {"llama4", "", "<|python_start|>{\"name\": \"f\", \"parameters\": {\"a\": 1}}<|python_end|>",
     " |  | f({\"a\":1}) | tool_calls"},
    {"llama4", "", "<|python_start|>[f(a=1), now()]<|python_end|>", " |  | f({\"a\":1}) now({}) | tool_calls"},
    {"llama4", "", "[now()]", " |  | now({}) | tool_calls"},
    {"llama4", "", "[1, 2]", "[1, 2] |  | | stop"},
    {"llama4", "", "<|python_start|>print(1)", "<|python_start|>print(1) |  | | stop"},
    {"llama4-pythonic", "", "[1, 2]", "[1, 2] |  | | stop"},
    {"llama4-pythonic", "", "[see](http://x)", "[see](http://x) |  | | stop"},
    {"gemma4", "", "<|tool_call>call:f{a:<|\"|>x<|y\"<|\"|>,b:[1,{c:true}],d:some words}<tool_call|>",
     " |  | f({\"a\":\"x<|y\\\"\",\"b\":[1,{\"c\":true}],\"d\":\"some words\"}) | tool_calls"},
    {"gpt-oss", "", "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Hi<|return|>",
     "Hi | Hm. | | stop"},
    {"gpt-oss", "", "just text", "just text |  | | stop"},
    {"gpt-oss", "", "<|channel|>commentary to=functions.f<|message|>{\"a\":}<|call|>",
     "<|channel|>commentary to=functions.f<|message|>{\"a\":} |  | | stop"},
    {"functionary-v3.2", ">>>", "all\nHi>>>now\n{}", "Hi |  | now({}) | tool_calls"},
    {"mistral-v11-callid", "", "[TOOL_CALLS]f[CALL_ID]123456789[ARGS]{}[TOOL_CALLS]g[ARGS]{} x",
     "x |  | f({})123456789 g({}) | tool_calls"},
    {"nemotron-nano-v2", "", "<TOOLCALL>[{\"name\": \"f\"}, {\"name\": }]</TOOLCALL>",
     ", {\"name\": }]</TOOLCALL> |  | f({}) | tool_calls"},
    {"nemotron-nano-v2", "", "<TOOLCALL>[{\"name\": \"f\"}] so", "so |  | f({}) | tool_calls"},
    {"command-r-plus", "", "Action: ```json\n[{\"tool_name\": \"directly_answer\", \"parameters\": {}}]\n```",
     " |  | | stop"},
    {"kimi-k3", "<|open|>think<|sep|>",
     "Hm<|close|>think<|sep|><|open|>response<|sep|>Hi<|close|>response<|sep|><|open|>tools<|sep|>"
     "<|open|>call tool=\"f\" index=\"1\"<|sep|><|open|>argument key=\"a\" "
     "type=\"number\"<|sep|>5<|close|>argument<|sep|>"
     "<|close|>call<|sep|><|close|>tools<|sep|><|close|>message<|sep|>",
     "Hi | Hm | f({\"a\":5}) | tool_calls"},
};

static void test_filt_forms(void **state) {
    int n_bad = 0;
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(filt_cases); i++) {
        const filt_case *c = &filt_cases[i];
        filt_given       g = {allm__filt_find(allm__str_of(c->family)),
                              allm__str_of(c->text),
                              allm__str_of(c->tail),
                              filt_tools,
                              ALLM__COUNT(filt_tools),
                              0,
                              0};
        assert_non_null(g.row);
        n_bad += !filt_same(&g, c->expected, 1, c->family);
    }
    assert_int_equal(n_bad, 0);
}

/* ---- golden */

static void filt_expected(const allm__val *e, allm__buf *b, int with_ids) {
    allm__val calls                   = tmpl_at(*e, "tool_calls"), v;
    allm__buf t                       = {0};
    t.host                            = b->host;
    static const char *const fields[] = {"content", "reasoning"};
    for (int i = 0; i < 2; i++) {
        v     = tmpl_at(*e, fields[i]);
        t.len = 0;
        if (allm__v_is_str(v)) allm__buf_put(&t, v.u.s->ptr, v.u.s->len);
        filt_put_trimmed(b, &t);
        allm__buf_puts(b, i ? " |" : " | ");
    }
    for (size_t i = 0; calls.type == ALLM__V_LIST && i < calls.u.q->n; i++) {
        allm__val c = calls.u.q->v[i], id = tmpl_at(c, "id");
        t.len = 0;
        tmpl_json(&t, tmpl_at(c, "arguments"));
        allm__buf_putc(b, ' '), allm__buf_puts(b, tmpl_at(c, "name").u.s->ptr), allm__buf_putc(b, '(');
        filt_put_json(allm__str(t.ptr, t.len), b);
        allm__buf_putc(b, ')');
        if (with_ids && allm__v_is_str(id)) allm__buf_puts(b, id.u.s->ptr);
    }
    allm__buf_puts(b, " | "), allm__buf_puts(b, tmpl_at(*e, "finish").u.s->ptr);
    allm__buf_text(b);
    allm__buf_free(&t);
}

static int filt_has_ids(allm__val expected) {
    allm__val calls = tmpl_at(expected, "tool_calls");
    return calls.type == ALLM__V_LIST && calls.u.q->n && allm__v_is_str(tmpl_at(calls.u.q->v[0], "id"));
}

static size_t filt_golden_tools(const allm__host *h, allm__tmpl_ctx *file, allm_tool tools[16]) {
    allm__val list = tmpl_golden(h, file, "toolcalls/tools.json");
    for (size_t i = 0; i < list.u.q->n; i++) {
        allm__val f    = tmpl_at(list.u.q->v[i], "function");
        allm__buf json = {0};
        json.host      = h;
        tmpl_json(&json, tmpl_at(f, "parameters"));
        memset(&tools[i], 0, sizeof tools[i]);
        tools[i].name              = tmpl_at(f, "name").u.s->ptr;
        tools[i].parameters_schema = allm__arena_copy(&file->arena, json.ptr, json.len);
        allm__buf_free(&json);
    }
    return list.u.q->n;
}

static void filt_golden_file(const allm__host *h, const char *path, const char *name, const allm_tool *tools,
                             size_t n_tools, int n[4]) {
    allm__tmpl_ctx file;
    allm_error     err = {0};
    allm__val      all, cases;
    size_t         n_text, n_source;
    char          *text = test_read(path, &n_text), template_path[600];
    assert_non_null(text);
    allm__tmpl_ctx_init(&file, h);
    assert_int_equal(allm__val_from_json(&file, allm__str(text, n_text), 0, name, &all, &err), ALLM_OK);
    free(text);
    cases                             = tmpl_at(all, "cases");
    const allm__filt_row *by_template = NULL;
    if (allm__v_is_str(tmpl_at(all, "template"))) {
        char *folder = test_golden_path("templates/templates");
        snprintf(template_path, sizeof template_path, "%s/%s.jinja", folder, tmpl_at(all, "template").u.s->ptr);
        free(folder);
        char *source = test_read(template_path, &n_source);
        if (source) by_template = allm__filt_detect(allm__str(source, n_source));
        free(source);
    }
    for (size_t i = 0; i < cases.u.q->n; i++) {
        allm__val c = cases.u.q->v[i], expected = tmpl_at(c, "expected"), tail = tmpl_at(c, "prompt_tail"),
                  family = tmpl_at(allm__v_is_str(tmpl_at(c, "family")) ? c : all, "family");
        allm__buf  want  = {0};
        char       what[200];
        int        ids = filt_has_ids(expected);
        filt_given g   = {allm__filt_find(allm__v_str(family)),
                          allm__v_str(tmpl_at(c, "text")),
                        allm__v_is_str(tail) ? allm__v_str(tail) : ALLM__S(""),
                          tools,
                          n_tools,
                          0,
                          0};
        if (allm__v_true(tmpl_at(c, "thinking_open")) && !g.tail.len) g.tail = ALLM__S("<think>");
        snprintf(what, sizeof what, "%s, %s", family.u.s->ptr, tmpl_at(c, "name").u.s->ptr);
        if (!g.row) fail_msg("%s: no row", what);
        if (by_template && by_template != g.row) fail_msg("%s: the template is taken for %s", what, by_template->names);
        n[2] += by_template != NULL;
        want.host = h;
        filt_expected(&expected, &want, ids);
        int ok = filt_same(&g, want.ptr, ids, what);
        n[0] += ok, n[1] += !ok;
        allm__buf_free(&want);
    }
    allm__tmpl_ctx_free(&file);
}

static void test_filt_golden(void **state) {
    static const allm__host h = {{allm__mem_default_alloc, allm__mem_default_free, NULL}, NULL, NULL};
    allm__tmpl_ctx          file;
    allm_tool               tools[16];
    size_t                  n_tools = filt_golden_tools(&h, &file, tools);
    char                   *folder  = test_golden_path("toolcalls"), path[512];
    int                     n[4] = {0, 0, 0, 0}, n_files = 0;
    (void)state;
    snprintf(path, sizeof path, "%s/cases", folder);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        if (!strstr(e->d_name, ".json")) continue;
        snprintf(path, sizeof path, "%s/cases/%s", folder, e->d_name);
        filt_golden_file(&h, path, e->d_name, tools, n_tools, n), n_files++;
    }
    closedir(dir);
    snprintf(path, sizeof path, "%s/misc.json", folder);
    filt_golden_file(&h, path, "misc.json", tools, n_tools, n);
    printf("             %d families: %d of %d outputs equal, cut at every byte; %d by their template\n", n_files, n[0],
           n[0] + n[1], n[2]);
    free(folder);
    allm__tmpl_ctx_free(&file);
    assert_int_equal(n[1], 0);
}

/* ---- rows */

static void test_filt_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(allm__filt_rows); i++) {
        const allm__filt_row *row = &allm__filt_rows[i];
        filt_given            g   = {row, ALLM__S(""), ALLM__S(""), NULL, 0, 0, 0};
        filt_run              r;
        filt_begin(&r, &g);
        assert_int_equal(r.status, ALLM_OK);
        assert_true(r.f.forms.n < ALLM__FILT_MAX_OPS - 1);
        for (uint32_t k = 0; k < r.f.forms.n; k++) assert_true(r.f.forms.ops[k].text.len < ALLM__FILT_MAX_MARK);
        for (int k = 0; k < 3 && row->forms[k]; k++)
            assert_int_equal(r.f.forms.ops[r.f.starts[k]].op, ALLM__FILT_LITERAL);
        for (const char *p = row->names; *p; p += strcspn(p, " "), p += *p == ' ')
            assert_ptr_equal(allm__filt_find(allm__str(p, strcspn(p, " "))), row); /* each name once */
        filt_end(&r);
    }
    assert_null(allm__filt_find(ALLM__S("nobody")));
    assert_ptr_equal(allm__filt_detect(ALLM__S("plain")), &allm__filt_rows[ALLM__COUNT(allm__filt_rows) - 1]);
}

/* Without tools, what looks like a call is text; the reasoning is told apart all the same. */
static void test_filt_no_tools(void **state) {
    filt_given g = {allm__filt_find(ALLM__S("qwen3")),
                    ALLM__S("<think>a</think> <tool_call>{\"name\": \"f\"}</tool_call> \n"),
                    ALLM__S(""),
                    NULL,
                    0,
                    1,
                    1};
    (void)state;
    assert_true(filt_same(&g, "<tool_call>{\"name\": \"f\"}</tool_call> | a | | stop", 1, "no tools"));
}

/* ---- hostile outputs: FAULTS rows 23 and 28 */

static char *filt_repeat(const char *head, const char *unit, size_t n, const char *end, size_t *len) {
    size_t n_head = strlen(head), n_unit = strlen(unit), n_end = strlen(end);
    char  *p = (char *)malloc(n_head + n * n_unit + n_end + 1);
    memcpy(p, head, n_head);
    for (size_t i = 0; i < n; i++) memcpy(p + n_head + i * n_unit, unit, n_unit);
    memcpy(p + n_head + n * n_unit, end, n_end + 1);
    *len = n_head + n * n_unit + n_end;
    return p;
}

static double filt_time(const char *family, const char *head, const char *unit, size_t n, const char *end,
                        filt_run *r) {
    filt_given g = {allm__filt_find(allm__str_of(family)), {NULL, 0}, {NULL, 0}, NULL, 0, 0, 1};
    char      *p = filt_repeat(head, unit, n, end, &g.text.len);
    g.text.ptr = p, g.tail = ALLM__S("");
    filt_begin(r, &g);
    double from = test_seconds();
    for (size_t i = 0; !r->status && i < g.text.len; i += 7)
        r->status = allm__filt_push(&r->f, allm__str(p + i, ALLM__MIN(7, g.text.len - i)), &r->err);
    if (!r->status) r->status = allm__filt_finish(&r->f, 1, &r->err);
    free(p);
    return test_seconds() - from;
}

static void test_filt_hostile(void **state) {
    static const struct {
        const char *family, *head, *unit, *end;
    } all[] = {
        {"qwen3", "", "<tool_ca", ""},
        {"qwen3", "", "<", ""},
        {"qwen3", "", "<tool_call>", ""},
        {"qwen3", "", "<tool_call>\n", ""},
        {"qwen3", "<think>", "</thin", ""},
        {"qwen3", "", " ", "x"},
        {"qwen3", "<tool_call>", " ", "x"},
        {"qwen3", "<tool_call>{\"name\": \"f\", \"arguments\": ", "[", ""},
        {"qwen3", "<tool_call>{\"name\": \"f\", \"arguments\": ", "{\"a\": ", ""},
        {"qwen3", "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"", "\\u0041", ""},
        {"qwen3", "<tool_call>{\"name\": \"", "f", ""},
        {"qwen3", "<tool_call>{\"arguments\": {\"a\": \"", "x", "\"}, \"name\": \"f\"}"},
        {"qwen3", "", "<tool_call>{\"name\": \"f\"}</tool_call>\n", ""},
        {"qwen3-coder", "<function=f>", "<parameter=a>1</parameter>", "</function>"},
        {"qwen3-coder", "<function=f><parameter=a>", "</parameter", ""},
        {"qwen3-coder", "<function=", "f", ""},
        {"glm-4.6", "<tool_call>", "f", ""},
        {"llama3.1", "<|python_tag|>", "x", ""},
        {"llama3.1", "", "{\"name\": \"f\", \"parameters\": {}}; ", ""},
        {"lfm2", "<|tool_call_start|>[f(a=", "(", ""},
        {"lfm2", "<|tool_call_start|>[", "f(a='\\x41'),", "]"},
        {"gemma4", "<|tool_call>call:f{a:<|\"|>", "<|\"", ""},
        {"gemma4", "<|tool_call>call:f{", "a:{", ""},
        {"minimax-m3", "]<]minimax[>[<tool_call>]<]minimax[>[<invoke name=\"f\">", "]<]minimax[>[<a>", ""},
        {"minimax-m3", "", "]<]minimax[>", ""},
        {"gpt-oss", "", "<|channel|>analysis<|message|>x<|end|><|start|>assistant", ""},
        {"gpt-oss", "<|channel|>", "x", ""},
        {"mistral-v3", "[TOOL_CALLS][", "{\"name\": \"f\", \"arguments\": {}},", "]"},
        {"functionary-v3.2", "", "all\nx>>>", ""},
    };
    filt_run r;
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(all); i++) {
        double t[2];
        for (size_t k = 0; k < 2; k++) {
            size_t n = ((size_t)1 << (20 + k)) / strlen(all[i].unit);
            t[k]     = filt_time(all[i].family, all[i].head, all[i].unit, n, all[i].end, &r);
            assert_int_equal(r.status, ALLM_OK);
            assert_true(r.mem.peak < 64 << 20);
            if (!r.n_begun) /* no call: every byte is there, but for thinking tags and white space around the text */
                assert_true(r.content.len + r.reasoning.len + 16 >= n * strlen(all[i].unit) || i == 5 ||
                            strstr(all[i].head, "channel") || !strcmp(all[i].family, "gpt-oss") ||
                            !strcmp(all[i].family, "functionary-v3.2"));
            filt_end(&r);
        }
        test_time(all[i].unit, t[1], 1);
        test_time_linear(all[i].unit, t[0], t[1]);
    }
}

/* Random pieces of every row's own marks: whatever comes, a result, and the same one for every cut. */
static void test_filt_random(void **state) {
    static const char *const parts[] = {
        "{", "}",    "[",  "]", "\"", ":", ",", "\n", " ",        "f",   "name", "\"name\": \"f\"", "\"arguments\": {}",
        "1", "true", "\\", "(", ")",  "=", "'", "a",  "\xc5\x81", ">>>", ";",    "<|\"|>",          "]<]minimax[>["};
    (void)state;
    for (int round = 0; round < 3000; round++) {
        const allm__filt_row *row = &allm__filt_rows[test_random_below(ALLM__COUNT(allm__filt_rows))];
        char                  text[700], expected[8192];
        size_t                n = 0;
        filt_given            g = {row, {text, 0}, ALLM__S(""), NULL, 0, 0, (int)(test_random() & 1)};
        filt_run              r;
        allm__buf             told = {0};
        filt_begin(&r, &g);
        for (size_t k = test_random_below(30); k > 0; k--) {
            allm_str s = allm__str_of(parts[test_random_below(ALLM__COUNT(parts))]);
            if (test_random() % 3 && r.f.forms.n) { /* a mark of the form */
                const allm__filt_op *op = &r.f.forms.ops[test_random_below(r.f.forms.n)];
                if (op->text.len) s = op->text;
            }
            if (n + s.len > 600) break;
            memcpy(text + n, s.ptr, s.len), n += s.len;
        }
        filt_end(&r);
        g.text.len = n;
        told.host  = NULL;
        filt_begin(&r, &g);
        filt_feed(&r, &g, n, 0);
        assert_int_equal(r.status, ALLM_OK);
        told.host = &r.host;
        filt_tell(&r, &told, 1);
        assert_true(told.len < sizeof expected);
        memcpy(expected, told.ptr, told.len + 1);
        allm__buf_free(&told);
        filt_end(&r);
        assert_true(filt_same(&g, expected, 1, row->names));
    }
}

/* A plain answer allocates nothing once it has begun; every failing allocation is an error and leaks nothing. */
static void test_filt_memory(void **state) {
    filt_given g = {allm__filt_find(ALLM__S("qwen3")),
                    ALLM__S("Some words and <b>marks</b>,\n\n not more. "),
                    ALLM__S(""),
                    filt_tools,
                    ALLM__COUNT(filt_tools),
                    0,
                    1};
    filt_run   r;
    (void)state;
    filt_begin(&r, &g);
    allm__buf_room(&r.content, 1 << 16), r.content.len = 0;
    int64_t n_calls = r.mem.n_calls;
    for (int i = 0; i < 100; i++) assert_int_equal(allm__filt_push(&r.f, g.text, &r.err), ALLM_OK);
    assert_int_equal(allm__filt_finish(&r.f, 1, &r.err), ALLM_OK);
    assert_int_equal(r.mem.n_calls, n_calls);
    filt_end(&r);
    g.text = ALLM__S("<think>x</think><tool_call>{\"arguments\": {\"a\": \"b\"}, \"name\": \"f\"}</tool_call> y");
    for (int64_t k = 1; k < 200; k++) {
        memset(&r, 0, sizeof r);
        filt_begin(&r, &g);
        allm__filt_free(&r.f);
        r.mem.n_calls = 0, r.mem.fail_at = k;
        memset(&r.err, 0, sizeof r.err);
        r.status = allm__filt_init(&r.f, &r.host, g.row, g.tail, 1, g.tools, g.n_tools, 8, &r.err);
        r.f.sink = filt_sink, r.f.ctx = &r;
        if (!r.status) filt_feed(&r, &g, 0, 1);
        int reached = r.mem.n_calls >= k;
        if (r.status) assert_int_equal(r.status, ALLM_E_MEMORY), assert_int_equal(r.err.status, ALLM_E_MEMORY);
        filt_end(&r);
        if (!reached) return;
    }
    fail_msg("no end of allocations");
}

static const struct CMUnitTest test_filt[] = {
    cmocka_unit_test(test_filt_rows),   cmocka_unit_test(test_filt_no_tools), cmocka_unit_test(test_filt_hostile),
    cmocka_unit_test(test_filt_random), cmocka_unit_test(test_filt_memory),   cmocka_unit_test(test_filt_forms),
    cmocka_unit_test(test_filt_golden),
};
