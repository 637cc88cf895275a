/* model.h: what the architectures of the zoo are built with: settings, initialisers, and layers as PyTorch spells them.
 *
 * A layer takes the module's path ("encoder.ln") and names its parameters as PyTorch's state_dict does, so that a zoo
 * model's weights can be loaded into the module and back. The node and its value are named after the path too. */
#ifndef PCC_MODELS_MODEL_H
#define PCC_MODELS_MODEL_H

#include "frontend/onnx/onnx_write.h"

enum { MAX_SETTING_VALUES = 16 };

/* One key of `pcc zoo NAME key=value`: a positive number, or a list of them. */
typedef struct Setting {
    const char *key;
    int64_t values[MAX_SETTING_VALUES];
    int count;
    bool is_list;
} Setting;

typedef struct Model {
    Arena *arena;
    Diagnostics *diagnostics;
    OnnxWriter *writer;
    const char *name; /* in the zoo */
    Setting *settings;
    int setting_count;
    uint64_t seed;
    int64_t parameters; /* trainable elements so far */
    int tensors;        /* so far; each draws from a stream of its own */
} Model;

/* ---- settings.c -------------------------------------------------------------------------------------------------- */

const Setting *model_setting(const Model *model, const char *key);
int64_t model_size(const Model *model, const char *key); /* the value of a key that is no list */
/* Sets KEY from "KEY=VALUE" or leaves with EXIT_STATUS_USAGE. */
void assign_setting(Model *model, const char *assignment);
char *setting_text(Arena *arena, const Setting *setting); /* "hidden=512,512" */
/* Leaves with EXIT_STATUS_USAGE unless `whole` is a multiple of `part`. */
void require_multiple(const Model *model, const char *whole, const char *part);

/* ---- init.c ------------------------------------------------------------------------------------------------------ */

typedef enum InitKind { INIT_CONSTANT, INIT_UNIFORM, INIT_NORMAL } InitKind;

/* CONSTANT: the value; UNIFORM: in [-scale, scale); NORMAL: of mean 0 and standard deviation `scale`. */
typedef struct Init {
    InitKind kind;
    double scale;
} Init;

Init init_constant(double value);
Init init_uniform(double bound);
Init init_normal(double deviation);
Init init_fan_in(int64_t fan_in);                          /* nn.Linear and nn.Conv2d: U(±1/sqrt(fan_in)) */
Init init_xavier_uniform(int64_t fan_in, int64_t fan_out); /* Glorot and Bengio 2010: U(±sqrt(6/(in + out))) */

/* ---- tensors.c: names in, names out ------------------------------------------------------------------------------ */

/* The graph input of those dims after the symbolic axis "batch"; inputs return their own name. */
const char *model_input(Model *model, const char *name, Dtype dtype, int rank, const int64_t *dims);
void model_output(Model *model, const char *name, int rank, const int64_t *dims);
const char *parameter(Model *model, const char *name, Init init, int rank, const int64_t *dims);
/* A float32 initializer that is not counted as a parameter: running statistics. */
const char *statistic(Model *model, const char *name, Init init, int64_t size);
const char *integers(Model *model, const char *name, int rank, const int64_t *dims, const int64_t *elements);
const char *integer_vector(Model *model, const char *name, int count, const int64_t *elements);
const char *scalar(Model *model, const char *name, double value);              /* a Constant node */
const char *path_join(const Model *model, const char *path, const char *leaf); /* "path.leaf" */

/* Nodes; `path` names the node ("/a/b") and its value ("a.b"), which they return. Attributes may follow. */
const char *node1(Model *model, const char *op, const char *path, const char *x);
const char *node2(Model *model, const char *op, const char *path, const char *x, const char *y);
const char *node3(Model *model, const char *op, const char *path, const char *x, const char *y, const char *z);
/* A node whose value has a name of its own. */
void named_node(Model *model, const char *op, const char *path, const char *value, int count,
                const char *const *inputs);
/* parts[i] is called path.i. */
void split_along(Model *model, const char *path, const char *x, int64_t axis, int count, const char **parts);
const char *reshape(Model *model, const char *path, const char *x, int rank, const int64_t *dims);
const char *transpose(Model *model, const char *path, const char *x, int rank, const int64_t *permutation);

/* ---- layers.c ---------------------------------------------------------------------------------------------------- */

typedef struct LinearInit {
    Init weight, bias;
} LinearInit;

LinearInit linear_default(int64_t in); /* nn.Linear.reset_parameters() */

/* x [N, in] -> [N, out] as one Gemm; weight [out, in]. */
const char *linear(Model *model, const char *path, const char *x, int64_t in, int64_t out, LinearInit init);
/* The same as the model's last layer: its value is the output "logits". */
void classifier(Model *model, const char *path, const char *x, int64_t in, int64_t classes, LinearInit init);
/* x [..., in] -> [..., out]: Transpose, MatMul, Add. */
const char *linear_tokens(Model *model, const char *path, const char *x, int64_t in, int64_t out, LinearInit init);
/* The same with the parameters' whole names. */
const char *project_tokens(Model *model, const char *path, const char *weight, const char *bias, const char *x);
const char *layer_norm(Model *model, const char *path, const char *x, int64_t dim, double epsilon);

typedef struct ConvShape {
    int64_t in, out, kernel, stride, padding;
    bool bias;
} ConvShape;

const char *conv2d(Model *model, const char *path, const char *x, ConvShape shape, LinearInit init);
LinearInit conv_default(ConvShape shape); /* nn.Conv2d.reset_parameters() */
/* In training mode, with the running statistics' updates as outputs; epsilon and momentum are PyTorch's defaults. */
const char *batch_norm(Model *model, const char *path, const char *x, int64_t channels);
const char *max_pool(Model *model, const char *path, const char *x, int64_t kernel, int64_t stride, int64_t padding);

/* ---- attention.c ------------------------------------------------------------------------------------------------- */

typedef struct Heads {
    int64_t tokens, dim, count; /* dim = count x width of a head */
} Heads;

/* Scaled dot-product attention on [B, H, T, D] values, merged to [B, T, H·D]. mask is added to the scores, or NULL. */
const char *attend(Model *model, const char *path, const char *q, const char *k, const char *v, const char *mask,
                   Heads heads);
/* The same from one projection [B, T, 3·H·D], split as [B, T, 3, H, D]. */
const char *attend_joint(Model *model, const char *path, const char *qkv, const char *mask, Heads heads);

/* ---- the architectures ------------------------------------------------------------------------------------------- */

void build_mlp(Model *model);
void build_cnn(Model *model);
void build_vit(Model *model);             /* the small one of bench/torch_step.py */
void build_vit_torchvision(Model *model); /* torchvision's names and initialisers */
void build_resnet18(Model *model);
void build_resnet50(Model *model);
void build_gpt2(Model *model);
void build_bert(Model *model);
void build_gcn(Model *model);
void build_lstm(Model *model);
void build_gru(Model *model);

#endif
