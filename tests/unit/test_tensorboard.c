/* test_tensorboard.c: event files read back by a decoder of their own: record framing, checksums, messages. */
#include "runtime_support.h"

#include <dirent.h>
#include <math.h>

#include <pcc/log/tensorboard.h>

/* CRC-32C by table, where the runtime's goes bit by bit. */
static uint32_t table_crc32c(const unsigned char *data, size_t size)
{
    static uint32_t table[256];
    for (uint32_t i = 0; i < 256 && !table[255]; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++)
            value = value & 1 ? 0x82f63b78u ^ value >> 1 : value >> 1;
        table[i] = value;
    }
    uint32_t crc = ~0u;
    for (size_t i = 0; i < size; i++)
        crc = table[(crc ^ data[i]) & 255] ^ crc >> 8;
    return ~crc;
}

static uint32_t unmask(uint32_t masked)
{
    uint32_t rotated = masked - 0xa282ead8u;
    return rotated >> 17 | rotated << 15;
}

static uint32_t u32_at(const unsigned char *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* RFC 3720, appendix B.4. */
static void crc32c_test_vectors(void **state)
{
    (void)state;
    unsigned char bytes[32] = {0};
    assert_int_equal(pcc_crc32c(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    assert_int_equal(pcc_crc32c(bytes, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(pcc_crc32c(bytes, 32), 0x46dd794e);
    assert_int_equal(table_crc32c(bytes, 32), 0x46dd794e);
}

/* What an event says. */
typedef struct Event {
    double wall_time;
    uint64_t step;
    char tag[64], version[64];
    float value;
    bool start; /* a session log that restarts at step */
} Event;

static uint64_t varint(const unsigned char **p)
{
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        unsigned char byte = *(*p)++;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return value;
    }
}

/* Decodes Event, Summary and Value alike: their field numbers say which is which at each depth. */
static void decode(const unsigned char *p, const unsigned char *end, int depth, Event *event)
{
    while (p < end) {
        uint64_t key = varint(&p);
        int field = (int)(key >> 3), wire = (int)(key & 7);
        if (wire == 0) {
            uint64_t value = varint(&p);
            if (depth == 0 && field == 2)
                event->step = value;
            else if (depth == 7 && field == 1)
                event->start = value == 1;
        } else if (wire == 1) {
            memcpy(&event->wall_time, p, 8);
            p += 8;
        } else if (wire == 5) {
            assert_true(depth == 51 && field == 2);
            memcpy(&event->value, p, 4);
            p += 4;
        } else {
            assert_int_equal(wire, 2);
            size_t size = varint(&p);
            if (depth == 0 && field == 3)
                snprintf(event->version, sizeof event->version, "%.*s", (int)size, (const char *)p);
            else if (depth == 51 && field == 1)
                snprintf(event->tag, sizeof event->tag, "%.*s", (int)size, (const char *)p);
            else
                decode(p, p + size, depth * 10 + field, event);
            p += size;
        }
    }
    assert_ptr_equal(p, end);
}

/* All events of the one file in directory. */
static int read_events(const char *directory, Event *events, int most)
{
    DIR *folder = opendir(directory);
    char path[1024] = "";
    for (struct dirent *entry; (entry = readdir(folder));)
        if (strncmp(entry->d_name, "events.out.tfevents.", 20) == 0)
            snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
    closedir(folder);
    size_t size = 0;
    unsigned char *bytes = (unsigned char *)support_read(path, &size);
    int count = 0;
    for (size_t at = 0; at < size; count++) {
        size_t length = u32_at(bytes + at);
        assert_true(count < most && at + length + 16 <= size && u32_at(bytes + at + 4) == 0);
        assert_int_equal(unmask(u32_at(bytes + at + 8)), table_crc32c(bytes + at, 8));
        assert_int_equal(unmask(u32_at(bytes + at + 12 + length)), table_crc32c(bytes + at + 12, length));
        events[count] = (Event){0};
        decode(bytes + at + 12, bytes + at + 12 + length, 0, &events[count]);
        at += length + 16;
    }
    free(bytes);
    return count;
}

static void scalars_read_back(void **state)
{
    (void)state;
    PccTensorboard board;
    PccError error;
    Event events[8];
    char directory[600];
    snprintf(directory, sizeof directory, "%s/a/b", support_directory);
    assert_int_equal(pcc_tensorboard_open(&board, directory, 0, &error), 0);
    assert_int_equal(pcc_tensorboard_scalar(&board, "loss", 0.5, 1, &error), 0);
    assert_int_equal(pcc_tensorboard_scalar(&board, "val_accuracy", 1.0 / 3, 1000000, &error), 0);
    pcc_tensorboard_close(&board);
    assert_int_equal(read_events(directory, events, 8), 3);
    assert_string_equal(events[0].version, "brain.Event:2");
    assert_string_equal(events[1].tag, "loss");
    assert_true(events[1].value == 0.5f && events[1].step == 1 && events[1].wall_time > 1.7e9);
    assert_string_equal(events[2].tag, "val_accuracy");
    assert_true(events[2].value == 1 / 3.0f && events[2].step == 1000000);
}

static void resumed_runs_say_where(void **state)
{
    (void)state;
    PccTensorboard board;
    PccError error;
    Event events[8];
    char directory[600];
    snprintf(directory, sizeof directory, "%s/resumed", support_directory);
    assert_int_equal(pcc_tensorboard_open(&board, directory, 300, &error), 0);
    pcc_tensorboard_close(&board);
    assert_int_equal(read_events(directory, events, 8), 2);
    assert_true(events[1].start && events[1].step == 301);
}

static void no_folder_is_an_io_error(void **state)
{
    (void)state;
    PccTensorboard board;
    PccError error;
    assert_int_equal(pcc_tensorboard_open(&board, "/dev/null/x", 0, &error), PCC_ERR_IO);
    assert_int_equal(pcc_tensorboard_open(&board, NULL, 0, &error), 0);
    assert_int_equal(pcc_tensorboard_scalar(&board, "loss", 1, 1, &error), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_test_vectors),
        cmocka_unit_test(scalars_read_back),
        cmocka_unit_test(resumed_runs_say_where),
        cmocka_unit_test(no_folder_is_an_io_error),
    };
    return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
