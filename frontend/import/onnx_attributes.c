/* onnx_attributes.c: AttributeProto to the IR's attributes, and Constant nodes to values. */
#include <string.h>
#include <strings.h>

#include "frontend/import/onnx_model.h"
#include "ir/narrow.h"
#include "ir/schema.h"

typedef Onnx__AttributeProto__AttributeType AttributeType;

#define TYPE(name) ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__##name

static const char *type_name(AttributeType type)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&onnx__attribute_proto__attribute_type__descriptor, (int)type);
    return value ? value->name : "of an unknown type";
}

/* Files before IR version 2 have no type: the field that is set decides. */
static AttributeType type_of(const AttributeProto *attribute)
{
    if (attribute->has_type && attribute->type != TYPE(UNDEFINED)) {
        return attribute->type;
    }
    return attribute->has_f      ? TYPE(FLOAT)
           : attribute->has_i    ? TYPE(INT)
           : attribute->has_s    ? TYPE(STRING)
           : attribute->t        ? TYPE(TENSOR)
           : attribute->g        ? TYPE(GRAPH)
           : attribute->n_floats ? TYPE(FLOATS)
           : attribute->n_ints   ? TYPE(INTS)
                                 : TYPE(UNDEFINED);
}

static const AttributeProto *find(size_t count, AttributeProto *const *attributes, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (attributes[i]->name && strcmp(attributes[i]->name, name) == 0) {
            return attributes[i];
        }
    }
    return NULL;
}

/* In a function's body an attribute may stand for one of the call, which may itself stand for one of an outer call;
 * an attribute that the call leaves out has the function's default, or is absent. */
static const AttributeProto *resolve(const Body *body, const AttributeProto *attribute)
{
    while (attribute && attribute->ref_attr_name && *attribute->ref_attr_name && body->function) {
        const FunctionProto *function = body->function;
        const char *name = attribute->ref_attr_name;
        const AttributeProto *given = find(body->call->n_attribute, body->call->attribute, name);
        if (!given) {
            return find(function->n_attribute_proto, function->attribute_proto, name);
        }
        attribute = given;
        body = body->caller;
    }
    return attribute;
}

const AttributeProto *node_attribute(const Body *body, const NodeProto *node, const char *name)
{
    return resolve(body, find(node->n_attribute, node->attribute, name));
}

static const int64_t *copy_ints(Arena *arena, size_t count, const int64_t *values)
{
    int64_t *copy = NEW_ARRAY(arena, int64_t, count + 1);
    for (size_t i = 0; i < count; i++) {
        copy[i] = values[i];
    }
    return copy;
}

static const char *copy_string(Arena *arena, const ProtobufCBinaryData *bytes)
{
    return arena_strndup(arena, bytes->len ? (const char *)bytes->data : "", bytes->len);
}

static const double *copy_floats(Arena *arena, size_t count, const float *values)
{
    double *copy = NEW_ARRAY(arena, double, count + 1);
    for (size_t i = 0; i < count; i++) {
        copy[i] = (double)values[i];
    }
    return copy;
}

/* A list of words is one string in the IR. */
static const char *join_words(Arena *arena, size_t count, const ProtobufCBinaryData *words)
{
    size_t length = 0, at = 0;
    for (size_t i = 0; i < count; i++) {
        length += words[i].len + 1; /* bounded by the file's size */
    }
    char *joined = NEW_ARRAY(arena, char, length + 1);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            joined[at++] = ' ';
        }
        if (words[i].len) {
            memcpy(joined + at, words[i].data, words[i].len);
        }
        at += words[i].len;
    }
    return joined;
}

/* True when the row declares this attribute with another kind: reported here, before an upgrade reads it. */
static bool wrong_kind(Import *import, const Node *node, const char *name, AttrKind kind)
{
    AttrSpec spec;
    if (!find_attr_spec(node->op, name, &spec) || spec.kind == kind) {
        return false;
    }
    error(import->diagnostics, EXIT_STATUS_INPUT, node->origin, "attribute '%s' is of type %s, but %s takes %s", name,
          attr_kind_name(kind), node->op->name, attr_kind_name(spec.kind));
    return true;
}

