/* recurrent.c: one struct of extents and functions, PccRecurrent of the runtime's recurrent_shape.h. */
#include "codegen/calls/calls.h"
#include "ir/ops/shared/recurrence.h"

/* Both of recurrence(shape, ...) and of recurrence_grad(shape, ...). */
void call_recurrence(const Node *node, KernelCall *call)
{
    static const char *const alphas[] = {"f_alpha", "g_alpha", "h_alpha"}, *const betas[] = {"f_beta", "g_beta",
                                                                                             "h_beta"};
    const Recurrence r = recurrence_of(node);
    call->needs_step = true;
    Argument *shape = call_struct(call, "PccRecurrent");
    struct_int(call, shape, "cell", r.cell);
    struct_int(call, shape, "steps", r.steps);
    struct_int(call, shape, "batch", r.batch);
    struct_int(call, shape, "directions", r.directions);
    struct_int(call, shape, "width", r.width);
    struct_int(call, shape, "reverse", r.reverse);
    struct_int(call, shape, "reset_after", r.reset_after);
    struct_int(call, shape, "input_forget", r.input_forget);
    int64_t kinds[MAX_GATE_FUNCTIONS];
    for (int i = 0; i < MAX_GATE_FUNCTIONS; i++)
        kinds[i] = r.functions[i].kind;
    struct_dims(call, shape, "functions", MAX_GATE_FUNCTIONS, kinds);
    struct_float(call, shape, "clip", r.clip);
    for (int i = 0; i < MAX_GATE_FUNCTIONS; i++) {
        struct_float(call, shape, alphas[i], r.functions[i].alpha);
        struct_float(call, shape, betas[i], r.functions[i].beta);
    }
}
