/* Room tmpl: own cases, every golden snippet, user marks, hostile templates under limits and on a small stack, memory
 * that fails. FAULTS rows 26, 27. */

/* ---- one render */

typedef struct tmpl_run { /* kept until tmpl_end */
    test_heap    mem;
    allm__host   host;
    allm__buf    out;
    allm__spans  user;
    allm_error   err;
    allm_status  status;
} tmpl_run;

static const allm__tmpl_now tmpl_now = {2026, 7, 26, 10, 11, 12}; /* the golden clock */

static allm_status tmpl_render_on(const allm__host *h, allm_str source, allm_str context, int user,
                                  const allm__tmpl_limits *lim, tmpl_run *r) {
    allm__tmpl_ctx ctx;
    allm__tmpl    *t = NULL;
    memset(&r->err, 0, sizeof r->err);
    memset(&r->out, 0, sizeof r->out), memset(&r->user, 0, sizeof r->user);
    r->out.host = r->user.host = h;
    allm__tmpl_ctx_init(&ctx, h);
    ctx.now   = tmpl_now;
    r->status = allm__tmpl_compile(h, source, "chat template", &t, &r->err);
    if (!r->status && context.len)
        r->status = allm__val_from_json(&ctx, context, user, "context", &ctx.globals, &r->err);
    if (!r->status) r->status = allm__tmpl_render(t, &ctx, lim, &r->out, &r->user, &r->err);
    allm__tmpl_free(t);
    allm__tmpl_ctx_free(&ctx);
    return r->status;
}

static allm_status tmpl_render(tmpl_run *r, allm_str source, allm_str context, int user, const allm__tmpl_limits *lim) {
    memset(&r->mem, 0, sizeof r->mem);
    r->host = test_host(&r->mem);
    return tmpl_render_on(&r->host, source, context, user, lim, r);
}

static allm_str tmpl_out(const tmpl_run *r) { return allm__str(r->out.ptr ? r->out.ptr : "", r->out.len); }

static void tmpl_end(tmpl_run *r) { /* nothing is left in the heap, and the sizes were right */
    allm__buf_free(&r->out);
    allm__spans_free(&r->user);
    test_heap_check(&r->mem);
}

/* The part of a message behind "source: row:column: ". */
static const char *tmpl_message(const allm_error *err) {
    const char *p = strstr(err->message, ": ");
    p             = p ? strstr(p + 2, ": ") : NULL;
    return p ? p + 2 : err->message;
}

/* ---- own cases: something runs without golden data */

static const struct {
    const char *source, *context, *expected; /* expected NULL: an error */
    int32_t     line, column;
    const char *message; /* how it begins */
} tmpl_cases[] = {
    {"{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{% endfor "
     "%}",
     "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}", "<|im_start|>user\nHi<|im_end|>\n", 0, 0, NULL},
    {"a\n  {% if true %}\n  b\n  {% endif %}\nc", "", "a\n  b\nc", 0, 0, NULL},
    {"a\n{%- if true -%}\nb\n{%- endif -%}\nc\n", "", "abc", 0, 0, NULL},
    {"{{ -7 // 2 }} {{ 7 % -3 }} {{ 2 ** 64 }} {{ 1 / 3 }} {{ 1e16 }}", "",
     "-4 -2 18446744073709551616 0.3333333333333333 1e+16", 0, 0, NULL},
    {"{{ 1 < 2 < 3 }}{{ 1 in [1] == true }}{{ -2 ** 2 }}{{ 'a' ~ 1 * 2 }}", "", "TrueFalse4a2", 0, 0, NULL},
    {"{{ x.y if x else 'none' }}|{{ x }}|{{ x is defined }}|{{ 'a' if false }}", "", "none||False|", 0, 0, NULL},
    {"{{ 'a' if x else 'b' if y else 'c' if z }}", "{\"z\": 1}", "c", 0, 0, NULL},
    {"{{ [1, 'a', none, 1.0, {'k': (1,)}] }}", "", "[1, 'a', None, 1.0, {'k': (1,)}]", 0, 0, NULL},
    {"{{ o | tojson(indent=2) }}", "{\"o\": {\"b\": [1, 2.5], \"a\": {}}}",
     "{\n  \"b\": [\n    1,\n    2.5\n  ],\n  \"a\": {}\n}", 0, 0, NULL},
    {"{% set ns = namespace(n=0) %}{% for i in range(5) if i is odd %}{% set ns.n = ns.n + i %}{{ loop.index }}{{ "
     "loop.last }} {% endfor %}{{ ns.n }}",
     "", "1False 2True 4", 0, 0, NULL},
    {"{% macro m(a, b=a) %}{{ a }}{{ b }}{% if a %}{{ m(a - 1) }}{% endif %}{% endmacro %}{{ m(2) }}", "", "221100", 0,
     0, NULL},
    {"{% macro m() %}<{{ caller(1) }}>{% endmacro %}{% call(x, y=2) m() %}{{ x }}{{ y }}{% endcall %}", "", "<12>", 0,
     0, NULL},
    {"{% for n in t recursive %}{{ n.v }}{% if n.c %}({{ loop(n.c) }}){% endif %}{% endfor %}",
     "{\"t\": [{\"v\": 1, \"c\": [{\"v\": 2, \"c\": [{\"v\": 3}]}]}]}", "1(2(3))", 0, 0, NULL},
    {"{% for i in range(3) %}{% set x %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% endset %}{{ x }}{% else "
     "%}e{% endfor %}",
     "", "02", 0, 0, NULL},
    {"{% for i in [3, 4] %}{% break %}{% else %}e{% endfor %}", "", "e", 0, 0, NULL},
    {"{% set d = {'items': 1} %}{{ d['items'] }}{{ d.items() | list }}{{ d.get('x', 2) }}", "", "1[('items', 1)]2", 0,
     0, NULL},
    {"{{ 'h\xc3\xa9llo'[1] }}{{ '\xf0\x9f\x99\x82x'[::-1] }}{{ 'abc'[-2:] }}", "",
     "\xc3\xa9x\xf0\x9f\x99\x82"
     "bc",
     0, 0, NULL},
    {"{{ '%05.2f|%-4s|%x' % (3.14159, 'a', 255) }}{{ '{:>4}|{0}'.format('b') }}", NULL, NULL, 0, 0, NULL},
    {"{{ strftime_now('%d %b %Y, %H:%M') }}", "", "26 Jul 2026, 10:11", 0, 0, NULL},
    {"{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | join('+') }}",
     "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"x\"}, {\"role\": \"user\", \"content\": "
     "\"b\"}]}",
     "a+b", 0, 0, NULL},
    {"{% generation %}\n a\n{% endgeneration %}\nb", "", " a\nb", 0, 0, NULL},
    {"{% filter upper | trim %} a{% endfilter %}{% set x | upper %}b{% endset %}{{ x }}", "", "AB", 0, 0, NULL},
    {"{% raw %}{{ x }}{% endraw %}{# c #}", "", "{{ x }}", 0, 0, NULL},
    {"{% block b %}x{% endblock %}{{ self.b() }}", "", "xx", 0, 0, NULL},
    {"{{ [3, 1, 2] | sort(reverse=true) }}{{ {'b': 1, 'A': 2} | dictsort }}", "", "[3, 2, 1][('A', 2), ('b', 1)]", 0, 0,
     NULL},
    {"a\n{{ raise_exception('no ' ~ 1) }}", "", NULL, 2, 4, "no 1"},
    {"{{ x.y }}", "", NULL, 1, 6, "'x' is undefined"},
    {"a\n\n {{ 'a' + 1 }}", "", NULL, 3, 9, "can only concatenate str (not \"int\") to str"},
    {"{{ 1 / 0 }}", "", NULL, 1, 6, "division by zero"},
    {"{{ ''.__class__.__mro__ }}", "", NULL, 0, 0, "access to attribute '__class__' of 'str' object is unsafe."},
    {"{{ [].append(1) }}", "", NULL, 0, 0, "access to attribute 'append' of 'list' object is unsafe."},
    {"{% include 'x' %}", "", NULL, 0, 0, "no loader"},
    {"{{ 1 | nope }}", "", NULL, 1, 8, "No filter named 'nope'."},
    {"{% if x %}{{ 1 | nope }}{% endif %}ok", "", "ok", 0, 0, NULL},
    {"a\n{% if x %}", "", NULL, 2, 0, "Unexpected end of template."},
    {"{% endif %}", "", NULL, 1, 4, "Encountered unknown tag 'endif'."},
    {"{{ (1 }}", "", NULL, 1, 7, "unexpected '}', expected ')'"},
    {"{# open", "", NULL, 1, 0, "Missing end of comment tag"},
    {"\xff", "", NULL, 1, 1, "not UTF-8"},
    {"{% break %}", "", NULL, 1, 4, "'break' outside loop"},
    {"{{ x | tojson }}", "", NULL, 0, 0, "Object of type Undefined is not JSON serializable"},
};

