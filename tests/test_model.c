/* Room model: what opens and what does not, memory counted and limited, references, what is told about a model.
 * FAULTS rows 12, 13, 36 and 38. */
#include "make_model.h"
#include <dirent.h>

static const allm_model_config model_config;

/* ---- golden/broken-gguf and golden/gguf */

/* Calls body for each object of a JSON array of flat objects; strings into the buffers named by keys. */
typedef struct model_row {
    char file[128], level[16], expect[16], refuse[64];
} model_row;

static void model_read_row(allm__json *j, model_row *r) {
    allm_str key;
    memset(r, 0, sizeof *r);
    while (allm__json_key(j, &key)) {
        char *dst = allm__str_eq(key, ALLM__S("file"))     ? r->file
                    : allm__str_eq(key, ALLM__S("level"))  ? r->level
                    : allm__str_eq(key, ALLM__S("expect")) ? r->expect
                    : allm__str_eq(key, ALLM__S("refuse")) ? r->refuse
                                                           : NULL;
        size_t cap = dst == r->file ? sizeof r->file : dst == r->refuse ? sizeof r->refuse : sizeof r->level;
        if (!dst) { allm__json_skip(j); continue; }
        allm__json_event e = allm__json_next(j);
        if (e == ALLM__JSON_STRING) snprintf(dst, cap, "%.*s", (int)allm__json_text(j).len, allm__json_text(j).ptr);
        else if (e == ALLM__JSON_OBJECT || e == ALLM__JSON_ARRAY) allm__json_skip(j);
    }
}

static void model_each_row(const char *index, void (*body)(const model_row *r, void *ctx), void *ctx) {
    size_t     n;
    char      *text = test_golden(index, &n);
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    allm_error err  = {0};
    allm__json j;
    model_row  r;
    allm__json_init(&j, &h, allm__str(text, n), index, 0, &err);
    for (allm__json_begin(&j, ALLM__JSON_ARRAY, "rows"); allm__json_elem(&j);) {
        model_read_row(&j, &r);
        body(&r, ctx);
    }
    assert_string_equal(err.message, "");
    allm__json_free(&j);
    free(text);
    test_heap_check(&heap);
}

typedef struct model_count {
    int n, n_ok, n_unsupported;
} model_count;

static allm_status model_open_golden(test_engine *e, const char *folder, const char *file, allm_error *err) {
    char        name[256];
    allm_source src = {0};
    allm_model *m   = NULL;
    snprintf(name, sizeof name, "%s/%s", folder, file);
    char *path = test_golden_path(name);
    src.path   = path;
    memset(err, 0, sizeof *err);
    allm_status status = allm__model_open(&e->host, &e->compute, &src, &model_config, &m, err);
    assert_int_equal(status, err->status);
    assert_true((m == NULL) == (status != ALLM_OK));
    if (status && !err->message[0]) fail_msg("%s: no message", file);
    allm__model_release(m);
    assert_int_equal(e->heap.live, 0);
    free(path);
    return status;
}

static void model_broken_row(const model_row *r, void *ctx) {
    model_count *c = (model_count *)ctx;
    test_engine  e;
    allm_error   err;
    test_engine_init(&e, 1, NULL);
    allm_status status = model_open_golden(&e, "broken-gguf", r->file, &err);
    test_engine_free(&e);
    int is_model = !strcmp(r->level, "model"), refuse = !strcmp(r->expect, "refuse"),
        accept = !strcmp(r->expect, "accept");
    c->n++, c->n_ok += status == ALLM_OK;
    if (refuse && !status) fail_msg("%s was opened", r->file);
    if (accept && is_model && status) fail_msg("%s: %s", r->file, err.message);
}

static void test_model_broken_files(void **state) {
    model_count c = {0, 0, 0};
    (void)state;
    model_each_row("broken-gguf/index.json", model_broken_row, &c);
    printf("             %d files, %d open\n", c.n, c.n_ok);
    assert_true(c.n >= 70);
}

static void model_family_row(const model_row *r, void *ctx) {
    model_count *c = (model_count *)ctx;
    test_engine  e;
    allm_error   err;
    test_engine_init(&e, 1, NULL);
    allm_status status = model_open_golden(&e, "gguf", r->file, &err);
    test_engine_free(&e);
    c->n++, c->n_ok += status == ALLM_OK, c->n_unsupported += status == ALLM_E_UNSUPPORTED;
    if (r->refuse[0] ? status == ALLM_OK : status && status != ALLM_E_UNSUPPORTED)
        fail_msg("%s: %s", r->file, err.message);
}

/* Families and types that we do not have are refused as such, never half opened. */
static void test_model_golden_files_open(void **state) {
    model_count c = {0, 0, 0};
    (void)state;
    model_each_row("gguf/manifest.json", model_family_row, &c);
    printf("             %d files, %d open, %d not supported yet\n", c.n, c.n_ok, c.n_unsupported);
    assert_true(c.n_ok >= 20);
}

/* ---- folders */

static const char model_json[] =
    "{\"model_type\": \"llama\", \"hidden_size\": 8, \"num_hidden_layers\": 1, \"num_attention_heads\": 2, "
    "\"num_key_value_heads\": 1, \"intermediate_size\": 12, \"max_position_embeddings\": 32, \"rms_norm_eps\": 1e-5, "
    "\"tie_word_embeddings\": true, \"rope_theta\": 10000, \"rope_scaling\": null}";

