/* tools.c - two functions that the model may call; the library runs them and hands it their results until it answers.
 *     cc -std=c11 -O2 -I. examples/tools.c -lm -pthread -o tools
 *     ./tools model.gguf "How warm is it in Oslo, in Fahrenheit?"      a model whose template knows tools */
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct desk { /* what the tools work with: their results live here */
    int  n_calls;
    char result[64];
} desk;

/* The arguments are one JSON object and fit the schema. A real program has a JSON reader. */
static double number_of(const char *json, const char *key) {
    const char *at = strstr(json, key);
    return at ? strtod(at + strlen(key) + strspn(at + strlen(key), "\": "), NULL) : 0;
}

static allm_status temperature(void *ctx, const char *arguments, const char **result, allm_error *err) {
    desk *d = (desk *)ctx;
    (void)err;
    fprintf(stderr, "[temperature %s]\n", arguments);
    snprintf(d->result, sizeof d->result, "{\"celsius\": %d}", strstr(arguments, "Oslo") ? -3 : 18);
    return d->n_calls++, *result = d->result, ALLM_OK;
}

static allm_status to_fahrenheit(void *ctx, const char *arguments, const char **result, allm_error *err) {
    desk *d = (desk *)ctx;
    (void)err;
    fprintf(stderr, "[to_fahrenheit %s]\n", arguments);
    snprintf(d->result, sizeof d->result, "{\"fahrenheit\": %g}", number_of(arguments, "celsius") * 9 / 5 + 32);
    return d->n_calls++, *result = d->result, ALLM_OK;
}

int main(int argc, char **argv) {
    if (argc < 2) return fprintf(stderr, "usage: %s model.gguf [\"question\"]\n", argv[0]), 2;
    desk d = {0, ""};
    const allm_tool tools[] = {
        {"temperature", "The temperature in a city now.",
         "{\"type\": \"object\", \"properties\": {\"city\": {\"type\": \"string\"}}, \"required\": [\"city\"]}",
         temperature, &d},
        {"to_fahrenheit", "Converts degrees Celsius.",
         "{\"type\": \"object\", \"properties\": {\"celsius\": {\"type\": \"number\"}}, \"required\": [\"celsius\"]}",
         to_fahrenheit, &d},
    };
    allm_error        err    = {0};
    allm_llm         *llm    = NULL;
    allm_response     answer = {0};
    allm_capabilities can    = {0};
    allm_config       config = {.model = argv[1]};
    allm_request      ask    = {.prompt = argc > 2 ? argv[2] : "How warm is it in Oslo, in Fahrenheit?",
                                .tools = tools, .n_tools = 2, .max_tool_rounds = 8, .max_tokens = 300};
    if (!allm_create(NULL, &config, &llm, &err) && !allm_get_capabilities(llm, &can, &err)) {
        if (!can.tools) fprintf(stderr, "this model's template knows no tools\n");
        else if (!allm_generate(llm, &ask, &answer, &err)) printf("%s\n[%d calls]\n", answer.text, d.n_calls);
    }
    if (err.status) fprintf(stderr, "%s: %s\n", allm_status_name(err.status), err.message);
    allm_response_free(&answer);
    allm_destroy(llm);
    return err.status != ALLM_OK;
}
