/* Room io: files and the cursor. */

static void test_io_path(void **state) {
    (void)state;
    test_heap   m    = {0};
    allm__host  h    = test_host(&m);
    allm_error  err  = {0};
    static char big[100001];
    for (size_t i = 0; i < sizeof big; i++) big[i] = (char)(i * 7 + i / 251);
    for (size_t n = 0; n <= sizeof big; n = n * 10 + 1) {
        test_temp   t   = test_temp_new(big, n);
        allm_source src = {.path = t.path};
        allm__file  f;
        assert_int_equal(allm__file_open(&h, &src, &f, &err), ALLM_OK);
        assert_int_equal(f.n_bytes, n);
        assert_non_null(f.data);
        if (n) assert_memory_equal(f.data, big, n);
        assert_string_equal(f.name, t.path);
        assert_true(f.name != t.path); /* a copy */
        allm__file_close(&h, &f);
        assert_null(f.data);
        allm__file_close(&h, &f); /* closing twice is nothing */
        test_temp_remove(&t);
        test_heap_check(&m);
    }
    assert_int_equal(err.status, ALLM_OK);
}

/* What is no file: each is refused at once, says which path, and leaves nothing behind. */
static void test_io_not_a_file(void **state) {
    (void)state;
    test_heap  m = {0};
    allm__host h = test_host(&m);
    test_temp  t = test_temp_new("x", 1);
    char       below[300], fifo[300], longest[6000];
    snprintf(below, sizeof below, "%s/below", t.path);
    snprintf(fifo, sizeof fifo, "%s.fifo", t.path);
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    assert_int_equal(mkfifo(fifo, 0600), 0);
    const struct {
        const char *path;
        allm_status status;
        const char *says;
    } rows[] = {
        {"no/such/file.gguf", ALLM_E_NOT_FOUND, "no/such/file.gguf: cannot open"},
        {"", ALLM_E_NOT_FOUND, "cannot open"},
        {below, ALLM_E_NOT_FOUND, "cannot open"}, /* a folder that is a file */
        {longest, ALLM_E_IO, "cannot open"},
        {"/", ALLM_E_FORMAT, "is a directory"},
        {"tests", ALLM_E_FORMAT, "tests: is a directory, expected a file"},
        {"/dev/zero", ALLM_E_FORMAT, "not a regular file"},
        {"/dev/null", ALLM_E_FORMAT, "not a regular file"},
        {fifo, ALLM_E_FORMAT, "not a regular file"}, /* opening it must not wait for a writer */
    };
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm_error  err = {0};
        allm_source src = {.path = rows[i].path};
        allm__file  f;
        alarm(10);
        allm_status status = allm__file_open(&h, &src, &f, &err);
        alarm(0);
        if (status != rows[i].status) fail_msg("%.40s: status %d: %s", rows[i].path, (int)status, err.message);
        if (!strstr(err.message, rows[i].says)) fail_msg("%s, not %s", err.message, rows[i].says);
        allm__file_close(&h, &f);
        test_heap_check(&m);
    }
    unlink(fifo);
    test_temp_remove(&t);
}

static void test_io_no_permission(void **state) {
    (void)state;
    test_heap   m   = {0};
    allm__host  h   = test_host(&m);
    allm_error  err = {0};
    test_temp   t   = test_temp_new("x", 1);
    allm_source src = {.path = t.path};
    allm__file  f;
    assert_int_equal(chmod(t.path, 0), 0);
    int root = geteuid() == 0; /* who may read everything: be nobody for a moment */
    if (root) assert_int_equal(seteuid(65534), 0);
    allm_status status = allm__file_open(&h, &src, &f, &err);
    if (root) assert_int_equal(seteuid(0), 0);
    assert_int_equal(status, ALLM_E_IO);
    assert_non_null(strstr(err.message, "cannot open"));
    allm__file_close(&h, &f);
    test_temp_remove(&t);
    test_heap_check(&m);
}

static void test_io_source(void **state) {
    (void)state;
    test_heap  m = {0};
    allm__host h = test_host(&m);
    allm__file f;
    const allm_source wrong[] = {{0}, {.path = "a", .data = "b"}, {.n_bytes = 5}, {.size = 5}};
    for (size_t i = 0; i < ALLM__COUNT(wrong); i++) {
        allm_error err = {0};
        assert_int_equal(allm__file_open(&h, &wrong[i], &f, &err), ALLM_E_ARGUMENT);
        assert_non_null(strstr(err.message, "exactly one"));
        allm__file_close(&h, &f);
    }
    allm_error  err = {0};
    allm_source src = {.data = "bytes", .n_bytes = 5};
    assert_int_equal(allm__file_open(&h, &src, &f, &err), ALLM_OK);
    assert_ptr_equal(f.data, src.data); /* used in place */
    assert_int_equal(f.n_bytes, 5);
    assert_string_equal(f.name, "memory");
    allm__file_close(&h, &f);
    test_heap_check(&m);
}

