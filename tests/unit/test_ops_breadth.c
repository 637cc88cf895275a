/* test_ops_breadth.c: gradients of operators that are spelt by others, over their attributes, against central
 * differences in f64; and what quantisation, whose gradient is no derivative, passes on. */
#include "gradient_check.h"

typedef struct GradientCase {
    const char *body;
    double low, high;
} GradientCase;

static void check_all(void **state, const GradientCase *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_gradient(*state, cases[i].body, cases[i].low, cases[i].high);
}

#define CHECK_ALL(state, cases) check_all((state), (cases), sizeof(cases) / sizeof *(cases))

/* ---- attention ---- */

static void attention_with_caches_caps_and_windows(void **state)
{
    static const char operands[] = "param %0 : f64[2,2,3,4] = data\nparam %1 : f64[2,1,3,4] = data\n"
                                   "param %2 : f64[2,1,3,5] = data\nparam %3 : f64[3,5] = data\n"
                                   "param %4 : f64[2,1,2,4] = data\nparam %5 : f64[2,1,2,5] = data\n"
                                   "const %6 : i64[2] = {2, 3}\nconst %7 : bool[3,3] = {1, 0, 1, 1, 1, 0, 0, 0, 0}\n";
    static const char *const nodes[] = {
        "%8, %9, %10 = Attention(%0, %1, %2, %3, %4, %5) {is_causal=1}\noutput %8\noutput %9\noutput %10",
        "%8 = Attention(%0, %1, %2, %3, %4, %5) {left_window_size=2, right_window_size=1, softcap=0.75}\noutput %8",
        "%8 = Attention(%0, %1, %2, _, _, _, %6) {is_causal=1, left_window_size=1}\noutput %8",
        "%8 = Attention(%0, %1, %2, %7) {softcap=2.0, scale=0.3}\noutput %8",
        "%8, _, _, %9 = Attention(%0, %1, %2) {qk_matmul_output_mode=0}\noutput %8\noutput %9",
        "%8, _, _, %9 = Attention(%0, %1, %2, %7) {qk_matmul_output_mode=3}\noutput %8\noutput %9",
        "%8, _, _, %9 = Attention(%0, %1, %2) {qk_matmul_output_mode=1, softcap=0.5}\noutput %8\noutput %9",
    };
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        check_gradient(f, arena_printf(f->arena, "%s%s", operands, nodes[i]), -1, 1);
}

static void recurrences_that_stand_for_attention(void **state)
{
    static const char operands[] = "param %0 : f64[2,3,8] = data\nparam %1 : f64[2,3,4] = data\n"
                                   "param %2 : f64[2,3,6] = data\nparam %3 : f64[2,2,2,3] = data\n"
                                   "param %4 : f64[2,3,2] = data\nparam %5 : f64[2,3,4] = data\n"
                                   "param %6 : f64[2,3,1] = data\n";
    static const char *const nodes[] = {
        "%7, %8 = LinearAttention(%0, %1, %2, %3) {q_num_heads=4, kv_num_heads=2, update_rule=\"linear\"}",
        "%7, %8 = LinearAttention(%0, %1, %2, _, %5) {q_num_heads=4, kv_num_heads=2, update_rule=\"gated\"}",
        "%7, %8 = LinearAttention(%0, %1, %2, %3, _, %4) {q_num_heads=4, kv_num_heads=2, update_rule=\"delta\"}",
        "%7, %8 = LinearAttention(%0, %1, %2, %3, %4, %6) {q_num_heads=4, kv_num_heads=2, scale=0.25}",
    };
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        check_gradient(f, arena_printf(f->arena, "%s%s\noutput %%7\noutput %%8", operands, nodes[i]), -1, 1);
    static const GradientCase convolutions[] = {
        {"param %0 : f64[2,3,5] = data\nparam %1 : f64[3,1,3] = data\nparam %2 : f64[3] = data\n"
         "param %3 : f64[2,3,2] = data\n%4, %5 = CausalConvWithState(%0, %1, %2, %3) {activation=\"silu\"}\n"
         "output %4\noutput %5",
         -1, 1},
        {"param %0 : f64[1,2,1] = data\nparam %1 : f64[2,1,4] = data\n%2, %3 = CausalConvWithState(%0, %1)\n"
         "output %2\noutput %3",
         -1, 1},
        {"param %0 : f64[2,3,4] = data\nparam %1 : f64[2,3,4] = data\n%2 = SwiGLU(%0, %1) {alpha=1.5}\noutput %2", -2,
         2},
    };
    CHECK_ALL(state, convolutions);
}

/* ---- places between pixels ---- */

static void samples_of_grids(void **state)
{
    static const char *const modes[] = {"linear", "cubic", "nearest"}, *const pads[] = {"zeros", "border",
                                                                                        "reflection"};
    Fixture *f = *state;
    for (int mode = 0; mode < 3; mode++)
        for (int pad = 0; pad < 3; pad++)
            for (int align = 0; align < 2; align++)
                check_gradient(f,
                               arena_printf(f->arena,
                                            "param %%0 : f64[2,2,4,3] = data\nparam %%1 : f64[2,2,3,2] = data\n"
                                            "%%2 = GridSample(%%0, %%1) {mode=\"%s\", padding_mode=\"%s\", "
                                            "align_corners=%d}\noutput %%2",
                                            modes[mode], pads[pad], align),
                               -1.35, 1.3);
    check_gradient(f,
                   "param %0 : f64[1,2,3,2,3] = data\nparam %1 : f64[1,2,2,1,3] = data\n%2 = GridSample(%0, %1)\n"
                   "output %2",
                   -1.2, 1.2);
}

