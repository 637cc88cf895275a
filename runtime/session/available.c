/* available.c: /proc/meminfo, /proc/self/status and the memory controllers of cgroups (Linux: filesystems/proc,
 * cgroup-v1/memory, cgroup-v2). */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "available.h"

enum { AVAILABLE_PATH = 4096 };

/* The number after `key` at the start of a line; of the first line when key is "". -1: there is none. */
static int64_t available_number(const char *path, const char *key)
{
    FILE *file = fopen(path, "r");
    char line[256];
    int64_t number = -1;
    while (file && number < 0 && fgets(line, sizeof line, file)) {
        char *end, *text = line + strlen(key);
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        unsigned long long value = strtoull(text, &end, 10);
        if (end != text)
            number = value < INT64_MAX ? (int64_t)value : INT64_MAX;
        else if (!*key)
            break;
    }
    if (file)
        fclose(file);
    return number;
}

/* File names of the memory controller. Its page cache is reclaimed before an allocation fails. */
typedef struct AvailableFiles {
    const char *mount, *limit, *usage, *cache[2];
} AvailableFiles;

static const AvailableFiles available_v1 = {"/sys/fs/cgroup/memory",
                                            "memory.limit_in_bytes",
                                            "memory.usage_in_bytes",
                                            {"total_inactive_file ", "total_active_file "}};
static const AvailableFiles available_v2 = {
    "/sys/fs/cgroup", "memory.max", "memory.current", {"inactive_file ", "active_file "}};

static int64_t available_below_limit(const char *folder, const AvailableFiles *files)
{
    char path[AVAILABLE_PATH + 64];
    snprintf(path, sizeof path, "%s/%s", folder, files->limit);
    int64_t limit = available_number(path, "");
    if (limit < 0 || limit == INT64_MAX)
        return INT64_MAX;
    snprintf(path, sizeof path, "%s/%s", folder, files->usage);
    int64_t used = available_number(path, "");
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    for (int i = 0; i < 2; i++) {
        int64_t cache = available_number(path, files->cache[i]);
        used -= cache > 0 ? cache : 0;
    }
    used = used > 0 ? used : 0;
    return used < limit ? limit - used : 0;
}

/* The group and all its ancestors; a container may see only the upper ones, or its own as the root. */
static int64_t available_in_group(const char *root, const AvailableFiles *files, const char *group)
{
    char folder[AVAILABLE_PATH];
    int64_t least = INT64_MAX;
    size_t top = strlen(root) + strlen(files->mount);
    if (snprintf(folder, sizeof folder, "%s%s%s", root, files->mount, group) >= (int)sizeof folder)
        return least;
    for (;;) {
        int64_t left = available_below_limit(folder, files);
        least = left < least ? left : least;
        char *slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < top)
            return least;
        *slash = '\0';
    }
}

/* Lines are HIERARCHY:CONTROLLERS:GROUP; version 2 has the hierarchy 0 and no controllers. */
static int64_t available_in_cgroups(const char *root)
{
    char line[AVAILABLE_PATH];
    int64_t least = INT64_MAX;
    snprintf(line, sizeof line, "%s/proc/self/cgroup", root);
    FILE *file = fopen(line, "r");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = '\0';
        bool unified = controllers[1] == '\0';
        if (!unified && strcmp(controllers + 1, "memory") != 0)
            continue;
        int64_t left = available_in_group(root, unified ? &available_v2 : &available_v1, group);
        least = left < least ? left : least;
    }
    if (file)
        fclose(file);
    return least;
}

int64_t pcc_available_memory(const char *root)
{
    char path[AVAILABLE_PATH];
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    int64_t memory = available_number(path, "MemAvailable:"), swap = available_number(path, "SwapFree:"); /* KiB */
    int64_t least = memory < 0 ? INT64_MAX : 1024 * (memory + (swap > 0 ? swap : 0));
    int64_t left = available_in_cgroups(root);
    return left < least ? left : least;
}

int64_t pcc_peak_memory(const char *root)
{
    char path[AVAILABLE_PATH];
    snprintf(path, sizeof path, "%s/proc/self/status", root);
    int64_t peak = available_number(path, "VmHWM:"); /* KiB */
    return peak < 0 || peak > INT64_MAX / 1024 ? -1 : 1024 * peak;
}
