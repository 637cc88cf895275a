/* cudnn_library.c: where cuDNN is. */
#ifdef PCC_CUDNN
#    include <dlfcn.h>
#    include <stdlib.h>
#    include <string.h>

#    include "codegen/cuda/cudnn_library.h"

/* The folder that a variable names, and what lies below it. */
typedef struct Place {
    const char *variable, *below; /* variable NULL: `below` is a whole path */
} Place;

static const char *path_of(Arena *arena, Place place)
{
    const char *folder = place.variable ? getenv(place.variable) : "";
    if (!folder || (place.variable && !*folder))
        return NULL;
    return arena_printf(arena, "%s%s", folder, place.below);
}

static void *load_first(Arena *arena, const Place *places, int count)
{
    void *found = NULL;
    for (int i = 0; i < count && !found; i++) {
        const char *path = path_of(arena, places[i]);
        found = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    }
    return found;
}

#    define COUNT(array) (int)(sizeof(array) / sizeof *(array))

/* Engines of cuDNN from about 9.20 on are linked with the driver, although they plan without it: where there is none,
 * the toolkit's stand-in for it, whose soname is the driver's, lets them load. */
static void load_driver(Arena *arena)
{
    static const Place driver[] = {{NULL, "libcuda.so.1"},
                                   {"CUDA_HOME", "/lib64/stubs/libcuda.so"},
                                   {"CUDA_PATH", "/lib64/stubs/libcuda.so"},
                                   {NULL, "/usr/local/cuda/lib64/stubs/libcuda.so"}};
    load_first(arena, driver, COUNT(driver));
}

CudnnLibrary open_cudnn(Arena *arena, Diagnostics *diagnostics)
{
    static const Place places[] = {{"CUDNN_PATH", "/lib/libcudnn.so.9"},
                                   {"CUDNN_PATH", "/lib64/libcudnn.so.9"},
                                   {NULL, "libcudnn.so.9"},
                                   {"CUDA_HOME", "/lib64/libcudnn.so.9"},
                                   {"CUDA_PATH", "/lib64/libcudnn.so.9"},
                                   {NULL, "/usr/local/cuda/lib64/libcudnn.so.9"}};
    CudnnLibrary library;
    load_driver(arena);
    const char *wanted = getenv("CUDNN_PATH"); /* then it is that one, or none */
    void *handle = load_first(arena, places, wanted && *wanted ? 2 : COUNT(places));
    if (!handle)
        fatal(diagnostics, EXIT_STATUS_IO, NO_ORIGIN,
              "--libraries cudnn: there is no libcudnn.so.9 in %s; install cuDNN 9.8 or newer (pip install "
              "nvidia-cudnn-cu13) and set CUDNN_PATH to the folder of its include and lib, or leave cudnn out",
              wanted && *wanted ? arena_printf(arena, "'%s/lib' ($CUDNN_PATH)", wanted)
                                : "the loader's path, $CUDA_HOME/lib64, $CUDA_PATH/lib64 or /usr/local/cuda/lib64");
    const struct {
        const char *name;
        void *to;
    } entries[] = {
#    define ENTRY(name) {#    name, &library.name},
        CUDNN_ENTRIES(ENTRY)
#    undef ENTRY
    };
    for (int i = 0; i < COUNT(entries); i++) {
        void *entry = dlsym(handle, entries[i].name);
        if (!entry)
            fatal(diagnostics, EXIT_STATUS_IO, NO_ORIGIN,
                  "--libraries cudnn: libcudnn.so.9 has no %s(); install it anew", entries[i].name);
        memcpy(entries[i].to, &entry, sizeof entry);
    }
    if (library.cudnnGetVersion() < PCC_CUDNN_LEAST_VERSION)
        fatal(
            diagnostics, EXIT_STATUS_IO, NO_ORIGIN,
            "--libraries cudnn: libcudnn.so.9 is of version %zu, which cannot plan without a GPU; install 9.8 or newer",
            library.cudnnGetVersion());
    return library;
}
#endif
