// What the tests of this folder share: a unique folder, short ways to append and read, forked
// helpers.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

#include "core/base/check.h"
#include "core/crypto/hash.h"
#include "core/wal/log.h"

// A failed REQUIRE(result) shows the error; the value is not printed.
namespace Catch {
template <class T>
struct StringMaker<boost::system::result<T, amoskys::Error>> {
    static std::string convert(const boost::system::result<T, amoskys::Error>& result) {
        return result ? "a value" : result.error().code + ": " + result.error().message;
    }
};
}  // namespace Catch

namespace amoskys::wal::test {

namespace fs = std::filesystem;

class TemporaryFolder {
  public:
    TemporaryFolder() {
        // In memory where that is possible: these tests kill processes, not machines, so that fsync
        // only costs.
        const bool in_memory = ::access("/dev/shm", W_OK) == 0;
        const fs::path parent = in_memory ? fs::path("/dev/shm") : fs::temp_directory_path();
        std::string name = (parent / "amoskys-wal-XXXXXX").string();
        check(::mkdtemp(name.data()) != nullptr, "a temporary folder can be made");
        path_ = name;
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    const fs::path& path() const { return path_; }
    fs::path segment(unsigned number) const {
        std::string name = std::to_string(number);
        return path_ / (std::string(8 - name.size(), '0') + name + ".mdb");
    }

  private:
    fs::path path_;
};

// Audit records: their digest covers the stored bytes, so that the log itself can check them.
inline Append audit(std::string_view text) {
    Append record;
    record.kind = RecordKind::audit;
    record.stored = as_bytes(text);
    record.digest = crypto::sha256(as_bytes(text));
    return record;
}

inline std::string text_of(std::uint64_t number, std::size_t bytes) {
    std::string text = "record " + std::to_string(number) + " ";
    while (text.size() < bytes)
        text += static_cast<char>('a' + (text.size() * 7 + number) % 26);
    return text;
}

inline Result<Appended> append_texts(Log& log, const std::vector<std::string>& texts) {
    Group group;
    for (const std::string& text : texts)
        group.records.push_back(audit(text));
    return log.append(group);
}

inline void fill(Log& log, std::uint64_t count, std::size_t bytes, std::uint64_t per_group = 16) {
    for (std::uint64_t done = 0; done < count;) {
        std::vector<std::string> texts;
        for (; texts.size() < per_group && done < count; ++done)
            texts.push_back(text_of(done + 1, bytes));
        const auto appended = append_texts(log, texts);
        check(appended.has_value(), appended ? "" : appended.error().message);
    }
}

inline std::vector<std::string> read_all(Log& log, std::uint64_t from = 1) {
    std::vector<std::string> out;
    const auto end = log.read({from}, UINT64_MAX, [&](const RecordView& record) {
        out.push_back(to_string(record.stored));
        return true;
    });
    check(end.has_value(), end ? "" : end.error().message);
    return out;
}

// Runs `body` in a forked child; its exit status, or 128 + signal.
inline int in_child(const std::function<int()>& body) {
    const pid_t child = ::fork();
    check(child >= 0, "fork");
    if (child == 0)
        ::_exit(body());
    int status = 0;
    check(::waitpid(child, &status, 0) == child, "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace amoskys::wal::test
