/* The command line as a user meets it: build/allm (or $ALLM_BIN) is started with arguments and an input, and what it
 * writes and returns is compared with its contract. The model is tests/data/tiny.gguf. */

#include <signal.h>
#include <sys/wait.h>

#define CLI_MODEL "tests/data/tiny.gguf"
#define CLI_GREEDY "--temp", "0", "-n", /* most tokens */
enum { CLI_SECONDS = 120 }; /* a command that takes longer hangs */

typedef struct cli_result {
    int    rc; /* exit status; 1000 + signal */
    char  *out, *err; /* terminated */
    size_t n_out, n_err;
} cli_result;

static const char *cli_binary(void) {
    const char *path = getenv("ALLM_BIN");
    if (!path || !*path) path = "build/allm";
    if (access(path, X_OK) != 0) test_skip("no %s (make, or set ALLM_BIN)", path);
    if (access(CLI_MODEL, R_OK) != 0) test_skip("no %s: tests run in the root of the repository", CLI_MODEL);
    return path;
}

/* Starts the program; stdin, stdout, stderr are the files given. */
static pid_t cli_start(char **argv, int in, int out, int err) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(in, 0), dup2(out, 1), dup2(err, 2);
        alarm(CLI_SECONDS);
        execv(argv[0], argv);
        _exit(127);
    }
    return pid;
}

static int cli_wait(pid_t pid) {
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

enum { CLI_ARGS = 40 };
typedef struct cli_args { char *argv[CLI_ARGS]; } cli_args;

static cli_args cli_collect(const char *command, va_list list) {
    cli_args a = {{(char *)(uintptr_t)cli_binary(), (char *)(uintptr_t)command}};
    int      n = 2;
    for (char *arg; command && n < CLI_ARGS - 1 && (arg = va_arg(list, char *)) != NULL;) a.argv[n++] = arg;
    return a;
}

static cli_result cli_run(const void *input, size_t n_input, cli_args a) {
    test_temp  in = test_temp_new(input, n_input), out = test_temp_new("", 0), err = test_temp_new("", 0);
    int        fd[3] = {open(in.path, O_RDONLY), open(out.path, O_WRONLY), open(err.path, O_WRONLY)};
    cli_result r;
    for (int i = 0; i < 3; i++) assert_true(fd[i] >= 0);
    r.rc = cli_wait(cli_start(a.argv, fd[0], fd[1], fd[2]));
    for (int i = 0; i < 3; i++) close(fd[i]);
    r.out = test_read(out.path, &r.n_out), r.err = test_read(err.path, &r.n_err);
    test_temp_remove(&in), test_temp_remove(&out), test_temp_remove(&err);
    assert_non_null(r.out);
    assert_non_null(r.err);
    return r;
}

/* Runs a command with an input; its arguments end with NULL. */
static cli_result cli_feed(const void *input, size_t n_input, const char *command, ...) {
    va_list list;
    va_start(list, command);
    cli_args a = cli_collect(command, list);
    va_end(list);
    return cli_run(input, n_input, a);
}

static cli_result cli(const char *command, ...) {
    va_list list;
    va_start(list, command);
    cli_args a = cli_collect(command, list);
    va_end(list);
    return cli_run("", 0, a);
}

static void cli_free(cli_result *r) { free(r->out), free(r->err); }

/* Exit 0 and nothing on stderr. */
static void cli_check_ok(const cli_result *r) {
    if (r->rc != 0 || r->n_err) fail_msg("exit %d, stderr \"%s\"", r->rc, r->err);
}

/* One line "allm: ..." with `part` in it, nothing on stdout, that exit status. Frees r. */
static void cli_check_error(cli_result r, int rc, const char *part) {
    const char *end = strchr(r.err, '\n');
    if (r.rc != rc) fail_msg("exit %d, expected %d; stderr \"%s\"", r.rc, rc, r.err);
    if (strncmp(r.err, "allm: ", 6) != 0 || !end || end[1]) fail_msg("not one line \"allm: ...\": \"%s\"", r.err);
    if (!strstr(r.err, part)) fail_msg("\"%s\" is not in \"%s\"", part, r.err);
    if (r.n_out) fail_msg("stdout is not empty: \"%s\"", r.out);
    cli_free(&r);
}

/* ---- looking into JSON */

/* Places j behind the key `name` of the top object of text; fails when it is not there. */
static void cli_seek(allm__json *j, const allm__host *h, const char *text, const char *name, allm_error *err) {
    allm_str key;
    memset(err, 0, sizeof *err);
    allm__json_init(j, h, allm__str_of(text), "output", 0, err);
    if (allm__json_begin(j, ALLM__JSON_OBJECT, "an object"))
        while (allm__json_key(j, &key)) {
            if (allm__str_eq(key, allm__str_of(name))) return;
            allm__json_skip(j);
        }
    fail_msg("no \"%s\" in %s (%s)", name, text, err->message);
}

static double cli_number(const char *text, const char *name) {
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    allm_error err;
    allm__json j;
    double     v = 0;
    cli_seek(&j, &h, text, name, &err);
    assert_true(allm__json_get_f64(&j, name, &v));
    allm__json_free(&j);
    return v;
}

static void cli_string(const char *text, const char *name, char *dst, size_t cap) {
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    allm_error err;
    allm__json j;
    allm_str   s;
    cli_seek(&j, &h, text, name, &err);
    assert_true(allm__json_get_str(&j, name, &s));
    assert_true(s.len < cap);
    memcpy(dst, s.ptr, s.len);
    dst[s.len] = 0;
    allm__json_free(&j);
}

static size_t cli_integers(const char *text, const char *name, int32_t *dst, size_t cap) {
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    allm_error err;
    allm__json j;
    size_t     n = 0;
    cli_seek(&j, &h, text, name, &err);
    assert_true(allm__json_begin(&j, ALLM__JSON_ARRAY, "an array"));
    while (allm__json_elem(&j)) {
        assert_int_equal(j.event, ALLM__JSON_INT);
        assert_true(n < cap);
        dst[n++] = (int32_t)j.i;
    }
    allm__json_free(&j);
    return n;
}

static char *cli_reference(void) { /* free it */
    size_t n;
    char  *text = test_read("tests/data/tiny.ref.json", &n);
    assert_non_null(text);
    return text;
}

static void cli_join(char *dst, size_t cap, const int32_t *ids, size_t n, const char *between) {
    size_t len = 0;
    *dst       = 0;
    for (size_t i = 0; i < n; i++) {
        len += (size_t)snprintf(dst + len, cap - len, "%s%d", i ? between : "", (int)ids[i]);
        assert_true(len < cap);
    }
}

/* ---- usage */

static void cli_usage(void **state) {
    static const struct { const char *args[6], *part; } cases[] = {
        {{"nonsense"}, "unknown command nonsense"},
        {{"run", "-m", CLI_MODEL, "-p", "x", "--tmp"}, "did you mean --temp?"},
        {{"run", "-m", CLI_MODEL, "--nonsense"}, "unknown flag --nonsense"},
        {{"tokenize", "-m", CLI_MODEL, "--temp", "1"}, "not a flag of this command"},
        {{"run", "-m", CLI_MODEL}, "-p TEXT"},
        {{"run", "-p", "x"}, "MODEL"},
        {{"run", "-m"}, "wants a value"},
        {{"run", "-m", CLI_MODEL, "-p", "x", "-n=3"}, "-n=3"},
        {{"run", "-m", CLI_MODEL, "--ids", "1,x"}, "token ids"},
        {{"run", "-m", CLI_MODEL, "--ids", ""}, "token ids"},
        {{"run", "-m", CLI_MODEL, "--temp", "warm"}, "a number"},
        {{"bench", "-m", CLI_MODEL, "-t", "-1"}, "from 0 on"},
        {{"bench", "-m", CLI_MODEL, "-t", "99999999999"}, "from 0 on"},
        {{"bench", "-m", CLI_MODEL, "--kv", "f8"}, "f16"},
        {{"logits", "-m", CLI_MODEL}, "--ids"},
        {{"tokenize", "-m", CLI_MODEL, "two", "texts"}, "unexpected argument texts"},
        {{"inspect", CLI_MODEL, "more"}, "unexpected argument more"},
        {{"plan"}, "MODEL"},
        {{"perplexity", "-m", CLI_MODEL}, "-f FILE"},
        {{"render", "--context", "x"}, "--template"},
    };
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(cases); i++) {
        const char *const *a = cases[i].args;
        cli_check_error(cli(a[0], a[1], a[2], a[3], a[4], a[5], NULL), 2, cases[i].part);
    }
    cli_result r = cli(NULL, NULL);
    assert_int_equal(r.rc, 2);
    assert_int_equal(r.n_out, 0);
    cli_free(&r);
}

static void cli_help(void **state) {
    static const char *const names[] = {"run",    "chat",       "tokenize", "detokenize", "render",
                                        "embed",  "logits", "perplexity", "bench",    "inspect",    "plan"};
    (void)state;
    cli_result all = cli("help", NULL);
    cli_check_ok(&all);
    for (size_t i = 0; i < ALLM__COUNT(names); i++) {
        assert_non_null(strstr(all.out, names[i]));
        cli_result one = cli("help", names[i], NULL), same = cli(names[i], "--help", NULL);
        cli_check_ok(&one);
        cli_check_ok(&same);
        assert_string_equal(one.out, same.out);
        assert_non_null(strstr(one.out, "usage: allm "));
        cli_free(&one), cli_free(&same);
    }
    cli_free(&all);
    static const struct { const char *command, *words[5]; } places[] = {
        {"pull", {"HF_TOKEN", "HF_ENDPOINT", "HF_HUB_CACHE", "HF_HOME", "environment:"}},
        {"list", {"HF_HUB_CACHE", "HF_HOME", "environment:"}}, {"rm", {"HF_HUB_CACHE", "HF_HOME", "environment:"}}};
    for (size_t i = 0; i < ALLM__COUNT(places); i++) {
        cli_result r = cli("help", places[i].command, NULL);
        for (int k = 0; k < 5 && places[i].words[k]; k++) assert_non_null(strstr(r.out, places[i].words[k]));
        cli_free(&r);
    }
}

