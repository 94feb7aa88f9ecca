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

typedef struct samp_step {
    double mu, n_kept, chosen, p, weighted_sum, total_weight, probs[64];
    size_t n_probs;
} samp_step;

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

/* ---- every row, in any order, against one that sorts everything and computes in double */

typedef struct samp_plain { double x; int32_t id; } samp_plain;
typedef struct samp_model_list { /* candidates in order, and how close any decision was */
    samp_plain *a;
    double     *p;
    int32_t     n;
    double      margin;
} samp_model_list;

static int samp_plain_order(const void *va, const void *vb) {
    const samp_plain *a = (const samp_plain *)va, *b = (const samp_plain *)vb;
    return a->x != b->x ? (a->x < b->x ? 1 : -1) : a->id < b->id ? -1 : a->id > b->id;
}

static double samp_plain_softmax(samp_model_list *l) { /* returns the entropy */
    double sum = 0, h = 0;
    qsort(l->a, (size_t)l->n, sizeof *l->a, samp_plain_order);
    for (int32_t i = 0; i < l->n; i++) sum += l->p[i] = exp(l->a[i].x - l->a[0].x);
    for (int32_t i = 0; i < l->n; i++) l->p[i] /= sum, h -= l->p[i] > 0 ? l->p[i] * log(l->p[i]) : 0;
    return h;
}

static void samp_plain_near(samp_model_list *l, double a, double b) {
    l->margin = ALLM__MIN(l->margin, fabs(a - b) / ALLM__MAX(fabs(a), 1e-9));
}

static void samp_plain_cut(samp_model_list *l, int32_t from, int32_t to) {
    memmove(l->a, l->a + from, (size_t)(to - from) * sizeof *l->a);
    l->n = to - from;
}

typedef struct samp_odd { double key; int32_t i; } samp_odd;
static int samp_odd_order(const void *va, const void *vb) {
    const samp_odd *a = (const samp_odd *)va, *b = (const samp_odd *)vb;
    return a->key != b->key ? (a->key > b->key ? 1 : -1) : a->i - b->i;
}

static void samp_plain_typical(samp_model_list *l, double p, double h) {
    samp_odd   *k    = (samp_odd *)malloc((size_t)l->n * sizeof *k);
    samp_plain *kept = (samp_plain *)malloc((size_t)l->n * sizeof *kept);
    double      sum = 0;
    int32_t     n = 0;
    for (int32_t i = 0; i < l->n; i++) k[i].key = fabs(-log(ALLM__MAX(l->p[i], 1e-200)) - h), k[i].i = i;
    for (int32_t i = 1; i < l->n; i++) /* equal logits are equally odd, whatever the rounding */
        if (l->a[i].x == l->a[i - 1].x) k[i].key = k[i - 1].key;
    qsort(k, (size_t)l->n, sizeof *k, samp_odd_order);
    for (int32_t i = 0; i < l->n; i++) {
        kept[n++] = l->a[k[i].i], sum += l->p[k[i].i];
        samp_plain_near(l, sum, p);
        if (sum > p) break;
        if (i + 1 < l->n && l->a[k[i].i].x != l->a[k[i + 1].i].x) samp_plain_near(l, k[i].key + 1, k[i + 1].key + 1);
    }
    memcpy(l->a, kept, (size_t)n * sizeof *kept), l->n = n;
    free(k), free(kept);
}

