#!/usr/bin/env python3
# Writes tests/families.h: small models of many families, whose weights the test makes by a formula, and the last logits
# that transformers computes with them.
#   pip install torch transformers safetensors numpy      (made with transformers 5.23)
#   python tools/make_families.py tests/families.h
import json, math, os, re, sys, tempfile, warnings
warnings.filterwarnings("ignore")
import numpy as np, torch, transformers
from safetensors.numpy import save_file
from transformers import AutoConfig, AutoModelForCausalLM
transformers.logging.set_verbosity_error(); transformers.logging.disable_progress_bar()
FULL, SLID = "full_attention", "sliding_attention"
IDS = [(7 * i * i + 3 * i + 5) % 61 for i in range(40)]


def values(name, shape):  # as family_weights in tests/test_conv.c
    h = 2166136261
    for c in name.encode(): h = (h ^ c) * 16777619 & 0xffffffff
    x = (np.uint64(h) + np.arange(int(np.prod(shape)), dtype=np.uint64) * np.uint64(2654435761)) & np.uint64(0xffffffff)
    for shift, factor in ((16, 0x7feb352d), (15, 0x846ca68b), (16, 1)):
        x = ((x ^ (x >> np.uint64(shift))) * np.uint64(factor)) & np.uint64(0xffffffff)
    u = (x >> np.uint64(8)).astype(np.float64) / 2 ** 23 - 1
    last = name.rsplit(".", 1)[-1]
    if last == "A_log": at, by = 0.8, 0.7
    elif last == "D" or (len(shape) == 1 and "norm" in name and last == "weight"): at, by = 1, 0.4
    elif last in ("dt_bias", "alpha_p"): at, by = -1, 1
    elif "conv" in name and len(shape) == 3: at, by = 0, 0.8
    elif len(shape) < 2: at, by = 0, 0.4
    else: at, by = 0, 2.5 / 8
    return (at + by * u).astype(np.float32).reshape(shape)


