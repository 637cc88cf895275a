/* occupancy.c: a segment tree over positions.
 *
 * A span of positions keeps what is taken somewhere in it and what is taken throughout it. Buffers that lie side by
 * side are one range, so that the lists are short where the arena is dense; a list of buffers by offset, which a first
 * fit would go through each time, is as long as the graph. */
#include "passes/schedule/occupancy.h"

#include <string.h>

typedef struct Range {
    int64_t begin, end;
} Range;

/* Ascending, with gaps between them. */
typedef struct Ranges {
    Range *items;
    int count, capacity;
} Ranges;

typedef struct Span {
    Ranges anywhere;   /* taken at some position of the span */
    Ranges throughout; /* taken at all of them */
} Span;

struct Occupancy {
    Arena *arena;
    int positions; /* a power of two */
    Span *spans;   /* 1: all positions; the halves of i are 2i and 2i + 1 */
};

/* ---- ranges ---- */

/* The first range that ends behind `offset`, or at it when `touching`. */
static int first_behind(const Ranges *ranges, int64_t offset, bool touching)
{
    int low = 0, high = ranges->count;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (ranges->items[middle].end > offset || (touching && ranges->items[middle].end == offset))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void make_room(Arena *arena, Ranges *ranges)
{
    if (ranges->count < ranges->capacity)
        return;
    ranges->capacity = ranges->capacity ? 2 * ranges->capacity : 2;
    Range *larger = NEW_ARRAY(arena, Range, ranges->capacity);
    if (ranges->count > 0)
        memcpy(larger, ranges->items, (size_t)ranges->count * sizeof *larger);
    ranges->items = larger;
}

static void add_range(Arena *arena, Ranges *ranges, Range range)
{
    const int at = first_behind(ranges, range.begin, true);
    int behind = at;
    for (; behind < ranges->count && ranges->items[behind].begin <= range.end; behind++) {
        const Range other = ranges->items[behind];
        range.begin = other.begin < range.begin ? other.begin : range.begin;
        range.end = other.end > range.end ? other.end : range.end;
    }
    make_room(arena, ranges);
    memmove(ranges->items + at + 1, ranges->items + behind, (size_t)(ranges->count - behind) * sizeof(Range));
    ranges->items[at] = range;
    ranges->count += at + 1 - behind;
}

/* The lowest offset from `offset` on where so many bytes are in none of the ranges. */
static int64_t free_from(const Ranges *ranges, int64_t offset, int64_t bytes)
{
    for (int i = first_behind(ranges, offset, false); i < ranges->count && ranges->items[i].begin < offset + bytes; i++)
        offset = ranges->items[i].end;
    return offset;
}

/* ---- the tree ---- */

Occupancy *occupancy_create(Arena *arena, int positions)
{
    Occupancy *occupancy = NEW(arena, Occupancy);
    occupancy->arena = arena;
    occupancy->positions = 1;
    while (occupancy->positions < positions)
        occupancy->positions *= 2;
    occupancy->spans = NEW_ARRAY(arena, Span, 2 * (size_t)occupancy->positions);
    return occupancy;
}

/* A request, and the span that the walk is at: positions begin ... end - 1. */
typedef struct Walk {
    int first, last;
    int span, begin, end;
} Walk;

static Walk whole_tree(const Occupancy *occupancy, int first, int last)
{
    return (Walk){.first = first, .last = last, .span = 1, .begin = 0, .end = occupancy->positions};
}

static Walk half_of(Walk walk, int half)
{
    const int middle = walk.begin + (walk.end - walk.begin) / 2;
    walk.span = 2 * walk.span + half;
    *(half ? &walk.begin : &walk.end) = middle;
    return walk;
}

static bool is_met(Walk walk)
{
    return walk.first < walk.end && walk.begin <= walk.last;
}

static bool is_covered(Walk walk)
{
    return walk.first <= walk.begin && walk.end - 1 <= walk.last;
}

static void take(Occupancy *occupancy, Walk walk, Range range)
{
    Span *span = &occupancy->spans[walk.span];
    if (!is_met(walk))
        return;
    add_range(occupancy->arena, &span->anywhere, range);
    if (is_covered(walk)) {
        add_range(occupancy->arena, &span->throughout, range);
        return;
    }
    take(occupancy, half_of(walk, 0), range);
    take(occupancy, half_of(walk, 1), range);
}

void occupy(Occupancy *occupancy, int first, int last, int64_t offset, int64_t bytes)
{
    if (bytes > 0)
        take(occupancy, whole_tree(occupancy, first, last), (Range){offset, offset + bytes});
}

/* Two spans a level are met in part, and have two covered halves at most. */
enum { MOST_LISTS = 4 * 32 };

typedef struct Lists {
    const Ranges *items[MOST_LISTS];
    int count;
} Lists;

/* What is taken at the positions asked for: in spans that they cover, and throughout those around them. */
static void collect(const Occupancy *occupancy, Walk walk, Lists *lists)
{
    const Span *span = &occupancy->spans[walk.span];
    if (!is_met(walk))
        return;
    const Ranges *taken = is_covered(walk) ? &span->anywhere : &span->throughout;
    if (taken->count > 0)
        lists->items[lists->count++] = taken;
    if (is_covered(walk))
        return;
    collect(occupancy, half_of(walk, 0), lists);
    collect(occupancy, half_of(walk, 1), lists);
}

int64_t lowest_free(const Occupancy *occupancy, int first, int last, int64_t bytes)
{
    Lists lists = {.count = 0};
    collect(occupancy, whole_tree(occupancy, first, last), &lists);
    int64_t offset = 0, before;
    do {
        before = offset;
        for (int i = 0; i < lists.count; i++)
            offset = free_from(lists.items[i], offset, bytes);
    } while (offset != before);
    return offset;
}
