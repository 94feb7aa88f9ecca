/* abstractllm.h - a language model for any C program, in one header.   MIT licence.
 *
 * MARK: >>manual  What this is and how to use it
 *
 * Drop this file into your project. In exactly one C file write
 *
 *     #define ABSTRACTLLM_IMPLEMENTATION
 *     #include "abstractllm.h"
 *
 * and link with -lm (and -pthread where the libc wants it). Everywhere else include it plainly.
 *
 * A full program (examples/hello.c):
 *
 *     #define ABSTRACTLLM_IMPLEMENTATION
 *     #include "abstractllm.h"
 *     #include <stdio.h>
 *
 *     static int show(const allm_chunk *chunk, void *ctx) {
 *         (void)ctx;
 *         fwrite(chunk->text, 1, chunk->len, stdout);
 *         return fflush(stdout);
 *     }
 *
 *     int main(int argc, char **argv) {
 *         allm_error  err    = {0};
 *         allm_llm   *llm    = NULL;
 *         allm_config config = {.model = argc > 1 ? argv[1] : "examples/story.gguf"};
 *         allm_request req   = {.prompt = argc > 2 ? argv[2] : "Once upon a time", .on_chunk = show};
 *         if (allm_create(NULL, &config, &llm, &err) || allm_generate(llm, &req, NULL, &err))
 *             fprintf(stderr, "%s\n", err.message);
 *         allm_destroy(llm);
 *         return err.status != ALLM_OK;
 *     }
 *
 * Ownership. What a call returns through an `out` pointer is yours until you give it to the matching
 * destroy, close or free call; all of these accept NULL. What you pass in (strings, option structs) is
 * copied before the call returns unless its comment says that it must live on. Views (allm_str, const char *
 * inside structs the library fills) name their owner where they appear.
 *
 * Errors. Calls that can fail return allm_status and take an optional allm_error, which tells what failed,
 * where (file and byte, or line and column) and what was expected. The first, deepest error wins. The library
 * never prints, exits, aborts, raises a signal, or changes the locale or the floating point environment.
 *
 * Threads. A model is immutable and may be shared by any number of sessions in any threads. An allm_llm, a
 * session and a sampler belong to one thread at a time; allm_cancel and allm_session_cancel may be called from
 * anywhere. Callbacks run on the thread that made the call, never inside a kernel.
 *
 * Same bits. Same model, prompt, seed and ISA give the same bytes, whatever the number of threads and however
 * the prompt was split into batches.
 *
 * Options. Every option struct may be zeroed, zero meaning the default; it grows only at its end.
 *
 * Configuration macros, to be set before the implementation is included; none changes a declaration:
 *   ABSTRACTLLM_IMPLEMENTATION   compile the code here
 *   ABSTRACTLLM_API              linkage of the public functions (default: extern)
 *   ABSTRACTLLM_STATIC           all public functions static: one private copy in this file
 *   ABSTRACTLLM_SELF             how this file includes itself, if it was renamed ("abstractllm.h")
 *   ABSTRACTLLM_ASSERT(x)        checks of the library's own promises (default: nothing)
 *   ABSTRACTLLM_MAX_THREADS      most worker threads (64)
 *   ABSTRACTLLM_NO_THREADS       no thread pool, no pthread
 *   ABSTRACTLLM_NO_MMAP          files are read, not mapped
 *   ABSTRACTLLM_NO_STDIO         no file access: models come from memory or a reader
 *   ABSTRACTLLM_NO_SIMD          scalar kernels only
 *   ABSTRACTLLM_NO_AVX512        leave the AVX-512 kernels out
 *   ABSTRACTLLM_NO_JINJA         no template engine: raw prompts only
 *
 * The rooms, in order; a room uses only rooms above it. Find one by its name after ">>".
 *   manual  what this is, a full example, rules, macros
 *   types   values every part uses
 *   decl    the public calls, with their contracts
 *   plat    compiler, operating system, atomics
 *   err     the error record
 *   mem     allocator, arenas, growing buffers
 *   str     views, UTF-8, numbers, maps
 *   io      files and the cursor
 *   thr     threads and the pool
 *   num     f16, bf16, fp8, random numbers
 *   data    packed tables
 *   quant   weight formats
 *   isa     instruction sets
 *   kern    kernels
 *   json    JSON
 *   gguf    GGUF files
 *   st      safetensors and hugging face folders
 *   http    HTTP client
 *   hub     hugging face cache
 *   regex   pre-tokenizer patterns
 *   tok     tokenizers
 *   tmpl    templates
 *   chat    chats
 *   gram    grammars
 *   arch    architectures
 *   model   models
 *   conv    converter
 *   kv      key/value cache
 *   fwd     forward pass
 *   samp    samplers
 *   vision  vision
 *   gen     generation
 *   sess    sessions
 *   prov    providers
 *   api     public functions
 */
#ifndef ABSTRACTLLM_H
#define ABSTRACTLLM_H

#if defined(ABSTRACTLLM_IMPLEMENTATION) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE 1 /* madvise and friends where no libc header came first; the code works without */
#endif
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

// MARK: >>types  Values every part uses
/* Owns: version, statuses, handles, option structs. All structs may be zeroed; zero means the default. */

#define ABSTRACTLLM_VERSION_STRING "0.1.0" /* semantic versioning: nothing changes meaning within a major version */

typedef enum allm_status {
    ALLM_OK = 0,
    ALLM_E_ARGUMENT,    /* a parameter is NULL, NaN, out of range or contradictory */
    ALLM_E_UNSUPPORTED, /* a feature, family, tensor type or template construct we do not have; the message names it */
    ALLM_E_NOT_FOUND,   /* model, file, provider, tool */
    ALLM_E_IO,          /* open, read, map, write */
    ALLM_E_FORMAT,      /* malformed model file, JSON, image */
    ALLM_E_MEMORY,      /* the allocator said no, or a limit was reached */
    ALLM_E_CONTEXT,     /* prompt or conversation does not fit the context */
    ALLM_E_CANCELLED,   /* allm_cancel, or a callback returned non-zero; the response so far is filled, free it */
    ALLM_E_TIMEOUT,     /* a remote provider did not answer in time */
    ALLM_E_BUSY,        /* the object is in use */
    ALLM_E_TEMPLATE,    /* the chat template raised, does not compile, or hit a limit */
    ALLM_E_GRAMMAR,     /* schema or grammar does not compile, or reached a dead end */
    ALLM_E_NUMERIC,     /* the model computed NaN: damaged weights */
    ALLM_E_TOOL,        /* a tool callback failed, or too many rounds */
    ALLM_E_AUTH,        /* remote: 401, 403 */
    ALLM_E_QUOTA,       /* remote: 429; see retry_after_ms */
    ALLM_E_REMOTE,      /* remote: connection failed, or 5xx */
    ALLM_E_FILTERED     /* remote: refused by a content filter */
} allm_status;

typedef struct allm_error { /* caller-owned; may be NULL in every call; zero it before the first use */
    allm_status status;
    int64_t     offset;         /* byte in `source`, or -1 */
    int32_t     line, column;   /* 1-based, in templates, JSON and grammars; else 0 */
    int32_t     retry_after_ms; /* ALLM_E_QUOTA; else 0 */
    char        source[112];    /* file name, "chat template", URL ...; cut from the left if long */
    char        message[256];   /* one line: source, place, what, expected */
} allm_error;

typedef struct allm_str { /* a view of bytes, not terminated; text may hold NUL; the owner is stated where it appears */
    const char *ptr;
    size_t      len;
} allm_str;

typedef struct allm_allocator { /* all zero: malloc and free. Called from any thread that calls the library */
    void *(*alloc)(void *ctx, size_t n_bytes, size_t align); /* align: power of two, at most 4096; NULL: no memory */
    void (*free)(void *ctx, void *p, size_t n_bytes);        /* n_bytes as given to alloc; p is never NULL */
    void *ctx;
} allm_allocator;

typedef struct allm_source { /* where a model is read from: exactly one of path, data, read */
    const char *path;        /* GGUF file (any part of a split one) */
    const void *data;        /* bytes in memory, used in place: must outlive the model */
    size_t      n_bytes;
    /* A reader: copies n_bytes from offset to dst, returns the bytes copied (0 at the end) or -1. */
    int64_t (*read)(void *ctx, uint64_t offset, void *dst, size_t n_bytes);
    uint64_t size; /* total bytes behind `read` */
    void    *ctx;
} allm_source;

typedef enum allm_kv_type { /* type of cached keys and values */
    ALLM_KV_DEFAULT = 0,    /* f16; f32 on the reference path */
    ALLM_KV_F32,
    ALLM_KV_F16,
    ALLM_KV_BF16,
    ALLM_KV_Q8_0,
    ALLM_KV_Q4_0
} allm_kv_type;

typedef enum allm_log_level { ALLM_LOG_ERROR = 1, ALLM_LOG_WARN, ALLM_LOG_INFO, ALLM_LOG_DEBUG } allm_log_level;

/* One part of a stage of work; parts of one stage never wait for each other. */
typedef void (*allm_task)(void *arg, int32_t i_part, int32_t n_parts);

typedef struct allm_runtime allm_runtime; /* allocator, log, ISA, threads, open models, provider registry */
typedef struct allm_runtime_config {
    allm_allocator allocator;
    void (*log)(void *ctx, allm_log_level level, const char *text); /* NULL: silent */
    void *log_ctx;
    /* The host's own threads: runs task(arg, i, n_parts) for every i, in any order or one after another, and
     * returns when all are done. NULL: the library's own pool. */
    void (*parallel_for)(void *ctx, int32_t n_parts, allm_task task, void *arg);
    void       *parallel_ctx;
    int32_t     n_threads;    /* 0: physical cores */
    const char *isa;          /* NULL: best the CPU and OS allow; "scalar", "avx2", "avx512", "neon", "dotprod" */
    int32_t     cache_models; /* models kept open, least recently used leaves first; 0: 2; -1: none */
    uint64_t    cache_bytes;  /* most bytes of models kept open; 0: no cap */
} allm_runtime_config;

typedef struct allm_llm allm_llm; /* a provider with a model: a local file, an echo, one of yours */
typedef struct allm_config {
    allm_runtime      *runtime;      /* NULL: the process-wide default */
    const char        *model;        /* GGUF file; strings are copied */
    const allm_source *source;       /* instead of `model`: bytes in memory or a reader */
    int32_t            n_ctx;        /* tokens; 0: the model's own, at most 8192 */
    uint64_t           memory_limit; /* most bytes to allocate for this model and its session; 0: none */
    allm_kv_type       kv_type;
    int32_t            reference; /* non-zero: float32 activations and cache; slow, exact */
    void (*on_load)(void *ctx, float fraction); /* 0..1 while the model is opened */
    void *on_load_ctx;
} allm_config;

typedef struct allm_capabilities { /* what is true of the opened model, not of the library */
    int32_t  streaming, async, system_prompt, tools, parallel_tools, vision, embeddings, json_schema, logprobs;
    int32_t  multi_turn, reasoning;
    int32_t  max_context, max_output; /* tokens */
    int32_t  n_parallel;              /* generations at a time */
    int32_t  embedding_dim;
    uint64_t n_parameters, memory_bytes;
    char     architecture[32], quantization[32], provider[32], model[128];
} allm_capabilities;

/* Sampling parameters. Passed by pointer: NULL stands for the model's own defaults with a seed from the OS. When
 * given, every field is taken literally and zero is off or neutral. Order of the chain: bias, penalties, top_k,
 * top_p, min_p, temperature, draw. */
typedef struct allm_sampling {
    float   temperature; /* 0: greedy; 0.01 .. 2 as given, other positive values are clamped into it */
    float   top_p;       /* smallest set of best tokens with this mass; 0 or 1: off */
    float   min_p;       /* tokens at least this likely relative to the best; 0: off */
    int32_t top_k;       /* k best tokens; 0: off */
    float   repeat_penalty, presence_penalty, frequency_penalty; /* 0 is off; repeat 1 is off too */
    int32_t penalty_window; /* last tokens (prompt and answer) that count; 0: 64, -1: all */
    int64_t seed;           /* >= 0 reproduces; < 0: from the OS, reported in the response */
    const int32_t *bias_ids; /* [n_bias] token ids whose logits get bias[i] added; -INFINITY bans */
    const float   *bias;     /* [n_bias] */
    size_t         n_bias;
} allm_sampling;

typedef struct allm_message {
    const char *role;    /* "system", "user", "assistant", or whatever else the template knows */
    const char *content; /* UTF-8 */
} allm_message;

typedef enum allm_event { ALLM_TEXT, ALLM_REASONING, ALLM_TOOL_CALL, ALLM_PROMPT_PROGRESS, ALLM_DONE } allm_event;
typedef struct allm_chunk {
    allm_event  event;
    const char *text; /* ALLM_TEXT: whole UTF-8, a delta; valid during the callback; not terminated */
    size_t      len;  /* bytes in text */
    int32_t     token_id;
    float       progress; /* ALLM_PROMPT_PROGRESS: prompt evaluated so far, 0..1 */
} allm_chunk;

typedef struct allm_request {
    const char         *prompt, *system; /* either a prompt (and a system prompt) ... */
    const allm_message *messages;        /* ... or [n_messages] messages */
    size_t              n_messages;
    const char *const  *files; /* [n_files] paths of text files, appended to the prompt or the last user message */
    size_t              n_files;
    const allm_sampling *sampling;
    int32_t             max_tokens; /* 0: 4096; always capped by the context */
    const char *const  *stop;       /* [n_stop] texts that end the answer; not part of it */
    size_t              n_stop;
    int32_t             raw;             /* non-zero: no chat template; special tokens spelled in the prompt stay text */
    const int32_t      *prompt_ids;      /* instead of a prompt: [n_prompt_ids] token ids, evaluated as they are */
    size_t              n_prompt_ids;
    const char         *template_kwargs; /* JSON object of further template variables */
    int (*on_chunk)(const allm_chunk *chunk, void *ctx); /* non-zero stops: ALLM_E_CANCELLED */
    void *on_chunk_ctx;
} allm_request;

typedef enum allm_finish {
    ALLM_FINISH_STOP,       /* end token or stop text */
    ALLM_FINISH_LENGTH,     /* max_tokens, or the context is full */
    ALLM_FINISH_TOOL_CALLS,
    ALLM_FINISH_CANCELLED,
    ALLM_FINISH_FILTERED
} allm_finish;

typedef struct allm_response { /* filled by the library; everything inside is freed by allm_response_free */
    char       *text;     /* UTF-8, terminated; NULL only after an error before the first token */
    size_t      text_len; /* bytes, without the terminator */
    allm_finish finish;
    int32_t     prompt_tokens;     /* in the prompt, cached ones included */
    int32_t     cached_tokens;     /* of these: taken from the previous call's state */
    int32_t     completion_tokens; /* sampled, an end token included */
    double      load_s, prompt_s, generate_s; /* seconds */
    int64_t     seed;      /* the one really used */
    int32_t    *token_ids; /* [completion_tokens] */
    void       *owner;     /* the library's */
} allm_response;

typedef struct allm_provider { /* a row of the registry; ctx goes to probe and open */
    const char *name;          /* must live as long as the runtime */
    int (*probe)(void *ctx, const allm_config *config); /* 0..100: how well this fits when the caller named none */
    allm_status (*open)(void *ctx, const allm_config *config, void **self, allm_error *err);
    /* Emits text through req->on_chunk and sets the numbers of *out; the library builds the text from the chunks. */
    allm_status (*generate)(void *self, const allm_request *req, allm_response *out, allm_error *err);
    allm_status (*capabilities)(void *self, allm_capabilities *out, allm_error *err);
    allm_status (*default_sampling)(void *self, allm_sampling *out, allm_error *err); /* NULL: 0.7, top_p 0.9 */
    void (*cancel)(void *self); /* any thread; NULL: cancelled at the next chunk */
    void (*close)(void *self);
    void *ctx;
} allm_provider;

typedef struct allm_model allm_model; /* immutable, reference-counted, shared by sessions in any threads */
typedef struct allm_model_config {
    uint64_t memory_limit; /* most bytes to allocate; 0: none */
    int32_t  reference;    /* non-zero: float32 activations */
    int32_t  vocab_only;   /* non-zero: tokenizer and metadata, no weights */
    void (*on_load)(void *ctx, float fraction);
    void *on_load_ctx;
} allm_model_config;
typedef struct allm_model_info {
    char     architecture[32], quantization[32], name[128];
    uint64_t n_parameters, n_bytes; /* bytes of all tensors in the file */
    int32_t  n_vocab, n_ctx_train, n_embd, n_layer, n_head, n_head_kv;
    int32_t  bos, eos; /* token ids, or -1 */
    int32_t  has_template, has_tokenizer;
} allm_model_info;
typedef struct allm_memory_plan { /* exact bytes, known before loading; a session's buffer = kv + scratch */
    uint64_t mapped;              /* weights used where the file lies */
    uint64_t repacked;            /* weights copied into kernel layout */
    uint64_t other;               /* tokenizer, metadata, model tables */
    uint64_t kv, scratch;         /* a session of the given shape */
    uint64_t peak;                /* most bytes held at once */
} allm_memory_plan;

typedef struct allm_session allm_session; /* KV cache and scratch over a model; one thread at a time */
typedef struct allm_session_config {
    int32_t      n_ctx;   /* tokens; 0: the model's own, at most 8192 */
    int32_t      n_batch; /* tokens evaluated at a time; 0: 256 */
    allm_kv_type kv_type;
    void        *buffer; /* caller's memory of the planned kv + scratch bytes, 64-byte aligned; NULL: allocated */
    size_t       n_buffer;
} allm_session_config;

typedef struct allm_detok_state { /* zero it before the first id */
    char    text[320];
    int32_t opaque[16];
} allm_detok_state;

typedef struct allm_sampler allm_sampler;

// MARK: >>decl  The public calls
/* Owns: every public prototype with its contract. Stop here if you only want the API. */

#ifndef ABSTRACTLLM_API
#ifdef ABSTRACTLLM_STATIC
#define ABSTRACTLLM_API static
#else
#define ABSTRACTLLM_API extern
#endif
#endif

/* ---- values */

/* The name of a status, such as "ALLM_E_FORMAT"; never NULL. Any thread. */
ABSTRACTLLM_API const char *allm_status_name(allm_status status);
/* The library's version, ABSTRACTLLM_VERSION_STRING of the implementation. Any thread. */
ABSTRACTLLM_API const char *allm_version(void);

/* ---- runtime: where memory, threads and kernels come from */

/* Makes a runtime. config NULL or zeroed: defaults. Errors: ALLM_E_ARGUMENT (an ISA this machine lacks, half an
 * allocator), ALLM_E_MEMORY. The runtime may be used from any thread. Everywhere below, runtime NULL stands for one
 * process-wide default, made at first use and freed by allm_shutdown. */
ABSTRACTLLM_API allm_status allm_runtime_create(const allm_runtime_config *config, allm_runtime **out, allm_error *err);
/* Frees a runtime, after everything that was made with it. NULL is fine. */
ABSTRACTLLM_API void allm_runtime_destroy(allm_runtime *rt);
/* Frees the process-wide default runtime; call it last, from one thread. It is made anew if used again. */
ABSTRACTLLM_API void allm_shutdown(void);

/* ---- one interface for every model */

/* Opens a model. provider: "local" (alias "gguf"), "echo", a registered name, or NULL = the one that fits
 * config->model best. Strings of config are copied; source->data must outlive the model. Errors: ALLM_E_NOT_FOUND
 * (no such provider, no provider fits, no such file), ALLM_E_FORMAT, ALLM_E_UNSUPPORTED, ALLM_E_MEMORY,
 * ALLM_E_ARGUMENT; *out is then NULL. Any thread. */
ABSTRACTLLM_API allm_status allm_create(const char *provider, const allm_config *config, allm_llm **out,
                                        allm_error *err);
/* Frees it; the model itself may stay in the runtime's cache. Not while a call on it runs. NULL is fine. */
ABSTRACTLLM_API void allm_destroy(allm_llm *llm);
/* Fills *out with what this model can do. Any thread. */
ABSTRACTLLM_API allm_status allm_get_capabilities(allm_llm *llm, allm_capabilities *out, allm_error *err);
/* The sampling that NULL stands for: the file's general.sampling.* keys, else temperature 0.7, top_p 0.9; seed -1. */
ABSTRACTLLM_API allm_status allm_default_sampling(allm_llm *llm, allm_sampling *out, allm_error *err);
/* Produces one answer; blocks until it is complete. out may be NULL when on_chunk is all that is wanted; else it is
 * always initialised and always to be freed with allm_response_free. Errors: ALLM_E_ARGUMENT, ALLM_E_CONTEXT (the
 * prompt is longer than the context), ALLM_E_CANCELLED (with the answer so far), ALLM_E_BUSY (another thread is
 * generating), ALLM_E_TEMPLATE, ALLM_E_NUMERIC, ALLM_E_MEMORY, ALLM_E_UNSUPPORTED. A context that fills while
 * generating is ALLM_OK with ALLM_FINISH_LENGTH. llm stays usable after any error. */
ABSTRACTLLM_API allm_status allm_generate(allm_llm *llm, const allm_request *req, allm_response *out, allm_error *err);
/* Frees what a response holds and zeroes it. NULL and zeroed responses are fine. */
ABSTRACTLLM_API void allm_response_free(allm_response *r);
/* Stops the running generation within a layer, also during the prompt. Any thread, any time; nothing running: no
 * effect. */
ABSTRACTLLM_API void allm_cancel(allm_llm *llm);

/* Adds a provider (the struct is copied, its name must live on); a name in use is replaced for later calls. */
ABSTRACTLLM_API allm_status allm_provider_register(allm_runtime *rt, const allm_provider *p, allm_error *err);
/* Writes up to cap names of providers to names, returns how many there are. The names belong to the registry. */
ABSTRACTLLM_API size_t allm_provider_list(allm_runtime *rt, const char **names, size_t cap);

/* ---- the engine underneath: models */

/* Opens a model for low-level use. Close it with allm_model_close. Errors as allm_create. */
ABSTRACTLLM_API allm_status allm_model_open(allm_runtime *rt, const allm_source *src, const allm_model_config *config,
                                            allm_model **out, allm_error *err);
/* Drops a reference; the model is freed with its last session. NULL is fine. Any thread. */
ABSTRACTLLM_API void allm_model_close(allm_model *m);
ABSTRACTLLM_API allm_status allm_model_get_info(const allm_model *m, allm_model_info *out, allm_error *err);
/* The exact memory of a model and one session of the given shape; reads headers only. config and session may be
 * NULL. Errors as allm_model_open. */
ABSTRACTLLM_API allm_status allm_plan(allm_runtime *rt, const allm_source *src, const allm_model_config *config,
                                      const allm_session_config *session, allm_memory_plan *out, allm_error *err);

/* ---- tokens and prompts: any thread */

/* Text to ids. parse_special: match special tokens spelled in the text (else they stay text). add_bos: add what the
 * tokenizer adds around a text. Writes at most cap ids; *n = how many there are in all. */
ABSTRACTLLM_API allm_status allm_tokenize(const allm_model *m, allm_str text, int parse_special, int add_bos,
                                          int32_t *ids, size_t cap, size_t *n, allm_error *err);
/* Ids to text, invalid UTF-8 replaced by U+FFFD. skip_special leaves control tokens out. Writes at most cap bytes;
 * *n = how many there are in all. An id outside the vocabulary is ALLM_E_ARGUMENT. */
ABSTRACTLLM_API allm_status allm_detokenize(const allm_model *m, const int32_t *ids, size_t n_ids, int skip_special,
                                            char *text, size_t cap, size_t *n, allm_error *err);
/* Streaming: *out = the whole UTF-8 that id completes, a view into *state valid until its next use, maybe empty;
 * id < 0 flushes what was held back. The pieces concatenate to what allm_detokenize gives. */
ABSTRACTLLM_API allm_status allm_detokenize_next(const allm_model *m, allm_detok_state *state, int32_t id,
                                                 int skip_special, allm_str *out, allm_error *err);
/* The raw bytes of a token, owned by the model; empty for an id outside the vocabulary. */
ABSTRACTLLM_API allm_str allm_token_piece(const allm_model *m, int32_t id);
/* Non-zero if the id ends an answer. */
ABSTRACTLLM_API int allm_token_is_end(const allm_model *m, int32_t id);
/* Renders the model's chat template for req (prompt, system, messages, files, template_kwargs), with the generation
 * prompt. Writes at most cap bytes; *n = how many there are in all. ALLM_E_UNSUPPORTED without a template. */
ABSTRACTLLM_API allm_status allm_render(const allm_model *m, const allm_request *req, char *text, size_t cap, size_t *n,
                                        allm_error *err);

/* ---- sessions: one thread at a time each */

/* Makes a session, which keeps the model alive. config may be NULL. Errors: ALLM_E_ARGUMENT (a buffer that is too
 * small), ALLM_E_MEMORY. */
ABSTRACTLLM_API allm_status allm_session_create(const allm_model *m, const allm_session_config *config,
                                                allm_session **out, allm_error *err);
ABSTRACTLLM_API void allm_session_destroy(allm_session *s); /* NULL is fine */
/* Evaluates n_ids tokens after those already there. all_logits: keep the logits of each of them, else of the last.
 * Errors: ALLM_E_ARGUMENT (an id outside the vocabulary), ALLM_E_CONTEXT (no room; nothing was evaluated),
 * ALLM_E_CANCELLED (the session keeps its former length), ALLM_E_MEMORY. */
ABSTRACTLLM_API allm_status allm_session_eval(allm_session *s, const int32_t *ids, size_t n_ids, int all_logits,
                                              allm_error *err);
/* [n_vocab] logits of the last eval, owned by the session until its next eval; i counts its tokens if all_logits was
 * set, else 0 is the last. NULL if there are none. */
ABSTRACTLLM_API const float *allm_session_logits(const allm_session *s, size_t i);
ABSTRACTLLM_API size_t       allm_session_length(const allm_session *s); /* tokens evaluated and kept */
/* Forgets all but the first n_keep tokens. */
ABSTRACTLLM_API allm_status allm_session_truncate(allm_session *s, size_t n_keep, allm_error *err);
/* Stops a running eval within a layer. Any thread. */
ABSTRACTLLM_API void allm_session_cancel(allm_session *s);

/* ---- samplers: one thread at a time each */

/* Makes a sampler for the model's vocabulary; params NULL: the model's defaults. Errors: ALLM_E_ARGUMENT names the
 * field that is NaN or out of range. */
ABSTRACTLLM_API allm_status allm_sampler_create(const allm_model *m, const allm_sampling *params, allm_sampler **out,
                                                allm_error *err);
ABSTRACTLLM_API void        allm_sampler_destroy(allm_sampler *s); /* NULL is fine */
/* Chooses a token from [n_vocab] logits and adds it to the history. logprob, if wanted: natural log of its
 * probability in the logits as given. Errors: ALLM_E_NUMERIC (a NaN or +Inf logit, or nothing is allowed). */
ABSTRACTLLM_API allm_status allm_sampler_next(allm_sampler *s, const float *logits, int32_t *id, float *logprob,
                                              allm_error *err);
/* Adds tokens to the history that penalties look at: the prompt, or a forced token. */
ABSTRACTLLM_API allm_status allm_sampler_accept(allm_sampler *s, const int32_t *ids, size_t n, allm_error *err);
ABSTRACTLLM_API void        allm_sampler_reset(allm_sampler *s); /* empties the history, restarts the random sequence */

#ifdef __cplusplus
}
#endif
#endif /* ABSTRACTLLM_H: stop here if you only want the API */

#if defined(ABSTRACTLLM_IMPLEMENTATION) && (!defined(ALLM__COMPILED) || defined(ALLM__PASS))
#define ALLM__COMPILED
#ifndef ALLM__PASS

// MARK: >>plat  Compiler, operating system, processor
/* Owns: what differs between compilers and systems, as macros. Gives: ALLM__POSIX, ALLM__WINDOWS, ALLM__X86,
 * ALLM__ARM64, attributes, atomics, ALLM__COUNT. Spec: predefined macros of gcc, clang and MSVC. */

#ifndef ABSTRACTLLM_SELF
#define ABSTRACTLLM_SELF "abstractllm.h"
#endif
#ifndef ABSTRACTLLM_ASSERT
#define ABSTRACTLLM_ASSERT(x) ((void)0)
#endif
#ifndef ABSTRACTLLM_MAX_THREADS
#define ABSTRACTLLM_MAX_THREADS 64
#endif

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(_WIN32)
#define ALLM__WINDOWS 1
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>
#elif defined(__unix__) || defined(__APPLE__)
#define ALLM__POSIX 1
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#ifndef ABSTRACTLLM_NO_MMAP
#include <sys/mman.h>
#endif
#ifndef ABSTRACTLLM_NO_THREADS
#include <pthread.h>
#endif
#endif

#if !defined(ABSTRACTLLM_NO_SIMD) && (defined(__GNUC__) || defined(__clang__))
#if defined(__x86_64__) || (defined(__i386__) && defined(__SSE2__))
#define ALLM__X86 1
#include <cpuid.h>
#include <immintrin.h> /* before any target region: the intrinsics bring their own */
#elif defined(__aarch64__)
#define ALLM__ARM64 1
#include <arm_neon.h>
#if defined(__linux__) && !defined(__ARM_FEATURE_DOTPROD) && (!defined(__clang__) || __clang_major__ >= 16)
#define ALLM__ARM64_DOTPROD 1 /* to be found at run time; otherwise it is in the base or cannot be compiled */
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif
#endif
#endif

#define ALLM__COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ALLM__MIN(a, b) ((a) < (b) ? (a) : (b))
#define ALLM__MAX(a, b) ((a) > (b) ? (a) : (b))
#define ALLM__JOIN2(a, b) a##b
#define ALLM__STRING2(a) #a
#define ALLM__STRING(a) ALLM__STRING2(a)
#define ALLM__JOIN(a, b) ALLM__JOIN2(a, b)
/* A check at compile time, in C99 too. */
#define ALLM__STATIC(name, condition) typedef char ALLM__JOIN(allm__static_, name)[(condition) ? 1 : -1]

#if defined(__GNUC__) || defined(__clang__)
#define ALLM__INLINE static inline __attribute__((unused, always_inline))
#define ALLM__ALIGNED(n) __attribute__((aligned(n)))
#define ALLM__PREFETCH(p, n) __builtin_prefetch((const void *)((uintptr_t)(p) + (size_t)(n))) /* p + n may lie outside */
#if defined(__clang__)
#define ALLM__UNROLL(n) _Pragma("clang loop unroll(full)")
#else
#define ALLM__UNROLL(n) ALLM__PRAGMA(GCC unroll n)
#define ALLM__PRAGMA(text) _Pragma(#text)
#endif
#define ALLM__UNUSED __attribute__((unused))
#define ALLM__PRINTF(i_format, i_first) __attribute__((format(printf, i_format, i_first)))
/* Atomics on int32_t and pointers; sequentially consistent, but for the relaxed load of a spin loop. */
#define ALLM__LOAD(p) __atomic_load_n(p, __ATOMIC_SEQ_CST)
#define ALLM__LOAD_RELAXED(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define ALLM__STORE(p, v) __atomic_store_n(p, v, __ATOMIC_SEQ_CST)
#define ALLM__ADD(p, v) __atomic_add_fetch(p, v, __ATOMIC_SEQ_CST)
#define ALLM__SWAP(p, v) __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#else
#define ALLM__INLINE static __inline
#define ALLM__UNUSED
#define ALLM__PRINTF(i_format, i_first)
#if defined(ALLM__WINDOWS)
#define ALLM__LOAD(p) InterlockedCompareExchange((volatile LONG *)(p), 0, 0)
#define ALLM__LOAD_RELAXED(p) (*(volatile LONG *)(p))
#define ALLM__STORE(p, v) ((void)InterlockedExchange((volatile LONG *)(p), (LONG)(v)))
#define ALLM__ADD(p, v) (InterlockedExchangeAdd((volatile LONG *)(p), (LONG)(v)) + (LONG)(v))
#define ALLM__SWAP(p, v) InterlockedExchange((volatile LONG *)(p), (LONG)(v))
#else /* an unknown compiler: one thread only */
#define ABSTRACTLLM_NO_THREADS
#define ALLM__LOAD(p) (*(p))
#define ALLM__LOAD_RELAXED(p) (*(p))
#define ALLM__STORE(p, v) ((void)(*(p) = (v)))
#define ALLM__ADD(p, v) (*(p) += (v))
#define ALLM__SWAP(p, v) allm__plat_swap(p, v)
static int32_t allm__plat_swap(int32_t *p, int32_t v) { int32_t old = *p; *p = v; return old; }
#endif
#endif

#if defined(ALLM__X86)
#define ALLM__PAUSE() __builtin_ia32_pause()
#elif defined(ALLM__ARM64)
#define ALLM__PAUSE() __asm__ __volatile__("yield")
#else
#define ALLM__PAUSE() ((void)0)
#endif

/* Seconds of a clock that does not run backwards where the system has one. */
static double allm__plat_seconds(void) {
#if defined(ALLM__WINDOWS)
    LARGE_INTEGER t, f;
    QueryPerformanceCounter(&t);
    QueryPerformanceFrequency(&f);
    return (double)t.QuadPart / (double)f.QuadPart;
#elif defined(CLOCK_MONOTONIC)
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#elif defined(ALLM__POSIX)
    struct timeval t;
    gettimeofday(&t, NULL);
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
#else
    return (double)clock() / CLOCKS_PER_SEC;
#endif
}

