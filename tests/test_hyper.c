/* Room hyper: hyper-parameters in and out of range. FAULTS row 13. */

static void test_hyper_fault_13(void **state) {
    static const struct { const char *key; char kind; double value; allm_status status; const char *words;
    } rows[] = {
        {"attention.head_count", 'u', 0, ALLM_E_FORMAT, "head_count\" is 0, expected 1..65536"},
        {"attention.head_count", 0, 0, ALLM_E_FORMAT, "head_count\" is missing"},
        {"attention.head_count", 'u', 3, ALLM_E_FORMAT, "head_count_kv\" is 2, expected a divisor of head_count, 3"},
        {"attention.head_count", 'u', 6, ALLM_E_FORMAT,
         "head_count\" is 6, expected a divisor of embedding_length, 32"},
        {"attention.head_count", 'i', -4, ALLM_E_FORMAT, "head_count\" is -4"},
        {"attention.head_count_kv", 'u', 0, ALLM_E_FORMAT, "head_count_kv\" is 0"},
        {"attention.head_count_kv", 'u', 3, ALLM_E_FORMAT, "head_count_kv\" is 3"},
        {"attention.head_count_kv", 'u', 8, ALLM_E_FORMAT, "head_count_kv\" is 8"},
        {"block_count", 'u', 0, ALLM_E_FORMAT, "block_count\" is 0"},
        {"block_count", 'u', 2147483648.0, ALLM_E_FORMAT, "block_count\" is 2147483648, expected 1..4096"},
        {"block_count", 'u', 3, ALLM_E_FORMAT, "tensor \"blk.2.attn_norm.weight\" is missing"},
        {"block_count", 'u', 1, ALLM_E_UNSUPPORTED, "tensor \"blk.1.attn_norm.weight\" is not one that llama"},
        {"block_count", 's', 0, ALLM_E_FORMAT, "block_count\" is of type string"},
        {"context_length", 'i', -1, ALLM_E_FORMAT, "context_length\" is -1"},
        {"context_length", 'i', 9.2e18, ALLM_E_FORMAT, "context_length\" is 92"},
        {"context_length", 'u', 0, ALLM_E_FORMAT, "context_length\" is 0"},
        {"context_length", 'f', 64, ALLM_E_FORMAT, "context_length\" is of type f32"},
        {"embedding_length", 'u', 16, ALLM_E_FORMAT, "shape [32, 96], expected [16, 96]"},
        {"embedding_length", 'u', 0, ALLM_E_FORMAT, "embedding_length\" is 0"},
        {"embedding_length", 0, 0, ALLM_E_FORMAT, "embedding_length\" is missing"},
        {"feed_forward_length", 'u', 32, ALLM_E_FORMAT, "shape [32, 64], expected [32, 32]"},
        {"feed_forward_length", 'u', 4294967295.0, ALLM_E_FORMAT, "feed_forward_length\" is 4294967295"},
        {"attention.key_length", 'u', 0, ALLM_E_FORMAT, "key_length\" is 0"},
        {"attention.key_length", 'u', 7, ALLM_E_FORMAT, "rope.dimension_count\" is 7, expected an even number"},
        {"attention.key_length", 'u', 16, ALLM_E_UNSUPPORTED, "heads of 16 for K and 8 for V"},
        {"rope.dimension_count", 'u', 3, ALLM_E_FORMAT, "rope.dimension_count\" is 3, expected an even number"},
        {"rope.dimension_count", 'u', 10, ALLM_E_FORMAT, "rope.dimension_count\" is 10"},
        {"rope.dimension_count", 'u', 0, ALLM_E_FORMAT, "rope.dimension_count\" is 0"},
        {"rope.freq_base", 'f', 0, ALLM_E_FORMAT, "rope.freq_base\" is 0.0"},
        {"rope.freq_base", 'f', -1, ALLM_E_FORMAT, "rope.freq_base\" is -1.0"},
        {"rope.freq_base", 'f', NAN, ALLM_E_FORMAT, "rope.freq_base\" is nan"},
        {"rope.freq_base", 'd', INFINITY, ALLM_E_FORMAT, "rope.freq_base\" is inf"},
        {"attention.layer_norm_rms_epsilon", 'f', NAN, ALLM_E_FORMAT, "rms_epsilon\" is nan"},
        {"attention.layer_norm_rms_epsilon", 'f', 0, ALLM_E_FORMAT, "rms_epsilon\" is 0.0"},
        {"attention.layer_norm_rms_epsilon", 'f', -1e-5, ALLM_E_FORMAT, "rms_epsilon\" is -"},
        {"attention.layer_norm_rms_epsilon", 'f', INFINITY, ALLM_E_FORMAT, "rms_epsilon\" is inf"},
        {"attention.layer_norm_rms_epsilon", 0, 0, ALLM_E_FORMAT, "rms_epsilon\" is missing"},
        {"rope.scaling.factor", 'f', NAN, ALLM_E_FORMAT, "rope.scaling.factor\" is nan"},
        {"rope.scaling.factor", 'f', -1, ALLM_E_FORMAT, "rope.scaling.factor\" is -1.0"},
        {"rope.scaling.type", 's', 0, ALLM_E_UNSUPPORTED, "RoPE scaling \"ntk\" is not supported"},
        {"rope.scaling.type", 'u', 1, ALLM_E_FORMAT, "rope.scaling.type\" is of type u32"},
        {"expert_count", 'u', 4, ALLM_E_FORMAT, "expert_used_count\" is missing"},
        {"nextn_predict_layers", 'u', 2, ALLM_E_FORMAT, "layers\" is 2, expected less than block_count, 2"},
        {"expert_used_count", 'u', 4, ALLM_E_FORMAT, "expert_used_count\" is 4, expected at most expert_count, 0"},
        /* what is fine */
        {"attention.head_count", 'h', 4, ALLM_OK, ""},
        {"attention.head_count", 'i', 4, ALLM_OK, ""},
        {"attention.head_count_kv", 'A', 2, ALLM_OK, ""},
        {"feed_forward_length", 'A', 64, ALLM_OK, ""},
        {"rope.freq_base", 'd', 1e6, ALLM_OK, ""},
        {"rope.freq_base", 'u', 10000, ALLM_OK, ""},
        {"rope.dimension_count", 'u', 4, ALLM_OK, ""},
        {"rope.scaling.factor", 'f', 0, ALLM_OK, ""},
        {"rope.scaling.factor", 'f', 4, ALLM_OK, ""},
        {"vocab_size", 'u', 97, ALLM_OK, ""},
        {"nextn_predict_layers", 'u', 1, ALLM_OK, ""},
    };
    test_engine e;
    (void)state;
    test_engine_init(&e, 1, NULL);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        make_model p = make_model_new("llama");
        make_model_set_text(&p, rows[i].key, rows[i].kind, rows[i].value, "ntk");
        make_gguf w = make_model_file(&p);
        test_engine_expect(&e, &w, rows[i].status, rows[i].words);
        make_gguf_free(&w);
    }
    test_engine_free(&e);
}

