/* Room tfmt: text of values, formats, arithmetic; what Jinja 3.1.6 gives, or what is said not to be supported. The
 * golden snippets are in test_tmpl.c. */

static const struct { const char *source, *expected, *message; } tfmt_cases[] = {
    {"{{ '%05.2f|%-4s|%x|%+d' % (3.14159, 'a', 255, 7) }}", "03.14|a   |ff|+7", NULL},
    {"{{ '{:>6.2f}|{:^7}|{:#x}|{:,}'.format(3.14159, 'ab', 255, 1234567) }}", "  3.14|  ab   |0xff|1,234,567", NULL},
    {"{{ 7 // -2 }} {{ -7 % 3 }} {{ 2 ** 70 }} {{ 1e16 }} {{ 0.1 + 0.2 }}",
     "-4 2 1180591620717411303424 1e+16 0.30000000000000004", NULL},
    {"{{ ['b', 'A', 'c'] | sort }}{{ [1, 'a', none, 1.5] | tojson }}", "['A', 'b', 'c'][1, \"a\", null, 1.5]", NULL},
    {"{{ 'abc' * 3 }}{{ [1] * 2 }}", "abcabcabc[1, 1]", NULL},
    {"{{ '%d' % 'x' }}", NULL, "number is required"},
    {"{{ 'a' * 10 ** 9 }}", NULL, "longer than"},
    {"{{ 1 < 'a' }}", NULL, "not supported between"},
};

static void test_tfmt_cases(void **state) {
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(tfmt_cases); i++) {
        tmpl_run r;
        tmpl_render(&r, allm__str_of(tfmt_cases[i].source), ALLM__S(""), 0, NULL);
        if (tfmt_cases[i].expected &&
            (r.status || !allm__str_eq(tmpl_out(&r), allm__str_of(tfmt_cases[i].expected))))
            fail_msg("%s: %s%.*s", tfmt_cases[i].source, r.err.message, (int)r.out.len,
                     r.out.ptr ? r.out.ptr : "");
        if (tfmt_cases[i].message && (!r.status || !strstr(r.err.message, tfmt_cases[i].message)))
            fail_msg("%s: %s", tfmt_cases[i].source, r.err.message);
        tmpl_end(&r);
    }
}

static const struct CMUnitTest test_tfmt[] = {
    cmocka_unit_test(test_tfmt_cases),
};
