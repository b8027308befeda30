#include "core/wal/leaf_file.h"

#include <algorithm>
#include <cstring>

#include "core/base/file.h"
#include "core/crypto/hash.h"
#include "core/wal/little_endian.h"

namespace amoskys::wal {

namespace {

constexpr std::string_view magic = "AWL1";
constexpr std::size_t fixed_bytes = 24;

}  // namespace

// The check over the whole is verified when it is written and by `verify`, not at each opening,
// which must not cost more the longer the log has lived.
Result<std::unique_ptr<LeafFile>> LeafFile::open(const std::filesystem::path& file) {
    AMOSKYS_TRY(map, MappedFile::open(file));
    const ByteView bytes = map->bytes();
    std::unique_ptr<LeafFile> out(new LeafFile());
    if (bytes.size() >= fixed_bytes && as_text(bytes).starts_with(magic)) {
        out->first_ = load_le<std::uint64_t>(&bytes[8]);
        out->count_ = load_le<std::uint64_t>(&bytes[16]);
    }
    if (out->count_ == 0 || out->count_ > bytes.size() / sizeof(Digest) ||
        bytes.size() != fixed_bytes + (out->count_ + 1) * sizeof(Digest))
        return make_error(ErrorKind::bad_data, "wal_damaged",
                          file.string() + ": not a whole file of leaf hashes");
    out->map_ = std::move(map);
    out->file_ = file;
    return out;
}

Result<> LeafFile::write(const std::filesystem::path& file, std::uint64_t first,
                         const std::vector<Digest>& leaves) {
    std::string content(fixed_bytes + leaves.size() * sizeof(Digest), '\0');
    auto* const at = reinterpret_cast<std::uint8_t*>(content.data());
    std::copy(magic.begin(), magic.end(), content.begin());
    store_le(at + 8, first);
    store_le(at + 16, static_cast<std::uint64_t>(leaves.size()));
    if (!leaves.empty())
        std::memcpy(at + fixed_bytes, leaves.data(), leaves.size() * sizeof(Digest));
    const Digest sum = crypto::sha256(as_bytes(content));
    content.append(as_text(ByteView(sum)));
    return write_file_atomic(file, content, 0600);
}

bool LeafFile::intact() const {
    const ByteView bytes = map_->bytes();
    const Digest sum = crypto::sha256(bytes.first(bytes.size() - sizeof(Digest)));
    return std::ranges::equal(sum, bytes.last(sizeof(Digest)));
}

std::optional<Digest> LeafFile::leaf(std::uint64_t offset) const {
    if (offset < first_ || offset - first_ >= count_)
        return std::nullopt;
    Digest out;
    std::memcpy(out.data(), map_->bytes().data() + fixed_bytes + (offset - first_) * sizeof(Digest),
                sizeof(Digest));
    return out;
}

}  // namespace amoskys::wal
