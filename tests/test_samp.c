/* Room samp: golden chains, the order of the list, every row, the draw, log-probabilities, bad parameters and logits.
 * FAULTS row 29. */

static const allm_sampling samp_zero;

/* ---- golden/samplers */

typedef struct samp_case { /* one chain over one vector, or a sequence of steps */
    int64_t       n_vocab, logits_offset, n_kept, ids_offset, probs_offset;
    allm_sampling p;
    char          order[256], kind[32];
    int           mirostat;
    double        mu, seed, mu_after; /* of mirostat */
    int32_t       history[4096], bias_ids[16], breakers[256];
    float         bias[16];
    size_t        n_history, n_breakers; /* numbers */
} samp_case;

#define SAMP_FIELD(field) offsetof(allm_sampling, field)
static const struct { const char *step, *parameter; size_t at; int is_float; } samp_fields[] = {
    {"top_k", "k", SAMP_FIELD(top_k), 0},
    {"top_p", "p", SAMP_FIELD(top_p), 1},
    {"min_p", "p", SAMP_FIELD(min_p), 1},
    {"typical", "p", SAMP_FIELD(typical_p), 1},
    {"top_n_sigma", "n", SAMP_FIELD(top_n_sigma), 1},
    {"xtc", "threshold", SAMP_FIELD(xtc_threshold), 1},
    {"temperature", "t", SAMP_FIELD(temperature), 1},
    {"temperature", "range", SAMP_FIELD(dynatemp_range), 1},
    {"temperature", "exponent", SAMP_FIELD(dynatemp_exponent), 1},
    {"penalties", "last_n", SAMP_FIELD(penalty_window), 0},
    {"penalties", "repeat", SAMP_FIELD(repeat_penalty), 1},
    {"penalties", "freq", SAMP_FIELD(frequency_penalty), 1},
    {"penalties", "present", SAMP_FIELD(presence_penalty), 1},
    {"dry", "multiplier", SAMP_FIELD(dry_multiplier), 1},
    {"dry", "base", SAMP_FIELD(dry_base), 1},
    {"dry", "allowed_length", SAMP_FIELD(dry_allowed_length), 0},
    {"dry", "last_n", SAMP_FIELD(dry_window), 0},
    {"no_repeat_ngram", "n", SAMP_FIELD(no_repeat_ngram), 0},
    {"", "min_keep", SAMP_FIELD(min_keep), 0},
    {"sequence", "tau", SAMP_FIELD(mirostat_tau), 1},
    {"sequence", "eta", SAMP_FIELD(mirostat_eta), 1},
    {"sequence", "target", SAMP_FIELD(adaptive_target), 1},
    {"sequence", "decay", SAMP_FIELD(adaptive_decay), 1},
};

/* Sets the field of a step's parameter; 0: there is none. */
static int samp_set(samp_case *c, const char *step, allm_str name, double v) {
    for (size_t i = 0; i < ALLM__COUNT(samp_fields); i++) {
        void *field = (char *)&c->p + samp_fields[i].at;
        if (!allm__str_eq(name, allm__str_of(samp_fields[i].parameter)) ||
            (*samp_fields[i].step && strcmp(samp_fields[i].step, step)))
            continue;
        if (samp_fields[i].is_float) *(float *)field = (float)v;
        else *(int32_t *)field = (int32_t)v;
        return 1;
    }
    return 0;
}

/* The pairs [id, value] of a bias; "-inf" is a string. */
static void samp_read_bias(allm__json *j, samp_case *c) {
    for (allm__json_begin(j, ALLM__JSON_ARRAY, "pairs"); allm__json_elem(j);) {
        int64_t id;
        allm__json_get_int(j, "id", 0, INT32_MAX, &id);
        allm__json_event e = allm__json_next(j);
        assert_true(c->p.n_bias < ALLM__COUNT(c->bias));
        c->bias_ids[c->p.n_bias] = (int32_t)id;
        c->bias[c->p.n_bias++]   = e == ALLM__JSON_STRING ? -INFINITY : (float)j->d;
        allm__json_next(j); /* the pair's end */
    }
}

/* Lists of ids: for each its length and the ids. */
static void samp_read_breakers(allm__json *j, samp_case *c) {
    for (allm__json_begin(j, ALLM__JSON_ARRAY, "breakers"); allm__json_elem(j);) {
        size_t at = c->n_breakers++;
        for (; allm__json_elem(j); c->breakers[at]++) {
            assert_true(c->n_breakers < ALLM__COUNT(c->breakers));
            c->breakers[c->n_breakers++] = (int32_t)j->i;
        }
        if (!c->breakers[at]) c->n_breakers = at;
    }
}

