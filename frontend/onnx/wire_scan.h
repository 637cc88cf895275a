/* wire_scan.h: looking through a protobuf file before protobuf-c does.
 *
 * protobuf-c's unpacker recurses without limit, needs up to 100 bytes of memory for a byte of file, and copies every
 * bytes field. The scan walks the file with an explicit stack, refuses what is too deep or too many, and writes a
 * skeleton for protobuf-c to unpack: the same message without the fields that the schema does not have, and with each
 * large payload replaced by its place in the file, so that tensors are never copied. */
#ifndef PCC_FRONTEND_WIRE_SCAN_H
#define PCC_FRONTEND_WIRE_SCAN_H

#include <protobuf-c/protobuf-c.h>

#include "frontend/onnx/wire.h"

typedef struct WireLimits {
    int depth;       /* of nested messages; the root has depth 1; at most WIRE_MAX_DEPTH */
    size_t messages; /* in the whole file */
    size_t fields;   /* that the schema has, in the whole file */
} WireLimits;

enum { WIRE_MAX_DEPTH = 100 };

/* What stands in the skeleton for a payload of at least sizeof(WireLocator) bytes. Shorter ones stay as they are, so
 * that a payload of exactly this size is always a locator. */
typedef struct WireLocator {
    uint64_t offset, length; /* of the payload in the file */
} WireLocator;

typedef struct WireError {
    const char *what;
    size_t offset; /* byte of the file */
} WireError;

/* `payload` is the bytes field of some message that is cut, or NULL. False with *error set when the file is refused. */
bool wire_scan(const uint8_t *bytes, size_t size, const ProtobufCMessageDescriptor *root,
               const ProtobufCFieldDescriptor *payload, const WireLimits *limits, WireBuffer *skeleton,
               WireError *error);

#endif