/* An array of another length than the layers. */
static void test_hyper_per_layer_array(void **state) {
    test_engine e;
    make_model  p = make_model_new("llama");
    (void)state;
    test_engine_init(&e, 1, NULL);
    make_model_set(&p, "feed_forward_length", 'A', 64);
    make_model_set(&p, "block_count", 'u', 1);
    make_gguf w = make_model_file(&p);
    test_engine_expect(&e, &w, ALLM_E_FORMAT, "feed_forward_length\" has 2 elements, 1 expected");
    make_gguf_free(&w);
    test_engine_free(&e);
}

/* Frequencies: plain, linear scaling (both spellings), divisors. */
static void test_hyper_rope(void **state) {
    test_engine e;
    allm_error  err;
    (void)state;
    test_engine_init(&e, 1, NULL);
    for (int i = 0; i < 6; i++) {
        make_model  p = make_model_new("llama");
        allm_model *m = NULL;
        double      factor = i == 1 || i == 2 ? 8 : 1;
        make_model_set(&p, "rope.freq_base", 'f', 500);
        if (i == 1) make_model_set(&p, "rope.scaling.factor", 'f', 8);
        if (i == 2) make_model_set(&p, "rope.scale_linear", 'f', 8);
        if (i == 3)
            make_model_set(&p, "rope.scaling.factor", 'f', 8),
                make_model_set_text(&p, "rope.scaling.type", 's', 0, "none");
        if (i == 4) make_model_set(&p, "rope.dimension_count", 'u', 4);
        if (i == 5) p.groups = ALLM__T_FREQS;
        make_gguf w = make_model_file(&p);
        assert_int_equal(test_engine_open(&e, &w, 0, &m, &err), ALLM_OK);
        assert_int_equal(m->hp.n_rot, i == 4 ? 4 : 8);
        for (int64_t k = 0; k < m->hp.n_rot / 2; k++) {
            double f = i == 5 ? (double)m->w.rope_freqs[k] : 1;
            double want = pow(500, -2.0 * (double)k / (double)m->hp.n_rot) / factor / f;
            assert_true(fabs(m->rope_freq[0][k] / want - 1) < 1e-12);
        }
        if (i == 5) assert_true(m->w.rope_freqs && m->w.rope_freqs[1] != 1);
        allm__model_release(m);
        make_gguf_free(&w);
    }
    test_engine_free(&e);
}

