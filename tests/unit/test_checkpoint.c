/* test_checkpoint.c: a resumed run has the bits of one that never stopped, whatever stopped it; damaged and foreign
 * checkpoints. */
#include "runtime_support.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <zlib.h>

#include <pcc/files/safetensors.h>

#include "program_linear.h"

static PccProgram program;
static char weights_path[600];

static int setup(void **state)
{
    PccError error;
    if (support_setup(state))
        return -1;
    snprintf(weights_path, sizeof weights_path, "%s/linear.safetensors", support_directory);
    program = linear_f32_program;
    program.weights_file = weights_path;
    return linear_write_weights(&program, weights_path, NULL, 0, &error);
}

/* Starts this test program anew to run the program on the command: a fork alone would not do, OpenMP's threads do not
 * come along. limit: largest file in bytes, 0 for none. */
static pid_t spawn(const char *command, rlim_t limit)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    struct rlimit size = {limit, limit};
    signal(SIGXFSZ, SIG_IGN);
    if (limit > 0)
        setrlimit(RLIMIT_FSIZE, &size);
    execl("/proc/self/exe", "test_checkpoint", "--run", support_directory, command, (char *)NULL);
    _exit(126);
}

/* What spawn started. */
static int run_spawned(char **arguments)
{
    snprintf(support_directory, sizeof support_directory, "%s", arguments[0]);
    snprintf(weights_path, sizeof weights_path, "%s/linear.safetensors", support_directory);
    program = linear_f32_program;
    program.weights_file = weights_path;
    return support_run(&program, arguments[1]);
}

static void assert_same_file(const char *left, const char *right)
{
    size_t left_size = 0, right_size = 0;
    char *a = support_read(left, &left_size), *b = support_read(right, &right_size);
    assert_int_equal(left_size, right_size);
    assert_memory_equal(a, b, left_size);
    free(a);
    free(b);
}

static int count_files(const char *directory, const char *part)
{
    int count = 0;
    DIR *folder = opendir(directory);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        count += strstr(entry->d_name, part) != NULL;
    closedir(folder);
    return count;
}

/* 60 samples train, in 15 batches; with accumulate 2 an epoch has 8 updates, the last of one micro-batch. */
#define TRAIN "--data synthetic --seed 5 --quiet "

static void resuming_gives_the_same_bits(void **state)
{
    (void)state;
    for (int accumulate = 1; accumulate <= 2; accumulate++) {
        program.accumulate = linear_f32_program.accumulate = accumulate;
        assert_int_equal(support_run(&program, TRAIN "--steps 40 --save %s/whole"), 0);
        int stops[] = {1, 13, 14, 15, 16, 37};
        for (int64_t i = 0; i < PCC_COUNT(stops); i++) {
            char command[512];
            snprintf(command, sizeof command, TRAIN "--steps %d --checkpoint %%s/c%d-%d", stops[i], accumulate,
                     stops[i]);
            assert_int_equal(support_run(&program, command), 0);
            snprintf(command, sizeof command, TRAIN "--steps 40 --save %%s/parts --checkpoint %%s/c%d-%d --resume",
                     accumulate, stops[i]);
            assert_int_equal(support_run(&program, command), 0);
            assert_same_file(support_path("whole"), support_path("parts"));
        }
    }
    program.accumulate = linear_f32_program.accumulate = 1;
}

static void resuming_keeps_one_log(void **state)
{
    (void)state;
    assert_int_equal(support_run(&program, TRAIN "--steps 9 --every 4 --checkpoint %s/log --log %s/log.jsonl"), 0);
    unlink(support_path("log/step-00000009.safetensors")); /* as if killed before it: lines 9 must not appear twice */
    assert_int_equal(
        support_run(&program, TRAIN "--steps 12 --every 4 --checkpoint %s/log --log %s/log.jsonl --resume"), 0);
    char *log = support_read(support_path("log.jsonl"), NULL), key[32];
    const char *at = log;
    for (int step = 1; step <= 12; step++) {
        snprintf(key, sizeof key, "{\"step\":%d,", step);
        assert_memory_equal(at, key, strlen(key));
        at = strchr(at, '\n') + 1;
    }
    assert_memory_equal(at, "{\"epoch\":", 9);
    free(log);
}

