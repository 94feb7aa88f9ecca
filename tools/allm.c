/* allm - the command line of abstractllm.h.
 *
 * Results go to stdout and nothing else does; progress, statistics, warnings and errors go to stderr. Exit status:
 * 0 done, 1 failed (one line "allm: message"), 2 wrong usage. Text is written as it is, with a newline added only on
 * a terminal.
 *
 * In order: output; options (a table of flags); bytes and JSON; models; one section a command; the table of commands,
 * help and main. To add a command: a bit, a function and a row of `commands`; to add a flag: a field of `opts` and a
 * row of `flags`. Help is made of the tables.
 *
 * This file defines the implementation and uses a few of its private functions: buffers, numbers, JSON, the template
 * engine (render takes templates without a model) and the GGUF reader (inspect opens what no model can be made of). */
#define ABSTRACTLLM_HTTP
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
#include <signal.h>
#include <sys/stat.h>
#if defined(ALLM__HUB) && !defined(ABSTRACTLLM_NO_REMOTE)
#include <sys/wait.h>
#define HAVE_PULL 1
#endif

#if defined(ALLM__WINDOWS)
#include <fcntl.h>
#include <io.h>
#define is_terminal(file) _isatty(_fileno(file))
#else
#define is_terminal(file) isatty(fileno(file))
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

static const allm__host host = {{allm__mem_default_alloc, allm__mem_default_free, NULL}, NULL, NULL};

/* ================================================================ output */

static int pipe_closed; /* the reader of stdout has gone: end quietly */

/* Bytes to stdout. A reader that went away is an error without a message. */
static allm_status out(const void *p, size_t n, allm_error *err) {
    if (n == 0 || fwrite(p, 1, n, stdout) == n) return ALLM_OK;
    pipe_closed |= errno == EPIPE;
    return allm__fail(err, ALLM_E_IO, "standard output", -1, "cannot write: %s", strerror(errno));
}

static allm_status out_flush(allm_error *err) {
    if (fflush(stdout) == 0) return ALLM_OK;
    pipe_closed |= errno == EPIPE;
    return allm__fail(err, ALLM_E_IO, "standard output", -1, "cannot write: %s", strerror(errno));
}

static allm_status out_buf(allm__buf *b, allm_error *err) { /* and empties it */
    if (b->failed) return allm__fail_memory(err, b->len);
    allm_status status = out(b->ptr, b->len, err);
    b->len = 0;
    return status;
}

/* Ends a text result: the newline that a terminal wants. */
static allm_status out_end(allm_error *err) {
    allm_status status = is_terminal(stdout) ? out("\n", 1, err) : ALLM_OK;
    return status ? status : out_flush(err);
}

ALLM__PRINTF(2, 3)
static void put_f(allm__buf *b, const char *format, ...) { /* short texts only */
    char    text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    allm__buf_puts(b, text);
}

/* ---- a bar on stderr for what takes a while; only on a terminal, and only after a third of a second */

typedef struct bar {
    const char *what;
    double      t_start;
    int         shown; /* percent + 1 of what stands on the screen; 0: nothing */
} bar;

static void bar_at(void *ctx, float fraction) {
    static const char full[] = "########################################";
    bar   *b   = (bar *)ctx;
    double now = allm__plat_seconds();
    int    percent = (int)(100 * fraction), n = (int)(40 * fraction);
    if (!is_terminal(stderr) || !(fraction >= 0 && fraction <= 1)) return;
    if (b->t_start == 0) b->t_start = now;
    if ((!b->shown && now - b->t_start < 0.3) || b->shown == percent + 1) return;
    b->shown = percent + 1;
    fprintf(stderr, "\r%-7s [%-40.*s] %3d %%", b->what, n, full, percent);
    fflush(stderr);
}

static void bar_clear(bar *b) {
    if (b->shown) fputs("\r\033[K", stderr);
    b->shown = 0, b->t_start = 0;
}

/* ================================================================ options */

enum { /* commands, as bits for the table of flags */
    C_RUN = 1, C_CHAT = 2, C_TOKENIZE = 4, C_DETOKENIZE = 8, C_RENDER = 16, C_LOGITS = 32, C_BENCH = 64,
    C_INSPECT = 128, C_PLAN = 256, C_PERPLEXITY = 512, C_GRAMMAR = 1024, C_PARSE = 2048, C_CONVERT = 4096,
    C_EMBED = 8192, C_LIST = 1 << 14, C_PULL = 1 << 15, C_RM = 1 << 16, C_SEARCH = 1 << 17,
    C_GENERATE = C_RUN | C_CHAT,
    C_COMPUTE  = C_GENERATE | C_LOGITS | C_BENCH | C_PLAN | C_PERPLEXITY | C_EMBED,
    C_HUB      = C_LIST | C_PULL | C_RM | C_SEARCH,
    C_ALL      = (1 << 18) - 1
};

typedef struct ids { int32_t *ptr; size_t len, cap; } ids;
typedef struct list { const char **ptr; size_t len, cap; } list;

typedef struct opts {
    const char   *model, *prompt, *system, *text_file, *output, *template_file, *context_file, *now, *isa;
    const char   *schema_file, *gbnf_file, *adapter, *draft_model;
    char          adapter_path[1024];
    float         adapter_scale;
    const char   *format, *tools_file, *tool_choice, *type, *split_bytes, *pooling;
    list          files, stops, breakers, args; /* args: what is no flag */
    ids           ids, bias_ids, types;
    float        *bias;   /* [bias_ids.cap] */
    int32_t       n_logprobs;
    int32_t       n_threads, n_ctx, n_batch, max_tokens, n_prompt, n_gen, depth, n_reps, n_draft;
    allm_kv_type  kv_type;
    allm_sampling sampling; /* only the fields whose flag was given count */
    int           raw, stats, json, jsonl, special, bos, hex, skip_special, stream, last, tensors, reference, help;
    int           split, low_memory, packed, check, hidden, no_spec;
    unsigned char given[128]; /* by row of the table of flags */
    const struct command *command;
} opts;

typedef enum flag_kind {
    K_BOOL, K_TEXT, K_COUNT, K_LIST, K_IDS, K_KV, /* by the field's type */
    K_FLOAT, K_INT, K_LONG, K_ORDER,              /* fields of allm_sampling */
    K_BIAS,                                       /* of it too */
    K_LORA                                        /* a path, and behind a colon a number */
} flag_kind;

#define AT(field) offsetof(opts, field)
#define SAMPLING(field) offsetof(opts, sampling.field)

static const struct flag {
    const char *name;
    flag_kind   kind;
    size_t      offset;
    unsigned    commands;
    const char *value, *help;
} flags[] = {
    {"-m", K_TEXT, AT(model), C_ALL & ~(C_GRAMMAR | C_CONVERT | C_HUB), "MODEL",
     "a GGUF file, a model folder, or org/name[:file] of the Hugging Face cache"},
    {"-p", K_TEXT, AT(prompt), C_RUN, "TEXT", "the prompt"},
    {"-s", K_TEXT, AT(system), C_GENERATE, "TEXT", "system prompt"},
    {"-f", K_LIST, AT(files), C_RUN, "FILE", "append a text file to the prompt; may be repeated"},
    {"-f", K_TEXT, AT(text_file), C_PERPLEXITY, "FILE", "the text"},
    {"-n", K_COUNT, AT(max_tokens), C_GENERATE, "MAX", "most tokens of an answer"},
    {"--raw", K_BOOL, AT(raw), C_RUN, NULL, "no chat template"},
    {"--ids", K_IDS, AT(ids), C_RUN | C_LOGITS, "1,2,3", "token ids instead of a text; the answer is ids too"},
    {"--ids", K_IDS, AT(ids), C_EMBED, "1,2,3", "token ids instead of texts"},
    {"--types", K_IDS, AT(types), C_EMBED, "0,0,1", "with --ids: the kind of text that each is of (0)"},
    {"--hidden", K_BOOL, AT(hidden), C_EMBED, NULL, "the hidden state of every token, not one vector"},
    {"--pooling", K_TEXT, AT(pooling), C_EMBED, "KIND", "mean, cls (first) or last (as the model says)"},
    {"--temp", K_FLOAT, SAMPLING(temperature), C_GENERATE, "T", "temperature; 0: always the likeliest token"},
    {"--top-k", K_INT, SAMPLING(top_k), C_GENERATE, "K", "only the K likeliest tokens; 0: off"},
    {"--top-p", K_FLOAT, SAMPLING(top_p), C_GENERATE, "P", "smallest set of tokens with this mass; 0 or 1: off"},
    {"--min-p", K_FLOAT, SAMPLING(min_p), C_GENERATE, "P", "tokens at least this likely relative to the best; 0: off"},
    {"--repeat-penalty", K_FLOAT, SAMPLING(repeat_penalty), C_GENERATE, "X", "0 or 1: off"},
    {"--presence-penalty", K_FLOAT, SAMPLING(presence_penalty), C_GENERATE, "X", "0: off"},
    {"--frequency-penalty", K_FLOAT, SAMPLING(frequency_penalty), C_GENERATE, "X", "0: off"},
    {"--penalty-window", K_INT, SAMPLING(penalty_window), C_GENERATE, "N", "last tokens that count; 0: 64, -1: all"},
    {"--typical-p", K_FLOAT, SAMPLING(typical_p), C_GENERATE, "P", "tokens about as surprising as the mean; 0, 1: off"},
    {"--top-n-sigma", K_FLOAT, SAMPLING(top_n_sigma), C_GENERATE, "N", "within N deviations of the best logit; 0: off"},
    {"--xtc-probability", K_FLOAT, SAMPLING(xtc_probability), C_GENERATE, "P", "how often the top choices go; 0: off"},
    {"--xtc-threshold", K_FLOAT, SAMPLING(xtc_threshold), C_GENERATE, "P", "what a top choice is; 0: 0.1"},
    {"--dry-multiplier", K_FLOAT, SAMPLING(dry_multiplier), C_GENERATE, "X", "price of prolonging a repeat; 0: off"},
    {"--dry-base", K_FLOAT, SAMPLING(dry_base), C_GENERATE, "X", "it grows by this a token; 0: 1.75"},
    {"--dry-allowed-length", K_INT, SAMPLING(dry_allowed_length), C_GENERATE, "N", "shorter repeats are free; 0: 2"},
    {"--dry-penalty-last-n", K_INT, SAMPLING(dry_window), C_GENERATE, "N", "last tokens looked at; 0, -1: all"},
    {"--dry-sequence-breaker", K_LIST, AT(breakers), C_GENERATE, "TEXT", "ends a repeat; repeatable, or \"none\""},
    {"--no-repeat-ngram", K_INT, SAMPLING(no_repeat_ngram), C_GENERATE, "N", "no N tokens come twice; 0: off"},
    {"--dynatemp-range", K_FLOAT, SAMPLING(dynatemp_range), C_GENERATE, "X", "temperature moves so much; 0: off"},
    {"--dynatemp-exp", K_FLOAT, SAMPLING(dynatemp_exponent), C_GENERATE, "X", "with entropy to this power; 0: 1"},
    {"--mirostat", K_INT, SAMPLING(mirostat), C_GENERATE, "1|2", "this version chooses, nothing is cut; 0: off"},
    {"--mirostat-ent", K_FLOAT, SAMPLING(mirostat_tau), C_GENERATE, "BITS", "surprise to aim at; 0: 5"},
    {"--mirostat-lr", K_FLOAT, SAMPLING(mirostat_eta), C_GENERATE, "X", "how fast; 0: 0.1"},
    {"--adaptive-target", K_FLOAT, SAMPLING(adaptive_target), C_GENERATE, "P", "draw near this probability; 0: off"},
    {"--adaptive-decay", K_FLOAT, SAMPLING(adaptive_decay), C_GENERATE, "X", "memory of its correction; 0: 0.9"},
    {"--min-keep", K_INT, SAMPLING(min_keep), C_GENERATE, "N", "cuts leave at least so many tokens"},
    {"--samplers", K_ORDER, SAMPLING(order), C_GENERATE, "A;B;...", "which, in which order; \"hf\": temperature first"},
    {"--logit-bias", K_BIAS, 0, C_GENERATE, "ID+X", "add to a token's logit (ID-X, ID-inf); repeatable"},
    {"--logprobs", K_COUNT, AT(n_logprobs), C_RUN, "N", "with --json: log-probabilities of the N best tokens"},
    {"--seed", K_LONG, SAMPLING(seed), C_GENERATE, "N", "the same seed gives the same text; negative: a new one"},
    {"--stop", K_LIST, AT(stops), C_GENERATE, "TEXT", "end the answer before this text; may be repeated"},
    {"--stats", K_BOOL, AT(stats), C_GENERATE | C_TOKENIZE, NULL, "token counts and speed on stderr"},
    {"--special", K_BOOL, AT(special), C_TOKENIZE | C_PERPLEXITY, NULL, "match special tokens spelled in the text"},
    {"--bos", K_BOOL, AT(bos), C_TOKENIZE, NULL, "add what the tokenizer adds around a text"},
    {"--hex", K_BOOL, AT(hex), C_TOKENIZE, NULL, "texts are hexadecimal bytes"},
    {"--skip-special", K_BOOL, AT(skip_special), C_DETOKENIZE, NULL, "leave special tokens out"},
    {"--stream", K_BOOL, AT(stream), C_DETOKENIZE, NULL, "a JSON array: the text after each id, then the last flush"},
    {"--template", K_TEXT, AT(template_file), C_RENDER | C_PARSE, "FILE", "a Jinja template instead of a model's"},
    {"--context", K_TEXT, AT(context_file), C_RENDER, "FILE", "JSON object of the template's variables"},
    {"--now", K_TEXT, AT(now), C_RENDER, "TIME", "\"YYYY-MM-DD HH:MM:SS\", for strftime_now"},
    {"--format", K_TEXT, AT(format), C_PARSE, "NAME", "a family's form of tool calls, such as qwen3"},
    {"--split", K_BOOL, AT(split), C_PARSE, NULL, "feed the text byte by byte"},
    {"--jsonl", K_BOOL, AT(jsonl), C_TOKENIZE | C_DETOKENIZE | C_RENDER | C_GRAMMAR | C_PARSE, NULL,
     "a JSON value a line in and out"},
    {"--last", K_BOOL, AT(last), C_LOGITS, NULL, "only the logits after the last id"},
    {"-o", K_TEXT, AT(output), C_LOGITS, "FILE", "write there instead of to stdout"},
    {"-o", K_TEXT, AT(output), C_EMBED, "FILE", "write raw little-endian f32 there instead of JSON to stdout"},
    {"-p", K_COUNT, AT(n_prompt), C_BENCH, "N", "tokens of the prompt test (512); 0: none"},
    {"-n", K_COUNT, AT(n_gen), C_BENCH, "N", "tokens of the decode test (128); 0: none"},
    {"-d", K_COUNT, AT(depth), C_BENCH, "DEPTH", "tokens already in the cache (0)"},
    {"-r", K_COUNT, AT(n_reps), C_BENCH, "REPS", "repetitions (3)"},
    {"--tensors", K_BOOL, AT(tensors), C_INSPECT, NULL, "list the tensors"},
    {"--json", K_BOOL, AT(json), C_RUN | C_BENCH | C_INSPECT | C_PLAN | C_LIST | C_SEARCH, NULL,
     "print JSON"},
    {"--type", K_TEXT, AT(type), C_CONVERT, "TYPE", "F16, Q8_0, Q4_K_M ...; without it tensors keep their types"},
    {"--packed", K_BOOL, AT(packed), C_CONVERT, NULL, "in the layout of kernels: opens at once, here only"},
    {"--split", K_TEXT, AT(split_bytes), C_CONVERT, "BYTES", "parts of at most so much (500M, 4G)"},
    {"--check", K_BOOL, AT(check), C_CONVERT, NULL, "open it again, print the error of each tensor"},
    {"--fits", K_TEXT, AT(split_bytes), C_SEARCH, "BYTES", "weights of at most so much (500M, 4G)"},
    {"-t", K_COUNT, AT(n_threads), C_COMPUTE | C_CONVERT, "THREADS", "threads (physical cores)"},
    {"-c", K_COUNT, AT(n_ctx), C_COMPUTE, "CONTEXT", "context in tokens (the model's own, within reason)"},
    {"--batch", K_COUNT, AT(n_batch), C_COMPUTE, "N", "tokens of a prompt evaluated at a time (256)"},
    {"--isa", K_TEXT, AT(isa), C_COMPUTE, "NAME",
     "scalar, avx2, avx512, avx512bf16, avx512wide, neon, dotprod (the best; or ALLM_ISA)"},
    {"--reference", K_BOOL, AT(reference), C_COMPUTE, NULL, "float32 activations and cache: slow, exact"},
    {"--kv", K_KV, AT(kv_type), C_COMPUTE, "TYPE", "type of cached keys and values: f32, f16, bf16, q8_0, q4_0"},
    {"--low-memory", K_BOOL, AT(low_memory), C_COMPUTE, NULL, "weights stay in the file: slow, smallest"},
    {"--adapter", K_TEXT, AT(adapter), C_COMPUTE, "PATH", "LoRA: a folder of PEFT or MLX, or a GGUF adapter"},
    {"--lora", K_LORA, AT(adapter), C_COMPUTE, "PATH[:X]", "the same, X times (1) what it adds"},
    {"--no-spec", K_BOOL, AT(no_spec), C_GENERATE, NULL, "guess no tokens: the same text, a pass a token"},
    {"--draft", K_COUNT, AT(n_draft), C_GENERATE, "N", "guess N tokens a pass, 1 to 31 (as many as pay)"},
    {"--draft-model", K_TEXT, AT(draft_model), C_GENERATE, "MODEL", "a smaller one with the same tokens guesses too"},
    {"--tools", K_TEXT, AT(tools_file), C_RUN | C_PARSE, "FILE", "JSON array of tools, as OpenAI's API takes them"},
    {"--tool-choice", K_TEXT, AT(tool_choice), C_RUN, "WHAT", "auto, none, required, or the name of one (auto)"},
    {"--schema", K_TEXT, AT(schema_file), C_RUN | C_GRAMMAR, "FILE", "only JSON that fits this JSON Schema"},
    {"--gbnf", K_TEXT, AT(gbnf_file), C_RUN | C_GRAMMAR, "FILE", "only texts of this grammar"},
    {"--help", K_BOOL, AT(help), C_ALL, NULL, "this text"},
    {"-h", K_BOOL, AT(help), C_ALL, NULL, NULL},
};
ALLM__STATIC(given_has_a_place_for_every_flag, COUNT(flags) <= sizeof((opts *)0)->given);