/* A model of one layer. without: a tensor that is left out; wide: one that gets a row more; extra: one more tensor. */
static void model_folder(const char *path, const char *config, const char *without, const char *wide,
                         const char *extra) {
    static const struct { const char *name; int rows, cols; } all[] = {
        {"model.embed_tokens.weight", 16, 8}, {"model.norm.weight", 8, 0},
        {"model.layers.0.input_layernorm.weight", 8, 0}, {"model.layers.0.post_attention_layernorm.weight", 8, 0},
        {"model.layers.0.self_attn.q_proj.weight", 8, 8}, {"model.layers.0.self_attn.k_proj.weight", 4, 8},
        {"model.layers.0.self_attn.v_proj.weight", 4, 8}, {"model.layers.0.self_attn.o_proj.weight", 8, 8},
        {"model.layers.0.mlp.gate_proj.weight", 12, 8}, {"model.layers.0.mlp.up_proj.weight", 12, 8},
        {"model.layers.0.mlp.down_proj.weight", 8, 12}, {NULL, 8, 0},
    };
    char   header[4096];
    size_t n = 0, at = 0, n_file;
    n += (size_t)snprintf(header, sizeof header, "{");
    for (size_t i = 0; i < ALLM__COUNT(all); i++) {
        const char *name = all[i].name ? all[i].name : extra;
        const int   rows = all[i].rows + (name && wide && !strcmp(name, wide)), cols = all[i].cols;
        const size_t bytes = (size_t)rows * (size_t)(cols ? cols : 1) * 4;
        if (!name || (without && !strcmp(name, without))) continue;
        n += (size_t)snprintf(header + n, sizeof header - n, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%d", at ? "," : "",
                              name, rows);
        if (cols) n += (size_t)snprintf(header + n, sizeof header - n, ",%d", cols);
        n += (size_t)snprintf(header + n, sizeof header - n, "],\"data_offsets\":[%zu,%zu]}", at, at + bytes);
        at += bytes;
    }
    snprintf(header + n, sizeof header - n, "}");
    char *bytes = st_make(header, at, &n_file);
    memset(bytes + n_file - at, 0x3c, at); /* 0.0115 */
    st_write(path, "model.safetensors", bytes, n_file);
    st_write(path, "config.json", config, strlen(config));
    free(bytes);
}

static allm_status model_open_folder(const char *path, allm_model **m, test_engine *e, allm_error *err) {
    allm_model_config cfg = {0};
    allm_source       src = {0};
    src.path = path;
    test_engine_init(e, 1, NULL);
    return allm__model_open(&e->host, &e->compute, &src, &cfg, m, err);
}

/* What is wrong with a folder is said with file, key or tensor. */
static void test_model_folder_faults(void **state) {
    static const struct { const char *from, *to, *without, *wide, *extra, *words; } rows[] = {
        {NULL, NULL, NULL, NULL, NULL, NULL}, /* opens */
        {"\"llama\"", "\"nonsense\"", NULL, NULL, NULL, "config.json: model_type \"nonsense\" is not supported"},
        {"\"llama\"", "7", NULL, NULL, NULL, "key \"model_type\" is an integer, a string expected"},
        {"\"model_type\"", "\"other\"", NULL, NULL, NULL, "key \"model_type\" is missing"},
        {"\"hidden_size\": 8", "\"hidden_size\": \"8\"", NULL, NULL, NULL, "key \"hidden_size\" is a string"},
        {"\"hidden_size\": 8", "\"hidden_size\": -8", NULL, NULL, NULL, "key \"hidden_size\" is -8"},
        {"\"hidden_size\": 8", "\"hidden_size\": 9", NULL, NULL, NULL,
         "key \"num_attention_heads\" is 2, expected a divisor of embedding_length, 9"},
        {"\"num_hidden_layers\": 1", "\"num_hidden_layers\": 1e9", NULL, NULL, NULL,
         "key \"num_hidden_layers\" is 1e9"},
        {"\"num_hidden_layers\": 1", "\"num_hidden_layers\": 2", NULL, NULL, NULL,
         "tensor \"model.layers.1.input_layernorm.weight\" is missing"},
        {"heads\": 1", "heads\": 3", NULL, NULL, NULL, "key \"num_key_value_heads\" is 3"},
        {"1e-5", "[1]", NULL, NULL, NULL, "key \"rms_norm_eps\" is an array"},
        {"true", "\"yes\"", NULL, NULL, NULL, "key \"tie_word_embeddings\" is a string, true or false expected"},
        {"true", "false", NULL, NULL, NULL, "tensor \"lm_head.weight\" is missing"},
        {"\"rope_scaling\": null", "\"rope_scaling\": {\"rope_type\": \"magic\"}", NULL, NULL, NULL,
         "key \"rope_scaling.rope_type\" is \"magic\", which is not supported"},
        {"\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"longrope\"}", NULL, NULL, NULL, "short_factor"},
        {"\"rope_scaling\": null",
         "\"rope_scaling\": {\"type\": \"longrope\", \"short_factor\": [1], \"long_factor\": []}",
         NULL, NULL, NULL, "has 1 elements, 2 expected"},
        {"\"rope_scaling\": null", "\"layer_types\": [\"full_attention\", \"full_attention\"]", NULL, NULL, NULL,
         "key \"layer_types\" has 2 elements, 1 expected"},
        {"\"llama\"", "\"falcon\", \"alibi\": true", NULL, NULL, NULL, "key \"alibi\" is true, which is not supported"},
        {"\"llama\"", "\"opt\", \"do_layer_norm_before\": false", NULL, NULL, NULL,
         "key \"do_layer_norm_before\" is false, which is not supported"},
        {"\"llama\"", "\"opt\", \"word_embed_proj_dim\": 4", NULL, NULL, NULL,
         "key \"word_embed_proj_dim\" is not hidden_size"},
        {"\"rope_scaling\": null", "\"layer_types\": 7", NULL, NULL, NULL, "key \"layer_types\" is an integer"},
        {NULL, NULL, "model.embed_tokens.weight", NULL, NULL, "tensor \"model.embed_tokens.weight\" is missing"},
        {NULL, NULL, "model.layers.0.mlp.up_proj.weight", NULL, NULL,
         "tensor \"model.layers.0.mlp.up_proj.weight\" is missing, llama needs it"},
        {NULL, NULL, "model.layers.0.self_attn.q_proj.weight", NULL, NULL, "self_attn.q_proj.weight\" is missing"},
        {NULL, NULL, NULL, "model.layers.0.self_attn.q_proj.weight", NULL,
         "q_proj.weight\": 9 rows of 8 numbers, 8 of 8 expected"},
        {NULL, NULL, NULL, "model.norm.weight", NULL, "tensor \"model.norm.weight\": 9 rows of 1 numbers, 8 of 1"},
        {NULL, NULL, NULL, NULL, "model.layers.0.self_attn.q_norm.weight", "is not one that llama is known to have"},
        {NULL, NULL, NULL, NULL, "model.layers.7.self_attn.q_norm.weight", NULL}, /* of a layer that is not there */
        {NULL, NULL, NULL, NULL, "vision_tower.x", NULL},
    };
    char path[300], config[1024];
    (void)state;
    st_folder_new(path);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        const char *at = rows[i].from ? strstr(model_json, rows[i].from) : NULL;
        test_engine e;
        allm_error  err = {0};
        allm_model *m   = NULL;
        if (rows[i].from) assert_non_null(at);
        if (at) snprintf(config, sizeof config, "%.*s%s%s", (int)(at - model_json), model_json, rows[i].to,
                         at + strlen(rows[i].from));
        model_folder(path, at ? config : model_json, rows[i].without, rows[i].wide, rows[i].extra);
        allm_status status = model_open_folder(path, &m, &e, &err);
        if (!status) allm__model_release(m);
        test_engine_free(&e);
        if (!rows[i].words && status) fail_msg("row %zu: %s", i, err.message);
        if (rows[i].words && (!status || !strstr(err.message, rows[i].words)))
            fail_msg("row %zu: \"%s\", expected \"%s\"", i, err.message, rows[i].words);
    }
    st_folder_remove(path);
}