static void only_the_newest_two_are_kept(void **state)
{
    (void)state;
    assert_int_equal(support_run(&program, TRAIN "--steps 10 --every 2 --checkpoint %s/kept"), 0);
    assert_int_equal(count_files(support_path("kept"), "step-"), 2);
    assert_true(support_exists(support_path("kept/step-00000008.safetensors")));
    assert_true(support_exists(support_path("kept/step-00000010.safetensors")));
    char *latest = support_read(support_path("kept/latest"), NULL);
    assert_string_equal(latest, "step-00000010.safetensors\n");
    free(latest);
    /* A new run in the same folder says that it replaces them, and does. */
    assert_int_equal(support_run(&program, TRAIN "--steps 3 --every 1 --checkpoint %s/kept"), 0);
    assert_non_null(strstr(support_err, "earlier run's checkpoints"));
    assert_int_equal(count_files(support_path("kept"), "step-"), 2);
    assert_true(support_exists(support_path("kept/step-00000003.safetensors")));
}

static void flip_bit(const char *path, size_t at)
{
    size_t size = 0;
    char *bytes = support_read(path, &size);
    bytes[at < size ? at : size - 1 - (at - SIZE_MAX / 2)] ^= 4;
    support_write(path, bytes, size);
    free(bytes);
}

/* Bytes counted from the end, for flip_bit. */
#define FROM_END(n) (SIZE_MAX / 2 + (n))

static void damage_falls_back_to_the_one_before(void **state)
{
    (void)state;
    assert_int_equal(support_run(&program, TRAIN "--steps 20 --save %s/whole"), 0);
    const size_t places[] = {3, 20, 100, 700, FROM_END(0), FROM_END(100), FROM_END(280)};
    for (int64_t i = 0; i < PCC_COUNT(places); i++) {
        assert_int_equal(support_run(&program, TRAIN "--steps 10 --every 5 --checkpoint %s/damage"), 0);
        flip_bit(support_path("damage/step-00000010.safetensors"), places[i]);
        assert_int_equal(support_run(&program, TRAIN "--steps 20 --checkpoint %s/damage --resume --save %s/mended"), 0);
        assert_non_null(strstr(support_err, "trying the checkpoint before it"));
        assert_same_file(support_path("whole"), support_path("mended"));
    }
}

static void truncation_falls_back_or_fails(void **state)
{
    (void)state;
    assert_int_equal(support_run(&program, TRAIN "--steps 10 --every 5 --checkpoint %s/cut"), 0);
    assert_int_equal(truncate(support_path("cut/step-00000010.safetensors"), 1000), 0);
    assert_int_equal(support_run(&program, TRAIN "--steps 11 --checkpoint %s/cut --resume"), 0);
    assert_non_null(strstr(support_err, "step-00000010.safetensors"));
    assert_int_equal(support_run(&program, TRAIN "--steps 10 --every 5 --checkpoint %s/cut"), 0);
    assert_int_equal(truncate(support_path("cut/step-00000005.safetensors"), 0), 0);
    assert_int_equal(truncate(support_path("cut/step-00000010.safetensors"), 7), 0);
    assert_int_equal(support_run(&program, TRAIN "--steps 11 --checkpoint %s/cut --resume"), PCC_ERR_INPUT);
}

