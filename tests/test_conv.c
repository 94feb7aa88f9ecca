/* Room conv: types and mixes, rows as the quantisers make them, metadata, split files, packed files, what fails and
 * leaves nothing behind. FAULTS rows 15, 38 and 39. */
#include "make_model.h"
#include <dirent.h>

enum { CONV_COLS = 256 };

typedef struct conv_sink { /* a writer into memory; refuses what goes beyond `most`, takes at most `piece` at once */
    make_bytes bytes;
    uint64_t   most;
    size_t     piece;
} conv_sink;

static int64_t conv_write(void *ctx, uint64_t offset, const void *data, size_t n) {
    conv_sink *s = (conv_sink *)ctx;
    if (offset != s->bytes.n) return -1;
    n = ALLM__MIN(n, s->piece);
    if (offset + n > s->most) n = offset < s->most ? (size_t)(s->most - offset) : 0;
    make_raw(&s->bytes, data, n);
    return (int64_t)n;
}

static conv_sink conv_sink_new(void) {
    conv_sink s = {{NULL, 0, 0}, UINT64_MAX, SIZE_MAX};
    return s;
}

/* Converts bytes into a sink. */
static allm_status conv_memory(test_engine *e, const void *bytes, size_t n, allm_convert_config cfg, conv_sink *sink,
                               allm_error *err) {
    allm_source src = {0};
    memset(err, 0, sizeof *err);
    src.data = bytes, src.n_bytes = n;
    cfg.write = conv_write, cfg.ctx = sink;
    return allm__conv_file(&e->host, &e->compute, &src, NULL, &cfg, err);
}

static void conv_open(test_engine *e, const make_bytes *b, allm__gguf *g) {
    allm_error  err = {0};
    allm_source src = {0};
    src.data = b->p, src.n_bytes = b->n;
    if (allm__gguf_open(&e->host, &src, g, &err)) fail_msg("%s", err.message);
}

static allm_convert_config conv_type(const char *type) {
    allm_convert_config cfg = {0};
    cfg.type = type;
    return cfg;
}

/* ---- types and shapes */

/* A matrix of a type with weights of some spread, from a seed. */
static void conv_put_matrix(make_gguf *w, const char *name, int32_t type, int64_t n_cols, int64_t n_rows,
                            int64_t n_mats) {
    const allm__fmt *f    = allm__fmt_find(type);
    int64_t          n    = n_cols * n_rows * n_mats, dims[3] = {n_cols, n_rows, n_mats};
    float           *x    = (float *)malloc((size_t)n * sizeof *x);
    size_t           size = (size_t)(n / f->n_weights * f->n_bytes);
    void            *p    = malloc(size);
    make_model_weights(x, n, n_cols, 0);
    f->quant(x, p, n);
    make_tensor(w, name, (uint32_t)type, n_mats > 1 ? 3 : 2, dims, p, size);
    free(x), free(p);
}

static make_gguf conv_shapes(int32_t type, int64_t n_cols) {
    make_gguf w = make_gguf_new();
    float     norm[4] = {1, 2, 3, 4};
    make_kv_str(&w, "general.architecture", "llama");
    make_kv_u32(&w, "general.file_type", 77);
    make_kv_strs(&w, "tokenizer.ggml.tokens", (const char *const[]){"a", "", "ccc"}, 3);
    make_kv_f32(&w, "llama.odd", 1.5f);
    conv_put_matrix(&w, "token_embd.weight", type, n_cols, 5, 1);
    conv_put_matrix(&w, "blk.0.attn_v.weight", type, n_cols, 17, 1);
    conv_put_matrix(&w, "blk.0.ffn_down_exps.weight", type, n_cols, 3, 2);
    conv_put_matrix(&w, "blk.0.attn_norm.weight", ALLM__F32, 4, 1, 1);
    make_tensor(&w, "blk.0.attn_q.bias", ALLM__F32, 1, DIMS(4), norm, sizeof norm);
    conv_put_matrix(&w, "blk.0.ffn_gate_inp.weight", ALLM__F32, 4, 3, 1);
    make_tensor(&w, "table", ALLM__I32, 2, DIMS(3, 2), NULL, 24);
    make_gguf_end(&w);
    return w;
}

/* Rows of the output are what the format's quantiser makes of rows of the input, or the input's bytes. */
static void conv_check_rows(const allm__tensor *from, const allm__tensor *to) {
    const size_t in  = (size_t)(from->dims[0] / from->fmt->n_weights * from->fmt->n_bytes);
    const size_t out = (size_t)(to->dims[0] / to->fmt->n_weights * to->fmt->n_bytes);
    const int64_t n_rows = to->dims[1] * to->dims[2] * to->dims[3];
    float         x[1024];
    uint8_t       row[4096];
    assert_int_equal(memcmp(from->dims, to->dims, sizeof to->dims), 0);
    assert_int_equal(to->n_bytes, out * (size_t)n_rows);
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *have = to->data + (size_t)r * out;
        if (from->type == to->type) { assert_memory_equal(have, from->data + (size_t)r * in, in); continue; }
        from->fmt->dequant(from->data + (size_t)r * in, x, from->dims[0]);
        to->fmt->quant(x, row, to->dims[0]);
        assert_memory_equal(have, row, out);
    }
}

static void conv_check_keys(const allm__gguf *a, const allm__gguf *b, int64_t file_type) {
    int64_t    v;
    allm_error err = {0};
    for (size_t i = 0; i < a->n_kv; i++) {
        const allm__gguf_kv *x = &a->kv[i], *y = allm__gguf_find(b, x->key);
        assert_non_null(y);
        if (allm__str_eq(x->key, ALLM__S("general.file_type"))) continue;
        assert_int_equal(x->type, y->type);
        assert_int_equal(x->n_bytes, y->n_bytes);
        assert_memory_equal(x->data, y->data, x->n_bytes);
    }
    assert_int_equal(allm__gguf_get_int(b, "general.file_type", 0, 1000, -1, &v, &err), ALLM_OK);
    assert_int_equal(v, file_type);
}

/* Every mix from several types and widths, with one and with three threads. */
static void conv_all_types(void **state) {
    static const int32_t sources[] = {ALLM__F32, ALLM__F16, ALLM__BF16, ALLM__Q8_0, ALLM__Q6_K};
    static const int64_t widths[]  = {1, 31, 32, 48, 64, 96, 256, 288, 512};
    test_engine one, three;
    allm_error  err;
    int         n = 0;
    (void)state;
    test_engine_init(&one, 1, "scalar"), test_engine_init(&three, 3, "scalar");
    for (size_t s = 0; s < ALLM__COUNT(sources); s++)
        for (size_t k = 0; k < ALLM__COUNT(widths); k++) {
            if (widths[k] % allm__fmt_find(sources[s])->n_weights) continue;
            make_gguf  w    = conv_shapes(sources[s], widths[k]);
            make_bytes whole = {w.bytes, w.n, w.n};
            for (size_t i = 0; i < ALLM__COUNT(allm__model_mixes); i++) {
                const allm__model_mix *mix = &allm__model_mixes[i];
                conv_sink  a = conv_sink_new(), b = conv_sink_new();
                allm__gguf in, out;
                if (conv_memory(&one, w.bytes, w.n, conv_type(mix->name), &a, &err) ||
                    conv_memory(&three, w.bytes, w.n, conv_type(mix->name), &b, &err))
                    fail_msg("%s, rows of %d: %s", mix->name, (int)widths[k], err.message);
                assert_int_equal(a.bytes.n, b.bytes.n);
                assert_memory_equal(a.bytes.p, b.bytes.p, a.bytes.n);
                conv_open(&one, &whole, &in), conv_open(&one, &a.bytes, &out);
                assert_int_equal(in.n_tensors, out.n_tensors);
                for (size_t t = 0; t < in.n_tensors; t++) {
                    assert_true(allm__str_eq(in.tensors[t].name, out.tensors[t].name));
                    conv_check_rows(&in.tensors[t], &out.tensors[t]);
                    if (t > 2) assert_int_equal(in.tensors[t].type, out.tensors[t].type);
                }
                conv_check_keys(&in, &out, mix->file_type);
                if (widths[k] % 256 == 0 && sources[s] == ALLM__F32 && strcmp(mix->name, "MXFP4_MOE"))
                    n += out.tensors[2].type == mix->type; /* most have their base type there */
                allm__gguf_close(&in), allm__gguf_close(&out);
                free(a.bytes.p), free(b.bytes.p);
            }
            make_gguf_free(&w);
        }
    assert_true(n >= 2 * (int)ALLM__COUNT(allm__model_mixes) / 2);
    test_engine_free(&one), test_engine_free(&three);
}

