/* verify_rows.h: what the comparison with the reference and the allowance for rounding share: a tolerance for each
 * precision, and the verdict on a row. */
#ifndef PCC_FRONTEND_VERIFY_ROWS_H
#define PCC_FRONTEND_VERIFY_ROWS_H

#include <string.h>

#include "frontend/verify/verify_compare.h"

typedef enum StepNoise {
    STEPS_EXACT, /* parameters agree as everything does */
    STEPS_NOISY, /* Adam turns rounding noise of tiny gradients into steps of up to lr */
    STEPS_IGNORED,
} StepNoise;

#define ABSENT 0.9 /* the error of a gradient that is zeros is 1 */

/* What a precision allows. */
typedef struct Tolerance {
    const char *precision;
    double roundoff; /* half an ulp of 1 */
    double relative;
    StepNoise steps;
} Tolerance;

const Tolerance *find_tolerance(const char *precision);
/* Where rounding moves maxima and signs: what it does to the whole gradient. */
double discrete_error(double roundoff);
/* Of the whole gradient; single ones' may be ten times that. */
double gradient_tolerance(const Tolerance *tolerance);

bool is_accepted(const ComparedTensor *row);
/* Neither right nor wrong: what could be compared agrees. */
bool is_open(const ComparedTensor *row);
void sort_rows(Comparison *comparison);
/* The row of a tensor that could be compared, or NULL. */
const ComparedTensor *find_row(const Comparison *comparison, const char *name);

static inline bool starts_with(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

#endif
