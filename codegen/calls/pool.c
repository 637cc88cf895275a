/* pool.c: pooling, one struct of extents, PccPool of the runtime's pool_shape.h; and resizing along one axis. */
#include "codegen/calls/calls.h"
#include "ir/ops/shared/geometry.h"

static void call_shape(KernelCall *call, Pool p)
{
    const Window *w = &p.window;
    Argument *shape = call_struct(call, "PccPool");
    struct_int(call, shape, "n", p.x.n);
    struct_int(call, shape, "c", p.x.c);
    struct_dims(call, shape, "in", MAX_SPATIAL, w->in);
    struct_dims(call, shape, "out", MAX_SPATIAL, w->out);
    struct_dims(call, shape, "kernel", MAX_SPATIAL, w->kernel);
    struct_dims(call, shape, "stride", MAX_SPATIAL, w->stride);
    struct_dims(call, shape, "dilation", MAX_SPATIAL, w->dilation);
    struct_dims(call, shape, "pad", MAX_SPATIAL, w->before);
    struct_int(call, shape, "count_include_pad", p.divisor.include_pad);
    struct_dims(call, shape, "overhang", MAX_SPATIAL, p.divisor.overhang);
}

/* max_pool(shape, ...) */
void call_pool(const Node *node, KernelCall *call)
{
    call_shape(call, pool_of(node, &node->inputs[0]->type, NULL));
}

void call_pool_grad(const Node *node, KernelCall *call)
{
    call_shape(call, pool_of(node, NULL, &node->inputs[0]->type));
}

/* region_argmax(shape, x, region, y) */
void call_regions(const Node *node, KernelCall *call)
{
    const Regions r = regions_of(node);
    Argument *shape = call_struct(call, "PccRegions");
    struct_int(call, shape, "n", r.n);
    struct_int(call, shape, "c", r.c);
    struct_int(call, shape, "h", r.h);
    struct_int(call, shape, "w", r.w);
    struct_int(call, shape, "count", r.count);
    struct_int(call, shape, "rows", r.rows);
    struct_int(call, shape, "columns", r.columns);
}

/* resize_axis(outer, in, inner, out, mode, coordinate, rounding, exclude_outside, antialias, scale, cubic, ...) */
void call_resize_axis(const Node *node, KernelCall *call)
{
    ResizeAxis a = resize_axis_of(node, &node->inputs[0]->type);
    call_int(call, a.outer);
    call_int(call, a.in);
    call_int(call, a.inner);
    call_int(call, a.out);
    call_int(call, a.mode);
    call_int(call, a.coordinate);
    call_int(call, a.rounding);
    call_int(call, a.exclude_outside);
    call_int(call, a.antialias);
    call_float(call, a.scale);
    call_float(call, a.cubic);
}