/* What llama-quantize chose for models of 16 and 80 layers; a letter a layer: see `letters`. */
static const struct conv_mix {
    const char *type;
    int         n_head, n_head_kv;
    const char *v, *down, *more; /* attn_v; ffn_down; attn_output, attn_k, attn_q, ffn_up, token_embd, output */
} conv_mixes[] = {
    {"Q8_0", 4, 2, "8888888888888888", "8888888888888888", "88888-"},
    {"Q4_0", 4, 2, "4444444444444444", "4444444444444444", "4444g-"},
    {"Q2_K", 4, 2, "cccccccccccccccc", "cccccccccccccccc", "cbbbg-"},
    {"Q3_K_S", 4, 2, "cccccccccccccccc", "cccccccccccccccc", "ccccg-"},
    {"Q3_K_M", 4, 2, "eedddddddddddddd", "eddddddddddddddd", "dcccg-"},
    {"Q3_K_L", 4, 2, "eeeeeeeeeeeeeeee", "eeeeeeeeeeeeeeee", "ecccg-"},
    {"Q4_K_S", 4, 2, "eeeedddddddddddd", "eedddddddddddddd", "ddddg-"},
    {"Q4_K_M", 4, 2, "ggddgddgddgddggg", "ggddgddgddgddggg", "ddddg-"},
    {"q4_k", 4, 2, "ggddgddgddgddggg", "ggddgddgddgddggg", "ddddg-"}, /* the usual one */
    {"Q5_K_S", 4, 2, "eeeeeeeeeeeeeeee", "eeeeeeeeeeeeeeee", "eeeeg-"},
    {"Q5_K_M", 4, 2, "ggeegeegeegeeggg", "ggeegeegeegeeggg", "eeeeg-"},
    {"Q6_K", 4, 2, "gggggggggggggggg", "gggggggggggggggg", "ggggg-"},
    {"IQ4_NL", 4, 2, "nnnnnnnnnnnnnnnn", "eennnnnnnnnnnnnn", "nnnng-"},
    {"IQ4_XS", 4, 2, "xxxxxxxxxxxxxxxx", "eexxxxxxxxxxxxxx", "xxxxg-"},
    {"MXFP4_MOE", 4, 2, "8888888888888888", "8888888888888888", "88888-"},
    {"Q2_K", 8, 2, "dddddddddddddddd", "cccccccccccccccc", "cbbbbg"},
    {"Q3_K_M", 8, 2, "eedddddddddddddd", "eddddddddddddddd", "dccccg"},
    {"Q4_K_M", 8, 2, "ggddgddgddgddggg", "ggddgddgddgddggg", "dddddg"},
    {"IQ4_NL", 8, 2, "eeeeeeeeeeeeeeee", "eennnnnnnnnnnnnn", "nnnnng"},
    {"IQ4_XS", 8, 2, "eeeeeeeeeeeeeeee", "eexxxxxxxxxxxxxx", "xxxxxg"},
};

static make_gguf conv_layers(int n_layer, int n_head, int n_head_kv) {
    static const char *const names[] = {"attn_v", "ffn_down", "attn_output", "attn_k", "attn_q", "ffn_up"};
    make_gguf w = make_gguf_new();
    char      name[64];
    make_kv_str(&w, "general.architecture", "llama");
    make_kv_u32(&w, "llama.block_count", (uint32_t)n_layer);
    make_kv_u32(&w, "llama.attention.head_count", (uint32_t)n_head);
    make_kv_u32(&w, "llama.attention.head_count_kv", (uint32_t)n_head_kv);
    conv_put_matrix(&w, "token_embd.weight", ALLM__F32, CONV_COLS, 2, 1);
    for (int i = n_layer; i-- > 0;) /* the order of the file does not matter */
        for (size_t k = 0; k < ALLM__COUNT(names); k++) {
            snprintf(name, sizeof name, "blk.%d.%s.weight", i, names[k]);
            conv_put_matrix(&w, name, ALLM__F32, CONV_COLS, 2, 1);
        }
    if (n_head == 8) conv_put_matrix(&w, "output.weight", ALLM__F32, CONV_COLS, 2, 1);
    make_gguf_end(&w);
    return w;
}

static char conv_letter(const allm__gguf *g, const char *format, int i) {
    static const struct { int32_t type; char letter; } letters[] = {
        {ALLM__Q8_0, '8'}, {ALLM__Q4_0, '4'}, {ALLM__Q2_K, 'b'},   {ALLM__Q3_K, 'c'},   {ALLM__Q4_K, 'd'},
        {ALLM__Q5_K, 'e'}, {ALLM__Q6_K, 'g'}, {ALLM__IQ4_NL, 'n'}, {ALLM__IQ4_XS, 'x'},
    };
    char name[64];
    snprintf(name, sizeof name, "blk.%d.%s.weight", i, format);
    const allm__tensor *t = allm__gguf_tensor(g, allm__str_of(i < 0 ? format : name));
    for (size_t k = 0; t && k < ALLM__COUNT(letters); k++)
        if (letters[k].type == t->type) return letters[k].letter;
    return t ? '?' : '-';
}

static void conv_chooses_types(void **state) {
    test_engine e;
    allm_error  err;
    (void)state;
    test_engine_init(&e, 1, "scalar");
    for (size_t i = 0; i < ALLM__COUNT(conv_mixes); i++) {
        const struct conv_mix *m = &conv_mixes[i];
        make_gguf  w = conv_layers(16, m->n_head, m->n_head_kv);
        conv_sink  s = conv_sink_new();
        allm__gguf g;
        char       v[17] = "", down[17] = "";
        if (conv_memory(&e, w.bytes, w.n, conv_type(m->type), &s, &err)) fail_msg("%s: %s", m->type, err.message);
        conv_open(&e, &s.bytes, &g);
        for (int k = 0; k < 16; k++) v[k] = conv_letter(&g, "attn_v", k), down[k] = conv_letter(&g, "ffn_down", k);
        char more[7] = {conv_letter(&g, "attn_output", 0), conv_letter(&g, "attn_k", 0), conv_letter(&g, "attn_q", 0),
                        conv_letter(&g, "ffn_up", 0), conv_letter(&g, "token_embd.weight", -1),
                        conv_letter(&g, "output.weight", -1), 0};
        assert_string_equal(v, m->v);
        assert_string_equal(down, m->down);
        assert_string_equal(more, m->more);
        allm__gguf_close(&g);
        free(s.bytes.p);
        make_gguf_free(&w);
    }
    test_engine_free(&e);
}

/* ---- files */

typedef struct conv_folder { char path[256], out[300]; } conv_folder; /* out: a name in it */