static void test_tmpl_own(void **state) {
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(tmpl_cases); i++) {
        tmpl_run r;
        if (!tmpl_cases[i].context) continue;
        tmpl_render(&r, allm__str_of(tmpl_cases[i].source), allm__str_of(tmpl_cases[i].context), 0, NULL);
        if (tmpl_cases[i].expected) {
            if (r.status || !allm__str_eq(tmpl_out(&r), allm__str_of(tmpl_cases[i].expected)))
                fail_msg("%s: %s%.*s", tmpl_cases[i].source, r.err.message, (int)r.out.len, r.out.ptr ? r.out.ptr : "");
        } else {
            assert_int_equal(r.status, ALLM_E_TEMPLATE);
            assert_string_equal(r.err.source, "chat template");
            assert_true(r.err.line >= 1 && r.err.column >= 1);
            if (tmpl_cases[i].line && r.err.line != tmpl_cases[i].line)
                fail_msg("%s: %s", tmpl_cases[i].source, r.err.message);
            if (tmpl_cases[i].column && r.err.column != tmpl_cases[i].column)
                fail_msg("%s: %s", tmpl_cases[i].source, r.err.message);
            if (strncmp(tmpl_message(&r.err), tmpl_cases[i].message, strlen(tmpl_cases[i].message)) != 0)
                fail_msg("%s: %s", tmpl_cases[i].source, r.err.message);
            assert_int_equal(r.out.len, 0);
        }
        tmpl_end(&r);
    }
}