static bool set_attribute(Import *import, Node *node, const char *name, const AttributeProto *value)
{
    switch (type_of(value)) {
    case TYPE(INT):
        set_int(import->graph, node, name, value->i);
        return !wrong_kind(import, node, name, ATTR_INT);
    case TYPE(FLOAT):
        set_float(import->graph, node, name, (double)value->f);
        return !wrong_kind(import, node, name, ATTR_FLOAT);
    case TYPE(STRING):
        set_string(import->graph, node, name, copy_string(import->arena, &value->s));
        return !wrong_kind(import, node, name, ATTR_STRING);
    case TYPE(INTS):
        if (value->n_ints > INT32_MAX) {
            break;
        }
        set_ints(import->graph, node, name, (int)value->n_ints, copy_ints(import->arena, value->n_ints, value->ints));
        return !wrong_kind(import, node, name, ATTR_INTS);
    case TYPE(FLOATS):
        if (value->n_floats > INT32_MAX) {
            break;
        }
        set_floats(import->graph, node, name, (int)value->n_floats,
                   copy_floats(import->arena, value->n_floats, value->floats));
        return !wrong_kind(import, node, name, ATTR_FLOATS);
    case TYPE(STRINGS):
        set_string(import->graph, node, name, join_words(import->arena, value->n_strings, value->strings));
        return !wrong_kind(import, node, name, ATTR_STRING);
    default:
        break;
    }
    unsupported(import, node->origin, "%s: attribute '%s' of type %s", node->op->name, name, type_name(type_of(value)));
    return false;
}

/* A tensor attribute is an operand of pcc's row, of the same name whatever the case. */
static int operand_of_tensor(const Op *op, const char *attribute)
{
    const char *cursor = op->inputs;
    OperandSpec spec;
    for (int i = 0; next_operand(&cursor, &spec); i++) {
        if (strlen(attribute) == (size_t)spec.length && strncasecmp(attribute, spec.name, (size_t)spec.length) == 0) {
            return i;
        }
    }
    return -1;
}

static Value *constant_from_tensor(Import *import, Origin origin, const TensorProto *tensor)
{
    Type type;
    if (!tensor || !tensor_type(import->model, origin, tensor, &type)) {
        unsupported(import, origin, "%s with data of type %s", origin.op,
                    tensor ? onnx_data_type_name(tensor->data_type) : "UNDEFINED");
        return NULL;
    }
    const void *data = tensor_data(import->model, origin, tensor, &type);
    widen_tensor(import, &type, &data);
    Value *value = const_create(import->graph, type, data, NULL);
    value->narrow = narrow_format(tensor->data_type) ? tensor->data_type : 0;
    return value;
}

int tensor_operands(Import *import, const Body *body, Origin origin, const NodeProto *from, const Op *op,
                    Value *operands[MAX_TENSOR_OPERANDS])
{
    int count = 0;
    for (size_t i = 0; i < from->n_attribute; i++) {
        const AttributeProto *value = resolve(body, from->attribute[i]);
        int operand = value && type_of(value) == TYPE(TENSOR) && from->attribute[i]->name
                          ? operand_of_tensor(op, from->attribute[i]->name)
                          : -1;
        if (operand >= 0 && operand < MAX_TENSOR_OPERANDS) {
            operands[operand] = constant_from_tensor(import, origin, value->t);
            count = operand >= count ? operand + 1 : count;
        }
    }
    return count;
}

