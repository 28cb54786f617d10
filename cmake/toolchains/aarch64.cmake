# 64-bit Arm under Linux, whose programs QEMU runs on this machine.
# Debian's libraries for arm64 stand beside those for this machine, and the compiler's triple finds them.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
# Without -L: the cross compiler's own loader does not go with the libc of Debian's arm64, and pthread_create would never return.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