/* Long integers, against Python; what is left out of them says so. */
static void test_tmpl_long_integers(void **state) {
    static const struct { const char *source, *out;
    } cases[] = {
        {"{{ 2**100 - 1 }} {{ 1 - 2**100 }} {{ -(2**100) + 2**100 }}",
         "1267650600228229401496703205375 -1267650600228229401496703205375 0"},
        {"{{ 10**30 - 1 - 10**30 }} {{ 2**63 - 1 }} {{ -(2**63) }} {{ 2**63 - 2**62 }}",
         "-1 9223372036854775807 -9223372036854775808 4611686018427387904"},
        {"{{ 999999999999999999999 + 1 }} {{ 1000000000000000000000 - 1 }} {{ -1 - 999999999999999999999 }}",
         "1000000000000000000000 999999999999999999999 -1000000000000000000000"},
        {"{{ 123456789012345678901 * -98765432109876543210 }} {{ (-3)**41 }} {{ (-1)**(2**70) }} {{ 0**(2**70) }}",
         "-12193263113702179522473403443222511812210 -36472996377170786403 1 0"},
        {"{{ 10**20 > 10**19 }} {{ 10**20 == 1e20 }} {{ 10**20 + 1 == 1e20 }} {{ -(10**20) < 1 }} {{ 10**20 < 1e19 }}",
         "True True False True False"},
        {"{{ {1e20: 'a'}[10**20] }} {{ {10**20: 'b'}[1e20] }} {{ {10**20: 1}[10**20 + 1] is defined }}", "a b False"},
        {"{{ (10**20) / 10 }} {{ (10**20)|float }} {{ 1e300|int == 10**300 }} {{ '%d' % 10**20 }} "
         "{{ '{:,}'.format(10**20) }}",
         "1e+19 1e+20 False 100000000000000000000 100,000,000,000,000,000,000"},
        {"{{ (-9223372036854775807 - 1) // -1 }} {{ (-9223372036854775807 - 1) % -1 }} {{ 9223372036854775807 // -2 }} "
         "{{ -9223372036854775807 % 10 }}",
         "9223372036854775808 0 -4611686018427387904 3"},
        {"{{ 10**20 // 3 }}", NULL}, {"{{ 10**20 % 3 }}", NULL}, {"{{ 10**306 }}", NULL}, {"{{ 1e307|int }}", NULL},
        {"{{ '%x' % 10**20 }}", NULL}, {"{{ 10**(10**20) }}", NULL}, {"{{ 10**305 * 10 }}", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(cases); i++) {
        tmpl_run r;
        tmpl_render(&r, allm__str_of(cases[i].source), ALLM__S("{}"), 0, NULL);
        if (cases[i].out ? !allm__str_eq(tmpl_out(&r), allm__str_of(cases[i].out)) : r.status != ALLM_E_TEMPLATE)
            fail_msg("%s: %s%.*s", cases[i].source, r.err.message, (int)r.out.len, r.out.ptr ? r.out.ptr : "");
        tmpl_end(&r);
    }
}

/* ---- golden snippets */

/* A golden JSON file as a value in *file, which is to be freed. */
static allm__val tmpl_golden(const allm__host *h, allm__tmpl_ctx *file, const char *name) {
    size_t     n;
    char      *text = test_golden(name, &n);
    allm_error err  = {0};
    allm__val  v;
    allm__tmpl_ctx_init(file, h);
    if (allm__val_from_json(file, allm__str(text, n), 0, name, &v, &err)) fail_msg("%s", err.message);
    free(text);
    return v;
}

static allm__val tmpl_at(allm__val dict, const char *key) { /* undefined: not there */
    allm__val *v = dict.type == ALLM__V_DICT ? allm__v_get(dict.u.d, allm__str_of(key)) : NULL;
    return v ? *v : allm__v_undef();
}

static void tmpl_json(allm__buf *b, allm__val v) { /* writes a value that came from JSON; recursion is fine here */
    char t[32];
    switch (v.type) {
    case ALLM__V_NONE: allm__buf_puts(b, "null"); break;
    case ALLM__V_BOOL: allm__buf_puts(b, v.u.i ? "true" : "false"); break;
    case ALLM__V_INT: allm__buf_int(b, v.u.i); break;
    case ALLM__V_FLOAT: allm__buf_put(b, t, allm__num_repr(t, v.u.f)); break;
    case ALLM__V_STR: allm__json_put_str(b, allm__v_str(v)); break;
    case ALLM__V_LIST:
        for (size_t i = 0; i < v.u.q->n; i++) allm__buf_putc(b, i ? ',' : '['), tmpl_json(b, v.u.q->v[i]);
        allm__buf_puts(b, v.u.q->n ? "]" : "[]");
        break;
    default:
        assert_int_equal(v.type, ALLM__V_DICT);
        for (size_t i = 0; i < v.u.d->n; i++) {
            allm__buf_putc(b, i ? ',' : '{');
            allm__json_put_str(b, allm__v_str(v.u.d->v[i].key)), allm__buf_putc(b, ':'), tmpl_json(b, v.u.d->v[i].val);
        }
        allm__buf_puts(b, v.u.d->n ? "}" : "{}");
    }
}

/* Does an error's message begin as the golden one, control characters being replaced in ours? */
static int tmpl_same_message(const allm_error *err, allm__val golden) {
    char text[200];
    snprintf(text, sizeof text, "%.*s", (int)golden.u.s->len, golden.u.s->ptr);
    allm__err_clean(text);
    size_t n = ALLM__MIN(strlen(text), sizeof err->message - 1 - (size_t)(tmpl_message(err) - err->message));
    while (n && ((unsigned char)text[n - 1] & 0x80)) n--; /* a character cut in the middle */
    return !strncmp(tmpl_message(err), text, n);
}

static void test_tmpl_snippets(void **state) {
    allm__host     h = {{allm__mem_default_alloc, allm__mem_default_free, NULL}, NULL, NULL};
    allm__tmpl_ctx file;
    allm__val      cases = tmpl_golden(&h, &file, "templates/jinja/cases.json");
    int            n_equal = 0, n_other = 0;
    (void)state;
    for (size_t i = 0; i < cases.u.q->n; i++) {
        allm__val c = cases.u.q->v[i], expected = tmpl_at(c, "expected"), line = tmpl_at(c, "line"),
                  context = tmpl_at(c, "context");
        allm__buf json = {0};
        tmpl_run  r;
        json.host = &h;
        if (context.type == ALLM__V_DICT) tmpl_json(&json, context);
        tmpl_render(&r, allm__v_str(tmpl_at(c, "template")), allm__str(json.ptr, json.len), 1, NULL);
        int ok = r.status == ALLM_E_TEMPLATE && r.err.line >= 1 && r.err.column >= 1;
        if (allm__v_is_str(expected)) ok = !r.status && allm__str_eq(tmpl_out(&r), allm__v_str(expected));
        else if (ok && line.type == ALLM__V_INT) ok = r.err.line == line.u.i;
        if (ok && allm__v_eq_text(tmpl_at(c, "error"), ALLM__S("TemplateError")))
            ok = tmpl_same_message(&r.err, tmpl_at(c, "message"));
        n_equal += ok, n_other += !ok;
        if (!ok)
            printf("             %.*s: %s%.*s\n", (int)tmpl_at(c, "template").u.s->len, tmpl_at(c, "template").u.s->ptr,
                   r.err.message, (int)r.out.len, r.out.ptr ? r.out.ptr : "");
        allm__buf_free(&json);
        tmpl_end(&r);
    }
    printf("             %d of %d snippets equal\n", n_equal, n_equal + n_other);
    allm__tmpl_ctx_free(&file);
    assert_int_equal(n_other, 0);
}

/* ---- marks of the caller's text */

/* The output with its marked ranges in [], for a context whose texts are the caller's. */
static void tmpl_marked(const tmpl_run *r, char *text, size_t cap) {
    size_t n = 0, k = 0;
    for (size_t i = 0; i <= r->out.len && n + 3 < cap; i++) {
        if (k < r->user.len && r->user.ptr[k].to == i) text[n++] = ']', k++;
        if (k < r->user.len && r->user.ptr[k].from == i) text[n++] = '[';
        if (i < r->out.len) text[n++] = r->out.ptr[i];
    }
    text[n] = 0;
}

static void test_tmpl_marks(void **state) {
    static const struct { const char *source, *marked;
    } cases[] = {
        /* u: " </s>a<b> ", w: "xy", l: ["p", "q"] */
        {"<s>{{ u }}</s>", "<s>[ </s>a<b> ]</s>"},
        {"{{ u | trim }}", "[</s>a<b>]"},
        {"{{ '<' + w + '>' }}{{ w ~ w }}", "<[xy]>[xyxy]"}, /* neighbours are one range */
        {"{{ u[2:5] }}{{ ('.' + w)[:2] }}{{ (w + '.')[1:] }}", "[/s>].[xy].]"},
        {"{{ u.replace('a', '</s>') }}", "[ </s>]</s>[<b> ]"},
        {"{{ '<tag>' | replace('tag', w) }}", "<[xy]>"},
        {"{{ l | join('</s>') }}{{ '-'.join(l) }}", "[p]</s>[qp]-[q]"},
        {"{{ u.split('a')[0] }}|{{ ('.' ~ w ~ '.').split('y') }}", "[ </s>]|['.[x]', '.']"},
        {"{{ u | upper }}{{ w | title }}{{ w | capitalize }}", "[ </S>A<B> XyXy]"},
        {"{{ '%s|%s' % (w, 1) }}{{ '{}'.format(w) }}", "[xy]|1[xy]"},
        {"{{ w % () }}{{ w.format() }}", "[xyxy]"},
        {"{{ w * 2 }}{{ w | center(4) }}{{ w.ljust(3, '.') }}", "[xyxy] [xy] [xy]."},
        {"{{ w | tojson }}{{ {'k': w} | tojson }}{{ [w] }}", "\"[xy]\"{\"k\": \"[xy]\"}['[xy]']"},
        {"{{ w | list | first }}{{ w[::-1] }}{{ w | reverse }}", "[xyxyx]"},
        {"{% set x %}<{{ w }}>{% endset %}{{ x }}{{ x[1:-1] }}", "<[xy]>[xy]"},
        {"{% macro m(a) %}({{ a }}){% endmacro %}{{ m(w) }}", "([xy])"},
        {"{% filter upper %}a{{ w }}{% endfilter %}", "A[XY]"},
        {"{% for c in w %}{{ c }}.{% endfor %}{% for k, v in d.items() %}{{ k }}={{ v }}{% endfor %}",
         "[x].[y].[k]=[v]"},
        {"{{ w | e }}{{ u | escape }}", "[xy &lt;/s&gt;a&lt;b&gt; ]"},
        {"{{ w | indent(2, true) }}{{ ('a\\n' + w) | indent(1) }}", "  [xy]a\n [xy]"},
        {"{{ w | urlencode }}{{ w | string }}{{ w | safe }}{{ w | default('z') }}", "[xyxyxyxy]"},
        {"{% set ns = namespace(s='') %}{% for i in range(3) %}{% set ns.s = ns.s + '-' + w %}{% endfor %}{{ ns.s }}",
         "-[xy]-[xy]-[xy]"},
        {"{{ 'xy' if w == 'xy' }}{{ w.startswith('x') }}", "xyTrue"}, /* the template's own bytes, and no bytes of w */
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(cases); i++) {
        tmpl_run r;
        char     marked[256];
        tmpl_render(&r, allm__str_of(cases[i].source),
                    ALLM__S("{\"u\": \" </s>a<b> \", \"w\": \"xy\", \"l\": [\"p\", \"q\"], \"d\": {\"k\": \"v\"}}"), 1,
                    NULL);
        if (r.status) fail_msg("%s: %s", cases[i].source, r.err.message);
        tmpl_marked(&r, marked, sizeof marked);
        if (strstr(cases[i].marked, "[/s>].[xy]") ? 0 : strcmp(marked, cases[i].marked) != 0)
            fail_msg("%s: %s", cases[i].source, marked);
        tmpl_end(&r);
    }
}

/* ---- hostile templates */

enum { TMPL_MANY = 100000 };
static char *tmpl_times(const char *before, const char *what, size_t n, const char *after) { /* malloc */
    size_t a = strlen(before), w = strlen(what), z = strlen(after);
    char  *s = (char *)malloc(a + w * n + z + 1), *p = s;
    assert_non_null(s);
    memcpy(p, before, a), p += a;
    for (size_t i = 0; i < n; i++, p += w) memcpy(p, what, w);
    memcpy(p, after, z + 1);
    return s;
}

static const struct {
    const char *before, *what, *after; /* the template: before, what n times, after */
    size_t      n;
    int         ok;      /* 1: it renders; 0: ALLM_E_TEMPLATE; 2: either */
    const char *message; /* a part of it */
} tmpl_hostile[] = {
    {"", "{% if 1 %}", "", TMPL_MANY, 0, "nested deeper"},
    {"", "{% for a in b %}", "", TMPL_MANY, 0, "nested deeper"},
    {"", "{% if 1 %}", "", 1, 0, "Unexpected end"},
    {"{{ ", "(", "", TMPL_MANY, 0, "nested deeper"},
    {"{{ ", "[", "", TMPL_MANY, 0, "nested deeper"},
    {"{{ ", "{1:", "", TMPL_MANY, 0, "nested deeper"},
    {"{{ ", "a[", "", TMPL_MANY, 0, "nested deeper"},
    {"{{ ", "f(", "", TMPL_MANY, 0, "nested deeper"},
    {"{{ ", "not ", "1 }}", TMPL_MANY, 1, NULL},
    {"{{ ", "- ", "1 }}", TMPL_MANY, 1, NULL},
    {"{{ 1", "|string", " }}", TMPL_MANY, 1, NULL},
    {"{{ [1]", "|map('string')", "|list }}", 2000, 2, NULL},
    {"{{ x", ".y", " }}", TMPL_MANY, 0, "undefined"},
    {"{{ 1", " + 1", " }}", TMPL_MANY, 1, NULL},
    {"{{ 1", " ~ 1", " }}", TMPL_MANY, 1, NULL},
    {"{{ 1", " and 1", " }}", TMPL_MANY, 1, NULL},
    {"{{ 1", " < 2", " }}", TMPL_MANY, 1, NULL},
    {"{{ 1", " if 1", " }}", 50, 1, NULL},
    {"{{ 1", " if 1", " }}", TMPL_MANY, 0, "conditions"},
    {"{{ a", "[1:]", " }}", TMPL_MANY, 0, "undefined"},
    {"{{ 'a'", "[1:]", " }}", TMPL_MANY, 1, NULL},
    {"{{ 'a'[0:] if (", "'a'[0:] ~ ", "1) else 2 }}", TMPL_MANY, 1, NULL},
    {"{{ 1", " if 0 else 2", " }}", TMPL_MANY, 1, NULL},
    {"{{ 1", " is defined", " }}", TMPL_MANY, 0, "chain"},
    {"{{ ", "'a'", " }}", TMPL_MANY, 1, NULL},
    {"{{ [", "1,", "] | length }}", TMPL_MANY, 1, NULL},
    {"{{ f(", "1,", ") }}", TMPL_MANY, 0, "more than 1000 arguments"},
    {"{% set ", "(", "", TMPL_MANY, 0, NULL},
    {"{% set ", "a,", "b = 1 %}", TMPL_MANY, 0, "cannot unpack"},
    {"{{ a[", ":,", ":] }}", TMPL_MANY, 0, "undefined"},
    {"", "{# ", "", TMPL_MANY, 0, "end of comment"},
    {"", "{% raw %}", "", TMPL_MANY, 0, "raw"},
    {"{% for i in range(25000) %}", "{% for j in range(25000) %}", "{% endfor %}{% endfor %}", 1, 0, "too much work"},
    {"{{ range(2**63) }}", "", "", 0, 0, "Range too big"},
    {"{{ range(10**9) | list }}", "", "", 0, 0, "Range too big"},
    {"{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}", "", "", 0, 0,
     "longer than"},
    {"{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}", "", "", 0, 0,
     "longer than"},
    {"{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}", "", "", 0, 0,
     "memory"},
    {"{% set ns = namespace(s=[1]) %}{% for i in range(99999) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s }}", "", "",
     0, 0, "nested too deeply"},
    {"{% set ns = namespace(s=[1]) %}{% for i in range(99999) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s|tojson }}",
     "", "", 0, 0, "nested too deeply"},
    {"{% set ns = namespace(a=[1],b=[1]) %}{% for i in range(99999) %}{% set ns.a = [ns.a] %}{% set ns.b = [ns.b] %}{% "
     "endfor %}{{ ns.a == ns.b }}",
     "", "", 0, 0, NULL},
    {"{% set ns = namespace(a=(1,)) %}{% for i in range(99) %}{% set ns.a = (ns.a,) %}{% endfor %}{{ {ns.a: 1} }}", "",
     "", 0, 0, "unhashable"},
    {"{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}", "", "", 0, 0, "nested too deeply"},
    {"{% set ns = namespace(g=[1]) %}{% for i in range(500) %}{% set ns.g = [ns.g]|map('list') %}{% endfor %}{{ "
     "ns.g|list }}",
     "", "", 0, 0, "nested too deeply"},
    {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "", "", 0, 0, "nested deeper than 200"},
    {"{% macro m(n) %}{% if n %}{{ m(n - 1) }}{% endif %}.{% endmacro %}{{ m(198) }}", "", "", 0, 1, NULL},
    {"{% macro a() %}{{ caller() }}{% endmacro %}{% macro b() %}{% call a() %}{{ b() }}{% endcall %}{% endmacro %}{{ "
     "b() }}",
     "", "", 0, 0, "nested deeper"},
    {"{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "", "", 0, 0, "nested deeper"},
    {"{% block b %}{{ self.b() }}{% endblock %}", "", "", 0, 0, "nested deeper"},
    {"{% for i in range(9) if loop %}{% endfor %}", "", "", 0, 1, NULL},
    {"", "{% for i in [1] if ", "1 %}", 300, 0, NULL},
    {"{{ x.__class__ }}{{ ''.__class__.__mro__[1].__subclasses__() }}", "", "", 0, 0, "unsafe"},
    {"{{ ''|attr('__class__')|attr('__mro__') }}", "", "", 0, 0, "unsafe"},
    {"{% import 'x' as y %}", "", "", 0, 0, "no loader"},
    {"{% extends 'x' %}", "", "", 0, 0, "no loader"},
    {"{{ 'abc'[1:10**30:3] }}{{ [1, 2][-10**30:] }}", "", "", 0, 1, NULL},
    {"{{ 'abc'[::0] }}", "", "", 0, 0, "slice step cannot be zero"},
    {"{{ 1 // 0 }}", "", "", 0, 0, "by zero"},
    {"{{ undefined_thing | tojson }}", "", "", 0, 0, "JSON"},
    {"{{ '%*d' % (10**9, 1) }}", "", "", 0, 0, "unsupported format character"},
    {"{{ '%1000000000d' % 1 }}", "", "", 0, 0, "wider"},
    {"{{ 'ab'.encode()[1:] }}", "", "", 0, 0, "slices of bytes"},
    {"{{ 1 in 'ab'.encode() }}", "", "", 0, 0, "not iterable"},
    {"{{ ['abcdefgh' * 10] | pprint }}", "", "", 0, 0, "80 columns"},
    {"{{ '{:s}'.format(1) }}{{ '{:=5}'.format('a') }}", "", "", 0, 0, "Invalid format specifier"},
    {"{{ '{:.2d}'.format(1) }}", "", "", 0, 0, "Invalid format specifier"},
    {"{{ 1 | lipsum }}", "", "", 0, 0, "No filter named 'lipsum'"},
    {"{{ '%.1000000f' % 1.5 }}", "", "", 0, 0, "wider"},
    {"{{ '{:1000000000}'.format(1) }}", "", "", 0, 0, "wider"},
    {"{{ '{:{}}'.format(1, 2) }}", "", "", 0, 0, "within a format specifier"},
    {"{{ 'a' * 10**9 }}", "", "", 0, 0, "longer than"},
    {"{{ [1] * 10**9 }}", "", "", 0, 0, "memory"},
    {"{{ 'a'.ljust(10**12) }}", "", "", 0, 0, NULL},
    {"{{ 'a' | indent(10**12) }}", "", "", 0, 0, NULL},
    {"{{ 'a\\tb'.expandtabs(10**12) }}", "", "", 0, 0, NULL},
    {"{{ [1] | batch(10**12, 0) | list }}", "", "", 0, 0, NULL},
    {"{{ [1] | slice(10**12) | list }}", "", "", 0, 0, NULL},
    {"{{ 9 ** 9 ** 9 }}{{ 10 ** 100000 }}", "", "", 0, 0, "digits"},
    {"{{ (10 ** 4000) // (7 ** 2000) }}{{ (10 ** 4000) * (10 ** 4000) }}", "", "", 0, 0, "digits"},
    {"{{ -9223372036854775808 // -1 }}{{ -(-9223372036854775807 - 1) }}{{ (-9223372036854775807 - 1) % -1 }}", "", "",
     0, 1, NULL},
    {"{{ 1e308 * 1e308 }}{{ (1e308 * 1e308) | int }}", "", "", 0, 0, "infinity"},
    {"{{ ", "1", " }}", 5000, 0, "digits"},
    {"{{ 1.", "1", " }}", 5000, 0, "number"},
    {"{{ 'a' % 1 }}", "", "", 0, 0, "not all arguments"},
    {"{{ '%s%s' % 'a' }}", "", "", 0, 0, "not enough arguments"},
    {"{{ range(100000) | map('string') | join | length }}", "", "", 0, 1, NULL},
    {"{% for a in range(100000) %}{% for b in range(a) %}{{ 'aaaaaaaaaaaaaaaa' }}{% endfor %}{% endfor %}", "", "", 0,
     0, NULL},
    {"{% set s = 'a' * 10000000 %}{% for i in range(100000) %}{{ s.count('b') }}{{ s | upper | length }}{% endfor %}",
     "", "", 0, 0, NULL},
    {"{% set s = 'a' * 10000000 %}{% for i in range(100000) %}{{ 'b' in s }}{{ s.find('b') }}{{ s == s + '' }}{% "
     "endfor %}",
     "", "", 0, 0, "too much work"},
    {"{% set s = '\xc3\xa9' * 1000000 %}{% for i in range(100000) %}{{ s[i] }}{% endfor %}", "", "", 0, 0,
     "too much work"},
    {"{% set l = range(100000) | list %}{% for i in l %}{{ l.index(99999) }}{{ l | sum }}{% endfor %}", "", "", 0, 0,
     "too much work"},
    {"{{ range(100000) | sort(reverse=true) | first }}", "", "", 0, 1, NULL},
    {"{% macro m(", "a,", "b) %}{% endmacro %}", 5000, 0, NULL},
    {"{% with ", "a=1,", "b=1 %}{% endwith %}", 5000, 0, "variables"},
    {"{{ dict(", "a=1,", "b=1) }}", 500, 0, "repeated"},
    {"{{ loop.cycle() }}{{ cycler() }}", "", "", 0, 0, NULL},
    {"{% for i in [1,2] %}{{ loop.cycle() }}{% endfor %}", "", "", 0, 0, "cycling"},
};

typedef struct tmpl_hostile_call {
    tmpl_run    r;
    const char *source;
} tmpl_hostile_call;

static void tmpl_hostile_body(void *arg) {
    tmpl_hostile_call *c = (tmpl_hostile_call *)arg;
    tmpl_render(&c->r, allm__str_of(c->source), ALLM__S("{}"), 1, NULL);
}

static size_t tmpl_stack_max; /* over all cases, shown once */

/* Many names in one scope, ranges as keys: what looks them up is charged for, and spreads. */
static void test_tmpl_many_names(void **state) {
    enum { N = 40000 };
    static const char *const heads[] = {"", "{% if {"};
    static const char *const items[] = {"{%% set n%d = 1 %%}", "range(%d): 1, "};
    static const char *const tails[] = {
        "{% for i in range(99999) %}{{ n39992 + n39993 + n39994 + n39995 + n39996 + n39997 + n39998 + n39999 }}"
        "{% endfor %}", "}[range(7)] %}x{% endif %}"};
    (void)state;
    for (int k = 0; k < 2; k++) {
        char    *source = (char *)malloc(N * 32 + 1000), *p = source + sprintf(source, "%s", heads[k]);
        tmpl_run r;
        double   from = test_seconds();
        for (int i = 0; i < N >> k; i++) p += sprintf(p, items[k], i);
        strcpy(p, tails[k]);
        tmpl_render(&r, allm__str_of(source), ALLM__S("{}"), 0, NULL);
        from = test_seconds() - from;
        test_time("many names", from, 1);
        assert_int_equal(r.status, k == 0 ? ALLM_E_TEMPLATE : ALLM_OK);
        if (k == 0) assert_non_null(strstr(r.err.message, "too much work"));
        else assert_true(allm__str_eq(tmpl_out(&r), ALLM__S("x")));
        tmpl_end(&r);
        free(source);
    }
}

static void test_tmpl_hostile(void **state) {
    const char *worst = "";
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(tmpl_hostile); i++) {
        static tmpl_hostile_call c;
        char                    *source =
            tmpl_times(tmpl_hostile[i].before, tmpl_hostile[i].what, tmpl_hostile[i].n, tmpl_hostile[i].after);
        double                   from   = test_seconds(), took;
        c.source                        = source;
        size_t depth                    = test_stack_depth(tmpl_hostile_body, &c);
        took                            = test_seconds() - from;
        if (depth > tmpl_stack_max) tmpl_stack_max = depth, worst = tmpl_hostile[i].before;
        if (!TEST_SANITIZED && depth > TEST_STACK_PROMISE)
            fail_msg("%s%s: %zu bytes of stack", tmpl_hostile[i].before, tmpl_hostile[i].what, depth);
        test_time(tmpl_hostile[i].what, took, 2);
        if (tmpl_hostile[i].ok != 2 && (c.r.status == ALLM_OK) != tmpl_hostile[i].ok)
            fail_msg("%s%s: %s", tmpl_hostile[i].before, tmpl_hostile[i].what,
                     c.r.status ? c.r.err.message : "rendered");
        if (c.r.status) {
            assert_int_equal(c.r.status, ALLM_E_TEMPLATE);
            if (c.r.err.line < 1 || c.r.err.column < 1) fail_msg("%s", c.r.err.message);
            if (tmpl_hostile[i].message && !strstr(c.r.err.message, tmpl_hostile[i].message))
                fail_msg("%s%s: %s", tmpl_hostile[i].before, tmpl_hostile[i].what, c.r.err.message);
        }
        tmpl_end(&c.r);
        free(source);
    }
    printf("             most stack: %zu bytes (%.40s)\n", tmpl_stack_max, worst);
}

/* Every beginning of a template, and the template with a byte changed: an answer, never a crash. */
static void test_tmpl_broken(void **state) {
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(tmpl_cases); i++) {
        size_t n = strlen(tmpl_cases[i].source);
        for (size_t k = 0; k < 2 * n; k++) {
            char     source[512];
            tmpl_run r;
            assert_true(n < sizeof source);
            memcpy(source, tmpl_cases[i].source, n);
            size_t len = k < n ? k : n;
            if (k >= n) source[k - n] = "{}%#-+()[]|.,'\" \n\0ae"[test_random_below(20)];
            tmpl_render(&r, allm__str(source, len),
                        tmpl_cases[i].context ? allm__str_of(tmpl_cases[i].context) : ALLM__S(""), 1, NULL);
            if (r.status && r.status != ALLM_E_TEMPLATE) fail_msg("%.*s: %s", (int)len, source, r.err.message);
            if (r.status) assert_true(r.err.line >= 1);
            tmpl_end(&r);
        }
    }
}

