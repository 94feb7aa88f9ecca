/* Written by tools/make_families.py; logits by transformers 5.23.0. */

static const int32_t families_ids[] = {
    5, 15, 39, 16, 7, 12, 31, 3, 50, 50, 3, 31, 12, 7, 16, 39, 15, 5, 9, 27,
    59, 44, 43, 56, 22, 2, 57, 4, 26, 1, 51, 54, 10, 41, 25, 23, 35, 0, 40, 33};

static const float families_y0[] = {
    0.599398971f, -0.294480711f, -0.691260993f, -0.369514585f, 1.03025568f, 0.696248293f, -0.986841559f, 0.44688499f,
    2.29332376f, -1.96392572f, -0.0415331312f, -0.16897504f, -0.0987743437f, -0.286973149f, -0.321198046f,
    0.320072085f, 0.513892472f, -2.21976185f, -0.676129282f, -0.511382282f, 0.458115518f, 1.3158499f, -1.74856555f,
    -0.292667627f, -1.66244566f, -1.14089656f, 0.432138056f, -0.299596369f, 1.22778344f, 1.88401675f, 1.85462272f,
    1.97522998f, 0.68880409f, 0.0017261178f, 1.31581044f, 1.66971946f, 0.1354004f, 1.30030262f, -0.113011815f,
    1.11566198f, -0.0836695433f, -0.714707553f, 1.51089823f, 0.291957229f, 0.67799437f, -2.03414106f, -1.62322283f,
    -1.27639806f, 0.0195164252f, -2.1719501f, -0.701845884f, -0.265863895f, 0.789905667f, -1.08460331f, -2.49802828f,
    -2.92850184f, 1.03531241f, 2.55098009f, -1.36661243f, -0.249631211f, -0.0673834011f,
};

static const char families_w0[] =
    "lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.layers.[2].input_layernorm.weight 32;model.layers"
    ".[2].mlp.down_proj.weight 32 40;model.layers.[2].mlp.gate_proj.weight 40 32;model.layers.[2].mlp.up_proj.wei"
    "ght 40 32;model.layers.[2].post_attention_layernorm.weight 32;model.layers.[2].self_attn.k_proj.weight 16 32"
    ";model.layers.[2].self_attn.o_proj.weight 32 32;model.layers.[2].self_attn.q_proj.weight 32 32;model.layers."
    "[2].self_attn.v_proj.weight 16 32;model.norm.weight 32";

static const float families_y1[] = {
    0.309399992f, -1.87410533f, 0.368000388f, 0.589081585f, 1.07026064f, 2.17837095f, -0.216115564f, 0.503943205f,
    0.751840115f, -1.58494604f, 0.882365048f, 0.256577224f, 0.114452727f, -0.498217583f, -0.350802898f, 0.291540682f,
    -0.489003658f, -1.1612556f, -0.381607354f, -0.471346617f, 0.942035794f, 0.192427978f, -1.34008157f, 0.479632974f,
    -1.34742713f, -0.486128539f, -0.476071298f, -0.306023836f, 0.927967966f, 1.48657095f, 1.79335272f, 1.3955313f,
    -0.387764752f, -0.195331007f, 1.0984894f, 1.44123113f, 0.79120177f, 0.947795093f, -0.534037471f, 1.29983246f,
    0.911809683f, -0.0939861536f, 0.380733013f, 1.07322586f, 0.753882885f, -1.97156668f, -2.48470235f, -1.33699882f,
    0.955445886f, -1.18482697f, -0.758134663f, 0.53306824f, 0.159353197f, 0.204373881f, -1.9551841f, -2.46501732f,
    0.998088956f, 1.65134108f, -1.67412305f, 0.0531603247f, 0.04161264f,
};

static const char families_w1[] =
    "lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.layers.[2].input_layernorm.weight 32;model.layers"
    ".[2].mlp.down_proj.bias 32;model.layers.[2].mlp.down_proj.weight 32 40;model.layers.[2].mlp.gate_proj.bias 4"
    "0;model.layers.[2].mlp.gate_proj.weight 40 32;model.layers.[2].mlp.up_proj.bias 40;model.layers.[2].mlp.up_p"
    "roj.weight 40 32;model.layers.[2].post_attention_layernorm.weight 32;model.layers.[2].self_attn.k_proj.weigh"
    "t 16 32;model.layers.[2].self_attn.o_proj.weight 32 32;model.layers.[2].self_attn.q_proj.weight 32 32;model."
    "layers.[2].self_attn.v_proj.weight 16 32;model.norm.weight 32";

static const float families_y2[] = {
    0.61851114f, -0.597678065f, -0.61282903f, -0.338229358f, 1.16516531f, 0.832569361f, -1.00080097f, 0.448901296f,
    2.14603949f, -2.18722343f, 0.0648102537f, -0.0777219757f, -0.0348112211f, -0.331044436f, -0.352313846f,
    0.474841923f, 0.327908337f, -1.97582221f, -0.584280789f, -0.370432019f, 0.565312922f, 1.10604131f, -1.74944901f,
    -0.139696136f, -1.58944404f, -0.910683155f, 0.156224951f, -0.247472852f, 1.18306422f, 1.85240602f, 1.97096264f,
    1.91292024f, 0.388148159f, 0.0821283981f, 1.45867658f, 1.68506229f, 0.316046745f, 1.05920839f, -0.18535091f,
    1.16571677f, 0.226230919f, -0.50742811f, 1.31010735f, 0.384459674f, 0.656931818f, -2.16266322f, -1.7494812f,
    -1.28710961f, 0.198182151f, -1.97722435f, -0.775996625f, -0.0009175663f, 0.787628591f, -0.689835966f,
    -2.56537008f, -2.70199704f, 0.910519183f, 2.38197398f, -1.5157007f, -0.213838696f, 0.0288681202f,
};

static const float families_y3[] = {
    1.00568378f, -0.548386395f, -0.181830928f, 0.325862497f, 0.540280581f, 0.972747624f, -1.65015256f, 0.562900186f,
    1.78383565f, -1.55685294f, -0.599703729f, 0.315975755f, -0.540739238f, -0.771694124f, 0.0923373997f,
    -0.0642760471f, 0.535909176f, -1.71516311f, -1.50387371f, -0.854384422f, 0.305271059f, 1.39464033f, -1.91653025f,
    0.434603453f, -1.169994f, -1.83050704f, 1.19733727f, 0.095786348f, 0.107155055f, 1.96105707f, 1.56302118f,
    2.24604821f, 0.821161211f, -0.580769956f, 0.654438913f, 1.00017357f, -0.219117999f, 0.535607219f, -0.057861384f,
    0.417295009f, 0.72868669f, -0.743015409f, 0.959796786f, 1.06925154f, 0.819782674f, -2.10062909f, -1.6127516f,
    -1.85896838f, -0.135712534f, -2.24774361f, -0.474149972f, -0.236618906f, 1.56023717f, -0.954986036f, -1.68180501f,
    -3.42231131f, 1.38555717f, 2.15586996f, -1.30648386f, 0.310287774f, 0.209561929f,
};

static const float families_y4[] = {
    1.49799156f, -0.202866897f, 0.305378079f, 1.3099736f, -0.293288887f, 0.138454586f, -1.34740067f, 2.05978823f,
    0.342260301f, 2.48291516f, -0.75384599f, -0.976947546f, 1.03289056f, -0.420782328f, 2.35233736f, 0.708353162f,
    -0.0436146744f, -0.565497994f, 0.501365185f, -0.554351032f, 0.043824885f, 0.497482479f, 0.807415247f,
    0.837098181f, 0.873152196f, -2.10997748f, 1.331936f, -0.927356839f, -0.508645773f, -0.891275167f, 0.884552538f,
    -0.116113335f, -1.34030652f, -1.00855255f, -0.392895311f, 2.0198257f, -0.110331155f, 1.02703273f, 0.598856568f,
    1.23326218f, 1.795784f, 2.08074856f, 0.259339958f, 1.83298576f, -0.811852574f, -2.63570952f, 1.29334533f,
    0.0520567596f, 0.727665603f, -0.265414983f, -0.00789445732f, 0.519060016f, 0.901117921f, 0.777044535f,
    -0.534784675f, 0.702021062f, 0.569718063f, -1.15298712f, -0.0306844637f, 1.16522026f, -0.337355196f,
};

static const char families_w4[] =
    "lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.layers.[2].input_layernorm.weight 32;model.layers"
    ".[2].mlp.down_proj.weight 32 40;model.layers.[2].mlp.gate_up_proj.weight 80 32;model.layers.[2].post_attenti"
    "on_layernorm.weight 32;model.layers.[2].self_attn.o_proj.weight 32 32;model.layers.[2].self_attn.qkv_proj.we"
    "ight 64 32;model.norm.weight 32";

static const float families_y5[] = {
    -0.18540065f, 0.47242257f, -2.68073225f, -2.39949083f, 1.54154801f, 1.10749197f, 0.881878436f, -0.33050397f,
    3.34839916f, -0.00202802266f, -0.824351549f, -0.673746347f, 1.24847364f, 1.54581058f, -0.325416267f, 0.167159915f,
    -0.990732253f, -1.4264096f, -0.762553632f, 0.160087526f, -0.0691750348f, 0.119719885f, -0.747281909f,
    -0.362954974f, -0.522446573f, 1.10901475f, 0.6203987f, 1.54309082f, -1.03165996f, -0.0892448053f, 2.12973928f,
    1.97359979f, 0.152873218f, 0.680522025f, 0.980134964f, -0.897423863f, -1.29308569f, 0.587104201f, -0.148502186f,
    1.58072007f, -0.111471467f, -1.4122715f, 1.22960448f, -0.17546922f, 1.17013478f, 0.833915234f, -0.479713798f,
    0.286082417f, -0.316380471f, -0.354351521f, 0.0684945509f, -0.0463083163f, 0.380545527f, -0.467677563f,
    -1.04750419f, -2.02423716f, -0.140745357f, 0.874483645f, -2.42391372f, 1.31050336f, -0.265687019f,
};

static const float families_y6[] = {
    -0.356208473f, -0.0194941517f, -2.33070564f, 0.460672349f, -0.320739269f, -0.871959269f, -1.37872589f,
    -1.38026488f, 2.31438327f, 1.23495674f, -0.207013726f, 0.884688199f, 0.0357776023f, 0.238252848f, 2.92873979f,
    0.313095421f, -0.283828408f, -0.598406971f, 0.735525489f, -1.56800711f, 0.575078428f, -0.252402604f, -1.63233912f,
    1.14768171f, 0.211133689f, -1.62602222f, 0.133340821f, 0.163394958f, -0.810876846f, 0.13377817f, 0.091615662f,
    1.17245197f, 0.549159467f, -0.392969489f, -0.308224797f, 0.372382492f, -1.39041829f, -0.568978071f, 0.901402473f,
    0.417310059f, -0.53062278f, -0.715584219f, 1.10788417f, 0.592773438f, 1.17691696f, -0.72385323f, 0.207422256f,
    1.15701556f, -0.418667793f, -2.09858346f, -0.698601782f, -1.18001652f, -1.19105685f, -1.38259423f, -0.774643898f,
    -1.87802708f, -0.62501967f, 0.80945015f, -0.200270116f, -0.037600752f, 0.909148037f,
};

static const char families_w6[] =
    "lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.layers.[2].block_sparse_moe.experts.0.w1.weight 4"
    "0 32;model.layers.[2].block_sparse_moe.experts.0.w2.weight 32 40;model.layers.[2].block_sparse_moe.experts.0"
    ".w3.weight 40 32;model.layers.[2].block_sparse_moe.experts.1.w1.weight 40 32;model.layers.[2].block_sparse_m"
    "oe.experts.1.w2.weight 32 40;model.layers.[2].block_sparse_moe.experts.1.w3.weight 40 32;model.layers.[2].bl"
    "ock_sparse_moe.experts.2.w1.weight 40 32;model.layers.[2].block_sparse_moe.experts.2.w2.weight 32 40;model.l"
    "ayers.[2].block_sparse_moe.experts.2.w3.weight 40 32;model.layers.[2].block_sparse_moe.experts.3.w1.weight 4"
    "0 32;model.layers.[2].block_sparse_moe.experts.3.w2.weight 32 40;model.layers.[2].block_sparse_moe.experts.3"
    ".w3.weight 40 32;model.layers.[2].block_sparse_moe.experts.4.w1.weight 40 32;model.layers.[2].block_sparse_m"
    "oe.experts.4.w2.weight 32 40;model.layers.[2].block_sparse_moe.experts.4.w3.weight 40 32;model.layers.[2].bl"
    "ock_sparse_moe.experts.5.w1.weight 40 32;model.layers.[2].block_sparse_moe.experts.5.w2.weight 32 40;model.l"
    "ayers.[2].block_sparse_moe.experts.5.w3.weight 40 32;model.layers.[2].block_sparse_moe.experts.6.w1.weight 4"
    "0 32;model.layers.[2].block_sparse_moe.experts.6.w2.weight 32 40;model.layers.[2].block_sparse_moe.experts.6"
    ".w3.weight 40 32;model.layers.[2].block_sparse_moe.experts.7.w1.weight 40 32;model.layers.[2].block_sparse_m"
    "oe.experts.7.w2.weight 32 40;model.layers.[2].block_sparse_moe.experts.7.w3.weight 40 32;model.layers.[2].bl"
    "ock_sparse_moe.gate.weight 8 32;model.layers.[2].input_layernorm.weight 32;model.layers.[2].post_attention_l"
    "ayernorm.weight 32;model.layers.[2].self_attn.k_proj.weight 16 32;model.layers.[2].self_attn.o_proj.weight 3"
    "2 32;model.layers.[2].self_attn.q_proj.weight 32 32;model.layers.[2].self_attn.v_proj.weight 16 32;model.nor"
    "m.weight 32";

static const float families_y7[] = {
    -0.175403878f, 0.209967092f, -1.43821549f, -1.11984706f, 1.48996663f, -1.48928225f, -2.02050781f, -0.477446079f,
    3.6160357f, -0.259059578f, -1.6703186f, 0.709658265f, 0.19052355f, 1.06092381f, 2.83482051f, -0.781433642f,
    -0.674439847f, -1.52370203f, -0.932837307f, -1.88595879f, -0.538893223f, -0.0756435618f, -2.43500495f,
    -1.8493371f, -2.05582047f, -1.51251101f, 0.801944613f, 0.0339331925f, -0.363882482f, -0.13055943f, 1.37894106f,
    1.82839811f, 0.0901918113f, -0.142136842f, 0.540324152f, 1.2503922f, -1.91664732f, -1.05725634f, -0.758601427f,
    1.926911f, -0.750541389f, -0.282329798f, 0.49118498f, -0.22278437f, 2.80852962f, -0.249898836f, 1.08806229f,
    -0.657446027f, 0.0917109177f, -2.12756181f, -0.710558414f, -0.834988117f, 0.683617949f, -3.44907904f,
    -0.575830877f, -1.93945765f, 0.405630261f, 0.433279335f, -0.0672925338f, -0.0925961509f, -0.522069335f,
};

static const char families_w7[] =
    "lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.layers.[2].input_layernorm.weight 32;model.layers"
    ".[2].mlp.experts.0.down_proj.weight 32 16;model.layers.[2].mlp.experts.0.gate_proj.weight 16 32;model.layers"
    ".[2].mlp.experts.0.up_proj.weight 16 32;model.layers.[2].mlp.experts.1.down_proj.weight 32 16;model.layers.["
    "2].mlp.experts.1.gate_proj.weight 16 32;model.layers.[2].mlp.experts.1.up_proj.weight 16 32;model.layers.[2]"
    ".mlp.experts.2.down_proj.weight 32 16;model.layers.[2].mlp.experts.2.gate_proj.weight 16 32;model.layers.[2]"
    ".mlp.experts.2.up_proj.weight 16 32;model.layers.[2].mlp.experts.3.down_proj.weight 32 16;model.layers.[2].m"
    "lp.experts.3.gate_proj.weight 16 32;model.layers.[2].mlp.experts.3.up_proj.weight 16 32;model.layers.[2].mlp"
    ".gate.weight 4 32;model.layers.[2].mlp.shared_expert.down_proj.weight 32 24;model.layers.[2].mlp.shared_expe"
    "rt.gate_proj.weight 24 32;model.layers.[2].mlp.shared_expert.up_proj.weight 24 32;model.layers.[2].mlp.share"
    "d_expert_gate.weight 1 32;model.layers.[2].post_attention_layernorm.weight 32;model.layers.[2].self_attn.k_p"
    "roj.weight 16 32;model.layers.[2].self_attn.o_proj.weight 32 32;model.layers.[2].self_attn.q_proj.weight 32 "
    "32;model.layers.[2].self_attn.v_proj.weight 16 32;model.norm.weight 32";

