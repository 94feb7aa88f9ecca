/* Room gguf: containers, metadata, tensor infos, split files. FAULTS rows 1 to 12 as far as the container decides them;
 * what a model demands of keys and shapes is tested with room model. */
#include "make_gguf.h"

#define DIMS(...) (const int64_t[]){__VA_ARGS__}

static allm_source gguf_memory(const void *p, size_t n) {
    allm_source s = {0};
    s.data = p, s.n_bytes = n;
    return s;
}

static allm_source gguf_path(const char *path) {
    allm_source s = {0};
    s.path = path;
    return s;
}

static volatile uint64_t gguf_seen; /* keeps the reads */

/* Touches everything that an open file promises to be there. Returns what is wrong, or NULL: no assertion, it also runs
 * on small stacks. */
static const char *gguf_walk(const allm__gguf *g) {
    uint64_t sum = 0;
    for (size_t i = 0; i < g->n_kv; i++) {
        const allm__gguf_kv *kv = &g->kv[i];
        allm__gguf_iter      it = allm__gguf_strs(kv);
        allm_str             s  = {NULL, 0};
        uint64_t             n  = 0;
        if (allm__gguf_find(g, kv->key) != kv) return "a key is not found";
        for (; allm__gguf_strs_next(&it, &s); n++) sum += allm__hash(0, s.ptr, s.len);
        if (kv->elem_type == ALLM__GGUF_STRING && n != kv->n) return "strings are missing";
        for (uint64_t k = 0; k < kv->n && kv->elem_type != ALLM__GGUF_STRING; k++) {
            int64_t v   = 0;
            double  d   = 0;
            int     big = 0, is_int = allm__gguf_elem_int(kv, k, &v, &big), is_num = allm__gguf_elem_f64(kv, k, &d);
            if (is_int + is_num == 0) return "an element is of no type";
            sum += (uint64_t)v;
        }
    }
    for (size_t i = 0; i < g->n_tensors; i++) {
        const allm__tensor *t = &g->tensors[i];
        if (allm__gguf_tensor(g, t->name) != t) return "a tensor is not found";
        if (!t->data || !t->file || t->n_dims < 1 || t->n_dims > 4) return "a tensor is not filled";
        for (int k = 0; k < 4; k++)
            if (t->dims[k] < 1) return "a dimension below 1";
        if (t->n_bytes) sum += (uint64_t)t->data[0] + t->data[t->n_bytes - 1];
    }
    gguf_seen = sum;
    return NULL;
}

/* Opens bytes that end at a page nobody may touch, walks them, closes; everything must be given back. */
static allm_status gguf_try(const void *bytes, size_t n, allm_error *err) {
    test_heap   m = {0};
    allm__host  h = test_host(&m);
    test_guard  guard = test_guard_new(n);
    allm_source src   = gguf_memory(guard.ptr, n);
    allm__gguf  g;
    const char *wrong = NULL;
    if (n) memcpy(guard.ptr, bytes, n);
    memset(err, 0, sizeof *err);
    allm_status status = allm__gguf_open(&h, &src, &g, err);
    if (!status) wrong = gguf_walk(&g);
    if (status && (err->status != status || !err->message[0])) wrong = "an error without a message";
    if (status == ALLM_E_FORMAT && (err->offset < -1 || err->offset > (int64_t)n))
        wrong = "an offset outside of the file";
    allm__gguf_close(&g);
    if (wrong) fail_msg("%s: %s", wrong, err->message);
    test_guard_free(&guard);
    test_heap_check(&m);
    return status;
}

/* Ends w, opens it and expects a status and words in the message; frees w. */
static void gguf_expect(make_gguf *w, allm_status status, const char *words) {
    allm_error err;
    make_gguf_end(w);
    if (gguf_try(w->bytes, w->n, &err) != status)
        fail_msg("status %d: %s (expected: %s)", (int)err.status, err.message, words);
    if (status && !strstr(err.message, words)) fail_msg("%s (expected: %s)", err.message, words);
    make_gguf_free(w);
}

static const char *const gguf_words[] = {"", "a", "two words", "\xc3\xa9\xf0\x9f\x98\x80"};

/* A small file with a value of every type and tensors of three types. */
static make_gguf gguf_sample(void) {
    static const uint64_t values[] = {200, 0xfe, 60000, 0xfffe, 4000000000u, 0xfffffffe, 0x3fc00000, 1, 0, 0,
                                      UINT64_MAX, (uint64_t)-3, 0x3ff8000000000000u};
    make_gguf w = make_gguf_new();
    char      key[32];
    make_kv_str(&w, "general.architecture", "llama");
    make_kv_u32(&w, "general.alignment", 32);
    for (uint32_t t = 0; t < ALLM__COUNT(allm__gguf_kinds); t++) {
        int n = allm__gguf_kinds[t].n_bytes;
        if (t == ALLM__GGUF_STRING || t == ALLM__GGUF_ARRAY) continue;
        snprintf(key, sizeof key, "one.%s", allm__gguf_kinds[t].name);
        make_kv_uint(&w, key, t, values[t], n);
        snprintf(key, sizeof key, "many.%s", allm__gguf_kinds[t].name);
        make_kv_array(&w, key, t, 3);
        for (uint64_t i = 0; i < 3; i++) make_uint(&w.kv, t == ALLM__GGUF_BOOL ? i % 2 : values[t] - i, n);
    }
    make_kv_strs(&w, "words", gguf_words, ALLM__COUNT(gguf_words));
    make_kv_array(&w, "none", ALLM__GGUF_U32, 0);
    make_kv_array(&w, "no.words", ALLM__GGUF_STRING, 0);
    make_kv_str(&w, "empty", "");
    make_tensor(&w, "a.weight", 0, 2, DIMS(4, 3), NULL, 48);
    make_tensor(&w, "b.weight", 8, 2, DIMS(64, 2), NULL, 136);
    make_tensor(&w, "c", 1, 1, DIMS(5), NULL, 10);
    return w;
}

/* ---- what is read */

typedef struct gguf_opened {
    test_heap  m;
    allm__host h;
    make_gguf  w;
    allm__gguf g;
    allm_error err;
} gguf_opened;

static void gguf_open_sample(gguf_opened *o) {
    memset(o, 0, sizeof *o);
    o->h = test_host(&o->m);
    o->w = gguf_sample();
    make_gguf_end(&o->w);
    allm_source src = gguf_memory(o->w.bytes, o->w.n);
    if (allm__gguf_open(&o->h, &src, &o->g, &o->err)) fail_msg("%s", o->err.message);
}

static void gguf_close_sample(gguf_opened *o) {
    allm__gguf_close(&o->g);
    allm__gguf_close(&o->g); /* twice is fine */
    make_gguf_free(&o->w);
    test_heap_check(&o->m);
}

/* The call failed with these words; the error is made ready for the next. */
#define GGUF_FAILS(o, call, words)                                                      \
    do {                                                                                \
        assert_int_equal(call, ALLM_E_FORMAT);                                          \
        if (!strstr((o).err.message, words)) fail_msg("%s (%s)", (o).err.message, words); \
        memset(&(o).err, 0, sizeof (o).err);                                            \
    } while (0)

