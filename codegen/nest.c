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

int64_t nest_elements(const LoopNest *nest)
{
    int64_t elements = 1;
    for (int axis = 0; axis < nest->rank; axis++)
        elements *= nest->dims[axis];
    return elements;
}

int64_t last_stride(const LoopNest *nest, int i)
{
    return nest->rank ? nest->strides[i][nest->rank - 1] : 0;
}

/* Outermost first. */
void print_row_indices(Text *text, const LoopNest *nest, const char *type, const char *row)
{
    int64_t inner = 1;
    for (int axis = nest->rank - 2; axis >= 0; axis--) {
        const char *divide = inner > 1 ? arena_printf(text->arena, "%s / %lld", row, (long long)inner) : row;
        if (axis == 0)
            line(text, "const %s i0 = %s;", type, divide);
        else
            line(text, "const %s i%d = %s %% %lld;", type, axis, divide, (long long)nest->dims[axis]);
        inner *= nest->dims[axis];
    }
}

bool uses_row_index(const LoopNest *nest)
{
    for (int i = 0; i < nest->operand_count; i++)
        for (int axis = 0; axis < nest->rank - 1; axis++)
            if (nest->strides[i][axis] != 0)
                return true;
    return false;
}

bool uses_column_index(const LoopNest *nest)
{
    for (int i = 0; i < nest->operand_count; i++)
        if (nest->strides[i][nest->rank - 1] != 0)
            return true;
    return false;
}

const char *index_term(Arena *arena, const char *index, int64_t stride)
{
    if (stride == 0)
        return "";
    return stride == 1 ? arena_printf(arena, " + %s", index)
                       : arena_printf(arena, " + %s * %lld", index, (long long)stride);
}

const char *row_offset(Arena *arena, const LoopNest *nest, int i)
{
    Text *offset = text_create(arena);
    for (int axis = 0; axis < nest->rank - 1; axis++)
        append_text(offset, index_term(arena, arena_printf(arena, "i%d", axis), nest->strides[i][axis]));
    return offset->length ? offset->data : "";
}