static conv_folder conv_folder_new(const char *name) {
    conv_folder f;
    test_temp   t = test_temp_new("", 0);
    unlink(t.path);
    assert_int_equal(mkdir(t.path, 0700), 0);
    snprintf(f.path, sizeof f.path, "%s", t.path);
    snprintf(f.out, sizeof f.out, "%s/%s", t.path, name);
    return f;
}

static int conv_folder_count(const conv_folder *f) { /* files in it */
    DIR *d = opendir(f->path);
    int  n = 0;
    assert_non_null(d);
    for (struct dirent *entry; (entry = readdir(d)) != NULL;) n += entry->d_name[0] != '.';
    closedir(d);
    return n;
}

static void conv_folder_remove(const conv_folder *f) {
    DIR *d = opendir(f->path);
    char path[600];
    for (struct dirent *entry; d && (entry = readdir(d)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", f->path, entry->d_name);
        unlink(path);
    }
    closedir(d);
    assert_int_equal(rmdir(f->path), 0);
}

static allm_status conv_path(test_engine *e, const char *in, const char *out, const allm_convert_config *cfg,
                             allm_error *err) {
    allm_source src = {0};
    memset(err, 0, sizeof *err);
    src.path = in;
    return allm__conv_file(&e->host, &e->compute, &src, out, cfg, err);
}

static void conv_same_file(const char *a, const char *b) {
    size_t n, m;
    char  *x = test_read(a, &n), *y = test_read(b, &m);
    assert_non_null(x);
    assert_non_null(y);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    free(x), free(y);
}

typedef struct conv_seen { int n_tensors; double worst; float last; } conv_seen;

static void conv_report(void *ctx, const allm_convert_tensor *t) {
    conv_seen *s = (conv_seen *)ctx;
    assert_true(t->name[0] && t->from[0] && t->to[0] && t->n_weights > 0 && t->n_bytes > 0 && t->rmse >= 0);
    s->n_tensors++, s->worst = ALLM__MAX(s->worst, t->relative);
}

static void conv_progress(void *ctx, float fraction) {
    conv_seen *s = (conv_seen *)ctx;
    assert_true(fraction >= s->last && fraction <= 1);
    s->last = fraction;
}

/* A copy has the same bytes; splitting and merging gives them back; a part stands for the whole. */
static void conv_splits_and_merges(void **state) {
    make_gguf           w = conv_layers(6, 8, 2);
    test_temp           in = test_temp_new(w.bytes, w.n);
    conv_folder         f  = conv_folder_new("model.gguf");
    allm_convert_config cfg = {0};
    test_engine         e;
    allm_error          err;
    char                part[400], merged[400];
    (void)state;
    test_engine_init(&e, 2, "scalar");
    if (conv_path(&e, in.path, f.out, &cfg, &err)) fail_msg("%s", err.message);
    conv_same_file(in.path, f.out);
    assert_int_equal(conv_path(&e, f.out, f.out, &cfg, &err), ALLM_E_ARGUMENT); /* nothing is lost */
    assert_non_null(strstr(err.message, "is the input itself"));
    conv_same_file(in.path, f.out);
    cfg.split_bytes = 1 << 20;
    if (conv_path(&e, in.path, f.out, &cfg, &err)) fail_msg("%s", err.message); /* one part: the name as it is */
    assert_int_equal(conv_folder_count(&f), 1);
    unlink(f.out);
    for (uint64_t most = 1; most < 40000; most = most * 5 + 2048) { /* down to one tensor a part */
        conv_seen seen = {0, 0, 0};
        cfg.split_bytes = most, cfg.check = 1, cfg.report = conv_report, cfg.ctx = &seen, cfg.progress = conv_progress;
        if (conv_path(&e, in.path, f.out, &cfg, &err)) fail_msg("%s", err.message);
        const int n = conv_folder_count(&f);
        assert_true(n > 1 && seen.n_tensors == 38 && seen.worst == 0 && seen.last == 1);
        allm_convert_config plain = {0};
        for (int i = 1; i <= n; i += ALLM__MAX(n - 1, 1)) {
            snprintf(part, sizeof part, "%s/model-%05d-of-%05d.gguf", f.path, i, n);
            snprintf(merged, sizeof merged, "%s/merged", f.path);
            if (conv_path(&e, part, merged, &plain, &err)) fail_msg("%s", err.message);
            conv_same_file(in.path, merged);
            unlink(merged);
        }
        conv_folder_remove(&f);
        assert_int_equal(mkdir(f.path, 0700), 0);
    }
    conv_folder_remove(&f);
    test_temp_remove(&in);
    make_gguf_free(&w);
    test_engine_free(&e);
}

/* With check, the error of each tensor is told, and larger for fewer bits. */
static void conv_checks(void **state) {
    static const char *const types[] = {"F32", "Q8_0", "Q6_K", "Q4_K_S", "Q2_K"};
    make_gguf           w = conv_layers(2, 8, 2);
    test_temp           in = test_temp_new(w.bytes, w.n);
    conv_folder         f  = conv_folder_new("model.gguf");
    test_engine         e;
    allm_error          err;
    double              last = -1;
    (void)state;
    test_engine_init(&e, 2, "scalar");
    for (size_t i = 0; i < ALLM__COUNT(types); i++) {
        conv_seen           seen = {0, 0, 0};
        allm_convert_config cfg  = conv_type(types[i]);
        cfg.check = 1, cfg.report = conv_report, cfg.ctx = &seen;
        if (conv_path(&e, in.path, f.out, &cfg, &err)) fail_msg("%s", err.message);
        assert_int_equal(seen.n_tensors, 14);
        assert_true(seen.worst > last && seen.worst < 0.5);
        last = seen.worst;
    }
    assert_int_equal(conv_folder_count(&f), 1);
    conv_folder_remove(&f);
    test_temp_remove(&in);
    make_gguf_free(&w);
    test_engine_free(&e);
}

/* What stood under the name stays when a conversion fails, nothing else is left, and what is no file is no target. */
static void conv_keeps_what_was_there(void **state) {
    make_gguf           w   = conv_layers(1, 8, 2);
    test_temp           bad = test_temp_new(w.bytes, w.n - 5), in = test_temp_new(w.bytes, w.n);
    conv_folder         f   = conv_folder_new("model.gguf");
    allm_convert_config cfg = conv_type("Q8_0");
    char                path[400];
    test_engine         e;
    allm_error          err;
    size_t              n;
    (void)state;
    test_engine_init(&e, 1, "scalar");
    FILE *old = fopen(f.out, "wb");
    assert_true(old && fputs("old", old) >= 0 && fclose(old) == 0);
    assert_int_equal(conv_path(&e, bad.path, f.out, &cfg, &err), ALLM_E_FORMAT);
    float nan_weight = NAN;
    memcpy(w.bytes + w.n - 64, &nan_weight, sizeof nan_weight);
    test_temp nan_file = test_temp_new(w.bytes, w.n);
    assert_int_equal(conv_path(&e, nan_file.path, f.out, &cfg, &err), ALLM_E_NUMERIC);
    assert_non_null(strstr(err.message, "output.weight"));
    char *text = test_read(f.out, &n);
    assert_string_equal(text, "old");
    free(text);
    assert_int_equal(conv_folder_count(&f), 1);
    if (conv_path(&e, in.path, f.out, &cfg, &err)) fail_msg("%s", err.message); /* replaced */
    assert_int_equal(conv_folder_count(&f), 1);
    assert_int_equal(conv_path(&e, f.out, f.out, &cfg, &err), ALLM_E_ARGUMENT); /* onto itself */
    assert_int_equal(conv_path(&e, in.path, f.path, &cfg, &err), ALLM_E_ARGUMENT); /* a folder */
    assert_int_equal(conv_path(&e, in.path, "/dev/null", &cfg, &err), ALLM_E_ARGUMENT);
    snprintf(path, sizeof path, "%s/none/model.gguf", f.path);
    assert_int_equal(conv_path(&e, in.path, path, &cfg, &err), ALLM_E_IO);
    assert_int_equal(conv_path(&e, path, f.out, &cfg, &err), ALLM_E_NOT_FOUND);
    assert_int_equal(conv_folder_count(&f), 1);
    conv_folder_remove(&f);
    test_temp_remove(&bad), test_temp_remove(&in), test_temp_remove(&nan_file);
    make_gguf_free(&w);
    test_engine_free(&e);
}

/* A disk that is full after any byte, and one that takes a byte at a time. */
static void conv_full_disk(void **state) {
    make_gguf   w = conv_shapes(ALLM__F32, 64);
    conv_sink   all = conv_sink_new();
    test_engine e;
    allm_error  err;
    (void)state;
    test_engine_init(&e, 1, "scalar");
    assert_int_equal(conv_memory(&e, w.bytes, w.n, conv_type("Q4_K_M"), &all, &err), ALLM_OK);
    for (uint64_t most = 0; most <= all.bytes.n; most++) {
        conv_sink s = conv_sink_new();
        s.most      = most;
        s.piece     = most == all.bytes.n ? 1 : SIZE_MAX;
        allm_status status = conv_memory(&e, w.bytes, w.n, conv_type("Q4_K_M"), &s, &err);
        assert_int_equal(status, most < all.bytes.n ? ALLM_E_IO : ALLM_OK);
        if (status) assert_int_equal(err.offset, (int64_t)most);
        assert_int_equal(s.bytes.n, most);
        if (most) assert_memory_equal(s.bytes.p, all.bytes.p, most);
        free(s.bytes.p);
    }
    free(all.bytes.p);
    make_gguf_free(&w);
    test_engine_free(&e);
}

/* Truncated at every byte, a bit flipped anywhere in the head: an error, or a file that opens. */
static void conv_damaged(void **state) {
    make_gguf   w = conv_shapes(ALLM__F16, 32);
    test_engine e;
    allm_error  err;
    (void)state;
    test_engine_init(&e, 1, "scalar");
    for (size_t n = 0; n < w.n; n++) {
        conv_sink  s     = conv_sink_new();
        test_guard guard = test_guard_new(n);
        if (n) memcpy(guard.ptr, w.bytes, n);
        if (!conv_memory(&e, guard.ptr, n, conv_type("Q4_0"), &s, &err)) fail_msg("%zu bytes are enough", n);
        assert_true(err.message[0] && s.bytes.n == 0);
        free(s.bytes.p);
        test_guard_free(&guard);
    }
    for (size_t i = 0; i < 8 * ALLM__MIN(w.n, 900); i++) {
        conv_sink s = conv_sink_new();
        w.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
        if (!conv_memory(&e, w.bytes, w.n, conv_type("Q4_0"), &s, &err)) {
            allm__gguf g;
            conv_open(&e, &s.bytes, &g);
            allm__gguf_close(&g);
        } else assert_true(err.message[0]);
        w.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
        free(s.bytes.p);
    }
    make_gguf_free(&w);
    test_engine_free(&e);
}

typedef struct conv_job {
    const make_gguf    *w;
    allm__compute       compute;
    allm_convert_config cfg;
    const char         *in, *out;
} conv_job;

static allm_status conv_body(const allm__host *h, void *ctx) {
    const conv_job     *j   = (const conv_job *)ctx;
    allm_convert_config cfg = j->cfg;
    conv_sink           s   = conv_sink_new();
    allm_error          err = {0};
    allm_source         src = {0};
    if (j->in) src.path = j->in;
    else src.data = j->w->bytes, src.n_bytes = j->w->n, cfg.write = conv_write, cfg.ctx = &s;
    allm_status status = allm__conv_file(h, &j->compute, &src, j->out, &cfg, &err);
    free(s.bytes.p);
    return status;
}

static void conv_no_memory(void **state) {
    make_model  m = make_model_new("llama");
    make_gguf   w = conv_shapes(ALLM__F32, 256), model = make_model_file(&m);
    test_temp   in = test_temp_new(w.bytes, w.n);
    conv_folder f  = conv_folder_new("model.gguf");
    test_engine e;
    (void)state;
    test_engine_init(&e, 2, "scalar");
    conv_job jobs[] = {{&w, e.compute, conv_type("Q4_K_M"), NULL, NULL},
                       {&w, e.compute, conv_type("Q8_0"), in.path, f.out},
                       {&model, e.compute, conv_type("Q4_0"), NULL, NULL}};
    jobs[1].cfg.split_bytes = 1000, jobs[1].cfg.check = 1, jobs[2].cfg.packed = 1;
    for (size_t i = 0; i < ALLM__COUNT(jobs); i++) test_fail_each(conv_body, &jobs[i]);
    conv_folder_remove(&f);
    test_temp_remove(&in);
    make_gguf_free(&w), make_gguf_free(&model);
    test_engine_free(&e);
}

/* ---- what is refused */

static void conv_refuses(void **state) {
    static const struct { const char *type; float weight; allm_status status; const char *words; } rows[] = {
        {"Q9_0", 0, ALLM_E_ARGUMENT, "type \"Q9_0\", expected one of F32 F16"},
        {"", 0, ALLM_E_ARGUMENT, "expected one of"},
        {"a very long name of a type that nobody has", 0, ALLM_E_ARGUMENT, "expected one of"},
        {"IQ2_XXS", 0, ALLM_E_ARGUMENT, "IQ2_XXS"}, /* needs importance weights */
        {"Q4_0", NAN, ALLM_E_NUMERIC, "tensor \"blk.0.w.weight\": row 2 holds NaN"},
        {"Q4_0", INFINITY, ALLM_E_NUMERIC, "row 2"},
        {"F16", 70000, ALLM_E_NUMERIC, "row 2"},
        {"BF16", 70000, ALLM_OK, ""},
        {"F16", 65504, ALLM_OK, ""},
        {"F32", NAN, ALLM_OK, ""}, /* copied */
    };
    test_engine e;
    (void)state;
    test_engine_init(&e, 2, "scalar");
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        make_gguf  w = make_gguf_new();
        conv_sink  s = conv_sink_new();
        allm_error err;
        float      x[4 * 32] = {0};
        x[2 * 32 + 7]        = rows[i].weight;
        make_tensor(&w, "blk.0.w.weight", ALLM__F32, 2, DIMS(32, 4), x, sizeof x);
        make_gguf_end(&w);
        allm_status status = conv_memory(&e, w.bytes, w.n, conv_type(rows[i].type), &s, &err);
        if (status != rows[i].status || !strstr(err.message, rows[i].words))
            fail_msg("%s: status %d: %s", rows[i].type, (int)status, err.message);
        free(s.bytes.p);
        make_gguf_free(&w);
    }
    test_engine_free(&e);
}

