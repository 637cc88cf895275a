# cmake --install: bin/pcc with its manual page and completion, the runtime (see runtime/CMakeLists.txt), what
# --standalone inlines under share/pcc, the example of library use, and the CMake package `pcc`.
install(FILES ${PROJECT_SOURCE_DIR}/docs/pcc.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
set(completion ${PROJECT_BINARY_DIR}/pcc.completion)
add_custom_command(OUTPUT ${completion} COMMAND pcc --print completion > ${completion} DEPENDS pcc VERBATIM)
add_custom_target(pcc_completion ALL DEPENDS ${completion})
install(FILES ${completion} DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME pcc)

install(TARGETS pcc EXPORT pcc-targets RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/runtime DESTINATION ${CMAKE_INSTALL_DATADIR}/pcc
  FILES_MATCHING PATTERN "*.c" PATTERN "*.h" PATTERN "*.cuh" PATTERN "*.inc" PATTERN "example_*.c" EXCLUDE)
install(FILES ${PROJECT_SOURCE_DIR}/runtime/example_embed.c DESTINATION ${CMAKE_INSTALL_DATADIR}/pcc/examples)

# What scripts/emulate builds .cu files with, for the CPU.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/tests/emulator/ DESTINATION ${CMAKE_INSTALL_DATADIR}/pcc/emulator
  FILES_MATCHING PATTERN "*.cpp" PATTERN "*.h")
install(PROGRAMS ${PROJECT_SOURCE_DIR}/scripts/emulate DESTINATION ${CMAKE_INSTALL_DATADIR}/pcc/emulator)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/pcc)
install(EXPORT pcc-targets NAMESPACE pcc:: DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/pcc-config.cmake.in
  ${PROJECT_BINARY_DIR}/installed/pcc-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/installed/pcc-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/installed/pcc-config.cmake ${PROJECT_BINARY_DIR}/installed/pcc-config-version.cmake
  ${PROJECT_SOURCE_DIR}/cmake/PccTraining.cmake DESTINATION ${package_dir})