/* One step of a chain: [name, {parameters}]; the array has begun. */
static void samp_read_step(allm__json *j, samp_case *c) {
    static const struct { const char *golden, *ours; } names[] = {{"typical", "typical_p"}, {"logit_bias", "bias"}};
    char        name[32] = "";
    const char *ours     = name;
    allm_str    key;
    allm__json_next(j);
    snprintf(name, sizeof name, "%.*s", (int)allm__json_text(j).len, allm__json_text(j).ptr);
    for (size_t i = 0; i < ALLM__COUNT(names); i++)
        if (!strcmp(names[i].golden, name)) ours = names[i].ours;
    if (!strncmp(name, "mirostat_v", 10)) c->mirostat = name[10] - '0';
    else snprintf(c->order + strlen(c->order), sizeof c->order - strlen(c->order), "%s;", ours);
    if (!strcmp(name, "xtc")) c->p.xtc_probability = 1;
    for (allm__json_begin(j, ALLM__JSON_OBJECT, "parameters"); allm__json_key(j, &key);) {
        double x = 0;
        char   text[32];
        snprintf(text, sizeof text, "%.*s", (int)key.len, key.ptr); /* the value's reading may move the key */
        if (!strcmp(text, "bias")) { samp_read_bias(j, c); continue; }
        if (!strcmp(text, "breakers")) { samp_read_breakers(j, c); continue; }
        allm__json_get_f64(j, "parameter", &x);
        if (!strcmp(name, "top_n_sigma") || !strcmp(name, "temperature")) x = ALLM__MAX(x, 0);
        if (!strcmp(name, "dry") && !strcmp(text, "last_n") && x <= 0) c->p.dry_base = 0.5f;
        if (!strcmp(text, "mu")) c->mu = x;
        else if (!samp_set(c, name, allm__str_of(text), x) && !strstr("m n_vocab", text))
            fail_msg("no parameter %s of %s", text, name);
    }
    if (!strcmp(name, "penalties") && c->p.penalty_window == 0) /* of the last 0 tokens */
        c->p.repeat_penalty = c->p.frequency_penalty = c->p.presence_penalty = 0;
    allm__json_next(j); /* the step's end */
}

/* A number of a case or a sequence, else 0. */
static int samp_read_number(allm__json *j, allm_str key, samp_case *c) {
    const struct { const char *name; int64_t *i; double *d; } rows[] = {
        {"n_vocab", &c->n_vocab, NULL},       {"logits_offset", &c->logits_offset, NULL}, {"n_kept", &c->n_kept, NULL},
        {"ids_offset", &c->ids_offset, NULL}, {"probs_offset", &c->probs_offset, NULL},   {"seed", NULL, &c->seed},
        {"mu_after", NULL, &c->mu_after},
    };
    for (size_t i = 0; i < ALLM__COUNT(rows); i++)
        if (allm__str_eq(key, allm__str_of(rows[i].name))) {
            if (rows[i].i) allm__json_get_int(j, "number", 0, INT32_MAX, rows[i].i);
            else allm__json_get_f64(j, "number", rows[i].d);
            return 1;
        }
    return 0;
}

static void samp_case_begin(samp_case *c) {
    memset(c, 0, sizeof *c);
    c->p.temperature = 1;
}

static void samp_read_case(allm__json *j, samp_case *c) {
    allm_str key;
    samp_case_begin(c);
    while (allm__json_key(j, &key)) {
        if (samp_read_number(j, key, c)) continue;
        if (allm__str_eq(key, ALLM__S("chain")))
            for (allm__json_begin(j, ALLM__JSON_ARRAY, "steps"); allm__json_elem(j);) samp_read_step(j, c);
        else if (allm__str_eq(key, ALLM__S("history")))
            for (allm__json_begin(j, ALLM__JSON_ARRAY, "ids"); allm__json_elem(j);) {
                assert_true(c->n_history < ALLM__COUNT(c->history));
                c->history[c->n_history++] = (int32_t)j->i;
            }
        else allm__json_skip(j);
    }
}

static void samp_open(allm__samp *s, const allm__host *h, const allm__kern *kern, samp_case *c) {
    allm_error err = {0};
    c->p.bias_ids = c->bias_ids, c->p.bias = c->bias, c->p.order = c->order;
    if (allm__samp_init(s, h, kern, (int32_t)c->n_vocab, &c->p, &err)) fail_msg("%s", err.message);
    assert_int_equal(allm__samp_set_breakers(s, c->breakers, c->n_breakers, &err), ALLM_OK);
    allm__samp_accept(s, c->history, c->n_history);
}

/* The list after a chain against the candidates and probabilities of a case. */
static void samp_compare(allm__samp *s, const samp_case *c, const char *expected, int i_case) {
    double  mass = allm__samp_mass(s), p_rest = 0;
    float  *want = (float *)calloc((size_t)c->n_vocab, sizeof *want);
    int32_t n    = allm__samp_count(s);
    for (int64_t i = 0; i < c->n_kept; i++) {
        uint64_t id = allm__load_le((const uint8_t *)expected + c->ids_offset + 4 * i, 4);
        want[id]    = allm__load_f32(expected + c->probs_offset + 4 * i);
        p_rest += (double)want[id];
    }
    for (int32_t i = 0; i < n; i++) { /* as a set: rounding may swap neighbours; entries of probability 0 may miss */
        assert_true(allm__samp_has(s, i));
        int32_t id  = allm__samp_id(s, i);
        double  got = allm__samp_weight(s, i) / mass;
        if (fabs(got - (double)want[id]) > 2e-5)
            fail_msg("case %d, id %d: p %g, expected %g", i_case, (int)id, got, (double)want[id]);
        p_rest -= (double)want[id];
    }
    if (fabs(p_rest) > 1e-5 || n > c->n_kept)
        fail_msg("case %d: %d of %lld candidates, %g missing", i_case, (int)n, (long long)c->n_kept, p_rest);
    free(want);
}