// MARK: >>err  The error record
/* Owns: how an allm_error is filled. Private functions take an `err` that is never NULL (the api room sees to it) and
 * return the status they set. The first error wins: deeper calls fail first and know most. */

static const char *const allm__err_names[] = {
    "ALLM_OK",          "ALLM_E_ARGUMENT", "ALLM_E_UNSUPPORTED", "ALLM_E_NOT_FOUND", "ALLM_E_IO",
    "ALLM_E_FORMAT",    "ALLM_E_MEMORY",   "ALLM_E_CONTEXT",     "ALLM_E_CANCELLED", "ALLM_E_TIMEOUT",
    "ALLM_E_BUSY",      "ALLM_E_TEMPLATE", "ALLM_E_GRAMMAR",     "ALLM_E_NUMERIC",   "ALLM_E_TOOL",
    "ALLM_E_AUTH",      "ALLM_E_QUOTA",    "ALLM_E_REMOTE",      "ALLM_E_FILTERED",
};

/* Copies a name, keeping its end where it does not fit: the file's name says more than the folder's. */
static void allm__err_source(char dst[112], const char *source) {
    size_t n = source ? strlen(source) : 0;
    if (n < 112) {
        memcpy(dst, source ? source : "", n);
        dst[n] = 0;
    } else {
        memcpy(dst, "...", 3);
        memcpy(dst + 3, source + n - 108, 109);
    }
}

/* Bytes of the character at p, a terminated text; 0: a control, or malformed UTF-8 (RFC 3629). */
static size_t allm__err_char(const unsigned char *p) {
    size_t n = p[0] < 0xc2 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    if (n == 1) return p[0] >= 0x20 && p[0] < 0x7f;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    int overlong  = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    int surrogate = p[0] == 0xed && p[1] > 0x9f, too_large = p[0] == 0xf4 && p[1] > 0x8f;
    int control   = p[0] == 0xc2 && p[1] < 0xa0;
    return overlong || surrogate || too_large || control ? 0 : n;
}

/* No control characters and no broken UTF-8 leave in a message: names come from files, and long texts are cut. */
static void allm__err_clean(char *text) {
    for (size_t n; *text; text += n ? n : 1) {
        n = allm__err_char((const unsigned char *)text);
        if (!n) *text = '?';
    }
}

/* Fills err unless it is filled; the message is "source: byte 0x..: line:column: text" with the parts that are there.
 * offset < 0, line 0: not said. */
static allm_status allm__err_vset(allm_error *err, allm_status status, const char *source, int64_t offset,
                                  const int32_t place[2], const char *format, va_list args) {
    if (err->status != ALLM_OK) return err->status;
    err->status = status;
    err->offset = offset < 0 ? -1 : offset;
    err->line = place[0], err->column = place[1];
    allm__err_source(err->source, source);
    allm__err_clean(err->source);
    size_t n = 0, cap = sizeof err->message;
    if (err->source[0]) n += (size_t)snprintf(err->message, cap, "%s: ", err->source);
    if (offset >= 0) n += (size_t)snprintf(err->message + n, cap - n, "byte 0x%llx: ", (unsigned long long)offset);
    if (place[0] > 0) n += (size_t)snprintf(err->message + n, cap - n, "%d:%d: ", (int)place[0], (int)place[1]);
    vsnprintf(err->message + n, cap - n, format, args);
    allm__err_clean(err->message);
    return status;
}

ALLM__PRINTF(5, 6)
static allm_status allm__fail(allm_error *err, allm_status status, const char *source, int64_t offset,
                              const char *format, ...) {
    static const int32_t nowhere[2] = {0, 0};
    va_list args;
    va_start(args, format);
    status = allm__err_vset(err, status, source, offset, nowhere, format, args);
    va_end(args);
    return status;
}

/* The same with a 1-based line and column, for texts. */
ALLM__PRINTF(6, 7)
static allm_status allm__fail_at(allm_error *err, allm_status status, const char *source, int32_t line, int32_t column,
                                 const char *format, ...) {
    int32_t place[2] = {line, column};
    va_list args;
    va_start(args, format);
    status = allm__err_vset(err, status, source, -1, place, format, args);
    va_end(args);
    return status;
}

static allm_status allm__fail_memory(allm_error *err, size_t n_bytes) {
    return allm__fail(err, ALLM_E_MEMORY, NULL, -1, "out of memory: %llu bytes wanted", (unsigned long long)n_bytes);
}

// MARK: >>mem  Memory
/* Owns: the caller's allocator, checked size arithmetic, arenas, growing buffers. Everything allocated anywhere comes
 * from an allm__host. Failure is a NULL or a sticky flag, turned into ALLM_E_MEMORY by whoever has the error record. */

typedef struct allm__host { /* what every room may ask of the host program */
    allm_allocator mem;
    void (*log)(void *ctx, allm_log_level level, const char *text);
    void *log_ctx;
} allm__host;

/* malloc knows no alignment before C11: room for the base pointer is kept below the block. */
static void *allm__mem_default_alloc(void *ctx, size_t n_bytes, size_t align) {
    (void)ctx;
    if (n_bytes > SIZE_MAX - align - sizeof(void *)) return NULL;
    char *base = (char *)malloc(n_bytes + align + sizeof(void *));
    if (!base) return NULL;
    char *p = base + sizeof(void *);
    p += (align - (uintptr_t)p % align) % align;
    memcpy(p - sizeof base, &base, sizeof base);
    return p;
}

static void allm__mem_default_free(void *ctx, void *p, size_t n_bytes) {
    (void)ctx, (void)n_bytes;
    char *base;
    memcpy(&base, (char *)p - sizeof base, sizeof base);
    free(base);
}

static void *allm__alloc(const allm__host *h, size_t n_bytes, size_t align) {
    return h->mem.alloc(h->mem.ctx, n_bytes ? n_bytes : 1, align);
}

static void *allm__alloc_zero(const allm__host *h, size_t n_bytes, size_t align) {
    void *p = allm__alloc(h, n_bytes, align);
    if (p) memset(p, 0, n_bytes);
    return p;
}

static void allm__free(const allm__host *h, void *p, size_t n_bytes) {
    if (p) h->mem.free(h->mem.ctx, p, n_bytes ? n_bytes : 1);
}

ALLM__PRINTF(3, 4)
static void allm__log(const allm__host *h, allm_log_level level, const char *format, ...) {
    if (!h->log) return;
    char    text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    h->log(h->log_ctx, level, text);
}

/* Checked arithmetic: false, and *out untouched, when the result does not fit. */
static int allm__mul(size_t a, size_t b, size_t *out) {
    if (b && a > SIZE_MAX / b) return 0;
    *out = a * b;
    return 1;
}

static int allm__add(size_t a, size_t b, size_t *out) {
    if (a > SIZE_MAX - b) return 0;
    *out = a + b;
    return 1;
}

/* n rounded up to a multiple of align, a power of two; n is at most SIZE_MAX - align. */
static size_t allm__round_up(size_t n, size_t align) { return (n + align - 1) & ~(align - 1); }

/* ---- arena: many small things with one lifetime */

typedef struct allm__chunk {
    struct allm__chunk *next;
    size_t              n_bytes; /* of the whole chunk, header included */
} allm__chunk;

typedef struct allm__arena { /* zero it and set host */
    const allm__host *host;
    allm__chunk      *chunks;
    char             *ptr, *end;
    size_t            n_bytes; /* of all chunks */
    int               failed;  /* sticky: some allocation returned NULL */
} allm__arena;

static void *allm__arena_alloc(allm__arena *a, size_t n_bytes, size_t align) {
    size_t pad = a->ptr ? (align - (uintptr_t)a->ptr % align) % align : 0;
    if (!a->ptr || n_bytes > (size_t)(a->end - a->ptr) || pad > (size_t)(a->end - a->ptr) - n_bytes) {
        size_t n_chunk, grow = ALLM__MIN(ALLM__MAX(a->n_bytes, 4096), (size_t)1 << 20);
        if (!allm__add(n_bytes, align + sizeof(allm__chunk), &n_chunk)) return a->failed = 1, NULL;
        n_chunk = ALLM__MAX(n_chunk, grow);
        allm__chunk *c = (allm__chunk *)allm__alloc(a->host, n_chunk, sizeof(void *));
        if (!c) return a->failed = 1, NULL;
        c->next = a->chunks, c->n_bytes = n_chunk;
        a->chunks = c, a->n_bytes += n_chunk;
        a->ptr = (char *)(c + 1), a->end = (char *)c + n_chunk;
        pad = (align - (uintptr_t)a->ptr % align) % align;
    }
    char *p = a->ptr + pad;
    a->ptr  = p + n_bytes;
    return p;
}

static void *allm__arena_zero(allm__arena *a, size_t n_bytes, size_t align) {
    void *p = allm__arena_alloc(a, n_bytes, align);
    if (p) memset(p, 0, n_bytes);
    return p;
}

/* Room for n things of `size` bytes, zeroed; NULL also when the product does not fit. */
static void *allm__arena_array(allm__arena *a, size_t n, size_t size, size_t align) {
    size_t n_bytes;
    if (!allm__mul(n, size, &n_bytes)) return a->failed = 1, NULL;
    return allm__arena_zero(a, n_bytes, align);
}

static char *allm__arena_copy(allm__arena *a, const char *p, size_t n) { /* terminated */
    size_t n_bytes;
    char  *s = allm__add(n, 1, &n_bytes) ? (char *)allm__arena_alloc(a, n_bytes, 1) : NULL;
    if (!s) return a->failed = 1, NULL;
    if (n) memcpy(s, p, n);
    s[n] = 0;
    return s;
}

static void allm__arena_free(allm__arena *a) {
    while (a->chunks) {
        allm__chunk *c = a->chunks;
        a->chunks = c->next;
        allm__free(a->host, c, c->n_bytes);
    }
    a->ptr = a->end = NULL, a->n_bytes = 0, a->failed = 0;
}

/* ---- growing arrays */

/* Makes room for n_need elements of `size` bytes in *p, an array of *cap; keeps the first n_used. 0: no memory. */
static int allm__grow(const allm__host *h, void **p, size_t *cap, size_t n_used, size_t n_need, size_t size) {
    if (n_need <= *cap) return 1;
    size_t n_new = ALLM__MAX(*cap > SIZE_MAX / 2 ? SIZE_MAX : *cap * 2, 16), n_bytes;
    n_new        = ALLM__MAX(n_new, n_need);
    if (!allm__mul(n_new, size, &n_bytes)) return 0;
    void *q = allm__alloc(h, n_bytes, 64);
    if (!q) return 0;
    if (n_used) memcpy(q, *p, n_used * size);
    allm__free(h, *p, *cap * size);
    *p = q, *cap = n_new;
    return 1;
}

typedef struct allm__buf { /* bytes; zero it and set host */
    const allm__host *host;
    char             *ptr; /* not terminated, see allm__buf_text */
    size_t            len, cap;
    size_t            limit;  /* most bytes; 0: none. Going over it sets failed */
    int               failed; /* sticky: out of memory, or over the limit */
} allm__buf;

/* Room for n more bytes, uninitialised and already counted; NULL after a failure. */
static char *allm__buf_room(allm__buf *b, size_t n) {
    size_t need;
    if (b->failed || !allm__add(b->len, n, &need) || (b->limit && need > b->limit) ||
        !allm__grow(b->host, (void **)&b->ptr, &b->cap, b->len, need, 1))
        return b->failed = 1, NULL;
    b->len = need;
    return b->ptr + need - n;
}

static void allm__buf_put(allm__buf *b, const void *p, size_t n) {
    char *dst = n ? allm__buf_room(b, n) : NULL;
    if (dst) memcpy(dst, p, n);
}

static void allm__buf_putc(allm__buf *b, char c) { allm__buf_put(b, &c, 1); }
static void allm__buf_puts(allm__buf *b, const char *text) { allm__buf_put(b, text, strlen(text)); }

/* Terminates and returns the text; NULL after a failure. The terminator is not counted. */
static char *allm__buf_text(allm__buf *b) {
    if (b->failed || !allm__grow(b->host, (void **)&b->ptr, &b->cap, b->len, b->len + 1, 1)) return b->failed = 1, NULL;
    b->ptr[b->len] = 0;
    return b->ptr;
}

static void allm__buf_free(allm__buf *b) {
    allm__free(b->host, b->ptr, b->cap);
    b->ptr = NULL, b->len = b->cap = 0, b->failed = 0;
}

// MARK: >>str  Views, UTF-8, numbers, maps
/* Owns: text without locale. Gives: views, UTF-8 decode and encode (RFC 3629), decimal numbers to double and back,
 * correctly rounded (shortest form as Python prints it), a hash map from bytes to int32. */

#define ALLM__S(literal) allm__str("" literal, sizeof(literal) - 1)

static allm_str allm__str(const char *p, size_t n) {
    allm_str s = {p, n};
    return s;
}

static allm_str allm__str_of(const char *text) { return allm__str(text, text ? strlen(text) : 0); }

static int allm__str_eq(allm_str a, allm_str b) { return a.len == b.len && (!a.len || !memcmp(a.ptr, b.ptr, a.len)); }

static int allm__str_cmp(allm_str a, allm_str b) {
    size_t n = ALLM__MIN(a.len, b.len);
    int    c = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

static int allm__str_starts(allm_str s, allm_str head) {
    return s.len >= head.len && (!head.len || !memcmp(s.ptr, head.ptr, head.len));
}

static int allm__str_ends(allm_str s, allm_str tail) {
    return s.len >= tail.len && (!tail.len || !memcmp(s.ptr + s.len - tail.len, tail.ptr, tail.len));
}

/* First place of needle in s at or after `from`, or SIZE_MAX. */
static size_t allm__str_find(allm_str s, allm_str needle, size_t from) {
    if (needle.len > s.len || from > s.len - needle.len) return SIZE_MAX;
    if (!needle.len) return from;
    const char *p = s.ptr + from, *end = s.ptr + s.len - needle.len + 1;
    while (p < end && (p = (const char *)memchr(p, needle.ptr[0], (size_t)(end - p)))) {
        if (!memcmp(p, needle.ptr, needle.len)) return (size_t)(p - s.ptr);
        p++;
    }
    return SIZE_MAX;
}

/* ---- UTF-8 */

/* Decodes one code point at p, n > 0 bytes left. Returns its length in bytes; for a malformed sequence *cp = -1 and
 * the length of its maximal well-formed beginning, at least 1 (Unicode 3.9, U+FFFD substitution of maximal subparts). */
static size_t allm__utf8_next(const char *text, size_t n, int32_t *cp) {
    const unsigned char *p = (const unsigned char *)text;
    unsigned             c = p[0], lo = 0x80, hi = 0xbf, v;
    size_t               len;
    if (c < 0x80) return *cp = (int32_t)c, 1;
    *cp = -1;
    if (c < 0xc2 || c > 0xf4) return 1;
    if (c < 0xe0) len = 2, v = c & 31;
    else if (c < 0xf0) len = 3, v = c & 15, lo = c == 0xe0 ? 0xa0 : lo, hi = c == 0xed ? 0x9f : hi;
    else len = 4, v = c & 7, lo = c == 0xf0 ? 0x90 : lo, hi = c == 0xf4 ? 0x8f : hi;
    for (size_t i = 1; i < len; i++, lo = 0x80, hi = 0xbf) {
        if (i == n || p[i] < lo || p[i] > hi) return i;
        v = v << 6 | (p[i] & 63);
    }
    *cp = (int32_t)v;
    return len;
}

/* Writes cp (a Unicode scalar value) to dst, returns 1..4. */
static size_t allm__utf8_put(char dst[4], int32_t cp) {
    uint32_t c = (uint32_t)cp;
    if (c < 0x80) return dst[0] = (char)c, 1;
    if (c < 0x800) return dst[0] = (char)(0xc0 | c >> 6), dst[1] = (char)(0x80 | (c & 63)), 2;
    if (c < 0x10000)
        return dst[0] = (char)(0xe0 | c >> 12), dst[1] = (char)(0x80 | (c >> 6 & 63)), dst[2] = (char)(0x80 | (c & 63)), 3;
    dst[0] = (char)(0xf0 | c >> 18), dst[1] = (char)(0x80 | (c >> 12 & 63));
    dst[2] = (char)(0x80 | (c >> 6 & 63)), dst[3] = (char)(0x80 | (c & 63));
    return 4;
}

static void allm__buf_put_cp(allm__buf *b, int32_t cp) {
    char u[4];
    allm__buf_put(b, u, allm__utf8_put(u, cp));
}

/* Byte offset of the first malformed sequence, or SIZE_MAX. */
static size_t allm__utf8_bad(allm_str s) {
    int32_t cp = 0;
    for (size_t i = 0, n; i < s.len; i += n) {
        n = allm__utf8_next(s.ptr + i, s.len - i, &cp);
        if (cp < 0) return i;
    }
    return SIZE_MAX;
}

/* ---- numbers. A decimal is digits with a point, long enough to be exact where rounding is decided: a binary float is
 * made decimal by doubling and halving the digits (the method of a textbook; slow, small, exact). */

enum { ALLM__DEC_MAX = 800 };
typedef struct allm__dec {
    int     n, point;  /* value = 0.d0 d1 d2 ... * 10^point */
    int     truncated; /* non-zero digits beyond the last were lost */
    uint8_t d[ALLM__DEC_MAX];
} allm__dec;

static void allm__dec_trim(allm__dec *a) {
    while (a->n > 0 && a->d[a->n - 1] == 0) a->n--;
    if (a->n == 0) a->point = 0;
}

static void allm__dec_halve(allm__dec *a, int shift) { /* value / 2^shift, shift <= 59 */
    int      r = 0, w = 0;
    uint64_t acc = 0, mask = ((uint64_t)1 << shift) - 1;
    while (acc >> shift == 0) {
        if (r < a->n) acc = acc * 10 + a->d[r];
        else if (acc == 0) { a->n = 0; return; }
        else acc *= 10;
        r++;
    }
    a->point -= r - 1;
    for (; r < a->n; r++) {
        a->d[w++] = (uint8_t)(acc >> shift);
        acc       = (acc & mask) * 10 + a->d[r];
    }
    while (acc) {
        if (w < ALLM__DEC_MAX) a->d[w++] = (uint8_t)(acc >> shift);
        else if (acc >> shift) a->truncated = 1;
        acc = (acc & mask) * 10;
    }
    a->n = w;
    allm__dec_trim(a);
}

static void allm__dec_double(allm__dec *a, int shift) { /* value * 2^shift, shift <= 59 */
    uint8_t  out[ALLM__DEC_MAX + 20];
    int      w   = (int)sizeof out, r;
    uint64_t acc = 0;
    for (r = a->n; r-- > 0;) {
        acc += (uint64_t)a->d[r] << shift;
        out[--w] = (uint8_t)(acc % 10);
        acc /= 10;
    }
    int grown = 0;
    for (; acc; acc /= 10, grown++) out[--w] = (uint8_t)(acc % 10);
    int n = a->n + grown;
    if (n > ALLM__DEC_MAX) {
        for (r = ALLM__DEC_MAX; r < n; r++) a->truncated |= out[w + r] != 0;
        n = ALLM__DEC_MAX;
    }
    memcpy(a->d, out + w, (size_t)n);
    a->n = n, a->point += grown;
    allm__dec_trim(a);
}

static void allm__dec_shift(allm__dec *a, int shift) {
    for (; shift > 0 && a->n; shift -= ALLM__MIN(shift, 59)) allm__dec_double(a, ALLM__MIN(shift, 59));
    for (; shift < 0 && a->n; shift += ALLM__MIN(-shift, 59)) allm__dec_halve(a, ALLM__MIN(-shift, 59));
}

/* Should the digits be rounded up when only the first n are kept? Half goes to even. */
static int allm__dec_up(const allm__dec *a, int n) {
    if (n < 0 || n >= a->n) return 0;
    if (a->d[n] == 5 && n + 1 == a->n && !a->truncated) return n > 0 && a->d[n - 1] % 2;
    return a->d[n] >= 5;
}

static void allm__dec_cut(allm__dec *a, int n, int up) { /* keep n digits, the last one plus `up` */
    if (n < 0 || n >= a->n) {
        if (n < 0) a->n = 0, a->point = 0;
        return;
    }
    a->n = n;
    if (up) {
        int i = n;
        while (i > 0 && a->d[i - 1] == 9) i--;
        if (i == 0) a->d[0] = 1, a->n = 1, a->point++;
        else a->d[i - 1]++, a->n = i;
    }
    allm__dec_trim(a);
}

static void allm__dec_round(allm__dec *a, int n) { allm__dec_cut(a, n, allm__dec_up(a, n)); }

static uint64_t allm__dec_integer(const allm__dec *a) { /* rounded; value < 2^63 */
    uint64_t v = 0;
    int      i = 0;
    for (; i < a->point && i < a->n; i++) v = v * 10 + a->d[i];
    for (; i < a->point; i++) v *= 10;
    return v + (uint64_t)allm__dec_up(a, a->point);
}

/* The double nearest to the decimal, half to even; *over is set when it is too large. */
static double allm__dec_value(allm__dec *a, int *over) {
    *over = 0;
    if (a->n == 0 || a->point < -330) return 0;
    if (a->point > 310) return *over = 1, HUGE_VAL;
    int e = 0;
    while (a->point > 0) { /* into [1/2, 1) */
        int s = a->point > 8 ? 27 : a->point == 1 ? 1 : 3 * a->point - 2;
        allm__dec_shift(a, -s), e += s;
    }
    while (a->point < 0 || (a->point == 0 && a->d[0] < 5)) {
        int s = a->point < -8 ? 27 : a->point == 0 ? 1 : -3 * a->point;
        allm__dec_shift(a, s), e -= s;
    }
    int bits = ALLM__MIN(53, e + 1074); /* subnormals have fewer */
    if (bits < 0) return 0;
    allm__dec_shift(a, bits);
    double v = ldexp((double)allm__dec_integer(a), e - bits);
    if (v > DBL_MAX) *over = 1;
    return v;
}

static void allm__dec_from(allm__dec *a, double v) { /* exact; v finite and >= 0 */
    int      e;
    uint64_t m = (uint64_t)ldexp(frexp(v, &e), 53);
    memset(a, 0, sizeof *a);
    for (uint64_t t = m; t; t /= 10) a->n++;
    a->point = a->n;
    for (int i = a->n; i-- > 0; m /= 10) a->d[i] = (uint8_t)(m % 10);
    allm__dec_trim(a);
    allm__dec_shift(a, e - 53);
}

/* Reads a decimal number as JSON writes it (also .5 and 5.), all of s. 0: not a number. *over: too large. */
static int allm__num_parse(allm_str s, double *out, int *over) {
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    allm__dec a;
    size_t    i = 0;
    int       negative = 0, n_digits = 0, seen_point = 0;
    uint64_t  m = 0;
    a.n = a.point = a.truncated = 0, *over = 0;
    if (i < s.len && (s.ptr[i] == '-' || s.ptr[i] == '+')) negative = s.ptr[i++] == '-';
    for (; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '.' && !seen_point) { seen_point = 1; continue; }
        if (c < '0' || c > '9') break;
        n_digits++;
        if (a.n == 0 && c == '0') { a.point -= seen_point; continue; } /* leading zeros */
        if (a.n < ALLM__DEC_MAX) a.d[a.n++] = (uint8_t)(c - '0');
        else a.truncated |= c != '0';
        if (a.n <= 19) m = m * 10 + (uint64_t)(c - '0');
        a.point += !seen_point;
        if (a.point > 1 << 24) a.point = 1 << 24;
    }
    if (!n_digits) return 0;
    if (i < s.len && (s.ptr[i] == 'e' || s.ptr[i] == 'E')) {
        int e_negative = 0, e = 0, n_e = 0;
        i++;
        if (i < s.len && (s.ptr[i] == '-' || s.ptr[i] == '+')) e_negative = s.ptr[i++] == '-';
        for (; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++, n_e++) e = ALLM__MIN(e * 10 + (s.ptr[i] - '0'), 99999);
        if (!n_e) return 0;
        a.point += e_negative ? -e : e;
    }
    if (i != s.len) return 0;
    int    e10 = a.point - a.n;
    double v;
    if (a.n <= 15 && e10 >= -22 && e10 <= 22) v = e10 < 0 ? (double)m / tens[-e10] : (double)m * tens[e10]; /* exact */
    else allm__dec_trim(&a), v = allm__dec_value(&a, over);
    *out = negative ? -v : v;
    return 1;
}

/* The fewest digits that read back as v (finite, > 0): a.d, a.n, a.point. The nearest such, but at a power of two the
 * gap below is half of that above, so that only the next decimal above may read back. Where a double holds any 15
 * digits, fewer show as zeros at the end of 15. */
static void allm__dec_shortest(allm__dec *a, double v) {
    allm__dec exact, back;
    allm__dec_from(&exact, v);
    for (int n = v < DBL_MIN ? 1 : DBL_DIG; n <= 17; n++) {
        for (int up = allm__dec_up(&exact, n), over; up <= 1; up++) {
            *a = exact;
            allm__dec_cut(a, n, up);
            back = *a;
            if (allm__dec_value(&back, &over) == v) return;
        }
    }
}

/* The text of v as Python's repr: shortest digits that read back the same; "1.0", "1e-05", "inf". Returns its length. */
static size_t allm__num_repr(char dst[32], double v) {
    size_t n = 0;
    if (isnan(v)) return memcpy(dst, "nan", 4), 3;
    if (signbit(v)) dst[n++] = '-', v = -v;
    if (isinf(v)) return memcpy(dst + n, "inf", 4), n + 3;
    if (v == 0) return memcpy(dst + n, "0.0", 4), n + 3;
    allm__dec a;
    allm__dec_shortest(&a, v);
    int e = a.point - 1;
    if (e < -4 || e >= 16) {
        dst[n++] = (char)('0' + a.d[0]);
        if (a.n > 1) dst[n++] = '.';
        for (int i = 1; i < a.n; i++) dst[n++] = (char)('0' + a.d[i]);
        return n + (size_t)snprintf(dst + n, 32 - n, "e%c%02d", e < 0 ? '-' : '+', e < 0 ? -e : e);
    }
    for (int i = ALLM__MIN(0, e); i < ALLM__MAX(a.n, e + 2); i++) {
        dst[n++] = (char)('0' + (i >= 0 && i < a.n ? a.d[i] : 0));
        if (i == e) dst[n++] = '.';
    }
    dst[n] = 0;
    return n;
}

/* v with `digits` decimals, half to even on the exact value, as C's %.*f; appended to b. */
static void allm__num_fixed(allm__buf *b, double v, int digits) {
    if (isnan(v)) { allm__buf_puts(b, "nan"); return; }
    if (signbit(v)) allm__buf_putc(b, '-'), v = -v;
    if (isinf(v)) { allm__buf_puts(b, "inf"); return; }
    allm__dec a;
    allm__dec_from(&a, v);
    allm__dec_round(&a, a.point + digits);
    if (a.point <= 0) allm__buf_putc(b, '0');
    for (int i = 0; i < a.point; i++) allm__buf_putc(b, (char)('0' + (i < a.n ? a.d[i] : 0)));
    if (digits > 0) allm__buf_putc(b, '.');
    for (int i = a.point; i < a.point + digits; i++) allm__buf_putc(b, (char)('0' + (i >= 0 && i < a.n ? a.d[i] : 0)));
}

/* Reads a decimal integer, all of s; 0 if it is none or does not fit. */
static int allm__int_parse(allm_str s, int64_t *out) {
    size_t   i = 0;
    int      negative = 0;
    uint64_t v = 0;
    if (i < s.len && (s.ptr[i] == '-' || s.ptr[i] == '+')) negative = s.ptr[i++] == '-';
    if (i == s.len) return 0;
    for (; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') return 0;
        unsigned d = (unsigned)(s.ptr[i] - '0');
        if (v > (UINT64_MAX - d) / 10) return 0;
        v = v * 10 + d;
    }
    if (v > (uint64_t)INT64_MAX + (unsigned)negative) return 0;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return 1;
}

static void allm__buf_int(allm__buf *b, int64_t v) {
    char t[24];
    allm__buf_put(b, t, (size_t)snprintf(t, sizeof t, "%lld", (long long)v));
}

/* ---- map from byte strings to int32; keys are views whose bytes must live as long as the map */

typedef struct allm__slot {
    allm_str key;
    uint32_t hash;
    int32_t  value;
} allm__slot;

typedef struct allm__map { /* zero it and set host */
    const allm__host *host;
    allm__slot       *slots; /* [n_slots], a power of two; key.ptr NULL: empty */
    size_t            n_slots, n_used;
} allm__map;

static uint32_t allm__hash(const char *p, size_t n) { /* multiply and fold, 8 bytes at a time */
    uint64_t h = 0x9E3779B97F4A7C15u ^ n;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        h = (h ^ w) * 0xBF58476D1CE4E5B9u;
        h ^= h >> 32;
    }
    uint64_t w = 0;
    if (n) memcpy(&w, p, n);
    h = (h ^ w) * 0x94D049BB133111EBu;
    h ^= h >> 29;
    h *= 0xBF58476D1CE4E5B9u;
    return (uint32_t)(h >> 32);
}

static allm__slot *allm__map_slot(const allm__map *m, allm_str key, uint32_t hash) {
    size_t i = hash & (m->n_slots - 1);
    while (m->slots[i].key.ptr && (m->slots[i].hash != hash || !allm__str_eq(m->slots[i].key, key)))
        i = (i + 1) & (m->n_slots - 1);
    return &m->slots[i];
}

/* The value of a key, or -1. */
static int32_t allm__map_get(const allm__map *m, allm_str key) {
    if (!m->n_slots) return -1;
    const allm__slot *s = allm__map_slot(m, key, allm__hash(key.ptr, key.len));
    return s->key.ptr ? s->value : -1;
}

/* Makes room for n keys. 0: no memory, the map is as before. */
static int allm__map_reserve(allm__map *m, size_t n) {
    size_t n_slots = 16, n_bytes;
    while (n_slots / 4 * 3 < n)
        if (!allm__mul(n_slots, 2, &n_slots)) return 0;
    if (n_slots <= m->n_slots) return 1;
    if (!allm__mul(n_slots, sizeof(allm__slot), &n_bytes)) return 0;
    allm__map grown = {m->host, (allm__slot *)allm__alloc_zero(m->host, n_bytes, 64), n_slots, m->n_used};
    if (!grown.slots) return 0;
    for (size_t i = 0; i < m->n_slots; i++)
        if (m->slots[i].key.ptr) *allm__map_slot(&grown, m->slots[i].key, m->slots[i].hash) = m->slots[i];
    allm__free(m->host, m->slots, m->n_slots * sizeof(allm__slot));
    *m = grown;
    return 1;
}

/* Sets a key; *old (may be NULL) = its former value or -1. 0: no memory. */
static int allm__map_put(allm__map *m, allm_str key, int32_t value, int32_t *old) {
    if (!allm__map_reserve(m, m->n_used + 1)) return 0;
    if (!key.ptr) key.ptr = "";
    uint32_t    hash = allm__hash(key.ptr, key.len);
    allm__slot *s    = allm__map_slot(m, key, hash);
    if (old) *old = s->key.ptr ? s->value : -1;
    if (!s->key.ptr) s->key = key, s->hash = hash, m->n_used++;
    s->value = value;
    return 1;
}

static void allm__map_free(allm__map *m) {
    allm__free(m->host, m->slots, m->n_slots * sizeof(allm__slot));
    m->slots = NULL, m->n_slots = m->n_used = 0;
}

// MARK: >>io  Files and the cursor
/* Owns: how bytes come in. An allm__file is the whole of a source as memory: mapped where the system can, else read;
 * bytes in memory are used in place. A cursor walks bytes with one sticky error, so that readers need no check at
 * every step. All numbers in files are little-endian and assembled bytewise. */

typedef struct allm__file {
    const uint8_t *data;
    size_t         n_bytes;
    const char    *name; /* for messages; owned */
    size_t         n_name;
    void          *owned; /* from the allocator, or NULL */
    int            mapped;
} allm__file;

static void allm__file_close(const allm__host *h, allm__file *f) {
#if defined(ALLM__POSIX) && !defined(ABSTRACTLLM_NO_MMAP)
    if (f->mapped) munmap((void *)(uintptr_t)f->data, f->n_bytes);
#elif defined(ALLM__WINDOWS) && !defined(ABSTRACTLLM_NO_MMAP)
    if (f->mapped) UnmapViewOfFile((void *)(uintptr_t)f->data);
#endif
    allm__free(h, f->owned, f->n_bytes);
    allm__free(h, (void *)(uintptr_t)f->name, f->n_name);
    memset(f, 0, sizeof *f);
}

/* Reads all of a source through a callback into our own memory. */
static allm_status allm__file_read_all(const allm__host *h, allm__file *f, uint64_t size,
                                       int64_t (*read)(void *, uint64_t, void *, size_t), void *ctx, allm_error *err) {
    if (size > SIZE_MAX / 2) return allm__fail(err, ALLM_E_MEMORY, f->name, -1, "too large for this machine");
    f->n_bytes = (size_t)size;
    f->owned   = allm__alloc(h, f->n_bytes, 64);
    f->data    = (const uint8_t *)f->owned;
    if (!f->owned) return allm__fail_memory(err, f->n_bytes);
    for (size_t done = 0; done < f->n_bytes;) {
        size_t  want = ALLM__MIN(f->n_bytes - done, (size_t)1 << 26);
        int64_t got  = read(ctx, done, (char *)f->owned + done, want);
        if (got < 0) return allm__fail(err, ALLM_E_IO, f->name, (int64_t)done, "read failed");
        if (got == 0)
            return allm__fail(err, ALLM_E_IO, f->name, (int64_t)done, "ends early, %llu bytes expected",
                              (unsigned long long)size);
        if ((uint64_t)got > want)
            return allm__fail(err, ALLM_E_IO, f->name, (int64_t)done, "the reader gave more than the %llu bytes wanted",
                              (unsigned long long)want);
        done += (size_t)got;
    }
    return ALLM_OK;
}

