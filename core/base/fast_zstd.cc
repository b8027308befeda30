#include "core/base/fast_zstd.h"

#include <zstd.h>

#include "core/base/check.h"

namespace amoskys {

// libzstd.a has one object for each family of its strategies, and a table that names them all.
// Level 1 uses the first (`fast`) only; the names of the others end here, so that the linker leaves
// their objects out: 277 KB of the executable. A libzstd that needs more of them does not link.
#define AMOSKYS_LEFT_OUT(name) void name() __attribute__((alias("amoskys_zstd_strategy_left_out")));
extern "C" {
void amoskys_zstd_strategy_left_out();
void amoskys_zstd_strategy_left_out() {
    check(false, "zstd at level 1 uses the strategy fast");
}
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_btlazy2)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_btlazy2_dictMatchState)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_btlazy2_extDict)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_btopt)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_btopt_dictMatchState)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_btopt_extDict)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_btultra)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_btultra2)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_btultra_dictMatchState)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_btultra_extDict)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_doubleFast)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_doubleFast_dictMatchState)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_doubleFast_extDict)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_greedy)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_greedy_dedicatedDictSearch)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_greedy_dedicatedDictSearch_row)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_greedy_dictMatchState)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_greedy_dictMatchState_row)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_greedy_extDict)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_greedy_extDict_row)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_greedy_row)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_lazy)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_lazy2)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_lazy2_dedicatedDictSearch)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_lazy2_dedicatedDictSearch_row)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_lazy2_dictMatchState)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_lazy2_dictMatchState_row)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_lazy2_extDict)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_lazy2_extDict_row)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_lazy2_row)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_lazy_dedicatedDictSearch)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_lazy_dedicatedDictSearch_row)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_lazy_dictMatchState)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_lazy_dictMatchState_row)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_lazy_extDict)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_lazy_extDict_row)
AMOSKYS_LEFT_OUT(ZSTD_compressBlock_lazy_row)
AMOSKYS_LEFT_OUT(ZSTD_dedicatedDictSearch_lazy_loadDictionary)
AMOSKYS_LEFT_OUT(ZSTD_fillDoubleHashTable)
AMOSKYS_LEFT_OUT(ZSTD_insertAndFindFirstIndex)
AMOSKYS_LEFT_OUT(ZSTD_row_update)
AMOSKYS_LEFT_OUT(ZSTD_updateTree)
}
#undef AMOSKYS_LEFT_OUT

FastZstd::FastZstd() : context_(ZSTD_createCCtx()) {
    check(context_ != nullptr, "memory for zstd");
    ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, 1);
    ZSTD_CCtx_setParameter(context_, ZSTD_c_strategy, ZSTD_fast);
}

FastZstd::~FastZstd() {
    ZSTD_freeCCtx(context_);
}

std::string_view FastZstd::compress(std::string_view bytes) {
    const std::size_t room = ZSTD_compressBound(bytes.size());
    if (out_.size() < room)
        out_.resize(room);
    const std::size_t size =
        ZSTD_compress2(context_, out_.data(), out_.size(), bytes.data(), bytes.size());
    return ZSTD_isError(size) != 0 ? std::string_view() : std::string_view(out_).substr(0, size);
}

}  // namespace amoskys
