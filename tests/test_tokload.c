/* Room tokload: a small tokenizer.json of our own, what is refused, every prefix of it, and failing memory. */

#define TEST_TOKLOAD_MODEL \
    "\"model\": {\"type\": \"BPE\", \"unk_token\": \"u\", \"vocab\": {\"u\": 0, \"a\": 1, \"b\": 2, \"ab\": 3}, " \
    "\"merges\": [\"a b\"]}"

static const char test_tokload_good[] =
    "{\"added_tokens\": [{\"id\": 4, \"content\": \"<s>\", \"special\": true, \"normalized\": false}], "
    "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}, {\"type\": \"Lowercase\"}]}, "
    "\"pre_tokenizer\": {\"type\": \"WhitespaceSplit\"}, \"post_processor\": {\"type\": \"TemplateProcessing\", "
    "\"single\": [\"<s>:0\", \"$A:0\"], \"special_tokens\": {\"<s>\": {\"id\": \"<s>\", \"ids\": [4]}}}, "
    "\"decoder\": {\"type\": \"Fuse\"}, " TEST_TOKLOAD_MODEL "}";

static void test_tokload_small(void **state) {
    static const int32_t want[] = {4, 3, 0, 4};
    test_heap            heap   = {0};
    allm__host           h      = test_host(&heap);
    allm_error           err    = {0};
    allm__tok           *t;
    (void)state;
    assert_int_equal(allm__tok_open_json(&h, allm__str_of(test_tokload_good), "t.json", &t, &err), ALLM_OK);
    allm__ids ids = {&h, NULL, 0, 0, 0};
    assert_int_equal(
        allm__tok_encode(t, ALLM__S("AB x<s>"), ALLM__TOK_SPECIAL | ALLM__TOK_BOS, NULL, 0, &ids, &err), ALLM_OK);
    assert_int_equal(ids.len, ALLM__COUNT(want));
    assert_memory_equal(ids.ptr, want, sizeof want);
    allm__ids_free(&ids);
    allm__tok_close(t);
    test_heap_check(&heap);
}

static void test_tokload_fault_21_refused(void **state) {
    static const struct {
        const char *json, *text;
    } rows[] = {
        {"{}", "no \"model\""},
        {"{\"model\": {\"type\": \"X\", \"vocab\": {}}}", "unknown model"},
        {"{\"model\": {\"type\": \"BPE\"}}", "no vocabulary"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": -1}}}", "integer in"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 2147483648}}}", "integer in"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 1, \"b\": 1}}}", "id 1 is that of"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 1}, \"merges\": [\"a b\"]}}", "right half"},
        {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 1}, \"merges\": [\"a\"]}}", "two halves"},
        {"{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", 0]], \"unk_id\": 5}}", "outside the vocabulary"},
        {"{\"normalizer\": {\"type\": \"X\"}, " TEST_TOKLOAD_MODEL "}", "unknown normalizer \"X\""},
        {"{\"pre_tokenizer\": {\"type\": \"X\"}, " TEST_TOKLOAD_MODEL "}", "unknown pre-tokenizer"},
        {"{\"decoder\": {\"type\": \"X\"}, " TEST_TOKLOAD_MODEL "}", "unknown decoder"},
        {"{\"post_processor\": {\"type\": \"X\"}, " TEST_TOKLOAD_MODEL "}", "unknown post-processor"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        test_heap  heap = {0};
        allm__host h    = test_host(&heap);
        allm_error err  = {0};
        allm__tok *t;
        allm__tok_open_json(&h, allm__str_of(rows[i].json), "t.json", &t, &err);
        if (!err.status || !strstr(err.message, rows[i].text)) fail_msg("row %zu: \"%s\"", i, err.message);
        assert_null(t);
        test_heap_check(&heap);
    }
}

static void test_tokload_prefixes(void **state) {
    (void)state;
    for (size_t n = 0; n + 1 < sizeof test_tokload_good - 1; n++) {
        test_heap  heap = {0};
        allm__host h    = test_host(&heap);
        allm_error err  = {0};
        allm__tok *t;
        assert_int_equal(allm__tok_open_json(&h, allm__str(test_tokload_good, n), "t.json", &t, &err), ALLM_E_FORMAT);
        assert_null(t);
        test_heap_check(&heap);
    }
}

static allm_status test_tokload_body(const allm__host *h, void *ctx) {
    allm_error err = {0};
    allm__tok *t;
    allm__ids  ids = {h, NULL, 0, 0, 0};
    (void)ctx;
    if (!allm__tok_open_json(h, allm__str_of(test_tokload_good), "t.json", &t, &err))
        allm__tok_encode(t, ALLM__S("AB x<s>\xC3\xA9"), ALLM__TOK_SPECIAL | ALLM__TOK_BOS, NULL, 0, &ids, &err);
    allm__ids_free(&ids);
    allm__tok_close(t);
    return err.status;
}

static void test_tokload_failing_memory(void **state) {
    (void)state;
    test_fail_each(test_tokload_body, NULL);
}

static const struct CMUnitTest test_tokload[] = {
    cmocka_unit_test(test_tokload_small),
    cmocka_unit_test(test_tokload_fault_21_refused),
    cmocka_unit_test(test_tokload_prefixes),
    cmocka_unit_test(test_tokload_failing_memory),
};