static void test_gguf_values(void **state) {
    static const struct { const char *key; int64_t v;
    } ints[] = {
        {"one.u8", 200},         {"one.i8", -2},  {"one.u16", 60000}, {"one.i16", -2},
        {"one.u32", 4000000000}, {"one.i32", -2}, {"one.i64", -3},
    };
    static const struct { const char *key; double v; } floats[] = {
        {"one.f32", 1.5}, {"one.f64", 1.5}, {"one.u8", 200}, {"one.i64", -3}, {"one.u64", 18446744073709551616.0},
    };
    gguf_opened o;
    int64_t     v, many[3];
    double      d;
    int         b;
    allm_str    s;
    const allm__gguf_kv *kv;
    (void)state;
    gguf_open_sample(&o);
    const allm__gguf *g = &o.g;
    for (size_t i = 0; i < ALLM__COUNT(ints); i++) {
        assert_int_equal(allm__gguf_get_int(g, ints[i].key, INT64_MIN, INT64_MAX, ALLM__REQUIRED, &v, &o.err), ALLM_OK);
        assert_int_equal(v, ints[i].v);
        assert_int_equal(allm__gguf_get_int(g, ints[i].key, v, v, 0, &v, &o.err), ALLM_OK);
    }
    for (size_t i = 0; i < ALLM__COUNT(floats); i++) {
        assert_int_equal(allm__gguf_get_f64(g, floats[i].key, -1e300, 1e300, NAN, &d, &o.err), ALLM_OK);
        assert_true(d == floats[i].v);
    }
    assert_int_equal(allm__gguf_get_bool(g, "one.bool", -1, &b, &o.err), ALLM_OK);
    assert_int_equal(b, 1);
    assert_int_equal(allm__gguf_get_str(g, "general.architecture", allm__str(NULL, 0), &s, &o.err), ALLM_OK);
    assert_true(allm__str_eq(s, ALLM__S("llama")));
    assert_int_equal(allm__gguf_get_str(g, "empty", allm__str(NULL, 0), &s, &o.err), ALLM_OK);
    assert_int_equal(s.len, 0);

    /* absent keys give what the caller says */
    assert_true(!allm__gguf_get_int(g, "x", 0, 1, 77, &v, &o.err) && v == 77);
    assert_true(!allm__gguf_get_f64(g, "x", 0, 1, 0.25, &d, &o.err) && d == 0.25);
    assert_true(!allm__gguf_get_bool(g, "x", 1, &b, &o.err) && b == 1);
    assert_true(!allm__gguf_get_str(g, "x", ALLM__S("y"), &s, &o.err) && allm__str_eq(s, ALLM__S("y")));
    assert_true(!allm__gguf_get_ints(g, "x", 3, 0, 1, 5, many, &o.err) && many[0] == 5 && many[2] == 5);
    assert_true(!allm__gguf_get_array(g, "x", "s", 0, &kv, &o.err) && !kv);

    /* one a layer: from an array of exactly that many, or one for all */
    assert_true(!allm__gguf_get_ints(g, "many.i8", 3, -128, 127, 0, many, &o.err));
    assert_true(many[0] == -2 && many[1] == -3 && many[2] == -4);
    assert_true(!allm__gguf_get_ints(g, "one.u16", 3, 0, 65535, 0, many, &o.err) && many[0] == 60000 &&
                many[2] == 60000);
    assert_true(!allm__gguf_get_ints(g, "many.bool", 3, 0, 1, 0, many, &o.err) && many[0] == 0 && many[1] == 1);

    assert_true(!allm__gguf_get_array(g, "words", "s", 1, &kv, &o.err) && kv->n == 4);
    allm__gguf_iter it = allm__gguf_strs(kv);
    for (size_t i = 0; i < 4; i++)
        assert_true(allm__gguf_strs_next(&it, &s) && allm__str_eq(s, allm__str_of(gguf_words[i])));
    assert_false(allm__gguf_strs_next(&it, &s));
    assert_true(!allm__gguf_get_array(g, "many.f32", "f", 1, &kv, &o.err) && kv->n == 3);
    assert_true(allm__gguf_elem_f64(kv, 0, &d) && d == 1.5);
    assert_true(!allm__gguf_get_array(g, "none", "ui", 1, &kv, &o.err) && kv->n == 0);

    const allm__tensor *t = allm__gguf_tensor(g, ALLM__S("b.weight"));
    assert_true(t && t->type == 8 && t->n_dims == 2 && t->dims[0] == 64 && t->dims[1] == 2 && t->dims[2] == 1 &&
                t->dims[3] == 1);
    assert_true(t->n_bytes == 136 && t->data == o.w.bytes + t->offset && t->offset % 32 == 0 && t->data[0] == 11 &&
                t->data[1] == 48);
    assert_null(allm__gguf_tensor(g, ALLM__S("b.weigh")));
    assert_true(g->version == 3 && g->n_tensors == 3 && g->alignment == 32);
    assert_int_equal(allm__gguf_check_types(g, &o.err), ALLM_OK);
    gguf_close_sample(&o);
}

/* Every refusal of a value says which key, what was found, what was expected, and where. */
static void test_gguf_value_errors(void **state) {
    gguf_opened o;
    int64_t     v, many[4];
    double      d;
    int         b;
    allm_str    s, none = {NULL, 0};
    const allm__gguf_kv *kv;
    (void)state;
    gguf_open_sample(&o);
    const allm__gguf *g = &o.g;
    GGUF_FAILS(o, allm__gguf_get_int(g, "n.layers", 0, 1, ALLM__REQUIRED, &v, &o.err),
               "memory: key \"n.layers\" is missing, an integer expected");
    GGUF_FAILS(o, allm__gguf_get_int(g, "one.u8", 1, 100, 0, &v, &o.err), "key \"one.u8\" is 200, expected 1..100");
    GGUF_FAILS(o, allm__gguf_get_int(g, "one.i8", 0, 100, 0, &v, &o.err), "key \"one.i8\" is -2, expected 0..100");
    GGUF_FAILS(o, allm__gguf_get_int(g, "one.u64", 0, INT64_MAX, 0, &v, &o.err),
               "is 18446744073709551615, expected 0..9223372036854775807");
    GGUF_FAILS(o, allm__gguf_get_int(g, "one.f32", 0, 1, 0, &v, &o.err),
               "key \"one.f32\" is of type f32, an integer expected");
    GGUF_FAILS(o, allm__gguf_get_int(g, "one.bool", 0, 1, 0, &v, &o.err), "is of type bool");
    GGUF_FAILS(o, allm__gguf_get_int(g, "empty", 0, 1, 0, &v, &o.err), "is of type string");
    GGUF_FAILS(o, allm__gguf_get_int(g, "many.u8", 0, 1, 0, &v, &o.err), "is an array of u8, an integer expected");
    GGUF_FAILS(o, allm__gguf_get_f64(g, "one.f32", 2, 1e9, 0, &d, &o.err), "is 1.5, expected 2.0..1000000000.0");
    GGUF_FAILS(o, allm__gguf_get_f64(g, "empty", 0, 1, 0, &d, &o.err), "is of type string, a number expected");
    GGUF_FAILS(o, allm__gguf_get_f64(g, "x", 0, 1, NAN, &d, &o.err), "is missing, a number expected");
    GGUF_FAILS(o, allm__gguf_get_bool(g, "one.u8", 0, &b, &o.err), "is of type u8, a bool expected");
    GGUF_FAILS(o, allm__gguf_get_bool(g, "x", -1, &b, &o.err), "is missing, a bool expected");
    GGUF_FAILS(o, allm__gguf_get_str(g, "one.u8", none, &s, &o.err), "is of type u8, a string expected");
    GGUF_FAILS(o, allm__gguf_get_str(g, "words", none, &s, &o.err), "is an array of string, a string expected");
    GGUF_FAILS(o, allm__gguf_get_str(g, "x", none, &s, &o.err), "is missing, a string expected");
    GGUF_FAILS(o, allm__gguf_get_ints(g, "many.u8", 4, 0, 255, 0, many, &o.err),
               "key \"many.u8\" has 3 elements, 4 expected");
    GGUF_FAILS(o, allm__gguf_get_ints(g, "many.u8", 3, 0, 199, 0, many, &o.err),
               "key \"many.u8\" [0] is 200, expected 0..199");
    GGUF_FAILS(o, allm__gguf_get_ints(g, "many.f32", 3, 0, 9, 0, many, &o.err),
               "is an array of f32, an integer or an array of them expected");
    GGUF_FAILS(o, allm__gguf_get_ints(g, "x", 3, 0, 9, ALLM__REQUIRED, many, &o.err), "is missing");
    GGUF_FAILS(o, allm__gguf_get_array(g, "many.u32", "s", 1, &kv, &o.err),
               "key \"many.u32\" is an array of u32, an array of strings expected");
    GGUF_FAILS(o, allm__gguf_get_array(g, "words", "ui", 1, &kv, &o.err),
               "is an array of string, an array of integers expected");
    GGUF_FAILS(o, allm__gguf_get_array(g, "one.f32", "f", 0, &kv, &o.err),
               "is of type f32, an array of floats expected");
    GGUF_FAILS(o, allm__gguf_get_array(g, "x", "s", 1, &kv, &o.err), "is missing, an array of strings expected");
    allm__gguf_get_int(g, "one.u8", 1, 100, 0, &v, &o.err);
    kv = allm__gguf_find(g, ALLM__S("one.u8"));
    assert_true(o.err.offset == (int64_t)kv->offset && o.w.bytes[kv->offset] == 200);
    gguf_close_sample(&o);
    make_gguf w = make_gguf_new();
    make_kv_f32(&w, "nan", NAN), make_kv_f32(&w, "inf", INFINITY);
    make_gguf_end(&w);
    memset(&o, 0, sizeof o);
    o.h = test_host(&o.m);
    allm_source src = gguf_memory(w.bytes, w.n);
    assert_int_equal(allm__gguf_open(&o.h, &src, &o.g, &o.err), ALLM_OK);
    GGUF_FAILS(o, allm__gguf_get_f64(&o.g, "nan", -HUGE_VAL, HUGE_VAL, 0, &d, &o.err),
               "key \"nan\" is nan, expected -inf..inf");
    GGUF_FAILS(o, allm__gguf_get_f64(&o.g, "inf", -HUGE_VAL, HUGE_VAL, 0, &d, &o.err), "key \"inf\" is inf");
    allm__gguf_close(&o.g);
    make_gguf_free(&w);
    test_heap_check(&o.m);
}

/* Nothing but the file itself: no key, no tensor. */
static void test_gguf_least(void **state) {
    make_gguf  w = make_gguf_new();
    allm_error err;
    (void)state;
    gguf_expect(&w, ALLM_OK, "");
    w = make_gguf_new();
    w.version = 2;
    make_kv_str(&w, "general.architecture", "llama");
    gguf_expect(&w, ALLM_OK, "");
    w = gguf_sample(); /* bytes behind the last tensor are legal, missing padding behind it too */
    make_raw(&w.data, "more than was announced", 23);
    gguf_expect(&w, ALLM_OK, "");
    assert_int_equal(gguf_try("", 0, &err), ALLM_E_FORMAT);
    assert_non_null(strstr(err.message, "the file is empty"));
}