static void regions_and_deformed_windows(void **state)
{
    static const GradientCase cases[] = {
        {"param %0 : f64[2,2,3] = data\nconst %1 : i64[4] = {2, 1, 3, 4}\n%2 = AffineGrid(%0, %1)\noutput %2", -1, 1},
        {"param %0 : f64[1,3,4] = data\nconst %1 : i64[5] = {1, 1, 2, 3, 2}\n"
         "%2 = AffineGrid(%0, %1) {align_corners=1}\noutput %2",
         -1, 1},
        {"param %0 : f64[2,2,5,6] = data\nconst %1 : f64[3,4] = {0.3, 0.6, 4.1, 3.9, 1.2, -0.7, 7.3, 2.2, 1, 1, 2.6, "
         "2.7}\nconst %2 : i64[3] = {1, 0, 1}\n"
         "%3 = RoiAlign(%0, %1, %2) {output_height=2, output_width=3, sampling_ratio=2, spatial_scale=0.9}\noutput %3",
         -1, 1},
        {"const %0 : f64[1,1,4,4] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3}\nparam %1 : f64[2,4] = data\n"
         "const %2 : i64[2] = {0, 0}\n%3 = RoiAlign(%0, %1, %2) {output_height=2, output_width=2, sampling_ratio=1, "
         "coordinate_transformation_mode=\"half_pixel\"}\noutput %3",
         0.6, 3.3},
        {"param %0 : f64[1,1,5,5] = data\nconst %1 : f64[1,4] = {0.3, 0.6, 4.1, 3.9}\nconst %2 : i64[1] = {0}\n"
         "%3 = RoiAlign(%0, %1, %2) {mode=\"max\", output_height=2, output_width=2, sampling_ratio=2, "
         "coordinate_transformation_mode=\"output_half_pixel\"}\noutput %3",
         0.5, 2},
        {"param %0 : f64[2,4,4,3] = data\nparam %1 : f64[2,2,2,2] = data\nparam %2 : f64[2,16,3,2] = data\n"
         "param %3 : f64[2] = data\nparam %4 : f64[2,8,3,2] = data\n"
         "%5 = DeformConv(%0, %1, %2, %3, %4) {group=2, offset_group=2}\noutput %5",
         -0.8, 0.9},
        {"param %0 : f64[1,1,5,4] = data\nparam %1 : f64[1,1,2,2] = data\nparam %2 : f64[1,8,3,2] = data\n"
         "%3 = DeformConv(%0, %1, %2) {strides=[2, 2], pads=[1, 0, 1, 1], dilations=[2, 2]}\noutput %3",
         -0.8, 0.9},
        {"param %0 : f64[1,1,4,5] = data\nconst %1 : f64[4] = {0.1, 0.3, 0.8, 1.2}\nconst %2 : i64[2] = {3, 4}\n"
         "%3 = CropAndResize(%0, %1, _, %2) {axes=[2, 3], mode=\"linear\", extrapolation_value=3.0}\noutput %3",
         -1, 1},
    };
    CHECK_ALL(state, cases);
}

static void windows_put_back(void **state)
{
    static const GradientCase cases[] = {
        {"param %0 : f64[2,8,4] = data\nconst %1 : i64[2] = {3, 3}\nconst %2 : i64[2] = {2, 2}\n"
         "%3 = Col2Im(%0, %1, %2)\noutput %3",
         -1, 1},
        {"param %0 : f64[1,4,6] = data\nconst %1 : i64[2] = {4, 5}\nconst %2 : i64[2] = {2, 2}\n"
         "%3 = Col2Im(%0, %1, %2) {strides=[2, 2], pads=[1, 0, 0, 1], dilations=[2, 1]}\noutput %3",
         -1, 1},
        {"param %0 : f64[1,2,2,2] = data\nconst %1 : i64[1,2,2,2] = {5, 7, 13, 15, 16, 18, 26, 31}\n"
         "%2 = MaxUnpool(%0, %1) {kernel_shape=[2, 2], strides=[2, 2]}\noutput %2",
         -1, 1},
        {"param %0 : f64[1,2,4,6] = data\n%1, %2 = MaxPool(%0) {kernel_shape=[2, 2], strides=[2, 2]}\n"
         "%3 = MaxUnpool(%1, %2) {kernel_shape=[2, 2], strides=[2, 2]}\noutput %3",
         -1, 1},
        {"param %0 : f64[1,8,2,3] = data\n%1 = DepthToSpace(%0) {blocksize=2}\n"
         "%2 = SpaceToDepth(%1) {blocksize=2, mode=\"CRD\"}\noutput %2",
         -1, 1},
        {"param %0 : f64[2,5,3] = data\nconst %1 : i64[2] = {3, 6}\n%2 = CenterCropPad(%0, %1) {axes=[1, -1]}\noutput "
         "%2",
         -1, 1},
        {"param %0 : f64[2,4,2] = data\nparam %1 : f64[2,2,2] = data\nconst %2 : i64[2] = {3, 1}\n"
         "%3 = TensorScatter(%0, %1, %2) {mode=\"circular\"}\noutput %3",
         -1, 1},
    };
    CHECK_ALL(state, cases);
}

/* ---- transforms, determinants, statistics ---- */

