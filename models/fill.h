/* fill.h: an initialiser at work on one tensor. */
#ifndef PCC_MODELS_FILL_H
#define PCC_MODELS_FILL_H

#include "models/model.h"

typedef struct Fill {
    Init init;
    uint64_t key;
} Fill;

uint64_t fill_key(uint64_t seed, int tensor);
/* An OnnxFill; context is a Fill, elements are float32. */
void fill_init(void *context, int64_t first, int64_t count, void *elements);

#endif
