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

/* No control characters and no broken UTF-8 leave in a message: names come from files. */
static void allm__err_clean(char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || (unsigned char)*text == 0x7f) *text = '?';
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
    if (!allm__buf_room(b, 1)) return NULL;
    b->ptr[--b->len] = 0;
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

static void allm__dec_round(allm__dec *a, int n) { /* keep n digits */
    if (n < 0 || n >= a->n) {
        if (n < 0) a->n = 0, a->point = 0;
        return;
    }
    int up = allm__dec_up(a, n);
    a->n   = n;
    if (up) {
        int i = n;
        while (i > 0 && a->d[i - 1] == 9) i--;
        if (i == 0) a->d[0] = 1, a->n = 1, a->point++;
        else a->d[i - 1]++, a->n = i;
    }
    allm__dec_trim(a);
}

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

/* The fewest digits that read back as v (finite, > 0): a.d, a.n, a.point. */
static void allm__dec_shortest(allm__dec *a, double v) {
    allm__dec best;
    for (int n = 1; n <= 17; n++) {
        double back;
        int    over;
        allm__dec_from(a, v);
        allm__dec_round(a, n);
        best = *a;
        back = allm__dec_value(&best, &over);
        if (back == v) return;
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
        if (got <= 0 || (uint64_t)got > want)
            return allm__fail(err, ALLM_E_IO, f->name, (int64_t)done, got < 0 ? "read failed" : "ends early, %llu bytes expected",
                              (unsigned long long)size);
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
    int fd, failed;
    do fd = open(path, O_RDONLY);
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
/* Owns: block structs with their bit diagrams, scalar quantise and dequantise (the oracle of every kernel), the format list. Spec: GGUF tensor types. */
/* Placeholder until the format list is merged: names and sizes only. */
typedef struct allm__fmt {
    const char *name;
    int32_t     id, n_weights, n_bytes;
    void (*dequant)(const void *src, float *dst, int64_t n);
    void (*quant)(const float *src, void *dst, int64_t n);
} allm__fmt;
static const allm__fmt allm__fmts[] = {
    {"F32", 0, 1, 4, NULL, NULL},    {"F16", 1, 1, 2, NULL, NULL},    {"Q4_0", 2, 32, 18, NULL, NULL},
    {"Q4_1", 3, 32, 20, NULL, NULL}, {"Q5_0", 6, 32, 22, NULL, NULL}, {"Q5_1", 7, 32, 24, NULL, NULL},
    {"Q8_0", 8, 32, 34, NULL, NULL}, {"Q2_K", 10, 256, 84, NULL, NULL}, {"Q3_K", 11, 256, 110, NULL, NULL},
    {"Q4_K", 12, 256, 144, NULL, NULL}, {"Q5_K", 13, 256, 176, NULL, NULL}, {"Q6_K", 14, 256, 210, NULL, NULL},
    {"BF16", 30, 1, 2, NULL, NULL},
};
static const allm__fmt *allm__fmt_find(int32_t gguf_id) {
    for (size_t i = 0; i < ALLM__COUNT(allm__fmts); i++)
        if (allm__fmts[i].id == gguf_id) return &allm__fmts[i];
    return NULL;
}
typedef struct allm__tensor { /* one tensor of a file, whatever the container */
    allm_str         name;
    const allm__fmt *fmt;
    int32_t          type, n_dims;
    int64_t          dims[4];
    const uint8_t   *data;
    size_t           n_bytes;
    const char      *file;
    uint64_t         offset;
} allm__tensor;

// MARK: >>isa  Instruction sets
/* Owns: CPU and OS detection (CPUID, XCR0), the ISA list, one vector vocabulary per ISA. */

// MARK: >>kern  Kernels
/* Owns: the kernel table of each ISA, written once over the vocabulary, hot slots by hand. */

// MARK: >>json  JSON
/* Owns: reading and writing JSON. Spec: RFC 8259, strict: UTF-8 without byte order mark, no comments, no trailing
 * commas, no unpaired surrogates, any value at the top.
 *
 * A reader asks for one event after another; nothing is built and nothing recurses (one bit a level):
 *
 *     allm__json_init(&j, h, text, "config.json", 0, err);
 *     if (allm__json_begin(&j, ALLM__JSON_OBJECT, "an object")) {
 *         while (allm__json_key(&j, &key))                           - the next key of the object, or 0 at its end
 *             if (allm__str_eq(key, ALLM__S("layers"))) allm__json_get_int(&j, "layers", 1, 1000, &n_layers);
 *             else allm__json_skip(&j);                              - the value, whatever it is
 *     }
 *     allm__json_end(&j);                                            - nothing but white space may follow
 *     allm__json_free(&j);                                           - j.status tells how it went
 *
 * The first error is kept (ALLM_E_FORMAT with line and column; ALLM_E_MEMORY) and ends every loop, so it needs no check
 * before the end. Keys come as often as they are there: what two equal ones mean is the caller's to say. Text of keys
 * and strings is a view of the input, or of j->text when it held escapes: valid until the next event; it may hold NUL. */

enum { ALLM__JSON_DEPTH = 64, ALLM__JSON_DEPTH_MAX = 256 };

typedef enum allm__json_event {
    ALLM__JSON_EOF, /* after the value; also after an error */
    ALLM__JSON_OBJECT, ALLM__JSON_OBJECT_END, ALLM__JSON_ARRAY, ALLM__JSON_ARRAY_END,
    ALLM__JSON_KEY, ALLM__JSON_STRING, ALLM__JSON_INT, ALLM__JSON_DOUBLE, ALLM__JSON_TRUE, ALLM__JSON_FALSE,
    ALLM__JSON_NULL
} allm__json_event;

static const char *const allm__json_names[] = {
    "the end", "an object", "the end of an object", "an array", "the end of an array", "a key", "a string",
    "an integer", "a number", "true", "false", "null",
};

typedef struct allm__json {
    const char      *p; /* [n] */
    size_t           n, pos;
    const char      *source; /* for messages */
    allm_error      *err;
    allm_status      status; /* sticky */
    int32_t          depth, max_depth;
    uint64_t         is_object[ALLM__JSON_DEPTH_MAX / 64]; /* one bit for each open container */
    int              expect;                               /* enum allm__json_place */
    allm__json_event event;                                /* the last one */
    size_t           at;                                   /* byte where it began */
    allm_str         raw;     /* key, string: between the quotes, escapes as written; number: its text */
    int              escaped; /* raw holds escapes */
    int64_t          i;       /* ALLM__JSON_INT */
    double           d;       /* ALLM__JSON_INT and ALLM__JSON_DOUBLE */
    int              big;     /* ALLM__JSON_DOUBLE that is written as an integer and does not fit in int64 */
    allm__buf        text;    /* the last unescaped string */
} allm__json;

enum allm__json_place { /* what may come next */
    ALLM__JSON_AT_VALUE,  /* a value */
    ALLM__JSON_AT_FIRST,  /* just behind [ or {: the end of it, too */
    ALLM__JSON_AT_COMMA,  /* behind a value in a container: comma or the end of it */
    ALLM__JSON_AT_MEMBER, /* behind a comma in an object: a key */
    ALLM__JSON_AT_END     /* behind the top value */
};

/* max_depth 0: 64; at most 256. text and source must outlive the reader. */
static void allm__json_init(allm__json *j, const allm__host *h, allm_str text, const char *source, int32_t max_depth,
                            allm_error *err) {
    memset(j, 0, sizeof *j);
    j->p = text.ptr, j->n = text.len, j->source = source, j->err = err, j->text.host = h;
    j->max_depth = max_depth <= 0 ? ALLM__JSON_DEPTH : ALLM__MIN(max_depth, ALLM__JSON_DEPTH_MAX);
}

static void allm__json_free(allm__json *j) { allm__buf_free(&j->text); }

/* 1-based line, and column in characters, of a byte of UTF-8 text. */
static void allm__json_place_of(const char *p, size_t pos, int32_t *line, int32_t *column) {
    *line = *column = 1;
    for (size_t i = 0; i < pos; i++)
        if (p[i] == '\n') *line += *line < INT32_MAX, *column = 1;
        else if (((unsigned char)p[i] & 0xc0) != 0x80) *column += *column < INT32_MAX;
}

/* Fails at a byte of the text; also for rooms that find a value they cannot take (at = j->at). Returns 0. */
ALLM__PRINTF(3, 4)
static int allm__json_fail(allm__json *j, size_t at, const char *format, ...) {
    va_list args;
    int32_t place[2];
    if (j->status) return 0;
    allm__json_place_of(j->p, at, &place[0], &place[1]);
    va_start(args, format);
    j->status = allm__err_vset(j->err, ALLM_E_FORMAT, j->source, -1, place, format, args);
    va_end(args);
    return 0;
}

static int allm__json_fail_found(allm__json *j, size_t at, const char *expected) {
    if (at >= j->n) return allm__json_fail(j, at, "%s expected, but the text ends", expected);
    unsigned c = (unsigned char)j->p[at];
    if (c > 0x20 && c < 0x7f) return allm__json_fail(j, at, "%s expected, found '%c'", expected, (int)c);
    return allm__json_fail(j, at, "%s expected, found byte 0x%02x", expected, c);
}

static void allm__json_space(allm__json *j) {
    while (j->pos < j->n && (j->p[j->pos] == ' ' || j->p[j->pos] == '\n' || j->p[j->pos] == '\r' || j->p[j->pos] == '\t'))
        j->pos++;
}

/* ---- strings: checked when they are met, unescaped when they are asked for */

static int allm__json_hex4(const char *p, size_t n, int32_t *out) { /* four hex digits at p, n bytes left */
    int32_t v = 0;
    if (n < 4) return 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int  d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (d < 0) return 0;
        v = v * 16 + d;
    }
    return *out = v, 1;
}

/* Checks the escape at pos (a backslash); returns its length, 0 after an error. A pair of surrogates is one escape. */
static size_t allm__json_check_escape(allm__json *j, size_t pos) {
    int32_t u, lo;
    char    c = pos + 1 < j->n ? j->p[pos + 1] : 0;
    if (c && strchr("\"\\/bfnrt", c)) return 2;
    if (c != 'u') return (size_t)allm__json_fail(j, pos, "unknown escape in a string");
    if (!allm__json_hex4(j->p + pos + 2, j->n - pos - 2, &u))
        return (size_t)allm__json_fail(j, pos, "four hex digits expected after \\u");
    if (u < 0xd800 || u > 0xdfff) return 6;
    if (u < 0xdc00 && j->n - pos >= 12 && j->p[pos + 6] == '\\' && j->p[pos + 7] == 'u' &&
        allm__json_hex4(j->p + pos + 8, 4, &lo) && lo >= 0xdc00 && lo <= 0xdfff)
        return 12;
    return (size_t)allm__json_fail(j, pos, "surrogate \\u%04x without its other half", (unsigned)u);
}

/* The string at pos (a quote) into raw and escaped. */
static int allm__json_read_string(allm__json *j) {
    size_t start = j->pos + 1, i = start, len;
    j->escaped = 0;
    for (;; i += len) {
        while (i < j->n && (unsigned char)j->p[i] >= 0x20 && (unsigned char)j->p[i] < 0x80 && j->p[i] != '"' && j->p[i] != '\\') i++;
        if (i == j->n) return allm__json_fail(j, j->pos, "a string that does not end");
        unsigned char c = (unsigned char)j->p[i];
        int32_t       cp;
        if (c == '"') break;
        if (c < 0x20) return allm__json_fail(j, i, "control character 0x%02x in a string, an escape expected", c);
        if (c == '\\') {
            j->escaped = 1;
            if (!(len = allm__json_check_escape(j, i))) return 0;
        } else {
            len = allm__utf8_next(j->p + i, j->n - i, &cp);
            if (cp < 0) return allm__json_fail(j, i, "byte 0x%02x is not UTF-8", c);
        }
    }
    j->raw = allm__str(j->p + start, i - start);
    j->pos = i + 1;
    return 1;
}

/* Appends a checked string, unescaped. */
static void allm__json_unescape(allm_str raw, allm__buf *b) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    for (size_t i = 0; i < raw.len;) {
        const char *back = (const char *)memchr(raw.ptr + i, '\\', raw.len - i);
        size_t      n    = back ? (size_t)(back - raw.ptr) - i : raw.len - i;
        int32_t     u = 0, lo = 0;
        allm__buf_put(b, raw.ptr + i, n);
        i += n;
        if (!back) break;
        if (back[1] != 'u') {
            allm__buf_putc(b, to[strchr(from, back[1]) - from]);
            i += 2;
            continue;
        }
        allm__json_hex4(back + 2, 4, &u);
        i += 6;
        if (u >= 0xd800 && u <= 0xdbff) { /* its other half follows: checked */
            allm__json_hex4(back + 8, 4, &lo);
            u = 0x10000 + ((u - 0xd800) << 10) + (lo - 0xdc00);
            i += 6;
        }
        allm__buf_put_cp(b, u);
    }
}

/* Appends the text of the last key or string to b, whose `failed` tells about memory. */
static void allm__json_string(const allm__json *j, allm__buf *b) {
    if (j->escaped) allm__json_unescape(j->raw, b);
    else allm__buf_put(b, j->raw.ptr, j->raw.len);
}

/* The text of the last key or string, valid until the next event. */
static allm_str allm__json_text(allm__json *j) {
    if (j->status) return ALLM__S("");
    if (!j->escaped) return j->raw;
    j->text.len = 0;
    allm__json_unescape(j->raw, &j->text);
    if (j->text.failed) {
        j->status = allm__fail_memory(j->err, j->raw.len);
        return ALLM__S("");
    }
    return allm__str(j->text.ptr ? j->text.ptr : "", j->text.len);
}

/* ---- numbers */

static size_t allm__json_digits(const allm__json *j, size_t i) { /* behind the digits at i */
    while (i < j->n && j->p[i] >= '0' && j->p[i] <= '9') i++;
    return i;
}

/* -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)? at pos; the event is set. */
static int allm__json_read_number(allm__json *j) {
    size_t i = j->pos, k;
    int    is_int = 1, over = 0;
    if (j->p[i] == '-') i++;
    k = allm__json_digits(j, i);
    if (k == i) return allm__json_fail_found(j, k, "a digit");
    if (j->p[i] == '0' && k > i + 1) return allm__json_fail(j, i, "a number with leading zeros");
    i = k;
    if (i < j->n && j->p[i] == '.') {
        is_int = 0;
        k = allm__json_digits(j, ++i);
        if (k == i) return allm__json_fail_found(j, k, "a digit");
        i = k;
    }
    if (i < j->n && (j->p[i] == 'e' || j->p[i] == 'E')) {
        is_int = 0;
        if (++i < j->n && (j->p[i] == '+' || j->p[i] == '-')) i++;
        k = allm__json_digits(j, i);
        if (k == i) return allm__json_fail_found(j, k, "a digit");
        i = k;
    }
    j->raw = allm__str(j->p + j->pos, i - j->pos);
    j->big = 0;
    if (is_int && allm__int_parse(j->raw, &j->i)) j->event = ALLM__JSON_INT, j->d = (double)j->i;
    else {
        j->event = ALLM__JSON_DOUBLE, j->big = is_int, j->i = 0;
        allm__num_parse(j->raw, &j->d, &over);
        if (over) return allm__json_fail(j, j->pos, "the number does not fit in a double");
    }
    j->pos = i;
    return 1;
}

/* ---- events */

static int allm__json_in_object(const allm__json *j) {
    int32_t top = j->depth - 1;
    return j->depth > 0 && (j->is_object[top / 64] >> top % 64 & 1);
}

static int allm__json_open(allm__json *j, int is_object) {
    if (j->depth == j->max_depth) return allm__json_fail(j, j->pos, "nested deeper than %d levels", (int)j->max_depth);
    uint64_t bit = (uint64_t)1 << j->depth % 64, *word = &j->is_object[j->depth / 64];
    *word     = is_object ? *word | bit : *word & ~bit;
    j->event  = is_object ? ALLM__JSON_OBJECT : ALLM__JSON_ARRAY;
    j->expect = ALLM__JSON_AT_FIRST;
    j->depth++, j->pos++;
    return 1;
}

static int allm__json_close(allm__json *j) {
    j->event = allm__json_in_object(j) ? ALLM__JSON_OBJECT_END : ALLM__JSON_ARRAY_END;
    j->depth--, j->pos++;
    return 1;
}

static int allm__json_literal(allm__json *j, const char *word, allm__json_event event) {
    size_t n = strlen(word);
    if (j->n - j->pos < n || memcmp(j->p + j->pos, word, n)) return allm__json_fail_found(j, j->pos, "a value");
    j->event = event, j->pos += n;
    return 1;
}

static int allm__json_value(allm__json *j) {
    char c = j->pos < j->n ? j->p[j->pos] : 0;
    switch (c) {
    case '{': return allm__json_open(j, 1);
    case '[': return allm__json_open(j, 0);
    case '"': return j->event = ALLM__JSON_STRING, allm__json_read_string(j);
    case 't': return allm__json_literal(j, "true", ALLM__JSON_TRUE);
    case 'f': return allm__json_literal(j, "false", ALLM__JSON_FALSE);
    case 'n': return allm__json_literal(j, "null", ALLM__JSON_NULL);
    default:
        if (c == '-' || (c >= '0' && c <= '9')) return allm__json_read_number(j);
        return allm__json_fail_found(j, j->pos, "a value");
    }
}

/* A key and the colon behind it. */
static int allm__json_member(allm__json *j) {
    if (j->pos == j->n || j->p[j->pos] != '"') return allm__json_fail_found(j, j->pos, "a key in quotes");
    j->event = ALLM__JSON_KEY;
    if (!allm__json_read_string(j)) return 0;
    allm__json_space(j);
    if (j->pos == j->n || j->p[j->pos] != ':') return allm__json_fail_found(j, j->pos, "':'");
    j->pos++;
    j->expect = ALLM__JSON_AT_VALUE;
    return 1;
}

/* Reads one event at pos, white space and a comma being behind us. */
static int allm__json_step(allm__json *j) {
    int  in_object = allm__json_in_object(j), at_end;
    char c         = j->pos < j->n ? j->p[j->pos] : 0;
    at_end         = j->depth > 0 && c == (in_object ? '}' : ']');
    if (at_end && (j->expect == ALLM__JSON_AT_FIRST || j->expect == ALLM__JSON_AT_COMMA)) {
        allm__json_close(j);
    } else if (j->expect == ALLM__JSON_AT_MEMBER || (j->expect == ALLM__JSON_AT_FIRST && in_object)) {
        return allm__json_member(j);
    } else {
        if (!allm__json_value(j)) return 0;
        if (j->event == ALLM__JSON_OBJECT || j->event == ALLM__JSON_ARRAY) return 1;
    }
    j->expect = j->depth ? ALLM__JSON_AT_COMMA : ALLM__JSON_AT_END;
    return 1;
}

/* The next event; ALLM__JSON_EOF behind the value and after an error (j->status). */
static allm__json_event allm__json_next(allm__json *j) {
    if (j->status) return j->event = ALLM__JSON_EOF;
    allm__json_space(j);
    j->at = j->pos;
    if (j->expect == ALLM__JSON_AT_END) {
        if (j->pos < j->n) allm__json_fail_found(j, j->pos, "the end of the text");
        return j->event = ALLM__JSON_EOF;
    }
    if (j->expect == ALLM__JSON_AT_COMMA && j->pos < j->n && j->p[j->pos] == ',') {
        j->pos++;
        allm__json_space(j);
        j->at     = j->pos;
        j->expect = allm__json_in_object(j) ? ALLM__JSON_AT_MEMBER : ALLM__JSON_AT_VALUE;
    } else if (j->expect == ALLM__JSON_AT_COMMA && (j->pos == j->n || j->p[j->pos] != (allm__json_in_object(j) ? '}' : ']'))) {
        allm__json_fail_found(j, j->pos, allm__json_in_object(j) ? "',' or '}'" : "',' or ']'");
    }
    if (j->status || !allm__json_step(j)) j->event = ALLM__JSON_EOF;
    return j->event;
}

/* Passes over a value: the one that follows a key, or what is left of the container that the last event opened. After
 * the event of a string, number or literal there is nothing to do. */
static void allm__json_skip(allm__json *j) {
    if (j->event == ALLM__JSON_KEY) allm__json_next(j);
    if (j->event != ALLM__JSON_OBJECT && j->event != ALLM__JSON_ARRAY) return;
    for (int32_t depth = j->depth; !j->status && j->depth >= depth;) allm__json_next(j);
}

/* ---- for readers that know what they want: each takes the next event and fails when it is something else */

static int allm__json_begin(allm__json *j, allm__json_event event, const char *expected) {
    if (allm__json_next(j) == event) return 1;
    return allm__json_fail(j, j->at, "%s expected, found %s", expected, allm__json_names[j->event]);
}

/* The next key of the object we are in; 0 at its end and after an error. */
static int allm__json_key(allm__json *j, allm_str *key) {
    if (allm__json_next(j) != ALLM__JSON_KEY) return 0;
    *key = allm__json_text(j);
    return !j->status;
}

/* Is there another element in the array we are in? Its event has been read. */
static int allm__json_elem(allm__json *j) { return allm__json_next(j) != ALLM__JSON_ARRAY_END && !j->status; }

/* Nothing but white space may be left. */
static allm_status allm__json_end(allm__json *j) {
    if (!j->status && allm__json_next(j) != ALLM__JSON_EOF)
        allm__json_fail(j, j->at, "the end of the text expected, found %s", allm__json_names[j->event]);
    return j->status;
}

/* The value of a field. `field` is for the message. */
static int allm__json_get_int(allm__json *j, const char *field, int64_t lo, int64_t hi, int64_t *out) {
    allm__json_event e = allm__json_next(j);
    if (e == ALLM__JSON_DOUBLE && !j->big && j->d == floor(j->d) && fabs(j->d) < 9007199254740992.0) /* 1e3, 32.0 */
        e = ALLM__JSON_INT, j->i = (int64_t)j->d;
    if (e == ALLM__JSON_INT && j->i >= lo && j->i <= hi) return *out = j->i, 1;
    if (e == ALLM__JSON_INT || e == ALLM__JSON_DOUBLE)
        return allm__json_fail(j, j->at, "\"%.40s\" is %.*s, an integer in %lld..%lld expected", field,
                               (int)ALLM__MIN(j->raw.len, 40), j->raw.ptr, (long long)lo, (long long)hi);
    return allm__json_fail(j, j->at, "\"%.40s\": an integer expected, found %s", field, allm__json_names[e]);
}

static int allm__json_get_f64(allm__json *j, const char *field, double *out) { /* finite */
    allm__json_event e = allm__json_next(j);
    if (e == ALLM__JSON_INT || e == ALLM__JSON_DOUBLE) return *out = j->d, 1;
    return allm__json_fail(j, j->at, "\"%.40s\": a number expected, found %s", field, allm__json_names[e]);
}

static int allm__json_get_bool(allm__json *j, const char *field, int *out) {
    allm__json_event e = allm__json_next(j);
    if (e == ALLM__JSON_TRUE || e == ALLM__JSON_FALSE) return *out = e == ALLM__JSON_TRUE, 1;
    return allm__json_fail(j, j->at, "\"%.40s\": true or false expected, found %s", field, allm__json_names[e]);
}

static int allm__json_get_str(allm__json *j, const char *field, allm_str *out) { /* valid until the next event */
    allm__json_event e = allm__json_next(j);
    if (e == ALLM__JSON_STRING) return *out = allm__json_text(j), !j->status;
    return allm__json_fail(j, j->at, "\"%.40s\": a string expected, found %s", field, allm__json_names[e]);
}

/* ---- writing. Text looks as Python's json.dumps(..., ensure_ascii=False) makes it. */

/* s in quotes. Bytes that are not UTF-8 become U+FFFD: what is written is always JSON. */
static void allm__json_put_str(allm__buf *b, allm_str s) {
    static const char from[] = "\"\\\n\r\t\b\f", to[] = "\"\\nrtbf";
    size_t done = 0, len;
    allm__buf_putc(b, '"');
    for (size_t i = 0; i < s.len; i += len) {
        unsigned char c = (unsigned char)s.ptr[i];
        int32_t       cp;
        char          t[8];
        len = 1;
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') continue;
        if (c >= 0x80) {
            len = allm__utf8_next(s.ptr + i, s.len - i, &cp);
            if (cp >= 0) continue;
        }
        allm__buf_put(b, s.ptr + done, i - done); /* what needed no change */
        done = i + len;
        const char *escape = c ? strchr(from, c) : NULL;
        if (c >= 0x80) allm__buf_puts(b, "\xef\xbf\xbd");
        else if (escape) t[0] = '\\', t[1] = to[escape - from], allm__buf_put(b, t, 2);
        else allm__buf_put(b, t, (size_t)snprintf(t, sizeof t, "\\u%04x", c));
    }
    allm__buf_put(b, s.ptr + done, s.len - done);
    allm__buf_putc(b, '"');
}

/* The shortest digits that read back the same. JSON has no NaN and no infinity: null. */
static void allm__json_put_num(allm__buf *b, double v) {
    char t[32];
    if (isnan(v) || isinf(v)) allm__buf_puts(b, "null");
    else allm__buf_put(b, t, allm__num_repr(t, v));
}

/* What stands before a value: a comma unless the buffer ends in an opening bracket, a colon, a comma, white space or
 * nothing. Then the key of a member, if not NULL. */
static void allm__json_put_key(allm__buf *b, const char *key) {
    char last = b->len ? b->ptr[b->len - 1] : '\n';
    if (!strchr("[{:, \n", last)) allm__buf_puts(b, ", ");
    if (!key) return;
    allm__json_put_str(b, allm__str_of(key));
    allm__buf_puts(b, ": ");
}

// MARK: >>gguf  GGUF files
/* Owns: the container: header, metadata, tensor infos, split files. Spec: GGUF versions 2 and 3, which have the same
 * layout; every number is little-endian and nothing is aligned before the data section:
 *
 *     "GGUF" | u32 version | u64 n_tensors | u64 n_kv
 *     n_kv      x  string key | u32 type | value       string = u64 length, bytes; array = u32 type, u64 count, elements
 *     n_tensors x  string name | u32 n_dims | u64 dim[n_dims] | u32 type | u64 offset in the data section
 *     padding to general.alignment | data
 *
 * Holds after allm__gguf_open: keys and tensor names are unique, not empty and without NUL; every value, element and
 * string of the metadata lies inside the file; dimensions are >= 1 and their product fits in int64; every tensor of a
 * known type is whole rows of blocks, lies inside its file's data section and overlaps no other. Nothing is copied:
 * names, values and data are views of the files, which stay open until allm__gguf_close. Metadata text need not be
 * UTF-8. A tensor type that nobody knows does not keep a file from being listed; whoever needs the numbers calls
 * allm__gguf_check_types, or allm__tensor_refuse for the tensor it wanted. */

enum allm__gguf_type {
    ALLM__GGUF_U8, ALLM__GGUF_I8, ALLM__GGUF_U16, ALLM__GGUF_I16, ALLM__GGUF_U32, ALLM__GGUF_I32, ALLM__GGUF_F32,
    ALLM__GGUF_BOOL, ALLM__GGUF_STRING, ALLM__GGUF_ARRAY, ALLM__GGUF_U64, ALLM__GGUF_I64, ALLM__GGUF_F64
};

static const struct allm__gguf_kind {
    const char *name;
    int32_t     n_bytes; /* least bytes of a value; all of them but for strings and arrays */
    char        sort;    /* u, i integer; f float; b bool; s string; a array */
} allm__gguf_kinds[] = {
    {"u8", 1, 'u'},   {"i8", 1, 'i'},   {"u16", 2, 'u'},    {"i16", 2, 'i'},   {"u32", 4, 'u'},
    {"i32", 4, 'i'},  {"f32", 4, 'f'},  {"bool", 1, 'b'},   {"string", 8, 's'}, {"array", 12, 'a'},
    {"u64", 8, 'u'},  {"i64", 8, 'i'},  {"f64", 8, 'f'},
};

typedef struct allm__gguf_kv {
    allm_str       key;
    int32_t        type, elem_type; /* enum allm__gguf_type; elem_type = type but for arrays */
    uint64_t       n;               /* elements of an array, else 1 */
    const uint8_t *data;            /* [n_bytes] the value, or the first element: raw, little-endian, unaligned */
    size_t         n_bytes;
    uint64_t       offset;          /* of data in the file, for messages */
} allm__gguf_kv;

typedef struct allm__gguf {
    const allm__host *host; /* outlives this */
    allm__arena       arena;
    int32_t           version, n_files;
    allm__file       *files;   /* [n_files] parts of a split file, in order; metadata is in the first */
    allm__gguf_kv    *kv;      /* [n_kv] in file order */
    allm__tensor     *tensors; /* [n_tensors] in file order, part after part */
    size_t            n_kv, n_tensors, cap_tensors;
    uint64_t          alignment;
    allm__map         kv_map, tensor_map; /* name to index */
} allm__gguf;

enum {
    ALLM__GGUF_MIN_KV = 14, ALLM__GGUF_MIN_TENSOR = 33, /* least bytes of a pair and of a tensor info */
    ALLM__GGUF_MAX_KV = 1 << 18, ALLM__GGUF_MAX_TENSORS = 1 << 18, /* bound our tables; real files have 10^2..10^4 */
    ALLM__GGUF_MAX_ALIGN = 1 << 20, ALLM__GGUF_MAX_NAME = 64, ALLM__GGUF_MAX_PARTS = 65535
};

/* Types that files hold and this build cannot compute with: their sizes are needed to check offsets. A type that gets
 * a row in room quant leaves this table. */
static const struct allm__gguf_other {
    int32_t     id;
    const char *name;
    int32_t     n_weights, n_bytes; /* a block; 0: removed from the format */
} allm__gguf_others[] = {
    {4, "Q4_2", 0, 0},          {5, "Q4_3", 0, 0},          {9, "Q8_1", 32, 36},        {15, "Q8_K", 256, 292},
    {16, "IQ2_XXS", 256, 66},   {17, "IQ2_XS", 256, 74},    {18, "IQ3_XXS", 256, 98},   {19, "IQ1_S", 256, 50},
    {20, "IQ4_NL", 32, 18},     {21, "IQ3_S", 256, 110},    {22, "IQ2_S", 256, 82},     {23, "IQ4_XS", 256, 136},
    {24, "I8", 1, 1},           {25, "I16", 1, 2},          {26, "I32", 1, 4},          {27, "I64", 1, 8},
    {28, "F64", 1, 8},          {29, "IQ1_M", 256, 56},     {31, "Q4_0_4_4", 0, 0},     {32, "Q4_0_4_8", 0, 0},
    {33, "Q4_0_8_8", 0, 0},     {34, "TQ1_0", 256, 54},     {35, "TQ2_0", 256, 66},     {36, "IQ4_NL_4_4", 0, 0},
    {37, "IQ4_NL_4_8", 0, 0},   {38, "IQ4_NL_8_8", 0, 0},   {39, "MXFP4", 32, 17},      {40, "NVFP4", 64, 36},
    {41, "Q1_0", 128, 18},      {42, "Q2_0", 64, 18},
};

static const struct allm__gguf_other *allm__gguf_other_find(int32_t type) {
    for (size_t i = 0; i < ALLM__COUNT(allm__gguf_others); i++)
        if (allm__gguf_others[i].id == type) return &allm__gguf_others[i];
    return NULL;
}

/* The name of a tensor type as GGUF writes it; "unknown" for one that nobody defined. */
static const char *allm__gguf_type_name(int32_t type) {
    const allm__fmt               *fmt   = allm__fmt_find(type);
    const struct allm__gguf_other *other = fmt ? NULL : allm__gguf_other_find(type);
    return fmt ? fmt->name : other ? other->name : "unknown";
}

/* Arguments for "%.*s": the beginning of a name from a file. */
#define ALLM__SHOW(s) (int)ALLM__MIN((s).len, 64), (s).ptr

/* ---- reading */

ALLM__PRINTF(3, 4)
static void allm__gguf_bad(allm__cur *c, uint64_t offset, const char *format, ...) { /* sticky, as a short read */
    static const int32_t nowhere[2] = {0, 0};
    va_list args;
    if (c->status) return;
    va_start(args, format);
    c->status = allm__err_vset(c->err, ALLM_E_FORMAT, c->source, (int64_t)offset, nowhere, format, args);
    va_end(args);
}

/* What a file that is no GGUF file looks like: people give what they downloaded. */
static const char *allm__gguf_looks_like(const uint8_t *p, size_t n) {
    static const struct { const char *head; uint8_t n; const char *what; } looks[] = {
        {"PK\3\4", 4, "a zip archive (perhaps a PyTorch file)"},
        {"version https://git-lfs", 23, "a Git LFS pointer, not the file it points to"},
        {"<!", 2, "an HTML page (perhaps a failed download)"},
        {"<html", 5, "an HTML page (perhaps a failed download)"},
        {"<HTML", 5, "an HTML page (perhaps a failed download)"},
        {"<?xml", 5, "an XML file"},
        {"{", 1, "a JSON file"},
        {"lmgg", 4, "a model from before GGUF (GGML)"},
        {"fmgg", 4, "a model from before GGUF (GGMF)"},
        {"tjgg", 4, "a model from before GGUF (GGJT)"},
        {"algg", 4, "an adapter from before GGUF (GGLA)"},
        {"gguf", 4, "a damaged GGUF file"},
        {"FUGG", 4, "a damaged GGUF file"},
        {"\x80\x02", 2, "a Python pickle"},
        {"\x89HDF", 4, "an HDF5 file"},
        {"\x7f" "ELF", 4, "an ELF program"},
        {"\x1f\x8b", 2, "a gzip archive"},
        {"\xfd" "7zXZ", 5, "an xz archive"},
        {"\x28\xb5\x2f\xfd", 4, "a zstd archive"},
        {"\0\0\0\0", 4, "zeros (perhaps an unfinished download)"},
    };
    size_t i;
    for (i = 0; i < ALLM__COUNT(looks); i++)
        if (n >= looks[i].n && !memcmp(p, looks[i].head, looks[i].n)) return looks[i].what;
    if (n >= 10 && p[8] == '{' && (p[9] == '"' || p[9] == '}') && allm__load_le(p, 8) < (uint64_t)1 << 32)
        return "a safetensors file";
    for (i = 0; i < n && i < 64; i++)
        if ((p[i] < 0x20 && p[i] != '\n' && p[i] != '\r' && p[i] != '\t') || p[i] == 0x7f) return NULL;
    return "a text file";
}

static void allm__gguf_read_magic(allm__cur *c) {
    static const char magic[] = "GGUF";
    const uint8_t    *p       = c->p;
    if (c->n == 0) allm__gguf_bad(c, 0, "the file is empty, a GGUF file expected");
    else if (memcmp(p, magic, ALLM__MIN(c->n, 4))) {
        const char *like = allm__gguf_looks_like(p, c->n);
        char        hex[16];
        int         n = 0;
        for (size_t i = 0; i < ALLM__MIN(c->n, 4); i++) n += snprintf(hex + n, sizeof hex - (size_t)n, " %02x", p[i]);
        allm__gguf_bad(c, 0, "not a GGUF file: magic%s, expected 47 47 55 46 (\"GGUF\")%s%s", hex,
                       like ? "; it looks like " : "", like ? like : "");
    } else allm__cur_take(c, 4, "magic");
}

static int32_t allm__gguf_read_version(allm__cur *c) {
    uint32_t v = allm__cur_u32(c, "version");
    if (c->status || v == 2 || v == 3) return (int32_t)v;
    if (v == 1) allm__gguf_bad(c, 4, "GGUF version 1, which nobody writes any more; 2 or 3 expected: convert it again");
    else if (v && !(v & 0xffff)) allm__gguf_bad(c, 4, "a big-endian GGUF file; only little-endian ones can be read");
    else if (v == 0) allm__gguf_bad(c, 4, "GGUF version 0, 2 or 3 expected");
    else
        c->status = allm__fail(c->err, ALLM_E_UNSUPPORTED, c->source, 4, "GGUF version %lu, 2 or 3 expected",
                               (unsigned long)v);
    return 0;
}

/* A count of things that take at least n_min bytes each: must fit in what is left, before anything is allocated. */
static size_t allm__gguf_check_count(allm__cur *c, uint64_t n, size_t n_min, size_t most, uint64_t offset,
                                     const char *what) {
    if (c->status) return 0;
    if (n > (c->n - c->pos) / n_min)
        allm__gguf_bad(c, offset, "%llu %s announced, but %llu bytes are left, %lu at least for each",
                       (unsigned long long)n, what, (unsigned long long)(c->n - c->pos), (unsigned long)n_min);
    else if (n > most)
        c->status = allm__fail(c->err, ALLM_E_MEMORY, c->source, (int64_t)offset, "%llu %s, at most %lu are read",
                               (unsigned long long)n, what, (unsigned long)most);
    return c->status ? 0 : (size_t)n;
}

static allm_str allm__gguf_read_str(allm__cur *c, const char *what) {
    uint64_t    n = allm__cur_u64(c, what);
    const char *p = (const char *)allm__cur_take(c, n, what);
    return allm__str(p ? p : "", p ? (size_t)n : 0);
}

/* A key or a tensor name. */
static allm_str allm__gguf_read_name(allm__cur *c, const char *what) {
    uint64_t at = c->pos;
    allm_str s  = allm__gguf_read_str(c, what);
    if (!c->status && s.len == 0) allm__gguf_bad(c, at, "%s is empty", what);
    if (!c->status && memchr(s.ptr, 0, s.len)) allm__gguf_bad(c, at, "%s \"%.*s\" holds a NUL byte", what, ALLM__SHOW(s));
    return s;
}

static int32_t allm__gguf_read_type(allm__cur *c, allm_str key, const char *what) {
    uint64_t at = c->pos;
    uint32_t t  = allm__cur_u32(c, what);
    if (t < ALLM__COUNT(allm__gguf_kinds)) return (int32_t)t;
    allm__gguf_bad(c, at, "key \"%.*s\": %s %lu, at most 12 is known", ALLM__SHOW(key), what, (unsigned long)t);
    return 0;
}

static void allm__gguf_read_array(allm__cur *c, allm__gguf_kv *kv) {
    uint64_t at   = c->pos;
    kv->elem_type = allm__gguf_read_type(c, kv->key, "element type");
    uint64_t at_n = c->pos, n_min = (uint64_t)allm__gguf_kinds[kv->elem_type].n_bytes;
    kv->n = allm__cur_u64(c, "array count");
    if (kv->elem_type == ALLM__GGUF_ARRAY) allm__gguf_bad(c, at, "key \"%.*s\" is an array of arrays", ALLM__SHOW(kv->key));
    if (!c->status && kv->n > (c->n - c->pos) / n_min)
        allm__gguf_bad(c, at_n, "key \"%.*s\": %llu elements of %s announced, but %llu bytes are left",
                       ALLM__SHOW(kv->key), (unsigned long long)kv->n, allm__gguf_kinds[kv->elem_type].name,
                       (unsigned long long)(c->n - c->pos));
}

static void allm__gguf_read_kv(allm__cur *c, allm__gguf_kv *kv) {
    kv->key  = allm__gguf_read_name(c, "key");
    kv->type = kv->elem_type = allm__gguf_read_type(c, kv->key, "value type");
    kv->n = 1;
    if (kv->type == ALLM__GGUF_ARRAY) allm__gguf_read_array(c, kv);
    if (c->status) return;
    kv->offset = c->pos, kv->data = c->p + c->pos;
    if (kv->elem_type != ALLM__GGUF_STRING)
        allm__cur_take(c, kv->n * (uint64_t)allm__gguf_kinds[kv->elem_type].n_bytes, "value"); /* checked: no wrap */
    else
        for (uint64_t i = 0; i < kv->n && !c->status; i++) allm__gguf_read_str(c, "string");
    kv->n_bytes = c->pos - (size_t)kv->offset;
}

static allm_status allm__gguf_read_meta(allm__gguf *g, allm__cur *c, uint64_t n_kv) {
    g->n_kv = allm__gguf_check_count(c, n_kv, ALLM__GGUF_MIN_KV, ALLM__GGUF_MAX_KV, 16, "metadata pairs");
    if (c->status) return c->status;
    g->kv = (allm__gguf_kv *)allm__arena_array(&g->arena, g->n_kv, sizeof *g->kv, sizeof(uint64_t));
    if (!g->kv || !allm__map_reserve(&g->kv_map, g->n_kv))
        return g->n_kv = 0, c->status = allm__fail_memory(c->err, (size_t)n_kv * sizeof *g->kv);
    for (size_t i = 0; i < g->n_kv && !c->status; i++) {
        uint64_t at  = c->pos;
        int32_t  old = -1;
        allm__gguf_read_kv(c, &g->kv[i]);
        if (c->status) break;
        allm__map_put(&g->kv_map, g->kv[i].key, (int32_t)i, &old); /* room was made */
        if (old >= 0) allm__gguf_bad(c, at, "key \"%.*s\" is there twice", ALLM__SHOW(g->kv[i].key));
    }
    return c->status;
}

/* ---- metadata values. `key` is the full key. A key of another type, or out of range, is an error that names key,
 * what was found and what was expected. `absent` is the value when the key is missing; ALLM__REQUIRED (for floats NAN,
 * for strings a NULL pointer, for bools -1) makes that an error. */

#define ALLM__REQUIRED INT64_MIN

static const allm__gguf_kv *allm__gguf_find(const allm__gguf *g, allm_str key) {
    int32_t i = allm__map_get(&g->kv_map, key);
    return i < 0 ? NULL : &g->kv[i];
}

/* Fails with `key "..." <text>`, at the value's place; kv NULL: the key is missing. Rooms that give meaning to a key
 * use it too. */
ALLM__PRINTF(5, 6)
static allm_status allm__gguf_fail(const allm__gguf *g, const char *key, const allm__gguf_kv *kv, allm_error *err,
                                   const char *format, ...) {
    char    text[160];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return allm__fail(err, ALLM_E_FORMAT, g->n_files ? g->files[0].name : NULL, kv ? (int64_t)kv->offset : -1,
                      "key \"%.64s\" %s", key, text);
}

static allm_status allm__gguf_wrong_type(const allm__gguf *g, const char *key, const allm__gguf_kv *kv,
                                         const char *expected, allm_error *err) {
    if (!kv) return allm__gguf_fail(g, key, kv, err, "is missing, %s expected", expected);
    return allm__gguf_fail(g, key, kv, err, "is %s%s, %s expected", kv->type == ALLM__GGUF_ARRAY ? "an array of " : "of type ",
                           allm__gguf_kinds[kv->elem_type].name, expected);
}

/* Element i of a value whose elements are of fixed size. */
static const uint8_t *allm__gguf_elem(const allm__gguf_kv *kv, uint64_t i) {
    return kv->data + (size_t)i * (size_t)allm__gguf_kinds[kv->elem_type].n_bytes;
}

/* Element i (< n) as an integer; bools are 0 or 1. *big: it is an u64 above INT64_MAX. 0: not of an integer type. */
static int allm__gguf_elem_int(const allm__gguf_kv *kv, uint64_t i, int64_t *out, int *big) {
    const struct allm__gguf_kind *k = &allm__gguf_kinds[kv->elem_type];
    if (k->sort != 'u' && k->sort != 'i' && k->sort != 'b') return 0;
    uint64_t v    = allm__load_le(allm__gguf_elem(kv, i), k->n_bytes);
    uint64_t sign = (uint64_t)1 << (8 * k->n_bytes - 1);
    if (k->sort == 'i') v = (v ^ sign) - sign;
    if (k->sort == 'b') v = v != 0;
    *big = k->sort == 'u' && v > INT64_MAX;
    memcpy(out, &v, sizeof v);
    return 1;
}

/* Element i as a number; 0: not of a numeric type. */
static int allm__gguf_elem_f64(const allm__gguf_kv *kv, uint64_t i, double *out) {
    int64_t v;
    int     big;
    if (kv->elem_type == ALLM__GGUF_F32) return *out = (double)allm__load_f32(allm__gguf_elem(kv, i)), 1;
    if (kv->elem_type == ALLM__GGUF_F64) {
        uint64_t u = allm__load_le(allm__gguf_elem(kv, i), 8);
        return memcpy(out, &u, 8), 1;
    }
    if (kv->elem_type == ALLM__GGUF_BOOL || !allm__gguf_elem_int(kv, i, &v, &big)) return 0;
    return *out = big ? (double)(uint64_t)v : (double)v, 1;
}

static allm_status allm__gguf_check_int(const allm__gguf *g, const char *key, const allm__gguf_kv *kv, uint64_t i,
                                        int64_t lo, int64_t hi, int64_t *out, allm_error *err) {
    int64_t v   = 0;
    int     big = 0;
    char    which[32] = "";
    allm__gguf_elem_int(kv, i, &v, &big);
    if (!big && v >= lo && v <= hi) return *out = v, ALLM_OK;
    if (kv->type == ALLM__GGUF_ARRAY) snprintf(which, sizeof which, "[%llu] ", (unsigned long long)i);
    if (big)
        return allm__gguf_fail(g, key, kv, err, "%sis %llu, expected %lld..%lld", which, (unsigned long long)v,
                               (long long)lo, (long long)hi);
    return allm__gguf_fail(g, key, kv, err, "%sis %lld, expected %lld..%lld", which, (long long)v, (long long)lo,
                           (long long)hi);
}

static int allm__gguf_is_int(const allm__gguf_kv *kv) { return strchr("ui", allm__gguf_kinds[kv->elem_type].sort) != NULL; }

/* An integer of any width within [lo, hi]. */
static allm_status allm__gguf_get_int(const allm__gguf *g, const char *key, int64_t lo, int64_t hi, int64_t absent,
                                      int64_t *out, allm_error *err) {
    const allm__gguf_kv *kv = allm__gguf_find(g, allm__str_of(key));
    if (!kv && absent != ALLM__REQUIRED) return *out = absent, ALLM_OK;
    if (!kv || kv->type == ALLM__GGUF_ARRAY || !allm__gguf_is_int(kv))
        return allm__gguf_wrong_type(g, key, kv, "an integer", err);
    return allm__gguf_check_int(g, key, kv, 0, lo, hi, out, err);
}

/* n integers within [lo, hi], one a layer: from an array of exactly n, or one value for all. Arrays of bools are
 * patterns and count as 0 and 1. */
static allm_status allm__gguf_get_ints(const allm__gguf *g, const char *key, size_t n, int64_t lo, int64_t hi,
                                       int64_t absent, int64_t *out, allm_error *err) {
    const allm__gguf_kv *kv       = allm__gguf_find(g, allm__str_of(key));
    int                  is_array = kv && kv->type == ALLM__GGUF_ARRAY;
    if (!kv && absent != ALLM__REQUIRED) {
        for (size_t i = 0; i < n; i++) out[i] = absent;
        return ALLM_OK;
    }
    if (!kv || !(allm__gguf_is_int(kv) || (is_array && kv->elem_type == ALLM__GGUF_BOOL)))
        return allm__gguf_wrong_type(g, key, kv, "an integer or an array of them", err);
    if (is_array && kv->n != n)
        return allm__gguf_fail(g, key, kv, err, "has %llu elements, %llu expected", (unsigned long long)kv->n,
                               (unsigned long long)n);
    for (size_t i = 0; i < n; i++)
        if (allm__gguf_check_int(g, key, kv, is_array ? i : 0, lo, hi, &out[i], err)) return err->status;
    return ALLM_OK;
}

/* A finite number within [lo, hi]; files write f32, integers are taken too. */
static allm_status allm__gguf_get_f64(const allm__gguf *g, const char *key, double lo, double hi, double absent,
                                      double *out, allm_error *err) {
    const allm__gguf_kv *kv = allm__gguf_find(g, allm__str_of(key));
    char                 t[3][32];
    double               v = 0;
    if (!kv && !isnan(absent)) return *out = absent, ALLM_OK;
    if (!kv || kv->type == ALLM__GGUF_ARRAY || !allm__gguf_elem_f64(kv, 0, &v))
        return allm__gguf_wrong_type(g, key, kv, "a number", err);
    if (v >= lo && v <= hi && fabs(v) <= DBL_MAX) return *out = v, ALLM_OK;
    allm__num_repr(t[0], v), allm__num_repr(t[1], lo), allm__num_repr(t[2], hi);
    return allm__gguf_fail(g, key, kv, err, "is %s, expected %s..%s", t[0], t[1], t[2]);
}

static allm_status allm__gguf_get_bool(const allm__gguf *g, const char *key, int absent, int *out, allm_error *err) {
    const allm__gguf_kv *kv = allm__gguf_find(g, allm__str_of(key));
    if (!kv && absent >= 0) return *out = absent, ALLM_OK;
    if (!kv || kv->type != ALLM__GGUF_BOOL) return allm__gguf_wrong_type(g, key, kv, "a bool", err);
    return *out = kv->data[0] != 0, ALLM_OK;
}

/* The first string at data; *next is behind it. Its length was checked when the file was opened. */
static allm_str allm__gguf_str_at(const uint8_t *data, const uint8_t **next) {
    size_t n = (size_t)allm__load_le(data, 8);
    *next    = data + 8 + n;
    return allm__str((const char *)data + 8, n);
}

/* A string, as a view of the file. */
static allm_status allm__gguf_get_str(const allm__gguf *g, const char *key, allm_str absent, allm_str *out,
                                      allm_error *err) {
    const allm__gguf_kv *kv = allm__gguf_find(g, allm__str_of(key));
    const uint8_t       *next;
    if (!kv && absent.ptr) return *out = absent, ALLM_OK;
    if (!kv || kv->type != ALLM__GGUF_STRING) return allm__gguf_wrong_type(g, key, kv, "a string", err);
    return *out = allm__gguf_str_at(kv->data, &next), ALLM_OK;
}

/* An array whose elements are of one of the sorts ("s" strings, "f" floats, "ui" integers, "b" bools, or several);
 * *out = NULL when it is absent and not required. Elements: allm__gguf_elem_int, allm__gguf_elem_f64, or for strings
 * allm__gguf_strs. */
static allm_status allm__gguf_get_array(const allm__gguf *g, const char *key, const char *sorts, int required,
                                        const allm__gguf_kv **out, allm_error *err) {
    const allm__gguf_kv *kv = *out = allm__gguf_find(g, allm__str_of(key));
    const char          *expected  = sorts[0] == 's' ? "an array of strings" : sorts[0] == 'f' ? "an array of floats"
                                   : sorts[0] == 'b' ? "an array of bools" : "an array of integers";
    if (!kv && !required) return ALLM_OK;
    if (kv && kv->type == ALLM__GGUF_ARRAY && strchr(sorts, allm__gguf_kinds[kv->elem_type].sort)) return ALLM_OK;
    *out = NULL;
    return allm__gguf_wrong_type(g, key, kv, expected, err);
}

/* Walks an array of strings: for (it = allm__gguf_strs(kv); allm__gguf_strs_next(&it, &s);) */
typedef struct allm__gguf_iter {
    const uint8_t *p;
    uint64_t       n; /* left */
} allm__gguf_iter;

static allm__gguf_iter allm__gguf_strs(const allm__gguf_kv *kv) {
    allm__gguf_iter it = {kv->data, kv->elem_type == ALLM__GGUF_STRING ? kv->n : 0};
    return it;
}

static int allm__gguf_strs_next(allm__gguf_iter *it, allm_str *out) {
    if (it->n == 0) return 0;
    *out = allm__gguf_str_at(it->p, &it->p);
    it->n--;
    return 1;
}

/* ---- tensors */

static const allm__tensor *allm__gguf_tensor(const allm__gguf *g, allm_str name) {
    int32_t i = allm__map_get(&g->tensor_map, name);
    return i < 0 ? NULL : &g->tensors[i];
}

/* Fails because a tensor's numbers are wanted and its type is not one we compute with. */
static allm_status allm__tensor_refuse(const allm__tensor *t, allm_error *err) {
    const struct allm__gguf_other *other = allm__gguf_other_find(t->type);
    return allm__fail(err, ALLM_E_UNSUPPORTED, t->file, (int64_t)t->offset, "tensor \"%.*s\" has type %lu (%s%s)",
                      ALLM__SHOW(t->name), (unsigned long)(uint32_t)t->type, allm__gguf_type_name(t->type),
                      other && !other->n_bytes ? ", removed from GGUF" : other ? ", not supported here" : "");
}

/* ALLM_OK unless some tensor is of a type that was removed or that nobody defined. */
static allm_status allm__gguf_check_types(const allm__gguf *g, allm_error *err) {
    for (size_t i = 0; i < g->n_tensors; i++)
        if (g->tensors[i].n_bytes == 0) return allm__tensor_refuse(&g->tensors[i], err);
    return ALLM_OK;
}

/* Bytes of a tensor into t->n_bytes, by its type's blocks; 0 for an unknown type. */
static void allm__gguf_size_tensor(allm__cur *c, allm__tensor *t, uint64_t at) {
    const struct allm__gguf_other *other = t->fmt ? NULL : allm__gguf_other_find(t->type);
    uint64_t n_weights = t->fmt ? (uint64_t)t->fmt->n_weights : other ? (uint64_t)other->n_weights : 0, n = 1;
    uint64_t n_bytes   = t->fmt ? (uint64_t)t->fmt->n_bytes : other ? (uint64_t)other->n_bytes : 0;
    for (int i = 0; i < 4; i++) {
        uint64_t dim = (uint64_t)t->dims[i];
        if (dim > INT64_MAX / n) { /* n <= INT64_MAX holds */
            allm__gguf_bad(c, at, "tensor \"%.*s\": dimensions %llu x %llu x %llu x %llu, their product exceeds 2^63-1",
                           ALLM__SHOW(t->name), (unsigned long long)t->dims[0], (unsigned long long)t->dims[1],
                           (unsigned long long)t->dims[2], (unsigned long long)t->dims[3]);
            return;
        }
        n *= dim;
    }
    if (!n_bytes) return;
    if ((uint64_t)t->dims[0] % n_weights)
        allm__gguf_bad(c, at, "tensor \"%.*s\": rows of %lld, expected a multiple of %llu, the block of %s",
                       ALLM__SHOW(t->name), (long long)t->dims[0], (unsigned long long)n_weights,
                       allm__gguf_type_name(t->type));
    else if (n / n_weights > SIZE_MAX / n_bytes || n / n_weights > c->n / n_bytes)
        allm__gguf_bad(c, at, "tensor \"%.*s\": %llu weights of type %s take more bytes than the file has (%llu)",
                       ALLM__SHOW(t->name), (unsigned long long)n, allm__gguf_type_name(t->type),
                       (unsigned long long)c->n);
    else t->n_bytes = (size_t)(n / n_weights * n_bytes);
}

static void allm__gguf_read_tensor(allm__cur *c, allm__tensor *t) {
    uint64_t at = c->pos, at_dim;
    memset(t, 0, sizeof *t);
    t->name = allm__gguf_read_name(c, "tensor name");
    if (!c->status && t->name.len > ALLM__GGUF_MAX_NAME)
        allm__gguf_bad(c, at, "tensor name of %llu bytes, at most 64", (unsigned long long)t->name.len);
    at_dim          = c->pos;
    uint32_t n_dims = allm__cur_u32(c, "number of dimensions");
    if (!c->status && (n_dims < 1 || n_dims > 4))
        allm__gguf_bad(c, at_dim, "tensor \"%.*s\": %lu dimensions, %s", ALLM__SHOW(t->name), (unsigned long)n_dims,
                       n_dims ? "at most 4" : "at least 1");
    t->n_dims = (int32_t)n_dims;
    for (uint32_t i = 0; i < 4 && !c->status; i++) {
        uint64_t at_i = c->pos, dim = i < n_dims ? allm__cur_u64(c, "dimension") : 1;
        if (!c->status && (dim == 0 || dim > INT64_MAX))
            allm__gguf_bad(c, at_i, "tensor \"%.*s\": dimension %lu is %llu, expected 1..2^63-1", ALLM__SHOW(t->name),
                           (unsigned long)i, (unsigned long long)dim);
        t->dims[i] = (int64_t)dim;
    }
    t->type   = (int32_t)allm__cur_u32(c, "tensor type");
    t->offset = allm__cur_u64(c, "tensor offset"); /* made absolute by allm__gguf_place */
    t->fmt    = allm__fmt_find(t->type);
    if (!c->status) allm__gguf_size_tensor(c, t, at_dim);
}

/* Where the info of a tensor began in its file. */
static uint64_t allm__gguf_info_offset(const allm__cur *c, const allm__tensor *t) {
    return (uint64_t)((const uint8_t *)t->name.ptr - c->p) - 8;
}

/* Turns offsets in the data section into places in the file. */
static void allm__gguf_place(allm__cur *c, allm__tensor *t, uint64_t data_start, uint64_t align) {
    uint64_t at = allm__gguf_info_offset(c, t), n_data = data_start < c->n ? c->n - data_start : 0;
    if (t->offset % align)
        allm__gguf_bad(c, at, "tensor \"%.*s\": offset 0x%llx, expected a multiple of %llu", ALLM__SHOW(t->name),
                       (unsigned long long)t->offset, (unsigned long long)align);
    else if (t->offset > n_data || t->n_bytes > n_data - t->offset || data_start > c->n)
        allm__gguf_bad(c, at, "tensor \"%.*s\": %llu bytes at offset 0x%llx of the data section expected, which has %llu",
                       ALLM__SHOW(t->name), (unsigned long long)t->n_bytes, (unsigned long long)t->offset,
                       (unsigned long long)n_data);
    else {
        t->offset += data_start;
        t->data = c->p + t->offset;
        t->file = c->source;
    }
}

/* Sorts indices of t by offset. Heapsort (Williams 1964): in place, no recursion, no bad case. */
static void allm__gguf_sort(const allm__tensor *t, uint32_t *order, size_t n) {
    for (size_t start = n / 2, end = n; end > 1;) {
        uint32_t v;
        if (start > 0) v = order[--start];
        else v = order[--end], order[end] = order[0];
        size_t root = start;
        for (size_t child; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && t[order[child + 1]].offset > t[order[child]].offset) child++;
            if (t[order[child]].offset <= t[v].offset) break;
            order[root] = order[child];
        }
        order[root] = v;
    }
}

/* No two tensors of a part may share a byte. Writers keep file order, so the sort is for the rest. Tensors of unknown
 * size are left out. */
static void allm__gguf_check_overlap(allm__gguf *g, allm__cur *c, const allm__tensor *t, size_t n) {
    uint32_t *order = NULL;
    size_t    sorted = 1, n_known = 0;
    while (sorted < n && t[sorted - 1].offset <= t[sorted].offset) sorted++;
    if (sorted < n) {
        order = (uint32_t *)allm__alloc(g->host, n * sizeof *order, sizeof *order); /* n <= 2^18 */
        if (!order) { c->status = allm__fail_memory(c->err, n * sizeof *order); return; }
        for (size_t i = 0; i < n; i++) order[i] = (uint32_t)i;
        allm__gguf_sort(t, order, n);
    }
    const allm__tensor *prev = NULL;
    for (size_t i = 0; i < n && !c->status; i++) {
        const allm__tensor *cur = &t[order ? order[i] : i];
        if (!cur->n_bytes) continue;
        if (n_known++ && cur->offset - prev->offset < prev->n_bytes)
            allm__gguf_bad(c, allm__gguf_info_offset(c, cur), "tensor \"%.*s\" at byte 0x%llx overlaps tensor \"%.*s\", 0x%llx..0x%llx",
                           ALLM__SHOW(cur->name), (unsigned long long)cur->offset, ALLM__SHOW(prev->name),
                           (unsigned long long)prev->offset, (unsigned long long)(prev->offset + prev->n_bytes));
        prev = cur;
    }
    allm__free(g->host, order, n * sizeof *order);
}

/* Reads n tensor infos at the cursor and adds the tensors to g. */
static allm_status allm__gguf_read_tensors(allm__gguf *g, allm__cur *c, uint64_t n_infos, uint64_t align) {
    size_t first = g->n_tensors;
    size_t n     = allm__gguf_check_count(c, n_infos, ALLM__GGUF_MIN_TENSOR, ALLM__GGUF_MAX_TENSORS - first, 8, "tensors");
    if (c->status || n == 0) return c->status; /* without tensors a file may end before the padding */
    if (!allm__grow(g->host, (void **)&g->tensors, &g->cap_tensors, first, first + n, sizeof *g->tensors) ||
        !allm__map_reserve(&g->tensor_map, first + n))
        return c->status = allm__fail_memory(c->err, n * sizeof *g->tensors);
    for (size_t i = first; i < first + n && !c->status; i++) {
        uint64_t at  = c->pos;
        int32_t  old = -1;
        allm__gguf_read_tensor(c, &g->tensors[i]);
        if (c->status) break;
        allm__map_put(&g->tensor_map, g->tensors[i].name, (int32_t)i, &old); /* room was made */
        if (old >= 0) allm__gguf_bad(c, at, "tensor \"%.*s\" is there twice", ALLM__SHOW(g->tensors[i].name));
    }
    uint64_t data_start = ((uint64_t)c->pos + align - 1) & ~(align - 1);
    for (size_t i = first; i < first + n && !c->status; i++) allm__gguf_place(c, &g->tensors[i], data_start, align);
    if (!c->status) allm__gguf_check_overlap(g, c, g->tensors + first, n);
    if (!c->status) g->n_tensors = first + n;
    return c->status;
}

/* ---- opening */

static void allm__gguf_close(allm__gguf *g) {
    if (!g->host) return;
    for (int32_t i = 0; i < g->n_files; i++) allm__file_close(g->host, &g->files[i]);
    allm__map_free(&g->kv_map);
    allm__map_free(&g->tensor_map);
    allm__free(g->host, g->tensors, g->cap_tensors * sizeof *g->tensors);
    allm__arena_free(&g->arena);
    memset(g, 0, sizeof *g);
}

/* Opens one file and reads it up to its tensor infos, where the cursor is left. */
static allm_status allm__gguf_open_head(const allm__host *h, const allm_source *src, allm__gguf *g, allm__cur *c,
                                        uint64_t *n_infos, allm_error *err) {
    memset(g, 0, sizeof *g);
    memset(c, 0, sizeof *c);
    g->host = g->arena.host = g->kv_map.host = g->tensor_map.host = h;
    g->files = (allm__file *)allm__arena_array(&g->arena, 1, sizeof *g->files, sizeof(uint64_t));
    if (!g->files) return allm__fail_memory(err, sizeof *g->files);
    g->n_files = 1;
    if (allm__file_open(h, src, g->files, err)) return err->status;
    c->p = g->files->data, c->n = g->files->n_bytes, c->source = g->files->name, c->err = err;
    allm__gguf_read_magic(c);
    g->version    = allm__gguf_read_version(c);
    *n_infos      = allm__cur_u64(c, "number of tensors");
    uint64_t n_kv = allm__cur_u64(c, "number of metadata pairs");
    allm__gguf_check_count(c, *n_infos, ALLM__GGUF_MIN_TENSOR, ALLM__GGUF_MAX_TENSORS, 8, "tensors");
    if (c->status || allm__gguf_read_meta(g, c, n_kv)) return c->status;
    int64_t align = 32;
    if (allm__gguf_get_int(g, "general.alignment", 1, ALLM__GGUF_MAX_ALIGN, 32, &align, err)) return c->status = err->status;
    if (align & (align - 1))
        return c->status = allm__gguf_fail(g, "general.alignment", allm__gguf_find(g, ALLM__S("general.alignment")), err,
                                           "is %lld, expected a power of two", (long long)align);
    g->alignment = (uint64_t)align;
    return ALLM_OK;
}

/* How many parts the file has, and which one this is (from 0). */
static allm_status allm__gguf_split(const allm__gguf *g, int64_t *n_parts, int64_t *i_part, allm_error *err) {
    *i_part = 0;
    if (allm__gguf_get_int(g, "split.count", 0, ALLM__GGUF_MAX_PARTS, 0, n_parts, err)) return err->status;
    if (*n_parts <= 1) return *n_parts = 1, ALLM_OK;
    return allm__gguf_get_int(g, "split.no", 0, *n_parts - 1, ALLM__REQUIRED, i_part, err);
}

enum { ALLM__GGUF_TAIL = 20 }; /* "-00001-of-00003.gguf" */

static void allm__gguf_part_tail(char tail[ALLM__GGUF_TAIL + 1], int64_t i_part, int64_t n_parts) {
    snprintf(tail, ALLM__GGUF_TAIL + 1, "-%05u-of-%05u.gguf", (unsigned)(i_part + 1) % 100000u, (unsigned)n_parts % 100000u);
}

/* Adds part i (from 1) of a split file: its tensors, and of its keys only the split.* ones matter. */
static allm_status allm__gguf_add_part(allm__gguf *g, const char *path, int64_t i_part, int64_t n_parts, allm_error *err) {
    allm_source src = {0};
    allm__gguf  part;
    allm__cur   c;
    uint64_t    n_infos = 0;
    int64_t     n, i;
    src.path = path;
    allm_status status = allm__gguf_open_head(g->host, &src, &part, &c, &n_infos, err);
    if (!status) status = allm__gguf_get_int(&part, "split.count", n_parts, n_parts, ALLM__REQUIRED, &n, err);
    if (!status) status = allm__gguf_get_int(&part, "split.no", i_part, i_part, ALLM__REQUIRED, &i, err);
    if (!status) status = allm__gguf_read_tensors(g, &c, n_infos, part.alignment);
    if (!status) { /* the file itself moves into g */
        g->files[i_part] = part.files[0];
        g->n_files = (int32_t)i_part + 1, part.n_files = 0;
    }
    allm__gguf_close(&part);
    return status;
}

/* Reads all parts after the first, whose path is in `path` and which is open in g with the cursor at its infos. */
static allm_status allm__gguf_read_parts(allm__gguf *g, allm__cur *c, uint64_t n_infos, allm__buf *path, int64_t n_parts,
                                         allm_error *err) {
    char        tail[ALLM__GGUF_TAIL + 1];
    int64_t     n_total = 0;
    allm__file *files   = (allm__file *)allm__arena_array(&g->arena, (size_t)n_parts, sizeof *files, sizeof(uint64_t));
    if (!files) return allm__fail_memory(err, (size_t)n_parts * sizeof *files);
    files[0] = g->files[0], g->files = files;
    if (allm__gguf_get_int(g, "split.tensors.count", 0, INT32_MAX, ALLM__REQUIRED, &n_total, err)) return err->status;
    if (allm__gguf_read_tensors(g, c, n_infos, g->alignment)) return c->status;
    for (int64_t i = 1; i < n_parts; i++) {
        allm__gguf_part_tail(tail, i, n_parts);
        memcpy(path->ptr + path->len - ALLM__GGUF_TAIL, tail, ALLM__GGUF_TAIL);
        if (allm__gguf_add_part(g, path->ptr, i, n_parts, err)) return err->status;
    }
    if ((uint64_t)n_total != g->n_tensors)
        return allm__gguf_fail(g, "split.tensors.count", allm__gguf_find(g, ALLM__S("split.tensors.count")), err,
                               "is %lld, but the %lld parts hold %llu tensors", (long long)n_total, (long long)n_parts,
                               (unsigned long long)g->n_tensors);
    return ALLM_OK;
}

/* g holds the head of some part of a split file: opens part 1 in its place and then all others. */
static allm_status allm__gguf_open_parts(allm__gguf *g, allm__cur *c, uint64_t n_infos, const char *given,
                                         int64_t i_part, int64_t n_parts, allm__buf *path, allm_error *err) {
    const allm__host *h   = g->host;
    allm_source       src = {0};
    char              tail[ALLM__GGUF_TAIL + 1];
    if (!given)
        return allm__fail(err, ALLM_E_UNSUPPORTED, c->source, -1, "part %lld of %lld of a split file: can only be opened by path",
                          (long long)i_part + 1, (long long)n_parts);
    allm__gguf_part_tail(tail, i_part, n_parts);
    if (!allm__str_ends(allm__str_of(given), allm__str_of(tail)))
        return allm__fail(err, ALLM_E_FORMAT, given, -1, "part %lld of %lld of a split file: its name must end in \"%s\"",
                          (long long)i_part + 1, (long long)n_parts, tail);
    allm__buf_puts(path, given);
    if (!allm__buf_text(path)) return allm__fail_memory(err, strlen(given) + 1);
    if (i_part > 0) {
        int64_t n_first, i_first;
        allm__gguf_part_tail(tail, 0, n_parts);
        memcpy(path->ptr + path->len - ALLM__GGUF_TAIL, tail, ALLM__GGUF_TAIL);
        src.path = path->ptr;
        allm__gguf_close(g);
        if (allm__gguf_open_head(h, &src, g, c, &n_infos, err) ||
            allm__gguf_get_int(g, "split.count", n_parts, n_parts, ALLM__REQUIRED, &n_first, err) ||
            allm__gguf_get_int(g, "split.no", 0, 0, ALLM__REQUIRED, &i_first, err))
            return err->status;
    }
    return allm__gguf_read_parts(g, c, n_infos, path, n_parts, err);
}

/* Opens a GGUF file; any part of a split one opens all. h must outlive g. To be closed also after an error. */
static allm_status allm__gguf_open(const allm__host *h, const allm_source *src, allm__gguf *g, allm_error *err) {
    allm__buf path = {0};
    allm__cur c;
    uint64_t  n_infos = 0;
    int64_t   n_parts, i_part;
    path.host = h;
    if (allm__gguf_open_head(h, src, g, &c, &n_infos, err) || allm__gguf_split(g, &n_parts, &i_part, err)) return err->status;
    if (n_parts == 1) return allm__gguf_read_tensors(g, &c, n_infos, g->alignment);
    allm_status status = allm__gguf_open_parts(g, &c, n_infos, src->path, i_part, n_parts, &path, err);
    allm__buf_free(&path);
    return status;
}

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
/* Owns: Jinja, the language of chat templates, as transformers renders it: an ImmutableSandboxedEnvironment with
 * trim_blocks, lstrip_blocks, loop controls, the generation tag and Python's own semantics of values. What Jinja 3.1.6
 * on CPython gives, this gives, byte for byte; what it refuses is an error with row and column.
 *
 *     allm__tmpl_compile(h, source, "chat template", &t, err);      - once; t is immutable, any thread may render it
 *     allm__tmpl_ctx_init(&ctx, h);
 *     allm__tmpl_ctx_json(&ctx, json, is_user, err);                - variables, or allm__tmpl_ctx_set one by one
 *     allm__tmpl_render(t, &ctx, NULL, &out, &user, err);           - once for each ctx
 *     allm__tmpl_ctx_free(&ctx), allm__tmpl_free(t);
 *
 * Values live in arenas and are never freed one by one: those of the caller in ctx, all others in the render's own.
 * Each string knows which of its bytes came from the caller's ("user") text; what keeps bytes keeps the mark, so that
 * the output comes with the ranges in which a spelled special token stays text.
 *
 * Nothing recurses over the input: the parser has its own stack and writes bytecode, macros and loops run on frames in
 * the heap, repr, tojson, comparison and sorting keep their place in arrays. Where the evaluator calls itself (a filter
 * in map, the condition of a for) a counter bounds it. Work, depth, output and memory have limits.
 *
 * In order: values, text under construction, big integers, tokens, the parser, the machine, operators, lookup,
 * iteration, formatting, filters, tests, methods, functions, the loop of the machine. */

/* Ranges of bytes, ascending, disjoint. */
typedef struct allm__spans { /* zero it and set host */
    const allm__host *host;
    allm__span       *ptr;
    size_t            len, cap;
    int               failed;
} allm__spans;

static void allm__spans_free(allm__spans *s) {
    allm__free(s->host, s->ptr, s->cap * sizeof *s->ptr);
    s->ptr = NULL, s->len = s->cap = 0, s->failed = 0;
}

static void allm__spans_add(allm__spans *s, size_t from, size_t to) {
    if (from >= to) return;
    if (!allm__grow(s->host, (void **)&s->ptr, &s->cap, s->len, s->len + 1, sizeof *s->ptr)) { s->failed = 1; return; }
    s->ptr[s->len].from = from, s->ptr[s->len].to = to, s->len++;
}

typedef struct allm__tmpl allm__tmpl; /* compiled, immutable */

#ifndef ABSTRACTLLM_NO_JINJA

/* ---- values */

typedef enum allm__vtype {
    ALLM__V_UNDEF, ALLM__V_NONE, ALLM__V_BOOL, ALLM__V_INT, ALLM__V_BIG, ALLM__V_FLOAT, ALLM__V_STR, ALLM__V_BYTES,
    ALLM__V_LIST, ALLM__V_TUPLE, ALLM__V_DICT, ALLM__V_NS, ALLM__V_RANGE, ALLM__V_VIEW, ALLM__V_ITER, ALLM__V_SLICE,
    ALLM__V_FUNC, ALLM__V_METHOD, ALLM__V_MACRO, ALLM__V_LOOP, ALLM__V_CYCLER, ALLM__V_JOINER, ALLM__V_SELF,
    ALLM__V_BLOCK,
    ALLM__V_ABSENT, /* an argument that was not given; never seen by a template */
    ALLM__V_COUNT
} allm__vtype;

static const char *const allm__v_names[ALLM__V_COUNT] = { /* type(x).__name__ */
    "Undefined", "NoneType", "bool", "int", "int", "float", "str", "bytes", "list", "tuple", "dict",
    "TemplateNamespace", "range", "dict_keys", "generator", "slice", "function", "builtin_function_or_method", "Macro",
    "LoopContext", "Cycler", "Joiner", "TemplateReference", "BlockReference", "absent",
};

typedef struct allm__val {
    int32_t type; /* allm__vtype */
    int32_t sub;  /* VIEW: 0 keys, 1 values, 2 items; TUPLE: 1 of groupby; BLOCK: which */
    union {
        int64_t                    i; /* BOOL, INT */
        double                     f;
        struct allm__vstr         *s; /* STR, BYTES */
        struct allm__vseq         *q; /* LIST, TUPLE, SLICE (3), RANGE (3 integers) */
        struct allm__vdict        *d; /* DICT, NS, VIEW */
        struct allm__vbig         *b;
        struct allm__vundef       *u; /* UNDEF */
        struct allm__titer        *it;
        struct allm__tloop        *loop;
        struct allm__vmethod      *m;
        struct allm__vmacro       *macro;
        struct allm__vcycler      *c; /* CYCLER, JOINER */
        const struct allm__tfn    *fn;
    } u;
} allm__val;

typedef struct allm__vstr {
    const char       *ptr;
    size_t            len, n_cp;  /* bytes; code points, SIZE_MAX: not counted yet */
    const allm__span *user;       /* [n_user] bytes that came from the caller */
    size_t            n_user;
    struct allm__vroom *room;     /* the bytes behind may be used to append to this string; or NULL */
    int               markup;     /* markupsafe.Markup */
} allm__vstr;

typedef struct allm__vroom { /* an appendable text: strings are beginnings of it */
    char       *ptr;
    size_t      len, cap;
    allm__span *user;
    size_t      n_user, cap_user;
} allm__vroom;

typedef struct allm__vseq {
    allm__val *v; /* [n] */
    size_t     n;
} allm__vseq;

typedef struct allm__vpair {
    allm__val key, val;
} allm__vpair;

typedef struct allm__vdict {
    allm__vpair *v; /* [n] in order of insertion */
    size_t       n, cap;
    int32_t     *index; /* [n_index] a power of two, -1: free; none below 9 pairs */
    size_t       n_index;
} allm__vdict;

typedef struct allm__vundef { /* what is missing, for the message */
    int         kind; /* 0: a name; 1: name of obj; 2: text; 3: unsafe name of obj; 4: a parameter */
    allm__val   obj, name;
    const char *text;
} allm__vundef;

typedef struct allm__vmethod {
    const struct allm__tfn *fn;
    allm__val               self;
} allm__vmethod;

typedef struct allm__vcycler { /* a joiner: v[0], used */
    allm__vseq items;
    size_t     pos;
} allm__vcycler;

static allm__val allm__v_of(int32_t type, int64_t i) {
    allm__val v;
    memset(&v, 0, sizeof v);
    v.type = type, v.u.i = i;
    return v;
}

static allm__val allm__v_none(void) { return allm__v_of(ALLM__V_NONE, 0); }
static allm__val allm__v_bool(int b) { return allm__v_of(ALLM__V_BOOL, b != 0); }
static allm__val allm__v_int(int64_t i) { return allm__v_of(ALLM__V_INT, i); }
static allm__val allm__v_undef(void) { return allm__v_of(ALLM__V_UNDEF, 0); } /* a name's; u NULL: nameless */

static allm__val allm__v_float(double f) {
    allm__val v = allm__v_of(ALLM__V_FLOAT, 0);
    v.u.f = f;
    return v;
}

static allm__val allm__v_ptr(int32_t type, void *p) {
    allm__val v = allm__v_of(p ? type : ALLM__V_UNDEF, 0);
    if (p) v.u.s = (allm__vstr *)p;
    return v;
}

static int allm__v_is_str(allm__val v) { return v.type == ALLM__V_STR; }
static int allm__v_is_int(allm__val v) { return v.type == ALLM__V_INT || v.type == ALLM__V_BOOL; }
static int allm__v_is_number(allm__val v) { return v.type >= ALLM__V_BOOL && v.type <= ALLM__V_FLOAT; }
static int allm__v_is_seq(allm__val v) { return v.type == ALLM__V_LIST || v.type == ALLM__V_TUPLE; }

/* A view: ptr must live as long as the arena. user: all bytes are the caller's. */
static allm__val allm__v_view(allm__arena *a, const char *ptr, size_t len, int user) {
    size_t      extra = user && len ? sizeof(allm__span) : 0;
    allm__vstr *s     = (allm__vstr *)allm__arena_zero(a, sizeof *s + extra, sizeof(void *));
    if (!s) return allm__v_undef();
    s->ptr = len ? ptr : "", s->len = len, s->n_cp = SIZE_MAX;
    if (extra) {
        allm__span *all = (allm__span *)(void *)(s + 1);
        all->from = 0, all->to = len;
        s->user = all, s->n_user = 1;
    }
    return allm__v_ptr(ALLM__V_STR, s);
}

static allm__val allm__v_text(allm__arena *a, const char *ptr, size_t len, int user) {
    const char *copy = allm__arena_copy(a, ptr, len);
    return copy ? allm__v_view(a, copy, len, user) : allm__v_undef();
}

/* A list, tuple, ... of n undefined values to fill in; u.q NULL after a failure. */
static allm__val allm__v_seq(allm__arena *a, int32_t type, size_t n) {
    allm__vseq *q = (allm__vseq *)allm__arena_zero(a, sizeof *q, sizeof(void *));
    if (q) q->v = (allm__val *)allm__arena_array(a, n, sizeof(allm__val), sizeof(void *)), q->n = n;
    return allm__v_ptr(type, q && q->v ? q : NULL);
}

static allm__val allm__v_pair(allm__arena *a, allm__val x, allm__val y) { /* (x, y) */
    allm__val t = allm__v_seq(a, ALLM__V_TUPLE, 2);
    if (t.type == ALLM__V_TUPLE) t.u.q->v[0] = x, t.u.q->v[1] = y;
    return t;
}

static allm_str allm__v_str(allm__val v) { return allm__str(v.u.s->ptr, v.u.s->len); }
static int      allm__v_eq_text(allm__val v, allm_str text) { return allm__v_is_str(v) && allm__str_eq(allm__v_str(v), text); }

/* Bytes of the code point that begins with c; all text here is valid UTF-8. */
static size_t allm__v_step(char c) {
    unsigned u = (unsigned char)c;
    return u < 0x80 ? 1 : u < 0xe0 ? 2 : u < 0xf0 ? 3 : 4;
}

static size_t allm__v_count(allm__vstr *s) { /* code points */
    if (s->n_cp == SIZE_MAX) {
        s->n_cp = 0;
        for (size_t i = 0; i < s->len; i++) s->n_cp += ((unsigned char)s->ptr[i] & 0xc0) != 0x80;
    }
    return s->n_cp;
}

/* Byte offset of code point i <= n_cp. */
static size_t allm__v_offset(allm__vstr *s, size_t i) {
    size_t at = 0;
    if (allm__v_count(s) == s->len) return i;
    for (; i > 0; i--) at += allm__v_step(s->ptr[at]);
    return at;
}

/* Index of the span that holds or follows byte i. */
static size_t allm__v_span_at(const allm__vstr *s, size_t i) {
    size_t lo = 0, hi = s->n_user;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->user[mid].to <= i) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

/* Bytes [from, to) of a string, with their marks. */
static allm__val allm__v_part(allm__arena *a, const allm__vstr *s, size_t from, size_t to) {
    allm__val v = allm__v_view(a, s->ptr + from, to - from, 0);
    if (v.type != ALLM__V_STR) return v;
    v.u.s->markup = s->markup;
    if (s->n_cp == s->len) v.u.s->n_cp = to - from;
    size_t lo = allm__v_span_at(s, from), hi = lo;
    while (hi < s->n_user && s->user[hi].from < to) hi++;
    if (hi == lo || from == to) return v;
    allm__span *u = (allm__span *)allm__arena_array(a, hi - lo, sizeof *u, sizeof(void *));
    for (size_t i = lo; u && i < hi; i++) {
        u[i - lo].from = ALLM__MAX(s->user[i].from, from) - from;
        u[i - lo].to   = ALLM__MIN(s->user[i].to, to) - from;
    }
    if (u) v.u.s->user = u, v.u.s->n_user = hi - lo;
    return v;
}

/* ---- big integers: base 10^9, lowest digit first; never a value that fits in int64 */

enum { ALLM__BIG_BASE = 1000000000, ALLM__BIG_MAX = 480 }; /* digits of 10^9: what Python prints by default, 4,300 */

typedef struct allm__vbig {
    int      negative;
    size_t   n;
    uint32_t d[1]; /* [n], the highest not 0 */
} allm__vbig;

typedef struct allm__bigtmp { /* on the stack, before it is known how large the result is */
    int      negative, over; /* over: more than ALLM__BIG_MAX digits */
    size_t   n;
    uint32_t d[ALLM__BIG_MAX];
} allm__bigtmp;

static void allm__big_trim(allm__bigtmp *b) {
    while (b->n && !b->d[b->n - 1]) b->n--;
    if (!b->n) b->negative = 0;
}

/* b = b * m + add, by magnitude. */
static void allm__big_muladd(allm__bigtmp *b, uint32_t m, uint32_t add) {
    uint64_t carry = add;
    for (size_t i = 0; i < b->n; i++) {
        carry += (uint64_t)b->d[i] * m;
        b->d[i] = (uint32_t)(carry % ALLM__BIG_BASE);
        carry /= ALLM__BIG_BASE;
    }
    for (; carry; carry /= ALLM__BIG_BASE) {
        if (b->n == ALLM__BIG_MAX) { b->over = 1; return; }
        b->d[b->n++] = (uint32_t)(carry % ALLM__BIG_BASE);
    }
}

static uint32_t allm__big_div1(allm__bigtmp *b, uint32_t m) { /* b /= m, by magnitude; the remainder */
    uint64_t r = 0;
    for (size_t i = b->n; i-- > 0;) {
        r       = r * ALLM__BIG_BASE + b->d[i];
        b->d[i] = (uint32_t)(r / m);
        r %= m;
    }
    allm__big_trim(b);
    return (uint32_t)r;
}

static void allm__big_load(allm__bigtmp *b, allm__val v) { /* INT, BOOL or BIG */
    b->over = 0, b->n = 0;
    if (v.type == ALLM__V_BIG) {
        b->negative = v.u.b->negative, b->n = v.u.b->n;
        memcpy(b->d, v.u.b->d, b->n * sizeof b->d[0]);
        return;
    }
    b->negative = v.u.i < 0;
    for (uint64_t u = v.u.i < 0 ? 0 - (uint64_t)v.u.i : (uint64_t)v.u.i; u; u /= ALLM__BIG_BASE)
        b->d[b->n++] = (uint32_t)(u % ALLM__BIG_BASE);
}

/* An INT where it fits. */
static allm__val allm__big_store(allm__arena *a, allm__bigtmp *b) {
    allm__big_trim(b);
    if (b->n <= 3) {
        uint64_t hi = b->n > 2 ? b->d[2] : 0, u = (b->n > 1 ? b->d[1] : 0) * (uint64_t)ALLM__BIG_BASE + (b->n ? b->d[0] : 0);
        uint64_t top = (uint64_t)ALLM__BIG_BASE * ALLM__BIG_BASE, max = (uint64_t)INT64_MAX + (unsigned)b->negative;
        if (hi <= max / top && u <= max - hi * top) {
            u += hi * top;
            return allm__v_int(b->negative ? (int64_t)(0 - u) : (int64_t)u);
        }
    }
    allm__vbig *v = (allm__vbig *)allm__arena_alloc(a, sizeof *v + b->n * sizeof v->d[0], sizeof(void *));
    if (!v) return allm__v_undef();
    v->negative = b->negative, v->n = b->n;
    memcpy(v->d, b->d, b->n * sizeof v->d[0]);
    return allm__v_ptr(ALLM__V_BIG, v);
}

static int allm__big_cmp_abs(const allm__bigtmp *a, const allm__bigtmp *b) {
    if (a->n != b->n) return a->n < b->n ? -1 : 1;
    for (size_t i = a->n; i-- > 0;)
        if (a->d[i] != b->d[i]) return a->d[i] < b->d[i] ? -1 : 1;
    return 0;
}

static int allm__big_cmp(const allm__bigtmp *a, const allm__bigtmp *b) {
    if (a->negative != b->negative) return a->negative ? -1 : 1;
    int c = allm__big_cmp_abs(a, b);
    return a->negative ? -c : c;
}

/* a += b or a -= b, with signs. */
static void allm__big_add(allm__bigtmp *a, const allm__bigtmp *b, int minus) {
    int b_negative = b->negative ^ minus;
    if (a->negative == b_negative) {
        uint32_t carry = 0;
        for (size_t i = 0; i < b->n || carry; i++) {
            if (i == a->n) {
                if (i == ALLM__BIG_MAX) { a->over = 1; return; }
                a->d[a->n++] = 0;
            }
            uint32_t s = a->d[i] + carry + (i < b->n ? b->d[i] : 0);
            carry      = s >= ALLM__BIG_BASE;
            a->d[i]    = carry ? s - ALLM__BIG_BASE : s;
        }
        return;
    }
    int                 swap = allm__big_cmp_abs(a, b) < 0;
    const allm__bigtmp *x = swap ? b : a, *y = swap ? a : b;
    int32_t             borrow = 0;
    size_t              n = x->n, n_y = y->n;
    for (size_t i = 0; i < n; i++) {
        int32_t s = (int32_t)x->d[i] - borrow - (int32_t)(i < n_y ? y->d[i] : 0);
        borrow    = s < 0;
        a->d[i]   = (uint32_t)(s < 0 ? s + ALLM__BIG_BASE : s);
    }
    a->n = n;
    if (swap) a->negative = b_negative;
    allm__big_trim(a);
}

static void allm__big_mul(allm__bigtmp *out, const allm__bigtmp *a, const allm__bigtmp *b) {
    out->over = a->n + b->n > ALLM__BIG_MAX, out->n = 0, out->negative = a->negative ^ b->negative;
    if (out->over) return;
    out->n = a->n + b->n;
    memset(out->d, 0, out->n * sizeof out->d[0]);
    for (size_t i = 0; i < a->n; i++) {
        uint64_t carry = 0;
        for (size_t j = 0; j < b->n || carry; j++) {
            carry += out->d[i + j] + (uint64_t)a->d[i] * (j < b->n ? b->d[j] : 0);
            out->d[i + j] = (uint32_t)(carry % ALLM__BIG_BASE);
            carry /= ALLM__BIG_BASE;
        }
    }
    allm__big_trim(out);
}

/* q = floor(a / b), a = a - q * b; b is not 0. Long division, each digit found by halving. */
static void allm__big_divmod(allm__bigtmp *a, const allm__bigtmp *b, allm__bigtmp *q) {
    allm__bigtmp r;
    int          negative = a->negative ^ b->negative;
    r.n = 0, r.over = 0, r.negative = 0, q->n = a->n, q->over = 0, q->negative = 0;
    for (size_t i = a->n; i-- > 0;) {
        uint32_t lo = 0, hi = ALLM__BIG_BASE - 1;
        memmove(r.d + 1, r.d, r.n * sizeof r.d[0]);
        r.d[0] = a->d[i], r.n++;
        allm__big_trim(&r);
        while (lo < hi) { /* the largest digit with b * digit <= r */
            uint32_t mid   = lo + (hi - lo + 1) / 2;
            uint64_t carry = 0;
            int      c     = 0; /* sign of b * mid - r, by the highest digit that differs */
            size_t   j     = 0;
            for (; j < b->n || carry; j++) {
                carry += j < b->n ? (uint64_t)b->d[j] * mid : 0;
                uint32_t d = (uint32_t)(carry % ALLM__BIG_BASE), e = j < r.n ? r.d[j] : 0;
                if (d != e) c = d > e ? 1 : -1;
                carry /= ALLM__BIG_BASE;
            }
            if (j < r.n) c = -1;
            if (c > 0) hi = mid - 1;
            else lo = mid;
        }
        q->d[i]       = lo;
        int64_t borrow = 0;
        for (size_t j = 0; lo && j < r.n; j++) {
            int64_t s = (int64_t)r.d[j] - borrow - (j < b->n ? (int64_t)b->d[j] * lo : 0);
            borrow    = s < 0 ? (-s + ALLM__BIG_BASE - 1) / ALLM__BIG_BASE : 0;
            r.d[j]    = (uint32_t)(s + borrow * ALLM__BIG_BASE);
        }
        allm__big_trim(&r);
    }
    q->negative = negative;
    allm__big_trim(q);
    if (negative && r.n) { /* floor: one less, and the remainder has b's sign */
        allm__bigtmp one;
        one.n = 1, one.negative = 0, one.over = 0, one.d[0] = 1;
        allm__big_add(q, &one, 1);
        r.negative = !b->negative;
        allm__big_add(&r, b, 0);
    } else r.negative = b->negative && r.n;
    a->n = r.n, a->negative = r.negative;
    memcpy(a->d, r.d, r.n * sizeof r.d[0]);
}

static void allm__big_put(const allm__bigtmp *b, allm__buf *out) { /* decimal */
    char   t[16];
    size_t n = 0;
    if (b->negative) allm__buf_putc(out, '-');
    for (uint32_t d = b->n ? b->d[b->n - 1] : 0; n == 0 || d; d /= 10) t[n++] = (char)('0' + d % 10);
    while (n) allm__buf_putc(out, t[--n]);
    for (size_t i = b->n ? b->n - 1 : 0; i-- > 0;) {
        uint32_t d = b->d[i];
        for (int k = 8; k >= 0; k--, d /= 10) t[k] = (char)('0' + d % 10);
        allm__buf_put(out, t, 9);
    }
}

/* Digits in a base 2..36 with `_` between them, no sign; 0: not a number. */
static int allm__big_parse(allm_str s, int base, allm__bigtmp *b) {
    b->n = 0, b->negative = 0, b->over = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        int  d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'z' ? c - 'a' + 10 : c >= 'A' && c <= 'Z' ? c - 'A' + 10 : 99;
        if (c == '_' && i > 0 && i + 1 < s.len && s.ptr[i - 1] != '_') continue;
        if (d >= base) return 0;
        if (!b->over) allm__big_muladd(b, (uint32_t)base, (uint32_t)d);
    }
    return s.len > 0;
}

static double allm__big_double(const allm__bigtmp *b, int *over) {
    allm__dec a;
    memset(&a, 0, sizeof a);
    for (size_t i = b->n; i-- > 0;) {
        uint32_t d = b->d[i], unit = ALLM__BIG_BASE / 10;
        for (int k = 0; k < 9; k++, unit /= 10) {
            int digit = (int)(d / unit % 10);
            if (!digit && !a.n) continue;
            if (a.n < ALLM__DEC_MAX) a.d[a.n++] = (uint8_t)digit;
            else a.truncated |= digit != 0;
            a.point++;
        }
    }
    int point = a.point;
    allm__dec_trim(&a);
    a.point  = a.n ? point : 0;
    double v = allm__dec_value(&a, over);
    return b->negative ? -v : v;
}

/* int(f); f is finite. */
static void allm__big_from_double(double f, allm__bigtmp *b) {
    allm__dec a;
    b->n = 0, b->negative = 0, b->over = 0;
    allm__dec_from(&a, fabs(f));
    for (int i = 0; i < a.point; i++) allm__big_muladd(b, 10, (uint32_t)(i < a.n ? a.d[i] : 0));
    b->negative = f < 0 && b->n;
}

/* ---- what a template is compiled to */

typedef struct allm__tins {
    uint8_t  op, flag; /* enum in the section of the parser */
    uint16_t n;
    int32_t  a;   /* name, constant, count, or a jump relative to this instruction */
    uint32_t pos; /* byte in the source, for messages */
} allm__tins;

enum { ALLM__TAG_POS, ALLM__TAG_KW, ALLM__TAG_STAR, ALLM__TAG_STAR2 };
typedef struct allm__ttag { /* an argument of a call */
    int32_t kind, name;
} allm__ttag;

typedef struct allm__tinfo { /* a call, filter or test */
    int32_t                 tag, n_tags;
    int32_t                 name; /* of a filter or test that does not exist (fn NULL) */
    const struct allm__tfn *fn;
} allm__tinfo;

enum { ALLM__T_KWARGS = 1, ALLM__T_VARARGS = 2, ALLM__T_CALLER = 4 };
typedef struct allm__tmacro {
    int32_t name, entry; /* name -1: a call block */
    int32_t arg, n_args; /* into args */
    int32_t flags;       /* special names that its body mentions */
} allm__tmacro;

struct allm__tmpl { /* arrays from the host, freed by allm__tmpl_free; names and constants in the arena */
    const allm__host *host;
    allm__arena       arena;
    allm_str          source; /* newlines normalised */
    const char       *name;   /* for messages */
    allm__tins       *code;
    allm__val        *consts, *names; /* names: STR, each once */
    allm__tinfo      *infos;
    allm__ttag       *tags;
    allm__tmacro     *macros;
    int32_t          *args;   /* names of the macros' parameters */
    int32_t          *blocks; /* entry of each block, and its name */
    size_t n_code, n_consts, n_names, n_infos, n_tags, n_macros, n_args, n_blocks;
    size_t cap_code, cap_consts, cap_names, cap_infos, cap_tags, cap_macros, cap_args, cap_blocks;
    allm__map         name_map;
};

/* 1-based row, and column in characters, of a byte of the source. */
static void allm__tmpl_place(const allm__tmpl *t, size_t pos, int32_t *line, int32_t *column) {
    *line = *column = 1;
    for (size_t i = 0; i < pos && i < t->source.len; i++)
        if (t->source.ptr[i] == '\n') *line += *line < INT32_MAX, *column = 1;
        else if (((unsigned char)t->source.ptr[i] & 0xc0) != 0x80) *column += *column < INT32_MAX;
}

/* ---- the machine: what one render owns */

typedef struct allm__tmpl_limits { /* a zero stands for the default */
    uint64_t max_steps;  /* 1e6: rounds of loops, calls, 16 instructions, 256 bytes worked on */
    int32_t  max_depth;  /* 200: macros within macros, levels of a value */
    size_t   max_output; /* 16 MiB: the output, or any text under construction */
    size_t   max_memory; /* 64 MiB, and 16 bytes for each of the context's */
} allm__tmpl_limits;

typedef struct allm__tmpl_now { /* what strftime_now tells; month and day from 1. year 0: no clock, it is an error */
    int32_t year, month, day, hour, minute, second;
} allm__tmpl_now;

typedef struct allm__tmpl_ctx { /* the variables of a render; in one render at a time */
    const allm__host *host;
    allm__arena       arena;
    allm__val         globals; /* DICT */
    allm__tmpl_now    now;
} allm__tmpl_ctx;

typedef struct allm__tkw {
    allm__val name, val; /* STR */
} allm__tkw;

typedef struct allm__tcall { /* what a filter, test, method or function gets */
    allm__val        self; /* the value in front of the | or the dot; absent for functions */
    const allm__val *a;    /* its parameters in order, ALLM__V_ABSENT where not given */
    const allm__val *pos;  /* [n_pos] as called, for those that take any */
    const allm__tkw *kw;   /* [n_kw]; both live as long as the render */
    int32_t          n_pos, n_kw;
    int32_t          how; /* of the row */
} allm__tcall;

enum { ALLM__T_PARAMS = 8, ALLM__T_NEST = 20 /* the evaluator within itself */, ALLM__T_FUEL = 16 /* units a step */ };

struct allm__vm;
typedef struct allm__tfn {
    const char *name;
    allm__val (*call)(struct allm__vm *vm, const allm__tcall *c);
    const char *params; /* names; those from ? on may be left out; "*": any */
    int32_t     how;    /* for functions that serve several rows */
    int32_t     types;  /* methods: one bit for each type that has it */
} allm__tfn;

typedef struct allm__tvar {
    int32_t   name;
    allm__val val;
} allm__tvar;

typedef struct allm__tscope {
    struct allm__tscope *up;
    allm__tvar          *v; /* [n] */
    int32_t              n, cap;
    int                  held; /* a macro remembers it: not to be used again */
} allm__tscope;

typedef struct allm__vmacro {
    const allm__tmacro *info;
    allm__tscope       *scope; /* where it was defined */
    int                 markup; /* autoescape was on there */
} allm__vmacro;

typedef struct allm__tmark { /* a text under construction */
    size_t len, n_span, span_base;
} allm__tmark;

typedef struct allm__tframe { /* who waits for a macro, block or loop to return */
    int32_t       kind, ret; /* enum in the loop of the machine; instruction */
    allm__tscope *scope;
    int           escape, markup; /* autoescape to restore; whether the result is Markup */
    allm__tmark   mark;
    size_t        n_loops;
} allm__tframe;

typedef struct allm__twalk { /* where repr, tojson and comparison are */
    allm__val a, b;
    size_t    i;
} allm__twalk;

typedef struct allm__vm {
    const allm__host     *host;
    const allm__tmpl     *t;
    allm__tmpl_ctx       *ctx;
    allm__tmpl_limits     lim;
    allm__arena           arena;
    allm_error           *err;
    allm_status           status; /* sticky: everything returns at once */
    uint64_t              fuel;
    int32_t               nest; /* levels of the evaluator within itself */
    int32_t               ip;   /* the instruction being done */
    int                   autoescape;
    int32_t               depth; /* of the recursive loop that is about to begin */
    uint64_t              n_random;
    allm__buf            *out;  /* the output; texts under construction lie behind its end */
    allm__spans          *user; /* the same for marks */
    size_t                span_base; /* marks of the innermost text under construction begin here */
    allm__val            *stack;
    allm__tframe         *frames;
    struct allm__tloop  **loops;
    allm__tmark          *marks; /* of set blocks and the like */
    allm__twalk          *walk;
    size_t n_stack, n_frames, n_loops, n_marks, n_walk, cap_stack, cap_frames, cap_loops, cap_marks, cap_walk;
    allm__tscope         *scope, *root, *spare;
    allm__val            *globals; /* [n_names] found so far; ABSENT: not looked for */
    struct {                       /* for code that stands above them */
        const allm__tfn *filters, *tests, *methods, *functions;
        size_t           n_filters, n_tests, n_methods, n_functions;
        int (*loop_field)(struct allm__vm *vm, allm__val loop, allm_str name, allm__val *out);
        /* Runs the condition of a for over item: 1, 0, or -1 after an error. */
        int (*where)(struct allm__vm *vm, int32_t entry, allm__tscope *scope, allm__val item);
    } tab;
} allm__vm;

/* Fails at the instruction being done; returns undefined. The first error wins. */
ALLM__PRINTF(2, 3)
static allm__val allm__vm_fail(allm__vm *vm, const char *format, ...) {
    if (vm->status) return allm__v_undef();
    va_list args;
    int32_t place[2];
    allm__tmpl_place(vm->t, vm->t->code[vm->ip].pos, &place[0], &place[1]);
    va_start(args, format);
    vm->status = allm__err_vset(vm->err, ALLM_E_TEMPLATE, vm->t->name, -1, place, format, args);
    va_end(args);
    return allm__v_undef();
}

static allm__val allm__vm_no_memory(allm__vm *vm) {
    if (!vm->status) vm->status = allm__fail_memory(vm->err, vm->arena.n_bytes);
    return allm__v_undef();
}

/* Charges for work on n bytes or values of 16 bytes; 0 when the limit is passed. */
static int allm__vm_work(allm__vm *vm, size_t n_bytes) {
    uint64_t cost = n_bytes / 16;
    if (vm->status) return 0;
    if (cost > vm->fuel) {
        vm->fuel = 0;
        allm__vm_fail(vm, "too much work: more than %llu steps", (unsigned long long)vm->lim.max_steps);
        return 0;
    }
    vm->fuel -= cost;
    return 1;
}

/* May the render take n more bytes? */
static int allm__vm_may(allm__vm *vm, size_t n_bytes) {
    if (vm->status) return 0;
    if (n_bytes > vm->lim.max_memory || vm->arena.n_bytes > vm->lim.max_memory - n_bytes) {
        allm__vm_fail(vm, "needs more than %llu bytes of memory", (unsigned long long)vm->lim.max_memory);
        return 0;
    }
    return 1;
}

static int allm__vm_enter(allm__vm *vm) {
    if (vm->nest == ALLM__T_NEST) allm__vm_fail(vm, "filters within filters are nested too deeply");
    return vm->status ? 0 : (vm->nest++, 1);
}

static void allm__vm_leave(allm__vm *vm) { vm->nest--; }

/* A list or tuple of n, charged for. type UNDEF after a failure. */
static allm__val allm__vm_seq(allm__vm *vm, int32_t type, size_t n) {
    size_t n_bytes;
    if (!allm__mul(n, sizeof(allm__val), &n_bytes)) n_bytes = SIZE_MAX;
    if (!allm__vm_may(vm, n_bytes) || !allm__vm_work(vm, n_bytes)) return allm__v_undef();
    allm__val v = allm__v_seq(&vm->arena, type, n);
    return v.type == type ? v : allm__vm_no_memory(vm);
}

/* A list under construction. */
typedef struct allm__tlist {
    allm__val *v;
    size_t     n, cap;
} allm__tlist;

static int allm__vm_add(allm__vm *vm, allm__tlist *l, allm__val v) {
    if (vm->status) return 0;
    if (l->n == l->cap) {
        size_t     cap  = ALLM__MAX(l->cap * 2, 8);
        allm__val *more = allm__vm_may(vm, cap * sizeof *more) && allm__vm_work(vm, cap * sizeof *more)
                            ? (allm__val *)allm__arena_alloc(&vm->arena, cap * sizeof *more, sizeof(void *)) : NULL;
        if (!more) return allm__vm_no_memory(vm), 0;
        if (l->n) memcpy(more, l->v, l->n * sizeof *more);
        l->v = more, l->cap = cap;
    }
    l->v[l->n++] = v;
    return 1;
}

static allm__val allm__vm_list(allm__vm *vm, int32_t type, const allm__tlist *l) {
    allm__vseq *q = vm->status ? NULL : (allm__vseq *)allm__arena_zero(&vm->arena, sizeof *q, sizeof(void *));
    if (!q) return allm__vm_no_memory(vm);
    q->v = l->v, q->n = l->n;
    return allm__v_ptr(type, q);
}

static allm__val allm__vm_pair(allm__vm *vm, allm__val x, allm__val y) {
    allm__val t = allm__v_pair(&vm->arena, x, y);
    return t.type == ALLM__V_TUPLE ? t : allm__vm_no_memory(vm);
}

/* ---- text under construction: behind the end of the output, so that one buffer serves all */

static allm__tmark allm__sb_begin(allm__vm *vm) {
    allm__tmark m = {vm->out->len, vm->user->len, vm->span_base};
    vm->span_base = vm->user->len;
    return m;
}

static void allm__sb_put(allm__vm *vm, const char *p, size_t n) {
    if (!n || vm->status || !allm__vm_work(vm, n)) return;
    allm__buf_put(vm->out, p, n);
    if (!vm->out->failed) return;
    if (vm->out->len + n > vm->lim.max_output)
        allm__vm_fail(vm, "the text is longer than %llu bytes", (unsigned long long)vm->lim.max_output);
    else allm__vm_no_memory(vm);
}

static void allm__sb_puts(allm__vm *vm, const char *text) { allm__sb_put(vm, text, strlen(text)); }
static void allm__sb_putc(allm__vm *vm, char c) { allm__sb_put(vm, &c, 1); }

static void allm__sb_mark(allm__vm *vm, size_t from, size_t to) { /* these bytes of vm->out are the caller's */
    allm__spans *u = vm->user;
    if (from >= to || vm->status) return;
    if (u->len > vm->span_base && u->ptr[u->len - 1].to == from) u->ptr[u->len - 1].to = to;
    else allm__spans_add(u, from, to);
    if (u->failed) allm__vm_no_memory(vm);
}

static void allm__sb_puts_as(allm__vm *vm, const char *p, size_t n, int user) {
    size_t from = vm->out->len;
    allm__sb_put(vm, p, n);
    if (user) allm__sb_mark(vm, from, vm->out->len);
}

static void allm__sb_cp(allm__vm *vm, int32_t cp, int user) {
    char u[4];
    allm__sb_puts_as(vm, u, allm__utf8_put(u, cp), user);
}

static void allm__sb_range(allm__vm *vm, const allm__vstr *s, size_t from, size_t to) {
    size_t at = vm->out->len;
    if (from >= to) return;
    allm__sb_put(vm, s->ptr + from, to - from);
    for (size_t i = s->n_user ? allm__v_span_at(s, from) : 0; i < s->n_user && s->user[i].from < to && !vm->status; i++)
        allm__sb_mark(vm, at + ALLM__MAX(s->user[i].from, from) - from, at + ALLM__MIN(s->user[i].to, to) - from);
}

static void allm__sb_str(allm__vm *vm, allm__val v) { allm__sb_range(vm, v.u.s, 0, v.u.s->len); }

static void allm__sb_fill(allm__vm *vm, allm__val fill, int64_t n) { /* n times a string */
    for (; n > 0 && !vm->status; n--) allm__sb_str(vm, fill);
}

static void allm__sb_spaces(allm__vm *vm, int64_t n) {
    static const char spaces[] = "                                ";
    for (; n > 0 && !vm->status; n -= 32) allm__sb_put(vm, spaces, (size_t)ALLM__MIN(n, 32));
}

static void allm__sb_cancel(allm__vm *vm, allm__tmark m) {
    vm->out->len = m.len, vm->user->len = m.n_span, vm->span_base = m.span_base;
}

/* Ends a text: it becomes a string. */
static allm__val allm__sb_end(allm__vm *vm, allm__tmark m) {
    allm__val v = allm__v_undef();
    size_t    n = vm->out->len - m.len, n_user = vm->user->len - m.n_span;
    if (!vm->status && allm__vm_may(vm, n + n_user * sizeof(allm__span))) {
        v = allm__v_text(&vm->arena, n ? vm->out->ptr + m.len : "", n, 0);
        allm__span *u = n_user ? (allm__span *)allm__arena_alloc(&vm->arena, n_user * sizeof *u, sizeof(void *)) : NULL;
        if (v.type != ALLM__V_STR || (n_user && !u)) v = allm__vm_no_memory(vm);
        else if (n_user) {
            for (size_t i = 0; i < n_user; i++) {
                u[i].from = vm->user->ptr[m.n_span + i].from - m.len;
                u[i].to   = vm->user->ptr[m.n_span + i].to - m.len;
            }
            v.u.s->user = u, v.u.s->n_user = n_user;
        }
    }
    allm__sb_cancel(vm, m);
    return v;
}

static allm__val allm__vm_text(allm__vm *vm, const char *text) { /* a literal of ours */
    allm__val v = vm->status ? allm__v_undef() : allm__v_view(&vm->arena, text, strlen(text), 0);
    return v.type == ALLM__V_STR ? v : allm__vm_no_memory(vm);
}

/* Bytes [from, to) of s. */
static allm__val allm__vm_part(allm__vm *vm, allm__val s, size_t from, size_t to) {
    if (vm->status) return allm__v_undef();
    if (from == 0 && to == s.u.s->len) return s;
    allm__val v = allm__v_part(&vm->arena, s.u.s, from, to);
    return v.type == ALLM__V_STR && !vm->arena.failed ? v : allm__vm_no_memory(vm);
}

/* The same text, as Markup or not. */
static allm__val allm__vm_markup(allm__vm *vm, allm__val s, int markup) {
    if (vm->status || s.u.s->markup == markup) return s;
    allm__vstr *copy = (allm__vstr *)allm__arena_alloc(&vm->arena, sizeof *copy, sizeof(void *));
    if (!copy) return allm__vm_no_memory(vm);
    *copy = *s.u.s, copy->markup = markup;
    return allm__v_ptr(ALLM__V_STR, copy);
}

/* a + b. The bytes of a are not copied when nothing stands behind them yet: a text built up in a loop takes linear
 * time and space. */
static allm__val allm__vm_append(allm__vm *vm, allm__val av, allm__val bv) {
    const allm__vstr *a = av.u.s, *b = bv.u.s;
    if (!b->len && a->markup == b->markup) return av;
    if (!a->len && a->markup == b->markup) return bv;
    size_t       n = a->len + b->len, n_user = a->n_user + b->n_user;
    allm__vroom *r = a->room;
    if (n > vm->lim.max_output)
        return allm__vm_fail(vm, "the text is longer than %llu bytes", (unsigned long long)vm->lim.max_output);
    if (!r || r->len != a->len || r->cap - r->len < b->len || r->cap_user - r->n_user < b->n_user + 1) {
        size_t cap = a->room ? n * 2 : n + 32, cap_user = n_user ? n_user * 2 + 2 : 1;
        size_t n_bytes = sizeof *r + cap_user * sizeof(allm__span) + cap;
        if (!allm__vm_may(vm, n_bytes) || !allm__vm_work(vm, a->len)) return allm__v_undef();
        r = (allm__vroom *)allm__arena_alloc(&vm->arena, n_bytes, sizeof(void *));
        if (!r) return allm__vm_no_memory(vm);
        r->user = (allm__span *)(void *)(r + 1), r->ptr = (char *)(r->user + cap_user);
        r->len = a->len, r->cap = cap, r->n_user = a->n_user, r->cap_user = cap_user;
        memcpy(r->ptr, a->ptr, a->len);
        if (a->n_user) memcpy(r->user, a->user, a->n_user * sizeof *r->user);
    }
    if (!allm__vm_work(vm, b->len)) return allm__v_undef();
    allm__val v = allm__v_view(&vm->arena, r->ptr, n, 0);
    if (v.type != ALLM__V_STR) return allm__vm_no_memory(vm);
    memcpy(r->ptr + a->len, b->ptr, b->len);
    r->len = n, r->n_user = a->n_user;
    for (size_t i = 0; i < b->n_user; i++) { /* the last mark of a is some string's already: never joined with b's */
        r->user[r->n_user].from = b->user[i].from + a->len;
        r->user[r->n_user].to   = b->user[i].to + a->len, r->n_user++;
    }
    v.u.s->room = r, v.u.s->user = r->user, v.u.s->n_user = r->n_user;
    v.u.s->markup = a->markup;
    if (a->n_cp != SIZE_MAX && b->n_cp != SIZE_MAX) v.u.s->n_cp = a->n_cp + b->n_cp;
    return v;
}

/* ---- comparison and dictionaries */

enum { ALLM__LT, ALLM__LE, ALLM__GT, ALLM__GE, ALLM__EQ, ALLM__NE, ALLM__IN, ALLM__NOT_IN };
enum { ALLM__UNORDERED = 2 }; /* next to -1, 0, 1 */

/* i against f, exactly. */
static int allm__v_cmp_int_float(int64_t i, double f) {
    if (isnan(f)) return ALLM__UNORDERED;
    if (f >= 0x1p63) return -1;
    if (f < -0x1p63) return 1;
    int64_t t = (int64_t)f;
    if (i != t) return i < t ? -1 : 1;
    double rest = f - (double)t;
    return rest > 0 ? -1 : rest < 0;
}

static int allm__v_cmp_big(allm__val a, allm__val b) { /* at least one is BIG */
    allm__bigtmp x, y;
    double       f = a.type == ALLM__V_FLOAT ? a.u.f : b.type == ALLM__V_FLOAT ? b.u.f : 0;
    if (isnan(f)) return ALLM__UNORDERED;
    if (isinf(f)) return (f > 0) == (b.type == ALLM__V_FLOAT) ? -1 : 1;
    if (a.type == ALLM__V_FLOAT) allm__big_from_double(a.u.f, &x);
    else allm__big_load(&x, a);
    if (b.type == ALLM__V_FLOAT) allm__big_from_double(b.u.f, &y);
    else allm__big_load(&y, b);
    return allm__big_cmp(&x, &y);
}

static int allm__v_cmp_num(allm__val a, allm__val b) {
    if (a.type == ALLM__V_BIG || b.type == ALLM__V_BIG) return allm__v_cmp_big(a, b);
    if (a.type != ALLM__V_FLOAT && b.type != ALLM__V_FLOAT) return a.u.i < b.u.i ? -1 : a.u.i > b.u.i;
    if (a.type != ALLM__V_FLOAT) return allm__v_cmp_int_float(a.u.i, b.u.f);
    if (b.type != ALLM__V_FLOAT) {
        int c = allm__v_cmp_int_float(b.u.i, a.u.f);
        return c == ALLM__UNORDERED ? c : -c;
    }
    if (isnan(a.u.f) || isnan(b.u.f)) return ALLM__UNORDERED;
    return a.u.f < b.u.f ? -1 : a.u.f > b.u.f;
}

static int64_t allm__v_range_len(allm__val r) {
    int64_t from = r.u.q->v[0].u.i, to = r.u.q->v[1].u.i, step = r.u.q->v[2].u.i;
    if (step > 0 ? from >= to : from <= to) return 0;
    uint64_t gap = step > 0 ? (uint64_t)to - (uint64_t)from : (uint64_t)from - (uint64_t)to;
    uint64_t n   = (gap - 1) / (step > 0 ? (uint64_t)step : 0 - (uint64_t)step);
    return n > INT64_MAX - 1 ? INT64_MAX : (int64_t)n + 1;
}

static int64_t allm__v_range_at(allm__val r, int64_t i) {
    return (int64_t)((uint64_t)r.u.q->v[0].u.i + (uint64_t)i * (uint64_t)r.u.q->v[2].u.i);
}

/* Equality of what holds no other values; -1 for a pair of sequences or dictionaries. */
static int allm__v_eq_flat(allm__val a, allm__val b) {
    if (allm__v_is_number(a) && allm__v_is_number(b)) return allm__v_cmp_num(a, b) == 0;
    if (a.type != b.type) return 0;
    switch (a.type) {
    case ALLM__V_UNDEF:
    case ALLM__V_NONE: return 1;
    case ALLM__V_STR:
    case ALLM__V_BYTES: return allm__str_eq(allm__v_str(a), allm__v_str(b));
    case ALLM__V_LIST:
    case ALLM__V_TUPLE: return a.u.q == b.u.q ? 1 : a.u.q->n != b.u.q->n ? 0 : -1;
    case ALLM__V_DICT: return a.u.d == b.u.d ? 1 : a.u.d->n != b.u.d->n ? 0 : -1;
    case ALLM__V_RANGE: {
        int64_t n = allm__v_range_len(a);
        return n == allm__v_range_len(b) && (n == 0 || (a.u.q->v[0].u.i == b.u.q->v[0].u.i &&
                                                        (n == 1 || a.u.q->v[2].u.i == b.u.q->v[2].u.i)));
    }
    case ALLM__V_METHOD: return a.u.m->fn == b.u.m->fn && a.u.m->self.u.s == b.u.m->self.u.s;
    default: return a.u.s == b.u.s && a.sub == b.sub;
    }
}

/* Hash and equality of keys. Tuples within tuples are followed 16 deep. 0: not hashable. */
static int allm__v_hash(allm__val v, int depth, uint32_t *h) {
    uint64_t x = (uint64_t)v.u.i;
    if (v.type == ALLM__V_FLOAT && v.u.f == floor(v.u.f) && fabs(v.u.f) < 0x1p63) x = (uint64_t)(int64_t)v.u.f;
    if (v.type == ALLM__V_BIG) {
        allm__bigtmp b;
        int          over;
        allm__big_load(&b, v);
        double f = allm__big_double(&b, &over);
        memcpy(&x, &f, sizeof x);
    }
    switch (v.type) {
    case ALLM__V_LIST: case ALLM__V_DICT: case ALLM__V_SLICE: case ALLM__V_VIEW: return 0;
    case ALLM__V_UNDEF: *h = 1; return 1;
    case ALLM__V_NONE: *h = 2; return 1;
    case ALLM__V_STR: case ALLM__V_BYTES: *h = allm__hash(v.u.s->ptr, v.u.s->len); return 1;
    case ALLM__V_RANGE: *h = 3; return 1;
    case ALLM__V_TUPLE: {
        uint32_t sum = 17, one;
        for (size_t i = 0; i < v.u.q->n; i++) {
            if (depth == 16 || !allm__v_hash(v.u.q->v[i], depth + 1, &one)) return 0;
            sum = sum * 31 + one;
        }
        *h = sum;
        return 1;
    }
    default: *h = (uint32_t)(allm__mix64(x) >> 32); return 1;
    }
}

static int allm__v_same_key(allm__val a, allm__val b) { /* both hashable: at most 16 levels of tuples */
    int same = allm__v_eq_flat(a, b);
    if (same >= 0) return same;
    for (size_t i = 0; i < a.u.q->n; i++)
        if (!allm__v_same_key(a.u.q->v[i], b.u.q->v[i])) return 0;
    return 1;
}

static allm__vpair *allm__v_find(const allm__vdict *d, allm__val key, uint32_t hash) {
    if (!d->n_index) {
        for (size_t i = 0; i < d->n; i++)
            if (allm__v_same_key(d->v[i].key, key)) return &d->v[i];
        return NULL;
    }
    for (size_t i = hash & (d->n_index - 1); d->index[i] >= 0; i = (i + 1) & (d->n_index - 1))
        if (allm__v_same_key(d->v[d->index[i]].key, key)) return &d->v[d->index[i]];
    return NULL;
}

/* The value of a key that is a text; NULL: none. */
static allm__val *allm__v_get(const allm__vdict *d, allm_str key) {
    allm__vpair *p = NULL;
    for (size_t i = 0; !d->n_index && i < d->n && !p; i++)
        if (allm__v_eq_text(d->v[i].key, key)) p = &d->v[i];
    if (d->n_index)
        for (size_t i = allm__hash(key.ptr, key.len) & (d->n_index - 1); d->index[i] >= 0; i = (i + 1) & (d->n_index - 1))
            if (allm__v_eq_text(d->v[d->index[i]].key, key)) { p = &d->v[d->index[i]]; break; }
    return p ? &p->val : NULL;
}

static void allm__v_index_add(allm__vdict *d, size_t i) {
    uint32_t h = 0;
    allm__v_hash(d->v[i].key, 0, &h);
    size_t at = h & (d->n_index - 1);
    while (d->index[at] >= 0) at = (at + 1) & (d->n_index - 1);
    d->index[at] = (int32_t)i;
}

static int allm__v_reserve(allm__arena *a, allm__vdict *d, size_t n) { /* 0: no memory */
    if (n <= d->cap) return 1;
    size_t       cap = ALLM__MAX(d->cap * 2, ALLM__MAX(n, 4)), n_index = 32;
    allm__vpair *v   = cap > INT32_MAX / 4 ? NULL : (allm__vpair *)allm__arena_array(a, cap, sizeof *v, sizeof(void *));
    if (!v) return 0;
    if (d->n) memcpy(v, d->v, d->n * sizeof *v);
    if (cap > 8) {
        while (n_index < cap * 2) n_index *= 2;
        int32_t *index = (int32_t *)allm__arena_alloc(a, n_index * sizeof *index, sizeof *index);
        if (!index) return 0;
        memset(index, 0xff, n_index * sizeof *index);
        d->index = index, d->n_index = n_index;
    }
    d->v = v, d->cap = cap;
    for (size_t i = 0; d->n_index && i < d->n; i++) allm__v_index_add(d, i);
    return 1;
}

/* Sets a hashable key: a later one keeps the place of the first. 0: no memory. */
static int allm__v_put(allm__arena *a, allm__vdict *d, allm__val key, allm__val val) {
    uint32_t h = 0;
    allm__v_hash(key, 0, &h);
    allm__vpair *p = allm__v_find(d, key, h);
    if (p) return p->val = val, 1;
    if (!allm__v_reserve(a, d, d->n + 1)) return 0;
    d->v[d->n].key = key, d->v[d->n].val = val, d->n++;
    if (d->n_index) allm__v_index_add(d, d->n - 1);
    return 1;
}

static allm__val allm__v_dict(allm__arena *a, int32_t type) {
    return allm__v_ptr(type, allm__arena_zero(a, sizeof(allm__vdict), sizeof(void *)));
}

static allm__val allm__vm_dict(allm__vm *vm, int32_t type) {
    allm__val d = vm->status ? allm__v_undef() : allm__v_dict(&vm->arena, type);
    return d.type == type ? d : allm__vm_no_memory(vm);
}

static int allm__vm_hash(allm__vm *vm, allm__val key, uint32_t *h) { /* 0: it failed */
    if (vm->status) return 0;
    if (allm__v_hash(key, 0, h)) return 1;
    allm__vm_fail(vm, "unhashable type: '%s'", allm__v_names[key.type]);
    return 0;
}

static void allm__vm_put(allm__vm *vm, allm__val d, allm__val key, allm__val val) {
    uint32_t h;
    if (!allm__vm_hash(vm, key, &h)) return;
    if (d.u.d->n == d.u.d->cap && (!allm__vm_may(vm, d.u.d->n * 2 * sizeof(allm__vpair)) ||
                                   !allm__vm_work(vm, d.u.d->n * sizeof(allm__vpair))))
        return;
    if (!allm__v_put(&vm->arena, d.u.d, key, val)) allm__vm_no_memory(vm);
}

static allm__val *allm__vm_get(allm__vm *vm, allm__val d, allm__val key) { /* NULL: not there, or it failed */
    uint32_t h;
    if (!allm__vm_hash(vm, key, &h)) return NULL;
    allm__vpair *p = allm__v_find(d.u.d, key, h);
    return p ? &p->val : NULL;
}

/* What an operation on a missing value says. */
static allm__val allm__vm_undefined(allm__vm *vm, allm__val v) {
    const allm__vundef *u = v.u.u;
    if (!u) return allm__vm_fail(vm, "a value is undefined");
    allm_str name = allm__v_is_str(u->name) ? allm__v_str(u->name) : ALLM__S("");
    int      n    = (int)ALLM__MIN(name.len, 100);
    static const char *const own[ALLM__V_COUNT] = { /* jinja2.utils.object_type_repr where the type is not built in */
        [ALLM__V_NS] = "transformers.utils.chat_template_utils.TemplateNamespace",
        [ALLM__V_LOOP] = "jinja2.runtime.LoopContext", [ALLM__V_MACRO] = "jinja2.runtime.Macro",
        [ALLM__V_CYCLER] = "jinja2.utils.Cycler", [ALLM__V_JOINER] = "jinja2.utils.Joiner",
        [ALLM__V_SELF] = "jinja2.runtime.TemplateReference", [ALLM__V_BLOCK] = "jinja2.runtime.BlockReference",
    };
    const char *type = own[u->obj.type] ? own[u->obj.type] : allm__v_names[u->obj.type];
    if (u->kind == 0) return allm__vm_fail(vm, "'%.*s' is undefined", n, name.ptr);
    if (u->kind == 2) return allm__vm_fail(vm, "%s", u->text);
    if (u->kind == 4) return allm__vm_fail(vm, "parameter '%.*s' was not provided", n, name.ptr);
    if (u->kind == 3)
        return allm__vm_fail(vm, "access to attribute '%.*s' of '%s' object is unsafe.", n, name.ptr, allm__v_names[u->obj.type]);
    if (!allm__v_is_str(u->name) && allm__v_is_int(u->name))
        return allm__vm_fail(vm, "%s object has no element %lld", type, (long long)u->name.u.i);
    if (!allm__v_is_str(u->name)) return allm__vm_fail(vm, "%s object has no such element", type);
    if (u->obj.type == ALLM__V_NONE) return allm__vm_fail(vm, "'None' has no attribute '%.*s'", n, name.ptr);
    return allm__vm_fail(vm, "'%s object' has no attribute '%.*s'", type, n, name.ptr);
}

static allm__val allm__vm_missing(allm__vm *vm, int kind, allm__val obj, allm__val name, const char *text) {
    allm__vundef *u = vm->status ? NULL : (allm__vundef *)allm__arena_alloc(&vm->arena, sizeof *u, sizeof(void *));
    if (!u) return allm__vm_no_memory(vm);
    u->kind = kind, u->obj = obj, u->name = name, u->text = text;
    return allm__v_ptr(ALLM__V_UNDEF, u);
}

static int allm__vm_walk(allm__vm *vm, allm__val a, allm__val b) {
    if (vm->status) return 0;
    if (vm->n_walk >= (size_t)vm->lim.max_depth * 4) return allm__vm_fail(vm, "a value is nested too deeply"), 0;
    if (!allm__grow(vm->host, (void **)&vm->walk, &vm->cap_walk, vm->n_walk, vm->n_walk + 1, sizeof *vm->walk))
        return allm__vm_no_memory(vm), 0;
    allm__twalk *w = &vm->walk[vm->n_walk++];
    w->a = a, w->b = b, w->i = 0;
    return 1;
}

static int allm__vm_eq(allm__vm *vm, allm__val a, allm__val b) {
    size_t base = vm->n_walk;
    int    same = allm__v_eq_flat(a, b);
    if (same >= 0) return same;
    if (!allm__vm_walk(vm, a, b)) return 0;
    while (vm->n_walk > base && !vm->status) {
        allm__twalk *w = &vm->walk[vm->n_walk - 1];
        size_t       i = w->i++;
        if (i == (w->a.type == ALLM__V_DICT ? w->a.u.d->n : w->a.u.q->n)) { vm->n_walk--; continue; }
        if (!allm__vm_work(vm, 16)) break;
        allm__val x, y;
        if (w->a.type == ALLM__V_DICT) {
            allm__val *found = allm__vm_get(vm, w->b, w->a.u.d->v[i].key);
            if (!found) { same = 0; break; }
            x = w->a.u.d->v[i].val, y = *found;
        } else x = w->a.u.q->v[i], y = w->b.u.q->v[i];
        same = allm__v_eq_flat(x, y);
        if (same == 0) break;
        if (same < 0) allm__vm_walk(vm, x, y);
    }
    vm->n_walk = base;
    return same != 0 && !vm->status;
}

/* a < b and the like. Of two sequences the first items that differ decide. */
static int allm__vm_order(allm__vm *vm, int op, allm__val a, allm__val b) {
    static const char *const signs[] = {"<", "<=", ">", ">="};
    int c;
    for (;;) {
        size_t i = 0;
        if (a.type == ALLM__V_UNDEF || b.type == ALLM__V_UNDEF)
            return allm__vm_undefined(vm, a.type == ALLM__V_UNDEF ? a : b), 0;
        if (allm__v_is_number(a) && allm__v_is_number(b)) { c = allm__v_cmp_num(a, b); break; }
        if (a.type == b.type && (a.type == ALLM__V_STR || a.type == ALLM__V_BYTES)) {
            c = allm__str_cmp(allm__v_str(a), allm__v_str(b)); /* UTF-8 sorts like its code points */
            break;
        }
        if (a.type != b.type || !allm__v_is_seq(a)) {
            allm__vm_fail(vm, "'%s' not supported between instances of '%s' and '%s'", signs[op], allm__v_names[a.type],
                          allm__v_names[b.type]);
            return 0;
        }
        while (i < a.u.q->n && i < b.u.q->n && allm__vm_eq(vm, a.u.q->v[i], b.u.q->v[i])) i++;
        if (vm->status) return 0;
        if (i == a.u.q->n || i == b.u.q->n) { c = a.u.q->n < b.u.q->n ? -1 : a.u.q->n > b.u.q->n; break; }
        allm__val x = a.u.q->v[i], y = b.u.q->v[i];
        a = x, b = y;
    }
    if (c == ALLM__UNORDERED) return 0;
    return op == ALLM__LT ? c < 0 : op == ALLM__LE ? c <= 0 : op == ALLM__GT ? c > 0 : c >= 0;
}

static int64_t allm__v_len(allm__val v) { /* -1: it has none */
    switch (v.type) {
    case ALLM__V_UNDEF: return 0;
    case ALLM__V_STR: return (int64_t)allm__v_count(v.u.s);
    case ALLM__V_BYTES: return (int64_t)v.u.s->len;
    case ALLM__V_LIST: case ALLM__V_TUPLE: return (int64_t)v.u.q->n;
    case ALLM__V_DICT: case ALLM__V_VIEW: return (int64_t)v.u.d->n;
    case ALLM__V_RANGE: return allm__v_range_len(v);
    default: return -1;
    }
}

static int allm__v_true(allm__val v) {
    switch (v.type) {
    case ALLM__V_UNDEF: case ALLM__V_NONE: case ALLM__V_ABSENT: return 0;
    case ALLM__V_BOOL: case ALLM__V_INT: return v.u.i != 0;
    case ALLM__V_FLOAT: return v.u.f != 0;
    case ALLM__V_STR: case ALLM__V_BYTES: return v.u.s->len > 0;
    case ALLM__V_LIST: case ALLM__V_TUPLE: case ALLM__V_DICT: case ALLM__V_VIEW: case ALLM__V_RANGE: return allm__v_len(v) != 0;
    default: return 1; /* a loop that runs has items */
    }
}

/* ---- calling what is written in C */

/* The place of a parameter in "old new ?count", or -1; *n = how many there are, *n_needed = of these before the '?'. */
static int allm__fn_param(const allm__tfn *fn, allm_str name, int *n, int *n_needed) {
    int found = -1, i = 0;
    *n_needed = -1;
    for (const char *p = fn->params; *p; i++) {
        if (*p == '?') *n_needed = i, p++;
        const char *end = strchr(p, ' ');
        size_t      len = end ? (size_t)(end - p) : strlen(p);
        if (allm__str_eq(allm__str(p, len), name)) found = i;
        p += len + (end != NULL);
    }
    *n = i;
    if (*n_needed < 0) *n_needed = i;
    return found;
}

static int allm__fn_bind(allm__vm *vm, const allm__tfn *fn, allm__tcall *c, allm__val a[ALLM__T_PARAMS]) {
    int n, n_needed;
    allm__fn_param(fn, ALLM__S(""), &n, &n_needed);
    for (int i = 0; i < ALLM__T_PARAMS; i++) a[i] = allm__v_of(ALLM__V_ABSENT, 0);
    if (c->n_pos > n) {
        allm__vm_fail(vm, "%s() takes %d argument%s, but %d were given", fn->name, n, n == 1 ? "" : "s", (int)c->n_pos);
        return 0;
    }
    for (int i = 0; i < c->n_pos; i++) a[i] = c->pos[i];
    for (int k = 0; k < c->n_kw; k++) {
        allm_str name = allm__v_str(c->kw[k].name);
        int      i    = allm__fn_param(fn, name, &n, &n_needed), len = (int)ALLM__MIN(name.len, 60);
        if (i < 0) return allm__vm_fail(vm, "%s() got an unexpected keyword argument '%.*s'", fn->name, len, name.ptr), 0;
        if (a[i].type != ALLM__V_ABSENT)
            return allm__vm_fail(vm, "%s() got multiple values for argument '%.*s'", fn->name, len, name.ptr), 0;
        a[i] = c->kw[k].val;
    }
    for (int i = 0; i < n_needed; i++)
        if (a[i].type == ALLM__V_ABSENT)
            return allm__vm_fail(vm, "%s() misses required argument %d (%s)", fn->name, i + 1, fn->params), 0;
    return 1;
}

static allm__val allm__vm_call_fn(allm__vm *vm, const allm__tfn *fn, allm__val self, const allm__val *pos, int32_t n_pos,
                                  const allm__tkw *kw, int32_t n_kw) {
    allm__val   a[ALLM__T_PARAMS], v = allm__v_undef();
    allm__tcall c = {self, a, pos, kw, n_pos, n_kw, fn->how};
    if (!allm__vm_work(vm, 256) || !allm__vm_enter(vm)) return v;
    if (fn->params[0] == '*' || allm__fn_bind(vm, fn, &c, a)) v = fn->call(vm, &c);
    allm__vm_leave(vm);
    return vm->status ? allm__v_undef() : v;
}

static const allm__tfn *allm__fn_find(const allm__tfn *rows, size_t n, allm_str name) {
    for (size_t i = 0; i < n; i++)
        if (rows[i].name[0] == (name.len ? name.ptr[0] : 0) && allm__str_eq(allm__str_of(rows[i].name), name)) return &rows[i];
    return NULL;
}

static int allm__c_given(const allm__tcall *c, int i) { return c->a[i].type != ALLM__V_ABSENT; }

/* ---- attributes and items */

/* Slice (from, to, step) of n things: 0 after an error. */
static int allm__vm_slice(allm__vm *vm, allm__val slice, int64_t n, int64_t *from, int64_t *step, int64_t *count) {
    int64_t part[3];
    for (int i = 0; i < 3; i++) {
        allm__val v = slice.u.q->v[i];
        if (v.type == ALLM__V_BIG) part[i] = v.u.b->negative ? -INT64_MAX : INT64_MAX;
        else if (allm__v_is_int(v)) part[i] = ALLM__MAX(v.u.i, -INT64_MAX);
        else if (v.type != ALLM__V_NONE)
            return allm__vm_fail(vm, "slice indices must be integers or None or have an __index__ method"), 0;
    }
    *step = slice.u.q->v[2].type == ALLM__V_NONE ? 1 : part[2];
    if (*step == 0) return allm__vm_fail(vm, "slice step cannot be zero"), 0;
    int64_t lo = *step > 0 ? 0 : -1, hi = *step > 0 ? n : n - 1, at[2] = {*step > 0 ? lo : hi, *step > 0 ? hi : lo};
    for (int i = 0; i < 2; i++) {
        if (slice.u.q->v[i].type == ALLM__V_NONE) continue;
        at[i] = part[i] < 0 ? part[i] + n : part[i];
        at[i] = ALLM__MIN(ALLM__MAX(at[i], lo), hi);
    }
    int64_t gap = *step > 0 ? at[1] - at[0] : at[0] - at[1];
    *from  = at[0];
    *count = gap <= 0 ? 0 : (gap - 1) / (*step > 0 ? *step : -*step) + 1;
    return 1;
}

/* n code points of s from the i-th on, every step-th. */
static allm__val allm__vm_substr(allm__vm *vm, allm__val s, int64_t from, int64_t step, int64_t n) {
    allm__vstr *p = s.u.s;
    if (n <= 0) return allm__vm_part(vm, s, 0, 0);
    if (!allm__vm_work(vm, allm__v_count(p) == p->len ? 16 : p->len)) return s;
    if (step == 1) return allm__vm_part(vm, s, allm__v_offset(p, (size_t)from), allm__v_offset(p, (size_t)(from + n)));
    allm__tmark m  = allm__sb_begin(vm);
    size_t      at = allm__v_offset(p, (size_t)from);
    for (int64_t i = 0; i < n && !vm->status; i++) {
        allm__sb_range(vm, p, at, at + allm__v_step(p->ptr[at]));
        for (int64_t k = 0; i + 1 < n && k < (step > 0 ? step : -step); k++)
            if (step > 0) at += allm__v_step(p->ptr[at]);
            else do at--; while (((unsigned char)p->ptr[at] & 0xc0) == 0x80);
    }
    allm__val v = allm__sb_end(vm, m);
    if (v.type == ALLM__V_STR) v.u.s->markup = p->markup;
    return v;
}

/* obj[from:to:step] of what can be cut. */
static allm__val allm__vm_cut(allm__vm *vm, allm__val obj, allm__val slice) {
    int64_t from, step, n;
    if (!allm__vm_slice(vm, slice, allm__v_len(obj), &from, &step, &n)) return allm__v_undef();
    if (obj.type == ALLM__V_STR) return allm__vm_substr(vm, obj, from, step, n);
    if (obj.type == ALLM__V_BYTES) {
        if (step != 1) return allm__vm_fail(vm, "bytes are cut only with step 1");
        allm__val b = allm__v_part(&vm->arena, obj.u.s, (size_t)from, (size_t)(from + n));
        b.type = b.type == ALLM__V_STR ? ALLM__V_BYTES : b.type;
        return b;
    }
    if (obj.type == ALLM__V_RANGE) {
        allm__val r = allm__vm_seq(vm, ALLM__V_RANGE, 3);
        if (vm->status) return r;
        int64_t by = obj.u.q->v[2].u.i, a = allm__v_range_at(obj, from);
        r.u.q->v[0] = allm__v_int(a), r.u.q->v[1] = allm__v_int((int64_t)((uint64_t)a + (uint64_t)(n * step) * (uint64_t)by));
        r.u.q->v[2] = allm__v_int((int64_t)((uint64_t)by * (uint64_t)step));
        return r;
    }
    allm__val v = allm__vm_seq(vm, obj.type, (size_t)n);
    for (int64_t i = 0; !vm->status && i < n; i++) v.u.q->v[i] = obj.u.q->v[from + i * step];
    return v;
}

static int allm__v_can_cut(allm__val v) {
    return v.type == ALLM__V_STR || v.type == ALLM__V_BYTES || allm__v_is_seq(v) || v.type == ALLM__V_RANGE;
}

/* obj[i]; 0: no such item. */
static int allm__vm_at(allm__vm *vm, allm__val obj, int64_t i, allm__val *out) {
    int64_t n = allm__v_len(obj);
    if (i < 0) i += n;
    if (i < 0 || i >= n) return 0;
    if (obj.type == ALLM__V_STR) *out = allm__vm_substr(vm, obj, i, 1, 1);
    else if (obj.type == ALLM__V_BYTES) *out = allm__v_int((unsigned char)obj.u.s->ptr[i]);
    else if (obj.type == ALLM__V_RANGE) *out = allm__v_int(allm__v_range_at(obj, i));
    else *out = obj.u.q->v[i];
    return 1;
}

static allm__val allm__vm_method(allm__vm *vm, const allm__tfn *fn, allm__val self) {
    allm__vmethod *m = vm->status ? NULL : (allm__vmethod *)allm__arena_alloc(&vm->arena, sizeof *m, sizeof(void *));
    if (!m) return allm__vm_no_memory(vm);
    m->fn = fn, m->self = self;
    return allm__v_ptr(ALLM__V_METHOD, m);
}

/* Attributes that are values. 0: none of that name. */
static int allm__vm_field(allm__vm *vm, allm__val obj, allm_str name, allm__val *out) {
#define ALLM__IS(text) allm__str_eq(name, ALLM__S(text))
    switch (obj.type) {
    case ALLM__V_BOOL: case ALLM__V_INT: case ALLM__V_BIG: case ALLM__V_FLOAT:
        if (ALLM__IS("imag")) *out = obj.type == ALLM__V_FLOAT ? allm__v_float(0) : allm__v_int(0);
        else if (ALLM__IS("real") || (obj.type != ALLM__V_FLOAT && ALLM__IS("numerator"))) {
            *out = obj;
            if (obj.type == ALLM__V_BOOL) out->type = ALLM__V_INT;
        } else if (obj.type != ALLM__V_FLOAT && ALLM__IS("denominator")) *out = allm__v_int(1);
        else return 0;
        return 1;
    case ALLM__V_NS: {
        allm__val *p = allm__v_get(obj.u.d, name);
        if (p) *out = *p;
        return p != NULL;
    }
    case ALLM__V_RANGE:
        if (ALLM__IS("start")) *out = obj.u.q->v[0];
        else if (ALLM__IS("stop")) *out = obj.u.q->v[1];
        else if (ALLM__IS("step")) *out = obj.u.q->v[2];
        else return 0;
        return 1;
    case ALLM__V_TUPLE:
        if (obj.sub != 1 || !(ALLM__IS("grouper") || ALLM__IS("list"))) return 0;
        *out = obj.u.q->v[ALLM__IS("list")];
        return 1;
    case ALLM__V_CYCLER: {
        allm__vseq *items = &obj.u.c->items;
        if (ALLM__IS("current")) *out = items->v[obj.u.c->pos];
        else if (ALLM__IS("pos")) *out = allm__v_int((int64_t)obj.u.c->pos);
        else if (ALLM__IS("items")) *out = allm__v_ptr(ALLM__V_TUPLE, items);
        else return 0;
        return 1;
    }
    case ALLM__V_JOINER:
        if (ALLM__IS("sep")) *out = obj.u.c->items.v[0];
        else if (ALLM__IS("used")) *out = allm__v_bool(obj.u.c->pos != 0);
        else return 0;
        return 1;
    case ALLM__V_MACRO: {
        const allm__tmacro *info = obj.u.macro->info;
        if (ALLM__IS("name")) *out = info->name < 0 ? allm__v_none() : vm->t->names[info->name];
        else if (ALLM__IS("catch_kwargs")) *out = allm__v_bool(info->flags & ALLM__T_KWARGS);
        else if (ALLM__IS("catch_varargs")) *out = allm__v_bool(info->flags & ALLM__T_VARARGS);
        else if (ALLM__IS("caller")) *out = allm__v_bool(info->flags & ALLM__T_CALLER);
        else if (ALLM__IS("arguments")) {
            *out = allm__vm_seq(vm, ALLM__V_TUPLE, (size_t)info->n_args);
            for (int32_t i = 0; !vm->status && i < info->n_args; i++) out->u.q->v[i] = vm->t->names[vm->t->args[info->arg + i]];
        } else return 0;
        return 1;
    }
    case ALLM__V_LOOP: return vm->tab.loop_field(vm, obj, name, out);
    default: return 0;
    }
#undef ALLM__IS
}

/* Changes a list or dictionary: the sandbox tells of them when they are used. */
static int allm__v_is_mutator(allm__val obj, allm_str name) {
    static const char *const of_list[] = {"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"};
    static const char *const of_dict[] = {"clear", "pop", "popitem", "setdefault", "update"};
    for (size_t i = 0; obj.type == ALLM__V_LIST && i < ALLM__COUNT(of_list); i++)
        if (allm__str_eq(name, allm__str_of(of_list[i]))) return 1;
    for (size_t i = 0; obj.type == ALLM__V_DICT && i < ALLM__COUNT(of_dict); i++)
        if (allm__str_eq(name, allm__str_of(of_dict[i]))) return 1;
    return 0;
}

/* Attributes of every Python object, and of most: the sandbox hides them. */
static int allm__v_is_internal(allm_str name) {
    static const char *const names[] = {"class", "doc", "init", "new", "str", "repr", "eq", "ne", "lt", "le", "gt", "ge", "hash", "dir",
        "format", "getattribute", "setattr", "delattr", "sizeof", "reduce", "reduce_ex", "subclasshook", "init_subclass", "module",
        "len", "iter", "getitem", "contains", "add", "mul", "mod", "call", "name", "dict", "globals", "code", "self", "func"};
    if (name.len < 5 || !allm__str_starts(name, ALLM__S("__")) || !allm__str_ends(name, ALLM__S("__"))) return 0;
    for (size_t i = 0; i < ALLM__COUNT(names); i++)
        if (allm__str_eq(allm__str(name.ptr + 2, name.len - 4), allm__str_of(names[i]))) return 1;
    return 0;
}

/* getattr(obj, name): 0: no such attribute. */
static int allm__vm_attr(allm__vm *vm, allm__val obj, allm__val key, allm__val *out) {
    allm_str name = allm__v_str(key);
    if (allm__v_is_internal(name) || allm__v_is_mutator(obj, name)) return *out = allm__vm_missing(vm, 3, obj, key, NULL), 1;
    if (obj.type == ALLM__V_UNDEF) return *out = allm__vm_undefined(vm, obj), 1;
    for (size_t i = 0; i < vm->tab.n_methods; i++) {
        const allm__tfn *m = &vm->tab.methods[i];
        if (!(m->types >> obj.type & 1) || m->name[0] != (name.len ? name.ptr[0] : 0)) continue;
        if (!allm__str_eq(allm__str_of(m->name), name)) continue;
        if (obj.type == ALLM__V_FUNC && strcmp(obj.u.fn->name, "dict") != 0) continue;
        return *out = allm__vm_method(vm, m, obj), 1;
    }
    return allm__vm_field(vm, obj, name, out);
}

/* obj[key] without the rest of getitem: 0: TypeError or LookupError. */
static int allm__vm_subscript(allm__vm *vm, allm__val obj, allm__val key, allm__val *out) {
    uint32_t h;
    if (obj.type == ALLM__V_UNDEF) return *out = allm__vm_undefined(vm, obj), 1;
    if (obj.type == ALLM__V_DICT) {
        allm__vpair *p = allm__v_hash(key, 0, &h) ? allm__v_find(obj.u.d, key, h) : NULL;
        if (p) *out = p->val;
        return p != NULL;
    }
    if (obj.type == ALLM__V_SELF && allm__v_is_str(key)) {
        for (size_t i = 0; i < vm->t->n_blocks / 2; i++)
            if (allm__str_eq(allm__v_str(vm->t->names[vm->t->blocks[2 * i + 1]]), allm__v_str(key))) {
                *out = allm__v_of(ALLM__V_BLOCK, 0), out->sub = (int32_t)i;
                return 1;
            }
        return 0;
    }
    if (!allm__v_can_cut(obj)) return 0;
    if (allm__v_is_int(key)) return allm__vm_at(vm, obj, key.u.i, out);
    if (key.type != ALLM__V_SLICE) return 0;
    for (int i = 0; i < 3; i++) /* a TypeError, which getitem passes over */
        if (key.u.q->v[i].type > ALLM__V_BIG || key.u.q->v[i].type == ALLM__V_UNDEF) return 0;
    return *out = allm__vm_cut(vm, obj, key), 1;
}

/* a['b'] of the sandbox. */
static allm__val allm__vm_getitem(allm__vm *vm, allm__val obj, allm__val key) {
    allm__val v;
    if (vm->status || allm__vm_subscript(vm, obj, key, &v)) return vm->status ? allm__v_undef() : v;
    if (allm__v_is_str(key) && allm__vm_attr(vm, obj, key, &v)) return v;
    return allm__vm_missing(vm, 1, obj, key, NULL);
}

/* a.b of the sandbox. */
static allm__val allm__vm_getattr(allm__vm *vm, allm__val obj, allm__val key) {
    allm__val v;
    if (vm->status || allm__vm_attr(vm, obj, key, &v) || allm__vm_subscript(vm, obj, key, &v)) return vm->status ? allm__v_undef() : v;
    return allm__vm_missing(vm, 1, obj, key, NULL);
}

/* a[b:c] where the brackets are Python's own: what cannot be cut is an error. */
static allm__val allm__vm_getslice(allm__vm *vm, allm__val obj, allm__val slice) {
    if (obj.type == ALLM__V_UNDEF) return allm__vm_undefined(vm, obj);
    if (allm__v_can_cut(obj)) return allm__vm_cut(vm, obj, slice);
    if (obj.type == ALLM__V_DICT) return allm__vm_fail(vm, "unhashable type: 'slice'");
    return allm__vm_fail(vm, "'%s' object is not subscriptable", allm__v_names[obj.type]);
}

/* "a.b.0" of map, sort, groupby: a list of names and numbers. */
static allm__val allm__vm_path(allm__vm *vm, allm__val attr) {
    allm__tlist l = {NULL, 0, 0};
    if (!allm__v_is_str(attr)) {
        if (attr.type != ALLM__V_NONE && attr.type != ALLM__V_ABSENT) allm__vm_add(vm, &l, attr);
        return allm__vm_list(vm, ALLM__V_LIST, &l);
    }
    for (size_t from = 0, to; from <= attr.u.s->len && !vm->status; from = to + 1) {
        int64_t number;
        to = allm__str_find(allm__v_str(attr), ALLM__S("."), from);
        if (to == SIZE_MAX) to = attr.u.s->len;
        allm__val part = allm__vm_part(vm, attr, from, to);
        if (vm->status) break;
        char c = to > from ? attr.u.s->ptr[from] : 0;
        if (c >= '0' && c <= '9' && allm__int_parse(allm__v_str(part), &number)) part = allm__v_int(number);
        allm__vm_add(vm, &l, part);
    }
    return allm__vm_list(vm, ALLM__V_LIST, &l);
}

static allm__val allm__vm_follow(allm__vm *vm, allm__val v, allm__val path, allm__val fallback) {
    for (size_t i = 0; !vm->status && i < path.u.q->n; i++) {
        v = allm__vm_getitem(vm, v, path.u.q->v[i]);
        if (v.type == ALLM__V_UNDEF && fallback.type != ALLM__V_ABSENT && fallback.type != ALLM__V_NONE) v = fallback;
    }
    return v;
}

/* ---- text: characters, case, white space */

typedef struct allm__tchars { /* walks over a string */
    const allm__vstr *s;
    size_t            at, span;
    int               user; /* whether the last one came from the caller */
} allm__tchars;

static int32_t allm__tchars_next(allm__tchars *c) { /* -1 at the end */
    int32_t cp;
    if (c->at >= c->s->len) return -1;
    while (c->span < c->s->n_user && c->s->user[c->span].to <= c->at) c->span++;
    c->user = c->span < c->s->n_user && c->s->user[c->span].from <= c->at;
    c->at += allm__utf8_next(c->s->ptr + c->at, c->s->len - c->at, &cp);
    return cp < 0 ? 0xfffd : cp;
}

static int allm__is_space(int32_t cp) { /* str.isspace */
    if (cp < 0x80) return cp == ' ' || (cp >= 9 && cp <= 13) || (cp >= 0x1c && cp <= 0x1f);
    return allm__uni_is(cp, ALLM__UNI_PYSPACE);
}

static int allm__is_word(int32_t cp) { /* \w */
    if (cp < 0x80) return (cp >= '0' && cp <= '9') || (cp >= 'A' && cp <= 'Z') || (cp >= 'a' && cp <= 'z') || cp == '_';
    return allm__uni_is(cp, ALLM__UNI_ALNUM);
}

/* White space at either end of [*from, *to). */
static void allm__trim_space(const char *p, size_t *from, size_t *to, int left, int right) {
    int32_t cp;
    for (size_t n; left && *from < *to; *from += n) {
        n = allm__utf8_next(p + *from, *to - *from, &cp);
        if (cp < 0 || !allm__is_space(cp)) break;
    }
    for (size_t n; right && *from < *to; *to -= n) {
        for (n = 1; n < *to - *from && ((unsigned char)p[*to - n] & 0xc0) == 0x80;) n++;
        allm__utf8_next(p + *to - n, n, &cp);
        if (cp < 0 || !allm__is_space(cp)) break;
    }
}

/* strip: of white space (chars absent or none), or of a set of characters. */
static allm__val allm__vm_strip(allm__vm *vm, allm__val s, allm__val chars, int left, int right) {
    size_t from = 0, to = s.u.s->len;
    if (chars.type == ALLM__V_ABSENT || chars.type == ALLM__V_NONE) {
        allm__trim_space(s.u.s->ptr, &from, &to, left, right);
        return allm__vm_part(vm, s, from, to);
    }
    if (!allm__v_is_str(chars)) return allm__vm_fail(vm, "strip arg must be None or str");
    allm_str set = allm__v_str(chars);
    for (size_t n; left && from < to && allm__vm_work(vm, set.len + 1); from += n) {
        n = allm__v_step(s.u.s->ptr[from]);
        if (allm__str_find(set, allm__str(s.u.s->ptr + from, n), 0) == SIZE_MAX) break;
    }
    for (size_t n; right && from < to && allm__vm_work(vm, set.len + 1); to -= n) {
        for (n = 1; ((unsigned char)s.u.s->ptr[to - n] & 0xc0) == 0x80;) n++;
        if (allm__str_find(set, allm__str(s.u.s->ptr + to - n, n), 0) == SIZE_MAX) break;
    }
    return allm__vm_part(vm, s, from, to);
}

enum { ALLM__CASE_LOWER, ALLM__CASE_UPPER, ALLM__CASE_TITLE, ALLM__CASE_CAPITAL, ALLM__CASE_SWAP, ALLM__CASE_FOLD };

/* Is the sigma at byte `at` the last letter of a word? (Unicode 3.13, Final_Sigma) */
static int allm__final_sigma(const allm__vstr *s, size_t at) {
    int32_t cp = 0;
    size_t  i = at, n;
    while (i > 0) {
        for (n = 1; ((unsigned char)s->ptr[i - n] & 0xc0) == 0x80;) n++;
        allm__utf8_next(s->ptr + i - n, n, &cp);
        i -= n;
        if (!allm__uni_is(cp, ALLM__UNI_IGNORABLE)) break;
        cp = 0;
    }
    if (!allm__uni_is(cp, ALLM__UNI_CASED)) return 0;
    for (i = at + 2; i < s->len; i += n) {
        n = allm__utf8_next(s->ptr + i, s->len - i, &cp);
        if (!allm__uni_is(cp, ALLM__UNI_IGNORABLE)) return !allm__uni_is(cp, ALLM__UNI_CASED);
    }
    return 1;
}

static int allm__case_map(int how, int32_t cp, const allm__vstr *s, size_t at, int32_t out[3]) {
    int32_t up[3];
    int     n = 0;
    if (how == ALLM__CASE_UPPER) return allm__uni_upper(cp, out);
    if (how == ALLM__CASE_TITLE) return allm__uni_title(cp, out);
    if (how == ALLM__CASE_LOWER) {
        if (cp == 0x3a3 && allm__final_sigma(s, at)) return out[0] = 0x3c2, 1;
        return allm__uni_lower(cp, out);
    }
    if (cp == 0x131) return out[0] = cp, 1; /* dotless i folds to itself */
    int n_up = allm__uni_upper(cp, up);
    if (n_up == 1) return allm__uni_lower(up[0], out);
    for (int i = 0; i < n_up; i++, n++) allm__uni_lower(up[i], out + n);
    return n;
}

static allm__val allm__vm_case(allm__vm *vm, allm__val s, int how) {
    allm__tmark  m = allm__sb_begin(vm);
    allm__tchars c = {s.u.s, 0, 0, 0};
    int32_t      cp, out[5];
    int          inside = 0; /* title: behind a letter */
    for (size_t at = 0; !vm->status && (cp = allm__tchars_next(&c)) >= 0; at = c.at) {
        int one = how;
        if (how == ALLM__CASE_TITLE && inside) one = ALLM__CASE_LOWER;
        if (how == ALLM__CASE_CAPITAL) one = at ? ALLM__CASE_LOWER : ALLM__CASE_TITLE;
        if (how == ALLM__CASE_SWAP) one = allm__uni_is(cp, ALLM__UNI_UPPER) ? ALLM__CASE_LOWER : ALLM__CASE_UPPER;
        int n = 1;
        out[0] = cp;
        if (cp >= 0x80) n = allm__case_map(one, cp, s.u.s, at, out);
        else if (one == ALLM__CASE_LOWER || one == ALLM__CASE_FOLD) out[0] += cp >= 'A' && cp <= 'Z' ? 32 : 0;
        else out[0] -= cp >= 'a' && cp <= 'z' ? 32 : 0;
        if (how == ALLM__CASE_TITLE)
            inside = cp < 0x80 ? (cp | 32) >= 'a' && (cp | 32) <= 'z' : allm__uni_is(cp, ALLM__UNI_CASED);
        for (int i = 0; i < n; i++) allm__sb_cp(vm, out[i], c.user);
    }
    allm__val v = allm__sb_end(vm, m);
    if (v.type == ALLM__V_STR) v.u.s->markup = s.u.s->markup;
    return v;
}

/* What sort, min, groupby compare by default. */
static allm__val allm__vm_ignore_case(allm__vm *vm, allm__val v) {
    return allm__v_is_str(v) ? allm__vm_case(vm, v, ALLM__CASE_LOWER) : v;
}

/* ---- iteration. An iterator gives items one by one; map, select and the like are stages that take theirs from
 * another. Nothing is computed before it is asked for, as Python's generators do. */

enum {
    ALLM__IT_EMPTY, ALLM__IT_SEQ, ALLM__IT_REVERSED, ALLM__IT_DICT, ALLM__IT_STR,
    ALLM__IT_MAP, ALLM__IT_SELECT, ALLM__IT_UNIQUE, ALLM__IT_WHERE, ALLM__IT_BATCH, ALLM__IT_SLICES, /* stages */
    ALLM__IT_ITEMS /* becomes DICT when started */
};

typedef struct allm__titer {
    int                 kind, started;
    allm__val           src; /* what is iterated over */
    size_t              pos;
    struct allm__titer *from, *up; /* stages: whom it takes from, and who takes from it just now */
    const allm__tfn    *fn;        /* MAP: filter, SELECT: test; NULL: the item, its truth */
    const allm__val    *args;      /* [n_args] of the filter that made it, all of them */
    const allm__tkw    *kw;
    int32_t             n_args, n_kw, n_skip; /* args before fn's own */
    int                 reject, by_attr, by_case;
    allm__val           path, fallback;
    allm__vdict        *seen;  /* UNIQUE */
    int32_t             entry; /* WHERE: code of the condition */
    allm__tscope       *scope;
    allm__tlist         held; /* BATCH, SLICES: items taken and not given yet */
    int64_t             n_lists, i_list; /* BATCH: items of one; SLICES: how many, which is next */
} allm__titer;

static allm__titer *allm__vm_titer(allm__vm *vm, int kind, allm__val src) {
    allm__titer *it = vm->status ? NULL : (allm__titer *)allm__arena_zero(&vm->arena, sizeof *it, sizeof(void *));
    if (!it) return allm__vm_no_memory(vm), NULL;
    it->kind = kind, it->src = src, it->path.type = it->fallback.type = ALLM__V_ABSENT;
    return it;
}

/* iter(v); NULL: it failed. */
static allm__titer *allm__vm_iter(allm__vm *vm, allm__val v) {
    switch (v.type) {
    case ALLM__V_ITER: return v.u.it;
    case ALLM__V_UNDEF: return allm__vm_titer(vm, ALLM__IT_EMPTY, v);
    case ALLM__V_LIST: case ALLM__V_TUPLE: case ALLM__V_RANGE: case ALLM__V_BYTES:
        return allm__vm_titer(vm, ALLM__IT_SEQ, v);
    case ALLM__V_DICT: case ALLM__V_VIEW: return allm__vm_titer(vm, ALLM__IT_DICT, v);
    case ALLM__V_STR: return allm__vm_titer(vm, ALLM__IT_STR, v);
    default: allm__vm_fail(vm, "'%s' object is not iterable", allm__v_names[v.type]); return NULL;
    }
}

static int allm__v_iterable(allm__val v) {
    return v.type == ALLM__V_UNDEF || v.type == ALLM__V_ITER || v.type == ALLM__V_LOOP || allm__v_len(v) >= 0;
}

static allm__val allm__vm_dict_at(allm__vm *vm, allm__val d, size_t i) { /* an item of a dictionary or view of one */
    allm__vpair *p = &d.u.d->v[i];
    if (d.type != ALLM__V_VIEW || d.sub == 0) return p->key;
    return d.sub == 1 ? p->val : allm__vm_pair(vm, p->key, p->val);
}

static int allm__it_base(allm__vm *vm, allm__titer *it, allm__val *out) {
    if (vm->status || !allm__vm_work(vm, 32)) return 0;
    size_t n;
    switch (it->kind) {
    case ALLM__IT_SEQ: return allm__vm_at(vm, it->src, (int64_t)it->pos++, out);
    case ALLM__IT_REVERSED:
        n = (size_t)allm__v_len(it->src);
        if (it->pos >= n) return 0;
        it->pos++;
        if (it->src.type == ALLM__V_DICT || it->src.type == ALLM__V_VIEW) return *out = allm__vm_dict_at(vm, it->src, n - it->pos), 1;
        return allm__vm_at(vm, it->src, (int64_t)(n - it->pos), out);
    case ALLM__IT_DICT:
        if (it->pos >= it->src.u.d->n) return 0;
        return *out = allm__vm_dict_at(vm, it->src, it->pos++), 1;
    case ALLM__IT_STR:
        if (it->pos >= it->src.u.s->len) return 0;
        n = allm__v_step(it->src.u.s->ptr[it->pos]);
        *out = allm__vm_part(vm, it->src, it->pos, it->pos + n), it->pos += n;
        return 1;
    default: return 0;
    }
}

static const allm__tkw *allm__c_kw(const allm__tkw *kw, int32_t n, const char *name) {
    for (int32_t i = 0; i < n; i++)
        if (allm__v_eq_text(kw[i].name, allm__str_of(name))) return &kw[i];
    return NULL;
}

/* The arguments of map: attribute=.. and default=.., or a filter and its own. */
static void allm__it_start_map(allm__vm *vm, allm__titer *it) {
    const allm__tkw *attr = allm__c_kw(it->kw, it->n_kw, "attribute"), *other = allm__c_kw(it->kw, it->n_kw, "default");
    if (it->n_args == 0 && attr) {
        if (it->n_kw > 1 + (other != NULL)) { allm__vm_fail(vm, "map() got an unexpected keyword argument"); return; }
        it->by_attr = 1, it->path = allm__vm_path(vm, attr->val);
        if (other) it->fallback = other->val;
        return;
    }
    if (it->n_args == 0) allm__vm_fail(vm, "map requires a filter argument");
    it->n_skip = 1;
}

/* Those of select and its kin: attribute (of selectattr), test, its own arguments. */
static void allm__it_start_select(allm__vm *vm, allm__titer *it) {
    it->n_skip = it->by_attr;
    if (it->by_attr && it->n_args == 0) { allm__vm_fail(vm, "Missing parameter for attribute name"); return; }
    if (it->by_attr) it->path = allm__vm_path(vm, it->args[0]);
    if (it->n_args > it->n_skip) it->n_skip++;
    else it->n_skip = -1; /* no test: truth */
}

/* Before the first item. A stage that finds nothing to do becomes EMPTY. */
static void allm__it_start(allm__vm *vm, allm__titer *it) {
    it->started = 1;
    if (it->kind == ALLM__IT_ITEMS) {
        if (it->src.type == ALLM__V_DICT) it->kind = ALLM__IT_DICT, it->src.type = ALLM__V_VIEW, it->src.sub = 2;
        else if (it->src.type == ALLM__V_UNDEF) it->kind = ALLM__IT_EMPTY;
        else allm__vm_fail(vm, "Can only get item pairs from a mapping.");
        return;
    }
    if ((it->kind == ALLM__IT_MAP || it->kind == ALLM__IT_SELECT) && !allm__v_true(it->src)) {
        it->kind = ALLM__IT_EMPTY;
        return;
    }
    if (it->kind == ALLM__IT_MAP) allm__it_start_map(vm, it);
    if (it->kind == ALLM__IT_SELECT) allm__it_start_select(vm, it);
    if (!vm->status && it->kind >= ALLM__IT_MAP) it->from = allm__vm_iter(vm, it->src);
}

/* Calls the filter or test named by the arguments on v. */
static allm__val allm__it_call(allm__vm *vm, allm__titer *it, allm__val v, int is_filter) {
    if (!it->fn) {
        allm__val name = it->args[it->n_skip - 1];
        if (allm__v_is_str(name))
            it->fn = is_filter ? allm__fn_find(vm->tab.filters, vm->tab.n_filters, allm__v_str(name))
                               : allm__fn_find(vm->tab.tests, vm->tab.n_tests, allm__v_str(name));
        if (!it->fn)
            return allm__vm_fail(vm, "No %s named '%.*s'.", is_filter ? "filter" : "test",
                                 allm__v_is_str(name) ? (int)ALLM__MIN(name.u.s->len, 100) : 1,
                                 allm__v_is_str(name) ? name.u.s->ptr : "?");
    }
    return allm__vm_call_fn(vm, it->fn, v, it->args + it->n_skip, it->n_args - it->n_skip, it->kw, it->n_kw);
}

/* Sends an item through a stage: 1: on with it, 0: it was kept or dropped. */
static int allm__it_pass(allm__vm *vm, allm__titer *it, allm__val *v) {
    allm__val key;
    uint32_t  h;
    switch (it->kind) {
    case ALLM__IT_MAP:
        *v = it->by_attr ? allm__vm_follow(vm, *v, it->path, it->fallback) : allm__it_call(vm, it, *v, 1);
        return 1;
    case ALLM__IT_SELECT:
        key = it->by_attr ? allm__vm_follow(vm, *v, it->path, it->fallback) : *v;
        if (it->n_skip >= 0) key = allm__it_call(vm, it, key, 0);
        return allm__v_true(key) != it->reject;
    case ALLM__IT_UNIQUE:
        key = allm__vm_follow(vm, *v, it->path, it->fallback);
        if (!it->by_case) key = allm__vm_ignore_case(vm, key);
        if (!allm__vm_hash(vm, key, &h) || allm__v_find(it->seen, key, h)) return 0;
        allm__vm_put(vm, allm__v_ptr(ALLM__V_DICT, it->seen), key, key);
        return 1;
    case ALLM__IT_WHERE: return vm->tab.where(vm, it->entry, it->scope, *v) > 0;
    case ALLM__IT_BATCH:
        if ((int64_t)it->held.n == it->n_lists) {
            allm__val full = allm__vm_list(vm, ALLM__V_LIST, &it->held);
            memset(&it->held, 0, sizeof it->held);
            allm__vm_add(vm, &it->held, *v);
            return *v = full, 1;
        }
        allm__vm_add(vm, &it->held, *v);
        return 0;
    default: allm__vm_add(vm, &it->held, *v); return 0; /* SLICES */
    }
}

/* What a stage still holds when nothing more comes. */
static int allm__it_flush(allm__vm *vm, allm__titer *it, allm__val *v) {
    if (it->kind == ALLM__IT_BATCH && it->held.n) {
        int64_t n = it->fallback.type <= ALLM__V_NONE || it->fallback.type == ALLM__V_ABSENT ? 0 : it->n_lists;
        if (!allm__vm_may(vm, (size_t)ALLM__MAX(ALLM__MIN(n, INT32_MAX), 0) * sizeof *v)) return 0;
        while ((int64_t)it->held.n < n && allm__vm_add(vm, &it->held, it->fallback)) {}
        *v = allm__vm_list(vm, ALLM__V_LIST, &it->held);
        memset(&it->held, 0, sizeof it->held);
        return 1;
    }
    if (it->kind != ALLM__IT_SLICES || it->i_list >= it->n_lists || !allm__vm_work(vm, 64)) return 0;
    int64_t n = (int64_t)it->held.n, i = it->i_list++, each = n / it->n_lists, longer = n % it->n_lists;
    int64_t from = i * each + ALLM__MIN(i, longer), len = each + (i < longer);
    int     fill = it->fallback.type != ALLM__V_ABSENT && it->fallback.type != ALLM__V_NONE && i >= longer;
    *v = allm__vm_seq(vm, ALLM__V_LIST, (size_t)(len + fill));
    if (vm->status) return 0;
    if (len) memcpy(v->u.q->v, it->held.v + from, (size_t)len * sizeof *v);
    if (fill) v->u.q->v[len] = it->fallback;
    return 1;
}

/* The next item: 0 at the end or after an error. Down to the first iterator, up again through the stages. */
static int allm__vm_next(allm__vm *vm, allm__titer *it, allm__val *out) {
    allm__titer *base = it, *s;
    for (;;) {
        if (!base->started) allm__it_start(vm, base);
        if (vm->status) return 0;
        if (base->kind < ALLM__IT_MAP || base->kind == ALLM__IT_ITEMS) break;
        if (!allm__vm_work(vm, 16)) return 0;
        base->from->up = base;
        base = base->from;
    }
    while (!vm->status) {
        int some = allm__it_base(vm, base, out);
        for (s = base; !some && s != it && s->up; s = s->up)
            if (allm__it_flush(vm, s->up, out)) some = 2;
        if (!some || vm->status) return 0;
        int kept = 1;
        if (some == 1) s = base;
        while (kept && s != it) {
            if (!s->up) return allm__vm_fail(vm, "generator already executing"), 0;
            s    = s->up;
            kept = allm__it_pass(vm, s, out);
        }
        if (kept) return !vm->status;
    }
    return 0;
}

/* list(v): the items, charged for; type UNDEF after an error. */
static allm__val allm__vm_collect(allm__vm *vm, allm__val v) {
    if (allm__v_is_seq(v)) {
        allm__val copy = allm__vm_seq(vm, ALLM__V_LIST, v.u.q->n);
        if (!vm->status && v.u.q->n) memcpy(copy.u.q->v, v.u.q->v, v.u.q->n * sizeof *v.u.q->v);
        return copy;
    }
    allm__titer *it = allm__vm_iter(vm, v);
    allm__tlist  l  = {NULL, 0, 0};
    allm__val    item;
    while (it && allm__vm_next(vm, it, &item)) allm__vm_add(vm, &l, item);
    return allm__vm_list(vm, ALLM__V_LIST, &l);
}

/* ---- the loop of a for */

typedef struct allm__tloop {
    allm__titer *it;
    allm__val    whole;  /* what it goes over, for its length */
    int64_t      index0, length; /* length -1: not counted yet */
    allm__val    before, current, after;
    int          has_after, done; /* done: a round ran to its end: no else */
    int32_t      depth0, entry;   /* entry of a recursive loop, else -1 */
    allm__tscope *outer, *inner;  /* scopes around the loop and of its body */
    allm__val    changed; /* arguments of the last changed(), ABSENT: none */
} allm__tloop;

static int allm__loop_peek(allm__vm *vm, allm__tloop *l) { /* is there a next item? */
    if (!l->has_after) l->has_after = allm__vm_next(vm, l->it, &l->after);
    return l->has_after;
}

static int64_t allm__loop_length(allm__vm *vm, allm__tloop *l) {
    if (l->length < 0) l->length = allm__v_len(l->whole);
    if (l->length < 0) { /* an iterator: the rest is taken now */
        allm__val rest = allm__vm_collect(vm, allm__v_ptr(ALLM__V_ITER, l->it));
        if (vm->status) return 0;
        l->length = (int64_t)rest.u.q->n + l->index0 + 1 + l->has_after;
        l->it     = allm__vm_iter(vm, rest);
    }
    return l->length;
}

static int allm__loop_field(allm__vm *vm, allm__val v, allm_str name, allm__val *out) {
    static const char *const names[] = {"index", "index0", "revindex", "revindex0", "first", "last", "length", "depth",
                                        "depth0", "previtem", "nextitem"};
    allm__tloop *l = v.u.loop;
    size_t       i = 0;
    while (i < ALLM__COUNT(names) && !allm__str_eq(name, allm__str_of(names[i]))) i++;
    switch (i) {
    case 0: *out = allm__v_int(l->index0 + 1); return 1;
    case 1: *out = allm__v_int(l->index0); return 1;
    case 2: *out = allm__v_int(allm__loop_length(vm, l) - l->index0); return 1;
    case 3: *out = allm__v_int(allm__loop_length(vm, l) - l->index0 - 1); return 1;
    case 4: *out = allm__v_bool(l->index0 == 0); return 1;
    case 5: *out = allm__v_bool(!allm__loop_peek(vm, l)); return 1;
    case 6: *out = allm__v_int(allm__loop_length(vm, l)); return 1;
    case 7: *out = allm__v_int(l->depth0 + 1); return 1;
    case 8: *out = allm__v_int(l->depth0); return 1;
    case 9: *out = l->index0 == 0 ? allm__vm_missing(vm, 2, v, v, "there is no previous item") : l->before; return 1;
    case 10: *out = allm__loop_peek(vm, l) ? l->after : allm__vm_missing(vm, 2, v, v, "there is no next item"); return 1;
    default: return 0;
    }
}

/* ---- values to text: str, repr, tojson. Nested values are walked with vm->walk. */

static void allm__sb_int(allm__vm *vm, int64_t i) {
    char t[24];
    allm__sb_put(vm, t, (size_t)snprintf(t, sizeof t, "%lld", (long long)i));
}

static void allm__sb_float(allm__vm *vm, double f) {
    char t[32];
    allm__sb_put(vm, t, allm__num_repr(t, f));
}

static void allm__sb_big(allm__vm *vm, allm__val v) {
    allm__bigtmp b;
    allm__buf    t;
    memset(&t, 0, sizeof t);
    t.host = vm->host;
    allm__big_load(&b, v);
    allm__big_put(&b, &t);
    if (t.failed) allm__vm_no_memory(vm);
    else allm__sb_put(vm, t.ptr, t.len);
    allm__buf_free(&t);
}

static void allm__sb_number(allm__vm *vm, allm__val v) {
    if (v.type == ALLM__V_BIG) allm__sb_big(vm, v);
    else if (v.type == ALLM__V_FLOAT) allm__sb_float(vm, v.u.f);
    else if (v.type == ALLM__V_BOOL) allm__sb_puts(vm, v.u.i ? "True" : "False");
    else allm__sb_int(vm, v.u.i);
}

static void allm__sb_hex(allm__vm *vm, const char *head, int32_t v, int digits, int user) {
    char t[16];
    allm__sb_puts_as(vm, t, (size_t)snprintf(t, sizeof t, "%s%0*x", head, digits, (unsigned)v), user);
}

/* repr of a str or bytes. */
static void allm__sb_quoted(allm__vm *vm, allm__val v) {
    allm_str     text  = allm__v_str(v);
    char         quote = allm__str_find(text, ALLM__S("'"), 0) != SIZE_MAX && allm__str_find(text, ALLM__S("\""), 0) == SIZE_MAX ? '"' : '\'';
    allm__tchars c = {v.u.s, 0, 0, 0};
    int32_t      cp;
    if (v.type == ALLM__V_STR && v.u.s->markup) allm__sb_puts(vm, "Markup(");
    if (v.type == ALLM__V_BYTES) allm__sb_putc(vm, 'b');
    allm__sb_putc(vm, quote);
    while (!vm->status) {
        if (v.type == ALLM__V_BYTES) cp = c.at < text.len ? (unsigned char)text.ptr[c.at++] : -1;
        else cp = allm__tchars_next(&c);
        if (cp < 0) break;
        const char *special = cp && cp < 128 ? strchr("\\\n\r\t", cp) : NULL;
        if (cp == quote || special) {
            char t[2] = {'\\', cp == '\n' ? 'n' : cp == '\r' ? 'r' : cp == '\t' ? 't' : (char)cp};
            allm__sb_puts_as(vm, t, 2, c.user);
        } else if (cp >= 0x20 && cp < 0x7f) allm__sb_cp(vm, cp, c.user);
        else if (v.type == ALLM__V_STR && cp >= 0x80 && allm__uni_printable(cp)) allm__sb_cp(vm, cp, c.user);
        else if (cp < 0x100) allm__sb_hex(vm, "\\x", cp, 2, c.user);
        else if (cp < 0x10000) allm__sb_hex(vm, "\\u", cp, 4, c.user);
        else allm__sb_hex(vm, "\\U", cp, 8, c.user);
    }
    allm__sb_putc(vm, quote);
    if (v.type == ALLM__V_STR && v.u.s->markup) allm__sb_putc(vm, ')');
}

/* repr of what is neither list nor dictionary. */
static void allm__sb_repr_flat(allm__vm *vm, allm__val v) {
    switch (v.type) {
    case ALLM__V_UNDEF: allm__sb_puts(vm, "Undefined"); return;
    case ALLM__V_NONE: allm__sb_puts(vm, "None"); return;
    case ALLM__V_BOOL: case ALLM__V_INT: case ALLM__V_BIG: case ALLM__V_FLOAT: allm__sb_number(vm, v); return;
    case ALLM__V_STR: case ALLM__V_BYTES: allm__sb_quoted(vm, v); return;
    case ALLM__V_RANGE: {
        int n = v.u.q->v[2].u.i == 1 ? 2 : 3;
        allm__sb_puts(vm, "range(");
        for (int i = 0; i < n; i++) allm__sb_puts(vm, i ? ", " : ""), allm__sb_int(vm, v.u.q->v[i].u.i);
        allm__sb_putc(vm, ')');
        return;
    }
    case ALLM__V_MACRO:
        allm__sb_puts(vm, "<Macro ");
        if (v.u.macro->info->name < 0) allm__sb_puts(vm, "anonymous");
        else allm__sb_quoted(vm, vm->t->names[v.u.macro->info->name]);
        allm__sb_putc(vm, '>');
        return;
    case ALLM__V_LOOP:
        allm__sb_puts(vm, "<LoopContext "), allm__sb_int(vm, v.u.loop->index0 + 1), allm__sb_putc(vm, '/');
        allm__sb_int(vm, allm__loop_length(vm, v.u.loop)), allm__sb_putc(vm, '>');
        return;
    case ALLM__V_SELF: allm__sb_puts(vm, "<TemplateReference None>"); return;
    case ALLM__V_FUNC:
        if (!strcmp(v.u.fn->name, "namespace")) {
            allm__sb_puts(vm, "<class 'transformers.utils.chat_template_utils."
                              "_cached_compile_jinja_template.<locals>.TemplateNamespace'>");
            return;
        }
        allm__sb_puts(vm, "<function "), allm__sb_puts(vm, v.u.fn->name), allm__sb_putc(vm, '>');
        return;
    default: allm__sb_puts(vm, "<"), allm__sb_puts(vm, allm__v_names[v.type]), allm__sb_puts(vm, " object>"); return;
    }
}

/* What stands around the items of a container: 0: it is none. */
static int allm__repr_ends(allm__val v, const char *ends[2]) {
    static const char *const views[3] = {"dict_keys([", "dict_values([", "dict_items(["};
    switch (v.type) {
    case ALLM__V_LIST: ends[0] = "[", ends[1] = "]"; return 1;
    case ALLM__V_TUPLE: ends[0] = "(", ends[1] = v.u.q->n == 1 ? ",)" : ")"; return 1;
    case ALLM__V_SLICE: ends[0] = "slice(", ends[1] = ")"; return 1;
    case ALLM__V_DICT: ends[0] = "{", ends[1] = "}"; return 1;
    case ALLM__V_NS: ends[0] = "<Namespace {", ends[1] = "}>"; return 1;
    case ALLM__V_VIEW: ends[0] = views[v.sub], ends[1] = "])"; return 1;
    default: return 0;
    }
}

static void allm__sb_repr(allm__vm *vm, allm__val v) {
    const char *ends[2];
    size_t      base = vm->n_walk;
    if (!allm__repr_ends(v, ends)) { allm__sb_repr_flat(vm, v); return; }
    allm__sb_puts(vm, ends[0]);
    allm__vm_walk(vm, v, v);
    while (vm->n_walk > base && !vm->status) {
        allm__twalk *w = &vm->walk[vm->n_walk - 1];
        int          is_map = w->a.type == ALLM__V_DICT || w->a.type == ALLM__V_NS;
        size_t       i = w->i++, n = is_map ? w->a.u.d->n * 2 : w->a.type == ALLM__V_VIEW ? w->a.u.d->n : w->a.u.q->n;
        allm__val    item;
        if (i == n) {
            allm__repr_ends(w->a, ends);
            allm__sb_puts(vm, ends[1]);
            vm->n_walk--;
            continue;
        }
        if (i) allm__sb_puts(vm, is_map && i % 2 ? ": " : ", ");
        if (is_map) item = i % 2 ? w->a.u.d->v[i / 2].val : w->a.u.d->v[i / 2].key;
        else item = w->a.type == ALLM__V_VIEW ? allm__vm_dict_at(vm, w->a, i) : w->a.u.q->v[i];
        if (!allm__repr_ends(item, ends)) { allm__sb_repr_flat(vm, item); continue; }
        allm__sb_puts(vm, ends[0]);
        allm__vm_walk(vm, item, item);
    }
    vm->n_walk = base;
}

static void allm__sb_to_str(allm__vm *vm, allm__val v) { /* str(v) */
    if (v.type == ALLM__V_STR) allm__sb_str(vm, v);
    else if (v.type != ALLM__V_UNDEF) allm__sb_repr(vm, v);
}

static allm__val allm__vm_to_str(allm__vm *vm, allm__val v) { /* soft_str: Markup stays */
    if (v.type == ALLM__V_STR || vm->status) return v;
    allm__tmark m = allm__sb_begin(vm);
    allm__sb_to_str(vm, v);
    return allm__sb_end(vm, m);
}

static allm__val allm__vm_plain(allm__vm *vm, allm__val v) { /* str(v), never Markup */
    v = allm__vm_to_str(vm, v);
    return vm->status ? v : allm__vm_markup(vm, v, 0);
}

static void allm__sb_escape(allm__vm *vm, allm__val v) { /* HTML */
    static const struct { char c; const char *text; } table[] = {
        {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'\'', "&#39;"}, {'"', "&#34;"}};
    v = allm__vm_to_str(vm, v);
    if (vm->status) return;
    if (v.u.s->markup) { allm__sb_str(vm, v); return; }
    allm__tchars c = {v.u.s, 0, 0, 0};
    int32_t      cp;
    while (!vm->status && (cp = allm__tchars_next(&c)) >= 0) {
        size_t i = 0;
        while (i < ALLM__COUNT(table) && table[i].c != cp) i++;
        if (i < ALLM__COUNT(table)) allm__sb_puts_as(vm, table[i].text, strlen(table[i].text), c.user);
        else allm__sb_cp(vm, cp, c.user);
    }
}

static allm__val allm__vm_escape(allm__vm *vm, allm__val v) { /* markupsafe.escape */
    if (allm__v_is_str(v) && v.u.s->markup) return v;
    allm__tmark m = allm__sb_begin(vm);
    allm__sb_escape(vm, v);
    v = allm__sb_end(vm, m);
    return vm->status ? v : allm__vm_markup(vm, v, 1);
}

/* ---- sorting: stable, by merging; keys are compared with < only */

/* Sorts v[n] and k[n] by k. */
static void allm__vm_sort(allm__vm *vm, allm__val *v, allm__val *k, size_t n, int reverse) {
    allm__val spare = allm__vm_seq(vm, ALLM__V_LIST, n * 2);
    if (vm->status || n < 2) return;
    allm__val *v2 = spare.u.q->v, *k2 = v2 + n, *v1 = v, *k1 = k;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t lo = 0; lo < n; lo += 2 * width) {
            size_t i = lo, mid = ALLM__MIN(lo + width, n), j = mid, hi = ALLM__MIN(mid + width, n);
            for (size_t to = lo; to < hi; to++) {
                int right = i == mid;
                if (i < mid && j < hi) {
                    if (!allm__vm_work(vm, 32)) return;
                    right = reverse ? allm__vm_order(vm, ALLM__LT, k1[i], k1[j]) : allm__vm_order(vm, ALLM__LT, k1[j], k1[i]);
                    if (vm->status) return;
                }
                v2[to] = v1[right ? j : i], k2[to] = k1[right ? j : i];
                if (right) j++;
                else i++;
            }
        }
        allm__val *t = v1;
        v1 = v2, v2 = t, t = k1, k1 = k2, k2 = t;
    }
    if (v1 != v) memcpy(v, v1, n * sizeof *v), memcpy(k, k1, n * sizeof *k);
}

/* The same dictionary in order of its keys. */
static allm__val allm__vm_sorted_dict(allm__vm *vm, allm__val d) {
    size_t    n = d.u.d->n;
    allm__val keys = allm__vm_seq(vm, ALLM__V_LIST, n), vals = allm__vm_seq(vm, ALLM__V_LIST, n), out;
    for (size_t i = 0; !vm->status && i < n; i++) keys.u.q->v[i] = d.u.d->v[i].key, vals.u.q->v[i] = d.u.d->v[i].val;
    if (!vm->status) allm__vm_sort(vm, vals.u.q->v, keys.u.q->v, n, 0);
    out = allm__vm_dict(vm, ALLM__V_DICT);
    for (size_t i = 0; !vm->status && i < n; i++) allm__vm_put(vm, out, keys.u.q->v[i], vals.u.q->v[i]);
    return out;
}

/* ---- tojson: Python's json.dumps */

typedef struct allm__tjson {
    int       ascii, sorted;
    allm__val indent, comma, colon; /* indent NONE: on one line */
} allm__tjson;

static void allm__sb_json_str(allm__vm *vm, allm__val v, int ascii) {
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    allm__tchars c = {v.u.s, 0, 0, 0};
    int32_t      cp;
    allm__sb_putc(vm, '"');
    while (!vm->status && (cp = allm__tchars_next(&c)) >= 0) {
        const char *special = cp && cp < 128 ? strchr(from, cp) : NULL;
        if (special) {
            char t[2] = {'\\', to[special - from]};
            allm__sb_puts_as(vm, t, 2, c.user);
        } else if (cp < 0x20 || (ascii && cp > 0x7e && cp < 0x10000)) allm__sb_hex(vm, "\\u", cp, 4, c.user);
        else if (ascii && cp >= 0x10000) {
            allm__sb_hex(vm, "\\u", 0xd800 + ((cp - 0x10000) >> 10), 4, c.user);
            allm__sb_hex(vm, "\\u", 0xdc00 + ((cp - 0x10000) & 1023), 4, c.user);
        } else allm__sb_cp(vm, cp, c.user);
    }
    allm__sb_putc(vm, '"');
}

static void allm__sb_json_flat(allm__vm *vm, allm__val v, const allm__tjson *o, int is_key) {
    if (is_key && v.type != ALLM__V_STR) allm__sb_putc(vm, '"');
    if (v.type == ALLM__V_STR) allm__sb_json_str(vm, v, o->ascii);
    else if (v.type == ALLM__V_NONE) allm__sb_puts(vm, "null");
    else if (v.type == ALLM__V_BOOL) allm__sb_puts(vm, v.u.i ? "true" : "false");
    else if (v.type == ALLM__V_FLOAT && isnan(v.u.f)) allm__sb_puts(vm, "NaN");
    else if (v.type == ALLM__V_FLOAT && isinf(v.u.f)) allm__sb_puts(vm, v.u.f > 0 ? "Infinity" : "-Infinity");
    else if (allm__v_is_number(v)) allm__sb_number(vm, v);
    else if (is_key) allm__vm_fail(vm, "keys must be str, int, float, bool or None, not %s", allm__v_names[v.type]);
    else allm__vm_fail(vm, "Object of type %s is not JSON serializable",
                       v.type == ALLM__V_VIEW ? (v.sub == 0 ? "dict_keys" : v.sub == 1 ? "dict_values" : "dict_items")
                                              : allm__v_names[v.type]);
    if (is_key && v.type != ALLM__V_STR) allm__sb_putc(vm, '"');
}

static void allm__sb_json_line(allm__vm *vm, const allm__tjson *o, size_t depth) { /* a new line, indented */
    if (o->indent.type == ALLM__V_NONE) return;
    allm__sb_putc(vm, '\n');
    allm__sb_fill(vm, o->indent, (int64_t)depth);
}

static void allm__sb_json_open(allm__vm *vm, allm__val v, const allm__tjson *o) { /* a container is entered */
    size_t n = v.type == ALLM__V_DICT ? v.u.d->n : v.u.q->n;
    allm__sb_putc(vm, v.type == ALLM__V_DICT ? '{' : '[');
    if (v.type == ALLM__V_DICT && o->sorted && n > 1) v = allm__vm_sorted_dict(vm, v);
    if (n) allm__vm_walk(vm, v, v);
    else allm__sb_putc(vm, v.type == ALLM__V_DICT ? '}' : ']');
}

static void allm__sb_json(allm__vm *vm, allm__val v, const allm__tjson *o) {
    size_t base = vm->n_walk;
    if (!allm__v_is_seq(v) && v.type != ALLM__V_DICT) { allm__sb_json_flat(vm, v, o, 0); return; }
    allm__sb_json_open(vm, v, o);
    while (vm->n_walk > base && !vm->status) {
        allm__twalk *w = &vm->walk[vm->n_walk - 1];
        int          is_map = w->a.type == ALLM__V_DICT;
        size_t       i = w->i++, n = is_map ? w->a.u.d->n : w->a.u.q->n;
        if (i == n) {
            vm->n_walk--;
            allm__sb_json_line(vm, o, vm->n_walk - base);
            allm__sb_putc(vm, is_map ? '}' : ']');
            continue;
        }
        allm__val item = is_map ? w->a.u.d->v[i].val : w->a.u.q->v[i];
        if (i) allm__sb_str(vm, o->comma);
        allm__sb_json_line(vm, o, vm->n_walk - base);
        if (is_map) {
            allm__sb_json_flat(vm, w->a.u.d->v[i].key, o, 1);
            allm__sb_str(vm, o->colon);
        }
        if (allm__v_is_seq(item) || item.type == ALLM__V_DICT) allm__sb_json_open(vm, item, o);
        else allm__sb_json_flat(vm, item, o, 0);
    }
    vm->n_walk = base;
}

/* ---- arithmetic */

enum { ALLM__ADD_, ALLM__SUB_, ALLM__MUL_, ALLM__DIV_, ALLM__FLOORDIV_, ALLM__MOD_, ALLM__POW_ };
static const char *const allm__op_signs[] = {"+", "-", "*", "/", "//", "%", "** or pow()"};

/* float(v) of a number. */
static double allm__vm_double(allm__vm *vm, allm__val v) {
    if (v.type == ALLM__V_FLOAT) return v.u.f;
    if (v.type != ALLM__V_BIG) return (double)v.u.i;
    allm__bigtmp b;
    int          over = 0;
    allm__big_load(&b, v);
    double f = allm__big_double(&b, &over);
    if (over) allm__vm_fail(vm, "int too large to convert to float");
    return f;
}

static allm__val allm__vm_store_big(allm__vm *vm, allm__bigtmp *b) {
    if (b->over) return allm__vm_fail(vm, "integer of more than %d digits", ALLM__BIG_MAX * 9);
    allm__val v = allm__big_store(&vm->arena, b);
    return v.type == ALLM__V_UNDEF ? allm__vm_no_memory(vm) : v;
}

/* int(f), which is finite. */
static allm__val allm__vm_trunc(allm__vm *vm, double f) {
    if (fabs(f) < 0x1p62) return allm__v_int((int64_t)f);
    allm__bigtmp b;
    allm__big_from_double(f, &b);
    return allm__vm_store_big(vm, &b);
}

static allm__val allm__vm_big_pow(allm__vm *vm, allm__bigtmp *x, int64_t n) {
    allm__bigtmp r, t;
    r.n = 1, r.d[0] = 1, r.negative = r.over = 0;
    while (n > 0 && !vm->status) {
        if (!allm__vm_work(vm, (x->n + 1) * (x->n + 1) * 4)) break;
        if (n & 1) allm__big_mul(&t, &r, x), r = t;
        n >>= 1;
        if (n) allm__big_mul(&t, x, x), *x = t;
        if (r.over || (n && x->over)) { r.over = 1; break; }
    }
    return allm__vm_store_big(vm, &r);
}

static allm__val allm__vm_big_op(allm__vm *vm, int op, allm__val a, allm__val b) {
    allm__bigtmp x, y, q;
    allm__big_load(&x, a), allm__big_load(&y, b);
    if (!allm__vm_work(vm, (x.n + 1) * (y.n + 1) * (op == ALLM__FLOORDIV_ || op == ALLM__MOD_ ? 64 : 4))) return a;
    switch (op) {
    case ALLM__ADD_:
    case ALLM__SUB_: allm__big_add(&x, &y, op == ALLM__SUB_); return allm__vm_store_big(vm, &x);
    case ALLM__MUL_: allm__big_mul(&q, &x, &y); return allm__vm_store_big(vm, &q);
    case ALLM__POW_:
        if (y.n > 1 && (x.n > 1 || x.d[0] > 1)) x.over = 1;
        if (x.over) return allm__vm_store_big(vm, &x);
        return allm__vm_big_pow(vm, &x, y.n > 1 ? 2 + (y.d[0] & 1) : y.n ? (int64_t)y.d[0] : 0);
    default: allm__big_divmod(&x, &y, &q); return allm__vm_store_big(vm, op == ALLM__MOD_ ? &x : &q);
    }
}

static allm__val allm__vm_int_op(allm__vm *vm, int op, allm__val a, allm__val b) {
    int64_t x = a.u.i, y = b.u.i;
    if (op >= ALLM__DIV_ && op <= ALLM__MOD_ && allm__v_is_int(b) && y == 0)
        return allm__vm_fail(vm, op == ALLM__DIV_ ? "division by zero" : op == ALLM__MOD_ ? "integer modulo by zero"
                                                                                          : "integer division or modulo by zero");
    if (op == ALLM__DIV_) return allm__v_float(allm__vm_double(vm, a) / allm__vm_double(vm, b));
    if (op == ALLM__POW_ && (b.type == ALLM__V_BIG ? b.u.b->negative : y < 0)) {
        if (allm__v_is_int(a) && x == 0) return allm__vm_fail(vm, "0.0 cannot be raised to a negative power");
        return allm__v_float(pow(allm__vm_double(vm, a), allm__vm_double(vm, b)));
    }
    if (a.type == ALLM__V_BIG || b.type == ALLM__V_BIG || op == ALLM__POW_) return allm__vm_big_op(vm, op, a, b);
    int64_t room = op == ALLM__MUL_ ? (int64_t)1 << 31 : (int64_t)1 << 62;
    if (x <= -room || x >= room || y <= -room || y >= room) return allm__vm_big_op(vm, op, a, b);
    switch (op) {
    case ALLM__ADD_: return allm__v_int(x + y);
    case ALLM__SUB_: return allm__v_int(x - y);
    case ALLM__MUL_: return allm__v_int(x * y);
    case ALLM__FLOORDIV_: return allm__v_int(x / y - (x % y != 0 && (x < 0) != (y < 0)));
    default: return allm__v_int(x % y + (x % y != 0 && (x < 0) != (y < 0) ? y : 0));
    }
}

/* CPython's float_divmod: *mod has the sign of y. */
static double allm__float_divmod(double x, double y, double *mod) {
    double m = fmod(x, y), div = (x - m) / y, floored;
    if (m != 0) {
        if ((y < 0) != (m < 0)) m += y, div -= 1;
    } else m = copysign(0, y);
    *mod = m;
    if (div == 0) return copysign(0, x / y);
    floored = floor(div);
    return div - floored > 0.5 ? floored + 1 : floored;
}

static allm__val allm__vm_float_op(allm__vm *vm, int op, double x, double y) {
    double mod, r;
    if (y == 0 && op >= ALLM__DIV_ && op <= ALLM__MOD_)
        return allm__vm_fail(vm, op == ALLM__DIV_ ? "float division by zero" : op == ALLM__MOD_ ? "float modulo"
                                                                                               : "float floor division by zero");
    switch (op) {
    case ALLM__ADD_: return allm__v_float(x + y);
    case ALLM__SUB_: return allm__v_float(x - y);
    case ALLM__MUL_: return allm__v_float(x * y);
    case ALLM__DIV_: return allm__v_float(x / y);
    case ALLM__FLOORDIV_: return allm__v_float(allm__float_divmod(x, y, &mod));
    case ALLM__MOD_: allm__float_divmod(x, y, &mod); return allm__v_float(mod);
    default:
        if (x == 0 && y < 0) return allm__vm_fail(vm, "0.0 cannot be raised to a negative power");
        if (x < 0 && isfinite(x) && isfinite(y) && y != floor(y)) return allm__vm_fail(vm, "complex numbers are not supported");
        r = pow(x, y);
        if (isinf(r) && isfinite(x) && isfinite(y)) return allm__vm_fail(vm, "(34, 'Numerical result out of range')");
        return allm__v_float(r);
    }
}

static allm__val allm__vm_repeat(allm__vm *vm, allm__val seq, allm__val times) {
    if (!allm__v_is_int(times)) {
        if (times.type == ALLM__V_BIG) return allm__vm_fail(vm, "cannot fit 'int' into an index-sized integer");
        return allm__vm_fail(vm, "can't multiply sequence by non-int of type '%s'", allm__v_names[times.type]);
    }
    int64_t n = ALLM__MAX(times.u.i, 0);
    if (seq.type == ALLM__V_STR) {
        allm__tmark m = allm__sb_begin(vm);
        if (seq.u.s->len) allm__sb_fill(vm, seq, n);
        allm__val v = allm__sb_end(vm, m);
        return vm->status ? v : allm__vm_markup(vm, v, seq.u.s->markup);
    }
    size_t len = seq.u.q->n, total;
    if (!allm__mul(len, (size_t)ALLM__MIN((uint64_t)n, SIZE_MAX), &total)) total = SIZE_MAX;
    allm__val v = allm__vm_seq(vm, seq.type, total);
    for (size_t i = 0; !vm->status && i < total; i++) v.u.q->v[i] = seq.u.q->v[i % len];
    return v;
}

/* a + b of texts, with markupsafe's rules. */
static allm__val allm__vm_add_str(allm__vm *vm, allm__val a, allm__val b) {
    if (a.u.s->markup && !b.u.s->markup) b = allm__vm_escape(vm, b);
    else if (b.u.s->markup && !a.u.s->markup) a = allm__vm_escape(vm, a);
    return vm->status ? a : allm__vm_append(vm, a, b);
}

static allm__val allm__vm_join_seq(allm__vm *vm, allm__val a, allm__val b) {
    size_t    n = a.u.q->n, m = b.u.q->n;
    allm__val v = allm__vm_seq(vm, a.type, n + m);
    if (vm->status) return v;
    if (n) memcpy(v.u.q->v, a.u.q->v, n * sizeof v);
    if (m) memcpy(v.u.q->v + n, b.u.q->v, m * sizeof v);
    return v;
}

/* ---- formatting: printf of %, the language of str.format, strftime */

enum { ALLM__F_LEFT = 1, ALLM__F_PLUS = 2, ALLM__F_SPACE = 4, ALLM__F_ALT = 8, ALLM__F_ZERO = 16, ALLM__F_CENTER = 32,
       ALLM__F_INNER = 64 };
enum { ALLM__F_MOST = 100000 }; /* widest field */

typedef struct allm__tfmt {
    int     flags, width, prec; /* prec -1: none */
    int32_t fill;
    char    group, conv; /* 0: none */
} allm__tfmt;

static void allm__fmt_exp(allm__buf *b, allm__dec *a, int prec, int alt) { /* d.ddde+XX; a: the digits, to be rounded */
    allm__dec_round(a, prec + 1);
    int e = a->n ? a->point - 1 : 0;
    for (int i = 0; i <= prec; i++) {
        allm__buf_putc(b, (char)('0' + (i < a->n ? a->d[i] : 0)));
        if (i == 0 && (prec > 0 || alt)) allm__buf_putc(b, '.');
    }
    char t[16];
    allm__buf_put(b, t, (size_t)snprintf(t, sizeof t, "e%c%02d", e < 0 ? '-' : '+', e < 0 ? -e : e));
}

/* v >= 0 as %e, %f or %g would print it. */
static void allm__fmt_float(allm__buf *b, double v, char conv, int prec, int alt) {
    allm__dec a;
    size_t    from = b->len;
    if (!isfinite(v)) { allm__buf_puts(b, isnan(v) ? "nan" : "inf"); return; }
    memset(&a, 0, sizeof a);
    if (v > 0) allm__dec_from(&a, v);
    if (conv == 'f') {
        allm__num_fixed(b, v, prec);
        if (alt && prec == 0) allm__buf_putc(b, '.');
    } else if (conv == 'e') allm__fmt_exp(b, &a, prec, alt);
    else {
        prec = prec ? prec : 1;
        allm__dec_round(&a, prec);
        int e = a.n ? a.point - 1 : 0, is_exp = e < -4 || e >= prec;
        if (is_exp) allm__fmt_exp(b, &a, prec - 1, alt);
        else allm__num_fixed(b, v, prec - 1 - e);
        size_t end = b->len, cut, mantissa = from;
        if (b->failed) return;
        while (mantissa < end && b->ptr[mantissa] != 'e') mantissa++;
        for (cut = mantissa; !alt && memchr(b->ptr + from, '.', mantissa - from) && cut > from && b->ptr[cut - 1] == '0';) cut--;
        if (!alt && cut > from && b->ptr[cut - 1] == '.') cut--;
        memmove(b->ptr + cut, b->ptr + mantissa, end - mantissa);
        b->len = end - (mantissa - cut);
    }
}

/* |v| in base 2, 8, 10 or 16. */
static void allm__fmt_int(allm__buf *b, allm__val v, int base, int upper) {
    allm__bigtmp x;
    size_t       from = b->len;
    allm__big_load(&x, v);
    x.negative = 0;
    if (base == 10) { allm__big_put(&x, b); return; }
    do allm__buf_putc(b, (upper ? "0123456789ABCDEF" : "0123456789abcdef")[allm__big_div1(&x, (uint32_t)base)]);
    while (x.n && !b->failed);
    for (size_t i = from, j = b->len; !b->failed && i + 1 < j; i++) {
        char t = b->ptr[i];
        b->ptr[i] = b->ptr[--j], b->ptr[j] = t;
    }
}

/* Thousands: a separator before every third digit of [from, to). */
static void allm__fmt_group(allm__buf *b, size_t from, char sep) {
    size_t to = from;
    while (to < b->len && b->ptr[to] >= '0' && b->ptr[to] <= '9') to++;
    for (size_t at = to; at > from + 3; at -= 3) {
        if (!allm__buf_room(b, 1)) return;
        memmove(b->ptr + at - 2, b->ptr + at - 3, b->len - 1 - (at - 3));
        b->ptr[at - 3] = sep;
    }
}

/* A field: sign and digits, or a text, in its width. */
static void allm__sb_field(allm__vm *vm, const allm__tfmt *f, const char *sign, allm_str body, size_t n_cp, const allm__vstr *s) {
    int64_t pad = (int64_t)f->width - (int64_t)(strlen(sign) + n_cp), left = 0;
    if (pad < 0) pad = 0;
    if (f->flags & ALLM__F_INNER) allm__sb_puts(vm, sign), left = pad;
    else if (f->flags & ALLM__F_CENTER) left = pad / 2;
    else if (!(f->flags & ALLM__F_LEFT)) left = pad;
    for (int64_t i = 0; i < left && !vm->status; i++) allm__sb_cp(vm, f->fill, 0);
    if (!(f->flags & ALLM__F_INNER)) allm__sb_puts(vm, sign);
    if (s) allm__sb_range(vm, s, 0, body.len);
    else allm__sb_put(vm, body.ptr, body.len);
    for (int64_t i = left; i < pad && !vm->status; i++) allm__sb_cp(vm, f->fill, 0);
}

static void allm__sb_text_field(allm__vm *vm, const allm__tfmt *f, allm__val s) {
    size_t n_cp = allm__v_count(s.u.s), n = s.u.s->len;
    if (f->prec >= 0 && (size_t)f->prec < n_cp) n_cp = (size_t)f->prec, n = allm__v_offset(s.u.s, n_cp);
    allm__sb_field(vm, f, "", allm__str(s.u.s->ptr, n), n_cp, s.u.s);
}

/* A number by f->conv: d o x X b e E f F g G %, or 0 for a float as str() with a precision. */
static void allm__sb_number_field(allm__vm *vm, const allm__tfmt *f, allm__val v) {
    static const char prefixes[][3] = {"0b", "0o", "0x", "0X"};
    char      sign[4] = "", conv = f->conv;
    size_t    n = 0, from = 0;
    allm__buf b;
    memset(&b, 0, sizeof b);
    b.host = vm->host;
    int is_int   = conv && strchr("bdoxX", conv) != NULL;
    int negative = v.type == ALLM__V_FLOAT ? signbit(v.u.f) && !isnan(v.u.f) : v.type == ALLM__V_BIG ? v.u.b->negative : v.u.i < 0;
    if (negative) sign[n++] = '-';
    else if (f->flags & (ALLM__F_PLUS | ALLM__F_SPACE)) sign[n++] = f->flags & ALLM__F_PLUS ? '+' : ' ';
    if (is_int) {
        const char *p = conv == 'd' ? NULL : prefixes[conv == 'b' ? 0 : conv == 'o' ? 1 : conv == 'x' ? 2 : 3];
        if (p && (f->flags & ALLM__F_ALT)) sign[n++] = p[0], sign[n++] = p[1];
        allm__fmt_int(&b, v, conv == 'b' ? 2 : conv == 'o' ? 8 : conv == 'd' ? 10 : 16, conv == 'X');
        for (size_t i = b.len; f->prec >= 0 && i < (size_t)f->prec && !b.failed; i++) { /* %.5d: leading zeros */
            if (allm__buf_room(&b, 1)) memmove(b.ptr + 1, b.ptr, b.len - 1), b.ptr[0] = '0';
        }
    } else {
        double d     = fabs(allm__vm_double(vm, v)) * (conv == '%' ? 100 : 1);
        char   lower = conv >= 'A' && conv <= 'Z' ? (char)(conv + 32) : conv;
        allm__fmt_float(&b, d, lower == 0 ? 'g' : lower == '%' ? 'f' : lower, f->prec < 0 ? (lower == 0 ? 12 : 6) : f->prec,
                        f->flags & ALLM__F_ALT);
        if (conv == 0 && !b.failed && isfinite(d) && !memchr(b.ptr, '.', b.len) && !memchr(b.ptr, 'e', b.len)) allm__buf_puts(&b, ".0");
        for (size_t i = 0; conv && conv < 'a' && conv != '%' && i < b.len; i++)
            if (b.ptr[i] >= 'a' && b.ptr[i] <= 'z') b.ptr[i] = (char)(b.ptr[i] - 32);
        if (conv == '%') allm__buf_putc(&b, '%');
    }
    if (f->group && !b.failed) allm__fmt_group(&b, from, f->group);
    if (b.failed) allm__vm_no_memory(vm);
    else allm__sb_field(vm, f, sign, allm__str(b.ptr, b.len), b.len, NULL);
    allm__buf_free(&b);
}

typedef struct allm__tprintf { /* the arguments of a % */
    allm__val args;
    size_t    next; /* of a tuple; else 0 or 1 */
    int       used; /* by name: all are */
} allm__tprintf;

static allm__val allm__printf_arg(allm__vm *vm, allm__tprintf *p) {
    size_t n = p->args.type == ALLM__V_TUPLE ? p->args.u.q->n : 1;
    if (p->next >= n) return allm__vm_fail(vm, "not enough arguments for format string");
    p->next++;
    return p->args.type == ALLM__V_TUPLE ? p->args.u.q->v[p->next - 1] : p->args;
}

static int allm__printf_int(allm__vm *vm, allm_str s, size_t *i, allm__tprintf *p, int *flags) { /* width or precision */
    int64_t v = 0;
    if (*i < s.len && s.ptr[*i] == '*') {
        allm__val a = allm__printf_arg(vm, p);
        ++*i;
        if (!allm__v_is_int(a)) return allm__vm_fail(vm, "* wants int"), 0;
        v = a.u.i;
        if (v < 0 && flags) *flags |= ALLM__F_LEFT, v = -ALLM__MAX(v, -INT64_MAX);
        v = ALLM__MAX(v, 0);
    } else
        for (; *i < s.len && s.ptr[*i] >= '0' && s.ptr[*i] <= '9'; ++*i) v = ALLM__MIN(v * 10 + (s.ptr[*i] - '0'), INT32_MAX);
    if (v > ALLM__F_MOST) allm__vm_fail(vm, "a field wider than %d", ALLM__F_MOST);
    return (int)ALLM__MIN(v, ALLM__F_MOST);
}

static void allm__printf_one(allm__vm *vm, allm__tfmt *f, allm__val v, int markup) {
    char conv = f->conv;
    if (strchr("sra", conv)) {
        allm__tmark m = allm__sb_begin(vm);
        if (conv != 's') allm__sb_repr(vm, v);
        else if (markup) allm__sb_escape(vm, v);
        else allm__sb_to_str(vm, v);
        allm__val s = allm__sb_end(vm, m);
        if (!vm->status && conv != 's' && markup) s = allm__vm_escape(vm, s);
        if (!vm->status) allm__sb_text_field(vm, f, s);
        return;
    }
    if (conv == 'c') {
        if (allm__v_is_str(v) && allm__v_count(v.u.s) == 1) { allm__sb_text_field(vm, f, v); return; }
        if (!allm__v_is_int(v)) { allm__vm_fail(vm, "%%c requires int or char"); return; }
        if (v.u.i < 0 || v.u.i > 0x10ffff || (v.u.i >= 0xd800 && v.u.i < 0xe000)) { allm__vm_fail(vm, "%%c arg not in range(0x110000)"); return; }
        char u[4];
        allm__sb_field(vm, f, "", allm__str(u, allm__utf8_put(u, (int32_t)v.u.i)), 1, NULL);
        return;
    }
    if (v.type == ALLM__V_UNDEF) { allm__vm_undefined(vm, v); return; }
    if (!allm__v_is_number(v)) {
        if (conv == 'd') allm__vm_fail(vm, "%%d format: a real number is required, not %s", allm__v_names[v.type]);
        else if (strchr("oxX", conv)) allm__vm_fail(vm, "%%%c format: an integer is required, not %s", conv, allm__v_names[v.type]);
        else allm__vm_fail(vm, "must be real number, not %s", allm__v_names[v.type]);
        return;
    }
    if (v.type == ALLM__V_FLOAT && strchr("oxX", conv)) { allm__vm_fail(vm, "%%%c format: an integer is required, not float", conv); return; }
    if (v.type == ALLM__V_FLOAT && conv == 'd') {
        if (!isfinite(v.u.f)) { allm__vm_fail(vm, "cannot convert float %s to integer", isnan(v.u.f) ? "NaN" : "infinity"); return; }
        v = allm__vm_trunc(vm, v.u.f);
    }
    if (!vm->status) allm__sb_number_field(vm, f, v);
}

/* One directive; *i stands behind the %. */
static void allm__printf_directive(allm__vm *vm, allm__val format, size_t *i, allm__tprintf *p) {
    static const char flags[] = "-+ #0";
    allm_str    s = allm__v_str(format);
    allm__tfmt  f = {0, 0, -1, ' ', 0, 0};
    const char *flag;
    allm__val   v = allm__v_undef();
    int         named = 0;
    if (*i < s.len && s.ptr[*i] == '(') {
        size_t from = ++*i, depth = 1;
        for (; *i < s.len; ++*i) {
            depth += s.ptr[*i] == '(';
            depth -= s.ptr[*i] == ')';
            if (!depth) break;
        }
        if (*i == s.len) { allm__vm_fail(vm, "incomplete format key"); return; }
        if (p->args.type != ALLM__V_DICT) { allm__vm_fail(vm, "format requires a mapping"); return; }
        allm__val *found = allm__v_get(p->args.u.d, allm__str(s.ptr + from, *i - from));
        if (!found) { allm__vm_fail(vm, "KeyError: '%.*s'", (int)ALLM__MIN(*i - from, 100), s.ptr + from); return; }
        v = *found, named = p->used = 1, ++*i;
    }
    for (; *i < s.len && s.ptr[*i] && (flag = strchr(flags, s.ptr[*i])); ++*i) f.flags |= 1 << (flag - flags);
    f.width = allm__printf_int(vm, s, i, p, &f.flags);
    if (*i < s.len && s.ptr[*i] == '.') ++*i, f.prec = allm__printf_int(vm, s, i, p, NULL);
    while (*i < s.len && (s.ptr[*i] == 'h' || s.ptr[*i] == 'l' || s.ptr[*i] == 'L')) ++*i;
    if (*i >= s.len) { allm__vm_fail(vm, "incomplete format"); return; }
    f.conv = s.ptr[(*i)++];
    if (f.conv == '%') { allm__sb_putc(vm, '%'); return; }
    if (!f.conv || !strchr("srcadiuoxXeEfFgG", f.conv)) {
        allm__vm_fail(vm, "unsupported format character '%c' (0x%x) at index %llu", f.conv, (unsigned)(unsigned char)f.conv,
                      (unsigned long long)*i - 1);
        return;
    }
    if (f.conv == 'i' || f.conv == 'u') f.conv = 'd';
    if (!named) v = allm__printf_arg(vm, p);
    if ((f.flags & ALLM__F_ZERO) && !(f.flags & ALLM__F_LEFT) && !strchr("srac", f.conv)) f.flags |= ALLM__F_INNER, f.fill = '0';
    if (!vm->status) allm__printf_one(vm, &f, v, format.u.s->markup);
}

static allm__val allm__vm_printf(allm__vm *vm, allm__val format, allm__val args) {
    allm__tprintf p = {args, 0, 0};
    allm_str      s = allm__v_str(format);
    allm__tmark   m = allm__sb_begin(vm);
    for (size_t i = 0, at; i < s.len && !vm->status;) {
        at = allm__str_find(s, ALLM__S("%"), i);
        if (at == SIZE_MAX) at = s.len;
        allm__sb_range(vm, format.u.s, i, at);
        i = at + 1;
        if (at < s.len) allm__printf_directive(vm, format, &i, &p);
    }
    size_t n    = args.type == ALLM__V_TUPLE ? args.u.q->n : 1;
    int    maps = args.type == ALLM__V_DICT || args.type == ALLM__V_LIST || args.type == ALLM__V_RANGE ||
               args.type == ALLM__V_UNDEF || args.type == ALLM__V_BYTES; /* has items: may go unused */
    if (!vm->status && p.next < n && !maps && !p.used) allm__vm_fail(vm, "not all arguments converted during string formatting");
    allm__val v = allm__sb_end(vm, m);
    return vm->status ? v : allm__vm_markup(vm, v, format.u.s->markup);
}

/* ---- str.format */

/* [[fill]align][sign][#][0][width][,_][.precision][type] */
static int allm__spec_parse(allm__vm *vm, allm_str s, allm__tfmt *f) {
    static const char aligns[] = "<>^=";
    static const int  bits[]   = {ALLM__F_LEFT, 0, ALLM__F_CENTER, ALLM__F_INNER};
    size_t            i = 0, n = s.len ? allm__v_step(s.ptr[0]) : 0;
    int               aligned = 0;
    f->flags = f->width = 0, f->prec = -1, f->fill = ' ', f->group = f->conv = 0;
    if (n && n < s.len && s.ptr[n] && strchr(aligns, s.ptr[n])) allm__utf8_next(s.ptr, n, &f->fill), i = n;
    if (i < s.len && s.ptr[i] && strchr(aligns, s.ptr[i])) f->flags = bits[strchr(aligns, s.ptr[i]) - aligns], i++, aligned = 1;
    else i = 0, f->fill = ' ';
    if (i < s.len && (s.ptr[i] == '+' || s.ptr[i] == '-' || s.ptr[i] == ' ')) {
        f->flags |= s.ptr[i] == '+' ? ALLM__F_PLUS : s.ptr[i] == ' ' ? ALLM__F_SPACE : 0;
        i++;
    }
    if (i < s.len && s.ptr[i] == '#') f->flags |= ALLM__F_ALT, i++;
    if (i < s.len && s.ptr[i] == '0') {
        if (!aligned) f->flags |= ALLM__F_INNER | ALLM__F_ZERO, f->fill = '0', aligned = 1;
        i++;
    }
    f->width = allm__printf_int(vm, s, &i, NULL, NULL);
    if (i < s.len && (s.ptr[i] == ',' || s.ptr[i] == '_')) f->group = s.ptr[i++];
    if (i < s.len && s.ptr[i] == '.') {
        size_t from = ++i;
        f->prec     = allm__printf_int(vm, s, &i, NULL, NULL);
        if (i == from) return allm__vm_fail(vm, "Format specifier missing precision"), 0;
    }
    if (i < s.len) f->conv = s.ptr[i++];
    if (i < s.len) return allm__vm_fail(vm, "Invalid format specifier"), 0;
    if (!aligned) f->flags |= ALLM__F_ALT << 8; /* the type decides */
    return !vm->status;
}

/* format(v, spec) */
static void allm__sb_format(allm__vm *vm, allm__val v, allm_str spec) {
    allm__tfmt f;
    if (!spec.len) { allm__sb_to_str(vm, v); return; }
    if (!allm__v_is_number(v) && v.type != ALLM__V_STR) {
        allm__vm_fail(vm, "unsupported format string passed to %s.__format__", allm__v_names[v.type]);
        return;
    }
    if (!allm__spec_parse(vm, spec, &f)) return;
    int aligned = !(f.flags & ALLM__F_ALT << 8), is_float = v.type == ALLM__V_FLOAT;
    f.flags &= ~(ALLM__F_ALT << 8);
    const char *types = v.type == ALLM__V_STR ? "s" : is_float ? "eEfFgG%n" : "bcdoxXneEfFgG%";
    if (f.conv && !strchr(types, f.conv)) {
        allm__vm_fail(vm, "Unknown format code '%c' for object of type '%s'", f.conv, allm__v_names[v.type]);
        return;
    }
    if (v.type == ALLM__V_STR) {
        if (!aligned) f.flags |= ALLM__F_LEFT;
        if (f.flags & ALLM__F_INNER && !(f.flags & ALLM__F_ZERO)) { allm__vm_fail(vm, "'=' alignment not allowed in string format specifier"); return; }
        if (f.flags & ALLM__F_INNER) f.flags = ALLM__F_LEFT;
        allm__sb_text_field(vm, &f, v);
        return;
    }
    if (f.conv == 'n') f.conv = is_float ? 'g' : 'd';
    if (f.conv == 'c') { allm__printf_one(vm, &f, v, 0); return; }
    if (v.type == ALLM__V_BOOL && !f.conv) v.type = ALLM__V_INT;
    if (!f.conv && !is_float) f.conv = 'd';
    if (!f.conv && f.prec < 0) { /* a float as str() shows it, in a field */
        char       t[32];
        double     d = v.u.f;
        const char *sign = signbit(d) ? "-" : f.flags & ALLM__F_PLUS ? "+" : f.flags & ALLM__F_SPACE ? " " : "";
        size_t     n = allm__num_repr(t, fabs(d));
        allm__sb_field(vm, &f, sign, allm__str(t, n), n, NULL);
        return;
    }
    allm__sb_number_field(vm, &f, v);
}

typedef struct allm__tformat {
    const allm__tcall *c;
    allm__val          map; /* of format_map, else absent */
    int64_t            next; /* number of the next {} */
    int                markup;
} allm__tformat;

/* The value of a field "name.attr[item]". */
static allm__val allm__format_get(allm__vm *vm, allm__tformat *f, allm__val s, size_t from, size_t to) {
    allm_str  text = allm__v_str(s);
    size_t    i    = from;
    int64_t   number;
    allm__val v = allm__v_undef(), *found = NULL;
    while (i < to && text.ptr[i] != '.' && text.ptr[i] != '[') i++;
    allm_str  first = allm__str(text.ptr + from, i - from);
    if (!first.len && f->map.type == ALLM__V_ABSENT) number = f->next++;
    else if (!allm__int_parse(first, &number)) number = -1;
    if (number >= 0 && f->map.type == ALLM__V_ABSENT) {
        if (number >= f->c->n_pos) return allm__vm_fail(vm, "tuple index out of range");
        v = f->c->pos[number];
    } else {
        if (f->map.type == ALLM__V_DICT) found = allm__v_get(f->map.u.d, first);
        for (int32_t k = 0; f->map.type == ALLM__V_ABSENT && k < f->c->n_kw; k++)
            if (allm__v_eq_text(f->c->kw[k].name, first)) v = f->c->kw[k].val, found = &v;
        if (!found) return allm__vm_fail(vm, "KeyError: '%.*s'", (int)ALLM__MIN(first.len, 100), first.ptr);
        v = *found;
    }
    while (i < to && !vm->status) {
        int    item = text.ptr[i++] == '[';
        size_t end  = i;
        while (end < to && (item ? text.ptr[end] != ']' : text.ptr[end] != '.' && text.ptr[end] != '[')) end++;
        if (end == i) return allm__vm_fail(vm, "Empty attribute in format string");
        if (item && end == to) return allm__vm_fail(vm, "expected '}' before end of string");
        allm__val key = allm__vm_part(vm, s, i, end);
        if (vm->status) break;
        if (item && allm__int_parse(allm__v_str(key), &number) && number >= 0) key = allm__v_int(number);
        v = item ? allm__vm_getitem(vm, v, key) : allm__vm_getattr(vm, v, key);
        i = end + (size_t)item;
        if (item && i < to && text.ptr[i] != '.' && text.ptr[i] != '[')
            return allm__vm_fail(vm, "Only '.' or '[' may follow ']' in format field specifier");
    }
    return v;
}

/* The end of the field that begins at i: its closing brace. *conv, *spec: places of ! and :, or the end. */
static size_t allm__format_end(allm_str s, size_t i, size_t *conv, size_t *spec) {
    size_t depth = 1, brackets = 0;
    *conv = *spec = SIZE_MAX;
    for (; i < s.len; i++) {
        char c = s.ptr[i];
        if (*spec == SIZE_MAX && c == '[') brackets = 1;
        else if (c == ']') brackets = 0;
        else if (c == '{') depth++;
        else if (c == '}' && --depth == 0) break;
        else if (depth == 1 && !brackets && c == '!' && *conv == SIZE_MAX && *spec == SIZE_MAX) *conv = i;
        else if (depth == 1 && !brackets && c == ':' && *spec == SIZE_MAX) *spec = i;
    }
    if (*spec == SIZE_MAX) *spec = i;
    if (*conv == SIZE_MAX) *conv = *spec;
    return i;
}

/* One field, s[i] being what follows its brace; returns the place behind it. Fields within the spec are replaced first. */
static size_t allm__format_field(allm__vm *vm, allm__tformat *f, allm__val s, size_t i, int inner) {
    allm_str  text = allm__v_str(s), spec_text;
    size_t    conv, spec, end = allm__format_end(text, i, &conv, &spec);
    if (end == text.len) { allm__vm_fail(vm, "expected '}' before end of string"); return end; }
    allm__val v = allm__format_get(vm, f, s, i, conv), spec_val = allm__v_undef();
    if (vm->status) return end;
    if (conv < spec) {
        char how = spec == conv + 2 ? text.ptr[conv + 1] : 0;
        if (how != 'r' && how != 's' && how != 'a') { allm__vm_fail(vm, "Unknown conversion specifier"); return end; }
        allm__tmark m = allm__sb_begin(vm);
        if (how == 's') allm__sb_to_str(vm, v);
        else allm__sb_repr(vm, v);
        v = allm__sb_end(vm, m);
    }
    spec_text = spec < end ? allm__str(text.ptr + spec + 1, end - spec - 1) : ALLM__S("");
    if (!vm->status && allm__str_find(spec_text, ALLM__S("{"), 0) != SIZE_MAX) {
        if (inner) { allm__vm_fail(vm, "Max string recursion exceeded"); return end; }
        allm__tmark m = allm__sb_begin(vm);
        for (size_t k = spec + 1; k < end && !vm->status;)
            if (text.ptr[k] == '{') k = allm__format_field(vm, f, s, k + 1, 1);
            else allm__sb_putc(vm, text.ptr[k++]);
        spec_val = allm__sb_end(vm, m);
        if (!vm->status) spec_text = allm__v_str(spec_val);
    }
    if (vm->status) return end;
    if (!f->markup || inner) allm__sb_format(vm, v, spec_text);
    else {
        allm__tmark m = allm__sb_begin(vm);
        allm__sb_format(vm, v, spec_text);
        allm__val t = allm__sb_end(vm, m);
        if (!vm->status && allm__v_is_str(v) && v.u.s->markup) t = allm__vm_markup(vm, t, 1);
        if (!vm->status) allm__sb_escape(vm, t);
    }
    return end + 1;
}

static allm__val allm__vm_format(allm__vm *vm, allm__val s, const allm__tcall *c, allm__val map) {
    allm__tformat f = {c, map, 0, s.u.s->markup};
    allm_str      text = allm__v_str(s);
    allm__tmark   m    = allm__sb_begin(vm);
    for (size_t i = 0; i < text.len && !vm->status;) {
        size_t at = i;
        while (at < text.len && text.ptr[at] != '{' && text.ptr[at] != '}') at++;
        allm__sb_range(vm, s.u.s, i, at);
        if (at == text.len) break;
        if (at + 1 < text.len && text.ptr[at + 1] == text.ptr[at]) allm__sb_range(vm, s.u.s, at, at + 1), i = at + 2;
        else if (text.ptr[at] == '}') allm__vm_fail(vm, "Single '}' encountered in format string");
        else i = allm__format_field(vm, &f, s, at + 1, 0);
    }
    allm__val v = allm__sb_end(vm, m);
    return vm->status ? v : allm__vm_markup(vm, v, s.u.s->markup);
}

/* ---- strftime, in the C locale */

static int64_t allm__days(int64_t y, int64_t m, int64_t d) { /* since 1970-01-01; of the proleptic Gregorian calendar */
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, year = y - era * 400;
    int64_t day = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + year * 365 + year / 4 - year / 100 + day - 719468;
}

typedef struct allm__tdate {
    allm__tmpl_now now;
    int32_t        week_day, year_day, iso_week; /* week_day: 0 Sunday; year_day: 0 the first */
    int64_t        iso_year, days;
} allm__tdate;

static allm__tdate allm__date(allm__tmpl_now now) {
    allm__tdate d = {now, 0, 0, 0, 0, 0};
    d.days     = allm__days(now.year, now.month, now.day);
    d.week_day = (int32_t)(((d.days + 4) % 7 + 7) % 7);
    d.year_day = (int32_t)(d.days - allm__days(now.year, 1, 1));
    int64_t thursday = d.days - (d.week_day + 6) % 7 + 3, y = now.year - 1; /* it tells the year of the week */
    while (allm__days(y + 1, 1, 1) <= thursday) y++;
    d.iso_year = y;
    d.iso_week = (int32_t)((thursday - allm__days(y, 1, 1)) / 7 + 1);
    return d;
}

static void allm__sb_padded(allm__vm *vm, int64_t v, int width, char pad, char modifier) {
    char t[32];
    if (modifier == '-') width = 0;
    if (modifier == '_') pad = ' ';
    if (modifier == '0') pad = '0';
    int n = snprintf(t, sizeof t, "%lld", (long long)v);
    for (; n < width; width--) allm__sb_putc(vm, pad);
    allm__sb_put(vm, t, (size_t)n);
}

static void allm__sb_name(allm__vm *vm, const char *names, int i, size_t most, char modifier) { /* i-th word of names */
    for (; i > 0; i--) names = strchr(names, ' ') + 1;
    const char *end = strchr(names, ' ');
    size_t      n   = ALLM__MIN(end ? (size_t)(end - names) : strlen(names), most);
    for (size_t k = 0; k < n; k++)
        allm__sb_putc(vm, (modifier == '^' || modifier == '#') && names[k] >= 'a' ? (char)(names[k] - 32) : names[k]);
}

static void allm__sb_date(allm__vm *vm, const allm__tdate *d, char c, char mod) {
    static const char days[]   = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday";
    static const char months[] = "January February March April May June July August September October November December";
    static const struct { char c; const char *is; } composed[] = {
        {'c', "a b e T Y"}, {'D', "m/d/y"}, {'F', "Y-m-d"}, {'R', "H:M"}, {'T', "H:M:S"}, {'r', "I:M:S p"}, {'x', "m/d/y"}, {'X', "H:M:S"}};
    const allm__tmpl_now *t = &d->now;
    int32_t hour12 = t->hour % 12 ? t->hour % 12 : 12, monday = (d->week_day + 6) % 7;
    for (size_t i = 0; i < ALLM__COUNT(composed); i++)
        if (composed[i].c == c) {
            for (const char *p = composed[i].is; *p; p++)
                if ((*p | 32) >= 'a' && (*p | 32) <= 'z') allm__sb_date(vm, d, *p, 0); /* two levels: c, T */
                else allm__sb_putc(vm, *p);
            return;
        }
    switch (c) {
    case 'a': allm__sb_name(vm, days, d->week_day, 3, mod); return;
    case 'A': allm__sb_name(vm, days, d->week_day, 99, mod); return;
    case 'b': case 'h': allm__sb_name(vm, months, t->month - 1, 3, mod); return;
    case 'B': allm__sb_name(vm, months, t->month - 1, 99, mod); return;
    case 'C': allm__sb_padded(vm, t->year / 100, 2, '0', mod); return;
    case 'd': allm__sb_padded(vm, t->day, 2, '0', mod); return;
    case 'e': allm__sb_padded(vm, t->day, 2, ' ', mod); return;
    case 'f': allm__sb_puts(vm, "000000"); return;
    case 'g': allm__sb_padded(vm, d->iso_year % 100, 2, '0', mod); return;
    case 'G': allm__sb_padded(vm, d->iso_year, 4, '0', mod); return;
    case 'H': allm__sb_padded(vm, t->hour, 2, '0', mod); return;
    case 'I': allm__sb_padded(vm, hour12, 2, '0', mod); return;
    case 'j': allm__sb_padded(vm, d->year_day + 1, 3, '0', mod); return;
    case 'k': allm__sb_padded(vm, t->hour, 2, ' ', mod); return;
    case 'l': allm__sb_padded(vm, hour12, 2, ' ', mod); return;
    case 'm': allm__sb_padded(vm, t->month, 2, '0', mod); return;
    case 'M': allm__sb_padded(vm, t->minute, 2, '0', mod); return;
    case 'n': allm__sb_putc(vm, '\n'); return;
    case 'p': allm__sb_puts(vm, t->hour < 12 ? (mod == '#' ? "am" : "AM") : mod == '#' ? "pm" : "PM"); return;
    case 'P': allm__sb_puts(vm, t->hour < 12 ? "am" : "pm"); return;
    case 's': allm__sb_padded(vm, d->days * 86400 + t->hour * 3600 + t->minute * 60 + t->second, 1, '0', mod); return;
    case 'S': allm__sb_padded(vm, t->second, 2, '0', mod); return;
    case 't': allm__sb_putc(vm, '\t'); return;
    case 'u': allm__sb_padded(vm, monday + 1, 1, '0', mod); return;
    case 'U': allm__sb_padded(vm, (d->year_day + 7 - d->week_day) / 7, 2, '0', mod); return;
    case 'V': allm__sb_padded(vm, d->iso_week, 2, '0', mod); return;
    case 'w': allm__sb_padded(vm, d->week_day, 1, '0', mod); return;
    case 'W': allm__sb_padded(vm, (d->year_day + 7 - monday) / 7, 2, '0', mod); return;
    case 'y': allm__sb_padded(vm, t->year % 100, 2, '0', mod); return;
    case 'Y': allm__sb_padded(vm, t->year, 1, '0', mod); return;
    case 'z': case 'Z': return; /* no time zone */
    case '%': allm__sb_putc(vm, '%'); return;
    default:
        allm__sb_putc(vm, '%');
        if (mod) allm__sb_putc(vm, mod);
        allm__sb_putc(vm, c);
    }
}

static void allm__sb_strftime(allm__vm *vm, allm__val format) {
    allm__tdate d    = allm__date(vm->ctx->now);
    allm_str    text = allm__v_str(format);
    for (size_t i = 0, at; i < text.len && !vm->status; i = at) {
        at = allm__str_find(text, ALLM__S("%"), i);
        if (at == SIZE_MAX || at + 1 == text.len) at = text.len;
        allm__sb_range(vm, format.u.s, i, at);
        if (at == text.len) break;
        char mod = text.ptr[at + 1] && strchr("-_0^#", text.ptr[at + 1]) ? text.ptr[at + 1] : 0;
        at += mod ? 2 : 1;
        if (at < text.len) allm__sb_date(vm, &d, text.ptr[at++], mod);
        else allm__sb_range(vm, format.u.s, at - 2, at);
    }
}

/* ---- binary and unary operators */

static allm__val allm__vm_binary(allm__vm *vm, int op, allm__val a, allm__val b) {
    if (vm->status) return a;
    if (op == ALLM__MOD_ && a.type == ALLM__V_STR) return allm__vm_printf(vm, a, b);
    if (a.type == ALLM__V_UNDEF || b.type == ALLM__V_UNDEF) return allm__vm_undefined(vm, a.type == ALLM__V_UNDEF ? a : b);
    if (allm__v_is_number(a) && allm__v_is_number(b)) {
        if (a.type != ALLM__V_FLOAT && b.type != ALLM__V_FLOAT) return allm__vm_int_op(vm, op, a, b);
        double x = allm__vm_double(vm, a), y = allm__vm_double(vm, b);
        return vm->status ? a : allm__vm_float_op(vm, op, x, y);
    }
    if (op == ALLM__ADD_ && a.type == ALLM__V_STR && b.type == ALLM__V_STR) return allm__vm_add_str(vm, a, b);
    if (op == ALLM__ADD_ && allm__v_is_seq(a) && a.type == b.type) return allm__vm_join_seq(vm, a, b);
    if (op == ALLM__ADD_ && (a.type == ALLM__V_STR || allm__v_is_seq(a)))
        return allm__vm_fail(vm, "can only concatenate %s (not \"%s\") to %s", allm__v_names[a.type], allm__v_names[b.type],
                             allm__v_names[a.type]);
    if (op == ALLM__MUL_ && (a.type == ALLM__V_STR || allm__v_is_seq(a))) return allm__vm_repeat(vm, a, b);
    if (op == ALLM__MUL_ && (b.type == ALLM__V_STR || allm__v_is_seq(b))) return allm__vm_repeat(vm, b, a);
    return allm__vm_fail(vm, "unsupported operand type(s) for %s: '%s' and '%s'", allm__op_signs[op], allm__v_names[a.type],
                         allm__v_names[b.type]);
}

static allm__val allm__vm_negate(allm__vm *vm, allm__val v, int negative) { /* -v or +v */
    if (v.type == ALLM__V_UNDEF) return allm__vm_undefined(vm, v);
    if (!allm__v_is_number(v))
        return allm__vm_fail(vm, "bad operand type for unary %c: '%s'", negative ? '-' : '+', allm__v_names[v.type]);
    if (v.type == ALLM__V_FLOAT) return allm__v_float(negative ? -v.u.f : v.u.f);
    if (v.type == ALLM__V_BOOL) v.type = ALLM__V_INT;
    if (!negative) return v;
    if (v.type == ALLM__V_INT && v.u.i != INT64_MIN) return allm__v_int(-v.u.i);
    allm__bigtmp b;
    allm__big_load(&b, v);
    b.negative = !b.negative;
    return allm__vm_store_big(vm, &b);
}

/* a in b */
static int allm__vm_in(allm__vm *vm, allm__val a, allm__val b) {
    switch (b.type) {
    case ALLM__V_STR:
        if (a.type != ALLM__V_STR)
            return allm__vm_fail(vm, "'in <string>' requires string as left operand, not %s", allm__v_names[a.type]), 0;
        allm__vm_work(vm, b.u.s->len);
        return allm__str_find(allm__v_str(b), allm__v_str(a), 0) != SIZE_MAX;
    case ALLM__V_DICT: return allm__vm_get(vm, b, a) != NULL;
    case ALLM__V_RANGE:
        if (!allm__v_is_int(a)) break;
        else {
            int64_t n = allm__v_range_len(b), step = b.u.q->v[2].u.i, gap;
            if (!n) return 0;
            int64_t lo = allm__v_range_at(b, step > 0 ? 0 : n - 1), hi = allm__v_range_at(b, step > 0 ? n - 1 : 0);
            if (a.u.i < lo || a.u.i > hi) return 0;
            gap = (int64_t)(((uint64_t)a.u.i - (uint64_t)b.u.q->v[0].u.i) % (uint64_t)(step > 0 ? step : -step));
            return step > 0 ? gap == 0 : ((uint64_t)b.u.q->v[0].u.i - (uint64_t)a.u.i) % (uint64_t)-step == 0;
        }
    case ALLM__V_UNDEF: return 0;
    case ALLM__V_LIST: case ALLM__V_TUPLE: case ALLM__V_VIEW: case ALLM__V_ITER: break;
    default: return allm__vm_fail(vm, "argument of type '%s' is not iterable", allm__v_names[b.type]), 0;
    }
    allm__titer *it = allm__vm_iter(vm, b);
    allm__val    item;
    while (it && allm__vm_next(vm, it, &item))
        if (allm__vm_eq(vm, item, a)) return 1;
    return 0;
}

static int allm__vm_compare(allm__vm *vm, int op, allm__val a, allm__val b) {
    if (vm->status) return 0;
    switch (op) {
    case ALLM__EQ: return allm__vm_eq(vm, a, b);
    case ALLM__NE: return !allm__vm_eq(vm, a, b);
    case ALLM__IN: return allm__vm_in(vm, a, b);
    case ALLM__NOT_IN: return !allm__vm_in(vm, a, b);
    default: return allm__vm_order(vm, op, a, b);
    }
}

/* ---- arguments */

/* An integer argument; NONE and absent give the fallback. */
static int64_t allm__c_int(allm__vm *vm, const allm__tcall *c, int i, int64_t fallback) {
    allm__val v = c->a[i];
    if (v.type == ALLM__V_ABSENT || v.type == ALLM__V_NONE) return fallback;
    if (v.type == ALLM__V_UNDEF) allm__vm_undefined(vm, v);
    else if (v.type == ALLM__V_BIG) return v.u.b->negative ? -INT64_MAX : INT64_MAX;
    else if (!allm__v_is_int(v)) allm__vm_fail(vm, "'%s' object cannot be interpreted as an integer", allm__v_names[v.type]);
    else return v.u.i;
    return fallback;
}

static int allm__c_true(const allm__tcall *c, int i, int fallback) {
    return c->a[i].type == ALLM__V_ABSENT ? fallback : allm__v_true(c->a[i]);
}

/* A text argument; absent gives the fallback. Empty after an error. */
static allm__val allm__c_str(allm__vm *vm, const allm__tcall *c, int i, const char *fallback) {
    allm__val v = c->a[i];
    if (v.type == ALLM__V_ABSENT && fallback) return allm__vm_text(vm, fallback);
    if (!allm__v_is_str(v)) {
        allm__vm_fail(vm, "argument %d must be str, not %s", i + 1, allm__v_names[v.type]);
        return allm__v_view(&vm->arena, "", 0, 0);
    }
    return v;
}

static int allm__c_missing(const allm__tcall *c, int i) { return c->a[i].type == ALLM__V_ABSENT || c->a[i].type == ALLM__V_NONE; }

/* ---- filters on text */

static allm__val allm__f_case(allm__vm *vm, const allm__tcall *c) {
    allm__val s = allm__vm_to_str(vm, c->self);
    return vm->status ? s : allm__vm_case(vm, s, c->how);
}

static allm__val allm__f_string(allm__vm *vm, const allm__tcall *c) { return allm__vm_to_str(vm, c->self); }

static allm__val allm__f_trim(allm__vm *vm, const allm__tcall *c) {
    allm__val s = allm__vm_to_str(vm, c->self);
    return vm->status ? s : allm__vm_strip(vm, s, c->a[0], 1, 1);
}

static allm__val allm__f_title(allm__vm *vm, const allm__tcall *c) { /* words begin behind blanks - ( { [ < */
    allm__val s = allm__vm_to_str(vm, c->self);
    if (vm->status) return s;
    allm__tmark  m = allm__sb_begin(vm);
    allm__tchars t = {s.u.s, 0, 0, 0};
    for (size_t from = 0; from < s.u.s->len && !vm->status; from = t.at) {
        int     apart = -1;
        int32_t cp    = 0;
        for (size_t at = t.at; (cp = allm__tchars_next(&t)) >= 0; at = t.at) { /* a run of separators, or of the rest */
            int is = allm__is_space(cp) || (cp < 128 && strchr("-({[<", cp) && cp);
            if (apart < 0) apart = is;
            if (is != apart) { t.at = at; break; }
        }
        size_t    first = from + allm__v_step(s.u.s->ptr[from]);
        allm__val head = allm__vm_part(vm, s, from, first), tail = allm__vm_part(vm, s, first, t.at);
        if (vm->status) break;
        head = allm__vm_case(vm, head, ALLM__CASE_UPPER);
        if (!vm->status) tail = allm__vm_case(vm, tail, ALLM__CASE_LOWER);
        if (!vm->status) allm__sb_str(vm, head), allm__sb_str(vm, tail);
    }
    return allm__sb_end(vm, m);
}

static allm__val allm__vm_pad(allm__vm *vm, allm__val s, int64_t width, allm__val fill, int how) { /* -1 left, 0 centre, 1 right */
    int64_t n = (int64_t)allm__v_count(s.u.s), gap = width - n, left;
    if (!allm__v_is_str(fill) || allm__v_count(fill.u.s) != 1) return allm__vm_fail(vm, "The fill character must be exactly one character long");
    if (gap <= 0) return s;
    left = how < 0 ? 0 : how > 0 ? gap : gap / 2 + (gap & width & 1);
    if (s.u.s->markup) fill = allm__vm_escape(vm, fill);
    if (vm->status) return s;
    allm__tmark m = allm__sb_begin(vm);
    allm__sb_fill(vm, fill, left);
    allm__sb_str(vm, s);
    allm__sb_fill(vm, fill, gap - left);
    allm__val v = allm__sb_end(vm, m);
    return vm->status ? v : allm__vm_markup(vm, v, s.u.s->markup);
}

static allm__val allm__f_center(allm__vm *vm, const allm__tcall *c) {
    allm__val s = allm__vm_to_str(vm, c->self), fill = allm__vm_text(vm, " ");
    int64_t   n = allm__c_int(vm, c, 0, 80);
    return vm->status ? s : allm__vm_pad(vm, s, n, fill, 0);
}

static allm__val allm__vm_replace(allm__vm *vm, allm__val s, allm__val old, allm__val new_, int64_t most) {
    allm_str    text = allm__v_str(s), what = allm__v_str(old);
    size_t      from = 0, at;
    allm__tmark m;
    if (most < 0) most = INT64_MAX;
    if (!allm__vm_work(vm, text.len)) return s;
    if (what.len && (most == 0 || allm__str_find(text, what, 0) == SIZE_MAX)) return s;
    m = allm__sb_begin(vm);
    while (most-- > 0 && !vm->status) {
        if (what.len) at = allm__str_find(text, what, from);
        else at = from; /* before every character and at the end */
        if (at == SIZE_MAX) break;
        allm__sb_range(vm, s.u.s, from, at);
        allm__sb_str(vm, new_);
        from = at + what.len;
        if (what.len) continue;
        if (at == text.len) break;
        allm__sb_range(vm, s.u.s, at, at + allm__v_step(text.ptr[at]));
        from = at + allm__v_step(text.ptr[at]);
    }
    if (from < text.len) allm__sb_range(vm, s.u.s, from, text.len);
    allm__val v = allm__sb_end(vm, m);
    return vm->status ? v : allm__vm_markup(vm, v, s.u.s->markup);
}

static allm__val allm__f_replace(allm__vm *vm, const allm__tcall *c) {
    allm__val s = c->self, old = c->a[0], new_ = c->a[1];
    int64_t   most = allm__c_int(vm, c, 2, -1);
    if (vm->autoescape) {
        int escape = (allm__v_is_str(old) && old.u.s->markup) || (allm__v_is_str(new_) && new_.u.s->markup && !(allm__v_is_str(s) && s.u.s->markup));
        s    = escape ? allm__vm_escape(vm, s) : allm__vm_to_str(vm, s);
        old  = allm__vm_to_str(vm, old);
        new_ = !vm->status && s.u.s->markup ? allm__vm_escape(vm, new_) : allm__vm_to_str(vm, new_);
    } else s = allm__vm_plain(vm, s), old = allm__vm_plain(vm, old), new_ = allm__vm_plain(vm, new_);
    return vm->status ? s : allm__vm_replace(vm, s, old, new_, most);
}

/* Bytes of the line end at p[i]; 0: none. */
static size_t allm__line_end(allm_str s, size_t i) {
    static const char *const ends[] = {"\r\n", "\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"};
    unsigned char            c      = (unsigned char)s.ptr[i];
    if (c >= 0x20 && c != 0xc2 && c != 0xe2) return 0;
    for (size_t k = 0; k < ALLM__COUNT(ends); k++)
        if (allm__str_starts(allm__str(s.ptr + i, s.len - i), allm__str_of(ends[k]))) return strlen(ends[k]);
    return 0;
}

/* The next line of s from *at on, without its end, *to being the place behind it. 0: no more. */
static int allm__next_line(allm_str s, size_t *at, size_t *from, size_t *to, size_t *end) {
    size_t n = 0;
    if (*at >= s.len) return 0;
    *from = *to = *at;
    while (*to < s.len && !(n = allm__line_end(s, *to))) ++*to;
    *end = *at = *to + n;
    return 1;
}

static allm__val allm__f_indent(allm__vm *vm, const allm__tcall *c) {
    int       first = allm__c_true(c, 1, 0), blank = allm__c_true(c, 2, 0), i = 0;
    allm__val s = c->self, width = c->a[0], pad;
    size_t    at = 0, from, to = 0, end = 0;
    if (s.type == ALLM__V_UNDEF) return allm__vm_undefined(vm, s);
    if (!allm__v_is_str(s)) return allm__vm_fail(vm, "unsupported operand type(s) for +=: '%s' and 'str'", allm__v_names[s.type]);
    allm__tmark m = allm__sb_begin(vm);
    if (!allm__v_is_str(width)) allm__sb_spaces(vm, allm__c_int(vm, c, 0, 4));
    else allm__sb_str(vm, width);
    pad = allm__sb_end(vm, m);
    if (vm->status) return pad;
    m = allm__sb_begin(vm);
    if (first) allm__sb_str(vm, pad);
    allm_str text = allm__v_str(s);
    for (; !vm->status && allm__next_line(text, &at, &from, &to, &end); i++) {
        if (i) allm__sb_putc(vm, '\n');
        if (i && (blank || to > from)) allm__sb_str(vm, pad);
        allm__sb_range(vm, s.u.s, from, to);
    }
    if (i && end > to && text.ptr[text.len - 1] != '\r') { /* the text ends with a line end: an empty line follows */
        allm__sb_putc(vm, '\n');
        if (blank) allm__sb_str(vm, pad);
    }
    allm__val v = allm__sb_end(vm, m);
    return vm->status ? v : allm__vm_markup(vm, v, s.u.s->markup);
}

static allm__val allm__f_truncate(allm__vm *vm, const allm__tcall *c) {
    int64_t   length = allm__c_int(vm, c, 0, 255), leeway = allm__c_int(vm, c, 3, 5), n = allm__v_len(c->self);
    allm__val end = allm__c_str(vm, c, 2, "..."), s = c->self;
    if (vm->status) return s;
    int64_t n_end = (int64_t)allm__v_count(end.u.s);
    if (length < n_end) return allm__vm_fail(vm, "expected length >= %lld, got %lld", (long long)n_end, (long long)length);
    if (leeway < 0) return allm__vm_fail(vm, "expected leeway >= 0, got %lld", (long long)leeway);
    if (n < 0) return allm__vm_fail(vm, "object of type '%s' has no len()", allm__v_names[s.type]);
    if (n <= length + leeway) return s;
    if (!allm__v_is_str(s)) return allm__vm_fail(vm, "'%s' object has no attribute 'rsplit'", allm__v_names[s.type]);
    s = allm__vm_substr(vm, s, 0, 1, length - n_end);
    if (vm->status) return s;
    size_t to = s.u.s->len;
    if (!allm__c_true(c, 1, 0)) { /* whole words: up to the last blank */
        while (to > 0 && s.u.s->ptr[to - 1] != ' ') to--;
        s = allm__vm_part(vm, s, 0, to ? to - 1 : s.u.s->len);
    }
    return vm->status ? s : allm__vm_add_str(vm, s, end);
}

static allm__val allm__f_wordcount(allm__vm *vm, const allm__tcall *c) {
    allm__val s = allm__vm_to_str(vm, c->self);
    int64_t   n = 0;
    int       inside = 0;
    int32_t   cp;
    if (vm->status || !allm__vm_work(vm, s.u.s->len)) return s;
    for (allm__tchars t = {s.u.s, 0, 0, 0}; (cp = allm__tchars_next(&t)) >= 0;) {
        int is = allm__is_word(cp);
        n += is && !inside;
        inside = is;
    }
    return allm__v_int(n);
}

/* Splits a line as textwrap does: runs of blanks, and words, which may break behind a hyphen between letters. */
static size_t allm__wrap_chunk(const allm__vstr *s, size_t from, size_t to, int hyphens) {
    size_t at = from;
    char   c  = s->ptr[from];
    if (c == ' ' || (c >= 9 && c <= 13)) {
        while (at < to && (s->ptr[at] == ' ' || (s->ptr[at] >= 9 && s->ptr[at] <= 13))) at++;
        return at;
    }
    for (; at < to && s->ptr[at] != ' ' && !(s->ptr[at] >= 9 && s->ptr[at] <= 13); at++) {
        char a = at > from ? (char)(s->ptr[at - 1] | 32) : 0, b = at + 1 < to ? (char)(s->ptr[at + 1] | 32) : 0;
        if (hyphens && s->ptr[at] == '-' && a >= 'a' && a <= 'z' && b >= 'a' && b <= 'z') return at + 1;
    }
    return at;
}

static void allm__wrap_line(allm__vm *vm, const allm__vstr *s, size_t from, size_t to, int64_t width, int hard, int hyphens,
                            allm__val sep) {
    int first = 1;
    while (from < to && !vm->status) {
        int64_t used = 0;
        size_t  start = from, keep, next;
        if (!first) { /* blanks at the beginning of a line go */
            next = allm__wrap_chunk(s, from, to, hyphens);
            if (s->ptr[from] == ' ' || (s->ptr[from] >= 9 && s->ptr[from] <= 13)) start = from = next;
            if (from >= to) break;
        }
        for (keep = from; from < to; from = next) { /* as many chunks as fit */
            int64_t n = 0;
            next      = allm__wrap_chunk(s, from, to, hyphens);
            for (size_t i = from; i < next; i++) n += ((unsigned char)s->ptr[i] & 0xc0) != 0x80;
            if (used + n > width) break;
            used += n, keep = next;
        }
        if (from < to) {
            next = allm__wrap_chunk(s, from, to, hyphens);
            int64_t n = 0, room = ALLM__MAX(width - used, 1);
            for (size_t i = from; i < next; i++) n += ((unsigned char)s->ptr[i] & 0xc0) != 0x80;
            if (n > width && hard) { /* a word longer than a line is cut */
                for (; room > 0; room--) from += allm__v_step(s->ptr[from]);
                keep = from;
            } else if (n > width && used == 0) keep = from = next;
        }
        for (; keep > start && (s->ptr[keep - 1] == ' ' || (s->ptr[keep - 1] >= 9 && s->ptr[keep - 1] <= 13));) keep--;
        if (keep > start) {
            if (!first) allm__sb_str(vm, sep);
            allm__sb_range(vm, s, start, keep), first = 0;
        }
        if (!allm__vm_work(vm, 64)) return;
    }
}

static allm__val allm__f_wordwrap(allm__vm *vm, const allm__tcall *c) {
    int64_t   width = allm__c_int(vm, c, 0, 79);
    allm__val sep = allm__c_missing(c, 2) ? allm__vm_text(vm, "\n") : allm__c_str(vm, c, 2, NULL), s = c->self;
    size_t    at = 0, from, to, end;
    if (s.type == ALLM__V_UNDEF) return allm__vm_undefined(vm, s);
    if (!allm__v_is_str(s)) return allm__vm_fail(vm, "'%s' object has no attribute 'splitlines'", allm__v_names[s.type]);
    if (width <= 0) return allm__vm_fail(vm, "invalid width %lld (must be > 0)", (long long)width);
    allm__tmark m = allm__sb_begin(vm);
    for (int i = 0; !vm->status && allm__next_line(allm__v_str(s), &at, &from, &to, &end); i++) {
        if (i) allm__sb_str(vm, sep);
        allm__wrap_line(vm, s.u.s, from, to, width, allm__c_true(c, 1, 1), allm__c_true(c, 3, 1), sep);
    }
    return allm__sb_end(vm, m);
}

static allm__val allm__f_format(allm__vm *vm, const allm__tcall *c) {
    allm__val s = allm__vm_to_str(vm, c->self), args;
    if (vm->status) return s;
    if (c->n_pos && c->n_kw) return allm__vm_fail(vm, "can't handle positional and keyword arguments at the same time");
    if (c->n_kw) {
        args = allm__vm_dict(vm, ALLM__V_DICT);
        for (int32_t i = 0; !vm->status && i < c->n_kw; i++) allm__vm_put(vm, args, c->kw[i].name, c->kw[i].val);
    } else {
        args = allm__vm_seq(vm, ALLM__V_TUPLE, (size_t)c->n_pos);
        for (int32_t i = 0; !vm->status && i < c->n_pos; i++) args.u.q->v[i] = c->pos[i];
    }
    return vm->status ? s : allm__vm_printf(vm, s, args);
}

static allm__val allm__f_safe(allm__vm *vm, const allm__tcall *c) {
    allm__val s = allm__vm_to_str(vm, c->self);
    return vm->status ? s : allm__vm_markup(vm, s, 1);
}

static allm__val allm__f_escape(allm__vm *vm, const allm__tcall *c) { /* how 1: also what is Markup already */
    return allm__vm_escape(vm, c->how ? allm__vm_plain(vm, c->self) : c->self);
}

/* The text of an HTML character reference at s[i] = '&'; *end behind it. 0: it is none. The names are the usual ones. */
static int32_t allm__html_entity(allm_str s, size_t i, size_t *end) {
    static const struct { const char *name; int32_t cp; } table[] = {
        {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}, {"nbsp", 0xa0}, {"copy", 0xa9}, {"reg", 0xae},
        {"deg", 0xb0}, {"laquo", 0xab}, {"raquo", 0xbb}, {"middot", 0xb7}, {"times", 0xd7}, {"euro", 0x20ac},
        {"hellip", 0x2026}, {"ndash", 0x2013}, {"mdash", 0x2014}, {"lsquo", 0x2018}, {"rsquo", 0x2019}, {"ldquo", 0x201c},
        {"rdquo", 0x201d}, {"bull", 0x2022}, {"trade", 0x2122}, {"larr", 0x2190}, {"rarr", 0x2192}};
    size_t  at = i + 1;
    int32_t cp = 0;
    if (at < s.len && s.ptr[at] == '#') {
        int hex = at + 1 < s.len && (s.ptr[at + 1] | 32) == 'x', n = 0;
        for (at += 1 + (size_t)hex; at < s.len; at++, n++) {
            char c = (char)(s.ptr[at] | 32);
            int  d = s.ptr[at] >= '0' && s.ptr[at] <= '9' ? s.ptr[at] - '0' : hex && c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
            if (d < 0) break;
            cp = ALLM__MIN(cp * (hex ? 16 : 10) + d, 0x200000);
        }
        if (!n) return 0;
        *end = at + (at < s.len && s.ptr[at] == ';');
        return cp == 0 || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000) ? 0xfffd : cp;
    }
    while (at < s.len && (s.ptr[at] | 32) >= 'a' && (s.ptr[at] | 32) <= 'z') at++;
    if (at == s.len || s.ptr[at] != ';') return 0;
    *end = at + 1;
    for (size_t k = 0; k < ALLM__COUNT(table); k++)
        if (allm__str_eq(allm__str(s.ptr + i + 1, at - i - 1), allm__str_of(table[k].name))) return table[k].cp;
    return 0;
}

static allm__val allm__f_striptags(allm__vm *vm, const allm__tcall *c) {
    allm__val   s = allm__vm_to_str(vm, c->self);
    allm__tmark m = allm__sb_begin(vm);
    size_t      from = 0, at, end;
    if (!vm->status) {
        allm_str text = allm__v_str(s);
        while ((at = allm__str_find(text, ALLM__S("<"), from)) != SIZE_MAX && !vm->status) {
            int comment = allm__str_starts(allm__str(text.ptr + at, text.len - at), ALLM__S("<!--"));
            end         = comment ? allm__str_find(text, ALLM__S("-->"), at + 4) : allm__str_find(text, ALLM__S(">"), at);
            if (end == SIZE_MAX) break;
            allm__sb_range(vm, s.u.s, from, at);
            from = end + (comment ? 3 : 1);
        }
        allm__sb_range(vm, s.u.s, from, text.len);
    }
    s = allm__sb_end(vm, m);
    if (vm->status) return s;
    m = allm__sb_begin(vm); /* white space to single blanks, character references to characters */
    allm__tchars t = {s.u.s, 0, 0, 0};
    int32_t      cp, entity;
    int          some = 0, gap = 0;
    for (at = 0; !vm->status && (cp = allm__tchars_next(&t)) >= 0; at = t.at) {
        if (allm__is_space(cp)) { gap = some; continue; }
        if (gap) allm__sb_putc(vm, ' ');
        gap = 0, some = 1;
        if (cp == '&' && (entity = allm__html_entity(allm__v_str(s), at, &end)) > 0) cp = entity, t.at = end;
        allm__sb_cp(vm, cp, t.user);
    }
    return allm__sb_end(vm, m);
}

static void allm__sb_url(allm__vm *vm, allm__val v, int for_query) {
    v = allm__vm_to_str(vm, v);
    for (size_t i = 0; !vm->status && i < v.u.s->len; i++) {
        unsigned char c = (unsigned char)v.u.s->ptr[i];
        char          t[4];
        if (c < 0x80 && (allm__is_word(c) || strchr("-.~", c)) && c) allm__sb_range(vm, v.u.s, i, i + 1);
        else if (c == '/' && !for_query) allm__sb_range(vm, v.u.s, i, i + 1);
        else if (c == ' ' && for_query) allm__sb_putc(vm, '+');
        else allm__sb_puts_as(vm, t, (size_t)snprintf(t, sizeof t, "%%%02X", c), v.u.s->n_user > 0);
    }
}

/* Takes v apart into n values; 0: it failed. */
static int allm__vm_unpack(allm__vm *vm, allm__val v, size_t n, allm__val *out) {
    size_t i = 0;
    if (!allm__v_iterable(v) && v.type != ALLM__V_UNDEF) {
        allm__vm_fail(vm, "cannot unpack non-iterable %s object", allm__v_names[v.type]);
        return 0;
    }
    allm__titer *it = allm__vm_iter(vm, v);
    allm__val    item;
    while (it && allm__vm_next(vm, it, &item)) {
        if (i == n) return allm__vm_fail(vm, "too many values to unpack (expected %llu)", (unsigned long long)n), 0;
        out[i++] = item;
    }
    if (i < n && !vm->status)
        allm__vm_fail(vm, "not enough values to unpack (expected %llu, got %llu)", (unsigned long long)n, (unsigned long long)i);
    return !vm->status;
}

static allm__val allm__f_urlencode(allm__vm *vm, const allm__tcall *c) {
    allm__val   v = c->self, item, kv[2];
    allm__tmark m = allm__sb_begin(vm);
    if (allm__v_is_str(v) || !allm__v_iterable(v)) {
        allm__sb_url(vm, v, 0);
        return allm__sb_end(vm, m);
    }
    if (v.type == ALLM__V_DICT) v.type = ALLM__V_VIEW, v.sub = 2;
    allm__titer *it = allm__vm_iter(vm, v);
    for (int i = 0; it && allm__vm_next(vm, it, &item) && allm__vm_unpack(vm, item, 2, kv); i++) {
        if (i) allm__sb_putc(vm, '&');
        allm__sb_url(vm, kv[0], 1), allm__sb_putc(vm, '='), allm__sb_url(vm, kv[1], 1);
    }
    return allm__sb_end(vm, m);
}

static allm__val allm__f_xmlattr(allm__vm *vm, const allm__tcall *c) {
    allm__val d = c->self;
    int       n = 0;
    if (d.type == ALLM__V_UNDEF) return allm__vm_undefined(vm, d);
    if (d.type != ALLM__V_DICT) return allm__vm_fail(vm, "'%s' object has no attribute 'items'", allm__v_names[d.type]);
    allm__tmark m = allm__sb_begin(vm);
    for (size_t i = 0; i < d.u.d->n && !vm->status; i++) {
        allm__vpair *p = &d.u.d->v[i];
        if (p->val.type == ALLM__V_NONE || p->val.type == ALLM__V_UNDEF) continue;
        if (!allm__v_is_str(p->key)) { allm__vm_fail(vm, "expected string or bytes-like object"); break; }
        for (size_t k = 0; k < p->key.u.s->len; k++)
            if (strchr(" \t\n\r\f\v/>=", p->key.u.s->ptr[k])) allm__vm_fail(vm, "Invalid character in attribute name");
        if (n++ || allm__c_true(c, 0, 1)) allm__sb_putc(vm, ' ');
        allm__sb_escape(vm, p->key), allm__sb_puts(vm, "=\""), allm__sb_escape(vm, p->val), allm__sb_putc(vm, '"');
    }
    d = allm__sb_end(vm, m);
    return vm->status ? d : allm__vm_markup(vm, d, vm->autoescape);
}

/* Does s begin with a web address as urlize takes it: http(s):// or www. and a host, or host.com and the like? */
static int allm__is_url(allm_str s) {
    static const char *const tops[] = {"com", "net", "int", "edu", "gov", "org", "info", "mil"};
    int    scheme = allm__str_starts(s, ALLM__S("https://")) ? 8 : allm__str_starts(s, ALLM__S("http://")) ? 7 : 0;
    int    known = scheme || allm__str_starts(s, ALLM__S("www."));
    size_t at = (size_t)scheme, dots = 0, label = at, last = at;
    for (; at < s.len; at++) {
        unsigned char c = (unsigned char)s.ptr[at];
        if (c == '.' && at > label) last = label, label = at + 1, dots++;
        else if (c < 0x80 && !allm__is_word(c) && c != '-' && c != '%') break;
    }
    (void)last;
    if (at == label) return 0; /* ends with a dot */
    allm_str top = allm__str(s.ptr + label, at - label);
    int      ok  = known && top.len >= 2;
    for (size_t i = 0; known && i < top.len; i++) ok = ok && (top.ptr[i] | 32) >= 'a' && (top.ptr[i] | 32) <= 'z';
    for (size_t i = 0; !known && dots && i < ALLM__COUNT(tops); i++) ok = ok || allm__str_eq(top, allm__str_of(tops[i]));
    if (scheme && dots == 3 && !ok) { /* IPv4 */
        ok = 1;
        for (size_t i = (size_t)scheme; i < at; i++) ok = ok && (s.ptr[i] == '.' || (s.ptr[i] >= '0' && s.ptr[i] <= '9'));
    }
    if (ok && at < s.len && s.ptr[at] == ':') {
        size_t from = ++at;
        while (at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9') at++;
        ok = at > from && at - from <= 5;
    }
    return ok && (at == s.len || strchr("/?#", s.ptr[at]));
}

static int allm__is_email(allm_str s) { /* ^\S+@\w[\w.-]*\.\w+$ */
    size_t at = s.len, dot = 0;
    while (at > 0 && s.ptr[at - 1] != '@') at--;
    if (at < 2 || at == s.len || s.ptr[at] == '.' || s.ptr[at] == '-') return 0;
    for (size_t i = at; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '.') dot = i;
        else if (c < 0x80 && !allm__is_word(c) && c != '-') return 0;
    }
    return dot > at && dot + 1 < s.len && allm__is_word((unsigned char)s.ptr[dot + 1]);
}

static size_t allm__count_in(allm_str s, const char *what) {
    size_t n = 0, at = 0;
    for (; (at = allm__str_find(s, allm__str_of(what), at)) != SIZE_MAX; at += strlen(what)) n++;
    return n;
}

/* One word of urlize, escaped already. */
static void allm__sb_urlize(allm__vm *vm, const allm__tcall *c, const allm__vstr *s, size_t from, size_t to, allm_str rel) {
    static const char *const heads[] = {"(", "<", "&lt;"}, *const tails[] = {")", ">", ".", ",", "\n", "&gt;"};
    size_t a = from, b = to, k;
    for (k = 0; k < ALLM__COUNT(heads); k++)
        if (allm__str_starts(allm__str(s->ptr + a, b - a), allm__str_of(heads[k]))) a += strlen(heads[k]), k = (size_t)-1;
    for (k = 0; k < ALLM__COUNT(tails); k++)
        if (allm__str_ends(allm__str(s->ptr + a, b - a), allm__str_of(tails[k]))) b -= strlen(tails[k]), k = (size_t)-1;
    for (k = 0; k < 3; k++) { /* a closing bracket belongs to the opening one inside */
        const char *close = k == 0 ? ")" : k == 1 ? ">" : "&gt;";
        size_t      n     = allm__count_in(allm__str(s->ptr + a, b - a), heads[k]), at;
        while (n > allm__count_in(allm__str(s->ptr + a, b - a), close) &&
               (at = allm__str_find(allm__str(s->ptr, to), allm__str_of(close), b)) != SIZE_MAX)
            b = at + strlen(close);
    }
    allm_str  mid   = allm__str(s->ptr + a, b - a);
    int       email = !allm__is_url(mid) && allm__is_email(mid) && !allm__str_starts(mid, ALLM__S("www.")) && !memchr(mid.ptr, ':', mid.len);
    int64_t   most  = allm__c_int(vm, c, 0, INT64_MAX);
    allm__sb_range(vm, s, from, a);
    if (allm__is_url(mid)) {
        allm__sb_puts(vm, "<a href=\"");
        if (!allm__str_starts(mid, ALLM__S("http://")) && !allm__str_starts(mid, ALLM__S("https://"))) allm__sb_puts(vm, "https://");
        allm__sb_range(vm, s, a, b), allm__sb_putc(vm, '"');
        if (rel.len) allm__sb_puts(vm, " rel=\""), allm__sb_put(vm, rel.ptr, rel.len), allm__sb_putc(vm, '"');
        if (!allm__c_missing(c, 2)) allm__sb_puts(vm, " target=\""), allm__sb_escape(vm, c->a[2]), allm__sb_putc(vm, '"');
        allm__sb_putc(vm, '>');
        size_t end = a;
        for (int64_t n = 0; end < b && n < most; n++) end += allm__v_step(s->ptr[end]);
        allm__sb_range(vm, s, a, end), allm__sb_puts(vm, end < b ? "..." : ""), allm__sb_puts(vm, "</a>");
    } else if (email) {
        allm__sb_puts(vm, "<a href=\"mailto:"), allm__sb_range(vm, s, a, b);
        allm__sb_puts(vm, "\">"), allm__sb_range(vm, s, a, b), allm__sb_puts(vm, "</a>");
    } else allm__sb_range(vm, s, a, b);
    allm__sb_range(vm, s, b, to);
}

static allm__val allm__f_urlize(allm__vm *vm, const allm__tcall *c) {
    allm__val   s = allm__vm_escape(vm, c->self);
    const char *rel = allm__c_true(c, 1, 0) ? "nofollow noopener" : "noopener";
    if (vm->status) return s;
    allm__tmark m = allm__sb_begin(vm);
    for (size_t at = 0; at < s.u.s->len && !vm->status;) {
        size_t  from = at, n = 0;
        int32_t cp = 0;
        while (at < s.u.s->len && (n = allm__utf8_next(s.u.s->ptr + at, s.u.s->len - at, &cp)) && !allm__is_space(cp)) at += n;
        if (at > from) allm__sb_urlize(vm, c, s.u.s, from, at, allm__str_of(rel));
        if (at < s.u.s->len) allm__sb_range(vm, s.u.s, at, at + n), at += n;
    }
    s = allm__sb_end(vm, m);
    return vm->status ? s : allm__vm_markup(vm, s, vm->autoescape);
}

static allm__val allm__f_tojson(allm__vm *vm, const allm__tcall *c) {
    allm__tjson o = {allm__c_true(c, 0, 0), allm__c_true(c, 3, 0), allm__v_none(), allm__v_none(), allm__v_none()};
    allm__val   kv[2];
    if (!allm__c_missing(c, 1)) {
        o.indent = c->a[1];
        if (!allm__v_is_str(o.indent)) {
            int64_t     n = allm__c_int(vm, c, 1, 0);
            allm__tmark m = allm__sb_begin(vm);
            allm__sb_spaces(vm, n);
            o.indent = allm__sb_end(vm, m);
        }
    }
    o.comma = allm__vm_text(vm, o.indent.type == ALLM__V_NONE ? ", " : ",");
    o.colon = allm__vm_text(vm, ": ");
    if (!allm__c_missing(c, 2)) {
        if (!allm__vm_unpack(vm, c->a[2], 2, kv)) return c->self;
        if (!allm__v_is_str(kv[0]) || !allm__v_is_str(kv[1])) return allm__vm_fail(vm, "separators must be str");
        o.comma = kv[0], o.colon = kv[1];
    }
    if (vm->status) return c->self;
    allm__tmark m = allm__sb_begin(vm);
    allm__sb_json(vm, c->self, &o);
    return allm__sb_end(vm, m);
}

/* pprint.pformat: keys sorted; what is wider than 80 columns is broken between items. */
static void allm__sb_pprint(allm__vm *vm, allm__val v, int64_t indent, int64_t allowance) {
    const char *ends[2];
    allm__tmark m = allm__sb_begin(vm);
    if (v.type == ALLM__V_DICT && v.u.d->n > 1) v = allm__vm_sorted_dict(vm, v);
    allm__sb_repr(vm, v);
    allm__val flat = allm__sb_end(vm, m);
    if (vm->status || !allm__vm_enter(vm)) return;
    size_t n = v.type == ALLM__V_DICT ? v.u.d->n : allm__v_is_seq(v) ? v.u.q->n : 0;
    if ((int64_t)allm__v_count(flat.u.s) <= 80 - indent - allowance || n == 0) allm__sb_str(vm, flat);
    else {
        allm__repr_ends(v, ends);
        allm__sb_puts(vm, ends[0]);
        for (size_t i = 0; i < n && !vm->status; i++) {
            int64_t more = indent + 1;
            if (i) allm__sb_puts(vm, ",\n"), allm__sb_spaces(vm, indent + 1);
            if (v.type == ALLM__V_DICT) {
                size_t at = vm->out->len;
                allm__sb_repr(vm, v.u.d->v[i].key);
                allm__sb_puts(vm, ": ");
                more += (int64_t)(vm->out->len - at);
            }
            allm__sb_pprint(vm, v.type == ALLM__V_DICT ? v.u.d->v[i].val : v.u.q->v[i], more, i + 1 == n ? allowance + 1 : 1);
        }
        allm__sb_puts(vm, ends[1]);
    }
    allm__vm_leave(vm);
}

static allm__val allm__f_pprint(allm__vm *vm, const allm__tcall *c) {
    allm__tmark m = allm__sb_begin(vm);
    allm__sb_pprint(vm, c->self, 0, 0);
    return allm__sb_end(vm, m);
}

/* ---- filters on numbers */

/* A sign, digits with `_` between them, a base's prefix; 0: not an integer. */
static int allm__parse_int(allm__vm *vm, allm_str s, int64_t base, allm__val *out) {
    allm__bigtmp b;
    size_t       from = 0, to = s.len;
    int          negative = 0;
    allm__trim_space(s.ptr, &from, &to, 1, 1);
    if (from < to && (s.ptr[from] == '-' || s.ptr[from] == '+')) negative = s.ptr[from++] == '-';
    if (to - from > 2 && s.ptr[from] == '0') {
        char p   = (char)(s.ptr[from + 1] | 32);
        int  own = p == 'x' ? 16 : p == 'o' ? 8 : p == 'b' ? 2 : 0;
        if (own && (base == 0 || base == own)) {
            from += 2, base = own;
            if (s.ptr[from] == '_') from++;
        }
    }
    if (base == 0) {
        base = 10;
        if (to - from > 1 && s.ptr[from] == '0')
            for (size_t i = from; i < to; i++)
                if (s.ptr[i] != '0' && s.ptr[i] != '_') return 0;
    }
    if (!allm__vm_work(vm, (to - from) * 8) || !allm__big_parse(allm__str(s.ptr + from, to - from), (int)base, &b)) return 0;
    b.negative = negative;
    *out       = allm__vm_store_big(vm, &b);
    return 1;
}

static int allm__parse_float(allm_str s, double *out) {
    char   t[1200];
    size_t from = 0, to = s.len, n = 0;
    int    over;
    allm__trim_space(s.ptr, &from, &to, 1, 1);
    if (to - from >= sizeof t) return 0;
    for (size_t i = from; i < to; i++) {
        char c = s.ptr[i];
        if (c != '_') { t[n++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c); continue; }
        if (i == from || i + 1 == to || s.ptr[i - 1] < '0' || s.ptr[i - 1] > '9' || s.ptr[i + 1] < '0' || s.ptr[i + 1] > '9') return 0;
    }
    size_t   sign = n && (t[0] == '-' || t[0] == '+');
    allm_str rest = allm__str(t + sign, n - sign);
    if (allm__str_eq(rest, ALLM__S("inf")) || allm__str_eq(rest, ALLM__S("infinity"))) *out = HUGE_VAL;
    else if (allm__str_eq(rest, ALLM__S("nan"))) *out = (double)NAN;
    else if (rest.len && rest.ptr[0] != '-' && rest.ptr[0] != '+' && allm__num_parse(rest, out, &over)) *out = over ? HUGE_VAL : *out;
    else return 0;
    if (sign && t[0] == '-') *out = -*out;
    return 1;
}

static allm__val allm__f_int(allm__vm *vm, const allm__tcall *c) {
    allm__val fallback = allm__c_given(c, 0) ? c->a[0] : allm__v_int(0), v = c->self;
    int64_t   base = allm__c_int(vm, c, 1, 10);
    double    f;
    if (v.type == ALLM__V_UNDEF) return allm__vm_undefined(vm, v);
    if (v.type == ALLM__V_BOOL) return allm__v_int(v.u.i);
    if (v.type == ALLM__V_INT || v.type == ALLM__V_BIG) return v;
    if (v.type == ALLM__V_FLOAT) {
        if (isinf(v.u.f)) return allm__vm_fail(vm, "cannot convert float infinity to integer");
        return isnan(v.u.f) ? fallback : allm__vm_trunc(vm, v.u.f);
    }
    if (v.type != ALLM__V_STR) return fallback;
    if ((base >= 2 && base <= 36) || base == 0)
        if (allm__parse_int(vm, allm__v_str(v), base, &v)) return v;
    if (!allm__parse_float(allm__v_str(v), &f) || !isfinite(f)) return fallback;
    return allm__vm_trunc(vm, f);
}

static allm__val allm__f_float(allm__vm *vm, const allm__tcall *c) {
    allm__val fallback = allm__c_given(c, 0) ? c->a[0] : allm__v_float(0);
    double    f;
    if (c->self.type == ALLM__V_UNDEF) return allm__vm_undefined(vm, c->self);
    if (allm__v_is_number(c->self)) return allm__v_float(allm__vm_double(vm, c->self));
    if (c->self.type == ALLM__V_STR && allm__parse_float(allm__v_str(c->self), &f)) return allm__v_float(f);
    return fallback;
}

static allm__val allm__f_abs(allm__vm *vm, const allm__tcall *c) {
    allm__val v = c->self;
    if (!allm__v_is_number(v)) return allm__vm_fail(vm, "bad operand type for abs(): '%s'", allm__v_names[v.type]);
    if (v.type == ALLM__V_FLOAT) return allm__v_float(fabs(v.u.f));
    return allm__vm_negate(vm, v, v.type == ALLM__V_BIG ? v.u.b->negative : v.u.i < 0);
}

/* round(f, digits): half to even on the exact value. */
static double allm__round(double f, int64_t digits) {
    allm__dec a;
    int       over;
    if (!isfinite(f) || f == 0 || digits > 400) return f;
    if (digits < -400) return copysign(0, f);
    allm__dec_from(&a, fabs(f));
    int keep = a.point + (int)digits;
    if (keep < 0) a.n = 0, a.point = 0;
    else allm__dec_round(&a, keep);
    return copysign(allm__dec_value(&a, &over), f);
}

/* An integer to a multiple of 10^n, half to even. */
static allm__val allm__round_int(allm__vm *vm, allm__val v, int64_t n) {
    if (n > 4400) return allm__v_int(0);
    allm__val unit = allm__vm_int_op(vm, ALLM__POW_, allm__v_int(10), allm__v_int(n)), two = allm__v_int(2);
    if (vm->status) return v;
    allm__val rest = allm__vm_int_op(vm, ALLM__MOD_, v, unit), low = allm__vm_int_op(vm, ALLM__SUB_, v, rest);
    allm__val twice = vm->status ? v : allm__vm_int_op(vm, ALLM__MUL_, rest, two);
    if (vm->status) return v;
    int       c   = allm__v_cmp_num(twice, unit);
    allm__val odd = allm__vm_int_op(vm, ALLM__MOD_, allm__vm_int_op(vm, ALLM__FLOORDIV_, low, unit), two);
    if (vm->status) return v;
    return c > 0 || (c == 0 && odd.u.i) ? allm__vm_int_op(vm, ALLM__ADD_, low, unit) : low;
}

static allm__val allm__f_round(allm__vm *vm, const allm__tcall *c) {
    allm__val v = c->self, method = allm__c_str(vm, c, 1, "common"), unit;
    int64_t   digits = allm__c_int(vm, c, 0, 0);
    int       up = allm__v_eq_text(method, ALLM__S("ceil")), down = allm__v_eq_text(method, ALLM__S("floor"));
    if (vm->status) return v;
    if (!up && !down && !allm__v_eq_text(method, ALLM__S("common"))) return allm__vm_fail(vm, "method must be common, ceil or floor");
    if (v.type == ALLM__V_UNDEF && (up || down)) return allm__vm_undefined(vm, v);
    if (!allm__v_is_number(v)) return allm__vm_fail(vm, "type %s doesn't define __round__ method", allm__v_names[v.type]);
    if (!up && !down) {
        if (v.type == ALLM__V_FLOAT && c->a[0].type == ALLM__V_NONE) return allm__vm_trunc(vm, allm__round(v.u.f, 0));
        if (v.type == ALLM__V_FLOAT) return allm__v_float(allm__round(v.u.f, digits));
        return digits < 0 ? allm__round_int(vm, v, -digits) : allm__vm_negate(vm, v, 0);
    }
    unit = allm__vm_binary(vm, ALLM__POW_, allm__v_int(10), allm__v_int(digits));
    v    = allm__vm_binary(vm, ALLM__MUL_, v, unit);
    if (v.type == ALLM__V_FLOAT) {
        if (!isfinite(v.u.f)) return allm__vm_fail(vm, "cannot convert float %s to integer", isnan(v.u.f) ? "NaN" : "infinity");
        v = allm__vm_trunc(vm, up ? ceil(v.u.f) : floor(v.u.f));
    }
    return allm__vm_binary(vm, ALLM__DIV_, v, unit);
}

static allm__val allm__f_filesizeformat(allm__vm *vm, const allm__tcall *c) {
    static const char *const names[2][8] = {{"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"},
                                            {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"}};
    int       binary = allm__c_true(c, 0, 0), i = 0;
    double    n = 0, base = binary ? 1024 : 1000, unit = base;
    allm__val v = c->self;
    if (v.type == ALLM__V_UNDEF) return allm__vm_undefined(vm, v);
    if (allm__v_is_number(v)) n = allm__vm_double(vm, v);
    else if (!allm__v_is_str(v) || !allm__parse_float(allm__v_str(v), &n)) return allm__vm_fail(vm, "could not convert to float");
    allm__tmark m = allm__sb_begin(vm);
    allm__tfmt  f = {0, 0, 1, ' ', 0, 'f'};
    if (n == 1) allm__sb_puts(vm, "1 Byte");
    else if (n < base) allm__sb_number(vm, allm__vm_trunc(vm, n)), allm__sb_puts(vm, " Bytes");
    else {
        for (unit = base * base; i < 7 && !(n < unit); i++) unit *= base;
        allm__sb_number_field(vm, &f, allm__v_float(base * n / unit));
        allm__sb_putc(vm, ' '), allm__sb_puts(vm, names[binary][i]);
    }
    return allm__sb_end(vm, m);
}

/* ---- filters on sequences */

static allm__val allm__f_default(allm__vm *vm, const allm__tcall *c) {
    int use = c->self.type == ALLM__V_UNDEF || (allm__c_true(c, 1, 0) && !allm__v_true(c->self));
    if (!use) return c->self;
    return allm__c_given(c, 0) ? c->a[0] : allm__vm_text(vm, "");
}

static allm__val allm__f_length(allm__vm *vm, const allm__tcall *c) {
    if (c->self.type == ALLM__V_LOOP) return allm__v_int(allm__loop_length(vm, c->self.u.loop));
    int64_t n = allm__v_len(c->self);
    return n >= 0 ? allm__v_int(n) : allm__vm_fail(vm, "object of type '%s' has no len()", allm__v_names[c->self.type]);
}

static allm__val allm__f_list(allm__vm *vm, const allm__tcall *c) { return allm__vm_collect(vm, c->self); }

static allm__val allm__vm_reversed(allm__vm *vm, allm__val v) { /* reversed(v), or UNDEF: it has no such */
    if (v.type == ALLM__V_UNDEF) return allm__v_ptr(ALLM__V_ITER, allm__vm_titer(vm, ALLM__IT_EMPTY, v));
    if (allm__v_len(v) < 0) return allm__v_undef();
    return allm__v_ptr(ALLM__V_ITER, allm__vm_titer(vm, ALLM__IT_REVERSED, v));
}

static allm__val allm__f_first(allm__vm *vm, const allm__tcall *c) { /* how 1: last */
    allm__val v = c->self, item;
    if (c->how) {
        v = allm__vm_reversed(vm, v);
        if (v.type == ALLM__V_UNDEF) return allm__vm_fail(vm, "'%s' object is not reversible", allm__v_names[c->self.type]);
    }
    allm__titer *it = allm__vm_iter(vm, v);
    if (it && allm__vm_next(vm, it, &item)) return item;
    return allm__vm_missing(vm, 2, v, v, c->how ? "No last item, sequence was empty." : "No first item, sequence was empty.");
}

static allm__val allm__f_random(allm__vm *vm, const allm__tcall *c) { /* the same in every run */
    int64_t   n = allm__v_len(c->self);
    allm__val v = c->self;
    if (n < 0) return allm__vm_fail(vm, "object of type '%s' has no len()", allm__v_names[c->self.type]);
    if (n == 0) return allm__vm_missing(vm, 2, v, v, "No random item, sequence was empty.");
    allm__vm_subscript(vm, c->self, allm__v_int((int64_t)(allm__random(0, vm->n_random++, 0) * (double)n)), &v);
    return v;
}

static allm__val allm__f_reverse(allm__vm *vm, const allm__tcall *c) {
    allm__val v = c->self;
    if (allm__v_is_str(v)) return allm__vm_substr(vm, v, allm__v_len(v) - 1, -1, allm__v_len(v));
    v = allm__vm_reversed(vm, v);
    if (v.type != ALLM__V_UNDEF || vm->status) return v;
    if (!allm__v_iterable(c->self)) return allm__vm_fail(vm, "argument must be iterable");
    v = allm__vm_collect(vm, c->self);
    for (size_t i = 0, n = vm->status ? 0 : v.u.q->n; i < n / 2; i++) {
        allm__val t = v.u.q->v[i];
        v.u.q->v[i] = v.u.q->v[n - 1 - i], v.u.q->v[n - 1 - i] = t;
    }
    return v;
}

static allm__val allm__f_join(allm__vm *vm, const allm__tcall *c) {
    allm__val    sep = allm__c_given(c, 0) ? c->a[0] : allm__vm_text(vm, ""), path, item, v = c->self;
    allm__titer *it  = allm__vm_iter(vm, v);
    int          escape = 0, n = 0;
    path                = allm__vm_path(vm, c->a[1]);
    if (vm->status) return sep;
    if (vm->autoescape) { /* one Markup among them makes all of it Markup */
        v  = allm__vm_collect(vm, v);
        it = allm__vm_iter(vm, v);
        for (size_t i = 0; !vm->status && i < v.u.q->n; i++) {
            item   = allm__vm_follow(vm, v.u.q->v[i], path, allm__v_none());
            escape = escape || (allm__v_is_str(item) && item.u.s->markup);
        }
        escape = escape || (allm__v_is_str(sep) && sep.u.s->markup);
    }
    sep = escape ? allm__vm_escape(vm, sep) : allm__vm_to_str(vm, sep);
    if (vm->status) return sep;
    allm__tmark m = allm__sb_begin(vm);
    while (it && allm__vm_next(vm, it, &item)) {
        item = allm__vm_follow(vm, item, path, allm__v_none());
        if (n++) allm__sb_str(vm, sep);
        if (escape) allm__sb_escape(vm, item);
        else allm__sb_to_str(vm, item);
    }
    v = allm__sb_end(vm, m);
    return vm->status ? v : allm__vm_markup(vm, v, escape);
}

static allm__val allm__f_sum(allm__vm *vm, const allm__tcall *c) {
    allm__val    sum = allm__c_given(c, 1) ? c->a[1] : allm__v_int(0), path = allm__vm_path(vm, c->a[0]), item;
    allm__titer *it  = allm__vm_iter(vm, c->self);
    if (allm__v_is_str(sum)) return allm__vm_fail(vm, "sum() can't sum strings [use ''.join(seq) instead]");
    while (it && allm__vm_next(vm, it, &item))
        sum = allm__vm_binary(vm, ALLM__ADD_, sum, allm__vm_follow(vm, item, path, allm__v_none()));
    return sum;
}

static allm__val allm__f_min(allm__vm *vm, const allm__tcall *c) { /* how 1: max */
    allm__val    path = allm__vm_path(vm, c->a[1]), item, best = allm__v_undef(), best_key = best, key;
    allm__titer *it   = allm__vm_iter(vm, c->self);
    int          n    = 0;
    while (it && allm__vm_next(vm, it, &item)) {
        key = allm__vm_follow(vm, item, path, allm__v_none());
        if (!allm__c_true(c, 0, 0)) key = allm__vm_ignore_case(vm, key);
        if (n++ == 0 || allm__vm_order(vm, c->how ? ALLM__GT : ALLM__LT, key, best_key)) best = item, best_key = key;
    }
    return n ? best : allm__vm_missing(vm, 2, c->self, c->self, "No aggregated item, sequence was empty.");
}

static allm__val allm__f_sort(allm__vm *vm, const allm__tcall *c) {
    allm__val list = allm__vm_collect(vm, c->self), keys, attr = c->a[2], path[8];
    size_t    n_paths = 0;
    if (vm->status) return list;
    if (allm__v_is_str(attr)) /* "a,b.c": several, compared one after the other */
        for (size_t from = 0, to; from <= attr.u.s->len && n_paths < ALLM__COUNT(path); from = to + 1) {
            to = allm__str_find(allm__v_str(attr), ALLM__S(","), from);
            if (to == SIZE_MAX) to = attr.u.s->len;
            path[n_paths++] = allm__vm_path(vm, allm__vm_part(vm, attr, from, to));
            if (vm->status) return list;
        }
    else path[n_paths++] = allm__vm_path(vm, attr);
    keys = allm__vm_seq(vm, ALLM__V_LIST, list.u.q->n);
    for (size_t i = 0; !vm->status && i < list.u.q->n; i++) {
        allm__val key = allm__vm_seq(vm, ALLM__V_LIST, n_paths);
        for (size_t k = 0; !vm->status && k < n_paths; k++) {
            allm__val part = allm__vm_follow(vm, list.u.q->v[i], path[k], allm__v_none());
            key.u.q->v[k] = allm__c_true(c, 1, 0) ? part : allm__vm_ignore_case(vm, part);
        }
        if (!vm->status) keys.u.q->v[i] = n_paths == 1 ? key.u.q->v[0] : key;
    }
    if (!vm->status) allm__vm_sort(vm, list.u.q->v, keys.u.q->v, list.u.q->n, allm__c_true(c, 0, 0));
    return list;
}

static allm__val allm__f_dictsort(allm__vm *vm, const allm__tcall *c) {
    allm__val d = c->self, by = allm__c_str(vm, c, 1, "key"), list, keys;
    int       is_value = allm__v_eq_text(by, ALLM__S("value"));
    if (vm->status) return d;
    if (!is_value && !allm__v_eq_text(by, ALLM__S("key"))) return allm__vm_fail(vm, "You can only sort by either \"key\" or \"value\"");
    if (d.type == ALLM__V_UNDEF) return allm__vm_undefined(vm, d);
    if (d.type != ALLM__V_DICT) return allm__vm_fail(vm, "'%s object' has no attribute 'items'", allm__v_names[d.type]);
    list = allm__vm_seq(vm, ALLM__V_LIST, d.u.d->n), keys = allm__vm_seq(vm, ALLM__V_LIST, d.u.d->n);
    for (size_t i = 0; !vm->status && i < d.u.d->n; i++) {
        allm__vpair *p = &d.u.d->v[i];
        list.u.q->v[i] = allm__vm_pair(vm, p->key, p->val);
        keys.u.q->v[i] = is_value ? p->val : p->key;
        if (!allm__c_true(c, 0, 0)) keys.u.q->v[i] = allm__vm_ignore_case(vm, keys.u.q->v[i]);
    }
    if (!vm->status) allm__vm_sort(vm, list.u.q->v, keys.u.q->v, d.u.d->n, allm__c_true(c, 2, 0));
    return list;
}

static allm__val allm__f_groupby(allm__vm *vm, const allm__tcall *c) {
    allm__val   list = allm__vm_collect(vm, c->self), path = allm__vm_path(vm, c->a[0]), keys;
    allm__val   fallback = allm__c_given(c, 1) ? c->a[1] : allm__v_none();
    allm__tlist groups   = {NULL, 0, 0};
    int         by_case  = allm__c_true(c, 2, 0);
    if (vm->status) return list;
    size_t n = list.u.q->n;
    keys     = allm__vm_seq(vm, ALLM__V_LIST, n);
    for (size_t i = 0; !vm->status && i < n; i++) {
        keys.u.q->v[i] = allm__vm_follow(vm, list.u.q->v[i], path, fallback);
        if (!by_case) keys.u.q->v[i] = allm__vm_ignore_case(vm, keys.u.q->v[i]);
    }
    if (!vm->status) allm__vm_sort(vm, list.u.q->v, keys.u.q->v, n, 0);
    for (size_t i = 0, to; !vm->status && i < n; i = to) {
        for (to = i + 1; to < n && allm__vm_eq(vm, keys.u.q->v[to], keys.u.q->v[i]);) to++;
        allm__val items = allm__vm_seq(vm, ALLM__V_LIST, to - i), group;
        if (vm->status) break;
        memcpy(items.u.q->v, list.u.q->v + i, (to - i) * sizeof items);
        group     = allm__vm_pair(vm, by_case ? keys.u.q->v[i] : allm__vm_follow(vm, items.u.q->v[0], path, fallback), items);
        group.sub = 1;
        allm__vm_add(vm, &groups, group);
    }
    return allm__vm_list(vm, ALLM__V_LIST, &groups);
}

static allm__val allm__f_lazy(allm__vm *vm, const allm__tcall *c) { /* map, items: how is the kind of iterator */
    allm__titer *it = allm__vm_titer(vm, c->how, c->self);
    if (!it) return c->self;
    it->args = c->pos, it->n_args = c->n_pos, it->kw = c->kw, it->n_kw = c->n_kw;
    return allm__v_ptr(ALLM__V_ITER, it);
}

static allm__val allm__f_select(allm__vm *vm, const allm__tcall *c) { /* how: 1 reject, 2 by attribute */
    allm__titer *it = allm__vm_titer(vm, ALLM__IT_SELECT, c->self);
    if (!it) return c->self;
    it->args = c->pos, it->n_args = c->n_pos, it->kw = c->kw, it->n_kw = c->n_kw;
    it->reject = c->how & 1, it->by_attr = c->how >> 1;
    return allm__v_ptr(ALLM__V_ITER, it);
}

static allm__val allm__f_unique(allm__vm *vm, const allm__tcall *c) {
    allm__titer *it = allm__vm_titer(vm, ALLM__IT_UNIQUE, c->self);
    allm__val    seen = allm__vm_dict(vm, ALLM__V_DICT), path = allm__vm_path(vm, c->a[1]);
    if (vm->status) return c->self;
    it->by_case = allm__c_true(c, 0, 0), it->path = path, it->seen = seen.u.d;
    return allm__v_ptr(ALLM__V_ITER, it);
}

static allm__val allm__f_lists(allm__vm *vm, const allm__tcall *c) { /* batch, slice */
    allm__titer *it = allm__vm_titer(vm, c->how, c->self);
    int64_t      n  = allm__c_int(vm, c, 0, 1);
    if (vm->status) return c->self;
    if (c->how == ALLM__IT_SLICES && n == 0) return allm__vm_fail(vm, "integer division or modulo by zero");
    it->n_lists = n, it->fallback = c->a[1];
    return allm__v_ptr(ALLM__V_ITER, it);
}

static allm__val allm__f_attr(allm__vm *vm, const allm__tcall *c) {
    allm__val v, name = c->a[0];
    if (!allm__v_is_str(name)) return allm__vm_fail(vm, "attribute name must be string, not '%s'", allm__v_names[name.type]);
    if (allm__vm_attr(vm, c->self, name, &v)) return v;
    return allm__vm_missing(vm, 1, c->self, name, NULL);
}

static const allm__tfn allm__filters[] = { /* name, code, parameters, how */
    {"abs", allm__f_abs, "", 0, 0},
    {"attr", allm__f_attr, "name", 0, 0},
    {"batch", allm__f_lists, "linecount ?fill_with", ALLM__IT_BATCH, 0},
    {"capitalize", allm__f_case, "", ALLM__CASE_CAPITAL, 0},
    {"center", allm__f_center, "?width", 0, 0},
    {"count", allm__f_length, "", 0, 0},
    {"d", allm__f_default, "?default_value boolean", 0, 0},
    {"default", allm__f_default, "?default_value boolean", 0, 0},
    {"dictsort", allm__f_dictsort, "?case_sensitive by reverse", 0, 0},
    {"e", allm__f_escape, "", 0, 0},
    {"escape", allm__f_escape, "", 0, 0},
    {"filesizeformat", allm__f_filesizeformat, "?binary", 0, 0},
    {"first", allm__f_first, "", 0, 0},
    {"float", allm__f_float, "?default", 0, 0},
    {"forceescape", allm__f_escape, "", 1, 0},
    {"format", allm__f_format, "*", 0, 0},
    {"groupby", allm__f_groupby, "attribute ?default case_sensitive", 0, 0},
    {"indent", allm__f_indent, "?width first blank", 0, 0},
    {"int", allm__f_int, "?default base", 0, 0},
    {"items", allm__f_lazy, "", ALLM__IT_ITEMS, 0},
    {"join", allm__f_join, "?d attribute", 0, 0},
    {"last", allm__f_first, "", 1, 0},
    {"length", allm__f_length, "", 0, 0},
    {"list", allm__f_list, "", 0, 0},
    {"lower", allm__f_case, "", ALLM__CASE_LOWER, 0},
    {"map", allm__f_lazy, "*", ALLM__IT_MAP, 0},
    {"max", allm__f_min, "?case_sensitive attribute", 1, 0},
    {"min", allm__f_min, "?case_sensitive attribute", 0, 0},
    {"pprint", allm__f_pprint, "", 0, 0},
    {"random", allm__f_random, "", 0, 0},
    {"reject", allm__f_select, "*", 1, 0},
    {"rejectattr", allm__f_select, "*", 3, 0},
    {"replace", allm__f_replace, "old new ?count", 0, 0},
    {"reverse", allm__f_reverse, "", 0, 0},
    {"round", allm__f_round, "?precision method", 0, 0},
    {"safe", allm__f_safe, "", 0, 0},
    {"select", allm__f_select, "*", 0, 0},
    {"selectattr", allm__f_select, "*", 2, 0},
    {"slice", allm__f_lists, "slices ?fill_with", ALLM__IT_SLICES, 0},
    {"sort", allm__f_sort, "?reverse case_sensitive attribute", 0, 0},
    {"string", allm__f_string, "", 0, 0},
    {"striptags", allm__f_striptags, "", 0, 0},
    {"sum", allm__f_sum, "?attribute start", 0, 0},
    {"title", allm__f_title, "", 0, 0},
    {"tojson", allm__f_tojson, "?ensure_ascii indent separators sort_keys", 0, 0},
    {"trim", allm__f_trim, "?chars", 0, 0},
    {"truncate", allm__f_truncate, "?length killwords end leeway", 0, 0},
    {"unique", allm__f_unique, "?case_sensitive attribute", 0, 0},
    {"upper", allm__f_case, "", ALLM__CASE_UPPER, 0},
    {"urlencode", allm__f_urlencode, "", 0, 0},
    {"urlize", allm__f_urlize, "?trim_url_limit nofollow target rel extra_schemes", 0, 0},
    {"wordcount", allm__f_wordcount, "", 0, 0},
    {"wordwrap", allm__f_wordwrap, "?width break_long_words wrapstring break_on_hyphens", 0, 0},
    {"xmlattr", allm__f_xmlattr, "?autospace", 0, 0},
};

/* ---- tests */

static allm__val allm__t_type(allm__vm *vm, const allm__tcall *c) { /* how: bits of types */
    (void)vm;
    return allm__v_bool(c->how >> c->self.type & 1);
}

static allm__val allm__t_not_type(allm__vm *vm, const allm__tcall *c) {
    (void)vm;
    return allm__v_bool(!(c->how >> c->self.type & 1));
}

static allm__val allm__t_bool(allm__vm *vm, const allm__tcall *c) { /* is true, is false: nothing equal to them */
    (void)vm;
    return allm__v_bool(c->self.type == ALLM__V_BOOL && c->self.u.i == c->how);
}

static allm__val allm__t_mod(allm__vm *vm, const allm__tcall *c) { /* odd, even, divisibleby */
    allm__val rest = allm__vm_binary(vm, ALLM__MOD_, c->self, allm__c_given(c, 0) ? c->a[0] : allm__v_int(2));
    return vm->status ? rest : allm__v_bool(allm__vm_eq(vm, rest, allm__v_int(c->how)));
}

static allm__val allm__t_compare(allm__vm *vm, const allm__tcall *c) {
    return allm__v_bool(allm__vm_compare(vm, c->how, c->self, c->a[0]));
}

static allm__val allm__t_same(allm__vm *vm, const allm__tcall *c) {
    allm__val a = c->self, b = c->a[0];
    (void)vm;
    if (a.type != b.type) return allm__v_bool(0);
    if (a.type == ALLM__V_STR) return allm__v_bool(a.u.s == b.u.s || allm__v_eq_flat(a, b)); /* interned, mostly */
    return allm__v_bool(a.type == ALLM__V_NONE || a.u.i == b.u.i);
}

static allm__val allm__t_known(allm__vm *vm, const allm__tcall *c) { /* is filter, is test */
    if (!allm__v_is_str(c->self)) return allm__v_bool(0);
    allm_str name = allm__v_str(c->self);
    return allm__v_bool((c->how ? allm__fn_find(vm->tab.tests, vm->tab.n_tests, name)
                                : allm__fn_find(vm->tab.filters, vm->tab.n_filters, name)) != NULL);
}

/* str.isX of all characters. */
enum { ALLM__IS_ALNUM, ALLM__IS_ALPHA, ALLM__IS_ASCII, ALLM__IS_DECIMAL, ALLM__IS_DIGIT, ALLM__IS_NUMERIC, ALLM__IS_IDENTIFIER,
       ALLM__IS_LOWER, ALLM__IS_UPPER, ALLM__IS_TITLE, ALLM__IS_PRINTABLE, ALLM__IS_SPACE };

static int allm__str_is(const allm__vstr *s, int what) {
    static const uint64_t all_of[] = {[ALLM__IS_ALNUM] = ALLM__UNI_ALNUM, [ALLM__IS_ALPHA] = ALLM__UNI_ALPHA,
                                      [ALLM__IS_DECIMAL] = ALLM__UNI_DECIMAL, [ALLM__IS_DIGIT] = ALLM__UNI_DIGIT,
                                      [ALLM__IS_NUMERIC] = ALLM__UNI_N, [ALLM__IS_SPACE] = ALLM__UNI_PYSPACE};
    int     cased = 0, inside = 0;
    int32_t cp;
    for (allm__tchars t = {s, 0, 0, 0}; (cp = allm__tchars_next(&t)) >= 0;) {
        uint64_t bits  = allm__uni_bits(cp);
        int      upper = (bits & (ALLM__UNI_UPPER | ALLM__UNI_LT)) != 0, lower = (bits & ALLM__UNI_LOWER) != 0;
        switch (what) {
        case ALLM__IS_ASCII: if (cp > 127) return 0; break;
        case ALLM__IS_IDENTIFIER:
            if (cp != '_' && !(bits & (ALLM__UNI_L | ALLM__UNI_GC(9))) &&
                !(t.at > allm__v_step(s->ptr[0]) && (bits & (ALLM__UNI_MN | ALLM__UNI_GC(6) | ALLM__UNI_ND | ALLM__UNI_GC(11)))))
                return 0;
            break;
        case ALLM__IS_LOWER: if (upper) return 0; cased |= lower; break;
        case ALLM__IS_UPPER: if (lower || bits & ALLM__UNI_LT) return 0; cased |= upper; break;
        case ALLM__IS_TITLE:
            if ((upper && inside) || (lower && !inside)) return 0;
            inside = upper || lower, cased |= inside;
            break;
        case ALLM__IS_PRINTABLE: if (!allm__uni_printable(cp)) return 0; break;
        default: if (!(bits & all_of[what])) return 0;
        }
    }
    if (what == ALLM__IS_LOWER || what == ALLM__IS_UPPER || what == ALLM__IS_TITLE) return cased;
    return s->len > 0 || what == ALLM__IS_ASCII || what == ALLM__IS_PRINTABLE;
}

static allm__val allm__t_case(allm__vm *vm, const allm__tcall *c) { /* is lower, is upper: of str(value) */
    allm__val s = allm__vm_to_str(vm, c->self);
    return vm->status ? s : allm__v_bool(allm__str_is(s.u.s, c->how));
}

static allm__val allm__t_escaped(allm__vm *vm, const allm__tcall *c) {
    (void)vm;
    return allm__v_bool(allm__v_is_str(c->self) && c->self.u.s->markup);
}

static allm__val allm__t_sequence(allm__vm *vm, const allm__tcall *c) { /* has a length and items */
    (void)vm;
    return allm__v_bool((allm__v_len(c->self) >= 0 && c->self.type != ALLM__V_VIEW));
}

static allm__val allm__t_iterable(allm__vm *vm, const allm__tcall *c) {
    (void)vm;
    return allm__v_bool(allm__v_iterable(c->self));
}

#define ALLM__BIT(name) (1 << ALLM__V_##name)
enum { ALLM__CALLABLE = ALLM__BIT(FUNC) | ALLM__BIT(METHOD) | ALLM__BIT(MACRO) | ALLM__BIT(LOOP) | ALLM__BIT(JOINER) |
                        ALLM__BIT(BLOCK) | ALLM__BIT(UNDEF) };

static const allm__tfn allm__tests[] = {
    {"!=", allm__t_compare, "other", ALLM__NE, 0},
    {"<", allm__t_compare, "other", ALLM__LT, 0},
    {"<=", allm__t_compare, "other", ALLM__LE, 0},
    {"==", allm__t_compare, "other", ALLM__EQ, 0},
    {">", allm__t_compare, "other", ALLM__GT, 0},
    {">=", allm__t_compare, "other", ALLM__GE, 0},
    {"boolean", allm__t_type, "", ALLM__BIT(BOOL), 0},
    {"callable", allm__t_type, "", ALLM__CALLABLE, 0},
    {"defined", allm__t_not_type, "", ALLM__BIT(UNDEF), 0},
    {"divisibleby", allm__t_mod, "num", 0, 0},
    {"eq", allm__t_compare, "other", ALLM__EQ, 0},
    {"equalto", allm__t_compare, "other", ALLM__EQ, 0},
    {"escaped", allm__t_escaped, "", 0, 0},
    {"even", allm__t_mod, "", 0, 0},
    {"false", allm__t_bool, "", 0, 0},
    {"filter", allm__t_known, "", 0, 0},
    {"float", allm__t_type, "", ALLM__BIT(FLOAT), 0},
    {"ge", allm__t_compare, "other", ALLM__GE, 0},
    {"greaterthan", allm__t_compare, "other", ALLM__GT, 0},
    {"gt", allm__t_compare, "other", ALLM__GT, 0},
    {"in", allm__t_compare, "seq", ALLM__IN, 0},
    {"integer", allm__t_type, "", ALLM__BIT(INT) | ALLM__BIT(BIG), 0},
    {"iterable", allm__t_iterable, "", 0, 0},
    {"le", allm__t_compare, "other", ALLM__LE, 0},
    {"lessthan", allm__t_compare, "other", ALLM__LT, 0},
    {"lower", allm__t_case, "", ALLM__IS_LOWER, 0},
    {"lt", allm__t_compare, "other", ALLM__LT, 0},
    {"mapping", allm__t_type, "", ALLM__BIT(DICT), 0},
    {"ne", allm__t_compare, "other", ALLM__NE, 0},
    {"none", allm__t_type, "", ALLM__BIT(NONE), 0},
    {"number", allm__t_type, "", ALLM__BIT(BOOL) | ALLM__BIT(INT) | ALLM__BIT(BIG) | ALLM__BIT(FLOAT), 0},
    {"odd", allm__t_mod, "", 1, 0},
    {"sameas", allm__t_same, "other", 0, 0},
    {"sequence", allm__t_sequence, "", 0, 0},
    {"string", allm__t_type, "", ALLM__BIT(STR), 0},
    {"test", allm__t_known, "", 1, 0},
    {"true", allm__t_bool, "", 1, 0},
    {"undefined", allm__t_type, "", ALLM__BIT(UNDEF), 0},
    {"upper", allm__t_case, "", ALLM__IS_UPPER, 0},
};

/* ---- methods */

static allm__val allm__m_case(allm__vm *vm, const allm__tcall *c) { return allm__vm_case(vm, c->self, c->how); }
static allm__val allm__m_is(allm__vm *vm, const allm__tcall *c) {
    allm__vm_work(vm, c->self.u.s->len);
    return allm__v_bool(allm__str_is(c->self.u.s, c->how));
}
static allm__val allm__m_strip(allm__vm *vm, const allm__tcall *c) { return allm__vm_strip(vm, c->self, c->a[0], c->how & 1, c->how & 2); }

static allm__val allm__m_pad(allm__vm *vm, const allm__tcall *c) {
    int64_t   width = allm__c_int(vm, c, 0, 0);
    allm__val fill  = allm__c_str(vm, c, 1, " ");
    return vm->status ? fill : allm__vm_pad(vm, c->self, width, fill, c->how);
}

static allm__val allm__m_zfill(allm__vm *vm, const allm__tcall *c) {
    allm__val   s = c->self;
    int64_t     gap = allm__c_int(vm, c, 0, 0) - allm__v_len(s);
    size_t      sign = s.u.s->len && (s.u.s->ptr[0] == '-' || s.u.s->ptr[0] == '+');
    allm__tmark m;
    if (gap <= 0 || vm->status) return s;
    m = allm__sb_begin(vm);
    allm__sb_range(vm, s.u.s, 0, sign);
    for (; gap > 0 && !vm->status; gap--) allm__sb_putc(vm, '0');
    allm__sb_range(vm, s.u.s, sign, s.u.s->len);
    return allm__sb_end(vm, m);
}

/* Bytes [*from, *to) of the window that arguments i and i + 1 (code points, as of a slice) cut out; 0: beyond the end. */
static int allm__c_window(allm__vm *vm, const allm__tcall *c, int i, size_t *from, size_t *to) {
    int64_t n = allm__v_len(c->self), lo = allm__c_int(vm, c, i, 0), hi = allm__c_int(vm, c, i + 1, n);
    if (vm->status || !allm__vm_work(vm, c->self.u.s->len)) return 0;
    lo = ALLM__MAX(lo < 0 ? lo + n : lo, 0), hi = ALLM__MIN(ALLM__MAX(hi < 0 ? hi + n : hi, 0), n);
    if (lo > n || lo > hi) return 0;
    *from = allm__v_offset(c->self.u.s, (size_t)lo), *to = allm__v_offset(c->self.u.s, (size_t)hi);
    return 1;
}

/* startswith, endswith (how 1): of a text or any of a tuple. */
static allm__val allm__m_starts(allm__vm *vm, const allm__tcall *c) {
    size_t    from, to, n = c->a[0].type == ALLM__V_TUPLE ? c->a[0].u.q->n : 1;
    int       ok = allm__c_window(vm, c, 1, &from, &to);
    for (size_t i = 0; i < n && !vm->status; i++) {
        allm__val what = c->a[0].type == ALLM__V_TUPLE ? c->a[0].u.q->v[i] : c->a[0];
        if (!allm__v_is_str(what))
            return allm__vm_fail(vm, "%s first arg must be str or a tuple of str, not %s", c->how ? "endswith" : "startswith", allm__v_names[what.type]);
        if (!ok) continue;
        allm_str s = allm__str(c->self.u.s->ptr + from, to - from);
        if (c->how ? allm__str_ends(s, allm__v_str(what)) : allm__str_starts(s, allm__v_str(what))) return allm__v_bool(1);
    }
    return allm__v_bool(0);
}

/* find, rfind, index, rindex: how bit 0: from the right, bit 1: not found is an error. */
static allm__val allm__m_find(allm__vm *vm, const allm__tcall *c) {
    size_t    from, to, at = SIZE_MAX;
    allm__val what = allm__c_str(vm, c, 0, NULL);
    if (!vm->status && allm__c_window(vm, c, 1, &from, &to)) {
        allm_str s = allm__str(c->self.u.s->ptr, to), w = allm__v_str(what);
        if (!(c->how & 1)) at = allm__str_find(s, w, from);
        else if (w.len <= to - from)
            for (size_t i = to - w.len + 1; i-- > from && at == SIZE_MAX;)
                if (!w.len || !memcmp(s.ptr + i, w.ptr, w.len)) at = i;
    }
    if (at == SIZE_MAX && (c->how & 2) && !vm->status) return allm__vm_fail(vm, "substring not found");
    if (at == SIZE_MAX) return allm__v_int(-1);
    allm__vstr head = *c->self.u.s;
    head.len = at, head.n_cp = SIZE_MAX;
    return allm__v_int((int64_t)allm__v_count(&head));
}

static allm__val allm__m_count(allm__vm *vm, const allm__tcall *c) {
    size_t    from, to;
    int64_t   n = 0;
    allm__val what = allm__c_str(vm, c, 0, NULL);
    if (vm->status || !allm__c_window(vm, c, 1, &from, &to)) return allm__v_int(0);
    allm_str s = allm__str(c->self.u.s->ptr, to), w = allm__v_str(what);
    if (!w.len) {
        for (size_t i = from; i < to; i++) n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
        return allm__v_int(n + 1);
    }
    for (; (from = allm__str_find(s, w, from)) != SIZE_MAX; from += w.len) n++;
    return allm__v_int(n);
}

static allm__val allm__m_replace(allm__vm *vm, const allm__tcall *c) {
    allm__val old = allm__c_str(vm, c, 0, NULL), new_ = allm__c_str(vm, c, 1, NULL);
    int64_t   most = allm__c_int(vm, c, 2, -1);
    if (c->self.u.s->markup && !vm->status) new_ = allm__vm_escape(vm, new_);
    return vm->status ? new_ : allm__vm_replace(vm, c->self, old, new_, most);
}

/* split without a separator: at white space, from the left or (how 1) from the right. */
static void allm__split_space(allm__vm *vm, const allm__tcall *c, int64_t most, allm__tlist *l) {
    const char *p = c->self.u.s->ptr;
    size_t      from = 0, to = c->self.u.s->len, at;
    int32_t     cp;
    for (;;) {
        allm__trim_space(p, &from, &to, !c->how, c->how);
        if (from >= to || vm->status) return;
        if (most-- == 0) break;
        if (c->how) {
            for (at = to; at > from;) {
                size_t n = 1;
                while (((unsigned char)p[at - n] & 0xc0) == 0x80) n++;
                allm__utf8_next(p + at - n, n, &cp);
                if (allm__is_space(cp)) break;
                at -= n;
            }
            allm__vm_add(vm, l, allm__vm_part(vm, c->self, at, to)), to = at;
        } else {
            for (at = from; at < to;) {
                size_t n = allm__utf8_next(p + at, to - at, &cp);
                if (allm__is_space(cp)) break;
                at += n;
            }
            allm__vm_add(vm, l, allm__vm_part(vm, c->self, from, at)), from = at;
        }
    }
    allm__vm_add(vm, l, allm__vm_part(vm, c->self, from, to)); /* what is left when the parts are limited */
}

static allm__val allm__m_split(allm__vm *vm, const allm__tcall *c) { /* how 1: rsplit */
    allm__tlist l    = {NULL, 0, 0};
    int64_t     most = allm__c_int(vm, c, 1, -1);
    allm__vm_work(vm, c->self.u.s->len);
    if (most < 0) most = INT64_MAX;
    if (allm__c_missing(c, 0)) allm__split_space(vm, c, most, &l);
    else {
        allm__val sep = allm__c_str(vm, c, 0, NULL);
        allm_str  s = allm__v_str(c->self), w = allm__v_str(sep);
        size_t    from = 0, to = s.len, at;
        if (!vm->status && !w.len) return allm__vm_fail(vm, "empty separator");
        while (!vm->status && most-- > 0) {
            if (!c->how) {
                if ((at = allm__str_find(s, w, from)) == SIZE_MAX) break;
                allm__vm_add(vm, &l, allm__vm_part(vm, c->self, from, at)), from = at + w.len;
            } else {
                for (at = to; at >= w.len && memcmp(s.ptr + at - w.len, w.ptr, w.len);) at--;
                if (at < w.len) break;
                allm__vm_add(vm, &l, allm__vm_part(vm, c->self, at, to)), to = at - w.len;
            }
        }
        allm__vm_add(vm, &l, allm__vm_part(vm, c->self, from, to));
    }
    for (size_t i = 0; c->how && i < l.n / 2; i++) {
        allm__val t = l.v[i];
        l.v[i] = l.v[l.n - 1 - i], l.v[l.n - 1 - i] = t;
    }
    return allm__vm_list(vm, ALLM__V_LIST, &l);
}

static allm__val allm__m_splitlines(allm__vm *vm, const allm__tcall *c) {
    allm__tlist l = {NULL, 0, 0};
    size_t      at = 0, from, to, end;
    allm__vm_work(vm, c->self.u.s->len);
    while (!vm->status && allm__next_line(allm__v_str(c->self), &at, &from, &to, &end))
        allm__vm_add(vm, &l, allm__vm_part(vm, c->self, from, allm__c_true(c, 0, 0) ? end : to));
    return allm__vm_list(vm, ALLM__V_LIST, &l);
}

static allm__val allm__m_partition(allm__vm *vm, const allm__tcall *c) { /* how 1: rpartition */
    allm__val sep = allm__c_str(vm, c, 0, NULL), t = allm__vm_seq(vm, ALLM__V_TUPLE, 3), s = c->self, none;
    if (vm->status) return t;
    allm_str text = allm__v_str(s), w = allm__v_str(sep);
    size_t   at   = SIZE_MAX;
    if (!w.len) return allm__vm_fail(vm, "empty separator");
    if (!c->how) at = allm__str_find(text, w, 0);
    else
        for (size_t i = 0; (i = allm__str_find(text, w, i)) != SIZE_MAX; i++) at = i;
    none           = allm__vm_part(vm, s, 0, 0);
    t.u.q->v[0]    = at == SIZE_MAX ? (c->how ? none : s) : allm__vm_part(vm, s, 0, at);
    t.u.q->v[1]    = at == SIZE_MAX ? none : allm__vm_part(vm, s, at, at + w.len);
    t.u.q->v[2]    = at == SIZE_MAX ? (c->how ? s : none) : allm__vm_part(vm, s, at + w.len, text.len);
    return t;
}

static allm__val allm__m_remove(allm__vm *vm, const allm__tcall *c) { /* removeprefix; how 1: removesuffix */
    allm__val what = allm__c_str(vm, c, 0, NULL), s = c->self;
    if (vm->status) return s;
    size_t n = what.u.s->len, len = s.u.s->len;
    if (!n || !(c->how ? allm__str_ends(allm__v_str(s), allm__v_str(what)) : allm__str_starts(allm__v_str(s), allm__v_str(what)))) return s;
    return c->how ? allm__vm_part(vm, s, 0, len - n) : allm__vm_part(vm, s, n, len);
}

static allm__val allm__m_join(allm__vm *vm, const allm__tcall *c) {
    allm__titer *it = allm__vm_iter(vm, c->a[0]);
    allm__val    item, v;
    allm__tmark  m = allm__sb_begin(vm);
    for (int i = 0; it && allm__vm_next(vm, it, &item); i++) {
        if (i) allm__sb_str(vm, c->self);
        if (c->self.u.s->markup) allm__sb_escape(vm, item);
        else if (allm__v_is_str(item)) allm__sb_str(vm, item);
        else allm__vm_fail(vm, "sequence item %d: expected str instance, %s found", i, allm__v_names[item.type]);
    }
    v = allm__sb_end(vm, m);
    return vm->status ? v : allm__vm_markup(vm, v, c->self.u.s->markup);
}

static allm__val allm__m_expandtabs(allm__vm *vm, const allm__tcall *c) {
    int64_t      size = allm__c_int(vm, c, 0, 8), column = 0;
    int32_t      cp;
    allm__tmark  m = allm__sb_begin(vm);
    for (allm__tchars t = {c->self.u.s, 0, 0, 0}; !vm->status && (cp = allm__tchars_next(&t)) >= 0;) {
        if (cp == '\t') {
            int64_t n = size > 0 ? size - column % size : 0;
            allm__sb_spaces(vm, n), column += n;
            continue;
        }
        allm__sb_cp(vm, cp, t.user);
        column = cp == '\n' || cp == '\r' ? 0 : column + 1;
    }
    return allm__sb_end(vm, m);
}

static allm__val allm__m_format(allm__vm *vm, const allm__tcall *c) { return allm__vm_format(vm, c->self, c, allm__v_of(ALLM__V_ABSENT, 0)); }

static allm__val allm__m_format_map(allm__vm *vm, const allm__tcall *c) {
    if (c->n_kw) return allm__vm_fail(vm, "format_map() takes no keyword arguments");
    if (c->n_pos != 1) return allm__vm_fail(vm, "format_map() takes exactly one argument (%d given)", (int)c->n_pos);
    return allm__vm_format(vm, c->self, c, c->pos[0]);
}

static allm__val allm__m_encode(allm__vm *vm, const allm__tcall *c) { /* to UTF-8, ASCII or Latin-1 */
    allm__val   name = allm__c_str(vm, c, 0, "utf-8"), errors = allm__c_str(vm, c, 1, "strict"), v;
    if (vm->status) return name;
    allm__val   lower = allm__vm_case(vm, name, ALLM__CASE_LOWER);
    int32_t     cp, most = 0x10ffff;
    if (vm->status) return lower;
    if (allm__v_eq_text(lower, ALLM__S("ascii")) || allm__v_eq_text(lower, ALLM__S("us-ascii"))) most = 0x7f;
    else if (allm__v_eq_text(lower, ALLM__S("latin-1")) || allm__v_eq_text(lower, ALLM__S("iso-8859-1"))) most = 0xff;
    else if (!allm__v_eq_text(lower, ALLM__S("utf-8")) && !allm__v_eq_text(lower, ALLM__S("utf8")))
        return allm__vm_fail(vm, "unknown encoding");
    allm__tmark m = allm__sb_begin(vm);
    for (allm__tchars t = {c->self.u.s, 0, 0, 0}; !vm->status && (cp = allm__tchars_next(&t)) >= 0;) {
        if (cp <= most && most == 0xff) allm__sb_puts_as(vm, (char[]){(char)cp}, 1, t.user);
        else if (cp <= most) allm__sb_cp(vm, cp, t.user);
        else if (allm__v_eq_text(errors, ALLM__S("replace"))) allm__sb_putc(vm, '?');
        else if (!allm__v_eq_text(errors, ALLM__S("ignore"))) allm__vm_fail(vm, "codec can't encode character U+%04X", (unsigned)cp);
    }
    v = allm__sb_end(vm, m);
    if (!vm->status) v.type = ALLM__V_BYTES;
    return v;
}

static allm__val allm__m_decode(allm__vm *vm, const allm__tcall *c) {
    if (allm__utf8_bad(allm__v_str(c->self)) != SIZE_MAX) return allm__vm_fail(vm, "codec can't decode bytes");
    allm__val v = c->self;
    v.type      = ALLM__V_STR;
    return v;
}

static allm__val allm__m_translate(allm__vm *vm, const allm__tcall *c) {
    int32_t     cp;
    allm__tmark m = allm__sb_begin(vm);
    for (allm__tchars t = {c->self.u.s, 0, 0, 0}; !vm->status && (cp = allm__tchars_next(&t)) >= 0;) {
        allm__val to, key = allm__v_int(cp);
        if (!allm__vm_subscript(vm, c->a[0], key, &to)) allm__sb_cp(vm, cp, t.user);
        else if (allm__v_is_str(to)) allm__sb_str(vm, to);
        else if (allm__v_is_int(to) && to.u.i >= 0 && to.u.i < 0x110000 && (to.u.i < 0xd800 || to.u.i > 0xdfff)) allm__sb_cp(vm, (int32_t)to.u.i, 0);
        else if (to.type != ALLM__V_NONE) allm__vm_fail(vm, "character mapping must return integer, None or str");
    }
    return allm__sb_end(vm, m);
}

static allm__val allm__m_maketrans(allm__vm *vm, const allm__tcall *c) {
    allm__val d = allm__vm_dict(vm, ALLM__V_DICT);
    int32_t   x, y;
    if (vm->status) return d;
    if (c->a[0].type == ALLM__V_DICT) { /* keys of one character become numbers */
        for (size_t i = 0; i < c->a[0].u.d->n && !vm->status; i++) {
            allm__vpair  *p = &c->a[0].u.d->v[i];
            allm__val     key = p->key;
            if (allm__v_is_str(key) && allm__v_count(key.u.s) == 1) {
                allm__tchars t = {key.u.s, 0, 0, 0};
                key            = allm__v_int(allm__tchars_next(&t));
            }
            allm__vm_put(vm, d, key, p->val);
        }
        return d;
    }
    allm__val a = allm__c_str(vm, c, 0, NULL), b = allm__c_str(vm, c, 1, NULL);
    if (vm->status) return d;
    if (allm__v_count(a.u.s) != allm__v_count(b.u.s)) return allm__vm_fail(vm, "the first two maketrans arguments must have equal length");
    allm__tchars s = {a.u.s, 0, 0, 0}, t = {b.u.s, 0, 0, 0};
    while ((x = allm__tchars_next(&s)) >= 0 && (y = allm__tchars_next(&t)) >= 0) allm__vm_put(vm, d, allm__v_int(x), allm__v_int(y));
    for (size_t i = 0; allm__c_given(c, 2) && allm__v_is_str(c->a[2]) && i == 0; i++) {
        allm__tchars gone = {c->a[2].u.s, 0, 0, 0};
        while ((x = allm__tchars_next(&gone)) >= 0) allm__vm_put(vm, d, allm__v_int(x), allm__v_none());
    }
    return d;
}

static allm__val allm__m_seq_index(allm__vm *vm, const allm__tcall *c) { /* index; how 1: count */
    int64_t      n = 0, i = 0;
    allm__titer *it = allm__vm_iter(vm, c->self);
    allm__val    item;
    for (; it && allm__vm_next(vm, it, &item); i++) {
        if (!allm__vm_eq(vm, item, c->a[0])) continue;
        if (!c->how) return allm__v_int(i);
        n++;
    }
    if (c->how || vm->status) return allm__v_int(n);
    allm__val s = allm__vm_to_str(vm, c->a[0]);
    if (vm->status) return s;
    return allm__vm_fail(vm, "%.*s is not in %s", (int)ALLM__MIN(s.u.s->len, 100), s.u.s->ptr, allm__v_names[c->self.type]);
}

static allm__val allm__m_copy(allm__vm *vm, const allm__tcall *c) {
    allm__val d;
    if (c->self.type == ALLM__V_LIST) return allm__vm_collect(vm, c->self);
    d = allm__vm_dict(vm, ALLM__V_DICT);
    for (size_t i = 0; !vm->status && i < c->self.u.d->n; i++) allm__vm_put(vm, d, c->self.u.d->v[i].key, c->self.u.d->v[i].val);
    return d;
}

static allm__val allm__m_get(allm__vm *vm, const allm__tcall *c) {
    allm__val *p = allm__vm_get(vm, c->self, c->a[0]);
    return p ? *p : allm__c_given(c, 1) ? c->a[1] : allm__v_none();
}

static allm__val allm__m_view(allm__vm *vm, const allm__tcall *c) {
    allm__val v = c->self;
    (void)vm;
    v.type = ALLM__V_VIEW, v.sub = c->how;
    return v;
}

static allm__val allm__m_fromkeys(allm__vm *vm, const allm__tcall *c) {
    allm__val    d = allm__vm_dict(vm, ALLM__V_DICT), item;
    allm__titer *it = allm__vm_iter(vm, c->a[0]);
    while (it && allm__vm_next(vm, it, &item)) allm__vm_put(vm, d, item, allm__c_given(c, 1) ? c->a[1] : allm__v_none());
    return d;
}

static allm__val allm__m_is_integer(allm__vm *vm, const allm__tcall *c) {
    (void)vm;
    return allm__v_bool(isfinite(c->self.u.f) && c->self.u.f == floor(c->self.u.f));
}

static allm__val allm__m_bit_length(allm__vm *vm, const allm__tcall *c) {
    allm__bigtmp b;
    int64_t      n = 0;
    allm__big_load(&b, c->self);
    if (!allm__vm_work(vm, b.n * b.n * 64)) return c->self;
    while (b.n > 1) allm__big_div1(&b, 1 << 29), n += 29;
    for (uint32_t top = b.n ? b.d[0] : 0; top; top >>= 1) n++;
    return allm__v_int(n);
}

static allm__val allm__m_cycle(allm__vm *vm, const allm__tcall *c) { /* loop.cycle */
    if (!c->n_pos) return allm__vm_fail(vm, "no items for cycling given");
    return c->pos[c->self.u.loop->index0 % c->n_pos];
}

static allm__val allm__m_changed(allm__vm *vm, const allm__tcall *c) { /* loop.changed */
    allm__tloop *l = c->self.u.loop;
    allm__val    t = allm__vm_seq(vm, ALLM__V_TUPLE, (size_t)c->n_pos);
    for (int32_t i = 0; !vm->status && i < c->n_pos; i++) t.u.q->v[i] = c->pos[i];
    if (vm->status || (l->changed.type == ALLM__V_TUPLE && allm__vm_eq(vm, l->changed, t))) return allm__v_bool(0);
    l->changed = t;
    return allm__v_bool(1);
}

static allm__val allm__m_cycler(allm__vm *vm, const allm__tcall *c) { /* next; how 1: reset */
    allm__vcycler *y = c->self.u.c;
    allm__val      v = y->items.v[y->pos];
    (void)vm;
    y->pos = c->how ? 0 : (y->pos + 1) % y->items.n;
    return c->how ? allm__v_none() : v;
}

enum { ALLM__OF_STR = ALLM__BIT(STR), ALLM__OF_DICT = ALLM__BIT(DICT) };
static const allm__tfn allm__methods[] = { /* name, code, parameters, how, types */
    {"capitalize", allm__m_case, "", ALLM__CASE_CAPITAL, ALLM__OF_STR},
    {"casefold", allm__m_case, "", ALLM__CASE_FOLD, ALLM__OF_STR},
    {"center", allm__m_pad, "width ?fillchar", 0, ALLM__OF_STR},
    {"count", allm__m_count, "sub ?start end", 0, ALLM__OF_STR},
    {"encode", allm__m_encode, "?encoding errors", 0, ALLM__OF_STR},
    {"endswith", allm__m_starts, "suffix ?start end", 1, ALLM__OF_STR},
    {"expandtabs", allm__m_expandtabs, "?tabsize", 0, ALLM__OF_STR},
    {"find", allm__m_find, "sub ?start end", 0, ALLM__OF_STR},
    {"format", allm__m_format, "*", 0, ALLM__OF_STR},
    {"format_map", allm__m_format_map, "*", 0, ALLM__OF_STR},
    {"index", allm__m_find, "sub ?start end", 2, ALLM__OF_STR},
    {"isalnum", allm__m_is, "", ALLM__IS_ALNUM, ALLM__OF_STR},
    {"isalpha", allm__m_is, "", ALLM__IS_ALPHA, ALLM__OF_STR},
    {"isascii", allm__m_is, "", ALLM__IS_ASCII, ALLM__OF_STR},
    {"isdecimal", allm__m_is, "", ALLM__IS_DECIMAL, ALLM__OF_STR},
    {"isdigit", allm__m_is, "", ALLM__IS_DIGIT, ALLM__OF_STR},
    {"isidentifier", allm__m_is, "", ALLM__IS_IDENTIFIER, ALLM__OF_STR},
    {"islower", allm__m_is, "", ALLM__IS_LOWER, ALLM__OF_STR},
    {"isnumeric", allm__m_is, "", ALLM__IS_NUMERIC, ALLM__OF_STR},
    {"isprintable", allm__m_is, "", ALLM__IS_PRINTABLE, ALLM__OF_STR},
    {"isspace", allm__m_is, "", ALLM__IS_SPACE, ALLM__OF_STR},
    {"istitle", allm__m_is, "", ALLM__IS_TITLE, ALLM__OF_STR},
    {"isupper", allm__m_is, "", ALLM__IS_UPPER, ALLM__OF_STR},
    {"join", allm__m_join, "iterable", 0, ALLM__OF_STR},
    {"ljust", allm__m_pad, "width ?fillchar", -1, ALLM__OF_STR},
    {"lower", allm__m_case, "", ALLM__CASE_LOWER, ALLM__OF_STR},
    {"lstrip", allm__m_strip, "?chars", 1, ALLM__OF_STR},
    {"maketrans", allm__m_maketrans, "x ?y z", 0, ALLM__OF_STR},
    {"partition", allm__m_partition, "sep", 0, ALLM__OF_STR},
    {"removeprefix", allm__m_remove, "prefix", 0, ALLM__OF_STR},
    {"removesuffix", allm__m_remove, "suffix", 1, ALLM__OF_STR},
    {"replace", allm__m_replace, "old new ?count", 0, ALLM__OF_STR},
    {"rfind", allm__m_find, "sub ?start end", 1, ALLM__OF_STR},
    {"rindex", allm__m_find, "sub ?start end", 3, ALLM__OF_STR},
    {"rjust", allm__m_pad, "width ?fillchar", 1, ALLM__OF_STR},
    {"rpartition", allm__m_partition, "sep", 1, ALLM__OF_STR},
    {"rsplit", allm__m_split, "?sep maxsplit", 1, ALLM__OF_STR},
    {"rstrip", allm__m_strip, "?chars", 2, ALLM__OF_STR},
    {"split", allm__m_split, "?sep maxsplit", 0, ALLM__OF_STR},
    {"splitlines", allm__m_splitlines, "?keepends", 0, ALLM__OF_STR},
    {"startswith", allm__m_starts, "prefix ?start end", 0, ALLM__OF_STR},
    {"strip", allm__m_strip, "?chars", 3, ALLM__OF_STR},
    {"swapcase", allm__m_case, "", ALLM__CASE_SWAP, ALLM__OF_STR},
    {"title", allm__m_case, "", ALLM__CASE_TITLE, ALLM__OF_STR},
    {"translate", allm__m_translate, "table", 0, ALLM__OF_STR},
    {"upper", allm__m_case, "", ALLM__CASE_UPPER, ALLM__OF_STR},
    {"zfill", allm__m_zfill, "width", 0, ALLM__OF_STR},
    {"decode", allm__m_decode, "?encoding errors", 0, ALLM__BIT(BYTES)},
    {"count", allm__m_seq_index, "value", 1, ALLM__BIT(LIST) | ALLM__BIT(TUPLE) | ALLM__BIT(RANGE)},
    {"index", allm__m_seq_index, "value", 0, ALLM__BIT(LIST) | ALLM__BIT(TUPLE) | ALLM__BIT(RANGE)},
    {"copy", allm__m_copy, "", 0, ALLM__BIT(LIST) | ALLM__OF_DICT},
    {"fromkeys", allm__m_fromkeys, "iterable ?value", 0, ALLM__OF_DICT | ALLM__BIT(FUNC)},
    {"get", allm__m_get, "key ?default", 0, ALLM__OF_DICT},
    {"items", allm__m_view, "", 2, ALLM__OF_DICT},
    {"keys", allm__m_view, "", 0, ALLM__OF_DICT},
    {"values", allm__m_view, "", 1, ALLM__OF_DICT},
    {"is_integer", allm__m_is_integer, "", 0, ALLM__BIT(FLOAT)},
    {"bit_length", allm__m_bit_length, "", 0, ALLM__BIT(BOOL) | ALLM__BIT(INT) | ALLM__BIT(BIG)},
    {"cycle", allm__m_cycle, "*", 0, ALLM__BIT(LOOP)},
    {"changed", allm__m_changed, "*", 0, ALLM__BIT(LOOP)},
    {"next", allm__m_cycler, "", 0, ALLM__BIT(CYCLER)},
    {"reset", allm__m_cycler, "", 1, ALLM__BIT(CYCLER)},
};

/* ---- functions */

#define ALLM__NS_NAME "Chat templates cannot store underscore-prefixed attributes on a namespace, but got '%.*s'. " \
                      "Please rename the attribute."

static allm__val allm__g_range(allm__vm *vm, const allm__tcall *c) {
    allm__val r = allm__vm_seq(vm, ALLM__V_RANGE, 3);
    int64_t   part[3] = {0, 0, 1};
    if (vm->status) return r;
    if (c->n_kw || c->n_pos < 1 || c->n_pos > 3)
        return allm__vm_fail(vm, "range expected 1 to 3 arguments, got %d", (int)c->n_pos + (int)c->n_kw);
    for (int32_t i = 0; i < c->n_pos; i++) {
        allm__val v = c->pos[i];
        if (v.type == ALLM__V_UNDEF) return allm__vm_undefined(vm, v);
        if (v.type == ALLM__V_BIG) v = allm__v_int(v.u.b->negative ? -INT64_MAX / 2 : INT64_MAX / 2);
        if (!allm__v_is_int(v)) return allm__vm_fail(vm, "'%s' object cannot be interpreted as an integer", allm__v_names[v.type]);
        part[c->n_pos == 1 ? 1 : i] = v.u.i;
    }
    if (part[2] == 0) return allm__vm_fail(vm, "range() arg 3 must not be zero");
    for (int i = 0; i < 3; i++) r.u.q->v[i] = allm__v_int(part[i]);
    if (allm__v_range_len(r) > 100000)
        return allm__vm_fail(vm, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
    return r;
}

static allm__val allm__g_dict(allm__vm *vm, const allm__tcall *c) { /* how 1: namespace */
    allm__val    d = allm__vm_dict(vm, c->how ? ALLM__V_NS : ALLM__V_DICT), item, kv[2];
    if (c->n_pos > 1) return allm__vm_fail(vm, "dict expected at most 1 argument, got %d", (int)c->n_pos);
    if (c->n_pos && c->pos[0].type == ALLM__V_DICT) {
        const allm__vdict *from = c->pos[0].u.d;
        for (size_t i = 0; !vm->status && i < from->n; i++) allm__vm_put(vm, d, from->v[i].key, from->v[i].val);
    } else if (c->n_pos) {
        allm__titer *it = allm__vm_iter(vm, c->pos[0]);
        while (it && allm__vm_next(vm, it, &item) && allm__vm_unpack(vm, item, 2, kv)) allm__vm_put(vm, d, kv[0], kv[1]);
    }
    for (int32_t i = 0; !vm->status && i < c->n_kw; i++) allm__vm_put(vm, d, c->kw[i].name, c->kw[i].val);
    for (size_t i = 0; c->how && !vm->status && i < d.u.d->n; i++) {
        allm__val key = d.u.d->v[i].key;
        if (allm__v_is_str(key) && key.u.s->len && key.u.s->ptr[0] == '_') return allm__vm_fail(vm, ALLM__NS_NAME, (int)ALLM__MIN(key.u.s->len, 60), key.u.s->ptr);
    }
    return d;
}

static allm__val allm__g_cycler(allm__vm *vm, const allm__tcall *c) { /* how 1: joiner */
    allm__vcycler *y = vm->status ? NULL : (allm__vcycler *)allm__arena_zero(&vm->arena, sizeof *y, sizeof(void *));
    int32_t        n = c->how ? 1 : c->n_pos;
    if (!c->how && !n) return allm__vm_fail(vm, "at least one item has to be provided");
    allm__val items = allm__vm_seq(vm, ALLM__V_TUPLE, (size_t)n);
    if (!y || vm->status) return allm__vm_no_memory(vm);
    for (int32_t i = 0; i < n; i++) items.u.q->v[i] = c->how ? allm__c_given(c, 0) ? c->a[0] : allm__vm_text(vm, ", ") : c->pos[i];
    y->items = *items.u.q;
    return allm__v_ptr(c->how ? ALLM__V_JOINER : ALLM__V_CYCLER, y);
}

static allm__val allm__g_raise(allm__vm *vm, const allm__tcall *c) {
    allm__val s = allm__vm_to_str(vm, c->a[0]);
    return vm->status ? s : allm__vm_fail(vm, "%.*s", (int)ALLM__MIN(s.u.s->len, 1000), s.u.s->ptr);
}

static allm__val allm__g_strftime(allm__vm *vm, const allm__tcall *c) {
    allm__val format = c->a[0];
    if (!allm__v_is_str(format)) return allm__vm_fail(vm, "strftime() argument 1 must be str, not %s", allm__v_names[format.type]);
    if (!vm->ctx->now.year) return allm__vm_fail(vm, "strftime_now: the time is not known here");
    allm__tmark m = allm__sb_begin(vm);
    allm__sb_strftime(vm, format);
    return allm__sb_end(vm, m);
}

static allm__val allm__g_lipsum(allm__vm *vm, const allm__tcall *c) {
    (void)c;
    return allm__vm_fail(vm, "lipsum() is not supported");
}

static const allm__tfn allm__functions[] = {
    {"cycler", allm__g_cycler, "*", 0, 0},
    {"dict", allm__g_dict, "*", 0, 0},
    {"joiner", allm__g_cycler, "?sep", 1, 0},
    {"lipsum", allm__g_lipsum, "*", 0, 0},
    {"namespace", allm__g_dict, "*", 1, 0},
    {"raise_exception", allm__g_raise, "message", 0, 0},
    {"range", allm__g_range, "*", 0, 0},
    {"strftime_now", allm__g_strftime, "format", 0, 0},
};

/* ---- tokens */

typedef enum allm__ttype {
    ALLM__TK_EOF, ALLM__TK_DATA, ALLM__TK_VAR_BEGIN, ALLM__TK_VAR_END, ALLM__TK_BLOCK_BEGIN, ALLM__TK_BLOCK_END,
    ALLM__TK_NAME, ALLM__TK_STRING, ALLM__TK_INT, ALLM__TK_FLOAT,
    ALLM__TK_ADD, ALLM__TK_SUB, ALLM__TK_DIV, ALLM__TK_FLOORDIV, ALLM__TK_MUL, ALLM__TK_MOD, ALLM__TK_POW, ALLM__TK_TILDE,
    ALLM__TK_LBRACKET, ALLM__TK_RBRACKET, ALLM__TK_LPAREN, ALLM__TK_RPAREN, ALLM__TK_LBRACE, ALLM__TK_RBRACE,
    ALLM__TK_EQ, ALLM__TK_NE, ALLM__TK_GT, ALLM__TK_GE, ALLM__TK_LT, ALLM__TK_LE, ALLM__TK_ASSIGN, ALLM__TK_DOT,
    ALLM__TK_COLON, ALLM__TK_PIPE, ALLM__TK_COMMA, ALLM__TK_SEMICOLON
} allm__ttype;

static const char *const allm__tk_names[] = {
    "end of template", "template data / text", "begin of print statement", "end of print statement",
    "begin of statement block", "end of statement block", "name", "string", "integer", "float",
    "+", "-", "/", "//", "*", "%", "**", "~", "[", "]", "(", ")", "{", "}", "==", "!=", ">", ">=", "<", "<=", "=", ".",
    ":", "|", ",", ";",
};

typedef struct allm__ttok {
    allm__ttype type;
    size_t      pos;
    allm_str    text; /* data: after stripping; name, number; string: between its quotes */
} allm__ttok;

enum { ALLM__MODE_TEXT, ALLM__MODE_VAR, ALLM__MODE_BLOCK };
enum { ALLM__T_DEPTH = 200 }; /* brackets within brackets, blocks within blocks */

typedef struct allm__tlex {
    const allm__tmpl *t;
    allm_error       *err;
    allm_status       status; /* sticky; the parser's too */
    size_t            pos, last; /* last: where the token before began */
    int               mode, line_start; /* line_start: what was read last ends with a newline */
    size_t            n_open;
    char              open[ALLM__T_DEPTH]; /* closing brackets awaited */
    allm__ttok        begin;  /* a tag that begins behind the text just given */
    int               has_begin;
} allm__tlex;

ALLM__PRINTF(3, 4)
static void allm__tlex_fail(allm__tlex *x, size_t pos, const char *format, ...) {
    va_list args;
    int32_t place[2];
    if (x->status) return;
    allm__tmpl_place(x->t, pos, &place[0], &place[1]);
    va_start(args, format);
    x->status = allm__err_vset(x->err, ALLM_E_TEMPLATE, x->t->name, -1, place, format, args);
    va_end(args);
}

static int allm__tlex_is(const allm__tlex *x, size_t at, const char *text) {
    return allm__str_starts(allm__str(x->t->source.ptr + at, x->t->source.len - at), allm__str_of(text));
}

static size_t allm__tlex_space(const allm__tlex *x, size_t at) { /* behind the white space at `at` */
    size_t to = x->t->source.len;
    allm__trim_space(x->t->source.ptr, &at, &to, 1, 0);
    return at;
}

/* The text [from, to) before a tag with the given sign: stripped as the sign and lstrip_blocks say. */
static allm_str allm__tlex_strip(const allm__tlex *x, size_t from, size_t to, char sign, int is_var) {
    const char *p = x->t->source.ptr;
    size_t      line = to, end = to, begin = from;
    if (sign == '-') allm__trim_space(p, &begin, &end, 0, 1);
    else if (sign != '+' && !is_var) {
        while (line > from && p[line - 1] != '\n') line--;
        begin = line;
        allm__trim_space(p, &begin, &end, 0, 1);
        if ((line == from && !x->line_start) || end > line) end = to;
    }
    return allm__str(p + from, end - from);
}

/* Behind a tag's end at `at` (a sign, then the two characters of close); 0: it does not stand there. */
static size_t allm__tlex_close(const allm__tlex *x, size_t at, const char *close, int trim, int plus) {
    char   sign = at < x->t->source.len ? x->t->source.ptr[at] : 0;
    size_t n    = sign == '-' || (plus && sign == '+');
    if (!allm__tlex_is(x, at + n, close)) return 0;
    at += n + 2;
    if (sign == '-') return allm__tlex_space(x, at);
    return at + (trim && !n && allm__tlex_is(x, at, "\n"));
}

/* {% raw %} at `at`: the place behind it, or 0. */
static size_t allm__tlex_raw(const allm__tlex *x, size_t at, const char *word, int trim) {
    char c = at + 2 < x->t->source.len ? x->t->source.ptr[at + 2] : 0;
    at     = allm__tlex_space(x, at + 2 + (c == '-' || c == '+'));
    if (!allm__tlex_is(x, at, word)) return 0;
    return allm__tlex_close(x, allm__tlex_space(x, at + strlen(word)), "%}", trim, trim);
}

static void allm__tlex_ended(allm__tlex *x, size_t at) { /* something was read up to here */
    x->pos        = at;
    x->line_start = at > 0 && x->t->source.ptr[at - 1] == '\n';
}

static void allm__tlex_comment(allm__tlex *x, size_t at) { /* behind its {# */
    allm_str s   = x->t->source;
    size_t   end = allm__str_find(s, ALLM__S("#}"), at);
    if (end == SIZE_MAX && at < s.len) { allm__tlex_fail(x, at, "Missing end of comment tag"); return; }
    if (end == SIZE_MAX) { allm__tlex_ended(x, s.len); return; }
    char sign = end > at ? s.ptr[end - 1] : 0;
    end += 2;
    if (sign == '-') end = allm__tlex_space(x, end);
    else if (sign != '+' && allm__tlex_is(x, end, "\n")) end++;
    allm__tlex_ended(x, end);
}

/* The text of a raw block, from `at` to its endraw. */
static int allm__tlex_raw_text(allm__tlex *x, size_t at, allm__ttok *tok) {
    allm_str s = x->t->source;
    for (size_t end = at; (end = allm__str_find(s, ALLM__S("{%"), end)) != SIZE_MAX; end++) {
        size_t next = allm__tlex_raw(x, end, "endraw", 1);
        if (!next) continue;
        tok->type = ALLM__TK_DATA, tok->pos = at;
        tok->text = allm__tlex_strip(x, at, end, s.ptr[end + 2], 0);
        allm__tlex_ended(x, next);
        return tok->text.len > 0;
    }
    if (at < s.len) allm__tlex_fail(x, at, "Missing end of raw directive");
    allm__tlex_ended(x, s.len);
    return 0;
}

/* Outside of tags: text, or the tag that follows it. 0: nothing to give yet. */
static int allm__tlex_text(allm__tlex *x, allm__ttok *tok) {
    allm_str s  = x->t->source;
    size_t   at = x->pos, raw = 0;
    char     c  = 0;
    if (at >= s.len) return tok->type = ALLM__TK_EOF, 1;
    for (;; at++) {
        at = allm__str_find(s, ALLM__S("{"), at);
        if (at == SIZE_MAX) break;
        c = at + 1 < s.len ? s.ptr[at + 1] : 0;
        if (c == '{' || c == '%' || c == '#') break;
    }
    tok->type = ALLM__TK_DATA, tok->pos = x->pos;
    if (at == SIZE_MAX) return tok->text = allm__str(s.ptr + x->pos, s.len - x->pos), x->pos = s.len, 1;
    char   sign = at + 2 < s.len ? s.ptr[at + 2] : 0;
    size_t next = at + 2 + (sign == '-' || sign == '+');
    tok->text   = allm__tlex_strip(x, x->pos, at, sign, c == '{');
    int has_text = tok->text.len > 0;
    if (c == '%') raw = allm__tlex_raw(x, at, "raw", 0);
    if (raw) { /* its text comes as a token of its own */
        allm__tlex_ended(x, raw);
        allm__ttok inner;
        x->has_begin = allm__tlex_raw_text(x, raw, &inner);
        if (x->has_begin && !has_text) *tok = inner, has_text = 1, x->has_begin = 0;
        else x->begin = inner;
        return has_text;
    }
    if (c == '#') return allm__tlex_comment(x, next), has_text;
    allm__ttok begin = {c == '{' ? ALLM__TK_VAR_BEGIN : ALLM__TK_BLOCK_BEGIN, at, allm__str(s.ptr + at, 2)};
    x->mode = c == '{' ? ALLM__MODE_VAR : ALLM__MODE_BLOCK, x->pos = next, x->line_start = 0;
    if (has_text) x->begin = begin, x->has_begin = 1;
    else *tok = begin;
    return 1;
}

/* Length of the number at `at`, and which kind; 0: none. */
static size_t allm__tlex_digits(allm_str s, size_t at, size_t to) { /* (\d+_)*\d+ */
    size_t i = at;
    while (i < to && ((s.ptr[i] >= '0' && s.ptr[i] <= '9') ||
                      (s.ptr[i] == '_' && i > at && s.ptr[i - 1] != '_' && i + 1 < to && s.ptr[i + 1] >= '0' && s.ptr[i + 1] <= '9')))
        i++;
    return i - at;
}

static size_t allm__tlex_number(allm_str s, size_t at, allm__ttype *type) {
    size_t n = allm__tlex_digits(s, at, s.len), end = at + n, frac = 0, e = 0;
    if (!n) return 0;
    if (!(at > 0 && s.ptr[at - 1] == '.')) { /* a float: fraction, exponent or both */
        if (end < s.len && s.ptr[end] == '.' && (frac = allm__tlex_digits(s, end + 1, s.len))) frac++;
        size_t i = end + frac;
        if (i < s.len && (s.ptr[i] | 32) == 'e') {
            size_t sign = i + 1 < s.len && (s.ptr[i + 1] == '+' || s.ptr[i + 1] == '-');
            e           = allm__tlex_digits(s, i + 1 + sign, s.len);
            if (e) e += 1 + sign;
        }
        if (frac || e) return *type = ALLM__TK_FLOAT, n + frac + e;
    }
    *type = ALLM__TK_INT;
    char p = at + 1 < s.len ? (char)(s.ptr[at + 1] | 32) : 0;
    if (s.ptr[at] == '0' && (p == 'x' || p == 'o' || p == 'b')) {
        int    base = p == 'x' ? 16 : p == 'o' ? 8 : 2;
        size_t i    = at + 2;
        for (; i < s.len; i++) {
            size_t k = i + (s.ptr[i] == '_');
            char   c = k < s.len ? (char)(s.ptr[k] | 32) : 0;
            int    d = k < s.len && s.ptr[k] >= '0' && s.ptr[k] <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
            if (d >= base) break;
            i = k;
        }
        if (i > at + 2) return i - at;
    }
    if (s.ptr[at] != '0') return n;
    for (n = 1; at + n < s.len; n++) /* only zeros may follow a zero */
        if (s.ptr[at + n] == '_' && at + n + 1 < s.len && s.ptr[at + n + 1] == '0') n++;
        else if (s.ptr[at + n] != '0') break;
    return n;
}

static void allm__tlex_bracket(allm__tlex *x, char c, size_t at) {
    if (c == '(' || c == '[' || c == '{') {
        if (x->n_open == ALLM__T_DEPTH) allm__tlex_fail(x, at, "brackets are nested deeper than %d levels", ALLM__T_DEPTH);
        else x->open[x->n_open++] = c == '(' ? ')' : (char)(c + 2);
    } else if (c == ')' || c == ']' || c == '}') {
        char want = x->n_open ? x->open[--x->n_open] : 0;
        if (!want) allm__tlex_fail(x, at, "unexpected '%c'", c);
        else if (want != c) allm__tlex_fail(x, at, "unexpected '%c', expected '%c'", c, want);
    }
}

/* Inside a tag. */
static void allm__tlex_tag(allm__tlex *x, allm__ttok *tok) {
    static const char operators[][3] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")",
                                        "{", "}", ">", "<", "=", ".", ":", "|", ",", ";"};
    static const uint8_t types[] = {ALLM__TK_FLOORDIV, ALLM__TK_POW, ALLM__TK_EQ, ALLM__TK_NE, ALLM__TK_GE, ALLM__TK_LE,
        ALLM__TK_ADD, ALLM__TK_SUB, ALLM__TK_DIV, ALLM__TK_MUL, ALLM__TK_MOD, ALLM__TK_TILDE, ALLM__TK_LBRACKET,
        ALLM__TK_RBRACKET, ALLM__TK_LPAREN, ALLM__TK_RPAREN, ALLM__TK_LBRACE, ALLM__TK_RBRACE, ALLM__TK_GT, ALLM__TK_LT,
        ALLM__TK_ASSIGN, ALLM__TK_DOT, ALLM__TK_COLON, ALLM__TK_PIPE, ALLM__TK_COMMA, ALLM__TK_SEMICOLON};
    allm_str s   = x->t->source;
    int      var = x->mode == ALLM__MODE_VAR;
    size_t   at  = x->pos, n = 0, end = 0;
    int32_t  cp;
    at = allm__tlex_space(x, at);
    if (!x->n_open) end = allm__tlex_close(x, at, var ? "}}" : "%}", !var, !var);
    tok->pos = at, tok->text = allm__str(s.ptr + at, 0);
    if (end) {
        tok->type = var ? ALLM__TK_VAR_END : ALLM__TK_BLOCK_END;
        allm__tlex_ended(x, end);
        x->mode = ALLM__MODE_TEXT;
        return;
    }
    if (at >= s.len) { x->pos = at, tok->type = ALLM__TK_EOF; return; }
    allm__utf8_next(s.ptr + at, s.len - at, &cp);
    if ((n = allm__tlex_number(s, at, &tok->type))) {
    } else if (allm__is_word(cp)) {
        tok->type = ALLM__TK_NAME;
        for (size_t i = at; i < s.len && allm__is_word(cp); n = i - at) {
            i += allm__utf8_next(s.ptr + i, s.len - i, &cp);
            if (i < s.len) allm__utf8_next(s.ptr + i, s.len - i, &cp);
        }
        allm__vstr name = {s.ptr + at, n, SIZE_MAX, NULL, 0, NULL, 0};
        if (!allm__str_is(&name, ALLM__IS_IDENTIFIER)) allm__tlex_fail(x, at, "Invalid character in identifier");
    } else if (cp == '"' || cp == '\'') {
        for (end = at + 1; end < s.len && s.ptr[end] != cp; end++) end += s.ptr[end] == '\\';
        if (end < s.len) {
            tok->type = ALLM__TK_STRING, tok->text = allm__str(s.ptr + at + 1, end - at - 1), x->pos = end + 1;
            return;
        }
    }
    for (size_t i = 0; !n && i < ALLM__COUNT(operators); i++)
        if (allm__tlex_is(x, at, operators[i])) {
            n = strlen(operators[i]), tok->type = (allm__ttype)types[i];
            allm__tlex_bracket(x, s.ptr[at], at);
        }
    if (!n) allm__tlex_fail(x, at, "unexpected char '%.*s'", (int)allm__v_step(s.ptr[at]), s.ptr + at);
    tok->text = allm__str(s.ptr + at, n), x->pos = at + n;
}

static void allm__tlex_next(allm__tlex *x, allm__ttok *tok) {
    for (;;) {
        if (x->status) { tok->type = ALLM__TK_EOF; break; }
        if (x->has_begin) { *tok = x->begin, x->has_begin = 0; break; }
        if (x->mode != ALLM__MODE_TEXT) { allm__tlex_tag(x, tok); break; }
        if (allm__tlex_text(x, tok)) break;
    }
    if (tok->type == ALLM__TK_EOF || x->status) tok->type = ALLM__TK_EOF, tok->pos = x->last, tok->text = ALLM__S("");
    x->last = tok->pos;
}

/* The value of a string literal, as Python's unicode_escape: appended to b. */
static void allm__tlex_unescape(allm__tlex *x, const allm__ttok *tok, allm__buf *b) {
    static const char from[] = "\n\\'\"abfnrtv", to[] = "\0\\'\"\a\b\f\n\r\t\v";
    static const struct { const char *name; int32_t cp; } named[] = { /* a few of \N{...}; the whole table is not here */
        {"BULLET", 0x2022}, {"EM DASH", 0x2014}, {"EN DASH", 0x2013}, {"ELLIPSIS", 0x2026}, {"HORIZONTAL ELLIPSIS", 0x2026},
        {"NO-BREAK SPACE", 0xa0}, {"ZERO WIDTH SPACE", 0x200b}, {"FULLWIDTH VERTICAL LINE", 0xff5c},
        {"LOWER ONE EIGHTH BLOCK", 0x2581}, {"RIGHTWARDS ARROW", 0x2192}, {"LEFT DOUBLE QUOTATION MARK", 0x201c},
        {"RIGHT DOUBLE QUOTATION MARK", 0x201d}, {"LEFT SINGLE QUOTATION MARK", 0x2018},
        {"RIGHT SINGLE QUOTATION MARK", 0x2019}, {"DEGREE SIGN", 0xb0}, {"REPLACEMENT CHARACTER", 0xfffd}};
    allm_str s = tok->text;
    for (size_t i = 0; i < s.len && !x->status;) {
        size_t at = allm__str_find(s, ALLM__S("\\"), i);
        if (at == SIZE_MAX) at = s.len;
        allm__buf_put(b, s.ptr + i, at - i);
        if (at + 1 >= s.len) break;
        char        c       = s.ptr[at + 1];
        const char *special = c ? (const char *)memchr(from, c, sizeof from - 1) : NULL;
        int32_t     cp = 0;
        int         n = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
        i = at + 2;
        if (special) {
            if (c != '\n') allm__buf_putc(b, to[special - from]);
        } else if (n) {
            int64_t v = 0;
            for (int k = 0; k < n; k++, i++) {
                char h = i < s.len ? s.ptr[i] : 0, l = (char)(h | 32);
                int  d = h >= '0' && h <= '9' ? h - '0' : l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
                if (d < 0) { allm__tlex_fail(x, tok->pos, "truncated \\%c escape", c); return; }
                v = v * 16 + d;
            }
            if (v > 0x10ffff) { allm__tlex_fail(x, tok->pos, "illegal Unicode character"); return; }
            cp = v >= 0xd800 && v <= 0xdfff ? 0xfffd : (int32_t)v;
            allm__buf_put_cp(b, cp);
        } else if (c >= '0' && c <= '7') {
            for (i = at + 1; i < at + 4 && i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '7'; i++) cp = cp * 8 + (s.ptr[i] - '0');
            allm__buf_put_cp(b, cp);
        } else if (c == 'N') {
            size_t   end = allm__str_find(s, ALLM__S("}"), i);
            allm_str name = i < s.len && s.ptr[i] == '{' && end != SIZE_MAX ? allm__str(s.ptr + i + 1, end - i - 1) : ALLM__S("");
            for (size_t k = 0; k < ALLM__COUNT(named); k++)
                if (allm__str_eq(name, allm__str_of(named[k].name))) cp = named[k].cp;
            if (!cp) { allm__tlex_fail(x, tok->pos, name.len ? "unknown Unicode character name" : "malformed \\N character escape"); return; }
            allm__buf_put_cp(b, cp), i = end + 1;
        } else if ((unsigned char)c >= 0x80) { /* Python escapes it first and then sees two backslashes */
            char t[16];
            i = at + 1 + allm__utf8_next(s.ptr + at + 1, s.len - at - 1, &cp);
            snprintf(t, sizeof t, cp < 0x100 ? "\\x%02x" : cp < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)cp);
            allm__buf_puts(b, t);
        } else allm__buf_putc(b, '\\'), allm__buf_putc(b, c);
    }
}

/* ---- the parser: from tokens to bytecode in one pass. Statements have a stack of open blocks, expressions one of open
 * brackets and operators that wait for their right side. Jumps are relative, so that the code of an expression can be
 * moved by the `if` that follows it. */

typedef enum allm__top {
    ALLM__O_CONST,      /* push constant a */
    ALLM__O_LOAD,       /* push variable a */
    ALLM__O_STORE,      /* pop into variable a */
    ALLM__O_POP,
    ALLM__O_GETATTR,    /* name a of the top */
    ALLM__O_GETITEM,    /* flag 1: a slice in brackets of Python's own */
    ALLM__O_SLICE,      /* three values to a slice */
    ALLM__O_LIST, ALLM__O_TUPLE, ALLM__O_DICT, /* of a values; a pairs */
    ALLM__O_BINARY,     /* flag: which */
    ALLM__O_NEG, ALLM__O_POS, ALLM__O_NOT,
    ALLM__O_COMPARE,    /* flag: which */
    ALLM__O_CHAIN,      /* the same; false: jump a with it, else the right side stays for the next */
    ALLM__O_CONCAT,     /* ~ of a values */
    ALLM__O_JUMP, ALLM__O_JUMP_FALSE, ALLM__O_JUMP_TRUE, /* by a; the latter pop */
    ALLM__O_AND, ALLM__O_OR, /* jump a with the top if it decides, else pop */
    ALLM__O_NO_ELSE,    /* push what an if without else gives */
    ALLM__O_CALL, ALLM__O_FILTER, ALLM__O_TEST, /* info a */
    ALLM__O_OUT,        /* print the top */
    ALLM__O_TEXT,       /* print constant a */
    ALLM__O_CAPTURE, ALLM__O_CAPTURED, /* begin a text; push it */
    ALLM__O_SCOPE, ALLM__O_END_SCOPE,
    ALLM__O_UNPACK,     /* a values, the first on top */
    ALLM__O_STORE_ATTR, /* pop a namespace, and a value into its attribute a */
    ALLM__O_CHECK_NS,   /* variable a is a namespace */
    ALLM__O_FOR,        /* pop an iterable; a: condition, relative, or 0; flag 1: recursive, entered by LOOP_CALL */
    ALLM__O_NEXT,       /* push the next item, or jump a */
    ALLM__O_AGAIN,      /* end of a round: jump a */
    ALLM__O_END_FOR,    /* leave the loop; jump a if a round ran to its end */
    ALLM__O_LOOP_CALL,  /* call the recursive loop at a with the top */
    ALLM__O_WHERE,      /* return the truth of the top to the loop's iterator */
    ALLM__O_MACRO,      /* push macro a */
    ALLM__O_DEFAULT,    /* parameter n of the macro: was given: jump a */
    ALLM__O_RETURN,
    ALLM__O_BLOCK,      /* run block a; flag 1: scoped */
    ALLM__O_ESCAPE,     /* pop the new autoescape; the old is pushed */
    ALLM__O_END_ESCAPE, /* pop the old one */
    ALLM__O_RAISE,      /* pop; fail with constant a */
    ALLM__O_END
} allm__top;

/* The first names of every template. */
enum { ALLM__N_CALLER, ALLM__N_KWARGS, ALLM__N_VARARGS, ALLM__N_LOOP, ALLM__N_SELF };
static const char *const allm__n_fixed[] = {"caller", "kwargs", "varargs", "loop", "self"};

/* What waits on the expression stack: brackets first, then operators. */
enum {
    ALLM__X_ROOT, ALLM__X_PAREN, ALLM__X_LIST, ALLM__X_DICT, ALLM__X_ITEM, ALLM__X_CALL, ALLM__X_FILTER, ALLM__X_TEST,
    ALLM__X_TEST_ARG,
    ALLM__X_COND, ALLM__X_ELSE, ALLM__X_OR, ALLM__X_AND, ALLM__X_NOT, ALLM__X_COMPARE, ALLM__X_ADD, ALLM__X_CONCAT, ALLM__X_MUL,
    ALLM__X_POW, ALLM__X_UNARY
};
static const uint8_t allm__x_prec[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};

enum { ALLM__WANT, ALLM__POSTFIX, ALLM__PIPES, ALLM__OPERATOR, ALLM__ITEM_PART, ALLM__DONE }; /* where the expression parser is */
enum { ALLM__E_TUPLE = 1, ALLM__E_NO_COND = 2, ALLM__E_PIPES = 4 };          /* what kind of expression is wanted */

typedef struct allm__tx {
    uint8_t kind, op, flag, state; /* state: where to go on when the bracket closes */
    int32_t start, base;           /* code of the expression inside; of what stands before the bracket */
    int32_t n, patch, tags;        /* items; jump to set; tags below this one's */
    int32_t name;
    size_t  pos;
} allm__tx;

enum {
    ALLM__B_IF, ALLM__B_ELSE, ALLM__B_FOR, ALLM__B_FOR_ELSE, ALLM__B_MACRO, ALLM__B_CALL, ALLM__B_FILTER, ALLM__B_SET, ALLM__B_WITH,
    ALLM__B_AUTOESCAPE, ALLM__B_BLOCK, ALLM__B_GENERATION
};
static const struct { const char *tag, *end[3]; int function; } allm__b_rows[] = { /* function: no break out of it */
    {"if", {"elif", "else", "endif"}, 0}, {"if", {"endif"}, 0}, {"for", {"endfor", "else"}, 0}, {"for", {"endfor"}, 0},
    {"macro", {"endmacro"}, 1}, {"call", {"endcall"}, 1}, {"filter", {"endfilter"}, 0}, {"set", {"endset"}, 0},
    {"with", {"endwith"}, 0}, {"autoescape", {"endautoescape"}, 0}, {"block", {"endblock"}, 1}, {"generation", {"endgeneration"}, 1},
};

typedef struct allm__tb { /* an open block */
    uint8_t kind, soft, recursive;
    int32_t patch, patch_end; /* jumps to the next branch; to the end, chained */
    int32_t entry, target, n_target; /* code to go back to; what a set assigns to, in targets */
    int32_t macro;
    int32_t continues, breaks; /* chains of jumps */
    size_t  pos;
} allm__tb;

typedef struct allm__ttarget { /* NAME a; ATTR a.b; TUPLE of a */
    int32_t kind, a, b;
    size_t  pos;
} allm__ttarget;
enum { ALLM__TO_NAME, ALLM__TO_ATTR, ALLM__TO_TUPLE };

typedef struct allm__tseen { /* special names in the body of a macro */
    int32_t used, hidden; /* ALLM__T_KWARGS ... */
    int     wall;         /* a block: what is inside does not concern the macro outside */
} allm__tseen;

typedef struct allm__tp {
    allm__tlex     x;
    allm__tmpl    *t;
    allm__ttok     cur, ahead;
    int            has_ahead;
    int            soft;       /* unknown filters fail only when they run */
    int            in_for;     /* `loop` cannot be assigned to */
    int            is_call;    /* the expression just parsed ends as a call */
    int32_t        last_moving; /* the last instruction whose value is not known at compile time */
    int32_t        base;       /* where the code of the operand just read begins */
    allm__tx      *stack;
    allm__tb      *blocks;
    allm__ttag    *tags;       /* of calls that are open */
    allm__ttarget *targets;
    allm__tseen   *seen;
    int32_t       *unknown;    /* unknown filters of this expression: instructions */
    size_t n_stack, n_blocks, n_tags, n_targets, n_seen, n_unknown;
    size_t cap_stack, cap_blocks, cap_tags, cap_targets, cap_seen, cap_unknown;
    size_t         late_pos;   /* an error that syntax errors go before */
    char           late[128];
} allm__tp;

/* Appends an element to an array of the parser or the template; p->x.status tells about memory. */
static void *allm__tp_grow(allm__tp *p, void **array, size_t *n, size_t *cap, size_t size) {
    if (p->x.status || *n >= INT32_MAX || !allm__grow(p->t->host, array, cap, *n, *n + 1, size)) {
        if (!p->x.status) p->x.status = allm__fail_memory(p->x.err, *n * size);
        return NULL;
    }
    char *at = (char *)*array + *n * size;
    memset(at, 0, size);
    ++*n;
    return at;
}
#define ALLM__TP_ADD(p, owner, array, type) \
    ((type *)allm__tp_grow(p, (void **)&(owner)->array, &(owner)->n_##array, &(owner)->cap_##array, sizeof(type)))

#define ALLM__TP_FAIL(p, at, ...) allm__tlex_fail(&(p)->x, at, __VA_ARGS__)

/* An error of jinja's compiler, told when the whole template has parsed. */
static void allm__tp_late(allm__tp *p, size_t pos, const char *what, allm_str name) {
    if (p->late[0]) return;
    p->late_pos = pos;
    snprintf(p->late, sizeof p->late, what, (int)ALLM__MIN(name.len, 60), name.ptr);
}

static void allm__tp_next(allm__tp *p) {
    if (p->has_ahead) p->cur = p->ahead, p->has_ahead = 0;
    else allm__tlex_next(&p->x, &p->cur);
}

static const allm__ttok *allm__tp_look(allm__tp *p) {
    if (!p->has_ahead) allm__tlex_next(&p->x, &p->ahead), p->has_ahead = 1;
    return &p->ahead;
}

static int allm__tok_is(const allm__ttok *tok, const char *name) {
    return tok->type == ALLM__TK_NAME && allm__str_eq(tok->text, allm__str_of(name));
}
static int allm__tp_is(const allm__tp *p, const char *name) { return allm__tok_is(&p->cur, name); }

static allm_str allm__tok_text(const allm__ttok *tok) { /* for messages */
    allm_str s = tok->type == ALLM__TK_NAME ? tok->text : allm__str_of(allm__tk_names[tok->type]);
    if (s.len > 60) s.len = 60;
    return s;
}

static int allm__tp_skip(allm__tp *p, const char *name) {
    if (!allm__tp_is(p, name)) return 0;
    allm__tp_next(p);
    return 1;
}

static int allm__tp_skip_type(allm__tp *p, allm__ttype type) {
    if (p->cur.type != type) return 0;
    allm__tp_next(p);
    return 1;
}

static void allm__tp_expected(allm__tp *p, const char *what) {
    allm_str got = allm__tok_text(&p->cur);
    if (p->cur.type == ALLM__TK_EOF) ALLM__TP_FAIL(p, p->cur.pos, "unexpected end of template, expected '%s'.", what);
    else ALLM__TP_FAIL(p, p->cur.pos, "expected token '%s', got '%.*s'", what, (int)got.len, got.ptr);
}

static int allm__tp_expect(allm__tp *p, allm__ttype type) {
    if (!p->x.status && p->cur.type != type) allm__tp_expected(p, allm__tk_names[type]);
    if (p->x.status) return 0;
    allm__tp_next(p);
    return 1;
}

/* ---- names, constants, code */

static int32_t allm__tp_name(allm__tp *p, allm_str text) { /* index of a name, each once; 0 after an error */
    int32_t i = allm__map_get(&p->t->name_map, text);
    if (i >= 0 || p->x.status) return ALLM__MAX(i, 0);
    allm__val v = allm__v_text(&p->t->arena, text.ptr, text.len, 0);
    allm__val *slot = v.type == ALLM__V_STR ? ALLM__TP_ADD(p, p->t, names, allm__val) : NULL;
    if (!slot || !allm__map_put(&p->t->name_map, allm__v_str(v), (int32_t)p->t->n_names - 1, NULL)) {
        if (!p->x.status) p->x.status = allm__fail_memory(p->x.err, text.len);
        return 0;
    }
    allm__v_count(v.u.s); /* now: the template is shared between threads later */
    *slot = v;
    return (int32_t)p->t->n_names - 1;
}

static int32_t allm__tp_const(allm__tp *p, allm__val v) {
    allm__val *slot = ALLM__TP_ADD(p, p->t, consts, allm__val);
    if (!slot) return 0;
    if (v.type == ALLM__V_STR) allm__v_count(v.u.s);
    *slot = v;
    return (int32_t)p->t->n_consts - 1;
}

static int32_t allm__tp_here(const allm__tp *p) { return (int32_t)p->t->n_code; }

static int32_t allm__tp_emit(allm__tp *p, int op, int flag, int32_t a, size_t pos) { /* its index */
    allm__tins *ins = ALLM__TP_ADD(p, p->t, code, allm__tins);
    if (!ins) return 0;
    ins->op = (uint8_t)op, ins->flag = (uint8_t)flag, ins->a = a, ins->pos = (uint32_t)pos;
    if (op == ALLM__O_LOAD || op == ALLM__O_CALL) p->last_moving = allm__tp_here(p) - 1;
    p->is_call = op == ALLM__O_CALL;
    return allm__tp_here(p) - 1;
}

static void allm__tp_emit_const(allm__tp *p, allm__val v, size_t pos) { allm__tp_emit(p, ALLM__O_CONST, 0, allm__tp_const(p, v), pos); }

/* A jump to a place behind, or (to < 0) to one that comes: chained with others through `a` until allm__tp_patch. */
static int32_t allm__tp_jump(allm__tp *p, int op, int32_t to, size_t pos) {
    int32_t here = allm__tp_here(p);
    return allm__tp_emit(p, op, 0, to < 0 ? 0 : to - here, pos);
}

static int32_t allm__tp_chain(allm__tp *p, int op, int32_t chain, size_t pos) { /* chain: the last such jump, or 0 */
    int32_t at = allm__tp_emit(p, op, 0, 0, pos);
    if (!p->x.status) p->t->code[at].a = chain ? chain - at : 0;
    return at;
}

static void allm__tp_patch(allm__tp *p, int32_t chain) { /* they come here */
    while (chain && !p->x.status) {
        allm__tins *ins  = &p->t->code[chain];
        int32_t     next = ins->a ? chain + ins->a : 0;
        ins->a = allm__tp_here(p) - chain;
        chain  = next;
    }
}

/* Room for one instruction at `at`: what is there moves. All jumps into or out of it are set or set later. */
static void allm__tp_insert(allm__tp *p, int32_t at, int op, size_t pos) {
    allm__tp_emit(p, op, 0, 0, pos);
    if (p->x.status) return;
    allm__tins ins = p->t->code[p->t->n_code - 1];
    memmove(p->t->code + at + 1, p->t->code + at, (p->t->n_code - 1 - (size_t)at) * sizeof ins);
    p->t->code[at] = ins;
    if (p->last_moving >= at) p->last_moving++;
}

/* caller, kwargs, varargs: a macro takes them if its body reads them before it assigns to them. */
static int32_t allm__tp_special(allm_str name) {
    return allm__str_eq(name, ALLM__S("caller")) ? ALLM__T_CALLER : allm__str_eq(name, ALLM__S("kwargs")) ? ALLM__T_KWARGS
         : allm__str_eq(name, ALLM__S("varargs")) ? ALLM__T_VARARGS : 0;
}

static void allm__tp_see(allm__tp *p, allm_str name, int is_load) {
    int32_t bit = allm__tp_special(name);
    for (size_t i = p->n_seen; bit && i-- > 0 && !p->seen[i].wall;)
        if (!is_load) p->seen[i].hidden |= bit;
        else if (!(p->seen[i].hidden & bit)) p->seen[i].used |= bit;
}

/* ---- expressions */

static allm__tx *allm__tx_push(allm__tp *p, int kind, size_t pos) {
    allm__tx *e = ALLM__TP_ADD(p, p, stack, allm__tx);
    if (!e) return NULL;
    e->kind = (uint8_t)kind, e->pos = pos, e->start = e->base = allm__tp_here(p), e->tags = (int32_t)p->n_tags;
    return e;
}

static allm__tx *allm__tx_top(allm__tp *p) { return &p->stack[p->n_stack - 1]; }

static int allm__tx_want(allm__tp *p) { /* another expression begins in the bracket */
    allm__tx_top(p)->start = allm__tp_here(p);
    return ALLM__WANT;
}

static int allm__tx_tuple_end(const allm__tp *p) {
    return p->cur.type == ALLM__TK_VAR_END || p->cur.type == ALLM__TK_BLOCK_END || p->cur.type == ALLM__TK_RPAREN;
}

/* The bytes of adjacent string literals. */
static void allm__tx_string(allm__tp *p) {
    allm__buf b;
    size_t    pos = p->cur.pos;
    memset(&b, 0, sizeof b);
    b.host = p->t->host;
    for (; p->cur.type == ALLM__TK_STRING && !p->x.status; allm__tp_next(p)) allm__tlex_unescape(&p->x, &p->cur, &b);
    allm__val v = b.failed ? allm__v_undef() : allm__v_text(&p->t->arena, b.ptr ? b.ptr : "", b.len, 0);
    allm__buf_free(&b);
    if (v.type == ALLM__V_STR) allm__tp_emit_const(p, v, pos);
    else if (!p->x.status) p->x.status = allm__fail_memory(p->x.err, b.len);
}

static void allm__tx_number(allm__tp *p) {
    allm_str     s = p->cur.text;
    allm__bigtmp b;
    allm__val    v = allm__v_undef();
    double       f;
    if (p->cur.type == ALLM__TK_INT) {
        char   c    = s.len > 1 ? (char)(s.ptr[1] | 32) : 0;
        int    base = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 10;
        size_t skip = base == 10 ? 0 : s.len > 2 && s.ptr[2] == '_' ? 3 : 2;
        allm__big_parse(allm__str(s.ptr + skip, s.len - skip), base, &b);
        if (b.over) { ALLM__TP_FAIL(p, p->cur.pos, "integer of more than %d digits", ALLM__BIG_MAX * 9); return; }
        v = allm__big_store(&p->t->arena, &b);
    } else if (!allm__parse_float(s, &f)) { ALLM__TP_FAIL(p, p->cur.pos, "a number too long"); return; }
    else v = allm__v_float(f);
    if (v.type == ALLM__V_UNDEF) { p->x.status = allm__fail_memory(p->x.err, sizeof b); return; }
    allm__tp_emit_const(p, v, p->cur.pos);
    allm__tp_next(p);
}

static void allm__tx_name(allm__tp *p) {
    static const struct { const char *name; int32_t type, i; } table[] = {
        {"true", ALLM__V_BOOL, 1}, {"True", ALLM__V_BOOL, 1}, {"false", ALLM__V_BOOL, 0}, {"False", ALLM__V_BOOL, 0},
        {"none", ALLM__V_NONE, 0}, {"None", ALLM__V_NONE, 0}};
    size_t i = 0;
    while (i < ALLM__COUNT(table) && !allm__tp_is(p, table[i].name)) i++;
    if (i < ALLM__COUNT(table)) allm__tp_emit_const(p, allm__v_of(table[i].type, table[i].i), p->cur.pos);
    else {
        allm__tp_see(p, p->cur.text, 1);
        allm__tp_emit(p, ALLM__O_LOAD, 0, allm__tp_name(p, p->cur.text), p->cur.pos);
    }
    allm__tp_next(p);
}

/* The arguments of an open call were read: the table gets them. */
static int32_t allm__tx_info(allm__tp *p, const allm__tx *e, const allm__tfn *fn, int32_t name) {
    int32_t first = (int32_t)p->t->n_tags;
    for (size_t i = (size_t)e->tags; i < p->n_tags; i++) {
        allm__ttag *tag = ALLM__TP_ADD(p, p->t, tags, allm__ttag);
        if (tag) *tag = p->tags[i];
        for (size_t k = (size_t)e->tags; tag && tag->kind == ALLM__TAG_KW && k < i; k++)
            if (p->tags[k].kind == ALLM__TAG_KW && p->tags[k].name == tag->name) ALLM__TP_FAIL(p, e->pos, "keyword argument repeated");
    }
    allm__tinfo *info = ALLM__TP_ADD(p, p->t, infos, allm__tinfo);
    if (!info) return 0;
    info->tag = first, info->n_tags = (int32_t)p->n_tags - e->tags, info->fn = fn, info->name = name;
    p->n_tags = (size_t)e->tags;
    return (int32_t)p->t->n_infos - 1;
}

/* A call, filter or test is complete. e: a copy of its bracket. */
static void allm__tx_finish_call(allm__tp *p, const allm__tx *e) {
    const allm__tfn *fn = NULL;
    int              is_filter = e->kind == ALLM__X_FILTER, is_call = e->kind == ALLM__X_CALL;
    if (!is_call) {
        allm_str name = p->x.status ? ALLM__S("") : allm__v_str(p->t->names[e->name]);
        fn = is_filter ? allm__fn_find(allm__filters, ALLM__COUNT(allm__filters), name)
                       : allm__fn_find(allm__tests, ALLM__COUNT(allm__tests), name);
    }
    int32_t info = allm__tx_info(p, e, fn, e->name);
    int32_t at   = allm__tp_emit(p, is_call ? ALLM__O_CALL : is_filter ? ALLM__O_FILTER : ALLM__O_TEST, 0, info, e->pos);
    if (!is_call && !fn && !p->soft) {
        int soft = 0;
        for (size_t i = p->n_stack; i-- > 0 && !soft;) soft = p->stack[i].kind == ALLM__X_COND || p->stack[i].kind == ALLM__X_ELSE;
        int32_t *slot = soft ? NULL : ALLM__TP_ADD(p, p, unknown, int32_t);
        if (slot) *slot = at;
    }
    if (e->flag) allm__tp_emit(p, ALLM__O_NOT, 0, 0, e->pos); /* is not */
}

/* At the beginning of an argument, or at the bracket that closes them. */
static int allm__tx_argument(allm__tp *p) {
    allm__tx *e = allm__tx_top(p);
    if (p->cur.type == ALLM__TK_RPAREN) {
        allm__tx done = *e;
        p->n_stack--;
        allm__tp_next(p);
        allm__tx_finish_call(p, &done);
        return done.state;
    }
    allm__ttag tag  = {ALLM__TAG_POS, 0};
    int        seen = e->op; /* kinds before this one */
    if (p->n_tags - (size_t)e->tags >= 1000) ALLM__TP_FAIL(p, p->cur.pos, "more than 1000 arguments");
    if (p->cur.type == ALLM__TK_MUL) tag.kind = ALLM__TAG_STAR;
    else if (p->cur.type == ALLM__TK_POW) tag.kind = ALLM__TAG_STAR2;
    else if (p->cur.type == ALLM__TK_NAME && allm__tp_look(p)->type == ALLM__TK_ASSIGN) tag.kind = ALLM__TAG_KW;
    int star = seen & 1 << ALLM__TAG_STAR, star2 = seen & 1 << ALLM__TAG_STAR2;
    if (star2 || (star && tag.kind != ALLM__TAG_KW && tag.kind != ALLM__TAG_STAR2) ||
        ((seen & 1 << ALLM__TAG_KW) && tag.kind == ALLM__TAG_POS))
        ALLM__TP_FAIL(p, p->cur.pos, "invalid syntax for function call expression");
    e->op |= (uint8_t)(1 << tag.kind);
    if (tag.kind == ALLM__TAG_KW) tag.name = allm__tp_name(p, p->cur.text), allm__tp_next(p);
    if (tag.kind != ALLM__TAG_POS) allm__tp_next(p);
    allm__ttag *slot = ALLM__TP_ADD(p, p, tags, allm__ttag);
    if (slot) *slot = tag;
    return allm__tx_want(p);
}

static int allm__tx_open_call(allm__tp *p, int kind, int state, int32_t name, size_t pos) {
    allm__tx *e = allm__tx_push(p, kind, pos);
    if (!e) return ALLM__DONE;
    e->state = (uint8_t)state, e->name = name;
    allm__tp_next(p);
    return allm__tx_argument(p);
}

/* A subscript: flag counts the parts of a slice that were read, 0: it is none so far. */
static int allm__tx_item_end(allm__tp *p) { /* one of the things between the brackets is complete */
    allm__tx *e = allm__tx_top(p);
    e->n++;
    if (p->cur.type != ALLM__TK_RBRACKET) {
        if (!allm__tp_expect(p, ALLM__TK_COMMA)) return ALLM__DONE;
        e->flag = 0, e->op = 0; /* op: the last was a slice */
        if (p->cur.type != ALLM__TK_COLON) return allm__tx_want(p);
        allm__tp_emit_const(p, allm__v_none(), e->pos); /* [.., :..] */
        return ALLM__ITEM_PART;
    }
    allm__tx done = *e;
    p->n_stack--;
    p->base = done.base;
    allm__tp_next(p);
    if (done.n != 1) allm__tp_emit(p, ALLM__O_TUPLE, 0, done.n, done.pos);
    allm__tp_emit(p, ALLM__O_GETITEM, done.n == 1 && done.op && p->last_moving >= done.base, 0, done.pos);
    return ALLM__POSTFIX;
}

/* A part of a subscript was read, or is left out; the next tokens tell what it was. */
static int allm__tx_item_part(allm__tp *p) {
    allm__tx *e = allm__tx_top(p);
    if (e->flag == 0) {
        if (!allm__tp_skip_type(p, ALLM__TK_COLON)) return e->op = 0, allm__tx_item_end(p);
        e->flag = 1;
        if (p->cur.type != ALLM__TK_COLON && p->cur.type != ALLM__TK_RBRACKET && p->cur.type != ALLM__TK_COMMA) return allm__tx_want(p);
        allm__tp_emit_const(p, allm__v_none(), e->pos);
    }
    if (e->flag == 1) { /* start and stop are there */
        e->flag = 2;
        if (allm__tp_skip_type(p, ALLM__TK_COLON) && p->cur.type != ALLM__TK_RBRACKET && p->cur.type != ALLM__TK_COMMA)
            return allm__tx_want(p);
        allm__tp_emit_const(p, allm__v_none(), e->pos);
    }
    allm__tp_emit(p, ALLM__O_SLICE, 0, 0, e->pos);
    e->flag = 0, e->op = 1;
    return allm__tx_item_end(p);
}

static int allm__tx_open_item(allm__tp *p) {
    size_t    pos = p->cur.pos;
    allm__tx *e   = allm__tx_push(p, ALLM__X_ITEM, pos);
    if (!e) return ALLM__DONE;
    e->base = p->base;
    allm__tp_next(p);
    if (p->cur.type == ALLM__TK_RBRACKET) return e->n = -1, allm__tx_item_end(p); /* a[]: an empty tuple */
    if (p->cur.type != ALLM__TK_COLON) return allm__tx_want(p);
    allm__tp_emit_const(p, allm__v_none(), pos); /* a[:..] */
    return allm__tx_item_part(p);
}

/* The value of a bracket that builds something. */
static int allm__tx_close(allm__tp *p, int op, int32_t n) {
    allm__tx e = *allm__tx_top(p);
    p->n_stack--;
    p->base = e.base;
    allm__tp_next(p);
    if (op >= 0) allm__tp_emit(p, op, 0, n, e.pos);
    return ALLM__POSTFIX;
}

/* At the beginning of an operand. */
static int allm__tx_operand(allm__tp *p) {
    allm__tx   *top  = allm__tx_top(p);
    allm__ttype type = p->cur.type;
    size_t      pos  = p->cur.pos;
    if (allm__tp_is(p, "not") && top->kind != ALLM__X_TEST_ARG && allm__x_prec[top->kind] < allm__x_prec[ALLM__X_COMPARE]) {
        allm__tx_push(p, ALLM__X_NOT, pos), allm__tp_next(p);
        return ALLM__WANT;
    }
    if ((type == ALLM__TK_SUB || type == ALLM__TK_ADD) && top->kind != ALLM__X_TEST_ARG) {
        allm__tx *e = allm__tx_push(p, ALLM__X_UNARY, pos);
        if (e) e->op = type == ALLM__TK_SUB ? ALLM__O_NEG : ALLM__O_POS;
        allm__tp_next(p);
        return ALLM__WANT;
    }
    p->base = allm__tp_here(p);
    switch (type) {
    case ALLM__TK_NAME: allm__tx_name(p); return ALLM__POSTFIX;
    case ALLM__TK_STRING: allm__tx_string(p); return ALLM__POSTFIX;
    case ALLM__TK_INT:
    case ALLM__TK_FLOAT: allm__tx_number(p); return ALLM__POSTFIX;
    case ALLM__TK_LPAREN:
        allm__tx_push(p, ALLM__X_PAREN, pos), allm__tp_next(p);
        if (p->x.status || p->cur.type != ALLM__TK_RPAREN) return ALLM__WANT;
        return allm__tx_close(p, ALLM__O_TUPLE, 0);
    case ALLM__TK_LBRACKET:
        allm__tx_push(p, ALLM__X_LIST, pos), allm__tp_next(p);
        if (p->x.status || p->cur.type != ALLM__TK_RBRACKET) return ALLM__WANT;
        return allm__tx_close(p, ALLM__O_LIST, 0);
    case ALLM__TK_LBRACE:
        allm__tx_push(p, ALLM__X_DICT, pos), allm__tp_next(p);
        if (p->x.status || p->cur.type != ALLM__TK_RBRACE) return ALLM__WANT;
        return allm__tx_close(p, ALLM__O_DICT, 0);
    default: {
        allm_str got = allm__tok_text(&p->cur);
        if (top->kind == ALLM__X_ROOT && top->flag & ALLM__E_TUPLE && top->n == 0 && allm__tx_tuple_end(p) && top->start == allm__tp_here(p) && !top->op)
            ALLM__TP_FAIL(p, pos, "Expected an expression, got '%.*s'", (int)got.len, got.ptr);
        else ALLM__TP_FAIL(p, pos, "unexpected '%.*s'", (int)got.len, got.ptr);
        return ALLM__DONE;
    }
    }
}

/* Behind an operand: what binds to it at once. */
static int allm__tx_postfix(allm__tp *p) {
    allm__tx *top = allm__tx_top(p);
    size_t    pos = p->cur.pos;
    int64_t   number;
    if (p->cur.type == ALLM__TK_DOT) {
        allm__tp_next(p);
        if (p->cur.type == ALLM__TK_NAME) allm__tp_emit(p, ALLM__O_GETATTR, 0, allm__tp_name(p, p->cur.text), p->cur.pos);
        else if (p->cur.type == ALLM__TK_INT && allm__int_parse(p->cur.text, &number)) {
            allm__tp_emit_const(p, allm__v_int(number), pos);
            allm__tp_emit(p, ALLM__O_GETITEM, 0, 0, pos);
        } else ALLM__TP_FAIL(p, p->cur.pos, "expected name or number");
        allm__tp_next(p);
        return ALLM__POSTFIX;
    }
    if (p->cur.type == ALLM__TK_LBRACKET) return allm__tx_open_item(p);
    if (p->cur.type == ALLM__TK_LPAREN) return allm__tx_open_call(p, ALLM__X_CALL, ALLM__POSTFIX, 0, pos);
    if (top->kind == ALLM__X_TEST_ARG) { /* x is divisibleby 3 */
        allm__tx    done = *top;
        allm__ttag *slot = ALLM__TP_ADD(p, p, tags, allm__ttag);
        p->n_stack--;
        if (slot) slot->kind = ALLM__TAG_POS;
        done.kind = ALLM__X_TEST;
        allm__tx_finish_call(p, &done);
        return ALLM__PIPES;
    }
    for (; p->n_stack && allm__tx_top(p)->kind == ALLM__X_UNARY && !p->x.status; p->n_stack--)
        allm__tp_emit(p, allm__tx_top(p)->op, 0, 0, allm__tx_top(p)->pos);
    return ALLM__PIPES;
}

/* The dotted name of a filter or test. */
static int32_t allm__tx_dotted(allm__tp *p) {
    size_t from = p->cur.pos, to = p->cur.pos + p->cur.text.len;
    if (!allm__tp_expect(p, ALLM__TK_NAME)) return 0;
    if (p->cur.type != ALLM__TK_DOT) return allm__tp_name(p, allm__str(p->t->source.ptr + from, to - from));
    while (p->cur.type == ALLM__TK_DOT && !p->x.status) {
        allm__tp_next(p);
        to = p->cur.pos + p->cur.text.len;
        allm__tp_expect(p, ALLM__TK_NAME);
    }
    return allm__tp_name(p, allm__str(p->t->source.ptr + from, to - from));
}

static int allm__tx_filter(allm__tp *p) { /* at the name of a filter */
    size_t  pos  = p->cur.pos;
    int32_t name = allm__tx_dotted(p);
    if (p->cur.type == ALLM__TK_LPAREN) return allm__tx_open_call(p, ALLM__X_FILTER, ALLM__PIPES, name, pos);
    allm__tx *e = allm__tx_push(p, ALLM__X_FILTER, pos);
    if (!e) return ALLM__DONE;
    e->name = name;
    allm__tx done = *e;
    p->n_stack--;
    allm__tx_finish_call(p, &done);
    return ALLM__PIPES;
}

static int allm__tx_test(allm__tp *p) { /* behind `is` */
    size_t      pos = p->cur.pos;
    int         negated = allm__tp_skip(p, "not");
    int32_t     name = allm__tx_dotted(p);
    allm__ttype type = p->cur.type;
    int         argument = type == ALLM__TK_STRING || type == ALLM__TK_INT || type == ALLM__TK_FLOAT || type == ALLM__TK_LBRACKET ||
                   type == ALLM__TK_LBRACE || (type == ALLM__TK_NAME && !allm__tp_is(p, "else") && !allm__tp_is(p, "or") && !allm__tp_is(p, "and"));
    if (type == ALLM__TK_NAME && allm__tp_is(p, "is")) ALLM__TP_FAIL(p, p->cur.pos, "You cannot chain multiple tests with is");
    if (type == ALLM__TK_LPAREN) {
        allm__tx *e = allm__tx_push(p, ALLM__X_TEST, pos);
        if (!e) return ALLM__DONE;
        e->state = ALLM__PIPES, e->name = name, e->flag = (uint8_t)negated;
        allm__tp_next(p);
        return allm__tx_argument(p);
    }
    allm__tx *e = allm__tx_push(p, argument ? ALLM__X_TEST_ARG : ALLM__X_TEST, pos);
    if (!e) return ALLM__DONE;
    e->name = name, e->flag = (uint8_t)negated;
    if (argument) return ALLM__WANT;
    allm__tx done = *e;
    p->n_stack--;
    allm__tx_finish_call(p, &done);
    return ALLM__PIPES;
}

/* Behind an operand with its signs: filters, tests, and calls of their results. */
static int allm__tx_pipes(allm__tp *p) {
    int only = allm__tx_top(p)->kind == ALLM__X_ROOT && allm__tx_top(p)->flag & ALLM__E_PIPES;
    if (p->cur.type == ALLM__TK_PIPE) return allm__tp_next(p), allm__tx_filter(p);
    if (only) return p->n_stack--, ALLM__DONE;
    if (allm__tp_is(p, "is")) return allm__tp_next(p), allm__tx_test(p);
    if (p->cur.type == ALLM__TK_LPAREN) return allm__tx_open_call(p, ALLM__X_CALL, ALLM__PIPES, 0, p->cur.pos);
    return ALLM__OPERATOR;
}

/* Completes the operators that bind at least as tightly as prec; brackets and conditions stay. */
static void allm__tx_reduce(allm__tp *p, int prec) {
    while (!p->x.status && allm__x_prec[allm__tx_top(p)->kind] >= prec) {
        allm__tx e = *allm__tx_top(p);
        p->n_stack--;
        switch (e.kind) {
        case ALLM__X_NOT: allm__tp_emit(p, ALLM__O_NOT, 0, 0, e.pos); break;
        case ALLM__X_COMPARE:
            allm__tp_emit(p, ALLM__O_COMPARE, e.op, 0, e.pos);
            allm__tp_patch(p, e.patch);
            break;
        case ALLM__X_CONCAT: allm__tp_emit(p, ALLM__O_CONCAT, 0, e.n, e.pos); break;
        case ALLM__X_AND:
        case ALLM__X_OR: allm__tp_patch(p, e.patch); break;
        default: allm__tp_emit(p, ALLM__O_BINARY, e.op, 0, e.pos);
        }
        p->is_call = 0;
    }
}

/* Ends a condition without else, if one is open. The code then runs: jump to the test; value; jump to the end; test. */
static void allm__tx_end_test(allm__tp *p, const allm__tx *e) {
    allm__tp_jump(p, ALLM__O_JUMP_TRUE, e->start + 1, e->pos);
}

static void allm__tx_end_cond(allm__tp *p) { /* the top is COND or ELSE */
    allm__tx e = *allm__tx_top(p);
    p->n_stack--;
    if (e.kind == ALLM__X_COND) {
        allm__tx_end_test(p, &e);
        allm__tp_emit(p, ALLM__O_NO_ELSE, 0, 0, e.pos);
    }
    allm__tp_patch(p, e.patch);
    p->is_call = 0;
}

/* x if ...: the code of x, from start on, is put behind the test. */
static int allm__tx_if(allm__tp *p) {
    int32_t start = allm__tx_top(p)->start;
    size_t  pos   = p->cur.pos;
    while (p->n_unknown && p->unknown[p->n_unknown - 1] >= start) p->n_unknown--; /* x runs only if the test says so */
    allm__tp_insert(p, start, ALLM__O_JUMP, pos);
    int32_t   end = allm__tp_emit(p, ALLM__O_JUMP, 0, 0, pos);
    allm__tx *e   = allm__tx_push(p, ALLM__X_COND, pos);
    if (!e) return ALLM__DONE;
    p->t->code[start].a = allm__tp_here(p) - start;
    e->start = start, e->patch = end;
    allm__tp_next(p);
    return ALLM__WANT;
}

static int allm__tx_else(allm__tp *p) { /* the top is COND */
    allm__tx *e = allm__tx_top(p);
    allm__tx_end_test(p, e);
    e->kind = ALLM__X_ELSE, e->start = allm__tp_here(p);
    allm__tp_next(p);
    return ALLM__WANT;
}

/* An expression is complete: the innermost bracket goes on, or closes. */
static int allm__tx_complete(allm__tp *p) {
    while (!p->x.status && (allm__tx_top(p)->kind == ALLM__X_COND || allm__tx_top(p)->kind == ALLM__X_ELSE)) allm__tx_end_cond(p);
    allm__tx   *e     = allm__tx_top(p);
    allm__ttype type  = p->cur.type;
    int         comma = type == ALLM__TK_COMMA;
    if (p->x.status) return ALLM__DONE;
    switch (e->kind) {
    case ALLM__X_ROOT:
        if (comma && e->flag & ALLM__E_TUPLE) {
            e->n++, e->op = 1;
            allm__tp_next(p);
            if (!allm__tx_tuple_end(p)) return allm__tx_want(p);
        } else if (e->op) e->n++;
        if (e->op) allm__tp_emit(p, ALLM__O_TUPLE, 0, e->n, e->pos);
        p->n_stack--;
        return ALLM__DONE;
    case ALLM__X_PAREN:
        if (comma) {
            e->n++, e->op = 1;
            allm__tp_next(p);
            if (p->cur.type != ALLM__TK_RPAREN) return allm__tx_want(p);
        } else {
            if (type != ALLM__TK_RPAREN) return allm__tp_expected(p, ")"), ALLM__DONE;
            e->n++;
            if (!e->op) { /* only grouping */
                int is_call = p->is_call, state = allm__tx_close(p, -1, 0);
                p->is_call = is_call;
                return state;
            }
        }
        return allm__tx_close(p, ALLM__O_TUPLE, e->n);
    case ALLM__X_LIST:
        e->n++;
        if (comma) {
            allm__tp_next(p);
            if (p->cur.type != ALLM__TK_RBRACKET) return allm__tx_want(p);
        } else if (type != ALLM__TK_RBRACKET) return allm__tp_expected(p, ","), ALLM__DONE;
        return allm__tx_close(p, ALLM__O_LIST, e->n);
    case ALLM__X_DICT:
        if (!e->flag) {
            e->flag = 1;
            return allm__tp_expect(p, ALLM__TK_COLON) ? allm__tx_want(p) : ALLM__DONE;
        }
        e->flag = 0, e->n++;
        if (comma) {
            allm__tp_next(p);
            if (p->cur.type != ALLM__TK_RBRACE) return allm__tx_want(p);
        } else if (type != ALLM__TK_RBRACE) return allm__tp_expected(p, ","), ALLM__DONE;
        return allm__tx_close(p, ALLM__O_DICT, e->n);
    case ALLM__X_ITEM: return allm__tx_item_part(p);
    default: /* CALL, FILTER, TEST */
        if (comma) allm__tp_next(p);
        else if (type != ALLM__TK_RPAREN) return allm__tp_expected(p, ","), ALLM__DONE;
        return allm__tx_argument(p);
    }
}

/* The operator at the current token: its kind on the stack, 0: none; *op: which of the kind. */
static int allm__tx_binary_op(allm__tp *p, uint8_t *op) {
    switch (p->cur.type) {
    case ALLM__TK_ADD: return *op = ALLM__ADD_, ALLM__X_ADD;
    case ALLM__TK_SUB: return *op = ALLM__SUB_, ALLM__X_ADD;
    case ALLM__TK_MUL: return *op = ALLM__MUL_, ALLM__X_MUL;
    case ALLM__TK_DIV: return *op = ALLM__DIV_, ALLM__X_MUL;
    case ALLM__TK_FLOORDIV: return *op = ALLM__FLOORDIV_, ALLM__X_MUL;
    case ALLM__TK_MOD: return *op = ALLM__MOD_, ALLM__X_MUL;
    case ALLM__TK_POW: return *op = ALLM__POW_, ALLM__X_POW;
    case ALLM__TK_TILDE: return ALLM__X_CONCAT;
    case ALLM__TK_EQ: return *op = ALLM__EQ, ALLM__X_COMPARE;
    case ALLM__TK_NE: return *op = ALLM__NE, ALLM__X_COMPARE;
    case ALLM__TK_LT: return *op = ALLM__LT, ALLM__X_COMPARE;
    case ALLM__TK_LE: return *op = ALLM__LE, ALLM__X_COMPARE;
    case ALLM__TK_GT: return *op = ALLM__GT, ALLM__X_COMPARE;
    case ALLM__TK_GE: return *op = ALLM__GE, ALLM__X_COMPARE;
    case ALLM__TK_NAME:
        if (allm__tp_is(p, "in")) return *op = ALLM__IN, ALLM__X_COMPARE;
        if (allm__tp_is(p, "not") && allm__tok_is(allm__tp_look(p), "in")) return allm__tp_next(p), *op = ALLM__NOT_IN, ALLM__X_COMPARE;
        return allm__tp_is(p, "and") ? ALLM__X_AND : allm__tp_is(p, "or") ? ALLM__X_OR : 0;
    default: return 0;
    }
}

/* Behind an operand with all that binds to it. */
static int allm__tx_operator(allm__tp *p) {
    uint8_t op   = 0;
    size_t  pos  = p->cur.pos;
    int     kind = allm__tx_binary_op(p, &op);
    if (!kind) {
        allm__tx_reduce(p, allm__x_prec[ALLM__X_OR]);
        if (p->x.status) return ALLM__DONE;
        if (allm__tp_is(p, "if")) {
            while (allm__tx_top(p)->kind == ALLM__X_COND && !p->x.status) allm__tx_end_cond(p); /* a if b if c */
            allm__tx *e = allm__tx_top(p);
            if (!(e->kind == ALLM__X_ROOT && e->flag & ALLM__E_NO_COND)) return allm__tx_if(p);
        }
        if (allm__tp_is(p, "else") && allm__tx_top(p)->kind == ALLM__X_COND) return allm__tx_else(p);
        return allm__tx_complete(p);
    }
    /* of the same kind: + - * / ** and or are done from the left; ~ and comparisons go on as one */
    int together = kind == ALLM__X_CONCAT || kind == ALLM__X_COMPARE;
    allm__tx_reduce(p, allm__x_prec[kind] + together);
    if (p->x.status) return ALLM__DONE;
    allm__tx *e = allm__tx_top(p);
    if (e->kind == ALLM__X_CONCAT && kind == ALLM__X_CONCAT) e->n++;
    else if (e->kind == ALLM__X_COMPARE && kind == ALLM__X_COMPARE) {
        int32_t chain = e->patch;
        int     last  = e->op;
        int32_t at    = allm__tp_chain(p, ALLM__O_CHAIN, chain, e->pos);
        if (!p->x.status) p->t->code[at].flag = (uint8_t)last;
        e->patch = at, e->op = op;
    } else {
        int32_t patch = kind == ALLM__X_AND || kind == ALLM__X_OR
                          ? allm__tp_emit(p, kind == ALLM__X_AND ? ALLM__O_AND : ALLM__O_OR, 0, 0, pos) : 0;
        e = allm__tx_push(p, kind, pos);
        if (e) e->op = op, e->n = 2, e->patch = patch;
    }
    allm__tp_next(p);
    return ALLM__WANT;
}

/* An expression as `flags` say; its code leaves one value. */
static void allm__tp_expr(allm__tp *p, int flags) {
    int       state  = ALLM__WANT;
    size_t    floor_ = p->n_stack;
    allm__tx *root  = allm__tx_push(p, ALLM__X_ROOT, p->cur.pos);
    if (!root) return;
    root->flag = (uint8_t)flags;
    p->n_unknown = 0;
    if (flags & ALLM__E_PIPES) state = p->cur.type == ALLM__TK_PIPE ? ALLM__PIPES : allm__tx_filter(p);
    while (state != ALLM__DONE && !p->x.status) {
        switch (state) {
        case ALLM__WANT: state = allm__tx_operand(p); break;
        case ALLM__POSTFIX: state = allm__tx_postfix(p); break;
        case ALLM__PIPES: state = allm__tx_pipes(p); break;
        case ALLM__ITEM_PART: state = allm__tx_item_part(p); break;
        default: state = allm__tx_operator(p);
        }
    }
    if (p->n_stack > floor_) p->n_stack = floor_;
    if (p->n_unknown && !p->x.status) {
        const allm__tins *ins = &p->t->code[p->unknown[0]];
        allm__tp_late(p, ins->pos, ins->op == ALLM__O_FILTER ? "No filter named '%.*s'." : "No test named '%.*s'.",
                      allm__v_str(p->t->names[p->t->infos[ins->a].name]));
    }
}

/* ---- statements */

static allm__tb *allm__tb_top(allm__tp *p) { return p->n_blocks ? &p->blocks[p->n_blocks - 1] : NULL; }

static allm__tb *allm__tb_open(allm__tp *p, int kind, size_t pos) {
    if (p->n_blocks >= ALLM__T_DEPTH) {
        ALLM__TP_FAIL(p, pos, "blocks are nested deeper than %d levels", ALLM__T_DEPTH);
        return NULL;
    }
    allm__tb *b = ALLM__TP_ADD(p, p, blocks, allm__tb);
    if (!b) return NULL;
    b->kind = (uint8_t)kind, b->soft = (uint8_t)p->soft, b->pos = pos;
    p->soft = kind == ALLM__B_IF;
    return b;
}

static void allm__tb_close(allm__tp *p) {
    p->soft = allm__tb_top(p)->soft;
    p->n_blocks--;
}

/* Reads what is assigned to, into p->targets. dots: ns.a is meant; else only names. Returns how many. */
static int32_t allm__tp_target(allm__tp *p, int dots) {
    size_t  first = p->n_targets, open[32], n_open = 0;
    int32_t top_level = 1, commas = 0;
    for (; !p->x.status;) {
        size_t         pos = p->cur.pos;
        allm_str       got = allm__tok_text(&p->cur);
        allm__ttarget *t   = NULL;
        if (p->cur.type == ALLM__TK_LPAREN && n_open < ALLM__COUNT(open)) {
            t = ALLM__TP_ADD(p, p, targets, allm__ttarget);
            if (t) t->kind = ALLM__TO_TUPLE, t->pos = pos, t->b = -1; /* b: no comma yet */
            open[n_open++] = p->n_targets - 1;
            allm__tp_next(p);
            continue;
        }
        if (p->cur.type == ALLM__TK_STRING || p->cur.type == ALLM__TK_INT || p->cur.type == ALLM__TK_FLOAT || allm__tp_is(p, "true") ||
            allm__tp_is(p, "false") || allm__tp_is(p, "none") || allm__tp_is(p, "True") || allm__tp_is(p, "False") || allm__tp_is(p, "None"))
            ALLM__TP_FAIL(p, pos, "can't assign to 'const'");
        else if (allm__tx_tuple_end(p) && p->n_targets == first) ALLM__TP_FAIL(p, pos, "Expected an expression, got '%.*s'", (int)got.len, got.ptr);
        else if (p->cur.type == ALLM__TK_LBRACKET || p->cur.type == ALLM__TK_LBRACE || n_open == ALLM__COUNT(open))
            ALLM__TP_FAIL(p, pos, "can't assign to this");
        else if (p->cur.type != ALLM__TK_NAME) ALLM__TP_FAIL(p, pos, "unexpected '%.*s'", (int)got.len, got.ptr);
        else if ((t = ALLM__TP_ADD(p, p, targets, allm__ttarget))) {
            allm_str name = p->cur.text;
            t->kind = ALLM__TO_NAME, t->pos = pos, t->a = allm__tp_name(p, name);
            allm__tp_next(p);
            if (dots && p->cur.type == ALLM__TK_DOT) {
                allm__tp_next(p);
                t->kind = ALLM__TO_ATTR, t->b = allm__tp_name(p, p->cur.text);
                allm__tp_expect(p, ALLM__TK_NAME);
            } else {
                allm__tp_see(p, name, 0);
                if (p->in_for && allm__str_eq(name, ALLM__S("loop")))
                    allm__tp_late(p, pos, "Can't assign to special loop variable in for-loop target%.*s", ALLM__S(""));
            }
        }
        for (;;) { /* behind one of them */
            allm__ttarget *tuple = n_open && !p->x.status ? &p->targets[open[n_open - 1]] : NULL;
            if (p->x.status) return 0;
            if (tuple) tuple->a++;
            if (p->cur.type == ALLM__TK_COMMA) {
                if (tuple) tuple->b = 0;
                else commas++;
                allm__tp_next(p);
                if (tuple ? p->cur.type != ALLM__TK_RPAREN : !allm__tx_tuple_end(p)) break;
                if (!tuple) goto done;
            } else if (!tuple) { top_level += commas; goto done; }
            if (!allm__tp_expect(p, ALLM__TK_RPAREN)) return 0;
            if (tuple->b < 0) { /* (a) is a */
                memmove(tuple, tuple + 1, (size_t)(&p->targets[p->n_targets] - tuple - 1) * sizeof *tuple);
                p->n_targets--;
            }
            n_open--;
        }
    }
    return 0;
done:
    if (commas) { /* a tuple around all */
        allm__ttarget *t = ALLM__TP_ADD(p, p, targets, allm__ttarget);
        if (!t) return 0;
        memmove(&p->targets[first + 1], &p->targets[first], (p->n_targets - first - 1) * sizeof *t);
        t       = &p->targets[first];
        t->kind = ALLM__TO_TUPLE, t->a = top_level == commas + 1 ? top_level : commas, t->b = 0, t->pos = p->targets[first + 1].pos;
    }
    return (int32_t)(p->n_targets - first);
}

/* Code that takes the top apart into the last n targets; they stay. */
static void allm__tp_store(allm__tp *p, size_t first, int32_t n) {
    for (size_t i = first; i < first + (size_t)n && !p->x.status; i++) {
        allm__ttarget t = p->targets[i];
        if (t.kind == ALLM__TO_TUPLE) allm__tp_emit(p, ALLM__O_UNPACK, 0, t.a, t.pos);
        else if (t.kind == ALLM__TO_NAME) allm__tp_emit(p, ALLM__O_STORE, 0, t.a, t.pos);
        else allm__tp_emit(p, ALLM__O_LOAD, 0, t.a, t.pos), allm__tp_emit(p, ALLM__O_STORE_ATTR, 0, t.b, t.pos);
    }
}

static int32_t allm__tp_name_target(allm__tp *p) { /* a single name */
    allm_str name = p->cur.text;
    size_t   pos  = p->cur.pos;
    if (!allm__tp_expect(p, ALLM__TK_NAME)) return 0;
    if (allm__str_eq(name, ALLM__S("true")) || allm__str_eq(name, ALLM__S("false")) || allm__str_eq(name, ALLM__S("none")) ||
        allm__str_eq(name, ALLM__S("True")) || allm__str_eq(name, ALLM__S("False")) || allm__str_eq(name, ALLM__S("None")))
        ALLM__TP_FAIL(p, pos, "can't assign to 'name'");
    return allm__tp_name(p, name);
}

static void allm__tp_set(allm__tp *p, size_t pos) {
    size_t  first = p->n_targets;
    int32_t n     = allm__tp_target(p, 1);
    if (p->x.status) return;
    for (size_t i = first; i < p->n_targets; i++)
        if (p->targets[i].kind == ALLM__TO_ATTR) allm__tp_emit(p, ALLM__O_CHECK_NS, 0, p->targets[i].a, p->targets[i].pos);
    if (allm__tp_skip_type(p, ALLM__TK_ASSIGN)) {
        allm__tp_expr(p, ALLM__E_TUPLE);
        allm__tp_store(p, first, n);
        p->n_targets = first;
        return;
    }
    /* the filter stands before the body, and runs after it */
    allm__tb *b = allm__tb_open(p, ALLM__B_SET, pos);
    if (!b) return;
    b->target = (int32_t)first, b->n_target = n;
    if (p->cur.type == ALLM__TK_PIPE) {
        int32_t over = allm__tp_emit(p, ALLM__O_JUMP, 0, 0, pos), entry = allm__tp_here(p);
        allm__tp_expr(p, ALLM__E_PIPES);
        int32_t end = allm__tp_emit(p, ALLM__O_JUMP, 0, 0, pos);
        allm__tp_patch(p, over);
        b = allm__tb_top(p), b->entry = entry, b->patch_end = end;
    }
    allm__tp_emit(p, ALLM__O_CAPTURE, 0, 0, pos);
    allm__tp_emit(p, ALLM__O_SCOPE, 0, 0, pos);
}

static void allm__tp_end_set(allm__tp *p, const allm__tb *b, size_t pos) {
    allm__tp_emit(p, ALLM__O_CAPTURED, 0, 0, pos);
    if (b->patch_end) allm__tp_jump(p, ALLM__O_JUMP, b->entry, pos), allm__tp_patch(p, b->patch_end);
    allm__tp_emit(p, ALLM__O_END_SCOPE, 0, 0, pos);
    allm__tp_store(p, (size_t)b->target, b->n_target);
    p->n_targets = (size_t)b->target;
}

static void allm__tp_filter_block(allm__tp *p, size_t pos) {
    allm__tb *b = allm__tb_open(p, ALLM__B_FILTER, pos);
    int32_t   over = allm__tp_emit(p, ALLM__O_JUMP, 0, 0, pos), entry = allm__tp_here(p);
    if (!b) return;
    allm__tp_expr(p, ALLM__E_PIPES);
    int32_t end = allm__tp_emit(p, ALLM__O_JUMP, 0, 0, pos);
    allm__tp_patch(p, over);
    b = allm__tb_top(p), b->entry = entry, b->patch_end = end;
    allm__tp_emit(p, ALLM__O_CAPTURE, 0, 0, pos);
    allm__tp_emit(p, ALLM__O_SCOPE, 0, 0, pos);
}

static void allm__tp_for(allm__tp *p, size_t pos) {
    size_t    first = p->n_targets;
    int32_t   where = 0, call = 0, n;
    p->in_for++;
    n = allm__tp_target(p, 0);
    if (!p->x.status && !allm__tp_skip(p, "in")) allm__tp_expected(p, "in");
    allm__tp_expr(p, ALLM__E_TUPLE | ALLM__E_NO_COND);
    if (allm__tp_is(p, "if")) { /* the condition is a routine of its own, which gets the item */
        int32_t over = allm__tp_emit(p, ALLM__O_JUMP, 0, 0, pos);
        int     soft = p->soft;
        where        = allm__tp_here(p);
        allm__tp_next(p);
        allm__tp_store(p, first, n);
        p->soft = 0;
        allm__tp_expr(p, 0);
        p->soft = soft;
        allm__tp_emit(p, ALLM__O_WHERE, 0, 0, pos);
        allm__tp_patch(p, over);
    }
    int recursive = allm__tp_skip(p, "recursive");
    if (recursive) { /* the loop is a routine that is called with what it goes over */
        allm__tp_emit(p, ALLM__O_LOOP_CALL, 0, 3, pos);
        allm__tp_emit(p, ALLM__O_OUT, 0, 0, pos);
        call = allm__tp_emit(p, ALLM__O_JUMP, 0, 0, pos);
    }
    int32_t at = allm__tp_here(p);
    allm__tp_emit(p, ALLM__O_FOR, recursive, where ? where - at : 0, pos);
    int32_t   next = allm__tp_emit(p, ALLM__O_NEXT, 0, 0, pos);
    allm__tb *b    = allm__tb_open(p, ALLM__B_FOR, pos);
    if (!b) return;
    b->entry = next, b->patch = next, b->patch_end = call, b->recursive = (uint8_t)recursive;
    allm__tp_store(p, first, n);
    p->n_targets = first;
}

/* Behind the body of a loop, at its else or end. */
static void allm__tp_end_body(allm__tp *p, allm__tb *b, size_t pos) {
    allm__tp_jump(p, ALLM__O_AGAIN, b->entry, pos);
    for (int32_t c = b->continues, before; c && !p->x.status; c = before) { /* back to the next item */
        before            = p->t->code[c].a ? c + p->t->code[c].a : 0;
        p->t->code[c].a = b->entry - c;
    }
    allm__tp_patch(p, b->patch);
    allm__tp_patch(p, b->breaks);
    b->continues = b->breaks = 0;
    b->patch = allm__tp_emit(p, ALLM__O_END_FOR, 0, 0, pos);
}

static void allm__tp_end_for(allm__tp *p, allm__tb *b, size_t pos) {
    if (b->kind == ALLM__B_FOR) allm__tp_end_body(p, b, pos);
    allm__tp_patch(p, b->patch);
    if (b->recursive) allm__tp_emit(p, ALLM__O_RETURN, 0, 0, pos);
    allm__tp_patch(p, b->patch_end);
    p->in_for--;
}

/* The parameters of a macro or call block; their defaults are code at its entry. */
static int32_t allm__tp_signature(allm__tp *p, int32_t name, int parens) {
    allm__tmacro *m = ALLM__TP_ADD(p, p->t, macros, allm__tmacro);
    allm__tseen  *s = ALLM__TP_ADD(p, p, seen, allm__tseen);
    int32_t       i = (int32_t)p->t->n_macros - 1, n = 0, n_defaults = 0, first = (int32_t)p->t->n_args;
    if (!m || !s) return 0;
    m->name = name, m->arg = first, m->entry = allm__tp_here(p);
    if (!parens) return i;
    /* defaults are expressions and define no macros: the names stay together */
    allm__tp_expect(p, ALLM__TK_LPAREN);
    while (p->cur.type != ALLM__TK_RPAREN && !p->x.status) {
        size_t at = p->cur.pos;
        if (n && !allm__tp_expect(p, ALLM__TK_COMMA)) return i;
        allm_str text = p->cur.text;
        int32_t  arg  = allm__tp_name_target(p), *slot = ALLM__TP_ADD(p, p->t, args, int32_t);
        if (!slot) return i;
        *slot = arg;
        for (int32_t k = first; k < first + n; k++)
            if (p->t->args[k] == arg) allm__tp_late(p, at, "duplicate argument '%.*s' in function definition", text);
        p->seen[p->n_seen - 1].hidden |= allm__tp_special(text) & (ALLM__T_KWARGS | ALLM__T_VARARGS);
        if (allm__tp_skip_type(p, ALLM__TK_ASSIGN)) {
            int32_t jump = allm__tp_emit(p, ALLM__O_DEFAULT, 0, 0, at);
            if (!p->x.status) p->t->code[jump].n = (uint16_t)n;
            allm__tp_expr(p, 0);
            allm__tp_emit(p, ALLM__O_STORE, 0, arg, at);
            allm__tp_patch(p, jump), n_defaults++;
        } else if (n_defaults) ALLM__TP_FAIL(p, p->cur.pos, "non-default argument follows default argument");
        if (++n > 1000) ALLM__TP_FAIL(p, at, "more than 1000 arguments");
    }
    allm__tp_expect(p, ALLM__TK_RPAREN);
    p->t->macros[i].n_args = n;
    return i;
}

static void allm__tp_end_macro(allm__tp *p, allm__tb *b, size_t pos) {
    allm__tmacro *m = &p->t->macros[b->macro];
    allm__tp_emit(p, ALLM__O_RETURN, 0, 0, pos);
    m->flags = p->seen[--p->n_seen].used;
    allm__tp_patch(p, b->patch_end);
    if (b->kind == ALLM__B_CALL) return;
    allm__tp_emit(p, ALLM__O_MACRO, 0, b->macro, b->pos);
    allm__tp_emit(p, ALLM__O_STORE, 0, m->name, b->pos);
}

static void allm__tp_macro(allm__tp *p, size_t pos) {
    int32_t name = allm__tp_name_target(p), over = allm__tp_emit(p, ALLM__O_JUMP, 0, 0, pos);
    int32_t i = allm__tp_signature(p, name, 1);
    allm__tb *b = p->x.status ? NULL : allm__tb_open(p, ALLM__B_MACRO, pos);
    if (b) b->macro = i, b->patch_end = over;
}

/* call(args) m(...): jump; defaults; jump to the body; the call, with the macro as its last argument; jump; body. */
static void allm__tp_call(allm__tp *p, size_t pos) {
    int32_t over  = allm__tp_emit(p, ALLM__O_JUMP, 0, 0, pos);
    int32_t macro = allm__tp_signature(p, -1, p->cur.type == ALLM__TK_LPAREN);
    int32_t body  = allm__tp_emit(p, ALLM__O_JUMP, 0, 0, pos);
    if (p->x.status) return;
    allm__tseen s = p->seen[--p->n_seen]; /* the call itself is outside of the macro */
    allm__tp_patch(p, over);
    allm__tp_expr(p, 0);
    if (p->x.status) return;
    if (!p->is_call) { ALLM__TP_FAIL(p, pos, "expected call"); return; }
    allm__tins   call = p->t->code[--p->t->n_code];
    allm__ttag  *tag  = ALLM__TP_ADD(p, p->t, tags, allm__ttag); /* the arguments of this call were the last to be noted */
    if (!tag) return;
    tag->kind = ALLM__TAG_KW, tag->name = ALLM__N_CALLER;
    p->t->infos[call.a].n_tags++;
    allm__tp_emit(p, ALLM__O_MACRO, 0, macro, pos);
    allm__tp_emit(p, ALLM__O_CALL, 0, call.a, call.pos);
    allm__tp_emit(p, ALLM__O_OUT, 0, 0, pos);
    int32_t end = allm__tp_emit(p, ALLM__O_JUMP, 0, 0, pos);
    allm__tp_patch(p, body);
    allm__tb    *b    = allm__tb_open(p, ALLM__B_CALL, pos);
    allm__tseen *slot = ALLM__TP_ADD(p, p, seen, allm__tseen);
    if (!b || !slot) return;
    *slot    = s;
    b->macro = macro, b->patch_end = end;
}

static void allm__tp_with(allm__tp *p, size_t pos) {
    size_t first = p->n_targets, starts[64], n = 0;
    while (p->cur.type != ALLM__TK_BLOCK_END && !p->x.status) {
        if (n == ALLM__COUNT(starts)) { ALLM__TP_FAIL(p, p->cur.pos, "more than %d variables", (int)ALLM__COUNT(starts)); return; }
        if (n && !allm__tp_expect(p, ALLM__TK_COMMA)) return;
        starts[n++] = p->n_targets;
        allm__tp_target(p, 0);
        allm__tp_expect(p, ALLM__TK_ASSIGN);
        allm__tp_expr(p, 0);
    }
    allm__tp_emit(p, ALLM__O_SCOPE, 0, 0, pos);
    for (size_t end = p->n_targets; n-- > 0; end = starts[n]) allm__tp_store(p, starts[n], (int32_t)(end - starts[n]));
    p->n_targets = first;
    allm__tb_open(p, ALLM__B_WITH, pos);
}

static void allm__tp_block(allm__tp *p, size_t pos) {
    allm_str text = p->cur.text;
    if (!allm__tp_expect(p, ALLM__TK_NAME)) return;
    int32_t  name = allm__tp_name(p, text), number = (int32_t)p->t->n_blocks / 2, *slot;
    int      scoped = allm__tp_skip(p, "scoped");
    allm__tp_skip(p, "required");
    if (p->cur.type == ALLM__TK_SUB)
        ALLM__TP_FAIL(p, p->cur.pos, "Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.");
    for (int32_t i = 0; i < number; i++)
        if (p->t->blocks[2 * i + 1] == name) allm__tp_late(p, pos, "block '%.*s' defined twice", text);
    allm__tp_emit(p, ALLM__O_BLOCK, scoped, number, pos);
    int32_t over = allm__tp_emit(p, ALLM__O_JUMP, 0, 0, pos);
    for (int i = 0; i < 2; i++)
        if ((slot = ALLM__TP_ADD(p, p->t, blocks, int32_t))) *slot = i ? name : allm__tp_here(p);
    allm__tb    *b = allm__tb_open(p, ALLM__B_BLOCK, pos);
    allm__tseen *s = ALLM__TP_ADD(p, p, seen, allm__tseen);
    if (!b || !s) return;
    s->wall = 1, b->patch_end = over, b->macro = name;
}

/* break, continue: leaves what was opened within the loop, then jumps. */
static void allm__tp_leave_loop(allm__tp *p, int is_break, size_t pos) {
    size_t i = p->n_blocks;
    while (i > 0 && p->blocks[i - 1].kind != ALLM__B_FOR && !allm__b_rows[p->blocks[i - 1].kind].function) i--;
    if (i == 0 || p->blocks[i - 1].kind != ALLM__B_FOR) {
        allm__tp_late(p, pos, is_break ? "'break' outside loop%.*s" : "'continue' not properly in loop%.*s", ALLM__S(""));
        return;
    }
    for (size_t k = p->n_blocks; k > i; k--) {
        int kind = p->blocks[k - 1].kind;
        if (kind == ALLM__B_FILTER || kind == ALLM__B_SET || kind == ALLM__B_WITH || kind == ALLM__B_AUTOESCAPE)
            allm__tp_emit(p, ALLM__O_END_SCOPE, 0, 0, pos);
        if (kind == ALLM__B_AUTOESCAPE) allm__tp_emit(p, ALLM__O_END_ESCAPE, 0, 0, pos);
        if (kind == ALLM__B_FILTER || kind == ALLM__B_SET) allm__tp_emit(p, ALLM__O_CAPTURED, 0, 0, pos), allm__tp_emit(p, ALLM__O_POP, 0, 0, pos);
    }
    allm__tb *b = &p->blocks[i - 1];
    if (is_break) b->breaks = allm__tp_chain(p, ALLM__O_JUMP, b->breaks, pos);
    else b->continues = allm__tp_chain(p, ALLM__O_JUMP, b->continues, pos);
}

/* include, import, from, extends: there is no loader; the name is read, and asking for it is an error. */
static void allm__tp_load(allm__tp *p, size_t pos, int kind) { /* 0 include, 1 import, 2 from, 3 extends */
    allm__tp_expr(p, 0);
    if (kind == 0 && allm__tp_is(p, "ignore") && allm__tok_is(allm__tp_look(p), "missing")) allm__tp_next(p), allm__tp_next(p);
    if (kind == 1) {
        if (!allm__tp_skip(p, "as")) allm__tp_expected(p, "as");
        allm__tp_name_target(p);
    }
    if (kind == 2 && !allm__tp_skip(p, "import")) allm__tp_expected(p, "import");
    for (int n = 0; kind == 2 && !p->x.status; n++) {
        if (n && !allm__tp_skip_type(p, ALLM__TK_COMMA)) break;
        if ((allm__tp_is(p, "with") || allm__tp_is(p, "without")) && allm__tok_is(allm__tp_look(p), "context")) break;
        allm__tp_name_target(p);
        if (allm__tp_skip(p, "as")) allm__tp_name_target(p);
    }
    if (kind < 3 && (allm__tp_is(p, "with") || allm__tp_is(p, "without")) && allm__tok_is(allm__tp_look(p), "context"))
        allm__tp_next(p), allm__tp_next(p);
    static const char text[] = "no loader for this environment specified";
    allm__tp_emit(p, ALLM__O_RAISE, 0, allm__tp_const(p, allm__v_view(&p->t->arena, text, sizeof text - 1, 0)), pos);
}

static void allm__tp_print(allm__tp *p, size_t pos) {
    for (int n = 0; p->cur.type != ALLM__TK_BLOCK_END && !p->x.status; n++) {
        if (n && !allm__tp_expect(p, ALLM__TK_COMMA)) return;
        allm__tp_expr(p, 0);
        allm__tp_emit(p, ALLM__O_OUT, 0, 0, pos);
    }
}

/* "'a' or 'b'": the tags that end a block. */
static void allm__tb_ends(const allm__tb *b, char *out, size_t n) {
    out[0] = 0;
    for (int i = 0; i < 3 && allm__b_rows[b->kind].end[i]; i++) {
        size_t at = strlen(out);
        snprintf(out + at, n - at, "%s'%s'", i ? " or " : "", allm__b_rows[b->kind].end[i]);
    }
}

static void allm__tp_unknown_tag(allm__tp *p) { /* or the end of the template in an open block */
    char     ends[64];
    int      is_eof = p->cur.type == ALLM__TK_EOF, known = 0;
    allm_str got    = allm__tok_text(&p->cur);
    const allm__tb *b = allm__tb_top(p);
    if (p->x.status) return;
    for (size_t i = 0; i < p->n_blocks; i++)
        for (int k = 0; k < 3 && allm__b_rows[p->blocks[i].kind].end[k]; k++) known |= allm__tp_is(p, allm__b_rows[p->blocks[i].kind].end[k]);
    if (b) allm__tb_ends(b, ends, sizeof ends);
    if (!b) ALLM__TP_FAIL(p, p->cur.pos, "Encountered unknown tag '%.*s'.", (int)got.len, got.ptr);
    else if (is_eof)
        ALLM__TP_FAIL(p, p->cur.pos, "Unexpected end of template. Jinja was looking for the following tags: %s. "
                      "The innermost block that needs to be closed is '%s'.", ends, allm__b_rows[b->kind].tag);
    else if (known)
        ALLM__TP_FAIL(p, p->cur.pos, "Encountered unknown tag '%.*s'. You probably made a nesting mistake. Jinja is expecting this tag, "
                      "but currently looking for %s. The innermost block that needs to be closed is '%s'.", (int)got.len, got.ptr, ends,
                      allm__b_rows[b->kind].tag);
    else
        ALLM__TP_FAIL(p, p->cur.pos, "Encountered unknown tag '%.*s'. Jinja was looking for the following tags: %s. "
                      "The innermost block that needs to be closed is '%s'.", (int)got.len, got.ptr, ends, allm__b_rows[b->kind].tag);
}

/* Is the current tag one that ends, or goes on with, the innermost block? Does what is to be done. */
static int allm__tp_end_tag(allm__tp *p) {
    allm__tb *b   = allm__tb_top(p);
    size_t    pos = p->cur.pos;
    int       i   = 0;
    if (!b || p->cur.type != ALLM__TK_NAME) return 0;
    while (i < 3 && allm__b_rows[b->kind].end[i] && !allm__tp_is(p, allm__b_rows[b->kind].end[i])) i++;
    if (i == 3 || !allm__b_rows[b->kind].end[i]) return 0;
    allm__tp_next(p);
    if (b->kind == ALLM__B_IF && i < 2) { /* elif, else */
        b->patch_end = allm__tp_chain(p, ALLM__O_JUMP, b->patch_end, pos);
        allm__tp_patch(p, b->patch);
        b->patch = 0;
        if (i == 1) return b->kind = ALLM__B_ELSE, allm__tp_skip_type(p, ALLM__TK_COLON), 1;
        allm__tp_expr(p, ALLM__E_TUPLE | ALLM__E_NO_COND);
        int32_t next = allm__tp_emit(p, ALLM__O_JUMP_FALSE, 0, 0, pos);
        allm__tb_top(p)->patch = next;
        allm__tp_skip_type(p, ALLM__TK_COLON);
        return 1;
    }
    if (b->kind == ALLM__B_FOR && i == 1) { /* else */
        allm__tp_end_body(p, b, pos);
        b->kind = ALLM__B_FOR_ELSE;
        allm__tp_skip_type(p, ALLM__TK_COLON);
        return 1;
    }
    allm__tb done = *b; /* its end: code of the end, then whatever was before */
    switch (done.kind) {
    case ALLM__B_IF:
    case ALLM__B_ELSE: allm__tp_patch(p, done.patch), allm__tp_patch(p, done.patch_end); break;
    case ALLM__B_FOR:
    case ALLM__B_FOR_ELSE: allm__tp_end_for(p, &done, pos); break;
    case ALLM__B_MACRO:
    case ALLM__B_CALL: allm__tp_end_macro(p, &done, pos); break;
    case ALLM__B_FILTER:
        allm__tp_emit(p, ALLM__O_CAPTURED, 0, 0, pos);
        allm__tp_jump(p, ALLM__O_JUMP, done.entry, pos), allm__tp_patch(p, done.patch_end);
        allm__tp_emit(p, ALLM__O_END_SCOPE, 0, 0, pos);
        allm__tp_emit(p, ALLM__O_OUT, 0, 0, done.pos);
        break;
    case ALLM__B_SET: allm__tp_end_set(p, &done, pos); break;
    case ALLM__B_AUTOESCAPE: allm__tp_emit(p, ALLM__O_END_SCOPE, 0, 0, pos), allm__tp_emit(p, ALLM__O_END_ESCAPE, 0, 0, pos); break;
    case ALLM__B_BLOCK:
        allm__tp_emit(p, ALLM__O_RETURN, 0, 0, pos);
        allm__tp_patch(p, done.patch_end);
        p->n_seen--;
        if (!p->x.status && p->cur.type == ALLM__TK_NAME && allm__str_eq(p->cur.text, allm__v_str(p->t->names[done.macro]))) allm__tp_next(p);
        break;
    default: allm__tp_emit(p, ALLM__O_END_SCOPE, 0, 0, pos); /* with, generation */
    }
    if (!p->x.status) allm__tb_close(p);
    return 1;
}

static void allm__tp_statement(allm__tp *p) {
    size_t pos = p->cur.pos, n_blocks = p->n_blocks;
    if (p->cur.type != ALLM__TK_NAME) { ALLM__TP_FAIL(p, pos, "tag name expected"); return; }
    static const char *const tags[] = {"if", "for", "set", "macro", "call", "filter", "with", "autoescape", "block", "generation",
                                       "break", "continue", "print", "include", "import", "from", "extends"};
    size_t i = 0;
    while (i < ALLM__COUNT(tags) && !allm__tp_is(p, tags[i])) i++;
    if (i == ALLM__COUNT(tags)) { allm__tp_unknown_tag(p); return; }
    allm__tp_next(p);
    switch (i) {
    case 0: {
        allm__tb *b = allm__tb_open(p, ALLM__B_IF, pos);
        if (!b) return;
        allm__tp_expr(p, ALLM__E_TUPLE | ALLM__E_NO_COND);
        int32_t next = allm__tp_emit(p, ALLM__O_JUMP_FALSE, 0, 0, pos);
        allm__tb_top(p)->patch = next;
        break;
    }
    case 1: allm__tp_for(p, pos); break;
    case 2: allm__tp_set(p, pos); break;
    case 3: allm__tp_macro(p, pos); break;
    case 4: allm__tp_call(p, pos); break;
    case 5: allm__tp_filter_block(p, pos); break;
    case 6: allm__tp_with(p, pos); break;
    case 7:
        allm__tp_expr(p, 0);
        allm__tp_emit(p, ALLM__O_ESCAPE, 0, 0, pos);
        allm__tp_emit(p, ALLM__O_SCOPE, 0, 0, pos);
        allm__tb_open(p, ALLM__B_AUTOESCAPE, pos);
        break;
    case 8: allm__tp_block(p, pos); break;
    case 9:
        allm__tp_emit(p, ALLM__O_SCOPE, 0, 0, pos);
        allm__tb_open(p, ALLM__B_GENERATION, pos);
        break;
    case 10:
    case 11: allm__tp_leave_loop(p, i == 10, pos); break;
    case 12: allm__tp_print(p, pos); break;
    default: allm__tp_load(p, pos, (int)i - 13);
    }
    if (p->n_blocks > n_blocks) allm__tp_skip_type(p, ALLM__TK_COLON); /* {% if x: %} */
}

static void allm__tp_template(allm__tp *p) {
    for (size_t i = 0; i < ALLM__COUNT(allm__n_fixed); i++) allm__tp_name(p, allm__str_of(allm__n_fixed[i]));
    allm__tp_emit(p, ALLM__O_JUMP, 0, 1, 0); /* so that 0 is no place to jump from */
    allm__tp_next(p);
    while (p->cur.type != ALLM__TK_EOF && !p->x.status) {
        size_t pos = p->cur.pos;
        if (p->cur.type == ALLM__TK_DATA) {
            allm__val v = allm__v_view(&p->t->arena, p->cur.text.ptr, p->cur.text.len, 0);
            if (v.type != ALLM__V_STR) { p->x.status = allm__fail_memory(p->x.err, p->cur.text.len); return; }
            allm__tp_emit(p, ALLM__O_TEXT, 0, allm__tp_const(p, v), pos);
            allm__tp_next(p);
        } else if (p->cur.type == ALLM__TK_VAR_BEGIN) {
            allm__tp_next(p);
            allm__tp_expr(p, ALLM__E_TUPLE);
            allm__tp_emit(p, ALLM__O_OUT, 0, 0, pos);
            allm__tp_expect(p, ALLM__TK_VAR_END);
        } else {
            allm__tp_next(p); /* {% */
            if (!allm__tp_end_tag(p)) allm__tp_statement(p);
            allm__tp_expect(p, ALLM__TK_BLOCK_END);
        }
    }
    if (!p->x.status && p->n_blocks) allm__tp_unknown_tag(p);
    if (!p->x.status && p->late[0]) ALLM__TP_FAIL(p, p->late_pos, "%s", p->late);
    allm__tp_emit(p, ALLM__O_END, 0, 0, p->t->source.len);
}

/* ---- the loop of the machine */

enum { ALLM__FR_MACRO, ALLM__FR_BLOCK, ALLM__FR_WHERE }; /* results: a text; printed in place; a truth */

static void allm__vm_push(allm__vm *vm, allm__val v) {
    if (vm->status) return;
    if (!allm__grow(vm->host, (void **)&vm->stack, &vm->cap_stack, vm->n_stack, vm->n_stack + 1, sizeof v)) {
        allm__vm_no_memory(vm);
        return;
    }
    vm->stack[vm->n_stack++] = v;
}

static allm__val allm__vm_pop(allm__vm *vm) { return vm->n_stack ? vm->stack[--vm->n_stack] : allm__v_undef(); }

static allm__tscope *allm__vm_scope(allm__vm *vm, allm__tscope *up) { /* a new one; NULL: no memory */
    allm__tscope *s = vm->spare;
    if (s) vm->spare = s->up;
    else s = vm->status ? NULL : (allm__tscope *)allm__arena_zero(&vm->arena, sizeof *s, sizeof(void *));
    if (!s) return allm__vm_no_memory(vm), NULL;
    s->up = up, s->n = 0, s->held = 0;
    return s;
}

static void allm__vm_drop_scope(allm__vm *vm, allm__tscope *s) {
    if (s->held) return;
    s->up = vm->spare, vm->spare = s;
}

static allm__tvar *allm__scope_var(const allm__tscope *s, int32_t name) {
    for (int32_t i = 0; i < s->n; i++)
        if (s->v[i].name == name) return &s->v[i];
    return NULL;
}

static void allm__scope_add(allm__vm *vm, allm__tscope *s, int32_t name, allm__val v) {
    if (vm->status) return;
    if (s->n == s->cap) {
        int32_t     cap = s->cap ? s->cap * 2 : 4;
        allm__tvar *more = (allm__tvar *)allm__arena_alloc(&vm->arena, (size_t)cap * sizeof *more, sizeof(void *));
        if (!more) { allm__vm_no_memory(vm); return; }
        if (s->n) memcpy(more, s->v, (size_t)s->n * sizeof *more);
        s->v = more, s->cap = cap;
    }
    s->v[s->n].name = name, s->v[s->n].val = v, s->n++;
}

static void allm__vm_store(allm__vm *vm, int32_t name, allm__val v) {
    allm__tvar *var = allm__scope_var(vm->scope, name);
    if (var) var->val = v;
    else allm__scope_add(vm, vm->scope, name, v);
}

static allm__val allm__vm_load(allm__vm *vm, int32_t name) {
    allm__val text = vm->t->names[name];
    for (const allm__tscope *s = vm->scope; s; s = s->up) {
        const allm__tvar *var = allm__scope_var(s, name);
        if (!var) continue;
        return var->val.type == ALLM__V_ABSENT ? allm__vm_missing(vm, 4, text, text, NULL) : var->val;
    }
    if (vm->globals[name].type != ALLM__V_ABSENT) return vm->globals[name];
    const allm__tfn *fn    = allm__fn_find(vm->tab.functions, vm->tab.n_functions, allm__v_str(text));
    allm__val       *given = allm__v_get(vm->ctx->globals.u.d, allm__v_str(text)), v;
    if (name == ALLM__N_SELF) v = allm__v_of(ALLM__V_SELF, 0);
    else if (given) v = *given;
    else if (fn) v = allm__v_of(ALLM__V_FUNC, 0), v.u.fn = fn;
    else v = allm__vm_missing(vm, 0, text, text, NULL);
    return vm->globals[name] = v;
}

static int allm__vm_frame(allm__vm *vm, int kind, int32_t ret) { /* 0: too deep */
    if (vm->status) return 0;
    if (vm->n_frames >= (size_t)vm->lim.max_depth) return allm__vm_fail(vm, "macros are nested deeper than %d levels", (int)vm->lim.max_depth), 0;
    if (!allm__grow(vm->host, (void **)&vm->frames, &vm->cap_frames, vm->n_frames, vm->n_frames + 1, sizeof *vm->frames))
        return allm__vm_no_memory(vm), 0;
    allm__tframe *f = &vm->frames[vm->n_frames++];
    f->kind = kind, f->ret = ret, f->scope = vm->scope, f->escape = vm->autoescape, f->markup = vm->autoescape, f->n_loops = vm->n_loops;
    if (kind == ALLM__FR_MACRO) f->mark = allm__sb_begin(vm);
    return 1;
}

/* The innermost frame is done; returns where to go on. */
static int32_t allm__vm_return(allm__vm *vm) {
    allm__tframe f = vm->frames[--vm->n_frames];
    vm->scope = f.scope, vm->autoescape = f.escape, vm->n_loops = f.n_loops;
    if (f.kind == ALLM__FR_MACRO) {
        allm__val s = allm__sb_end(vm, f.mark);
        allm__vm_push(vm, vm->status ? s : allm__vm_markup(vm, s, f.markup));
    }
    return f.ret;
}

/* ---- calls */

/* The arguments on top of the stack, taken off it, into memory that lasts. */
static int allm__vm_args(allm__vm *vm, const allm__tinfo *info, allm__tcall *c) {
    const allm__ttag *tag  = vm->t->tags + info->tag;
    size_t            base = vm->n_stack - (size_t)info->n_tags, n_kw = 0;
    allm__tlist       pos  = {NULL, 0, 0};
    memset(c, 0, sizeof *c);
    c->self.type = ALLM__V_ABSENT;
    for (int32_t i = 0; i < info->n_tags; i++) {
        allm__val a = vm->stack[base + (size_t)i];
        n_kw += tag[i].kind == ALLM__TAG_KW ? 1 : tag[i].kind == ALLM__TAG_STAR2 && a.type == ALLM__V_DICT ? a.u.d->n : 0;
    }
    allm__tkw *kw = n_kw ? (allm__tkw *)allm__arena_array(&vm->arena, n_kw, sizeof *kw, sizeof(void *)) : NULL;
    if (n_kw && !kw) return allm__vm_no_memory(vm), 0;
    c->kw = kw;
    for (int32_t i = 0; i < info->n_tags && !vm->status; i++) {
        allm__val a = vm->stack[base + (size_t)i];
        if (tag[i].kind == ALLM__TAG_POS) allm__vm_add(vm, &pos, a);
        else if (tag[i].kind == ALLM__TAG_KW) kw[c->n_kw].name = vm->t->names[tag[i].name], kw[c->n_kw++].val = a;
        else if (tag[i].kind == ALLM__TAG_STAR) {
            a = allm__vm_collect(vm, a);
            for (size_t k = 0; !vm->status && k < a.u.q->n; k++) allm__vm_add(vm, &pos, a.u.q->v[k]);
        } else if (a.type != ALLM__V_DICT) allm__vm_fail(vm, "argument after ** must be a mapping, not %s", allm__v_names[a.type]);
        else
            for (size_t k = 0; !vm->status && k < a.u.d->n; k++) {
                kw[c->n_kw].name = a.u.d->v[k].key, kw[c->n_kw].val = a.u.d->v[k].val;
                if (!allm__v_is_str(kw[c->n_kw++].name)) allm__vm_fail(vm, "keywords must be strings");
            }
    }
    vm->n_stack = base;
    c->pos = pos.v, c->n_pos = (int32_t)pos.n;
    return !vm->status;
}

/* Binds what a macro was given to its parameters, as variables of the new scope. */
static void allm__vm_bind(allm__vm *vm, const allm__vmacro *m, const allm__tcall *c) {
    const allm__tmacro *info = m->info;
    const int32_t      *names = vm->t->args + info->arg;
    int                 own_caller = 0, caller = -1;
    allm__val           rest = info->flags & ALLM__T_KWARGS ? allm__vm_dict(vm, ALLM__V_DICT) : allm__v_undef();
    for (int32_t i = 0; i < info->n_args; i++) {
        allm__val v = allm__v_of(ALLM__V_ABSENT, 0);
        if (i < c->n_pos) v = c->pos[i];
        for (int32_t k = 0; i >= c->n_pos && k < c->n_kw; k++)
            if (allm__v_eq_flat(c->kw[k].name, vm->t->names[names[i]])) v = c->kw[k].val;
        own_caller |= names[i] == ALLM__N_CALLER;
        allm__scope_add(vm, vm->scope, names[i], v);
    }
    for (int32_t k = 0; k < c->n_kw && !vm->status; k++) {
        allm__val name  = c->kw[k].name;
        int       taken = 0;
        for (int32_t i = c->n_pos; i < info->n_args; i++) taken |= allm__v_eq_flat(name, vm->t->names[names[i]]);
        if (taken) continue;
        if (!own_caller && info->flags & ALLM__T_CALLER && allm__v_eq_text(name, ALLM__S("caller"))) caller = k;
        else if (info->flags & ALLM__T_KWARGS) allm__vm_put(vm, rest, name, c->kw[k].val);
        else if (allm__v_eq_text(name, ALLM__S("caller")))
            allm__vm_fail(vm, "macro was invoked with two values for the special caller argument. This is most likely a bug.");
        else allm__vm_fail(vm, "macro takes no keyword argument '%.*s'", (int)ALLM__MIN(name.u.s->len, 60), name.u.s->ptr);
    }
    if (!own_caller && info->flags & ALLM__T_CALLER)
        allm__scope_add(vm, vm->scope, ALLM__N_CALLER,
                        caller >= 0 ? c->kw[caller].val : allm__vm_missing(vm, 2, rest, rest, "No caller defined"));
    if (info->flags & ALLM__T_KWARGS) allm__scope_add(vm, vm->scope, ALLM__N_KWARGS, rest);
    if (info->flags & ALLM__T_VARARGS) {
        int32_t   n = ALLM__MAX(c->n_pos - info->n_args, 0);
        allm__val more = allm__vm_seq(vm, ALLM__V_TUPLE, (size_t)n);
        for (int32_t i = 0; !vm->status && i < n; i++) more.u.q->v[i] = c->pos[info->n_args + i];
        allm__scope_add(vm, vm->scope, ALLM__N_VARARGS, more);
    } else if (c->n_pos > info->n_args) allm__vm_fail(vm, "macro takes not more than %d argument(s)", (int)info->n_args);
}

/* Calls f: pushes the result, or enters a frame. Returns the next instruction. */
static int32_t allm__vm_call(allm__vm *vm, allm__val f, const allm__tcall *c, int32_t ret) {
    allm__tscope *s;
    if (!allm__vm_work(vm, 256)) return ret;
    switch (f.type) {
    case ALLM__V_UNDEF: allm__vm_undefined(vm, f); return ret;
    case ALLM__V_FUNC: allm__vm_push(vm, allm__vm_call_fn(vm, f.u.fn, c->self, c->pos, c->n_pos, c->kw, c->n_kw)); return ret;
    case ALLM__V_METHOD:
        allm__vm_push(vm, allm__vm_call_fn(vm, f.u.m->fn, f.u.m->self, c->pos, c->n_pos, c->kw, c->n_kw));
        return ret;
    case ALLM__V_JOINER:
        allm__vm_push(vm, f.u.c->pos ? f.u.c->items.v[0] : allm__vm_text(vm, ""));
        f.u.c->pos = 1;
        return ret;
    case ALLM__V_MACRO:
        s = allm__vm_scope(vm, f.u.macro->scope);
        if (!s || !allm__vm_frame(vm, ALLM__FR_MACRO, ret)) return ret;
        vm->scope = s;
        vm->frames[vm->n_frames - 1].markup = f.u.macro->markup;
        allm__vm_bind(vm, f.u.macro, c);
        return f.u.macro->info->entry;
    case ALLM__V_BLOCK:
        s = allm__vm_scope(vm, vm->root);
        if (!s || !allm__vm_frame(vm, ALLM__FR_MACRO, ret)) return ret;
        vm->scope = s;
        return vm->t->blocks[2 * f.sub];
    case ALLM__V_LOOP:
        if (f.u.loop->entry < 0) {
            allm__vm_fail(vm, "The loop must have the 'recursive' marker to be called recursively.");
            return ret;
        }
        if (c->n_pos != 1) { allm__vm_fail(vm, "loop() takes 1 argument"); return ret; }
        if (!allm__vm_frame(vm, ALLM__FR_MACRO, ret)) return ret;
        vm->scope = f.u.loop->outer, vm->depth = f.u.loop->depth0 + 1;
        allm__vm_push(vm, c->pos[0]);
        return f.u.loop->entry;
    default: allm__vm_fail(vm, "'%s' object is not callable", allm__v_names[f.type]); return ret;
    }
}

/* ---- loops */

static void allm__scope_hold(allm__tscope *s) { /* something remembers it and those around it */
    for (; s && !s->held; s = s->up) s->held = 1;
}

static void allm__vm_for(allm__vm *vm, const allm__tins *ins, int32_t ip) {
    allm__val    whole = allm__vm_pop(vm);
    allm__titer *it    = allm__vm_iter(vm, whole);
    if (it && ins->a) { /* the condition is a stage of its own */
        allm__titer *where = allm__vm_titer(vm, ALLM__IT_WHERE, whole);
        if (!where) return;
        where->started = 1, where->from = it, where->entry = ip + ins->a, where->scope = vm->scope;
        allm__scope_hold(vm->scope);
        it    = where;
        whole = allm__v_ptr(ALLM__V_ITER, it);
    }
    allm__tloop *l = it ? (allm__tloop *)allm__arena_zero(&vm->arena, sizeof *l, sizeof(void *)) : NULL;
    if (!l || !allm__grow(vm->host, (void **)&vm->loops, &vm->cap_loops, vm->n_loops, vm->n_loops + 1, sizeof l)) {
        if (!vm->status) allm__vm_no_memory(vm);
        return;
    }
    l->it = it, l->whole = whole, l->index0 = l->length = -1;
    l->entry        = ins->flag ? ip : -1;
    l->depth0       = ins->flag ? vm->depth : 0;
    l->outer        = vm->scope;
    l->inner        = allm__vm_scope(vm, vm->scope);
    l->changed.type = l->current.type = ALLM__V_ABSENT;
    if (!l->inner) return;
    vm->depth = 0;
    vm->loops[vm->n_loops++] = l;
    vm->scope = l->inner;
}

static int allm__vm_round(allm__vm *vm) { /* the next item is pushed; 0: no more */
    allm__tloop *l = vm->loops[vm->n_loops - 1];
    allm__val    item;
    if (!allm__vm_work(vm, 256)) return 0;
    if (l->has_after) item = l->after, l->has_after = 0;
    else if (!allm__vm_next(vm, l->it, &item)) return 0;
    l->index0++;
    l->before = l->current, l->current = item;
    if (l->inner->held) l->inner = allm__vm_scope(vm, l->outer); /* a macro of the last round keeps its scope */
    if (vm->status) return 0;
    l->inner->n = 0;
    vm->scope   = l->inner;
    allm__scope_add(vm, l->inner, ALLM__N_LOOP, allm__v_ptr(ALLM__V_LOOP, l));
    allm__vm_push(vm, item);
    return 1;
}

/* ---- single instructions that are more than a line */

static void allm__vm_build(allm__vm *vm, int32_t type, size_t n) {
    allm__val v = allm__vm_seq(vm, type, n);
    if (vm->status) return;
    vm->n_stack -= n;
    if (n) memcpy(v.u.q->v, vm->stack + vm->n_stack, n * sizeof v);
    allm__vm_push(vm, v);
}

static void allm__vm_build_dict(allm__vm *vm, size_t n) {
    allm__val d    = allm__vm_dict(vm, ALLM__V_DICT);
    size_t    base = vm->n_stack - 2 * n;
    for (size_t i = 0; i < n && !vm->status; i++) allm__vm_put(vm, d, vm->stack[base + 2 * i], vm->stack[base + 2 * i + 1]);
    vm->n_stack = base;
    allm__vm_push(vm, d);
}

static void allm__vm_concat(allm__vm *vm, size_t n) {
    size_t    base   = vm->n_stack - n;
    int       markup = 0;
    allm__val s      = allm__v_undef();
    for (size_t i = 0; vm->autoescape && i < n; i++) markup |= allm__v_is_str(vm->stack[base + i]) && vm->stack[base + i].u.s->markup;
    for (size_t i = 0; i < n && !vm->status; i++) {
        allm__val part = vm->stack[base + i];
        part           = markup ? allm__vm_escape(vm, part) : allm__vm_plain(vm, part);
        if (!vm->status) s = i ? allm__vm_append(vm, s, part) : part;
    }
    vm->n_stack = base;
    allm__vm_push(vm, s);
}

static void allm__vm_out(allm__vm *vm, allm__val v) {
    if (vm->autoescape) allm__sb_escape(vm, v);
    else allm__sb_to_str(vm, v);
}

static void allm__vm_store_attr(allm__vm *vm, int32_t name) {
    allm__val ns = allm__vm_pop(vm), v = allm__vm_pop(vm), key = vm->t->names[name];
    if (ns.type != ALLM__V_NS) allm__vm_fail(vm, "cannot assign attribute on non-namespace object");
    else if (key.u.s->len && key.u.s->ptr[0] == '_') allm__vm_fail(vm, ALLM__NS_NAME, (int)ALLM__MIN(key.u.s->len, 60), key.u.s->ptr);
    else allm__vm_put(vm, ns, key, v);
}

static void allm__vm_take_apart(allm__vm *vm, size_t n) { /* the first of n values is to be on top */
    allm__val v = allm__vm_pop(vm), parts = allm__vm_seq(vm, ALLM__V_TUPLE, n);
    if (vm->status || !allm__vm_unpack(vm, v, n, parts.u.q->v)) return;
    while (n-- > 0) allm__vm_push(vm, parts.u.q->v[n]);
}

static void allm__vm_make_macro(allm__vm *vm, int32_t i) {
    allm__vmacro *m = vm->status ? NULL : (allm__vmacro *)allm__arena_alloc(&vm->arena, sizeof *m, sizeof(void *));
    if (!m) { allm__vm_no_memory(vm); return; }
    m->info = &vm->t->macros[i], m->scope = vm->scope, m->markup = vm->autoescape;
    allm__scope_hold(vm->scope);
    allm__vm_push(vm, allm__v_ptr(ALLM__V_MACRO, m));
}

static int32_t allm__vm_block(allm__vm *vm, const allm__tins *ins, int32_t ip) {
    allm__tscope *s = allm__vm_scope(vm, ins->flag ? vm->scope : vm->root);
    if (!s || !allm__vm_frame(vm, ALLM__FR_BLOCK, ip + 1)) return ip + 1;
    vm->scope = s;
    return vm->t->blocks[2 * ins->a];
}

static void allm__vm_capture(allm__vm *vm) {
    if (!allm__grow(vm->host, (void **)&vm->marks, &vm->cap_marks, vm->n_marks, vm->n_marks + 1, sizeof *vm->marks)) {
        allm__vm_no_memory(vm);
        return;
    }
    vm->marks[vm->n_marks++] = allm__sb_begin(vm);
}

static void allm__vm_captured(allm__vm *vm) {
    allm__val s = allm__sb_end(vm, vm->marks[--vm->n_marks]);
    allm__vm_push(vm, vm->status ? s : allm__vm_markup(vm, s, vm->autoescape));
}

/* x op y in place of both; in a chain the right side stays when it is true. */
static int allm__vm_compare_top(allm__vm *vm, int op, int chain) {
    allm__val b = allm__vm_pop(vm), a = allm__vm_pop(vm);
    int       is = allm__vm_compare(vm, op, a, b);
    allm__vm_push(vm, chain && is ? b : allm__v_bool(is));
    return is;
}

/* Runs from an instruction on, until the end of the template or of a condition; returns the truth of that. */
static int allm__vm_run(allm__vm *vm, int32_t ip) {
    allm__val     v;
    allm__tcall   c;
    allm__tscope *s;
    for (;;) {
        const allm__tins *ins = &vm->t->code[ip];
        vm->ip = ip;
        if (vm->arena.failed) allm__vm_no_memory(vm);
        if (vm->arena.n_bytes > vm->lim.max_memory) allm__vm_may(vm, 0);
        if (!allm__vm_work(vm, 16)) return 0;
        ip++;
        switch ((allm__top)ins->op) {
        case ALLM__O_CONST: allm__vm_push(vm, vm->t->consts[ins->a]); break;
        case ALLM__O_LOAD: allm__vm_push(vm, allm__vm_load(vm, ins->a)); break;
        case ALLM__O_STORE: allm__vm_store(vm, ins->a, allm__vm_pop(vm)); break;
        case ALLM__O_POP: allm__vm_pop(vm); break;
        case ALLM__O_GETATTR: allm__vm_push(vm, allm__vm_getattr(vm, allm__vm_pop(vm), vm->t->names[ins->a])); break;
        case ALLM__O_GETITEM:
            v = allm__vm_pop(vm);
            if (ins->flag && v.type == ALLM__V_SLICE) allm__vm_push(vm, allm__vm_getslice(vm, allm__vm_pop(vm), v));
            else allm__vm_push(vm, allm__vm_getitem(vm, allm__vm_pop(vm), v));
            break;
        case ALLM__O_SLICE: allm__vm_build(vm, ALLM__V_SLICE, 3); break;
        case ALLM__O_LIST: allm__vm_build(vm, ALLM__V_LIST, (size_t)ins->a); break;
        case ALLM__O_TUPLE: allm__vm_build(vm, ALLM__V_TUPLE, (size_t)ins->a); break;
        case ALLM__O_DICT: allm__vm_build_dict(vm, (size_t)ins->a); break;
        case ALLM__O_BINARY:
            v = allm__vm_pop(vm);
            allm__vm_push(vm, allm__vm_binary(vm, ins->flag, allm__vm_pop(vm), v));
            break;
        case ALLM__O_NEG: allm__vm_push(vm, allm__vm_negate(vm, allm__vm_pop(vm), 1)); break;
        case ALLM__O_POS: allm__vm_push(vm, allm__vm_negate(vm, allm__vm_pop(vm), 0)); break;
        case ALLM__O_NOT: allm__vm_push(vm, allm__v_bool(!allm__v_true(allm__vm_pop(vm)))); break;
        case ALLM__O_COMPARE: allm__vm_compare_top(vm, ins->flag, 0); break;
        case ALLM__O_CHAIN:
            if (!allm__vm_compare_top(vm, ins->flag, 1)) ip += ins->a - 1;
            break;
        case ALLM__O_CONCAT: allm__vm_concat(vm, (size_t)ins->a); break;
        case ALLM__O_JUMP: ip += ins->a - 1; break;
        case ALLM__O_JUMP_FALSE:
            if (!allm__v_true(allm__vm_pop(vm))) ip += ins->a - 1;
            break;
        case ALLM__O_JUMP_TRUE:
            if (allm__v_true(allm__vm_pop(vm))) ip += ins->a - 1;
            break;
        case ALLM__O_AND:
        case ALLM__O_OR:
            v = allm__vm_pop(vm);
            if (allm__v_true(v) == (ins->op == ALLM__O_OR)) allm__vm_push(vm, v), ip += ins->a - 1;
            break;
        case ALLM__O_NO_ELSE:
            v = allm__v_undef();
            allm__vm_push(vm, allm__vm_missing(vm, 2, v, v, "the inline if-expression evaluated to false and no else section was defined."));
            break;
        case ALLM__O_CALL:
            if (allm__vm_args(vm, &vm->t->infos[ins->a], &c)) ip = allm__vm_call(vm, allm__vm_pop(vm), &c, ip);
            break;
        case ALLM__O_FILTER:
        case ALLM__O_TEST: {
            const allm__tinfo *info = &vm->t->infos[ins->a];
            v = vm->t->names[info->name];
            if (!info->fn)
                allm__vm_fail(vm, "No %s named '%.*s' found.", ins->op == ALLM__O_FILTER ? "filter" : "test",
                              (int)ALLM__MIN(v.u.s->len, 100), v.u.s->ptr);
            else if (allm__vm_args(vm, info, &c))
                allm__vm_push(vm, allm__vm_call_fn(vm, info->fn, allm__vm_pop(vm), c.pos, c.n_pos, c.kw, c.n_kw));
            break;
        }
        case ALLM__O_OUT: allm__vm_out(vm, allm__vm_pop(vm)); break;
        case ALLM__O_TEXT: v = vm->t->consts[ins->a], allm__sb_put(vm, v.u.s->ptr, v.u.s->len); break;
        case ALLM__O_CAPTURE: allm__vm_capture(vm); break;
        case ALLM__O_CAPTURED: allm__vm_captured(vm); break;
        case ALLM__O_SCOPE:
            s = allm__vm_scope(vm, vm->scope);
            if (s) vm->scope = s;
            break;
        case ALLM__O_END_SCOPE:
            s = vm->scope, vm->scope = s->up;
            allm__vm_drop_scope(vm, s);
            break;
        case ALLM__O_UNPACK: allm__vm_take_apart(vm, (size_t)ins->a); break;
        case ALLM__O_STORE_ATTR: allm__vm_store_attr(vm, ins->a); break;
        case ALLM__O_CHECK_NS:
            if (allm__vm_load(vm, ins->a).type != ALLM__V_NS) allm__vm_fail(vm, "cannot assign attribute on non-namespace object");
            break;
        case ALLM__O_FOR: allm__vm_for(vm, ins, ip - 1); break;
        case ALLM__O_NEXT:
            if (!allm__vm_round(vm)) ip += ins->a - 1;
            break;
        case ALLM__O_AGAIN: vm->loops[vm->n_loops - 1]->done = 1, ip += ins->a - 1; break;
        case ALLM__O_END_FOR: {
            allm__tloop *l = vm->loops[--vm->n_loops];
            vm->scope = l->outer;
            allm__vm_drop_scope(vm, l->inner);
            if (l->done) ip += ins->a - 1;
            break;
        }
        case ALLM__O_LOOP_CALL:
            if (allm__vm_frame(vm, ALLM__FR_MACRO, ip)) ip += ins->a - 1;
            break;
        case ALLM__O_WHERE:
            v = allm__vm_pop(vm);
            allm__vm_return(vm);
            return allm__v_true(v);
        case ALLM__O_MACRO: allm__vm_make_macro(vm, ins->a); break;
        case ALLM__O_DEFAULT:
            if (vm->scope->v[ins->n].val.type != ALLM__V_ABSENT) ip += ins->a - 1;
            break;
        case ALLM__O_RETURN: ip = allm__vm_return(vm); break;
        case ALLM__O_BLOCK: ip = allm__vm_block(vm, ins, ip - 1); break;
        case ALLM__O_ESCAPE:
            v = allm__vm_pop(vm);
            allm__vm_push(vm, allm__v_bool(vm->autoescape));
            vm->autoescape = allm__v_true(v);
            break;
        case ALLM__O_END_ESCAPE: vm->autoescape = allm__v_true(allm__vm_pop(vm)); break;
        case ALLM__O_RAISE: allm__vm_fail(vm, "%s", vm->t->consts[ins->a].u.s->ptr); break;
        case ALLM__O_END: return 1;
        }
    }
}

/* The condition of a for, asked about one item: the machine within itself. */
static int allm__vm_where(allm__vm *vm, int32_t entry, allm__tscope *scope, allm__val item) {
    int32_t ip = vm->ip;
    int     is = -1;
    if (!allm__vm_enter(vm)) return -1;
    allm__tscope *s = allm__vm_scope(vm, scope);
    if (s && allm__vm_frame(vm, ALLM__FR_WHERE, ip)) {
        vm->scope = s;
        allm__vm_push(vm, item);
        is = allm__vm_run(vm, entry);
    }
    if (s && !vm->status) allm__vm_drop_scope(vm, s);
    vm->ip = ip;
    allm__vm_leave(vm);
    return vm->status ? -1 : is;
}

/* ---- what other rooms call */

static void allm__tmpl_free(allm__tmpl *t) {
    if (!t) return;
    const allm__host *h = t->host;
    allm__free(h, t->code, t->cap_code * sizeof *t->code);
    allm__free(h, t->consts, t->cap_consts * sizeof *t->consts);
    allm__free(h, t->names, t->cap_names * sizeof *t->names);
    allm__free(h, t->infos, t->cap_infos * sizeof *t->infos);
    allm__free(h, t->tags, t->cap_tags * sizeof *t->tags);
    allm__free(h, t->macros, t->cap_macros * sizeof *t->macros);
    allm__free(h, t->args, t->cap_args * sizeof *t->args);
    allm__free(h, t->blocks, t->cap_blocks * sizeof *t->blocks);
    allm__map_free(&t->name_map);
    allm__arena_free(&t->arena);
    allm__free(h, t, sizeof *t);
}

/* One kind of newline; one at the end is dropped. */
static int allm__tmpl_source(allm__tmpl *t, allm_str source) { /* 0: no memory */
    char  *p = (char *)allm__arena_alloc(&t->arena, source.len + 1, 1);
    size_t n = 0;
    if (!p) return 0;
    for (size_t i = 0; i < source.len; i++) {
        char c = source.ptr[i];
        if (c == '\r' && i + 1 < source.len && source.ptr[i + 1] == '\n') continue;
        p[n++] = c == '\r' ? '\n' : c;
    }
    if (n && p[n - 1] == '\n') n--;
    p[n]      = 0;
    t->source = allm__str(p, n);
    return 1;
}

/* Compiles; name (for messages, such as "chat template") and h must outlive the template. */
static allm_status allm__tmpl_compile(const allm__host *h, allm_str source, const char *name, allm__tmpl **out, allm_error *err) {
    allm__tp p;
    *out = NULL;
    if (source.len >= INT32_MAX) return allm__fail(err, ALLM_E_TEMPLATE, name, -1, "a template of 2 GiB or more");
    allm__tmpl *t = (allm__tmpl *)allm__alloc_zero(h, sizeof *t, sizeof(void *));
    if (!t) return allm__fail_memory(err, sizeof *t);
    t->host = t->arena.host = t->name_map.host = h, t->name = name;
    memset(&p, 0, sizeof p);
    p.t = t, p.x.t = t, p.x.err = err, p.x.line_start = 1;
    if (!allm__tmpl_source(t, source)) p.x.status = allm__fail_memory(err, source.len);
    else if (allm__utf8_bad(t->source) != SIZE_MAX) ALLM__TP_FAIL(&p, allm__utf8_bad(t->source), "not UTF-8");
    else allm__tp_template(&p);
    if (!p.x.status && t->arena.failed) p.x.status = allm__fail_memory(err, t->arena.n_bytes);
    allm__free(h, p.stack, p.cap_stack * sizeof *p.stack);
    allm__free(h, p.blocks, p.cap_blocks * sizeof *p.blocks);
    allm__free(h, p.tags, p.cap_tags * sizeof *p.tags);
    allm__free(h, p.targets, p.cap_targets * sizeof *p.targets);
    allm__free(h, p.seen, p.cap_seen * sizeof *p.seen);
    allm__free(h, p.unknown, p.cap_unknown * sizeof *p.unknown);
    if (p.x.status) allm__tmpl_free(t);
    else *out = t;
    return p.x.status;
}

/* An empty context; h must outlive it. Failures of memory show in ctx->arena.failed, which the render looks at. */
static void allm__tmpl_ctx_init(allm__tmpl_ctx *ctx, const allm__host *h) {
    memset(ctx, 0, sizeof *ctx);
    ctx->host = ctx->arena.host = h;
    ctx->globals = allm__v_dict(&ctx->arena, ALLM__V_DICT);
}

static void allm__tmpl_ctx_free(allm__tmpl_ctx *ctx) {
    allm__arena_free(&ctx->arena);
    ctx->globals = allm__v_undef();
}

/* A copied text, valid UTF-8; user: its bytes never form special tokens. */
static allm__val allm__tmpl_ctx_text(allm__tmpl_ctx *ctx, allm_str text, int user) {
    return allm__v_text(&ctx->arena, text.ptr, text.len, user);
}

/* Sets a key of a dictionary of the context, of ctx->globals for one; key: a literal, or as long-lived as ctx. */
static void allm__tmpl_ctx_put(allm__tmpl_ctx *ctx, allm__val dict, const char *key, allm__val v) {
    allm__val name = allm__v_view(&ctx->arena, key, strlen(key), 0);
    if (dict.type != ALLM__V_DICT || name.type != ALLM__V_STR || !allm__v_put(&ctx->arena, dict.u.d, name, v)) ctx->arena.failed = 1;
}

/* ---- values from JSON */

enum { ALLM__VJ_DEPTH = 100 };
typedef struct allm__vjson { /* a container that is being read */
    allm__val   dict, key; /* dict UNDEF: a list */
    allm__tlist list;
} allm__vjson;

static int allm__vj_add(allm__arena *a, allm__vjson *at, allm__val v) { /* 0: no memory */
    allm__tlist *l = &at->list;
    if (at->dict.type == ALLM__V_DICT) return allm__v_put(a, at->dict.u.d, at->key, v);
    if (l->n == l->cap) {
        size_t     cap  = ALLM__MAX(l->cap * 2, 4);
        allm__val *more = (allm__val *)allm__arena_array(a, cap, sizeof *more, sizeof(void *));
        if (!more) return 0;
        if (l->n) memcpy(more, l->v, l->n * sizeof *more);
        l->v = more, l->cap = cap;
    }
    l->v[l->n++] = v;
    return 1;
}

static allm__val allm__vj_flat(allm__arena *a, allm__json *j, allm__json_event event, int user) {
    allm__bigtmp b;
    allm_str     s;
    switch (event) {
    case ALLM__JSON_NULL: return allm__v_none();
    case ALLM__JSON_TRUE: return allm__v_bool(1);
    case ALLM__JSON_FALSE: return allm__v_bool(0);
    case ALLM__JSON_INT: return allm__v_int(j->i);
    case ALLM__JSON_DOUBLE:
        if (!j->big) return allm__v_float(j->d);
        s = j->raw.ptr[0] == '-' ? allm__str(j->raw.ptr + 1, j->raw.len - 1) : j->raw;
        allm__big_parse(s, 10, &b);
        b.negative = j->raw.ptr[0] == '-';
        return b.over ? allm__v_float(j->d) : allm__big_store(a, &b);
    default: s = allm__json_text(j); return allm__v_text(a, s.ptr, s.len, user);
    }
}

/* A JSON text as a value; its strings and keys are marked if user. source: for messages. */
static allm_status allm__val_from_json(allm__tmpl_ctx *ctx, allm_str json, int user, const char *source, allm__val *out,
                                       allm_error *err) {
    allm__json   j;
    allm__vjson  open[ALLM__VJ_DEPTH + 1];
    int          depth = 0, ok = 1;
    allm__arena *a     = &ctx->arena;
    *out = allm__v_none();
    allm__json_init(&j, ctx->host, json, source, ALLM__VJ_DEPTH, err);
    for (allm__json_event e; ok && (e = allm__json_next(&j)) != ALLM__JSON_EOF;) {
        allm__val v;
        if (e == ALLM__JSON_OBJECT || e == ALLM__JSON_ARRAY) {
            memset(&open[depth], 0, sizeof open[0]);
            if (e == ALLM__JSON_OBJECT) open[depth].dict = allm__v_dict(a, ALLM__V_DICT), ok = open[depth].dict.type == ALLM__V_DICT;
            depth++;
            continue;
        }
        if (e == ALLM__JSON_KEY) {
            open[depth - 1].key = allm__vj_flat(a, &j, e, user);
            ok = open[depth - 1].key.type == ALLM__V_STR;
            continue;
        }
        if (e == ALLM__JSON_OBJECT_END) v = open[--depth].dict;
        else if (e == ALLM__JSON_ARRAY_END) {
            allm__vseq *q = (allm__vseq *)allm__arena_zero(a, sizeof *q, sizeof(void *));
            depth--;
            if (q) q->v = open[depth].list.v, q->n = open[depth].list.n;
            v = allm__v_ptr(ALLM__V_LIST, q);
        } else v = allm__vj_flat(a, &j, e, user);
        if (v.type == ALLM__V_UNDEF) ok = 0;
        else if (depth) ok = allm__vj_add(a, &open[depth - 1], v);
        else *out = v;
    }
    allm_status status = j.status;
    allm__json_free(&j);
    return status ? status : ok ? ALLM_OK : allm__fail_memory(err, a->n_bytes);
}

static allm__tmpl_limits allm__tmpl_limits_of(const allm__tmpl_limits *given, const allm__tmpl_ctx *ctx) {
    allm__tmpl_limits l;
    memset(&l, 0, sizeof l);
    if (given) l = *given;
    if (!l.max_steps) l.max_steps = 1000000;
    if (l.max_steps > UINT64_MAX / ALLM__T_FUEL) l.max_steps = UINT64_MAX / ALLM__T_FUEL;
    if (l.max_depth <= 0) l.max_depth = 200;
    if (!l.max_output) l.max_output = (size_t)16 << 20;
    if (!l.max_memory) l.max_memory = ((size_t)64 << 20) + ALLM__MIN(ctx->arena.n_bytes, SIZE_MAX / 64) * 16;
    return l;
}

/* Renders: appends to out, and to user the ranges of out that came from texts marked as the caller's. lim may be NULL.
 * After an error both are as before. Errors: ALLM_E_TEMPLATE with row and column, ALLM_E_MEMORY. */
static allm_status allm__tmpl_render(const allm__tmpl *t, allm__tmpl_ctx *ctx, const allm__tmpl_limits *lim, allm__buf *out,
                                     allm__spans *user, allm_error *err) {
    size_t   from = out->len, from_user = user->len, limit = out->limit, n_names = t->n_names;
    allm__vm vm;
    memset(&vm, 0, sizeof vm);
    if (ctx->arena.failed || ctx->globals.type != ALLM__V_DICT) return allm__fail_memory(err, ctx->arena.n_bytes);
    vm.host = vm.arena.host = t->host, vm.t = t, vm.ctx = ctx, vm.err = err, vm.out = out, vm.user = user;
    vm.lim       = allm__tmpl_limits_of(lim, ctx);
    vm.fuel      = vm.lim.max_steps * ALLM__T_FUEL;
    vm.span_base = user->len;
    vm.tab.filters = allm__filters, vm.tab.n_filters = ALLM__COUNT(allm__filters);
    vm.tab.tests = allm__tests, vm.tab.n_tests = ALLM__COUNT(allm__tests);
    vm.tab.methods = allm__methods, vm.tab.n_methods = ALLM__COUNT(allm__methods);
    vm.tab.functions = allm__functions, vm.tab.n_functions = ALLM__COUNT(allm__functions);
    vm.tab.where = allm__vm_where, vm.tab.loop_field = allm__loop_field;
    vm.globals = (allm__val *)allm__arena_array(&vm.arena, n_names, sizeof *vm.globals, sizeof(void *));
    vm.scope = vm.root = allm__vm_scope(&vm, NULL);
    if (!vm.globals || !vm.root) allm__vm_no_memory(&vm);
    for (size_t i = 0; !vm.status && i < n_names; i++) vm.globals[i].type = ALLM__V_ABSENT;
    out->limit = from + vm.lim.max_output;
    if (!vm.status) allm__vm_run(&vm, 0);
    out->limit = limit;
    if (vm.status) out->len = from, user->len = from_user, out->failed = user->failed = 0;
    allm__free(vm.host, vm.stack, vm.cap_stack * sizeof *vm.stack);
    allm__free(vm.host, vm.frames, vm.cap_frames * sizeof *vm.frames);
    allm__free(vm.host, vm.loops, vm.cap_loops * sizeof *vm.loops);
    allm__free(vm.host, vm.marks, vm.cap_marks * sizeof *vm.marks);
    allm__free(vm.host, vm.walk, vm.cap_walk * sizeof *vm.walk);
    allm__arena_free(&vm.arena);
    return vm.status;
}

#else /* ABSTRACTLLM_NO_JINJA: no template is ever compiled */

static allm_status allm__tmpl_compile(const allm__host *h, allm_str source, const char *name, allm__tmpl **out, allm_error *err) {
    (void)h, (void)source;
    *out = NULL;
    return allm__fail(err, ALLM_E_UNSUPPORTED, name, -1, "the template engine is not in this build");
}

static void allm__tmpl_free(allm__tmpl *t) { (void)t; }

#endif

// MARK: >>chat  Chats
/* Owns: messages to prompt: the variables that a chat template gets, as transformers' apply_chat_template passes them,
 * and what is done when a model has no template or its template refuses a system message. Output filters come later.
 * Gives: the prompt, and which of its bytes are the caller's own text, for the tokenizer.
 *
 * Marks. Contents, tools, documents and further variables are the caller's text: a special token spelled there stays
 * text. Special tokens given as variables (bos_token ...) and roles that are plain words are not: templates build
 * markers such as <|user|> from a role. */

typedef struct allm__chat_var { /* a special token: bos_token, eos_token, unk_token ... */
    const char *name; /* must live on */
    allm_str    text;
} allm__chat_var;

typedef struct allm__chat { /* what a model brings to its chats */
    const allm__host     *host;
    const allm__tmpl     *tmpl;   /* NULL: none; ChatML is used, with a warning through the log */
    allm_str              source; /* of tmpl */
    const allm__chat_var *tokens; /* [n_tokens] */
    size_t                n_tokens;
} allm__chat;

typedef struct allm__chat_request {
    const char         *system;     /* goes before the messages; or NULL */
    const allm_message *messages;   /* [n_messages] */
    size_t              n_messages;
    const char         *kwargs;     /* JSON object of further variables, which win; or NULL */
    int                 no_generation_prompt;
    int                 fold;       /* a template that refuses a system message gets its text in the first user message */
} allm__chat_request;

/* A word of letters, digits, - and _: it cannot be, or hide, a special token. */
static int allm__chat_is_word(allm_str s) {
    for (size_t i = 0; i < s.len; i++) {
        char c = (char)(s.ptr[i] | 32);
        if (!((c >= 'a' && c <= 'z') || (s.ptr[i] >= '0' && s.ptr[i] <= '9') || s.ptr[i] == '_' || s.ptr[i] == '-')) return 0;
    }
    return s.len > 0;
}

/* Roles and texts are there and are UTF-8; names the message and the field that is not. */
static allm_status allm__chat_check(const allm__chat_request *r, allm_error *err) {
    if (r->system && allm__utf8_bad(allm__str_of(r->system)) != SIZE_MAX)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "system prompt: not UTF-8 at byte %llu",
                          (unsigned long long)allm__utf8_bad(allm__str_of(r->system)));
    for (size_t i = 0; i < r->n_messages; i++) {
        const allm_message *m = &r->messages[i];
        if (!m->role || !*m->role) return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "messages[%llu].role: missing", (unsigned long long)i);
        for (int k = 0; k < 2; k++) {
            size_t bad = allm__utf8_bad(allm__str_of(k ? m->content : m->role));
            if (bad != SIZE_MAX)
                return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "messages[%llu].%s: not UTF-8 at byte %llu", (unsigned long long)i,
                                  k ? "content" : "role", (unsigned long long)bad);
        }
    }
    return ALLM_OK;
}

/* ---- without a template */

static void allm__chat_put(allm__buf *out, allm__spans *user, allm_str text, int marked) {
    if (marked) allm__spans_add(user, out->len, out->len + text.len);
    allm__buf_put(out, text.ptr, text.len);
}

static void allm__chat_ml(allm__buf *out, allm__spans *user, allm_str role, allm_str content) {
    allm__buf_puts(out, "<|im_start|>");
    allm__chat_put(out, user, role, !allm__chat_is_word(role));
    allm__buf_puts(out, "\n");
    allm__chat_put(out, user, content, 1);
    allm__buf_puts(out, "<|im_end|>\n");
}

/* ChatML, the form that most models without a template know best. */
static allm_status allm__chat_fallback(const allm__chat *c, const allm__chat_request *r, allm__buf *out, allm__spans *user, allm_error *err) {
    allm__log(c->host, ALLM_LOG_WARN, "the model has no chat template: the ChatML format is used");
    if (r->system) allm__chat_ml(out, user, ALLM__S("system"), allm__str_of(r->system));
    for (size_t i = 0; i < r->n_messages; i++)
        allm__chat_ml(out, user, allm__str_of(r->messages[i].role), allm__str_of(r->messages[i].content));
    if (!r->no_generation_prompt) allm__buf_puts(out, "<|im_start|>assistant\n");
    return out->failed || user->failed ? allm__fail_memory(err, out->len) : ALLM_OK;
}

#ifndef ABSTRACTLLM_NO_JINJA

/* ---- variables */

/* The system's local time. */
static allm__tmpl_now allm__chat_now(void) {
    allm__tmpl_now now = {0, 0, 0, 0, 0, 0};
    time_t         t   = time(NULL);
    struct tm      tm, *p = &tm;
#if defined(ALLM__POSIX)
    p = localtime_r(&t, &tm);
#elif defined(ALLM__WINDOWS)
    if (localtime_s(&tm, &t)) p = NULL;
#else
    p = localtime(&t);
#endif
    if (!p) return now;
    now.year = p->tm_year + 1900, now.month = p->tm_mon + 1, now.day = p->tm_mday;
    now.hour = p->tm_hour, now.minute = p->tm_min, now.second = p->tm_sec;
    return now;
}

static allm__val *allm__chat_get(allm__val dict, const char *key) { return allm__v_get(dict.u.d, allm__str_of(key)); }

static int allm__chat_given(allm__val dict, const char *key) { /* there, and not none */
    allm__val *v = allm__chat_get(dict, key);
    return v && v->type != ALLM__V_NONE;
}

/* bos_token and the like, where the caller did not give them. */
static void allm__chat_tokens(const allm__chat *c, allm__tmpl_ctx *ctx) {
    for (size_t i = 0; i < c->n_tokens; i++)
        if (!allm__chat_get(ctx->globals, c->tokens[i].name))
            allm__tmpl_ctx_put(ctx, ctx->globals, c->tokens[i].name, allm__tmpl_ctx_text(ctx, c->tokens[i].text, 0));
}

/* A message as transformers passes it: no keys that are none; reasoning under both of its usual names. */
static allm__val allm__chat_message(allm__tmpl_ctx *ctx, allm__val m) {
    static const char *const names[] = {"reasoning_content", "thinking", "reasoning"};
    allm__val d = allm__v_dict(&ctx->arena, ALLM__V_DICT), *role, *reasoning = NULL;
    if (d.type != ALLM__V_DICT) return ctx->arena.failed = 1, d;
    for (size_t i = 0; i < ALLM__COUNT(names) && !reasoning; i++)
        if (allm__chat_given(m, names[i])) reasoning = allm__chat_get(m, names[i]);
    if (reasoning) allm__tmpl_ctx_put(ctx, d, "thinking", *reasoning);
    for (size_t i = 0; i < m.u.d->n; i++)
        if (m.u.d->v[i].val.type != ALLM__V_NONE && !allm__v_put(&ctx->arena, d.u.d, m.u.d->v[i].key, m.u.d->v[i].val)) ctx->arena.failed = 1;
    if (reasoning) allm__tmpl_ctx_put(ctx, d, "reasoning_content", *reasoning);
    role = allm__chat_get(d, "role");
    if (role && allm__v_is_str(*role) && allm__chat_is_word(allm__v_str(*role))) *role = allm__v_view(&ctx->arena, role->u.s->ptr, role->u.s->len, 0);
    return d;
}

/* Messages times 100 steps on top of the default: a long conversation is not an endless loop. */
static allm__tmpl_limits allm__chat_limits(size_t n_messages) {
    allm__tmpl_limits l;
    memset(&l, 0, sizeof l);
    l.max_steps  = 1000000 + (uint64_t)n_messages * 100;
    l.max_output = (size_t)16 << 20;
    return l;
}

/* Room for the texts of the context in the output, however long they are. */
static allm__tmpl_limits allm__chat_limits_of(const allm__tmpl_ctx *ctx, size_t n_messages) {
    allm__tmpl_limits l = allm__chat_limits(n_messages);
    l.max_output += ALLM__MIN(ctx->arena.n_bytes, SIZE_MAX / 8) * 2;
    return l;
}

/* ---- from messages */

enum { ALLM__CHAT_AS_IS, ALLM__CHAT_DEVELOPER, ALLM__CHAT_FOLD, ALLM__CHAT_WAYS }; /* ways to try, one after another */

static int allm__chat_is_system(const allm_message *m) { return !strcmp(m->role, "system") || !strcmp(m->role, "developer"); }

static void allm__chat_add(allm__tmpl_ctx *ctx, allm__val list, const char *role, const char *before, const char *content) {
    allm__val m = allm__v_dict(&ctx->arena, ALLM__V_DICT), text = allm__v_undef();
    allm_str  role_text = allm__str_of(role);
    if (m.type != ALLM__V_DICT) return;
    allm__tmpl_ctx_put(ctx, m, "role", allm__tmpl_ctx_text(ctx, role_text, !allm__chat_is_word(role_text)));
    if (before) { /* a system text in front of a user's */
        size_t n = strlen(before), n_content = content ? strlen(content) : 0, gap = n_content ? 2 : 0;
        char  *p = (char *)allm__arena_alloc(&ctx->arena, n + gap + n_content + 1, 1);
        if (!p) return;
        memcpy(p, before, n), memcpy(p + n, "\n\n", gap), memcpy(p + n + gap, content ? content : "", n_content);
        text = allm__v_view(&ctx->arena, p, n + gap + n_content, 1);
    } else if (content) text = allm__tmpl_ctx_text(ctx, allm__str_of(content), 1);
    if (text.type == ALLM__V_STR) allm__tmpl_ctx_put(ctx, m, "content", text);
    list.u.q->v[list.u.q->n++] = m;
}

/* The messages of a request as a list, in one of the ways. */
static allm__val allm__chat_list(allm__tmpl_ctx *ctx, const allm__chat_request *r, int way) {
    allm__val   list   = allm__v_seq(&ctx->arena, ALLM__V_LIST, r->n_messages + 2);
    const char *system = r->system, *folded = NULL;
    size_t      first  = 0;
    if (list.type != ALLM__V_LIST) return list;
    list.u.q->n = 0;
    if (!system && r->n_messages && allm__chat_is_system(&r->messages[0])) system = r->messages[first++].content;
    if (way == ALLM__CHAT_FOLD) folded = system ? system : "";
    else if (system || first) allm__chat_add(ctx, list, first && way == ALLM__CHAT_AS_IS ? r->messages[0].role : "system", NULL, system);
    for (size_t i = first; i < r->n_messages && !ctx->arena.failed; i++) {
        const allm_message *m    = &r->messages[i];
        const char         *role = way != ALLM__CHAT_AS_IS && !strcmp(m->role, "developer") ? "system" : m->role;
        int                 here = folded && !strcmp(m->role, "user");
        allm__chat_add(ctx, list, role, here ? folded : NULL, m->content);
        if (here) folded = NULL;
    }
    if (folded && *folded) allm__chat_add(ctx, list, "user", NULL, folded); /* nobody spoke yet */
    return list;
}

static allm_status allm__chat_try(const allm__chat *c, const allm__chat_request *r, int way, allm__buf *out, allm__spans *user, allm_error *err) {
    allm__tmpl_ctx ctx;
    allm__val      extra  = allm__v_none();
    allm_status    status = ALLM_OK;
    allm__tmpl_ctx_init(&ctx, c->host);
    if (ctx.globals.type == ALLM__V_DICT) {
        allm__tmpl_ctx_put(&ctx, ctx.globals, "messages", allm__chat_list(&ctx, r, way));
        allm__tmpl_ctx_put(&ctx, ctx.globals, "tools", allm__v_none());
        allm__tmpl_ctx_put(&ctx, ctx.globals, "documents", allm__v_none());
        allm__tmpl_ctx_put(&ctx, ctx.globals, "add_generation_prompt", allm__v_bool(!r->no_generation_prompt));
        if (r->kwargs) status = allm__val_from_json(&ctx, allm__str_of(r->kwargs), 1, "template_kwargs", &extra, err);
        if (!status && r->kwargs && extra.type != ALLM__V_DICT)
            status = allm__fail(err, ALLM_E_ARGUMENT, "template_kwargs", -1, "not a JSON object");
        for (size_t i = 0; !status && extra.type == ALLM__V_DICT && i < extra.u.d->n; i++)
            if (!allm__v_put(&ctx.arena, ctx.globals.u.d, extra.u.d->v[i].key, extra.u.d->v[i].val)) ctx.arena.failed = 1;
        allm__chat_tokens(c, &ctx);
    }
    ctx.now = allm__chat_now();
    allm__tmpl_limits lim = allm__chat_limits_of(&ctx, r->n_messages);
    if (!status) status = allm__tmpl_render(c->tmpl, &ctx, &lim, out, user, err);
    allm__tmpl_ctx_free(&ctx);
    return status;
}

/* The prompt of a conversation: appended to out, its marks to user. With r->fold, a template that raises on the system
 * or developer role gets the messages in a form it takes, and the log a warning. Errors: ALLM_E_ARGUMENT naming message
 * and field; ALLM_E_TEMPLATE with row and column; ALLM_E_MEMORY. */
static allm_status allm__chat_render(const allm__chat *c, const allm__chat_request *r, allm__buf *out, allm__spans *user, allm_error *err) {
    static const char *const done[] = {"", "developer messages were passed as system messages", "the system text was put in front of the first user message"};
    int         has_system = r->system != NULL, has_developer = 0;
    allm_error  other;
    allm_status status = allm__chat_check(r, err);
    if (status) return status;
    if (!c->tmpl) return allm__chat_fallback(c, r, out, user, err);
    for (size_t i = 0; i < r->n_messages; i++) {
        if (i == 0 && !has_system) has_system = allm__chat_is_system(&r->messages[0]);
        has_developer |= !strcmp(r->messages[i].role, "developer");
    }
    memset(&other, 0, sizeof other);
    status = allm__chat_try(c, r, ALLM__CHAT_AS_IS, out, user, &other);
    if (status == ALLM_E_TEMPLATE && r->fold)
        for (int way = ALLM__CHAT_DEVELOPER; way < ALLM__CHAT_WAYS; way++) {
            allm_error again;
            if (!(way == ALLM__CHAT_FOLD ? has_system : has_developer)) continue;
            memset(&again, 0, sizeof again);
            if (allm__chat_try(c, r, way, out, user, &again)) continue;
            allm__log(c->host, ALLM_LOG_WARN, "%s; %s", other.message, done[way]);
            return ALLM_OK;
        }
    if (status && err->status == ALLM_OK) *err = other;
    return status;
}

/* ---- from a JSON context, for the command `render` */

static const char allm__chat_continue[] = "CONTINUE_FINAL_MESSAGE_TAG "; /* transformers' own: a template may trim its blank */

/* Puts the marker at the end of the text that is to be continued, in field `name` of the last message. *final: that text. */
static allm_status allm__chat_mark_final(const allm__chat *c, allm__tmpl_ctx *ctx, allm__val message, allm_str name, allm__val *final,
                                         allm_error *err) {
    static const char *const reasoning[] = {"reasoning_content", "thinking", "reasoning"};
    allm__val *text = allm__v_get(message.u.d, name), *fields[3];
    size_t     n    = 0;
    int        known = 0, is_reasoning = 0;
    if (!text || text->type == ALLM__V_NONE)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "continue_final_message: the last message has no \"%.*s\"", (int)ALLM__MIN(name.len, 60), name.ptr);
    for (size_t i = 0; i < ALLM__COUNT(reasoning); i++) is_reasoning |= allm__str_eq(name, allm__str_of(reasoning[i]));
    for (size_t i = 0; is_reasoning && i < ALLM__COUNT(reasoning); i++) { /* the same text under other names goes on, too */
        allm__val *v = allm__chat_get(message, reasoning[i]);
        if (v && v->type == text->type && allm__v_is_str(*v) && allm__v_eq_flat(*v, *text)) fields[n++] = v;
        known |= v && allm__str_find(c->source, allm__str_of(reasoning[i]), 0) != SIZE_MAX;
    }
    if (!is_reasoning) known = allm__str_find(c->source, name, 0) != SIZE_MAX, fields[n++] = text;
    if (!known)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "continue_final_message: the template does not use \"%.*s\"", (int)ALLM__MIN(name.len, 60), name.ptr);
    if (text->type == ALLM__V_LIST) { /* parts: the last with a text */
        for (n = text->u.q->n; n > 0; n--) {
            allm__val part = text->u.q->v[n - 1];
            if (part.type == ALLM__V_DICT && (fields[0] = allm__chat_get(part, "text"))) break;
        }
        if (!n) return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "continue_final_message: the last message has no text");
        n = 1;
    }
    for (size_t i = 0; i < n; i++) {
        allm__val v = *fields[i];
        size_t    n_mark = sizeof allm__chat_continue - 1;
        if (!allm__v_is_str(v)) return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "continue_final_message: the last message is not a text");
        char *p = (char *)allm__arena_alloc(&ctx->arena, v.u.s->len + n_mark, 1);
        if (!p) return allm__fail_memory(err, v.u.s->len);
        memcpy(p, v.u.s->ptr, v.u.s->len), memcpy(p + v.u.s->len, allm__chat_continue, n_mark);
        *final     = v;
        *fields[i] = allm__v_view(&ctx->arena, p, v.u.s->len + n_mark, 1);
    }
    return ctx->arena.failed ? allm__fail_memory(err, ctx->arena.n_bytes) : ALLM_OK;
}

/* Cuts the output, from `from` on, at the last marker. */
static allm_status allm__chat_cut_final(allm__buf *out, allm__spans *user, size_t from, allm__val final, allm_error *err) {
    allm_str text = allm__str(out->ptr ? out->ptr + from : "", out->len - from), mark = ALLM__S("CONTINUE_FINAL_MESSAGE_TAG");
    size_t   a = 0, b = final.u.s->len, at = SIZE_MAX, end;
    allm__trim_space(final.u.s->ptr, &a, &b, 1, 1);
    for (size_t i = 0; (i = allm__str_find(text, mark, i)) != SIZE_MAX; i++) at = i;
    if (at == SIZE_MAX || allm__str_find(text, allm__str(final.u.s->ptr + a, b - a), 0) == SIZE_MAX)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "continue_final_message: the template leaves out parts of the last message");
    end = at, a = 0;
    if (at + mark.len >= text.len || text.ptr[at + mark.len] != ' ') allm__trim_space(text.ptr, &a, &end, 0, 1);
    out->len = from + end;
    while (user->len && user->ptr[user->len - 1].from >= out->len) user->len--;
    if (user->len && user->ptr[user->len - 1].to > out->len) user->ptr[user->len - 1].to = out->len;
    return ALLM_OK;
}

/* Lists of objects, as tools and documents are; absent becomes none. */
static allm_status allm__chat_objects(allm__tmpl_ctx *ctx, const char *name, allm_error *err) {
    allm__val *v = allm__chat_get(ctx->globals, name);
    if (!v) return allm__tmpl_ctx_put(ctx, ctx->globals, name, allm__v_none()), ALLM_OK;
    if (v->type == ALLM__V_NONE) return ALLM_OK;
    if (v->type != ALLM__V_LIST) return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "%s: a list of objects expected", name);
    for (size_t i = 0; i < v->u.q->n; i++)
        if (v->u.q->v[i].type != ALLM__V_DICT)
            return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "%s[%llu]: an object expected", name, (unsigned long long)i);
    return ALLM_OK;
}

/* The variables of apply_chat_template out of those given. *final: the text to continue, or absent. */
static allm_status allm__chat_prepare(const allm__chat *c, allm__tmpl_ctx *ctx, allm__val *final, allm_error *err) {
    allm__val  *messages = allm__chat_get(ctx->globals, "messages"), *go_on, keep, *add;
    allm_status status   = ALLM_OK;
    final->type = ALLM__V_ABSENT;
    if (!messages || messages->type != ALLM__V_LIST || !messages->u.q->n)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "messages: a list of at least one message expected");
    for (size_t i = 0; i < messages->u.q->n; i++) {
        if (messages->u.q->v[i].type != ALLM__V_DICT)
            return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "messages[%llu]: an object expected", (unsigned long long)i);
        messages->u.q->v[i] = allm__chat_message(ctx, messages->u.q->v[i]);
        if (ctx->arena.failed) return allm__fail_memory(err, ctx->arena.n_bytes);
    }
    keep = *messages;
    if ((status = allm__chat_objects(ctx, "tools", err)) || (status = allm__chat_objects(ctx, "documents", err))) return status;
    add   = allm__chat_get(ctx->globals, "add_generation_prompt");
    go_on = allm__chat_get(ctx->globals, "continue_final_message");
    if (go_on && allm__v_true(*go_on)) {
        if (add && allm__v_true(*add))
            return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "continue_final_message and add_generation_prompt exclude each other");
        status = allm__chat_mark_final(c, ctx, keep.u.q->v[keep.u.q->n - 1], allm__v_is_str(*go_on) ? allm__v_str(*go_on) : ALLM__S("content"), final, err);
    }
    if (!add) allm__tmpl_ctx_put(ctx, ctx->globals, "add_generation_prompt", allm__v_bool(0));
    return status;
}

/* Renders c->tmpl with the variables of a JSON object. chat: as apply_chat_template does with them as its arguments
 * (messages, tools, documents, add_generation_prompt, continue_final_message; the rest are further variables);
 * else they are passed as they are. now NULL: the system's time. */
static allm_status allm__chat_render_json(const allm__chat *c, allm_str context, int chat, const allm__tmpl_now *now, allm__buf *out,
                                          allm__spans *user, allm_error *err) {
    allm__tmpl_ctx ctx;
    allm__val      final, *messages;
    size_t         from = out->len, from_user = user->len;
    allm__tmpl_ctx_init(&ctx, c->host);
    allm_status status = allm__val_from_json(&ctx, context, 1, "context", &ctx.globals, err);
    if (!status && ctx.globals.type != ALLM__V_DICT) status = allm__fail(err, ALLM_E_ARGUMENT, "context", -1, "a JSON object expected");
    final.type = ALLM__V_ABSENT;
    if (!status && chat) status = allm__chat_prepare(c, &ctx, &final, err);
    if (!status) {
        allm__chat_tokens(c, &ctx);
        ctx.now  = now ? *now : allm__chat_now();
        messages = allm__chat_get(ctx.globals, "messages");
        allm__tmpl_limits lim = allm__chat_limits_of(&ctx, messages && messages->type == ALLM__V_LIST ? messages->u.q->n : 0);
        status = allm__tmpl_render(c->tmpl, &ctx, &lim, out, user, err);
    }
    if (!status && final.type == ALLM__V_STR) status = allm__chat_cut_final(out, user, from, final, err);
    if (status) out->len = from, user->len = from_user;
    allm__tmpl_ctx_free(&ctx);
    return status;
}

#else

static allm_status allm__chat_render(const allm__chat *c, const allm__chat_request *r, allm__buf *out, allm__spans *user, allm_error *err) {
    allm_status status = allm__chat_check(r, err);
    return status ? status : allm__chat_fallback(c, r, out, user, err);
}

#endif

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