static void samp_run_case(samp_case *c, const char *logits, const char *expected, int i_case) {
    test_heap  m   = {0};
    allm__host h   = test_host(&m);
    allm_error err = {0};
    allm__samp s;
    samp_open(&s, &h, allm__kern_find(NULL), c);
    allm__samp_begin(&s, (const float *)(const void *)(logits + c->logits_offset));
    for (int i = 0; i < s.n_chain; i++)
        if (allm__samp_apply(&s, &allm__samp_rows[s.chain[i]], &err)) fail_msg("case %d: %s", i_case, err.message);
    if (!s.scanned) assert_int_equal(allm__samp_scan(&s, &err), ALLM_OK);
    s.mu = c->mu;
    if (c->mirostat == 1) allm__samp_mirostat_cut1(&s);
    if (c->mirostat == 2) allm__samp_mirostat_cut2(&s);
    samp_compare(&s, c, expected, i_case);
    allm__samp_free(&s);
    test_heap_check(&m);
}

/* ---- golden sequences: the choice is given, the state is followed */

typedef struct samp_step { double mu, n_kept, chosen, p, weighted_sum, total_weight, probs[64]; size_t n_probs; } samp_step;

static void samp_read_seq_step(allm__json *j, samp_step *step) { /* the object has begun */
    allm_str key;
    memset(step, 0, sizeof *step);
    while (allm__json_key(j, &key)) {
        const struct { const char *name; double *value; } rows[] = {
            {"mu", &step->mu}, {"n_kept", &step->n_kept}, {"chosen", &step->chosen}, {"p", &step->p},
            {"weighted_sum", &step->weighted_sum}, {"total_weight", &step->total_weight}};
        size_t i = 0;
        while (i < ALLM__COUNT(rows) && !allm__str_eq(key, allm__str_of(rows[i].name))) i++;
        if (i < ALLM__COUNT(rows)) { allm__json_get_f64(j, "number", rows[i].value); continue; }
        assert_true(allm__str_eq(key, ALLM__S("probs")));
        for (allm__json_begin(j, ALLM__JSON_ARRAY, "probs"); allm__json_elem(j);)
            assert_true(step->n_probs < 64), step->probs[step->n_probs++] = j->d;
    }
}

/* The place of an id in the list, all of which is in order. */
static int32_t samp_place(allm__samp *s, int32_t id) {
    int32_t i = 0, n = allm__samp_count(s);
    while (i < n && allm__samp_has(s, i) && allm__samp_id(s, i) != id) i++;
    assert_true(i < n);
    return i;
}

static void samp_mirostat_step(allm__samp *s, const samp_step *step) {
    assert_true(fabs(s->mu - step->mu) < 2e-5);
    if (s->p.mirostat == 1) allm__samp_mirostat_cut1(s);
    else allm__samp_mirostat_cut2(s);
    assert_int_equal(allm__samp_count(s), (int32_t)step->n_kept);
    double p = allm__samp_weight(s, samp_place(s, (int32_t)step->chosen)) / allm__samp_mass(s);
    assert_true(fabs(p - step->p) < 2e-6);
    allm__samp_mirostat_learn(s, p);
}

static void samp_adaptive_step(allm__samp *s, const samp_step *step) {
    double  mass = allm__samp_mass(s), aim = allm__samp_adaptive_aim(s), w[64], sum = 0, chosen = 0;
    int32_t n    = allm__samp_count(s);
    assert_int_equal(n, step->n_probs);
    assert_true(fabs(s->sum_p - step->weighted_sum) < 1e-5 && fabs(s->sum_one - step->total_weight) < 1e-4);
    for (int32_t i = 0; i < n; i++) {
        assert_true(allm__samp_has(s, i));
        int32_t id = allm__samp_id(s, i);
        double  p  = allm__samp_weight(s, i) / mass;
        sum += w[id] = allm__samp_adaptive_weight(p, aim);
        if (id == (int32_t)step->chosen) chosen = p;
    }
    for (int32_t id = 0; id < n; id++) assert_true(fabs(w[id] / sum - step->probs[id]) < 2e-5);
    allm__samp_adaptive_learn(s, chosen);
}