/* ---- a reader that behaves as told */

typedef struct test_io_reader {
    const unsigned char *bytes;  /* [n] */
    size_t               n, most; /* most bytes given at a time */
    int                  n_calls, bad_at; /* this call, from 1, gives bad */
    int64_t              bad;
    int                  out_of_order;
    uint64_t             next;
} test_io_reader;

static int64_t test_io_read(void *ctx, uint64_t offset, void *dst, size_t n) {
    test_io_reader *r = (test_io_reader *)ctx;
    r->out_of_order |= offset != r->next;
    if (++r->n_calls == r->bad_at) return r->bad;
    if (offset > r->n) return -1;
    n = ALLM__MIN(ALLM__MIN(n, r->most), r->n - (size_t)offset);
    memcpy(dst, r->bytes + offset, n);
    r->next = offset + n;
    return (int64_t)n;
}

static void test_io_reader_whole(void **state) {
    (void)state;
    static unsigned char bytes[1000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * 13);
    static const size_t most[] = {1, 7, 999, 1000, 5000};
    for (size_t i = 0; i < ALLM__COUNT(most); i++) {
        test_heap      m   = {0};
        allm__host     h   = test_host(&m);
        allm_error     err = {0};
        test_io_reader r   = {.bytes = bytes, .n = sizeof bytes, .most = most[i]};
        allm_source    src = {.read = test_io_read, .size = sizeof bytes, .ctx = &r};
        allm__file     f;
        assert_int_equal(allm__file_open(&h, &src, &f, &err), ALLM_OK);
        assert_int_equal(f.n_bytes, sizeof bytes);
        assert_memory_equal(f.data, bytes, sizeof bytes);
        assert_string_equal(f.name, "reader");
        assert_false(r.out_of_order);
        allm__file_close(&h, &f);
        test_heap_check(&m);
    }
}

static void test_io_reader_fails(void **state) {
    (void)state;
    static unsigned char bytes[100];
    static const struct {
        int64_t     bad;
        const char *says;
    } rows[] = {{-1, "read failed"}, {0, "ends early"}, {1000000, "more than"}, {INT64_MIN, "read failed"}};
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        for (int at = 1; at <= 10; at++) {
            test_heap      m   = {0};
            allm__host     h   = test_host(&m);
            allm_error     err = {0};
            test_io_reader r   = {.bytes = bytes, .n = sizeof bytes, .most = 10, .bad_at = at, .bad = rows[i].bad};
            allm_source    src = {.read = test_io_read, .size = sizeof bytes, .ctx = &r};
            allm__file     f;
            assert_int_equal(allm__file_open(&h, &src, &f, &err), ALLM_E_IO);
            assert_int_equal(err.offset, (at - 1) * 10);
            if (!strstr(err.message, rows[i].says)) fail_msg("%s, not %s", err.message, rows[i].says);
            allm__file_close(&h, &f);
            test_heap_check(&m);
        }
    }
    /* Sizes nobody has: refused before anything is read. */
    static const uint64_t sizes[] = {UINT64_MAX, (uint64_t)1 << 63, (uint64_t)1 << 62};
    for (size_t i = 0; i < ALLM__COUNT(sizes); i++) {
        test_heap      m   = {0};
        allm__host     h   = test_host(&m);
        allm_error     err = {0};
        test_io_reader r   = {.bytes = bytes, .n = sizeof bytes, .most = 10};
        allm_source    src = {.read = test_io_read, .size = sizes[i], .ctx = &r};
        allm__file     f;
        assert_int_equal(allm__file_open(&h, &src, &f, &err), ALLM_E_MEMORY);
        assert_int_equal(r.n_calls, 0);
        allm__file_close(&h, &f);
        test_heap_check(&m);
    }
    test_heap   m   = {0};
    allm__host  h   = test_host(&m);
    allm_error  err = {0};
    allm_source src = {.read = test_io_read, .size = 0, .ctx = NULL};
    allm__file  f;
    assert_int_equal(allm__file_open(&h, &src, &f, &err), ALLM_OK); /* nothing to read */
    assert_int_equal(f.n_bytes, 0);
    allm__file_close(&h, &f);
    test_heap_check(&m);
}

static allm_status test_io_body(const allm__host *h, void *ctx) {
    static unsigned char bytes[100];
    test_io_reader r      = {.bytes = bytes, .n = sizeof bytes, .most = 64};
    allm_source    srcs[] = {{.path = (const char *)ctx}, {.data = bytes, .n_bytes = 100}, {.size = 100}};
    allm_status    status = ALLM_OK;
    srcs[2].read = test_io_read, srcs[2].ctx = &r;
    for (size_t i = 0; i < ALLM__COUNT(srcs) && status == ALLM_OK; i++) {
        allm_error err = {0};
        allm__file f;
        status = allm__file_open(h, &srcs[i], &f, &err);
        allm__file_close(h, &f);
    }
    return status;
}