/* A folder whose file ends anywhere: the weights', config.json. No prefix opens but the whole. */
static void test_model_fault_16_folder_truncation(void **state) {
    static const char *const names[] = {"model.safetensors", "config.json"};
    char                     path[300];
    (void)state;
    st_folder_new(path);
    for (size_t k = 0; k < ALLM__COUNT(names); k++) {
        size_t n;
        model_folder(path, model_json, NULL, NULL, NULL);
        char *name = test_path(path, names[k]), *text = test_read(name, &n);
        for (size_t i = 0; i < n; i++) {
            test_engine e;
            allm_error  err = {0};
            allm_model *m   = NULL;
            st_write(path, names[k], text, i);
            allm_status status = model_open_folder(path, &m, &e, &err);
            if (!status) allm__model_release(m);
            if (status != ALLM_E_FORMAT || !strstr(err.message, names[k]))
                fail_msg("%s, %zu of %zu bytes: %d \"%s\"", names[k], i, n, (int)status, err.message);
            assert_true(e.heap.peak < 1 << 20);
            test_engine_free(&e);
        }
        st_write(path, names[k], text, n);
        free(name), free(text);
    }
    st_folder_remove(path);
}

/* Every key that a table or a class of models reads, with every type of value and numbers out of range: the folder
 * opens, or the message names config.json and the key; the key is not used by this class, then. */
static void test_model_fault_20_keys(void **state) {
    static const char *const values[] = {
        "\"text\"", "[]", "{}", "null", "true", "-1", "0", "3", "1e999", "-1e400", "1e-400", "18446744073709551616",
        "9223372036854775808", "0.5", "[1, 2]", "{\"a\": 1}", "\"\\ud800\"",
    };
    char path[300];
    int  n = 0, n_open = 0;
    (void)state;
    st_folder_new(path);
    for (size_t i = 0; i < ALLM__COUNT(allm__arch_keys); i++)
        for (const char *key = allm__arch_keys[i].hf; key && *key;) {
            const size_t len = strcspn(key, " ");
            for (size_t k = 0; k < ALLM__COUNT(values) && !memchr(key, '.', len); k++, n++) {
                test_engine e;
                char        config[2048], name[80], old[90];
                allm_error  err = {0};
                allm_model *m   = NULL;
                snprintf(name, sizeof name, "%.*s", (int)len, key), snprintf(old, sizeof old, "\"%s\": ", name);
                const char *at = strstr(model_json, old), *end = at ? at + strcspn(at, ",}") : NULL;
                if (at)
                    snprintf(config, sizeof config, "%.*s%s%s%s", (int)(at - model_json), model_json, old, values[k],
                             end);
                else snprintf(config, sizeof config, "{%s%s, %s", old, values[k], model_json + 1);
                model_folder(path, config, NULL, NULL, NULL);
                const double from   = test_seconds();
                allm_status  status = model_open_folder(path, &m, &e, &err);
                if (!status) allm__model_release(m), n_open++;
                else if (!strstr(err.message, "config.json") && !strstr(err.message, "tensor"))
                    fail_msg("%s%s: %s", old, values[k], err.message);
                test_time(name, test_seconds() - from, 1);
                assert_true(e.heap.peak < 64 << 20);
                test_engine_free(&e);
            }
            key += len + (key[len] == ' ');
        }
    printf("             %d settings, %d open\n", n, n_open);
    assert_true(n > 1000 && n_open < n / 2);
    st_folder_remove(path);
}

/* NaN and infinities in the weights of a folder: it opens, and the logits are refused. */
static void test_model_fault_15_folder_nan(void **state) {
    static const uint32_t bits[] = {0x7fc00000, 0x7f800000, 0xff800000, 0x7f7fffff};
    static const int32_t  ids[]  = {1, 2, 3};
    char                  path[300];
    (void)state;
    st_folder_new(path);
    for (size_t k = 0; k < ALLM__COUNT(bits); k++) {
        test_engine         e;
        allm_error          err = {0};
        allm_session_config sc  = {0};
        allm_model         *m   = NULL;
        allm_session       *s   = NULL;
        size_t              n;
        model_folder(path, model_json, NULL, NULL, NULL);
        char *name = test_path(path, "model.safetensors"), *text = test_read(name, &n);
        for (size_t i = n - 8 * 12 * 4; i < n; i += 4) memcpy(text + i, &bits[k], 4); /* down_proj */
        st_write(path, "model.safetensors", text, n);
        free(name), free(text);
        if (model_open_folder(path, &m, &e, &err)) fail_msg("%s", err.message);
        assert_int_equal(allm__session_create(m, &sc, &s, &err), ALLM_OK);
        assert_int_equal(allm__session_eval(s, ids, 3, 0, NULL, NULL, &err), ALLM_OK);
        allm__samp samp;
        int32_t    id;
        assert_int_equal(allm__samp_init(&samp, &e.host, e.compute.kern, 16, &allm__samp_default, &err), ALLM_OK);
        allm_status status = allm__samp_next(&samp, allm__session_logits(s, 0), &id, NULL, &err);
        if ((k < 3 || status) && (status != ALLM_E_NUMERIC || !strstr(err.message, "is NaN")))
            fail_msg("%x: %d \"%s\"", (unsigned)bits[k], (int)status, err.message);
        allm__samp_free(&samp);
        allm__session_destroy(s);
        allm__model_release(m);
        test_engine_free(&e);
    }
    st_folder_remove(path);
}

