# Everything that may use the heap and libraries: files, reports, the command line.
find_package(hwy REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)

# For what reads files and writes reports: the checks of a sanitizer make it slow to optimise, and it does little when it runs.
function(mantissa_runs_seldom name)
  if(MANTISSA_SANITIZE)
    target_compile_options(${name} PRIVATE -O0)
  endif()
endfunction()

# For what spends its time in the core: large headers are read once, and -O3 would be for nothing.
function(mantissa_compiles_quickly name)
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  target_precompile_headers(${name} PRIVATE ${ARGN})
endfunction()

# Variants of the core's kernels for this machine; Highway chooses the instruction set at run time.
file(GLOB_RECURSE hwy_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/core/mantissa/*_hwy.cpp)
add_library(mantissa_hwy STATIC ${hwy_sources} ${core_headers})
set_target_properties(mantissa_hwy PROPERTIES EXPORT_NAME hwy LINKER_LANGUAGE CXX)
# Tiles are arrays of vectors, which SVE has not; and what has SSSE3 alone is of 2008.
set(hwy_definitions HWY_WANT_AVX3_DL  # off by default, and the one with VNNI
  "HWY_DISABLED_TARGETS=(HWY_SVE|HWY_SVE2|HWY_SVE_256|HWY_SVE2_128|HWY_SSSE3|MANTISSA_LEFT_OUT)")
# The sources are the same for each instruction set, so a sanitizer needs one beside the portable one; plain_test has all.
if(MANTISSA_SANITIZE AND CMAKE_BUILD_TYPE STREQUAL Release)
  set(left_out "(HWY_AVX3_DL|HWY_AVX3|HWY_SSE4)")
else()
  set(left_out 0)
endif()
target_compile_definitions(mantissa_hwy PRIVATE ${hwy_definitions} "MANTISSA_LEFT_OUT=${left_out}")
target_link_libraries(mantissa_hwy PUBLIC mantissa_core hwy::hwy PRIVATE $<BUILD_INTERFACE:mantissa_flags>)

file(GLOB_RECURSE host_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/host/*.cpp)
list(FILTER host_sources EXCLUDE REGEX "(_test|_bench|_fuzz)\\.cpp$")
file(GLOB_RECURSE host_headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/host/*.hpp)
add_library(mantissa_host STATIC ${host_sources})
add_library(mantissa::host ALIAS mantissa_host)
set_target_properties(mantissa_host PROPERTIES EXPORT_NAME host LINKER_LANGUAGE CXX)
target_sources(mantissa_host PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${host_headers})
target_link_libraries(mantissa_host
  PUBLIC mantissa_core mantissa_hwy
  PRIVATE $<BUILD_INTERFACE:mantissa_flags> fmt::fmt nlohmann_json::nlohmann_json tomlplusplus::tomlplusplus
    Threads::Threads ZLIB::ZLIB)
mantissa_compiles_quickly(mantissa_host <fmt/format.h> <algorithm> <filesystem> <fstream> <string> <vector>)
mantissa_runs_seldom(mantissa_host)
mantissa_compile_together(mantissa_host)

# host/file/model.fbs becomes #include "host/file/model_generated.h".
file(GLOB_RECURSE schemas CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/host/*.fbs)
if(schemas)
  find_program(FLATC flatc REQUIRED)
  target_include_directories(mantissa_host SYSTEM PUBLIC $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/generated>)
endif()
foreach(schema IN LISTS schemas)
  cmake_path(RELATIVE_PATH schema BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE relative)
  cmake_path(REMOVE_EXTENSION relative OUTPUT_VARIABLE stem)
  set(header ${PROJECT_BINARY_DIR}/generated/${stem}_generated.h)
  cmake_path(GET header PARENT_PATH folder)
  add_custom_command(OUTPUT ${header} COMMAND ${FLATC} --cpp --scoped-enums -o ${folder} ${schema} DEPENDS ${schema}
    COMMENT "Generating ${stem}_generated.h")
  target_sources(mantissa_host PRIVATE ${header})
endforeach()

file(GLOB cli_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cli/*.cpp)
list(FILTER cli_sources EXCLUDE REGEX "_test\\.cpp$")
if(cli_sources)
  # The demo's model is part of the program, and the example is where it is written.
  set(demo_model ${PROJECT_SOURCE_DIR}/examples/ecg/ecg.toml)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${demo_model})
  file(READ ${demo_model} MANTISSA_DEMO_MODEL)
  configure_file(${PROJECT_SOURCE_DIR}/cli/demo_model.hpp.in ${PROJECT_BINARY_DIR}/generated/cli/demo_model.hpp @ONLY)

  add_executable(mantissa ${cli_sources})
  target_include_directories(mantissa PRIVATE ${PROJECT_BINARY_DIR}/generated)
  target_compile_definitions(mantissa PRIVATE MANTISSA_VERSION="${PROJECT_VERSION}")
  target_link_libraries(mantissa PRIVATE mantissa_host mantissa_flags fmt::fmt CLI11::CLI11
    nlohmann_json::nlohmann_json)
  mantissa_compiles_quickly(mantissa <CLI/CLI.hpp> <fmt/format.h> <vector> <string> <span>)
  mantissa_runs_seldom(mantissa)
  mantissa_compile_together(mantissa)
endif()