static void transforms_and_determinants(void **state)
{
    static const GradientCase cases[] = {
        {"param %0 : f64[2,5,2] = data\n%1 = DFT(%0)\noutput %1", -1, 1},
        {"param %0 : f64[2,5,3,2] = data\nconst %1 : i64[] = {4}\nconst %2 : i64[] = {1}\n"
         "%3 = DFT(%0, %1, %2) {inverse=1}\noutput %3",
         -1, 1},
        {"param %0 : f64[1,6,1] = data\nconst %1 : i64[] = {8}\n%2 = DFT(%0, %1) {onesided=1}\noutput %2", -1, 1},
        {"param %0 : f64[1,4,2] = data\n%1 = DFT(%0) {onesided=1, inverse=1}\noutput %1", -1, 1},
        {"param %0 : f64[1,9,1] = data\nconst %1 : i64[] = {2}\nparam %2 : f64[4] = data\n%3 = STFT(%0, %1, %2)\n"
         "output %3",
         -1, 1},
        {"param %0 : f64[1,6,2] = data\nconst %1 : i64[] = {1}\nconst %2 : i64[] = {3}\n"
         "%3 = STFT(%0, %1, _, %2) {onesided=0}\noutput %3",
         -1, 1},
        {"param %0 : f64[3,1,1] = data\n%1 = Det(%0)\noutput %1", -1, 1},
        {"param %0 : f64[2,4,4] = data\n%1 = Det(%0)\noutput %1", -1, 1},
        {"const %0 : f64[3,1] = {1, 2, 3}\nparam %1 : f64[1,3] = data\n%2 = MatMul(%0, %1)\n%3 = Det(%2)\noutput %3",
         -1, 1},
        {"param %0 : f64[3,4] = data\nparam %1 : f64[4] = data\n%2, %3, %4 = LayerNormalization(%0, %1)\noutput %2\n"
         "output %3\noutput %4",
         -1, 1},
        {"param %0 : f64[2,3,4] = data\n%3, %1, %2 = LayerNormalization(%0) {axis=1}\noutput %1\noutput %2", -1, 1},
    };
    CHECK_ALL(state, cases);
}

static void determinants_have_the_sign_of_the_rows_order(void **state)
{
    ASSERT_CASE(*state, "const %0 : f64[3,3] = {0, 2, 0, 3, 0, 0, 0, 0, 5}\n%1 = Det(%0)\noutput %1", "f64[]", -30);
    ASSERT_CASE(*state, "const %0 : f64[2,2,2] = {1, 2, 3, 4, 2, 4, 1, 2}\n%1 = Det(%0)\noutput %1", "f64[2]", -2, 0);
}

/* A one-sided spectrum and back is the signal. */
static void half_a_spectrum_is_enough(void **state)
{
    ASSERT_CASE(*state,
                "const %0 : f64[1,6,1] = {3, 1, 4, 1, 5, 9}\n%1 = DFT(%0) {onesided=1}\n"
                "%2 = DFT(%1) {onesided=1, inverse=1}\noutput %2",
                "f64[1,6,1]", 3, 1, 4, 1, 5, 9);
    ASSERT_CASE(*state,
                "const %0 : f64[1,5,1] = {3, 1, 4, 1, 5}\nconst %1 : i64[] = {5}\n%2 = DFT(%0) {onesided=1}\n"
                "%3 = DFT(%2, %1) {onesided=1, inverse=1}\noutput %3",
                "f64[1,5,1]", 3, 1, 4, 1, 5);
}

/* ---- com.microsoft ---- */

static void fused_products_and_norms_of_onnxruntime(void **state)
{
    static const GradientCase cases[] = {
        {"param %0 : f64[4,2,3] = data\nparam %1 : f64[5,2,4] = data\n%2 = FusedMatMul(%0, %1) {alpha=0.5, transA=1, "
         "transB=1, transBatchA=1, transBatchB=1}\noutput %2",
         -1, 1},
        {"param %0 : f64[2,3,4] = data\nparam %1 : f64[2,4,5] = data\n%2 = FusedMatMul(%0, %1)\noutput %2", -1, 1},
        {"param %0 : f64[2,4] = data\nparam %1 : f64[4] = data\n%2 = BiasGelu(%0, %1)\n%3 = FastGelu(%0, %1)\n"
         "%4 = QuickGelu(%0)\n%5 = BiasSplitGelu(%0, %1)\n%6 = BiasAdd(%0, %1, %4)\noutput %2\noutput %3\noutput %5\n"
         "output %6",
         -2, 2},
        {"param %0 : f64[2,3,4] = data\nparam %1 : f64[3,4] = data\nparam %2 : f64[4] = data\nparam %3 : f64[4] = "
         "data\n"
         "param %4 : f64[4] = data\n%5, _, _, %6 = SkipLayerNormalization(%0, %1, %2, %3, %4)\noutput %5\noutput %6",
         -1, 1},
        {"param %0 : f64[2,3,4] = data\nparam %1 : f64[2,3,4] = data\nparam %2 : f64[4] = data\n"
         "%3, _, _, %4 = SkipSimplifiedLayerNormalization(%0, %1, %2)\n%5 = SimplifiedLayerNormalization(%0, %2)\n"
         "output %3\noutput %4\noutput %5",
         -1, 1},
        {"const %0 : i32[1,3] = {2, 0, 2}\nconst %1 : i32[1,3] = {1, 0, 1}\nparam %2 : f64[3,4] = data\n"
         "param %3 : f64[5,4] = data\nparam %4 : f64[2,4] = data\nparam %5 : f64[4] = data\nparam %6 : f64[4] = data\n"
         "%7 = EmbedLayerNormalization(%0, %1, %2, %3, %4, %5, %6) {epsilon=0.01}\noutput %7",
         -1, 1},
        {"param %0 : f64[1,2,5,5] = data\nparam %1 : f64[3,2,3,3] = data\nparam %2 : f64[3] = data\n"
         "param %3 : f64[1,3,3,3] = data\n%4 = FusedConv(%0, %1, %2, %3) {activation=\"Tanh\"}\noutput %4",
         -1, 1},
        {"param %0 : f64[2,3] = data\nparam %1 : f64[4,3] = data\nparam %2 : f64[4] = data\n"
         "%3 = FusedGemm(%0, %1, %2) {activation=\"Sigmoid\", transB=1}\noutput %3",
         -1, 1},
    };
    CHECK_ALL(state, cases);
}