/* mt19937 (Matsumoto and Nishimura 1998), as libstdc++ makes doubles of it. */
typedef struct samp_mt { uint32_t s[624]; int at; } samp_mt;
static void samp_mt_init(samp_mt *m, uint32_t seed) {
    m->s[0] = seed, m->at = 624;
    for (uint32_t i = 1; i < 624; i++) m->s[i] = 1812433253u * (m->s[i - 1] ^ m->s[i - 1] >> 30) + i;
}
static uint32_t samp_mt_next(samp_mt *m) {
    if (m->at == 624)
        for (int i = m->at = 0; i < 624; i++) {
            uint32_t y = (m->s[i] & 0x80000000u) | (m->s[(i + 1) % 624] & 0x7fffffffu);
            m->s[i]    = m->s[(i + 397) % 624] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
        }
    uint32_t y = m->s[m->at++];
    y ^= y >> 11, y ^= y << 7 & 0x9d2c5680u, y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

/* Our inverse CDF over a list in the order of ids, which is llama.cpp's before anything is sorted. */
static int32_t samp_pick_by_id(allm__samp *s, samp_mt *mt) {
    double a = samp_mt_next(mt), b = samp_mt_next(mt), p;
    s->cut = 1, s->n = s->n_sorted = s->n_vocab, s->n_run = 0;
    for (int32_t i = 0; i < s->n_vocab; i++) s->key[i] = (uint64_t)i;
    return allm__samp_id(s, allm__samp_pick(s, (a + b * 4294967296.0) / 18446744073709551616.0, &p));
}

/* One sequence; its object has begun. Steps come behind the parameters. */
static void samp_run_sequence(allm__json *j, samp_case *c, const char *logits) {
    test_heap   m   = {0};
    allm__host  h   = test_host(&m);
    allm_error  err = {0};
    allm__samp  s;
    samp_mt     mt;
    int         opened = 0;
    allm_str    key;
    samp_case_begin(c);
    while (allm__json_key(j, &key)) {
        char name[32];
        snprintf(name, sizeof name, "%.*s", (int)key.len, key.ptr);
        if (samp_read_number(j, key, c)) continue;
        if (!strcmp(name, "kind")) {
            allm_str text = {NULL, 0};
            assert_true(allm__json_get_str(j, "kind", &text));
            snprintf(c->kind, sizeof c->kind, "%.*s", (int)text.len, text.ptr);
            if (!strncmp(c->kind, "mirostat_v", 10)) c->p.mirostat = c->kind[10] - '0';
            continue;
        }
        if (strcmp(name, "steps") != 0 && strcmp(name, "picks") != 0) {
            double x = 0;
            if (!strcmp(name, "vector") || !strcmp(name, "uniforms")) { allm__json_skip(j); continue; }
            allm__json_get_f64(j, "parameter", &x);
            assert_true(samp_set(c, "sequence", allm__str_of(name), x));
            continue;
        }
        samp_open(&s, &h, allm__kern_find(NULL), c), opened = 1;
        samp_mt_init(&mt, (uint32_t)c->seed);
        for (allm__json_begin(j, ALLM__JSON_ARRAY, name); allm__json_elem(j);) {
            samp_step step;
            int32_t   want = (int32_t)j->i;
            if (strcmp(name, "picks") != 0) samp_read_seq_step(j, &step);
            allm__samp_begin(&s, (const float *)(const void *)(logits + c->logits_offset));
            assert_int_equal(allm__samp_scan(&s, &err), ALLM_OK);
            if (c->p.mirostat) samp_mirostat_step(&s, &step);
            else if (!strcmp(c->kind, "adaptive_p")) samp_adaptive_step(&s, &step);
            else assert_string_equal(c->kind, "dist_llama"), assert_int_equal(samp_pick_by_id(&s, &mt), want);
        }
    }
    assert_true(opened);
    if (c->p.mirostat) assert_true(fabs(s.mu - c->mu_after) < 2e-5);
    allm__samp_free(&s);
    test_heap_check(&m);
}

static void test_samp_golden(void **state) {
    size_t      n[3];
    char       *text = test_golden("samplers/cases.json", &n[0]);
    char *logits = test_golden("samplers/logits.bin", &n[1]), *expected = test_golden("samplers/expected.bin", &n[2]);
    allm__host  h = {{allm__mem_default_alloc, allm__mem_default_free, NULL}, NULL, NULL};
    allm_error  err = {0};
    allm__json  j;
    allm_str    key;
    samp_case  *c = (samp_case *)malloc(sizeof *c);
    int         n_cases = 0, n_sequences = 0;
    (void)state;
    allm__json_init(&j, &h, allm__str(text, n[0]), "cases.json", 0, &err);
    for (allm__json_begin(&j, ALLM__JSON_OBJECT, "cases"); allm__json_key(&j, &key);) {
        int cases = allm__str_eq(key, ALLM__S("cases"));
        if (!cases && !allm__str_eq(key, ALLM__S("sequences"))) { allm__json_skip(&j); continue; }
        for (allm__json_begin(&j, ALLM__JSON_ARRAY, "cases"); allm__json_elem(&j);)
            if (cases) samp_read_case(&j, c), samp_run_case(c, logits, expected, n_cases++);
            else samp_run_sequence(&j, c, logits), n_sequences++;
    }
    assert_string_equal(err.message, "");
    printf("             %d cases, %d sequences\n", n_cases, n_sequences);
    assert_true(n_cases > 0);
    allm__json_free(&j);
    free(c), free(text), free(logits), free(expected);
}

/* ---- the list in order */

/* Logits with many ties, some banned. */
static void samp_random_logits(float *x, int32_t n, uint64_t n_values) {
    for (int32_t i = 0; i < n; i++) {
        uint64_t r = test_random_below(n_values);
        x[i]       = r == 0 ? -INFINITY : r == 1 ? -0.0f : r == 2 ? 0.0f : (float)r * 0.25f - 4;
    }
}

static void test_samp_order(void **state) {
    static const int32_t sizes[] = {1, 2, 63, 64, 65, 256, 257, 1000, 5000};
    test_heap     m = {0};
    allm__host    h = test_host(&m);
    allm_error    err = {0};
    allm_sampling p = samp_zero;
    (void)state;
    p.temperature = 1;
    for (size_t i = 0; i < ALLM__COUNT(sizes) * 6; i++) {
        int32_t    n = sizes[i / 6], n_ok = 0;
        float     *x = (float *)malloc((size_t)n * sizeof *x);
        allm__samp s;
        samp_random_logits(x, n, i % 2 ? 40 : 100000);
        x[n / 2] = 3;
        assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), n, &p, &err), ALLM_OK);
        allm__samp_begin(&s, x);
        assert_int_equal(allm__samp_scan(&s, &err), ALLM_OK);
        for (int32_t k = 0; k < n; k++) n_ok += x[k] > -INFINITY;
        assert_int_equal(allm__samp_count(&s), n_ok);
        for (int32_t want = 1; want <= n_ok; want += 1 + want / 2) allm__samp_head(&s, want);
        allm__samp_head(&s, n_ok);
        assert_int_equal(s.n_sorted, n_ok);
        assert_int_equal(allm__samp_id(&s, 0), s.best);
        for (int32_t k = 1; k < n_ok; k++) {
            int32_t a = allm__samp_id(&s, k - 1), b = allm__samp_id(&s, k);
            assert_true(x[a] > x[b] || (x[a] == x[b] && a < b));
        }
        allm__samp_free(&s);
        free(x);
    }
    test_heap_check(&m);
}

