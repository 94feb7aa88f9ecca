/* Checks the shape of abstractllm.h and of the files around it: rooms, order, prefixes, dead code, manners.
 *
 *     build/lint [ROOT]
 *
 * Findings go to stdout as "file:line: text"; exit 1 if there are any. Lines that begin with "note:" do not count.
 * It reads C well enough for this one style: comments, strings, directives, and items at file level. */
#include <ctype.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HEADER "abstractllm.h"

/* Reviewed at 22,000 lines and 1 MiB: the one file stays, since one #include is what people vendor it for, a build
 * without optimisation takes two seconds, rooms are found by name, and removals at room size keep binaries small. The
 * limits stand where that should be asked again. */
enum { MAX_LINES = 64000, MAX_BYTES = 3 << 20, MAX_ROOM_LINES = 1500, MAX_COLUMNS = 120 };

/* The rooms in their order, and what a private name may begin with after "allm__", beside the room's own name: a word
 * (and its plural), or with a star the first letters of one. */
static const struct {
    const char *name, *prefixes;
} rooms[] = {
    {"manual", ""},
    {"types", ""},
    {"decl", ""},
    {"plat", ""},
    {"err", "fail"},
    {"mem", "host alloc free log mul add round_up chunk arena grow buf layout"},
    {"str", "utf8 dec num int slot map hash buf"},
    {"io", "file cur load out"},
    {"thr", "mutex lock unlock cond thread pool team part"},
    {"num", "bits float f16 f32 bf16 fp8 e8m0 load mix64 random"},
    {"data", "uni iq1 iq2 iq3"},
    {"quant", "fmt tensor block dequant q1 q2 q3 q4 q5 q6 q8 tq1 tq2 iq iq1 iq2 iq3 iq4 fp4 mxfp4 nvfp4 h code code5 "
              "code6 fp range put load"},
    {"wsrc", "wbits wgrid wkind"},
    {"isa", "cpu v* fma"},
    {"pack", "mat panel"},
    {"kern", "acts ablock compute attend kv_bytes"},
    {"json", ""},
    {"conf", ""},
    {"hist", ""},
    {"gguf", "tensor"},
    {"st", ""},
    {"http", "stream"},
    {"wire", ""},
    {"hub", ""},
    {"regex", "rx"},
    {"norm", "nfc charsmap cluster cut cuts word"},
    {"tok", "ids span detok bpe ugm wpm wlm"},
    {"tokmake", "tok bpe ugm wpm dec"},
    {"tokgguf", "tok bpe ugm"},
    {"tokload", "tok tj pb spm"},
    {"tval", "v* t* sb spans"},
    {"tfmt", "v* t* sb"},
    {"tlib", "v* t* sb f m g"},
    {"tparse", "v* t*"},
    {"tmpl", "v* t*"},
    {"chat", ""},
    {"fval", "filt"},
    {"filt", ""},
    {"gram", ""},
    {"grun", "gram"},
    {"gbnf", "gram"},
    {"pattern", "patterns f"},
    {"schema", "gram"},
    {"choice", ""},
    {"arch", "hparams rope layer globals"},
    {"hyper", "arch"},
    {"model", "layer meter"},
    {"lora", "adapter"},
    {"conv", ""},
    {"kv", "session model_plan"},
    {"state", "session"},
    {"fwd", ""},
    {"recur", "fwd"},
    {"eval", "fwd session many progress"},
    {"samp", ""},
    {"spec", ""},
    {"vision", ""},
    {"gen", "magic resp stop"},
    {"sess", ""},
    {"remote", ""},
    {"prov", "runtime llm cached cache local echo relay rounds round queue"},
    {"job", "queue"},
    {"talk", ""},
    {"api", ""},
};
enum { N_ROOMS = COUNT(rooms) };

