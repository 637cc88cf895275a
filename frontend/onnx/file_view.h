/* file_view.h: the bytes of a file, mapped when it is a regular one. */
#ifndef PCC_FRONTEND_FILE_VIEW_H
#define PCC_FRONTEND_FILE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct FileView {
    const uint8_t *bytes; /* NULL when size is 0 */
    size_t size;
    bool mapped;
} FileView;

/* Takes the bytes of an open file; the descriptor may be closed afterwards. 0, or errno. Pipes are read up to
 * 2 GiB, protobuf's limit for a message. */
int file_view_open(int descriptor, FileView *view);
void file_view_close(FileView *view);

#endif