static const float families_y8[] = {
    -1.39221919f, 2.73906684f, -0.13535881f, 2.13782835f, -1.83441651f, -3.36656094f, 1.40200353f, 2.01829767f,
    -4.88750648f, 0.113234147f, -2.35684633f, -1.07482231f, -5.50549507f, -1.63615096f, 0.126391411f, 2.06108332f,
    -1.916785f, 1.79042065f, 2.3386116f, 3.82952356f, 1.35623622f, -0.706707478f, 2.60497904f, 3.8859539f,
    5.41546488f, 2.30574989f, -0.865000486f, 1.29169691f, -2.51490545f, -3.72702408f, -0.332143456f, -4.84399939f,
    0.440159112f, 2.17058158f, -3.04840374f, -4.39613724f, 0.0643236265f, -0.507938504f, 5.03556681f, -3.95550132f,
    2.39487171f, -0.712789953f, -0.839868605f, 2.59713387f, -1.73074114f, -1.37923324f, -3.62021637f, 0.916940987f,
    2.575279f, 0.228185475f, -1.56919301f, 2.11462808f, 0.617497444f, 3.92981768f, 3.14438295f, 2.31425691f,
    1.11379528f, -3.02138281f, -0.455529779f, -1.20440078f, 0.804886937f,
};

static const char families_w8[] =
    "lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.layers.[2].input_layernorm.weight 32;model.layers"
    ".0.linear_attn.A_log 4;model.layers.0.linear_attn.conv1d.weight 64 1 4;model.layers.0.linear_attn.dt_bias 4;"
    "model.layers.0.linear_attn.in_proj_a.weight 4 32;model.layers.0.linear_attn.in_proj_b.weight 4 32;model.laye"
    "rs.0.linear_attn.in_proj_qkv.weight 64 32;model.layers.0.linear_attn.in_proj_z.weight 32 32;model.layers.0.l"
    "inear_attn.norm.weight 8;model.layers.0.linear_attn.out_proj.weight 32 32;model.layers.[2].mlp.down_proj.wei"
    "ght 32 40;model.layers.[2].mlp.gate_proj.weight 40 32;model.layers.[2].mlp.up_proj.weight 40 32;model.layers"
    ".[2].post_attention_layernorm.weight 32;model.layers.1.self_attn.k_norm.weight 16;model.layers.1.self_attn.k"
    "_proj.bias 32;model.layers.1.self_attn.k_proj.weight 32 32;model.layers.1.self_attn.o_proj.bias 32;model.lay"
    "ers.1.self_attn.o_proj.weight 32 64;model.layers.1.self_attn.q_norm.weight 16;model.layers.1.self_attn.q_pro"
    "j.bias 128;model.layers.1.self_attn.q_proj.weight 128 32;model.layers.1.self_attn.v_proj.bias 32;model.layer"
    "s.1.self_attn.v_proj.weight 32 32;model.norm.weight 32";

static const float families_y9[] = {
    -0.765782654f, -1.08891392f, 1.66358411f, 1.55297887f, -0.553381681f, -0.226682097f, -1.46917033f, 1.82241368f,
    -0.39361605f, 0.0624485761f, 2.75409627f, 0.895854294f, 0.378330588f, -0.792250693f, 1.60874116f, -1.19753277f,
    -1.60097933f, 2.48093176f, 1.16681242f, 0.203880191f, 0.47194767f, -1.4912951f, -1.06731951f, 0.616731942f,
    -1.22013032f, 0.253346115f, -1.92627513f, 0.361056626f, -0.946291327f, 0.110919684f, -2.47151327f, 0.507844865f,
    -1.6807797f, 0.984514296f, -0.433093101f, 0.537363172f, 0.293630928f, -1.57516384f, 0.0515497029f, -0.22306031f,
    0.589082956f, 1.80624211f, -0.589531183f, 1.30486476f, 0.706896424f, -1.82196009f, 0.43021667f, -0.791208506f,
    0.385146528f, 0.666909218f, 0.924495339f, 2.16681886f, -0.617463768f, 2.83340096f, -0.567326188f, 1.48548198f,
    0.929483473f, -0.748113334f, -0.134404093f, 0.321987361f, 0.0611308664f,
};

static const char families_w9[] =
    "lm_head.bias 61;lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.final_layernorm.bias 32;model.fin"
    "al_layernorm.weight 32;model.layers.[2].input_layernorm.bias 32;model.layers.[2].input_layernorm.weight 32;m"
    "odel.layers.[2].mlp.fc1.bias 40;model.layers.[2].mlp.fc1.weight 40 32;model.layers.[2].mlp.fc2.bias 32;model"
    ".layers.[2].mlp.fc2.weight 32 40;model.layers.[2].self_attn.dense.bias 32;model.layers.[2].self_attn.dense.w"
    "eight 32 32;model.layers.[2].self_attn.k_layernorm.bias 8;model.layers.[2].self_attn.k_layernorm.weight 8;mo"
    "del.layers.[2].self_attn.k_proj.bias 16;model.layers.[2].self_attn.k_proj.weight 16 32;model.layers.[2].self"
    "_attn.q_layernorm.bias 8;model.layers.[2].self_attn.q_layernorm.weight 8;model.layers.[2].self_attn.q_proj.b"
    "ias 32;model.layers.[2].self_attn.q_proj.weight 32 32;model.layers.[2].self_attn.v_proj.bias 16;model.layers"
    ".[2].self_attn.v_proj.weight 16 32";

static const float families_y10[] = {
    0.259783715f, 0.114613682f, 0.292312235f, -0.655232906f, 0.493218213f, -0.0426516458f, 0.207163528f, 0.101157568f,
    0.315071821f, 0.133259147f, 0.16565755f, 0.624155998f, -0.187241644f, 0.213669315f, -0.152145848f, -0.615359902f,
    -0.0570656173f, -0.180184647f, -0.0926421061f, 0.373825103f, 0.372913539f, -0.362592787f, 0.0590900816f,
    -0.647595525f, -0.432775438f, -0.0887057707f, -0.293228775f, -0.223093867f, -0.0622464195f, -0.0806203485f,
    -0.0784399807f, 0.304644763f, -0.66813767f, 0.258074701f, 0.0917486995f, 0.161541358f, -0.524009585f,
    0.309274971f, 0.307699859f, 0.677468717f, -0.271031827f, -0.266392797f, 0.0844387785f, 0.467244804f, 0.9494645f,
    -0.0612652414f, -0.225557536f, -0.226406783f, 0.189201728f, 0.392423481f, 0.02919803f, -0.226814255f,
    0.272193104f, -0.104716048f, -0.0435842164f, -0.258018553f, -0.239928335f, -0.317976654f, -0.387257934f,
    -0.0984978825f, -0.122155555f,
};

static const char families_w10[] =
    "lm_head.weight 61 32;transformer.h.[3].attn.c_attn.bias 96;transformer.h.[3].attn.c_attn.weight 32 96;transf"
    "ormer.h.[3].attn.c_proj.bias 32;transformer.h.[3].attn.c_proj.weight 32 32;transformer.h.[3].ln_1.bias 32;tr"
    "ansformer.h.[3].ln_1.weight 32;transformer.h.[3].ln_2.bias 32;transformer.h.[3].ln_2.weight 32;transformer.h"
    ".[3].mlp.c_fc.bias 128;transformer.h.[3].mlp.c_fc.weight 32 128;transformer.h.[3].mlp.c_proj.bias 32;transfo"
    "rmer.h.[3].mlp.c_proj.weight 128 32;transformer.ln_f.bias 32;transformer.ln_f.weight 32;transformer.wpe.weig"
    "ht 64 32;transformer.wte.weight 61 32";

static const float families_y11[] = {
    0.727684379f, 2.34005141f, -1.3973757f, 0.486582279f, 1.06427598f, 1.64601791f, -0.661914647f, -1.13913572f,
    0.79150331f, -1.04660177f, -0.26229459f, -1.11342132f, 2.15693951f, 1.10085046f, 1.12545514f, -1.83465302f,
    0.980139256f, -3.18971014f, 1.31604862f, 0.209871173f, -0.287007481f, 2.13133073f, -2.3943944f, -1.54762197f,
    -0.787552297f, -1.2550807f, 0.0597082451f, -0.898869991f, -1.24631059f, 0.73342365f, 1.0187546f, 1.66160917f,
    1.994241f, -0.69619751f, 1.12737f, 1.31981182f, -1.12239838f, 1.98072338f, 0.701649368f, 1.68097723f,
    -0.665024459f, -0.0329881012f, 1.56161487f, -1.16985226f, 0.258425564f, 0.870513797f, 2.910357f, 1.7045157f,
    -0.603851974f, -1.8177973f, 1.93719006f, -2.31658769f, -0.224428833f, 0.286020935f, -1.85482371f, -0.814258397f,
    0.470015377f, 0.821204126f, 0.171940506f, -1.60987413f, 0.339893579f,
};

static const char families_w11[] =
    "lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.layers.[2].mlp.down_proj.weight 32 40;model.layer"
    "s.[2].mlp.gate_proj.weight 40 32;model.layers.[2].mlp.up_proj.weight 40 32;model.layers.[2].post_attention_l"
    "ayernorm.weight 32;model.layers.[2].post_feedforward_layernorm.weight 32;model.layers.[2].self_attn.k_norm.w"
    "eight 8;model.layers.[2].self_attn.k_proj.weight 16 32;model.layers.[2].self_attn.o_proj.weight 32 32;model."
    "layers.[2].self_attn.q_norm.weight 8;model.layers.[2].self_attn.q_proj.weight 32 32;model.layers.[2].self_at"
    "tn.v_proj.weight 16 32;model.norm.weight 32";

static const float families_y12[] = {
    0.245161995f, -0.0605284646f, -2.11190414f, -2.07280207f, 1.28701413f, 0.212376714f, 0.273442775f, -0.484385848f,
    2.81573725f, -1.18768072f, -0.422511071f, -1.28858912f, 1.59379828f, 0.774173439f, 0.00357964728f, 1.08824134f,
    0.740913451f, -2.4058044f, 0.478321999f, -0.0925850719f, 0.360566169f, 0.930103779f, -0.889961302f, -0.453361988f,
    -0.753620923f, -0.197075993f, -0.964915037f, 0.0918293372f, 2.08891773f, 0.921632886f, 1.77958763f, 1.14342582f,
    0.0125997663f, 1.02196836f, 2.06299877f, 1.96052682f, 0.596290171f, 1.38045561f, -0.324780136f, 1.25672972f,
    -0.13022545f, 0.306184918f, 2.52125812f, -1.45455801f, -0.328909367f, -0.604237735f, -0.137012511f, 0.23240748f,
    -0.055747062f, -0.962563932f, -0.2444029f, 0.859589875f, -1.32484865f, -0.338201731f, -2.79998779f, -0.65216136f,
    -0.82197684f, 1.52523685f, -1.31682348f, -0.812127292f, -0.281598449f,
};

static const float families_y13[] = {
    -1.92395735f, -2.61944485f, -0.0230848081f, -0.955043137f, 2.44188905f, -2.01120496f, -1.63087499f, -0.279176384f,
    -1.37061882f, 1.29329526f, 0.156249523f, -2.21414733f, 1.46124804f, -1.38981831f, -0.870656908f, 1.8642267f,
    -0.659552574f, 1.68093169f, 0.518914878f, 3.32027674f, -0.975984395f, -1.18800843f, 2.09490371f, 0.0243187193f,
    0.5230636f, 1.165851f, -3.54748273f, -2.44144607f, 4.07258701f, -1.13805211f, 0.76304704f, -4.74866533f,
    -1.92210948f, 2.95891213f, 4.85259104f, 2.35645366f, 0.778986692f, -0.769512534f, 0.176336542f, -1.71293998f,
    -1.22598565f, 4.5002923f, 3.55559802f, 1.32553875f, -1.21285725f, -3.2905736f, 0.225203276f, 1.00710762f,
    4.66830587f, -2.0202899f, -4.00233698f, 5.08956432f, 0.752433538f, 5.26808023f, 1.2381978f, 3.49110866f,
    -3.5123291f, -2.19089293f, 0.0142276948f, -1.76478612f, -0.0530137196f,
};

static const char families_w13[] =
    "lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.layers.[2].input_layernorm.weight 32;model.layers"
    ".[2].mlp.down_proj.weight 32 40;model.layers.[2].mlp.gate_proj.weight 40 32;model.layers.[2].mlp.up_proj.wei"
    "ght 40 32;model.layers.[2].post_attention_layernorm.weight 32;model.layers.[2].post_feedforward_layernorm.we"
    "ight 32;model.layers.[2].pre_feedforward_layernorm.weight 32;model.layers.[2].self_attn.k_norm.weight 16;mod"
    "el.layers.[2].self_attn.k_proj.weight 32 32;model.layers.[2].self_attn.o_proj.weight 32 64;model.layers.[2]."
    "self_attn.q_norm.weight 16;model.layers.[2].self_attn.q_proj.weight 64 32;model.layers.[2].self_attn.v_proj."
    "weight 32 32;model.norm.weight 32";

static const float families_y14[] = {
    0.883039534f, -0.749261916f, -0.713843346f, -0.913099706f, 0.184311271f, 0.342947304f, -1.69758546f, 0.620952368f,
    1.33491945f, 0.895157695f, 0.307303905f, -1.301682f, 1.86459768f, -1.31111503f, 0.192484513f, -0.342949539f,
    0.886310935f, -0.235930815f, -0.705437541f, -0.880496621f, 0.604554832f, 0.452904671f, -0.346686155f,
    0.432968974f, -1.23445356f, -0.147979185f, 0.0779200792f, 0.837543607f, -1.56478441f, 1.80700505f, 0.172805548f,
    0.60433805f, -1.16546631f, -0.363931656f, 0.324621379f, -0.074576363f, -0.227915064f, 0.676723242f, -1.57394087f,
    1.03341448f, 0.815660834f, -0.590578377f, 1.84423077f, -0.719371438f, 0.902579665f, 0.868709326f, -0.483698934f,
    0.941482484f, 0.454365104f, -0.690468669f, 1.85040247f, 0.409841597f, -0.296348006f, 0.544486761f, -0.615874469f,
    -0.679100394f, 1.65183699f, 1.09783483f, -1.56301677f, -0.258963495f, -0.12977536f,
};

static const char families_w14[] =
    "lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.layers.[4].input_layernorm.weight 32;model.layers"
    ".[4].layer_scalar 1;model.layers.[4].mlp.down_proj.weight 32 40;model.layers.[4].mlp.gate_proj.weight 40 32;"
    "model.layers.[4].mlp.up_proj.weight 40 32;model.layers.[4].post_attention_layernorm.weight 32;model.layers.["
    "4].post_feedforward_layernorm.weight 32;model.layers.[4].pre_feedforward_layernorm.weight 32;model.layers.0."
    "self_attn.k_norm.weight 8;model.layers.2.self_attn.k_norm.weight 8;model.layers.[4].self_attn.k_proj.weight "
    "16 32;model.layers.0.self_attn.o_proj.weight 32 32;model.layers.2.self_attn.o_proj.weight 32 32;model.layers"
    ".0.self_attn.q_norm.weight 8;model.layers.2.self_attn.q_norm.weight 8;model.layers.0.self_attn.q_proj.weight"
    " 32 32;model.layers.2.self_attn.q_proj.weight 32 32;model.layers.0.self_attn.v_proj.weight 16 32;model.layer"
    "s.2.self_attn.v_proj.weight 16 32;model.layers.1.self_attn.k_norm.weight 16;model.layers.3.self_attn.k_norm."
    "weight 16;model.layers.1.self_attn.o_proj.weight 32 64;model.layers.3.self_attn.o_proj.weight 32 64;model.la"
    "yers.1.self_attn.q_norm.weight 16;model.layers.3.self_attn.q_norm.weight 16;model.layers.1.self_attn.q_proj."
    "weight 64 32;model.layers.3.self_attn.q_proj.weight 64 32;model.norm.weight 32";

static const float families_y15[] = {
    0.635139823f, -0.904937208f, -0.874013901f, -0.577185214f, 2.3947463f, 0.126317725f, -0.596123457f, -1.18160594f,
    0.509423256f, -0.554448545f, -1.97896469f, 0.420959622f, 0.383271307f, 0.86021924f, 0.731728673f, 1.81452465f,
    0.544700921f, -0.364409894f, -1.35667741f, 1.40158939f, 0.186217278f, -1.296278f, 0.443396211f, 0.0913896337f,
    -0.512968361f, 0.590315342f, 0.69249475f, -0.875956357f, -0.277453959f, 0.4461115f, 1.1531148f, 1.34512877f,
    -1.70407999f, -1.25967085f, 0.900973856f, -0.370193392f, -0.863791406f, -2.06331849f, -1.22116756f, -0.221055076f,
    -0.175435066f, -0.00927451625f, -0.430610389f, 0.54242444f, -0.155130029f, 0.250420034f, 0.896381676f,
    1.48186016f, -0.283478856f, -0.0413111448f, -1.04015839f, -0.0405502394f, 0.605563581f, -1.37847698f,
    0.628407001f, 1.443784f, -1.42770958f, 0.960454464f, -0.0142550319f, -1.62269127f, 0.644517183f,
};

