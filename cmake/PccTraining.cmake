# pcc_add_training(TARGET MODEL model.onnx [LIBRARY] [NAME NAME] [PRECISION P] [LOSS KIND] [BATCH N]
#                  [OPTIONS OPTION...] [CUDA [ARCHITECTURES ARCHITECTURE...]])
#
# Compiles an ONNX model to C with pcc and adds the executable TARGET that trains it; the initial weights lie beside it as
# TARGET.safetensors. With LIBRARY, a static library that exposes `const PccProgram pcc_program` (see <pcc/pcc.h>), or
# pcc_program_NAME: an executable may link any number of libraries of different names. The model and its external data
# files are dependencies. OPTIONS are pcc's (`pcc --help`). The kernels are chosen by the compiler's -march: it is
# `native` unless CMAKE_C_FLAGS names one or the build is a cross build.
#
# With CUDA it is a program for GPUs; the project enables that language. ARCHITECTURES are those of the property
# CUDA_ARCHITECTURES (80, 90a, native, ...); without them CMAKE_CUDA_ARCHITECTURES decides. Where the toolkit has
# cuBLASLt it is linked, but for OPTIONS --libraries none; cuDNN with --libraries cudnn or all, where CUDNN_ROOT,
# $CUDNN_PATH or the toolkit has it.

# Sets `variable` to the file that pcc writes for the target, by a command that reads the model.
function(_pcc_add_source name suffix model options variable)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${name}${suffix})
  set(depfile ${CMAKE_CURRENT_BINARY_DIR}/${name}.d)
  if(suffix STREQUAL ".cu")
    set(language CUDA)
  else()
    set(language C)
  endif()
  add_custom_command(OUTPUT ${source}
    BYPRODUCTS ${CMAKE_CURRENT_BINARY_DIR}/${name}.safetensors
    COMMAND pcc::pcc ${model} ${options} -MD -MF ${depfile} -MT ${source} -o ${source}
    DEPENDS ${model} pcc::pcc
    DEPFILE ${depfile}
    COMMENT "Compiling ${model} to ${language}"
    VERBATIM)
  set(${variable} ${source} PARENT_SCOPE)
endfunction()

function(_pcc_set_up_c name)
  target_link_libraries(${name} PUBLIC pcc::runtime)
  target_compile_options(${name} PRIVATE -O3)
  if(NOT CMAKE_CROSSCOMPILING AND NOT CMAKE_C_FLAGS MATCHES "-m(arch|cpu)=")
    target_compile_options(${name} PRIVATE -march=native)
  endif()
endfunction()

function(_pcc_set_up_cuda name architectures options)
  target_link_libraries(${name} PUBLIC pcc::runtime_cuda)
  string(FIND "${options}" "--libraries;none" without_libraries)
  find_package(CUDAToolkit QUIET)
  if(TARGET CUDA::cublasLt AND without_libraries EQUAL -1)
    target_link_libraries(${name} PUBLIC CUDA::cublasLt)
    target_link_options(${name} PRIVATE LINKER:--as-needed) # only where the program calls it
  endif()
  if(options MATCHES "--libraries;(cudnn|all)")
    find_path(PCC_PROGRAM_CUDNN_INCLUDE cudnn.h HINTS ${CUDNN_ROOT} $ENV{CUDNN_PATH} ${CUDAToolkit_INCLUDE_DIRS}
      PATH_SUFFIXES include REQUIRED)
    find_library(PCC_PROGRAM_CUDNN NAMES libcudnn.so.9 HINTS ${CUDNN_ROOT} $ENV{CUDNN_PATH} ${CUDAToolkit_LIBRARY_DIR}
      PATH_SUFFIXES lib lib64 REQUIRED)
    target_include_directories(${name} SYSTEM PRIVATE ${PCC_PROGRAM_CUDNN_INCLUDE})
    target_link_libraries(${name} PUBLIC ${PCC_PROGRAM_CUDNN})
  endif()
  target_compile_options(${name} PRIVATE -O3)
  if(architectures)
    set_target_properties(${name} PROPERTIES CUDA_ARCHITECTURES "${architectures}")
  endif()
endfunction()

function(pcc_add_training name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "LIBRARY;CUDA" "MODEL;NAME;PRECISION;LOSS;BATCH" "OPTIONS;ARCHITECTURES")
  if(NOT arg_MODEL)
    message(FATAL_ERROR "pcc_add_training(${name}): MODEL is missing")
  endif()
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "pcc_add_training(${name}): unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(arg_ARCHITECTURES AND NOT arg_CUDA)
    message(FATAL_ERROR "pcc_add_training(${name}): ARCHITECTURES are those of CUDA programs: add CUDA")
  endif()
  if(arg_CUDA AND NOT CMAKE_CUDA_COMPILER)
    message(FATAL_ERROR "pcc_add_training(${name} CUDA): the project does not enable CUDA: write "
      "project(... LANGUAGES C CUDA), and set CUDACXX where nvcc is not on the PATH")
  endif()
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
  if(arg_CUDA)
    set(suffix .cu)
  else()
    set(suffix .c)
  endif()
  get_filename_component(model ${arg_MODEL} ABSOLUTE)
  _pcc_add_source(${name} ${suffix} ${model} "${options}" source)
  if(arg_LIBRARY)
    add_library(${name} STATIC ${source})
  else()
    add_executable(${name} ${source})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  endif()
  if(arg_CUDA)
    _pcc_set_up_cuda(${name} "${arg_ARCHITECTURES}" "${options}")
  else()
    _pcc_set_up_c(${name})
  endif()
endfunction()
