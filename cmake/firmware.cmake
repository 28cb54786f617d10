# Bare-metal programs for the boards of one core (preset cm0 to cm55), which QEMU emulates.
set(warn_rwx -Wl,--no-warn-rwx-segments)  # newer linkers would rather have pages, which no board has

# The core's fast kernels.
set(cm4_variants dsp)
set(cm7_variants dsp)
set(cm33_variants dsp)
set(cm55_variants dsp mve)
set(fast_kernels kernels_small)
foreach(variant IN LISTS ${MANTISSA_CORE}_variants)
  file(GLOB_RECURSE variant_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/core/mantissa/*_${variant}.cpp)
  target_sources(mantissa_core PRIVATE ${variant_sources})
  set(fast_kernels kernels_${variant})
endforeach()

# Where flash is scarce, only kernels of products and updates are built for speed: a quarter of the program for one instruction in 150.
if(MANTISSA_CORE MATCHES "^cm[03]$")
  file(GLOB engine_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/core/mantissa/engine/*.cpp
    ${PROJECT_SOURCE_DIR}/core/mantissa/kernels/kept_ref.cpp ${PROJECT_SOURCE_DIR}/core/mantissa/kernels/join_ref.cpp)
  set_source_files_properties(${engine_sources} PROPERTIES COMPILE_OPTIONS -Os)
endif()
# 128 KiB hold the training program for any model only so.
if(MANTISSA_CORE STREQUAL cm3)
  file(GLOB loss_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/core/mantissa/losses/*.cpp)
  list(FILTER loss_sources EXCLUDE REGEX "_test\\.cpp$")
  set(kernels ${PROJECT_SOURCE_DIR}/core/mantissa/kernels)
  set_source_files_properties(${loss_sources} ${kernels}/kernels_ref.cpp ${kernels}/gradient_ref.cpp
    ${kernels}/kernels_small.cpp
    ${PROJECT_SOURCE_DIR}/firmware/runner.cpp PROPERTIES COMPILE_OPTIONS -Os)
endif()

add_library(mantissa_startup OBJECT ${PROJECT_SOURCE_DIR}/firmware/startup.cpp)
target_include_directories(mantissa_startup PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(mantissa_startup PRIVATE mantissa_flags)

# A program for one board: mantissa_firmware(NAME BOARD SOURCES...). What it takes is linked, nothing else.
function(mantissa_firmware name board)
  set(sections ${PROJECT_SOURCE_DIR}/firmware/sections.ld)
  add_executable(${name} ${ARGN})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE mantissa_core mantissa_startup mantissa_flags)
  target_link_options(${name} PRIVATE -nostartfiles --specs=nano.specs -T ${sections} ${${board}_memory}
    -Wl,--gc-sections,--fatal-warnings ${warn_rwx} -Wl,-Map=${name}.map)
  set_target_properties(${name} PROPERTIES SUFFIX .elf LINK_DEPENDS ${sections})
endfunction()

# Boards that QEMU emulates: where flash and RAM begin, and their KiB.
set(boards)
function(mantissa_board core board flash_start flash_kib ram_start ram_kib)
  if(NOT core STREQUAL MANTISSA_CORE)
    return()
  endif()
  math(EXPR flash_bytes "${flash_kib} * 1024")
  math(EXPR ram_bytes "${ram_kib} * 1024")
  set(boards ${boards} ${board} PARENT_SCOPE)
  set(${board}_memory -Wl,--defsym=flash_start=${flash_start},--defsym=flash_bytes=${flash_bytes}
    -Wl,--defsym=ram_start=${ram_start},--defsym=ram_bytes=${ram_bytes} PARENT_SCOPE)
endfunction()
mantissa_board(cm0 microbit 0 256 0x20000000 16)
mantissa_board(cm0 mps2-an385 0 4096 0x20000000 4096)  # a Cortex-M3 with room to count what does not fit a microbit
mantissa_board(cm3 stm32vldiscovery 0x08000000 128 0x20000000 8)
mantissa_board(cm3 mps2-an385 0 4096 0x20000000 4096)
mantissa_board(cm4 netduinoplus2 0x08000000 1024 0x20000000 192)
mantissa_board(cm4 mps2-an386 0 4096 0x20000000 4096)
mantissa_board(cm7 mps2-an500 0 4096 0x20000000 4096)
mantissa_board(cm33 mps2-an505 0x10000000 4096 0x38000000 4096)
mantissa_board(cm55 mps3-an547 0x10000000 512 0x30000000 512)

# The training program for any model, with fast kernels and with the reference.
foreach(board IN LISTS boards)
  mantissa_firmware(runner_${board} ${board} ${PROJECT_SOURCE_DIR}/firmware/runner.cpp)
  target_compile_definitions(runner_${board} PRIVATE MANTISSA_KERNELS=${fast_kernels})
  mantissa_firmware(runner_${board}_ref ${board} ${PROJECT_SOURCE_DIR}/firmware/runner.cpp)
  target_compile_definitions(runner_${board}_ref PRIVATE MANTISSA_KERNELS=kernels_ref)
  if(board STREQUAL stm32vldiscovery)  # its 8 KiB of RAM hold no model that needs more
    target_compile_definitions(runner_${board} PRIVATE MANTISSA_JOB_KIB=12)
    target_compile_definitions(runner_${board}_ref PRIVATE MANTISSA_JOB_KIB=12)
  endif()
endforeach()

# What the counter of instructions is checked with.
foreach(board IN LISTS boards)
  mantissa_firmware(count_check_${board} ${board} ${PROJECT_SOURCE_DIR}/firmware/count_check.cpp)
endforeach()

# Fast kernels against the reference, training steps and features of speech against golden ones, on boards with room for it.
foreach(board IN LISTS boards)
  foreach(check kernels_check chain_check mfcc_check)
    if(board MATCHES mps)
      mantissa_firmware(${check}_${board} ${board} ${PROJECT_SOURCE_DIR}/firmware/${check}.cpp)
      target_compile_definitions(${check}_${board} PRIVATE MANTISSA_KERNELS=${fast_kernels})
    endif()
  endforeach()
endforeach()

# The example that is C++ alone, from the source that hosts compile.
foreach(board IN LISTS boards)
  mantissa_firmware(waveforms_${board} ${board} ${PROJECT_SOURCE_DIR}/examples/waveforms/waveforms.cpp
    ${PROJECT_SOURCE_DIR}/examples/print_board.cpp ${PROJECT_SOURCE_DIR}/firmware/report_stack.cpp)
endforeach()
