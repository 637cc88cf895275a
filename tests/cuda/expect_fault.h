/* expect_fault.h: runs what the emulator has to find fault with in a child process. */
#ifndef PCC_EXPECT_FAULT_H
#define PCC_EXPECT_FAULT_H

#include <sys/wait.h>
#include <unistd.h>

#include <string>

enum { PCC_FAULT = 70 }; /* exit code */

/* It has to end with a message that has `text` in it. */
template <class Run> static inline void expect_fault(Run run, const char *text)
{
    int ends[2], status;
    std::string said;
    char part[512];
    fflush(stdout);
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 2);
        close(ends[0]);
        is_child() = true;
        run();
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t bytes; (bytes = read(ends[0], part, sizeof part)) > 0;)
        said.append(part, (size_t)bytes);
    close(ends[0]);
    assert_true(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != PCC_FAULT || said.find(text) == std::string::npos)
        fail_msg("instead of exit code 70 and '%s': status 0x%x and '%s'", text, status, said.c_str());
}

#endif
