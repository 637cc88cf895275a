/* batch_layout.h: what a sample of a program consists of. */
#ifndef PCC_LAYOUT_H
#define PCC_LAYOUT_H

#include "data_order.h"
#include "../error.h"
#include "../program.h"

/* The destinations of a sample: one slot for each program input, then one for the target. */
typedef struct PccSlot {
    const PccTensor *tensor; /* NULL: the program takes no target */
    int64_t elements;        /* of one sample; of the whole tensor when it is shared */
    bool shared;             /* no batch axis (dims[0] is not the batch): the same for every batch */
    bool labels;             /* class indices, or -100 */
    bool probabilities;      /* from 0 to 1 */
    const char *order;       /* order of its axes in the data, as given by --layout; or NULL */
} PccSlot;

typedef struct PccLayout {
    PccSlot *slots; /* [count]; the last is the target */
    int64_t count;
    int64_t label_slot; /* the slot with labels, -1 when none has */
    int64_t classes;    /* labels are below this; 0: unknown */
    int64_t batch;
    bool fixed_order; /* a shared integer input, such as a graph's edges, contains indices of samples in the batch */
    bool next_token;  /* labels are the next token; otherwise the token itself, which the loss shifts */
} PccLayout;

int pcc_layout_init(PccLayout *layout, const PccProgram *program, PccError *error);
/* The dims of one sample. */
PccAxes pcc_slot_axes(const PccLayout *layout, const PccSlot *slot);

/* --layout INPUT=ORDER, INPUT being an input's name, or target. The text must live as long as the layout. */
int pcc_layout_set_order(PccLayout *layout, const char *text, PccError *error);

void pcc_layout_free(PccLayout *layout);

#endif
