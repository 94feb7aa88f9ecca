/* Writes small models as GGUF files in memory, right ones and broken ones: any family that room arch has a row for, any
 * shape, any weight type, random weights from a seed.
 *
 *     make_model m = make_model_new("llama");
 *     m.n_layer = 3, m.type = ALLM__Q4_0;
 *     make_model_set(&m, "rope.freq_base", 'f', 500);       a key, or a change of one (kind 0 leaves it out)
 *     make_gguf w = make_model_file(&m);                    w.bytes, w.n; free with make_gguf_free */
#ifndef MAKE_MODEL_H
#define MAKE_MODEL_H
#include "make_gguf.h"

typedef struct make_model_key {
    const char *key;  /* behind "<architecture>.", or with a dot in front: the full key */
    char        kind; /* u u32, i i64, h u16, b bool, f f32, d f64, s string (text), A array of n_layer, 0 none */
    double      value;
    const char *text;
} make_model_key;

typedef struct make_model {
    const char    *arch;
    uint32_t       n_ctx, n_vocab, n_embd, n_layer, n_head, n_head_kv, head_dim, n_ff;
    int32_t        type;   /* of the matrices */
    uint64_t       groups; /* of optional tensors that the file has; needed ones are always there */
    uint64_t       seed;
    make_model_key keys[8];
    int            n_keys;
    const char    *broken;     /* name of a tensor to spoil ... */
    char           how;        /* m missing, t transposed, r one row more, d a third dimension, i of type I32 */
    const char    *extra;      /* one tensor more, [n_embd] floats */
    float          odd_weight; /* NaN, an infinity, a large number: put into the first layer's attn_norm */
} make_model;

static make_model make_model_new(const char *arch) {
    make_model m = {0};
    m.arch = arch, m.n_ctx = 64, m.n_vocab = 96, m.n_embd = 32, m.n_layer = 2;
    m.n_head = 4, m.n_head_kv = 2, m.head_dim = 8, m.n_ff = 64, m.type = ALLM__F32, m.seed = 1;
    return m;
}

static void make_model_set_text(make_model *m, const char *key, char kind, double value, const char *text) {
    assert_true(m->n_keys < (int)ALLM__COUNT(m->keys));
    m->keys[m->n_keys++] = (make_model_key){key, kind, value, text};
}

static void make_model_set(make_model *m, const char *key, char kind, double value) {
    make_model_set_text(m, key, kind, value, "");
}

/* The key as it stands in m, or as it was changed. */
static void make_model_put_key(make_gguf *w, const make_model *m, const char *key, char kind, double value,
                               const char *text) {
    char full[128];
    for (int i = 0; i < m->n_keys; i++)
        if (!strcmp(m->keys[i].key, key)) kind = m->keys[i].kind, value = m->keys[i].value, text = m->keys[i].text;
    if (key[0] == '.') snprintf(full, sizeof full, "%s", key + 1);
    else snprintf(full, sizeof full, "%s.%s", m->arch, key);
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (kind == 'u') make_kv_u32(w, full, (uint32_t)(int64_t)value);
    else if (kind == 'i') make_kv_uint(w, full, ALLM__GGUF_I64, (uint64_t)(int64_t)value, 8);
    else if (kind == 'b') make_kv_uint(w, full, ALLM__GGUF_BOOL, (uint64_t)value, 1);
    else if (kind == 'h') make_kv_uint(w, full, ALLM__GGUF_U16, (uint64_t)value, 2);
    else if (kind == 'f') make_kv_f32(w, full, (float)value);
    else if (kind == 'd') make_kv_uint(w, full, ALLM__GGUF_F64, bits, 8);
    else if (kind == 's') make_kv_str(w, full, text);
    else if (kind == 'E') { /* array: 0 for layers 0, 2, .. */
        make_kv_array(w, full, ALLM__GGUF_U32, m->n_layer);
        for (uint32_t i = 0; i < m->n_layer; i++) make_uint(&w->kv, i % 2 ? (uint64_t)value : 0, 4);
    } else if (kind == 'A') {
        make_kv_array(w, full, ALLM__GGUF_U32, m->n_layer);
        for (uint32_t i = 0; i < m->n_layer; i++) make_uint(&w->kv, (uint64_t)value, 4);
    }
}

/* Weights around 0 with a spread of 1/sqrt(n_cols); vectors around 1 (norms) or 0 (biases). */
static void make_model_weights(float *x, int64_t n, int64_t n_cols, float mean) {
    float spread = 3.4f / sqrtf((float)n_cols);
    for (int64_t i = 0; i < n; i++) x[i] = mean + spread * ((float)test_random_below(1 << 20) / (1 << 20) - 0.5f);
}

