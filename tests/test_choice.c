/* Room choice: what is written at random under the grammar of each family's form is a call, of a tool that may be
 * called, with arguments that fit its schema, and nothing else; refusals; memory. */

enum { CHOICE_TOOLS = 3, CHOICE_BYTES = 6000 };

typedef struct choice_run {
    gram_run     x;
    allm_tool    tools[CHOICE_TOOLS];
    char         schemas[CHOICE_TOOLS][2048];
    allm__buf    text; /* written */
} choice_run;

/* ---- schemas at random */

static size_t choice_put(char *to, size_t at, const char *text) {
    size_t n = strlen(text);
    if (at + n < 2040) memcpy(to + at, text, n + 1);
    return at + n;
}

static size_t choice_schema(char *to, size_t at, int depth) {
    static const char *const leaves[] = {
        "{\"type\":\"string\"}", "{\"type\":\"integer\",\"minimum\":-3,\"maximum\":120}", "{\"type\":\"boolean\"}",
        "{\"type\":\"number\"}", "{\"enum\":[\"a\",\"b c\",\"true\"]}", "{\"type\":[\"string\",\"null\"]}",
        "{\"type\":[\"integer\",\"string\"],\"maxLength\":5}", "{\"type\":\"string\",\"pattern\":\"^[a-z<]{2,9}$\"}",
        "{\"type\":\"string\",\"maxLength\":6}", "{\"enum\":[1,\"x\",null,[true]]}", "{\"type\":\"null\"}",
        "{\"anyOf\":[{\"type\":\"string\",\"maxLength\":4},{\"type\":\"array\",\"items\":{\"type\":\"integer\"},"
        "\"maxItems\":3}]}", "{\"$ref\":\"#/$defs/s\"}", "{\"$ref\":\"#/$defs/n\"}", "{\"const\":\"</parameter>\"}",
        "{\"type\":\"string\",\"format\":\"date\"}", "{}", "{\"oneOf\":[{\"type\":\"string\",\"maxLength\":3},"
        "{\"type\":\"string\",\"minLength\":2,\"maxLength\":6}]}",
    };
    static const char *const names[] = {"city", "n", "a b", "\xc3\xbc", "items", "x_1", "<k>"};
    int kind = (int)test_random_below(depth ? 8 : 1);
    if (kind > 2 || depth > 2) return choice_put(to, at, leaves[test_random_below(ALLM__COUNT(leaves))]);
    if (kind == 2) {
        at = choice_put(to, at, "{\"type\":\"array\",\"maxItems\":3,\"items\":");
        return choice_put(to, choice_schema(to, at, depth + 1), "}");
    }
    at = choice_put(to, at, "{\"type\":\"object\",\"properties\":{");
    int had = 0, required = -1;
    for (int i = 0; i < (int)ALLM__COUNT(names); i++) {
        if (test_random_below(3)) continue;
        if (had++) at = choice_put(to, at, ",");
        at = choice_put(to, choice_put(to, choice_put(to, at, "\""), names[i]), "\":");
        at = choice_schema(to, at, depth + 1);
        if (i != 6) required = i; /* <k> is a name that some forms cannot hold: there it can only be left out */
    }
    at = choice_put(to, at, "}");
    if (required >= 0 && test_random_below(2)) {
        at = choice_put(to, choice_put(to, at, ",\"required\":[\""), names[required]);
        at = choice_put(to, at, "\"]");
    }
    if (!test_random_below(4)) at = choice_put(to, at, ",\"additionalProperties\":{\"type\":\"integer\"}");
    if (!depth) at = choice_put(to, at, ",\"$defs\":{\"s\":{\"type\":\"string\",\"maxLength\":3},\"n\":"
                                        "{\"type\":\"array\",\"items\":{\"type\":\"boolean\"},\"maxItems\":2}}");
    return choice_put(to, at, "}");
}

static void choice_tools(choice_run *r) {
    static const char *const names[CHOICE_TOOLS] = {"get_weather", "add", "no.args-1"};
    memset(r->tools, 0, sizeof r->tools);
    for (int i = 0; i < CHOICE_TOOLS; i++) {
        r->tools[i].name = names[i];
        if (i == 2) continue;
        while (choice_schema(r->schemas[i], 0, 0) >= 2040) continue;
        r->tools[i].parameters_schema = r->schemas[i];
    }
}

/* ---- texts at random */

