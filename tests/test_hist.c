/* Room hist: messages are copies, a file reads back as it was written, what is not ours stays, bad files are told by
 * file, line and column. FAULTS rows 28, 38, 39. */

typedef struct hist_room {
    test_heap   heap;
    allm__host  host;
    allm__hist  t;
    allm_error  err;
    test_temp   file;
} hist_room;

static void hist_begin(hist_room *r) {
    memset(r, 0, sizeof *r);
    r->host   = test_host(&r->heap);
    r->t.host = r->t.head.host = &r->host;
    r->file   = test_temp_new("", 0);
}

static void hist_end(hist_room *r) {
    allm__hist_free(&r->t);
    test_temp_remove(&r->file);
    test_heap_check(&r->heap);
}

static void hist_clear(hist_room *r) { /* an empty history again */
    allm__hist_free(&r->t);
    memset(&r->t, 0, sizeof r->t), memset(&r->err, 0, sizeof r->err);
    r->t.host = r->t.head.host = &r->host;
}

static void hist_put_file(hist_room *r, const char *text, size_t n) {
    FILE *f = fopen(r->file.path, "wb");
    assert_true(f && fwrite(text, 1, n, f) == n);
    fclose(f);
}

static allm_status hist_read(hist_room *r, const char *text) {
    hist_put_file(r, text, strlen(text));
    hist_clear(r);
    return allm__hist_read(&r->t, r->file.path, &r->err);
}

static allm_status hist_write(hist_room *r, const char *state) {
    allm__out o;
    memset(&r->err, 0, sizeof r->err);
    allm_status status = allm__out_open(&r->host, r->file.path, NULL, NULL, &o, &r->err);
    if (!status) status = allm__hist_write(&r->t, allm__str_of(state), &o, &r->err);
    if (!status) status = allm__out_publish(&o, &r->err);
    allm__out_drop(&o);
    return status;
}

static char *hist_text(hist_room *r) { /* of the file; malloc */
    size_t n;
    char  *s = test_read(r->file.path, &n);
    assert_non_null(s);
    return s;
}

/* ---- what it keeps */

static void test_hist_copies(void **state) {
    hist_room r;
    char      role[] = "assistant", text[] = "text", args[] = "{\"a\": 1}";
    (void)state;
    hist_begin(&r);
    allm_tool_call call = {"id", "f", args};
    allm_message   m    = {role, text, "why", &call, 1, NULL, NULL, NULL, 0},
                   tool = {"tool", NULL, NULL, NULL, 0, "id", "f", NULL, 0},
                 bare = {"assistant", "", NULL, &call, 1, NULL, NULL, NULL, 0};
    assert_int_equal(allm__hist_add(&r.t, &m, NULL, &r.err), ALLM_OK);
    assert_int_equal(allm__hist_add(&r.t, &tool, NULL, &r.err), ALLM_OK);
    assert_int_equal(allm__hist_add(&r.t, &bare, NULL, &r.err), ALLM_OK);
    memset(role, 'x', 9), memset(text, 'x', 4), memset(args, 'x', 8), memset(&call, 0, sizeof call);
    const allm_message *got = r.t.messages;
    assert_int_equal(r.t.n, 3);
    assert_string_equal(got[0].role, "assistant");
    assert_string_equal(got[0].content, "text");
    assert_string_equal(got[0].reasoning, "why");
    assert_string_equal(got[0].tool_calls[0].id, "id");
    assert_string_equal(got[0].tool_calls[0].arguments_json, "{\"a\": 1}");
    assert_string_equal(got[1].content, ""); /* NULL and empty are one: as a file keeps them */
    assert_string_equal(got[1].tool_call_id, "id");
    assert_null(got[1].tool_calls);
    assert_null(got[2].content);
    allm__hist_cut(&r.t, 1);
    assert_int_equal(r.t.n, 1);
    hist_end(&r);
}

static void hist_same_text(const char *a, const char *b) {
    if (!a || !b) assert_true(a == b);
    else assert_string_equal(a, b);
}

