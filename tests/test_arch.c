/* Room arch: shapes by formula, families. FAULTS row 12. */
#include "make_model.h"

/* Every family in every combination of its optional tensors opens. */
static void test_arch_families(void **state) {
    test_engine e;
    (void)state;
    test_engine_init(&e, 1, NULL);
    for (size_t i = 0; i < ALLM__COUNT(allm__archs); i++) {
        uint64_t may = allm__archs[i].may, groups = 0;
        do {
            make_model p = make_model_new(allm__archs[i].name);
            p.groups     = groups;
            make_gguf w  = make_model_file(&p);
            test_engine_expect(&e, &w, ALLM_OK, "");
            make_gguf_free(&w);
            groups = (groups - may) & may; /* the next subset */
        } while (groups);
    }
    test_engine_free(&e);
}

static void test_arch_unknown(void **state) {
    test_engine e;
    make_model  p = make_model_new("zzz");
    make_gguf   w = make_model_file(&p);
    (void)state;
    test_engine_init(&e, 1, NULL);
    test_engine_expect(&e, &w, ALLM_E_UNSUPPORTED, "architecture \"zzz\" is not supported; supported: llama, qwen2");
    make_gguf_free(&w);
    p = make_model_new("llama"), make_model_set(&p, ".general.architecture", 0, 0), w = make_model_file(&p);
    test_engine_expect(&e, &w, ALLM_E_FORMAT, "\"general.architecture\" is missing");
    make_gguf_free(&w);
    p = make_model_new("llama"), make_model_set(&p, ".general.architecture", 'u', 1), w = make_model_file(&p);
    test_engine_expect(&e, &w, ALLM_E_FORMAT, "\"general.architecture\" is of type u32");
    make_gguf_free(&w);
    test_engine_free(&e);
}

/* A row's tensor in the layer that has it, spoilt in every way. */
static void test_arch_spoil(test_engine *e, make_model *p, const make_model_sizes *z, const allm__arch_tensor *row,
                            uint32_t k) {
    const allm__arch *a = make_model_arch(p);
    const uint64_t    need = row->place == 'g' ? a->need : allm__arch_needs(a, &z->hp, &z->layers[k]);
    char              name[80], quoted[96];
    int64_t           dims[4];
    const uint32_t    n_dims = make_model_dims(row, z, &z->layers[k], dims);
    int               either = (a->may & ALLM__T_QKV_FUSED && row->group & (ALLM__T_QKV | ALLM__T_QKV_FUSED)) ||
                 row->group & ALLM__T_MLA_Q; /* one of two is needed */
    either |= row->group == ALLM__T_PER_LAYER;
    snprintf(quoted, sizeof quoted, "tensor \"%s\"", make_model_name(name, row, k));
    for (const char *how = "mtrdi"; *how; how++) {
        const int same = (*how == 'm' && !(need & row->group)) || (*how == 't' && (dims[0] == dims[1] || dims[0] == 1));
        if ((*how == 't' && n_dims < 2) || (*how == 'm' && either)) continue;
        if (strchr("tr", *how) && !strcmp(name, "token_embd.weight")) continue; /* its rows are the vocabulary */
        p->broken = name, p->how = *how;
        make_gguf w = make_model_file(p);
        if (same) test_engine_expect(e, &w, ALLM_OK, "");
        else test_engine_expect(e, &w, *how == 'i' ? ALLM_E_UNSUPPORTED : ALLM_E_FORMAT, quoted);
        make_gguf_free(&w);
    }
}

static void test_arch_fault_12_tensors(void **state) {
    test_engine e;
    (void)state;
    test_engine_init(&e, 1, NULL);
    for (size_t i = 0; i < ALLM__COUNT(allm__archs); i++)
        for (size_t r = 0; r < ALLM__COUNT(allm__arch_tensors); r++) {
            const allm__arch_tensor *row = &allm__arch_tensors[r];
            make_model               p   = make_model_new(allm__archs[i].name);
            make_model_sizes         z;
            p.groups = allm__archs[i].may;
            make_model_sizes_of(&p, &z);
            for (uint32_t k = 2; k-- > 0;) /* the second layer if it has it */
                if (make_model_has(&p, &z, row, k)) {
                    test_arch_spoil(&e, &p, &z, row, k);
                    break;
                }
        }
    test_engine_free(&e);
}

/* A tensor that nobody uses would be a part of the model left out; old RoPE tables are none. */
static void test_arch_extra_tensor(void **state) {
    test_engine e;
    make_model  p = make_model_new("llama");
    (void)state;
    test_engine_init(&e, 1, NULL);
    p.extra     = "blk.0.attn_sub_norm.weight";
    make_gguf w = make_model_file(&p);
    test_engine_expect(&e, &w, ALLM_E_UNSUPPORTED,
                       "tensor \"blk.0.attn_sub_norm.weight\" is not one that llama is known to have");
    make_gguf_free(&w);
    static const struct { const char *name; int ok; } rows[] = {
        {"blk.0.attn_rot_embd", 1},        {"blk.0.attn_rot_embd.weight", 1}, {"layers.0.attention.rope.freqs", 1},
        {"blk.0.attn_rot_embd_q.weight", 0}, {"blk.0.rope.freqs.scale", 0},     {"a.rope.freqs.b.weight", 0},
    };
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        p.extra = rows[i].name, w = make_model_file(&p);
        if (rows[i].ok) test_engine_expect(&e, &w, ALLM_OK, "");
        else test_engine_expect(&e, &w, ALLM_E_UNSUPPORTED, "is not one that llama is known to have");
        make_gguf_free(&w);
    }
    test_engine_free(&e);
}

static const struct CMUnitTest test_arch[] = {
    cmocka_unit_test(test_arch_families),
    cmocka_unit_test(test_arch_unknown),
    cmocka_unit_test(test_arch_fault_12_tensors),
    cmocka_unit_test(test_arch_extra_tensor),
};
