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
 * where (file and byte, or line and column) and what was expected. Each failing call fills it anew, with the
 * first and deepest cause. The library never prints, exits, aborts, raises a signal, or changes the locale or
 * the floating point environment. (In C++ write {} where this manual writes {0}.)
 *
 * Threads. A model is immutable and may be shared by any number of sessions in any threads. An allm_llm, a
 * session and a sampler belong to one thread at a time; allm_cancel and allm_session_cancel may be called from
 * anywhere. Callbacks, the log too, run on the thread that made the call, never inside a kernel.
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
 *   ABSTRACTLLM_NO_MMAP          files are read, not mapped. A mapped file must not shrink or change while in use:
 *                                the system then raises SIGBUS in whoever reads it, or the weights change
 *   ABSTRACTLLM_NO_STDIO         no file access: models come from memory or a reader
 *   ABSTRACTLLM_NO_SIMD          scalar kernels only
 *   ABSTRACTLLM_NO_AVX512        leave the AVX-512 kernels out
 *   ABSTRACTLLM_NO_JINJA         no template engine: raw prompts; chats only with a model that has no template, in the
 *                                ChatML format (one that has a template refuses them: ALLM_E_UNSUPPORTED)
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
 *   num     f16, bf16, fp8, e8m0, random numbers
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
 *   tval    values of templates
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
    const char *path;        /* GGUF file (any part of a split one), UTF-8. It is mapped where the system can: it must
                                not shrink or change while the model is open (see ABSTRACTLLM_NO_MMAP) */
    const void *data;        /* bytes in memory, used in place: must outlive the model */
    size_t      n_bytes;
    /* A reader: copies at most n_bytes from offset to dst, returns the bytes copied (0 at the end) or -1. Called only
     * by the call that opens the source, on its thread. */
    int64_t (*read)(void *ctx, uint64_t offset, void *dst, size_t n_bytes);
    uint64_t size; /* total bytes behind `read` */
    void    *ctx;
} allm_source;

typedef enum allm_kv_type { /* type of cached keys and values */
    ALLM_KV_DEFAULT = 0,    /* f16; f32 on the reference path */
    ALLM_KV_F32,
    ALLM_KV_F16,
    ALLM_KV_BF16,
    ALLM_KV_Q8_0, /* not yet: ALLM_E_UNSUPPORTED */
    ALLM_KV_Q4_0  /* not yet: ALLM_E_UNSUPPORTED */
} allm_kv_type;

typedef enum allm_log_level { ALLM_LOG_ERROR = 1, ALLM_LOG_WARN, ALLM_LOG_INFO, ALLM_LOG_DEBUG } allm_log_level;

/* One part of a stage of work; parts of one stage never wait for each other. */
typedef void (*allm_task)(void *arg, int32_t i_part, int32_t n_parts);

typedef struct allm_runtime allm_runtime; /* allocator, log, ISA, threads, open models, provider registry */
typedef struct allm_runtime_config {
    allm_allocator allocator;
    /* One line, without a line end, valid during the call. Called on the thread that made a call, so from several at a
     * time where several call. NULL: silent. */
    void (*log)(void *ctx, allm_log_level level, const char *text);
    void *log_ctx;
    /* The host's own threads: runs task(arg, i, n_parts) for every i, in any order or one after another, and
     * returns when all are done. Called on the thread that made a call. NULL: the library's own pool. */
    void (*parallel_for)(void *ctx, int32_t n_parts, allm_task task, void *arg);
    void       *parallel_ctx;
    int32_t     n_threads;    /* 0: physical cores that the calling thread may run on */
    const char *isa;          /* NULL: best the CPU and OS allow; "scalar", "avx2", "avx512", "neon", "dotprod" */
    int32_t     cache_models; /* models kept open, least recently used leaves first; 0: 2; -1: none */
    uint64_t    cache_bytes;  /* most bytes of weights of the models kept open; 0: no cap */
} allm_runtime_config;        /* what ctx pointers point to must outlive the runtime */

typedef struct allm_llm allm_llm; /* a provider with a model: a local file, an echo, one of yours */
typedef struct allm_config {
    allm_runtime      *runtime;      /* NULL: the process-wide default */
    const char        *model;        /* GGUF file; strings are copied */
    const allm_source *source;       /* instead of a file: bytes in memory or a reader; `model` is then just a name */
    int32_t            n_ctx;        /* tokens; 0: the model's own, at most 8192 */
    uint64_t           memory_limit; /* most bytes to allocate for this model, which is then not shared, its session
                                        (allm_plan's peak and 4 bytes a token of context) and a generation (its prompt,
                                        sampler and stop texts), but for the answer, which is the caller's; 0: none */
    allm_kv_type       kv_type;
    int32_t            reference; /* non-zero: float32 activations and cache; slow, exact */
    void (*on_load)(void *ctx, float fraction); /* 0..1 while the model is opened; 1 at once if it is open already. On
                                                   the thread that opens it */
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
    float   repeat_penalty, presence_penalty, frequency_penalty; /* 0 is off; repeat 1 is off too; presence and
                                                                    frequency may be negative, which encourages */
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
 * ALLM_DONE once at the end of an answer that did not fail (nothing is left to stop then: what the callback returns
 * does not count). The texts of ALLM_TEXT concatenate to the response's. */
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
    const char *const  *files; /* [n_files] paths of text files, appended to the prompt or the last user message; at
                                  most 64, 1 MiB each, 8 MiB together */
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
    char       *text;     /* UTF-8, terminated; NULL only after an error: before the first token, or no memory */
    size_t      text_len; /* bytes, without the terminator */
    allm_finish finish;
    int32_t     prompt_tokens;     /* in the prompt, cached ones included */
    int32_t     cached_tokens;     /* of these: taken from the previous call's state */
    int32_t     completion_tokens; /* sampled, an end token included */
    double      load_s, prompt_s, generate_s; /* seconds */
    int64_t     seed;      /* the one really used */
    int32_t    *token_ids; /* [completion_tokens]; NULL from a provider that does not work with token ids */
    void       *owner;     /* the library's */
} allm_response;

/* A row of the registry; ctx goes to probe and open and must live as long as the runtime. probe and open run on the
 * thread of allm_create, the others on that of the public call of their name, close on that of allm_destroy or, if a
 * generation runs then, of the latter. Functions may be NULL but for open and generate. */
typedef struct allm_provider {
    const char *name;          /* must live as long as the runtime */
    int (*probe)(void *ctx, const allm_config *config); /* 0..100: how well this fits when the caller named none */
    allm_status (*open)(void *ctx, const allm_config *config, void **self, allm_error *err);
    /* Emits text through req->on_chunk, which is there even if the caller gave none, and sets the numbers of *out; the
     * library builds the text from the chunks and sends ALLM_DONE. Has to end when on_chunk returns non-zero; the call
     * is then ALLM_E_CANCELLED whatever is returned. Never called twice at a time for one self. */
    allm_status (*generate)(void *self, const allm_request *req, allm_response *out, allm_error *err);
    allm_status (*capabilities)(void *self, allm_capabilities *out, allm_error *err);
    allm_status (*default_sampling)(void *self, allm_sampling *out, allm_error *err); /* NULL: 0.7, top_p 0.9 */
    void (*cancel)(void *self); /* any thread; NULL: cancelled at the next chunk */
    void (*close)(void *self);
    void *ctx;
} allm_provider;

typedef struct allm_model allm_model; /* immutable, reference-counted, shared by sessions in any threads */
typedef struct allm_model_config {
    uint64_t memory_limit; /* most bytes to allocate for the model, its sessions and samplers; 0: none */
    int32_t  reference;    /* non-zero: float32 activations */
    int32_t  vocab_only;   /* non-zero: tokenizer and metadata, no weights */
    void (*on_load)(void *ctx, float fraction); /* 0..1, on the thread that opens the model */
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
    uint64_t mapped;              /* weights used where the file lies: mapped, or the caller's bytes */
    uint64_t repacked;            /* weights copied into kernel layout */
    uint64_t other;               /* tokenizer, metadata, model tables; the whole file where it is read, not mapped */
    uint64_t kv, scratch;         /* a session of the given shape */
    uint64_t peak;                /* most bytes allocated at once, while opening or afterwards; what is mapped is not */
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

/* Makes a runtime; free it with allm_runtime_destroy. config, which is copied: NULL or zeroed for defaults. Errors:
 * ALLM_E_ARGUMENT (an ISA this machine lacks, half an allocator, n_threads < 0), ALLM_E_MEMORY; *out is then NULL. Any
 * thread; the runtime may be used from any thread. Everywhere below, runtime NULL stands for one process-wide default,
 * made at first use (ALLM_E_MEMORY) and freed by allm_shutdown. */
ABSTRACTLLM_API allm_status allm_runtime_create(const allm_runtime_config *config, allm_runtime **out, allm_error *err);
/* Frees a runtime, after everything that was made with it, but for responses, which may outlive it: models, sessions
 * and samplers closed, allm_llm destroyed, and every thread back from allm_generate: a destroyed allm_llm lives until
 * then. Names of allm_provider_list end here. NULL is fine. */
ABSTRACTLLM_API void allm_runtime_destroy(allm_runtime *rt);
/* Frees the process-wide default runtime, under the terms of allm_runtime_destroy; call it last, from one thread. It is
 * made anew if used again. */
ABSTRACTLLM_API void allm_shutdown(void);

/* ---- one interface for every model */

/* Opens a model. provider: "local" (alias "gguf"), "echo", a registered name, or NULL = the one that fits
 * config->model best. Strings of config are copied; source->data must outlive the model. Free it with allm_destroy.
 * Errors: ALLM_E_NOT_FOUND (no such provider, no provider fits, no such file), ALLM_E_IO (the file cannot be opened or
 * read), ALLM_E_FORMAT, ALLM_E_UNSUPPORTED (also a model without a tokenizer, a K/V type), ALLM_E_MEMORY (also
 * memory_limit), ALLM_E_ARGUMENT, and those of a registered provider; *out is then NULL. Any thread. */
ABSTRACTLLM_API allm_status allm_create(const char *provider, const allm_config *config, allm_llm **out,
                                        allm_error *err);
/* Frees it; the model itself may stay in the runtime's cache. While a generation runs, from its callback for example,
 * it cancels that, returns, and the object is gone only when that generation's allm_generate has returned: wait for
 * that before allm_runtime_destroy. Nothing else may be called with it any more. Any thread; NULL is fine. */
ABSTRACTLLM_API void allm_destroy(allm_llm *llm);
/* Fills *out with what this model can do. Errors: ALLM_E_ARGUMENT (NULL), ALLM_E_MEMORY, those of a registered
 * provider. Any thread, also while a generation runs. */
ABSTRACTLLM_API allm_status allm_get_capabilities(allm_llm *llm, allm_capabilities *out, allm_error *err);
/* The sampling that NULL stands for: the file's general.sampling.* keys, else temperature 0.7, top_p 0.9; seed -1.
 * Errors: ALLM_E_ARGUMENT (NULL), those of a registered provider. Any thread, also while a generation runs. */
ABSTRACTLLM_API allm_status allm_default_sampling(allm_llm *llm, allm_sampling *out, allm_error *err);
/* Produces one answer; blocks until it is complete. out may be NULL when on_chunk is all that is wanted; else it is
 * always initialised and always to be freed with allm_response_free. Errors: ALLM_E_ARGUMENT, ALLM_E_CONTEXT (the
 * prompt is longer than the context), ALLM_E_CANCELLED (with the answer so far), ALLM_E_BUSY (a generation is running
 * on llm, in another thread or around this callback), ALLM_E_TEMPLATE, ALLM_E_NUMERIC, ALLM_E_MEMORY,
 * ALLM_E_UNSUPPORTED; of files ALLM_E_NOT_FOUND, ALLM_E_IO, ALLM_E_FORMAT (not text); those of a registered provider. A
 * context that fills while generating is ALLM_OK with ALLM_FINISH_LENGTH. llm stays usable after any error. One thread
 * at a time, else ALLM_E_BUSY. */
ABSTRACTLLM_API allm_status allm_generate(allm_llm *llm, const allm_request *req, allm_response *out, allm_error *err);
/* Frees what a response holds and zeroes it; through the allocator of its runtime, which itself may be gone. NULL and
 * zeroed responses are fine. */
ABSTRACTLLM_API void allm_response_free(allm_response *r);
/* Stops the running generation within a layer, also during the prompt. Any thread, any time, also from a signal
 * handler (it only sets flags; a registered provider's cancel has to be fit for that too); nothing running, or NULL: no
 * effect. Not after allm_destroy. */
ABSTRACTLLM_API void allm_cancel(allm_llm *llm);

/* Adds a provider (the struct is copied; its name and what ctx points to must outlive the runtime); a name in use is
 * replaced for later allm_create. Errors: ALLM_E_ARGUMENT (no name, open or generate), ALLM_E_MEMORY (more than 32).
 * Any thread. */
ABSTRACTLLM_API allm_status allm_provider_register(allm_runtime *rt, const allm_provider *p, allm_error *err);
/* Writes up to cap names of providers to names (NULL: none), returns how many there are; 0: no memory for the default
 * runtime. The names belong to those who registered them. Any thread. */
ABSTRACTLLM_API size_t allm_provider_list(allm_runtime *rt, const char **names, size_t cap);

/* ---- the engine underneath: models */

/* Opens a model for low-level use; config NULL or zeroed: defaults. src->data must outlive the model. Close it with
 * allm_model_close. Errors: ALLM_E_ARGUMENT (also not exactly one of path, data, read), ALLM_E_NOT_FOUND, ALLM_E_IO
 * (also a reader that fails or ends early), ALLM_E_FORMAT, ALLM_E_UNSUPPORTED, ALLM_E_MEMORY (also memory_limit); *out
 * is then NULL. Any thread. */
ABSTRACTLLM_API allm_status allm_model_open(allm_runtime *rt, const allm_source *src, const allm_model_config *config,
                                            allm_model **out, allm_error *err);
/* Drops a reference; the model is freed with its last session and sampler. NULL is fine. Any thread. */
ABSTRACTLLM_API void allm_model_close(allm_model *m);
/* Fills *out with what the file says of the model; texts are cut to fit; without weights (vocab_only) the sizes of
 * layers are 0 and n_vocab counts the tokenizer's ids. Errors: ALLM_E_ARGUMENT (NULL). Any thread. */
ABSTRACTLLM_API allm_status allm_model_get_info(const allm_model *m, allm_model_info *out, allm_error *err);
/* The exact memory of a model and one session of the given shape. config and session may be NULL: defaults. Opens the
 * model, as far as that needs no matrix, and closes it again: of a mapped file, or bytes in memory, only headers,
 * vocabulary and vectors are looked at; a reader, or a file in a build without mmap, is read whole. Errors as
 * allm_model_open and allm_session_create; *out is then unspecified. Any thread. */
ABSTRACTLLM_API allm_status allm_plan(allm_runtime *rt, const allm_source *src, const allm_model_config *config,
                                      const allm_session_config *session, allm_memory_plan *out, allm_error *err);

/* ---- tokens and prompts: any thread */

/* Text to ids. parse_special: match special tokens spelled in the text (else they stay text). add_bos: add what the
 * tokenizer adds around a text. Bytes that are not UTF-8 count as U+FFFD. Writes at most cap ids (ids may be NULL when
 * cap is 0); *n = how many there are in all, so that n > cap means: call again with more room. Errors: ALLM_E_ARGUMENT
 * (NULL), ALLM_E_UNSUPPORTED (the model has no tokenizer), ALLM_E_MEMORY; *n is then 0. */
ABSTRACTLLM_API allm_status allm_tokenize(const allm_model *m, allm_str text, int parse_special, int add_bos,
                                          int32_t *ids, size_t cap, size_t *n, allm_error *err);
/* Ids to text, invalid UTF-8 replaced by U+FFFD. skip_special leaves control tokens out. Ids behind the tokenizer's up
 * to the model's n_vocab are padding, without text. Writes at most cap bytes (text may be NULL when cap is 0), not
 * terminated; *n = how many there are in all. Errors: ALLM_E_ARGUMENT (an id outside the vocabulary),
 * ALLM_E_UNSUPPORTED (no tokenizer), ALLM_E_MEMORY; *n is then 0. */
ABSTRACTLLM_API allm_status allm_detokenize(const allm_model *m, const int32_t *ids, size_t n_ids, int skip_special,
                                            char *text, size_t cap, size_t *n, allm_error *err);
/* Streaming: *out = the whole UTF-8 that id completes, a view into *state or the model, valid until the state's next
 * use, maybe empty; id < 0 flushes what was held back. The pieces concatenate to what allm_detokenize gives. A state
 * belongs to one stream of one model. Errors: ALLM_E_ARGUMENT (an id outside the vocabulary, a state that was not
 * zeroed), ALLM_E_UNSUPPORTED (no tokenizer); *out is then empty. Allocates nothing. */
ABSTRACTLLM_API allm_status allm_detokenize_next(const allm_model *m, allm_detok_state *state, int32_t id,
                                                 int skip_special, allm_str *out, allm_error *err);
/* The raw bytes of a token, owned by the model; empty for an id outside the vocabulary. */
ABSTRACTLLM_API allm_str allm_token_piece(const allm_model *m, int32_t id);
/* Non-zero if the id ends an answer; 0 for an id outside the vocabulary. */
ABSTRACTLLM_API int allm_token_is_end(const allm_model *m, int32_t id);
/* Renders the model's chat template for req (prompt, system, messages, files, template_kwargs), with the generation
 * prompt. Writes at most cap bytes (text may be NULL when cap is 0), not terminated; *n = how many there are in all.
 * Nothing is made good: a template that refuses a system message does so. Errors: ALLM_E_ARGUMENT (not exactly one of
 * prompt and messages, prompt_ids, invalid UTF-8, template_kwargs that are no JSON object), ALLM_E_TEMPLATE (it raises,
 * does not compile, or hits a limit), ALLM_E_UNSUPPORTED (no template, or no template engine in this build),
 * ALLM_E_MEMORY (also files beyond their limits); of files ALLM_E_NOT_FOUND, ALLM_E_IO, ALLM_E_FORMAT; *n is then 0. */
ABSTRACTLLM_API allm_status allm_render(const allm_model *m, const allm_request *req, char *text, size_t cap, size_t *n,
                                        allm_error *err);

/* ---- sessions: one thread at a time each */

/* Makes a session, which keeps the model alive. config may be NULL: defaults; a buffer must outlive the session. Free
 * it with allm_session_destroy. Errors: ALLM_E_ARGUMENT (numbers out of range, a buffer that is too small or not
 * aligned, a model without weights), ALLM_E_UNSUPPORTED (a K/V type), ALLM_E_MEMORY (also the model's limit); *out is
 * then NULL. Any thread. */
ABSTRACTLLM_API allm_status allm_session_create(const allm_model *m, const allm_session_config *config,
                                                allm_session **out, allm_error *err);
ABSTRACTLLM_API void allm_session_destroy(allm_session *s); /* NULL is fine */
/* Evaluates n_ids > 0 tokens after those already there. all_logits: keep the logits of each of them, [n_ids, n_vocab],
 * which is allocated, else of the last. Errors: ALLM_E_ARGUMENT (an id outside the vocabulary, none at all),
 * ALLM_E_CONTEXT (no room), ALLM_E_CANCELLED, ALLM_E_BUSY (an eval of it runs in another thread), ALLM_E_MEMORY; the
 * session keeps its former length. */
ABSTRACTLLM_API allm_status allm_session_eval(allm_session *s, const int32_t *ids, size_t n_ids, int all_logits,
                                              allm_error *err);
/* [n_vocab] logits of the last eval, owned by the session until its next eval; i counts its tokens if all_logits was
 * set, else 0 is the last. NULL if there are none. */
ABSTRACTLLM_API const float *allm_session_logits(const allm_session *s, size_t i);
ABSTRACTLLM_API size_t       allm_session_length(const allm_session *s); /* tokens evaluated and kept; 0 of NULL */
/* Forgets all but the first n_keep tokens. Errors: ALLM_E_ARGUMENT (NULL, or more than there are). */
ABSTRACTLLM_API allm_status allm_session_truncate(allm_session *s, size_t n_keep, allm_error *err);
/* Stops a running eval within a layer; nothing running: no effect. Any thread, also from a signal handler; NULL is
 * fine. */
ABSTRACTLLM_API void allm_session_cancel(allm_session *s);

/* ---- samplers: one thread at a time each */

/* Makes a sampler for the model's vocabulary, which keeps the model alive; params NULL: the model's defaults; its
 * arrays are copied. Free it with allm_sampler_destroy. Errors: ALLM_E_ARGUMENT names the field that is NaN or out of
 * range; ALLM_E_UNSUPPORTED (a model without any vocabulary), ALLM_E_MEMORY; *out is then NULL. */
ABSTRACTLLM_API allm_status allm_sampler_create(const allm_model *m, const allm_sampling *params, allm_sampler **out,
                                                allm_error *err);
ABSTRACTLLM_API void        allm_sampler_destroy(allm_sampler *s); /* NULL is fine */
/* Chooses a token from [n_vocab] logits, n_vocab as in allm_model_info, and adds it to the history. logprob, if wanted
 * (else NULL): natural log of its probability in the logits as given. The id may be padding, which has no text. Errors:
 * ALLM_E_ARGUMENT (NULL), ALLM_E_NUMERIC (a NaN or +Inf logit, or nothing is allowed). Allocates nothing. */
ABSTRACTLLM_API allm_status allm_sampler_next(allm_sampler *s, const float *logits, int32_t *id, float *logprob,
                                              allm_error *err);
/* Adds [n] tokens to the history that penalties look at: the prompt, or a forced token. Errors: ALLM_E_ARGUMENT (an id
 * outside the vocabulary; nothing is added then). */
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
#include <signal.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif
#endif
#elif !defined(ABSTRACTLLM_NO_THREADS) /* firmware: C alone */
#define ABSTRACTLLM_NO_THREADS
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
#define ALLM__PREFETCH(p, n) \
    __builtin_prefetch((const void *)((uintptr_t)(p) + (size_t)(n))) /* p + n may lie outside */
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
#define ALLM__CAS(p, from, to) __sync_bool_compare_and_swap(p, from, to)
#else
#define ALLM__INLINE static __inline
#define ALLM__UNROLL(n)
#define ALLM__PREFETCH(p, n) ((void)0)
#define ALLM__UNUSED
#define ALLM__PRINTF(i_format, i_first)
#if defined(ALLM__WINDOWS)
#define ALLM__LOAD(p) InterlockedCompareExchange((volatile LONG *)(p), 0, 0)
#define ALLM__STORE(p, v) ((void)InterlockedExchange((volatile LONG *)(p), (LONG)(v)))
#define ALLM__ADD(p, v) (InterlockedExchangeAdd((volatile LONG *)(p), (LONG)(v)) + (LONG)(v))
#define ALLM__SWAP(p, v) InterlockedExchange((volatile LONG *)(p), (LONG)(v))
#define ALLM__CAS(p, from, to) \
    (InterlockedCompareExchange((volatile LONG *)(p), (LONG)(to), (LONG)(from)) == (LONG)(from))
#else /* an unknown compiler: one thread only */
#ifndef ABSTRACTLLM_NO_THREADS
#define ABSTRACTLLM_NO_THREADS
#endif
#define ALLM__LOAD(p) (*(p))
#define ALLM__STORE(p, v) ((void)(*(p) = (v)))
#define ALLM__ADD(p, v) (*(p) += (v))
#define ALLM__SWAP(p, v) allm__plat_swap(p, v)
#define ALLM__CAS(p, from, to) (*(p) == (from) ? (*(p) = (to), 1) : 0)
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
ALLM__STATIC(err_names, ALLM__COUNT(allm__err_names) == (size_t)ALLM_E_FILTERED + 1);

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

/* 1-based line, and column in characters, of byte `at` of a UTF-8 text. */
static void allm__str_place(allm_str s, size_t at, int32_t place[2]) {
    place[0] = place[1] = 1;
    for (size_t i = 0; i < at && i < s.len; i++)
        if (s.ptr[i] == '\n') place[0] += place[0] < INT32_MAX, place[1] = 1;
        else if (((unsigned char)s.ptr[i] & 0xc0) != 0x80) place[1] += place[1] < INT32_MAX;
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

/* ---- hashes. Keys come from files and templates of strangers, so every table has a secret seed: nobody can prepare
 * keys that fall on one slot. What a table tells must not depend on the order of its slots. */

/* x * y, both halves of the product in one: the mixing step of wyhash (W. Yi) and mum (V. Makarov). */
ALLM__INLINE uint64_t allm__hash_fold(uint64_t x, uint64_t y) {
#if defined(__SIZEOF_INT128__)
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)x * y;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    uint64_t x0 = (uint32_t)x, x1 = x >> 32, y0 = (uint32_t)y, y1 = y >> 32;
    uint64_t low = x0 * y0, mid = x1 * y0 + (low >> 32), mid2 = x0 * y1 + (uint32_t)mid;
    return (mid2 << 32 | (uint32_t)low) ^ (x1 * y1 + (mid >> 32) + (mid2 >> 32));
#endif
}

/* Of a number. Both factors are secret, so that no difference of keys is known to cancel. */
ALLM__INLINE uint32_t allm__hash_int(uint64_t seed, uint64_t x) {
    return (uint32_t)allm__hash_fold(x ^ seed, (seed >> 32 | seed << 32) | 1);
}

static uint32_t allm__hash(uint64_t seed, const char *p, size_t n) {
    uint64_t h = seed ^ n, k = (seed >> 32 | seed << 32) | 1, w;
    uint32_t first, last;
    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&w, p, 8);
        h = allm__hash_fold(h ^ w, k);
    }
    if (n >= 4) {
        memcpy(&first, p, 4), memcpy(&last, p + n - 4, 4);
        h = allm__hash_fold(h ^ ((uint64_t)last << 32 | first), k);
    } else if (n) {
        w = (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[n / 2] << 8 | (unsigned char)p[n - 1];
        h = allm__hash_fold(h ^ w, k);
    }
    return (uint32_t)h;
}

/* A seed for the table at p: where the system put things, and the time. */
static uint64_t allm__hash_seed(const void *p) {
    double   t = allm__plat_seconds();
    uint64_t h = 0x9E3779B97F4A7C15u ^ (uint64_t)time(NULL), w;
    memcpy(&w, &t, sizeof w);
    h = allm__hash_fold(h ^ w, 0xBF58476D1CE4E5B9u);
    h = allm__hash_fold(h ^ (uint64_t)(uintptr_t)p, 0x94D049BB133111EBu);
    return allm__hash_fold(h ^ (uint64_t)(uintptr_t)&h, 0xBF58476D1CE4E5B9u);
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
    uint64_t          seed;
} allm__map;

static allm__slot *allm__map_slot(const allm__map *m, allm_str key, uint32_t hash) {
    size_t i = hash & (m->n_slots - 1);
    while (m->slots[i].key.ptr && (m->slots[i].hash != hash || !allm__str_eq(m->slots[i].key, key)))
        i = (i + 1) & (m->n_slots - 1);
    return &m->slots[i];
}

/* The value of a key, or -1. */
static int32_t allm__map_get(const allm__map *m, allm_str key) {
    if (!m->n_slots) return -1;
    const allm__slot *s = allm__map_slot(m, key, allm__hash(m->seed, key.ptr, key.len));
    return s->key.ptr ? s->value : -1;
}

/* Makes room for n keys. 0: no memory, the map is as before. */
static int allm__map_reserve(allm__map *m, size_t n) {
    size_t n_slots = 16, n_bytes;
    while (n_slots / 4 * 3 < n)
        if (!allm__mul(n_slots, 2, &n_slots)) return 0;
    if (n_slots <= m->n_slots) return 1;
    if (!allm__mul(n_slots, sizeof(allm__slot), &n_bytes)) return 0;
    allm__map grown = {m->host, (allm__slot *)allm__alloc_zero(m->host, n_bytes, 64), n_slots, m->n_used, m->seed};
    if (!m->n_slots) grown.seed = allm__hash_seed(m);
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
    uint32_t    hash = allm__hash(m->seed, key.ptr, key.len);
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
 * bytes in memory are used in place. Knows other files by their first bytes. A cursor walks bytes with one sticky
 * error, so that readers need no check at every step. All numbers in files are little-endian and assembled bytewise. */

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

/* p[n] of a mapped file need not stay in memory: it is read from the file again when it is looked at again. */
static void allm__file_forget(const allm__file *f, const void *p, size_t n) {
#if defined(ALLM__POSIX) && defined(MADV_DONTNEED) && !defined(ABSTRACTLLM_NO_MMAP)
    const uintptr_t page = 4096, at = (uintptr_t)p, from = (at + page - 1) / page * page, to = (at + n) / page * page;
    if (f->mapped && at >= (uintptr_t)f->data && at < (uintptr_t)f->data + f->n_bytes && from < to)
        madvise((void *)from, to - from, MADV_DONTNEED);
#else
    (void)f, (void)p, (void)n;
#endif
}

/* Large memory that is read again and again is best held in large pages, where the system has them. */
static void allm__mem_large(void *p, size_t n) {
#if defined(ALLM__POSIX) && defined(MADV_HUGEPAGE)
    const uintptr_t page = (uintptr_t)1 << 21, from = ((uintptr_t)p + page - 1) / page * page,
                    to = ((uintptr_t)p + n) / page * page;
    if (from < to) madvise((void *)from, to - from, MADV_HUGEPAGE);
#else
    (void)p, (void)n;
#endif
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

/* Opens a regular file; -1 and an error for anything else. */
static int allm__file_open_fd(const char *path, uint64_t *size, allm_error *err) {
    int fd, failed, flags = O_RDONLY | O_NONBLOCK | O_NOCTTY; /* a FIFO must not keep us waiting for a writer */
#ifdef O_CLOEXEC
    flags |= O_CLOEXEC;
#endif
    do fd = open(path, flags);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        failed = errno;
        allm__fail(err, failed == ENOENT || failed == ENOTDIR ? ALLM_E_NOT_FOUND : ALLM_E_IO, path, -1,
                   "cannot open: %s", strerror(failed));
        return -1;
    }
    struct stat st;
    allm_status status = ALLM_OK;
    if (fstat(fd, &st) != 0) status = allm__fail(err, ALLM_E_IO, path, -1, "cannot stat: %s", strerror(errno));
    else if (S_ISDIR(st.st_mode)) status = allm__fail(err, ALLM_E_FORMAT, path, -1, "is a directory, expected a file");
    else if (!S_ISREG(st.st_mode)) status = allm__fail(err, ALLM_E_FORMAT, path, -1, "is not a regular file");
    if (!status) return *size = (uint64_t)st.st_size, fd;
    close(fd);
    return -1;
}

static allm_status allm__file_open_path(const allm__host *h, allm__file *f, const char *path, allm_error *err) {
    uint64_t    size   = 0;
    allm_status status = ALLM_OK;
    int         fd     = allm__file_open_fd(path, &size, err);
    if (fd < 0) return err->status;
    if (size > SIZE_MAX / 2) status = allm__fail(err, ALLM_E_MEMORY, path, -1, "too large for this machine");
    else {
#ifndef ABSTRACTLLM_NO_MMAP
        void *p = size ? mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
        if (p != MAP_FAILED) f->data = (const uint8_t *)p, f->n_bytes = (size_t)size, f->mapped = 1;
        else
#endif
            status = allm__file_read_all(h, f, size, allm__file_read_fd, &fd, err);
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

static HANDLE allm__file_open_handle(const char *path, uint64_t *size, allm_error *err) {
    wchar_t       wide[1024];
    LARGE_INTEGER n;
    if (!MultiByteToWideChar(CP_UTF8, 0, path, -1, wide, 1024))
        return allm__fail(err, ALLM_E_ARGUMENT, path, -1, "is not a valid path"), INVALID_HANDLE_VALUE;
    HANDLE file = CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE) {
        DWORD e = GetLastError();
        allm__fail(err, e == ERROR_FILE_NOT_FOUND || e == ERROR_PATH_NOT_FOUND ? ALLM_E_NOT_FOUND : ALLM_E_IO, path, -1,
                   "cannot open: Windows error %lu", (unsigned long)e);
    } else if (GetFileSizeEx(file, &n)) return *size = (uint64_t)n.QuadPart, file;
    else allm__fail(err, ALLM_E_IO, path, -1, "cannot tell its size"), CloseHandle(file);
    return INVALID_HANDLE_VALUE;
}

static allm_status allm__file_open_path(const allm__host *h, allm__file *f, const char *path, allm_error *err) {
    uint64_t    size   = 0;
    allm_status status = ALLM_OK;
    HANDLE      file   = allm__file_open_handle(path, &size, err);
    if (file == INVALID_HANDLE_VALUE) return err->status;
#ifndef ABSTRACTLLM_NO_MMAP
    HANDLE map = size ? CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL) : NULL;
    void  *p   = map ? MapViewOfFile(map, FILE_MAP_READ, 0, 0, 0) : NULL;
    if (map) CloseHandle(map);
    if (p) f->data = (const uint8_t *)p, f->n_bytes = (size_t)size, f->mapped = 1;
    else
#endif
        status = allm__file_read_all(h, f, size, allm__file_read_handle, &file, err);
    CloseHandle(file);
    return status;
}
#endif
#endif

/* Appends the bytes of a regular file to out, at most cap + 1 of them, so that cap + 1 says: it is larger. *size = what
 * the system says, or what was read where that is more (files of /proc have size 0). A file that may be written to
 * while we look is better read than mapped. */
static allm_status allm__file_read_text(const char *path, size_t cap, allm__buf *out, uint64_t *size, allm_error *err) {
#if !defined(ABSTRACTLLM_NO_STDIO) && (defined(ALLM__POSIX) || defined(ALLM__WINDOWS))
    size_t  n = 0, want;
    int64_t got = 1;
#if defined(ALLM__POSIX)
    int fd = allm__file_open_fd(path, size, err);
    if (fd < 0) return err->status;
#else
    HANDLE file = allm__file_open_handle(path, size, err);
    if (file == INVALID_HANDLE_VALUE) return err->status;
#endif
    for (; got > 0 && n <= cap; n += got > 0 ? (size_t)got : 0) {
        want      = (size_t)ALLM__MIN(cap + 1 - n, *size > n ? *size - n + 1 : 4096);
        char *dst = allm__buf_room(out, want);
        if (!dst) break;
#if defined(ALLM__POSIX)
        got = allm__file_read_fd(&fd, n, dst, want);
#else
        got = allm__file_read_handle(&file, n, dst, want);
#endif
        out->len -= want - (got > 0 ? (size_t)got : 0);
    }
#if defined(ALLM__POSIX)
    close(fd);
#else
    CloseHandle(file);
#endif
    *size = ALLM__MAX(*size, n);
    if (got < 0) return allm__fail(err, ALLM_E_IO, path, (int64_t)n, "read failed");
    return out->failed ? allm__fail_memory(err, n) : ALLM_OK;
#else
    (void)cap, (void)out, (void)size;
    return allm__fail(err, ALLM_E_UNSUPPORTED, path, -1, "file access is not in this build");
#endif
}

/* What a file is by its first bytes, of which a '.' may be any. Where letters alone would also begin a text, more of
 * the format's head is asked for, or it is known only as what was given for a model. */
typedef struct allm__file_head {
    const char *bytes;
    uint8_t     n;
    uint8_t     kind;
    const char *name;
} allm__file_head;

enum { ALLM__MAGIC_BINARY, ALLM__MAGIC_IMAGE /* for a vision model */, ALLM__MAGIC_TEXT /* or too short to tell */ };

static const allm__file_head allm__file_heads[] = {
    {"\x89PNG\r\n\x1a\n", 8, ALLM__MAGIC_IMAGE, "a PNG image"},
    {"\xff\xd8\xff", 3, ALLM__MAGIC_IMAGE, "a JPEG image"},
    {"GIF87a", 6, ALLM__MAGIC_IMAGE, "a GIF image"},
    {"GIF89a", 6, ALLM__MAGIC_IMAGE, "a GIF image"},
    {"RIFF....WEBP", 12, ALLM__MAGIC_IMAGE, "a WebP image"},
    {"BM....\0\0\0\0", 10, ALLM__MAGIC_IMAGE, "a BMP image"},
    {"II*\0", 4, ALLM__MAGIC_IMAGE, "a TIFF image"},
    {"MM\0*", 4, ALLM__MAGIC_IMAGE, "a TIFF image"},
    {"....ftypheic", 12, ALLM__MAGIC_IMAGE, "a HEIC image"},
    {"....ftypheix", 12, ALLM__MAGIC_IMAGE, "a HEIC image"},
    {"....ftypmif1", 12, ALLM__MAGIC_IMAGE, "a HEIC image"},
    {"....ftypavif", 12, ALLM__MAGIC_IMAGE, "an AVIF image"},
    {"%PDF-", 5, ALLM__MAGIC_BINARY, "a PDF document"},
    {"PK\3\4", 4, ALLM__MAGIC_BINARY, "a ZIP archive (also office documents and PyTorch files)"},
    {"\x1f\x8b\x08", 3, ALLM__MAGIC_BINARY, "a gzip file"},
    {"\x28\xb5\x2f\xfd", 4, ALLM__MAGIC_BINARY, "a Zstandard file"},
    {"\xfd" "7zXZ\0", 6, ALLM__MAGIC_BINARY, "an xz file"},
    {"BZh.1AY&SY", 10, ALLM__MAGIC_BINARY, "a bzip2 file"},
    {"\x7f" "ELF", 4, ALLM__MAGIC_BINARY, "an ELF program"},
    {"\xfe\xed\xfa\xce", 4, ALLM__MAGIC_BINARY, "a Mach-O program"},
    {"\xfe\xed\xfa\xcf", 4, ALLM__MAGIC_BINARY, "a Mach-O program"},
    {"\xce\xfa\xed\xfe", 4, ALLM__MAGIC_BINARY, "a Mach-O program"},
    {"\xcf\xfa\xed\xfe", 4, ALLM__MAGIC_BINARY, "a Mach-O program"},
    {"MZ...\0", 6, ALLM__MAGIC_BINARY, "a Windows program"},
    {"GGUF.\0\0\0", 8, ALLM__MAGIC_BINARY, "a GGUF model"},
    {"SQLite format 3\0", 16, ALLM__MAGIC_BINARY, "an SQLite database"},
    {"\0asm", 4, ALLM__MAGIC_BINARY, "a WebAssembly module"},
    {"\x89HDF", 4, ALLM__MAGIC_BINARY, "an HDF5 file"},
    {"\x80\x02", 2, ALLM__MAGIC_TEXT, "a Python pickle"},
    {"\0\0\0\0", 4, ALLM__MAGIC_TEXT, "zeros (perhaps an unfinished download)"},
    {"version https://git-lfs", 23, ALLM__MAGIC_TEXT, "a Git LFS pointer, not the file it points to"},
    {"<!", 2, ALLM__MAGIC_TEXT, "an HTML page (perhaps a failed download)"},
    {"<html", 5, ALLM__MAGIC_TEXT, "an HTML page (perhaps a failed download)"},
    {"<HTML", 5, ALLM__MAGIC_TEXT, "an HTML page (perhaps a failed download)"},
    {"<?xml", 5, ALLM__MAGIC_TEXT, "an XML file"},
    {"{", 1, ALLM__MAGIC_TEXT, "a JSON file"},
    {"lmgg", 4, ALLM__MAGIC_TEXT, "a model from before GGUF (GGML)"},
    {"fmgg", 4, ALLM__MAGIC_TEXT, "a model from before GGUF (GGMF)"},
    {"tjgg", 4, ALLM__MAGIC_TEXT, "a model from before GGUF (GGJT)"},
    {"algg", 4, ALLM__MAGIC_TEXT, "an adapter from before GGUF (GGLA)"},
    {"gguf", 4, ALLM__MAGIC_TEXT, "a damaged GGUF file"},
    {"FUGG", 4, ALLM__MAGIC_TEXT, "a damaged GGUF file"},
};

/* The row that p[n] begins with; text: those of kind TEXT count too. NULL: none. */
static const allm__file_head *allm__file_sniff(const uint8_t *p, size_t n, int text) {
    for (size_t i = 0; i < ALLM__COUNT(allm__file_heads); i++) {
        const allm__file_head *m = &allm__file_heads[i];
        size_t             k = 0;
        while (k < m->n && k < n && (m->bytes[k] == '.' || (uint8_t)m->bytes[k] == p[k])) k++;
        if (k == m->n && (text || m->kind != ALLM__MAGIC_TEXT)) return m;
    }
    return NULL;
}

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
    int32_t n_threads; /* parts of a stage; the caller is one of them; smaller once threads could not be started */
    int32_t busy;      /* 1: a region owns the pool */
#ifndef ABSTRACTLLM_NO_THREADS
    int32_t      n_workers; /* started */
    int32_t      epoch;     /* counts stages; a change starts one */
    int32_t      n_left;    /* workers that have not finished the stage */
    int32_t      n_asleep, stop;
    int32_t      taken[ABSTRACTLLM_MAX_THREADS][16]; /* epoch of the last stage whose part was claimed; a line each */
    allm_task    task;
    void        *arg;
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

/* Claims a part of a stage. It succeeds only while the stage goes on, so task and arg are read after it. */
static int allm__pool_claim(allm__pool *p, int32_t i_part, int32_t epoch) {
    return ALLM__CAS(&p->taken[i_part][0], (int32_t)((uint32_t)epoch - 1), epoch);
}

/* Runs the thread's own part, then those that nobody has begun: a thread that the system has put aside costs nothing
 * unless it was put aside in the middle of a part. */
static void allm__pool_take(allm__pool *p, int32_t first, int32_t epoch) {
    for (int32_t k = 0, n = ALLM__LOAD(&p->n_threads); k < n; k++) {
        int32_t i = (first + k) % n;
        if (!allm__pool_claim(p, i, epoch)) continue;
        p->task(p->arg, i, n);
        ALLM__ADD(&p->n_left, -1);
    }
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
        allm__pool_take(p, i_part, seen);
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

static int32_t allm__pool_publish(allm__pool *p) { /* the new epoch */
    int32_t epoch = ALLM__ADD(&p->epoch, 1);
    if (ALLM__LOAD(&p->n_asleep) == 0) return epoch;
    allm__lock(&p->mutex);
    allm__cond_all(&p->wake);
    allm__unlock(&p->mutex);
    return epoch;
}

/* Starts the workers at the first region; with fewer than wanted the pool is smaller. They take no signals: a host's
 * handlers run on the host's threads. What a thread's own instruction raises cannot be put off. */
static void allm__pool_start(allm__pool *p) {
    if (p->n_workers >= p->n_threads - 1) return;
#if defined(ALLM__POSIX) && defined(SIG_BLOCK) /* not declared when libc headers came first in a strict C build */
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    sigset_t         all, old;
    sigfillset(&all);
    for (size_t i = 0; i < ALLM__COUNT(own); i++) sigdelset(&all, own[i]);
    int blocked = pthread_sigmask(SIG_BLOCK, &all, &old) == 0;
#endif
    while (p->n_workers < p->n_threads - 1)
        if (allm__thread_start(&p->workers[p->n_workers], p)) p->n_workers++;
        else ALLM__STORE(&p->n_threads, p->n_workers + 1);
#if defined(ALLM__POSIX) && defined(SIG_BLOCK)
    if (blocked) pthread_sigmask(SIG_SETMASK, &old, NULL);
#endif
}
#endif

enum { ALLM__CPU_MAX = 1024 };

#if !defined(ABSTRACTLLM_NO_THREADS) && !defined(ALLM__WINDOWS) && defined(_SC_NPROCESSORS_ONLN)
/* The processors that this thread may run on, as bits; returns how many. Containers and taskset allow few of many. */
static int32_t allm__pool_cpus(uint32_t cpus[ALLM__CPU_MAX / 32]) {
    int32_t n = 0;
    memset(cpus, 0, ALLM__CPU_MAX / 8);
#if defined(__linux__)
    unsigned long mask[ALLM__CPU_MAX / 8 / sizeof(unsigned long)];
    const int     n_bits = (int)(8 * sizeof *mask);
    extern long   syscall(long number, ...); /* a strict C build whose libc headers came first does not declare it */
    memset(mask, 0, sizeof mask);
    if (syscall(SYS_sched_getaffinity, 0, sizeof mask, mask) > 0)
        for (int i = 0; i < ALLM__CPU_MAX; i++)
            if (mask[i / n_bits] >> i % n_bits & 1) cpus[i / 32] |= (uint32_t)1 << i % 32, n++;
    if (n) return n;
#endif
    n = (int32_t)ALLM__MAX(1, ALLM__MIN(sysconf(_SC_NPROCESSORS_ONLN), ALLM__CPU_MAX));
    for (int32_t i = 0; i < n; i++) cpus[i / 32] |= (uint32_t)1 << i % 32;
    return n;
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
    uint32_t cpus[ALLM__CPU_MAX / 32], cores[ALLM__CPU_MAX / 32] = {0}; /* a core by its first thread */
    int32_t  n = allm__pool_cpus(cpus), n_cores = 0;
#if defined(ABSTRACTLLM_NO_STDIO)
    n_cores = n, (void)cores;
#else
    for (int32_t i = 0; i < ALLM__CPU_MAX; i++) { /* of two threads of a core only one counts */
        char  path[96];
        FILE *f;
        int   first = -1;
        if (!(cpus[i / 32] >> i % 32 & 1)) continue;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", (int)i);
        if (!(f = fopen(path, "r"))) return n;
        for (int c; (c = fgetc(f)) >= '0' && c <= '9';) first = (first < 0 ? 0 : first % 100000 * 10) + (c - '0');
        fclose(f);
        if (first < 0 || first >= ALLM__CPU_MAX) first = i;
        n_cores += !(cores[first / 32] >> first % 32 & 1);
        cores[first / 32] |= (uint32_t)1 << first % 32;
    }
#endif
    return ALLM__MAX(n_cores, 1);
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
    if (ALLM__LOAD(&p->n_threads) == 1 || ALLM__SWAP(&p->busy, 1)) return alone;
#ifndef ABSTRACTLLM_NO_THREADS
    if (!p->parallel_for) allm__pool_start(p);
#endif
    team.n_parts = ALLM__LOAD(&p->n_threads);
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
        p->task = task, p->arg = arg;
        ALLM__STORE(&p->n_left, t->n_parts);
        allm__pool_take(p, 0, allm__pool_publish(p));
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
/* Owns: conversions of f16 (IEEE 754 binary16) and bf16, both ways, of e4m3 and e5m2 (OCP 8-bit floating point, OFP8)
 * and of the scales e8m0 (OCP microscaling formats, MX) to float; and the random sequence. All round to nearest, half
 * to even, and keep NaN. */

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

/* 1 sign, 4 exponent (bias 7), 3 fraction bits. No infinity: 448 is the largest, all bits set is NaN. */
ALLM__UNUSED static float allm__fp8_e4m3_to_f32(uint8_t b) {
    uint32_t sign = (uint32_t)(b & 0x80) << 24, e = b >> 3 & 15, m = b & 7;
    if (e == 15 && m == 7) return allm__float(sign | 0x7fc00000);
    if (e == 0) return allm__float(sign | allm__bits((float)m * 0x1p-9f));
    return allm__float(sign | (e + 120) << 23 | m << 20);
}

/* 1 sign, 5 exponent (bias 15), 2 fraction bits: the upper byte of an f16. */
ALLM__UNUSED static float allm__fp8_e5m2_to_f32(uint8_t b) { return allm__f16_to_f32((uint16_t)(b << 8)); }

/* A power of two, 2^(b - 127); 255 is NaN. */
ALLM__UNUSED static float allm__e8m0_to_f32(uint8_t b) {
    return allm__float(b == 255 ? 0x7fc00000 : b ? (uint32_t)b << 23 : 0x00400000 /* subnormal */);
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
#define ALLM__UNI_LT ALLM__UNI_GC(2)
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
#define ALLM__UNI_NORMAL ((uint64_t)1 << 41)    /* in NFC it may change, or what stands before it because of it */
/* Python's other predicates. */
#define ALLM__UNI_ALPHA ALLM__UNI_L
#define ALLM__UNI_DECIMAL ALLM__UNI_ND
#define ALLM__UNI_ALNUM (ALLM__UNI_L | ALLM__UNI_N)
#define ALLM__UNI_CASED (ALLM__UNI_UPPER | ALLM__UNI_LOWER | ALLM__UNI_LT)

static const char allm__uni_names[][3] = {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl",
                                          "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc",
                                          "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn"};

/* Packed tables are rows of 8 records, a record being numbers in base 64, as characters from '0' on, the highest
 * digit first. Those that are searched begin with a code point of three digits and ascend by it. */

/* ---- begin of generated tables: tools/gen_tables.py */
/* [class] number of its general category, and its properties */
static const struct { uint8_t category; uint16_t props; } allm__uni_classes[67] = {
    {0, 10}, {0, 522}, {1, 18}, {1, 530}, {2, 2}, {3, 130}, {3, 134}, {3, 146}, {3, 642}, {4, 2}, {4, 6}, {4, 18},
    {4, 514}, {4, 518}, {5, 130}, {5, 642}, {5, 658}, {6, 2}, {6, 6}, {6, 514}, {7, 130}, {8, 290}, {9, 258},
    {9, 262}, {9, 266}, {9, 274}, {10, 256}, {10, 258}, {10, 288}, {10, 290}, {11, 2}, {12, 0}, {13, 0}, {13, 512},
    {14, 0}, {14, 512}, {15, 0}, {15, 128}, {16, 0}, {16, 128}, {17, 0}, {17, 4}, {17, 128}, {17, 512}, {17, 640},
    {18, 0}, {18, 512}, {19, 0}, {20, 128}, {20, 640}, {21, 0}, {21, 4}, {21, 10}, {21, 18}, {21, 512}, {22, 65},
    {22, 577}, {23, 65}, {24, 65}, {25, 0}, {25, 64}, {25, 65}, {26, 128}, {27, 0}, {28, 0}, {29, 0}, {29, 256},
};
/* ranges of equal class: first code point, three digits, and class, counted from '(' */
enum { ALLM__N_UNI_RANGES = 4311 };
static const char allm__uni_ranges[539][33] = {
    "000c009e00>c00Ld00P_00QP00TW00UP", "00WR00XH00YJ00ZP00[U00\\P00]G00^R", "00_P00`=00jR00kP00lU00oP011(01KH",
    "01LP01MJ01NX01OF01PX01Q*01kH01lU", "01mJ01nU01oc025e026c02P_02QP02RW", "02VZ02WP02XX02YZ02Z302[L02\\U02]f",
    "02^Z02_X02`Z02aU02bE02dX02e*02fP", "02gR02hX02iE02j302kN02lC02oP030(", "03GU03H(03O*03gU03h*040(041*042(",
    "043*044(045*046(047*048(049*04:(", "04;*04<(04=*04>(04\?*04@(04A*04B(", "04C*04D(04E*04F(04G*04H(04I*04J(",
    "04K*04L(04M*04N(04O*04P(04Q*04R(", "04S*04T(04U*04V(04W*04X(04Y*04Z(", "04[*04\\(04]*04^(04_*04`(04a*04b(",
    "04c*04d(04e*04f(04g*04i(04j*04k(", "04l*04m(04n*04o(050*051(052*053(", "054*055(056*057(058*05:(05;*05<(",
    "05=*05>(05\?*05@(05A*05B(05C*05D(", "05E*05F(05G*05H(05I*05J(05K*05L(", "05M*05N(05O*05P(05Q*05R(05S*05T(",
    "05U*05V(05W*05X(05Y*05Z(05[*05\\(", "05]*05^(05_*05`(05a*05b(05c*05d(", "05e*05f(05g*05h(05j*05k(05l*05m(",
    "05n*061(063*064(065*066(068*069(", "06<*06>(06B*06C(06E*06F(06I*06L(", "06N*06O(06Q*06R(06S*06T(06U*06V(",
    "06X*06Y(06Z*06\\(06]*06^(06`*06a(", "06d*06e(06f*06g(06i*06k106l(06m*", "0701074(075,076*077(078,079*07:(",
    "07;,07<*07=(07>*07\?(07@*07A(07B*", "07C(07D*07E(07F*07G(07H*07I(07J*", "07K(07L*07N(07O*07P(07Q*07R(07S*",
    "07T(07U*07V(07W*07X(07Y*07Z(07[*", "07\\(07]*07^(07_*07a(07b,07c*07d(", "07e*07f(07i*07j(07k*07l(07m*07n(",
    "07o*080(081*082(083*084(085*086(", "087*088(089*08:(08;*08<(08=*08>(", "08\?*08@(08A*08B(08C*08D(08E*08F(",
    "08G*08H(08I*08J(08K*08L(08M*08N(", "08O*08P(08Q*08R(08S*08T(08U*08V(", "08W*08X(08Y*08Z(08[*08\\(08]*08^(",
    "08_*08`(08a*08b(08c*08j(08l*08m(", "08o*091(092*093(097*098(099*09:(", "09;*09<(09=*09>(09\?*0:D10:E*0:`/",
    "0:i-0;0/0;2X0;6-0;BX0;P/0;UX0;\\-", "0;]X0;^-0;_X0<070=580=670=\?60=@7", "0=`(0=a*0=b(0=c*0=d00=eX0=f(0=g*",
    "0=hi0=j/0=k*0=nS0=o(0>0i0>4X0>6(", "0>7T0>8(0>;i0><(0>=i0>>(0>@*0>A(",
    "0>Ri0>S(0>\\*0\?\?(0\?@*0\?B(0\?E*0\?H(", "0\?I*0\?J(0\?K*0\?L(0\?M*0\?N(0\?O*0\?P(",
    "0\?Q*0\?R(0\?S*0\?T(0\?U*0\?V(0\?W*0\?X(", "0\?Y*0\?Z(0\?[*0\?\\(0\?]*0\?^(0\?_*0\?d(",
    "0\?e*0\?fU0\?g(0\?h*0\?i(0\?k*0\?m(0@`*", "0AP(0AQ*0AR(0AS*0AT(0AU*0AV(0AW*",
    "0AX(0AY*0AZ(0A[*0A\\(0A]*0A^(0A_*", "0A`(0Aa*0Ab(0Ac*0Ad(0Ae*0Af(0Ag*", "0Ah(0Ai*0Aj(0Ak*0Al(0Am*0An(0Ao*",
    "0B0(0B1*0B2Z0B370B8<0B:(0B;*0B<(", "0B=*0B>(0B\?*0B@(0BA*0BB(0BC*0BD(", "0BE*0BF(0BG*0BH(0BI*0BJ(0BK*0BL(",
    "0BM*0BN(0BO*0BP(0BQ*0BR(0BS*0BT(", "0BU*0BV(0BW*0BX(0BY*0BZ(0B[*0B\\(", "0B]*0B^(0B_*0B`(0Ba*0Bb(0Bc*0Bd(",
    "0Be*0Bf(0Bg*0Bh(0Bi*0Bj(0Bk*0Bl(", "0Bm*0Bn(0Bo*0C0(0C2*0C3(0C4*0C5(", "0C6*0C7(0C8*0C9(0C:*0C;(0C<*0C=(",
    "0C>*0C@(0CA*0CB(0CC*0CD(0CE*0CF(", "0CG*0CH(0CI*0CJ(0CK*0CL(0CM*0CN(", "0CO*0CP(0CQ*0CR(0CS*0CT(0CU*0CV(",
    "0CW*0CX(0CY*0CZ(0C[*0C\\(0C]*0C^(", "0C_*0C`(0Ca*0Cb(0Cc*0Cd(0Ce*0Cf(", "0Cg*0Ch(0Ci*0Cj(0Ck*0Cl(0Cm*0Cn(",
    "0Co*0D0(0D1*0D2(0D3*0D4(0D5*0D6(", "0D7*0D8(0D9*0D:(0D;*0D<(0D=*0D>(", "0D\?*0D@(0DA*0DB(0DC*0DD(0DE*0DF(",
    "0DG*0DH(0DI*0DJ(0DK*0DL(0DM*0DN(", "0DO*0DP(0DQ*0DR(0DS*0DT(0DU*0DV(", "0DW*0DX(0DY*0DZ(0D[*0D\\(0D]*0D^(",
    "0D_*0D`i0Da(0EGi0EI-0EJP0EOR0EP*", "0F9P0F:G0F;i0F=Z0F\?W0F@i0FA70FnG", "0Fo70G0P0G170G3P0G470G6P0G770G8i",
    "0G@10G[i0G_10GcP0GdR0Gei0H0f0H6U", "0H9P0H;W0H<P0H>Z0H@70HKP0HLf0HMP", "0HP10I0-0I110I;70IP=0IZP0I^10I`7",
    "0Ia10KDP0KE10KF70KMf0KNZ0KO70KU-", "0KW70KYZ0KZ70K^10K`=0Kj10KmZ0Ko1", "0L0P0L>i0L\?f0L@10LA70LB10L`70M;i",
    "0M=10NV60Na10Nbi0O0=0O:10O[70Od-", "0OfZ0OgP0Oj-0Oki0Om60OnW0P010PF7", "0PJ-0PK70PT-0PU70PX-0PY70P^i0P`P",
    "0Poi0Q010QI70QLi0QNP0QOi0QP10Q[i", "0Q`10R8X0R910R\?i0R@f0RBi0RG60RP1", "0S9-0S:60SD70SRf0SS70T060T390T41",
    "0Tj60Tk90Tl70Tm10Tn90U160U990U=7", "0U>90U@10UA70UE60UH40UP10UR60UTP", "0UV=0U`P0Ua-0Ub10V160V290V4i0V51",
    "0V=i0V\?10VAi0VC10VYi0VZ10Vai0Vb1", "0Vci0Vf10Vji0Vl70Vm10Vn;0Vo90W16", "0W5i0W790W9i0W;90W=70W>10W\?i0WG;",
    "0WHi0WL40WNi0WO40WP10WR60WTi0WV=", "0W`10WbW0WdB0WjZ0WkW0Wl10WmP0Wn6", "0Woi0X160X390X4i0X510X;i0X\?10XAi",
    "0XC10XYi0XZ10Xai0Xb10Xc40Xdi0Xe1", "0Xf40Xgi0Xh10Xji0Xl70Xmi0Xn90Y16", "0Y3i0Y760Y9i0Y;60Y=70Y>i0YA60YBi",
    "0YI40YL10YMi0YN40YOi0YV=0Y`60Yb1", "0Ye60YfP0Ygi0Z160Z390Z4i0Z510Z>i", "0Z\?10ZBi0ZC10ZYi0ZZ10Zai0Zb10Zdi",
    "0Ze10Zji0Zl70Zm10Zn90[160[6i0[76", "0[990[:i0[;90[=70[>i0[@10[Ai0[P1", "0[R60[Ti0[V=0[`P0[aW0[bi0[i10[j6",
    "0\\0i0\\160\\290\\4i0\\510\\=i0\\\?10\\Ai", "0\\C10\\Yi0\\Z10\\ai0\\b10\\di0\\e10\\ji",
    "0\\l70\\m10\\n;0\\o60]090]160]5i0]79", "0]9i0];90]=70]>i0]E60]F70]G;0]Hi", "0]L40]Ni0]O10]R60]Ti0]V=0]`Z0]a1",
    "0]bB0]hi0^260^310^4i0^510^;i0^>1", "0^Ai0^B10^Fi0^I10^Ki0^L10^Mi0^N1", "0^Pi0^S10^Ui0^X10^[i0^^10^ji0^n;",
    "0^o90_060_190_3i0_690_9i0_:90_=7", "0_>i0_@10_Ai0_G;0_Hi0_V=0_`B0_cZ", "0_iW0_jZ0_ki0`060`190`460`510`=i",
    "0`>10`Ai0`B10`Yi0`Z10`ji0`l60`m1", "0`n60a190a5i0a660a9i0a:60a=70a>i", "0aE70aGi0aH10aKi0aM10aNi0aP10aR6",
    "0aTi0aV=0a`i0agP0ahB0aoZ0b010b16", "0b290b4P0b510b=i0b>10bAi0bB10bYi", "0bZ10bdi0be10bji0bl70bm10bn90bo6",
    "0c090c2;0c390c5i0c660c790c9i0c:9", "0c<60c=70c>i0cE;0cGi0cM10cOi0cP1", "0cR60cTi0cV=0c`i0ca10cc90cdi0d06",
    "0d290d410d=i0d>10dAi0dB10dk60dm1", "0dn;0do90e160e5i0e690e9i0e:90e=7", "0e>10e\?Z0e@i0eD10eG;0eHB0eO10eR6",
    "0eTi0eV=0e`B0eiZ0ej10f0i0f160f29", "0f4i0f510fGi0fJ10fbi0fc10fli0fm1", "0fni0g010g7i0g:70g;i0g\?;0g@90gB6",
    "0gEi0gF60gGi0gH90gO;0gPi0gV=0g`i", "0gb90gdP0gei0h110ha60hb10hd60hh7", "0hki0hoW0i010i6-0i760i870i<60i\?P",
    "0i@=0iJP0iLi0j110j3i0j410j5i0j61", "0j;i0j<10jTi0jU10jVi0jW10ja60jb1", "0jd60jh70jj60jm10jni0k010k5i0k6-",
    "0k7i0k870k<60k\?i0k@=0kJi0kL10kPi", "0l010l1Z0l4P0lCZ0lDP0lEZ0lH70lJZ", "0lP=0lZB0ldZ0le70lfZ0lg70lhZ0li7",
    "0ljH0lkJ0llH0lmJ0ln90m010m340m41", "0m8i0m910m=40m>10mB40mC10mG40mH1", "0mL40mM10mY40mZ10m]i0ma70mg60mh7",
    "0mi60mj70mn60mo90n070n5P0n670n81", "0n=60nC70nD60nHi0nI60nM70nN60nR7", "0nS60nW70nX60n\\70n]60ne70nf60ng7",
    "0nh60ni70nj60nmi0nnZ0o670o7Z0o=i", "0o>Z0o@P0oEZ0oIP0oKi100110[910]6", "10^710_610a910b610g710h910i710k9",
    "10m610o1110=11:P11@111F911H611J1", "11N611Q111R911U111W911^111a611e1", "122612391256127912=712>112\?912@=",
    "12J912M612NZ12P(136i137(138i13=(", "13>i13@*13kP13l-13m*140115Q415f1", "16X41731199i19:119>i19@119Gi19H1",
    "19Ii19J119Ni19P11:9i1::11:>i1:@1", "1:ai1:b11:fi1:h11:oi1;011;1i1;21", "1;6i1;811;Gi1;H11<Ai1<B11<Fi1<H1",
    "1=Ki1=M71=PP1=YD1=bB1=mi1>011>@Z", "1>Ji1>P(1\?fi1\?h*1\?ni1@0G1@111I]Z", "1I^P1I_11J0_1J111JKH1JLJ1JMi1JP1",
    "1K[P1K^>1Ka11Kii1L011LB61LD71LE9", "1LFi1LO11Lb61Ld;1LeP1Lgi1M011MB6", "1MDi1MP11M]i1M^11Mai1Mb61Mdi1N01",
    "1Nd61Nf91Ng61Nn91O661O791O961OB7", "1OC61ODP1OG-1OHP1OKW1OL11OM71ONi", "1OP=1OZi1O`B1Oji1P0P1P6G1P7P1P;6",
    "1P>f1P\?61P@=1PJi1PP11Q3-1Q411Qii", "1R011R561R711RY71RZ11R[i1R`11Sfi", "1T011TOi1TP61TS91TW61TY91T\\i1T`9",
    "1Tb61Tc91Ti71Tli1U0Z1U1i1U4P1U6=", "1U@11U^i1U`11Uei1V011V\\i1V`11W:i", "1W@=1WJD1WKi1WNZ1X011XG71XI91XK6",
    "1XLi1XNP1XP11YE91YF61YG91YH61YOi", "1YP71YQ91YR61YS91YU61Y]91Yc61Ye7", "1Ymi1Yo71Z0=1Z:i1Z@=1ZJi1ZPP1ZW-",
    "1ZXP1Z^i1Z`71Zn<1Zo61[\?i1\\061\\49", "1\\511\\d71\\e;1\\f61\\k91\\l61\\m91]26",
    "1]391]4;1]511]=i1]>P1]@=1]JP1]QZ", "1][71]dZ1]mP1^061^291^311^Q91^R6", "1^V91^X61^Z;1^[71^\\61^^11^`=1^j1",
    "1_V71_W91_X61_Z91_]61_^91__61_b;", "1_di1_lP1`011`T91`\\61`d91`f61`g7", "1`hi1`kP1a0=1a:i1a=11a@=1aJ11ah-",
    "1anP1b0*1b9(1b:*1b;i1b@(1bki1bm(", "1c0P1c8i1c@71cCP1cD71cQ91cR71cY1", "1c]71c^11cd71ce11cg91ch71cj11cki",
    "1d0*1d\\/1e[*1eh/1ei*1fK/1g071gf6", "1gk71h0(1h1*1h2(1h3*1h4(1h5*1h6(", "1h7*1h8(1h9*1h:(1h;*1h<(1h=*1h>(",
    "1h\?*1h@(1hA*1hB(1hC*1hD(1hE*1hF(", "1hG*1hH(1hI*1hJ(1hK*1hL(1hM*1hN(", "1hO*1hP(1hQ*1hR(1hS*1hT(1hU*1hV(",
    "1hW*1hX(1hY*1hZ(1h[*1h\\(1h]*1h^(", "1h_*1h`(1ha*1hb(1hc*1hd(1he*1hf(", "1hg*1hh(1hi*1hj(1hk*1hl(1hm*1hn(",
    "1ho*1i0(1i1*1i2(1i3*1i4(1i5*1i6(", "1i7*1i8(1i9*1i:(1i;*1i<(1i=*1i>(", "1i\?*1i@(1iA*1iB(1iC*1iD(1iE*1iF(",
    "1iG*1iH(1iI*1iJ(1iK*1iL(1iM*1iN(", "1iO*1iP(1iQ*1iR(1iS*1iT(1iU*1iV(", "1iW*1iX(1iY*1iZ(1i[*1i\\(1i]*1i^(",
    "1i_*1i`(1ia*1ib(1ic*1id(1ie*1if(", "1ig*1ih(1ii*1ij(1ik*1il(1im*1in(", "1io*1j0(1j1*1j2(1j3*1j4(1j5*1j6(",
    "1j7*1j8(1j9*1j:(1j;*1j<(1j=*1j>(", "1j\?*1j@(1jA*1jB(1jC*1jD(1jE*1jN(", "1jO*1jP(1jQ*1jR(1jS*1jT(1jU*1jV(",
    "1jW*1jX(1jY*1jZ(1j[*1j\\(1j]*1j^(", "1j_*1j`(1ja*1jb(1jc*1jd(1je*1jf(", "1jg*1jh(1ji*1jj(1jk*1jl(1jm*1jn(",
    "1jo*1k0(1k1*1k2(1k3*1k4(1k5*1k6(", "1k7*1k8(1k9*1k:(1k;*1k<(1k=*1k>(", "1k\?*1k@(1kA*1kB(1kC*1kD(1kE*1kF(",
    "1kG*1kH(1kI*1kJ(1kK*1kL(1kM*1kN(", "1kO*1kP(1kQ*1kR(1kS*1kT(1kU*1kV(", "1kW*1kX(1kY*1kZ(1k[*1k\\(1k]*1k^(",
    "1k_*1k`(1ka*1kb(1kc*1kd(1ke*1kf(", "1kg*1kh(1ki*1kj(1kk*1kl(1km*1kn(", "1ko*1l8(1l@*1lFi1lH(1lNi1lP*1lX(",
    "1l`*1lh(1m0*1m6i1m8(1m>i1m@*1mHi", "1mI(1mJi1mK(1mLi1mM(1mNi1mO(1mP*", "1mX(1m`*1ma+1mb*1mc+1md*1me+1mf*",
    "1mg+1mh*1mi+1mj*1mk+1ml*1mm+1mni", "1n0*1n8,1n@*1nH,1nP*1nX,1n`*1nei", "1nf*1nh(1nk)1nl,1nmX1nn+1noX1o2*",
    "1o5i1o6*1o8(1o9)1o:(1o;)1o<,1o=X", "1o@*1oC+1oDi1oF*1oH(1oK)1oLi1oMX", "1oP*1oS+1oT*1oX(1o[)1o\\(1o]X1o^Y",
    "1o`i1ob*1oei1of*1oh(1oi)1oj(1ok)", "1ol,1omY1onX1ooi200`202_20;f20@G", "20FP20HM20IO20JH20KL20MN20NH20OL",
    "20PP20TR20UP20WR20Xa20Yb20Zf20__", "20`P20iL20jN20kP20oF211P214U215H", "216J217P21BU21CP21DF21EP21O_21Pf",
    "21Ui21Vf21`D21a/21bi21dD21jU21mH", "21nJ21o/220D22:U22=H22>J22\?i22@/", "22Mi22PW231i23@723M<23Q723R<23U7",
    "23ai240Z242(243Z247(248Z24:*24;(", "24>*24@(24C*24DZ24E(24FZ24HU24I(", "24NZ24T(24UZ24V)24WZ24X(24YZ24Z)",
    "24\\(24^Z24_*24`(24d*24e124i*24jZ", "24l*24n(250U255(256*25:Z25;U25<Z", "25>*25\?Z25@B25P@25`A260>263(264*",
    "265>269B26:Z26<i26@U26EZ26JU26LZ", "26PU26QZ26SU26TZ26VU26WZ26^U26_Z", "27>U27@Z27BU27CZ27DU27EZ27dU2<0Z",
    "2<8H2<9J2<:H2<;J2<<Z2<PU2<RZ2<YI", "2<ZK2<[Z2=lU2=mZ2>KU2>dZ2\?LU2\?RZ", "2@Zi2A0Z2A;i2APD2AYB2AdD2AmB2B8D",
    "2BAB2BLZ2Bf\\2C@]2CZD2C[B2CeD2CnB", "2CoD2D0Z2FgU2FhZ2G1U2G2Z2GhU2H0Z", "2I_U2I`Z2MXH2MYJ2MZH2M[J2M\\H2M]J",
    "2M^H2M_J2M`H2MaJ2MbH2McJ2MdH2MeJ", "2MfD2MoB2N0D2N9B2N:D2NCB2NDZ2O0U", "2O5H2O6J2O7U2OVH2OWJ2OXH2OYJ2OZH",
    "2O[J2O\\H2O]J2O^H2O_J2O`U2P0Z2T0U", "2V3H2V4J2V5H2V6J2V7H2V8J2V9H2V:J", "2V;H2V<J2V=H2V>J2V\?H2V@J2VAH2VBJ",
    "2VCH2VDJ2VEH2VFJ2VGH2VHJ2VIU2WHH", "2WIJ2WJH2WKJ2WLU2WlH2WmJ2WnU2[LV", "2[MU2\\0Z2\\`U2]5Z2]7U2]=Z2]di2]fZ",
    "2^Fi2^GZ2`0(2``*2aP(2aQ*2aR(2aU*", "2aW(2aX*2aY(2aZ*2a[(2a\\*2a](2aa*", "2ab(2ac*2ae(2af*2al/2an(2b1*2b2(",
    "2b3*2b4(2b5*2b6(2b7*2b8(2b9*2b:(", "2b;*2b<(2b=*2b>(2b\?*2b@(2bA*2bB(", "2bC*2bD(2bE*2bF(2bG*2bH(2bI*2bJ(",
    "2bK*2bL(2bM*2bN(2bO*2bP(2bQ*2bR(", "2bS*2bT(2bU*2bV(2bW*2bX(2bY*2bZ(", "2b[*2b\\(2b]*2b^(2b_*2b`(2ba*2bb(",
    "2bc*2bd(2be*2bf(2bg*2bh(2bi*2bj(", "2bk*2bl(2bm*2bn(2bo*2c0(2c1*2c2(", "2c3*2c4(2c5*2c6(2c7*2c8(2c9*2c:(",
    "2c;*2c<(2c=*2c>(2c\?*2c@(2cA*2cB(", "2cC*2cD(2cE*2cF(2cG*2cH(2cI*2cJ(", "2cK*2cL(2cM*2cN(2cO*2cP(2cQ*2cR(",
    "2cS*2cUZ2c[(2c\\*2c](2c^*2c_72cb(", "2cc*2cdi2ciP2cmB2cnP2d0*2dVi2dW*", "2dXi2d]*2d^i2d`12eXi2e_-2e`P2eai",
    "2eo72f012fGi2fP12fWi2fX12f_i2f`1", "2fgi2fh12foi2g012g7i2g812g\?i2g@1", "2gGi2gH12gOi2gP72h0P2h2L2h3N2h4L",
    "2h5N2h6P2h9L2h:N2h;P2h<L2h=N2h>P", "2hGG2hHP2hJG2hKP2hLL2hMN2hNP2hPL", "2hQN2hRH2hSJ2hTH2hUJ2hVH2hWJ2hXH",
    "2hYJ2hZP2h_-2h`P2hjG2hlP2i0G2i1P", "2i2H2i3P2i@Z2iBP2iEH2iFJ2iGH2iHJ", "2iIH2iJJ2iKH2iLJ2iMG2iNi2j0[2jJi",
    "2jK[2kdi2l0[2oFi2o`Z300_301P304Z", "305.3061307\?308H309J30:H30;J30<H", "30=J30>H30\?J30@H30AJ30BZ30DH30EJ",
    "30FH30GJ30HH30IJ30JH30KJ30LG30MH", "30NJ30PZ30Q\?30Z730^;30`G30a-30fZ", "30h\?30k.30l130mP30nZ310i311132Gi",
    "32I732KX32M-32O132PG32Q133kP33l-", "33o1340i345134`i34a136\?i36@Z36BB", "36FZ36P1370Z37Vi37_Z37`1380Z38Oi",
    "38PB38ZZ398B39@Z39AB39PZ3:0B3::Z", "3:aB3;0Z3@024g0Z4h02:001:0E-:0F1", ":B=i:B@Z:C7i:C@1:Ch-:CnP:D01:H<-",
    ":H=P:H@1:HP=:HZ1:H\\i:I0(:I1*:I2(", ":I3*:I4(:I5*:I6(:I7*:I8(:I9*:I:(", ":I;*:I<(:I=*:I>(:I\?*:I@(:IA*:IB(",
    ":IC*:ID(:IE*:IF(:IG*:IH(:II*:IJ(", ":IK*:IL(:IM*:IN(:IO*:IP(:IQ*:IR(", ":IS*:IT(:IU*:IV(:IW*:IX(:IY*:IZ(",
    ":I[*:I\\(:I]*:I^1:I_7:I`<:IcP:Id7", ":InP:Io-:J0(:J1*:J2(:J3*:J4(:J5*", ":J6(:J7*:J8(:J9*:J:(:J;*:J<(:J=*",
    ":J>(:J\?*:J@(:JA*:JB(:JC*:JD(:JE*", ":JF(:JG*:JH(:JI*:JJ(:JK*:JL/:JN7", ":JP1:KV>:K`7:KbP:Khi:L0X:LG-:LPX",
    ":LR(:LS*:LT(:LU*:LV(:LW*:LX(:LY*", ":LZ(:L[*:L\\(:L]*:L^(:L_*:Lb(:Lc*", ":Ld(:Le*:Lf(:Lg*:Lh(:Li*:Lj(:Lk*",
    ":Ll(:Lm*:Ln(:Lo*:M0(:M1*:M2(:M3*", ":M4(:M5*:M6(:M7*:M8(:M9*:M:(:M;*", ":M<(:M=*:M>(:M\?*:M@(:MA*:MB(:MC*",
    ":MD(:ME*:MF(:MG*:MH(:MI*:MJ(:MK*", ":ML(:MM*:MN(:MO*:MP(:MQ*:MR(:MS*", ":MT(:MU*:MV(:MW*:MX(:MY*:MZ(:M[*",
    ":M\\(:M]*:M^(:M_*:M`/:Ma*:Mi(:Mj*", ":Mk(:Ml*:Mm(:Mo*:N0(:N1*:N2(:N3*", ":N4(:N5*:N6(:N7*:N8-:N9X:N;(:N<*",
    ":N=(:N>*:N\?1:N@(:NA*:NB(:NC*:NF(", ":NG*:NH(:NI*:NJ(:NK*:NL(:NM*:NN(", ":NO*:NP(:NQ*:NR(:NS*:NT(:NU*:NV(",
    ":NW*:NX(:NY*:NZ(:N_*:N`(:Ne*:Nf(", ":Ng*:Nh(:Ni*:Nj(:Nk*:Nl(:Nm*:Nn(", ":No*:O0(:O1*:O2(:O3*:O4(:O8*:O9(",
    ":O:*:O;(:O=*:O>i:O@(:OA*:OBi:OC*", ":ODi:OE*:OF(:OG*:OH(:OI*:OJ(:OK*", ":OL(:OMi:Ob-:Oe(:Of*:Og1:Oh/:Oj*",
    ":Ok1:P26:P31:P67:P71:P;6:P<1:PS9", ":PU6:PW9:PXZ:P\\6:P]i:P`B:PfZ:PhW", ":PiZ:Pji:Q01:QdP:Qhi:R09:R21:Rd9",
    ":S47:S56:S6i:S>P:S@=:SJi:SP7:Sb1", ":ShP:Sk1:SlP:Sm1:So6:T0=:T:1:TV6", ":T[7:T^P:T`1:U76:UB9:UC;:UDi:UOP",
    ":UP1:Umi:V06:V39:V41:Vc7:Vd9:Vf6", ":Vj9:Vl6:Vn9:W0;:W1P:W>i:W\?-:W@=", ":WJi:WNP:WP1:WU6:WV-:WW1:W`=:Wj1",
    ":Woi:X01:XY6:X_9:Xa6:Xc9:Xe6:Xgi", ":Y01:Y36:Y41:Y<6:Y=9:Y>i:Y@=:YJi", ":YLP:YP1:Y`-:Ya1:YgZ:Yj1:Yk9:Yl6",
    ":Ym9:Yn1:Z`7:Za1:Zb7:Ze1:Zg7:Zi1", ":Zn7:[01:[17:[21:[3i:[K1:[M-:[NP", ":[P1:[[9:[\\6:[^9:[`P:[b1:[c-:[e9",
    ":[f7:[gi:\\11:\\7i:\\91:\\\?i:\\A1:\\Gi", ":\\P1:\\Wi:\\X1:\\_i:\\`*:]KX:]L/:]P*",
    ":]Y-:]ZX:]\\i:]`*:_01:_S9:_U6:_V9", ":_X6:_Y9:_[P:_\\9:_]7:_^i:_`=:_ji", ":`01=NTi=N`1=O7i=O;1=Oli=P0g>00h",
    "\?T05\?X>2\?X@5\?XA2\?XB5\?XC2\?XE5\?XO2", "\?XP5\?XQ2\?XR5\?XS2\?XU5\?XW2\?XZ5\?Y^i",
    "\?Y`5\?[Ji\?\\0*\?\\7i\?\\C*\?\\Hi\?\\M4\?\\N7", "\?\\O4\?\\P1\?\\YU\?\\Z4\?\\gi\?\\h4\?\\mi\?\\n4",
    "\?\\oi\?]04\?]2i\?]34\?]5i\?]64\?]\?1\?^bX", "\?_3i\?_C1\?dnJ\?doH\?e0Z\?e@1\?f@i\?fB1",
    "\?g8i\?g\?Z\?g@i\?g`1\?glW\?gmZ\?h06\?h@P", "\?hCR\?hDP\?hGH\?hHJ\?hIP\?hJi\?hP7\?h`P",
    "\?haG\?hcF\?heH\?hfJ\?hgH\?hhJ\?hiH\?hjJ", "\?hkH\?hlJ\?hmH\?hnJ\?hoH\?i0J\?i1H\?i2J",
    "\?i3H\?i4J\?i5P\?i7H\?i8J\?i9P\?i=F\?i@P", "\?iBR\?iCi\?iDP\?iER\?iFP\?iHG\?iIH\?iJJ",
    "\?iKH\?iLJ\?iMH\?iNJ\?iOP\?iRU\?iSG\?iTU", "\?iWi\?iXP\?iYW\?iZP\?i\\i\?i`1\?iei\?if1",
    "\?kmi\?kof\?l0i\?l1P\?l4W\?l5P\?l7R\?l8H", "\?l9J\?l:P\?l;U\?l<P\?l=G\?l>R\?l\?P\?l@=",
    "\?lJR\?lKP\?lLU\?lOP\?lQ(\?lkH\?llP\?lmJ", "\?lnX\?loF\?m0X\?m1*\?mKH\?mLU\?mMJ\?mNU",
    "\?mOH\?mPJ\?mQP\?mRH\?mSJ\?mTP\?mV1\?m`-", "\?ma1\?nN-\?nP1\?noi\?o21\?o8i\?o:1\?o@i",
    "\?oB1\?oHi\?oJ1\?oMi\?oPW\?oRU\?oSX\?oTZ", "\?oUW\?oWi\?oXZ\?oYU\?o]Z\?o_i\?oif\?olZ",
    "\?oni@001@0<i@0=1@0Wi@0X1@0ki@0l1", "@0ni@0o1@1>i@1@1@1Ni@201@3ki@40P", "@43i@47B@4di@4gZ@50>@5eB@5iZ@6:B",
    "@6<Z@6\?i@6@Z@6Mi@6PZ@6Qi@7@Z@7m7", "@7ni@:01@:Mi@:P1@;Ai@;P7@;QB@;li", "@<01@<PB@<Ti@<]1@=1>@=21@=:>@=;i",
    "@=@1@=f7@=ki@>01@>Ni@>OP@>P1@\?4i", "@\?81@\?@P@\?A>@\?Fi@@0(@@X*@A@1@BNi", "@BP=@BZi@B`(@CDi@CH*@Cli@D01@DXi",
    "@D`1@ETi@E_P@E`(@Eki@El(@F;i@F<(", "@FCi@FD(@FFi@FG*@FRi@FS*@Fbi@Fc*", "@Fji@Fk*@Fmi@G01@Gdi@H01@Lgi@M01",
    "@MFi@MP1@MXi@N0/@N1-@N3/@N6i@N7/", "@Nai@Nb/@Nki@P01@P6i@P81@P9i@P:1", "@Pfi@Pg1@Pii@Pl1@Pmi@Po1@QFi@QGP",
    "@QHB@QP1@QgZ@QiB@R01@ROi@RWB@R`i", "@SP1@Sci@Sd1@Sfi@SkB@T01@TFB@TLi", "@TOP@TP1@Tji@ToP@U0i@V01@Vhi@VlB",
    "@Vn1@W0B@W@i@WBB@X01@X16@X4i@X56", "@X7i@X<6@X=7@X>6@X\?7@X@1@XDi@XE1", "@XHi@XI1@Xfi@Xh7@Xki@Xo7@Y0D@Y4B",
    "@Y9i@Y@P@YIi@YP1@YmB@YoP@Z01@ZMB", "@ZPi@[01@[8Z@[91@[U7@[Wi@[[B@[`P", "@[gi@\\01@\\fi@\\iP@]01@]Fi@]HB@]P1",
    "@]ci@]hB@^01@^Bi@^IP@^Mi@^YB@^`i", "@`01@a9i@b0(@bci@c0*@cci@cjB@d01", "@dT6@dXi@d`=@dji@e0=@e:1@e>-@e\?1",
    "@e@(@eVi@eY6@e^G@e_-@e`*@f6i@f>U", "@f@i@iPD@iYB@ioi@j01@jZi@j[6@j]G", "@j^i@j`1@jbi@k21@k5i@kl6@l01@lMB",
    "@lW1@lXi@l`1@m66@mAB@mEP@mJi@m`1", "@n26@n6P@n:i@n`1@o5B@o<i@oP1@ogi", "A009A016A029A031A0h6A167A17PA1>i",
    "A1BDA1KBA1V=A1`6A1a1A1c6A1e1A1fi", "A1o7A206A229A231A2`9A2c6A2g9A2i7", "A2kPA2mfA2nPA326A33iA3=fA3>iA3@1",
    "A3YiA3`=A3jiA407A431A4W7A4X6A4\\9", "A4]6A4c7A4eiA4f=A50PA541A559A571", "A58iA5@1A5c7A5dPA5f1A5giA606A629",
    "A631A6c9A6f6A6o9A70;A711A75PA796", "A7:7A7;6A7=PA7>9A7\?6A7@=A7J1A7KP", "A7L1A7MPA7PiA7QBA7eiA801A8BiA8C1",
    "A8\\9A8_6A8b9A8d6A8e;A8f7A8g6A8hP", "A8n6A8o1A916A92iA:01A:7iA:81A:9i", "A::1A:>iA:\?1A:NiA:O1A:YPA:ZiA:`1",
    "A;O6A;P9A;S6A;Y7A;[iA;`=A;jiA<06", "A<29A<4iA<51A<=iA<\?1A<AiA<C1A<Yi", "A<Z1A<aiA<b1A<diA<e1A<jiA<k6A<l7",
    "A<m1A<n;A<o9A=06A=19A=5iA=79A=9i", "A=;9A==;A=>iA=@1A=AiA=G;A=HiA=M1", "A=R9A=TiA=V7A=]iA=`7A=eiA>01A>:i",
    "A>;1A><iA>>1A>\?iA>@1A>fiA>g1A>h9", "A>k6A\?1iA\?29A\?3iA\?59A\?6iA\?79A\?;i",
    "A\?<9A\?>6A\?\?9A\?@6A\?A1A\?B6A\?C1A\?DP", "A\?FiA\?GPA\?IiA\?Q6A\?SiA@01A@e9A@h6",
    "AA09AA27AA36AA59AA67AA71AA;PAA@=", "AAJPAALiAAMPAAN6AAO1AARiAB01AB`;", "ABa9ABc6ABi9ABj7ABk9ABm;ABn9ABo6",
    "AC19AC27AC41AC6PAC71AC8iAC@=ACJi", "AF01AF_;AF`9AFb6AFfiAFh9AFl6AFn9", "AFo7AG1PAGH1AGL6AGNiAH01AH`9AHc6",
    "AHk9AHm6AHn9AHo7AI06AI1PAI41AI5i", "AI@=AIJiAIPPAI]iAJ01AJ[6AJ\\9AJ]6", "AJ^9AJ`6AJf;AJg7AJh1AJiPAJjiAK0=",
    "AK:iAK@=AKTiAL01ALKiALM6ALN9ALO6", "ALP9ALR6ALV9ALW6AL[7AL\\iAL`=ALjB", "ALlPALoZAM01AM7iAP01AP\\9AP_6APh9",
    "APi6APkPAPliARP(AS0*ASP=ASZBASci", "ASo1AT7iAT91AT:iAT<1ATDiATE1ATGi", "ATH1AT`9ATfiATg9ATiiATk6ATm9ATn6",
    "ATo1AU09AU11AU29AU36AU4PAU7iAU@=", "AUJiAVP1AVXiAVZ1AWA9AWD6AWHiAWJ6", "AWL9AWP6AWQ1AWRPAWS1AWT9AWUiAX01",
    "AX16AX;1AXc6AXi9AXj1AXk6AXoPAY76", "AY8iAY@1AYA6AYG9AYI6AYL1AZ:6AZG9", "AZH6AZJPAZM1AZNPAZSiAZ`1A[iiA\\0P",
    "A\\:iA_01A_QPA_RiA_`=A_jiA`01A`9i", "A`:1A`_9A``6A`giA`h6A`n9A`o7Aa01", "Aa1PAa6iAa@=AaJBAa]iAa`PAab1Ab@i",
    "AbB6AbXiAbY9AbZ6Aba9Abb6Abd9Abe6", "AbgiAd01Ad7iAd81Ad:iAd;1Ada6Adgi", "Adj6AdkiAdl6AdniAdo6Ae61Ae76Ae8i",
    "Ae@=AeJiAeP1AeViAeW1AeYiAeZ1Af:9", "Af\?iAf@6AfBiAfC9AfE6AfF9AfG6AfH1", "AfIiAfP=AfZiAgPjAgZiAkP1Akc6Ake9",
    "AkgPAkiiAl06Al21Al39Al41AlAiAlB1", "Ald9Alf6AlkiAln9Am06Am19Am26Am3P", "Am@=AmJ6AmKiAn`1AnaiAo0BAoEZAoMW",
    "AoQZAobiAooPB001B>JiB@0>BA_iBA`P", "BAeiBB01BE4iBn@1BoaPBociC001C@`f", "CA06CA11CA76CAFiCAP1D\?kiD@01DI7i",
    "F401F4N6F4Z9F4]6F4`=F4jiFP01FXii", "FY01FYOiFYP=FYZiFY^PFY`1FZoiF[0=", "F[:iF[@1F[^iF[`7F[ePF[fiF\\01F\\`7",
    "F\\gPF\\lZF]0-F]4PF]5ZF]6iF]@=F]Ji", "F]KBF]RiF]S1F]hiF]m1F^@iFe0-Fe31", "Fe[-Fe]PFe`=FejiFi0(FiP*Fj0BFjGP",
    "FjKiFl01Fm;iFm\?6Fm@1FmA9Fn8iFn\?6", "FnC-FnPiFoP-FoRQFoS.FoT6FoUiFo`:", "FobiFodjFogiG001HOhiHP01HcFiHco1",
    "Hd9iJo`-JodiJoe-JoliJom-JooiK001", "K4SiK4b1K4ciK5@1K5CiK5E1K5FiK5T1", "K5XiK5`1K;liK`01Ka[iKa`1KamiKb01",
    "Kb9iKb@1KbJiKbLZKbM6KbN7KbOPKbPf", "KbTiL`0ZLc`=LcjiLd0ZLjdiLl06Ll^i", "Ll`6Lm7iLm@ZLo4iM00ZM3fiM40ZM4Wi",
    "M4YZM5N^M5U;M5W7M5ZZM5];M5cfM5k7", "M63ZM657M6<ZM6Z7M6^ZM6k^M71ZM7[i", "M80ZM927M95ZM96iM;0BM;DiM;PBM;di",
    "M<0ZM=GiM=PBM=iiM@0(M@J*M@d(MA>*", "MAEiMAF*MAX(MB2*MBL(MBMiMBN(MBPi", "MBR(MBSiMBU(MBWiMBY(MB]iMB^(MBf*",
    "MBjiMBk*MBliMBm*MC4iMC5*MC@(MCZ*", "MD4(MD6iMD7(MD;iMD=(MDEiMDF(MDMi", "MDN*MDh(MDjiMDk(MDoiME0(ME5iME6(",
    "ME7iME:(MEAiMEB*ME\\(MF6*MFP(MFj*", "MGD(MG^*MH8(MHR*MHl(MIF*MI`(MJ:*", "MJViMJX(MK1UMK2*MKKUMKL*MKR(MKkU",
    "MKl*MLEUMLF*MLL(MLeUMLf*MM\?UMM@*", "MMF(MM_UMM`*MN9UMN:*MN@(MNYUMNZ*", "MO3UMO4*MO:(MO;*MO<iMO>=MP0ZMX06",
    "MXgZMXk6MY]ZMYe6MYfZMZ46MZ5ZMZ7P", "MZ<iMZK6MZPiMZQ6MZ`iMl0*Ml:1Ml;*", "MlOiMlU*Ml[iN007N07iN087N0IiN0K7",
    "N0RiN0S7N0UiN0V7N0[iN0`-N1^iN2\?6", "N2@iN401N4]iN4`6N4g-N4niN50=N5:i", "N5>1N5\?ZN5@iN:@1N:^6N:_iN;01N;\\6",
    "N;`=N;jiN;oWN<0iNC@1NC[-NC\\6NC`=", "NCjiNG@1NG^6NG`1NGa=NGkiNGoPNH0i", "NOP1NOWiNOX1NO\\iNO]1NO_iNO`1NOoi",
    "NP01NS5iNS7BNS@7NSGiNT0(NTR*NU47", "NU;-NU<iNU@=NUJiNUNPNUPiNaaBNb\\Z", "Nb]BNb`WNbaBNbeiNd1BNd^ZNd_BNdni",
    "Nh01Nh4iNh51NhPiNhQ1NhSiNhT1NhUi", "NhW1NhXiNhY1NhciNhd1NhhiNhi1Nhji", "Nhk1NhliNi21Ni3iNi71Ni8iNi91Ni:i",
    "Ni;1Ni<iNi=1Ni@iNiA1NiCiNiD1NiEi", "NiG1NiHiNiI1NiJiNiK1NiLiNiM1NiNi", "NiO1NiPiNiQ1NiSiNiT1NiUiNiW1Ni[i",
    "Ni\\1NiciNid1NihiNii1NimiNin1Nioi", "Nj01Nj:iNj;1NjLiNjQ1NjTiNjU1NjZi", "Nj[1NjliNk`UNkbiO00ZO0\\iO0`ZO2Di",
    "O2PZO2_iO2aZO30iO31ZO3@iO3AZO3fi", "O40DO4;BO4=ZO4`\\O5:ZO5@\\O5ZZO5`\\", "O6:ZO6^iO7VZO83iO8@ZO8liO90ZO99i",
    "O9@ZO9BiO9PZO9ViO<0ZO\?kXO@0ZOKHi", "OKLZOK]iOK`ZOKmiOL0ZOMgiOMkZOOJi", "OOPZOO\\iOO`ZOOaiOP0ZOP<iOP@ZOQ8i",
    "OQ@ZOQJiOQPZOR8iOR@ZOR^iOR`ZORli", "OS0ZOS2iOT0ZOYDiOYPZOY^iOY`ZOYmi", "OZ0ZOZ:iOZ\?ZO[7iO[>ZO[MiO[OZO[Zi",
    "O[`ZO[iiO\\0ZO^CiO^DZO_`=O_jiP002", "ZKPiZL02[Lji[M02[PNi[PP2\\jRi\\j`2", "^_Qi^_`2^iNi_P05_XNi`002a=;ia=@2",
    "b>`io01fo02io0Pfo20io406o7`i",
};
/* [code point / 128] range of its block's first code point, three digits; up to 0x20000 */
enum { ALLM__N_UNI_BLOCKS = 1025 };
static const char allm__uni_blocks[129][25] = {
    "00000R01503004Q05T05c065", "06f07H09A0:70:N0:`0;00;8", "0;F0;X0;e0<;0<h0=R0>80>a", "0\?K0\?n0@W0A50AR0Ab0B@0Bl",
    "0CM0Cg0D=0D\?0DA0DK0D[0Df", "0Dm0Dn0Dn0Dn0Dn0E20E<0EO", "0Ed0F00F80FL0FT0Fj0G60GK", "0Gb0H10HH0HL0HQ0JQ0LH0M0",
    "0Md0NR0Na0OM0Of0Of0Og0P3", "0P70P>0PI0PI0PO0PQ0PQ0Pb", "0Q60Q60Q70Q70QV0QV0QY0Q_", "0Qb0R50Se0T10TD0U60U:0U:",
    "0U=0Uf0V10V40V>0VF0VI0VI", "0VJ0VJ0VJ0VJ0VJ0VJ0VJ0VJ", "0VJ0VJ0VJ0VJ0VJ0VJ0VJ0VJ", "0VJ0VJ0VJ0VJ0VJ0VJ0VJ0VJ",
    "0VJ0VJ0VJ0VJ0VJ0VJ0VJ0VJ", "0VJ0VJ0VJ0VJ0VJ0VJ0VJ0VJ", "0VJ0VJ0VJ0VJ0VJ0VJ0VJ0VJ", "0VJ0VJ0VJ0VJ0VL0VL0VL0VL",
    "0VL0VL0VL0VL0VL0VL0VL0VL", "0VL0VL0VL0VL0VL0VL0VL0VL", "0VL0VL0VL0VL0VL0VL0VL0VL", "0VL0VL0VL0VL0VL0VL0VL0VL",
    "0VL0VL0VL0VL0VL0VL0VL0VL", "0VL0VL0VL0VL0VL0VL0VL0VL", "0VL0VL0VL0VL0VL0VL0VL0VL", "0VL0VL0VL0VL0VL0VL0VL0VL",
    "0VL0VL0VL0VL0VL0VL0VL0VL", "0VL0VL0VL0VL0VL0VL0VL0VL", "0VL0VL0VL0VL0VL0VL0VL0VL", "0VL0VL0VL0VL0VL0VL0VL0VL",
    "0VL0VL0VL0VL0VL0VL0VL0VL", "0VL0VL0VL0VL0VL0VL0VL0VL", "0VL0VL0VL0VL0VL0VL0VL0VL", "0VL0VL0VL0VL0VL0VL0VL0VL",
    "0VL0VL0VL0VL0VL0VL0VL0VL", "0VL0VL0VL0VL0VL0VL0VL0VL", "0VL0VL0VL0VL0VL0VL0VL0VL", "0VL0VL0VL0VL0VL0VL0VL0VL",
    "0VM0VO0VO0VO0VO0VO0VO0VO", "0VO0VO0VV0VV0VV0WR0X50YL", "0Z`0[50[E0[R0[i0\\A0\\Y0\\k",
    "0]80]80]80]80]80]80]80]8", "0]80]80]80]80]80]80]80]8", "0]80]80]80]80]80]80]80]8", "0]80]80]80]80]80]80]80]8",
    "0]80]80]80]80]80]80]80]8", "0]80]80]80]80]80]80]80]8", "0]80]80]80]80]80]80]80]8", "0]80]80]80]80]80]80]80]8",
    "0]80]80]80]80]80]80]80]8", "0]80]80]80]80]80]80]80]8", "0]80]80]80]80]80]80]80]8", "0]>0]>0]>0]>0]>0]>0]>0]>",
    "0]>0]>0]>0]>0]>0]>0]>0]>", "0]\?0]\?0]\?0]\?0]\?0]\?0]\?0]\?", "0]\?0]\?0]\?0]\?0]\?0]\?0]\?0]\?",
    "0]\?0]\?0]\?0]\?0]\?0]\?0]\?0]\?", "0]\?0]\?0]\?0]\?0]\?0]\?0]\?0]\?", "0]\?0]\?0]\?0]\?0]\?0]\?0]\?0]\?",
    "0]\?0]\?0]\?0]\?0]\?0]\?0]\?0]\?", "0]\?0]\?0]@0]@0]@0]P0]R0]f", "0]i0]i0]i0]m0^60^o0_20_X",
    "0`10`=0`\?0`F0`P0`Q0`X0`c", "0`l0`n0a60a=0aM0aM0aM0aS", "0a[0al0b50b=0bD0b^0bi0c2", "0c80c:0c\?0cM0cP0cT0c^0cg",
    "0d00dA0dS0df0e=0eL0e_0fF", "0fe0g60gG0gH0gU0gd0h30hC", "0hD0hJ0hP0hh0i70iE0iO0iP", "0iV0if0j10jF0jT0jT0jZ0jj",
    "0k30k30k30k30k30k30k30k3", "0k50k90k90k:0k:0k:0k:0k:", "0k:0k:0k:0k:0k:0k:0k:0k:", "0k:0k:0k:0k:0k:0k:0k:0k:",
    "0k>0k>0k>0k>0k>0k>0k>0k>", "0k>0kD0kD0kD0kD0kD0kD0kD", "0kD0kD0kD0kD0kD0kD0kD0kD", "0kD0kD0kD0kD0kD0kD0kD0kD",
    "0kD0kD0kD0kD0kD0kD0kD0kD", "0kF0kF0kF0kF0kF0kG0kG0kG", "0kG0kG0kG0kG0kG0kG0kG0kG", "0kG0kG0kG0kG0kG0kG0kG0kG",
    "0kG0kG0kG0kG0kG0kG0kG0kG", "0kG0kG0kG0kG0kG0kG0kG0kG", "0kG0kG0kG0kG0kG0kG0kG0kG", "0kG0kG0kG0kG0kG0kG0kG0kG",
    "0kG0kG0kH0kM0kM0kM0kM0kM", "0kM0kM0kM0kM0kM0kM0kM0kM", "0kN0kN0kN0kN0kN0kU0k^0kl", "0km0km0km0l30l30l60l90l=",
    "0lK0lK0lK0lK0lK0lK0lK0lK", "0lK0lK0lK0lK0lK0lK0lK0lK", "0lK0lK0lK0lK0lK0lK0lK0lK", "0lK0lK0lK0lK0lK0lK0lK0lK",
    "0lK0lK0lK0lK0lK0lK0lK0lK", "0lK0lK0lK0lK0lK0lK0lK0lK", "0lM0lM0lM0lM0lM0lM0lM0lM", "0lM0lM0lO0lP0lP0lP0lP0lP",
    "0lP0lP0lP0lP0lP0lP0lP0lP", "0lP0lP0lP0lP0lP0lP0lP0lP", "0lP0lP0lP0lP0lP0lP0lP0lP", "0lP0lP0lP0lP0lP0lP0lP0lP",
    "0lP0lP0lP0lP0lP0lP0lP0lP", "0lP0lP0lP0lP0lP0lP0lP0lP", "0lP0lP0lP0lP0lP0lP0lP0lP", "0lP0lP0lP0lP0lP0lP0lP0lP",
    "0lW0lW0lW0la0la0la0lb0lb", "0lb0lb0lb0lb0lb0lb0lb0lb", "0lb0lb0lb0lb0lb0lb0lb0lb", "0lc0lg0m00m00m00m00m00m0",
    "0m00m00m00m00m00m00m00m0", "0m00m00m00m00m00m00m00m0", "0m00m00m00m00m00m00m00m0", "0m10m10m40m40m40m40m60m:",
    "0m<0m<0m>0mG0mP0mS0mX0m[", "0m\\0mb0n70nL0nQ0nV0n`0nj", "0o60o60o60o60o70o<0oD0oD", "0oD0oD0oD0oD0oD0oD0oE0oJ",
    "0oK0oV0oY0ob0ob0ob0ok0ok", "0ok0ok100100107107107107", "10@10@10E10M10M10M10M10M", "10M10N10S10W10X11P11[11[",
    "11\\11^11h11o12212;12<12<", "12>12>12>12>12>12>12D12F", "12L12R12Z12Z12Z12`12j12j", "12n12n12n12n12n12n12n12n",
    "12o",
};
/* lower case: first code point, three digits; last - first, two; step, one; delta + 0x20000, three */
enum { ALLM__N_UNI_LOWER_RUNS = 185 };
static const char allm__uni_lower_runs[24][73] = {
    "0110I1P0P0300F1P0P03H061P0P0400^2P0104b042P0104i0>2P0105:0\\2P0105h001On7",
    "05i042P01061001P3B062022P01066001P3>067001P01069011P3=06;001P0106>001P1\?",
    "06\?001P3:06@001P3;06A001P0106C001P3=06D001P3\?06F001P3C06G001P3A06H001P01",
    "06L001P3C06M001P3E06O001P3F06P042P0106V001P3J06W001P0106Y001P3J06\\001P01",
    "06^001P3J06_001P0106a011P3I06c022P0106g001P3K06h001P0106l001P01074001P02",
    "075001P01077001P02078001P0107:001P0207;0@2P0107N0@2P0107a001P0207b022P01",
    "07f001OnO07g001Oo807h0V2P0108P001Omn08R0@2P0108j001RX[08k001P0108m001OmM",
    "08n001RXX091001P01093001Olm094001P15095001P17096082P010=`022P010=f001P01",
    "0=o001P1d0>6001P0V0>8021P0U0><001P100>>011P0o0>A0@1P0P0>S081P0P0\?\?001P08",
    "0\?H0F2P010\?d001Oo40\?g001P010\?i001Ooi0\?j001P010\?m021Omn0@00\?1P1@0@@0O1P0P",
    "0AP0P2P010B:0d2P010C0001P0\?0C10<2P010C@1N2P010Da0U1P0`12P0U1QaP137001QaP",
    "13=001QaP1>P1\?1YO@1\?`051P081b9001P011b@0Z1OA01bm021OA01h02D2P011jN001N91",
    "1jP1N2P011l8071Ooh1lH051Ooh1lX071Ooh1lh071Ooh1m8051Ooh1mI062Ooh1mX071Ooh",
    "1n8071Ooh1nH071Ooh1nX071Ooh1nh011Ooh1nj011Onf1nl001Oog1o8031OnZ1o<001Oog",
    "1oH011Ooh1oJ011OnL1oX011Ooh1oZ011On@1o\\001Ooi1oh011On01oj011On21ol001Oog",
    "24V001N:S24Z001Mm124[001Mnj24b001P0L25P0\?1P0@263001P012Bf0I1P0J2`00_1P0`",
    "2aP001P012aR001MH92aS001O4J2aT001MHI2aW042P012a]001MGT2a^001MH32a_001MGQ",
    "2a`001MGR2ab001P012ae001P012an011MG12b01R2P012c[022P012cb001P01:I00\\2P01",
    ":J00J2P01:LR0<2P01:Lb0l2P01:Mi022P01:Mm001GGl:Mn082P01:N;001P01:N=001E[H",
    ":N@022P01:NF0B2P01:NZ001EZl:N[001EZa:N\\001EZe:N]001EZo:N^001EZl:N`001E[^",
    ":Na001E[F:Nb001E[[:Nc001P>P:Nd0>2P01:O4001Oo@:O5001EZm:O6001GG8:O7022P01",
    ":O;001EZI:O<0>2P01:OL001EVo:Oe001P01\?lQ0I1P0P@@00W1P0X@B`0S1P0X@E`0:1P0W",
    "@El0>1P0W@F<061P0W@FD011P0W@b00b1P10@e@0E1P0PARP0O1P0PFi00O1P0PFjP0H1P0K", "NT00Q1P0R",
};
/* upper case: first code point, three digits; last - first, two; step, one; delta + 0x20000, three */
enum { ALLM__N_UNI_UPPER_RUNS = 197 };
static const char allm__uni_upper_runs[25][73] = {
    "01Q0I1OoP02e001P;W03P0F1OoP03h061OoP03o001P1i0410^2Ooo04a001OlH04c042Ooo",
    "04j0>2Ooo05;0\\2Ooo05j042Ooo05o001OkD060001P33063022Ooo068001Ooo06<001Ooo",
    "06B001Ooo06E001P1Q06I001Ooo06J001P2S06N001P2206Q042Ooo06X001Ooo06]001Ooo",
    "06`001Ooo06d022Ooo06i001Ooo06m001Ooo06o001P0h075001Ooo076001Oon078001Ooo",
    "079001Oon07;001Ooo07<001Oon07>0>2Ooo07M001Ona07O0@2Ooo07b001Ooo07c001Oon",
    "07e001Ooo07i0V2Ooo08S0@2Ooo08l001Ooo08o011RXo092001Ooo097082Ooo09@001RXO",
    "09A001RXL09B001RXN09C001Ol^09D001Olb09F011Olc09I001Olf09K001Ole09L001ZE\?",
    "09P001Olc09Q001ZE;09S001Ola09U001ZDX09V001ZE409X001Ol_09Y001Ol]09Z001ZE4",
    "09[001RWg09\\001ZE109_001Ol]09a001RWm09b001Ol[09e001OlZ09m001RWW0:0001OlV",
    "0:2001ZE30:3001OlV0:7001ZDZ0:8001OlV0:9001Onk0::011OlW0:<001Oni0:B001OlU",
    "0:M001ZDE0:N001ZDB0=5001P1D0=a022Ooo0=g001Ooo0=k021P220>\\001OoJ0>]021OoK",
    "0>a0@1OoP0\?2001OoQ0\?3081OoP0\?<001Oo00\?=011Oo10\?@001Oo20\?A001Oo70\?E001OoA",
    "0\?F001Oo:0\?G001Ooh0\?I0F2Ooo0\?`001OnZ0\?a001On`0\?b001P070\?c001On<0\?e001OnP",
    "0\?h001Ooo0\?k001Ooo0@`0O1OoP0A@0\?1On`0AQ0P2Ooo0B;0d2Ooo0C20<2Ooo0C\?001Ooa",
    "0CA1N2Ooo0EQ0U1Oo@13@0Z1P_013m021P_01\?h051Ooh1b0001NNB1b1001NNC1b2001NNL",
    "1b3011NNN1b5001NNM1b6001NNT1b7001NOK1b8001XW21b:001Ooo1ei001XX41em001PkV",
    "1f>001XXh1h12D2Ooo1jK001Oo51jQ1N2Ooo1l0071P081l@051P081lP071P081l`071P08",
    "1m0051P081mA062P081mP071P081m`011P1:1mb031P1F1mf011P1T1mh011P201mj011P1`",
    "1ml011P1n1n`011P081nn001N\?K1o@011P081oP011P081oU001P0725>001OoT25`0\?1Oo`",
    "264001Ooo2C@0I1OoV2``0_1Oo@2aQ001Ooo2aU001MGE2aV001MGH2aX042Ooo2ac001Ooo",
    "2af001Ooo2b11R2Ooo2c\\022Ooo2cc001Ooo2d00U1N>P2dW001N>P2d]001N>P:I10\\2Ooo",
    ":J10J2Ooo:LS0<2Ooo:Lc0l2Ooo:Mj022Ooo:Mo082Ooo:N<001Ooo:NA022Ooo:ND001P0`",
    ":NG0B2Ooo:Ne0>2Ooo:O8022Ooo:O=042Ooo:OG042Ooo:Of001Ooo:]C001OaP:]`1\?1FP`",
    "\?m10I1OoP@@X0W1OoH@CH0S1OoH@FG0:1OoI@FS0>1OoI@Fc061OoI@Fk011OoI@c00b1Oo0",
    "@e`0E1OoPAS00O1OoPFiP0O1OoPFjk0H1OoUNTR0Q1OoN",
};
/* title case where it is not upper case */
enum { ALLM__N_UNI_TITLE_RUNS = 26 };
static const char allm__uni_title_runs[4][73] = {
    "074001P01075001P00076001Ooo077001P01078001P00079001Ooo07:001P0107;001P00",
    "07<001Ooo07a001P0107b001P0007c001Ooo13@0Z1P0013m021P001n0071P081n8071P00",
    "1n@071P081nH071P001nP071P081nX071P001nc001P091nl001P001o3001P091o<001P00", "1oc001P091ol001P00",
};
/* case mappings to several: code point; 0 lower 1 upper 2 title, one digit; three code points or 0 */
enum { ALLM__N_UNI_SPECIAL = 126 };
static const char allm__uni_special[16][105] = {
    "03O101C01C00003O201C01c00004`001Y0<700005910:l01>00007`101:0<<0000>@10>I0<80<10>`10>U0<80<10F710De0EB000",
    "0F720De0F20001jF10180<a0001jG101D0<80001jH101G0<:0001jI101I0<:0001jJ10110:n0001m@10>U0<C0001mB10>U0<C0<0",
    "1mD10>U0<C0<11mF10>U0<C0=21n011l80>I0001n111l90>I0001n211l:0>I0001n311l;0>I0001n411l<0>I0001n511l=0>I000",
    "1n611l>0>I0001n711l\?0>I0001n811l80>I0001n911l90>I0001n:11l:0>I0001n;11l;0>I0001n<11l<0>I0001n=11l=0>I000",
    "1n>11l>0>I0001n\?11l\?0>I0001n@11lX0>I0001nA11lY0>I0001nB11lZ0>I0001nC11l[0>I0001nD11l\\0>I0001nE11l]0>I000",
    "1nF11l^0>I0001nG11l_0>I0001nH11lX0>I0001nI11lY0>I0001nJ11lZ0>I0001nK11l[0>I0001nL11l\\0>I0001nM11l]0>I000",
    "1nN11l^0>I0001nO11l_0>I0001nP11mX0>I0001nQ11mY0>I0001nR11mZ0>I0001nS11m[0>I0001nT11m\\0>I0001nU11m]0>I000",
    "1nV11m^0>I0001nW11m_0>I0001nX11mX0>I0001nY11mY0>I0001nZ11mZ0>I0001n[11m[0>I0001n\\11m\\0>I0001n]11m]0>I000",
    "1n^11m^0>I0001n_11m_0>I0001nb11nj0>I0001nb21nj0=50001nc10>A0>I0001nd10>60>I0001nd20>60=50001nf10>A0=2000",
    "1ng10>A0=20>I1ng20>A0=20=51nl10>A0>I0001o211o:0>I0001o221o:0=50001o310>G0>I0001o410>90>I0001o420>90=5000",
    "1o610>G0=20001o710>G0=20>I1o720>G0=20=51o<10>G0>I0001oB10>I0<80<01oC10>I0<80<11oF10>I0=20001oG10>I0<80=2",
    "1oR10>U0<80<01oS10>U0<80<11oT10>Q0<C0001oV10>U0=20001oW10>U0<80=21ob11oj0>I0001ob21oj0=50001oc10>Y0>I000",
    "1od10>\?0>I0001od20>\?0=50001of10>Y0=20001og10>Y0=20>I1og20>Y0=20=51ol10>Y0>I000\?\\01016016000\?\\0201601V000",
    "\?\\11016019000\?\\1201601Y000\?\\2101601<000\?\\2201601\\000\?\\31016016019\?\\3201601V01Y\?\\4101601601<\?\\4201601V01\\",
    "\?\\5101C01D000\?\\5201C01d000\?\\6101C01D000\?\\6201C01d000\?\\C10E40E6000\?\\C20E40Ef000\?\\D10E40De000\?\\D20E40EU000",
    "\?\\E10E40Dk000\?\\E20E40E[000\?\\F10E>0E6000\?\\F20E>0Ef000\?\\G10E40Dm000\?\\G20E40E]000",
};
/* canonical decompositions into two: code point, first, second, three digits each */
enum { ALLM__N_UNI_PAIRS = 1025 };
static const char allm__uni_pairs[129][73] = {
    "0300110<00310110<10320110<20330110<30340110<80350110<:0370130<W0380150<0",
    "0390150<103:0150<203;0150<803<0190<003=0190<103>0190<203\?0190<803A01>0<3",
    "03B01\?0<003C01\?0<103D01\?0<203E01\?0<303F01\?0<803I01E0<003J01E0<103K01E0<2",
    "03L01E0<803M01I0<103P01Q0<003Q01Q0<103R01Q0<203S01Q0<303T01Q0<803U01Q0<:",
    "03W01S0<W03X01U0<003Y01U0<103Z01U0<203[01U0<803\\01Y0<003]01Y0<103^01Y0<2",
    "03_01Y0<803a01^0<303b01_0<003c01_0<103d01_0<203e01_0<303f01_0<803i01e0<0",
    "03j01e0<103k01e0<203l01e0<803m01i0<103o01i0<80400110<404101Q0<40420110<6",
    "04301Q0<60440110<X04501Q0<X0460130<104701S0<10480130<204901S0<204:0130<7",
    "04;01S0<704<0130<<04=01S0<<04>0140<<04\?01T0<<04B0150<404C01U0<404D0150<6",
    "04E01U0<604F0150<704G01U0<704H0150<X04I01U0<X04J0150<<04K01U0<<04L0170<2",
    "04M01W0<204N0170<604O01W0<604P0170<704Q01W0<704R0170<W04S01W0<W04T0180<2",
    "04U01X0<204X0190<304Y01Y0<304Z0190<404[01Y0<404\\0190<604]01Y0<604^0190<X",
    "04_01Y0<X04`0190<704d01:0<204e01Z0<204f01;0<W04g01[0<W04i01<0<104j01\\0<1",
    "04k01<0<W04l01\\0<W04m01<0<<04n01\\0<<05301>0<105401^0<105501>0<W05601^0<W",
    "05701>0<<05801^0<<05<01\?0<405=01_0<405>01\?0<605\?01_0<605@01\?0<;05A01_0<;",
    "05D01B0<105E01b0<105F01B0<W05G01b0<W05H01B0<<05I01b0<<05J01C0<105K01c0<1",
    "05L01C0<205M01c0<205N01C0<W05O01c0<W05P01C0<<05Q01c0<<05R01D0<W05S01d0<W",
    "05T01D0<<05U01d0<<05X01E0<305Y01e0<305Z01E0<405[01e0<405\\01E0<605]01e0<6",
    "05^01E0<:05_01e0<:05`01E0<;05a01e0<;05b01E0<X05c01e0<X05d01G0<205e01g0<2",
    "05f01I0<205g01i0<205h01I0<805i01J0<105j01j0<105k01J0<705l01j0<705m01J0<<",
    "05n01j0<<06P01\?0<K06Q01_0<K06_01E0<K06`01e0<K07=0110<<07>01Q0<<07\?0190<<",
    "07@01Y0<<07A01\?0<<07B01_0<<07C01E0<<07D01e0<<07E03L0<407F03l0<407G03L0<1",
    "07H03l0<107I03L0<<07J03l0<<07K03L0<007L03l0<007N0340<407O03T0<407P08V0<4",
    "07Q08W0<407R0360<407S03V0<407V0170<<07W01W0<<07X01;0<<07Y01[0<<07Z01\?0<X",
    "07[01_0<X07\\07Z0<407]07[0<407^06g0<<07_0:B0<<07`01Z0<<07d0170<107e01W0<1",
    "07h01>0<007i01^0<007j0350<107k03U0<107l0360<107m03V0<107n03H0<107o03h0<1",
    "0800110<\?08101Q0<\?0820110<A08301Q0<A0840150<\?08501U0<\?0860150<A08701U0<A",
    "0880190<\?08901Y0<\?08:0190<A08;01Y0<A08<01\?0<\?08=01_0<\?08>01\?0<A08\?01_0<A",
    "08@01B0<\?08A01b0<\?08B01B0<A08C01b0<A08D01E0<\?08E01e0<\?08F01E0<A08G01e0<A",
    "08H01C0<V08I01c0<V08J01D0<V08K01d0<V08N0180<<08O01X0<<08V0110<708W01Q0<7",
    "08X0150<W08Y01U0<W08Z03F0<408[03f0<408\\03E0<408]03e0<408^01\?0<708_01_0<7",
    "08`08^0<408a08_0<408b01I0<408c01i0<40=40<80<10>502X0<10>60>A0<10>80>E0<1",
    "0>90>G0<10>:0>I0<10><0>O0<10>>0>U0<10>\?0>Y0<10>@0\?:0<10>Z0>I0<80>[0>U0<8",
    "0>\\0>a0<10>]0>e0<10>^0>g0<10>_0>i0<10>`0\?;0<10\?:0>i0<80\?;0\?50<80\?<0>o0<1",
    "0\?=0\?50<10\?>0\?90<10\?C0\?B0<10\?D0\?B0<80@00@E0<00@10@E0<80@30@C0<10@70@60<8",
    "0@<0@J0<10@=0@H0<00@>0@S0<60@I0@H0<60@i0@h0<60A@0@e0<00AA0@e0<80AC0@c0<1",
    "0AG0AF0<80AL0@j0<10AM0@h0<00AN0A30<60Af0Ad0<\?0Ag0Ae0<\?0C10@F0<60C20@f0<6",
    "0C@0@@0<60CA0@`0<60CB0@@0<80CC0@`0<80CF0@E0<60CG0@e0<60CJ0CH0<80CK0CI0<8",
    "0CL0@F0<80CM0@f0<80CN0@G0<80CO0@g0<80CR0@H0<40CS0@h0<40CT0@H0<80CU0@h0<8",
    "0CV0@N0<80CW0@n0<80CZ0CX0<80C[0CY0<80C\\0@]0<80C]0A=0<80C^0@S0<40C_0A30<4",
    "0C`0@S0<80Ca0A30<80Cb0@S0<;0Cc0A30<;0Cd0@W0<80Ce0A70<80Ch0@[0<80Ci0A;0<8",
    "0HR0HW0IC0HS0HW0ID0HT0I80ID0HU0HW0IE0HV0I:0ID0K00KE0ID0K20K10ID0KC0KB0ID",
    "0TY0TX0Tl0Ta0T`0Tl0Td0Tc0Tl0UH0TE0Tl0UI0TF0Tl0UJ0TG0Tl0UK0TL0Tl0UL0TQ0Tl",
    "0UM0TR0Tl0UN0T[0Tl0UO0T_0Tl0W;0W70Vn0W<0W70WG0WL0VQ0Vl0WM0VR0Vl0WO0V_0Vl",
    "0Xc0Xb0Xl0Xf0Xh0Xl0YI0XF0Xl0YJ0XG0Xl0YK0XL0Xl0YN0X[0Xl0]80]70]F0];0]70\\n",
    "0]<0]70]G0]L0\\Q0\\l0]M0\\R0\\l0^D0^B0_G0_:0_60^n0_;0_70^n0_<0_60_G0a80a60aF",
    "0c00bo0cE0c70c60cE0c80c60cF0c:0c60c20c;0c:0cE0e:0e60dn0e;0e70dn0e<0e60eG",
    "0gJ0gI0g:0gL0gI0g\?0gM0gL0g:0gN0gI0gO0m30m20ng0m=0m<0ng0mB0mA0ng0mG0mF0ng",
    "0mL0mK0ng0mY0m00ne0mc0ma0mb0me0ma0md0mf0nb0n00mh0nc0n00n10ma0n00nC0nB0ng",
    "0nM0nL0ng0nR0nQ0ng0nW0nV0ng0n\\0n[0ng0ni0n@0ne10V10U10^1\\61\\51\\e1\\81\\71\\e",
    "1\\:1\\91\\e1\\<1\\;1\\e1\\>1\\=1\\e1\\B1\\A1\\e1\\k1\\j1\\e1\\m1\\l1\\e1]01\\n1\\e1]11\\o1\\e",
    "1]31]21\\e1h00110<U1h101Q0<U1h20120<71h301R0<71h40120<S1h501R0<S1h60120<a",
    "1h701R0<a1h80370<11h903W0<11h:0140<71h;01T0<71h<0140<S1h=01T0<S1h>0140<a",
    "1h\?01T0<a1h@0140<W1hA01T0<W1hB0140<]1hC01T0<]1hD04B0<01hE04C0<01hF04B0<1",
    "1hG04C0<11hH0150<]1hI01U0<]1hJ0150<`1hK01U0<`1hL08X0<61hM08Y0<61hN0160<7",
    "1hO01V0<71hP0170<41hQ01W0<41hR0180<71hS01X0<71hT0180<S1hU01X0<S1hV0180<8",
    "1hW01X0<81hX0180<W1hY01X0<W1hZ0180<^1h[01X0<^1h\\0190<`1h]01Y0<`1h^03\?0<1",
    "1h_03_0<11h`01;0<11ha01[0<11hb01;0<S1hc01[0<S1hd01;0<a1he01[0<a1hf01<0<S",
    "1hg01\\0<S1hh1hf0<41hi1hg0<41hj01<0<a1hk01\\0<a1hl01<0<]1hm01\\0<]1hn01=0<1",
    "1ho01]0<11i001=0<71i101]0<71i201=0<S1i301]0<S1i401>0<71i501^0<71i601>0<S",
    "1i701^0<S1i801>0<a1i901^0<a1i:01>0<]1i;01^0<]1i<03E0<11i=03e0<11i>03E0<8",
    "1i\?03e0<81i@05<0<01iA05=0<01iB05<0<11iC05=0<11iD01@0<11iE01`0<11iF01@0<7",
    "1iG01`0<71iH01B0<71iI01b0<71iJ01B0<S1iK01b0<S1iL1iJ0<41iM1iK0<41iN01B0<a",
    "1iO01b0<a1iP01C0<71iQ01c0<71iR01C0<S1iS01c0<S1iT05J0<71iU05K0<71iV05P0<7",
    "1iW05Q0<71iX1iR0<71iY1iS0<71iZ01D0<71i[01d0<71i\\01D0<S1i]01d0<S1i^01D0<a",
    "1i_01d0<a1i`01D0<]1ia01d0<]1ib01E0<T1ic01e0<T1id01E0<`1ie01e0<`1if01E0<]",
    "1ig01e0<]1ih05X0<11ii05Y0<11ij05Z0<81ik05[0<81il01F0<31im01f0<31in01F0<S",
    "1io01f0<S1j001G0<01j101g0<01j201G0<11j301g0<11j401G0<81j501g0<81j601G0<7",
    "1j701g0<71j801G0<S1j901g0<S1j:01H0<71j;01h0<71j<01H0<81j=01h0<81j>01I0<7",
    "1j\?01i0<71j@01J0<21jA01j0<21jB01J0<S1jC01j0<S1jD01J0<a1jE01j0<a1jF01X0<a",
    "1jG01d0<81jH01g0<:1jI01i0<:1jK05o0<71jP0110<S1jQ01Q0<S1jR0110<91jS01Q0<9",
    "1jT0320<11jU03R0<11jV0320<01jW03R0<01jX0320<91jY03R0<91jZ0320<31j[03R0<3",
    "1j\\1jP0<21j]1jQ0<21j^0420<11j_0430<11j`0420<01ja0430<01jb0420<91jc0430<9",
    "1jd0420<31je0430<31jf1jP0<61jg1jQ0<61jh0150<S1ji01U0<S1jj0150<91jk01U0<9",
    "1jl0150<31jm01U0<31jn03:0<11jo03Z0<11k003:0<01k103Z0<01k203:0<91k303Z0<9",
    "1k403:0<31k503Z0<31k61jh0<21k71ji0<21k80190<91k901Y0<91k:0190<S1k;01Y0<S",
    "1k<01\?0<S1k=01_0<S1k>01\?0<91k\?01_0<91k@03D0<11kA03d0<11kB03D0<01kC03d0<0",
    "1kD03D0<91kE03d0<91kF03D0<31kG03d0<31kH1k<0<21kI1k=0<21kJ06P0<11kK06Q0<1",
    "1kL06P0<01kM06Q0<01kN06P0<91kO06Q0<91kP06P0<31kQ06Q0<31kR06P0<S1kS06Q0<S",
    "1kT01E0<S1kU01e0<S1kV01E0<91kW01e0<91kX06_0<11kY06`0<11kZ06_0<01k[06`0<0",
    "1k\\06_0<91k]06`0<91k^06_0<31k_06`0<31k`06_0<S1ka06`0<S1kb01I0<01kc01i0<0",
    "1kd01I0<S1ke01i0<S1kf01I0<91kg01i0<91kh01I0<31ki01i0<31l00>a0<C1l10>a0<D",
    "1l21l00<01l31l10<01l41l00<11l51l10<11l61l00=21l71l10=21l80>A0<C1l90>A0<D",
    "1l:1l80<01l;1l90<01l<1l80<11l=1l90<11l>1l80=21l\?1l90=21l@0>e0<C1lA0>e0<D",
    "1lB1l@0<01lC1lA0<01lD1l@0<11lE1lA0<11lH0>E0<C1lI0>E0<D1lJ1lH0<01lK1lI0<0",
    "1lL1lH0<11lM1lI0<11lP0>g0<C1lQ0>g0<D1lR1lP0<01lS1lQ0<01lT1lP0<11lU1lQ0<1",
    "1lV1lP0=21lW1lQ0=21lX0>G0<C1lY0>G0<D1lZ1lX0<01l[1lY0<01l\\1lX0<11l]1lY0<1",
    "1l^1lX0=21l_1lY0=21l`0>i0<C1la0>i0<D1lb1l`0<01lc1la0<01ld1l`0<11le1la0<1",
    "1lf1l`0=21lg1la0=21lh0>I0<C1li0>I0<D1lj1lh0<01lk1li0<01ll1lh0<11lm1li0<1",
    "1ln1lh0=21lo1li0=21m00>o0<C1m10>o0<D1m21m00<01m31m10<01m41m00<11m51m10<1",
    "1m80>O0<C1m90>O0<D1m:1m80<01m;1m90<01m<1m80<11m=1m90<11m@0\?50<C1mA0\?50<D",
    "1mB1m@0<01mC1mA0<01mD1m@0<11mE1mA0<11mF1m@0=21mG1mA0=21mI0>U0<D1mK1mI0<0",
    "1mM1mI0<11mO1mI0=21mP0\?90<C1mQ0\?90<D1mR1mP0<01mS1mQ0<01mT1mP0<11mU1mQ0<1",
    "1mV1mP0=21mW1mQ0=21mX0>Y0<C1mY0>Y0<D1mZ1mX0<01m[1mY0<01m\\1mX0<11m]1mY0<1",
    "1m^1mX0=21m_1mY0=21m`0>a0<01mb0>e0<01md0>g0<01mf0>i0<01mh0>o0<01mj0\?50<0",
    "1ml0\?90<01n01l00=51n11l10=51n21l20=51n31l30=51n41l40=51n51l50=51n61l60=5",
    "1n71l70=51n81l80=51n91l90=51n:1l:0=51n;1l;0=51n<1l<0=51n=1l=0=51n>1l>0=5",
    "1n\?1l\?0=51n@1lP0=51nA1lQ0=51nB1lR0=51nC1lS0=51nD1lT0=51nE1lU0=51nF1lV0=5",
    "1nG1lW0=51nH1lX0=51nI1lY0=51nJ1lZ0=51nK1l[0=51nL1l\\0=51nM1l]0=51nN1l^0=5",
    "1nO1l_0=51nP1mP0=51nQ1mQ0=51nR1mR0=51nS1mS0=51nT1mT0=51nU1mU0=51nV1mV0=5",
    "1nW1mW0=51nX1mX0=51nY1mY0=51nZ1mZ0=51n[1m[0=51n\\1m\\0=51n]1m]0=51n^1m^0=5",
    "1n_1m_0=51n`0>a0<61na0>a0<41nb1m`0=51nc0>a0=51nd0>\\0=51nf0>a0=21ng1nf0=5",
    "1nh0>A0<61ni0>A0<41nj0>A0<01nl0>A0=51o102X0=21o21md0=51o30>g0=51o40>^0=5",
    "1o60>g0=21o71o60=51o80>E0<01o:0>G0<01o<0>G0=51o=1no0<01o>1no0<11o\?1no0=2",
    "1o@0>i0<61oA0>i0<41oB0\?:0<01oF0>i0=21oG0\?:0=21oH0>I0<61oI0>I0<41oJ0>I0<0",
    "1oM1on0<01oN1on0<11oO1on0=21oP0\?50<61oQ0\?50<41oR0\?;0<01oT0\?10<C1oU0\?10<D",
    "1oV0\?50=21oW0\?;0=21oX0>U0<61oY0>U0<41oZ0>U0<01o\\0>Q0<D1o]02X0<01ob1ml0=5",
    "1oc0\?90=51od0\?>0=51of0\?90=21og1of0=51oh0>O0<01oj0>Y0<01ol0>Y0=526J26@0<h",
    "26K26B0<h26^26D0<h27=27@0<h27>27D0<h27\?27B0<h2842830<h2892880<h28<28;0<h",
    "28T28S0<h28V28U0<h29128l0<h2942930<h2972950<h2992980<h29P00m0<h29R29Q0<h",
    "29]29=0<h29^00l0<h29_00n0<h29`29T0<h29a29U0<h29d29b0<h29e29c0<h29h29f0<h",
    "29i29g0<h2:029j0<h2:129k0<h2:42:20<h2:52:30<h2:82:60<h2:92:70<h2:\\2:R0<h",
    "2:]2:X0<h2:^2:Y0<h2:_2:[0<h2;P29l0<h2;Q29m0<h2;R2:A0<h2;S2:B0<h2;Z2:b0<h",
    "2;[2:c0<h2;\\2:d0<h2;]2:e0<h2[L2[M0<h31<31;32I31>31=32I31@31\?32I31B31A32I",
    "31D31C32I31F31E32I31H31G32I31J31I32I31L31K32I31N31M32I31P31O32I31R31Q32I",
    "31U31T32I31W31V32I31Y31X32I31`31_32I31a31_32J31c31b32I31d31b32J31f31e32I",
    "31g31e32J31i31h32I31j31h32J31l31k32I31m31k32J32D31632I32N32M32I32\\32[32I",
    "32^32]32I32`32_32I32b32a32I32d32c32I32f32e32I32h32g32I32j32i32I32l32k32I",
    "32n32m32I33032o32I33233132I33533432I33733632I33933832I33@33\?32I33A33\?32J",
    "33C33B32I33D33B32J33F33E32I33G33E32J33I33H32I33J33H32J33L33K32I33M33K32J",
    "33d32V32I33g33_32I33h33`32I33i33a32I33j33b32I33n33m32I\?\\M0GI0Fd\?\\O0Gb0Fg",
    "\?\\Z0GY0G1\?\\[0GY0G2\?\\\\\?]90G1\?\\]\?]90G2\?\\^0G@0Fg\?\\_0G@0Fh\?\\`0G@0Fl\?\\a0GA0Fl",
    "\?\\b0GB0Fl\?\\c0GC0Fl\?\\d0GD0Fl\?\\e0GE0Fl\?\\f0GF0Fl\?\\h0GH0Fl\?\\i0GI0Fl\?\\j0GJ0Fl",
    "\?\\k0GK0Fl\?\\l0GL0Fl\?\\n0GN0Fl\?]00GP0Fl\?]10GQ0Fl\?]30GS0Fl\?]40GT0Fl\?]60GV0Fl",
    "\?]70GW0Fl\?]80GX0Fl\?]90GY0Fl\?]:0GZ0Fl\?];0GE0Fi\?]<0GA0Fo\?]=0GK0Fo\?]>0GT0Fo",
    "A2JA2IA2jA2LA2KA2jA2[A2UA2jA4^A4aA4WA4_A4bA4WA=;A=7A<nA=<A=7A=GABkABiABj",
    "ABlABiAB`ABnABiABmAFjAFhAF_AFkAFiAF_M5NM5GM5UM5OM5HM5UM5PM5OM5^M5QM5OM5_",
    "M5RM5OM5`M5SM5OM5aM5TM5OM5bM6kM6iM5UM6lM6jM5UM6mM6kM5^M6nM6lM5^M6oM6kM5_", "M70M6lM5_",
};
/* those that compose, by (first, second): number in allm__uni_pairs, two digits */
enum { ALLM__N_UNI_COMPOSED = 940 };
static const char allm__uni_composed[118][17] = {
    "=a=^=b000102030e", "0g3^048f052U3@3B", "8d6I0i6K6M6O0k0m", "0o11066S136U6Y6[", "6W0708099@151719",
    "0:9>1=3D3F9<3`1;", "6a6c6g361\?6i1A1C", "2k1E1G6k6o3\\6m71", "730;0<0=1I1K1M1Q", "0>9L2W3H3J9N1O75",
    "1R792m7;1T7=1V1Z", "7\?1X7E7C7G7I7K38", "1\\0\?7M1`7O1^7S7Q", "0@0A0B0C1b1d3f0D", "9R1f2Y3L3N2Q9P2o",
    "7]7_1h7a1l3P3R7c", "1j7g1n207i247k3X", "228328853Z268987", "0E0F0G2:2<2>0H9j", "2@2B2[3T3V2S9h8;",
    "2D8\?8=8E8G8I8K2F", "8O8M8Q8S8U:60I2H", ":<3j8W2J:::82K8Y", "2M2O8[8]0J0K0L0M", "0f0h3_0N8g0O2V3A",
    "3C8e6J0j6L6N6P0l", "0n10120P6T146V6Z", "6\\6X0Q0R0S9A1618", "1:0T9\?1>3E3G9=3a", "1<6b6d6h371@6j1B",
    "1D2l1F1H6l703]6n", "72748_0U0V0W1J1L", "1N0X9M2X3I3K9O1P", "761S357:2n7<1U7>", "1W1[7@1Y7F7D7H7J",
    "7L391]0Y7N1a7P1_", "7T7R0Z0[0\\0]1c1e", "3g0^9S1g2Z3M3O2R", "9Q307^7`1i7b1m3Q", "3S7d1k7h1o217j25",
    "7l3Y23848`29863[", "278:880_0`0a2;2=", "2\?0b9k2A2C2\\3U3W", "2T9i8<2E8@8>8F8H", "8J8L2G8P8N8a8R8T",
    "8V:70c2I:=3k8X0d", ":;8b:92L8Z2N2P8\\", "8^=F3m<d8j8h8n8l", "2e3:3<2i6Q9D9B9H", "9F779V9T9Z9X7U3d",
    "7W3b3>2c2_2]2a8k", "8i8o8m2f3;3=2j6R", "9E9C9I9G789W9U9[", "9Y7V3e7X3c3\?2d2`", "2^2b949298969593",
    "99976]6_6^6`7Y7[", "7Z7\\7m7n7o808A8B", "8C8D8c9`9^9d9b9f", "9a9_9e9c9g9n9l:2", ":0:49o9m:3:1:533",
    "31322g2h6e6f3h3i", "34<b3n<a<`:F:G<c", "<j3o:T:U<k40:b:c", "<l=741=6=546;2;3", "=L42;@;A=E=D43=C",
    "=B47;N=M44;Z;[=N", "<]<g;b48<Z<Y:>:\?", "<^<\\;c49:N:O;d4:", ":Z:[<h<f;e4;=1=0", "4=:j:k=3;f4\?;:;;",
    "=>=\?;g4@=<=;4>;F", ";G=@;h4A;R;S=J=H", "=245=4==4<=A=I4B", "4C4G4X4Z4F4D4\\4E", "4V4`4b4I4d4K4f4H",
    "4h4n4J505254564l", "4Y4[4O4M4]4N4W4a", "4c4R4e4L4g4Q4i4o", "4S515355574m4P4T", "4U4^4_4j4k58595;",
    "5:5<5>5\?5=5@5A5B", "5K5L5W5V5X5[5\\5^", "5]5_5`5c5a5b5d5e", "5g5f5h5i5k5j6=6>", "6\?6@6A6B6C6D6E6F",
    "6G6H7A7B7e7f8182", "909:919;9J9K9\\9]", ":@:B:D;i:A:C:E;j", ";k;l;m;n;o<0:H:J", ":L<1:I:K:M<2<3<4",
    "<5<6<7<8:P:R:Q:S", ":V:X:W:Y:\\:^:`<9", ":]:_:a<:<;<<<=<>", "<\?<@:d:f:h<A:e:g", ":i<B<C<D<E<F<G<H",
    ":l:n;0:m:o;1;4;6", ";8;5;7;9;<;>;=;\?", ";B;D;C;E;H;J;L;I", ";K;M;O;P;Q;T;V;X", "<I;U;W;Y<J<K<L<M",
    "<N<O<P;\\;^;`<Q;]", ";_;a<R<S<T<U<V<W", "<X<[<e=G<_<m<n<o", "<i=K=8=9=:=O=P=Q", "=R=T=S=U=V=W=X=Y",
    "=Z=[=\\=]=`=_=c=d", "=e=f=g=h=i=j>3>4", "=k=l=m=n>5>6=o>0", ">1>2>7>8>9>:>U><", ">=>>>\?>@>A>B>C>D",
    ">E>F>G>H>I>J>K>L", ">M>N>O>P>Q>R>S>T", ">V\?0>W>X>Y>Z>[>\\", ">]>^>_>`>a>b>c>d", ">e>f>g>h>i>j>k>l",
    ">m>n>o\?1\?2\?3\?4\?5", "\?X\?Y\?Z\?[\?\\\?]\?^\?`", "\?_\?a\?b\?c",
};
/* decompositions into one, by code point, three digits */
enum { ALLM__N_UNI_SINGLES = 1035 };
static const char allm__uni_singles[130][25] = {
    "0<00<10<C0:i00k02g0>\\0>]", "0>^0>_0\?<0\?=0\?>0>60>i0>8", "0>90>@0>:0>`0>>0>501P0><",
    "0>\?02d2022030>Y01;035308", "3098a86Kd8k:8c86kA4hb5\?U", "9nL9nL5UA97A5F75U867f7IY",
    "7n58Ho8Nj8Sh92\?6X26dK73I", "7\?N8@m95Z9Wa4j25=e6\\478K", "8H]9hN5e@6o[8G=8UT6;987H",
    "8PO5k:6LG6eZ7;l93>4n656g", "5;N6C46[C78@7KW8018H68IL", "8g_9Lb9]_9gj7R<7Uo7fP8\?9", "9<49io8[F5SO5l47aP81n79R",
    "7S:8c29Kg5SH5aR6XC6gJ6l\?", "7d_7hg9I;5;B82;57L57<7XL", "7fn8\?a9Ie8^06;\?6X28[n4hi",
    "5_W60B7>77E`5<G7Sk4no5nY", "4h=6c<6Eh7dR5\?35QN7L18A9", "8ZZ6^j8n`6b86;n8;U6>P7EU", "4j^55Y5796R17cW89_8[B97\?",
    "5;e5A25Uc5k\\6G56on7TZ9F]", "9YZ9jG9k>5:K6K66]g8mR5id", "66@6806BJ6lS7597B97W:7gd", "81_8lV8C^90S9=:58G5:S5Bm",
    "7388S28ZZ5k95oe6=k6^^7`n", "7=e4kT5Ki5_W5fj60L7>b7AY", "7nJ81698d9Kf9M89PH4n;7V^", "96d9Jh63Q4j653J5_^5`o6FI",
    "6X277>7I28Cl91l9n=6J89H^", "5:96Mk6Oc6e16jL7@97EI7Q[", "7d@9QN55]68^9Ih50[5dI6gZ", "8lZ5n;6546PG7>79J658Y5@\?",
    "5aU6HC6M>6RX6cU7@67GR7mi", "8S\?8SQ97<9KR5<o6jj5@M77@", "7BH8Gj9JS9aG9jO6NG6g;87X", "7[;7\\P7bB7;072I8]H4k08<f",
    "58j5875jV6;C7cF5^56dN6Jd", "8lk8Q<9I=8V;5kC5505G05QJ", "6Id57N7<Z7K:7Tl7UN7UU7V\?", "9MF7bn7nm8HB8[h90h93m9S_",
    "9Sl9TX9fd93N9Jg4n^53W55=", "5;95;T5=A5FM5H65IX5Q05RX", "5aT5a^62D65X66>67b6E\?6GR", "6JA6R56eg6hJ6lR75^78[7@R",
    "7RA7Tn7U97U87U@7UF7UM7V=", "7V>7Y07Z17_07gd7h97i17mb", "80587]89i89i8AG8T@8VF8\\1", "8\\i8cC8d88nf90h9KS9Oo9Pk",
    "61eT;^88H4hV56e55X4n0555", "5605;75;j5FM5EE5FI5GR5QJ", "5Rc5U45UD5YR5\\X5kB5kI5mY", "5n]63H65>64866>65P67b68d",
    "6\?46@L6AB6EF6Id6LG6LK6MF", "6]i6^j6e16kK6k;6lR70N75^", "7NW78e7:_7<Z7Aa7D67Dk7HM", "7HO7K:7KK7Kd7M:7M07S<7Za",
    "7_07ak7eK7gd7ln8058=B8\?_", "8Mi8U18V68VF8Zo8[h8[;8\\1", "8[n8[]8\\i8^:8d88lh91b96I",
    "99f9Il9KS9MF9OK9Oo9P;9Pk", "9\\B9nLRQ:RQ4S\?E3^M40H40i", "U99Uc@WkC9m39n>4hm4hh4i1", "P4R4mP4n^4nk50251j52I53W",
    "53\?3BNPHj55=55D55T55gPDL", "3Bi55W56=PE;56G56T4k<56\\", "56eY7O57e5833CO58k59659b", "59g3DE5;75;95;T5;j5<55<6",
    "5<G5=95=A5=J5=c5=m5=o5=o", "5=oPX\\71`5\?:5\?OP]S5\?[5\?a", "5@65BN5@h5A85AX5BR5Cf5D@",
    "5EC5ES5F45F45FI5F[5Fc5G2", "5LF5H65LG5IA5Id5875S^5O>", "5Od5P=5N;5Pb5Pa5R\\QCT5Sb", "5Sg5T65TJ5TR5URQJXQKZ5W\\",
    "5XK5XW5WH5YV3K^3Kl5\\85\\n", "5\\nQW85_35_H5_W5_cQ\\H5_o", "5`65mC5`R3N15aP5a^5c05b=",
    "QgT5e3QgV5e^5e[5el5gQ5gR", "3P_5gm5hX5hm5iY3QRR633Ql", "5j`5jc5jf5k:Z>B5knR<aR<a", "8815lR5lR3S7S:hV7J5mR5m[",
    "3SS5nJ5o=5oG5oi6213Tj3TL", "62DRKD63765865<65>65<65j", "66>66b66T66_67N67b67f68@", "68K69M6:a6;D6=@R\\<6<m6;l",
    "6=X6>36\?TR_a6@R6\?56>Y3X^", "6AY6An6BM6Ag3Y\\6E\?6E\\S0:", "6GS6Kh6I93\\I6JA3\\83[T56B",
    "56E6L06JL82]4\?I6LG6LK6LQ", "6MN6MCS\?33]96Oj6N56QB6R5", "SA]6R>6PO6TD3^M6U26VS6WZ",
    "6ZXSJS6[K3`H6\\QSRW6]D3a>", "6]b6^O6^j6^kSZ=Qd;S[j6a>", "Sbl6bo6c=6aW6dF6dn6eg6e1", "6eY6eh6f5SdN6dd6h_6i^3dc",
    "6k;6k7SkA6gi6m^SmNSn>6o6", "70i70N70K3fF71:71m71g72]", "PDU755T9S76LT>[78X78e79@", "TH87:07:ETLeTPD7=j7>;3j\\",
    "7>U3jh3jh7A77AL7Aa7B57C:", "3lK7DTT`f7DnTbB7E`R6O7H@", "TnQTnhU143ol4087KdU3cU3b", "U4IU4c7LN7LO7LO7M:40i7N;",
    "41642FU@M7Q>7R<7S<43SUHV", "7UFUJJUK57V\?7W[44_7Y07Y:", "7Y\?UUlUZWUZW7[^482U^[7_6", "7_948WUb07cB4:P7cX7cS7d0",
    "Un67eS4<17g77h27i54<dV8X", "V974=IV;I7mjV<n7nE7oj805", "VCJVDS81PVFX81`S=O4\?E82b", "8434@;84n5ZeVNWVNeS>CS>L",
    "8818848nN4A[8:A8:;8:M5:c", "8:a8:c8:m8;VV\\l8;U8<M8=S", "8>]8<S8>m8\?W8AG8=C8\?:8\?<",
    "8\?LV`fVe[VcE4D[8Ca8Cc8DF", "W\?:8ETVl\\4EM4EQVnaW3B4E[", "8I@8IL8IW8IY8JY8J88L>8KR",
    "8Mi8LX8M[8N64GG8OQ8P14Gi", "8QP8QSWIW8SG8SN4He8Sj3Bk", "WR^WUV4Jn4K78ZP8[]8^:8aE", "WbX8b[8c18dK8egWl_PP48g;",
    "8fl8g`PSN8kD8lhXGBXG]92D", "93a94AXL^94K98h9;G9;H99l", "9\?i9@EX_j9F;4VE9FgXeg4WV", "9K35fb9LSY55Y8J4Y^4Yf9OP",
    "Y@:4ZbYBF9P;9P;9PYYFf9SR", "4\\c9TY9VW9W29Wn4_>Y\\`9\\B", "9a09cm4c>4c]9eWZ3>4chZ45",
    "Z8>Z:A9jk4eF9ki9kn9l59l\?", "9lF9lkZH0",
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
static const char allm__uni_ccc[42][57] = {
    "0<00E3V0<E013X0<F043L0<J013X0<K013H0<L053L0<Q023:0<S043L",
    "0<W023:0<Y0;3L0<d05010<i043L0<m083V0=5013`0=6013V0=7033L",
    "0=:033V0==023L0=@033V0=C043L0=G013V0=H013X0=I023L0=K013V",
    "0=L013Y0=M023Z0=O013Y0=P023Z0=R013Y0=S0=3V0B3053V0FA013L",
    "0FB043V0FF013L0FG033V0FJ013N0FK013L0FL063V0FR063L0FX023V",
    "0FZ013L0F[023V0F]013N0F^013T0F_013V0F`010:0Fa010;0Fb010<",
    "0Fc010=0Fd010>0Fe010\?0Ff010@0Fg010A0Fh010B0Fi020C0Fk010D",
    "0Fl010E0Fm010F0Fo010G0G1010H0G2010I0G4013V0G5013L0G7010B",
    "0H@083V0HH010N0HI010O0HJ010P0I;010K0I<010L0I=010M0I>010N",
    "0I\?010O0I@010P0IA010Q0IB010R0IC023V0IE023L0IG053V0IL013L",
    "0IM023V0IO013L0I`010S0KF073V0KO043V0KS013L0KT013V0KW023V",
    "0KZ013L0K[023V0K]013L0LA010T0L`013V0La013L0Lb023V0Ld013L",
    "0Le023V0Lg033L0Lj013V0Lk023L0Lm013V0Ln013L0Lo033V0M2013L",
    "0M3013V0M4013L0M5013V0M6013L0M7013V0M8013L0M9023V0O[073V",
    "0Ob013L0Oc013V0PF043V0PK093V0PU033V0PY053V0QI033L0SD0>3V",
    "0SS013L0ST023V0SV013L0SW023V0SY013L0SZ033V0S]033L0S`010K",
    "0Sa010L0Sb010M0Sc033V0Sf013L0Sg023V0Si023L0Sk053V0Tl0107",
    "0U=01090UA013V0UB013L0UC023V0Vl01070W=01090Xl01070Y=0109",
    "0Zl01070[=01090\\l01070]=01090_=01090a=01090aE011D0aF011K",
    "0bl01070c=01090e=01090g:01090hh021W0hj01090i8041[0jh021f",
    "0k8041j0lH023L0le013L0lg013L0li013H0ma01210mb01220md0124",
    "0mj04220n001220n2023V0n401090n6023V0o6013L10g010710i0209",
    "12=013L1=M033V1LD01091Ld01091OB01091OM013V1RY013T1Ti013N",
    "1Tj013V1Tk013L1XG013V1XH013L1YP01091Ye083V1Yo013L1Z`053V",
    "1Ze063L1Zk023V1Zm013L1\\d01071]401091][013V1]\\013L1]]073V",
    "1^Z02091_V01071_b02091`g01071c@033V1cD01011cE053L1cJ023V",
    "1cL043L1cP013V1cR07011c]013L1cd013V1ch023V1g0023V1g2013L",
    "1g3073V1g:013L1g;023V1g=013Z1g>013F1g\?013L1g@013:1gA0U3V",
    "1gk013V1gl013Y1gm013L1gn013V1go013L23@023V23B020123D043V",
    "23H030123K023V23Q013V23U020123W013V23X013L23Y013V23Z0201",
    "23\\043L23`013V2c_033V2eo01092gP0P3V30Z013J30[013T30\\013X",
    "30]013N30^023P32I0208:I_013V:Id0:3V:JN023V:K`023V:P60109",
    ":S40109:SP0B3V:T[033L:UC0109:Vc0107:W00109:Z`013V:Zb023V",
    ":Zd013L:Zg023V:Zn023V:[1013V:[f0109:_]0109\?\\N010J\?hP073V",
    "\?hW073L\?h^023V@7m013L@;P013L@=f053V@X=013L@X\?013V@Xh013V",
    "@Xi0101@Xj013L@Xo0109@[U013V@[V013LA160109A1o0109A2i0109",
    "A2j0107A40033VA4c0209A5c0107A700109A7:0107A8e0109A8f0107",
    "A;Y0107A;Z0109A<l0107A==0109A=V073VA=`053VAA20109AA60107",
    "AC20109AC30107AFo0109AG00107AHo0109AJf0109AJg0107AL[0109",
    "A`o0109F[`0501F\\`073VKbN0101M5U023HM5W0301M5]013RM5^053H",
    "M5k083LM65053VM6:023LM6Z043VM92033VN00073VN080A3VN0K073V", "N0S023VN0V053VNS@073LNU4063VNU:0107",
};
/* ---- end of generated tables */

static int32_t allm__uni_digits(const char *p, int n) {
    int32_t v = 0;
    for (int i = 0; i < n; i++) v = v << 6 | (p[i] - '0');
    return v;
}

#define ALLM__UNI_RECORD(table, i) ((table)[(size_t)(i) >> 3] + ((size_t)(i) & 7) * (sizeof((table)[0]) / 8))

/* The last record in [lo, hi) that begins at or before cp; record lo does. `size`: bytes of a record. */
static const char *allm__uni_find(const char *table, size_t size, int32_t lo, int32_t hi, int32_t cp) {
    while (hi - lo > 1) {
        int32_t     mid = lo + (hi - lo) / 2;
        const char *r   = table + (size_t)(mid >> 3) * (8 * size + 1) + (size_t)(mid & 7) * size;
        if (allm__uni_digits(r, 3) <= cp) lo = mid;
        else hi = mid;
    }
    return table + (size_t)(lo >> 3) * (8 * size + 1) + (size_t)(lo & 7) * size;
}

/* The same over a whole table; what comes before its first record finds that one. */
#define ALLM__UNI_FIND(table, n, cp) allm__uni_find((const char *)(table), sizeof((table)[0]) / 8, 0, n, cp)

/* Index into allm__uni_classes; cp is 0..0x10FFFF. Three digits hold 0..0x3FFFF. What lies above is all unassigned but
 * for the beginning of plane 14, which the table has in the last, empty 4096 code points, and private use. */
static int32_t allm__uni_class(int32_t cp) {
    if (cp >= 0xe0000 && cp < 0xe1000) cp -= 0xe0000 - 0x3f000;
    else if (cp >= 0x3f000) cp = cp >= 0xf0000 && (cp & 0xffff) < 0xfffe ? 0xe000 : 0xffff;
    int32_t     block = ALLM__MIN(cp >> 7, (int32_t)ALLM__N_UNI_BLOCKS - 1), last = block + 1 == ALLM__N_UNI_BLOCKS;
    int32_t     lo = allm__uni_digits(ALLM__UNI_RECORD(allm__uni_blocks, block), 3);
    int32_t     hi = last ? ALLM__N_UNI_RANGES : allm__uni_digits(ALLM__UNI_RECORD(allm__uni_blocks, block + 1), 3) + 1;
    const char *r  = allm__uni_find((const char *)allm__uni_ranges, sizeof allm__uni_ranges[0] / 8, lo, hi, cp);
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
    const char *r = ALLM__UNI_FIND(allm__uni_lower_runs, ALLM__N_UNI_LOWER_RUNS, cp);
    int         n = allm__uni_case_special(cp, 0, out);
    if (n || allm__uni_case_run(r, cp, out)) return n ? n : 1;
    return out[0] = cp, 1;
}

static int allm__uni_upper(int32_t cp, int32_t out[3]) {
    const char *r = ALLM__UNI_FIND(allm__uni_upper_runs, ALLM__N_UNI_UPPER_RUNS, cp);
    int         n = allm__uni_case_special(cp, 1, out);
    if (n || allm__uni_case_run(r, cp, out)) return n ? n : 1;
    return out[0] = cp, 1;
}

static int allm__uni_title(int32_t cp, int32_t out[3]) {
    const char *r = ALLM__UNI_FIND(allm__uni_title_runs, ALLM__N_UNI_TITLE_RUNS, cp);
    int         n = allm__uni_case_special(cp, 2, out);
    if (n || allm__uni_case_run(r, cp, out)) return n ? n : 1;
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
    if (allm__uni_digits(r, 3) == cp)
        return out[0] = allm__uni_digits(r + 3, 3), out[1] = allm__uni_digits(r + 6, 3), 2;
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
typedef struct allm__q2_k { /* scales[w/16] = (m, sc); 2 bits at 2 * (r/32) of qs[32n + r%32]: d*sc * q - dmin*m */
    uint8_t scales[16], qs[64], d[2], dmin[2];
} allm__q2_k;
typedef struct allm__q3_k { /* 2 bits as q2_k; bit w/32 of hmask[w%32] clear: minus 4; 6-bit scales: d*(s-32) * q */
    uint8_t hmask[32], qs[64], scales[12], d[2];
} allm__q3_k;
typedef struct allm__q4_k { /* qs[32 * (w/64) + w%32] = (hi: w + 32, lo: w); 6-bit sc and m: d*sc * q - dmin*m */
    uint8_t d[2], dmin[2], scales[12], qs[128];
} allm__q4_k;
typedef struct allm__q5_k { /* as q4_k; bit w/32 of qh[w%32] is bit 4 of q */
    uint8_t d[2], dmin[2], scales[12], qh[32], qs[128];
} allm__q5_k;
typedef struct allm__q6_k { /* ql[64n + r%64] = (hi: r + 64, lo: r); bits 4, 5 at 2 * (r/32) of qh[32n + r%32] */
    uint8_t ql[128], qh[64];
    int8_t  scales[16]; /* of 16 weights: d*sc * (q - 32) */
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
    void (*dequant)(const void *src, float *dst, int64_t n);      /* NULL: known (sizes are checked), not supported */
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

/* a * b + c rounded once, as the vector sets do it; libm's may be slow or missing. The product of two floats is exact
 * in double; the sum is rounded to odd there, after which rounding to float is as if it were the only one. */
ALLM__INLINE float allm__fma(float a, float b, float c) {
#if defined(__FP_FAST_FMAF)
    return fmaf(a, b, c);
#else
    const double p = (double)a * (double)b, s = p + (double)c, part = s - p;
    const double error = (p - (s - part)) + ((double)c - part); /* p + c - s, exactly; NaN where s is not finite */
    uint64_t     u;
    if (!(error > 0 || error < 0)) return (float)s;
    memcpy(&u, &s, sizeof u);
    if (!(u & 1)) u = (error > 0) == (s > 0) ? u + 1 : u - 1;
    double odd;
    memcpy(&odd, &u, sizeof odd);
    return (float)odd;
#endif
}

/* The vocabulary. allm__vf is a vector of 16 floats on every set, in as many registers as that takes, so that what is
 * written over it gives the same bits everywhere. No operation below rounds twice where it says fused, none is fused
 * where it does not. `_n` forms touch only n < 16 elements and give zeros for the others. */
#define ALLM__V(name) ALLM__JOIN(ALLM__JOIN(allm__v_, name), ALLM__JOIN(_, ALLM__PASS_NAME))
#define ALLM__X(name) ALLM__JOIN(ALLM__JOIN(allm__x_, name), ALLM__JOIN(_, ALLM__PASS_NAME)) /* of one register */
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
#define allm__vfma ALLM__V(fma)             /* a * b + c, fused */
#define allm__vmax ALLM__V(max)
#define allm__vsum ALLM__V(sum)             /* of the lanes, in one fixed order */
#define allm__vtop ALLM__V(top)             /* largest lane */
#define allm__vload_i8 ALLM__V(load_i8)     /* 16 int8 to float */
#define allm__vset_f16 ALLM__V(set_f16)     /* all lanes: one f16 from memory */
#define allm__vload_f16 ALLM__V(load_f16)
#define allm__vload_bf16 ALLM__V(load_bf16)
#define allm__vload_code ALLM__V(load_code) /* byte i of each of 16 words of 4 bytes */
#define allm__vstore_f16 ALLM__V(store_f16) /* nearest even */
#define allm__vround ALLM__V(round)         /* nearest even, for |x| < 2^22 */
#define allm__vldexp ALLM__V(ldexp)         /* x * 2^n for integral n in [-252, 254] */
#define allm__vclamp ALLM__V(clamp)         /* into [lo, hi]; NaN stays */
#define allm__vabs ALLM__V(abs)
#define allm__vmaxbits ALLM__V(maxbits)     /* of a, b >= 0 by their bits: NaN above all */
#define allm__vtopbits ALLM__V(topbits)
#define allm__vstore_i8 ALLM__V(store_i8)   /* integral values within [-128, 127] to 16 bytes */
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
enum { ALLM__X(width) = 1 };
typedef float ALLM__X(f);
ALLM__INLINE ALLM__X(f) ALLM__X(set)(float x) { return x; }
ALLM__INLINE ALLM__X(f) ALLM__X(set_f16)(const void *p) { return allm__h((const uint8_t *)p); }
ALLM__INLINE ALLM__X(f) ALLM__X(load)(const float *p) { float v; memcpy(&v, p, sizeof v); return v; }
ALLM__INLINE ALLM__X(f) ALLM__X(load_n)(const float *p, int n) { return n ? *p : 0; }
ALLM__INLINE void     ALLM__X(store)(float *p, ALLM__X(f) a) { *p = a; }
ALLM__INLINE void     ALLM__X(store_n)(float *p, ALLM__X(f) a, int n) { if (n) *p = a; }
ALLM__INLINE ALLM__X(f) ALLM__X(add)(ALLM__X(f) a, ALLM__X(f) b) { return a + b; }
ALLM__INLINE ALLM__X(f) ALLM__X(sub)(ALLM__X(f) a, ALLM__X(f) b) { return a - b; }
ALLM__INLINE ALLM__X(f) ALLM__X(mul)(ALLM__X(f) a, ALLM__X(f) b) { return a * b; }
ALLM__INLINE ALLM__X(f) ALLM__X(div)(ALLM__X(f) a, ALLM__X(f) b) { return a / b; }
ALLM__INLINE ALLM__X(f) ALLM__X(fma)(ALLM__X(f) a, ALLM__X(f) b, ALLM__X(f) c) { return allm__fma(a, b, c); }
ALLM__INLINE ALLM__X(f) ALLM__X(max)(ALLM__X(f) a, ALLM__X(f) b) { return a > b ? a : b; }
ALLM__INLINE float    ALLM__X(top)(ALLM__X(f) a) { return a; }
ALLM__INLINE ALLM__X(f) ALLM__X(load_i8)(const int8_t *p) { return (float)*p; }
ALLM__INLINE ALLM__X(f) ALLM__X(load_f16)(const void *p) { return allm__h((const uint8_t *)p); }
ALLM__INLINE ALLM__X(f) ALLM__X(load_bf16)(const void *p) { return allm__bf16_to_f32(allm__load_u16(p)); }
ALLM__INLINE void     ALLM__X(store_f16)(void *p, ALLM__X(f) a) { allm__put_h((uint8_t *)p, a); }
ALLM__INLINE ALLM__X(f) ALLM__X(round)(ALLM__X(f) a) { return rintf(a); }
ALLM__INLINE ALLM__X(f) ALLM__X(ldexp)(ALLM__X(f) a, ALLM__X(f) n) {
    const int32_t i = n == n ? (int32_t)n : 0, half = i / 2; /* in two steps: 2^n itself may not fit */
    return a * allm__float((uint32_t)(half + 127) << 23) * allm__float((uint32_t)(i - half + 127) << 23);
}
ALLM__INLINE ALLM__X(f) ALLM__X(clamp)(ALLM__X(f) a, float lo, float hi) { return a < lo ? lo : a > hi ? hi : a; }
/* Codes: four columns of a row; sums of their products. */
typedef uint32_t ALLM__X(c);
typedef int32_t  ALLM__X(i);
enum { ALLM__X(most_tokens) = 4, ALLM__X(narrow_bits) = 8 };
ALLM__INLINE ALLM__X(c) ALLM__X(c_load)(const uint8_t *p) { return (uint32_t)allm__load_le(p, 4); }
ALLM__INLINE void       ALLM__X(c_store)(uint8_t *p, ALLM__X(c) v) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> 8 * i);
}
ALLM__INLINE ALLM__X(c) ALLM__X(c_and)(ALLM__X(c) v, int x) { return v & (uint32_t)x * 0x01010101u; }
ALLM__INLINE ALLM__X(c) ALLM__X(c_or)(ALLM__X(c) a, ALLM__X(c) b) { return a | b; }
ALLM__INLINE ALLM__X(c) ALLM__X(c_shr)(ALLM__X(c) v, int n) { return v >> n; }
ALLM__INLINE ALLM__X(c) ALLM__X(c_shl)(ALLM__X(c) v, int n) { return v << n; }
ALLM__INLINE ALLM__X(i) ALLM__X(i_zero)(void) { return 0; }
ALLM__INLINE ALLM__X(i) ALLM__X(i_start)(const int32_t *n, int shift) { return shift < 32 ? *n * (1 << shift) : 0; }
ALLM__INLINE ALLM__X(i) ALLM__X(i_add)(ALLM__X(i) a, ALLM__X(i) b) { return a + b; }
ALLM__INLINE ALLM__X(i) ALLM__X(i_shl8)(ALLM__X(i) a) { return a * 256; }
ALLM__INLINE float      ALLM__X(i_float)(ALLM__X(i) a) { return (float)a; }
ALLM__INLINE ALLM__X(i) ALLM__X(i_dot)(ALLM__X(i) sum, const ALLM__X(c) *c, int n, const int8_t *a, int wide) {
    (void)wide;
    for (int i = 0; i < 4 * n; i++) sum += (int32_t)(c[i / 4] >> i % 4 * 8 & 255) * a[i];
    return sum;
}
ALLM__INLINE ALLM__X(f) ALLM__X(load_code)(const uint8_t *line, int k) { return (float)line[k]; }
#endif

#if defined(ALLM__PASS) && ALLM__PASS == ALLM__PASS_AVX512
enum { ALLM__X(width) = 16 };
typedef __m512 allm__vf;
typedef __m512 ALLM__X(f);
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
ALLM__INLINE allm__vf ALLM__X(set)(float x) { return allm__vset(x); }
ALLM__INLINE allm__vf ALLM__X(load)(const float *p) { return allm__vload(p); }
ALLM__INLINE allm__vf ALLM__X(load_i8)(const int8_t *p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}
ALLM__INLINE allm__vf ALLM__X(load_f16)(const void *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
ALLM__INLINE void     ALLM__X(store)(float *p, allm__vf a) { allm__vstore(p, a); }
ALLM__INLINE allm__vf ALLM__X(add)(allm__vf a, allm__vf b) { return allm__vadd(a, b); }
ALLM__INLINE allm__vf ALLM__X(mul)(allm__vf a, allm__vf b) { return allm__vmul(a, b); }
ALLM__INLINE allm__vf ALLM__X(fma)(allm__vf a, allm__vf b, allm__vf c) { return allm__vfma(a, b, c); }
ALLM__INLINE allm__vf allm__vset_f16(const void *p) {
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return _mm512_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
}
ALLM__INLINE allm__vf allm__vload_i8(const int8_t *p) { return ALLM__X(load_i8)(p); }
ALLM__INLINE allm__vf allm__vload_f16(const void *p) { return ALLM__X(load_f16)(p); }
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
typedef __m512i ALLM__X(c);
typedef __m512i ALLM__X(i);
enum { ALLM__X(most_tokens) = 12, ALLM__X(narrow_bits) = 8 };
ALLM__INLINE ALLM__X(c) ALLM__X(c_load)(const uint8_t *p) { return _mm512_loadu_si512(p); }
ALLM__INLINE void       ALLM__X(c_store)(uint8_t *p, ALLM__X(c) v) { _mm512_storeu_si512(p, v); }
ALLM__INLINE ALLM__X(c) ALLM__X(c_and)(ALLM__X(c) v, int x) { return _mm512_and_si512(v, _mm512_set1_epi8((char)x)); }
ALLM__INLINE ALLM__X(c) ALLM__X(c_or)(ALLM__X(c) a, ALLM__X(c) b) { return _mm512_or_si512(a, b); }
ALLM__INLINE ALLM__X(c) ALLM__X(c_shr)(ALLM__X(c) v, int n) { return _mm512_srl_epi16(v, _mm_cvtsi32_si128(n)); }
ALLM__INLINE ALLM__X(c) ALLM__X(c_shl)(ALLM__X(c) v, int n) { return _mm512_sll_epi16(v, _mm_cvtsi32_si128(n)); }
ALLM__INLINE ALLM__X(i) ALLM__X(i_zero)(void) { return _mm512_setzero_si512(); }
ALLM__INLINE ALLM__X(i) ALLM__X(i_start)(const int32_t *n, int shift) { /* 32 and more give 0 */
    return _mm512_sll_epi32(_mm512_set1_epi32(*n), _mm_cvtsi32_si128(shift));
}
ALLM__INLINE ALLM__X(i) ALLM__X(i_add)(ALLM__X(i) a, ALLM__X(i) b) { return _mm512_add_epi32(a, b); }
ALLM__INLINE ALLM__X(i) ALLM__X(i_shl8)(ALLM__X(i) a) { return _mm512_sll_epi32(a, _mm_cvtsi32_si128(8)); }
ALLM__INLINE ALLM__X(f) ALLM__X(i_float)(ALLM__X(i) a) { return _mm512_cvtepi32_ps(a); }
ALLM__INLINE ALLM__X(i) ALLM__X(i_dot)(ALLM__X(i) sum, const ALLM__X(c) *c, int n, const int8_t *a, int wide) {
    (void)wide;
    ALLM__UNROLL(8) for (int i = 0; i < n; i++) {
        int32_t four;
        memcpy(&four, a + 4 * i, sizeof four);
        sum = _mm512_dpbusd_epi32(sum, c[i], _mm512_set1_epi32(four));
    }
    return sum;
}
ALLM__INLINE allm__vf ALLM__V(load_code)(const uint8_t *line, int k) {
    const __m512i v = _mm512_srl_epi32(_mm512_loadu_si512(line), _mm_cvtsi32_si128(8 * k));
    return _mm512_cvtepi32_ps(_mm512_and_si512(v, _mm512_set1_epi32(255)));
}
#endif

#if defined(ALLM__PASS) && ALLM__PASS == ALLM__PASS_AVX2
enum { ALLM__X(width) = 8 };
typedef __m256 ALLM__X(f);
ALLM__INLINE __m256i ALLM__X(first)(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
ALLM__INLINE ALLM__X(f) ALLM__X(set)(float x) { return _mm256_set1_ps(x); }
ALLM__INLINE ALLM__X(f) ALLM__X(load)(const float *p) { return _mm256_loadu_ps(p); }
ALLM__INLINE ALLM__X(f) ALLM__X(load_n)(const float *p, int n) { return _mm256_maskload_ps(p, ALLM__X(first)(n)); }
ALLM__INLINE void     ALLM__X(store)(float *p, ALLM__X(f) a) { _mm256_storeu_ps(p, a); }
ALLM__INLINE void     ALLM__X(store_n)(float *p, ALLM__X(f) a, int n) { _mm256_maskstore_ps(p, ALLM__X(first)(n), a); }
ALLM__INLINE ALLM__X(f) ALLM__X(add)(ALLM__X(f) a, ALLM__X(f) b) { return _mm256_add_ps(a, b); }
ALLM__INLINE ALLM__X(f) ALLM__X(sub)(ALLM__X(f) a, ALLM__X(f) b) { return _mm256_sub_ps(a, b); }
ALLM__INLINE ALLM__X(f) ALLM__X(mul)(ALLM__X(f) a, ALLM__X(f) b) { return _mm256_mul_ps(a, b); }
ALLM__INLINE ALLM__X(f) ALLM__X(div)(ALLM__X(f) a, ALLM__X(f) b) { return _mm256_div_ps(a, b); }
ALLM__INLINE ALLM__X(f) ALLM__X(fma)(ALLM__X(f) a, ALLM__X(f) b, ALLM__X(f) c) { return _mm256_fmadd_ps(a, b, c); }
ALLM__INLINE ALLM__X(f) ALLM__X(max)(ALLM__X(f) a, ALLM__X(f) b) { return _mm256_max_ps(a, b); }
ALLM__INLINE ALLM__X(f) ALLM__X(abs)(ALLM__X(f) a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
ALLM__INLINE ALLM__X(f) ALLM__X(maxbits)(ALLM__X(f) a, ALLM__X(f) b) {
    return _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
}
ALLM__INLINE float ALLM__X(topbits)(ALLM__X(f) v) {
    __m128i a = _mm_max_epi32(_mm256_castsi256_si128(_mm256_castps_si256(v)),
                              _mm256_extracti128_si256(_mm256_castps_si256(v), 1));
    a         = _mm_max_epi32(a, _mm_shuffle_epi32(a, 0x4e));
    a         = _mm_max_epi32(a, _mm_shuffle_epi32(a, 0xb1));
    return allm__float((uint32_t)_mm_cvtsi128_si32(a));
}
ALLM__INLINE float ALLM__X(sum)(ALLM__X(f) v) {
    __m128 a = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    a        = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}
ALLM__INLINE float ALLM__X(top)(ALLM__X(f) v) {
    __m128 a = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    a        = _mm_max_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)));
}
ALLM__INLINE ALLM__X(f) ALLM__X(set_f16)(const void *p) {
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
}
ALLM__INLINE ALLM__X(f) ALLM__X(load_i8)(const int8_t *p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}
ALLM__INLINE ALLM__X(f) ALLM__X(load_f16)(const void *p) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
ALLM__INLINE ALLM__X(f) ALLM__X(load_bf16)(const void *p) {
    const __m256i u = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(u, 16));
}
ALLM__INLINE void ALLM__X(store_f16)(void *p, ALLM__X(f) a) {
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
ALLM__INLINE void ALLM__X(store_i8)(int8_t *p, ALLM__X(f) a) {
    const __m256i i = _mm256_cvtps_epi32(a);
    const __m128i h = _mm_packs_epi32(_mm256_castsi256_si128(i), _mm256_extracti128_si256(i, 1));
    _mm_storel_epi64((__m128i *)(void *)p, _mm_packs_epi16(h, h));
}
ALLM__INLINE ALLM__X(f) ALLM__X(round)(ALLM__X(f) a) {
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
ALLM__INLINE ALLM__X(f) ALLM__X(ldexp)(ALLM__X(f) a, ALLM__X(f) n) { /* in two steps: 2^n itself may not fit */
    const __m256i i = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(i, 1), one = _mm256_set1_epi32(127);
    const __m256i u = _mm256_slli_epi32(_mm256_add_epi32(half, one), 23);
    const __m256i v = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(i, half), one), 23);
    return _mm256_mul_ps(_mm256_mul_ps(a, _mm256_castsi256_ps(u)), _mm256_castsi256_ps(v));
}
ALLM__INLINE ALLM__X(f) ALLM__X(clamp)(ALLM__X(f) a, float lo, float hi) { /* of a NaN, min and max give their second */
    return _mm256_min_ps(_mm256_set1_ps(hi), _mm256_max_ps(_mm256_set1_ps(lo), a));
}
/* The sums of the four lanes of every 128 bits: y[0..3] of a, b, c, d over the lower ones, then over the upper ones. */
ALLM__INLINE __m256 ALLM__X(quads)(__m256 a, __m256 b, __m256 c, __m256 d) {
    const __m256 ab = _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
    const __m256 cd = _mm256_add_ps(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
    const __m256 lo = _mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(ab), _mm256_castps_pd(cd)));
    const __m256 hi = _mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(ab), _mm256_castps_pd(cd)));
    return _mm256_add_ps(lo, hi);
}
typedef __m256i ALLM__X(c);
typedef __m256i ALLM__X(i);
enum { ALLM__X(most_tokens) = 4, ALLM__X(narrow_bits) = 4 };
ALLM__INLINE ALLM__X(c) ALLM__X(c_load)(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
ALLM__INLINE void       ALLM__X(c_store)(uint8_t *p, ALLM__X(c) v) { _mm256_storeu_si256((__m256i *)p, v); }
ALLM__INLINE ALLM__X(c) ALLM__X(c_and)(ALLM__X(c) v, int x) { return _mm256_and_si256(v, _mm256_set1_epi8((char)x)); }
ALLM__INLINE ALLM__X(c) ALLM__X(c_or)(ALLM__X(c) a, ALLM__X(c) b) { return _mm256_or_si256(a, b); }
ALLM__INLINE ALLM__X(c) ALLM__X(c_shr)(ALLM__X(c) v, int n) { return _mm256_srl_epi16(v, _mm_cvtsi32_si128(n)); }
ALLM__INLINE ALLM__X(c) ALLM__X(c_shl)(ALLM__X(c) v, int n) { return _mm256_sll_epi16(v, _mm_cvtsi32_si128(n)); }
ALLM__INLINE ALLM__X(i) ALLM__X(i_zero)(void) { return _mm256_setzero_si256(); }
ALLM__INLINE ALLM__X(i) ALLM__X(i_start)(const int32_t *n, int shift) { /* 32 and more give 0 */
    return _mm256_sll_epi32(_mm256_set1_epi32(*n), _mm_cvtsi32_si128(shift));
}
ALLM__INLINE ALLM__X(i) ALLM__X(i_add)(ALLM__X(i) a, ALLM__X(i) b) { return _mm256_add_epi32(a, b); }
ALLM__INLINE ALLM__X(i) ALLM__X(i_shl8)(ALLM__X(i) a) { return _mm256_slli_epi32(a, 8); }
ALLM__INLINE ALLM__X(f) ALLM__X(i_float)(ALLM__X(i) a) { return _mm256_cvtepi32_ps(a); }
/* Sums of 16 bits hold 2 * 8 products of 4-bit codes: 16 * 15 * 128 < 2^15. Wider codes go in two halves. */
ALLM__INLINE ALLM__X(i) ALLM__X(i_dot)(ALLM__X(i) sum, const ALLM__X(c) *c, int n, const int8_t *a, int wide) {
    const __m256i one = _mm256_set1_epi16(1), low = _mm256_set1_epi8(15);
    __m256i       lo = _mm256_setzero_si256(), hi = lo;
    ALLM__UNROLL(8) for (int i = 0; i < n; i++) {
        int32_t four;
        memcpy(&four, a + 4 * i, sizeof four);
        const __m256i v = _mm256_set1_epi32(four);
        lo = _mm256_add_epi16(lo, _mm256_maddubs_epi16(wide ? _mm256_and_si256(c[i], low) : c[i], v));
        if (wide) hi = _mm256_add_epi16(hi, _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(c[i], 4), low), v));
    }
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(lo, one));
    return wide ? _mm256_add_epi32(sum, _mm256_slli_epi32(_mm256_madd_epi16(hi, one), 4)) : sum;
}
ALLM__INLINE ALLM__X(f) ALLM__X(load_code)(const uint8_t *line, int k) {
    const __m256i v = _mm256_srl_epi32(ALLM__X(c_load)(line), _mm_cvtsi32_si128(8 * k));
    return _mm256_cvtepi32_ps(_mm256_and_si256(v, _mm256_set1_epi32(255)));
}
#endif

#if defined(ALLM__PASS) && (ALLM__PASS == ALLM__PASS_AVX2 || ALLM__PASS == ALLM__PASS_AVX512)
typedef __m128i allm__vb;
ALLM__INLINE __m128i ALLM__V(load64)(const void *p) { return _mm_loadl_epi64((const __m128i *)p); }
ALLM__INLINE __m128i ALLM__V(load128)(const void *p) { return _mm_loadu_si128((const __m128i *)p); }
ALLM__INLINE __m256i ALLM__V(load256)(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
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
enum { ALLM__X(width) = 4 };
typedef float32x4_t ALLM__X(f);
typedef uint8x16_t  allm__vb;
ALLM__INLINE ALLM__X(f) ALLM__X(set)(float x) { return vdupq_n_f32(x); }
ALLM__INLINE ALLM__X(f) ALLM__X(load)(const float *p) { return vreinterpretq_f32_u8(vld1q_u8((const uint8_t *)p)); }
ALLM__INLINE ALLM__X(f) ALLM__X(load_n)(const float *p, int n) {
    float v[4] = {0, 0, 0, 0};
    memcpy(v, p, (size_t)n * sizeof *v);
    return vld1q_f32(v);
}
ALLM__INLINE void ALLM__X(store)(float *p, ALLM__X(f) a) { vst1q_f32(p, a); }
ALLM__INLINE void ALLM__X(store_n)(float *p, ALLM__X(f) a, int n) {
    float v[4];
    vst1q_f32(v, a);
    memcpy(p, v, (size_t)n * sizeof *v);
}
ALLM__INLINE ALLM__X(f) ALLM__X(add)(ALLM__X(f) a, ALLM__X(f) b) { return vaddq_f32(a, b); }
ALLM__INLINE ALLM__X(f) ALLM__X(sub)(ALLM__X(f) a, ALLM__X(f) b) { return vsubq_f32(a, b); }
ALLM__INLINE ALLM__X(f) ALLM__X(mul)(ALLM__X(f) a, ALLM__X(f) b) { return vmulq_f32(a, b); }
ALLM__INLINE ALLM__X(f) ALLM__X(div)(ALLM__X(f) a, ALLM__X(f) b) { return vdivq_f32(a, b); }
ALLM__INLINE ALLM__X(f) ALLM__X(fma)(ALLM__X(f) a, ALLM__X(f) b, ALLM__X(f) c) { return vfmaq_f32(c, a, b); }
ALLM__INLINE ALLM__X(f) ALLM__X(max)(ALLM__X(f) a, ALLM__X(f) b) { return vmaxq_f32(a, b); }
ALLM__INLINE ALLM__X(f) ALLM__X(abs)(ALLM__X(f) a) { return vabsq_f32(a); }
ALLM__INLINE ALLM__X(f) ALLM__X(maxbits)(ALLM__X(f) a, ALLM__X(f) b) {
    return vreinterpretq_f32_u32(vmaxq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b)));
}
ALLM__INLINE float    ALLM__X(topbits)(ALLM__X(f) a) { return allm__float(vmaxvq_u32(vreinterpretq_u32_f32(a))); }
ALLM__INLINE float    ALLM__X(top)(ALLM__X(f) a) { return vmaxvq_f32(a); }
ALLM__INLINE ALLM__X(f) ALLM__X(load_f16)(const void *p) {
    return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8((const uint8_t *)p)));
}
ALLM__INLINE float allm__vh(const void *p) {
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(h))), 0);
}
ALLM__INLINE ALLM__X(f) ALLM__X(set_f16)(const void *p) { return vdupq_n_f32(allm__vh(p)); }
ALLM__INLINE ALLM__X(f) ALLM__X(load_bf16)(const void *p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8((const uint8_t *)p)), 16));
}
ALLM__INLINE ALLM__X(f) ALLM__X(load_i8)(const int8_t *p) {
    int32_t four;
    memcpy(&four, p, sizeof four);
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four))))));
}
ALLM__INLINE ALLM__X(f) ALLM__X(load_u8)(const uint8_t *p, int offset) {
    uint32_t four;
    memcpy(&four, p, sizeof four);
    const uint32x4_t u = vmovl_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four)))));
    return vcvtq_f32_s32(vsubq_s32(vreinterpretq_s32_u32(u), vdupq_n_s32(offset)));
}
ALLM__INLINE void ALLM__X(store_f16)(void *p, ALLM__X(f) a) {
    vst1_u8((uint8_t *)p, vreinterpret_u8_f16(vcvt_f16_f32(a)));
}
ALLM__INLINE void ALLM__X(store_i8)(int8_t *p, ALLM__X(f) a) {
    const int16x4_t h    = vqmovn_s32(vcvtnq_s32_f32(a));
    const int32_t   four = vget_lane_s32(vreinterpret_s32_s8(vqmovn_s16(vcombine_s16(h, h))), 0);
    memcpy(p, &four, sizeof four);
}
ALLM__INLINE ALLM__X(f) ALLM__X(round)(ALLM__X(f) a) { return vrndnq_f32(a); }
ALLM__INLINE ALLM__X(f) ALLM__X(ldexp)(ALLM__X(f) a, ALLM__X(f) n) { /* in two steps: 2^n itself may not fit */
    const int32x4_t i = vcvtnq_s32_f32(n), half = vshrq_n_s32(i, 1), one = vdupq_n_s32(127);
    const int32x4_t u = vshlq_n_s32(vaddq_s32(half, one), 23), v = vshlq_n_s32(vaddq_s32(vsubq_s32(i, half), one), 23);
    return vmulq_f32(vmulq_f32(a, vreinterpretq_f32_s32(u)), vreinterpretq_f32_s32(v));
}
ALLM__INLINE ALLM__X(f) ALLM__X(clamp)(ALLM__X(f) a, float lo, float hi) {
    return vminq_f32(vmaxq_f32(a, vdupq_n_f32(lo)), vdupq_n_f32(hi));
}
ALLM__INLINE float32x4_t ALLM__X(folded)(float32x4_t a, float32x4_t b) { /* the upper halves added to the lower ones */
    return vaddq_f32(vcombine_f32(vget_low_f32(a), vget_low_f32(b)), vcombine_f32(vget_high_f32(a), vget_high_f32(b)));
}
ALLM__INLINE float32x4_t ALLM__X(quads)(float32x4_t a, float32x4_t b, float32x4_t c, float32x4_t d) {
    return vpaddq_f32(ALLM__X(folded)(a, b), ALLM__X(folded)(c, d));
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
typedef uint8x16_t ALLM__X(c);
typedef int32x4_t  ALLM__X(i);
enum { ALLM__X(most_tokens) = 8, ALLM__X(narrow_bits) = 6 };
ALLM__INLINE ALLM__X(c) ALLM__X(c_load)(const uint8_t *p) { return vld1q_u8(p); }
ALLM__INLINE void       ALLM__X(c_store)(uint8_t *p, ALLM__X(c) v) { vst1q_u8(p, v); }
ALLM__INLINE ALLM__X(c) ALLM__X(c_and)(ALLM__X(c) v, int x) { return vandq_u8(v, vdupq_n_u8((uint8_t)x)); }
ALLM__INLINE ALLM__X(c) ALLM__X(c_or)(ALLM__X(c) a, ALLM__X(c) b) { return vorrq_u8(a, b); }
ALLM__INLINE ALLM__X(c) ALLM__X(c_shr)(ALLM__X(c) v, int n) { return vshlq_u8(v, vdupq_n_s8((int8_t)-n)); }
ALLM__INLINE ALLM__X(c) ALLM__X(c_shl)(ALLM__X(c) v, int n) { return vshlq_u8(v, vdupq_n_s8((int8_t)n)); }
ALLM__INLINE ALLM__X(i) ALLM__X(i_zero)(void) { return vdupq_n_s32(0); }
ALLM__INLINE ALLM__X(i) ALLM__X(i_start)(const int32_t *n, int shift) { /* bytes lose their offset, see i_dot */
    return vdupq_n_s32(shift < 7 ? *n * (1 << shift) : 0);
}
ALLM__INLINE ALLM__X(i) ALLM__X(i_add)(ALLM__X(i) a, ALLM__X(i) b) { return vaddq_s32(a, b); }
ALLM__INLINE ALLM__X(i) ALLM__X(i_shl8)(ALLM__X(i) a) { return vshlq_n_s32(a, 8); }
ALLM__INLINE ALLM__X(f) ALLM__X(i_float)(ALLM__X(i) a) { return vcvtq_f32_s32(a); }
/* Products of signed bytes; wide: codes of 8 bits, less 128. */
ALLM__INLINE ALLM__X(i) ALLM__X(i_dot)(ALLM__X(i) sum, const ALLM__X(c) *c, int n, const int8_t *a, int wide) {
    ALLM__UNROLL(8) for (int i = 0; i < n; i++) {
        int32_t four;
        memcpy(&four, a + 4 * i, sizeof four);
        const int8x16_t v = vreinterpretq_s8_s32(vdupq_n_s32(four));
        const int8x16_t w = vreinterpretq_s8_u8(wide ? veorq_u8(c[i], vdupq_n_u8(128)) : c[i]);
#if defined(__ARM_FEATURE_DOTPROD)
        sum = vdotq_s32(sum, w, v);
#else
        const int16x8_t lo = vmull_s8(vget_low_s8(w), vget_low_s8(v)), hi = vmull_high_s8(w, v);
        sum = vpadalq_s16(sum, vpaddq_s16(lo, hi)); /* 2 * 128 * 127 fits 16 bits */
#endif
    }
    return sum;
}
ALLM__INLINE ALLM__X(f) ALLM__X(load_code)(const uint8_t *line, int k) {
    const uint32x4_t v = vshlq_u32(vreinterpretq_u32_u8(vld1q_u8(line)), vdupq_n_s32(-8 * k));
    return vcvtq_f32_u32(vandq_u32(v, vdupq_n_u32(255)));
}
#endif

#if defined(ALLM__PASS) && ALLM__PASS != ALLM__PASS_AVX512
/* 16 lanes of several registers. */
enum { ALLM__V(parts) = 16 / ALLM__X(width) };
typedef struct allm__vf { ALLM__X(f) r[ALLM__V(parts)]; } allm__vf;

/* `what`, in which k is a constant, for each part. */
#define ALLM__PART(i, what) { enum { k = i }; what; }
#if ALLM__PASS == ALLM__PASS_SCALAR
#define ALLM__EACH(what) for (int k = 0; k < 16; k++) { what; }
#elif ALLM__PASS == ALLM__PASS_AVX2
#define ALLM__EACH(what) ALLM__PART(0, what) ALLM__PART(1, what)
#else
#define ALLM__EACH(what) ALLM__PART(0, what) ALLM__PART(1, what) ALLM__PART(2, what) ALLM__PART(3, what)
#endif
#define ALLM__ONE(name, args, what) \
    ALLM__INLINE allm__vf ALLM__V(name) args { allm__vf v; ALLM__EACH(v.r[k] = what) return v; }
#define ALLM__AT (k * ALLM__X(width))
#define ALLM__LEFT ALLM__MAX(0, ALLM__MIN(n - ALLM__AT, ALLM__X(width)))
ALLM__ONE(set, (float x), ALLM__X(set)(x))
ALLM__ONE(set_f16, (const void *p), ALLM__X(set_f16)(p))
ALLM__ONE(load, (const float *p), ALLM__X(load)(p + ALLM__AT))
ALLM__ONE(load_n, (const float *p, int n), ALLM__X(load_n)(p + ALLM__AT, ALLM__LEFT))
ALLM__ONE(load_i8, (const int8_t *p), ALLM__X(load_i8)(p + ALLM__AT))
ALLM__ONE(load_f16, (const void *p), ALLM__X(load_f16)((const uint8_t *)p + 2 * ALLM__AT))
ALLM__ONE(load_code, (const uint8_t *p, int i), ALLM__X(load_code)(p + 4 * ALLM__AT, i))
ALLM__ONE(load_bf16, (const void *p), ALLM__X(load_bf16)((const uint8_t *)p + 2 * ALLM__AT))
ALLM__ONE(add, (allm__vf a, allm__vf b), ALLM__X(add)(a.r[k], b.r[k]))
ALLM__ONE(sub, (allm__vf a, allm__vf b), ALLM__X(sub)(a.r[k], b.r[k]))
ALLM__ONE(mul, (allm__vf a, allm__vf b), ALLM__X(mul)(a.r[k], b.r[k]))
ALLM__ONE(div, (allm__vf a, allm__vf b), ALLM__X(div)(a.r[k], b.r[k]))
ALLM__ONE(fma, (allm__vf a, allm__vf b, allm__vf c), ALLM__X(fma)(a.r[k], b.r[k], c.r[k]))
ALLM__ONE(max, (allm__vf a, allm__vf b), ALLM__X(max)(a.r[k], b.r[k]))
ALLM__ONE(round, (allm__vf a), ALLM__X(round)(a.r[k]))
ALLM__ONE(ldexp, (allm__vf a, allm__vf n), ALLM__X(ldexp)(a.r[k], n.r[k]))
ALLM__ONE(clamp, (allm__vf a, float lo, float hi), ALLM__X(clamp)(a.r[k], lo, hi))
#if ALLM__PASS != ALLM__PASS_SCALAR
ALLM__ONE(abs, (allm__vf a), ALLM__X(abs)(a.r[k]))
ALLM__ONE(maxbits, (allm__vf a, allm__vf b), ALLM__X(maxbits)(a.r[k], b.r[k]))
ALLM__INLINE void allm__vstore_i8(int8_t *p, allm__vf a) { ALLM__EACH(ALLM__X(store_i8)(p + ALLM__AT, a.r[k])) }
#endif
ALLM__INLINE void allm__vstore(float *p, allm__vf a) { ALLM__EACH(ALLM__X(store)(p + ALLM__AT, a.r[k])) }
ALLM__INLINE void allm__vstore_n(float *p, allm__vf a, int n) {
    ALLM__EACH(ALLM__X(store_n)(p + ALLM__AT, a.r[k], ALLM__LEFT))
}
ALLM__INLINE void allm__vstore_f16(void *p, allm__vf a) {
    ALLM__EACH(ALLM__X(store_f16)((uint8_t *)p + 2 * ALLM__AT, a.r[k]))
}
ALLM__INLINE float allm__vtop(allm__vf a) {
    ALLM__EACH(a.r[0] = ALLM__X(max)(a.r[k], a.r[0]))
    return ALLM__X(top)(a.r[0]);
}
#if ALLM__PASS == ALLM__PASS_SCALAR /* lanes i and i + 8, then i and i + 4, then i and i + 2, then the last two */
ALLM__INLINE float allm__vsum(allm__vf a) {
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; i++) a.r[i] += a.r[i + half];
    return a.r[0];
}
ALLM__INLINE float ALLM__V(sum_quads)(allm__vf a) {
    for (int i = 0; i < 16; i += 4) a.r[i] = (a.r[i] + a.r[i + 2]) + (a.r[i + 1] + a.r[i + 3]);
    return (a.r[0] + a.r[8]) + (a.r[4] + a.r[12]);
}
ALLM__INLINE void allm__vsum4(float *y, allm__vf a, allm__vf b, allm__vf c, allm__vf d) {
    y[0] = ALLM__V(sum_quads)(a), y[1] = ALLM__V(sum_quads)(b);
    y[2] = ALLM__V(sum_quads)(c), y[3] = ALLM__V(sum_quads)(d);
}
#elif ALLM__PASS == ALLM__PASS_AVX2
ALLM__INLINE float allm__vsum(allm__vf a) { return ALLM__X(sum)(_mm256_add_ps(a.r[0], a.r[1])); }
ALLM__INLINE float allm__vtopbits(allm__vf a) { return ALLM__X(topbits)(ALLM__X(maxbits)(a.r[0], a.r[1])); }
ALLM__INLINE void  allm__vsum4(float *y, allm__vf a, allm__vf b, allm__vf c, allm__vf d) {
    const __m256 s = _mm256_add_ps(ALLM__X(quads)(a.r[0], b.r[0], c.r[0], d.r[0]),
                                   ALLM__X(quads)(a.r[1], b.r[1], c.r[1], d.r[1]));
    _mm_storeu_ps(y, _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1)));
}
#else
ALLM__INLINE float allm__vsum(allm__vf a) {
    const float32x4_t s = vaddq_f32(vaddq_f32(a.r[0], a.r[2]), vaddq_f32(a.r[1], a.r[3]));
    return vaddv_f32(vadd_f32(vget_low_f32(s), vget_high_f32(s)));
}
ALLM__INLINE float allm__vtopbits(allm__vf a) {
    return ALLM__X(topbits)(ALLM__X(maxbits)(ALLM__X(maxbits)(a.r[0], a.r[1]), ALLM__X(maxbits)(a.r[2], a.r[3])));
}
ALLM__INLINE void allm__vsum4(float *y, allm__vf a, allm__vf b, allm__vf c, allm__vf d) {
    float32x4_t s[4];
    ALLM__EACH(s[k] = ALLM__X(quads)(a.r[k], b.r[k], c.r[k], d.r[k]))
    vst1q_f32(y, vaddq_f32(vaddq_f32(s[0], s[2]), vaddq_f32(s[1], s[3])));
}
#endif
#undef ALLM__PART
#undef ALLM__EACH
#undef ALLM__ONE
#undef ALLM__AT
#undef ALLM__LEFT
#endif

// MARK: >>kern  Kernels
/* Owns: the arithmetic of a forward pass, one table of functions per ISA. Most are written once over the vocabulary
 * of room isa; the innermost ones are written by hand. Holds for every table: for one (row, token) or one (query, key
 * range) the operations and their order depend on nothing else, so that results are the same bits for every batch, row
 * or thread split; and they are the same in every table, because the int8 rounding of activations makes much of a last
 * bit: a lane is a row, sums run over the columns in order, and what is fused is fused everywhere. NaN in a weight,
 * scale or activation gives NaN where it is used, and nothing worse.
 *
 * Weights are packed by 16 rows, 4 columns of each side by side: a line of 64 bytes is 16 rows x 4 columns of 8 bits.
 * No sum goes across lanes, and no scale is broadcast. Matrix products come in two kinds. gemm multiplies codes with
 * activations rounded to int8 (or 16 bits) per 32 columns: the integer part is exact. gemm_f32 keeps float
 * activations: the reference path and weights that are floats. Both take weights packed before, or pack 16 rows at a
 * time on the way: the same bits. */

#ifndef ALLM__PASS

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")
#endif

enum {
    ALLM__ROWS       = 16,  /* packed together: a group */
    ALLM__PANEL_COLS = 64,  /* a panel is unpacked at once */
    ALLM__CHUNK      = 32,  /* panels that are unpacked before they are used by many tokens */
    ALLM__CHUNK_FEW  = 4,   /* ... and by few; a multiple of it is 256 columns */
    ALLM__TOKENS     = 12,  /* of a tile of activations */
    ALLM__TILE_BYTES = 4608, /* most bytes of a packed tile */
    ALLM__KEYS       = 32   /* keys of an attention block */
};

/* ---- packed weights
 *
 * A tile is 16 rows x n_cols columns (64, or 256 for formats with superblocks): first the scales, 16 rows side by side,
 * then for each 64 columns the bits of the codes in planes; c4 = 0..15 counts four columns, a line holds [16 rows][4]:
 *     8 bits      line c4
 *     4 bits      8 lines: line 4b + j has c4 = 8b + j in its low halves and c4 = 8b + 4 + j in its high ones
 *     2 bits      4 lines: line i has c4 = 4s + i at bit 2s
 *     1 bit       2 lines: line b has c4 = 8b + s at bit s
 * 5 bits are a 4-bit and a 1-bit plane, 6 are 4 and 2, 3 are 2 and 1; floats are [64][16]. Scales of formats with
 * blocks of 32: f16 d[2][16], then m[2][16] if there are minima; of superblocks: f16 d[16], dmin[16], then a byte
 * [16 rows] a scale, then a minimum. Columns and rows that do not exist are zero. */

typedef struct allm__pack { /* how a format is packed */
    int32_t id;      /* of the format */
    int16_t n_cols;  /* of a tile */
    int8_t  n_bits;  /* of a code; 16, 32: floats */
    int8_t  shift;   /* a code is too large by 1 << shift; ALLM__NO_OFFSET: it is not */
    int8_t  has_min; /* m is used */
    int8_t  n_part;  /* columns with a scale of their own: 32 or 16 */
    int16_t n_head;  /* bytes of scales of a tile */
    int8_t  at, n_words; /* a block has the tile's planes as they are: n_words words of 4 columns from byte `at` on */
    /* Codes of a row's tile, four columns each; block: the tile's first, n_blocks of them are in the row. */
    void (*codes)(const uint8_t *block, int n_blocks, uint32_t out[64]);
    /* Scales of a row's tile to lane r of the head. */
    void (*scales)(const uint8_t *block, int n_blocks, uint8_t *head, int r);
} allm__pack;

enum { ALLM__NO_OFFSET = 32 };

typedef struct allm__mat { /* a weight matrix, rows in the file's format */
    const allm__fmt *fmt;
    const void      *data; /* [n_rows][row_bytes], any alignment */
    int64_t          n_rows, n_cols;
    size_t           row_bytes;
    const uint8_t   *packed; /* [n_groups][n_tiles] tiles, 64-byte aligned; NULL: rows are packed when they are used */
} allm__mat;

/* Lane r of row i of an array of 16 f16. */
ALLM__INLINE void allm__pack_h(uint8_t *head, int i, int r, const uint8_t *h) { memcpy(head + 32 * i + 2 * r, h, 2); }

ALLM__INLINE uint32_t allm__pack_u32(const uint8_t *p) { return (uint32_t)allm__load_le(p, 4); }

/* Four bits to bit 0 of four bytes. */
ALLM__INLINE uint32_t allm__pack_spread(uint32_t bits) { return (bits & 15) * 0x00204081u & 0x01010101u; }

#define ALLM__PACK_BLOCKS(name, scale2, lo, hi)                                                       \
    static void allm__pack_codes_##name(const uint8_t *block, int n_blocks, uint32_t out[64]) {       \
        for (int n = 0; n < n_blocks; n++, block += sizeof(allm__##name)) {                           \
            const allm__##name *b = (const allm__##name *)block;                                      \
            for (int j = 0; j < 4; j++) out[8 * n + j] = lo, out[8 * n + 4 + j] = hi;                 \
        }                                                                                             \
    }                                                                                                 \
    static void allm__pack_scales_##name(const uint8_t *block, int n_blocks, uint8_t *head, int r) {  \
        for (int n = 0; n < n_blocks; n++, block += sizeof(allm__##name)) {                           \
            const allm__##name *b = (const allm__##name *)block;                                      \
            allm__pack_h(head, n, r, b->d);                                                           \
            scale2;                                                                                   \
        }                                                                                             \
    }
#define ALLM__PACK_M allm__pack_h(head, 2 + n, r, b->m)
#define ALLM__PACK_LO (allm__pack_u32(b->qs + 4 * j) & 0x0f0f0f0fu)
#define ALLM__PACK_HI (allm__pack_u32(b->qs + 4 * j) >> 4 & 0x0f0f0f0fu)
#define ALLM__PACK_5(c4) allm__pack_spread(allm__pack_u32(b->qh) >> 4 * (c4)) << 4
ALLM__PACK_BLOCKS(q4_0, (void)0, ALLM__PACK_LO, ALLM__PACK_HI)
ALLM__PACK_BLOCKS(q4_1, ALLM__PACK_M, ALLM__PACK_LO, ALLM__PACK_HI)
ALLM__PACK_BLOCKS(q5_0, (void)0, ALLM__PACK_LO | ALLM__PACK_5(j), ALLM__PACK_HI | ALLM__PACK_5(j + 4))
ALLM__PACK_BLOCKS(q5_1, ALLM__PACK_M, ALLM__PACK_LO | ALLM__PACK_5(j), ALLM__PACK_HI | ALLM__PACK_5(j + 4))
ALLM__PACK_BLOCKS(q8_0, (void)0, allm__pack_u32((const uint8_t *)b->qs + 4 * j) ^ 0x80808080u,
                  allm__pack_u32((const uint8_t *)b->qs + 16 + 4 * j) ^ 0x80808080u)
#undef ALLM__PACK_BLOCKS
#undef ALLM__PACK_M
#undef ALLM__PACK_LO
#undef ALLM__PACK_HI
#undef ALLM__PACK_5

/* Superblocks of 256: code(c4) of four columns; i: the scale's place. */
#define ALLM__PACK_SUPER(name, code, dmin_, n_scales, scale, minimum)                                \
    static void allm__pack_codes_##name(const uint8_t *block, int n_blocks, uint32_t out[64]) {      \
        const allm__##name *b = (const allm__##name *)block;                                         \
        (void)n_blocks;                                                                              \
        for (int n = 0; n < 2; n++)          /* a half of 128 columns */                             \
            for (int s = 0; s < 4; s++)      /* 32 columns of it */                                  \
                for (int l = 0; l < 8; l++)  /* four of these */                                     \
                    out[32 * n + 8 * s + l] = code;                                                  \
    }                                                                                                \
    static void allm__pack_scales_##name(const uint8_t *block, int n_blocks, uint8_t *head, int r) { \
        const allm__##name *b = (const allm__##name *)block;                                         \
        (void)n_blocks;                                                                              \
        allm__pack_h(head, 0, r, b->d);                                                              \
        dmin_;                                                                                       \
        for (int i = 0; i < n_scales; i++) {                                                         \
            int sc, m = 0;                                                                           \
            scale;                                                                                   \
            head[64 + 16 * i + r] = (uint8_t)sc;                                                     \
            if (minimum) head[64 + 16 * (n_scales + i) + r] = (uint8_t)m;                            \
        }                                                                                            \
    }
#define ALLM__PACK_DMIN allm__pack_h(head, 1, r, b->dmin)
#define ALLM__PACK_2 (allm__pack_u32(b->qs + 32 * n + 4 * l) >> 2 * s & 0x03030303u)
#define ALLM__PACK_4 (allm__pack_u32(b->qs + 64 * n + s / 2 * 32 + 4 * l) >> s % 2 * 4 & 0x0f0f0f0fu)
#define ALLM__PACK_6 (allm__pack_u32(b->ql + 64 * n + s % 2 * 32 + 4 * l) >> s / 2 * 4 & 0x0f0f0f0fu)
ALLM__PACK_SUPER(q2_k, ALLM__PACK_2, ALLM__PACK_DMIN, 16, (sc = b->scales[i] & 15, m = b->scales[i] >> 4), 1)
ALLM__PACK_SUPER(q3_k, ALLM__PACK_2 | (allm__pack_u32(b->hmask + 4 * l) >> (4 * n + s) & 0x01010101u) << 2, (void)0, 16,
                 sc = allm__q3_k_scale(b->scales, i), 0)
ALLM__PACK_SUPER(q4_k, ALLM__PACK_4, ALLM__PACK_DMIN, 8, allm__q4_k_scale(b->scales, i, &sc, &m), 1)
ALLM__PACK_SUPER(q5_k, ALLM__PACK_4 | (allm__pack_u32(b->qh + 4 * l) >> (4 * n + s) & 0x01010101u) << 4,
                 ALLM__PACK_DMIN, 8, allm__q4_k_scale(b->scales, i, &sc, &m), 1)
ALLM__PACK_SUPER(q6_k, ALLM__PACK_6 | (allm__pack_u32(b->qh + 32 * n + 4 * l) >> 2 * s & 0x03030303u) << 4, (void)0, 16,
                 sc = b->scales[i], 0)
#undef ALLM__PACK_SUPER
#undef ALLM__PACK_DMIN
#undef ALLM__PACK_2
#undef ALLM__PACK_4
#undef ALLM__PACK_6

static const allm__pack allm__packs[] = {
#define ALLM__PACK(id, name, n_cols, n_bits, shift, has_min, n_part, n_head, ...) \
    {id, n_cols, n_bits, shift, has_min, n_part, n_head, __VA_ARGS__, allm__pack_codes_##name, allm__pack_scales_##name}
    ALLM__PACK(ALLM__Q4_0, q4_0, 64, 4, 3, 0, 32, 64, 2, 4),
    ALLM__PACK(ALLM__Q4_1, q4_1, 64, 4, ALLM__NO_OFFSET, 1, 32, 128, 4, 4),
    ALLM__PACK(ALLM__Q5_0, q5_0, 64, 5, 4, 0, 32, 64, 0, 0),
    ALLM__PACK(ALLM__Q5_1, q5_1, 64, 5, ALLM__NO_OFFSET, 1, 32, 128, 0, 0),
    ALLM__PACK(ALLM__Q8_0, q8_0, 64, 8, 7, 0, 32, 64, 2, 8),
    ALLM__PACK(ALLM__Q2_K, q2_k, 256, 2, ALLM__NO_OFFSET, 1, 16, 64 + 512, 0, 0),
    ALLM__PACK(ALLM__Q3_K, q3_k, 256, 3, 2, 0, 16, 64 + 256, 0, 0),
    ALLM__PACK(ALLM__Q4_K, q4_k, 256, 4, ALLM__NO_OFFSET, 1, 32, 64 + 256, 0, 0),
    ALLM__PACK(ALLM__Q5_K, q5_k, 256, 5, ALLM__NO_OFFSET, 1, 32, 64 + 256, 0, 0),
    ALLM__PACK(ALLM__Q6_K, q6_k, 256, 6, 5, 0, 16, 64 + 256, 0, 0),
#undef ALLM__PACK
    {ALLM__F32, 64, 32, ALLM__NO_OFFSET, 0, 32, 0, 0, 0, NULL, NULL},
    {ALLM__F16, 64, 16, ALLM__NO_OFFSET, 0, 32, 0, 0, 0, NULL, NULL},
    {ALLM__BF16, 64, 16, ALLM__NO_OFFSET, 0, 32, 0, 0, 0, NULL, NULL},
};

static const allm__pack *allm__pack_find(int32_t id) { /* NULL: the format is not packed */
    for (size_t i = 0; i < ALLM__COUNT(allm__packs); i++)
        if (allm__packs[i].id == id) return &allm__packs[i];
    return NULL;
}

/* Bytes of a tile: at most ALLM__TILE_BYTES. */
static size_t allm__pack_tile_bytes(const allm__pack *p) {
    return (size_t)p->n_head + (size_t)p->n_cols * ALLM__ROWS * (size_t)p->n_bits / 8;
}

static int64_t allm__pack_n_tiles(const allm__pack *p, int64_t n_cols) { return (n_cols + p->n_cols - 1) / p->n_cols; }

/* Bytes of a matrix; its size was checked when the file was opened, and packing adds less than half. */
static size_t allm__pack_bytes(const allm__pack *p, int64_t n_rows, int64_t n_cols) {
    return (size_t)((n_rows + ALLM__ROWS - 1) / ALLM__ROWS) * (size_t)allm__pack_n_tiles(p, n_cols) *
           allm__pack_tile_bytes(p);
}

/* Codes of 16 rows and 16 x 4 columns to planes of n_bits. */
static void allm__pack_planes(uint32_t (*c)[64] /* [16] */, int n_bits, uint8_t *to) {
    for (int r = 0; r < ALLM__ROWS; r++) {
        const uint32_t *q = c[r];
        uint8_t        *p = to + 4 * r;
        uint32_t        line[16];
        int             n = 0, low = n_bits & 14; /* bits of the first plane */
        if (n_bits == 8)
            for (; n < 16; n++) line[n] = q[n];
        if (low == 4 || low == 6)
            for (; n < 8; n++) {
                const uint32_t *v = q + n / 4 * 8 + n % 4;
                line[n]           = (v[0] & 0x0f0f0f0fu) | (v[4] & 0x0f0f0f0fu) << 4;
            }
        if (low == 2 || low == 6)
            for (int i = 0, s = low - 2; i < 4; i++, n++)
                line[n] = (q[i] >> s & 0x03030303u) | (q[4 + i] >> s & 0x03030303u) << 2 |
                          (q[8 + i] >> s & 0x03030303u) << 4 | (q[12 + i] >> s & 0x03030303u) << 6;
        if (n_bits & 1)
            for (int b = 0; b < 2; b++, n++) {
                line[n] = 0;
                for (int s = 0; s < 8; s++) line[n] |= (q[8 * b + s] >> low & 0x01010101u) << s;
            }
        for (int i = 0; i < n; i++)
            for (int k = 0; k < 4; k++) p[64 * i + k] = (uint8_t)(line[i] >> 8 * k);
    }
}

/* A row's words to lane r; codes of 8 bits lose their sign. */
ALLM__INLINE void allm__pack_words(const allm__pack *p, const uint8_t *block, size_t n_block, int n_blocks, uint8_t *to,
                                   int r) {
    const uint32_t sign = p->n_bits == 8 ? 0x80808080u : 0;
    to += p->n_head + 4 * r;
    for (int b = 0; b < n_blocks; b++, block += n_block)
        for (int i = 0; i < p->n_words; i++, to += 64) {
            const uint32_t word = allm__pack_u32(block + p->at + 4 * i) ^ sign;
            memcpy(to, &word, sizeof word);
        }
}

/* Tile i_tile of group g: 16 rows from 16 g on. */
static void allm__pack_tile(const allm__mat *w, const allm__pack *p, int64_t g, int64_t i_tile, uint8_t *to) {
    const size_t n_tile = allm__pack_tile_bytes(p), n_block = (size_t)w->fmt->n_bytes;
    const int    n_rows = (int)ALLM__MIN(ALLM__ROWS, w->n_rows - g * ALLM__ROWS);
    const int    n_cols = (int)ALLM__MIN(p->n_cols, w->n_cols - i_tile * p->n_cols), n_blocks = n_cols / w->fmt->n_weights;
    const uint8_t *from = (const uint8_t *)w->data + (size_t)(g * ALLM__ROWS) * w->row_bytes +
                          (size_t)(i_tile * (p->n_cols / w->fmt->n_weights)) * n_block;
    uint32_t codes[ALLM__ROWS][64];
    if (n_rows < ALLM__ROWS || n_cols < p->n_cols) memset(to, 0, n_tile), memset(codes, 0, sizeof codes);
    for (int r = 0; r < n_rows; r++, from += w->row_bytes)
        if (!p->codes) /* floats */
            for (int c = 0; c < n_cols; c++)
                memcpy(to + (size_t)(ALLM__ROWS * c + r) * n_block, from + (size_t)c * n_block, n_block);
        else if (p->scales(from, n_blocks, to, r), p->n_words) allm__pack_words(p, from, n_block, n_blocks, to, r);
        else p->codes(from, n_blocks, codes[r]);
    if (p->codes && !p->n_words)
        for (int i = 0; i < p->n_cols / ALLM__PANEL_COLS; i++) {
            uint32_t part[ALLM__ROWS][64];
            for (int r = 0; r < ALLM__ROWS; r++) memcpy(part[r], codes[r] + 16 * i, 64);
            allm__pack_planes(part, p->n_bits, to + p->n_head + 128 * (size_t)(i * p->n_bits));
        }
}

/* Groups [g0, g1) of a matrix to their place in `packed`. */
static void allm__pack_groups(const allm__mat *w, int64_t g0, int64_t g1, uint8_t *packed) {
    const allm__pack *p = allm__pack_find(w->fmt->id);
    const int64_t     n = allm__pack_n_tiles(p, w->n_cols);
    const size_t      n_tile = allm__pack_tile_bytes(p);
    for (int64_t g = g0; g < g1; g++)
        for (int64_t i = 0; i < n; i++) allm__pack_tile(w, p, g, i, packed + (size_t)(g * n + i) * n_tile);
}

/* 16 rows, 64 columns, unpacked: row r, column c is (q[c / 4][r][c % 4] - (1 << shift)) * d[i][r] + m[i][r] with
 * i = c / 32, or c / 16 where sixteen columns have a scale of their own. */
typedef struct allm__panel {
    uint8_t q[16][ALLM__ROWS][4];
    float   d[4][ALLM__ROWS], m[4][ALLM__ROWS];
} allm__panel;

/* ---- activations */

/* Rounded activations of a batch of tokens. Tokens come in tiles of up to 12, of a tile's width W; a tile is n_blocks
 * times: int8 q[W][32], with two planes again int8 low[W][32], float d[W], int32 n[3][W], float s[3][W]. Column c of
 * a block is q * d, or (256 q + low) * d; n: minus the sum of the codes of columns 0-31, 0-15, 16-31; s = -n * d. */
typedef struct allm__acts {
    int64_t  n_cols, n_blocks; /* blocks of 32, an even number; past n_cols all is zero */
    int32_t  n_tokens, n_planes;
    uint8_t *mem;
} allm__acts;

static int64_t allm__acts_blocks(int64_t n_cols) { return (n_cols + 63) / 64 * 2; }

/* Bytes of a token's block. */
static size_t allm__acts_block_bytes(int32_t n_planes) { return 32 * (size_t)n_planes + 28; }

/* Bytes for the activations of n_tokens tokens; all counts were checked by the model and session rooms. */
static size_t allm__acts_bytes(int64_t n_cols, int32_t n_tokens, int32_t n_planes) {
    return (size_t)allm__acts_blocks(n_cols) * (size_t)n_tokens * allm__acts_block_bytes(n_planes);
}

static void allm__acts_place(allm__acts *a, void *mem /* 64-byte aligned */, int64_t n_cols, int32_t n_tokens,
                             int32_t n_planes) {
    a->n_cols = n_cols, a->n_blocks = allm__acts_blocks(n_cols), a->n_tokens = n_tokens, a->n_planes = n_planes;
    a->mem = (uint8_t *)mem;
}

typedef struct allm__ablock { /* a block of a tile; its parts have a token after another */
    int8_t  *q, *low; /* [W][32] */
    float   *d;       /* [W] */
    int32_t *n;       /* [3][W] */
    float   *s;       /* [3][W] */
} allm__ablock;

ALLM__INLINE int32_t allm__acts_width(const allm__acts *a, int64_t i_tile) {
    return (int32_t)ALLM__MIN(ALLM__TOKENS, a->n_tokens - i_tile * ALLM__TOKENS);
}

ALLM__INLINE uint8_t *allm__acts_tile(const allm__acts *a, int64_t i_tile) {
    return a->mem + (size_t)(i_tile * ALLM__TOKENS * a->n_blocks) * allm__acts_block_bytes(a->n_planes);
}

/* Token t's part of a block that begins at p, in a tile of width W. */
ALLM__INLINE allm__ablock allm__acts_at(uint8_t *p, int32_t t, int32_t W, int32_t n_planes) {
    allm__ablock b;
    uint8_t     *end = p + 32 * (size_t)(n_planes * W);
    b.q = (int8_t *)p + 32 * t, b.low = b.q + 32 * W;
    b.d = (float *)(void *)end + t, b.n = (int32_t *)(void *)end + W + t, b.s = b.d + 4 * W;
    return b;
}

/* One block from n <= 32 floats; the arithmetic every acts_quant follows. */
static void allm__ablock_quant(const float *x, int n, int32_t W, int32_t n_planes, const allm__ablock *b) {
    uint32_t top = 0; /* largest |x| by its bits: NaN above Inf above all else */
    for (int i = 0; i < n; i++) top = ALLM__MAX(top, allm__bits(x[i]) & 0x7fffffff);
    const float amax = allm__float(top), most = n_planes == 1 ? 127 : 32639, d = amax / most;
    const float id = amax >= 0x1p-100f && amax <= FLT_MAX ? most / amax : 0;
    int32_t     sum[2] = {0, 0};
    memset(b->q, 0, 32);
    if (n_planes > 1) memset(b->low, 0, 32);
    for (int i = 0; i < n && id != 0; i++) {
        const int32_t q  = (int32_t)rintf(x[i] * id);
        const int32_t hi = n_planes == 1 ? q : (q + 128 + (1 << 16)) / 256 - 256;
        b->q[i]          = (int8_t)hi;
        if (n_planes > 1) b->low[i] = (int8_t)(q - 256 * hi);
        sum[i / 16] += q;
    }
    b->d[0] = d;
    b->n[0] = -(sum[0] + sum[1]), b->n[W] = -sum[0], b->n[2 * W] = -sum[1];
    for (int i = 0; i < 3; i++) b->s[i * W] = d * (float)-b->n[i * W];
}

typedef struct allm__kern {
    const char *name;
    /* Rounds tokens [t0, t1) of x [n_tokens, n_cols]. d = max|x| / 127 (two planes: 32639), codes to nearest, half to
     * even; a block with max|x| below 2^-100 or not finite has all codes zero (its d is kept, so that NaN and Inf
     * spread). */
    void (*acts_quant)(allm__acts *a, const float *x, int32_t t0, int32_t t1);
    /* y[t * ldy + r] = w[r] . a[t] for rows [r0, r1) and all tokens of a; w is of codes. scratch:
     * ALLM__GEMM_SCRATCH bytes, 64-byte aligned. */
    void (*gemm)(const allm__mat *w, int64_t r0, int64_t r1, const allm__acts *a, float *y, int64_t ldy, void *scratch);
    /* The same with float activations x[t * ldx + column], and weights of any format. */
    void (*gemm_f32)(const allm__mat *w, int64_t r0, int64_t r1, const float *x, int64_t ldx, int32_t n_tokens,
                     float *y, int64_t ldy, void *scratch);
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

enum { /* what a product needs beside its operands: panels, or a chunk of 256 columns as floats and one of its panels */
    ALLM__GEMM_SCRATCH = ALLM__CHUNK * sizeof(allm__panel) + ALLM__TILE_BYTES
};

static size_t allm__kv_bytes(allm_kv_type type) { return type == ALLM_KV_F32 ? 4 : 2; }

static int32_t allm__attend_pad(int32_t head_dim) { return (head_dim + 15) & ~15; }

/* Floats of scratch for attend. */
static size_t allm__attend_scratch(int32_t n_q, int32_t head_dim) {
    return (size_t)n_q * (2 * (size_t)allm__attend_pad(head_dim) + ALLM__KEYS + 16);
}

#endif /* !ALLM__PASS */

#ifdef ALLM__PASS
/* ==== what follows is compiled once per ISA */
#define ALLM__K(name) ALLM__JOIN(ALLM__JOIN(allm__kern_, name), ALLM__JOIN(_, ALLM__PASS_NAME))
#define ALLM__VL 16

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
    if (type == ALLM_KV_F16 && ALLM__X(width) > 8) {
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

/* ---- activations, rounded */

#if ALLM__PASS == ALLM__PASS_SCALAR
static void ALLM__K(ablock)(const float *x, int32_t W, int32_t n_planes, const allm__ablock *b) {
    allm__ablock_quant(x, 32, W, n_planes, b);
}
#else
/* As allm__ablock_quant, by vectors. */
ALLM__INLINE void ALLM__K(ablock)(const float *x, int32_t W, int32_t n_planes, const allm__ablock *b) {
    const allm__vf v[2] = {allm__vload(x), allm__vload(x + 16)};
    const float    amax = allm__vtopbits(allm__vmaxbits(allm__vabs(v[0]), allm__vabs(v[1])));
    const float    most = n_planes == 1 ? 127 : 32639, d = amax / most;
    float          sum[2] = {0, 0};
    if (amax >= 0x1p-100f && amax <= FLT_MAX) {
        const allm__vf id = allm__vset(most / amax);
        for (int i = 0; i < 2; i++) {
            allm__vf q = allm__vround(allm__vmul(v[i], id));
            sum[i]     = allm__vsum(q); /* integers below 2^20: exact */
            if (n_planes > 1) { /* a tie goes up, so that what is left is at least -128 and less than 128 */
                const allm__vf h = allm__vround(allm__vmul(allm__vadd(q, allm__vset(0.25f)), allm__vset(1.0f / 256)));
                allm__vstore_i8(b->low + 16 * i, allm__vsub(q, allm__vmul(h, allm__vset(256))));
                q = h;
            }
            allm__vstore_i8(b->q + 16 * i, q);
        }
    } else {
        memset(b->q, 0, 32);
        if (n_planes > 1) memset(b->low, 0, 32);
    }
    b->d[0] = d;
    b->s[0] = d * (sum[0] + sum[1]), b->s[W] = d * sum[0], b->s[2 * W] = d * sum[1];
    b->n[0] = -(int32_t)(sum[0] + sum[1]), b->n[W] = -(int32_t)sum[0], b->n[2 * W] = -(int32_t)sum[1];
}
#endif

static void ALLM__K(acts_quant)(allm__acts *a, const float *x, int32_t t0, int32_t t1) {
    const size_t n_block = allm__acts_block_bytes(a->n_planes);
    for (int32_t t = t0; t < t1; t++) {
        const int32_t W    = allm__acts_width(a, t / ALLM__TOKENS);
        const float  *row  = x + t * a->n_cols;
        uint8_t      *tile = allm__acts_tile(a, t / ALLM__TOKENS);
        for (int64_t i = 0; i < a->n_blocks; i++) {
            const allm__ablock b = allm__acts_at(tile + (size_t)(i * W) * n_block, t % ALLM__TOKENS, W, a->n_planes);
            const int64_t      n = a->n_cols - 32 * i;
            float              rest[32] = {0};
            if (n < 32 && n > 0) memcpy(rest, row + 32 * i, (size_t)n * sizeof *rest);
            ALLM__K(ablock)(n < 32 ? rest : row + 32 * i, W, a->n_planes, &b);
        }
    }
}

/* ---- packed tiles to panels */

/* The bits of four or more bytes: to the right or the left, then masked. */
ALLM__INLINE ALLM__X(c) ALLM__K(bits)(ALLM__X(c) v, int right, int mask) {
    return ALLM__X(c_and)(right > 0 ? ALLM__X(c_shr)(v, right) : right < 0 ? ALLM__X(c_shl)(v, -right) : v, mask);
}

/* Half b of a panel, 32 columns of n_bits (a constant) each at p, see allm__pack: a register of rows. */
ALLM__INLINE void ALLM__K(codes)(const uint8_t *p, int n_bits, int b, ALLM__X(c) *c /* [8] */) {
    const int low = n_bits & 14, at = low == 6 ? 4 : 0; /* bits without the odd one; where the 2-bit plane's go to */
    if (n_bits == 8) {
        ALLM__UNROLL(8) for (int j = 0; j < 8; j++) c[j] = ALLM__X(c_load)(p + 64 * (8 * b + j));
        return;
    }
    if (low >= 4)
        ALLM__UNROLL(4) for (int j = 0; j < 4; j++) {
            const ALLM__X(c) line = ALLM__X(c_load)(p + 64 * (4 * b + j));
            c[j] = ALLM__X(c_and)(line, 15), c[4 + j] = ALLM__K(bits)(line, 4, 15);
        }
    if (low != 4)
        ALLM__UNROLL(8) for (int j = 0; j < 8; j++) {
            const ALLM__X(c) line = ALLM__X(c_load)(p + 64 * (j % 4 + 2 * at));
            const ALLM__X(c) two  = ALLM__K(bits)(line, 2 * (2 * b + j / 4) - at, 3 << at);
            c[j]                  = at ? ALLM__X(c_or)(c[j], two) : two;
        }
    if (n_bits & 1) {
        const ALLM__X(c) line = ALLM__X(c_load)(p + 64 * (low * 2 + b));
        ALLM__UNROLL(8) for (int j = 0; j < 8; j++) c[j] = ALLM__X(c_or)(c[j], ALLM__K(bits)(line, j - low, 1 << low));
    }
}

ALLM__INLINE void ALLM__K(unpack_codes)(const uint8_t *p, int n_bits, uint8_t *q) {
    for (int r = 0; r < 64; r += 4 * ALLM__X(width))
        ALLM__UNROLL(2) for (int b = 0; b < 2; b++) {
            ALLM__X(c) c[8];
            ALLM__K(codes)(p + r, n_bits, b, c);
            ALLM__UNROLL(8) for (int j = 0; j < 8; j++) ALLM__X(c_store)(q + 64 * (8 * b + j) + r, c[j]);
        }
}

/* Scales of panel i (of a tile with superblocks). */
ALLM__INLINE void ALLM__K(unpack_super)(const uint8_t *head, const allm__pack *p, int i, allm__panel *to) {
    const int      n = 64 / p->n_part, n_all = 256 / p->n_part; /* scales of a panel, of the tile */
    const int8_t  *sc = (const int8_t *)head + 64 + 16 * n * i;
    const allm__vf d  = allm__vload_f16(head), dmin = allm__vmul(allm__vload_f16(head + 32), allm__vset(-1));
    for (int k = 0; k < n; k++, sc += 16) {
        allm__vstore(to->d[k], allm__vmul(d, allm__vload_i8(sc)));
        if (p->has_min) allm__vstore(to->m[k], allm__vmul(dmin, allm__vload_i8(sc + 16 * n_all)));
    }
}

/* Panels [i0, i0 + n) of group g; tile: where a tile that is not packed yet is packed. */
static void ALLM__K(unpack)(const allm__mat *w, const allm__pack *p, int64_t g, int64_t i0, int64_t n, uint8_t *tile,
                            allm__panel *to) {
    const int    n_panels = p->n_cols / ALLM__PANEL_COLS; /* of a tile */
    const size_t n_tile   = allm__pack_tile_bytes(p);
    for (int64_t i = i0; i < i0 + n; i++, to++) {
        const int64_t  i_tile = i / n_panels;
        const uint8_t *from   = tile;
        if (w->packed) from = w->packed + (size_t)(g * allm__pack_n_tiles(p, w->n_cols) + i_tile) * n_tile;
        else if (i == i0 || i % n_panels == 0) allm__pack_tile(w, p, g, i_tile, tile);
        if (n_panels > 1) ALLM__K(unpack_super)(from, p, (int)(i % n_panels), to);
        else
            for (int k = 0; k < 2; k++) {
                allm__vstore(to->d[k], allm__vload_f16(from + 32 * k));
                if (p->has_min) allm__vstore(to->m[k], allm__vload_f16(from + 64 + 32 * k));
            }
        from += p->n_head + 128 * (i % n_panels * p->n_bits);
        switch (p->n_bits) {
        case 2: ALLM__K(unpack_codes)(from, 2, to->q[0][0]); break;
        case 3: ALLM__K(unpack_codes)(from, 3, to->q[0][0]); break;
        case 4: ALLM__K(unpack_codes)(from, 4, to->q[0][0]); break;
        case 5: ALLM__K(unpack_codes)(from, 5, to->q[0][0]); break;
        case 6: ALLM__K(unpack_codes)(from, 6, to->q[0][0]); break;
        default: ALLM__K(unpack_codes)(from, 8, to->q[0][0]); break;
        }
    }
}

/* ---- products of codes */

typedef struct ALLM__K(tile) { /* one group of rows, a chunk of its columns, and tokens of a tile of activations */
    const allm__pack  *p;
    const allm__panel *panels;
    const uint8_t     *packed; /* instead of panels */
    int64_t            n_panels;
    uint8_t           *block;  /* the first panel's first block */
    size_t             stride; /* to the next block */
    int32_t            t, W;   /* first token; width of the tile */
    float             *y;      /* [T][16] results, ldy apart */
    int64_t            ldy;
    int                first;  /* what y holds is not added */
} ALLM__K(tile);

/* T tokens times n columns of a register of rows, whose codes are c. i: which of the acts' sums. T, has_min and
 * n_planes are constants; wide: see X(i_dot). */
ALLM__INLINE void ALLM__K(tile_part)(const ALLM__K(tile) *j, int T, int has_min, int n_planes, int wide,
                                     const ALLM__X(c) *c, int n, int col, const allm__ablock *a, int i, ALLM__X(f) d,
                                     ALLM__X(f) m, ALLM__X(f) *acc) {
    const int shift = j->p->shift;
    ALLM__UNROLL(12) for (int t = 0; t < T; t++) {
        ALLM__X(i) sum = has_min ? ALLM__X(i_zero)() : ALLM__X(i_start)(a->n + i * j->W + t, shift);
        if (n_planes > 1) {
            const ALLM__X(i) hi = ALLM__X(i_dot)(ALLM__X(i_zero)(), c, n, a->q + 32 * t + col, wide);
            sum = ALLM__X(i_dot)(sum, c, n, a->low + 32 * t + col, wide);
            sum = ALLM__X(i_add)(sum, ALLM__X(i_shl8)(hi));
        } else sum = ALLM__X(i_dot)(sum, c, n, a->q + 32 * t + col, wide);
        acc[t] = ALLM__X(fma)(ALLM__X(i_float)(sum), ALLM__X(mul)(d, ALLM__X(set)(a->d[t])), acc[t]);
        if (has_min) acc[t] = ALLM__X(fma)(m, ALLM__X(set)(a->s[i * j->W + t]), acc[t]);
    }
}

/* T tokens times the panels. */
ALLM__INLINE void ALLM__K(tile_run)(const ALLM__K(tile) *j, int T, int has_min, int n_planes, int wide) {
    for (int r = 0; r < ALLM__ROWS; r += ALLM__X(width)) { /* a register of rows */
        ALLM__X(f)         acc[ALLM__TOKENS];
        uint8_t           *block = j->block;
        const allm__panel *w     = j->panels;
        ALLM__UNROLL(12) for (int t = 0; t < T; t++)
            acc[t] = j->first ? ALLM__X(set)(0) : ALLM__X(load)(j->y + t * j->ldy + r);
        for (int64_t i = 0; i < 2 * j->n_panels; i++, block += j->stride) {
            const int          b = (int)(i & 1);
            const allm__ablock a = allm__acts_at(block, j->t, j->W, n_planes);
            ALLM__X(c)         c[8];
            ALLM__UNROLL(8) for (int k = 0; k < 8; k++) c[k] = ALLM__X(c_load)(w->q[8 * b + k][r]);
            if (j->p->n_part == 32)
                ALLM__K(tile_part)(j, T, has_min, n_planes, wide, c, 8, 0, &a, 0, ALLM__X(load)(w->d[b] + r),
                                   ALLM__X(load)(w->m[b] + r), acc);
            else
                for (int h = 0; h < 2; h++)
                    ALLM__K(tile_part)(j, T, has_min, n_planes, wide, c + 4 * h, 4, 16 * h, &a, 1 + h,
                                       ALLM__X(load)(w->d[2 * b + h] + r), ALLM__X(load)(w->m[2 * b + h] + r), acc);
            w += b;
        }
        ALLM__UNROLL(12) for (int t = 0; t < T; t++) ALLM__X(store)(j->y + t * j->ldy + r, acc[t]);
    }
}

/* One token times packed columns of n_bits (a constant), which go from memory to registers: the same operations. */
ALLM__INLINE void ALLM__K(one_run)(const ALLM__K(tile) *j, int n_bits, int n_part, int has_min, int n_planes) {
    const int n_in_tile = j->p->n_cols / ALLM__PANEL_COLS, wide = n_bits > ALLM__X(narrow_bits);
    const int n_scale = n_in_tile > 1 ? 64 / n_part : 0; /* bytes of scales of a panel are 16 times as many */
    const size_t n_tile = allm__pack_tile_bytes(j->p);
    for (int r = 0; r < ALLM__ROWS; r += ALLM__X(width)) {
        ALLM__X(f)     acc   = j->first ? ALLM__X(set)(0) : ALLM__X(load)(j->y + r);
        uint8_t       *block = j->block;
        const uint8_t *tile  = j->packed;
        for (int64_t i = 0; i < j->n_panels; i += n_in_tile, tile += n_tile) {
            const int n = (int)ALLM__MIN(n_in_tile, j->n_panels - i);
            for (int k = 0; k < 2 * n; k++, block += j->stride) { /* 32 columns */
                const allm__ablock a = allm__acts_at(block, j->t, j->W, n_planes);
                ALLM__X(c)         c[8];
                if (k & 1) ALLM__K(codes)(tile + j->p->n_head + 128 * (k / 2) * n_bits + 4 * r, n_bits, 1, c);
                else ALLM__K(codes)(tile + j->p->n_head + 128 * (k / 2) * n_bits + 4 * r, n_bits, 0, c);
                for (int h = 0; h < 32 / n_part; h++) {
                    ALLM__X(f) d, m = ALLM__X(set)(0);
                    if (n_scale) {
                        const int8_t *sc = (const int8_t *)tile + 64 + 16 * (k * 32 / n_part + h) + r;
                        d = ALLM__X(mul)(ALLM__X(load_f16)(tile + 2 * r), ALLM__X(load_i8)(sc));
                        if (has_min) {
                            m = ALLM__X(mul)(ALLM__X(load_f16)(tile + 32 + 2 * r), ALLM__X(set)(-1));
                            m = ALLM__X(mul)(m, ALLM__X(load_i8)(sc + 64 * n_scale));
                        }
                    } else {
                        d = ALLM__X(load_f16)(tile + 32 * k + 2 * r);
                        if (has_min) m = ALLM__X(load_f16)(tile + 64 + 32 * k + 2 * r);
                    }
                    ALLM__K(tile_part)(j, 1, has_min, n_planes, wide, c + 4 * h, n_part / 4, 16 * h, &a,
                                       n_part == 32 ? 0 : 1 + h, d, m, &acc);
                }
            }
        }
        ALLM__X(store)(j->y + r, acc);
    }
}

static void ALLM__K(one)(const ALLM__K(tile) *j, int n_planes) {
    const int min = j->p->has_min;
#define ALLM__RUN(n_bits, n_part, has_min)                             \
    if (n_planes == 1) ALLM__K(one_run)(j, n_bits, n_part, has_min, 1); \
    else ALLM__K(one_run)(j, n_bits, n_part, has_min, 2);              \
    break
    switch (j->p->n_bits) {
    case 2: ALLM__RUN(2, 16, 1);
    case 3: ALLM__RUN(3, 16, 0);
    case 4:
        if (min) { ALLM__RUN(4, 32, 1); }
        ALLM__RUN(4, 32, 0);
    case 5:
        if (min) { ALLM__RUN(5, 32, 1); }
        ALLM__RUN(5, 32, 0);
    case 6: ALLM__RUN(6, 16, 0);
    default: ALLM__RUN(8, 32, 0);
    }
#undef ALLM__RUN
}

/* At most n tokens; returns how many. */
static int ALLM__K(some)(const ALLM__K(tile) *j, int n, int n_planes) {
    const int min = j->p->has_min, wide = ALLM__X(narrow_bits) < 8 && j->p->n_bits > ALLM__X(narrow_bits);
    if (n == 1 && j->packed) return ALLM__K(one)(j, n_planes), 1;
#define ALLM__TRY(T)                                              \
    if (n >= T && T <= ALLM__X(most_tokens)) {                    \
        if (wide && min) ALLM__K(tile_run)(j, T, 1, 1, 1);        \
        else if (wide) ALLM__K(tile_run)(j, T, 0, 1, 1);          \
        else if (min) ALLM__K(tile_run)(j, T, 1, 1, 0);           \
        else ALLM__K(tile_run)(j, T, 0, 1, 0);                    \
        return T;                                                 \
    }
    if (n_planes == 1) {
        ALLM__TRY(12)
        ALLM__TRY(8)
        ALLM__TRY(4)
        ALLM__TRY(2)
        ALLM__TRY(1)
    }
#undef ALLM__TRY
    if (wide) ALLM__K(tile_run)(j, 1, min, 2, 1);
    else if (n >= 4) return ALLM__K(tile_run)(j, 4, min, 2, 0), 4;
    else ALLM__K(tile_run)(j, 1, min, 2, 0);
    return 1;
}

/* Rows [lo, hi) of a group that is not whole: to and from an array of its own. */
static void ALLM__K(rows_in)(float *own, const float *y, int64_t ldy, int32_t n, int64_t lo, int64_t hi) {
    memset(own, 0, (size_t)n * ALLM__ROWS * sizeof *own);
    for (int32_t t = 0; t < n; t++) memcpy(own + ALLM__ROWS * t + lo, y + t * ldy + lo, (size_t)(hi - lo) * sizeof *y);
}

static void ALLM__K(rows_out)(const float *own, float *y, int64_t ldy, int32_t n, int64_t lo, int64_t hi) {
    for (int32_t t = 0; t < n; t++) memcpy(y + t * ldy + lo, own + ALLM__ROWS * t + lo, (size_t)(hi - lo) * sizeof *y);
}

/* A tile of activations against the chunk of j; rows [lo, hi) of y count. */
static void ALLM__K(tokens)(ALLM__K(tile) *j, float *y, int64_t ldy, int64_t lo, int64_t hi, int n_planes) {
    float     own[ALLM__TOKENS * ALLM__ROWS];
    const int whole = hi - lo == ALLM__ROWS;
    if (!whole && !j->first) ALLM__K(rows_in)(own, y, ldy, j->W, lo, hi);
    j->y = whole ? y : own, j->ldy = whole ? ldy : ALLM__ROWS;
    for (j->t = 0; j->t < j->W;) {
        const int n = ALLM__K(some)(j, j->W - j->t, n_planes);
        j->t += n, j->y += n * j->ldy;
    }
    if (!whole) ALLM__K(rows_out)(own, y, ldy, j->W, lo, hi);
}

static void ALLM__K(gemm)(const allm__mat *w, int64_t r0, int64_t r1, const allm__acts *a, float *y, int64_t ldy,
                          void *scratch) {
    allm__panel  *panels = (allm__panel *)scratch;
    uint8_t      *tile   = (uint8_t *)scratch + ALLM__CHUNK * sizeof *panels;
    const size_t  n_block = allm__acts_block_bytes(a->n_planes);
    ALLM__K(tile) j;
    j.p                   = allm__pack_find(w->fmt->id);
    const int64_t n       = a->n_blocks / 2; /* panels */
    const size_t  n_group = (size_t)allm__pack_n_tiles(j.p, w->n_cols) * allm__pack_tile_bytes(j.p);
    const int     direct  = a->n_tokens == 1 && w->packed;
    const int64_t n_chunk = direct ? n : a->n_tokens > 2 * ALLM__TOKENS ? ALLM__CHUNK : ALLM__CHUNK_FEW;
    for (int64_t g = r0 / ALLM__ROWS; g * ALLM__ROWS < r1; g++) {
        const int64_t row = g * ALLM__ROWS, lo = ALLM__MAX(r0 - row, 0), hi = ALLM__MIN(r1 - row, ALLM__ROWS);
        for (int64_t i = 0; i < n; i += n_chunk) {
            j.n_panels = ALLM__MIN(n_chunk, n - i), j.panels = panels, j.first = i == 0;
            j.packed   = direct ? w->packed + (size_t)g * n_group : NULL;
            if (!direct) ALLM__K(unpack)(w, j.p, g, i, j.n_panels, tile, panels);
            for (int32_t t = 0; t < a->n_tokens; t += j.W) {
                j.W      = allm__acts_width(a, t / ALLM__TOKENS);
                j.stride = (size_t)j.W * n_block;
                j.block  = allm__acts_tile(a, t / ALLM__TOKENS) + (size_t)(2 * i) * j.stride;
                ALLM__K(tokens)(&j, y + t * ldy + row, ldy, lo, hi, a->n_planes);
            }
        }
    }
}

/* ---- products with float activations: in chunks of 256 columns, of which each has four sums, one for columns 4i,
 * 4i + 1 and so on */

enum { ALLM__K(chunk_cols) = ALLM__CHUNK_FEW * ALLM__PANEL_COLS, ALLM__K(f32_tokens) = ALLM__X(width) == 16 ? 4 : 2 };

/* Columns of panel i of group g as floats [64][16]. */
static void ALLM__K(unpack_f32)(const allm__mat *w, const allm__pack *p, int64_t g, int64_t i, uint8_t *tile,
                                allm__panel *panel, float *to) {
    if (p->codes) {
        ALLM__K(unpack)(w, p, g, i, 1, tile, panel);
        const allm__vf off = allm__vset(p->shift == ALLM__NO_OFFSET ? 0 : (float)(1 << p->shift));
        for (int c = 0; c < 64; c++, to += ALLM__ROWS) {
            const allm__vf q = allm__vsub(allm__vload_code(panel->q[c / 4][0], c % 4), off);
            const allm__vf v = allm__vmul(q, allm__vload(panel->d[c / p->n_part]));
            allm__vstore(to, p->has_min ? allm__vadd(v, allm__vload(panel->m[c / p->n_part])) : v);
        }
        return;
    }
    const uint8_t *from = tile;
    if (w->packed) from = w->packed + (size_t)(g * allm__pack_n_tiles(p, w->n_cols) + i) * allm__pack_tile_bytes(p);
    else allm__pack_tile(w, p, g, i, tile);
    for (int c = 0; c < 64; c++, to += ALLM__ROWS, from += ALLM__ROWS * w->fmt->n_bytes)
        if (p->id == ALLM__F16) allm__vstore(to, allm__vload_f16(from));
        else if (p->id == ALLM__BF16) allm__vstore(to, allm__vload_bf16(from));
        else memcpy(to, from, ALLM__ROWS * sizeof *to);
}

/* sums[T][16] += n columns (a multiple of 4) of w [n][16] times x[T] (T constant), ldx apart. */
ALLM__INLINE void ALLM__K(f32_run)(const float *w, int64_t n, const float *x, int64_t ldx, int T, float *sums) {
    for (int r = 0; r < ALLM__ROWS; r += ALLM__X(width)) {
        ALLM__X(f) acc[4][4];
        ALLM__UNROLL(4) for (int t = 0; t < T; t++)
            ALLM__UNROLL(4) for (int k = 0; k < 4; k++) acc[t][k] = ALLM__X(set)(0);
        for (int64_t c = 0; c < n; c += 4)
            ALLM__UNROLL(4) for (int k = 0; k < 4; k++) {
                const ALLM__X(f) v = ALLM__X(load)(w + ALLM__ROWS * (c + k) + r);
                ALLM__UNROLL(4) for (int t = 0; t < T; t++)
                    acc[t][k] = ALLM__X(fma)(v, ALLM__X(set)(x[t * ldx + c + k]), acc[t][k]);
            }
        ALLM__UNROLL(4) for (int t = 0; t < T; t++) {
            float           *to  = sums + ALLM__ROWS * t + r;
            const ALLM__X(f) sum = ALLM__X(add)(ALLM__X(add)(acc[t][0], acc[t][1]), ALLM__X(add)(acc[t][2], acc[t][3]));
            ALLM__X(store)(to, ALLM__X(add)(ALLM__X(load)(to), sum));
        }
    }
}

static void ALLM__K(gemm_f32)(const allm__mat *w, int64_t r0, int64_t r1, const float *x, int64_t ldx, int32_t n_tokens,
                              float *y, int64_t ldy, void *scratch) {
    const allm__pack *p = allm__pack_find(w->fmt->id);
    float            *chunk = (float *)scratch, sums[ALLM__TOKENS * ALLM__ROWS], rest[4 * ALLM__K(chunk_cols)];
    allm__panel      *panel = (allm__panel *)(void *)(chunk + ALLM__K(chunk_cols) * ALLM__ROWS);
    uint8_t          *tile  = (uint8_t *)scratch + ALLM__CHUNK * sizeof *panel;
    for (int64_t g = r0 / ALLM__ROWS; g * ALLM__ROWS < r1; g++) {
        const int64_t row = g * ALLM__ROWS, lo = ALLM__MAX(r0 - row, 0), hi = ALLM__MIN(r1 - row, ALLM__ROWS);
        for (int64_t c = 0; c < w->n_cols; c += ALLM__K(chunk_cols)) {
            const int64_t n = ALLM__MIN(ALLM__K(chunk_cols), w->n_cols - c), n_up = (n + 3) / 4 * 4;
            for (int64_t i = 0; i < n; i += ALLM__PANEL_COLS)
                ALLM__K(unpack_f32)(w, p, g, (c + i) / ALLM__PANEL_COLS, tile, panel, chunk + ALLM__ROWS * i);
            for (int32_t t = 0, T; t < n_tokens; t += T) {
                T = ALLM__MIN(ALLM__K(f32_tokens), n_tokens - t);
                const float *from = x + t * ldx + c;
                int64_t      ld   = ldx;
                if (n < n_up) { /* a row's last columns, filled up with zeros */
                    memset(rest, 0, sizeof rest);
                    for (int32_t k = 0; k < T; k++)
                        memcpy(rest + k * ALLM__K(chunk_cols), from + k * ldx, (size_t)n * sizeof *rest);
                    from = rest, ld = ALLM__K(chunk_cols);
                }
                if (c) ALLM__K(rows_in)(sums, y + t * ldy + row, ldy, T, lo, hi);
                else memset(sums, 0, sizeof sums);
                if (T == ALLM__K(f32_tokens)) ALLM__K(f32_run)(chunk, n_up, from, ld, ALLM__K(f32_tokens), sums);
                else
                    for (int32_t k = 0; k < T; k++)
                        ALLM__K(f32_run)(chunk, n_up, from + k * ld, ld, 1, sums + ALLM__ROWS * k);
                ALLM__K(rows_out)(sums, y + t * ldy + row, ldy, T, lo, hi);
            }
        }
    }
}

static const allm__kern ALLM__K(table) = {
    ALLM__STRING(ALLM__PASS_NAME), ALLM__K(acts_quant), ALLM__K(gemm),    ALLM__K(gemm_f32),   ALLM__K(rms_norm),
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
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion" /* gcc's own intrinsics are macros without optimisation */
#endif
#define ALLM__PASS ALLM__PASS_AVX512
#define ALLM__PASS_NAME avx512
#include ABSTRACTLLM_SELF
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC diagnostic pop
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

/* Fails at a byte of the text; also for rooms that find a value they cannot take (at = j->at). Returns 0. */
ALLM__PRINTF(3, 4)
static int allm__json_fail(allm__json *j, size_t at, const char *format, ...) {
    va_list args;
    int32_t place[2];
    if (j->status) return 0;
    allm__str_place(allm__str(j->p, j->n), at, place);
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
ALLM__UNUSED static void allm__json_string(const allm__json *j, allm__buf *b) {
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
ALLM__UNUSED static void allm__json_skip(allm__json *j) {
    if (j->event == ALLM__JSON_KEY) allm__json_next(j);
    if (j->event != ALLM__JSON_OBJECT && j->event != ALLM__JSON_ARRAY) return;
    for (int32_t depth = j->depth; !j->status && j->depth >= depth;) allm__json_next(j);
}

/* ---- for readers that know what they want: each takes the next event and fails when it is something else */

ALLM__UNUSED static int allm__json_begin(allm__json *j, allm__json_event event, const char *expected) {
    if (allm__json_next(j) == event) return 1;
    return allm__json_fail(j, j->at, "%s expected, found %s", expected, allm__json_names[j->event]);
}

/* The next key of the object we are in; 0 at its end and after an error. */
ALLM__UNUSED static int allm__json_key(allm__json *j, allm_str *key) {
    if (allm__json_next(j) != ALLM__JSON_KEY) return 0;
    *key = allm__json_text(j);
    return !j->status;
}

/* Is there another element in the array we are in? Its event has been read. */
ALLM__UNUSED static int allm__json_elem(allm__json *j) {
    return allm__json_next(j) != ALLM__JSON_ARRAY_END && !j->status;
}

/* Nothing but white space may be left. */
ALLM__UNUSED static allm_status allm__json_end(allm__json *j) {
    if (!j->status && allm__json_next(j) != ALLM__JSON_EOF)
        allm__json_fail(j, j->at, "the end of the text expected, found %s", allm__json_names[j->event]);
    return j->status;
}

/* The value of a field. `field` is for the message. Not every build has a reader of each kind. */
ALLM__UNUSED static int allm__json_get_int(allm__json *j, const char *field, int64_t lo, int64_t hi, int64_t *out) {
    allm__json_event e = allm__json_next(j);
    if (e == ALLM__JSON_DOUBLE && !j->big && j->d == floor(j->d) && fabs(j->d) < 9007199254740992.0) /* 1e3, 32.0 */
        e = ALLM__JSON_INT, j->i = (int64_t)j->d;
    if (e == ALLM__JSON_INT && j->i >= lo && j->i <= hi) return *out = j->i, 1;
    if (e == ALLM__JSON_INT || e == ALLM__JSON_DOUBLE)
        return allm__json_fail(j, j->at, "\"%.40s\" is %.*s, an integer in %lld..%lld expected", field,
                               (int)ALLM__MIN(j->raw.len, 40), j->raw.ptr, (long long)lo, (long long)hi);
    return allm__json_fail(j, j->at, "\"%.40s\": an integer expected, found %s", field, allm__json_names[e]);
}

ALLM__UNUSED static int allm__json_get_f64(allm__json *j, const char *field, double *out) { /* finite unless j->words */
    allm__json_event e = allm__json_next(j);
    if (e == ALLM__JSON_INT || e == ALLM__JSON_DOUBLE) return *out = j->d, 1;
    return allm__json_fail(j, j->at, "\"%.40s\": a number expected, found %s", field, allm__json_names[e]);
}

ALLM__UNUSED static int allm__json_get_bool(allm__json *j, const char *field, int *out) {
    allm__json_event e = allm__json_next(j);
    if (e == ALLM__JSON_TRUE || e == ALLM__JSON_FALSE) return *out = e == ALLM__JSON_TRUE, 1;
    return allm__json_fail(j, j->at, "\"%.40s\": true or false expected, found %s", field, allm__json_names[e]);
}

ALLM__UNUSED static int allm__json_get_str(allm__json *j, const char *field,
                                           allm_str *out) { /* valid until the next event */
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
ALLM__UNUSED static void allm__json_put_num(allm__buf *b, double v) {
    char t[32];
    if (isnan(v) || isinf(v)) allm__buf_puts(b, "null");
    else allm__buf_put(b, t, allm__num_repr(t, v));
}

/* What stands before a value: a comma unless the buffer ends in an opening bracket, a colon, a comma, white space or
 * nothing. Then the key of a member, if not NULL. */
ALLM__UNUSED static void allm__json_put_key(allm__buf *b, const char *key) {
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
    const allm__file_head *magic = allm__file_sniff(p, n, 1);
    if (magic) return magic->name;
    if (n >= 10 && p[8] == '{' && (p[9] == '"' || p[9] == '}') && allm__load_le(p, 8) < (uint64_t)1 << 32)
        return "a safetensors file";
    for (size_t i = 0; i < n && i < 64; i++)
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
/* Owns: a compiler and a matcher for the regular expressions by which tokenizers cut text into words. Syntax and
 * meaning are Oniguruma's with its default (Ruby) syntax, which Hugging Face tokenizers use, without look-behind and
 * back references: literals, classes with ranges, nesting and &&, \s \S \d \D \w \W \h \H, \p{..} of general categories
 * and Han, (..) (?:..) (?i:..) (?>..) (?=..) (?!..), | ? * + {n,m}, lazy and possessive forms, ^ $ \A \z \Z \b \B. Of
 * the alternatives the first that matches wins, not the longest. Not as there: a loop over a group that may match
 * nothing is refused; (?i) folds single characters only, and no classes named by a property.
 *
 * Text is valid UTF-8, below 4 GiB; positions are bytes. All matches of a text are found in linear time without
 * recursion: the program (Thompson's instructions) is run by a backtracking machine with a stack of its own, which does
 * not try again what it knows to fail:
 *   - a run of one class (span) remembers where it ended, and from where on nothing behind it matched;
 *   - a loop over a group remembers its outcome at each position of a window (memo), and once there were many failures
 *     so does every choice;
 *   - a choice whose second branch cannot fail drops all older ones, and a span that cannot gain keeps what it has.
 * A class is a bit in the 64-bit mask of each character: from a table for ASCII; for the rest by its class in room data
 * and, where the pattern names code points, by the area between them in which it lies. */

enum {
    ALLM__RX_MATCH, ALLM__RX_CHAR, ALLM__RX_SET, ALLM__RX_SPAN, ALLM__RX_SPLIT, ALLM__RX_JUMP, ALLM__RX_MEMO,
    ALLM__RX_LOOK_SET, ALLM__RX_LOOK, ALLM__RX_LOOK_END, ALLM__RX_ATOM, ALLM__RX_ATOM_END,
    ALLM__RX_LINE_BEGIN, ALLM__RX_LINE_END, ALLM__RX_TEXT_BEGIN, ALLM__RX_TEXT_END, ALLM__RX_LAST_LINE,
    ALLM__RX_WORD_EDGE, ALLM__RX_NO_WORD_EDGE
};

typedef struct allm__rx_inst {
    uint8_t op;
    uint8_t set;  /* SET, SPAN, LOOK_SET: bit of the class in the masks */
    uint8_t flag; /* LOOK, LOOK_SET: negative. SPAN: never gives back. SPLIT: second choice cannot fail. MEMO: off */
    int32_t x, y; /* CHAR: code point. SPAN: least, most characters. Relative to this instruction: SPLIT: first, second
                   * choice; JUMP: target; LOOK: what follows its LOOK_END */
    int32_t slot; /* MEMO: number of its memo. SPAN without end: of its memory, else -1 */
    int32_t choice; /* SPLIT, SPAN: number among all that choose */
} allm__rx_inst;

enum {
    ALLM__RX_SETS = 64, ALLM__RX_AREAS = 256, ALLM__RX_ALTS = 32, ALLM__RX_DEPTH = 32,
    ALLM__RX_MAX_CODE = 1 << 13, ALLM__RX_MAX_NODES = 1 << 12, ALLM__RX_MAX_REPEAT = 1000,
    ALLM__RX_MAX_STACK = 1 << 22, ALLM__RX_MEMO_BYTES = 1 << 20, ALLM__RX_MANY_FAILURES = 1000,
    ALLM__RX_CLASSES = ALLM__COUNT(allm__uni_classes)
};

typedef struct allm__regex { /* immutable */
    const allm__rx_inst *code;
    const int32_t       *alts; /* [n_alts] where the alternatives begin */
    int32_t              n_alts, n_spans, n_memos, n_choices, n_areas;
    uint32_t             at_end;          /* alternatives that may match nothing */
    uint32_t             ascii_alts[128]; /* bit k: alternative k may begin with it; bit 31 stands for all from 31 on */
    uint64_t             ascii[128];      /* bit k: it is in set k */
    const uint32_t      *alts_of;         /* [kind of area][class] as ascii_alts */
    const uint64_t      *sets_of;         /* [kind of area][class] as ascii */
    const int32_t       *area_from;       /* [n_areas] first code points, ascending; below the first: kind 0 */
    const uint8_t       *area_kind;       /* [n_areas] */
} allm__regex;

/* ---- the compiler: one pass that emits code, an explicit stack of groups; all addresses inside a block are relative,
 * so that blocks can be moved and copied for alternatives and repetitions */

enum { ALLM__RX_RANGES, ALLM__RX_BITS, ALLM__RX_NOT, ALLM__RX_AND, ALLM__RX_OR };

typedef struct allm__rx_node { /* a set of characters; parts come before wholes */
    int32_t  type, a, b;       /* RANGES: first and number of pairs in `ranges`. NOT, AND, OR: nodes */
    uint64_t bits;             /* BITS: of room data */
} allm__rx_node;

enum { ALLM__RX_PLAIN, ALLM__RX_LOOKING, ALLM__RX_ATOMIC };

typedef struct allm__rx_frame { /* an open group; the pattern itself is the first */
    int32_t kind, negative, icase;
    int32_t open, alt;      /* where its code and its current alternative begin */
    int32_t atom;           /* where the last atom begins, -1: none to repeat */
    int32_t jumps;          /* the last JUMP that waits for the group's end, linked by x; -1: none */
    int32_t empty, any_empty, atom_empty; /* may the alternative, some earlier one, the last atom match nothing? */
} allm__rx_frame;

typedef struct allm__rx_comp {
    const allm__host *host;
    const char       *source;
    allm_error       *err;
    allm_str          text;
    size_t            pos;
    allm__rx_inst    *code;
    allm__rx_node    *nodes;
    int32_t          *ranges; /* [n_ranges][2] first, last */
    int32_t          *alts;
    size_t            n_code, cap_code, n_nodes, cap_nodes, n_ranges, cap_ranges, n_alts, cap_alts;
    int32_t           sets[ALLM__RX_SETS], n_sets; /* node of each bit */
    allm__rx_frame    frames[ALLM__RX_DEPTH];
    int32_t           depth;
} allm__rx_comp;

/* Fails at the place the compiler has reached. */
static allm_status allm__rx_fail(allm__rx_comp *c, allm_status status, const char *what) {
    int32_t place[2];
    allm__str_place(c->text, c->pos, place);
    return allm__fail_at(c->err, status, c->source, place[0], place[1], "%s", what);
}

static int allm__rx_room(allm__rx_comp *c, void **p, size_t *cap, size_t n, size_t more, size_t size) {
    return allm__grow(c->host, p, cap, n, n + more, size) || (allm__fail_memory(c->err, (n + more) * size), 0);
}

/* Appends an instruction; returns its place, or -1. */
static int32_t allm__rx_emit(allm__rx_comp *c, int op, int set, int32_t x, int32_t y) {
    allm__rx_inst in = {0};
    if (c->n_code == ALLM__RX_MAX_CODE) return allm__rx_fail(c, ALLM_E_UNSUPPORTED, "the pattern is too large"), -1;
    if (!allm__rx_room(c, (void **)&c->code, &c->cap_code, c->n_code, 1, sizeof *c->code)) return -1;
    in.op = (uint8_t)op, in.set = (uint8_t)set, in.x = x, in.y = y;
    c->code[c->n_code] = in;
    return (int32_t)c->n_code++;
}

/* Puts an instruction in front of the last block, which begins at `at`. */
static allm_status allm__rx_insert(allm__rx_comp *c, int32_t at, int op, int32_t x, int32_t y) {
    if (allm__rx_emit(c, op, 0, x, y) < 0) return c->err->status;
    allm__rx_inst in = c->code[c->n_code - 1];
    memmove(c->code + at + 1, c->code + at, (c->n_code - 1 - (size_t)at) * sizeof in);
    c->code[at] = in;
    return ALLM_OK;
}

/* Appends a copy of the n instructions at `from`. */
static allm_status allm__rx_copy(allm__rx_comp *c, int32_t from, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        int32_t at = allm__rx_emit(c, 0, 0, 0, 0);
        if (at < 0) return c->err->status;
        c->code[at] = c->code[from + i];
    }
    return ALLM_OK;
}

/* ---- sets */

static int allm__rx_same_node(const allm__rx_comp *c, const allm__rx_node *p, const allm__rx_node *q) {
    if (p->type != q->type || p->b != q->b || p->bits != q->bits) return 0;
    if (p->type != ALLM__RX_RANGES) return p->a == q->a;
    return p->b == 0 || !memcmp(c->ranges + 2 * p->a, c->ranges + 2 * q->a, (size_t)p->b * 2 * sizeof *c->ranges);
}

/* The node of this content, new if there is none yet; -1: error. Ranges must be the last ones; they go if known. */
static int32_t allm__rx_node_of(allm__rx_comp *c, int type, int32_t a, int32_t b, uint64_t bits) {
    allm__rx_node node = {0, 0, 0, 0};
    node.type = type, node.a = a, node.b = b, node.bits = bits;
    for (size_t i = 0; i < c->n_nodes; i++)
        if (allm__rx_same_node(c, &c->nodes[i], &node)) {
            if (type == ALLM__RX_RANGES && c->nodes[i].a != a) c->n_ranges = (size_t)a;
            return (int32_t)i;
        }
    if (c->n_nodes == ALLM__RX_MAX_NODES) return allm__rx_fail(c, ALLM_E_UNSUPPORTED, "too many character classes"), -1;
    if (!allm__rx_room(c, (void **)&c->nodes, &c->cap_nodes, c->n_nodes, 1, sizeof node)) return -1;
    c->nodes[c->n_nodes] = node;
    return (int32_t)c->n_nodes++;
}

static int32_t allm__rx_or(allm__rx_comp *c, int32_t a, int32_t b) { /* -1 for a: nothing yet */
    return a < 0 || b < 0 ? b : allm__rx_node_of(c, ALLM__RX_OR, a, b, 0);
}

static int allm__rx_add_range(allm__rx_comp *c, int32_t from, int32_t to) {
    if (!allm__rx_room(c, (void **)&c->ranges, &c->cap_ranges, c->n_ranges, 1, 2 * sizeof *c->ranges)) return 0;
    c->ranges[2 * c->n_ranges] = from, c->ranges[2 * c->n_ranges + 1] = to;
    c->n_ranges++;
    return 1;
}

/* Adds the characters that are cp but for case, one to one: cp itself, its mappings and theirs, and the three letters
 * that fold to s, k and a with ring. */
static int allm__rx_add_cases(allm__rx_comp *c, int32_t cp) {
    int32_t forms[8], out[3];
    int     n  = 1;
    forms[0]   = cp;
    for (int i = 0; i < n && n < 5; i++) {
        for (int up = 0; up < 2; up++) {
            if ((up ? allm__uni_upper(forms[i], out) : allm__uni_lower(forms[i], out)) != 1) continue;
            int seen = 0;
            for (int k = 0; k < n; k++) seen |= forms[k] == out[0];
            if (!seen) forms[n++] = out[0];
        }
    }
    for (int i = 0; i < n; i++) {
        if (!allm__rx_add_range(c, forms[i], forms[i])) return 0;
        int32_t more = forms[i] == 's' ? 0x17f : forms[i] == 'k' ? 0x212a : forms[i] == 0xe5 ? 0x212b : -1;
        if (more >= 0 && more != cp && !allm__rx_add_range(c, more, more)) return 0;
    }
    return 1;
}

enum { ALLM__RX_FOLD_MOST = 1024 }; /* larger ranges hold both cases already */

static int allm__rx_add_chars(allm__rx_comp *c, int32_t from, int32_t to, int icase) {
    if (!icase || to - from >= ALLM__RX_FOLD_MOST) return allm__rx_add_range(c, from, to);
    for (int32_t cp = from; cp <= to; cp++)
        if (!allm__rx_add_cases(c, cp)) return 0;
    return 1;
}

/* The bit of a set in the masks, or -1. */
static int allm__rx_set_of(allm__rx_comp *c, int32_t node) {
    if (node < 0) return -1;
    for (int i = 0; i < c->n_sets; i++)
        if (c->sets[i] == node) return i;
    if (c->n_sets == ALLM__RX_SETS)
        return allm__rx_fail(c, ALLM_E_UNSUPPORTED, "more than 64 different character classes"), -1;
    c->sets[c->n_sets] = node;
    return c->n_sets++;
}

/* ---- reading the pattern */

static int allm__rx_peek(const allm__rx_comp *c) {
    return c->pos < c->text.len ? (unsigned char)c->text.ptr[c->pos] : -1;
}

static int allm__rx_take(allm__rx_comp *c, const char *literal) { /* takes it if it comes next */
    size_t n = strlen(literal);
    if (c->text.len - c->pos < n || memcmp(c->text.ptr + c->pos, literal, n) != 0) return 0;
    c->pos += n;
    return 1;
}

static int32_t allm__rx_next_cp(allm__rx_comp *c) { /* the pattern is valid UTF-8 and not at its end */
    int32_t cp;
    c->pos += allm__utf8_next(c->text.ptr + c->pos, c->text.len - c->pos, &cp);
    return cp;
}

/* Hex digits, at least lo and at most hi of them; -1: not there. */
static int32_t allm__rx_hex(allm__rx_comp *c, int lo, int hi) {
    int32_t v = 0;
    int     n = 0;
    for (; n < hi; n++, c->pos++) {
        int ch = allm__rx_peek(c), low = ch | 32, d = -1;
        if (ch >= '0' && ch <= '9') d = ch - '0';
        if (low >= 'a' && low <= 'f') d = low - 'a' + 10;
        if (d < 0) break;
        v = v << 4 | d;
    }
    return n < lo ? -1 : v;
}

/* \p{..} and \P{..}, from the brace on: a node. */
static int32_t allm__rx_property(allm__rx_comp *c, int negative) {
    static const struct { const char *name; uint64_t bits; } rows[] = {
        {"L", ALLM__UNI_L},     {"M", ALLM__UNI_M},     {"N", ALLM__UNI_N},       {"P", ALLM__UNI_P},
        {"S", ALLM__UNI_S},     {"Z", ALLM__UNI_Z},     {"C", ALLM__UNI_C},       {"Han", ALLM__UNI_HAN},
        {"Letter", ALLM__UNI_L}, {"Mark", ALLM__UNI_M}, {"Number", ALLM__UNI_N},  {"Punctuation", ALLM__UNI_P},
        {"Symbol", ALLM__UNI_S}, {"Separator", ALLM__UNI_Z}, {"Number17", ALLM__UNI_NUMBER17}, /* ours: see room data */
    };
    uint64_t bits  = 0;
    size_t   start = c->pos + 1, end;
    if (!allm__rx_take(c, "{") || (end = allm__str_find(c->text, ALLM__S("}"), c->pos)) == SIZE_MAX)
        return allm__rx_fail(c, ALLM_E_FORMAT, "\\p needs {a property}"), -1;
    if (allm__rx_take(c, "^")) start++, negative = !negative;
    allm_str name = allm__str(c->text.ptr + start, end - start);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++)
        if (allm__str_eq(name, allm__str_of(rows[i].name))) bits = rows[i].bits;
    for (size_t i = 0; i < ALLM__COUNT(allm__uni_names); i++)
        if (allm__str_eq(name, allm__str_of(allm__uni_names[i]))) bits = ALLM__UNI_GC(i);
    if (!bits) return allm__rx_fail(c, ALLM_E_UNSUPPORTED, "this property is not known here"), -1;
    c->pos       = end + 1;
    int32_t node = allm__rx_node_of(c, ALLM__RX_BITS, 0, 0, bits);
    return negative && node >= 0 ? allm__rx_node_of(c, ALLM__RX_NOT, node, 0, 0) : node;
}

/* The set of \s \S \d \D \w \W \h \H; -1 without an error: another letter. */
static int32_t allm__rx_class_letter(allm__rx_comp *c, int letter, int in_class) {
    int32_t node = -1, low = letter | 32;
    if (low == 's') node = allm__rx_node_of(c, ALLM__RX_BITS, 0, 0, ALLM__UNI_SPACE);
    if (low == 'd') node = allm__rx_node_of(c, ALLM__RX_BITS, 0, 0, ALLM__UNI_ND);
    if (low == 'w') node = allm__rx_node_of(c, ALLM__RX_BITS, 0, 0, ALLM__UNI_WORD);
    if (low == 'w' && in_class && node >= 0) { /* Oniguruma: the Latin-1 numbers are in \w but not in [\w] */
        int32_t first = (int32_t)c->n_ranges;
        if (!allm__rx_add_range(c, 0xb2, 0xb3) || !allm__rx_add_range(c, 0xb9, 0xb9) ||
            !allm__rx_add_range(c, 0xbc, 0xbe))
            return -1;
        int32_t latin = allm__rx_node_of(c, ALLM__RX_RANGES, first, 3, 0);
        if (latin >= 0) latin = allm__rx_node_of(c, ALLM__RX_NOT, latin, 0, 0);
        node = latin < 0 ? -1 : allm__rx_node_of(c, ALLM__RX_AND, node, latin, 0);
    }
    if (low == 'h') {
        int32_t first = (int32_t)c->n_ranges;
        if (!allm__rx_add_range(c, '0', '9') || !allm__rx_add_range(c, 'A', 'F') || !allm__rx_add_range(c, 'a', 'f'))
            return -1;
        node = allm__rx_node_of(c, ALLM__RX_RANGES, first, 3, 0);
    }
    return node >= 0 && letter != low ? allm__rx_node_of(c, ALLM__RX_NOT, node, 0, 0) : node;
}

enum { ALLM__RX_IS_CHAR, ALLM__RX_IS_SET, ALLM__RX_IS_CHECK, ALLM__RX_IS_BAD };

/* What follows a backslash: a character, a node or the op of a check, in *out. */
static int allm__rx_escape(allm__rx_comp *c, int in_class, int32_t *out) {
    static const char letters[] = "nrtfvae", values[] = "\n\r\t\f\v\a\033";
    static const struct { char letter; uint8_t op; } checks[] = {
        {'b', ALLM__RX_WORD_EDGE}, {'B', ALLM__RX_NO_WORD_EDGE}, {'A', ALLM__RX_TEXT_BEGIN}, {'z', ALLM__RX_TEXT_END},
        {'Z', ALLM__RX_LAST_LINE}};
    if (c->pos == c->text.len) return allm__rx_fail(c, ALLM_E_FORMAT, "ends in a backslash"), ALLM__RX_IS_BAD;
    int32_t     cp = allm__rx_next_cp(c);
    const char *at = cp > 0 && cp < 128 ? strchr(letters, (int)cp) : NULL;
    if (at) return *out = values[at - letters], ALLM__RX_IS_CHAR;
    if (cp == 'p' || cp == 'P') return (*out = allm__rx_property(c, cp == 'P')) < 0 ? ALLM__RX_IS_BAD : ALLM__RX_IS_SET;
    if (cp == 'x' || cp == 'u') {
        int braces = cp == 'x' && allm__rx_take(c, "{");
        *out       = braces ? allm__rx_hex(c, 1, 6) : cp == 'x' ? allm__rx_hex(c, 1, 2) : allm__rx_hex(c, 4, 4);
        if (*out < 0 || *out > 0x10ffff || (braces && !allm__rx_take(c, "}")))
            return allm__rx_fail(c, ALLM_E_FORMAT, "not a code point"), ALLM__RX_IS_BAD;
        return ALLM__RX_IS_CHAR;
    }
    for (size_t i = 0; !in_class && i < ALLM__COUNT(checks); i++)
        if (cp == checks[i].letter) return *out = checks[i].op, ALLM__RX_IS_CHECK;
    *out = allm__rx_class_letter(c, (int)cp, in_class);
    if (*out >= 0) return ALLM__RX_IS_SET;
    if (c->err->status) return ALLM__RX_IS_BAD;
    if ((cp >= '0' && cp <= '9') || (cp > 0 && cp < 128 && strchr("kgKRXGNOyY", (int)cp)))
        return allm__rx_fail(c, ALLM_E_UNSUPPORTED, "this escape is not supported"), ALLM__RX_IS_BAD;
    return *out = in_class && cp == 'b' ? 8 : cp, ALLM__RX_IS_CHAR;
}

typedef struct allm__rx_level { /* of brackets in a class */
    int32_t negative, either, both; /* nodes: of the current part of an intersection, of the parts before; -1: none */
    size_t  first;                  /* its ranges not yet in a node */
} allm__rx_level;

/* The ranges gathered so far become part of the current union. */
static int allm__rx_flush(allm__rx_comp *c, allm__rx_level *l, int at_least_empty) {
    int32_t n = (int32_t)(c->n_ranges - l->first), node;
    if (n == 0 && !(at_least_empty && l->either < 0)) return 1;
    node      = allm__rx_node_of(c, ALLM__RX_RANGES, (int32_t)l->first, n, 0);
    l->either = node < 0 ? -1 : allm__rx_or(c, l->either, node);
    l->first  = c->n_ranges;
    return l->either >= 0;
}

static int allm__rx_close_part(allm__rx_comp *c, allm__rx_level *l) { /* && or ] */
    if (!allm__rx_flush(c, l, 1)) return 0;
    l->both   = l->both < 0 ? l->either : allm__rx_node_of(c, ALLM__RX_AND, l->both, l->either, 0);
    l->either = -1;
    return l->both >= 0;
}

/* One character, range or escape of a class. */
static int allm__rx_class_item(allm__rx_comp *c, allm__rx_level *l, int icase) {
    int32_t from = allm__rx_next_cp(c), to;
    if (from == '\\' && !allm__rx_flush(c, l, 0)) return 0; /* the escape may have ranges of its own */
    int kind = from == '\\' ? allm__rx_escape(c, 1, &from) : ALLM__RX_IS_CHAR;
    if (kind == ALLM__RX_IS_BAD) return 0;
    if (kind == ALLM__RX_IS_SET) {
        l->first = c->n_ranges;
        return (l->either = allm__rx_or(c, l->either, from)) >= 0;
    }
    to            = from;
    size_t before = c->pos;
    if (allm__rx_take(c, "-")) {
        int ch = allm__rx_peek(c);
        if (ch == ']' || ch == '[' || ch < 0) c->pos = before; /* a literal minus */
        else {
            to = allm__rx_next_cp(c);
            if (to == '\\' && allm__rx_escape(c, 1, &to) != ALLM__RX_IS_CHAR)
                return allm__rx_fail(c, ALLM_E_FORMAT, "a range needs a character at its end"), 0;
            if (to < from) return allm__rx_fail(c, ALLM_E_FORMAT, "the range ends before it begins"), 0;
        }
    }
    return allm__rx_add_chars(c, from, to, icase);
}

/* A class, behind its first bracket: a node, or -1. */
static int32_t allm__rx_class(allm__rx_comp *c, int icase) {
    allm__rx_level levels[ALLM__RX_DEPTH / 2];
    int            depth = -1, open = 1;
    for (;;) {
        if (open) {
            if (depth >= 0 && !allm__rx_flush(c, &levels[depth], 0)) return -1;
            if (++depth == ALLM__RX_DEPTH / 2)
                return allm__rx_fail(c, ALLM_E_UNSUPPORTED, "too many nested brackets"), -1;
            levels[depth].negative = allm__rx_take(c, "^"), levels[depth].either = levels[depth].both = -1;
            levels[depth].first = c->n_ranges, open = 0;
            if (allm__rx_take(c, "]") && !allm__rx_add_range(c, ']', ']')) return -1;
        }
        allm__rx_level *l = &levels[depth];
        if (c->pos == c->text.len) return allm__rx_fail(c, ALLM_E_FORMAT, "a class that is not closed"), -1;
        if (allm__rx_take(c, "[:")) return allm__rx_fail(c, ALLM_E_UNSUPPORTED, "POSIX brackets are not supported"), -1;
        if (allm__rx_take(c, "[")) open = 1;
        else if (allm__rx_take(c, "&&")) {
            if (!allm__rx_close_part(c, l)) return -1;
        } else if (allm__rx_take(c, "]")) {
            if (!allm__rx_close_part(c, l)) return -1;
            int32_t node = l->negative ? allm__rx_node_of(c, ALLM__RX_NOT, l->both, 0, 0) : l->both;
            if (depth-- == 0 || node < 0) return node;
            levels[depth].first  = c->n_ranges;
            levels[depth].either = allm__rx_or(c, levels[depth].either, node);
            if (levels[depth].either < 0) return -1;
        } else if (!allm__rx_class_item(c, l, icase)) return -1;
    }
}

/* ---- atoms, groups, repetitions */

static allm__rx_frame *allm__rx_top(allm__rx_comp *c) { return &c->frames[c->depth - 1]; }

/* The code from `at` on is a new atom of the innermost group. */
static void allm__rx_atom(allm__rx_comp *c, int32_t at, int empty) {
    allm__rx_frame *f = allm__rx_top(c);
    if (f->atom >= 0 && !f->atom_empty) f->empty = 0; /* the atom before can no longer be made optional */
    f->atom = at, f->atom_empty = empty;
}

static int allm__rx_may_be_empty(const allm__rx_frame *f) { return f->empty && (f->atom < 0 || f->atom_empty); }

static allm_status allm__rx_set_atom(allm__rx_comp *c, int32_t node) {
    int     set = allm__rx_set_of(c, node);
    int32_t at  = set < 0 ? -1 : allm__rx_emit(c, ALLM__RX_SET, set, 0, 0);
    if (at < 0) return c->err->status;
    return allm__rx_atom(c, at, 0), ALLM_OK;
}

/* A literal; with (?i) a small set. */
static allm_status allm__rx_char_atom(allm__rx_comp *c, int32_t cp) {
    int32_t first = (int32_t)c->n_ranges, at;
    if (allm__rx_top(c)->icase) {
        if (!allm__rx_add_cases(c, cp)) return c->err->status;
        int32_t n = (int32_t)c->n_ranges - first;
        if (n > 1) return allm__rx_set_atom(c, allm__rx_node_of(c, ALLM__RX_RANGES, first, n, 0));
        c->n_ranges--;
    }
    if ((at = allm__rx_emit(c, ALLM__RX_CHAR, 0, cp, 0)) < 0) return c->err->status;
    return allm__rx_atom(c, at, 0), ALLM_OK;
}

static allm_status allm__rx_check_atom(allm__rx_comp *c, int op) {
    int32_t at = allm__rx_emit(c, op, 0, 0, 0);
    if (at < 0) return c->err->status;
    return allm__rx_atom(c, at, 1), ALLM_OK;
}

static allm_status allm__rx_push_frame(allm__rx_comp *c, int kind, int negative, int icase) {
    if (c->depth == ALLM__RX_DEPTH) return allm__rx_fail(c, ALLM_E_UNSUPPORTED, "too many nested groups");
    allm__rx_frame *f = &c->frames[c->depth++];
    memset(f, 0, sizeof *f);
    f->kind = kind, f->negative = negative, f->icase = icase, f->atom = f->jumps = -1, f->empty = 1;
    f->open = (int32_t)c->n_code;
    int op  = kind == ALLM__RX_ATOMIC ? ALLM__RX_ATOM : ALLM__RX_LOOK;
    if (kind != ALLM__RX_PLAIN && allm__rx_emit(c, op, 0, 0, 0) < 0) return c->err->status;
    f->alt = (int32_t)c->n_code;
    return ALLM_OK;
}

/* Behind "(": what kind of group it is. */
static allm_status allm__rx_open(allm__rx_comp *c) {
    static const struct { const char *text; uint8_t kind, negative; } rows[] = {
        {":", ALLM__RX_PLAIN, 0}, {"=", ALLM__RX_LOOKING, 0}, {"!", ALLM__RX_LOOKING, 1}, {">", ALLM__RX_ATOMIC, 0}};
    int icase = allm__rx_top(c)->icase;
    if (!allm__rx_take(c, "?")) return allm__rx_push_frame(c, ALLM__RX_PLAIN, 0, icase);
    for (size_t i = 0; i < ALLM__COUNT(rows); i++)
        if (allm__rx_take(c, rows[i].text)) return allm__rx_push_frame(c, rows[i].kind, rows[i].negative, icase);
    if (allm__rx_take(c, "i:")) return allm__rx_push_frame(c, ALLM__RX_PLAIN, 0, 1);
    if (allm__rx_take(c, "-i:")) return allm__rx_push_frame(c, ALLM__RX_PLAIN, 0, 0);
    if (allm__rx_top(c)->alt == (int32_t)c->n_code && allm__rx_take(c, "i)"))
        return allm__rx_top(c)->icase = 1, ALLM_OK; /* to the end of the enclosing group */
    return allm__rx_fail(c, ALLM_E_UNSUPPORTED, "this kind of group is not supported");
}

/* The end of an alternative that is not the group's last. */
static allm_status allm__rx_bar(allm__rx_comp *c) {
    allm__rx_frame *f = allm__rx_top(c);
    f->any_empty |= allm__rx_may_be_empty(f);
    if (c->depth == 1) {
        if (allm__rx_emit(c, ALLM__RX_MATCH, 0, 0, 0) < 0) return c->err->status;
        if (!allm__rx_room(c, (void **)&c->alts, &c->cap_alts, c->n_alts, 1, sizeof *c->alts)) return c->err->status;
        c->alts[c->n_alts++] = (int32_t)c->n_code;
    } else {
        int32_t n = (int32_t)c->n_code - f->alt;
        if (allm__rx_insert(c, f->alt, ALLM__RX_SPLIT, 1, n + 2)) return c->err->status;
        int32_t at = allm__rx_emit(c, ALLM__RX_JUMP, 0, f->jumps, 0);
        if (at < 0) return c->err->status;
        f->jumps = at;
    }
    f->alt = (int32_t)c->n_code, f->atom = -1, f->empty = 1;
    return ALLM_OK;
}

/* A look at one class needs no frame; a look at a class in front of a class is their intersection. */
static void allm__rx_simplify(allm__rx_comp *c, const allm__rx_frame *f) {
    allm__rx_inst *p = c->code + f->open;
    int32_t        n = (int32_t)c->n_code - f->open;
    if (f->kind == ALLM__RX_LOOKING && n == 2 && p[1].op == ALLM__RX_SET) {
        p[0] = p[1], p[0].op = ALLM__RX_LOOK_SET, p[0].flag = (uint8_t)f->negative;
        c->n_code--;
    } else if (f->kind == ALLM__RX_PLAIN && n == 2 && p[0].op == ALLM__RX_LOOK_SET && p[1].op == ALLM__RX_SET) {
        int32_t look = c->sets[p[0].set], both;
        if (p[0].flag) look = allm__rx_node_of(c, ALLM__RX_NOT, look, 0, 0);
        both    = look < 0 ? -1 : allm__rx_node_of(c, ALLM__RX_AND, look, c->sets[p[1].set], 0);
        int set = allm__rx_set_of(c, both);
        if (set >= 0) p[0].op = ALLM__RX_SET, p[0].set = (uint8_t)set, p[0].flag = 0, c->n_code--;
    }
}

static allm_status allm__rx_close(allm__rx_comp *c) {
    if (c->depth == 1) return allm__rx_fail(c, ALLM_E_FORMAT, "a parenthesis that was not opened");
    allm__rx_frame f = *allm__rx_top(c);
    for (int32_t at = f.jumps, next; at >= 0; at = next) next = c->code[at].x, c->code[at].x = (int32_t)c->n_code - at;
    int empty = f.any_empty || allm__rx_may_be_empty(&f) || f.kind == ALLM__RX_LOOKING;
    allm__rx_simplify(c, &f);
    if (c->err->status) return c->err->status;
    if (f.kind == ALLM__RX_ATOMIC && allm__rx_emit(c, ALLM__RX_ATOM_END, 0, 0, 0) < 0) return c->err->status;
    if (f.kind == ALLM__RX_LOOKING && c->code[f.open].op == ALLM__RX_LOOK) {
        if (allm__rx_emit(c, ALLM__RX_LOOK_END, 0, 0, 0) < 0) return c->err->status;
        c->code[f.open].x = (int32_t)c->n_code - f.open, c->code[f.open].flag = (uint8_t)f.negative;
    }
    c->depth--;
    return allm__rx_atom(c, f.open, empty), ALLM_OK;
}

enum { ALLM__RX_GREEDY, ALLM__RX_LAZY, ALLM__RX_POSSESSIVE };

/* A SPLIT whose first choice is the one a greedy or lazy loop prefers. */
static void allm__rx_prefer(allm__rx_inst *split, int mode, int32_t more, int32_t done) {
    split->x = mode == ALLM__RX_LAZY ? done : more;
    split->y = mode == ALLM__RX_LAZY ? more : done;
}

/* The last block, at `at`, once or more; optional: or not at all. */
static allm_status allm__rx_loop(allm__rx_comp *c, int32_t at, int optional, int mode) {
    int32_t n = (int32_t)c->n_code - at;
    if (allm__rx_emit(c, ALLM__RX_MEMO, 0, 0, 0) < 0 || allm__rx_emit(c, ALLM__RX_SPLIT, 0, 0, 0) < 0)
        return c->err->status;
    allm__rx_prefer(&c->code[c->n_code - 1], mode, -(n + 1), 1);
    if (!optional) return ALLM_OK;
    if (allm__rx_insert(c, at, ALLM__RX_SPLIT, 0, 0)) return c->err->status;
    allm__rx_prefer(&c->code[at], mode, 1, n + 3);
    return ALLM_OK;
}

/* Repeats a general block by copies of it. */
static allm_status allm__rx_repeat_block(allm__rx_comp *c, int32_t at, int32_t least, int32_t most, int mode) {
    int32_t n = (int32_t)c->n_code - at, n_more = most == INT32_MAX ? 0 : most - least, from = at;
    for (int32_t i = 1; i < least; i++)
        if (allm__rx_copy(c, at, n)) return c->err->status;
    if (most == INT32_MAX) return allm__rx_loop(c, (int32_t)c->n_code - n, least == 0, mode);
    if (least == 0 && n_more) {
        if (allm__rx_insert(c, at, ALLM__RX_SPLIT, 0, 0)) return c->err->status;
        allm__rx_prefer(&c->code[at], mode, 1, n_more * (n + 1));
        from = at + 1, n_more--;
    }
    for (; n_more > 0; n_more--) {
        int32_t split = allm__rx_emit(c, ALLM__RX_SPLIT, 0, 0, 0);
        if (split < 0 || allm__rx_copy(c, from, n)) return c->err->status;
        allm__rx_prefer(&c->code[split], mode, 1, n_more * (n + 1));
    }
    return ALLM_OK;
}

/* The last atom least..most times. Repeats of one class become a span. */
static allm_status allm__rx_repeat(allm__rx_comp *c, int32_t least, int32_t most, int mode) {
    allm__rx_frame *f  = allm__rx_top(c);
    int32_t         at = f->atom, n = (int32_t)c->n_code - at, empty = f->atom_empty, first = (int32_t)c->n_ranges;
    if (at < 0) return allm__rx_fail(c, ALLM_E_FORMAT, "nothing to repeat");
    if (n == 1 && c->code[at].op == ALLM__RX_CHAR && mode != ALLM__RX_LAZY) {
        if (!allm__rx_add_range(c, c->code[at].x, c->code[at].x)) return c->err->status;
        int set = allm__rx_set_of(c, allm__rx_node_of(c, ALLM__RX_RANGES, first, 1, 0));
        if (set < 0) return c->err->status;
        c->code[at].op = ALLM__RX_SET, c->code[at].set = (uint8_t)set;
    }
    allm__rx_inst *p = &c->code[at];
    f->atom_empty    = empty || least == 0;
    if (most == 0) return c->n_code = (size_t)at, f->atom = -1, ALLM_OK;
    if (n == 1 && p->op == ALLM__RX_SET && mode != ALLM__RX_LAZY) {
        p->op = ALLM__RX_SPAN, p->x = least, p->y = most, p->flag = mode == ALLM__RX_POSSESSIVE;
        return ALLM_OK;
    }
    if (n == 1 && p->op == ALLM__RX_SPAN && p->x <= 1 && !p->flag && least <= 1 && most == INT32_MAX && !mode)
        return p->x = ALLM__MIN(p->x, least), p->y = INT32_MAX, ALLM_OK; /* (x{1,3})+ is x+ */
    if (most == INT32_MAX && empty)
        return allm__rx_fail(c, ALLM_E_UNSUPPORTED, "repeats without end what may be nothing");
    if (mode == ALLM__RX_POSSESSIVE && allm__rx_insert(c, at, ALLM__RX_ATOM, 0, 0)) return c->err->status;
    if (allm__rx_repeat_block(c, at + (mode == ALLM__RX_POSSESSIVE), least, most, mode)) return c->err->status;
    if (mode == ALLM__RX_POSSESSIVE) allm__rx_emit(c, ALLM__RX_ATOM_END, 0, 0, 0);
    return c->err->status;
}

/* {n} {n,} {,m} {n,m} behind the brace; 0 and nothing taken: not one, the brace is a literal. */
static int allm__rx_braces(allm__rx_comp *c, int32_t *least, int32_t *most) {
    size_t  start = c->pos;
    int32_t v[2]  = {-1, -1};
    int     comma = 0;
    for (; c->pos < c->text.len; c->pos++) {
        int ch = allm__rx_peek(c);
        if (ch >= '0' && ch <= '9') v[comma] = ALLM__MIN(ALLM__MAX(v[comma], 0) * 10 + (ch - '0'), 100000);
        else if (ch == ',' && !comma) comma = 1;
        else break;
    }
    if (!allm__rx_take(c, "}") || (v[0] < 0 && v[1] < 0)) return c->pos = start, 0;
    *least = ALLM__MAX(v[0], 0);
    *most  = !comma ? v[0] : v[1] < 0 ? INT32_MAX : v[1];
    return 1;
}

/* All repetitions behind the last atom. */
static allm_status allm__rx_repeats(allm__rx_comp *c) {
    for (;;) {
        int32_t least = 0, most = INT32_MAX;
        int     braces = 0, mode = ALLM__RX_GREEDY;
        if (allm__rx_take(c, "?")) most = 1;
        else if (allm__rx_take(c, "+")) least = 1;
        else if (!allm__rx_take(c, "*")) {
            if (!allm__rx_take(c, "{")) return ALLM_OK;
            if (!(braces = allm__rx_braces(c, &least, &most))) return c->pos--, ALLM_OK;
            if (least > ALLM__RX_MAX_REPEAT || (most > ALLM__RX_MAX_REPEAT && most != INT32_MAX))
                return allm__rx_fail(c, ALLM_E_UNSUPPORTED, "repeats more than 1000 times");
            if (least > most) return allm__rx_fail(c, ALLM_E_FORMAT, "repeats at least more often than at most");
        }
        if (allm__rx_take(c, "?")) mode = ALLM__RX_LAZY;
        else if (!braces && allm__rx_take(c, "+")) mode = ALLM__RX_POSSESSIVE; /* {n}+ is (..{n})+ in this syntax */
        if (allm__rx_repeat(c, least, most, mode)) return c->err->status;
    }
}

/* One atom, bar or parenthesis. */
static allm_status allm__rx_parse_one(allm__rx_comp *c) {
    int32_t cp = allm__rx_next_cp(c), out = cp;
    int     kind = ALLM__RX_IS_CHAR;
    switch (cp) {
    case '(': return allm__rx_open(c);
    case ')': return allm__rx_close(c);
    case '|': return allm__rx_bar(c);
    case '[': kind = (out = allm__rx_class(c, allm__rx_top(c)->icase)) < 0 ? ALLM__RX_IS_BAD : ALLM__RX_IS_SET; break;
    case '\\': kind = allm__rx_escape(c, 0, &out); break;
    case '^': kind = ALLM__RX_IS_CHECK, out = ALLM__RX_LINE_BEGIN; break;
    case '$': kind = ALLM__RX_IS_CHECK, out = ALLM__RX_LINE_END; break;
    case '.': { /* all but \n */
        int32_t first = (int32_t)c->n_ranges;
        if (!allm__rx_add_range(c, '\n', '\n')) return c->err->status;
        out  = allm__rx_node_of(c, ALLM__RX_RANGES, first, 1, 0);
        out  = out < 0 ? -1 : allm__rx_node_of(c, ALLM__RX_NOT, out, 0, 0);
        kind = out < 0 ? ALLM__RX_IS_BAD : ALLM__RX_IS_SET;
        break;
    }
    case '*': case '+': case '?': return allm__rx_fail(c, ALLM_E_FORMAT, "nothing to repeat");
    default: break;
    }
    if (kind == ALLM__RX_IS_BAD) return c->err->status;
    if (kind == ALLM__RX_IS_SET) return allm__rx_set_atom(c, out);
    return kind == ALLM__RX_IS_CHECK ? allm__rx_check_atom(c, out) : allm__rx_char_atom(c, out);
}

static allm_status allm__rx_parse(allm__rx_comp *c) {
    if (allm__utf8_bad(c->text) != SIZE_MAX)
        return c->pos = allm__utf8_bad(c->text), allm__rx_fail(c, ALLM_E_FORMAT, "not valid UTF-8");
    if (!allm__rx_room(c, (void **)&c->alts, &c->cap_alts, 0, 1, sizeof *c->alts)) return c->err->status;
    c->alts[c->n_alts++] = 0;
    if (allm__rx_push_frame(c, ALLM__RX_PLAIN, 0, 0)) return c->err->status;
    while (c->pos < c->text.len) {
        int was = allm__rx_peek(c);
        if (allm__rx_parse_one(c)) return c->err->status;
        if (was != '|' && allm__rx_top(c)->atom >= 0 && allm__rx_repeats(c)) return c->err->status;
    }
    if (c->depth > 1) return allm__rx_fail(c, ALLM_E_FORMAT, "a parenthesis that is not closed");
    allm__rx_emit(c, ALLM__RX_MATCH, 0, 0, 0);
    return c->err->status;
}

/* ---- from nodes to masks */

/* The mask of a character: bits of room data and, for each node of ranges, whether it is inside. values: [n_nodes]. */
static uint64_t allm__rx_mask_of(const allm__rx_comp *c, uint64_t bits, int32_t cp, uint8_t *values) {
    uint64_t mask = 0;
    for (size_t i = 0; i < c->n_nodes; i++) {
        const allm__rx_node *p = &c->nodes[i];
        int                  v = 0;
        if (p->type == ALLM__RX_RANGES)
            for (int32_t k = p->a; k < p->a + p->b && !v; k++) v = cp >= c->ranges[2 * k] && cp <= c->ranges[2 * k + 1];
        else if (p->type == ALLM__RX_BITS) v = (bits & p->bits) != 0;
        else if (p->type == ALLM__RX_NOT) v = !values[p->a];
        else v = p->type == ALLM__RX_AND ? values[p->a] && values[p->b] : values[p->a] || values[p->b];
        values[i] = (uint8_t)v;
    }
    for (int i = 0; i < c->n_sets; i++) mask |= (uint64_t)values[c->sets[i]] << i;
    return mask;
}

static void allm__rx_sort(int32_t *v, size_t n) { /* insertion sort: a pattern's own order is nearly sorted */
    for (size_t i = 1; i < n; i++) {
        int32_t x = v[i];
        size_t  k = i;
        for (; k > 0 && v[k - 1] > x; k--) v[k] = v[k - 1];
        v[k] = x;
    }
}

/* The code points above ASCII at which some range begins or has ended: [n] of at most 2 n_ranges + 1. */
static size_t allm__rx_bounds(const allm__rx_comp *c, int32_t *bounds) {
    size_t n = 0, n_kept = 0;
    for (size_t i = 0; i < c->n_ranges; i++) {
        if (c->ranges[2 * i + 1] < 128) continue;
        bounds[n++] = ALLM__MAX(c->ranges[2 * i], 128);
        bounds[n++] = c->ranges[2 * i + 1] + 1;
    }
    allm__rx_sort(bounds, n);
    for (size_t i = 0; i < n; i++)
        if (n_kept == 0 || bounds[n_kept - 1] != bounds[i]) bounds[n_kept++] = bounds[i];
    return n_kept;
}

/* Fills the masks: of ASCII, and [kind][class] for each kind of area between the bounds, that is, each distinct row. */
static allm_status allm__rx_tables(allm__rx_comp *c, allm__regex *rx, allm__arena *a, int32_t *bounds,
                                   uint8_t *values, uint64_t *rows /* [AREAS][CLASSES] */) {
    size_t   n = allm__rx_bounds(c, bounds), n_kinds = 0;
    int32_t *from = (int32_t *)allm__arena_array(a, n + 1, sizeof *from, sizeof *from);
    uint8_t *kind = (uint8_t *)allm__arena_array(a, n + 1, 1, 1);
    if (!from || !kind) return allm__fail_memory(c->err, (n + 1) * 5);
    for (int32_t cp = 0; cp < 128; cp++) rx->ascii[cp] = allm__rx_mask_of(c, allm__uni_bits(cp), cp, values);
    for (size_t i = 0; i <= n; i++) { /* area i begins at bound i - 1; the first one is all that no range holds */
        int32_t cp  = i ? bounds[i - 1] : -1;
        size_t  k   = 0, size = ALLM__RX_CLASSES * sizeof *rows;
        if (n_kinds == ALLM__RX_AREAS) return allm__rx_fail(c, ALLM_E_UNSUPPORTED, "too many different ranges");
        uint64_t *row = rows + n_kinds * ALLM__RX_CLASSES;
        for (int32_t k_class = 0; k_class < (int32_t)ALLM__RX_CLASSES; k_class++)
            row[k_class] = allm__rx_mask_of(c, allm__uni_class_bits(k_class), cp, values);
        while (k < n_kinds && memcmp(rows + k * ALLM__RX_CLASSES, row, size) != 0) k++;
        n_kinds += k == n_kinds;
        if (i) from[i - 1] = cp, kind[i - 1] = (uint8_t)k;
    }
    uint64_t *kept = (uint64_t *)allm__arena_array(a, n_kinds * ALLM__RX_CLASSES, sizeof *kept, sizeof *kept);
    uint32_t *alts = (uint32_t *)allm__arena_array(a, n_kinds * ALLM__RX_CLASSES, sizeof *alts, sizeof *alts);
    if (!kept || !alts) return allm__fail_memory(c->err, n_kinds * ALLM__RX_CLASSES * 12);
    memcpy(kept, rows, n_kinds * ALLM__RX_CLASSES * sizeof *kept);
    rx->sets_of = kept, rx->alts_of = alts, rx->area_from = from, rx->area_kind = kind, rx->n_areas = (int32_t)n;
    return ALLM_OK;
}

/* Index of a character above ASCII in sets_of and alts_of. */
static size_t allm__rx_row(const allm__regex *rx, int32_t cp) {
    size_t kind = 0;
    if (rx->n_areas && cp >= rx->area_from[0] && cp < rx->area_from[rx->n_areas - 1]) {
        int32_t lo = 0, hi = rx->n_areas;
        while (hi - lo > 1) {
            int32_t mid = lo + (hi - lo) / 2;
            if (rx->area_from[mid] <= cp) lo = mid;
            else hi = mid;
        }
        kind = rx->area_kind[lo];
    }
    return kind * ALLM__RX_CLASSES + (size_t)allm__uni_class(cp);
}

/* ---- what can be known before the first text */

/* Is a match certain once pc is reached, at any place of any text? */
static int allm__rx_sure(const allm__rx_comp *c, int32_t pc) {
    for (size_t steps = 0; steps <= c->n_code; steps++) {
        const allm__rx_inst *i = &c->code[pc];
        switch (i->op) {
        case ALLM__RX_MATCH: case ALLM__RX_LOOK_END: case ALLM__RX_ATOM_END: return 1; /* each ends its own frame */
        case ALLM__RX_SPAN: if (i->x > 0) return 0; pc++; break;
        case ALLM__RX_MEMO: pc++; break;
        case ALLM__RX_JUMP: pc += i->x; break;
        case ALLM__RX_SPLIT: pc += i->y > 0 ? i->y : i->x; break; /* one branch is enough to look at */
        default: return 0;
        }
    }
    return 0;
}

typedef struct allm__rx_first { /* what a match from some place on may begin with */
    uint64_t sets;
    uint64_t chars[2];   /* ASCII literals */
    int      other;      /* a literal above ASCII */
    int      empty;      /* or nothing */
} allm__rx_first;

/* seen, todo: [n_code] */
static allm__rx_first allm__rx_first_of(const allm__rx_comp *c, int32_t pc, uint8_t *seen, int32_t *todo) {
    allm__rx_first f = {0, {0, 0}, 0, 0};
    size_t         n = 0;
    memset(seen, 0, c->n_code);
    todo[n++] = pc;
    while (n) {
        pc = todo[--n];
        if (seen[pc]) continue; /* each place is taken once and adds at most two: todo has room for twice n_code */
        seen[pc]               = 1;
        const allm__rx_inst *i = &c->code[pc];
        switch (i->op) {
        case ALLM__RX_MATCH: case ALLM__RX_LOOK_END: f.empty = 1; break;
        case ALLM__RX_CHAR:
            if (i->x < 128) f.chars[i->x >> 6] |= (uint64_t)1 << (i->x & 63);
            else f.other = 1;
            break;
        case ALLM__RX_SET: f.sets |= (uint64_t)1 << i->set; break;
        case ALLM__RX_SPAN:
            f.sets |= (uint64_t)1 << i->set;
            if (i->x == 0) todo[n++] = pc + 1;
            break;
        case ALLM__RX_JUMP: case ALLM__RX_LOOK: todo[n++] = pc + i->x; break;
        case ALLM__RX_SPLIT: todo[n++] = pc + i->x, todo[n++] = pc + i->y; break;
        default: todo[n++] = pc + 1; break; /* a check: it only narrows */
        }
    }
    return f;
}

static int allm__rx_first_has(const allm__rx_first *f, int32_t ascii, uint64_t mask) {
    return (mask & f->sets) || (ascii >= 0 ? (int)(f->chars[ascii >> 6] >> (ascii & 63) & 1) : f->other);
}

/* May some character be both in the set and the beginning of f? */
static int allm__rx_meet(const allm__regex *rx, size_t n_rows, int set, const allm__rx_first *f) {
    for (int32_t cp = 0; cp < 128; cp++)
        if ((rx->ascii[cp] >> set & 1) && allm__rx_first_has(f, cp, rx->ascii[cp])) return 1;
    for (size_t i = 0; i < n_rows; i++)
        if ((rx->sets_of[i] >> set & 1) && allm__rx_first_has(f, -1, rx->sets_of[i])) return 1;
    return 0;
}

/* Marks spans that need not give back and choices that cannot fail; numbers what remembers; finds what each alternative
 * may begin with. */
static void allm__rx_analyse(allm__rx_comp *c, allm__regex *rx, size_t n_rows, uint32_t *alts_of, uint8_t *seen,
                             int32_t *todo) {
    for (size_t k = 0; k < c->n_code; k++) {
        allm__rx_inst *i = &c->code[k];
        int32_t        pc = (int32_t)k;
        if (i->op == ALLM__RX_SPLIT) i->flag = (uint8_t)allm__rx_sure(c, pc + i->y), i->choice = rx->n_choices++;
        if (i->op == ALLM__RX_MEMO) {
            const allm__rx_inst *split = i + 1;
            i->flag = (uint8_t)allm__rx_sure(c, pc + 1 + split->y);
            if (!i->flag) i->slot = rx->n_memos++;
        }
        if (i->op != ALLM__RX_SPAN) continue;
        allm__rx_first f = allm__rx_first_of(c, pc + 1, seen, todo);
        if (i->x == i->y || allm__rx_sure(c, pc + 1) || (!f.empty && !allm__rx_meet(rx, n_rows, i->set, &f)))
            i->flag = 1;
        i->slot   = i->y == INT32_MAX ? rx->n_spans++ : -1;
        i->choice = rx->n_choices++;
    }
    for (size_t k = 0; k < c->n_alts; k++) {
        allm__rx_first f   = allm__rx_first_of(c, c->alts[k], seen, todo);
        uint32_t       bit = (uint32_t)1 << ALLM__MIN(k, ALLM__RX_ALTS - 1);
        for (int32_t cp = 0; cp < 128; cp++)
            if (f.empty || allm__rx_first_has(&f, cp, rx->ascii[cp])) rx->ascii_alts[cp] |= bit;
        for (size_t i = 0; i < n_rows; i++)
            if (f.empty || allm__rx_first_has(&f, -1, rx->sets_of[i])) alts_of[i] |= bit;
        if (f.empty) rx->at_end |= bit;
    }
}

/* What the compiler allocates besides its arrays. */
typedef struct allm__rx_temp {
    uint64_t rows[ALLM__RX_AREAS][ALLM__RX_CLASSES];
    uint8_t  values[ALLM__RX_MAX_NODES];
    uint8_t  seen[ALLM__RX_MAX_CODE];
    int32_t  todo[2 * ALLM__RX_MAX_CODE];
} allm__rx_temp;

static allm_status allm__rx_finish(allm__rx_comp *c, allm__rx_temp *temp, allm__arena *a, allm__regex *rx) {
    size_t         n_bounds = 2 * c->n_ranges + 1, n_rows = 0;
    int32_t       *bounds   = (int32_t *)allm__alloc(c->host, n_bounds * sizeof *bounds, sizeof *bounds);
    allm__rx_inst *code     = (allm__rx_inst *)allm__arena_array(a, c->n_code, sizeof *code, sizeof(int32_t));
    int32_t       *alts     = (int32_t *)allm__arena_array(a, c->n_alts, sizeof *alts, sizeof *alts);
    if (!bounds || !code || !alts) allm__fail_memory(c->err, n_bounds * sizeof *bounds);
    else if (!allm__rx_tables(c, rx, a, bounds, temp->values, temp->rows[0])) {
        for (int32_t i = 0; i < rx->n_areas; i++) n_rows = ALLM__MAX(n_rows, rx->area_kind[i]);
        n_rows = (n_rows + 1) * ALLM__RX_CLASSES;
        allm__rx_analyse(c, rx, n_rows, (uint32_t *)(uintptr_t)rx->alts_of, temp->seen, temp->todo);
        memcpy(code, c->code, c->n_code * sizeof *code);
        memcpy(alts, c->alts, c->n_alts * sizeof *alts);
        rx->code = code, rx->alts = alts, rx->n_alts = (int32_t)c->n_alts;
    }
    allm__free(c->host, bounds, n_bounds * sizeof *bounds);
    return c->err->status;
}

/* Compiles a pattern into the arena; `source` is for messages, which have the place as 1:column. Errors: ALLM_E_FORMAT
 * (not a pattern), ALLM_E_UNSUPPORTED (a construct we do not have, or too large), ALLM_E_MEMORY. */
static allm_status allm__regex_compile(allm_str pattern, const char *source, allm__arena *a, allm__regex **out,
                                       allm_error *err) {
    const allm__host *h    = a->host;
    allm__rx_comp    *c    = (allm__rx_comp *)allm__alloc_zero(h, sizeof *c, sizeof(void *));
    allm__rx_temp    *temp = (allm__rx_temp *)allm__alloc(h, sizeof *temp, sizeof(uint64_t));
    allm__regex      *rx   = (allm__regex *)allm__arena_zero(a, sizeof *rx, sizeof(uint64_t));
    *out                   = NULL;
    if (!c || !temp || !rx) allm__fail_memory(err, sizeof *c + sizeof *temp);
    else {
        c->host = h, c->source = source, c->err = err, c->text = pattern;
        if (!allm__rx_parse(c) && !allm__rx_finish(c, temp, a, rx)) *out = rx;
        allm__free(h, c->code, c->cap_code * sizeof *c->code);
        allm__free(h, c->nodes, c->cap_nodes * sizeof *c->nodes);
        allm__free(h, c->ranges, c->cap_ranges * 2 * sizeof *c->ranges);
        allm__free(h, c->alts, c->cap_alts * sizeof *c->alts);
    }
    allm__free(h, c, sizeof *c);
    allm__free(h, temp, sizeof *temp);
    return err->status;
}

/* ---- the machine */

enum { ALLM__RX_ON_CHOICE, ALLM__RX_ON_SPAN, ALLM__RX_ON_MEMO, ALLM__RX_ON_FRAME };

typedef struct allm__rx_entry { /* what to do when everything newer has failed */
    uint32_t what;              /* kind, and place in the code above it */
    uint32_t pos;
    uint32_t lo, hi; /* SPAN: where it may end at the earliest, where it did at first. FRAME: lo: the outer frame */
} allm__rx_entry;

typedef struct allm__rx_seen { /* what a span without end remembers */
    uint32_t from, to;         /* all between is of its class, and it ended at `to`; from > to: nothing yet */
    uint32_t failed;           /* nothing behind it matched at failed .. to */
} allm__rx_seen;

typedef struct allm__rx_memo { /* outcomes by number and position, in a ring of positions */
    uint8_t *at;               /* [n_window][n] 0 unknown, 1 fails, 2 succeeds; NULL: not in use */
    uint32_t n, n_window;      /* n_window is a power of two */
    uint32_t from, top;        /* from .. from + n_window - 1 are remembered; all from top on are unknown */
} allm__rx_memo;

typedef struct allm__rx_run { /* one pattern over one stretch of text after another; zero it and set host */
    const allm__host  *host;
    const allm__regex *rx;
    const uint8_t     *text;
    uint32_t           begin, end; /* the stretch; anchors and looks see nothing else */
    allm__rx_entry    *stack;
    size_t             n_stack, cap_stack;
    allm__rx_seen     *seen; /* [n_spans] */
    int                any_seen;
    allm__rx_memo      loops, choices; /* choices: only after many failures in the stretch */
    int32_t            n_failures;
} allm__rx_run;

static void allm__rx_memo_free(const allm__host *h, allm__rx_memo *memo) {
    if (memo->at) allm__free(h, memo->at, (size_t)memo->n_window * memo->n);
    memo->at = NULL;
}

static void allm__rx_run_free(allm__rx_run *m) {
    if (m->seen) allm__free(m->host, m->seen, (size_t)m->rx->n_spans * sizeof *m->seen);
    allm__rx_memo_free(m->host, &m->loops);
    allm__rx_memo_free(m->host, &m->choices);
    allm__free(m->host, m->stack, m->cap_stack * sizeof *m->stack);
    m->seen = NULL, m->stack = NULL, m->cap_stack = 0;
}

/* Fills a fresh run for rx; 0: no memory. To be freed with allm__rx_run_free in any case. */
static int allm__rx_run_init(allm__rx_run *m, const allm__host *h, const allm__regex *rx) {
    memset(m, 0, sizeof *m);
    m->host = h, m->rx = rx, m->any_seen = 1;
    if (rx->n_spans) m->seen = (allm__rx_seen *)allm__alloc(h, (size_t)rx->n_spans * sizeof *m->seen, sizeof(uint32_t));
    return !rx->n_spans || m->seen;
}

/* Forgets the positions from .. to - 1, at most a window of them. */
static void allm__rx_memo_clear(allm__rx_memo *memo, uint32_t from, uint32_t to) {
    for (uint32_t at = from; at < to;) {
        uint32_t i = at & (memo->n_window - 1), n = ALLM__MIN(to - at, memo->n_window - i);
        memset(memo->at + (size_t)i * memo->n, 0, (size_t)n * memo->n);
        at += n;
    }
}

/* Makes an empty memo of n outcomes a position, from a position on, for a stretch of n_bytes or a window of it. */
static int allm__rx_memo_start(const allm__host *h, allm__rx_memo *memo, uint32_t n, uint32_t from, uint32_t n_bytes) {
    uint32_t most = 2, want = 64;
    while (most * 2 <= ALLM__RX_MEMO_BYTES / n) most *= 2;
    while (want <= n_bytes && want < most) want *= 2;
    want = ALLM__MIN(want, most);
    if (memo->at && want <= memo->n_window) {
        if (memo->top > memo->from) allm__rx_memo_clear(memo, memo->from, memo->top);
    } else {
        allm__rx_memo_free(h, memo);
        memo->at = (uint8_t *)allm__alloc_zero(h, (size_t)want * n, 1);
        if (!memo->at) return 0;
        memo->n = n, memo->n_window = want;
    }
    memo->from = memo->top = from;
    return 1;
}

/* Lets the window follow the search. */
static void allm__rx_memo_slide(allm__rx_memo *memo, uint32_t pos) {
    uint32_t half = memo->n_window / 2;
    while (pos - memo->from >= half + half / 2) {
        allm__rx_memo_clear(memo, memo->from, memo->from + half);
        memo->from += half;
        memo->top = ALLM__MAX(memo->top, memo->from);
    }
}

/* The outcome of number i at pos; 0 also outside the window. */
static int allm__rx_memo_get(const allm__rx_memo *memo, int32_t i, uint32_t pos) {
    if (pos - memo->from >= memo->n_window) return 0;
    return memo->at[(size_t)(pos & (memo->n_window - 1)) * memo->n + (size_t)i];
}

static void allm__rx_memo_set(allm__rx_memo *memo, int32_t i, uint32_t pos, uint8_t value) {
    if (!memo->at || pos - memo->from >= memo->n_window) return;
    memo->at[(size_t)(pos & (memo->n_window - 1)) * memo->n + (size_t)i] = value;
    memo->top = ALLM__MAX(memo->top, pos + 1);
}

/* Looks at another stretch of text from now on; 0: no memory. */
static int allm__rx_run_set(allm__rx_run *m, const char *text, size_t begin, size_t end) {
    static const allm__rx_seen nothing = {1, 0, 1};
    m->text = (const uint8_t *)text, m->begin = (uint32_t)begin, m->end = (uint32_t)end;
    for (int32_t i = 0; m->any_seen && i < m->rx->n_spans; i++) m->seen[i] = nothing;
    m->any_seen = m->n_failures = 0;
    allm__rx_memo_free(m->host, &m->choices);
    if (!m->rx->n_memos) return 1;
    return allm__rx_memo_start(m->host, &m->loops, (uint32_t)m->rx->n_memos, m->begin, m->end - m->begin);
}

/* Notes the outcome of what a memo's entry stands for. */
static void allm__rx_learn(allm__rx_run *m, const allm__rx_entry *e, uint8_t value) {
    const allm__rx_inst *i = &m->rx->code[e->what >> 2];
    if (i->op == ALLM__RX_MEMO) allm__rx_memo_set(&m->loops, i->slot, e->pos, value);
    else allm__rx_memo_set(&m->choices, i->choice, e->pos, value);
}

static int allm__rx_push(allm__rx_run *m, int kind, int32_t pc, uint32_t pos, uint32_t lo, uint32_t hi) {
    if (m->n_stack == m->cap_stack) {
        if (m->n_stack >= ALLM__RX_MAX_STACK) return 0;
        if (!allm__grow(m->host, (void **)&m->stack, &m->cap_stack, m->n_stack, m->n_stack + 1, sizeof *m->stack))
            return 0;
    }
    allm__rx_entry *e = &m->stack[m->n_stack++];
    e->what = (uint32_t)pc << 2 | (uint32_t)kind, e->pos = pos, e->lo = lo, e->hi = hi;
    return 1;
}

/* The code point at p, of valid UTF-8 above ASCII; *n = its bytes. */
ALLM__INLINE int32_t allm__rx_decode(const uint8_t *p, uint32_t *n) {
    if (p[0] < 0xe0) return *n = 2, (p[0] & 31) << 6 | (p[1] & 63);
    if (p[0] < 0xf0) return *n = 3, (p[0] & 15) << 12 | (p[1] & 63) << 6 | (p[2] & 63);
    return *n = 4, (p[0] & 7) << 18 | (p[1] & 63) << 12 | (p[2] & 63) << 6 | (p[3] & 63);
}

/* Bytes of the character at pos if it is in the set, else 0. */
ALLM__INLINE uint32_t allm__rx_in_set(const allm__rx_run *m, uint32_t pos, int set) {
    uint32_t n;
    if (pos >= m->end) return 0;
    if (m->text[pos] < 128) return (uint32_t)(m->rx->ascii[m->text[pos]] >> set & 1);
    int32_t cp = allm__rx_decode(m->text + pos, &n);
    return m->rx->sets_of[allm__rx_row(m->rx, cp)] >> set & 1 ? n : 0;
}

ALLM__INLINE uint32_t allm__rx_is_char(const allm__rx_run *m, uint32_t pos, int32_t cp) {
    uint32_t n;
    if (pos >= m->end) return 0;
    if (m->text[pos] < 128) return m->text[pos] == cp;
    return allm__rx_decode(m->text + pos, &n) == cp ? n : 0;
}

static uint32_t allm__rx_back_one(const allm__rx_run *m, uint32_t pos) {
    do pos--;
    while ((m->text[pos] & 0xc0) == 0x80);
    return pos;
}

static int allm__rx_is_word(const allm__rx_run *m, uint32_t pos) {
    uint32_t n;
    return allm__uni_is(m->text[pos] < 128 ? m->text[pos] : allm__rx_decode(m->text + pos, &n), ALLM__UNI_WORD);
}

static int allm__rx_check(const allm__rx_run *m, int op, uint32_t pos) {
    int at_begin = pos == m->begin, at_end = pos == m->end;
    switch (op) {
    case ALLM__RX_LINE_BEGIN: return at_begin || (m->text[pos - 1] == '\n' && !at_end);
    case ALLM__RX_LINE_END: return at_end || m->text[pos] == '\n';
    case ALLM__RX_TEXT_BEGIN: return at_begin;
    case ALLM__RX_TEXT_END: return at_end;
    case ALLM__RX_LAST_LINE: return at_end || (pos + 1 == m->end && m->text[pos] == '\n');
    default: {
        int before = !at_begin && allm__rx_is_word(m, allm__rx_back_one(m, pos));
        int after  = !at_end && allm__rx_is_word(m, pos);
        return (before != after) == (op == ALLM__RX_WORD_EDGE);
    }
    }
}

/* Where the run of a set that pos is in or at ends. */
static uint32_t allm__rx_run_end(allm__rx_run *m, const allm__rx_inst *i, uint32_t pos) {
    allm__rx_seen *seen = &m->seen[i->slot];
    uint32_t       at   = pos, n;
    if (pos >= seen->from && pos <= seen->to) return seen->to;
    for (;;) {
        while (at < m->end && m->text[at] < 128 && (m->rx->ascii[m->text[at]] >> i->set & 1) && at != seen->from) at++;
        if (at == seen->from && seen->to > at) return seen->from = pos, seen->to; /* joins the run seen before */
        if (!(n = allm__rx_in_set(m, at, i->set))) break;
        at += n;
    }
    seen->from = pos, seen->to = at, seen->failed = at + 1, m->any_seen = 1;
    return at;
}

/* As many characters of a set as may be; 0: too few, or known to lead nowhere; -1: no memory. */
static int allm__rx_span(allm__rx_run *m, const allm__rx_inst *i, int32_t pc, uint32_t *pos) {
    uint32_t at = *pos, least, to, n_bytes;
    for (int32_t n = 0; n < i->x; n++, at += n_bytes)
        if (!(n_bytes = allm__rx_in_set(m, at, i->set))) return 0;
    least = at;
    if (i->slot < 0) {
        for (int32_t n = i->x; n < i->y && (n_bytes = allm__rx_in_set(m, at, i->set)); n++) at += n_bytes;
        *pos = at;
        return i->flag || at == least || allm__rx_push(m, ALLM__RX_ON_SPAN, pc, at, least, at) ? 1 : -1;
    }
    to = at = allm__rx_run_end(m, i, at);
    if (!i->flag) {
        uint32_t failed = m->seen[i->slot].failed; /* at most to + 1 */
        if (failed <= least) return 0;
        if (failed <= to) at = allm__rx_back_one(m, failed);
        if (!allm__rx_push(m, ALLM__RX_ON_SPAN, pc, at, least, to)) return -1;
    }
    return *pos = at, 1;
}

/* Goes on with the newest choice that is left; 0: none. */
static int allm__rx_retry(allm__rx_run *m, int32_t *pc, uint32_t *pos, size_t *frame) {
    while (m->n_stack) {
        allm__rx_entry      *e = &m->stack[m->n_stack - 1];
        int32_t              at = (int32_t)(e->what >> 2);
        const allm__rx_inst *i  = &m->rx->code[at];
        switch (e->what & 3) {
        case ALLM__RX_ON_CHOICE:
            m->n_stack--;
            return *pc = at, *pos = e->pos, 1;
        case ALLM__RX_ON_SPAN:
            if (e->pos > e->lo) {
                e->pos = allm__rx_back_one(m, e->pos);
                return *pc = at + 1, *pos = e->pos, 1;
            }
            if (i->slot >= 0 && m->seen[i->slot].to == e->hi)
                m->seen[i->slot].failed = ALLM__MIN(m->seen[i->slot].failed, e->lo);
            m->n_stack--;
            break;
        case ALLM__RX_ON_MEMO:
            allm__rx_learn(m, e, 1);
            m->n_stack--;
            break;
        default:
            *frame = e->lo;
            m->n_stack--;
            if (i->op == ALLM__RX_LOOK && i->flag) return *pc = at + i->x, *pos = e->pos, 1;
            break;
        }
    }
    return 0;
}

/* A look's body has matched: leaves its frame. 0: the look was negative. */
static int allm__rx_look_end(allm__rx_run *m, int32_t *pc, uint32_t *pos, size_t *frame) {
    const allm__rx_entry *e = &m->stack[*frame - 1];
    const allm__rx_inst  *i = &m->rx->code[e->what >> 2];
    for (size_t k = *frame; k < m->n_stack; k++) /* what is still open has led here */
        if ((m->stack[k].what & 3) == ALLM__RX_ON_MEMO) allm__rx_learn(m, &m->stack[k], 2);
    m->n_stack = *frame - 1;
    *pc = (int32_t)(e->what >> 2) + i->x, *pos = e->pos, *frame = e->lo;
    return !i->flag;
}

/* Enters a place that remembers. 1: go on; 0: known to fail; 2: known to complete the look it is in; -1: no memory. */
static int allm__rx_recall(allm__rx_run *m, const allm__rx_memo *memo, int32_t i, int32_t pc, uint32_t pos,
                           size_t frame) {
    int known = allm__rx_memo_get(memo, i, pos);
    if (known == 1) return 0;
    if (known == 2 && frame && m->rx->code[m->stack[frame - 1].what >> 2].op == ALLM__RX_LOOK) return 2;
    return allm__rx_push(m, ALLM__RX_ON_MEMO, pc, pos, 0, 0) ? 1 : -1;
}

/* From now on every choice is remembered: there were too many failures in this stretch. 0: no memory. */
static int allm__rx_be_careful(allm__rx_run *m, uint32_t pos) {
    m->n_failures = 0;
    if (m->choices.at || !m->rx->n_choices) return 1;
    return allm__rx_memo_start(m->host, &m->choices, (uint32_t)m->rx->n_choices, pos, m->end - pos);
}

/* One alternative at one position. 1: matches up to *to; 0: does not; -1: no memory. */
static int allm__rx_try(allm__rx_run *m, int32_t pc, uint32_t pos, uint32_t *to) {
    size_t   frame = 0; /* entries below belong to the frames around; its own entry is the last of them */
    uint32_t n, start = pos;
    m->n_stack = 0;
    for (;;) {
        const allm__rx_inst *i  = &m->rx->code[pc];
        int                  ok = 1; /* 0: fails, 2: the look around it succeeds, -1: no memory */
        if (m->choices.at && (i->op == ALLM__RX_SPLIT || i->op == ALLM__RX_SPAN))
            ok = allm__rx_recall(m, &m->choices, i->choice, pc, pos, frame);
        if (ok == 1)
        switch (i->op) {
        case ALLM__RX_MATCH: return *to = pos, 1;
        case ALLM__RX_CHAR:
            ok = (n = allm__rx_is_char(m, pos, i->x)) > 0;
            pos += n, pc++;
            break;
        case ALLM__RX_SET:
            ok = (n = allm__rx_in_set(m, pos, i->set)) > 0;
            pos += n, pc++;
            break;
        case ALLM__RX_SPAN: ok = allm__rx_span(m, i, pc, &pos), pc++; break;
        case ALLM__RX_SPLIT:
            if (i->flag) m->n_stack = frame;
            ok = allm__rx_push(m, ALLM__RX_ON_CHOICE, pc + i->y, pos, 0, 0) ? 1 : -1;
            pc += i->x;
            break;
        case ALLM__RX_JUMP: pc += i->x; break;
        case ALLM__RX_MEMO:
            if (!i->flag) ok = allm__rx_recall(m, &m->loops, i->slot, pc, pos, frame);
            pc++;
            break;
        case ALLM__RX_LOOK_SET: ok = (allm__rx_in_set(m, pos, i->set) > 0) != i->flag, pc++; break;
        case ALLM__RX_LOOK: case ALLM__RX_ATOM:
            ok    = allm__rx_push(m, ALLM__RX_ON_FRAME, pc, pos, (uint32_t)frame, 0) ? 1 : -1;
            frame = m->n_stack, pc++;
            break;
        case ALLM__RX_LOOK_END: ok = allm__rx_look_end(m, &pc, &pos, &frame); break;
        case ALLM__RX_ATOM_END:
            m->n_stack = frame - 1, frame = m->stack[frame - 1].lo, pc++;
            break;
        default: ok = allm__rx_check(m, i->op, pos), pc++; break;
        }
        if (ok == 2) ok = allm__rx_look_end(m, &pc, &pos, &frame);
        if (ok < 0 || (!ok && ++m->n_failures > ALLM__RX_MANY_FAILURES && !allm__rx_be_careful(m, start))) return -1;
        if (!ok && !allm__rx_retry(m, &pc, &pos, &frame)) return 0;
    }
}

/* The alternatives that may match at pos; *n = bytes of the character there. */
static uint32_t allm__rx_may(const allm__rx_run *m, uint32_t pos, uint32_t *n) {
    *n = 1;
    if (pos >= m->end) return m->rx->at_end;
    if (m->text[pos] < 128) return m->rx->ascii_alts[m->text[pos]];
    return m->rx->alts_of[allm__rx_row(m->rx, allm__rx_decode(m->text + pos, n))];
}

/* The first match at or behind `from`. 1: found; 0: none; -1: out of memory, or of the machine's own stack. */
static int allm__rx_find(allm__rx_run *m, uint32_t from, uint32_t *match_from, uint32_t *match_to) {
    const allm__regex *rx = m->rx;
    for (uint32_t pos = from, n;; pos += n) {
        uint32_t may = allm__rx_may(m, pos, &n);
        if (may && m->loops.at) allm__rx_memo_slide(&m->loops, pos);
        if (may && m->choices.at) allm__rx_memo_slide(&m->choices, pos);
        m->n_failures = 0;
        for (int32_t k = 0; may && k < rx->n_alts; k++) {
            if (!(may >> ALLM__MIN(k, ALLM__RX_ALTS - 1) & 1)) continue;
            int r = allm__rx_try(m, rx->alts[k], pos, match_to);
            if (r) return *match_from = pos, r;
        }
        if (pos >= m->end) return 0;
    }
}

/* ---- cutting text: every match and every gap is a piece (Hugging Face: Split, Isolated); an empty match cuts, too */

typedef struct allm__rx_cut {
    allm__rx_run run;
    uint32_t     from;               /* what lies before has been given out */
    uint32_t     scan;               /* where the next match is looked for */
    uint32_t     match_from, match_to; /* a match found behind the gap given out last; equal: none */
} allm__rx_cut;

static int allm__rx_cut_set(allm__rx_cut *c, const char *text, size_t begin, size_t end) {
    c->from = c->scan = (uint32_t)begin, c->match_from = c->match_to = 0;
    return allm__rx_run_set(&c->run, text, begin, end);
}

/* The next piece. 1: [*from, *to), not empty; 0: no more; -1: no memory. */
static int allm__rx_cut_next(allm__rx_cut *c, uint32_t *from, uint32_t *to) {
    uint32_t a = c->match_from, b = c->match_to, end = c->run.end, n;
    int      r = 1;
    c->match_from = c->match_to = 0;
    *from = c->from;
    if (c->from >= end) return 0;
    while (a == b && c->scan <= end && (r = allm__rx_find(&c->run, c->scan, &a, &b)) > 0) {
        c->scan = b;
        if (a != b) break;
        allm__rx_may(&c->run, a, &n);
        c->scan = a + n;
        if (a > c->from && a < end) return *to = c->from = a, 1;
    }
    if (r < 0) return -1;
    if (a == b) return c->scan = end + 1, *to = c->from = end, 1; /* none is left */
    if (a > c->from) c->match_from = a, c->match_to = b, b = a;
    return *to = c->from = b, 1;
}

enum { ALLM__RX_CUTS = 8 };
typedef struct allm__rx_cuts { /* patterns one after the other, each on all pieces of the one before */
    allm__rx_cut cut[ALLM__RX_CUTS];
    int32_t      n, i; /* patterns; the one whose pieces are being given out */
} allm__rx_cuts;

static void allm__rx_cuts_free(allm__rx_cuts *c) {
    for (int32_t i = 0; i < c->n; i++) allm__rx_run_free(&c->cut[i].run);
    c->n = 0;
}

/* 0: no memory. To be freed in any case. n is at most ALLM__RX_CUTS. */
static int allm__rx_cuts_init(allm__rx_cuts *c, const allm__host *h, allm__regex *const *rx, int32_t n) {
    c->n = c->i = 0;
    while (c->n < n)
        if (!allm__rx_run_init(&c->cut[c->n].run, h, rx[c->n])) return 0;
        else c->n++;
    return 1;
}

static int allm__rx_cuts_set(allm__rx_cuts *c, const char *text, size_t begin, size_t end) {
    c->i = 0;
    return allm__rx_cut_set(&c->cut[0], text, begin, end);
}

/* The next piece of all patterns; as allm__rx_cut_next. */
static int allm__rx_cuts_next(allm__rx_cuts *c, uint32_t *from, uint32_t *to) {
    for (;;) {
        int r = allm__rx_cut_next(&c->cut[c->i], from, to);
        if (r < 0 || (r == 0 && c->i == 0)) return r;
        if (r == 0) c->i--;
        else if (c->i == c->n - 1) return 1;
        else if (!allm__rx_cut_set(&c->cut[++c->i], (const char *)c->cut[0].run.text, *from, *to)) return -1;
    }
}

// MARK: >>tok  Tokenizers
/* Owns: text to token ids and back. A tokenizer is made from the metadata of a GGUF file, touches no weights and is
 * immutable afterwards. One row of allm__tok_kinds a kind of model, one row of allm__tok_pres a pre-tokenizer.
 *
 * Encoding: special tokens are cut out first, leftmost and longest; what is left between two of them (a run) is made
 * valid UTF-8 (U+FFFD for each maximal malformed part), normalised, cut into words by patterns, and each word becomes
 * ids. Linear in the text but for a logarithm in the longest word; scratch is allocated a call, not a word.
 *
 * Decoding: the bytes of all pieces, with U+FFFD for what is no UTF-8. Streaming holds back what may yet become a
 * character, so that the parts concatenate to the whole.
 *
 * Ids are those of Hugging Face tokenizers for the model the file was made from, where these and llama.cpp differ. */

enum { ALLM__TOK_SPECIAL = 1, ALLM__TOK_BOS = 2 }; /* encode: match special tokens; add what belongs around a text */

typedef struct allm__span { size_t from, to; } allm__span;

typedef struct allm__ids { /* a growing array; zero it and set host */
    const allm__host *host;
    int32_t          *ptr;
    size_t            len, cap;
    int               failed; /* sticky: out of memory */
} allm__ids;

static void allm__ids_put(allm__ids *a, int32_t id) {
    if (a->len == a->cap && !allm__grow(a->host, (void **)&a->ptr, &a->cap, a->len, a->len + 1, sizeof *a->ptr))
        a->failed = 1;
    if (!a->failed) a->ptr[a->len++] = id;
}

static void allm__ids_free(allm__ids *a) {
    allm__free(a->host, a->ptr, a->cap * sizeof *a->ptr);
    a->ptr = NULL, a->len = a->cap = 0, a->failed = 0;
}

enum { /* as in the file */
    ALLM__TOK_NORMAL = 1, ALLM__TOK_UNKNOWN, ALLM__TOK_CONTROL, ALLM__TOK_USER, ALLM__TOK_UNUSED, ALLM__TOK_BYTE
};

enum { /* bits of allm__tok.attrs */
    ALLM__TOK_A_SPECIAL = 1, /* matched in text only when asked for, left out by skip_special */
    ALLM__TOK_A_ADDED   = 2, /* matched in the text, before it is cut into words */
    ALLM__TOK_A_END     = 4, /* ends an answer */
    ALLM__TOK_A_UTF8    = 8  /* its bytes are whole UTF-8 */
};

typedef struct allm__tok_added { /* a token matched in the text */
    allm_str text;
    int32_t  id;
} allm__tok_added;

typedef struct allm__tok_kind allm__tok_kind;
typedef struct allm__tok {
    const allm__host     *host;
    allm__arena           arena;
    const allm__tok_kind *kind;
    int32_t               n_vocab, bos, eos, eot, eom, unk, pad, sep, mask; /* ids, or -1 */
    int                   add_bos, add_eos;
    size_t                n_hold;  /* bytes held back at most, see allm__tok_next */
    const char           *bytes;   /* of all pieces */
    const uint32_t       *starts;  /* [n_vocab + 1] in bytes */
    uint8_t              *attrs;   /* [n_vocab] */
    const allm__tok_added *added;  /* [n_added] by text */
    uint32_t              added_first[257]; /* [byte] first of those that begin with it */
    /* byte-level BPE */
    allm__regex          *cut[ALLM__RX_CUTS];
    int32_t               n_cuts;
    int                   nfc, whole_words;
    int32_t               byte_id[256]; /* -1: the byte has no token and is dropped */
    int                   drops;        /* some is */
    uint64_t              seed;         /* of the open hashes */
    const uint64_t       *pairs;        /* [n_pairs] open hash: left id, right id, rank, see allm__bpe_rank */
    size_t                n_pairs;      /* a power of two */
    size_t                n_merges;
    const int32_t        *merged;       /* [rank] id of the joined token */
    const int32_t        *words;        /* [n_words] open hash of ids by piece, for whole_words; -1: empty */
    size_t                n_words;
} allm__tok;

enum {
    ALLM__TOK_MAX_VOCAB = 1 << 20, ALLM__TOK_MAX_MERGES = (1 << 24) - 1,
    ALLM__TOK_MAX_ADDED = 512, /* bytes of a token that is looked for in texts */
    ALLM__TOK_HOLD = 56,       /* most bytes held back while decoding; three of them may become U+FFFD each ... */
    ALLM__TOK_LONG = 152       /* ... and together with a piece of this size they fit an allm_detok_state */
};
ALLM__STATIC(detok_fits, 3 * ALLM__TOK_HOLD + ALLM__TOK_LONG <= sizeof(((allm_detok_state *)0)->text));

/* The raw bytes of a token; empty for an id outside the vocabulary. Owned by t. */
static allm_str allm__tok_piece(const allm__tok *t, int32_t id) {
    if (id < 0 || id >= t->n_vocab) return allm__str("", 0);
    size_t pad = t->starts[id + 1] - t->starts[id] > ALLM__TOK_LONG + 3 ? 3 : 0; /* see allm__tok_read_tokens */
    return allm__str(t->bytes + t->starts[id] + pad, t->starts[id + 1] - t->starts[id] - pad);
}

static int allm__tok_has(const allm__tok *t, int32_t id, int attr) {
    return id >= 0 && id < t->n_vocab && (t->attrs[id] & attr) != 0;
}

static int allm__tok_is_end(const allm__tok *t, int32_t id) { return allm__tok_has(t, id, ALLM__TOK_A_END); }
static int allm__tok_is_special(const allm__tok *t, int32_t id) { return allm__tok_has(t, id, ALLM__TOK_A_SPECIAL); }

/* ---- pre-tokenizers: patterns applied one after the other */

#define ALLM__RX_CASES "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define ALLM__RX_SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define ALLM__RX_WORD "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define ALLM__RX_GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define ALLM__RX_CL100K(digits) \
    ALLM__RX_CASES "|" ALLM__RX_WORD "|" digits "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" ALLM__RX_SPACES
#define ALLM__RX_O200K(upper, lower, cases, digits, marks)                                     \
    "[^\\r\\n\\p{L}\\p{N}]?" upper "*" lower "+" cases "|[^\\r\\n\\p{L}\\p{N}]?" upper "+" lower "*" \
    cases "|" digits "| ?[^\\s\\p{L}\\p{N}]+" marks "|" ALLM__RX_SPACES
#define ALLM__RX_UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define ALLM__RX_LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define ALLM__RX_CJK "[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}]+"
#define ALLM__RX_DEEPSEEK \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+" \
    "| ?[\\p{P}\\p{S}]+"
#define ALLM__RX_BLOOM " ?[^(\\s|.,!?\\x{2026}\\x{3002}\\x{FF0C}\\x{3001}\\x{964}\\x{6D4}\\x{60C})]+"
#define ALLM__RX_CHINESE "[\\x{4E00}-\\x{9FA5}\\x{800}-\\x{4E00}\\x{AC00}-\\x{D7FF}]+"
#define ALLM__RX_NO_HAN "&&[^\\p{Han}]]"

enum { ALLM__PRE_BOS = 1, ALLM__PRE_NO_BOS = 2, ALLM__PRE_WHOLE = 4, ALLM__PRE_NFC = 8 };

static const struct allm__tok_pre {
    const char *names;                   /* of tokenizer.ggml.pre, separated by blanks */
    int32_t     flags;                   /* BOS: added by default. NO_BOS: has none. WHOLE: words in the vocabulary are
                                          * not built by merges. NFC: normalised first, as the source models do */
    const char *patterns[ALLM__RX_CUTS]; /* up to the first NULL */
} allm__tok_pres[] = {
    {"default", 0, {"[\\p{P}\\$\\+<=>\\^~\\|]+", ALLM__RX_GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}},
    {"gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert mpt olmo jais exaone4 "
     "trillion granite-docling jina-v1-en jina-v2-code roberta-bpe", 0, {ALLM__RX_GPT2}},
    {"llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano", ALLM__PRE_BOS | ALLM__PRE_WHOLE,
     {ALLM__RX_CL100K("\\p{N}{1,3}")}},
    {"dbrx smaug-bpe", 0, {ALLM__RX_CL100K("\\p{N}{1,3}")}},
    {"chatglm-bpe", ALLM__PRE_NO_BOS, {ALLM__RX_CL100K("\\p{N}{1,3}")}},
    {"glm4 glm5", ALLM__PRE_NO_BOS | ALLM__PRE_WHOLE, {ALLM__RX_CL100K("\\p{N}{1,3}")}},
    {"qwen2 f2llmv2", ALLM__PRE_NFC, {ALLM__RX_CL100K("\\p{N}")}},
    {"deepseek-r1-qwen kormo stablelm2 megrez hunyuan grok-2 solar-open", 0, {ALLM__RX_CL100K("\\p{N}")}},
    {"qwen35", ALLM__PRE_NFC,
     {ALLM__RX_CASES "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|"
      ALLM__RX_SPACES}},
    {"smollm", 0, {"\\p{Number17}", ALLM__RX_GPT2}},
    {"starcoder refact command-r codeshell exaone minerva-7b mellum2", 0, {"\\p{N}", ALLM__RX_GPT2}},
    {"minicpm5", ALLM__PRE_WHOLE, {"\\p{N}{1,3}", ALLM__RX_CL100K("\\p{N}+")}},
    {"falcon", 0, {"[\\p{P}\\$\\+<=>\\^~\\|`]+", ALLM__RX_GPT2, "[0-9][0-9][0-9]"}},
    {"deepseek-llm", 0,
     {"[\\r\\n]",
      "\\s?[A-Za-z\\x{B5}\\x{C0}-\\x{D6}\\x{D8}-\\x{F6}\\x{F8}-\\x{1BA}\\x{1BC}-\\x{1BF}\\x{1C4}-\\x{293}"
      "\\x{295}-\\x{2AF}\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37B}-\\x{37D}\\x{37F}\\x{386}\\x{388}-\\x{38A}"
      "\\x{38C}\\x{38E}-\\x{3A1}\\x{3A3}-\\x{3F5}\\x{3F7}-\\x{481}\\x{48A}-\\x{52F}\\x{531}-\\x{556}\\x{10A0}-"
      "\\x{10C5}\\x{13A0}-\\x{13F5}\\x{13F8}-\\x{13FD}\\x{1C90}-\\x{1CBA}\\x{1CBD}-\\x{1CBF}\\x{1D00}-\\x{1D2B}"
      "\\x{1D6B}-\\x{1D77}\\x{1D79}-\\x{1D9A}\\x{1E00}-\\x{1F15}\\x{1F18}-\\x{1F1D}\\x{1F20}-\\x{1F45}\\x{1F48}-"
      "\\x{1F4D}\\x{1F50}-\\x{1F57}\\x{1F59}\\x{1F5B}\\x{1F5D}\\x{1F5F}-\\x{1F7D}\\x{1F80}-\\x{1FB4}\\x{1FB6}-"
      "\\x{1FBC}\\x{1FBE}\\x{1FC2}-\\x{1FC4}\\x{1FC6}-\\x{1FCC}\\x{1FD0}-\\x{1FD3}\\x{1FD6}-\\x{1FDB}\\x{1FE0}-"
      "\\x{1FEC}\\x{1FF2}-\\x{1FF4}\\x{1FF6}-\\x{1FFC}\\x{2102}\\x{2107}\\x{210A}-\\x{2113}\\x{2115}\\x{2119}-"
      "\\x{211D}\\x{2124}\\x{2126}\\x{2128}\\x{212A}-\\x{212D}\\x{212F}-\\x{2134}\\x{2139}\\x{213C}-\\x{213F}"
      "\\x{2145}-\\x{2149}\\x{214E}\\x{2183}\\x{2184}\\x{2C00}-\\x{2C7B}\\x{2C7E}-\\x{2CE4}\\x{2CEB}-\\x{2CEE}"
      "\\x{2CF2}\\x{2CF3}\\x{A640}-\\x{A66D}\\x{A680}-\\x{A69B}\\x{A722}-\\x{A76F}\\x{A771}-\\x{A787}\\x{A78B}-"
      "\\x{A78E}\\x{AB70}-\\x{ABBF}\\x{FB00}-\\x{FB06}\\x{FB13}-\\x{FB17}\\x{FF21}-\\x{FF3A}\\x{FF41}-\\x{FF5A}"
      "\\x{10400}-\\x{1044F}\\x{104B0}-\\x{104D3}\\x{104D8}-\\x{104FB}\\x{10C80}-\\x{10CB2}\\x{10CC0}-\\x{10CF2}"
      "\\x{118A0}-\\x{118DF}\\x{1E900}-\\x{1E943}]+",
      "\\s?[!-/:-~\\x{FF01}-\\x{FF0F}\\x{FF1A}-\\x{FF5E}\\x{2018}-\\x{201F}\\x{3000}-\\x{3002}]+", "\\s+$",
      ALLM__RX_CHINESE, "\\p{N}+"}},
    {"deepseek-coder", 0, {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", ALLM__RX_CHINESE, "\\p{N}"}},
    {"deepseek-v3 hunyuan-dense hy_v4 joyai-llm", 0,
     {"\\p{N}{1,3}", ALLM__RX_CJK, ALLM__RX_DEEPSEEK "[\\r\\n]*|" ALLM__RX_SPACES}},
    {"spark2_5", 0, {"\\p{N}{1,3}", ALLM__RX_CJK, ALLM__RX_DEEPSEEK "|[\\r\\n]|\\s+(?!\\S)|\\s+", "\\p{N}"}},
    {"tekken", ALLM__PRE_BOS | ALLM__PRE_WHOLE,
     {ALLM__RX_O200K(ALLM__RX_UPPER, ALLM__RX_LOWER, "", "\\p{N}", "[\\r\\n/]*")}},
    {"gpt-4o llama4 kanana2 talkie minimax-m2", 0,
     {ALLM__RX_O200K(ALLM__RX_UPPER, ALLM__RX_LOWER, ALLM__RX_CASES "?", "\\p{N}{1,3}", "[\\r\\n/]*")}},
    {"granite-embed-multi-97m", ALLM__PRE_WHOLE,
     {ALLM__RX_O200K(ALLM__RX_UPPER, ALLM__RX_LOWER, ALLM__RX_CASES "?", "\\p{N}{1,3}", "[\\r\\n/]*")}},
    {"kimi-k2", 0,
     {"[\\p{Han}]+|" ALLM__RX_O200K("[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}" ALLM__RX_NO_HAN,
                                    "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}" ALLM__RX_NO_HAN, ALLM__RX_CASES "?", "\\p{N}{1,3}",
                                    "[\\r\\n]*")}},
    {"youtu", ALLM__PRE_WHOLE,
     {"[\\x{AC00}-\\x{D7A3}\\x{3131}-\\x{318E}]+|[\\x{FF01}\\x{2026}\\x{201C}\\x{201D}\\x{2018}\\x{2019}"
      "\\x{2014}\\x{FF1A}\\x{FF1B}\\x{FF0C}\\x{3001}-\\x{303F}\\x{FE30}-\\x{FE4F}]+|[\\x{3105}-\\x{312F}]+|"
      ALLM__RX_CJK,
      ALLM__RX_O200K(ALLM__RX_UPPER, ALLM__RX_LOWER, ALLM__RX_CASES "?", "\\p{N}", "[\\r\\n/]*")}},
    {"tiny_aya cohere2moe", 0,
     {"\\d{1,3}(?=(?:\\d{3})*\\b)",
      ALLM__RX_O200K(ALLM__RX_UPPER, ALLM__RX_LOWER, ALLM__RX_CASES "?", "\\p{N}{1,3}", "[\\r\\n/]*")}},
    {"superbpe", 0, {"\\p{N}+", "(?=(\\d{3})+(?!\\d))"}},
    {"jais-2", 0,
     {ALLM__RX_CASES "|" ALLM__RX_WORD "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s{512}(?!\\S)|"
      "\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!\\S)|\\s{32}(?!\\S)|\\s{16}(?!\\S)|\\s{8}(?!\\S)|"
      "\\s{4}(?!\\S)|\\s{1,2}(?!\\S)|\\s"}},
    {"poro-chat bloom gpt3-finnish", 0, {ALLM__RX_BLOOM}},
    {"viking", 0, {ALLM__RX_BLOOM, "\\p{N}"}},
    {"exaone-moe", 0,
     {ALLM__RX_CASES "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}|"
      " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}},
    {"chameleon", ALLM__PRE_BOS,
     {"<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", "([\\t\\n]|    |  )", "\\p{N}",
      "[\\p{P}!-/:-@\\[-`{-~]", ALLM__RX_GPT2}},
    {"bailingmoe bailingmoe2 llada-moe", 0,
     {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|"
      "\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}},
    {"seed-coder", 0,
     {ALLM__RX_CASES "|" ALLM__RX_WORD "|\\p{N}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" ALLM__RX_SPACES}},
    {"ufakzeka", 0,
     {ALLM__RX_WORD "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" ALLM__RX_SPACES}},
    {"afmoe", 0,
     {"\\p{N}{1,3}(?=(?:\\p{N}{3})*(?!\\p{N}))",
      "[\\x{4E00}-\\x{9FFF}\\x{3400}-\\x{4DBF}\\x{8C48}-\\x{FAFF}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}"
      "\\x{FF65}-\\x{FF9F}\\x{2F00}-\\x{2FDF}\\x{E40}-\\x{E7F}\\x{E80}-\\x{EFF}\\x{1780}-\\x{17FF}\\x{1000}-"
      "\\x{109F}\\x{AA60}-\\x{AA7F}\\x{A9E0}-\\x{A9FF}\\x{AC00}-\\x{D7AF}\\x{1100}-\\x{11FF}]+",
      ALLM__RX_DEEPSEEK "[\\r\\n]*|" ALLM__RX_SPACES}},
    {"laguna", 0, {"[^\\n]+|[\\n]+", ALLM__RX_CL100K("\\p{N}")}},
};

/* Does the list of names, separated by blanks, hold this one? */
static int allm__tok_named(const char *names, allm_str name) {
    while (*names) {
        size_t n = strcspn(names, " ");
        if (allm__str_eq(name, allm__str(names, n))) return 1;
        names += n + (names[n] == ' ');
    }
    return 0;
}

/* ---- the byte alphabet: GPT-2 writes bytes as printable characters, those that are none as U+0100 and on */

static int32_t allm__tok_letter(int b) {
    if ((b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae) return b;
    return b <= 0x20 ? 0x100 + b : b <= 0xa0 ? 0x121 + (b - 0x7f) : 0x143;
}

/* The byte a character stands for, or -1. */
static int allm__tok_letter_byte(int32_t cp) {
    if (cp < 0x100) return (cp >= 0x21 && cp <= 0x7e) || (cp >= 0xa1 && cp <= 0xac) || cp >= 0xae ? (int)cp : -1;
    return cp <= 0x120 ? cp - 0x100 : cp <= 0x142 ? cp - 0x121 + 0x7f : cp == 0x143 ? 0xad : -1;
}

/* The bytes of a token of the file: by the alphabet if all its characters are of it, else as they are. dst: [text.len];
 * returns how many. */
static size_t allm__tok_unmap(allm_str text, char *dst) {
    size_t  n = 0;
    int32_t cp;
    for (size_t i = 0; i < text.len;) {
        i += allm__utf8_next(text.ptr + i, text.len - i, &cp);
        int b = cp < 0 ? -1 : allm__tok_letter_byte(cp);
        if (b < 0) return memcpy(dst, text.ptr, text.len), text.len;
        dst[n++] = (char)b;
    }
    return n;
}

/* ---- loading: the vocabulary */

typedef struct allm__tok_load { /* what is needed while loading */
    allm__tok           *t;
    const allm__gguf    *g;
    const allm__gguf_kv *tokens, *types, *scores; /* types, scores: NULL if absent */
    allm__map            by_text; /* token of the file to id; the last of equal ones */
    const struct allm__tok_pre *pre;
    allm_error          *err;
} allm__tok_load;

enum { ALLM__TOK_PREFIX = sizeof "tokenizer.ggml." - 1 };

/* A token id: absent, or outside the vocabulary (said in the log): `fallback`, if that is inside, else -1. */
static allm_status allm__tok_read_id(allm__tok_load *l, const char *key, int32_t fallback, int32_t *out) {
    int64_t id;
    *out = fallback < l->t->n_vocab ? fallback : -1;
    if (!allm__gguf_find(l->g, allm__str_of(key))) return ALLM_OK;
    if (allm__gguf_get_int(l->g, key, INT64_MIN + 1, INT64_MAX, 0, &id, l->err)) return l->err->status;
    if (id >= 0 && id < l->t->n_vocab) *out = (int32_t)id;
    else
        allm__log(l->t->host, ALLM_LOG_WARN, "%s: %s is %lld, outside the vocabulary of %d: ignored",
                  l->g->files[0].name, key, (long long)id, (int)l->t->n_vocab);
    return ALLM_OK;
}

static int64_t allm__tok_type_of(const allm__tok_load *l, int32_t id) {
    int64_t type = ALLM__TOK_NORMAL;
    int     big;
    if (l->types) allm__gguf_elem_int(l->types, (uint64_t)id, &type, &big);
    return type;
}

/* An array that goes with the tokens, one element each, if it is there. */
static allm_status allm__tok_find_array(allm__tok_load *l, const char *key, const char *sorts,
                                        const allm__gguf_kv **out) {
    if (allm__gguf_get_array(l->g, key, sorts, 0, out, l->err)) return l->err->status;
    if (*out && (*out)->n != l->tokens->n)
        return allm__gguf_fail(l->g, key, *out, l->err, "has %llu elements, but there are %llu tokens",
                               (unsigned long long)(*out)->n, (unsigned long long)l->tokens->n);
    return ALLM_OK;
}

/* tokens, token_type and scores: sizes and kinds of arrays. */
static allm_status allm__tok_find_tokens(allm__tok_load *l) {
    const char *key = "tokenizer.ggml.tokens";
    if (allm__gguf_get_array(l->g, key, "s", 1, &l->tokens, l->err)) return l->err->status;
    if (l->tokens->n == 0) return allm__gguf_fail(l->g, key, l->tokens, l->err, "is empty");
    if (l->tokens->n > ALLM__TOK_MAX_VOCAB)
        return allm__gguf_fail(l->g, key, l->tokens, l->err, "has %llu tokens, at most %d are supported",
                               (unsigned long long)l->tokens->n, (int)ALLM__TOK_MAX_VOCAB);
    if (allm__tok_find_array(l, "tokenizer.ggml.token_type", "ui", &l->types) ||
        allm__tok_find_array(l, "tokenizer.ggml.scores", "f", &l->scores))
        return l->err->status;
    l->t->n_vocab = (int32_t)l->tokens->n, l->t->n_hold = ALLM__TOK_HOLD;
    return ALLM_OK;
}

/* Bytes of the text that s becomes with U+FFFD for each maximal malformed part. */
static size_t allm__tok_repaired(allm_str s) {
    int32_t cp = 0;
    size_t  n_out = 0;
    for (size_t i = 0, n; i < s.len; i += n) {
        n = allm__utf8_next(s.ptr + i, s.len - i, &cp);
        n_out += cp < 0 ? 3 : n;
    }
    return n_out;
}

/* Pieces and attributes. A long piece has U+FFFD in front of it, hidden: what a broken tail before it becomes, see
 * allm__tok_next. A long one that is not UTF-8 itself would not fit there; only a hostile file has such. */
static allm_status allm__tok_read_tokens(allm__tok_load *l) {
    allm__tok      *t = l->t;
    allm__gguf_iter it = allm__gguf_strs(l->tokens);
    allm_str        s;
    size_t          n_bytes = 0, n = (size_t)t->n_vocab;
    while (allm__gguf_strs_next(&it, &s)) n_bytes += s.len + 3; /* both are bounded by the file */
    if (n_bytes > UINT32_MAX)
        return allm__gguf_fail(l->g, "tokenizer.ggml.tokens", l->tokens, l->err, "is larger than 4 GiB");
    char     *bytes  = (char *)allm__arena_alloc(&t->arena, n_bytes, 1), *p = bytes;
    uint32_t *starts = (uint32_t *)allm__arena_array(&t->arena, n + 1, sizeof *starts, sizeof *starts);
    t->attrs         = (uint8_t *)allm__arena_array(&t->arena, n, 1, 1);
    if (!bytes || !starts || !t->attrs || !allm__map_reserve(&l->by_text, n))
        return allm__fail_memory(l->err, n_bytes + n * sizeof(allm__slot));
    it = allm__gguf_strs(l->tokens);
    for (int32_t id = 0; allm__gguf_strs_next(&it, &s); id++) {
        int64_t type = allm__tok_type_of(l, id);
        size_t  len  = allm__tok_unmap(s, p);
        int     whole = allm__utf8_bad(allm__str(p, len)) == SIZE_MAX;
        if (!whole && allm__tok_repaired(allm__str(p, len)) > ALLM__TOK_LONG)
            return allm__gguf_fail(l->g, "tokenizer.ggml.tokens", l->tokens, l->err,
                                   "[%d] has %llu bytes that are not UTF-8, at most %d are supported", (int)id,
                                   (unsigned long long)len, (int)ALLM__TOK_LONG);
        if (len > ALLM__TOK_LONG) memmove(p + 3, p, len), memcpy(p, "\xEF\xBF\xBD", 3), len += 3, t->n_hold = 0;
        p += len, starts[id + 1] = (uint32_t)(p - bytes);
        int special = type == ALLM__TOK_CONTROL || type == ALLM__TOK_UNKNOWN;
        if (special) t->attrs[id] |= ALLM__TOK_A_SPECIAL;
        if (special || type == ALLM__TOK_USER) t->attrs[id] |= ALLM__TOK_A_ADDED;
        if (whole) t->attrs[id] |= ALLM__TOK_A_UTF8;
        if (s.len) allm__map_put(&l->by_text, s, id, NULL); /* room was made */
    }
    t->bytes = bytes, t->starts = starts;
    return ALLM_OK;
}

/* ---- loading: ids with a meaning */

static const char *const allm__tok_end_texts[] = { /* the first 11 are also guesses for end of turn, in this order */
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>", "<EOT>", "_<EOT>",
    "[EOT]", "<\xEF\xBD\x9C\x65nd\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>", "<end_of_utterance>",
    "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "</s>", "<|eom_id|>", "[EOS]", "<eos>", "<turn|>",
    "<|tool_response>", "[e~[",
};
enum { ALLM__TOK_EOT_GUESSES = 11 };

static int32_t allm__tok_by_text(const allm__tok_load *l, const char *text) {
    return allm__map_get(&l->by_text, allm__str_of(text));
}

/* Marks every token with one of these texts as an end; equal ones may be there several times. */
static void allm__tok_mark_texts(allm__tok_load *l) {
    allm__gguf_iter it = allm__gguf_strs(l->tokens);
    allm_str        s;
    for (int32_t id = 0; allm__gguf_strs_next(&it, &s); id++) {
        if (s.len < 4 || s.len > 32 || !strchr("<_[", s.ptr[0])) continue;
        for (size_t i = 0; i < ALLM__COUNT(allm__tok_end_texts); i++)
            if (allm__str_eq(s, allm__str_of(allm__tok_end_texts[i]))) l->t->attrs[id] |= ALLM__TOK_A_END;
    }
}

/* Takes a text out of the end set again. */
static void allm__tok_unmark(allm__tok_load *l, const char *text) {
    allm__gguf_iter it = allm__gguf_strs(l->tokens);
    allm_str        s;
    for (int32_t id = 0; allm__gguf_strs_next(&it, &s); id++)
        if (allm__str_eq(s, allm__str_of(text))) l->t->attrs[id] &= (uint8_t)~ALLM__TOK_A_END;
}

/* The end set: the union of keys and texts, then the exceptions; what ends an answer counts as special. */
static allm_status allm__tok_read_ends(allm__tok_load *l) {
    static const char *const keys[] = {"tokenizer.ggml.fim_pad_token_id", "tokenizer.ggml.fim_rep_token_id",
                                       "tokenizer.ggml.fim_sep_token_id"};
    allm__tok *t = l->t;
    int32_t    ids[3 + ALLM__COUNT(keys)], eot = -1, n = 0;
    for (size_t i = 0; i < ALLM__TOK_EOT_GUESSES && eot < 0; i++) eot = allm__tok_by_text(l, allm__tok_end_texts[i]);
    if (allm__tok_read_id(l, "tokenizer.ggml.eot_token_id", eot, &t->eot) ||
        allm__tok_read_id(l, "tokenizer.ggml.eom_token_id", allm__tok_by_text(l, "<|eom_id|>"), &t->eom))
        return l->err->status;
    ids[n++] = t->eos, ids[n++] = t->eot, ids[n++] = t->eom;
    for (size_t i = 0; i < ALLM__COUNT(keys); i++)
        if (allm__tok_read_id(l, keys[i], -1, &ids[n++])) return l->err->status;
    allm__tok_mark_texts(l);
    while (n > 0)
        if (ids[--n] >= 0) t->attrs[ids[n]] |= ALLM__TOK_A_END;
    int has_return = allm__tok_by_text(l, "<|return|>") >= 0 && allm__tok_by_text(l, "<|call|>") >= 0;
    int has_calls  = allm__tok_by_text(l, "<|calls|>") >= 0 && allm__tok_by_text(l, "<|flush|>") >= 0;
    int is_word    = allm__tok_by_text(l, "<|tool_response>") >= 0 || allm__tok_by_text(l, "<|plamo:eos|>") >= 0;
    if (has_return || has_calls) allm__tok_unmark(l, "<|end|>");
    if (is_word) allm__tok_unmark(l, "</s>");
    for (int32_t id = 0; id < t->n_vocab; id++)
        if (t->attrs[id] & ALLM__TOK_A_END) t->attrs[id] |= ALLM__TOK_A_SPECIAL | ALLM__TOK_A_ADDED;
    return ALLM_OK;
}

/* bos, eos ... with the defaults of the kind of model. */
static allm_status allm__tok_read_ids(allm__tok_load *l, int32_t bos, int32_t eos, int add_bos) {
    allm__tok *t = l->t;
    if (allm__tok_read_id(l, "tokenizer.ggml.bos_token_id", bos, &t->bos) ||
        allm__tok_read_id(l, "tokenizer.ggml.eos_token_id", eos, &t->eos) ||
        allm__tok_read_id(l, "tokenizer.ggml.unknown_token_id", -1, &t->unk) ||
        allm__tok_read_id(l, "tokenizer.ggml.padding_token_id", -1, &t->pad) ||
        allm__tok_read_id(l, "tokenizer.ggml.seperator_token_id", -1, &t->sep) || /* spelled so */
        allm__tok_read_id(l, "tokenizer.ggml.mask_token_id", -1, &t->mask) ||
        allm__gguf_get_bool(l->g, "tokenizer.ggml.add_bos_token", add_bos, &t->add_bos, l->err) ||
        allm__gguf_get_bool(l->g, "tokenizer.ggml.add_eos_token", 0, &t->add_eos, l->err))
        return l->err->status;
    return allm__tok_read_ends(l);
}

/* ---- added tokens: sorted by text, so that those with a common beginning stand together */

static int allm__tok_added_cmp(const allm__tok_added *a, const allm__tok_added *b) {
    int c = allm__str_cmp(a->text, b->text);
    return c ? c : (a->id > b->id) - (a->id < b->id);
}

static void allm__tok_added_sort(allm__tok_added *v, size_t n) { /* heapsort: in place, no recursion, no bad case */
    for (size_t start = n / 2, end = n; end > 1;) {
        allm__tok_added x;
        if (start > 0) x = v[--start];
        else x = v[--end], v[end] = v[0];
        size_t root = start;
        for (size_t child; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && allm__tok_added_cmp(&v[child + 1], &v[child]) > 0) child++;
            if (allm__tok_added_cmp(&v[child], &x) <= 0) break;
            v[root] = v[child];
        }
        v[root] = x;
    }
}

static allm_status allm__tok_read_added(allm__tok_load *l) {
    allm__tok      *t = l->t;
    allm__gguf_iter it = allm__gguf_strs(l->tokens);
    allm_str        s;
    size_t          n = 0, n_kept = 0;
    for (int32_t id = 0; id < t->n_vocab; id++) n += (t->attrs[id] & ALLM__TOK_A_ADDED) != 0;
    allm__tok_added *v = (allm__tok_added *)allm__arena_array(&t->arena, n, sizeof *v, sizeof(void *));
    if (!v) return allm__fail_memory(l->err, n * sizeof *v);
    n = 0;
    for (int32_t id = 0; allm__gguf_strs_next(&it, &s); id++) {
        if (!(t->attrs[id] & ALLM__TOK_A_ADDED) || !s.len) continue;
        if (s.len > ALLM__TOK_MAX_ADDED) { /* bounds the work at each byte of a text */
            allm__log(t->host, ALLM_LOG_WARN, "%s: token %d of %llu bytes is not looked for in texts, at most %d are",
                      l->g->files[0].name, (int)id, (unsigned long long)s.len, (int)ALLM__TOK_MAX_ADDED);
            continue;
        }
        allm_str piece = allm__tok_piece(t, id);
        v[n].text = piece, v[n].id = id;
        if (!allm__str_eq(piece, s)) v[n].text = allm__str(allm__arena_copy(&t->arena, s.ptr, s.len), s.len);
        if (!v[n++].text.ptr) return allm__fail_memory(l->err, s.len);
    }
    allm__tok_added_sort(v, n);
    for (size_t i = 0; i < n; i++) /* of equal texts the last id counts */
        if (i + 1 == n || !allm__str_eq(v[i].text, v[i + 1].text)) v[n_kept++] = v[i];
    for (size_t i = 0, b = 0; b <= 256; b++) {
        while (i < n_kept && (unsigned char)v[i].text.ptr[0] < b) i++;
        t->added_first[b] = (uint32_t)i;
    }
    t->added = v;
    return ALLM_OK;
}

/* The longest added token that text begins with, of at most `most` bytes; NULL: none. text is not empty. */
static const allm__tok_added *allm__tok_match(const allm__tok *t, allm_str text, size_t most) {
    const allm__tok_added *best = NULL;
    const uint32_t        *first = &t->added_first[(unsigned char)text.ptr[0]];
    size_t                 lo = first[0], hi = first[1];
    for (size_t n = 1; lo < hi; n++) { /* [lo, hi) have the first n bytes in common with text */
        if (t->added[lo].text.len == n) {
            if (n <= most) best = &t->added[lo];
            lo++; /* a text stands before those that go on from it */
        }
        if (n >= text.len || n >= most) break;
        unsigned c = (unsigned char)text.ptr[n];
        for (size_t a = lo, b = hi; a < b;) { /* narrow both ends to those with c next */
            size_t mid = a + (b - a) / 2;
            if ((unsigned char)t->added[mid].text.ptr[n] < c) a = lo = mid + 1;
            else b = mid;
        }
        for (size_t a = lo, b = hi; a < b;) {
            size_t mid = a + (b - a) / 2;
            if ((unsigned char)t->added[mid].text.ptr[n] <= c) a = mid + 1;
            else b = hi = mid;
        }
    }
    return best;
}

/* ---- encoding: what all kinds share */

#define ALLM__BPE_NONE UINT32_MAX

/* A long word is a linked list of nodes. Those whose pair with the next one has some rank are in the bucket of that
 * rank, a list too, and a heap has the ranks of buckets in use. So all merges of one rank are done in one pass from
 * left to right, in memory that lies in order. A bucket is complete when its pass begins: what the pass makes contains
 * the pair and so is longer than either half, and cannot become one. */
typedef struct allm__bpe_node {
    int32_t  id;
    uint32_t rank;          /* of the pair with the next node; ALLM__BPE_NONE: none, or the node is gone */
    uint32_t prev, next;    /* in the word; places, or ALLM__BPE_NONE */
    uint32_t before, after; /* in the bucket */
} allm__bpe_node;

typedef struct allm__bpe_bucket {
    uint32_t first, last; /* ALLM__BPE_NONE: empty */
    uint8_t  queued, unsorted;
} allm__bpe_bucket;

typedef struct allm__bpe_long { /* scratch of a call */
    allm__bpe_node   *nodes;
    size_t            cap_nodes;
    allm__bpe_bucket *buckets; /* [n_merges] empty between words */
    uint32_t         *queue;   /* [n_merges] heap of ranks */
    size_t            n_queue;
} allm__bpe_long;

typedef struct allm__tok_job { /* scratch of one call */
    const allm__tok  *t;
    const allm__host *host;
    allm__ids        *out;
    allm__buf         clean, normal; /* a run made valid, a run in normal form */
    allm__buf         kept;          /* a long word without bytes that have no token */
    allm__rx_cuts     cuts;
    allm__bpe_long    bpe;
    allm__ids         window[2]; /* see allm__bpe_windows */
    int               failed; /* out of memory */
} allm__tok_job;

struct allm__tok_kind {
    const char *name, *what; /* tokenizer.ggml.model; for messages */
    allm_status (*open)(allm__tok_load *l); /* NULL: not built */
    void (*encode)(allm__tok_job *j, allm_str run); /* valid UTF-8, not empty */
};

/* Copies s with U+FFFD for each maximal malformed part. */
static void allm__tok_repair(allm_str s, allm__buf *out) {
    int32_t cp = 0;
    for (size_t i = 0, n; i < s.len; i += n) {
        n = allm__utf8_next(s.ptr + i, s.len - i, &cp);
        if (cp < 0) allm__buf_put(out, "\xEF\xBF\xBD", 3);
        else allm__buf_put(out, s.ptr + i, n);
    }
}

/* ---- canonical composition (NFC) of valid UTF-8. A character that is stable and what follows it up to the next stable
 * one are decomposed, ordered and composed by themselves; all else is copied */

enum { ALLM__NFC_CP = 0x1fffff }; /* an element is the code point, and the combining class above it */

typedef struct allm__nfc {
    const allm__host *host;
    uint32_t         *v;
    size_t            n, cap;
    int               failed;
} allm__nfc;

static void allm__nfc_put(allm__nfc *s, int32_t cp) { /* its full decomposition */
    int32_t todo[8], step[2]; /* decompositions are at most four deep */
    int     n = 0;
    todo[n++] = cp;
    while (n) {
        int32_t c = todo[--n];
        int     k = allm__uni_decompose(c, step);
        if (k == 2) todo[n++] = step[1];
        if (k) todo[n++] = step[0];
        else if (!s->failed && allm__grow(s->host, (void **)&s->v, &s->cap, s->n, s->n + 1, sizeof *s->v))
            s->v[s->n++] = (uint32_t)c | (uint32_t)allm__uni_ccc_of(c) << 21;
        else s->failed = 1;
    }
}

/* Stable sort of v[from, to) by class: counts, then places; the room behind n is used. */
static void allm__nfc_order(allm__nfc *s, size_t from, size_t to) {
    size_t count[257] = {0}, sorted = 1;
    for (size_t i = from + 1; i < to; i++) sorted &= s->v[i - 1] >> 21 <= s->v[i] >> 21;
    if (sorted) return;
    if (!allm__grow(s->host, (void **)&s->v, &s->cap, s->n, s->n + (to - from), sizeof *s->v)) {
        s->failed = 1;
        return;
    }
    uint32_t *out = s->v + s->n;
    for (size_t i = from; i < to; i++) count[(s->v[i] >> 21) + 1]++;
    for (int c = 0; c < 256; c++) count[c + 1] += count[c];
    for (size_t i = from; i < to; i++) out[count[s->v[i] >> 21]++] = s->v[i];
    memcpy(s->v + from, out, (to - from) * sizeof *out);
}

/* Orders marks, composes, and appends the text to out. */
static void allm__nfc_flush(allm__nfc *s, allm__buf *out) {
    size_t n = 0, starter = SIZE_MAX;
    for (size_t i = 0, k; i < s->n; i = k + 1) {
        for (k = i; k < s->n && s->v[k] >> 21; k++) {}
        allm__nfc_order(s, i, k);
    }
    if (s->failed) return;
    for (size_t i = 0; i < s->n; i++) {
        uint32_t ccc = s->v[i] >> 21;
        int      adjacent = starter + 1 == n, blocked = starter == SIZE_MAX || (!adjacent && s->v[n - 1] >> 21 >= ccc);
        int32_t  both = blocked ? -1 : allm__uni_compose((int32_t)s->v[starter], (int32_t)(s->v[i] & ALLM__NFC_CP));
        if (both >= 0) s->v[starter] = (uint32_t)both;
        else {
            if (ccc == 0) starter = n;
            s->v[n++] = s->v[i];
        }
    }
    for (size_t i = 0; i < n; i++) allm__buf_put_cp(out, (int32_t)(s->v[i] & ALLM__NFC_CP));
    s->n = 0;
}

/* The first place whose character is not stable, or s.len. */
static size_t allm__nfc_stable(allm_str s, size_t from) {
    for (size_t i = from; i < s.len;) {
        int32_t cp;
        if ((unsigned char)s.ptr[i] < 0x80) { i++; continue; }
        size_t n = allm__utf8_next(s.ptr + i, s.len - i, &cp);
        if (cp >= 0x300 && allm__uni_is(cp, ALLM__UNI_NORMAL)) return i; /* none below */
        i += n;
    }
    return s.len;
}

/* Appends the normal form of valid UTF-8 to out. 0: no memory. */
static int allm__nfc_run(const allm__host *h, allm_str s, allm__buf *out) {
    allm__nfc work = {0};
    work.host      = h;
    for (size_t i = 0; i < s.len && !work.failed;) {
        size_t at = allm__nfc_stable(s, i), n;
        while (at < s.len && at > i && ((unsigned char)s.ptr[--at] & 0xc0) == 0x80) {} /* with the one before */
        allm__buf_put(out, s.ptr + i, at - i);
        for (i = at; i < s.len; i += n) {
            int32_t cp;
            n = allm__utf8_next(s.ptr + i, s.len - i, &cp);
            if (i > at && (cp < 0x300 || !allm__uni_is(cp, ALLM__UNI_NORMAL))) break;
            allm__nfc_put(&work, cp);
        }
        allm__nfc_flush(&work, out);
    }
    allm__free(h, work.v, work.cap * sizeof *work.v);
    return !work.failed && !out->failed;
}

/* ---- byte-level BPE */

enum { ALLM__BPE_SHORT = 128 }; /* bytes of a word that is merged by scanning for the best pair */
#define ALLM__BPE_EMPTY UINT64_MAX /* no pair: ids have 20 bits and ranks stay below 2^24 - 1 */

ALLM__INLINE size_t allm__bpe_slot(const allm__tok *t, uint64_t pair) {
    return allm__hash_int(t->seed, pair) & (t->n_pairs - 1);
}

/* The rank of merging two tokens, or ALLM__BPE_NONE. */
ALLM__INLINE uint32_t allm__bpe_rank(const allm__tok *t, int32_t left, int32_t right) {
    uint64_t pair = (uint64_t)(uint32_t)left << 20 | (uint32_t)right;
    for (size_t i = allm__bpe_slot(t, pair);; i = (i + 1) & (t->n_pairs - 1)) {
        uint64_t e = t->pairs[i];
        if (e >> 24 == pair) return (uint32_t)e & 0xffffff;
        if (e == ALLM__BPE_EMPTY) return ALLM__BPE_NONE;
    }
}

/* Merges in a word of at most ALLM__BPE_SHORT bytes: the lowest rank first, the leftmost of equals. */
static void allm__bpe_short(allm__tok_job *j, const uint8_t *p, uint32_t n_bytes) {
    const allm__tok *t = j->t;
    int32_t          id[ALLM__BPE_SHORT];
    uint32_t         rank[ALLM__BPE_SHORT], n = 0;
    for (uint32_t i = 0; i < n_bytes; i++)
        if (t->byte_id[p[i]] >= 0) id[n++] = t->byte_id[p[i]];
    for (uint32_t i = 0; i + 1 < n; i++) rank[i] = allm__bpe_rank(t, id[i], id[i + 1]);
    while (n > 1) {
        uint32_t best = 0;
        for (uint32_t i = 1; i + 1 < n; i++)
            if (rank[i] < rank[best]) best = i;
        if (rank[best] == ALLM__BPE_NONE) break;
        id[best] = t->merged[rank[best]];
        n--;
        for (uint32_t i = best + 1; i < n; i++) id[i] = id[i + 1], rank[i] = rank[i + 1];
        if (best > 0) rank[best - 1] = allm__bpe_rank(t, id[best - 1], id[best]);
        rank[best] = best + 1 < n ? allm__bpe_rank(t, id[best], id[best + 1]) : ALLM__BPE_NONE;
    }
    for (uint32_t i = 0; i < n; i++) allm__ids_put(j->out, id[i]);
}

static void allm__bpe_long_free(allm__bpe_long *w, const allm__host *h, size_t n_merges) {
    allm__free(h, w->nodes, w->cap_nodes * sizeof *w->nodes);
    allm__free(h, w->buckets, n_merges * sizeof *w->buckets);
    allm__free(h, w->queue, n_merges * sizeof *w->queue);
    memset(w, 0, sizeof *w);
}

/* 0: no memory. */
static int allm__bpe_long_room(allm__bpe_long *w, const allm__host *h, size_t n_merges, size_t n_nodes) {
    static const allm__bpe_bucket empty = {ALLM__BPE_NONE, ALLM__BPE_NONE, 0, 0};
    if (!allm__grow(h, (void **)&w->nodes, &w->cap_nodes, 0, n_nodes, sizeof *w->nodes)) return 0;
    if (w->queue) return 1;
    w->buckets = (allm__bpe_bucket *)allm__alloc(h, n_merges * sizeof *w->buckets, sizeof(uint32_t));
    w->queue   = w->buckets ? (uint32_t *)allm__alloc(h, n_merges * sizeof *w->queue, sizeof(uint32_t)) : NULL;
    if (!w->queue) { /* both or none */
        allm__free(h, w->buckets, n_merges * sizeof *w->buckets);
        w->buckets = NULL;
        return 0;
    }
    for (size_t i = 0; i < n_merges; i++) w->buckets[i] = empty;
    return 1;
}

static void allm__bpe_queue(allm__bpe_long *w, uint32_t rank) {
    size_t i = w->n_queue++;
    for (; i > 0 && w->queue[(i - 1) / 2] > rank; i = (i - 1) / 2) w->queue[i] = w->queue[(i - 1) / 2];
    w->queue[i] = rank;
}

static void allm__bpe_unqueue(allm__bpe_long *w) { /* the lowest */
    uint32_t x = w->queue[--w->n_queue];
    size_t   i = 0, n = w->n_queue;
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        child += child + 1 < n && w->queue[child + 1] < w->queue[child];
        if (w->queue[child] >= x) break;
        w->queue[i] = w->queue[child];
    }
    w->queue[i] = x;
}

/* Takes a node out of its bucket. */
static void allm__bpe_unlink(allm__bpe_long *w, uint32_t i) {
    allm__bpe_node *p = &w->nodes[i];
    if (p->rank == ALLM__BPE_NONE) return;
    allm__bpe_bucket *b = &w->buckets[p->rank];
    *(p->before == ALLM__BPE_NONE ? &b->first : &w->nodes[p->before].after) = p->after;
    *(p->after == ALLM__BPE_NONE ? &b->last : &w->nodes[p->after].before)   = p->before;
    p->rank = ALLM__BPE_NONE;
}

/* Ranks the pair at a node that is in no bucket, and puts it into one. */
static void allm__bpe_link(allm__bpe_long *w, const allm__tok *t, uint32_t i) {
    allm__bpe_node *p = &w->nodes[i];
    p->rank           = p->next == ALLM__BPE_NONE ? ALLM__BPE_NONE : allm__bpe_rank(t, p->id, w->nodes[p->next].id);
    if (p->rank == ALLM__BPE_NONE) return;
    allm__bpe_bucket *b = &w->buckets[p->rank];
    p->before = b->last, p->after = ALLM__BPE_NONE;
    if (b->last == ALLM__BPE_NONE) b->first = i;
    else w->nodes[b->last].after = i, b->unsorted |= b->last > i;
    b->last = i;
    if (!b->queued) b->queued = 1, allm__bpe_queue(w, p->rank);
}

/* Two ascending lists by `after` into one. */
static uint32_t allm__bpe_join(allm__bpe_node *v, uint32_t a, uint32_t b) {
    uint32_t first = ALLM__MIN(a, b), *end = &first; /* ALLM__BPE_NONE is above all */
    while (a != ALLM__BPE_NONE && b != ALLM__BPE_NONE) {
        uint32_t *from = a < b ? &a : &b, i = *from;
        *end = i, end = &v[i].after, *from = v[i].after;
    }
    *end = ALLM__MIN(a, b);
    return first;
}

/* Merge sort of a bucket by place; bins[k] is made of 2^k ascending runs. */
static void allm__bpe_sort(allm__bpe_node *v, allm__bpe_bucket *b) {
    uint32_t bins[33], run, rest, last = ALLM__BPE_NONE;
    for (int k = 0; k < 33; k++) bins[k] = ALLM__BPE_NONE;
    for (run = b->first; run != ALLM__BPE_NONE; run = rest) {
        uint32_t end = run;
        while (v[end].after != ALLM__BPE_NONE && v[end].after > end) end = v[end].after;
        rest = v[end].after, v[end].after = ALLM__BPE_NONE;
        int k = 0;
        for (; bins[k] != ALLM__BPE_NONE; k++) run = allm__bpe_join(v, bins[k], run), bins[k] = ALLM__BPE_NONE;
        bins[k] = run;
    }
    for (int k = 0; k < 33; k++) run = allm__bpe_join(v, bins[k], run);
    b->first = run, b->unsorted = 0;
    for (; run != ALLM__BPE_NONE; last = run, run = v[run].after) v[run].before = last;
    b->last = last;
}

/* Joins a node with its next. */
static void allm__bpe_merge(allm__bpe_long *w, const allm__tok *t, uint32_t i) {
    allm__bpe_node *p = &w->nodes[i];
    uint32_t        gone = p->next, prev = p->prev;
    int32_t         id = t->merged[p->rank];
    allm__bpe_unlink(w, i);
    allm__bpe_unlink(w, gone);
    if (prev != ALLM__BPE_NONE) allm__bpe_unlink(w, prev);
    p->id = id, p->next = w->nodes[gone].next;
    if (p->next != ALLM__BPE_NONE) w->nodes[p->next].prev = i;
    if (prev != ALLM__BPE_NONE) allm__bpe_link(w, t, prev);
    allm__bpe_link(w, t, i);
}

/* Appends the ids of a word, or of a window of it. */
static void allm__bpe_encode_long(allm__tok_job *j, const uint8_t *p, uint32_t n_bytes, allm__ids *out) {
    const allm__tok *t = j->t;
    allm__bpe_long  *w = &j->bpe;
    uint32_t         n = 0;
    if (!allm__bpe_long_room(w, j->host, t->n_merges, n_bytes)) {
        j->failed = 1;
        return;
    }
    for (uint32_t i = 0; i < n_bytes; i++) {
        allm__bpe_node node = {t->byte_id[p[i]], ALLM__BPE_NONE, n - 1, n + 1, 0, 0}; /* of 0 the prev is BPE_NONE */
        if (node.id >= 0) w->nodes[n++] = node;
    }
    if (n == 0) return;
    w->nodes[n - 1].next = ALLM__BPE_NONE;
    for (uint32_t i = 0; i < n; i++) allm__bpe_link(w, t, i);
    while (w->n_queue) {
        allm__bpe_bucket *b = &w->buckets[w->queue[0]];
        if (b->unsorted) allm__bpe_sort(w->nodes, b);
        if (b->first != ALLM__BPE_NONE) allm__bpe_merge(w, t, b->first);
        else b->queued = 0, allm__bpe_unqueue(w);
    }
    for (uint32_t i = 0; i != ALLM__BPE_NONE; i = w->nodes[i].next) allm__ids_put(out, w->nodes[i].id);
}

ALLM__INLINE uint32_t allm__bpe_len(const allm__tok *t, int32_t id) { return (uint32_t)allm__tok_piece(t, id).len; }

/* The first token that two windows have in common: both lists from the same byte on; *i and *k become its places in
 * them. 0: there is none. */
static int allm__bpe_common(const allm__tok *t, const allm__ids *a, size_t *i, const allm__ids *b, size_t *k) {
    uint32_t at_a = 0, at_b = 0; /* bytes behind that place */
    while (*i < a->len && *k < b->len) {
        if (at_a == at_b && a->ptr[*i] == b->ptr[*k]) return 1;
        if (at_a <= at_b) at_a += allm__bpe_len(t, a->ptr[(*i)++]);
        else at_b += allm__bpe_len(t, b->ptr[(*k)++]);
    }
    return 0;
}

/* A long word in overlapping windows, so that memory stays small. A list of tokens is what merging gives exactly if
 * every two neighbours are what merging gives for their own text: before the first merge across a border between two of
 * them, both have evolved as they would by themselves. So two windows that have one token in common, at the same
 * place, may be joined there: all neighbours stand in one of them. 0: windows of this size have none in common. */
static int allm__bpe_windows(allm__tok_job *j, const uint8_t *p, uint32_t n, uint32_t window) {
    uint32_t   from = 0, to = ALLM__MIN(n, window); /* of the window whose tokens are in `a`, from token `first` on */
    size_t     first = 0, i, k;
    allm__ids *a = &j->window[0], *b = &j->window[1];
    a->len = 0;
    allm__bpe_encode_long(j, p, to, a);
    while (to < n && !j->failed && !a->failed) {
        uint32_t at = from;
        for (i = 0; i < a->len && at < to - window / 8; i++) at += allm__bpe_len(j->t, a->ptr[i]);
        from = at, to = n - at < window ? n : at + window, b->len = k = 0;
        allm__bpe_encode_long(j, p + from, to - from, b);
        if (i < first || !allm__bpe_common(j->t, a, &i, b, &k)) return 0;
        for (size_t m = first; m < i; m++) allm__ids_put(j->out, a->ptr[m]);
        allm__ids *other = a;
        a = b, b = other, first = k;
    }
    for (size_t m = first; m < a->len; m++) allm__ids_put(j->out, a->ptr[m]);
    j->failed |= a->failed || b->failed;
    return 1;
}

enum { ALLM__BPE_WINDOW = 1 << 15 };

static void allm__bpe_encode_word(allm__tok_job *j, const uint8_t *p, uint32_t n) {
    size_t n_before = j->out->len;
    if (j->t->drops) { /* without the bytes that have no token, so that tokens tell their places */
        uint8_t *kept = (uint8_t *)(j->kept.len = 0, allm__buf_room(&j->kept, n));
        uint32_t n_kept = 0;
        if (!kept) {
            j->failed = 1;
            return;
        }
        for (uint32_t i = 0; i < n; i++)
            if (j->t->byte_id[p[i]] >= 0) kept[n_kept++] = p[i];
        p = kept, n = n_kept;
    }
    for (uint64_t window = ALLM__BPE_WINDOW; !allm__bpe_windows(j, p, n, (uint32_t)ALLM__MIN(window, n)); window *= 4)
        j->out->len = n_before;
}

/* The token whose piece is this whole word, or -1. */
static int32_t allm__bpe_word(const allm__tok *t, const char *p, uint32_t n) {
    for (size_t i = allm__hash(t->seed, p, n) & (t->n_words - 1); t->words[i] >= 0; i = (i + 1) & (t->n_words - 1))
        if (allm__str_eq(allm__tok_piece(t, t->words[i]), allm__str(p, n))) return t->words[i];
    return -1;
}

static void allm__bpe_encode(allm__tok_job *j, allm_str run) {
    const allm__tok *t = j->t;
    uint32_t         from, to;
    int              r = allm__rx_cuts_set(&j->cuts, run.ptr, 0, run.len) ? 1 : -1;
    while (r > 0 && !j->failed && (r = allm__rx_cuts_next(&j->cuts, &from, &to)) > 0) {
        const char *p    = run.ptr + from;
        uint32_t    n    = to - from;
        int32_t     word = t->whole_words ? allm__bpe_word(t, p, n) : -1;
        if (word >= 0) allm__ids_put(j->out, word);
        else if (n <= ALLM__BPE_SHORT) allm__bpe_short(j, (const uint8_t *)p, n);
        else allm__bpe_encode_word(j, (const uint8_t *)p, n);
    }
    if (r < 0) j->failed = 1;
}

/* ---- loading byte-level BPE */

/* The two halves of a merge: cut at the first blank behind byte 0. */
static int allm__bpe_halves(allm_str merge, allm_str *left, allm_str *right) {
    size_t at = allm__str_find(merge, ALLM__S(" "), 1);
    if (at == SIZE_MAX) return 0;
    *left = allm__str(merge.ptr, at), *right = allm__str(merge.ptr + at + 1, merge.len - at - 1);
    return 1;
}

static allm_status allm__bpe_bad_merge(allm__tok_load *l, const allm__gguf_kv *kv, size_t i, allm_str merge,
                                       const char *what) {
    return allm__gguf_fail(l->g, "tokenizer.ggml.merges", kv, l->err, "[%llu] is \"%.*s\": %s", (unsigned long long)i,
                           ALLM__SHOW(merge), what);
}

/* Merge i: both halves and what they make must be tokens. */
static allm_status allm__bpe_read_merge(allm__tok_load *l, const allm__gguf_kv *kv, size_t i, allm_str merge,
                                        allm__buf *joined, uint64_t *pairs, int32_t *merged) {
    allm_str left, right;
    if (!allm__bpe_halves(merge, &left, &right)) return allm__bpe_bad_merge(l, kv, i, merge, "two halves expected");
    joined->len = 0;
    allm__buf_put(joined, left.ptr, left.len);
    allm__buf_put(joined, right.ptr, right.len);
    if (joined->failed) return allm__fail_memory(l->err, merge.len);
    int32_t a = allm__map_get(&l->by_text, left), b = allm__map_get(&l->by_text, right);
    int32_t c = allm__map_get(&l->by_text, allm__str(joined->ptr, joined->len));
    if (a < 0) return allm__bpe_bad_merge(l, kv, i, merge, "its left half is no token");
    if (b < 0) return allm__bpe_bad_merge(l, kv, i, merge, "its right half is no token");
    if (c < 0) return allm__bpe_bad_merge(l, kv, i, merge, "what it makes is no token");
    uint64_t pair = (uint64_t)(uint32_t)a << 20 | (uint32_t)b;
    size_t   at   = allm__bpe_slot(l->t, pair);
    while (pairs[at] != ALLM__BPE_EMPTY && pairs[at] >> 24 != pair) at = (at + 1) & (l->t->n_pairs - 1);
    pairs[at] = pair << 24 | i; /* of equal pairs the last counts */
    merged[i] = c;
    return ALLM_OK;
}

static allm_status allm__bpe_read_merges(allm__tok_load *l) {
    const char          *key = "tokenizer.ggml.merges";
    const allm__gguf_kv *kv;
    allm__tok           *t = l->t;
    if (allm__gguf_get_array(l->g, key, "s", 1, &kv, l->err)) return l->err->status;
    if (kv->n > ALLM__TOK_MAX_MERGES)
        return allm__gguf_fail(l->g, key, kv, l->err, "has %llu merges, at most %d are supported",
                               (unsigned long long)kv->n, (int)ALLM__TOK_MAX_MERGES);
    size_t n = (size_t)kv->n;
    for (t->n_pairs = 16; t->n_pairs / 3 * 2 < n;) t->n_pairs *= 2;
    t->seed          = allm__hash_seed(t);
    uint64_t *pairs  = (uint64_t *)allm__arena_array(&t->arena, t->n_pairs, sizeof *pairs, sizeof *pairs);
    int32_t  *merged = (int32_t *)allm__arena_array(&t->arena, n, sizeof *merged, sizeof *merged);
    if (!pairs || !merged) return allm__fail_memory(l->err, t->n_pairs * sizeof *pairs);
    memset(pairs, 0xff, t->n_pairs * sizeof *pairs);
    allm__buf       joined = {0};
    allm__gguf_iter it     = allm__gguf_strs(kv);
    allm_str        s;
    joined.host = t->host;
    for (size_t i = 0; allm__gguf_strs_next(&it, &s) && !l->err->status; i++)
        allm__bpe_read_merge(l, kv, i, s, &joined, pairs, merged);
    allm__buf_free(&joined);
    t->pairs = pairs, t->merged = merged, t->n_merges = n;
    return l->err->status;
}

static void allm__bpe_read_bytes(allm__tok_load *l) {
    for (int b = 0; b < 256; b++) {
        char u[4];
        l->t->byte_id[b] = allm__map_get(&l->by_text, allm__str(u, allm__utf8_put(u, allm__tok_letter(b))));
        l->t->drops |= l->t->byte_id[b] < 0;
    }
}

/* The tokens that stand for a whole word: all but those that are special; of equal ones the last. */
static allm_status allm__bpe_read_words(allm__tok_load *l) {
    allm__tok *t = l->t;
    for (t->n_words = 16; t->n_words / 3 * 2 < (size_t)t->n_vocab;) t->n_words *= 2;
    int32_t *words = (int32_t *)allm__arena_alloc(&t->arena, t->n_words * sizeof *words, sizeof *words);
    if (!words) return allm__fail_memory(l->err, t->n_words * sizeof *words);
    memset(words, 0xff, t->n_words * sizeof *words);
    for (int32_t id = 0; id < t->n_vocab; id++) {
        allm_str piece = allm__tok_piece(t, id);
        if (t->attrs[id] & ALLM__TOK_A_SPECIAL) continue;
        size_t i = allm__hash(t->seed, piece.ptr, piece.len) & (t->n_words - 1);
        while (words[i] >= 0 && !allm__str_eq(allm__tok_piece(t, words[i]), piece)) i = (i + 1) & (t->n_words - 1);
        words[i] = id;
    }
    t->words = words;
    return ALLM_OK;
}

/* The row of tokenizer.ggml.pre, and its patterns compiled. */
static allm_status allm__bpe_read_pre(allm__tok_load *l) {
    const char          *key = "tokenizer.ggml.pre";
    const allm__gguf_kv *kv  = allm__gguf_find(l->g, allm__str_of(key));
    allm__tok           *t   = l->t;
    allm_str             name;
    if (allm__gguf_get_str(l->g, key, ALLM__S("default"), &name, l->err)) return l->err->status;
    if (!kv)
        allm__log(t->host, ALLM_LOG_WARN, "%s: no key %s: words are cut in the oldest way, wrong for most models",
                  l->g->files[0].name, key);
    for (size_t i = 0; i < ALLM__COUNT(allm__tok_pres) && !l->pre; i++)
        if (allm__tok_named(allm__tok_pres[i].names, name)) l->pre = &allm__tok_pres[i];
    if (!l->pre)
        return allm__fail(l->err, ALLM_E_UNSUPPORTED, l->g->files[0].name, kv ? (int64_t)kv->offset : -1,
                          "pre-tokenizer \"%.*s\" (key %s) is not known", ALLM__SHOW(name), key);
    t->nfc = (l->pre->flags & ALLM__PRE_NFC) != 0, t->whole_words = (l->pre->flags & ALLM__PRE_WHOLE) != 0;
    for (int32_t i = 0; i < ALLM__RX_CUTS && l->pre->patterns[i]; i++, t->n_cuts++)
        if (allm__regex_compile(allm__str_of(l->pre->patterns[i]), "pre-tokenizer", &t->arena, &t->cut[i], l->err))
            return l->err->status;
    return ALLM_OK;
}

static allm_status allm__bpe_open(allm__tok_load *l) {
    if (allm__bpe_read_pre(l) || allm__tok_read_tokens(l)) return l->err->status;
    /* What llama.cpp takes when the file does not say; where token 11 is a comma that is not what is meant. */
    int32_t eos = l->t->n_vocab > 11 && (l->t->attrs[11] & ALLM__TOK_A_ADDED) ? 11 : -1;
    int32_t bos = l->pre->flags & ALLM__PRE_NO_BOS ? -1 : eos;
    if (allm__tok_read_ids(l, bos, eos, (l->pre->flags & ALLM__PRE_BOS) != 0)) return l->err->status;
    allm__bpe_read_bytes(l);
    if (allm__bpe_read_merges(l)) return l->err->status;
    return l->t->whole_words ? allm__bpe_read_words(l) : ALLM_OK;
}

/* ---- the kinds of models */

static const allm__tok_kind allm__tok_kinds[] = {
    {"gpt2", "byte-level BPE", allm__bpe_open, allm__bpe_encode},
    {"llama", "SentencePiece", NULL, NULL},
    {"t5", "Unigram", NULL, NULL},
    {"bert", "WordPiece", NULL, NULL},
    {"rwkv", "RWKV", NULL, NULL},
    {"plamo2", "PLaMo 2", NULL, NULL},
    {"gemma4", "BPE on UTF-8", NULL, NULL},
    {"whitespace", "BPE on words", NULL, NULL},
    {"hybriddna", "DNA", NULL, NULL},
};

static void allm__tok_close(allm__tok *t) { /* NULL is fine */
    if (!t) return;
    const allm__host *h = t->host;
    allm__arena_free(&t->arena);
    allm__free(h, t, sizeof *t);
}

static allm_status allm__tok_open_kind(allm__tok_load *l, allm_str model) {
    for (size_t i = 0; i < ALLM__COUNT(allm__tok_kinds) && !l->t->kind; i++)
        if (allm__str_eq(model, allm__str_of(allm__tok_kinds[i].name))) l->t->kind = &allm__tok_kinds[i];
    const allm__tok_kind *kind = l->t->kind;
    if (!kind || !kind->open)
        return allm__fail(l->err, ALLM_E_UNSUPPORTED, l->g->files[0].name, -1,
                          "tokenizer model %.*s%s%s%s is not supported", ALLM__SHOW(model), kind ? " (" : "",
                          kind ? kind->what : "", kind ? ")" : "");
    if (allm__tok_find_tokens(l) || kind->open(l)) return l->err->status;
    return allm__tok_read_added(l);
}

/* Makes a tokenizer from metadata; h must outlive it, g need not. A file that has none (no tokenizer.ggml.model, or
 * "none") gives ALLM_OK and *out = NULL. */
static allm_status allm__tok_open_gguf(const allm__host *h, const allm__gguf *g, allm__tok **out, allm_error *err) {
    allm__tok_load l = {0};
    allm_str       model;
    *out             = NULL;
    if (!allm__gguf_find(g, ALLM__S("tokenizer.ggml.model")) && !allm__gguf_find(g, ALLM__S("tokenizer.ggml.tokens")))
        return ALLM_OK;
    if (allm__gguf_get_str(g, "tokenizer.ggml.model", allm__str(NULL, 0), &model, err)) return err->status;
    if (allm__str_eq(model, ALLM__S("none")) || allm__str_eq(model, ALLM__S("no_vocab"))) return ALLM_OK;
    allm__tok *t = (allm__tok *)allm__alloc_zero(h, sizeof *t, sizeof(uint64_t));
    if (!t) return allm__fail_memory(err, sizeof *t);
    t->host = t->arena.host = h;
    l.t = t, l.g = g, l.err = err, l.by_text.host = h;
    allm_status status = allm__tok_open_kind(&l, model);
    allm__map_free(&l.by_text);
    if (status) allm__tok_close(t);
    else *out = t;
    return status;
}

/* ---- text to ids */

static void allm__tok_run(allm__tok_job *j, allm_str run) { /* the text between two added tokens */
    if (!run.len) return;
    if (allm__utf8_bad(run) != SIZE_MAX) {
        j->clean.len = 0;
        allm__tok_repair(run, &j->clean);
        run = allm__str(j->clean.ptr, j->clean.len);
    }
    if (j->t->nfc && allm__nfc_stable(run, 0) < run.len) {
        j->normal.len = 0;
        if (!allm__nfc_run(j->host, run, &j->normal)) j->failed = 1;
        run = allm__str(j->normal.ptr, j->normal.len);
    }
    if (j->clean.failed || j->normal.failed || j->failed) j->failed = 1;
    else j->t->kind->encode(j, run);
}

typedef struct allm__tok_scan { /* of the text for added tokens */
    allm_str           text;
    int                special; /* special ones, too */
    const allm__span  *plain;   /* [n_plain] where they may not even begin or end; `plain` moves on with the scan */
    size_t             n_plain;
} allm__tok_scan;

/* How much of [from, to) lies in a plain span: 0 nothing, 1 some, 2 all. */
static int allm__tok_plain(allm__tok_scan *s, size_t from, size_t to) {
    while (s->n_plain && s->plain->to <= from) s->plain++, s->n_plain--;
    if (!s->special) return 2;
    if (!s->n_plain || s->plain->from >= to || s->plain->from >= s->plain->to) return 0;
    return s->plain->from <= from && s->plain->to >= to ? 2 : 1;
}

/* The added token to take at `at`; NULL: none. *skip = bytes to go on by. A special one that is not to be matched is
 * passed over as a whole, as the reference does; one that only reaches into a plain span gives way to shorter ones. */
static const allm__tok_added *allm__tok_take(const allm__tok *t, allm__tok_scan *s, size_t at, size_t *skip) {
    allm_str rest = allm__str(s->text.ptr + at, s->text.len - at);
    *skip         = 1;
    for (size_t most = SIZE_MAX;;) {
        const allm__tok_added *a = allm__tok_match(t, rest, most);
        if (!a) return NULL;
        int plain = allm__tok_is_special(t, a->id) ? allm__tok_plain(s, at, at + a->text.len) : 0;
        *skip     = plain == 1 ? 1 : a->text.len;
        if (plain == 0) return a;
        if (plain == 2) return NULL;
        most = a->text.len - 1;
    }
}

static void allm__tok_job_free(allm__tok_job *j) {
    allm__rx_cuts_free(&j->cuts);
    allm__buf_free(&j->clean);
    allm__buf_free(&j->normal);
    allm__buf_free(&j->kept);
    allm__bpe_long_free(&j->bpe, j->host, j->t->n_merges);
    allm__ids_free(&j->window[0]);
    allm__ids_free(&j->window[1]);
}

/* Appends the ids of text, any bytes, to out. flags: ALLM__TOK_SPECIAL matches special tokens spelled in the text, but
 * in the plain spans (byte ranges of text, ascending, apart) they never match, not even in part; ALLM__TOK_BOS adds
 * what belongs around a text. Tokens that are added but not special always match. After an error out holds what it
 * held. Errors: ALLM_E_MEMORY (also for a text above 1 GiB). */
static allm_status allm__tok_encode(const allm__tok *t, allm_str text, int flags, const allm__span *plain,
                                    size_t n_plain, allm__ids *out, allm_error *err) {
    allm__tok_job  j    = {0};
    allm__tok_scan scan = {text, flags & ALLM__TOK_SPECIAL, plain, n_plain};
    size_t         from = 0, at = 0, skip, n_before = out->len;
    if (text.len > (size_t)1 << 30) /* three times that, repaired or normalised, stays below 4 GiB */
        return allm__fail(err, ALLM_E_MEMORY, NULL, -1, "a text of %llu bytes, at most 1 GiB",
                          (unsigned long long)text.len);
    j.t = t, j.host = j.clean.host = j.normal.host = j.kept.host = out->host, j.out = out;
    j.window[0].host = j.window[1].host = out->host;
    j.failed = !allm__rx_cuts_init(&j.cuts, out->host, t->cut, t->n_cuts);
    if ((flags & ALLM__TOK_BOS) && t->add_bos && t->bos >= 0) allm__ids_put(out, t->bos);
    while (at < text.len && !j.failed) {
        unsigned char c = (unsigned char)text.ptr[at];
        if (t->added_first[c] == t->added_first[c + 1]) { at++; continue; }
        const allm__tok_added *a = allm__tok_take(t, &scan, at, &skip);
        if (a) {
            allm__tok_run(&j, allm__str(text.ptr + from, at - from));
            allm__ids_put(out, a->id);
            from = at + skip;
        }
        at += skip;
    }
    if (!j.failed) allm__tok_run(&j, allm__str(text.ptr + from, text.len - from));
    if ((flags & ALLM__TOK_BOS) && t->add_eos && t->eos >= 0) allm__ids_put(out, t->eos);
    allm__tok_job_free(&j);
    if (!j.failed && !out->failed) return ALLM_OK;
    out->len = n_before, out->failed = 0;
    return allm__fail_memory(err, text.len);
}

/* ---- ids to text */

/* Is the malformed sequence of n bytes at p, which ends where the bytes end, the beginning of a character? */
static int allm__tok_unfinished(const char *p, size_t n, size_t left) {
    return n == left && (unsigned char)p[0] >= 0xc2 && (unsigned char)p[0] <= 0xf4;
}

static int allm__tok_ends_bad(allm_str s) { return allm__str_ends(s, allm__str("\xEF\xBF\xBD", 3)); }

/* What is in an allm_detok_state: opaque[0] = bytes held back, which are at opaque[1]. */
static char *allm__tok_held(allm_detok_state *s) { return (char *)(s->opaque + 1); }
ALLM__STATIC(detok_holds, ALLM__TOK_HOLD <= sizeof(((allm_detok_state *)0)->opaque) - sizeof(int32_t));

/* What was held back and n more bytes as text, in s. As the reference does, text that ends in U+FFFD is held back as a
 * whole for as long as it is short; then, or when *t says so, only the beginning of a character is. */
static allm_str allm__tok_feed(const allm__tok *t, allm_detok_state *s, const char *bytes, size_t n_bytes, int flush) {
    char   in[ALLM__TOK_HOLD + ALLM__TOK_LONG];
    size_t n = (size_t)s->opaque[0], n_out = 0, n_tail = 0;
    memcpy(in, allm__tok_held(s), n);
    if (n_bytes) memcpy(in + n, bytes, n_bytes);
    n += n_bytes;
    for (size_t i = 0, k; i < n; i += k) {
        int32_t cp;
        k = allm__utf8_next(in + i, n - i, &cp);
        if (cp < 0 && allm__tok_unfinished(in + i, k, n - i)) n_tail = k;
        memcpy(s->text + n_out, cp < 0 ? "\xEF\xBF\xBD" : in + i, cp < 0 ? 3 : k);
        n_out += cp < 0 ? 3 : k;
    }
    if (!flush && n <= t->n_hold && allm__tok_ends_bad(allm__str(s->text, n_out))) n_tail = n, n_out = 0;
    else if (flush) n_tail = 0;
    else if (n_tail) n_out -= 3;
    memcpy(allm__tok_held(s), in + n - n_tail, n_tail);
    s->opaque[0] = (int32_t)n_tail;
    return allm__str(s->text, n_out);
}

/* *out = the whole UTF-8 that id completes: a view of s or t, valid until the next use of s. id < 0: what is still held
 * back, as it is. skip_special leaves special tokens out. ALLM_E_ARGUMENT: an id outside the vocabulary. */
static allm_status allm__tok_next(const allm__tok *t, allm_detok_state *s, int32_t id, int skip_special, allm_str *out,
                                  allm_error *err) {
    *out = allm__str("", 0);
    if (s->opaque[0] < 0 || s->opaque[0] > ALLM__TOK_HOLD)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "the state was not zeroed");
    if (id >= t->n_vocab)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "token id %d, expected 0..%d", (int)id, (int)t->n_vocab - 1);
    if (id >= 0 && skip_special && (t->attrs[id] & ALLM__TOK_A_SPECIAL)) return ALLM_OK;
    allm_str piece = allm__tok_piece(t, id);
    if (id >= 0 && !piece.len) return ALLM_OK;
    if (id >= 0 && (t->attrs[id] & ALLM__TOK_A_UTF8)) {
        if (!s->opaque[0] && !(t->n_hold && allm__tok_ends_bad(piece))) return *out = piece, ALLM_OK;
        if (piece.len > ALLM__TOK_LONG) { /* n_hold is 0: the beginning of a character is held, which this ends */
            s->opaque[0] = 0;
            return *out = allm__str(piece.ptr - 3, piece.len + 3), ALLM_OK;
        }
    }
    return *out = allm__tok_feed(t, s, piece.ptr, piece.len, id < 0), ALLM_OK;
}

/* Appends the text of ids to out: the same as all parts of allm__tok_next and its flush. */
static allm_status allm__tok_decode(const allm__tok *t, const int32_t *ids, size_t n_ids, int skip_special,
                                    allm__buf *out, allm_error *err) {
    allm_detok_state s;
    allm_str         part;
    memset(&s, 0, sizeof s);
    for (size_t i = 0; i <= n_ids; i++) {
        if (i < n_ids && (ids[i] < 0 || ids[i] >= t->n_vocab))
            return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "ids[%llu] is %d, expected 0..%d", (unsigned long long)i,
                              (int)ids[i], (int)t->n_vocab - 1);
        if (allm__tok_next(t, &s, i < n_ids ? ids[i] : -1, skip_special, &part, err)) return err->status;
        allm__buf_put(out, part.ptr, part.len);
    }
    return out->failed ? allm__fail_memory(err, out->len) : ALLM_OK;
}

// MARK: >>tval  Values of templates
/* Owns: what a template computes with, by Python's semantics: numbers, texts, lists, tuples, dictionaries and the other
 * objects of Jinja; text under construction; comparison and hashing; items and attributes; iteration; str, repr and
 * tojson; sorting; arithmetic and formatting. Also the records of a compiled template and of a render (allm__vm), whose
 * sticky error, memory, limits and marks of the caller's text every operation here keeps to: after a failure all of
 * them return at once. The language that calls them is in room tmpl. */

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
    uint64_t     seed; /* of the index */
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
static int      allm__v_eq_text(allm__val v, allm_str text) {
         return allm__v_is_str(v) && allm__str_eq(allm__v_str(v), text);
}

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

/* ---- big integers: base 10^9, lowest digit first; never a value that fits in int64. Long literals, sums, products and
 * powers are exact; they are not divided. 306 digits, so that a double holds every one of them. */

enum { ALLM__BIG_BASE = 1000000000, ALLM__BIG_MAX = 34 };

typedef struct allm__vbig {
    int      negative, over; /* over: it has more digits than fit */
    size_t   n;
    uint32_t d[ALLM__BIG_MAX]; /* [n], the highest not 0 */
} allm__vbig;

static void allm__vbig_push(allm__vbig *b, uint64_t digits) { /* above the highest */
    for (; digits && !b->over; digits /= ALLM__BIG_BASE)
        if (b->n == ALLM__BIG_MAX) b->over = 1;
        else b->d[b->n++] = (uint32_t)(digits % ALLM__BIG_BASE);
}

static void allm__vbig_trim(allm__vbig *b) {
    while (b->n && !b->d[b->n - 1]) b->n--;
    if (!b->n) b->negative = 0;
}

/* b = b * m + add, by magnitude. */
static void allm__vbig_muladd(allm__vbig *b, uint32_t m, uint32_t add) {
    uint64_t carry = add;
    for (size_t i = 0; i < b->n; i++, carry /= ALLM__BIG_BASE) {
        carry += (uint64_t)b->d[i] * m;
        b->d[i] = (uint32_t)(carry % ALLM__BIG_BASE);
    }
    allm__vbig_push(b, carry);
}

/* Any number; a float is cut to int(f), and is over if it is not finite. */
static void allm__vbig_load(allm__vbig *b, allm__val v) {
    if (v.type == ALLM__V_BIG) { *b = *v.u.b; return; }
    b->over = 0, b->n = 0;
    if (v.type != ALLM__V_FLOAT) {
        b->negative = v.u.i < 0;
        allm__vbig_push(b, v.u.i < 0 ? 0 - (uint64_t)v.u.i : (uint64_t)v.u.i);
        return;
    }
    allm__dec a;
    b->negative = v.u.f < 0;
    if (!isfinite(v.u.f)) { b->over = 1; return; }
    allm__dec_from(&a, fabs(v.u.f));
    for (int i = 0; i < a.point; i++) allm__vbig_muladd(b, 10, (uint32_t)(i < a.n ? a.d[i] : 0));
    allm__vbig_trim(b);
}

/* An INT where it fits. */
static allm__val allm__vbig_store(allm__arena *a, allm__vbig *b) {
    uint64_t u = 0, max = (uint64_t)INT64_MAX + (unsigned)(allm__vbig_trim(b), b->negative);
    size_t   i = b->n;
    for (; i > 0 && b->n <= 3 && u <= (max - b->d[i - 1]) / ALLM__BIG_BASE; i--) u = u * ALLM__BIG_BASE + b->d[i - 1];
    if (!i) return allm__v_int(b->negative ? (int64_t)(0 - u) : (int64_t)u);
    allm__vbig *big = (allm__vbig *)allm__arena_alloc(a, sizeof *b, sizeof(void *));
    if (big) *big = *b;
    return allm__v_ptr(ALLM__V_BIG, big);
}

static int allm__vbig_cmp(const allm__vbig *a, const allm__vbig *b) {
    int negative = a->negative;
    if (negative != b->negative) return negative ? -1 : 1;
    if (a->n != b->n) return (a->n < b->n) != negative ? -1 : 1;
    for (size_t i = a->n; i-- > 0;)
        if (a->d[i] != b->d[i]) return (a->d[i] < b->d[i]) != negative ? -1 : 1;
    return 0;
}

/* a += b or a -= b, with signs: digit by digit, once more with all signs turned if the sum is negative. */
static void allm__vbig_add(allm__vbig *a, const allm__vbig *b, int minus) {
    int64_t    carry = -1, sign_a = a->negative ? -1 : 1, sign_b = b->negative != minus ? -1 : 1;
    allm__vbig sum;
    for (int negative = 0; carry < 0; negative = 1, sign_a = -sign_a, sign_b = -sign_b) {
        carry = 0, sum.n = ALLM__MAX(a->n, b->n), sum.over = 0, sum.negative = negative;
        for (size_t i = 0; i < sum.n; i++) {
            carry += sign_a * (i < a->n ? a->d[i] : 0) + sign_b * (i < b->n ? b->d[i] : 0);
            int64_t digit = carry % ALLM__BIG_BASE;
            if (digit < 0) digit += ALLM__BIG_BASE;
            sum.d[i] = (uint32_t)digit, carry = (carry - digit) / ALLM__BIG_BASE;
        }
    }
    allm__vbig_push(&sum, (uint64_t)carry);
    *a = sum;
}

static void allm__vbig_mul(allm__vbig *a, const allm__vbig *b) { /* a *= b */
    allm__vbig out;
    out.over = a->over || b->over || a->n + b->n > ALLM__BIG_MAX, out.n = out.over ? 0 : a->n + b->n;
    out.negative = a->negative ^ b->negative;
    memset(out.d, 0, sizeof out.d);
    for (size_t i = 0; i < a->n && !out.over; i++) {
        uint64_t carry = 0;
        for (size_t j = 0; j < b->n || carry; j++, carry /= ALLM__BIG_BASE) {
            carry += out.d[i + j] + (uint64_t)a->d[i] * (j < b->n ? b->d[j] : 0);
            out.d[i + j] = (uint32_t)(carry % ALLM__BIG_BASE);
        }
    }
    allm__vbig_trim(&out);
    *a = out;
}

enum { ALLM__BIG_TEXT = ALLM__BIG_MAX * 9 + 2 };

static size_t allm__vbig_text(const allm__vbig *b, char dst[ALLM__BIG_TEXT + 1]) { /* decimal; returns its length */
    char  *p = dst;
    size_t i = b->n;
    if (b->negative) *p++ = '-';
    p += snprintf(p, 11, "%u", (unsigned)(i ? b->d[--i] : 0));
    while (i-- > 0) p += snprintf(p, 10, "%09u", (unsigned)b->d[i]);
    return (size_t)(p - dst);
}

static double allm__vbig_double(const allm__vbig *b) {
    char   t[ALLM__BIG_TEXT + 1];
    double v = 0;
    int    over;
    allm__num_parse(allm__str(t, allm__vbig_text(b, t)), &v, &over);
    return v;
}

/* Digits in a base 2..36 with `_` between them, no sign; 0: not a number. */
static int allm__vbig_parse(allm_str s, int base, allm__vbig *b) {
    b->n = 0, b->negative = 0, b->over = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i], low = (char)(c | 32);
        int  d = c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'z' ? low - 'a' + 10 : 99;
        if (c == '_' && i > 0 && i + 1 < s.len && s.ptr[i - 1] != '_') continue;
        if (d >= base) return 0;
        if (!b->over) allm__vbig_muladd(b, (uint32_t)base, (uint32_t)d);
    }
    return s.len > 0;
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
    int32_t          *hidden; /* names that are missing at first whatever the context says */
    size_t n_code, n_consts, n_names, n_infos, n_tags, n_macros, n_args, n_blocks, n_hidden;
    size_t cap_code, cap_consts, cap_names, cap_infos, cap_tags, cap_macros, cap_args, cap_blocks, cap_hidden;
    allm__map         name_map;
};

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
    allm__str_place(vm->t->source, vm->t->code[vm->ip].pos, place);
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
    allm__vm_work(vm, 16); /* character by character is slow */
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
    char many[256];
    if (vm->status || !fill.u.s->len) return;
    const allm__vstr *s = fill.u.s;
    int64_t           k = s->len <= 64 && !s->n_user ? (int64_t)(sizeof many / s->len) : 1; /* so many at once */
    for (int64_t i = 0; k > 1 && i < k; i++) memcpy(many + (size_t)i * s->len, s->ptr, s->len);
    for (; k > 1 && n >= k && !vm->status; n -= k) allm__sb_put(vm, many, (size_t)k * s->len);
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

static double allm__v_double(allm__val v) { /* float(v) of a number */
    return v.type == ALLM__V_FLOAT ? v.u.f : v.type == ALLM__V_BIG ? allm__vbig_double(v.u.b) : (double)v.u.i;
}

static int allm__v_cmp_big(allm__val a, allm__val b) { /* at least one is BIG */
    double     x = allm__v_double(a), y = allm__v_double(b);
    allm__vbig p, q;
    if (isnan(x) || isnan(y)) return ALLM__UNORDERED;
    if (x != y) return x < y ? -1 : 1; /* rounding keeps the order */
    allm__vbig_load(&p, a), allm__vbig_load(&q, b);
    return allm__vbig_cmp(&p, &q);
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

/* Hash and equality of keys. Tuples within tuples are followed 8 deep. 0: not hashable. */
static int allm__v_hash(uint64_t seed, allm__val v, int depth, uint32_t *h) {
    uint64_t x = (uint64_t)v.u.i;
    if (v.type == ALLM__V_FLOAT && v.u.f == floor(v.u.f) && fabs(v.u.f) < 0x1p63) x = (uint64_t)(int64_t)v.u.f;
    if (v.type == ALLM__V_BIG || (v.type == ALLM__V_FLOAT && fabs(v.u.f) >= 0x1p63 && isfinite(v.u.f))) {
        allm__vbig b; /* a float may equal a BIG */
        allm__vbig_load(&b, v);
        if (!b.over) return *h = allm__hash(seed, (const char *)b.d, b.n * sizeof b.d[0]), 1;
    }
    switch (v.type) {
    case ALLM__V_LIST: case ALLM__V_DICT: case ALLM__V_SLICE: case ALLM__V_VIEW: return 0;
    case ALLM__V_UNDEF: *h = 1; return 1;
    case ALLM__V_NONE: *h = 2; return 1;
    case ALLM__V_STR: case ALLM__V_BYTES: *h = allm__hash(seed, v.u.s->ptr, v.u.s->len); return 1;
    case ALLM__V_RANGE: { /* by what it gives: see allm__v_eq_flat */
        int64_t n = allm__v_range_len(v);
        *h        = allm__hash_int(seed, (uint64_t)n);
        if (n > 0) *h = allm__hash_int(seed + *h, (uint64_t)v.u.q->v[0].u.i);
        if (n > 1) *h = allm__hash_int(seed + *h, (uint64_t)v.u.q->v[2].u.i);
        return 1;
    }
    case ALLM__V_TUPLE: {
        uint32_t sum = 17, one;
        for (size_t i = 0; i < v.u.q->n; i++) {
            if (depth == 8 || !allm__v_hash(seed, v.u.q->v[i], depth + 1, &one)) return 0;
            sum = allm__hash_int(seed + sum, one);
        }
        *h = sum;
        return 1;
    }
    default: *h = allm__hash_int(seed, x); return 1;
    }
}

static int allm__v_same_key(allm__val a, allm__val b) { /* both hashable: at most 8 levels of tuples */
    if (a.type == ALLM__V_FLOAT && b.type == ALLM__V_FLOAT && isnan(a.u.f) && isnan(b.u.f))
        return 1; /* as one object */
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
        for (size_t i = allm__hash(d->seed, key.ptr, key.len) & (d->n_index - 1); d->index[i] >= 0;
             i        = (i + 1) & (d->n_index - 1))
            if (allm__v_eq_text(d->v[d->index[i]].key, key)) { p = &d->v[d->index[i]]; break; }
    return p ? &p->val : NULL;
}

static void allm__v_index_add(allm__vdict *d, size_t i) {
    uint32_t h = 0;
    allm__v_hash(d->seed, d->v[i].key, 0, &h);
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
        if (!d->n_index) d->seed = allm__hash_seed(d);
        d->index = index, d->n_index = n_index;
    }
    d->v = v, d->cap = cap;
    for (size_t i = 0; d->n_index && i < d->n; i++) allm__v_index_add(d, i);
    return 1;
}

/* Sets a hashable key: a later one keeps the place of the first. 0: no memory. */
static int allm__v_put(allm__arena *a, allm__vdict *d, allm__val key, allm__val val) {
    uint32_t h = 0;
    allm__v_hash(d->seed, key, 0, &h);
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

static int allm__vm_hash(allm__vm *vm, const allm__vdict *d, allm__val key, uint32_t *h) { /* 0: it failed */
    if (vm->status) return 0;
    if (allm__v_hash(d->seed, key, 0, h)) return 1;
    allm__vm_fail(vm, "unhashable type: '%s'", allm__v_names[key.type]);
    return 0;
}

static void allm__vm_put(allm__vm *vm, allm__val d, allm__val key, allm__val val) {
    uint32_t h;
    if (!allm__vm_hash(vm, d.u.d, key, &h)) return;
    if (d.u.d->n == d.u.d->cap && (!allm__vm_may(vm, d.u.d->n * 2 * sizeof(allm__vpair)) ||
                                   !allm__vm_work(vm, d.u.d->n * sizeof(allm__vpair))))
        return;
    if (!allm__v_put(&vm->arena, d.u.d, key, val)) allm__vm_no_memory(vm);
}

static allm__val *allm__vm_get(allm__vm *vm, allm__val d, allm__val key) { /* NULL: not there, or it failed */
    uint32_t h;
    if (!allm__vm_hash(vm, d.u.d, key, &h)) return NULL;
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
        return allm__vm_fail(vm, "access to attribute '%.*s' of '%s' object is unsafe.", n, name.ptr,
                             allm__v_names[u->obj.type]);
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
            c = (c > 0) - (c < 0);
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
    case ALLM__V_LIST:
    case ALLM__V_TUPLE:
    case ALLM__V_DICT:
    case ALLM__V_VIEW:
    case ALLM__V_RANGE:
        return allm__v_len(v) != 0;
    default: return 1; /* a loop that runs has items */
    }
}

/* ---- calling what is written in C */

/* The place of a parameter in "old new ?count", or -1; *n = how many there are, *n_needed = of these before the '?'. */
static int allm__tfn_param(const allm__tfn *fn, allm_str name, int *n, int *n_needed) {
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

static int allm__tfn_bind(allm__vm *vm, const allm__tfn *fn, allm__tcall *c, allm__val a[ALLM__T_PARAMS]) {
    int n, n_needed;
    allm__tfn_param(fn, ALLM__S(""), &n, &n_needed);
    for (int i = 0; i < ALLM__T_PARAMS; i++) a[i] = allm__v_of(ALLM__V_ABSENT, 0);
    if (c->n_pos > n) {
        allm__vm_fail(vm, "%s() takes %d argument%s, but %d were given", fn->name, n, n == 1 ? "" : "s", (int)c->n_pos);
        return 0;
    }
    for (int i = 0; i < c->n_pos; i++) a[i] = c->pos[i];
    for (int k = 0; k < c->n_kw; k++) {
        allm_str name = allm__v_str(c->kw[k].name);
        int      i    = allm__tfn_param(fn, name, &n, &n_needed), len = (int)ALLM__MIN(name.len, 60);
        if (i < 0)
            return allm__vm_fail(vm, "%s() got an unexpected keyword argument '%.*s'", fn->name, len, name.ptr), 0;
        if (a[i].type != ALLM__V_ABSENT)
            return allm__vm_fail(vm, "%s() got multiple values for argument '%.*s'", fn->name, len, name.ptr), 0;
        a[i] = c->kw[k].val;
    }
    for (int i = 0; i < n_needed; i++)
        if (a[i].type == ALLM__V_ABSENT)
            return allm__vm_fail(vm, "%s() misses required argument %d (%s)", fn->name, i + 1, fn->params), 0;
    return 1;
}

static allm__val allm__vm_call_fn(allm__vm *vm, const allm__tfn *fn, allm__val self, const allm__val *pos,
                                  int32_t n_pos, const allm__tkw *kw, int32_t n_kw) {
    allm__val   a[ALLM__T_PARAMS], v = allm__v_undef();
    allm__tcall c = {self, a, pos, kw, n_pos, n_kw, fn->how};
    if (!allm__vm_work(vm, 256) || !allm__vm_enter(vm)) return v;
    if (fn->params[0] == '*' || allm__tfn_bind(vm, fn, &c, a)) v = fn->call(vm, &c);
    allm__vm_leave(vm);
    return vm->status ? allm__v_undef() : v;
}

static const allm__tfn *allm__tfn_find(const allm__tfn *rows, size_t n, allm_str name) {
    for (size_t i = 0; i < n; i++)
        if (rows[i].name[0] == (name.len ? name.ptr[0] : 0) && allm__str_eq(allm__str_of(rows[i].name), name))
            return &rows[i];
    return NULL;
}

static int allm__tc_given(const allm__tcall *c, int i) { return c->a[i].type != ALLM__V_ABSENT; }

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
    if (obj.type == ALLM__V_BYTES) return allm__vm_fail(vm, "slices of bytes are not supported");
    if (!allm__vm_slice(vm, slice, allm__v_len(obj), &from, &step, &n)) return allm__v_undef();
    if (obj.type == ALLM__V_STR) return allm__vm_substr(vm, obj, from, step, n);
    if (obj.type == ALLM__V_RANGE) {
        allm__val r = allm__vm_seq(vm, ALLM__V_RANGE, 3);
        if (vm->status) return r;
        int64_t by = obj.u.q->v[2].u.i, a = allm__v_range_at(obj, from);
        r.u.q->v[0] = allm__v_int(a),
        r.u.q->v[1] = allm__v_int((int64_t)((uint64_t)a + (uint64_t)(n * step) * (uint64_t)by));
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
    case ALLM__V_TUPLE:
        if (obj.sub != 1 || !(ALLM__IS("grouper") || ALLM__IS("list"))) return 0;
        *out = obj.u.q->v[ALLM__IS("list")];
        return 1;
    case ALLM__V_CYCLER:
        if (!ALLM__IS("current")) return 0;
        *out = obj.u.c->items.v[obj.u.c->pos];
        return 1;
    case ALLM__V_MACRO: {
        const allm__tmacro *info = obj.u.macro->info;
        if (ALLM__IS("name")) *out = info->name < 0 ? allm__v_none() : vm->t->names[info->name];
        else if (ALLM__IS("catch_kwargs")) *out = allm__v_bool(info->flags & ALLM__T_KWARGS);
        else if (ALLM__IS("catch_varargs")) *out = allm__v_bool(info->flags & ALLM__T_VARARGS);
        else if (ALLM__IS("caller")) *out = allm__v_bool(info->flags & ALLM__T_CALLER);
        else if (ALLM__IS("arguments")) {
            *out = allm__vm_seq(vm, ALLM__V_TUPLE, (size_t)info->n_args);
            for (int32_t i = 0; !vm->status && i < info->n_args; i++)
                out->u.q->v[i] = vm->t->names[vm->t->args[info->arg + i]];
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
    static const char names[] =
        "__class__ __doc__ __init__ __new__ __str__ __repr__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __hash__ "
        "__dir__ __format__ "
        "__getattribute__ __setattr__ __delattr__ __sizeof__ __reduce__ __reduce_ex__ __subclasshook__ "
        "__init_subclass__ __module__ __len__ __iter__ __getitem__ __contains__ __add__ __mul__ __mod__ __call__ "
        "__name__ __dict__ __globals__ __code__ __self__ __func__ ";
    if (name.len < 5 || name.len > 24 || name.ptr[0] != '_') return 0;
    size_t at = allm__str_find(allm__str(names, sizeof names - 1), name, 0);
    return at != SIZE_MAX && names[at + name.len] == ' ' && (at == 0 || names[at - 1] == ' ');
}

/* getattr(obj, name): 0: no such attribute. */
static int allm__vm_attr(allm__vm *vm, allm__val obj, allm__val key, allm__val *out) {
    allm_str name = allm__v_str(key);
    if (allm__v_is_internal(name) || allm__v_is_mutator(obj, name))
        return *out = allm__vm_missing(vm, 3, obj, key, NULL), 1;
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
        allm__vpair *p = allm__v_hash(obj.u.d->seed, key, 0, &h) ? allm__v_find(obj.u.d, key, h) : NULL;
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
    if (vm->status || allm__vm_attr(vm, obj, key, &v) || allm__vm_subscript(vm, obj, key, &v))
        return vm->status ? allm__v_undef() : v;
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

static int allm__v_is_space(int32_t cp) { /* str.isspace */
    if (cp < 0x80) return cp == ' ' || (cp >= 9 && cp <= 13) || (cp >= 0x1c && cp <= 0x1f);
    return allm__uni_is(cp, ALLM__UNI_PYSPACE);
}

static int allm__v_is_word(int32_t cp) { /* \w */
    if (cp < 0x80) return (cp >= '0' && cp <= '9') || (cp >= 'A' && cp <= 'Z') || (cp >= 'a' && cp <= 'z') || cp == '_';
    return allm__uni_is(cp, ALLM__UNI_ALNUM);
}

static size_t allm__v_back(const char *p, size_t at) { /* bytes of the code point that ends at p[at], at > 0 */
    size_t n = 1;
    while (n < at && ((unsigned char)p[at - n] & 0xc0) == 0x80) n++;
    return n;
}

/* White space at either end of [*from, *to). */
static void allm__v_trim(const char *p, size_t *from, size_t *to, int left, int right) {
    int32_t cp;
    for (size_t n; left && *from < *to; *from += n) {
        n = allm__utf8_next(p + *from, *to - *from, &cp);
        if (cp < 0 || !allm__v_is_space(cp)) break;
    }
    for (size_t n; right && *from < *to; *to -= n) {
        n = ALLM__MIN(allm__v_back(p, *to), *to - *from);
        allm__utf8_next(p + *to - n, n, &cp);
        if (cp < 0 || !allm__v_is_space(cp)) break;
    }
}

/* strip: of white space (chars absent or none), or of a set of characters. */
static allm__val allm__vm_strip(allm__vm *vm, allm__val s, allm__val chars, int left, int right) {
    size_t from = 0, to = s.u.s->len;
    if (chars.type == ALLM__V_ABSENT || chars.type == ALLM__V_NONE) {
        allm__v_trim(s.u.s->ptr, &from, &to, left, right);
        return allm__vm_part(vm, s, from, to);
    }
    if (!allm__v_is_str(chars)) return allm__vm_fail(vm, "strip arg must be None or str");
    allm_str set = allm__v_str(chars);
    for (size_t n; left && from < to && allm__vm_work(vm, set.len + 1); from += n) {
        n = allm__v_step(s.u.s->ptr[from]);
        if (allm__str_find(set, allm__str(s.u.s->ptr + from, n), 0) == SIZE_MAX) break;
    }
    for (size_t n; right && from < to && allm__vm_work(vm, set.len + 1); to -= n) {
        n = allm__v_back(s.u.s->ptr, to);
        if (allm__str_find(set, allm__str(s.u.s->ptr + to - n, n), 0) == SIZE_MAX) break;
    }
    return allm__vm_part(vm, s, from, to);
}

enum { ALLM__CASE_LOWER, ALLM__CASE_UPPER, ALLM__CASE_TITLE, ALLM__CASE_CAPITAL, ALLM__CASE_SWAP, ALLM__CASE_FOLD };

/* Is the sigma at byte `at` the last letter of a word? (Unicode 3.13, Final_Sigma) */
static int allm__v_final_sigma(const allm__vstr *s, size_t at) {
    int32_t cp = 0;
    size_t  i = at, n;
    while (i > 0) {
        n = allm__v_back(s->ptr, i);
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

static int allm__v_case_map(int how, int32_t cp, const allm__vstr *s, size_t at, int32_t out[3]) {
    int32_t up[3];
    int     n = 0;
    if (how == ALLM__CASE_UPPER) return allm__uni_upper(cp, out);
    if (how == ALLM__CASE_TITLE) return allm__uni_title(cp, out);
    if (how == ALLM__CASE_LOWER) {
        if (cp == 0x3a3 && allm__v_final_sigma(s, at)) return out[0] = 0x3c2, 1;
        return allm__uni_lower(cp, out);
    }
    if (cp == 0x131) return out[0] = cp, 1; /* dotless i folds to itself */
    int n_up = allm__uni_upper(cp, up);
    if (n_up == 1) return allm__uni_lower(up[0], out);
    for (int i = 0; i < n_up; i++, n++) allm__uni_lower(up[i], out + n);
    return n;
}

/* The same of ASCII: byte for byte, the marks stay. */
static allm__val allm__vm_case_ascii(allm__vm *vm, allm__val s, int how) {
    size_t n = s.u.s->len;
    if (!allm__vm_may(vm, n) || !allm__vm_work(vm, n * 2)) return s;
    char       *p    = allm__arena_copy(&vm->arena, s.u.s->ptr, n), *end = p + n;
    allm__vstr *copy = (allm__vstr *)allm__arena_alloc(&vm->arena, sizeof *copy, sizeof(void *));
    if (!p || !copy) return allm__vm_no_memory(vm);
    *copy = *s.u.s, copy->ptr = p, copy->room = NULL;
    for (int inside = 0, one; p < end; p++) {
        char c = *p;
        int  lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z';
        one    = how == ALLM__CASE_CAPITAL ? p != copy->ptr
                 : how == ALLM__CASE_TITLE ? inside
                 : how == ALLM__CASE_SWAP  ? upper
                                           : how != ALLM__CASE_UPPER;
        *p = (char)(one && upper ? c + 32 : !one && lower ? c - 32 : c); /* one: to lower case */
        inside = lower || upper;
    }
    return allm__v_ptr(ALLM__V_STR, copy);
}

static allm__val allm__vm_case(allm__vm *vm, allm__val s, int how) {
    if (vm->status || allm__v_count(s.u.s) == s.u.s->len) return vm->status ? s : allm__vm_case_ascii(vm, s, how);
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
        if (cp >= 0x80) n = allm__v_case_map(one, cp, s.u.s, at, out);
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

static int allm__titer_base(allm__vm *vm, allm__titer *it, allm__val *out) {
    if (vm->status || !allm__vm_work(vm, 32)) return 0;
    size_t n;
    switch (it->kind) {
    case ALLM__IT_SEQ: return allm__vm_at(vm, it->src, (int64_t)it->pos++, out);
    case ALLM__IT_REVERSED:
        n = (size_t)allm__v_len(it->src);
        if (it->pos >= n) return 0;
        it->pos++;
        if (it->src.type == ALLM__V_DICT || it->src.type == ALLM__V_VIEW)
            return *out = allm__vm_dict_at(vm, it->src, n - it->pos), 1;
        return allm__vm_at(vm, it->src, (int64_t)(n - it->pos), out);
    case ALLM__IT_DICT:
        if (it->pos >= it->src.u.d->n) return 0;
        return *out = allm__vm_dict_at(vm, it->src, it->pos++), 1;
    case ALLM__IT_STR:
        if (it->pos >= it->src.u.s->len) return 0;
        n = allm__v_step(it->src.u.s->ptr[it->pos]);
        *out = allm__vm_part(vm, it->src, it->pos, it->pos + n), it->pos += n;
        if (out->type == ALLM__V_STR) *out = allm__vm_markup(vm, *out, 0);
        return 1;
    default: return 0;
    }
}

static const allm__tkw *allm__tc_kw(const allm__tkw *kw, int32_t n, const char *name) {
    for (int32_t i = 0; i < n; i++)
        if (allm__v_eq_text(kw[i].name, allm__str_of(name))) return &kw[i];
    return NULL;
}

/* The arguments of map: attribute=.. and default=.., or a filter and its own. */
static void allm__titer_start_map(allm__vm *vm, allm__titer *it) {
    const allm__tkw *attr  = allm__tc_kw(it->kw, it->n_kw, "attribute"),
                    *other = allm__tc_kw(it->kw, it->n_kw, "default");
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
static void allm__titer_start_select(allm__vm *vm, allm__titer *it) {
    it->n_skip = it->by_attr;
    if (it->by_attr && it->n_args == 0) { allm__vm_fail(vm, "Missing parameter for attribute name"); return; }
    if (it->by_attr) it->path = allm__vm_path(vm, it->args[0]);
    if (it->n_args > it->n_skip) it->n_skip++;
    else it->n_skip = -1; /* no test: truth */
}

/* Before the first item. A stage that finds nothing to do becomes EMPTY. */
static void allm__titer_start(allm__vm *vm, allm__titer *it) {
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
    if (it->kind == ALLM__IT_MAP) allm__titer_start_map(vm, it);
    if (it->kind == ALLM__IT_SELECT) allm__titer_start_select(vm, it);
    if (!vm->status && it->kind >= ALLM__IT_MAP) it->from = allm__vm_iter(vm, it->src);
}

/* Calls the filter or test named by the arguments on v. */
static allm__val allm__titer_call(allm__vm *vm, allm__titer *it, allm__val v, int is_filter) {
    if (!it->fn) {
        allm__val name = it->args[it->n_skip - 1];
        if (allm__v_is_str(name))
            it->fn = is_filter ? allm__tfn_find(vm->tab.filters, vm->tab.n_filters, allm__v_str(name))
                               : allm__tfn_find(vm->tab.tests, vm->tab.n_tests, allm__v_str(name));
        if (!it->fn)
            return allm__vm_fail(vm, "No %s named '%.*s'.", is_filter ? "filter" : "test",
                                 allm__v_is_str(name) ? (int)ALLM__MIN(name.u.s->len, 100) : 1,
                                 allm__v_is_str(name) ? name.u.s->ptr : "?");
    }
    return allm__vm_call_fn(vm, it->fn, v, it->args + it->n_skip, it->n_args - it->n_skip, it->kw, it->n_kw);
}

/* Sends an item through a stage: 1: on with it, 0: it was kept or dropped. */
static int allm__titer_pass(allm__vm *vm, allm__titer *it, allm__val *v) {
    allm__val key;
    uint32_t  h;
    switch (it->kind) {
    case ALLM__IT_MAP:
        *v = it->by_attr ? allm__vm_follow(vm, *v, it->path, it->fallback) : allm__titer_call(vm, it, *v, 1);
        return 1;
    case ALLM__IT_SELECT:
        key = it->by_attr ? allm__vm_follow(vm, *v, it->path, it->fallback) : *v;
        if (it->n_skip >= 0) key = allm__titer_call(vm, it, key, 0);
        return allm__v_true(key) != it->reject;
    case ALLM__IT_UNIQUE:
        key = allm__vm_follow(vm, *v, it->path, it->fallback);
        if (!it->by_case) key = allm__vm_ignore_case(vm, key);
        if (!allm__vm_hash(vm, it->seen, key, &h) || allm__v_find(it->seen, key, h)) return 0;
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
static int allm__titer_flush(allm__vm *vm, allm__titer *it, allm__val *v) {
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
        if (!base->started) allm__titer_start(vm, base);
        if (vm->status) return 0;
        if (base->kind < ALLM__IT_MAP || base->kind == ALLM__IT_ITEMS) break;
        if (!allm__vm_work(vm, 16)) return 0;
        base->from->up = base;
        base = base->from;
    }
    while (!vm->status) {
        int some = allm__titer_base(vm, base, out);
        for (s = base; !some && s != it && s->up; s = s->up)
            if (allm__titer_flush(vm, s->up, out)) some = 2;
        if (!some || vm->status) return 0;
        int kept = 1;
        if (some == 1) s = base;
        while (kept && s != it) {
            if (!s->up) return allm__vm_fail(vm, "generator already executing"), 0;
            s    = s->up;
            kept = allm__titer_pass(vm, s, out);
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

static int allm__tloop_peek(allm__vm *vm, allm__tloop *l) { /* is there a next item? */
    if (!l->has_after) l->has_after = allm__vm_next(vm, l->it, &l->after);
    return l->has_after;
}

static int64_t allm__tloop_length(allm__vm *vm, allm__tloop *l) {
    if (l->length < 0) l->length = allm__v_len(l->whole);
    if (l->length < 0) { /* an iterator: the rest is taken now */
        allm__val rest = allm__vm_collect(vm, allm__v_ptr(ALLM__V_ITER, l->it));
        if (vm->status) return 0;
        l->length = (int64_t)rest.u.q->n + l->index0 + 1 + l->has_after;
        l->it     = allm__vm_iter(vm, rest);
    }
    return l->length;
}

static int allm__tloop_field(allm__vm *vm, allm__val v, allm_str name, allm__val *out) {
    static const char *const names[] = {"index", "index0", "revindex", "revindex0", "first", "last", "length", "depth",
                                        "depth0", "previtem", "nextitem"};
    allm__tloop *l = v.u.loop;
    size_t       i = 0;
    while (i < ALLM__COUNT(names) && !allm__str_eq(name, allm__str_of(names[i]))) i++;
    switch (i) {
    case 0: *out = allm__v_int(l->index0 + 1); return 1;
    case 1: *out = allm__v_int(l->index0); return 1;
    case 2: *out = allm__v_int(allm__tloop_length(vm, l) - l->index0); return 1;
    case 3: *out = allm__v_int(allm__tloop_length(vm, l) - l->index0 - 1); return 1;
    case 4: *out = allm__v_bool(l->index0 == 0); return 1;
    case 5: *out = allm__v_bool(!allm__tloop_peek(vm, l)); return 1;
    case 6: *out = allm__v_int(allm__tloop_length(vm, l)); return 1;
    case 7: *out = allm__v_int(l->depth0 + 1); return 1;
    case 8: *out = allm__v_int(l->depth0); return 1;
    case 9: *out = l->index0 == 0 ? allm__vm_missing(vm, 2, v, v, "there is no previous item") : l->before; return 1;
    case 10:
        *out = allm__tloop_peek(vm, l) ? l->after : allm__vm_missing(vm, 2, v, v, "there is no next item");
        return 1;
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
    char t[ALLM__BIG_TEXT + 1];
    allm__sb_put(vm, t, allm__vbig_text(v.u.b, t));
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
    char quote = allm__str_find(text, ALLM__S("'"), 0) != SIZE_MAX && allm__str_find(text, ALLM__S("\""), 0) == SIZE_MAX
                     ? '"'
                     : '\'';
    allm__tchars c = {v.u.s, 0, 0, 0};
    int32_t      cp;
    if (v.type == ALLM__V_STR && v.u.s->markup) allm__sb_puts(vm, "Markup(");
    if (v.type == ALLM__V_BYTES) allm__sb_putc(vm, 'b');
    allm__sb_putc(vm, quote);
    while (!vm->status) {
        size_t from = c.at;
        while (c.at < text.len && text.ptr[c.at] >= 0x20 && text.ptr[c.at] < 0x7f && text.ptr[c.at] != quote &&
               text.ptr[c.at] != '\\')
            c.at++;
        allm__sb_range(vm, v.u.s, from, c.at);
        if (v.type == ALLM__V_BYTES) cp = c.at < text.len ? (unsigned char)text.ptr[c.at++] : -1;
        else cp = allm__tchars_next(&c);
        if (cp < 0) break;
        const char *special = cp && cp < 128 ? strchr("\\\n\r\t", cp) : NULL;
        if (cp == quote || special) {
            char t[2] = {'\\', cp == '\n' ? 'n' : cp == '\r' ? 'r' : cp == '\t' ? 't' : (char)cp};
            allm__sb_puts_as(vm, t, 2, c.user);
        } else if (v.type == ALLM__V_STR && cp >= 0x80 && allm__uni_printable(cp)) allm__sb_cp(vm, cp, c.user);
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
        allm__sb_int(vm, allm__tloop_length(vm, v.u.loop)), allm__sb_putc(vm, '>');
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
static int allm__sb_ends(allm__val v, const char *ends[2]) {
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
    if (!allm__sb_ends(v, ends)) { allm__sb_repr_flat(vm, v); return; }
    allm__sb_puts(vm, ends[0]);
    allm__vm_walk(vm, v, v);
    while (vm->n_walk > base && !vm->status) {
        allm__twalk *w = &vm->walk[vm->n_walk - 1];
        int          is_map = w->a.type == ALLM__V_DICT || w->a.type == ALLM__V_NS;
        size_t       i = w->i++, n = is_map ? w->a.u.d->n * 2 : w->a.type == ALLM__V_VIEW ? w->a.u.d->n : w->a.u.q->n;
        allm__val    item;
        if (i == n) {
            allm__sb_ends(w->a, ends);
            allm__sb_puts(vm, ends[1]);
            vm->n_walk--;
            continue;
        }
        if (i) allm__sb_puts(vm, is_map && i % 2 ? ": " : ", ");
        if (is_map) item = i % 2 ? w->a.u.d->v[i / 2].val : w->a.u.d->v[i / 2].key;
        else item = w->a.type == ALLM__V_VIEW ? allm__vm_dict_at(vm, w->a, i) : w->a.u.q->v[i];
        if (!allm__sb_ends(item, ends)) { allm__sb_repr_flat(vm, item); continue; }
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
    for (int32_t cp; !vm->status;) {
        size_t from = c.at, i = 0;
        while (c.at < v.u.s->len && !memchr("&<>'\"", v.u.s->ptr[c.at], 5)) c.at++;
        allm__sb_range(vm, v.u.s, from, c.at);
        if ((cp = allm__tchars_next(&c)) < 0) break;
        while (table[i].c != cp) i++;
        allm__sb_puts_as(vm, table[i].text, strlen(table[i].text), c.user);
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
                    right = reverse ? allm__vm_order(vm, ALLM__LT, k1[i], k1[j])
                                    : allm__vm_order(vm, ALLM__LT, k1[j], k1[i]);
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
    while (!vm->status) {
        size_t at = c.at;
        for (; c.at < v.u.s->len; c.at++) {
            unsigned char u = (unsigned char)v.u.s->ptr[c.at];
            if (u < 0x20 || u == '"' || u == '\\' || (ascii && u > 0x7e)) break;
        }
        allm__sb_range(vm, v.u.s, at, c.at);
        if ((cp = allm__tchars_next(&c)) < 0) break;
        const char *special = cp && cp < 128 ? strchr(from, cp) : NULL;
        if (special) {
            char t[2] = {'\\', to[special - from]};
            allm__sb_puts_as(vm, t, 2, c.user);
        } else if (cp < 0x10000) allm__sb_hex(vm, "\\u", cp, 4, c.user);
        else {
            allm__sb_hex(vm, "\\u", 0xd800 + ((cp - 0x10000) >> 10), 4, c.user);
            allm__sb_hex(vm, "\\u", 0xdc00 + ((cp - 0x10000) & 1023), 4, c.user);
        }
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
static const char *const allm__tmpl_signs[] = {"+", "-", "*", "/", "//", "%", "** or pow()"};

static allm__val allm__vm_store_big(allm__vm *vm, allm__vbig *b) {
    if (b->over) return allm__vm_fail(vm, "integer of more than %d digits", ALLM__BIG_MAX * 9);
    allm__val v = allm__vbig_store(&vm->arena, b);
    return v.type == ALLM__V_UNDEF ? allm__vm_no_memory(vm) : v;
}

/* int(f), which is finite. */
static allm__val allm__vm_trunc(allm__vm *vm, double f) {
    allm__vbig b;
    if (fabs(f) < 0x1p62) return allm__v_int((int64_t)f);
    allm__vbig_load(&b, allm__v_float(f));
    return allm__vm_store_big(vm, &b);
}

static allm__val allm__vm_big_op(allm__vm *vm, int op, allm__val a, allm__val b) {
    allm__vbig x, y;
    allm__vbig_load(&x, a), allm__vbig_load(&y, b);
    if (!allm__vm_work(vm, ALLM__BIG_MAX * ALLM__BIG_MAX)) return a;
    if (op == ALLM__MUL_) allm__vbig_mul(&x, &y);
    else if (op == ALLM__ADD_ || op == ALLM__SUB_) allm__vbig_add(&x, &y, op == ALLM__SUB_);
    else if (op != ALLM__POW_) return allm__vm_fail(vm, "integers of more than 64 bits are not divided");
    else { /* by squaring; 0 and +-1 to a power that is BIG stay what they are */
        int64_t n = b.type != ALLM__V_BIG ? b.u.i : x.n > 1 || (x.n == 1 && x.d[0] > 1) ? INT64_MAX : 2 + (y.d[0] & 1);
        for (allm__vbig_load(&y, allm__v_int(1)); n > 0 && !y.over; n >>= 1) {
            if (n & 1) allm__vbig_mul(&y, &x);
            if (n > 1) allm__vbig_mul(&x, &x);
        }
        x = y;
    }
    return allm__vm_store_big(vm, &x);
}

static allm__val allm__vm_int_op(allm__vm *vm, int op, allm__val a, allm__val b) {
    int64_t x = a.u.i, y = b.u.i;
    if (op >= ALLM__DIV_ && op <= ALLM__MOD_ && allm__v_is_int(b) && y == 0)
        return allm__vm_fail(vm, op == ALLM__DIV_   ? "division by zero"
                                 : op == ALLM__MOD_ ? "integer modulo by zero"
                                                    : "integer division or modulo by zero");
    if (op == ALLM__DIV_) return allm__v_float(allm__v_double(a) / allm__v_double(b));
    if (op == ALLM__POW_ && (b.type == ALLM__V_BIG ? b.u.b->negative : y < 0)) {
        if (allm__v_is_int(a) && x == 0) return allm__vm_fail(vm, "0.0 cannot be raised to a negative power");
        return allm__v_float(pow(allm__v_double(a), allm__v_double(b)));
    }
    if (a.type == ALLM__V_BIG || b.type == ALLM__V_BIG || op == ALLM__POW_) return allm__vm_big_op(vm, op, a, b);
    int64_t room = op == ALLM__MUL_ ? (int64_t)1 << 31 : (int64_t)1 << 62;
    if (op == ALLM__MOD_ && y == -1) return allm__v_int(0); /* where x is INT64_MIN the processor would trap */
    if (op == ALLM__FLOORDIV_ && y == -1) a = allm__v_int(0), b = allm__v_int(x), op = ALLM__SUB_, y = x, x = 0;
    if (op < ALLM__DIV_ && (x <= -room || x >= room || y <= -room || y >= room))
        return allm__vm_big_op(vm, op, a, b);
    switch (op) {
    case ALLM__ADD_: return allm__v_int(x + y);
    case ALLM__SUB_: return allm__v_int(x - y);
    case ALLM__MUL_: return allm__v_int(x * y);
    case ALLM__FLOORDIV_: return allm__v_int(x / y - (x % y != 0 && (x < 0) != (y < 0)));
    default: return allm__v_int(x % y + (x % y != 0 && (x < 0) != (y < 0) ? y : 0));
    }
}

/* CPython's float_divmod: *mod has the sign of y. */
static double allm__vm_float_divmod(double x, double y, double *mod) {
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
        return allm__vm_fail(vm, op == ALLM__DIV_   ? "float division by zero"
                                 : op == ALLM__MOD_ ? "float modulo"
                                                    : "float floor division by zero");
    switch (op) {
    case ALLM__ADD_: return allm__v_float(x + y);
    case ALLM__SUB_: return allm__v_float(x - y);
    case ALLM__MUL_: return allm__v_float(x * y);
    case ALLM__DIV_: return allm__v_float(x / y);
    case ALLM__FLOORDIV_: return allm__v_float(allm__vm_float_divmod(x, y, &mod));
    case ALLM__MOD_: allm__vm_float_divmod(x, y, &mod); return allm__v_float(mod);
    default:
        if (x == 0 && y < 0) return allm__vm_fail(vm, "0.0 cannot be raised to a negative power");
        if (x < 0 && isfinite(x) && isfinite(y) && y != floor(y))
            return allm__vm_fail(vm, "complex numbers are not supported");
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

static void allm__tfmt_exp(allm__buf *b, allm__dec *a, int prec,
                           int alt) { /* d.ddde+XX; a: the digits, to be rounded */
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
static void allm__tfmt_float(allm__buf *b, double v, char conv, int prec, int alt) {
    allm__dec a;
    size_t    from = b->len;
    if (!isfinite(v)) { allm__buf_puts(b, isnan(v) ? "nan" : "inf"); return; }
    memset(&a, 0, sizeof a);
    if (v > 0) allm__dec_from(&a, v);
    if (conv == 'f') {
        allm__num_fixed(b, v, prec);
        if (alt && prec == 0) allm__buf_putc(b, '.');
    } else if (conv == 'e') allm__tfmt_exp(b, &a, prec, alt);
    else {
        prec = prec ? prec : 1;
        allm__dec_round(&a, prec);
        int e = a.n ? a.point - 1 : 0, is_exp = e < -4 || e >= prec;
        if (is_exp) allm__tfmt_exp(b, &a, prec - 1, alt);
        else allm__num_fixed(b, v, prec - 1 - e);
        size_t end = b->len, cut, mantissa = from;
        if (b->failed) return;
        while (mantissa < end && b->ptr[mantissa] != 'e') mantissa++;
        for (cut = mantissa;
             !alt && memchr(b->ptr + from, '.', mantissa - from) && cut > from && b->ptr[cut - 1] == '0';)
            cut--;
        if (!alt && cut > from && b->ptr[cut - 1] == '.') cut--;
        memmove(b->ptr + cut, b->ptr + mantissa, end - mantissa);
        b->len = end - (mantissa - cut);
    }
}

/* |v| in base 2, 8, 10 or 16; a BIG always in base 10. */
static void allm__tfmt_int(allm__buf *b, allm__val v, unsigned base, int upper) {
    char     t[ALLM__MAX(ALLM__BIG_TEXT + 1, 64)];
    size_t   at = sizeof t, n;
    uint64_t u = v.u.i < 0 ? 0 - (uint64_t)v.u.i : (uint64_t)v.u.i;
    if (v.type == ALLM__V_BIG) {
        n = allm__vbig_text(v.u.b, t);
        allm__buf_put(b, t + v.u.b->negative, n - (size_t)v.u.b->negative);
        return;
    }
    do t[--at] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[u % base];
    while (u /= base);
    allm__buf_put(b, t + at, sizeof t - at);
}

/* A separator before every n-th of the digits that b begins with. */
static void allm__tfmt_group(allm__buf *b, char sep, size_t n) {
    size_t to = 0;
    while (to < b->len && b->ptr[to] != '.' && b->ptr[to] != 'e' && b->ptr[to] != '%') to++;
    if (n == 4) to = b->len;
    for (size_t at = to; at > n; at -= n) {
        if (!allm__buf_room(b, 1)) return;
        memmove(b->ptr + at - n + 1, b->ptr + at - n, b->len - 1 - (at - n));
        b->ptr[at - n] = sep;
    }
}

/* A field: sign and digits, or a text, in its width. */
static void allm__sb_field(allm__vm *vm, const allm__tfmt *f, const char *sign, allm_str body, size_t n_cp,
                           const allm__vstr *s) {
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
    size_t    n = 0;
    allm__buf b;
    memset(&b, 0, sizeof b);
    b.host = vm->host;
    int is_int   = conv && strchr("bdoxX", conv) != NULL;
    int negative = v.type == ALLM__V_FLOAT ? signbit(v.u.f) && !isnan(v.u.f)
                   : v.type == ALLM__V_BIG ? v.u.b->negative
                                           : v.u.i < 0;
    if (negative) sign[n++] = '-';
    else if (f->flags & (ALLM__F_PLUS | ALLM__F_SPACE)) sign[n++] = f->flags & ALLM__F_PLUS ? '+' : ' ';
    if (is_int && conv != 'd' && v.type == ALLM__V_BIG) {
        allm__vm_fail(vm, "integers of more than 64 bits are written in base 10 only");
        return;
    }
    if (is_int) {
        const char *p = conv == 'd' ? NULL : prefixes[conv == 'b' ? 0 : conv == 'o' ? 1 : conv == 'x' ? 2 : 3];
        if (p && (f->flags & ALLM__F_ALT)) sign[n++] = p[0], sign[n++] = p[1];
        allm__tfmt_int(&b, v, conv == 'b' ? 2u : conv == 'o' ? 8u : conv == 'd' ? 10u : 16u, conv == 'X');
        for (size_t i = b.len; f->prec >= 0 && i < (size_t)f->prec && !b.failed; i++) { /* %.5d: leading zeros */
            if (allm__buf_room(&b, 1)) memmove(b.ptr + 1, b.ptr, b.len - 1), b.ptr[0] = '0';
        }
    } else {
        double d     = fabs(allm__v_double(v)) * (conv == '%' ? 100 : 1);
        char   lower = conv >= 'A' && conv <= 'Z' ? (char)(conv + 32) : conv;
        allm__tfmt_float(&b, d,
                         lower == 0     ? 'g'
                         : lower == '%' ? 'f'
                                        : lower,
                         f->prec < 0 ? (lower == 0 ? 12 : 6) : f->prec, f->flags & ALLM__F_ALT);
        if (conv == 0 && !b.failed && isfinite(d) && !memchr(b.ptr, '.', b.len) && !memchr(b.ptr, 'e', b.len))
            allm__buf_puts(&b, ".0");
        for (size_t i = 0; conv && conv < 'a' && conv != '%' && i < b.len; i++)
            if (b.ptr[i] >= 'a' && b.ptr[i] <= 'z') b.ptr[i] = (char)(b.ptr[i] - 32);
        if (conv == '%') allm__buf_putc(&b, '%');
    }
    if (f->group && !b.failed) allm__tfmt_group(&b, f->group, is_int && conv != 'd' ? 4 : 3);
    if (b.failed) allm__vm_no_memory(vm);
    else allm__sb_field(vm, f, sign, allm__str(b.ptr, b.len), b.len, NULL);
    allm__buf_free(&b);
}

typedef struct allm__tprintf { /* the arguments of a % */
    allm__val args;
    size_t    next; /* of a tuple; else 0 or 1 */
    int       used; /* by name: all are */
} allm__tprintf;

static allm__val allm__tprintf_arg(allm__vm *vm, allm__tprintf *p) {
    size_t n = p->args.type == ALLM__V_TUPLE ? p->args.u.q->n : 1;
    if (p->next >= n) return allm__vm_fail(vm, "not enough arguments for format string");
    p->next++;
    return p->args.type == ALLM__V_TUPLE ? p->args.u.q->v[p->next - 1] : p->args;
}

static int allm__tprintf_int(allm__vm *vm, allm_str s, size_t *i) { /* width or precision */
    int64_t v = 0;
    for (; *i < s.len && s.ptr[*i] >= '0' && s.ptr[*i] <= '9'; ++*i)
        v = ALLM__MIN(v * 10 + (s.ptr[*i] - '0'), INT32_MAX);
    if (v > ALLM__F_MOST) allm__vm_fail(vm, "a field wider than %d", ALLM__F_MOST);
    return (int)ALLM__MIN(v, ALLM__F_MOST);
}

static void allm__tprintf_one(allm__vm *vm, allm__tfmt *f, allm__val v, int markup) {
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
        if (v.u.i < 0 || v.u.i > 0x10ffff || (v.u.i >= 0xd800 && v.u.i < 0xe000)) {
            allm__vm_fail(vm, "%%c arg not in range(0x110000)");
            return;
        }
        char u[4];
        allm__sb_field(vm, f, "", allm__str(u, allm__utf8_put(u, (int32_t)v.u.i)), 1, NULL);
        return;
    }
    if (v.type == ALLM__V_UNDEF) { allm__vm_undefined(vm, v); return; }
    if (!allm__v_is_number(v) || (v.type == ALLM__V_FLOAT && strchr("oxX", conv))) {
        allm__vm_fail(vm, "%%%c format: %s is required, not %s", conv, strchr("oxX", conv) ? "an integer" : "a number",
                      allm__v_names[v.type]);
        return;
    }
    if (v.type == ALLM__V_FLOAT && conv == 'd') {
        if (!isfinite(v.u.f)) {
            allm__vm_fail(vm, "cannot convert float %s to integer", isnan(v.u.f) ? "NaN" : "infinity");
            return;
        }
        v = allm__vm_trunc(vm, v.u.f);
    }
    if (!vm->status) allm__sb_number_field(vm, f, v);
}

/* One directive; *i stands behind the %. */
static void allm__tprintf_directive(allm__vm *vm, allm__val format, size_t *i, allm__tprintf *p) {
    static const char flags[] = "-+ #0";
    allm_str    s = allm__v_str(format);
    allm__tfmt  f = {0, 0, -1, ' ', 0, 0};
    const char *flag;
    allm__val   v = allm__v_undef();
    int         named = 0;
    if (*i < s.len && s.ptr[*i] == '(') {
        size_t from = ++*i;
        while (*i < s.len && s.ptr[*i] != ')') ++*i;
        if (*i == s.len) { allm__vm_fail(vm, "incomplete format key"); return; }
        if (p->args.type != ALLM__V_DICT) { allm__vm_fail(vm, "format requires a mapping"); return; }
        allm__val *found = allm__v_get(p->args.u.d, allm__str(s.ptr + from, *i - from));
        if (!found) { allm__vm_fail(vm, "KeyError: '%.*s'", (int)ALLM__MIN(*i - from, 100), s.ptr + from); return; }
        v = *found, named = p->used = 1, ++*i;
    }
    for (; *i < s.len && s.ptr[*i] && (flag = strchr(flags, s.ptr[*i])); ++*i) f.flags |= 1 << (flag - flags);
    f.width = allm__tprintf_int(vm, s, i);
    if (*i < s.len && s.ptr[*i] == '.') ++*i, f.prec = allm__tprintf_int(vm, s, i);
    while (*i < s.len && (s.ptr[*i] == 'h' || s.ptr[*i] == 'l' || s.ptr[*i] == 'L')) ++*i;
    if (*i >= s.len) { allm__vm_fail(vm, "incomplete format"); return; }
    f.conv = s.ptr[(*i)++];
    if (f.conv == '%') { allm__sb_putc(vm, '%'); return; }
    if (!f.conv || !strchr("srcadiuoxXeEfFgG", f.conv)) {
        allm__vm_fail(vm, "unsupported format character '%c' (0x%x) at index %llu", f.conv,
                      (unsigned)(unsigned char)f.conv, (unsigned long long)*i - 1);
        return;
    }
    if (f.conv == 'i' || f.conv == 'u') f.conv = 'd';
    if (!named) v = allm__tprintf_arg(vm, p);
    if ((f.flags & ALLM__F_ZERO) && !(f.flags & ALLM__F_LEFT) && !strchr("srac", f.conv))
        f.flags |= ALLM__F_INNER, f.fill = '0';
    if (!vm->status) allm__tprintf_one(vm, &f, v, format.u.s->markup);
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
        if (at < s.len) allm__tprintf_directive(vm, format, &i, &p);
    }
    size_t n    = args.type == ALLM__V_TUPLE ? args.u.q->n : 1;
    int    maps = args.type == ALLM__V_DICT || args.type == ALLM__V_LIST || args.type == ALLM__V_RANGE ||
               args.type == ALLM__V_UNDEF || args.type == ALLM__V_BYTES; /* has items: may go unused */
    if (!vm->status && p.next < n && !maps && !p.used)
        allm__vm_fail(vm, "not all arguments converted during string formatting");
    allm__val v = allm__sb_end(vm, m);
    return vm->status ? v : allm__vm_markup(vm, v, format.u.s->markup);
}

/* ---- str.format */

/* [[fill]align][sign][#][0][width][,_][.precision][type] */
static int allm__tfmt_parse(allm__vm *vm, allm_str s, allm__tfmt *f) {
    static const char aligns[] = "<>^=";
    static const int  bits[]   = {ALLM__F_LEFT, 0, ALLM__F_CENTER, ALLM__F_INNER};
    size_t            i = 0, n = s.len ? allm__v_step(s.ptr[0]) : 0;
    int               aligned = 0;
    f->flags = f->width = 0, f->prec = -1, f->fill = ' ', f->group = f->conv = 0;
    if (n && n < s.len && s.ptr[n] && strchr(aligns, s.ptr[n])) allm__utf8_next(s.ptr, n, &f->fill), i = n;
    if (i < s.len && s.ptr[i] && strchr(aligns, s.ptr[i]))
        f->flags = bits[strchr(aligns, s.ptr[i]) - aligns], i++, aligned = 1;
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
    f->width = allm__tprintf_int(vm, s, &i);
    if (i < s.len && (s.ptr[i] == ',' || s.ptr[i] == '_')) f->group = s.ptr[i++];
    if (i < s.len && s.ptr[i] == '.') {
        size_t from = ++i;
        f->prec     = allm__tprintf_int(vm, s, &i);
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
    if (!allm__tfmt_parse(vm, spec, &f)) return;
    int aligned = !(f.flags & ALLM__F_ALT << 8), is_float = v.type == ALLM__V_FLOAT;
    f.flags &= ~(ALLM__F_ALT << 8);
    int         is_str = v.type == ALLM__V_STR;
    int         is_int = !is_str && !is_float && (!f.conv || strchr("bcdoxXn", f.conv));
    const char *types  = is_str ? "s" : is_float ? "eEfFgG%n" : "bcdoxXneEfFgG%";
    const char *groups = is_str ? "" : f.group == ',' ? "deEfFgG%" : "deEfFgG%boxX"; /* that take a separator */
    if ((f.conv && !strchr(types, f.conv)) || (f.group && (is_str || (f.conv && !strchr(groups, f.conv)))) ||
        (f.prec >= 0 && is_int) ||
        (is_str && ((f.flags & (ALLM__F_PLUS | ALLM__F_SPACE | ALLM__F_ALT)) ||
                    ((f.flags & ALLM__F_INNER) && !(f.flags & ALLM__F_ZERO))))) {
        allm__vm_fail(vm, "Invalid format specifier '%.*s' for object of type '%s'", (int)ALLM__MIN(spec.len, 40),
                      spec.ptr, allm__v_names[v.type]);
        return;
    }
    if (is_str) {
        if (!aligned) f.flags |= ALLM__F_LEFT;
        if (f.flags & ALLM__F_INNER) f.flags = ALLM__F_LEFT;
        allm__sb_text_field(vm, &f, v);
        return;
    }
    if (f.conv == 'n') f.conv = is_float ? 'g' : 'd';
    if (f.conv == 'c') { allm__tprintf_one(vm, &f, v, 0); return; }
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
static allm__val allm__tformat_get(allm__vm *vm, allm__tformat *f, allm__val s, size_t from, size_t to) {
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
static size_t allm__tformat_end(allm_str s, size_t i, size_t *conv, size_t *spec) {
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

/* One field, s[i] being what follows its brace; returns the place behind it. */
static size_t allm__tformat_field(allm__vm *vm, allm__tformat *f, allm__val s, size_t i) {
    allm_str  text = allm__v_str(s), spec_text;
    size_t    conv, spec, end = allm__tformat_end(text, i, &conv, &spec);
    if (end == text.len) { allm__vm_fail(vm, "expected '}' before end of string"); return end; }
    allm__val v = allm__tformat_get(vm, f, s, i, conv);
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
    if (allm__str_find(spec_text, ALLM__S("{"), 0) != SIZE_MAX)
        allm__vm_fail(vm, "fields within a format specifier are not supported");
    if (vm->status) return end;
    if (!f->markup) allm__sb_format(vm, v, spec_text);
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
        else i = allm__tformat_field(vm, &f, s, at + 1);
    }
    allm__val v = allm__sb_end(vm, m);
    return vm->status ? v : allm__vm_markup(vm, v, s.u.s->markup);
}

/* ---- strftime, in the C locale */

static int64_t allm__tdate_days(int64_t y, int64_t m,
                                int64_t d) { /* since 1970-01-01; of the proleptic Gregorian calendar */
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

static allm__tdate allm__tdate_of(allm__tmpl_now now) {
    allm__tdate d = {now, 0, 0, 0, 0, 0};
    d.days     = allm__tdate_days(now.year, now.month, now.day);
    d.week_day = (int32_t)(((d.days + 4) % 7 + 7) % 7);
    d.year_day = (int32_t)(d.days - allm__tdate_days(now.year, 1, 1));
    int64_t thursday = d.days - (d.week_day + 6) % 7 + 3, y = now.year - 1; /* it tells the year of the week */
    while (allm__tdate_days(y + 1, 1, 1) <= thursday) y++;
    d.iso_year = y;
    d.iso_week = (int32_t)((thursday - allm__tdate_days(y, 1, 1)) / 7 + 1);
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
    static const char months[] =
        "January February March April May June July August September October November December";
    static const struct { char c; const char *is;
    } composed[]                 = {{'c', "a b e T Y"}, {'D', "m/d/y"},   {'F', "Y-m-d"}, {'R', "H:M"},
                                    {'T', "H:M:S"},     {'r', "I:M:S p"}, {'x', "m/d/y"}, {'X', "H:M:S"}};
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
    allm__tdate d    = allm__tdate_of(vm->ctx->now);
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
    if (a.type == ALLM__V_UNDEF || b.type == ALLM__V_UNDEF)
        return allm__vm_undefined(vm, a.type == ALLM__V_UNDEF ? a : b);
    if (allm__v_is_number(a) && allm__v_is_number(b)) {
        if (a.type != ALLM__V_FLOAT && b.type != ALLM__V_FLOAT) return allm__vm_int_op(vm, op, a, b);
        double x = allm__v_double(a), y = allm__v_double(b);
        return vm->status ? a : allm__vm_float_op(vm, op, x, y);
    }
    if (op == ALLM__ADD_ && a.type == ALLM__V_STR && b.type == ALLM__V_STR) return allm__vm_add_str(vm, a, b);
    if (op == ALLM__ADD_ && allm__v_is_seq(a) && a.type == b.type) return allm__vm_join_seq(vm, a, b);
    if (op == ALLM__ADD_ && (a.type == ALLM__V_STR || allm__v_is_seq(a)))
        return allm__vm_fail(vm, "can only concatenate %s (not \"%s\") to %s", allm__v_names[a.type],
                             allm__v_names[b.type], allm__v_names[a.type]);
    if (op == ALLM__MUL_ && (a.type == ALLM__V_STR || allm__v_is_seq(a))) return allm__vm_repeat(vm, a, b);
    if (op == ALLM__MUL_ && (b.type == ALLM__V_STR || allm__v_is_seq(b))) return allm__vm_repeat(vm, b, a);
    return allm__vm_fail(vm, "unsupported operand type(s) for %s: '%s' and '%s'", allm__tmpl_signs[op],
                         allm__v_names[a.type], allm__v_names[b.type]);
}

static allm__val allm__vm_negate(allm__vm *vm, allm__val v, int negative) { /* -v or +v */
    if (v.type == ALLM__V_UNDEF) return allm__vm_undefined(vm, v);
    if (!allm__v_is_number(v))
        return allm__vm_fail(vm, "bad operand type for unary %c: '%s'", negative ? '-' : '+', allm__v_names[v.type]);
    if (v.type == ALLM__V_FLOAT) return allm__v_float(negative ? -v.u.f : v.u.f);
    if (v.type == ALLM__V_BOOL) v.type = ALLM__V_INT;
    if (!negative) return v;
    if (v.type == ALLM__V_INT && v.u.i != INT64_MIN) return allm__v_int(-v.u.i);
    allm__vbig b;
    allm__vbig_load(&b, v);
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

#endif /* !ABSTRACTLLM_NO_JINJA */

// MARK: >>tmpl  Templates
/* Owns: Jinja, the language of chat templates, as transformers renders it: an ImmutableSandboxedEnvironment with
 * trim_blocks, lstrip_blocks, loop controls, the generation tag and Python's own semantics of values. What Jinja 3.1.6
 * on CPython gives, this gives, byte for byte; what it refuses is an error with row and column. Left out is what no
 * prompt needs: some of long integers, of formatting and of bytes (an error tells which), wordwrap at hyphens,
 * addresses without http or www in urlize, most names of characters in striptags.
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
 * The values themselves are in room tval. In order: filters, tests, methods, functions, tokens, the parser, the
 * machine, what other rooms call. */

#ifndef ABSTRACTLLM_NO_JINJA

/* ---- arguments */

/* An integer argument; NONE and absent give the fallback. */
static int64_t allm__tc_int(allm__vm *vm, const allm__tcall *c, int i, int64_t fallback) {
    allm__val v = c->a[i];
    if (v.type == ALLM__V_ABSENT || v.type == ALLM__V_NONE) return fallback;
    if (v.type == ALLM__V_UNDEF) allm__vm_undefined(vm, v);
    else if (v.type == ALLM__V_BIG) return v.u.b->negative ? -INT64_MAX : INT64_MAX;
    else if (!allm__v_is_int(v))
        allm__vm_fail(vm, "'%s' object cannot be interpreted as an integer", allm__v_names[v.type]);
    else return v.u.i;
    return fallback;
}

static int allm__tc_true(const allm__tcall *c, int i, int fallback) {
    return c->a[i].type == ALLM__V_ABSENT ? fallback : allm__v_true(c->a[i]);
}

/* A text argument; absent gives the fallback. Empty after an error. */
static allm__val allm__tc_str(allm__vm *vm, const allm__tcall *c, int i, const char *fallback) {
    allm__val v = c->a[i];
    if (v.type == ALLM__V_ABSENT && fallback) return allm__vm_text(vm, fallback);
    if (!allm__v_is_str(v)) {
        allm__vm_fail(vm, "argument %d must be str, not %s", i + 1, allm__v_names[v.type]);
        return allm__v_view(&vm->arena, "", 0, 0);
    }
    return v;
}

static int allm__tc_missing(const allm__tcall *c, int i) {
    return c->a[i].type == ALLM__V_ABSENT || c->a[i].type == ALLM__V_NONE;
}

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
            int is = allm__v_is_space(cp) || (cp < 128 && strchr("-({[<", cp) && cp);
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

static allm__val allm__vm_pad(allm__vm *vm, allm__val s, int64_t width, allm__val fill,
                              int how) { /* -1 left, 0 centre, 1 right */
    int64_t n = (int64_t)allm__v_count(s.u.s), gap = width - n, left;
    if (!allm__v_is_str(fill) || allm__v_count(fill.u.s) != 1)
        return allm__vm_fail(vm, "The fill character must be exactly one character long");
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
    int64_t   n = allm__tc_int(vm, c, 0, 80);
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
    int64_t   most = allm__tc_int(vm, c, 2, -1);
    if (vm->autoescape) {
        int escape = (allm__v_is_str(old) && old.u.s->markup) ||
                     (allm__v_is_str(new_) && new_.u.s->markup && !(allm__v_is_str(s) && s.u.s->markup));
        s    = escape ? allm__vm_escape(vm, s) : allm__vm_to_str(vm, s);
        old  = allm__vm_to_str(vm, old);
        new_ = !vm->status && s.u.s->markup ? allm__vm_escape(vm, new_) : allm__vm_to_str(vm, new_);
    } else s = allm__vm_plain(vm, s), old = allm__vm_plain(vm, old), new_ = allm__vm_plain(vm, new_);
    return vm->status ? s : allm__vm_replace(vm, s, old, new_, most);
}

/* Bytes of the line end at p[i]; 0: none. */
static size_t allm__v_line_end(allm_str s, size_t i) {
    static const char *const ends[] = {"\r\n", "\n",   "\r",       "\v",           "\f",          "\x1c",
                                       "\x1d", "\x1e", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"};
    unsigned char            c      = (unsigned char)s.ptr[i];
    if (c >= 0x20 && c != 0xc2 && c != 0xe2) return 0;
    for (size_t k = 0; k < ALLM__COUNT(ends); k++)
        if (allm__str_starts(allm__str(s.ptr + i, s.len - i), allm__str_of(ends[k]))) return strlen(ends[k]);
    return 0;
}

/* The next line of s from *at on, without its end, *to being the place behind it. 0: no more. */
static int allm__v_next_line(allm_str s, size_t *at, size_t *from, size_t *to, size_t *end) {
    size_t n = 0;
    if (*at >= s.len) return 0;
    *from = *to = *at;
    while (*to < s.len && !(n = allm__v_line_end(s, *to))) ++*to;
    *end = *at = *to + n;
    return 1;
}

static allm__val allm__f_indent(allm__vm *vm, const allm__tcall *c) {
    int       first = allm__tc_true(c, 1, 0), blank = allm__tc_true(c, 2, 0), i = 0;
    allm__val s = c->self, width = c->a[0], pad;
    size_t    at = 0, from, to = 0, end = 0;
    if (s.type == ALLM__V_UNDEF) return allm__vm_undefined(vm, s);
    if (!allm__v_is_str(s))
        return allm__vm_fail(vm, "unsupported operand type(s) for +=: '%s' and 'str'", allm__v_names[s.type]);
    allm__tmark m = allm__sb_begin(vm);
    if (!allm__v_is_str(width)) allm__sb_spaces(vm, allm__tc_int(vm, c, 0, 4));
    else allm__sb_str(vm, width);
    pad = allm__sb_end(vm, m);
    if (vm->status) return pad;
    m = allm__sb_begin(vm);
    if (first) allm__sb_str(vm, pad);
    allm_str text = allm__v_str(s);
    for (; !vm->status && allm__v_next_line(text, &at, &from, &to, &end); i++) {
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
    int64_t   length = allm__tc_int(vm, c, 0, 255), leeway = allm__tc_int(vm, c, 3, 5), n = allm__v_len(c->self);
    allm__val end = allm__tc_str(vm, c, 2, "..."), s = c->self;
    if (vm->status) return s;
    int64_t n_end = (int64_t)allm__v_count(end.u.s);
    if (length < n_end)
        return allm__vm_fail(vm, "expected length >= %lld, got %lld", (long long)n_end, (long long)length);
    if (leeway < 0) return allm__vm_fail(vm, "expected leeway >= 0, got %lld", (long long)leeway);
    if (n < 0) return allm__vm_fail(vm, "object of type '%s' has no len()", allm__v_names[s.type]);
    if (n <= length + leeway) return s;
    if (!allm__v_is_str(s)) return allm__vm_fail(vm, "'%s' object has no attribute 'rsplit'", allm__v_names[s.type]);
    s = allm__vm_substr(vm, s, 0, 1, length - n_end);
    if (vm->status) return s;
    size_t to = s.u.s->len;
    if (!allm__tc_true(c, 1, 0)) { /* whole words: up to the last blank */
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
        int is = allm__v_is_word(cp);
        n += is && !inside;
        inside = is;
    }
    return allm__v_int(n);
}

static int allm__f_wrap_blank(char c) { return c == ' ' || (c >= 9 && c <= 13); }

static size_t allm__f_wrap_run(const allm__vstr *s, size_t at, size_t to) { /* end of blanks or word */
    int blank = allm__f_wrap_blank(s->ptr[at]);
    while (at < to && allm__f_wrap_blank(s->ptr[at]) == blank) at++;
    return at;
}

/* Lines of at most `width` characters, broken at blanks, which go; hard: also within words longer than a line. */
static void allm__f_wrap_line(allm__vm *vm, const allm__vstr *s, size_t from, size_t to, int64_t width, int hard,
                              allm__val sep) {
    for (int n_lines = 0; from < to && allm__vm_work(vm, 64); n_lines++) {
        size_t  start = from, keep;
        int64_t used  = 0;
        if (n_lines && allm__f_wrap_blank(s->ptr[from])) start = from = allm__f_wrap_run(s, from, to);
        while (from < to) { /* as many words and gaps as fit */
            size_t  next = allm__f_wrap_run(s, from, to);
            int64_t n    = 0;
            for (size_t i = from; i < next; i++) n += ((unsigned char)s->ptr[i] & 0xc0) != 0x80;
            if (used + n > width) {
                if (n > width && hard) for (; used < width; used++) from += allm__v_step(s->ptr[from]);
                else if (!used) from = next;
                break;
            }
            used += n, from = next;
        }
        for (keep = from; keep > start && allm__f_wrap_blank(s->ptr[keep - 1]);) keep--;
        if (keep == start) continue;
        if (n_lines) allm__sb_str(vm, sep);
        allm__sb_range(vm, s, start, keep);
    }
}

static allm__val allm__f_wordwrap(allm__vm *vm, const allm__tcall *c) {
    int64_t   width = allm__tc_int(vm, c, 0, 79);
    allm__val sep = allm__tc_missing(c, 2) ? allm__vm_text(vm, "\n") : allm__tc_str(vm, c, 2, NULL), s = c->self;
    size_t    at = 0, from, to, end;
    if (s.type == ALLM__V_UNDEF) return allm__vm_undefined(vm, s);
    if (!allm__v_is_str(s))
        return allm__vm_fail(vm, "'%s' object has no attribute 'splitlines'", allm__v_names[s.type]);
    if (width <= 0) return allm__vm_fail(vm, "invalid width %lld (must be > 0)", (long long)width);
    allm__tmark m = allm__sb_begin(vm);
    for (int i = 0; !vm->status && allm__v_next_line(allm__v_str(s), &at, &from, &to, &end); i++) {
        if (i) allm__sb_str(vm, sep);
        allm__f_wrap_line(vm, s.u.s, from, to, width, allm__tc_true(c, 1, 1), sep);
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

/* The character of an HTML reference at s[i] = '&'; *end behind it. 0: it is none. The names are the usual ones. */
static int32_t allm__f_entity(allm_str s, size_t i, size_t *end) {
    static const struct { const char *name; int32_t cp;
    } table[]  = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}, {"nbsp", 0xa0}};
    size_t  at = i + 1;
    int32_t cp = 0;
    if (at < s.len && s.ptr[at] == '#') {
        int hex = at + 1 < s.len && (s.ptr[at + 1] | 32) == 'x', n = 0;
        for (at += 1 + (size_t)hex; at < s.len; at++, n++) {
            char c = (char)(s.ptr[at] | 32);
            int  d = s.ptr[at] >= '0' && s.ptr[at] <= '9' ? s.ptr[at] - '0'
                     : hex && c >= 'a' && c <= 'f'        ? c - 'a' + 10
                                                          : -1;
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
            end = comment ? allm__str_find(text, ALLM__S("-->"), at + 4) : allm__str_find(text, ALLM__S(">"), at);
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
        if (allm__v_is_space(cp)) { gap = some; continue; }
        if (gap) allm__sb_putc(vm, ' ');
        gap = 0, some = 1;
        if (cp == '&' && (entity = allm__f_entity(allm__v_str(s), at, &end)) > 0) cp = entity, t.at = end;
        allm__sb_cp(vm, cp, t.user);
    }
    return allm__sb_end(vm, m);
}

static void allm__sb_url(allm__vm *vm, allm__val v, int for_query) {
    v = allm__vm_to_str(vm, v);
    for (size_t i = 0; !vm->status && i < v.u.s->len; i++) {
        unsigned char c = (unsigned char)v.u.s->ptr[i];
        char          t[4];
        if (c < 0x80 && (allm__v_is_word(c) || strchr("-.~", c)) && c) allm__sb_range(vm, v.u.s, i, i + 1);
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
        allm__vm_fail(vm, "not enough values to unpack (expected %llu, got %llu)", (unsigned long long)n,
                      (unsigned long long)i);
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
        if (n++ || allm__tc_true(c, 0, 1)) allm__sb_putc(vm, ' ');
        allm__sb_escape(vm, p->key), allm__sb_puts(vm, "=\""), allm__sb_escape(vm, p->val), allm__sb_putc(vm, '"');
    }
    d = allm__sb_end(vm, m);
    return vm->status ? d : allm__vm_markup(vm, d, vm->autoescape);
}

/* Does s begin with a web address: http(s):// or www. and a host with a dot or a letter? */
static int allm__f_is_url(allm_str s) {
    size_t at = allm__str_starts(s, ALLM__S("https://"))  ? 8
                : allm__str_starts(s, ALLM__S("http://")) ? 7
                : allm__str_starts(s, ALLM__S("www."))    ? 4
                                                          : s.len;
    return at < s.len && ((unsigned char)s.ptr[at] >= 0x80 || allm__v_is_word((unsigned char)s.ptr[at])) &&
           allm__str_find(s, ALLM__S("."), at) != SIZE_MAX;
}

static int allm__f_is_email(allm_str s) { /* ^\S+@\w[\w.-]*\.\w+$ */
    size_t at = s.len, dot = 0;
    while (at > 0 && s.ptr[at - 1] != '@') at--;
    if (at < 2 || at == s.len || s.ptr[at] == '.' || s.ptr[at] == '-') return 0;
    for (size_t i = at; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '.') dot = i;
        else if (c < 0x80 && !allm__v_is_word(c) && c != '-') return 0;
    }
    return dot > at && dot + 1 < s.len && allm__v_is_word((unsigned char)s.ptr[dot + 1]);
}

/* One word of urlize, escaped already: an address between brackets and punctuation. */
static void allm__sb_urlize(allm__vm *vm, const allm__tcall *c, const allm__vstr *s, size_t from, size_t to,
                            const char *rel) {
    static const char *const heads[] = {"(", "&lt;"}, *const tails[] = {")", ".", ",", "&gt;"};
    size_t   a = from, b = to;
    int64_t  most = allm__tc_int(vm, c, 0, INT64_MAX);
    for (size_t k = 0; k < ALLM__COUNT(heads); k++)
        if (allm__str_starts(allm__str(s->ptr + a, b - a), allm__str_of(heads[k]))) a += strlen(heads[k]);
    for (size_t k = 0; k < ALLM__COUNT(tails); k++)
        if (allm__str_ends(allm__str(s->ptr + a, b - a), allm__str_of(tails[k]))) b -= strlen(tails[k]), k = SIZE_MAX;
    allm_str mid = allm__str(s->ptr + a, b - a);
    int      url = allm__f_is_url(mid), email = !url && allm__f_is_email(mid) && !memchr(mid.ptr, ':', mid.len);
    size_t   end = a;
    allm__sb_range(vm, s, from, a);
    if (url || email) {
        allm__sb_puts(vm, "<a href=\"");
        allm__sb_puts(vm, email ? "mailto:" : mid.ptr[0] == 'w' ? "https://" : "");
        allm__sb_range(vm, s, a, b), allm__sb_putc(vm, '"');
        if (url) allm__sb_puts(vm, " rel=\""), allm__sb_puts(vm, rel), allm__sb_putc(vm, '"');
        if (url && !allm__tc_missing(c, 2))
            allm__sb_puts(vm, " target=\""), allm__sb_escape(vm, c->a[2]), allm__sb_putc(vm, '"');
        allm__sb_putc(vm, '>');
        for (int64_t n = 0; end < b && (email || n < most); n++) end += allm__v_step(s->ptr[end]);
        allm__sb_range(vm, s, a, end), allm__sb_puts(vm, end < b ? "..." : ""), allm__sb_puts(vm, "</a>");
    } else allm__sb_range(vm, s, a, b);
    allm__sb_range(vm, s, b, to);
}

static allm__val allm__f_urlize(allm__vm *vm, const allm__tcall *c) {
    allm__val   s = allm__vm_escape(vm, c->self);
    const char *rel = allm__tc_true(c, 1, 0) ? "nofollow noopener" : "noopener";
    if (vm->status) return s;
    allm__tmark m = allm__sb_begin(vm);
    for (size_t at = 0; at < s.u.s->len && !vm->status;) {
        size_t  from = at, n = 0;
        int32_t cp = 0;
        while (at < s.u.s->len && (n = allm__utf8_next(s.u.s->ptr + at, s.u.s->len - at, &cp)) && !allm__v_is_space(cp))
            at += n;
        if (at > from) allm__sb_urlize(vm, c, s.u.s, from, at, rel);
        if (at < s.u.s->len) allm__sb_range(vm, s.u.s, at, at + n), at += n;
    }
    s = allm__sb_end(vm, m);
    return vm->status ? s : allm__vm_markup(vm, s, vm->autoescape);
}

static allm__val allm__f_tojson(allm__vm *vm, const allm__tcall *c) {
    allm__tjson o = {allm__tc_true(c, 0, 0), allm__tc_true(c, 3, 0), allm__v_none(), allm__v_none(), allm__v_none()};
    allm__val   kv[2];
    if (!allm__tc_missing(c, 1)) {
        o.indent = c->a[1];
        if (!allm__v_is_str(o.indent)) {
            int64_t     n = allm__tc_int(vm, c, 1, 0);
            allm__tmark m = allm__sb_begin(vm);
            allm__sb_spaces(vm, n);
            o.indent = allm__sb_end(vm, m);
        }
    }
    o.comma = allm__vm_text(vm, o.indent.type == ALLM__V_NONE ? ", " : ",");
    o.colon = allm__vm_text(vm, ": ");
    if (!allm__tc_missing(c, 2)) {
        if (!allm__vm_unpack(vm, c->a[2], 2, kv)) return c->self;
        if (!allm__v_is_str(kv[0]) || !allm__v_is_str(kv[1])) return allm__vm_fail(vm, "separators must be str");
        o.comma = kv[0], o.colon = kv[1];
    }
    if (vm->status) return c->self;
    allm__tmark m = allm__sb_begin(vm);
    allm__sb_json(vm, c->self, &o);
    return allm__sb_end(vm, m);
}


static allm__val allm__f_pprint(allm__vm *vm, const allm__tcall *c) { /* keys sorted, on one line */
    allm__val   v = c->self.type == ALLM__V_DICT && c->self.u.d->n > 1 ? allm__vm_sorted_dict(vm, c->self) : c->self;
    allm__tmark m = allm__sb_begin(vm);
    allm__sb_repr(vm, v);
    v = allm__sb_end(vm, m);
    if (!vm->status && v.u.s->len > 80) return allm__vm_fail(vm, "pprint of more than 80 columns is not supported");
    return v;
}

/* ---- filters on numbers */

/* A sign, digits with `_` between them, a base's prefix; 0: not an integer. */
static int allm__vm_parse_int(allm__vm *vm, allm_str s, int64_t base, allm__val *out) {
    allm__vbig b;
    size_t       from = 0, to = s.len;
    int          negative = 0;
    allm__v_trim(s.ptr, &from, &to, 1, 1);
    if (from < to && (s.ptr[from] == '-' || s.ptr[from] == '+')) negative = s.ptr[from++] == '-';
    if (to - from > 2 && s.ptr[from] == '0') {
        char p   = (char)(s.ptr[from + 1] | 32);
        int  own = p == 'x' ? 16 : p == 'o' ? 8 : p == 'b' ? 2 : 0;
        if (own && (base == 0 || base == own)) {
            from += 2, base = own;
            if (s.ptr[from] == '_') from++;
        }
    }
    if (base == 0) base = 10;
    if (!allm__vm_work(vm, (to - from) * 8) || !allm__vbig_parse(allm__str(s.ptr + from, to - from), (int)base, &b))
        return 0;
    b.negative = negative;
    *out       = allm__vm_store_big(vm, &b);
    return 1;
}

static int allm__v_parse_float(allm_str s, double *out) {
    char   t[1200];
    size_t from = 0, to = s.len, n = 0;
    int    over;
    allm__v_trim(s.ptr, &from, &to, 1, 1);
    if (to - from >= sizeof t) return 0;
    for (size_t i = from; i < to; i++) {
        char c = s.ptr[i];
        if (c != '_') { t[n++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c); continue; }
        if (i == from || i + 1 == to || s.ptr[i - 1] < '0' || s.ptr[i - 1] > '9' || s.ptr[i + 1] < '0' ||
            s.ptr[i + 1] > '9')
            return 0;
    }
    size_t   sign = n && (t[0] == '-' || t[0] == '+');
    allm_str rest = allm__str(t + sign, n - sign);
    if (allm__str_eq(rest, ALLM__S("inf")) || allm__str_eq(rest, ALLM__S("infinity"))) *out = HUGE_VAL;
    else if (allm__str_eq(rest, ALLM__S("nan"))) *out = (double)NAN;
    else if (rest.len && rest.ptr[0] != '-' && rest.ptr[0] != '+' && allm__num_parse(rest, out, &over))
        *out = over ? HUGE_VAL : *out;
    else return 0;
    if (sign && t[0] == '-') *out = -*out;
    return 1;
}

static allm__val allm__f_int(allm__vm *vm, const allm__tcall *c) {
    allm__val fallback = allm__tc_given(c, 0) ? c->a[0] : allm__v_int(0), v = c->self;
    int64_t   base = allm__tc_int(vm, c, 1, 10);
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
        if (allm__vm_parse_int(vm, allm__v_str(v), base, &v)) return v;
    if (!allm__v_parse_float(allm__v_str(v), &f) || !isfinite(f)) return fallback;
    return allm__vm_trunc(vm, f);
}

static allm__val allm__f_float(allm__vm *vm, const allm__tcall *c) {
    allm__val fallback = allm__tc_given(c, 0) ? c->a[0] : allm__v_float(0);
    double    f;
    if (c->self.type == ALLM__V_UNDEF) return allm__vm_undefined(vm, c->self);
    if (allm__v_is_number(c->self)) return allm__v_float(allm__v_double(c->self));
    if (c->self.type == ALLM__V_STR && allm__v_parse_float(allm__v_str(c->self), &f)) return allm__v_float(f);
    return fallback;
}

static allm__val allm__f_abs(allm__vm *vm, const allm__tcall *c) {
    allm__val v = c->self;
    if (!allm__v_is_number(v)) return allm__vm_fail(vm, "bad operand type for abs(): '%s'", allm__v_names[v.type]);
    if (v.type == ALLM__V_FLOAT) return allm__v_float(fabs(v.u.f));
    return allm__vm_negate(vm, v, v.type == ALLM__V_BIG ? v.u.b->negative : v.u.i < 0);
}

/* round(f, digits): half to even on the exact value. */
static double allm__f_round_double(double f, int64_t digits) {
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
static allm__val allm__f_round_int(allm__vm *vm, allm__val v, int64_t n) {
    if (n > 18) return allm__v_int(0);
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
    allm__val v = c->self, method = allm__tc_str(vm, c, 1, "common"), unit;
    int64_t   digits = allm__tc_int(vm, c, 0, 0);
    int       up = allm__v_eq_text(method, ALLM__S("ceil")), down = allm__v_eq_text(method, ALLM__S("floor"));
    if (vm->status) return v;
    if (!up && !down && !allm__v_eq_text(method, ALLM__S("common")))
        return allm__vm_fail(vm, "method must be common, ceil or floor");
    if (v.type == ALLM__V_UNDEF && (up || down)) return allm__vm_undefined(vm, v);
    if (!allm__v_is_number(v))
        return allm__vm_fail(vm, "type %s doesn't define __round__ method", allm__v_names[v.type]);
    if (!up && !down) {
        if (v.type == ALLM__V_FLOAT && c->a[0].type == ALLM__V_NONE)
            return allm__vm_trunc(vm, allm__f_round_double(v.u.f, 0));
        if (v.type == ALLM__V_FLOAT) return allm__v_float(allm__f_round_double(v.u.f, digits));
        return digits < 0 ? allm__f_round_int(vm, v, -digits) : allm__vm_negate(vm, v, 0);
    }
    unit = allm__vm_binary(vm, ALLM__POW_, allm__v_int(10), allm__v_int(digits));
    v    = allm__vm_binary(vm, ALLM__MUL_, v, unit);
    if (v.type == ALLM__V_FLOAT) {
        if (!isfinite(v.u.f))
            return allm__vm_fail(vm, "cannot convert float %s to integer", isnan(v.u.f) ? "NaN" : "infinity");
        v = allm__vm_trunc(vm, up ? ceil(v.u.f) : floor(v.u.f));
    }
    return allm__vm_binary(vm, ALLM__DIV_, v, unit);
}

static allm__val allm__f_filesizeformat(allm__vm *vm, const allm__tcall *c) {
    static const char *const names[2][8] = {{"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"},
                                            {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"}};
    int       binary = allm__tc_true(c, 0, 0), i = 0;
    double    n = 0, base = binary ? 1024 : 1000, unit = base;
    allm__val v = c->self;
    if (v.type == ALLM__V_UNDEF) return allm__vm_undefined(vm, v);
    if (allm__v_is_number(v)) n = allm__v_double(v);
    else if (!allm__v_is_str(v) || !allm__v_parse_float(allm__v_str(v), &n))
        return allm__vm_fail(vm, "could not convert to float");
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
    int use = c->self.type == ALLM__V_UNDEF || (allm__tc_true(c, 1, 0) && !allm__v_true(c->self));
    if (!use) return c->self;
    return allm__tc_given(c, 0) ? c->a[0] : allm__vm_text(vm, "");
}

static allm__val allm__f_length(allm__vm *vm, const allm__tcall *c) {
    if (c->self.type == ALLM__V_LOOP) return allm__v_int(allm__tloop_length(vm, c->self.u.loop));
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
        if (v.type == ALLM__V_UNDEF)
            return allm__vm_fail(vm, "'%s' object is not reversible", allm__v_names[c->self.type]);
    }
    allm__titer *it = allm__vm_iter(vm, v);
    if (it && allm__vm_next(vm, it, &item)) return item;
    return allm__vm_missing(vm, 2, v, v,
                            c->how ? "No last item, sequence was empty." : "No first item, sequence was empty.");
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
    allm__val    sep = allm__tc_given(c, 0) ? c->a[0] : allm__vm_text(vm, ""), path, item, v = c->self;
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
    allm__val    sum = allm__tc_given(c, 1) ? c->a[1] : allm__v_int(0), path = allm__vm_path(vm, c->a[0]), item;
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
        if (!allm__tc_true(c, 0, 0)) key = allm__vm_ignore_case(vm, key);
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
            key.u.q->v[k] = allm__tc_true(c, 1, 0) ? part : allm__vm_ignore_case(vm, part);
        }
        if (!vm->status) keys.u.q->v[i] = key; /* lists also for one: equal values are not asked for their order */
    }
    if (!vm->status) allm__vm_sort(vm, list.u.q->v, keys.u.q->v, list.u.q->n, allm__tc_true(c, 0, 0));
    return list;
}

static allm__val allm__f_dictsort(allm__vm *vm, const allm__tcall *c) {
    allm__val d = c->self, by = allm__tc_str(vm, c, 1, "key"), list, keys;
    int       is_value = allm__v_eq_text(by, ALLM__S("value"));
    if (vm->status) return d;
    if (!is_value && !allm__v_eq_text(by, ALLM__S("key")))
        return allm__vm_fail(vm, "You can only sort by either \"key\" or \"value\"");
    if (d.type == ALLM__V_UNDEF) return allm__vm_undefined(vm, d);
    if (d.type != ALLM__V_DICT) return allm__vm_fail(vm, "'%s object' has no attribute 'items'", allm__v_names[d.type]);
    list = allm__vm_seq(vm, ALLM__V_LIST, d.u.d->n), keys = allm__vm_seq(vm, ALLM__V_LIST, d.u.d->n);
    for (size_t i = 0; !vm->status && i < d.u.d->n; i++) {
        allm__vpair *p = &d.u.d->v[i];
        list.u.q->v[i] = allm__vm_pair(vm, p->key, p->val);
        keys.u.q->v[i] = is_value ? p->val : p->key;
        if (!allm__tc_true(c, 0, 0)) keys.u.q->v[i] = allm__vm_ignore_case(vm, keys.u.q->v[i]);
    }
    if (!vm->status) allm__vm_sort(vm, list.u.q->v, keys.u.q->v, d.u.d->n, allm__tc_true(c, 2, 0));
    return list;
}

static allm__val allm__f_groupby(allm__vm *vm, const allm__tcall *c) {
    allm__val   list = allm__vm_collect(vm, c->self), path = allm__vm_path(vm, c->a[0]), keys;
    allm__val   fallback = allm__tc_given(c, 1) ? c->a[1] : allm__v_none();
    allm__tlist groups   = {NULL, 0, 0};
    int         by_case  = allm__tc_true(c, 2, 0);
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
        group =
            allm__vm_pair(vm, by_case ? keys.u.q->v[i] : allm__vm_follow(vm, items.u.q->v[0], path, fallback), items);
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
    it->by_case = allm__tc_true(c, 0, 0), it->path = path, it->seen = seen.u.d;
    return allm__v_ptr(ALLM__V_ITER, it);
}

static allm__val allm__f_lists(allm__vm *vm, const allm__tcall *c) { /* batch, slice */
    allm__titer *it = allm__vm_titer(vm, c->how, c->self);
    int64_t      n  = allm__tc_int(vm, c, 0, 1);
    if (vm->status) return c->self;
    if (c->how == ALLM__IT_SLICES && n == 0) return allm__vm_fail(vm, "integer division or modulo by zero");
    it->n_lists = n, it->fallback = c->a[1];
    return allm__v_ptr(ALLM__V_ITER, it);
}

static allm__val allm__f_attr(allm__vm *vm, const allm__tcall *c) {
    allm__val v, name = c->a[0];
    if (!allm__v_is_str(name))
        return allm__vm_fail(vm, "attribute name must be string, not '%s'", allm__v_names[name.type]);
    if (allm__vm_attr(vm, c->self, name, &v)) return v;
    return allm__vm_missing(vm, 1, c->self, name, NULL);
}

static const allm__tfn allm__tmpl_filters[] = { /* name, code, parameters, how */
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
    {"urlize", allm__f_urlize, "?trim_url_limit nofollow target", 0, 0},
    {"wordcount", allm__f_wordcount, "", 0, 0},
    {"wordwrap", allm__f_wordwrap, "?width break_long_words wrapstring", 0, 0},
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
    allm__val rest = allm__vm_binary(vm, ALLM__MOD_, c->self, allm__tc_given(c, 0) ? c->a[0] : allm__v_int(2));
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
    return allm__v_bool((c->how ? allm__tfn_find(vm->tab.tests, vm->tab.n_tests, name)
                                : allm__tfn_find(vm->tab.filters, vm->tab.n_filters, name)) != NULL);
}

/* str.isX of all characters. */
enum { ALLM__IS_ALNUM, ALLM__IS_ALPHA, ALLM__IS_ASCII, ALLM__IS_DECIMAL, ALLM__IS_DIGIT, ALLM__IS_NUMERIC,
       ALLM__IS_IDENTIFIER, ALLM__IS_LOWER, ALLM__IS_UPPER, ALLM__IS_TITLE, ALLM__IS_PRINTABLE, ALLM__IS_SPACE };

static int allm__v_is_all(const allm__vstr *s, int what) {
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
                !(t.at > allm__v_step(s->ptr[0]) &&
                  (bits & (ALLM__UNI_MN | ALLM__UNI_GC(6) | ALLM__UNI_ND | ALLM__UNI_GC(11)))))
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
    return vm->status ? s : allm__v_bool(allm__v_is_all(s.u.s, c->how));
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

static const allm__tfn allm__tmpl_tests[] = {
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
    return allm__v_bool(allm__v_is_all(c->self.u.s, c->how));
}
static allm__val allm__m_strip(allm__vm *vm, const allm__tcall *c) {
    return allm__vm_strip(vm, c->self, c->a[0], c->how & 1, c->how & 2);
}

static allm__val allm__m_pad(allm__vm *vm, const allm__tcall *c) {
    int64_t   width = allm__tc_int(vm, c, 0, 0);
    allm__val fill  = allm__tc_str(vm, c, 1, " ");
    return vm->status ? fill : allm__vm_pad(vm, c->self, width, fill, c->how);
}

static allm__val allm__m_zfill(allm__vm *vm, const allm__tcall *c) {
    allm__val   s = c->self;
    int64_t     gap = allm__tc_int(vm, c, 0, 0) - allm__v_len(s);
    size_t      sign = s.u.s->len && (s.u.s->ptr[0] == '-' || s.u.s->ptr[0] == '+');
    allm__tmark m;
    if (gap <= 0 || vm->status) return s;
    m = allm__sb_begin(vm);
    allm__sb_range(vm, s.u.s, 0, sign);
    allm__sb_fill(vm, allm__vm_text(vm, "0"), gap);
    allm__sb_range(vm, s.u.s, sign, s.u.s->len);
    return allm__sb_end(vm, m);
}

/* Bytes [*from, *to) of the window that arguments i and i + 1 cut out (code points, as of a slice); 0: none. */
static int allm__tc_window(allm__vm *vm, const allm__tcall *c, int i, size_t *from, size_t *to) {
    int64_t n = allm__v_len(c->self), lo = allm__tc_int(vm, c, i, 0), hi = allm__tc_int(vm, c, i + 1, n);
    if (vm->status || !allm__vm_work(vm, c->self.u.s->len)) return 0;
    lo = ALLM__MAX(lo < 0 ? lo + n : lo, 0), hi = ALLM__MIN(ALLM__MAX(hi < 0 ? hi + n : hi, 0), n);
    if (lo > n || lo > hi) return 0;
    *from = allm__v_offset(c->self.u.s, (size_t)lo), *to = allm__v_offset(c->self.u.s, (size_t)hi);
    return 1;
}

/* startswith, endswith (how 1): of a text or any of a tuple. */
static allm__val allm__m_starts(allm__vm *vm, const allm__tcall *c) {
    size_t    from, to, n = c->a[0].type == ALLM__V_TUPLE ? c->a[0].u.q->n : 1;
    int       ok = allm__tc_window(vm, c, 1, &from, &to);
    for (size_t i = 0; i < n && !vm->status; i++) {
        allm__val what = c->a[0].type == ALLM__V_TUPLE ? c->a[0].u.q->v[i] : c->a[0];
        if (!allm__v_is_str(what))
            return allm__vm_fail(vm, "%s first arg must be str or a tuple of str, not %s",
                                 c->how ? "endswith" : "startswith", allm__v_names[what.type]);
        if (!ok) continue;
        allm_str s = allm__str(c->self.u.s->ptr + from, to - from);
        if (c->how ? allm__str_ends(s, allm__v_str(what)) : allm__str_starts(s, allm__v_str(what)))
            return allm__v_bool(1);
    }
    return allm__v_bool(0);
}

/* find, rfind, index, rindex: how bit 0: from the right, bit 1: not found is an error. */
static allm__val allm__m_find(allm__vm *vm, const allm__tcall *c) {
    size_t    from, to, at = SIZE_MAX;
    allm__val what = allm__tc_str(vm, c, 0, NULL);
    if (!vm->status && allm__tc_window(vm, c, 1, &from, &to)) {
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
    allm__val what = allm__tc_str(vm, c, 0, NULL);
    if (vm->status || !allm__tc_window(vm, c, 1, &from, &to)) return allm__v_int(0);
    allm_str s = allm__str(c->self.u.s->ptr, to), w = allm__v_str(what);
    if (!w.len) {
        for (size_t i = from; i < to; i++) n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
        return allm__v_int(n + 1);
    }
    for (; (from = allm__str_find(s, w, from)) != SIZE_MAX; from += w.len) n++;
    return allm__v_int(n);
}

static allm__val allm__m_replace(allm__vm *vm, const allm__tcall *c) {
    allm__val old = allm__tc_str(vm, c, 0, NULL), new_ = allm__tc_str(vm, c, 1, NULL);
    int64_t   most = allm__tc_int(vm, c, 2, -1);
    if (c->self.u.s->markup && !vm->status) new_ = allm__vm_escape(vm, new_);
    return vm->status ? new_ : allm__vm_replace(vm, c->self, old, new_, most);
}

/* split without a separator: at white space, from the left or (how 1) from the right. */
static void allm__m_split_space(allm__vm *vm, const allm__tcall *c, int64_t most, allm__tlist *l) {
    const char *p = c->self.u.s->ptr;
    size_t      from = 0, to = c->self.u.s->len, at;
    int32_t     cp;
    for (;;) {
        allm__v_trim(p, &from, &to, !c->how, c->how);
        if (from >= to || vm->status) return;
        if (most-- == 0) break;
        if (c->how) {
            for (at = to; at > from;) {
                size_t n = allm__v_back(p, at);
                allm__utf8_next(p + at - n, n, &cp);
                if (allm__v_is_space(cp)) break;
                at -= n;
            }
            allm__vm_add(vm, l, allm__vm_part(vm, c->self, at, to)), to = at;
        } else {
            for (at = from; at < to;) {
                size_t n = allm__utf8_next(p + at, to - at, &cp);
                if (allm__v_is_space(cp)) break;
                at += n;
            }
            allm__vm_add(vm, l, allm__vm_part(vm, c->self, from, at)), from = at;
        }
    }
    allm__vm_add(vm, l, allm__vm_part(vm, c->self, from, to)); /* what is left when the parts are limited */
}

static allm__val allm__m_split(allm__vm *vm, const allm__tcall *c) { /* how 1: rsplit */
    allm__tlist l    = {NULL, 0, 0};
    int64_t     most = allm__tc_int(vm, c, 1, -1);
    allm__vm_work(vm, c->self.u.s->len);
    if (most < 0) most = INT64_MAX;
    if (allm__tc_missing(c, 0)) allm__m_split_space(vm, c, most, &l);
    else {
        allm__val sep = allm__tc_str(vm, c, 0, NULL);
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
    while (!vm->status && allm__v_next_line(allm__v_str(c->self), &at, &from, &to, &end))
        allm__vm_add(vm, &l, allm__vm_part(vm, c->self, from, allm__tc_true(c, 0, 0) ? end : to));
    return allm__vm_list(vm, ALLM__V_LIST, &l);
}

static allm__val allm__m_partition(allm__vm *vm, const allm__tcall *c) { /* how 1: rpartition */
    allm__val sep = allm__tc_str(vm, c, 0, NULL), t = allm__vm_seq(vm, ALLM__V_TUPLE, 3), s = c->self, none;
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
    allm__val what = allm__tc_str(vm, c, 0, NULL), s = c->self;
    if (vm->status) return s;
    size_t n = what.u.s->len, len = s.u.s->len;
    if (!n || !(c->how ? allm__str_ends(allm__v_str(s), allm__v_str(what))
                       : allm__str_starts(allm__v_str(s), allm__v_str(what))))
        return s;
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
    int64_t      size = allm__tc_int(vm, c, 0, 8), column = 0;
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

static allm__val allm__m_format(allm__vm *vm, const allm__tcall *c) {
    return allm__vm_format(vm, c->self, c, allm__v_of(ALLM__V_ABSENT, 0));
}

static allm__val allm__m_format_map(allm__vm *vm, const allm__tcall *c) {
    if (c->n_kw) return allm__vm_fail(vm, "format_map() takes no keyword arguments");
    if (c->n_pos != 1) return allm__vm_fail(vm, "format_map() takes exactly one argument (%d given)", (int)c->n_pos);
    return allm__vm_format(vm, c->self, c, c->pos[0]);
}

static allm__val allm__m_encode(allm__vm *vm, const allm__tcall *c) { /* to UTF-8 or ASCII */
    allm__val   name = allm__tc_str(vm, c, 0, "utf-8"), errors = allm__tc_str(vm, c, 1, "strict"), v;
    if (vm->status) return name;
    allm__val   lower = allm__vm_case(vm, name, ALLM__CASE_LOWER);
    int32_t     cp, most = 0x10ffff;
    if (vm->status) return lower;
    if (allm__v_eq_text(lower, ALLM__S("ascii")) || allm__v_eq_text(lower, ALLM__S("us-ascii"))) most = 0x7f;
    else if (!allm__v_eq_text(lower, ALLM__S("utf-8")) && !allm__v_eq_text(lower, ALLM__S("utf8")))
        return allm__vm_fail(vm, "unknown encoding");
    allm__tmark m = allm__sb_begin(vm);
    for (allm__tchars t = {c->self.u.s, 0, 0, 0}; !vm->status && (cp = allm__tchars_next(&t)) >= 0;) {
        if (cp <= most) allm__sb_cp(vm, cp, t.user);
        else if (allm__v_eq_text(errors, ALLM__S("replace"))) allm__sb_putc(vm, '?');
        else if (!allm__v_eq_text(errors, ALLM__S("ignore")))
            allm__vm_fail(vm, "codec can't encode character U+%04X", (unsigned)cp);
    }
    v = allm__sb_end(vm, m);
    if (!vm->status) v.type = ALLM__V_BYTES;
    return v;
}

static allm__val allm__m_translate(allm__vm *vm, const allm__tcall *c) {
    int32_t     cp;
    allm__tmark m = allm__sb_begin(vm);
    for (allm__tchars t = {c->self.u.s, 0, 0, 0}; !vm->status && (cp = allm__tchars_next(&t)) >= 0;) {
        allm__val to, key = allm__v_int(cp);
        if (!allm__vm_subscript(vm, c->a[0], key, &to)) allm__sb_cp(vm, cp, t.user);
        else if (allm__v_is_str(to)) allm__sb_str(vm, to);
        else if (allm__v_is_int(to) && to.u.i >= 0 && to.u.i < 0x110000 && (to.u.i < 0xd800 || to.u.i > 0xdfff))
            allm__sb_cp(vm, (int32_t)to.u.i, 0);
        else if (to.type != ALLM__V_NONE) allm__vm_fail(vm, "character mapping must return integer, None or str");
    }
    return allm__sb_end(vm, m);
}

static allm__val allm__m_maketrans(allm__vm *vm, const allm__tcall *c) { /* of two texts */
    allm__val d = allm__vm_dict(vm, ALLM__V_DICT), a = allm__tc_str(vm, c, 0, NULL), b = allm__tc_str(vm, c, 1, NULL);
    int32_t   x, y;
    if (vm->status) return d;
    if (allm__v_count(a.u.s) != allm__v_count(b.u.s))
        return allm__vm_fail(vm, "the first two maketrans arguments must have equal length");
    allm__tchars s = {a.u.s, 0, 0, 0}, t = {b.u.s, 0, 0, 0};
    while ((x = allm__tchars_next(&s)) >= 0 && (y = allm__tchars_next(&t)) >= 0)
        allm__vm_put(vm, d, allm__v_int(x), allm__v_int(y));
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
    return allm__vm_fail(vm, "%.*s is not in %s", (int)ALLM__MIN(s.u.s->len, 100), s.u.s->ptr,
                         allm__v_names[c->self.type]);
}

static allm__val allm__m_copy(allm__vm *vm, const allm__tcall *c) {
    allm__val d;
    if (c->self.type == ALLM__V_LIST) return allm__vm_collect(vm, c->self);
    d = allm__vm_dict(vm, ALLM__V_DICT);
    for (size_t i = 0; !vm->status && i < c->self.u.d->n; i++)
        allm__vm_put(vm, d, c->self.u.d->v[i].key, c->self.u.d->v[i].val);
    return d;
}

static allm__val allm__m_get(allm__vm *vm, const allm__tcall *c) {
    allm__val *p = allm__vm_get(vm, c->self, c->a[0]);
    return p ? *p : allm__tc_given(c, 1) ? c->a[1] : allm__v_none();
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
    while (it && allm__vm_next(vm, it, &item))
        allm__vm_put(vm, d, item, allm__tc_given(c, 1) ? c->a[1] : allm__v_none());
    return d;
}

static allm__val allm__m_is_integer(allm__vm *vm, const allm__tcall *c) {
    (void)vm;
    return allm__v_bool(isfinite(c->self.u.f) && c->self.u.f == floor(c->self.u.f));
}

static allm__val allm__m_bit_length(allm__vm *vm, const allm__tcall *c) {
    int64_t n = 0;
    (void)vm;
    for (uint64_t u = c->self.u.i < 0 ? 0 - (uint64_t)c->self.u.i : (uint64_t)c->self.u.i; u; u >>= 1) n++;
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
static const allm__tfn allm__tmpl_methods[] = { /* name, code, parameters, how, types */
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
    {"maketrans", allm__m_maketrans, "x y", 0, ALLM__OF_STR},
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
    {"count", allm__m_seq_index, "value", 1, ALLM__BIT(LIST) | ALLM__BIT(TUPLE) | ALLM__BIT(RANGE)},
    {"index", allm__m_seq_index, "value", 0, ALLM__BIT(LIST) | ALLM__BIT(TUPLE) | ALLM__BIT(RANGE)},
    {"copy", allm__m_copy, "", 0, ALLM__BIT(LIST) | ALLM__OF_DICT},
    {"fromkeys", allm__m_fromkeys, "iterable ?value", 0, ALLM__OF_DICT | ALLM__BIT(FUNC)},
    {"get", allm__m_get, "key ?default", 0, ALLM__OF_DICT},
    {"items", allm__m_view, "", 2, ALLM__OF_DICT},
    {"keys", allm__m_view, "", 0, ALLM__OF_DICT},
    {"values", allm__m_view, "", 1, ALLM__OF_DICT},
    {"is_integer", allm__m_is_integer, "", 0, ALLM__BIT(FLOAT)},
    {"bit_length", allm__m_bit_length, "", 0, ALLM__BIT(BOOL) | ALLM__BIT(INT)},
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
        if (!allm__v_is_int(v))
            return allm__vm_fail(vm, "'%s' object cannot be interpreted as an integer", allm__v_names[v.type]);
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
        while (it && allm__vm_next(vm, it, &item) && allm__vm_unpack(vm, item, 2, kv))
            allm__vm_put(vm, d, kv[0], kv[1]);
    }
    for (int32_t i = 0; !vm->status && i < c->n_kw; i++) allm__vm_put(vm, d, c->kw[i].name, c->kw[i].val);
    for (size_t i = 0; c->how && !vm->status && i < d.u.d->n; i++) {
        allm__val key = d.u.d->v[i].key;
        if (allm__v_is_str(key) && key.u.s->len && key.u.s->ptr[0] == '_')
            return allm__vm_fail(vm, ALLM__NS_NAME, (int)ALLM__MIN(key.u.s->len, 60), key.u.s->ptr);
    }
    return d;
}

static allm__val allm__g_cycler(allm__vm *vm, const allm__tcall *c) { /* how 1: joiner */
    allm__vcycler *y = vm->status ? NULL : (allm__vcycler *)allm__arena_zero(&vm->arena, sizeof *y, sizeof(void *));
    int32_t        n = c->how ? 1 : c->n_pos;
    if (!c->how && !n) return allm__vm_fail(vm, "at least one item has to be provided");
    allm__val items = allm__vm_seq(vm, ALLM__V_TUPLE, (size_t)n);
    if (!y || vm->status) return allm__vm_no_memory(vm);
    for (int32_t i = 0; i < n; i++)
        items.u.q->v[i] = c->how ? allm__tc_given(c, 0) ? c->a[0] : allm__vm_text(vm, ", ") : c->pos[i];
    y->items = *items.u.q;
    return allm__v_ptr(c->how ? ALLM__V_JOINER : ALLM__V_CYCLER, y);
}

static allm__val allm__g_raise(allm__vm *vm, const allm__tcall *c) {
    allm__val s = allm__vm_to_str(vm, c->a[0]);
    return vm->status ? s : allm__vm_fail(vm, "%.*s", (int)ALLM__MIN(s.u.s->len, 1000), s.u.s->ptr);
}

static allm__val allm__g_strftime(allm__vm *vm, const allm__tcall *c) {
    allm__val format = c->a[0];
    if (!allm__v_is_str(format))
        return allm__vm_fail(vm, "strftime() argument 1 must be str, not %s", allm__v_names[format.type]);
    if (!vm->ctx->now.year) return allm__vm_fail(vm, "strftime_now: the time is not known here");
    allm__tmark m = allm__sb_begin(vm);
    allm__sb_strftime(vm, format);
    return allm__sb_end(vm, m);
}

static const allm__tfn allm__tmpl_functions[] = {
    {"cycler", allm__g_cycler, "*", 0, 0},
    {"dict", allm__g_dict, "*", 0, 0},
    {"joiner", allm__g_cycler, "?sep", 1, 0},
    {"namespace", allm__g_dict, "*", 1, 0},
    {"raise_exception", allm__g_raise, "message", 0, 0},
    {"range", allm__g_range, "*", 0, 0},
    {"strftime_now", allm__g_strftime, "format", 0, 0},
};

/* ---- tokens */

typedef enum allm__ttype {
    ALLM__TK_EOF, ALLM__TK_DATA, ALLM__TK_VAR_BEGIN, ALLM__TK_VAR_END, ALLM__TK_BLOCK_BEGIN, ALLM__TK_BLOCK_END,
    ALLM__TK_NAME, ALLM__TK_STRING, ALLM__TK_INT, ALLM__TK_FLOAT, ALLM__TK_ADD, ALLM__TK_SUB, ALLM__TK_DIV,
    ALLM__TK_FLOORDIV, ALLM__TK_MUL, ALLM__TK_MOD, ALLM__TK_POW, ALLM__TK_TILDE, ALLM__TK_LBRACKET, ALLM__TK_RBRACKET,
    ALLM__TK_LPAREN, ALLM__TK_RPAREN, ALLM__TK_LBRACE, ALLM__TK_RBRACE, ALLM__TK_EQ, ALLM__TK_NE, ALLM__TK_GT,
    ALLM__TK_GE, ALLM__TK_LT, ALLM__TK_LE, ALLM__TK_ASSIGN, ALLM__TK_DOT, ALLM__TK_COLON, ALLM__TK_PIPE,
    ALLM__TK_COMMA, ALLM__TK_SEMICOLON
} allm__ttype;

static const char *const allm__ttok_names[] = {
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
    allm__str_place(x->t->source, pos, place);
    va_start(args, format);
    x->status = allm__err_vset(x->err, ALLM_E_TEMPLATE, x->t->name, -1, place, format, args);
    va_end(args);
}

static int allm__tlex_is(const allm__tlex *x, size_t at, const char *text) {
    return allm__str_starts(allm__str(x->t->source.ptr + at, x->t->source.len - at), allm__str_of(text));
}

static size_t allm__tlex_space(const allm__tlex *x, size_t at) { /* behind the white space at `at` */
    size_t to = x->t->source.len;
    allm__v_trim(x->t->source.ptr, &at, &to, 1, 0);
    return at;
}

/* The text [from, to) before a tag with the given sign: stripped as the sign and lstrip_blocks say. */
static allm_str allm__tlex_strip(const allm__tlex *x, size_t from, size_t to, char sign, int is_var) {
    const char *p = x->t->source.ptr;
    size_t      line = to, end = to, begin = from;
    if (sign == '-') allm__v_trim(p, &begin, &end, 0, 1);
    else if (sign != '+' && !is_var) {
        while (line > from && p[line - 1] != '\n') line--;
        begin = line;
        allm__v_trim(p, &begin, &end, 0, 1);
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
    while (i < to &&
           ((s.ptr[i] >= '0' && s.ptr[i] <= '9') || (s.ptr[i] == '_' && i > at && s.ptr[i - 1] != '_' && i + 1 < to &&
                                                     s.ptr[i + 1] >= '0' && s.ptr[i + 1] <= '9')))
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
            int    d = k < s.len && s.ptr[k] >= '0' && s.ptr[k] <= '9' ? c - '0'
                       : c >= 'a' && c <= 'f'                          ? c - 'a' + 10
                                                                       : 99;
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
        if (x->n_open == ALLM__T_DEPTH)
            allm__tlex_fail(x, at, "brackets are nested deeper than %d levels", ALLM__T_DEPTH);
        else x->open[x->n_open++] = c == '(' ? ')' : (char)(c + 2);
    } else if (c == ')' || c == ']' || c == '}') {
        char want = x->n_open ? x->open[--x->n_open] : 0;
        if (!want) allm__tlex_fail(x, at, "unexpected '%c'", c);
        else if (want != c) allm__tlex_fail(x, at, "unexpected '%c', expected '%c'", c, want);
    }
}

/* Inside a tag. */
static void allm__tlex_tag(allm__tlex *x, allm__ttok *tok) {
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
    } else if (allm__v_is_word(cp)) {
        tok->type = ALLM__TK_NAME;
        for (size_t i = at; i < s.len && allm__v_is_word(cp); n = i - at) {
            i += allm__utf8_next(s.ptr + i, s.len - i, &cp);
            if (i < s.len) allm__utf8_next(s.ptr + i, s.len - i, &cp);
        }
        allm__vstr name = {s.ptr + at, n, SIZE_MAX, NULL, 0, NULL, 0};
        if (!allm__v_is_all(&name, ALLM__IS_IDENTIFIER)) allm__tlex_fail(x, at, "Invalid character in identifier");
    } else if (cp == '"' || cp == '\'') {
        for (end = at + 1; end < s.len && s.ptr[end] != cp; end++) end += s.ptr[end] == '\\';
        if (end < s.len) {
            tok->type = ALLM__TK_STRING, tok->text = allm__str(s.ptr + at + 1, end - at - 1), x->pos = end + 1;
            return;
        }
    }
    for (int type = n ? ALLM__TK_SEMICOLON + 1 : ALLM__TK_ADD; type <= ALLM__TK_SEMICOLON; type++) { /* the longest */
        size_t len = strlen(allm__ttok_names[type]);
        if (len > n && allm__tlex_is(x, at, allm__ttok_names[type])) n = len, tok->type = (allm__ttype)type;
    }
    if (n == 1 && tok->type >= ALLM__TK_ADD) allm__tlex_bracket(x, s.ptr[at], at);
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
    static const struct { const char *name; int32_t cp;
    } named[] = { /* a few of \N{...}; the whole table is not here */
        {"BULLET", 0x2022}, {"EM DASH", 0x2014}, {"EN DASH", 0x2013}, {"ELLIPSIS", 0x2026},
        {"HORIZONTAL ELLIPSIS", 0x2026}, {"NO-BREAK SPACE", 0xa0}, {"ZERO WIDTH SPACE", 0x200b},
        {"FULLWIDTH VERTICAL LINE", 0xff5c}, {"LOWER ONE EIGHTH BLOCK", 0x2581}, {"RIGHTWARDS ARROW", 0x2192},
        {"LEFT DOUBLE QUOTATION MARK", 0x201c}, {"RIGHT DOUBLE QUOTATION MARK", 0x201d},
        {"LEFT SINGLE QUOTATION MARK", 0x2018}, {"RIGHT SINGLE QUOTATION MARK", 0x2019}, {"DEGREE SIGN", 0xb0},
        {"REPLACEMENT CHARACTER", 0xfffd}};
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
            for (i = at + 1; i < at + 4 && i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '7'; i++)
                cp = cp * 8 + (s.ptr[i] - '0');
            allm__buf_put_cp(b, cp);
        } else if (c == 'N') {
            size_t   end = allm__str_find(s, ALLM__S("}"), i);
            allm_str name =
                i < s.len && s.ptr[i] == '{' && end != SIZE_MAX ? allm__str(s.ptr + i + 1, end - i - 1) : ALLM__S("");
            for (size_t k = 0; k < ALLM__COUNT(named); k++)
                if (allm__str_eq(name, allm__str_of(named[k].name))) cp = named[k].cp;
            if (!cp) {
                allm__tlex_fail(x, tok->pos,
                                name.len ? "unknown Unicode character name" : "malformed \\N character escape");
                return;
            }
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
static const char *const allm__tp_fixed[] = {"caller", "kwargs", "varargs", "loop", "self"};

/* What waits on the expression stack: brackets first, then operators. */
enum { ALLM__X_ROOT, ALLM__X_PAREN, ALLM__X_LIST, ALLM__X_DICT, ALLM__X_ITEM, ALLM__X_CALL, ALLM__X_FILTER,
       ALLM__X_TEST, ALLM__X_TEST_ARG, ALLM__X_COND, ALLM__X_ELSE, ALLM__X_OR, ALLM__X_AND, ALLM__X_NOT,
       ALLM__X_COMPARE, ALLM__X_ADD, ALLM__X_CONCAT, ALLM__X_MUL, ALLM__X_POW, ALLM__X_UNARY };
static const uint8_t allm__tx_prec[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};

enum { ALLM__WANT, ALLM__POSTFIX, ALLM__PIPES, ALLM__OPERATOR, ALLM__ITEM_PART, ALLM__DONE }; /* of its parser */
enum { ALLM__E_TUPLE = 1, ALLM__E_NO_COND = 2, ALLM__E_PIPES = 4 }; /* what kind of expression is wanted */

typedef struct allm__tx {
    uint8_t kind, op, flag, state; /* state: where to go on when the bracket closes */
    int32_t start, base;           /* code of the expression inside; of what stands before the bracket */
    int32_t n, patch, tags;        /* items; jump to set; tags below this one's */
    int32_t name, inside;          /* inside: the innermost bracket or condition on the stack, this one counted */
    size_t  pos;
} allm__tx;

enum { ALLM__B_IF, ALLM__B_ELSE, ALLM__B_FOR, ALLM__B_FOR_ELSE, ALLM__B_MACRO, ALLM__B_CALL, ALLM__B_FILTER,
       ALLM__B_SET, ALLM__B_WITH, ALLM__B_AUTOESCAPE, ALLM__B_BLOCK, ALLM__B_GENERATION };
static const struct { const char *tag, *end[3]; int function;
} allm__tb_rows[] = {
    /* function: no break out of it */
    {"if", {"elif", "else", "endif"}, 0},
    {"if", {"endif"}, 0},
    {"for", {"endfor", "else"}, 0},
    {"for", {"endfor"}, 0},
    {"macro", {"endmacro"}, 1},
    {"call", {"endcall"}, 1},
    {"filter", {"endfilter"}, 0},
    {"set", {"endset"}, 0},
    {"with", {"endwith"}, 0},
    {"autoescape", {"endautoescape"}, 0},
    {"block", {"endblock"}, 1},
    {"generation", {"endgeneration"}, 1},
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
    int            n_bare_ifs; /* conditions of this expression that had no else and were followed by another */
    int32_t        base;       /* where the code of the operand just read begins */
    allm__tx      *stack;
    allm__tb      *blocks;
    allm__ttag    *tags;       /* of calls that are open */
    allm__ttarget *targets;
    allm__tseen   *seen;
    int32_t       *unknown;    /* unknown filters of this expression: instructions */
    int32_t       *slices;     /* a[b:c] that no constant expression has used up: instructions */
    uint8_t       *touched;    /* of each name, how the outermost scope came to know it */
    size_t n_stack, n_blocks, n_tags, n_targets, n_seen, n_unknown, n_slices, n_touched;
    size_t cap_stack, cap_blocks, cap_tags, cap_targets, cap_seen, cap_unknown, cap_slices, cap_touched;
    int n_inner, n_ifs; /* open blocks with a scope of their own, and others; n_inner counts a few expressions, too */
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

static int allm__ttok_is(const allm__ttok *tok, const char *name) {
    return tok->type == ALLM__TK_NAME && allm__str_eq(tok->text, allm__str_of(name));
}
static int allm__tp_is(const allm__tp *p, const char *name) { return allm__ttok_is(&p->cur, name); }

static allm_str allm__ttok_text(const allm__ttok *tok) { /* for messages */
    allm_str s = tok->type == ALLM__TK_NAME ? tok->text : allm__str_of(allm__ttok_names[tok->type]);
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
    allm_str got = allm__ttok_text(&p->cur);
    if (p->cur.type == ALLM__TK_EOF) ALLM__TP_FAIL(p, p->cur.pos, "unexpected end of template, expected '%s'.", what);
    else ALLM__TP_FAIL(p, p->cur.pos, "expected token '%s', got '%.*s'", what, (int)got.len, got.ptr);
}

static int allm__tp_expect(allm__tp *p, allm__ttype type) {
    if (!p->x.status && p->cur.type != type) allm__tp_expected(p, allm__ttok_names[type]);
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

enum { ALLM__MOVING = 128 }; /* flag of a filter whose value is not known at compile time */

static int32_t allm__tp_here(const allm__tp *p) { return (int32_t)p->t->n_code; }

static int32_t allm__tp_emit(allm__tp *p, int op, int flag, int32_t a, size_t pos) { /* its index */
    allm__tins *ins = ALLM__TP_ADD(p, p->t, code, allm__tins);
    if (!ins) return 0;
    ins->op = (uint8_t)op, ins->flag = (uint8_t)flag, ins->a = a, ins->pos = (uint32_t)pos;
    if (op == ALLM__O_LOAD || op == ALLM__O_CALL || flag & ALLM__MOVING) p->last_moving = allm__tp_here(p) - 1;
    p->is_call = op == ALLM__O_CALL;
    return allm__tp_here(p) - 1;
}

static void allm__tp_emit_const(allm__tp *p, allm__val v, size_t pos) {
    allm__tp_emit(p, ALLM__O_CONST, 0, allm__tp_const(p, v), pos);
}

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
    for (size_t i = p->n_slices; i-- > 0 && p->slices[i] >= at;) p->slices[i]++;
}

/* caller, kwargs, varargs: a macro takes them if its body reads them before it assigns to them. */
static int32_t allm__tp_special(allm_str name) {
    return allm__str_eq(name, ALLM__S("caller"))    ? ALLM__T_CALLER
           : allm__str_eq(name, ALLM__S("kwargs"))  ? ALLM__T_KWARGS
           : allm__str_eq(name, ALLM__S("varargs")) ? ALLM__T_VARARGS
                                                    : 0;
}

static void allm__tp_see(allm__tp *p, allm_str name, int is_load) {
    int32_t bit = allm__tp_special(name);
    for (size_t i = p->n_seen; bit && i-- > 0 && !p->seen[i].wall;)
        if (!is_load) p->seen[i].hidden |= bit;
        else if (!(p->seen[i].hidden & bit)) p->seen[i].used |= bit;
}

/* Jinja's compiler decides once what a name is in a scope. If the outermost one assigns to a name before it reads it,
 * the name is missing until then, also for a loop or macro above that reads it: the caller's variable stays hidden. */
enum { ALLM__UNTOUCHED, ALLM__TOUCHED, ALLM__READ_INSIDE };
static void allm__tp_touch(allm__tp *p, int32_t name, int is_store) {
    while (p->n_touched <= (size_t)name && !p->x.status) ALLM__TP_ADD(p, p, touched, uint8_t);
    if (p->x.status || p->touched[name] == ALLM__TOUCHED || (p->n_inner && is_store)) return;
    if (is_store && !p->n_ifs && p->touched[name] == ALLM__READ_INSIDE) {
        int32_t *slot = ALLM__TP_ADD(p, p->t, hidden, int32_t);
        if (slot) *slot = name;
    }
    p->touched[name] = p->n_inner ? ALLM__READ_INSIDE : ALLM__TOUCHED;
}

/* ---- expressions */

static allm__tx *allm__tx_push(allm__tp *p, int kind, size_t pos) {
    allm__tx *e = ALLM__TP_ADD(p, p, stack, allm__tx);
    if (!e) return NULL;
    e->kind = (uint8_t)kind, e->pos = pos, e->start = e->base = allm__tp_here(p), e->tags = (int32_t)p->n_tags;
    e->inside = allm__tx_prec[kind] > 1 && p->n_stack > 1 ? e[-1].inside : (int32_t)p->n_stack - 1;
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
    allm__vbig b;
    allm__val    v = allm__v_undef();
    double       f;
    if (p->cur.type == ALLM__TK_INT) {
        char   c    = s.len > 1 ? (char)(s.ptr[1] | 32) : 0;
        int    base = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 10;
        size_t skip = base == 10 ? 0 : s.len > 2 && s.ptr[2] == '_' ? 3 : 2;
        allm__vbig_parse(allm__str(s.ptr + skip, s.len - skip), base, &b);
        if (b.over) { ALLM__TP_FAIL(p, p->cur.pos, "integer of more than %d digits", ALLM__BIG_MAX * 9); return; }
        v = allm__vbig_store(&p->t->arena, &b);
    } else if (!allm__v_parse_float(s, &f)) { ALLM__TP_FAIL(p, p->cur.pos, "a number too long"); return; }
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
        int32_t name = allm__tp_name(p, p->cur.text);
        allm__tp_see(p, p->cur.text, 1);
        allm__tp_touch(p, name, 0);
        allm__tp_emit(p, ALLM__O_LOAD, 0, name, p->cur.pos);
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
            if (p->tags[k].kind == ALLM__TAG_KW && p->tags[k].name == tag->name)
                ALLM__TP_FAIL(p, e->pos, "keyword argument repeated");
    }
    allm__tinfo *info = ALLM__TP_ADD(p, p->t, infos, allm__tinfo);
    if (!info) return 0;
    info->tag = first, info->n_tags = (int32_t)p->n_tags - e->tags, info->fn = fn, info->name = name;
    p->n_tags = (size_t)e->tags;
    return (int32_t)p->t->n_infos - 1;
}

/* jinja computes constant parts at compile time, and there a slice of what cannot be cut is undefined, not an error. Is
 * all code from `start` on constant? Then operators and filters have used up what was undefined in it. */
static void allm__tx_fold(allm__tp *p, int32_t start) {
    while (p->last_moving < start && p->n_slices && p->slices[p->n_slices - 1] >= start)
        p->t->code[p->slices[--p->n_slices]].flag = 0;
}

/* A call, filter or test is complete. e: a copy of its bracket. */
static void allm__tx_finish_call(allm__tp *p, const allm__tx *e) {
    const allm__tfn *fn = NULL;
    int              is_filter = e->kind == ALLM__X_FILTER, is_call = e->kind == ALLM__X_CALL;
    if (!is_call) {
        allm_str name = p->x.status ? ALLM__S("") : allm__v_str(p->t->names[e->name]);
        fn = is_filter ? allm__tfn_find(allm__tmpl_filters, ALLM__COUNT(allm__tmpl_filters), name)
                       : allm__tfn_find(allm__tmpl_tests, ALLM__COUNT(allm__tmpl_tests), name);
    }
    int32_t info = allm__tx_info(p, e, fn, e->name);
    int     lazy = fn && (fn->call == allm__f_lazy || fn->call == allm__f_select || fn->call == allm__f_random);
    int32_t at   = allm__tp_emit(p,
                               is_call     ? ALLM__O_CALL
                                 : is_filter ? ALLM__O_FILTER
                                             : ALLM__O_TEST,
                               lazy ? ALLM__MOVING : 0, info, e->pos);
    if (!is_call && !fn && !p->soft) {
        int soft = 0;
        for (size_t i = p->n_stack; i-- > 0 && !soft;)
            soft = p->stack[i].kind == ALLM__X_COND || p->stack[i].kind == ALLM__X_ELSE;
        int32_t *slot = soft ? NULL : ALLM__TP_ADD(p, p, unknown, int32_t);
        if (slot) *slot = at;
    }
    if (!is_call && !p->x.status) allm__tx_fold(p, p->stack[allm__tx_top(p)->inside].start);
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
    if (kind == ALLM__X_CALL && p->base < allm__tp_here(p))
        pos = p->t->code[p->base].pos; /* where what is called begins */
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
    int32_t at = allm__tp_emit(p, ALLM__O_GETITEM, done.n == 1 && done.op, 0, done.pos), *slot = NULL;
    if (done.n == 1 && done.op && p->last_moving < done.base && (slot = ALLM__TP_ADD(p, p, slices, int32_t)))
        *slot = at;
    return ALLM__POSTFIX;
}

/* A part of a subscript was read, or is left out; the next tokens tell what it was. */
static int allm__tx_item_part(allm__tp *p) {
    allm__tx *e = allm__tx_top(p);
    if (e->flag == 0) {
        if (!allm__tp_skip_type(p, ALLM__TK_COLON)) return e->op = 0, allm__tx_item_end(p);
        e->flag = 1;
        if (p->cur.type != ALLM__TK_COLON && p->cur.type != ALLM__TK_RBRACKET && p->cur.type != ALLM__TK_COMMA)
            return allm__tx_want(p);
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
    if (allm__tp_is(p, "not") && top->kind != ALLM__X_TEST_ARG &&
        allm__tx_prec[top->kind] < allm__tx_prec[ALLM__X_COMPARE]) {
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
        allm_str got = allm__ttok_text(&p->cur);
        if (top->kind == ALLM__X_ROOT && top->flag & ALLM__E_TUPLE && top->n == 0 && allm__tx_tuple_end(p) &&
            top->start == allm__tp_here(p) && !top->op)
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
        if (p->cur.type == ALLM__TK_NAME)
            allm__tp_emit(p, ALLM__O_GETATTR, 0, allm__tp_name(p, p->cur.text), p->cur.pos);
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
    int         argument =
        type == ALLM__TK_STRING || type == ALLM__TK_INT || type == ALLM__TK_FLOAT || type == ALLM__TK_LBRACKET ||
        type == ALLM__TK_LBRACE ||
        (type == ALLM__TK_NAME && !allm__tp_is(p, "else") && !allm__tp_is(p, "or") && !allm__tp_is(p, "and"));
    if (type == ALLM__TK_NAME && allm__tp_is(p, "is"))
        ALLM__TP_FAIL(p, p->cur.pos, "You cannot chain multiple tests with is");
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
    while (!p->x.status && allm__tx_prec[allm__tx_top(p)->kind] >= prec) {
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
        if (e.kind != ALLM__X_AND && e.kind != ALLM__X_OR) allm__tx_fold(p, p->stack[allm__tx_top(p)->inside].start);
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
    while (!p->x.status && (allm__tx_top(p)->kind == ALLM__X_COND || allm__tx_top(p)->kind == ALLM__X_ELSE))
        allm__tx_end_cond(p);
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
        if (allm__tp_is(p, "not") && allm__ttok_is(allm__tp_look(p), "in"))
            return allm__tp_next(p), *op = ALLM__NOT_IN, ALLM__X_COMPARE;
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
        allm__tx_reduce(p, allm__tx_prec[ALLM__X_OR]);
        if (p->x.status) return ALLM__DONE;
        if (allm__tp_is(p, "if")) {
            if (allm__tx_top(p)->kind == ALLM__X_COND && ++p->n_bare_ifs > 100)
                ALLM__TP_FAIL(p, pos, "more than 100 conditions without else");
            while (allm__tx_top(p)->kind == ALLM__X_COND && !p->x.status) allm__tx_end_cond(p); /* a if b if c */
            allm__tx *e = allm__tx_top(p);
            if (!(e->kind == ALLM__X_ROOT && e->flag & ALLM__E_NO_COND)) return allm__tx_if(p);
        }
        if (allm__tp_is(p, "else") && allm__tx_top(p)->kind == ALLM__X_COND) return allm__tx_else(p);
        return allm__tx_complete(p);
    }
    /* of the same kind: + - * / ** and or are done from the left; ~ and comparisons go on as one */
    int together = kind == ALLM__X_CONCAT || kind == ALLM__X_COMPARE;
    allm__tx_reduce(p, allm__tx_prec[kind] + together);
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
    p->n_unknown = p->n_slices = 0, p->n_bare_ifs = 0;
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
    if (kind == ALLM__B_IF) p->n_ifs++;
    else p->n_inner++;
    return b;
}

static void allm__tb_close(allm__tp *p) {
    const allm__tb *b = allm__tb_top(p);
    p->soft           = b->soft;
    if (b->kind == ALLM__B_IF || b->kind == ALLM__B_ELSE) p->n_ifs--;
    else p->n_inner--;
    p->n_blocks--;
}

/* Reads what is assigned to, into p->targets. dots: ns.a is meant; else only names. Returns how many. */
static int32_t allm__tp_target(allm__tp *p, int dots) {
    size_t  first = p->n_targets, open[32], n_open = 0;
    int32_t top_level = 1, commas = 0;
    for (; !p->x.status;) {
        size_t         pos = p->cur.pos;
        allm_str       got = allm__ttok_text(&p->cur);
        allm__ttarget *t   = NULL;
        if (p->cur.type == ALLM__TK_LPAREN && n_open < ALLM__COUNT(open)) {
            t = ALLM__TP_ADD(p, p, targets, allm__ttarget);
            if (t) t->kind = ALLM__TO_TUPLE, t->pos = pos, t->b = -1; /* b: no comma yet */
            open[n_open++] = p->n_targets - 1;
            allm__tp_next(p);
            continue;
        }
        if (p->cur.type == ALLM__TK_STRING || p->cur.type == ALLM__TK_INT || p->cur.type == ALLM__TK_FLOAT ||
            allm__tp_is(p, "true") || allm__tp_is(p, "false") || allm__tp_is(p, "none") || allm__tp_is(p, "True") ||
            allm__tp_is(p, "False") || allm__tp_is(p, "None"))
            ALLM__TP_FAIL(p, pos, "can't assign to 'const'");
        else if (allm__tx_tuple_end(p) && p->n_targets == first)
            ALLM__TP_FAIL(p, pos, "Expected an expression, got '%.*s'", (int)got.len, got.ptr);
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
        t->kind = ALLM__TO_TUPLE, t->a = top_level == commas + 1 ? top_level : commas, t->b = 0,
        t->pos = p->targets[first + 1].pos;
    }
    return (int32_t)(p->n_targets - first);
}

/* Code that takes the top apart into the last n targets; they stay. */
static void allm__tp_store(allm__tp *p, size_t first, int32_t n) {
    for (size_t i = first; i < first + (size_t)n && !p->x.status; i++) {
        allm__ttarget t = p->targets[i];
        if (t.kind == ALLM__TO_TUPLE) allm__tp_emit(p, ALLM__O_UNPACK, 0, t.a, t.pos);
        else if (t.kind == ALLM__TO_NAME) allm__tp_touch(p, t.a, 1), allm__tp_emit(p, ALLM__O_STORE, 0, t.a, t.pos);
        else allm__tp_emit(p, ALLM__O_LOAD, 0, t.a, t.pos), allm__tp_emit(p, ALLM__O_STORE_ATTR, 0, t.b, t.pos);
    }
}

static int32_t allm__tp_name_target(allm__tp *p) { /* a single name */
    allm_str name = p->cur.text;
    size_t   pos  = p->cur.pos;
    if (!allm__tp_expect(p, ALLM__TK_NAME)) return 0;
    if (allm__str_eq(name, ALLM__S("true")) || allm__str_eq(name, ALLM__S("false")) ||
        allm__str_eq(name, ALLM__S("none")) || allm__str_eq(name, ALLM__S("True")) ||
        allm__str_eq(name, ALLM__S("False")) || allm__str_eq(name, ALLM__S("None")))
        ALLM__TP_FAIL(p, pos, "can't assign to 'name'");
    return allm__tp_name(p, name);
}

static void allm__tp_set(allm__tp *p, size_t pos) {
    size_t  first = p->n_targets;
    int32_t n     = allm__tp_target(p, 1);
    if (p->x.status) return;
    for (size_t i = first; i < p->n_targets; i++)
        if (p->targets[i].kind == ALLM__TO_ATTR)
            allm__tp_emit(p, ALLM__O_CHECK_NS, 0, p->targets[i].a, p->targets[i].pos);
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
    p->n_inner--; /* what follows is outside again */
    allm__tp_emit(p, ALLM__O_CAPTURED, 0, 0, pos);
    if (b->patch_end) allm__tp_jump(p, ALLM__O_JUMP, b->entry, pos), allm__tp_patch(p, b->patch_end);
    allm__tp_emit(p, ALLM__O_END_SCOPE, 0, 0, pos);
    allm__tp_store(p, (size_t)b->target, b->n_target);
    p->n_targets = (size_t)b->target;
    p->n_inner++;
}

static void allm__tp_filter_block(allm__tp *p, size_t pos) {
    allm__tb *b = allm__tb_open(p, ALLM__B_FILTER, pos);
    int32_t   over = allm__tp_emit(p, ALLM__O_JUMP, 0, 0, pos), entry = allm__tp_here(p);
    if (!b) return;
    p->n_inner--;
    allm__tp_expr(p, ALLM__E_PIPES);
    p->n_inner++;
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
        p->n_inner++;
        allm__tp_store(p, first, n);
        p->soft = 0;
        allm__tp_expr(p, 0);
        p->soft = soft, p->n_inner--;
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
    p->n_inner++;
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
    p->n_inner--;
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
    p->n_inner--;
    allm__tp_touch(p, m->name, 1);
    p->n_inner++;
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
    allm__ttag  *tag =
        ALLM__TP_ADD(p, p->t, tags, allm__ttag); /* the arguments of this call were the last to be noted */
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
        if (n == ALLM__COUNT(starts)) {
            ALLM__TP_FAIL(p, p->cur.pos, "more than %d variables", (int)ALLM__COUNT(starts));
            return;
        }
        if (n && !allm__tp_expect(p, ALLM__TK_COMMA)) return;
        starts[n++] = p->n_targets;
        allm__tp_target(p, 0);
        allm__tp_expect(p, ALLM__TK_ASSIGN);
        allm__tp_expr(p, 0);
    }
    allm__tp_emit(p, ALLM__O_SCOPE, 0, 0, pos);
    allm__tb_open(p, ALLM__B_WITH, pos);
    for (size_t end = p->n_targets; n-- > 0; end = starts[n]) allm__tp_store(p, starts[n], (int32_t)(end - starts[n]));
    p->n_targets = first;
}

static void allm__tp_block(allm__tp *p, size_t pos) {
    allm_str text = p->cur.text;
    if (!allm__tp_expect(p, ALLM__TK_NAME)) return;
    int32_t  name = allm__tp_name(p, text), number = (int32_t)p->t->n_blocks / 2, *slot;
    int      scoped = allm__tp_skip(p, "scoped");
    allm__tp_skip(p, "required");
    if (p->cur.type == ALLM__TK_SUB)
        ALLM__TP_FAIL(p, p->cur.pos,
                      "Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an "
                      "underscore instead.");
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
    while (i > 0 && p->blocks[i - 1].kind != ALLM__B_FOR && !allm__tb_rows[p->blocks[i - 1].kind].function) i--;
    if (i == 0 || p->blocks[i - 1].kind != ALLM__B_FOR) {
        allm__tp_late(p, pos, is_break ? "'break' outside loop%.*s" : "'continue' not properly in loop%.*s",
                      ALLM__S(""));
        return;
    }
    for (size_t k = p->n_blocks; k > i; k--) {
        int kind = p->blocks[k - 1].kind;
        if (kind == ALLM__B_FILTER || kind == ALLM__B_SET || kind == ALLM__B_WITH || kind == ALLM__B_AUTOESCAPE)
            allm__tp_emit(p, ALLM__O_END_SCOPE, 0, 0, pos);
        if (kind == ALLM__B_AUTOESCAPE) allm__tp_emit(p, ALLM__O_END_ESCAPE, 0, 0, pos);
        if (kind == ALLM__B_FILTER || kind == ALLM__B_SET)
            allm__tp_emit(p, ALLM__O_CAPTURED, 0, 0, pos), allm__tp_emit(p, ALLM__O_POP, 0, 0, pos);
    }
    allm__tb *b = &p->blocks[i - 1];
    if (is_break) b->breaks = allm__tp_chain(p, ALLM__O_JUMP, b->breaks, pos);
    else b->continues = allm__tp_chain(p, ALLM__O_JUMP, b->continues, pos);
}

/* include, import, from, extends: there is no loader; the name is read, and asking for it is an error. */
static void allm__tp_load(allm__tp *p, size_t pos, int kind) { /* 0 include, 1 import, 2 from, 3 extends */
    allm__tp_expr(p, 0);
    if (kind == 0 && allm__tp_is(p, "ignore") && allm__ttok_is(allm__tp_look(p), "missing"))
        allm__tp_next(p), allm__tp_next(p);
    if (kind == 1) {
        if (!allm__tp_skip(p, "as")) allm__tp_expected(p, "as");
        allm__tp_name_target(p);
    }
    if (kind == 2 && !allm__tp_skip(p, "import")) allm__tp_expected(p, "import");
    for (int n = 0; kind == 2 && !p->x.status; n++) {
        if (n && !allm__tp_skip_type(p, ALLM__TK_COMMA)) break;
        if ((allm__tp_is(p, "with") || allm__tp_is(p, "without")) && allm__ttok_is(allm__tp_look(p), "context")) break;
        allm__tp_name_target(p);
        if (allm__tp_skip(p, "as")) allm__tp_name_target(p);
    }
    if (kind < 3 && (allm__tp_is(p, "with") || allm__tp_is(p, "without")) && allm__ttok_is(allm__tp_look(p), "context"))
        allm__tp_next(p), allm__tp_next(p);
    static const char text[] = "no loader for this environment specified";
    allm__tp_emit(p, ALLM__O_RAISE, 0, allm__tp_const(p, allm__v_view(&p->t->arena, text, sizeof text - 1, 0)), pos);
}

/* "'a' or 'b'": the tags that end a block. */
static void allm__tb_ends(const allm__tb *b, char *out, size_t n) {
    out[0] = 0;
    for (int i = 0; i < 3 && allm__tb_rows[b->kind].end[i]; i++) {
        size_t at = strlen(out);
        snprintf(out + at, n - at, "%s'%s'", i ? " or " : "", allm__tb_rows[b->kind].end[i]);
    }
}

static void allm__tp_unknown_tag(allm__tp *p) { /* or the end of the template in an open block */
    char     ends[64];
    int      is_eof = p->cur.type == ALLM__TK_EOF, known = 0;
    allm_str got    = allm__ttok_text(&p->cur);
    const allm__tb *b = allm__tb_top(p);
    if (p->x.status) return;
    for (size_t i = 0; i < p->n_blocks; i++)
        for (int k = 0; k < 3 && allm__tb_rows[p->blocks[i].kind].end[k]; k++)
            known |= allm__tp_is(p, allm__tb_rows[p->blocks[i].kind].end[k]);
    if (b) allm__tb_ends(b, ends, sizeof ends);
    if (!b) ALLM__TP_FAIL(p, p->cur.pos, "Encountered unknown tag '%.*s'.", (int)got.len, got.ptr);
    else if (is_eof)
        ALLM__TP_FAIL(p, p->cur.pos, "Unexpected end of template. Jinja was looking for the following tags: %s. "
                      "The innermost block that needs to be closed is '%s'.", ends, allm__tb_rows[b->kind].tag);
    else if (known)
        ALLM__TP_FAIL(
            p, p->cur.pos,
            "Encountered unknown tag '%.*s'. You probably made a nesting mistake. Jinja is expecting this tag, "
            "but currently looking for %s. The innermost block that needs to be closed is '%s'.",
            (int)got.len, got.ptr, ends, allm__tb_rows[b->kind].tag);
    else
        ALLM__TP_FAIL(p, p->cur.pos,
                      "Encountered unknown tag '%.*s'. Jinja was looking for the following tags: %s. "
                      "The innermost block that needs to be closed is '%s'.",
                      (int)got.len, got.ptr, ends, allm__tb_rows[b->kind].tag);
}

/* Is the current tag one that ends, or goes on with, the innermost block? Does what is to be done. */
static int allm__tp_end_tag(allm__tp *p) {
    allm__tb *b   = allm__tb_top(p);
    size_t    pos = p->cur.pos;
    int       i   = 0;
    if (!b || p->cur.type != ALLM__TK_NAME) return 0;
    while (i < 3 && allm__tb_rows[b->kind].end[i] && !allm__tp_is(p, allm__tb_rows[b->kind].end[i])) i++;
    if (i == 3 || !allm__tb_rows[b->kind].end[i]) return 0;
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
    case ALLM__B_AUTOESCAPE:
        allm__tp_emit(p, ALLM__O_END_SCOPE, 0, 0, pos), allm__tp_emit(p, ALLM__O_END_ESCAPE, 0, 0, pos);
        break;
    case ALLM__B_BLOCK:
        allm__tp_emit(p, ALLM__O_RETURN, 0, 0, pos);
        allm__tp_patch(p, done.patch_end);
        p->n_seen--;
        if (!p->x.status && p->cur.type == ALLM__TK_NAME &&
            allm__str_eq(p->cur.text, allm__v_str(p->t->names[done.macro])))
            allm__tp_next(p);
        break;
    default: allm__tp_emit(p, ALLM__O_END_SCOPE, 0, 0, pos); /* with, generation */
    }
    if (!p->x.status) allm__tb_close(p);
    return 1;
}

static void allm__tp_statement(allm__tp *p) {
    size_t pos = p->cur.pos, n_blocks = p->n_blocks;
    if (p->cur.type != ALLM__TK_NAME) { ALLM__TP_FAIL(p, pos, "tag name expected"); return; }
    static const char *const tags[] = {"if",    "for",        "set",    "macro",      "call",   "filter",
                                       "with",  "autoescape", "block",  "generation", "break",  "continue",
                                       "include", "import", "from", "extends"};
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
    default: allm__tp_load(p, pos, (int)i - 12);
    }
    if (p->n_blocks > n_blocks) allm__tp_skip_type(p, ALLM__TK_COLON); /* {% if x: %} */
}

static void allm__tp_template(allm__tp *p) {
    for (size_t i = 0; i < ALLM__COUNT(allm__tp_fixed); i++) allm__tp_name(p, allm__str_of(allm__tp_fixed[i]));
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
            int32_t start = allm__tp_here(p);
            allm__tp_next(p);
            allm__tp_expr(p, ALLM__E_TUPLE);
            allm__tx_fold(p, start);
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

static allm__tvar *allm__tscope_var(const allm__tscope *s, int32_t name) {
    for (int32_t i = 0; i < s->n; i++)
        if (s->v[i].name == name) return &s->v[i];
    return NULL;
}

static void allm__tscope_add(allm__vm *vm, allm__tscope *s, int32_t name, allm__val v) {
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
    allm__tvar *var = allm__tscope_var(vm->scope, name);
    if (!allm__vm_work(vm, (size_t)vm->scope->n)) return; /* a template may have very many names */
    if (var) var->val = v;
    else allm__tscope_add(vm, vm->scope, name, v);
}

static allm__val allm__vm_load(allm__vm *vm, int32_t name) {
    allm__val text = vm->t->names[name];
    size_t    n    = 0; /* names looked at */
    for (const allm__tscope *s = vm->scope; s; s = s->up) {
        const allm__tvar *var = allm__tscope_var(s, name);
        n += (size_t)s->n + 1;
        if (!var) continue;
        if (!allm__vm_work(vm, n)) break;
        return var->val.type == ALLM__V_ABSENT ? allm__vm_missing(vm, 4, text, text, NULL) : var->val;
    }
    if (!allm__vm_work(vm, n)) return allm__v_undef();
    if (vm->globals[name].type != ALLM__V_ABSENT) return vm->globals[name];
    const allm__tfn *fn    = allm__tfn_find(vm->tab.functions, vm->tab.n_functions, allm__v_str(text));
    allm__val       *given = allm__v_get(vm->ctx->globals.u.d, allm__v_str(text)), v;
    if (name == ALLM__N_SELF) v = allm__v_of(ALLM__V_SELF, 0);
    else if (given) v = *given;
    else if (fn) v = allm__v_of(ALLM__V_FUNC, 0), v.u.fn = fn;
    else v = allm__vm_missing(vm, 0, text, text, NULL);
    return vm->globals[name] = v;
}

static int allm__vm_frame(allm__vm *vm, int kind, int32_t ret) { /* 0: too deep */
    if (vm->status) return 0;
    if (vm->n_frames >= (size_t)vm->lim.max_depth)
        return allm__vm_fail(vm, "macros are nested deeper than %d levels", (int)vm->lim.max_depth), 0;
    if (!allm__grow(vm->host, (void **)&vm->frames, &vm->cap_frames, vm->n_frames, vm->n_frames + 1,
                    sizeof *vm->frames))
        return allm__vm_no_memory(vm), 0;
    allm__tframe *f = &vm->frames[vm->n_frames++];
    f->kind = kind, f->ret = ret, f->scope = vm->scope, f->escape = vm->autoescape, f->markup = vm->autoescape,
    f->n_loops = vm->n_loops;
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
        n_kw += tag[i].kind == ALLM__TAG_KW                                ? 1
                : tag[i].kind == ALLM__TAG_STAR2 && a.type == ALLM__V_DICT ? a.u.d->n
                                                                           : 0;
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
        } else if (a.type != ALLM__V_DICT)
            allm__vm_fail(vm, "argument after ** must be a mapping, not %s", allm__v_names[a.type]);
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
        allm__tscope_add(vm, vm->scope, names[i], v);
    }
    for (int32_t k = 0; k < c->n_kw && !vm->status; k++) {
        allm__val name  = c->kw[k].name;
        int       taken = 0;
        for (int32_t i = c->n_pos; i < info->n_args; i++) taken |= allm__v_eq_flat(name, vm->t->names[names[i]]);
        if (taken) continue;
        if (!own_caller && info->flags & ALLM__T_CALLER && allm__v_eq_text(name, ALLM__S("caller"))) caller = k;
        else if (info->flags & ALLM__T_KWARGS) allm__vm_put(vm, rest, name, c->kw[k].val);
        else if (allm__v_eq_text(name, ALLM__S("caller")))
            allm__vm_fail(
                vm, "macro was invoked with two values for the special caller argument. This is most likely a bug.");
        else
            allm__vm_fail(vm, "macro takes no keyword argument '%.*s'", (int)ALLM__MIN(name.u.s->len, 60),
                          name.u.s->ptr);
    }
    if (!own_caller && info->flags & ALLM__T_CALLER)
        allm__tscope_add(vm, vm->scope, ALLM__N_CALLER,
                        caller >= 0 ? c->kw[caller].val : allm__vm_missing(vm, 2, rest, rest, "No caller defined"));
    if (info->flags & ALLM__T_KWARGS) allm__tscope_add(vm, vm->scope, ALLM__N_KWARGS, rest);
    if (info->flags & ALLM__T_VARARGS) {
        int32_t   n = ALLM__MAX(c->n_pos - info->n_args, 0);
        allm__val more = allm__vm_seq(vm, ALLM__V_TUPLE, (size_t)n);
        for (int32_t i = 0; !vm->status && i < n; i++) more.u.q->v[i] = c->pos[info->n_args + i];
        allm__tscope_add(vm, vm->scope, ALLM__N_VARARGS, more);
    } else if (c->n_pos > info->n_args)
        allm__vm_fail(vm, "macro takes not more than %d argument(s)", (int)info->n_args);
}

/* Calls f: pushes the result, or enters a frame. Returns the next instruction. */
static int32_t allm__vm_call(allm__vm *vm, allm__val f, const allm__tcall *c, int32_t ret) {
    allm__tscope *s;
    if (!allm__vm_work(vm, 256)) return ret;
    switch (f.type) {
    case ALLM__V_UNDEF: allm__vm_undefined(vm, f); return ret;
    case ALLM__V_FUNC:
        allm__vm_push(vm, allm__vm_call_fn(vm, f.u.fn, c->self, c->pos, c->n_pos, c->kw, c->n_kw));
        return ret;
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

static void allm__tscope_hold(allm__tscope *s) { /* something remembers it and those around it */
    for (; s && !s->held; s = s->up) s->held = 1;
}

static void allm__vm_for(allm__vm *vm, const allm__tins *ins, int32_t ip) {
    allm__val    whole = allm__vm_pop(vm);
    allm__titer *it    = allm__vm_iter(vm, whole);
    if (it && ins->a) { /* the condition is a stage of its own */
        allm__titer *where = allm__vm_titer(vm, ALLM__IT_WHERE, whole);
        if (!where) return;
        where->started = 1, where->from = it, where->entry = ip + ins->a, where->scope = vm->scope;
        allm__tscope_hold(vm->scope);
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
    allm__tscope_add(vm, l->inner, ALLM__N_LOOP, allm__v_ptr(ALLM__V_LOOP, l));
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
    for (size_t i = 0; i < n && !vm->status; i++)
        allm__vm_put(vm, d, vm->stack[base + 2 * i], vm->stack[base + 2 * i + 1]);
    vm->n_stack = base;
    allm__vm_push(vm, d);
}

static void allm__vm_concat(allm__vm *vm, size_t n) {
    size_t    base   = vm->n_stack - n;
    int       markup = 0;
    allm__val s      = allm__v_undef();
    for (size_t i = 0; vm->autoescape && i < n; i++)
        markup |= allm__v_is_str(vm->stack[base + i]) && vm->stack[base + i].u.s->markup;
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
    else if (key.u.s->len && key.u.s->ptr[0] == '_')
        allm__vm_fail(vm, ALLM__NS_NAME, (int)ALLM__MIN(key.u.s->len, 60), key.u.s->ptr);
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
    allm__tscope_hold(vm->scope);
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
            allm__vm_push(
                vm, allm__vm_missing(vm, 2, v, v,
                                     "the inline if-expression evaluated to false and no else section was defined."));
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
            if (allm__vm_load(vm, ins->a).type != ALLM__V_NS)
                allm__vm_fail(vm, "cannot assign attribute on non-namespace object");
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
    allm__free(h, t->hidden, t->cap_hidden * sizeof *t->hidden);
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
static allm_status allm__tmpl_compile(const allm__host *h, allm_str source, const char *name, allm__tmpl **out,
                                      allm_error *err) {
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
    allm__free(h, p.slices, p.cap_slices * sizeof *p.slices);
    allm__free(h, p.touched, p.cap_touched * sizeof *p.touched);
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
    if (dict.type != ALLM__V_DICT || name.type != ALLM__V_STR || !allm__v_put(&ctx->arena, dict.u.d, name, v))
        ctx->arena.failed = 1;
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
    allm__vbig b;
    allm_str     s;
    switch (event) {
    case ALLM__JSON_NULL: return allm__v_none();
    case ALLM__JSON_TRUE: return allm__v_bool(1);
    case ALLM__JSON_FALSE: return allm__v_bool(0);
    case ALLM__JSON_INT: return allm__v_int(j->i);
    case ALLM__JSON_DOUBLE:
        if (!j->big) return allm__v_float(j->d);
        s = j->raw.ptr[0] == '-' ? allm__str(j->raw.ptr + 1, j->raw.len - 1) : j->raw;
        allm__vbig_parse(s, 10, &b);
        b.negative = j->raw.ptr[0] == '-';
        return b.over ? allm__v_float(j->d) : allm__vbig_store(a, &b);
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
            if (e == ALLM__JSON_OBJECT)
                open[depth].dict = allm__v_dict(a, ALLM__V_DICT), ok = open[depth].dict.type == ALLM__V_DICT;
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
static allm_status allm__tmpl_render(const allm__tmpl *t, allm__tmpl_ctx *ctx, const allm__tmpl_limits *lim,
                                     allm__buf *out, allm__spans *user, allm_error *err) {
    size_t   from = out->len, from_user = user->len, limit = out->limit, n_names = t->n_names;
    allm__vm vm;
    memset(&vm, 0, sizeof vm);
    if (ctx->arena.failed || ctx->globals.type != ALLM__V_DICT) return allm__fail_memory(err, ctx->arena.n_bytes);
    vm.host = vm.arena.host = t->host, vm.t = t, vm.ctx = ctx, vm.err = err, vm.out = out, vm.user = user;
    vm.lim       = allm__tmpl_limits_of(lim, ctx);
    vm.fuel      = vm.lim.max_steps * ALLM__T_FUEL;
    vm.span_base = user->len;
    vm.tab.filters = allm__tmpl_filters, vm.tab.n_filters = ALLM__COUNT(allm__tmpl_filters);
    vm.tab.tests = allm__tmpl_tests, vm.tab.n_tests = ALLM__COUNT(allm__tmpl_tests);
    vm.tab.methods = allm__tmpl_methods, vm.tab.n_methods = ALLM__COUNT(allm__tmpl_methods);
    vm.tab.functions = allm__tmpl_functions, vm.tab.n_functions = ALLM__COUNT(allm__tmpl_functions);
    vm.tab.where = allm__vm_where, vm.tab.loop_field = allm__tloop_field;
    vm.globals = (allm__val *)allm__arena_array(&vm.arena, n_names, sizeof *vm.globals, sizeof(void *));
    vm.scope = vm.root = allm__vm_scope(&vm, NULL);
    if (!vm.globals || !vm.root) allm__vm_no_memory(&vm);
    for (size_t i = 0; !vm.status && i < n_names; i++) vm.globals[i].type = ALLM__V_ABSENT;
    for (size_t i = 0; !vm.status && i < t->n_hidden; i++)
        allm__tscope_add(&vm, vm.root, t->hidden[i],
                         allm__vm_missing(&vm, 0, t->names[t->hidden[i]], t->names[t->hidden[i]], NULL));
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

static allm_status allm__tmpl_compile(const allm__host *h, allm_str source, const char *name, allm__tmpl **out,
                                      allm_error *err) {
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
    int                 fold; /* a template that refuses a system message gets its text in the first user message */
} allm__chat_request;

/* A word of letters, digits, - and _: it cannot be, or hide, a special token. */
static int allm__chat_is_word(allm_str s) {
    for (size_t i = 0; i < s.len; i++) {
        char c = (char)(s.ptr[i] | 32);
        if (!((c >= 'a' && c <= 'z') || (s.ptr[i] >= '0' && s.ptr[i] <= '9') || s.ptr[i] == '_' || s.ptr[i] == '-'))
            return 0;
    }
    return s.len > 0;
}

/* Roles are there; names the message that has none. That texts are UTF-8 was checked where they came in: room api. */
static allm_status allm__chat_check(const allm__chat_request *r, allm_error *err) {
    for (size_t i = 0; i < r->n_messages; i++)
        if (!r->messages[i].role || !*r->messages[i].role)
            return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "messages[%llu].role: missing", (unsigned long long)i);
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
static allm_status allm__chat_fallback(const allm__chat *c, const allm__chat_request *r, allm__buf *out,
                                       allm__spans *user, allm_error *err) {
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
#if defined(ALLM__POSIX) && (defined(_POSIX_C_SOURCE) || defined(__APPLE__)) /* a strict C build has only localtime */
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

static void allm__chat_unmark(allm__tmpl_ctx *ctx, allm__val *v) {
    if (allm__v_is_str(*v)) *v = allm__v_view(&ctx->arena, v->u.s->ptr, v->u.s->len, 0);
}

/* bos_token and the like, where the caller did not give them; if he did (also additional_special_tokens, a list), they
 * are no text of his either. */
static void allm__chat_tokens(const allm__chat *c, allm__tmpl_ctx *ctx) {
    for (size_t i = 0; i < ctx->globals.u.d->n; i++) {
        allm__vpair *p   = &ctx->globals.u.d->v[i];
        allm_str     key = allm__v_is_str(p->key) ? allm__v_str(p->key) : ALLM__S("");
        if (allm__str_ends(key, ALLM__S("_token"))) allm__chat_unmark(ctx, &p->val);
        if (!allm__str_ends(key, ALLM__S("_tokens")) || p->val.type != ALLM__V_LIST) continue;
        for (size_t k = 0; k < p->val.u.q->n; k++) allm__chat_unmark(ctx, &p->val.u.q->v[k]);
    }
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
        if (m.u.d->v[i].val.type != ALLM__V_NONE && !allm__v_put(&ctx->arena, d.u.d, m.u.d->v[i].key, m.u.d->v[i].val))
            ctx->arena.failed = 1;
    if (reasoning) allm__tmpl_ctx_put(ctx, d, "reasoning_content", *reasoning);
    role = allm__chat_get(d, "role");
    if (role && allm__v_is_str(*role) && allm__chat_is_word(allm__v_str(*role))) allm__chat_unmark(ctx, role);
    return d;
}

/* The limits of tmpl, and more for what a long conversation brings itself: it is no endless loop. */
static allm__tmpl_limits allm__chat_limits(const allm__tmpl_ctx *ctx, size_t n_messages) {
    allm__tmpl_limits l;
    size_t            n_bytes = ALLM__MIN(ctx->arena.n_bytes, SIZE_MAX / 8);
    memset(&l, 0, sizeof l);
    l.max_steps  = 1000000 + (uint64_t)n_messages * 100 + n_bytes;
    l.max_output = ((size_t)16 << 20) + n_bytes * 2;
    return l;
}

/* ---- from messages */

enum { ALLM__CHAT_AS_IS, ALLM__CHAT_DEVELOPER, ALLM__CHAT_FOLD, ALLM__CHAT_WAYS }; /* ways to try, one after another */

static int allm__chat_is_system(const allm_message *m) {
    return !strcmp(m->role, "system") || !strcmp(m->role, "developer");
}

static void allm__chat_add(allm__tmpl_ctx *ctx, allm__val list, const char *role, const char *before,
                           const char *content) {
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
    else if (system || first)
        allm__chat_add(ctx, list, first && way == ALLM__CHAT_AS_IS ? r->messages[0].role : "system", NULL, system);
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

static allm_status allm__chat_try(const allm__chat *c, const allm__chat_request *r, int way, allm__buf *out,
                                  allm__spans *user, allm_error *err) {
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
            if (!allm__v_put(&ctx.arena, ctx.globals.u.d, extra.u.d->v[i].key, extra.u.d->v[i].val))
                ctx.arena.failed = 1;
        allm__chat_tokens(c, &ctx);
    }
    ctx.now = allm__chat_now();
    allm__tmpl_limits lim = allm__chat_limits(&ctx, r->n_messages);
    if (!status) status = allm__tmpl_render(c->tmpl, &ctx, &lim, out, user, err);
    allm__tmpl_ctx_free(&ctx);
    return status;
}

/* The prompt of a conversation: appended to out, its marks to user. With r->fold, a template that raises on the system
 * or developer role gets the messages in a form it takes, and the log a warning. Errors: ALLM_E_ARGUMENT naming message
 * and field; ALLM_E_TEMPLATE with row and column; ALLM_E_MEMORY. */
static allm_status allm__chat_render(const allm__chat *c, const allm__chat_request *r, allm__buf *out,
                                     allm__spans *user, allm_error *err) {
    static const char *const done[]     = {"", "developer messages were passed as system messages",
                                           "the system text was put in front of the first user message"};
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
            allm_status second = allm__chat_try(c, r, way, out, user, &again);
            if (second == ALLM_E_TEMPLATE) continue;
            if (second) return *err = again, second;
            allm__log(c->host, ALLM_LOG_WARN, "%s; %s", other.message, done[way]);
            return ALLM_OK;
        }
    if (status && err->status == ALLM_OK) *err = other;
    return status;
}

/* ---- from a JSON context, for the command `render` */

static const char allm__chat_continue[] =
    "CONTINUE_FINAL_MESSAGE_TAG "; /* transformers' own: a template may trim its blank */

/* Puts the marker at the end of the text to continue, field `name` of the last message. *final: that text. */
static allm_status allm__chat_mark_final(const allm__chat *c, allm__tmpl_ctx *ctx, allm__val message, allm_str name,
                                         allm__val *final, allm_error *err) {
    static const char *const reasoning[] = {"reasoning_content", "thinking", "reasoning"};
    allm__val *text = allm__v_get(message.u.d, name), *fields[3];
    size_t     n    = 0;
    int        known = 0, is_reasoning = 0;
    if (!text || text->type == ALLM__V_NONE)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "continue_final_message: the last message has no \"%.*s\"",
                          (int)ALLM__MIN(name.len, 60), name.ptr);
    for (size_t i = 0; i < ALLM__COUNT(reasoning); i++) is_reasoning |= allm__str_eq(name, allm__str_of(reasoning[i]));
    for (size_t i = 0; is_reasoning && i < ALLM__COUNT(reasoning);
         i++) { /* the same text under other names goes on, too */
        allm__val *v = allm__chat_get(message, reasoning[i]);
        if (v && v->type == text->type && allm__v_is_str(*v) && allm__v_eq_flat(*v, *text)) fields[n++] = v;
        known |= v && allm__str_find(c->source, allm__str_of(reasoning[i]), 0) != SIZE_MAX;
    }
    if (!is_reasoning) known = allm__str_find(c->source, name, 0) != SIZE_MAX, fields[n++] = text;
    if (!known)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "continue_final_message: the template does not use \"%.*s\"",
                          (int)ALLM__MIN(name.len, 60), name.ptr);
    if (text->type == ALLM__V_LIST) { /* parts: the last with a text */
        for (n = text->u.q->n; n > 0; n--) {
            allm__val part = text->u.q->v[n - 1];
            if (part.type == ALLM__V_DICT && (fields[0] = allm__chat_get(part, "text"))) break;
        }
        if (!n)
            return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "continue_final_message: the last message has no text");
        n = 1;
    }
    for (size_t i = 0; i < n; i++) {
        allm__val v = *fields[i];
        size_t    n_mark = sizeof allm__chat_continue - 1;
        if (!allm__v_is_str(v))
            return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "continue_final_message: the last message is not a text");
        char *p = (char *)allm__arena_alloc(&ctx->arena, v.u.s->len + n_mark, 1);
        if (!p) return allm__fail_memory(err, v.u.s->len);
        memcpy(p, v.u.s->ptr, v.u.s->len), memcpy(p + v.u.s->len, allm__chat_continue, n_mark);
        *final     = v;
        *fields[i] = allm__v_view(&ctx->arena, p, v.u.s->len + n_mark, 1);
    }
    return ctx->arena.failed ? allm__fail_memory(err, ctx->arena.n_bytes) : ALLM_OK;
}

/* Cuts the output, from `from` on, at the last marker. */
static allm_status allm__chat_cut_final(allm__buf *out, allm__spans *user, size_t from, allm__val final,
                                        allm_error *err) {
    allm_str text = allm__str(out->ptr ? out->ptr + from : "", out->len - from),
             mark = ALLM__S("CONTINUE_FINAL_MESSAGE_TAG");
    size_t   a = 0, b = final.u.s->len, at = SIZE_MAX, end;
    allm__v_trim(final.u.s->ptr, &a, &b, 1, 1);
    for (size_t i = 0; (i = allm__str_find(text, mark, i)) != SIZE_MAX; i++) at = i;
    if (at == SIZE_MAX || allm__str_find(text, allm__str(final.u.s->ptr + a, b - a), 0) == SIZE_MAX)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1,
                          "continue_final_message: the template leaves out parts of the last message");
    end = at, a = 0;
    if (at + mark.len >= text.len || text.ptr[at + mark.len] != ' ') allm__v_trim(text.ptr, &a, &end, 0, 1);
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
    if (v->type != ALLM__V_LIST)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "%s: a list of objects expected", name);
    for (size_t i = 0; i < v->u.q->n; i++)
        if (v->u.q->v[i].type != ALLM__V_DICT)
            return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "%s[%llu]: an object expected", name,
                              (unsigned long long)i);
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
            return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "messages[%llu]: an object expected",
                              (unsigned long long)i);
        messages->u.q->v[i] = allm__chat_message(ctx, messages->u.q->v[i]);
        if (ctx->arena.failed) return allm__fail_memory(err, ctx->arena.n_bytes);
    }
    keep = *messages;
    if ((status = allm__chat_objects(ctx, "tools", err)) || (status = allm__chat_objects(ctx, "documents", err)))
        return status;
    add   = allm__chat_get(ctx->globals, "add_generation_prompt");
    go_on = allm__chat_get(ctx->globals, "continue_final_message");
    if (go_on && allm__v_true(*go_on)) {
        if (add && allm__v_true(*add))
            return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1,
                              "continue_final_message and add_generation_prompt exclude each other");
        status = allm__chat_mark_final(c, ctx, keep.u.q->v[keep.u.q->n - 1],
                                       allm__v_is_str(*go_on) ? allm__v_str(*go_on) : ALLM__S("content"), final, err);
    }
    if (!add) allm__tmpl_ctx_put(ctx, ctx->globals, "add_generation_prompt", allm__v_bool(0));
    return status;
}

/* Renders c->tmpl with the variables of a JSON object. chat: as apply_chat_template does with them as its arguments
 * (messages, tools, documents, add_generation_prompt, continue_final_message; the rest are further variables);
 * else they are passed as they are. now NULL: the system's time. For the command line. */
ALLM__UNUSED static allm_status allm__chat_render_json(const allm__chat *c, allm_str context, int chat,
                                                       const allm__tmpl_now *now, allm__buf *out, allm__spans *user,
                                                       allm_error *err) {
    allm__tmpl_ctx ctx;
    allm__val      final, *messages;
    size_t         from = out->len, from_user = user->len;
    allm__tmpl_ctx_init(&ctx, c->host);
    allm_status status = allm__val_from_json(&ctx, context, 1, "context", &ctx.globals, err);
    if (!status && ctx.globals.type != ALLM__V_DICT)
        status = allm__fail(err, ALLM_E_ARGUMENT, "context", -1, "a JSON object expected");
    final.type = ALLM__V_ABSENT;
    if (!status && chat) status = allm__chat_prepare(c, &ctx, &final, err);
    if (!status) {
        allm__chat_tokens(c, &ctx);
        ctx.now  = now ? *now : allm__chat_now();
        messages = allm__chat_get(ctx.globals, "messages");
        allm__tmpl_limits lim =
            allm__chat_limits(&ctx, messages && messages->type == ALLM__V_LIST ? messages->u.q->n : 0);
        status = allm__tmpl_render(c->tmpl, &ctx, &lim, out, user, err);
    }
    if (!status && final.type == ALLM__V_STR) status = allm__chat_cut_final(out, user, from, final, err);
    if (status) out->len = from, user->len = from_user;
    allm__tmpl_ctx_free(&ctx);
    return status;
}

#else

static allm_status allm__chat_render(const allm__chat *c, const allm__chat_request *r, allm__buf *out,
                                     allm__spans *user, allm_error *err) {
    allm_status status = allm__chat_check(r, err);
    return status ? status : allm__chat_fallback(c, r, out, user, err);
}

#endif

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
    allm__tok        *tok;       /* NULL: the file has no tokenizer */
    allm__tmpl       *tmpl;      /* NULL: the file has no template, or template_error says what is wrong with it */
    allm_error        template_error;
    allm_str          chat_template; /* its text, a view of the file; empty: none */
    uint64_t          n_parameters, n_tensor_bytes;
    allm__mutex       packing;  /* held while the first session packs the weights */
    uint8_t          *packed;   /* all matrices in kernel layout, see allm__pack; NULL: packed as they are used */
    size_t            n_packed; /* bytes */
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
    static const char *const harmless[] = {".attn_rot_embd", ".attn_rot_embd.weight",
                                           ".rope.freqs"}; /* RoPE tables of old converters */
    for (size_t i = 0; i < m->gguf.n_tensors; i++) {
        const allm__tensor *t = &m->gguf.tensors[i];
        int                 ok = used[i];
        for (size_t k = 0; k < ALLM__COUNT(harmless); k++)
            ok |= allm__str_ends(t->name, allm__str_of(harmless[k]));
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
    allm__tok_close(m->tok);
    allm__tmpl_free(m->tmpl);
    allm__gguf_close(&m->gguf);
    allm__arena_free(&m->arena);
    allm__free(&m->host, m->packed, m->n_packed);
    allm__mutex_free(&m->packing);
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

static allm_status allm__model_load_weights(allm_model *m, allm_error *err) {
    if (m->gguf.n_tensors == 0) return allm__fail(err, ALLM_E_FORMAT, allm__model_file(m), -1, "holds no tensors");
    if (allm__gguf_check_types(&m->gguf, err) || allm__arch_find(&m->gguf, &m->arch, err) ||
        allm__arch_read(&m->gguf, m->arch, &m->arena, &m->hp, &m->layers, err) || allm__model_bind(m, err))
        return err->status;
    return allm__model_rope(m, err);
}

/* A template that does not compile is no reason not to open the model: raw prompts work. */
static allm_status allm__model_load_template(allm_model *m, allm_error *err) {
    if (!m->chat_template.len) return ALLM_OK;
    if (!allm__tmpl_compile(&m->host, m->chat_template, "chat template", &m->tmpl, &m->template_error)) return ALLM_OK;
    if (m->template_error.status == ALLM_E_MEMORY) return *err = m->template_error, err->status;
    allm__log(&m->host, ALLM_LOG_WARN, "%s", m->template_error.message);
    return ALLM_OK;
}

/* The tokenizer and the template's text, if the file has them. Ids without a row could not be evaluated; rows without
 * an id are padding. */
static allm_status allm__model_load_text(allm_model *m, allm_error *err) {
    if (allm__tok_open_gguf(&m->host, &m->gguf, &m->tok, err) ||
        allm__gguf_get_str(&m->gguf, "tokenizer.chat_template", ALLM__S(""), &m->chat_template, err))
        return err->status;
    if (m->tok && m->layers && m->tok->n_vocab > m->hp.n_vocab)
        return allm__fail(err, ALLM_E_FORMAT, allm__model_file(m), -1,
                          "%d tokens in \"tokenizer.ggml.tokens\", tensor \"token_embd.weight\" has %lld rows",
                          (int)m->tok->n_vocab, (long long)m->hp.n_vocab);
    return allm__model_load_template(m, err);
}

static allm_status allm__model_load(allm_model *m, const allm_source *src, const allm_model_config *cfg,
                                    allm_error *err) {
    allm__model_report(cfg, 0);
    if (allm__gguf_open(&m->host, src, &m->gguf, err)) return err->status;
    allm__model_report(cfg, 0.2f);
    for (size_t i = 0; i < m->gguf.n_tensors; i++) {
        const allm__tensor *t = &m->gguf.tensors[i];
        m->n_parameters += (uint64_t)(t->dims[0] * t->dims[1] * t->dims[2] * t->dims[3]); /* room gguf: it fits */
        m->n_tensor_bytes += t->n_bytes;
    }
    if (!cfg->vocab_only && allm__model_load_weights(m, err)) return err->status;
    allm__model_report(cfg, 0.4f);
    if (allm__model_load_text(m, err)) return err->status;
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
    allm__mutex_init(&m->packing);
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

/* ---- packed weights */

/* Matrix number i that products use, in the order of layers; NULL: there is none of this number in this model; the
 * embeddings are only looked up. */
static allm__mat *allm__model_mat(allm_model *m, int64_t i) {
    const allm__arch_tensor *row = &allm__arch_tensors[i % (int64_t)ALLM__COUNT(allm__arch_tensors)];
    const int64_t            layer = i / (int64_t)ALLM__COUNT(allm__arch_tensors);
    if (row->kind != 'm' || (row->place == 'g' && layer > 0)) return NULL;
    allm__mat *w = (allm__mat *)(void *)((row->place == 'g' ? (char *)&m->w : (char *)&m->layers[layer]) + row->at);
    return w->data && w != &m->w.tok_embd ? w : NULL;
}

static int64_t allm__model_n_mats(const allm_model *m) {
    return m->hp.n_layer * (int64_t)ALLM__COUNT(allm__arch_tensors);
}

/* Bytes of all matrices packed; 0: they do not fit a size_t. */
static size_t allm__model_packed_bytes(allm_model *m) {
    size_t n = 0;
    for (int64_t i = 0; i < allm__model_n_mats(m); i++) {
        const allm__mat *w = allm__model_mat(m, i);
        if (w && !allm__add(n, allm__pack_bytes(allm__pack_find(w->fmt->id), w->n_rows, w->n_cols), &n)) return 0;
    }
    return n;
}

typedef struct allm__model_packer {
    const allm__mat *w;
    uint8_t         *to;
} allm__model_packer;

static void allm__model_pack_part(void *arg, int32_t i_part, int32_t n_parts) {
    const allm__model_packer *p = (const allm__model_packer *)arg;
    int64_t                   from, to;
    allm__part((p->w->n_rows + ALLM__ROWS - 1) / ALLM__ROWS, 1, i_part, n_parts, &from, &to);
    allm__pack_groups(p->w, from, to, p->to);
}

static void allm__model_pack_all(allm_model *m, uint8_t *to) {
    allm__team team = allm__team_begin(m->compute.pool);
    for (int64_t i = 0; i < allm__model_n_mats(m); i++) {
        allm__mat *w = allm__model_mat(m, i);
        if (!w) continue;
        allm__model_packer p = {w, to};
        allm__team_run(&team, allm__model_pack_part, &p);
        for (int32_t k = 0; k < m->gguf.n_files; k++)
            allm__file_forget(&m->gguf.files[k], w->data, w->row_bytes * (size_t)w->n_rows);
        w->packed = to;
        to += allm__pack_bytes(allm__pack_find(w->fmt->id), w->n_rows, w->n_cols);
    }
    allm__team_end(&team);
}

/* Bytes of packed weights that the limit leaves room for beside a session of n_session bytes, with some for prompts and
 * samplers; 0: none, the weights are packed as they are used. */
static size_t allm__model_packs(allm_model *m, size_t n_session) {
    const size_t   n     = allm__model_packed_bytes(m);
    const uint64_t other = (uint64_t)n_session + 64 * (uint64_t)m->hp.n_vocab + (1 << 20), limit = m->meter.limit;
    return !limit || (n <= limit && m->meter.live + other <= limit - n) ? n : 0;
}

/* Brings the matrices into kernel layout before the first session, of n_session bytes. Without memory for that they are
 * packed as they are used, which is slower and gives the same bits. */
static void allm__model_pack(allm_model *m, size_t n_session) {
    allm__lock(&m->packing);
    if (!m->n_packed && (m->n_packed = allm__model_packs(m, n_session)) > 0) {
        m->packed = (uint8_t *)allm__alloc(&m->host, m->n_packed, ALLM__LAYOUT_ALIGN);
        if (m->packed) allm__mem_large(m->packed, m->n_packed), allm__model_pack_all(m, m->packed);
        else
            allm__log(&m->host, ALLM_LOG_WARN, "no memory for %llu bytes of packed weights: slow",
                      (unsigned long long)m->n_packed);
    }
    allm__unlock(&m->packing);
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
    out->has_tokenizer = m->tok != NULL, out->has_template = m->chat_template.len > 0;
    out->bos = m->tok ? m->tok->bos : -1, out->eos = m->tok ? m->tok->eos : -1;
    out->n_vocab = m->tok ? m->tok->n_vocab : 0;
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
    if (allm__gguf_get_int(&m->gguf, "general.sampling.penalty_last_n", -1, INT32_MAX, 64, &k, &ignored)) return;
    if (k == 0) out->repeat_penalty = 0; /* of the last 0 tokens: off; a window of 0 would be the default, 64 */
    else if (k != 64) out->penalty_window = (int32_t)k;
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
    uint8_t    *gemm;    /* [n_parts, ALLM__GEMM_SCRATCH] what a product needs */
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
    s->n_parts = ALLM__LOAD(&m->compute.pool->n_threads);
    s->type    = cfg->kv_type ? cfg->kv_type : m->reference ? ALLM_KV_F32 : ALLM_KV_F16;
    if (s->type > ALLM_KV_BF16)
        return allm__fail(err, ALLM_E_UNSUPPORTED, NULL, -1, "session: quantised K and V (%s) are not supported",
                          s->type == ALLM_KV_Q8_0 ? "q8_0" : "q4_0");
    return ALLM_OK;
}

/* n * m things of the given size, as an array of the layout. */
static void *allm__kv_array(allm__layout *l, int64_t n, int64_t m, size_t size) {
    size_t k;
    if (!allm__mul((size_t)n, (size_t)m, &k)) return l->failed = 1, NULL;
    return allm__layout_array(l, k, size);
}

/* The cache's part of the block; kv, which points into it, is scratch. */
static void allm__kv_lay_cache(const allm_model *m, const allm__kv_shape *p, allm__kv *kv, allm__layout *l) {
    for (int64_t i = 0; i < m->hp.n_layer; i++) {
        int64_t n = m->layers[i].n_head_kv * p->n_ctx;
        char   *k = (char *)allm__kv_array(l, n, m->hp.head_dim, allm__kv_bytes(p->type));
        char   *v = (char *)allm__kv_array(l, n, m->hp.head_dim_v, allm__kv_bytes(p->type));
        if (kv) kv[i].k = k, kv[i].v = v;
    }
}

/* The scratch part: out (NULL while counting) is the session's own struct, at the scratch's start. */
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
    size_t  n_acts = allm__acts_bytes(n_col, p->n_batch, 2);
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
    s->acts_mem = !m->int8 ? NULL : allm__layout_array(l, n_acts, 1);
    s->gemm     = (uint8_t *)allm__kv_array(l, n_part, ALLM__GEMM_SCRATCH, 1);
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
    allm__model_pack(m, mem ? 0 : n_kv + n_scratch);
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

/* The exact memory of a model and one session: opens the model, which touches headers, vocabulary and vectors of what
 * is mapped or in memory, and counts. Only so is the sum exact: the tokenizer's tables depend on its vocabulary. */
static allm_status allm__model_plan(const allm__host *h, const allm__compute *compute, const allm_source *src,
                                    const allm_model_config *cfg, const allm_session_config *session,
                                    allm_memory_plan *out, allm_error *err) {
    allm_model    *m;
    allm__kv_shape p;
    size_t         n_kv = 0, n_scratch = 0;
    memset(out, 0, sizeof *out);
    if (allm__model_open(h, compute, src, cfg, &m, err)) return err->status;
    if (!m->vocab_only && !allm__kv_shape_of(m, session, &p, err)) allm__session_bytes(m, &p, &n_kv, &n_scratch, err);
    uint64_t live = m->meter.live; /* with the files that are read: all parts of a split one are alike */
    out->mapped  = m->gguf.files->owned ? 0 : m->n_tensor_bytes;
    out->other   = live;
    out->kv      = n_kv, out->scratch = n_scratch;
    out->repacked = n_scratch ? allm__model_packs(m, n_kv + n_scratch) : 0;
    out->peak     = ALLM__MAX(m->meter.peak, live + out->repacked + n_kv + n_scratch);
    allm__model_release(m);
    return err->status;
}

// MARK: >>fwd  Forward pass
/* Owns: the evaluation of tokens over a session: embeddings, layers, head, in stages of parts. A stage never depends on
 * how it is cut into parts, a token's numbers never on the batch it came in; so logits have the same bits for any
 * number of threads and any split of the prompt. Nothing is allocated, but for the logits of every token when they are
 * asked for. Two paths: float activations everywhere (reference), or activations in int8 blocks for quantised
 * weights, but 16 bits in the last layer and the head: there rounding shows most (on SmolLM2 the mean KL divergence
 * falls from 0.0027 over 0.0017 to 0.0013) and costs least, since most tokens of a prompt end before. */

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
    int                 floats;   /* products take the float input */
    int32_t             n_planes; /* else of the rounded input */
    float              *out;   /* [n_tok, n_vocab] logits */
    allm__team          team;
} allm__fwd;

/* ---- pieces that a part uses */

/* y[t * ldy + r] = row r of w . input t, for rows [r0, r1) and all tokens of the batch. Weights that are floats get
 * float activations, as the quantised ones do on the reference path. */
static void allm__fwd_product(const allm__fwd *f, const allm__mat *w, int64_t r0, int64_t r1, float *y, int64_t ldy,
                              int32_t i_part) {
    allm_session *s = f->s;
    uint8_t      *scratch = s->gemm + (size_t)i_part * ALLM__GEMM_SCRATCH;
    if (r0 >= r1) return;
    if (f->floats || w->fmt->n_weights == 1)
        f->kern->gemm_f32(w, r0, r1, f->in, f->n_in, f->n_tok, y, ldy, scratch);
    else f->kern->gemm(w, r0, r1, &s->acts, y, ldy, scratch);
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
    if (!f->floats) allm__acts_place(&f->s->acts, f->s->acts_mem, n, f->n_tok, f->n_planes);
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
    allm__fwd f = {s, s->m, s->m->compute.kern, NULL, NULL, ids, n, pos, NULL, 0, NULL, !s->m->int8, 1, out, {NULL, 1}};
    int64_t   i = 0, n_layer = s->m->hp.n_layer;
    f.team = allm__team_begin(s->m->compute.pool);
    ABSTRACTLLM_ASSERT(f.team.n_parts <= s->n_parts);
    allm__fwd_run_tokens(&f, allm__fwd_embed);
    for (; i < n_layer && !ALLM__LOAD(&s->cancel); i++) {
        f.layer = &s->m->layers[i], f.kv = &s->kv[i];
        f.n_planes = i + 1 < n_layer ? 1 : 2;
        allm__fwd_layer(&f, i + 1 < n_layer ? n : n_keep);
    }
    int done = i == n_layer && !ALLM__LOAD(&s->cancel);
    if (done && n_keep) {
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
 * thread. Logits of every token (all_logits) or of the last. After an error the session is as long as before. `first`:
 * a cancel from before the call counts for nothing; else it is one of several calls that are cancelled together. */
static allm_status allm__session_run(allm_session *s, const int32_t *ids, size_t n, int all_logits, int first,
                                     allm__progress progress, void *ctx, allm_error *err) {
    if (ALLM__SWAP(&s->busy, 1)) return allm__fail(err, ALLM_E_BUSY, NULL, -1, "session: in use by another thread");
    if (first) ALLM__STORE(&s->cancel, 0);
    allm_status status = allm__session_check(s, ids, n, all_logits != 0, err);
    if (!status) status = allm__session_eval_checked(s, ids, n, all_logits != 0, progress, ctx, err);
    ALLM__STORE(&s->busy, 0);
    return status;
}

static allm_status allm__session_eval(allm_session *s, const int32_t *ids, size_t n, int all_logits,
                                      allm__progress progress, void *ctx, allm_error *err) {
    return allm__session_run(s, ids, n, all_logits, 1, progress, ctx, err);
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
    uint64_t v = 0;
    v          = allm__hash_seed(&v);
#if !defined(ABSTRACTLLM_NO_STDIO) && defined(ALLM__POSIX)
    uint64_t u;
    FILE    *f = fopen("/dev/urandom", "rb");
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
/* Owns: what happens between a request and its answer: files are inlined, messages become ids, ids become text events.
 * The loop allocates nothing between the first token and the stop: its arrays are made before. */

/* ---- text files in prompts */

enum { ALLM__FILE_CAP = 1 << 20, ALLM__FILES_CAP = 8 << 20, ALLM__FILES_MAX = 64 };

/* Appends UTF-32 as UTF-8; what is no character and odd last bytes become U+FFFD. */
static void allm__gen_utf32(allm__buf *out, const uint8_t *p, size_t n, int big) {
    for (size_t i = 0; i < n; i += 4) {
        uint64_t c = 0xfffd;
        for (size_t k = 0; k < 4 && i + 4 <= n; k++) c = (k ? c << 8 : 0) | p[i + (big ? k : 3 - k)];
        allm__buf_put_cp(out, c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0xfffd : (int32_t)c);
    }
}

/* Appends UTF-16 as UTF-8; an unpaired surrogate or an odd last byte becomes U+FFFD. */
static void allm__gen_utf16(allm__buf *out, const uint8_t *p, size_t n, int big) {
    size_t i = 0;
    while (i + 1 < n) {
        int32_t c = p[i + (size_t)!big] << 8 | p[i + (size_t)big];
        i += 2;
        if (c >= 0xd800 && c < 0xdc00 && i + 1 < n) {
            int32_t d = p[i + (size_t)!big] << 8 | p[i + (size_t)big];
            if (d >= 0xdc00 && d < 0xe000) c = 0x10000 + ((c - 0xd800) << 10) + (d - 0xdc00), i += 2;
        }
        allm__buf_put_cp(out, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
    }
    if (i < n) allm__buf_put_cp(out, 0xfffd);
}

/* Windows-1252: Latin-1 with other characters at 0x80..0x9f. */
static void allm__gen_latin1(allm__buf *out, const uint8_t *p, size_t n) {
    static const uint16_t c1[32] = {0x20ac, 0xfffd, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
                                    0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0xfffd, 0x017d, 0xfffd,
                                    0xfffd, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                    0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0xfffd, 0x017e, 0x0178};
    for (size_t i = 0; i < n; i++) allm__buf_put_cp(out, p[i] >= 0x80 && p[i] < 0xa0 ? c1[p[i] - 0x80] : p[i]);
}

/* UTF-16 without a mark: nearly all of the even or of the odd bytes are zero. 0 no, 1 little-endian, 2 big-endian. */
static int allm__gen_guess_utf16(const uint8_t *p, size_t n) {
    size_t zero[2] = {0, 0}, m = ALLM__MIN(n, 1024) & ~(size_t)1;
    for (size_t i = 0; i < m; i++) zero[i % 2] += p[i] == 0;
    if (m && zero[1] * 20 >= m * 9 && !zero[0]) return 1;
    return m && zero[0] * 20 >= m * 9 && !zero[1] ? 2 : 0;
}

/* More controls than text has? Tab, line ends, form feed, escape and backspace do not count. */
static int allm__gen_is_binary(const uint8_t *p, size_t n, int latin1) {
    size_t odd = 0, m = latin1 ? ALLM__MIN(n, 4096) : n;
    for (size_t i = 0; i < m; i++) {
        int control = p[i] < 0x20 && !(p[i] >= 8 && p[i] <= 13) && p[i] != 27;
        odd += (size_t)(control || (latin1 && p[i] >= 0x7f && p[i] < 0xa0));
    }
    return latin1 ? odd * 10 > m * 3 : odd * 100 > m;
}

/* Appends a file's bytes as UTF-8, deciding by content what they are; a text has no zeros. */
static allm_status allm__gen_text(const char *path, const uint8_t *p, size_t n, allm__buf *out, allm_error *err) {
    const allm__file_head *magic = allm__file_sniff(p, n, 0);
    allm_str           text  = allm__str((const char *)p, n);
    size_t             from  = out->len;
    int                wide  = 1, latin1;
    if (magic && magic->kind == ALLM__MAGIC_IMAGE)
        return allm__fail(err, ALLM_E_UNSUPPORTED, path, -1, "is %s: vision is not supported by this model",
                          magic->name);
    if (magic) return allm__fail(err, ALLM_E_FORMAT, path, -1, "is %s; convert it to text first", magic->name);
    if (n >= 4 && (!memcmp(p, "\xff\xfe\0\0", 4) || !memcmp(p, "\0\0\xfe\xff", 4)))
        allm__gen_utf32(out, p + 4, n - 4, p[0] == 0);
    else if (n >= 2 && ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff)))
        allm__gen_utf16(out, p + 2, n - 2, p[0] == 0xfe);
    else if (allm__gen_guess_utf16(p, n)) allm__gen_utf16(out, p, n, allm__gen_guess_utf16(p, n) == 2);
    else wide = 0;
    if (n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3)) text.ptr += 3, text.len -= 3;
    latin1 = !wide && allm__utf8_bad(text) != SIZE_MAX;
    if (wide) text = allm__str(out->ptr ? out->ptr + from : "", out->len - from);
    if ((text.len && memchr(text.ptr, 0, text.len)) ||
        (!wide && allm__gen_is_binary((const uint8_t *)text.ptr, text.len, latin1)))
        return allm__fail(err, ALLM_E_FORMAT, path, -1, "is a binary file, expected text");
    if (latin1) allm__gen_latin1(out, (const uint8_t *)text.ptr, text.len);
    else if (!wide) allm__buf_put(out, text.ptr, text.len);
    return ALLM_OK;
}

/* The last component of a path, with nothing in it that could end the header it stands in, or is no UTF-8. */
static void allm__gen_name(allm__buf *out, const char *path) {
    const char *name = path;
    for (const char *c = path; *c; c++)
#if defined(ALLM__WINDOWS)
        if (*c == '/' || *c == '\\') name = c + 1;
#else
        if (*c == '/') name = c + 1;
#endif
    for (size_t n; *name; name += n) {
        n = *name == '\'' ? 0 : allm__err_char((const unsigned char *)name);
        allm__buf_put(out, n ? name : "_", n ? n : 1), n = n ? n : 1;
    }
}

/* Appends one file in the form "\n\n### Content from file 'NAME':\n...\n###\n". raw: room for its bytes. */
static allm_status allm__gen_file(const char *path, allm__buf *raw, allm__buf *out, allm_error *err) {
    uint64_t size = 0;
    raw->len      = 0;
    if (allm__file_read_text(path, ALLM__FILE_CAP, raw, &size, err)) return err->status;
    if (raw->len > ALLM__FILE_CAP)
        return allm__fail(err, ALLM_E_MEMORY, path, -1, "%s%llu bytes, at most %d of a file in a prompt",
                          size == raw->len ? "at least " : "", (unsigned long long)size, (int)ALLM__FILE_CAP);
    allm__buf_puts(out, "\n\n### Content from file '");
    allm__gen_name(out, path);
    allm__buf_puts(out, "':\n");
    allm_status status = allm__gen_text(path, (const uint8_t *)raw->ptr, raw->len, out, err);
    allm__buf_puts(out, "\n###\n");
    return status;
}

/* The text of the prompt (or of the last user message) with the request's files behind it, in `out`. */
static allm_status allm__gen_inline(const allm__host *h, const allm_request *req, const char *text, allm__buf *out,
                                    allm_error *err) {
    allm__buf   raw    = {h, NULL, 0, 0, 0, 0};
    allm_status status = ALLM_OK;
    if (req->n_files > ALLM__FILES_MAX)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "%llu files, at most %d", (unsigned long long)req->n_files,
                          (int)ALLM__FILES_MAX);
    allm__buf_puts(out, text);
    size_t n_text = out->len;
    for (size_t i = 0; !status && !out->failed && i < req->n_files; i++) {
        status = allm__gen_file(req->files[i], &raw, out, err);
        if (!status && out->len - n_text > ALLM__FILES_CAP)
            status = allm__fail(err, ALLM_E_MEMORY, req->files[i], -1,
                                "with it the prompt's files have %llu bytes, at most %d",
                                (unsigned long long)(out->len - n_text), (int)ALLM__FILES_CAP);
    }
    allm__buf_free(&raw);
    if (!status && !allm__buf_text(out)) status = allm__fail_memory(err, out->len);
    return status;
}

/* The largest of the request's files, which says where a prompt that does not fit comes from; NULL without any. */
static const char *allm__gen_largest(const allm__host *h, const allm_request *req, size_t *size) {
    allm__buf   raw  = {h, NULL, 0, 0, 0, 0};
    const char *path = NULL;
    *size            = 0;
    for (size_t i = 0; i < req->n_files; i++, raw.len = 0) {
        allm_error ignored = {ALLM_OK, -1, 0, 0, 0, "", ""};
        uint64_t   n       = 0;
        if (!allm__file_read_text(req->files[i], ALLM__FILE_CAP, &raw, &n, &ignored) && raw.len >= *size)
            path = req->files[i], *size = raw.len;
    }
    allm__buf_free(&raw);
    return path;
}

/* ---- responses: what they hold is freed through their owner record */

typedef struct allm__resp {
    allm__host host;
    size_t     text_cap, ids_cap;
} allm__resp;

static int allm__resp_own(const allm__host *h, allm_response *r) {
    allm__resp *o = (allm__resp *)allm__alloc_zero(h, sizeof *o, 16);
    if (o) o->host = *h;
    r->owner = o;
    return o != NULL;
}

/* Hands the ids over to the response, if it is one that somebody will free. */
static void allm__resp_ids(allm_response *r, allm__ids *ids) {
    allm__resp *o = (allm__resp *)r->owner;
    if (!o) return;
    r->token_ids = ids->ptr, o->ids_cap = ids->cap;
    ids->ptr = NULL, ids->len = ids->cap = 0;
}

static void allm__resp_text(allm_response *r, allm__buf *text) {
    allm__resp *o = (allm__resp *)r->owner;
    if (!o || !allm__buf_text(text)) return;
    r->text = text->ptr, r->text_len = text->len, o->text_cap = text->cap;
    text->ptr = NULL, text->len = text->cap = 0;
}

static void allm__resp_free(allm_response *r) {
    allm__resp *o = (allm__resp *)r->owner;
    if (o) {
        allm__host host = o->host;
        allm__free(&host, r->text, o->text_cap);
        allm__free(&host, r->token_ids, o->ids_cap * sizeof(int32_t));
        allm__free(&host, o, sizeof *o);
    }
    memset(r, 0, sizeof *r);
}

/* ---- from a request to the ids of its prompt */

/* The raw prompt's ids: BOS as the tokenizer says, special tokens stay text. */
static allm_status allm__gen_raw(const allm_model *m, const allm_request *req, allm__ids *ids, allm_error *err) {
    allm__buf buf = {ids->host, NULL, 0, 0, 0, 0};
    if (!req->prompt || req->system)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1,
                          "a raw request takes a prompt alone, %s needs a chat template",
                          req->prompt ? "a system prompt" : "a list of messages");
    allm_status status = allm__gen_inline(ids->host, req, req->prompt, &buf, err);
    if (!status) status = allm__tok_encode(m->tok, allm__str(buf.ptr, buf.len), ALLM__TOK_BOS, NULL, 0, ids, err);
    allm__buf_free(&buf);
    return status;
}

/* The text of the last message of a user, or of the prompt. */
static const char *allm__gen_last_text(const allm_request *req, size_t *i_message) {
    *i_message = SIZE_MAX;
    for (size_t i = 0; i < req->n_messages; i++)
        if (!strcmp(req->messages[i].role, "user")) *i_message = i;
    if (!req->n_messages) return req->prompt;
    return *i_message == SIZE_MAX ? NULL : req->messages[*i_message].content;
}

/* The special tokens that a template may name: those that the tokenizer has. Returns how many. */
static size_t allm__gen_tokens(const allm_model *m, allm__chat_var vars[6]) {
    size_t n = 0;
    if (!m->tok) return 0;
    const struct { const char *name; int32_t id; } all[] = {
        {"bos_token", m->tok->bos}, {"eos_token", m->tok->eos}, {"unk_token", m->tok->unk},
        {"pad_token", m->tok->pad}, {"sep_token", m->tok->sep}, {"mask_token", m->tok->mask},
    };
    for (size_t i = 0; i < ALLM__COUNT(all); i++)
        if (all[i].id >= 0) vars[n].name = all[i].name, vars[n++].text = allm__tok_piece(m->tok, all[i].id);
    return n;
}

/* Renders the request's conversation with its files; a prompt is one message of a user. user: the bytes of `out` that
 * are the caller's own text. fold: for an answer: what a model lacks is made good, a template that refuses a system
 * message (see allm__chat_request) and none at all (ChatML); else that is an error. */
static allm_status allm__gen_render(const allm_model *m, const allm_request *req, int fold, allm__buf *out,
                                    allm__spans *user, allm_error *err) {
    allm__chat_var     vars[6];
    allm__chat         chat = {out->host, m->tmpl, m->chat_template, vars, allm__gen_tokens(m, vars)};
    allm__buf          text = {out->host, NULL, 0, 0, 0, 0};
    allm_message       one  = {"user", NULL}, *copy = NULL;
    size_t             last, n = req->n_messages, n_bytes = 0;
    const char        *body = allm__gen_last_text(req, &last);
    allm__chat_request r    = {req->system, &one, 1, req->template_kwargs, 0, fold};
    if (m->chat_template.len && !m->tmpl) return *err = m->template_error, err->status;
    if (!fold && !m->tmpl) return allm__fail(err, ALLM_E_UNSUPPORTED, NULL, -1, "the model has no chat template");
    if (req->n_files && !body)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1,
                          "files are given, but no message of a user to append them to");
    allm_status status = body ? allm__gen_inline(out->host, req, body, &text, err) : ALLM_OK;
    one.content        = text.ptr;
    if (!status && n) {
        copy = allm__mul(n, sizeof *copy, &n_bytes) ? (allm_message *)allm__alloc(out->host, n_bytes, 16) : NULL;
        if (!copy) status = allm__fail_memory(err, n_bytes);
        else memcpy(copy, req->messages, n_bytes);
        if (copy && last != SIZE_MAX) copy[last].content = text.ptr;
        r.messages = copy, r.n_messages = n;
    }
    if (!status) status = allm__chat_render(&chat, &r, out, user, err);
    if (copy) allm__free(out->host, copy, n_bytes);
    allm__buf_free(&text);
    return status;
}

/* The ids of a request's prompt, by the model's template unless it is raw. What the caller wrote never becomes a
 * special token; what the template wrote does. */
static allm_status allm__gen_prompt(const allm_model *m, const allm_request *req, allm__ids *ids, allm_error *err) {
    if (req->raw) return allm__gen_raw(m, req, ids, err);
    allm__buf   out  = {ids->host, NULL, 0, 0, 0, 0};
    allm__spans user = {ids->host, NULL, 0, 0, 0};
    allm_status status = allm__gen_render(m, req, 1, &out, &user, err);
    if (!status && !m->tmpl && m->tok->add_bos && m->tok->bos >= 0) { /* templates write theirs, ChatML has none */
        allm__ids_put(ids, m->tok->bos);
        if (ids->failed) status = allm__fail_memory(err, sizeof(int32_t));
    }
    if (!status)
        status = allm__tok_encode(m->tok, allm__str(out.ptr, out.len), ALLM__TOK_SPECIAL, user.ptr, user.len, ids, err);
    allm__spans_free(&user);
    allm__buf_free(&out);
    return status;
}

/* Does the second-last of these messages reach the model? Its content is a word that no template has. Quietly: a
 * template that has to be helped says so when it is used. */
static allm_status allm__gen_keeps(const allm__host *h, const allm_model *m, const allm_message *messages, size_t n,
                                   int32_t *keeps, allm_error *err) {
    allm__host   quiet = *h;
    allm__buf    out   = {&quiet, NULL, 0, 0, 0, 0};
    allm__spans  user  = {&quiet, NULL, 0, 0, 0};
    allm_request req   = {0};
    req.messages = messages, req.n_messages = n, quiet.log = NULL;
    allm_status status = allm__gen_render(m, &req, 1, &out, &user, err);
    allm_str    word   = allm__str_of(messages[n - 2].content);
    *keeps             = !status && allm__str_find(allm__str(out.ptr, out.len), word, 0) != SIZE_MAX;
    allm__spans_free(&user);
    allm__buf_free(&out);
    if (status != ALLM_E_MEMORY) err->status = ALLM_OK;
    return err->status;
}

/* ---- stop strings: text leaves only when no stop string can begin in it. Each is followed byte by byte (Knuth, Morris
 * and Pratt, 1977). The first that is complete ends the answer, the longest if there are several: so the answer does
 * not depend on how it was cut into tokens. */

typedef struct allm__stop_text {
    const char *text; /* the caller's, whole UTF-8, not empty */
    size_t      n, n_seen; /* bytes; how many of them the answer so far ends with */
    uint32_t   *back; /* [n] the longest beginning of text that text[0..i] ends with, but for itself */
} allm__stop_text;

typedef struct allm__stop {
    allm__stop_text *texts; /* [n], in one block with what they point to */
    size_t           n, n_bytes;
    allm__buf        held; /* text that may be the beginning of a stop string */
    int              hit;
} allm__stop;

static void allm__stop_prepare(allm__stop_text *t) {
    t->back[0] = 0;
    for (size_t i = 1, k = 0; i < t->n; i++) {
        while (k && t->text[i] != t->text[k]) k = t->back[k - 1];
        k += t->text[i] == t->text[k];
        t->back[i] = (uint32_t)k;
    }
}

/* Takes the request's stop strings; n_piece: the longest text to come at once. */
static allm_status allm__stop_init(allm__stop *s, const allm_request *req, size_t n_piece, allm_error *err) {
    allm__layout l     = {NULL, 0, 0};
    size_t       total = 0, longest = 0, k = 0;
    for (size_t i = 0; i < req->n_stop; i++) {
        size_t n = strlen(req->stop[i]);
        s->n += n > 0, total += n, longest = ALLM__MAX(longest, n);
    }
    if (!s->n) return ALLM_OK;
    for (int placing = 0; placing < 2; placing++) {
        s->texts       = (allm__stop_text *)allm__layout_array(&l, s->n, sizeof *s->texts);
        uint32_t *back = (uint32_t *)allm__layout_array(&l, total, sizeof *back);
        if (!placing) {
            s->n_bytes = l.n_bytes;
            l.base     = l.failed || longest > UINT32_MAX ? NULL : (char *)allm__alloc(s->held.host, l.n_bytes, 64);
            if (!l.base) return allm__fail_memory(err, l.n_bytes);
            l.n_bytes = 0;
            continue;
        }
        for (size_t i = 0; i < req->n_stop; i++) {
            allm__stop_text t = {req->stop[i], strlen(req->stop[i]), 0, back};
            if (!t.n) continue;
            allm__stop_prepare(&t);
            s->texts[k++] = t, back += t.n;
        }
    }
    if (!allm__buf_room(&s->held, longest + n_piece)) return allm__fail_memory(err, longest + n_piece);
    s->held.len = 0;
    return ALLM_OK;
}

static void allm__stop_free(allm__stop *s) {
    allm__free(s->held.host, s->texts, s->n_bytes);
    allm__buf_free(&s->held);
    s->texts = NULL, s->n = 0;
}

/* How many bytes of the stop strings the answer ends with after one more; at a hit, of the one that is complete. */
static size_t allm__stop_byte(allm__stop *s, char c) {
    size_t tail = 0, whole = 0;
    for (allm__stop_text *t = s->texts; t < s->texts + s->n; t++) {
        while (t->n_seen && t->text[t->n_seen] != c) t->n_seen = t->back[t->n_seen - 1];
        t->n_seen += t->text[t->n_seen] == c;
        tail = ALLM__MAX(tail, t->n_seen);
        if (t->n_seen == t->n) s->hit = 1, whole = ALLM__MAX(whole, t->n);
    }
    return s->hit ? whole : tail;
}

/* ---- the answer of one generation */

typedef struct allm__gen {
    const allm_request *req;
    allm__stop          stop;
    int32_t             token_id; /* last one */
    allm_finish         finish;
} allm__gen;

/* Everything the answer needs beside the loop's ids, made before the first token; end with allm__stop_free. */
static allm_status allm__gen_begin(allm__gen *g, const allm__host *h, const allm_request *req, size_t n_piece,
                                   allm_error *err) {
    memset(g, 0, sizeof *g);
    g->req = req, g->token_id = -1, g->stop.held.host = h;
    return allm__stop_init(&g->stop, req, n_piece, err);
}

static allm_status allm__gen_send(allm__gen *g, const char *text, size_t n, allm_error *err) {
    allm_chunk chunk = {ALLM_TEXT, text, n, g->token_id, 1};
    if (!n || !g->req->on_chunk) return ALLM_OK;
    if (g->req->on_chunk(&chunk, g->req->on_chunk_ctx) == 0) return ALLM_OK;
    g->finish = ALLM_FINISH_CANCELLED;
    return allm__fail(err, ALLM_E_CANCELLED, NULL, -1, "cancelled by the callback");
}

/* Passes text on, up to a stop string; with `last` nothing is held back any more. */
static allm_status allm__gen_emit(allm__gen *g, allm_str text, int last, allm_error *err) {
    allm__stop *s = &g->stop;
    if (!s->n) return allm__gen_send(g, text.ptr, text.len, err);
    size_t n_out = s->held.len, tail = s->held.len;
    allm__buf_put(&s->held, text.ptr, text.len);
    if (s->held.failed) return allm__fail_memory(err, s->held.len);
    for (size_t i = 0; i < text.len && !s->hit; i++) tail = allm__stop_byte(s, text.ptr[i]), n_out++;
    if (s->hit) g->finish = ALLM_FINISH_STOP;
    if (s->hit || !last) n_out -= tail;
    allm_status status = allm__gen_send(g, s->held.ptr, n_out, err);
    if (n_out) memmove(s->held.ptr, s->held.ptr + n_out, s->held.len - n_out), s->held.len -= n_out;
    return status;
}

/* Samples, evaluates and emits until something ends the answer. ids: [max_tokens] reserved. The session's last logits
 * are those of the prompt's end; rows of the head beyond the tokenizer's ids are padding, without text. */
static allm_status allm__gen_loop(allm__gen *g, allm_session *s, allm__samp *samp, size_t max_tokens, allm__ids *ids,
                                  allm_error *err) {
    const allm__tok *tok    = s->m->tok;
    allm_detok_state detok  = {{0}, {0}};
    allm_status      status = ALLM_OK;
    allm_str         piece;
    g->finish               = ALLM_FINISH_LENGTH;
    for (;;) {
        int32_t id;
        status = allm__samp_next(samp, allm__session_logits(s, 0), &id, NULL, err);
        if (status) return status;
        ids->ptr[ids->len++] = g->token_id = id;
        if (allm__tok_is_end(tok, id)) g->finish = ALLM_FINISH_STOP;
        else if (id < tok->n_vocab) {
            status = allm__tok_next(tok, &detok, id, 1, &piece, err);
            if (!status) status = allm__gen_emit(g, piece, 0, err);
        }
        if (status || g->stop.hit) return status;
        if (g->finish == ALLM_FINISH_STOP || ids->len == max_tokens) break;
        status = allm__session_run(s, &id, 1, 0, 0, NULL, NULL, err);
        if (status) return status;
    }
    status = allm__tok_next(tok, &detok, -1, 1, &piece, err); /* what was held back */
    return status ? status : allm__gen_emit(g, piece, 1, err);
}

// MARK: >>sess  Sessions
/* Owns: the state between two answers of one model: the ids that its session holds, so that a prompt that begins like
 * the last one is evaluated only from where it differs. Holds after every call, failed or cancelled ones too: ids[0 ..
 * n) are the first n tokens of the session. */

typedef struct allm__sess {
    allm_session     *session; /* its model's memory holds the ids too */
    int32_t          *ids; /* [n_ctx] */
    size_t            n;
} allm__sess;

static void allm__sess_close(allm__sess *s) { /* zeroed is fine */
    if (!s->session) return;
    allm__free(&s->session->m->host, s->ids, (size_t)s->session->n_ctx * sizeof *s->ids);
    allm__session_destroy(s->session);
    memset(s, 0, sizeof *s);
}

static allm_status allm__sess_open(allm__sess *s, allm_model *m, const allm_session_config *config, allm_error *err) {
    if (allm__session_create(m, config, &s->session, err)) return err->status;
    size_t n_bytes = (size_t)s->session->n_ctx * sizeof *s->ids;
    s->ids         = (int32_t *)allm__alloc(&m->host, n_bytes, 64); /* closed by the caller */
    if (!s->ids && m->meter.refused)
        return allm__fail(err, ALLM_E_MEMORY, NULL, -1,
                          "the memory limit of %llu bytes is too small for the ids of %d tokens",
                          (unsigned long long)m->meter.limit, (int)s->session->n_ctx);
    return s->ids ? ALLM_OK : allm__fail_memory(err, n_bytes);
}

/* How many leading ids can be kept; the last id of the prompt is always evaluated, for its logits. */
static size_t allm__sess_common(const allm__sess *s, const int32_t *ids, size_t n) {
    size_t i = 0, most = ALLM__MIN(s->n, n - 1);
    while (i < most && s->ids[i] == ids[i]) i++;
    return i;
}

/* Brings the session to exactly ids[n], n > 0; *n_cached = how many were there. It is one part of a call that is
 * cancelled as a whole. */
static allm_status allm__sess_feed(allm__sess *s, const int32_t *ids, size_t n, size_t *n_cached,
                                   allm__progress progress, void *ctx, allm_error *err) {
    size_t keep = allm__sess_common(s, ids, n);
    if (allm__session_truncate(s->session, keep, err)) return err->status;
    s->n = *n_cached   = keep;
    allm_status status = allm__session_run(s->session, ids + keep, n - keep, 0, 0, progress, ctx, err);
    if (!status) memcpy(s->ids + keep, ids + keep, (n - keep) * sizeof *ids), s->n = n;
    return status;
}

/* After a generation: the sampled ids that the session has evaluated are part of it. */
static void allm__sess_append(allm__sess *s, const int32_t *ids, size_t n) {
    n = ALLM__MIN(n, allm__session_length(s->session) - s->n);
    if (n) memcpy(s->ids + s->n, ids, n * sizeof *ids);
    s->n += n;
}

// MARK: >>prov  Providers
/* Owns: the runtime, the registry of providers and its built-in rows, the cache of open models. A provider turns a
 * request into text chunks; the generic part here guards against two generations at once, collects the text and
 * carries cancellation. */

typedef struct allm__cached {
    allm_model *model;
    char       *key; /* path, size, time of change and mode: one file in one form */
    size_t      n_key;
    uint64_t    last_used;
} allm__cached;

enum { ALLM__CACHE_MAX = 16, ALLM__PROVIDERS_MAX = 32 };

struct allm_runtime {
    allm__host    host;
    allm__pool    pool;
    allm__compute compute;
    allm__mutex   mutex; /* guards everything below */
    allm_provider providers[ALLM__PROVIDERS_MAX];
    size_t        n_providers;
    allm__cached  cached[ALLM__CACHE_MAX];
    int32_t       n_cached, cache_models;
    uint64_t      cache_bytes, clock;
};

struct allm_llm {
    allm_runtime *rt;
    allm_provider row;
    void         *self;
    int32_t       state;     /* bits ALLM__LLM_* in one word, so that a cancel is always one of a certain generation */
    char          name[128]; /* of the model, for messages */
};

enum { ALLM__LLM_RUNS = 1, ALLM__LLM_CANCELLED = 2 /* what runs */, ALLM__LLM_DOOMED = 4 /* destroyed */ };

/* Changes bits of the state; returns what it was. */
static int32_t allm__llm_change(allm_llm *llm, int32_t clear, int32_t set) {
    for (;;) {
        int32_t old = ALLM__LOAD(&llm->state);
        if (ALLM__CAS(&llm->state, old, (old & ~clear) | set)) return old;
    }
}

static void allm__llm_free(allm_llm *llm) {
    if (llm->row.close) llm->row.close(llm->self);
    allm__free(&llm->rt->host, llm, sizeof *llm);
}

/* Begins a generation, not yet cancelled; 0: another one is running. */
static int allm__llm_enter(allm_llm *llm) { return ALLM__CAS(&llm->state, 0, ALLM__LLM_RUNS); }

/* Ends it, with what was said about it; if the object was destroyed meanwhile, that was waiting for this. */
static void allm__llm_leave(allm_llm *llm) {
    if (allm__llm_change(llm, ALLM__LLM_RUNS | ALLM__LLM_CANCELLED, 0) & ALLM__LLM_DOOMED) allm__llm_free(llm);
}

static int allm__llm_cancelled(allm_llm *llm) { return (ALLM__LOAD(&llm->state) & ALLM__LLM_CANCELLED) != 0; }

/* Any thread, also a signal handler. The bit is set before the provider is told: one that clears a flag of its own when
 * it begins has to look at the bit afterwards, as those of ours do (ALLM__EVENT_ROOM). */
static void allm__llm_cancel(allm_llm *llm) {
    for (;;) {
        int32_t old = ALLM__LOAD(&llm->state);
        if (!(old & ALLM__LLM_RUNS)) return;
        if (ALLM__CAS(&llm->state, old, old | ALLM__LLM_CANCELLED)) break;
    }
    if (llm->row.cancel) llm->row.cancel(llm->self);
}

static void allm__llm_destroy(allm_llm *llm) {
    allm__llm_cancel(llm);
    if (!(allm__llm_change(llm, 0, ALLM__LLM_DOOMED) & ALLM__LLM_RUNS)) allm__llm_free(llm);
}

/* ---- the cache of open models */

/* The identity of a model file; 0 when it has none (memory, a reader, no file system). */
static int allm__cache_key(const allm_source *src, int32_t reference, allm__buf *key) {
#if defined(ALLM__POSIX) && !defined(ABSTRACTLLM_NO_STDIO)
    struct stat st;
    if (!src->path || stat(src->path, &st) != 0) return 0;
    allm__buf_puts(key, src->path);
    int64_t parts[] = {(int64_t)st.st_dev, (int64_t)st.st_ino, (int64_t)st.st_size, (int64_t)st.st_mtime, reference};
    for (size_t i = 0; i < ALLM__COUNT(parts); i++) allm__buf_putc(key, '|'), allm__buf_int(key, parts[i]);
    return allm__buf_text(key) != NULL;
#else
    (void)src, (void)reference, (void)key;
    return 0;
#endif
}

static uint64_t allm__cache_total(const allm_runtime *rt) {
    uint64_t n = 0;
    for (int32_t i = 0; i < rt->n_cached; i++) n += rt->cached[i].model->n_tensor_bytes;
    return n;
}

static void allm__cache_drop(allm_runtime *rt, int32_t i) {
    allm__cached c = rt->cached[i];
    rt->cached[i]  = rt->cached[--rt->n_cached];
    allm__free(&rt->host, c.key, c.n_key);
    allm__model_release(c.model); /* lives on where sessions use it */
}

/* Least recently used first, until the caps hold. */
static void allm__cache_trim(allm_runtime *rt) {
    while (rt->n_cached > rt->cache_models ||
           (rt->cache_bytes && rt->n_cached && allm__cache_total(rt) > rt->cache_bytes)) {
        int32_t oldest = 0;
        for (int32_t i = 1; i < rt->n_cached; i++)
            if (rt->cached[i].last_used < rt->cached[oldest].last_used) oldest = i;
        allm__cache_drop(rt, oldest);
    }
}

/* The cached model of this key, with a reference for the caller; NULL: none. The mutex is held. */
static allm_model *allm__cache_take(allm_runtime *rt, const char *key) {
    for (int32_t i = 0; i < rt->n_cached; i++)
        if (!strcmp(rt->cached[i].key, key)) {
            rt->cached[i].last_used = ++rt->clock;
            allm__model_retain(rt->cached[i].model);
            return rt->cached[i].model;
        }
    return NULL;
}

/* Keeps a model that was just opened; or takes the one that another thread has brought in the meantime. */
static allm_model *allm__cache_put(allm_runtime *rt, const allm__buf *key, allm_model *m) {
    char *copy = (char *)allm__alloc(&rt->host, key->len + 1, 1);
    if (!copy) return m; /* then it is not kept */
    memcpy(copy, key->ptr, key->len + 1);
    allm__lock(&rt->mutex);
    allm_model *other = allm__cache_take(rt, copy);
    if (!other) {
        allm__cached c = {m, copy, key->len + 1, ++rt->clock};
        rt->cached[rt->n_cached++] = c;
        allm__model_retain(m);
        allm__cache_trim(rt);
    }
    allm__unlock(&rt->mutex);
    if (!other) return m;
    allm__free(&rt->host, copy, key->len + 1);
    allm__model_release(m);
    return other;
}

/* Opens a model through the cache; *out has a reference for the caller. One with a memory limit of its own is not
 * shared. The mutex is not held while loading. */
static allm_status allm__cache_open(allm_runtime *rt, const allm_source *src, const allm_model_config *config,
                                    allm_model **out, allm_error *err) {
    allm__buf   key    = {&rt->host, NULL, 0, 0, 0, 0};
    int         cached = rt->cache_models > 0 && !config->memory_limit && allm__cache_key(src, config->reference, &key);
    allm_status status = ALLM_OK;
    allm__lock(&rt->mutex);
    *out = cached ? allm__cache_take(rt, key.ptr) : NULL;
    allm__unlock(&rt->mutex);
    if (*out) allm__model_report(config, 1);
    else status = allm__model_open(&rt->host, &rt->compute, src, config, out, err);
    if (!status && cached) *out = allm__cache_put(rt, &key, *out);
    allm__buf_free(&key);
    return status;
}

/* ---- between a provider's chunks and the caller's callback */

typedef struct allm__relay {
    allm_llm           *llm;
    const allm_request *req;
    allm__buf           text;
    int                 keeps;   /* somebody wants the text */
    int                 stopped; /* 1: the callback said so, 2: allm_cancel; the provider has been told */
} allm__relay;

/* An event for the relay alone, from providers of ours: len bytes of text are to come, for which there shall be room
 * from now on. Nothing is to be done, and the return value is not 0, when there is none or the call has been cancelled.
 * */
enum { ALLM__EVENT_ROOM = 1 << 16 };

static int allm__relay_room(allm__relay *r, size_t n) {
    if (r->keeps && !allm__buf_room(&r->text, n + 1)) return r->text.failed = 1;
    r->text.len = 0;
    return 0;
}

static int allm__relay_chunk(const allm_chunk *given, void *ctx) {
    allm__relay *r     = (allm__relay *)ctx;
    allm_chunk   chunk = *given;
    if (!chunk.text) chunk.text = "", chunk.len = 0;
    if (!r->stopped && allm__llm_cancelled(r->llm)) r->stopped = 2;
    if (r->stopped || r->text.failed) return 1;
    if ((int32_t)chunk.event == ALLM__EVENT_ROOM) return allm__relay_room(r, chunk.len);
    if (chunk.event == ALLM_DONE) return 0; /* comes from us, once */
    if (chunk.event == ALLM_TEXT && r->keeps) allm__buf_put(&r->text, chunk.text, chunk.len);
    if (r->text.failed) return 1;
    if (r->req->on_chunk && r->req->on_chunk(&chunk, r->req->on_chunk_ctx)) r->stopped = 1;
    return r->stopped != 0;
}

/* For providers of ours: asks for room for all text to come, so that none is allocated later. */
static allm_status allm__prov_room(const allm_request *req, size_t n, allm_error *err) {
    allm_chunk room = {(allm_event)ALLM__EVENT_ROOM, "", n, -1, 0};
    return req->on_chunk(&room, req->on_chunk_ctx) ? allm__fail(err, ALLM_E_CANCELLED, NULL, -1, "cancelled") : ALLM_OK;
}

/* ---- provider "local": a model file on this machine */

enum { ALLM__LOCAL_RESERVE = 1 << 20 }; /* bytes of an answer for which there is always room from the start */

typedef struct allm__local {
    allm_runtime *rt;
    allm_model   *model;
    allm__sess    sess;
    double        load_s;
    size_t        n_piece; /* bytes of text that one token adds at most */
} allm__local;

/* Is there anything of this name? A FIFO is not opened: that would wait for a writer. */
static int allm__local_exists(const char *path) {
#if defined(ABSTRACTLLM_NO_STDIO)
    return (void)path, 0;
#elif defined(ALLM__POSIX)
    struct stat st;
    return stat(path, &st) == 0;
#else
    FILE *f = fopen(path, "rb");
    return f ? fclose(f), 1 : 0;
#endif
}

/* A plain name that is no file may be some other provider's model; a path that is none is a mistake that open tells. */
static int allm__local_probe(void *ctx, const allm_config *config) {
    const char *model = config->model;
    (void)ctx;
    if (config->source) return 100;
    if (!model || !*model) return 0;
    if (allm__str_ends(allm__str_of(model), ALLM__S(".gguf"))) return 60;
    return allm__local_exists(model) ? 40 : strpbrk(model, "/\\") ? 20 : 0;
}

static void allm__local_close(void *self) {
    allm__local *l = (allm__local *)self;
    if (!l) return;
    allm__host *h = &l->rt->host;
    allm__sess_close(&l->sess);
    allm__model_release(l->model);
    allm__free(h, l, sizeof *l);
}

static allm_status allm__local_open(void *ctx, const allm_config *config, void **self, allm_error *err) {
    allm_runtime       *rt    = config->runtime;
    allm_source         src   = {0};
    allm_model_config   model = {config->memory_limit, config->reference, 0, config->on_load, config->on_load_ctx};
    allm_session_config shape = {config->n_ctx, config->n_batch, config->kv_type, NULL, 0};
    double              start = allm__plat_seconds();
    (void)ctx;
    if (config->source) src = *config->source;
    else src.path = config->model;
    if (!config->source && (!config->model || !*config->model))
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "config.model is empty: a model file is expected");
    allm__local *l = (allm__local *)allm__alloc_zero(&rt->host, sizeof *l, 16);
    if (!l) return allm__fail_memory(err, sizeof *l);
    l->rt = rt;
    allm_status status = allm__cache_open(rt, &src, &model, &l->model, err);
    if (!status && !l->model->tok)
        status = allm__fail(err, ALLM_E_UNSUPPORTED, src.path, -1, "has no tokenizer: it cannot read or write text");
    if (!status) status = allm__sess_open(&l->sess, l->model, &shape, err);
    if (status) return allm__local_close(l), status;
    for (int32_t id = 0; id < l->model->tok->n_vocab; id++) { /* what is no UTF-8 may become U+FFFD, byte by byte */
        size_t n   = allm__tok_piece(l->model->tok, id).len;
        l->n_piece = ALLM__MAX(l->n_piece, allm__tok_has(l->model->tok, id, ALLM__TOK_A_UTF8) ? n : 3 * n);
    }
    l->load_s = allm__plat_seconds() - start;
    *self     = l;
    return ALLM_OK;
}

/* The ids of a request's prompt. */
static allm_status allm__local_prompt(allm__local *l, const allm_request *req, allm__ids *ids, allm_error *err) {
    if (req->n_prompt_ids) {
        if (!allm__grow(ids->host, (void **)&ids->ptr, &ids->cap, 0, req->n_prompt_ids, sizeof(int32_t)))
            return allm__fail_memory(err, req->n_prompt_ids * sizeof(int32_t));
        memcpy(ids->ptr, req->prompt_ids, req->n_prompt_ids * sizeof(int32_t));
        ids->len = req->n_prompt_ids;
    } else {
        allm_status status = allm__gen_prompt(l->model, req, ids, err);
        if (status) return status;
    }
    if (ids->len == 0)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "the prompt is empty: there is no token to evaluate");
    size_t n_ctx = (size_t)l->sess.session->n_ctx, size;
    if (ids->len <= n_ctx) return ALLM_OK;
    const char *file = allm__gen_largest(ids->host, req, &size);
    return allm__fail(err, ALLM_E_CONTEXT, file, -1, file ? "the prompt has %llu tokens, the context holds %llu; "
                                                            "this is the largest of its files, %llu bytes"
                                                          : "the prompt has %llu tokens, the context holds %llu",
                      (unsigned long long)ids->len, (unsigned long long)n_ctx, (unsigned long long)size);
}

/* From a session's progress to the request's callback. */
static int allm__local_progress(void *ctx, size_t n_done, size_t n) {
    const allm_request *req   = (const allm_request *)ctx;
    allm_chunk          chunk = {ALLM_PROMPT_PROGRESS, "", 0, -1, (float)n_done / (float)n};
    return req->on_chunk ? req->on_chunk(&chunk, req->on_chunk_ctx) : 0;
}

typedef struct allm__local_run { /* one generation */
    allm__gen  g;
    allm__samp samp;
    allm__ids  prompt; /* the model's memory, as all that is freed at the end */
    allm__ids  ids;    /* of the answer, which is the caller's */
    size_t     n_cached, max_tokens;
    double     start, fed; /* seconds; when the prompt was evaluated */
} allm__local_run;

/* All memory of the generation, before the first token: the prompt's ids, the sampler, the arrays of the answer. */
static allm_status allm__local_prepare(allm__local *l, const allm_request *req, allm__local_run *run, allm_error *err) {
    allm__host   *h = &l->model->host;
    allm_sampling own;
    memset(run, 0, sizeof *run);
    run->prompt.host = h, run->ids.host = &l->rt->host;
    run->start = run->fed = allm__plat_seconds();
    if (allm__gen_begin(&run->g, h, req, ALLM__MAX(l->n_piece + 3, sizeof(allm_detok_state)), err) ||
        allm__local_prompt(l, req, &run->prompt, err))
        return err->status;
    size_t room     = (size_t)l->sess.session->n_ctx - run->prompt.len + 1; /* the last is not evaluated */
    run->max_tokens = ALLM__MIN(req->max_tokens > 0 ? (size_t)req->max_tokens : 4096, room);
    size_t n_text   = ALLM__MIN(run->max_tokens * l->n_piece + 3 * ALLM__TOK_HOLD, ALLM__LOCAL_RESERVE);
    if (!allm__grow(run->ids.host, (void **)&run->ids.ptr, &run->ids.cap, 0, run->max_tokens, sizeof(int32_t)))
        return allm__fail_memory(err, run->max_tokens * sizeof(int32_t));
    if (allm__prov_room(req, n_text, err)) return err->status;
    if (!req->sampling) allm__model_sampling(l->model, &own);
    else own = *req->sampling;
    return allm__samp_init(&run->samp, h, l->model->compute.kern, (int32_t)l->model->hp.n_vocab, &own, err);
}

static allm_status allm__local_answer(allm__local *l, const allm_request *req, allm__local_run *run, allm_error *err) {
    allm__samp_accept(&run->samp, run->prompt.ptr, run->prompt.len);
    allm_status status = allm__sess_feed(&l->sess, run->prompt.ptr, run->prompt.len, &run->n_cached,
                                         allm__local_progress, (void *)(uintptr_t)req, err);
    run->fed = allm__plat_seconds();
    if (status) return status;
    status = allm__gen_loop(&run->g, l->sess.session, &run->samp, run->max_tokens, &run->ids, err);
    allm__sess_append(&l->sess, run->ids.ptr, run->ids.len);
    return status;
}

/* What the response says, also of a generation that failed; and everything else is freed. */
static void allm__local_report(allm__local *l, allm__local_run *run, allm_response *out) {
    if (run->samp.mem) out->seed = run->samp.p.seed;
    out->finish            = run->g.finish;
    out->prompt_tokens     = (int32_t)run->prompt.len;
    out->cached_tokens     = (int32_t)run->n_cached;
    out->completion_tokens = (int32_t)run->ids.len;
    out->load_s = l->load_s, out->prompt_s = run->fed - run->start, out->generate_s = allm__plat_seconds() - run->fed;
    allm__resp_ids(out, &run->ids);
    allm__samp_free(&run->samp);
    allm__stop_free(&run->g.stop);
    allm__ids_free(&run->prompt);
    allm__ids_free(&run->ids);
}

static allm_status allm__local_generate(void *self, const allm_request *req, allm_response *out, allm_error *err) {
    allm__local    *l     = (allm__local *)self;
    allm__meter    *meter = &l->model->meter;
    allm__local_run run;
    ALLM__STORE(&l->sess.session->cancel, 0); /* a cancel from before this is found by allm__prov_room */
    if (meter->limit) meter->refused = 0;     /* such a model is nobody else's */
    allm_status status = allm__local_prepare(l, req, &run, err);
    if (!status) status = allm__local_answer(l, req, &run, err);
    allm__local_report(l, &run, out);
    if (status != ALLM_E_MEMORY || !meter->limit || !meter->refused) return status;
    err->status = ALLM_OK;
    return allm__fail(err, ALLM_E_MEMORY, NULL, -1, "the memory limit of %llu bytes is too small for this request",
                      (unsigned long long)meter->limit);
}

static allm_status allm__local_capabilities(void *self, allm_capabilities *out, allm_error *err) {
    allm__local    *l = (allm__local *)self;
    allm_model_info info;
    static const allm_message system[] = {{"system", "xqzq"}, {"user", "b"}},
                              turns[]  = {{"user", "a"}, {"assistant", "xqzq"}, {"user", "b"}};
    allm__model_info(l->model, &info);
    out->streaming = 1, out->n_parallel = 1;
    if (info.has_template && (allm__gen_keeps(&l->model->host, l->model, system, 2, &out->system_prompt, err) ||
                              allm__gen_keeps(&l->model->host, l->model, turns, 3, &out->multi_turn, err)))
        return err->status;
    out->max_context = out->max_output = l->sess.session->n_ctx;
    out->n_parameters = info.n_parameters;
    allm__lock(&l->model->meter.mutex); /* other sessions of the model may be allocating */
    out->memory_bytes = l->model->meter.live;
    allm__unlock(&l->model->meter.mutex);
    memcpy(out->architecture, info.architecture, sizeof out->architecture);
    memcpy(out->quantization, info.quantization, sizeof out->quantization);
    if (info.name[0]) memcpy(out->model, info.name, sizeof out->model);
    return ALLM_OK;
}

static allm_status allm__local_default_sampling(void *self, allm_sampling *out, allm_error *err) {
    (void)err;
    allm__model_sampling(((allm__local *)self)->model, out);
    return ALLM_OK;
}

static void allm__local_cancel(void *self) { allm__session_cancel(((allm__local *)self)->sess.session); }

/* ---- provider "echo": gives the prompt back, word by word; for tests of programs, without a model */

static allm_status allm__echo_open(void *ctx, const allm_config *config, void **self, allm_error *err) {
    (void)ctx, (void)err;
    *self = config->runtime;
    return ALLM_OK;
}

static size_t allm__echo_word(const allm__buf *b, size_t from) { /* bytes of a word and the blank before it */
    size_t n = 1;
    while (from + n < b->len && b->ptr[from + n] != ' ') n++;
    return n;
}

static allm_status allm__echo_generate(void *self, const allm_request *req, allm_response *out, allm_error *err) {
    allm_runtime *rt   = (allm_runtime *)self;
    allm__gen     g;
    allm__buf     buf  = {&rt->host, NULL, 0, 0, 0, 0};
    const char   *text = req->prompt;
    for (size_t i = 0; i < req->n_messages; i++)
        if (!strcmp(req->messages[i].role, "user")) text = req->messages[i].content;
    int32_t     most   = req->max_tokens > 0 ? req->max_tokens : 4096;
    allm_status status = allm__gen_begin(&g, &rt->host, req, 0, err);
    if (!status && req->n_prompt_ids)
        status = allm__fail(err, ALLM_E_UNSUPPORTED, NULL, -1, "echo has no tokens: it takes a prompt or messages");
    if (!status) status = allm__gen_inline(&rt->host, req, text ? text : "", &buf, err);
    if (!status) status = allm__prov_room(req, buf.len, err);
    for (size_t i = 0; !status && i < buf.len; i += allm__echo_word(&buf, i)) out->prompt_tokens++;
    for (size_t i = 0, n; !status && i < buf.len && !g.stop.hit; i += n) {
        if (out->completion_tokens == most) { g.finish = ALLM_FINISH_LENGTH; break; }
        out->completion_tokens++;
        n      = allm__echo_word(&buf, i);
        status = allm__gen_emit(&g, allm__str(buf.ptr + i, n), 0, err);
    }
    if (!status) status = allm__gen_emit(&g, allm__str("", 0), 1, err);
    out->finish = g.finish;
    allm__stop_free(&g.stop);
    allm__buf_free(&buf);
    return status;
}

static allm_status allm__echo_capabilities(void *self, allm_capabilities *out, allm_error *err) {
    (void)self, (void)err;
    out->streaming = out->system_prompt = out->multi_turn = 1, out->n_parallel = 1;
    out->max_context = out->max_output = 1 << 20;
    memcpy(out->architecture, "echo", 5), memcpy(out->model, "echo", 5);
    return ALLM_OK;
}

/* ---- the registry */

static const allm_provider allm__prov_rows[] = {
    {"local", allm__local_probe, allm__local_open, allm__local_generate, allm__local_capabilities,
     allm__local_default_sampling, allm__local_cancel, allm__local_close, NULL},
    {"gguf", NULL, allm__local_open, allm__local_generate, allm__local_capabilities, allm__local_default_sampling,
     allm__local_cancel, allm__local_close, NULL},
    {"echo", NULL, allm__echo_open, allm__echo_generate, allm__echo_capabilities, NULL, NULL, NULL, NULL},
};

static allm_status allm__prov_register(allm_runtime *rt, const allm_provider *p, allm_error *err) {
    allm_status status = ALLM_OK;
    size_t      i      = 0;
    if (!*p->name) return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "the provider's name is empty");
    allm__lock(&rt->mutex);
    while (i < rt->n_providers && strcmp(rt->providers[i].name, p->name)) i++;
    if (i == ALLM__PROVIDERS_MAX)
        status = allm__fail(err, ALLM_E_MEMORY, NULL, -1, "at most %d providers", (int)ALLM__PROVIDERS_MAX);
    else {
        rt->providers[i] = *p;
        rt->n_providers  = ALLM__MAX(rt->n_providers, i + 1);
    }
    allm__unlock(&rt->mutex);
    return status;
}

/* The named provider, or the one that fits the model best; *out is a copy of its row. Probes run unlocked: they are
 * others' code. */
static allm_status allm__prov_find(allm_runtime *rt, const char *name, const allm_config *config, allm_provider *out,
                                   allm_error *err) {
    allm_provider rows[ALLM__PROVIDERS_MAX];
    int           best = 0;
    allm__lock(&rt->mutex);
    size_t n = rt->n_providers;
    memcpy(rows, rt->providers, n * sizeof *rows);
    allm__unlock(&rt->mutex);
    for (size_t i = 0; i < n; i++) {
        int fit = name ? !strcmp(rows[i].name, name) : rows[i].probe ? rows[i].probe(rows[i].ctx, config) : 0;
        if (fit > best) best = fit, *out = rows[i];
    }
    if (best) return ALLM_OK;
    if (name) return allm__fail(err, ALLM_E_NOT_FOUND, NULL, -1, "no provider is named \"%.60s\"", name);
    if (!config->model || !*config->model)
        return allm__fail(err, ALLM_E_NOT_FOUND, NULL, -1, "neither a model nor a provider is named");
    return allm__fail(err, ALLM_E_NOT_FOUND, config->model, -1, "%s, and no provider knows this model",
                      allm__local_exists(config->model) ? "a file" : "there is no such file");
}

/* ---- one generation through any provider */

/* What came of it: a stop that we were told of counts, whatever the provider made of it. */
static allm_status allm__prov_verdict(allm__relay *r, allm_status status, allm_response *out, allm_error *err) {
    int stopped = r->stopped ? r->stopped : status == ALLM_E_CANCELLED && allm__llm_cancelled(r->llm) ? 2 : 0;
    if (r->text.failed) {
        r->text.failed = 0; /* what there is can be handed over */
        err->status    = ALLM_OK;
        return allm__fail_memory(err, r->text.len);
    }
    if (stopped) {
        err->status = ALLM_OK;
        status = allm__fail(err, ALLM_E_CANCELLED, NULL, -1, stopped == 1 ? "cancelled by the callback" : "cancelled");
    }
    if (status == ALLM_E_CANCELLED) out->finish = ALLM_FINISH_CANCELLED;
    return status;
}

static allm_status allm__prov_generate(allm_llm *llm, const allm_request *req, allm_response *out, allm_error *err) {
    const allm__host *h     = &llm->rt->host;
    allm__relay       relay = {llm, req, {h, NULL, 0, 0, 0, 0}, out != NULL, 0};
    allm_request      inner = *req;
    allm_response     own, *r = out ? out : &own;
    static const allm_chunk done = {ALLM_DONE, "", 0, -1, 1};
    if (!allm__llm_enter(llm))
        return allm__fail(err, ALLM_E_BUSY, NULL, -1, "another generation is running on this model object");
    memset(r, 0, sizeof *r);
    r->seed        = req->sampling ? req->sampling->seed : -1;
    inner.on_chunk = allm__relay_chunk, inner.on_chunk_ctx = &relay;
    allm_status status = !out || allm__resp_own(h, r) ? ALLM_OK : allm__fail_memory(err, sizeof(allm__resp));
    if (!status) status = llm->row.generate(llm->self, &inner, r, err);
    status = allm__prov_verdict(&relay, status, r, err);
    if (out) allm__resp_text(r, &relay.text);
    allm__buf_free(&relay.text);
    if (out && !status && !r->text) status = allm__fail_memory(err, 1);
    if (!status && req->on_chunk) req->on_chunk(&done, req->on_chunk_ctx); /* nothing is left to stop */
    allm__llm_leave(llm);
    return status;
}

/* ---- the runtime */

static allm_status allm__runtime_open(const allm_runtime_config *c, allm_runtime **out, allm_error *err) {
    allm_allocator own = {allm__mem_default_alloc, allm__mem_default_free, NULL};
    if (!c->allocator.alloc != !c->allocator.free)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "allocator: alloc and free must both be given, or neither");
    allm__host host = {c->allocator.alloc ? c->allocator : own, c->log, c->log_ctx};
    const allm__kern *kern = allm__kern_find(c->isa);
    if (!kern)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "isa \"%.40s\": not in this build or not on this machine",
                          c->isa);
    if (c->n_threads < 0)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "n_threads %d: at least 0", (int)c->n_threads);
    allm_runtime *rt = (allm_runtime *)allm__alloc_zero(&host, sizeof *rt, 64);
    if (!rt) return allm__fail_memory(err, sizeof *rt);
    rt->host = host;
    allm__pool_init(&rt->pool, c->n_threads);
    rt->pool.parallel_for = c->parallel_for, rt->pool.parallel_ctx = c->parallel_ctx;
    rt->compute.kern = kern, rt->compute.pool = &rt->pool;
    allm__mutex_init(&rt->mutex);
    rt->cache_models = c->cache_models < 0 ? 0 : c->cache_models ? ALLM__MIN(c->cache_models, ALLM__CACHE_MAX - 1) : 2;
    rt->cache_bytes  = c->cache_bytes;
    rt->n_providers  = ALLM__COUNT(allm__prov_rows);
    memcpy(rt->providers, allm__prov_rows, sizeof allm__prov_rows);
    *out = rt;
    return ALLM_OK;
}

static void allm__runtime_close(allm_runtime *rt) {
    if (!rt) return;
    allm__host host = rt->host;
    while (rt->n_cached) allm__cache_drop(rt, 0);
    allm__pool_free(&rt->pool);
    allm__mutex_free(&rt->mutex);
    allm__free(&host, rt, sizeof *rt);
}

static allm_runtime *allm__runtime_default; /* the one global: made at first use, freed by allm_shutdown */
static int32_t       allm__runtime_guard;   /* spin lock around it; held for microseconds, once */

static allm_status allm__runtime_get(allm_runtime *given, allm_runtime **out, allm_error *err) {
    allm_runtime_config zero;
    allm_status         status = ALLM_OK;
    if (given) return *out = given, ALLM_OK;
    memset(&zero, 0, sizeof zero);
    for (;;) {
        while (ALLM__SWAP(&allm__runtime_guard, 1)) ALLM__PAUSE();
        if (!allm__runtime_default && zero.n_threads)
            status = allm__runtime_open(&zero, &allm__runtime_default, err);
        *out = allm__runtime_default;
        ALLM__STORE(&allm__runtime_guard, 0);
        if (*out || status) return status;
        zero.n_threads = allm__pool_default_threads(); /* may read a thousand files: not while others spin */
    }
}

// MARK: >>api  Public functions
/* Owns: the public calls. Each checks its arguments, makes sure that there is an error record, and calls one room. */

/* The error record of a call: the caller's, emptied, or our own. */
static allm_error *allm__api_begin(allm_error *err, allm_error *own) {
    allm_error *e = err ? err : own;
    memset(e, 0, sizeof *e);
    e->offset = -1;
    return e;
}

static allm_status allm__api_null(allm_error *err, const char *what) {
    return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "%s is NULL", what);
}

/* A call that succeeded leaves no half-error behind (a retry inside it may have failed first); one that failed says so,
 * even if a provider of others forgot to. */
static allm_status allm__api_end(allm_error *err, allm_status status) {
    if (!status) memset(err, 0, sizeof *err), err->offset = -1;
    else if (!err->status) allm__fail(err, status, NULL, -1, "the provider failed without a message");
    if (err->status != status) err->status = status;
    return status;
}

#define ALLM__BEGIN()          \
    allm_error own_error;      \
    err = allm__api_begin(err, &own_error)
#define ALLM__NEED(argument) \
    if (!(argument)) return allm__api_null(err, #argument)

ABSTRACTLLM_API const char *allm_status_name(allm_status status) {
    size_t i = (size_t)status;
    return i < ALLM__COUNT(allm__err_names) ? allm__err_names[i] : "ALLM_E_unknown";
}

ABSTRACTLLM_API const char *allm_version(void) { return ABSTRACTLLM_VERSION_STRING; }

ABSTRACTLLM_API allm_status allm_runtime_create(const allm_runtime_config *config, allm_runtime **out,
                                                allm_error *err) {
    allm_runtime_config zero;
    ALLM__BEGIN();
    ALLM__NEED(out);
    *out = NULL;
    memset(&zero, 0, sizeof zero);
    return allm__runtime_open(config ? config : &zero, out, err);
}

ABSTRACTLLM_API void allm_runtime_destroy(allm_runtime *rt) { allm__runtime_close(rt); }

ABSTRACTLLM_API void allm_shutdown(void) {
    allm_runtime *rt      = allm__runtime_default;
    allm__runtime_default = NULL;
    allm__runtime_close(rt);
}

ABSTRACTLLM_API allm_status allm_create(const char *provider, const allm_config *config, allm_llm **out,
                                        allm_error *err) {
    allm_provider row;
    allm_config   inner;
    ALLM__BEGIN();
    if (out) *out = NULL;
    ALLM__NEED(config);
    ALLM__NEED(out);
    inner              = *config;
    allm_status status = allm__runtime_get(config->runtime, &inner.runtime, err);
    if (!status) status = allm__prov_find(inner.runtime, provider, &inner, &row, err);
    if (status) return status;
    const allm__host *h   = &inner.runtime->host;
    allm_llm         *llm = (allm_llm *)allm__alloc_zero(h, sizeof *llm, 16);
    if (!llm) return allm__fail_memory(err, sizeof *llm);
    llm->rt = inner.runtime, llm->row = row;
    if (config->model) allm__model_copy(llm->name, sizeof llm->name, allm__str_of(config->model));
    status = row.open(row.ctx, &inner, &llm->self, err);
    if (status) allm__free(h, llm, sizeof *llm);
    else *out = llm;
    return allm__api_end(err, status);
}

ABSTRACTLLM_API void allm_destroy(allm_llm *llm) {
    if (llm) allm__llm_destroy(llm);
}

ABSTRACTLLM_API allm_status allm_get_capabilities(allm_llm *llm, allm_capabilities *out, allm_error *err) {
    ALLM__BEGIN();
    ALLM__NEED(llm);
    ALLM__NEED(out);
    memset(out, 0, sizeof *out);
    allm__model_copy(out->provider, sizeof out->provider, allm__str_of(llm->row.name));
    allm__model_copy(out->model, sizeof out->model, allm__str_of(llm->name));
    return allm__api_end(err, llm->row.capabilities ? llm->row.capabilities(llm->self, out, err) : ALLM_OK);
}

ABSTRACTLLM_API allm_status allm_default_sampling(allm_llm *llm, allm_sampling *out, allm_error *err) {
    ALLM__BEGIN();
    ALLM__NEED(llm);
    ALLM__NEED(out);
    *out = allm__samp_default;
    return allm__api_end(err, llm->row.default_sampling ? llm->row.default_sampling(llm->self, out, err) : ALLM_OK);
}

/* Texts are UTF-8; what is a format of i. */
ALLM__PRINTF(2, 0)
static void allm__api_text(const char *text, const char *what, uint64_t i, allm_error *err) {
    char   name[64];
    size_t bad = text ? allm__utf8_bad(allm__str_of(text)) : SIZE_MAX;
    if (bad == SIZE_MAX) return;
    snprintf(name, sizeof name, what, (unsigned long long)i);
    if (err->status) return;
    allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "invalid UTF-8 (byte %llu of %s)", (unsigned long long)bad, name);
    err->offset = (int64_t)bad;
    memcpy(err->source, name, sizeof name);
}

/* No entry of an array of texts is NULL. */
static void allm__api_array(const char *const *texts, size_t n, const char *name, allm_error *err) {
    if (n && !texts) allm__api_null(err, name);
    for (size_t i = 0; !err->status && i < n; i++)
        if (!texts[i]) allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "%s[%llu] is NULL", name, (unsigned long long)i);
}

/* What a request must hold whatever the provider. */
static allm_status allm__api_request(const allm_request *req, allm_error *err) {
    int n_given = (req->prompt != NULL) + (req->n_messages > 0) + (req->n_prompt_ids > 0);
    if (n_given != 1)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1,
                          "a request needs exactly one of prompt, messages, prompt_ids");
    if (req->n_messages && !req->messages) return allm__api_null(err, "messages");
    if (req->n_prompt_ids && !req->prompt_ids) return allm__api_null(err, "prompt_ids");
    if (req->n_prompt_ids && (req->system || req->n_files || req->template_kwargs))
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1,
                          "prompt_ids are evaluated as they are: no system, files or template_kwargs");
    if (req->max_tokens < 0)
        return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "max_tokens is %d, expected 0 or more", (int)req->max_tokens);
    allm__api_array(req->files, req->n_files, "files", err);
    allm__api_array(req->stop, req->n_stop, "stop", err);
    allm__api_text(req->prompt, "prompt", 0, err);
    allm__api_text(req->system, "system", 0, err);
    allm__api_text(req->template_kwargs, "template_kwargs", 0, err);
    for (size_t i = 0; !err->status && i < req->n_messages; i++) {
        if (!req->messages[i].role)
            allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "messages[%llu].role is NULL", (unsigned long long)i);
        allm__api_text(req->messages[i].role, "messages[%llu].role", i, err);
        allm__api_text(req->messages[i].content, "messages[%llu].content", i, err);
    }
    for (size_t i = 0; !err->status && i < req->n_stop; i++) allm__api_text(req->stop[i], "stop[%llu]", i, err);
    if (!err->status && req->sampling) allm__samp_check(req->sampling, INT32_MAX, err);
    return err->status;
}

ABSTRACTLLM_API allm_status allm_generate(allm_llm *llm, const allm_request *req, allm_response *out, allm_error *err) {
    ALLM__BEGIN();
    if (out) memset(out, 0, sizeof *out);
    ALLM__NEED(llm);
    ALLM__NEED(req);
    allm_status status = allm__api_request(req, err);
    if (!status) status = allm__prov_generate(llm, req, out, err);
    return allm__api_end(err, status);
}

ABSTRACTLLM_API void allm_response_free(allm_response *r) {
    if (r) allm__resp_free(r);
}

ABSTRACTLLM_API void allm_cancel(allm_llm *llm) {
    if (llm) allm__llm_cancel(llm);
}

ABSTRACTLLM_API allm_status allm_provider_register(allm_runtime *rt, const allm_provider *p, allm_error *err) {
    ALLM__BEGIN();
    ALLM__NEED(p);
    ALLM__NEED(p->name);
    ALLM__NEED(p->open);
    ALLM__NEED(p->generate);
    allm_status status = allm__runtime_get(rt, &rt, err);
    return status ? status : allm__prov_register(rt, p, err);
}

ABSTRACTLLM_API size_t allm_provider_list(allm_runtime *rt, const char **names, size_t cap) {
    allm_error own;
    allm__api_begin(NULL, &own);
    if (allm__runtime_get(rt, &rt, &own)) return 0;
    allm__lock(&rt->mutex);
    size_t n = rt->n_providers;
    for (size_t i = 0; names && i < n && i < cap; i++) names[i] = rt->providers[i].name;
    allm__unlock(&rt->mutex);
    return n;
}

/* ---- models */

ABSTRACTLLM_API allm_status allm_model_open(allm_runtime *rt, const allm_source *src, const allm_model_config *config,
                                            allm_model **out, allm_error *err) {
    allm_model_config zero;
    ALLM__BEGIN();
    if (out) *out = NULL;
    ALLM__NEED(src);
    ALLM__NEED(out);
    memset(&zero, 0, sizeof zero);
    allm_status status = allm__runtime_get(rt, &rt, err);
    if (!status) status = allm__model_open(&rt->host, &rt->compute, src, config ? config : &zero, out, err);
    return allm__api_end(err, status);
}

ABSTRACTLLM_API void allm_model_close(allm_model *m) {
    if (m) allm__model_release(m);
}

ABSTRACTLLM_API allm_status allm_model_get_info(const allm_model *m, allm_model_info *out, allm_error *err) {
    ALLM__BEGIN();
    if (out) memset(out, 0, sizeof *out);
    ALLM__NEED(m);
    ALLM__NEED(out);
    allm__model_info(m, out);
    return ALLM_OK;
}

ABSTRACTLLM_API allm_status allm_plan(allm_runtime *rt, const allm_source *src, const allm_model_config *config,
                                      const allm_session_config *session, allm_memory_plan *out, allm_error *err) {
    allm_model_config   zero;
    allm_session_config shape;
    ALLM__BEGIN();
    if (out) memset(out, 0, sizeof *out);
    ALLM__NEED(src);
    ALLM__NEED(out);
    memset(&zero, 0, sizeof zero), memset(&shape, 0, sizeof shape);
    allm_status status = allm__runtime_get(rt, &rt, err);
    if (!status)
        status = allm__model_plan(&rt->host, &rt->compute, src, config ? config : &zero, session ? session : &shape,
                                  out, err);
    return allm__api_end(err, status);
}

/* ---- tokens and prompts */

/* Ids of the model's vocabulary: rows of the head behind the tokenizer's ids are padding, which may be sampled and has
 * no text. */
static int32_t allm__api_n_ids(const allm_model *m) { return ALLM__MAX(m->tok->n_vocab, (int32_t)m->hp.n_vocab); }

static allm_status allm__api_tokenizer(const allm_model *m, allm_error *err) {
    return m->tok ? ALLM_OK : allm__fail(err, ALLM_E_UNSUPPORTED, NULL, -1, "the model has no tokenizer");
}

ABSTRACTLLM_API allm_status allm_tokenize(const allm_model *m, allm_str text, int parse_special, int add_bos,
                                          int32_t *ids, size_t cap, size_t *n, allm_error *err) {
    ALLM__BEGIN();
    if (n) *n = 0;
    ALLM__NEED(m);
    ALLM__NEED(n);
    if (!text.ptr && text.len) return allm__api_null(err, "text");
    if (!ids && cap) return allm__api_null(err, "ids");
    if (!text.ptr) text.ptr = "";
    allm__ids   list   = {&m->host, NULL, 0, 0, 0};
    int         flags  = (parse_special ? ALLM__TOK_SPECIAL : 0) | (add_bos ? ALLM__TOK_BOS : 0);
    allm_status status = allm__api_tokenizer(m, err);
    if (!status) status = allm__tok_encode(m->tok, text, flags, NULL, 0, &list, err);
    if (!status) *n = list.len;
    if (ids && ALLM__MIN(*n, cap)) memcpy(ids, list.ptr, ALLM__MIN(*n, cap) * sizeof(int32_t));
    allm__ids_free(&list);
    return status;
}

ABSTRACTLLM_API allm_status allm_detokenize(const allm_model *m, const int32_t *ids, size_t n_ids, int skip_special,
                                            char *text, size_t cap, size_t *n, allm_error *err) {
    ALLM__BEGIN();
    if (n) *n = 0;
    ALLM__NEED(m);
    ALLM__NEED(n);
    if (!ids && n_ids) return allm__api_null(err, "ids");
    if (!text && cap) return allm__api_null(err, "text");
    allm__buf   out    = {&m->host, NULL, 0, 0, 0, 0};
    allm__ids   list   = {&m->host, NULL, 0, 0, 0}; /* those that have a text */
    allm_status status = allm__api_tokenizer(m, err);
    for (size_t i = 0; !status && i < n_ids; i++) {
        if (ids[i] < 0 || ids[i] >= allm__api_n_ids(m))
            status = allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "ids[%llu] is %d, expected 0..%d",
                                (unsigned long long)i, (int)ids[i], (int)allm__api_n_ids(m) - 1);
        else if (ids[i] < m->tok->n_vocab) allm__ids_put(&list, ids[i]);
    }
    if (!status && list.failed) status = allm__fail_memory(err, n_ids * sizeof(int32_t));
    if (!status) status = allm__tok_decode(m->tok, list.ptr, list.len, skip_special, &out, err);
    if (!status) *n = out.len;
    if (text && ALLM__MIN(*n, cap)) memcpy(text, out.ptr, ALLM__MIN(*n, cap));
    allm__ids_free(&list);
    allm__buf_free(&out);
    return status;
}

ABSTRACTLLM_API allm_status allm_detokenize_next(const allm_model *m, allm_detok_state *state, int32_t id,
                                                 int skip_special, allm_str *out, allm_error *err) {
    ALLM__BEGIN();
    if (out) *out = allm__str("", 0);
    ALLM__NEED(m);
    ALLM__NEED(state);
    ALLM__NEED(out);
    if (allm__api_tokenizer(m, err) || (id >= m->tok->n_vocab && id < allm__api_n_ids(m))) return err->status;
    return allm__tok_next(m->tok, state, id, skip_special, out, err);
}

ABSTRACTLLM_API allm_str allm_token_piece(const allm_model *m, int32_t id) {
    return m && m->tok ? allm__tok_piece(m->tok, id) : allm__str("", 0);
}

ABSTRACTLLM_API int allm_token_is_end(const allm_model *m, int32_t id) {
    return m && m->tok && allm__tok_is_end(m->tok, id);
}

ABSTRACTLLM_API allm_status allm_render(const allm_model *m, const allm_request *req, char *text, size_t cap, size_t *n,
                                        allm_error *err) {
    ALLM__BEGIN();
    if (n) *n = 0;
    ALLM__NEED(m);
    ALLM__NEED(req);
    ALLM__NEED(n);
    if (!text && cap) return allm__api_null(err, "text");
    allm__buf   out    = {&m->host, NULL, 0, 0, 0, 0};
    allm__spans user   = {&m->host, NULL, 0, 0, 0};
    allm_status status = allm__api_request(req, err);
    if (!status && req->n_prompt_ids)
        status = allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "prompt_ids are no text to render");
    if (!status) status = allm__gen_render(m, req, 0, &out, &user, err);
    if (!status) *n = out.len;
    if (text && ALLM__MIN(*n, cap)) memcpy(text, out.ptr, ALLM__MIN(*n, cap));
    allm__spans_free(&user);
    allm__buf_free(&out);
    return allm__api_end(err, status);
}

/* ---- sessions */

ABSTRACTLLM_API allm_status allm_session_create(const allm_model *m, const allm_session_config *config,
                                                allm_session **out, allm_error *err) {
    allm_session_config zero;
    ALLM__BEGIN();
    if (out) *out = NULL;
    ALLM__NEED(m);
    ALLM__NEED(out);
    memset(&zero, 0, sizeof zero);
    return allm__session_create((allm_model *)(uintptr_t)m, config ? config : &zero, out, err);
}

ABSTRACTLLM_API void allm_session_destroy(allm_session *s) { allm__session_destroy(s); }

ABSTRACTLLM_API allm_status allm_session_eval(allm_session *s, const int32_t *ids, size_t n_ids, int all_logits,
                                              allm_error *err) {
    ALLM__BEGIN();
    ALLM__NEED(s);
    if (!n_ids) return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "n_ids is 0: there is nothing to evaluate");
    ALLM__NEED(ids);
    return allm__session_eval(s, ids, n_ids, all_logits, NULL, NULL, err);
}

ABSTRACTLLM_API const float *allm_session_logits(const allm_session *s, size_t i) {
    return s ? allm__session_logits(s, i) : NULL;
}
ABSTRACTLLM_API size_t       allm_session_length(const allm_session *s) { return s ? allm__session_length(s) : 0; }

ABSTRACTLLM_API allm_status allm_session_truncate(allm_session *s, size_t n_keep, allm_error *err) {
    ALLM__BEGIN();
    ALLM__NEED(s);
    return allm__session_truncate(s, n_keep, err);
}

ABSTRACTLLM_API void allm_session_cancel(allm_session *s) {
    if (s) allm__session_cancel(s);
}

/* ---- samplers */

struct allm_sampler {
    allm_model *m; /* a reference: the sampler's memory is counted there */
    allm__samp  samp;
};

ABSTRACTLLM_API allm_status allm_sampler_create(const allm_model *m, const allm_sampling *params, allm_sampler **out,
                                                allm_error *err) {
    allm_sampling   own;
    allm_model_info info;
    ALLM__BEGIN();
    if (out) *out = NULL;
    ALLM__NEED(m);
    ALLM__NEED(out);
    allm__model_info(m, &info); /* of a model without weights: the tokenizer's ids */
    if (info.n_vocab <= 0) return allm__fail(err, ALLM_E_UNSUPPORTED, NULL, -1, "the model has no vocabulary");
    if (params) own = *params;
    else allm__model_sampling(m, &own);
    allm_sampler *s = (allm_sampler *)allm__alloc_zero(&m->host, sizeof *s, 64);
    if (!s) return allm__fail_memory(err, sizeof *s);
    s->m               = (allm_model *)(uintptr_t)m;
    allm_status status = allm__samp_init(&s->samp, &m->host, m->compute.kern, info.n_vocab, &own, err);
    if (status) return allm__samp_free(&s->samp), allm__free(&m->host, s, sizeof *s), status;
    allm__model_retain(s->m);
    *out = s;
    return ALLM_OK;
}

ABSTRACTLLM_API void allm_sampler_destroy(allm_sampler *s) {
    if (!s) return;
    allm_model *m = s->m;
    allm__samp_free(&s->samp);
    allm__free(&m->host, s, sizeof *s);
    allm__model_release(m);
}

ABSTRACTLLM_API allm_status allm_sampler_next(allm_sampler *s, const float *logits, int32_t *id, float *logprob,
                                              allm_error *err) {
    ALLM__BEGIN();
    ALLM__NEED(s);
    ALLM__NEED(logits);
    ALLM__NEED(id);
    return allm__samp_next(&s->samp, logits, id, logprob, err);
}

ABSTRACTLLM_API allm_status allm_sampler_accept(allm_sampler *s, const int32_t *ids, size_t n, allm_error *err) {
    ALLM__BEGIN();
    ALLM__NEED(s);
    if (n) ALLM__NEED(ids);
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= s->samp.n_vocab)
            return allm__fail(err, ALLM_E_ARGUMENT, NULL, -1, "ids[%llu] = %d: outside the vocabulary",
                              (unsigned long long)i, (int)ids[i]);
    allm__samp_accept(&s->samp, ids, n);
    return ALLM_OK;
}

ABSTRACTLLM_API void allm_sampler_reset(allm_sampler *s) {
    if (s) allm__samp_reset(&s->samp);
}

#endif /* !ALLM__PASS */
#endif /* ABSTRACTLLM_IMPLEMENTATION */
/* End of abstractllm.h */
