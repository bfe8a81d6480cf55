# Linux on AArch64 with Debian's cross compiler; libraries from .deps/aarch64 (scripts/setup_aarch64), programs run under
# qemu. QEMU_CPU chooses what it emulates: max (everything, the default), cortex-a53 (no dot products), ...
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
get_filename_component(root ${CMAKE_CURRENT_LIST_DIR}/../.deps/aarch64 ABSOLUTE)
set(CMAKE_FIND_ROOT_PATH ${root})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
# Headers of libraries without code (CLI11, nlohmann-json) are the machine's own: Debian's cross compiler looks there.
set(CMAKE_CXX_FLAGS_INIT "-isystem ${root}/usr/include")
# Old dtags: the path has to serve libraries of libraries, too.
set(libraries ${root}/usr/lib/aarch64-linux-gnu)
set(CMAKE_EXE_LINKER_FLAGS_INIT "-L${libraries} -Wl,--disable-new-dtags,-rpath,${libraries}")
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)