static void test_hist_round_trip(void **state) {
    static const allm_tool_call calls[] = {{"c1", "add", "{\"x\": [1, 2], \"y\": {\"z\": null}}"}, {NULL, "now", NULL}};
    static const allm_message   rows[]  = {
        {"system", "Be brief.", NULL, NULL, 0, NULL, NULL, NULL, 0},
        {"user",
         "\"quotes\" \\ and\nlines\ttabs \x01 \xc3\xa9 \xf0\x9f\xa6\x8a [{,:}]", NULL, NULL, 0, NULL, NULL, NULL, 0},
        {"assistant", NULL, "thinking\nof it", calls, 2, NULL, NULL, NULL, 0},
        {"tool", "12", NULL, NULL, 0, "c1", "add", NULL, 0},
        {"tool", "", NULL, NULL, 0, NULL, "now", NULL, 0},
        {"assistant", "12", NULL, NULL, 0, NULL, NULL, NULL, 0},
        {"ipython", "a role of one's own", NULL, NULL, 0, NULL, NULL, NULL, 0},
        {"assistant", "", NULL, NULL, 0, NULL, NULL, NULL, 0},
    };
    hist_room r;
    allm__hist copy;
    (void)state;
    hist_begin(&r);
    r.t.system = "s\xc3\xbcs";
    for (size_t i = 0; i < ALLM__COUNT(rows); i++)
        assert_int_equal(allm__hist_add(&r.t, &rows[i], NULL, &r.err), ALLM_OK);
    assert_int_equal(hist_write(&r, "{\"local\": {\"seed\": 3}}"), ALLM_OK);
    char *first = hist_text(&r);
    memset(&copy, 0, sizeof copy);
    copy.host = copy.head.host = &r.host;
    if (allm__hist_read(&copy, r.file.path, &r.err)) fail_msg("%s", r.err.message);
    assert_int_equal(copy.n, ALLM__COUNT(rows));
    assert_string_equal(copy.system, r.t.system);
    for (size_t i = 0; i < copy.n; i++) {
        const allm_message *a = &r.t.messages[i], *b = &copy.messages[i];
        hist_same_text(a->role, b->role), hist_same_text(a->content, b->content);
        hist_same_text(a->reasoning, b->reasoning), hist_same_text(a->tool_call_id, b->tool_call_id);
        hist_same_text(a->name, b->name);
        assert_int_equal(a->n_tool_calls, b->n_tool_calls);
        for (size_t k = 0; k < a->n_tool_calls; k++) {
            hist_same_text(a->tool_calls[k].id, b->tool_calls[k].id);
            hist_same_text(a->tool_calls[k].name, b->tool_calls[k].name);
        }
    }
    /* written again it is the same text, but for the time of writing */
    allm__hist_free(&r.t);
    r.t = copy, r.t.host = r.t.head.host = &r.host;
    assert_int_equal(hist_write(&r, "{\"local\": {\"seed\": 3}}"), ALLM_OK);
    char *second = hist_text(&r), *a = strstr(first, "last_updated"), *b = strstr(second, "last_updated");
    assert_true(a && b);
    assert_memory_equal(first, second, (size_t)(a - first));
    assert_string_equal(strchr(a, '\n'), strchr(b, '\n'));
    free(first), free(second);
    hist_end(&r);
}

/* Images: those of files are kept by their paths, those in memory live as long as the history and are not saved. */
static void test_hist_images(void **state) {
    char               path[] = "pictures/\"one\".png";
    unsigned char      bytes[] = {1, 0, 2};
    const allm_image   files[] = {{path, NULL, 0, 0, 0}, {"two.jpg", NULL, 0, 0, 0}},
                       mixed[] = {{path, NULL, 0, 0, 0}, {NULL, bytes, sizeof bytes, 0, 0}};
    allm_message       m = {"user", "see", NULL, NULL, 0, NULL, NULL, files, 2};
    hist_room          r;
    (void)state;
    hist_begin(&r);
    assert_int_equal(allm__hist_add(&r.t, &m, NULL, &r.err), ALLM_OK);
    if (hist_write(&r, NULL)) fail_msg("%s", r.err.message);
    hist_clear(&r);
    if (allm__hist_read(&r.t, r.file.path, &r.err)) fail_msg("%s", r.err.message);
    assert_int_equal(r.t.n, 1);
    assert_int_equal(r.t.messages[0].n_images, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(r.t.messages[0].images[i].path, files[i].path);
        assert_null(r.t.messages[0].images[i].data);
    }
    m.images = mixed;
    assert_int_equal(allm__hist_add(&r.t, &m, NULL, &r.err), ALLM_OK);
    memset(path, 'x', 4), memset(bytes, 9, sizeof bytes);
    const allm_image *got = r.t.messages[1].images;
    assert_string_equal(got[0].path, "pictures/\"one\".png");
    assert_memory_equal(got[1].data, "\1\0\2", 3);
    assert_int_equal(got[1].n_bytes, 3);
    assert_int_equal(hist_write(&r, NULL), ALLM_E_UNSUPPORTED);
    assert_non_null(strstr(r.err.message, "messages[1] has an image in memory"));
    static const char *const bad[] = {
        "{\"messages\": [{\"role\": \"user\", \"content\": \"\", \"metadata\": {\"images\": [3]}}]}",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"\", \"metadata\": {\"images\": [{}]}}]}",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"\", \"metadata\": {\"images\": [{\"path\": \"\"}]}}]}",
    };
    for (size_t i = 0; i < ALLM__COUNT(bad); i++) {
        assert_int_equal(hist_read(&r, bad[i]), ALLM_E_FORMAT);
        assert_non_null(strstr(r.err.message, "image"));
    }
    hist_end(&r);
}

