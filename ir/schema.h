/* schema.h: reading the signatures and attribute lists of operator rows (see struct Op). */
#ifndef PCC_IR_SCHEMA_H
#define PCC_IR_SCHEMA_H

#include "ir/ir.h"

typedef struct OperandSpec {
    const char *name; /* not terminated */
    int length;
    bool optional, is_static, is_variadic;
    char kind; /* 'f' float, 'i' integer, 'b' bool, 0 any */
} OperandSpec;

typedef struct AttrSpec {
    const char *name; /* not terminated */
    int length;
    AttrKind kind;
    bool required;
    const char *fallback; /* the default's text, not terminated; NULL: none */
    int fallback_length;
} AttrSpec;

/* Read the item at *cursor and move behind it; false at the end. A row's signature may be NULL: no items. */
bool next_operand(const char **cursor, OperandSpec *spec);
bool next_attr(const char **cursor, AttrSpec *spec);

/* The spec of input i, where a variadic last one stands for all that follow; false when there is none. */
bool find_operand(const char *signature, int i, OperandSpec *spec);
bool begins_variadic(const char *signature); /* all its operands, or outputs, are of one list */
OperandRole operand_role(const Op *op, int i);
int operand_spec_count(const char *signature);
bool find_attr_spec(const Op *op, const char *name, AttrSpec *spec);
/* Is the node's body the epilogue of a product (MatMul, Conv)? The body of a Fused node is all that it computes. */
bool has_epilogue(const Node *node);
/* What the operator itself computes: the product in front of an epilogue, else output 0. */
const Type *result_type(const Node *node);
/* Inputs without those of an epilogue, which come last. */
int own_input_count(const Node *node);
/* Operands that a call passes: those that the signature lists, absent trailing ones too; of a variadic one, `present`.
 */
int listed_operands(const char *signature, int present);
const char *attr_kind_name(AttrKind kind);

#endif