static const char families_w15[] =
    "lm_head.weight 61 32;model.altup_projections.0.weight 32 32;model.altup_unembed_projections.0.weight 32 32;m"
    "odel.embed_tokens.weight 61 32;model.embed_tokens_per_layer.weight 61 24;model.layers.[3].altup.correct_outp"
    "ut_scale 32;model.layers.[3].altup.correction_coefs.weight 2 2;model.layers.[3].altup.modality_router.weight"
    " 2 32;model.layers.[3].altup.prediction_coefs.weight 4 2;model.layers.[3].altup.router_norm.weight 32;model."
    "layers.[3].input_layernorm.weight 32;model.layers.[3].laurel.linear_left.weight 4 32;model.layers.[3].laurel"
    ".linear_right.weight 32 4;model.layers.[3].laurel.post_laurel_norm.weight 32;model.layers.[3].mlp.down_proj."
    "weight 32 40;model.layers.[3].mlp.gate_proj.weight 40 32;model.layers.[3].mlp.up_proj.weight 40 32;model.lay"
    "ers.[3].per_layer_input_gate.weight 8 32;model.layers.[3].per_layer_projection.weight 32 8;model.layers.[3]."
    "post_attention_layernorm.weight 32;model.layers.[3].post_feedforward_layernorm.weight 32;model.layers.[3].po"
    "st_per_layer_input_norm.weight 32;model.layers.[3].pre_feedforward_layernorm.weight 32;model.layers.[2].self"
    "_attn.k_norm.weight 8;model.layers.[2].self_attn.k_proj.weight 16 32;model.layers.[3].self_attn.o_proj.weigh"
    "t 32 32;model.layers.[3].self_attn.q_norm.weight 8;model.layers.[3].self_attn.q_proj.weight 32 32;model.laye"
    "rs.[2].self_attn.v_proj.weight 16 32;model.norm.weight 32;model.per_layer_model_projection.weight 24 32;mode"
    "l.per_layer_projection_norm.weight 8";

static const float families_y16[] = {
    0.672481954f, -0.381308734f, -0.93583858f, 1.386114f, -0.485396326f, -1.57646382f, -2.1975081f, 1.42286396f,
    1.35141742f, -1.31454992f, 0.0633510053f, 0.371138692f, 0.343757361f, -0.289478868f, 1.02619588f, 1.20422482f,
    -0.472976387f, 0.865532994f, -0.0360948779f, 0.50453794f, -0.611425996f, -0.836939812f, -1.31671667f, 1.39269757f,
    -1.28030384f, 2.68887949f, -0.653240144f, -0.171836227f, -1.5933274f, -0.0938062146f, -0.0996005237f,
    0.186705574f, 1.15345562f, -0.422700435f, -1.27085924f, 0.552486897f, -0.763709366f, 0.765516639f, 0.310698956f,
    -0.192721769f, -0.084384419f, 0.852167308f, -1.04253578f, -0.713868201f, 0.143986225f, 0.564313769f, 0.137055457f,
    -0.634413481f, -1.05647731f, 0.332505137f, -0.632910073f, 1.40283108f, -0.633046031f, 1.44604445f, -0.146437168f,
    2.54533815f, 0.46118769f, 2.53128815f, 1.49212062f, -0.595497489f, -0.304991782f,
};

static const char families_w16[] =
    "lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.layers.[2].input_layernorm.weight 32;model.layers"
    ".0.mlp.down_proj.weight 32 40;model.layers.0.mlp.gate_proj.weight 40 32;model.layers.0.mlp.up_proj.weight 40"
    " 32;model.layers.[2].post_attention_layernorm.weight 32;model.layers.[2].self_attn.kv_a_layernorm.weight 12;"
    "model.layers.[2].self_attn.kv_a_proj_with_mqa.bias 20;model.layers.[2].self_attn.kv_a_proj_with_mqa.weight 2"
    "0 32;model.layers.[2].self_attn.kv_b_proj.weight 64 12;model.layers.[2].self_attn.o_proj.bias 32;model.layer"
    "s.[2].self_attn.o_proj.weight 32 32;model.layers.[2].self_attn.q_a_layernorm.weight 12;model.layers.[2].self"
    "_attn.q_a_proj.bias 12;model.layers.[2].self_attn.q_a_proj.weight 12 32;model.layers.[2].self_attn.q_b_proj."
    "weight 64 12;model.layers.1.mlp.experts.0.down_proj.weight 32 16;model.layers.1.mlp.experts.0.gate_proj.weig"
    "ht 16 32;model.layers.1.mlp.experts.0.up_proj.weight 16 32;model.layers.1.mlp.experts.1.down_proj.weight 32 "
    "16;model.layers.1.mlp.experts.1.gate_proj.weight 16 32;model.layers.1.mlp.experts.1.up_proj.weight 16 32;mod"
    "el.layers.1.mlp.experts.2.down_proj.weight 32 16;model.layers.1.mlp.experts.2.gate_proj.weight 16 32;model.l"
    "ayers.1.mlp.experts.2.up_proj.weight 16 32;model.layers.1.mlp.experts.3.down_proj.weight 32 16;model.layers."
    "1.mlp.experts.3.gate_proj.weight 16 32;model.layers.1.mlp.experts.3.up_proj.weight 16 32;model.layers.1.mlp."
    "gate.weight 4 32;model.layers.1.mlp.shared_experts.down_proj.weight 32 32;model.layers.1.mlp.shared_experts."
    "gate_proj.weight 32 32;model.layers.1.mlp.shared_experts.up_proj.weight 32 32;model.norm.weight 32";

static const float families_y17[] = {
    0.0217585936f, 0.295395702f, 0.771245182f, 0.703112364f, 2.02413654f, 1.02560747f, -0.0570558049f, -0.981506169f,
    -0.966155887f, -1.10651076f, 0.0598679408f, 0.933848023f, 0.477367461f, 0.876774728f, -0.322579384f, -1.06821001f,
    -0.5147475f, -1.01315618f, -1.13068259f, 1.29363215f, -0.627122045f, -1.60260522f, -1.6693958f, -0.14639549f,
    -0.695491493f, 0.341564238f, -0.501484811f, -1.92231905f, -1.1076026f, 2.39382505f, 0.453389823f, 0.0743712336f,
    1.10259271f, -0.0199150778f, -0.0811641142f, 0.0773392096f, -1.56467927f, -1.25891364f, 0.79038316f,
    -0.928055584f, -0.940632403f, 0.250101835f, -0.917381644f, -0.0480474383f, 1.03367531f, 1.26040781f, 2.56091499f,
    0.597889125f, 0.98996532f, -0.447962642f, -0.276325583f, -1.03632748f, -0.289614886f, 1.07875526f, -0.252485663f,
    0.41963467f, -0.813574255f, -0.000453868968f, 0.33705765f, -2.66906667f, 1.40708148f,
};

static const char families_w17[] =
    "lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.layers.[2].input_layernorm.weight 32;model.layers"
    ".0.mlp.down_proj.weight 32 40;model.layers.0.mlp.gate_proj.weight 40 32;model.layers.0.mlp.up_proj.weight 40"
    " 32;model.layers.[2].post_attention_layernorm.weight 32;model.layers.[2].self_attn.kv_a_layernorm.weight 12;"
    "model.layers.[2].self_attn.kv_a_proj_with_mqa.weight 20 32;model.layers.[2].self_attn.kv_b_proj.weight 64 12"
    ";model.layers.[2].self_attn.o_proj.weight 32 32;model.layers.[2].self_attn.q_proj.weight 64 32;model.layers."
    "1.mlp.experts.0.down_proj.weight 32 16;model.layers.1.mlp.experts.0.gate_proj.weight 16 32;model.layers.1.ml"
    "p.experts.0.up_proj.weight 16 32;model.layers.1.mlp.experts.1.down_proj.weight 32 16;model.layers.1.mlp.expe"
    "rts.1.gate_proj.weight 16 32;model.layers.1.mlp.experts.1.up_proj.weight 16 32;model.layers.1.mlp.experts.2."
    "down_proj.weight 32 16;model.layers.1.mlp.experts.2.gate_proj.weight 16 32;model.layers.1.mlp.experts.2.up_p"
    "roj.weight 16 32;model.layers.1.mlp.experts.3.down_proj.weight 32 16;model.layers.1.mlp.experts.3.gate_proj."
    "weight 16 32;model.layers.1.mlp.experts.3.up_proj.weight 16 32;model.layers.1.mlp.gate.e_score_correction_bi"
    "as 4;model.layers.1.mlp.gate.weight 4 32;model.layers.1.mlp.shared_experts.down_proj.weight 32 16;model.laye"
    "rs.1.mlp.shared_experts.gate_proj.weight 16 32;model.layers.1.mlp.shared_experts.up_proj.weight 16 32;model."
    "norm.weight 32";

static const float families_y18[] = {
    -1.13528621f, -0.24088259f, 0.158906192f, 0.642718613f, -0.595226228f, 0.420638502f, -0.554001451f, 0.51121068f,
    1.77378714f, 0.509347796f, 0.431894481f, 1.13388026f, -0.213919669f, -0.766058803f, 1.74886632f, -0.703572392f,
    -2.29411745f, 1.67611229f, -1.1044457f, -0.301346391f, 0.546759605f, -1.06845856f, -0.232561275f, 1.4531275f,
    -1.37865329f, 0.516610384f, 0.828490198f, 2.05512619f, -0.627726734f, -0.238762647f, -1.86474144f, 1.2503655f,
    -1.62416959f, 0.432726353f, 0.463340551f, -2.28481174f, -1.31410956f, -1.53722298f, -0.271651715f, -1.6181047f,
    0.807117581f, -1.20728517f, -0.916906297f, 2.32634163f, 0.369799852f, -1.350178f, -1.07257569f, -0.140070394f,
    -0.373060107f, 0.56570071f, 1.58141732f, 0.192322657f, 1.16783285f, 0.561682165f, 0.512891412f, -1.38262892f,
    1.2668395f, -0.311752319f, -0.539650261f, 0.980870485f, -0.478219122f,
};

static const char families_w18[] =
    "backbone.embeddings.weight 61 32;backbone.layers.[2].mixer.A_log 64 8;backbone.layers.[2].mixer.D 64;backbon"
    "e.layers.[2].mixer.conv1d.bias 64;backbone.layers.[2].mixer.conv1d.weight 64 1 4;backbone.layers.[2].mixer.d"
    "t_proj.bias 64;backbone.layers.[2].mixer.dt_proj.weight 64 3;backbone.layers.[2].mixer.in_proj.bias 128;back"
    "bone.layers.[2].mixer.in_proj.weight 128 32;backbone.layers.[2].mixer.out_proj.bias 32;backbone.layers.[2].m"
    "ixer.out_proj.weight 32 64;backbone.layers.[2].mixer.x_proj.weight 19 64;backbone.layers.[2].norm.weight 32;"
    "backbone.norm_f.weight 32;lm_head.weight 61 32";

static const float families_y19[] = {
    1.03657043f, -0.244742155f, -0.793217778f, -1.08037186f, -0.421976924f, -0.800508022f, 0.931322336f, 1.10348213f,
    -0.457624465f, -0.199964076f, 0.125832275f, -0.387155056f, -0.612471461f, -0.438135147f, -1.85222781f,
    0.814785779f, 1.36957788f, -0.282994837f, 0.738245726f, 0.947757363f, -1.00731504f, 0.57699424f, -0.0176397003f,
    -0.0956125334f, 2.02680063f, 0.531949341f, -0.887049377f, -0.917396486f, -1.16623354f, 0.290897697f,
    -0.878613889f, -0.256091505f, 2.08905196f, -0.352907151f, -2.21660662f, 1.3094219f, -0.451661378f, 1.06110466f,
    1.4730792f, 0.537374914f, -0.581976771f, -0.0834563002f, 1.55725181f, -0.588912845f, -0.464948028f, -0.206600577f,
    -0.380681187f, -0.922800601f, -1.33498406f, 1.29749107f, -1.57208705f, 1.48263299f, -0.721641958f, 0.880670607f,
    -1.11927056f, 0.523040295f, -0.237268463f, 1.8949635f, -0.860514104f, 0.33003056f, 0.0928116366f,
};

static const char families_w19[] =
    "backbone.embeddings.weight 61 32;backbone.layers.[2].mixer.A_log 8;backbone.layers.[2].mixer.D 8;backbone.la"
    "yers.[2].mixer.conv1d.bias 96;backbone.layers.[2].mixer.conv1d.weight 96 1 4;backbone.layers.[2].mixer.dt_bi"
    "as 8;backbone.layers.[2].mixer.in_proj.bias 168;backbone.layers.[2].mixer.in_proj.weight 168 32;backbone.lay"
    "ers.[2].mixer.norm.weight 64;backbone.layers.[2].mixer.out_proj.bias 32;backbone.layers.[2].mixer.out_proj.w"
    "eight 32 64;backbone.layers.[2].norm.weight 32;backbone.norm_f.weight 32;lm_head.weight 61 32";

static const float families_y20[] = {
    1.05787039f, -0.967033446f, 0.220624134f, -1.42105138f, 1.37468052f, -0.251135379f, 1.03840661f, 0.417610973f,
    -0.349589854f, 0.705691934f, 1.76177692f, 0.315817803f, 0.765737593f, -0.303463161f, -1.37754333f, -0.156118959f,
    1.63425374f, -0.387652695f, 0.174287334f, 0.601110697f, 0.965099633f, -0.906978726f, 0.594540656f, -0.0301563144f,
    0.0175436325f, -0.810128808f, -0.643122971f, -1.06127858f, -0.718292236f, 1.15047455f, -0.626649857f,
    0.411330044f, -1.96459866f, 1.7160151f, -0.0570998602f, 0.320188999f, 0.379142702f, 0.35652563f, 1.12021601f,
    -0.462890476f, 0.402554363f, 0.610333204f, 1.38181388f, -0.863916993f, 1.07630301f, -0.0646694079f, 1.0240829f,
    0.904323697f, 1.75351858f, -0.343051374f, -0.435817331f, -0.0357409194f, 0.0201129783f, 0.829791963f,
    -0.526038468f, 1.02374327f, -1.34737563f, -0.500691295f, -1.41026211f, -0.80834496f, 0.0330209695f,
};

static const char families_w20[] =
    "lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.embedding_norm.weight 32;model.layers.0.conv.conv"
    ".bias 32;model.layers.0.conv.conv.weight 32 1 3;model.layers.0.conv.in_proj.bias 96;model.layers.0.conv.in_p"
    "roj.weight 96 32;model.layers.0.conv.out_proj.bias 32;model.layers.0.conv.out_proj.weight 32 32;model.layers"
    ".[2].feed_forward.w1.weight 32 32;model.layers.[2].feed_forward.w2.weight 32 32;model.layers.[2].feed_forwar"
    "d.w3.weight 32 32;model.layers.[2].ffn_norm.weight 32;model.layers.[2].operator_norm.weight 32;model.layers."
    "1.self_attn.k_layernorm.weight 8;model.layers.1.self_attn.k_proj.weight 16 32;model.layers.1.self_attn.out_p"
    "roj.weight 32 32;model.layers.1.self_attn.q_layernorm.weight 8;model.layers.1.self_attn.q_proj.weight 32 32;"
    "model.layers.1.self_attn.v_proj.weight 16 32";

static const float families_y21[] = {
    1.29900861f, 0.804170489f, -0.261025637f, -1.95337629f, 2.2592082f, 0.132899702f, 0.57275635f, 0.0193524901f,
    1.57543778f, 0.098463349f, 0.426104367f, 1.73627639f, 0.076722227f, 1.28080916f, 1.04509425f, -2.09144139f,
    0.564332545f, -1.88073707f, -0.770091772f, 0.394889385f, 2.06849933f, -1.01846731f, -0.767481387f, -0.846815288f,
    -0.976663232f, -1.32037258f, -0.241121992f, -0.537555456f, -1.03144431f, 0.292238206f, -0.0197954308f,
    1.68470466f, -1.97221982f, 1.41246963f, 0.766332626f, 0.230212808f, -1.7163254f, 0.643922806f, 1.62032235f,
    0.347405106f, 0.280699641f, -0.258787006f, 0.496375322f, -0.636535764f, 2.55347347f, 0.763078511f, 1.98933685f,
    1.30155063f, 1.35621428f, -0.347656846f, 0.982456923f, -1.40441442f, 0.0963681936f, -0.509628296f, -0.8622334f,
    0.119603232f, -0.954235911f, -0.979956567f, -0.622700572f, -1.37750912f, 0.0747425258f,
};

