/* onnx_write.h: writing ONNX models that are built in C, node by node.
 *
 *     OnnxWriter *w = onnx_writer_create(arena, diagnostics, "mlp", 18);
 *     onnx_writer_input(w, "x", DTYPE_F32, 2, (int64_t[]){0, 784}, (const char *[]){"batch", NULL});
 *     onnx_writer_initializer(w, "fc.weight", DTYPE_F32, 2, (int64_t[]){10, 784}, fill_normal, &generator);
 *     onnx_writer_initializer(w, "fc.bias", DTYPE_F32, 1, (int64_t[]){10}, fill_zero, NULL);
 *     onnx_writer_node(w, "Gemm", "fc", 3, (const char *[]){"x", "fc.weight", "fc.bias"}, 1, (const char *[]){"y"});
 *     onnx_writer_attr_int(w, "transB", 1);
 *     onnx_writer_output(w, "y", DTYPE_F32, 2, (int64_t[]){0, 10}, (const char *[]){"batch", NULL});
 *     onnx_writer_save(w, "mlp.onnx");
 *
 * Nodes, inputs and outputs appear in the file in the order of the calls; nodes must be in topological order. Strings
 * are copied. Initializers are filled while they are written, so that a model of any size takes little memory. */
#ifndef PCC_FRONTEND_ONNX_WRITE_H
#define PCC_FRONTEND_ONNX_WRITE_H

#include "ir/ir.h"

typedef struct OnnxWriter OnnxWriter;

/* Writes elements [first, first + count) of an initializer, of its dtype; called with ascending `first`. */
typedef void (*OnnxFill)(void *context, int64_t first, int64_t count, void *elements);

OnnxWriter *onnx_writer_create(Arena *arena, Diagnostics *diagnostics, const char *graph_name, int opset);
/* symbols[i], when not NULL, makes axis i the dimension of that name; symbols itself may be NULL. */
void onnx_writer_input(OnnxWriter *writer, const char *name, Dtype dtype, int rank, const int64_t *dims,
                       const char *const *symbols);
void onnx_writer_output(OnnxWriter *writer, const char *name, Dtype dtype, int rank, const int64_t *dims,
                        const char *const *symbols);
void onnx_writer_initializer(OnnxWriter *writer, const char *name, Dtype dtype, int rank, const int64_t *dims,
                             OnnxFill fill, void *context);
/* A small tensor, copied. */
void onnx_writer_constant(OnnxWriter *writer, const char *name, Dtype dtype, int rank, const int64_t *dims,
                          const void *elements);
/* "" is an absent optional input. */
void onnx_writer_node(OnnxWriter *writer, const char *op, const char *name, int input_count, const char *const *inputs,
                      int output_count, const char *const *outputs);
/* Attributes of the last node. */
void onnx_writer_attr_int(OnnxWriter *writer, const char *name, int64_t value);
void onnx_writer_attr_ints(OnnxWriter *writer, const char *name, int count, const int64_t *values);
void onnx_writer_attr_float(OnnxWriter *writer, const char *name, float value);
void onnx_writer_attr_string(OnnxWriter *writer, const char *name, const char *value);
void onnx_writer_metadata(OnnxWriter *writer, const char *key, const char *value);
/* Writes PATH through a temporary file in its folder, synced and renamed. Tensors of a model that would pass
 * protobuf's 2 GiB go to PATH.data beside it. Errors are fatal. */
void onnx_writer_save(OnnxWriter *writer, const char *path);

#endif
