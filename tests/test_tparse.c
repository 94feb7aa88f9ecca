/* Room tparse: tokens, precedence, blocks; what Jinja 3.1.6 gives, or what is said not to be supported. The
 * golden snippets are in test_tmpl.c. */

static const struct { const char *source, *expected, *message; } tparse_cases[] = {
    {"{{ -2 ** 2 }} {{ 2 ** 3 ** 2 }} {{ 'a' ~ 1 * 2 }} {{ 1 < 2 < 3 }}", "4 64 a2 True", NULL},
    {"{% raw %}{{ x }}{% endraw %}{# c #}|{{ '}}' }}|{{ {'a': {}} }}", "{{ x }}|}}|{'a': {}}", NULL},
    {"{% if 1 %}a{% elif 2 %}b{% else %}c{% endif %}", "a", NULL},
    {"{% if %}", NULL, "Expected an expression"},
    {"{{ 1 == not 0 }}", NULL, "expected token"},
    {"{% endif %}", NULL, "unknown tag 'endif'"},
    {"{{ 007 }}", NULL, ""},
};

static void test_tparse_cases(void **state) {
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(tparse_cases); i++) {
        tmpl_run r;
        tmpl_render(&r, allm__str_of(tparse_cases[i].source), ALLM__S(""), 0, NULL);
        if (tparse_cases[i].expected &&
            (r.status || !allm__str_eq(tmpl_out(&r), allm__str_of(tparse_cases[i].expected))))
            fail_msg("%s: %s%.*s", tparse_cases[i].source, r.err.message, (int)r.out.len,
                     r.out.ptr ? r.out.ptr : "");
        if (tparse_cases[i].message && (!r.status || !strstr(r.err.message, tparse_cases[i].message)))
            fail_msg("%s: %s", tparse_cases[i].source, r.err.message);
        tmpl_end(&r);
    }
}

static const struct CMUnitTest test_tparse[] = {
    cmocka_unit_test(test_tparse_cases),
};