typedef struct command {
    const char *name;
    unsigned    bit;
    size_t      n_args; /* most arguments that are no flags */
    const char *usage, *summary;
    allm_status (*function)(const opts *o, allm_error *err);
    const char *(*check)(const opts *o); /* NULL, or: what is wrong with the flags, or NULL */
} command;

static const char *const kv_names[] = {"default", "f32", "f16", "bf16", "q8_0", "q4_0"}; /* by allm_kv_type */

ALLM__PRINTF(2, 3)
static int usage_error(const command *c, const char *format, ...) {
    va_list args;
    fprintf(stderr, "allm: %s%s", c ? c->name : "", c ? ": " : "");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, " (see: allm help%s%s)\n", c ? " " : "", c ? c->name : "");
    return 2;
}

static int list_add(list *l, const char *text) {
    if (!allm__grow(&host, (void **)&l->ptr, &l->cap, l->len, l->len + 1, sizeof *l->ptr)) return 0;
    l->ptr[l->len++] = text;
    return 1;
}

static int ids_add(ids *l, int32_t id) {
    if (!allm__grow(&host, (void **)&l->ptr, &l->cap, l->len, l->len + 1, sizeof *l->ptr)) return 0;
    l->ptr[l->len++] = id;
    return 1;
}

static void ids_free(ids *l) { allm__free(&host, l->ptr, l->cap * sizeof *l->ptr), memset(l, 0, sizeof *l); }

static int parse_i64(const char *text, int64_t lo, int64_t hi, int64_t *v) {
    return allm__int_parse(allm__str_of(text), v) && *v >= lo && *v <= hi;
}

/* Also nan and inf: it is the library that refuses them, by the name of the field. */
static int parse_float(const char *text, float *v) {
    static const struct { const char *name; float value; } odd[] = {
        {"nan", NAN}, {"-nan", NAN}, {"inf", INFINITY}, {"+inf", INFINITY}, {"-inf", -INFINITY},
        {"NaN", NAN}, {"Inf", INFINITY}, {"-Inf", -INFINITY}, {"NAN", NAN}, {"INF", INFINITY},
    };
    double d;
    int    over;
    for (size_t i = 0; i < COUNT(odd); i++)
        if (!strcmp(text, odd[i].name)) return *v = odd[i].value, 1;
    if (!allm__num_parse(allm__str_of(text), &d, &over)) return 0;
    *v = (float)d;
    return 1;
}

/* Ids separated by commas or white space. */
static int parse_ids(const char *p, ids *l) {
    for (;;) {
        size_t  n = strcspn(p += strspn(p, ", \t\r\n"), ", \t\r\n");
        int64_t v;
        if (n == 0) return *p == 0;
        if (!allm__int_parse(allm__str(p, n), &v) || v < INT32_MIN || v > INT32_MAX) return 0;
        if (!ids_add(l, (int32_t)v)) return 0;
        p += n;
    }
}

static int parse_kv(const char *text, allm_kv_type *type) {
    for (size_t i = 1; i < COUNT(kv_names); i++)
        if (!strcmp(text, kv_names[i])) return *type = (allm_kv_type)i, 1;
    return 0;
}

/* "15+1.5", "15-2", "15=-inf": an id and what is added to its logit. */
static int parse_bias(const char *text, opts *o) {
    size_t  n = strspn(text, "0123456789"), cap = o->bias_ids.cap;
    int64_t id;
    float   v;
    if (!text[n] || !strchr("+-=", text[n]) || !allm__int_parse(allm__str(text, n), &id) || id > INT32_MAX) return 0;
    if (!parse_float(text + n + (text[n] != '-'), &v) || !ids_add(&o->bias_ids, (int32_t)id)) return 0;
    if (o->bias_ids.cap > cap &&
        !allm__grow(&host, (void **)&o->bias, &cap, o->bias_ids.len - 1, o->bias_ids.cap, sizeof *o->bias))
        return 0;
    o->bias[o->bias_ids.len - 1] = v;
    return 1;
}

/* A path, with ":X" behind it a part of the adapter. */
static int parse_lora(const char *text, opts *o) {
    const char *colon = strrchr(text, ':');
    const int   has = colon && colon > text && parse_float(colon + 1, &o->adapter_scale);
    const size_t n = has ? (size_t)(colon - text) : strlen(text);
    if (!n || n >= sizeof o->adapter_path) return 0;
    memcpy(o->adapter_path, text, n), o->adapter_path[n] = 0;
    return o->adapter = o->adapter_path, 1;
}

/* Stores a flag's value; 0: it is none. */
static int flag_store(const struct flag *f, opts *o, const char *value) {
    void   *field = (char *)o + f->offset;
    int64_t v;
    switch (f->kind) {
    case K_BOOL: return *(int *)field = 1;
    case K_TEXT: case K_ORDER: return *(const char **)field = value, 1;
    case K_BIAS: return parse_bias(value, o);
    case K_LIST: return list_add((list *)field, value);
    case K_IDS: return parse_ids(value, (ids *)field) && o->ids.len > 0;
    case K_KV: return parse_kv(value, (allm_kv_type *)field);
    case K_FLOAT: return parse_float(value, (float *)field);
    case K_COUNT: return parse_i64(value, 0, INT32_MAX, &v) ? *(int32_t *)field = (int32_t)v, 1 : 0;
    case K_INT: return parse_i64(value, INT32_MIN, INT32_MAX, &v) ? *(int32_t *)field = (int32_t)v, 1 : 0;
    case K_LONG: return parse_i64(value, INT64_MIN, INT64_MAX, (int64_t *)field);
    case K_LORA: return parse_lora(value, o);
    }
    return 0;
}

static const char *kind_expects(flag_kind k) {
    return k == K_FLOAT ? "a number" : k == K_IDS ? "token ids such as 1,2,3"
         : k == K_BIAS ? "a token id, + or -, and a number" : k == K_KV ? "f32, f16, bf16, q8_0 or q4_0"
         : k == K_COUNT ? "a whole number from 0 on" : k == K_LORA ? "a path, or a path, a colon and a number"
         : "a whole number";
}

static const struct flag *flag_find(unsigned bit, allm_str name) {
    for (size_t i = 0; i < COUNT(flags); i++)
        if ((flags[i].commands & bit) && allm__str_eq(name, allm__str_of(flags[i].name))) return &flags[i];
    return NULL;
}

/* Edits (insert, delete, replace) from a to b, both cut at 31 bytes: Levenshtein's table, a row at a time. */
static int distance(allm_str a, const char *b) {
    int    row[32], n = (int)MIN(strlen(b), 31), m = (int)MIN(a.len, 31);
    for (int j = 0; j <= n; j++) row[j] = j;
    for (int i = 1; i <= m; i++) {
        int corner = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int replaced = corner + (a.ptr[i - 1] != b[j - 1]);
            corner = row[j];
            row[j] = MIN(replaced, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[n];
}

static int flag_unknown(const command *c, allm_str name) {
    const struct flag *best = NULL;
    int                least = 3, n_name = (int)MIN(name.len, 80);
    for (size_t i = 0; i < COUNT(flags); i++) {
        int d = distance(name, flags[i].name);
        if (d == 0) return usage_error(c, "%s is not a flag of this command", flags[i].name);
        if ((flags[i].commands & c->bit) && strlen(flags[i].name) > 2 && d < least) least = d, best = &flags[i];
    }
    if (best) return usage_error(c, "unknown flag %.*s, did you mean %s?", n_name, name.ptr, best->name);
    return usage_error(c, "unknown flag %.*s", n_name, name.ptr);
}

/* Is arg a flag? "-" and negative numbers (ids) are not. */
static int is_flag(const char *arg) { return arg[0] == '-' && arg[1] && !(arg[1] >= '0' && arg[1] <= '9'); }

/* Reads the arguments after the command's name. 0, or the exit status. */
static int opts_parse(opts *o, int argc, char **argv) {
    const command *c = o->command;
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i], *value = NULL;
        if (!strcmp(arg, "--")) {
            while (++i < argc) if (!list_add(&o->args, argv[i])) return 1;
            break;
        }
        if (!is_flag(arg)) {
            if (!list_add(&o->args, arg)) return 1;
            continue;
        }
        size_t             n = arg[1] == '-' ? strcspn(arg, "=") : strlen(arg);
        const struct flag *f = flag_find(c->bit, allm__str(arg, n));
        if (!f) return flag_unknown(c, allm__str(arg, n));
        int wants = f->kind != K_BOOL;
        if (arg[n] == '=') value = arg + n + 1;
        if (!wants && value) return usage_error(c, "%s takes no value", f->name);
        if (wants && !value && ++i == argc) return usage_error(c, "%s wants a value: %s", f->name, f->value);
        if (wants && !value) value = argv[i];
        if (!flag_store(f, o, value))
            return usage_error(c, "%s %.80s: expected %s", f->name, value, kind_expects(f->kind));
        o->given[f - flags] = 1;
    }
    return 0;
}

static void opts_free(opts *o) {
    list *lists[] = {&o->files, &o->stops, &o->breakers, &o->args};
    allm__free(&host, o->bias, o->bias_ids.cap * sizeof *o->bias);
    ids_free(&o->bias_ids), ids_free(&o->types);
    for (size_t i = 0; i < COUNT(lists); i++)
        allm__free(&host, (void *)lists[i]->ptr, lists[i]->cap * sizeof *lists[i]->ptr);
    ids_free(&o->ids);
}

/* ================================================================ bytes, lines, JSON */

static allm__buf buf_new(void) {
    allm__buf b = {&host, NULL, 0, 0, 0, 0};
    return b;
}

static allm_str buf_str(const allm__buf *b) { return allm__str(b->ptr ? b->ptr : "", b->len); }

static allm_status buf_check(const allm__buf *b, allm_error *err) {
    return b->failed ? allm__fail_memory(err, b->cap) : ALLM_OK;
}

/* All of a stream, unchanged. */
static allm_status read_stream(FILE *f, const char *name, allm__buf *b, allm_error *err) {
    size_t got;
    do {
        char *p = allm__buf_room(b, 1 << 16);
        if (!p) return buf_check(b, err);
        got = fread(p, 1, 1 << 16, f);
        b->len -= (1 << 16) - got;
    } while (got > 0);
    return ferror(f) ? allm__fail(err, ALLM_E_IO, name, -1, "cannot read: %s", strerror(errno)) : ALLM_OK;
}

/* All of a file; "-" is stdin. A folder opens on some systems and fails when read. */
static allm_status read_path(const char *path, allm__buf *b, allm_error *err) {
    if (!strcmp(path, "-")) return read_stream(stdin, "standard input", b, err);
    FILE *f = fopen(path, "rb");
    if (!f) return allm__fail(err, ALLM_E_IO, path, -1, "cannot open: %s", strerror(errno));
    allm_status status = read_stream(f, path, b, err);
    fclose(f);
    return status;
}

/* A line of stdin without its end, however long; 0 at the end of the input. */
static int read_line(allm__buf *b) {
    int c;
    for (b->len = 0; (c = getc(stdin)) != EOF && c != '\n';) allm__buf_putc(b, (char)c);
    if (c == '\n' && b->len && b->ptr[b->len - 1] == '\r') b->len--;
    return c != EOF || b->len > 0;
}

/* Answers each line of stdin by a line of stdout; a line that cannot be answered gets {"error": "..."}. */
typedef allm_status (*answer)(void *ctx, allm_str line, allm__buf *result, allm_error *err);

static allm_status each_line(answer fn, void *ctx, allm_error *err) {
    allm__buf   line = buf_new(), result = buf_new();
    allm_status status = ALLM_OK;
    while (!status && read_line(&line)) {
        allm_error problem = {0};
        if (fn(ctx, buf_str(&line), &result, &problem)) {
            result.len = 0;
            allm__buf_puts(&result, "{\"error\": ");
            allm__json_put_str(&result, allm__str_of(problem.message));
            allm__buf_putc(&result, '}');
        }
        allm__buf_putc(&result, '\n');
        if (!(status = out_buf(&result, err))) status = out_flush(err);
    }
    if (!status) status = buf_check(&line, err);
    allm__buf_free(&line), allm__buf_free(&result);
    return status;
}

/* The text of the value that comes next; j->status tells whether it is one. */
static allm_str json_raw(allm__json *j) {
    allm__json_next(j);
    size_t from = j->at;
    allm__json_skip(j);
    return j->status ? ALLM__S("") : allm__str(j->p + from, j->pos - from);
}

/* A line that is one JSON string. */
static allm_status json_line_text(allm_str line, allm__buf *text, allm_error *err) {
    allm__json j;
    text->len = 0;
    allm__json_init(&j, &host, line, "line", 0, err);
    if (allm__json_begin(&j, ALLM__JSON_STRING, "a string")) allm__json_string(&j, text);
    allm_status status = allm__json_end(&j);
    allm__json_free(&j);
    return status ? status : buf_check(text, err);
}

/* A line that is one array of integers. */
static allm_status json_line_ids(allm_str line, ids *l, allm_error *err) {
    allm__json j;
    l->len = 0;
    allm__json_init(&j, &host, line, "line", 0, err);
    if (allm__json_begin(&j, ALLM__JSON_ARRAY, "an array of token ids"))
        while (allm__json_elem(&j)) {
            if (j.event != ALLM__JSON_INT || j.i < INT32_MIN || j.i > INT32_MAX)
                allm__json_fail(&j, j.at, "a token id expected");
            else if (!ids_add(l, (int32_t)j.i)) j.status = allm__fail_memory(err, l->cap);
        }
    allm_status status = allm__json_end(&j);
    allm__json_free(&j);
    return status;
}

static int hex_digit(char c) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char       *p        = c ? strchr(digits, c) : NULL;
    return p ? (int)(p - digits) % 16 : -1;
}

static allm_status unhex(allm_str text, allm__buf *bytes, allm_error *err) {
    bytes->len = 0;
    for (size_t i = 0; i < text.len; i += 2) {
        int hi = hex_digit(text.ptr[i]), lo = i + 1 < text.len ? hex_digit(text.ptr[i + 1]) : -1;
        if (hi < 0 || lo < 0)
            return allm__fail(err, ALLM_E_ARGUMENT, "text", (int64_t)i, "two hexadecimal digits expected");
        allm__buf_putc(bytes, (char)(hi << 4 | lo));
    }
    return buf_check(bytes, err);
}

/* ---- structs as text and as JSON, by tables of their fields */

typedef struct field_row {
    const char *name;
    char        type; /* s char array, i int32_t, u uint64_t, b int32_t that is a flag */
    size_t      offset;
} field_row;

static void put_field(allm__buf *b, const field_row *f, const void *base, int json) {
    const char *p = (const char *)base + f->offset;
    if (f->type == 's' && json) allm__json_put_str(b, allm__str_of(p));
    else if (f->type == 's') allm__buf_puts(b, p);
    else if (f->type == 'u') put_f(b, "%llu", (unsigned long long)*(const uint64_t *)(const void *)p);
    else if (f->type == 'i') allm__buf_int(b, *(const int32_t *)(const void *)p);
    else allm__buf_puts(b, *(const int32_t *)(const void *)p ? "true" : "false");
}

/* Members of a JSON object, or lines "name   value". */
static void put_fields(allm__buf *b, const field_row *f, size_t n, const void *base, int json) {
    for (size_t i = 0; i < n; i++) {
        if (json) allm__json_put_key(b, f[i].name);
        else put_f(b, "%-14s ", f[i].name);
        put_field(b, &f[i], base, json);
        if (!json) allm__buf_putc(b, '\n');
    }
}

static void put_ids(allm__buf *b, const int32_t *p, size_t n, const char *separator) {
    for (size_t i = 0; i < n; i++) {
        if (i) allm__buf_puts(b, separator);
        allm__buf_int(b, p[i]);
    }
}

/* ================================================================ models */

static void on_log(void *ctx, allm_log_level level, const char *text) {
    (void)ctx;
    if (level <= ALLM_LOG_WARN) fprintf(stderr, "warning: %s\n", text);
}

static allm_status open_runtime(const opts *o, allm_runtime **rt, allm_error *err) {
    allm_runtime_config config = {0};
    config.log       = o->command->bit == C_BENCH ? NULL : on_log; /* bench may go past the trained context */
    config.n_threads = o->n_threads;
    config.isa       = o->isa;
    return allm_runtime_create(&config, rt, err);
}