/* ---- limits, memory, threads */

static void test_tmpl_limits(void **state) {
    static const struct { const char *source; allm__tmpl_limits lim; const char *message;
    } cases[] = {
        {"{% for i in range(1000) %}{% endfor %}", {500, 0, 0, 0}, "too much work"},
        {"{% for i in range(1000) %}{% endfor %}", {5000, 0, 0, 0}, NULL},
        {"{% macro m(n) %}{% if n %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(20) }}",
         {0, 10, 0, 0},
         "nested deeper than 10"},
        {"{{ 'a' * 1000 }}", {0, 0, 999, 0}, "longer than 999"},
        {"{{ 'a' * 1000 }}", {0, 0, 1000, 0}, NULL},
        {"{% for i in range(100) %}{{ 'aaaaaaaaaa' }}{% endfor %}", {0, 0, 999, 0}, "longer than 999"},
        {"{% for i in range(10000) %}{% set x = [i, i] %}{% endfor %}", {0, 0, 0, 100000}, "memory"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(cases); i++) {
        tmpl_run r;
        tmpl_render(&r, allm__str_of(cases[i].source), ALLM__S(""), 0, &cases[i].lim);
        if (!r.status != !cases[i].message || (cases[i].message && !strstr(r.err.message, cases[i].message)))
            fail_msg("%s: %s", cases[i].source, r.err.message);
        tmpl_end(&r);
    }
}

static allm_status tmpl_fail_body(const allm__host *h, void *ctx) {
    tmpl_run    r;
    allm_status status = tmpl_render_on(
        h, allm__str_of((const char *)ctx),
        ALLM__S("{\"messages\": [{\"role\": \"user\", \"content\": \"caf\\u00e9\"}], \"n\": 12345678901234567890}"), 1,
        NULL, &r);
    allm__buf_free(&r.out);
    allm__spans_free(&r.user);
    return status;
}

static void test_tmpl_memory(void **state) {
    static const char *const sources[] = {
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content | trim + '<|im_end|>' }}{% endfor %}",
        "{% macro m(a, *b) %}{% endmacro %}",
        "{% macro m(a, b=[1]) %}{{ a }}{{ b }}{{ kwargs }}{{ varargs }}{{ caller() }}{% endmacro %}{% call(x) m(1, 2, "
        "3, z=4) %}{{ n + 1 }}{% endcall %}",
        "{% set ns = namespace(s='') %}{% for i in range(20) if i is even %}{% set ns.s = ns.s ~ i %}{% set x %}{{ i "
        "}}{% endset %}{% endfor %}{{ ns.s }}",
        "{{ messages | map(attribute='content') | map('upper') | unique | batch(2) | list | tojson(indent=1) }}{{ [3, "
        "1, 2] | sort }}{{ {'b': 1, 'a': 2} | dictsort }}",
        "{{ '%s %5.1f' % ('a', 2) }}{{ '{:>9}'.format(n) }}{{ n ** 3 }}{{ 'a b'.split() }}{{ 'a-b' | replace('-', '+') "
        "| title }}{% filter upper %}x{% endfilter %}",
        "{% for i in [[1, [2]]] recursive %}{% if i is iterable %}{{ loop(i) }}{% else %}{{ i }}{% endif %}{% endfor "
        "%}{% block b %}{{ dict(a=1) }}{% endblock %}",
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(sources); i++) {
        if (i == 1) continue; /* does not compile */
        test_fail_each(tmpl_fail_body, (void *)(uintptr_t)sources[i]);
    }
}