/* Golden adapters: the same numbers as the reference's; a scale of 0 is none. */
static void cli_adapter(void **state) {
    lora_case c;
    (void)state;
    for (int i = 1; lora_read_case(i, &c); i++) {
        char   ids[400] = "", lora[600];
        size_t n = 0;
        for (size_t k = 0; k < c.c.n_ids; k++)
            n += (size_t)snprintf(ids + n, sizeof ids - n, "%s%d", k ? "," : "", (int)c.c.ids[k]);
        snprintf(lora, sizeof lora, "%s:%s", c.adapter, i % 2 ? "1" : "1.0");
        cli_result plain = cli("logits", "-m", c.base, "--ids", ids, "--reference", NULL);
        cli_result with = cli("logits", "-m", c.base, "--ids", ids, "--reference", "--adapter", c.adapter, NULL);
        cli_result same = cli("logits", "-m", c.base, "--ids", ids, "--reference", "--lora", lora, NULL);
        snprintf(lora, sizeof lora, "%s:0", c.adapter);
        cli_result none = cli("logits", "-m", c.base, "--ids", ids, "--reference", "--lora", lora, NULL);
        cli_check_ok(&plain), cli_check_ok(&with), cli_check_ok(&same), cli_check_ok(&none);
        assert_int_equal(with.n_out, c.c.n_ids * c.c.n_vocab * sizeof(float));
        assert_true(fwd_nmse((float *)(void *)with.out, c.want, c.c.n_ids * c.c.n_vocab) < 1e-9);
        assert_memory_equal(with.out, same.out, with.n_out);
        assert_memory_equal(plain.out, none.out, plain.n_out);
        cli_free(&plain), cli_free(&with), cli_free(&same), cli_free(&none);
        if (i == 1) {
            cli_result small = cli("plan", c.base, "--json", NULL);
            cli_result large = cli("plan", c.base, "--json", "--adapter", c.adapter, NULL);
            assert_true(cli_number(large.out, "other") > cli_number(small.out, "other"));
            cli_free(&small), cli_free(&large);
        }
        lora_case_free(&c);
    }
}

/* Names that are no files. */
static void cli_no_files(void **state) {
    (void)state;
    cli_check_error(cli("run", "-m", CLI_MODEL, "-p", "x", "--adapter", "no/file", NULL), 1, "no/file: ");
    cli_check_error(cli("logits", "-m", CLI_MODEL, "--ids", "1", "--lora", "no/file:0.5", NULL), 1, "no/file: ");
    cli_check_error(cli("run", "-m", CLI_MODEL, "-p", "x", "--lora", "", NULL), 2, "a path, a colon and a number");
    cli_check_error(cli("run", "-m", "org/name", "-p", "x", NULL), 1, "org/name: ");
    cli_check_error(cli("run", "-m", "tests", "-p", "x", NULL), 1, "tests/config.json: cannot open");
}

/* ---- bad files and bad requests: one line, exit 1 */

/* Each command that opens a model says the same. */
static void cli_check_bad_model(const char *path, const char *part) {
    cli_check_error(cli("run", "-m", path, "-p", "x", NULL), 1, part);
    cli_check_error(cli("tokenize", "-m", path, "x", NULL), 1, part);
    cli_check_error(cli("logits", "-m", path, "--ids", "1", NULL), 1, part);
    cli_check_error(cli("plan", path, NULL), 1, part);
}

static void cli_bad_files(void **state) {
    static const char text[] = "This is not a model, it is a letter.\n";
    size_t            n;
    (void)state;
    cli_binary();
    char     *bytes = test_read(CLI_MODEL, &n);
    test_temp t     = test_temp_new("", 0);
    assert_non_null(bytes);
    cli_check_bad_model("tests/data/no-such-file.gguf", "no-such-file.gguf");
    cli_check_bad_model(t.path, t.path);
    test_temp_remove(&t);
    t = test_temp_new(text, sizeof text - 1);
    cli_check_bad_model(t.path, t.path);
    cli_check_error(cli("inspect", t.path, NULL), 1, t.path);
    test_temp_remove(&t);
    static const size_t cuts[] = {1, 3, 4, 7, 8, 15, 23, 24, 30, 100, 1000, 5000, 13000};
    for (size_t i = 0; i <= ALLM__COUNT(cuts); i++) {
        t = test_temp_new(bytes, i < ALLM__COUNT(cuts) ? cuts[i] : n - 1);
        cli_check_error(cli("run", "-m", t.path, "-p", "x", NULL), 1, t.path);
        cli_check_error(cli("inspect", t.path, NULL), 1, t.path);
        test_temp_remove(&t);
    }
    free(bytes);
}

/* A file whose architecture nobody knows is listed, and refused by its name when it is to compute. */
static void cli_unknown_architecture(void **state) {
    static const char key[] = "general.architecture";
    size_t            n;
    (void)state;
    cli_binary();
    char  *bytes = test_read(CLI_MODEL, &n);
    size_t at    = allm__str_find(allm__str(bytes, n), allm__str_of(key), 0);
    assert_true(at != SIZE_MAX);
    memcpy(bytes + at + sizeof key - 1 + 12, "zebra", 5); /* behind the value's type and length */
    test_temp t = test_temp_new(bytes, n);
    cli_check_error(cli("run", "-m", t.path, "-p", "x", NULL), 1, "zebra");
    cli_result r = cli("inspect", t.path, NULL);
    cli_check_ok(&r);
    assert_non_null(strstr(r.out, "zebra"));
    cli_free(&r);
    test_temp_remove(&t);
    free(bytes);
}

/* Without a tokenizer ids go in and out: the same ones. */
static void cli_no_tokenizer(void **state) {
    const allm_str key = allm__str_of("tokenizer.ggml.");
    size_t         n, n_keys = 0;
    (void)state;
    cli_binary();
    char *bytes = test_read(CLI_MODEL, &n);
    for (size_t at = 0; (at = allm__str_find(allm__str(bytes, n), key, at)) != SIZE_MAX; n_keys++) bytes[at] = 'T';
    assert_true(n_keys > 1);
    test_temp  t     = test_temp_new(bytes, n);
    cli_result whole = cli("run", "-m", CLI_MODEL, "--ids", "1,60,33", "-n", "4", "--temp", "0", NULL);
    cli_result bare  = cli("run", "-m", t.path, "--ids", "1,60,33", "-n", "4", "--temp", "0", NULL);
    cli_check_ok(&whole), cli_check_ok(&bare);
    assert_string_equal(bare.out, whole.out);
    cli_free(&whole), cli_free(&bare);
    bare = cli("run", "-m", t.path, "--ids", "1,60,33", "--seed", "5", "--json", NULL); /* to the end of the context */
    cli_check_ok(&bare);
    assert_non_null(strstr(bare.out, "\"finish\": \"length\""));
    cli_free(&bare);
    cli_check_error(cli("run", "-m", t.path, "-p", "x", NULL), 1, "no tokenizer");
    cli_check_error(cli("run", "-m", t.path, "--ids", "1", "--stop", "x", NULL), 1, "no tokenizer");
    cli_check_error(cli("run", "-m", t.path, "--ids", "1,99999", NULL), 1, "99999");
    test_temp_remove(&t);
    free(bytes);
}

static void cli_bad_requests(void **state) {
    char long_text[4096];
    (void)state;
    for (size_t i = 0; i < sizeof long_text; i++) long_text[i] = i % 4 == 3 ? ' ' : 'x';
    long_text[sizeof long_text - 1] = 0;
    cli_check_error(cli("run", "-m", CLI_MODEL, "-p", long_text, NULL), 1, "512");
    cli_check_error(cli("run", "-m", CLI_MODEL, "-p", "Once upon a time there was", "-c", "4", NULL), 1, "4");
    cli_check_error(cli("logits", "-m", CLI_MODEL, "--ids", "1,2,3,4,5", "-c", "4", NULL), 1, "4");
    cli_check_error(cli("logits", "-m", CLI_MODEL, "--ids", "1,512", NULL), 1, "512");
    cli_check_error(cli("logits", "-m", CLI_MODEL, "--ids", "-1", NULL), 1, "-1");
    cli_check_error(cli("run", "-m", CLI_MODEL, "-p", "a\xff" "b", NULL), 1, "UTF-8");
    cli_check_error(cli("run", "-m", CLI_MODEL, "-p", "x", "--temp", "nan", NULL), 1, "temperature");
    cli_check_error(cli("run", "-m", CLI_MODEL, "-p", "x", "--temp", "-1", NULL), 1, "temperature");
    cli_check_error(cli("run", "-m", CLI_MODEL, "-p", "x", "--top-p", "1.5", NULL), 1, "top_p");
    cli_check_error(cli("run", "-m", CLI_MODEL, "-p", "x", "--isa", "z80", NULL), 1, "z80");
    cli_check_error(cli("run", "-m", CLI_MODEL, "-p", "x", "-f", "tests/no-such-file", NULL), 1, "no-such-file");
    cli_check_error(cli("perplexity", "-m", CLI_MODEL, "-f", "tests/no-such-file", NULL), 1, "no-such-file");
}

