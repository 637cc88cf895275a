/* wire.h: the protobuf wire format, without a schema: one reader and one writer of fields.
 * Source: protobuf.dev/programming-guides/encoding. */
#ifndef PCC_FRONTEND_WIRE_H
#define PCC_FRONTEND_WIRE_H

#include "ir/ir.h"

typedef enum WireType { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LENGTH = 2, WIRE_FIXED32 = 5 } WireType;

/* One field of a message. [start, end) is all of it: tag, length prefix and body. */
typedef struct WireField {
    uint32_t number;
    WireType type;
    const uint8_t *start, *body, *end;
    size_t length_bytes; /* WIRE_LENGTH: of the length prefix, which ends at body */
} WireField;

/* Reads the field at *cursor and moves past it; every length is checked against end. NULL when the field is well
 * formed, else what is wrong with it. */
const char *wire_next(const uint8_t **cursor, const uint8_t *end, WireField *field);

/* A growing byte string, in the arena where there is one, else from malloc: then, after a failed allocation, `failed`
 * is set and appending does nothing. */
typedef struct WireBuffer {
    Arena *arena;
    uint8_t *bytes;
    size_t size, capacity;
    bool failed;
} WireBuffer;

void wire_free(WireBuffer *buffer);
void wire_append(WireBuffer *buffer, const void *bytes, size_t size);
void wire_varint(WireBuffer *buffer, uint64_t value);
void wire_tag(WireBuffer *buffer, uint32_t number, WireType type);
void wire_int(WireBuffer *buffer, uint32_t number, int64_t value);
void wire_float(WireBuffer *buffer, uint32_t number, float value);
void wire_bytes(WireBuffer *buffer, uint32_t number, const void *bytes, size_t size);
void wire_string(WireBuffer *buffer, uint32_t number, const char *text); /* nothing when NULL */
void wire_message(WireBuffer *buffer, uint32_t number, const WireBuffer *message);

#endif