/* ids and times as they are written elsewhere; members that nobody here knows; AbstractLLM's ways. */
static void test_hist_foreign(void **state) {
    static const char file[] =
        "{\"id\": \"S1\", \"created_at\": \"2025-11-20T10:00:00.123456\", \"last_updated\": \"x\",\n"
        " \"color\": {\"r\": [1, 2.50, -0]}, \"system_prompt\": \"Be brief.\", \"metadata\": {\"title\": \"T\"},\n"
        " \"messages\": [{\"id\": \"m1\", \"role\": \"system\", \"content\": \"Be brief.\", \"timestamp\": \"t1\"},\n"
        "  {\"role\": \"user\", \"content\": null, \"mood\": [\"a\", {}], \"metadata\": {\"k\": 1.0}},\n"
        "  {\"role\": \"assistant\", \"content\": \"c\", \"metadata\": {\"opaque\": {\"anthropic\": \"sig\"},\n"
        "    \"tool_calls\": [{\"name\": \"add\", \"arguments\": \"{}\"}]}, \"tool_results\": [{\"output\": \"5\"}]},\n"
        "  {\"role\": \"tool\", \"content\": \"5\", \"tool_results\": [{\"call_id\": \"k\", \"name\": \"add\", "
        "\"output\": \"5\", \"arguments\": {\"a\": 5}, \"error\": null}]},\n"
        "  {\"role\": \"tool\", \"content\": \"6\", \"tool_results\": [{}]}],\n"
        " \"provider_state\": {\"other\": {\"n\": 1}}}";
    static const char *const kept[] = {
        "\"id\": \"S1\"", "\"created_at\": \"2025-11-20T10:00:00.123456\"", "2.50,", "-0\n", "\"title\": \"T\"",
        "\"id\": \"m1\"", "\"timestamp\": \"t1\"", "\"mood\": [", "\"k\": 1.0", "\"anthropic\": \"sig\"",
        "\"error\": null", "\"arguments\": {\n",
    };
    hist_room r;
    (void)state;
    hist_begin(&r);
    if (hist_read(&r, file)) fail_msg("%s", r.err.message);
    assert_int_equal(r.t.n, 5);
    assert_string_equal(r.t.system, "Be brief.");
    assert_memory_equal(r.t.state.ptr, "{\"other\"", 8);
    assert_string_equal(r.t.messages[1].content, "");
    assert_string_equal(r.t.messages[2].tool_calls[0].name, "add");
    assert_null(r.t.messages[2].tool_call_id); /* results on an assistant are kept, not sent */
    assert_string_equal(r.t.messages[3].tool_call_id, "k");
    assert_string_equal(r.t.messages[3].name, "add");
    assert_string_equal(r.t.messages[4].tool_call_id, "call_0");
    assert_string_equal(r.t.messages[4].name, "unknown_tool");
    assert_int_equal(r.t.notes[1].id.len, 38); /* a fresh one */
    assert_true(r.t.notes[1].id.ptr[15] == '4' && r.t.notes[1].time.len >= 21);
    assert_int_equal(hist_write(&r, "{}"), ALLM_OK);
    char *text = hist_text(&r);
    for (size_t i = 0; i < ALLM__COUNT(kept); i++)
        if (!strstr(text, kept[i])) fail_msg("lost: %s\n%s", kept[i], text);
    assert_non_null(strstr(strstr(text, "provider_state"), "\"color\": {"));
    free(text);
    hist_end(&r);
}