/* One row on the plain list. */
static void samp_plain_row(samp_model_list *l, const char *name, const allm_sampling *p, const int32_t *history,
                           size_t n_history) {
    double  h = samp_plain_softmax(l), sum = 0, mean = 0, sigma = 0;
    int32_t i = 0;
    if (!strcmp(name, "penalties")) {
        for (i = 0; i < l->n; i++)
            for (size_t k = 0; k < n_history; k++)
                if (l->a[i].id == history[k]) { l->a[i].x -= (double)p->presence_penalty; break; }
        for (int32_t k = 0; k + 1 < l->n; k++) samp_plain_near(l, l->a[k].x + 100, l->a[k + 1].x + 100.0000001);
    } else if (!strcmp(name, "top_k")) samp_plain_cut(l, 0, ALLM__MIN(p->top_k, l->n));
    else if (!strcmp(name, "typical_p")) samp_plain_typical(l, (double)p->typical_p, h);
    else if (!strcmp(name, "top_p")) {
        do sum += l->p[i++], samp_plain_near(l, sum, (double)p->top_p);
        while (i < l->n && !(sum >= (double)p->top_p));
        samp_plain_cut(l, 0, i);
    } else if (!strcmp(name, "min_p")) {
        for (double limit = l->a[0].x + log((double)p->min_p); i < l->n; i++) {
            samp_plain_near(l, l->a[i].x - limit + 1, 1);
            if (l->a[i].x < limit) break;
        }
        samp_plain_cut(l, 0, i);
    } else if (!strcmp(name, "top_n_sigma") && l->n > 1) {
        for (i = 0; i < l->n; i++) mean += l->a[i].x / l->n;
        for (i = 0; i < l->n; i++) sigma += (l->a[i].x - mean) * (l->a[i].x - mean) / l->n;
        sigma = sqrt(sigma);
        for (i = 0; i < l->n; i++) {
            double over = l->a[i].x - l->a[0].x + (double)p->top_n_sigma * sigma;
            samp_plain_near(l, over + 1, 1);
            if (over < 0) break;
        }
        samp_plain_cut(l, 0, i);
    } else if (!strcmp(name, "xtc")) {
        for (; i < l->n; i++) {
            samp_plain_near(l, l->p[i], (double)p->xtc_threshold);
            if (!(l->p[i] >= (double)p->xtc_threshold)) break;
        }
        if (i > 1) samp_plain_cut(l, i - 1, l->n);
    } else if (!strcmp(name, "temperature"))
        for (i = 0; i < l->n; i++) l->a[i].x /= (double)p->temperature;
}

static double samp_unit(void) { return (double)test_random_below(1 << 20) / (1 << 20); }

static void samp_check_rows(const allm__kern *kern, const float *x, int32_t n, const allm_sampling *p,
                            const int32_t *history, size_t n_history, int *n_compared) {
    test_heap       m   = {0};
    allm__host      h   = test_host(&m);
    allm_error      err = {0};
    allm__samp      s;
    samp_model_list l   = {(samp_plain *)malloc((size_t)n * sizeof *l.a), (double *)malloc((size_t)n * sizeof *l.p), 0,
                           INFINITY};
    for (int32_t i = 0; i < n; i++)
        if (x[i] > -INFINITY) l.a[l.n].x = (double)x[i], l.a[l.n++].id = i;
    if (allm__samp_init(&s, &h, kern, n, p, &err)) fail_msg("%s", err.message);
    allm__samp_accept(&s, history, n_history);
    allm__samp_begin(&s, x);
    for (int i = 0; i < s.n_chain; i++) {
        const allm__samp_row *row = &allm__samp_rows[s.chain[i]];
        if (allm__samp_apply(&s, row, &err)) fail_msg("%s", err.message);
        samp_plain_row(&l, row->name, p, history, n_history);
    }
    if (!s.scanned) assert_int_equal(allm__samp_scan(&s, &err), ALLM_OK);
    samp_plain_softmax(&l);
    if (l.margin > 4e-6) {
        double mass = allm__samp_mass(&s);
        if (allm__samp_count(&s) != l.n)
            fail_msg("%s: %d of %d left, expected %d", p->order, (int)allm__samp_count(&s), (int)n, (int)l.n);
        for (int32_t i = 0; i < l.n; i++) {
            assert_true(allm__samp_has(&s, i));
            double got = allm__samp_weight(&s, i) / mass;
            if (allm__samp_id(&s, i) != l.a[i].id || fabs(got - l.p[i]) > 1e-6 + 1e-5 * l.p[i])
                fail_msg("%s: place %d of %d: id %d, p %g; expected id %d, p %g", p->order, (int)i, (int)l.n,
                         (int)allm__samp_id(&s, i), got, (int)l.a[i].id, l.p[i]);
        }
        assert_true(!allm__samp_has(&s, l.n));
        ++*n_compared;
    }
    free(l.a), free(l.p);
    allm__samp_free(&s);
    test_heap_check(&m);
}

