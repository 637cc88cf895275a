/* bind_dims.c: the types of the graph's inputs, with every symbolic dimension bound by an option. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/import/onnx_model.h"
#include "ir/narrow.h"

typedef struct Binder {
    Import *import;
    const ImportOptions *options;
    NameTable batch_symbols;     /* symbols that --batch binds, by their use as a first axis or by their name */
    bool took_batch;             /* an input's first axis was symbolic, or has that size */
    const ValueInfoProto *fixed; /* an input whose first axis is fixed at another size */
    bool *used_dims, *used_shapes, *used_bindings;
    int unbound;
} Binder;

/* ---- the options' text ------------------------------------------------------------------------------------------ */

static bool parse_size(const char *text, char **end, int64_t *size)
{
    *size = 0;
    const char *digit = text;
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        if (*size > INT32_MAX) {
            return false;
        }
        *size = *size * 10 + (*digit - '0');
    }
    *end = (char *)(uintptr_t)digit;
    return digit > text;
}

/* Symbols may themselves contain '=': the last one separates. */
bool parse_dim_binding(Arena *arena, const char *text, DimBinding *binding)
{
    const char *equals = strrchr(text, '=');
    char *end;
    if (!equals || equals == text || !parse_size(equals + 1, &end, &binding->size) || *end) {
        return false;
    }
    binding->name = arena_strndup(arena, text, (size_t)(equals - text));
    return true;
}

bool parse_shape_binding(Arena *arena, const char *text, ShapeBinding *binding)
{
    const char *equals = strrchr(text, '=');
    if (!equals || equals == text) {
        return false;
    }
    *binding = (ShapeBinding){.input = arena_strndup(arena, text, (size_t)(equals - text))};
    const char *dims = equals + 1;
    while (*dims) {
        char *end;
        if (binding->rank == MAX_RANK || !parse_size(dims, &end, &binding->dims[binding->rank++]) ||
            (*end && (*end != 'x' || !end[1]))) {
            return false;
        }
        dims = *end ? end + 1 : end;
    }
    return true;
}

/* ---- inputs ----------------------------------------------------------------------------------------------------- */

typedef Onnx__TensorShapeProto__Dimension Dimension;

static const Onnx__TensorShapeProto *declared_shape(const ValueInfoProto *info)
{
    return info->type && info->type->tensor_type ? info->type->tensor_type->shape : NULL;
}

/* Exporters also write a dimension that they do not know as "?": each is one of its own, and no symbol. */
static const char *symbol_of(const Dimension *dim)
{
    bool named = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
    return named && *dim->dim_param && strcmp(dim->dim_param, "?") != 0 ? dim->dim_param : NULL;
}

/* ... or as 0 or a negative value. */
static bool is_fixed(const Dimension *dim)
{
    return dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && dim->dim_value > 0;
}

static const ShapeBinding *find_shape(Binder *binder, const char *input)
{
    const ShapeBinding *found = NULL;
    for (int i = 0; i < binder->options->shape_count; i++) {
        if (strcmp(binder->options->shapes[i].input, input) == 0) {
            found = &binder->options->shapes[i];
            binder->used_shapes[i] = true;
        }
    }
    return found;
}

static const InputConstant *find_constant(const Binder *binder, const char *input)
{
    for (int i = 0; i < binder->options->constant_count; i++) {
        if (strcmp(binder->options->constants[i].input, input) == 0) {
            return &binder->options->constants[i];
        }
    }
    return NULL;
}

static const InputBinding *find_binding(const Binder *binder, const char *input)
{
    const InputBinding *found = NULL;
    for (int i = 0; i < binder->options->binding_count; i++) {
        if (strcmp(binder->options->bindings[i].input, input) == 0) {
            found = &binder->options->bindings[i];
            binder->used_bindings[i] = true;
        }
    }
    return found;
}