static const char families_w21[] =
    "lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.embedding_norm.weight 32;model.layers.0.conv.conv"
    ".weight 32 1 3;model.layers.2.conv.conv.weight 32 1 3;model.layers.0.conv.in_proj.weight 96 32;model.layers."
    "2.conv.in_proj.weight 96 32;model.layers.0.conv.out_proj.weight 32 32;model.layers.2.conv.out_proj.weight 32"
    " 32;model.layers.0.feed_forward.w1.weight 40 32;model.layers.0.feed_forward.w2.weight 32 40;model.layers.0.f"
    "eed_forward.w3.weight 40 32;model.layers.[3].ffn_norm.weight 32;model.layers.[3].operator_norm.weight 32;mod"
    "el.layers.1.feed_forward.expert_bias 4;model.layers.2.feed_forward.expert_bias 4;model.layers.1.feed_forward"
    ".experts.0.w1.weight 16 32;model.layers.2.feed_forward.experts.0.w1.weight 16 32;model.layers.1.feed_forward"
    ".experts.0.w2.weight 32 16;model.layers.2.feed_forward.experts.0.w2.weight 32 16;model.layers.1.feed_forward"
    ".experts.0.w3.weight 16 32;model.layers.2.feed_forward.experts.0.w3.weight 16 32;model.layers.1.feed_forward"
    ".experts.1.w1.weight 16 32;model.layers.2.feed_forward.experts.1.w1.weight 16 32;model.layers.1.feed_forward"
    ".experts.1.w2.weight 32 16;model.layers.2.feed_forward.experts.1.w2.weight 32 16;model.layers.1.feed_forward"
    ".experts.1.w3.weight 16 32;model.layers.2.feed_forward.experts.1.w3.weight 16 32;model.layers.1.feed_forward"
    ".experts.2.w1.weight 16 32;model.layers.2.feed_forward.experts.2.w1.weight 16 32;model.layers.1.feed_forward"
    ".experts.2.w2.weight 32 16;model.layers.2.feed_forward.experts.2.w2.weight 32 16;model.layers.1.feed_forward"
    ".experts.2.w3.weight 16 32;model.layers.2.feed_forward.experts.2.w3.weight 16 32;model.layers.1.feed_forward"
    ".experts.3.w1.weight 16 32;model.layers.2.feed_forward.experts.3.w1.weight 16 32;model.layers.1.feed_forward"
    ".experts.3.w2.weight 32 16;model.layers.2.feed_forward.experts.3.w2.weight 32 16;model.layers.1.feed_forward"
    ".experts.3.w3.weight 16 32;model.layers.2.feed_forward.experts.3.w3.weight 16 32;model.layers.1.feed_forward"
    ".gate.weight 4 32;model.layers.2.feed_forward.gate.weight 4 32;model.layers.1.self_attn.k_layernorm.weight 8"
    ";model.layers.1.self_attn.k_proj.weight 16 32;model.layers.1.self_attn.out_proj.weight 32 32;model.layers.1."
    "self_attn.q_layernorm.weight 8;model.layers.1.self_attn.q_proj.weight 32 32;model.layers.1.self_attn.v_proj."
    "weight 16 32";

static const float families_y22[] = {
    0.465041578f, 0.0255950205f, -0.417290866f, 1.21523905f, 0.120040312f, -0.747331679f, -3.13783884f, 1.5623101f,
    0.828947008f, 0.902582765f, -0.932374418f, -0.643527627f, -1.35545945f, 0.289181113f, 2.10834455f, -1.14361548f,
    -0.768217564f, -2.2557056f, -0.11974746f, 0.726085424f, 0.695836365f, 0.879142582f, -1.69990814f, 1.42017269f,
    0.20399271f, -2.10528135f, 1.01744533f, -1.54584217f, -2.61210489f, 0.579175532f, 0.841672897f, 0.0781175047f,
    1.59509206f, -0.98003608f, -1.29440701f, 1.12337935f, -2.59248638f, 0.368882567f, 0.88136524f, 0.634888887f,
    0.238274962f, 0.495330036f, -0.0202289596f, 1.13220131f, 3.03329301f, 0.394851774f, -0.10902112f, -0.0495058373f,
    1.45373333f, -3.27898669f, 0.246701777f, -0.611356437f, 0.626678705f, 0.122945055f, -0.0907408968f, -0.749166012f,
    1.83104932f, 0.870495975f, 0.153166503f, -0.483940244f, 1.42455804f,
};

static const char families_w22[] =
    "lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.final_layernorm.weight 32;model.layers.[2].feed_f"
    "orward.down_proj.bias 32;model.layers.[2].feed_forward.down_proj.weight 32 40;model.layers.[2].feed_forward."
    "gate_proj.bias 40;model.layers.[2].feed_forward.gate_proj.weight 40 32;model.layers.[2].feed_forward.up_proj"
    ".bias 40;model.layers.[2].feed_forward.up_proj.weight 40 32;model.layers.[2].input_layernorm.weight 32;model"
    ".layers.[2].mamba.A_log 4;model.layers.[2].mamba.D 4;model.layers.[2].mamba.conv1d.bias 48;model.layers.[2]."
    "mamba.conv1d.weight 48 1 4;model.layers.[2].mamba.dt_bias 4;model.layers.[2].mamba.in_proj.bias 84;model.lay"
    "ers.[2].mamba.in_proj.weight 84 32;model.layers.[2].mamba.out_proj.bias 32;model.layers.[2].mamba.out_proj.w"
    "eight 32 32;model.layers.[2].pre_ff_layernorm.weight 32;model.layers.[2].self_attn.k_proj.bias 16;model.laye"
    "rs.[2].self_attn.k_proj.weight 16 32;model.layers.[2].self_attn.o_proj.bias 32;model.layers.[2].self_attn.o_"
    "proj.weight 32 32;model.layers.[2].self_attn.q_proj.bias 32;model.layers.[2].self_attn.q_proj.weight 32 32;m"
    "odel.layers.[2].self_attn.v_proj.bias 16;model.layers.[2].self_attn.v_proj.weight 16 32";

static const float families_y23[] = {
    0.0241602268f, 0.255116194f, -0.461674571f, -0.300697297f, 1.52642715f, -0.650385141f, -1.78528082f, 0.659669995f,
    0.840693533f, 0.365532398f, -0.171833232f, -0.128142774f, -1.10300827f, -0.0558838397f, 1.02706897f, -2.04979324f,
    -0.565049767f, -1.93437958f, 0.392705381f, 1.66896641f, 1.32708633f, 0.575389385f, -0.724897921f, -0.308616102f,
    -0.418318361f, -1.26893115f, 0.4245767f, -1.38138437f, -1.79196489f, 0.109222054f, -0.119812056f, -0.102053307f,
    -0.0617766939f, 0.0950619951f, 0.142834291f, 0.456811696f, -2.99888182f, 0.403381258f, 1.21161997f, 0.676021159f,
    -0.738491178f, -0.592427373f, 0.42134878f, 0.935903013f, 3.54887414f, 0.313841075f, 0.26642403f, 1.72955704f,
    2.30639172f, -2.14680648f, 0.818164885f, -1.80274081f, 1.31707621f, 0.105786189f, -0.0689524934f, -0.568616509f,
    1.19249141f, -0.114996426f, -0.494834244f, -0.921787798f, 1.11161089f,
};

static const char families_w23[] =
    "lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.final_layernorm.weight 32;model.layers.[2].feed_f"
    "orward.down_proj.weight 32 40;model.layers.[2].feed_forward.gate_proj.weight 40 32;model.layers.[2].feed_for"
    "ward.up_proj.weight 40 32;model.layers.[2].input_layernorm.weight 32;model.layers.[2].mamba.A_log 4;model.la"
    "yers.[2].mamba.D 4;model.layers.[2].mamba.conv1d.bias 64;model.layers.[2].mamba.conv1d.weight 64 1 4;model.l"
    "ayers.[2].mamba.dt_bias 4;model.layers.[2].mamba.in_proj.weight 100 32;model.layers.[2].mamba.norm.weight 32"
    ";model.layers.[2].mamba.out_proj.weight 32 32;model.layers.[2].pre_ff_layernorm.weight 32;model.layers.[2].s"
    "elf_attn.k_proj.weight 16 32;model.layers.[2].self_attn.o_proj.weight 32 32;model.layers.[2].self_attn.q_pro"
    "j.weight 32 32;model.layers.[2].self_attn.v_proj.weight 16 32";

static const float families_y24[] = {
    -0.437514305f, -0.332695901f, -0.904532552f, 0.511041224f, 0.983564794f, 1.54759097f, 0.0868299603f, 0.184854791f,
    0.694672108f, 1.17711258f, 0.214383528f, -1.32249129f, 1.33328748f, -0.0684037507f, 0.591021776f, -0.53553611f,
    0.892098784f, -0.482501984f, -0.595107019f, -2.67325187f, 0.420937061f, -0.000335499644f, -0.459513962f,
    -0.109425142f, -1.05146515f, -1.03416324f, 2.01872897f, 1.04423463f, -0.43026039f, -1.01561081f, 3.18313408f,
    1.62490678f, -0.468331635f, 0.345719516f, 0.267694056f, -0.199754208f, 1.63352227f, 1.51851439f, -0.384752989f,
    1.11056995f, 0.217159122f, 0.204177648f, 1.61827898f, -0.416912913f, 1.25363386f, -0.600069463f, 0.334284484f,
    0.873174429f, 1.7697401f, -3.01490998f, -1.00964046f, -1.17667663f, 0.208365992f, -1.78885543f, 0.940396547f,
    -1.82912588f, 0.981729031f, 0.165927917f, -1.13958728f, 1.41096342f, -0.437527299f,
};

static const char families_w24[] =
    "lm_head.bias 61;lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.layers.[2].input_layernorm.weight"
    " 32;model.layers.0.mlp.down_proj.bias 32;model.layers.0.mlp.down_proj.weight 32 40;model.layers.0.mlp.gate_p"
    "roj.bias 40;model.layers.0.mlp.gate_proj.weight 40 32;model.layers.0.mlp.up_proj.bias 40;model.layers.0.mlp."
    "up_proj.weight 40 32;model.layers.[2].post_attention_layernorm.weight 32;model.layers.[2].self_attn.k_proj.b"
    "ias 16;model.layers.[2].self_attn.k_proj.weight 16 32;model.layers.[2].self_attn.o_proj.bias 32;model.layers"
    ".[2].self_attn.o_proj.weight 32 32;model.layers.[2].self_attn.q_proj.bias 32;model.layers.[2].self_attn.q_pr"
    "oj.weight 32 32;model.layers.[2].self_attn.v_proj.bias 16;model.layers.[2].self_attn.v_proj.weight 16 32;mod"
    "el.layers.1.mlp.experts.0.down_proj.weight 32 16;model.layers.1.mlp.experts.0.gate_proj.weight 16 32;model.l"
    "ayers.1.mlp.experts.0.up_proj.weight 16 32;model.layers.1.mlp.experts.1.down_proj.weight 32 16;model.layers."
    "1.mlp.experts.1.gate_proj.weight 16 32;model.layers.1.mlp.experts.1.up_proj.weight 16 32;model.layers.1.mlp."
    "experts.2.down_proj.weight 32 16;model.layers.1.mlp.experts.2.gate_proj.weight 16 32;model.layers.1.mlp.expe"
    "rts.2.up_proj.weight 16 32;model.layers.1.mlp.experts.3.down_proj.weight 32 16;model.layers.1.mlp.experts.3."
    "gate_proj.weight 16 32;model.layers.1.mlp.experts.3.up_proj.weight 16 32;model.layers.1.mlp.gate.weight 4 32"
    ";model.layers.1.mlp.moe_statics.e_score_correction_bias 1 4;model.layers.1.mlp.shared_experts.down_proj.bias"
    " 32;model.layers.1.mlp.shared_experts.down_proj.weight 32 32;model.layers.1.mlp.shared_experts.gate_proj.bia"
    "s 32;model.layers.1.mlp.shared_experts.gate_proj.weight 32 32;model.layers.1.mlp.shared_experts.up_proj.bias"
    " 32;model.layers.1.mlp.shared_experts.up_proj.weight 32 32;model.norm.weight 32";

static const float families_y25[] = {
    -0.419214517f, -1.51169288f, 0.278807819f, 1.10565662f, 0.960456967f, -0.014128617f, -0.28916502f, -0.510442734f,
    -1.42286396f, 0.542107165f, -0.522606492f, 0.18926093f, 0.383306146f, -0.435390353f, -0.433438867f, 1.65332139f,
    0.0568959191f, 1.63231838f, -1.87973654f, -0.229179099f, -1.46085787f, -2.4084177f, 0.525646448f, 2.78131342f,
    0.560560226f, 1.6257242f, 0.58759588f, 1.42588592f, -0.114932254f, -0.268341303f, 0.214460194f, -1.48659551f,
    -1.09605312f, -0.146435291f, -0.613567591f, -1.95295167f, 1.23212075f, -1.3244946f, -0.337422967f, -2.83599639f,
    1.12195337f, 0.975779355f, -0.381319225f, 0.320208102f, -1.71929693f, 0.342341334f, 0.912899077f, 1.2662673f,
    1.58675241f, 1.1732657f, -0.885983109f, 0.549510777f, -0.940591097f, 0.415925533f, 1.27205598f, 0.417068511f,
    -0.861530781f, 0.426657408f, 0.150455222f, 0.674026012f, 0.032193426f,
};

static const char families_w25[] =
    "lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.layers.[2].input_layernorm.weight 32;model.layers"
    ".0.mlp.down_proj.weight 32 40;model.layers.0.mlp.gate_proj.weight 40 32;model.layers.0.mlp.up_proj.weight 40"
    " 32;model.layers.[2].post_attention_layernorm.weight 32;model.layers.[2].self_attn.k_proj.weight 32 32;model"
    ".layers.[2].self_attn.o_proj.weight 32 64;model.layers.[2].self_attn.q_proj.weight 64 32;model.layers.[2].se"
    "lf_attn.v_proj.weight 32 32;model.layers.1.mlp.experts.0.down_proj.weight 32 16;model.layers.1.mlp.experts.0"
    ".gate_proj.weight 16 32;model.layers.1.mlp.experts.0.up_proj.weight 16 32;model.layers.1.mlp.experts.1.down_"
    "proj.weight 32 16;model.layers.1.mlp.experts.1.gate_proj.weight 16 32;model.layers.1.mlp.experts.1.up_proj.w"
    "eight 16 32;model.layers.1.mlp.experts.2.down_proj.weight 32 16;model.layers.1.mlp.experts.2.gate_proj.weigh"
    "t 16 32;model.layers.1.mlp.experts.2.up_proj.weight 16 32;model.layers.1.mlp.experts.3.down_proj.weight 32 1"
    "6;model.layers.1.mlp.experts.3.gate_proj.weight 16 32;model.layers.1.mlp.experts.3.up_proj.weight 16 32;mode"
    "l.layers.1.mlp.gate.e_score_correction_bias 4;model.layers.1.mlp.gate.weight 4 32;model.layers.1.mlp.shared_"
    "experts.down_proj.weight 32 16;model.layers.1.mlp.shared_experts.gate_proj.weight 16 32;model.layers.1.mlp.s"
    "hared_experts.up_proj.weight 16 32;model.norm.weight 32";

static const float families_y26[] = {
    0.277465284f, 0.676828146f, -2.03892112f, -0.481809825f, 0.548400402f, -0.0110584935f, -0.291330248f,
    0.821503758f, 2.15653086f, 0.127187416f, -0.851415813f, -1.52314091f, 0.66530782f, 0.100900926f, -1.26875269f,
    1.57450128f, 0.332664818f, -1.14573097f, -1.24700224f, 0.232657373f, -0.741709769f, 1.59683132f, 0.363991499f,
    0.546188831f, 0.336976886f, 1.71159041f, 1.46330881f, 1.6519798f, -0.674278498f, 0.127112284f, 1.81545258f,
    -0.00537458109f, 0.931171f, -1.27785945f, -0.133880436f, -1.18183315f, -0.862883806f, 1.85269582f, -1.68545139f,
    0.950649858f, -0.475442469f, -1.59361088f, 1.09334481f, -0.419870079f, -0.832144082f, 1.14768469f, -1.45764232f,
    1.26014531f, -0.54155761f, -0.394627333f, 0.339147955f, -0.104061037f, 0.594576359f, -0.716296077f, -0.876183629f,
    -1.72036386f, 1.28815734f, 2.82426453f, -0.818792999f, 1.60814428f, -0.957499504f,
};

static const float families_y27[] = {
    -1.62431169f, -0.320874453f, -0.0835035518f, 3.19211936f, -1.31481731f, 0.580798686f, -0.515257716f, 0.121460982f,
    0.23677516f, -0.605264664f, -0.936412334f, -0.278102487f, -1.48485827f, -1.22107959f, 1.80186129f, 0.182944953f,
    -0.449787736f, -0.0520427376f, -0.991364777f, -1.84220111f, 0.195759937f, -0.330707639f, -0.27499947f,
    1.59451509f, -0.576575637f, -1.03802121f, 1.72794747f, 0.426678389f, 0.281711906f, 1.21785343f, 1.55924702f,
    1.46772325f, 0.290239036f, -1.37476456f, -1.71699309f, -1.21129894f, 1.59840858f, -0.134013489f, 0.0447436869f,
    -1.83014393f, 0.229077294f, -0.755497634f, -0.489073664f, 1.18464303f, 0.0755530521f, -0.638245761f, -1.20878899f,
    -1.32459927f, 0.440159976f, -2.92222309f, -1.80494761f, -1.26785016f, 1.06427717f, -1.58338487f, 1.44124997f,
    -2.37863064f, 0.943802178f, 0.489227533f, -0.305567741f, 0.642570198f, -0.258500427f,
};