static void conv_arguments(void **state) {
    allm_convert_config cfg = {0};
    allm_source         src = {0};
    conv_sink           s   = conv_sink_new();
    allm_error          err = {0};
    (void)state;
    src.data = "GGUF", src.n_bytes = 4;
    assert_int_equal(allm_convert(NULL, NULL, "out", NULL, &err), ALLM_E_ARGUMENT);
    assert_int_equal(allm_convert(NULL, "in", NULL, NULL, &err), ALLM_E_ARGUMENT);
    assert_int_equal(allm_convert(NULL, "in", NULL, NULL, NULL), ALLM_E_ARGUMENT);
    assert_int_equal(allm_convert(NULL, "/no/such/file", "/no/out", NULL, &err), ALLM_E_NOT_FOUND);
    cfg.source = &src;
    assert_int_equal(allm_convert(NULL, "in", "out", &cfg, &err), ALLM_E_ARGUMENT);
    assert_int_equal(allm_convert(NULL, NULL, "/no/such/out", &cfg, &err), ALLM_E_FORMAT);
    cfg.write = conv_write, cfg.ctx = &s;
    assert_int_equal(allm_convert(NULL, NULL, "out", &cfg, &err), ALLM_E_ARGUMENT);
    cfg.check = 1;
    assert_int_equal(allm_convert(NULL, NULL, NULL, &cfg, &err), ALLM_E_ARGUMENT);
    cfg.check = 0, cfg.split_bytes = 5;
    assert_int_equal(allm_convert(NULL, NULL, NULL, &cfg, &err), ALLM_E_ARGUMENT);
    allm_shutdown();
}