/* A part of the names, shuffled, between semicolons. */
static void samp_shuffle(char order[256], const char *const *names, size_t n) {
    uint8_t at[16];
    size_t  n_left = 1 + (size_t)test_random_below(n);
    for (size_t i = 0; i < n; i++) at[i] = (uint8_t)i;
    order[0] = 0;
    for (size_t i = 0; i < n_left; i++) {
        size_t  k = i + (size_t)test_random_below(n - i);
        uint8_t t = at[i];
        at[i] = at[k], at[k] = t;
        strcat(order, i ? ";" : ""), strcat(order, names[at[i]]);
    }
}

static void test_samp_rows(void **state) {
    static const char *const names[] = {"penalties", "top_n_sigma", "top_k", "typical_p",
                                        "top_p",     "min_p",       "xtc",   "temperature"};
    static const int32_t     sizes[] = {1, 2, 7, 64, 65, 300, 1000, 3000, 12000};
    static float             x[12000];
    int                      n_compared = 0, n_all = 0;
    (void)state;
    for (int round = 0; round < 60; round++)
        for (size_t i = 0; i < ALLM__COUNT(sizes); i++, n_all++) {
            char          order[256];
            int32_t       n = sizes[i], history[20];
            allm_sampling p = samp_zero;
            double        spread = 0.2 + 3 * samp_unit();
            for (int32_t k = 0; k < n; k++) {
                double v = samp_unit() + samp_unit() + samp_unit() + samp_unit() - 2;
                x[k]     = (float)(v * spread * 2);
                if (round % 3 == 0) x[k] = (float)(floor((double)x[k] * 4) / 4); /* many ties */
                if (round % 4 == 0 && test_random_below(4) == 0) x[k] = -INFINITY;
            }
            x[test_random_below((uint64_t)n)] = (float)(2 * spread);
            for (size_t k = 0; k < 20; k++) history[k] = (int32_t)test_random_below((uint64_t)n);
            samp_shuffle(order, names, ALLM__COUNT(names));
            p.order = order, p.presence_penalty = 0.337f;
            p.top_n_sigma = (float)(0.5 + 3 * samp_unit()), p.top_k = 1 + (int32_t)test_random_below((uint64_t)n);
            p.typical_p = (float)(0.1 + 0.89 * samp_unit()), p.top_p = (float)(0.1 + 0.89 * samp_unit());
            p.min_p = (float)(0.3 * samp_unit() + 1e-4), p.xtc_probability = 1;
            p.xtc_threshold = (float)(0.4 * samp_unit() + 1e-4), p.temperature = (float)(0.1 + 1.8 * samp_unit());
            samp_check_rows(allm__kern_find(NULL), x, n, &p, history, 20, &n_compared);
        }
    printf("             %d of %d chains were far enough from every limit\n", n_compared, n_all);
    assert_true(n_compared > n_all / 2);
}

/* ---- orders */