static void test_io_memory_fails(void **state) {
    (void)state;
    test_temp t = test_temp_new("some bytes", 10);
    test_fail_each(test_io_body, t.path);
    test_temp_remove(&t);
}

#if defined(ALLM__POSIX) && !defined(ABSTRACTLLM_NO_STDIO)
/* The way taken where nothing can be mapped. */
static void test_io_fd(void **state) {
    (void)state;
    test_heap  m   = {0};
    allm__host h   = test_host(&m);
    allm_error err = {0};
    test_temp  t   = test_temp_new("0123456789", 10);
    int        fd  = open(t.path, O_RDONLY);
    allm__file f   = {0};
    assert_int_equal(allm__file_read_all(&h, &f, 10, allm__file_read_fd, &fd, &err), ALLM_OK);
    assert_memory_equal(f.data, "0123456789", 10);
    allm__file_close(&h, &f);
    assert_int_equal(lseek(fd, 5, SEEK_SET), 5); /* as if the file had shrunk */
    assert_int_equal(allm__file_read_all(&h, &f, 10, allm__file_read_fd, &fd, &err), ALLM_E_IO);
    assert_int_equal(err.offset, 5);
    allm__file_close(&h, &f);
    close(fd);
    err = (allm_error){0};
    assert_int_equal(allm__file_read_all(&h, &f, 10, allm__file_read_fd, &fd, &err), ALLM_E_IO); /* a closed one */
    allm__file_close(&h, &f);
    test_temp_remove(&t);
    test_heap_check(&m);
}

static int test_io_n_open(void) {
    int n = 0;
    for (int fd = 0; fd < 256; fd++) n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void test_io_closes(void **state) {
    (void)state;
    test_heap                m      = {0};
    allm__host               h      = test_host(&m);
    test_temp                t      = test_temp_new("x", 1);
    const char *const        rows[] = {t.path, "tests", "/dev/null", "no such file"};
    int                      before = test_io_n_open();
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm_error  err = {0};
        allm_source src = {.path = rows[i]};
        allm__file  f;
        allm__file_open(&h, &src, &f, &err);
        assert_int_equal(test_io_n_open(), before); /* a mapping needs no descriptor */
        allm__file_close(&h, &f);
    }
    test_temp_remove(&t);
    test_heap_check(&m);
}
#endif

/* ---- cursor */

static void test_io_cursor(void **state) {
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
    allm_error err = {0};
    allm__cur  c   = {.p = bytes, .n = sizeof bytes, .source = "m.gguf", .err = &err};
    assert_int_equal(allm__cur_u32(&c, "a"), 0x04030201);
    assert_true(allm__cur_u64(&c, "b") == 0x0c0b0a0908070605);
    assert_int_equal(c.pos, 12);
    assert_int_equal(allm__cur_u32(&c, "version"), 0);
    assert_int_equal(c.status, ALLM_E_FORMAT);
    assert_string_equal(err.message, "m.gguf: byte 0xc: version: 4 bytes expected, 1 left");
    assert_int_equal(err.offset, 12);
    assert_int_equal(allm__cur_uint(&c, 1, "c"), 0); /* sticky, though one byte is there */
    assert_null(allm__cur_take(&c, 0, "d"));
    assert_int_equal(c.pos, 12);
    static const uint64_t wants[] = {14, UINT32_MAX, (uint64_t)1 << 63, UINT64_MAX - 12, UINT64_MAX};
    for (size_t i = 0; i < ALLM__COUNT(wants); i++) {
        for (size_t pos = 0; pos <= sizeof bytes; pos++) {
            allm_error e = {0};
            allm__cur  d = {.p = bytes, .n = sizeof bytes, .pos = pos, .source = "m", .err = &e};
            assert_null(allm__cur_take(&d, wants[i], "x"));
            assert_int_equal(e.offset, pos);
        }
    }
    for (int n = 1; n <= 8; n++) {
        uint64_t want = 0;
        for (int i = n; i-- > 0;) want = want << 8 | bytes[i];
        assert_true(allm__load_le(bytes, n) == want);
    }
    allm__cur whole = {.p = bytes, .n = sizeof bytes, .source = "m", .err = &err};
    assert_ptr_equal(allm__cur_take(&whole, sizeof bytes, "all"), bytes);
    assert_ptr_equal(allm__cur_take(&whole, 0, "nothing"), bytes + sizeof bytes);
}

static const struct CMUnitTest test_io[] = {
    cmocka_unit_test(test_io_path),         cmocka_unit_test(test_io_not_a_file),
    cmocka_unit_test(test_io_no_permission), cmocka_unit_test(test_io_source),
    cmocka_unit_test(test_io_reader_whole), cmocka_unit_test(test_io_reader_fails),
    cmocka_unit_test(test_io_memory_fails), cmocka_unit_test(test_io_cursor),
#if defined(ALLM__POSIX) && !defined(ABSTRACTLLM_NO_STDIO)
    cmocka_unit_test(test_io_fd),           cmocka_unit_test(test_io_closes),
#endif
};
