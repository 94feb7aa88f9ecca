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

/* Caller-owned; may be NULL in every call; zero it before the first use. A call that fails fills it, whatever stood
 * there; a call that succeeds leaves status ALLM_OK in it. */
typedef struct allm_error {
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
    void   *on_load_ctx;
    int32_t n_batch; /* tokens of a prompt evaluated at a time; 0: 256. Changes speed and memory, never the answer */
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
 * given, every field is taken literally and zero is off or neutral; to change one field of the defaults, begin with
 * allm_default_sampling. NaN, infinite and negative values are ALLM_E_ARGUMENT where no meaning is stated. Order of
 * the chain: bias, penalties, top_k, top_p, min_p, temperature, draw. */
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
    const char *content; /* UTF-8, terminated; special tokens spelled in it stay text */
} allm_message;

typedef enum allm_event { ALLM_TEXT, ALLM_REASONING, ALLM_TOOL_CALL, ALLM_PROMPT_PROGRESS, ALLM_DONE } allm_event;
/* Order of events: ALLM_PROMPT_PROGRESS any number of times, ALLM_REASONING and ALLM_TEXT as the model writes them,
 * ALLM_DONE once at the end of an answer that did not fail. The texts of ALLM_TEXT concatenate to the response's. */
typedef struct allm_chunk {
    allm_event  event;
    const char *text; /* ALLM_TEXT, ALLM_REASONING: a delta of whole UTF-8, valid during the callback, not terminated;
                         other events: empty, never NULL */
    size_t      len;  /* bytes in text */
    int32_t     token_id; /* the last token that went into text; -1 where there is none */
    float       progress; /* ALLM_PROMPT_PROGRESS: prompt evaluated so far, 0..1 */
} allm_chunk;

/* What to answer. Everything it points to must live until the call returns. Texts are UTF-8; one that is not, and
 * more than one of prompt, messages and prompt_ids, is ALLM_E_ARGUMENT. */
