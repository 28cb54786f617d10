# Programs made of the files that stand beside the code: *_test.cpp, *_bench.cpp, *_fuzz.cpp; and the examples.
find_package(GTest)
find_package(rapidcheck)
find_package(benchmark)
include(GoogleTest)

# Properties draw the same cases in every run of ctest. The programs themselves draw anew, or as RC_PARAMS says.
set(test_properties TIMEOUT 600 ENVIRONMENT RC_PARAMS=seed=1)

function(mantissa_program name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE mantissa_host mantissa_flags fmt::fmt nlohmann_json::nlohmann_json)
  target_compile_definitions(${name} PRIVATE MANTISSA_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
    MANTISSA_BINARY_DIR="${PROJECT_BINARY_DIR}")
endfunction()

# One test program per folder.
function(mantissa_test_program name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${ARGN})
  if(sources)
    mantissa_program(${name} ${sources})
    target_link_libraries(${name} PRIVATE rapidcheck GTest::gtest GTest::gtest_main)
    mantissa_compiles_quickly(${name} <gtest/gtest.h> <algorithm> <filesystem> <fstream> <string> <vector>)
    mantissa_compile_together(${name} ALONE "_dsp\\.cpp$|kernels/[a-z]+_norm_test\\.cpp$")
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 120 PROPERTIES ${test_properties})
  endif()
endfunction()
if(GTest_FOUND AND rapidcheck_FOUND)
  # Variants for small cores run here, too: their instructions have portable definitions.
  mantissa_test_program(core_test ${PROJECT_SOURCE_DIR}/core/mantissa/*_test.cpp
    ${PROJECT_SOURCE_DIR}/core/mantissa/*_dsp.cpp)
  if(NOT CMAKE_CROSSCOMPILING)  # elsewhere it is the numbers that could differ
    mantissa_test_program(host_test ${PROJECT_SOURCE_DIR}/host/*_test.cpp)
    mantissa_runs_seldom(host_test)
  endif()
  mantissa_test_program(whole_test ${PROJECT_SOURCE_DIR}/tests/*_test.cpp
    ${PROJECT_SOURCE_DIR}/core/mantissa/*_dsp.cpp)
else()
  message(STATUS "No unit tests: GoogleTest or RapidCheck is missing (./dev setup installs them)")
endif()

# The checks of a sanitizer keep the compiler from using vectors, so where it optimises, golden bits come from code without
# them, too.
if(TARGET whole_test AND MANTISSA_SANITIZE AND CMAKE_BUILD_TYPE STREQUAL Release)
  file(GLOB dsp_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/core/mantissa/kernels/*_dsp.cpp)
  add_library(plain_core STATIC ${core_sources} ${hwy_sources} ${dsp_sources})
  target_include_directories(plain_core PUBLIC ${PROJECT_SOURCE_DIR}/core)
  target_compile_definitions(plain_core PRIVATE ${hwy_definitions} MANTISSA_LEFT_OUT=0)
  target_compile_options(plain_core PUBLIC -ffp-contract=off)
  target_link_libraries(plain_core PRIVATE hwy::hwy)
  add_executable(plain_test)
  foreach(name chain trajectory equal_paths numerics_golden single_layers_golden updates_golden)
    target_sources(plain_test PRIVATE ${PROJECT_SOURCE_DIR}/tests/${name}_test.cpp)
  endforeach()
  target_include_directories(plain_test PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(plain_test PRIVATE MANTISSA_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  mantissa_compiles_quickly(plain_test <gtest/gtest.h> <string> <vector>)
  mantissa_compile_together(plain_test)
  target_link_libraries(plain_test PRIVATE plain_core rapidcheck GTest::gtest GTest::gtest_main)
  gtest_discover_tests(plain_test TEST_PREFIX plain. DISCOVERY_TIMEOUT 120 PROPERTIES ${test_properties})
endif()

# The program as a person uses it, where this machine runs it itself.
find_package(Python3 COMPONENTS Interpreter)
if(TARGET mantissa AND Python3_FOUND AND NOT CMAKE_CROSSCOMPILING)
  add_test(NAME cli COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tests/cli_test.py $<TARGET_FILE:mantissa>)
  set_tests_properties(cli PROPERTIES TIMEOUT 600)

  # Exported models compile with the core alone, and train as the program does.
  set(sanitize_flags)
  if(MANTISSA_SANITIZE)
    set(sanitize_flags -fsanitize=${MANTISSA_SANITIZE})
  endif()
  add_test(NAME export COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tests/export_test.py $<TARGET_FILE:mantissa>
    ${CMAKE_CXX_COMPILER} $<TARGET_FILE:mantissa_core> ${sanitize_flags})
  set_tests_properties(export PROPERTIES TIMEOUT 600)
endif()

# All benchmarks are one program, where what they measure is worth knowing.
file(GLOB_RECURSE bench_sources CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/core/mantissa/*_bench.cpp ${PROJECT_SOURCE_DIR}/host/*_bench.cpp)
if(benchmark_FOUND AND bench_sources AND NOT CMAKE_CROSSCOMPILING AND NOT MANTISSA_SANITIZE)
  mantissa_program(mantissa_bench ${bench_sources})
  target_link_libraries(mantissa_bench PRIVATE benchmark::benchmark_main)
endif()

# Each fuzzer is a program; as a test it runs a moment only, `./dev fuzz` runs it for long.
file(GLOB_RECURSE fuzz_sources CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/core/mantissa/*_fuzz.cpp ${PROJECT_SOURCE_DIR}/host/*_fuzz.cpp)
if(MANTISSA_FUZZ)
  add_custom_target(fuzzers)
  foreach(source IN LISTS fuzz_sources)
    cmake_path(GET source STEM name)
    mantissa_program(${name} ${source})
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer-no-link)  # without it libFuzzer gives up at once
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzzers ${name})
    add_test(NAME ${name} COMMAND ${name} -runs=1000)
  endforeach()
endif()

# Each C++ file in a folder of examples/ is a program of its own, and must run.
file(GLOB examples CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*/*.cpp)
foreach(source IN LISTS examples)
  cmake_path(GET source STEM name)
  mantissa_program(example_${name} ${source} ${PROJECT_SOURCE_DIR}/examples/print_host.cpp)
  add_test(NAME example_${name} COMMAND example_${name})
endforeach()