static void test_hist_bad_files(void **state) {
#define HIST_MESSAGE(text) "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"},\n " text "]}"
    static const struct { const char *text, *says; } rows[] = {
        {"", "1:1: a value expected, but the text ends"},
        {"[]", "1:1: a conversation (an object) expected, found an array"},
        {"{}", "without \"messages\""},
        {"{\"messages\": {}}", "1:14: \"messages\": an array expected, found an object"},
        {"{\"messages\": []} x", "1:18: the end of the text expected"},
        {"{\"messages\": []", "',' or '}' expected"},
        {"{\"messages\": [], \"id\": 3}", "\"id\": a string expected, found an integer"},
        {"{\"messages\": [], \"created_at\": []}", "\"created_at\": a string expected, found an array"},
        {"{\"messages\": [], \"system_prompt\": {}}", "\"system_prompt\": a string expected, found an object"},
        {"{\"messages\": [], \"metadata\": \"x\"}", "\"metadata\": an object expected, found a string"},
        {"{\"messages\": [], \"provider_state\": 1}", "\"provider_state\": an object expected, found an integer"},
        {HIST_MESSAGE("3"), "2:2: a message (an object) expected, found an integer"},
        {HIST_MESSAGE("{\"content\": \"x\"}"), "2:2: a message without \"role\""},
        {HIST_MESSAGE("{\"role\": \"\"}"), "2:2: a message without \"role\""},
        {HIST_MESSAGE("{\"role\": 1}"), "2:11: \"role\": a string expected, found an integer"},
        {HIST_MESSAGE("{\"role\": \"user\", \"content\": [1]}"), "\"content\": a string expected, found an array"},
        {HIST_MESSAGE("{\"role\": \"u\", \"content\": \"a\\u0000b\"}"), "\"content\" holds a NUL"},
        {HIST_MESSAGE("{\"role\": \"u\", \"content\": \"\\ud800\"}"), "surrogate"},
        {HIST_MESSAGE("{\"role\": \"u\", \"content\": \"\xff\"}"), "2:28: byte 0xff is not UTF-8"},
        {HIST_MESSAGE("{\"role\": \"u\", \"id\": 1}"), "\"id\": a string expected"},
        {HIST_MESSAGE("{\"role\": \"u\", \"timestamp\": 1.5}"), "\"timestamp\": a string expected"},
        {HIST_MESSAGE("{\"role\": \"u\", \"name\": true}"), "\"name\": a string expected, found true"},
        {HIST_MESSAGE("{\"role\": \"u\", \"metadata\": []}"), "\"metadata\": an object expected, found an array"},
        {HIST_MESSAGE("{\"role\": \"u\", \"metadata\": {\"reasoning\": 1}}"), "\"reasoning\": a string expected"},
        {HIST_MESSAGE("{\"role\": \"u\", \"metadata\": {\"tool_calls\": {}}}"), "\"tool_calls\": an array expected"},
        {HIST_MESSAGE("{\"role\": \"u\", \"metadata\": {\"tool_calls\": [1]}}"), "\"tool_calls\": an object expected"},
        {HIST_MESSAGE("{\"role\": \"u\", \"metadata\": {\"tool_calls\": [{}]}}"), "a tool call without \"name\""},
        {HIST_MESSAGE("{\"role\": \"u\", \"metadata\": {\"tool_calls\": [{\"name\": \"f\", \"arguments\": 3}]}}"),
         "\"arguments\": an object expected, found an integer"},
        {HIST_MESSAGE("{\"role\": \"u\", \"metadata\": {\"tool_calls\": [{\"name\": \"f\", \"arguments\": \"[]\"}]}}"),
         "\"arguments\" are no JSON object"},
        {HIST_MESSAGE("{\"role\": \"tool\", \"tool_results\": {}}"), "\"tool_results\": an array expected"},
        {HIST_MESSAGE("{\"role\": \"tool\", \"tool_results\": [3]}"), "\"tool_results\": an object expected"},
        {HIST_MESSAGE("{\"role\": \"tool\", \"tool_results\": [{\"call_id\": 3}]}"), "\"call_id\": a string expected"},
    };
    hist_room r;
    (void)state;
    hist_begin(&r);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        assert_int_equal(hist_read(&r, rows[i].text), ALLM_E_FORMAT);
        const char *name = strrchr(r.file.path, '/') + 1;
        if (!strstr(r.err.message, rows[i].says) || !strstr(r.err.message, name) || !r.err.line)
            fail_msg("%s: \"%s\", expected \"%s\"", rows[i].text, r.err.message, rows[i].says);
    }
    assert_int_equal(allm__hist_read(&r.t, "no/such/file", (memset(&r.err, 0, sizeof r.err), &r.err)),
                     ALLM_E_NOT_FOUND);
    hist_clear(&r);
    assert_int_equal(allm__hist_read(&r.t, "/tmp", &r.err), ALLM_E_FORMAT);
    hist_end(&r);
}