/* ---- run */

static void cli_run_text(void **state) {
    static const char *const same[][2] = {{"-t", "1"}, {"-t", "3"}, {"--batch", "1"}, {"--batch", "7"},
                                           {"--low-memory", NULL}};
    char text[4096], finish[32];
    (void)state;
    cli_result r = cli("run", "-m", CLI_MODEL, "-p", "Once upon a time", CLI_GREEDY "40", NULL);
    cli_check_ok(&r);
    assert_true(r.n_out > 0 && r.out[r.n_out - 1] != '\n'); /* nothing is added to the text */
    cli_result j = cli("run", "-m", CLI_MODEL, "-p", "Once upon a time", CLI_GREEDY "40", "--json", NULL);
    cli_check_ok(&j);
    cli_string(j.out, "text", text, sizeof text);
    cli_string(j.out, "finish", finish, sizeof finish);
    assert_string_equal(text, r.out);
    assert_true(!strcmp(finish, "stop") || !strcmp(finish, "length"));
    assert_true(cli_number(j.out, "completion_tokens") <= 40);
    assert_true(cli_number(j.out, "prompt_tokens") > 4);
    for (size_t i = 0; i < ALLM__COUNT(same); i++) {
        cli_result s = cli("run", "-m", CLI_MODEL, "-p", "Once upon a time", CLI_GREEDY "40", same[i][0], same[i][1],
                           NULL);
        cli_check_ok(&s);
        assert_string_equal(s.out, r.out);
        cli_free(&s);
    }
    cli_result stats = cli("run", "-m", CLI_MODEL, "-p", "Once upon a time", CLI_GREEDY "40", "--stats", NULL);
    assert_int_equal(stats.rc, 0);
    assert_string_equal(stats.out, r.out);
    assert_non_null(strstr(stats.err, "tokens/s"));
    cli_free(&r), cli_free(&j), cli_free(&stats);
}

static void cli_run_seed(void **state) {
    (void)state;
    cli_result a = cli("run", "-m", CLI_MODEL, "-p", "A fox", "--temp", "1.5", "--seed", "7", "-n", "30", NULL);
    cli_result b = cli("run", "-m", CLI_MODEL, "-p", "A fox", "--temp", "1.5", "--seed", "7", "-n", "30", NULL);
    cli_result c = cli("run", "-m", CLI_MODEL, "-p", "A fox", "--temp", "1.5", "--seed", "8", "-n", "30", NULL);
    cli_check_ok(&a);
    assert_string_equal(a.out, b.out);
    assert_string_not_equal(a.out, c.out);
    cli_free(&a), cli_free(&b), cli_free(&c);
}

/* Flags of samplers reach them; --json shows log-probabilities. */
static void cli_run_samplers(void **state) {
    static const struct { const char *flags[4], *words; } bad[] = {
        {{"--samplers", "top_k;top_q"}, "\"top_q\" is the name of no sampler"},
        {{"--typical-p", "2"}, "typical_p is 2.0"},       {{"--top-n-sigma", "-1"}, "top_n_sigma is -1.0"},
        {{"--xtc-probability", "7"}, "xtc_probability"},  {{"--xtc-threshold", "nan"}, "xtc_threshold"},
        {{"--dry-multiplier", "-1"}, "dry_multiplier"},   {{"--dry-base", "-1"}, "dry_base"},
        {{"--dry-allowed-length", "-1"}, "dry_allowed_length"}, {{"--dry-penalty-last-n", "-2"}, "dry_window"},
        {{"--no-repeat-ngram", "-1"}, "no_repeat_ngram"}, {{"--dynatemp-range", "-1"}, "dynatemp_range"},
        {{"--dynatemp-exp", "inf"}, "dynatemp_exponent"}, {{"--mirostat", "3"}, "mirostat is 3.0"},
        {{"--mirostat-ent", "-1"}, "mirostat_tau"},       {{"--mirostat-lr", "-1"}, "mirostat_eta"},
        {{"--adaptive-target", "2"}, "adaptive_target"},  {{"--adaptive-decay", "2"}, "adaptive_decay"},
        {{"--min-keep", "-1"}, "min_keep"},               {{"--logit-bias", "99999999+1"}, "bias_ids[0] is 99999999"},
        {{"--logit-bias", "1=nan"}, "bias is nan"},       {{"--logprobs", "101"}, "n_logprobs is 101"},
    };
    static const char *const usage[] = {"x", "1", "+1", "1+", "1*2", "-1+2", "1+two"};
    char text[256], again[256];
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(bad); i++)
        cli_check_error(cli("run", "-m", CLI_MODEL, "-p", "x", bad[i].flags[0], bad[i].flags[1], NULL), 1,
                        bad[i].words);
    for (size_t i = 0; i < ALLM__COUNT(usage); i++)
        cli_check_error(cli("run", "-m", CLI_MODEL, "-p", "x", "--logit-bias", usage[i], NULL), 2,
                        "a token id, + or -, and a number");
    cli_result a = cli("run", "-m", CLI_MODEL, "--ids", "49,80,385", CLI_GREEDY "1", NULL), b;
    cli_check_ok(&a);
    snprintf(text, sizeof text, "%.*s-inf", (int)strcspn(a.out, " \n"), a.out);
    b = cli("run", "-m", CLI_MODEL, "--ids", "49,80,385", CLI_GREEDY "1", "--logit-bias", text, NULL);
    cli_check_ok(&b);
    assert_string_not_equal(a.out, b.out);
    snprintf(again, sizeof again, "%.*s=99", (int)strcspn(a.out, " \n"), a.out);
    cli_free(&b);
    b = cli("run", "-m", CLI_MODEL, "--ids", "49,80,385", CLI_GREEDY "1", "--logit-bias", "7+90", "--logit-bias", again,
            NULL);
    cli_check_ok(&b);
    assert_string_equal(a.out, b.out);
    cli_free(&a), cli_free(&b);
    a = cli("run", "-m", CLI_MODEL, "-p", "A fox", "-n", "12", "--seed", "4", "--temp", "1.5", "--samplers",
            "typ_p;xtc;temp", "--typical-p", "0.95", "--xtc-probability", "0.5", "--dry-multiplier", "1",
            "--dry-sequence-breaker", "none", "--json", "--logprobs", "3", NULL);
    cli_check_ok(&a);
    assert_int_equal(cli_number(a.out, "n_logprobs"), 3);
    assert_true(strstr(a.out, "\"logprobs\": [-") && strstr(a.out, "\"top_ids\": [[") &&
                strstr(a.out, "\"top_logprobs\": [[-"));
    int n_commas = 0; /* within top_ids: 12 rows of 3 */
    for (const char *c = strstr(a.out, "\"top_ids\""); c && strncmp(c, "]]", 2) != 0; c++) n_commas += *c == ',';
    assert_int_equal(n_commas, 3 * (int)cli_number(a.out, "completion_tokens") - 1);
    b = cli("run", "-m", CLI_MODEL, "-p", "A fox", "-n", "12", "--mirostat", "2", "--seed", "4", "--json", NULL);
    cli_check_ok(&b);
    assert_null(strstr(b.out, "logprobs"));
    cli_free(&a), cli_free(&b);
}

static void cli_run_stop(void **state) {
    (void)state;
    cli_result all = cli("run", "-m", CLI_MODEL, "--raw", "-p", "Once upon a time", CLI_GREEDY "60", NULL);
    cli_check_ok(&all);
    const char *dot = strchr(all.out, '.');
    assert_non_null(dot);
    cli_result cut = cli("run", "-m", CLI_MODEL, "--raw", "-p", "Once upon a time", CLI_GREEDY "60", "--stop", ".",
                         NULL);
    cli_check_ok(&cut);
    assert_int_equal(cut.n_out, dot - all.out);
    assert_memory_equal(cut.out, all.out, cut.n_out);
    cli_free(&all), cli_free(&cut);
}

/* Ids in, ids out: the greedy continuation that the reference gives on the same weights. */
static void cli_run_ids(void **state) {
    int32_t ids[256], greedy[64], found[64];
    char    prompt[2048], expected[1024];
    (void)state;
    char  *ref      = cli_reference();
    size_t n        = cli_integers(ref, "ids", ids, 256), n_greedy = cli_integers(ref, "greedy_ids", greedy, 64);
    cli_join(prompt, sizeof prompt, ids, n, ",");
    cli_join(expected, sizeof expected, greedy, n_greedy, " ");
    cli_result r = cli("run", "-m", CLI_MODEL, "--ids", prompt, CLI_GREEDY "32", "--reference", NULL);
    cli_check_ok(&r);
    assert_string_equal(r.out, expected);
    cli_result j = cli("run", "-m", CLI_MODEL, "--ids", prompt, CLI_GREEDY "32", "--json", NULL);
    cli_check_ok(&j);
    assert_int_equal(cli_integers(j.out, "token_ids", found, 64), 32);
    assert_int_equal((int)cli_number(j.out, "prompt_tokens"), (int)n);
    cli_free(&r), cli_free(&j);
    free(ref);
}