ALLM__UNUSED static allm_status model_folder_body(const allm__host *h, void *path) {
    allm__compute     compute = {0};
    allm_model_config cfg = {0};
    allm_source       src = {0};
    allm_error        err = {0};
    allm_model       *m;
    src.path = (const char *)path;
    allm_status status = allm__model_open(h, &compute, &src, &cfg, &m, &err);
    if (!status) allm__model_release(m);
    return status;
}

static void test_model_folder_no_memory(void **state) {
    static const char *const folders[] = {"models/gpt_neox", "mlx/mixtral_q4_g64_bf16", "models/phi3_longrope"};
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(folders); i++) {
        char *path = test_golden_path(folders[i]);
        test_fail_each(model_folder_body, path);
        free(path);
    }
}

/* Folders that the reference refuses are refused here too, and none does any harm. */
static void test_model_folder_broken(void **state) {
    size_t     n;
    char      *text = test_golden("broken-safetensors/folders.json", &n);
    test_heap  heap = {0};
    allm__host h    = test_host(&heap);
    allm_error err  = {0};
    allm_str   key, s;
    allm__json j;
    int        n_run = 0;
    (void)state;
    allm__json_init(&j, &h, allm__str(text, n), "folders.json", 0, &err);
    for (allm__json_begin(&j, ALLM__JSON_ARRAY, "folders"); allm__json_elem(&j); n_run++) {
        test_engine e;
        allm_error  found = {0};
        allm_model *m     = NULL;
        char        dir[120] = "", expect[16] = "";
        while (allm__json_key(&j, &key)) {
            const int is_dir = allm__str_eq(key, ALLM__S("dir"));
            if (!is_dir && !allm__str_eq(key, ALLM__S("expect"))) allm__json_skip(&j);
            else if (allm__json_get_str(&j, "folders", &s))
                snprintf(is_dir ? dir : expect, is_dir ? sizeof dir : sizeof expect, "%s%.*s",
                         is_dir ? "broken-safetensors/" : "", (int)s.len, s.ptr);
        }
        char       *path   = test_golden_path(dir);
        allm_status status = model_open_folder(path, &m, &e, &found);
        if (!status) allm__model_release(m);
        if (status ? !strcmp(expect, "accept") || !found.message[0] : !strcmp(expect, "refuse"))
            fail_msg("%s: \"%s\", expected: %s", dir, found.message, expect);
        test_engine_free(&e);
        free(path);
    }
    assert_string_equal(err.message, "");
    printf("             %d folders\n", n_run);
    assert_true(n_run >= 30);
    allm__json_free(&j);
    free(text);
    test_heap_check(&heap);
}

/* generation_config.json to the sampling that NULL stands for. */
static void test_model_folder_sampling(void **state) {
    static const struct { const char *text; float temperature, top_p; int32_t top_k; float penalty; } rows[] = {
        {"{\"eos_token_id\": 2}", 0.7f, 0.9f, 0, 0},
        {"{\"do_sample\": true}", 1, 1, 50, 1},
        {"{\"do_sample\": true, \"temperature\": 0.6, \"top_k\": 20, \"top_p\": 0.95}", 0.6f, 0.95f, 20, 1},
        {"{\"do_sample\": false, \"temperature\": 0.6}", 0, 0.9f, 0, 0},
        {"{\"temperature\": 0.3, \"repetition_penalty\": 1.1}", 0.3f, 0.9f, 0, 1.1f},
        {"{\"temperature\": \"hot\", \"top_p\": 3}", 0.7f, 0.9f, 0, 0},
        {"{\"do_sample\": ", 0.7f, 0.9f, 0, 0}, /* not used, with a warning */
    };
    char path[300];
    (void)state;
    st_folder_new(path);
    model_folder(path, model_json, NULL, NULL, NULL);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        test_engine   e;
        allm_error    err = {0};
        allm_sampling got;
        allm_model   *m;
        st_write(path, "generation_config.json", rows[i].text, strlen(rows[i].text));
        if (model_open_folder(path, &m, &e, &err)) fail_msg("%s", err.message);
        allm__samp_of_model(m, &got);
        allm__model_release(m);
        test_engine_free(&e);
        if (got.temperature != rows[i].temperature || got.top_p != rows[i].top_p || got.top_k != rows[i].top_k ||
            got.repeat_penalty != rows[i].penalty)
            fail_msg("%s: %g %g %d %g", rows[i].text, (double)got.temperature, (double)got.top_p, (int)got.top_k,
                     (double)got.repeat_penalty);
    }
    st_folder_remove(path);
}

/* Which file's template counts. */
static void test_model_folder_templates(void **state) {
    static const char *const names[] = {"chat_template.jinja", "tokenizer_config.json", "chat_template.json"};
    static const char *const texts[] = {
        "one",
        ("{\"chat_template\": [{\"name\": \"default\", \"template\": \"two\"}, "
         "{\"template\": \"tools\", \"name\": \"tool_use\"}]}"),
        "{\"chat_template\": \"three\"}"};
    static const struct { int files, images; const char *text, *tools; } rows[] = {
        {0, 0, "", ""}, {1, 0, "one", ""}, {3, 0, "one", ""}, {2, 0, "two", "tools"}, {6, 0, "two", "tools"},
        {4, 0, "three", ""}, {7, 1, "three", ""}, {3, 1, "one", ""},
    };
    char path[300], config[1200];
    (void)state;
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        test_engine e;
        allm_error  err = {0};
        allm_model *m;
        st_folder_new(path);
        snprintf(config, sizeof config, rows[i].images ? "{\"model_type\": \"x\", \"text_config\": %s}" : "%s",
                 model_json);
        model_folder(path, config, NULL, NULL, NULL);
        for (int k = 0; k < 3; k++)
            if (rows[i].files >> k & 1) st_write(path, names[k], texts[k], strlen(texts[k]));
        if (model_open_folder(path, &m, &e, &err)) fail_msg("row %zu: %s", i, err.message);
        if (!allm__str_eq(m->chat_template, allm__str_of(rows[i].text)) ||
            !allm__str_eq(m->named_template[0], allm__str_of(rows[i].tools)))
            fail_msg("row %zu: \"%.*s\", expected \"%s\"", i, (int)m->chat_template.len, m->chat_template.ptr,
                     rows[i].text);
        allm__model_release(m);
        test_engine_free(&e);
        for (int k = 0; k < 3; k++) {
            char *name = test_path(path, names[k]);
            unlink(name);
            free(name);
        }
        st_folder_remove(path);
    }
}