/* The library prints nothing, ends nothing, and asks the environment for nothing. */
static const char *const forbidden[] = {
    "abort", "exit", "_exit", "_Exit", "quick_exit", "atexit", "raise", "signal", "assert", "perror", "printf",
    "vprintf", "fprintf", "vfprintf", "puts", "fputs", "putchar", "putc", "setlocale", "strtod", "strtof", "strtold",
    "atof", "getenv", "setenv", "system", "alloca", "rand", "srand", "strtok", "gets", "sprintf", "vsprintf",
};

/* ---- findings */

static int n_findings;

static void find(const char *file, int line, const char *format, ...) {
    va_list args;
    va_start(args, format);
    printf("%s:%d: ", file, line);
    vprintf(format, args);
    printf("\n");
    va_end(args);
    n_findings++;
}

static void stop(const char *what, const char *name) {
    fprintf(stderr, "lint: %s: %s\n", name, what);
    exit(2);
}

static void *grown(void *p, size_t n, size_t size) { /* room for one more of n things */
    if (n & (n - 1)) return p;
    p = realloc(p, (n ? 2 * n : 1) * size);
    if (!p) stop("out of memory", "");
    return p;
}

/* ---- a file in three views of the same length: as it is, its code, its directives */

typedef struct token {
    const char *text; /* in code or directives */
    int         len, line, item, is_word;
} token;

typedef struct source {
    char  *name, *text, *code, *dirs; /* code and dirs: comments and the insides of strings are blanks */
    size_t n;
    token *tokens; /* of the code */
    int    n_tokens;
    token *words; /* of the directives */
    int    n_words;
} source;

static char *copy(const char *s, size_t n) {
    char *p = malloc(n + 1);
    if (!p) stop("out of memory", "");
    memcpy(p, s, n);
    p[n] = 0;
    return p;
}

static void blank(char *s, size_t from, size_t to) {
    for (; from < to; from++)
        if (s[from] != '\n') s[from] = ' ';
}

/* The end of the comment, string or character constant that begins at i; i + 1 where none does. */
static size_t skip(const char *s, size_t i) {
    char quote = s[i];
    if (quote == '/' && s[i + 1] == '/') return i + strcspn(s + i, "\n");
    if (quote == '/' && s[i + 1] == '*') {
        const char *end = strstr(s + i + 2, "*/");
        return end ? (size_t)(end - s) + 2 : i + strlen(s + i);
    }
    if (quote != '"' && quote != '\'') return i + 1;
    for (i++; s[i] && s[i] != quote && s[i] != '\n'; i++)
        if (s[i] == '\\' && s[i + 1]) i++;
    return i + (s[i] == quote);
}

static void split_views(source *f) {
    f->code = copy(f->text, f->n);
    for (size_t i = 0, end; i < f->n; i = end) {
        end = skip(f->text, i);
        if (f->text[i] == '/' && end > i + 1) blank(f->code, i, end);
        else if (end > i + 1) blank(f->code, i + 1, end - 1);
    }
    f->dirs          = copy(f->code, f->n);
    int depth        = 0, hidden = 0; /* of #if, and since which one the code is C++'s */
    for (size_t i = 0, end; i < f->n; i = end) {
        size_t first = i + strspn(f->code + i, " \t");
        end          = i + strcspn(f->code + i, "\n");
        if (f->code[first] != '#') {
            blank(f->dirs, i, end);
            if (hidden) blank(f->code, i, end);
        } else {
            while (end > i && f->code[end - 1] == '\\' && end < f->n) end += 1 + strcspn(f->code + end + 1, "\n");
            const char *word = f->code + first + 1 + strspn(f->code + first + 1, " ");
            if (!strncmp(word, "if", 2)) {
                depth++;
                if (!hidden && !strncmp(word, "ifdef __cplusplus", 17)) hidden = depth;
            }
            if (hidden == depth && !strncmp(word, "el", 2)) hidden = 0;
            if (!strncmp(word, "endif", 5)) hidden = hidden == depth ? 0 : hidden, depth--;
            blank(f->code, i, end);
        }
        end += end < f->n;
    }
}