/* An epsilon by the name of the other kind of norm, as llama.cpp writes phimoe's; its own name counts first. */
static void test_hyper_epsilon(void **state) {
    static const char *const families[] = {"llama", "phimoe"};
    static const char *const names[] = {"attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon"};
    test_engine e;
    allm_error  err;
    (void)state;
    test_engine_init(&e, 1, NULL);
    for (int i = 0; i < 4; i++) {
        make_model  p = make_model_new(families[i / 2]);
        allm_model *m = NULL;
        make_model_set(&p, names[i / 2], i % 2 ? 'f' : 0, 0.25);
        make_model_set(&p, names[!(i / 2)], 'f', 0.5);
        make_gguf w = make_model_file(&p);
        assert_int_equal(test_engine_open(&e, &w, 0, &m, &err), ALLM_OK);
        assert_true(m->hp.norm_eps > (i % 2 ? 0.24 : 0.49) && m->hp.norm_eps < (i % 2 ? 0.26 : 0.51));
        allm__model_release(m);
        make_gguf_free(&w);
    }
    test_engine_free(&e);
}

/* YaRN rounds unless the file says no, as llama.cpp does. */
static void test_hyper_yarn_truncate(void **state) {
    test_engine e;
    allm_error  err;
    (void)state;
    test_engine_init(&e, 1, NULL);
    for (int i = 0; i < 3; i++) { /* not said, no, yes */
        make_model  p = make_model_new("gpt-oss");
        allm_model *m = NULL;
        make_model_set_text(&p, "rope.scaling.type", 's', 0, "yarn");
        make_model_set(&p, "rope.scaling.factor", 'f', 4);
        if (i) make_model_set(&p, "rope.scaling.yarn_truncate", 'b', i - 1);
        make_gguf w = make_model_file(&p);
        assert_int_equal(test_engine_open(&e, &w, 0, &m, &err), ALLM_OK);
        assert_int_equal(m->hp.rope_truncate, i != 1);
        allm__model_release(m);
        make_gguf_free(&w);
    }
    test_engine_free(&e);
}

/* Layers that guess further tokens stand behind the others, also in arrays, and are not used. */
static void test_hyper_nextn(void **state) {
    test_engine e;
    allm_error  err;
    make_model  p = make_model_new("qwen3");
    allm_model *m = NULL;
    (void)state;
    test_engine_init(&e, 1, NULL);
    p.n_layer = 3;
    make_model_set(&p, "feed_forward_length", 'A', 64);
    make_model_set(&p, "nextn_predict_layers", 'u', 1);
    make_gguf w = make_model_file(&p);
    assert_int_equal(test_engine_open(&e, &w, 0, &m, &err), ALLM_OK);
    assert_int_equal(m->hp.n_layer, 2);
    allm__model_release(m);
    make_gguf_free(&w);
    test_engine_free(&e);
}

static const struct CMUnitTest test_hyper[] = {
    cmocka_unit_test(test_hyper_fault_13),
    cmocka_unit_test(test_hyper_per_layer_array),
    cmocka_unit_test(test_hyper_rope),
    cmocka_unit_test(test_hyper_epsilon),
    cmocka_unit_test(test_hyper_nextn),
    cmocka_unit_test(test_hyper_yarn_truncate),
};
