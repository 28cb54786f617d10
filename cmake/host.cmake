# Everything that may use the heap and libraries: files, reports, the command line, tests and benchmarks.
find_package(hwy REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Threads REQUIRED)
find_package(GTest)
find_package(benchmark)

file(GLOB_RECURSE hwy_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/core/mantissa/*_hwy.cpp)
add_library(mantissa_hwy STATIC ${hwy_sources})
target_link_libraries(mantissa_hwy PUBLIC mantissa_core hwy::hwy PRIVATE mantissa_flags)

file(GLOB_RECURSE host_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/host/*.cpp)
list(FILTER host_sources EXCLUDE REGEX "(_test|_bench|_fuzz)\\.cpp$")
add_library(mantissa_host STATIC ${host_sources})
add_library(mantissa::host ALIAS mantissa_host)
target_include_directories(mantissa_host PUBLIC ${PROJECT_SOURCE_DIR})
target_link_libraries(mantissa_host
  PUBLIC mantissa_core mantissa_hwy
  PRIVATE mantissa_flags fmt::fmt nlohmann_json::nlohmann_json tomlplusplus::tomlplusplus Threads::Threads)

file(GLOB cli_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cli/*.cpp)
list(FILTER cli_sources EXCLUDE REGEX "_test\\.cpp$")
if(cli_sources)
  add_executable(mantissa ${cli_sources})
  target_link_libraries(mantissa PRIVATE mantissa_host mantissa_flags fmt::fmt CLI11::CLI11 nlohmann_json::nlohmann_json)
  set_target_properties(mantissa PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
endif()

include(CTest)
if(BUILD_TESTING AND GTest_FOUND)
  include(cmake/tests.cmake)
endif()