/* Writes the checkpoint with another value for a key (NULL: without the key), and with the checksums right. */
static void rewrite_metadata(const char *path, const char *key, const char *value)
{
    PccSafetensors file;
    PccStMetadata metadata[64];
    PccError error;
    char seal[16];
    int64_t count = 0;
    uLong crc = crc32(0, NULL, 0);
    assert_int_equal(pcc_st_open(&file, path, &error), 0);
    for (int64_t i = 0; i < file.metadata_count; i++) {
        const bool changed = strcmp(file.metadata[i].key, key) == 0, last = i + 1 == file.metadata_count;
        if (changed && !value)
            continue;
        metadata[count] = (PccStMetadata){file.metadata[i].key, changed ? value : file.metadata[i].value};
        if (last)
            metadata[count].value = seal;
        char line[256];
        int length = snprintf(line, sizeof line, "%s=%s\n", metadata[count].key, metadata[count].value);
        crc = last ? crc : crc32(crc, (const Bytef *)line, (unsigned)length);
        snprintf(seal, sizeof seal, "%08lx", crc);
        count++;
    }
    assert_int_equal(pcc_st_write(path, file.tensors, file.count, metadata, count, &error), 0);
    pcc_st_close(&file);
}

/* A number out of range in a checkpoint whose checksums are right: never used, always named. */
static void numbers_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value, *message;
    } cases[] = {
        {"position", "-5", "its position is -5 where an integer from 0 to"},
        {"position", "9223372036854775808", "its position is 9223372036854775808"},
        {"position", "7seven", "its position is 7seven"},
        {"position", "", "its position is  where"},
        {"step", "-1", "its step is -1"},
        {"step", "9223372036854775807", "its step is 9223372036854775807"},
        {"epoch", "-1", "its epoch is -1"},
        {"epoch", "4", "its epoch is 4 where an integer from 0 to 3"}, /* each has an update */
        {"skipped", "4", "its skipped is 4 where an integer from 0 to 3"},
        {"skipped", "-9223372036854775808", "its skipped is -9223372036854775808"},
        {"clean_steps", "-1", "its clean_steps is -1"},
        {"log_bytes", "-2", "its log_bytes is -2"},
        {"rounded", "-1", "its rounded is -1"},
        {"lost", "1", "its lost is 1 where an integer from 0 to 0"},
        {"seed", "-1", "its seed is -1"},
        {"seed", "18446744073709551616", "its seed is 18446744073709551616"},
        {"best", "nan", "its best is nan"},
        {"best", "-inf", "its best is -inf"},
        {"loss_scale", "0x0p+0", "its loss_scale is 0x0p+0"},
        {"loss_scale", "-0x1p+4", "its loss_scale is -0x1p+4"},
        {"loss_scale", "inf", "its loss_scale is inf"},
        {"loss_scale", "nan", "its loss_scale is nan"},
        {"loss_scale", NULL, "its loss_scale is missing where"},
    };
    assert_int_equal(support_run(&program, TRAIN "--steps 3 --checkpoint %s/numbers"), 0);
    const char *path = support_path("numbers/step-00000003.safetensors");
    size_t size = 0;
    char *kept = support_read(path, &size);
    for (int64_t i = 0; i < PCC_COUNT(cases); i++) {
        path = support_path("numbers/step-00000003.safetensors");
        support_write(path, kept, size);
        rewrite_metadata(path, cases[i].key, cases[i].value);
        int status = support_run(&program, TRAIN "--steps 6 --checkpoint %s/numbers --resume");
        if (status != PCC_ERR_INPUT || !strstr(support_err, cases[i].message) ||
            !strstr(support_err, "numbers/step-00000003.safetensors"))
            fail_msg("%s=%s: status %d, %s", cases[i].key, cases[i].value ? cases[i].value : "", status, support_err);
    }
    support_write(path, kept, size);
    rewrite_metadata(path, "seed", "5"); /* as it was: what the other cases change is all that is wrong with them */
    assert_int_equal(support_run(&program, TRAIN "--steps 6 --checkpoint %s/numbers --resume"), 0);
    free(kept);
}

