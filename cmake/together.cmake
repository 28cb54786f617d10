# Most of the time that files of the host and tests take goes into headers of libraries. With MANTISSA_TOGETHER those of one
# folder are one unit for the compiler.

# mantissa_compile_together(TARGET [ALONE REGEX]): files whose path matches are compiled by themselves, as they have names in
# common with others.
function(mantissa_compile_together target)
  if(NOT MANTISSA_TOGETHER)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 option "" ALONE "")
  get_target_property(sources ${target} SOURCES)
  foreach(source IN LISTS sources)
    if(source MATCHES "\\.cpp$" AND NOT (option_ALONE AND source MATCHES "${option_ALONE}"))
      cmake_path(GET source PARENT_PATH folder)
      cmake_path(GET folder FILENAME folder)
      set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${folder})
    endif()
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()