static bool bound_symbol(Binder *binder, const char *symbol, int64_t *size)
{
    bool found = false;
    for (int i = 0; i < binder->options->dim_count; i++) {
        if (strcmp(binder->options->dims[i].name, symbol) == 0) {
            *size = binder->options->dims[i].size;
            found = binder->used_dims[i] = true;
        }
    }
    if (!found && binder->options->batch && name_table_find(&binder->batch_symbols, symbol)) {
        *size = binder->options->batch;
        found = true;
    }
    return found;
}

/* The size of a dimension that is fixed, or that an option binds; false when it is open. */
static bool size_of_dim(Binder *binder, size_t axis, const Dimension *dim, int64_t *size)
{
    const char *symbol = symbol_of(dim);
    const int64_t batch = rebatch_size(binder->import->rebatch);
    if (is_fixed(dim)) {
        *size = axis == 0 && batch ? batch : dim->dim_value;
        return true;
    }
    if (symbol) {
        return bound_symbol(binder, symbol, size);
    }
    *size = binder->options->batch;
    return axis == 0 && binder->options->batch > 0;
}

static bool bind_dim(Binder *binder, const ValueInfoProto *info, size_t axis, const Dimension *dim, int64_t *size)
{
    const char *symbol = symbol_of(dim);
    if (size_of_dim(binder, axis, dim, size)) {
        return true;
    }
    const char *batch = axis == 0 ? "--batch N or " : "";
    binder->unbound++;
    if (symbol) {
        error(binder->import->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
              "input '%s' has the unbound dimension '%s' on axis %zu; give %s--dim %s=N", info->name, symbol, axis,
              batch, symbol);
    } else {
        error(binder->import->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
              "input '%s' has an unknown dimension on axis %zu; give %s--shape %s=AxBx...", info->name, axis, batch,
              info->name);
    }
    return false;
}

static bool shape_of_input(Binder *binder, const ValueInfoProto *info, Type *type)
{
    const ShapeBinding *given = find_shape(binder, info->name);
    const Onnx__TensorShapeProto *shape = declared_shape(info);
    if (given) {
        *type = make_type(type->dtype, given->rank, given->dims);
    } else if (!shape) {
        binder->unbound++;
        error(binder->import->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
              "input '%s' has no shape in the file; give --shape %s=AxBx...", info->name, info->name);
        return false;
    } else if (shape->n_dim > MAX_RANK) {
        fatal(binder->import->diagnostics, EXIT_STATUS_UNSUPPORTED, NO_ORIGIN,
              "input '%s' has rank %zu; pcc goes up to %d", info->name, shape->n_dim, MAX_RANK);
    } else {
        bool bound = true;
        type->rank = (int)shape->n_dim;
        for (size_t axis = 0; axis < shape->n_dim; axis++) {
            bound &= bind_dim(binder, info, axis, shape->dim[axis], &type->dims[axis]);
        }
        if (!bound) {
            return false;
        }
    }
    if (!type_is_valid(type)) {
        fatal(binder->import->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "input '%s' is too large: %s", info->name,
              type_text(binder->import->arena, type));
    }
    return true;
}

/* Of an input that --bind makes constant: where the file leaves it open, as many elements as there are values. */
static bool shape_of_binding(Binder *binder, const ValueInfoProto *info, const InputBinding *binding, Type *type)
{
    const Onnx__TensorShapeProto *shape = declared_shape(info);
    int64_t size;
    bool is_list = shape ? shape->n_dim == 1 && !size_of_dim(binder, 0, shape->dim[0], &size) : binding->count > 1;
    if (find_shape(binder, info->name) || (shape && !is_list)) {
        return shape_of_input(binder, info, type);
    }
    *type = make_type(type->dtype, is_list, &binding->count);
    return true;
}