#ifndef ABSTRACTLLM_NO_STDIO
#if defined(ALLM__POSIX)
static int64_t allm__file_read_fd(void *ctx, uint64_t offset, void *dst, size_t n) {
    ssize_t got;
    (void)offset; /* read in order */
    do got = read(*(int *)ctx, dst, n);
    while (got < 0 && errno == EINTR);
    return (int64_t)got;
}

static allm_status allm__file_open_path(const allm__host *h, allm__file *f, const char *path, allm_error *err) {
    int fd, failed, flags = O_RDONLY | O_NONBLOCK | O_NOCTTY; /* a FIFO must not keep us waiting for a writer */
#ifdef O_CLOEXEC
    flags |= O_CLOEXEC;
#endif
    do fd = open(path, flags);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        failed = errno;
        return allm__fail(err, failed == ENOENT || failed == ENOTDIR ? ALLM_E_NOT_FOUND : ALLM_E_IO, path, -1,
                          "cannot open: %s", strerror(failed));
    }
    struct stat st;
    allm_status status = ALLM_OK;
    if (fstat(fd, &st) != 0) status = allm__fail(err, ALLM_E_IO, path, -1, "cannot stat: %s", strerror(errno));
    else if (S_ISDIR(st.st_mode)) status = allm__fail(err, ALLM_E_FORMAT, path, -1, "is a directory, expected a file");
    else if (!S_ISREG(st.st_mode)) status = allm__fail(err, ALLM_E_FORMAT, path, -1, "is not a regular file");
    else if ((uint64_t)st.st_size > SIZE_MAX / 2)
        status = allm__fail(err, ALLM_E_MEMORY, path, -1, "too large for this machine");
    else {
#ifndef ABSTRACTLLM_NO_MMAP
        void *p = st.st_size ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
        if (p != MAP_FAILED) f->data = (const uint8_t *)p, f->n_bytes = (size_t)st.st_size, f->mapped = 1;
        else
#endif
            status = allm__file_read_all(h, f, (uint64_t)st.st_size, allm__file_read_fd, &fd, err);
    }
    close(fd);
    return status;
}
#elif defined(ALLM__WINDOWS)
static int64_t allm__file_read_handle(void *ctx, uint64_t offset, void *dst, size_t n) {
    DWORD got = 0;
    (void)offset;
    return ReadFile(*(HANDLE *)ctx, dst, (DWORD)n, &got, NULL) ? (int64_t)got : -1;
}

static allm_status allm__file_open_path(const allm__host *h, allm__file *f, const char *path, allm_error *err) {
    wchar_t wide[1024];
    if (!MultiByteToWideChar(CP_UTF8, 0, path, -1, wide, 1024))
        return allm__fail(err, ALLM_E_ARGUMENT, path, -1, "is not a valid path");
    HANDLE file = CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    LARGE_INTEGER size;
    allm_status   status = ALLM_OK;
    if (file == INVALID_HANDLE_VALUE) {
        DWORD e = GetLastError();
        return allm__fail(err, e == ERROR_FILE_NOT_FOUND || e == ERROR_PATH_NOT_FOUND ? ALLM_E_NOT_FOUND : ALLM_E_IO,
                          path, -1, "cannot open: Windows error %lu", (unsigned long)e);
    }
    if (!GetFileSizeEx(file, &size)) status = allm__fail(err, ALLM_E_IO, path, -1, "cannot tell its size");
    else {
#ifndef ABSTRACTLLM_NO_MMAP
        HANDLE map = size.QuadPart ? CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL) : NULL;
        void  *p   = map ? MapViewOfFile(map, FILE_MAP_READ, 0, 0, 0) : NULL;
        if (map) CloseHandle(map);
        if (p) f->data = (const uint8_t *)p, f->n_bytes = (size_t)size.QuadPart, f->mapped = 1;
        else
#endif
            status = allm__file_read_all(h, f, (uint64_t)size.QuadPart, allm__file_read_handle, &file, err);
    }
    CloseHandle(file);
    return status;
}
#endif
#endif

/* Opens a source; close with allm__file_close, also after an error. */
static allm_status allm__file_open(const allm__host *h, const allm_source *src, allm__file *f, allm_error *err) {
    memset(f, 0, sizeof *f);
    int         n_given = (src->path != NULL) + (src->data != NULL) + (src->read != NULL);
    const char *name    = src->path ? src->path : src->data ? "memory" : "reader";
    if (n_given != 1) return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "a source needs exactly one of path, data, read");
    f->n_name = strlen(name) + 1;
    f->name   = (const char *)allm__alloc(h, f->n_name, 1);
    if (!f->name) return allm__fail_memory(err, f->n_name);
    memcpy((void *)(uintptr_t)f->name, name, f->n_name);
    if (src->data) return f->data = (const uint8_t *)src->data, f->n_bytes = src->n_bytes, ALLM_OK;
    if (src->read) return allm__file_read_all(h, f, src->size, src->read, src->ctx, err);
#if !defined(ABSTRACTLLM_NO_STDIO) && (defined(ALLM__POSIX) || defined(ALLM__WINDOWS))
    return allm__file_open_path(h, f, src->path, err);
#else
    return allm__fail(err, ALLM_E_UNSUPPORTED, src->path, -1, "file access is not in this build");
#endif
}

/* ---- cursor */

typedef struct allm__cur {
    const uint8_t *p;
    size_t         n, pos;
    const char    *source;
    allm_error    *err;
    allm_status    status; /* sticky: after a failure every read gives zeros */
} allm__cur;

/* The next n bytes, or NULL when they are not there. `what` is for the message. */
static const uint8_t *allm__cur_take(allm__cur *c, uint64_t n, const char *what) {
    if (c->status) return NULL;
    if (n > c->n - c->pos) {
        c->status = allm__fail(c->err, ALLM_E_FORMAT, c->source, (int64_t)c->pos, "%s: %llu bytes expected, %llu left",
                               what, (unsigned long long)n, (unsigned long long)(c->n - c->pos));
        return NULL;
    }
    c->pos += (size_t)n;
    return c->p + c->pos - n;
}

static uint64_t allm__load_le(const uint8_t *p, int n) {
    uint64_t v = 0;
    for (int i = 0; i < n; i++) v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static uint64_t allm__cur_uint(allm__cur *c, int n_bytes, const char *what) {
    const uint8_t *p = allm__cur_take(c, (uint64_t)n_bytes, what);
    return p ? allm__load_le(p, n_bytes) : 0;
}

static uint32_t allm__cur_u32(allm__cur *c, const char *what) { return (uint32_t)allm__cur_uint(c, 4, what); }
static uint64_t allm__cur_u64(allm__cur *c, const char *what) { return allm__cur_uint(c, 8, what); }

// MARK: >>thr  Threads
/* Owns: mutexes, and the pool that runs a stage of work in parts. A stage is a function called once for each part;
 * parts never wait for each other, and how work is split into parts never changes its result. One region (a forward
 * pass) at a time owns the pool; a caller that finds it busy runs its parts alone. Workers spin for a moment between
 * stages of a region and sleep when idle. The host may bring its own parallel_for instead. */

#ifdef ABSTRACTLLM_NO_THREADS
typedef int allm__mutex;
static void allm__mutex_init(allm__mutex *m) { *m = 0; }
static void allm__mutex_free(allm__mutex *m) { (void)m; }
static void allm__lock(allm__mutex *m) { (void)m; }
static void allm__unlock(allm__mutex *m) { (void)m; }
#elif defined(ALLM__WINDOWS)
typedef SRWLOCK allm__mutex;
typedef HANDLE  allm__thread;
typedef CONDITION_VARIABLE allm__cond;
static void allm__mutex_init(allm__mutex *m) { InitializeSRWLock(m); }
static void allm__mutex_free(allm__mutex *m) { (void)m; }
static void allm__lock(allm__mutex *m) { AcquireSRWLockExclusive(m); }
static void allm__unlock(allm__mutex *m) { ReleaseSRWLockExclusive(m); }
static void allm__cond_init(allm__cond *c) { InitializeConditionVariable(c); }
static void allm__cond_free(allm__cond *c) { (void)c; }
static void allm__cond_wait(allm__cond *c, allm__mutex *m) { SleepConditionVariableSRW(c, m, INFINITE, 0); }
static void allm__cond_all(allm__cond *c) { WakeAllConditionVariable(c); }
static void allm__thread_yield(void) { SwitchToThread(); }
#else
typedef pthread_mutex_t allm__mutex;
typedef pthread_t       allm__thread;
typedef pthread_cond_t  allm__cond;
static void allm__mutex_init(allm__mutex *m) { pthread_mutex_init(m, NULL); }
static void allm__mutex_free(allm__mutex *m) { pthread_mutex_destroy(m); }
static void allm__lock(allm__mutex *m) { pthread_mutex_lock(m); }
static void allm__unlock(allm__mutex *m) { pthread_mutex_unlock(m); }
static void allm__cond_init(allm__cond *c) { pthread_cond_init(c, NULL); }
static void allm__cond_free(allm__cond *c) { pthread_cond_destroy(c); }
static void allm__cond_wait(allm__cond *c, allm__mutex *m) { pthread_cond_wait(c, m); }
static void allm__cond_all(allm__cond *c) { pthread_cond_broadcast(c); }
static void allm__thread_yield(void) { sched_yield(); }
#endif

typedef struct allm__pool {
    void (*parallel_for)(void *, int32_t, allm_task, void *); /* the host's, or NULL */
    void   *parallel_ctx;
    int32_t n_threads; /* parts of a stage; the caller is one of them */
    int32_t busy;      /* 1: a region owns the pool */
#ifndef ABSTRACTLLM_NO_THREADS
    int32_t      n_workers; /* started */
    int32_t      epoch;     /* counts stages; a change starts one */
    int32_t      n_left;    /* workers that have not finished the stage */
    int32_t      n_asleep, stop;
    allm_task    task;
    void        *arg;
    int32_t      n_parts;
    allm__mutex  mutex;
    allm__cond   wake;
    allm__thread workers[ABSTRACTLLM_MAX_THREADS];
    int32_t      index[ABSTRACTLLM_MAX_THREADS]; /* part of each worker, handed over at start */
    int32_t      n_started;
#endif
} allm__pool;

typedef struct allm__team { /* the right to run stages; from allm__team_begin */
    allm__pool *pool; /* NULL: alone */
    int32_t     n_parts;
} allm__team;

#ifndef ABSTRACTLLM_NO_THREADS
enum { ALLM__SPIN_PAUSE = 4000, ALLM__SPIN_YIELD = 200 }; /* about 0.1 ms of waiting before a worker sleeps */

/* Waits until *word differs from `seen`; 0 when it took too long. */
static int allm__pool_spin(const int32_t *word, int32_t seen) {
    for (int i = 0; i < ALLM__SPIN_PAUSE; i++) {
        if (ALLM__LOAD(word) != seen) return 1;
        ALLM__PAUSE();
    }
    for (int i = 0; i < ALLM__SPIN_YIELD; i++) {
        if (ALLM__LOAD(word) != seen) return 1;
        allm__thread_yield();
    }
    return 0;
}

static void allm__pool_work(allm__pool *p, int32_t i_part, int32_t seen) {
    for (;;) {
        if (!allm__pool_spin(&p->epoch, seen)) {
            allm__lock(&p->mutex);
            ALLM__ADD(&p->n_asleep, 1); /* before the last look at epoch: the caller looks the other way round */
            while (ALLM__LOAD(&p->epoch) == seen) allm__cond_wait(&p->wake, &p->mutex);
            ALLM__ADD(&p->n_asleep, -1);
            allm__unlock(&p->mutex);
        }
        seen = ALLM__LOAD(&p->epoch);
        if (ALLM__LOAD(&p->stop)) return;
        if (i_part < p->n_parts) p->task(p->arg, i_part, p->n_parts);
        ALLM__ADD(&p->n_left, -1);
    }
}

#if defined(ALLM__WINDOWS)
static DWORD WINAPI allm__pool_main(LPVOID arg)
#else
static void *allm__pool_main(void *arg)
#endif
{
    allm__pool *p      = (allm__pool *)arg;
    int32_t     i_part = ALLM__ADD(&p->n_started, 1);
    allm__pool_work(p, i_part, 0);
    return 0;
}

static int allm__thread_start(allm__thread *t, allm__pool *p) {
#if defined(ALLM__WINDOWS)
    *t = CreateThread(NULL, 0, allm__pool_main, p, 0, NULL);
    return *t != NULL;
#else
    return pthread_create(t, NULL, allm__pool_main, p) == 0;
#endif
}

static void allm__thread_join(allm__thread t) {
#if defined(ALLM__WINDOWS)
    WaitForSingleObject(t, INFINITE);
    CloseHandle(t);
#else
    pthread_join(t, NULL);
#endif
}

static void allm__pool_publish(allm__pool *p) {
    ALLM__ADD(&p->epoch, 1);
    if (ALLM__LOAD(&p->n_asleep) == 0) return;
    allm__lock(&p->mutex);
    allm__cond_all(&p->wake);
    allm__unlock(&p->mutex);
}

/* Starts the workers at the first region; with fewer than wanted the pool is smaller. */
static void allm__pool_start(allm__pool *p) {
    while (p->n_workers < p->n_threads - 1)
        if (allm__thread_start(&p->workers[p->n_workers], p)) p->n_workers++;
        else p->n_threads = p->n_workers + 1;
}
#endif

static int32_t allm__pool_default_threads(void) {
#if defined(ABSTRACTLLM_NO_THREADS)
    return 1;
#elif defined(ALLM__WINDOWS)
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return (int32_t)info.dwNumberOfProcessors;
#elif defined(_SC_NPROCESSORS_ONLN)
    long n = sysconf(_SC_NPROCESSORS_ONLN), n_cores = 0;
    for (long i = 0; i < n && i < 1024; i++) { /* with two threads a core, count each core's first */
        char  path[96];
        FILE *f;
        int   first = -1;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%ld/topology/thread_siblings_list", i);
        if (!(f = fopen(path, "r"))) return (int32_t)ALLM__MAX(n, 1);
        for (int c; (c = fgetc(f)) >= '0' && c <= '9';) first = (first < 0 ? 0 : first % 100000 * 10) + (c - '0');
        fclose(f);
        n_cores += first == i;
    }
    return (int32_t)ALLM__MAX(n_cores, 1);
#else
    return 1;
#endif
}

static void allm__pool_init(allm__pool *p, int32_t n_threads) {
    memset(p, 0, sizeof *p);
    if (n_threads <= 0) n_threads = allm__pool_default_threads();
    p->n_threads = ALLM__MAX(1, ALLM__MIN(n_threads, ABSTRACTLLM_MAX_THREADS));
#ifndef ABSTRACTLLM_NO_THREADS
    allm__mutex_init(&p->mutex);
    allm__cond_init(&p->wake);
#else
    p->n_threads = 1;
#endif
}

static void allm__pool_free(allm__pool *p) {
#ifndef ABSTRACTLLM_NO_THREADS
    ALLM__STORE(&p->stop, 1);
    allm__pool_publish(p);
    for (int32_t i = 0; i < p->n_workers; i++) allm__thread_join(p->workers[i]);
    allm__cond_free(&p->wake);
    allm__mutex_free(&p->mutex);
#endif
    (void)p;
}

/* Takes the pool for a region, if it is free. */
static allm__team allm__team_begin(allm__pool *p) {
    allm__team alone = {NULL, 1}, team = {p, 1};
    if (p->n_threads == 1 || ALLM__SWAP(&p->busy, 1)) return alone;
#ifndef ABSTRACTLLM_NO_THREADS
    if (!p->parallel_for) allm__pool_start(p);
#endif
    team.n_parts = p->n_threads;
    return team;
}

static void allm__team_end(allm__team *t) {
    if (t->pool) ALLM__STORE(&t->pool->busy, 0);
    t->pool = NULL, t->n_parts = 1;
}

/* Runs one stage: task(arg, i, n_parts) for every part; returns when all are done. */
static void allm__team_run(const allm__team *t, allm_task task, void *arg) {
    allm__pool *p = t->pool;
    if (!p || t->n_parts == 1) task(arg, 0, 1);
    else if (p->parallel_for) p->parallel_for(p->parallel_ctx, t->n_parts, task, arg);
#ifndef ABSTRACTLLM_NO_THREADS
    else {
        p->task = task, p->arg = arg, p->n_parts = t->n_parts;
        ALLM__STORE(&p->n_left, p->n_workers);
        allm__pool_publish(p);
        task(arg, 0, t->n_parts);
        for (int i = 0; ALLM__LOAD(&p->n_left) > 0; i++)
            if (i < ALLM__SPIN_PAUSE) ALLM__PAUSE();
            else allm__thread_yield();
    }
#endif
}

/* The share of part i of n things cut into n_parts runs of whole `step`s: [*from, *to). */
static void allm__part(int64_t n, int64_t step, int32_t i_part, int32_t n_parts, int64_t *from, int64_t *to) {
    int64_t n_steps = (n + step - 1) / step;
    *from           = ALLM__MIN(n, n_steps * i_part / n_parts * step);
    *to             = ALLM__MIN(n, n_steps * (i_part + 1) / n_parts * step);
}

// MARK: >>num  Number formats and random numbers
/* Owns: conversions of f16 (IEEE 754 binary16), bf16, fp8 (OCP OFP8), e8m0 (OCP MX) and the random sequence. All
 * round to nearest, half to even, and keep NaN. */

static uint32_t allm__bits(float f) {
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}

static float allm__float(uint32_t u) {
    float f;
    memcpy(&f, &u, 4);
    return f;
}

static float allm__f16_to_f32(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 1023;
    if (e == 31) return allm__float(sign | 0x7f800000 | m << 13);
    if (e == 0) return allm__float(sign | allm__bits((float)m * 0x1p-24f));
    return allm__float(sign | (e + 112) << 23 | m << 13);
}

static uint16_t allm__f32_to_f16(float f) {
    uint32_t u = allm__bits(f), sign = u >> 16 & 0x8000, a = u & 0x7fffffff;
    if (a > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (a >> 13 & 0x1ff));
    if (a >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* rounds to infinity */
    if (a < 0x38800000) {                                  /* subnormal: the addition rounds */
        float t = allm__float(a) + 0.5f;
        return (uint16_t)(sign | (allm__bits(t) - 0x3f000000));
    }
    return (uint16_t)(sign | (((a + 0xfff + (a >> 13 & 1)) >> 13) - (112 << 10)));
}

static float allm__bf16_to_f32(uint16_t h) { return allm__float((uint32_t)h << 16); }

static uint16_t allm__f32_to_bf16(float f) {
    uint32_t u = allm__bits(f);
    if ((u & 0x7fffffff) > 0x7f800000) return (uint16_t)(u >> 16 | 64);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static uint16_t allm__load_u16(const void *p) { return (uint16_t)allm__load_le((const uint8_t *)p, 2); }
static float    allm__load_f32(const void *p) { return allm__float((uint32_t)allm__load_le((const uint8_t *)p, 4)); }

/* Random numbers are a function of (seed, step, stream), so that rollback, speculation and saved states cannot shift
 * the sequence. Finaliser of SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t allm__mix64(uint64_t x) {
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static double allm__random(uint64_t seed, uint64_t step, uint64_t stream) { /* in [0, 1), 53 bits */
    return (double)(allm__mix64(allm__mix64(seed ^ allm__mix64(stream)) + step) >> 11) * 0x1p-53;
}

// MARK: >>data  Packed tables
/* Owns: Unicode properties and mappings, later the IQ codebooks: written by tools/gen_tables.py from tables committed under tools/ and checked by a test. */

// MARK: >>quant  Weight formats
/* Owns: block structs with their bit diagrams, scalar dequantise (the oracle of every kernel) and quantise, the format
 * list. Gives: allm__fmt_find, allm__tensor. A new format is a struct, a function and a row. Spec: the tensor types of
 * GGUF; blocks are little-endian, unaligned bytes. Scale times subscale comes first, then the code, then the minimum,
 * each rounded to float32: no fused operations here, so that every build agrees to the last bit. */

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")
#endif

/* w: index of a weight in its block. h: f16. lo, hi: nibbles. d, m, dmin: scales and minima. */
typedef struct allm__q4_0 { /* | h d | 16 x (hi: w + 16, lo: w) |            d * (q - 8) */
    uint8_t d[2], qs[16];
} allm__q4_0;
typedef struct allm__q4_1 { /* | h d | h m | 16 x (hi: w + 16, lo: w) |      d * q + m */
    uint8_t d[2], m[2], qs[16];
} allm__q4_1;
typedef struct allm__q5_0 { /* | h d | u32: bit w = bit 4 of q | as q4_0 |   d * (q - 16) */
    uint8_t d[2], qh[4], qs[16];
} allm__q5_0;
typedef struct allm__q5_1 { /* | h d | h m | u32 as q5_0 | as q4_0 |         d * q + m */
    uint8_t d[2], m[2], qh[4], qs[16];
} allm__q5_1;
typedef struct allm__q8_0 { /* | h d | 32 x i8 |                             d * q */
    uint8_t d[2];
    int8_t  qs[32];
} allm__q8_0;

/* Superblocks of 256 weights. n = w / 128, r = w % 128. */
typedef struct allm__q2_k { /* scales[w/16] = (hi: m, lo: sc); qs[32n + r%32] holds 2 bits at 2 * (r/32): d*sc * q - dmin*m */
    uint8_t scales[16], qs[64], d[2], dmin[2];
} allm__q2_k;
typedef struct allm__q3_k { /* 2 bits as q2_k; bit w/32 of hmask[w%32] clear: minus 4; 6-bit scales, see allm__q3_k_scale: d*(s-32) * q */
    uint8_t hmask[32], qs[64], scales[12], d[2];
} allm__q3_k;
typedef struct allm__q4_k { /* qs[32 * (w/64) + w%32] = (hi: w + 32, lo: w); 8 pairs of 6-bit sc and m: d*sc * q - dmin*m */
    uint8_t d[2], dmin[2], scales[12], qs[128];
} allm__q4_k;
typedef struct allm__q5_k { /* as q4_k; bit w/32 of qh[w%32] is bit 4 of q */
    uint8_t d[2], dmin[2], scales[12], qh[32], qs[128];
} allm__q5_k;
typedef struct allm__q6_k { /* ql[64n + r%64] = (hi: r + 64, lo: r); qh[32n + r%32] holds bits 4, 5 at 2 * (r/32): d*sc * (q - 32) */
    uint8_t ql[128], qh[64];
    int8_t  scales[16]; /* of 16 weights */
    uint8_t d[2];
} allm__q6_k;

ALLM__STATIC(q4_0, sizeof(allm__q4_0) == 18);
ALLM__STATIC(q4_1, sizeof(allm__q4_1) == 20);
ALLM__STATIC(q5_0, sizeof(allm__q5_0) == 22);
ALLM__STATIC(q5_1, sizeof(allm__q5_1) == 24);
ALLM__STATIC(q8_0, sizeof(allm__q8_0) == 34);
ALLM__STATIC(q2_k, sizeof(allm__q2_k) == 84);
ALLM__STATIC(q3_k, sizeof(allm__q3_k) == 110);
ALLM__STATIC(q4_k, sizeof(allm__q4_k) == 144);
ALLM__STATIC(q5_k, sizeof(allm__q5_k) == 176);
ALLM__STATIC(q6_k, sizeof(allm__q6_k) == 210);

/* ---- dequantise: n is a multiple of the block's weights */

static float allm__h(const uint8_t *p) { return allm__f16_to_f32((uint16_t)(p[0] | p[1] << 8)); }

static void allm__put_h(uint8_t *p, float x) {
    uint16_t h = allm__f32_to_f16(x);
    p[0] = (uint8_t)h, p[1] = (uint8_t)(h >> 8);
}

static void allm__dequant_f32(const void *src, float *dst, int64_t n) {
    for (int64_t i = 0; i < n; i++) dst[i] = allm__load_f32((const uint8_t *)src + 4 * i);
}

static void allm__dequant_f16(const void *src, float *dst, int64_t n) {
    for (int64_t i = 0; i < n; i++) dst[i] = allm__h((const uint8_t *)src + 2 * i);
}

static void allm__dequant_bf16(const void *src, float *dst, int64_t n) {
    for (int64_t i = 0; i < n; i++) dst[i] = allm__bf16_to_f32(allm__load_u16((const uint8_t *)src + 2 * i));
}

static void allm__dequant_q4_0(const void *src, float *dst, int64_t n) {
    const allm__q4_0 *b = (const allm__q4_0 *)src;
    for (float *end = dst + n; dst < end; dst += 32, b++) {
        const float d = allm__h(b->d);
        for (int i = 0; i < 16; i++) {
            dst[i]      = d * (float)((b->qs[i] & 15) - 8);
            dst[i + 16] = d * (float)((b->qs[i] >> 4) - 8);
        }
    }
}

static void allm__dequant_q4_1(const void *src, float *dst, int64_t n) {
    const allm__q4_1 *b = (const allm__q4_1 *)src;
    for (float *end = dst + n; dst < end; dst += 32, b++) {
        const float d = allm__h(b->d), m = allm__h(b->m);
        for (int i = 0; i < 16; i++) {
            dst[i]      = d * (float)(b->qs[i] & 15) + m;
            dst[i + 16] = d * (float)(b->qs[i] >> 4) + m;
        }
    }
}

/* The five-bit code of weight w, from the nibbles and the plane of high bits. */
static int allm__code5(const uint8_t *qs, const uint8_t *qh, int w) {
    return (qs[w & 15] >> (w & 16) / 4 & 15) | (qh[w / 8] >> w % 8 & 1) << 4;
}

static void allm__dequant_q5_0(const void *src, float *dst, int64_t n) {
    const allm__q5_0 *b = (const allm__q5_0 *)src;
    for (float *end = dst + n; dst < end; dst += 32, b++) {
        const float d = allm__h(b->d);
        for (int w = 0; w < 32; w++) dst[w] = d * (float)(allm__code5(b->qs, b->qh, w) - 16);
    }
}

static void allm__dequant_q5_1(const void *src, float *dst, int64_t n) {
    const allm__q5_1 *b = (const allm__q5_1 *)src;
    for (float *end = dst + n; dst < end; dst += 32, b++) {
        const float d = allm__h(b->d), m = allm__h(b->m);
        for (int w = 0; w < 32; w++) dst[w] = d * (float)allm__code5(b->qs, b->qh, w) + m;
    }
}

static void allm__dequant_q8_0(const void *src, float *dst, int64_t n) {
    const allm__q8_0 *b = (const allm__q8_0 *)src;
    for (float *end = dst + n; dst < end; dst += 32, b++) {
        const float d = allm__h(b->d);
        for (int w = 0; w < 32; w++) dst[w] = d * (float)b->qs[w];
    }
}

static void allm__dequant_q2_k(const void *src, float *dst, int64_t n) {
    const allm__q2_k *b = (const allm__q2_k *)src;
    for (float *end = dst + n; dst < end; dst += 256, b++) {
        const float d = allm__h(b->d), dmin = allm__h(b->dmin);
        for (int w = 0; w < 256; w++) {
            const float dl = d * (float)(b->scales[w / 16] & 15), ml = dmin * (float)(b->scales[w / 16] >> 4);
            dst[w] = dl * (float)(b->qs[w / 128 * 32 + w % 32] >> w % 128 / 32 * 2 & 3) - ml;
        }
    }
}

/* Six bits, biased by 32: four in scales[j % 8], two in scales[8 + j % 4]. */
static int allm__q3_k_scale(const uint8_t *scales, int j) {
    return ((scales[j % 8] >> j / 8 * 4 & 15) | (scales[8 + j % 4] >> j / 4 * 2 & 3) << 4) - 32;
}

static void allm__dequant_q3_k(const void *src, float *dst, int64_t n) {
    const allm__q3_k *b = (const allm__q3_k *)src;
    for (float *end = dst + n; dst < end; dst += 256, b++) {
        const float d = allm__h(b->d);
        for (int w = 0; w < 256; w++) {
            const float dl = d * (float)allm__q3_k_scale(b->scales, w / 16);
            const int   q  = (b->qs[w / 128 * 32 + w % 32] >> w % 128 / 32 * 2 & 3);
            dst[w]         = dl * (float)(q - (b->hmask[w % 32] >> w / 32 & 1 ? 0 : 4));
        }
    }
}

/* Scale and minimum j of 8, six bits each: the last four pairs keep their top bits in the bytes of the first four. */
static void allm__q4_k_scale(const uint8_t *s, int j, int *sc, int *m) {
    *sc = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
    *m  = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | s[j] >> 6 << 4;
}

static void allm__dequant_q4_k(const void *src, float *dst, int64_t n) {
    const allm__q4_k *b = (const allm__q4_k *)src;
    for (float *end = dst + n; dst < end; dst += 256, b++) {
        const float d = allm__h(b->d), dmin = allm__h(b->dmin);
        for (int j = 0; j < 8; j++) {
            int sc, m;
            allm__q4_k_scale(b->scales, j, &sc, &m);
            const float dl = d * (float)sc, ml = dmin * (float)m;
            for (int i = 0; i < 32; i++)
                dst[32 * j + i] = dl * (float)(b->qs[j / 2 * 32 + i] >> j % 2 * 4 & 15) - ml;
        }
    }
}

static void allm__dequant_q5_k(const void *src, float *dst, int64_t n) {
    const allm__q5_k *b = (const allm__q5_k *)src;
    for (float *end = dst + n; dst < end; dst += 256, b++) {
        const float d = allm__h(b->d), dmin = allm__h(b->dmin);
        for (int j = 0; j < 8; j++) {
            int sc, m;
            allm__q4_k_scale(b->scales, j, &sc, &m);
            const float dl = d * (float)sc, ml = dmin * (float)m;
            for (int i = 0; i < 32; i++) {
                const int q     = (b->qs[j / 2 * 32 + i] >> j % 2 * 4 & 15) | (b->qh[i] >> j & 1) << 4;
                dst[32 * j + i] = dl * (float)q - ml;
            }
        }
    }
}

static void allm__dequant_q6_k(const void *src, float *dst, int64_t n) {
    const allm__q6_k *b = (const allm__q6_k *)src;
    for (float *end = dst + n; dst < end; dst += 256, b++) {
        const float d = allm__h(b->d);
        for (int w = 0; w < 256; w++) {
            const int r = w % 128;
            const int q = (b->ql[w / 128 * 64 + r % 64] >> r / 64 * 4 & 15) |
                          (b->qh[w / 128 * 32 + r % 32] >> r / 32 * 2 & 3) << 4;
            dst[w] = d * (float)b->scales[w / 16] * (float)(q - 32);
        }
    }
}

/* ---- quantise: the file's f16 scale is rounded after the codes were chosen with the float32 one */

static void allm__quant_f32(const float *src, void *dst, int64_t n) {
    uint8_t *p = (uint8_t *)dst;
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < 4; k++) *p++ = (uint8_t)(allm__bits(src[i]) >> 8 * k);
}

static void allm__quant_f16(const float *src, void *dst, int64_t n) {
    for (int64_t i = 0; i < n; i++) allm__put_h((uint8_t *)dst + 2 * i, src[i]);
}

static void allm__quant_bf16(const float *src, void *dst, int64_t n) {
    uint8_t *p = (uint8_t *)dst;
    for (int64_t i = 0; i < n; i++, p += 2) {
        const uint16_t h = allm__f32_to_bf16(src[i]);
        p[0] = (uint8_t)h, p[1] = (uint8_t)(h >> 8);
    }
}

/* v without its fraction, within [0, top]; NaN gives 0. */
static int allm__code(float v, int top) { return !(v > 0) ? 0 : v >= (float)top ? top : (int)v; }

/* The scale of a symmetric block: its value of largest size over -bias, so that this value gets a code of its own. */
static float allm__quant_scale(const float *x, float bias) {
    float top = 0;
    for (int w = 0; w < 32; w++)
        if (fabsf(x[w]) > fabsf(top)) top = x[w];
    return top / -bias;
}

static void allm__quant_q4_0(const float *src, void *dst, int64_t n) {
    allm__q4_0 *b = (allm__q4_0 *)dst;
    for (const float *end = src + n; src < end; src += 32, b++) {
        const float d = allm__quant_scale(src, 8), id = d != 0 ? 1 / d : 0;
        allm__put_h(b->d, d);
        for (int i = 0; i < 16; i++)
            b->qs[i] = (uint8_t)(allm__code(src[i] * id + 8.5f, 15) | allm__code(src[i + 16] * id + 8.5f, 15) << 4);
    }
}

static void allm__range(const float *x, float *lo, float *hi) {
    *lo = *hi = x[0];
    for (int w = 1; w < 32; w++) *lo = ALLM__MIN(*lo, x[w]), *hi = ALLM__MAX(*hi, x[w]);
}

static void allm__quant_q4_1(const float *src, void *dst, int64_t n) {
    allm__q4_1 *b = (allm__q4_1 *)dst;
    for (const float *end = src + n; src < end; src += 32, b++) {
        float lo, hi;
        allm__range(src, &lo, &hi);
        const float d = (hi - lo) / 15, id = d != 0 ? 1 / d : 0;
        allm__put_h(b->d, d), allm__put_h(b->m, lo);
        for (int i = 0; i < 16; i++)
            b->qs[i] = (uint8_t)(allm__code((src[i] - lo) * id + 0.5f, 15) |
                                 allm__code((src[i + 16] - lo) * id + 0.5f, 15) << 4);
    }
}

static void allm__put_code5(uint8_t *qs, uint8_t *qh, int w, int q) {
    if (w == 0) memset(qs, 0, 16), memset(qh, 0, 4);
    qs[w & 15] = (uint8_t)(qs[w & 15] | (q & 15) << (w & 16) / 4);
    qh[w / 8]  = (uint8_t)(qh[w / 8] | q >> 4 << w % 8);
}

static void allm__quant_q5_0(const float *src, void *dst, int64_t n) {
    allm__q5_0 *b = (allm__q5_0 *)dst;
    for (const float *end = src + n; src < end; src += 32, b++) {
        const float d = allm__quant_scale(src, 16), id = d != 0 ? 1 / d : 0;
        allm__put_h(b->d, d);
        for (int w = 0; w < 32; w++) allm__put_code5(b->qs, b->qh, w, allm__code(src[w] * id + 16.5f, 31));
    }
}

static void allm__quant_q5_1(const float *src, void *dst, int64_t n) {
    allm__q5_1 *b = (allm__q5_1 *)dst;
    for (const float *end = src + n; src < end; src += 32, b++) {
        float lo, hi;
        allm__range(src, &lo, &hi);
        const float d = (hi - lo) / 31, id = d != 0 ? 1 / d : 0;
        allm__put_h(b->d, d), allm__put_h(b->m, lo);
        for (int w = 0; w < 32; w++) allm__put_code5(b->qs, b->qh, w, allm__code((src[w] - lo) * id + 0.5f, 31));
    }
}

static void allm__quant_q8_0(const float *src, void *dst, int64_t n) {
    allm__q8_0 *b = (allm__q8_0 *)dst;
    for (const float *end = src + n; src < end; src += 32, b++) {
        const float d = fabsf(allm__quant_scale(src, 127)), id = d != 0 ? 1 / d : 0;
        allm__put_h(b->d, d);
        for (int w = 0; w < 32; w++) { /* half away from zero */
            const int q = allm__code(fabsf(src[w] * id) + 0.5f, 127);
            b->qs[w]    = (int8_t)(src[w] < 0 ? -q : q);
        }
    }
}

/* ---- the list */

typedef enum allm__fmt_id { /* type numbers of GGUF */
    ALLM__F32 = 0, ALLM__F16 = 1, ALLM__Q4_0 = 2, ALLM__Q4_1 = 3, ALLM__Q5_0 = 6, ALLM__Q5_1 = 7, ALLM__Q8_0 = 8,
    ALLM__Q8_1 = 9, ALLM__Q2_K = 10, ALLM__Q3_K = 11, ALLM__Q4_K = 12, ALLM__Q5_K = 13, ALLM__Q6_K = 14,
    ALLM__Q8_K = 15, ALLM__IQ2_XXS = 16, ALLM__IQ2_XS = 17, ALLM__IQ3_XXS = 18, ALLM__IQ1_S = 19, ALLM__IQ4_NL = 20,
    ALLM__IQ3_S = 21, ALLM__IQ2_S = 22, ALLM__IQ4_XS = 23, ALLM__I8 = 24, ALLM__I16 = 25, ALLM__I32 = 26,
    ALLM__I64 = 27, ALLM__F64 = 28, ALLM__IQ1_M = 29, ALLM__BF16 = 30, ALLM__TQ1_0 = 34, ALLM__TQ2_0 = 35,
    ALLM__MXFP4 = 39, ALLM__NVFP4 = 40, ALLM__Q1_0 = 41, ALLM__Q2_0 = 42, ALLM__FMT_COUNT
} allm__fmt_id;

typedef struct allm__fmt {
    const char *name;
    int32_t     id, n_weights, n_bytes;                           /* of a block */
    void (*dequant)(const void *src, float *dst, int64_t n);      /* NULL: known (gguf checks its sizes), not supported */
    void (*quant)(const float *src, void *dst, int64_t n);        /* NULL: not written */
} allm__fmt;

static const allm__fmt allm__fmts[] = {
    {"F32", ALLM__F32, 1, sizeof(float), allm__dequant_f32, allm__quant_f32},
    {"F16", ALLM__F16, 1, sizeof(uint16_t), allm__dequant_f16, allm__quant_f16},
    {"BF16", ALLM__BF16, 1, sizeof(uint16_t), allm__dequant_bf16, allm__quant_bf16},
    {"Q4_0", ALLM__Q4_0, 32, sizeof(allm__q4_0), allm__dequant_q4_0, allm__quant_q4_0},
    {"Q4_1", ALLM__Q4_1, 32, sizeof(allm__q4_1), allm__dequant_q4_1, allm__quant_q4_1},
    {"Q5_0", ALLM__Q5_0, 32, sizeof(allm__q5_0), allm__dequant_q5_0, allm__quant_q5_0},
    {"Q5_1", ALLM__Q5_1, 32, sizeof(allm__q5_1), allm__dequant_q5_1, allm__quant_q5_1},
    {"Q8_0", ALLM__Q8_0, 32, sizeof(allm__q8_0), allm__dequant_q8_0, allm__quant_q8_0},
    {"Q2_K", ALLM__Q2_K, 256, sizeof(allm__q2_k), allm__dequant_q2_k, NULL},
    {"Q3_K", ALLM__Q3_K, 256, sizeof(allm__q3_k), allm__dequant_q3_k, NULL},
    {"Q4_K", ALLM__Q4_K, 256, sizeof(allm__q4_k), allm__dequant_q4_k, NULL},
    {"Q5_K", ALLM__Q5_K, 256, sizeof(allm__q5_k), allm__dequant_q5_k, NULL},
    {"Q6_K", ALLM__Q6_K, 256, sizeof(allm__q6_k), allm__dequant_q6_k, NULL},
    /* known, so that containers holding them can be listed and checked */
    {"Q8_1", ALLM__Q8_1, 32, 36, NULL, NULL},        {"Q8_K", ALLM__Q8_K, 256, 292, NULL, NULL},
    {"IQ1_S", ALLM__IQ1_S, 256, 50, NULL, NULL},     {"IQ1_M", ALLM__IQ1_M, 256, 56, NULL, NULL},
    {"IQ2_XXS", ALLM__IQ2_XXS, 256, 66, NULL, NULL}, {"IQ2_XS", ALLM__IQ2_XS, 256, 74, NULL, NULL},
    {"IQ2_S", ALLM__IQ2_S, 256, 82, NULL, NULL},     {"IQ3_XXS", ALLM__IQ3_XXS, 256, 98, NULL, NULL},
    {"IQ3_S", ALLM__IQ3_S, 256, 110, NULL, NULL},    {"IQ4_NL", ALLM__IQ4_NL, 32, 18, NULL, NULL},
    {"IQ4_XS", ALLM__IQ4_XS, 256, 136, NULL, NULL},  {"TQ1_0", ALLM__TQ1_0, 256, 54, NULL, NULL},
    {"TQ2_0", ALLM__TQ2_0, 256, 66, NULL, NULL},     {"MXFP4", ALLM__MXFP4, 32, 17, NULL, NULL},
    {"NVFP4", ALLM__NVFP4, 64, 36, NULL, NULL},      {"Q1_0", ALLM__Q1_0, 128, 18, NULL, NULL},
    {"Q2_0", ALLM__Q2_0, 64, 18, NULL, NULL},        {"I8", ALLM__I8, 1, 1, NULL, NULL},
    {"I16", ALLM__I16, 1, 2, NULL, NULL},            {"I32", ALLM__I32, 1, 4, NULL, NULL},
    {"I64", ALLM__I64, 1, 8, NULL, NULL},            {"F64", ALLM__F64, 1, 8, NULL, NULL},
};

/* NULL: no such type, or one that was removed. A row without `dequant` is known but cannot be computed with. */
static const allm__fmt *allm__fmt_find(int32_t gguf_id) {
    for (size_t i = 0; i < ALLM__COUNT(allm__fmts); i++)
        if (allm__fmts[i].id == gguf_id) return &allm__fmts[i];
    return NULL;
}

typedef struct allm__tensor { /* one tensor of a file, whatever the container */
    allm_str         name;
    const allm__fmt *fmt;  /* NULL: unknown type */
    int32_t          type; /* as in the file */
    int32_t          n_dims;
    int64_t          dims[4]; /* dims[0] changes fastest; missing ones are 1 */
    const uint8_t   *data;
    size_t           n_bytes;
    const char      *file;   /* its name and ... */
    uint64_t         offset; /* ... where data starts there, for messages */
} allm__tensor;

#if defined(__clang__)
#pragma STDC FP_CONTRACT DEFAULT
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif

// MARK: >>isa  Instruction sets
/* Owns: which instruction sets this machine and its OS can run, and one vector vocabulary per set. The kernels are
 * compiled once per set by including this file again with ALLM__PASS naming it (end of room kern); types and inline
 * helpers of a set exist only inside its own pass, where the compiler may use it. Spec: Intel SDM vol. 1 ch. 13-15
 * (CPUID, OSXSAVE, XCR0), Linux HWCAP for aarch64. */

#define ALLM__PASS_SCALAR 1
#define ALLM__PASS_AVX2 2
#define ALLM__PASS_AVX512 3
#define ALLM__PASS_NEON 4

static int allm__isa_always(void) { return 1; }

#if defined(ALLM__X86)
enum { /* bits of CPUID(1).ecx, CPUID(7).ebx and .ecx, XCR0 */
    ALLM__CPU1_C_FMA = 1 << 12, ALLM__CPU1_C_OSXSAVE = 1 << 27, ALLM__CPU1_C_AVX = 1 << 28, ALLM__CPU1_C_F16C = 1 << 29,
    ALLM__CPU7_B_AVX2 = 1 << 5, ALLM__CPU7_B_AVX512F = 1 << 16, ALLM__CPU7_B_AVX512DQ = 1 << 17,
    ALLM__CPU7_B_AVX512BW = 1 << 30, ALLM__CPU7_C_AVX512VNNI = 1 << 11,
    ALLM__XCR0_AVX = 0x6, ALLM__XCR0_AVX512 = 0xe6 /* the OS saves xmm, ymm; and opmasks and all of zmm */
};
#define ALLM__CPU7_B_AVX512VL (1u << 31)

/* 0: none, 1: AVX2 with FMA and F16C, 2: also AVX-512 F, BW, DQ, VL and VNNI. */
static int allm__isa_x86_level(void) {
    unsigned a, b, c, d, xcr0, xcr0_hi;
    const unsigned need1 = ALLM__CPU1_C_FMA | ALLM__CPU1_C_OSXSAVE | ALLM__CPU1_C_AVX | ALLM__CPU1_C_F16C;
    const unsigned need7 =
        ALLM__CPU7_B_AVX512F | ALLM__CPU7_B_AVX512DQ | ALLM__CPU7_B_AVX512BW | ALLM__CPU7_B_AVX512VL;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & need1) != need1) return 0;
    __asm__("xgetbv" : "=a"(xcr0), "=d"(xcr0_hi) : "c"(0)); /* exists when OSXSAVE is set */
    if ((xcr0 & ALLM__XCR0_AVX) != ALLM__XCR0_AVX || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    if (!(b & ALLM__CPU7_B_AVX2)) return 0;
    if ((xcr0 & ALLM__XCR0_AVX512) != ALLM__XCR0_AVX512 || (b & need7) != need7) return 1;
    return c & ALLM__CPU7_C_AVX512VNNI ? 2 : 1;
}

