/* Every parser fed with bytes that nobody wrote: a table of targets, each a function of one input.
 *
 *     build/fuzz TARGET [-n RUNS] [-s SEED] [-t SECONDS] [FILE]...   the files as they are, then mutations of them
 *     build/fuzz list
 *     clang -g -O1 -fsanitize=fuzzer,address -DFUZZ_TARGET='"json"' -o build/fuzz-json tools/fuzz.c -lm -pthread
 *
 * A target must return: whatever the bytes are, with no leak, no read outside of them, in bounded time. The first form
 * needs no clang; build it with -fsanitize=address,undefined. An input that takes longer than ten seconds, or does not
 * return, is left in build/fuzz-input. */
#define ABSTRACTLLM_STATIC /* what no target uses is not compiled */
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- memory that is counted: what a target leaves is a leak; what it takes has a bound */

enum { MOST_BYTES = 256 << 20 };
typedef struct heap { size_t live, n; } heap;

static void *heap_alloc(void *ctx, size_t n, size_t align) {
    heap *h = (heap *)ctx;
    void *p = NULL;
    if (n > MOST_BYTES - h->live || posix_memalign(&p, ALLM__MAX(align, sizeof(void *)), n ? n : 1)) return NULL;
    h->live += n, h->n++;
    return p;
}

static void heap_free(void *ctx, void *p, size_t n) {
    ((heap *)ctx)->live -= p ? n : 0;
    free(p);
}

/* ---- targets */

typedef struct input { allm__host host; allm_str text; allm_error err; } input;

static void fuzz_json(input *in) {
    allm__json j;
    allm__buf  b = {&in->host, NULL, 0, 0, 0, 0};
    allm__json_init(&j, &in->host, in->text, "json", 0, &in->err);
    while (allm__json_next(&j) != ALLM__JSON_EOF) {
        if (j.event == ALLM__JSON_STRING || j.event == ALLM__JSON_KEY) allm__json_put_str(&b, allm__json_text(&j));
        b.len = 0;
    }
    allm__json_free(&j);
    allm__buf_free(&b);
}

static allm_source source_of(const input *in) {
    allm_source src = {0};
    src.data = in->text.ptr, src.n_bytes = in->text.len;
    return src;
}

static void fuzz_gguf(input *in) {
    allm__gguf  g;
    allm_source src = source_of(in);
    allm__gguf_open(&in->host, &src, &g, &in->err);
    allm__gguf_close(&g);
}

static void fuzz_safetensors(input *in) {
    allm__st    st;
    allm_source src = source_of(in);
    allm__st_open_file(&in->host, &src, &st, &in->err);
    allm__st_close(&st);
}

/* A tokenizer that opens must take any text. */
static void try_tokenizer(input *in, allm__tok *tok) {
    static const char text[] = "A b\xc3\xa9 \xf0\x9f\x99\x82<s>\xff\n\n  12345 \xe4\xb8\xad\xe6\x96\x87 don't";
    allm__ids         ids = {&in->host, NULL, 0, 0, 0};
    allm__buf         b   = {&in->host, NULL, 0, 0, 0, 0};
    allm__tok_encode(tok, allm__str(text, sizeof text - 1), 0, NULL, 0, &ids, &in->err);
    for (size_t i = 0; i < ids.len; i++) allm__tok_piece(tok, ids.ptr[i]);
    allm__ids_free(&ids);
    allm__buf_free(&b);
    allm__tok_close(tok);
}

static void fuzz_tokenizer(input *in) {
    allm__tok *tok = NULL;
    if (!allm__tok_open_json(&in->host, in->text, "tokenizer.json", &tok, &in->err)) try_tokenizer(in, tok);
}

/* Any text through a tokenizer of each kind, and back, whole and token by token. The first byte says which. */
#define TEXT_SPECIAL "\"added_tokens\":[{\"id\":0,\"content\":\"<s>\",\"special\":true,\"lstrip\":true}," \
                     "{\"id\":1,\"content\":\"  \",\"normalized\":true}],"
