/* tensorboard.c: event files: records (tensorflow/core/lib/io/record_writer.h) of Event messages
 * (tensorflow/core/util/event.proto, summary.proto), encoded by hand. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "../files/files.h"
#include "tensorboard.h"

/* Field numbers of the messages. */
enum {
    EVENT_WALL_TIME = 1,    /* double */
    EVENT_STEP = 2,         /* int64 */
    EVENT_FILE_VERSION = 3, /* string */
    EVENT_SUMMARY = 5,      /* Summary */
    EVENT_SESSION_LOG = 7,  /* SessionLog */
    SUMMARY_VALUE = 1,      /* Summary.Value */
    VALUE_TAG = 1,          /* string */
    VALUE_SIMPLE = 2,       /* float */
    SESSION_LOG_STATUS = 1, /* enum */
    SESSION_LOG_START = 1,
};

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* An encoded message; every message here is far smaller. */
typedef struct BoardMessage {
    unsigned char bytes[256];
    size_t size;
} BoardMessage;

uint32_t pcc_crc32c(const void *data, uint64_t size)
{
    const unsigned char *bytes = data;
    uint32_t crc = 0xffffffff;
    for (uint64_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

static uint32_t board_masked_crc(const void *data, uint64_t size)
{
    uint32_t crc = pcc_crc32c(data, size);
    return (crc >> 15 | crc << 17) + 0xa282ead8;
}

static void board_put(BoardMessage *message, const void *bytes, size_t size)
{
    memcpy(message->bytes + message->size, bytes, size);
    message->size += size;
}

static void board_varint(BoardMessage *message, uint64_t value)
{
    do {
        unsigned char byte = (unsigned char)((value & 127) | (value > 127 ? 128 : 0));
        board_put(message, &byte, 1);
        value >>= 7;
    } while (value > 0);
}

static void board_tag(BoardMessage *message, int field, int wire)
{
    board_varint(message, (uint64_t)(field << 3 | wire));
}

static void board_bytes(BoardMessage *message, int field, const void *bytes, size_t size)
{
    board_tag(message, field, WIRE_BYTES);
    board_varint(message, size);
    board_put(message, bytes, size);
}

static BoardMessage board_event(int64_t step)
{
    BoardMessage event = {.size = 0};
    double now = pcc_wall_time();
    board_tag(&event, EVENT_WALL_TIME, WIRE_64);
    board_put(&event, &now, sizeof now);
    board_tag(&event, EVENT_STEP, WIRE_VARINT);
    board_varint(&event, (uint64_t)step);
    return event;
}

/* u64 length, its masked CRC, the data, its masked CRC: in one write, so that a reader sees whole records. */
static int board_write(PccTensorboard *board, const BoardMessage *event, PccError *error)
{
    unsigned char record[sizeof event->bytes + 16];
    uint64_t length = event->size;
    memcpy(record, &length, 8);
    uint32_t crc = board_masked_crc(record, 8);
    memcpy(record + 8, &crc, 4);
    memcpy(record + 12, event->bytes, event->size);
    crc = board_masked_crc(event->bytes, event->size);
    memcpy(record + 12 + event->size, &crc, 4);
    return pcc_append(board->fd, record, event->size + 16, board->path, error);
}

static int board_create(PccTensorboard *board, const char *directory, PccError *error)
{
    char host[64] = "host", name[160];
    gethostname(host, sizeof host - 1);
    for (char *c = host; *c; c++)
        *c = *c == '/' ? '_' : *c;
    snprintf(name, sizeof name, "events.out.tfevents.%010lld.%s.%ld", (long long)pcc_wall_time(), host, (long)getpid());
    board->path = pcc_join_path(directory, name);
    if (!board->path)
        return pcc_fail_memory(error);
    board->fd = open(board->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    return board->fd < 0 ? pcc_fail_errno(error, "cannot create %s", board->path) : PCC_OK;
}

int pcc_tensorboard_open(PccTensorboard *board, const char *directory, int64_t first_step, PccError *error)
{
    *board = (PccTensorboard){.fd = -1};
    if (!directory)
        return PCC_OK;
    int status = pcc_make_directory(directory, error);
    if (!status)
        status = board_create(board, directory, error);
    if (!status) {
        static const char version[] = "brain.Event:2";
        BoardMessage event = board_event(0);
        board_bytes(&event, EVENT_FILE_VERSION, version, sizeof version - 1);
        status = board_write(board, &event, error);
    }
    if (!status && first_step > 0) {
        BoardMessage event = board_event(first_step + 1), start = {.size = 0};
        board_tag(&start, SESSION_LOG_STATUS, WIRE_VARINT);
        board_varint(&start, SESSION_LOG_START);
        board_bytes(&event, EVENT_SESSION_LOG, start.bytes, start.size);
        status = board_write(board, &event, error);
    }
    if (status)
        pcc_tensorboard_close(board);
    return status;
}

int pcc_tensorboard_scalar(PccTensorboard *board, const char *tag, double value, int64_t step, PccError *error)
{
    if (board->fd < 0)
        return PCC_OK;
    float simple = (float)value;
    BoardMessage scalar = {.size = 0}, summary = {.size = 0}, event = board_event(step);
    board_bytes(&scalar, VALUE_TAG, tag, strlen(tag));
    board_tag(&scalar, VALUE_SIMPLE, WIRE_32);
    board_put(&scalar, &simple, sizeof simple);
    board_bytes(&summary, SUMMARY_VALUE, scalar.bytes, scalar.size);
    board_bytes(&event, EVENT_SUMMARY, summary.bytes, summary.size);
    return board_write(board, &event, error);
}

void pcc_tensorboard_close(PccTensorboard *board)
{
    if (board->fd >= 0)
        close(board->fd);
    free(board->path);
    *board = (PccTensorboard){.fd = -1};
}
