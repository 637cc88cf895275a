/* arena.c: a bump allocator for everything that lives as long as one compile.
 *
 * Memory comes from calloc in chunks, so that fresh memory is zero without being written; an allocation larger than
 * a quarter of the next chunk gets a chunk of its own. Nothing is freed before arena_destroy(). Chunks grow with the
 * arena and ask for huge pages: a graph of 10,000 nodes touches a quarter of a gigabyte, of which page faults of 4 KiB
 * would be a fifth of the compile's time. */
#include "ir/ir.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    CHUNK_BYTES = 1 << 20,
    LARGEST_CHUNK_BYTES = 1 << 24,
    HUGE_PAGE = 1 << 21,
    CACHE_LINE = 64,
    SMALL_ALIGNMENT = 16
};

typedef struct Chunk {
    struct Chunk *next;
    char *position, *end;
} Chunk;

struct Arena {
    Diagnostics *diagnostics;
    Chunk *chunks; /* the first is the one being filled */
    size_t used, capacity;
};

Arena *arena_create(size_t capacity, Diagnostics *diagnostics)
{
    Arena *arena = calloc(1, sizeof *arena);
    if (!arena)
        fatal(diagnostics, EXIT_STATUS_INTERNAL, NO_ORIGIN, "out of memory");
    arena->diagnostics = diagnostics;
    arena->capacity = capacity < PTRDIFF_MAX / 2 ? capacity : PTRDIFF_MAX / 2; /* so that sums cannot overflow */
    return arena;
}

void arena_destroy(Arena *arena)
{
    if (!arena)
        return;
    for (Chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(arena);
}

static char *align_up(char *pointer, size_t alignment)
{
    return pointer + (-(uintptr_t)pointer & (alignment - 1));
}

static void prefer_huge_pages(char *begin, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    char *page = align_up(begin, HUGE_PAGE);
    if (page - begin < (ptrdiff_t)bytes)
        madvise(page, (bytes - (size_t)(page - begin)) & -(size_t)HUGE_PAGE, MADV_HUGEPAGE);
#else
    (void)begin, (void)bytes;
#endif
}

/* calloc aligns to 16 bytes only, so a chunk has a cache line to spare. */
static Chunk *chunk_create(Arena *arena, size_t bytes)
{
    size_t total = sizeof(Chunk) + CACHE_LINE + bytes;
    Chunk *chunk = calloc(1, total);
    if (!chunk)
        fatal(arena->diagnostics, EXIT_STATUS_INTERNAL, NO_ORIGIN, "out of memory: no %zu bytes more", bytes);
    prefer_huge_pages((char *)chunk, total);
    chunk->position = (char *)(chunk + 1);
    chunk->end = (char *)chunk + total;
    return chunk;
}

static size_t next_chunk_bytes(const Arena *arena)
{
    size_t bytes = CHUNK_BYTES;
    while (bytes < LARGEST_CHUNK_BYTES && bytes < arena->used / 4)
        bytes *= 2;
    return bytes;
}

void *arena_alloc(Arena *arena, size_t bytes)
{
    if (bytes > arena->capacity - arena->used)
        fatal(arena->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "the model needs more than the %zu MiB allowed",
              arena->capacity >> 20);
    arena->used += bytes;
    size_t alignment = bytes >= CACHE_LINE ? CACHE_LINE : SMALL_ALIGNMENT;
    Chunk *chunk = arena->chunks;
    if (bytes > next_chunk_bytes(arena) / 4) {
        Chunk *own = chunk_create(arena, bytes);
        own->next = chunk ? chunk->next : NULL;
        *(chunk ? &chunk->next : &arena->chunks) = own;
        char *memory = align_up(own->position, CACHE_LINE);
        own->position = own->end;
        return memory;
    }
    if (!chunk || chunk->end - align_up(chunk->position, alignment) < (ptrdiff_t)bytes) {
        chunk = chunk_create(arena, next_chunk_bytes(arena));
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    char *memory = align_up(chunk->position, alignment);
    chunk->position = memory + bytes;
    return memory;
}

void *arena_alloc_array(Arena *arena, size_t count, size_t element_bytes)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, element_bytes, &bytes))
        fatal(arena->diagnostics, EXIT_STATUS_INPUT, NO_ORIGIN, "an array of %zu elements of %zu bytes is too large",
              count, element_bytes);
    return arena_alloc(arena, bytes);
}

bool arena_extend(Arena *arena, const void *memory, size_t bytes, size_t more)
{
    Chunk *chunk = arena->chunks;
    if (!chunk || (const char *)memory + bytes != chunk->position || (size_t)(chunk->end - chunk->position) < more ||
        more > arena->capacity - arena->used)
        return false;
    chunk->position += more;
    arena->used += more;
    return true;
}

void *arena_grown(Arena *arena, void *elements, int count, size_t element_bytes)
{
    const size_t bytes = (size_t)count * element_bytes;
    if ((count & (count - 1)) || (count && arena_extend(arena, elements, bytes, bytes)))
        return elements;
    void *larger = arena_alloc_array(arena, count ? 2 * (size_t)count : 1, element_bytes);
    if (count)
        memcpy(larger, elements, bytes);
    return larger;
}

char *arena_printf(Arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    char piece[256]; /* most texts fit */
    int length = format_into(piece, sizeof piece, format, arguments);
    va_end(arguments);
    if (length < 0)
        internal_error(arena->diagnostics, NO_ORIGIN, "invalid format '%s'", format);
    char *text = arena_alloc(arena, (size_t)length + 1);
    if ((size_t)length < sizeof piece)
        memcpy(text, piece, (size_t)length + 1);
    else
        format_into(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

const char *arena_strndup(Arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    memcpy(copy, text, length);
    return copy;
}

size_t arena_used(const Arena *arena)
{
    return arena->used;
}