static int allm__isa_avx2(void) { return allm__isa_x86_level() >= 1; }
#ifndef ABSTRACTLLM_NO_AVX512
static int allm__isa_avx512(void) { return allm__isa_x86_level() >= 2; }
#endif
#endif

#if defined(ALLM__ARM64_DOTPROD)
static int allm__isa_dotprod(void) { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
#endif

typedef struct allm__isa {
    const char *name;
    int (*detect)(void);
} allm__isa;

static const allm__isa allm__isas[] = { /* best first; room kern has a table of the same name */
#if defined(ALLM__X86) && !defined(ABSTRACTLLM_NO_AVX512)
    {"avx512", allm__isa_avx512},
#endif
#if defined(ALLM__X86)
    {"avx2", allm__isa_avx2},
#endif
#if defined(ALLM__ARM64_DOTPROD)
    {"dotprod", allm__isa_dotprod},
#endif
#if defined(ALLM__ARM64)
    {"neon", allm__isa_always},
#endif
    {"scalar", allm__isa_always},
};

/* The vocabulary. allm__vf is a vector of ALLM__VL floats. No operation below rounds twice where it says fused, none
 * is fused where it does not. `_n` forms touch only n < ALLM__VL elements and give zeros for the others. */
#define ALLM__V(name) ALLM__JOIN(ALLM__JOIN(allm__v_, name), ALLM__JOIN(_, ALLM__PASS_NAME))
#define allm__vf ALLM__V(f)
#define allm__vset ALLM__V(set)             /* all lanes x */
#define allm__vload ALLM__V(load)           /* float, unaligned */
#define allm__vload_n ALLM__V(load_n)
#define allm__vstore ALLM__V(store)
#define allm__vstore_n ALLM__V(store_n)
#define allm__vadd ALLM__V(add)
#define allm__vsub ALLM__V(sub)
#define allm__vmul ALLM__V(mul)
#define allm__vdiv ALLM__V(div)
#define allm__vfma ALLM__V(fma)             /* a * b + c, fused where the set can */
#define allm__vmax ALLM__V(max)
#define allm__vsum ALLM__V(sum)             /* of the lanes, in one fixed order */
#define allm__vtop ALLM__V(top)             /* largest lane */
#define allm__vload_i8 ALLM__V(load_i8)     /* ALLM__VL int8 to float */
#define allm__vload_u8 ALLM__V(load_u8)     /* ALLM__VL uint8, less an offset in integers, to float; NEON only */
#define allm__vset_f16 ALLM__V(set_f16)     /* all lanes: one f16 from memory */
#define allm__vload_f16 ALLM__V(load_f16)
#define allm__vload_bf16 ALLM__V(load_bf16)
#define allm__vstore_f16 ALLM__V(store_f16) /* nearest even */
#define allm__vround ALLM__V(round)         /* nearest even, for |x| < 2^22 */
#define allm__vldexp ALLM__V(ldexp)         /* x * 2^n for integral n in [-252, 254] */
#define allm__vclamp ALLM__V(clamp)         /* into [lo, hi]; NaN stays */
#define allm__vabs ALLM__V(abs)
#define allm__vmaxbits ALLM__V(maxbits)     /* of a, b >= 0 by their bits: NaN above all */
#define allm__vtopbits ALLM__V(topbits)
#define allm__vstore_i8 ALLM__V(store_i8)   /* integral values within [-128, 127] to ALLM__VL bytes */
#define allm__vh ALLM__V(h)                 /* one f16 from memory, as a float */
#define allm__vsum4 ALLM__V(sum4)           /* y[i] = sum of the lanes of v_i; the order is that of no other sum */

/* Vectors of 16 bytes, where the set has more than one lane. */
#define allm__vb ALLM__V(b)
#define allm__vb_load ALLM__V(b_load)
#define allm__vb_set ALLM__V(b_set)
#define allm__vb_and ALLM__V(b_and)
#define allm__vb_or ALLM__V(b_or)
#define allm__vb_xor ALLM__V(b_xor)
#define allm__vb_shr ALLM__V(b_shr)         /* shifts may move bits between bytes: mask after shr, before shl */
#define allm__vb_shl ALLM__V(b_shl)
#define allm__vb_bits ALLM__V(b_bits)       /* byte i = mask where bit i of 16 is set, else 0 */
#define allm__vb_turn ALLM__V(b_turn)       /* stores 4 vectors as a 4x4 matrix of 4-byte elements, transposed */
#define allm__vb_sums ALLM__V(b_sums)       /* sums of the 4 signed bytes of each element, over 4 vectors */

#endif /* !ALLM__PASS */

#if defined(ALLM__PASS) && ALLM__PASS == ALLM__PASS_SCALAR
enum { ALLM__V(width) = 1 };
typedef float allm__vf;
ALLM__INLINE allm__vf allm__vset(float x) { return x; }
ALLM__INLINE allm__vf allm__vset_f16(const void *p) { return allm__h((const uint8_t *)p); }
ALLM__INLINE allm__vf allm__vload(const float *p) { float v; memcpy(&v, p, sizeof v); return v; }
ALLM__INLINE allm__vf allm__vload_n(const float *p, int n) { return n ? *p : 0; }
ALLM__INLINE void     allm__vstore(float *p, allm__vf a) { *p = a; }
ALLM__INLINE void     allm__vstore_n(float *p, allm__vf a, int n) { if (n) *p = a; }
ALLM__INLINE allm__vf allm__vadd(allm__vf a, allm__vf b) { return a + b; }
ALLM__INLINE allm__vf allm__vsub(allm__vf a, allm__vf b) { return a - b; }
ALLM__INLINE allm__vf allm__vmul(allm__vf a, allm__vf b) { return a * b; }
ALLM__INLINE allm__vf allm__vdiv(allm__vf a, allm__vf b) { return a / b; }
ALLM__INLINE allm__vf allm__vfma(allm__vf a, allm__vf b, allm__vf c) { return a * b + c; }
ALLM__INLINE allm__vf allm__vmax(allm__vf a, allm__vf b) { return a > b ? a : b; }
ALLM__INLINE float    allm__vsum(allm__vf a) { return a; }
ALLM__INLINE float    allm__vtop(allm__vf a) { return a; }
ALLM__INLINE allm__vf allm__vload_i8(const int8_t *p) { return (float)*p; }
ALLM__INLINE allm__vf allm__vload_f16(const void *p) { return allm__h((const uint8_t *)p); }
ALLM__INLINE allm__vf allm__vload_bf16(const void *p) { return allm__bf16_to_f32(allm__load_u16(p)); }
ALLM__INLINE void     allm__vstore_f16(void *p, allm__vf a) { allm__put_h((uint8_t *)p, a); }
ALLM__INLINE allm__vf allm__vround(allm__vf a) { return rintf(a); }
ALLM__INLINE allm__vf allm__vldexp(allm__vf a, allm__vf n) {
    const int32_t i = n == n ? (int32_t)n : 0, half = i / 2; /* in two steps: 2^n itself may not fit */
    return a * allm__float((uint32_t)(half + 127) << 23) * allm__float((uint32_t)(i - half + 127) << 23);
}
ALLM__INLINE allm__vf allm__vclamp(allm__vf a, float lo, float hi) { return a < lo ? lo : a > hi ? hi : a; }
ALLM__INLINE void     allm__vsum4(float *y, allm__vf a, allm__vf b, allm__vf c, allm__vf d) {
    y[0] = a, y[1] = b, y[2] = c, y[3] = d;
}
#endif

#if defined(ALLM__PASS) && ALLM__PASS == ALLM__PASS_AVX512
enum { ALLM__V(width) = 16 };
typedef __m512 allm__vf;
ALLM__INLINE __mmask16 ALLM__V(first)(int n) { return (__mmask16)((1u << n) - 1); }
ALLM__INLINE allm__vf allm__vset(float x) { return _mm512_set1_ps(x); }
ALLM__INLINE allm__vf allm__vload(const float *p) { return _mm512_loadu_ps(p); }
ALLM__INLINE allm__vf allm__vload_n(const float *p, int n) { return _mm512_maskz_loadu_ps(ALLM__V(first)(n), p); }
ALLM__INLINE void     allm__vstore(float *p, allm__vf a) { _mm512_storeu_ps(p, a); }
ALLM__INLINE void     allm__vstore_n(float *p, allm__vf a, int n) { _mm512_mask_storeu_ps(p, ALLM__V(first)(n), a); }
ALLM__INLINE allm__vf allm__vadd(allm__vf a, allm__vf b) { return _mm512_add_ps(a, b); }
ALLM__INLINE allm__vf allm__vsub(allm__vf a, allm__vf b) { return _mm512_sub_ps(a, b); }
ALLM__INLINE allm__vf allm__vmul(allm__vf a, allm__vf b) { return _mm512_mul_ps(a, b); }
ALLM__INLINE allm__vf allm__vdiv(allm__vf a, allm__vf b) { return _mm512_div_ps(a, b); }
ALLM__INLINE allm__vf allm__vfma(allm__vf a, allm__vf b, allm__vf c) { return _mm512_fmadd_ps(a, b, c); }
ALLM__INLINE allm__vf allm__vmax(allm__vf a, allm__vf b) { return _mm512_max_ps(a, b); }
ALLM__INLINE allm__vf allm__vabs(allm__vf a) { return _mm512_abs_ps(a); }
ALLM__INLINE allm__vf allm__vmaxbits(allm__vf a, allm__vf b) {
    return _mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
}
ALLM__INLINE float allm__vtopbits(allm__vf a) {
    const int32_t top = _mm512_reduce_max_epi32(_mm512_castps_si512(a));
    return allm__float((uint32_t)top);
}
ALLM__INLINE float ALLM__V(sum_xmm)(__m128 a) {
    a = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}
ALLM__INLINE __m256 ALLM__V(fold)(__m512 a) {
    return _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
}
ALLM__INLINE float allm__vsum(allm__vf a) {
    const __m256 b = ALLM__V(fold)(a);
    return ALLM__V(sum_xmm)(_mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1)));
}
ALLM__INLINE float    allm__vtop(allm__vf a) { return _mm512_reduce_max_ps(a); }
ALLM__INLINE allm__vf allm__vset_f16(const void *p) {
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return _mm512_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
}
ALLM__INLINE allm__vf allm__vload_i8(const int8_t *p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}
ALLM__INLINE allm__vf allm__vload_f16(const void *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
ALLM__INLINE allm__vf allm__vload_bf16(const void *p) {
    const __m512i u = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(u, 16));
}
ALLM__INLINE void allm__vstore_i8(int8_t *p, allm__vf a) {
    _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(a)));
}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion" /* inside gcc's own macros, at -O0 */
ALLM__INLINE void allm__vstore_f16(void *p, allm__vf a) {
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
ALLM__INLINE allm__vf allm__vround(allm__vf a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
#pragma GCC diagnostic pop
ALLM__INLINE allm__vf allm__vldexp(allm__vf a, allm__vf n) { return _mm512_scalef_ps(a, n); }
ALLM__INLINE allm__vf allm__vclamp(allm__vf a, float lo, float hi) { /* of a NaN, min and max give their second */
    return _mm512_min_ps(_mm512_set1_ps(hi), _mm512_max_ps(_mm512_set1_ps(lo), a));
}
ALLM__INLINE void allm__vsum4(float *y, allm__vf a, allm__vf b, allm__vf c, allm__vf d) {
    const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    const __m512 lo = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(ab), _mm512_castps_pd(cd)));
    const __m512 hi = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(ab), _mm512_castps_pd(cd)));
    const __m256 s  = ALLM__V(fold)(_mm512_add_ps(lo, hi));
    _mm_storeu_ps(y, _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1)));
}
#endif

#if defined(ALLM__PASS) && ALLM__PASS == ALLM__PASS_AVX2
enum { ALLM__V(width) = 8 };
typedef __m256 allm__vf;
ALLM__INLINE __m256i ALLM__V(first)(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
ALLM__INLINE allm__vf allm__vset(float x) { return _mm256_set1_ps(x); }
ALLM__INLINE allm__vf allm__vload(const float *p) { return _mm256_loadu_ps(p); }
ALLM__INLINE allm__vf allm__vload_n(const float *p, int n) { return _mm256_maskload_ps(p, ALLM__V(first)(n)); }
ALLM__INLINE void     allm__vstore(float *p, allm__vf a) { _mm256_storeu_ps(p, a); }
ALLM__INLINE void     allm__vstore_n(float *p, allm__vf a, int n) { _mm256_maskstore_ps(p, ALLM__V(first)(n), a); }
ALLM__INLINE allm__vf allm__vadd(allm__vf a, allm__vf b) { return _mm256_add_ps(a, b); }
ALLM__INLINE allm__vf allm__vsub(allm__vf a, allm__vf b) { return _mm256_sub_ps(a, b); }
ALLM__INLINE allm__vf allm__vmul(allm__vf a, allm__vf b) { return _mm256_mul_ps(a, b); }
ALLM__INLINE allm__vf allm__vdiv(allm__vf a, allm__vf b) { return _mm256_div_ps(a, b); }
ALLM__INLINE allm__vf allm__vfma(allm__vf a, allm__vf b, allm__vf c) { return _mm256_fmadd_ps(a, b, c); }
ALLM__INLINE allm__vf allm__vmax(allm__vf a, allm__vf b) { return _mm256_max_ps(a, b); }
ALLM__INLINE allm__vf allm__vabs(allm__vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
ALLM__INLINE allm__vf allm__vmaxbits(allm__vf a, allm__vf b) {
    return _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
}
ALLM__INLINE float allm__vtopbits(allm__vf v) {
    __m128i a = _mm_max_epi32(_mm256_castsi256_si128(_mm256_castps_si256(v)),
                              _mm256_extracti128_si256(_mm256_castps_si256(v), 1));
    a         = _mm_max_epi32(a, _mm_shuffle_epi32(a, 0x4e));
    a         = _mm_max_epi32(a, _mm_shuffle_epi32(a, 0xb1));
    return allm__float((uint32_t)_mm_cvtsi128_si32(a));
}
ALLM__INLINE float allm__vsum(allm__vf v) {
    __m128 a = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    a        = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}
ALLM__INLINE float allm__vtop(allm__vf v) {
    __m128 a = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    a        = _mm_max_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)));
}
ALLM__INLINE allm__vf allm__vset_f16(const void *p) {
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
}
ALLM__INLINE allm__vf allm__vload_i8(const int8_t *p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}
ALLM__INLINE allm__vf allm__vload_f16(const void *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }
ALLM__INLINE allm__vf allm__vload_bf16(const void *p) {
    const __m256i u = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(u, 16));
}
ALLM__INLINE void allm__vstore_f16(void *p, allm__vf a) {
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
ALLM__INLINE void allm__vstore_i8(int8_t *p, allm__vf a) {
    const __m256i i = _mm256_cvtps_epi32(a);
    const __m128i h = _mm_packs_epi32(_mm256_castsi256_si128(i), _mm256_extracti128_si256(i, 1));
    _mm_storel_epi64((__m128i *)(void *)p, _mm_packs_epi16(h, h));
}
ALLM__INLINE allm__vf allm__vround(allm__vf a) {
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
ALLM__INLINE allm__vf allm__vldexp(allm__vf a, allm__vf n) { /* in two steps: 2^n itself may not fit */
    const __m256i i = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(i, 1), one = _mm256_set1_epi32(127);
    const __m256i u = _mm256_slli_epi32(_mm256_add_epi32(half, one), 23);
    const __m256i v = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(i, half), one), 23);
    return _mm256_mul_ps(_mm256_mul_ps(a, _mm256_castsi256_ps(u)), _mm256_castsi256_ps(v));
}
ALLM__INLINE allm__vf allm__vclamp(allm__vf a, float lo, float hi) { /* of a NaN, min and max give their second */
    return _mm256_min_ps(_mm256_set1_ps(hi), _mm256_max_ps(_mm256_set1_ps(lo), a));
}
ALLM__INLINE void allm__vsum4(float *y, allm__vf a, allm__vf b, allm__vf c, allm__vf d) {
    const __m256 ab = _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
    const __m256 cd = _mm256_add_ps(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
    const __m256 lo = _mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(ab), _mm256_castps_pd(cd)));
    const __m256 hi = _mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(ab), _mm256_castps_pd(cd)));
    const __m256 s  = _mm256_add_ps(lo, hi);
    _mm_storeu_ps(y, _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1)));
}
#endif

#if defined(ALLM__PASS) && (ALLM__PASS == ALLM__PASS_AVX2 || ALLM__PASS == ALLM__PASS_AVX512)
typedef __m128i allm__vb;
ALLM__INLINE float allm__vh(const void *p) {
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
}
ALLM__INLINE allm__vb allm__vb_load(const void *p) { return _mm_loadu_si128((const __m128i *)p); }
ALLM__INLINE allm__vb allm__vb_set(int x) { return _mm_set1_epi8((char)x); }
ALLM__INLINE allm__vb allm__vb_and(allm__vb a, int x) { return _mm_and_si128(a, _mm_set1_epi8((char)x)); }
ALLM__INLINE allm__vb allm__vb_or(allm__vb a, allm__vb b) { return _mm_or_si128(a, b); }
ALLM__INLINE allm__vb allm__vb_xor(allm__vb a, int x) { return _mm_xor_si128(a, _mm_set1_epi8((char)x)); }
ALLM__INLINE allm__vb allm__vb_shr(allm__vb a, int n) { return _mm_srl_epi16(a, _mm_cvtsi32_si128(n)); }
ALLM__INLINE allm__vb allm__vb_shl(allm__vb a, int n) { return _mm_sll_epi16(a, _mm_cvtsi32_si128(n)); }
ALLM__INLINE allm__vb allm__vb_bits(const uint8_t *p, int mask) {
    const __m128i at  = _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    const __m128i bit = _mm_set1_epi64x((long long)0x8040201008040201u);
    const __m128i v   = _mm_shuffle_epi8(_mm_cvtsi32_si128(p[0] | p[1] << 8), at);
    return _mm_and_si128(_mm_cmpeq_epi8(_mm_and_si128(v, bit), bit), _mm_set1_epi8((char)mask));
}
ALLM__INLINE void allm__vb_turn(void *dst, allm__vb a, allm__vb b, allm__vb c, allm__vb d) {
    const __m128i ab0 = _mm_unpacklo_epi32(a, b), ab1 = _mm_unpackhi_epi32(a, b);
    const __m128i cd0 = _mm_unpacklo_epi32(c, d), cd1 = _mm_unpackhi_epi32(c, d);
    __m128i      *p   = (__m128i *)dst;
    _mm_storeu_si128(p, _mm_unpacklo_epi64(ab0, cd0)), _mm_storeu_si128(p + 1, _mm_unpackhi_epi64(ab0, cd0));
    _mm_storeu_si128(p + 2, _mm_unpacklo_epi64(ab1, cd1)), _mm_storeu_si128(p + 3, _mm_unpackhi_epi64(ab1, cd1));
}
ALLM__INLINE void allm__vb_sums(int32_t sum[4], const int8_t *q) {
    const __m128i one = _mm_set1_epi8(1), *p = (const __m128i *)(const void *)q;
    __m128i       a   = _mm_maddubs_epi16(one, _mm_loadu_si128(p)); /* four times 254 fits */
    for (int i = 1; i < 4; i++) a = _mm_add_epi16(a, _mm_maddubs_epi16(one, _mm_loadu_si128(p + i)));
    _mm_storeu_si128((__m128i *)(void *)sum, _mm_madd_epi16(a, _mm_set1_epi16(1)));
}
#endif