/* FAULTS T1, T2: every beginning of a good file, and every byte of it turned into others, ends in time and loses
 * nothing. */
static void test_hist_damaged(void **state) {
    static const char file[] =
        "{\"id\":\"S\",\"system_prompt\":\"b\",\"metadata\":{\"t\":1},\"messages\":[{\"role\":\"user\","
        "\"content\":\"a\\u00e9\"},{\"role\":\"assistant\",\"metadata\":{\"reasoning\":\"r\",\"tool_calls\":[{\"id\":"
        "\"i\",\"name\":\"f\",\"arguments\":{\"x\":1}}]}},{\"role\":\"tool\",\"name\":\"f\",\"content\":\"1\","
        "\"tool_results\":[{\"call_id\":\"i\"}],\"k\":[]}],\"provider_state\":{\"local\":{}}}";
    static const unsigned char bytes[] = {0, 0x7f, 0x80, 0xff, '"', '\\', '{', '}', '[', ']', ',', ':', '0'};
    hist_room r;
    char      text[sizeof file];
    (void)state;
    hist_begin(&r);
    assert_int_equal(hist_read(&r, file), ALLM_OK);
    for (size_t n = 0; n + 1 < sizeof file; n++) {
        hist_put_file(&r, file, n);
        hist_clear(&r);
        assert_int_equal(allm__hist_read(&r.t, r.file.path, &r.err), ALLM_E_FORMAT);
    }
    for (size_t i = 0; i + 1 < sizeof file; i++)
        for (size_t k = 0; k < sizeof bytes; k++) {
            memcpy(text, file, sizeof file);
            text[i] = (char)bytes[k];
            hist_put_file(&r, text, sizeof file - 1);
            hist_clear(&r);
            allm_status status = allm__hist_read(&r.t, r.file.path, &r.err);
            assert_true(status == ALLM_OK || status == ALLM_E_FORMAT);
            if (status || (i + k) % 64) continue; /* some of those that are good are written, and read again */
            assert_int_equal(hist_write(&r, "{}"), ALLM_OK);
            hist_clear(&r);
            if (allm__hist_read(&r.t, r.file.path, &r.err)) fail_msg("what was written: %s", r.err.message);
        }
    hist_end(&r);
}

/* Arguments come back in one line, whatever the layout of the file is. */
static void test_hist_arguments(void **state) {
    static const char args[] = "{\"a\": [1, {\"b\": \"x \\\" , y\", \"c\": []}], \"d\": {}}";
    hist_room      r;
    allm_tool_call call = {"c", "f", args};
    allm_message   m    = {"assistant", NULL, NULL, &call, 1, NULL, NULL, NULL, 0};
    (void)state;
    hist_begin(&r);
    assert_int_equal(allm__hist_add(&r.t, &m, NULL, &r.err), ALLM_OK);
    assert_int_equal(hist_write(&r, "{}"), ALLM_OK);
    hist_clear(&r);
    assert_int_equal(allm__hist_read(&r.t, r.file.path, &r.err), ALLM_OK);
    assert_string_equal(r.t.messages[0].tool_calls[0].arguments_json, args);
    hist_end(&r);
}

/* Deeper arguments than a file may hold are written as a text, and read again. */
static void test_hist_deep(void **state) {
    hist_room r;
    char      args[2000] = "";
    (void)state;
    for (int depth = 40; depth <= 120; depth += 8) {
        hist_begin(&r);
        args[0] = 0;
        for (int i = 1; i < depth; i++) strcat(args, "{\"a\":");
        strcat(args, "{}");
        for (int i = 1; i < depth; i++) strcat(args, "}");
        allm_tool_call call = {"c", "f", args};
        allm_message   m    = {"assistant", NULL, NULL, &call, 1, NULL, NULL, NULL, 0};
        assert_int_equal(allm__hist_add(&r.t, &m, NULL, &r.err), ALLM_OK);
        assert_int_equal(hist_write(&r, "{}"), ALLM_OK);
        hist_clear(&r);
        if (allm__hist_read(&r.t, r.file.path, &r.err)) fail_msg("depth %d: %s", depth, r.err.message);
        if (depth > 48) assert_string_equal(r.t.messages[0].tool_calls[0].arguments_json, args);
        hist_end(&r);
    }
}