static const char *const text_tokenizers[] = {
    "{" TEXT_SPECIAL "\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers"
    "\":[{\"type\":"
    "\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"(?i:'s|'t)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{"
    "L}+|\\\\p{N}{1,3}| "
    "?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"}},{\"type\":\"ByteLevel"
    "\",\"use_regex\":"
    "false}]},\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":{%B},\"merges\":[\"a a\""
    ",\"aa aa\","
    "\"\u0120 a\",\"\u00c3 \u00a9\"]}}",
    "{" TEXT_SPECIAL "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\""
    "\u2581\"},{\"type\":"
    "\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\u2581\"}]},\"decoder\":{\"type\":\"Sequence\",\"de"
    "coders\":[{\"type\":"
    "\"Replace\",\"pattern\":{\"String\":\"\u2581\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"F"
    "use\"},{\"type\":"
    "\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]},\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"f"
    "use_unk\":true,"
    "\"unk_token\":\"<s>\",\"vocab\":{%F,\"\u2581\":300,\"a\":301,\"aa\":302,\"\u2581a\":303},\"merges\":[\"a a\""
    ",\"\u2581 a\"]}}",
    "{" TEXT_SPECIAL "\"normalizer\":{\"type\":\"NFKC\"},\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement"
    "\":\"\u2581\","
    "\"prepend_scheme\":\"always\"},\"decoder\":{\"type\":\"Metaspace\",\"replacement\":\"\u2581\",\"prepend_sche"
    "me\":\"always\"},"
    "\"model\":{\"type\":\"Unigram\",\"unk_id\":2,\"vocab\":[[\"<s>\",0],[\"  \",0],[\"<unk>\",0],[\"\u2581\",-1]"
    ",[\"a\",-2],"
    "[\"aa\",-2.5],[\"\u2581a\",-2],[\"\u00e9\",-3]]}}",
    "{" TEXT_SPECIAL "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":tr"
    "ue,\"strip_accents\":"
    "null,\"lowercase\":true},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"decoder\":{\"type\":\"WordPiece"
    "\",\"prefix\":\"##\","
    "\"cleanup\":true},\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","
    "\"max_input_chars_per_word\":100,\"vocab\":{\"<s>\":0,\"  \":1,\"[UNK]\":2,\"a\":3,\"##a\":4,\"e\":5,\"##aa"
    "\":6,\".\":7}}}"};
#undef TEXT_SPECIAL

/* The tokenizers, made once; %B: the letters of byte-level BPE as a vocabulary, %F: the bytes as <0x..>. */
static const allm__tok *text_tokenizer(size_t i) {
    static const allm__host h = {{allm__mem_default_alloc, allm__mem_default_free, NULL}, NULL, NULL};
    static allm__tok       *made[ALLM__COUNT(text_tokenizers)];
    allm__buf               b   = {&h, NULL, 0, 0, 0, 0};
    allm_error              err = {0};
    char                    t[32];
    if (made[i]) return made[i];
    for (const char *p = text_tokenizers[i]; *p; p++) {
        if (*p != '%') { allm__buf_putc(&b, *p); continue; }
        int letters = *++p == 'B';
        for (int c = 0; c < 256; c++) {
            char   u[4];
            size_t n = letters ? allm__utf8_put(u, allm__norm_letter((unsigned char)c)) : 0;
            allm__buf_put(&b, t, (size_t)snprintf(t, sizeof t, c ? "," : ""));
            if (letters) allm__json_put_str(&b, allm__str(u, n));
            else allm__buf_put(&b, t, (size_t)snprintf(t, sizeof t, "\"<0x%02X>\"", (unsigned)c));
            allm__buf_put(&b, t, (size_t)snprintf(t, sizeof t, ":%d", c + 2));
        }
        if (letters) allm__buf_puts(&b, ",\"aa\":300,\"aaaa\":301,\"\xc4\xa0" "a\":302,\"\xc3\x83\xc2\xa9\":303");
    }
    if (allm__tok_open_json(&h, allm__str(b.ptr, b.len), "tokenizer.json", &made[i], &err))
        fprintf(stderr, "fuzz: text: %s\n", err.message), abort();
    allm__buf_free(&b);
    return made[i];
}