static int tokenise(const char *s, token **out) {
    token *tokens = NULL;
    int    n = 0, line = 1;
    for (size_t i = 0; s[i]; i++) {
        line += s[i] == '\n';
        if (isspace((unsigned char)s[i])) continue;
        size_t from = i;
        if (isalnum((unsigned char)s[i]) || s[i] == '_') {
            while (isalnum((unsigned char)s[i + 1]) || s[i + 1] == '_') i++;
        } else if (s[i] == '#' && s[i + 1] == '#') i++;
        int is_word = isalpha((unsigned char)s[from]) || s[from] == '_';
        tokens      = grown(tokens, (size_t)n, sizeof *tokens);
        tokens[n++] = (token){s + from, (int)(i - from + 1), line, -1, is_word};
    }
    *out = tokens;
    return n;
}

static int is(const token *t, const char *text) {
    return (int)strlen(text) == t->len && !strncmp(t->text, text, (size_t)t->len);
}

static int starts(const token *t, const char *text) {
    return t->is_word && (int)strlen(text) < t->len && !strncmp(t->text, text, strlen(text));
}

/* Reads a file of the tree; NULL if there is none. Names in findings are relative to the root. */
static source *load(const char *root, const char *name) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    source *f   = calloc(1, sizeof *f);
    size_t  cap = 0, got;
    if (!f) stop("out of memory", "");
    do {
        if (f->n + 65536 > cap) f->text = realloc(f->text, (cap = cap * 2 + 131072) + 1);
        if (!f->text) stop("out of memory", "");
        f->n += got = fread(f->text + f->n, 1, cap - f->n, file);
    } while (got);
    fclose(file);
    f->text[f->n] = 0;
    f->name       = copy(name, strlen(name));
    split_views(f);
    f->n_tokens = tokenise(f->code, &f->tokens);
    f->n_words  = tokenise(f->dirs, &f->words);
    return f;
}

/* ---- text of any file */

static void check_text(const source *f, int ascii) {
    const char *from = strstr(f->text, "begin of generated tables"), *to = strstr(f->text, "end of generated tables");
    int         line = 1;
    for (const char *s = f->text, *end; *s; s = end + (*end != 0), line++) {
        size_t n = strcspn(s, "\n"), columns = 0;
        end      = s + n;
        for (size_t i = 0; i < n; i++) columns += ((unsigned char)s[i] & 0xc0) != 0x80;
        int generated = from && to && s > from && s < to; /* nobody reads these lines */
        if (columns > MAX_COLUMNS && !generated)
            find(f->name, line, "%d columns, at most %d", (int)columns, MAX_COLUMNS);
        if (n && isspace((unsigned char)s[n - 1])) find(f->name, line, "white space at the end");
        if (memchr(s, '\t', n)) find(f->name, line, "a tab");
        for (size_t i = 0; ascii && i < n; i++)
            if ((unsigned char)s[i] > 126) {
                find(f->name, line, "not ASCII");
                break;
            }
        if (!*end) find(f->name, line, "no newline at the end of the file");
    }
    static const char *const marks[] = {"TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK"};
    for (size_t k = 0; k < COUNT(marks); k++) {
        for (const char *s = f->text; (s = strstr(s, marks[k])); s++) {
            if (s > f->text && isalnum((unsigned char)s[-1])) continue;
            if (isalnum((unsigned char)s[strlen(marks[k])])) continue;
            line = 1;
            for (const char *p = f->text; p < s; p++) line += *p == '\n';
            find(f->name, line, "%s", marks[k]);
        }
    }
}

/* ---- rooms */

static int room_line[N_ROOMS + 1]; /* where each begins; 0: missing */

static int room_of_line(int line) {
    int room = -1;
    for (int i = 0; i < N_ROOMS; i++)
        if (room_line[i] && room_line[i] <= line) room = i;
    return room;
}