/* A byte that may come next; what ends strings and calls is preferred. -1: none. */
static int choice_byte(allm__gram_run *run) {
    static const char ends[] = "\"<}])\n>',|";
    uint8_t  can[256];
    unsigned n = 0, k;
    int32_t  s = allm__gram_ready(run, run->state);
    run->cost  = 0;
    for (unsigned c = 0; c < 256; c++) n += can[c] = allm__gram_go(run, s, c) != ALLM__GRAM_EMPTY;
    if (!n || run->p.full) return -1;
    if (test_random_below(3))
        for (unsigned i = 0, from = (unsigned)test_random_below(sizeof ends - 1); i < sizeof ends - 1; i++) {
            unsigned char c = (unsigned char)ends[(i + from) % (sizeof ends - 1)];
            if (can[c]) return c;
        }
    for (k = (unsigned)test_random_below(n), n = 0; n < 256; n++)
        if (can[n] && !k--) break;
    return (int)n;
}

/* Writes a text; 0: it became too long. */
static int choice_write(choice_run *r) {
    allm__gram_run *run = &r->x.r;
    allm__gram_run_reset(run);
    for (r->text.len = 0; r->text.len < CHOICE_BYTES;) {
        if (allm__gram_may_end(run) && !test_random_below(3)) return 1;
        int c = choice_byte(run);
        if (c < 0 && run->p.full) { allm__gram_collect(run); continue; }
        if (c < 0 && allm__gram_may_end(run)) return 1;
        if (c < 0) {
            for (int i = 0; i < CHOICE_TOOLS; i++) printf("             %s: %s\n", r->tools[i].name, r->schemas[i]);
            fail_msg("a dead end after %.*s", (int)r->text.len, r->text.ptr);
        }
        char b = (char)c;
        if (allm__gram_accept(run, &b, 1, &r->x.err))
            fail_msg("%s: %.*s", r->x.err.message, (int)r->text.len, r->text.ptr);
        allm__buf_putc(&r->text, b);
    }
    return 0;
}

/* ---- what the filter makes of them */

enum { CHOICE_HEARD = ALLM__CHOICE_CALLS * 4 };

typedef struct choice_heard {
    const choice_run *r;
    allm__buf         content, args[CHOICE_HEARD];
    int32_t           tool[CHOICE_HEARD], n, done;
} choice_heard;

static allm_status choice_hear(void *ctx, const allm__filt_piece *p, allm_error *err) {
    choice_heard *h = (choice_heard *)ctx;
    (void)err;
    if (p->kind == ALLM__FILT_TEXT) allm__buf_put(&h->content, p->text.ptr, p->text.len);
    if (p->kind == ALLM__FILT_CALL) {
        h->n = p->i_call + 1, h->tool[p->i_call] = -1;
        for (int i = 0; i < CHOICE_TOOLS; i++)
            if (!strcmp(p->name, h->r->tools[i].name)) h->tool[p->i_call] = i;
    }
    if (p->kind == ALLM__FILT_ARGS) allm__buf_put(&h->args[p->i_call], p->text.ptr, p->text.len);
    h->done += p->kind == ALLM__FILT_DONE;
    return ALLM_OK;
}

/* ALLM_DUMP=FILE: schemas and arguments, a pair a line, for tools/fuzz_schema.py --judge. */
static void choice_dump(const allm_tool *tool, const allm__buf *args) {
    const char *path = getenv("ALLM_DUMP");
    FILE       *f    = path && tool->parameters_schema ? fopen(path, "a") : NULL;
    if (!f) return;
    fprintf(f, "[%s, %.*s]\n", tool->parameters_schema, (int)args->len, args->ptr);
    fclose(f);
}

/* What is wrong with what the filter heard; NULL: nothing. */
static const char *choice_verdict(choice_run *r, choice_heard *h, gram_run schemas[CHOICE_TOOLS]) {
    if (!h->n) return "no call";
    if (h->n != h->done) return "a call is not complete";
    if (allm__filt_trim(&h->content).len) return "text is left";
    for (int32_t i = 0; i < h->n; i++) {
        if (h->tool[i] < 0) return "an unknown tool";
        const allm_tool *tool = &r->tools[h->tool[i]];
        choice_dump(tool, &h->args[i]);
        if (!tool->parameters_schema || gram_takes(&schemas[h->tool[i]], allm__filt_view(&h->args[i]))) continue;
        printf("arguments: %.*s\nschema: %s\n", (int)h->args[i].len, h->args[i].ptr, tool->parameters_schema);
        return "arguments that do not fit";
    }
    return NULL;
}

