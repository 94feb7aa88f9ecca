/* Room norm: what each normaliser makes of a text. Pre-tokenizers are tested by room tok's golden sets. */

static void test_norm_kinds_table(void **state) {
    static const struct {
        uint8_t     kind, flags;
        const char *in, *out;
    } rows[] = {
        {ALLM__NORM_NFC, 0, "e\xCC\x81", "\xC3\xA9"},
        {ALLM__NORM_NFD, 0, "\xC3\xA9x", "e\xCC\x81x"},
        {ALLM__NORM_NFKC, 0, "\xEF\xBC\xA1\xEF\xAC\x81", "Afi"}, /* U+FF21, U+FB01 */
        {ALLM__NORM_NFKD, 0, "\xC2\xBD", "1\xE2\x81\x84" "2"},
        {ALLM__NORM_LOWER, 0, "A\xCE\xA3", "a\xCF\x83"}, /* no final sigma */
        {ALLM__NORM_STRIP, ALLM__NORM_LEFT | ALLM__NORM_RIGHT, " \xE3\x80\x80" "a b\n", "a b"},
        {ALLM__NORM_STRIP, ALLM__NORM_RIGHT, " a ", " a"},
        {ALLM__NORM_ACCENTS, 0, "e\xCC\x81", "e"},
        {ALLM__NORM_NMT, 0, "a\x01\tb", "a b"},
        {ALLM__NORM_BERT_CLEAN, 0, "a\x0B\xEF\xBF\xBD\tb", "a b"},
        {ALLM__NORM_BERT_CJK, 0, "a\xE4\xB8\xAD", "a \xE4\xB8\xAD "},
        {ALLM__NORM_BYTES, 0, " a", "\xC4\xA0" "a"},
        {ALLM__NORM_SPM, ALLM__NORM_SQUEEZE | ALLM__NORM_PREFIX, "  a  b ", " a b"},
        {ALLM__NORM_SPM, ALLM__NORM_PREFIX | ALLM__NORM_ESCAPE, " a", "\xE2\x96\x81\xE2\x96\x81" "a"},
    };
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm__norm_step s = {0};
        allm__norm      n = {0};
        n.host = n.buf[0].host = n.buf[1].host = &h;
        s.kind = rows[i].kind, s.flags = rows[i].flags;
        allm_str got = allm__norm_run(&n, &s, 1, allm__str_of(rows[i].in));
        if (n.failed || !allm__str_eq(got, allm__str_of(rows[i].out)))
            fail_msg("row %zu: \"%.*s\", expected \"%s\"", i, (int)got.len, got.ptr, rows[i].out);
        allm__norm_free(&n);
    }
    test_heap_check(&heap);
}

static const struct CMUnitTest test_norm[] = {
    cmocka_unit_test(test_norm_kinds_table),
};