static int room_named(const char *s, size_t n) {
    for (int i = 0; i < N_ROOMS; i++)
        if (strlen(rooms[i].name) == n && !strncmp(rooms[i].name, s, n)) return i;
    return -1;
}

static void check_rooms(const source *h) {
    int line = 1, last = -1, in_table = 0, next = 0;
    for (const char *s = h->text; *s; s += strcspn(s, "\n"), s += *s != 0, line++) {
        const char *mark = !strncmp(s, "// MARK: >>", 11) ? s + 11 : !strncmp(s, " * MARK: >>", 11) ? s + 11 : NULL;
        if (mark) {
            size_t n    = strcspn(mark, " \n");
            int    room = room_named(mark, n);
            if (room < 0) { find(h->name, line, "unknown room \"%.*s\"", (int)n, mark); continue; }
            if (room_line[room]) find(h->name, line, "room %s stands twice", rooms[room].name);
            if (room < last) find(h->name, line, "room %s stands after %s", rooms[room].name, rooms[last].name);
            if (strncmp(mark + n, "  ", 2) != 0 || isspace((unsigned char)mark[n + 2]))
                find(h->name, line, "two blanks and a title after the name of room %s", rooms[room].name);
            const char *below = mark + strcspn(mark, "\n");
            if (room > 0 && strncmp(below, "\n/* Owns: ", 10) != 0)
                find(h->name, line + 1, "room %s does not begin with what it owns", rooms[room].name);
            room_line[room] = line, last = room;
        }
        if (!strncmp(s, " * The rooms, in order;", 23)) in_table = 1;
        else if (in_table && !strncmp(s, " *   ", 5)) {
            size_t n = strcspn(s + 5, " \n");
            if (next >= N_ROOMS || room_named(s + 5, n) != next)
                find(h->name, line, "table of contents: \"%.*s\", expected %s", (int)n, s + 5,
                     next < N_ROOMS ? rooms[next].name : "its end");
            next++;
        } else if (in_table && !strncmp(s, " */", 3)) {
            if (next != N_ROOMS) find(h->name, line, "table of contents: %d rooms, expected %d", next, (int)N_ROOMS);
            in_table = 0;
        }
    }
    room_line[N_ROOMS] = line;
    for (int i = 0, k; i < N_ROOMS; i++) {
        if (!room_line[i]) { find(h->name, 1, "room %s is missing", rooms[i].name); continue; }
        for (k = i + 1; k < N_ROOMS && !room_line[k]; k++) {}
        int n = room_line[k] - room_line[i];
        if (n > MAX_ROOM_LINES) printf("note: room %s has %d lines, more than %d\n", rooms[i].name, n, MAX_ROOM_LINES);
    }
    if (!next) find(h->name, 1, "no table of contents");
    if (line > MAX_LINES) find(h->name, line, "%d lines, at most %d: time to review the single file", line, MAX_LINES);
    if (h->n > MAX_BYTES) find(h->name, line, "%zu bytes, at most %d", h->n, MAX_BYTES);
}

/* ---- items: what stands at file level, and what it defines */

typedef enum { OTHER, FUNCTION, PROTOTYPE, TYPE, VARIABLE, MACRO } kind;
typedef struct item {
    kind  kind;
    token name; /* len 0: none, or made by a macro */
    int   line, room;
    int   from, to; /* tokens */
} item;

static item *items;
static int   n_items;

static void add_item(kind k, token name, int from, int to) {
    items            = grown(items, (size_t)n_items, sizeof *items);
    items[n_items++] = (item){k, name, name.line, room_of_line(name.line), from, to};
}

static int is_shouted(const token *t) { /* a macro's name */
    for (int i = 0; i < t->len; i++)
        if (islower((unsigned char)t->text[i])) return 0;
    return 1;
}

static int can_be_name(const token *t) {
    static const char *const words[] = {"__attribute__", "struct", "union", "enum", "const"};
    for (size_t i = 0; i < COUNT(words); i++)
        if (is(t, words[i])) return 0;
    return t->is_word && !is_shouted(t);
}