BASE = dict(vocab_size=61, hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=128, tie_word_embeddings=False)
def rope(t=10000.0, **k): return dict(rope_theta=t, rope_type=k.pop("rope_type", "default"), **k)
LONG = rope(rope_type="longrope", short_factor=[1.0, 1.2, 1.4, 1.6], long_factor=[1.0, 2.5, 4.0, 9.0])
MOE = dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16)
CASES = [  # name, model_type, settings, keys left out of config.json because they are the class's own
    ("defaults of llama", "llama", dict(), "rms_norm_eps tie_word_embeddings rope_parameters"),
    ("relu", "llama", dict(hidden_act="relu", mlp_bias=True), ""),
    ("quick gelu", "llama", dict(hidden_act="quick_gelu"), ""),
    ("longrope of llama", "llama", dict(rope_parameters=dict(LONG, original_max_position_embeddings=16)), ""),
    ("longrope with windows", "phi3", dict(sliding_window=9, original_max_position_embeddings=16, rope_parameters=LONG), ""),
    ("dynamic with windows", "mistral", dict(sliding_window=9, max_position_embeddings=24, rope_parameters=rope(rope_type="dynamic", factor=2.0)), ""),
    ("defaults of mixtral", "mixtral", dict(num_local_experts=8), "num_local_experts num_experts_per_tok rms_norm_eps"),
    ("no bias", "qwen2_moe", dict(MOE, qkv_bias=False, shared_expert_intermediate_size=24, norm_topk_prob=True), "rms_norm_eps"),
    ("bias of gated queries", "qwen3_5_text", dict(attention_bias=True, head_dim=16, linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=8, linear_value_head_dim=8, layer_types=["linear_attention", FULL]), ""),
    ("norms with bias", "phi", dict(qk_layernorm=True), "layer_norm_eps"),
    ("scores by layer", "gpt2", dict(n_embd=32, n_head=4, n_layer=3, n_positions=64, scale_attn_by_inverse_layer_idx=True), ""),
    ("windows told, none there", "exaone4", dict(sliding_window=9, layer_types=[FULL, FULL]), ""),
    ("no windows", "exaone4", dict(sliding_window=None, layer_types=[FULL, FULL]), ""),
    ("both bases alike", "gemma3_text", dict(head_dim=16, sliding_window=9, layer_types=[SLID, FULL], query_pre_attn_scalar=16, rope_parameters={FULL: rope(1000.0), SLID: rope(1000.0)}), ""),
    ("sizes of layers", "gemma4_text", dict(num_hidden_layers=4, head_dim=8, global_head_dim=16, num_global_key_value_heads=1, attention_k_eq_v=True, hidden_size_per_layer_input=0, num_kv_shared_layers=0, sliding_window=9, layer_types=[SLID, FULL, SLID, FULL]), ""),
    ("half of the gates", "gemma3n_text", dict(num_hidden_layers=3, head_dim=8, num_kv_shared_layers=1, hidden_size_per_layer_input=8, vocab_size_per_layer_input=61, laurel_rank=4, altup_num_inputs=2, altup_correct_scale=False, sliding_window=9, layer_types=[SLID, FULL, SLID], activation_sparsity_pattern=[0.5, 0.0, 0.5]), ""),
    ("biases of MLA", "deepseek_v2", dict(attention_bias=True, num_key_value_heads=4, q_lora_rank=12, kv_lora_rank=12, qk_nope_head_dim=8, qk_rope_head_dim=8, v_head_dim=8, n_routed_experts=4, num_experts_per_tok=2, n_shared_experts=2, moe_intermediate_size=16, first_k_dense_replace=1), "n_shared_experts rms_norm_eps topk_method"),
    ("halves of MLA", "deepseek_v3", dict(rope_interleave=False, num_key_value_heads=4, q_lora_rank=None, kv_lora_rank=12, qk_nope_head_dim=8, qk_rope_head_dim=8, v_head_dim=8, n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, first_k_dense_replace=1, n_group=2, topk_group=1), "n_shared_experts"),
    ("biases of mamba", "mamba", dict(use_bias=True, num_heads=None, state_size=8, time_step_rank=3, expand=2), "expand"),
    ("steps within limits", "mamba2", dict(use_bias=True, num_heads=8, head_dim=8, state_size=8, n_groups=2, expand=2, chunk_size=16, time_step_limit=[0.05, 0.4]), "expand"),
    ("biases of short convolutions", "lfm2", dict(conv_bias=True, layer_types=["conv", FULL], block_multiple_of=8, conv_L_cache=3), "block_auto_adjust_ff_dim"),
    ("experts of lfm2", "lfm2_moe", dict(MOE, num_hidden_layers=3, layer_types=["conv", FULL, "conv"], num_dense_layers=1, use_expert_bias=True), "norm_topk_prob"),
    ("all biases", "falcon_h1", dict(head_dim=8, attention_bias=True, mlp_bias=True, projectors_bias=True, mamba_proj_bias=True, mamba_d_ssm=32, mamba_n_heads=4, mamba_d_head=8, mamba_n_groups=1, mamba_d_state=8, mamba_chunk_size=16, ssm_in_multiplier=1.3, ssm_multipliers=[0.7, 1.1, 0.9, 1.2, 0.8], ssm_out_multiplier=0.6, key_multiplier=0.7, attention_in_multiplier=1.2, mlp_multipliers=[0.8, 1.4]), "mamba_d_head mamba_n_groups"),
    ("norm before the gate", "falcon_h1", dict(head_dim=8, mamba_d_ssm=32, mamba_n_heads=4, mamba_n_groups=2, mamba_d_head=8, mamba_d_state=8, mamba_chunk_size=16, mamba_rms_norm=True), "mamba_norm_before_gate"),
    ("bias of the head", "ernie4_5_moe", dict(use_bias=True, moe_num_experts=4, moe_k=2, moe_num_shared_experts=2, moe_intermediate_size=16, moe_layer_start_index=1), "moe_num_shared_experts"),
    ("defaults of glm4_moe", "glm4_moe", dict(head_dim=16, n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, first_k_dense_replace=1), "n_group topk_group n_shared_experts norm_topk_prob routed_scaling_factor rms_norm_eps"),
    ("no rope, windows", "smollm3", dict(no_rope_layers=[0, 1], use_sliding_window=True, sliding_window=9, layer_types=[SLID, SLID]), "rms_norm_eps"),
    ("no bias of gpt_oss", "gpt_oss", dict(head_dim=8, num_local_experts=4, num_experts_per_tok=4, attention_bias=False, sliding_window=9, layer_types=[SLID, FULL]), "num_experts_per_tok"),
    ("arcee", "arcee", dict(hidden_act="relu2", mlp_bias=True), "rms_norm_eps"),
    ("dots1", "dots1", dict(head_dim=16, n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, n_shared_experts=1, first_k_dense_replace=1, routed_scaling_factor=1.5, layer_types=[FULL, FULL]), "n_group topk_group"),
    ("hunyuan with experts", "hunyuan_v1_moe", dict(head_dim=8, num_experts=4, moe_topk=2), ""),
    ("heads of keys", "ernie4_5", dict(head_dim=8), "num_key_value_heads"),
    ("flex_olmo", "flex_olmo", dict(num_experts=4, num_experts_per_tok=2), "norm_topk_prob rms_norm_eps"),
    ("gptj", "gptj", dict(rotary_dim=4), "layer_norm_epsilon tie_word_embeddings"),
    ("opt", "opt", dict(ffn_dim=40, tie_word_embeddings=True), "tie_word_embeddings do_layer_norm_before"),
    ("no biases", "opt", dict(ffn_dim=40, enable_bias=False), ""),
    ("one head of keys", "falcon", dict(num_hidden_layers=2, num_ln_in_parallel_attn=None), "multi_query parallel_attn ffn_hidden_size layer_norm_epsilon"),
    ("two norms", "falcon", dict(new_decoder_architecture=True, num_kv_heads=2, tie_word_embeddings=True), "tie_word_embeddings"),
    ("heads of keys, one norm", "falcon", dict(new_decoder_architecture=True, num_kv_heads=2, num_ln_in_parallel_attn=1, ffn_hidden_size=48), ""),
    ("one block after the other", "falcon", dict(parallel_attn=False, multi_query=False, bias=True), ""),
]


