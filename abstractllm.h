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
    const char *isa;          /* NULL: best the CPU and OS allow; "scalar", "avx2", "avx512", "neon" */
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
    int32_t             raw;             /* non-zero: no chat template; special tokens spelled in a prompt stay text */
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
#endif
#endif

#define ALLM__COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ALLM__MIN(a, b) ((a) < (b) ? (a) : (b))
#define ALLM__MAX(a, b) ((a) > (b) ? (a) : (b))
#define ALLM__JOIN2(a, b) a##b
#define ALLM__JOIN(a, b) ALLM__JOIN2(a, b)
/* A check at compile time, in C99 too. */
#define ALLM__STATIC(name, condition) typedef char ALLM__JOIN(allm__static_, name)[(condition) ? 1 : -1]

#if defined(__GNUC__) || defined(__clang__)
#define ALLM__INLINE static inline __attribute__((unused, always_inline))
#define ALLM__UNUSED __attribute__((unused))
#define ALLM__PRINTF(i_format, i_first) __attribute__((format(printf, i_format, i_first)))
/* Atomics on int32_t, sequentially consistent. */
#define ALLM__LOAD(p) __atomic_load_n(p, __ATOMIC_SEQ_CST)
#define ALLM__STORE(p, v) __atomic_store_n(p, v, __ATOMIC_SEQ_CST)
#define ALLM__ADD(p, v) __atomic_add_fetch(p, v, __ATOMIC_SEQ_CST)
#define ALLM__SWAP(p, v) __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#else
#define ALLM__INLINE static __inline
#define ALLM__UNUSED
#define ALLM__PRINTF(i_format, i_first)
#if defined(ALLM__WINDOWS)
#define ALLM__LOAD(p) InterlockedCompareExchange((volatile LONG *)(p), 0, 0)
#define ALLM__STORE(p, v) ((void)InterlockedExchange((volatile LONG *)(p), (LONG)(v)))
#define ALLM__ADD(p, v) (InterlockedExchangeAdd((volatile LONG *)(p), (LONG)(v)) + (LONG)(v))
#define ALLM__SWAP(p, v) InterlockedExchange((volatile LONG *)(p), (LONG)(v))
#else /* an unknown compiler: one thread only */
#define ABSTRACTLLM_NO_THREADS
#define ALLM__LOAD(p) (*(p))
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
 * the length of its maximal well-formed beginning, at least 1 (Unicode 3.9, substitution of maximal subparts). */
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
    if (c < 0x10000) {
        dst[0] = (char)(0xe0 | c >> 12), dst[1] = (char)(0x80 | (c >> 6 & 63));
        return dst[2] = (char)(0x80 | (c & 63)), 3;
    }
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
        for (; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++, n_e++)
            e = ALLM__MIN(e * 10 + (s.ptr[i] - '0'), 99999);
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

/* The text of v as Python's repr: shortest digits that read back the same; "1.0", "1e-05", "inf". Returns its
 * length. */
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
    if (n_given != 1)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "a source needs exactly one of path, data, read");
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
    int32_t      n_started; /* workers that have taken their part's number */
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
#if defined(ABSTRACTLLM_NO_STDIO)
    n_cores = n;
#else
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
#endif
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
/* Owns: block structs with their bit diagrams, scalar quantise and dequantise (the oracle of every kernel), the format list. Spec: GGUF tensor types. */

// MARK: >>isa  Instruction sets
/* Owns: CPU and OS detection (CPUID, XCR0), the ISA list, one vector vocabulary per ISA. */

// MARK: >>kern  Kernels
/* Owns: the kernel table of each ISA, written once over the vocabulary, hot slots by hand. */

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