static int is_pointer_to(const token *t) { return t[0].text[0] == '(' && t[1].text[0] == '*'; }

/* The first word at the outer level that is followed by one of `ends`. */
static token named_before(const token *t, int from, int to, const char *ends) {
    int depth = 0;
    for (int i = from; i + 1 < to; i++) {
        if (strchr("({[", t[i].text[0])) depth++;
        if (strchr(")}]", t[i].text[0])) depth--;
        if (depth != 0 || !can_be_name(&t[i]) || is_pointer_to(&t[i + 1])) continue;
        if (strchr(ends, t[i + 1].text[0])) return t[i];
    }
    for (int i = from; i + 2 < to && t[i].text[0] != '{'; i++) /* (*name)(...) and (*const name[])(...) */
        if (is_pointer_to(&t[i])) return t[i + 2 + is(&t[i + 2], "const")];
    token none = {"", 0, t[from].line, -1, 0};
    return none;
}

static void read_item(const token *t, int from, int to, int has_body) {
    int is_typedef = is(&t[from], "typedef"), depth = 0, has_call = 0, has_value = 0;
    for (int i = from; i < to; i++) {
        has_value |= depth == 0 && t[i].text[0] == '=';
        has_call |= depth == 0 && !has_value && t[i].text[0] == '(' && i > from && can_be_name(&t[i - 1]) &&
                    !is_pointer_to(&t[i]);
        if (strchr("({[", t[i].text[0])) depth++;
        if (strchr(")}]", t[i].text[0])) depth--;
    }
    if (has_body) add_item(FUNCTION, named_before(t, from, to, "("), from, to);
    else if (is_typedef) add_item(TYPE, named_before(t, from, to, ";["), from, to);
    else if (is(&t[from], "struct") || is(&t[from], "union") || is(&t[from], "enum"))
        add_item(TYPE, named_before(t, from, to, "{;"), from, to);
    else if (has_call) add_item(PROTOTYPE, named_before(t, from, to, "("), from, to);
    else if (to - from > 1 && !is_shouted(&t[from])) add_item(VARIABLE, named_before(t, from, to, "[=;,"), from, to);
    else add_item(OTHER, named_before(t, from, to, "("), from, to);
}

static void read_items(source *h) {
    token *t    = h->tokens;
    int    from = 0, depth = 0, body = 0;
    for (int i = 0; i < h->n_tokens; i++) {
        char c = t[i].text[0];
        if (c == '{' && depth == 0) body = i > from && t[i - 1].text[0] == ')' && !is(&t[from], "typedef");
        if (strchr("({[", c)) depth++;
        if (strchr(")}]", c)) depth--;
        if (depth < 0) { find(h->name, t[i].line, "a bracket too many"); return; }
        if (depth == 0 && (c == ';' || (c == '}' && body))) {
            if (i > from) read_item(t, from, i + 1, body);
            for (int k = from; i > from && k <= i; k++) t[k].item = n_items - 1;
            from = i + 1, body = 0;
        }
    }
    for (int i = 0; i < h->n_words; i++) /* macros are items of one line, found by what follows #define */
        if (h->words[i].text[0] == '#' && i + 2 < h->n_words && is(&h->words[i + 1], "define")) {
            int to = i + 3;
            while (to < h->n_words && !(h->words[to].text[0] == '#' && h->words[to].len == 1 && to + 1 < h->n_words &&
                                        h->words[to + 1].is_word && h->words[to].line != h->words[to - 1].line))
                to++;
            add_item(MACRO, h->words[i + 2], i, to);
            for (int k = i; k < to; k++) h->words[k].item = n_items - 1;
        }
}

/* ---- names */

