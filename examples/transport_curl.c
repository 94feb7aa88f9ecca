/* transport_curl.c - https by libcurl: a transport is one function, and TLS stays out of the library.
 *     cc -std=c11 -O2 -I. examples/transport_curl.c -lcurl -lm -pthread -o transport_curl
 *     API_KEY=... ./transport_curl anthropic claude-haiku-4-5 "What is the sea?" */
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEADERS = 100 };

typedef struct exchange { /* one request and what has come of its answer */
    const allm_http *io;
    CURL            *curl;
    char            *headers[MAX_HEADERS];
    size_t           n_headers;
    int              stopped;
} exchange;

static void drop_headers(exchange *x) {
    while (x->n_headers) free(x->headers[--x->n_headers]);
}

/* A line of the head; the empty one ends it. Interim answers (status 1xx) are not told. */
static size_t on_header(char *line, size_t size, size_t n, void *ctx) {
    exchange *x = (exchange *)ctx;
    size_t    len = n * size;
    long      status = 0;
    while (len && (line[len - 1] == '\n' || line[len - 1] == '\r')) len--;
    if (len > 5 && !strncmp(line, "HTTP/", 5)) drop_headers(x);
    else if (len && x->n_headers < MAX_HEADERS) {
        char *copy = (char *)malloc(len + 1);
        if (!copy) return 0;
        memcpy(copy, line, len), copy[len] = 0;
        x->headers[x->n_headers++] = copy;
    } else if (!len) {
        curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
        if (status >= 200 && x->io->on_head &&
            x->io->on_head(x->io->self, (int32_t)status, (const char *const *)x->headers, x->n_headers))
            return x->stopped = 1, 0;
    }
    return n * size;
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx) {
    exchange *x = (exchange *)ctx;
    if (x->io->on_body && x->io->on_body(x->io->self, data, n * size)) return x->stopped = 1, 0;
    return n * size;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) { /* about once a second */
    exchange *x = (exchange *)ctx;
    (void)a, (void)b, (void)c, (void)d;
    return x->stopped |= x->io->cancelled && x->io->cancelled(x->io->self);
}

static allm_status by_curl(void *ctx, const allm_http *io, allm_error *err) {
    exchange           x = {io, curl_easy_init(), {NULL}, 0, 0};
    struct curl_slist *headers = NULL;
    (void)ctx;
    if (!x.curl) return err->status = ALLM_E_MEMORY;
    for (size_t i = 0; i < io->n_headers; i++) headers = curl_slist_append(headers, io->headers[i]);
    curl_easy_setopt(x.curl, CURLOPT_URL, io->url);
    curl_easy_setopt(x.curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(x.curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(x.curl, CURLOPT_CONNECTTIMEOUT, 10L);
    if (io->timeout_ms > 0) { /* of silence, not of the whole answer */
        curl_easy_setopt(x.curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(x.curl, CURLOPT_LOW_SPEED_TIME, (long)(io->timeout_ms + 999) / 1000);
    }
    if (!strcmp(io->method, "HEAD")) curl_easy_setopt(x.curl, CURLOPT_NOBODY, 1L);
    else if (io->n_body || !strcmp(io->method, "POST")) {
        curl_easy_setopt(x.curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)io->n_body);
        curl_easy_setopt(x.curl, CURLOPT_POSTFIELDS, io->n_body ? (const char *)io->body : "");
    }
    curl_easy_setopt(x.curl, CURLOPT_HEADERFUNCTION, on_header), curl_easy_setopt(x.curl, CURLOPT_HEADERDATA, &x);
    curl_easy_setopt(x.curl, CURLOPT_WRITEFUNCTION, on_body), curl_easy_setopt(x.curl, CURLOPT_WRITEDATA, &x);
    curl_easy_setopt(x.curl, CURLOPT_XFERINFOFUNCTION, on_progress), curl_easy_setopt(x.curl, CURLOPT_XFERINFODATA, &x);
    curl_easy_setopt(x.curl, CURLOPT_NOPROGRESS, 0L);
    const CURLcode code = curl_easy_perform(x.curl);
    drop_headers(&x);
    curl_slist_free_all(headers);
    curl_easy_cleanup(x.curl);
    if (code == CURLE_OK) return ALLM_OK;
    snprintf(err->message, sizeof err->message, "%.160s: %.80s", io->url, curl_easy_strerror(code));
    return err->status = x.stopped                           ? ALLM_E_CANCELLED
                         : code == CURLE_OPERATION_TIMEDOUT ? ALLM_E_TIMEOUT
                                                             : ALLM_E_REMOTE;
}

static int show(const allm_chunk *chunk, void *ctx) {
    (void)ctx;
    if (chunk->event == ALLM_TEXT) fwrite(chunk->text, 1, chunk->len, stdout);
    return fflush(stdout);
}

int main(int argc, char **argv) {
    allm_error   err    = {0};
    allm_llm    *llm    = NULL;
    allm_config  config = {.model = argc > 2 ? argv[2] : NULL, .base_url = argc > 4 ? argv[4] : NULL};
    allm_request ask    = {.prompt = argc > 3 ? argv[3] : "What is the sea?", .max_tokens = 200, .on_chunk = show};
    curl_global_init(CURL_GLOBAL_DEFAULT);
    config.api_key = getenv("API_KEY"), config.transport = by_curl;
    if (allm_create(argc > 1 ? argv[1] : "openai", &config, &llm, &err) || allm_generate(llm, &ask, NULL, &err))
        fprintf(stderr, "%s: %s\n", allm_status_name(err.status), err.message);
    printf("\n");
    allm_destroy(llm);
    curl_global_cleanup();
    return err.status != ALLM_OK;
}