/* The constant's elements in the dtype of `type`, whose dims become the constant's. */
static const void *constant_data(const Import *import, const InputConstant *constant, Type *type)
{
    Tensor tensor = tensor_from_data(import->arena, &constant->type, constant->data);
    *type = make_type(type->dtype, constant->type.rank, constant->type.dims);
    if (is_float(type->dtype) != is_float(constant->type.dtype)) {
        fatal(import->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "input '%s' is %s, but the model wants %s",
              constant->input, type_text(import->arena, &constant->type), type_text(import->arena, type));
    }
    tensor.type = *type;
    return tensor_to_data(import->arena, &tensor);
}

/* Of an input that pcc cannot read: "a sequence", "a tensor of type STRING". */
static const char *input_kind(Arena *arena, const ValueInfoProto *info)
{
    const Onnx__TypeProto *type = info->type;
    if (type && type->tensor_type) {
        return arena_printf(arena, "a tensor of type %s", onnx_data_type_name(type->tensor_type->elem_type));
    }
    return !type                      ? "of no type"
           : type->sequence_type      ? "a sequence"
           : type->map_type           ? "a map"
           : type->sparse_tensor_type ? "a sparse tensor"
           : type->optional_type      ? "optional"
                                      : "no tensor";
}

static Value *constant_input(Binder *binder, const InputConstant *constant, int data_type, const char *name)
{
    Import *import = binder->import;
    Type type = {0};
    held_dtype_from_onnx(data_type, &type.dtype);
    widen_type(import, &type);
    const void *data = constant_data(import, constant, &type);
    Value *value = value_create(import->graph, constant->is_fed ? VALUE_INPUT : VALUE_CONST, type, name);
    value->data = data;
    value->narrow = narrow_format(data_type) ? data_type : 0;
    if (constant->is_fed) {
        graph_add_input(import->graph, value);
    }
    return value;
}

/* The tensors that a sequence or an optional holds: 0 where pcc does not have them. */
static int contents_type(const Onnx__TypeProto *type)
{
    type = type && type->optional_type ? type->optional_type->elem_type : type;
    type = type && type->sequence_type ? type->sequence_type->elem_type : type;
    Dtype dtype;
    return type && type->tensor_type && held_dtype_from_onnx(type->tensor_type->elem_type, &dtype)
               ? type->tensor_type->elem_type
               : 0;
}

/* A sequence has the tensors NAME.0, NAME.1, ... that are given; an optional that, or NAME, or nothing. False where
 * what the inputs are is not known. */
static bool bind_container(Binder *binder, Scope *scope, const ValueInfoProto *info, const char *name)
{
    Import *import = binder->import;
    const Onnx__TypeProto *type = info->type;
    const bool is_optional = type && type->optional_type, is_sequence = type && type->sequence_type;
    const int data_type = contents_type(type);
    if ((!is_optional && !is_sequence) || !import->options->any_input || !data_type) {
        return false;
    }
    Value **items = NULL, *value = NULL;
    int count = 0;
    const InputConstant *constant = find_constant(binder, name);
    if (constant && is_optional) {
        value = constant_input(binder, constant, data_type, name);
    }
    for (const char *item; !value; count++) {
        item = arena_printf(import->arena, "%s.%d", name, count);
        constant = find_constant(binder, item);
        if (!constant) {
            break;
        }
        Value *added = constant_input(binder, constant, data_type, item);
        int grown = count;
        APPEND(import->arena, items, grown, added);
    }
    value = value ? value : count || is_sequence ? sequence_create(import, count, items) : nothing_create(import);
    define_value(import, scope, NO_ORIGIN, name, value);
    return true;
}