static void fuzz_text(input *in) {
    if (!in->text.len) return;
    unsigned         how  = (unsigned char)in->text.ptr[0];
    const allm__tok *tok  = text_tokenizer(how % ALLM__COUNT(text_tokenizers));
    allm__ids        ids  = {&in->host, NULL, 0, 0, 0};
    allm__buf        b    = {&in->host, NULL, 0, 0, 0, 0}, parts = b;
    allm_detok_state s;
    allm_str         part = {"", 0}, text = allm__str(in->text.ptr + 1, in->text.len - 1);
    allm__span       mine = {how % 32, text.len};
    memset(&s, 0, sizeof s);
    allm__tok_encode(tok, text, (int)(how >> 4 & 7), how & 4 && mine.from < text.len ? &mine : NULL,
                     how & 4 && mine.from < text.len, &ids, &in->err);
    for (size_t i = 0; i <= ids.len && !in->err.status; i++) {
        allm__tok_next(tok, &s, i < ids.len ? ids.ptr[i] : -1, how & 8 ? 1 : 0, &part, &in->err);
        if (allm__utf8_bad(part) != SIZE_MAX) fprintf(stderr, "fuzz: a part that is no UTF-8\n"), abort();
        allm__buf_put(&parts, part.ptr, part.len);
    }
    if (!in->err.status) allm__tok_decode(tok, ids.ptr, ids.len, how & 8 ? 1 : 0, &b, &in->err);
    /* a run of byte tokens that is no UTF-8 is U+FFFD for each byte when decoded as a whole */
    int same = b.len == parts.len && (!b.len || !memcmp(b.ptr, parts.ptr, b.len));
    if (!in->err.status && tok->dec != ALLM__DEC_FALLBACK && !same)
        fprintf(stderr, "fuzz: the parts are not the whole\n"), abort();
    allm__ids_free(&ids);
    allm__buf_free(&b), allm__buf_free(&parts);
}

static void fuzz_spm(input *in) {
    allm__tok *tok = NULL;
    if (!allm__tok_open_spm(&in->host, in->text, "tokenizer.model", &tok, &in->err)) try_tokenizer(in, tok);
}

static void fuzz_template(input *in) {
    allm__tmpl *t = NULL;
    if (allm__tmpl_compile(&in->host, in->text, "template", &t, &in->err)) return;
    allm__tmpl_ctx    ctx;
    allm__tmpl_limits limits = {0};
    allm__buf         out    = {&in->host, NULL, 0, 0, 0, 0};
    allm__spans       user   = {&in->host, NULL, 0, 0, 0};
    allm__tmpl_ctx_init(&ctx, &in->host);
    allm__tmpl_render(t, &ctx, &limits, &out, &user, &in->err);
    allm__spans_free(&user);
    allm__buf_free(&out);
    allm__tmpl_ctx_free(&ctx);
    allm__tmpl_free(t);
}

