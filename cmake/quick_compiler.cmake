# PCC_QUICK_CC and PCC_QUICK_CFLAGS: for programs that tests build in order to run them once, where the time of the
# compiler is what counts. Clang's -O0 takes half of the time of GCC's -Og, and GCC's -O0 longer than that.
set(PCC_QUICK_CC ${CMAKE_C_COMPILER})
set(PCC_QUICK_CFLAGS -Og)
if(NOT PCC_SANITIZE) # one compiler's sanitizers are not another's
  find_program(PCC_CLANG NAMES clang-14 clang)
endif()
if(PCC_CLANG)
  set(probe ${CMAKE_BINARY_DIR}/quick_compiler)
  file(WRITE ${probe}.c "#include <omp.h>\nint threads(void) { return omp_get_max_threads(); }\n")
  execute_process(COMMAND ${PCC_CLANG} -fopenmp -shared -fPIC ${probe}.c -o ${probe}.so
    RESULT_VARIABLE probe_status OUTPUT_QUIET ERROR_QUIET)
  if(probe_status EQUAL 0)
    set(PCC_QUICK_CC ${PCC_CLANG})
    set(PCC_QUICK_CFLAGS -O0)
  endif()
endif()