/* ---- memory */

/* plan tells what the caller's allocator then sees, byte for byte: for bytes in memory and for a reader. */
static int64_t model_read(void *ctx, uint64_t offset, void *dst, size_t n) {
    const make_gguf *w = (const make_gguf *)ctx;
    size_t           left = offset < w->n ? w->n - (size_t)offset : 0, take = ALLM__MIN(n, ALLM__MIN(left, 777));
    if (take) memcpy(dst, w->bytes + offset, take);
    return (int64_t)take;
}

static void test_model_plan(void **state) {
    (void)state;
    for (int kind = 0; kind < 8; kind++) {
        test_engine         e;
        allm_error          err = {0};
        allm_model_config   cfg = {0};
        allm_session_config sc  = {0};
        allm_memory_plan    plan;
        allm_source         src = {0};
        allm_model         *m   = NULL;
        allm_session       *s   = NULL;
        make_model          p   = make_model_new("llama");
        p.type                  = kind % 2 ? ALLM__Q4_0 : ALLM__F16;
        p.n_embd = 64, p.n_ff = 96, p.head_dim = 16;
        make_gguf w = make_model_file(&p);
        test_engine_init(&e, 1 + kind % 3, NULL);
        if (kind < 4) src.data = w.bytes, src.n_bytes = w.n;
        else src.read = model_read, src.size = w.n, src.ctx = &w;
        cfg.reference = kind / 2 % 2;
        sc.n_ctx = 10 + kind, sc.n_batch = kind;
        assert_int_equal(allm__model_plan(&e.host, &e.compute, &src, &cfg, &sc, &plan, &err), ALLM_OK);
        assert_int_equal(e.heap.live, 0);
        e.heap.peak = 0;
        assert_int_equal(allm__model_open(&e.host, &e.compute, &src, &cfg, &m, &err), ALLM_OK);
        assert_int_equal(plan.mapped, kind < 4 ? m->n_tensor_bytes : 0);
        assert_true(plan.other > (kind < 4 ? 0 : w.n));
        assert_int_equal(e.heap.live, plan.other);
        assert_int_equal(m->meter.live, e.heap.live);
        assert_int_equal(allm__session_create(m, &sc, &s, &err), ALLM_OK);
        assert_int_equal(e.heap.live, plan.other + plan.repacked + plan.kv + plan.scratch);
        assert_int_equal(e.heap.peak, plan.peak);
        assert_true(plan.repacked > 0);
        const uint64_t n_keys = ALLM__KEYS; /* a block, into which all these contexts fit */
        const uint64_t n_ids = ((uint64_t)sc.n_ctx * sizeof(int32_t) + 63) / 64 * 64;
        assert_int_equal(plan.kv, 2 * 2 * 2 * 16 * n_keys * (cfg.reference ? 4 : 2) + n_ids); /* layers, K V, heads */
        allm__session_destroy(s);
        allm__model_release(m);
        test_engine_free(&e);
        make_gguf_free(&w);
    }
}

/* A limit of exactly what is needed is enough, one byte less is not, and the message says so. */
static void test_model_memory_limit(void **state) {
    test_engine         e;
    allm_error          err = {0};
    allm_model_config   cfg = {0};
    allm_session_config sc  = {0};
    allm_memory_plan    plan;
    allm_source         src = {0};
    allm_model         *m   = NULL;
    allm_session       *s   = NULL;
    make_model          p   = make_model_new("llama");
    make_gguf           w   = make_model_file(&p);
    (void)state;
    test_engine_init(&e, 1, NULL);
    src.data = w.bytes, src.n_bytes = w.n;
    assert_int_equal(allm__model_plan(&e.host, &e.compute, &src, &cfg, &sc, &plan, &err), ALLM_OK);
    assert_true(plan.repacked > 0 && plan.peak == plan.other + plan.repacked + plan.kv + plan.scratch);
    cfg.memory_limit = plan.other + plan.kv + plan.scratch; /* too little to repack */
    assert_int_equal(allm__model_plan(&e.host, &e.compute, &src, &cfg, &sc, &plan, &err), ALLM_OK);
    assert_int_equal(plan.repacked, 0);
    assert_true(plan.peak == cfg.memory_limit);
    assert_int_equal(allm__model_open(&e.host, &e.compute, &src, &cfg, &m, &err), ALLM_OK);
    assert_int_equal(allm__session_create(m, &sc, &s, &err), ALLM_OK);
    allm__session_destroy(s);
    allm__model_release(m);
    cfg.memory_limit = 0, cfg.low_memory = 1; /* the same without a limit */
    assert_int_equal(allm__model_plan(&e.host, &e.compute, &src, &cfg, &sc, &plan, &err), ALLM_OK);
    assert_true(plan.repacked == 0 && plan.peak == plan.other + plan.kv + plan.scratch);
    cfg.low_memory   = 0;
    cfg.memory_limit = plan.peak - 1;
    assert_int_equal(allm__model_open(&e.host, &e.compute, &src, &cfg, &m, &err), ALLM_OK);
    assert_int_equal(allm__session_create(m, &sc, &s, &err), ALLM_E_MEMORY);
    assert_non_null(strstr(err.message, "memory limit"));
    allm__model_release(m);
    for (uint64_t limit = 1; limit < plan.other; limit += 1 + plan.other / 50) {
        memset(&err, 0, sizeof err);
        cfg.memory_limit = limit;
        assert_int_equal(allm__model_open(&e.host, &e.compute, &src, &cfg, &m, &err), ALLM_E_MEMORY);
        assert_non_null(strstr(err.message, "memory limit"));
        assert_true(e.heap.peak <= (int64_t)plan.peak + 4096);
    }
    test_engine_free(&e);
    make_gguf_free(&w);
}

