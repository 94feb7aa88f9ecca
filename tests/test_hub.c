/* Room hub: the golden cache as huggingface_hub sees it, names, removal, downloads from a server that breaks off, lies
 * about sizes, or serves something else. */

typedef struct hub_rig {
    char        root[256];
    allm_error  err;
    int         n_repos;
    allm__buf   lines;
} hub_rig;

static void hub_begin(hub_rig *g) {
    const char *tmp = getenv("TMPDIR");
    memset(g, 0, sizeof *g);
    snprintf(g->root, sizeof g->root, "%s/allm-hub-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(g->root));
    g->lines.host = &http_host;
}

static void hub_end(hub_rig *g) {
    allm_error err = {0};
    if (allm__hub_remove_tree(&http_host, g->root, &err)) fail_msg("%s", err.message);
    allm__buf_free(&g->lines);
}

static void hub_write(const hub_rig *g, const char *path, const char *text, size_t n) {
    char       full[1024];
    allm_error err = {0};
    snprintf(full, sizeof full, "%s/%s", g->root, path);
    assert_int_equal(allm__hub_make_folders(full, &err), ALLM_OK);
    FILE *f = fopen(full, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    fclose(f);
}

static void hub_on_entry(void *ctx, const allm__hub_entry *e) {
    hub_rig *g = (hub_rig *)ctx;
    char     line[600];
    snprintf(line, sizeof line, "%s %s %llu %llu %lld %lld\n", e->type, e->id, (unsigned long long)e->n_bytes,
             (unsigned long long)e->n_files, (long long)e->accessed, (long long)e->modified);
    allm__buf_puts(&g->lines, line), g->n_repos++;
}

static int64_t hub_number(allm__val dict, const char *key) {
    allm__val v = tmpl_at(dict, key);
    return v.type == ALLM__V_FLOAT ? (int64_t)v.u.f : v.u.i;
}

/* Lays the golden cache out. */
static void hub_layout(hub_rig *g, allm__tmpl_ctx *file) {
    allm__val list = tmpl_golden(&http_host, file, "hub/layout.json");
    for (size_t i = 0; i < list.u.q->n; i++) {
        allm__val e = list.u.q->v[i], hex = tmpl_at(e, "hex");
        allm_str  type = allm__v_str(tmpl_at(e, "type"));
        char      path[1024];
        snprintf(path, sizeof path, "%s/%s", g->root, tmpl_at(e, "path").u.s->ptr);
        if (allm__str_eq(type, ALLM__S("dir"))) assert_true(mkdir(path, 0777) == 0 || errno == EEXIST);
        else if (allm__str_eq(type, ALLM__S("symlink"))) {
            assert_int_equal(allm__hub_make_folders(path, &g->err), ALLM_OK);
            assert_int_equal(symlink(tmpl_at(e, "target").u.s->ptr, path), 0);
        } else {
            allm_str  text = allm__v_str(allm__v_is_str(hex) ? hex : tmpl_at(e, "text"));
            allm__buf b    = {&http_host, NULL, 0, 0, 0, 0};
            if (!allm__v_is_str(hex)) allm__buf_put(&b, text.ptr, text.len);
            for (size_t k = 0; allm__v_is_str(hex) && k + 1 < text.len; k += 2) {
                unsigned v = 0;
                assert_int_equal(sscanf(text.ptr + k, "%2x", &v), 1);
                allm__buf_putc(&b, (char)v);
            }
            hub_write(g, tmpl_at(e, "path").u.s->ptr, b.ptr ? b.ptr : "", b.len);
            allm__buf_free(&b);
            struct timespec times[2] = {{hub_number(e, "atime"), 0}, {hub_number(e, "mtime"), 0}};
            assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
        }
    }
}

static int hub_has_model(allm__val repo) {
    allm__val revisions = tmpl_at(repo, "revisions");
    for (size_t i = 0; i < revisions.u.q->n; i++) {
        allm__val files = tmpl_at(revisions.u.q->v[i], "files");
        for (size_t k = 0; k < files.u.q->n; k++) {
            allm_str name = allm__v_str(tmpl_at(files.u.q->v[k], "name"));
            if (allm__str_ends(name, ALLM__S(".gguf")) || allm__str_ends(name, ALLM__S(".safetensors"))) return 1;
        }
    }
    return 0;
}

static void test_hub_golden(void **state) {
    hub_rig        g;
    allm__tmpl_ctx file, scan, offline;
    allm__val      repos, cases;
    (void)state;
    hub_begin(&g);
    hub_layout(&g, &file);
    repos = tmpl_at(tmpl_golden(&http_host, &scan, "hub/scan.json"), "repos");
    assert_int_equal(allm__hub_scan(&http_host, g.root, hub_on_entry, &g, &g.err), ALLM_OK);
    for (size_t i = 0; i < repos.u.q->n; i++) {
        allm__val r = repos.u.q->v[i];
        char      line[600];
        snprintf(line, sizeof line, "%s %s %lld %lld %lld %lld\n", tmpl_at(r, "repo_type").u.s->ptr,
                 tmpl_at(r, "repo_id").u.s->ptr, (long long)hub_number(r, "size_on_disk"), (long long)hub_number(r,
                     "nb_files"),
                 (long long)hub_number(r, "last_accessed"), (long long)hub_number(r, "last_modified"));
        if (!strstr(allm__buf_text(&g.lines), line)) fail_msg("%s is not in\n%s", line, g.lines.ptr);
    }
    assert_int_equal(g.n_repos, repos.u.q->n);
    size_t n_models = 0; /* with a model file: others, and a data set, are not listed */
    for (size_t i = 0; i < repos.u.q->n; i++) n_models += (size_t)hub_has_model(repos.u.q->v[i]);
    cases = tmpl_golden(&http_host, &offline, "hub/offline.json");
    for (size_t i = 0; i < cases.u.q->n; i++) {
        allm__val  c = cases.u.q->v[i], revision = tmpl_at(c, "revision");
        allm_str   want = allm__v_str(tmpl_at(c, "hf_hub_download_local_only"));
        char       name[600], path[ALLM__HUB_PATH];
        allm_error err = {0};
        snprintf(name, sizeof name, "%s@%s:%s", tmpl_at(c, "repo").u.s->ptr,
                 allm__v_is_str(revision) ? revision.u.s->ptr : "main", tmpl_at(c, "file").u.s->ptr);
        allm_status status = allm__hub_resolve(&http_host, g.root, name, path, &err);
        if (allm__str_starts(want, ALLM__S("error"))) {
            if (status != ALLM_E_NOT_FOUND) fail_msg("%s: %d %s", name, (int)status, status ? err.message : path);
        } else if (status || strcmp(path + strlen(g.root) + 1, want.ptr)) fail_msg("%s: %s", name, status ?
            err.message : path);
    }
    printf("             %d repositories, %d questions\n", g.n_repos, (int)cases.u.q->n);
    /* models without a file; names of parts; the list and removal through the public calls */
    static const struct { const char *name, *end; } models[] = {
        {"acme/quant-gguf", "/model-Q4_0.gguf"}, {"acme/quant-gguf:q4_0", "/model-Q4_0.gguf"},
        {"acme/tiny-llama", "/ad782ecdac770fc6eb9a62e44f90873fb97fb26b"}, {"acme/quant-gguf:q8_0", NULL},
        {"acme/half-done", NULL}, {"acme/broken-link", NULL}, {"acme/none", NULL},
    };
    for (size_t i = 0; i < ALLM__COUNT(models); i++) {
        char       path[ALLM__HUB_PATH];
        allm_error err    = {0};
        int        failed = allm__hub_resolve(&http_host, g.root, models[i].name, path, &err) != ALLM_OK;
        if (failed != !models[i].end) fail_msg("%s: %s", models[i].name, failed ? err.message : path);
        if (!failed) assert_true(allm__str_ends(allm__str_of(path), allm__str_of(models[i].end)));
    }
    allm_runtime_config rc = {0};
    allm_runtime       *rt;
    allm_cached_model   list[8];
    size_t              n;
    rc.hub_dir = g.root, rc.n_threads = 1;
    assert_int_equal(allm_runtime_create(&rc, &rt, &g.err), ALLM_OK);
    assert_int_equal(allm_hub_list(rt, list, 8, &n, &g.err), ALLM_OK);
    assert_int_equal(n, n_models);
    for (size_t i = 0; i < n; i++) { /* what is listed can be opened */
        char path[ALLM__HUB_PATH];
        if (allm_hub_resolve(rt, list[i].name, path, sizeof path, &g.err)) fail_msg("%s", g.err.message);
    }
    assert_int_equal(allm_hub_remove(rt, "acme/tiny-llama", &g.err), ALLM_OK);
    assert_int_equal(allm_hub_list(rt, NULL, 0, &n, &g.err), ALLM_OK);
    assert_int_equal(n, n_models - 1);
    assert_int_equal(allm_hub_remove(rt, "acme/tiny-llama", &g.err), ALLM_E_NOT_FOUND);
    assert_int_equal(allm_hub_remove(rt, "acme/quant-gguf:x", &g.err), ALLM_E_UNSUPPORTED);
    allm_runtime_destroy(rt);
    allm__tmpl_ctx_free(&file), allm__tmpl_ctx_free(&scan), allm__tmpl_ctx_free(&offline);
    hub_end(&g);
}

static void test_hub_names(void **state) {
    static const struct { const char *text, *repo, *revision, *file; } good[] = {
        {"a/b", "a/b", "main", ""}, {"b", "b", "main", ""}, {"a/b:c/d.gguf", "a/b", "main", "c/d.gguf"},
        {"a/b@refs/pr/1:x", "a/b", "refs/pr/1", "x"}, {"A.b_c-d/e", "A.b_c-d/e", "main", ""},
    };
    static const char *const bad[] = {"", "/b", "a/", "a/b/c", "../b", "a/..", "a/b:", "a/b:../x", "a/b:/x", "a/b@",
        "a/b:x//y",
                                      "a/b@../x", "a b", "a--c/b", ".a/b", "a/b:x\n", "a/\xc3\xa4", "a\\b", "a/b:c\\d"};
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(good); i++) {
        allm__hub_name n;
        assert_true(allm__hub_parse(good[i].text, &n));
        assert_string_equal(n.repo, good[i].repo), assert_string_equal(n.revision, good[i].revision);
        assert_string_equal(n.file, good[i].file);
    }
    for (size_t i = 0; i < ALLM__COUNT(bad); i++) {
        allm__hub_name n;
        if (allm__hub_parse(bad[i], &n)) fail_msg("\"%s\" was taken", bad[i]);
    }
}

static void test_hub_hashes(void **state) {
    static const struct { int is_256; const char *text, *hex; } cases[] = { /* of FIPS 180-4 and the empty text */
        {0, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {0, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {1, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {1, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {1, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {0, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(cases); i++)
        for (size_t piece = 1; piece < 70; piece++) {
            allm__io_hash s;
            char           hex[65];
            size_t         n = strlen(cases[i].text);
            allm__io_hash_init(&s, cases[i].is_256);
            for (size_t k = 0; k < n; k += piece) allm__io_hash_put(&s, cases[i].text + k, ALLM__MIN(piece, n - k));
            allm__io_hash_end(&s, hex);
            assert_string_equal(hex, cases[i].hex);
        }
}

/* ---- downloads: a transport that plays a hub with one model */

enum { HUB_GOOD, HUB_DROPS, HUB_LONGER, HUB_SHORTER, HUB_OTHER, HUB_RANGE, HUB_IGNORES, HUB_NOBODY, HUB_SECRET,
    HUB_EVIL, HUB_QUOTA };

typedef struct hub_server {
    int  what, n_gets, n_heads, token_elsewhere;
    char etag[65], body[3001];
} hub_server;

static allm_status hub_transport(void *ctx, const allm_http *io, allm_error *err) {
    hub_server *s       = (hub_server *)ctx;
    char        text[3000] = "", reply[6500];
    const char *body    = "";
    size_t      n       = strlen(s->body), from = 0, n_body = 0, cut = 0;
    int         range = 0, elsewhere = strstr(io->url, "http://cdn/") != NULL;
    allm__http_reader r;
    for (size_t i = 0; i < io->n_headers; i++) {
        range |= sscanf(io->headers[i], "Range: bytes=%zu-", &from) == 1;
        s->token_elsewhere |= elsewhere && strstr(io->headers[i], "Authorization");
    }
    if (s->what == HUB_NOBODY) return allm__fail(err, ALLM_E_REMOTE, io->url, -1, "no such host");
    if (strstr(io->url, "/api/models/acme/m/revision/main"))
        body = s->what == HUB_EVIL ? "{\"siblings\": [{\"rfilename\": \"../../x.gguf\"}]}"
                                   : "{\"x\": 1, \"siblings\": [{\"rfilename\": \"README.md\"}, {\"rfilename\": "
                                       "\"m-Q8_0.gguf\"}, "
                                     "{\"rfilename\": \"m-Q4_K_M.gguf\"}]}",
        n_body = strlen(body), snprintf(text, sizeof text, "200 OK\r\nContent-Length: %d\r\n", (int)n_body);
    else if (s->what == HUB_SECRET) snprintf(text, sizeof text, "401 No\r\nContent-Length: 0\r\n");
    else if (s->what == HUB_QUOTA) snprintf(text, sizeof text, "429 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n");
    else if (!strcmp(io->method, "HEAD"))
        s->n_heads++, snprintf(text, sizeof text, "302 F\r\nX-Repo-Commit: c0ffee\r\nX-Linked-Etag: "
            "\"%s\"\r\nX-Linked-Size: %d\r\n"
                 "Location: http://cdn/blob\r\n", s->etag,
                 (int)n + (s->what == HUB_LONGER ? 10 : s->what == HUB_SHORTER ? -10 : 0));
    else {
        s->n_gets++;
        if (s->what == HUB_IGNORES || !range) range = 0, from = 0;
        body = s->body + from, n_body = n - from;
        cut = s->what == HUB_DROPS ? n_body / 2 : s->what == HUB_LONGER ? 0 : 0;
        if (s->what == HUB_IGNORES && s->n_gets == 1) cut = 100;
        if (range) snprintf(text, sizeof text, "206 P\r\nContent-Range: bytes %d-2999/3000\r\nContent-Length: %d\r\n",
                            (int)from + (s->what == HUB_RANGE), (int)n_body);
        else snprintf(text, sizeof text, "200 OK\r\nContent-Length: %d\r\n", (int)n_body);
        if (s->what == HUB_RANGE && !range) cut = 100;
    }
    int len = snprintf(reply, sizeof reply, "HTTP/1.1 %s\r\n%.*s", text, (int)(n_body - cut), body);
    memset(&r, 0, sizeof r);
    r.io = io, r.err = err, r.line.host = &http_host;
    for (int i = 0; i < len && !err->status; i += 100) allm__http_feed(&r, reply + i, (size_t)ALLM__MIN(100, len - i));
    allm__http_close(&r);
    allm__http_free(&r);
    return err->status;
}

static void hub_server_init(hub_server *s, int what) {
    allm__io_hash h;
    memset(s, 0, sizeof *s);
    s->what = what;
    for (int i = 0; i < 3000; i++) s->body[i] = (char)('a' + (i * 7 + i / 26) % 26);
    allm__io_hash_init(&h, 1);
    allm__io_hash_put(&h, s->body, 3000);
    allm__io_hash_end(&h, s->etag);
    if (what == HUB_OTHER) s->body[1500] = '!';
}

static int hub_files_with(const hub_rig *g, const char *part) { /* files of the cache whose path holds a text */
    allm__hub_list l;
    allm_error     err = {0};
    int            n   = 0;
    memset(&l, 0, sizeof l), l.arena.host = &http_host;
    assert_int_equal(allm__hub_read(&l, g->root, 1, &err), ALLM_OK);
    for (size_t i = 0; i < l.n; i++) n += !l.files[i].is_folder && strstr(l.files[i].path, part);
    allm__hub_list_free(&l);
    return n;
}

static void test_hub_pull(void **state) {
    static const struct { int what; allm_status status; int n_gets, n_parts; const char *words; } cases[] = {
        {HUB_GOOD, ALLM_OK, 1, 0, ""},
        {HUB_DROPS, ALLM_E_REMOTE, 3, 1, "cut off"}, /* three tries, each from where the last one ended */
        {HUB_LONGER, ALLM_E_REMOTE, 3, 1, "3000 bytes came of 3010"},
        {HUB_SHORTER, ALLM_E_REMOTE, 3, 1, "more than the 2990 bytes"},
        {HUB_OTHER, ALLM_E_REMOTE, 1, 0, "its hash is"},
        {HUB_RANGE, ALLM_E_REMOTE, 3, 1, "another part"},
        {HUB_IGNORES, ALLM_OK, 2, 0, ""}, /* no ranges: from the beginning again */
        {HUB_NOBODY, ALLM_E_REMOTE, 0, 0, "no such host"},
        {HUB_SECRET, ALLM_E_AUTH, 0, 0, "token"},
        {HUB_EVIL, ALLM_E_NOT_FOUND, 0, 0, "no file"},
        {HUB_QUOTA, ALLM_E_QUOTA, 0, 0, "status 429"},
    };
    (void)state;
    setenv("HF_ENDPOINT", "http://hub", 1);
    for (size_t i = 0; i < ALLM__COUNT(cases); i++) {
        hub_rig             g;
        hub_server          s;
        allm_runtime_config rc = {0};
        allm_runtime       *rt;
        char                path[ALLM__HUB_PATH];
        hub_begin(&g), hub_server_init(&s, cases[i].what);
        rc.hub_dir = g.root, rc.transport = hub_transport, rc.transport_ctx = &s, rc.n_threads = 1;
        assert_int_equal(allm_runtime_create(&rc, &rt, &g.err), ALLM_OK);
        allm_status status = allm_hub_pull(rt, "acme/m", "secret", NULL, NULL, &g.err);
        if (status != cases[i].status || s.n_gets != cases[i].n_gets || (status && !strstr(g.err.message,
            cases[i].words)))
            fail_msg("case %d: status %d after %d: %s", (int)i, (int)status, s.n_gets, g.err.message);
        assert_int_equal(s.token_elsewhere, 0);
        assert_int_equal(g.err.retry_after_ms, status == ALLM_E_QUOTA ? 7000 : 0);
        if (strstr(g.err.message, "secret")) fail_msg("the token is in the message: %s", g.err.message);
        assert_int_equal(hub_files_with(&g, ".incomplete"), cases[i].n_parts);
        int found = allm_hub_resolve(rt, "acme/m", path, sizeof path, &g.err) == ALLM_OK;
        assert_int_equal(found, status == ALLM_OK);
        assert_int_equal(hub_files_with(&g, "snapshots/"), status == ALLM_OK);
        assert_int_equal(hub_files_with(&g, "refs/"), status == ALLM_OK);
        size_t n_listed;
        assert_int_equal(allm_hub_list(rt, NULL, 0, &n_listed, &g.err), ALLM_OK);
        assert_int_equal(n_listed, status == ALLM_OK);
        if (cases[i].what == HUB_DROPS) { /* another day, what came is not fetched again */
            s.what = HUB_GOOD;
            if (allm_hub_pull(rt, "acme/m", NULL, NULL, NULL, &g.err)) fail_msg("%s", g.err.message);
            found = 1;
        }
        if (found) {
            size_t n;
            assert_int_equal(allm_hub_resolve(rt, "acme/m:Q4_K_M", path, sizeof path, &g.err), ALLM_OK);
            char *bytes = test_read(path, &n);
            assert_true(n == 3000 && !memcmp(bytes, s.body, n));
            free(bytes);
            s.n_gets = 0; /* a second time there is nothing to fetch but the list */
            assert_int_equal(allm_hub_pull(rt, "acme/m", NULL, NULL, NULL, &g.err), ALLM_OK);
            assert_int_equal(s.n_gets, 0);
        }
        allm_runtime_destroy(rt);
        hub_end(&g);
    }
    unsetenv("HF_ENDPOINT");
}

/* What is left of another file under this one's name is found out by the hash, and the file fetched anew, once. */
static void test_hub_pull_junk(void **state) {
    static const int what[] = {HUB_GOOD, HUB_OTHER};
    (void)state;
    setenv("HF_ENDPOINT", "http://hub", 1);
    for (size_t i = 0; i < ALLM__COUNT(what); i++)
        for (size_t n = 100; n <= 3000; n += 2900) {
            hub_rig             g;
            hub_server          s;
            allm_runtime_config rc = {0};
            allm_runtime       *rt;
            char                part[200], junk[3000];
            hub_begin(&g), hub_server_init(&s, what[i]);
            memset(junk, '?', sizeof junk);
            snprintf(part, sizeof part, "models--acme--m/blobs/%s.incomplete", s.etag), hub_write(&g, part, junk, n);
            rc.hub_dir = g.root, rc.transport = hub_transport, rc.transport_ctx = &s, rc.n_threads = 1;
            assert_int_equal(allm_runtime_create(&rc, &rt, &g.err), ALLM_OK);
            allm_status status = allm_hub_pull(rt, "acme/m", NULL, NULL, NULL, &g.err);
            if (status != (i ? ALLM_E_REMOTE : ALLM_OK)) fail_msg("%d of junk: %s", (int)n, g.err.message);
            assert_int_equal(s.n_gets, n == 100 ? 2 : 1);
            assert_int_equal(hub_files_with(&g, ".incomplete"), 0);
            allm_runtime_destroy(rt);
            hub_end(&g);
        }
    unsetenv("HF_ENDPOINT");
}

static int hub_stop(void *ctx, uint64_t done, uint64_t total) {
    assert_true(done <= total && total == 3000);
    return ++*(int *)ctx == 3;
}

static void test_hub_pull_stops(void **state) {
    hub_rig             g;
    hub_server          s;
    allm_runtime_config rc = {0};
    allm_runtime       *rt;
    int                 n = 0;
    (void)state;
    setenv("HF_ENDPOINT", "http://hub", 1);
    hub_begin(&g), hub_server_init(&s, HUB_GOOD);
    rc.hub_dir = g.root, rc.transport = hub_transport, rc.transport_ctx = &s, rc.n_threads = 1;
    assert_int_equal(allm_runtime_create(&rc, &rt, &g.err), ALLM_OK);
    assert_int_equal(allm_hub_pull(rt, "acme/m", NULL, hub_stop, &n, &g.err), ALLM_E_CANCELLED);
    assert_int_equal(n, 3);
    assert_int_equal(allm_hub_pull(rt, "../m", NULL, NULL, NULL, &g.err), ALLM_E_ARGUMENT);
    assert_int_equal(allm_hub_pull(rt, "acme/m", "a\nb", NULL, NULL, &g.err), ALLM_E_ARGUMENT);
    allm_runtime_destroy(rt);
    hub_end(&g);
    unsetenv("HF_ENDPOINT");
}

/* Parameters and bytes of the catalogue follow from the models' published hyper-parameters. */
typedef struct hub_shape {
    const char *name;
    int64_t     n_vocab, n_embd, n_layer, n_ff, n_head, n_kv, n_dim;
    int         heads; /* copies of the embeddings' matrix beside it in the file, as a head; -1: one that is its own */
    int         bias, norms; /* biases of q, k and v; norms of q and k */
} hub_shape;

static const hub_shape hub_shapes[] = {
    {"SmolLM2-135M", 49152, 576, 30, 1536, 9, 3, 64, 0, 0, 0},
    {"SmolLM2-360M", 49152, 960, 32, 2560, 15, 5, 64, 0, 0, 0},
    {"SmolLM2-1.7B", 49152, 2048, 24, 8192, 32, 32, 64, 0, 0, 0},
    {"Qwen2.5-0.5B", 151936, 896, 24, 4864, 14, 2, 64, 0, 1, 0},
    {"Qwen2.5-1.5B", 151936, 1536, 28, 8960, 12, 2, 128, 0, 1, 0},
    {"Coder-0.5B", 151936, 896, 24, 4864, 14, 2, 64, 0, 1, 0},
    {"Coder-1.5B", 151936, 1536, 28, 8960, 12, 2, 128, 0, 1, 0},
    {"Qwen3-0.6B", 151936, 1024, 28, 3072, 16, 8, 128, 1, 0, 1},
    {"Qwen3-1.7B", 151936, 2048, 28, 6144, 16, 8, 128, 1, 0, 1},
    {"gemma-3-270m", 262144, 640, 18, 2048, 4, 1, 256, 0, 0, 2}, /* 2: and norms behind each half of a layer */
    {"gemma-3-1b", 262144, 1152, 26, 6912, 4, 1, 256, 0, 0, 2},
    {"Llama-3.2-1B", 128256, 2048, 16, 8192, 32, 8, 64, 0, 0, 0},
    {"TinyLlama", 32000, 2048, 22, 5632, 32, 4, 64, -1, 0, 0},
};

static void test_hub_catalog_figures(void **state) {
    const allm_catalog_entry *e;
    allm_catalog_query        q = {0};
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(hub_shapes); i++) {
        const hub_shape *s    = &hub_shapes[i];
        const int64_t    n_qk = (s->n_head + 2 * s->n_kv) * s->n_dim, embd = s->n_vocab * s->n_embd;
        const int64_t layer = s->n_embd * (n_qk + s->n_head * s->n_dim) + 3 * s->n_embd * s->n_ff + 2 * s->n_embd +
                              s->bias * n_qk + (s->norms > 0) * 2 * s->n_dim + (s->norms > 1) * 2 * s->n_embd;
        const int64_t n = embd * (1 + (s->heads < 0)) + s->n_layer * layer + s->n_embd;
        q.text          = s->name;
        assert_int_equal(allm_catalog_search(&q, &e, 1), 1);
        if (fabs(e->billions * 1e9 - (double)n) > 0.5e5) fail_msg("%s: %lld parameters", e->name, (long long)n);
        if (e->n_bytes != (uint64_t)(2 * (n + ALLM__MAX(s->heads, 0) * embd)))
            fail_msg("%s: %lld bytes", e->name, (long long)(2 * n));
    }
    q.text = "MiniLM"; /* bert: two biases and two norms with biases a layer, and a pooler */
    assert_int_equal(allm_catalog_search(&q, &e, 1), 1);
    const uint64_t d = 384, ff = 1536;
    const uint64_t n = (30522 + 512 + 2) * d + 2 * d + 6 * (4 * (d * d + d) + 2 * d * ff + ff + d + 4 * d) + d * d + d;
    assert_int_equal(e->n_bytes, 4 * n);
    assert_int_equal(allm_catalog_search(NULL, NULL, 0), ALLM__COUNT(hub_shapes) + 1);
}

static void test_hub_catalog(void **state) {
    const allm_catalog_entry *found[64];
    allm_catalog_query        q = {0};
    (void)state;
    size_t all = allm_catalog_search(NULL, found, 64);
    assert_true(all >= 10 && all < 64);
    for (size_t i = 0; i < all; i++) {
        allm__hub_name n;
        assert_true(allm__hub_parse(found[i]->name, &n) && strchr(n.repo, '/'));
        double each = (double)found[i]->n_bytes / (found[i]->billions * 1e9);
        assert_true(found[i]->max_context > 0 && each > 1.9 && each < 4.1);
    }
    q.use = "EMBED", q.max_bytes = 100 << 20;
    assert_int_equal(allm_catalog_search(&q, found, 1), 1);
    assert_string_equal(found[0]->architecture, "bert");
    q.use = NULL, q.text = "qwen", q.max_bytes = 0, q.min_billions = 1, q.max_billions = 1.6;
    assert_int_equal(allm_catalog_search(&q, NULL, 0), 2);
    q.architecture = "llama";
    assert_int_equal(allm_catalog_search(&q, NULL, 0), 0);
}

static const struct CMUnitTest test_hub[] = {
    cmocka_unit_test(test_hub_names),      cmocka_unit_test(test_hub_hashes),  cmocka_unit_test(test_hub_golden),
    cmocka_unit_test(test_hub_pull),       cmocka_unit_test(test_hub_pull_stops), cmocka_unit_test(test_hub_catalog),
    cmocka_unit_test(test_hub_pull_junk),
    cmocka_unit_test(test_hub_catalog_figures),
};
