// Any archive, in pieces whose size its first octet says: files begin, have as many octets as they
// were said to have, and end, one after the other; the size of the pieces changes nothing.
#include <cstdlib>

#include "modules/tools/inspect/tar.h"

using namespace amoskys;
using namespace amoskys::modules::inspect;

namespace {

struct Counted final : TarReader::Files {
    Result<> begin(std::string_view name, std::uint64_t bytes) override {
        if (open || name.size() > 100)
            std::abort();
        open = true;
        left = bytes;
        told += std::string(name) + " " + std::to_string(bytes) + "\n";
        return {};
    }
    Result<> data(ByteView piece) override {
        if (!open || piece.empty() || piece.size() > left)
            std::abort();
        left -= piece.size();
        return {};
    }
    Result<> end() override {
        if (!open || left != 0)
            std::abort();
        open = false;
        return {};
    }
    bool open = false;
    std::uint64_t left = 0;
    std::string told;
};

std::string told_of(ByteView input, std::size_t piece) {
    TarReader reader;
    Counted files;
    while (!input.empty()) {
        const ByteView part = input.first(std::min(piece, input.size()));
        input = input.subspan(part.size());
        if (const auto fed = reader.feed(part, files); !fed)
            return files.told + fed.error().code;
    }
    if (reader.whole() && files.open)
        std::abort();
    return files.told + (reader.whole() ? "whole" : "cut");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const ByteView input(data + 1, size - 1);
    if (told_of(input, data[0] + 1U) != told_of(input, input.size() + 1))
        std::abort();
    return 0;
}