/* Variables of a chat, in JSON, for templates as models have them. The first byte says which. */
static void fuzz_chat(input *in) {
    static const char *const sources[] = {
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' ~ m.content | trim ~ ' [/INST]' }}"
        "{% elif m.tool_calls is defined %}{{ m.tool_calls | tojson(indent=2) }}{% else %}{{ m.content }}{% endif %}"
        "{% endfor %}{% for t in tools or [] %}{{ t.function.name }}{{ t | tojson }}{% endfor %}",
        "{% for m in messages %}{% for k, v in m.items() %}{{ k }}={{ v }}{{ v | string | length }};{% endfor %}"
        "{% for p in m.content if p is mapping %}{{ p.text | upper }}{% endfor %}{% endfor %}{{ documents }}"};
    allm__tmpl *t = NULL;
    if (!in->text.len) return;
    size_t    i    = (unsigned char)in->text.ptr[0] % ALLM__COUNT(sources);
    allm__buf out  = {&in->host, NULL, 0, 0, 0, 0};
    allm__spans user = {&in->host, NULL, 0, 0, 0};
    if (allm__tmpl_compile(&in->host, allm__str_of(sources[i]), "template", &t, &in->err)) abort();
    allm__chat     c   = {&in->host, t, allm__str_of(sources[i]), NULL, 0, NULL};
    allm__tmpl_now now = {2026, 7, 26, 10, 11, 12};
    allm__chat_render_json(&c, allm__str(in->text.ptr + 1, in->text.len - 1), 1, &now, &out, &user, &in->err);
    for (size_t k = 0; k < user.len; k++)
        if (user.ptr[k].from > user.ptr[k].to || user.ptr[k].to > out.len) fprintf(stderr, "fuzz: a mark outside"
        "\n"), abort();
    allm__spans_free(&user), allm__buf_free(&out);
    allm__tmpl_free(t);
}

/* The pieces that a pattern cuts a text into stand one behind the other and are all of it. */
static void try_regex(input *in, const allm__regex *rx, allm_str text) {
    allm__cut_step step;
    allm__cuts     cuts;
    allm__word     word;
    const char    *at = text.ptr;
    memset(&step, 0, sizeof step);
    step.kind = ALLM__CUT_PATTERN, step.behavior = ALLM__CUT_ISOLATED, step.rx = rx;
    int r = allm__cuts_init(&cuts, &in->host, &step, 1) && text.len;
    if (r) allm__cuts_set(&cuts, text, 1);
    while (r && (r = allm__cuts_next(&cuts, &word)) > 0) {
        if (word.p != at) fprintf(stderr, "fuzz: a gap between pieces\n"), abort();
        at = word.p + word.n;
    }
    if (r == 0 && text.len && at != text.ptr + text.len) fprintf(stderr, "fuzz: pieces are missing\n"), abort();
    allm__cuts_free(&cuts);
}

/* Up to a NUL the pattern, behind it a text to look in. */
static void fuzz_regex(input *in) {
    const char  *end = in->text.len ? (const char *)memchr(in->text.ptr, 0, in->text.len) : NULL;
    allm_str     pattern = in->text, text = allm__str_of(
                     "don't 12345 \xe4\xb8\xad\xe6\x96\x87  \r\n x\xf0\x9f\x99\x82");
    allm__arena  a     = {0};
    allm__regex *regex = NULL;
    if (end) pattern.len = (size_t)(end - pattern.ptr), text = allm__str(end + 1, in->text.len - pattern.len - 1);
    a.host = &in->host;
    if (!allm__regex_compile(pattern, "pattern", &a, &regex, &in->err) && allm__utf8_bad(text) == SIZE_MAX)
        try_regex(in, regex, text);
    allm__arena_free(&a);
}

/* Up to a NUL the grammar or schema, behind it a text for it. */
static void fuzz_bound(input *in, int schema) {
    const char *end = in->text.len ? (const char *)memchr(in->text.ptr, 0, in->text.len) : NULL;
    allm_str    g   = in->text, text = {"{\"a\": [1, -2.5e3, \"x\\u00e9\"], \"b\": null}", 41};
    allm__gram *gram = NULL;
    allm__gram_run run;
    if (end) g.len = (size_t)(end - g.ptr), text = allm__str(end + 1, in->text.len - g.len - 1);
    if (schema ? allm__gram_compile_schema(&in->host, g, "schema", NULL, 0, &gram, &in->err)
               : allm__gram_compile_gbnf(&in->host, g, "grammar", NULL, &gram, &in->err)) return;
    if (!allm__gram_run_init(&run, &in->host, gram, NULL, &in->err)) {
        for (size_t i = 0; i < text.len && !in->err.status; i++) allm__gram_accept(&run, text.ptr + i, 1, &in->err);
        allm__gram_run_free(&run);
    }
    allm__gram_free(gram);
}

