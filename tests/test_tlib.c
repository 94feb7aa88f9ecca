/* Room tlib: filters, tests, methods, functions; what Jinja 3.1.6 gives, or what is said not to be supported. The
 * golden snippets are in test_tmpl.c. */

static const struct { const char *source, *expected, *message; } tlib_cases[] = {
    {"{{ 'abcdefgh ij' | wordwrap(3) }}", "abc\ndef\ngh\nij", NULL},
    {"{{ 'aa bb-cc dd' | wordwrap(5, break_on_hyphens=false) }}", "aa\nbb-cc\ndd", NULL},
    {"{{ 'aa bb-cc dd' | wordwrap(5) }}", NULL, "not supported"},
    {"{{ 'see http://a.com/x, <b>' | urlize }}",
     "see <a href=\"http://a.com/x\" rel=\"noopener\">http://a.com/x</a>, &lt;b&gt;", NULL},
    {"{{ 'https://A:80' | urlize }}", NULL, "not supported"},
    {"{{ '<b>x</b>  y &amp; z' | striptags }}", "x y & z", NULL},
    {"{{ 'a &eacute; b' | striptags }}", NULL, "not supported"},
    {"{{ '0x1f' | int(0, 0) }} {{ '0b11' | int(0, 0) }} {{ '017' | int(7, 0) }} {{ '0o17' | int(7, 0) }}",
     "31 3 17 15", NULL},
    {"{{ '12' | int(base=0) }} {{ '1_000' | int(base=0) }} {{ '-0X1F' | int(0, 16) }} {{ 'zz' | int(5, 36) }}",
     "12 1000 -31 1295", NULL},
    {"{{ '0x1f' | int(3) }} {{ 'a' | int(0, 1) }} {{ '5' | int(0, 40) }}", "3 0 5", NULL},
    {"{{ range(2 ** 63) }}", NULL, "range"},
    {"{{ ''.__class__ }}{{ ''.__class__.__mro__ }}", NULL, "unsafe"},
};

static void test_tlib_cases(void **state) {
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(tlib_cases); i++) {
        tmpl_run r;
        tmpl_render(&r, allm__str_of(tlib_cases[i].source), ALLM__S(""), 0, NULL);
        if (tlib_cases[i].expected &&
            (r.status || !allm__str_eq(tmpl_out(&r), allm__str_of(tlib_cases[i].expected))))
            fail_msg("%s: %s%.*s", tlib_cases[i].source, r.err.message, (int)r.out.len,
                     r.out.ptr ? r.out.ptr : "");
        if (tlib_cases[i].message && (!r.status || !strstr(r.err.message, tlib_cases[i].message)))
            fail_msg("%s: %s", tlib_cases[i].source, r.err.message);
        tmpl_end(&r);
    }
}

static const struct CMUnitTest test_tlib[] = {
    cmocka_unit_test(test_tlib_cases),
};