/* What a model name can be but cannot be opened yet: say so instead of "no such file". */
static allm_status check_model_name(const char *name, int vocab_only, allm_error *err) {
    static const char *const tails[] = {".safetensors", ".json", ".model"};
    const char *what  = NULL;
    allm_str    s     = allm__str_of(name);
    struct stat st;
    if (stat(name, &st) == 0) {
        if (vocab_only) return ALLM_OK; /* a tokenizer's file, or a folder with one */
        if ((st.st_mode & S_IFMT) == S_IFDIR) return ALLM_OK;
        for (size_t i = 0; i < COUNT(tails); i++)
            if (allm__str_ends(s, allm__str_of(tails[i]))) what = "such files";
    }
    if (!what) return ALLM_OK;
    return allm__fail(err, ALLM_E_UNSUPPORTED, name, -1, "%s are not supported yet, a GGUF file is expected", what);
}

typedef struct engine { /* a model for low-level use; zero it */
    allm_runtime   *rt;
    allm_model     *model;
    allm_session   *session;
    allm_adapter   *adapter;
    allm_model_info info;
    bar             bar;
} engine;

static allm_status engine_open(engine *e, const opts *o, int vocab_only, allm_error *err) {
    allm_source       source = {0};
    allm_model_config config = {0};
    e->bar.what = "load";
    source.path = o->model;
    config.reference = o->reference, config.vocab_only = vocab_only, config.low_memory = o->low_memory;
    config.on_load = bar_at, config.on_load_ctx = &e->bar;
    allm_status status = check_model_name(o->model, vocab_only, err);
    if (!status) status = open_runtime(o, &e->rt, err);
    if (!status) status = allm_model_open(e->rt, &source, &config, &e->model, err);
    bar_clear(&e->bar);
    return status ? status : allm_model_get_info(e->model, &e->info, err);
}

static allm_session_config session_config(const opts *o, int32_t n_ctx) {
    allm_session_config config = {0};
    config.n_ctx = n_ctx, config.n_batch = o->n_batch, config.kv_type = o->kv_type;
    return config;
}

static allm_status engine_session(engine *e, const opts *o, int32_t n_ctx, allm_error *err) {
    allm_session_config config = session_config(o, n_ctx);
    allm_session_destroy(e->session);
    e->session = NULL;
    if (o->adapter && !e->adapter && allm_adapter_open(e->model, o->adapter, &e->adapter, err)) return err->status;
    if (allm_session_create(e->model, &config, &e->session, err) || !e->adapter) return err->status;
    return allm_session_use_adapter(e->session, e->adapter, o->adapter_scale, err);
}

static void engine_close(engine *e) {
    allm_session_destroy(e->session);
    allm_adapter_close(e->adapter);
    allm_model_close(e->model);
    allm_runtime_destroy(e->rt);
}

static allm_status encode(const allm_model *m, allm_str text, int special, int bos, ids *l, allm_error *err) {
    size_t n = text.len + 16; /* rarely more ids than bytes */
    for (;;) {
        if (!allm__grow(&host, (void **)&l->ptr, &l->cap, 0, n, sizeof *l->ptr)) return allm__fail_memory(err, n);
        allm_status status = allm_tokenize(m, text, special, bos, l->ptr, l->cap, &n, err);
        if (status || n <= l->cap) return l->len = status ? 0 : n, status;
    }
}

static allm_status decode(const allm_model *m, const int32_t *p, size_t n_ids, int skip_special, allm__buf *text,
                          allm_error *err) {
    size_t n = 0, cap = n_ids * 8 + 64;
    for (;;) {
        text->len = 0;
        if (!allm__buf_room(text, cap)) return buf_check(text, err);
        allm_status status = allm_detokenize(m, p, n_ids, skip_special, text->ptr, cap, &n, err);
        if (status || n <= cap) return text->len = status ? 0 : n, status;
        cap = n;
    }
}

/* ================================================================ tools, for run and parse */

typedef struct tool_list { allm_tool *ptr; size_t len, cap; allm__arena arena; } tool_list;

/* A member of a tool, if it is one that counts. */
static int tool_member(tool_list *l, allm__json *j, allm_str key, allm_tool *tool) {
    const struct { const char *key, **text; int is_text; } members[] = {
        {"name", &tool->name, 1}, {"description", &tool->description, 1}, {"parameters", &tool->parameters_schema, 0}};
    allm_str s = {NULL, 0};
    size_t   i = 0;
    while (i < COUNT(members) && !allm__str_eq(key, allm__str_of(members[i].key))) i++;
    if (i == COUNT(members)) return allm__json_skip(j), 1;
    if (members[i].is_text ? !allm__json_get_str(j, members[i].key, &s) : (s = json_raw(j), !s.ptr)) return 0;
    *members[i].text = allm__arena_copy(&l->arena, s.ptr, s.len);
    return 1;
}

/* A tool: {"name", "description", "parameters"}, bare or as {"type": "function", "function": ...}. */
static int read_tool(tool_list *l, allm__json *j, allm_tool *tool) {
    allm_str key;
    while (allm__json_key(j, &key)) {
        if (!allm__str_eq(key, ALLM__S("function"))) tool_member(l, j, key, tool);
        else if (allm__json_begin(j, ALLM__JSON_OBJECT, "an object"))
            while (allm__json_key(j, &key)) tool_member(l, j, key, tool);
    }
    return tool->name || allm__json_fail(j, j->at, "a tool without a name");
}

static allm_status tools_read(tool_list *l, const char *path, allm_error *err) {
    allm__buf  text = buf_new();
    allm__json j;
    allm_tool  zero = {0};
    l->arena.host   = &host;
    if (read_path(path, &text, err)) return allm__buf_free(&text), err->status;
    allm__json_init(&j, &host, buf_str(&text), path, 0, err);
    for (int more = allm__json_begin(&j, ALLM__JSON_ARRAY, "an array"); more && allm__json_elem(&j);) {
        if (j.event != ALLM__JSON_OBJECT) { allm__json_fail(&j, j.at, "an object expected"); break; }
        if (!allm__grow(&host, (void **)&l->ptr, &l->cap, l->len, l->len + 1, sizeof zero)) break;
        l->ptr[l->len] = zero;
        if (read_tool(l, &j, &l->ptr[l->len])) l->len++;
    }
    allm_status status = allm__json_end(&j);
    allm__json_free(&j);
    allm__buf_free(&text);
    return status || !l->arena.failed ? status : allm__fail_memory(err, l->arena.n_bytes);
}

static void tools_free(tool_list *l) {
    allm__free(&host, l->ptr, l->cap * sizeof *l->ptr);
    allm__arena_free(&l->arena);
}

/* ================================================================ run */

typedef struct speaker { /* how an answer is shown while it comes */
    int        quiet; /* nothing of it on stdout: JSON or ids at the end */
    bar        bar;
    allm_error err; /* of writing it */
} speaker;

static int on_chunk(const allm_chunk *chunk, void *ctx) {
    speaker *s = (speaker *)ctx;
    if (chunk->event == ALLM_PROMPT_PROGRESS) return bar_at(&s->bar, chunk->progress), 0;
    bar_clear(&s->bar);
    if (chunk->event == ALLM_REASONING) fwrite(chunk->text, 1, chunk->len, stderr);
    if (chunk->event != ALLM_TEXT || s->quiet) return 0;
    return out(chunk->text, chunk->len, &s->err) || out_flush(&s->err);
}

/* An answer of llm, or with a text of a chat. */
static allm_status generate(allm_llm *llm, allm_chat *talk, const char *text, allm_request *req, int quiet,
                            allm_response *r, allm_error *err) {
    speaker voice = {quiet, {"prompt", 0, 0}, {ALLM_OK, 0, 0, 0, 0, "", ""}};
    req->on_chunk = on_chunk, req->on_chunk_ctx = &voice;
    allm_status status = talk ? allm_chat_send(talk, text, req, r, err) : allm_generate(llm, req, r, err);
    bar_clear(&voice.bar);
    if (voice.err.status) *err = voice.err; /* it is why the answer was cancelled */
    return status;
}

static allm_status llm_open(const opts *o, allm_runtime **rt, allm_llm **llm, allm_error *err) {
    bar         load   = {"load", 0, 0};
    allm_config config = {0};
    allm_status status = check_model_name(o->model, 0, err);
    if (!status) status = open_runtime(o, rt, err);
    config.runtime = *rt, config.model = o->model;
    config.n_ctx = o->n_ctx, config.n_batch = o->n_batch, config.kv_type = o->kv_type, config.reference = o->reference;
    config.low_memory = o->low_memory;
    config.no_speculation = o->no_spec, config.n_draft = o->n_draft, config.draft_model = o->draft_model;
    config.adapter_scale = o->adapter_scale;
    if (!(o->adapter_scale >= 0 && o->adapter_scale <= 0)) config.adapter = o->adapter; /* there 0 would be 1 */
    config.on_load = bar_at, config.on_load_ctx = &load;
    if (!status) status = allm_create(NULL, &config, llm, err);
    bar_clear(&load);
    return status;
}

/* The size of a field of allm_sampling that a flag of this kind sets; 0: it sets none. */
static size_t sampling_size(flag_kind k) {
    return k == K_FLOAT   ? sizeof(float)
           : k == K_INT   ? sizeof(int32_t)
           : k == K_LONG  ? sizeof(int64_t)
           : k == K_ORDER ? sizeof(const char *)
                          : 0;
}

static int sampling_is_given(const opts *o) {
    int any = o->breakers.len || o->bias_ids.len;
    for (size_t i = 0; i < COUNT(flags); i++) any |= o->given[i] && sampling_size(flags[i].kind);
    return any;
}

/* The fields of s whose flags were given. */
static void sampling_put(const opts *o, allm_sampling *s) {
    for (size_t i = 0; i < COUNT(flags); i++)
        if (o->given[i] && sampling_size(flags[i].kind))
            memcpy((char *)s + (flags[i].offset - AT(sampling)), (const char *)o + flags[i].offset,
                   sampling_size(flags[i].kind));
    if (o->bias_ids.len) s->bias_ids = o->bias_ids.ptr, s->bias = o->bias, s->n_bias = o->bias_ids.len;
    if (o->breakers.len) s->dry_breakers = o->breakers.ptr, s->n_dry_breakers = o->breakers.len;
    if (o->breakers.len == 1 && !strcmp(o->breakers.ptr[0], "none")) s->n_dry_breakers = 0;
}

/* The model's own sampling with the fields changed whose flags were given; NULL when none was. */
static allm_status sampling_of(const opts *o, allm_llm *llm, allm_sampling *s, const allm_sampling **given,
                               allm_error *err) {
    *given = sampling_is_given(o) ? s : NULL;
    if (!*given) return ALLM_OK;
    if (allm_default_sampling(llm, s, err)) return err->status;
    sampling_put(o, s);
    return ALLM_OK;
}

/* by allm_finish */
static const char *const finish_names[] = {"stop", "length", "tool_calls", "cancelled", "filtered"};

static const char *finish_name(allm_finish f) { return (size_t)f < COUNT(finish_names) ? finish_names[f] : "stop"; }

/* A log-probability; -inf, which JSON does not have, is null. */
static void put_logprob(allm__buf *b, float v) { allm__json_put_num(b, (double)v); }

static void put_logprobs(allm__buf *b, const allm_response *r) {
    size_t n = (size_t)r->completion_tokens, k = (size_t)r->n_logprobs;
    if (!r->logprobs) return;
    allm__json_put_key(b, "logprobs");
    for (size_t i = 0; i < n; i++) allm__buf_puts(b, i ? ", " : "["), put_logprob(b, r->logprobs[i]);
    allm__buf_puts(b, n ? "]" : "[]");
    allm__json_put_key(b, "n_logprobs"), allm__buf_int(b, r->n_logprobs);
    for (int as_ids = 1; as_ids >= 0 && k; as_ids--) {
        allm__json_put_key(b, as_ids ? "top_ids" : "top_logprobs");
        allm__buf_putc(b, '[');
        for (size_t i = 0; i < n; i++) {
            allm__buf_puts(b, i ? ", [" : "[");
            if (as_ids) put_ids(b, r->top_ids + i * k, k, ", ");
            for (size_t m = 0; m < k && !as_ids; m++)
                allm__buf_puts(b, m ? ", " : ""), put_logprob(b, r->top_logprobs[i * k + m]);
            allm__buf_putc(b, ']');
        }
        allm__buf_putc(b, ']');
    }
}

static void put_response(allm__buf *b, const allm_response *r) {
    const struct { const char *name; double value; } times[] = {
        {"load_s", r->load_s}, {"prompt_s", r->prompt_s}, {"generate_s", r->generate_s}};
    const struct { const char *name; int64_t value; } counts[] = {
        {"prompt_tokens", r->prompt_tokens}, {"cached_tokens", r->cached_tokens},
        {"completion_tokens", r->completion_tokens}, {"seed", r->seed},
        {"drafted_tokens", r->drafted_tokens}, {"accepted_tokens", r->accepted_tokens}};
    allm__buf_putc(b, '{');
    allm__json_put_key(b, "text");
    allm__json_put_str(b, allm__str(r->text ? r->text : "", r->text ? r->text_len : 0));
    allm__json_put_key(b, "reasoning");
    allm__json_put_str(b, allm__str_of(r->reasoning ? r->reasoning : ""));
    allm__json_put_key(b, "tool_calls");
    allm__buf_putc(b, '[');
    for (size_t i = 0; i < r->n_tool_calls; i++) {
        const allm_tool_call *c = &r->tool_calls[i];
        allm__json_put_key(b, NULL), allm__buf_putc(b, '{');
        allm__json_put_key(b, "id"), allm__json_put_str(b, allm__str_of(c->id));
        allm__json_put_key(b, "name"), allm__json_put_str(b, allm__str_of(c->name));
        allm__json_put_key(b, "arguments_json"), allm__json_put_str(b, allm__str_of(c->arguments_json));
        allm__buf_putc(b, '}');
    }
    allm__buf_putc(b, ']');
    allm__json_put_key(b, "finish");
    allm__json_put_str(b, allm__str_of(finish_name(r->finish)));
    for (size_t i = 0; i < COUNT(counts); i++)
        allm__json_put_key(b, counts[i].name), allm__buf_int(b, counts[i].value);
    for (size_t i = 0; i < COUNT(times); i++)
        allm__json_put_key(b, times[i].name), allm__json_put_num(b, times[i].value);
    allm__json_put_key(b, "token_ids");
    allm__buf_putc(b, '[');
    put_ids(b, r->token_ids, r->token_ids ? (size_t)r->completion_tokens : 0, ", ");
    allm__buf_putc(b, ']');
    put_logprobs(b, r);
    allm__buf_puts(b, "}\n");
}

static double rate(double n, double seconds) { return seconds > 0 ? n / seconds : 0; }

static void print_stats(const allm_response *r) {
    int n_new = (int)(r->prompt_tokens - r->cached_tokens), n = (int)r->completion_tokens;
    fprintf(stderr, "load %.3f s; prompt %d + %d cached tokens, %.3f s, %.1f tokens/s; ", r->load_s, n_new,
            (int)r->cached_tokens, r->prompt_s, rate(n_new, r->prompt_s));
    fprintf(stderr, "answer %d tokens (%d of %d guesses right), %.3f s, %.1f tokens/s; finish %s; seed %lld\n", n,
            (int)r->accepted_tokens, (int)r->drafted_tokens, r->generate_s, rate(n, r->generate_s),
            finish_name(r->finish), (long long)r->seed);
}

/* The calls that the model made, one a line: the name, a blank, the arguments as JSON. */
static void put_calls(allm__buf *b, const allm_response *r) {
    if (r->n_tool_calls && r->text_len && r->text[r->text_len - 1] != '\n') allm__buf_putc(b, '\n');
    for (size_t i = 0; i < r->n_tool_calls; i++) {
        allm__buf_puts(b, r->tool_calls[i].name), allm__buf_putc(b, ' ');
        allm__buf_puts(b, r->tool_calls[i].arguments_json), allm__buf_putc(b, '\n');
    }
}

static allm_status run_answer(const opts *o, allm_llm *llm, const char *bound, const tool_list *tools,
                              allm_response *r, allm_error *err) {
    allm_request  req = {0};
    allm_sampling sampling;
    if (o->schema_file) req.response_schema = bound;
    else req.grammar = bound;
    if (sampling_of(o, llm, &sampling, &req.sampling, err)) return err->status;
    if (o->ids.len) req.prompt_ids = o->ids.ptr, req.n_prompt_ids = o->ids.len;
    else req.prompt = o->prompt ? o->prompt : "";
    req.system = o->system, req.raw = o->raw, req.max_tokens = o->max_tokens, req.n_logprobs = o->n_logprobs;
    req.files = o->files.ptr, req.n_files = o->files.len;
    req.stop = o->stops.ptr, req.n_stop = o->stops.len;
    req.tools = tools->ptr, req.n_tools = tools->len, req.tool_choice = o->tool_choice;
    return generate(llm, NULL, NULL, &req, o->json || o->ids.len, r, err);
}

/* What the model said, but for what was written while it came. */
static allm_status run_end(const opts *o, const allm_response *r, allm_status status, allm_error *err) {
    allm__buf b = buf_new();
    if (!status && o->json) put_response(&b, r);
    else if (!status && o->ids.len) put_ids(&b, r->token_ids, (size_t)r->completion_tokens, " ");
    else if (!status) put_calls(&b, r);
    if (!status) status = out_buf(&b, err);
    if (!status && !o->json) status = r->n_tool_calls ? out_flush(err) : out_end(err);
    else if (status && r->text_len) out_end(err); /* the message begins a line of its own */
    if (!status && o->stats) print_stats(r);
    allm__buf_free(&b);
    return status;
}