static void choice_check(choice_run *r, const allm__filt_row *row, const char *tail, gram_run schemas[CHOICE_TOOLS]) {
    static allm__filt   f;
    static choice_heard h;
    memset(&h, 0, sizeof h);
    h.r = r, h.content.host = &r->x.host;
    for (size_t i = 0; i < ALLM__COUNT(h.args); i++) h.args[i].host = &r->x.host;
    allm_status status =
        allm__filt_init(&f, &r->x.host, row, allm__str_of(tail), 1, r->tools, CHOICE_TOOLS, 64, &r->x.err);
    assert_int_equal(status, ALLM_OK);
    f.sink = choice_hear, f.ctx = &h;
    for (size_t i = 0; i < r->text.len; i++) /* as the text leaves: without the mark of special tokens */
        if ((unsigned char)r->text.ptr[i] != ALLM__GRAM_SPECIAL)
            allm__filt_push(&f, allm__str(r->text.ptr + i, 1), &r->x.err);
    assert_int_equal(allm__filt_finish(&f, 1, &r->x.err), ALLM_OK);
    const char *wrong = choice_verdict(r, &h, schemas);
    if (wrong)
        fail_msg("%s: %s: %.*s | content %.*s", row->names, wrong, (int)r->text.len, r->text.ptr, (int)h.content.len,
                 h.content.ptr);
    allm__filt_free(&f);
    allm__buf_free(&h.content);
    for (size_t i = 0; i < ALLM__COUNT(h.args); i++) allm__buf_free(&h.args[i]);
}

static void choice_random(void **state) {
    int n_rows = 0, n_texts = 0, n_cut = 0, rounds = getenv("ALLM_DUMP") ? 40 : TEST_SANITIZED ? 2 : 6;
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(allm__filt_rows); i++) {
        const allm__filt_row *row = &allm__filt_rows[i];
        int                   had = 0;
        if (!row->forms[0] && !row->bare) continue;
        for (int round = 0; round < rounds; round++) {
            static choice_run r;
            gram_run          schemas[CHOICE_TOOLS];
            allm__gram_lead   lead;
            const char       *tail = row->flags & ALLM__FILT_PRIMED ? ">>>" : round % 2 ? "</think>" : "";
            memset(&r, 0, sizeof r);
            gram_begin(&r.x);
            r.text.host = &r.x.host;
            choice_tools(&r);
            for (int k = 0; k < CHOICE_TOOLS; k++) {
                gram_begin(&schemas[k]);
                const char *schema = r.tools[k].parameters_schema;
                if (schema && gram_compile(&schemas[k], allm__str_of(schema), 1))
                    fail_msg("%s: %s", schema, schemas[k].err.message);
            }
            allm__choice_lead(row, NULL, round % 2, allm__str_of(tail), 0, &lead);
            if (row->flags & ALLM__FILT_HARMONY && round % 2) lead.open[0] = NULL;
            allm_status status = allm__choice_compile(&r.x.host, NULL, row, r.tools, CHOICE_TOOLS, 3, &lead,
                                                      (row->flags & ALLM__FILT_PRIMED) != 0, &r.x.g, &r.x.err);
            if (status && status != ALLM_E_UNSUPPORTED) fail_msg("%s: %s", row->names, r.x.err.message);
            if (!status) {
                had = 1;
                assert_int_equal(allm__gram_run_init(&r.x.r, &r.x.host, r.x.g, NULL, &r.x.err), ALLM_OK);
                for (int k = 0; k < 4; k++) {
                    if (!choice_write(&r)) { n_cut++; continue; }
                    choice_check(&r, row, tail, schemas), n_texts++;
                }
            }
            for (int k = 0; k < CHOICE_TOOLS; k++) gram_end(&schemas[k]);
            allm__buf_free(&r.text);
            gram_end(&r.x);
        }
        n_rows += had;
        if (!had) printf("             not forced: %s\n", row->names);
    }
    printf("             %d families of forms, %d texts, %d more were too long\n", n_rows, n_texts, n_cut);
    assert_true(n_rows > 30 && n_texts > n_cut);
}

static const struct CMUnitTest test_choice[] = {cmocka_unit_test(choice_random)};
