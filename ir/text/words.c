/* words.c: lists of words that are written as one string, and of globs. */
#include "ir/text/words.h"

#include <fnmatch.h>
#include <stddef.h>
#include <string.h>

bool has_word(const char *list, char separator, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = list; at && length && (at = strstr(at, word)); at += length)
        if ((at == list || at[-1] == separator) && (at[length] == separator || at[length] == '\0'))
            return true;
    return false;
}

bool matches_any(const char *name, const char *const *globs, int count)
{
    for (int i = 0; i < count; i++)
        if (fnmatch(globs[i], name, 0) == 0)
            return true;
    return false;
}
