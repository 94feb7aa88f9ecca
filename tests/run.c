/* All unit tests in one program: the implementation is compiled once, so tests reach private functions.
 *
 *     build/tests [-l] [-t TEXT] [ROOM ...]
 *
 * -l lists the groups, -t runs only the cases whose name holds TEXT. Environment: ALLM_GOLDEN, the folder of golden
 * data (../shared/golden); ALLM_TEST_MODELS, a folder with SmolLM2-135M-Instruct.Q4_1.gguf. Tests that need what is
 * not there say so and are counted as skipped. */
#define ABSTRACTLLM_IMPLEMENTATION
#define ABSTRACTLLM_ASSERT(x) ((x) ? (void)0 : test_promise(#x, __FILE__, __LINE__))
void test_promise(const char *text, const char *file, int line);
#include "../abstractllm.h"

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
#include "test_json.c"
#include "test_gguf.c"
#include "test_arch.c"
#include "test_model.c"
#include "test_kv.c"
#include "test_fwd.c"
#include "test_samp.c"
#include "test_data.c"
#include "test_quant.c"
#include "test_isa.c"
#include "test_kern.c"
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
    GROUP(json),
    GROUP(gguf),
    GROUP(arch),
    GROUP(model),
    GROUP(kv),
    GROUP(fwd),
    GROUP(samp),
    GROUP(data),
    GROUP(quant),
    GROUP(isa),
    GROUP(kern),
    GROUP(cli),
};

static int test_wanted(const char *name, char **rooms, int n_rooms) {
    for (int i = 0; i < n_rooms; i++)
        if (!strcmp(rooms[i], name)) return 1;
    return n_rooms == 0;
}

int main(int argc, char **argv) {
    const char *text = "";
    int         i = 1, n_run = 0, n_failed = 0, n_groups = (int)ALLM__COUNT(test_groups);
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (!strcmp(argv[i], "-l")) {
            for (int k = 0; k < n_groups; k++) printf("%s\n", test_groups[k].name);
            return 0;
        }
        if (strcmp(argv[i], "-t") != 0 || i + 1 == argc) {
            fprintf(stderr, "usage: tests [-l] [-t TEXT] [ROOM ...]\n");
            return 2;
        }
        text = argv[++i];
    }
    for (int k = i; k < argc; k++) {
        int found = 0;
        for (int g = 0; g < n_groups; g++) found |= !strcmp(argv[k], test_groups[g].name);
        if (!found) return fprintf(stderr, "tests: no group \"%s\"\n", argv[k]), 2;
    }
    test_util_use();
    for (int k = 0; k < n_groups; k++) {
        struct CMUnitTest chosen[512];
        size_t            n = 0;
        if (!test_wanted(test_groups[k].name, argv + i, argc - i)) continue;
        for (size_t j = 0; j < test_groups[k].n && n < ALLM__COUNT(chosen); j++)
            if (strstr(test_groups[k].tests[j].name, text)) chosen[n++] = test_groups[k].tests[j];
        if (!n) continue;
        n_run += (int)n;
        printf("\n%s\n", test_groups[k].name);
        fflush(stdout);
        n_failed += _cmocka_run_group_tests(test_groups[k].name, chosen, n, NULL, NULL);
        fflush(stdout);
    }
    fflush(stderr);
    printf("%d passed, %d failed, %d skipped\n", n_run - n_failed - test_n_skipped, n_failed, test_n_skipped);
    return n_failed != 0;
}