static const char families_w27[] =
    "lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.layers.[2].input_layernorm.weight 32;model.layers"
    ".[2].mlp.experts.down_proj 4 40 32;model.layers.[2].mlp.experts.down_proj_bias 4 32;model.layers.[2].mlp.exp"
    "erts.gate_up_proj 4 32 80;model.layers.[2].mlp.experts.gate_up_proj_bias 4 80;model.layers.[2].mlp.router.bi"
    "as 4;model.layers.[2].mlp.router.weight 4 32;model.layers.[2].post_attention_layernorm.weight 32;model.layer"
    "s.[2].self_attn.k_proj.weight 16 32;model.layers.[2].self_attn.o_proj.weight 32 32;model.layers.[2].self_att"
    "n.q_proj.weight 32 32;model.layers.[2].self_attn.sinks 4;model.layers.[2].self_attn.v_proj.weight 16 32;mode"
    "l.norm.weight 32";

static const float families_y28[] = {
    -0.247850597f, -1.33793509f, -0.374003857f, -1.07245624f, -0.780849278f, -0.391332507f, -0.753942609f,
    0.237255469f, 0.805403113f, -0.270142704f, -0.883157611f, -1.21803284f, -0.365722328f, -0.069606334f,
    0.986449599f, 0.352016926f, -1.13393033f, -0.601030946f, 1.36179268f, -0.4486655f, -0.418208629f, 0.561142743f,
    -0.386876822f, 0.519118488f, 0.596002519f, 0.247562319f, -1.35282779f, 0.162376314f, 2.64012194f, -1.15251243f,
    1.54061234f, -1.54605782f, -0.147037536f, 0.568513155f, 0.806421101f, 3.44810295f, 0.96050328f, 1.01329565f,
    0.341071427f, 2.16006088f, 1.108881f, 1.63510561f, 0.534070015f, 0.609485269f, 0.692790985f, -1.35163105f,
    -2.09605622f, -1.7549715f, 0.634864211f, -0.10661611f, -1.04456031f, 2.66843462f, -1.71422338f, 0.858138502f,
    -0.454553127f, 0.327039659f, -0.563598216f, -0.354718417f, -1.29716885f, 1.59157753f, 0.170299366f,
};

static const char families_w28[] =
    "lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.layers.[2].input_layernorm.weight 32;model.layers"
    ".[2].mlp.down_proj.bias 32;model.layers.[2].mlp.down_proj.weight 32 40;model.layers.[2].mlp.up_proj.bias 40;"
    "model.layers.[2].mlp.up_proj.weight 40 32;model.layers.[2].post_attention_layernorm.weight 32;model.layers.["
    "2].self_attn.k_proj.weight 16 32;model.layers.[2].self_attn.o_proj.weight 32 32;model.layers.[2].self_attn.q"
    "_proj.weight 32 32;model.layers.[2].self_attn.v_proj.weight 16 32;model.norm.weight 32";

static const float families_y29[] = {
    0.477511942f, -0.742225945f, 0.275294155f, 0.564868152f, 1.43839395f, -0.714579761f, -0.854962051f, 0.519025624f,
    -1.54450274f, 0.442914993f, 0.305471152f, 0.971918583f, -0.540393174f, -1.07724679f, -0.331233233f, 1.46626759f,
    0.153564274f, 1.21446788f, -2.04228783f, -0.176982999f, -0.770807207f, -1.8600049f, 0.557092667f, 1.91775703f,
    0.765053749f, 0.916297078f, 0.209320173f, 0.676538944f, -0.481088251f, 0.596139789f, 0.667627513f, -1.44371927f,
    -1.0398891f, 0.676958621f, 0.0220598225f, -1.76304591f, 0.861875713f, -1.06352031f, 1.36080122f, -2.76189518f,
    0.822892845f, 0.271569043f, -0.190978304f, 0.219369367f, -1.72654784f, -1.35543942f, 1.34507298f, 1.44042349f,
    2.41371179f, -0.0255794395f, -1.46257639f, 0.707570493f, 0.711859703f, 0.439483941f, 0.708464146f, -0.381648988f,
    -0.369807184f, 0.159668639f, -0.626851022f, 0.937982082f, -0.0859051868f,
};

static const char families_w29[] =
    "lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.layers.[2].input_layernorm.weight 32;model.layers"
    ".0.mlp.down_proj.weight 32 40;model.layers.0.mlp.gate_proj.weight 40 32;model.layers.0.mlp.up_proj.weight 40"
    " 32;model.layers.[2].post_attention_layernorm.weight 32;model.layers.[2].self_attn.k_norm.weight 16;model.la"
    "yers.[2].self_attn.k_proj.weight 32 32;model.layers.[2].self_attn.o_proj.weight 32 64;model.layers.[2].self_"
    "attn.q_norm.weight 16;model.layers.[2].self_attn.q_proj.weight 64 32;model.layers.[2].self_attn.v_proj.weigh"
    "t 32 32;model.layers.1.mlp.experts.0.down_proj.weight 32 16;model.layers.1.mlp.experts.0.gate_proj.weight 16"
    " 32;model.layers.1.mlp.experts.0.up_proj.weight 16 32;model.layers.1.mlp.experts.1.down_proj.weight 32 16;mo"
    "del.layers.1.mlp.experts.1.gate_proj.weight 16 32;model.layers.1.mlp.experts.1.up_proj.weight 16 32;model.la"
    "yers.1.mlp.experts.2.down_proj.weight 32 16;model.layers.1.mlp.experts.2.gate_proj.weight 16 32;model.layers"
    ".1.mlp.experts.2.up_proj.weight 16 32;model.layers.1.mlp.experts.3.down_proj.weight 32 16;model.layers.1.mlp"
    ".experts.3.gate_proj.weight 16 32;model.layers.1.mlp.experts.3.up_proj.weight 16 32;model.layers.1.mlp.gate."
    "e_score_correction_bias 4;model.layers.1.mlp.gate.weight 4 32;model.layers.1.mlp.shared_experts.down_proj.we"
    "ight 32 16;model.layers.1.mlp.shared_experts.gate_proj.weight 16 32;model.layers.1.mlp.shared_experts.up_pro"
    "j.weight 16 32;model.norm.weight 32";

static const float families_y30[] = {
    -0.501983225f, -0.764365137f, -0.263832599f, 0.958290994f, 1.99204922f, 0.496795118f, 0.737381697f, 0.42721048f,
    0.67131573f, -0.0325351655f, -1.2259407f, -1.01645994f, 0.262877733f, 0.607567251f, -2.47569084f, 1.8596642f,
    0.44946301f, -0.694689155f, -1.58995378f, 1.31366146f, -0.600165904f, -0.453550309f, 0.67877686f, 0.670673192f,
    -1.68675673f, -0.121879861f, 0.890009046f, 0.138020977f, 1.97077739f, 0.0794547051f, 2.02858877f, 0.0547197238f,
    -0.109139606f, 1.44711447f, 0.809452176f, -0.392356187f, 1.6863184f, 2.04572058f, 0.725787759f, -1.71228325f,
    -0.700412631f, 1.28387725f, 2.52358246f, 0.985823333f, -1.17993581f, -1.05423856f, -1.49246669f, -1.8547982f,
    2.27624345f, -0.818519056f, -2.73659825f, 0.0819390342f, 0.370077133f, 0.673023343f, -0.95088625f, -1.95191824f,
    -1.00172698f, 0.468248814f, -0.23905991f, -0.550949454f, -0.744900286f,
};

static const char families_w30[] =
    "lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.layers.[2].input_layernorm.weight 32;model.layers"
    ".[2].mlp.experts.0.down_proj.weight 32 40;model.layers.[2].mlp.experts.0.gate_proj.weight 40 32;model.layers"
    ".[2].mlp.experts.0.up_proj.weight 40 32;model.layers.[2].mlp.experts.1.down_proj.weight 32 40;model.layers.["
    "2].mlp.experts.1.gate_proj.weight 40 32;model.layers.[2].mlp.experts.1.up_proj.weight 40 32;model.layers.[2]"
    ".mlp.experts.2.down_proj.weight 32 40;model.layers.[2].mlp.experts.2.gate_proj.weight 40 32;model.layers.[2]"
    ".mlp.experts.2.up_proj.weight 40 32;model.layers.[2].mlp.experts.3.down_proj.weight 32 40;model.layers.[2].m"
    "lp.experts.3.gate_proj.weight 40 32;model.layers.[2].mlp.experts.3.up_proj.weight 40 32;model.layers.[2].mlp"
    ".gate.wg.weight 4 32;model.layers.[2].mlp.shared_mlp.down_proj.weight 32 40;model.layers.[2].mlp.shared_mlp."
    "gate_proj.weight 40 32;model.layers.[2].mlp.shared_mlp.up_proj.weight 40 32;model.layers.[2].post_attention_"
    "layernorm.weight 32;model.layers.[2].self_attn.k_proj.weight 16 32;model.layers.[2].self_attn.key_layernorm."
    "weight 8;model.layers.[2].self_attn.o_proj.weight 32 32;model.layers.[2].self_attn.q_proj.weight 32 32;model"
    ".layers.[2].self_attn.query_layernorm.weight 8;model.layers.[2].self_attn.v_proj.weight 16 32;model.norm.wei"
    "ght 32";

static const float families_y31[] = {
    -0.677886546f, 1.35952187f, -1.35856938f, 0.681618214f, 0.272979021f, 0.541943729f, -0.362330049f, -0.316800058f,
    2.79678416f, -1.73931706f, -0.661895156f, -1.39043987f, 1.75446379f, 1.67057586f, 2.3646431f, -1.79476476f,
    -0.768158317f, -3.04249525f, 1.9149406f, -0.0625781268f, -1.23804247f, 0.877456307f, -2.92780256f, 0.546338141f,
    -0.114767879f, 0.00988711417f, 0.478063166f, -0.311387569f, -0.936653376f, -0.730886281f, 0.8890782f,
    0.679504216f, 1.58590972f, -0.881669343f, -0.948079586f, 1.74353206f, -1.91334474f, 1.03316677f, -0.822951913f,
    2.08743286f, 0.472350836f, 0.630427778f, -0.36796996f, -0.656387389f, 2.07404685f, 1.73316371f, 2.23562551f,
    1.52829981f, -0.546039045f, -0.896583796f, 1.90760112f, -2.1478312f, -1.04722953f, -0.172273591f, -1.442711f,
    -0.0233483501f, 0.247178048f, 1.01625872f, 0.128687188f, -0.355581105f, -0.033937227f,
};

static const float families_y32[] = {
    0.447360516f, -0.00418290682f, -1.63677871f, -0.687857389f, 0.808533609f, 1.03065884f, 0.338278621f, 0.577644527f,
    2.06594062f, -0.973069251f, -2.44643784f, -1.58515716f, -0.782698154f, 2.49087334f, 0.194316134f, 0.342717111f,
    0.18015556f, -2.36981606f, -0.121788315f, 0.133920461f, 0.0890299082f, 1.00491846f, -0.833013833f, -0.393524289f,
    -0.783166111f, -1.1353085f, 2.34023476f, -1.23386431f, 0.817180514f, -0.698875129f, 3.43556118f, 0.866695046f,
    2.54980755f, -0.120608866f, 0.224032402f, 2.32078838f, -0.137001082f, 1.43578017f, 0.440943509f, 1.93215406f,
    -1.13622653f, 0.0910305381f, 0.538440287f, -0.577195525f, 0.763035953f, 0.377585053f, -0.616822124f, -1.23531425f,
    -0.611895204f, -1.77921069f, -1.9198029f, -0.805040419f, -0.197089285f, -1.50966811f, -0.850804389f, -1.34327602f,
    0.403842837f, 0.648850381f, -0.176878408f, -0.0988555923f, 0.909840047f,
};

static const char families_w32[] =
    "lm_head.weight 61 32;model.embed_tokens.weight 61 32;model.layers.[2].mlp.experts.0.down_proj.weight 32 40;m"
    "odel.layers.[2].mlp.experts.0.gate_proj.weight 40 32;model.layers.[2].mlp.experts.0.up_proj.weight 40 32;mod"
    "el.layers.[2].mlp.experts.1.down_proj.weight 32 40;model.layers.[2].mlp.experts.1.gate_proj.weight 40 32;mod"
    "el.layers.[2].mlp.experts.1.up_proj.weight 40 32;model.layers.[2].mlp.experts.2.down_proj.weight 32 40;model"
    ".layers.[2].mlp.experts.2.gate_proj.weight 40 32;model.layers.[2].mlp.experts.2.up_proj.weight 40 32;model.l"
    "ayers.[2].mlp.experts.3.down_proj.weight 32 40;model.layers.[2].mlp.experts.3.gate_proj.weight 40 32;model.l"
    "ayers.[2].mlp.experts.3.up_proj.weight 40 32;model.layers.[2].mlp.gate.weight 4 32;model.layers.[2].post_att"
    "ention_layernorm.weight 32;model.layers.[2].post_feedforward_layernorm.weight 32;model.layers.[2].self_attn."
    "k_norm.weight 16;model.layers.[2].self_attn.k_proj.weight 16 32;model.layers.[2].self_attn.o_proj.weight 32 "
    "32;model.layers.[2].self_attn.q_norm.weight 32;model.layers.[2].self_attn.q_proj.weight 32 32;model.layers.["
    "2].self_attn.v_proj.weight 16 32;model.norm.weight 32";

static const float families_y33[] = {
    -0.231279045f, 0.348103434f, 0.182649329f, -0.121764258f, 0.500557661f, -0.0867313147f, 0.0629062131f,
    0.129641324f, 0.521867216f, 0.246199548f, 0.164549127f, -0.299586982f, 0.345475852f, 0.0940343738f, -0.569207549f,
    -0.00376247615f, -0.0256895274f, 0.650297284f, 0.0728933811f, 0.237410009f, 0.0845958292f, -0.172759175f,
    0.37030977f, -0.483434141f, -0.51475662f, 0.569774151f, 0.17286849f, -0.214262918f, 0.601804793f, 0.173307076f,
    -0.142101824f, -0.256848782f, -0.483872712f, 0.319221765f, 0.32451427f, 0.399824619f, -0.670110643f,
    -0.436869025f, -0.490700603f, 0.552587688f, -0.581367612f, 0.0116255879f, 0.294160128f, 0.176727802f, 0.12141028f,
    -0.264593422f, 0.251888335f, 0.113269046f, -0.0790418237f, 0.098422423f, -0.397965193f, 0.529361606f,
    -0.133806616f, 0.0766237676f, -0.0945403501f, 0.915182889f, -0.24040252f, 0.0406511351f, -0.152917698f,
    -0.38846156f, 0.270740509f,
};

static const char families_w33[] =
    "lm_head.bias 61;lm_head.weight 61 32;transformer.h.[2].attn.k_proj.weight 32 32;transformer.h.[2].attn.out_p"
    "roj.weight 32 32;transformer.h.[2].attn.q_proj.weight 32 32;transformer.h.[2].attn.v_proj.weight 32 32;trans"
    "former.h.[2].ln_1.bias 32;transformer.h.[2].ln_1.weight 32;transformer.h.[2].mlp.fc_in.bias 128;transformer."
    "h.[2].mlp.fc_in.weight 128 32;transformer.h.[2].mlp.fc_out.bias 32;transformer.h.[2].mlp.fc_out.weight 32 12"
    "8;transformer.ln_f.bias 32;transformer.ln_f.weight 32;transformer.wte.weight 61 32";

static const float families_y34[] = {
    0.360536456f, -0.951649189f, -1.22342896f, 1.86877811f, -1.04171908f, 0.696610034f, -0.542484105f, 0.0638054088f,
    0.177553669f, -0.827370882f, -1.60556638f, 0.756112397f, -0.766204596f, 1.23828042f, 1.01642823f, -0.240049437f,
    -0.401700854f, 0.0800932199f, -0.994128644f, -0.259441704f, 0.770941436f, 1.49360585f, 3.24511576f, -0.980053365f,
    0.133315906f, -1.25815105f, -0.0682429969f, 0.72314322f, -0.251886666f, 0.917167187f, -0.435241103f, -1.37468886f,
    -0.867268145f, 3.24584198f, 0.158264413f, -0.0192510355f, -0.254618108f, -0.0723471791f, -0.936873257f,
    -0.625699103f, -0.781436801f, 0.734919727f, -0.255082905f, 1.02822292f, -0.973117232f, 0.771176755f,
    -0.894273579f, -0.789146364f, 0.592664719f, 0.204338983f, 1.17980301f, -0.0264540836f, 0.536180913f,
    -0.695699751f, -0.242864892f, 0.29486227f, 0.551001012f, -0.490528226f, 0.318771988f, -0.603981853f,
    -0.103030697f,
};