static void test_gguf_fault_02_versions(void **state) {
    static const struct { uint32_t v; allm_status status; const char *words;
    } rows[] = {
        {0, ALLM_E_FORMAT, "GGUF version 0, 2 or 3 expected"},
        {1, ALLM_E_FORMAT, "GGUF version 1"},
        {2, ALLM_OK, ""},
        {3, ALLM_OK, ""},
        {4, ALLM_E_UNSUPPORTED, "GGUF version 4, 2 or 3 expected"},
        {99, ALLM_E_UNSUPPORTED, "GGUF version 99"},
        {0x03000000, ALLM_E_FORMAT, "big-endian"},
        {0x02000000, ALLM_E_FORMAT, "big-endian"},
        {UINT32_MAX, ALLM_E_UNSUPPORTED, "GGUF version 4294967295"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        make_gguf w = gguf_sample();
        w.version   = rows[i].v;
        gguf_expect(&w, rows[i].status, rows[i].words);
    }
}

static void test_gguf_fault_02_not_gguf(void **state) {
    static const struct { const char *head; size_t n; const char *words;
    } rows[] = {
        {"Once upon a time there was a text file.\n", 40, "it looks like a text file"},
        {"PK\3\4....", 8, "a ZIP archive (also office documents and PyTorch files)"},
        {"<!DOCTYPE html><html>", 21, "an HTML page (perhaps a failed download)"},
        {"<html>", 6, "an HTML page"},
        {"<?xml version", 13, "an XML file"},
        {"version https://git-lfs.github.com/spec/v1\n", 43, "a Git LFS pointer"},
        {"{\"model_type\": 1}", 17, "a JSON file"},
        {"\x3a\1\0\0\0\0\0\0{\"__metadata__\":{}}", 27, "a safetensors file"},
        {"\2\0\0\0\0\0\0\0{}", 10, "a safetensors file"},
        {"tjgg\3\0\0\0", 8, "a model from before GGUF (GGJT)"},
        {"lmgg\3\0\0\0", 8, "(GGML)"},
        {"\x80\x02}q", 4, "a Python pickle"},
        {"gguf\3\0\0\0", 8, "a damaged GGUF file"},
        {"\x7f"
         "ELF\2\1",
         6, "an ELF program"},
        {"\x1f\x8b\x08\0", 4, "a gzip file"},
        {"RIFF\1\2\3\4WEBPVP8 ", 16, "a WebP image"},
        {"\0\0\0\0\0\0\0\0", 8, "zeros (perhaps an unfinished download)"},
        {"\1\2\3\4", 4, "magic 01 02 03 04, expected 47 47 55 46 (\"GGUF\")"},
        {"\xff", 1, "not a GGUF file: magic ff, expected"},
        {"GGU", 3, "magic: 4 bytes expected, 3 left"},
        {"G", 1, "4 bytes expected, 1 left"},
        {"GGML", 4, "magic 47 47 4d 4c"},
        {"#!/bin/sh\n", 10, "a text file"},
    };
    allm_error err;
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        assert_int_equal(gguf_try(rows[i].head, rows[i].n, &err), ALLM_E_FORMAT);
        if (!strstr(err.message, rows[i].words) || strncmp(err.message, "memory: byte 0x0: ", 18))
            fail_msg("%s (%s)", err.message, rows[i].words);
    }
}

static void test_gguf_fault_03_counts(void **state) {
    static const uint64_t counts[] = {1u << 31,   UINT32_MAX, (uint64_t)1 << 32, (uint64_t)1 << 61, (uint64_t)1 << 63,
                                      UINT64_MAX, 1000};
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(counts); i++) {
        make_gguf w = gguf_sample();
        w.n_kv      = counts[i];
        gguf_expect(&w, ALLM_E_FORMAT, "metadata pairs announced");
        w           = gguf_sample();
        w.n_tensors = counts[i];
        gguf_expect(&w, ALLM_E_FORMAT, "tensors announced");
    }
    make_gguf w = gguf_sample(); /* off by one: whatever comes, it is refused */
    w.n_kv++;
    gguf_expect(&w, ALLM_E_FORMAT, "");
    w = gguf_sample();
    w.n_kv--;
    gguf_expect(&w, ALLM_E_FORMAT, "");
    w = gguf_sample();
    w.n_tensors++;
    gguf_expect(&w, ALLM_E_FORMAT, "");
    w = gguf_sample(); /* one tensor fewer reads: the data starts elsewhere then, and fits */
    w.n_tensors = 0;
    gguf_expect(&w, ALLM_OK, "");
}

static void test_gguf_fault_04_keys(void **state) {
    make_gguf w = make_gguf_new();
    (void)state;
    make_kv_u32(&w, "", 1);
    gguf_expect(&w, ALLM_E_FORMAT, "key is empty");
    w = make_gguf_new();
    make_str(&w.kv, "a\0b", 3), make_uint(&w.kv, 4, 4), make_uint(&w.kv, 1, 4), w.n_kv++;
    gguf_expect(&w, ALLM_E_FORMAT, "holds a NUL byte");
    w = make_gguf_new();
    make_kv_u32(&w, "x.y", 1), make_kv_u32(&w, "z", 2), make_kv_str(&w, "x.y", "again");
    gguf_expect(&w, ALLM_E_FORMAT, "key \"x.y\" is there twice");
    static const uint64_t lengths[] = {1000, 1u << 31, (uint64_t)1 << 63, UINT64_MAX, UINT64_MAX - 7};
    for (size_t i = 0; i < ALLM__COUNT(lengths); i++) {
        w = make_gguf_new(); /* a key, a string value and a string of an array that do not end */
        make_uint(&w.kv, lengths[i], 8), make_raw(&w.kv, "xxxxxxxxxxxxxxxx", 16), w.n_kv++;
        gguf_expect(&w, ALLM_E_FORMAT, "byte 0x20: key: ");
        w = make_gguf_new();
        make_key(&w, "s", ALLM__GGUF_STRING), make_uint(&w.kv, lengths[i], 8), make_raw(&w.kv, "xxxx", 4);
        gguf_expect(&w, ALLM_E_FORMAT, "string: ");
        w = make_gguf_new();
        make_kv_array(&w, "a", ALLM__GGUF_STRING, 2), make_str(&w.kv, "ok", 2), make_uint(&w.kv, lengths[i], 8);
        gguf_expect(&w, ALLM_E_FORMAT, "string: ");
    }
    w = make_gguf_new(); /* names may be any bytes but NUL, the message stays clean */
    make_kv_u32(&w, "\xff\xfe\x01", 1);
    gguf_expect(&w, ALLM_OK, "");
}

static void test_gguf_fault_05_types(void **state) {
    static const uint32_t types[] = {13, 14, 77, 255, 1u << 31, UINT32_MAX};
    make_gguf w;
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(types); i++) {
        w = make_gguf_new();
        make_kv_uint(&w, "k", types[i], 0, 8);
        gguf_expect(&w, ALLM_E_FORMAT, "key \"k\": value type");
        w = make_gguf_new();
        make_kv_array(&w, "k", types[i], 0);
        gguf_expect(&w, ALLM_E_FORMAT, "key \"k\": element type");
    }
    w = make_gguf_new();
    make_kv_array(&w, "k", ALLM__GGUF_ARRAY, 1), make_uint(&w.kv, 4, 4), make_uint(&w.kv, 0, 8);
    gguf_expect(&w, ALLM_E_FORMAT, "key \"k\" is an array of arrays");
    w = make_gguf_new(); /* nested without end */
    make_kv_array(&w, "k", ALLM__GGUF_ARRAY, 1);
    for (int i = 0; i < 10000; i++) make_uint(&w.kv, ALLM__GGUF_ARRAY, 4), make_uint(&w.kv, 1, 8);
    gguf_expect(&w, ALLM_E_FORMAT, "is an array of arrays");
}

static void test_gguf_fault_06_arrays(void **state) {
    static const uint64_t counts[] = {
        2, 1u << 31, (uint64_t)1 << 61, ((uint64_t)1 << 61) + 1, (uint64_t)1 << 62, (uint64_t)1 << 63, UINT64_MAX};
    (void)state;
    for (uint32_t t = 0; t < ALLM__COUNT(allm__gguf_kinds); t++)
        for (size_t i = 0; i < ALLM__COUNT(counts) && t != ALLM__GGUF_ARRAY; i++) {
            make_gguf w = make_gguf_new();
            make_kv_array(&w, "k", t, counts[i]);
            for (int k = 0; k < allm__gguf_kinds[t].n_bytes; k++) make_uint(&w.kv, 0, 1);
            gguf_expect(&w, ALLM_E_FORMAT, "elements of");
        }
}

static void test_gguf_fault_07_dimensions(void **state) {
    static const uint32_t counts[] = {0, 5, 6, 1u << 31, UINT32_MAX};
    make_gguf w;
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(counts); i++) {
        w = make_gguf_new();
        make_str(&w.infos, "t", 1), make_uint(&w.infos, counts[i], 4), w.n_tensors++;
        for (int k = 0; k < 8; k++) make_uint(&w.infos, 1, 8);
        gguf_expect(&w, ALLM_E_FORMAT, counts[i] ? "dimensions, at most 4" : "tensor \"t\": 0 dimensions, at least 1");
    }
    for (uint32_t n = 1; n <= 4; n++) {
        w = make_gguf_new();
        make_tensor(&w, "t", 0, n, DIMS(2, 2, 2, 2), NULL, 4u << n);
        gguf_expect(&w, ALLM_OK, "");
    }
}

