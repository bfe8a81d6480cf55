# CMake 3.25 does not know WASI; nothing of a Unix applies but the absence of shared libraries.
set(WASI 1)
set_property(GLOBAL PROPERTY TARGET_SUPPORTS_SHARED_LIBS FALSE)