/* A shorter head is the beginning of a longer one. */
static void test_samp_head_is_prefix(void **state) {
    test_heap     m = {0};
    allm__host    h = test_host(&m);
    allm_error    err = {0};
    allm_sampling p = samp_zero;
    allm__samp    a, b;
    static float  x[20000];
    (void)state;
    p.temperature = 1;
    samp_random_logits(x, 20000, 3000);
    assert_int_equal(allm__samp_init(&a, &h, allm__kern_find(NULL), 20000, &p, &err), ALLM_OK);
    assert_int_equal(allm__samp_init(&b, &h, allm__kern_find(NULL), 20000, &p, &err), ALLM_OK);
    allm__samp_begin(&a, x), allm__samp_begin(&b, x);
    assert_int_equal(allm__samp_scan(&a, &err) || allm__samp_scan(&b, &err), 0);
    allm__samp_head(&a, a.n);
    for (int32_t want = 1; want < 20000; want *= 3) {
        b.n_sorted = 0;
        b.n        = want;
        allm__samp_head(&b, want);
        assert_memory_equal(a.key, b.key, (size_t)want * sizeof *a.key);
    }
    allm__samp_free(&a), allm__samp_free(&b);
    test_heap_check(&m);
}

/* ---- the draw */

static int32_t samp_next(allm__samp *s, const float *x) {
    allm_error err = {0};
    int32_t    id  = -1;
    float      lp  = 1;
    if (allm__samp_next(s, x, &id, &lp, &err)) fail_msg("%s", err.message);
    assert_true(lp <= 0);
    return id;
}

static void test_samp_draw(void **state) {
    static const float x[] = {0, 1, -1, 1, -INFINITY, 2};
    test_heap     m = {0};
    allm__host    h = test_host(&m);
    allm_error    err = {0};
    allm_sampling p = samp_zero;
    allm__samp    s;
    double        sum = 0, n = 20000;
    int           seen[6] = {0};
    int32_t       first[64];
    (void)state;
    p.temperature = 1, p.seed = 7;
    assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 6, &p, &err), ALLM_OK);
    for (int i = 0; i < 6; i++) sum += exp((double)x[i]);
    for (int i = 0; i < (int)n; i++) {
        int32_t id = samp_next(&s, x);
        if (i < 64) first[i] = id;
        seen[id]++;
    }
    assert_int_equal(seen[4], 0);
    for (int i = 0; i < 6; i++) { /* five standard deviations */
        double q = exp((double)x[i]) / sum;
        assert_true(fabs(seen[i] - n * q) <= 5 * sqrt(n * q * (1 - q)) + 1e-9);
    }
    allm__samp_reset(&s);
    for (int i = 0; i < 64; i++) assert_int_equal(samp_next(&s, x), first[i]);
    allm__samp_reset(&s);
    s.step = 32; /* a step's draw does not depend on the ones before */
    for (int i = 32; i < 64; i++) assert_int_equal(samp_next(&s, x), first[i]);
    allm__samp_free(&s);
    p.top_k = 3, p.min_p = 0.01f; /* one draw a token whatever the chain does: the best id comes up at the same steps */
    assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 6, &p, &err), ALLM_OK);
    for (int i = 0; i < 64; i++) {
        int32_t id = samp_next(&s, x);
        assert_true(id == 5 || id == 1 || id == 3);
        if (first[i] == 5) assert_int_equal(id, 5);
    }
    allm__samp_free(&s);
    p.seed = -1;
    assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 6, &p, &err), ALLM_OK);
    int64_t seed = s.p.seed;
    assert_true(seed >= 0);
    allm__samp_free(&s);
    assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 6, &p, &err), ALLM_OK);
    assert_true(s.p.seed >= 0 && s.p.seed != seed);
    allm__samp_free(&s);
    test_heap_check(&m);
}