/* ---- packed files */

/* Logits of a few tokens, with and without memory for packing, by a table of kernels. */
static float *conv_logits(const make_bytes *b, size_t shift, const char *isa, int reference, int low_memory,
                          size_t *n_packed) {
    static const int32_t ids[] = {3, 17, 4, 90, 5, 6, 7, 8, 2, 1, 40, 41, 42, 43};
    test_engine         e;
    allm_model         *m;
    allm_session       *s;
    allm_error          err = {0};
    allm_source         src = {0};
    allm_model_config   cfg = {0};
    allm_session_config shape = {0};
    uint8_t            *copy;
    assert_int_equal(posix_memalign((void **)&copy, 64, b->n + 64), 0);
    memcpy(copy + shift, b->p, b->n);
    test_engine_init(&e, 2, isa);
    src.data = copy + shift, src.n_bytes = b->n, cfg.reference = reference, cfg.low_memory = low_memory;
    if (allm__model_open(&e.host, &e.compute, &src, &cfg, &m, &err)) fail_msg("%s", err.message);
    if (allm__session_create(m, &shape, &s, &err) ||
        allm__session_eval(s, ids, ALLM__COUNT(ids), 1, NULL, NULL, &err))
        fail_msg("%s", err.message);
    const size_t n = ALLM__COUNT(ids) * (size_t)m->hp.n_vocab;
    float       *y = (float *)malloc(n * sizeof *y);
    for (size_t i = 0; i < ALLM__COUNT(ids); i++)
        memcpy(y + i * (size_t)m->hp.n_vocab, allm__session_logits(s, i), (size_t)m->hp.n_vocab * sizeof *y);
    if (n_packed) *n_packed = m->n_packed;
    allm__session_destroy(s);
    allm__model_release(m);
    test_engine_free(&e);
    free(copy);
    return y;
}

static make_bytes conv_packed(const make_gguf *w, const char *type) {
    test_engine         e;
    allm_error          err;
    conv_sink           s   = conv_sink_new();
    allm_convert_config cfg = conv_type(type);
    cfg.packed              = 1;
    test_engine_init(&e, 2, NULL);
    if (conv_memory(&e, w->bytes, w->n, cfg, &s, &err)) fail_msg("%s", err.message);
    test_engine_free(&e);
    return s.bytes;
}

/* Families whose matrices are whole, fused, stacked, of heads, and the embeddings' again. */
static void conv_packed_same_bits(void **state) {
    static const struct { const char *arch; int32_t type; int all; } rows[] = {
        {"llama", ALLM__Q4_0, 1}, {"llama", ALLM__F32, 1}, {"gemma2", ALLM__Q8_0, 1}, {"phi3", ALLM__Q4_1, 1},
        {"gpt2", ALLM__Q5_0, 1}, {"qwen3moe", ALLM__Q4_0, 1}, {"deepseek2", ALLM__BF16, 0}, {"mamba2", ALLM__F16, 0},
        {"qwen35", ALLM__Q8_0, 0}, {"gemma4", ALLM__Q8_0, 0},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        make_model m = make_model_new(rows[i].arch);
        m.type       = rows[i].type;
        make_gguf  w = make_model_file(&m);
        make_bytes plain = {w.bytes, w.n, w.n}, packed = conv_packed(&w, NULL);
        for (int way = 0; way < 4; way++) { /* default, reference, low memory, not aligned in memory */
            size_t n_plain = 0, n_packed = 0, shift = way == 3 ? 8 : 0;
            float *a = conv_logits(&plain, 0, NULL, way == 1, way == 2, &n_plain);
            float *b = conv_logits(&packed, shift, NULL, way == 1, way == 2, &n_packed);
            assert_memory_equal(a, b, 14 * 96 * sizeof *a);
            if (way != 2) assert_true(rows[i].all ? n_plain > 0 && n_packed == 0 : n_packed < n_plain);
            free(a), free(b);
        }
        free(packed.p);
        make_gguf_free(&w);
    }
}

/* Another type and packed at once is the same as one after the other. A packed file keeps its types. */
static void conv_packed_again(void **state) {
    make_model m = make_model_new("llama");
    m.n_vocab = 100; /* no whole groups */
    make_gguf   w = make_model_file(&m);
    conv_sink   q = conv_sink_new(), copy = conv_sink_new(), other = conv_sink_new();
    test_engine e;
    allm_error  err;
    (void)state;
    test_engine_init(&e, 1, NULL);
    assert_int_equal(conv_memory(&e, w.bytes, w.n, conv_type("Q4_0"), &q, &err), ALLM_OK);
    make_gguf  step = {0};
    step.bytes = q.bytes.p, step.n = q.bytes.n;
    make_bytes a = conv_packed(&w, "Q4_0"), b = conv_packed(&step, NULL);
    allm__gguf x, y;
    conv_open(&e, &a, &x), conv_open(&e, &b, &y);
    assert_int_equal(x.n_tensors, y.n_tensors);
    assert_true(x.n_tensors > 2 && x.alignment == 64);
    for (size_t i = 0; i < x.n_tensors; i++) {
        assert_int_equal(x.tensors[i].type, y.tensors[i].type);
        assert_memory_equal(x.tensors[i].data, y.tensors[i].data, x.tensors[i].n_bytes);
    }
    assert_int_equal(conv_memory(&e, a.p, a.n, conv_type(NULL), &copy, &err), ALLM_OK);
    assert_int_equal(copy.bytes.n, a.n);
    assert_memory_equal(copy.bytes.p, a.p, a.n);
    assert_int_equal(conv_memory(&e, a.p, a.n, conv_type("Q8_0"), &other, &err), ALLM_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "is packed"));
    allm__gguf_close(&x), allm__gguf_close(&y);
    free(a.p), free(b.p), free(q.bytes.p), free(copy.bytes.p), free(other.bytes.p);
    make_gguf_free(&w);
    test_engine_free(&e);
}

/* Sizes of packed tensors are checked, as are versions and tensors that cannot be packed. */
static void conv_packed_refused(void **state) {
    static const struct { int32_t type; int64_t dims[3]; const char *words; } rows[] = {
        {ALLM__PACK_TYPE | (ALLM__PACK_VERSION + 1) << 8 | ALLM__Q4_0, {32, 16, 1}, "packed by another version"},
        {ALLM__PACK_TYPE | ALLM__PACK_VERSION << 8 | ALLM__I32, {32, 16, 1}, "packed by another version"},
        {ALLM__PACK_TYPE | ALLM__PACK_VERSION << 8 | ALLM__Q4_0, {31, 16, 1}, "multiple of 32"},
        {ALLM__PACK_TYPE | ALLM__PACK_VERSION << 8 | ALLM__Q4_0, {32, INT64_MAX / 64, 1}, ""},
        {ALLM__PACK_TYPE | ALLM__PACK_VERSION << 8 | ALLM__F32, {1, INT64_MAX / 2, 1}, ""},
        {ALLM__PACK_TYPE | ALLM__PACK_VERSION << 8 | ALLM__Q4_0, {32, 17, 1}, "more bytes than the file has"},
    };
    test_engine e;
    (void)state;
    test_engine_init(&e, 1, NULL);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        make_gguf   w   = make_gguf_new();
        allm_error  err = {0};
        allm_source src = {0};
        allm__gguf  g;
        make_tensor(&w, "w.weight", (uint32_t)rows[i].type, 3, rows[i].dims, NULL, 64);
        make_gguf_end(&w);
        src.data = w.bytes, src.n_bytes = w.n;
        if (!allm__gguf_open(&e.host, &src, &g, &err)) allm__gguf_check_types(&g, &err);
        if (!err.status || !strstr(err.message, rows[i].words)) fail_msg("row %zu: %s", i, err.message);
        allm__gguf_close(&g);
        make_gguf_free(&w);
    }
    test_engine_free(&e);
}