bool import_attributes(Import *import, const Body *body, const NodeProto *from, Node *to)
{
    bool imported = true;
    for (size_t i = 0; i < from->n_attribute; i++) {
        const AttributeProto *value = resolve(body, from->attribute[i]);
        const char *name = text_or_empty(from->attribute[i]->name);
        bool is_operand = value && type_of(value) == TYPE(TENSOR) && operand_of_tensor(to->op, name) >= 0;
        if (!value || is_operand) {
            continue;
        }
        if (has_attr(to, name)) {
            error(import->diagnostics, EXIT_STATUS_INPUT, to->origin, "attribute '%s' is given twice", name);
            return false;
        }
        imported &= set_attribute(import, to, arena_strndup(import->arena, name, strlen(name)), value);
    }
    return imported;
}

/* ---- Constant --------------------------------------------------------------------------------------------------- */

static Value *constant_floats(Import *import, int rank, size_t count, const float *values)
{
    float *data = NEW_ARRAY(import->arena, float, count + 1);
    for (size_t i = 0; i < count; i++) {
        data[i] = values[i];
    }
    Type type = make_type(DTYPE_F32, rank, &(int64_t){(int64_t)count});
    const void *elements = data;
    widen_tensor(import, &type, &elements);
    return const_create(import->graph, type, elements, NULL);
}

static Value *constant_ints(Import *import, int rank, size_t count, const int64_t *values)
{
    return const_create(import->graph, make_type(DTYPE_I64, rank, &(int64_t){(int64_t)count}),
                        copy_ints(import->arena, count, values), NULL);
}

static Value *constant_from_sparse(Import *import, Origin origin, const SparseTensorProto *sparse)
{
    Type type;
    if (!sparse || !sparse_tensor_type(import->model, origin, sparse, &type)) {
        unsupported(import, origin, "Constant with a sparse value of a type that pcc does not have");
        return NULL;
    }
    const void *data = sparse_tensor_data(import->model, origin, sparse, &type);
    widen_tensor(import, &type, &data);
    return const_create(import->graph, type, data, NULL);
}

static Value *constant_value(Import *import, const Body *body, Origin origin, const NodeProto *node)
{
    const AttributeProto *value = node->n_attribute == 1 ? resolve(body, node->attribute[0]) : NULL;
    if (!value) {
        error(import->diagnostics, EXIT_STATUS_INPUT, origin, "Constant needs exactly one attribute, but has %zu",
              node->n_attribute);
        return NULL;
    }
    switch (type_of(value)) {
    case TYPE(TENSOR):
        return constant_from_tensor(import, origin, value->t);
    case TYPE(SPARSE_TENSOR):
        return constant_from_sparse(import, origin, value->sparse_tensor);
    case TYPE(FLOAT):
        return constant_floats(import, 0, 1, &value->f);
    case TYPE(FLOATS):
        return constant_floats(import, 1, value->n_floats, value->floats);
    case TYPE(INT):
        return constant_ints(import, 0, 1, &value->i);
    case TYPE(INTS):
        return constant_ints(import, 1, value->n_ints, value->ints);
    default:
        unsupported(import, origin, "Constant: attribute '%s' of type %s", text_or_empty(value->name),
                    type_name(type_of(value)));
        return NULL;
    }
}

/* A tensor of floats may be a weight, as an initializer may; one float is a number in a formula until a weight's reader
 * takes it. The value is known by the output's name. */
Value *import_constant(Import *import, const Body *body, const NodeProto *node)
{
    Value *value = constant_value(import, body, node_origin(import, body, node), node);
    const char *name = node_output(node, 0);
    if (!value || !name || body->repeated || (value->narrow && is_float(value->type.dtype))) {
        return value;
    }
    value->name = arena_printf(import->arena, "%s%s", body->prefix, name);
    if (!is_float(value->type.dtype)) {
        name_table_set(&import->stored_integers, import->arena, value->name, value);
    } else if (element_count(&value->type) > 1) {
        value->kind = VALUE_PARAM;
    } else if (element_count(&value->type) == 1) {
        name_table_set(&import->latent, import->arena, value->name, value);
    }
    return value;
}
