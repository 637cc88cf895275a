/* test_files.c: files appear whole or not at all; records are appended whole. */
#include "runtime_support.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <pcc/files/files.h>

static PccError error;

static int files_in(const char *directory)
{
    int count = -2; /* . and .. */
    DIR *folder = opendir(directory);
    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static void assert_holds(const char *path, const char *text)
{
    char *found = support_read(path, NULL);
    assert_string_equal(found, text);
    free(found);
}

static void replaces_only_on_commit(void **state)
{
    (void)state;
    mkdir(support_path("commit"), 0777);
    support_write(support_path("commit/f"), "old", 3);
    PccOutput output;
    assert_int_equal(pcc_output_open(&output, support_path("commit/f"), &error), 0);
    assert_int_equal(pcc_output_write(&output, "new", 3, &error), 0);
    assert_holds(support_path("commit/f"), "old");
    assert_int_equal(files_in(support_path("commit")), 2);
    assert_int_equal(pcc_output_commit(&output, &error), 0);
    assert_holds(support_path("commit/f"), "new");
    assert_int_equal(pcc_output_open(&output, support_path("commit/f"), &error), 0);
    assert_int_equal(pcc_output_write(&output, "other", 5, &error), 0);
    pcc_output_abandon(&output);
    assert_holds(support_path("commit/f"), "new");
    assert_int_equal(files_in(support_path("commit")), 1);
}

/* Larger than the buffer, in pieces of all sizes. */
static void large_files_are_complete(void **state)
{
    (void)state;
    enum { SIZE = 5 << 20 };
    char *data = malloc(SIZE);
    for (int i = 0; i < SIZE; i++)
        data[i] = (char)(i * 7 + i / 251);
    PccOutput output;
    assert_int_equal(pcc_output_open(&output, support_path("large"), &error), 0);
    size_t at = 0;
    for (size_t piece = 1; at < SIZE; piece = piece * 3 + 1) {
        size_t size = piece < SIZE - at ? piece : SIZE - at;
        assert_int_equal(pcc_output_write(&output, data + at, size, &error), 0);
        at += size;
    }
    assert_int_equal(pcc_output_commit(&output, &error), 0);
    size_t size = 0;
    char *found = support_read(support_path("large"), &size);
    assert_int_equal(size, SIZE);
    assert_memory_equal(found, data, SIZE);
    free(found);
    free(data);
}

/* A link stays a link; modes follow the umask; folders and missing folders are refused. */
static void targets(void **state)
{
    (void)state;
    support_write(support_path("real"), "1", 1);
    assert_int_equal(symlink("real", support_path("link")), 0);
    assert_int_equal(pcc_write_file(support_path("link"), "2", 1, &error), 0);
    struct stat status;
    assert_int_equal(lstat(support_path("link"), &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_holds(support_path("real"), "2");
    mode_t mask = umask(027);
    assert_int_equal(pcc_write_file(support_path("mode"), "", 0, &error), 0);
    umask(mask);
    assert_int_equal(stat(support_path("mode"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    assert_int_equal(pcc_write_file(support_directory, "", 0, &error), PCC_ERR_IO);
    assert_int_equal(pcc_write_file(support_path("none/f"), "", 0, &error), PCC_ERR_IO);
    assert_int_equal(pcc_make_directory(support_path("x/y//z/"), &error), 0);
    assert_int_equal(pcc_make_directory(support_path("x/y/z"), &error), 0);
    assert_int_equal(pcc_make_directory(support_path("real/y"), &error), PCC_ERR_IO);
}

/* In a child whose files may not exceed 1000 bytes: neither a partial file nor a partial record stays. */
static int write_too_much(void)
{
    struct rlimit limit = {1000, 1000};
    char block[600];
    memset(block, 'x', sizeof block);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    char *large = calloc(1, 3 << 20);
    int whole = pcc_write_file(support_path("room/whole"), large, 3 << 20, &error);
    free(large);
    int fd = open(support_path("room/records"), O_WRONLY | O_CREAT | O_APPEND, 0666);
    int first = pcc_append(fd, block, sizeof block, "records", &error);
    int second = pcc_append(fd, block, sizeof block, "records", &error);
    return whole == PCC_ERR_IO && first == 0 && second == PCC_ERR_IO ? 0 : 1;
}

static void no_room_leaves_nothing_partial(void **state)
{
    (void)state;
    mkdir(support_path("room"), 0777);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(write_too_much());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(files_in(support_path("room")), 1);
    size_t size = 0;
    free(support_read(support_path("room/records"), &size));
    assert_int_equal(size, 600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaces_only_on_commit),
        cmocka_unit_test(large_files_are_complete),
        cmocka_unit_test(targets),
        cmocka_unit_test(no_room_leaves_nothing_partial),
    };
    return cmocka_run_group_tests(tests, support_setup, support_teardown);
}