static void test_gguf_fault_08_sizes(void **state) {
    static const struct { int64_t dims[4]; uint32_t type; const char *words;
    } rows[] = {
        {{0, 1, 1, 1}, 0, "dimension 0 is 0, expected 1..2^63-1"},
        {{4, 0, 1, 1}, 0, "dimension 1 is 0"},
        {{4, 1, 1, 0}, 0, "dimension 3 is 0"},
        {{-1, 1, 1, 1}, 0, "dimension 0 is 18446744073709551615"},
        {{1, INT64_MIN, 1, 1}, 0, "dimension 1 is 9223372036854775808"},
        {{INT64_MAX, 2, 1, 1}, 0, "their product exceeds 2^63-1"},
        {{1ll << 32, 1ll << 32, 1, 1}, 0, "their product exceeds"},
        {{1ll << 16, 1ll << 16, 1ll << 16, 1ll << 16}, 0, "their product exceeds"},
        {{1ll << 62, 1, 1, 1}, 0, "take more bytes than the file"},
        {{1ll << 32, 1ll << 30, 1, 1}, 8, "take more bytes than the file"},
        {{INT64_MAX, 1, 1, 1}, 24, "take more bytes than the file"},
        {{33, 1, 1, 1}, 8, "rows of 33, expected a multiple of 32, the block of Q8_0"},
        {{128, 2, 1, 1}, 12, "the block of Q4_K"},
        {{1, 32, 1, 1}, 2, "the block of Q4_0"},
        {{32, 1, 1, 1}, 40, "the block of NVFP4"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        make_gguf w = make_gguf_new();
        make_tensor(&w, "t", rows[i].type, 4, rows[i].dims, NULL, 64);
        gguf_expect(&w, ALLM_E_FORMAT, rows[i].words);
    }
}

/* Each type takes the bytes that the format says, to the byte; a type that nobody knows is listed and refused when it
 * is needed. */
static void test_gguf_fault_09_types(void **state) {
    static const struct {
        uint32_t id;
        const char *name;
        int32_t n_weights;
        size_t n_bytes;
    } types[] = {
        /* formats/1-gguf.md §9 */
        {0, "F32", 1, 4},         {1, "F16", 1, 2},         {2, "Q4_0", 32, 18},      {3, "Q4_1", 32, 20},
        {6, "Q5_0", 32, 22},      {7, "Q5_1", 32, 24},      {8, "Q8_0", 32, 34},      {9, "Q8_1", 32, 36},
        {10, "Q2_K", 256, 84},    {11, "Q3_K", 256, 110},   {12, "Q4_K", 256, 144},   {13, "Q5_K", 256, 176},
        {14, "Q6_K", 256, 210},   {15, "Q8_K", 256, 292},   {16, "IQ2_XXS", 256, 66}, {17, "IQ2_XS", 256, 74},
        {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50},   {20, "IQ4_NL", 32, 18},   {21, "IQ3_S", 256, 110},
        {22, "IQ2_S", 256, 82},   {23, "IQ4_XS", 256, 136}, {24, "I8", 1, 1},         {25, "I16", 1, 2},
        {26, "I32", 1, 4},        {27, "I64", 1, 8},        {28, "F64", 1, 8},        {29, "IQ1_M", 256, 56},
        {30, "BF16", 1, 2},       {34, "TQ1_0", 256, 54},   {35, "TQ2_0", 256, 66},   {39, "MXFP4", 32, 17},
        {40, "NVFP4", 64, 36},    {41, "Q1_0", 128, 18},    {42, "Q2_0", 64, 18},
    };
    static const struct { uint32_t id; const char *words;
    } odd[] = {
        {4, "has type 4 (Q4_2, removed from GGUF)"},
        {5, "(Q4_3, removed"},
        {31, "(Q4_0_4_4, removed"},
        {32, "(Q4_0_4_8, removed"},
        {33, "(Q4_0_8_8, removed"},
        {36, "(IQ4_NL_4_4, removed"},
        {37, "type 37"},
        {38, "type 38"},
        {43, "has type 43 (unknown)"},
        {137, "has type 137 (unknown)"},
        {1u << 31, "has type 2147483648 (unknown)"},
        {UINT32_MAX, "has type 4294967295 (unknown)"},
    };
    allm_error err;
    make_gguf  w;
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(types); i++) {
        assert_string_equal(allm__gguf_type_name((int32_t)types[i].id), types[i].name);
        for (size_t less = 0; less < 2; less++) {
            w = make_gguf_new();
            make_tensor(&w, "t", types[i].id, 2, DIMS(types[i].n_weights * 2, 3), NULL, types[i].n_bytes * 6 - less);
            gguf_expect(&w, less ? ALLM_E_FORMAT : ALLM_OK, "bytes");
        }
    }
    for (int32_t id = 0; id < 300; id++)
        assert_false(allm__fmt_find(id) && allm__gguf_gone_name(id)); /* one table each */
    for (size_t i = 0; i < ALLM__COUNT(odd); i++) {
        test_heap  m = {0};
        allm__host h = test_host(&m);
        allm__gguf g;
        w = make_gguf_new();
        make_tensor(&w, "a", 0, 1, DIMS(8), NULL, 32);
        make_tensor(&w, "b", odd[i].id, 2, DIMS(1000003, 7), NULL, 32);
        make_tensor(&w, "c", 0, 1, DIMS(8), NULL, 32);
        make_gguf_end(&w);
        allm_source src = gguf_memory(w.bytes, w.n);
        memset(&err, 0, sizeof err);
        assert_int_equal(allm__gguf_open(&h, &src, &g, &err), ALLM_OK);
        const allm__tensor *t = allm__gguf_tensor(&g, ALLM__S("b"));
        assert_true(g.n_tensors == 3 && t && !t->fmt && t->n_bytes == 0 && t->dims[0] == 1000003);
        assert_int_equal(allm__gguf_check_types(&g, &err), ALLM_E_UNSUPPORTED);
        if (!strstr(err.message, odd[i].words) || !strstr(err.message, "tensor \"b\"")) fail_msg("%s", err.message);
        memset(&err, 0, sizeof err); /* a known type that nobody computes with */
        allm__tensor bytes = *allm__gguf_tensor(&g, ALLM__S("a"));
        bytes.type = 24, bytes.fmt = allm__fmt_find(24);
        assert_int_equal(allm__tensor_refuse(&bytes, &err), ALLM_E_UNSUPPORTED);
        assert_non_null(strstr(err.message, "tensor \"a\" has type 24 (I8, not supported here)"));
        allm__gguf_close(&g);
        make_gguf_free(&w);
        test_heap_check(&m);
    }
}

static void test_gguf_fault_10_offsets(void **state) {
    static const struct { uint64_t offset; const char *words;
    } rows[] = {
        {1, "tensor \"b\": offset 0x1, expected a multiple of 32"},
        {16, "offset 0x10, expected"},
        {0, "overlaps tensor \"a\""},
        {32, "overlaps tensor \"a\", 0x"},
        {96, "bytes at offset 0x60"},
        {1u << 20, "64 bytes at offset 0x100000 of the data section expected, which has 128"},
        {(uint64_t)1 << 63, "of the data section expected"},
        {UINT64_MAX - 31, "of the data section expected"},
        {UINT64_MAX, "expected a multiple of 32"},
        {(uint64_t)1 << 32, "of the data section expected"},
    };
    make_gguf w;
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++)
        for (int swapped = 0; swapped < 2; swapped++) { /* in file order, and the later one first */
            uint64_t offset = rows[i].offset;
            w = make_gguf_new();
            make_pad(&w.data, 128);
            if (!swapped) make_info(&w, "a", 0, 1, DIMS(16), 0);
            make_info(&w, "b", 0, 1, DIMS(16), offset);
            if (swapped) make_info(&w, "a", 0, 1, DIMS(16), 0);
            gguf_expect(&w, ALLM_E_FORMAT,
                        swapped && strstr(rows[i].words, "overlaps") ? "overlaps tensor" : rows[i].words);
        }
    w = make_gguf_new(); /* any order and gaps are fine */
    make_pad(&w.data, 512);
    make_info(&w, "c", 0, 1, DIMS(16), 448), make_info(&w, "a", 0, 1, DIMS(16), 0),
        make_info(&w, "b", 0, 1, DIMS(16), 64);
    gguf_expect(&w, ALLM_OK, "");
    w = make_gguf_new(); /* the last one misses a byte; the data section is missing; it starts behind the end */
    make_tensor(&w, "a", 0, 1, DIMS(8), NULL, 31);
    gguf_expect(&w, ALLM_E_FORMAT, "32 bytes at offset 0x0 of the data section expected, which has 31");
    w = make_gguf_new();
    make_info(&w, "a", 8, 1, DIMS(32), 0);
    gguf_expect(&w, ALLM_E_FORMAT, "which has 0");
}

/* Tensors in any order: one shared byte is found wherever the pair stands, and nothing else is called an overlap. */
static void test_gguf_fault_10_overlap(void **state) {
    enum { N = 40 };
    char name[8];
    (void)state;
    for (int i = 0; i < 400; i++) {
        uint64_t offset[N];
        int      overlap = i % 2, pair = 1 + (int)test_random_below(N - 1);
        make_gguf w      = make_gguf_new();
        make_kv_u32(&w, "general.alignment", 1);
        w.alignment = 1;
        for (int k = 0; k < N; k++) offset[k] = 8 * (uint64_t)k - (overlap && k >= pair); /* 8 bytes each */
        for (int k = N - 1; k > 0; k--) {
            int      other = (int)test_random_below((uint64_t)k + 1);
            uint64_t t     = offset[k];
            offset[k] = offset[other], offset[other] = t;
        }
        for (int k = 0; k < N; k++) {
            snprintf(name, sizeof name, "t%d", k % 100);
            make_info(&w, name, ALLM__I8, 1, DIMS(8), offset[k]);
        }
        make_pad(&w.data, 8 * N);
        gguf_expect(&w, overlap ? ALLM_E_FORMAT : ALLM_OK, "overlaps tensor");
    }
}