/* Ids that follow ids, until there are enough or the context is full; l: of the answer. */
static allm_status run_ids(engine *e, const opts *o, ids *l, allm_response *r, allm_error *err) {
    allm_sampler *sampler = NULL;
    allm_sampling s       = {0};
    const size_t  most    = o->max_tokens > 0 ? (size_t)o->max_tokens : 4096;
    s.temperature = 0.7f, s.top_p = 0.9f, s.seed = -1;
    sampling_put(o, &s);
    if (s.seed < 0) s.seed = allm__samp_os_seed(); /* to be told */
    r->prompt_tokens = (int32_t)o->ids.len, r->finish = ALLM_FINISH_LENGTH, r->seed = s.seed;
    const double start  = allm__plat_seconds();
    allm_status  status = allm_sampler_create(e->model, &s, NULL, &sampler, err);
    if (!status) status = allm_sampler_accept(sampler, o->ids.ptr, o->ids.len, err);
    if (!status) status = allm_session_eval(e->session, o->ids.ptr, o->ids.len, 0, err);
    const double begun = allm__plat_seconds();
    while (!status) {
        int32_t id;
        if ((status = allm_sampler_next(sampler, allm_session_logits(e->session, 0), &id, NULL, err))) break;
        if (!ids_add(l, id)) status = allm__fail_memory(err, l->cap);
        if (status || l->len == most) break;
        if (!(status = allm_sampler_accept(sampler, &id, 1, err)))
            status = allm_session_eval(e->session, &id, 1, 0, err);
    }
    if (status == ALLM_E_CONTEXT && l->len) status = ALLM_OK;
    r->prompt_s = begun - start, r->generate_s = allm__plat_seconds() - begun;
    r->token_ids = l->ptr, r->completion_tokens = (int32_t)l->len;
    allm_sampler_destroy(sampler);
    return status;
}

/* A model without a tokenizer: it has neither texts nor an end of its answers. */
static allm_status run_bare(engine *e, const opts *o, allm_error *err) {
    allm_response r      = {0};
    ids           l      = {0};
    char          none[] = "";
    const double  start  = allm__plat_seconds();
    allm_status   status = engine_session(e, o, o->n_ctx, err);
    r.load_s = allm__plat_seconds() - start, r.text = none;
    if (!status) status = run_ids(e, o, &l, &r, err);
    status = run_end(o, &r, status, err);
    ids_free(&l);
    return status;
}

/* What only ids need, for a model that could not be opened to talk; 0: it is not that, and the error stays. */
static int run_without_texts(const opts *o, allm_status *status, allm_error *err) {
    engine     e = {0};
    allm_error again;
    int        can = o->ids.len && !o->schema_file && !o->gbnf_file && !o->n_logprobs && !o->stops.len;
    memset(&again, 0, sizeof again);
    can = can && *status == ALLM_E_UNSUPPORTED && !engine_open(&e, o, 0, &again) && !e.info.has_tokenizer;
    if (can) memset(err, 0, sizeof *err), *status = run_bare(&e, o, err);
    engine_close(&e);
    return can;
}

static allm_status cmd_run(const opts *o, allm_error *err) {
    allm_runtime *rt  = NULL;
    allm_llm     *llm = NULL;
    allm_response r   = {0};
    tool_list     tools;
    allm__buf     bound = buf_new();
    const char   *text = NULL, *file = o->schema_file ? o->schema_file : o->gbnf_file;
    allm_status   status = file ? read_path(file, &bound, err) : ALLM_OK;
    if (!status && file && !(text = allm__buf_text(&bound))) status = buf_check(&bound, err);
    memset(&tools, 0, sizeof tools);
    if (!status && o->tools_file) status = tools_read(&tools, o->tools_file, err);
    if (!status) status = llm_open(o, &rt, &llm, err);
    if (!status || !run_without_texts(o, &status, err)) {
        if (!status) status = run_answer(o, llm, text, &tools, &r, err);
        status = run_end(o, &r, status, err);
    }
    allm__buf_free(&bound);
    allm_response_free(&r);
    allm_destroy(llm);
    allm_runtime_destroy(rt);
    tools_free(&tools);
    return status;
}

static const char *check_run(const opts *o) {
    if (o->prompt && o->ids.len) return "-p and --ids exclude each other";
    if (o->ids.len && (o->system || o->files.len)) return "--ids takes no -s and no -f";
    if (o->schema_file && o->gbnf_file) return "--schema and --gbnf exclude each other";
    if (o->tools_file && (o->raw || o->ids.len)) return "--tools takes no --raw and no --ids";
    if (o->tool_choice && !o->tools_file) return "--tool-choice needs --tools FILE";
    return o->prompt || o->ids.len || o->files.len ? NULL : "-p TEXT (or --ids) is missing";
}

/* ================================================================ chat */

typedef struct chat {
    const opts   *o;
    allm_llm     *llm;
    allm_chat    *talk;
    allm_response last; /* for /stats */
    int           n_answers, n_failed, quit;
} chat;

static void chat_take(chat *c, allm_chat *talk) { /* another conversation instead of this one */
    allm_chat_destroy(c->talk);
    c->talk = talk;
}

static allm_status chat_reset(chat *c, const char *arg, allm_error *err) {
    allm_chat_config config = {0};
    allm_chat       *talk   = NULL;
    (void)arg;
    config.system = c->o->system, config.overflow = ALLM_OVERFLOW_DROP_OLDEST;
    if (!allm_chat_create(c->llm, &config, &talk, err)) chat_take(c, talk);
    return err->status;
}

static allm_status chat_save(chat *c, const char *path, allm_error *err) {
    return allm_chat_save(c->talk, path, 0, err);
}

/* The conversation in memory stays unless the file can be read whole. */
static allm_status chat_load(chat *c, const char *path, allm_error *err) {
    allm_chat_config config = {0};
    allm_chat       *talk   = NULL;
    config.overflow         = ALLM_OVERFLOW_DROP_OLDEST;
    if (!allm_chat_load(c->llm, path, &config, &talk, err)) chat_take(c, talk);
    return err->status;
}

/* ---- talking */

static allm_llm *volatile    answering; /* what Ctrl-C cancels */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig) {
    allm_llm *llm = answering;
    interrupted   = 1;
    if (llm) allm_cancel(llm);
#if !defined(ALLM__POSIX)
    signal(sig, on_interrupt);
#endif
    (void)sig;
}

static void catch_interrupts(void) {
#if defined(ALLM__POSIX)
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt; /* without SA_RESTART: it also ends the wait for a line */
    sigaction(SIGINT, &action, NULL);
#else
    signal(SIGINT, on_interrupt);
#endif
}

static allm_status chat_answer(chat *c, const char *text, allm_error *err) {
    allm_request  req = {0};
    allm_sampling sampling;
    if (sampling_of(c->o, c->llm, &sampling, &req.sampling, err)) return err->status;
    req.max_tokens = c->o->max_tokens, req.stop = c->o->stops.ptr, req.n_stop = c->o->stops.len;
    allm_response_free(&c->last);
    interrupted = 0, answering = c->llm;
    allm_status status = generate(c->llm, c->talk, text, &req, 0, &c->last, err);
    answering          = NULL;
    return status;
}

/* One turn. Only what ends the program is returned. */
static allm_status chat_turn(chat *c, const char *text, allm_error *err) {
    allm_error  problem = {0};
    allm_status status  = c->n_answers++ && !is_terminal(stdout) ? out("\n", 1, err) : ALLM_OK; /* between answers */
    if (status) return status;
    status = chat_answer(c, text, &problem);
    if (ferror(stdout) || out_end(err)) return *err = problem.status ? problem : *err, err->status;
    if (status && status != ALLM_E_CANCELLED) fprintf(stderr, "allm: %s\n", problem.message), c->n_failed++;
    if (!status && c->o->stats) print_stats(&c->last);
    return ALLM_OK;
}

static allm_status chat_stats(chat *c, const char *arg, allm_error *err) {
    (void)arg, (void)err;
    print_stats(&c->last);
    return ALLM_OK;
}

static allm_status chat_quit(chat *c, const char *arg, allm_error *err) {
    (void)arg, (void)err;
    c->quit = 1;
    return ALLM_OK;
}

static const struct slash {
    const char *name, *arg, *help;
    allm_status (*function)(chat *c, const char *arg, allm_error *err); /* NULL: the help */
} slashes[] = {
    {"/reset", NULL, "forget the conversation", chat_reset},
    {"/save", "FILE", "write the conversation as JSON", chat_save},
    {"/load", "FILE", "go on with a saved conversation", chat_load},
    {"/stats", NULL, "token counts and speed of the last answer", chat_stats},
    {"/quit", NULL, "leave; the end of the input does, too", chat_quit},
    {"/help", NULL, "this text; Ctrl-C stops an answer", NULL},
};

static void chat_help(void) {
    for (size_t i = 0; i < COUNT(slashes); i++)
        fprintf(stderr, "%-7s %-5s %s\n", slashes[i].name, slashes[i].arg ? slashes[i].arg : "", slashes[i].help);
}

static void chat_slash(chat *c, char *line) {
    allm_error problem = {0};
    size_t     n = strcspn(line, " \t"), i = 0;
    char      *arg = line + n + strspn(line + n, " \t");
    for (size_t k = strlen(arg); k > 0 && strchr(" \t", arg[k - 1]);) arg[--k] = 0;
    while (i < COUNT(slashes) && !allm__str_eq(allm__str(line, n), allm__str_of(slashes[i].name))) i++;
    if (i == COUNT(slashes))
        allm__fail(&problem, ALLM_E_ARGUMENT, NULL, -1, "unknown command %.*s, see /help", (int)MIN(n, 40), line);
    else if (slashes[i].arg && !*arg)
        allm__fail(&problem, ALLM_E_ARGUMENT, NULL, -1, "%s wants a %s", slashes[i].name, slashes[i].arg);
    else if (slashes[i].function) slashes[i].function(c, arg, &problem);
    else chat_help();
    if (problem.status) fprintf(stderr, "allm: %s\n", problem.message), c->n_failed++;
}

/* The next line of the user; 0 at the end. Ctrl-C while waiting drops the line. */
static int chat_line(allm__buf *line) {
    for (;;) {
        if (is_terminal(stdin)) fputs("> ", stderr), fflush(stderr);
        interrupted = 0;
        int there   = read_line(line);
        if (!interrupted || !ferror(stdin)) return there;
        clearerr(stdin); /* the read was interrupted */
        if (is_terminal(stdin)) fputs("\n", stderr);
    }
}

static allm_status cmd_chat(const opts *o, allm_error *err) {
    allm_runtime *rt   = NULL;
    allm__buf     line = buf_new();
    chat          c    = {0};
    c.o = o;
    allm_status status = llm_open(o, &rt, &c.llm, err);
    if (!status) status = chat_reset(&c, NULL, err);
    if (!status) catch_interrupts();
    if (!status && is_terminal(stdin)) fprintf(stderr, "%s; /help lists the commands\n", o->model);
    while (!status && !c.quit && chat_line(&line)) {
        char *text = allm__buf_text(&line);
        if (!text) status = allm__fail_memory(err, line.len);
        else if (text[0] == '/') chat_slash(&c, text);
        else if (text[strspn(text, " \t")]) status = chat_turn(&c, text, err);
    }
    if (!status && c.n_failed && !is_terminal(stdin)) status = ALLM_E_ARGUMENT; /* told already */
    chat_take(&c, NULL);
    allm_response_free(&c.last);
    allm__buf_free(&line);
    allm_destroy(c.llm);
    allm_runtime_destroy(rt);
    return status;
}

/* ================================================================ tokenize, detokenize */

typedef struct texts { /* context of the two commands' lines */
    const opts *o;
    engine      e;
    ids         ids;
    allm__buf   text, bytes;
    double      seconds; /* in the tokenizer alone */
    size_t      n_bytes, n_tokens;
} texts;

static allm_status tokenize_text(texts *t, allm_str text, allm_error *err) {
    if (t->o->hex) {
        if (unhex(text, &t->bytes, err)) return err->status;
        text = buf_str(&t->bytes);
    }
    double      from   = allm__plat_seconds();
    allm_status status = encode(t->e.model, text, t->o->special, t->o->bos, &t->ids, err);
    t->seconds += allm__plat_seconds() - from;
    t->n_bytes += text.len, t->n_tokens += t->ids.len;
    return status;
}

static allm_status tokenize_line(void *ctx, allm_str line, allm__buf *result, allm_error *err) {
    texts *t = (texts *)ctx;
    if (json_line_text(line, &t->text, err) || tokenize_text(t, buf_str(&t->text), err)) return err->status;
    allm__buf_putc(result, '[');
    put_ids(result, t->ids.ptr, t->ids.len, ", ");
    allm__buf_putc(result, ']');
    return ALLM_OK;
}

/* TEXT, or all of stdin. */
static allm_status tokenize_once(texts *t, allm_error *err) {
    allm_str    text;
    allm_status status = t->o->args.len ? ALLM_OK : read_path("-", &t->text, err);
    if (status) return status;
    text = t->o->args.len ? allm__str_of(t->o->args.ptr[0]) : buf_str(&t->text);
    if (!t->o->args.len && t->o->hex) /* the line's end is no digit */
        while (text.len && strchr("\r\n", text.ptr[text.len - 1])) text.len--;
    if (tokenize_text(t, text, err)) return err->status;
    t->bytes.len = 0;
    put_ids(&t->bytes, t->ids.ptr, t->ids.len, " ");
    return ALLM_OK;
}

static void put_text(allm__buf *b, allm_str s, int is_first) {
    if (!is_first) allm__buf_puts(b, ", ");
    allm__json_put_str(b, s);
}

/* The text after each id, and what is held back at the end. */
static allm_status put_stream(allm__buf *b, const texts *t, allm_error *err) {
    allm_detok_state state;
    allm_str         piece;
    memset(&state, 0, sizeof state);
    allm__buf_putc(b, '[');
    for (size_t i = 0; i <= t->ids.len; i++) {
        int32_t id = i < t->ids.len ? t->ids.ptr[i] : -1;
        if (i < t->ids.len && id < 0)
            return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "token id %d is negative", (int)id);
        if (allm_detokenize_next(t->e.model, &state, id, t->o->skip_special, &piece, err)) return err->status;
        put_text(b, piece, i == 0);
    }
    allm__buf_putc(b, ']');
    return ALLM_OK;
}

static allm_status detokenize_line(void *ctx, allm_str line, allm__buf *result, allm_error *err) {
    texts *t = (texts *)ctx;
    if (json_line_ids(line, &t->ids, err)) return err->status;
    if (t->o->stream) return put_stream(result, t, err);
    if (decode(t->e.model, t->ids.ptr, t->ids.len, t->o->skip_special, &t->text, err)) return err->status;
    allm__json_put_str(result, buf_str(&t->text));
    return ALLM_OK;
}

/* Ids as arguments or from stdin; those outside the vocabulary are left out, with a warning. */
static allm_status detokenize_once(texts *t, allm_error *err) {
    size_t n = 0;
    if (!t->o->args.len && read_path("-", &t->text, err)) return err->status;
    for (size_t i = 0; i < t->o->args.len; i++)
        allm__buf_puts(&t->text, t->o->args.ptr[i]), allm__buf_putc(&t->text, ' ');
    const char *text = allm__buf_text(&t->text);
    if (!text) return buf_check(&t->text, err);
    if (!parse_ids(text, &t->ids))
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "token ids expected, such as 1 2 3");
    for (size_t i = 0; i < t->ids.len; i++) {
        int32_t id = t->ids.ptr[i];
        if (id >= 0 && id < t->e.info.n_vocab) t->ids.ptr[n++] = id;
        else fprintf(stderr, "warning: token id %d left out, the vocabulary has %d\n", (int)id, (int)t->e.info.n_vocab);
    }
    t->ids.len = n;
    if (t->o->stream) return put_stream(&t->bytes, t, err);
    return decode(t->e.model, t->ids.ptr, n, t->o->skip_special, &t->bytes, err);
}

static allm_status texts_command(const opts *o, answer line, allm_status (*once)(texts *, allm_error *),
                                 allm_error *err) {
    texts t;
    memset(&t, 0, sizeof t);
    t.o = o, t.text = t.bytes = buf_new();
    allm_status status = engine_open(&t.e, o, 1, err);
    if (!status && o->jsonl) status = each_line(line, &t, err);
    else if (!status && !(status = once(&t, err)) && !(status = out_buf(&t.bytes, err))) status = out_end(err);
    if (o->stats && !status)
        fprintf(stderr, "%llu bytes, %llu tokens, %.6f seconds\n", (unsigned long long)t.n_bytes,
                (unsigned long long)t.n_tokens, t.seconds);
    ids_free(&t.ids), allm__buf_free(&t.text), allm__buf_free(&t.bytes);
    engine_close(&t.e);
    return status;
}

static allm_status cmd_tokenize(const opts *o, allm_error *err) {
    return texts_command(o, tokenize_line, tokenize_once, err);
}

static allm_status cmd_detokenize(const opts *o, allm_error *err) {
    return texts_command(o, detokenize_line, detokenize_once, err);
}

static const char *check_texts(const opts *o) {
    return o->jsonl && o->args.len ? "--jsonl reads stdin and takes no arguments" : NULL;
}

/* ================================================================ render */

typedef struct renderer { /* what a template comes from, and its clock */
    const opts    *o;
    engine         e;    /* with -m */
    allm__tmpl    *tmpl; /* of --template */
    allm__buf      text; /* its source */
    allm__tmpl_now now;  /* year 0: the system's */
} renderer;

static int parse_now(const char *text, allm__tmpl_now *now) {
    static const int lo[6] = {1, 1, 1, 0, 0, 0}, hi[6] = {9999, 12, 31, 23, 59, 60};
    char end;
    int  v[6], ok = sscanf(text, "%4d-%2d-%2d %2d:%2d:%2d%c", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &end) == 6;
    for (int i = 0; ok && i < 6; i++) ok = v[i] >= lo[i] && v[i] <= hi[i];
    if (!ok) return 0;
    now->year = v[0], now->month = v[1], now->day = v[2], now->hour = v[3], now->minute = v[4], now->second = v[5];
    return 1;
}

