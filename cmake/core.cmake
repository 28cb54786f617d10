# The part that runs on a microcontroller: no heap, exceptions, RTTI or libm. Variants of kernels for one kind of
# machine carry a suffix (_hwy) and are added only where that machine is the target.
file(GLOB_RECURSE core_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/core/mantissa/*.cpp)
list(FILTER core_sources EXCLUDE REGEX "(_test|_bench|_hwy|_dsp|_mve|_fuzz)\\.cpp$")
file(GLOB_RECURSE core_headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/core/mantissa/*.hpp)

add_library(mantissa_core STATIC ${core_sources})
add_library(mantissa::core ALIAS mantissa_core)
set_target_properties(mantissa_core PROPERTIES EXPORT_NAME core LINKER_LANGUAGE CXX)
target_sources(mantissa_core PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/core FILES ${core_headers})
target_compile_features(mantissa_core PUBLIC cxx_std_20)
target_compile_options(mantissa_core PUBLIC -ffp-contract=off PRIVATE -fno-exceptions -fno-rtti)
target_link_libraries(mantissa_core PRIVATE $<BUILD_INTERFACE:mantissa_flags>)
