/* All unit tests in one program: the implementation is compiled once, so tests reach private functions.
 *
 *     build/tests [-l] [-g] [-t TEXT] [ROOM ...]
 *
 * -l lists the groups, -t runs only the cases whose name holds TEXT, -g adds a table of the golden folders that cases
 * asked for. Environment: ALLM_GOLDEN, the folder of golden
 * data (../shared/golden); ALLM_TEST_MODELS, a folder with SmolLM2-135M-Instruct.Q4_1.gguf. Tests that need what is
 * not there say so and are counted as skipped. */
#ifndef TEST_RELEASE
#define ABSTRACTLLM_DEBUG /* handles that were freed are known */
#endif
#define ABSTRACTLLM_HTTP
#define ABSTRACTLLM_IMPLEMENTATION
#define ABSTRACTLLM_ASSERT(x) ((x) ? (void)0 : test_promise(#x, __FILE__, __LINE__))
void test_promise(const char *text, const char *file, int line);
#define pthread_create test_pthread_create /* of <pthread.h> too: threads that cannot be made, see test_util.h */
#include "../abstractllm.h"
#undef pthread_create

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* A broken promise of the library's own: no test goes on after it. */
void test_promise(const char *text, const char *file, int line) {
    fprintf(stderr, "%s:%d: not true: %s\n", file, line, text);
    abort();
}

#include "test_util.h"

/* One line here and one in the table below for each room, in the order of the header. */
#include "test_plat.c"
#include "test_err.c"
#include "test_mem.c"
#include "test_str.c"
#include "test_io.c"
#include "test_thr.c"
#include "test_num.c"
#include "test_data.c"
#include "test_quant.c"
#include "test_wsrc.c"
#include "test_isa.c"
#include "test_pack.c"
#include "test_kern.c"
#include "test_json.c"
#include "test_conf.c"
#include "test_hist.c"
#include "test_gguf.c"
#include "test_st.c"
#include "test_regex.c"
#include "test_norm.c"
#include "test_tok.c"
#include "test_tokload.c"
#include "test_tokmake.c"
#include "test_tokgguf.c"
#include "test_tval.c"
#include "test_tmpl.c"
#include "test_tfmt.c"
#include "test_tlib.c"
#include "test_tparse.c"
#include "test_chat.c"
#include "test_gram.c"
#include "test_grun.c"
#include "test_gbnf.c"
#include "test_pattern.c"
#include "test_schema.c"
#include "test_choice.c"
#include "test_filt.c"
#include "test_http.c"
#include "test_wire.c"
#include "test_hub.c"
#include "test_fval.c"
#include "test_arch.c"
#include "test_hyper.c"
#include "test_model.c"
#include "test_conv.c"
#include "test_kv.c"
#include "test_fwd.c"
#include "test_state.c"
#include "test_recur.c"
#include "test_eval.c"
#include "test_lora.c"
#include "test_samp.c"
#include "test_vision.c"
#include "test_gen.c"
#include "test_sess.c"
#include "test_spec.c"
#include "test_remote.c"
#include "test_prov.c"
#include "test_job.c"
#include "test_talk.c"
#include "test_api.c"
#include "test_cli.c"

typedef struct test_group {
    const char              *name;
    const struct CMUnitTest *tests; /* [n] */
    size_t                   n;
} test_group;
#define GROUP(room) {#room, test_##room, ALLM__COUNT(test_##room)}

static const test_group test_groups[] = {
    GROUP(plat), /* one line a room */
    GROUP(err),
    GROUP(mem),
    GROUP(str),
    GROUP(io),
    GROUP(thr),
    GROUP(num),
    GROUP(data),
    GROUP(quant),
    GROUP(wsrc),
    GROUP(isa),
    GROUP(pack),
    GROUP(kern),
    GROUP(json),
    GROUP(conf),
    GROUP(hist),
    GROUP(gguf),
    GROUP(st),
    GROUP(http),
    GROUP(wire),
    GROUP(hub),
    GROUP(regex),
    GROUP(norm),
    GROUP(tok),
    GROUP(tokmake),
    GROUP(tokgguf),
    GROUP(tokload),
    GROUP(tval),
    GROUP(tmpl),
    GROUP(tfmt),
    GROUP(tlib),
    GROUP(tparse),
    GROUP(chat),
    GROUP(gram),
    GROUP(grun),
    GROUP(gbnf),
    GROUP(pattern),
    GROUP(schema),
    GROUP(choice),
    GROUP(filt),
    GROUP(fval),
    GROUP(arch),
    GROUP(hyper),
    GROUP(model),
    GROUP(lora),
    GROUP(conv),
    GROUP(kv),
    GROUP(state),
    GROUP(fwd),
    GROUP(recur),
    GROUP(eval),
    GROUP(samp),
    GROUP(vision),
    GROUP(spec),
    GROUP(gen),
    GROUP(sess),
    GROUP(remote),
    GROUP(prov),
    GROUP(job),
    GROUP(talk),
    GROUP(api),
    GROUP(cli),
};