static void fuzz_grammar(input *in) { fuzz_bound(in, 0); }
static void fuzz_schema(input *in) { fuzz_bound(in, 1); }

static allm_status drop(void *ctx, const allm__filt_piece *p, allm_error *err) {
    return (void)ctx, (void)p, (void)err, ALLM_OK;
}

/* The first byte says which family, the second how the text is cut. */
static void fuzz_filter(input *in) {
    static const allm_tool tools[] = {
        {.name = "f", .parameters_schema = "{\"properties\":{\"a\":{\"type\":\"string\"}}}"}, {.name = "add"}};
    if (in->text.len < 2) return;
    const allm__filt_row *row = &allm__filt_rows[(unsigned char)in->text.ptr[0] % ALLM__COUNT(allm__filt_rows)];
    size_t                cut = (unsigned char)in->text.ptr[1] % 16 + 1, n = in->text.len - 2;
    allm__filt           *f   = (allm__filt *)calloc(1, sizeof *f);
    if (!f) return;
    allm_str tail = allm__str_of(cut % 2 ? "<think>" : ">>>");
    if (!allm__filt_init(f, &in->host, row, tail, 1, tools, 2, 64, &in->err)) {
        f->sink = drop;
        for (size_t i = 0; i < n; i += cut)
            allm__filt_push(f, allm__str(in->text.ptr + 2 + i, ALLM__MIN(cut, n - i)), &in->err);
        allm__filt_finish(f, cut % 3 == 0, &in->err);
    }
    allm__filt_free(f);
    free(f);
}

/* A whole model file: container, metadata, tokenizer, tensors. */
static void open_model(input *in, const allm_source *src) {
    allm__compute     compute = {0};
    allm_model_config cfg     = {0};
    allm_model       *m;
    if (!allm__model_open(&in->host, &compute, src, &cfg, &m, &in->err)) allm__model_release(m);
}

static void fuzz_model(input *in) {
    allm_source src = source_of(in);
    open_model(in, &src);
}

/* A folder of these files, one of which is the input: up to a NUL config.json, behind it the weights, or else the
 * weights of a small llama with all bytes zero. */
static void put_file(const char *folder, const char *name, const void *p, size_t n) {
    char  path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (f) fwrite(p, 1, n, f), fclose(f);
}

static size_t small_weights(char *p, size_t most) {
    static const struct { const char *name; int rows, cols; } all[] = {
        {"embed_tokens", 16, 8}, {"norm", 8, 1}, {"layers.0.input_layernorm", 8, 1},
        {"layers.0.post_attention_layernorm", 8, 1}, {"layers.0.self_attn.q_proj", 8, 8},
        {"layers.0.self_attn.k_proj", 4, 8}, {"layers.0.self_attn.v_proj", 4, 8}, {"layers.0.self_attn.o_proj", 8, 8},
        {"layers.0.mlp.gate_proj", 12, 8}, {"layers.0.mlp.up_proj", 12, 8}, {"layers.0.mlp.down_proj", 8, 12},
    };
    size_t n = 8, at = 0;
    memset(p, 0, most);
    for (size_t i = 0; i < ALLM__COUNT(all); i++) {
        const size_t bytes = (size_t)(all[i].rows * all[i].cols) * 4;
        n += (size_t)snprintf(p + n, most - n, "%c\"model.%s.weight\":{\"dtype\":\"F32\",\"shape\":[%d",
                              i ? ',' : '{', all[i].name, all[i].rows);
        if (all[i].cols > 1) n += (size_t)snprintf(p + n, most - n, ",%d", all[i].cols);
        n += (size_t)snprintf(p + n, most - n, "],\"data_offsets\":[%zu,%zu]}", at, at + bytes);
        at += bytes;
    }
    p[n++] = '}', p[0] = (char)((n - 8) & 255), p[1] = (char)((n - 8) >> 8);
    memset(p + n, 0, at);
    return n + at;
}