/* ---- folders */

/* Golden models that a GGUF file cannot be: what the converter says, or NULL where it warns and leaves it out. */
static const struct conv_odd { const char *dir, *words; } conv_odds[] = {
    {"llama_dynamic", NULL}, /* GGUF has no dynamic RoPE */
};

enum { CONV_MOST_IDS = 256 };

/* The last logits of ids, or an encoder's vector, on the reference path. malloc. */
static float *conv_run(test_engine *e, const allm_source *src, const int32_t *ids, size_t n_ids, size_t *n,
                       allm_error *err) {
    allm_model_config   cfg     = {0};
    allm_session_config shape   = {0};
    allm_session       *session = NULL;
    allm_model         *m;
    float              *y = NULL;
    cfg.reference         = 1;
    if (allm__model_open(&e->host, &e->compute, src, &cfg, &m, err)) return NULL;
    const int causal = m->w.output.fmt && m->hp.causal;
    *n               = (size_t)(causal ? m->hp.n_vocab : m->hp.n_embd);
    if ((int64_t)n_ids > m->hp.n_ctx_train) shape.n_ctx = (int32_t)n_ids;
    if (!allm__session_create(m, &shape, &session, err)) {
        y = (float *)malloc(*n * sizeof *y);
        if (!causal) allm__session_embed(session, ids, NULL, n_ids, 0, 0, y, err);
        else if (!allm__session_eval(session, ids, n_ids, 0, NULL, NULL, err))
            memcpy(y, allm__session_logits(session, 0), *n * sizeof *y);
    }
    allm__session_destroy(session);
    allm__model_release(m);
    if (!err->status) return y;
    return free(y), (float *)NULL;
}

/* What the file computes is what the folder does; 0: the converter refuses it, or it is one of those that differ. */
static int conv_check_folder(test_engine *e, const char *dir, const int32_t *ids, size_t n_ids) {
    char                name[160];
    const struct conv_odd *odd = NULL;
    conv_sink           s   = conv_sink_new();
    allm_convert_config cfg = conv_type("F32");
    allm_source         src[2] = {{0}, {0}};
    allm_error          err    = {0};
    float              *y[2];
    double              d = 0, all = 0;
    size_t              n = 0;
    for (size_t i = 0; i < ALLM__COUNT(conv_odds); i++)
        if (!strcmp(conv_odds[i].dir, dir)) odd = &conv_odds[i];
    snprintf(name, sizeof name, "models/%s", dir);
    char *path = test_golden_path(name);
    src[0].path = path, cfg.write = conv_write, cfg.ctx = &s;
    allm_status status = allm__conv_file(&e->host, &e->compute, &src[0], NULL, &cfg, &err);
    if ((status != 0) != (odd && odd->words) || (status && !strstr(err.message, odd->words)))
        fail_msg("%s: %s", dir, status ? err.message : "it is no longer refused");
    src[1].data = s.bytes.p, src[1].n_bytes = s.bytes.n;
    for (int k = 0; k < 2 && !status; k++)
        if (!(y[k] = conv_run(e, &src[k], ids, n_ids, &n, &err)))
            fail_msg("%s, %s: %s", dir, k ? "file" : "folder", err.message);
    for (size_t k = 0; k < n && !status; k++)
        d += (double)(y[0][k] - y[1][k]) * (double)(y[0][k] - y[1][k]), all += (double)y[0][k] * (double)y[0][k];
    if (!odd && !(all > 0 && d <= 1e-9 * all)) fail_msg("%s: %g of %g", dir, d, all);
    if (!status) free(y[0]), free(y[1]);
    free(s.bytes.p), free(path);
    return !odd;
}

/* ---- small models of many families, with the logits of transformers */

#include "families.h"

/* "name d0 d1;": how many dimensions; 0: the end. "[n]" in a name stands for 0 to n - 1, of which i is the next. */
static size_t family_next(const char **s, size_t *i, char name[128], size_t dims[4]) {
    const size_t n = strcspn(*s, " "), head = strcspn(*s, "[ ");
    size_t       k = 0, many = 0;
    const char  *p = *s + n;
    char        *rest;
    if (!**s) return 0;
    snprintf(name, 128, "%.*s", (int)n, *s);
    if (head < n) {
        many = strtoul(*s + head + 1, &rest, 10);
        snprintf(name + head, 128 - head, "%zu%.*s", *i, (int)(*s + n - rest - 1), rest + 1);
    }
    for (; *p == ' '; p = rest) dims[k++] = strtoul(p + 1, &rest, 10);
    if (++*i >= many) *s = p + (*p == ';'), *i = 0;
    return k;
}

static int family_ends(const char *name, const char *end) {
    const size_t n = strlen(name), k = strlen(end);
    return n >= k && !strcmp(name + n - k, end);
}

/* As `values` in tools/make_families.py. */
static void family_weights(const char *name, size_t n_dims, size_t n, float *to) {
    uint32_t h = 2166136261u;
    double   at = 0, by = n_dims < 2 ? 0.4 : 2.5 / 8;
    for (const char *c = name; *c; c++) h = (h ^ (uint32_t)(unsigned char)*c) * 16777619u;
    if (family_ends(name, ".A_log")) at = 0.8, by = 0.7;
    else if (family_ends(name, ".D") || (n_dims == 1 && strstr(name, "norm") && family_ends(name, ".weight"))) at = 1;
    else if (family_ends(name, ".dt_bias") || family_ends(name, ".alpha_p")) at = -1, by = 1;
    else if (strstr(name, "conv") && n_dims == 3) by = 0.8;
    for (size_t i = 0; i < n; i++) {
        uint32_t x = h + (uint32_t)i * 2654435761u;
        x = (x ^ x >> 16) * 0x7feb352du, x = (x ^ x >> 15) * 0x846ca68bu, x ^= x >> 16;
        to[i] = (float)(at + by * ((double)(x >> 8) / 8388608 - 1));
    }
}

