/* Room http: addresses, heads that may not go out, responses cut in every way, streams by the rules of WHATWG. */

static const allm__host http_host = {{allm__mem_default_alloc, allm__mem_default_free, NULL}, NULL, NULL};

/* ---- addresses and requests */

static void test_http_urls(void **state) {
    static const struct { const char *text, *host, *path; int32_t port; int tls; } urls[] = {
        {"http://a", "a", "", 80, 0},
        {"https://a.b/c?d", "a.b", "/c?d", 443, 1},
        {"http://127.0.0.1:8080/v1", "127.0.0.1", "/v1", 8080, 0},
        {"http://[::1]:99/x", "::1", "/x", 99, 0},
        {"http://[fe80::1]", "fe80::1", "", 80, 0},
        {"http://a?q", "a", "?q", 80, 0},
    };
    static const struct { const char *text, *words; } bad[] = {
        {"", "neither http:// nor"}, {"a", "neither"}, {"ftp://a", "neither"}, {"http://", "names no host"},
        {"http:///x", "names no host"}, {"http://a b", "a blank"}, {"http://a\r\nX: y", "a blank"},
        {"http://a:0", "no port of 1 to 65535"}, {"http://a:65536", "no port of 1"}, {"http://a:1x", "no port of 1"},
        {"http://a:99999", "no port of 1"}, {"http://a:", "no port of 1"},
        {"http://u:secret@a/", "a name or a password"},
        {"http://[::1", "names no host"}, {"http://[]", "names no host"}, {"http://a/\xc3\xa4", "a blank"},
        {"http://a#b", "a fragment"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(urls); i++) {
        allm_error     err = {0};
        allm__http_url u;
        if (allm__http_parse_url(urls[i].text, &u, &err)) fail_msg("%s: %s", urls[i].text, err.message);
        assert_true(allm__str_eq(u.host, allm__str_of(urls[i].host)));
        assert_true(allm__str_eq(u.path, allm__str_of(urls[i].path)));
        assert_int_equal(u.port, urls[i].port);
        assert_int_equal(u.tls, urls[i].tls);
    }
    for (size_t i = 0; i < ALLM__COUNT(bad); i++) {
        allm_error     err = {0};
        allm__http_url u;
        if (allm__http_parse_url(bad[i].text, &u, &err) != ALLM_E_ARGUMENT || !strstr(err.message, bad[i].words))
            fail_msg("\"%s\": %s", bad[i].text, err.message);
        assert_null(strstr(err.message, "secret"));
    }
}

static void test_http_request(void **state) {
    const char    *headers[] = {"A: b", "Authorization: Bearer k"};
    allm_http      io        = {"POST", "http://h:81", headers, 2, "body", 4, 0, NULL, NULL, NULL, NULL};
    allm__buf      b         = {&http_host, NULL, 0, 0, 0, 0};
    allm_error     err       = {0};
    allm__http_url u;
    (void)state;
    assert_int_equal(allm__http_parse_url(io.url, &u, &err), ALLM_OK);
    assert_int_equal(allm__http_request(&io, &u, &b, &err), ALLM_OK);
    assert_string_equal(allm__buf_text(&b),
                        "POST / HTTP/1.1\r\nHost: h:81\r\nUser-Agent: abstractllm/" ABSTRACTLLM_VERSION_STRING
                        "\r\nAccept-Encoding: identity\r\nConnection: close\r\nA: b\r\nAuthorization: Bearer k\r\n"
                        "Content-Length: 4\r\n\r\nbody");
    static const char *const bad[] = {"A: b\r\nC: d", "A: b\n", "nothing", "A: \x7f"};
    for (size_t i = 0; i < ALLM__COUNT(bad); i++) {
        headers[0] = bad[i], err.status = ALLM_OK, b.len = 0;
        assert_int_equal(allm__http_request(&io, &u, &b, &err), ALLM_E_ARGUMENT);
    }
    allm__buf_free(&b);
}

/* ---- responses */

typedef struct http_got {
    int       status, stop_at_head, stop_after; /* bytes of body before on_body says stop; 0: never */
    size_t    n_headers;
    allm__buf body;
} http_got;

static int http_on_head(void *self, int32_t status, const char *const *headers, size_t n) {
    http_got *g = (http_got *)self;
    g->status = status, g->n_headers = n;
    for (size_t i = 0; i < n; i++)
        if (!strchr(headers[i], ':')) fail_msg("header without a colon: %s", headers[i]);
    return g->stop_at_head;
}

static int http_on_body(void *self, const void *p, size_t n) {
    http_got *g = (http_got *)self;
    allm__buf_put(&g->body, p, n);
    return g->stop_after && g->body.len >= (size_t)g->stop_after;
}

/* Feeds a response in pieces; returns the status. */
static allm_status http_feed(const allm__host *h, const char *method, const char *p, size_t n, size_t piece,
                             http_got *got, allm_error *err) {
    allm_http         io = {method, "http://h", NULL, 0, NULL, 0, 0, http_on_head, http_on_body, NULL, got};
    allm__http_reader r;
    memset(&r, 0, sizeof r);
    r.io = &io, r.err = err, r.line.host = got->body.host = h;
    for (size_t i = 0; i < n && !err->status; i += piece) allm__http_feed(&r, p + i, ALLM__MIN(piece, n - i));
    allm__http_close(&r);
    allm__http_free(&r);
    return err->status;
}

static void test_http_responses(void **state) {
    static const struct { const char *text, *method; int status; const char *body;
    } good[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd", "GET", 200, "abc"},
        {"HTTP/1.0 404\r\n\r\nx", "GET", 404, "x"},
        {"HTTP/1.1 200 \nA: b\n\nx\r\n", "GET", 200, "x\r\n"},
        {"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nabc", "GET", 204, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD", 200, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "GET", 200, ""},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 1\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n"
         "0\r\nT: u\r\n\r\nrest",
         "GET", 200, "abc0123456789"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0003\nabc\n00\n\n", "GET", 200, "abc"},
        {"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nL: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", "GET",
         200, "a"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length: 2\r\nContent-Encoding: identity\r\n\r\nab", "GET",
         200, "ab"},
    };
    static const char *const bad[] = {
        "",
        "H",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 20\r\n\r\n",
        "HTTP/1.1 2000\r\n\r\n",
        "HTTP/1.1  200\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nnothing\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        "HTTP/1.1 101 S\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000000000000000\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3 4\r\nabc\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n",
    };
    (void)state;
    for (size_t piece = 1; piece < 40; piece++) {
        for (size_t i = 0; i < ALLM__COUNT(good); i++) {
            allm_error err = {0};
            http_got   got = {0};
            if (http_feed(&http_host, good[i].method, good[i].text, strlen(good[i].text), piece, &got, &err))
                fail_msg("response %d in pieces of %d: %s", (int)i, (int)piece, err.message);
            assert_int_equal(got.status, good[i].status);
            assert_string_equal(allm__buf_text(&got.body), good[i].body);
            allm__buf_free(&got.body);
        }
        for (size_t i = 0; i < ALLM__COUNT(bad); i++) {
            allm_error err = {0};
            http_got   got = {0};
            if (http_feed(&http_host, "GET", bad[i], strlen(bad[i]), piece, &got, &err) != ALLM_E_REMOTE)
                fail_msg("bad response %d in pieces of %d: status %d", (int)i, (int)piece, (int)err.status);
            allm__buf_free(&got.body);
        }
    }
}

/* Heads without end, lines without end, too many interim responses: refused within the limits, not collected. */
static void test_http_limits(void **state) {
    static const struct { const char *head, *again; } floods[] = {
        {"HTTP/1.1 200 OK\r\nA: ", "aaaaaaaaaaaaaaaa"},
        {"HTTP/1.1 200 OK\r\n", "A: b\r\n"},
        {"HTTP/1.1 200 ", "xxxxxxxx"},
        {"", "HTTP/1.1 100 Continue\r\n\r\n"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "0"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "xxxxxxxx"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "T: uuuuuuuuuuuuuuuuuuuuu\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(floods); i++) {
        test_heap  m    = {0};
        allm__host h    = test_host(&m);
        allm_error err  = {0};
        http_got   got  = {0};
        allm__buf  text = {&http_host, NULL, 0, 0, 0, 0};
        m.budget        = 1 << 20;
        allm__buf_puts(&text, floods[i].head);
        while (text.len < 1 << 20) allm__buf_puts(&text, floods[i].again);
        assert_int_equal(http_feed(&h, "GET", text.ptr, text.len, 1000, &got, &err), ALLM_E_REMOTE);
        assert_true(m.peak < 300 << 10);
        allm__buf_free(&text);
        allm__buf_free(&got.body);
        test_heap_check(&m);
    }
}

static void test_http_stops(void **state) {
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabcdefghi";
    (void)state;
    for (int at_head = 0; at_head < 2; at_head++) {
        allm_error err = {0};
        http_got   got = {0};
        got.stop_at_head = at_head, got.stop_after = 3;
        assert_int_equal(http_feed(&http_host, "GET", text, sizeof text - 1, 1, &got, &err), ALLM_E_CANCELLED);
        assert_int_equal(got.body.len, at_head ? 0 : 3);
        allm__buf_free(&got.body);
    }
}

static allm_status http_fail_body(const allm__host *h, void *ctx) {
    static const char text[] = "HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    allm_error err = {0};
    http_got   got = {0};
    (void)ctx;
    allm_status status = http_feed(h, "GET", text, sizeof text - 1, 5, &got, &err);
    if (got.body.failed && !status) status = ALLM_E_MEMORY;
    allm__buf_free(&got.body);
    return status;
}

/* Every byte of a response changed, and every beginning of it: an error or a body, never more. */
static void test_http_flips(void **state) {
    static const char text[] = "HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    static const unsigned char values[] = {0, 0x7f, 0x80, 0xff, '\r', '\n', ' ', '0', 'f'};
    (void)state;
    test_fail_each(http_fail_body, NULL);
    for (size_t i = 0; i < sizeof text - 1; i++)
        for (size_t k = 0; k < ALLM__COUNT(values) + 1; k++) {
            char       copy[sizeof text];
            allm_error err = {0};
            http_got   got = {0};
            memcpy(copy, text, sizeof text);
            if (k < ALLM__COUNT(values)) copy[i] = (char)values[k];
            http_feed(&http_host, "GET", copy, k < ALLM__COUNT(values) ? sizeof text - 1 : i, 3, &got, &err);
            assert_true(got.body.len <= sizeof text);
            allm__buf_free(&got.body);
        }
}

/* ---- streams */

typedef struct http_events {
    allm__buf text; /* "name|data|id\n" each */
} http_events;

static allm_status http_on_event(void *ctx, const allm__stream_event *e) {
    allm__buf *b = &((http_events *)ctx)->text;
    allm__buf_put(b, e->name.ptr, e->name.len), allm__buf_putc(b, '|');
    allm__buf_put(b, e->data.ptr, e->data.len), allm__buf_putc(b, '|');
    allm__buf_put(b, e->id.ptr, e->id.len), allm__buf_putc(b, '\n');
    return ALLM_OK;
}

static allm_status http_stream(const allm__host *h, int mode, allm_str text, size_t piece, http_events *got,
                               allm_error *err) {
    allm__stream s;
    allm_status  status = ALLM_OK;
    allm__stream_init(&s, h, mode, err);
    s.sink = http_on_event, s.ctx = got, got->text.host = h;
    for (size_t i = 0; i < text.len && !status; i += piece)
        status = allm__stream_feed(&s, text.ptr + i, ALLM__MIN(piece, text.len - i));
    if (!status) status = allm__stream_finish(&s);
    allm__stream_free(&s);
    return status;
}

static void test_http_sse_golden(void **state) {
    allm__tmpl_ctx file;
    allm__val      list = tmpl_at(tmpl_golden(&http_host, &file, "remote/cases.json"), "sse");
    (void)state;
    for (size_t i = 0; i < list.u.q->n; i++) {
        allm_str   text   = allm__v_str(tmpl_at(list.u.q->v[i], "stream"));
        allm__val  events = tmpl_at(list.u.q->v[i], "events");
        allm__buf  want   = {&http_host, NULL, 0, 0, 0, 0};
        for (size_t k = 0; k < events.u.q->n; k++)
            for (size_t f = 0; f < 3; f++) {
                allm_str s = allm__v_str(events.u.q->v[k].u.q->v[f]);
                allm__buf_put(&want, s.ptr, s.len), allm__buf_putc(&want, f < 2 ? '|' : '\n');
            }
        for (size_t piece = 1; piece <= text.len + 1; piece++) {
            http_events got = {{0}};
            allm_error  err = {0};
            assert_int_equal(http_stream(&http_host, ALLM__STREAM_SSE, text, piece, &got, &err), ALLM_OK);
            if (got.text.len != want.len || (want.len && memcmp(got.text.ptr, want.ptr, want.len)))
                fail_msg("stream %d in pieces of %d: %s, expected %s", (int)i, (int)piece, allm__buf_text(&got.text),
                         allm__buf_text(&want));
            allm__buf_free(&got.text);
        }
        allm__buf_free(&want);
    }
    printf("             %d streams\n", (int)list.u.q->n);
    allm__tmpl_ctx_free(&file);
}

static allm_status http_stream_body(const allm__host *h, void *ctx) {
    http_events got    = {{0}};
    allm_error  err    = {0};
    allm_str    text   = ALLM__S("id: 1\nevent: x\ndata: a\ndata: \xff\n\ndata: b\n\n");
    allm_status status = http_stream(h, *(int *)ctx, text, 7, &got, &err);
    if (got.text.failed && !status) status = ALLM_E_MEMORY;
    allm__buf_free(&got.text);
    return status;
}

static void test_http_streams(void **state) {
    static const struct { int mode; const char *text, *events; } cases[] = {
        {ALLM__STREAM_LINES, "{}\r\n\n \n[1]\nlast", "message|{}|\nmessage|[1]|\nmessage|last|\n"},
        {ALLM__STREAM_WHOLE, "\xef\xbb\xbf{\n}\n", "message|{\n}\n|\n"},
        {ALLM__STREAM_SSE, "data: a\xff\xc3\n\n", "message|a\xef\xbf\xbd\xef\xbf\xbd|\n"},
        {ALLM__STREAM_LINES, "a\xffz\n", "message|a\xef\xbf\xbdz|\n"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(cases); i++)
        for (size_t piece = 1; piece < 20; piece++) {
            http_events got = {{0}};
            allm_error  err = {0};
            assert_int_equal(http_stream(&http_host, cases[i].mode, allm__str_of(cases[i].text), piece, &got, &err),
                             ALLM_OK);
            assert_string_equal(allm__buf_text(&got.text), cases[i].events);
            allm__buf_free(&got.text);
        }
    for (int mode = 0; mode < 3; mode++) test_fail_each(http_stream_body, &mode);
}

/* An event and a line without end are refused at their limits. */
static void test_http_stream_limits(void **state) {
    static const struct { int mode; const char *again; } floods[] = {
        {ALLM__STREAM_SSE, "data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"},
        {ALLM__STREAM_SSE, "data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
        {ALLM__STREAM_LINES, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
        {ALLM__STREAM_WHOLE, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(floods); i++) {
        allm_error   err = {0};
        http_events  got = {{0}};
        allm__stream s;
        allm__buf    text = {&http_host, NULL, 0, 0, 0, 0};
        allm_status  status = ALLM_OK;
        double       start  = test_seconds();
        allm__stream_init(&s, &http_host, floods[i].mode, &err);
        s.sink = http_on_event, s.ctx = &got, got.text.host = &http_host;
        while (text.len < 1 << 20) allm__buf_puts(&text, floods[i].again);
        for (int k = 0; k < 80 && !status; k++) status = allm__stream_feed(&s, text.ptr, text.len);
        assert_int_equal(status, ALLM_E_REMOTE);
        test_time("a flood", test_seconds() - start, 1);
        allm__stream_free(&s);
        allm__buf_free(&text);
        allm__buf_free(&got.text);
    }
}

/* Without a transport: what is said depends on the address, and for https not on the build. */
static void test_http_default(void **state) {
    static const struct { const char *url, *says; allm_status status; } rows[] = {
        {"https://127.0.0.1:9/v1", "TLS", ALLM_E_UNSUPPORTED},
#ifdef ALLM__SOCKETS
        {"http://127.0.0.1:9/v1", "127.0.0.1", ALLM_E_REMOTE}, /* port discard: nobody is there */
#else
        {"http://127.0.0.1:9/v1", "ABSTRACTLLM_HTTP", ALLM_E_UNSUPPORTED},
#endif
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm_error err  = {0};
        allm_http  http = {.method = "GET", .url = rows[i].url, .timeout_ms = 2000};
        assert_int_equal(allm__http_default((void *)(uintptr_t)&http_host, &http, &err), rows[i].status);
        if (!strstr(err.message, rows[i].says)) fail_msg("%s", err.message);
        assert_true((strstr(err.message, "transport_curl.c") != NULL) == (i == 0));
        assert_true(i > 0 || !strstr(err.message, "ABSTRACTLLM_HTTP"));
    }
}

static void test_http_retry_after(void **state) {
    static const struct { const char *header; int64_t lo, hi; } cases[] = {
        {"Retry-After: 2", 2000, 2000}, {"retry-after-ms: 1.5", 2, 2}, {"Retry-After: 0", 0, 0}, {"Retry-After: -1",
            0, 0},
        {"Retry-After: soon", 0, 0}, {"Retry-After: Sun, 06 Nov 1994 08:49:37 GMT", 0, 0},
        {"Retry-After: Fri, 01 Jan 2100 00:00:00 GMT", 1, INT64_MAX}, {"Retry-After: Fri, 01 Xan 2100 00:00:00 GMT",
            0, 0},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(cases); i++) {
        int64_t ms = allm__http_retry_after(&cases[i].header, 1);
        if (ms < cases[i].lo || ms > cases[i].hi) fail_msg("%s: %lld", cases[i].header, (long long)ms);
    }
    assert_int_equal(allm__http_days(1970, 1, 1), 0);
    assert_int_equal(allm__http_days(2000, 3, 1), 11017);
    assert_int_equal(allm__http_days(1994, 11, 6), 9075);
}

static const struct CMUnitTest test_http[] = {
    cmocka_unit_test(test_http_urls),          cmocka_unit_test(test_http_request),
    cmocka_unit_test(test_http_responses),     cmocka_unit_test(test_http_limits),
    cmocka_unit_test(test_http_stops),         cmocka_unit_test(test_http_flips),
    cmocka_unit_test(test_http_sse_golden),    cmocka_unit_test(test_http_streams),
    cmocka_unit_test(test_http_stream_limits), cmocka_unit_test(test_http_default),
    cmocka_unit_test(test_http_retry_after),
};