/* Greedy, ties, one id, and the clamp of the temperature. */
static void test_samp_greedy(void **state) {
    static const float ties[] = {1, 5, 5, -INFINITY, 5}, one[] = {-3}, flat[] = {0, 0, 0, 0};
    test_heap     m = {0};
    allm__host    h = test_host(&m);
    allm_error    err = {0};
    allm_sampling p = samp_zero;
    allm__samp    s;
    (void)state;
    assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 5, &p, &err), ALLM_OK);
    for (int i = 0; i < 3; i++) assert_int_equal(samp_next(&s, ties), 1);
    allm__samp_free(&s);
    for (int t = 0; t < 2; t++) {
        p.temperature = (float)t, p.top_k = 5, p.top_p = 0.5f, p.min_p = 1;
        assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 1, &p, &err), ALLM_OK);
        for (int i = 0; i < 3; i++) assert_int_equal(samp_next(&s, one), 0);
        allm__samp_free(&s);
    }
    p = samp_zero, p.temperature = 1e30f; /* 2, not infinite: weights stay finite, the flat vector stays flat */
    assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 4, &p, &err), ALLM_OK);
    int32_t id;
    assert_int_equal(allm__samp_next(&s, flat, &id, NULL, &err), ALLM_OK);
    assert_true(s.t == 2);
    allm__samp_free(&s);
    p.temperature = 1e-30f;
    assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 5, &p, &err), ALLM_OK);
    assert_int_equal(allm__samp_next(&s, ties, &id, NULL, &err), ALLM_OK);
    assert_true(s.t == 0.01 && (id == 1 || id == 2 || id == 4));
    allm__samp_free(&s);
    test_heap_check(&m);
}

static void test_samp_logprob(void **state) {
    static float  x[1000];
    test_heap     m = {0};
    allm__host    h = test_host(&m);
    allm_error    err = {0};
    allm_sampling p = samp_zero;
    allm__samp    s;
    int32_t       ban[1] = {17}, id;
    float         never[1] = {-INFINITY}, lp;
    double        sum = 0;
    (void)state;
    for (int i = 0; i < 1000; i++) x[i] = (float)(i % 37) * 0.1f;
    x[17] = 30;
    assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 1000, &p, &err), ALLM_OK);
    assert_int_equal(allm__samp_next(&s, x, &id, &lp, &err), ALLM_OK);
    for (int32_t i = 0; i < 1000; i++) allm__samp_logprobs(&s, i, &lp, 0, NULL, NULL), sum += exp((double)lp);
    assert_true(fabs(sum - 1) < 1e-5);
    allm__samp_free(&s);
    p.bias_ids = ban, p.bias = never, p.n_bias = 1; /* of the logits as given: the banned id keeps its mass */
    assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 1000, &p, &err), ALLM_OK);
    ban[0] = 5, never[0] = 0; /* copied */
    assert_int_equal(allm__samp_next(&s, x, &id, &lp, &err), ALLM_OK);
    assert_int_equal(id, 36);
    assert_true(lp < -26 && lp > -27);
    allm__samp_free(&s);
    test_heap_check(&m);
}

/* ---- penalties */

/* Counts and the list of ids seen against a walk over the last `window` tokens. */
static void test_samp_history(void **state) {
    static const int32_t windows[] = {1, 3, 0, 200, -1, INT32_MAX};
    static int32_t       all[600];
    test_heap     m = {0};
    allm__host    h = test_host(&m);
    allm_error    err = {0};
    allm_sampling p = samp_zero;
    (void)state;
    p.presence_penalty = 1;
    for (size_t w = 0; w < ALLM__COUNT(windows); w++) {
        allm__samp s;
        int32_t    n = 0, window = windows[w] == 0 ? 64 : windows[w] < 0 ? INT32_MAX : windows[w];
        p.penalty_window = windows[w];
        assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 20, &p, &err), ALLM_OK);
        for (int round = 0; round < 150; round++) {
            int32_t ids[4], n_ids = (int32_t)test_random_below(5);
            for (int32_t i = 0; i < n_ids; i++) { /* some outside the vocabulary */
                uint64_t r = test_random_below(24);
                all[n++] = ids[i] = r == 20 ? -1 : r == 21 ? INT32_MAX : r == 22 ? INT32_MIN : (int32_t)r;
            }
            allm__samp_accept(&s, ids, (size_t)n_ids);
            int32_t count[20] = {0}, n_seen = 0;
            for (int32_t i = n > window ? n - window : 0; i < n; i++)
                if (all[i] >= 0 && all[i] < 20) n_seen += !count[all[i]]++;
            assert_memory_equal(count, s.count, sizeof count);
            assert_int_equal(s.n_seen, n_seen);
            for (int32_t i = 0; i < n_seen; i++) assert_true(s.place[s.seen[i]] == i && count[s.seen[i]] > 0);
        }
        allm__samp_free(&s);
    }
    test_heap_check(&m);
}

