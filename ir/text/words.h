/* words.h: lists of words that are written as one string, and of globs. */
#ifndef PCC_IR_WORDS_H
#define PCC_IR_WORDS_H

#include <stdbool.h>

/* Is `word` one of the words of `list`, each separated from the next by one `separator`? list NULL: of none. */
bool has_word(const char *list, char separator, const char *word);
/* Does a glob of fnmatch(3) match the name? */
bool matches_any(const char *name, const char *const *globs, int count);

#endif
