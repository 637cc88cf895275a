/* pcc_emulated_launch.h: a launch keeps a kernel and its arguments, by value as CUDA does, until its stream runs it. */
#ifndef PCC_EMULATED_LAUNCH_H
#define PCC_EMULATED_LAUNCH_H

#include <memory>
#include <tuple>
#include <type_traits>

struct PccEmulatedLaunch {
    const char *name;     /* the kernel's, as the source spells it */
    const void *function; /* for what cudaFuncSetAttribute has allowed */
    dim3 grid, block;
    size_t shared;
    void (*thread)(const void *arguments); /* one thread of it */
    std::shared_ptr<const void> arguments;
};

void pcc_emulated_enqueue(cudaStream_t stream, const PccEmulatedLaunch &launch);
void pcc_emulated_check_argument(const char *kernel, int index, const volatile void *pointer);

template <class... P> struct PccEmulatedArguments {
    void (*kernel)(P...);
    std::tuple<std::decay_t<P>...> values;
    static void thread(const void *self)
    {
        const PccEmulatedArguments *a = (const PccEmulatedArguments *)self;
        std::apply(a->kernel, a->values);
    }
};

template <class A> void pcc_emulated_check_value(const char *kernel, int index, const A &argument)
{
    if constexpr (std::is_pointer<A>::value && !std::is_function<std::remove_pointer_t<A>>::value)
        pcc_emulated_check_argument(kernel, index, argument);
}

template <class... P, class... A>
void pcc_emulated_launch(const char *name, void (*kernel)(P...), dim3 grid, dim3 block, size_t shared,
                         cudaStream_t stream, A &&...arguments)
{
    using Arguments = PccEmulatedArguments<P...>;
    auto kept = std::make_shared<const Arguments>(Arguments{kernel, {static_cast<P>(arguments)...}});
    std::apply(
        [name](const auto &...value) {
            int index = 0;
            (pcc_emulated_check_value(name, index++, value), ...);
        },
        kept->values);
    pcc_emulated_enqueue(stream, {name, (const void *)kernel, grid, block, shared, Arguments::thread, kept});
}

#define PCC_EMULATE_LAUNCH(kernel, grid, block, shared, stream, ...) \
    pcc_emulated_launch(#kernel, kernel, dim3(grid), dim3(block), (size_t)(shared), stream, __VA_ARGS__)

template <class F> static inline cudaError_t cudaFuncSetAttribute(F *kernel, cudaFuncAttribute attribute, int value)
{
    return ::cudaFuncSetAttribute((const void *)kernel, attribute, value);
}

#endif