static void test_samp_penalties(void **state) {
    static const float x[] = {4, 3, -2, 1};
    test_heap     m = {0};
    allm__host    h = test_host(&m);
    allm_error    err = {0};
    allm_sampling p = samp_zero;
    allm__samp    s;
    int32_t       ids[] = {0, 0, 2};
    (void)state;
    p.repeat_penalty = 2, p.presence_penalty = 0.5f, p.frequency_penalty = 0.25f;
    assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 4, &p, &err), ALLM_OK);
    allm__samp_accept(&s, ids, 3);
    assert_int_equal(samp_next(&s, x), 1); /* the best one is down to 4/2 - 0.5 - 2*0.25 */
    assert_true(s.edited[0] == 1 && s.edited[1] == 3 && s.edited[2] == -4.75f && s.edited[3] == 1);
    assert_int_equal(samp_next(&s, x), 0); /* 1 is down to 3/2 - 0.75, the choice before counts */
    allm__samp_reset(&s);
    assert_int_equal(samp_next(&s, x), 0);
    allm__samp_free(&s);
    p.repeat_penalty = 3e38f, p.frequency_penalty = -3e38f; /* stays finite */
    assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 4, &p, &err), ALLM_OK);
    allm__samp_accept(&s, ids, 3);
    samp_next(&s, x);
    for (int i = 0; i < 4; i++) assert_true(s.edited[i] >= -FLT_MAX && s.edited[i] <= FLT_MAX);
    allm__samp_free(&s);
    test_heap_check(&m);
}

/* ---- bad parameters, bad logits */

static void test_samp_fault_29_parameters(void **state) {
    static const struct { const char *field; allm_sampling p; int ok; } rows[] = {
        {"", {.temperature = 0}, 1},
        {"temperature is nan", {.temperature = NAN}, 0},
        {"temperature is -1.0", {.temperature = -1}, 0},
        {"temperature is inf", {.temperature = INFINITY}, 0},
        {"", {.temperature = 1e30f}, 1},
        {"top_p is nan", {.top_p = NAN}, 0},
        {"top_p is -0.5", {.top_p = -0.5f}, 0},
        {"top_p is 1.5", {.top_p = 1.5f}, 0},
        {"", {.top_p = 1}, 1},
        {"min_p is 2.0", {.min_p = 2}, 0},
        {"min_p is nan", {.min_p = NAN}, 0},
        {"", {.min_p = 1}, 1},
        {"top_k is -1.0", {.top_k = -1}, 0},
        {"", {.top_k = INT32_MAX, .temperature = 1}, 1},
        {"repeat_penalty is nan", {.repeat_penalty = NAN}, 0},
        {"repeat_penalty is inf", {.repeat_penalty = INFINITY}, 0},
        {"repeat_penalty is -1.0", {.repeat_penalty = -1}, 0},
        {"presence_penalty is inf", {.presence_penalty = INFINITY}, 0},
        {"frequency_penalty is -inf", {.frequency_penalty = -INFINITY}, 0},
        {"frequency_penalty is nan", {.frequency_penalty = NAN}, 0},
        {"penalty_window is -2.0", {.penalty_window = -2}, 0},
        {"", {.penalty_window = INT32_MAX, .repeat_penalty = 1.1f}, 1},
        {"bias_ids or bias is NULL", {.n_bias = 1}, 0},
    };
    test_heap  m = {0};
    allm__host h = test_host(&m);
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm_error  err = {0};
        allm__samp  s;
        allm_status status = allm__samp_init(&s, &h, allm__kern_find(NULL), 10, &rows[i].p, &err);
        assert_int_equal(status, rows[i].ok ? ALLM_OK : ALLM_E_ARGUMENT);
        if (!strstr(err.message, rows[i].field)) fail_msg("\"%s\" in \"%s\"", rows[i].field, err.message);
        allm__samp_free(&s);
    }
    static const struct { int32_t id; float bias; const char *field; } bad[] = {
        {10, 1, "bias_ids[1] is 10"}, {-1, 1, "bias_ids[1] is -1"}, {INT32_MAX, 1, "bias_ids[1] is 2147483647"},
        {3, NAN, "bias is nan"}, {3, INFINITY, "bias is inf"},
    };
    for (size_t i = 0; i < ALLM__COUNT(bad); i++) {
        allm_error    err = {0};
        allm__samp    s;
        int32_t       ids[] = {0, bad[i].id};
        float         bias[] = {0, bad[i].bias};
        allm_sampling p = samp_zero;
        p.bias_ids = ids, p.bias = bias, p.n_bias = 2;
        assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 10, &p, &err), ALLM_E_ARGUMENT);
        if (!strstr(err.message, bad[i].field)) fail_msg("\"%s\" in \"%s\"", bad[i].field, err.message);
        allm__samp_free(&s);
    }
    test_heap_check(&m);
}