static void cli_run_file(void **state) {
    (void)state;
    cli_binary();
    test_temp  t = test_temp_new("the word is PLUM", 16);
    cli_result r = cli("run", "-m", CLI_MODEL, "-p", "What is the word?", "-f", t.path, CLI_GREEDY "4", "--json", NULL);
    cli_result s = cli("run", "-m", CLI_MODEL, "-p", "What is the word?", CLI_GREEDY "4", "--json", NULL);
    cli_check_ok(&r);
    cli_check_ok(&s);
    assert_true(cli_number(r.out, "prompt_tokens") > cli_number(s.out, "prompt_tokens") + 10);
    cli_free(&r), cli_free(&s);
    test_temp_remove(&t);
}

/* ---- tokens */

static void cli_tokenize(void **state) {
    static const char lines[] = "\"Once upon a time\"\n\"\"\n\nnot json\n\"<|im_start|>\"\n\"\\ud800\"\n[1]\n\"last\"";
    (void)state;
    cli_result r = cli("tokenize", "-m", CLI_MODEL, "Once upon a time", NULL);
    cli_check_ok(&r);
    assert_true(r.n_out > 0 && r.out[r.n_out - 1] != '\n');
    cli_result in = cli_feed("Once upon a time\n", 17, "tokenize", "-m", CLI_MODEL, NULL); /* with its end of line */
    cli_check_ok(&in);
    assert_true(in.n_out > r.n_out);
    assert_memory_equal(in.out, r.out, r.n_out);
    cli_result j = cli_feed(lines, sizeof lines - 1, "tokenize", "-m", CLI_MODEL, "--jsonl", NULL);
    cli_check_ok(&j);
    int n_lines = 0, n_errors = 0;
    for (char *p = j.out; *p; p = strchr(p, '\n') + 1, n_lines++) {
        assert_non_null(strchr(p, '\n'));
        assert_true(*p == '[' || *p == '{');
        n_errors += !strncmp(p, "{\"error\": \"", 11);
    }
    assert_int_equal(n_lines, 8);
    assert_int_equal(n_errors, 4);
    assert_non_null(strstr(j.out, "\n[]\n"));
    cli_result plain = cli("tokenize", "-m", CLI_MODEL, "<|im_start|>", NULL);
    cli_result special = cli("tokenize", "-m", CLI_MODEL, "--special", "<|im_start|>", NULL);
    assert_string_equal(special.out, "1");
    assert_non_null(strchr(plain.out, ' '));
    cli_result hex = cli("tokenize", "-m", CLI_MODEL, "--hex", "4f6e63652075706f6e20612074696d65", NULL);
    cli_check_ok(&hex);
    assert_string_equal(hex.out, r.out);
    cli_check_error(cli("tokenize", "-m", CLI_MODEL, "--hex", "4f6", NULL), 1, "hexadecimal");
    cli_free(&r), cli_free(&in), cli_free(&j), cli_free(&plain), cli_free(&special), cli_free(&hex);
}

static void cli_detokenize(void **state) {
    static const char text[] = "Snow \xe2\x98\x83 and a \xf0\x9f\xa6\x8a.";
    char              line[1200], *joined;
    size_t            n = 0;
    (void)state;
    cli_result ids  = cli("tokenize", "-m", CLI_MODEL, text, NULL);
    cli_check_ok(&ids);
    cli_result back = cli_feed(ids.out, ids.n_out, "detokenize", "-m", CLI_MODEL, NULL);
    cli_check_ok(&back);
    assert_string_equal(back.out, text);
    for (char *p = ids.out; *p; p++) *p = *p == ' ' ? ',' : *p;
    snprintf(line, sizeof line, "[%s]\n[-1]\n[]\n", ids.out);
    cli_result s = cli_feed(line, strlen(line), "detokenize", "-m", CLI_MODEL, "--jsonl", "--stream", NULL);
    cli_check_ok(&s);
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    allm_error err  = {0};
    allm__json j;
    joined = strchr(s.out, '\n');
    assert_non_null(joined);
    *joined = 0;
    allm__json_init(&j, &h, allm__str_of(s.out), "stream", 0, &err); /* the pieces, whole UTF-8 each, make the text */
    assert_true(allm__json_begin(&j, ALLM__JSON_ARRAY, "an array"));
    while (allm__json_elem(&j)) {
        allm_str piece = allm__json_text(&j);
        assert_true(n + piece.len < sizeof text);
        assert_memory_equal(piece.ptr, text + n, piece.len);
        n += piece.len;
    }
    assert_int_equal(n, strlen(text));
    assert_true(!strncmp(joined + 1, "{\"error\": ", 10));
    assert_non_null(strstr(joined + 1, "\n[\"\"]\n"));
    allm__json_free(&j);
    cli_result odd = cli("detokenize", "-m", CLI_MODEL, "-1", "512", NULL); /* left out, with a warning */
    assert_int_equal(odd.rc, 0);
    assert_int_equal(odd.n_out, 0);
    assert_non_null(strstr(odd.err, "warning: "));
    cli_free(&ids), cli_free(&back), cli_free(&s), cli_free(&odd);
}

/* ---- templates */

/* The member `name` of the object `outer` of a JSON text, raw (free it). */
static char *cli_raw(const char *text, const char *outer, const char *name) {
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    allm_error err;
    allm__json j;
    allm_str   key;
    cli_seek(&j, &h, text, outer, &err);
    assert_true(allm__json_begin(&j, ALLM__JSON_OBJECT, "an object"));
    while (allm__json_key(&j, &key) && !allm__str_eq(key, allm__str_of(name))) allm__json_skip(&j);
    assert_int_equal(allm__json_next(&j) == ALLM__JSON_EOF, 0);
    size_t from = j.at;
    allm__json_skip(&j);
    char *raw = (char *)calloc(1, j.pos - from + 1);
    assert_non_null(raw);
    memcpy(raw, text + from, j.pos - from);
    allm__json_free(&j);
    return raw;
}

/* Is a text one of the grammar's? And an answer that has to fit a schema. */
static void cli_grammar(void **state) {
    static const char schema[] = "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\",\"minimum\":1,"
                                 "\"maximum\":9}},\"required\":[\"n\"]}",
                      bad[] = "{\"not\":{}}", gbnf[] = "root ::= \"a\"+";
    static const char input[] = "\"{\\\"n\\\":3}\"\n\"aa\"\n\"\"\n";
    test_temp         t = test_temp_new(schema, sizeof schema - 1), b = test_temp_new(bad, sizeof bad - 1);
    test_temp g = test_temp_new(gbnf, sizeof gbnf - 1);
    (void)state;
    cli_result r = cli_feed(input, strlen(input), "grammar", "--schema", t.path, "--jsonl", NULL);
    assert_int_equal(r.rc, 0);
    assert_string_equal(r.out, "true\nfalse\nfalse\n");
    cli_free(&r);
    r = cli_feed(input, strlen(input), "grammar", "--gbnf", g.path, "--jsonl", NULL);
    assert_int_equal(r.rc, 0);
    assert_string_equal(r.out, "false\ntrue\nfalse\n");
    cli_free(&r);
    r = cli_feed(input, strlen(input), "grammar", "--schema", b.path, "--jsonl", NULL);
    assert_int_equal(r.rc, 1);
    assert_non_null(strstr(r.err, "1:2: keyword \"not\" is not supported"));
    cli_free(&r);
    r = cli("run", "-m", "examples/story.gguf", "-p", "One", "--raw", "--seed", "1", "--schema", t.path, NULL);
    assert_int_equal(r.rc, 0);
    assert_true(!strncmp(r.out, "{\"n\":", 5) && r.out[strlen(r.out) - 1] == '}');
    cli_free(&r);
    test_temp_remove(&t), test_temp_remove(&b), test_temp_remove(&g);
}

