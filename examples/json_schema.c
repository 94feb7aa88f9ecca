/* json_schema.c - an answer that fits a JSON Schema, whatever the model: what does not fit cannot be said.
 *     cc -std=c11 -O2 -I. examples/json_schema.c -lm -pthread -o json_schema
 *     ./json_schema model.gguf "Anna is 31 and lives in Rome." */
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
#include <stdio.h>

int main(int argc, char **argv) {
    static const char schema[] =
        "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"name\", \"age\", \"city\"],"
        " \"properties\": {\"name\": {\"type\": \"string\", \"maxLength\": 40},"
        "                  \"age\": {\"type\": \"integer\", \"minimum\": 0, \"maximum\": 150},"
        "                  \"city\": {\"type\": [\"string\", \"null\"], \"maxLength\": 40}}}";
    const allm_sampling greedy = {0};
    allm_error    err    = {0};
    allm_llm     *llm    = NULL;
    allm_response answer = {0};
    allm_config   config = {.model = argc > 1 ? argv[1] : "examples/story.gguf"};
    allm_request  ask    = {.system = "Write what is said about the person as JSON with name, age and city.",
                            .prompt = argc > 2 ? argv[2] : "Anna is 31 and lives in Rome.",
                            .response_schema = schema, .sampling = &greedy, .max_tokens = 200};
    if (!allm_create(NULL, &config, &llm, &err) && !allm_generate(llm, &ask, &answer, &err)) {
        printf("%s\n", answer.text);
        if (answer.finish == ALLM_FINISH_LENGTH) fprintf(stderr, "cut off: max_tokens is too small\n");
    }
    if (err.status) fprintf(stderr, "%s: %s\n", allm_status_name(err.status), err.message);
    allm_response_free(&answer);
    allm_destroy(llm);
    return err.status != ALLM_OK;
}