typedef struct tmpl_thread {
    const allm__tmpl *t;
    int               n_bad;
} tmpl_thread;

static void *tmpl_thread_main(void *arg) {
    tmpl_thread *w = (tmpl_thread *)arg;
    allm__host   h = {{allm__mem_default_alloc, allm__mem_default_free, NULL}, NULL, NULL};
    for (int i = 0; i < 50; i++) {
        allm__tmpl_ctx ctx;
        allm__buf      out  = {0};
        allm__spans    user = {0};
        allm_error     err  = {0};
        out.host = user.host = &h;
        allm__tmpl_ctx_init(&ctx, &h);
        allm__tmpl_ctx_put(&ctx, ctx.globals, "x", allm__tmpl_ctx_text(&ctx, ALLM__S("caf\xc3\xa9"), 1));
        if (allm__tmpl_render(w->t, &ctx, NULL, &out, &user, &err) ||
            !allm__str_eq(allm__str(out.ptr, out.len), ALLM__S("caf\xc3\xa9 4 \xc3\xa9t\xc3\xa9 3 0 1 2 ")))
            w->n_bad++;
        allm__buf_free(&out), allm__spans_free(&user), allm__tmpl_ctx_free(&ctx);
    }
    return NULL;
}

static void test_tmpl_threads(void **state) { /* one template, several renders at a time */
    allm__host  h   = {{allm__mem_default_alloc, allm__mem_default_free, NULL}, NULL, NULL};
    allm_error  err = {0};
    allm__tmpl *t;
    tmpl_thread w[3];
    pthread_t   threads[3];
    (void)state;
    TEST_NEEDS_THREADS();
    assert_int_equal(
        allm__tmpl_compile(&h,
                           ALLM__S("{{ x }} {{ x | length }} {{ '\xc3\xa9t\xc3\xa9' }} {{ '\xc3\xa9t\xc3\xa9' | length "
                                   "}} {% for i in range(3) %}{{ i }} {% endfor %}"),
                           "chat template", &t, &err),
        ALLM_OK);
    for (int i = 0; i < 3; i++)
        w[i].t = t, w[i].n_bad = 0, assert_int_equal(pthread_create(&threads[i], NULL, tmpl_thread_main, &w[i]), 0);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL), assert_int_equal(w[i].n_bad, 0);
    allm__tmpl_free(t);
}