/* Tools from a file: the calls are lines behind the answer, or members of the response. */
static void cli_tools(void **state) {
    static const char tools[] =
        "[{\"type\": \"function\", \"function\": {\"name\": \"add\", \"description\": \"adds\", \"strict\": true, "
        "\"parameters\": {\"type\": \"object\", \"properties\": {\"x\": {\"type\": \"array\"}}}}}, "
        "{\"name\": \"now\"}]";
    static const struct { const char *choice, *out, *err; int rc; } cases[] = {
        {"auto", "Let me.\nadd {\"x\":[1,2]}\n", "", 0},
        {"required", "add {\"x\":[1,2]}\n", "", 0},
        {"add", "add {\"x\":[1,2]}\n", "", 0},
        {"none", "Hi", "Hm.", 0}, /* the tools are not shown: another template */
        {"now", "", "dead end", 1}, /* the model has no word for it */
        {"nobody", "", "expected auto, none, required or a tool's name", 1},
    };
    static const struct { const char *text, *says; } bad[] = {
        {"{}", " 1:1: an array"}, {"[1]", " 1:2: an object"}, {"[{\"description\": \"x\"}]", "a tool without a name"},
        {"[{\"name\": 1}]", "\"name\""}, {"[{\"function\": 1}]", "an object"}, {"[{\"name\": \"f\"}", "ends"},
        {"[{\"name\": \"f\", \"parameters\": [1]}]", "tools[0].parameters_schema"}};
    make_gguf w = prov_tool_model();
    test_temp m = test_temp_new(w.bytes, w.n), t = test_temp_new(tools, sizeof tools - 1);
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(cases); i++) {
        cli_result r = cli("run", "-m", m.path, "-p", "?", "--temp", "0", "--tools", t.path, "--tool-choice",
                           cases[i].choice, NULL);
        if (r.rc != cases[i].rc || strcmp(r.out, cases[i].out) != 0 || !strstr(r.err, cases[i].err))
            fail_msg("%s: %d \"%s\" \"%s\"", cases[i].choice, r.rc, r.out, r.err);
        cli_free(&r);
    }
    cli_result r = cli("run", "-m", m.path, "-p", "?", "--temp", "0", "--tools", t.path, "--json", NULL);
    cli_check_ok(&r);
    assert_non_null(strstr(r.out, "\"name\": \"add\", \"arguments_json\": \"{\\\"x\\\":[1,2]}\"}]"));
    assert_non_null(strstr(r.out, "\"finish\": \"tool_calls\""));
    cli_free(&r);
    cli_check_error(cli("run", "-m", m.path, "-p", "?", "--tool-choice", "add", NULL), 2, "--tools");
    static const char *const forced[] = {"auto", "required", "add"};
    for (size_t i = 0; i < ALLM__COUNT(forced); i++) /* knows no calls */
        cli_check_error(cli("run", "-m", "examples/story.gguf", "-p", "?", "--tools", t.path, "--tool-choice",
                            forced[i], NULL), 1, "allm: tools: ");
    r = cli("run", "-m", "examples/story.gguf", "-p", "?", "-n", "1", "--tools", t.path, "--tool-choice", "none", NULL);
    assert_int_equal(r.rc, 0);
    cli_free(&r);
    cli_check_error(cli("run", "-m", m.path, "-p", "?", "--raw", "--tools", t.path, NULL), 2, "--raw");
    cli_check_error(cli("run", "-m", m.path, "-p", "?", "--tools", "no such file", NULL), 1, "no such file");
    for (size_t i = 0; i < ALLM__COUNT(bad); i++) {
        test_temp b = test_temp_new(bad[i].text, strlen(bad[i].text));
        cli_check_error(cli("run", "-m", m.path, "-p", "?", "--tools", b.path, NULL), 1, bad[i].says);
        test_temp_remove(&b);
    }
    test_temp_remove(&m), test_temp_remove(&t);
    make_gguf_free(&w);
}

/* What a model wrote, line by line; a line that is none is answered in its place. */
static void cli_parse(void **state) {
    static const char input[] = "{\"text\": \"Hm.</think>Hi\", \"prompt_tail\": \"<think>\"}\n"
                                "{\"text\": \"<tool_call>{\\\"name\\\": \\\"f\\\", \\\"arguments\\\": {\\\"a\\\": [1]}}"
                                "</tool_call>\"}\n{\"prompt\": 1}\n";
    static const char expected[] =
        "{\"content\": \"Hi\", \"reasoning\": \"Hm.\", \"tool_calls\": [], \"finish\": \"stop\"}\n"
        "{\"content\": \"\", \"reasoning\": \"\", \"tool_calls\": [{\"name\": \"f\", \"arguments\": {\"a\":[1]}}], "
        "\"finish\": \"tool_calls\"}\n{\"error\": \"line: no \\\"text\\\" in it\"}\n";
    static const char *const ways[] = {NULL, "--split"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        cli_result r = cli_feed(input, strlen(input), "parse", "--format", "qwen3", "--jsonl", ways[i], NULL);
        assert_int_equal(r.rc, 0);
        assert_string_equal(r.out, expected);
        cli_free(&r);
    }
    cli_result r = cli_feed("", 0, "parse", "--format", "nobody", "--jsonl", NULL);
    assert_int_equal(r.rc, 1);
    cli_free(&r);
    r = cli_feed("", 0, "parse", "--jsonl", NULL);
    assert_int_equal(r.rc, 2);
    cli_free(&r);
}

/* A model's own template with messages that a reference rendered. */
static void cli_render_model(void **state) {
    char context[8192], line[9000], wrapped[9000];
    (void)state;
    cli_binary();
    char *ref = cli_reference(), *messages = cli_raw(ref, "chat", "messages"), *prompt = cli_raw(ref, "chat", "prompt");
    snprintf(context, sizeof context, "{\"messages\": %s, \"add_generation_prompt\": true}", messages);
    snprintf(line, sizeof line, "{\"context\": %s}\n", context);
    snprintf(wrapped, sizeof wrapped, "{\"text\": %s}\n", prompt);
    cli_result j = cli_feed(line, strlen(line), "render", "-m", CLI_MODEL, "--jsonl", NULL);
    cli_check_ok(&j);
    assert_string_equal(j.out, wrapped);
    test_temp  t = test_temp_new(context, strlen(context));
    cli_result r = cli("render", "-m", CLI_MODEL, "--context", t.path, NULL);
    cli_check_ok(&r);
    cli_string(wrapped, "text", line, sizeof line);
    assert_string_equal(r.out, line); /* byte for byte, nothing added */
    test_temp_remove(&t);
    cli_free(&j), cli_free(&r);
    free(ref), free(messages), free(prompt);
}

static void cli_render_template(void **state) {
    static const struct { const char *line, *answer; } cases[] = {
        {"{\"template\": \"{{ a + 1 }}\", \"context\": {\"a\": 2}}", "{\"text\": \"3\"}"},
        {"{\"context\": {\"a\": 2}}", "{\"error\": \"line: no \\\"template\\\" in it\"}"},
        {"{\"template\": \"{{ a\", \"context\": {}}", NULL},
        {"{\"template\": \"x\", \"context\": []}", NULL},
        {"[]", NULL},
        {"{\"template\": \"{{ strftime_now('%Y-%m-%d %H:%M:%S') }}\", \"context\": {}}",
         "{\"text\": \"2026-07-26 10:11:12\"}"},
        {"{\"template\": \"{{ tools is none }} {{ add_generation_prompt }}\", "
         "\"context\": {\"messages\": [{\"role\": \"user\"}]}, \"chat\": true}",
         "{\"text\": \"True False\"}"},
        {"{\"template\": \"{{ tools is none }}\", \"context\": {\"messages\": []}}", "{\"text\": \"False\"}"},
        {"{\"template\": \"x\", \"context\": {}, \"chat\": true}", NULL},
        {"{\"template\": \"{% for m in messages %}<{{ m.content }}>{% endfor %}\", \"context\": {\"messages\": "
         "[{\"role\": \"assistant\", \"content\": \"so far \"}], \"continue_final_message\": true}, \"chat\": true}",
         "{\"text\": \"<so far \"}"},
        {"{\"template\": \"{% for m in messages %}<{{ m.content|trim }}>{% endfor %}\", \"context\": {\"messages\": "
         "[{\"role\": \"assistant\", \"content\": \"so far \"}], \"continue_final_message\": true}, \"chat\": true}",
         "{\"text\": \"<so far\"}"},
        {"{\"template\": \"{{ 'b' in messages[0] }} {{ messages[0].thinking }}\", \"context\": {\"messages\": "
         "[{\"a\": 1, \"b\": null, \"reasoning\": \"r\"}]}, \"chat\": true}",
         "{\"text\": \"False r\"}"},
    };
    char input[8192] = "";
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(cases); i++) strcat(strcat(input, cases[i].line), "\n");
    cli_result r = cli_feed(input, strlen(input), "render", "--jsonl", "--now", "2026-07-26 10:11:12", NULL);
    cli_check_ok(&r);
    char *p = r.out;
    for (size_t i = 0; i < ALLM__COUNT(cases); i++) {
        char *end = strchr(p, '\n');
        assert_non_null(end);
        *end = 0;
        if (cases[i].answer) assert_string_equal(p, cases[i].answer);
        else if (strncmp(p, "{\"error\": \"", 11) != 0) fail_msg("%s gives %s", cases[i].line, p);
        p = end + 1;
    }
    assert_int_equal(*p, 0);
    cli_free(&r);
}

/* ---- logits, perplexity, bench, inspect, plan */

static void cli_logits(void **state) {
    int32_t ids[256], best[64];
    char    prompt[2048];
    (void)state;
    char  *ref = cli_reference();
    size_t n   = cli_integers(ref, "ids", ids, 256), n_row = 512 * sizeof(float);
    cli_join(prompt, sizeof prompt, ids, n, ",");
    cli_result all = cli("logits", "-m", CLI_MODEL, "--ids", prompt, "--reference", NULL);
    cli_check_ok(&all);
    assert_int_equal(all.n_out, n * n_row);
    cli_result last = cli("logits", "-m", CLI_MODEL, "--ids", prompt, "--reference", "--last", NULL);
    assert_int_equal(last.n_out, n_row);
    assert_memory_equal(last.out, all.out + (n - 1) * n_row, n_row);
    test_temp  t    = test_temp_new("", 0);
    cli_result file = cli("logits", "-m", CLI_MODEL, "--ids", prompt, "--reference", "-o", t.path, NULL);
    cli_check_ok(&file);
    assert_int_equal(file.n_out, 0);
    size_t n_file;
    char  *bytes = test_read(t.path, &n_file);
    assert_int_equal(n_file, all.n_out);
    assert_memory_equal(bytes, all.out, n_file);
    cli_integers(ref, "greedy_ids", best, 64); /* the first follows the last row */
    float top = -HUGE_VALF;
    int   id  = -1;
    for (int i = 0; i < 512; i++) {
        float v = allm__load_f32(last.out + 4 * i);
        if (v > top) top = v, id = i;
    }
    assert_int_equal(id, best[0]);
    test_temp_remove(&t);
    cli_free(&all), cli_free(&last), cli_free(&file);
    free(bytes), free(ref);
}

