/* Room gbnf: golden and a table of our own, refusals with their place, hostile grammars, memory. FAULTS row 30. */

static void gbnf_table(void **state) {
    static const gram_row rows[] = {
        {"root ::= \"a\"{2,3} [b-d]* \"\\u00e9\"?", "aa|aaab|aabcd\xc3\xa9", "a|aaaa|aae|"},
        {"root ::= e\ne ::= t ([-+] t)*\nt ::= [0-9]+ | \"(\" e \")\"", "1|1+(2-33)", "1+|()|(1"},
        {"# c\nroot ::=\n  # d\n  (\"a\" |\n \"b\")+ # e\n", "a|abba", "|c"},
        {"root ::= (\"a\"?){2} \"b\"", "b|ab|aab", "aaab"},
        {"root ::= (\"a\"? | \"b\"*)* \"c\"", "c|abbac", "ab"},
        {"root ::= (\"a\"+)+ \"$\"", "a$|aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa$",
         "$|aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
        {"root ::= x{0,3} \"z\"\nx ::= y y\ny ::= \"q\"?", "z|qz|qqqqqqz", "qqqqqqqz"},
        {"root ::= [^a] . [\\x00-\\x7f]", "\xe2\x82\xac\xf0\x9f\x98\x80z", "a11|b1\xc3\xa9|\xe2\x82z1"},
        {"root ::= [\xf0\x9f\x98\x80-\xf0\x9f\x98\x82]", "\xf0\x9f\x98\x81", "\xf0\x9f\x98\x83|\xf0\x9f\x98"},
        {"root ::= [\\uE000-\\uFFFF]", "\xee\x80\x80|\xef\xbf\xbf", "\xed\x9f\xbf|\xf0\x90\x80\x80"},
        {"root ::= \"a\"{0,5000}", "|aaa", "b"},
    };
    (void)state;
    gram_rows(rows, ALLM__COUNT(rows), 0);
}

static void gbnf_refused(void **state) {
    static const gram_bad rows[] = {
        {"", ALLM_E_GRAMMAR, 0, 0, "root"},
        {"root ::= a", ALLM_E_GRAMMAR, 1, 10, "\"a\" is not defined"},
        {"root ::= \"x\"\na ::= (b) c\nb ::= \"\"*\nc ::= a", ALLM_E_GRAMMAR, 2, 1, "begins with itself"},
        {"root ::= root", ALLM_E_GRAMMAR, 1, 1, "left recursion"},
        {"root ::= \"a\"{3,1}", ALLM_E_GRAMMAR, 1, 13, "at most 1"},
        {"root ::= \"a\"\n  \"b\"", ALLM_E_GRAMMAR, 2, 3, "name of a rule"},
        {"root ::= <think>", ALLM_E_UNSUPPORTED, 1, 10, "tokens"},
        {"root ::= [a\nroot", ALLM_E_GRAMMAR, 1, 10, "does not end"},
        {"root ::= \"\xff\"", ALLM_E_GRAMMAR, 1, 11, "UTF-8"},
        {"root ::= \"\\ud800\"", ALLM_E_GRAMMAR, 1, 11, "no character"},
        {"root ::= (\"a\"", ALLM_E_GRAMMAR, 1, 10, "not closed"},
        {"root ::= \"a\"{99999999999999999999}", ALLM_E_GRAMMAR, 1, 13, "most"},
    };
    (void)state;
    gram_bads(rows, ALLM__COUNT(rows), 0);
}

static void gbnf_golden(void **state) {
    static const char *const keys[] = {"accept", "reject"};
    size_t     n;
    int        count[3] = {0, 0, 0}; /* grammars, texts, refused */
    char      *json     = test_golden("schema/gbnf.json", &n);
    allm_error err      = {0};
    test_heap  mem      = {0};
    allm__host host     = test_host(&mem);
    allm__json j;
    (void)state;
    allm__json_init(&j, &host, allm__str(json, n), "gbnf.json", 0, &err);
    for (allm__json_begin(&j, ALLM__JSON_ARRAY, "a list"); allm__json_elem(&j); count[0]++) {
        allm_str  key, name = {"", 0}, lists[2] = {{"[]", 2}, {"[]", 2}};
        allm__buf text = {&host, NULL, 0, 0, 0, 0};
        int       bad  = 0;
        gram_run  x;
        gram_begin(&x);
        while (allm__json_key(&j, &key)) {
            int which = allm__str_eq(key, allm__str_of(keys[1]));
            if (allm__str_eq(key, ALLM__S("name"))) name = gram_raw(&j);
            else if (allm__str_eq(key, ALLM__S("grammar"))) allm__json_next(&j), allm__json_string(&j, &text);
            else if (allm__str_eq(key, ALLM__S("parse_error"))) allm__json_get_bool(&j, "parse_error", &bad);
            else if (which || allm__str_eq(key, allm__str_of(keys[0]))) lists[which] = gram_raw(&j);
            else allm__json_skip(&j);
        }
        allm_status status = gram_compile(&x, allm__str(text.ptr, text.len), 0);
        if (bad ? status != ALLM_E_GRAMMAR : status) fail_msg("%.*s: %s", (int)name.len, name.ptr, x.err.message);
        count[2] += bad;
        for (int i = 0; i < 2 && !bad; i++) count[1] += gram_golden_texts(&x, lists[i], !i, name);
        allm__buf_free(&text);
        gram_end(&x);
    }
    assert_int_equal(j.status, ALLM_OK);
    allm__json_free(&j);
    free(json);
    printf("             %d grammars, of which %d refused; %d texts\n", count[0], count[2], count[1]);
    assert_true(count[0] > 0 && count[1] > 0);
}

static void gbnf_hostile_groups(void *arg) {
    test_heap  mem  = {0};
    allm__host host = test_host(&mem);
    allm__buf  b    = {&host, NULL, 0, 0, 0, 0};
    (void)arg;
    allm__buf_puts(&b, "root ::= "), gram_put(&b, "(", 60000), allm__buf_puts(&b, "\"a\""), gram_put(&b, ")", 60000);
    gram_hostile_one("60000 groups", &b, "a", "b", 0);
    b.len = 0, allm__buf_puts(&b, "root ::= "), gram_put(&b, "(", 60000), allm__buf_puts(&b, "\"a\"*"),
    gram_put(&b, " \"b\"?)*", 60000);
    gram_hostile_one("60000 repeated groups", &b, NULL, NULL, 0);
    b.len = 0, allm__buf_puts(&b, "root ::= "), gram_put(&b, "(", 60000);
    gram_hostile_one("60000 open groups", &b, NULL, NULL, 0);
    b.len = 0, allm__buf_puts(&b, "root ::= \"a\""), gram_put(&b, "{0,1000}", 40);
    gram_hostile_one("40 counts in each other", &b, "aaaa", "b", 0);
    b.len = 0, allm__buf_puts(&b, "root ::= "), gram_put(&b, "(", 40), allm__buf_puts(&b, "\"a\""),
    gram_put(&b, "{1,2000} \"b\"?)", 40);
    gram_hostile_one("40 counted groups in each other", &b, NULL, NULL, 0);
    b.len = 0, allm__buf_puts(&b, "root ::= \"\""), gram_put(&b, "|\"xy\"", 100000);
    gram_hostile_one("100000 alternatives", &b, "xy", "x", 0);
    b.len = 0, allm__buf_puts(&b, "root ::= r0\n");
    for (int i = 0; i < 20000; i++) {
        char t[64];
        allm__buf_put(&b, t, (size_t)snprintf(t, sizeof t, "r%d ::= r%d | \"\"\n", i, i + 1));
    }
    allm__buf_puts(&b, "r20000 ::= \"z\"\n");
    gram_hostile_one("a chain of 20000 rules", &b, "z", "y", 0);
    allm__buf_free(&b);
}

static void gbnf_hostile(void **state) {
    (void)state;
    gbnf_hostile_groups(NULL);
    size_t depth = test_stack_depth(gbnf_hostile_groups, NULL);
    if (!TEST_SANITIZED) assert_true(depth < 64 << 10);
}

static void gbnf_memory(void **state) {
    static char text[] = "root ::= (a? \"b\" [^c-e\xc3\xa9]{1,9})* \"xy\"\na ::= \"q\"*\n";
    (void)state;
    test_fail_each(gram_memory_body, text);
}

static const struct CMUnitTest test_gbnf[] = {
    cmocka_unit_test(gbnf_table),   cmocka_unit_test(gbnf_refused), cmocka_unit_test(gbnf_golden),
    cmocka_unit_test(gbnf_hostile), cmocka_unit_test(gbnf_memory),
};