static void fuzz_folder(input *in) {
    static char folder[64], weights[8192];
    static size_t n_weights;
    const char  *end = in->text.len ? (const char *)memchr(in->text.ptr, 0, in->text.len) : NULL;
    const size_t n = end ? (size_t)(end - in->text.ptr) : in->text.len;
    allm_source  src = {0};
    if (!*folder) {
        snprintf(folder, sizeof folder, "%s/allm-fuzz-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
        if (!mkdtemp(folder)) abort();
        n_weights = small_weights(weights, sizeof weights);
        put_file(folder, "model.safetensors", weights, n_weights);
    }
    put_file(folder, "config.json", in->text.ptr, n);
    if (end) put_file(folder, "model.safetensors", end + 1, in->text.len - n - 1);
    src.path = folder;
    open_model(in, &src);
    if (end) put_file(folder, "model.safetensors", weights, n_weights);
}

static const struct {
    const char *name;
    void (*run)(input *in);
    const char *seed;
} targets[] = {
    {"json", fuzz_json, "{\"a\": [1, -2.5e3, \"x\\u00e9\\ud83d\\ude00\"], \"b\": {\"c\": null, \"d\": true}}"},
    {"gguf", fuzz_gguf, "GGUF\3"},
    {"safetensors", fuzz_safetensors, "\x40"},
    {"model", fuzz_model, "GGUF\3"},
    {"folder", fuzz_folder,
     "{\"model_type\": \"llama\", \"hidden_size\": 8, \"num_hidden_layers\": 1, \"num_attention_heads\": 2, "
     "\"num_key_value_heads\": 1, \"intermediate_size\": 12, \"max_position_embeddings\": 32, \"rms_norm_eps\": 1e-5, "
     "\"tie_word_embeddings\": true, \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8, "
     "\"original_max_position_embeddings\": 64}, \"quantization\": {\"group_size\": 64, \"bits\": 4}, "
     "\"layer_types\": [\"full_attention\"], \"torch_dtype\": \"bfloat16\"}"},
    {"tokenizer", fuzz_tokenizer,
     "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]},"
     "\"added_tokens\":[{\"id\":3,\"content\":\"<s>\",\"special\":true}],\"pre_tokenizer\":{\"type\":"
     "\"ByteLevel\"},\"decoder\":{\"type\":\"ByteLevel\"}}"},
    {"text", fuzz_text, "\x10Hello  world, don't 12345 \xe4\xb8\xad\xe6\x96\x87 e\xcc\x81 \xf0\x9f\x99\x82<s> aaa"
    "a\xff\n\n"},
    {"chat", fuzz_chat,
     "1{\"messages\":[{\"role\":\"user\",\"content\":\"Hi <|im_end|>\"},{\"role\":\"assistant\",\"content\":null,"
     "\"tool_calls\":[{"
     "\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":{\"a\":[1,2.5]}}}],\"reasonin"
     "g\":\"r\"},{\"role\":"
     "\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}],\"tools\":[{\"type\":\"function\",\"function\":"
     "{\"name\":\"f\"}}],"
     "\"documents\":null,\"bos_token\":\"<s>\",\"add_generation_prompt\":true,\"continue_final_message\":false}"},
    {"spm", fuzz_spm, "\n\x0a\n\x05<unk>\x15"},
    {"template", fuzz_template,
     "{% for m in [1, {'a': 'b'}] %}{{ loop.index ~ m | tojson }}{% if m is mapping %}{{- m.a.upper()[::-1] -}}"
     "{% endif %}{% endfor %}{% macro f(x, y=2) %}{{ x * y }}{% endmacro %}{{ f('ab') }}{% set ns = namespace(n=0) %}"
     "{{ '%d' % 3 }}"},
    {"regex", fuzz_regex,
     "'(?i:[sdmt]|ll)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"},
    {"grammar", fuzz_grammar, "root ::= (\"a\" | [^b-d\\x41]){2,5} x* # c\nx ::= \"\\u00e9\"? . root\n"},
    {"schema", fuzz_schema,
     "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"array\",\"items\":{\"anyOf\":[{\"type\":\"number\","
     "\"minimum\":-3,\"multipleOf\":0.5},{\"$ref\":\"#/$defs/s\"}]}},\"b\":{\"oneOf\":[{\"const\":null},{\"enum\":"
     "[1,\"x\"]}]}},\"required\":[\"b\"],\"$defs\":{\"s\":{\"type\":\"string\",\"pattern\":\"^(a|b+)?[^c]{1,3}$\","
     "\"maxLength\":5,\"format\":\"date\"}}}"},
    {"filter", fuzz_filter,
     "\1\1<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": \"b\"}}\n</tool_call> [TOOL_CALLS]f[ARGS]{\"a\":1} "
     "<function=f><parameter=a>\nx\n</parameter></function> [f(a='b')] <|channel|>commentary to=functions.f<|message|>"
     "{}<|call|> <think>q</think>"},
};

static void run_target(size_t target, const uint8_t *data, size_t n) {
    heap  mem = {0, 0};
    input in;
    memset(&in, 0, sizeof in);
    in.host.mem.alloc = heap_alloc, in.host.mem.free = heap_free, in.host.mem.ctx = &mem;
    uint8_t *copy = (uint8_t *)malloc(n ? n : 1); /* of the exact size, so that a read behind it is found */
    if (!copy) return;
    if (n) memcpy(copy, data, n);
    in.text = allm__str((const char *)copy, n);
    targets[target].run(&in);
    if (mem.live) fprintf(stderr, "fuzz: %s leaves %zu bytes\n", targets[target].name, mem.live), abort();
    if (in.err.status && !in.err.message[0]) fprintf(stderr, "fuzz: an error without a message\n"), abort();
    free(copy);
}

#ifdef FUZZ_TARGET

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static size_t target = SIZE_MAX;
    for (size_t i = 0; target == SIZE_MAX && i < ALLM__COUNT(targets); i++)
        if (!strcmp(targets[i].name, FUZZ_TARGET)) target = i;
    run_target(target, data, n);
    return 0;
}

#else

/* ---- the plain runner */

enum { MOST_INPUT = 1 << 20 };
static uint64_t state = 1;

static uint64_t below(uint64_t n) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (state >> 11) % (n ? n : 1);
}