static void attention_of_onnxruntime(void **state)
{
    static const GradientCase cases[] = {
        {"param %0 : f64[2,3,8] = data\nparam %1 : f64[2,4,8] = data\nparam %2 : f64[2,4,6] = data\n"
         "param %3 : f64[22] = data\nconst %4 : i32[2,4] = {1, 1, 0, 1, 1, 1, 1, 1}\nparam %5 : f64[1,2,3,4] = data\n"
         "%6 = MultiHeadAttention(%0, %1, %2, %3, %4, %5) {num_heads=2}\noutput %6",
         -1, 1},
        {"param %0 : f64[1,3,2,3,4] = data\n%1 = MultiHeadAttention(%0) {num_heads=2, unidirectional=1}\noutput %1", -1,
         1},
        {"param %0 : f64[1,3,8] = data\nparam %1 : f64[1,4,2,2,4] = data\n%2 = MultiHeadAttention(%0, %1) "
         "{num_heads=2}\noutput %2",
         -1, 1},
        {"param %0 : f64[1,3,8] = data\nparam %1 : f64[8,24] = data\nparam %2 : f64[24] = data\n"
         "param %3 : f64[2,1,2,2,4] = data\n%4, %5 = MicrosoftAttention(%0, %1, %2, _, %3) {num_heads=2, "
         "unidirectional=1}\noutput %4\noutput %5",
         -1, 1},
        {"param %0 : f64[1,3,8] = data\nparam %1 : f64[1,3,4] = data\nparam %2 : f64[1,3,4] = data\n"
         "const %3 : f64[4,2] = {0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2}\n"
         "%4, %5, %6 = GroupQueryAttention(%0, %1, %2, _, _, _, _, %3, %3) {num_heads=2, kv_num_heads=1, do_rotary=1, "
         "local_window_size=2}\noutput %4\noutput %5\noutput %6",
         -1, 1},
        {"param %0 : f64[1,3,8] = data\nconst %1 : i64[1] = {1}\nparam %2 : f64[5,2] = data\nparam %3 : f64[5,2] = "
         "data\n"
         "%4 = MicrosoftRotaryEmbedding(%0, %1, %2, %3) {interleaved=1}\noutput %4",
         -1, 1},
        {"param %0 : f64[1,2,3,6] = data\nconst %1 : i64[1] = {1}\nparam %2 : f64[5,2] = data\nparam %3 : f64[5,2] = "
         "data\n"
         "%4 = MicrosoftRotaryEmbedding(%0, %1, %2, %3) {num_heads=2, rotary_embedding_dim=4}\noutput %4",
         -1, 1},
    };
    CHECK_ALL(state, cases);
}

/* ---- quantisation: a straight-through estimator ---- */

static void what_is_rounded_passes_its_gradient_on(void **state)
{
    Fixture *f = *state;
    /* 2.4 and -1.6 steps of 0.5, zero point 3 of 0 ... 255: inside; -9 steps: below; 300: above. */
    static const char pair[] = "param %0 : f64[4] = {1.2, -0.8, -4.5, 150}\nconst %1 : f64[] = {0.5}\n"
                               "const %2 : u8[] = {3}\n%3 = QuantizeLinear(%0, %1, %2) {output_dtype=2}\n"
                               "%4 = DequantizeLinear(%3, %1, %2)\noutput %4";
    ASSERT_CASE(f, pair, "f64[4]", 1, -1, -1.5, 126);
    ASSERT_GRADIENTS(f, pair, 1, 1, 0, 0);
    /* The same with steps of -0.5: 9 steps are inside; -300 below; 300 above. */
    static const char downwards[] = "param %0 : f64[5] = {1.2, -0.8, -4.5, 150, -150}\nconst %1 : f64[] = {-0.5}\n"
                                    "const %2 : u8[] = {3}\n%3 = QuantizeLinear(%0, %1, %2) {output_dtype=2}\n"
                                    "%4 = DequantizeLinear(%3, %1, %2)\noutput %4";
    ASSERT_CASE(f, downwards, "f64[5]", 1, -1, -4.5, 1.5, -126);
    ASSERT_GRADIENTS(f, downwards, 1, 1, 1, 0, 0);
    static const char dynamic[] = "param %0 : f64[3] = {-1, 0.3, 2}\n%1, %2, %3 = DynamicQuantizeLinear(%0)\n"
                                  "output %1";
    ASSERT_CASE(f, dynamic, "u8[3]", 0, 111, 255);
    static const char eight[] = "param %0 : f64[4] = {0.3, 17, 500, -1000}\n%1 = CastNarrow(%0) {to=17}\noutput %1";
    ASSERT_CASE(f, eight, "f64[4]", 0.3125, 16, 448, -448);
    ASSERT_GRADIENTS(f, eight, 1, 1, 0, 0);
    static const char unsaturated[] = "const %0 : f64[4] = {0.3, 20, 60000, -1e6}\n"
                                      "%1 = CastNarrow(%0) {to=19, saturate=0}\noutput %1";
    ASSERT_CASE(f, unsaturated, "f64[4]", 0.3125, 20, 57344, -INFINITY);
    ASSERT_CASE(f, "const %0 : f64[5] = {-9, -8, 7, 8, 100}\n%1 = CastNarrow(%0) {to=22}\noutput %1", "i8[5]", 7, -8, 7,
                -8, 4);
}