static void test_samp_orders(void **state) {
    static const struct { const char *order, *expected; } rows[] = {
        {NULL, "bias penalties dry no_repeat_ngram top_n_sigma top_k typical_p top_p min_p xtc temperature"},
        {"llama", "bias penalties dry no_repeat_ngram top_n_sigma top_k typical_p top_p min_p xtc temperature"},
        {"hf", "bias penalties no_repeat_ngram dry temperature top_k top_p min_p typical_p top_n_sigma xtc"},
        {"", "bias"},
        {"temperature", "bias temperature"},
        {"top-k, temp; typ_p;top_nsigma", "bias top_k temperature typical_p top_n_sigma"},
        {"top_p;logit-bias;top_k", "top_p bias top_k"},
        {"top_k;top_q", "!\"top_q\" is the name of no sampler"},
        {"top_k;top-k", "!\"top-k\" is named twice"},
        {"temp;temperature", "!\"temperature\" is named twice"},
        {"TOP_K", "!\"TOP_K\" is the name of no sampler"},
        {"top_", "!\"top_\" is the name of no sampler"},
        {"mirostat", "!\"mirostat\" is the name of no sampler"},
        {"\xff\xfe\x01", "!is the name of no sampler"},
        {"penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature", /* llama.cpp's */
         "bias penalties dry top_n_sigma top_k typical_p top_p min_p xtc temperature"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        uint8_t    chain[ALLM__SAMP_CHAIN];
        char       got[256] = "";
        allm_error err = {0};
        int        n = allm__samp_order(rows[i].order, chain, &err);
        if (rows[i].expected[0] == '!') {
            assert_true(n < 0 && err.status == ALLM_E_ARGUMENT && strstr(err.message, rows[i].expected + 1));
            continue;
        }
        for (int k = 0; k < n; k++) strcat(got, k ? " " : ""), strcat(got, allm__samp_rows[chain[k]].name);
        assert_string_equal(got, rows[i].expected);
    }
}

/* ---- same bits on every set of instructions, and with or without log-probabilities */

static void test_samp_same_bits(void **state) {
    static const allm_sampling rows[] = {
        {.temperature = 0.7f, .top_p = 0.9f, .seed = 5},
        {.temperature = 1, .seed = 5},
        {.temperature = 1.5f, .top_k = 40, .min_p = 0.02f, .seed = 5},
        {.temperature = 1, .typical_p = 0.8f, .seed = 5},
        {.temperature = 1, .xtc_probability = 0.5f, .xtc_threshold = 0.02f, .seed = 5},
        {.temperature = 1, .top_n_sigma = 1.5f, .repeat_penalty = 1.2f, .seed = 5},
        {.temperature = 0.8f, .dynatemp_range = 0.5f, .order = "hf", .top_p = 0.9f, .seed = 5},
        {.temperature = 1, .mirostat = 1, .seed = 5},
        {.temperature = 1, .mirostat = 2, .seed = 5},
        {.temperature = 1, .min_p = 0.01f, .adaptive_target = 0.2f, .seed = 5},
        {.temperature = 1, .dry_multiplier = 1, .no_repeat_ngram = 3, .top_p = 0.5f, .seed = 5},
    };
    enum { N = 2000, STEPS = 20 };
    static float x[N];
    (void)state;
    for (size_t r = 0; r < ALLM__COUNT(rows); r++)
        for (int top = 0; top < 3; top++) {
            int32_t first[STEPS] = {0}, ids[5];
            float   lp[5], one;
            int     n_seen = 0;
            for (size_t i = 0; i < ALLM__COUNT(allm__isas); i++) {
                test_heap         m    = {0};
                allm__host        h    = test_host(&m);
                allm_error        err  = {0};
                const allm__kern *kern = allm__kern_find(allm__isas[i].name);
                allm__samp        s;
                if (!kern) continue;
                assert_int_equal(allm__samp_init(&s, &h, kern, N, &rows[r], &err), ALLM_OK);
                for (int t = 0; t < STEPS; t++) {
                    int32_t id;
                    for (uint64_t k = 0; k < N; k++)
                        x[k] = (float)(2 * allm__random(1, k, 7) + 6 * (allm__random((uint64_t)t, k, 8) > 0.99));
                    int64_t n_calls = m.n_calls;
                    if (allm__samp_next_top(&s, x, &id, top ? &one : NULL, top == 2 ? 5 : 0, ids, lp, &err))
                        fail_msg("%s", err.message);
                    assert_int_equal(m.n_calls, n_calls);
                    if (!n_seen) first[t] = id;
                    assert_int_equal(id, first[t]);
                }
                n_seen++;
                allm__samp_free(&s);
                test_heap_check(&m);
            }
        }
}

/* ---- log-probabilities */

static void test_samp_top_logprobs(void **state) {
    static const allm_sampling rows[] = {
        {.temperature = 0},
        {.temperature = 0.7f, .top_p = 0.2f},
        {.temperature = 0.7f, .top_k = 2},
        {.temperature = 1.3f, .typical_p = 0.3f},
        {.temperature = 1, .xtc_probability = 1, .xtc_threshold = 0.01f},
        {.temperature = 1, .top_k = 5, .xtc_probability = 1, .xtc_threshold = 0.01f},
        {.temperature = 1, .repeat_penalty = 2, .presence_penalty = 3},
        {.temperature = 0.5f, .top_p = 0.5f, .order = "hf"},
        {.mirostat = 2, .temperature = 0.6f},
    };
    enum { N = 700, TOP = 12 };
    static float x[N];
    (void)state;
    for (size_t r = 0; r < ALLM__COUNT(rows); r++) {
        test_heap  m   = {0};
        allm__host h   = test_host(&m);
        allm_error err = {0};
        allm__samp s;
        assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), N, &rows[r], &err), ALLM_OK);
        for (int t = 0; t < 20; t++) {
            int32_t    id, ids[TOP];
            float      lp, top[TOP];
            double     sum = 0;
            samp_plain a[N];
            for (int k = 0; k < N; k++) x[k] = (float)(4 * samp_unit() + (test_random_below(40) ? 0 : 5)), a[k].id = k;
            for (int k = 0; k < N; k += t % 2 ? 3 : N) x[k] = x[(k + 1) % N]; /* ties */
            if (t % 4 == 3) /* fewer than are asked for */
                for (int k = 0; k < N; k++) x[k] = k % 90 ? -INFINITY : x[k];
            int32_t n_finite = 0;
            for (int k = 0; k < N; k++) a[k].x = (double)x[k], sum += exp(a[k].x), n_finite += x[k] > -INFINITY;
            qsort(a, N, sizeof *a, samp_plain_order);
            assert_int_equal(allm__samp_next_top(&s, x, &id, &lp, TOP, ids, top, &err), ALLM_OK);
            assert_true(fabs((double)lp - ((double)x[id] - log(sum))) < 1e-5);
            for (int k = 0; k < TOP; k++) {
                assert_int_equal(ids[k], k < n_finite ? a[k].id : -1);
                if (k < n_finite) assert_true(fabs((double)top[k] - (a[k].x - log(sum))) < 1e-5);
                else assert_true(top[k] == -INFINITY);
            }
        }
        allm__samp_free(&s);
        test_heap_check(&m);
    }
}