/* Changes, doubles, moves or drops some bytes; n at most `most`. other: another seed to take bytes from. */
static size_t mutate(uint8_t *p, size_t n, size_t most, const uint8_t *other, size_t n_other) {
    static const char odd[] = "\0\xff\x7f\x80{}[]()\"'\\%<>|*+?.,:;-_ \n\t0129eE";
    for (uint64_t k = 0, times = 1 + below(8); k < times; k++) {
        size_t at = n ? (size_t)below(n) : 0, len = (size_t)below(1 + below(64)), to;
        switch (below(7)) {
        case 0: if (n) p[at] ^= (uint8_t)(1 << below(8)); break;
        case 1: if (n) p[at] = (uint8_t)odd[below(sizeof odd - 1)]; break;
        case 2: len = ALLM__MIN(len, n - at), memmove(p + at, p + at + len, n - at - len), n -= len; break;
        case 3: /* again, maybe many times */
            len = ALLM__MIN(len, n - at);
            for (uint64_t i = 0, more = below(4) ? 1 : below(500); i < more && n + len <= most; i++)
                memmove(p + at + len, p + at, n - at), n += len;
            break;
        case 4: /* from another place */
            len = ALLM__MIN(len, n - at), to = n ? (size_t)below(n - len + 1) : 0;
            memmove(p + to, p + at, len);
            break;
        case 5: /* from another seed */
            to = n_other ? (size_t)below(n_other) : 0, len = ALLM__MIN(len, n_other - to);
            if (n + len > most) break;
            memmove(p + at + len, p + at, n - at), memcpy(p + at, other + to, len), n += len;
            break;
        default: if (n && !below(20)) n = (size_t)below(n); break;
        }
    }
    return n;
}