/* One scale a row; half a step rounds to even. */
static void quantised_by_rows_and_by_blocks(void **state)
{
    ASSERT_CASE(*state,
                "const %0 : f64[2,2] = {2.5, 3.5, 2.5, 3.5}\nconst %1 : f64[2] = {1, 10}\n"
                "%2 = QuantizeLinear(%0, %1) {axis=0, output_dtype=3}\noutput %2",
                "i8[2,2]", 2, 4, 0, 0);
    ASSERT_CASE(*state,
                "const %0 : i8[1,4] = {1, 2, 3, 4}\nconst %1 : f64[1,2] = {1, 10}\nconst %2 : i8[1,2] = {1, 0}\n"
                "%3 = DequantizeLinear(%0, %1, %2) {axis=1, block_size=2}\noutput %3",
                "f64[1,4]", 0, 1, 30, 40);
    assert_refused(*state,
                   "const %0 : f64[2,2] = {2.5, 3.5, 2.5, 3.5}\nconst %1 : f64[3] = {1, 10, 1}\n"
                   "%2 = QuantizeLinear(%0, %1) {axis=0, output_dtype=3}\noutput %2",
                   "one for each of axis 0");
}

static void products_of_quantised_tensors(void **state)
{
    ASSERT_CASE(*state,
                "const %0 : u8[1,3] = {200, 100, 255}\nconst %1 : i8[3,1] = {-100, 50, 127}\nconst %2 : u8[] = {10}\n"
                "%3 = MatMulInteger(%0, %1, %2)\noutput %3",
                "i32[1,1]", 190 * -100 + 90 * 50 + 245 * 127);
    ASSERT_CASE(*state,
                "const %0 : u8[1,2] = {3, 5}\nconst %1 : f32[] = {0.5}\nconst %2 : u8[] = {1}\n"
                "const %3 : u8[2,2] = {2, 4, 6, 8}\nconst %4 : f32[2] = {1, 2}\nconst %5 : u8[2] = {2, 0}\n"
                "const %6 : f32[] = {2}\nconst %7 : u8[] = {7}\n%8 = QLinearMatMul(%0, %1, %2, %3, %4, %5, %6, %7)\n"
                "output %8",
                "u8[1,2]", 11, 27);
}

/* Of [1, 2, 3, 4; 5, 9, 7, 8; 3, 2, 1, 0] a region of 2 by 3 pixels in bins that have a column in common, one pixel, a
 * region that ends outside, another image's, and one that lies outside. */
static void maxima_of_regions(void **state)
{
    static const char operands[] = "const %0 : f64[1,1,3,4] = {1, 2, 3, 4, 5, 9, 7, 8, 3, 2, 1, 0}\n"
                                   "const %1 : f64[5,5] = {0, 1, 1, 5, 3, 0, 2.4, 0, 1, 0, 0, 5, 2, 14, 3, 1, 0, 0, 9, "
                                   "9, 0, 20, 0, 22, 2}\nparam %2 : f64[2,2,5,6] = data\n";
    Fixture *f = *state;
    ASSERT_CASE(f,
                arena_printf(f->arena,
                             "%s%%3 = MaxRoiPool(%%0, %%1) {pooled_shape=[1, 2], spatial_scale=0.5}\noutput %%3",
                             operands),
                "f64[5,1,1,2]", 9, 8, 2, 2, 8, 0, 0, 0, 0, 0);
    check_gradient(f,
                   arena_printf(f->arena,
                                "%sconst %%4 : f64[3,5] = {0, 0, 0, 5, 4, 1, 1, 1, 9, 2, 1, -3, 2, 2, 7}\n"
                                "%%3 = MaxRoiPool(%%2, %%4) {pooled_shape=[2, 3], spatial_scale=0.9}\n"
                                "output %%3",
                                operands),
                   -1, 1);
    ASSERT_CASE(f,
                arena_printf(f->arena,
                             "%sconst %%4 : f64[1,1,3,0] = {}\n%%3 = MaxRoiPool(%%4, %%1) {pooled_shape=[1, 1]}\n"
                             "output %%3",
                             operands),
                "f64[5,1,1,1]", 0, 0, 0, 0, 0);
    assert_refused(f, arena_printf(f->arena, "%s%%3 = MaxRoiPool(%%0, %%1) {pooled_shape=[2]}\noutput %%3", operands),
                   "'pooled_shape' has 1 values; it must have 2");
    assert_refused(f,
                   arena_printf(f->arena, "%s%%3 = MaxRoiPool(%%0, %%1) {pooled_shape=[2, 0]}\noutput %%3", operands),
                   "'pooled_shape' has the value 0; it must be from 1");
    assert_refused(f,
                   arena_printf(f->arena, "%s%%3 = MaxRoiPool(%%0, %%0) {pooled_shape=[2, 2]}\noutput %%3", operands),
                   "and the regions f64[1,1,3,4]");
}

/* A picks the first and the last row of B's transpose, whose blocks of 8 are the second one in part. */
#define PACKED                                                                                         \
    "param %0 : f64[1,10] = data\nconst %1 : f64[1,10] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 10}\n"            \
    "const %2 : u8[2,2,4] = {33, 0, 0, 0, 67, 0, 0, 0, 15, 0, 0, 0, 112, 0, 0, 0}\n"                   \
    "const %3 : f64[2,2] = {1, 2, 0.5, 0.25}\nparam %4 : f64[2] = data\nconst %5 : u8[2] = {33, 88}\n" \
    "const %6 : f64[4] = {0.5, 2, 8, 4.5}\nconst %7 : i32[10] = {0, 1, 0, 1, 0, 1, 0, 1, 0, 0}\n"      \
    "const %8 : u8[1,1,2] = {228, 27}\nconst %9 : u8[1,1,8] = {129, 0, 255, 0, 0, 0, 0, 0}\n"          \
    "const %10 : f64[1,8] = {1, 1, 1, 0, 0, 0, 0, 10}\nconst %11 : f64[1] = {2}\nconst %12 : f64[2] = {1, -1}\n"