static void test_gguf_fault_11_alignment(void **state) {
    static const struct { uint32_t v; int good;
    } rows[] = {
        {0, 0},       {1, 1},        {2, 1},          {3, 0},    {4, 1},       {8, 1},
        {24, 0},      {32, 1},       {64, 1},         {4096, 1}, {1 << 20, 1}, {(1 << 20) + 1, 0},
        {1 << 21, 0}, {1u << 31, 0}, {UINT32_MAX, 0},
    };
    make_gguf w;
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        w = make_gguf_new();
        make_kv_u32(&w, "general.alignment", rows[i].v);
        w.alignment = rows[i].good ? rows[i].v : 32;
        make_tensor(&w, "a", 1, 1, DIMS(5), NULL, 10);
        make_tensor(&w, "b", 0, 1, DIMS(5), NULL, 20);
        gguf_expect(&w, rows[i].good ? ALLM_OK : ALLM_E_FORMAT, "key \"general.alignment\" is ");
    }
    w = make_gguf_new(); /* another width is fine, another type is not */
    make_kv_uint(&w, "general.alignment", ALLM__GGUF_U64, 64, 8);
    w.alignment = 64;
    make_tensor(&w, "a", 1, 1, DIMS(5), NULL, 10);
    gguf_expect(&w, ALLM_OK, "");
    w = make_gguf_new();
    make_kv_str(&w, "general.alignment", "32");
    gguf_expect(&w, ALLM_E_FORMAT, "key \"general.alignment\" is of type string, an integer expected");
    w = make_gguf_new();
    make_kv_f32(&w, "general.alignment", 32);
    gguf_expect(&w, ALLM_E_FORMAT, "is of type f32");
    w = make_gguf_new();
    make_kv_array(&w, "general.alignment", ALLM__GGUF_U32, 1), make_uint(&w.kv, 32, 4);
    gguf_expect(&w, ALLM_E_FORMAT, "is an array of u32");
}

static void test_gguf_fault_12_names(void **state) {
    static const uint64_t lengths[] = {500, 1u << 31, (uint64_t)1 << 63, UINT64_MAX};
    char      name[80];
    make_gguf w = make_gguf_new();
    (void)state;
    make_tensor(&w, "t", 0, 1, DIMS(8), NULL, 32), make_tensor(&w, "u", 0, 1, DIMS(8), NULL, 32),
        make_tensor(&w, "t", 0, 1, DIMS(8), NULL, 32);
    gguf_expect(&w, ALLM_E_FORMAT, "tensor \"t\" is there twice");
    for (size_t n = 63; n < 67; n++) {
        memset(name, 'x', n), name[n] = 0;
        w = make_gguf_new();
        make_tensor(&w, name, 0, 1, DIMS(8), NULL, 32);
        gguf_expect(&w, n > 64 ? ALLM_E_FORMAT : ALLM_OK, "bytes, at most 64");
    }
    w = make_gguf_new();
    make_tensor(&w, "", 0, 1, DIMS(8), NULL, 32);
    gguf_expect(&w, ALLM_E_FORMAT, "tensor name is empty");
    for (size_t i = 0; i < ALLM__COUNT(lengths); i++) {
        w = make_gguf_new();
        make_uint(&w.infos, lengths[i], 8), make_pad(&w.infos, 100), w.n_tensors++;
        gguf_expect(&w, ALLM_E_FORMAT, "byte 0x20: tensor name: ");
    }
}

/* ---- every byte */

/* T1: every prefix is refused, and so is every prefix with zeros behind it, unless only tensor data is missing. */
static void test_gguf_fault_01_truncation(void **state) {
    make_gguf  w = gguf_sample();
    allm_error err;
    (void)state;
    make_gguf_end(&w);
    assert_true(w.n <= 4096);
    assert_int_equal(gguf_try(w.bytes, w.n, &err), ALLM_OK);
    for (size_t n = 0; n < w.n; n++) {
        if (gguf_try(w.bytes, n, &err) != ALLM_E_FORMAT)
            fail_msg("%zu of %zu bytes: status %d", n, w.n, (int)err.status);
        if (err.offset < 0) fail_msg("no offset: %s", err.message);
    }
    size_t   n_head = w.n - w.data.n;
    uint8_t *cut    = (uint8_t *)malloc(w.n);
    for (size_t n = 0; n < w.n; n++) {
        memcpy(cut, w.bytes, n);
        memset(cut + n, 0, w.n - n);
        allm_status status = gguf_try(cut, w.n, &err);
        if (n < 24 && n > 4) continue; /* zero counts: an empty file of version 0 or 3 */
        if (n < n_head - 64 ? status != ALLM_E_FORMAT : status != ALLM_OK && status != ALLM_E_FORMAT)
            fail_msg("%zu of %zu bytes and zeros: %d: %s", n, w.n, (int)status, err.message);
    }
    free(cut);
    make_gguf_free(&w);
}

/* Opens from one guarded buffer again and again: quick enough for every change of every byte. */
typedef struct gguf_fuzz {
    make_gguf  w;
    test_heap  m;
    allm__host h;
    test_guard guard;
    uint8_t   *p;
    int        n_status[ALLM__COUNT(allm__err_names)];
} gguf_fuzz;

static void gguf_fuzz_begin(gguf_fuzz *f) {
    memset(f, 0, sizeof *f);
    f->h = test_host(&f->m);
    f->w = gguf_sample();
    make_gguf_end(&f->w);
    f->guard    = test_guard_new(f->w.n);
    f->p        = (uint8_t *)f->guard.ptr;
    f->m.budget = 1 << 20;
    memcpy(f->p, f->w.bytes, f->w.n);
}

static void gguf_fuzz_try(gguf_fuzz *f, size_t at) {
    allm_source src = gguf_memory(f->p, f->w.n);
    allm_error  err = {0};
    allm__gguf  g;
    allm_status status = allm__gguf_open(&f->h, &src, &g, &err);
    const char *wrong  = status ? NULL : gguf_walk(&g);
    allm__gguf_close(&g);
    if (wrong || (status && status != ALLM_E_FORMAT && status != ALLM_E_UNSUPPORTED))
        fail_msg("byte 0x%zx: %s: status %d: %s", at, wrong ? wrong : "", (int)status, err.message);
    if (f->m.live || f->m.n_bad) fail_msg("byte 0x%zx: memory lost", at);
    f->n_status[status]++;
}

static void gguf_fuzz_end(gguf_fuzz *f) {
    test_guard_free(&f->guard);
    make_gguf_free(&f->w);
    test_heap_check(&f->m);
}

/* T2: every byte set to 00, 7F, 80, FF, every bit flipped. */
static void test_gguf_fault_flips(void **state) {
    static const uint8_t values[] = {0x00, 0x7f, 0x80, 0xff};
    gguf_fuzz f;
    (void)state;
    gguf_fuzz_begin(&f);
    for (size_t i = 0; i < f.w.n; i++) {
        for (int k = 0; k < 12; k++) {
            f.p[i] = (uint8_t)(k < 4 ? values[k] : f.w.bytes[i] ^ 1u << (k - 4));
            gguf_fuzz_try(&f, i);
        }
        f.p[i] = f.w.bytes[i];
    }
    assert_true(f.n_status[ALLM_OK] > 4000 && f.n_status[ALLM_E_FORMAT] > 3000);
    gguf_fuzz_end(&f);
}

/* T2: every 32 and 64 bit field, at every offset, set to the values where sizes wrap. */
static void test_gguf_fault_fields(void **state) {
    static const uint64_t values[] = {
        0, 1, UINT64_MAX, INT32_MAX, (uint64_t)1 << 31, UINT32_MAX, (uint64_t)1 << 63, INT64_MAX, (uint64_t)1 << 32};
    gguf_fuzz f;
    (void)state;
    gguf_fuzz_begin(&f);
    for (size_t i = 0; i + 8 <= f.w.n - f.w.data.n; i++)
        for (size_t k = 0; k < ALLM__COUNT(values); k++)
            for (size_t width = 4; width <= 8; width += 4) {
                for (size_t b = 0; b < width; b++) f.p[i + b] = (uint8_t)(values[k] >> 8 * b);
                gguf_fuzz_try(&f, i);
                memcpy(f.p + i, f.w.bytes + i, width);
            }
    assert_true(f.n_status[ALLM_E_FORMAT] > 5000);
    gguf_fuzz_end(&f);
}

/* Several changes at a time, in random places, values from the file itself and from the edges. */
static void test_gguf_fault_mutations(void **state) {
    gguf_fuzz f;
    int       n_tries = TEST_SANITIZED ? 10000 : 50000;
    (void)state;
    gguf_fuzz_begin(&f);
    for (int i = 0; i < n_tries; i++) {
        for (uint64_t k = 1 + test_random_below(3); k-- > 0;) {
            size_t at = 4 + (size_t)test_random_below(f.w.n - 12), from = (size_t)test_random_below(f.w.n - 8);
            switch (test_random_below(4)) {
            case 0: f.p[at] = (uint8_t)test_random(); break;
            case 1: memcpy(f.p + at, f.w.bytes + from, 8); break;
            case 2: memcpy(f.p + at, f.w.bytes + from, 4); break;
            default: memset(f.p + at, test_random_below(2) ? 0xff : 0, 1 + (size_t)test_random_below(8)); break;
            }
        }
        gguf_fuzz_try(&f, 0);
        memcpy(f.p, f.w.bytes, f.w.n);
    }
    gguf_fuzz_end(&f);
}

/* ---- bounds */