/* The same for a file that has a tokenizer and a template. */
static void test_model_plan_file(void **state) {
    test_engine         e;
    allm_error          err = {0};
    allm_model_config   cfg = {0};
    allm_session_config sc  = {0};
    allm_memory_plan    plan;
    allm_source         src = {0};
    allm_model         *m   = NULL;
    allm_session       *s   = NULL;
    allm_model_info     info;
    (void)state;
    src.path = "tests/data/tiny.gguf";
    if (access(src.path, R_OK)) test_skip("no %s: not started from the top of the repository", src.path);
#ifdef ABSTRACTLLM_NO_MMAP
    test_skip("%s is read, not mapped: its bytes are held in memory as well", src.path);
#endif
    test_engine_init(&e, 2, NULL);
    assert_int_equal(allm__model_plan(&e.host, &e.compute, &src, &cfg, &sc, &plan, &err), ALLM_OK);
    assert_int_equal(e.heap.live, 0);
    e.heap.peak = 0;
    assert_int_equal(allm__model_open(&e.host, &e.compute, &src, &cfg, &m, &err), ALLM_OK);
    assert_int_equal(e.heap.live, plan.other);
    assert_int_equal(allm__session_create(m, &sc, &s, &err), ALLM_OK);
    assert_int_equal(e.heap.live, plan.other + plan.repacked + plan.kv + plan.scratch);
    assert_int_equal(e.heap.peak, plan.peak);
    allm__model_info(m, &info);
    assert_int_equal(info.n_bytes, plan.mapped);
    assert_true(info.has_tokenizer && info.has_template && info.bos == 0 && info.eos == 2 && info.n_vocab == 512);
    assert_int_equal(info.n_parameters, 287360);
    assert_string_equal(info.quantization, "Q8_0");
    allm__session_destroy(s);
    allm__model_release(m);
    test_engine_free(&e);
}

/* The plan of one model against what is allocated; returns 0 if it does not open. */
static int model_plan_one(const char *path, int reference, int32_t n_threads) {
    test_engine         e;
    allm_error          err = {0};
    allm_model_config   cfg = {0};
    allm_session_config sc  = {0};
    allm_memory_plan    plan;
    allm_source         src = {0};
    allm_model         *m   = NULL;
    allm_session       *s   = NULL;
    src.path = path, cfg.reference = reference, sc.n_ctx = 40;
    test_engine_init(&e, n_threads, NULL);
    if (!allm__model_plan(&e.host, &e.compute, &src, &cfg, &sc, &plan, &err)) {
        assert_int_equal(e.heap.live, 0);
        e.heap.peak = 0;
        if (allm__model_open(&e.host, &e.compute, &src, &cfg, &m, &err)) fail_msg("%s", err.message);
#ifndef ABSTRACTLLM_NO_MMAP
        assert_int_equal(plan.mapped, m->n_tensor_bytes);
#endif
        if ((uint64_t)e.heap.live != plan.other)
            fail_msg("%s: %lld bytes, planned: %llu", path, (long long)e.heap.live, (unsigned long long)plan.other);
        if (allm__session_create(m, &sc, &s, &err)) fail_msg("%s", err.message);
        if ((uint64_t)e.heap.live != plan.other + plan.repacked + plan.kv + plan.scratch ||
            (uint64_t)e.heap.peak != plan.peak)
            fail_msg("%s: %lld bytes, at most %lld, planned: %llu + %llu + %llu + %llu, at most %llu", path,
                     (long long)e.heap.live, (long long)e.heap.peak, (unsigned long long)plan.other,
                     (unsigned long long)plan.repacked, (unsigned long long)plan.kv, (unsigned long long)plan.scratch,
                     (unsigned long long)plan.peak);
        const int64_t        live = e.heap.live, n_calls = e.heap.n_calls;
        static const int32_t ids[] = {3, 4, 5, 6, 7};
        if (m->hp.causal && allm__session_eval(s, ids, 5, 0, NULL, NULL, &err)) fail_msg("%s: %s", path, err.message);
        assert_true(e.heap.live == live && e.heap.n_calls == n_calls); /* evaluating takes nothing */
    }
    allm__session_destroy(s);
    allm__model_release(m);
    test_engine_free(&e);
    return err.status == ALLM_OK;
}

/* Every golden model, folder or file, and a real one: what is planned is what is allocated, to the byte. */
static void test_model_plan_golden(void **state) {
    static const char *const groups[] = {"models", "mlx", "hfquant", "gguf", NULL}; /* NULL: the real one */
    int n = 0, n_open = 0;
    (void)state;
    for (size_t k = 0; k < ALLM__COUNT(groups); k++) {
        char          *root = groups[k] ? test_golden_path(groups[k]) : NULL;
        DIR           *d    = root ? opendir(root) : NULL;
        struct dirent *entry;
        while (d && (entry = readdir(d)) != NULL) {
            const int file = allm__str_ends(allm__str_of(entry->d_name), ALLM__S(".gguf"));
            char     *path = test_path(root, entry->d_name);
            if (*entry->d_name != '.' && (file || allm__file_kind(path) == ALLM__FILE_FOLDER))
                for (int reference = 0; reference < 2; reference++, n++)
                    n_open += model_plan_one(path, reference, 1 + n % 3);
            free(path);
        }
        if (d) closedir(d);
        free(root);
    }
    char *real = getenv("ALLM_TEST_MODELS") ? test_model_path("SmolLM2-135M-Instruct.Q4_1.gguf") : NULL;
    if (real) n_open += model_plan_one(real, 0, 2), n++;
    free(real);
    printf("             %d plans, %d of models that open\n", n, n_open);
    assert_true(n_open >= 200);
}

typedef struct model_life_ctx {
    allm__compute compute;
    allm_source   src;
} model_life_ctx;

static allm_status model_life(const allm__host *h, void *ctx) {
    const model_life_ctx *c   = (const model_life_ctx *)ctx;
    allm_error            err = {0};
    allm_model_config     cfg = {0};
    allm_session_config   sc  = {0};
    allm_model           *m   = NULL;
    allm_session         *s   = NULL;
    static const int32_t  ids[] = {1, 2, 3};
    allm_status status = allm__model_open(h, &c->compute, &c->src, &cfg, &m, &err);
    if (!status) status = allm__session_create(m, &sc, &s, &err);
    if (!status) status = allm__session_eval(s, ids, 3, 1, NULL, NULL, &err);
    if (status && !err.message[0]) status = ALLM_E_FORMAT; /* an error without a message */
    allm__session_destroy(s);
    allm__model_release(m);
    return status;
}

