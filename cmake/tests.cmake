# One test program per folder, made of the *_test.cpp files beside the code they test.
include(GoogleTest)
function(mantissa_test_program name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${ARGN})
  if(sources)
    add_executable(${name} ${sources})
    target_link_libraries(${name} PRIVATE mantissa_host mantissa_flags fmt::fmt nlohmann_json::nlohmann_json
      GTest::gtest GTest::gtest_main)
    target_compile_definitions(${name} PRIVATE MANTISSA_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
      MANTISSA_BINARY_DIR="${PROJECT_BINARY_DIR}")
    gtest_discover_tests(${name} DISCOVERY_TIMEOUT 120 PROPERTIES TIMEOUT 600)
  endif()
endfunction()
mantissa_test_program(core_test ${PROJECT_SOURCE_DIR}/core/mantissa/*_test.cpp)
mantissa_test_program(host_test ${PROJECT_SOURCE_DIR}/host/*_test.cpp)
mantissa_test_program(whole_test ${PROJECT_SOURCE_DIR}/tests/*_test.cpp)