/* Appends what a template makes of the variables of a JSON object. source: of tmpl. */
static allm_status render_with(const renderer *r, const allm__tmpl *tmpl, allm_str source, allm_str context,
                               int is_chat, allm__buf *prompt, allm_error *err) {
    allm__chat_var        vars[6];
    allm__chat            way  = {&host, tmpl, source, vars, r->e.model ? allm__gen_tokens(r->e.model, vars) : 0, NULL};
    allm__spans           user = {&host, NULL, 0, 0, 0}; /* which bytes are the caller's: not asked for here */
    const allm__tmpl_now *now  = r->now.year ? &r->now : NULL;
    allm_status           status = allm__chat_render_json(&way, context, is_chat, now, prompt, &user, err);
    allm__spans_free(&user);
    return status;
}

/* The model's template, or that of --template. */
static allm_status render_context(const renderer *r, allm_str context, int is_chat, allm__buf *prompt,
                                  allm_error *err) {
    const allm_model *m = r->e.model;
    if (!m) return render_with(r, r->tmpl, buf_str(&r->text), context, is_chat, prompt, err);
    if (m->tmpl) return render_with(r, m->tmpl, m->chat_template, context, 1, prompt, err);
    if (m->template_error.status) return *err = m->template_error, err->status;
    return allm__fail(err, ALLM_E_UNSUPPORTED, r->o->model, -1, "the model has no chat template");
}

/* {"template": text, "context": {...}, "chat": true}; the template is left out with -m and --template. */
static allm_status render_line(void *p, allm_str line, allm__buf *result, allm_error *err) {
    renderer   *r = (renderer *)p;
    allm__json  j;
    allm_str    key, s, context = {NULL, 0};
    int         is_chat = 0, has_own = 0;
    allm__buf   prompt = buf_new(), source = buf_new();
    allm__tmpl *own = NULL;
    allm__json_init(&j, &host, line, "line", ALLM__JSON_DEPTH_MAX, err);
    for (int more = allm__json_begin(&j, ALLM__JSON_OBJECT, "an object"); more && allm__json_key(&j, &key);) {
        if (allm__str_eq(key, ALLM__S("context"))) context = json_raw(&j);
        else if (allm__str_eq(key, ALLM__S("chat"))) allm__json_get_bool(&j, "chat", &is_chat);
        else if (allm__str_eq(key, ALLM__S("template"))) {
            source.len = 0;
            if (allm__json_get_str(&j, "template", &s)) allm__buf_put(&source, s.ptr, s.len), has_own = 1;
        } else allm__json_skip(&j);
    }
    allm_status status = allm__json_end(&j);
    allm__json_free(&j);
    has_own = has_own && !r->e.model && !r->tmpl;
    if (!status && (!context.ptr || !(has_own || r->e.model || r->tmpl)))
        status = allm__fail(err, ALLM_E_ARGUMENT, "line", -1, "no \"%s\" in it", context.ptr ? "template" : "context");
    if (!status && has_own) status = allm__tmpl_compile(&host, buf_str(&source), "chat template", &own, err);
    if (!status && has_own) status = render_with(r, own, buf_str(&source), context, is_chat, &prompt, err);
    else if (!status) status = render_context(r, context, is_chat, &prompt, err);
    allm__buf_puts(result, "{\"text\": "), allm__json_put_str(result, buf_str(&prompt)), allm__buf_putc(result, '}');
    allm__tmpl_free(own);
    allm__buf_free(&prompt), allm__buf_free(&source);
    return status;
}

static allm_status cmd_render(const opts *o, allm_error *err) {
    renderer    r;
    allm__buf   context = buf_new(), prompt = buf_new();
    allm_status status  = ALLM_OK;
    memset(&r, 0, sizeof r);
    r.o = o, r.text = buf_new();
    if (o->now && !parse_now(o->now, &r.now))
        status = allm__fail(err, ALLM_E_ARGUMENT, "--now", -1, "\"YYYY-MM-DD HH:MM:SS\" expected");
    if (!status && o->model) status = engine_open(&r.e, o, 1, err);
    if (!status && o->template_file && !(status = read_path(o->template_file, &r.text, err)))
        status = allm__tmpl_compile(&host, buf_str(&r.text), o->template_file, &r.tmpl, err);
    if (!status && o->context_file) status = read_path(o->context_file, &context, err);
    if (!status && o->jsonl) status = each_line(render_line, &r, err);
    else if (!status) status = render_context(&r, buf_str(&context), 0, &prompt, err);
    if (!status && !o->jsonl && !(status = out_buf(&prompt, err))) status = out_end(err);
    allm__tmpl_free(r.tmpl);
    allm__buf_free(&r.text), allm__buf_free(&context), allm__buf_free(&prompt);
    engine_close(&r.e);
    return status;
}

static const char *check_render(const opts *o) {
    if (o->model && o->template_file) return "-m and --template exclude each other";
    if (o->jsonl) return o->context_file ? "--jsonl reads contexts from stdin, it takes no --context" : NULL;
    if (!o->model && !o->template_file) return "-m MODEL or --template FILE is missing";
    return o->context_file ? NULL : "--context FILE is missing";
}

/* ================================================================ grammar */

#ifndef ABSTRACTLLM_NO_GRAMMAR

/* Is the line, a JSON string, a text of the grammar? */
static allm_status grammar_line(void *p, allm_str line, allm__buf *result, allm_error *err) {
    allm__gram_run *r    = (allm__gram_run *)p;
    allm_error      no   = {ALLM_OK, -1, 0, 0, 0, "", ""};
    allm_str        text = {"", 0};
    allm__json      j;
    allm__json_init(&j, &host, line, "line", 0, err);
    allm__gram_run_reset(r);
    int ok = allm__json_get_str(&j, "line", &text) && !allm__gram_accept(r, text.ptr, text.len, &no);
    allm_status status = allm__json_end(&j);
    if (!status) allm__buf_puts(result, ok && allm__gram_may_end(r) ? "true" : "false");
    allm__json_free(&j);
    return status;
}

static allm_status cmd_grammar(const opts *o, allm_error *err) {
    allm__gram    *g    = NULL;
    allm__gram_run r;
    allm__buf      text = buf_new();
    const char    *file = o->schema_file ? o->schema_file : o->gbnf_file;
    memset(&r, 0, sizeof r);
    if (!read_path(file, &text, err)) {
        if (o->schema_file) allm__gram_compile_schema(&host, buf_str(&text), file, NULL, 0, &g, err);
        else allm__gram_compile_gbnf(&host, buf_str(&text), file, NULL, &g, err);
    }
    if (!err->status && !allm__gram_run_init(&r, &host, g, NULL, err)) each_line(grammar_line, &r, err);
    allm__gram_run_free(&r);
    allm__gram_free(g);
    allm__buf_free(&text);
    return err->status;
}

#else

static allm_status cmd_grammar(const opts *o, allm_error *err) {
    (void)o;
    return allm__fail(err, ALLM_E_UNSUPPORTED, NULL, -1, "built without grammars (ABSTRACTLLM_NO_GRAMMAR)");
}

#endif

static const char *check_grammar(const opts *o) {
    if (!o->schema_file == !o->gbnf_file) return "either --schema FILE or --gbnf FILE";
    return o->jsonl ? NULL : "--jsonl is missing";
}

/* ================================================================ parse */

typedef struct parser { /* what outputs are of, and one that is being taken apart */
    const opts           *o;
    const allm__filt_row *row;
    tool_list             tools;
    allm__filt            filter;
    allm__buf             content, reasoning, calls, args;
    size_t                n_done, i_call; /* calls complete; where the last one begins */
} parser;

/* Calls that are never complete leave no trace. */
static allm_status parse_piece(void *ctx, const allm__filt_piece *piece, allm_error *err) {
    parser *p = (parser *)ctx;
    (void)err;
    switch (piece->kind) {
    case ALLM__FILT_TEXT: allm__buf_put(&p->content, piece->text.ptr, piece->text.len); break;
    case ALLM__FILT_REASONING: allm__buf_put(&p->reasoning, piece->text.ptr, piece->text.len); break;
    case ALLM__FILT_CALL: p->args.len = 0; break;
    case ALLM__FILT_ARGS: allm__buf_put(&p->args, piece->text.ptr, piece->text.len); break;
    default:
        allm__buf_puts(&p->calls, p->n_done++ ? ", {\"name\": " : "{\"name\": ");
        allm__json_put_str(&p->calls, allm__str_of(piece->name));
        allm__buf_puts(&p->calls, ", \"arguments\": "), allm__buf_put(&p->calls, p->args.ptr, p->args.len);
        if (piece->id.len) allm__buf_puts(&p->calls, ", \"id\": "), allm__json_put_str(&p->calls, piece->id);
        allm__buf_putc(&p->calls, '}');
    }
    return ALLM_OK;
}

static allm_status parse_text(parser *p, allm_str text, allm_str tail, allm_error *err) {
    allm__filt *f      = &p->filter;
    allm_status status = allm__filt_init(f, &host, p->row, tail, 1, p->tools.ptr, p->tools.len, 0, err);
    f->sink = parse_piece, f->ctx = p;
    p->content.len = p->reasoning.len = p->calls.len = p->n_done = 0;
    size_t step = p->o->split ? 1 : MAX(text.len, (size_t)1);
    for (size_t i = 0; !status && i < text.len; i += step)
        status = allm__filt_push(f, allm__str(text.ptr + i, step), err);
    if (!status) status = allm__filt_finish(f, 0, err);
    allm__filt_free(f);
    return status;
}

/* {"text", "prompt_tail"} to {"content", "reasoning", "tool_calls", "finish"} */
static allm_status parse_line(void *ctx, allm_str line, allm__buf *result, allm_error *err) {
    parser    *p = (parser *)ctx;
    allm__json j;
    allm_str   key, s;
    int        has_text = 0;
    allm__buf  text = buf_new(), tail = buf_new();
    allm__json_init(&j, &host, line, "line", ALLM__JSON_DEPTH_MAX, err);
    for (int more = allm__json_begin(&j, ALLM__JSON_OBJECT, "an object"); more && allm__json_key(&j, &key);) {
        int is_text = allm__str_eq(key, ALLM__S("text")), is_tail = allm__str_eq(key, ALLM__S("prompt_tail"));
        allm__json_next(&j);
        if ((is_text || is_tail) && j.event == ALLM__JSON_STRING)
            has_text |= is_text, s = allm__json_text(&j), allm__buf_put(is_text ? &text : &tail, s.ptr, s.len);
        else if (is_text) allm__json_fail(&j, j.at, "\"text\": a string expected");
        else allm__json_skip(&j);
    }
    allm_status status = allm__json_end(&j);
    allm__json_free(&j);
    if (!status && !has_text) status = allm__fail(err, ALLM_E_ARGUMENT, "line", -1, "no \"text\" in it");
    if (!status) status = parse_text(p, buf_str(&text), buf_str(&tail), err);
    allm__buf_puts(result, "{\"content\": "), allm__json_put_str(result, buf_str(&p->content));
    allm__buf_puts(result, ", \"reasoning\": "), allm__json_put_str(result, buf_str(&p->reasoning));
    allm__buf_puts(result, ", \"tool_calls\": ["), allm__buf_put(result, p->calls.ptr, p->calls.len);
    put_f(result, "], \"finish\": \"%s\"}", p->filter.text_cut ? "length" : p->n_done ? "tool_calls" : "stop");
    allm__buf_free(&text), allm__buf_free(&tail);
    return status;
}

static allm_status cmd_parse(const opts *o, allm_error *err) {
    parser      p;
    engine      e;
    allm__buf   source = buf_new();
    allm_status status = ALLM_OK;
    memset(&p, 0, sizeof p), memset(&e, 0, sizeof e);
    p.o = o;
    p.content = p.reasoning = p.calls = p.args = buf_new();
    if (o->model) status = engine_open(&e, o, 1, err);
    if (!status && o->template_file) status = read_path(o->template_file, &source, err);
    if (!status && o->format && !(p.row = allm__filt_find(allm__str_of(o->format))))
        status = allm__fail(err, ALLM_E_NOT_FOUND, "--format", -1, "no family is named \"%.60s\"", o->format);
    if (!status && !p.row) p.row = allm__filt_detect(o->model ? e.model->chat_template : buf_str(&source));
    if (!status && o->tools_file) status = tools_read(&p.tools, o->tools_file, err);
    if (!status) status = each_line(parse_line, &p, err);
    allm__buf_free(&p.content), allm__buf_free(&p.reasoning), allm__buf_free(&p.calls), allm__buf_free(&p.args);
    tools_free(&p.tools);
    allm__buf_free(&source);
    engine_close(&e);
    return status;
}

static const char *check_parse(const opts *o) {
    int n = (o->model != NULL) + (o->template_file != NULL) + (o->format != NULL);
    if (n != 1) return "one of -m MODEL, --template FILE and --format NAME is needed";
    return o->jsonl ? NULL : "--jsonl is missing";
}

/* ================================================================ logits */

/* Evaluates p[0..n) after what is there and gives each row of logits to `row`; bounded pieces, as all rows of a long
 * text would fill the memory. */
typedef allm_status (*on_row)(void *ctx, size_t i, const float *logits, allm_error *err);

static allm_status eval_rows(engine *e, const int32_t *p, size_t n, on_row row, void *ctx, allm_error *err) {
    size_t step = MAX((size_t)16, MIN((size_t)256, ((size_t)1 << 24) / (size_t)MAX(e->info.n_vocab, 1)));
    for (size_t i = 0; i < n; i += step) {
        size_t n_now = MIN(step, n - i);
        if (allm_session_eval(e->session, p + i, n_now, 1, err)) return err->status;
        for (size_t k = 0; k < n_now; k++) {
            const float *logits = allm_session_logits(e->session, k);
            if (!logits) return allm__fail(err, ALLM_E_NUMERIC, NULL, -1, "no logits of token %zu", i + k);
            if (row(ctx, i + k, logits, err)) return err->status;
        }
        bar_at(&e->bar, (float)(i + n_now) / (float)n);
    }
    return ALLM_OK;
}

typedef struct row_writer {
    FILE     *file;
    int32_t   n_row; /* floats */
    allm__buf bytes; /* a row, little-endian */
} row_writer;

static allm_status write_row(void *ctx, size_t i, const float *row, allm_error *err) {
    row_writer *w = (row_writer *)ctx;
    (void)i;
    w->bytes.len = 0;
    uint8_t *p = (uint8_t *)allm__buf_room(&w->bytes, 4 * (size_t)w->n_row);
    if (!p) return buf_check(&w->bytes, err);
    for (int32_t k = 0; k < w->n_row; k++, p += 4) {
        uint32_t u = allm__bits(row[k]);
        p[0] = (uint8_t)u, p[1] = (uint8_t)(u >> 8), p[2] = (uint8_t)(u >> 16), p[3] = (uint8_t)(u >> 24);
    }
    if (w->file == stdout) return out(w->bytes.ptr, w->bytes.len, err);
    if (fwrite(w->bytes.ptr, 1, w->bytes.len, w->file) == w->bytes.len) return ALLM_OK;
    return allm__fail(err, ALLM_E_IO, "output", -1, "cannot write: %s", strerror(errno));
}

static allm_status writer_open(row_writer *w, const opts *o, allm_error *err) {
    if (!o->output || (w->file = fopen(o->output, "wb"))) return ALLM_OK;
    return allm__fail(err, ALLM_E_IO, o->output, -1, "cannot open: %s", strerror(errno));
}

static allm_status writer_close(row_writer *w, const opts *o, allm_status status, allm_error *err) {
    if (w->file == stdout) status = status ? status : out_flush(err);
    else if (w->file && fclose(w->file) != 0 && !status)
        status = allm__fail(err, ALLM_E_IO, o->output, -1, "cannot write: %s", strerror(errno));
    allm__buf_free(&w->bytes);
    return status;
}

/* What the engine would find in a later piece: said before the first row is written. */
static allm_status check_ids(const engine *e, const ids *l, int32_t n_ctx, allm_error *err) {
    if (l->len > (size_t)n_ctx)
        return allm__fail(err, ALLM_E_CONTEXT, NULL, -1, "%zu tokens do not fit a context of %d", l->len, (int)n_ctx);
    for (size_t i = 0; i < l->len; i++)
        if (l->ptr[i] < 0 || l->ptr[i] >= e->info.n_vocab)
            return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "token id %d at %zu, the vocabulary has %d",
                              (int)l->ptr[i], i, (int)e->info.n_vocab);
    return ALLM_OK;
}

static allm_status write_logits(engine *e, const opts *o, row_writer *w, allm_error *err) {
    if (!o->last) return eval_rows(e, o->ids.ptr, o->ids.len, write_row, w, err);
    if (allm_session_eval(e->session, o->ids.ptr, o->ids.len, 0, err)) return err->status;
    return write_row(w, 0, allm_session_logits(e->session, 0), err);
}

static allm_status cmd_logits(const opts *o, allm_error *err) {
    engine     e = {0};
    row_writer w = {stdout, 0, buf_new()};
    allm_status status = engine_open(&e, o, 0, err);
    int32_t n_ctx = o->n_ctx ? o->n_ctx : MAX(e.info.n_ctx_train, (int32_t)MIN(o->ids.len, (size_t)INT32_MAX));
    w.n_row = e.info.n_vocab, e.bar.what = "logits";
    if (!status) status = check_ids(&e, &o->ids, n_ctx, err);
    if (!status) status = engine_session(&e, o, n_ctx, err);
    if (!status) status = writer_open(&w, o, err);
    if (!status) status = write_logits(&e, o, &w, err);
    status = writer_close(&w, o, status, err);
    bar_clear(&e.bar);
    engine_close(&e);
    return status;
}