static void another_program_is_refused(void **state)
{
    (void)state;
    assert_int_equal(support_run(&program, TRAIN "--steps 2 --checkpoint %s/other"), 0);
    PccProgram other = program;
    other.fingerprint = 0x3333;
    assert_int_equal(support_run(&other, TRAIN "--steps 4 --checkpoint %s/other --resume"), PCC_ERR_INPUT);
    assert_non_null(strstr(support_err, "0000000000001111"));
    assert_non_null(strstr(support_err, "0000000000003333"));
    other = program;
    other.precision = "bf16-mixed";
    assert_int_equal(support_run(&other, TRAIN "--steps 4 --checkpoint %s/other --resume"), PCC_ERR_INPUT);
    assert_non_null(strstr(support_err, "32-true"));
    assert_non_null(strstr(support_err, "bf16-mixed"));
}

static void nothing_to_resume_starts_afresh(void **state)
{
    (void)state;
    assert_int_equal(support_run(&program, TRAIN "--steps 2 --checkpoint %s/new/deep --resume"), 0);
    assert_non_null(strstr(support_err, "no checkpoint"));
    assert_true(support_exists(support_path("new/deep/step-00000002.safetensors")));
}

/* A child trains; it is killed at a random moment; the next goes on, until one finishes. */
static void killed_runs_continue(void **state)
{
    (void)state;
    const char *command = TRAIN "--steps 60 --every 1 --checkpoint %s/kill --resume --save %s/killed";
    assert_int_equal(support_run(&program, TRAIN "--steps 60 --save %s/whole"), 0);
    unsigned random = 12345;
    int killed = 0, status = 1;
    for (int attempt = 0; attempt < 400 && status; attempt++) {
        pid_t child = spawn(command, 0);
        random = random * 1103515245 + 12345;
        usleep(3000 + (random >> 16) % 15000 + (unsigned)attempt * 1000);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        killed += WIFSIGNALED(status);
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    }
    assert_int_equal(status, 0);
    assert_true(killed >= 5);
    assert_same_file(support_path("whole"), support_path("killed"));
    assert_int_equal(count_files(support_path("kill"), "step-"), 2);
}

/* SIGINT ends the step, writes a checkpoint, and exits with 0. */
static void interrupts_leave_a_checkpoint(void **state)
{
    (void)state;
    pid_t child = spawn(TRAIN "--steps 2000000000 --checkpoint %s/stop", 0);
    for (int wait = 0; wait < 3000 && !support_exists(support_path("stop/latest")); wait++)
        usleep(10000);
    kill(child, SIGINT);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(count_files(support_path("stop"), "step-") > 0, 1);
}

/* A file system without room (here: a limit on file sizes) is an I/O error that leaves no partial file. */
static void no_room_is_an_io_error(void **state)
{
    (void)state;
    assert_int_equal(support_run(&program, TRAIN "--steps 2 --checkpoint %s/full"), 0);
    pid_t child = spawn(TRAIN "--steps 4 --checkpoint %s/full --resume", 1200); /* a checkpoint has more */
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), PCC_ERR_IO);
    assert_int_equal(count_files(support_path("full"), "step-"), 1);
    assert_int_equal(support_run(&program, TRAIN "--steps 4 --checkpoint %s/full --resume"), 0);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--run") == 0)
        return run_spawned(argv + 2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resuming_gives_the_same_bits),
        cmocka_unit_test(resuming_keeps_one_log),
        cmocka_unit_test(only_the_newest_two_are_kept),
        cmocka_unit_test(damage_falls_back_to_the_one_before),
        cmocka_unit_test(truncation_falls_back_or_fails),
        cmocka_unit_test(another_program_is_refused),
        cmocka_unit_test(numbers_are_checked),
        cmocka_unit_test(nothing_to_resume_starts_afresh),
        cmocka_unit_test(killed_runs_continue),
        cmocka_unit_test(interrupts_leave_a_checkpoint),
        cmocka_unit_test(no_room_is_an_io_error),
    };
    return cmocka_run_group_tests(tests, setup, support_teardown);
}