static void family_folder(const char *path, const char *config, const char *tensors) {
    static char header[1 << 16];
    char        name[128];
    size_t      dims[4], n = 1, n_data = 0, n_file, k, next = 0;
    memcpy(header, "{", 2);
    for (const char *s = tensors; (k = family_next(&s, &next, name, dims)) != 0;) {
        size_t size = 4;
        n += (size_t)snprintf(header + n, sizeof header - n, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[",
                              n > 1 ? "," : "", name);
        for (size_t i = 0; i < k; size *= dims[i++])
            n += (size_t)snprintf(header + n, sizeof header - n, "%s%zu", i ? "," : "", dims[i]);
        n += (size_t)snprintf(header + n, sizeof header - n, "],\"data_offsets\":[%zu,%zu]}", n_data, n_data + size);
        n_data += size;
    }
    assert_true(n + 1 < sizeof header);
    memcpy(header + n, "}", 2);
    char *file = st_make(header, n_data, &n_file), *at = file + n_file - n_data;
    for (const char *s = tensors; (k = family_next(&s, &next, name, dims)) != 0;) {
        size_t size = 1;
        for (size_t i = 0; i < k; i++) size *= dims[i];
        float *x = (float *)malloc(size * sizeof *x);
        family_weights(name, k, size, x);
        memcpy(at, x, size * sizeof *x), at += size * sizeof *x;
        free(x);
    }
    st_write(path, "model.safetensors", file, n_file);
    st_write(path, "config.json", config, strlen(config));
    free(file);
}

static double family_error(const float *y, const float *want, int n) {
    double d = 0, all = 0;
    for (int k = 0; k < n; k++) {
        const double off = (double)y[k] - (double)want[k];
        d += off * off, all += (double)want[k] * (double)want[k];
    }
    return d / all;
}

/* What a GGUF file cannot hold. */
static const struct { const char *name, *words; } family_odds[] = {
    {"gpt2: scores by layer", "scores are divided"},
    {"gemma3n_text: half of the gates", "altup_correct_scale"},
    {"deepseek_v3: halves of MLA", "order of its RoPE"},
    {"mistral: dynamic with windows", NULL}, /* the file leaves it out, with a warning */
};

static void conv_families(void **state) {
    char        path[300];
    test_engine e;
    (void)state;
    test_engine_init(&e, 1, NULL);
    for (size_t i = 0; i < ALLM__COUNT(families); i++) {
        conv_sink           s   = conv_sink_new();
        allm_convert_config cfg = conv_type("F32");
        allm_source         src[2] = {{0}, {0}};
        allm_error          err    = {0};
        const char         *words  = NULL;
        int                 odd = 0;
        size_t              n = 0;
        for (size_t k = 0; k < ALLM__COUNT(family_odds); k++)
            if (!strcmp(family_odds[k].name, families[i].name)) odd = 1, words = family_odds[k].words;
        st_folder_new(path);
        family_folder(path, families[i].config, families[i].tensors);
        src[0].path = path, cfg.write = conv_write, cfg.ctx = &s;
        for (int k = 0; k < (odd ? 1 : 2); k++) {
            if (k && allm__conv_file(&e.host, &e.compute, &src[0], NULL, &cfg, &err))
                fail_msg("%s: %s", families[i].name, err.message);
            src[1].data = s.bytes.p, src[1].n_bytes = s.bytes.n;
            float *y = conv_run(&e, &src[k], families_ids, ALLM__COUNT(families_ids), &n, &err);
            if (!y) fail_msg("%s, %s: %s", families[i].name, k ? "file" : "folder", err.message);
            assert_int_equal(n, families[i].n);
            const double d = family_error(y, families[i].logits, families[i].n);
            if (!(d < 1e-9)) fail_msg("%s, %s: NMSE %g", families[i].name, k ? "file" : "folder", d);
            free(y);
        }
        if (words && (!allm__conv_file(&e.host, &e.compute, &src[0], NULL, &cfg, &err) || !strstr(err.message, words)))
            fail_msg("%s: \"%s\" expected, found \"%s\"", families[i].name, words, err.message);
        free(s.bytes.p);
        st_folder_remove(path);
    }
    printf("             %d models\n", (int)ALLM__COUNT(families));
    test_engine_free(&e);
}

/* Every folder of golden/models as a GGUF file. */
static void conv_folders(void **state) {
    char       *text = test_golden("models/manifest.json", (size_t[1]){0});
    test_engine e;
    allm_error  err = {0};
    allm_str    key, s;
    allm__json  j;
    int         n_same = 0, n_odd = 0;
    (void)state;
    test_engine_init(&e, 2, "scalar");
    allm__json_init(&j, &e.host, allm__str_of(text), "manifest.json", 0, &err);
    for (allm__json_begin(&j, ALLM__JSON_ARRAY, "models"); allm__json_elem(&j);) {
        int32_t ids[CONV_MOST_IDS];
        int64_t id;
        size_t  n = 0;
        char    dir[80] = "";
        while (allm__json_key(&j, &key)) {
            if (allm__str_eq(key, ALLM__S("dir")) && allm__json_get_str(&j, "dir", &s))
                snprintf(dir, sizeof dir, "%.*s", ALLM__SHOW(s));
            else if (allm__str_eq(key, ALLM__S("ids")))
                for (allm__json_begin(&j, ALLM__JSON_ARRAY, "ids"); allm__json_elem(&j);) {
                    if (allm__json_get_int(&j, "ids", 0, INT32_MAX, &id) && n < CONV_MOST_IDS) ids[n++] = (int32_t)id;
                }
            else if (!allm__str_eq(key, ALLM__S("dir"))) allm__json_skip(&j);
        }
        if (conv_check_folder(&e, dir, ids, n)) n_same++;
        else n_odd++;
    }
    assert_string_equal(err.message, "");
    printf("             %d folders the same as files, %d not\n", n_same, n_odd);
    assert_true(n_same > 40 && n_odd <= (int)ALLM__COUNT(conv_odds));
    allm__json_free(&j);
    free(text);
    test_engine_free(&e);
}

/* A tokenizer of pieces or of words goes into the file: ids of the folder, the file and the golden texts are equal. */
static void conv_tokenizers(void **state) {
    static const char json[] =
        "{\"version\": \"1.0\", \"added_tokens\": [%s], \"normalizer\": %s, \"pre_tokenizer\": %s, "
        "\"post_processor\": %s, \"decoder\": %s, \"model\": %s}";
    static const struct { const char *added, *norm, *cut, *post, *dec, *model, *kind; int ids[3]; } rows[] = {
        {"{\"id\": 0, \"content\": \"[PAD]\", \"special\": true}, {\"id\": 1, \"content\": \"[UNK]\", "
         "\"special\": true}, {\"id\": 2, \"content\": \"[CLS]\", \"special\": true}, {\"id\": 3, \"content\": "
         "\"[SEP]\", \"special\": true}",
         "{\"type\": \"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": true, \"strip_accents\": "
         "null, \"lowercase\": true}",
         "{\"type\": \"BertPreTokenizer\"}",
         "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"[CLS]\", \"type_id\": 0}}, "
         "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, {\"SpecialToken\": {\"id\": \"[SEP]\", \"type_id\": 0}}], "
         "\"pair\": [], \"special_tokens\": {\"[CLS]\": {\"id\": \"[CLS]\", \"ids\": [2], \"tokens\": [\"[CLS]\"]}, "
         "\"[SEP]\": {\"id\": \"[SEP]\", \"ids\": [3], \"tokens\": [\"[SEP]\"]}}}",
         "{\"type\": \"WordPiece\", \"prefix\": \"##\", \"cleanup\": true}",
         "{\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", \"continuing_subword_prefix\": \"##\", "
         "\"max_input_chars_per_word\": 100, \"vocab\": {\"[PAD]\": 0, \"[UNK]\": 1, \"[CLS]\": 2, \"[SEP]\": 3, "
         "\"ab\": 4, \"##ab\": 5, \"a\": 6, \"##b\": 7, \"c\": 8, \"##c\": 9, \"!\": 10, \"b\": 11, \"##a\": 12, "
         "\"##\": 13, \"#\": 14, \"d\": 15}}",
         "bert", {2, 3, 1}},
        {"{\"id\": 0, \"content\": \"<pad>\", \"special\": true}, {\"id\": 1, \"content\": \"</s>\", \"special\": "
         "true}, {\"id\": 2, \"content\": \"<unk>\", \"special\": true}",
         "null", "{\"type\": \"Metaspace\", \"replacement\": \"\xE2\x96\x81\", \"prepend_scheme\": \"always\", "
         "\"split\": true}",
         "{\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, "
         "{\"SpecialToken\": {\"id\": \"</s>\", \"type_id\": 0}}], \"pair\": [], \"special_tokens\": {\"</s>\": "
         "{\"id\": \"</s>\", \"ids\": [1], \"tokens\": [\"</s>\"]}}}",
         "{\"type\": \"Metaspace\", \"replacement\": \"\xE2\x96\x81\", \"prepend_scheme\": \"always\", \"split\": "
         "true}",
         "{\"type\": \"Unigram\", \"unk_id\": 2, \"vocab\": [[\"<pad>\", 0], [\"</s>\", 0], [\"<unk>\", 0], "
         "[\"\xE2\x96\x81\", -2], [\"a\", -3], [\"b\", -3.5], [\"ab\", -4], [\"\xE2\x96\x81" "ab\", -4.5], [\"c\", "
         "-5], [\"\xE2\x96\x81" "abc\", -9], [\"!\", -6], [\"bc\", -5.25], [\"ca\", -6.25], [\"d\", -8], [\"dd\", "
         "-9.5], [\"#\", -7]]}",
         "t5", {-1, 1, 2}},
    };
    static const char *const texts[] = {"ab", "abc ab! c", "ABC  a##b", "x ab\xC3\xA4", "", " ", "ddd cab #", "a  b"};
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        char        path[300], text[4096];
        test_engine e;
        allm_error  err = {0};
        conv_sink   s   = conv_sink_new();
        allm_source src[2] = {{0}, {0}};
        allm_model *m[2];
        allm_str    kind;
        allm_convert_config cfg = conv_type("F32");
        test_engine_init(&e, 1, NULL);
        st_folder_new(path);
        model_folder(path, model_json, NULL, NULL, NULL);
        snprintf(text, sizeof text, json, rows[i].added, rows[i].norm, rows[i].cut, rows[i].post, rows[i].dec,
                 rows[i].model);
        st_write(path, "tokenizer.json", text, strlen(text));
        src[0].path = path, cfg.write = conv_write, cfg.ctx = &s;
        if (allm__conv_file(&e.host, &e.compute, &src[0], NULL, &cfg, &err)) fail_msg("%s", err.message);
        src[1].data = s.bytes.p, src[1].n_bytes = s.bytes.n;
        for (int k = 0; k < 2; k++) {
            allm_model_config none = {0};
            if (allm__model_open(&e.host, &e.compute, &src[k], &none, &m[k], &err)) fail_msg("%s", err.message);
        }
        assert_int_equal(allm__gguf_get_str(&m[1]->gguf, "tokenizer.ggml.model", allm__str("", 0), &kind, &err), 0);
        assert_true(allm__str_eq(kind, allm__str_of(rows[i].kind)));
        assert_int_equal(m[1]->tok->n_before ? m[1]->tok->before[0] : -1, rows[i].ids[0]);
        assert_int_equal(m[1]->tok->n_behind ? m[1]->tok->behind[0] : -1, rows[i].ids[1]);
        assert_int_equal(m[1]->tok->unk, rows[i].ids[2]);
        for (size_t t = 0; t < ALLM__COUNT(texts); t++) {
            allm__ids ids[2] = {{0}, {0}};
            for (int k = 0; k < 2; k++) {
                ids[k].host = &e.host;
                assert_int_equal(allm__tok_encode(m[k]->tok, allm__str_of(texts[t]), ALLM__TOK_BOS, NULL, 0, &ids[k],
                                                  &err), ALLM_OK);
            }
            if (ids[0].len != ids[1].len ||
                (ids[0].len && memcmp(ids[0].ptr, ids[1].ptr, ids[0].len * sizeof(int32_t))))
                fail_msg("%s: \"%s\": %d ids, %d in the file", rows[i].kind, texts[t], (int)ids[0].len,
                         (int)ids[1].len);
            allm__ids_free(&ids[0]), allm__ids_free(&ids[1]);
        }
        allm__model_release(m[0]), allm__model_release(m[1]);
        test_engine_free(&e);
        free(s.bytes.p);
        char *name = test_path(path, "tokenizer.json");
        unlink(name), free(name);
        st_folder_remove(path);
    }
}