static int has_prefix(const token *name, int room) {
    const char *s = name->text + 6; /* after allm__ */
    int         n = name->len - 6;
    char        list[512];
    snprintf(list, sizeof list, "%s %s", rooms[room].name, rooms[room].prefixes);
    for (char *p = strtok(list, " "); p; p = strtok(NULL, " ")) {
        int k = (int)strlen(p), open = p[k - 1] == '*';
        if (n < k - open || strncmp(s, p, (size_t)(k - open)) != 0) continue;
        if (open || n == k || s[k] == '_' || (n == k + 1 && s[k] == 's')) return 1;
    }
    return 0;
}

static void check_names(const source *h) {
    int decl = room_named("decl", 4), api = room_named("api", 3), prov = room_named("prov", 4);
    for (int i = 0; i < n_items; i++) {
        const item  *it   = &items[i];
        const token *name = &it->name;
        if (!name->len || it->room < 0) continue;
        const char *room = rooms[it->room].name;
        int private = starts(name, "allm__"), public = !private && starts(name, "allm_");
        if (it->kind == MACRO) {
            int ours = starts(name, "ALLM__") || starts(name, "ABSTRACTLLM_");
            if (!ours && !(private && has_prefix(name, it->room)) && name->text[0] != '_' &&
                !is(name, "WIN32_LEAN_AND_MEAN") && !is(name, "NOMINMAX"))
                find(h->name, it->line, "macro %.*s: expected ALLM__... or ABSTRACTLLM_...", name->len, name->text);
            continue;
        }
        if (it->kind == OTHER) continue;
        if (private && !has_prefix(name, it->room))
            find(h->name, it->line, "%.*s: expected allm__%s_...", name->len, name->text, room);
        if (!private && !public)
            find(h->name, it->line, "%.*s: expected allm__%s_...", name->len, name->text, room);
        if (it->kind == FUNCTION && public && it->room != api)
            find(h->name, it->line, "%.*s: only room api defines public functions", name->len, name->text);
        if (it->kind == PROTOTYPE && it->room != decl)
            find(h->name, it->line, "%.*s: a forward declaration", name->len, name->text);
        if (it->kind == VARIABLE && it->room != prov) {
            int constant = 0;
            for (int k = it->from; k < it->to && h->tokens[k].text != name->text; k++)
                constant |= is(&h->tokens[k], "const");
            if (!constant) find(h->name, it->line, "%.*s: a variable that is not const", name->len, name->text);
        }
    }
}

static int same(const token *a, const token *b) {
    return a->len == b->len && !strncmp(a->text, b->text, (size_t)a->len);
}

/* What decl declares api defines, and nothing else. */
static void check_public(const source *h) {
    for (int i = 0; i < n_items; i++) {
        kind other = items[i].kind == PROTOTYPE ? FUNCTION : items[i].kind == FUNCTION ? PROTOTYPE : OTHER;
        if (other == OTHER || starts(&items[i].name, "allm__") || !starts(&items[i].name, "allm_")) continue;
        int found = 0;
        for (int k = 0; k < n_items && !found; k++)
            found = items[k].kind == other && same(&items[i].name, &items[k].name);
        if (!found)
            find(h->name, items[i].line, "%.*s is not %s", items[i].name.len, items[i].name.text,
                 other == FUNCTION ? "defined" : "declared in room decl");
    }
}

/* ---- uses */

typedef struct use {
    const token *word;
    const source *file;
} use;
static use *uses;
static int  n_uses;

static int by_text(const void *a, const void *b) {
    const token *x = ((const use *)a)->word, *y = ((const use *)b)->word;
    int          n = x->len < y->len ? x->len : y->len, c = strncmp(x->text, y->text, (size_t)n);
    return c ? c : x->len - y->len;
}

static void add_uses(const source *f) {
    for (int pass = 0; pass < 2; pass++) {
        const token *t = pass ? f->words : f->tokens;
        for (int i = 0; i < (pass ? f->n_words : f->n_tokens); i++) {
            if (!starts(&t[i], "allm__") && !starts(&t[i], "ALLM__")) continue;
            uses           = grown(uses, (size_t)n_uses, sizeof *uses);
            uses[n_uses++] = (use){&t[i], f};
        }
    }
}

