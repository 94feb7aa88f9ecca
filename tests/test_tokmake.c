/* Room tokmake: tokens that stand for bytes (fault 22). The rest is tested by room tok's golden sets. */

static void test_tokmake_fault_22_byte_tokens(void **state) {
    static const struct {
        const char *text;
        int         byte;
    } rows[] = {
        {"<0x41>", 0x41}, {"<0xfF>", 0xff}, {"<0x-1>", -1}, {"<0xZZ>", -1}, {"<0x0>", -1},
        {"<0x100>", -1},  {"<0x", -1},      {"", -1},       {"<0x 1>", -1}, {"<0x41)", -1},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++)
        assert_int_equal(allm__tok_byte_of(allm__str_of(rows[i].text)), rows[i].byte);
}

static const struct CMUnitTest test_tokmake[] = {
    cmocka_unit_test(test_tokmake_fault_22_byte_tokens),
};
