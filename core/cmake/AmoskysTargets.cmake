# One CMake target per folder: this is what enforces the directions of the layer table in core/README.md.
#
#   amoskys_core(NAME [HOT file...] DEPS layer... THIRD_PARTY tp::x...)  -> core_NAME from core/NAME/*.cc
#   amoskys_module([HOT file...] DEPS ... THIRD_PARTY ...)               -> module_NAME from modules/STAGE/NAME/*.cc
# HOT: the files on a hot path (none named: all) are compiled for speed rather than size.
# Both pick up test/*_test.cc (one Catch2 executable per folder, every case a ctest) and test/*_fuzz.cc.

function(amoskys_common target)
    target_include_directories(${target} PUBLIC "${CMAKE_SOURCE_DIR}" "${CMAKE_BINARY_DIR}/generated")
    target_link_libraries(${target} PRIVATE amoskys_warnings)
endfunction()

# The files of a folder are compiled eight at a time, which reads the big headers once: half of the CPU time. g++ then
# takes what is private to a file for a leak from a header. Files named HOT have options of their own and stay alone.
function(amoskys_unity target)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ${AMOSKYS_UNITY} UNITY_BUILD_BATCH_SIZE 8)
    if(AMOSKYS_UNITY)
        target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
    endif()
endfunction()

function(amoskys_hot target)
    set(speed $<$<AND:$<CONFIG:Release>,$<NOT:$<BOOL:${AMOSKYS_SANITIZE}${AMOSKYS_COVERAGE}>>>:-O2>)
    if(ARGN)
        set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "${speed}")
    else()
        target_compile_options(${target} PRIVATE "${speed}")
    endif()
endfunction()

function(amoskys_tests target folder)
    file(GLOB tests CONFIGURE_DEPENDS "${folder}/test/*_test.cc")
    if(tests)
        add_executable(${target}_test ${tests})
        amoskys_common(${target}_test)
        target_link_libraries(${target}_test PRIVATE ${target} catch_main ${ARGN} ${AMOSKYS_LINK_FLAGS})
        target_compile_definitions(${target}_test PRIVATE
            AMOSKYS_SOURCE_DIR="${CMAKE_SOURCE_DIR}" AMOSKYS_SHARED_DATA="${AMOSKYS_SHARED_DATA}")
        catch_discover_tests(${target}_test TEST_PREFIX "${target}: " PROPERTIES TIMEOUT 120
            DL_PATHS "" )
    endif()
    file(GLOB fuzzers CONFIGURE_DEPENDS "${folder}/test/*_fuzz.cc")
    foreach(source ${fuzzers})
        get_filename_component(name ${source} NAME_WE)
        amoskys_fuzzer(${target}_${name} ${source} ${target})
    endforeach()
endfunction()

# A fuzz target has LLVMFuzzerTestOneInput. Without AMOSKYS_FUZZ it is linked with a driver that replays the
# kept inputs of test/fuzz/corpus/NAME, and is a ctest.
function(amoskys_fuzzer target source library)
    get_filename_component(name ${source} NAME_WE)
    if(AMOSKYS_FUZZ)
        add_executable(${target} ${source})
        target_link_libraries(${target} PRIVATE -fsanitize=fuzzer)
    else()
        add_executable(${target} ${source} "${CMAKE_SOURCE_DIR}/test/fuzz/replay_main.cc")
        add_test(NAME "fuzz corpus: ${name}"
            COMMAND ${target} "${CMAKE_SOURCE_DIR}/test/fuzz/corpus/${name}")
    endif()
    amoskys_common(${target})
    target_link_libraries(${target} PRIVATE ${library} ${AMOSKYS_LINK_FLAGS})
endfunction()

function(amoskys_core name)
    cmake_parse_arguments(arg "" "" "HOT;DEPS;THIRD_PARTY;TEST_DEPS" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cc")
    list(TRANSFORM arg_DEPS PREPEND core_)
    add_library(core_${name} STATIC ${sources})
    amoskys_common(core_${name})
    amoskys_unity(core_${name})
    if(HOT IN_LIST ARGN)
        amoskys_hot(core_${name} ${arg_HOT})
    endif()
    target_link_libraries(core_${name} PUBLIC ${arg_DEPS} ${arg_THIRD_PARTY})
    amoskys_tests(core_${name} "${CMAKE_CURRENT_SOURCE_DIR}" ${arg_TEST_DEPS})
endfunction()

function(amoskys_module)
    cmake_parse_arguments(arg "" "" "HOT;DEPS;THIRD_PARTY;TEST_DEPS" ${ARGN})
    get_filename_component(name "${CMAKE_CURRENT_SOURCE_DIR}" NAME)
    file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cc")
    add_library(module_${name} STATIC ${sources})
    amoskys_common(module_${name})
    amoskys_unity(module_${name})
    if(HOT IN_LIST ARGN)
        amoskys_hot(module_${name} ${arg_HOT})
    endif()
    list(TRANSFORM arg_DEPS PREPEND core_)
    target_link_libraries(module_${name} PUBLIC core_module ${arg_DEPS} ${arg_THIRD_PARTY})
    amoskys_tests(module_${name} "${CMAKE_CURRENT_SOURCE_DIR}" ${arg_TEST_DEPS})
    set_property(GLOBAL APPEND PROPERTY AMOSKYS_MODULE_NAMES ${name})
endfunction()

# Finds the module folders in the order of the data flow and generates the module table. A module NAME defines
# `extern const ModuleInfo NAME_module` in namespace amoskys::modules.
function(amoskys_add_modules)
    string(REPLACE "," ";" wanted "${AMOSKYS_MODULES}")
    set(folders)
    foreach(stage collectors ingestion transformation intelligence presentation tools)
        file(GLOB found CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/modules/${stage}/*/CMakeLists.txt")
        list(APPEND folders ${found})
    endforeach()
    if(AMOSKYS_EXTRA_MODULES)
        file(GLOB found CONFIGURE_DEPENDS "${AMOSKYS_EXTRA_MODULES}/*/CMakeLists.txt")
        list(APPEND folders ${found})
    endif()
    foreach(file ${folders})
        get_filename_component(folder "${file}" DIRECTORY)
        get_filename_component(name "${folder}" NAME)
        if(NOT wanted OR name IN_LIST wanted)
            add_subdirectory("${folder}" "${CMAKE_BINARY_DIR}/modules/${name}")
            list(REMOVE_ITEM wanted ${name})
        endif()
    endforeach()
    if(wanted)
        message(FATAL_ERROR "AMOSKYS_MODULES: no such module: ${wanted}")
    endif()
    get_property(names GLOBAL PROPERTY AMOSKYS_MODULE_NAMES)
    set(declarations "")
    set(entries "")
    foreach(name ${names})
        string(APPEND declarations "extern const module::ModuleInfo ${name}_module;\n")
        string(APPEND entries "    &modules::${name}_module,\n")
    endforeach()
    file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/generated/module_table.cc" CONTENT [[
// Generated by core/cmake/AmoskysTargets.cmake from the module folders.
#include "core/module/module.h"

namespace amoskys {
namespace modules {
@declarations@}
namespace module {
namespace {
const ModuleInfo* const table[] = {
@entries@};
}
std::span<const ModuleInfo* const> all_modules() { return table; }
}  // namespace module
}  // namespace amoskys
]] @ONLY)
endfunction()
