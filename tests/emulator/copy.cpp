/* copy.cpp: asynchronous copies into shared memory (cp.async). They are done when their thread waits for them, not
 * before: a kernel that does not wait reads poison. */
#include "emulator.h"

#include <string.h>

#include <vector>

#include "pcc_emulator.h"

struct Copy {
    void *to;
    const void *from;
    size_t bytes, total;
};

/* Of one thread, oldest first. */
struct Copies {
    std::vector<Copy> copies;
    std::vector<size_t> groups; /* where each committed one ends */
};

static Copies copies[MOST_THREADS];

void pcc_emulated_copy(void *to, const void *from, size_t bytes, size_t total)
{
    if (total != 4 && total != 8 && total != 16)
        fault("an asynchronous copy has 4, 8 or 16 bytes, not %zu", total);
    if ((uintptr_t)to % total || (bytes && (uintptr_t)from % total))
        fault("an asynchronous copy of %zu bytes is not aligned: from %p to %p", total, from, to);
    copies[current.running].copies.push_back({to, from, bytes, total});
    memset(to, POISON, total);
}

void pcc_emulated_copy_commit(void)
{
    Copies *own = &copies[current.running];
    own->groups.push_back(own->copies.size());
}

static void perform(const Copy *copy)
{
    memcpy(copy->to, copy->from, copy->bytes);
    memset((char *)copy->to + copy->bytes, 0, copy->total - copy->bytes);
}

void pcc_emulated_copy_wait(int newest)
{
    Copies *own = &copies[current.running];
    const size_t done = own->groups.size() < (size_t)newest ? 0 : own->groups.size() - (size_t)newest;
    const size_t end = done == 0 ? 0 : own->groups[done - 1];
    for (size_t i = 0; i < end; i++)
        perform(&own->copies[i]);
    own->copies.erase(own->copies.begin(), own->copies.begin() + (ptrdiff_t)end);
    own->groups.erase(own->groups.begin(), own->groups.begin() + (ptrdiff_t)done);
    for (size_t &group : own->groups)
        group -= end;
}

void drop_copies(int thread)
{
    copies[thread].copies.clear();
    copies[thread].groups.clear();
}