static const char *check_logits(const opts *o) {
    if (!o->ids.len) return "--ids 1,2,3 is missing";
    return !o->output && is_terminal(stdout) ? "raw floats are not for a terminal: -o FILE, or a pipe" : NULL;
}

/* ================================================================ embed */

static const char *const poolings[] = {"mean", "cls", "last"}; /* ALLM__POOL_MEAN and on */

static int64_t pooling_of(const opts *o) { /* ALLM__POOL_NONE: as the model says; < 0: not known */
    if (!o->pooling) return ALLM__POOL_NONE;
    for (size_t i = 0; i < COUNT(poolings); i++)
        if (!strcmp(o->pooling, poolings[i])) return ALLM__POOL_MEAN + (int64_t)i;
    return -1;
}

/* A vector as a line of JSON, or raw to the file of -o. */
static allm_status write_vector(row_writer *w, const float *row, allm_error *err) {
    allm__buf b = buf_new();
    if (w->file != stdout) return write_row(w, 0, row, err);
    for (int32_t i = 0; i < w->n_row; i++) allm__buf_putc(&b, i ? ',' : '['), allm__json_put_num(&b, (double)row[i]);
    allm__buf_puts(&b, "]\n");
    allm_status status = out_buf(&b, err);
    allm__buf_free(&b);
    return status;
}

/* The vector or the hidden states of one text's ids. vector: [n_row] scratch */
static allm_status embed_ids(engine *e, const opts *o, const ids *l, row_writer *w, float *vector, allm_error *err) {
    const int32_t *types = o->types.len ? o->types.ptr : NULL;
    allm_session  *s     = e->session;
    if (check_ids(e, l, s->n_ctx, err)) return err->status;
    if (!o->hidden) {
        if (allm__session_embed(s, l->ptr, types, l->len, pooling_of(o), 1, vector, err)) return err->status;
        return write_vector(w, vector, err);
    }
    s->types = types;
    if (!allm_session_truncate(s, 0, err))
        allm__session_run(s, l->ptr, l->len, ALLM__WANT_HIDDEN, 1, NULL, NULL, err);
    s->types = NULL;
    for (size_t i = 0; i < l->len && !err->status; i++) write_vector(w, allm__session_at(s, i), err);
    return err->status;
}

static allm_status embed_text(engine *e, const opts *o, allm_str text, row_writer *w, float *vector, allm_error *err) {
    ids         l      = {0};
    allm_status status = encode(e->model, text, 0, 1, &l, err);
    if (!status) status = embed_ids(e, o, &l, w, vector, err);
    ids_free(&l);
    return status;
}

static allm_status embed_texts(engine *e, const opts *o, row_writer *w, float *vector, allm_error *err) {
    allm__buf b = buf_new();
    if (o->ids.len) return embed_ids(e, o, &o->ids, w, vector, err);
    if (!o->args.len && !read_stream(stdin, "stdin", &b, err)) embed_text(e, o, buf_str(&b), w, vector, err);
    for (size_t i = 0; i < o->args.len && !err->status; i++)
        embed_text(e, o, allm__str_of(o->args.ptr[i]), w, vector, err);
    allm__buf_free(&b);
    return err->status;
}

static allm_status cmd_embed(const opts *o, allm_error *err) {
    engine      e      = {0};
    row_writer  w      = {stdout, 0, buf_new()};
    float      *vector = NULL;
    allm_status status = engine_open(&e, o, 0, err);
    w.n_row            = e.info.n_embd;
    size_t n_bytes     = (size_t)w.n_row * sizeof *vector;
    if (!status && !(vector = (float *)allm__alloc(&host, n_bytes, 64))) status = allm__fail_memory(err, n_bytes);
    if (!status) status = engine_session(&e, o, o->n_ctx ? o->n_ctx : (int32_t)o->ids.len, err);
    if (!status) status = writer_open(&w, o, err);
    if (!status) status = embed_texts(&e, o, &w, vector, err);
    status = writer_close(&w, o, status, err);
    if (vector) allm__free(&host, vector, n_bytes);
    engine_close(&e);
    return status;
}

static const char *check_embed(const opts *o) {
    if (pooling_of(o) < 0) return "--pooling: mean, cls or last is expected";
    if (o->ids.len && o->args.len) return "--ids and texts do not go together";
    if (o->types.len && o->types.len != o->ids.len) return "--types: as many as --ids are expected";
    return NULL;
}

/* ================================================================ perplexity */

typedef struct scorer {
    const int32_t *ids; /* of the window */
    size_t         n_ids, n_predicted;
    int32_t        n_vocab;
    double         nll;
} scorer;

/* Adds -log p(next id): log-sum-exp in double, shifted by the largest logit. */
static allm_status score_row(void *ctx, size_t i, const float *logits, allm_error *err) {
    scorer *s = (scorer *)ctx;
    double  max = -HUGE_VAL, sum = 0;
    if (i + 1 == s->n_ids) return ALLM_OK; /* the window's last: nothing to predict */
    for (int32_t k = 0; k < s->n_vocab; k++) max = logits[k] > max ? (double)logits[k] : max;
    for (int32_t k = 0; k < s->n_vocab; k++) sum += exp((double)logits[k] - max);
    double nll = max + log(sum) - (double)logits[s->ids[i + 1]];
    if (!(nll < HUGE_VAL)) return allm__fail(err, ALLM_E_NUMERIC, NULL, -1, "logits after token %zu are not finite", i);
    s->nll += nll, s->n_predicted++;
    return ALLM_OK;
}

static allm_status score_text(engine *e, const opts *o, ids *l, scorer *s, allm_error *err) {
    allm__buf   text   = buf_new();
    int32_t     n_ctx  = o->n_ctx ? o->n_ctx : MIN(e->info.n_ctx_train, 2048);
    allm_status status = read_path(o->text_file, &text, err);
    if (!status) status = encode(e->model, buf_str(&text), o->special, 1, l, err);
    allm__buf_free(&text);
    if (status) return status;
    if (l->len < 2 || n_ctx < 2)
        return allm__fail(err, ALLM_E_ARGUMENT, o->text_file, -1, "%zu tokens, context %d: nothing to predict", l->len,
                          (int)n_ctx);
    if (engine_session(e, o, n_ctx, err)) return err->status;
    s->n_vocab = e->info.n_vocab;
    for (size_t i = 0; i < l->len; i += (size_t)n_ctx) {
        s->ids = l->ptr + i, s->n_ids = MIN((size_t)n_ctx, l->len - i);
        if (s->n_ids < 2) break;
        if (allm_session_truncate(e->session, 0, err)) return err->status;
        e->bar.what = "text";
        if (eval_rows(e, s->ids, s->n_ids, score_row, s, err)) return err->status;
    }
    return ALLM_OK;
}

static allm_status cmd_perplexity(const opts *o, allm_error *err) {
    engine      e = {0};
    ids         l = {0};
    scorer      s = {0};
    allm__buf   b = buf_new();
    allm_status status = engine_open(&e, o, 0, err);
    if (!status) status = score_text(&e, o, &l, &s, err);
    bar_clear(&e.bar);
    if (!status) {
        put_f(&b, "{\"tokens\": %zu, \"nll\": ", s.n_predicted);
        allm__json_put_num(&b, s.nll);
        allm__buf_puts(&b, ", \"perplexity\": ");
        allm__json_put_num(&b, exp(s.nll / (double)s.n_predicted));
        allm__buf_puts(&b, "}\n");
        status = out_buf(&b, err);
    }
    allm__buf_free(&b);
    ids_free(&l);
    engine_close(&e);
    return status;
}

static const char *check_perplexity(const opts *o) { return o->text_file ? NULL : "-f FILE is missing"; }

/* ================================================================ bench */

/* Pseudo-random ids over the whole vocabulary, the same every time. */
static int32_t bench_id(const engine *e, size_t i) { return (int32_t)(allm__mix64(i + 1) % (uint64_t)e->info.n_vocab); }

/* Brings the session to exactly `depth` tokens: cut back where the model allows it, else filled anew. */
static allm_status bench_fill(engine *e, const int32_t *p, size_t depth, allm_error *err) {
    allm_error ignored = {0};
    size_t     n       = allm_session_length(e->session);
    if (n == depth) return ALLM_OK;
    if (n > depth && !allm_session_truncate(e->session, depth, &ignored)) return ALLM_OK;
    if (allm_session_truncate(e->session, 0, err)) return err->status;
    return depth ? allm_session_eval(e->session, p, depth, 0, err) : ALLM_OK;
}

/* What is timed: a prompt in one call, or decoding token by token. */
static allm_status bench_eval(engine *e, const int32_t *p, size_t n, int is_prompt, allm_error *err) {
    if (is_prompt) return allm_session_eval(e->session, p, n, 0, err);
    for (size_t i = 0; i < n; i++)
        if (allm_session_eval(e->session, p + i, 1, 0, err)) return err->status;
    return ALLM_OK;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *v, size_t n, double *sorted /* [n] scratch */) {
    memcpy(sorted, v, n * sizeof *v);
    qsort(sorted, n, sizeof *v, compare_doubles);
    return n % 2 ? sorted[n / 2] : 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]);
}

typedef struct bench_test { size_t n_prompt, n_gen; } bench_test; /* one of them is 0 */

static void put_bench(allm__buf *b, const engine *e, const opts *o, bench_test t, const double *seconds,
                      double *sorted) {
    char   name[64];
    size_t n = (size_t)o->n_reps;
    double speed = (double)(t.n_prompt + t.n_gen) / median(seconds, n, sorted);
    int    n_threads = (int)e->model->compute.pool->n_threads;
    const char *isa  = e->model->compute.kern->name; /* what is really used */
    int k = snprintf(name, sizeof name, "%s%zu", t.n_prompt ? "pp" : "tg", t.n_prompt + t.n_gen);
    if (o->depth) snprintf(name + k, sizeof name - (size_t)k, "@%d", (int)o->depth);
    if (!o->json) {
        put_f(b, "%-16s %10.2f tokens/s   %d threads, %s; ", name, speed, n_threads, isa);
        put_f(b, "%zu runs of %.3f .. %.3f s\n", n, sorted[0], sorted[n - 1]);
        return;
    }
    put_f(b, "{\"test\": \"%s\", \"n_prompt\": %zu, \"n_gen\": %zu, ", name, t.n_prompt, t.n_gen);
    put_f(b, "\"depth\": %d, \"threads\": %d, \"isa\": \"%s\", \"tokens_per_second\": ", (int)o->depth, n_threads, isa);
    allm__json_put_num(b, speed);
    allm__buf_puts(b, ", \"seconds\": [");
    for (size_t i = 0; i < n; i++) allm__json_put_key(b, NULL), allm__json_put_num(b, seconds[i]);
    allm__buf_puts(b, "]}\n");
}

/* One test: a warm-up (as in llama-bench, the whole prompt), then n_reps timed runs at the same depth; loading, warm-up
 * and filling are not timed. */
static allm_status bench_one(engine *e, const opts *o, bench_test t, const int32_t *p, double *seconds,
                             allm_error *err) {
    size_t  depth = (size_t)o->depth, n = t.n_prompt + t.n_gen, n_warm = t.n_prompt ? n : MIN(n, 4);
    int64_t n_ctx = o->n_ctx ? o->n_ctx : (int64_t)depth + (int64_t)n;
    if (n_ctx > INT32_MAX)
        return allm__fail(err, ALLM_E_CONTEXT, NULL, -1, "%lld tokens are too many", (long long)n_ctx);
    if (engine_session(e, o, (int32_t)n_ctx, err) || bench_fill(e, p, depth, err)) return err->status;
    if (bench_eval(e, p + depth, n_warm, t.n_prompt > 0, err)) return err->status;
    for (int32_t i = 0; i < o->n_reps; i++) {
        if (bench_fill(e, p, depth, err)) return err->status;
        double start = allm__plat_seconds();
        if (bench_eval(e, p + depth, n, t.n_prompt > 0, err)) return err->status;
        seconds[i] = MAX(allm__plat_seconds() - start, 1e-9);
        bar_at(&e->bar, (float)(i + 1) / (float)o->n_reps);
    }
    bar_clear(&e->bar);
    return ALLM_OK;
}

static allm_status cmd_bench(const opts *o, allm_error *err) {
    const bench_test tests[] = {{(size_t)o->n_prompt, 0}, {0, (size_t)o->n_gen}};
    engine    e = {0};
    ids       l = {0};
    allm__buf b = buf_new();
    size_t    n_reps = (size_t)o->n_reps, n_ids = (size_t)o->depth + (size_t)MAX(o->n_prompt, o->n_gen);
    double   *seconds = (double *)allm__alloc(&host, 2 * n_reps * sizeof(double), 64); /* and as much to sort */
    allm_status status = seconds ? engine_open(&e, o, 0, err) : allm__fail_memory(err, n_reps);
    for (size_t i = 0; i < n_ids && !status; i++)
        if (!ids_add(&l, bench_id(&e, i))) status = allm__fail_memory(err, n_ids);
    e.bar.what = "bench";
    for (size_t i = 0; i < COUNT(tests) && !status; i++) {
        if (!(tests[i].n_prompt + tests[i].n_gen)) continue;
        if ((status = bench_one(&e, o, tests[i], l.ptr, seconds, err))) break;
        put_bench(&b, &e, o, tests[i], seconds, seconds + n_reps);
        if (!(status = out_buf(&b, err))) status = out_flush(err);
    }
    allm__free(&host, seconds, 2 * n_reps * sizeof(double));
    allm__buf_free(&b);
    ids_free(&l);
    engine_close(&e);
    return status;
}

static const char *check_bench(const opts *o) {
    if (!o->n_prompt && !o->n_gen) return "-p 0 -n 0 leaves nothing to measure";
    return o->n_reps < 1 ? "-r wants at least 1" : NULL;
}

/* ================================================================ inspect, plan */

#define INFO(field, type) {#field, type, offsetof(allm_model_info, field)}
static const field_row info_fields[] = {
    INFO(architecture, 's'), INFO(quantization, 's'), INFO(name, 's'), INFO(n_parameters, 'u'), INFO(n_bytes, 'u'),
    INFO(n_vocab, 'i'), INFO(n_ctx_train, 'i'), INFO(n_embd, 'i'), INFO(n_layer, 'i'), INFO(n_head, 'i'),
    INFO(n_head_kv, 'i'), INFO(bos, 'i'), INFO(eos, 'i'), INFO(has_template, 'b'), INFO(has_tokenizer, 'b'),
};

/* Where the numbers stand in a GGUF file; before a dot belongs the architecture. */
static const struct { const char *key; size_t offset; } info_keys[] = {
    {".vocab_size", offsetof(allm_model_info, n_vocab)},
    {".context_length", offsetof(allm_model_info, n_ctx_train)},
    {".embedding_length", offsetof(allm_model_info, n_embd)},
    {".block_count", offsetof(allm_model_info, n_layer)},
    {".attention.head_count", offsetof(allm_model_info, n_head)},
    {".attention.head_count_kv", offsetof(allm_model_info, n_head_kv)},
    {"tokenizer.ggml.bos_token_id", offsetof(allm_model_info, bos)},
    {"tokenizer.ggml.eos_token_id", offsetof(allm_model_info, eos)},
};