static allm_status gguf_memory_body(const allm__host *h, void *ctx) {
    make_gguf  *w   = (make_gguf *)ctx;
    allm_source src = gguf_memory(w->bytes, w->n);
    allm_error  err = {0};
    allm__gguf  g;
    allm_status status = allm__gguf_open(h, &src, &g, &err);
    if (!status && gguf_walk(&g)) status = ALLM_E_FORMAT;
    allm__gguf_close(&g);
    return status;
}

static void test_gguf_memory(void **state) {
    make_gguf w = gguf_sample();
    (void)state;
    make_gguf_end(&w);
    test_fail_each(gguf_memory_body, &w);
    make_gguf_free(&w);
    w = make_gguf_new(); /* out of file order: the sort needs memory too */
    make_pad(&w.data, 128);
    make_info(&w, "b", 0, 1, DIMS(8), 64), make_info(&w, "a", 0, 1, DIMS(8), 0);
    make_gguf_end(&w);
    test_fail_each(gguf_memory_body, &w);
    make_gguf_free(&w);
}

static void gguf_stack_body(void *arg) {
    allm__host h = {{allm__mem_default_alloc, allm__mem_default_free, NULL}, NULL, NULL};
    gguf_memory_body(&h, arg);
}

static void test_gguf_stack(void **state) {
    make_gguf w = gguf_sample();
    (void)state;
    make_gguf_end(&w);
    test_stack_check(gguf_stack_body, &w);
    w.bytes[w.n - w.data.n - 40] ^= 0x55; /* and the way of an error */
    test_stack_check(gguf_stack_body, &w);
    make_gguf_free(&w);
}

/* Opens w with a budget of memory and a bound of time. */
static void gguf_bounded(make_gguf *w, allm_status status, int64_t budget, double seconds) {
    test_heap   m   = {0};
    allm__host  h   = test_host(&m);
    allm_error  err = {0};
    allm__gguf  g;
    make_gguf_end(w);
    allm_source src = gguf_memory(w->bytes, w->n);
    double      t0  = test_seconds();
    m.budget        = budget;
    if (allm__gguf_open(&h, &src, &g, &err) != status) fail_msg("status %d: %s", (int)err.status, err.message);
    double t = test_seconds() - t0;
    allm__gguf_close(&g);
    make_gguf_free(w);
    test_heap_check(&m);
    test_time("opening", t, seconds);
}

static void test_gguf_bounds(void **state) {
    make_gguf w = make_gguf_new();
    char      name[64];
    uint32_t  n_many = TEST_SANITIZED ? 20000 : 100000;
    (void)state;
    make_kv_array(&w, "tokenizer.ggml.tokens", ALLM__GGUF_STRING, 500000); /* a vocabulary: nothing is copied */
    for (int i = 0; i < 500000; i++) make_str(&w.kv, name, (size_t)snprintf(name, sizeof name, "token%d", i));
    gguf_bounded(&w, ALLM_OK, 65536, 0.1);
    w = make_gguf_new(); /* tensors in the reverse order of their data */
    for (uint32_t i = 0; i < n_many; i++) {
        snprintf(name, sizeof name, "t%lu", (unsigned long)i);
        make_info(&w, name, 0, 1, DIMS(8), 32 * (uint64_t)(n_many - 1 - i));
    }
    make_pad(&w.data, 32 * (size_t)n_many);
    gguf_bounded(&w, ALLM_OK, 64 << 20, 1);
    w = make_gguf_new(); /* keys */
    for (uint32_t i = 0; i < n_many; i++)
        snprintf(name, sizeof name, "k%lu", (unsigned long)i), make_kv_u32(&w, name, i);
    gguf_bounded(&w, ALLM_OK, 64 << 20, 1);
    w = make_gguf_new(); /* more keys and more tensors than anyone has: a stated limit */
    for (uint32_t i = 0; i < 300000; i++)
        snprintf(name, sizeof name, "%lx", (unsigned long)i), make_kv_uint(&w, name, 0, i, 1);
    gguf_bounded(&w, ALLM_E_MEMORY, 65536, 1);
    w = make_gguf_new();
    for (uint32_t i = 0; i < 300000; i++)
        snprintf(name, sizeof name, "%lx", (unsigned long)i), make_info(&w, name, 24, 1, DIMS(1), 0);
    gguf_bounded(&w, ALLM_E_MEMORY, 65536, 1);
    w = make_gguf_new(); /* 16 MB of zeros where pairs are announced: refused at the first */
    make_pad(&w.kv, 16 << 20);
    w.n_kv = (16 << 20) / 14 / 8;
    gguf_bounded(&w, ALLM_E_FORMAT, 64 << 20, 1);
}

/* ---- readers */

typedef struct gguf_reader {
    const uint8_t *p;
    size_t         n, n_most; /* bytes a call */
    int64_t        n_calls, fail_at;
    int            how; /* at call fail_at: -1 error, 0 end, 1 more than asked for */
} gguf_reader;

static int64_t gguf_read(void *ctx, uint64_t offset, void *dst, size_t n) {
    gguf_reader *r = (gguf_reader *)ctx;
    if (++r->n_calls == r->fail_at) return r->how > 0 ? (int64_t)n + 1 : r->how;
    n = ALLM__MIN(ALLM__MIN(n, r->n_most), r->n - (size_t)offset);
    memcpy(dst, r->p + offset, n);
    return (int64_t)n;
}

static void test_gguf_reader(void **state) {
    make_gguf w = gguf_sample();
    (void)state;
    make_gguf_end(&w);
    for (int how = -1; how <= 1; how++)
        for (int64_t fail_at = 0; fail_at < 40; fail_at++) { /* 0: never */
            test_heap   m   = {0};
            allm__host  h   = test_host(&m);
            allm_error  err = {0};
            gguf_reader r   = {w.bytes, w.n, fail_at ? 64 : 1, 0, fail_at, how};
            allm_source src = {0};
            allm__gguf  g;
            src.read = gguf_read, src.ctx = &r, src.size = w.n;
            allm_status status = allm__gguf_open(&h, &src, &g, &err);
            int         fails  = fail_at && fail_at <= (int64_t)(w.n + 63) / 64;
            if (status != (fails ? ALLM_E_IO : ALLM_OK))
                fail_msg("call %d: status %d: %s", (int)fail_at, (int)status, err.message);
            if (!status) assert_null(gguf_walk(&g));
            allm__gguf_close(&g);
            test_heap_check(&m);
        }
    make_gguf_free(&w);
}

static void test_gguf_paths(void **state) {
    test_heap   m = {0};
    allm__host  h = test_host(&m);
    allm__gguf  g;
    allm_error  err = {0};
    allm_source src = gguf_path("/nowhere/model.gguf"), both = {0};
    (void)state;
    assert_int_equal(allm__gguf_open(&h, &src, &g, &err), ALLM_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "/nowhere/model.gguf: cannot open"));
    allm__gguf_close(&g);
    memset(&err, 0, sizeof err);
    src = gguf_path("tests");
    assert_int_equal(allm__gguf_open(&h, &src, &g, &err), access("tests", R_OK) ? ALLM_E_NOT_FOUND : ALLM_E_FORMAT);
    allm__gguf_close(&g);
    memset(&err, 0, sizeof err);
    assert_int_equal(allm__gguf_open(&h, &both, &g, &err), ALLM_E_ARGUMENT); /* no source at all */
    allm__gguf_close(&g);
    test_temp t = test_temp_new("", 0);
    memset(&err, 0, sizeof err);
    src = gguf_path(t.path);
    assert_int_equal(allm__gguf_open(&h, &src, &g, &err), ALLM_E_FORMAT);
    assert_non_null(strstr(err.message, "the file is empty"));
    allm__gguf_close(&g);
    test_temp_remove(&t);
    test_heap_check(&m);
}

/* ---- split files */

enum { GGUF_PARTS = 3 };
typedef struct gguf_parts {
    make_gguf w[GGUF_PARTS];
    char     *path[GGUF_PARTS];
    char      folder[128];
} gguf_parts;

