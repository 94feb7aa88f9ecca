/* async.c - answers that are made on a thread of the library while the program goes on: polled, waited for, cancelled.
 *     cc -std=c11 -O2 -I. examples/async.c -lm -pthread -o async
 *     ./async [model.gguf] */
#define ABSTRACTLLM_IMPLEMENTATION
#include "abstractllm.h"
#include <stdio.h>

enum { N_JOBS = 3 };

int main(int argc, char **argv) {
    static const char *const prompts[N_JOBS] = {"Once upon a time", "The dragon said", "One night"};
    allm_request ask[N_JOBS] = {{0}}; /* must live until the jobs are done */
    allm_job    *jobs[N_JOBS] = {NULL};
    allm_error   err    = {0};
    allm_llm    *llm    = NULL;
    allm_config  config = {.model = argc > 1 ? argv[1] : "examples/story.gguf"};
    int          n_polls = 0, n_wrong = 0;
    if (allm_create(NULL, &config, &llm, &err)) return fprintf(stderr, "%s\n", err.message), 1;
    for (int i = 0; i < N_JOBS; i++) { /* they run one after another, in this order */
        ask[i].prompt = prompts[i], ask[i].max_tokens = i == 2 ? 100000 : 40;
        if (allm_generate_async(llm, &ask[i], &jobs[i], &err)) return fprintf(stderr, "%s\n", err.message), 1;
    }
    allm_job_cancel(jobs[2]); /* before it began, or while it runs */
    for (int i = 0; i < N_JOBS; i++) {
        allm_response answer = {0};
        allm_status   status;
        while ((status = allm_job_wait(jobs[i], 10, &answer, &err)) == ALLM_E_BUSY)
            n_polls++; /* other work goes here */
        printf("%s: %s ... %s\n\n", status ? allm_status_name(status) : "done", prompts[i],
               answer.text ? answer.text : "");
        n_wrong += status != (i == 2 ? ALLM_E_CANCELLED : ALLM_OK);
        allm_response_free(&answer);
        allm_job_destroy(jobs[i]);
    }
    fprintf(stderr, "[looked %d times]\n", n_polls);
    allm_destroy(llm);
    return n_wrong;
}