/* A name from a file, without what would move the cursor. */
static void put_name(allm__buf *b, allm_str s) {
    for (size_t i = 0; i < s.len; i++) {
        int bad = (unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f;
        allm__buf_putc(b, bad ? '?' : s.ptr[i]);
    }
}

static void clean_copy(char *dst, size_t cap, allm_str s) {
    snprintf(dst, cap, "%.*s", (int)MIN(s.len, cap - 1), s.ptr ? s.ptr : "");
    allm__err_clean(dst);
}

/* What the file says of itself; unlike allm_model_get_info also of a model that cannot be opened. */
static void read_info(const allm__gguf *g, allm_model_info *info, allm_error *ignored) {
    allm_model  m; /* only its file */
    char        key[96];
    allm_str    s;
    const allm__gguf_kv *kv;
    memset(info, 0, sizeof *info);
    info->bos = info->eos = -1;
    if (!allm__gguf_get_str(g, "general.architecture", ALLM__S("unknown"), &s, ignored))
        clean_copy(info->architecture, 32, s);
    if (!allm__gguf_get_str(g, "general.name", ALLM__S(""), &s, ignored)) clean_copy(info->name, 128, s);
    for (size_t i = 0; i < COUNT(info_keys); i++) {
        int64_t v;
        int     big;
        int is_dot = info_keys[i].key[0] == '.';
        snprintf(key, sizeof key, "%s%s", is_dot ? info->architecture : "", info_keys[i].key);
        kv = allm__gguf_find(g, allm__str_of(key));
        if (kv && kv->n && allm__gguf_elem_int(kv, 0, &v, &big) && v >= 0 && v <= INT32_MAX)
            *(int32_t *)(void *)((char *)info + info_keys[i].offset) = (int32_t)v;
    }
    kv = allm__gguf_find(g, ALLM__S("tokenizer.ggml.tokens"));
    info->has_tokenizer = kv != NULL;
    if (kv) info->n_vocab = (int32_t)MIN(kv->n, (uint64_t)INT32_MAX);
    if (!info->n_head_kv) info->n_head_kv = info->n_head;
    info->has_template = allm__gguf_find(g, ALLM__S("tokenizer.chat_template")) != NULL;
    for (size_t i = 0; i < g->n_tensors; i++) {
        const allm__tensor *t = &g->tensors[i];
        info->n_parameters += (uint64_t)(t->dims[0] * t->dims[1] * t->dims[2] * t->dims[3]);
        info->n_bytes += t->n_bytes;
    }
    memset(&m, 0, sizeof m);
    m.gguf = *g;
    clean_copy(info->quantization, 32, allm__str_of(allm__model_quantization(&m)));
}

/* A value of the metadata; long strings are cut and arrays only counted. */
static void put_value(allm__buf *b, const allm__gguf_kv *kv, int json) {
    const char *type = allm__gguf_kinds[kv->elem_type].name;
    char        sort = allm__gguf_kinds[kv->elem_type].sort;
    int64_t     i;
    double      d;
    int         big = 0;
    if (kv->type == ALLM__GGUF_ARRAY) {
        put_f(b, json ? "{\"array\": \"%s\", \"n\": %llu}" : "%s x %llu", type, (unsigned long long)kv->n);
    } else if (sort == 's') {
        const uint8_t *next;
        allm_str       s    = allm__gguf_str_at(kv->data, &next);
        size_t         from = b->len;
        allm__json_put_str(b, json ? s : allm__str(s.ptr, MIN(s.len, 64)));
        if (!json && s.len > 64 && b->len > from) put_f(b, " ... (%zu bytes)", s.len);
    } else if (sort == 'b' && allm__gguf_elem_int(kv, 0, &i, &big)) {
        allm__buf_puts(b, i ? "true" : "false");
    } else if (allm__gguf_elem_int(kv, 0, &i, &big) && !big) {
        allm__buf_int(b, i);
    } else if (allm__gguf_elem_f64(kv, 0, &d)) {
        allm__json_put_num(b, d);
    } else {
        allm__buf_puts(b, "null");
    }
}

static void put_metadata(allm__buf *b, const allm__gguf *g, int json) {
    if (json) allm__json_put_key(b, "metadata"), allm__buf_putc(b, '{');
    for (size_t i = 0; i < g->n_kv; i++) {
        if (json) allm__json_put_key(b, NULL), allm__json_put_str(b, g->kv[i].key), allm__buf_puts(b, ": ");
        else allm__buf_puts(b, "  "), put_name(b, g->kv[i].key), allm__buf_puts(b, " = ");
        put_value(b, &g->kv[i], json);
        if (!json) allm__buf_putc(b, '\n');
    }
    if (json) allm__buf_putc(b, '}');
}

/* One line or object a tensor; `shapes` of a safetensors file, whose last dimension is the fastest, or NULL. */
static void put_tensors(allm__buf *b, const allm__tensor *tensors, const allm__st_shape *shapes, size_t n, int json) {
    if (json) allm__json_put_key(b, "tensors"), allm__buf_putc(b, '[');
    for (size_t i = 0; i < n; i++) {
        const allm__tensor *t      = &tensors[i];
        const char         *type   = shapes ? t->fmt->name : allm__gguf_type_name(t->type);
        const int64_t      *dims   = shapes ? shapes[i].dims : t->dims;
        int32_t             n_dims = shapes ? shapes[i].n_dims : t->n_dims;
        size_t              from;
        if (json) {
            allm__json_put_key(b, NULL);
            allm__buf_puts(b, "{\"name\": "), allm__json_put_str(b, t->name);
            put_f(b, ", \"type\": \"%s\", \"%s\": [", type, shapes ? "shape" : "dims");
        } else put_f(b, "  %-8s ", type);
        from = b->len;
        for (int32_t k = 0; k < n_dims; k++) put_f(b, "%s%lld", k ? json ? ", " : " x " : "", (long long)dims[k]);
        if (json) {
            put_f(b, "], \"n_bytes\": %zu, \"offset\": %llu%s}", t->n_bytes, (unsigned long long)t->offset,
                  t->packed ? ", \"packed\": true" : "");
            continue;
        }
        put_f(b, "%*s %12zu bytes  ", (int)MAX(0, 20 - (int)(b->len - from)), "", t->n_bytes);
        put_name(b, t->name), allm__buf_puts(b, t->packed ? "  packed\n" : "\n");
    }
    if (json) allm__buf_putc(b, ']');
}

static void put_inspection(allm__buf *b, const allm__gguf *g, const opts *o) {
    allm_model_info info;
    allm_error      ignored = {0};
    read_info(g, &info, &ignored);
    put_f(b, o->json ? "{\"container\": \"gguf\", \"version\": %d, \"n_files\": %d, \"n_tensors\": %zu"
                     : "container      gguf version %d\nn_files        %d\nn_tensors      %zu\n",
          (int)g->version, (int)g->n_files, g->n_tensors);
    put_fields(b, info_fields, COUNT(info_fields), &info, o->json);
    if (!o->json) allm__buf_puts(b, "metadata\n");
    put_metadata(b, g, o->json);
    if (!o->json && o->tensors) allm__buf_puts(b, "tensors (fastest dimension first)\n");
    if (o->tensors) put_tensors(b, g->tensors, NULL, g->n_tensors, o->json);
    if (o->json) allm__buf_puts(b, "}\n");
}

/* The same keys of a config.json. */
static const struct { const char *key; size_t offset; } config_keys[] = {
    {"vocab_size", offsetof(allm_model_info, n_vocab)},
    {"max_position_embeddings", offsetof(allm_model_info, n_ctx_train)},
    {"hidden_size", offsetof(allm_model_info, n_embd)},
    {"num_hidden_layers", offsetof(allm_model_info, n_layer)},
    {"num_attention_heads", offsetof(allm_model_info, n_head)},
    {"num_key_value_heads", offsetof(allm_model_info, n_head_kv)},
    {"bos_token_id", offsetof(allm_model_info, bos)},
    {"eos_token_id", offsetof(allm_model_info, eos)},
};

/* How weights are stored: what the config says, else the type that most bytes have. */
static const char *st_quantization(const allm__st *st) {
    const char *name = "none";
    size_t      most = 0;
    if (st->method) return st->method;
    for (int32_t id = ALLM__C64; id < ALLM__FMT_COUNT; id++) {
        const allm__fmt *f = allm__fmt_of(id);
        size_t           n = 0;
        for (size_t i = 0; f && i < st->n_tensors; i++) n += st->tensors[i].fmt == f ? st->tensors[i].n_bytes : 0;
        if (n > most) most = n, name = f->name;
    }
    return name;
}

static int st_has_file(const allm__st *st, const char *name) {
    char path[4096];
    int  n = snprintf(path, sizeof path, "%s/%s", st->path ? st->path : "", name);
    return st->path && n > 0 && (size_t)n < sizeof path && allm__file_kind(path) == ALLM__FILE_FILE;
}

static int st_has_template(const allm__st *st) {
    allm__conf c = {0};
    allm_error ignored = {0};
    char       path[4096];
    if (st_has_file(st, "chat_template.jinja") || st_has_file(st, "chat_template.json")) return 1;
    if (!st_has_file(st, "tokenizer_config.json")) return 0;
    snprintf(path, sizeof path, "%s/tokenizer_config.json", st->path);
    int has = !allm__conf_open_file(&host, path, &c, &ignored) && allm__conf_find(&c, "chat_template");
    allm__conf_close(&c);
    return has;
}

/* What a folder says of itself, and the weights that are in it, by their number before they were packed. */
static void read_st_info(const allm__st *st, allm_model_info *info) {
    const allm__conf_value *v = allm__conf_find(&st->config, "model_type");
    memset(info, 0, sizeof *info);
    info->bos = info->eos = -1;
    clean_copy(info->architecture, 32, v && v->event == ALLM__JSON_STRING ? v->text : ALLM__S("unknown"));
    clean_copy(info->quantization, 32, allm__str_of(st_quantization(st)));
    for (size_t i = 0; i < COUNT(config_keys); i++) {
        int64_t n;
        v = allm__conf_find(&st->config, config_keys[i].key);
        if (v && v->event == ALLM__JSON_ARRAY && v->n) v++; /* several ends: the first */
        if (v && allm__conf_is_int(v, &n) && n >= 0 && n <= INT32_MAX)
            *(int32_t *)(void *)((char *)info + config_keys[i].offset) = (int32_t)n;
    }
    if (!info->n_head_kv) info->n_head_kv = info->n_head;
    info->has_tokenizer = st_has_file(st, "tokenizer.json") || st_has_file(st, "tokenizer.model");
    info->has_template  = st_has_template(st);
    for (size_t i = 0; i < st->n_tensors; i++) {
        allm_error          ignored = {0};
        const allm__tensor *t       = &st->tensors[i];
        allm__wsrc          w;
        info->n_bytes += t->n_bytes;
        if (allm__st_is_part(st, t->name) || !t->n_bytes) continue;
        if (allm__st_weight(st, t->name, &w, &ignored))
            info->n_parameters += t->n_bytes / (uint64_t)t->fmt->n_bytes * (uint64_t)t->fmt->n_weights;
        else info->n_parameters += (uint64_t)w.n_mats * (uint64_t)w.n_rows * (uint64_t)w.n_cols;
    }
}

static void put_config(allm__buf *b, const allm__conf *c, int json) { /* strings, numbers and the like; not arrays */
    if (json) allm__json_put_key(b, "metadata"), allm__buf_putc(b, '{');
    for (size_t i = 1; i < c->n; i++) {
        const allm__conf_value *v = &c->values[i];
        if (v->event == ALLM__JSON_OBJECT) continue;
        if (json) allm__json_put_key(b, NULL), allm__json_put_str(b, v->key), allm__buf_puts(b, ": ");
        else allm__buf_puts(b, "  "), put_name(b, v->key), allm__buf_puts(b, " = ");
        if (v->event == ALLM__JSON_STRING)
            allm__json_put_str(b, json ? v->text : allm__str(v->text.ptr, MIN(v->text.len, 64)));
        else if (v->event == ALLM__JSON_INT) allm__buf_int(b, v->i);
        else if (v->event == ALLM__JSON_DOUBLE) allm__json_put_num(b, v->d);
        else if (v->event == ALLM__JSON_ARRAY) {
            put_f(b, json ? "{\"n\": %zu}" : "%zu elements", v->n);
            while (i + 1 < c->n && allm__str_starts(c->values[i + 1].key, v->key) &&
                   c->values[i + 1].key.len > v->key.len && c->values[i + 1].key.ptr[v->key.len] == '.')
                i++;
        } else allm__buf_puts(b, allm__json_names[v->event]);
        if (!json) allm__buf_putc(b, '\n');
    }
    if (json) allm__buf_putc(b, '}');
}

static void put_st_inspection(allm__buf *b, const allm__st *st, const opts *o) {
    allm_model_info info;
    read_st_info(st, &info);
    put_f(b, o->json ? "{\"container\": \"safetensors\", \"n_files\": %d, \"n_tensors\": %zu"
                     : "container      safetensors\nn_files        %d\nn_tensors      %zu\n",
          (int)st->n_files, st->n_tensors);
    put_fields(b, info_fields, COUNT(info_fields), &info, o->json);
    if (!o->json) allm__buf_puts(b, "config\n");
    put_config(b, &st->config, o->json);
    if (!o->json && o->tensors) allm__buf_puts(b, "tensors (fastest dimension last)\n");
    if (o->tensors) put_tensors(b, st->tensors, st->shapes, st->n_tensors, o->json);
    if (o->json) allm__buf_puts(b, "}\n");
}

static allm_status inspect_st(const opts *o, allm_error *err) {
    allm__st    st;
    allm__buf   b      = buf_new();
    allm_status status = allm__st_open(&host, o->model, &st, err);
    if (!status) {
        put_st_inspection(&b, &st, o);
        status = out_buf(&b, err);
    }
    allm__st_close(&st);
    allm__buf_free(&b);
    return status;
}

static allm_status cmd_inspect(const opts *o, allm_error *err) {
    allm__gguf  g;
    allm__buf   b      = buf_new();
    allm_source source = {0};
    memset(&g, 0, sizeof g);
    source.path        = o->model;
    if (allm__file_kind(o->model) == ALLM__FILE_FOLDER ||
        allm__str_ends(allm__str_of(o->model), ALLM__S(".safetensors")))
        return inspect_st(o, err);
    allm_status status = check_model_name(o->model, 0, err);
    if (!status) status = allm__gguf_open(&host, &source, &g, err);
    if (!status) {
        put_inspection(&b, &g, o);
        status = out_buf(&b, err);
    }
    allm__gguf_close(&g);
    allm__buf_free(&b);
    return status;
}

#define PLAN(field) {#field, 'u', offsetof(allm_memory_plan, field)}
static const field_row plan_fields[] = {PLAN(mapped), PLAN(repacked), PLAN(other), PLAN(kv), PLAN(scratch), PLAN(peak)};

/* Adds what an adapter takes, of the model's memory and for a session. */
static allm_status plan_adapter(const opts *o, allm_memory_plan *plan, allm_error *err) {
    engine e = {0};
    if (!o->adapter) return ALLM_OK;
    allm_status status = engine_open(&e, o, 0, err);
    if (!status) status = engine_session(&e, o, o->n_ctx, err);
    const uint64_t with = status ? 0 : e.model->meter.live;
    if (!status) allm_session_use_adapter(e.session, NULL, 0, err), allm_adapter_close(e.adapter), e.adapter = NULL;
    const uint64_t n = status ? 0 : with - e.model->meter.live;
    plan->other += n, plan->peak += n;
    engine_close(&e);
    return status;
}

static allm_status cmd_plan(const opts *o, allm_error *err) {
    allm_runtime       *rt      = NULL;
    allm__buf           b       = buf_new();
    allm_source         source  = {0};
    allm_model_config   config  = {0};
    allm_session_config session = session_config(o, o->n_ctx);
    allm_memory_plan    plan    = {0};
    source.path = o->model, config.reference = o->reference, config.low_memory = o->low_memory;
    allm_status status = check_model_name(o->model, 0, err);
    if (!status) status = open_runtime(o, &rt, err);
    if (!status) status = allm_plan(rt, &source, &config, &session, &plan, err);
    if (!status) status = plan_adapter(o, &plan, err);
    if (!status) {
        if (o->json) allm__buf_putc(&b, '{');
        put_fields(&b, plan_fields, COUNT(plan_fields), &plan, o->json);
        if (o->json) allm__buf_puts(&b, "}\n");
        status = out_buf(&b, err);
    }
    allm_runtime_destroy(rt);
    allm__buf_free(&b);
    return status;
}

/* ---- convert */

/* "4G", "500M", "65536"; 0: it is no size. */
static uint64_t parse_bytes(const char *text) {
    static const char units[] = "KMG";
    size_t            n    = strlen(text);
    const char       *unit = n > 1 ? strchr(units, text[n - 1] >= 'a' ? text[n - 1] - 'a' + 'A' : text[n - 1]) : NULL;
    int64_t           v    = 0;
    if (!allm__int_parse(allm__str(text, n - (unit != NULL)), &v) || v <= 0 || v > INT64_MAX >> 30) return 0;
    for (ptrdiff_t i = 0; unit && i <= unit - units; i++) v *= 1000;
    return (uint64_t)v;
}

static const char *check_convert(const opts *o) {
    if (o->args.len < 2) return "IN and OUT are needed";
    if (o->split_bytes && !parse_bytes(o->split_bytes)) return "--split: expected a size such as 500M";
    return NULL;
}

typedef struct conversion {
    bar        progress;
    allm__buf  report;
} conversion;

static void convert_progress(void *ctx, float fraction) { bar_at(&((conversion *)ctx)->progress, fraction); }

static void convert_report(void *ctx, const allm_convert_tensor *t) {
    conversion *c = (conversion *)ctx;
    put_name(&c->report, allm__str_of(t->name));
    put_f(&c->report, "  %s -> %s%s  %llu bytes  rmse %.4g  relative %.4g\n", t->from, t->to,
          t->packed ? " packed" : "", (unsigned long long)t->n_bytes, t->rmse, t->relative);
}

static allm_status cmd_convert(const opts *o, allm_error *err) {
    allm_runtime       *rt     = NULL;
    conversion          c      = {{"convert", 0, 0}, buf_new()};
    allm_convert_config config = {0};
    config.type = o->type, config.packed = o->packed, config.check = o->check, config.ctx = &c;
    config.split_bytes = o->split_bytes ? parse_bytes(o->split_bytes) : 0;
    config.progress = convert_progress, config.report = convert_report;
    allm_status status = check_model_name(o->args.ptr[0], 0, err);
    if (!status) status = open_runtime(o, &rt, err);
    if (!status) status = allm_convert(rt, o->args.ptr[0], o->args.ptr[1], &config, err);
    bar_clear(&c.progress);
    if (!status) status = out_buf(&c.report, err);
    allm_runtime_destroy(rt);
    allm__buf_free(&c.report);
    return status;
}

/* ================================================================ the Hugging Face cache */

/* A model's name that is no file may be one of the cache; path: where its path goes. */
static allm_status find_model(const char **name, char path[1024], allm_error *err) {
#ifdef ALLM__HUB
    allm__hub_name parts;
    allm_error     own = {ALLM_OK, -1, 0, 0, 0, "", ""};
    char           root[ALLM__HUB_PATH];
    if (!*name || allm__file_kind(*name) != ALLM__FILE_NONE || !allm__hub_parse(*name, &parts) ||
        !strchr(parts.repo, '/') || allm__str_ends(allm__str_of(parts.repo), ALLM__S(".gguf")))
        return ALLM_OK;
    allm__hub_root(NULL, root);
    if (allm__hub_resolve(&host, root, *name, path, &own)) {
        const char *hint = own.status == ALLM_E_NOT_FOUND ? "; to download it: allm pull " : "";
        return allm__fail(err, own.status, NULL, -1, "%s%s%s", own.message, hint, *hint ? *name : "");
    }
    *name = path;
#else
    (void)name, (void)path, (void)err;
#endif
    return ALLM_OK;
}

static allm_status cmd_list(const opts *o, allm_error *err) {
    allm__buf          b    = buf_new();
    allm_cached_model *models = NULL;
    size_t             n = 0, cap = 0;
    allm_status        status = allm_hub_list(NULL, NULL, 0, &n, err);
    if (!status && n && !allm__grow(&host, (void **)&models, &cap, 0, n, sizeof *models)) status =
        allm__fail_memory(err, n);
    if (!status) status = allm_hub_list(NULL, models, cap, &n, err);
    if (o->json) allm__buf_putc(&b, '[');
    for (size_t i = 0; !status && i < n && i < cap; i++) {
        const allm_cached_model *m    = &models[i];
        time_t                   used = (time_t)m->last_used_unix;
        char                     when[32] = "";
        struct tm               *t        = localtime(&used);
        if (t) strftime(when, sizeof when, "%Y-%m-%d %H:%M", t);
        if (!o->json) { put_f(&b, "%-48s %9.1f MB  %s\n", m->name, (double)m->n_bytes / 1e6, when); continue; }
        allm__json_put_key(&b, NULL), allm__buf_puts(&b, "{\"name\": ");
        allm__json_put_str(&b, allm__str_of(m->name));
        allm__json_put_key(&b, "path"), allm__json_put_str(&b, allm__str_of(m->path));
        allm__json_put_key(&b, "n_bytes"), allm__buf_int(&b, (int64_t)m->n_bytes);
        allm__json_put_key(&b, "last_used_unix"), allm__buf_int(&b, m->last_used_unix);
        allm__buf_putc(&b, '}');
    }
    if (o->json) allm__buf_puts(&b, "]\n");
    if (!status) status = out_buf(&b, err);
    allm__free(&host, models, cap * sizeof *models);
    allm__buf_free(&b);
    allm_shutdown();
    return status;
}

static const char *check_search(const opts *o) {
    return o->split_bytes && !parse_bytes(o->split_bytes) ? "--fits: expected a size such as 500M" : NULL;
}

/* Known small models, one a line: what `pull` and -m take comes first. TEXT: part of the name, architecture or use. */
static allm_status cmd_search(const opts *o, allm_error *err) {
    const allm_catalog_entry *found[64];
    allm_catalog_query        q = {0};
    allm__buf                 b = buf_new();
    size_t                    n = 0;
    q.text = o->args.len ? o->args.ptr[0] : NULL, q.max_bytes = o->split_bytes ? parse_bytes(o->split_bytes) : 0;
    if (!(n = allm_catalog_search(&q, found, COUNT(found)))) q.architecture = q.text, q.text = NULL;
    if (!n && !(n = allm_catalog_search(&q, found, COUNT(found)))) q.use = q.architecture, q.architecture = NULL;
    if (!n) n = allm_catalog_search(&q, found, COUNT(found));
    if (!n && !o->json)
        return allm__fail(err, ALLM_E_NOT_FOUND, NULL, -1, "nothing fits%s%.80s%s%s%.40s", o->args.len ? " \"" : "",
                          o->args.len ? o->args.ptr[0] : "", o->args.len ? "\"" : "", o->split_bytes ? " within " : "",
                          o->split_bytes ? o->split_bytes : "");
    if (o->json) allm__buf_putc(&b, '[');
    for (size_t i = 0; i < n && i < COUNT(found); i++) {
        const allm_catalog_entry *m = found[i];
        if (!o->json) {
            put_f(&b, "%-48s %6.2f B %9.1f MB  %-6s %7d  %-10s %s\n", m->name, m->billions, (double)m->n_bytes / 1e6,
                  m->quantization, (int)m->max_context, m->architecture, m->use);
            continue;
        }
        allm__json_put_key(&b, NULL), allm__buf_puts(&b, "{\"name\": ");
        allm__json_put_str(&b, allm__str_of(m->name));
        allm__json_put_key(&b, "architecture"), allm__json_put_str(&b, allm__str_of(m->architecture));
        allm__json_put_key(&b, "quantization"), allm__json_put_str(&b, allm__str_of(m->quantization));
        allm__json_put_key(&b, "use"), allm__json_put_str(&b, allm__str_of(m->use));
        allm__json_put_key(&b, "n_bytes"), allm__buf_int(&b, (int64_t)m->n_bytes);
        allm__json_put_key(&b, "max_context"), allm__buf_int(&b, m->max_context);
        allm__buf_putc(&b, '}');
    }
    if (o->json) allm__buf_puts(&b, "]\n");
    allm_status status = out_buf(&b, err);
    allm__buf_free(&b);
    return status;
}

static allm_status cmd_rm(const opts *o, allm_error *err) {
    allm_status status = allm_hub_remove(NULL, o->args.ptr[0], err);
    allm_shutdown();
    return status;
}

static const char *check_hub(const opts *o) { return o->args.len == 1 ? NULL : "one NAME is expected"; }

#ifdef HAVE_PULL

/* Exchanges by the system's curl, which has TLS: what it is asked comes on its stdin, so that no token shows in a list
 * of processes, and it hands the response on as it comes from the wire. */
static allm_status curl_start(const char *settings, size_t n, int *out_fd, pid_t *pid, allm_error *err) {
    int in[2], back[2];
    if (pipe(in) != 0) return allm__fail(err, ALLM_E_IO, NULL, -1, "no pipe: %s", strerror(errno));
    if (pipe(back) != 0) {
        close(in[0]), close(in[1]);
        return allm__fail(err, ALLM_E_IO, NULL, -1, "no pipe: %s", strerror(errno));
    }
    *pid = fork();
    if (*pid == 0) {
        static char *const args[] = {(char *)(uintptr_t)"curl", (char *)(uintptr_t)"-q", (char *)(uintptr_t)"-K",
                                     (char *)(uintptr_t)"-", NULL};
        dup2(in[0], 0), dup2(back[1], 1);
        close(in[0]), close(in[1]), close(back[0]), close(back[1]);
        execvp("curl", args);
        _exit(127);
    }
    close(in[0]), close(back[1]);
    int sent = *pid > 0 && write(in[1], settings, n) == (ssize_t)n; /* a few hundred bytes: the pipe holds them */
    close(in[1]);
    if (*pid > 0) return (void)sent, *out_fd = back[0], ALLM_OK;
    close(back[0]);
    return allm__fail(err, ALLM_E_IO, NULL, -1, "cannot start curl: %s", strerror(errno));
}

static void put_setting(allm__buf *b, const char *name, const char *value) {
    put_f(b, "%s = ", name);
    allm__json_put_str(b, allm__str_of(value)); /* curl's quotes: clean ASCII needs the same escapes */
    allm__buf_putc(b, '\n');
}

static allm_status curl_transport(void *ctx, const allm_http *io, allm_error *err) {
    allm__buf         b = buf_new();
    allm__http_reader r;
    char              bytes[16384];
    int               fd = -1, code = 0;
    pid_t             pid = 0;
    ssize_t           n = 1;
    (void)ctx;
    memset(&r, 0, sizeof r);
    r.io = io, r.err = err, r.line.host = &host;
    put_setting(&b, "url", io->url);
    if (!strcmp(io->method, "HEAD")) allm__buf_puts(&b, "head\n");
    allm__buf_puts(&b, "http1.1\nraw\ninclude\nsilent\nno-buffer\nsuppress-connect-headers\nproto = "
        "\"=http,https\"\n");
    put_f(&b, "connect-timeout = 10\nspeed-limit = 1\nspeed-time = %d\n", io->timeout_ms > 0 ?
        (int)(io->timeout_ms / 1000) : 3600);
    put_setting(&b, "user-agent", "abstractllm/" ABSTRACTLLM_VERSION_STRING);
    for (size_t i = 0; i < io->n_headers; i++) put_setting(&b, "header", io->headers[i]);
    allm_status status = b.failed ? allm__fail_memory(err, b.len) : curl_start(b.ptr, b.len, &fd, &pid, err);
    if (b.ptr) memset(b.ptr, 0, b.len);
    allm__buf_free(&b);
    while (!status && n > 0 && r.at != ALLM__HTTP_AT_END) {
        do n = read(fd, bytes, sizeof bytes);
        while (n < 0 && errno == EINTR);
        if (n > 0) status = allm__http_feed(&r, bytes, (size_t)n);
    }
    int any = r.status != 0 || r.line.len > 0;
    if (fd >= 0) close(fd);
    if (pid > 0) waitpid(pid, &code, 0);
    if (!status && WIFEXITED(code) && WEXITSTATUS(code) == 127)
        status = allm__fail(err, ALLM_E_UNSUPPORTED, io->url, -1, "needs the program curl, which is not here");
    if (!status && !any)
        status = allm__fail(err, ALLM_E_REMOTE, io->url, -1, "no answer (curl ends with %d): is there a network?",
                            WIFEXITED(code) ? WEXITSTATUS(code) : -1);
    if (!status) status = allm__http_close(&r);
    allm__http_free(&r);
    return status;
}

static int pull_progress(void *ctx, uint64_t done, uint64_t total) {
    bar_at(ctx, total ? (float)((double)done / (double)total) : 1);
    return 0;
}

static allm_status cmd_pull(const opts *o, allm_error *err) {
    allm_runtime_config config = {0};
    allm_runtime       *rt     = NULL;
    bar                 b      = {"pull", 0, 0};
    char                path[1024];
    config.log = on_log, config.transport = curl_transport, config.n_threads = 1;
    allm_status status = allm_runtime_create(&config, &rt, err);
    if (!status) status = allm_hub_pull(rt, o->args.ptr[0], getenv("HF_TOKEN"), pull_progress, &b, err);
    bar_clear(&b);
    if (!status) status = allm_hub_resolve(rt, o->args.ptr[0], path, sizeof path, err);
    if (!status) status = out(path, strlen(path), err);
    if (!status) status = out("\n", 1, err);
    allm_runtime_destroy(rt);
    return status;
}

#else
static allm_status cmd_pull(const opts *o, allm_error *err) {
    return allm__fail(err, ALLM_E_UNSUPPORTED, o->args.ptr[0], -1, "downloads are not in this build");
}
#endif

/* ================================================================ commands, help, main */

static const command commands[] = {
    {"run", C_RUN, 0, "-m MODEL -p TEXT [-s SYSTEM] [-f FILE]... [-n MAX] [--raw] [--tools FILE]",
     "one answer, streamed", cmd_run, check_run},
    {"chat", C_CHAT, 0, "-m MODEL [-s SYSTEM]",
     "a conversation; /help lists its commands", cmd_chat, NULL},
    {"tokenize", C_TOKENIZE, 1, "-m MODEL [--special] [--bos] [TEXT]",
     "text (or stdin) to token ids", cmd_tokenize, check_texts},
    {"detokenize", C_DETOKENIZE, SIZE_MAX, "-m MODEL [--skip-special] [ID...]",
     "token ids (or stdin) to text", cmd_detokenize, check_texts},
    {"render", C_RENDER, 0, "(-m MODEL | --template FILE) (--context FILE | --jsonl)",
     "a chat template's prompt", cmd_render, check_render},
    {"grammar", C_GRAMMAR, 0, "(--schema FILE | --gbnf FILE) --jsonl",
     "is a text one of the grammar's?", cmd_grammar, check_grammar},
    {"parse", C_PARSE, 0, "(-m MODEL | --template FILE | --format NAME) [--tools FILE] --jsonl [--split]",
     "what a model wrote to answer, reasoning and tool calls", cmd_parse, check_parse},
    {"logits", C_LOGITS, 0, "-m MODEL --ids 1,2,3 [--last] [-o FILE]",
     "raw little-endian f32 [n_ids, n_vocab]", cmd_logits, check_logits},
    {"embed", C_EMBED, SIZE_MAX, "-m MODEL [TEXT... | --ids 1,2,3] [--hidden] [--pooling KIND] [-o FILE]",
     "a vector a text (or stdin), as JSON", cmd_embed, check_embed},
    {"perplexity", C_PERPLEXITY, 0, "-m MODEL -f FILE [-c CONTEXT]",
     "how well a model predicts a text", cmd_perplexity, check_perplexity},
    {"bench", C_BENCH, 0, "-m MODEL [-p N] [-n N] [-d DEPTH] [-r REPS] [--json]",
     "tokens per second", cmd_bench, check_bench},
    {"inspect", C_INSPECT, 0, "MODEL [--tensors] [--json]",
     "what is in a model file", cmd_inspect, NULL},
    {"plan", C_PLAN, 0, "MODEL [-c CONTEXT] [--json]",
     "exact bytes of memory before loading", cmd_plan, NULL},
    {"convert", C_CONVERT, 2, "IN OUT [--type TYPE] [--packed] [--split BYTES] [--check]",
     "a model file to a GGUF file", cmd_convert, check_convert},
    {"pull", C_PULL, 1, "org/name[@revision][:file]",
     "download a model into the Hugging Face cache", cmd_pull, check_hub},
    {"list", C_LIST, 0, "[--json]",
     "models in the Hugging Face cache", cmd_list, NULL},
    {"rm", C_RM, 1, "org/name",
     "remove a model from it", cmd_rm, check_hub},
    {"search", C_SEARCH, 1, "[TEXT] [--fits BYTES] [--json]",
     "known small models", cmd_search, check_search},
};

/* What else its help has to say. */
static const struct { unsigned commands; const char *text; } notes[] = {
    {C_PULL, "HF_TOKEN     a token for models that need one; it goes to the hub only\n"
             "HF_ENDPOINT  the hub's address (https://huggingface.co)\n"},
    {C_HUB & ~C_SEARCH, "HF_HUB_CACHE the cache; else HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub or\n"
                        "             ~/.cache/huggingface/hub\n"},
};

static const command *command_find(const char *name) {
    for (size_t i = 0; i < COUNT(commands); i++)
        if (!strcmp(name, commands[i].name)) return &commands[i];
    return NULL;
}

static int help_all(FILE *f) {
    fprintf(f, "abstractllm %s: local language models\n\n", allm_version());
    for (size_t i = 0; i < COUNT(commands); i++) fprintf(f, "  allm %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(f, "\nallm help COMMAND tells more.\n");
    return f == stdout ? 0 : 2;
}

static int help_command(const command *c) {
    printf("usage: allm %s %s\n%s\n\n", c->name, c->usage, c->summary);
    for (size_t i = 0; i < COUNT(flags); i++) {
        const struct flag *f = &flags[i];
        if (!(f->commands & c->bit) || !f->help) continue;
        char name[64];
        snprintf(name, sizeof name, "%s%s%s", f->name, f->value ? " " : "", f->value ? f->value : "");
        printf("  %-24s %s\n", name, f->help);
    }
    for (size_t i = 0, n = 0; i < COUNT(notes); i++)
        if (notes[i].commands & c->bit) printf("%s%s", n++ ? "" : "\nenvironment:\n", notes[i].text);
    return 0;
}

/* "allm help", "allm help run", "allm --help", "allm --version"; -1: none of them. */
static int help_wanted(int argc, char **argv) {
    if (argc < 2) return help_all(stderr);
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "version")) return printf("%s\n", allm_version()), 0;
    if (strcmp(argv[1], "help") && strcmp(argv[1], "--help") && strcmp(argv[1], "-h")) return -1;
    if (argc == 2) return help_all(stdout);
    const command *c = command_find(argv[2]);
    return c ? help_command(c) : usage_error(NULL, "unknown command %.80s", argv[2]);
}

