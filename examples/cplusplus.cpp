// cplusplus.cpp - from C++: the header is included plainly, the implementation is one C file; handles are freed by
// unique_ptr, errors thrown where a program wants that.
//     printf '#define ABSTRACTLLM_IMPLEMENTATION\n#include "abstractllm.h"\n' > allm.c && cc -std=c11 -O2 -I. -c allm.c
//     c++ -std=c++11 -O2 -I. examples/cplusplus.cpp allm.o -lm -pthread -o cplusplus
#include "abstractllm.h"
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

struct llm_deleter {
    void operator()(allm_llm *llm) const { allm_destroy(llm); }
};
using llm_ptr = std::unique_ptr<allm_llm, llm_deleter>;

static void check(allm_status status, const allm_error &err) {
    if (status != ALLM_OK) throw std::runtime_error(err.message);
}

static llm_ptr open_model(const std::string &path) {
    allm_error  err = {};
    allm_config config = {};
    allm_llm   *llm = nullptr;
    config.model    = path.c_str();
    check(allm_create(nullptr, &config, &llm, &err), err);
    return llm_ptr(llm);
}

// One answer; each piece of text goes to on_text(const std::string &), which must not throw: C is in between.
template <class F> static std::string ask(allm_llm *llm, const std::string &prompt, F on_text) {
    allm_error    err = {};
    allm_request  req = {};
    allm_response out = {};
    req.prompt       = prompt.c_str();
    req.max_tokens   = 80;
    req.on_chunk_ctx = &on_text;
    req.on_chunk     = [](const allm_chunk *chunk, void *ctx) {
        if (chunk->event == ALLM_TEXT) (*static_cast<F *>(ctx))(std::string(chunk->text, chunk->len));
        return 0;
    };
    allm_status status = allm_generate(llm, &req, &out, &err);
    std::string text   = out.text ? out.text : "";
    allm_response_free(&out);
    check(status, err);
    return text;
}

int main(int argc, char **argv) {
    try {
        llm_ptr     llm = open_model(argc > 1 ? argv[1] : "examples/story.gguf");
        std::size_t n   = 0;
        std::string text = ask(llm.get(), "Once upon a time", [&n](const std::string &piece) { n += piece.size(); });
        std::printf("%s\n[%zu bytes in pieces, %zu in all]\n", text.c_str(), n, text.size());
        return n != text.size();
    } catch (const std::exception &e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
}