static const char families_w34[] =
    "model.decoder.embed_positions.weight 130 32;model.decoder.embed_tokens.weight 61 32;model.decoder.final_laye"
    "r_norm.bias 32;model.decoder.final_layer_norm.weight 32;model.decoder.layers.[2].fc1.bias 40;model.decoder.l"
    "ayers.[2].fc1.weight 40 32;model.decoder.layers.[2].fc2.bias 32;model.decoder.layers.[2].fc2.weight 32 40;mo"
    "del.decoder.layers.[2].final_layer_norm.bias 32;model.decoder.layers.[2].final_layer_norm.weight 32;model.de"
    "coder.layers.[2].self_attn.k_proj.bias 32;model.decoder.layers.[2].self_attn.k_proj.weight 32 32;model.decod"
    "er.layers.[2].self_attn.out_proj.bias 32;model.decoder.layers.[2].self_attn.out_proj.weight 32 32;model.deco"
    "der.layers.[2].self_attn.q_proj.bias 32;model.decoder.layers.[2].self_attn.q_proj.weight 32 32;model.decoder"
    ".layers.[2].self_attn.v_proj.bias 32;model.decoder.layers.[2].self_attn.v_proj.weight 32 32;model.decoder.la"
    "yers.[2].self_attn_layer_norm.bias 32;model.decoder.layers.[2].self_attn_layer_norm.weight 32";

static const float families_y35[] = {
    -0.404715955f, 1.09892404f, 0.590406835f, -0.571521223f, 1.10083282f, -2.07335234f, -0.135372445f, 1.46185851f,
    -0.787494659f, 1.10508215f, 0.0197630655f, -0.752924442f, -0.796599746f, 0.471370965f, 0.074750118f, -0.67586565f,
    0.690486729f, -0.836576402f, -1.16084528f, 0.128080651f, -0.282799572f, -0.552810192f, 0.215139389f,
    -0.534060955f, 0.342517942f, -1.38304138f, 1.98965704f, -1.24693346f, -0.167322621f, -1.82345212f, 1.56740844f,
    -0.931209803f, 0.355101615f, 1.25043643f, -0.370807886f, 0.347944051f, 0.247791156f, 0.729126215f, 0.83820349f,
    -0.811943531f, -1.24538159f, 1.42118835f, 0.535381913f, -0.285263151f, 1.77499616f, -0.631369412f, 1.66302431f,
    1.86187661f, 2.58567905f, -2.55357504f, -0.905739069f, -1.99491048f, 1.00417399f, -1.0674752f, 1.54381919f,
    0.764331996f, 0.424752265f, -0.94429034f, 1.58859599f, -0.455847025f, 0.0231584795f,
};

static const char families_w35[] =
    "lm_head.weight 61 32;model.decoder.embed_positions.weight 130 32;model.decoder.embed_tokens.weight 61 32;mod"
    "el.decoder.final_layer_norm.bias 32;model.decoder.final_layer_norm.weight 32;model.decoder.layers.[2].fc1.we"
    "ight 40 32;model.decoder.layers.[2].fc2.weight 32 40;model.decoder.layers.[2].final_layer_norm.bias 32;model"
    ".decoder.layers.[2].final_layer_norm.weight 32;model.decoder.layers.[2].self_attn.k_proj.weight 32 32;model."
    "decoder.layers.[2].self_attn.out_proj.weight 32 32;model.decoder.layers.[2].self_attn.q_proj.weight 32 32;mo"
    "del.decoder.layers.[2].self_attn.v_proj.weight 32 32;model.decoder.layers.[2].self_attn_layer_norm.bias 32;m"
    "odel.decoder.layers.[2].self_attn_layer_norm.weight 32";

static const float families_y36[] = {
    -0.279967874f, -0.581490159f, -0.236847296f, -0.61947906f, 0.0271828473f, -0.430964917f, 0.498684317f,
    0.715364039f, 0.848810792f, 0.504877746f, 0.22002621f, -0.0408798829f, -0.400227815f, 0.322137266f, -0.219318956f,
    0.222595796f, -0.307360768f, 0.418447345f, 0.230926067f, 0.228677154f, 0.825151742f, -0.490800321f, 0.643036425f,
    0.0631451309f, -0.199184403f, -0.160600841f, -0.27543506f, -0.505349398f, 0.049912557f, -0.109281182f,
    -0.606700659f, -0.451225042f, -0.114242889f, 0.573663294f, -0.210998654f, -0.106563285f, -0.505239666f,
    -0.268721551f, -0.293524534f, 0.0911392495f, -0.468387097f, -0.309648007f, 0.267999351f, -0.380998015f,
    0.31709367f, 0.281440705f, -0.632376075f, -0.182489827f, 0.192739293f, 0.398244292f, -0.459570527f, 0.355965406f,
    -0.163116872f, -0.13448526f, -0.440813601f, -0.0600309037f, 0.173351899f, -0.273586124f, -0.00660093781f,
    -0.522220135f, -0.0257950108f,
};

static const char families_w36[] =
    "lm_head.weight 61 32;transformer.h.[2].input_layernorm.bias 32;transformer.h.[2].input_layernorm.weight 32;t"
    "ransformer.h.[2].mlp.dense_4h_to_h.weight 32 128;transformer.h.[2].mlp.dense_h_to_4h.weight 128 32;transform"
    "er.h.[2].self_attention.dense.weight 32 32;transformer.h.[2].self_attention.query_key_value.weight 48 32;tra"
    "nsformer.ln_f.bias 32;transformer.ln_f.weight 32;transformer.word_embeddings.weight 61 32";

static const float families_y37[] = {
    -0.189002097f, 0.624656677f, -0.182039827f, 0.792165935f, 0.138787434f, -0.349275321f, 0.448575795f,
    0.0692086369f, -0.120907024f, -0.336076081f, 0.610667646f, -0.472188592f, 0.440334588f, 0.189445928f,
    0.0314231999f, -0.0606081523f, 0.336645544f, -0.195539638f, -0.210677981f, -0.369383872f, -0.437770098f,
    -0.360555142f, -0.465433002f, -0.0885230377f, 0.093271099f, -0.697273552f, -0.498386204f, 0.289215535f,
    0.125660717f, 0.00670393044f, 0.280862778f, 0.549528837f, -0.343992472f, 0.290609419f, 0.00655398564f,
    0.258197516f, -0.620811641f, -0.769037664f, 0.254363924f, 0.199800447f, -0.22369647f, 0.0965623185f, 0.131811813f,
    -0.049482543f, -0.866256177f, -0.483111322f, 0.484511912f, -0.376061618f, 0.313591331f, -0.764328063f,
    0.439873576f, -0.105812997f, -0.27431348f, -0.097687237f, 0.133694693f, -0.00162292167f, 0.1698737f, 0.193983063f,
    0.0537720621f, -0.740543723f, 0.352716178f,
};

static const char families_w37[] =
    "transformer.h.[2].ln_attn.bias 32;transformer.h.[2].ln_attn.weight 32;transformer.h.[2].ln_mlp.bias 32;trans"
    "former.h.[2].ln_mlp.weight 32;transformer.h.[2].mlp.dense_4h_to_h.weight 32 128;transformer.h.[2].mlp.dense_"
    "h_to_4h.weight 128 32;transformer.h.[2].self_attention.dense.weight 32 32;transformer.h.[2].self_attention.q"
    "uery_key_value.weight 64 32;transformer.ln_f.bias 32;transformer.ln_f.weight 32;transformer.word_embeddings."
    "weight 61 32";

static const float families_y38[] = {
    0.0219533425f, 0.0970364213f, 0.100280464f, -0.888724148f, -6.91659852e-06f, -0.343749523f, 0.398412079f,
    0.724261582f, 0.374426574f, 0.232908458f, -0.253284842f, 0.0505514964f, -0.820713937f, 0.641276777f, 0.169467986f,
    -0.503907382f, 0.199606344f, -0.385521859f, 0.409268796f, 0.628042161f, 0.450275093f, -0.619530201f, 0.584162593f,
    0.333010644f, 0.251336783f, -0.259585291f, -0.405752927f, -0.740499437f, 0.102530204f, -0.678985536f,
    0.232651547f, -0.591576755f, 0.0869933516f, 0.367668808f, -0.621967733f, -0.14105317f, -0.314647913f,
    0.413308769f, 0.168264568f, 0.53717339f, -0.514544725f, -0.488101542f, 0.128169954f, -0.00939178653f, 0.62678647f,
    0.391880482f, -0.303891629f, 0.12637195f, 0.144060403f, 0.446739048f, -0.273752868f, -0.0914461613f,
    0.0444141626f, -0.53619504f, 0.412753224f, -0.65007472f, -0.147488102f, -0.293441027f, -0.452973664f,
    -0.206313103f, -0.146322668f,
};

static const char families_w38[] =
    "lm_head.weight 61 32;transformer.h.[2].input_layernorm.bias 32;transformer.h.[2].input_layernorm.weight 32;t"
    "ransformer.h.[2].mlp.dense_4h_to_h.weight 32 48;transformer.h.[2].mlp.dense_h_to_4h.weight 48 32;transformer"
    ".h.[2].self_attention.dense.weight 32 32;transformer.h.[2].self_attention.query_key_value.weight 64 32;trans"
    "former.ln_f.bias 32;transformer.ln_f.weight 32;transformer.word_embeddings.weight 61 32";

static const float families_y39[] = {
    -0.468516648f, -0.619029462f, -0.245669395f, -0.202126414f, -0.0510465689f, 0.00802048389f, 0.37748307f,
    0.0679879785f, 0.577278674f, 0.672702372f, 0.234711885f, -0.0268960409f, 0.0460875109f, 0.14296335f, 0.352102041f,
    0.0818379372f, -0.448177725f, 0.0462182611f, 0.632944107f, 0.10305395f, 0.719569385f, -0.340427905f, 0.79655844f,
    0.0349456035f, 0.067927137f, -0.0131250704f, -0.700435877f, -0.483084768f, 0.260823011f, 0.0939855352f,
    -0.717254937f, -0.444696963f, -0.384270787f, -0.0799694061f, -0.0836516917f, -0.224000722f, -0.607063174f,
    -0.344609588f, -0.537892759f, 0.161138162f, -0.320507497f, -0.375784844f, -0.194663718f, -0.3402071f,
    0.0937841907f, 0.617615819f, -0.0259237364f, 0.328147352f, 0.193565413f, 0.541382849f, 0.0546008348f,
    0.266268432f, -0.284726739f, -0.352853507f, -0.212049097f, 0.148852408f, -0.0937179253f, -0.289427102f,
    -0.0291735269f, -0.321544498f, -0.123454504f,
};

static const char families_w39[] =
    "lm_head.weight 61 32;transformer.h.[2].input_layernorm.bias 32;transformer.h.[2].input_layernorm.weight 32;t"
    "ransformer.h.[2].mlp.dense_4h_to_h.bias 32;transformer.h.[2].mlp.dense_4h_to_h.weight 32 128;transformer.h.["
    "2].mlp.dense_h_to_4h.bias 128;transformer.h.[2].mlp.dense_h_to_4h.weight 128 32;transformer.h.[2].post_atten"
    "tion_layernorm.bias 32;transformer.h.[2].post_attention_layernorm.weight 32;transformer.h.[2].self_attention"
    ".dense.bias 32;transformer.h.[2].self_attention.dense.weight 32 32;transformer.h.[2].self_attention.query_ke"
    "y_value.bias 96;transformer.h.[2].self_attention.query_key_value.weight 96 32;transformer.ln_f.bias 32;trans"
    "former.ln_f.weight 32;transformer.word_embeddings.weight 61 32";

