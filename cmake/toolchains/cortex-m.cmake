# GNU Arm for one core, which MANTISSA_CORE names as the presets do.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_CXX_COMPILER arm-none-eabi-g++)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)  # there is nothing to link a trial program with
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MANTISSA_CORE)

set(cm0_flags -mcpu=cortex-m0)
set(cm3_flags -mcpu=cortex-m3)
set(cm4_flags -mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard)
set(cm7_flags -mcpu=cortex-m7 -mfpu=fpv5-d16 -mfloat-abi=hard)
set(cm33_flags -mcpu=cortex-m33 -mfpu=fpv5-sp-d16 -mfloat-abi=hard)
set(cm55_flags -mcpu=cortex-m55+nomve.fp -mfloat-abi=hard)  # Helium's floats flush denormals
if(NOT DEFINED ${MANTISSA_CORE}_flags)
  message(FATAL_ERROR "MANTISSA_CORE is '${MANTISSA_CORE}'; it can be cm0, cm3, cm4, cm7, cm33 or cm55")
endif()
list(JOIN ${MANTISSA_CORE}_flags " " core_flags)

set(CMAKE_CXX_FLAGS_INIT "${core_flags} -mthumb -ffunction-sections -fdata-sections -fno-exceptions \
-fno-rtti -fno-threadsafe-statics -fno-unwind-tables -fno-asynchronous-unwind-tables")
set(CMAKE_CXX_FLAGS_RELEASE_INIT "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE_INIT}" CACHE STRING "")