/* ---- repeats */

/* A repeat as long as the window costs one walk, its price stays finite, other windows and breakers are respected. */
static void test_samp_dry(void **state) {
    static const struct {
        int32_t history[12], n, window, allowed, breakers[8], n_breakers;
        float   loss[4];
    } rows[] = {
        {{0, 1, 2, 0, 1}, 5, 0, 0, {0}, 0, {0, 0, 1, 0}},          /* 0 1 would go on with 2: length 2, price 1 */
        {{0, 1, 2, 0, 1}, 5, 0, 3, {0}, 0, {0, 0, 0, 0}},
        {{0, 1, 2, 0, 1}, 5, 3, 1, {0}, 0, {0, 0, 0, 0}},          /* of the last 3 none is a copy of the last */
        {{3, 0, 1, 2, 3, 0, 1}, 7, 0, 2, {0}, 0, {0, 0, 2, 0}},    /* 3 0 1 */
        {{3, 0, 1, 2, 3, 0, 1}, 7, 0, 2, {1, 3}, 2, {0, 0, 1, 0}}, /* not across a breaker */
        {{3, 0, 1, 2, 3, 0, 1}, 7, 0, 2, {2, 3, 0}, 3, {0, 0, 0, 0}},
        {{3, 0, 1, 2, 3, 0, 1}, 7, 0, 2, {1, 2}, 2, {0, 0, 0, 0}}, /* a breaker itself is free */
        {{9, -1, 2, 9, -1}, 5, 0, 2, {0}, 0, {0, 0, 1, 0}},        /* ids that are none are equal to themselves */
        {{7, 7, 7}, 3, 0, 1, {0}, 0, {0, 0, 0, 0}},
    };
    static const float x[4] = {5, 5, 5, 5};
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        test_heap     m   = {0};
        allm__host    h   = test_host(&m);
        allm_error    err = {0};
        allm__samp    s;
        allm_sampling p   = samp_zero;
        p.dry_multiplier = 1, p.dry_base = 2, p.dry_window = rows[i].window, p.dry_allowed_length = rows[i].allowed;
        assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 4, &p, &err), ALLM_OK);
        assert_int_equal(allm__samp_set_breakers(&s, rows[i].breakers, (size_t)rows[i].n_breakers, &err), ALLM_OK);
        allm__samp_accept(&s, rows[i].history, (size_t)rows[i].n);
        samp_next(&s, x);
        for (int k = 0; k < 4; k++)
            if (s.edited[k] != x[k] - rows[i].loss[k]) fail_msg("row %zu, id %d: %g", i, k, (double)s.edited[k]);
        allm__samp_free(&s);
        test_heap_check(&m);
    }
    test_heap     m   = {0};
    allm__host    h   = test_host(&m);
    allm_error    err = {0};
    allm__samp    s;
    allm_sampling p = samp_zero;
    p.dry_multiplier = 3e38f, p.dry_base = 100, p.no_repeat_ngram = 70000;
    assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 4, &p, &err), ALLM_OK);
    for (int i = 0; i < 200000; i++) allm__samp_accept(&s, &(int32_t){i % 1 + 2}, 1);
    assert_int_not_equal(samp_next(&s, x), 2);
    assert_true(s.edited[2] == -FLT_MAX && s.edited[1] == 5);
    assert_int_equal(allm__samp_repeats(&s, INT32_MAX), ALLM__SAMP_REPEATS_MAX);
    allm__samp_free(&s);
    test_heap_check(&m);
}