static int run_command(opts *o) {
    const command *c      = o->command;
    const char    *forced = getenv("ALLM_ISA"), *wrong;
    char           path[2][1024];
    allm_error     err    = {0};
    if (o->help) return help_command(c);
    size_t n_args = c->n_args;
    if ((c->bit & (C_INSPECT | C_PLAN)) && !o->model && o->args.len) o->model = o->args.ptr[0], n_args++;
    if (!o->model && !(c->bit & (C_RENDER | C_GRAMMAR | C_PARSE | C_CONVERT | C_HUB)))
        return usage_error(c, "MODEL is missing");
    if (o->args.len > n_args) return usage_error(c, "unexpected argument %.80s", o->args.ptr[n_args]);
    if (c->check && (wrong = c->check(o))) return usage_error(c, "%s", wrong);
    if (!o->isa && forced && *forced) o->isa = forced;
    allm_status status = find_model(&o->model, path[0], &err);
    if (!status) status = find_model(&o->adapter, path[1], &err);
    if (!status) status = c->function(o, &err);
    if (!status) status = out_flush(&err);
    if (!status || pipe_closed) return 0;
    if (err.status) fprintf(stderr, "allm: %s\n", err.message[0] ? err.message : allm_status_name(err.status));
    return 1;
}

int main(int argc, char **argv) {
    opts o;
    int  rc = help_wanted(argc, argv);
    if (rc >= 0) return rc;
    memset(&o, 0, sizeof o);
    o.command = command_find(argv[1]);
    if (!o.command) return usage_error(NULL, "unknown command %.80s", argv[1]);
    o.n_prompt = 512, o.n_gen = 128, o.n_reps = 3, o.adapter_scale = 1;
#ifdef SIGPIPE
    signal(SIGPIPE, SIG_IGN); /* a write then fails with EPIPE */
#endif
#if defined(ALLM__WINDOWS)
    _setmode(_fileno(stdout), _O_BINARY), _setmode(_fileno(stdin), _O_BINARY);
#endif
    rc = opts_parse(&o, argc - 2, argv + 2);
    if (!rc) rc = run_command(&o);
    opts_free(&o);
    return rc;
}
