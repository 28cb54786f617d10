# Emulated boards: the counter of instructions for QEMU, and tests of what firmware does. The programs for each core are
# built by its own preset, cm0 to cm55, into build/; here a test does it.
if(CMAKE_CROSSCOMPILING OR NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
  return()
endif()
add_library(mantissa_count MODULE ${PROJECT_SOURCE_DIR}/tools/qemu/count.cpp)
set_target_properties(mantissa_count PROPERTIES PREFIX "" OUTPUT_NAME count CXX_VISIBILITY_PRESET hidden)
target_include_directories(mantissa_count PRIVATE ${PROJECT_SOURCE_DIR})
target_compile_options(mantissa_count PRIVATE -Wall -Wextra -Wshadow -Wconversion)

find_program(QEMU_ARM qemu-system-arm)
if(NOT MANTISSA_CHECKS OR NOT ARM_CXX OR NOT QEMU_ARM)
  return()
endif()
foreach(core cm0 cm3 cm4 cm7 cm33 cm55)
  add_test(NAME firmware.${core} COMMAND ${CMAKE_COMMAND} --workflow --preset ${core}
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(firmware.${core} PROPERTIES LABELS device FIXTURES_SETUP firmware TIMEOUT 600)
endforeach()

# mantissa_device_test(NAME SCRIPT ARGUMENTS...): a Python script that needs all programs.
function(mantissa_device_test name script)
  add_test(NAME device.${name} COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/${script} ${ARGN})
  set_tests_properties(device.${name} PROPERTIES LABELS device FIXTURES_REQUIRED firmware TIMEOUT 600)
endfunction()
add_test(NAME check.sizes COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/qemu/sizes.py --check
  --mantissa $<TARGET_FILE:mantissa> --firmware ${PROJECT_SOURCE_DIR}/build)
set_tests_properties(check.sizes PROPERTIES LABELS device FIXTURES_REQUIRED firmware TIMEOUT 600)
mantissa_device_test(count tools/qemu/count_test.py $<TARGET_FILE:mantissa_count> ${PROJECT_SOURCE_DIR}/build)
mantissa_device_test(errors tests/firmware_test.py $<TARGET_FILE:mantissa> ${PROJECT_SOURCE_DIR}/build)
mantissa_device_test(run tests/device_test.py $<TARGET_FILE:mantissa> ${PROJECT_SOURCE_DIR}/build)

# Instructions that a host does not have, against the reference; training steps and features of speech against golden ones.
foreach(place cm0/mps2-an385 cm3/mps2-an385 cm4/mps2-an386 cm7/mps2-an500 cm33/mps2-an505 cm55/mps3-an547)
  string(REPLACE "/" ";" place ${place})
  list(GET place 0 core)
  list(GET place 1 board)
  foreach(check kernels chain mfcc)
    add_test(NAME device.${check}_${core} COMMAND ${QEMU_ARM} -M ${board} -display none -serial null -monitor none
      -semihosting-config enable=on,target=native -kernel ${PROJECT_SOURCE_DIR}/build/${core}/${check}_check_${board}.elf)
    set_tests_properties(device.${check}_${core} PROPERTIES LABELS device FIXTURES_REQUIRED firmware TIMEOUT 600)
  endforeach()
endforeach()
mantissa_device_test(export tests/export_test.py --boards $<TARGET_FILE:mantissa> ${PROJECT_SOURCE_DIR}/build)
mantissa_device_test(waveforms tests/same_output.py $<TARGET_FILE:example_waveforms> ${PROJECT_SOURCE_DIR}/build waveforms)