typedef struct allm_request {
    const char         *prompt, *system; /* either a prompt (and a system prompt) ... */
    const allm_message *messages;        /* ... or [n_messages] messages */
    size_t              n_messages;
    const char *const  *files; /* [n_files] paths of text files, appended to the prompt or the last user message */
    size_t              n_files;
    const allm_sampling *sampling;
    int32_t             max_tokens; /* 0: 4096; always capped by the context; negative: ALLM_E_ARGUMENT */
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
/* Stops the running generation within a layer, also during the prompt. Any thread, any time, also from a signal
 * handler (it only stores a flag); nothing running, or NULL: no effect. */
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
 * tokenizer adds around a text. Bytes that are not UTF-8 count as U+FFFD. Writes at most cap ids (ids may be NULL when
 * cap is 0); *n = how many there are in all, so that n > cap means: call again with more room.
 * ALLM_E_UNSUPPORTED: the model has no tokenizer. */
ABSTRACTLLM_API allm_status allm_tokenize(const allm_model *m, allm_str text, int parse_special, int add_bos,
                                          int32_t *ids, size_t cap, size_t *n, allm_error *err);
/* Ids to text, invalid UTF-8 replaced by U+FFFD. skip_special leaves control tokens out. Writes at most cap bytes (text
 * may be NULL when cap is 0), not terminated; *n = how many there are in all. An id outside the vocabulary is
 * ALLM_E_ARGUMENT. */
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
/* Stops a running eval within a layer. Any thread, also from a signal handler; NULL is fine. */
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
#define ALLM__STRING2(a) #a
#define ALLM__STRING(a) ALLM__STRING2(a)
#define ALLM__JOIN(a, b) ALLM__JOIN2(a, b)
/* A check at compile time, in C99 too. */
#define ALLM__STATIC(name, condition) typedef char ALLM__JOIN(allm__static_, name)[(condition) ? 1 : -1]

#if defined(__GNUC__) || defined(__clang__)
#define ALLM__INLINE static inline __attribute__((unused, always_inline))
#define ALLM__ALIGNED(n) __attribute__((aligned(n)))
#if defined(__clang__)
#define ALLM__UNROLL(n) _Pragma("clang loop unroll(full)")
#else
#define ALLM__UNROLL(n) ALLM__PRAGMA(GCC unroll n)
#define ALLM__PRAGMA(text) _Pragma(#text)
#endif
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

#define ALLM__AHEAD 4096
#define ALLM__PREFETCH(p, n) __builtin_prefetch((const void *)((uintptr_t)(p) + (size_t)(n)), 0, 3)
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

/* ---- layout: several arrays in one block */

enum { ALLM__LAYOUT_ALIGN = 64 };
typedef struct allm__layout { /* zeroed it only counts; with base set to n_bytes of memory it places */
    char  *base;
    size_t n_bytes;
    int    failed; /* sticky: the sum does not fit a size_t */
} allm__layout;

/* The next n things of `size` bytes; NULL while counting, and for n = 0. */
static void *allm__layout_array(allm__layout *l, size_t n, size_t size) {
    size_t n_bytes, end;
    if (!allm__mul(n, size, &n_bytes) || !allm__add(l->n_bytes, n_bytes, &end) || end > SIZE_MAX - ALLM__LAYOUT_ALIGN)
        return l->failed = 1, NULL;
    void *p    = l->base && n ? l->base + l->n_bytes : NULL;
    l->n_bytes = allm__round_up(end, ALLM__LAYOUT_ALIGN);
    return p;
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
/* Owns: facts about Unicode, as tables that tools/gen_tables.py writes from tools/unicode.txt (a test compares them);
 * later the IQ codebooks. Gives: general category and properties of a code point as one bit set, case mappings,
 * canonical decomposition and composition. Categories are those of Unicode 16, canonical forms those of Unicode 9:
 * what Hugging Face tokenizers do, so that ids agree. Upper and title case, and the bits named after Python, follow
 * Python's str, which templates are written for. */

/* One bit a general category, in the order of allm__uni_names. */
#define ALLM__UNI_GC(i) ((uint64_t)1 << (i))
#define ALLM__UNI_LU ALLM__UNI_GC(0)
#define ALLM__UNI_LL ALLM__UNI_GC(1)
#define ALLM__UNI_LT ALLM__UNI_GC(2)
#define ALLM__UNI_LM ALLM__UNI_GC(3)
#define ALLM__UNI_LO ALLM__UNI_GC(4)
#define ALLM__UNI_MN ALLM__UNI_GC(5)
#define ALLM__UNI_ND ALLM__UNI_GC(8)
#define ALLM__UNI_L ((uint64_t)0x1f)
#define ALLM__UNI_M ((uint64_t)0x7 << 5)
#define ALLM__UNI_N ((uint64_t)0x7 << 8)
#define ALLM__UNI_P ((uint64_t)0x7f << 11)
#define ALLM__UNI_S ((uint64_t)0xf << 18)
#define ALLM__UNI_Z ((uint64_t)0x7 << 22)
#define ALLM__UNI_C ((uint64_t)0x1f << 25)
/* One bit a property, from bit 32 on. */
#define ALLM__UNI_SPACE ((uint64_t)1 << 32)     /* White_Space */
#define ALLM__UNI_WORD ((uint64_t)1 << 33)      /* \w of Oniguruma */
#define ALLM__UNI_HAN ((uint64_t)1 << 34)       /* script Han */
#define ALLM__UNI_UPPER ((uint64_t)1 << 35)     /* Uppercase: Python's str.isupper */
#define ALLM__UNI_LOWER ((uint64_t)1 << 36)     /* Lowercase: str.islower */
#define ALLM__UNI_DIGIT ((uint64_t)1 << 37)     /* str.isdigit */
#define ALLM__UNI_PYSPACE ((uint64_t)1 << 38)   /* str.isspace, str.strip, str.split */
#define ALLM__UNI_IGNORABLE ((uint64_t)1 << 39) /* Case_Ignorable: what the final sigma rule looks through */
#define ALLM__UNI_NUMBER17 ((uint64_t)1 << 40)  /* N of Unicode 17: the pre-tokenizer Digits */
#define ALLM__UNI_NORMAL ((uint64_t)1 << 41)    /* canonical forms may change it, or its neighbours because of it */
/* Python's other predicates. */
#define ALLM__UNI_ALPHA ALLM__UNI_L
#define ALLM__UNI_DECIMAL ALLM__UNI_ND
#define ALLM__UNI_ALNUM (ALLM__UNI_L | ALLM__UNI_N)
#define ALLM__UNI_CASED (ALLM__UNI_UPPER | ALLM__UNI_LOWER | ALLM__UNI_LT)

static const char allm__uni_names[][3] = {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl",
                                          "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc",
                                          "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn"};

/* Packed tables are rows of 16 records, a record being numbers in base 64, as characters from '0' on, the highest
 * digit first. Those that are searched begin with a code point of three digits and ascend by it. */

/* ---- begin of generated tables: tools/gen_tables.py */
/* [class] number of its general category, and its properties */
static const struct { uint8_t category; uint16_t props; } allm__uni_classes[68] = {
    {0, 10}, {0, 522}, {1, 18}, {1, 530}, {2, 2}, {2, 514}, {3, 130}, {3, 134}, {3, 146}, {3, 642}, {4, 2}, {4, 6},
    {4, 18}, {4, 514}, {4, 518}, {5, 130}, {5, 642}, {5, 658}, {6, 2}, {6, 6}, {6, 514}, {7, 130}, {8, 290},
    {9, 258}, {9, 262}, {9, 266}, {9, 274}, {10, 256}, {10, 258}, {10, 288}, {10, 290}, {11, 2}, {12, 0}, {13, 0},
    {13, 512}, {14, 0}, {14, 512}, {15, 0}, {15, 128}, {16, 0}, {16, 128}, {17, 0}, {17, 4}, {17, 128}, {17, 512},
    {17, 640}, {18, 0}, {18, 512}, {19, 0}, {20, 128}, {20, 640}, {21, 0}, {21, 4}, {21, 10}, {21, 18}, {21, 512},
    {22, 65}, {22, 577}, {23, 65}, {24, 65}, {25, 0}, {25, 64}, {25, 65}, {26, 128}, {27, 0}, {28, 0}, {29, 0},
    {29, 256},
};
/* ranges of equal class: first code point, three digits, and class, counted from '(' */
enum { ALLM__N_UNI_RANGES = 4504 };
static const char allm__uni_ranges[282][65] = {
    "000d009f00>d00Le00P`00QQ00TX00UQ00WS00XI00YK00ZQ00[V00\\Q00]H00^S",
    "00_Q00`>00jS00kQ00lV00oQ011(01KI01LQ01MK01NY01OG01PY01Q*01kI01lV",
    "01mK01nV01od025f026d02P`02QQ02RX02V[02WQ02XY02Y[02Z402[M02\\V02]g",
    "02^[02_Y02`[02aV02bF02dY02e*02fQ02gS02hY02iF02j402kO02lD02oQ030)",
    "036(037)03@(03A)03GV03H(03I)03N(03O*03P+03V*03W+03`*03a+03gV03h*",
    "03i+03n*03o+040)041+042)043+044)045+046)047+048)049+04:)04;+04<)",
    "04=+04>)04\?+04@(04A*04B)04C+04D)04E+04F)04G+04H)04I+04J)04K+04L)",
    "04M+04N)04O+04P)04Q+04R)04S+04T)04U+04V(04W*04X)04Y+04Z)04[+04\\)",
    "04]+04^)04_+04`)04a*04b(04c*04d)04e+04f)04g+04h*04i)04j+04k)04l+",
    "04m)04n+04o(050*051(052*053)054+055)056+057)058+059*05:(05;*05<)",
    "05=+05>)05\?+05@)05A+05B(05C*05D)05E+05F)05G+05H)05I+05J)05K+05L)",
    "05M+05N)05O+05P)05Q+05R)05S+05T)05U+05V(05W*05X)05Y+05Z)05[+05\\)",
    "05]+05^)05_+05`)05a+05b)05c+05d)05e+05f)05g+05h)05j+05k)05l+05m)",
    "05n+05o*061(063*064(065*066(068*069(06<*06>(06B*06C(06E*06F(06I*",
    "06L(06N*06O(06P)06Q+06R(06S*06T(06U*06V(06X*06Y(06Z*06\\(06]*06^(",
    "06_)06`+06a(06d*06e(06f*06g(06i*06k206l(06m*0702074(075,076*077(",
    "078,079*07:(07;,07<*07=)07>+07\?)07@+07A)07B+07C)07D+07E)07F+07G)",
    "07H+07I)07J+07K)07L+07M*07N)07O+07P)07Q+07R)07S+07T(07U*07V)07W+",
    "07X)07Y+07Z)07[+07\\)07]+07^)07_+07a(07b,07c*07d)07e+07f(07h)07i+",
    "07j)07k+07l)07m+07n)07o+080)081+082)083+084)085+086)087+088)089+",
    "08:)08;+08<)08=+08>)08\?+08@)08A+08B)08C+08D)08E+08F)08G+08H)08I+",
    "08J)08K+08L(08M*08N)08O+08P(08Q*08R(08S*08T(08U*08V)08W+08X)08Y+",
    "08Z)08[+08\\)08]+08^)08_+08`)08a+08b)08c+08d*08j(08l*08m(08o*091(",
    "092*093(097*098(099*09:(09;*09<(09=*09>(09\?*0:D20:E*0:`00:i.0;00",
    "0;2Y0;6.0;BY0;P00;UY0;\\.0;]Y0;^.0;_Y0<080=590=680=\?70=@80=`(0=a*",
    "0=b(0=c*0=d10=eY0=f(0=g*0=hj0=j00=k*0=nT0=o(0>0j0>4Y0>5Z0>6)0>7U",
    "0>8)0>;j0><)0>=j0>>)0>@+0>A(0>Rj0>S(0>Z)0>\\+0>a*0\?:+0\?\?(0\?@*0\?B(",
    "0\?C)0\?E*0\?H(0\?I*0\?J(0\?K*0\?L(0\?M*0\?N(0\?O*0\?P(0\?Q*0\?R(0\?S*0\?T(0\?U*",
    "0\?V(0\?W*0\?X(0\?Y*0\?Z(0\?[*0\?\\(0\?]*0\?^(0\?_*0\?d(0\?e*0\?fV0\?g(0\?h*0\?i(",
    "0\?k*0\?m(0@0)0@2(0@3)0@4(0@7)0@8(0@<)0@\?(0@I)0@J(0@`*0@i+0@j*0A@+",
    "0AB*0AC+0AD*0AG+0AH*0AL+0AO*0AP(0AQ*0AR(0AS*0AT(0AU*0AV(0AW*0AX(",
    "0AY*0AZ(0A[*0A\\(0A]*0A^(0A_*0A`(0Aa*0Ab(0Ac*0Ad(0Ae*0Af)0Ag+0Ah(",
    "0Ai*0Aj(0Ak*0Al(0Am*0An(0Ao*0B0(0B1*0B2[0B380B8=0B:(0B;*0B<(0B=*",
    "0B>(0B\?*0B@(0BA*0BB(0BC*0BD(0BE*0BF(0BG*0BH(0BI*0BJ(0BK*0BL(0BM*",
    "0BN(0BO*0BP(0BQ*0BR(0BS*0BT(0BU*0BV(0BW*0BX(0BY*0BZ(0B[*0B\\(0B]*",
    "0B^(0B_*0B`(0Ba*0Bb(0Bc*0Bd(0Be*0Bf(0Bg*0Bh(0Bi*0Bj(0Bk*0Bl(0Bm*",
    "0Bn(0Bo*0C0(0C1)0C2+0C3(0C4*0C5(0C6*0C7(0C8*0C9(0C:*0C;(0C<*0C=(",
    "0C>*0C@)0CA+0CB)0CC+0CD(0CE*0CF)0CG+0CH(0CI*0CJ)0CK+0CL)0CM+0CN)",
    "0CO+0CP(0CQ*0CR)0CS+0CT)0CU+0CV)0CW+0CX(0CY*0CZ)0C[+0C\\)0C]+0C^)",
    "0C_+0C`)0Ca+0Cb)0Cc+0Cd)0Ce+0Cf(0Cg*0Ch)0Ci+0Cj(0Ck*0Cl(0Cm*0Cn(",
    "0Co*0D0(0D1*0D2(0D3*0D4(0D5*0D6(0D7*0D8(0D9*0D:(0D;*0D<(0D=*0D>(",
    "0D\?*0D@(0DA*0DB(0DC*0DD(0DE*0DF(0DG*0DH(0DI*0DJ(0DK*0DL(0DM*0DN(",
    "0DO*0DP(0DQ*0DR(0DS*0DT(0DU*0DV(0DW*0DX(0DY*0DZ(0D[*0D\\(0D]*0D^(",
    "0D_*0D`j0Da(0EGj0EI.0EJQ0EOS0EP*0F9Q0F:H0F;j0F=[0F\?X0F@j0FA80FnH",
    "0Fo80G0Q0G180G3Q0G480G6Q0G780G8j0G@20G[j0G_20GcQ0GdS0Gej0H0g0H6V",
    "0H9Q0H;X0H<Q0H>[0H@80HKQ0HLg0HMQ0HP20HR50HW20I0.0I120I;80IP>0IZQ",
    "0I^20I`80Ia20K050K120K250K320KC50KDQ0KE20KF80KMg0KN[0KO80KU.0KW8",
    "0KY[0KZ80K^20K`>0Kj20Km[0Ko20L0Q0L>j0L\?g0L@20LA80LB20L`80M;j0M=2",
    "0NV70Na20Nbj0O0>0O:20O[80Od.0Of[0OgQ0Oj.0Okj0Om70OnX0P020PF80PJ.",
    "0PK80PT.0PU80PX.0PY80P^j0P`Q0Poj0Q020QI80QLj0QNQ0QOj0QP20Q[j0Q`2",
    "0R8Y0R920R\?j0R@g0RBj0RG70RP20S9.0S:70SD80SRg0SS80T070T3:0T420TY5",
    "0TZ20Ta50Tb20Td50Te20Tj70Tk:0Tl80Tm20Tn:0U170U9:0U=80U>:0U@20UA8",
    "0UE70UH50UP20UR70UTQ0UV>0U`Q0Ua.0Ub20V170V2:0V4j0V520V=j0V\?20VAj",
    "0VC20VYj0VZ20Vaj0Vb20Vcj0Vf20Vjj0Vl80Vm20Vn<0Vo:0W170W5j0W7:0W9j",
    "0W;<0W=80W>20W\?j0WG<0WHj0WL50WNj0WO50WP20WR70WTj0WV>0W`20WbX0WdC",
    "0Wj[0WkX0Wl20WmQ0Wn70Woj0X170X3:0X4j0X520X;j0X\?20XAj0XC20XYj0XZ2",
    "0Xaj0Xb20Xc50Xdj0Xe20Xf50Xgj0Xh20Xjj0Xl80Xmj0Xn:0Y170Y3j0Y770Y9j",
    "0Y;70Y=80Y>j0YA70YBj0YI50YL20YMj0YN50YOj0YV>0Y`70Yb20Ye70YfQ0Ygj",
    "0Z170Z3:0Z4j0Z520Z>j0Z\?20ZBj0ZC20ZYj0ZZ20Zaj0Zb20Zdj0Ze20Zjj0Zl8",
    "0Zm20Zn:0[170[6j0[770[9:0[:j0[;:0[=80[>j0[@20[Aj0[P20[R70[Tj0[V>",
    "0[`Q0[aX0[bj0[i20[j70\\0j0\\170\\2:0\\4j0\\520\\=j0\\\?20\\Aj0\\C20\\Yj0\\Z2",
    "0\\aj0\\b20\\dj0\\e20\\jj0\\l80\\m20\\n<0\\o70]0:0]170]5j0]7:0]8<0]9j0];<",
    "0]=80]>j0]E70]F80]G<0]Hj0]L50]Nj0]O20]R70]Tj0]V>0]`[0]a20]bC0]hj",
    "0^270^320^4j0^520^;j0^>20^Aj0^B20^D50^E20^Fj0^I20^Kj0^L20^Mj0^N2",
    "0^Pj0^S20^Uj0^X20^[j0^^20^jj0^n<0^o:0_070_1:0_3j0_6:0_9j0_:<0_=8",
    "0_>j0_@20_Aj0_G<0_Hj0_V>0_`C0_c[0_iX0_j[0_kj0`070`1:0`470`520`=j",
    "0`>20`Aj0`B20`Yj0`Z20`jj0`l70`m20`n70a1:0a5j0a670a880a9j0a:70a=8",
    "0a>j0aE80aGj0aH20aKj0aM20aNj0aP20aR70aTj0aV>0a`j0agQ0ahC0ao[0b02",
    "0b170b2:0b4Q0b520b=j0b>20bAj0bB20bYj0bZ20bdj0be20bjj0bl80bm20bn:",
    "0bo70c0<0c1:0c2<0c3:0c5j0c670c7<0c9j0c:<0c<70c=80c>j0cE<0cGj0cM2",
    "0cOj0cP20cR70cTj0cV>0c`j0ca20cc:0cdj0d070d2:0d420d=j0d>20dAj0dB2",
    "0dk70dm20dn<0do:0e170e5j0e6:0e9j0e:<0e=80e>20e\?[0e@j0eD20eG<0eHC",
    "0eO20eR70eTj0eV>0e`C0ei[0ej20f0j0f170f2:0f4j0f520fGj0fJ20fbj0fc2",
    "0flj0fm20fnj0g020g7j0g:80g;j0g\?<0g@:0gB70gEj0gF70gGj0gH:0gJ<0gK:",
    "0gL<0gPj0gV>0g`j0gb:0gdQ0gej0h120ha70hb20hd70hh80hkj0hoX0i020i6.",
    "0i770i880i<70i\?Q0i@>0iJQ0iLj0j120j3j0j420j5j0j620j;j0j<20jTj0jU2",
    "0jVj0jW20ja70jb20jd70jh80jj70jm20jnj0k020k5j0k6.0k7j0k880k<70k\?j",
    "0k@>0kJj0kL20kPj0l020l1[0l4Q0lC[0lDQ0lE[0lH80lJ[0lP>0lZC0ld[0le8",
    "0lf[0lg80lh[0li80ljI0lkK0llI0lmK0ln:0m020m350m420m8j0m920m=50m>2",
    "0mB50mC20mG50mH20mL50mM20mY50mZ20m]j0ma80mg70mh80mi70mj80mn70mo:",
    "0n080n5Q0n680n820n=70nC80nD70nHj0nI70nM80nN70nR80nS70nW80nX70n\\8",
    "0n]70ne80nf70ng80nh70ni80nj70nmj0nn[0o680o7[0o=j0o>[0o@Q0oE[0oIQ",
    "0oKj100210V510W210[:10]710^810_710a:10b710g810h:10i810k:10m710o2",
    "110>11:Q11@211F:11H711J211N711Q211R:11U211W:11^211a711e21227123:",
    "1257127:12=812>212\?:12@>12J:12M712N[12P(136j137(138j13=(13>j13@*",
    "13kQ13l.13m*140215P51802199j19:219>j19@219Gj19H219Ij19J219Nj19P2",
    "1:9j1::21:>j1:@21:aj1:b21:fj1:h21:oj1;021;1j1;221;6j1;821;Gj1;H2",
    "1<Aj1<B21<Fj1<H21=Kj1=M81=PQ1=YE1=bC1=mj1>021>@[1>Jj1>P(1\?fj1\?h*",
    "1\?nj1@0H1@121I][1I^Q1I_21J0`1J121JKI1JLK1JMj1JP21K[Q1K^\?1Ka21Kij",
    "1L021LB71LD81LE:1LFj1LO21Lb71Ld<1LeQ1Lgj1M021MB71MDj1MP21M]j1M^2",
    "1Maj1Mb71Mdj1N021Nd71Nf:1Ng71Nn:1O671O7:1O971OB81OC71ODQ1OG.1OHQ",
    "1OKX1OL21OM81ONj1OP>1OZj1O`C1Ojj1P0Q1P6H1P7Q1P;71P>g1P\?71P@>1PJj",
    "1PP21Q3.1Q421Qij1R021R571R721RY81RZ21R[j1R`21Sfj1T021TOj1TP71TS:",
    "1TW71TY:1T\\j1T`:1Tb71Tc:1Ti81Tlj1U0[1U1j1U4Q1U6>1U@21U^j1U`21Uej",
    "1V021V\\j1V`21W:j1W@>1WJE1WKj1WN[1X021XG81XI:1XK71XLj1XNQ1XP21YE:",
    "1YF71YG:1YH71YOj1YP81YQ:1YR71YS:1YU71Y]:1Yc71Ye81Ymj1Yo81Z0>1Z:j",
    "1Z@>1ZJj1ZPQ1ZW.1ZXQ1Z^j1Z`81Zn=1Zo71[\?j1\\071\\4:1\\521\\651\\721\\85",
    "1\\921\\:51\\;21\\<51\\=21\\>51\\\?21\\B51\\C21\\d81\\e<1\\f71\\k<1\\l71\\m<1\\n:",
    "1]0<1]271]3<1]521]=j1]>Q1]@>1]JQ1]Q[1][81]d[1]mQ1^071^2:1^321^Q:",
    "1^R71^V:1^X71^Z<1^[81^\\71^^21^`>1^j21_V81_W:1_X71_Z:1_]71_^:1__7",
    "1_b<1_dj1_lQ1`021`T:1`\\71`d:1`f71`g81`hj1`kQ1a0>1a:j1a=21a@>1aJ2",
    "1ah.1anQ1b0*1b9(1b:*1b;j1b@(1bkj1bm(1c0Q1c8j1c@81cCQ1cD81cQ:1cR8",
    "1cY21c]81c^21cd81ce21cg:1ch81cj21ckj1d0*1d\\01e[*1eh01ei*1fK01g08",
    "1gf71gk81h0)1h1+1h2)1h3+1h4)1h5+1h6)1h7+1h8)1h9+1h:)1h;+1h<)1h=+",
    "1h>)1h\?+1h@)1hA+1hB)1hC+1hD)1hE+1hF)1hG+1hH)1hI+1hJ)1hK+1hL)1hM+",
    "1hN)1hO+1hP)1hQ+1hR)1hS+1hT)1hU+1hV)1hW+1hX)1hY+1hZ)1h[+1h\\)1h]+",
    "1h^)1h_+1h`)1ha+1hb)1hc+1hd)1he+1hf)1hg+1hh)1hi+1hj)1hk+1hl)1hm+",
    "1hn)1ho+1i0)1i1+1i2)1i3+1i4)1i5+1i6)1i7+1i8)1i9+1i:)1i;+1i<)1i=+",
    "1i>)1i\?+1i@)1iA+1iB)1iC+1iD)1iE+1iF)1iG+1iH)1iI+1iJ)1iK+1iL)1iM+",
    "1iN)1iO+1iP)1iQ+1iR)1iS+1iT)1iU+1iV)1iW+1iX)1iY+1iZ)1i[+1i\\)1i]+",
    "1i^)1i_+1i`)1ia+1ib)1ic+1id)1ie+1if)1ig+1ih)1ii+1ij)1ik+1il)1im+",
    "1in)1io+1j0)1j1+1j2)1j3+1j4)1j5+1j6)1j7+1j8)1j9+1j:)1j;+1j<)1j=+",
    "1j>)1j\?+1j@)1jA+1jB)1jC+1jD)1jE+1jJ*1jK+1jL*1jN(1jO*1jP)1jQ+1jR)",
    "1jS+1jT)1jU+1jV)1jW+1jX)1jY+1jZ)1j[+1j\\)1j]+1j^)1j_+1j`)1ja+1jb)",
    "1jc+1jd)1je+1jf)1jg+1jh)1ji+1jj)1jk+1jl)1jm+1jn)1jo+1k0)1k1+1k2)",
    "1k3+1k4)1k5+1k6)1k7+1k8)1k9+1k:)1k;+1k<)1k=+1k>)1k\?+1k@)1kA+1kB)",
    "1kC+1kD)1kE+1kF)1kG+1kH)1kI+1kJ)1kK+1kL)1kM+1kN)1kO+1kP)1kQ+1kR)",
    "1kS+1kT)1kU+1kV)1kW+1kX)1kY+1kZ)1k[+1k\\)1k]+1k^)1k_+1k`)1ka+1kb)",
    "1kc+1kd)1ke+1kf)1kg+1kh)1ki+1kj(1kk*1kl(1km*1kn(1ko*1l0+1l8)1l@+",
    "1lFj1lH)1lNj1lP+1lX)1l`+1lh)1m0+1m6j1m8)1m>j1m@+1mHj1mI)1mJj1mK)",
    "1mLj1mM)1mNj1mO)1mP+1mX)1m`+1mnj1n0+1n8-1n@+1nH-1nP+1nX-1n`+1nej",
    "1nf+1nh)1nl-1nmY1nn+1noY1o1Z1o2+1o5j1o6+1o8)1o<-1o=Z1o@+1oDj1oF+",
    "1oH)1oLj1oMZ1oP+1oX)1o]Z1o`j1ob+1oej1of+1oh)1ol-1omZ1onY1ooj200a",
    "202`20;g20@H20FQ20HN20IP20JI20KM20MO20NI20OM20PQ20TS20UQ20WS20Xb",
    "20Yc20Zg20_`20`Q20iM20jO20kQ20oG211Q214V215I216K217Q21BV21CQ21DG",
    "21EQ21O`21Pg21Uj21Vg21`E21a021bj21dE21jV21mI21nK21o0220E22:V22=I",
    "22>K22\?j22@022Mj22PX231j23@823M=23Q823R=23U823aj240[242(243[247(",
    "248[24:*24;(24>*24@(24C*24D[24E(24F[24HV24I(24N[24T(24U[24V)24W[",
    "24X(24Y[24Z)24\\(24^[24_*24`(24d*24e224i*24j[24l*24n(250V255(256*",
    "25:[25;V25<[25>*25\?[25@C25PA25`B260\?263(264*265\?269C26:[26<j26@V",
    "26E[26JW26L[26PV26Q[26SV26T[26VV26W[26^W26_[27=_27>W27@[27BV27C[",
    "27DV27E[27dV284W285V289W28:V28<W28=V28TW28UV28VW28WV291W292V294W",
    "295V297W298V299W29:V29PW29QV29RW29SV29]W29bV29dW29fV29hW29jV2:0W",
    "2:2V2:4W2:6V2:8W2::V2:\\W2:`V2;PW2;TV2;ZW2;^V2<0[2<8I2<9K2<:I2<;K",
    "2<<[2<PV2<R[2<YJ2<ZL2<[[2=lV2=m[2>KV2>d[2\?LV2\?R[2@Zj2A0[2A;j2APE",
    "2AYC2AdE2AmC2B8E2BAC2BL[2Bf]2C@^2CZE2C[C2CeE2CnC2CoE2D0[2FgV2Fh[",
    "2G1V2G2[2GhV2H0[2I_V2I`[2MXI2MYK2MZI2M[K2M\\I2M]K2M^I2M_K2M`I2MaK",
    "2MbI2McK2MdI2MeK2MfE2MoC2N0E2N9C2N:E2NCC2ND[2O0V2O5I2O6K2O7V2OVI",
    "2OWK2OXI2OYK2OZI2O[K2O\\I2O]K2O^I2O_K2O`V2P0[2T0V2V3I2V4K2V5I2V6K",
    "2V7I2V8K2V9I2V:K2V;I2V<K2V=I2V>K2V\?I2V@K2VAI2VBK2VCI2VDK2VEI2VFK",
    "2VGI2VHK2VIV2WHI2WIK2WJI2WKK2WLV2WlI2WmK2WnV2[LW2[MV2\\0[2\\`V2]5[",
    "2]7V2]=[2]dj2]f[2^Fj2^G[2`0(2``*2aP(2aQ*2aR(2aU*2aW(2aX*2aY(2aZ*",
    "2a[(2a\\*2a](2aa*2ab(2ac*2ae(2af*2al02an(2b1*2b2(2b3*2b4(2b5*2b6(",
    "2b7*2b8(2b9*2b:(2b;*2b<(2b=*2b>(2b\?*2b@(2bA*2bB(2bC*2bD(2bE*2bF(",
    "2bG*2bH(2bI*2bJ(2bK*2bL(2bM*2bN(2bO*2bP(2bQ*2bR(2bS*2bT(2bU*2bV(",
    "2bW*2bX(2bY*2bZ(2b[*2b\\(2b]*2b^(2b_*2b`(2ba*2bb(2bc*2bd(2be*2bf(",
    "2bg*2bh(2bi*2bj(2bk*2bl(2bm*2bn(2bo*2c0(2c1*2c2(2c3*2c4(2c5*2c6(",
    "2c7*2c8(2c9*2c:(2c;*2c<(2c=*2c>(2c\?*2c@(2cA*2cB(2cC*2cD(2cE*2cF(",
    "2cG*2cH(2cI*2cJ(2cK*2cL(2cM*2cN(2cO*2cP(2cQ*2cR(2cS*2cU[2c[(2c\\*",
    "2c](2c^*2c_82cb(2cc*2cdj2ciQ2cmC2cnQ2d0*2dVj2dW*2dXj2d]*2d^j2d`2",
    "2eXj2e_.2e`Q2eaj2eo82f022fGj2fP22fWj2fX22f_j2f`22fgj2fh22foj2g02",
    "2g7j2g822g\?j2g@22gGj2gH22gOj2gP82h0Q2h2M2h3O2h4M2h5O2h6Q2h9M2h:O",
    "2h;Q2h<M2h=O2h>Q2hGH2hHQ2hJH2hKQ2hLM2hMO2hNQ2hPM2hQO2hRI2hSK2hTI",
    "2hUK2hVI2hWK2hXI2hYK2hZQ2h_.2h`Q2hjH2hlQ2i0H2i1Q2i2I2i3Q2i@[2iBQ",
    "2iEI2iFK2iGI2iHK2iII2iJK2iKI2iLK2iMH2iNj2j0\\2jJj2jK\\2kdj2l0\\2oFj",
    "2o`[300`301Q304[305/3062307@308I309K30:I30;K30<I30=K30>I30\?K30@I",
    "30AK30B[30DI30EK30FI30GK30HI30IK30JI30KK30LH30MI30NK30P[30Q@30Z8",
    "30^<30`H30a.30f[30h@30k/30l230mQ30n[310j311231<531=231>531\?231@5",
    "31A231B531C231D531E231F531G231H531I231J531K231L531M231N531O231P5",
    "31Q231R531S231U531V231W531X231Y531Z231`531b231c531e231f531h231i5",
    "31k231l531n232D532E232Gj32I832KY32M.32N132O232PH32Q232\\532]232^5",
    "32_232`532a232b532c232d532e232f532g232h532i232j532k232l532m232n5",
    "32o233053312332533323355336233753382339533:233@533B233C533E233F5",
    "33H233I533K233L533N233d533e233g533kQ33l.33n133o2340j345234`j34a2",
    "36\?j36@[36BC36F[36P2370[37Vj37_[37`2380[38Oj38PC38Z[398C39@[39AC",
    "39P[3:0C3::[3:aC3;0[3@034g0[4h03:002:0E.:0F2:B=j:B@[:C7j:C@2:Ch.",
    ":CnQ:D02:H<.:H=Q:H@2:HP>:HZ2:H\\j:I0(:I1*:I2(:I3*:I4(:I5*:I6(:I7*",
    ":I8(:I9*:I:(:I;*:I<(:I=*:I>(:I\?*:I@(:IA*:IB(:IC*:ID(:IE*:IF(:IG*",
    ":IH(:II*:IJ(:IK*:IL(:IM*:IN(:IO*:IP(:IQ*:IR(:IS*:IT(:IU*:IV(:IW*",
    ":IX(:IY*:IZ(:I[*:I\\(:I]*:I^2:I_8:I`=:IcQ:Id8:InQ:Io.:J0(:J1*:J2(",
    ":J3*:J4(:J5*:J6(:J7*:J8(:J9*:J:(:J;*:J<(:J=*:J>(:J\?*:J@(:JA*:JB(",
    ":JC*:JD(:JE*:JF(:JG*:JH(:JI*:JJ(:JK*:JL0:JN8:JP2:KV\?:K`8:KbQ:Khj",
    ":L0Y:LG.:LPY:LR(:LS*:LT(:LU*:LV(:LW*:LX(:LY*:LZ(:L[*:L\\(:L]*:L^(",
    ":L_*:Lb(:Lc*:Ld(:Le*:Lf(:Lg*:Lh(:Li*:Lj(:Lk*:Ll(:Lm*:Ln(:Lo*:M0(",
    ":M1*:M2(:M3*:M4(:M5*:M6(:M7*:M8(:M9*:M:(:M;*:M<(:M=*:M>(:M\?*:M@(",
    ":MA*:MB(:MC*:MD(:ME*:MF(:MG*:MH(:MI*:MJ(:MK*:ML(:MM*:MN(:MO*:MP(",
    ":MQ*:MR(:MS*:MT(:MU*:MV(:MW*:MX(:MY*:MZ(:M[*:M\\(:M]*:M^(:M_*:M`0",
    ":Ma*:Mi(:Mj*:Mk(:Ml*:Mm(:Mo*:N0(:N1*:N2(:N3*:N4(:N5*:N6(:N7*:N8.",
    ":N9Y:N;(:N<*:N=(:N>*:N\?2:N@(:NA*:NB(:NC*:NF(:NG*:NH(:NI*:NJ(:NK*",
    ":NL(:NM*:NN(:NO*:NP(:NQ*:NR(:NS*:NT(:NU*:NV(:NW*:NX(:NY*:NZ(:N_*",
    ":N`(:Ne*:Nf(:Ng*:Nh(:Ni*:Nj(:Nk*:Nl(:Nm*:Nn(:No*:O0(:O1*:O2(:O3*",
    ":O4(:O8*:O9(:O:*:O;(:O=*:O>j:O@(:OA*:OBj:OC*:ODj:OE*:OF(:OG*:OH(",
    ":OI*:OJ(:OK*:OL(:OMj:Ob.:Oe(:Of*:Og2:Oh0:Oj*:Ok2:P27:P32:P68:P72",
    ":P;7:P<2:PS::PU7:PW::PX[:P\\7:P]j:P`C:Pf[:PhX:Pi[:Pjj:Q02:QdQ:Qhj",
    ":R0::R22:Rd::S48:S57:S6j:S>Q:S@>:SJj:SP8:Sb2:ShQ:Sk2:SlQ:Sm2:So7",
    ":T0>:T:2:TV7:T[8:T^Q:T`2:U77:UB::UC<:UDj:UOQ:UP2:Umj:V07:V3::V42",
    ":Vc8:Vd::Vf7:Vj::Vl7:Vn::W0<:W1Q:W>j:W\?.:W@>:WJj:WNQ:WP2:WU7:WV.",
    ":WW2:W`>:Wj2:Woj:X02:XY7:X_::Xa7:Xc::Xe7:Xgj:Y02:Y37:Y42:Y<7:Y=:",
    ":Y>j:Y@>:YJj:YLQ:YP2:Y`.:Ya2:Yg[:Yj2:Yk::Yl7:Ym::Yn2:Z`8:Za2:Zb8",
    ":Ze2:Zg8:Zi2:Zn8:[02:[18:[22:[3j:[K2:[M.:[NQ:[P2:[[::[\\7:[^::[`Q",
    ":[b2:[c.:[e::[f8:[gj:\\12:\\7j:\\92:\\\?j:\\A2:\\Gj:\\P2:\\Wj:\\X2:\\_j:\\`*",
    ":]KY:]L0:]P*:]Y.:]ZY:]\\j:]`*:_02:_S::_U7:_V::_X7:_Y::_[Q:_\\::_]8",
    ":_^j:_`>:_jj:`02=NTj=N`2=O7j=O;2=Olj=P0h>00i\?T06\?X>3\?X@6\?XA3\?XB6",
    "\?XC3\?XE6\?XO3\?XP6\?XQ3\?XR6\?XS3\?XU6\?XW3\?XZ6\?Y^j\?Y`6\?[Jj\?\\0*\?\\7j\?\\C*",
    "\?\\Hj\?\\M5\?\\N8\?\\O5\?\\P2\?\\YV\?\\Z5\?\\gj\?\\h5\?\\mj\?\\n5\?\\oj\?]05\?]2j\?]35\?]5j",
    "\?]65\?]\?2\?^bY\?_3j\?_C2\?dnK\?doI\?e0[\?e@2\?f@j\?fB2\?g8j\?g\?[\?g@j\?g`2\?glX",
    "\?gm[\?h07\?h@Q\?hCS\?hDQ\?hGI\?hHK\?hIQ\?hJj\?hP8\?h`Q\?haH\?hcG\?heI\?hfK\?hgI",
    "\?hhK\?hiI\?hjK\?hkI\?hlK\?hmI\?hnK\?hoI\?i0K\?i1I\?i2K\?i3I\?i4K\?i5Q\?i7I\?i8K",
    "\?i9Q\?i=G\?i@Q\?iBS\?iCj\?iDQ\?iES\?iFQ\?iHH\?iII\?iJK\?iKI\?iLK\?iMI\?iNK\?iOQ",
    "\?iRV\?iSH\?iTV\?iWj\?iXQ\?iYX\?iZQ\?i\\j\?i`2\?iej\?if2\?kmj\?kog\?l0j\?l1Q\?l4X",
    "\?l5Q\?l7S\?l8I\?l9K\?l:Q\?l;V\?l<Q\?l=H\?l>S\?l\?Q\?l@>\?lJS\?lKQ\?lLV\?lOQ\?lQ(",
    "\?lkI\?llQ\?lmK\?lnY\?loG\?m0Y\?m1*\?mKI\?mLV\?mMK\?mNV\?mOI\?mPK\?mQQ\?mRI\?mSK",
    "\?mTQ\?mV2\?m`.\?ma2\?nN.\?nP2\?noj\?o22\?o8j\?o:2\?o@j\?oB2\?oHj\?oJ2\?oMj\?oPX",
    "\?oRV\?oSY\?oT[\?oUX\?oWj\?oX[\?oYV\?o][\?o_j\?oig\?ol[\?onj@002@0<j@0=2@0Wj",
    "@0X2@0kj@0l2@0nj@0o2@1>j@1@2@1Nj@202@3kj@40Q@43j@47C@4dj@4g[@50\?",
    "@5eC@5i[@6:C@6<[@6\?j@6@[@6Mj@6P[@6Qj@7@[@7m8@7nj@:02@:Mj@:P2@;Aj",
    "@;P8@;QC@;lj@<02@<PC@<Tj@<]2@=1\?@=22@=:\?@=;j@=@2@=f8@=kj@>02@>Nj",
    "@>OQ@>P2@\?4j@\?82@\?@Q@\?A\?@\?Fj@@0(@@X*@A@2@BNj@BP>@BZj@B`(@CDj@CH*",
    "@Clj@D02@DXj@D`2@ETj@E_Q@E`(@Ekj@El(@F;j@F<(@FCj@FD(@FFj@FG*@FRj",
    "@FS*@Fbj@Fc*@Fjj@Fk*@Fmj@G02@Gdj@H02@Lgj@M02@MFj@MP2@MXj@N00@N1.",
    "@N30@N6j@N70@Naj@Nb0@Nkj@P02@P6j@P82@P9j@P:2@Pfj@Pg2@Pij@Pl2@Pmj",
    "@Po2@QFj@QGQ@QHC@QP2@Qg[@QiC@R02@ROj@RWC@R`j@SP2@Scj@Sd2@Sfj@SkC",
    "@T02@TFC@TLj@TOQ@TP2@Tjj@ToQ@U0j@V02@Vhj@VlC@Vn2@W0C@W@j@WBC@X02",
    "@X17@X4j@X57@X7j@X<7@X=8@X>7@X\?8@X@2@XDj@XE2@XHj@XI2@Xfj@Xh8@Xkj",
    "@Xo8@Y0E@Y4C@Y9j@Y@Q@YIj@YP2@YmC@YoQ@Z02@ZMC@ZPj@[02@[8[@[92@[U8",
    "@[Wj@[[C@[`Q@[gj@\\02@\\fj@\\iQ@]02@]Fj@]HC@]P2@]cj@]hC@^02@^Bj@^IQ",
    "@^Mj@^YC@^`j@`02@a9j@b0(@bcj@c0*@ccj@cjC@d02@dT7@dXj@d`>@djj@e0>",
    "@e:2@e>.@e\?2@e@(@eVj@eY7@e^H@e_.@e`*@f6j@f>V@f@j@iPE@iYC@ioj@j02",
    "@jZj@j[7@j]H@j^j@j`2@jbj@k22@k5j@kl7@l02@lMC@lW2@lXj@l`2@m67@mAC",
    "@mEQ@mJj@m`2@n27@n6Q@n:j@n`2@o5C@o<j@oP2@ogjA00:A017A02:A032A0h7",
    "A168A17QA1>jA1BEA1KCA1V>A1`7A1a2A1c7A1e2A1fjA1o8A207A22:A232A2J5",
    "A2K2A2L5A2M2A2[5A2\\2A2`:A2c7A2g:A2i8A2kQA2mgA2nQA327A33jA3=gA3>j",
    "A3@2A3YjA3`>A3jjA408A432A4W8A4X7A4\\:A4]7A4^8A4`7A4c8A4ejA4f>A50Q",
    "A542A55:A572A58jA5@2A5c8A5dQA5f2A5gjA607A62:A632A6c:A6f7A6o:A70<",
    "A712A75QA797A7:8A7;7A7=QA7>:A7\?7A7@>A7J2A7KQA7L2A7MQA7PjA7QCA7ej",
    "A802A8BjA8C2A8\\:A8_7A8b:A8d7A8e<A8f8A8g7A8hQA8n7A8o2A917A92jA:02",
    "A:7jA:82A:9jA::2A:>jA:\?2A:NjA:O2A:YQA:ZjA:`2A;O7A;P:A;S7A;Y8A;[j",
    "A;`>A;jjA<07A<2:A<4jA<52A<=jA<\?2A<AjA<C2A<YjA<Z2A<ajA<b2A<djA<e2",
    "A<jjA<k7A<l8A<m2A<n<A<o:A=07A=1:A=5jA=7:A=9jA=;<A=>jA=@2A=AjA=G<",
    "A=HjA=M2A=R:A=TjA=V8A=]jA=`8A=ejA>02A>:jA>;2A><jA>>2A>\?jA>@2A>fj",
    "A>g2A>h:A>k7A\?1jA\?2:A\?3jA\?5:A\?6jA\?7:A\?;jA\?<:A\?>7A\?\?:A\?@7A\?A2A\?B7",
    "A\?C2A\?DQA\?FjA\?GQA\?IjA\?Q7A\?SjA@02A@e:A@h7AA0:AA28AA37AA5:AA68AA72",
    "AA;QAA@>AAJQAALjAAMQAAN7AAO2AARjAB02AB`<ABa:ABc7ABi:ABj8ABk<ABo7",
    "AC1:AC28AC42AC6QAC72AC8jAC@>ACJjAF02AF_<AF`:AFb7AFfjAFh:AFj<AFl7",
    "AFn:AFo8AG1QAGH2AGL7AGNjAH02AH`:AHc7AHk:AHm7AHn:AHo8AI07AI1QAI42",
    "AI5jAI@>AIJjAIPQAI]jAJ02AJ[7AJ\\:AJ]7AJ^:AJ`7AJf<AJg8AJh2AJiQAJjj",
    "AK0>AK:jAK@>AKTjAL02ALKjALM7ALN:ALO7ALP:ALR7ALV:ALW7AL[8AL\\jAL`>",
    "ALjCALlQALo[AM02AM7jAP02AP\\:AP_7APh:APi7APkQAPljARP(AS0*ASP>ASZC",
    "AScjASo2AT7jAT92AT:jAT<2ATDjATE2ATGjATH2AT`:ATfjATg:ATijATk7ATm:",
    "ATn7ATo2AU0:AU12AU2:AU37AU4QAU7jAU@>AUJjAVP2AVXjAVZ2AWA:AWD7AWHj",
    "AWJ7AWL:AWP7AWQ2AWRQAWS2AWT:AWUjAX02AX17AX;2AXc7AXi:AXj2AXk7AXoQ",
    "AY77AY8jAY@2AYA7AYG:AYI7AYL2AZ:7AZG:AZH7AZJQAZM2AZNQAZSjAZ`2A[ij",
    "A\\0QA\\:jA_02A_QQA_RjA_`>A_jjA`02A`9jA`:2A`_:A``7A`gjA`h7A`n:A`o8",
    "Aa02Aa1QAa6jAa@>AaJCAa]jAa`QAab2Ab@jAbB7AbXjAbY:AbZ7Aba:Abb7Abd:",
    "Abe7AbgjAd02Ad7jAd82Ad:jAd;2Ada7AdgjAdj7AdkjAdl7AdnjAdo7Ae62Ae77",
    "Ae8jAe@>AeJjAeP2AeVjAeW2AeYjAeZ2Af::Af\?jAf@7AfBjAfC:AfE7AfF:AfG7",
    "AfH2AfIjAfP>AfZjAgPkAgZjAkP2Akc7Ake:AkgQAkijAl07Al22Al3:Al42AlAj",
    "AlB2Ald:Alf7AlkjAln:Am07Am1:Am27Am3QAm@>AmJ7AmKjAn`2AnajAo0CAoE[",
    "AoMXAoQ[AobjAooQB002B>JjB@0\?BA_jBA`QBAejBB02BE4jBn@2BoaQBocjC002",
    "C@`gCA07CA12CA77CAFjCAP2D\?kjD@02DI7jF402F4N7F4Z:F4]7F4`>F4jjFP02",
    "FXijFY02FYOjFYP>FYZjFY^QFY`2FZojF[0>F[:jF[@2F[^jF[`8F[eQF[fjF\\02",
    "F\\`8F\\gQF\\l[F]0.F]4QF]5[F]6jF]@>F]JjF]KCF]RjF]S2F]hjF]m2F^@jFe0.",
    "Fe32Fe[.Fe]QFe`>FejjFi0(FiP*Fj0CFjGQFjKjFl02Fm;jFm\?7Fm@2FmA:Fn8j",
    "Fn\?7FnC.FnPjFoP.FoRRFoS/FoT7FoUjFo`;FobjFodkFogjG002HOhjHP02HcFj",
    "Hco2Hd9jJo`.JodjJoe.JoljJom.JoojK002K4SjK4b2K4cjK5@2K5CjK5E2K5Fj",
    "K5T2K5XjK5`2K;ljK`02Ka[jKa`2KamjKb02Kb9jKb@2KbJjKbL[KbM7KbN8KbOQ",
    "KbPgKbTjL`0[Lc`>LcjjLd0[LjdjLl07Ll^jLl`7Lm7jLm@[Lo4jM00[M3fjM40[",
    "M4WjM4Y[M5N_M5U<M5W8M5Z[M5]<M5cgM5k8M63[M658M6<[M6Z8M6^[M6k_M71[",
    "M7[jM80[M928M95[M96jM;0CM;DjM;PCM;djM<0[M=GjM=PCM=ijM@0(M@J*M@d(",
    "MA>*MAEjMAF*MAX(MB2*MBL(MBMjMBN(MBPjMBR(MBSjMBU(MBWjMBY(MB]jMB^(",
    "MBf*MBjjMBk*MBljMBm*MC4jMC5*MC@(MCZ*MD4(MD6jMD7(MD;jMD=(MDEjMDF(",
    "MDMjMDN*MDh(MDjjMDk(MDojME0(ME5jME6(ME7jME:(MEAjMEB*ME\\(MF6*MFP(",
    "MFj*MGD(MG^*MH8(MHR*MHl(MIF*MI`(MJ:*MJVjMJX(MK1VMK2*MKKVMKL*MKR(",
    "MKkVMKl*MLEVMLF*MLL(MLeVMLf*MM\?VMM@*MMF(MM_VMM`*MN9VMN:*MN@(MNYV",
    "MNZ*MO3VMO4*MO:(MO;*MO<jMO>>MP0[MX07MXg[MXk7MY][MYe7MYf[MZ47MZ5[",
    "MZ7QMZ<jMZK7MZPjMZQ7MZ`jMl0*Ml:2Ml;*MlOjMlU*Ml[jN008N07jN088N0Ij",
    "N0K8N0RjN0S8N0UjN0V8N0[jN0`.N1^jN2\?7N2@jN402N4]jN4`7N4g.N4njN50>",
    "N5:jN5>2N5\?[N5@jN:@2N:^7N:_jN;02N;\\7N;`>N;jjN;oXN<0jNC@2NC[.NC\\7",
    "NC`>NCjjNG@2NG^7NG`2NGa>NGkjNGoQNH0jNOP2NOWjNOX2NO\\jNO]2NO_jNO`2",
    "NOojNP02NS5jNS7CNS@8NSGjNT0(NTR*NU48NU;.NU<jNU@>NUJjNUNQNUPjNaaC",
    "Nb\\[Nb]CNb`XNbaCNbejNd1CNd^[Nd_CNdnjNh02Nh4jNh52NhPjNhQ2NhSjNhT2",
    "NhUjNhW2NhXjNhY2NhcjNhd2NhhjNhi2NhjjNhk2NhljNi22Ni3jNi72Ni8jNi92",
    "Ni:jNi;2Ni<jNi=2Ni@jNiA2NiCjNiD2NiEjNiG2NiHjNiI2NiJjNiK2NiLjNiM2",
    "NiNjNiO2NiPjNiQ2NiSjNiT2NiUjNiW2Ni[jNi\\2NicjNid2NihjNii2NimjNin2",
    "NiojNj02Nj:jNj;2NjLjNjQ2NjTjNjU2NjZjNj[2NjljNk`VNkbjO00[O0\\jO0`[",
    "O2DjO2P[O2_jO2a[O30jO31[O3@jO3A[O3fjO40EO4;CO4=[O4`]O5:[O5@]O5Z[",
    "O5`]O6:[O6^jO7V[O83jO8@[O8ljO90[O99jO9@[O9BjO9P[O9VjO<0[O\?kYO@0[",
    "OKHjOKL[OK]jOK`[OKmjOL0[OMgjOMk[OOJjOOP[OO\\jOO`[OOajOP0[OP<jOP@[",
    "OQ8jOQ@[OQJjOQP[OR8jOR@[OR^jOR`[ORljOS0[OS2jOT0[OYDjOYP[OY^jOY`[",
    "OYmjOZ0[OZ:jOZ\?[O[7jO[>[O[MjO[O[O[ZjO[`[O[ijO\\0[O^CjO^D[O_`>O_jj",
    "P003ZKPjZL03[Ljj[M03[PNj[PP3\\jRj\\j`3^_Qj^_`3^iNj_P06_XNj`003a=;j", "a=@3b>`jo01go02jo0Pgo20jo407o7`j",
};
/* [code point / 128] the range that holds its block's first code point, three digits; below 0x20000 and one more */
enum { ALLM__N_UNI_BLOCKS = 1025 };
static const char allm__uni_blocks[65][49] = {
    "00000R01C03A04f05j06906K07B0870:10:g0;>0;R0;g0;o", "0<=0<O0<\\0=80=e0>O0\?50\?_0@K0@o0AY0B70BV0Bf0CD0D0",
    "0DQ0Dm0EC0ED0EE0EO0E_0Ej0F10F20F20F20F20F60F@0FS", "0Fh0G40G<0GP0GX0Gn0H:0H\\0I30IB0IY0I]0Ib0Kb0M]0N8",
    "0N_0OM0O\\0PH0Pb0Q\?0QK0QW0Q[0Qb0Qm0Qm0R30R50R50RF", "0RZ0RZ0R[0R[0S:0S:0S=0SC0SF0SY0UI0UU0Uh0VZ0V^0V^",
    "0Va0X20Xl0Xo0Y90YA0YD0YD0YE0YE0YE0YE0YE0YE0YE0YE", "0YE0YE0YE0YE0YE0YE0YE0YE0YE0YE0YE0YE0YE0YE0YE0YE",
    "0YE0YE0YE0YE0YE0YE0YE0YE0YE0YE0YE0YE0YE0YE0YE0YE", "0YE0YE0YE0YE0YE0YE0YE0YE0YE0YE0YE0YE0YG0YG0YG0YG",
    "0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG", "0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG",
    "0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG", "0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG",
    "0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG", "0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG",
    "0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG", "0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG",
    "0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG", "0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG0YG",
    "0YH0YJ0YJ0YJ0YJ0YJ0YJ0YJ0YJ0YJ0YQ0YQ0YQ0ZM0[00\\G", "0][0^00^@0^M0^d0_<0_T0_f0`30`30`30`30`30`30`30`3",
    "0`30`30`30`30`30`30`30`30`30`30`30`30`30`30`30`3", "0`30`30`30`30`30`30`30`30`30`30`30`30`30`30`30`3",
    "0`30`30`30`30`30`30`30`30`30`30`30`30`30`30`30`3", "0`30`30`30`30`30`30`30`30`30`30`30`30`30`30`30`3",
    "0`30`30`30`30`30`30`30`30`30`30`30`30`30`30`30`3", "0`90`90`90`90`90`90`90`90`90`90`90`90`90`90`90`9",
    "0`:0`:0`:0`:0`:0`:0`:0`:0`:0`:0`:0`:0`:0`:0`:0`:", "0`:0`:0`:0`:0`:0`:0`:0`:0`:0`:0`:0`:0`:0`:0`:0`:",
    "0`:0`:0`:0`:0`:0`:0`:0`:0`:0`:0`:0`:0`:0`:0`:0`:", "0`:0`:0`;0`;0`;0`K0`M0`a0`d0`d0`d0`h0a10aj0am0bS",
    "0bl0c80c:0cA0cK0cL0cS0c^0cg0ci0d10d80dH0dH0dH0dN", "0dV0dg0e00e80e\?0eY0ed0em0f30f50f:0fH0fK0fO0fY0fb",
    "0fk0g<0gT0gi0h@0hO0hb0iH0ig0j80jG0jH0jV0je0k40kD", "0kE0kK0kQ0ki0l80lF0lP0lQ0lW0lg0m20mG0mU0mU0m[0mk",
    "0n40n40n40n40n40n40n40n40n60n:0n:0n;0n;0n;0n;0n;", "0n;0n;0n;0n;0n;0n;0n;0n;0n;0n;0n;0n;0n;0n;0n;0n;",
    "0n\?0n\?0n\?0n\?0n\?0n\?0n\?0n\?0n\?0nE0nE0nE0nE0nE0nE0nE", "0nE0nE0nE0nE0nE0nE0nE0nE0nE0nE0nE0nE0nE0nE0nE0nE",
    "0nE0nE0nE0nE0nE0nE0nE0nE0nG0nG0nG0nG0nG0nH0nH0nH", "0nH0nH0nH0nH0nH0nH0nH0nH0nH0nH0nH0nH0nH0nH0nH0nH",
    "0nH0nH0nH0nH0nH0nH0nH0nH0nH0nH0nH0nH0nH0nH0nH0nH", "0nH0nH0nH0nH0nH0nH0nH0nH0nH0nH0nH0nH0nH0nH0nH0nH",
    "0nH0nH0nI0nN0nN0nN0nN0nN0nN0nN0nN0nN0nN0nN0nN0nN", "0nO0nO0nO0nO0nO0nV0n_0nm0nn0nn0nn0o40o40o70o:0o>",
    "0oL0oL0oL0oL0oL0oL0oL0oL0oL0oL0oL0oL0oL0oL0oL0oL", "0oL0oL0oL0oL0oL0oL0oL0oL0oL0oL0oL0oL0oL0oL0oL0oL",
    "0oL0oL0oL0oL0oL0oL0oL0oL0oL0oL0oL0oL0oL0oL0oL0oL", "0oN0oN0oN0oN0oN0oN0oN0oN0oN0oN0oP0oQ0oQ0oQ0oQ0oQ",
    "0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ", "0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ",
    "0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ", "0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ0oQ",
    "0oX0oX0oX0ob0ob0ob0oc0oc0oc0oc0oc0oc0oc0oc0oc0oc", "0oc0oc0oc0oc0oc0oc0oc0oc0od0oh101101101101101101",
    "101101101101101101101101101101101101101101101101", "10110110110110110110110110210210510510510510710;",
    "10=10=10\?10H10Q10T10Y10\\10]10c11811M11R11W11a11k", "12712712712712812=12E12E12E12E12E12E12E12E12F12K",
    "12L12W12Z12c12c12c12l12l12l12l131131138138138138", "13A13A13F13N13N13N13N13N13N13O13T13X13Y14Q14\\14\\",
    "14]14_14i15015315<15=15=15\?15\?15\?15\?15\?15\?15E15G", "15M15S15[15[15[15a15k15k15o15o15o15o15o15o15o15o",
    "160",
};
/* lower case: first code point, three digits; last - first, two; step, one; delta + 0x20000, three */
enum { ALLM__N_UNI_LOWER_RUNS = 185 };
static const char allm__uni_lower_runs[12][145] = {

    "0110I1P0P0300F1P0P03H061P0P0400^2P0104b042P0104i0>2P0105:0\\2P0105h001On705i042P01061001P3B062022P01066001P3>067001P01069011P3=06;001P0106>001P1\?",
    "06\?001P3:06@001P3;06A001P0106C001P3=06D001P3\?06F001P3C06G001P3A06H001P0106L001P3C06M001P3E06O001P3F06P042P0106V001P3J06W001P0106Y001P3J06\\001P01",
    "06^001P3J06_001P0106a011P3I06c022P0106g001P3K06h001P0106l001P01074001P02075001P01077001P02078001P0107:001P0207;0@2P0107N0@2P0107a001P0207b022P01",
    "07f001OnO07g001Oo807h0V2P0108P001Omn08R0@2P0108j001RX[08k001P0108m001OmM08n001RXX091001P01093001Olm094001P15095001P17096082P010=`022P010=f001P01",
    "0=o001P1d0>6001P0V0>8021P0U0><001P100>>011P0o0>A0@1P0P0>S081P0P0\?\?001P080\?H0F2P010\?d001Oo40\?g001P010\?i001Ooi0\?j001P010\?m021Omn0@00\?1P1@0@@0O1P0P",
    "0AP0P2P010B:0d2P010C0001P0\?0C10<2P010C@1N2P010Da0U1P0`12P0U1QaP137001QaP13=001QaP1>P1\?1YO@1\?`051P081b9001P011b@0Z1OA01bm021OA01h02D2P011jN001N91",
    "1jP1N2P011l8071Ooh1lH051Ooh1lX071Ooh1lh071Ooh1m8051Ooh1mI062Ooh1mX071Ooh1n8071Ooh1nH071Ooh1nX071Ooh1nh011Ooh1nj011Onf1nl001Oog1o8031OnZ1o<001Oog",
    "1oH011Ooh1oJ011OnL1oX011Ooh1oZ011On@1o\\001Ooi1oh011On01oj011On21ol001Oog24V001N:S24Z001Mm124[001Mnj24b001P0L25P0\?1P0@263001P012Bf0I1P0J2`00_1P0`",
    "2aP001P012aR001MH92aS001O4J2aT001MHI2aW042P012a]001MGT2a^001MH32a_001MGQ2a`001MGR2ab001P012ae001P012an011MG12b01R2P012c[022P012cb001P01:I00\\2P01",
    ":J00J2P01:LR0<2P01:Lb0l2P01:Mi022P01:Mm001GGl:Mn082P01:N;001P01:N=001E[H:N@022P01:NF0B2P01:NZ001EZl:N[001EZa:N\\001EZe:N]001EZo:N^001EZl:N`001E[^",
    ":Na001E[F:Nb001E[[:Nc001P>P:Nd0>2P01:O4001Oo@:O5001EZm:O6001GG8:O7022P01:O;001EZI:O<0>2P01:OL001EVo:Oe001P01\?lQ0I1P0P@@00W1P0X@B`0S1P0X@E`0:1P0W",
    "@El0>1P0W@F<061P0W@FD011P0W@b00b1P10@e@0E1P0PARP0O1P0PFi00O1P0PFjP0H1P0KNT00Q1P0R",
};
/* upper case: first code point, three digits; last - first, two; step, one; delta + 0x20000, three */
enum { ALLM__N_UNI_UPPER_RUNS = 197 };
static const char allm__uni_upper_runs[13][145] = {

    "01Q0I1OoP02e001P;W03P0F1OoP03h061OoP03o001P1i0410^2Ooo04a001OlH04c042Ooo04j0>2Ooo05;0\\2Ooo05j042Ooo05o001OkD060001P33063022Ooo068001Ooo06<001Ooo",
    "06B001Ooo06E001P1Q06I001Ooo06J001P2S06N001P2206Q042Ooo06X001Ooo06]001Ooo06`001Ooo06d022Ooo06i001Ooo06m001Ooo06o001P0h075001Ooo076001Oon078001Ooo",
    "079001Oon07;001Ooo07<001Oon07>0>2Ooo07M001Ona07O0@2Ooo07b001Ooo07c001Oon07e001Ooo07i0V2Ooo08S0@2Ooo08l001Ooo08o011RXo092001Ooo097082Ooo09@001RXO",
    "09A001RXL09B001RXN09C001Ol^09D001Olb09F011Olc09I001Olf09K001Ole09L001ZE\?09P001Olc09Q001ZE;09S001Ola09U001ZDX09V001ZE409X001Ol_09Y001Ol]09Z001ZE4",
    "09[001RWg09\\001ZE109_001Ol]09a001RWm09b001Ol[09e001OlZ09m001RWW0:0001OlV0:2001ZE30:3001OlV0:7001ZDZ0:8001OlV0:9001Onk0::011OlW0:<001Oni0:B001OlU",
    "0:M001ZDE0:N001ZDB0=5001P1D0=a022Ooo0=g001Ooo0=k021P220>\\001OoJ0>]021OoK0>a0@1OoP0\?2001OoQ0\?3081OoP0\?<001Oo00\?=011Oo10\?@001Oo20\?A001Oo70\?E001OoA",
    "0\?F001Oo:0\?G001Ooh0\?I0F2Ooo0\?`001OnZ0\?a001On`0\?b001P070\?c001On<0\?e001OnP0\?h001Ooo0\?k001Ooo0@`0O1OoP0A@0\?1On`0AQ0P2Ooo0B;0d2Ooo0C20<2Ooo0C\?001Ooa",
    "0CA1N2Ooo0EQ0U1Oo@13@0Z1P_013m021P_01\?h051Ooh1b0001NNB1b1001NNC1b2001NNL1b3011NNN1b5001NNM1b6001NNT1b7001NOK1b8001XW21b:001Ooo1ei001XX41em001PkV",
    "1f>001XXh1h12D2Ooo1jK001Oo51jQ1N2Ooo1l0071P081l@051P081lP071P081l`071P081m0051P081mA062P081mP071P081m`011P1:1mb031P1F1mf011P1T1mh011P201mj011P1`",
    "1ml011P1n1n`011P081nn001N\?K1o@011P081oP011P081oU001P0725>001OoT25`0\?1Oo`264001Ooo2C@0I1OoV2``0_1Oo@2aQ001Ooo2aU001MGE2aV001MGH2aX042Ooo2ac001Ooo",
    "2af001Ooo2b11R2Ooo2c\\022Ooo2cc001Ooo2d00U1N>P2dW001N>P2d]001N>P:I10\\2Ooo:J10J2Ooo:LS0<2Ooo:Lc0l2Ooo:Mj022Ooo:Mo082Ooo:N<001Ooo:NA022Ooo:ND001P0`",
    ":NG0B2Ooo:Ne0>2Ooo:O8022Ooo:O=042Ooo:OG042Ooo:Of001Ooo:]C001OaP:]`1\?1FP`\?m10I1OoP@@X0W1OoH@CH0S1OoH@FG0:1OoI@FS0>1OoI@Fc061OoI@Fk011OoI@c00b1Oo0",
    "@e`0E1OoPAS00O1OoPFiP0O1OoPFjk0H1OoUNTR0Q1OoN",
};
/* title case where it is not upper case */
enum { ALLM__N_UNI_TITLE_RUNS = 26 };
static const char allm__uni_title_runs[2][145] = {

    "074001P01075001P00076001Ooo077001P01078001P00079001Ooo07:001P0107;001P0007<001Ooo07a001P0107b001P0007c001Ooo13@0Z1P0013m021P001n0071P081n8071P00",
    "1n@071P081nH071P001nP071P081nX071P001nc001P091nl001P001o3001P091o<001P001oc001P091ol001P00",
};
/* case mappings to several: code point, three digits; 0 lower 1 upper 2 title; three code points or 0, three digits each */
enum { ALLM__N_UNI_SPECIAL = 126 };
static const char allm__uni_special[8][209] = {

    "03O101C01C00003O201C01c00004`001Y0<700005910:l01>00007`101:0<<0000>@10>I0<80<10>`10>U0<80<10F710De0EB0000F720De0F20001jF10180<a0001jG101D0<80001jH101G0<:0001jI101I0<:0001jJ10110:n0001m@10>U0<C0001mB10>U0<C0<0",
    "1mD10>U0<C0<11mF10>U0<C0=21n011l80>I0001n111l90>I0001n211l:0>I0001n311l;0>I0001n411l<0>I0001n511l=0>I0001n611l>0>I0001n711l\?0>I0001n811l80>I0001n911l90>I0001n:11l:0>I0001n;11l;0>I0001n<11l<0>I0001n=11l=0>I000",
    "1n>11l>0>I0001n\?11l\?0>I0001n@11lX0>I0001nA11lY0>I0001nB11lZ0>I0001nC11l[0>I0001nD11l\\0>I0001nE11l]0>I0001nF11l^0>I0001nG11l_0>I0001nH11lX0>I0001nI11lY0>I0001nJ11lZ0>I0001nK11l[0>I0001nL11l\\0>I0001nM11l]0>I000",
    "1nN11l^0>I0001nO11l_0>I0001nP11mX0>I0001nQ11mY0>I0001nR11mZ0>I0001nS11m[0>I0001nT11m\\0>I0001nU11m]0>I0001nV11m^0>I0001nW11m_0>I0001nX11mX0>I0001nY11mY0>I0001nZ11mZ0>I0001n[11m[0>I0001n\\11m\\0>I0001n]11m]0>I000",
    "1n^11m^0>I0001n_11m_0>I0001nb11nj0>I0001nb21nj0=50001nc10>A0>I0001nd10>60>I0001nd20>60=50001nf10>A0=20001ng10>A0=20>I1ng20>A0=20=51nl10>A0>I0001o211o:0>I0001o221o:0=50001o310>G0>I0001o410>90>I0001o420>90=5000",
    "1o610>G0=20001o710>G0=20>I1o720>G0=20=51o<10>G0>I0001oB10>I0<80<01oC10>I0<80<11oF10>I0=20001oG10>I0<80=21oR10>U0<80<01oS10>U0<80<11oT10>Q0<C0001oV10>U0=20001oW10>U0<80=21ob11oj0>I0001ob21oj0=50001oc10>Y0>I000",
    "1od10>\?0>I0001od20>\?0=50001of10>Y0=20001og10>Y0=20>I1og20>Y0=20=51ol10>Y0>I000\?\\01016016000\?\\0201601V000\?\\11016019000\?\\1201601Y000\?\\2101601<000\?\\2201601\\000\?\\31016016019\?\\3201601V01Y\?\\4101601601<\?\\4201601V01\\",
    "\?\\5101C01D000\?\\5201C01d000\?\\6101C01D000\?\\6201C01d000\?\\C10E40E6000\?\\C20E40Ef000\?\\D10E40De000\?\\D20E40EU000\?\\E10E40Dk000\?\\E20E40E[000\?\\F10E>0E6000\?\\F20E>0Ef000\?\\G10E40Dm000\?\\G20E40E]000",
};
/* canonical decompositions into two: code point, first, second, three digits each */
enum { ALLM__N_UNI_PAIRS = 1025 };
static const char allm__uni_pairs[65][145] = {

    "0300110<00310110<10320110<20330110<30340110<80350110<:0370130<W0380150<00390150<103:0150<203;0150<803<0190<003=0190<103>0190<203\?0190<803A01>0<3",
    "03B01\?0<003C01\?0<103D01\?0<203E01\?0<303F01\?0<803I01E0<003J01E0<103K01E0<203L01E0<803M01I0<103P01Q0<003Q01Q0<103R01Q0<203S01Q0<303T01Q0<803U01Q0<:",
    "03W01S0<W03X01U0<003Y01U0<103Z01U0<203[01U0<803\\01Y0<003]01Y0<103^01Y0<203_01Y0<803a01^0<303b01_0<003c01_0<103d01_0<203e01_0<303f01_0<803i01e0<0",
    "03j01e0<103k01e0<203l01e0<803m01i0<103o01i0<80400110<404101Q0<40420110<604301Q0<60440110<X04501Q0<X0460130<104701S0<10480130<204901S0<204:0130<7",
    "04;01S0<704<0130<<04=01S0<<04>0140<<04\?01T0<<04B0150<404C01U0<404D0150<604E01U0<604F0150<704G01U0<704H0150<X04I01U0<X04J0150<<04K01U0<<04L0170<2",
    "04M01W0<204N0170<604O01W0<604P0170<704Q01W0<704R0170<W04S01W0<W04T0180<204U01X0<204X0190<304Y01Y0<304Z0190<404[01Y0<404\\0190<604]01Y0<604^0190<X",
    "04_01Y0<X04`0190<704d01:0<204e01Z0<204f01;0<W04g01[0<W04i01<0<104j01\\0<104k01<0<W04l01\\0<W04m01<0<<04n01\\0<<05301>0<105401^0<105501>0<W05601^0<W",
    "05701>0<<05801^0<<05<01\?0<405=01_0<405>01\?0<605\?01_0<605@01\?0<;05A01_0<;05D01B0<105E01b0<105F01B0<W05G01b0<W05H01B0<<05I01b0<<05J01C0<105K01c0<1",
    "05L01C0<205M01c0<205N01C0<W05O01c0<W05P01C0<<05Q01c0<<05R01D0<W05S01d0<W05T01D0<<05U01d0<<05X01E0<305Y01e0<305Z01E0<405[01e0<405\\01E0<605]01e0<6",
    "05^01E0<:05_01e0<:05`01E0<;05a01e0<;05b01E0<X05c01e0<X05d01G0<205e01g0<205f01I0<205g01i0<205h01I0<805i01J0<105j01j0<105k01J0<705l01j0<705m01J0<<",
    "05n01j0<<06P01\?0<K06Q01_0<K06_01E0<K06`01e0<K07=0110<<07>01Q0<<07\?0190<<07@01Y0<<07A01\?0<<07B01_0<<07C01E0<<07D01e0<<07E03L0<407F03l0<407G03L0<1",
    "07H03l0<107I03L0<<07J03l0<<07K03L0<007L03l0<007N0340<407O03T0<407P08V0<407Q08W0<407R0360<407S03V0<407V0170<<07W01W0<<07X01;0<<07Y01[0<<07Z01\?0<X",
    "07[01_0<X07\\07Z0<407]07[0<407^06g0<<07_0:B0<<07`01Z0<<07d0170<107e01W0<107h01>0<007i01^0<007j0350<107k03U0<107l0360<107m03V0<107n03H0<107o03h0<1",
    "0800110<\?08101Q0<\?0820110<A08301Q0<A0840150<\?08501U0<\?0860150<A08701U0<A0880190<\?08901Y0<\?08:0190<A08;01Y0<A08<01\?0<\?08=01_0<\?08>01\?0<A08\?01_0<A",
    "08@01B0<\?08A01b0<\?08B01B0<A08C01b0<A08D01E0<\?08E01e0<\?08F01E0<A08G01e0<A08H01C0<V08I01c0<V08J01D0<V08K01d0<V08N0180<<08O01X0<<08V0110<708W01Q0<7",
    "08X0150<W08Y01U0<W08Z03F0<408[03f0<408\\03E0<408]03e0<408^01\?0<708_01_0<708`08^0<408a08_0<408b01I0<408c01i0<40=40<80<10>502X0<10>60>A0<10>80>E0<1",
    "0>90>G0<10>:0>I0<10><0>O0<10>>0>U0<10>\?0>Y0<10>@0\?:0<10>Z0>I0<80>[0>U0<80>\\0>a0<10>]0>e0<10>^0>g0<10>_0>i0<10>`0\?;0<10\?:0>i0<80\?;0\?50<80\?<0>o0<1",
    "0\?=0\?50<10\?>0\?90<10\?C0\?B0<10\?D0\?B0<80@00@E0<00@10@E0<80@30@C0<10@70@60<80@<0@J0<10@=0@H0<00@>0@S0<60@I0@H0<60@i0@h0<60A@0@e0<00AA0@e0<80AC0@c0<1",
    "0AG0AF0<80AL0@j0<10AM0@h0<00AN0A30<60Af0Ad0<\?0Ag0Ae0<\?0C10@F0<60C20@f0<60C@0@@0<60CA0@`0<60CB0@@0<80CC0@`0<80CF0@E0<60CG0@e0<60CJ0CH0<80CK0CI0<8",
    "0CL0@F0<80CM0@f0<80CN0@G0<80CO0@g0<80CR0@H0<40CS0@h0<40CT0@H0<80CU0@h0<80CV0@N0<80CW0@n0<80CZ0CX0<80C[0CY0<80C\\0@]0<80C]0A=0<80C^0@S0<40C_0A30<4",
    "0C`0@S0<80Ca0A30<80Cb0@S0<;0Cc0A30<;0Cd0@W0<80Ce0A70<80Ch0@[0<80Ci0A;0<80HR0HW0IC0HS0HW0ID0HT0I80ID0HU0HW0IE0HV0I:0ID0K00KE0ID0K20K10ID0KC0KB0ID",
    "0TY0TX0Tl0Ta0T`0Tl0Td0Tc0Tl0UH0TE0Tl0UI0TF0Tl0UJ0TG0Tl0UK0TL0Tl0UL0TQ0Tl0UM0TR0Tl0UN0T[0Tl0UO0T_0Tl0W;0W70Vn0W<0W70WG0WL0VQ0Vl0WM0VR0Vl0WO0V_0Vl",
    "0Xc0Xb0Xl0Xf0Xh0Xl0YI0XF0Xl0YJ0XG0Xl0YK0XL0Xl0YN0X[0Xl0]80]70]F0];0]70\\n0]<0]70]G0]L0\\Q0\\l0]M0\\R0\\l0^D0^B0_G0_:0_60^n0_;0_70^n0_<0_60_G0a80a60aF",
    "0c00bo0cE0c70c60cE0c80c60cF0c:0c60c20c;0c:0cE0e:0e60dn0e;0e70dn0e<0e60eG0gJ0gI0g:0gL0gI0g\?0gM0gL0g:0gN0gI0gO0m30m20ng0m=0m<0ng0mB0mA0ng0mG0mF0ng",
    "0mL0mK0ng0mY0m00ne0mc0ma0mb0me0ma0md0mf0nb0n00mh0nc0n00n10ma0n00nC0nB0ng0nM0nL0ng0nR0nQ0ng0nW0nV0ng0n\\0n[0ng0ni0n@0ne10V10U10^1\\61\\51\\e1\\81\\71\\e",
    "1\\:1\\91\\e1\\<1\\;1\\e1\\>1\\=1\\e1\\B1\\A1\\e1\\k1\\j1\\e1\\m1\\l1\\e1]01\\n1\\e1]11\\o1\\e1]31]21\\e1h00110<U1h101Q0<U1h20120<71h301R0<71h40120<S1h501R0<S1h60120<a",
    "1h701R0<a1h80370<11h903W0<11h:0140<71h;01T0<71h<0140<S1h=01T0<S1h>0140<a1h\?01T0<a1h@0140<W1hA01T0<W1hB0140<]1hC01T0<]1hD04B0<01hE04C0<01hF04B0<1",
    "1hG04C0<11hH0150<]1hI01U0<]1hJ0150<`1hK01U0<`1hL08X0<61hM08Y0<61hN0160<71hO01V0<71hP0170<41hQ01W0<41hR0180<71hS01X0<71hT0180<S1hU01X0<S1hV0180<8",
    "1hW01X0<81hX0180<W1hY01X0<W1hZ0180<^1h[01X0<^1h\\0190<`1h]01Y0<`1h^03\?0<11h_03_0<11h`01;0<11ha01[0<11hb01;0<S1hc01[0<S1hd01;0<a1he01[0<a1hf01<0<S",
    "1hg01\\0<S1hh1hf0<41hi1hg0<41hj01<0<a1hk01\\0<a1hl01<0<]1hm01\\0<]1hn01=0<11ho01]0<11i001=0<71i101]0<71i201=0<S1i301]0<S1i401>0<71i501^0<71i601>0<S",
    "1i701^0<S1i801>0<a1i901^0<a1i:01>0<]1i;01^0<]1i<03E0<11i=03e0<11i>03E0<81i\?03e0<81i@05<0<01iA05=0<01iB05<0<11iC05=0<11iD01@0<11iE01`0<11iF01@0<7",
    "1iG01`0<71iH01B0<71iI01b0<71iJ01B0<S1iK01b0<S1iL1iJ0<41iM1iK0<41iN01B0<a1iO01b0<a1iP01C0<71iQ01c0<71iR01C0<S1iS01c0<S1iT05J0<71iU05K0<71iV05P0<7",
    "1iW05Q0<71iX1iR0<71iY1iS0<71iZ01D0<71i[01d0<71i\\01D0<S1i]01d0<S1i^01D0<a1i_01d0<a1i`01D0<]1ia01d0<]1ib01E0<T1ic01e0<T1id01E0<`1ie01e0<`1if01E0<]",
    "1ig01e0<]1ih05X0<11ii05Y0<11ij05Z0<81ik05[0<81il01F0<31im01f0<31in01F0<S1io01f0<S1j001G0<01j101g0<01j201G0<11j301g0<11j401G0<81j501g0<81j601G0<7",
    "1j701g0<71j801G0<S1j901g0<S1j:01H0<71j;01h0<71j<01H0<81j=01h0<81j>01I0<71j\?01i0<71j@01J0<21jA01j0<21jB01J0<S1jC01j0<S1jD01J0<a1jE01j0<a1jF01X0<a",
    "1jG01d0<81jH01g0<:1jI01i0<:1jK05o0<71jP0110<S1jQ01Q0<S1jR0110<91jS01Q0<91jT0320<11jU03R0<11jV0320<01jW03R0<01jX0320<91jY03R0<91jZ0320<31j[03R0<3",
    "1j\\1jP0<21j]1jQ0<21j^0420<11j_0430<11j`0420<01ja0430<01jb0420<91jc0430<91jd0420<31je0430<31jf1jP0<61jg1jQ0<61jh0150<S1ji01U0<S1jj0150<91jk01U0<9",
    "1jl0150<31jm01U0<31jn03:0<11jo03Z0<11k003:0<01k103Z0<01k203:0<91k303Z0<91k403:0<31k503Z0<31k61jh0<21k71ji0<21k80190<91k901Y0<91k:0190<S1k;01Y0<S",
    "1k<01\?0<S1k=01_0<S1k>01\?0<91k\?01_0<91k@03D0<11kA03d0<11kB03D0<01kC03d0<01kD03D0<91kE03d0<91kF03D0<31kG03d0<31kH1k<0<21kI1k=0<21kJ06P0<11kK06Q0<1",
    "1kL06P0<01kM06Q0<01kN06P0<91kO06Q0<91kP06P0<31kQ06Q0<31kR06P0<S1kS06Q0<S1kT01E0<S1kU01e0<S1kV01E0<91kW01e0<91kX06_0<11kY06`0<11kZ06_0<01k[06`0<0",
    "1k\\06_0<91k]06`0<91k^06_0<31k_06`0<31k`06_0<S1ka06`0<S1kb01I0<01kc01i0<01kd01I0<S1ke01i0<S1kf01I0<91kg01i0<91kh01I0<31ki01i0<31l00>a0<C1l10>a0<D",
    "1l21l00<01l31l10<01l41l00<11l51l10<11l61l00=21l71l10=21l80>A0<C1l90>A0<D1l:1l80<01l;1l90<01l<1l80<11l=1l90<11l>1l80=21l\?1l90=21l@0>e0<C1lA0>e0<D",
    "1lB1l@0<01lC1lA0<01lD1l@0<11lE1lA0<11lH0>E0<C1lI0>E0<D1lJ1lH0<01lK1lI0<01lL1lH0<11lM1lI0<11lP0>g0<C1lQ0>g0<D1lR1lP0<01lS1lQ0<01lT1lP0<11lU1lQ0<1",
    "1lV1lP0=21lW1lQ0=21lX0>G0<C1lY0>G0<D1lZ1lX0<01l[1lY0<01l\\1lX0<11l]1lY0<11l^1lX0=21l_1lY0=21l`0>i0<C1la0>i0<D1lb1l`0<01lc1la0<01ld1l`0<11le1la0<1",
    "1lf1l`0=21lg1la0=21lh0>I0<C1li0>I0<D1lj1lh0<01lk1li0<01ll1lh0<11lm1li0<11ln1lh0=21lo1li0=21m00>o0<C1m10>o0<D1m21m00<01m31m10<01m41m00<11m51m10<1",
    "1m80>O0<C1m90>O0<D1m:1m80<01m;1m90<01m<1m80<11m=1m90<11m@0\?50<C1mA0\?50<D1mB1m@0<01mC1mA0<01mD1m@0<11mE1mA0<11mF1m@0=21mG1mA0=21mI0>U0<D1mK1mI0<0",
    "1mM1mI0<11mO1mI0=21mP0\?90<C1mQ0\?90<D1mR1mP0<01mS1mQ0<01mT1mP0<11mU1mQ0<11mV1mP0=21mW1mQ0=21mX0>Y0<C1mY0>Y0<D1mZ1mX0<01m[1mY0<01m\\1mX0<11m]1mY0<1",
    "1m^1mX0=21m_1mY0=21m`0>a0<01mb0>e0<01md0>g0<01mf0>i0<01mh0>o0<01mj0\?50<01ml0\?90<01n01l00=51n11l10=51n21l20=51n31l30=51n41l40=51n51l50=51n61l60=5",
    "1n71l70=51n81l80=51n91l90=51n:1l:0=51n;1l;0=51n<1l<0=51n=1l=0=51n>1l>0=51n\?1l\?0=51n@1lP0=51nA1lQ0=51nB1lR0=51nC1lS0=51nD1lT0=51nE1lU0=51nF1lV0=5",
    "1nG1lW0=51nH1lX0=51nI1lY0=51nJ1lZ0=51nK1l[0=51nL1l\\0=51nM1l]0=51nN1l^0=51nO1l_0=51nP1mP0=51nQ1mQ0=51nR1mR0=51nS1mS0=51nT1mT0=51nU1mU0=51nV1mV0=5",
    "1nW1mW0=51nX1mX0=51nY1mY0=51nZ1mZ0=51n[1m[0=51n\\1m\\0=51n]1m]0=51n^1m^0=51n_1m_0=51n`0>a0<61na0>a0<41nb1m`0=51nc0>a0=51nd0>\\0=51nf0>a0=21ng1nf0=5",
    "1nh0>A0<61ni0>A0<41nj0>A0<01nl0>A0=51o102X0=21o21md0=51o30>g0=51o40>^0=51o60>g0=21o71o60=51o80>E0<01o:0>G0<01o<0>G0=51o=1no0<01o>1no0<11o\?1no0=2",
    "1o@0>i0<61oA0>i0<41oB0\?:0<01oF0>i0=21oG0\?:0=21oH0>I0<61oI0>I0<41oJ0>I0<01oM1on0<01oN1on0<11oO1on0=21oP0\?50<61oQ0\?50<41oR0\?;0<01oT0\?10<C1oU0\?10<D",
    "1oV0\?50=21oW0\?;0=21oX0>U0<61oY0>U0<41oZ0>U0<01o\\0>Q0<D1o]02X0<01ob1ml0=51oc0\?90=51od0\?>0=51of0\?90=21og1of0=51oh0>O0<01oj0>Y0<01ol0>Y0=526J26@0<h",
    "26K26B0<h26^26D0<h27=27@0<h27>27D0<h27\?27B0<h2842830<h2892880<h28<28;0<h28T28S0<h28V28U0<h29128l0<h2942930<h2972950<h2992980<h29P00m0<h29R29Q0<h",
    "29]29=0<h29^00l0<h29_00n0<h29`29T0<h29a29U0<h29d29b0<h29e29c0<h29h29f0<h29i29g0<h2:029j0<h2:129k0<h2:42:20<h2:52:30<h2:82:60<h2:92:70<h2:\\2:R0<h",
    "2:]2:X0<h2:^2:Y0<h2:_2:[0<h2;P29l0<h2;Q29m0<h2;R2:A0<h2;S2:B0<h2;Z2:b0<h2;[2:c0<h2;\\2:d0<h2;]2:e0<h2[L2[M0<h31<31;32I31>31=32I31@31\?32I31B31A32I",
    "31D31C32I31F31E32I31H31G32I31J31I32I31L31K32I31N31M32I31P31O32I31R31Q32I31U31T32I31W31V32I31Y31X32I31`31_32I31a31_32J31c31b32I31d31b32J31f31e32I",
    "31g31e32J31i31h32I31j31h32J31l31k32I31m31k32J32D31632I32N32M32I32\\32[32I32^32]32I32`32_32I32b32a32I32d32c32I32f32e32I32h32g32I32j32i32I32l32k32I",
    "32n32m32I33032o32I33233132I33533432I33733632I33933832I33@33\?32I33A33\?32J33C33B32I33D33B32J33F33E32I33G33E32J33I33H32I33J33H32J33L33K32I33M33K32J",
    "33d32V32I33g33_32I33h33`32I33i33a32I33j33b32I33n33m32I\?\\M0GI0Fd\?\\O0Gb0Fg\?\\Z0GY0G1\?\\[0GY0G2\?\\\\\?]90G1\?\\]\?]90G2\?\\^0G@0Fg\?\\_0G@0Fh\?\\`0G@0Fl\?\\a0GA0Fl",
    "\?\\b0GB0Fl\?\\c0GC0Fl\?\\d0GD0Fl\?\\e0GE0Fl\?\\f0GF0Fl\?\\h0GH0Fl\?\\i0GI0Fl\?\\j0GJ0Fl\?\\k0GK0Fl\?\\l0GL0Fl\?\\n0GN0Fl\?]00GP0Fl\?]10GQ0Fl\?]30GS0Fl\?]40GT0Fl\?]60GV0Fl",
    "\?]70GW0Fl\?]80GX0Fl\?]90GY0Fl\?]:0GZ0Fl\?];0GE0Fi\?]<0GA0Fo\?]=0GK0Fo\?]>0GT0FoA2JA2IA2jA2LA2KA2jA2[A2UA2jA4^A4aA4WA4_A4bA4WA=;A=7A<nA=<A=7A=GABkABiABj",
    "ABlABiAB`ABnABiABmAFjAFhAF_AFkAFiAF_M5NM5GM5UM5OM5HM5UM5PM5OM5^M5QM5OM5_M5RM5OM5`M5SM5OM5aM5TM5OM5bM6kM6iM5UM6lM6jM5UM6mM6kM5^M6nM6lM5^M6oM6kM5_",
    "M70M6lM5_",
};
/* those that compose, by (first, second): number in allm__uni_pairs, two digits */
enum { ALLM__N_UNI_COMPOSED = 940 };
static const char allm__uni_composed[59][33] = {
    "=a=^=b000102030e0g3^048f052U3@3B", "8d6I0i6K6M6O0k0m0o11066S136U6Y6[", "6W0708099@1517190:9>1=3D3F9<3`1;",
    "6a6c6g361\?6i1A1C2k1E1G6k6o3\\6m71", "730;0<0=1I1K1M1Q0>9L2W3H3J9N1O75", "1R792m7;1T7=1V1Z7\?1X7E7C7G7I7K38",
    "1\\0\?7M1`7O1^7S7Q0@0A0B0C1b1d3f0D", "9R1f2Y3L3N2Q9P2o7]7_1h7a1l3P3R7c", "1j7g1n207i247k3X228328853Z268987",
    "0E0F0G2:2<2>0H9j2@2B2[3T3V2S9h8;", "2D8\?8=8E8G8I8K2F8O8M8Q8S8U:60I2H", ":<3j8W2J:::82K8Y2M2O8[8]0J0K0L0M",
    "0f0h3_0N8g0O2V3A3C8e6J0j6L6N6P0l", "0n10120P6T146V6Z6\\6X0Q0R0S9A1618", "1:0T9\?1>3E3G9=3a1<6b6d6h371@6j1B",
    "1D2l1F1H6l703]6n72748_0U0V0W1J1L", "1N0X9M2X3I3K9O1P761S357:2n7<1U7>", "1W1[7@1Y7F7D7H7J7L391]0Y7N1a7P1_",
    "7T7R0Z0[0\\0]1c1e3g0^9S1g2Z3M3O2R", "9Q307^7`1i7b1m3Q3S7d1k7h1o217j25", "7l3Y23848`29863[278:880_0`0a2;2=",
    "2\?0b9k2A2C2\\3U3W2T9i8<2E8@8>8F8H", "8J8L2G8P8N8a8R8T8V:70c2I:=3k8X0d", ":;8b:92L8Z2N2P8\\8^=F3m<d8j8h8n8l",
    "2e3:3<2i6Q9D9B9H9F779V9T9Z9X7U3d", "7W3b3>2c2_2]2a8k8i8o8m2f3;3=2j6R", "9E9C9I9G789W9U9[9Y7V3e7X3c3\?2d2`",
    "2^2b94929896959399976]6_6^6`7Y7[", "7Z7\\7m7n7o808A8B8C8D8c9`9^9d9b9f", "9a9_9e9c9g9n9l:2:0:49o9m:3:1:533",
    "31322g2h6e6f3h3i34<b3n<a<`:F:G<c", "<j3o:T:U<k40:b:c<l=741=6=546;2;3", "=L42;@;A=E=D43=C=B47;N=M44;Z;[=N",
    "<]<g;b48<Z<Y:>:\?<^<\\;c49:N:O;d4:", ":Z:[<h<f;e4;=1=04=:j:k=3;f4\?;:;;", "=>=\?;g4@=<=;4>;F;G=@;h4A;R;S=J=H",
    "=245=4==4<=A=I4B4C4G4X4Z4F4D4\\4E", "4V4`4b4I4d4K4f4H4h4n4J505254564l", "4Y4[4O4M4]4N4W4a4c4R4e4L4g4Q4i4o",
    "4S515355574m4P4T4U4^4_4j4k58595;", "5:5<5>5\?5=5@5A5B5K5L5W5V5X5[5\\5^", "5]5_5`5c5a5b5d5e5g5f5h5i5k5j6=6>",
    "6\?6@6A6B6C6D6E6F6G6H7A7B7e7f8182", "909:919;9J9K9\\9]:@:B:D;i:A:C:E;j", ";k;l;m;n;o<0:H:J:L<1:I:K:M<2<3<4",
    "<5<6<7<8:P:R:Q:S:V:X:W:Y:\\:^:`<9", ":]:_:a<:<;<<<=<><\?<@:d:f:h<A:e:g", ":i<B<C<D<E<F<G<H:l:n;0:m:o;1;4;6",
    ";8;5;7;9;<;>;=;\?;B;D;C;E;H;J;L;I", ";K;M;O;P;Q;T;V;X<I;U;W;Y<J<K<L<M", "<N<O<P;\\;^;`<Q;];_;a<R<S<T<U<V<W",
    "<X<[<e=G<_<m<n<o<i=K=8=9=:=O=P=Q", "=R=T=S=U=V=W=X=Y=Z=[=\\=]=`=_=c=d", "=e=f=g=h=i=j>3>4=k=l=m=n>5>6=o>0",
    ">1>2>7>8>9>:>U><>=>>>\?>@>A>B>C>D", ">E>F>G>H>I>J>K>L>M>N>O>P>Q>R>S>T", ">V\?0>W>X>Y>Z>[>\\>]>^>_>`>a>b>c>d",
    ">e>f>g>h>i>j>k>l>m>n>o\?1\?2\?3\?4\?5", "\?X\?Y\?Z\?[\?\\\?]\?^\?`\?_\?a\?b\?c",
};
/* decompositions into one, by code point, three digits */
enum { ALLM__N_UNI_SINGLES = 1035 };
static const char allm__uni_singles[65][49] = {
    "0<00<10<C0:i00k02g0>\\0>]0>^0>_0\?<0\?=0\?>0>60>i0>8", "0>90>@0>:0>`0>>0>501P0><0>\?02d2022030>Y01;035308",
    "3098a86Kd8k:8c86kA4hb5\?U9nL9nL5UA97A5F75U867f7IY", "7n58Ho8Nj8Sh92\?6X26dK73I7\?N8@m95Z9Wa4j25=e6\\478K",
    "8H]9hN5e@6o[8G=8UT6;987H8PO5k:6LG6eZ7;l93>4n656g", "5;N6C46[C78@7KW8018H68IL8g_9Lb9]_9gj7R<7Uo7fP8\?9",
    "9<49io8[F5SO5l47aP81n79R7S:8c29Kg5SH5aR6XC6gJ6l\?", "7d_7hg9I;5;B82;57L57<7XL7fn8\?a9Ie8^06;\?6X28[n4hi",
    "5_W60B7>77E`5<G7Sk4no5nY4h=6c<6Eh7dR5\?35QN7L18A9", "8ZZ6^j8n`6b86;n8;U6>P7EU4j^55Y5796R17cW89_8[B97\?",
    "5;e5A25Uc5k\\6G56on7TZ9F]9YZ9jG9k>5:K6K66]g8mR5id", "66@6806BJ6lS7597B97W:7gd81_8lV8C^90S9=:58G5:S5Bm",
    "7388S28ZZ5k95oe6=k6^^7`n7=e4kT5Ki5_W5fj60L7>b7AY", "7nJ81698d9Kf9M89PH4n;7V^96d9Jh63Q4j653J5_^5`o6FI",
    "6X277>7I28Cl91l9n=6J89H^5:96Mk6Oc6e16jL7@97EI7Q[", "7d@9QN55]68^9Ih50[5dI6gZ8lZ5n;6546PG7>79J658Y5@\?",
    "5aU6HC6M>6RX6cU7@67GR7mi8S\?8SQ97<9KR5<o6jj5@M77@", "7BH8Gj9JS9aG9jO6NG6g;87X7[;7\\P7bB7;072I8]H4k08<f",
    "58j5875jV6;C7cF5^56dN6Jd8lk8Q<9I=8V;5kC5505G05QJ", "6Id57N7<Z7K:7Tl7UN7UU7V\?9MF7bn7nm8HB8[h90h93m9S_",
    "9Sl9TX9fd93N9Jg4n^53W55=5;95;T5=A5FM5H65IX5Q05RX", "5aT5a^62D65X66>67b6E\?6GR6JA6R56eg6hJ6lR75^78[7@R",
    "7RA7Tn7U97U87U@7UF7UM7V=7V>7Y07Z17_07gd7h97i17mb", "80587]89i89i8AG8T@8VF8\\18\\i8cC8d88nf90h9KS9Oo9Pk",
    "61eT;^88H4hV56e55X4n05555605;75;j5FM5EE5FI5GR5QJ", "5Rc5U45UD5YR5\\X5kB5kI5mY5n]63H65>64866>65P67b68d",
    "6\?46@L6AB6EF6Id6LG6LK6MF6]i6^j6e16kK6k;6lR70N75^", "7NW78e7:_7<Z7Aa7D67Dk7HM7HO7K:7KK7Kd7M:7M07S<7Za",
    "7_07ak7eK7gd7ln8058=B8\?_8Mi8U18V68VF8Zo8[h8[;8\\1", "8[n8[]8\\i8^:8d88lh91b96I99f9Il9KS9MF9OK9Oo9P;9Pk",
    "9\\B9nLRQ:RQ4S\?E3^M40H40iU99Uc@WkC9m39n>4hm4hh4i1", "P4R4mP4n^4nk50251j52I53W53\?3BNPHj55=55D55T55gPDL",
    "3Bi55W56=PE;56G56T4k<56\\56eY7O57e5833CO58k59659b", "59g3DE5;75;95;T5;j5<55<65<G5=95=A5=J5=c5=m5=o5=o",
    "5=oPX\\71`5\?:5\?OP]S5\?[5\?a5@65BN5@h5A85AX5BR5Cf5D@", "5EC5ES5F45F45FI5F[5Fc5G25LF5H65LG5IA5Id5875S^5O>",
    "5Od5P=5N;5Pb5Pa5R\\QCT5Sb5Sg5T65TJ5TR5URQJXQKZ5W\\", "5XK5XW5WH5YV3K^3Kl5\\85\\n5\\nQW85_35_H5_W5_cQ\\H5_o",
    "5`65mC5`R3N15aP5a^5c05b=QgT5e3QgV5e^5e[5el5gQ5gR", "3P_5gm5hX5hm5iY3QRR633Ql5j`5jc5jf5k:Z>B5knR<aR<a",
    "8815lR5lR3S7S:hV7J5mR5m[3SS5nJ5o=5oG5oi6213Tj3TL", "62DRKD63765865<65>65<65j66>66b66T66_67N67b67f68@",
    "68K69M6:a6;D6=@R\\<6<m6;l6=X6>36\?TR_a6@R6\?56>Y3X^", "6AY6An6BM6Ag3Y\\6E\?6E\\S0:6GS6Kh6I93\\I6JA3\\83[T56B",
    "56E6L06JL82]4\?I6LG6LK6LQ6MN6MCS\?33]96Oj6N56QB6R5", "SA]6R>6PO6TD3^M6U26VS6WZ6ZXSJS6[K3`H6\\QSRW6]D3a>",
    "6]b6^O6^j6^kSZ=Qd;S[j6a>Sbl6bo6c=6aW6dF6dn6eg6e1", "6eY6eh6f5SdN6dd6h_6i^3dc6k;6k7SkA6gi6m^SmNSn>6o6",
    "70i70N70K3fF71:71m71g72]PDU755T9S76LT>[78X78e79@", "TH87:07:ETLeTPD7=j7>;3j\\7>U3jh3jh7A77AL7Aa7B57C:",
    "3lK7DTT`f7DnTbB7E`R6O7H@TnQTnhU143ol4087KdU3cU3b", "U4IU4c7LN7LO7LO7M:40i7N;41642FU@M7Q>7R<7S<43SUHV",
    "7UFUJJUK57V\?7W[44_7Y07Y:7Y\?UUlUZWUZW7[^482U^[7_6", "7_948WUb07cB4:P7cX7cS7d0Un67eS4<17g77h27i54<dV8X",
    "V974=IV;I7mjV<n7nE7oj805VCJVDS81PVFX81`S=O4\?E82b", "8434@;84n5ZeVNWVNeS>CS>L8818848nN4A[8:A8:;8:M5:c",
    "8:a8:c8:m8;VV\\l8;U8<M8=S8>]8<S8>m8\?W8AG8=C8\?:8\?<", "8\?LV`fVe[VcE4D[8Ca8Cc8DFW\?:8ETVl\\4EM4EQVnaW3B4E[",
    "8I@8IL8IW8IY8JY8J88L>8KR8Mi8LX8M[8N64GG8OQ8P14Gi", "8QP8QSWIW8SG8SN4He8Sj3BkWR^WUV4Jn4K78ZP8[]8^:8aE",
    "WbX8b[8c18dK8egWl_PP48g;8fl8g`PSN8kD8lhXGBXG]92D", "93a94AXL^94K98h9;G9;H99l9\?i9@EX_j9F;4VE9FgXeg4WV",
    "9K35fb9LSY55Y8J4Y^4Yf9OPY@:4ZbYBF9P;9P;9PYYFf9SR", "4\\c9TY9VW9W29Wn4_>Y\\`9\\B9a09cm4c>4c]9eWZ3>4chZ45",
    "Z8>Z:A9jk4eF9ki9kn9l59l\?9lF9lkZH0",
};
/* code points with such: first, and number of the first one's decomposition */
static const int32_t allm__uni_single_runs[39][2] = {
    {832, 0}, {835, 2}, {884, 3}, {894, 4}, {903, 5}, {8049, 6}, {8051, 7}, {8053, 8}, {8055, 9}, {8057, 10},
    {8059, 11}, {8061, 12}, {8123, 13}, {8126, 14}, {8137, 15}, {8139, 16}, {8147, 17}, {8155, 18}, {8163, 19},
    {8171, 20}, {8174, 21}, {8185, 23}, {8187, 24}, {8189, 25}, {8192, 26}, {8486, 28}, {8490, 29}, {9001, 31},
    {63744, 33}, {64016, 303}, {64018, 304}, {64021, 305}, {64032, 315}, {64034, 316}, {64037, 317}, {64042, 319},
    {64112, 387}, {194560, 493}, {1114112, 1035},
};
/* combining classes: first code point, three digits; how many, class, two digits each */
enum { ALLM__N_UNI_CCC = 333 };
static const char allm__uni_ccc[21][113] = {

    "0<00E3V0<E013X0<F043L0<J013X0<K013H0<L053L0<Q023:0<S043L0<W023:0<Y0;3L0<d05010<i043L0<m083V0=5013`0=6013V0=7033L",
    "0=:033V0==023L0=@033V0=C043L0=G013V0=H013X0=I023L0=K013V0=L013Y0=M023Z0=O013Y0=P023Z0=R013Y0=S0=3V0B3053V0FA013L",
    "0FB043V0FF013L0FG033V0FJ013N0FK013L0FL063V0FR063L0FX023V0FZ013L0F[023V0F]013N0F^013T0F_013V0F`010:0Fa010;0Fb010<",
    "0Fc010=0Fd010>0Fe010\?0Ff010@0Fg010A0Fh010B0Fi020C0Fk010D0Fl010E0Fm010F0Fo010G0G1010H0G2010I0G4013V0G5013L0G7010B",
    "0H@083V0HH010N0HI010O0HJ010P0I;010K0I<010L0I=010M0I>010N0I\?010O0I@010P0IA010Q0IB010R0IC023V0IE023L0IG053V0IL013L",
    "0IM023V0IO013L0I`010S0KF073V0KO043V0KS013L0KT013V0KW023V0KZ013L0K[023V0K]013L0LA010T0L`013V0La013L0Lb023V0Ld013L",
    "0Le023V0Lg033L0Lj013V0Lk023L0Lm013V0Ln013L0Lo033V0M2013L0M3013V0M4013L0M5013V0M6013L0M7013V0M8013L0M9023V0O[073V",
    "0Ob013L0Oc013V0PF043V0PK093V0PU033V0PY053V0QI033L0SD0>3V0SS013L0ST023V0SV013L0SW023V0SY013L0SZ033V0S]033L0S`010K",
    "0Sa010L0Sb010M0Sc033V0Sf013L0Sg023V0Si023L0Sk053V0Tl01070U=01090UA013V0UB013L0UC023V0Vl01070W=01090Xl01070Y=0109",
    "0Zl01070[=01090\\l01070]=01090_=01090a=01090aE011D0aF011K0bl01070c=01090e=01090g:01090hh021W0hj01090i8041[0jh021f",
    "0k8041j0lH023L0le013L0lg013L0li013H0ma01210mb01220md01240mj04220n001220n2023V0n401090n6023V0o6013L10g010710i0209",
    "12=013L1=M033V1LD01091Ld01091OB01091OM013V1RY013T1Ti013N1Tj013V1Tk013L1XG013V1XH013L1YP01091Ye083V1Yo013L1Z`053V",
    "1Ze063L1Zk023V1Zm013L1\\d01071]401091][013V1]\\013L1]]073V1^Z02091_V01071_b02091`g01071c@033V1cD01011cE053L1cJ023V",
    "1cL043L1cP013V1cR07011c]013L1cd013V1ch023V1g0023V1g2013L1g3073V1g:013L1g;023V1g=013Z1g>013F1g\?013L1g@013:1gA0U3V",
    "1gk013V1gl013Y1gm013L1gn013V1go013L23@023V23B020123D043V23H030123K023V23Q013V23U020123W013V23X013L23Y013V23Z0201",
    "23\\043L23`013V2c_033V2eo01092gP0P3V30Z013J30[013T30\\013X30]013N30^023P32I0208:I_013V:Id0:3V:JN023V:K`023V:P60109",
    ":S40109:SP0B3V:T[033L:UC0109:Vc0107:W00109:Z`013V:Zb023V:Zd013L:Zg023V:Zn023V:[1013V:[f0109:_]0109\?\\N010J\?hP073V",
    "\?hW073L\?h^023V@7m013L@;P013L@=f053V@X=013L@X\?013V@Xh013V@Xi0101@Xj013L@Xo0109@[U013V@[V013LA160109A1o0109A2i0109",
    "A2j0107A40033VA4c0209A5c0107A700109A7:0107A8e0109A8f0107A;Y0107A;Z0109A<l0107A==0109A=V073VA=`053VAA20109AA60107",
    "AC20109AC30107AFo0109AG00107AHo0109AJf0109AJg0107AL[0109A`o0109F[`0501F\\`073VKbN0101M5U023HM5W0301M5]013RM5^053H",
    "M5k083LM65053VM6:023LM6Z043VM92033VN00073VN080A3VN0K073VN0S023VN0V053VNS@073LNU4063VNU:0107",
};
/* ---- end of generated tables */

static int32_t allm__uni_digits(const char *p, int n) {
    int32_t v = 0;
    for (int i = 0; i < n; i++) v = v << 6 | (p[i] - '0');
    return v;
}

#define ALLM__UNI_RECORD(table, i) ((table)[(size_t)(i) >> 4] + ((size_t)(i) & 15) * (sizeof((table)[0]) / 16))

/* The last record in [lo, hi) that begins at or before cp; record lo does. `size`: bytes of a record. */
static const char *allm__uni_find(const char *table, size_t size, int32_t lo, int32_t hi, int32_t cp) {
    while (hi - lo > 1) {
        int32_t     mid = lo + (hi - lo) / 2;
        const char *r   = table + (size_t)(mid >> 4) * (16 * size + 1) + (size_t)(mid & 15) * size;
        if (allm__uni_digits(r, 3) <= cp) lo = mid;
        else hi = mid;
    }
    return table + (size_t)(lo >> 4) * (16 * size + 1) + (size_t)(lo & 15) * size;
}

/* The same over a whole table; what comes before its first record finds that one. */
#define ALLM__UNI_FIND(table, n, cp) allm__uni_find((const char *)(table), sizeof((table)[0]) / 16, 0, n, cp)

/* Index into allm__uni_classes; cp is 0..0x10FFFF. Three digits hold 0..0x3FFFF: what lies above is all unassigned but for
 * the beginning of plane 14, which the table has in the last, empty 4096 code points, and private use. */
static int32_t allm__uni_class(int32_t cp) {
    if (cp >= 0xe0000 && cp < 0xe1000) cp -= 0xe0000 - 0x3f000;
    else if (cp >= 0x3f000) cp = cp >= 0xf0000 && (cp & 0xffff) < 0xfffe ? 0xe000 : 0xffff;
    int32_t     block = ALLM__MIN(cp >> 7, (int32_t)ALLM__N_UNI_BLOCKS - 1), last = block + 1 == ALLM__N_UNI_BLOCKS;
    int32_t     lo = allm__uni_digits(ALLM__UNI_RECORD(allm__uni_blocks, block), 3);
    int32_t     hi = last ? ALLM__N_UNI_RANGES : allm__uni_digits(ALLM__UNI_RECORD(allm__uni_blocks, block + 1), 3) + 1;
    const char *r  = allm__uni_find((const char *)allm__uni_ranges, sizeof allm__uni_ranges[0] / 16, lo, hi, cp);
    return r[3] - '(';
}

static uint64_t allm__uni_class_bits(int32_t class_) {
    return ALLM__UNI_GC(allm__uni_classes[class_].category) | (uint64_t)allm__uni_classes[class_].props << 32;
}

/* All bits of a code point; none for what is not one. */
static uint64_t allm__uni_bits(int32_t cp) {
    return cp < 0 || cp > 0x10ffff ? 0 : allm__uni_class_bits(allm__uni_class(cp));
}

/* Has cp any of these bits? */
static int allm__uni_is(int32_t cp, uint64_t bits) { return (allm__uni_bits(cp) & bits) != 0; }

/* Python's str.isprintable: what repr shows as it is. */
static int allm__uni_printable(int32_t cp) {
    uint64_t bits = allm__uni_bits(cp);
    return cp == ' ' || (bits && !(bits & (ALLM__UNI_C | ALLM__UNI_Z)));
}

/* ---- case: each writes 1..3 code points to out and returns how many. No context: a final sigma is the caller's. */

static int allm__uni_case_special(int32_t cp, int kind, int32_t out[3]) {
    int32_t lo = 0, hi = ALLM__N_UNI_SPECIAL;
    while (lo < hi) { /* the first record at or behind (cp, kind) */
        int32_t     mid = lo + (hi - lo) / 2;
        const char *r   = ALLM__UNI_RECORD(allm__uni_special, mid);
        if (allm__uni_digits(r, 4) < (cp << 6 | kind)) lo = mid + 1;
        else hi = mid;
    }
    const char *r = ALLM__UNI_RECORD(allm__uni_special, ALLM__MIN(lo, ALLM__N_UNI_SPECIAL - 1));
    if (allm__uni_digits(r, 4) != (cp << 6 | kind)) return 0;
    for (int i = 0; i < 3; i++) out[i] = allm__uni_digits(r + 4 + 3 * i, 3);
    return out[2] ? 3 : 2;
}

/* cp moved by the run r, if that holds it; 0: it does not. */
static int allm__uni_case_run(const char *r, int32_t cp, int32_t out[3]) {
    int32_t i = cp - allm__uni_digits(r, 3), n = allm__uni_digits(r + 3, 2);
    if (i < 0 || i > n || i % allm__uni_digits(r + 5, 1)) return 0;
    return out[0] = cp + allm__uni_digits(r + 6, 3) - 0x20000, 1;
}

static int allm__uni_lower(int32_t cp, int32_t out[3]) {
    int n = allm__uni_case_special(cp, 0, out);
    if (n || allm__uni_case_run(ALLM__UNI_FIND(allm__uni_lower_runs, ALLM__N_UNI_LOWER_RUNS, cp), cp, out)) return n ? n : 1;
    return out[0] = cp, 1;
}

static int allm__uni_upper(int32_t cp, int32_t out[3]) {
    int n = allm__uni_case_special(cp, 1, out);
    if (n || allm__uni_case_run(ALLM__UNI_FIND(allm__uni_upper_runs, ALLM__N_UNI_UPPER_RUNS, cp), cp, out)) return n ? n : 1;
    return out[0] = cp, 1;
}

static int allm__uni_title(int32_t cp, int32_t out[3]) {
    int n = allm__uni_case_special(cp, 2, out);
    if (n || allm__uni_case_run(ALLM__UNI_FIND(allm__uni_title_runs, ALLM__N_UNI_TITLE_RUNS, cp), cp, out)) return n ? n : 1;
    return allm__uni_upper(cp, out);
}

/* ---- canonical forms (Unicode Standard 3.11), Hangul by arithmetic (3.12) */

enum { ALLM__HANGUL = 0xac00, ALLM__JAMO_L = 0x1100, ALLM__JAMO_V = 0x1161, ALLM__JAMO_T = 0x11a7 };

/* Canonical_Combining_Class. */
static int allm__uni_ccc_of(int32_t cp) {
    const char *r = ALLM__UNI_FIND(allm__uni_ccc, ALLM__N_UNI_CCC, cp);
    int32_t     i = cp - allm__uni_digits(r, 3);
    return i >= 0 && i < allm__uni_digits(r + 3, 2) ? allm__uni_digits(r + 5, 2) : 0;
}

/* One step of canonical decomposition: 1 or 2 code points, 0 when there is none. */
static int allm__uni_decompose(int32_t cp, int32_t out[2]) {
    int32_t s = cp - ALLM__HANGUL, lo = 0, hi = (int32_t)ALLM__COUNT(allm__uni_single_runs) - 1;
    if (s >= 0 && s < 11172) {
        if (s % 28) return out[0] = cp - s % 28, out[1] = ALLM__JAMO_T + s % 28, 2;
        return out[0] = ALLM__JAMO_L + s / 588, out[1] = ALLM__JAMO_V + s % 588 / 28, 2;
    }
    const char *r = ALLM__UNI_FIND(allm__uni_pairs, ALLM__N_UNI_PAIRS, cp);
    if (allm__uni_digits(r, 3) == cp) return out[0] = allm__uni_digits(r + 3, 3), out[1] = allm__uni_digits(r + 6, 3), 2;
    while (hi - lo > 1) {
        int32_t mid = lo + (hi - lo) / 2;
        if (allm__uni_single_runs[mid][0] <= cp) lo = mid;
        else hi = mid;
    }
    int32_t i = cp - allm__uni_single_runs[lo][0], n = allm__uni_single_runs[lo + 1][1] - allm__uni_single_runs[lo][1];
    if (i < 0 || i >= n) return 0;
    return out[0] = allm__uni_digits(ALLM__UNI_RECORD(allm__uni_singles, allm__uni_single_runs[lo][1] + i), 3), 1;
}

/* The primary composite of a pair, or -1. */
static int32_t allm__uni_compose(int32_t a, int32_t b) {
    int32_t l = a - ALLM__JAMO_L, v = b - ALLM__JAMO_V, t = b - ALLM__JAMO_T, s = a - ALLM__HANGUL;
    if (l >= 0 && l < 19 && v >= 0 && v < 21) return ALLM__HANGUL + (l * 21 + v) * 28;
    if (s >= 0 && s < 11172 && s % 28 == 0 && t > 0 && t < 28) return a + t;
    for (int32_t lo = 0, hi = ALLM__N_UNI_COMPOSED; lo < hi;) {
        int32_t     mid = lo + (hi - lo) / 2, i = allm__uni_digits(ALLM__UNI_RECORD(allm__uni_composed, mid), 2);
        const char *r   = ALLM__UNI_RECORD(allm__uni_pairs, i);
        int32_t     x = allm__uni_digits(r + 3, 3), y = allm__uni_digits(r + 6, 3);
        if (x == a && y == b) return allm__uni_digits(r, 3);
        if (x < a || (x == a && y < b)) lo = mid + 1;
        else hi = mid;
    }
    return -1;
}

// MARK: >>quant  Weight formats
/* Owns: block structs with their bit diagrams, scalar dequantise (the oracle of every kernel) and quantise, the format
 * list. Gives: allm__fmt_find, allm__tensor. A new format is a struct, a function and a row. Spec: the tensor types of
 * GGUF; blocks are little-endian, unaligned bytes. Scale times subscale comes first, then the code, then the minimum,
 * each rounded to float32: no fused operations here, so that every build agrees to the last bit. */

#if defined(__clang__)
#pragma float_control(push)
#pragma clang fp contract(off)
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
#pragma float_control(pop)
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif

// MARK: >>isa  Instruction sets
/* Owns: which instruction sets this machine and its OS can run, and one vector vocabulary per set. The kernels are
 * compiled once per set by including this file again with ALLM__PASS naming it (end of room kern); types and inline
 * helpers of a set exist only inside its own pass, where the compiler may use it. Spec: Intel SDM vol. 1 ch. 13-15
 * (CPUID, OSXSAVE, XCR0), Arm ARM, Linux HWCAP. */

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
ALLM__INLINE void allm__vstore_f16(void *p, allm__vf a) {
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
ALLM__INLINE void allm__vstore_i8(int8_t *p, allm__vf a) {
    _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(a)));
}
ALLM__INLINE allm__vf allm__vround(allm__vf a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
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
#pragma float_control(push)
#pragma clang fp contract(off)
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
    /* Four rows times one token over groups [g0, g1), n_group bytes each; NULL: unpack and use the tile. */
    void (*gemv)(const uint8_t *const row[4], const allm__agroup *a, int64_t g0, int64_t g1, int64_t n_cols,
                 size_t n_group, float sum[4]);
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
    {ALLM__Q4_0, allm__unpack_q4_0, 3, 0, 0, 4, NULL},
    {ALLM__Q4_1, allm__unpack_q4_1, ALLM__NO_OFFSET, 1, 0, 4, NULL},
    {ALLM__Q5_0, allm__unpack_q5_0, 4, 0, 0, 5, NULL},
    {ALLM__Q5_1, allm__unpack_q5_1, ALLM__NO_OFFSET, 1, 0, 5, NULL},
    {ALLM__Q8_0, allm__unpack_q8_0, 7, 0, 0, 8, NULL},
    {ALLM__Q2_K, allm__unpack_q2_k, ALLM__NO_OFFSET, 1, 1, 2, NULL},
    {ALLM__Q3_K, allm__unpack_q3_k, 2, 0, 1, 3, NULL},
    {ALLM__Q4_K, allm__unpack_q4_k, ALLM__NO_OFFSET, 1, 0, 4, NULL},
    {ALLM__Q5_K, allm__unpack_q5_k, ALLM__NO_OFFSET, 1, 0, 5, NULL},
    {ALLM__Q6_K, allm__unpack_q6_k, 5, 0, 1, 6, NULL},
};

static const allm__codec *allm__codec_find(int32_t id) { /* NULL: a float format */
    for (size_t i = 0; i < ALLM__COUNT(allm__codecs); i++)
        if (allm__codecs[i].id == id) return &allm__codecs[i];
    return NULL;
}

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

/* ALLM__VL elements of a cached row from element i; past head_dim zeros. */
ALLM__INLINE allm__vf ALLM__K(kv_load)(const uint8_t *row, int32_t i, int32_t head_dim, allm_kv_type type) {
    const int32_t n = head_dim - i;
    uint16_t      tail[ALLM__VL] = {0};
    if (type == ALLM_KV_F32) {
        const float *p = (const float *)(const void *)row + i;
        return n < ALLM__VL ? allm__vload_n(p, n) : allm__vload(p);
    }
    const void *p = row + 2 * i;
    if (n < ALLM__VL) memcpy(tail, p, 2 * (size_t)n), p = tail;
    return type == ALLM_KV_BF16 ? allm__vload_bf16(p) : allm__vload_f16(p);
}

typedef struct ALLM__K(attend_job) {
    const uint8_t *k, *v;
    size_t         key_stride;
    int32_t        head_dim, pad; /* pad: floats of a padded row */
    float         *q, *out, *p;   /* [n_q, pad] scaled; [n_q, pad]; [n_q, ALLM__KEYS] */
    float         *top, *sum;     /* [n_q] running maximum and denominator */
} ALLM__K(attend_job);

/* Scores of n_heads (constant) queries from h0 against keys [from, to) of the block that starts at key `base`. */
ALLM__INLINE void ALLM__K(attend_scores)(const ALLM__K(attend_job) *j, int h0, int n_heads, int64_t base, int64_t from,
                                         int64_t to, allm_kv_type type) {
    for (int64_t key = from; key < to; key++) {
        const uint8_t *row = j->k + (size_t)key * j->key_stride;
        const float   *q   = j->q + h0 * j->pad;
        allm__vf       a = allm__vset(0), b = a, c = a, d = a;
        for (int32_t i = 0; i < j->head_dim; i += ALLM__VL) {
            const allm__vf k = ALLM__K(kv_load)(row, i, j->head_dim, type);
            a                = allm__vfma(k, allm__vload(q + i), a);
            if (n_heads > 1) b = allm__vfma(k, allm__vload(q + j->pad + i), b);
            if (n_heads > 2) c = allm__vfma(k, allm__vload(q + 2 * j->pad + i), c);
            if (n_heads > 3) d = allm__vfma(k, allm__vload(q + 3 * j->pad + i), d);
        }
        float *p = j->p + h0 * ALLM__KEYS + (key - base);
        p[0]     = allm__vsum(a);
        if (n_heads > 1) p[ALLM__KEYS] = allm__vsum(b);
        if (n_heads > 2) p[2 * ALLM__KEYS] = allm__vsum(c);
        if (n_heads > 3) p[3 * ALLM__KEYS] = allm__vsum(d);
    }
}

/* Scores of head h to weights e^(s - max); what was summed before is rescaled to the new maximum. */
ALLM__INLINE float ALLM__K(attend_weights)(const ALLM__K(attend_job) *j, int h) {
    float   *p   = j->p + h * ALLM__KEYS;
    allm__vf top = allm__vset(j->top[h]), sum = allm__vset(0);
    for (int i = 0; i < ALLM__KEYS; i += ALLM__VL) top = allm__vmax(allm__vload(p + i), top);
    const float    best = allm__vtop(top);
    const allm__vf old = ALLM__K(exp)(allm__vset(j->top[h] - best)), m = allm__vset(best);
    for (int i = 0; i < ALLM__KEYS; i += ALLM__VL) {
        const allm__vf e = ALLM__K(exp)(allm__vsub(allm__vload(p + i), m));
        sum = allm__vadd(sum, e), allm__vstore(p + i, e);
    }
    const float factor = allm__vtop(old);
    j->sum[h]          = j->sum[h] * factor + allm__vsum(sum);
    j->top[h]          = best;
    return factor;
}

/* out = out * factor + sum over keys of weight * value */
ALLM__INLINE void ALLM__K(attend_values)(const ALLM__K(attend_job) *j, int h0, int n_heads, int64_t base, int64_t from,
                                         int64_t to, const float *factor, allm_kv_type type) {
    for (int32_t i = 0; i < j->head_dim; i += ALLM__VL) {
        float   *out = j->out + h0 * j->pad + i;
        allm__vf a = allm__vmul(allm__vload(out), allm__vset(factor[0])), b = a, c = a, d = a;
        if (n_heads > 1) b = allm__vmul(allm__vload(out + j->pad), allm__vset(factor[1]));
        if (n_heads > 2) c = allm__vmul(allm__vload(out + 2 * j->pad), allm__vset(factor[2]));
        if (n_heads > 3) d = allm__vmul(allm__vload(out + 3 * j->pad), allm__vset(factor[3]));
        for (int64_t key = from; key < to; key++) {
            const allm__vf v = ALLM__K(kv_load)(j->v + (size_t)key * j->key_stride, i, j->head_dim, type);
            const float   *p = j->p + h0 * ALLM__KEYS + (key - base);
            a                = allm__vfma(v, allm__vset(p[0]), a);
            if (n_heads > 1) b = allm__vfma(v, allm__vset(p[ALLM__KEYS]), b);
            if (n_heads > 2) c = allm__vfma(v, allm__vset(p[2 * ALLM__KEYS]), c);
            if (n_heads > 3) d = allm__vfma(v, allm__vset(p[3 * ALLM__KEYS]), d);
        }
        allm__vstore(out, a);
        if (n_heads > 1) allm__vstore(out + j->pad, b);
        if (n_heads > 2) allm__vstore(out + 2 * j->pad, c);
        if (n_heads > 3) allm__vstore(out + 3 * j->pad, d);
    }
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

ALLM__INLINE void ALLM__K(attend_block)(const ALLM__K(attend_job) *j, int n_q, int64_t base, int64_t from, int64_t to,
                                        allm_kv_type type) {
    int h = 0;
    for (; h + 4 <= n_q; h += 4) ALLM__K(attend_heads)(j, h, 4, base, from, to, type);
    if (n_q - h == 3) ALLM__K(attend_heads)(j, h, 3, base, from, to, type);
    if (n_q - h == 2) ALLM__K(attend_heads)(j, h, 2, base, from, to, type);
    if (n_q - h == 1) ALLM__K(attend_heads)(j, h, 1, base, from, to, type);
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
        if (type == ALLM_KV_F32) ALLM__K(attend_block)(&j, n_q, base, from, to, ALLM_KV_F32);
        else if (type == ALLM_KV_BF16) ALLM__K(attend_block)(&j, n_q, base, from, to, ALLM_KV_BF16);
        else ALLM__K(attend_block)(&j, n_q, base, from, to, ALLM_KV_F16);
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
                                      int32_t id, float y[4]) {
    allm__vf a = allm__vset(0), b = a, c = a, d = a;
    int64_t  i = 0;
    for (; i + ALLM__VL <= n; i += ALLM__VL) {
        const allm__vf v = allm__vload(x + i);
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

ALLM__INLINE void ALLM__K(dot4_q8_0)(const uint8_t *const row[4], const float *x, int64_t n, float y[4]) {
    allm__vf acc0 = allm__vset(0), acc1 = acc0, acc2 = acc0, acc3 = acc0;
    for (int64_t i = 0; i < n / 32; i++) {
        ALLM__PREFETCH(row[0], ALLM__AHEAD + 136 * i);
        ALLM__PREFETCH(row[0], ALLM__AHEAD + 136 * i + 64);
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

static void ALLM__K(gemm_f32)(const allm__mat *w, int64_t r0, int64_t r1, const float *x, int64_t ldx, int32_t n_tokens,
                              float *y, int64_t ldy, float *row_scratch) {
    const uint8_t *data = (const uint8_t *)w->data;
    const int32_t  id   = w->fmt->id;
    const int      own  = id == ALLM__F32 || id == ALLM__F16 || id == ALLM__BF16 || id == ALLM__Q8_0;
    float          out[4];
    for (int64_t r = r0; own && r < r1; r += 4) { /* past r1 the last row again */
        const uint8_t *row[4];
        for (int i = 0; i < 4; i++) row[i] = data + (size_t)ALLM__MIN(r + i, r1 - 1) * w->row_bytes;
        for (int32_t t = 0; t < n_tokens; t++) {
            if (id == ALLM__Q8_0) ALLM__K(dot4_q8_0)(row, x + t * ldx, w->n_cols, out);
            else if (id == ALLM__F16) ALLM__K(dot4_float)(row, x + t * ldx, w->n_cols, w->fmt, ALLM__F16, out);
            else if (id == ALLM__BF16) ALLM__K(dot4_float)(row, x + t * ldx, w->n_cols, w->fmt, ALLM__BF16, out);
            else ALLM__K(dot4_float)(row, x + t * ldx, w->n_cols, w->fmt, ALLM__F32, out);
            for (int i = 0; i < 4 && r + i < r1; i++) y[t * ldy + r + i] = out[i];
        }
    }
    for (int64_t r = r0; !own && r < r1; r++) {
        w->fmt->dequant(data + (size_t)r * w->row_bytes, row_scratch, w->n_cols);
        for (int32_t t = 0; t < n_tokens; t += 4) { /* past the end the last token again */
            const float *token[4];
            for (int i = 0; i < 4; i++) token[i] = x + ALLM__MIN(t + i, n_tokens - 1) * ldx;
            ALLM__K(dot_tokens)(row_scratch, token, w->n_cols, out);
            for (int i = 0; i < 4 && t + i < n_tokens; i++) y[(t + i) * ldy + r] = out[i];
        }
    }
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
/* ---- codecs by vectors: v[j] holds 16 codes of block j */

/* A group that is not whole leaves zeros. */
ALLM__INLINE void ALLM__K(unpack_begin)(allm__wgroup *g, int32_t n_blocks) {
    if (n_blocks < 4) memset(g, 0, sizeof *g);
}

ALLM__INLINE void ALLM__K(put)(allm__wgroup *g, int half, const allm__vb v[4]) {
    allm__vb_turn(g->q + 64 * half, v[0], v[1], v[2], v[3]);
}

ALLM__INLINE void ALLM__K(put_nibbles)(allm__wgroup *g, const allm__vb v[4]) {
    allm__vb_turn(g->q, allm__vb_and(v[0], 15), allm__vb_and(v[1], 15), allm__vb_and(v[2], 15), allm__vb_and(v[3], 15));
    allm__vb_turn(g->q + 64, allm__vb_and(allm__vb_shr(v[0], 4), 15), allm__vb_and(allm__vb_shr(v[1], 4), 15),
                  allm__vb_and(allm__vb_shr(v[2], 4), 15), allm__vb_and(allm__vb_shr(v[3], 4), 15));
}

static void ALLM__K(unpack_q4_0)(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {
    const allm__q4_0 *b = (const allm__q4_0 *)row + 4 * i_group;
    allm__vb          v[4];
    ALLM__K(unpack_begin)(g, n_blocks);
    for (int j = 0; j < 4; j++) {
        v[j] = j < n_blocks ? allm__vb_load(b[j].qs) : allm__vb_set(0);
        if (j < n_blocks) g->d[j] = allm__vh(b[j].d);
    }
    ALLM__K(put_nibbles)(g, v);
}

static void ALLM__K(unpack_q4_1)(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {
    const allm__q4_1 *b = (const allm__q4_1 *)row + 4 * i_group;
    allm__vb          v[4];
    ALLM__K(unpack_begin)(g, n_blocks);
    for (int j = 0; j < 4; j++) {
        v[j] = j < n_blocks ? allm__vb_load(b[j].qs) : allm__vb_set(0);
        if (j < n_blocks) g->d[j] = allm__vh(b[j].d), g->m[j] = g->m[j + 4] = allm__vh(b[j].m);
    }
    ALLM__K(put_nibbles)(g, v);
}

/* Five-bit codes: half of the nibbles of qs, and 16 high bits. */
ALLM__INLINE allm__vb ALLM__K(code5)(const uint8_t *qs, const uint8_t *qh, int half) {
    return allm__vb_or(allm__vb_and(allm__vb_shr(allm__vb_load(qs), 4 * half), 15), allm__vb_bits(qh + 2 * half, 16));
}

static void ALLM__K(unpack_q5_0)(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {
    const allm__q5_0 *b = (const allm__q5_0 *)row + 4 * i_group;
    allm__vb          v[4];
    ALLM__K(unpack_begin)(g, n_blocks);
    for (int j = 0; j < n_blocks; j++) g->d[j] = allm__vh(b[j].d);
    for (int half = 0; half < 2; half++) {
        for (int j = 0; j < 4; j++) v[j] = j < n_blocks ? ALLM__K(code5)(b[j].qs, b[j].qh, half) : allm__vb_set(0);
        ALLM__K(put)(g, half, v);
    }
}

static void ALLM__K(unpack_q5_1)(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {
    const allm__q5_1 *b = (const allm__q5_1 *)row + 4 * i_group;
    allm__vb          v[4];
    ALLM__K(unpack_begin)(g, n_blocks);
    for (int j = 0; j < n_blocks; j++) g->d[j] = allm__vh(b[j].d), g->m[j] = g->m[j + 4] = allm__vh(b[j].m);
    for (int half = 0; half < 2; half++) {
        for (int j = 0; j < 4; j++) v[j] = j < n_blocks ? ALLM__K(code5)(b[j].qs, b[j].qh, half) : allm__vb_set(0);
        ALLM__K(put)(g, half, v);
    }
}

static void ALLM__K(unpack_q8_0)(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {
    const allm__q8_0 *b = (const allm__q8_0 *)row + 4 * i_group;
    allm__vb          v[4];
    ALLM__K(unpack_begin)(g, n_blocks);
    for (int j = 0; j < n_blocks; j++) g->d[j] = allm__vh(b[j].d);
    for (int half = 0; half < 2; half++) {
        for (int j = 0; j < 4; j++)
            v[j] = j < n_blocks ? allm__vb_xor(allm__vb_load(b[j].qs + 16 * half), 128) : allm__vb_set(0);
        ALLM__K(put)(g, half, v);
    }
}

/* From here superblocks: n_blocks is 4. */
ALLM__INLINE allm__vb ALLM__K(two_bits)(const uint8_t *p, int at) { /* bits at, at + 1 of 16 bytes */
    return allm__vb_and(allm__vb_shr(allm__vb_load(p), at), 3);
}

static void ALLM__K(unpack_q2_k)(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {
    const allm__q2_k *b = (const allm__q2_k *)row + i_group / 2;
    const int         n = (int)(i_group & 1);
    const float       d = allm__vh(b->d), dmin = allm__vh(b->dmin);
    allm__vb          v[4];
    (void)n_blocks;
    for (int i = 0; i < 8; i++) {
        const int s = b->scales[8 * n + i], at = i / 2 + 4 * (i % 2);
        g->d[at] = d * (float)(s & 15), g->m[at] = -dmin * (float)(s >> 4);
    }
    for (int half = 0; half < 2; half++) {
        for (int j = 0; j < 4; j++) v[j] = ALLM__K(two_bits)(b->qs + 32 * n + 16 * half, 2 * j);
        ALLM__K(put)(g, half, v);
    }
}

static void ALLM__K(unpack_q3_k)(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {
    const allm__q3_k *b = (const allm__q3_k *)row + i_group / 2;
    const int         n = (int)(i_group & 1);
    const float       d = allm__vh(b->d);
    allm__vb          v[4];
    (void)n_blocks;
    for (int i = 0; i < 8; i++) g->d[i / 2 + 4 * (i % 2)] = d * (float)allm__q3_k_scale(b->scales, 8 * n + i);
    for (int half = 0; half < 2; half++) {
        const allm__vb high = allm__vb_load(b->hmask + 16 * half);
        for (int j = 0; j < 4; j++)
            v[j] = allm__vb_or(ALLM__K(two_bits)(b->qs + 32 * n + 16 * half, 2 * j),
                               allm__vb_shl(allm__vb_and(allm__vb_shr(high, 4 * n + j), 1), 2));
        ALLM__K(put)(g, half, v);
    }
}

/* Scales and minima of four blocks of a Q4_K or Q5_K. */
ALLM__INLINE void ALLM__K(scales_k)(const uint8_t *scales, int n, float d, float dmin, allm__wgroup *g) {
    for (int j = 0; j < 4; j++) {
        int sc, m;
        allm__q4_k_scale(scales, 4 * n + j, &sc, &m);
        g->d[j] = d * (float)sc, g->m[j] = g->m[j + 4] = -dmin * (float)m;
    }
}

static void ALLM__K(unpack_q4_k)(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {
    const allm__q4_k *b = (const allm__q4_k *)row + i_group / 2;
    const int         n = (int)(i_group & 1);
    allm__vb          v[4];
    (void)n_blocks;
    ALLM__K(scales_k)(b->scales, n, allm__vh(b->d), allm__vh(b->dmin), g);
    for (int half = 0; half < 2; half++) {
        for (int j = 0; j < 4; j++)
            v[j] = allm__vb_and(allm__vb_shr(allm__vb_load(b->qs + 64 * n + j / 2 * 32 + 16 * half), j % 2 * 4), 15);
        ALLM__K(put)(g, half, v);
    }
}

static void ALLM__K(unpack_q5_k)(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {
    const allm__q5_k *b = (const allm__q5_k *)row + i_group / 2;
    const int         n = (int)(i_group & 1);
    allm__vb          v[4];
    (void)n_blocks;
    ALLM__K(scales_k)(b->scales, n, allm__vh(b->d), allm__vh(b->dmin), g);
    for (int half = 0; half < 2; half++) {
        const allm__vb high = allm__vb_load(b->qh + 16 * half);
        for (int j = 0; j < 4; j++) {
            v[j] = allm__vb_and(allm__vb_shr(allm__vb_load(b->qs + 64 * n + j / 2 * 32 + 16 * half), j % 2 * 4), 15);
            v[j] = allm__vb_or(v[j], allm__vb_shl(allm__vb_and(allm__vb_shr(high, 4 * n + j), 1), 4));
        }
        ALLM__K(put)(g, half, v);
    }
}

static void ALLM__K(unpack_q6_k)(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {
    const allm__q6_k *b = (const allm__q6_k *)row + i_group / 2;
    const int         n = (int)(i_group & 1);
    const float       d = allm__vh(b->d);
    allm__vb          v[4];
    (void)n_blocks;
    for (int i = 0; i < 8; i++) g->d[i / 2 + 4 * (i % 2)] = d * (float)b->scales[8 * n + i];
    for (int half = 0; half < 2; half++) {
        for (int j = 0; j < 4; j++) {
            const uint8_t *ql = b->ql + 64 * n + j % 2 * 32 + 16 * half;
            v[j] = allm__vb_and(allm__vb_shr(allm__vb_load(ql), j / 2 * 4), 15);
            v[j] = allm__vb_or(v[j], allm__vb_shl(ALLM__K(two_bits)(b->qh + 32 * n + 16 * half, 2 * j), 4));
        }
        ALLM__K(put)(g, half, v);
    }
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
            out->of[r][t] = _mm512_add_ps(out->of[r][t], _mm512_zextps256_ps512(acc[r][t]));
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

ALLM__INLINE uint32_t ALLM__K(load_u32)(const uint8_t *p) { uint32_t u; memcpy(&u, p, sizeof u); return u; }
ALLM__INLINE uint64_t ALLM__K(load_u64)(const void *p) { uint64_t u; memcpy(&u, p, sizeof u); return u; }

/* Unsigned bytes as floats, times a factor. */
ALLM__INLINE __m128 ALLM__K(times4)(uint32_t bytes, float d) {
    return _mm_mul_ps(_mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_cvtsi32_si128((int32_t)bytes))), _mm_set1_ps(d));
}

/* Eight factors of sixteenths, of which the even ones belong to the first half of a block. */
ALLM__INLINE __m256 ALLM__K(halves8)(__m256i factors, float d) {
    const __m256 v = _mm256_mul_ps(_mm256_cvtepi32_ps(factors), _mm256_set1_ps(d));
    return _mm256_permutevar8x32_ps(v, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
}

ALLM__INLINE void ALLM__K(scales8)(ALLM__K(regs) *v, __m256i factors, float d) {
    const __m256 s = ALLM__K(halves8)(factors, d);
    v->d           = _mm512_broadcast_f32x4(_mm256_castps256_ps128(s));
    v->d2          = _mm512_broadcast_f32x4(_mm256_extractf128_ps(s, 1));
    v->m           = _mm256_setzero_ps();
}

/* 32 bytes as two copies, one shifted right by a, one by b. */
ALLM__INLINE __m512i ALLM__K(planes)(const uint8_t *p, int a, int b) {
    const __m512i v = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(const void *)p));
    return _mm512_srlv_epi64(v, _mm512_inserti64x4(_mm512_set1_epi64(a), _mm256_set1_epi64x(b), 1));
}

/* Six-bit scales and minima of four blocks: see allm__q4_k_scale. */
ALLM__INLINE void ALLM__K(scales_k_regs)(ALLM__K(regs) *v, const uint8_t *scales, int n, float d, float dmin) {
    const uint32_t a = ALLM__K(load_u32)(scales), b = ALLM__K(load_u32)(scales + 4), c = ALLM__K(load_u32)(scales + 8);
    const uint32_t sc = n ? (c & 0x0f0f0f0f) | (a >> 2 & 0x30303030) : a & 0x3f3f3f3f;
    const uint32_t m  = n ? (c >> 4 & 0x0f0f0f0f) | (b >> 2 & 0x30303030) : b & 0x3f3f3f3f;
    v->d = v->d2 = _mm512_broadcast_f32x4(ALLM__K(times4)(sc, d));
    v->m         = _mm512_castps512_ps256(_mm512_broadcast_f32x4(ALLM__K(times4)(m, -dmin)));
}

ALLM__INLINE ALLM__K(regs) ALLM__K(regs_q4_k)(const uint8_t *row, int64_t i, int n_blocks) {
    const allm__q4_k *b = (const allm__q4_k *)row + i / 2;
    const int         n = (int)(i & 1);
    const __m512i     q = _mm512_loadu_si512(b->qs + 64 * n), low = _mm512_set1_epi8(15);
    ALLM__K(regs)     v;
    (void)n_blocks;
    ALLM__K(scales_k_regs)(&v, b->scales, n, allm__vh(b->d), allm__vh(b->dmin));
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
    ALLM__K(scales_k_regs)(&v, b->scales, n, allm__vh(b->d), allm__vh(b->dmin));
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
    ALLM__K(scales8)(&v, _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(b->scales + 8 * n))),
                     allm__vh(b->d));
    ALLM__K(chunks)(&v, _mm512_or_si512(_mm512_and_si512(q, low), _mm512_slli_epi16(h01, 4)),
                    _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi16(q, 4), low), _mm512_slli_epi16(h23, 4)),
                    ALLM__K(order_0123));
    return v;
}

ALLM__INLINE ALLM__K(regs) ALLM__K(regs_q2_k)(const uint8_t *row, int64_t i, int n_blocks) {
    const allm__q2_k *b = (const allm__q2_k *)row + i / 2;
    const int         n = (int)(i & 1);
    const __m256i     s = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(b->scales + 8 * n)));
    const __m512i     two = _mm512_set1_epi8(3);
    ALLM__K(regs)     v;
    (void)n_blocks;
    ALLM__K(scales8)(&v, _mm256_and_si256(s, _mm256_set1_epi32(15)), allm__vh(b->d));
    v.m = ALLM__K(halves8)(_mm256_srli_epi32(s, 4), -allm__vh(b->dmin));
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
    const uint32_t    top = ALLM__K(load_u32)(b->scales + 8) >> 4 * n; /* see allm__q3_k_scale */
    const uint64_t    low = ALLM__K(load_u64)(b->scales) >> 4 * n & 0x0f0f0f0f0f0f0f0f;
    const uint64_t    six = low | (uint64_t)(top & 0x03030303) << 4 | (uint64_t)(top >> 2 & 0x03030303) << 36;
    const __m256i     s   = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)six));
    ALLM__K(regs)     v;
    (void)n_blocks;
    ALLM__K(scales8)(&v, _mm256_sub_epi32(s, _mm256_set1_epi32(32)), allm__vh(b->d));
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

/* One group of a row times one token. */
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

/* Defines for one format the unpacking of a group and the product of four rows with one token over groups [g0, g1). */
#define ALLM__CODEC(name, shift, has_min, halves)                                                                     \
    static void ALLM__K(unpack_##name)(const uint8_t *row, int64_t i_group, int32_t n_blocks, allm__wgroup *g) {      \
        const ALLM__K(regs) v = ALLM__K(regs_##name)(row, i_group, n_blocks);                                         \
        ALLM__K(regs_store)(&v, g);                                                                                   \
    }                                                                                                                 \
    static void ALLM__K(gemv_##name)(const uint8_t *const row[4], const allm__agroup *a, int64_t g0, int64_t g1,      \
                                     int64_t n_cols, size_t n_group, float sum[4]) {                                  \
        __m512 acc[4];                                                                                                \
        __m256 min[4];                                                                                                \
        ALLM__UNROLL(4) for (int r = 0; r < 4; r++) acc[r] = _mm512_setzero_ps(), min[r] = _mm256_setzero_ps();       \
        for (int64_t i = g0; i < g1; i++) {                                                                           \
            const int32_t n_blocks = allm__group_blocks(n_cols, i);                                                   \
            for (size_t n = 0; n < n_group; n += 16) ALLM__PREFETCH(row[0], ALLM__AHEAD + 4 * ((size_t)i * n_group + n)); \
            ALLM__UNROLL(4) for (int r = 0; r < 4; r++) {                                                             \
                const ALLM__K(regs) v = n_blocks == 4 ? ALLM__K(regs_##name)(row[r], i, 4)                            \
                                                      : ALLM__K(regs_##name)(row[r], i, n_blocks);                    \
                ALLM__K(gemv_step)(&v, a + i, shift, has_min, halves, &acc[r], &min[r]);                              \
            }                                                                                                         \
        }                                                                                                             \
        if (has_min)                                                                                                  \
            ALLM__UNROLL(4) for (int r = 0; r < 4; r++) acc[r] = _mm512_add_ps(acc[r], _mm512_zextps256_ps512(min[r])); \
        allm__vsum4(sum, acc[0], acc[1], acc[2], acc[3]);                                                             \
    }
ALLM__CODEC(q4_0, 3, 0, 0)
ALLM__CODEC(q4_1, 32, 1, 0)
ALLM__CODEC(q5_0, 4, 0, 0)
ALLM__CODEC(q5_1, 32, 1, 0)
ALLM__CODEC(q8_0, 7, 0, 0)
ALLM__CODEC(q2_k, 32, 1, 1)
ALLM__CODEC(q3_k, 2, 0, 1)
ALLM__CODEC(q4_k, 32, 1, 0)
ALLM__CODEC(q5_k, 32, 1, 0)
ALLM__CODEC(q6_k, 5, 0, 1)
#undef ALLM__CODEC
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
ALLM__INLINE __m256i ALLM__K(dot_bytes)(const uint8_t *w, __m256i a) {
    const __m256i v = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)w), _mm256_set1_epi8(-128));
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
                    s0 = _mm256_add_epi32(ALLM__K(dot_bytes)(v->q, a0), ALLM__K(dot_bytes)(v->q + 32, a1));
                    s1 = _mm256_add_epi32(ALLM__K(dot_bytes)(v->q + 64, a2), ALLM__K(dot_bytes)(v->q + 96, a3));
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

#if ALLM__PASS == ALLM__PASS_AVX512
#define ALLM__GEMV(name) ALLM__K(gemv_##name)
#else
#define ALLM__GEMV(name) NULL
#endif
static const allm__codec ALLM__K(codecs)[] = { /* as allm__codecs */
    {ALLM__Q4_0, ALLM__K(unpack_q4_0), 3, 0, 0, 4, ALLM__GEMV(q4_0)},
    {ALLM__Q4_1, ALLM__K(unpack_q4_1), ALLM__NO_OFFSET, 1, 0, 4, ALLM__GEMV(q4_1)},
    {ALLM__Q5_0, ALLM__K(unpack_q5_0), 4, 0, 0, 5, ALLM__GEMV(q5_0)},
    {ALLM__Q5_1, ALLM__K(unpack_q5_1), ALLM__NO_OFFSET, 1, 0, 5, ALLM__GEMV(q5_1)},
    {ALLM__Q8_0, ALLM__K(unpack_q8_0), 7, 0, 0, 8, ALLM__GEMV(q8_0)},
    {ALLM__Q2_K, ALLM__K(unpack_q2_k), ALLM__NO_OFFSET, 1, 1, 2, ALLM__GEMV(q2_k)},
    {ALLM__Q3_K, ALLM__K(unpack_q3_k), 2, 0, 1, 3, ALLM__GEMV(q3_k)},
    {ALLM__Q4_K, ALLM__K(unpack_q4_k), ALLM__NO_OFFSET, 1, 0, 4, ALLM__GEMV(q4_k)},
    {ALLM__Q5_K, ALLM__K(unpack_q5_k), ALLM__NO_OFFSET, 1, 0, 5, ALLM__GEMV(q5_k)},
    {ALLM__Q6_K, ALLM__K(unpack_q6_k), 5, 0, 1, 6, ALLM__GEMV(q6_k)},
};
#undef ALLM__GEMV

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
    const allm__codec *c = NULL;
    for (size_t i = 0; i < ALLM__COUNT(ALLM__K(codecs)); i++)
        if (ALLM__K(codecs)[i].id == w->fmt->id) c = &ALLM__K(codecs)[i];
    if (!c) {
        allm__gemm_q8_float(w, r0, r1, a, y, ldy);
        return;
    }
    const size_t n_group = (size_t)(ALLM__GROUP * w->fmt->n_bytes / w->fmt->n_weights);
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
            c->gemv(row, a->g, g0, g1, a->n_cols, n_group, sum);
            for (int i = 0; i < n_rows; i++) y[r + i] = g0 == 0 ? sum[i] : y[r + i] + sum[i];
        }
    }
}
#endif

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
#pragma float_control(pop)
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif

// MARK: >>json  JSON
/* Owns: reading and writing JSON. Spec: RFC 8259, strict: UTF-8 without byte order mark, no comments, no trailing
 * commas, no unpaired surrogates, any value at the top. On demand also the words that Python writes for what JSON
 * cannot say (NaN, Infinity, -Infinity), which config.json files hold.
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
 * and strings is a view of the input, or of j->text when it held escapes, until the next event. It may hold NUL. */

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
    int              words; /* set after init: NaN, Infinity and -Infinity are ALLM__JSON_DOUBLE */
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
    while (j->pos < j->n &&
           (j->p[j->pos] == ' ' || j->p[j->pos] == '\n' || j->p[j->pos] == '\r' || j->p[j->pos] == '\t'))
        j->pos++;
}

/* ---- strings: checked when they are met, unescaped when they are asked for */

static int allm__json_hex4(const char *p, size_t n, int32_t *out) { /* four hex digits at p, n bytes left */
    static const char digits[] = "0123456789abcdefABCDEF";
    int32_t           v        = 0;
    if (n < 4) return 0;
    for (int i = 0; i < 4; i++) {
        const char *d = p[i] ? strchr(digits, p[i]) : NULL;
        if (!d) return 0;
        v = v * 16 + (int32_t)(d - digits < 16 ? d - digits : d - digits - 6);
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
        if (i == j->n) return allm__json_fail(j, j->pos, "a string that does not end");
        unsigned char c = (unsigned char)j->p[i];
        int32_t       cp;
        len = 1;
        if (c == '"') break;
        if (c >= 0x20 && c < 0x80 && c != '\\') continue;
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

/* One of Python's words for numbers: 1 if one was there. */
static int allm__json_word(allm__json *j) {
    static const struct { const char *word; int n; double v; } words[] = {
        {"NaN", 3, NAN}, {"Infinity", 8, HUGE_VAL}, {"-Infinity", 9, -HUGE_VAL},
    };
    for (size_t i = 0; i < ALLM__COUNT(words); i++) {
        size_t n = (size_t)words[i].n;
        if (j->n - j->pos < n || memcmp(j->p + j->pos, words[i].word, n)) continue;
        j->raw   = allm__str(j->p + j->pos, n);
        j->event = ALLM__JSON_DOUBLE, j->d = words[i].v, j->i = 0, j->big = 0;
        j->pos += n;
        return 1;
    }
    return 0;
}

static int allm__json_value(allm__json *j) {
    char c = j->pos < j->n ? j->p[j->pos] : 0;
    if (j->words && allm__json_word(j)) return 1;
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
    } else if (j->expect == ALLM__JSON_AT_COMMA &&
               (j->pos == j->n || j->p[j->pos] != (allm__json_in_object(j) ? '}' : ']'))) {
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

static int allm__json_get_f64(allm__json *j, const char *field, double *out) { /* finite unless j->words */
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
 *     n_kv      x  string key | u32 type | value     string = u64 length, bytes; array = u32 type, u64 count, elements
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

/* Types that were taken out of the format: their numbers are not given again. */
static const struct allm__gguf_gone {
    int32_t     id;
    const char *name;
} allm__gguf_gone[] = {
    {4, "Q4_2"},      {5, "Q4_3"},        {31, "Q4_0_4_4"},    {32, "Q4_0_4_8"},
    {33, "Q4_0_8_8"}, {36, "IQ4_NL_4_4"}, {37, "IQ4_NL_4_8"}, {38, "IQ4_NL_8_8"},
};

static const char *allm__gguf_gone_name(int32_t type) { /* NULL: not one of them */
    for (size_t i = 0; i < ALLM__COUNT(allm__gguf_gone); i++)
        if (allm__gguf_gone[i].id == type) return allm__gguf_gone[i].name;
    return NULL;
}

/* The name of a tensor type as GGUF writes it; "unknown" for one that nobody defined. */
static const char *allm__gguf_type_name(int32_t type) {
    const allm__fmt *fmt  = allm__fmt_find(type);
    const char      *gone = allm__gguf_gone_name(type);
    return fmt ? fmt->name : gone ? gone : "unknown";
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
    if (!c->status && memchr(s.ptr, 0, s.len))
        allm__gguf_bad(c, at, "%s \"%.*s\" holds a NUL byte", what, ALLM__SHOW(s));
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
    if (kv->elem_type == ALLM__GGUF_ARRAY)
        allm__gguf_bad(c, at, "key \"%.*s\" is an array of arrays", ALLM__SHOW(kv->key));
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
    return allm__gguf_fail(g, key, kv, err, "is %s%s, %s expected",
                           kv->type == ALLM__GGUF_ARRAY ? "an array of " : "of type ",
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

static int allm__gguf_is_int(const allm__gguf_kv *kv) {
    return strchr("ui", allm__gguf_kinds[kv->elem_type].sort) != NULL;
}

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

/* Fails because a tensor's numbers are wanted and its type is not one we compute with (no fmt, or no fmt->dequant). */
static allm_status allm__tensor_refuse(const allm__tensor *t, allm_error *err) {
    const char *why = allm__gguf_gone_name(t->type) ? ", removed from GGUF" : t->fmt ? ", not supported here" : "";
    return allm__fail(err, ALLM_E_UNSUPPORTED, t->file, (int64_t)t->offset, "tensor \"%.*s\" has type %lu (%s%s)",
                      ALLM__SHOW(t->name), (unsigned long)(uint32_t)t->type, allm__gguf_type_name(t->type), why);
}

/* ALLM_OK unless some tensor is of a type that was removed or that nobody defined. */
static allm_status allm__gguf_check_types(const allm__gguf *g, allm_error *err) {
    for (size_t i = 0; i < g->n_tensors; i++)
        if (g->tensors[i].n_bytes == 0) return allm__tensor_refuse(&g->tensors[i], err);
    return ALLM_OK;
}

/* Bytes of a tensor into t->n_bytes, by its type's blocks; 0 for an unknown type. */
static void allm__gguf_size_tensor(allm__cur *c, allm__tensor *t, uint64_t at) {
    uint64_t n = 1, n_weights = t->fmt ? (uint64_t)t->fmt->n_weights : 0;
    uint64_t n_bytes = t->fmt ? (uint64_t)t->fmt->n_bytes : 0;
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
        allm__gguf_bad(c, at,
                       "tensor \"%.*s\": %llu bytes at offset 0x%llx of the data section expected, which has %llu",
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
            allm__gguf_bad(c, allm__gguf_info_offset(c, cur),
                           "tensor \"%.*s\" at byte 0x%llx overlaps tensor \"%.*s\", 0x%llx..0x%llx",
                           ALLM__SHOW(cur->name), (unsigned long long)cur->offset, ALLM__SHOW(prev->name),
                           (unsigned long long)prev->offset, (unsigned long long)(prev->offset + prev->n_bytes));
        prev = cur;
    }
    allm__free(g->host, order, n * sizeof *order);
}

/* Reads n tensor infos at the cursor and adds the tensors to g. */
static allm_status allm__gguf_read_tensors(allm__gguf *g, allm__cur *c, uint64_t n_infos, uint64_t align) {
    size_t first = g->n_tensors;
    size_t n = allm__gguf_check_count(c, n_infos, ALLM__GGUF_MIN_TENSOR, ALLM__GGUF_MAX_TENSORS - first, 8, "tensors");
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
    if (allm__gguf_get_int(g, "general.alignment", 1, ALLM__GGUF_MAX_ALIGN, 32, &align, err))
        return c->status = err->status;
    if (align & (align - 1))
        return c->status = allm__gguf_fail(g, "general.alignment", allm__gguf_find(g, ALLM__S("general.alignment")),
                                           err, "is %lld, expected a power of two", (long long)align);
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
    snprintf(tail, ALLM__GGUF_TAIL + 1, "-%05u-of-%05u.gguf", (unsigned)(i_part + 1) % 100000u,
             (unsigned)n_parts % 100000u);
}

/* Adds part i (from 1) of a split file: its tensors, and of its keys only the split.* ones matter. */
static allm_status allm__gguf_add_part(allm__gguf *g, const char *path, int64_t i_part, int64_t n_parts,
                                       allm_error *err) {
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
static allm_status allm__gguf_read_parts(allm__gguf *g, allm__cur *c, uint64_t n_infos, allm__buf *path,
                                         int64_t n_parts, allm_error *err) {
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
        return allm__fail(err, ALLM_E_UNSUPPORTED, c->source, -1,
                          "part %lld of %lld of a split file: can only be opened by path", (long long)i_part + 1,
                          (long long)n_parts);
    allm__gguf_part_tail(tail, i_part, n_parts);
    if (!allm__str_ends(allm__str_of(given), allm__str_of(tail)))
        return allm__fail(err, ALLM_E_FORMAT, given, -1,
                          "part %lld of %lld of a split file: its name must end in \"%s\"", (long long)i_part + 1,
                          (long long)n_parts, tail);
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
    if (allm__gguf_open_head(h, src, g, &c, &n_infos, err) || allm__gguf_split(g, &n_parts, &i_part, err))
        return err->status;
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
/* Owns: Jinja: lexer, parser, evaluator, tables of filters, tests, functions and methods. */

// MARK: >>chat  Chats
/* Owns: messages to prompt and back: template variables, fallback formats, output filters. */

// MARK: >>gram  Grammars
/* Owns: GBNF and JSON Schema to a byte automaton with token masks (not built yet). */

// MARK: >>arch  Architectures
/* Owns: what families differ in, as data: one row a family (norm, RoPE, which groups of tensors it needs or may have),
 * the table of hyper-parameter keys with their ranges and defaults, the table of tensors with their shapes as formulas.
 * Holds after allm__arch_read: every size is within its range and they fit each other (heads divide, RoPE is even and
 * fits the head), so products of a few of them fit in int64. A family that only combines flags is a row here; a new
 * kind of layer is a function in room fwd. Spec: GGUF keys and tensor names as llama.cpp's converter writes them; for
 * each family the transformers implementation. */

typedef enum allm__rope_kind {
    ALLM__ROPE_PAIRS, /* elements 2i, 2i+1 */
    ALLM__ROPE_HALVES /* elements i, i+n/2 */
} allm__rope_kind;

enum { /* groups of tensors */
    ALLM__T_BASE = 1,
    ALLM__T_HEAD = 2,      /* an output matrix of its own; without: the embedding's */
    ALLM__T_FREQS = 4,     /* frequency divisors of RoPE */
    ALLM__T_QKV_BIAS = 8,
    ALLM__T_OUT_BIAS = 16, /* of the attention's output */
    ALLM__T_FF_BIAS = 32,
    ALLM__T_QK_NORM = 64   /* RMS over each head of Q and K, before RoPE */
};

typedef struct allm__arch {
    const char     *name; /* general.architecture */
    allm__rope_kind rope;
    uint32_t        need, may; /* groups of tensors that must, that can be there */
} allm__arch;

static const allm__arch allm__archs[] = {
    {"llama", ALLM__ROPE_PAIRS, ALLM__T_BASE,
     ALLM__T_HEAD | ALLM__T_FREQS | ALLM__T_QKV_BIAS | ALLM__T_OUT_BIAS | ALLM__T_FF_BIAS}, /* also mistral, smollm */
    {"qwen2", ALLM__ROPE_HALVES, ALLM__T_BASE | ALLM__T_QKV_BIAS, ALLM__T_HEAD},
    {"qwen3", ALLM__ROPE_HALVES, ALLM__T_BASE | ALLM__T_QK_NORM, ALLM__T_HEAD | ALLM__T_QKV_BIAS},
};

/* The row of an architecture. ALLM_E_UNSUPPORTED names it and lists what there is. */
static allm_status allm__arch_find(const allm__gguf *g, const allm__arch **out, allm_error *err) {
    allm_str name, none = {NULL, 0};
    char     known[160] = "";
    if (allm__gguf_get_str(g, "general.architecture", none, &name, err)) return err->status;
    for (size_t i = 0, n = 0; i < ALLM__COUNT(allm__archs); i++) {
        if (allm__str_eq(name, allm__str_of(allm__archs[i].name))) return *out = &allm__archs[i], ALLM_OK;
        if (n < sizeof known)
            n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", n ? ", " : "", allm__archs[i].name);
    }
    return allm__fail(err, ALLM_E_UNSUPPORTED, g->files->name, -1,
                      "architecture \"%.*s\" is not supported; supported: %s", ALLM__SHOW(name), known);
}

/* ---- hyper-parameters */

typedef struct allm__hparams { /* of the whole model */
    int64_t n_vocab, n_ctx_train, n_embd, n_layer;
    int64_t head_dim, head_dim_v, n_rot; /* of K (and Q), of V; dimensions of a head that RoPE turns */
    int64_t n_expert, n_expert_used;
    double  norm_eps, rope_base, rope_factor; /* angles are divided by rope_factor */
    float   attn_scale;                       /* of q.k */
} allm__hparams;

typedef struct allm__layer { /* one layer; matrices [rows, cols], y = W x; vectors NULL when the file has none */
    int64_t      n_head, n_head_kv, n_ff;
    const float *attn_norm, *ffn_norm; /* [n_embd] */
    const float *q_norm, *k_norm;      /* [head_dim] */
    const float *bq, *bk, *bv, *bo;    /* [rows] */
    const float *b_gate, *b_up, *b_down;
    allm__mat    wq, wk, wv; /* [n_head * head_dim, n_embd], [n_head_kv * head_dim, n_embd], .. head_dim_v */
    allm__mat    wo;         /* [n_embd, n_head * head_dim_v] */
    allm__mat    gate, up;   /* [n_ff, n_embd] */
    allm__mat    down;       /* [n_embd, n_ff] */
} allm__layer;

typedef struct allm__globals { /* what belongs to no layer */
    allm__mat    tok_embd, output; /* [n_vocab, n_embd]; the same one when tied */
    const float *output_norm;      /* [n_embd] */
    const float *rope_freqs;       /* [n_rot/2] divisors, or NULL */
} allm__globals;

typedef struct allm__arch_key {
    const char *name;   /* behind "<architecture>." */
    char        kind;   /* i integer, f float: in allm__hparams; l integer of each layer, in allm__layer */
    size_t      at;     /* offset of the field, int64_t or double */
    double      lo, hi; /* inclusive */
    double      absent; /* NAN: required. Zero, where it is out of range, is replaced by allm__arch_derive */
} allm__arch_key;

#define ALLM__HP(field) offsetof(allm__hparams, field)
#define ALLM__L(field) offsetof(allm__layer, field)
static const allm__arch_key allm__arch_keys[] = {
    {"context_length", 'i', ALLM__HP(n_ctx_train), 1, 1 << 30, NAN},
    {"embedding_length", 'i', ALLM__HP(n_embd), 1, 1 << 20, NAN},
    {"block_count", 'i', ALLM__HP(n_layer), 1, 4096, NAN},
    {"attention.key_length", 'i', ALLM__HP(head_dim), 1, 1 << 16, 0},    /* embedding_length / head_count */
    {"attention.value_length", 'i', ALLM__HP(head_dim_v), 1, 1 << 16, 0}, /* the same */
    {"attention.layer_norm_rms_epsilon", 'f', ALLM__HP(norm_eps), 1e-30, 1, NAN},
    {"rope.dimension_count", 'i', ALLM__HP(n_rot), 2, 1 << 16, 0}, /* key_length */
    {"rope.freq_base", 'f', ALLM__HP(rope_base), 1e-3, 1e30, 10000},
    {"expert_count", 'i', ALLM__HP(n_expert), 0, 65536, 0},
    {"expert_used_count", 'i', ALLM__HP(n_expert_used), 0, 65536, 0},
    {"attention.head_count", 'l', ALLM__L(n_head), 1, 65536, NAN},
    {"attention.head_count_kv", 'l', ALLM__L(n_head_kv), 1, 65536, 0}, /* head_count */
    {"feed_forward_length", 'l', ALLM__L(n_ff), 1, 1 << 24, NAN},
};

enum { ALLM__ARCH_NAME = 96 }; /* room for a key or a tensor name */

/* "<architecture>.<name>" */
static const char *allm__arch_key_name(char dst[ALLM__ARCH_NAME], const allm__arch *a, const char *name) {
    snprintf(dst, ALLM__ARCH_NAME, "%s.%s", a->name, name);
    return dst;
}

ALLM__PRINTF(5, 6)
static allm_status allm__arch_fail(const allm__gguf *g, const allm__arch *a, const char *name, allm_error *err,
                                   const char *format, ...) {
    char    key[ALLM__ARCH_NAME], text[160];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    allm__arch_key_name(key, a, name);
    return allm__gguf_fail(g, key, allm__gguf_find(g, allm__str_of(key)), err, "%s", text);
}

/* The values of one kind of key. ints: [n_layer] scratch for 'l'. */
static allm_status allm__arch_read_keys(const allm__gguf *g, const allm__arch *a, char kind, allm__hparams *hp,
                                        allm__layer *layers, int64_t *ints, allm_error *err) {
    for (size_t i = 0; i < ALLM__COUNT(allm__arch_keys); i++) {
        const allm__arch_key *k = &allm__arch_keys[i];
        if (k->kind != kind) continue;
        char    key[ALLM__ARCH_NAME];
        char   *field  = (char *)hp + k->at; /* of 'i' and 'f' */
        int64_t absent = isnan(k->absent) ? ALLM__REQUIRED : (int64_t)k->absent;
        int64_t lo = (int64_t)k->lo, hi = (int64_t)k->hi;
        allm__arch_key_name(key, a, k->name);
        if (kind == 'f') allm__gguf_get_f64(g, key, k->lo, k->hi, k->absent, (double *)(void *)field, err);
        else if (kind == 'i') allm__gguf_get_int(g, key, lo, hi, absent, (int64_t *)(void *)field, err);
        else {
            size_t n = (size_t)hp->n_layer;
            if (allm__gguf_get_ints(g, key, n, lo, hi, absent, ints, err)) return err->status;
            for (size_t j = 0; j < n; j++) *(int64_t *)(void *)((char *)&layers[j] + k->at) = ints[j];
        }
        if (err->status) return err->status;
    }
    return ALLM_OK;
}

/* Scaling of RoPE: a factor for all positions, or nothing. */
static allm_status allm__arch_read_rope(const allm__gguf *g, const allm__arch *a, allm__hparams *hp, allm_error *err) {
    static const char *const keys[] = {"rope.scaling.factor", "rope.scale_linear" /* an older spelling */};
    char                     key[ALLM__ARCH_NAME];
    allm_str                 type;
    hp->rope_factor = 0;
    for (int i = 0; i < 2 && hp->rope_factor == 0; i++)
        if (allm__gguf_get_f64(g, allm__arch_key_name(key, a, keys[i]), 0, 1e9, 0, &hp->rope_factor, err))
            return err->status;
    if (allm__gguf_get_str(g, allm__arch_key_name(key, a, "rope.scaling.type"), ALLM__S("linear"), &type, err))
        return err->status;
    int none = allm__str_eq(type, ALLM__S("none"));
    if (!none && !allm__str_eq(type, ALLM__S("linear")))
        return allm__fail(err, ALLM_E_UNSUPPORTED, g->files->name, -1, "RoPE scaling \"%.*s\" is not supported",
                          ALLM__SHOW(type));
    if (none || hp->rope_factor == 0) hp->rope_factor = 1;
    return ALLM_OK;
}

/* Fills what follows from other values, and checks that they fit each other. */
static allm_status allm__arch_derive(const allm__gguf *g, const allm__arch *a, allm__hparams *hp, allm__layer *layers,
                                     allm_error *err) {
    for (int64_t i = 0; i < hp->n_layer; i++) {
        allm__layer *l = &layers[i];
        if (!l->n_head_kv) l->n_head_kv = l->n_head;
        if (l->n_head % l->n_head_kv)
            return allm__arch_fail(g, a, "attention.head_count_kv", err,
                                   "is %lld, expected a divisor of head_count, %lld", (long long)l->n_head_kv,
                                   (long long)l->n_head);
    }
    if (!hp->head_dim || !hp->head_dim_v) {
        if (hp->n_embd % layers->n_head)
            return allm__arch_fail(g, a, "attention.head_count", err,
                                   "is %lld, expected a divisor of embedding_length, %lld", (long long)layers->n_head,
                                   (long long)hp->n_embd);
        if (!hp->head_dim) hp->head_dim = hp->n_embd / layers->n_head;
        if (!hp->head_dim_v) hp->head_dim_v = hp->n_embd / layers->n_head;
    }
    if (!hp->n_rot) hp->n_rot = hp->head_dim;
    if (hp->n_rot % 2 || hp->n_rot > hp->head_dim)
        return allm__arch_fail(g, a, "rope.dimension_count", err,
                               "is %lld, expected an even number up to the head size, %lld", (long long)hp->n_rot,
                               (long long)hp->head_dim);
    if (hp->n_expert_used > hp->n_expert)
        return allm__arch_fail(g, a, "expert_used_count", err, "is %lld, expected at most expert_count, %lld",
                               (long long)hp->n_expert_used, (long long)hp->n_expert);
    if (hp->n_expert)
        return allm__fail(err, ALLM_E_UNSUPPORTED, g->files->name, -1, "%s with %lld experts is not supported", a->name,
                          (long long)hp->n_expert);
    if (hp->head_dim != hp->head_dim_v)
        return allm__fail(err, ALLM_E_UNSUPPORTED, g->files->name, -1,
                          "heads of %lld for K and %lld for V are not supported", (long long)hp->head_dim,
                          (long long)hp->head_dim_v);
    hp->attn_scale = (float)(1 / sqrt((double)hp->head_dim));
    return ALLM_OK;
}

/* Reads all hyper-parameters; *layers = [n_layer], zeroed but for the sizes. n_vocab is left to the embedding. */
static allm_status allm__arch_read(const allm__gguf *g, const allm__arch *a, allm__arena *arena, allm__hparams *hp,
                                   allm__layer **layers, allm_error *err) {
    memset(hp, 0, sizeof *hp);
    if (allm__arch_read_keys(g, a, 'i', hp, NULL, NULL, err) || allm__arch_read_keys(g, a, 'f', hp, NULL, NULL, err) ||
        allm__arch_read_rope(g, a, hp, err))
        return err->status;
    size_t n = (size_t)hp->n_layer;
    *layers       = (allm__layer *)allm__arena_array(arena, n, sizeof **layers, sizeof(void *));
    int64_t *ints = (int64_t *)allm__arena_array(arena, n, sizeof *ints, sizeof *ints);
    if (!*layers || !ints) return allm__fail_memory(err, n * sizeof **layers);
    if (allm__arch_read_keys(g, a, 'l', hp, *layers, ints, err)) return err->status;
    return allm__arch_derive(g, a, hp, *layers, err);
}

/* ---- tensors */

typedef struct allm__arch_tensor {
    const char *name;  /* of a layer: behind "blk.<i>." */
    char        place; /* g in allm__globals, l in allm__layer */
    char        kind;  /* m allm__mat, v const float * */
    size_t      at;    /* offset of the field */
    uint32_t    group;
    const char *shape; /* a letter a dimension, fastest first: see allm__arch_dim */
} allm__arch_tensor;

#define ALLM__G(field) offsetof(allm__globals, field)
static const allm__arch_tensor allm__arch_tensors[] = {
    {"token_embd.weight", 'g', 'm', ALLM__G(tok_embd), ALLM__T_BASE, "EV"},
    {"output_norm.weight", 'g', 'v', ALLM__G(output_norm), ALLM__T_BASE, "E"},
    {"output.weight", 'g', 'm', ALLM__G(output), ALLM__T_HEAD, "EV"},
    {"rope_freqs.weight", 'g', 'v', ALLM__G(rope_freqs), ALLM__T_FREQS, "R"},
    {"attn_norm.weight", 'l', 'v', ALLM__L(attn_norm), ALLM__T_BASE, "E"},
    {"attn_q.weight", 'l', 'm', ALLM__L(wq), ALLM__T_BASE, "EQ"},
    {"attn_k.weight", 'l', 'm', ALLM__L(wk), ALLM__T_BASE, "EK"},
    {"attn_v.weight", 'l', 'm', ALLM__L(wv), ALLM__T_BASE, "EU"},
    {"attn_q.bias", 'l', 'v', ALLM__L(bq), ALLM__T_QKV_BIAS, "Q"},
    {"attn_k.bias", 'l', 'v', ALLM__L(bk), ALLM__T_QKV_BIAS, "K"},
    {"attn_v.bias", 'l', 'v', ALLM__L(bv), ALLM__T_QKV_BIAS, "U"},
    {"attn_q_norm.weight", 'l', 'v', ALLM__L(q_norm), ALLM__T_QK_NORM, "H"},
    {"attn_k_norm.weight", 'l', 'v', ALLM__L(k_norm), ALLM__T_QK_NORM, "H"},
    {"attn_output.weight", 'l', 'm', ALLM__L(wo), ALLM__T_BASE, "OE"},
    {"attn_output.bias", 'l', 'v', ALLM__L(bo), ALLM__T_OUT_BIAS, "E"},
    {"ffn_norm.weight", 'l', 'v', ALLM__L(ffn_norm), ALLM__T_BASE, "E"},
    {"ffn_gate.weight", 'l', 'm', ALLM__L(gate), ALLM__T_BASE, "EF"},
    {"ffn_up.weight", 'l', 'm', ALLM__L(up), ALLM__T_BASE, "EF"},
    {"ffn_down.weight", 'l', 'm', ALLM__L(down), ALLM__T_BASE, "FE"},
    {"ffn_gate.bias", 'l', 'v', ALLM__L(b_gate), ALLM__T_FF_BIAS, "F"},
    {"ffn_up.bias", 'l', 'v', ALLM__L(b_up), ALLM__T_FF_BIAS, "F"},
    {"ffn_down.bias", 'l', 'v', ALLM__L(b_down), ALLM__T_FF_BIAS, "E"},
};

/* A dimension by its letter. l: the layer, or any for tensors that belong to none. */
static int64_t allm__arch_dim(const allm__hparams *hp, const allm__layer *l, char letter) {
    switch (letter) {
    case 'E': return hp->n_embd;
    case 'V': return hp->n_vocab;
    case 'F': return l->n_ff;
    case 'H': return hp->head_dim;
    case 'R': return hp->n_rot / 2;
    case 'Q': return l->n_head * hp->head_dim;
    case 'K': return l->n_head_kv * hp->head_dim;
    case 'U': return l->n_head_kv * hp->head_dim_v;
    default: return l->n_head * hp->head_dim_v; /* 'O' */
    }
}

// MARK: >>model  Models
/* Owns: an opened model: the file, the weights bound to the fields of its architecture, RoPE frequencies. Matrices stay
 * where the file lies; vectors are copied to float. Holds after allm__model_open: every tensor of the file is bound,
 * has the shape its role asks for and a type that can be computed with; nothing changes afterwards, so any number of
 * sessions in any threads may use it. Counts its memory and keeps a limit. */

/* An allocator around the caller's that counts, and refuses what would go over a limit. */
typedef struct allm__meter {
    allm_allocator inner;
    allm__mutex    mutex; /* sessions of one model allocate from any thread */
    uint64_t       live, peak, limit; /* bytes; limit 0: none */
    int            refused; /* the limit was met */
} allm__meter;

static int allm__meter_add(allm__meter *m, size_t n_bytes) {
    allm__lock(&m->mutex);
    int fits = !m->limit || (m->live <= m->limit && n_bytes <= m->limit - m->live);
    if (fits) m->live += n_bytes, m->peak = ALLM__MAX(m->peak, m->live);
    else m->refused = 1;
    allm__unlock(&m->mutex);
    return fits;
}

static void allm__meter_sub(allm__meter *m, size_t n_bytes) {
    allm__lock(&m->mutex);
    m->live -= n_bytes;
    allm__unlock(&m->mutex);
}

static void *allm__meter_alloc(void *ctx, size_t n_bytes, size_t align) {
    allm__meter *m = (allm__meter *)ctx;
    if (!allm__meter_add(m, n_bytes)) return NULL;
    void *p = m->inner.alloc(m->inner.ctx, n_bytes, align);
    if (!p) allm__meter_sub(m, n_bytes);
    return p;
}

static void allm__meter_free(void *ctx, void *p, size_t n_bytes) {
    allm__meter *m = (allm__meter *)ctx;
    m->inner.free(m->inner.ctx, p, n_bytes);
    allm__meter_sub(m, n_bytes);
}

struct allm_model {
    allm__host        outer, host; /* the caller's; the same through the meter */
    allm__meter       meter;
    allm__compute     compute;
    int32_t           n_refs;
    int32_t           reference, vocab_only;
    int32_t           int8; /* activations are quantised: not on the reference path, not if all weights are floats */
    allm__gguf        gguf;
    allm__arena       arena;
    const allm__arch *arch;
    allm__hparams     hp;
    allm__globals     w;
    allm__layer      *layers;    /* [n_layer] */
    double           *rope_freq; /* [n_rot/2] radians a position */
    uint64_t          n_parameters, n_tensor_bytes;
};

/* ---- binding */

static const char *allm__model_file(const allm_model *m) { return m->gguf.files->name; }

/* "[8, 16]" of a shape in GGUF order. */
static const char *allm__model_shape(char dst[96], const int64_t *dims, int32_t n_dims) {
    int n = snprintf(dst, 96, "[");
    for (int32_t i = 0; i < n_dims; i++)
        n += snprintf(dst + n, 96 - (size_t)n, "%s%lld", i ? ", " : "", (long long)dims[i]);
    snprintf(dst + n, 96 - (size_t)n, "]");
    return dst;
}

/* The tensor must have the row's shape; further dimensions are 1. */
static allm_status allm__model_check_shape(const allm_model *m, const allm__arch_tensor *row, const allm__layer *l,
                                           const allm__tensor *t, allm_error *err) {
    int64_t want[4] = {1, 1, 1, 1};
    char    text[2][96];
    int32_t n = (int32_t)strlen(row->shape);
    for (int32_t i = 0; i < n; i++) want[i] = allm__arch_dim(&m->hp, l, row->shape[i]);
    if (!memcmp(want, t->dims, sizeof want)) return ALLM_OK;
    return allm__fail(err, ALLM_E_FORMAT, t->file, (int64_t)t->offset, "tensor \"%.*s\": shape %s, expected %s",
                      ALLM__SHOW(t->name), allm__model_shape(text[0], t->dims, t->n_dims),
                      allm__model_shape(text[1], want, n));
}

static allm_status allm__model_bind_one(allm_model *m, const allm__arch_tensor *row, const allm__layer *l, void *field,
                                        const allm__tensor *t, allm_error *err) {
    if (allm__model_check_shape(m, row, l, t, err)) return err->status;
    if (!t->fmt || !t->fmt->dequant) return allm__tensor_refuse(t, err);
    if (row->kind == 'm') {
        allm__mat *w = (allm__mat *)field;
        w->fmt = t->fmt, w->data = t->data;
        w->n_cols = t->dims[0], w->n_rows = t->dims[1];
        w->row_bytes = t->n_bytes / (size_t)t->dims[1];
        m->int8 |= row->place == 'l' && t->fmt->n_weights > 1 && !m->reference;
        return ALLM_OK;
    }
    size_t n = (size_t)t->dims[0];
    float *v = (float *)allm__arena_array(&m->arena, n, sizeof *v, 64);
    if (!v) return allm__fail_memory(err, n * sizeof *v);
    t->fmt->dequant(t->data, v, (int64_t)n);
    *(const float **)field = v;
    return ALLM_OK;
}

/* Binds a row for one layer, or for none (i_layer < 0), if the family has it. used: [n_tensors] marks. */
static allm_status allm__model_bind_row(allm_model *m, const allm__arch_tensor *row, int64_t i_layer, uint8_t *used,
                                        allm_error *err) {
    char         name[ALLM__ARCH_NAME];
    allm__layer *l     = &m->layers[ALLM__MAX(i_layer, 0)];
    void        *field = (row->place == 'g' ? (char *)&m->w : (char *)l) + row->at;
    if (i_layer < 0) snprintf(name, sizeof name, "%s", row->name);
    else snprintf(name, sizeof name, "blk.%lld.%s", (long long)i_layer, row->name);
    const allm__tensor *t = allm__gguf_tensor(&m->gguf, allm__str_of(name));
    if (!((m->arch->need | m->arch->may) & row->group)) return ALLM_OK; /* if it is there, it is found unused */
    if (!t && (m->arch->need & row->group))
        return allm__fail(err, ALLM_E_FORMAT, allm__model_file(m), -1, "tensor \"%s\" is missing, %s needs it", name,
                          m->arch->name);
    if (!t) return ALLM_OK;
    used[t - m->gguf.tensors] = 1;
    return allm__model_bind_one(m, row, l, field, t, err);
}

/* A tensor that we do not use would be a part of the model left out: the result would be wrong. */
static allm_status allm__model_check_unused(const allm_model *m, const uint8_t *used, allm_error *err) {
    static const char *const harmless[] = {".attn_rot_embd", ".rope.freqs"}; /* RoPE tables of old converters */
    for (size_t i = 0; i < m->gguf.n_tensors; i++) {
        const allm__tensor *t = &m->gguf.tensors[i];
        int                 ok = used[i];
        for (size_t k = 0; k < ALLM__COUNT(harmless); k++)
            ok |= allm__str_find(t->name, allm__str_of(harmless[k]), 0) != SIZE_MAX;
        if (!ok)
            return allm__fail(err, ALLM_E_UNSUPPORTED, t->file, (int64_t)t->offset,
                              "tensor \"%.*s\" is not one that %s is known to have", ALLM__SHOW(t->name),
                              m->arch->name);
    }
    return ALLM_OK;
}

static allm_status allm__model_bind_all(allm_model *m, uint8_t *used, allm_error *err) {
    const allm__tensor *embd = allm__gguf_tensor(&m->gguf, ALLM__S("token_embd.weight"));
    if (embd && embd->dims[1] > 1 << 26)
        return allm__fail(err, ALLM_E_FORMAT, embd->file, (int64_t)embd->offset,
                          "tensor \"token_embd.weight\": %lld rows, at most %d", (long long)embd->dims[1], 1 << 26);
    m->hp.n_vocab = embd ? embd->dims[1] : 0; /* the rows are the vocabulary, whatever keys say */
    for (size_t i = 0; i < ALLM__COUNT(allm__arch_tensors); i++) {
        const allm__arch_tensor *row = &allm__arch_tensors[i];
        for (int64_t k = row->place == 'g' ? -1 : 0; k < (row->place == 'g' ? 0 : m->hp.n_layer); k++)
            if (allm__model_bind_row(m, row, k, used, err)) return err->status;
    }
    if (!m->w.output.data) m->w.output = m->w.tok_embd;
    return allm__model_check_unused(m, used, err);
}

static allm_status allm__model_bind(allm_model *m, allm_error *err) {
    size_t   n    = m->gguf.n_tensors;
    uint8_t *used = (uint8_t *)allm__alloc_zero(&m->host, n, 1);
    if (!used) return allm__fail_memory(err, n);
    allm_status status = allm__model_bind_all(m, used, err);
    allm__free(&m->host, used, n);
    return status;
}

/* Radians a position of every pair, in double. */
static allm_status allm__model_rope(allm_model *m, allm_error *err) {
    int64_t n = m->hp.n_rot / 2;
    m->rope_freq = (double *)allm__arena_array(&m->arena, (size_t)n, sizeof(double), sizeof(double));
    if (!m->rope_freq) return allm__fail_memory(err, (size_t)n * sizeof(double));
    for (int64_t i = 0; i < n; i++) {
        double divisor = m->hp.rope_factor * (m->w.rope_freqs ? (double)m->w.rope_freqs[i] : 1);
        if (!(divisor > 0 && divisor < INFINITY))
            return allm__fail(err, ALLM_E_FORMAT, allm__model_file(m), -1,
                              "tensor \"rope_freqs.weight\": element %lld is not a positive number", (long long)i);
        m->rope_freq[i] = pow(m->hp.rope_base, -2.0 * (double)i / (double)m->hp.n_rot) / divisor;
    }
    return ALLM_OK;
}

/* ---- opening */

static void allm__model_destroy(allm_model *m) {
    allm__host outer = m->outer;
    allm__gguf_close(&m->gguf);
    allm__arena_free(&m->arena);
    ABSTRACTLLM_ASSERT(m->meter.live == sizeof *m);
    allm__mutex_free(&m->meter.mutex);
    allm__free(&outer, m, sizeof *m);
}

static void allm__model_retain(allm_model *m) { ALLM__ADD(&m->n_refs, 1); }

static void allm__model_release(allm_model *m) { /* NULL is fine */
    if (m && ALLM__ADD(&m->n_refs, -1) == 0) allm__model_destroy(m);
}

static void allm__model_report(const allm_model_config *cfg, float fraction) {
    if (cfg->on_load) cfg->on_load(cfg->on_load_ctx, fraction);
}

static allm_status allm__model_load(allm_model *m, const allm_source *src, const allm_model_config *cfg,
                                    allm_error *err) {
    allm__model_report(cfg, 0);
    if (allm__gguf_open(&m->host, src, &m->gguf, err)) return err->status;
    allm__model_report(cfg, 0.25f);
    for (size_t i = 0; i < m->gguf.n_tensors; i++) {
        const allm__tensor *t = &m->gguf.tensors[i];
        /* the product fits: room gguf has checked it */
        m->n_parameters += (uint64_t)(t->dims[0] * t->dims[1] * t->dims[2] * t->dims[3]);
        m->n_tensor_bytes += t->n_bytes;
    }
    if (!cfg->vocab_only) {
        if (m->gguf.n_tensors == 0) return allm__fail(err, ALLM_E_FORMAT, allm__model_file(m), -1, "holds no tensors");
        if (allm__arch_find(&m->gguf, &m->arch, err) ||
            allm__arch_read(&m->gguf, m->arch, &m->arena, &m->hp, &m->layers, err) || allm__model_bind(m, err) ||
            allm__model_rope(m, err))
            return err->status;
    }
    allm__model_report(cfg, 1);
    return ALLM_OK;
}

/* Opens a model; *out has one reference. Everything the model and its sessions allocate is counted against the
 * config's limit. h is copied; what compute points to must outlive the model. */
static allm_status allm__model_open(const allm__host *h, const allm__compute *compute, const allm_source *src,
                                    const allm_model_config *cfg, allm_model **out, allm_error *err) {
    allm_model *m = (allm_model *)allm__alloc_zero(h, sizeof *m, 64);
    *out          = NULL;
    if (!m) return allm__fail_memory(err, sizeof *m);
    m->outer = m->host = *h;
    m->meter.inner     = h->mem;
    m->meter.limit     = cfg->memory_limit;
    m->meter.live = m->meter.peak = sizeof *m;
    allm__mutex_init(&m->meter.mutex);
    m->host.mem.alloc = allm__meter_alloc, m->host.mem.free = allm__meter_free, m->host.mem.ctx = &m->meter;
    m->arena.host     = &m->host;
    m->compute = *compute, m->n_refs = 1;
    m->reference = cfg->reference != 0, m->vocab_only = cfg->vocab_only != 0;
    allm_error  first  = {ALLM_OK, 0, 0, 0, 0, "", ""};
    allm_status status = allm__model_load(m, src, cfg, &first);
    if (status == ALLM_E_MEMORY && m->meter.refused)
        status = allm__fail(err, ALLM_E_MEMORY, first.source, -1,
                            "the memory limit of %llu bytes is too small for this model",
                            (unsigned long long)cfg->memory_limit);
    else if (status && !err->status) *err = first;
    if (status) return allm__model_destroy(m), status;
    *out = m;
    return ALLM_OK;
}

/* ---- what is known about a model */

/* general.file_type, which is information only: it counts when the file does hold tensors of its base type. */
static const struct allm__model_mix {
    const char *name;
    int8_t      file_type, type; /* as in the file */
} allm__model_mixes[] = {
    {"F32", 0, 0},      {"F16", 1, 1},      {"Q4_0", 2, 2},     {"Q4_1", 3, 3},     {"Q8_0", 7, 8},
    {"Q5_0", 8, 6},     {"Q5_1", 9, 7},     {"Q2_K", 10, 10},   {"Q3_K_S", 11, 11}, {"Q3_K_M", 12, 11},
    {"Q3_K_L", 13, 11}, {"Q4_K_S", 14, 12}, {"Q4_K_M", 15, 12}, {"Q5_K_S", 16, 13}, {"Q5_K_M", 17, 13},
    {"Q6_K", 18, 14},   {"Q2_K_S", 21, 10}, {"BF16", 32, 30},
};

/* "Q4_K_M", "F16": the mix that the file names, or the type that most weights have. */
static const char *allm__model_quantization(const allm_model *m) {
    uint64_t   n[64] = {0};
    int32_t    most  = 0;
    int64_t    file_type;
    allm_error ignored = {ALLM_OK, 0, 0, 0, 0, "", ""};
    for (size_t i = 0; i < m->gguf.n_tensors; i++) {
        const allm__tensor *t = &m->gguf.tensors[i];
        if (t->type >= 0 && t->type < 64 && t->dims[1] > 1)
            n[t->type] += (uint64_t)(t->dims[0] * t->dims[1] * t->dims[2] * t->dims[3]);
    }
    for (int32_t i = 0; i < 64; i++) most = n[i] > n[most] ? i : most;
    allm__gguf_get_int(&m->gguf, "general.file_type", 0, 1023, -1, &file_type, &ignored);
    for (size_t i = 0; i < ALLM__COUNT(allm__model_mixes) && !ignored.status; i++)
        if (allm__model_mixes[i].file_type == file_type && n[allm__model_mixes[i].type])
            return allm__model_mixes[i].name;
    return n[most] ? allm__gguf_type_name(most) : "";
}

/* The beginning of s that fits, cut between code points. */
static void allm__model_copy(char *dst, size_t cap, allm_str s) {
    size_t n = ALLM__MIN(s.len, cap - 1);
    while (n < s.len && n > 0 && ((unsigned char)s.ptr[n] & 0xc0) == 0x80) n--;
    memcpy(dst, s.ptr, n);
    dst[n] = 0;
}

static void allm__model_info(const allm_model *m, allm_model_info *out) {
    allm_str   s = {"", 0};
    allm_error ignored = {ALLM_OK, 0, 0, 0, 0, "", ""};
    memset(out, 0, sizeof *out);
    if (!allm__gguf_get_str(&m->gguf, "general.architecture", s, &s, &ignored))
        allm__model_copy(out->architecture, sizeof out->architecture, s);
    s = allm__str("", 0), ignored.status = ALLM_OK;
    if (!allm__gguf_get_str(&m->gguf, "general.name", s, &s, &ignored))
        allm__model_copy(out->name, sizeof out->name, s);
    allm__model_copy(out->quantization, sizeof out->quantization, allm__str_of(allm__model_quantization(m)));
    out->n_parameters = m->n_parameters, out->n_bytes = m->n_tensor_bytes;
    out->bos = out->eos = -1;
    if (!m->layers) return;
    out->n_vocab = (int32_t)m->hp.n_vocab, out->n_ctx_train = (int32_t)m->hp.n_ctx_train;
    out->n_embd = (int32_t)m->hp.n_embd, out->n_layer = (int32_t)m->hp.n_layer;
    out->n_head = (int32_t)m->layers->n_head, out->n_head_kv = (int32_t)m->layers->n_head_kv;
}

/* The sampling that NULL stands for: the file's general.sampling.* keys over temperature 0.7, top_p 0.9; values out of
 * range are left out. */
static void allm__model_sampling(const allm_model *m, allm_sampling *out) {
    static const struct { const char *key; size_t at; double hi; } floats[] = {
        {"general.sampling.temp", offsetof(allm_sampling, temperature), 1e6},
        {"general.sampling.top_p", offsetof(allm_sampling, top_p), 1},
        {"general.sampling.min_p", offsetof(allm_sampling, min_p), 1},
        {"general.sampling.penalty_repeat", offsetof(allm_sampling, repeat_penalty), 1e6},
    };
    allm_error ignored = {ALLM_OK, 0, 0, 0, 0, "", ""};
    double     v;
    int64_t    k;
    memset(out, 0, sizeof *out);
    out->temperature = 0.7f, out->top_p = 0.9f, out->seed = -1;
    for (size_t i = 0; i < ALLM__COUNT(floats); i++, ignored.status = ALLM_OK)
        if (!allm__gguf_get_f64(&m->gguf, floats[i].key, 0, floats[i].hi, -1, &v, &ignored) && v >= 0)
            *(float *)(void *)((char *)out + floats[i].at) = (float)v;
    if (!allm__gguf_get_int(&m->gguf, "general.sampling.top_k", 0, INT32_MAX, 0, &k, &ignored)) out->top_k = (int32_t)k;
    ignored.status = ALLM_OK;
    if (!allm__gguf_get_int(&m->gguf, "general.sampling.penalty_last_n", -1, INT32_MAX, 0, &k, &ignored))
        out->penalty_window = (int32_t)k;
}

// MARK: >>conv  Converter
/* Owns: writing GGUF files (not built yet). */

// MARK: >>kv  Key/value cache
/* Owns: sessions: what one sequence of tokens needs over a model, in one block of memory of a size known before, which
 * may be the caller's. Its first part is the cache, the rest scratch of the forward pass. Keys are cached after RoPE,
 * so a kept prefix stays valid. Layout of a layer: K [n_head_kv, n_ctx, head_dim], then V [n_head_kv, n_ctx,
 * head_dim_v]: the keys of one head lie together. Cutting back is only to forget; nothing is moved. */

enum { ALLM__KV_CTX = 8192, ALLM__KV_BATCH = 256, ALLM__KV_CTX_MAX = 1 << 24, ALLM__KV_BATCH_MAX = 1 << 14 };

typedef struct allm__kv { /* of one layer */
    char *k, *v; /* [n_head_kv, n_ctx, head_dim] elements of the session's type */
} allm__kv;

struct allm_session {
    allm_model *m;
    int32_t     n_ctx, n_batch, n_parts; /* n_parts: most parts of a stage */
    allm_kv_type type;
    int32_t     length; /* tokens evaluated and kept */
    int32_t     cancel; /* set from any thread, cleared when an eval starts */
    int32_t     busy;   /* an eval is running */
    /* cache */
    allm__kv *kv; /* [n_layer] */
    /* scratch, B = n_batch */
    float      *x;       /* [B, n_embd] residual stream */
    float      *h;       /* [B, n_embd] a normed x, or what a block adds to x */
    float      *q;       /* [B, n_head * head_dim] */
    float      *k, *v;   /* [B, n_head_kv * head_dim] */
    float      *att;     /* [B, n_head * head_dim_v] */
    float      *gate, *up; /* [B, n_ff] */
    float      *cos_sin; /* [B, n_rot/2, 2] */
    allm__acts  acts;    /* a quantised input of the next product; placed in: */
    void       *acts_mem;
    float      *row;     /* [n_parts, n_row] dequantised rows */
    int64_t     n_row;
    float      *attend;  /* [n_parts, n_attend] */
    int64_t     n_attend;
    float      *logits;  /* [n_vocab] of the last token */
    int32_t     n_logits; /* rows of logits of the last eval */
    float      *all;     /* [cap_all / n_vocab, n_vocab] logits of every token, when wanted; outside the block */
    size_t      cap_all; /* floats */
    int32_t     all_logits; /* the last eval's are in `all` */
    /* the block */
    void  *mem;
    size_t n_mem;
    int    owned; /* from the allocator */
};

typedef struct allm__kv_shape { /* a session's config with its defaults filled in */
    int32_t      n_ctx, n_batch, n_parts;
    allm_kv_type type;
} allm__kv_shape;

static allm_status allm__kv_range(const char *name, int64_t v, int64_t hi, allm_error *err) {
    if (v >= 0 && v <= hi) return ALLM_OK;
    return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "session: %s is %lld, expected 0..%lld", name, (long long)v,
                      (long long)hi);
}

static allm_status allm__kv_shape_of(const allm_model *m, const allm_session_config *cfg, allm__kv_shape *s,
                                     allm_error *err) {
    if (allm__kv_range("n_ctx", cfg->n_ctx, ALLM__KV_CTX_MAX, err) ||
        allm__kv_range("n_batch", cfg->n_batch, ALLM__KV_BATCH_MAX, err) ||
        allm__kv_range("kv_type", (int64_t)cfg->kv_type, ALLM_KV_Q4_0, err))
        return err->status;
    if (m->vocab_only)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "the model was opened for its vocabulary only");
    s->n_ctx   = cfg->n_ctx ? cfg->n_ctx : (int32_t)ALLM__MIN(m->hp.n_ctx_train, ALLM__KV_CTX);
    s->n_batch = ALLM__MIN(cfg->n_batch ? cfg->n_batch : ALLM__KV_BATCH, s->n_ctx);
    s->n_parts = m->compute.pool->n_threads;
    s->type    = cfg->kv_type ? cfg->kv_type : m->reference ? ALLM_KV_F32 : ALLM_KV_F16;
    if (s->type > ALLM_KV_BF16)
        return allm__fail(err, ALLM_E_UNSUPPORTED, NULL, -1, "session: quantised K and V (%s) are not supported",
                          s->type == ALLM_KV_Q8_0 ? "q8_0" : "q4_0");
    return ALLM_OK;
}

/* Bytes of n * m things of the given size, as an array of the layout. */
static void *allm__kv_array(allm__layout *l, int64_t n, int64_t m, size_t size) {
    size_t k;
    if (!allm__mul((size_t)n, (size_t)m, &k)) return l->failed = 1, NULL;
    return allm__layout_array(l, k, size);
}

/* The cache's part of the block. s->kv itself is scratch. */
static void allm__kv_lay_cache(const allm_model *m, const allm__kv_shape *p, allm__kv *kv, allm__layout *l) {
    for (int64_t i = 0; i < m->hp.n_layer; i++) {
        int64_t n = m->layers[i].n_head_kv * p->n_ctx;
        char   *k = (char *)allm__kv_array(l, n, m->hp.head_dim, allm__kv_bytes(p->type));
        char   *v = (char *)allm__kv_array(l, n, m->hp.head_dim_v, allm__kv_bytes(p->type));
        if (kv) kv[i].k = k, kv[i].v = v;
    }
}

/* The scratch part: s (NULL while counting) is the session's own struct, at the scratch's start. */
static void allm__kv_lay_scratch(const allm_model *m, const allm__kv_shape *p, allm_session *out, allm__layout *l) {
    allm_session  none;
    allm_session *s     = out ? out : &none;
    int64_t       n_q   = 0, n_kv = 0, n_ff = 0, batch = p->n_batch, n_part = p->n_parts;
    for (int64_t i = 0; i < m->hp.n_layer; i++) {
        n_q  = ALLM__MAX(n_q, m->layers[i].n_head);
        n_kv = ALLM__MAX(n_kv, m->layers[i].n_head_kv);
        n_ff = ALLM__MAX(n_ff, m->layers[i].n_ff);
    }
    int64_t n_att = n_q * m->hp.head_dim_v, n_col = ALLM__MAX(ALLM__MAX(m->hp.n_embd, n_ff), n_att);
    s->kv       = (allm__kv *)allm__kv_array(l, m->hp.n_layer, 1, sizeof *s->kv);
    s->x        = (float *)allm__kv_array(l, batch, m->hp.n_embd, sizeof(float));
    s->h        = (float *)allm__kv_array(l, batch, m->hp.n_embd, sizeof(float));
    s->q        = (float *)allm__kv_array(l, batch, n_q * m->hp.head_dim, sizeof(float));
    s->k        = (float *)allm__kv_array(l, batch, n_kv * m->hp.head_dim, sizeof(float));
    s->v        = (float *)allm__kv_array(l, batch, n_kv * m->hp.head_dim_v, sizeof(float));
    s->att      = (float *)allm__kv_array(l, batch, n_att, sizeof(float));
    s->gate     = (float *)allm__kv_array(l, batch, n_ff, sizeof(float));
    s->up       = (float *)allm__kv_array(l, batch, n_ff, sizeof(float));
    s->cos_sin  = (float *)allm__kv_array(l, batch, m->hp.n_rot, sizeof(float));
    s->acts_mem = !m->int8 ? NULL : allm__layout_array(l, allm__acts_bytes(n_col, p->n_batch), 1);
    s->n_row    = (n_col + 15) / 16 * 16; /* whole lines of 64 bytes */
    s->row      = (float *)allm__kv_array(l, n_part, (n_col + 15) / 16 * 16, sizeof(float));
    s->n_attend = ((int64_t)allm__attend_scratch((int32_t)n_q, (int32_t)m->hp.head_dim) + 15) / 16 * 16;
    s->attend   = (float *)allm__kv_array(l, n_part, s->n_attend, sizeof(float));
    s->logits   = (float *)allm__kv_array(l, m->hp.n_vocab, 1, sizeof(float));
}

/* Bytes of a session: cache and scratch. ALLM_E_MEMORY when they do not fit a size_t. */
static allm_status allm__session_bytes(const allm_model *m, const allm__kv_shape *p, size_t *n_kv, size_t *n_scratch,
                                       allm_error *err) {
    allm__layout kv = {NULL, 0, 0}, scratch = {NULL, 0, 0};
    allm__kv_lay_cache(m, p, NULL, &kv);
    allm__layout_array(&scratch, 1, sizeof(allm_session));
    allm__kv_lay_scratch(m, p, NULL, &scratch);
    size_t n;
    if (kv.failed || scratch.failed || !allm__add(kv.n_bytes, scratch.n_bytes, &n))
        return allm__fail(err, ALLM_E_MEMORY, NULL, -1,
                          "session: a context of %d tokens in batches of %d does not fit the address space",
                          (int)p->n_ctx, (int)p->n_batch);
    *n_kv = kv.n_bytes, *n_scratch = scratch.n_bytes;
    return ALLM_OK;
}

/* Makes a session, which keeps the model alive. A caller's buffer needs the planned kv + scratch bytes at a multiple of
 * 64. */
static allm_status allm__session_create(allm_model *m, const allm_session_config *cfg, allm_session **out,
                                        allm_error *err) {
    allm__kv_shape p;
    size_t         n_kv, n_scratch;
    char          *mem = (char *)cfg->buffer;
    *out               = NULL;
    if (allm__kv_shape_of(m, cfg, &p, err) || allm__session_bytes(m, &p, &n_kv, &n_scratch, err)) return err->status;
    if (mem && (cfg->n_buffer < n_kv + n_scratch || (uintptr_t)mem % ALLM__LAYOUT_ALIGN))
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1,
                          "session: buffer of %llu bytes%s, %llu at a multiple of %d expected",
                          (unsigned long long)cfg->n_buffer,
                          (uintptr_t)mem % ALLM__LAYOUT_ALIGN ? " that is not aligned" : "",
                          (unsigned long long)(n_kv + n_scratch), (int)ALLM__LAYOUT_ALIGN);
    if (!mem) mem = (char *)allm__alloc(&m->host, n_kv + n_scratch, ALLM__LAYOUT_ALIGN);
    if (!mem && m->meter.refused)
        return allm__fail(err, ALLM_E_MEMORY, NULL, -1,
                          "the memory limit of %llu bytes is too small for a session of %llu",
                          (unsigned long long)m->meter.limit, (unsigned long long)(n_kv + n_scratch));
    if (!mem) return allm__fail_memory(err, n_kv + n_scratch);
    allm__layout  kv = {mem, 0, 0}, scratch = {mem + n_kv, 0, 0};
    allm_session *s = (allm_session *)allm__layout_array(&scratch, 1, sizeof *s);
    memset(s, 0, sizeof *s);
    allm__kv_lay_scratch(m, &p, s, &scratch);
    allm__kv_lay_cache(m, &p, s->kv, &kv);
    ABSTRACTLLM_ASSERT(kv.n_bytes == n_kv && scratch.n_bytes == n_scratch);
    s->m = m, s->n_ctx = p.n_ctx, s->n_batch = p.n_batch, s->n_parts = p.n_parts, s->type = p.type;
    s->mem = mem, s->n_mem = n_kv + n_scratch, s->owned = mem != (char *)cfg->buffer;
    allm__model_retain(m);
    *out = s;
    return ALLM_OK;
}

static void allm__session_destroy(allm_session *s) { /* NULL is fine */
    if (!s) return;
    allm_model *m = s->m;
    allm__free(&m->host, s->all, s->cap_all * sizeof *s->all);
    if (s->owned) allm__free(&m->host, s->mem, s->n_mem);
    allm__model_release(m);
}

static allm_status allm__session_truncate(allm_session *s, size_t n_keep, allm_error *err) {
    if (n_keep > (size_t)s->length)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "session: %llu tokens to keep, there are %d",
                          (unsigned long long)n_keep, (int)s->length);
    s->length = (int32_t)n_keep;
    return ALLM_OK;
}

static size_t allm__session_length(const allm_session *s) { return (size_t)s->length; }
static void   allm__session_cancel(allm_session *s) { ALLM__STORE(&s->cancel, 1); }

/* [n_vocab] logits of token i of the last eval if all were asked for, else 0 is its last; NULL if there are none. */
static const float *allm__session_logits(const allm_session *s, size_t i) {
    if (i >= (size_t)s->n_logits) return NULL;
    return s->all_logits ? s->all + i * (size_t)s->m->hp.n_vocab : s->logits;
}

/* The exact memory of a model and one session: opens the model, which reads headers and vectors only, and counts. */
static allm_status allm__model_plan(const allm__host *h, const allm__compute *compute, const allm_source *src,
                                    const allm_model_config *cfg, const allm_session_config *session,
                                    allm_memory_plan *out, allm_error *err) {
    allm_model    *m;
    allm__kv_shape p;
    size_t         n_kv = 0, n_scratch = 0;
    memset(out, 0, sizeof *out);
    if (allm__model_open(h, compute, src, cfg, &m, err)) return err->status;
    if (!m->vocab_only && !allm__kv_shape_of(m, session, &p, err)) allm__session_bytes(m, &p, &n_kv, &n_scratch, err);
    uint64_t live = m->meter.live, heap = 0; /* files that lie in our own memory count as where the weights are */
    for (int32_t i = 0; i < m->gguf.n_files; i++) heap += m->gguf.files[i].owned ? m->gguf.files[i].n_bytes : 0;
    out->mapped  = heap ? heap : m->n_tensor_bytes;
    out->other   = live - heap;
    out->kv      = n_kv, out->scratch = n_scratch;
    out->peak    = ALLM__MAX(m->meter.peak, live + n_kv + n_scratch);
    allm__model_release(m);
    return err->status;
}

// MARK: >>fwd  Forward pass
/* Owns: the evaluation of tokens over a session: embeddings, layers, head, in stages of parts. A stage never depends on
 * how it is cut into parts, a token's numbers never on the batch it came in; so logits have the same bits for any
 * number of threads and any split of the prompt. Nothing is allocated, but for the logits of every token when they are
 * asked for. Two paths: float activations everywhere (reference), or activations in int8 blocks for quantised
 * weights, but for the head, where floats cost least and matter most. */

typedef struct allm__fwd { /* one batch on its way through the layers */
    allm_session       *s;
    const allm_model   *m;
    const allm__kern   *kern;
    const allm__layer  *layer;
    const allm__kv     *kv;    /* of that layer */
    const int32_t      *ids;   /* [n_tok] */
    int32_t             n_tok; /* tokens in the batch, then those still wanted */
    int32_t             pos;   /* position of the first */
    const float        *in;    /* [n_tok, n_in] input of the next product; the same quantised in s->acts */
    int64_t             n_in;
    const float        *norm;  /* weight of the next norm */
    int                 floats; /* products take the float input */
    float              *out;   /* [n_tok, n_vocab] logits */
    allm__team          team;
} allm__fwd;

/* ---- pieces that a part uses */

/* y[t * ldy + r] = row r of w . input t, for rows [r0, r1) and all tokens of the batch. Weights that are floats get
 * float activations, as the quantised ones do on the reference path. */
static void allm__fwd_product(const allm__fwd *f, const allm__mat *w, int64_t r0, int64_t r1, float *y, int64_t ldy,
                              int32_t i_part) {
    allm_session *s = f->s;
    if (r0 >= r1) return;
    if (f->floats || w->fmt->n_weights == 1)
        f->kern->gemm_f32(w, r0, r1, f->in, f->n_in, f->n_tok, y, ldy, s->row + i_part * s->n_row);
    else f->kern->gemm_q8(w, r0, r1, &s->acts, y, ldy);
}

/* y[t][r0 .. r1) += b[r0 .. r1) */
static void allm__fwd_bias(const allm__fwd *f, const float *b, int64_t r0, int64_t r1, float *y, int64_t ldy) {
    if (b && r0 < r1)
        for (int32_t t = 0; t < f->n_tok; t++) f->kern->add(y + t * ldy + r0, b + r0, r1 - r0);
}

/* A stage whose parts are tokens: one token is not worth waking anybody. */
static void allm__fwd_run_tokens(allm__fwd *f, allm_task task) {
    if (f->n_tok == 1) task(f, 0, 1);
    else allm__team_run(&f->team, task, f);
}

/* ---- stages: parts are runs of tokens */

static void allm__fwd_embed(void *arg, int32_t i_part, int32_t n_parts) {
    allm__fwd       *f = (allm__fwd *)arg;
    const allm__mat *w = &f->m->w.tok_embd;
    int64_t          from, to, n = f->m->hp.n_embd, n_pair = f->m->hp.n_rot / 2;
    allm__part(f->n_tok, 1, i_part, n_parts, &from, &to);
    for (int64_t t = from; t < to; t++) {
        w->fmt->dequant((const char *)w->data + (size_t)f->ids[t] * w->row_bytes, f->s->x + t * n, n);
        float *cs = f->s->cos_sin + t * 2 * n_pair;
        for (int64_t i = 0; i < n_pair; i++) {
            double angle  = (double)(f->pos + t) * f->m->rope_freq[i];
            cs[2 * i]     = (float)cos(angle);
            cs[2 * i + 1] = (float)sin(angle);
        }
    }
}

static void allm__fwd_quant(void *arg, int32_t i_part, int32_t n_parts) { /* f->in to s->acts */
    allm__fwd *f = (allm__fwd *)arg;
    int64_t    from, to;
    allm__part(f->n_tok, 1, i_part, n_parts, &from, &to);
    if (from < to) f->kern->acts_quant(&f->s->acts, f->in, (int32_t)from, (int32_t)to);
}

static void allm__fwd_norm(void *arg, int32_t i_part, int32_t n_parts) { /* x to h, and to s->acts */
    allm__fwd *f = (allm__fwd *)arg;
    int64_t    from, to, n = f->m->hp.n_embd;
    allm__part(f->n_tok, 1, i_part, n_parts, &from, &to);
    for (int64_t t = from; t < to; t++)
        f->kern->rms_norm(f->s->x + t * n, f->norm, (float)f->m->hp.norm_eps, f->s->h + t * n, n);
    if (from < to && !f->floats) f->kern->acts_quant(&f->s->acts, f->s->h, (int32_t)from, (int32_t)to);
}

/* Sets the input of the next products; quantises it unless a norm has done so. */
static void allm__fwd_input(allm__fwd *f, const float *in, int64_t n) {
    f->in = in, f->n_in = n;
    if (!f->floats) allm__acts_place(&f->s->acts, f->s->acts_mem, n, f->n_tok);
}

static void allm__fwd_normed_input(allm__fwd *f, const float *weight) {
    allm__fwd_input(f, f->s->h, f->m->hp.n_embd);
    f->norm = weight;
    allm__fwd_run_tokens(f, allm__fwd_norm);
}

static void allm__fwd_plain_input(allm__fwd *f, const float *in, int64_t n) {
    allm__fwd_input(f, in, n);
    if (!f->floats) allm__fwd_run_tokens(f, allm__fwd_quant);
}

/* ---- stages: parts are runs of heads or rows */

/* RMS over a head, if the family has it, then RoPE. x: [head_dim] */
static void allm__fwd_turn(const allm__fwd *f, float *x, const float *norm, int32_t t) {
    const allm__hparams *hp = &f->m->hp;
    const float         *cs = f->s->cos_sin + t * hp->n_rot;
    if (norm) f->kern->rms_norm(x, norm, (float)hp->norm_eps, x, hp->head_dim);
    if (f->m->arch->rope == ALLM__ROPE_PAIRS) f->kern->rope_pairs(x, cs, hp->n_rot);
    else f->kern->rope_halves(x, cs, hp->n_rot);
}

typedef struct allm__fwd_heads { /* the heads of Q, K or V of a layer */
    const allm__mat *w;
    const float     *bias, *norm;
    float           *y;           /* [n_tok, n_head, dim] */
    int64_t          n_head, dim;
    char            *cache;       /* [n_head, n_ctx, dim] elements, or NULL */
    int              turns;       /* RoPE */
} allm__fwd_heads;

/* Heads [h0, h1): product, bias, norm, RoPE, cache. */
static void allm__fwd_run_heads(const allm__fwd *f, const allm__fwd_heads *p, int64_t h0, int64_t h1, int32_t i_part) {
    const allm_session *s  = f->s;
    int64_t             ld = p->n_head * p->dim;
    size_t              n_bytes = (size_t)p->dim * allm__kv_bytes(s->type);
    allm__fwd_product(f, p->w, h0 * p->dim, h1 * p->dim, p->y, ld, i_part);
    allm__fwd_bias(f, p->bias, h0 * p->dim, h1 * p->dim, p->y, ld);
    for (int64_t h = h0; h < h1; h++)
        for (int32_t t = 0; t < f->n_tok; t++) {
            float *y = p->y + t * ld + h * p->dim;
            if (p->turns) allm__fwd_turn(f, y, p->norm, t);
            if (p->cache)
                f->kern->kv_store(y, p->cache + (size_t)(h * s->n_ctx + f->pos + t) * n_bytes, (int32_t)p->dim,
                                  s->type);
        }
}

/* All heads in a row, those of Q, of K, of V: each part a run of them. */
static void allm__fwd_qkv(void *arg, int32_t i_part, int32_t n_parts) {
    const allm__fwd       *f  = (const allm__fwd *)arg;
    const allm__layer     *l  = f->layer;
    const allm__hparams   *hp = &f->m->hp;
    const allm__fwd_heads  qkv[] = {
        {&l->wq, l->bq, l->q_norm, f->s->q, l->n_head, hp->head_dim, NULL, 1},
        {&l->wk, l->bk, l->k_norm, f->s->k, l->n_head_kv, hp->head_dim, f->kv->k, 1},
        {&l->wv, l->bv, NULL, f->s->v, l->n_head_kv, hp->head_dim_v, f->kv->v, 0},
    };
    int64_t from, to, first = 0;
    allm__part(l->n_head + 2 * l->n_head_kv, 1, i_part, n_parts, &from, &to);
    for (int i = 0; i < 3; first += qkv[i++].n_head) {
        int64_t h0 = ALLM__MAX(from - first, 0), h1 = ALLM__MIN(to - first, qkv[i].n_head);
        allm__fwd_run_heads(f, &qkv[i], h0, h1, i_part);
    }
}

/* Attention. A unit is a token with the query heads of one K/V head, or with one query head where there are few. Later
 * tokens see more keys, so the tokens are dealt to the parts in turn. */
static void allm__fwd_attend(void *arg, int32_t i_part, int32_t n_parts) {
    const allm__fwd     *f  = (const allm__fwd *)arg;
    const allm__layer   *l  = f->layer;
    const allm__hparams *hp = &f->m->hp;
    allm_session        *s  = f->s;
    int64_t n_group = f->n_tok * l->n_head_kv < 4 * n_parts ? l->n_head : l->n_head_kv, n_q = l->n_head / n_group;
    size_t k_bytes = (size_t)hp->head_dim * allm__kv_bytes(s->type),
           v_bytes = (size_t)hp->head_dim_v * allm__kv_bytes(s->type);
    for (int64_t g = 0; g < n_group; g++) {
        int64_t     h = g * l->n_head_kv / n_group; /* its K/V head */
        const char *k = f->kv->k + (size_t)(h * s->n_ctx) * k_bytes, *v = f->kv->v + (size_t)(h * s->n_ctx) * v_bytes;
        for (int64_t t = (i_part + g) % n_parts; t < f->n_tok; t += n_parts)
            f->kern->attend(s->q + (t * l->n_head + g * n_q) * hp->head_dim, (int32_t)n_q, (int32_t)hp->head_dim, k, v,
                            k_bytes, s->type, 0, f->pos + t + 1, hp->attn_scale,
                            s->att + (t * l->n_head + g * n_q) * hp->head_dim_v, s->attend + i_part * s->n_attend);
    }
}

enum { ALLM__FWD_ROWS = 16 }; /* rows are dealt in runs of so many: a cache line of the output */

/* x += W in + b, for the part's rows. */
static void allm__fwd_residual(const allm__fwd *f, const allm__mat *w, const float *bias, int32_t i_part,
                               int32_t n_parts) {
    int64_t r0, r1, n = f->m->hp.n_embd;
    allm__part(w->n_rows, ALLM__FWD_ROWS, i_part, n_parts, &r0, &r1);
    allm__fwd_product(f, w, r0, r1, f->s->h, n, i_part);
    allm__fwd_bias(f, bias, r0, r1, f->s->h, n);
    for (int64_t t = 0; t < f->n_tok && r0 < r1; t++) f->kern->add(f->s->x + t * n + r0, f->s->h + t * n + r0, r1 - r0);
}

static void allm__fwd_out(void *arg, int32_t i_part, int32_t n_parts) {
    const allm__fwd *f = (const allm__fwd *)arg;
    allm__fwd_residual(f, &f->layer->wo, f->layer->bo, i_part, n_parts);
}

static void allm__fwd_down(void *arg, int32_t i_part, int32_t n_parts) {
    const allm__fwd *f = (const allm__fwd *)arg;
    allm__fwd_residual(f, &f->layer->down, f->layer->b_down, i_part, n_parts);
}

static void allm__fwd_gate_up(void *arg, int32_t i_part, int32_t n_parts) { /* gate = silu(gate) * up */
    const allm__fwd   *f = (const allm__fwd *)arg;
    const allm__layer *l = f->layer;
    allm_session      *s = f->s;
    int64_t            r0, r1;
    allm__part(l->n_ff, ALLM__FWD_ROWS, i_part, n_parts, &r0, &r1);
    allm__fwd_product(f, &l->gate, r0, r1, s->gate, l->n_ff, i_part);
    allm__fwd_product(f, &l->up, r0, r1, s->up, l->n_ff, i_part);
    allm__fwd_bias(f, l->b_gate, r0, r1, s->gate, l->n_ff);
    allm__fwd_bias(f, l->b_up, r0, r1, s->up, l->n_ff);
    for (int64_t t = 0; t < f->n_tok && r0 < r1; t++)
        f->kern->swiglu(s->gate + t * l->n_ff + r0, s->up + t * l->n_ff + r0, r1 - r0);
}

static void allm__fwd_head(void *arg, int32_t i_part, int32_t n_parts) {
    const allm__fwd *f = (const allm__fwd *)arg;
    const allm__mat *w = &f->m->w.output;
    int64_t          r0, r1;
    allm__part(w->n_rows, ALLM__FWD_ROWS, i_part, n_parts, &r0, &r1);
    allm__fwd_product(f, w, r0, r1, f->out, w->n_rows, i_part);
}

/* ---- layers */

/* Goes on with the last n_keep tokens of the batch only: x and q of the others are not wanted any more. */
static void allm__fwd_keep(allm__fwd *f, int32_t n_keep) {
    int32_t skip = f->n_tok - n_keep;
    int64_t n = f->m->hp.n_embd, n_q = f->layer->n_head * f->m->hp.head_dim;
    if (skip == 0) return;
    memmove(f->s->x, f->s->x + skip * n, (size_t)(n_keep * n) * sizeof(float));
    memmove(f->s->q, f->s->q + skip * n_q, (size_t)(n_keep * n_q) * sizeof(float));
    f->n_tok = n_keep, f->pos += skip;
}

/* One layer; of its results only those of the last n_keep tokens are wanted. */
static void allm__fwd_layer(allm__fwd *f, int32_t n_keep) {
    const allm__layer *l = f->layer;
    allm__fwd_normed_input(f, l->attn_norm);
    allm__team_run(&f->team, allm__fwd_qkv, f);
    allm__fwd_keep(f, n_keep);
    if (n_keep == 0) return;
    allm__team_run(&f->team, allm__fwd_attend, f);
    allm__fwd_plain_input(f, f->s->att, l->n_head * f->m->hp.head_dim_v);
    allm__team_run(&f->team, allm__fwd_out, f);
    allm__fwd_normed_input(f, l->ffn_norm);
    allm__team_run(&f->team, allm__fwd_gate_up, f);
    allm__fwd_plain_input(f, f->s->gate, l->n_ff);
    allm__team_run(&f->team, allm__fwd_down, f);
}

/* One batch: n tokens from position pos on, logits of the last n_keep of them to out. 0: cancelled. */
static int allm__fwd_batch(allm_session *s, const int32_t *ids, int32_t n, int32_t pos, int32_t n_keep, float *out) {
    allm__fwd f = {s, s->m, s->m->compute.kern, NULL, NULL, ids, n, pos, NULL, 0, NULL, !s->m->int8, out, {NULL, 1}};
    int64_t   i = 0, n_layer = s->m->hp.n_layer;
    f.team = allm__team_begin(s->m->compute.pool);
    ABSTRACTLLM_ASSERT(f.team.n_parts <= s->n_parts);
    allm__fwd_run_tokens(&f, allm__fwd_embed);
    for (; i < n_layer && !ALLM__LOAD(&s->cancel); i++) {
        f.layer = &s->m->layers[i], f.kv = &s->kv[i];
        allm__fwd_layer(&f, i + 1 < n_layer ? n : n_keep);
    }
    int done = i == n_layer && !ALLM__LOAD(&s->cancel);
    if (done && n_keep) {
        f.floats = 1; /* on both paths: one product, and the one where rounding shows most */
        allm__fwd_normed_input(&f, s->m->w.output_norm);
        allm__team_run(&f.team, allm__fwd_head, &f);
    }
    allm__team_end(&f.team);
    return done;
}

/* ---- evaluation */

typedef int (*allm__progress)(void *ctx, size_t n_done, size_t n); /* tokens; non-zero cancels */

/* Everything that can fail is looked at before anything is computed. */
static allm_status allm__session_check(allm_session *s, const int32_t *ids, size_t n, int all_logits, allm_error *err) {
    size_t room = (size_t)(s->n_ctx - s->length), n_vocab = (size_t)s->m->hp.n_vocab, n_all, n_bytes;
    if (n == 0) return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "session: no tokens to evaluate");
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= n_vocab)
            return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "session: token id %d at %llu, the vocabulary has %llu",
                              (int)ids[i], (unsigned long long)i, (unsigned long long)n_vocab);
    if (n > room)
        return allm__fail(err, ALLM_E_CONTEXT, NULL, -1, "%llu tokens after %d do not fit a context of %d",
                          (unsigned long long)n, (int)s->length, (int)s->n_ctx);
    if (!all_logits) return ALLM_OK;
    if (!allm__mul(n, n_vocab, &n_all) || !allm__mul(n_all, sizeof(float), &n_bytes))
        return allm__fail_memory(err, SIZE_MAX);
    if (n_all <= s->cap_all) return ALLM_OK;
    allm__free(&s->m->host, s->all, s->cap_all * sizeof(float)); /* the last eval's logits end here */
    s->n_logits = 0, s->cap_all = 0;
    s->all      = (float *)allm__alloc(&s->m->host, n_bytes, ALLM__LAYOUT_ALIGN);
    if (!s->all) return allm__fail_memory(err, n_bytes);
    s->cap_all = n_all;
    return ALLM_OK;
}

static allm_status allm__session_eval_checked(allm_session *s, const int32_t *ids, size_t n, int all_logits,
                                              allm__progress progress, void *ctx, allm_error *err) {
    s->n_logits = 0, s->all_logits = all_logits;
    for (size_t i = 0; i < n;) {
        int32_t n_tok  = (int32_t)ALLM__MIN(n - i, (size_t)s->n_batch);
        int32_t n_keep = all_logits ? n_tok : i + (size_t)n_tok == n;
        float  *out    = all_logits ? s->all + i * (size_t)s->m->hp.n_vocab : s->logits;
        if (!allm__fwd_batch(s, ids + i, n_tok, s->length + (int32_t)i, n_keep, out) ||
            (progress && progress(ctx, i + (size_t)n_tok, n)))
            return allm__fail(err, ALLM_E_CANCELLED, NULL, -1, "cancelled");
        i += (size_t)n_tok;
    }
    s->length += (int32_t)n;
    s->n_logits = all_logits ? (int32_t)n : 1;
    return ALLM_OK;
}

/* Evaluates n tokens after those already there, in batches; progress (may be NULL) is called after each batch, on this
 * thread. Logits of every token (all_logits) or of the last. After an error the session is as long as before. A cancel
 * from before the call counts for nothing. */
static allm_status allm__session_eval(allm_session *s, const int32_t *ids, size_t n, int all_logits,
                                      allm__progress progress, void *ctx, allm_error *err) {
    if (ALLM__SWAP(&s->busy, 1)) return allm__fail(err, ALLM_E_BUSY, NULL, -1, "session: in use by another thread");
    ALLM__STORE(&s->cancel, 0);
    allm_status status = allm__session_check(s, ids, n, all_logits != 0, err);
    if (!status) status = allm__session_eval_checked(s, ids, n, all_logits != 0, progress, ctx, err);
    ALLM__STORE(&s->busy, 0);
    return status;
}

// MARK: >>samp  Samplers
/* Owns: the choice of one token from logits. A chain of rows: rows that edit logits (bias, penalties), then rows that
 * shorten the list of candidates or change their spread (top_k, top_p, min_p, temperature), then the draw. The order
 * of the list is descending logit, equal logits by ascending id, so every cut is a prefix of the vocabulary in order
 * and mostly a short head of it is all that gets sorted. Nothing is allocated after allm__samp_init. A draw is a
 * function of (seed, step), one step a token, whatever the chain does. Probabilities are the softmax of the logits that
 * are left, sums in double.
 * Spec: the order of allm_sampling's comment; llama.cpp's samplers where they agree with the papers (top-p: Holtzman
 * et al. 2020; min-p: Nguyen et al. 2024; repetition penalty: Keskar et al. 2019). */

enum {
    ALLM__SAMP_HEAD       = 32,      /* candidates put in order at first, at least */
    ALLM__SAMP_SELECT     = 2048,    /* more than so many: sorting all is cheaper than selecting */
    ALLM__SAMP_WINDOW     = 64,      /* default penalty_window */
    ALLM__SAMP_WINDOW_MAX = 1 << 24, /* longer ones are "all" */
    ALLM__SAMP_BLOCK      = 64       /* logits looked at together */
};

typedef struct allm__samp {
    const allm__host *host;
    const allm__kern *kern;
    allm_sampling     p;       /* as given; seed is the one in use, bias_ids and bias are our copies */
    int32_t           n_vocab;
    uint64_t          step;    /* tokens drawn since the last reset */
    /* one step */
    const float *x;            /* [n_vocab] logits: the caller's, or `edited` once a row has changed some */
    float       *edited;       /* [n_vocab], when a row edits logits */
    float        max;          /* of x */
    int32_t      best;         /* the id of max, the lowest if several */
    int32_t      n_allowed;    /* ids whose logit is not -inf */
    int32_t      n;            /* candidates left: the n first in order */
    int32_t      n_sorted;     /* of which the first ones stand in `key`, in order */
    uint64_t *key, *spare; /* [n_vocab] ascending keys are candidates in order, the id in the low half; room to sort */
    double       t;            /* the logits are divided by this */
    /* history for the penalties; all NULL without any */
    int32_t *ring;             /* [window] ids, the oldest at n_history % window once it is full; NULL: all count */
    int32_t  window;
    uint64_t n_history;
    int32_t *count;            /* [n_vocab] how often an id is in the window */
    int32_t *seen;             /* [n_seen] the ids with count > 0, */
    int32_t *place;            /* [n_vocab] and where they are in `seen` */
    int32_t  n_seen;
    void    *mem;              /* everything above in one block */
    size_t   n_mem;
} allm__samp;

typedef struct allm__samp_row {
    const char *name;
    int         edits; /* changes logits, before the list is made */
    int (*on)(const allm_sampling *p);
    void (*apply)(allm__samp *s);
} allm__samp_row;

/* What NULL stands for when the model has no defaults of its own. */
static const allm_sampling allm__samp_default = {0.7f, 0.9f, 0, 0, 0, 0, 0, 0, -1, NULL, NULL, 0};

/* ---- the list in order */

/* Ascending keys: descending logit, then ascending id; adding zero makes one zero of the two. */
static uint64_t allm__samp_key(float logit, int32_t id) {
    uint32_t u = allm__bits(logit + 0.0f);
    u          = u >> 31 ? u : ~u & 0x7fffffff; /* larger logits give smaller numbers */
    return (uint64_t)u << 32 | (uint32_t)id;
}

static int32_t allm__samp_id(const allm__samp *s, int32_t i) { return (int32_t)(s->key[i] & 0xffffffff); }

/* Puts k into the heap (largest on top) at i or below. */
static void allm__samp_sift(uint64_t *heap, int32_t n, int32_t i, uint64_t k) {
    for (int32_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && heap[child + 1] > heap[child]) child++;
        if (heap[child] <= k) break;
        heap[i] = heap[child];
    }
    heap[i] = k;
}

static void allm__samp_heapsort(uint64_t *heap, int32_t n) { /* of a heap */
    while (n-- > 1) {
        uint64_t top = heap[0];
        allm__samp_sift(heap, n, 0, heap[n]);
        heap[n] = top;
    }
}

static int32_t allm__samp_count_above(const float *x, float limit) { /* x: [ALLM__SAMP_BLOCK] */
    int32_t n = 0;
    for (int j = 0; j < ALLM__SAMP_BLOCK; j++) n += x[j] > limit;
    return n;
}

/* The m first candidates in order: a heap of the m best so far, the worst on top. As ids come in ascending order, one
 * that only equals the worst stays out. */
static void allm__samp_select(allm__samp *s, int32_t m) {
    float   worst = -INFINITY;
    int32_t n     = 0;
    for (int32_t i = 0; i < s->n_vocab; i++) {
        if (n == m && i % ALLM__SAMP_BLOCK == 0)
            while (i + ALLM__SAMP_BLOCK <= s->n_vocab && !allm__samp_count_above(s->x + i, worst))
                i += ALLM__SAMP_BLOCK;
        if (i == s->n_vocab) break;
        if (!(s->x[i] > worst)) continue; /* -inf is never a candidate */
        uint64_t k = allm__samp_key(s->x[i], i);
        if (n < m) {
            s->key[n++] = k;
            if (n < m) continue;
            for (int32_t j = m / 2; j-- > 0;) allm__samp_sift(s->key, m, j, s->key[j]);
        } else allm__samp_sift(s->key, m, 0, k);
        worst = s->x[allm__samp_id(s, 0)];
    }
    allm__samp_heapsort(s->key, n);
    s->n_sorted = n;
}

/* All candidates in order: the keys by the high half, 11 bits at a time from the lowest; what is equal stays in the
 * order of ids (Knuth, vol. 3, 5.2.5). */
static void allm__samp_sort(allm__samp *s) {
    int32_t n = 0;
    for (int32_t i = 0; i < s->n_vocab; i++)
        if (s->x[i] > -INFINITY) s->key[n++] = allm__samp_key(s->x[i], i);
    for (int shift = 32; shift < 64; shift += 11) {
        int32_t   at[2048] = {0}, sum = 0;
        uint64_t *other = s->spare;
        for (int32_t i = 0; i < n; i++) at[s->key[i] >> shift & 2047]++;
        for (int32_t d = 0; d < 2048; d++) {
            int32_t count = at[d];
            at[d] = sum, sum += count;
        }
        for (int32_t i = 0; i < n; i++) other[at[s->key[i] >> shift & 2047]++] = s->key[i];
        s->spare = s->key, s->key = other;
    }
    s->n_sorted = n;
}

/* Makes key[0 .. want) the first candidates in order, want <= n. A head that is too short is made anew, eight times as
 * long: most steps end in the first. */
static void allm__samp_head(allm__samp *s, int32_t want) {
    if (want <= s->n_sorted) return;
    int64_t m = ALLM__MIN(s->n, ALLM__MAX(8 * (int64_t)s->n_sorted, ALLM__MAX(want, ALLM__SAMP_HEAD)));
    if (m <= ALLM__SAMP_SELECT) allm__samp_select(s, (int32_t)m);
    else allm__samp_sort(s);
}

/* exp of a candidate's logit, relative to the best; in double the difference of two floats cannot overflow. */
static double allm__samp_weight(const allm__samp *s, int32_t id) { return exp(((double)s->x[id] - s->max) / s->t); }

/* The sum of the weights of the whole list. Of the whole vocabulary: vectors of float, in runs, the sum of runs in
 * double; ids with -inf add nothing. */
static double allm__samp_mass(allm__samp *s) {
    double sum = 0;
    if (s->n < s->n_allowed) {
        allm__samp_head(s, s->n);
        for (int32_t i = 0; i < s->n; i++) sum += allm__samp_weight(s, allm__samp_id(s, i));
        return sum;
    }
    float run[512], scale = (float)(1 / s->t);
    for (int32_t i = 0, n; i < s->n_vocab; i += n) {
        n = ALLM__MIN((int32_t)ALLM__COUNT(run), s->n_vocab - i);
        for (int32_t j = 0; j < n; j++) run[j] = (s->x[i + j] - s->max) * scale;
        sum += (double)s->kern->exp_sum(run, 0, run, n);
    }
    return sum;
}

/* ---- rows */

/* A logit that a row has changed: it stays finite, so that only a bias of -inf bans. */
static float allm__samp_finite(double v) { return (float)ALLM__MAX(-FLT_MAX, ALLM__MIN(FLT_MAX, v)); }

static int allm__samp_bias_on(const allm_sampling *p) { return p->n_bias > 0; }
static void allm__samp_bias(allm__samp *s) {
    for (size_t i = 0; i < s->p.n_bias; i++) {
        float *x = &s->edited[s->p.bias_ids[i]];
        if (!(*x > -INFINITY && *x < INFINITY)) continue; /* banned already; NaN and +inf are reported later */
        *x = s->p.bias[i] == -INFINITY ? -INFINITY : allm__samp_finite((double)*x + s->p.bias[i]);
    }
}

static int allm__samp_repeat_on(const allm_sampling *p) { return p->repeat_penalty != 0 && p->repeat_penalty != 1; }
static int allm__samp_penalties_on(const allm_sampling *p) {
    return allm__samp_repeat_on(p) || p->presence_penalty != 0 || p->frequency_penalty != 0;
}
static void allm__samp_penalties(allm__samp *s) {
    double repeat = allm__samp_repeat_on(&s->p) ? s->p.repeat_penalty : 1;
    for (int32_t i = 0; i < s->n_seen; i++) {
        float *x = &s->edited[s->seen[i]];
        if (!(*x > -INFINITY && *x < INFINITY)) continue;
        double v = *x <= 0 ? *x * repeat : *x / repeat;
        v -= (double)s->count[s->seen[i]] * s->p.frequency_penalty + s->p.presence_penalty;
        *x = allm__samp_finite(v);
    }
}

static int  allm__samp_top_k_on(const allm_sampling *p) { return p->top_k > 0; }
static void allm__samp_top_k(allm__samp *s) { s->n = ALLM__MIN(s->n, s->p.top_k); }

static int allm__samp_top_p_on(const allm_sampling *p) { return p->top_p > 0 && p->top_p < 1; }
static void allm__samp_top_p(allm__samp *s) {
    double sum = 0, enough = s->p.top_p * allm__samp_mass(s);
    for (int32_t i = 0; i < s->n; i++) {
        allm__samp_head(s, i + 1);
        sum += allm__samp_weight(s, allm__samp_id(s, i));
        if (sum >= enough) s->n = i + 1; /* the one that reaches p stays */
    }
}

static int allm__samp_min_p_on(const allm_sampling *p) { return p->min_p > 0; }
static void allm__samp_min_p(allm__samp *s) {
    double limit = s->max + s->t * log((double)s->p.min_p);
    for (int32_t i = 0; i < s->n; i++) {
        allm__samp_head(s, i + 1);
        if (s->x[allm__samp_id(s, i)] < limit) s->n = i;
    }
}

static int  allm__samp_temperature_on(const allm_sampling *p) { return p->temperature > 0 && p->temperature != 1; }
static void allm__samp_temperature(allm__samp *s) { s->t *= ALLM__MAX(0.01, ALLM__MIN(2.0, (double)s->p.temperature)); }

static const allm__samp_row allm__samp_rows[] = { /* in the order of the chain */
    {"bias", 1, allm__samp_bias_on, allm__samp_bias},
    {"penalties", 1, allm__samp_penalties_on, allm__samp_penalties},
    {"top_k", 0, allm__samp_top_k_on, allm__samp_top_k},
    {"top_p", 0, allm__samp_top_p_on, allm__samp_top_p},
    {"min_p", 0, allm__samp_min_p_on, allm__samp_min_p},
    {"temperature", 0, allm__samp_temperature_on, allm__samp_temperature},
};

/* Inverse CDF over the candidates in order. */
static int32_t allm__samp_draw(allm__samp *s) {
    double sum = 0, target = allm__random((uint64_t)s->p.seed, s->step, 0) * allm__samp_mass(s);
    for (int32_t i = 0; i < s->n; i++) {
        allm__samp_head(s, i + 1);
        sum += allm__samp_weight(s, allm__samp_id(s, i));
        if (sum > target) return allm__samp_id(s, i);
    }
    return s->best; /* rounding alone leads here */
}

/* ---- one step */

static void allm__samp_begin(allm__samp *s, const float *logits) {
    s->x = logits;
    if (s->edited) memcpy(s->edited, logits, (size_t)s->n_vocab * sizeof *logits), s->x = s->edited;
}

static allm_status allm__samp_refuse(const allm__samp *s, allm_error *err) { /* some logit is NaN or +inf */
    int32_t i = 0;
    while (s->x[i] <= FLT_MAX) i++;
    return allm__fail(err, ALLM_E_NUMERIC, NULL, -1, "logit of id %d is %s", (int)i, s->x[i] > 0 ? "infinite" : "NaN");
}

/* Finds the best and counts the allowed; after it no logit is NaN or +inf and the list is the whole vocabulary. */
static allm_status allm__samp_scan(allm__samp *s, allm_error *err) {
    int32_t i = 0, n = s->n_vocab;
    s->max = s->kern->max(s->x, n); /* NaN if there is one */
    if (!(s->max <= FLT_MAX)) return allm__samp_refuse(s, err);
    if (s->max == -INFINITY) return allm__fail(err, ALLM_E_NUMERIC, NULL, -1, "no token is allowed");
    for (s->n_allowed = 0; i + ALLM__SAMP_BLOCK <= n; i += ALLM__SAMP_BLOCK)
        s->n_allowed += allm__samp_count_above(s->x + i, -INFINITY);
    for (; i < n; i++) s->n_allowed += s->x[i] > -INFINITY;
    for (i = 0; !(s->x[i] == s->max);) i++;
    s->best = i, s->t = 1;
    s->n = s->n_allowed, s->n_sorted = 0;
    return ALLM_OK;
}

static void allm__samp_apply(allm__samp *s, int edits) {
    for (size_t i = 0; i < ALLM__COUNT(allm__samp_rows); i++) {
        const allm__samp_row *row = &allm__samp_rows[i];
        if (row->edits == edits && row->on(&s->p)) row->apply(s);
    }
}

static void allm__samp_count(allm__samp *s, int32_t id, int32_t by) { /* by 1 or -1 */
    s->count[id] += by;
    if (by > 0 && s->count[id] == 1) s->place[id] = s->n_seen, s->seen[s->n_seen++] = id;
    if (s->count[id] > 0) return;
    int32_t last = s->seen[--s->n_seen]; /* the last one takes its place */
    s->seen[s->place[id]] = last, s->place[last] = s->place[id];
}

/* Adds tokens to the history that penalties look at; ids outside the vocabulary take a place but do not count. */
static void allm__samp_accept(allm__samp *s, const int32_t *ids, size_t n) {
    if (!s->count) return;
    for (size_t i = 0; i < n; i++) {
        int32_t id = ids[i] < 0 || ids[i] >= s->n_vocab ? -1 : ids[i];
        if (s->ring) {
            int32_t *slot = &s->ring[s->n_history % (uint64_t)s->window];
            if (s->n_history >= (uint64_t)s->window && *slot >= 0) allm__samp_count(s, *slot, -1);
            *slot = id;
        }
        if (id >= 0 && s->count[id] < INT32_MAX) allm__samp_count(s, id, 1);
        s->n_history++;
    }
}

/* ln p of an id in the logits as given. */
static float allm__samp_logprob(const allm__kern *kern, const float *logits, int32_t n_vocab, int32_t id) {
    float  run[512], max = kern->max(logits, n_vocab);
    double sum = 0;
    for (int32_t i = 0; i < n_vocab; i += (int32_t)ALLM__COUNT(run))
        sum += (double)kern->exp_sum(logits + i, max, run, ALLM__MIN((int32_t)ALLM__COUNT(run), n_vocab - i));
    return (float)((double)logits[id] - max - log(sum));
}

/* Chooses a token from [n_vocab] logits and adds it to the history. logprob may be NULL. After ALLM_E_NUMERIC the
 * sampler is as before. */
static allm_status allm__samp_next(allm__samp *s, const float *logits, int32_t *id, float *logprob, allm_error *err) {
    allm__samp_begin(s, logits);
    allm__samp_apply(s, 1);
    allm_status status = allm__samp_scan(s, err);
    if (status) return status;
    *id = s->best;
    if (s->p.temperature > 0) {
        allm__samp_apply(s, 0);
        *id = allm__samp_draw(s);
    }
    s->step++;
    if (logprob) *logprob = allm__samp_logprob(s->kern, logits, s->n_vocab, *id);
    allm__samp_accept(s, id, 1);
    return ALLM_OK;
}

/* ---- life */

/* A seed from the system, >= 0. */
static int64_t allm__samp_os_seed(void) {
    uint64_t v = (uint64_t)(uintptr_t)&v ^ (uint64_t)time(NULL) << 20 ^ (uint64_t)clock();
    double   t = allm__plat_seconds();
    uint64_t u;
    memcpy(&u, &t, sizeof u);
    v ^= allm__mix64(u);
#if !defined(ABSTRACTLLM_NO_STDIO) && defined(ALLM__POSIX)
    FILE *f = fopen("/dev/urandom", "rb");
    if (f && fread(&u, sizeof u, 1, f) == 1) v ^= u;
    if (f) fclose(f);
#endif
    return (int64_t)(allm__mix64(v) >> 1);
}

static allm_status allm__samp_bad(const char *field, double v, const char *expected, allm_error *err) {
    char text[32];
    text[allm__num_repr(text, v)] = 0;
    return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "sampling: %s is %s, expected %s", field, text, expected);
}

/* Every field of p within its range (NaN is in none). */
static allm_status allm__samp_check(const allm_sampling *p, int32_t n_vocab, allm_error *err) {
    const struct { const char *name; double value, lo, hi; const char *expected; } rows[] = {
        {"temperature", p->temperature, 0, FLT_MAX, "0 or a positive number"},
        {"top_p", p->top_p, 0, 1, "0 to 1"},
        {"min_p", p->min_p, 0, 1, "0 to 1"},
        {"top_k", p->top_k, 0, INT32_MAX, "0 or a positive number"},
        {"repeat_penalty", p->repeat_penalty, 0, FLT_MAX, "0 or a positive number"},
        {"presence_penalty", p->presence_penalty, -FLT_MAX, FLT_MAX, "a finite number"},
        {"frequency_penalty", p->frequency_penalty, -FLT_MAX, FLT_MAX, "a finite number"},
        {"penalty_window", p->penalty_window, -1, INT32_MAX, "-1 or more"},
    };
    for (size_t i = 0; i < ALLM__COUNT(rows); i++)
        if (!(rows[i].value >= rows[i].lo && rows[i].value <= rows[i].hi))
            return allm__samp_bad(rows[i].name, rows[i].value, rows[i].expected, err);
    if (p->n_bias && (!p->bias_ids || !p->bias))
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "sampling: n_bias is %llu, but bias_ids or bias is NULL",
                          (unsigned long long)p->n_bias);
    for (size_t i = 0; i < p->n_bias; i++) {
        if (p->bias_ids[i] < 0 || p->bias_ids[i] >= n_vocab)
            return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1,
                              "sampling: bias_ids[%llu] is %d, the vocabulary has %d ids", (unsigned long long)i,
                              (int)p->bias_ids[i], (int)n_vocab);
        if (!(p->bias[i] <= FLT_MAX)) return allm__samp_bad("bias", p->bias[i], "a finite number or -infinity", err);
    }
    return ALLM_OK;
}

static void allm__samp_reset(allm__samp *s) { /* empties the history, restarts the random sequence */
    if (s->count) memset(s->count, 0, (size_t)s->n_vocab * sizeof *s->count);
    s->n_seen = 0, s->n_history = 0, s->step = 0;
}

static void allm__samp_free(allm__samp *s) {
    if (s->host) allm__free(s->host, s->mem, s->n_mem);
    memset(s, 0, sizeof *s);
}

/* The arrays of s, in one block; with an empty layout they are only counted. */
static void allm__samp_lay(allm__samp *s, allm__layout *l) {
    size_t n = (size_t)s->n_vocab;
    int    edits = 0, penalties = allm__samp_penalties_on(&s->p);
    for (size_t i = 0; i < ALLM__COUNT(allm__samp_rows); i++)
        edits |= allm__samp_rows[i].edits && allm__samp_rows[i].on(&s->p);
    s->key        = (uint64_t *)allm__layout_array(l, s->p.temperature > 0 ? n : 0, sizeof *s->key);
    s->spare      = (uint64_t *)allm__layout_array(l, s->p.temperature > 0 ? n : 0, sizeof *s->spare);
    s->edited     = (float *)allm__layout_array(l, edits ? n : 0, sizeof *s->edited);
    s->count      = (int32_t *)allm__layout_array(l, penalties ? n : 0, sizeof *s->count);
    s->seen       = (int32_t *)allm__layout_array(l, penalties ? n : 0, sizeof *s->seen);
    s->place      = (int32_t *)allm__layout_array(l, penalties ? n : 0, sizeof *s->place);
    s->ring       = (int32_t *)allm__layout_array(l, penalties ? (size_t)s->window : 0, sizeof *s->ring);
    s->p.bias_ids = (int32_t *)allm__layout_array(l, s->p.n_bias, sizeof *s->p.bias_ids);
    s->p.bias     = (float *)allm__layout_array(l, s->p.n_bias, sizeof *s->p.bias);
}

/* Makes a sampler over n_vocab > 0 ids from p, which is copied. Errors: ALLM_E_ARGUMENT names the field,
 * ALLM_E_MEMORY; s is then empty. */
static allm_status allm__samp_init(allm__samp *s, const allm__host *h, const allm__kern *kern, int32_t n_vocab,
                                   const allm_sampling *p, allm_error *err) {
    memset(s, 0, sizeof *s);
    if (allm__samp_check(p, n_vocab, err)) return err->status;
    s->p       = *p;
    s->n_vocab = n_vocab;
    s->window  = p->penalty_window == 0 ? ALLM__SAMP_WINDOW
                 : p->penalty_window > ALLM__SAMP_WINDOW_MAX ? 0 : ALLM__MAX(p->penalty_window, 0);
    if (p->seed < 0) s->p.seed = allm__samp_os_seed();
    allm__layout l = {NULL, 0, 0};
    allm__samp_lay(s, &l);
    s->n_mem = l.n_bytes;
    s->mem   = l.failed ? NULL : allm__alloc_zero(h, s->n_mem, ALLM__LAYOUT_ALIGN);
    if (!s->mem) {
        memset(s, 0, sizeof *s);
        return allm__fail_memory(err, l.failed ? SIZE_MAX : l.n_bytes);
    }
    l.base = (char *)s->mem, l.n_bytes = 0;
    s->host = h, s->kern = kern;
    allm__samp_lay(s, &l);
    for (size_t i = 0; i < p->n_bias; i++)
        ((int32_t *)(uintptr_t)s->p.bias_ids)[i] = p->bias_ids[i], ((float *)(uintptr_t)s->p.bias)[i] = p->bias[i];
    return ALLM_OK;
}

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
