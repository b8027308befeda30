# Sanitizer and coverage builds are dynamic; the sanitizer goes over our code and the headers it uses.
if(AMOSKYS_SANITIZE STREQUAL "address")
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1)
    add_link_options(-fsanitize=address,undefined)
elseif(AMOSKYS_SANITIZE STREQUAL "thread")
    # gcc does not model fences; Asio's fenced block is replaced by plain atomics.
    add_compile_options(-fsanitize=thread -Wno-tsan -O1)
    add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)
    # protobuf's map fields have two more members where this macro is defined, which Debian's archive has not:
    # MetricData's labels crashed. libstdc++ is told under its own name.
    add_compile_options(-U__SANITIZE_THREAD__ -D_GLIBCXX_TSAN=1)
    add_link_options(-fsanitize=thread)
elseif(AMOSKYS_SANITIZE)
    message(FATAL_ERROR "AMOSKYS_SANITIZE: ${AMOSKYS_SANITIZE}: allowed are address, thread")
endif()
if(AMOSKYS_FUZZ)
    # libFuzzer is led by the branches of the whole code, not of the targets alone.
    add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -O1)
    add_compile_options(-include "${CMAKE_SOURCE_DIR}/test/fuzz/source_location.h")
    add_link_options(-fsanitize=address,undefined)
endif()
if(AMOSKYS_COVERAGE)
    add_compile_options(--coverage -O0)
    add_link_options(--coverage)
endif()
