/* fault.cpp: what went wrong, and where. */
#include "emulator.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pcc_emulator.h"

static void print_place(void)
{
    if (current.launch && current.running >= 0)
        fprintf(stderr, "emulator: in kernel %s, block (%u, %u, %u), thread (%u, %u, %u)\n", current.launch->name,
                blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z);
    else if (current.launch)
        fprintf(stderr, "emulator: in kernel %s\n", current.launch->name);
}

void fault(const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    fprintf(stderr, "emulator: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    print_place();
    fflush(stderr);
    _exit(EXIT_FAULT);
}

void pcc_emulated_trap(const char *what)
{
    fault("%s", what);
}

/* ---- accesses of memory that does not exist --------------------------------------------------------------------- */

static void on_signal(int number, siginfo_t *info, void *)
{
    const char *address = (const char *)info->si_addr;
    const Allocation *near = find_near(address), *old = find_released(address);
    const char *who = current.launch ? "the kernel" : "the host";
    if (number == SIGFPE)
        fault("a division of integers by zero");
    if (old)
        fault("%s accesses memory of %zu bytes that was released", who, old->bytes);
    if (near && address >= near->begin + near->bytes)
        fault("an access out of bounds: %td bytes behind the end of an allocation of %zu bytes",
              address - near->begin - (ptrdiff_t)near->bytes, near->bytes);
    if (near && address < near->begin)
        fault("an access out of bounds: %td bytes before an allocation of %zu bytes", near->begin - address,
              near->bytes);
    if (near && near->on_device && !current.launch)
        fault("the host accesses memory of the device, %p", (const void *)address);
    fault("%s accesses memory that does not exist, %p", who, (const void *)address);
}

void catch_signals(void)
{
    static char stack[64 << 10];
    stack_t other = {};
    struct sigaction action = {};
    other.ss_sp = stack;
    other.ss_size = sizeof stack;
    sigaltstack(&other, nullptr);
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &action, nullptr);
    sigaction(SIGBUS, &action, nullptr);
    sigaction(SIGFPE, &action, nullptr);
}

/* ---- sanitizers: the same exit code, and the place behind their report ------------------------------------------ */

extern "C" {
void __sanitizer_set_death_callback(void (*)(void)) __attribute__((weak));

__attribute__((weak)) const char *__asan_default_options(void)
{
    return "exitcode=70:detect_stack_use_after_return=0";
}

__attribute__((weak)) const char *__tsan_default_options(void)
{
    return "exitcode=70:halt_on_error=1:report_thread_leaks=0";
}

__attribute__((weak)) const char *__ubsan_default_options(void)
{
    return "exitcode=70:halt_on_error=1:print_stacktrace=1";
}
}

__attribute__((constructor)) static void tell_sanitizers(void)
{
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(print_place);
}
