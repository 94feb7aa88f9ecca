/* remote.c - one program for every model: a file, a server in the rack, a cloud API. Only the names on the command line
 * change; what a model cannot do is found out by asking.
 *     cc -std=c11 -O2 -I. examples/remote.c -lm -pthread -o remote
 *     ./remote local model.gguf
 *     ./remote openai "" http://127.0.0.1:8080/v1          llama-server, vLLM, SGLang, LM Studio ...
 *     ./remote ollama qwen3:0.6b
 *     ./remote echo
 * A key comes from API_KEY; https needs a transport with TLS: transport_curl.c. */
#define ABSTRACTLLM_HTTP
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int show(const allm_chunk *chunk, void *ctx) {
    (void)ctx;
    if (chunk->event == ALLM_TEXT) fwrite(chunk->text, 1, chunk->len, stdout);
    return fflush(stdout);
}

static allm_status add(void *ctx, const char *arguments, const char **result, allm_error *err) {
    double a = 0, b = 0;
    (void)err;
    const char *pa = strstr(arguments, "\"a\""), *pb = strstr(arguments, "\"b\"");
    if (pa && pb) a = atof(pa + 4), b = atof(pb + 4); /* a real program has a JSON reader */
    snprintf((char *)ctx, 32, "%g", a + b);
    fprintf(stderr, "[add %s = %s]\n", arguments, (char *)ctx);
    return *result = (char *)ctx, ALLM_OK;
}

int main(int argc, char **argv) {
    static char       sum[32];
    static const char schema[] = "{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"number\"}, \"b\": "
        "{\"type\": "
                                 "\"number\"}}, \"required\": [\"a\", \"b\"]}";
    const allm_tool   tool = {"add", "Adds two numbers.", schema, add, sum};
    allm_error        err  = {0};
    allm_llm         *llm  = NULL;
    allm_capabilities can  = {0};
    allm_response     answer = {0};
    allm_config       config = {.model = argc > 2 ? argv[2] : NULL, .base_url = argc > 3 ? argv[3] : NULL};
    allm_request      ask    = {.system = "Answer in one sentence.", .prompt = argc > 4 ? argv[4] : "What is the sea?",
                                .max_tokens = 60, .on_chunk = show};
    config.api_key = getenv("API_KEY");
    if (allm_create(argc > 1 ? argv[1] : "echo", &config, &llm, &err) || allm_get_capabilities(llm, &can, &err))
        return fprintf(stderr, "%s\n", err.message), 1;
    fprintf(stderr, "%s: tools %d, JSON schema %d, context %d\n", can.provider, can.tools, can.json_schema,
        can.max_context);
    if (can.tools) ask.tools = &tool, ask.n_tools = 1;
    if (allm_generate(llm, &ask, &answer, &err)) fprintf(stderr, "%s: %s\n", allm_status_name(err.status), err.message);
    printf("\n");
    fprintf(stderr, "%d tokens in, %d out, %.1f s\n", answer.prompt_tokens, answer.completion_tokens,
            answer.prompt_s + answer.generate_s);
    allm_response_free(&answer);
    allm_destroy(llm);
    return err.status != ALLM_OK;
}