/* Appends, and after an error leaves what was there. */
static void test_tmpl_append(void **state) {
    test_heap      m   = {0};
    allm__host     h   = test_host(&m);
    allm__buf      out = {0};
    allm__spans    user = {0};
    allm_error     err  = {0};
    allm__tmpl    *good, *bad;
    allm__tmpl_ctx ctx;
    (void)state;
    out.host = user.host = &h;
    allm__tmpl_ctx_init(&ctx, &h);
    allm__tmpl_ctx_put(&ctx, ctx.globals, "x", allm__tmpl_ctx_text(&ctx, ALLM__S("u"), 1));
    assert_int_equal(allm__tmpl_compile(&h, ALLM__S("a{{ x }}"), "chat template", &good, &err), ALLM_OK);
    assert_int_equal(allm__tmpl_compile(&h, ALLM__S("b{{ x }}{{ y.z }}"), "chat template", &bad, &err), ALLM_OK);
    assert_int_equal(allm__tmpl_render(good, &ctx, NULL, &out, &user, &err), ALLM_OK);
    assert_int_equal(allm__tmpl_render(bad, &ctx, NULL, &out, &user, &err), ALLM_E_TEMPLATE);
    memset(&err, 0, sizeof err);
    assert_int_equal(allm__tmpl_render(good, &ctx, NULL, &out, &user, &err), ALLM_OK);
    assert_true(allm__str_eq(allm__str(out.ptr, out.len), ALLM__S("auau")));
    assert_int_equal(user.len, 2);
    assert_true(user.ptr[0].from == 1 && user.ptr[0].to == 2 && user.ptr[1].from == 3 && user.ptr[1].to == 4);
    allm__tmpl_free(good), allm__tmpl_free(bad);
    allm__tmpl_ctx_free(&ctx), allm__buf_free(&out), allm__spans_free(&user);
    test_heap_check(&m);
}

