/* wire_scan.c: the iterative scan that guards protobuf-c; see wire_scan.h. */
#include "frontend/onnx/wire_scan.h"

/* A message being scanned. */
typedef struct Frame {
    const ProtobufCMessageDescriptor *message;
    const uint8_t *end;
    size_t length_at;    /* where its length prefix stands in the skeleton */
    size_t length_bytes; /* of that prefix */
} Frame;

typedef struct Scan {
    const uint8_t *file;
    const ProtobufCFieldDescriptor *payload;
    const WireLimits *limits;
    WireBuffer *skeleton;
    size_t messages, fields;
    int depth;
    Frame stack[WIRE_MAX_DEPTH];
} Scan;

/* Messages only shrink, so the new length fits the old prefix: a varint may be padded with zero groups. */
static void patch_length(WireBuffer *skeleton, const Frame *frame)
{
    if (skeleton->failed) {
        return;
    }
    size_t length = skeleton->size - frame->length_at - frame->length_bytes;
    for (size_t i = 0; i < frame->length_bytes; i++) {
        uint8_t more = i + 1 < frame->length_bytes ? 0x80 : 0;
        skeleton->bytes[frame->length_at + i] = (uint8_t)((length & 0x7f) | more);
        length >>= 7;
    }
}

static const char *enter(Scan *scan, const WireField *field, const ProtobufCMessageDescriptor *message)
{
    if (scan->depth >= scan->limits->depth || scan->depth >= WIRE_MAX_DEPTH) {
        return "messages are nested too deeply";
    }
    if (++scan->messages > scan->limits->messages) {
        return "there are too many messages";
    }
    wire_append(scan->skeleton, field->start, (size_t)(field->body - field->start));
    scan->stack[scan->depth++] = (Frame){.message = message,
                                         .end = field->end,
                                         .length_at = scan->skeleton->size - field->length_bytes,
                                         .length_bytes = field->length_bytes};
    return NULL;
}

static void cut(Scan *scan, const WireField *field)
{
    WireLocator locator = {(uint64_t)(field->body - scan->file), (uint64_t)(field->end - field->body)};
    wire_bytes(scan->skeleton, field->number, &locator, sizeof locator);
}

/* Copies, cuts, drops or enters the field. */
static const char *scan_field(Scan *scan, const WireField *field)
{
    const ProtobufCMessageDescriptor *message = scan->stack[scan->depth - 1].message;
    const ProtobufCFieldDescriptor *known = protobuf_c_message_descriptor_get_field(message, field->number);
    if (!known) {
        return NULL;
    }
    if (++scan->fields > scan->limits->fields) {
        return "there are too many fields";
    }
    if (known->type == PROTOBUF_C_TYPE_MESSAGE && field->type == WIRE_LENGTH) {
        return enter(scan, field, (const ProtobufCMessageDescriptor *)known->descriptor);
    }
    if (known == scan->payload && field->type == WIRE_LENGTH &&
        (size_t)(field->end - field->body) >= sizeof(WireLocator)) {
        cut(scan, field);
        return NULL;
    }
    wire_append(scan->skeleton, field->start, (size_t)(field->end - field->start));
    return NULL;
}

bool wire_scan(const uint8_t *bytes, size_t size, const ProtobufCMessageDescriptor *root,
               const ProtobufCFieldDescriptor *payload, const WireLimits *limits, WireBuffer *skeleton,
               WireError *error)
{
    Scan scan = {.file = bytes, .payload = payload, .limits = limits, .skeleton = skeleton, .depth = 1};
    scan.stack[0] = (Frame){.message = root, .end = bytes + size};
    const uint8_t *cursor = bytes;
    const char *wrong = NULL;
    while (!wrong) {
        if (cursor == scan.stack[scan.depth - 1].end) {
            if (--scan.depth == 0) {
                break;
            }
            patch_length(skeleton, &scan.stack[scan.depth]);
            continue;
        }
        const uint8_t *start = cursor;
        WireField field;
        wrong = wire_next(&cursor, scan.stack[scan.depth - 1].end, &field);
        int depth = scan.depth;
        wrong = wrong ? wrong : scan_field(&scan, &field);
        if (wrong) {
            *error = (WireError){wrong, (size_t)(start - bytes)};
        } else if (scan.depth > depth) {
            cursor = field.body;
        }
    }
    if (!wrong && skeleton->failed) {
        *error = (WireError){wrong = "there is not enough memory", 0};
    }
    return !wrong;
}