#define FOUR_BITS "{K=10, N=2, block_size=8}\noutput %13"

static void products_with_packed_blocks(void **state)
{
    Fixture *f = *state;
    ASSERT_CASE(f, PACKED "%13 = MatMulNBits(%1, %2, %3) " FOUR_BITS, "f64[1,2]", -87, 1);
    ASSERT_CASE(f, PACKED "%13 = MatMulNBits(%1, %2, %3, %5, _, %12) " FOUR_BITS, "f64[1,2]", 41, 7.5);
    ASSERT_CASE(f, PACKED "%13 = MatMulNBits(%1, %2, %3, %6) " FOUR_BITS, "f64[1,2]", 40.5, 9.75);
    ASSERT_CASE(f, PACKED "%13 = MatMulNBits(%1, %2, %3, %6, %7) " FOUR_BITS, "f64[1,2]", 35.5, -1.5);
    ASSERT_CASE(f, PACKED "%13 = MatMulNBits(%10, %8, %11) {K=8, N=1, bits=2, block_size=8}\noutput %13", "f64[1,1]",
                2 * (-2 - 1 + 0 + 10 * -2));
    ASSERT_CASE(f, PACKED "%13 = MatMulNBits(%10, %9, %11) {K=8, N=1, bits=8, block_size=8}\noutput %13", "f64[1,1]",
                2 * (1 - 128 + 127 + 10 * -128));
    check_gradient(f, PACKED "%13 = MatMulNBits(%0, %2, %3, %5, _, %4) " FOUR_BITS, -1, 1);
}

static void packed_blocks_that_do_not_fit_are_refused(void **state)
{
    static const struct {
        const char *node, *message;
    } cases[] = {
        {"(%1, %2, %3) {K=10, N=2, bits=3, block_size=8}", "'bits' is 3"},
        {"(%1, %2, %3) {K=10, N=2, block_size=12}", "'block_size' is 12"},
        {"(%1, %2, %3) {K=9, N=2, block_size=8}", "its last axis must be K, 9"},
        {"(%1, %2, %3) {K=10, N=0, block_size=8}", "'K' is 10 and 'N' 0; there is no such matrix"},
        {"(%1, %2, %3) {K=10, N=3, block_size=8}", "it must have 24 elements"},
        {"(%1, %2, %12) {K=10, N=2, block_size=8}", "scales is f64[2]"},
        {"(%1, %2, %3, %8) {K=10, N=2, block_size=8, weight_prepacked=1}", "'weight_prepacked' is 1"},
        {"(%1, %2, %3, %12) {K=10, N=2, block_size=8}", "zero_points is f64[2]"},
        {"(%1, %2, %3, %5, %7) {K=10, N=2, block_size=8}", "g_idx with 4 bits and packed zero points"},
        {"(%1, %2, %3, %6, %14) {K=10, N=2, block_size=8}", "g_idx[1] is 2; there are 2 blocks"},
        {"(%1, %2, %3, _, _, %3) {K=10, N=2, block_size=8}", "bias, is f64[2,2]"},
        {"(%1, %2, %3, _, _, %15) {K=10, N=2, block_size=8}", "the bias is f32[2] beside A of f64[1,10]"},
        {"(%1, %7, %3) {K=10, N=2, block_size=8}", "B is i32[10]; pcc has it packed in u8"},
    };
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(f,
                       arena_printf(f->arena,
                                    "%s%%14 : i32[10] = {0, 2, 0, 0, 0, 0, 0, 0, 0, 0}\nconst %%15 : f32[2] = {1, "
                                    "2}\n%%13 = MatMulNBits%s\n"
                                    "output %%13",
                                    PACKED "const ", cases[i].node),
                       cases[i].message);
}

/* The reference draws the number in the middle, 0.5: probabilities are 1/8, 2/8, 5/8, and 3/4, 1/4, 0. */
static void draws_of_classes(void **state)
{
    ASSERT_CASE(*state,
                "const %0 : f64[2,3] = {1.0, 1.6931471805599453, 2.6094379124341003, 1.0986122886681098, 0.0, -1e30}\n"
                "%1 = Multinomial(%0) {sample_size=2}\noutput %1",
                "i32[2,2]", 2, 2, 0, 0);
    ASSERT_CASE(*state, "const %0 : f64[2,1] = {1, 2}\n%1 = Multinomial(%0) {dtype=7}\noutput %1", "i64[2,1]", 0, 0);
    assert_refused(*state, "const %0 : f64[2] = {1, 2}\n%1 = Multinomial(%0)\noutput %1", "X is f64[2]");
    assert_refused(*state, "const %0 : f64[1,2] = {1, 2}\n%1 = Multinomial(%0) {dtype=1}\noutput %1", "'dtype' is 1");
    assert_refused(*state, "const %0 : f64[1,2] = {1, 2}\n%1 = Multinomial(%0) {sample_size=-1}\noutput %1",
                   "'sample_size' is -1; it must be from 1");
}

static void unique_may_leave_out_its_values(void **state)
{
    assert_case(*state, "const %0 : f64[4] = {3, 1, 3, 1}\n_, %1 = Unique(%0)\noutput %1", "i64[2]", 2,
                (const double[]){1, 0});
}

/* ---- what is refused ---- */