static void bind_input(Binder *binder, Scope *scope, const ValueInfoProto *info)
{
    Import *import = binder->import;
    const InputBinding *binding = find_binding(binder, info->name);
    const InputConstant *constant = find_constant(binder, info->name);
    const char *name = arena_strndup(import->arena, info->name, strlen(info->name));
    int data_type = info->type && info->type->tensor_type ? info->type->tensor_type->elem_type : 0;
    Type type = {0};
    if (bind_container(binder, scope, info, name)) {
        return;
    }
    if (!held_dtype_from_onnx(data_type, &type.dtype)) {
        Value *poisoned = unsupported_type(import, "input '%s' is %s; pcc reads tensors of numbers", name,
                                           input_kind(import->arena, info));
        define_value(import, scope, NO_ORIGIN, name, poisoned);
        return;
    }
    widen_type(import, &type);
    if (!binding && !constant) {
        if (shape_of_input(binder, info, &type)) {
            Value *value = value_create(import->graph, VALUE_INPUT, type, name);
            value->narrow = narrow_format(data_type) ? data_type : 0;
            graph_add_input(import->graph, value);
            rebatch_input(import, value);
            define_value(import, scope, NO_ORIGIN, name, value);
        }
        return;
    }
    if (binding && !shape_of_binding(binder, info, binding, &type)) {
        return;
    }
    find_shape(binder, info->name); /* of a constant, the data say it */
    Value *value;
    if (binding) {
        value = value_create(import->graph, VALUE_CONST, type, name);
        value->data = bound_data(import, binding, &type);
        value->narrow = narrow_format(data_type) ? data_type : 0;
    } else {
        value = constant_input(binder, constant, data_type, name);
    }
    define_value(import, scope, NO_ORIGIN, name, value);
}

/* ---- what --batch binds ---------------------------------------------------------------------------------------- */

static void note_batch_axis(Binder *binder, const ValueInfoProto *info)
{
    static char present;
    const Onnx__TensorShapeProto *shape = declared_shape(info);
    for (size_t axis = 0; shape && axis < shape->n_dim; axis++) {
        const char *symbol = symbol_of(shape->dim[axis]);
        bool named = symbol && (!strcmp(symbol, "batch") || !strcmp(symbol, "batch_size") || !strcmp(symbol, "N"));
        if (symbol && (axis == 0 || named)) {
            name_table_set(&binder->batch_symbols, binder->import->arena, symbol, &present);
        }
        binder->took_batch |= named;
    }
    if (shape && shape->n_dim > 0 && !find_binding(binder, info->name)) {
        const Dimension *first = shape->dim[0];
        bool agrees = !is_fixed(first) || first->dim_value == binder->options->batch;
        binder->took_batch |= agrees;
        binder->fixed = agrees || binder->fixed ? binder->fixed : info;
    }
}

static void check_batch(const Binder *binder)
{
    const int64_t batch = binder->options->batch;
    if (!batch || binder->took_batch || !binder->fixed || rebatch_size(binder->import->rebatch)) {
        return;
    }
    int64_t size = declared_shape(binder->fixed)->dim[0]->dim_value;
    bool divides = batch % size == 0;
    fatal(binder->import->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN,
          "--batch %" PRId64 ": input '%s' has the fixed first dimension %" PRId64
          ", which is part of the graph; export the model with a dynamic batch axis, or give --batch %" PRId64
          "%s: --accumulate %" PRId64 " trains with %" PRId64 " samples an update",
          batch, binder->fixed->name, size, size, divides ? "" : " and as many micro-batches as you like",
          divides ? batch / size : 2, divides ? batch : 2 * size);
}

/* ---- a fixed batch that is to be another ------------------------------------------------------------------------- */

static const ShapeBinding *last_shape(const ImportOptions *options, const char *input)
{
    const ShapeBinding *found = NULL;
    for (int i = 0; i < options->shape_count; i++) {
        found = strcmp(options->shapes[i].input, input) == 0 ? &options->shapes[i] : found;
    }
    return found;
}

static bool is_constant_input(const OnnxModel *model, const ImportOptions *options, const char *input)
{
    bool constant = false;
    for (int i = 0; i < options->binding_count; i++) {
        constant |= strcmp(options->bindings[i].input, input) == 0;
    }
    for (size_t i = 0; i < model->proto->graph->n_initializer; i++) {
        constant |= strcmp(text_or_empty(model->proto->graph->initializer[i]->name), input) == 0;
    }
    return constant;
}