static void test_model_fault_38_allocations(void **state) {
    make_model     p = make_model_new("llama");
    make_gguf      w = make_model_file(&p);
    allm__pool     pool;
    model_life_ctx c;
    (void)state;
    allm__pool_init(&pool, 1);
    memset(&c, 0, sizeof c);
    c.compute.kern = allm__kern_find(NULL), c.compute.pool = &pool;
    c.src.data = w.bytes, c.src.n_bytes = w.n;
    test_fail_each(model_life, &c);
    memset(&c.src, 0, sizeof c.src);
    c.src.path = "tests/data/tiny.gguf"; /* with a tokenizer */
    if (access(c.src.path, R_OK) == 0) test_fail_each(model_life, &c);
    allm__pool_free(&pool);
    make_gguf_free(&w);
}

/* ---- a model in every truncation */

static void test_model_fault_1_truncation(void **state) {
    test_engine e;
    make_model  p = make_model_new("llama");
    p.n_layer = 1, p.n_embd = 8, p.head_dim = 4, p.n_head = 2, p.n_head_kv = 1, p.n_ff = 8, p.n_vocab = 8;
    make_gguf w = make_model_file(&p), cut;
    (void)state;
    test_engine_init(&e, 1, NULL);
    for (size_t n = 0; n < w.n; n++) {
        allm_model *m = NULL;
        allm_error  err;
        test_guard  g = test_guard_new(n);
        if (n) memcpy(g.ptr, w.bytes, n);
        memset(&cut, 0, sizeof cut);
        cut.bytes = (uint8_t *)g.ptr, cut.n = n;
        allm_status status = test_engine_open(&e, &cut, 0, &m, &err);
        if (status != ALLM_E_FORMAT) fail_msg("cut at %zu of %zu: status %d %s", n, w.n, (int)status, err.message);
        test_guard_free(&g);
    }
    test_engine_free(&e);
    make_gguf_free(&w);
}

/* ---- life and information */

static void test_model_references(void **state) {
    test_engine         e;
    allm_error          err;
    allm_session_config sc = {0};
    allm_model         *m  = NULL;
    allm_session       *a = NULL, *b = NULL;
    make_model          p = make_model_new("llama");
    make_gguf           w = make_model_file(&p);
    static const int32_t id[] = {1};
    (void)state;
    test_engine_init(&e, 1, NULL);
    assert_int_equal(test_engine_open(&e, &w, 0, &m, &err), ALLM_OK);
    assert_int_equal(allm__session_create(m, &sc, &a, &err) || allm__session_create(m, &sc, &b, &err), 0);
    allm__model_retain(m);
    allm__model_release(m);
    allm__model_release(m); /* ours: the sessions keep it */
    assert_int_equal(allm__session_eval(a, id, 1, 0, NULL, NULL, &err), ALLM_OK);
    allm__session_destroy(a);
    assert_int_equal(allm__session_eval(b, id, 1, 0, NULL, NULL, &err), ALLM_OK);
    allm__session_destroy(b);
    allm__session_destroy(NULL);
    allm__model_release(NULL);
    test_engine_free(&e);
    make_gguf_free(&w);
}

static float model_progress[64];
static int   model_n_progress;
static void  model_on_load(void *ctx, float fraction) {
    assert_ptr_equal(ctx, model_progress);
    assert_true(model_n_progress < 64);
    model_progress[model_n_progress++] = fraction;
}

static void test_model_progress(void **state) {
    test_engine       e;
    allm_error        err = {0};
    allm_model_config cfg = {0};
    allm_source       src = {0};
    allm_model       *m   = NULL;
    make_model        p   = make_model_new("llama");
    make_gguf         w   = make_model_file(&p);
    (void)state;
    test_engine_init(&e, 1, NULL);
    src.data = w.bytes, src.n_bytes = w.n;
    cfg.on_load = model_on_load, cfg.on_load_ctx = model_progress;
    model_n_progress = 0;
    assert_int_equal(allm__model_open(&e.host, &e.compute, &src, &cfg, &m, &err), ALLM_OK);
    assert_true(model_n_progress >= 2 && model_progress[0] == 0 && model_progress[model_n_progress - 1] == 1);
    for (int i = 1; i < model_n_progress; i++) assert_true(model_progress[i] >= model_progress[i - 1]);
    allm__model_release(m);
    test_engine_free(&e);
    make_gguf_free(&w);
}

static void test_model_info(void **state) {
    static const struct { int32_t type, file_type; const char *name; } rows[] = {
        {ALLM__F32, -1, "F32"}, {ALLM__F32, 0, "F32"}, {ALLM__Q4_1, 3, "Q4_1"}, {ALLM__Q4_1, -1, "Q4_1"},
        {ALLM__Q4_1, 15, "Q4_1"}, /* it says Q4_K_M, but no tensor is Q4_K */
        {ALLM__Q8_0, 7, "Q8_0"}, {ALLM__F16, 999, "F16"},
    };
    test_engine e;
    (void)state;
    test_engine_init(&e, 1, NULL);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++) {
        allm_error      err;
        allm_model_info info;
        allm_model     *m = NULL;
        make_model      p = make_model_new("llama");
        p.type            = rows[i].type;
        make_model_set_text(&p, ".general.name", 's', 0,
                            i == 1 ? "0123456789012345678901234567890123456789012345678901234567890123456789"
                                     "012345678901234567890123456789012345678901234567890123456\xc3\xa4 and more"
                                   : "a name");
        if (rows[i].file_type >= 0) make_model_set(&p, ".general.file_type", 'u', rows[i].file_type);
        make_gguf w = make_model_file(&p);
        assert_int_equal(test_engine_open(&e, &w, 0, &m, &err), ALLM_OK);
        allm__model_info(m, &info);
        assert_string_equal(info.quantization, rows[i].name);
        assert_string_equal(info.architecture, "llama");
        assert_int_equal(strlen(info.name), i == 1 ? 127 : 6); /* cut between characters */
        assert_int_equal(info.n_parameters, 96 * 32 + 32 + 2 * (2 * 32 + 2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64));
        assert_int_equal(info.n_bytes, m->n_tensor_bytes);
        assert_true(info.n_vocab == 96 && info.n_ctx_train == 64 && info.n_embd == 32 && info.n_layer == 2);
        assert_true(info.n_head == 4 && info.n_head_kv == 2 && info.bos == -1 && info.eos == -1);
        assert_ptr_equal(m->w.output.data, m->w.tok_embd.data); /* tied */
        allm__model_release(m);
        make_gguf_free(&w);
    }
    test_engine_free(&e);
}