/* With it no n tokens come twice; when every continuation is used up nothing is allowed. */
static void test_samp_no_repeat_ngram(void **state) {
    static const float x[3] = {1, 2, 3};
    (void)state;
    for (int32_t n = 1; n < 4; n++) {
        test_heap     m   = {0};
        allm__host    h   = test_host(&m);
        allm_error    err = {0};
        allm__samp    s;
        allm_sampling p = samp_zero;
        int32_t       all[64], n_all = 0, id;
        p.no_repeat_ngram = n;
        assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 3, &p, &err), ALLM_OK);
        while (n_all < 60 && !allm__samp_next(&s, x, &id, NULL, &err)) all[n_all++] = id;
        assert_string_equal(err.message, "no token is allowed");
        assert_true(n_all >= 3 * n && n_all <= (n == 1 ? 3 : n == 2 ? 10 : 29)); /* de Bruijn's are longest */
        for (int32_t i = 0; i + n <= n_all; i++)
            for (int32_t k = i + 1; k + n <= n_all; k++)
                assert_true(memcmp(all + i, all + k, (size_t)n * sizeof *all) != 0);
        allm__samp_free(&s);
        test_heap_check(&m);
    }
}

/* ---- samplers that choose themselves */

static void test_samp_mirostat(void **state) {
    static float x[2000];
    (void)state;
    for (int version = 1; version <= 2; version++)
        for (int tau = 2; tau < 7; tau++) {
            test_heap     m   = {0};
            allm__host    h   = test_host(&m);
            allm_error    err = {0};
            allm__samp    s;
            allm_sampling p    = samp_zero;
            double        bits = 0;
            p.temperature = 1, p.mirostat = version, p.mirostat_tau = (float)tau, p.seed = 1;
            p.top_k = 1, p.repeat_penalty = 2; /* do not count then */
            assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 2000, &p, &err), ALLM_OK);
            for (int i = 0; i < 2000; i++) x[i] = (float)(-1.1 * log(i + 1.0));
            for (int i = 0; i < 1500; i++) {
                double mu = s.mu;
                samp_next(&s, x);
                if (i >= 500) bits += (mu - s.mu) / 0.1 / 1000; /* what the surprise was too much */
            }
            assert_true(fabs(bits) < 0.35);
            double mu = s.mu;
            allm__samp_reset(&s);
            assert_true(s.mu == 2 * tau && mu != s.mu);
            allm__samp_free(&s);
            test_heap_check(&m);
        }
}

static void test_samp_adaptive(void **state) { /* the mean probability of what is chosen comes near the target */
    static float x[300];
    (void)state;
    for (int k = 1; k < 4; k++) {
        test_heap     m   = {0};
        allm__host    h   = test_host(&m);
        allm_error    err = {0};
        allm__samp    s;
        allm_sampling p   = samp_zero;
        double        sum = 0;
        p.temperature = 1, p.adaptive_target = 0.1f * (float)k, p.top_k = 20, p.seed = 3;
        assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 300, &p, &err), ALLM_OK);
        for (int i = 0; i < 300; i++) x[i] = (float)(-0.5 * i);
        for (int i = 0; i < 1000; i++) samp_next(&s, x), sum = s.sum_p / s.sum_one;
        assert_true(fabs(sum - (double)p.adaptive_target) < 0.12);
        allm__samp_free(&s);
        test_heap_check(&m);
    }
}

