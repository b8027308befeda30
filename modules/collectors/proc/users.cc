#include "modules/collectors/proc/users.h"

#include <sys/stat.h>

#include "core/base/file.h"
#include "core/base/text.h"
#include "modules/collectors/proc/decode.h"

namespace amoskys::proc {

std::map<std::uint32_t, std::string> parse_passwd(std::string_view text) {
    std::map<std::uint32_t, std::string> names;
    for (const auto line : split(text, '\n')) {
        const auto fields = split(line, ':');
        if (fields.size() < 4 || fields[0].empty())
            continue;
        auto digits = fields[2];
        std::uint64_t uid = 0;
        if (!take_number(digits, uid) || !digits.empty() || uid > UINT32_MAX)
            continue;
        std::string name;
        append_safe_text(fields[0], 256, name);
        names.try_emplace(static_cast<std::uint32_t>(uid), std::move(name));
    }
    return names;
}

void Users::refresh() {
    struct stat info {};
    if (::stat(path_.c_str(), &info) != 0) {
        names_.clear();
        modified_ns_ = size_ = -1;
        return;
    }
    const std::int64_t modified = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
    if (modified == modified_ns_ && info.st_size == size_)
        return;
    constexpr std::uint64_t limit_bytes = 16 << 20;
    if (auto text = read_file(path_, limit_bytes)) {
        names_ = parse_passwd(*text);
        modified_ns_ = modified;
        size_ = info.st_size;
    }
}

std::string_view Users::name(std::uint32_t uid) const {
    const auto found = names_.find(uid);
    return found == names_.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace amoskys::proc
