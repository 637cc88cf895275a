/* fiber.cpp: stacks, and switches between them. A switch saves what the ABI says a call preserves. */
#include "emulator.h"

#include <string.h>
#include <sys/mman.h>

extern "C" {
void *__tsan_get_current_fiber(void) __attribute__((weak));
void *__tsan_create_fiber(unsigned flags) __attribute__((weak));
void __tsan_switch_to_fiber(void *fiber, unsigned flags) __attribute__((weak));
void __sanitizer_start_switch_fiber(void **fake, const void *bottom, size_t size) __attribute__((weak));
void __sanitizer_finish_switch_fiber(void *fake, const void **bottom, size_t *size) __attribute__((weak));

void pcc_switch_stack(void **from, void *to);
}

enum { PAGE = 4096 };

#ifndef __x86_64__
#    error "fiber.cpp has switches for x86-64 only"
#endif
asm(".text\n"
    ".globl pcc_switch_stack\n"
    ".type pcc_switch_stack, @function\n"
    "pcc_switch_stack:\n"
    "    pushq %rbp\n"
    "    pushq %rbx\n"
    "    pushq %r12\n"
    "    pushq %r13\n"
    "    pushq %r14\n"
    "    pushq %r15\n"
    "    movq %rsp, (%rdi)\n"
    "    movq %rsi, %rsp\n"
    "    popq %r15\n"
    "    popq %r14\n"
    "    popq %r13\n"
    "    popq %r12\n"
    "    popq %rbx\n"
    "    popq %rbp\n"
    "    ret\n"
    ".size pcc_switch_stack, . - pcc_switch_stack\n");

void make_fiber(Fiber *fiber, int index, void (*main)(void))
{
    char *pages = (char *)mmap(nullptr, STACK_BYTES + PAGE, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages, PAGE, PROT_NONE) != 0)
        fault("no memory for the stack of fiber %d", index);
    fiber->stack = pages + PAGE;
    /* Stacks that all begin at the same place of a page would share few lines of the cache. */
    void **top = (void **)(fiber->stack + STACK_BYTES - 64 - index * 320 % PAGE / 64 * 64);
    *--top = nullptr; /* main's return address: it does not return */
    *--top = (void *)main;
    for (int saved = 0; saved < 6; saved++)
        *--top = nullptr;
    fiber->stack_pointer = top;
    fiber->tsan = __tsan_create_fiber ? __tsan_create_fiber(0) : nullptr;
}

void switch_fiber(Fiber *from, const Fiber *to)
{
    if (__tsan_switch_to_fiber) {
        if (!from->tsan)
            from->tsan = __tsan_get_current_fiber();
        __tsan_switch_to_fiber(to->tsan, 1 /* no order is implied */);
    }
    if (__sanitizer_start_switch_fiber)
        __sanitizer_start_switch_fiber(&from->asan, to->stack, to->stack ? STACK_BYTES : 0);
    pcc_switch_stack(&from->stack_pointer, to->stack_pointer);
    if (__sanitizer_finish_switch_fiber)
        __sanitizer_finish_switch_fiber(from->asan, nullptr, nullptr);
}

void enter_fiber(void)
{
    if (__sanitizer_finish_switch_fiber)
        __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
}