static void test_samp_fault_29_logits(void **state) {
    static float x[200];
    test_heap    m = {0};
    allm__host   h = test_host(&m);
    (void)state;
    for (int greedy = 0; greedy < 2; greedy++)
        for (int bad = 0; bad < 3; bad++)
            for (int at = 0; at < 200; at += bad < 2 ? 7 : 200) {
                allm_error    err = {0};
                allm_sampling p = samp_zero;
                allm__samp    s;
                int32_t       id = 77;
                char          want[64];
                for (int i = 0; i < 200; i++) x[i] = bad == 2 ? -INFINITY : (float)i;
                if (bad < 2) x[at] = bad ? INFINITY : NAN;
                p.temperature = greedy ? 0.0f : 0.7f, p.top_p = 0.9f, p.repeat_penalty = 1.1f;
                assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 200, &p, &err), ALLM_OK);
                int32_t history[1] = {at};
                allm__samp_accept(&s, history, 1); /* penalties must not hide it */
                assert_int_equal(allm__samp_next(&s, x, &id, NULL, &err), ALLM_E_NUMERIC);
                snprintf(want, sizeof want, bad == 2 ? "no token is allowed" : "logit of id %d is %s", at,
                         bad ? "infinite" : "NaN");
                assert_string_equal(err.message, want);
                assert_int_equal(id, 77);
                assert_int_equal(s.step, 0);
                x[at] = 300; /* usable afterwards */
                samp_next(&s, x);
                allm__samp_free(&s);
            }
    test_heap_check(&m);
}

/* Every id banned but one, then all. */
static void test_samp_bans(void **state) {
    static const float x[] = {1, 2, 3};
    test_heap     m = {0};
    allm__host    h = test_host(&m);
    allm_error    err = {0};
    allm_sampling p = samp_zero;
    allm__samp    s;
    int32_t       ids[] = {2, 1, 0}, id;
    float         bias[] = {-INFINITY, -INFINITY, -INFINITY};
    (void)state;
    p.bias_ids = ids, p.bias = bias, p.n_bias = 2, p.temperature = 1;
    assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 3, &p, &err), ALLM_OK);
    for (int i = 0; i < 5; i++) assert_int_equal(samp_next(&s, x), 0);
    allm__samp_free(&s);
    p.n_bias = 3;
    assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 3, &p, &err), ALLM_OK);
    assert_int_equal(allm__samp_next(&s, x, &id, NULL, &err), ALLM_E_NUMERIC);
    assert_string_equal(err.message, "no token is allowed");
    allm__samp_free(&s);
    test_heap_check(&m);
}

/* ---- memory */

static allm_status samp_life(const allm__host *h, void *ctx) {
    const test_heap *m = (const test_heap *)h->mem.ctx;
    static float     x[3000];
    allm_error       err = {0};
    allm_sampling    p = samp_zero;
    allm__samp       s;
    int32_t          ids[] = {5, 6};
    float            bias[] = {1, -INFINITY}, lp;
    (void)ctx;
    samp_random_logits(x, 3000, 100000);
    p.temperature = 2, p.top_p = 0.99f, p.min_p = 1e-6f, p.repeat_penalty = 1.1f, p.penalty_window = 10;
    p.bias_ids = ids, p.bias = bias, p.n_bias = 2;
    allm_status status = allm__samp_init(&s, h, allm__kern_find(NULL), 3000, &p, &err);
    int64_t     n_calls = m->n_calls;
    for (int i = 0; i < 30 && !status; i++) status = allm__samp_next(&s, x, &ids[0], &lp, &err);
    if (!status && m->n_calls != n_calls) status = ALLM_E_BUSY; /* a token allocated */
    allm__samp_free(&s);
    return status;
}

static void test_samp_memory(void **state) {
    (void)state;
    test_fail_each(samp_life, NULL);
}

static const struct CMUnitTest test_samp[] = {
    cmocka_unit_test(test_samp_golden),
    cmocka_unit_test(test_samp_order),
    cmocka_unit_test(test_samp_head_is_prefix),
    cmocka_unit_test(test_samp_draw),
    cmocka_unit_test(test_samp_greedy),
    cmocka_unit_test(test_samp_logprob),
    cmocka_unit_test(test_samp_history),
    cmocka_unit_test(test_samp_penalties),
    cmocka_unit_test(test_samp_fault_29_parameters),
    cmocka_unit_test(test_samp_fault_29_logits),
    cmocka_unit_test(test_samp_bans),
    cmocka_unit_test(test_samp_memory),
};
