/* dtype.h: element types: sizes, names, and conversion between any two. */
#ifndef PCC_DTYPE_H
#define PCC_DTYPE_H

#include "../program.h"

size_t pcc_dtype_size(PccDtype dtype);                   /* bytes of an element */
const char *pcc_dtype_name(PccDtype dtype);              /* as safetensors writes it: F32, BF16, I64, ... */
bool pcc_dtype_parse(const char *name, PccDtype *dtype); /* the inverse; false when there is none of that name */
bool pcc_dtype_is_float(PccDtype dtype);

/* Elements of the dims; -1 when a dim is negative or the product exceeds int64_t. */
int64_t pcc_element_count(int rank, const int64_t *dims);

/* Bytes of a tensor of valid dims. */
size_t pcc_tensor_bytes(const PccTensor *tensor);

/* "NAME F32 [3,224,224]" for messages, without the name where it is NULL; cut where the text is full. Returns text. */
const char *pcc_tensor_describe(char *text, size_t size, const char *name, PccDtype dtype, int rank,
                                const int64_t *dims);

/* Element i as a double or as an integer (floats truncate; U64 above INT64_MAX saturates). data need not be
 * aligned. */
double pcc_dtype_load(const void *data, PccDtype dtype, int64_t i);
int64_t pcc_dtype_load_integer(const void *data, PccDtype dtype, int64_t i);

/* Writes element i, rounded to nearest even for float types; the value must be in range for integer types. */
void pcc_dtype_store(void *data, PccDtype dtype, int64_t i, double value);

/* count elements, source and target not overlapping. Integer to integer goes through int64_t, all else through double,
 * so a float is rounded at most once. */
void pcc_dtype_convert(void *to, PccDtype to_dtype, const void *from, PccDtype from_dtype, int64_t count);

#endif