static const struct { const char *name, *config, *tensors; const float *logits; int n; } families[] = {
    {"llama: defaults of llama",
     "{\"attention_bias\":false,\"bos_token_id\":1,\"eos_token_id\":2,\"head_dim\":8,\"hidden_act\":\"silu\",\"hi"
     "dden_size\":32,\"intermediate_size\":40,\"max_position_embeddings\":128,\"mlp_bias\":false,\"model_type\":"
     "\"llama\",\"num_attention_heads\":4,\"num_hidden_layers\":2,\"num_key_value_heads\":2,\"pad_token_id\":0,\""
     "pretraining_tp\":1,\"vocab_size\":61}",
     families_w0, families_y0, 61},
    {"llama: relu",
     "{\"attention_bias\":false,\"bos_token_id\":1,\"eos_token_id\":2,\"head_dim\":8,\"hidden_act\":\"relu\",\"hi"
     "dden_size\":32,\"intermediate_size\":40,\"max_position_embeddings\":128,\"mlp_bias\":true,\"model_type\":\""
     "llama\",\"num_attention_heads\":4,\"num_hidden_layers\":2,\"num_key_value_heads\":2,\"pad_token_id\":0,\"pr"
     "etraining_tp\":1,\"rms_norm_eps\":1e-06,\"rope_parameters\":{\"rope_theta\":10000.0,\"rope_type\":\"default"
     "\"},\"tie_word_embeddings\":false,\"vocab_size\":61}",
     families_w1, families_y1, 61},
    {"llama: quick gelu",
     "{\"attention_bias\":false,\"bos_token_id\":1,\"eos_token_id\":2,\"head_dim\":8,\"hidden_act\":\"quick_gelu"
     "\",\"hidden_size\":32,\"intermediate_size\":40,\"max_position_embeddings\":128,\"mlp_bias\":false,\"model_t"
     "ype\":\"llama\",\"num_attention_heads\":4,\"num_hidden_layers\":2,\"num_key_value_heads\":2,\"pad_token_id"
     "\":0,\"pretraining_tp\":1,\"rms_norm_eps\":1e-06,\"rope_parameters\":{\"rope_theta\":10000.0,\"rope_type\":"
     "\"default\"},\"tie_word_embeddings\":false,\"vocab_size\":61}",
     families_w0, families_y2, 61},
    {"llama: longrope of llama",
     "{\"attention_bias\":false,\"bos_token_id\":1,\"eos_token_id\":2,\"head_dim\":8,\"hidden_act\":\"silu\",\"hi"
     "dden_size\":32,\"intermediate_size\":40,\"max_position_embeddings\":128,\"mlp_bias\":false,\"model_type\":"
     "\"llama\",\"num_attention_heads\":4,\"num_hidden_layers\":2,\"num_key_value_heads\":2,\"pad_token_id\":0,\""
     "pretraining_tp\":1,\"rms_norm_eps\":1e-06,\"rope_parameters\":{\"long_factor\":[1.0,2.5,4.0,9.0],\"original"
     "_max_position_embeddings\":16,\"rope_theta\":10000.0,\"rope_type\":\"longrope\",\"short_factor\":[1.0,1.2,1"
     ".4,1.6]},\"tie_word_embeddings\":false,\"vocab_size\":61}",
     families_w0, families_y3, 61},
    {"phi3: longrope with windows",
     "{\"bos_token_id\":1,\"embd_pdrop\":0.0,\"eos_token_id\":2,\"hidden_act\":\"silu\",\"hidden_size\":32,\"inte"
     "rmediate_size\":40,\"max_position_embeddings\":128,\"model_type\":\"phi3\",\"num_attention_heads\":4,\"num_"
     "hidden_layers\":2,\"num_key_value_heads\":2,\"original_max_position_embeddings\":16,\"pad_token_id\":0,\"re"
     "sid_pdrop\":0.0,\"rms_norm_eps\":1e-05,\"rope_parameters\":{\"long_factor\":[1.0,2.5,4.0,9.0],\"original_ma"
     "x_position_embeddings\":16,\"partial_rotary_factor\":1.0,\"rope_theta\":10000.0,\"rope_type\":\"longrope\","
     "\"short_factor\":[1.0,1.2,1.4,1.6]},\"sliding_window\":9,\"tie_word_embeddings\":false,\"vocab_size\":61}",
     families_w4, families_y4, 61},
    {"mistral: dynamic with windows",
     "{\"bos_token_id\":1,\"eos_token_id\":2,\"head_dim\":8,\"hidden_act\":\"silu\",\"hidden_size\":32,\"intermed"
     "iate_size\":40,\"max_position_embeddings\":24,\"model_type\":\"mistral\",\"num_attention_heads\":4,\"num_hi"
     "dden_layers\":2,\"num_key_value_heads\":2,\"pad_token_id\":0,\"rms_norm_eps\":1e-06,\"rope_parameters\":{\""
     "factor\":2.0,\"rope_theta\":10000.0,\"rope_type\":\"dynamic\"},\"sliding_window\":9,\"tie_word_embeddings\""
     ":false,\"vocab_size\":61}",
     families_w0, families_y5, 61},
    {"mixtral: defaults of mixtral",
     "{\"bos_token_id\":1,\"eos_token_id\":2,\"head_dim\":null,\"hidden_act\":\"silu\",\"hidden_size\":32,\"inter"
     "mediate_size\":40,\"max_position_embeddings\":128,\"model_type\":\"mixtral\",\"num_attention_heads\":4,\"nu"
     "m_hidden_layers\":2,\"num_key_value_heads\":2,\"output_router_logits\":false,\"pad_token_id\":0,\"rope_para"
     "meters\":{\"rope_theta\":1000000.0,\"rope_type\":\"default\"},\"router_aux_loss_coef\":0.001,\"router_jitte"
     "r_noise\":0.0,\"sliding_window\":null,\"tie_word_embeddings\":false,\"vocab_size\":61}",
     families_w6, families_y6, 61},
    {"qwen2_moe: no bias",
     "{\"bos_token_id\":1,\"decoder_sparse_step\":1,\"eos_token_id\":2,\"hidden_act\":\"silu\",\"hidden_size\":32"
     ",\"intermediate_size\":40,\"layer_types\":[\"full_attention\",\"full_attention\"],\"max_position_embeddings"
     "\":128,\"max_window_layers\":28,\"mlp_only_layers\":[],\"model_type\":\"qwen2_moe\",\"moe_intermediate_size"
     "\":16,\"norm_topk_prob\":true,\"num_attention_heads\":4,\"num_experts\":4,\"num_experts_per_tok\":2,\"num_h"
     "idden_layers\":2,\"num_key_value_heads\":2,\"output_router_logits\":false,\"pad_token_id\":0,\"qkv_bias\":f"
     "alse,\"rope_parameters\":{\"rope_theta\":10000.0,\"rope_type\":\"default\"},\"router_aux_loss_coef\":0.001,"
     "\"shared_expert_intermediate_size\":24,\"sliding_window\":0,\"tie_word_embeddings\":false,\"use_sliding_win"
     "dow\":false,\"vocab_size\":61}",
     families_w7, families_y7, 61},
    {"qwen3_5_text: bias of gated queries",
     "{\"attention_bias\":true,\"bos_token_id\":1,\"eos_token_id\":2,\"head_dim\":16,\"hidden_act\":\"silu\",\"hi"
     "dden_size\":32,\"intermediate_size\":40,\"layer_types\":[\"linear_attention\",\"full_attention\"],\"linear_"
     "conv_kernel_dim\":4,\"linear_key_head_dim\":8,\"linear_num_key_heads\":2,\"linear_num_value_heads\":4,\"lin"
     "ear_value_head_dim\":8,\"max_position_embeddings\":128,\"model_type\":\"qwen3_5_text\",\"num_attention_head"
     "s\":4,\"num_hidden_layers\":2,\"num_key_value_heads\":2,\"pad_token_id\":0,\"rms_norm_eps\":1e-06,\"rope_pa"
     "rameters\":{\"partial_rotary_factor\":0.25,\"rope_theta\":10000.0,\"rope_type\":\"default\"},\"tie_word_emb"
     "eddings\":false,\"vocab_size\":61}",
     families_w8, families_y8, 61},
    {"phi: norms with bias",
     "{\"bos_token_id\":1,\"embd_pdrop\":0.0,\"eos_token_id\":2,\"hidden_act\":\"gelu_new\",\"hidden_size\":32,\""
     "intermediate_size\":40,\"max_position_embeddings\":128,\"model_type\":\"phi\",\"num_attention_heads\":4,\"n"
     "um_hidden_layers\":2,\"num_key_value_heads\":2,\"pad_token_id\":0,\"qk_layernorm\":true,\"resid_pdrop\":0.0"
     ",\"rope_parameters\":{\"partial_rotary_factor\":0.5,\"rope_theta\":10000.0,\"rope_type\":\"default\"},\"tie"
     "_word_embeddings\":false,\"vocab_size\":61}",
     families_w9, families_y9, 61},
    {"gpt2: scores by layer",
     "{\"activation_function\":\"gelu_new\",\"add_cross_attention\":false,\"attn_pdrop\":0.1,\"bos_token_id\":1,"
     "\"embd_pdrop\":0.1,\"eos_token_id\":2,\"layer_norm_epsilon\":1e-05,\"model_type\":\"gpt2\",\"n_embd\":32,\""
     "n_head\":4,\"n_inner\":null,\"n_layer\":3,\"n_positions\":64,\"pad_token_id\":0,\"reorder_and_upcast_attn\""
     ":false,\"resid_pdrop\":0.1,\"scale_attn_by_inverse_layer_idx\":true,\"scale_attn_weights\":true,\"summary_a"
     "ctivation\":null,\"summary_first_dropout\":0.1,\"summary_proj_to_labels\":true,\"summary_type\":\"cls_index"
     "\",\"summary_use_proj\":true,\"tie_word_embeddings\":false,\"vocab_size\":61}",
     families_w10, families_y10, 61},
    {"exaone4: windows told, none there",
     "{\"bos_token_id\":1,\"eos_token_id\":2,\"hidden_act\":\"silu\",\"hidden_size\":32,\"intermediate_size\":40,"
     "\"layer_types\":[\"full_attention\",\"full_attention\"],\"max_position_embeddings\":128,\"model_type\":\"ex"
     "aone4\",\"num_attention_heads\":4,\"num_hidden_layers\":2,\"num_key_value_heads\":2,\"pad_token_id\":0,\"rm"
     "s_norm_eps\":1e-05,\"rope_parameters\":{\"rope_theta\":10000.0,\"rope_type\":\"default\"},\"sliding_window"
     "\":9,\"sliding_window_pattern\":4,\"tie_word_embeddings\":false,\"vocab_size\":61}",
     families_w11, families_y11, 61},
    {"exaone4: no windows",
     "{\"bos_token_id\":1,\"eos_token_id\":2,\"hidden_act\":\"silu\",\"hidden_size\":32,\"intermediate_size\":40,"
     "\"layer_types\":[\"full_attention\",\"full_attention\"],\"max_position_embeddings\":128,\"model_type\":\"ex"
     "aone4\",\"num_attention_heads\":4,\"num_hidden_layers\":2,\"num_key_value_heads\":2,\"pad_token_id\":0,\"rm"
     "s_norm_eps\":1e-05,\"rope_parameters\":{\"rope_theta\":10000.0,\"rope_type\":\"default\"},\"sliding_window"
     "\":null,\"sliding_window_pattern\":0,\"tie_word_embeddings\":false,\"vocab_size\":61}",
     families_w11, families_y12, 61},
    {"gemma3_text: both bases alike",
     "{\"_sliding_window_pattern\":6,\"attention_bias\":false,\"attn_logit_softcapping\":null,\"bos_token_id\":1,"
     "\"eos_token_id\":2,\"final_logit_softcapping\":null,\"head_dim\":16,\"hidden_activation\":\"gelu_pytorch_ta"
     "nh\",\"hidden_size\":32,\"intermediate_size\":40,\"layer_types\":[\"sliding_attention\",\"full_attention\"]"
     ",\"max_position_embeddings\":128,\"model_type\":\"gemma3_text\",\"num_attention_heads\":4,\"num_hidden_laye"
     "rs\":2,\"num_key_value_heads\":2,\"pad_token_id\":0,\"query_pre_attn_scalar\":16,\"rms_norm_eps\":1e-06,\"r"
     "ope_parameters\":{\"full_attention\":{\"rope_theta\":1000.0,\"rope_type\":\"default\"},\"sliding_attention"
     "\":{\"rope_theta\":1000.0,\"rope_type\":\"default\"}},\"sliding_window\":9,\"tie_word_embeddings\":false,\""
     "use_bidirectional_attention\":false,\"vocab_size\":61}",
     families_w13, families_y13, 61},
    {"gemma4_text: sizes of layers",
     "{\"attention_bias\":false,\"attention_k_eq_v\":true,\"bos_token_id\":1,\"enable_moe_block\":false,\"eos_tok"
     "en_id\":2,\"final_logit_softcapping\":null,\"head_dim\":8,\"hidden_activation\":\"gelu_pytorch_tanh\",\"hid"
     "den_size\":32,\"hidden_size_per_layer_input\":0,\"intermediate_size\":40,\"layer_types\":[\"sliding_attenti"
     "on\",\"full_attention\",\"sliding_attention\",\"full_attention\"],\"max_position_embeddings\":128,\"model_t"
     "ype\":\"gemma4_text\",\"moe_intermediate_size\":null,\"num_attention_heads\":4,\"num_experts\":null,\"num_h"
     "idden_layers\":4,\"num_key_value_heads\":2,\"num_kv_shared_layers\":0,\"pad_token_id\":0,\"per_layer_config"
     "\":{\"1\":{\"head_dim\":16,\"num_key_value_heads\":1},\"3\":{\"head_dim\":16,\"num_key_value_heads\":1}},\""
     "rms_norm_eps\":1e-06,\"rope_parameters\":{\"full_attention\":{\"partial_rotary_factor\":0.25,\"rope_theta\""
     ":1000000.0,\"rope_type\":\"proportional\"},\"sliding_attention\":{\"rope_theta\":10000.0,\"rope_type\":\"de"
     "fault\"}},\"sliding_window\":9,\"tie_word_embeddings\":false,\"top_k_experts\":null,\"use_bidirectional_att"
     "ention\":null,\"use_double_wide_mlp\":false,\"vocab_size\":61,\"vocab_size_per_layer_input\":262144}",
     families_w14, families_y14, 61},
    {"gemma3n_text: half of the gates",
     "{\"activation_sparsity_pattern\":[0.5,0.0,0.5],\"altup_active_idx\":0,\"altup_coef_clip\":120.0,\"altup_cor"
     "rect_scale\":false,\"altup_num_inputs\":2,\"attention_bias\":false,\"bos_token_id\":1,\"eos_token_id\":2,\""
     "final_logit_softcapping\":30.0,\"head_dim\":8,\"hidden_activation\":\"gelu_pytorch_tanh\",\"hidden_size\":3"
     "2,\"hidden_size_per_layer_input\":8,\"intermediate_size\":[40,40,40],\"laurel_rank\":4,\"layer_types\":[\"s"
     "liding_attention\",\"full_attention\",\"sliding_attention\"],\"max_position_embeddings\":128,\"model_type\""
     ":\"gemma3n_text\",\"num_attention_heads\":4,\"num_hidden_layers\":3,\"num_key_value_heads\":2,\"num_kv_shar"
     "ed_layers\":1,\"pad_token_id\":0,\"rms_norm_eps\":1e-06,\"rope_parameters\":{\"full_attention\":{\"rope_the"
     "ta\":1000000.0,\"rope_type\":\"default\"},\"sliding_attention\":{\"rope_theta\":10000.0,\"rope_type\":\"def"
     "ault\"}},\"sliding_window\":9,\"tie_word_embeddings\":false,\"vocab_size\":61,\"vocab_size_per_layer_input"
     "\":61}",
     families_w15, families_y15, 61},
    {"deepseek_v2: biases of MLA",
     "{\"attention_bias\":true,\"bos_token_id\":1,\"eos_token_id\":2,\"first_k_dense_replace\":1,\"head_dim\":8,"
     "\"hidden_act\":\"silu\",\"hidden_size\":32,\"intermediate_size\":40,\"kv_lora_rank\":12,\"max_position_embe"
     "ddings\":128,\"mlp_bias\":false,\"model_type\":\"deepseek_v2\",\"moe_intermediate_size\":16,\"n_group\":nul"
     "l,\"n_routed_experts\":4,\"norm_topk_prob\":false,\"num_attention_heads\":4,\"num_experts_per_tok\":2,\"num"
     "_hidden_layers\":2,\"num_key_value_heads\":4,\"output_router_logits\":false,\"pad_token_id\":0,\"pretrainin"
     "g_tp\":1,\"q_lora_rank\":12,\"qk_head_dim\":16,\"qk_nope_head_dim\":8,\"qk_rope_head_dim\":8,\"rope_paramet"
     "ers\":{\"rope_theta\":10000.0,\"rope_type\":\"default\"},\"routed_scaling_factor\":1.0,\"tie_word_embedding"
     "s\":false,\"topk_group\":null,\"v_head_dim\":8,\"vocab_size\":61}",
     families_w16, families_y16, 61},
    {"deepseek_v3: halves of MLA",
     "{\"attention_bias\":false,\"bos_token_id\":1,\"eos_token_id\":2,\"first_k_dense_replace\":1,\"head_dim\":8,"
     "\"hidden_act\":\"silu\",\"hidden_size\":32,\"intermediate_size\":40,\"kv_lora_rank\":12,\"max_position_embe"
     "ddings\":128,\"model_type\":\"deepseek_v3\",\"moe_intermediate_size\":16,\"n_group\":2,\"n_routed_experts\""
     ":4,\"norm_topk_prob\":true,\"num_attention_heads\":4,\"num_experts_per_tok\":2,\"num_hidden_layers\":2,\"nu"
     "m_key_value_heads\":4,\"num_nextn_predict_layers\":1,\"output_router_logits\":false,\"pad_token_id\":0,\"pr"
     "etraining_tp\":1,\"q_lora_rank\":null,\"qk_head_dim\":16,\"qk_nope_head_dim\":8,\"qk_rope_head_dim\":8,\"rm"
     "s_norm_eps\":1e-06,\"rope_interleave\":false,\"rope_parameters\":{\"rope_theta\":10000.0,\"rope_type\":\"de"
     "fault\"},\"routed_scaling_factor\":2.5,\"tie_word_embeddings\":false,\"topk_group\":1,\"v_head_dim\":8,\"vo"
     "cab_size\":61}",
     families_w17, families_y17, 61},
    {"mamba: biases of mamba",
     "{\"bos_token_id\":1,\"conv_kernel\":4,\"eos_token_id\":2,\"hidden_act\":\"silu\",\"hidden_size\":32,\"inter"
     "mediate_size\":64,\"layer_norm_epsilon\":1e-05,\"model_type\":\"mamba\",\"num_hidden_layers\":2,\"pad_token"
     "_id\":0,\"rescale_prenorm_residual\":false,\"residual_in_fp32\":true,\"state_size\":8,\"tie_word_embeddings"
     "\":false,\"time_step_floor\":0.0001,\"time_step_init_scheme\":\"random\",\"time_step_max\":0.1,\"time_step_"
     "min\":0.001,\"time_step_rank\":3,\"time_step_scale\":1.0,\"use_associative_scan\":true,\"use_bias\":true,\""
     "use_conv_bias\":true,\"use_mambapy\":false,\"vocab_size\":61}",
     families_w18, families_y18, 61},
    {"mamba2: steps within limits",
     "{\"bos_token_id\":1,\"chunk_size\":16,\"conv_kernel\":4,\"eos_token_id\":2,\"head_dim\":8,\"hidden_act\":\""
     "silu\",\"hidden_size\":32,\"layer_norm_epsilon\":1e-05,\"model_type\":\"mamba2\",\"n_groups\":2,\"num_heads"
     "\":8,\"num_hidden_layers\":2,\"pad_token_id\":0,\"rescale_prenorm_residual\":false,\"residual_in_fp32\":tru"
     "e,\"state_size\":8,\"tie_word_embeddings\":false,\"time_step_floor\":0.0001,\"time_step_limit\":[0.05,0.4],"
     "\"time_step_max\":0.1,\"time_step_min\":0.001,\"time_step_rank\":2,\"use_bias\":true,\"use_conv_bias\":true"
     ",\"vocab_size\":61}",
     families_w19, families_y19, 61},
    {"lfm2: biases of short convolutions",
     "{\"block_ffn_dim_multiplier\":1.0,\"block_multiple_of\":8,\"bos_token_id\":1,\"conv_L_cache\":3,\"conv_bias"
     "\":true,\"eos_token_id\":2,\"full_attn_idxs\":null,\"hidden_size\":32,\"intermediate_size\":40,\"layer_type"
     "s\":[\"conv\",\"full_attention\"],\"max_position_embeddings\":128,\"model_type\":\"lfm2\",\"norm_eps\":1e-0"
     "5,\"num_attention_heads\":4,\"num_hidden_layers\":2,\"num_key_value_heads\":2,\"pad_token_id\":0,\"rope_par"
     "ameters\":{\"rope_theta\":1000000.0,\"rope_type\":\"default\"},\"tie_word_embeddings\":false,\"vocab_size\""
     ":61}",
     families_w20, families_y20, 61},
    {"lfm2_moe: experts of lfm2",
     "{\"bos_token_id\":1,\"conv_L_cache\":3,\"conv_bias\":false,\"eos_token_id\":2,\"hidden_size\":32,\"intermed"
     "iate_size\":40,\"layer_types\":[\"conv\",\"full_attention\",\"conv\"],\"max_position_embeddings\":128,\"mod"
     "el_type\":\"lfm2_moe\",\"moe_intermediate_size\":16,\"norm_eps\":1e-05,\"num_attention_heads\":4,\"num_dens"
     "e_layers\":1,\"num_experts\":4,\"num_experts_per_tok\":2,\"num_hidden_layers\":3,\"num_key_value_heads\":2,"
     "\"output_router_logits\":false,\"pad_token_id\":0,\"rope_parameters\":{\"rope_theta\":1000000.0,\"rope_type"
     "\":\"default\"},\"routed_scaling_factor\":1.0,\"tie_word_embeddings\":false,\"use_expert_bias\":true,\"voca"
     "b_size\":61}",
     families_w21, families_y21, 61},
    {"falcon_h1: all biases",
     "{\"attention_bias\":true,\"attention_in_multiplier\":1.2,\"attention_out_multiplier\":1.0,\"bos_token_id\":"
     "1,\"embedding_multiplier\":1.0,\"eos_token_id\":2,\"head_dim\":8,\"hidden_act\":\"silu\",\"hidden_size\":32"
     ",\"intermediate_size\":40,\"key_multiplier\":0.7,\"lm_head_multiplier\":1.0,\"mamba_chunk_size\":16,\"mamba"
     "_conv_bias\":true,\"mamba_d_conv\":4,\"mamba_d_ssm\":32,\"mamba_d_state\":8,\"mamba_expand\":2,\"mamba_n_he"
     "ads\":4,\"mamba_norm_before_gate\":true,\"mamba_proj_bias\":true,\"mamba_rms_norm\":false,\"max_position_em"
     "beddings\":128,\"mlp_bias\":true,\"mlp_multipliers\":[0.8,1.4],\"model_type\":\"falcon_h1\",\"num_attention"
     "_heads\":4,\"num_hidden_layers\":2,\"num_key_value_heads\":2,\"num_logits_to_keep\":1,\"pad_token_id\":0,\""
     "projectors_bias\":true,\"rms_norm_eps\":1e-05,\"rope_parameters\":{\"rope_theta\":10000.0,\"rope_type\":\"d"
     "efault\"},\"ssm_in_multiplier\":1.3,\"ssm_multipliers\":[0.7,1.1,0.9,1.2,0.8],\"ssm_out_multiplier\":0.6,\""
     "tie_word_embeddings\":false,\"time_step_limit\":[0.0,{\"__float__\":\"Infinity\"}],\"vocab_size\":61}",
     families_w22, families_y22, 61},
    {"falcon_h1: norm before the gate",
     "{\"attention_bias\":false,\"attention_in_multiplier\":1.0,\"attention_out_multiplier\":1.0,\"bos_token_id\""
     ":1,\"embedding_multiplier\":1.0,\"eos_token_id\":2,\"head_dim\":8,\"hidden_act\":\"silu\",\"hidden_size\":3"
     "2,\"intermediate_size\":40,\"key_multiplier\":1.0,\"lm_head_multiplier\":1.0,\"mamba_chunk_size\":16,\"mamb"
     "a_conv_bias\":true,\"mamba_d_conv\":4,\"mamba_d_head\":8,\"mamba_d_ssm\":32,\"mamba_d_state\":8,\"mamba_exp"
     "and\":2,\"mamba_n_groups\":2,\"mamba_n_heads\":4,\"mamba_proj_bias\":false,\"mamba_rms_norm\":true,\"max_po"
     "sition_embeddings\":128,\"mlp_bias\":false,\"mlp_multipliers\":[1.0,1.0],\"model_type\":\"falcon_h1\",\"num"
     "_attention_heads\":4,\"num_hidden_layers\":2,\"num_key_value_heads\":2,\"num_logits_to_keep\":1,\"pad_token"
     "_id\":0,\"projectors_bias\":false,\"rms_norm_eps\":1e-05,\"rope_parameters\":{\"rope_theta\":10000.0,\"rope"
     "_type\":\"default\"},\"ssm_in_multiplier\":1.0,\"ssm_multipliers\":[1.0,1.0,1.0,1.0,1.0],\"ssm_out_multipli"
     "er\":1.0,\"tie_word_embeddings\":false,\"time_step_limit\":[0.0,{\"__float__\":\"Infinity\"}],\"vocab_size"
     "\":61}",
     families_w23, families_y23, 61},
    {"ernie4_5_moe: bias of the head",
     "{\"bos_token_id\":1,\"eos_token_id\":2,\"hidden_act\":\"silu\",\"hidden_size\":32,\"intermediate_size\":40,"
     "\"max_position_embeddings\":128,\"model_type\":\"ernie4_5_moe\",\"moe_intermediate_size\":16,\"moe_k\":2,\""
     "moe_layer_end_index\":1,\"moe_layer_interval\":1,\"moe_layer_start_index\":1,\"moe_norm_min\":1e-12,\"moe_n"
     "um_experts\":4,\"num_attention_heads\":4,\"num_hidden_layers\":2,\"num_key_value_heads\":2,\"output_router_"
     "logits\":false,\"pad_token_id\":0,\"rms_norm_eps\":1e-05,\"rope_parameters\":{\"rope_theta\":500000.0,\"rop"
     "e_type\":\"default\"},\"router_aux_loss_coef\":0.001,\"tie_word_embeddings\":false,\"use_bias\":true,\"voca"
     "b_size\":61}",
     families_w24, families_y24, 61},
    {"glm4_moe: defaults of glm4_moe",
     "{\"attention_bias\":false,\"bos_token_id\":1,\"eos_token_id\":2,\"first_k_dense_replace\":1,\"head_dim\":16"
     ",\"hidden_act\":\"silu\",\"hidden_size\":32,\"intermediate_size\":40,\"max_position_embeddings\":128,\"mode"
     "l_type\":\"glm4_moe\",\"moe_intermediate_size\":16,\"n_routed_experts\":4,\"num_attention_heads\":4,\"num_e"
     "xperts_per_tok\":2,\"num_hidden_layers\":2,\"num_key_value_heads\":2,\"num_nextn_predict_layers\":1,\"outpu"
     "t_router_logits\":false,\"pad_token_id\":0,\"rope_parameters\":{\"partial_rotary_factor\":0.5,\"rope_theta"
     "\":10000.0,\"rope_type\":\"default\"},\"tie_word_embeddings\":false,\"use_qk_norm\":false,\"vocab_size\":61"
     "}",
     families_w25, families_y25, 61},
    {"smollm3: no rope, windows",
     "{\"attention_bias\":false,\"bos_token_id\":1,\"eos_token_id\":2,\"hidden_act\":\"silu\",\"hidden_size\":32,"
     "\"intermediate_size\":40,\"layer_types\":[\"sliding_attention\",\"sliding_attention\"],\"max_position_embed"
     "dings\":128,\"mlp_bias\":false,\"model_type\":\"smollm3\",\"no_rope_layer_interval\":4,\"no_rope_layers\":["
     "0,1],\"num_attention_heads\":4,\"num_hidden_layers\":2,\"num_key_value_heads\":2,\"pad_token_id\":0,\"rope_"
     "parameters\":{\"rope_theta\":2000000.0,\"rope_type\":\"default\"},\"sliding_window\":9,\"tie_word_embedding"
     "s\":false,\"use_sliding_window\":true,\"vocab_size\":61}",
     families_w0, families_y26, 61},
    {"gpt_oss: no bias of gpt_oss",
     "{\"attention_bias\":false,\"bos_token_id\":1,\"eos_token_id\":2,\"head_dim\":8,\"hidden_act\":\"silu\",\"hi"
     "dden_size\":32,\"intermediate_size\":40,\"layer_types\":[\"sliding_attention\",\"full_attention\"],\"max_po"
     "sition_embeddings\":128,\"model_type\":\"gpt_oss\",\"num_attention_heads\":4,\"num_hidden_layers\":2,\"num_"
     "key_value_heads\":2,\"num_local_experts\":4,\"output_router_logits\":false,\"pad_token_id\":0,\"rms_norm_ep"
     "s\":1e-05,\"rope_parameters\":{\"beta_fast\":32.0,\"beta_slow\":1.0,\"factor\":32.0,\"original_max_position"
     "_embeddings\":4096,\"rope_theta\":150000.0,\"rope_type\":\"yarn\",\"truncate\":false},\"router_aux_loss_coe"
     "f\":0.001,\"sliding_window\":9,\"swiglu_alpha\":1.702,\"swiglu_limit\":7.0,\"tie_word_embeddings\":false,\""
     "vocab_size\":61}",
     families_w27, families_y27, 61},
    {"arcee: arcee",
     "{\"attention_bias\":false,\"bos_token_id\":1,\"eos_token_id\":2,\"head_dim\":8,\"hidden_act\":\"relu2\",\"h"
     "idden_size\":32,\"intermediate_size\":40,\"max_position_embeddings\":128,\"mlp_bias\":true,\"model_type\":"
     "\"arcee\",\"num_attention_heads\":4,\"num_hidden_layers\":2,\"num_key_value_heads\":2,\"pad_token_id\":0,\""
     "rope_parameters\":{\"rope_theta\":10000.0,\"rope_type\":\"default\"},\"tie_word_embeddings\":false,\"vocab_"
     "size\":61}",
     families_w28, families_y28, 61},
    {"dots1: dots1",
     "{\"attention_bias\":false,\"bos_token_id\":1,\"eos_token_id\":2,\"first_k_dense_replace\":1,\"head_dim\":16"
     ",\"hidden_act\":\"silu\",\"hidden_size\":32,\"intermediate_size\":40,\"layer_types\":[\"full_attention\",\""
     "full_attention\"],\"max_position_embeddings\":128,\"max_window_layers\":62,\"model_type\":\"dots1\",\"moe_i"
     "ntermediate_size\":16,\"n_routed_experts\":4,\"n_shared_experts\":1,\"norm_topk_prob\":false,\"num_attentio"
     "n_heads\":4,\"num_experts_per_tok\":2,\"num_hidden_layers\":2,\"num_key_value_heads\":2,\"output_router_log"
     "its\":false,\"pad_token_id\":0,\"rms_norm_eps\":1e-06,\"rope_parameters\":{\"rope_theta\":10000.0,\"rope_ty"
     "pe\":\"default\"},\"routed_scaling_factor\":1.5,\"sliding_window\":4096,\"tie_word_embeddings\":false,\"voc"
     "ab_size\":61}",
     families_w29, families_y29, 61},
    {"hunyuan_v1_moe: hunyuan with experts",
     "{\"attention_bias\":false,\"bos_token_id\":1,\"eod_token_id\":3,\"eos_token_id\":2,\"head_dim\":8,\"hidden_"
     "act\":\"silu\",\"hidden_size\":32,\"intermediate_size\":40,\"max_position_embeddings\":128,\"model_type\":"
     "\"hunyuan_v1_moe\",\"moe_topk\":2,\"num_attention_heads\":4,\"num_experts\":4,\"num_hidden_layers\":2,\"num"
     "_key_value_heads\":2,\"output_router_logits\":false,\"pad_token_id\":0,\"pretraining_tp\":1,\"rms_norm_eps"
     "\":1e-05,\"rope_parameters\":{\"rope_theta\":10000.0,\"rope_type\":\"default\"},\"sep_token_id\":4,\"tie_wo"
     "rd_embeddings\":false,\"vocab_size\":61}",
     families_w30, families_y30, 61},
    {"ernie4_5: heads of keys",
     "{\"bos_token_id\":1,\"eos_token_id\":2,\"head_dim\":8,\"hidden_act\":\"silu\",\"hidden_size\":32,\"intermed"
     "iate_size\":40,\"max_position_embeddings\":128,\"model_type\":\"ernie4_5\",\"num_attention_heads\":4,\"num_"
     "hidden_layers\":2,\"pad_token_id\":0,\"rms_norm_eps\":1e-05,\"rope_parameters\":{\"rope_theta\":500000.0,\""
     "rope_type\":\"default\"},\"tie_word_embeddings\":false,\"use_bias\":false,\"vocab_size\":61}",
     families_w0, families_y31, 61},
    {"flex_olmo: flex_olmo",
     "{\"attention_bias\":false,\"bos_token_id\":1,\"eos_token_id\":2,\"hidden_act\":\"silu\",\"hidden_size\":32,"
     "\"intermediate_size\":40,\"max_position_embeddings\":128,\"model_type\":\"flex_olmo\",\"num_attention_heads"
     "\":4,\"num_experts\":4,\"num_experts_per_tok\":2,\"num_hidden_layers\":2,\"num_key_value_heads\":2,\"output"
     "_router_logits\":false,\"pad_token_id\":0,\"rope_parameters\":{\"rope_theta\":500000.0,\"rope_type\":\"defa"
     "ult\"},\"router_aux_loss_coef\":0.01,\"tie_word_embeddings\":false,\"vocab_size\":61}",
     families_w32, families_y32, 61},
    {"gptj: gptj",
     "{\"activation_function\":\"gelu_new\",\"attn_pdrop\":0.0,\"bos_token_id\":1,\"embd_pdrop\":0.0,\"eos_token_"
     "id\":2,\"model_type\":\"gptj\",\"n_embd\":32,\"n_head\":4,\"n_inner\":null,\"n_layer\":2,\"n_positions\":12"
     "8,\"pad_token_id\":0,\"resid_pdrop\":0.0,\"rotary_dim\":4,\"vocab_size\":61}",
     families_w33, families_y33, 61},
    {"opt: opt",
     "{\"_remove_final_layer_norm\":false,\"activation_function\":\"relu\",\"bos_token_id\":1,\"dropout\":0.1,\"e"
     "nable_bias\":true,\"eos_token_id\":2,\"ffn_dim\":40,\"hidden_size\":32,\"init_std\":0.02,\"layer_norm_eleme"
     "ntwise_affine\":true,\"layerdrop\":0.0,\"max_position_embeddings\":128,\"model_type\":\"opt\",\"num_attenti"
     "on_heads\":4,\"num_hidden_layers\":2,\"pad_token_id\":0,\"vocab_size\":61,\"word_embed_proj_dim\":32}",
     families_w34, families_y34, 61},
    {"opt: no biases",
     "{\"_remove_final_layer_norm\":false,\"activation_function\":\"relu\",\"bos_token_id\":1,\"do_layer_norm_bef"
     "ore\":true,\"dropout\":0.1,\"enable_bias\":false,\"eos_token_id\":2,\"ffn_dim\":40,\"hidden_size\":32,\"ini"
     "t_std\":0.02,\"layer_norm_elementwise_affine\":true,\"layerdrop\":0.0,\"max_position_embeddings\":128,\"mod"
     "el_type\":\"opt\",\"num_attention_heads\":4,\"num_hidden_layers\":2,\"pad_token_id\":0,\"tie_word_embedding"
     "s\":false,\"vocab_size\":61,\"word_embed_proj_dim\":32}",
     families_w35, families_y35, 61},
    {"falcon: one head of keys",
     "{\"activation\":\"gelu\",\"alibi\":false,\"bias\":false,\"bos_token_id\":1,\"eos_token_id\":2,\"hidden_drop"
     "out\":0.0,\"hidden_size\":32,\"max_position_embeddings\":128,\"model_type\":\"falcon\",\"new_decoder_archit"
     "ecture\":false,\"num_attention_heads\":4,\"num_hidden_layers\":2,\"num_kv_heads\":4,\"num_ln_in_parallel_at"
     "tn\":null,\"pad_token_id\":0,\"rope_parameters\":{\"rope_theta\":10000.0,\"rope_type\":\"default\"},\"tie_w"
     "ord_embeddings\":false,\"vocab_size\":61}",
     families_w36, families_y36, 61},
    {"falcon: two norms",
     "{\"activation\":\"gelu\",\"alibi\":false,\"bias\":false,\"bos_token_id\":1,\"eos_token_id\":2,\"ffn_hidden_"
     "size\":128,\"hidden_dropout\":0.0,\"hidden_size\":32,\"layer_norm_epsilon\":1e-05,\"max_position_embeddings"
     "\":128,\"model_type\":\"falcon\",\"multi_query\":true,\"new_decoder_architecture\":true,\"num_attention_hea"
     "ds\":4,\"num_hidden_layers\":2,\"num_kv_heads\":2,\"num_ln_in_parallel_attn\":2,\"pad_token_id\":0,\"parall"
     "el_attn\":true,\"rope_parameters\":{\"rope_theta\":10000.0,\"rope_type\":\"default\"},\"vocab_size\":61}",
     families_w37, families_y37, 61},
    {"falcon: heads of keys, one norm",
     "{\"activation\":\"gelu\",\"alibi\":false,\"bias\":false,\"bos_token_id\":1,\"eos_token_id\":2,\"ffn_hidden_"
     "size\":48,\"hidden_dropout\":0.0,\"hidden_size\":32,\"layer_norm_epsilon\":1e-05,\"max_position_embeddings"
     "\":128,\"model_type\":\"falcon\",\"multi_query\":true,\"new_decoder_architecture\":true,\"num_attention_hea"
     "ds\":4,\"num_hidden_layers\":2,\"num_kv_heads\":2,\"num_ln_in_parallel_attn\":1,\"pad_token_id\":0,\"parall"
     "el_attn\":true,\"rope_parameters\":{\"rope_theta\":10000.0,\"rope_type\":\"default\"},\"tie_word_embeddings"
     "\":false,\"vocab_size\":61}",
     families_w38, families_y38, 61},
    {"falcon: one block after the other",
     "{\"activation\":\"gelu\",\"alibi\":false,\"bias\":true,\"bos_token_id\":1,\"eos_token_id\":2,\"ffn_hidden_s"
     "ize\":128,\"hidden_dropout\":0.0,\"hidden_size\":32,\"layer_norm_epsilon\":1e-05,\"max_position_embeddings"
     "\":128,\"model_type\":\"falcon\",\"multi_query\":false,\"new_decoder_architecture\":false,\"num_attention_h"
     "eads\":4,\"num_hidden_layers\":2,\"num_kv_heads\":4,\"num_ln_in_parallel_attn\":null,\"pad_token_id\":0,\"p"
     "arallel_attn\":false,\"rope_parameters\":{\"rope_theta\":10000.0,\"rope_type\":\"default\"},\"tie_word_embe"
     "ddings\":false,\"vocab_size\":61}",
     families_w39, families_y39, 61},
};
