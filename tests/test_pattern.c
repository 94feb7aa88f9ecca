/* Room pattern: which texts a pattern or a format is found in, as JSON strings. */

static void pattern_table(void **state) {
    static const gram_row rows[] = {
        {"{\"type\":\"string\",\"pattern\":\"^(a+)+$\"}", "\"a\"|\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
         "\"\"|\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\""},
        {"{\"type\":\"string\",\"pattern\":\"b\"}", "\"b\"|\"abc\"|\"\\u0062\"", "\"\"|\"ac\""},
        {"{\"type\":\"string\",\"pattern\":\"^a{0,1000000000}$\"}", "\"\"|\"aaa\"", "\"ab\""},
        {"{\"type\":\"string\",\"pattern\":\"^[^\\\\s\\\\d]\\\\w?.$\"}", "\"ab\"|\"_1!\"", "\"1a\"|\"a\""},
        {"{\"type\":\"string\",\"pattern\":\"(^a|b$)\"}", "\"ax\"|\"xb\"", "\"xa\"|\"bx\""},
        {"{\"type\":\"string\",\"format\":\"date\"}", "\"2024-02-29\"", "\"2023-02-29\"|\"2024-2-9\""},
        {"{\"type\":\"string\",\"format\":\"time\"}", "\"23:59:60Z\"|\"22:59:60-01:00\"|\"01:02:03.4+05:06\"",
         "\"22:59:60Z\"|\"24:00:00Z\"|\"01:02:03\""},
        {"{\"type\":\"string\",\"format\":\"uuid\"}", "\"2eb8aa08-aa98-11ea-b4aa-73b441d16380\"",
         "\"2eb8aa08-aa98-11ea-b4aa73b441d16380\""},
        {"{\"type\":\"string\",\"format\":\"hostname\"}", "\"a.b-c.d\"", "\"-a\"|\"a..b\""},
        {"{\"type\":\"string\",\"format\":\"email\"}", "\"a.b@c.de\"", "\"a..b@c\"|\"@c\""},
        {"{\"type\":\"string\",\"format\":\"ipv4\"}", "\"0.0.0.255\"", "\"0.0.0.256\"|\"01.0.0.1\""},
    };
    (void)state;
    gram_rows(rows, ALLM__COUNT(rows), 1);
}

static const struct CMUnitTest test_pattern[] = {cmocka_unit_test(pattern_table)};