/* XTC's chance, and that what it takes away is not drawn. */
static void test_samp_xtc(void **state) {
    static const float x[] = {3, 2.9f, 2.8f, -1, -1.5f};
    for (int cut = 0; cut < 2; cut++) {
        test_heap     m   = {0};
        allm__host    h   = test_host(&m);
        allm_error    err = {0};
        allm__samp    s;
        allm_sampling p = samp_zero;
        int           n_top = 0, n_third = 0;
        (void)state;
        p.temperature = 0.5f, p.xtc_probability = 0.25f, p.seed = 11, p.top_k = cut ? 4 : 0;
        p.order = "top_k;xtc;temperature";
        assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), 5, &p, &err), ALLM_OK);
        for (int i = 0; i < 4000; i++) {
            uint64_t step = s.step;
            int32_t  id   = samp_next(&s, x);
            if (allm__random(11, step, 1) <= 0.25) assert_true(id >= 2), n_third += id == 2;
            else n_top += id < 2;
        }
        assert_true(n_third > 900 && n_third < 1100 && n_top > 1900 && n_top < 2300);
        allm__samp_free(&s);
        test_heap_check(&m);
    }
}

/* A mask allows what its bits say, greedy or not, for any size; nothing at all is an end. */
static void test_samp_mask(void **state) {
    static float x[200];
    (void)state;
    for (int32_t n = 1; n <= 200; n += 33)
        for (int greedy = 0; greedy < 2; greedy++) {
            test_heap     m   = {0};
            allm__host    h   = test_host(&m);
            allm_error    err = {0};
            allm__samp    s;
            allm_sampling p = samp_zero;
            uint32_t      bits[7] = {0};
            int32_t       id, only = n / 2;
            p.temperature = greedy ? 0 : 1;
            for (int i = 0; i < n; i++) x[i] = (float)i;
            assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), n, &p, &err), ALLM_OK);
            s.allowed = bits;
            assert_int_equal(allm__samp_next(&s, x, &id, NULL, &err), ALLM_E_NUMERIC);
            assert_string_equal(err.message, "no token is allowed");
            bits[only / 32] = UINT32_C(1) << (only % 32);
            for (int i = 0; i < 5; i++) assert_int_equal(samp_next(&s, x), only);
            for (int i = 0; i < 7; i++) bits[i] = UINT32_MAX;
            bits[(n - 1) / 32] &= ~(UINT32_C(1) << ((n - 1) % 32));
            if (greedy && n > 1) assert_int_equal(samp_next(&s, x), n - 2);
            s.allowed = NULL;
            if (greedy) assert_int_equal(samp_next(&s, x), n - 1);
            allm__samp_free(&s);
            test_heap_check(&m);
        }
}

