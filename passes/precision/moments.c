/* moments.c: which parameters' moments are kept in 8 bits. */
#include "ir/optimizer.h"
#include "ir/schema.h"
#include "passes/precision/policy.h"
#include "passes/view.h"

enum { LEAST_8BIT = 4096 }; /* elements: below, 8-bit moments save nothing that counts */

/* The parameter that an operand shows: itself, through a view or rounded to 16 bits. */
static const Value *param_of(Value *operand)
{
    const Value *root = operand ? window_of(operand).base : NULL;
    return root && root->kind == VALUE_COPY ? root->copy_of : root;
}

/* Tables that are looked up: most rows have no gradient in a step, and few large ones, which 8 bits serve badly. */
static bool is_embedding(const Graph *graph, const Value *param)
{
    for (const Node *node = graph->first; node; node = node->next) {
        const Value *data = operand_role(node->op, 0) == ROLE_TABLE ? param_of(node->inputs[0]) : NULL;
        if (data && data->id == param->id)
            return true;
    }
    return false;
}

bool keeps_blocks8(const Graph *train, const Value *param, const Options *options)
{
    return find_optimizer(options->optimizer)->blocks8 && element_count(&param->type) >= LEAST_8BIT &&
           !is_embedding(train, param);
}