static void cli_embed(void **state) {
    (void)state;
    cli_result two = cli("embed", "-m", CLI_MODEL, "Once upon a time", "Pip", NULL);
    cli_check_ok(&two);
    char *second = strchr(two.out, '\n');
    assert_true(second && two.out[0] == '[' && second[-1] == ']' && second[1] == '[' && two.out[two.n_out - 1] == '\n');
    cli_result one = cli("embed", "-m", CLI_MODEL, "Pip", NULL);
    assert_string_equal(one.out, second + 1);
    cli_result ids = cli("tokenize", "-m", CLI_MODEL, "--bos", "Pip", NULL);
    for (char *p = ids.out; *p; p++) *p = *p == ' ' ? ',' : *p == '\n' ? 0 : *p;
    cli_result same = cli("embed", "-m", CLI_MODEL, "--ids", ids.out, "--pooling", "last", NULL);
    assert_string_equal(same.out, one.out);
    test_temp  t   = test_temp_new("", 0);
    cli_result raw = cli("embed", "-m", CLI_MODEL, "--ids", ids.out, "--hidden", "-o", t.path, NULL);
    cli_check_ok(&raw);
    size_t n_file, n_ids = 1, n_dim = 1;
    for (char *p = ids.out; *p; p++) n_ids += *p == ',';
    for (char *p = one.out; *p; p++) n_dim += *p == ',';
    char *bytes = test_read(t.path, &n_file);
    assert_int_equal(n_file, n_ids * n_dim * sizeof(float));
    cli_check_error(cli("embed", "-m", CLI_MODEL, "x", "--pooling", "max", NULL), 2, "mean, cls or last");
    cli_check_error(cli("embed", "-m", CLI_MODEL, "x", "--ids", "1", NULL), 2, "do not go together");
    cli_check_error(cli("embed", "-m", CLI_MODEL, "--ids", "1,2", "--types", "0", NULL), 2, "as many as --ids");
    cli_check_error(cli("embed", "-m", CLI_MODEL, "--ids", "1,2", "--types", "0,1", NULL), 1, "token type 1 at 1");
    cli_check_error(cli("embed", "-m", CLI_MODEL, "--ids", "1,512", NULL), 1, "512");
    test_temp_remove(&t);
    cli_free(&two), cli_free(&one), cli_free(&ids), cli_free(&same), cli_free(&raw);
    free(bytes);
}

static void cli_perplexity(void **state) {
    static const char text[] = "Once upon a time, there was a little rabbit named Pip.";
    (void)state;
    cli_binary();
    test_temp  t   = test_temp_new(text, sizeof text - 1);
    cli_result ids = cli("tokenize", "-m", CLI_MODEL, "--bos", text, NULL);
    int        n   = 1;
    for (char *p = ids.out; *p; p++) n += *p == ' ';
    cli_result one = cli("perplexity", "-m", CLI_MODEL, "-f", t.path, NULL);
    cli_check_ok(&one);
    assert_int_equal((int)cli_number(one.out, "tokens"), n - 1);
    assert_float_equal(cli_number(one.out, "perplexity"), exp(cli_number(one.out, "nll") / (n - 1)), 1e-6);
    cli_result two = cli("perplexity", "-m", CLI_MODEL, "-f", t.path, "-c", "8", NULL);
    cli_check_ok(&two);
    assert_int_equal((int)cli_number(two.out, "tokens"), n - (n + 7) / 8); /* each window's first is not predicted */
    assert_true(cli_number(two.out, "perplexity") > cli_number(one.out, "perplexity"));
    cli_free(&ids), cli_free(&one), cli_free(&two);
    test_temp_remove(&t);
}

static void cli_bench(void **state) {
    char name[64];
    (void)state;
    cli_result r = cli("bench", "-m", CLI_MODEL, "-p", "20", "-n", "5", "-d", "600", "-r", "2", "-t", "1", "--json",
                       NULL);
    cli_check_ok(&r); /* it may go past the trained context */
    char *second = strchr(r.out, '\n');
    assert_non_null(second);
    *second++ = 0;
    cli_string(r.out, "test", name, sizeof name);
    assert_string_equal(name, "pp20@600");
    cli_string(second, "test", name, sizeof name);
    assert_string_equal(name, "tg5@600");
    assert_int_equal((int)cli_number(second, "n_gen"), 5);
    assert_int_equal((int)cli_number(second, "n_prompt"), 0);
    assert_int_equal((int)cli_number(second, "threads"), 1);
    assert_true(cli_number(second, "tokens_per_second") > 0);
    cli_free(&r);
}

static void cli_inspect_plan(void **state) {
    char name[64];
    (void)state;
    cli_result i = cli("inspect", CLI_MODEL, "--json", "--tensors", NULL), p = cli("plan", CLI_MODEL, "--json", NULL);
    cli_check_ok(&i);
    cli_check_ok(&p);
    cli_string(i.out, "architecture", name, sizeof name);
    assert_string_equal(name, "llama");
    assert_int_equal((int)cli_number(i.out, "n_vocab"), 512);
    assert_int_equal((int)cli_number(i.out, "n_parameters"), 287360);
    assert_non_null(strstr(i.out, "\"blk.1.ffn_down.weight\""));
    cli_result more = cli("plan", CLI_MODEL, "--json", "-c", "1024", NULL);
    assert_true(cli_number(more.out, "kv") > cli_number(p.out, "kv"));
    assert_true(cli_number(p.out, "mapped") + cli_number(p.out, "repacked") > 0);
    cli_result text = cli("inspect", CLI_MODEL, NULL);
    cli_check_ok(&text);
    assert_non_null(strstr(text.out, "general.architecture = \"llama\""));
    cli_free(&i), cli_free(&p), cli_free(&more), cli_free(&text);
}

/* A folder of safetensors, one file of it, and what keeps both from being listed. */
static void cli_inspect_safetensors(void **state) {
    char name[64];
    (void)state;
    cli_binary();
    char *folder          = test_golden_path("mlx/llama_q4_odd_shards"),
         *file            = test_golden_path("broken-safetensors/ok_misaligned.safetensors");
    char *bad = test_golden_path("broken-safetensors/off_gap.safetensors");
    char *bad_folder = test_golden_path("broken-safetensors/d_missing_shard");
    cli_result f = cli("inspect", folder, "--json", "--tensors", NULL), one = cli("inspect", file, "--tensors", NULL);
    cli_check_ok(&f);
    cli_check_ok(&one);
    cli_string(f.out, "architecture", name, sizeof name);
    assert_string_equal(name, "llama");
    cli_string(f.out, "quantization", name, sizeof name);
    assert_string_equal(name, "mlx");
    assert_int_equal((int)cli_number(f.out, "n_files"), 2);
    assert_int_equal((int)cli_number(f.out, "n_vocab"), 256);
    /* embedding and head 256 x 128; 2 layers of q, o 128 x 128, k, v 32 x 128, three of 96 x 128, two norms; a norm */
    assert_int_equal((int)cli_number(f.out, "n_parameters"),
                     2 * 256 * 128 + 2 * (2 * 128 * 128 + 2 * 32 * 128 + 3 * 96 * 128 + 2 * 128) + 128);
    assert_non_null(
        strstr(f.out, "{\"name\": \"model.layers.0.mlp.down_proj.weight\", \"type\": \"BF16\", \"shape\": [128, 96]"));
    assert_non_null(strstr(one.out, "container      safetensors\n"));
    cli_check_error(cli("inspect", bad, NULL), 1, "off_gap.safetensors: byte");
    cli_check_error(cli("inspect", bad_folder, NULL), 1, "model-00002-of-00002.safetensors: cannot open");
    cli_free(&f), cli_free(&one), free(folder), free(file), free(bad), free(bad_folder);
}

/* ---- chat */

static void cli_chat(void **state) {
    static const char brief[] = "You tell short stories.";
    char path[300], input[1000];
    (void)state;
    cli_binary();
    test_temp t = test_temp_new("", 0);
    snprintf(path, sizeof path, "%s.json", t.path);
    int n = snprintf(input, sizeof input, "A fox saw a cake.\n/save %s\nGo on.\n/stats\n/load %s\nGo on.\n/quit\nno\n",
                     path, path);
    size_t     n_once = (size_t)(strstr(input, "/stats") - input);
    cli_result r = cli_feed(input, (size_t)n, "chat", "-m", CLI_MODEL, "-s", brief, CLI_GREEDY "20", NULL);
    assert_int_equal(r.rc, 0);
    assert_non_null(strstr(r.err, "tokens/s"));
    size_t n_saved;
    char  *saved = test_read(path, &n_saved), prompt[64];
    assert_non_null(saved);
    cli_string(saved, "system_prompt", prompt, sizeof prompt);
    assert_string_equal(prompt, brief);
    assert_non_null(strstr(saved, "\"content\": \"A fox saw a cake.\""));
    assert_non_null(strstr(saved, "\n  \"messages\": [\n    {\n      \"id\": \""));
    /* The conversation that was loaded goes on as the first one did: both second answers are equal. */
    cli_result once = cli_feed(input, n_once, "chat", "-m", CLI_MODEL, "-s", brief, CLI_GREEDY "20", NULL);
    assert_int_equal(once.rc, 0);
    assert_true(r.n_out > once.n_out);
    assert_memory_equal(r.out, once.out, once.n_out);
    const char *tail = r.out + once.n_out; /* a line's end and the second answer once more */
    size_t      n_tail = r.n_out - once.n_out;
    assert_true(*tail == '\n' && n_tail < once.n_out);
    assert_memory_equal(tail, once.out + once.n_out - n_tail, n_tail);
    cli_free(&r), cli_free(&once);
    free(saved);
    remove(path);
    test_temp_remove(&t);
}

