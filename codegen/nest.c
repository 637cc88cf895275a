/* nest.c: loop nests over operands that broadcast. */
#include "codegen/emit.h"

static void aligned_strides(const Type *loop, const Value *operand, int64_t strides[MAX_RANK])
{
    int64_t own[MAX_RANK];
    operand_strides(operand, own);
    for (int axis = 0; axis < loop->rank; axis++) {
        int source = axis - (loop->rank - operand->type.rank);
        strides[axis] =
            source >= 0 && operand->type.dims[source] == loop->dims[axis] && loop->dims[axis] != 1 ? own[source] : 0;
    }
}

/* Does every operand walk the last axis of the nest and the next one, of size `dim`, as a single axis? */
static bool mergeable(const LoopNest *nest, int64_t dim, int64_t (*next)[MAX_RANK], int next_axis)
{
    for (int i = 0; i < nest->operand_count; i++)
        if (nest->strides[i][nest->rank - 1] != next[i][next_axis] * dim)
            return false;
    return true;
}

LoopNest make_nest(Arena *arena, const Type *loop, Value *const *operands, int operand_count, int fixed)
{
    LoopNest nest = {.operand_count = operand_count};
    nest.strides = arena_alloc_array(arena, (size_t)operand_count + 1, sizeof(*nest.strides));
    int64_t(*full)[MAX_RANK] = arena_alloc_array(arena, (size_t)operand_count + 1, sizeof(*full));
    for (int i = 0; i < operand_count; i++)
        aligned_strides(loop, operands[i], full[i]);
    int kept = 0; /* axes of the nest that may still be merged into */
    for (int axis = 0; axis < loop->rank; axis++) {
        bool pinned = axis >= loop->rank - fixed;
        if (loop->dims[axis] == 1 && !pinned)
            continue;
        if (!pinned && kept > 0 && mergeable(&nest, loop->dims[axis], full, axis)) {
            nest.dims[nest.rank - 1] *= loop->dims[axis];
        } else {
            nest.dims[nest.rank++] = loop->dims[axis];
            kept += !pinned;
        }
        for (int i = 0; i < operand_count; i++)
            nest.strides[i][nest.rank - 1] = full[i][axis];
    }
    return nest;
}

const char *loop_stem(Emitter *e, const Node *node)
{
    Text *stem = text_create(e->arena);
    int named = 0;
    for (const Node *member = node->body->first; member && named < 3; member = member->next, named++)
        append(stem, "%s%s", named ? "_" : "", member->op->name);
    const Type *loop = &node->outputs[0]->type;
    append(stem, loop->rank ? "_" : "_scalar"); /* never a bare name, which C may know already */
    for (int i = 0; i < loop->rank; i++)
        append(stem, "%s%lld", i ? "x" : "", (long long)loop->dims[i]);
    for (char *c = stem->data; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    return identifier(e->arena, stem->data, 80);
}
