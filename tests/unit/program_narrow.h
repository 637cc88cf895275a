/* program_narrow.h: the program of program_linear.h with 16-bit parameters and gradients, as a "true" mode has them:
 * the step computes in f32 on widened parameters, multiplies by the loss scale and rounds the gradients; the update is
 * the optimizer's own. */
#ifndef PROGRAM_NARROW_H
#define PROGRAM_NARROW_H

#define PCC_NARROW 1
#include <pcc/kernels/optimizer/optimizer.h>

#include <pcc/session/session.h>

#include "program_linear.h"

/* Slots of a parameter; the linear program's own come first. */
enum { NARROW_EXTRA = 10, NARROW_ABSMAX = 12, NARROW_COPIES = 16, NARROW_SLOTS = 20 };

static PccParam narrow_params[2];
static char *narrow_wide; /* [LINEAR_SLOT(10)]: the linear program's weights, f32 */
static int narrow_calls;  /* of step() */
/* Steps, by the number of calls before, whose gradient of fc.bias is infinite: those marked x; or NULL. */
static const char *narrow_overflows;

static int64_t narrow_elements(int p)
{
    return p == 0 ? LINEAR_CLASSES * LINEAR_FEATURES : LINEAR_CLASSES;
}

/* A step on the f32 parameters, states and constants. */
static PccStep narrow_widen(const PccStep *s)
{
    PccStep wide = *s;
    wide.weights = narrow_wide;
    memcpy(narrow_wide + LINEAR_SLOT(8), s->weights + LINEAR_SLOT(8), 2 * LINEAR_SLOT(1));
    for (int p = 0; p < 2; p++) {
        const PccTensor *value = &narrow_params[p].value;
        const PccIn stored = {s->weights + value->offset, value->dtype};
        float *row = (float *)(void *)(narrow_wide + value->offset);
        for (int64_t i = 0; i < narrow_elements(p); i++)
            row[i] = pcc_read_one(stored, i);
    }
    return wide;
}

static void narrow_evaluate(PccStep *s)
{
    PccStep wide = narrow_widen(s);
    linear_f32_evaluate(&wide);
    s->counted = wide.counted;
    s->loss = wide.loss;
}

static void narrow_step(PccStep *s)
{
    PccStep wide = narrow_widen(s);
    wide.micro = 0;
    linear_f32_step(&wide);
    s->counted = wide.counted;
    memcpy(s->weights + LINEAR_SLOT(8), narrow_wide + LINEAR_SLOT(8), LINEAR_SLOT(1));
    for (int p = 0; p < 2; p++) {
        const PccOut gradient = {s->weights + narrow_params[p].gradient, narrow_params[p].gradient_dtype};
        const float *row = (const float *)(void *)(narrow_wide + narrow_params[p].gradient);
        for (int64_t i = 0; i < narrow_elements(p); i++)
            pcc_write_one(gradient, i, row[i] * (float)s->loss_scale);
        if (p == 1 && narrow_overflows && (size_t)narrow_calls < strlen(narrow_overflows) &&
            narrow_overflows[narrow_calls] == 'x')
            pcc_write_one(gradient, 1, INFINITY);
    }
    narrow_calls++;
    s->loss = wide.loss;
}

static void narrow_update(PccStep *s)
{
    s->done = pcc_adamw8bit(narrow_params, 2, s);
}

/* One program at a time: its parameters are narrow_params. */
static inline PccProgram narrow_program(PccDtype dtype, PccDtype moment, PccRounding rounding)
{
    static char wide[LINEAR_SLOT(10)] __attribute__((aligned(64)));
    PccProgram program = linear_f32_program;
    narrow_wide = wide;
    narrow_calls = 0;
    narrow_overflows = NULL;
    for (int p = 0; p < 2; p++) {
        narrow_params[p] = linear_f32_params[p];
        narrow_params[p].value.dtype = narrow_params[p].gradient_dtype = dtype;
        narrow_params[p].moment_dtype = moment;
        narrow_params[p].rounding = rounding;
        narrow_params[p].extra = LINEAR_SLOT(NARROW_EXTRA + p);
        narrow_params[p].absmax1 = LINEAR_SLOT(NARROW_ABSMAX + 2 * p);
        narrow_params[p].absmax2 = LINEAR_SLOT(NARROW_ABSMAX + 2 * p + 1);
        narrow_params[p].copies[0] = (PccCopy){PCC_F16, LINEAR_SLOT(NARROW_COPIES + p)};
        narrow_params[p].copy_count = 1;
    }
    program.params = narrow_params;
    program.weights_bytes = LINEAR_SLOT(NARROW_SLOTS);
    program.step = narrow_step;
    program.evaluate = narrow_evaluate;
    program.update = narrow_update;
    program.precision = "bf16-true";
    program.optimizer = "adamw8bit";
    return program;
}

static inline PccSession *open_session(const PccProgram *program)
{
    PccError error;
    PccSession *session = pcc_open(program, NULL, 1, &error);
    if (!session)
        fail_msg("%s", error.message);
    return session;
}

#endif