static void test_model_sampling_defaults(void **state) {
    test_engine   e;
    allm_error    err;
    allm_sampling s;
    allm_model   *m = NULL;
    make_model    p = make_model_new("llama");
    (void)state;
    test_engine_init(&e, 1, NULL);
    make_gguf w = make_model_file(&p);
    assert_int_equal(test_engine_open(&e, &w, 0, &m, &err), ALLM_OK);
    allm__samp_of_model(m, &s);
    assert_true(s.temperature == 0.7f && s.top_p == 0.9f && s.seed == -1 && s.top_k == 0 && s.min_p == 0 &&
                s.repeat_penalty == 0);
    allm__model_release(m);
    make_gguf_free(&w);
    make_model_set(&p, ".general.sampling.temp", 'f', 0.25);
    make_model_set(&p, ".general.sampling.top_k", 'i', 20);
    make_model_set(&p, ".general.sampling.top_p", 'f', 7); /* out of range: left out */
    make_model_set(&p, ".general.sampling.min_p", 'f', 0.125);
    make_model_set(&p, ".general.sampling.penalty_repeat", 's', 0); /* of another type: left out */
    make_model_set(&p, ".general.sampling.penalty_last_n", 'i', 32);
    w = make_model_file(&p);
    assert_int_equal(test_engine_open(&e, &w, 0, &m, &err), ALLM_OK);
    allm__samp_of_model(m, &s);
    assert_true(s.temperature == 0.25f && s.top_p == 0.9f && s.top_k == 20 && s.min_p == 0.125f &&
                s.repeat_penalty == 0);
    assert_int_equal(s.penalty_window, 32);
    allm__model_release(m);
    make_gguf_free(&w);
    static const char *const orders[][2] = {{"top_k;temp", "top_k;temp"}, {"top_k;nonsense", NULL}, {"", NULL}};
    for (size_t i = 0; i < ALLM__COUNT(orders); i++) {
        p = make_model_new("llama");
        make_model_set_text(&p, ".general.sampling.sequence", 's', 0, orders[i][0]);
        make_model_set(&p, ".general.sampling.mirostat", 'i', i == 1 ? 3 : 2); /* 3 is none */
        make_model_set(&p, ".general.sampling.mirostat_tau", 'f', 4);
        make_model_set(&p, ".general.sampling.xtc_probability", 'f', 0.25);
        w = make_model_file(&p);
        assert_int_equal(test_engine_open(&e, &w, 0, &m, &err), ALLM_OK);
        allm__samp_of_model(m, &s);
        assert_true(s.mirostat == (i == 1 ? 0 : 2) && s.mirostat_tau == 4 && s.xtc_probability == 0.25f);
        assert_true(s.xtc_threshold == 0 && (s.order != NULL) == (orders[i][1] != NULL));
        if (s.order) assert_string_equal(s.order, orders[i][1]);
        allm__model_release(m);
        make_gguf_free(&w);
    }
    for (int window = 0; window < 2; window++) { /* no last tokens at all: the penalties are off */
        p = make_model_new("llama");
        make_model_set(&p, ".general.sampling.penalty_repeat", 'f', 1.5);
        make_model_set(&p, ".general.sampling.penalty_last_n", 'i', window);
        w = make_model_file(&p);
        assert_int_equal(test_engine_open(&e, &w, 0, &m, &err), ALLM_OK);
        allm__samp_of_model(m, &s);
        assert_true(s.penalty_window == window && s.repeat_penalty == (window ? 1.5f : 0));
        allm__model_release(m);
        make_gguf_free(&w);
    }
    test_engine_free(&e);
}

/* No weights: metadata is all that is looked at. A session over it is refused. */
static void test_model_vocab_only(void **state) {
    test_engine         e;
    allm_error          err = {0};
    allm_model_config   cfg = {0};
    allm_session_config sc  = {0};
    allm_source         src = {0};
    allm_model         *m   = NULL;
    allm_session       *s;
    allm_model_info     info;
    allm_memory_plan    plan;
    make_model          p = make_model_new("zzz");
    make_gguf           w = make_model_file(&p);
    (void)state;
    test_engine_init(&e, 1, NULL);
    src.data = w.bytes, src.n_bytes = w.n, cfg.vocab_only = 1;
    assert_int_equal(allm__model_open(&e.host, &e.compute, &src, &cfg, &m, &err), ALLM_OK);
    allm__model_info(m, &info);
    assert_string_equal(info.architecture, "zzz");
    assert_int_equal(allm__session_create(m, &sc, &s, &err), ALLM_E_ARGUMENT);
    allm__model_release(m);
    memset(&err, 0, sizeof err);
    assert_int_equal(allm__model_plan(&e.host, &e.compute, &src, &cfg, &sc, &plan, &err), ALLM_OK);
    assert_true(plan.kv == 0 && plan.scratch == 0 && plan.other > 0);
    test_engine_free(&e);
    make_gguf_free(&w);
}

static const struct CMUnitTest test_model[] = {
    cmocka_unit_test(test_model_broken_files),
    cmocka_unit_test(test_model_golden_files_open),
    cmocka_unit_test(test_model_folder_faults),
    cmocka_unit_test(test_model_fault_16_folder_truncation),
    cmocka_unit_test(test_model_fault_20_keys),
    cmocka_unit_test(test_model_fault_15_folder_nan),
    cmocka_unit_test(test_model_folder_no_memory),
    cmocka_unit_test(test_model_folder_broken),
    cmocka_unit_test(test_model_folder_sampling),
    cmocka_unit_test(test_model_folder_templates),
    cmocka_unit_test(test_model_plan),
    cmocka_unit_test(test_model_plan_file),
    cmocka_unit_test(test_model_plan_golden),
    cmocka_unit_test(test_model_memory_limit),
    cmocka_unit_test(test_model_fault_38_allocations),
    cmocka_unit_test(test_model_fault_1_truncation),
    cmocka_unit_test(test_model_references),
    cmocka_unit_test(test_model_progress),
    cmocka_unit_test(test_model_info),
    cmocka_unit_test(test_model_sampling_defaults),
    cmocka_unit_test(test_model_vocab_only),
};