#if defined(ALLM__PASS) && ALLM__PASS == ALLM__PASS_NEON
enum { ALLM__V(width) = 4 };
typedef float32x4_t allm__vf;
typedef uint8x16_t  allm__vb;
ALLM__INLINE allm__vf allm__vset(float x) { return vdupq_n_f32(x); }
ALLM__INLINE allm__vf allm__vload(const float *p) { return vreinterpretq_f32_u8(vld1q_u8((const uint8_t *)p)); }
ALLM__INLINE allm__vf allm__vload_n(const float *p, int n) {
    float v[4] = {0, 0, 0, 0};
    memcpy(v, p, (size_t)n * sizeof *v);
    return vld1q_f32(v);
}
ALLM__INLINE void allm__vstore(float *p, allm__vf a) { vst1q_f32(p, a); }
ALLM__INLINE void allm__vstore_n(float *p, allm__vf a, int n) {
    float v[4];
    vst1q_f32(v, a);
    memcpy(p, v, (size_t)n * sizeof *v);
}
ALLM__INLINE allm__vf allm__vadd(allm__vf a, allm__vf b) { return vaddq_f32(a, b); }
ALLM__INLINE allm__vf allm__vsub(allm__vf a, allm__vf b) { return vsubq_f32(a, b); }
ALLM__INLINE allm__vf allm__vmul(allm__vf a, allm__vf b) { return vmulq_f32(a, b); }
ALLM__INLINE allm__vf allm__vdiv(allm__vf a, allm__vf b) { return vdivq_f32(a, b); }
ALLM__INLINE allm__vf allm__vfma(allm__vf a, allm__vf b, allm__vf c) { return vfmaq_f32(c, a, b); }
ALLM__INLINE allm__vf allm__vmax(allm__vf a, allm__vf b) { return vmaxq_f32(a, b); }
ALLM__INLINE allm__vf allm__vabs(allm__vf a) { return vabsq_f32(a); }
ALLM__INLINE allm__vf allm__vmaxbits(allm__vf a, allm__vf b) {
    return vreinterpretq_f32_u32(vmaxq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b)));
}
ALLM__INLINE float    allm__vtopbits(allm__vf a) { return allm__float(vmaxvq_u32(vreinterpretq_u32_f32(a))); }
ALLM__INLINE float    allm__vsum(allm__vf a) { return vaddvq_f32(a); }
ALLM__INLINE float    allm__vtop(allm__vf a) { return vmaxvq_f32(a); }
ALLM__INLINE allm__vf allm__vload_f16(const void *p) {
    return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8((const uint8_t *)p)));
}
ALLM__INLINE float allm__vh(const void *p) {
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(h))), 0);
}
ALLM__INLINE allm__vf allm__vset_f16(const void *p) { return vdupq_n_f32(allm__vh(p)); }
ALLM__INLINE allm__vf allm__vload_bf16(const void *p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8((const uint8_t *)p)), 16));
}
ALLM__INLINE allm__vf allm__vload_i8(const int8_t *p) {
    int32_t four;
    memcpy(&four, p, sizeof four);
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four))))));
}
ALLM__INLINE allm__vf allm__vload_u8(const uint8_t *p, int offset) {
    uint32_t four;
    memcpy(&four, p, sizeof four);
    const uint32x4_t u = vmovl_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four)))));
    return vcvtq_f32_s32(vsubq_s32(vreinterpretq_s32_u32(u), vdupq_n_s32(offset)));
}
ALLM__INLINE void allm__vstore_f16(void *p, allm__vf a) {
    vst1_u8((uint8_t *)p, vreinterpret_u8_f16(vcvt_f16_f32(a)));
}
ALLM__INLINE void allm__vstore_i8(int8_t *p, allm__vf a) {
    const int16x4_t h    = vqmovn_s32(vcvtnq_s32_f32(a));
    const int32_t   four = vget_lane_s32(vreinterpret_s32_s8(vqmovn_s16(vcombine_s16(h, h))), 0);
    memcpy(p, &four, sizeof four);
}
ALLM__INLINE allm__vf allm__vround(allm__vf a) { return vrndnq_f32(a); }
ALLM__INLINE allm__vf allm__vldexp(allm__vf a, allm__vf n) { /* in two steps: 2^n itself may not fit */
    const int32x4_t i = vcvtnq_s32_f32(n), half = vshrq_n_s32(i, 1), one = vdupq_n_s32(127);
    const int32x4_t u = vshlq_n_s32(vaddq_s32(half, one), 23), v = vshlq_n_s32(vaddq_s32(vsubq_s32(i, half), one), 23);
    return vmulq_f32(vmulq_f32(a, vreinterpretq_f32_s32(u)), vreinterpretq_f32_s32(v));
}
ALLM__INLINE allm__vf allm__vclamp(allm__vf a, float lo, float hi) {
    return vminq_f32(vmaxq_f32(a, vdupq_n_f32(lo)), vdupq_n_f32(hi));
}
ALLM__INLINE void allm__vsum4(float *y, allm__vf a, allm__vf b, allm__vf c, allm__vf d) {
    vst1q_f32(y, vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d)));
}
ALLM__INLINE allm__vb allm__vb_load(const void *p) { return vld1q_u8((const uint8_t *)p); }
ALLM__INLINE allm__vb allm__vb_set(int x) { return vdupq_n_u8((uint8_t)x); }
ALLM__INLINE allm__vb allm__vb_and(allm__vb a, int x) { return vandq_u8(a, vdupq_n_u8((uint8_t)x)); }
ALLM__INLINE allm__vb allm__vb_or(allm__vb a, allm__vb b) { return vorrq_u8(a, b); }
ALLM__INLINE allm__vb allm__vb_xor(allm__vb a, int x) { return veorq_u8(a, vdupq_n_u8((uint8_t)x)); }
ALLM__INLINE allm__vb allm__vb_shr(allm__vb a, int n) { return vshlq_u8(a, vdupq_n_s8((int8_t)-n)); }
ALLM__INLINE allm__vb allm__vb_shl(allm__vb a, int n) { return vshlq_u8(a, vdupq_n_s8((int8_t)n)); }
ALLM__INLINE allm__vb allm__vb_bits(const uint8_t *p, int mask) {
    const uint8x16_t bit = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201u));
    const uint8x16_t v   = vcombine_u8(vdup_n_u8(p[0]), vdup_n_u8(p[1]));
    return vandq_u8(vtstq_u8(v, bit), vdupq_n_u8((uint8_t)mask));
}
ALLM__INLINE void allm__vb_turn(void *dst, allm__vb a, allm__vb b, allm__vb c, allm__vb d) {
    const uint32x4x4_t m = {{vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b), vreinterpretq_u32_u8(c),
                             vreinterpretq_u32_u8(d)}};
    vst4q_u32((uint32_t *)dst, m);
}
ALLM__INLINE void allm__vb_sums(int32_t sum[4], const int8_t *q) {
    int32x4_t a = vdupq_n_s32(0);
    for (int i = 0; i < 4; i++) a = vpadalq_s16(a, vpaddlq_s8(vld1q_s8(q + 16 * i)));
    vst1q_s32(sum, a);
}
#endif

// MARK: >>kern  Kernels
/* Owns: the arithmetic of a forward pass, one table of functions per ISA. Most are written once over the vocabulary
 * of room isa; hot slots are written by hand. Holds for every table: for one (row, token) or one (query, key range)
 * the operations and their order depend on nothing else, so that results are the same bits for every batch, row or
 * thread split. NaN in a weight, scale or activation gives NaN where it is used, and nothing worse.
 *
 * Matrix products come in two kinds. gemm_q8 multiplies codes with activations rounded to int8 per 32 columns: the
 * integer part is exact, hence equal on every ISA. gemm_f32 keeps float activations: the reference path and the
 * output head. Both work on rows as the file holds them; columns are taken in groups of 128, four blocks of 32, whose
 * codes are put in an order where lane j of a 16-byte vector belongs to block j: scales then multiply lanes, and no
 * sum goes across lanes before the row's end. */

#ifndef ALLM__PASS

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")
#endif

typedef struct allm__mat { /* a weight matrix, rows in the file's format */
    const allm__fmt *fmt;
    const void      *data; /* [n_rows][row_bytes], any alignment */
    int64_t          n_rows, n_cols;
    size_t           row_bytes;
} allm__mat;

enum {
    ALLM__GROUP = 128,
    ALLM__PANEL = 32, /* groups of a row that are summed before they are added to the result: 4 rows fill 24 KB */
    ALLM__KEYS  = 32  /* keys of an attention block */
};

/* 128 activations. Column 32*j + 4*c + k is q[16*c + 4*j + k]: j block, c chunk of four. Past n_cols all is zero. */
typedef struct allm__agroup {
    int8_t  q[ALLM__GROUP]; /* in [-127, 127] */
    float   d[4];           /* scale of block j */
    float   s[8];           /* [j] d * sum of columns 0-15 of block j, [4 + j] of columns 16-31 */
    int16_t n[8];           /* minus the sums of the codes, in the same order */
} allm__agroup;

/* 128 weights of a row, unpacked: (q - 2^shift) * d + m with the codec's shift. Past n_cols all is zero. */
typedef struct allm__wgroup {
    uint8_t q[ALLM__GROUP]; /* in the order of allm__agroup */
    float   d[8];           /* [j] scale of columns 0-15 of block j, [4 + j] of columns 16-31 */
    float   m[8];
} allm__wgroup;

/* 128 activations as they are, in the order of allm__agroup. */
typedef struct allm__fgroup {
    float x[ALLM__GROUP];
    float s[8]; /* sums of columns, as in allm__agroup */
} allm__fgroup;

typedef struct allm__acts { /* activations of a batch of tokens */
    int64_t       n_cols, n_groups;
    int32_t       n_tokens;
    allm__agroup *g; /* [n_tokens, n_groups] */
} allm__acts;

static int64_t allm__n_groups(int64_t n_cols) { return (n_cols + ALLM__GROUP - 1) / ALLM__GROUP; }

/* Bytes for the activations of n_tokens tokens; both counts were checked by the model and session rooms. */
static size_t allm__acts_bytes(int64_t n_cols, int32_t n_tokens) {
    return (size_t)allm__n_groups(n_cols) * (size_t)n_tokens * sizeof(allm__agroup);
}

static void allm__acts_place(allm__acts *a, void *mem /* 64-byte aligned */, int64_t n_cols, int32_t n_tokens) {
    a->n_cols = n_cols, a->n_groups = allm__n_groups(n_cols), a->n_tokens = n_tokens;
    a->g = (allm__agroup *)mem;
}

typedef struct allm__kern {
    const char *name;
    /* Quantises tokens [t0, t1) of x [n_tokens, n_cols]. d = max|x| / 127, codes to nearest, half to even; a block
     * with max|x| below 2^-100 or not finite has all codes zero (its d is kept, so that NaN and Inf spread). */
    void (*acts_quant)(allm__acts *a, const float *x, int32_t t0, int32_t t1);
    /* y[t * ldy + r] = w[r] . a[t] for rows [r0, r1) and all tokens of a. */
    void (*gemm_q8)(const allm__mat *w, int64_t r0, int64_t r1, const allm__acts *a, float *y, int64_t ldy);
    /* The same with float activations x[t * ldx + column]; row_scratch holds n_cols floats, 64-byte aligned. */
    void (*gemm_f32)(const allm__mat *w, int64_t r0, int64_t r1, const float *x, int64_t ldx, int32_t n_tokens,
                     float *y, int64_t ldy, float *row_scratch);
    /* In all of these y may be x. weight, bias: NULL for none. */
    void (*rms_norm)(const float *x, const float *weight, float eps, float *y, int64_t n);
    void (*layer_norm)(const float *x, const float *weight, const float *bias, float eps, float *y, int64_t n);
    void (*add)(float *y, const float *x, int64_t n);                     /* y += x */
    void (*swiglu)(float *gate, const float *up, int64_t n);              /* gate = silu(gate) * up */
    void (*rope_pairs)(float *x, const float *cos_sin, int64_t n_rot);    /* turns (2i, 2i + 1) by cos_sin[i][2] */
    void (*rope_halves)(float *x, const float *cos_sin, int64_t n_rot);   /* turns (i, i + n_rot / 2) */
    /* Attention of the n_q query heads that share one key/value head, for one token:
     * out[h] = softmax(scale * q[h] . k) v over keys [k0, k1). q, out [n_q, head_dim]; key i lies at
     * k + i * key_stride. scratch: allm__attend_scratch floats, 64-byte aligned. */
    void (*attend)(const float *q, int32_t n_q, int32_t head_dim, const void *k, const void *v, size_t key_stride,
                   allm_kv_type type, int64_t k0, int64_t k1, float scale, float *out, float *scratch);
    void (*kv_store)(const float *src, void *dst, int32_t n, allm_kv_type type);
    float (*max)(const float *x, int64_t n);                              /* NaN if there is one; -Inf for n = 0 */
    float (*exp_sum)(const float *x, float max, float *y, int64_t n);     /* y = exp(x - max); returns their sum */
} allm__kern;

static size_t allm__kv_bytes(allm_kv_type type) { return type == ALLM_KV_F32 ? 4 : 2; }

static int32_t allm__attend_pad(int32_t head_dim) { return (head_dim + 15) & ~15; }

/* Floats of scratch for attend. */
static size_t allm__attend_scratch(int32_t n_q, int32_t head_dim) {
    return (size_t)n_q * (2 * (size_t)allm__attend_pad(head_dim) + ALLM__KEYS + 16);
}

/* ---- codecs: 128 columns of a row to codes, scales and minima; the plain versions */

typedef struct allm__codec {
    int32_t id; /* of the format */
    /* Unpacks blocks 4 * i_group ... of 32 columns, n_blocks (1 to 4) of them. */
    void (*unpack)(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g);
    int8_t shift;   /* the code's offset is 1 << shift; 32: none */
    int8_t has_min; /* m is used */
    int8_t halves;  /* d differs between the halves of a block */
    int8_t n_bits;  /* of a code */
    /* Four rows times one token over groups [g0, g1); NULL: unpack and use the tile. */
    void (*gemv)(const uint8_t *const row[4], const allm__agroup *a, int64_t g0, int64_t g1, int64_t n_cols,
                 size_t ahead, float sum[4]);
    /* One row times float activations in the order of allm__agroup, over groups [g0, g1). */
    float (*dot_f32)(const uint8_t *row, const allm__fgroup *a, int64_t g0, int64_t g1, int64_t n_cols);
} allm__codec;

enum { ALLM__NO_OFFSET = 32 };

/* Where column w of a group lies. */
static int allm__place(int w) { return 16 * (w % 32 / 4) + 4 * (w / 32) + w % 4; }

static void allm__wgroup_scale(allm__wgroup *g, int j, float d, float m) {
    g->d[j] = g->d[j + 4] = d;
    g->m[j] = g->m[j + 4] = m;
}