/* ---- limits and faults */

static void test_hist_many(void **state) {
    static const char one[] = "{\"role\":\"user\",\"content\":\"x\"},";
    hist_room r;
    allm_message m = {"user", "x", NULL, NULL, 0, NULL, NULL, NULL, 0};
    (void)state;
    double seconds[2];
    for (int k = 0; k < 2; k++) {
        size_t n = k ? 200000 : 100000, len = sizeof one - 1;
        hist_begin(&r);
        FILE *f = fopen(r.file.path, "wb");
        assert_non_null(f);
        fputs("{\"messages\":[", f);
        for (size_t i = 0; i < n; i++) fwrite(one, 1, i + 1 < n ? len : len - 1, f);
        fputs("]}", f);
        fclose(f);
        seconds[k] = test_seconds();
        if (allm__hist_read(&r.t, r.file.path, &r.err)) fail_msg("%s", r.err.message);
        seconds[k] = test_seconds() - seconds[k];
        assert_int_equal(r.t.n, n);
        if (k) { /* the last one that fits, and one more */
            while (r.t.n < ALLM__HIST_MESSAGES) assert_int_equal(allm__hist_add(&r.t, &m, NULL, &r.err), ALLM_OK);
            assert_int_equal(allm__hist_add(&r.t, &m, NULL, &r.err), ALLM_E_MEMORY);
            assert_non_null(strstr(r.err.message, "1000000 messages"));
            assert_int_equal(hist_write(&r, "{}"), ALLM_E_MEMORY); /* nobody could read it again */
            assert_non_null(strstr(r.err.message, "67108864 bytes"));
        }
        hist_end(&r);
    }
    test_time_linear("reading 200,000 messages", seconds[0], seconds[1]);
    hist_begin(&r);
    assert_int_equal(truncate(r.file.path, (64 << 20) + 1), 0);
    assert_int_equal(allm__hist_read(&r.t, r.file.path, &r.err), ALLM_E_MEMORY);
    assert_non_null(strstr(r.err.message, "at most 67108864"));
    hist_end(&r);
}

static allm_status hist_fail_body(const allm__host *h, void *ctx) {
    const char *const *paths = (const char *const *)ctx;
    allm__hist  t;
    allm__out   o;
    allm_error  err = {ALLM_OK, -1, 0, 0, 0, "", ""};
    memset(&t, 0, sizeof t), memset(&o, 0, sizeof o);
    t.host = t.head.host = h;
    allm_status status = allm__hist_read(&t, paths[0], &err);
    if (!status) status = allm__out_open(h, paths[1], NULL, NULL, &o, &err);
    if (!status) {
        status = allm__hist_write(&t, ALLM__S("{}"), &o, &err);
        if (!status) status = allm__out_publish(&o, &err);
    }
    allm__out_drop(&o);
    allm__hist_free(&t);
    return status;
}

static void test_hist_no_memory(void **state) {
    hist_room   r;
    test_temp   to = test_temp_new("", 0);
    const char *paths[2];
    (void)state;
    hist_begin(&r);
    assert_int_equal(
        hist_read(&r, "{\"x\":{\"y\":[]},\"system_prompt\":\"\\u00e9\",\"messages\":[{\"role\":\"user\",\"content\":"
                      "\"a\\n\",\"z\":3},{\"role\":\"assistant\",\"metadata\":{\"reasoning\":\"r\",\"tool_calls\":[{"
                      "\"name\":\"f\",\"arguments\":{\"x\":\"\\t\"}}]}}],\"metadata\":{\"a\":1}}"), ALLM_OK);
    paths[0] = r.file.path, paths[1] = to.path;
    test_fail_each(hist_fail_body, (void *)paths);
    test_temp_remove(&to);
    hist_end(&r);
}

static const struct CMUnitTest test_hist[] = {
    cmocka_unit_test(test_hist_copies),    cmocka_unit_test(test_hist_round_trip),
    cmocka_unit_test(test_hist_foreign),   cmocka_unit_test(test_hist_bad_files),
    cmocka_unit_test(test_hist_damaged),   cmocka_unit_test(test_hist_arguments), cmocka_unit_test(test_hist_deep),
    cmocka_unit_test(test_hist_many),      cmocka_unit_test(test_hist_no_memory),
    cmocka_unit_test(test_hist_images),
};