static void gguf_parts_write(gguf_parts *p, int i) {
    FILE *f = fopen(p->path[i], "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p->w[i].bytes, 1, p->w[i].n, f), p->w[i].n);
    fclose(f);
}

typedef struct gguf_part_keys { /* what a part says, to be made wrong */
    int64_t no, count, total; /* -1: no such key */
    const char *name;         /* of its first tensor; NULL: none */
} gguf_part_keys;

static void gguf_part_make(gguf_parts *p, int i, gguf_part_keys k) {
    make_gguf *w = &p->w[i];
    make_gguf_free(w);
    *w = make_gguf_new();
    if (i == 0) make_kv_str(w, "general.architecture", "llama");
    if (i == 2) make_kv_u32(w, "general.alignment", 64), w->alignment = 64; /* of its own */
    if (k.no >= 0) make_kv_uint(w, "split.no", ALLM__GGUF_U16, (uint64_t)k.no, 2);
    if (k.count >= 0) make_kv_uint(w, "split.count", ALLM__GGUF_U16, (uint64_t)k.count, 2);
    if (k.total >= 0) make_kv_uint(w, "split.tensors.count", ALLM__GGUF_I32, (uint64_t)k.total, 4);
    if (k.name) make_tensor(w, k.name, 0, 1, DIMS(8), NULL, 32);
    if (i == 2) make_tensor(w, "last", 8, 1, DIMS(32), NULL, 34);
    make_gguf_end(w);
    gguf_parts_write(p, i);
}

static const gguf_part_keys gguf_good_parts[GGUF_PARTS] = {
    {0, 3, 3, NULL}, {1, 3, 3, "middle"}, {2, 3, 3, "first of last"}};

static void gguf_parts_begin(gguf_parts *p) {
    const char *folder = getenv("TMPDIR");
    memset(p, 0, sizeof *p);
    snprintf(p->folder, sizeof p->folder, "%.90s/allm-parts-XXXXXX", folder && *folder ? folder : "/tmp");
    assert_non_null(mkdtemp(p->folder));
    for (int i = 0; i < GGUF_PARTS; i++) {
        char name[64];
        snprintf(name, sizeof name, "m-%05d-of-%05d.gguf", i + 1, GGUF_PARTS);
        p->path[i] = test_path(p->folder, name);
        gguf_part_make(p, i, gguf_good_parts[i]);
    }
}

static void gguf_parts_end(gguf_parts *p) {
    for (int i = 0; i < GGUF_PARTS; i++) unlink(p->path[i]), free(p->path[i]), make_gguf_free(&p->w[i]);
    rmdir(p->folder);
}

static allm_status gguf_parts_body(const allm__host *h, void *ctx) {
    allm_source src = gguf_path((const char *)ctx);
    allm_error  err = {0};
    allm__gguf  g;
    allm_status status = allm__gguf_open(h, &src, &g, &err);
    if (!status &&
        (gguf_walk(&g) || g.n_tensors != 3 || g.n_files != 3 || !allm__gguf_find(&g, ALLM__S("general.architecture"))))
        status = ALLM_E_FORMAT;
    allm__gguf_close(&g);
    return status;
}

static void gguf_parts_expect(const char *path, allm_status status, const char *words) {
    test_heap   m   = {0};
    allm__host  h   = test_host(&m);
    allm_source src = gguf_path(path);
    allm_error  err = {0};
    allm__gguf  g;
    allm_status got = allm__gguf_open(&h, &src, &g, &err);
    allm__gguf_close(&g);
    test_heap_check(&m);
    if (got != status || !strstr(err.message, words))
        fail_msg("%d: %s (expected %d: %s)", (int)got, err.message, (int)status, words);
}

static void test_gguf_split(void **state) {
    static const struct { int i_part; gguf_part_keys keys; const char *words;
    } wrong[] = {
        {0, {0, 4, 3, NULL}, "its name must end in \"-00001-of-00004.gguf\""},
        {0, {1, 3, 3, NULL}, "its name must end in \"-00002-of-00003.gguf\""},
        {0, {3, 3, 3, NULL}, "key \"split.no\" is 3, expected 0..2"},
        {0, {-1, 3, 3, NULL}, "key \"split.no\" is missing"},
        {0, {0, 3, 4, NULL}, "key \"split.tensors.count\" is 4, but the 3 parts hold 3 tensors"},
        {0, {0, 3, -1, NULL}, "key \"split.tensors.count\" is missing"},
        {0, {0, 3, 3, "middle"}, "tensor \"middle\" is there twice"},
        {1, {0, 3, 3, "middle"}, "00002-of-00003.gguf: byte 0x"},
        {1, {1, 2, 3, "middle"}, "key \"split.count\" is 2, expected 3..3"},
        {1, {1, -1, 3, "middle"}, "key \"split.count\" is missing"},
        {2, {1, 3, 3, "x"}, "key \"split.no\" is 1, expected 2..2"},
        {2, {2, 3, 3, "middle"}, "tensor \"middle\" is there twice"},
        {2, {2, 3, 3, NULL}, "key \"split.tensors.count\" is 3, but the 3 parts hold 2 tensors"},
    };
    gguf_parts p;
    (void)state;
    gguf_parts_begin(&p);
    for (int i = 0; i < GGUF_PARTS; i++) test_fail_each(gguf_parts_body, p.path[i]); /* any part opens all */
    for (size_t i = 0; i < ALLM__COUNT(wrong); i++) {
        gguf_part_make(&p, wrong[i].i_part, wrong[i].keys);
        gguf_parts_expect(p.path[0], ALLM_E_FORMAT, wrong[i].words);
        gguf_part_make(&p, wrong[i].i_part, gguf_good_parts[wrong[i].i_part]);
    }
    test_heap   m   = {0}; /* from memory there is no way to the other parts */
    allm__host  h   = test_host(&m);
    allm_error  err = {0};
    allm_source src = gguf_memory(p.w[0].bytes, p.w[0].n);
    allm__gguf  g;
    assert_int_equal(allm__gguf_open(&h, &src, &g, &err), ALLM_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "part 1 of 3 of a split file: can only be opened by path"));
    allm__gguf_close(&g);
    test_heap_check(&m);
    gguf_part_make(&p, 0,
                   (gguf_part_keys){0, 1, 0, NULL}); /* a count of 1 is no split, but then the others are none of it */
    gguf_parts_expect(p.path[0], ALLM_OK, "");
    gguf_parts_expect(p.path[1], ALLM_E_FORMAT, "key \"split.count\" is 1, expected 3..3");
    gguf_part_make(&p, 0, gguf_good_parts[0]);
    for (size_t n = 0; n < p.w[1].n; n += 7) { /* the second part cut */
        size_t all = p.w[1].n;
        p.w[1].n   = n;
        gguf_parts_write(&p, 1);
        p.w[1].n = all;
        gguf_parts_expect(p.path[2], ALLM_E_FORMAT, "m-00002-of-00003.gguf: byte 0x");
    }
    gguf_parts_write(&p, 1);
    unlink(p.path[2]);
    gguf_parts_expect(p.path[0], ALLM_E_NOT_FOUND, "m-00003-of-00003.gguf: cannot open");
    unlink(p.path[0]);
    gguf_parts_expect(p.path[1], ALLM_E_NOT_FOUND, "m-00001-of-00003.gguf: cannot open");
    gguf_parts_end(&p);
}

/* ---- golden files */

/* The words that must be in the message of each container that golden/broken-gguf says to refuse. Files that are not
 * here are broken as models only (level "model"): the container opens, and room model's tests see to them. */
static const struct { const char *file, *words;
} gguf_broken[] = {
    {"magic-lower-case.gguf", "magic 67 67 75 66"},
    {"file-empty.gguf", "empty"},
    {"cut-in-version.gguf", "byte 0x4: version: 4 bytes expected, 2 left"},
    {"cut-in-kv-count.gguf", "number of metadata pairs: 8 bytes expected, 7 left"},
    {"version-0.gguf", "version 0"},
    {"version-max.gguf", "version 4294967295"},
    {"tensor-count-max.gguf", "18446744073709551615 tensors announced"},
    {"tensor-count-2-32.gguf", "4294967299 tensors announced"},
    {"kv-count-max.gguf", "18446744073709551615 metadata pairs announced"},
    {"kv-count-one-less.gguf", "tensor \"x.last\": 6 dimensions"},
    {"key-length-max.gguf", "key: 18446744073709551615 bytes"},
    {"key-empty.gguf", "key is empty"},
    {"key-duplicate-other-type.gguf", "key \"x.count\" is there twice"},
    {"value-type-255.gguf", "value type 255"},
    {"string-length-max.gguf", "string: 18446744073709551615 bytes"},
    {"string-length-past-end.gguf", "string: 16384 bytes expected, 6 left"},
    {"cut-in-value.gguf", "value: 4 bytes expected, 2 left"},
    {"cut-in-value-type.gguf", "value type: 4 bytes expected, 2 left"},
    {"array-element-type-77.gguf", "key \"x.list\": element type 77"},
    {"array-count-wrap.gguf", "key \"x.list\": 2305843009213693953 elements of u64"},
    {"array-strings-count-2-40.gguf", "1099511627776 elements of string"},
    {"cut-in-array.gguf", "key \"x.list\": 3 elements of u32"},
    {"cut-in-string-array.gguf", "string: 5 bytes expected, 2 left"},
    {"alignment-24.gguf", "key \"general.alignment\" is 24, expected a power of two"},
    {"alignment-string.gguf", "key \"general.alignment\" is of type string"},
    {"alignment-array.gguf", "key \"general.alignment\" is an array"},
    {"tensor-name-65-bytes.gguf", "tensor name of 65 bytes, at most 64"},
    {"tensor-dims-5.gguf", "tensor \"b.weight\": 5 dimensions, at most 4"},
    {"tensor-dim-2-63.gguf", "dimension 1 is 9223372036854775808"},
    {"tensor-elements-wrap.gguf", "product exceeds 2^63-1"},
    {"tensor-bytes-wrap.gguf", "take more bytes than the file has"},
    {"tensor-row-not-whole-blocks.gguf", "rows of 33, expected a multiple of 32"},
    {"tensor-type-4-removed.gguf", "tensor \"b.weight\" has type 4 (Q4_2, removed"},
    {"tensor-type-36-removed.gguf", "has type 36 (IQ4_NL_4_4, removed"},
    {"tensor-type-negative.gguf", "has type 4294967295 (unknown)"},
    {"offset-past-end.gguf", "tensor \"c.weight\": 68 bytes at offset 0x100000"},
    {"offset-overlap.gguf", "overlaps tensor \"a.weight\""},
    {"data-cut-one-byte.gguf", "tensor \"c.weight\": 68 bytes"},
    {"data-missing.gguf", "tensor \"a.weight\": 32 bytes"},
    {"cut-in-tensor-name.gguf", "3 tensors announced, but 51 bytes are left"},
    {"cut-in-tensor-type.gguf", "tensor type: 4 bytes expected, 1 left"},
    {"cut-in-dims-count.gguf", "3 tensors announced, but 18 bytes are left"},
    {"any-tensor-dim-zero.gguf", "tensor \"b.weight\": dimension 1 is 0"},
};