/* Every input that has a first axis has it fixed at 1, and --batch or --shape want the same other size of all. */
int64_t wanted_batch(const OnnxModel *model, const ImportOptions *options)
{
    const GraphProto *graph = model->proto->graph;
    int64_t batch = options->batch;
    int found = 0;
    for (size_t i = 0; i < graph->n_input; i++) {
        const Onnx__TensorShapeProto *shape = declared_shape(graph->input[i]);
        const char *name = text_or_empty(graph->input[i]->name);
        if (is_constant_input(model, options, name) || (shape && shape->n_dim == 0)) {
            continue;
        }
        const ShapeBinding *given = last_shape(options, name);
        int64_t size = given && given->rank > 0 ? given->dims[0] : options->batch;
        batch = batch ? batch : size;
        if (!shape || !is_fixed(shape->dim[0]) || shape->dim[0]->dim_value != 1 || size != batch || size <= 1) {
            return 0;
        }
        found++;
    }
    return found == 0 || options->constant_count ? 0 : batch;
}

ImportOptions file_batch_options(Arena *arena, const ImportOptions *options)
{
    ImportOptions file = *options;
    ShapeBinding *shapes = NEW_ARRAY(arena, ShapeBinding, options->shape_count + 1);
    for (int i = 0; i < options->shape_count; i++) {
        shapes[i] = options->shapes[i];
        shapes[i].dims[0] = 1;
    }
    file.batch = options->batch ? 1 : 0;
    file.shapes = shapes;
    return file;
}

/* ---- options that name nothing ---------------------------------------------------------------------------------- */

static const char *suggestion(Arena *arena, const char *word, const char *const *candidates, int count)
{
    const char *near = did_you_mean(word, candidates, count);
    return near ? arena_printf(arena, "; did you mean '%s'?", near) : "";
}

static void no_such_input(const Binder *binder, const char *option, const char *name, const char *const *names,
                          int count)
{
    error(binder->import->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "%s %s: no input has that name%s", option, name,
          suggestion(binder->import->arena, name, names, count));
}

static void check_unused(const Binder *binder, size_t count, const ValueInfoProto *const *inputs)
{
    Arena *arena = binder->import->arena;
    size_t most = 0;
    for (size_t i = 0; i < count; i++) {
        most += declared_shape(inputs[i]) ? declared_shape(inputs[i])->n_dim : 0;
    }
    const char **names = NEW_ARRAY(arena, const char *, count + 1);
    const char **symbols = NEW_ARRAY(arena, const char *, most + 1);
    int name_count = 0, symbol_count = 0;
    for (size_t i = 0; i < count; i++) {
        const Onnx__TensorShapeProto *shape = declared_shape(inputs[i]);
        names[name_count++] = inputs[i]->name;
        for (size_t axis = 0; shape && axis < shape->n_dim; axis++) {
            if (symbol_of(shape->dim[axis])) {
                symbols[symbol_count++] = symbol_of(shape->dim[axis]);
            }
        }
    }
    for (int i = 0; i < binder->options->dim_count; i++) {
        const char *name = binder->options->dims[i].name;
        bool known = binder->used_dims[i];
        for (int j = 0; j < symbol_count && !known; j++) {
            known = strcmp(symbols[j], name) == 0; /* on an input that --shape overrides */
        }
        if (!known) {
            error(binder->import->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN,
                  "--dim %s: no input has a dimension of that name%s", name,
                  suggestion(arena, name, symbols, symbol_count));
        }
    }
    for (int i = 0; i < binder->options->shape_count; i++) {
        if (!binder->used_shapes[i]) {
            no_such_input(binder, "--shape", binder->options->shapes[i].input, names, name_count);
        }
    }
    for (int i = 0; i < binder->options->binding_count; i++) {
        if (!binder->used_bindings[i]) {
            no_such_input(binder, "--bind", binder->options->bindings[i].input, names, name_count);
        }
    }
}