enum { TEST_MAX_CASES = 4096 };
static test_case test_cases[TEST_MAX_CASES];
static int       test_n_cases;  /* chosen */
static int       test_n_failed; /* as cmocka counts: a failing teardown too */

static void test_run_case(void **state) {
    test_now = test_now ? test_now + 1 : test_cases; /* cmocka runs them in order */
#ifdef ABSTRACTLLM_DEBUG
    memset(&allm__api_freed, 0, sizeof allm__api_freed); /* tests make handles by private calls, where others were */
#endif
    test_now->test->test_func(state);
    test_now->result = TEST_PASSED;
}

/* Runs the cases of a group whose name holds text. */
static void test_run_group(const test_group *g, const char *text) {
    struct CMUnitTest chosen[512];
    size_t            n    = 0;
    double            from = allm__plat_seconds();
    for (size_t i = 0; i < g->n; i++) {
        if (!strstr(g->tests[i].name, text)) continue;
        if (n == ALLM__COUNT(chosen) || test_n_cases == TEST_MAX_CASES) test_promise("few tests", __FILE__, __LINE__);
        test_cases[test_n_cases++].test = &g->tests[i];
        chosen[n]                       = g->tests[i];
        chosen[n++].test_func           = test_run_case;
    }
    if (!n) return;
    printf("\n%s\n", g->name);
    fflush(stdout);
    test_n_failed += _cmocka_run_group_tests(g->name, chosen, n, NULL, NULL);
    fflush(stdout), fflush(stderr);
    printf("%s: %.1f s\n", g->name, allm__plat_seconds() - from);
}

static void test_count(uint32_t folders, int n[3]) { /* of the cases that asked for one of these; 0: of all */
    n[TEST_FAILED] = n[TEST_PASSED] = n[TEST_SKIPPED] = 0;
    for (int i = 0; i < test_n_cases; i++)
        if (!folders || test_cases[i].folders & folders) n[test_cases[i].result]++;
}

static void test_print_folders(void) {
    int n[3];
    printf("\n%-20s passed  failed  skipped\n", "golden folder");
    for (int i = 0; i < TEST_N_FOLDERS && test_folders[i][0]; i++) {
        test_count((uint32_t)1 << i, n);
        printf("%-20s %6d  %6d  %7d\n", test_folders[i], n[TEST_PASSED], n[TEST_FAILED], n[TEST_SKIPPED]);
    }
    printf("\n");
}

static int test_wanted(const char *name, char **rooms, int n_rooms) {
    for (int i = 0; i < n_rooms; i++)
        if (!strcmp(rooms[i], name)) return 1;
    return n_rooms == 0;
}

static int test_usage(void) {
    fprintf(stderr, "usage: tests [-l] [-g] [-t TEXT] [ROOM ...]\n");
    return 2;
}

int main(int argc, char **argv) {
    const char *text = "";
    int         i = 1, golden = 0, n[3], n_groups = (int)ALLM__COUNT(test_groups);
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (!strcmp(argv[i], "-l")) {
            for (int k = 0; k < n_groups; k++) printf("%s\n", test_groups[k].name);
            return 0;
        } else if (!strcmp(argv[i], "-g")) golden = 1;
        else if (!strcmp(argv[i], "-t") && i + 1 < argc) text = argv[++i], test_named = 1;
        else return test_usage();
    }
    for (int k = i; k < argc; k++) {
        int found = 0;
        for (int g = 0; g < n_groups; g++) found |= !strcmp(argv[k], test_groups[g].name);
        if (!found) return fprintf(stderr, "tests: no group \"%s\"\n", argv[k]), 2;
    }
    test_util_use();
    for (int k = 0; k < n_groups; k++)
        if (test_wanted(test_groups[k].name, argv + i, argc - i)) test_run_group(&test_groups[k], text);
    if (golden) test_print_folders();
    test_count(0, n);
    printf("%d passed, %d failed, %d skipped\n", test_n_cases - test_n_failed - n[TEST_SKIPPED], test_n_failed,
           n[TEST_SKIPPED]);
    return test_n_failed != 0;
}