/* A turn that fails is told and forgotten; the conversation goes on and the exit status remembers. */
static void cli_chat_failures(void **state) {
    char input[8192];
    (void)state;
    int n = 0;
    while (n < 6000) n += snprintf(input + n, sizeof input - (size_t)n, "words ");
    n += snprintf(input + n, sizeof input - (size_t)n, "\n/nonsense\n/load no-such-file\nA fox.\n");
    cli_result r = cli_feed(input, (size_t)n, "chat", "-m", CLI_MODEL, CLI_GREEDY "5", NULL);
    assert_int_equal(r.rc, 1);
    assert_true(r.n_out > 1);
    assert_non_null(strstr(r.err, "/nonsense"));
    assert_non_null(strstr(r.err, "no-such-file"));
    cli_free(&r);
}

/* ---- the surroundings */

static void cli_isa(void **state) {
    (void)state;
    cli_binary();
    setenv("ALLM_ISA", "scalar", 1);
    cli_result a = cli("bench", "-m", CLI_MODEL, "-p", "4", "-n", "0", "-r", "1", "--json", NULL);
    setenv("ALLM_ISA", "z80", 1);
    cli_result b = cli("bench", "-m", CLI_MODEL, "-p", "4", "-n", "0", "-r", "1", NULL);
    unsetenv("ALLM_ISA");
    cli_check_ok(&a);
    assert_non_null(strstr(a.out, "\"isa\": \"scalar\""));
    cli_check_error(b, 1, "z80");
    cli_free(&a);
}

/* A reader that goes away ends the program without a word; a full disk is an error. */
static void cli_outputs(void **state) {
    char *argv[] = {(char *)(uintptr_t)cli_binary(), "run", "-m", CLI_MODEL, "--raw", "-p", "Once", "-n", "200", NULL};
    int   ends[2], in = open("/dev/null", O_RDONLY), full = open("/dev/full", O_WRONLY);
    (void)state;
    test_temp err   = test_temp_new("", 0);
    int       errfd = open(err.path, O_WRONLY);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(cli_wait(cli_start(argv, in, ends[1], errfd)), 0);
    close(ends[1]);
    size_t n;
    char  *text = test_read(err.path, &n);
    assert_string_equal(text, "");
    free(text);
    if (full >= 0) {
        assert_int_equal(cli_wait(cli_start(argv, in, full, errfd)), 1);
        text = test_read(err.path, &n);
        assert_true(!strncmp(text, "allm: standard output: ", 23));
        free(text);
        close(full);
    }
    close(in), close(errfd);
    test_temp_remove(&err);
}

/* Ctrl-C stops an answer of a chat, not the chat. */
static void cli_interrupt(void **state) {
    static const char first[] = "Tell a long story.\n", rest[] = "/stats\n/quit\n";
    char  *argv[] = {(char *)(uintptr_t)cli_binary(), "chat", "-m", CLI_MODEL, "-t", "1", "--isa", "scalar", NULL};
    int    to[2], from[2];
    char   byte;
    size_t n;
    (void)state;
    test_temp err   = test_temp_new("", 0);
    int       errfd = open(err.path, O_WRONLY);
    assert_true(errfd >= 0 && pipe(to) == 0 && pipe(from) == 0);
    fcntl(to[1], F_SETFD, FD_CLOEXEC), fcntl(from[0], F_SETFD, FD_CLOEXEC); /* the end of the input is to be seen */
    pid_t pid = cli_start(argv, to[0], from[1], errfd);
    close(to[0]), close(from[1]);
    assert_int_equal(write(to[1], first, sizeof first - 1), sizeof first - 1);
    assert_int_equal(read(from[0], &byte, 1), 1); /* the answer has begun */
    kill(pid, SIGINT);
    assert_int_equal(write(to[1], rest, sizeof rest - 1), sizeof rest - 1);
    close(to[1]);
    while (read(from[0], &byte, 1) == 1) {}
    assert_int_equal(cli_wait(pid), 0);
    char *text = test_read(err.path, &n);
    assert_non_null(strstr(text, "tokens/s; finish ")); /* it went on and took /stats */
    close(from[0]), close(errfd);
    free(text);
    test_temp_remove(&err);
}

/* The program of examples/hello.c, of the README and of the manual are one. */
static void cli_hello(void **state) {
    size_t n, at = 0, n_lines = 0;
    (void)state;
    cli_binary();
    char *hello  = test_read("examples/hello.c", &n), *readme = test_read("README.md", &n);
    char *header = test_read("abstractllm.h", &n);
    assert_true(hello && readme && header);
    char *program = strstr(hello, "#define ABSTRACTLLM_IMPLEMENTATION");
    assert_non_null(program);
    assert_non_null(strstr(readme, program));
    char *manual = strstr(header, "A full program");
    assert_non_null(manual);
    for (char *line = program, *end; (end = strchr(line, '\n')) != NULL; line = end + 1, n_lines++) {
        char wanted[256];
        *end = 0;
        snprintf(wanted, sizeof wanted, line[0] ? "\n *     %s\n" : "\n *\n", line);
        const char *found = strstr(manual + at, wanted);
        if (!found) fail_msg("the manual lacks the line \"%s\" of examples/hello.c", line);
        if (n_lines > 0 && found != manual + at) fail_msg("the manual has more than hello.c before \"%s\"", line);
        at = (size_t)(found - manual) + strlen(wanted) - 1;
    }
    assert_in_range(n_lines, 20, 26);
    free(hello), free(readme), free(header);
}

/* ---- convert */

static void cli_converts(void **state) {
    test_temp  out = test_temp_new("old", 3), again = test_temp_new("", 0);
    char       part[300], folder[300];
    (void)state;
    cli_result r = cli("convert", CLI_MODEL, out.path, "--type", "Q8_0", "--check", "-t", "1", NULL);
    cli_check_ok(&r);
    assert_non_null(strstr(r.out, "token_embd.weight  "));
    assert_non_null(strstr(r.out, "  rmse "));
    cli_free(&r);
    r = cli("run", "-m", out.path, "--ids", "1,2,3", CLI_GREEDY "3", NULL);
    cli_check_ok(&r);
    cli_free(&r);
    r = cli("convert", CLI_MODEL, out.path, "--packed", NULL);
    cli_check_ok(&r);
    assert_int_equal(r.n_out, 0);
    cli_free(&r);
    cli_result a = cli("logits", "-m", CLI_MODEL, "--ids", "1,2,3,4,5", NULL);
    cli_result b = cli("logits", "-m", out.path, "--ids", "1,2,3,4,5", NULL);
    cli_check_ok(&a), cli_check_ok(&b);
    assert_int_equal(a.n_out, b.n_out);
    assert_memory_equal(a.out, b.out, a.n_out);
    cli_free(&a), cli_free(&b);
    unlink(again.path);
    r = cli("convert", CLI_MODEL, again.path, "--split", "4K", NULL);
    cli_check_ok(&r);
    cli_free(&r);
    snprintf(part, sizeof part, "%s-00001-of-", again.path);
    r = cli("inspect", CLI_MODEL, "--json", NULL);
    cli_check_ok(&r);
    cli_free(&r);
    const char *slash = strrchr(again.path, '/');
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - again.path), again.path);
    DIR *d = opendir(folder);
    int  n = 0;
    for (struct dirent *entry; d && (entry = readdir(d)) != NULL;)
        if (!strncmp(entry->d_name, slash + 1, strlen(slash + 1))) {
            snprintf(part, sizeof part, "%.140s/%.120s", folder, entry->d_name);
            unlink(part), n++;
        }
    closedir(d);
    assert_true(n > 1);
    test_temp_remove(&out);
}

static void cli_convert_errors(void **state) {
    (void)state;
    cli_check_error(cli("convert", CLI_MODEL, NULL), 2, "IN and OUT");
    cli_check_error(cli("convert", CLI_MODEL, "/tmp/x", "more", NULL), 2, "unexpected argument");
    cli_check_error(cli("convert", CLI_MODEL, "/tmp/x", "--split", "0", NULL), 2, "--split");
    cli_check_error(cli("convert", CLI_MODEL, "/tmp/x", "--split", "4Q", NULL), 2, "--split");
    cli_check_error(cli("convert", CLI_MODEL, "/tmp/x", "--type", "Q9", NULL), 1, "expected one of");
    cli_check_error(cli("convert", CLI_MODEL, "/no/such/folder/x", NULL), 1, "cannot create");
    cli_check_error(cli("convert", CLI_MODEL, "/tmp", NULL), 1, "no regular file");
    cli_check_error(cli("convert", "/no/such.gguf", "/tmp/x", NULL), 1, "/no/such.gguf");
}

/* ---- the Hugging Face cache, and a hub on loopback in a process of its own */

#define CLI_COMMIT "0123456789abcdef0123456789abcdef01234567"

typedef struct cli_hub {
    pid_t  pid;
    char   root[64]; /* the cache */
    char  *model;
    size_t n_model;
    char   sum[65]; /* SHA-256 of the model as the hub has it */
} cli_hub;