/* Groups of tensors that the file has. */
static uint64_t make_model_groups(const make_model *m, const allm__arch *a) {
    uint64_t g = a->need | (a->may & m->groups);
    if (a->may & ALLM__T_MLA_Q && !(g & ALLM__T_MLA_Q_LORA)) g |= ALLM__T_MLA_Q;
    if (a->may & ALLM__T_QKV_FUSED && !(g & ALLM__T_QKV_FUSED)) g |= a->may & ALLM__T_QKV; /* one of the two */
    if (a->may & ALLM__T_QKV_FUSED && g & ALLM__T_QKV_FUSED) g &= ~ALLM__T_QKV;
    return g;
}

/* Keys of a family beside the usual ones. */
static void make_model_family(make_gguf *w, const make_model *m, const allm__arch *a, int plain) {
    static const struct { uint64_t groups; const char *key; double value; } rows[] = {
        {ALLM__T_EXPERTS, "expert_count", 5},
        {ALLM__T_EXPERTS, "expert_used_count", 2},
        {ALLM__T_EXPERTS, "expert_feed_forward_length", 32},
        {ALLM__T_SHARED, "expert_shared_feed_forward_length", 48},
        {ALLM__T_SSM | ALLM__T_RGLRU, "ssm.conv_kernel", 4},
        {ALLM__T_SSM | ALLM__T_RGLRU, "ssm.inner_size", 64},
        {ALLM__T_SSM | ALLM__T_RGLRU, "ssm.state_size", 16},
        {ALLM__T_SSM | ALLM__T_RGLRU, "ssm.time_step_rank", 4},
        {ALLM__T_SSM, "ssm.group_count", 2},
        {ALLM__T_DELTA, "full_attention_interval", 2},
        {ALLM__T_MLA, "attention.kv_lora_rank", 16},
        {ALLM__T_MLA, "attention.key_length", 24},
        {ALLM__T_MLA, "attention.value_length", 16},
        {ALLM__T_MLA, "attention.key_length_mla", 20},
        {ALLM__T_MLA, "attention.value_length_mla", 8},
        {ALLM__T_MLA, "rope.dimension_count", 8},
        {ALLM__T_MLA_Q_LORA, "attention.q_lora_rank", 24},
        {ALLM__T_MLA, "leading_dense_block_count", 1},
        {ALLM__T_PER_LAYER, "embedding_length_per_layer_input", 16},
    };
    make_model   keys = *m;
    const int    bare = a->mixer > ALLM__MIX_MLA && a->mixer != ALLM__MIX_DELTA && a->mixer != ALLM__MIX_BOTH &&
                     (a->need & ALLM__T_OUT); /* every second layer */
    const uint64_t g  = make_model_groups(m, a);
    if (plain) keys.n_keys = 0;
    make_model_put_key(w, &keys, "attention.head_count_kv", bare ? 'E' : 'u',
                       a->mixer == ALLM__MIX_MLA ? 1 : m->n_head_kv, "");
    make_model_put_key(w, &keys, a->flags & ALLM__A_LAYER_NORM ? "attention.layer_norm_epsilon"
                                                               : "attention.layer_norm_rms_epsilon", 'f', 1e-5, "");
    if (m->head_dim * m->n_head != m->n_embd && a->mixer != ALLM__MIX_MLA) {
        make_model_put_key(w, &keys, "attention.key_length", 'u', m->head_dim, "");
        make_model_put_key(w, &keys, "attention.value_length", 'u', m->head_dim, "");
    }
    if (a->swa) make_model_put_key(w, &keys, "attention.sliding_window", 'u', 13, "");
    for (size_t i = 0; i < ALLM__COUNT(rows); i++)
        if (g & rows[i].groups) make_model_put_key(w, &keys, rows[i].key, 'u', rows[i].value, "");
}

