#!/bin/bash
# Every folder includes what CMakeLists.txt grants it and nothing else. The command that compiles one of its files is run
# on a file with one more include.
. "$(dirname "$0")/support.sh"
commands=$(dirname "$PCC")/compile_commands.json
[ -f "$commands" ] || fail "there is no compile_commands.json beside $PCC"

# builds SOURCE INCLUDE: does a file beside SOURCE that includes INCLUDE compile?
builds() {
    local command
    command=$(sed -n "s|^ *\"command\": \"\(.* -c $SOURCE/$1\)\",*\$|\1|p" "$commands" | head -n 1 | sed 's/\\"/"/g')
    [ -n "$command" ] || fail "compile_commands.json has no command for $1"
    printf '#include "%s"\nint more_than_an_include;\n' "$2" >more.c
    command=${command% -o *}
    (cd "$(dirname "$commands")" && eval "$command -fsyntax-only -c $OLDPWD/more.c") >output 2>&1
}

granted() {
    builds "$@" || fail "$1 may not include $2: $(head -n 1 output)"
}

refused() {
    builds "$@" && fail "$1 may include $2"
    grep -q "$2: No such file" output || fail "$1 with $2 does not build for another reason: $(head -n 1 output)"
}

granted ir/graph.c ir/ir.h
for header in passes/passes.h codegen/codegen.h frontend/onnx/onnx.h runtime/program.h pcc/program.h models/zoo.h; do
    refused ir/graph.c "$header"
    refused ir/ops/vision/conv.c "$header"
    refused ir/target/call.c "$header"
    refused ir/text/parse.c "$header"
done
granted passes/pipeline.c ir/target/target.h
for header in codegen/codegen.h frontend/onnx/onnx.h runtime/program.h; do
    refused passes/schedule/layout.c "$header"
done
granted codegen/program.c passes/view.h
granted codegen/c/kernels.c runtime/kernels/norm/norm_scratch.h
for header in frontend/onnx/onnx.h frontend/commands/driver.h runtime/session/session.h; do
    refused codegen/program.c "$header"
done
granted frontend/import/onnx_import.c frontend/files/interrupt.h
for header in passes/passes.h codegen/codegen.h frontend/commands/driver.h; do
    refused frontend/import/onnx_import.c "$header"
    refused models/zoo.c "$header"
done
refused frontend/files/interrupt.c frontend/onnx/onnx.h
refused frontend/onnx/onnx_read.c frontend/import/onnx_import.h
refused frontend/import/onnx_import.c frontend/export/onnx_export.h
granted frontend/export/export_template.c frontend/import/onnx_import.h
granted models/zoo.c frontend/onnx/onnx_write.h
refused models/zoo.c frontend/import/onnx_import.h
refused runtime/main.c ir/ir.h
refused runtime/train/trainer.c passes/passes.h
granted audit/audit.c audit/rules.h
refused audit/audit.c ir/ir.h

# A path upwards would go round the table.
upwards=$(cd "$SOURCE" && grep -ln '#include "\.\./' -r ir passes codegen frontend models audit)
[ -z "$upwards" ] || fail "includes upwards: $upwards"

# A program includes the headers of the kernels that it calls: each stands alone, in both kinds of programs.
headers=$(cat "$SOURCE/codegen/c/kernels.c" "$SOURCE/codegen/c/prologue.c" | grep -o '"[a-z]*/[a-z_]*\.h"' | sort -u)
headers="$(tr -d '"' <<<"$headers") numerics.h"
[ "$(wc -w <<<"$headers")" -ge 20 ] || fail "codegen/c/kernels.c and prologue.c name few headers: $headers"
for header in $headers; do
    for narrow in "" "#define PCC_NARROW 1"; do
        printf '%s\n#include <pcc/kernels/%s>\n' "$narrow" "$header" >alone.c
        expect 0 '' "${CC:-cc}" -fopenmp -Werror -fsyntax-only -I"$(dirname "$PCC")/include" alone.c
    done
done