static void allm__unpack_q4_0(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {
    const allm__q4_0 *b = (const allm__q4_0 *)row + 4 * i_group;
    for (int j = 0; j < n_blocks; j++, b++) {
        allm__wgroup_scale(g, j, allm__h(b->d), 0);
        for (int i = 0; i < 16; i++) {
            g->q[allm__place(32 * j + i)]      = b->qs[i] & 15;
            g->q[allm__place(32 * j + i + 16)] = b->qs[i] >> 4;
        }
    }
}

static void allm__unpack_q4_1(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {
    const allm__q4_1 *b = (const allm__q4_1 *)row + 4 * i_group;
    for (int j = 0; j < n_blocks; j++, b++) {
        allm__wgroup_scale(g, j, allm__h(b->d), allm__h(b->m));
        for (int i = 0; i < 16; i++) {
            g->q[allm__place(32 * j + i)]      = b->qs[i] & 15;
            g->q[allm__place(32 * j + i + 16)] = b->qs[i] >> 4;
        }
    }
}

static void allm__unpack_q5_0(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {
    const allm__q5_0 *b = (const allm__q5_0 *)row + 4 * i_group;
    for (int j = 0; j < n_blocks; j++, b++) {
        allm__wgroup_scale(g, j, allm__h(b->d), 0);
        for (int w = 0; w < 32; w++) g->q[allm__place(32 * j + w)] = (uint8_t)allm__code5(b->qs, b->qh, w);
    }
}

static void allm__unpack_q5_1(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {
    const allm__q5_1 *b = (const allm__q5_1 *)row + 4 * i_group;
    for (int j = 0; j < n_blocks; j++, b++) {
        allm__wgroup_scale(g, j, allm__h(b->d), allm__h(b->m));
        for (int w = 0; w < 32; w++) g->q[allm__place(32 * j + w)] = (uint8_t)allm__code5(b->qs, b->qh, w);
    }
}

static void allm__unpack_q8_0(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {
    const allm__q8_0 *b = (const allm__q8_0 *)row + 4 * i_group;
    for (int j = 0; j < n_blocks; j++, b++) {
        allm__wgroup_scale(g, j, allm__h(b->d), 0);
        for (int w = 0; w < 32; w++) g->q[allm__place(32 * j + w)] = (uint8_t)(b->qs[w] + 128);
    }
}

/* A superblock of 256 is two groups; n = 0, 1 is its half. Rows are whole superblocks. */
static void allm__unpack_q2_k(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {
    const allm__q2_k *b = (const allm__q2_k *)row + i_group / 2;
    const int         n = (int)(i_group & 1);
    const float       d = allm__h(b->d), dmin = allm__h(b->dmin);
    (void)n_blocks;
    for (int i = 0; i < 8; i++) { /* sixteenths of the half: block i / 2, half i % 2 of it */
        const int s = b->scales[8 * n + i], at = i / 2 + 4 * (i % 2);
        g->d[at] = d * (float)(s & 15), g->m[at] = -dmin * (float)(s >> 4);
    }
    for (int w = 0; w < 128; w++) g->q[allm__place(w)] = b->qs[32 * n + w % 32] >> w / 32 * 2 & 3;
}

static void allm__unpack_q3_k(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {
    const allm__q3_k *b = (const allm__q3_k *)row + i_group / 2;
    const int         n = (int)(i_group & 1);
    const float       d = allm__h(b->d);
    (void)n_blocks;
    for (int i = 0; i < 8; i++)
        g->d[i / 2 + 4 * (i % 2)] = d * (float)allm__q3_k_scale(b->scales, 8 * n + i), g->m[i] = 0;
    for (int w = 0; w < 128; w++)
        g->q[allm__place(w)] = (uint8_t)((b->qs[32 * n + w % 32] >> w / 32 * 2 & 3) |
                                         (b->hmask[w % 32] >> (4 * n + w / 32) & 1) << 2);
}

static void allm__unpack_q4_k(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {
    const allm__q4_k *b = (const allm__q4_k *)row + i_group / 2;
    const int         n = (int)(i_group & 1);
    const float       d = allm__h(b->d), dmin = allm__h(b->dmin);
    for (int j = 0; j < n_blocks; j++) {
        int sc, m;
        allm__q4_k_scale(b->scales, 4 * n + j, &sc, &m);
        allm__wgroup_scale(g, j, d * (float)sc, -dmin * (float)m);
        for (int i = 0; i < 32; i++)
            g->q[allm__place(32 * j + i)] = b->qs[64 * n + j / 2 * 32 + i] >> j % 2 * 4 & 15;
    }
}

static void allm__unpack_q5_k(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {
    const allm__q5_k *b = (const allm__q5_k *)row + i_group / 2;
    const int         n = (int)(i_group & 1);
    const float       d = allm__h(b->d), dmin = allm__h(b->dmin);
    for (int j = 0; j < n_blocks; j++) {
        int sc, m;
        allm__q4_k_scale(b->scales, 4 * n + j, &sc, &m);
        allm__wgroup_scale(g, j, d * (float)sc, -dmin * (float)m);
        for (int i = 0; i < 32; i++)
            g->q[allm__place(32 * j + i)] = (uint8_t)((b->qs[64 * n + j / 2 * 32 + i] >> j % 2 * 4 & 15) |
                                                      (b->qh[i] >> (4 * n + j) & 1) << 4);
    }
}

static void allm__unpack_q6_k(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {
    const allm__q6_k *b = (const allm__q6_k *)row + i_group / 2;
    const int         n = (int)(i_group & 1);
    const float       d = allm__h(b->d);
    (void)n_blocks;
    for (int i = 0; i < 8; i++) g->d[i / 2 + 4 * (i % 2)] = d * (float)b->scales[8 * n + i], g->m[i] = 0;
    for (int w = 0; w < 128; w++)
        g->q[allm__place(w)] = (uint8_t)((b->ql[64 * n + w % 64] >> w / 64 * 4 & 15) |
                                         (b->qh[32 * n + w % 32] >> w / 32 * 2 & 3) << 4);
}

static const allm__codec allm__codecs[] = {
    {ALLM__Q4_0, allm__unpack_q4_0, 3, 0, 0, 4, NULL, NULL},
    {ALLM__Q4_1, allm__unpack_q4_1, ALLM__NO_OFFSET, 1, 0, 4, NULL, NULL},
    {ALLM__Q5_0, allm__unpack_q5_0, 4, 0, 0, 5, NULL, NULL},
    {ALLM__Q5_1, allm__unpack_q5_1, ALLM__NO_OFFSET, 1, 0, 5, NULL, NULL},
    {ALLM__Q8_0, allm__unpack_q8_0, 7, 0, 0, 8, NULL, NULL},
    {ALLM__Q2_K, allm__unpack_q2_k, ALLM__NO_OFFSET, 1, 1, 2, NULL, NULL},
    {ALLM__Q3_K, allm__unpack_q3_k, 2, 0, 1, 3, NULL, NULL},
    {ALLM__Q4_K, allm__unpack_q4_k, ALLM__NO_OFFSET, 1, 0, 4, NULL, NULL},
    {ALLM__Q5_K, allm__unpack_q5_k, ALLM__NO_OFFSET, 1, 0, 5, NULL, NULL},
    {ALLM__Q6_K, allm__unpack_q6_k, 5, 0, 1, 6, NULL, NULL},
};

static const allm__codec *allm__codec_find(int32_t id) { /* NULL: a float format */
    for (size_t i = 0; i < ALLM__COUNT(allm__codecs); i++)
        if (allm__codecs[i].id == id) return &allm__codecs[i];
    return NULL;
}

/* Four rows in flight are four short streams, which the hardware does not foresee: the kernels ask for the memory that
 * lies this far ahead, whole sets of four rows and at least 2 KB (measured: 1 KB is too late, 8 KB gains nothing). */
static size_t allm__rows_ahead(size_t row_bytes) { return 4 * row_bytes * (1 + 2048 / (4 * row_bytes + 1)); }

/* Blocks of 32 columns in group i. */
static int32_t allm__group_blocks(int64_t n_cols, int64_t i) {
    return (int32_t)ALLM__MIN(4, (n_cols - i * ALLM__GROUP + 31) / 32);
}

/* One group of activations from n <= 128 floats; the arithmetic every acts_quant follows. */
static void allm__agroup_quant(const float *x, int32_t n, allm__agroup *g) {
    memset(g, 0, sizeof *g);
    for (int j = 0; 32 * j < n; j++) {
        const int n_block = ALLM__MIN(32, n - 32 * j);
        uint32_t  top     = 0; /* largest |x| by its bits: NaN above Inf above all else */
        for (int i = 0; i < n_block; i++) top = ALLM__MAX(top, allm__bits(x[32 * j + i]) & 0x7fffffff);
        const float amax = allm__float(top), d = amax / 127;
        const float id = amax >= 0x1p-100f && amax <= FLT_MAX ? 127 / amax : 0;
        int32_t     sum[2] = {0, 0};
        for (int i = 0; i < n_block && id != 0; i++) {
            const int32_t q = (int32_t)rintf(x[32 * j + i] * id);
            g->q[allm__place(32 * j + i)] = (int8_t)q;
            sum[i / 16] += q;
        }
        g->d[j] = d;
        for (int k = 0; k < 2; k++)
            g->n[j + 4 * k] = (int16_t)-sum[k], g->s[j + 4 * k] = d * (float)sum[k];
    }
}

/* Brings n <= 128 activations into order. */
static void allm__fgroup_place(const float *x, int64_t n, allm__fgroup *g) {
    if (n < ALLM__GROUP) memset(g, 0, sizeof *g);
    for (int64_t w = 0; w < n; w += 4) /* four columns stay together */
        memcpy(g->x + allm__place((int)w), x + w, (size_t)ALLM__MIN(4, n - w) * sizeof *x);
    for (int j = 0; j < 4; j++)
        for (int half = 0; half < 2; half++) {
            float sum = 0;
            for (int i = 0; i < 16; i++) sum += g->x[64 * half + i / 4 * 16 + 4 * j + i % 4];
            g->s[j + 4 * half] = sum;
        }
}

/* gemm_q8 for rows of floats: the rounded activations times the weights as they are. Not meant to be fast: matrices
 * of F32, F16 and BF16 belong to gemm_f32. */
static void allm__gemm_q8_float(const allm__mat *w, int64_t r0, int64_t r1, const allm__acts *a, float *y, int64_t ldy) {
    for (int64_t r = r0; r < r1; r++) {
        const uint8_t *row = (const uint8_t *)w->data + (size_t)r * w->row_bytes;
        for (int32_t t = 0; t < a->n_tokens; t++) y[t * ldy + r] = 0;
        for (int64_t i = 0; i < a->n_groups; i++) {
            float     x[ALLM__GROUP];
            const int n = (int)ALLM__MIN(ALLM__GROUP, w->n_cols - i * ALLM__GROUP);
            w->fmt->dequant(row + (size_t)(i * ALLM__GROUP) * (size_t)w->fmt->n_bytes, x, n);
            for (int32_t t = 0; t < a->n_tokens; t++) {
                const allm__agroup *g = a->g + t * a->n_groups + i;
                float               sum = 0;
                for (int k = 0; k < n; k++) sum += x[k] * (g->d[k / 32] * (float)g->q[allm__place(k)]);
                y[t * ldy + r] += sum;
            }
        }
    }
}

#endif /* !ALLM__PASS */

#ifdef ALLM__PASS
/* ==== what follows is compiled once per ISA */
#define ALLM__K(name) ALLM__JOIN(ALLM__JOIN(allm__kern_, name), ALLM__JOIN(_, ALLM__PASS_NAME))
#define ALLM__VL ALLM__V(width)

/* ---- vectors */

static void ALLM__K(add)(float *y, const float *x, int64_t n) {
    int64_t i = 0;
    for (; i + ALLM__VL <= n; i += ALLM__VL) allm__vstore(y + i, allm__vadd(allm__vload(y + i), allm__vload(x + i)));
    for (; i < n; i++) y[i] += x[i];
}

/* Sum of (x - mean)^2 and of x; four chains, then one. */
ALLM__INLINE float ALLM__K(sum_squares)(const float *x, float mean, int64_t n) {
    const allm__vf m = allm__vset(mean);
    allm__vf       a = allm__vset(0), b = a, v;
    int64_t        i = 0;
    for (; i + 2 * ALLM__VL <= n; i += 2 * ALLM__VL) {
        v = allm__vsub(allm__vload(x + i), m), a = allm__vfma(v, v, a);
        v = allm__vsub(allm__vload(x + i + ALLM__VL), m), b = allm__vfma(v, v, b);
    }
    float sum = allm__vsum(allm__vadd(a, b));
    for (; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
    return sum;
}

ALLM__INLINE float ALLM__K(sum)(const float *x, int64_t n) {
    allm__vf a = allm__vset(0);
    int64_t  i = 0;
    for (; i + ALLM__VL <= n; i += ALLM__VL) a = allm__vadd(a, allm__vload(x + i));
    float sum = allm__vsum(a);
    for (; i < n; i++) sum += x[i];
    return sum;
}

/* y = (x - mean) * scale * weight + bias */
ALLM__INLINE void ALLM__K(affine)(const float *x, float mean, float scale, const float *weight, const float *bias,
                                  float *y, int64_t n) {
    const allm__vf m = allm__vset(mean), s = allm__vset(scale);
    int64_t        i = 0;
    for (; i < n; i += ALLM__VL) {
        const int k = (int)ALLM__MIN(n - i, ALLM__VL);
        allm__vf  v = allm__vmul(allm__vsub(k < ALLM__VL ? allm__vload_n(x + i, k) : allm__vload(x + i), m), s);
        if (weight) v = allm__vmul(v, k < ALLM__VL ? allm__vload_n(weight + i, k) : allm__vload(weight + i));
        if (bias) v = allm__vadd(v, k < ALLM__VL ? allm__vload_n(bias + i, k) : allm__vload(bias + i));
        if (k < ALLM__VL) allm__vstore_n(y + i, v, k);
        else allm__vstore(y + i, v);
    }
}

static void ALLM__K(rms_norm)(const float *x, const float *weight, float eps, float *y, int64_t n) {
    const float scale = 1 / sqrtf(ALLM__K(sum_squares)(x, 0, n) / (float)n + eps);
    ALLM__K(affine)(x, 0, scale, weight, NULL, y, n);
}

static void ALLM__K(layer_norm)(const float *x, const float *weight, const float *bias, float eps, float *y,
                                int64_t n) {
    const float mean  = ALLM__K(sum)(x, n) / (float)n;
    const float scale = 1 / sqrtf(ALLM__K(sum_squares)(x, mean, n) / (float)n + eps);
    ALLM__K(affine)(x, mean, scale, weight, bias, y, n);
}

/* e^x, relative error below 1.2e-7; 0 for -Inf and below -104, Inf above 88.8, NaN stays. x = n ln 2 + r with
 * |r| <= ln 2 / 2 (Cody and Waite's two-part constant), then the Taylor series of e^r to r^7. */
ALLM__INLINE allm__vf ALLM__K(exp)(allm__vf x) {
    x                = allm__vclamp(x, -104.0f, 89.0f);
    const allm__vf n = allm__vround(allm__vmul(x, allm__vset(1.44269504f)));
    allm__vf       r = allm__vfma(n, allm__vset(-0.693359375f), x); /* 10 bits of ln 2: n times it is exact */
    r                = allm__vfma(n, allm__vset(2.12194440e-4f), r);
    allm__vf p       = allm__vset(1.0f / 5040);
    p                = allm__vfma(p, r, allm__vset(1.0f / 720));
    p                = allm__vfma(p, r, allm__vset(1.0f / 120));
    p                = allm__vfma(p, r, allm__vset(1.0f / 24));
    p                = allm__vfma(p, r, allm__vset(1.0f / 6));
    p                = allm__vfma(p, r, allm__vset(0.5f));
    p                = allm__vfma(allm__vmul(r, r), p, r); /* e^r - 1: small, so that the last sum rounds last */
    return allm__vldexp(allm__vadd(p, allm__vset(1)), n);
}

static void ALLM__K(swiglu)(float *gate, const float *up, int64_t n) {
    const allm__vf one = allm__vset(1), zero = allm__vset(0);
    for (int64_t i = 0; i < n; i += ALLM__VL) {
        const int k = (int)ALLM__MIN(n - i, ALLM__VL);
        allm__vf  g = k < ALLM__VL ? allm__vload_n(gate + i, k) : allm__vload(gate + i);
        allm__vf  u = k < ALLM__VL ? allm__vload_n(up + i, k) : allm__vload(up + i);
        allm__vf  e = ALLM__K(exp)(allm__vsub(zero, g));
        g           = allm__vmul(allm__vdiv(g, allm__vadd(one, e)), u);
        if (k < ALLM__VL) allm__vstore_n(gate + i, g, k);
        else allm__vstore(gate + i, g);
    }
}

static void ALLM__K(rope_pairs)(float *x, const float *cos_sin, int64_t n_rot) {
    for (int64_t i = 0; i + 1 < n_rot; i += 2) {
        const float a = x[i], b = x[i + 1], c = cos_sin[i], s = cos_sin[i + 1];
        x[i] = a * c - b * s, x[i + 1] = a * s + b * c;
    }
}

static void ALLM__K(rope_halves)(float *x, const float *cos_sin, int64_t n_rot) {
    const int64_t half = n_rot / 2;
    for (int64_t i = 0; i < half; i++) {
        const float a = x[i], b = x[i + half], c = cos_sin[2 * i], s = cos_sin[2 * i + 1];
        x[i] = a * c - b * s, x[i + half] = a * s + b * c;
    }
}

static float ALLM__K(max)(const float *x, int64_t n) {
    allm__vf top = allm__vset(-INFINITY), nan = allm__vset(0);
    int64_t  i = 0;
    for (; i + ALLM__VL <= n; i += ALLM__VL) {
        const allm__vf v = allm__vload(x + i);
        top = allm__vmax(v, top), nan = allm__vfma(v, allm__vset(0), nan); /* Inf gives NaN too: looked at below */
    }
    float best = allm__vtop(top), odd = allm__vsum(nan);
    if (odd != odd)
        for (int64_t k = 0; k < i; k++)
            if (x[k] != x[k]) return x[k];
    for (; i < n; i++) {
        if (x[i] != x[i]) return x[i];
        best = ALLM__MAX(best, x[i]);
    }
    return best;
}

static float ALLM__K(exp_sum)(const float *x, float max, float *y, int64_t n) {
    const allm__vf m = allm__vset(max);
    allm__vf       sum = allm__vset(0);
    int64_t        i = 0;
    for (; i + ALLM__VL <= n; i += ALLM__VL) {
        const allm__vf e = ALLM__K(exp)(allm__vsub(allm__vload(x + i), m));
        sum = allm__vadd(sum, e), allm__vstore(y + i, e);
    }
    float total = allm__vsum(sum);
    if (i < n) {
        const int k = (int)(n - i);
        allm__vstore_n(y + i, ALLM__K(exp)(allm__vsub(allm__vload_n(x + i, k), m)), k);
        for (; i < n; i++) total += y[i];
    }
    return total;
}

/* ---- attention */

static void ALLM__K(kv_store)(const float *src, void *dst, int32_t n, allm_kv_type type) {
    uint16_t *p = (uint16_t *)dst;
    int32_t   i = 0;
    if (type == ALLM_KV_F32) memcpy(dst, src, (size_t)n * 4);
    else if (type == ALLM_KV_BF16)
        for (; i < n; i++) p[i] = allm__f32_to_bf16(src[i]);
    else {
        for (; i + ALLM__VL <= n; i += ALLM__VL) allm__vstore_f16(p + i, allm__vload(src + i));
        for (; i < n; i++) p[i] = allm__f32_to_f16(src[i]);
    }
}

/* ALLM__VL elements of a cached row from element i, or with `tail` its last n, then zeros. */
ALLM__INLINE allm__vf ALLM__K(kv_load)(const uint8_t *row, int32_t i, int tail, int32_t n, allm_kv_type type) {
    uint16_t    rest[ALLM__VL] = {0};
    const void *p              = row + (type == ALLM_KV_F32 ? 4 : 2) * (size_t)i;
    if (type == ALLM_KV_F32) return tail ? allm__vload_n((const float *)p, n) : allm__vload((const float *)p);
    if (tail) p = memcpy(rest, p, (size_t)n * 2);
    return type == ALLM_KV_BF16 ? allm__vload_bf16(p) : allm__vload_f16(p);
}

typedef struct ALLM__K(attend_job) {
    const uint8_t *k, *v;
    size_t         key_stride;
    int32_t        head_dim, pad; /* pad: floats of a padded row */
    float         *q, *out, *p;   /* [n_q, pad] scaled; [n_q, pad]; [n_q, ALLM__KEYS] */
    float         *top, *sum;     /* [n_q] running maximum and denominator */
} ALLM__K(attend_job);

/* acc[h][i] += query h . key i over the vector at element e, for n_heads (constant) queries and four keys. */
ALLM__INLINE void ALLM__K(attend_dot)(const float *q, int32_t pad, int n_heads, const uint8_t *const row[4], int32_t e,
                                      int tail, int32_t n, allm_kv_type type, allm__vf acc[4][4]) {
    const allm__vf k0 = ALLM__K(kv_load)(row[0], e, tail, n, type), k1 = ALLM__K(kv_load)(row[1], e, tail, n, type);
    const allm__vf k2 = ALLM__K(kv_load)(row[2], e, tail, n, type), k3 = ALLM__K(kv_load)(row[3], e, tail, n, type);
    ALLM__UNROLL(4) for (int h = 0; h < n_heads; h++) {
        const allm__vf v = allm__vload(q + h * pad + e);
        acc[h][0] = allm__vfma(k0, v, acc[h][0]), acc[h][1] = allm__vfma(k1, v, acc[h][1]);
        acc[h][2] = allm__vfma(k2, v, acc[h][2]), acc[h][3] = allm__vfma(k3, v, acc[h][3]);
    }
}

/* Scores of n_heads (constant, at most 4) queries from h0 against keys [from, to) of the block that starts at key
 * `base`; four keys in flight, past the end the last again. */
ALLM__INLINE void ALLM__K(attend_scores)(const ALLM__K(attend_job) *j, int h0, int n_heads, int64_t base, int64_t from,
                                         int64_t to, allm_kv_type type) {
    const float *q = j->q + h0 * j->pad;
    for (int64_t key = from; key < to; key += 4) {
        const uint8_t *row[4];
        allm__vf       acc[4][4];
        int32_t        e = 0;
        for (int i = 0; i < 4; i++) row[i] = j->k + (size_t)ALLM__MIN(key + i, to - 1) * j->key_stride;
        ALLM__UNROLL(4) for (int h = 0; h < n_heads; h++)
            acc[h][0] = acc[h][1] = acc[h][2] = acc[h][3] = allm__vset(0);
        for (; e + ALLM__VL <= j->head_dim; e += ALLM__VL)
            ALLM__K(attend_dot)(q, j->pad, n_heads, row, e, 0, 0, type, acc);
        if (e < j->head_dim) ALLM__K(attend_dot)(q, j->pad, n_heads, row, e, 1, j->head_dim - e, type, acc);
        ALLM__UNROLL(4) for (int h = 0; h < n_heads; h++) {
            float score[4];
            allm__vsum4(score, acc[h][0], acc[h][1], acc[h][2], acc[h][3]);
            memcpy(j->p + (h0 + h) * ALLM__KEYS + (key - base), score, (size_t)ALLM__MIN(4, to - key) * sizeof *score);
        }
    }
}

/* Scores of head h to weights e^(s - max); what was summed before is rescaled to the new maximum. */
ALLM__INLINE float ALLM__K(attend_weights)(const ALLM__K(attend_job) *j, int h) {
    float   *p   = j->p + h * ALLM__KEYS;
    allm__vf top = allm__vset(j->top[h]), sum = allm__vset(0);
    for (int i = 0; i < ALLM__KEYS; i += ALLM__VL) top = allm__vmax(allm__vload(p + i), top);
    const float    best   = allm__vtop(top);
    const float    factor = best == j->top[h] ? 1 : allm__vtop(ALLM__K(exp)(allm__vset(j->top[h] - best)));
    const allm__vf m      = allm__vset(best);
    for (int i = 0; i < ALLM__KEYS; i += ALLM__VL) {
        const allm__vf e = ALLM__K(exp)(allm__vsub(allm__vload(p + i), m));
        sum = allm__vadd(sum, e), allm__vstore(p + i, e);
    }
    j->sum[h]          = j->sum[h] * factor + allm__vsum(sum);
    j->top[h]          = best;
    return factor;
}

/* out = out * factor + sum over keys of weight * value, for n_parts (constant, at most 4) vectors of the heads from
 * element e on; each element is one chain over the keys. */
ALLM__INLINE void ALLM__K(attend_part)(const ALLM__K(attend_job) *j, int h0, int n_heads, int32_t e, int n_parts,
                                       int tail, int64_t base, int64_t from, int64_t to, const float factor[4],
                                       allm_kv_type type) {
    allm__vf acc[4][4];
    ALLM__UNROLL(4) for (int h = 0; h < n_heads; h++)
        ALLM__UNROLL(4) for (int i = 0; i < n_parts; i++)
            acc[h][i] = allm__vmul(allm__vload(j->out + (h0 + h) * j->pad + e + i * ALLM__VL), allm__vset(factor[h]));
    for (int64_t key = from; key < to; key++) {
        const uint8_t *row = j->v + (size_t)key * j->key_stride;
        const float   *p   = j->p + h0 * ALLM__KEYS + (key - base);
        ALLM__UNROLL(4) for (int i = 0; i < n_parts; i++) {
            const allm__vf v = ALLM__K(kv_load)(row, e + i * ALLM__VL, tail, j->head_dim - e, type);
            ALLM__UNROLL(4) for (int h = 0; h < n_heads; h++)
                acc[h][i] = allm__vfma(v, allm__vset(p[h * ALLM__KEYS]), acc[h][i]);
        }
    }
    ALLM__UNROLL(4) for (int h = 0; h < n_heads; h++)
        ALLM__UNROLL(4) for (int i = 0; i < n_parts; i++)
            allm__vstore(j->out + (h0 + h) * j->pad + e + i * ALLM__VL, acc[h][i]);
}

ALLM__INLINE void ALLM__K(attend_values)(const ALLM__K(attend_job) *j, int h0, int n_heads, int64_t base, int64_t from,
                                         int64_t to, const float factor[4], allm_kv_type type) {
    const int32_t n_parts = n_heads <= 2 ? 4 : 2; /* enough chains to hide the latency of a fused multiply-add */
    int32_t       e       = 0;
    for (; e + n_parts * ALLM__VL <= j->head_dim; e += n_parts * ALLM__VL)
        ALLM__K(attend_part)(j, h0, n_heads, e, n_parts, 0, base, from, to, factor, type);
    for (; e + ALLM__VL <= j->head_dim; e += ALLM__VL)
        ALLM__K(attend_part)(j, h0, n_heads, e, 1, 0, base, from, to, factor, type);
    if (e < j->head_dim) ALLM__K(attend_part)(j, h0, n_heads, e, 1, 1, base, from, to, factor, type);
}

/* One block for n_heads (constant) heads. */
ALLM__INLINE void ALLM__K(attend_heads)(const ALLM__K(attend_job) *j, int h0, int n_heads, int64_t base, int64_t from,
                                        int64_t to, allm_kv_type type) {
    float factor[4];
    for (int h = h0; h < h0 + n_heads; h++)
        for (int i = 0; i < ALLM__KEYS; i++) j->p[h * ALLM__KEYS + i] = -INFINITY;
    ALLM__K(attend_scores)(j, h0, n_heads, base, from, to, type);
    for (int h = 0; h < n_heads; h++) factor[h] = ALLM__K(attend_weights)(j, h0 + h);
    ALLM__K(attend_values)(j, h0, n_heads, base, from, to, factor, type);
}

/* The default type gets code of its own for up to four heads; the others go head by head, which gives the same bits. */
static void ALLM__K(attend_block)(const ALLM__K(attend_job) *j, int n_q, int64_t base, int64_t from, int64_t to,
                                  allm_kv_type type) {
    int h = 0;
    if (type == ALLM_KV_F16 && ALLM__VL > 1) {
        for (; h + 4 <= n_q; h += 4) ALLM__K(attend_heads)(j, h, 4, base, from, to, ALLM_KV_F16);
        if (n_q - h == 3) ALLM__K(attend_heads)(j, h, 3, base, from, to, ALLM_KV_F16), h += 3;
        if (n_q - h == 2) ALLM__K(attend_heads)(j, h, 2, base, from, to, ALLM_KV_F16), h += 2;
        if (n_q - h == 1) ALLM__K(attend_heads)(j, h, 1, base, from, to, ALLM_KV_F16), h += 1;
    }
    for (; h < n_q; h++) ALLM__K(attend_heads)(j, h, 1, base, from, to, type);
}

static void ALLM__K(attend)(const float *q, int32_t n_q, int32_t head_dim, const void *k, const void *v,
                            size_t key_stride, allm_kv_type type, int64_t k0, int64_t k1, float scale, float *out,
                            float *scratch) {
    ALLM__K(attend_job) j;
    j.k = (const uint8_t *)k, j.v = (const uint8_t *)v, j.key_stride = key_stride;
    j.head_dim = head_dim, j.pad = allm__attend_pad(head_dim);
    j.q = scratch, j.out = j.q + n_q * j.pad, j.p = j.out + n_q * j.pad;
    j.top = j.p + n_q * ALLM__KEYS, j.sum = j.top + n_q;
    memset(scratch, 0, 2 * (size_t)n_q * (size_t)j.pad * sizeof(float));
    for (int32_t h = 0; h < n_q; h++) {
        for (int32_t i = 0; i < head_dim; i++) j.q[h * j.pad + i] = q[h * head_dim + i] * scale;
        j.top[h] = -FLT_MAX, j.sum[h] = 0;
    }
    for (int64_t from = k0; from < k1;) {
        const int64_t base = from - from % ALLM__KEYS, to = ALLM__MIN(base + ALLM__KEYS, k1);
        ALLM__K(attend_block)(&j, n_q, base, from, to, type);
        from = to;
    }
    for (int32_t h = 0; h < n_q; h++) {
        const float id = j.sum[h] != 0 ? 1 / j.sum[h] : 0; /* 0: no keys */
        for (int32_t i = 0; i < head_dim; i++) out[h * head_dim + i] = j.out[h * j.pad + i] * id;
    }
}

/* ---- matrix times float activations */


/* ALLM__VL weights of a float row from column i. */
ALLM__INLINE allm__vf ALLM__K(row_load)(const uint8_t *row, int64_t i, int32_t id) {
    if (id == ALLM__F32) return allm__vload((const float *)(const void *)(row + 4 * i));
    return id == ALLM__BF16 ? allm__vload_bf16(row + 2 * i) : allm__vload_f16(row + 2 * i);
}

ALLM__INLINE allm__vf ALLM__K(row_load_n)(const uint8_t *row, int64_t i, int32_t n, const allm__fmt *fmt) {
    float tail[ALLM__VL];
    fmt->dequant(row + (size_t)i * (size_t)fmt->n_bytes, tail, n);
    return allm__vload_n(tail, n);
}

/* Four rows of floats times one token; one chain a row. */
ALLM__INLINE void ALLM__K(dot4_float)(const uint8_t *const row[4], const float *x, int64_t n, const allm__fmt *fmt,
                                      int32_t id, size_t ahead, float y[4]) {
    const size_t step = 4 * ALLM__VL * (id == ALLM__F32 ? 4 : 2);
    allm__vf a = allm__vset(0), b = a, c = a, d = a;
    int64_t  i = 0;
    for (; i + ALLM__VL <= n; i += ALLM__VL) {
        const allm__vf v = allm__vload(x + i);
        for (size_t k = 0; k < step; k += 64) ALLM__PREFETCH(row[0], ahead + (size_t)i * step / ALLM__VL + k);
        a = allm__vfma(ALLM__K(row_load)(row[0], i, id), v, a), b = allm__vfma(ALLM__K(row_load)(row[1], i, id), v, b);
        c = allm__vfma(ALLM__K(row_load)(row[2], i, id), v, c), d = allm__vfma(ALLM__K(row_load)(row[3], i, id), v, d);
    }
    if (i < n) {
        const int      k = (int)(n - i);
        const allm__vf v = allm__vload_n(x + i, k);
        a = allm__vfma(ALLM__K(row_load_n)(row[0], i, k, fmt), v, a);
        b = allm__vfma(ALLM__K(row_load_n)(row[1], i, k, fmt), v, b);
        c = allm__vfma(ALLM__K(row_load_n)(row[2], i, k, fmt), v, c);
        d = allm__vfma(ALLM__K(row_load_n)(row[3], i, k, fmt), v, d);
    }
    y[0] = allm__vsum(a), y[1] = allm__vsum(b), y[2] = allm__vsum(c), y[3] = allm__vsum(d);
}

/* acc + scale * (32 codes . x): the codes as floats are exact. */
ALLM__INLINE allm__vf ALLM__K(dot_block_q8_0)(const allm__q8_0 *b, const float *x, allm__vf acc) {
    allm__vf t = allm__vmul(allm__vload_i8(b->qs), allm__vload(x));
    for (int i = ALLM__VL; i < 32; i += ALLM__VL) t = allm__vfma(allm__vload_i8(b->qs + i), allm__vload(x + i), t);
    return allm__vfma(t, allm__vset_f16(b->d), acc);
}

ALLM__INLINE void ALLM__K(dot4_q8_0)(const uint8_t *const row[4], const float *x, int64_t n, size_t ahead, float y[4]) {
    allm__vf acc0 = allm__vset(0), acc1 = acc0, acc2 = acc0, acc3 = acc0;
    for (int64_t i = 0; i < n / 32; i++) {
        ALLM__PREFETCH(row[0], ahead + 4 * sizeof(allm__q8_0) * (size_t)i);
        ALLM__PREFETCH(row[0], ahead + 4 * sizeof(allm__q8_0) * (size_t)i + 64);
        acc0 = ALLM__K(dot_block_q8_0)((const allm__q8_0 *)row[0] + i, x + 32 * i, acc0);
        acc1 = ALLM__K(dot_block_q8_0)((const allm__q8_0 *)row[1] + i, x + 32 * i, acc1);
        acc2 = ALLM__K(dot_block_q8_0)((const allm__q8_0 *)row[2] + i, x + 32 * i, acc2);
        acc3 = ALLM__K(dot_block_q8_0)((const allm__q8_0 *)row[3] + i, x + 32 * i, acc3);
    }
    y[0] = allm__vsum(acc0), y[1] = allm__vsum(acc1), y[2] = allm__vsum(acc2), y[3] = allm__vsum(acc3);
}

/* A dequantised row times four tokens, in the order of dot4_float. */
ALLM__INLINE void ALLM__K(dot_tokens)(const float *row, const float *const x[4], int64_t n, float y[4]) {
    allm__vf a = allm__vset(0), b = a, c = a, d = a;
    int64_t  i = 0;
    for (; i + ALLM__VL <= n; i += ALLM__VL) {
        const allm__vf w = allm__vload(row + i);
        a = allm__vfma(w, allm__vload(x[0] + i), a), b = allm__vfma(w, allm__vload(x[1] + i), b);
        c = allm__vfma(w, allm__vload(x[2] + i), c), d = allm__vfma(w, allm__vload(x[3] + i), d);
    }
    if (i < n) {
        const int      k = (int)(n - i);
        const allm__vf w = allm__vload_n(row + i, k);
        a = allm__vfma(w, allm__vload_n(x[0] + i, k), a), b = allm__vfma(w, allm__vload_n(x[1] + i, k), b);
        c = allm__vfma(w, allm__vload_n(x[2] + i, k), c), d = allm__vfma(w, allm__vload_n(x[3] + i, k), d);
    }
    y[0] = allm__vsum(a), y[1] = allm__vsum(b), y[2] = allm__vsum(c), y[3] = allm__vsum(d);
}

/* ---- matrix times int8 activations */

#if ALLM__PASS == ALLM__PASS_SCALAR
static void ALLM__K(acts_quant)(allm__acts *a, const float *x, int32_t t0, int32_t t1) {
    for (int64_t t = t0; t < t1; t++)
        for (int64_t i = 0; i < a->n_groups; i++)
            allm__agroup_quant(x + t * a->n_cols + i * ALLM__GROUP,
                               (int32_t)ALLM__MIN(ALLM__GROUP, a->n_cols - i * ALLM__GROUP), &a->g[t * a->n_groups + i]);
}

/* One group's part of a dot product. */
static float ALLM__K(group_dot)(const allm__wgroup *w, const allm__agroup *a, int32_t offset) {
    float sum = 0;
    for (int j = 0; j < 4; j++) {
        int32_t isum[2] = {offset * a->n[j], offset * a->n[j + 4]};
        for (int k = 0; k < 32; k++) {
            const int at = 16 * (k / 4) + 4 * j + k % 4;
            isum[k / 16] += w->q[at] * a->q[at];
        }
        sum += (w->d[j] * (float)isum[0] + w->d[j + 4] * (float)isum[1]) * a->d[j];
        sum += w->m[j] * a->s[j] + w->m[j + 4] * a->s[j + 4];
    }
    return sum;
}

static void ALLM__K(gemm_q8)(const allm__mat *w, int64_t r0, int64_t r1, const allm__acts *a, float *y, int64_t ldy) {
    const allm__codec *codec = allm__codec_find(w->fmt->id);
    if (!codec) {
        allm__gemm_q8_float(w, r0, r1, a, y, ldy);
        return;
    }
    const int32_t offset = codec->shift == ALLM__NO_OFFSET ? 0 : 1 << codec->shift;
    for (int64_t r = r0; r < r1; r++) {
        const uint8_t *row = (const uint8_t *)w->data + (size_t)r * w->row_bytes;
        for (int32_t t = 0; t < a->n_tokens; t++) y[t * ldy + r] = 0;
        for (int64_t i = 0; i < a->n_groups; i++) {
            allm__wgroup g;
            memset(&g, 0, sizeof g);
            codec->unpack(row, i, allm__group_blocks(a->n_cols, i), &g);
            for (int32_t t = 0; t < a->n_tokens; t++)
                y[t * ldy + r] += ALLM__K(group_dot)(&g, &a->g[t * a->n_groups + i], offset);
        }
    }
}
#endif

#if ALLM__PASS != ALLM__PASS_SCALAR
/* x to codes: as allm__agroup_quant, by vectors. */
ALLM__INLINE void ALLM__K(block_quant)(const float *x, int8_t *q, float *d) {
    allm__vf top = allm__vset(0);
    for (int i = 0; i < 32; i += ALLM__VL) top = allm__vmaxbits(top, allm__vabs(allm__vload(x + i)));
    const float amax = allm__vtopbits(top);
    *d               = amax / 127;
    if (!(amax >= 0x1p-100f && amax <= FLT_MAX)) {
        memset(q, 0, 32);
        return;
    }
    const allm__vf id = allm__vset(127 / amax);
    for (int i = 0; i < 32; i += ALLM__VL) allm__vstore_i8(q + i, allm__vround(allm__vmul(allm__vload(x + i), id)));
}

static void ALLM__K(group_quant)(const float *x, allm__agroup *g) {
    int8_t  q[ALLM__GROUP];
    int32_t sum[8];
    for (int j = 0; j < 4; j++) ALLM__K(block_quant)(x + 32 * j, q + 32 * j, &g->d[j]);
    for (int half = 0; half < 2; half++) {
        const int8_t *p = q + 16 * half;
        allm__vb_turn(g->q + 64 * half, allm__vb_load(p), allm__vb_load(p + 32), allm__vb_load(p + 64),
                      allm__vb_load(p + 96));
        allm__vb_sums(sum + 4 * half, g->q + 64 * half);
    }
    for (int i = 0; i < 8; i++) g->n[i] = (int16_t)-sum[i], g->s[i] = g->d[i % 4] * (float)sum[i];
}

static void ALLM__K(acts_quant)(allm__acts *a, const float *x, int32_t t0, int32_t t1) {
    for (int64_t t = t0; t < t1; t++) {
        const float  *row = x + t * a->n_cols;
        allm__agroup *g   = a->g + t * a->n_groups;
        int64_t       i   = 0;
        for (; i < a->n_cols / ALLM__GROUP; i++) ALLM__K(group_quant)(row + i * ALLM__GROUP, g + i);
        if (i < a->n_groups) allm__agroup_quant(row + i * ALLM__GROUP, (int32_t)(a->n_cols - i * ALLM__GROUP), g + i);
    }
}

#if ALLM__PASS != ALLM__PASS_AVX512
/* ---- codes by vectors of 16 bytes: v[j] holds those of one half of block j; blocks that are not there are zero */

#define ALLM__BLOCKS(name, what)                                                                                  \
    ALLM__INLINE void ALLM__K(codes_##name)(const uint8_t *row, int64_t i, int n_blocks, int half, allm__vb v[4]) { \
        const allm__##name *b = (const allm__##name *)row + 4 * i;                                                \
        ALLM__UNROLL(4) for (int j = 0; j < 4; j++) v[j] = j < n_blocks ? (what) : allm__vb_set(0);               \
    }
#define ALLM__SUPERBLOCKS(name, what)                                                                             \
    ALLM__INLINE void ALLM__K(codes_##name)(const uint8_t *row, int64_t i, int n_blocks, int half, allm__vb v[4]) { \
        const allm__##name *b = (const allm__##name *)row + i / 2;                                                \
        const int           n = (int)(i & 1);                                                                     \
        (void)n_blocks;                                                                                           \
        ALLM__UNROLL(4) for (int j = 0; j < 4; j++) v[j] = what;                                                  \
    }

/* n bits from bit `at` of each byte. */
ALLM__INLINE allm__vb ALLM__K(bits)(const uint8_t *p, int at, int n) {
    return allm__vb_and(allm__vb_shr(allm__vb_load(p), at), (1 << n) - 1);
}

/* The low bits of the codes, and high ones that are shifted into place. */
ALLM__INLINE allm__vb ALLM__K(both)(allm__vb low, allm__vb high, int at) {
    return allm__vb_or(low, allm__vb_shl(high, at));
}

ALLM__BLOCKS(q4_0, ALLM__K(bits)(b[j].qs, 4 * half, 4))
ALLM__BLOCKS(q4_1, ALLM__K(bits)(b[j].qs, 4 * half, 4))
ALLM__BLOCKS(q5_0, allm__vb_or(ALLM__K(bits)(b[j].qs, 4 * half, 4), allm__vb_bits(b[j].qh + 2 * half, 16)))
ALLM__BLOCKS(q5_1, allm__vb_or(ALLM__K(bits)(b[j].qs, 4 * half, 4), allm__vb_bits(b[j].qh + 2 * half, 16)))
ALLM__BLOCKS(q8_0, allm__vb_xor(allm__vb_load(b[j].qs + 16 * half), 128))
ALLM__SUPERBLOCKS(q2_k, ALLM__K(bits)(b->qs + 32 * n + 16 * half, 2 * j, 2))
ALLM__SUPERBLOCKS(q3_k, ALLM__K(both)(ALLM__K(bits)(b->qs + 32 * n + 16 * half, 2 * j, 2),
                                      ALLM__K(bits)(b->hmask + 16 * half, 4 * n + j, 1), 2))
ALLM__SUPERBLOCKS(q4_k, ALLM__K(bits)(b->qs + 64 * n + j / 2 * 32 + 16 * half, j % 2 * 4, 4))
ALLM__SUPERBLOCKS(q5_k, ALLM__K(both)(ALLM__K(bits)(b->qs + 64 * n + j / 2 * 32 + 16 * half, j % 2 * 4, 4),
                                      ALLM__K(bits)(b->qh + 16 * half, 4 * n + j, 1), 4))
ALLM__SUPERBLOCKS(q6_k, ALLM__K(both)(ALLM__K(bits)(b->ql + 64 * n + j % 2 * 32 + 16 * half, j / 2 * 4, 4),
                                      ALLM__K(bits)(b->qh + 32 * n + 16 * half, 2 * j, 2), 4))
#undef ALLM__BLOCKS
#undef ALLM__SUPERBLOCKS
#endif

#if ALLM__PASS == ALLM__PASS_NEON
/* Scales and minima: the plain arithmetic. */
#define ALLM__BLOCKS(name, minimum)                                                                          \
    ALLM__INLINE void ALLM__K(heads_##name)(const uint8_t *row, int64_t i, int n_blocks, allm__wgroup *g) {  \
        const allm__##name *b = (const allm__##name *)row + 4 * i;                                           \
        for (int j = 0; j < n_blocks; j++) allm__wgroup_scale(g, j, allm__vh(b[j].d), minimum);              \
    }
ALLM__BLOCKS(q4_0, 0)
ALLM__BLOCKS(q4_1, allm__vh(b[j].m))
ALLM__BLOCKS(q5_0, 0)
ALLM__BLOCKS(q5_1, allm__vh(b[j].m))
ALLM__BLOCKS(q8_0, 0)
#undef ALLM__BLOCKS
#define ALLM__SUPERBLOCKS(name, count, statement)                                                            \
    ALLM__INLINE void ALLM__K(heads_##name)(const uint8_t *row, int64_t i, int n_blocks, allm__wgroup *g) {  \
        const allm__##name *b = (const allm__##name *)row + i / 2;                                           \
        const int           n = (int)(i & 1);                                                                \
        const float         d = allm__vh(b->d);                                                              \
        (void)n_blocks;                                                                                      \
        for (int k = 0; k < count; k++) statement;                                                           \
    }
ALLM__INLINE void ALLM__K(scale_k)(allm__wgroup *g, const uint8_t *scales, int n, int j, float d, float dmin) {
    int sc, m;
    allm__q4_k_scale(scales, 4 * n + j, &sc, &m);
    allm__wgroup_scale(g, j, d * (float)sc, -dmin * (float)m);
}
ALLM__INLINE void ALLM__K(scale_16)(allm__wgroup *g, int k, float d, float m) { /* sixteenth k of the half */
    g->d[k / 2 + 4 * (k % 2)] = d, g->m[k / 2 + 4 * (k % 2)] = m;
}
ALLM__SUPERBLOCKS(q2_k, 8, ALLM__K(scale_16)(g, k, d * (float)(b->scales[8 * n + k] & 15),
                                             -allm__vh(b->dmin) * (float)(b->scales[8 * n + k] >> 4)))
ALLM__SUPERBLOCKS(q3_k, 8, ALLM__K(scale_16)(g, k, d * (float)allm__q3_k_scale(b->scales, 8 * n + k), 0))
ALLM__SUPERBLOCKS(q4_k, 4, ALLM__K(scale_k)(g, b->scales, n, k, d, allm__vh(b->dmin)))
ALLM__SUPERBLOCKS(q5_k, 4, ALLM__K(scale_k)(g, b->scales, n, k, d, allm__vh(b->dmin)))
ALLM__SUPERBLOCKS(q6_k, 8, ALLM__K(scale_16)(g, k, d * (float)b->scales[8 * n + k], 0))
#undef ALLM__SUPERBLOCKS

/* One unpacked group times float activations. */
ALLM__INLINE allm__vf ALLM__K(f32_step)(const allm__wgroup *w, const allm__fgroup *g, int offset, int has_min, allm__vf acc) {
    for (int half = 0; half < 2; half++)
        for (int j = 0; j < 4; j++) {
            const int at = 64 * half + 4 * j;
            allm__vf  t  = allm__vmul(allm__vload_u8(w->q + at, offset), allm__vload(g->x + at));
            for (int i = 16; i < 64; i += 16)
                t = allm__vfma(allm__vload_u8(w->q + at + i, offset), allm__vload(g->x + at + i), t);
            acc = allm__vfma(t, allm__vset(w->d[4 * half + j]), acc);
        }
    for (int i = 0; i < 8 && has_min; i += 4) acc = allm__vfma(allm__vload(w->m + i), allm__vload(g->s + i), acc);
    return acc;
}

/* The functions of a format; a group that is not whole leaves zeros. */
#define ALLM__CODEC(name, shift, has_min)                                                                                       \
    static void ALLM__K(unpack_##name)(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {  \
        allm__vb v[4];                                                                                            \
        if (n_blocks < 4) memset(g, 0, sizeof *g);                                                                \
        ALLM__K(heads_##name)(row, i_group, n_blocks, g);                                                         \
        for (int half = 0; half < 2; half++) {                                                                    \
            ALLM__K(codes_##name)(row, i_group, n_blocks, half, v);                                               \
            allm__vb_turn(g->q + 64 * half, v[0], v[1], v[2], v[3]);                                              \
        }                                                                                                         \
    }                                                                                                             \
    static float ALLM__K(dot_f32_##name)(const uint8_t *row, const allm__fgroup *a, int64_t g0, int64_t g1,       \
                                         int64_t n_cols) {                                                        \
        allm__vf acc = allm__vset(0);                                                                             \
        for (int64_t i = g0; i < g1; i++) {                                                                       \
            allm__wgroup w;                                                                                       \
            ALLM__K(unpack_##name)(row, i, allm__group_blocks(n_cols, i), &w);                                    \
            acc = ALLM__K(f32_step)(&w, a + (i - g0), shift < 32 ? 1 << shift : 0, has_min, acc);                 \
        }                                                                                                         \
        return allm__vsum(acc);                                                                                   \
    }
ALLM__CODEC(q4_0, 3, 0)
ALLM__CODEC(q4_1, 32, 1)
ALLM__CODEC(q5_0, 4, 0)
ALLM__CODEC(q5_1, 32, 1)
ALLM__CODEC(q8_0, 7, 0)
ALLM__CODEC(q2_k, 32, 1)
ALLM__CODEC(q3_k, 2, 0)
ALLM__CODEC(q4_k, 32, 1)
ALLM__CODEC(q5_k, 32, 1)
ALLM__CODEC(q6_k, 5, 0)
#undef ALLM__CODEC
#endif

#if ALLM__PASS == ALLM__PASS_AVX2 || ALLM__PASS == ALLM__PASS_AVX512
/* ---- scales of superblocks, as floats, in lanes */

ALLM__INLINE uint32_t ALLM__K(load_u32)(const uint8_t *p) { uint32_t u; memcpy(&u, p, sizeof u); return u; }
ALLM__INLINE uint64_t ALLM__K(load_u64)(const void *p) { uint64_t u; memcpy(&u, p, sizeof u); return u; }

/* Four unsigned bytes times a factor. */
ALLM__INLINE __m128 ALLM__K(times4)(uint32_t bytes, float d) {
    return _mm_mul_ps(_mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_cvtsi32_si128((int32_t)bytes))), _mm_set1_ps(d));
}

/* Six-bit scales and minima of four blocks: see allm__q4_k_scale. */
ALLM__INLINE __m128 ALLM__K(scales_k)(const uint8_t *scales, int n, float d) {
    const uint32_t a = ALLM__K(load_u32)(scales), c = ALLM__K(load_u32)(scales + 8);
    return ALLM__K(times4)(n ? (c & 0x0f0f0f0f) | (a >> 2 & 0x30303030) : a & 0x3f3f3f3f, d);
}

ALLM__INLINE __m128 ALLM__K(minima_k)(const uint8_t *scales, int n, float dmin) {
    const uint32_t b = ALLM__K(load_u32)(scales + 4), c = ALLM__K(load_u32)(scales + 8);
    return ALLM__K(times4)(n ? (c >> 4 & 0x0f0f0f0f) | (b >> 2 & 0x30303030) : b & 0x3f3f3f3f, -dmin);
}

/* Factors of eight sixteenths of 128 columns, of which the even ones belong to the first half of a block, in the order
 * of allm__wgroup. */
ALLM__INLINE __m256 ALLM__K(times8)(__m256i factors, float d) {
    const __m256 v = _mm256_mul_ps(_mm256_cvtepi32_ps(factors), _mm256_set1_ps(d));
    return _mm256_permutevar8x32_ps(v, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
}

ALLM__INLINE __m256 ALLM__K(scales_q6_k)(const allm__q6_k *b, int n) {
    const __m128i *p = (const __m128i *)(const void *)(b->scales + 8 * n);
    return ALLM__K(times8)(_mm256_cvtepi8_epi32(_mm_loadl_epi64(p)), allm__vh(b->d));
}

ALLM__INLINE __m256 ALLM__K(scales_q3_k)(const allm__q3_k *b, int n) { /* see allm__q3_k_scale */
    const uint32_t top = ALLM__K(load_u32)(b->scales + 8) >> 4 * n;
    const uint64_t low = ALLM__K(load_u64)(b->scales) >> 4 * n & 0x0f0f0f0f0f0f0f0f;
    const uint64_t six = low | (uint64_t)(top & 0x03030303) << 4 | (uint64_t)(top >> 2 & 0x03030303) << 36;
    const __m256i  s   = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)&six));
    return ALLM__K(times8)(_mm256_sub_epi32(s, _mm256_set1_epi32(32)), allm__vh(b->d));
}

ALLM__INLINE __m256 ALLM__K(scales_q2_k)(const allm__q2_k *b, int n) {
    const __m256i s = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(b->scales + 8 * n)));
    return ALLM__K(times8)(_mm256_and_si256(s, _mm256_set1_epi32(15)), allm__vh(b->d));
}

ALLM__INLINE __m256 ALLM__K(minima_q2_k)(const allm__q2_k *b, int n) {
    const __m256i s = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(b->scales + 8 * n)));
    return ALLM__K(times8)(_mm256_srli_epi32(s, 4), -allm__vh(b->dmin));
}
#endif

/* ---- tiles: four rows times up to four tokens over n groups; acc[row][token], lanes not yet summed */

enum { ALLM__K(tokens) = 4 };

#if ALLM__PASS == ALLM__PASS_AVX512
typedef struct ALLM__K(sums) { __m512 of[4][4]; } ALLM__K(sums);

ALLM__INLINE __m512 ALLM__K(scale)(const float d[4]) { return _mm512_broadcast_f32x4(_mm_loadu_ps(d)); }

/* The start of a sum of products with codes that are too large by 2^shift. */
ALLM__INLINE __m512i ALLM__K(offset8)(const int16_t n[8], __m128i shift) {
    return _mm512_zextsi256_si512(_mm256_sll_epi32(_mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(const void *)n)), shift));
}

ALLM__INLINE __m512i ALLM__K(offset4)(const int16_t n[4], __m128i shift) {
    return _mm512_zextsi128_si512(_mm_sll_epi32(_mm_cvtepi16_epi32(_mm_loadl_epi64((const __m128i *)(const void *)n)), shift));
}

ALLM__INLINE void ALLM__K(tile)(const allm__wgroup *const w[4], const allm__agroup *a, int64_t step, int64_t n, int T,
                                const allm__codec *c, int halves, ALLM__K(sums) *out) {
    const __m128i shift = _mm_cvtsi32_si128(c->shift);
    __m512        acc[4][4];
    ALLM__UNROLL(4) for (int r = 0; r < 4; r++)
        ALLM__UNROLL(4) for (int t = 0; t < T; t++) acc[r][t] = _mm512_setzero_ps();
    for (int64_t i = 0; i < n; i++) {
        ALLM__UNROLL(4) for (int t = 0; t < T; t++) {
            const allm__agroup *g  = a + t * step + i;
            const __m512i       lo = _mm512_loadu_si512(g->q), hi = _mm512_loadu_si512(g->q + 64);
            const __m512        d  = ALLM__K(scale)(g->d);
            const __m512i       z0 = halves ? ALLM__K(offset4)(g->n, shift) : ALLM__K(offset8)(g->n, shift);
            const __m512i       z1 = halves ? ALLM__K(offset4)(g->n + 4, shift) : z0;
            ALLM__UNROLL(4) for (int r = 0; r < 4; r++) {
                const allm__wgroup *v    = w[r] + i;
                const __m512i       v_lo = _mm512_loadu_si512(v->q), v_hi = _mm512_loadu_si512(v->q + 64);
                if (halves) {
                    const __m512 s0 = _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(z0, v_lo, lo));
                    const __m512 s1 = _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(z1, v_hi, hi));
                    const __m512 s  = _mm512_fmadd_ps(s1, ALLM__K(scale)(v->d + 4), _mm512_mul_ps(s0, ALLM__K(scale)(v->d)));
                    acc[r][t] = _mm512_fmadd_ps(s, d, acc[r][t]);
                } else {
                    const __m512 s = _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(_mm512_dpbusd_epi32(z0, v_lo, lo), v_hi, hi));
                    acc[r][t] = _mm512_fmadd_ps(s, _mm512_mul_ps(d, ALLM__K(scale)(v->d)), acc[r][t]);
                }
            }
        }
    }
    ALLM__UNROLL(4) for (int r = 0; r < 4; r++)
        ALLM__UNROLL(4) for (int t = 0; t < T; t++) out->of[r][t] = acc[r][t];
}

/* The minima's part has eight lanes. */
ALLM__INLINE __m512 ALLM__K(with_min)(__m512 acc, __m256 min) { return _mm512_add_ps(acc, _mm512_zextps256_ps512(min)); }

/* Adds the minima's part. */
ALLM__INLINE void ALLM__K(tile_min)(const allm__wgroup *const w[4], const allm__agroup *a, int64_t step, int64_t n, int T,
                                    ALLM__K(sums) *out) {
    __m256 acc[4][4];
    ALLM__UNROLL(4) for (int r = 0; r < 4; r++)
        ALLM__UNROLL(4) for (int t = 0; t < T; t++) acc[r][t] = _mm256_setzero_ps();
    for (int64_t i = 0; i < n; i++)
        ALLM__UNROLL(4) for (int t = 0; t < T; t++) {
            const __m256 s = _mm256_loadu_ps(a[t * step + i].s);
            ALLM__UNROLL(4) for (int r = 0; r < 4; r++)
                acc[r][t] = _mm256_fmadd_ps(s, _mm256_loadu_ps(w[r][i].m), acc[r][t]);
        }
    ALLM__UNROLL(4) for (int r = 0; r < 4; r++)
        ALLM__UNROLL(4) for (int t = 0; t < T; t++)
            out->of[r][t] = ALLM__K(with_min)(out->of[r][t], acc[r][t]);
}
#endif

#if ALLM__PASS == ALLM__PASS_AVX512
/* ---- codecs in registers: a group goes from the row's bytes to its codes without a detour through memory */

typedef struct ALLM__K(regs) { /* 128 weights as in allm__wgroup; d, d2: scales of the halves in every 128 bits */
    __m512i lo, hi;
    __m512  d, d2;
    __m256  m;
} ALLM__K(regs);

/* Tables for two vectors of 32 words, the second from word `second` of the group on; w: a word of the group. */
#define ALLM__WORD(w, second) ((w) < 32 ? (w) : 32 + (w) - (second))
#define ALLM__WORDS4(w, step, second)                                                                        \
    ALLM__WORD(w, second), ALLM__WORD(w + step, second), ALLM__WORD(w + 2 * step, second), ALLM__WORD(w + 3 * step, second)
#define ALLM__PAIRS4(w, step, second)                                                                         \
    ALLM__WORD(w, second), ALLM__WORD(w + 1, second), ALLM__WORD(w + step, second), ALLM__WORD(w + step + 1, second), \
        ALLM__WORD(w + 2 * step, second), ALLM__WORD(w + 2 * step + 1, second), ALLM__WORD(w + 3 * step, second),     \
        ALLM__WORD(w + 3 * step + 1, second)
/* 16 bytes of each block, which begin at word w of the first, as 4-byte elements, chunk by chunk. */
#define ALLM__CHUNKS(w, step, second)                                                                 \
    {ALLM__PAIRS4(w, step, second), ALLM__PAIRS4(w + 2, step, second), ALLM__PAIRS4(w + 4, step, second), \
     ALLM__PAIRS4(w + 6, step, second)}
/* The first word of each block, four times over, then word m of each block twice. */
#define ALLM__HEADS(m, step, second)                                                                                \
    {ALLM__WORDS4(0, step, second), ALLM__WORDS4(0, step, second), ALLM__WORDS4(0, step, second),                   \
     ALLM__WORDS4(0, step, second), ALLM__WORDS4(m, step, second), ALLM__WORDS4(m, step, second), 0, 0, 0, 0, 0, 0, 0, 0}
/* Four bytes of each block, from word w of the first, in each 128 bits. */
#define ALLM__FOURS(w, step, second)                                                               \
    {ALLM__PAIRS4(w, step, second), ALLM__PAIRS4(w, step, second), ALLM__PAIRS4(w, step, second), \
     ALLM__PAIRS4(w, step, second)}

enum { /* where the second vector begins, in words: it ends where the group ends */
    ALLM__K(second_q4_0) = 4 * sizeof(allm__q4_0) / 2 - 32,
    ALLM__K(second_q4_1) = 4 * sizeof(allm__q4_1) / 2 - 32,
    ALLM__K(second_q5_0) = 4 * sizeof(allm__q5_0) / 2 - 32,
    ALLM__K(second_q5_1) = 4 * sizeof(allm__q5_1) / 2 - 32
};
ALLM__ALIGNED(64) static const uint16_t ALLM__K(words_q4_0)[2][32] = {
    ALLM__CHUNKS(1, 9, ALLM__K(second_q4_0)), ALLM__HEADS(0, 9, ALLM__K(second_q4_0))};
ALLM__ALIGNED(64) static const uint16_t ALLM__K(words_q4_1)[2][32] = {
    ALLM__CHUNKS(2, 10, ALLM__K(second_q4_1)), ALLM__HEADS(1, 10, ALLM__K(second_q4_1))};
ALLM__ALIGNED(64) static const uint16_t ALLM__K(words_q5_0)[3][32] = {
    ALLM__CHUNKS(3, 11, ALLM__K(second_q5_0)), ALLM__HEADS(0, 11, ALLM__K(second_q5_0)),
    ALLM__FOURS(1, 11, ALLM__K(second_q5_0))};
ALLM__ALIGNED(64) static const uint16_t ALLM__K(words_q5_1)[3][32] = {
    ALLM__CHUNKS(4, 12, ALLM__K(second_q5_1)), ALLM__HEADS(1, 12, ALLM__K(second_q5_1)),
    ALLM__FOURS(2, 12, ALLM__K(second_q5_1))};
/* From two vectors of 16 elements of 4 bytes, each holding two blocks: chunks 0-3 of all four; 4-7 is 4 more. */
ALLM__ALIGNED(64) static const int32_t ALLM__K(order_0123)[16] = {
    0, 8, 16, 24, 1, 9, 17, 25, 2, 10, 18, 26, 3, 11, 19, 27};
ALLM__ALIGNED(64) static const int32_t ALLM__K(order_0213)[16] = {
    0, 16, 8, 24, 1, 17, 9, 25, 2, 18, 10, 26, 3, 19, 11, 27};

/* 64 bytes at `at` of a group of n_bytes; what lies behind the group is not touched and reads as zero. */
ALLM__INLINE __m512i ALLM__K(part)(const uint8_t *p, int at, int n_bytes) {
    const int n = ALLM__MAX(n_bytes - at, 0);
    return n >= 64 ? _mm512_loadu_si512(p + at) : _mm512_maskz_loadu_epi8(((__mmask64)1 << n) - 1, p + at);
}

ALLM__INLINE __m512i ALLM__K(words)(__m512i a, const uint16_t index[32], __m512i b) {
    return _mm512_permutex2var_epi16(a, _mm512_load_si512(index), b);
}

/* Codes of four bits and the f16 at the blocks' heads. */
ALLM__INLINE ALLM__K(regs) ALLM__K(nibbles)(__m512i a, __m512i b, const uint16_t index[2][32]) {
    ALLM__K(regs) v;
    const __m512i q = ALLM__K(words)(a, index[0], b), h = ALLM__K(words)(a, index[1], b);
    v.lo = _mm512_and_si512(q, _mm512_set1_epi8(15));
    v.hi = _mm512_and_si512(_mm512_srli_epi16(q, 4), _mm512_set1_epi8(15));
    v.d = v.d2 = _mm512_cvtph_ps(_mm512_castsi512_si256(h));
    v.m        = _mm256_cvtph_ps(_mm512_extracti32x4_epi32(h, 2));
    return v;
}

ALLM__INLINE ALLM__K(regs) ALLM__K(regs_q4_0)(const uint8_t *row, int64_t i, int n_blocks) {
    const int      n = n_blocks * (int)sizeof(allm__q4_0);
    const uint8_t *p = row + (size_t)i * 4 * sizeof(allm__q4_0);
    return ALLM__K(nibbles)(ALLM__K(part)(p, 0, n), ALLM__K(part)(p, 2 * ALLM__K(second_q4_0), n), ALLM__K(words_q4_0));
}

ALLM__INLINE ALLM__K(regs) ALLM__K(regs_q4_1)(const uint8_t *row, int64_t i, int n_blocks) {
    const int      n = n_blocks * (int)sizeof(allm__q4_1);
    const uint8_t *p = row + (size_t)i * 4 * sizeof(allm__q4_1);
    return ALLM__K(nibbles)(ALLM__K(part)(p, 0, n), ALLM__K(part)(p, 2 * ALLM__K(second_q4_1), n), ALLM__K(words_q4_1));
}

/* The same with a plane of fifth bits: bit w of a block's four bytes belongs to column w. */
ALLM__INLINE ALLM__K(regs) ALLM__K(fifths)(__m512i a, __m512i b, const uint16_t index[3][32]) {
    ALLM__K(regs) v    = ALLM__K(nibbles)(a, b, index);
    const __m512i high = ALLM__K(words)(a, index[2], b);
    const __m512i byte = _mm512_add_epi8(_mm512_set4_epi32(0x0c0c0c0c, 0x08080808, 0x04040404, 0),
                                         _mm512_set_epi64(0x0101010101010101, 0x0101010101010101, 0x0101010101010101,
                                                          0x0101010101010101, 0, 0, 0, 0));
    const __m512i mask = _mm512_set_epi64(
        (long long)0x8040201080402010u, (long long)0x8040201080402010u, 0x0804020108040201, 0x0804020108040201,
        (long long)0x8040201080402010u, (long long)0x8040201080402010u, 0x0804020108040201, 0x0804020108040201);
    const __m512i x_lo = _mm512_shuffle_epi8(high, byte);
    const __m512i x_hi = _mm512_shuffle_epi8(high, _mm512_add_epi8(byte, _mm512_set1_epi8(2)));
    const __m512i one  = _mm512_set1_epi8(16);
    v.lo = _mm512_mask_add_epi8(v.lo, _mm512_test_epi8_mask(x_lo, mask), v.lo, one);
    v.hi = _mm512_mask_add_epi8(v.hi, _mm512_test_epi8_mask(x_hi, mask), v.hi, one);
    return v;
}

ALLM__INLINE ALLM__K(regs) ALLM__K(regs_q5_0)(const uint8_t *row, int64_t i, int n_blocks) {
    const int      n = n_blocks * (int)sizeof(allm__q5_0);
    const uint8_t *p = row + (size_t)i * 4 * sizeof(allm__q5_0);
    return ALLM__K(fifths)(ALLM__K(part)(p, 0, n), ALLM__K(part)(p, 2 * ALLM__K(second_q5_0), n), ALLM__K(words_q5_0));
}

ALLM__INLINE ALLM__K(regs) ALLM__K(regs_q5_1)(const uint8_t *row, int64_t i, int n_blocks) {
    const int      n = n_blocks * (int)sizeof(allm__q5_1);
    const uint8_t *p = row + (size_t)i * 4 * sizeof(allm__q5_1);
    return ALLM__K(fifths)(ALLM__K(part)(p, 0, n), ALLM__K(part)(p, 2 * ALLM__K(second_q5_1), n), ALLM__K(words_q5_1));
}

/* Two vectors of two blocks each, in the order that `order` undoes, to chunks. */
ALLM__INLINE void ALLM__K(chunks)(ALLM__K(regs) *v, __m512i a, __m512i b, const int32_t order[16]) {
    const __m512i at = _mm512_load_si512(order);
    v->lo            = _mm512_permutex2var_epi32(a, at, b);
    v->hi            = _mm512_permutex2var_epi32(a, _mm512_add_epi32(at, _mm512_set1_epi32(4)), b);
}

ALLM__INLINE __m512i ALLM__K(join)(__m256i a, __m256i b) { return _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1); }

