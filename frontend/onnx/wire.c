/* wire.c: reading and writing fields of the protobuf wire format. */
#include "frontend/onnx/wire.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of the varint at `bytes`, 0 when it does not end within `limit` bytes or before `end`. */
static size_t read_varint(const uint8_t *bytes, const uint8_t *end, size_t limit, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < limit && bytes + i < end; i++) {
        *value |= (uint64_t)(bytes[i] & 0x7f) << (7 * i);
        if (!(bytes[i] & 0x80)) {
            return i + 1;
        }
    }
    return 0;
}

static const char *read_length(WireField *field, const uint8_t *end)
{
    uint64_t length;
    field->length_bytes = read_varint(field->body, end, 5, &length);
    if (field->length_bytes == 0) {
        return "a length does not end";
    }
    field->body += field->length_bytes;
    if (length > (uint64_t)(end - field->body)) {
        return "a length runs past the end of its message";
    }
    field->end = field->body + length;
    return NULL;
}

const char *wire_next(const uint8_t **cursor, const uint8_t *end, WireField *field)
{
    uint64_t tag;
    size_t tag_bytes = read_varint(*cursor, end, 5, &tag);
    if (tag_bytes == 0 || tag >> 3 == 0 || tag >> 3 > 0x1fffffff) {
        return "a field tag is not valid";
    }
    *field = (WireField){.number = (uint32_t)(tag >> 3), .start = *cursor, .body = *cursor + tag_bytes};
    field->type = (WireType)(tag & 7);
    size_t fixed = 0;
    uint64_t ignored;
    switch (field->type) {
    case WIRE_VARINT:
        fixed = read_varint(field->body, end, 10, &ignored);
        if (fixed == 0) {
            return "a varint does not end";
        }
        break;
    case WIRE_FIXED64:
        fixed = 8;
        break;
    case WIRE_FIXED32:
        fixed = 4;
        break;
    case WIRE_LENGTH: {
        const char *wrong = read_length(field, end);
        *cursor = field->end;
        return wrong;
    }
    default:
        return "a field has a wire type that proto2 and proto3 do not use";
    }
    if (fixed > (size_t)(end - field->body)) {
        return "a number runs past the end of its message";
    }
    field->end = *cursor = field->body + fixed;
    return NULL;
}

void wire_free(WireBuffer *buffer)
{
    if (!buffer->arena) {
        free(buffer->bytes);
    }
    *buffer = (WireBuffer){.arena = buffer->arena};
}

static uint8_t *grow(const WireBuffer *buffer, size_t capacity)
{
    if (!buffer->arena) {
        return realloc(buffer->bytes, capacity);
    }
    uint8_t *bytes = arena_alloc(buffer->arena, capacity);
    if (buffer->size) {
        memcpy(bytes, buffer->bytes, buffer->size);
    }
    return bytes;
}

static bool reserve(WireBuffer *buffer, size_t more)
{
    if (buffer->failed) {
        return false;
    }
    if (more <= buffer->capacity - buffer->size) {
        return true;
    }
    size_t capacity = buffer->capacity ? buffer->capacity : 256;
    while (capacity - buffer->size < more && capacity <= SIZE_MAX / 2) {
        capacity *= 2;
    }
    uint8_t *bytes = capacity - buffer->size < more ? NULL : grow(buffer, capacity);
    if (!bytes) {
        buffer->failed = true;
        return false;
    }
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return true;
}

void wire_append(WireBuffer *buffer, const void *bytes, size_t size)
{
    if (size > 0 && reserve(buffer, size)) {
        memcpy(buffer->bytes + buffer->size, bytes, size);
        buffer->size += size;
    }
}

void wire_varint(WireBuffer *buffer, uint64_t value)
{
    uint8_t bytes[10];
    size_t count = 0;
    while (value >= 0x80) {
        bytes[count++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[count++] = (uint8_t)value;
    wire_append(buffer, bytes, count);
}

void wire_tag(WireBuffer *buffer, uint32_t number, WireType type)
{
    wire_varint(buffer, (uint64_t)number << 3 | (uint64_t)type);
}

void wire_int(WireBuffer *buffer, uint32_t number, int64_t value)
{
    wire_tag(buffer, number, WIRE_VARINT);
    wire_varint(buffer, (uint64_t)value);
}

void wire_float(WireBuffer *buffer, uint32_t number, float value)
{
    wire_tag(buffer, number, WIRE_FIXED32);
    wire_append(buffer, &value, sizeof value);
}

void wire_bytes(WireBuffer *buffer, uint32_t number, const void *bytes, size_t size)
{
    wire_tag(buffer, number, WIRE_LENGTH);
    wire_varint(buffer, size);
    wire_append(buffer, bytes, size);
}

void wire_string(WireBuffer *buffer, uint32_t number, const char *text)
{
    if (text) {
        wire_bytes(buffer, number, text, strlen(text));
    }
}

void wire_message(WireBuffer *buffer, uint32_t number, const WireBuffer *message)
{
    wire_bytes(buffer, number, message->bytes, message->size);
    buffer->failed = buffer->failed || message->failed;
}
