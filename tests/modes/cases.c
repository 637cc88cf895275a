/* cases.c: the graphs: operators that are spelt by others, and recurrent layers. */
#include "modes.h"

#define P(id, dims) "param %" #id " : f32[" dims "] = data\n"

#define LAYER(gates, directions) /* 3 steps of 2 sequences, 2 inputs and 3 hidden units */ \
    P(0, "3,2,2")                                                                          \
    P(1, #directions "," gates ",2")                                                       \
    P(2, #directions "," gates ",3")                                                       \
    P(4, #directions ",2,3")
#define LSTM(directions) LAYER("12", directions) P(3, #directions ",24") P(5, #directions ",2,3") P(6, #directions ",9")
#define GRU(directions) LAYER("9", directions) P(3, #directions ",18")
#define RNN(directions) LAYER("3", directions) P(3, #directions ",6")

#define ATTENTION                  \
    P(0, "2,2,3,4")                \
    P(1, "2,1,3,4")                \
    P(2, "2,1,3,5")                \
    P(3, "3,5")                    \
    P(4, "2,1,2,4")                \
    P(5, "2,1,2,5")                \
    "const %6 : i64[2] = {2, 3}\n" \
    "const %7 : bool[3,3] = {1, 0, 1, 1, 1, 0, 0, 0, 0}\n"
#define LINEAR_ATTENTION \
    P(0, "2,3,8") P(1, "2,3,4") P(2, "2,3,6") P(3, "2,2,2,3") P(4, "2,3,2") P(5, "2,3,4") P(6, "2,3,1")

const ModeCase mode_cases[] = {
    {"lstm", LSTM(1) "%7, %8, %9 = LSTM(%0, %1, %2, %3, _, %4, %5, %6)\noutput %7\noutput %8\noutput %9", -1, 1},
    {"lstm_packed",
     LSTM(2) "const %10 : i64[2] = {3, 2}\n%7, %8, %9 = LSTM(%0, %1, %2, %3, %10, %4, %5) "
             "{direction=\"bidirectional\"}\noutput %7\noutput %8\noutput %9",
     -1, 1},
    {"lstm_clip", LSTM(1) "%7 = LSTM(%0, %1, %2, %3, _, %4, %5) {clip=0.7, input_forget=1}\noutput %7", -1, 1},
    {"lstm_functions",
     LSTM(1) "%7 = LSTM(%0, %1, %2, %3, _, %4, %5) {activations=\"HardSigmoid Softsign Softplus\"}\noutput %7", -0.75,
     0.75},
    {"gru", GRU(2) "%7, %8 = GRU(%0, %1, %2, %3, _, %4) {direction=\"bidirectional\"}\noutput %7\noutput %8", -1, 1},
    {"gru_reset_after",
     GRU(1) "const %10 : i64[2] = {3, 2}\n%7, %8 = GRU(%0, %1, %2, %3, %10, %4) {direction=\"reverse\", "
            "linear_before_reset=1}\noutput %7\noutput %8",
     -1, 1},
    {"rnn", RNN(2) "%7, %8 = RNN(%0, %1, %2, %3, _, %4) {direction=\"bidirectional\"}\noutput %7\noutput %8", -1, 1},

    {"attention_cache",
     ATTENTION "%8, %9, %10 = Attention(%0, %1, %2, %3, %4, %5) {is_causal=1}\noutput %8\noutput %9\noutput %10", -1,
     1},
    {"attention_window",
     ATTENTION "%8 = Attention(%0, %1, %2, %3, %4, %5) {left_window_size=2, right_window_size=1, softcap=0.75}\n"
               "output %8",
     -1, 1},
    {"attention_lengths",
     ATTENTION "%8 = Attention(%0, %1, %2, _, _, _, %6) {is_causal=1, left_window_size=1}\noutput %8", -1, 1},
    {"attention_scores",
     ATTENTION "%8, _, _, %9 = Attention(%0, %1, %2, %7) {qk_matmul_output_mode=3}\noutput %8\noutput %9", -1, 1},
    {"linear_attention_gated",
     LINEAR_ATTENTION "%7, %8 = LinearAttention(%0, %1, %2, %3, %4, %6) {q_num_heads=4, kv_num_heads=2, scale=0.25}\n"
                      "output %7\noutput %8",
     -1, 1},
    {"causal_conv",
     P(0, "2,3,5") P(1, "3,1,3") P(2, "3")
         P(3, "2,3,2") "%4, %5 = CausalConvWithState(%0, %1, %2, %3) {activation=\"silu\"}\noutput %4\noutput %5",
     -1, 1},
    {"swiglu", P(0, "2,3,4") P(1, "2,3,4") "%2 = SwiGLU(%0, %1) {alpha=1.5}\noutput %2", -2, 2},

    /* Places well within a pixel: where rounding would move one into the next, gradients jump. */
    {"grid_linear",
     P(0, "1,2,4,4") "param %1 : f32[1,2,2,2] = {-0.125, 0.1875, 0.3125, -0.625, 0.625, 0.375, -0.8125, 0.125}\n"
                     "%2 = GridSample(%0, %1)\noutput %2",
     -1, 1},
    {"grid_cubic",
     P(0, "1,2,4,4") "param %1 : f32[1,2,2,2] = {-0.125, 0.1875, 0.3125, -0.625, 0.625, 0.375, -0.8125, 0.125}\n"
                     "%2 = GridSample(%0, %1) {mode=\"cubic\", padding_mode=\"border\"}\noutput %2",
     -1, 1},
    {"grid_reflected",
     P(0, "1,1,4,4") "param %1 : f32[1,2,2,2] = {-1.625, 0.1875, 0.3125, -1.375, 0.6875, 1.125, -0.8125, 0.125}\n"
                     "%2 = GridSample(%0, %1) {padding_mode=\"reflection\"}\noutput %2",
     -1, 1},
    {"affine_grid", P(0, "2,2,3") "const %1 : i64[4] = {2, 1, 3, 4}\n%2 = AffineGrid(%0, %1)\noutput %2", -1, 1},
    {"roi_align",
     P(0, "2,2,5,6") "const %1 : f32[3,4] = {0.25, 0.625, 4.125, 3.875, 1.125, -0.75, 7.25, 2.25, 1, 1, 2.625, 2.75}\n"
                     "const %2 : i64[3] = {1, 0, 1}\n%3 = RoiAlign(%0, %1, %2) {output_height=2, output_width=3, "
                     "sampling_ratio=2, spatial_scale=0.875}\noutput %3",
     -1, 1},
    {"roi_align_places",
     P(0, "1,1,5,5") "param %1 : f32[1,4] = {0.75, 1, 2.75, 2.5}\nconst %2 : i64[1] = {0}\n"
                     "%3 = RoiAlign(%0, %1, %2) {output_height=2, output_width=2, sampling_ratio=1}\noutput %3",
     -1, 1},
    {"roi_align_max",
     "param %0 : f32[1,1,3,4] = {1, 5, 2, 8, 3, 0.5, 7, 4, 6, 2.5, 9, 1.5}\n"
     "const %1 : f32[1,4] = {0.5, 0.5, 3.5, 2.5}\nconst %2 : i64[1] = {0}\n"
     "%3 = RoiAlign(%0, %1, %2) {mode=\"max\", output_height=1, output_width=2, sampling_ratio=2}\noutput %3",
     0, 0},
    {"max_roi_pool",
     "param %0 : f32[1,2,3,4] = {1, 5, 2, 8, 3, 0.5, 7, 4, 6, 2.5, 9, 1.5, -1, -5, -2, -8, -3, -0.5, -7, -4, -6, -2.5, "
     "-9, -1.5}\nconst %1 : f32[3,5] = {0, 0, 0, 2, 2, 0, 1, 1, 5.25, 3.75, 0, -9, 0, -7, 1}\n"
     "%3 = MaxRoiPool(%0, %1) {pooled_shape=[2, 2]}\noutput %3",
     0, 0},
    {"deform_conv",
     P(0, "1,4,4,3")
         P(1, "2,2,2,2") "const %2 : f32[1,1,1,1] = {0.25}\nconst %6 : i64[4] = {1, 16, 3, 2}\n%7 = Expand(%2, %6)\n" P(
             3, "2") P(4, "1,8,3,2") "%5 = DeformConv(%0, %1, %7, %3, %4) {group=2, offset_group=2}\noutput %5",
     -0.875, 0.875},
    {"deform_conv_offsets",
     P(0, "1,1,3,3") P(1, "1,1,2,2") "param %2 : f32[1,8,2,2] = {0.25, 0.5, -0.375, 0.625, 0.5, 0.25, 0.75, -0.5, "
                                     "0.3125, 0.6875, 0.5, 0.25, -0.25, "
                                     "0.375, 0.625, 0.75, 0.5, -0.625, 0.25, 0.375, 0.75, 0.5, 0.3125, 0.625, 0.25, "
                                     "0.5, -0.375, 0.625, 0.5, 0.25, "
                                     "0.75, -0.5}\n%3 = DeformConv(%0, %1, %2)\noutput %3",
     -1, 1},
    {"crop_and_resize",
     P(0, "1,1,4,5") "const %1 : f32[4] = {0.125, 0.25, 0.75, 1.25}\nconst %2 : i64[2] = {3, 4}\n"
                     "%3 = CropAndResize(%0, %1, _, %2) {axes=[2, 3], mode=\"linear\", extrapolation_value=3.0}\n"
                     "output %3",
     -1, 1},
    {"col2im",
     P(0, "1,4,6") "const %1 : i64[2] = {4, 5}\nconst %2 : i64[2] = {2, 2}\n"
                   "%3 = Col2Im(%0, %1, %2) {strides=[2, 2], pads=[1, 0, 0, 1], dilations=[2, 1]}\noutput %3",
     -1, 1},
    {"max_pool_and_back",
     "param %0 : f32[1,1,2,6] = {1, 5, 2, 8, 3, 0.5, 7, 4, 6, 2.5, 9, 1.5}\n"
     "%1, %2 = MaxPool(%0) {kernel_shape=[2, 2], strides=[2, 2]}\n"
     "%3 = MaxUnpool(%1, %2) {kernel_shape=[2, 2], strides=[2, 2]}\n%4 = Mul(%3, %3)\noutput %4",
     0, 0},
    {"tensor_scatter",
     P(0, "2,4,2") P(1, "2,2,2") "const %2 : i64[2] = {3, 1}\n%3 = TensorScatter(%0, %1, %2) {mode=\"circular\"}\n%4 = "
                                 "Mul(%3, %3)\noutput %4",
     -1, 1},

    {"dft", P(0, "2,5,2") "%1 = DFT(%0)\n%2 = Mul(%1, %1)\noutput %2", -1, 1},
    {"dft_one_sided", P(0, "1,6,1") "const %1 : i64[] = {8}\n%2 = DFT(%0, %1) {onesided=1}\n%3 = Tanh(%2)\noutput %3",
     -1, 1},
    {"dft_inverse", P(0, "1,4,2") "%1 = DFT(%0) {onesided=1, inverse=1}\n%2 = Mul(%1, %1)\noutput %2", -1, 1},
    {"stft", P(0, "1,9,1") "const %1 : i64[] = {2}\n" P(2, "4") "%3 = STFT(%0, %1, %2)\noutput %3", -1, 1},
    {"det",
     "param %0 : f32[2,3,3] = {2, 0.5, -1, 0.25, 3, 1, -0.5, 1.25, 2.5, 1, -2, 0.5, 3, 1.5, 0.25, 0.75, -1, 2}\n"
     "%1 = Det(%0)\noutput %1",
     0, 0},
    {"layer_norm_statistics",
     P(0, "3,4") P(1, "4") "%2, %3, %4 = LayerNormalization(%0, %1)\noutput %2\noutput %3\noutput %4", -1, 1},

    {"fused_matmul",
     P(0, "4,2,3")
         P(1,
           "5,2,4") "%2 = FusedMatMul(%0, %1) {alpha=0.5, transA=1, transB=1, transBatchA=1, transBatchB=1}\noutput %2",
     -1, 1},
    {"bias_gelu",
     P(0, "2,4")
         P(1, "4") "%2 = BiasGelu(%0, %1)\n%3 = FastGelu(%0, %1)\n%4 = QuickGelu(%0)\n%5 = BiasSplitGelu(%0, %1)\n"
                   "%6 = BiasAdd(%0, %1, %4)\noutput %2\noutput %3\noutput %5\noutput %6",
     -2, 2},
    {"skip_layer_norm",
     P(0, "2,3,4") P(1, "3,4") P(2, "4") P(3, "4")
         P(4, "4") "%5, _, _, %6 = SkipLayerNormalization(%0, %1, %2, %3, %4)\noutput %5\noutput %6",
     -1, 1},
    {"skip_rms_norm",
     P(0, "2,3,4") P(1, "2,3,4") P(
         2,
         "4") "%3, _, _, %4 = SkipSimplifiedLayerNormalization(%0, %1, %2)\n%5 = SimplifiedLayerNormalization(%0, %2)\n"
              "output %3\noutput %4\noutput %5",
     -1, 1},
    {"embed_layer_norm",
     "const %0 : i32[1,3] = {2, 0, 2}\nconst %1 : i32[1,3] = {1, 0, 1}\n" P(2, "3,4") P(3, "5,4") P(4, "2,4") P(5, "4")
         P(6, "4") "%7 = EmbedLayerNormalization(%0, %1, %2, %3, %4, %5, %6) {epsilon=0.01}\noutput %7",
     -1, 1},
    {"fused_conv",
     P(0, "1,2,4,4") P(1, "3,2,3,3") P(2, "3")
         P(3, "1,3,2,2") "%4 = FusedConv(%0, %1, %2, %3) {activation=\"Tanh\"}\noutput %4",
     -1, 1},
    {"multi_head_attention",
     P(0, "2,3,8") P(1, "2,4,8") P(2, "2,4,6") P(3, "22") "const %4 : i32[2,4] = {1, 1, 0, 1, 1, 1, 1, 1}\n" P(
         5, "1,2,3,4") "%6 = MultiHeadAttention(%0, %1, %2, %3, %4, %5) {num_heads=2}\noutput %6",
     -1, 1},
    {"contrib_attention",
     P(0, "1,3,8") P(1, "8,24") P(2, "24") P(3, "2,1,2,2,4") "%4, %5 = MicrosoftAttention(%0, %1, %2, _, %3) "
                                                             "{num_heads=2, unidirectional=1}\noutput %4\noutput %5",
     -0.5, 0.5},
    {"grouped_query_attention",
     P(0, "1,3,8") P(1, "1,3,4")
         P(2, "1,3,4") "const %3 : f32[4,2] = {0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 1}\n"
                       "%4, %5, %6 = GroupQueryAttention(%0, %1, %2, _, _, _, _, %3, %3) {num_heads=2, kv_num_heads=1, "
                       "do_rotary=1, "
                       "local_window_size=2}\noutput %4\noutput %5\noutput %6",
     -1, 1},
    {"rotary",
     P(0, "1,3,8") "const %1 : i64[1] = {1}\n" P(2, "5,2")
         P(3, "5,2") "%4 = MicrosoftRotaryEmbedding(%0, %1, %2, %3) {interleaved=1}\noutput %4",
     -1, 1},

    /* Steps of a power of two, so that a number is rounded to the same step in every format. */
    {"quantised",
     P(0, "2,3") P(1, "3,4") "const %2 : f32[] = {0.0625}\nconst %3 : i8[] = {3}\n"
                             "%4 = QuantizeLinear(%1, %2, %3) {output_dtype=3}\n%5 = DequantizeLinear(%4, %2, %3)\n%6 "
                             "= MatMul(%0, %5)\n"
                             "output %6",
     -1, 1},
    {"quantised_by_channel",
     P(0, "2,4") P(
         1,
         "4,3") "const %2 : f32[3] = {0.0625, 0.125, 0.03125}\nconst %3 : i8[3] = {0, -4, 100}\n"
                "%4 = QuantizeLinear(%1, %2, %3) {axis=1, output_dtype=3}\n%5 = DequantizeLinear(%4, %2, %3) {axis=1}\n"
                "%6 = MatMul(%0, %5)\noutput %6",
     -2, 2},
    {"quantised_by_block",
     P(0, "2,4") P(1, "4,4") "const %2 : f32[4,2] = {0.25, 0.125, 0.0625, 0.5, 0.25, 0.125, 0.5, 0.0625}\n"
                             "%4 = QuantizeLinear(%1, %2) {axis=1, block_size=2, output_dtype=3}\n"
                             "%5 = DequantizeLinear(%4, %2) {axis=1, block_size=2}\n%6 = MatMul(%0, %5)\noutput %6",
     -2, 2},
    {"fp8", P(0, "2,3") P(1, "3,4") "%2 = CastNarrow(%1) {to=17}\n%3 = MatMul(%0, %2)\noutput %3", -1, 1},
    {"fp4", P(0, "2,3") P(1, "3,4") "%2 = CastNarrow(%1) {to=23}\n%3 = MatMul(%0, %2)\noutput %3", -3, 3},
    {0},
};
