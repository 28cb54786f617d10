# find_package(mantissa) gives mantissa::core, and mantissa::host where it was built.
# Headers go one folder down, so that "host/..." does not land in the system's include folder itself.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(headers FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/mantissa)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/mantissa)

install(TARGETS mantissa_core EXPORT mantissaCore ${headers})
install(EXPORT mantissaCore NAMESPACE mantissa:: DESTINATION ${package})
if(MANTISSA_HOST)
  install(TARGETS mantissa_hwy mantissa_host EXPORT mantissaHost ${headers})
  install(EXPORT mantissaHost NAMESPACE mantissa:: DESTINATION ${package})
  if(TARGET mantissa)
    install(TARGETS mantissa)
  endif()
endif()

write_basic_package_version_file(${PROJECT_BINARY_DIR}/mantissaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_SOURCE_DIR}/cmake/mantissaConfig.cmake ${PROJECT_BINARY_DIR}/mantissaConfigVersion.cmake
  DESTINATION ${package})