def make(name, mt, cfg, out):
    no_kv = ("intermediate_size", "num_key_value_heads")
    no_heads = no_kv + ("num_attention_heads", "max_position_embeddings")
    own = {"gpt2": no_heads + ("hidden_size", "num_hidden_layers"), "mamba": no_heads, "mamba2": no_heads,
           "gptj": no_kv, "opt": no_kv, "falcon": no_kv}.get(mt, ())
    kw = {k: v for k, v in BASE.items() if k not in own}
    kw.update({k: v for k, v in cfg.items() if not (k == "num_heads" and v is None)}, bos_token_id=1, eos_token_id=2, pad_token_id=0)
    m = AutoModelForCausalLM.from_config(AutoConfig.for_model(mt, **kw)).float()
    d = tempfile.mkdtemp()
    m.save_pretrained(d)
    from safetensors import safe_open
    shapes = {}
    with safe_open(d + "/model.safetensors", "np") as f:
        for k in f.keys(): shapes[k] = f.get_slice(k).get_shape()
    save_file({k: values(k, s) for k, s in shapes.items()}, d + "/model.safetensors", metadata={"format": "pt"})
    conf = json.load(open(d + "/config.json"))
    for k in out.split(): conf.pop(k, None)
    for k in ("architectures", "dtype", "transformers_version", "use_cache", "initializer_range", "attention_dropout"): conf.pop(k, None)
    json.dump(conf, open(d + "/config.json", "w"))
    ref = AutoModelForCausalLM.from_pretrained(d, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager").eval()
    with torch.no_grad(): y = ref(torch.tensor([IDS]), use_cache=False).logits[0, -1]
    with torch.no_grad(): z = ref.double()(torch.tensor([IDS]), use_cache=False).logits[0, -1]
    e = float(((y - z) ** 2).sum() / (z ** 2).sum())
    assert e < 1e-10 and torch.isfinite(y).all(), (name, e)
    return conf, shapes, y.numpy(), e


def weight_list(shapes):
    """name d0 d1;..., with [n] for numbers 0 to n - 1 that have all the same shape"""
    groups = {}
    for k, s in sorted(shapes.items()):
        number = re.search(r"(?<=\.)\d+(?=\.)", k)
        key = k[:number.start()] + "[]" + k[number.end():] if number else k
        groups.setdefault((key, tuple(s)), []).append((int(number.group()) if number else 0, k))
    out = []
    for (key, s), found in groups.items():
        whole = len(found) > 1 and [i for i, _ in found] == list(range(len(found)))
        names = [key.replace("[]", "[%d]" % len(found))] if whole else [k for _, k in found]
        out += ["%s %s" % (n, " ".join(map(str, s))) for n in names]
    return ";".join(out)


def c_string(s, indent):
    s, parts = s.replace("\\", "\\\\").replace('"', '\\"'), []
    while s:
        n = 112 - len(indent)
        while n < len(s) and s[n - 1] == "\\": n -= 1
        parts.append(s[:n]); s = s[n:]
    return ("\n" + indent).join('"%s"' % p for p in parts)


def main():
    o = ["/* Written by tools/make_families.py; logits by transformers %s. */\n" % transformers.__version__]
    o.append("static const int32_t families_ids[] = {\n    %s,\n    %s};\n" % tuple(", ".join(map(str, x)) for x in (IDS[:20], IDS[20:])))
    rows, lists = [], {}
    for i, (name, mt, cfg, out) in enumerate(CASES):
        if len(sys.argv) > 2 and mt not in sys.argv[2:]: continue
        try: conf, shapes, y, e = make(name, mt, cfg, out)
        except Exception as ex: print("FAILED %s: %s: %s" % (mt, name, str(ex)[:200]), flush=True); continue
        o.append("static const float families_y%d[] = {" % i)
        line = "   "
        for v in y:
            t = " %.9g," % v
            if "." not in t and "e" not in t: t = t[:-1] + ".0,"
            t = t[:-1] + "f,"
            if len(line) + len(t) > 118: o.append(line); line = "   "
            line += t
        o.append(line); o.append("};\n")
        tensors = weight_list(shapes)
        if tensors not in lists:
            lists[tensors] = "families_w%d" % i
            o.append("static const char families_w%d[] =\n    %s;\n" % (i, c_string(tensors, "    ")))
        rows.append('    {"%s: %s",\n     %s,\n     %s, families_y%d, %d},' % (mt, name, c_string(json.dumps(conf, separators=(",", ":")), "     "), lists[tensors], i, len(y)))
        print("%-34s %.1e" % (mt + ": " + name, e), flush=True)
    o.append("static const struct { const char *name, *config, *tensors; const float *logits; int n; } families[] = {")
    o += rows + ["};\n"]
    open(sys.argv[1], "w").write("\n".join(o))


main()
