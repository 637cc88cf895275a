/* runtime_support.h: what the runtime's tests share: a temporary folder, files, and pcc_main with its output kept. */
#ifndef RUNTIME_SUPPORT_H
#define RUNTIME_SUPPORT_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <pcc/files/json.h>
#include <pcc/pcc.h>

static char support_directory[512];

/* Group setup and teardown. */
static inline int support_setup(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(support_directory, sizeof support_directory, "%s/pcc-test-XXXXXX", base ? base : "/tmp");
    return mkdtemp(support_directory) ? 0 : -1;
}

static inline int support_teardown(void **state)
{
    (void)state;
    char command[600];
    snprintf(command, sizeof command, "rm -r '%s'", support_directory);
    return system(command);
}

/* The path of a name in the folder; one of eight buffers in turn. */
static inline const char *support_path(const char *name)
{
    static char paths[8][1024];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", support_directory, name);
    return path;
}

static inline void support_write(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* A whole file, with a NUL after it, in new memory. */
static inline char *support_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long length = ftell(file);
    rewind(file);
    char *data = malloc((size_t)length + 1);
    assert_int_equal(fread(data, 1, (size_t)length, file), length);
    data[length] = '\0';
    fclose(file);
    if (size)
        *size = (size_t)length;
    return data;
}

static inline bool support_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* The number after "key": in a JSON line, which must be strict JSON; fails when there is none. */
static inline double support_number(const char *line, const char *key)
{
    PccJson json = pcc_json(line, strlen(line));
    pcc_json_skip(&json);
    if (!pcc_json_finish(&json))
        fail_msg("not JSON (%s): %s", json.problem, line);
    char quoted[64], *end;
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(line, quoted);
    if (!at)
        fail_msg("no %s in %s", quoted, line);
    double value = strtod(at + strlen(quoted), &end);
    if (end == at + strlen(quoted))
        fail_msg("no number at %s in %s", quoted, line);
    return value;
}

/* What the last support_run printed. */
static char support_out[65536], support_err[65536];

static inline int support_redirect(int fd, const char *path)
{
    int kept = dup(fd), file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    assert_true(kept >= 0 && file >= 0);
    dup2(file, fd);
    close(file);
    return kept;
}

static inline void support_restore(int fd, int kept, const char *path, char *text, size_t size)
{
    dup2(kept, fd);
    close(kept);
    char *all = support_read(path, NULL);
    snprintf(text, size, "%s", all);
    free(all);
}

/* Runs pcc_main on the arguments in command, split at spaces; %s in it is the temporary folder. */
static inline int support_run_plain(const PccProgram *program, const char *command)
{
    char text[4096], *arguments[64] = {"train"};
    int count = 1;
    size_t used = 0;
    for (const char *c = command; *c && used + sizeof support_directory < sizeof text; c++) {
        if (c[0] == '%' && c[1] == 's') {
            used += (size_t)snprintf(text + used, sizeof text - used, "%s", support_directory);
            c++;
        } else {
            text[used++] = *c;
        }
    }
    text[used] = '\0';
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        arguments[count++] = word;
    return pcc_main(program, count, arguments);
}

/* The same, keeping what it prints. */
static inline int support_run(const PccProgram *program, const char *command)
{
    fflush(stdout);
    fflush(stderr);
    int out = support_redirect(1, support_path("stdout")), err = support_redirect(2, support_path("stderr"));
    int status = support_run_plain(program, command);
    fflush(stdout);
    fflush(stderr);
    support_restore(1, out, support_path("stdout"), support_out, sizeof support_out);
    support_restore(2, err, support_path("stderr"), support_err, sizeof support_err);
    return status;
}

#endif