/* All keys; plain: without m's changes of them. */
static void make_model_keys(make_gguf *w, const make_model *m, const allm__arch *a, int plain) {
    static const allm__arch other = {"other", ALLM__ROPE_NONE, ALLM__ACT_SILU, ALLM__MIX_ATTENTION, 0, 0, 0, 0};
    make_model keys = *m;
    if (plain) keys.n_keys = 0;
    make_model_put_key(w, &keys, ".general.architecture", 's', 0, m->arch);
    make_model_put_key(w, &keys, "context_length", 'u', m->n_ctx, "");
    make_model_put_key(w, &keys, "embedding_length", 'u', m->n_embd, "");
    make_model_put_key(w, &keys, "block_count", 'u', m->n_layer, "");
    make_model_put_key(w, &keys, "feed_forward_length", 'u', m->n_ff, "");
    make_model_put_key(w, &keys, "attention.head_count", 'u', m->n_head, "");
    make_model_family(w, m, a ? a : &other, plain);
    for (int i = 0; i < keys.n_keys; i++) { /* keys that are not among those above */
        char full[128];
        if (m->keys[i].key[0] == '.') snprintf(full, sizeof full, "%s", m->keys[i].key + 1);
        else snprintf(full, sizeof full, "%s.%s", m->arch, m->keys[i].key);
        if (!make_has_key(w, full)) make_model_put_key(w, m, m->keys[i].key, 0, 0, "");
    }
}

enum { MAKE_MODEL_LAYERS = 8 };

typedef struct make_model_sizes { /* what the sizes of a model's tensors follow from */
    allm__hparams hp;
    allm__layer   layers[MAKE_MODEL_LAYERS];
} make_model_sizes;

static const allm__arch *make_model_arch(const make_model *m) { /* NULL: none of ours */
    for (size_t i = 0; i < ALLM__COUNT(allm__archs); i++)
        if (!strcmp(allm__archs[i].name, m->arch)) return &allm__archs[i];
    return NULL;
}

/* By the same rules as a model's, from its keys without changes. */
static void make_model_sizes_of(const make_model *m, make_model_sizes *out) {
    const allm__arch *a = make_model_arch(m);
    test_heap         heap  = {0};
    allm__host        h     = test_host(&heap);
    allm__arena       arena = {0};
    allm__gguf        g     = {0};
    allm__arch_src    from  = {0};
    allm_error        err   = {0};
    allm_source       src   = {0};
    allm__layer      *layers;
    make_gguf         w = make_gguf_new();
    memset(out, 0, sizeof *out);
    assert_true(m->n_layer <= MAKE_MODEL_LAYERS);
    make_model_keys(&w, m, a, 1);
    make_gguf_end(&w);
    src.data = w.bytes, src.n_bytes = w.n, arena.host = &h;
    from.g = &g;
    if (allm__gguf_open(&h, &src, &g, &err) || allm__arch_read(&from, a, &arena, &out->hp, &layers, &err))
        fail_msg("%s: %s", m->arch, err.message);
    out->hp.n_vocab = m->n_vocab;
    memcpy(out->layers, layers, m->n_layer * sizeof *layers);
    allm__arena_free(&arena);
    allm__gguf_close(&g);
    make_gguf_free(&w);
}

/* Dimensions of the tensor of a row, of layer l; with the parts that follow it. */
static uint32_t make_model_dims(const allm__arch_tensor *row, const make_model_sizes *z, const allm__layer *l,
                                int64_t dims[4]) {
    const uint32_t n = (uint32_t)strlen(row->shape);
    for (uint32_t i = 0; i < 4; i++) dims[i] = i < n ? allm__arch_dim(&z->hp, l, row->shape[i]) : 1;
    for (const allm__arch_tensor *p = row + 1; row->part == 1 && p->part > 1; p++)
        dims[n - 1] += allm__arch_dim(&z->hp, l, p->shape[n - 1]);
    return n;
}

static void make_model_tensor(make_gguf *w, const make_model *m, const char *name, const allm__arch_tensor *row,
                              const make_model_sizes *z, const allm__layer *l) {
    int64_t  dims[4];
    uint32_t n_dims  = make_model_dims(row, z, l, dims);
    int      broken  = m->broken && !strcmp(m->broken, name);
    char     how     = broken ? m->how : 0;
    if (how == 'm') return;
    if (how == 't') { int64_t t = dims[0]; dims[0] = dims[1], dims[1] = t; }
    if (how == 'r') dims[n_dims - 1] += n_dims > 1 ? 1 : 32;
    if (how == 'd') dims[n_dims++] = 2;
    int64_t          n   = dims[0] * dims[1] * dims[2] * dims[3];
    const allm__fmt *fmt =
        allm__fmt_find(row->kind != 'v' && dims[0] % allm__fmt_find(m->type)->n_weights == 0 ? m->type : ALLM__F32);
    float           *x   = (float *)malloc((size_t)n * sizeof *x);
    size_t           n_bytes = (size_t)(n / fmt->n_weights * fmt->n_bytes);
    void            *data = malloc(n_bytes);
    make_model_weights(x, n, row->kind != 'v' ? dims[0] : 100,
                       strstr(name, "norm") || row->group & (ALLM__T_FREQS | ALLM__T_FACTORS) ? 1.0f
                       : strstr(name, "ssm_a")                                               ? -1.0f
                                                                                             : 0.0f);
    if (m->odd_weight != 0 && !strcmp(name, "blk.0.attn_norm.weight")) x[1] = m->odd_weight;
    fmt->quant(x, data, n);
    make_tensor(w, name, how == 'i' ? 26 : (uint32_t)fmt->id, n_dims, dims, data, n_bytes);
    free(x), free(data);
}

