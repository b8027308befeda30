# The warnings of our own code; third-party headers come in as SYSTEM.
add_library(amoskys_warnings INTERFACE)
target_compile_options(amoskys_warnings INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast
    $<$<BOOL:${AMOSKYS_WERROR}>:-Werror>
    $<$<CXX_COMPILER_ID:GNU>:-Wno-missing-field-initializers>)