void bind_inputs(Import *import, Scope *scope)
{
    const GraphProto *graph = import->model->proto->graph;
    Binder binder = {.import = import, .options = import->options};
    binder.used_dims = NEW_ARRAY(import->arena, bool, import->options->dim_count + 1);
    binder.used_bindings = NEW_ARRAY(import->arena, bool, import->options->binding_count + 1);
    binder.used_shapes = NEW_ARRAY(import->arena, bool, import->options->shape_count + 1);
    NameTable initializers = {0};
    for (size_t i = 0; i < graph->n_initializer; i++) {
        need(import, &initializers, graph->initializer[i]->name);
    }
    for (size_t i = 0; i < graph->n_sparse_initializer; i++) {
        const TensorProto *values = graph->sparse_initializer[i]->values;
        need(import, &initializers, values ? values->name : NULL);
    }
    /* Before IR version 4 every initializer was an input too; since then one that is has a default. */
    const ValueInfoProto **inputs = NEW_ARRAY(import->arena, const ValueInfoProto *, graph->n_input + 1);
    size_t count = 0;
    for (size_t i = 0; i < graph->n_input; i++) {
        if (!graph->input[i]->name || !*graph->input[i]->name) {
            fatal(import->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "input %zu has no name", i);
        }
        if (!name_table_find(&initializers, graph->input[i]->name)) {
            inputs[count++] = graph->input[i];
            note_batch_axis(&binder, graph->input[i]);
        }
    }
    check_batch(&binder);
    for (size_t i = 0; i < count; i++) {
        if (is_cut_input(import, &scope->needed, inputs[i]->name)) {
            find_shape(&binder, inputs[i]->name); /* may be given, but matters no more */
        } else {
            bind_input(&binder, scope, inputs[i]);
        }
    }
    check_unused(&binder, count, inputs);
    if (import->diagnostics->error_count) {
        leave(import->diagnostics);
    }
}

/* ---- the axes' names -------------------------------------------------------------------------------------------- */

/* Exporters make up a name for an axis that is not known: torch.onnx "logits_dim_0", TensorFlow's converter "unk__12".
 */
static bool is_made_up(const char *symbol)
{
    return strstr(symbol, "_dim_") || !strncmp(symbol, "unk__", strlen("unk__"));
}

static void declare(Import *import, DeclaredAxes *declared, int *count, const ValueInfoProto *info)
{
    const Onnx__TensorShapeProto *shape = info ? declared_shape(info) : NULL;
    if (!shape || !info->name || shape->n_dim > MAX_RANK) {
        return;
    }
    DeclaredAxes *axes = &declared[(*count)++];
    axes->name = arena_strndup(import->arena, info->name, strlen(info->name));
    for (size_t axis = 0; axis < shape->n_dim; axis++) {
        const char *symbol = symbol_of(shape->dim[axis]);
        axes->symbols[axis] =
            symbol && !is_made_up(symbol) ? arena_strndup(import->arena, symbol, strlen(symbol)) : NULL;
    }
}

void declare_axes(Import *import, const GraphProto *graph)
{
    DeclaredAxes *declared = NEW_ARRAY(import->arena, DeclaredAxes, graph->n_input + graph->n_output + 1);
    int count = 0;
    for (size_t i = 0; i < graph->n_input; i++) {
        declare(import, declared, &count, graph->input[i]);
    }
    for (size_t i = 0; i < graph->n_output; i++) {
        declare(import, declared, &count, graph->output[i]);
    }
    for (size_t i = 0; i < graph->n_value_info && import->options->output; i++) {
        if (!strcmp(text_or_empty(graph->value_info[i]->name), import->options->output)) {
            declare(import, declared, &count, graph->value_info[i]);
            break;
        }
    }
    import->graph->declared = declared;
    import->graph->declared_count = count;
}