typedef struct Refusal {
    const char *body, *message;
} Refusal;

static void refuse_all(void **state, const Refusal *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_refused(*state, cases[i].body, cases[i].message);
}

#define REFUSE_ALL(state, cases) refuse_all((state), (cases), sizeof(cases) / sizeof *(cases))

static void operands_that_do_not_fit_are_refused(void **state)
{
    static const Refusal cases[] = {
        {"param %0 : f64[2,4] = data\nconst %1 : i64[1,2] = {0, 1}\nparam %2 : f64[2,4] = data\n"
         "param %3 : f64[2,4] = data\nparam %4 : f64[4] = data\nconst %5 : i64[2,2] = {1, 1, 1, 1}\n"
         "%6, %7 = EmbedLayerNormalization(%1, _, %2, %3, _, %4, %4, %5)\noutput %6\noutput %7",
         "beside ids of i64[1,2]"},
        {"const %0 : u8[1,1,2,2] = {1, 2, 3, 4}\nconst %1 : f64[] = {1}\nconst %2 : u8[] = {0}\n"
         "const %3 : u8[2,1,1,1] = {1, 2}\nconst %4 : f64[2,1,1,1] = {1, 2}\n"
         "%5 = QLinearConv(%0, %1, %2, %3, %4, %2, %1, %2)\noutput %5",
         "the scale is f64[2,1,1,1]"},
        {"param %0 : f64[1,8,1] = data\nconst %1 : i64[0] = {}\n%2 = DFT(%0, _, %1)\noutput %2", "the axis is i64[0]"},
        {"param %0 : f64[2,3,8] = data\nparam %1 : f64[8] = data\nparam %2 : f64[8,1] = data\n"
         "%3 = SkipLayerNormalization(%0, %0, %1, _, %2)\noutput %3",
         "the bias f64[8,1] does not broadcast"},
        {"param %0 : f64[1,2,5,5] = data\nparam %1 : f64[3,2,3,3] = data\nparam %2 : f64[1,18,3,3] = data\n"
         "param %3 : f64[4] = data\n%4 = DeformConv(%0, %1, %2, %3)\noutput %4",
         "input 3, the bias, is f64[4]; it must be a vector of 3 elements"},
    };
    REFUSE_ALL(state, cases);
}

static void attention_that_does_not_fit_is_refused(void **state)
{
    static const Refusal cases[] = {
        {"param %0 : f64[2,3,16] = data\n%1 = GroupQueryAttention(%0) {num_heads=4611686018427387904, "
         "kv_num_heads=4611686018427387904}\noutput %1",
         "of 4611686018427387904 heads"},
        {"param %0 : f64[1,3,8] = data\nparam %1 : f64[8,24] = data\nparam %2 : f64[25] = data\n"
         "%3 = MicrosoftAttention(%0, %1, %2) {num_heads=2}\noutput %3",
         "input 2, the bias, is f64[25]; it must be a vector of 24 elements"},
        {"param %0 : f64[1,3,8] = data\nparam %1 : f64[8,24] = data\nparam %2 : f64[2,1,2,2,5] = data\n"
         "%3, %4 = MicrosoftAttention(%0, %1, _, _, %2) {num_heads=2}\noutput %3\noutput %4",
         "the past is f64[2,1,2,2,5]; it must be f64[2,1,2,2,4]"},
        {"param %0 : f64[1,3,8] = data\nparam %1 : f64[8,24] = data\nparam %2 : f64[1,2,3,4] = data\n"
         "%3 = MicrosoftAttention(%0, %1, _, _, _, %2) {num_heads=2}\noutput %3",
         "input 5, the bias of the scores, is f64[1,2,3,4]; it must broadcast to f64[1,2,3,3]"},
        {"param %0 : f64[1,3,8] = data\nparam %1 : f64[25] = data\n"
         "%2 = MultiHeadAttention(%0, %0, %0, %1) {num_heads=2}\noutput %2",
         "input 3, the bias, is f64[25]; it must be a vector of 24 elements"},
        {"param %0 : f64[1,3,8] = data\nparam %1 : f64[1,3,2,4] = data\nparam %2 : f64[1,2,2,4] = data\n"
         "%3, %4, %5 = MultiHeadAttention(%0, %0, %0, _, _, _, %1, %2) {num_heads=2}\noutput %3\noutput %4\n"
         "output %5",
         "input 6, the past, is f64[1,3,2,4]; it must be f64[1,2,2,4]"},
    };
    REFUSE_ALL(state, cases);
}