/* The name of a row's tensor in layer k. */
static const char *make_model_name(char dst[80], const allm__arch_tensor *row, uint32_t k) {
    if (row->place == 'g') snprintf(dst, 80, "%s", row->name);
    else snprintf(dst, 80, "blk.%u.%s", (unsigned)k, row->name);
    return dst;
}

/* Does layer k of the file have the row's tensor? */
static int make_model_has(const make_model *m, const make_model_sizes *z, const allm__arch_tensor *row, uint32_t k) {
    const allm__arch *a = make_model_arch(m);
    const uint64_t    g = make_model_groups(m, a);
    const uint64_t    can = row->place == 'g' ? ~UINT64_C(0) : allm__arch_groups(a, &z->hp, &z->layers[k]);
    const uint64_t    need = row->place == 'g' ? 0 : allm__arch_needs(a, &z->hp, &z->layers[k]);
    const int         form = row->at == ALLM__L(experts_ff.gate) || row->at == ALLM__L(experts_ff.up);
    if (row->place == 'l' && form && g & can & ALLM__T_GATE_UP_EXPERTS) return 0; /* one of two forms */
    return row->part < 2 && (row->group & (g | need) & can) != 0;
}

static make_gguf make_model_file(const make_model *m) {
    make_gguf         w = make_gguf_new();
    make_model_sizes  z;
    const allm__arch *a = make_model_arch(m);
    test_random_state   = m->seed;
    make_model_keys(&w, m, a, 0);
    if (a) make_model_sizes_of(m, &z);
    for (size_t i = 0; i < ALLM__COUNT(allm__arch_tensors) && a; i++) {
        const allm__arch_tensor *row = &allm__arch_tensors[i];
        for (uint32_t k = 0; k < (row->place == 'g' ? 1 : m->n_layer); k++) {
            char name[80];
            if (make_model_has(m, &z, row, k))
                make_model_tensor(&w, m, make_model_name(name, row, k), row, &z, &z.layers[k]);
        }
    }
    if (!a) make_tensor(&w, "token_embd.weight", ALLM__F32, 1, (const int64_t[]){m->n_embd}, NULL, m->n_embd * 4);
    if (m->extra) make_tensor(&w, m->extra, ALLM__F32, 1, (const int64_t[]){m->n_embd}, NULL, m->n_embd * 4);
    make_gguf_end(&w);
    return w;
}

/* ---- using them */

typedef struct test_engine { /* allocator, pool and kernels for models and sessions */
    test_heap     heap;
    allm__host    host;
    allm__pool    pool;
    allm__compute compute;
} test_engine;

static void test_engine_init(test_engine *e, int32_t n_threads, const char *isa) {
    memset(e, 0, sizeof *e);
    e->host = test_host(&e->heap);
    allm__pool_init(&e->pool, n_threads);
    e->compute.kern = allm__kern_find(isa), e->compute.pool = &e->pool;
    assert_non_null(e->compute.kern);
}

static void test_engine_free(test_engine *e) {
    allm__pool_free(&e->pool);
    test_heap_check(&e->heap);
}

static allm_status test_engine_open(test_engine *e, const make_gguf *w, int reference, allm_model **m,
                                    allm_error *err) {
    allm_source       src = {0};
    allm_model_config cfg = {0};
    src.data = w->bytes, src.n_bytes = w->n;
    cfg.reference = reference;
    memset(err, 0, sizeof *err);
    return allm__model_open(&e->host, &e->compute, &src, &cfg, m, err);
}

/* Opens, expecting a status and words in the message, and closes. */
static void test_engine_expect(test_engine *e, const make_gguf *w, allm_status status, const char *words) {
    allm_model *m   = NULL;
    allm_error  err;
    allm_status got = test_engine_open(e, w, 0, &m, &err);
    if (got != status || !strstr(err.message, words))
        fail_msg("status %d: %s (expected %d: %s)", (int)got, err.message, (int)status, words);
    assert_int_equal(err.status, got);
    assert_true((m == NULL) == (got != ALLM_OK));
    allm__model_release(m);
    assert_int_equal(e->heap.live, 0);
}

#endif