/* generation_config.json says the same in the file. */
static void conv_sampling(void **state) {
    static const char *const texts[] = {
        "{\"do_sample\": true}", "{\"do_sample\": true, \"temperature\": 0.6, \"top_k\": 20, \"top_p\": 0.95}",
        "{\"do_sample\": false, \"temperature\": 0.6}", "{\"temperature\": 0.3, \"repetition_penalty\": 1.1}",
        "{\"temperature\": \"hot\", \"top_p\": 3, \"min_p\": 0.05}", "{\"top_k\": 7}", "{}",
    };
    char path[300];
    (void)state;
    st_folder_new(path);
    model_folder(path, model_json, NULL, NULL, NULL);
    for (size_t i = 0; i < ALLM__COUNT(texts); i++) {
        test_engine   e;
        allm_error    err = {0};
        conv_sink     s   = conv_sink_new();
        allm_source   src[2] = {{0}, {0}};
        allm_sampling got[2];
        allm_convert_config cfg = conv_type("F32");
        test_engine_init(&e, 1, NULL);
        st_write(path, "generation_config.json", texts[i], strlen(texts[i]));
        src[0].path = path, cfg.write = conv_write, cfg.ctx = &s;
        if (allm__conv_file(&e.host, &e.compute, &src[0], NULL, &cfg, &err)) fail_msg("%s", err.message);
        src[1].data = s.bytes.p, src[1].n_bytes = s.bytes.n;
        for (int k = 0; k < 2; k++) {
            allm_model_config none = {0};
            allm_model       *m;
            if (allm__model_open(&e.host, &e.compute, &src[k], &none, &m, &err)) fail_msg("%s", err.message);
            allm__samp_of_model(m, &got[k]);
            allm__model_release(m);
        }
        if (memcmp(&got[0], &got[1], sizeof got[0]))
            fail_msg("%s: %g %g %d, in the file %g %g %d", texts[i], (double)got[0].temperature, (double)got[0].top_p,
                     (int)got[0].top_k, (double)got[1].temperature, (double)got[1].top_p, (int)got[1].top_k);
        free(s.bytes.p);
        test_engine_free(&e);
    }
    st_folder_remove(path);
}

/* A folder's conversion survives every failing allocation. */
static void conv_folder_no_memory(void **state) {
    char       *path = test_golden_path("models/llama_llama3rope");
    test_engine e;
    (void)state;
    test_engine_init(&e, 1, "scalar");
    conv_folder f   = conv_folder_new("model.gguf");
    conv_job    job = {NULL, e.compute, conv_type("Q8_0"), path, f.out};
    test_fail_each(conv_body, &job);
    conv_folder_remove(&f);
    free(path);
    test_engine_free(&e);
}

static const struct CMUnitTest test_conv[] = {
    cmocka_unit_test(conv_families),
    cmocka_unit_test(conv_folders),
    cmocka_unit_test(conv_tokenizers),
    cmocka_unit_test(conv_sampling),
    cmocka_unit_test(conv_folder_no_memory),
    cmocka_unit_test(conv_all_types),
    cmocka_unit_test(conv_chooses_types),
    cmocka_unit_test(conv_splits_and_merges),
    cmocka_unit_test(conv_checks),
    cmocka_unit_test(conv_keeps_what_was_there),
    cmocka_unit_test(conv_full_disk),
    cmocka_unit_test(conv_damaged),
    cmocka_unit_test(conv_no_memory),
    cmocka_unit_test(conv_refuses),
    cmocka_unit_test(conv_arguments),
    cmocka_unit_test(conv_packed_same_bits),
    cmocka_unit_test(conv_packed_again),
    cmocka_unit_test(conv_packed_refused),
};