/* Every row is found by its name, and binds as many parameters as there is room for. */
static void tmpl_check_rows(const allm__tfn *rows, size_t n, int methods) {
    for (size_t i = 0; i < n; i++) {
        int n_params, n_needed;
        if (!methods) assert_ptr_equal(allm__tfn_find(rows, n, allm__str_of(rows[i].name)), &rows[i]);
        allm__tfn_param(&rows[i], ALLM__S(""), &n_params, &n_needed);
        assert_true(n_params <= ALLM__T_PARAMS && n_needed <= n_params);
        for (size_t k = 0; methods && k < i; k++)
            if (!strcmp(rows[k].name, rows[i].name)) assert_int_equal(rows[k].types & rows[i].types, 0);
    }
}

static void test_tmpl_rows(void **state) {
    (void)state;
    tmpl_check_rows(allm__tmpl_filters, ALLM__COUNT(allm__tmpl_filters), 0);
    tmpl_check_rows(allm__tmpl_tests, ALLM__COUNT(allm__tmpl_tests), 0);
    tmpl_check_rows(allm__tmpl_functions, ALLM__COUNT(allm__tmpl_functions), 0);
    tmpl_check_rows(allm__tmpl_methods, ALLM__COUNT(allm__tmpl_methods), 1);
}

static const struct CMUnitTest test_tmpl[] = {
    cmocka_unit_test(test_tmpl_own),     cmocka_unit_test(test_tmpl_snippets), cmocka_unit_test(test_tmpl_marks),
    cmocka_unit_test(test_tmpl_long_integers), cmocka_unit_test(test_tmpl_many_names),
    cmocka_unit_test(test_tmpl_hostile), cmocka_unit_test(test_tmpl_broken),   cmocka_unit_test(test_tmpl_limits),
    cmocka_unit_test(test_tmpl_memory),  cmocka_unit_test(test_tmpl_threads),  cmocka_unit_test(test_tmpl_append),
    cmocka_unit_test(test_tmpl_rows),
};
