/* weights_file.c: the file that fills the weights block. */
#include <string.h>

#include "codegen/emit.h"
#include "runtime/files/safetensors.h"

void list_stored(const Program *program, const Options *options, const char ***params, int *param_count,
                 const char ***states, int *state_count)
{
    Arena *arena = program->train->arena;
    Weights weights = plan_weights(program->train, program->evaluate, options, arena);
    *params = NEW_ARRAY(arena, const char *, weights.param_count + 1);
    *states = NEW_ARRAY(arena, const char *, weights.state_count + 1);
    for (int i = 0; i < weights.param_count; i++)
        (*params)[i] = weights.params[i].name;
    for (int i = 0; i < weights.state_count; i++)
        (*states)[i] = weights.states[i].name;
    *param_count = weights.param_count;
    *state_count = weights.state_count;
}

static int add_tensors(PccStTensor *tensors, int count, const Stored *stored, int stored_count)
{
    for (int i = 0; i < stored_count; i++) {
        const Type *type = &stored[i].value->type;
        PccStTensor *tensor = &tensors[count++];
        *tensor = (PccStTensor){
            .name = stored[i].name, .dtype = (PccDtype)type->dtype, .rank = type->rank, .data = stored[i].value->data};
        memcpy(tensor->dims, type->dims, sizeof(type->dims[0]) * (size_t)type->rank);
    }
    return count;
}

/* Parameters with a master start from what the model has, not from its rounding. */
static int add_params(PccStTensor *tensors, int count, const Weights *weights)
{
    const int first = count;
    count = add_tensors(tensors, count, weights->params, weights->param_count);
    for (int i = 0; i < weights->param_count; i++) {
        const float *unrounded = weights->params[i].value->unrounded;
        const PccRounding rounding = weights->param_states[i].rounding;
        if ((rounding != PCC_MASTER && rounding != PCC_REMAINDER) || !unrounded)
            continue;
        tensors[first + i].dtype = PCC_F32;
        tensors[first + i].data = unrounded;
    }
    return count;
}

static PccStTensor table(const char *name, PccDtype dtype, int64_t rows, int64_t columns, const void *data)
{
    return (PccStTensor){.name = name, .dtype = dtype, .rank = 2, .dims = {rows, columns}, .data = data};
}

static int add_template(PccStTensor *tensors, int count, const EmitOptions *emit)
{
    if (!emit->export_template)
        return count;
    tensors[count++] = (PccStTensor){.name = "pcc.export.template",
                                     .dtype = PCC_U8,
                                     .rank = 1,
                                     .dims = {(int64_t)emit->export_template_bytes},
                                     .data = emit->export_template};
    tensors[count++] = table("pcc.export.splices", PCC_I64, emit->splice_count, 4, emit->export_splices);
    if (emit->grid_count == 0)
        return count;
    tensors[count++] = table("pcc.export.grids", PCC_I64, emit->grid_count, 5, emit->export_grids);
    tensors[count++] = table("pcc.export.steps", PCC_F64, emit->step_count, 2, emit->export_steps);
    return count;
}

void write_weights(const Program *program, const Options *options, const EmitOptions *emit, const char *path)
{
    Graph *train = program->train;
    Weights weights = plan_weights(train, program->evaluate, options, train->arena);
    int most = weights.param_count + weights.state_count + weights.constant_count + 4, count = 0;
    PccStTensor *tensors = NEW_ARRAY(train->arena, PccStTensor, most);
    count = add_params(tensors, count, &weights);
    count = add_tensors(tensors, count, weights.states, weights.state_count);
    count = add_tensors(tensors, count, weights.constants, weights.constant_count);
    count = add_template(tensors, count, emit);
    PccStMetadata metadata[] = {{"precision", options->precision}, {"optimizer", options->optimizer}};
    PccError error = {0};
    if (pcc_st_write(path, tensors, count, metadata, 2, &error) != 0)
        fatal(train->diagnostics, EXIT_STATUS_IO, NO_ORIGIN, "%s", error.message);
}