/* Flat, tiny, denormal and huge logits under every row: a choice among the allowed, no NaN on the way. */
static void test_samp_odd_logits(void **state) {
    static const float kinds[][4] = {{0, 0, 0, 0}, {1e-45f, -1e-45f, 1e-40f, 0}, {3e38f, 3e38f, -3e38f, 0},
                                     {-3e38f, -3.4e38f, -INFINITY, -3e38f}, {-INFINITY, -INFINITY, 7, -INFINITY},
                                     {1e30f, -1e30f, 88, -88}};
    (void)state;
    for (size_t kind = 0; kind < ALLM__COUNT(kinds); kind++)
        for (int32_t n = 1; n <= 300; n = n < 5 ? n + 1 : n * 4)
            for (int way = 0; way < 8; way++) {
                test_heap     m   = {0};
                allm__host    h   = test_host(&m);
                allm_error    err = {0};
                allm__samp    s;
                allm_sampling p = samp_zero;
                float         x[400], lp, top[3];
                int32_t       id, ids[3];
                for (int32_t i = 0; i < n; i++) x[i] = kinds[kind][(i + 2) % 4]; /* the third is never alone banned */
                x[0] = x[0] > -INFINITY ? x[0] : 1;
                p.temperature = way & 1 ? 0.3f : 1, p.seed = way;
                if (way < 4) p.top_k = 3, p.top_p = 0.9f, p.min_p = 0.05f, p.typical_p = 0.9f, p.top_n_sigma = 1;
                if (way < 2) p.xtc_probability = 1, p.xtc_threshold = 0.01f, p.dynatemp_range = 0.2f;
                if (way == 4) p.mirostat = 1;
                if (way == 5) p.mirostat = 2;
                if (way == 6) p.adaptive_target = 0.5f, p.dynatemp_range = 2;
                if (way == 7) p.order = "temperature;penalties;top_p", p.presence_penalty = 1, p.top_p = 0.5f;
                assert_int_equal(allm__samp_init(&s, &h, allm__kern_find(NULL), n, &p, &err), ALLM_OK);
                for (int t = 0; t < 6; t++) {
                    if (allm__samp_next_top(&s, x, &id, &lp, 3, ids, top, &err)) fail_msg("%s", err.message);
                    assert_true(id >= 0 && id < n && x[id] > -INFINITY && lp <= 1e-6f && lp == lp && top[0] == top[0]);
                    assert_true(s.mu == s.mu && s.sum_p == s.sum_p);
                }
                allm__samp_free(&s);
                test_heap_check(&m);
            }
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
        {"typical_p is nan", {.typical_p = NAN}, 0},
        {"typical_p is 1.5", {.typical_p = 1.5f}, 0},
        {"top_n_sigma is -1.0", {.top_n_sigma = -1}, 0},
        {"xtc_probability is 2.0", {.xtc_probability = 2}, 0},
        {"xtc_threshold is -0.5", {.xtc_threshold = -0.5f}, 0},
        {"", {.xtc_probability = 1, .xtc_threshold = 0.75f, .temperature = 1}, 1},
        {"dry_multiplier is inf", {.dry_multiplier = INFINITY}, 0},
        {"dry_base is nan", {.dry_base = NAN}, 0},
        {"dry_allowed_length is -1.0", {.dry_allowed_length = -1}, 0},
        {"dry_window is -2.0", {.dry_window = -2}, 0},
        {"", {.dry_multiplier = 1, .dry_window = INT32_MAX, .dry_allowed_length = INT32_MAX}, 1},
        {"n_dry_breakers is 65.0, expected at most 64", {.n_dry_breakers = 65}, 0},
        {"dry_breakers[0] is NULL", {.n_dry_breakers = 1}, 0},
        {"no_repeat_ngram is -1.0", {.no_repeat_ngram = -1}, 0},
        {"", {.no_repeat_ngram = INT32_MAX}, 1},
        {"dynatemp_range is inf", {.dynatemp_range = INFINITY}, 0},
        {"dynatemp_exponent is -1.0", {.dynatemp_exponent = -1}, 0},
        {"mirostat is 3.0, expected 0, 1 or 2", {.mirostat = 3}, 0},
        {"mirostat_tau is nan", {.mirostat_tau = NAN}, 0},
        {"mirostat_eta is -1.0", {.mirostat_eta = -1}, 0},
        {"adaptive_target is 1.5", {.adaptive_target = 1.5f}, 0},
        {"adaptive_decay is nan", {.adaptive_decay = NAN}, 0},
        {"", {.adaptive_target = 1, .adaptive_decay = 1, .temperature = 1}, 1},
        {"min_keep is -1.0", {.min_keep = -1}, 0},
        {"\"oops\" is the name of no sampler", {.order = "top_k;oops"}, 0},
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
    p.dry_multiplier = 1, p.no_repeat_ngram = 5, p.typical_p = 0.9f, p.xtc_probability = 0.5f, p.dynatemp_range = 1;
    static const int32_t breakers[] = {1, 5, 2, 6, 7, 3, 4, 8, 9};
    int32_t     top_ids[40];
    float       top[40];
    allm_status status = allm__samp_init(&s, h, allm__kern_find(NULL), 3000, &p, &err);
    if (!status) status = allm__samp_set_breakers(&s, breakers, ALLM__COUNT(breakers), &err);
    int64_t     n_calls = m->n_calls;
    for (int i = 0; i < 30 && !status; i++)
        status = allm__samp_next_top(&s, x, &ids[0], &lp, 40, top_ids, top, &err);
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
    cmocka_unit_test(test_samp_rows),
    cmocka_unit_test(test_samp_orders),
    cmocka_unit_test(test_samp_same_bits),
    cmocka_unit_test(test_samp_top_logprobs),
    cmocka_unit_test(test_samp_dry),
    cmocka_unit_test(test_samp_no_repeat_ngram),
    cmocka_unit_test(test_samp_mirostat),
    cmocka_unit_test(test_samp_adaptive),
    cmocka_unit_test(test_samp_xtc),
    cmocka_unit_test(test_samp_mask),
    cmocka_unit_test(test_samp_odd_logits),
    cmocka_unit_test(test_samp_fault_29_parameters),
    cmocka_unit_test(test_samp_fault_29_logits),
    cmocka_unit_test(test_samp_bans),
    cmocka_unit_test(test_samp_memory),
};