ALLM__INLINE ALLM__K(regs) ALLM__K(regs_q8_0)(const uint8_t *row, int64_t i, int n_blocks) {
    const allm__q8_0 *b = (const allm__q8_0 *)row + 4 * i;
    const __m512i     bias = _mm512_set1_epi8(-128);
    __m256i           q[4];
    uint64_t          heads = 0;
    ALLM__K(regs)     v;
    ALLM__UNROLL(4) for (int j = 0; j < 4; j++) {
        q[j] = _mm256_setzero_si256();
        if (j >= n_blocks) continue;
        q[j] = _mm256_loadu_si256((const __m256i *)(const void *)b[j].qs);
        heads |= (uint64_t)(b[j].d[0] | b[j].d[1] << 8) << 16 * j;
    }
    ALLM__K(chunks)(&v, _mm512_xor_si512(ALLM__K(join)(q[0], q[1]), bias),
                    _mm512_xor_si512(ALLM__K(join)(q[2], q[3]), bias), ALLM__K(order_0123));
    v.d = v.d2 = _mm512_broadcast_f32x4(_mm_cvtph_ps(_mm_cvtsi64_si128((long long)heads)));
    v.m        = _mm256_setzero_ps();
    return v;
}

ALLM__INLINE void ALLM__K(scales8)(ALLM__K(regs) *v, __m256 s) {
    v->d  = _mm512_broadcast_f32x4(_mm256_castps256_ps128(s));
    v->d2 = _mm512_broadcast_f32x4(_mm256_extractf128_ps(s, 1));
    v->m  = _mm256_setzero_ps();
}

ALLM__INLINE void ALLM__K(scales4)(ALLM__K(regs) *v, __m128 s, __m128 m) {
    v->d = v->d2 = _mm512_broadcast_f32x4(s);
    v->m         = _mm512_castps512_ps256(_mm512_broadcast_f32x4(m));
}

/* 32 bytes as two copies, one shifted right by a, one by b. */
ALLM__INLINE __m512i ALLM__K(planes)(const uint8_t *p, int a, int b) {
    const __m512i v = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(const void *)p));
    return _mm512_srlv_epi64(v, _mm512_inserti64x4(_mm512_set1_epi64(a), _mm256_set1_epi64x(b), 1));
}

ALLM__INLINE ALLM__K(regs) ALLM__K(regs_q4_k)(const uint8_t *row, int64_t i, int n_blocks) {
    const allm__q4_k *b = (const allm__q4_k *)row + i / 2;
    const int         n = (int)(i & 1);
    const __m512i     q = _mm512_loadu_si512(b->qs + 64 * n), low = _mm512_set1_epi8(15);
    ALLM__K(regs)     v;
    (void)n_blocks;
    ALLM__K(scales4)(&v, ALLM__K(scales_k)(b->scales, n, allm__vh(b->d)), ALLM__K(minima_k)(b->scales, n, allm__vh(b->dmin)));
    ALLM__K(chunks)(&v, _mm512_and_si512(q, low), _mm512_and_si512(_mm512_srli_epi16(q, 4), low), ALLM__K(order_0213));
    return v;
}

ALLM__INLINE ALLM__K(regs) ALLM__K(regs_q5_k)(const uint8_t *row, int64_t i, int n_blocks) {
    const allm__q5_k *b = (const allm__q5_k *)row + i / 2;
    const int         n = (int)(i & 1);
    const __m512i     q = _mm512_loadu_si512(b->qs + 64 * n), low = _mm512_set1_epi8(15), one = _mm512_set1_epi8(1);
    const __m512i     even = _mm512_and_si512(ALLM__K(planes)(b->qh, 4 * n, 4 * n + 2), one);
    const __m512i     odd  = _mm512_and_si512(ALLM__K(planes)(b->qh, 4 * n + 1, 4 * n + 3), one);
    ALLM__K(regs)     v;
    (void)n_blocks;
    ALLM__K(scales4)(&v, ALLM__K(scales_k)(b->scales, n, allm__vh(b->d)), ALLM__K(minima_k)(b->scales, n, allm__vh(b->dmin)));
    ALLM__K(chunks)(&v, _mm512_or_si512(_mm512_and_si512(q, low), _mm512_slli_epi16(even, 4)),
                    _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi16(q, 4), low), _mm512_slli_epi16(odd, 4)),
                    ALLM__K(order_0213));
    return v;
}

ALLM__INLINE ALLM__K(regs) ALLM__K(regs_q6_k)(const uint8_t *row, int64_t i, int n_blocks) {
    const allm__q6_k *b = (const allm__q6_k *)row + i / 2;
    const int         n = (int)(i & 1);
    const __m512i     q = _mm512_loadu_si512(b->ql + 64 * n), low = _mm512_set1_epi8(15), two = _mm512_set1_epi8(3);
    const __m512i     h01 = _mm512_and_si512(ALLM__K(planes)(b->qh + 32 * n, 0, 2), two);
    const __m512i     h23 = _mm512_and_si512(ALLM__K(planes)(b->qh + 32 * n, 4, 6), two);
    ALLM__K(regs)     v;
    (void)n_blocks;
    ALLM__K(scales8)(&v, ALLM__K(scales_q6_k)(b, n));
    ALLM__K(chunks)(&v, _mm512_or_si512(_mm512_and_si512(q, low), _mm512_slli_epi16(h01, 4)),
                    _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi16(q, 4), low), _mm512_slli_epi16(h23, 4)),
                    ALLM__K(order_0123));
    return v;
}

ALLM__INLINE ALLM__K(regs) ALLM__K(regs_q2_k)(const uint8_t *row, int64_t i, int n_blocks) {
    const allm__q2_k *b = (const allm__q2_k *)row + i / 2;
    const int         n = (int)(i & 1);
    const __m512i     two = _mm512_set1_epi8(3);
    ALLM__K(regs)     v;
    (void)n_blocks;
    ALLM__K(scales8)(&v, ALLM__K(scales_q2_k)(b, n));
    v.m = ALLM__K(minima_q2_k)(b, n);
    ALLM__K(chunks)(&v, _mm512_and_si512(ALLM__K(planes)(b->qs + 32 * n, 0, 2), two),
                    _mm512_and_si512(ALLM__K(planes)(b->qs + 32 * n, 4, 6), two), ALLM__K(order_0123));
    return v;
}

ALLM__INLINE ALLM__K(regs) ALLM__K(regs_q3_k)(const uint8_t *row, int64_t i, int n_blocks) {
    const allm__q3_k *b = (const allm__q3_k *)row + i / 2;
    const int         n = (int)(i & 1);
    const __m512i     two = _mm512_set1_epi8(3), one = _mm512_set1_epi8(1);
    const __m512i     h01 = _mm512_and_si512(ALLM__K(planes)(b->hmask, 4 * n, 4 * n + 1), one);
    const __m512i     h23 = _mm512_and_si512(ALLM__K(planes)(b->hmask, 4 * n + 2, 4 * n + 3), one);
    ALLM__K(regs)     v;
    (void)n_blocks;
    ALLM__K(scales8)(&v, ALLM__K(scales_q3_k)(b, n));
    ALLM__K(chunks)(&v,
                    _mm512_or_si512(_mm512_and_si512(ALLM__K(planes)(b->qs + 32 * n, 0, 2), two), _mm512_slli_epi16(h01, 2)),
                    _mm512_or_si512(_mm512_and_si512(ALLM__K(planes)(b->qs + 32 * n, 4, 6), two), _mm512_slli_epi16(h23, 2)),
                    ALLM__K(order_0123));
    return v;
}

ALLM__INLINE void ALLM__K(regs_store)(const ALLM__K(regs) *v, allm__wgroup *g) {
    _mm512_storeu_si512(g->q, v->lo), _mm512_storeu_si512(g->q + 64, v->hi);
    _mm_storeu_ps(g->d, _mm512_castps512_ps128(v->d)), _mm_storeu_ps(g->d + 4, _mm512_castps512_ps128(v->d2));
    _mm256_storeu_ps(g->m, v->m);
}

/* One group of a row times one token; the arithmetic is the tile's. */
ALLM__INLINE void ALLM__K(gemv_step)(const ALLM__K(regs) *v, const allm__agroup *g, int shift, int has_min, int halves,
                                     __m512 *acc, __m256 *min) {
    const __m128i k  = _mm_cvtsi32_si128(shift);
    const __m512i lo = _mm512_loadu_si512(g->q), hi = _mm512_loadu_si512(g->q + 64);
    const __m512  d  = ALLM__K(scale)(g->d);
    if (halves) {
        const __m512i z0 = shift < 32 ? ALLM__K(offset4)(g->n, k) : _mm512_setzero_si512();
        const __m512i z1 = shift < 32 ? ALLM__K(offset4)(g->n + 4, k) : _mm512_setzero_si512();
        const __m512  s0 = _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(z0, v->lo, lo));
        const __m512  s1 = _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(z1, v->hi, hi));
        *acc = _mm512_fmadd_ps(_mm512_fmadd_ps(s1, v->d2, _mm512_mul_ps(s0, v->d)), d, *acc);
    } else {
        const __m512i z = shift < 32 ? ALLM__K(offset8)(g->n, k) : _mm512_setzero_si512();
        const __m512  s = _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(_mm512_dpbusd_epi32(z, v->lo, lo), v->hi, hi));
        *acc = _mm512_fmadd_ps(s, _mm512_mul_ps(d, v->d), *acc);
    }
    if (has_min) *min = _mm256_fmadd_ps(_mm256_loadu_ps(g->s), v->m, *min);
}


/* 16 codes as floats, of a vector's 128 bits number i. */
#define ALLM__FLOATS(v, i) _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm512_extracti32x4_epi32(v, i)))

/* 64 codes times floats, times the scales of their blocks. */
ALLM__INLINE __m512 ALLM__K(f32_half)(__m512i q, const float *x, __m512 d, __m512 acc) {
    const __m512i spread = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    __m512        t = _mm512_mul_ps(ALLM__FLOATS(q, 0), _mm512_loadu_ps(x));
    t               = _mm512_fmadd_ps(ALLM__FLOATS(q, 1), _mm512_loadu_ps(x + 16), t);
    t               = _mm512_fmadd_ps(ALLM__FLOATS(q, 2), _mm512_loadu_ps(x + 32), t);
    t               = _mm512_fmadd_ps(ALLM__FLOATS(q, 3), _mm512_loadu_ps(x + 48), t);
    return _mm512_fmadd_ps(t, _mm512_permutexvar_ps(spread, d), acc);
}
#undef ALLM__FLOATS

ALLM__INLINE void ALLM__K(f32_step)(const ALLM__K(regs) *v, const allm__fgroup *g, int shift, int has_min, __m512 *acc,
                                    __m256 *min) {
    const __m512i offset = _mm512_set1_epi8((char)(shift < 32 ? 1 << shift : 0));
    *acc = ALLM__K(f32_half)(_mm512_sub_epi8(v->lo, offset), g->x, v->d, *acc);
    *acc = ALLM__K(f32_half)(_mm512_sub_epi8(v->hi, offset), g->x + 64, v->d2, *acc);
    if (has_min) *min = _mm256_fmadd_ps(_mm256_loadu_ps(g->s), v->m, *min);
}
#endif

#if ALLM__PASS == ALLM__PASS_AVX2
typedef struct ALLM__K(sums) { __m256 of[4][4]; } ALLM__K(sums);

ALLM__INLINE __m256 ALLM__K(scale)(const float d[4]) { return _mm256_broadcast_ps((const __m128 *)(const void *)d); }

ALLM__INLINE __m256i ALLM__K(offset8)(const int16_t n[8], __m128i shift) {
    return _mm256_sll_epi32(_mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(const void *)n)), shift);
}

ALLM__INLINE __m256i ALLM__K(offset4)(const int16_t n[4], __m128i shift) {
    return _mm256_zextsi128_si256(_mm_sll_epi32(_mm_cvtepi16_epi32(_mm_loadl_epi64((const __m128i *)(const void *)n)), shift));
}

/* 64 products summed in pairs, in 16 bits: 2 * 2 * 63 * 127 fits. */
ALLM__INLINE __m256i ALLM__K(dot64)(const uint8_t *w, __m256i a0, __m256i a1) {
    const __m256i *v = (const __m256i *)(const void *)w;
    return _mm256_add_epi16(_mm256_maddubs_epi16(_mm256_loadu_si256(v), a0),
                            _mm256_maddubs_epi16(_mm256_loadu_si256(v + 1), a1));
}

/* 32 products of 8-bit codes, biased by 128, in 32 bits: |w| times a with w's sign. */
ALLM__INLINE __m256i ALLM__K(dot_bytes)(__m256i w, __m256i a) {
    const __m256i v = _mm256_xor_si256(w, _mm256_set1_epi8(-128));
    return _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_abs_epi8(v), _mm256_sign_epi8(a, v)), _mm256_set1_epi16(1));
}

/* bytes: 8-bit codes, which have no room for sums of 16 bits. */
ALLM__INLINE void ALLM__K(tile)(const allm__wgroup *const w[4], const allm__agroup *a, int64_t step, int64_t n, int T,
                                const allm__codec *c, int halves, int bytes, ALLM__K(sums) *out) {
    const __m128i shift = _mm_cvtsi32_si128(c->shift);
    const __m256i one   = _mm256_set1_epi16(1);
    ALLM__UNROLL(4) for (int t = 0; t < T; t++) {
        __m256 acc[4];
        ALLM__UNROLL(4) for (int r = 0; r < 4; r++) acc[r] = _mm256_setzero_ps();
        for (int64_t i = 0; i < n; i++) {
            const allm__agroup *g  = a + t * step + i;
            const __m256i      *q  = (const __m256i *)(const void *)g->q;
            const __m256i       a0 = _mm256_loadu_si256(q), a1 = _mm256_loadu_si256(q + 1);
            const __m256i       a2 = _mm256_loadu_si256(q + 2), a3 = _mm256_loadu_si256(q + 3);
            const __m256        d  = ALLM__K(scale)(g->d);
            const __m256i       z0 = halves ? ALLM__K(offset4)(g->n, shift) : ALLM__K(offset8)(g->n, shift);
            const __m256i       z1 = halves ? ALLM__K(offset4)(g->n + 4, shift) : z0;
            ALLM__UNROLL(4) for (int r = 0; r < 4; r++) {
                const allm__wgroup *v = w[r] + i;
                __m256i             s0, s1;
                __m256              s;
                if (halves) {
                    s0 = _mm256_add_epi32(z0, _mm256_madd_epi16(ALLM__K(dot64)(v->q, a0, a1), one));
                    s1 = _mm256_add_epi32(z1, _mm256_madd_epi16(ALLM__K(dot64)(v->q + 64, a2, a3), one));
                    s  = _mm256_mul_ps(_mm256_cvtepi32_ps(s0), ALLM__K(scale)(v->d));
                    s  = _mm256_fmadd_ps(_mm256_cvtepi32_ps(s1), ALLM__K(scale)(v->d + 4), s);
                    acc[r] = _mm256_fmadd_ps(s, d, acc[r]);
                    continue;
                }
                if (bytes) {
                    const __m256i *b = (const __m256i *)(const void *)v->q;
                    s0 = _mm256_add_epi32(ALLM__K(dot_bytes)(_mm256_loadu_si256(b), a0),
                                          ALLM__K(dot_bytes)(_mm256_loadu_si256(b + 1), a1));
                    s1 = _mm256_add_epi32(ALLM__K(dot_bytes)(_mm256_loadu_si256(b + 2), a2),
                                          ALLM__K(dot_bytes)(_mm256_loadu_si256(b + 3), a3));
                    s0 = _mm256_add_epi32(s0, s1);
                } else {
                    s0 = _mm256_add_epi16(ALLM__K(dot64)(v->q, a0, a1), ALLM__K(dot64)(v->q + 64, a2, a3));
                    s0 = _mm256_add_epi32(z0, _mm256_madd_epi16(s0, one));
                }
                acc[r] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(s0), _mm256_mul_ps(d, ALLM__K(scale)(v->d)), acc[r]);
            }
        }
        ALLM__UNROLL(4) for (int r = 0; r < 4; r++) out->of[r][t] = acc[r];
    }
}

ALLM__INLINE void ALLM__K(tile_min)(const allm__wgroup *const w[4], const allm__agroup *a, int64_t step, int64_t n, int T,
                                    ALLM__K(sums) *out) {
    ALLM__UNROLL(4) for (int t = 0; t < T; t++) {
        __m256 acc[4];
        ALLM__UNROLL(4) for (int r = 0; r < 4; r++) acc[r] = _mm256_setzero_ps();
        for (int64_t i = 0; i < n; i++) {
            const __m256 s = _mm256_loadu_ps(a[t * step + i].s);
            ALLM__UNROLL(4) for (int r = 0; r < 4; r++) acc[r] = _mm256_fmadd_ps(s, _mm256_loadu_ps(w[r][i].m), acc[r]);
        }
        ALLM__UNROLL(4) for (int r = 0; r < 4; r++) out->of[r][t] = _mm256_add_ps(out->of[r][t], acc[r]);
    }
}
#endif

#if ALLM__PASS == ALLM__PASS_AVX2
/* ---- codecs in registers */

typedef struct ALLM__K(regs) { /* 128 weights as in allm__wgroup: two chunks in each c; d, d2: scales of the halves */
    __m256i c[4];
    __m256  d, d2; /* in each 128 bits */
    __m256  m;
} ALLM__K(regs);

/* 16 codes of four blocks to four chunks. */
ALLM__INLINE void ALLM__K(chunks)(__m256i c[2], const __m128i v[4]) {
    const __m256i a = _mm256_inserti128_si256(_mm256_castsi128_si256(v[0]), v[2], 1);
    const __m256i b = _mm256_inserti128_si256(_mm256_castsi128_si256(v[1]), v[3], 1);
    c[0]            = _mm256_permute4x64_epi64(_mm256_unpacklo_epi32(a, b), 0xd8);
    c[1]            = _mm256_permute4x64_epi64(_mm256_unpackhi_epi32(a, b), 0xd8);
}

ALLM__INLINE __m256 ALLM__K(twice)(__m128 v) { return _mm256_insertf128_ps(_mm256_castps128_ps256(v), v, 1); }

/* The f16 in front of four blocks that lie n_bytes apart. */
ALLM__INLINE void ALLM__K(heads1)(ALLM__K(regs) *v, const uint8_t *p, size_t n_bytes, int n_blocks) {
    __m128i h = _mm_setzero_si128();
    if (n_blocks > 0) h = _mm_insert_epi16(h, p[0] | p[1] << 8, 0);
    if (n_blocks > 1) h = _mm_insert_epi16(h, p[n_bytes] | p[n_bytes + 1] << 8, 1);
    if (n_blocks > 2) h = _mm_insert_epi16(h, p[2 * n_bytes] | p[2 * n_bytes + 1] << 8, 2);
    if (n_blocks > 3) h = _mm_insert_epi16(h, p[3 * n_bytes] | p[3 * n_bytes + 1] << 8, 3);
    v->d = v->d2 = ALLM__K(twice)(_mm_cvtph_ps(h));
    v->m         = _mm256_setzero_ps();
}

