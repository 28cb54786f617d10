# Tests of the sources and of the build itself. One build tree is enough to have them: preset host-release.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
find_program(ARM_CXX arm-none-eabi-g++)
find_program(CLANG_FORMAT clang-format)
find_program(CLANG_CXX clang++)

add_test(NAME check.dependencies COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/check_dependencies.py)

# Each mutant of the catalogue still fits its source; ./dev mutate says which test catches it.
add_test(NAME check.mutants COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/mutate/mutate.py --check)

# Golden values are what the model in tools/gold says, and nothing else.
add_test(NAME check.golden COMMAND ${PROJECT_SOURCE_DIR}/dev golden)
set_tests_properties(check.golden PROPERTIES TIMEOUT 300)

if(ARM_CXX)
  add_test(NAME check.cortex_m0
    COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/check_cortex_m0.py ${PROJECT_BINARY_DIR}/cortex_m0)
  add_test(NAME check.soft_float
    COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/check_soft_float.py ${PROJECT_BINARY_DIR}/soft_float)
endif()
if(CLANG_FORMAT)
  add_test(NAME check.format COMMAND ${PROJECT_SOURCE_DIR}/dev format --check)
endif()

# What must not compile does not, and for the right reason.
file(GLOB wrong_programs CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/must_not_compile/*.cpp)
foreach(source IN LISTS wrong_programs)
  cmake_path(GET source STEM name)
  add_test(NAME must_not_compile.${name}
    COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/check_must_not_compile.py ${source}
      ${CMAKE_CXX_COMPILER} -std=c++20 -I${PROJECT_SOURCE_DIR}/core -I${PROJECT_SOURCE_DIR})
endforeach()

# A stranger's project finds the installed core, or holds our sources as a folder of its own.
function(mantissa_consumer_test way)
  add_test(NAME consumer.${way} COMMAND ${CMAKE_CTEST_COMMAND}
    --build-and-test ${PROJECT_SOURCE_DIR}/tests/consumer ${PROJECT_BINARY_DIR}/consumer/${way}
    --build-generator ${CMAKE_GENERATOR} --build-options -DCMAKE_BUILD_TYPE=Debug ${ARGN}
    --test-command consumer)
endfunction()
set(prefix ${PROJECT_BINARY_DIR}/consumer/installed)
add_test(NAME consumer.install COMMAND ${CMAKE_COMMAND} --install ${PROJECT_BINARY_DIR} --prefix ${prefix})
set_tests_properties(consumer.install PROPERTIES FIXTURES_SETUP installed)
mantissa_consumer_test(find_package -DCMAKE_PREFIX_PATH=${prefix})
set_tests_properties(consumer.find_package PROPERTIES FIXTURES_REQUIRED installed)
mantissa_consumer_test(add_subdirectory -DMANTISSA_FOLDER=${PROJECT_SOURCE_DIR})

# The same tests, and so the same golden bits, from the other compiler, which stops where integers overflow, are shifted too
# far or take a float that does not fit. (./dev sanitize has the checks of addresses as well.)
if(CLANG_CXX)
  add_test(NAME check.clang COMMAND ${CMAKE_COMMAND} --workflow --preset host-clang
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(check.clang PROPERTIES LABELS slow TIMEOUT 1200 PROCESSORS 2 COST 1000)
endif()

# And from 64-bit Arm, which an emulator runs; its libraries are Debian's for arm64. What only says that formulas are right, not
# which bits they give, is left out there, and what asks the same of any machine (CMakePresets.json).
find_program(AARCH64_CXX aarch64-linux-gnu-g++)
find_program(QEMU_AARCH64 qemu-aarch64)
set(aarch64_packages TRUE)
foreach(package GTest fmt hwy rapidcheck tomlplusplus)
  if(NOT EXISTS /usr/lib/aarch64-linux-gnu/cmake/${package})
    set(aarch64_packages FALSE)
  endif()
endforeach()
if(AARCH64_CXX AND QEMU_AARCH64 AND aarch64_packages)
  add_test(NAME check.aarch64 COMMAND ${CMAKE_COMMAND} --workflow --preset aarch64
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(check.aarch64 PROPERTIES LABELS slow FIXTURES_SETUP aarch64 TIMEOUT 2400 PROCESSORS 2 COST 1000)
  add_test(NAME check.aarch64_training COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tests/same_training.py
    $<TARGET_FILE:mantissa> ${QEMU_AARCH64} ${PROJECT_SOURCE_DIR}/build/aarch64/mantissa)
  set_tests_properties(check.aarch64_training PROPERTIES LABELS slow FIXTURES_REQUIRED aarch64 TIMEOUT 600)
endif()