/* One request, one answer. n_drops: so many times the model's bytes end half-way. */
static void cli_hub_answer(const cli_hub *g, int fd, int *n_drops) {
    char        ask[4096], head[512];
    size_t      n = 0, from = 0, size = g->n_model, end;
    ssize_t     k;
    const char *range, *json = "{\"sha\": \"" CLI_COMMIT "\", \"siblings\": [{\"rfilename\": \"m-Q4_0.gguf\"}]}";
    while (n < sizeof ask - 1 && (k = read(fd, ask + n, sizeof ask - 1 - n)) > 0) {
        ask[n += (size_t)k] = 0;
        if (strstr(ask, "\r\n\r\n")) break;
    }
    ask[n] = 0;
    const int is_json = strstr(ask, "/api/models/acme/m") != NULL, is_head = !strncmp(ask, "HEAD", 4);
    const int found = is_json || strstr(ask, "/acme/m/resolve/") != NULL;
    const char *body = is_json ? json : g->model;
    if (is_json) size = strlen(json);
    if (!is_json && (range = strstr(ask, "ange: bytes=")) != NULL) from = (size_t)strtoull(range + 12, NULL, 10);
    snprintf(head, sizeof head,
             "HTTP/1.1 %s\r\nX-Repo-Commit: " CLI_COMMIT "\r\nETag: \"%s\"\r\nContent-Length: %zu\r\n"
             "Connection: close\r\nContent-Range: bytes %zu-%zu/%zu\r\n\r\n",
             !found ? "404 N" : from ? "206 P" : "200 O", g->sum, found ? size - from : 0, from, size - 1, size);
    end = !is_json && !is_head && *n_drops > 0 ? (*n_drops)--, from + (size - from) / 2 : size;
    for (size_t i = 0, m = strlen(head); i < m; i += (size_t)k)
        if ((k = write(fd, head + i, m - i)) <= 0) return;
    for (size_t i = from; found && !is_head && i < end; i += (size_t)k)
        if ((k = write(fd, body + i, end - i)) <= 0) return;
}

static void cli_hub_begin(cli_hub *g, int n_drops, int lies) {
    struct sockaddr_in a = {0};
    socklen_t          n = sizeof a;
    char               text[96];
    allm__io_hash      hash;
    memset(g, 0, sizeof *g);
    cli_binary();
    if (system("curl --version >/dev/null 2>&1") != 0) test_skip("no curl");
    strcpy(g->root, "/tmp/allm-cli-XXXXXX");
    assert_non_null(mkdtemp(g->root));
    assert_non_null(g->model = test_read(CLI_MODEL, &g->n_model));
    allm__io_hash_init(&hash, 1), allm__io_hash_put(&hash, g->model, g->n_model), allm__io_hash_end(&hash, g->sum);
    if (lies) g->sum[5] = g->sum[5] == 'a' ? 'b' : 'a';
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_family = AF_INET, a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &n), 0);
    if ((g->pid = fork()) == 0) {
        signal(SIGPIPE, SIG_IGN), alarm(CLI_SECONDS);
        for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; close(fd)) cli_hub_answer(g, fd, &n_drops);
        _exit(0);
    }
    close(listener);
    snprintf(text, sizeof text, "http://127.0.0.1:%d", (int)ntohs(a.sin_port));
    setenv("HF_ENDPOINT", text, 1), setenv("HF_HUB_CACHE", g->root, 1);
}

static void cli_hub_end(cli_hub *g) {
    allm_error err = {0};
    kill(g->pid, SIGKILL), cli_wait(g->pid);
    unsetenv("HF_ENDPOINT"), unsetenv("HF_HUB_CACHE");
    assert_int_equal(allm__hub_remove_tree(&http_host, g->root, &err), ALLM_OK);
    free(g->model);
}

static void cli_hub_expect(const char *command, const char *option, const char *words) {
    cli_result r = cli(command, option, NULL);
    if (r.rc || r.n_err || (*words ? !strstr(r.out, words) : r.n_out != 0))
        fail_msg("%s: exit %d, \"%s\" %s", command, r.rc, r.out, r.err);
    cli_free(&r);
}

static void cli_hub_pulls(void **state) {
    cli_hub    g;
    size_t     n;
    (void)state;
    int n_failed = 0;
    cli_hub_begin(&g, 4, 0);
    cli_hub_expect("list", NULL, "");
    cli_result r = cli("pull", "acme/m", NULL); /* breaks off half-way, and goes on the next time */
    for (; r.rc && n_failed < 4; r = cli("pull", "acme/m", NULL), n_failed++) {
        cli_check_error(r, 1, "127.0.0.1");
        cli_hub_expect("list", NULL, "");
        cli_check_error(cli("run", "-m", "acme/m", "-p", "x", NULL), 1, "acme/m");
    }
    if (r.rc || !n_failed) fail_msg("pull: exit %d after %d others, %s", r.rc, n_failed, r.err);
    r.out[strcspn(r.out, "\n")] = 0;
    char *got = test_read(r.out, &n);
    assert_true(got && n == g.n_model && !memcmp(got, g.model, n));
    free(got), cli_free(&r);
    cli_hub_expect("list", NULL, "acme/m ");
    cli_hub_expect("list", "--json", "\"name\": \"acme/m\"");
    r = cli("run", "-m", "acme/m", "-p", "Once", "-n", "4", "--temp", "0", NULL);
    cli_check_ok(&r);
    cli_free(&r);
    cli_hub_expect("rm", "acme/m", "");
    cli_hub_expect("list", "--json", "[]");
    cli_check_error(cli("rm", "acme/m", NULL), 1, "not in the Hugging Face cache");
    cli_check_error(cli("pull", "acme/none", NULL), 1, "no such model");
    cli_check_error(cli("run", "-m", "acme/none", "-p", "x", NULL), 1, "; to download it: allm pull acme/none\n");
    cli_check_error(cli("run", "-m", "acme/none:q4", "-p", "x", NULL), 1, "; to download it: allm pull acme/none:q4\n");
    cli_check_error(cli("pull", NULL), 2, "one NAME");
    cli_check_error(cli("rm", NULL), 2, "one NAME");
    cli_hub_end(&g);
    cli_hub_begin(&g, 0, 1);
    cli_check_error(cli("pull", "acme/m", NULL), 1, "its hash is");
    cli_hub_expect("list", NULL, "");
    cli_hub_end(&g);
}

static void cli_search(void **state) {
    (void)state;
    cli_hub_expect("search", NULL, "MB");
    cli_hub_expect("search", "smollm2-135m", "SmolLM2-135M");
    cli_hub_expect("search", "embedding", "embedding");
    cli_hub_expect("search", "qwen3", "Qwen3");
    cli_hub_expect("search", "--json", "\"max_context\"");
    static const struct { const char *args[4], *says; } none[] = {
        {{"no such model"}, "allm: nothing fits \"no such model\"\n"},
        {{"--fits", "1K"}, "allm: nothing fits within 1K\n"},
        {{"qwen3", "--fits", "1K"}, "allm: nothing fits \"qwen3\" within 1K\n"},
    };
    for (size_t i = 0; i < ALLM__COUNT(none); i++)
        cli_check_error(cli("search", none[i].args[0], none[i].args[1], none[i].args[2], NULL), 1, none[i].says);
    cli_result nothing = cli("search", "no such model", "--json", NULL); /* a list, of none */
    cli_check_ok(&nothing);
    assert_string_equal(nothing.out, "[]\n");
    cli_free(&nothing);
    cli_result all = cli("search", NULL), small = cli("search", "--fits", "200M", NULL);
    cli_check_ok(&all), cli_check_ok(&small);
    assert_true(small.n_out > 0 && small.n_out < all.n_out);
    cli_free(&all), cli_free(&small);
    cli_check_error(cli("search", "--fits", "much", NULL), 2, "--fits");
}

static const struct CMUnitTest test_cli[] = {
    cmocka_unit_test(cli_hub_pulls), cmocka_unit_test(cli_search),
    cmocka_unit_test(cli_converts),
    cmocka_unit_test(cli_convert_errors),
    cmocka_unit_test(cli_usage),        cmocka_unit_test(cli_help),
    cmocka_unit_test(cli_adapter), cmocka_unit_test(cli_no_files),      cmocka_unit_test(cli_bad_files),
    cmocka_unit_test(cli_unknown_architecture), cmocka_unit_test(cli_no_tokenizer),
    cmocka_unit_test(cli_bad_requests),
    cmocka_unit_test(cli_run_text),     cmocka_unit_test(cli_run_seed),
    cmocka_unit_test(cli_run_samplers),
    cmocka_unit_test(cli_run_stop),     cmocka_unit_test(cli_run_ids),
    cmocka_unit_test(cli_run_file),     cmocka_unit_test(cli_tokenize),
    cmocka_unit_test(cli_detokenize),   cmocka_unit_test(cli_logits),
    cmocka_unit_test(cli_embed),
    cmocka_unit_test(cli_grammar),   cmocka_unit_test(cli_tools),
    cmocka_unit_test(cli_parse),
    cmocka_unit_test(cli_render_model), cmocka_unit_test(cli_render_template),
    cmocka_unit_test(cli_perplexity),   cmocka_unit_test(cli_bench),
    cmocka_unit_test(cli_inspect_plan), cmocka_unit_test(cli_inspect_safetensors),
    cmocka_unit_test(cli_chat),
    cmocka_unit_test(cli_chat_failures), cmocka_unit_test(cli_isa),
    cmocka_unit_test(cli_outputs),      cmocka_unit_test(cli_interrupt),
    cmocka_unit_test(cli_hello),
};