/* Names that macros put together: allm__quant_ ## name stands for all that begin so. */
static int is_pasted(const source *h, const token *name) {
    for (int i = 0; i + 1 < h->n_words; i++) {
        const token *w = &h->words[i];
        if (!w->is_word || !is(w + 1, "##") || w->len <= 6 || w->len >= name->len) continue;
        if (!strncmp(w->text, name->text, (size_t)w->len)) return 1;
    }
    return 0;
}

/* Private names that nothing but their own definition speaks of. */
static void check_dead(const source *h) {
    qsort(uses, (size_t)n_uses, sizeof *uses, by_text);
    for (int i = 0; i < n_items; i++) {
        const token *name = &items[i].name;
        const token *t = &h->tokens[items[i].from];
        if (items[i].kind == TYPE && (is(t, "enum") || is(t + 1, "enum"))) continue; /* used by its constants */
        if (is(t, "ALLM__UNUSED")) continue; /* said to be so */
        if (!starts(name, "allm__") && !(items[i].kind == MACRO && starts(name, "ALLM__"))) continue;
        use  key   = {name, h};
        use *found = bsearch(&key, uses, (size_t)n_uses, sizeof *uses, by_text);
        int  used  = 0;
        while (found && found > uses && !by_text(found - 1, &key)) found--;
        for (; found && !used && found < uses + n_uses && !by_text(found, &key); found++) {
            int at = found->file == h ? found->word->item : -1;
            used   = at < 0 || !same(&items[at].name, name);
        }
        if (!used && !is_pasted(h, name)) find(h->name, items[i].line, "%.*s is never used", name->len, name->text);
    }
}

/* A macro is expanded where the compiler has seen the callee; say it where it is written. */
static void check_macros_upward(const source *h) {
    for (int i = 0; i < n_items; i++) {
        if (items[i].kind != MACRO || items[i].room < 0) continue;
        for (int k = items[i].from + 3; k < items[i].to; k++) {
            for (int d = 0; d < n_items && starts(&h->words[k], "allm__"); d++) {
                if (items[d].kind != FUNCTION || items[d].room <= items[i].room) continue;
                if (!same(&items[d].name, &h->words[k])) continue;
                find(h->name, h->words[k].line, "macro %.*s speaks of %.*s, which stands below it in room %s",
                     items[i].name.len, items[i].name.text, h->words[k].len, h->words[k].text,
                     rooms[items[d].room].name);
                break;
            }
        }
    }
}

static void check_manners(const source *h) {
    for (int pass = 0; pass < 2; pass++) {
        const token *t = pass ? h->words : h->tokens;
        for (int i = 0; i + 1 < (pass ? h->n_words : h->n_tokens); i++) {
            int member = i > 1 && (t[i - 1].text[0] == '.' || (t[i - 1].text[0] == '>' && t[i - 2].text[0] == '-'));
            for (size_t k = 0; k < COUNT(forbidden) && !member; k++)
                if (is(&t[i], forbidden[k]) && t[i + 1].text[0] == '(' &&
                    !(is(&t[i], "assert") && room_of_line(t[i].line) == room_named("plat", 4)) && /* _DEBUG */
                    !(is(&t[i], "getenv") && room_of_line(t[i].line) == room_named("hub", 3))) /* it says which */
                    find(h->name, t[i].line, "%s: the library does not call it", forbidden[k]);
        }
    }
    for (int i = 0, depth = 0; i + 1 < h->n_tokens; i++) {
        const token *t = &h->tokens[i];
        depth += (t->text[0] == '{') - (t->text[0] == '}');
        if (depth && is(t, "static") && !is(t + 1, "const"))
            find(h->name, t->line, "a static variable that is not const");
    }
}

