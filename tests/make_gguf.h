/* Writes GGUF files in memory, right ones and wrong ones, for tests of every room:
 *
 *     make_gguf w = make_gguf_new();
 *     make_kv_str(&w, "general.architecture", "llama");
 *     make_kv_u32(&w, "llama.block_count", 1);
 *     make_tensor(&w, "token_embd.weight", ALLM__F32, 2, (const int64_t[]){8, 16}, data, 8 * 16 * 4);
 *     make_gguf_end(&w);                          w.bytes, w.n: the file
 *     make_gguf_free(&w);
 *
 * Fields between new and end may be changed to write nonsense: version, alignment, n_kv and n_tensors (added to the
 * true counts), and make_raw puts any bytes. */
#ifndef MAKE_GGUF_H
#define MAKE_GGUF_H

typedef struct make_bytes {
    uint8_t *p;
    size_t   n, cap;
} make_bytes;

typedef struct make_gguf {
    uint32_t   version;
    uint64_t   alignment;          /* of the data; make_kv_u32 writes the key */
    uint64_t   n_kv, n_tensors;
    make_bytes kv, infos, data;
    uint8_t   *bytes; /* [n] the file, after make_gguf_end */
    size_t     n;
} make_gguf;

static void make_raw(make_bytes *b, const void *p, size_t n) {
    if (b->n + n > b->cap) {
        b->cap = (b->n + n) * 2 + 64;
        b->p   = (uint8_t *)realloc(b->p, b->cap);
        assert_non_null(b->p);
    }
    if (n) memcpy(b->p + b->n, p, n);
    b->n += n;
}

static void make_uint(make_bytes *b, uint64_t v, int n_bytes) { /* little-endian */
    uint8_t t[8];
    for (int i = 0; i < n_bytes; i++) t[i] = (uint8_t)(v >> 8 * i);
    make_raw(b, t, (size_t)n_bytes);
}

static void make_str(make_bytes *b, const char *s, size_t n) {
    make_uint(b, n, 8);
    make_raw(b, s, n);
}

static make_gguf make_gguf_new(void) {
    make_gguf w = {0};
    w.version = 3, w.alignment = 32;
    return w;
}

static void make_key(make_gguf *w, const char *key, uint32_t type) {
    make_str(&w->kv, key, strlen(key));
    make_uint(&w->kv, type, 4);
    w->n_kv++;
}

/* Has the file this key? Looked for as text: keys of tests are no part of other values. */
static int make_has_key(const make_gguf *w, const char *key) {
    const size_t n = strlen(key);
    for (size_t i = 8; i + n <= w->kv.n; i++)
        if (!memcmp(w->kv.p + i, key, n) && w->kv.p[i - 8] == n && !w->kv.p[i - 7]) return 1;
    return 0;
}

static void make_kv_uint(make_gguf *w, const char *key, uint32_t type, uint64_t v, int n_bytes) {
    make_key(w, key, type);
    make_uint(&w->kv, v, n_bytes);
}

static void make_kv_u32(make_gguf *w, const char *key, uint32_t v) { make_kv_uint(w, key, ALLM__GGUF_U32, v, 4); }

static void make_kv_f32(make_gguf *w, const char *key, float v) {
    make_kv_uint(w, key, ALLM__GGUF_F32, allm__bits(v), 4);
}

static void make_kv_str(make_gguf *w, const char *key, const char *v) {
    make_key(w, key, ALLM__GGUF_STRING);
    make_str(&w->kv, v, strlen(v));
}

/* The head of an array; the caller puts n elements into w->kv. */
static void make_kv_array(make_gguf *w, const char *key, uint32_t type, uint64_t n) {
    make_key(w, key, ALLM__GGUF_ARRAY);
    make_uint(&w->kv, type, 4);
    make_uint(&w->kv, n, 8);
}

static void make_kv_strs(make_gguf *w, const char *key, const char *const *v, size_t n) {
    make_kv_array(w, key, ALLM__GGUF_STRING, n);
    for (size_t i = 0; i < n; i++) make_str(&w->kv, v[i], strlen(v[i]));
}

/* A tensor whose data is at a given offset; no data is added. */
static void make_info(make_gguf *w, const char *name, uint32_t type, uint32_t n_dims, const int64_t *dims,
                      uint64_t offset) {
    make_str(&w->infos, name, strlen(name));
    make_uint(&w->infos, n_dims, 4);
    for (uint32_t i = 0; i < n_dims; i++) make_uint(&w->infos, (uint64_t)dims[i], 8);
    make_uint(&w->infos, type, 4);
    make_uint(&w->infos, offset, 8);
    w->n_tensors++;
}

static void make_pad(make_bytes *b, size_t n) {
    while (b->n < n) make_raw(b, "", 1);
}

/* A tensor with its data behind the others; data NULL: a pattern. */
static void make_tensor(make_gguf *w, const char *name, uint32_t type, uint32_t n_dims, const int64_t *dims,
                        const void *data, size_t n_bytes) {
    make_pad(&w->data, (w->data.n + w->alignment - 1) / w->alignment * w->alignment);
    make_info(w, name, type, n_dims, dims, w->data.n);
    if (data) make_raw(&w->data, data, n_bytes);
    else
        for (size_t i = 0; i < n_bytes; i++) make_raw(&w->data, &(uint8_t){(uint8_t)(i * 37 + 11)}, 1);
}

static void make_gguf_end(make_gguf *w) {
    make_bytes b = {0};
    make_raw(&b, "GGUF", 4);
    make_uint(&b, w->version, 4);
    make_uint(&b, w->n_tensors, 8);
    make_uint(&b, w->n_kv, 8);
    make_raw(&b, w->kv.p, w->kv.n);
    make_raw(&b, w->infos.p, w->infos.n);
    if (w->data.n) make_pad(&b, (b.n + w->alignment - 1) / w->alignment * w->alignment);
    make_raw(&b, w->data.p, w->data.n);
    w->bytes = b.p, w->n = b.n;
}

static void make_gguf_free(make_gguf *w) {
    free(w->kv.p), free(w->infos.p), free(w->data.p), free(w->bytes);
    memset(w, 0, sizeof *w);
}

#endif