static void keep(const uint8_t *p, size_t n) { /* the input, before it is tried */
    FILE *f = fopen("build/fuzz-input", "wb");
    if (f) fwrite(p, 1, n, f), fclose(f);
}

static uint8_t *now;
static size_t   n_now;

static void stopped(int sig) { /* too long, or a fault */
    keep(now, n_now);
    fprintf(stderr, "fuzz: signal %d; the input is in build/fuzz-input\n", sig);
    _exit(1);
}

int main(int argc, char **argv) {
    static uint8_t *seeds[256], *buf;
    size_t          sizes[256], n_seeds = 0, target = 0, runs = 100000, done = 0;
    double          most = 60, longest = 0;
    if (argc < 2 || !strcmp(argv[1], "list")) {
        for (size_t i = 0; i < ALLM__COUNT(targets); i++) puts(targets[i].name);
        return argc < 2 ? 2 : 0;
    }
    while (target < ALLM__COUNT(targets) && strcmp(targets[target].name, argv[1])) target++;
    if (target == ALLM__COUNT(targets)) return fprintf(stderr, "fuzz: no target \"%s\"\n", argv[1]), 2;
    seeds[n_seeds] = (uint8_t *)(uintptr_t)targets[target].seed, sizes[n_seeds++] = strlen(targets[target].seed);
    for (int i = 2; i < argc; i++) {
        if (argv[i][0] == '-' && i + 1 < argc) {
            char *value = argv[++i];
            if (argv[i - 1][1] == 'n') runs = (size_t)strtoull(value, NULL, 10);
            if (argv[i - 1][1] == 's') state = strtoull(value, NULL, 10) * 0x9E3779B97F4A7C15u | 1;
            if (argv[i - 1][1] == 't') most = strtod(value, NULL);
            continue;
        }
        FILE *f = fopen(argv[i], "rb");
        if (!f || n_seeds == 256) return perror(argv[i]), 2;
        seeds[n_seeds] = (uint8_t *)malloc(MOST_INPUT);
        if (seeds[n_seeds]) sizes[n_seeds] = fread(seeds[n_seeds], 1, MOST_INPUT, f), n_seeds++;
        fclose(f);
    }
    now = buf = (uint8_t *)malloc(2 * MOST_INPUT);
    if (!buf) return 1;
    signal(SIGALRM, stopped), signal(SIGABRT, stopped), signal(SIGSEGV, stopped);
    double start = allm__plat_seconds();
    for (; done < n_seeds + runs && allm__plat_seconds() - start < most; done++) {
        size_t i = done < n_seeds ? done : (size_t)below(n_seeds), k = (size_t)below(n_seeds);
        memcpy(buf, seeds[i], n_now = sizes[i]);
        if (done >= n_seeds) n_now = mutate(buf, n_now, 2 * MOST_INPUT, seeds[k], sizes[k]);
        double t = allm__plat_seconds();
        alarm(10);
        run_target(target, buf, n_now);
        alarm(0);
        t       = allm__plat_seconds() - t;
        longest = ALLM__MAX(longest, t);
    }
    printf("%s: %zu inputs, %.0f s, the longest took %.3f s\n", targets[target].name, done,
           allm__plat_seconds() - start, longest);
    return 0;
}

#endif
