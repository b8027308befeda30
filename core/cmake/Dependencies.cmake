# Third-party libraries as imported targets tp::NAME. The source-built ones come from
# packaging/third_party/build.sh, which prints its (cached) prefix; the rest are Debian's static archives.
execute_process(
    COMMAND "${CMAKE_SOURCE_DIR}/packaging/third_party/build.sh"
    OUTPUT_VARIABLE TP_PREFIX OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE tp_result)
if(NOT tp_result EQUAL 0 OR NOT EXISTS "${TP_PREFIX}/.complete")
    message(FATAL_ERROR "third-party build failed; run packaging/setup first")
endif()

# The prefix comes first with -I (not -isystem): a header that BoringSSL lacks must not come from the system's
# OpenSSL. Its warnings are silenced by marking the include as system per target below.
function(tp_archive name file)
    add_library(tp::${name} INTERFACE IMPORTED)
    set(path "${TP_PREFIX}/lib/${file}")
    if(NOT EXISTS "${path}")
        find_library(tp_${name}_file NAMES ${file} REQUIRED NO_CACHE)
        set(path "${tp_${name}_file}")
    endif()
    target_link_libraries(tp::${name} INTERFACE "${path}" ${ARGN})
    target_include_directories(tp::${name} SYSTEM INTERFACE "${TP_PREFIX}/include")
endfunction()

find_package(Threads REQUIRED)
tp_archive(crypto libcrypto.a Threads::Threads)
tp_archive(ssl libssl.a tp::crypto)
tp_archive(decrepit libdecrepit.a tp::crypto)
tp_archive(netsnmp libnetsnmp.a tp::decrepit tp::crypto)
tp_archive(pcap libpcap.a)
tp_archive(sodium libsodium.a)
tp_archive(lmdb liblmdb.a Threads::Threads)
tp_archive(zstd libzstd.a)
tp_archive(snappy libsnappy.a)
tp_archive(seccomp libseccomp.a)
tp_archive(yaml-cpp libyaml-cpp.a)
tp_archive(protobuf libprotobuf.a Threads::Threads)
tp_archive(program_options libboost_program_options.a)

add_library(tp::boost INTERFACE IMPORTED)  # headers only
target_include_directories(tp::boost SYSTEM INTERFACE "${TP_PREFIX}/include")
add_library(tp::asio INTERFACE IMPORTED)  # compiled once, in core/io/asio_impl.cc
target_compile_definitions(tp::asio INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION)
target_link_libraries(tp::asio INTERFACE tp::boost Threads::Threads)
# g++ 12 is wrong about coroutine frames: Asio's operator new/delete pair is matched, and a returned Result<> is
# initialized (the second only with sanitizers).
target_compile_options(tp::asio INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<BOOL:${AMOSKYS_SANITIZE}>>:-Wno-maybe-uninitialized>)

add_library(tp::fmt INTERFACE IMPORTED)
target_compile_definitions(tp::fmt INTERFACE FMT_HEADER_ONLY)
add_library(tp::json INTERFACE IMPORTED)

find_package(Catch2 2 REQUIRED)
include(Catch)
find_program(PROTOC protoc REQUIRED)
