# add_room(TARGET ROOM PATH... [SEES TARGET...])
#
# Grants a folder's library what it may include: its own headers, PATHs from the source's root (folders, or single
# headers), and those of the targets that it SEES. Each target has an include directory of its own with links to its
# PATHs alone, so that `#include "passes/passes.h"` does not build where passes is not seen.
function(add_room target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "ROOM;SEES")
  set(room ${CMAKE_BINARY_DIR}/rooms/${target})
  file(REMOVE_RECURSE ${room})
  foreach(path ${arg_ROOM})
    get_filename_component(folder ${room}/${path} DIRECTORY)
    file(MAKE_DIRECTORY ${folder})
    file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${path} ${room}/${path} SYMBOLIC)
  endforeach()
  get_target_property(kind ${target} TYPE)
  if(kind STREQUAL "INTERFACE_LIBRARY")
    target_include_directories(${target} INTERFACE ${room})
    target_link_libraries(${target} INTERFACE ${arg_SEES})
  else()
    target_include_directories(${target} PUBLIC ${room})
    target_link_libraries(${target} PUBLIC ${arg_SEES})
  endif()
endfunction()