static void angles_that_do_not_fit_are_refused(void **state)
{
    static const Refusal cases[] = {
        {"param %0 : f64[1,3,8] = data\nconst %1 : i64[1,3] = {0, 1, 2}\nparam %2 : f64[5,4] = data\n"
         "%3 = RotaryEmbedding(%0, %2, %2, %1) {num_heads=2}\noutput %3",
         "input 1 is f64[5,4]; it must have rank 2, and 2 angles in a row"},
        {"param %0 : f64[1,3,8] = data\nconst %1 : i64[1,3] = {0, 1, 2}\nparam %2 : f64[5,1] = data\n"
         "%3 = RotaryEmbedding(%0, %2, %2, %1) {num_heads=2}\noutput %3",
         "input 1 is f64[5,1]; it must have rank 2, and 2 angles in a row"},
        {"param %0 : f64[1,3,8] = data\nparam %1 : f64[1,3,1] = data\nparam %2 : f64[1,3,2] = data\n"
         "%3 = RotaryEmbedding(%0, %1, %2) {num_heads=2, rotary_embedding_dim=2}\noutput %3",
         "input 2 is f64[1,3,2]; it must have rank 3, and 1 angles in a row"},
        {"param %0 : f64[1,2,3,4] = data\nconst %1 : i64[1] = {1}\nparam %2 : f64[5,4] = data\n"
         "%3 = MicrosoftRotaryEmbedding(%0, %1, %2, %2)\noutput %3",
         "input 2 is f64[5,4]; it must have rank 2, and 2 angles in a row"},
        {"param %0 : f64[1,3,8] = data\nconst %1 : i64[1] = {1}\nparam %2 : f64[5,2] = data\n"
         "%3 = MicrosoftRotaryEmbedding(%0, %1, %2, %2) {num_heads=2, rotary_embedding_dim=2}\noutput %3",
         "input 2 is f64[5,2]; it must have rank 2, and 1 angles in a row"},
        {"param %0 : f64[1,3,8] = data\nparam %1 : f64[1,3,4] = data\nparam %2 : f64[4,3] = data\n"
         "%3, _, _ = GroupQueryAttention(%0, %1, %1, _, _, _, _, %2, %2) {num_heads=2, kv_num_heads=1, do_rotary=1}\n"
         "output %3",
         "input 7 is f64[4,3]; it must have rank 2, 3 rows at least, and 1 to 2 angles in a row"},
        {"param %0 : f64[1,3,8] = data\nparam %1 : f64[1,3,4] = data\nparam %2 : f64[2,2] = data\n"
         "%3, _, _ = GroupQueryAttention(%0, %1, %1, _, _, _, _, %2, %2) {num_heads=2, kv_num_heads=1, do_rotary=1}\n"
         "output %3",
         "input 7 is f64[2,2]; it must have rank 2, 3 rows at least"},
        {"param %0 : f64[1,3,8] = data\nparam %1 : f64[1,3,4] = data\nparam %2 : f64[4,2] = data\n"
         "param %3 : f64[4,1] = data\n%4, _, _ = GroupQueryAttention(%0, %1, %1, _, _, _, _, %2, %3) {num_heads=2, "
         "kv_num_heads=1, do_rotary=1}\noutput %4",
         "input 8 is f64[4,1], and input 7, the cosines, f64[4,2]"},
    };
    REFUSE_ALL(state, cases);
}

static void attributes_out_of_bounds_are_refused(void **state)
{
    static const Refusal cases[] = {
        {"param %0 : f64[4,6] = data\nconst %1 : f64[4,2] = {1, 1, 1, 1, 1, 1, 1, 1}\n"
         "%2 = QuantizeLinear(%0, %1) {block_size=9223372036854775807}\noutput %2",
         "or one a block"},
        {"param %0 : f64[1,1,2] = data\nconst %1 : i64[1,1,2] = {0, 1}\n"
         "%2 = MaxUnpool(%0, %1) {kernel_shape=[2], pads=[9223372036854775807, 9223372036854775807]}\noutput %2",
         "no pool of these attributes"},
        {"param %0 : f64[1,2,3] = data\nconst %1 : i64[4] = {1, 1, 65536, 65536}\n%2 = AffineGrid(%0, %1)\noutput %2",
         "a table of 4294967296 by 3"},
        {"param %0 : f64[2] = data\n%1 = Cast(%0) {to=4294967297}\noutput %1",
         "attribute 'to' is ONNX data type 4294967297"},
        {"param %0 : f64[2,2] = data\n%1 = EyeLike(%0) {dtype=4294967297}\noutput %1",
         "attribute 'dtype' is ONNX data type 4294967297"},
        {"param %0 : f64[2] = data\n%1 = CastNarrow(%0) {to=4294967313}\noutput %1",
         "attribute 'to' is ONNX data type 4294967313"},
        {"param %0 : f64[2] = data\nconst %1 : f64[] = {1}\n"
         "%2 = QuantizeLinear(%0, %1) {output_dtype=4294967299}\noutput %2",
         "attribute 'output_dtype' is ONNX data type 4294967299"},
    };
    REFUSE_ALL(state, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITH_FIXTURE(attention_with_caches_caps_and_windows),
        TEST_WITH_FIXTURE(recurrences_that_stand_for_attention),
        TEST_WITH_FIXTURE(samples_of_grids),
        TEST_WITH_FIXTURE(regions_and_deformed_windows),
        TEST_WITH_FIXTURE(windows_put_back),
        TEST_WITH_FIXTURE(transforms_and_determinants),
        TEST_WITH_FIXTURE(determinants_have_the_sign_of_the_rows_order),
        TEST_WITH_FIXTURE(half_a_spectrum_is_enough),
        TEST_WITH_FIXTURE(fused_products_and_norms_of_onnxruntime),
        TEST_WITH_FIXTURE(attention_of_onnxruntime),
        TEST_WITH_FIXTURE(what_is_rounded_passes_its_gradient_on),
        TEST_WITH_FIXTURE(quantised_by_rows_and_by_blocks),
        TEST_WITH_FIXTURE(products_of_quantised_tensors),
        TEST_WITH_FIXTURE(products_with_packed_blocks),
        TEST_WITH_FIXTURE(draws_of_classes),
        TEST_WITH_FIXTURE(maxima_of_regions),
        TEST_WITH_FIXTURE(packed_blocks_that_do_not_fit_are_refused),
        TEST_WITH_FIXTURE(unique_may_leave_out_its_values),
        TEST_WITH_FIXTURE(operands_that_do_not_fit_are_refused),
        TEST_WITH_FIXTURE(attention_that_does_not_fit_is_refused),
        TEST_WITH_FIXTURE(angles_that_do_not_fit_are_refused),
        TEST_WITH_FIXTURE(attributes_out_of_bounds_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