/* The same for a scale and a minimum. */
ALLM__INLINE void ALLM__K(heads2)(ALLM__K(regs) *v, const uint8_t *p, size_t n_bytes, int n_blocks) {
    __m128i h = _mm_setzero_si128();
    if (n_blocks > 0) h = _mm_insert_epi32(h, (int32_t)ALLM__K(load_u32)(p), 0);
    if (n_blocks > 1) h = _mm_insert_epi32(h, (int32_t)ALLM__K(load_u32)(p + n_bytes), 1);
    if (n_blocks > 2) h = _mm_insert_epi32(h, (int32_t)ALLM__K(load_u32)(p + 2 * n_bytes), 2);
    if (n_blocks > 3) h = _mm_insert_epi32(h, (int32_t)ALLM__K(load_u32)(p + 3 * n_bytes), 3);
    const __m256 dm = _mm256_cvtph_ps(h);
    v->d = v->d2 = _mm256_permutevar8x32_ps(dm, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
    v->m         = _mm256_permutevar8x32_ps(dm, _mm256_setr_epi32(1, 3, 5, 7, 1, 3, 5, 7));
}

ALLM__INLINE void ALLM__K(scales8)(ALLM__K(regs) *v, __m256 s) {
    v->d  = _mm256_permute2f128_ps(s, s, 0x00);
    v->d2 = _mm256_permute2f128_ps(s, s, 0x11);
    v->m  = _mm256_setzero_ps();
}

ALLM__INLINE void ALLM__K(scales4)(ALLM__K(regs) *v, __m128 s, __m128 m) {
    v->d = v->d2 = ALLM__K(twice)(s);
    v->m         = ALLM__K(twice)(m);
}

#define ALLM__REGS(name, n_per_step, heads)                                                         \
    ALLM__INLINE ALLM__K(regs) ALLM__K(regs_##name)(const uint8_t *row, int64_t i, int n_blocks) {  \
        const allm__##name *b = (const allm__##name *)row + i * 4 / n_per_step;                     \
        const int           n = (int)(i & 1);                                                       \
        allm__vb            q[4];                                                                   \
        ALLM__K(regs)       v;                                                                      \
        (void)n;                                                                                    \
        ALLM__K(codes_##name)(row, i, n_blocks, 0, q);                                              \
        ALLM__K(chunks)(v.c, q);                                                                    \
        ALLM__K(codes_##name)(row, i, n_blocks, 1, q);                                              \
        ALLM__K(chunks)(v.c + 2, q);                                                                \
        heads;                                                                                      \
        return v;                                                                                   \
    }
ALLM__REGS(q4_0, 1, ALLM__K(heads1)(&v, b->d, sizeof *b, n_blocks))
ALLM__REGS(q4_1, 1, ALLM__K(heads2)(&v, b->d, sizeof *b, n_blocks))
ALLM__REGS(q5_0, 1, ALLM__K(heads1)(&v, b->d, sizeof *b, n_blocks))
ALLM__REGS(q5_1, 1, ALLM__K(heads2)(&v, b->d, sizeof *b, n_blocks))
ALLM__REGS(q8_0, 1, ALLM__K(heads1)(&v, b->d, sizeof *b, n_blocks))
ALLM__REGS(q2_k, 8, (ALLM__K(scales8)(&v, ALLM__K(scales_q2_k)(b, n)), v.m = ALLM__K(minima_q2_k)(b, n)))
ALLM__REGS(q3_k, 8, ALLM__K(scales8)(&v, ALLM__K(scales_q3_k)(b, n)))
ALLM__REGS(q4_k, 8, ALLM__K(scales4)(&v, ALLM__K(scales_k)(b->scales, n, allm__vh(b->d)),
                                     ALLM__K(minima_k)(b->scales, n, allm__vh(b->dmin))))
ALLM__REGS(q5_k, 8, ALLM__K(scales4)(&v, ALLM__K(scales_k)(b->scales, n, allm__vh(b->d)),
                                     ALLM__K(minima_k)(b->scales, n, allm__vh(b->dmin))))
ALLM__REGS(q6_k, 8, ALLM__K(scales8)(&v, ALLM__K(scales_q6_k)(b, n)))
#undef ALLM__REGS

ALLM__INLINE void ALLM__K(regs_store)(const ALLM__K(regs) *v, allm__wgroup *g) {
    __m256i *q = (__m256i *)(void *)g->q;
    _mm256_storeu_si256(q, v->c[0]), _mm256_storeu_si256(q + 1, v->c[1]);
    _mm256_storeu_si256(q + 2, v->c[2]), _mm256_storeu_si256(q + 3, v->c[3]);
    _mm256_storeu_ps(g->d, _mm256_permute2f128_ps(v->d, v->d2, 0x20));
    _mm256_storeu_ps(g->m, v->m);
}

ALLM__INLINE __m256 ALLM__K(with_min)(__m256 acc, __m256 min) { return _mm256_add_ps(acc, min); }

/* One group of a row times one token; shift 7: 8-bit codes. The arithmetic is the tile's. */
ALLM__INLINE void ALLM__K(gemv_step)(const ALLM__K(regs) *v, const allm__agroup *g, int shift, int has_min, int halves,
                                     __m256 *acc, __m256 *min) {
    const __m128i  k   = _mm_cvtsi32_si128(shift);
    const __m256i  one = _mm256_set1_epi16(1), zero = _mm256_setzero_si256();
    const __m256i *q   = (const __m256i *)(const void *)g->q;
    const __m256i  a0 = _mm256_loadu_si256(q), a1 = _mm256_loadu_si256(q + 1);
    const __m256i  a2 = _mm256_loadu_si256(q + 2), a3 = _mm256_loadu_si256(q + 3);
    const __m256   d  = ALLM__K(scale)(g->d);
    __m256i        s0, s1;
    if (shift == 7) {
        s0 = _mm256_add_epi32(ALLM__K(dot_bytes)(v->c[0], a0), ALLM__K(dot_bytes)(v->c[1], a1));
        s1 = _mm256_add_epi32(ALLM__K(dot_bytes)(v->c[2], a2), ALLM__K(dot_bytes)(v->c[3], a3));
        s0 = _mm256_add_epi32(s0, s1);
    } else {
        s0 = _mm256_add_epi16(_mm256_maddubs_epi16(v->c[0], a0), _mm256_maddubs_epi16(v->c[1], a1));
        s1 = _mm256_add_epi16(_mm256_maddubs_epi16(v->c[2], a2), _mm256_maddubs_epi16(v->c[3], a3));
    }
    if (halves) {
        s0 = _mm256_add_epi32(shift < 32 ? ALLM__K(offset4)(g->n, k) : zero, _mm256_madd_epi16(s0, one));
        s1 = _mm256_add_epi32(shift < 32 ? ALLM__K(offset4)(g->n + 4, k) : zero, _mm256_madd_epi16(s1, one));
        const __m256 s = _mm256_fmadd_ps(_mm256_cvtepi32_ps(s1), v->d2, _mm256_mul_ps(_mm256_cvtepi32_ps(s0), v->d));
        *acc           = _mm256_fmadd_ps(s, d, *acc);
    } else {
        if (shift != 7)
            s0 = _mm256_add_epi32(shift < 32 ? ALLM__K(offset8)(g->n, k) : zero,
                                  _mm256_madd_epi16(_mm256_add_epi16(s0, s1), one));
        *acc = _mm256_fmadd_ps(_mm256_cvtepi32_ps(s0), _mm256_mul_ps(d, v->d), *acc);
    }
    if (has_min) *min = _mm256_fmadd_ps(_mm256_loadu_ps(g->s), v->m, *min);
}

ALLM__INLINE __m256 ALLM__K(floats)(__m128i q) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(q)); }

/* 64 codes times floats, times the scales of their blocks. */
ALLM__INLINE __m256 ALLM__K(f32_half)(const __m256i c[2], __m256i offset, const float *x, __m256 d, __m256 acc) {
    const __m256i q0 = _mm256_sub_epi8(c[0], offset), q1 = _mm256_sub_epi8(c[1], offset);
    const __m128i a = _mm256_castsi256_si128(q0), b = _mm256_extracti128_si256(q0, 1);
    const __m128i e = _mm256_castsi256_si128(q1), f = _mm256_extracti128_si256(q1, 1);
    __m256        t = _mm256_mul_ps(ALLM__K(floats)(a), _mm256_loadu_ps(x)); /* blocks 0 and 1 */
    __m256        u = _mm256_mul_ps(ALLM__K(floats)(_mm_srli_si128(a, 8)), _mm256_loadu_ps(x + 8));
    t = _mm256_fmadd_ps(ALLM__K(floats)(b), _mm256_loadu_ps(x + 16), t);
    u = _mm256_fmadd_ps(ALLM__K(floats)(_mm_srli_si128(b, 8)), _mm256_loadu_ps(x + 24), u);
    t = _mm256_fmadd_ps(ALLM__K(floats)(e), _mm256_loadu_ps(x + 32), t);
    u = _mm256_fmadd_ps(ALLM__K(floats)(_mm_srli_si128(e, 8)), _mm256_loadu_ps(x + 40), u);
    t = _mm256_fmadd_ps(ALLM__K(floats)(f), _mm256_loadu_ps(x + 48), t);
    u = _mm256_fmadd_ps(ALLM__K(floats)(_mm_srli_si128(f, 8)), _mm256_loadu_ps(x + 56), u);
    acc = _mm256_fmadd_ps(t, _mm256_permutevar8x32_ps(d, _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1)), acc);
    return _mm256_fmadd_ps(u, _mm256_permutevar8x32_ps(d, _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3)), acc);
}

ALLM__INLINE void ALLM__K(f32_step)(const ALLM__K(regs) *v, const allm__fgroup *g, int shift, int has_min, __m256 *acc,
                                    __m256 *min) {
    const __m256i offset = _mm256_set1_epi8((char)(shift < 32 ? 1 << shift : 0));
    *acc = ALLM__K(f32_half)(v->c, offset, g->x, v->d, *acc);
    *acc = ALLM__K(f32_half)(v->c + 2, offset, g->x + 64, v->d2, *acc);
    if (has_min) *min = _mm256_fmadd_ps(_mm256_loadu_ps(g->s), v->m, *min);
}
#endif

#if ALLM__PASS == ALLM__PASS_AVX2 || ALLM__PASS == ALLM__PASS_AVX512
/* A group of fewer than four blocks: masked loads make it cheap where there are some. */
#if ALLM__PASS == ALLM__PASS_AVX512
#define ALLM__REST(name, row, i, n_blocks) ALLM__K(regs_##name)(row, i, n_blocks)
#else
typedef void (*ALLM__K(unpack))(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g);
ALLM__INLINE ALLM__K(regs) ALLM__K(rest)(ALLM__K(unpack) unpack, const uint8_t *row, int64_t i, int32_t n_blocks) {
    ALLM__K(regs) v;
    allm__wgroup  g;
    unpack(row, i, n_blocks, &g);
    const __m256i *q = (const __m256i *)(const void *)g.q;
    v.c[0] = _mm256_loadu_si256(q), v.c[1] = _mm256_loadu_si256(q + 1);
    v.c[2] = _mm256_loadu_si256(q + 2), v.c[3] = _mm256_loadu_si256(q + 3);
    v.d = ALLM__K(scale)(g.d), v.d2 = ALLM__K(scale)(g.d + 4), v.m = _mm256_loadu_ps(g.m);
    return v;
}
#define ALLM__REST(name, row, i, n_blocks) ALLM__K(rest)(ALLM__K(unpack_##name), row, i, n_blocks)
#endif

/* Defines for one format the functions of its codec. */
#define ALLM__CODEC(name, n_weights, shift, has_min, halves)                                                                   \
    static void ALLM__K(unpack_##name)(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {      \
        const ALLM__K(regs) v =                                                                                       \
            n_weights == 256 || n_blocks == 4 ? ALLM__K(regs_##name)(row, i_group, 4)                                 \
                                              : ALLM__K(regs_##name)(row, i_group, n_blocks);                         \
        ALLM__K(regs_store)(&v, g);                                                                                   \
    }                                                                                                                 \
    static void ALLM__K(gemv_##name)(const uint8_t *const row[4], const allm__agroup *a, int64_t g0, int64_t g1,      \
                                     int64_t n_cols, size_t ahead, float sum[4]) {                                    \
        const size_t n_group = ALLM__GROUP * sizeof(allm__##name) / n_weights;                                        \
        allm__vf acc[4];                                                                                              \
        __m256   min[4];                                                                                                \
        ALLM__UNROLL(4) for (int r = 0; r < 4; r++) acc[r] = allm__vset(0), min       [r] = _mm256_setzero_ps();       \
        const int64_t whole = ALLM__MIN(g1, n_cols / ALLM__GROUP);                                                    \
        for (int64_t i = g0; i < whole; i++) {                                                                        \
            for (size_t n = 0; n < n_group; n += 16) ALLM__PREFETCH(row[0], ahead + 4 * ((size_t)i * n_group + n));   \
            ALLM__UNROLL(4) for (int r = 0; r < 4; r++) {                                                             \
                const ALLM__K(regs) v = ALLM__K(regs_##name)(row[r], i, 4);                                           \
                ALLM__K(gemv_step)(&v, a + i, shift, has_min, halves, &acc[r], &min[r]);                              \
            }                                                                                                         \
        }                                                                                                             \
        if (n_weights == 32 && whole < g1)                                                                            \
            ALLM__UNROLL(4) for (int r = 0; r < 4; r++) {                                                             \
                const ALLM__K(regs) v = ALLM__REST(name, row[r], whole, allm__group_blocks(n_cols, whole));           \
                ALLM__K(gemv_step)(&v, a + whole, shift, has_min, halves, &acc[r], &min[r]);                          \
            }                                                                                                         \
        if (has_min)                                                                                                  \
            ALLM__UNROLL(4) for (int r = 0; r < 4; r++) acc[r] = ALLM__K(with_min)(acc[r], min[r]); \
        allm__vsum4(sum, acc[0], acc[1], acc[2], acc[3]);                                                             \
    }                                                                                                                 \
    static float ALLM__K(dot_f32_##name)(const uint8_t *row, const allm__fgroup *a, int64_t g0, int64_t g1,           \
                                         int64_t n_cols) {                                                            \
        const int64_t whole = ALLM__MIN(g1, n_cols / ALLM__GROUP);                                                    \
        allm__vf      acc   = allm__vset(0);                                                                          \
        __m256        min   = _mm256_setzero_ps();                                                                    \
        for (int64_t i = g0; i < whole; i++) {                                                                        \
            const ALLM__K(regs) v = ALLM__K(regs_##name)(row, i, 4);                                                  \
            ALLM__K(f32_step)(&v, a + (i - g0), shift, has_min, &acc, &min);                                          \
        }                                                                                                             \
        if (n_weights == 32 && whole < g1) {                                                                          \
            const ALLM__K(regs) v = ALLM__REST(name, row, whole, allm__group_blocks(n_cols, whole));                  \
            ALLM__K(f32_step)(&v, a + (whole - g0), shift, has_min, &acc, &min);                                      \
        }                                                                                                             \
        return allm__vsum(has_min ? ALLM__K(with_min)(acc, min) : acc);                                               \
    }
ALLM__CODEC(q4_0, 32, 3, 0, 0)
ALLM__CODEC(q4_1, 32, 32, 1, 0)
ALLM__CODEC(q5_0, 32, 4, 0, 0)
ALLM__CODEC(q5_1, 32, 32, 1, 0)
ALLM__CODEC(q8_0, 32, 7, 0, 0)
ALLM__CODEC(q2_k, 256, 32, 1, 1)
ALLM__CODEC(q3_k, 256, 2, 0, 1)
ALLM__CODEC(q4_k, 256, 32, 1, 0)
ALLM__CODEC(q5_k, 256, 32, 1, 0)
ALLM__CODEC(q6_k, 256, 5, 0, 1)
#undef ALLM__CODEC
#undef ALLM__REST
#endif

#if ALLM__PASS == ALLM__PASS_NEON
typedef struct ALLM__K(sums) { float32x4_t of[4][4]; } ALLM__K(sums);

/* acc[j] += the products of element j of 16 signed bytes. */
ALLM__INLINE int32x4_t ALLM__K(dot16)(int32x4_t acc, int8x16_t w, int8x16_t a) {
#if defined(__ARM_FEATURE_DOTPROD)
    return vdotq_s32(acc, w, a);
#else
    const int16x8_t lo = vmull_s8(vget_low_s8(w), vget_low_s8(a)), hi = vmull_high_s8(w, a);
    return vpadalq_s16(acc, vpaddq_s16(lo, hi)); /* 2 * 128 * 127 fits 16 bits */
#endif
}

ALLM__INLINE int32x4_t ALLM__K(dot64)(const uint8_t *w, const int8_t *a, uint8x16_t offset) {
    int32x4_t s = vdupq_n_s32(0);
    for (int i = 0; i < 64; i += 16)
        s = ALLM__K(dot16)(s, vreinterpretq_s8_u8(vsubq_u8(vld1q_u8(w + i), offset)), vld1q_s8(a + i));
    return s;
}

ALLM__INLINE void ALLM__K(tile)(const allm__wgroup *const w[4], const allm__agroup *a, int64_t step, int64_t n, int T,
                                const allm__codec *c, int halves, ALLM__K(sums) *out) {
    const uint8x16_t offset = vdupq_n_u8((uint8_t)(c->shift == ALLM__NO_OFFSET ? 0 : 1 << c->shift));
    for (int t = 0; t < T; t++) {
        float32x4_t acc[4];
        ALLM__UNROLL(4) for (int r = 0; r < 4; r++) acc[r] = vdupq_n_f32(0);
        for (int64_t i = 0; i < n; i++) {
            const allm__agroup *g = a + t * step + i;
            const float32x4_t   d = vld1q_f32(g->d);
            ALLM__UNROLL(4) for (int r = 0; r < 4; r++) {
                const allm__wgroup *v  = w[r] + i;
                const int32x4_t     s0 = ALLM__K(dot64)(v->q, g->q, offset);
                const int32x4_t     s1 = ALLM__K(dot64)(v->q + 64, g->q + 64, offset);
                if (halves) {
                    const float32x4_t s = vmulq_f32(vcvtq_f32_s32(s0), vld1q_f32(v->d));
                    acc[r] = vfmaq_f32(acc[r], vfmaq_f32(s, vcvtq_f32_s32(s1), vld1q_f32(v->d + 4)), d);
                } else {
                    acc[r] = vfmaq_f32(acc[r], vcvtq_f32_s32(vaddq_s32(s0, s1)), vmulq_f32(d, vld1q_f32(v->d)));
                }
            }
        }
        ALLM__UNROLL(4) for (int r = 0; r < 4; r++) out->of[r][t] = acc[r];
    }
}

ALLM__INLINE void ALLM__K(tile_min)(const allm__wgroup *const w[4], const allm__agroup *a, int64_t step, int64_t n, int T,
                                    ALLM__K(sums) *out) {
    for (int t = 0; t < T; t++)
        for (int r = 0; r < 4; r++) {
            float32x4_t acc = vdupq_n_f32(0);
            for (int64_t i = 0; i < n; i++) {
                acc = vfmaq_f32(acc, vld1q_f32(a[t * step + i].s), vld1q_f32(w[r][i].m));
                acc = vfmaq_f32(acc, vld1q_f32(a[t * step + i].s + 4), vld1q_f32(w[r][i].m + 4));
            }
            out->of[r][t] = vaddq_f32(out->of[r][t], acc);
        }
}
#endif

/* Four rows times T (constant) tokens over a panel; adds to y unless it is a row's first panel. */
ALLM__INLINE void ALLM__K(panel_tile)(const allm__wgroup *const w[4], const allm__agroup *a, int64_t step, int64_t n,
                                      int T, const allm__codec *c, int first, float *y, int64_t ldy, int n_rows) {
    ALLM__K(sums) s;
#if ALLM__PASS == ALLM__PASS_AVX2
    if (c->halves) ALLM__K(tile)(w, a, step, n, T, c, 1, 0, &s);
    else if (c->n_bits == 8) ALLM__K(tile)(w, a, step, n, T, c, 0, 1, &s);
    else ALLM__K(tile)(w, a, step, n, T, c, 0, 0, &s);
#else
    if (c->halves) ALLM__K(tile)(w, a, step, n, T, c, 1, &s);
    else ALLM__K(tile)(w, a, step, n, T, c, 0, &s);
#endif
    if (c->has_min) ALLM__K(tile_min)(w, a, step, n, T, &s);
    for (int t = 0; t < T; t++) {
        float sum[4];
        allm__vsum4(sum, s.of[0][t], s.of[1][t], s.of[2][t], s.of[3][t]);
        for (int r = 0; r < n_rows; r++) y[t * ldy + r] = first ? sum[r] : y[t * ldy + r] + sum[r];
    }
}

#if ALLM__PASS != ALLM__PASS_NEON
#define ALLM__GEMV(name) ALLM__K(gemv_##name)
#else
#define ALLM__GEMV(name) NULL
#endif
static const allm__codec ALLM__K(codecs)[] = { /* as allm__codecs */
    {ALLM__Q4_0, ALLM__K(unpack_q4_0), 3, 0, 0, 4, ALLM__GEMV(q4_0), ALLM__K(dot_f32_q4_0)},
    {ALLM__Q4_1, ALLM__K(unpack_q4_1), ALLM__NO_OFFSET, 1, 0, 4, ALLM__GEMV(q4_1), ALLM__K(dot_f32_q4_1)},
    {ALLM__Q5_0, ALLM__K(unpack_q5_0), 4, 0, 0, 5, ALLM__GEMV(q5_0), ALLM__K(dot_f32_q5_0)},
    {ALLM__Q5_1, ALLM__K(unpack_q5_1), ALLM__NO_OFFSET, 1, 0, 5, ALLM__GEMV(q5_1), ALLM__K(dot_f32_q5_1)},
    {ALLM__Q8_0, ALLM__K(unpack_q8_0), 7, 0, 0, 8, ALLM__GEMV(q8_0), ALLM__K(dot_f32_q8_0)},
    {ALLM__Q2_K, ALLM__K(unpack_q2_k), ALLM__NO_OFFSET, 1, 1, 2, ALLM__GEMV(q2_k), ALLM__K(dot_f32_q2_k)},
    {ALLM__Q3_K, ALLM__K(unpack_q3_k), 2, 0, 1, 3, ALLM__GEMV(q3_k), ALLM__K(dot_f32_q3_k)},
    {ALLM__Q4_K, ALLM__K(unpack_q4_k), ALLM__NO_OFFSET, 1, 0, 4, ALLM__GEMV(q4_k), ALLM__K(dot_f32_q4_k)},
    {ALLM__Q5_K, ALLM__K(unpack_q5_k), ALLM__NO_OFFSET, 1, 0, 5, ALLM__GEMV(q5_k), ALLM__K(dot_f32_q5_k)},
    {ALLM__Q6_K, ALLM__K(unpack_q6_k), 5, 0, 1, 6, ALLM__GEMV(q6_k), ALLM__K(dot_f32_q6_k)},
};
#undef ALLM__GEMV

static const allm__codec *ALLM__K(codec_find)(int32_t id) { /* NULL: a float format */
    for (size_t i = 0; i < ALLM__COUNT(ALLM__K(codecs)); i++)
        if (ALLM__K(codecs)[i].id == id) return &ALLM__K(codecs)[i];
    return NULL;
}

/* Four rows (fewer than four: the last again) over one panel of columns, unpacked once for all tokens. */
static void ALLM__K(gemm_panel)(const uint8_t *const row[4], const allm__codec *c, const allm__acts *a, int64_t g0,
                                int64_t g1, float *y, int64_t ldy, int n_rows) {
    ALLM__ALIGNED(64) allm__wgroup panel[4][ALLM__PANEL];
    const allm__wgroup *const      w[4] = {panel[0], panel[ALLM__MIN(1, n_rows - 1)], panel[ALLM__MIN(2, n_rows - 1)],
                                           panel[n_rows - 1]};
    for (int r = 0; r < n_rows; r++)
        for (int64_t i = g0; i < g1; i++) c->unpack(row[r], i, allm__group_blocks(a->n_cols, i), &panel[r][i - g0]);
    const int64_t step = a->n_groups, n = g1 - g0;
    int32_t       t    = 0;
    for (; t + 4 <= a->n_tokens; t += 4)
        ALLM__K(panel_tile)(w, a->g + t * step + g0, step, n, 4, c, g0 == 0, y + t * ldy, ldy, n_rows);
    for (; t < a->n_tokens; t++)
        ALLM__K(panel_tile)(w, a->g + t * step + g0, step, n, 1, c, g0 == 0, y + t * ldy, ldy, n_rows);
}

static void ALLM__K(gemm_q8)(const allm__mat *w, int64_t r0, int64_t r1, const allm__acts *a, float *y, int64_t ldy) {
    const allm__codec *c = ALLM__K(codec_find)(w->fmt->id);
    if (!c) {
        allm__gemm_q8_float(w, r0, r1, a, y, ldy);
        return;
    }
    const size_t ahead = allm__rows_ahead(w->row_bytes);
    for (int64_t r = r0; r < r1; r += 4) {
        const int      n_rows = (int)ALLM__MIN(4, r1 - r);
        const uint8_t *row[4]; /* past r1 the last row again */
        for (int i = 0; i < 4; i++) row[i] = (const uint8_t *)w->data + (size_t)ALLM__MIN(r + i, r1 - 1) * w->row_bytes;
        for (int64_t g0 = 0; g0 < a->n_groups; g0 += ALLM__PANEL) {
            const int64_t g1 = ALLM__MIN(g0 + ALLM__PANEL, a->n_groups);
            if (a->n_tokens > 1 || !c->gemv) {
                ALLM__K(gemm_panel)(row, c, a, g0, g1, y + r, ldy, n_rows);
                continue;
            }
            float sum[4];
            c->gemv(row, a->g, g0, g1, a->n_cols, ahead, sum);
            for (int i = 0; i < n_rows; i++) y[r + i] = g0 == 0 ? sum[i] : y[r + i] + sum[i];
        }
    }
}
#endif

/* ---- matrix times float activations: all formats */

#if ALLM__PASS != ALLM__PASS_SCALAR
/* Rows of codes times one token; a panel of activations at a time is put in order. */
static void ALLM__K(codes_f32)(const allm__mat *w, const allm__codec *c, int64_t r0, int64_t r1, const float *x, float *y) {
    ALLM__ALIGNED(64) allm__fgroup panel[ALLM__PANEL];
    const int64_t n = w->n_cols, n_groups = allm__n_groups(n);
    for (int64_t g0 = 0; g0 < n_groups; g0 += ALLM__PANEL) {
        const int64_t g1 = ALLM__MIN(g0 + ALLM__PANEL, n_groups);
        for (int64_t i = g0; i < g1; i++)
            allm__fgroup_place(x + i * ALLM__GROUP, ALLM__MIN(n - i * ALLM__GROUP, ALLM__GROUP), &panel[i - g0]);
        for (int64_t r = r0; r < r1; r++) {
            const float sum = c->dot_f32((const uint8_t *)w->data + (size_t)r * w->row_bytes, panel, g0, g1, n);
            y[r]            = g0 == 0 ? sum : y[r] + sum;
        }
    }
}
#endif

static void ALLM__K(gemm_f32)(const allm__mat *w, int64_t r0, int64_t r1, const float *x, int64_t ldx, int32_t n_tokens,
                              float *y, int64_t ldy, float *row_scratch) {
    const uint8_t *data  = (const uint8_t *)w->data;
    const int32_t  id    = w->fmt->id;
    const int      own   = id == ALLM__F32 || id == ALLM__F16 || id == ALLM__BF16 || id == ALLM__Q8_0;
    const size_t   ahead = allm__rows_ahead(w->row_bytes);
    float          out[4];
    for (int64_t r = r0; own && r < r1; r += 4) { /* past r1 the last row again */
        const uint8_t *row[4];
        for (int i = 0; i < 4; i++) row[i] = data + (size_t)ALLM__MIN(r + i, r1 - 1) * w->row_bytes;
        for (int32_t t = 0; t < n_tokens; t++) {
            if (id == ALLM__Q8_0) ALLM__K(dot4_q8_0)(row, x + t * ldx, w->n_cols, ahead, out);
            else if (id == ALLM__F16) ALLM__K(dot4_float)(row, x + t * ldx, w->n_cols, w->fmt, ALLM__F16, ahead, out);
            else if (id == ALLM__BF16) ALLM__K(dot4_float)(row, x + t * ldx, w->n_cols, w->fmt, ALLM__BF16, ahead, out);
            else ALLM__K(dot4_float)(row, x + t * ldx, w->n_cols, w->fmt, ALLM__F32, ahead, out);
            for (int i = 0; i < 4 && r + i < r1; i++) y[t * ldy + r + i] = out[i];
        }
    }
    if (own) return;
#if ALLM__PASS != ALLM__PASS_SCALAR
    const allm__codec *c = ALLM__K(codec_find)(id);
    if (c) {
        for (int32_t t = 0; t < n_tokens; t++) ALLM__K(codes_f32)(w, c, r0, r1, x + t * ldx, y + t * ldy);
        return;
    }
#endif
    for (int64_t r = r0; r < r1; r++) {
        w->fmt->dequant(data + (size_t)r * w->row_bytes, row_scratch, w->n_cols);
        for (int32_t t = 0; t < n_tokens; t += 4) { /* past the end the last token again */
            const float *token[4];
            for (int i = 0; i < 4; i++) token[i] = x + ALLM__MIN(t + i, n_tokens - 1) * ldx;
            ALLM__K(dot_tokens)(row_scratch, token, w->n_cols, out);
            for (int i = 0; i < 4 && t + i < n_tokens; i++) y[(t + i) * ldy + r] = out[i];
        }
    }
}

static const allm__kern ALLM__K(table) = {
    ALLM__STRING(ALLM__PASS_NAME), ALLM__K(acts_quant), ALLM__K(gemm_q8), ALLM__K(gemm_f32),   ALLM__K(rms_norm),
    ALLM__K(layer_norm),  ALLM__K(add),        ALLM__K(swiglu),  ALLM__K(rope_pairs), ALLM__K(rope_halves),
    ALLM__K(attend),      ALLM__K(kv_store),   ALLM__K(max),     ALLM__K(exp_sum),
};

#undef ALLM__K
#undef ALLM__VL
#undef ALLM__PASS_NAME
#undef ALLM__PASS
#else  /* the first inclusion: one pass per ISA, each in a region where the compiler may use it */

#define ALLM__PASS ALLM__PASS_SCALAR
#define ALLM__PASS_NAME scalar
#include ABSTRACTLLM_SELF

#if defined(ALLM__X86)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif
#define ALLM__PASS ALLM__PASS_AVX2
#define ALLM__PASS_NAME avx2
#include ABSTRACTLLM_SELF
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#ifndef ABSTRACTLLM_NO_AVX512
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#endif
#define ALLM__PASS ALLM__PASS_AVX512
#define ALLM__PASS_NAME avx512
#include ABSTRACTLLM_SELF
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
#endif

#if defined(ALLM__ARM64) /* NEON is part of the base */
#define ALLM__PASS ALLM__PASS_NEON
#define ALLM__PASS_NAME neon
#include ABSTRACTLLM_SELF
#endif

#if defined(ALLM__ARM64_DOTPROD) /* the same with dot products of bytes, which room isa's vocabulary does not show */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif
#define ALLM__PASS ALLM__PASS_NEON
#define ALLM__PASS_NAME dotprod
#include ABSTRACTLLM_SELF
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

static const allm__kern *const allm__kerns[] = {
    &allm__kern_table_scalar,
#if defined(ALLM__X86)
    &allm__kern_table_avx2,
#endif
#if defined(ALLM__X86) && !defined(ABSTRACTLLM_NO_AVX512)
    &allm__kern_table_avx512,
#endif
#if defined(ALLM__ARM64)
    &allm__kern_table_neon,
#endif
#if defined(ALLM__ARM64_DOTPROD)
    &allm__kern_table_dotprod,
#endif
};

/* The named table, or with NULL the best, that this machine can run; NULL: none such. */
static const allm__kern *allm__kern_find(const char *isa) {
    for (size_t i = 0; i < ALLM__COUNT(allm__isas); i++)
        for (size_t k = 0; k < ALLM__COUNT(allm__kerns); k++)
            if (!strcmp(allm__kerns[k]->name, allm__isas[i].name) && (!isa || !strcmp(isa, allm__isas[i].name)) &&
                allm__isas[i].detect())
                return allm__kerns[k];
    return NULL;
}

typedef struct allm__compute { /* what the numbers side computes with */
    const allm__kern *kern;
    allm__pool       *pool;
} allm__compute;

#if defined(__clang__)
#pragma STDC FP_CONTRACT DEFAULT
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif

// MARK: >>json  JSON
/* Owns: a pull parser without recursion and a writer. Spec: RFC 8259. */

// MARK: >>gguf  GGUF files
/* Owns: container, metadata, tensor infos, split files. Spec: GGUF versions 2 and 3. */

// MARK: >>st  safetensors and Hugging Face folders
/* Owns: safetensors files, shard index, config.json (not built yet). */

// MARK: >>http  HTTP client
/* Owns: HTTP/1.1, SSE and NDJSON over the caller's transport (not built yet). */

// MARK: >>hub  Hugging Face cache
/* Owns: resolving org/name, listing, pulling (not built yet). */

// MARK: >>regex  Pre-tokenizer patterns
/* Owns: the patterns' compiler and matcher with Unicode classes: linear time, no recursion. */

// MARK: >>tok  Tokenizers
/* Owns: tokenizer vtables, special tokens, the streaming detokenizer. */

// MARK: >>tmpl  Templates
/* Owns: Jinja: lexer, parser, evaluator, tables of filters, tests, functions and methods. */

// MARK: >>chat  Chats
/* Owns: messages to prompt and back: template variables, fallback formats, output filters. */

// MARK: >>gram  Grammars
/* Owns: GBNF and JSON Schema to a byte automaton with token masks (not built yet). */

// MARK: >>arch  Architectures
/* Owns: one descriptor row per model family: flags, hyper-parameter keys, tensor names. */

// MARK: >>model  Models
/* Owns: binding tensors to a descriptor, validation, memory plan; immutable afterwards. */

// MARK: >>conv  Converter
/* Owns: writing GGUF files (not built yet). */

// MARK: >>kv  Key/value cache
/* Owns: layout, append, rollback of cached keys and values. */

// MARK: >>fwd  Forward pass
/* Owns: one prefill or decode pass over a descriptor, in stages of parts. */

// MARK: >>samp  Samplers
/* Owns: the sampler chain as rows, penalties, the draw. */

// MARK: >>vision  Vision
/* Owns: image decoding, towers, projectors (not built yet). */

// MARK: >>gen  Generation
/* Owns: prompt to tokens to pass to sample to text events. */

// MARK: >>sess  Sessions
/* Owns: history and prefix reuse over a model's session. */

// MARK: >>prov  Providers
/* Owns: the runtime, the provider registry and its built-in rows, the model cache. */

// MARK: >>api  Public functions
/* Owns: argument checks and the error record; each calls one room. */

#endif /* !ALLM__PASS */
#endif /* ABSTRACTLLM_IMPLEMENTATION */
/* End of abstractllm.h */
