/* onnx_declared.c: what PyTorch's dynamo exporter says of tensors in metadata: which are parameters, and which it
 * folded from which others. */
#include <string.h>

#include "frontend/onnx/onnx_file.h"

typedef Onnx__StringStringEntryProto Entry;

static const char kind_key[] = "pkg.torch.export.graph_signature.InputSpec.kind";
static const char signature_key[] = "pkg.torch.export.ExportedProgram.graph_signature";
static const char folded_key[] = "pkg.onnxscript.optimizer.folded_from";

static bool is_entry(const Entry *entry, const char *key)
{
    return entry->key && entry->value && strcmp(entry->key, key) == 0;
}

/* The metadata of the value_info that has the tensor's name. */
static void index_values(OnnxModel *model, size_t count, ValueInfoProto *const *infos)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; infos[i]->name && j < infos[i]->n_metadata_props; j++) {
            const Entry *entry = infos[i]->metadata_props[j];
            if (is_entry(entry, kind_key)) {
                name_table_set(&model->signature_kinds, model->arena, infos[i]->name, entry->value);
            } else if (is_entry(entry, folded_key)) {
                name_table_set(&model->folded_from, model->arena, infos[i]->name, entry->value);
            }
        }
    }
}

/* Python's repr of a string: 'a', or "a" when there is a ' in it. Moves *cursor behind it; NULL when there is none. */
static const char *next_quoted(OnnxModel *model, const char **cursor)
{
    const char *start = strpbrk(*cursor, "'\""), *end = start ? strchr(start + 1, *start) : NULL;
    if (!end) {
        return NULL;
    }
    *cursor = end + 1;
    return arena_strndup(model->arena, start + 1, (size_t)(end - start - 1));
}

/* Lines such as "p_fc_weight: PARAMETER target='fc.weight'": the whole module's, those included that were folded. */
static void index_signature(OnnxModel *model, const char *text)
{
    static const char marker[] = ": PARAMETER target=";
    for (const char *cursor = text; (cursor = strstr(cursor, marker));) {
        cursor += sizeof marker - 1;
        const char *name = next_quoted(model, &cursor);
        if (!name) {
            return;
        }
        if (!name_table_find(&model->signature_kinds, name)) {
            name_table_set(&model->signature_kinds, model->arena, name, (void *)(uintptr_t) "PARAMETER");
        }
        model->has_signature = true;
    }
}

void index_declarations(OnnxModel *model)
{
    const GraphProto *graph = model->proto->graph;
    index_values(model, graph->n_value_info, graph->value_info);
    index_values(model, graph->n_input, graph->input);
    for (size_t i = 0; i < graph->n_metadata_props; i++) {
        if (is_entry(graph->metadata_props[i], signature_key)) {
            index_signature(model, graph->metadata_props[i]->value);
        }
    }
}

const char *onnx_signature_kind(const OnnxModel *model, const char *name)
{
    return name_table_find(&model->signature_kinds, name);
}

bool onnx_has_signature(const OnnxModel *model)
{
    return model->signature_kinds.count > 0;
}

OnnxFolding onnx_folding(OnnxModel *model, const char *name, const char **source)
{
    const char *cursor = name_table_find(&model->folded_from, name);
    if (!cursor) {
        return ONNX_NOT_FOLDED;
    }
    while ((*source = next_quoted(model, &cursor))) {
        const char *kind = onnx_signature_kind(model, *source);
        if (kind && strcmp(kind, "PARAMETER") == 0) {
            return ONNX_FOLDED_PARAMETER;
        }
    }
    return model->has_signature ? ONNX_FOLDED_CONSTANT : ONNX_NOT_FOLDED;
}
