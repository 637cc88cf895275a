# pcc_add_training(TARGET MODEL model.onnx [LIBRARY] [NAME NAME] [PRECISION P] [LOSS KIND] [BATCH N]
#                  [OPTIONS OPTION...])
#
# Compiles an ONNX model to C with pcc and adds the executable TARGET that trains it; the initial weights lie beside it as
# TARGET.safetensors. With LIBRARY, a static library that exposes `const PccProgram pcc_program` (see <pcc/pcc.h>), or
# pcc_program_NAME: an executable may link any number of libraries of different names. The model and its external data
# files are dependencies. OPTIONS are pcc's (`pcc --help`). The kernels are chosen by the compiler's -march: it is
# `native` unless CMAKE_C_FLAGS names one or the build is a cross build.
function(pcc_add_training name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "LIBRARY" "MODEL;NAME;PRECISION;LOSS;BATCH" "OPTIONS")
  if(NOT arg_MODEL)
    message(FATAL_ERROR "pcc_add_training(${name}): MODEL is missing")
  endif()
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "pcc_add_training(${name}): unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  get_filename_component(model ${arg_MODEL} ABSOLUTE)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${name}.c)
  set(depfile ${CMAKE_CURRENT_BINARY_DIR}/${name}.d)
  set(options ${arg_OPTIONS})
  foreach(option NAME PRECISION LOSS BATCH)
    if(DEFINED arg_${option})
      string(TOLOWER ${option} flag)
      list(PREPEND options --${flag} ${arg_${option}})
    endif()
  endforeach()
  if(arg_LIBRARY)
    list(APPEND options --emit lib)
  endif()
  add_custom_command(OUTPUT ${source}
    BYPRODUCTS ${CMAKE_CURRENT_BINARY_DIR}/${name}.safetensors
    COMMAND pcc::pcc ${model} ${options} -MD -MF ${depfile} -MT ${source} -o ${source}
    DEPENDS ${model} pcc::pcc
    DEPFILE ${depfile}
    COMMENT "Compiling ${arg_MODEL} to C"
    VERBATIM)
  if(arg_LIBRARY)
    add_library(${name} STATIC ${source})
  else()
    add_executable(${name} ${source})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  endif()
  target_link_libraries(${name} PUBLIC pcc::runtime)
  target_compile_options(${name} PRIVATE -O3)
  if(NOT CMAKE_CROSSCOMPILING AND NOT CMAKE_C_FLAGS MATCHES "-m(arch|cpu)=")
    target_compile_options(${name} PRIVATE -march=native)
  endif()
endfunction()
