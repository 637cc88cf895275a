/* external_data.h: tensors whose data lie in files beside the model.
 *
 * A model comes from anywhere, so its locations are hostile: a file is opened only beneath the model's folder, never
 * through a symbolic link, and must be a regular file with one link (a hard link can lead out of the folder too). */
#ifndef PCC_FRONTEND_EXTERNAL_DATA_H
#define PCC_FRONTEND_EXTERNAL_DATA_H

#include "ir/ir.h"
#include "onnx.pb-c.h"

typedef struct ExternalFiles ExternalFiles;

ExternalFiles *external_files_create(Arena *arena, Diagnostics *diagnostics, const char *model_path);
void external_files_close(ExternalFiles *files);
int external_files_list(const ExternalFiles *files, const char *const **paths);

/* The payload of a tensor with data_location EXTERNAL: `bytes` of them, or fatal. Keys: location, offset, length,
 * checksum (accepted, not verified: it covers the whole file); other keys are refused. */
const uint8_t *external_payload(ExternalFiles *files, Origin origin, const Onnx__TensorProto *tensor, size_t bytes);

#endif
