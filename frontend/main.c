#include <stdlib.h>
#include <string.h>

#include "codegen/codegen.h"
#include "frontend/onnx.h"

static DeclaredRole role_of(const void *context, const char *name)
{
    const char *kind = onnx_signature_kind(context, name);
    return !kind ? ROLE_UNKNOWN : strcmp(kind, "PARAMETER") == 0 ? ROLE_PARAMETER : strcmp(kind, "BUFFER") == 0 ? ROLE_BUFFER : ROLE_UNKNOWN;
}

int main(int argc, char **argv)
{
    Diagnostics d;
    diagnostics_init(&d, stderr);
    Arena *arena = arena_create((size_t)16 << 30, &d);
    Options options = {.precision = "32-true", .optimizer = "adamw", .accumulate = 1, .verify = true, .dump_stream = stdout};
    ImportOptions io = {0};
    ShapeBinding shapes[16];
    io.shapes = shapes;
    const char *out = NULL;
    d.file = argv[1];
    d.can_recover = true;
    if (setjmp(d.recover))
        return (int)d.status;
    for (int i = 2; i + 1 < argc; i += 2) {
        const char *o = argv[i], *v = argv[i + 1];
        if (!strcmp(o, "-o"))
            out = v;
        else if (!strcmp(o, "--precision"))
            options.precision = v;
        else if (!strcmp(o, "--output"))
            options.output = v;
        else if (!strcmp(o, "--labels"))
            options.labels = v;
        else if (!strcmp(o, "--batch"))
            io.batch = atoll(v);
        else if (!strcmp(o, "--dump-after"))
            options.dump_after = v;
        else if (!strcmp(o, "--optimizer"))
            options.optimizer = v;
        else if (!strcmp(o, "--shape"))
            parse_shape_binding(arena, v, &shapes[io.shape_count++]);
        else if (!strcmp(o, "--loss")) {
            options.loss_given = true;
            for (int k = 0; k < LOSS_COUNT; k++)
                if (!strcmp(v, loss_names[k]))
                    options.loss = (LossKind)k;
        }
    }
    OnnxModel *model = NULL;
    Graph *g = onnx_import(arena, &d, argv[1], &io, &model);
    options.role = role_of;
    options.role_context = model;
    if (!options.loss_given)
        options.loss = default_loss(g);
    Program p = run_pipeline(g, &options);
    char *w = arena_printf(arena, "%s", out);
    strcpy(strrchr(w, '.'), "");
    w = arena_printf(arena, "%s.safetensors", w);
    const char *base = strrchr(w, '/') ? strrchr(w, '/') + 1 : w;
    EmitOptions eo = {.model_path = argv[1], .command_line = "", .source_name = "train.c", .weights_name = base};
    Emitted e = emit_program(&p, &options, &eo);
    FILE *f = fopen(out, "w");
    fwrite(e.text, 1, e.length, f);
    fclose(f);
    write_weights(&p, &options, &eo, w);
    return 0;
}