/* Opens a golden file and asks for its types too. */
static allm_status gguf_open_golden(const char *name, allm_error *err, size_t *n_tensors) {
    test_heap   m    = {0};
    allm__host  h    = test_host(&m);
    char       *path = test_golden_path(name);
    allm_source src  = gguf_path(path);
    allm__gguf  g;
    memset(err, 0, sizeof *err);
    double      t0     = test_seconds();
    allm_status status = allm__gguf_open(&h, &src, &g, err);
    double      t      = test_seconds() - t0;
    if (!status) assert_null(gguf_walk(&g));
    if (!status) status = allm__gguf_check_types(&g, err);
    if (n_tensors) *n_tensors = g.n_tensors;
    allm__gguf_close(&g);
    test_heap_check(&m);
    assert_true(m.peak < 1 << 20);
    test_time(name, t, 1);
    if (status && !strstr(err->message, name)) fail_msg("no file in: %s", err->message);
    free(path);
    return status;
}

/* The members "file", "level", "expect", "refuse" of each object in a list. */
typedef struct gguf_golden_entry {
    char file[80], level[16], expect[16];
    int  refuse;
} gguf_golden_entry;

static size_t gguf_golden_list(const char *name, gguf_golden_entry *list, size_t cap) {
    size_t     n_text, n = 0;
    test_heap  m = {0};
    allm__host h = test_host(&m);
    char      *text = test_golden(name, &n_text);
    allm_error err  = {0};
    allm__json j;
    allm_str   key, s;
    allm__json_init(&j, &h, allm__str(text, n_text), name, 0, &err);
    for (allm__json_begin(&j, ALLM__JSON_ARRAY, "a list"); allm__json_elem(&j); n++) {
        assert_true(n < cap);
        memset(&list[n], 0, sizeof list[n]);
        while (allm__json_key(&j, &key)) {
            char *to = allm__str_eq(key, ALLM__S("file"))     ? list[n].file
                       : allm__str_eq(key, ALLM__S("level"))  ? list[n].level
                       : allm__str_eq(key, ALLM__S("expect")) ? list[n].expect
                                                              : NULL;
            size_t most = to == list[n].file ? sizeof list[n].file : sizeof list[n].level;
            list[n].refuse |= allm__str_eq(key, ALLM__S("refuse"));
            if (allm__json_next(&j) == ALLM__JSON_STRING && to)
                s = allm__json_text(&j), snprintf(to, most, "%.*s", (int)s.len, s.ptr);
            allm__json_skip(&j);
        }
    }
    if (allm__json_end(&j)) fail_msg("%s", err.message);
    allm__json_free(&j);
    free(text);
    test_heap_check(&m);
    return n;
}

static void test_gguf_golden_broken(void **state) {
    gguf_golden_entry list[100];
    size_t     n = gguf_golden_list("broken-gguf/index.json", list, ALLM__COUNT(list)), n_refused = 0, n_model = 0;
    allm_error err;
    char       name[128];
    (void)state;
    for (size_t i = 0; i < n; i++) {
        const char *words = NULL;
        snprintf(name, sizeof name, "broken-gguf/%.79s", list[i].file);
        allm_status status = gguf_open_golden(name, &err, NULL);
        for (size_t k = 0; k < ALLM__COUNT(gguf_broken); k++)
            if (!strcmp(gguf_broken[k].file, list[i].file)) words = gguf_broken[k].words;
        if (!strcmp(list[i].level, "model") || !strcmp(list[i].expect, "accept")) {
            if (status && strcmp(list[i].file, "tensor-int-weight.gguf")) fail_msg("%s: %s", list[i].file, err.message);
            n_model += !strcmp(list[i].level, "model");
        } else if (!strcmp(list[i].expect, "refuse") || words) {
            if (!status) fail_msg("%s was opened", list[i].file);
            if (!words || !strstr(err.message, words))
                fail_msg("%s: %s (expected: %s)", list[i].file, err.message, words ? words : "?");
            n_refused++;
        }
    }
    assert_true(n >= 74 && n_refused >= 43 && n_model >= 23);
}

static void test_gguf_golden_models(void **state) {
    gguf_golden_entry list[100];
    size_t     n = gguf_golden_list("gguf/manifest.json", list, ALLM__COUNT(list)), n_opened = 0;
    allm_error err;
    char       name[128];
    (void)state;
    for (size_t i = 0; i < n; i++) {
        size_t n_tensors = 0;
        snprintf(name, sizeof name, "gguf/%.79s", list[i].file);
        allm_status status = gguf_open_golden(name, &err, &n_tensors);
        if (!list[i].refuse) {
            if (status || n_tensors < 10) fail_msg("%s: %s", name, err.message);
            n_opened++;
        } else {
            assert_int_equal(status, ALLM_E_FORMAT);
            assert_non_null(strstr(err.message, strstr(name, "big-endian") ? "big-endian" : "GGUF version 1"));
        }
    }
    assert_true(n >= 46 && n_opened >= 44);
}

/* The same weights in three parts and in one file: the same tensors, whichever part is given. */
static void test_gguf_golden_split(void **state) {
    test_heap  m   = {0};
    allm__host h   = test_host(&m);
    char      *one = test_golden_path("gguf/llama-f16.gguf");
    allm_error err = {0};
    allm__gguf a, b;
    allm_source src = gguf_path(one);
    (void)state;
    assert_int_equal(allm__gguf_open(&h, &src, &a, &err), ALLM_OK);
    for (int part = 1; part <= 3; part++) {
        char name[64];
        snprintf(name, sizeof name, "gguf/special-split-%05d-of-00003.gguf", part);
        char *path = test_golden_path(name);
        src = gguf_path(path);
        assert_int_equal(allm__gguf_open(&h, &src, &b, &err), ALLM_OK);
        assert_true(b.n_files == 3 && a.n_tensors == b.n_tensors);
        for (size_t i = 0; i < a.n_tensors; i++) {
            const allm__tensor *t = allm__gguf_tensor(&b, a.tensors[i].name);
            assert_true(t && t->type == a.tensors[i].type && t->n_bytes == a.tensors[i].n_bytes);
            assert_memory_equal(t->data, a.tensors[i].data, t->n_bytes);
        }
        allm__gguf_close(&b);
        free(path);
    }
    allm__gguf_close(&a);
    free(one);
    test_heap_check(&m);
}

static void test_gguf_smollm2(void **state) {
    char       *path = test_model_path("SmolLM2-135M-Instruct.Q4_1.gguf");
    test_heap   m    = {0};
    allm__host  h    = test_host(&m);
    allm_source src  = gguf_path(path);
    double      best = 1e9;
    (void)state;
    for (int i = 0; i < 5; i++) {
        allm_error err = {0};
        allm__gguf g;
        const allm__gguf_kv *tokens;
        double     t0 = test_seconds();
        if (allm__gguf_open(&h, &src, &g, &err)) fail_msg("%s", err.message);
        best = ALLM__MIN(best, test_seconds() - t0);
        assert_true(g.n_tensors == 272 && g.n_kv == 33);
        assert_true(!allm__gguf_get_array(&g, "tokenizer.ggml.tokens", "s", 1, &tokens, &err) && tokens->n == 49152);
        assert_int_equal(allm__gguf_check_types(&g, &err), ALLM_OK);
        allm__gguf_close(&g);
    }
    test_heap_check(&m);
#ifndef ABSTRACTLLM_NO_MMAP /* else the file itself is held in memory */
    assert_true(m.peak < 256 << 10);
#endif
    test_time("opening a mapped file", best, 0.02); /* 0.6 ms at -O2 */
    free(path);
}

static const struct CMUnitTest test_gguf[] = {
    cmocka_unit_test(test_gguf_values),
    cmocka_unit_test(test_gguf_value_errors),
    cmocka_unit_test(test_gguf_least),
    cmocka_unit_test(test_gguf_fault_01_truncation),
    cmocka_unit_test(test_gguf_fault_02_versions),
    cmocka_unit_test(test_gguf_fault_02_not_gguf),
    cmocka_unit_test(test_gguf_fault_03_counts),
    cmocka_unit_test(test_gguf_fault_04_keys),
    cmocka_unit_test(test_gguf_fault_05_types),
    cmocka_unit_test(test_gguf_fault_06_arrays),
    cmocka_unit_test(test_gguf_fault_07_dimensions),
    cmocka_unit_test(test_gguf_fault_08_sizes),
    cmocka_unit_test(test_gguf_fault_09_types),
    cmocka_unit_test(test_gguf_fault_10_offsets),
    cmocka_unit_test(test_gguf_fault_10_overlap),
    cmocka_unit_test(test_gguf_fault_11_alignment),
    cmocka_unit_test(test_gguf_fault_12_names),
    cmocka_unit_test(test_gguf_fault_flips),
    cmocka_unit_test(test_gguf_fault_fields),
    cmocka_unit_test(test_gguf_fault_mutations),
    cmocka_unit_test(test_gguf_memory),
    cmocka_unit_test(test_gguf_stack),
    cmocka_unit_test(test_gguf_bounds),
    cmocka_unit_test(test_gguf_reader),
    cmocka_unit_test(test_gguf_paths),
    cmocka_unit_test(test_gguf_split),
    cmocka_unit_test(test_gguf_golden_broken),
    cmocka_unit_test(test_gguf_golden_models),
    cmocka_unit_test(test_gguf_golden_split),
    cmocka_unit_test(test_gguf_smollm2),
};