/* Every configuration macro that is looked at is in the manual. */
static void check_config(const source *h) {
    const char *end = strstr(h->text, "#ifndef ABSTRACTLLM_H");
    for (int i = 0; i < h->n_words; i++) {
        const token *w = &h->words[i];
        if (!starts(w, "ABSTRACTLLM_") || is(w, "ABSTRACTLLM_H") || is(w, "ABSTRACTLLM_VERSION_STRING")) continue;
        char name[128], *at = h->text;
        int  known = 0;
        snprintf(name, sizeof name, "%.*s", w->len, w->text);
        while (end && !known && (at = strstr(at, name)) && at < end)
            known = !isalnum((unsigned char)at[strlen(name)]) && at[strlen(name)] != '_', at++;
        int seen = 0;
        for (int k = 0; k < i && !seen; k++) seen = same(&h->words[k], w);
        if (!known && !seen) find(h->name, w->line, "%s is not in the manual", name);
    }
}

/* ---- tests: every test_<room>.c is a room's, is included and is a group; every room with code has one */

static void check_tests(const source *run, const source *h, const char *root) {
    for (int r = 0; r < N_ROOMS; r++) {
        char name[64], include[128], group[64];
        snprintf(name, sizeof name, "tests/test_%s.c", rooms[r].name);
        snprintf(include, sizeof include, "#include \"test_%s.c\"", rooms[r].name);
        snprintf(group, sizeof group, "GROUP(%s)", rooms[r].name);
        source *f    = load(root, name);
        int     code = 0;
        for (int i = 0; i < n_items; i++) code |= items[i].room == r && items[i].kind == FUNCTION;
        if (code && !f) find(h->name, room_line[r], "room %s has code and no %s", rooms[r].name, name);
        if (f && !strstr(run->text, include)) find(run->name, 1, "no %s", include);
        if (f && !strstr(run->text, group)) find(run->name, 1, "no %s", group);
    }
}

static int has_end(const char *s, const char *end) {
    size_t n = strlen(s), k = strlen(end);
    return n > k && !strcmp(s + n - k, end);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The text of every C file in a folder; what tools use of the library counts as used. */
static void check_folder(const char *root, const char *folder) {
    char path[1024], **names = NULL;
    int  n = 0;
    snprintf(path, sizeof path, "%s/%s", root, folder);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!has_end(e->d_name, ".c") && !has_end(e->d_name, ".h")) continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        names      = grown(names, (size_t)n, sizeof *names);
        names[n++] = copy(path, strlen(path));
    }
    if (d) closedir(d);
    if (n) qsort(names, (size_t)n, sizeof *names, by_name);
    for (int i = 0; i < n; i++) {
        source     *f    = load(root, names[i]);
        const char *base = strrchr(names[i], '/') + 1;
        if (!f) stop("cannot read", names[i]);
        check_text(f, 0);
        if (!strcmp(folder, "tools")) add_uses(f);
        if (!strcmp(folder, "tests") && !strncmp(base, "test_", 5) && has_end(base, ".c") &&
            room_named(base + 5, strlen(base) - 7) < 0 && strcmp(base, "test_cli.c") != 0) /* of tools/allm.c */
            find(names[i], 1, "there is no room of this name");
    }
}

int main(int argc, char **argv) {
    const char *root = argc > 1 ? argv[1] : ".";
    source     *h    = load(root, HEADER), *run = load(root, "tests/run.c");
    if (!h) stop("cannot read", HEADER);
    if (!run) stop("cannot read", "tests/run.c");
    check_text(h, 1);
    check_rooms(h);
    read_items(h);
    check_names(h);
    check_public(h);
    check_manners(h);
    check_macros_upward(h);
    check_config(h);
    add_uses(h);
    check_folder(root, "tools");
    check_folder(root, "tests");
    check_folder(root, "examples");
    check_dead(h);
    check_tests(run, h, root);
    if (n_findings) printf("%d findings\n", n_findings);
    return n_findings != 0;
}
