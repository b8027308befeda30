# Language standard, build type and the flags that every target shares.
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# Small first (the executable has a limit); the folders on a hot path say HOT and get -O2.
set(CMAKE_CXX_FLAGS_RELEASE "-Os -g1")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g1")
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # Paths relative to the tree and prefix maps let two checkouts share the cache.
    set(CMAKE_CXX_COMPILER_LAUNCHER
        "${CMAKE_COMMAND};-E;env;CCACHE_BASEDIR=${CMAKE_SOURCE_DIR};CCACHE_NOHASHDIR=1;CCACHE_SLOPPINESS=time_macros,include_file_mtime,include_file_ctime;${CCACHE}")
endif()
add_compile_options(-ffunction-sections -fdata-sections)
if(NOT AMOSKYS_COVERAGE)  # gcov finds the sources by their paths
    add_compile_options("-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=")
endif()
if(AMOSKYS_STATIC AND NOT AMOSKYS_SANITIZE AND NOT AMOSKYS_COVERAGE)
    set(CMAKE_POSITION_INDEPENDENT_CODE ON)
    add_compile_options(-fPIE)
    # lld: identical functions (of templates, mostly) become one, which saves some 250 KB.
    set(AMOSKYS_LINK_FLAGS -static-pie -fuse-ld=lld -Wl,--icf=all -Wl,--gc-sections -Wl,--pack-dyn-relocs=relr
        -Wl,-z,relro,-z,now)
else()
    set(AMOSKYS_LINK_FLAGS -Wl,--gc-sections)
endif()
