#include "core/wal/log_copy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/wal/folder.h"
#include "core/wal/lmdb_env.h"
#include "core/wal/segment.h"
#include "core/wal/segment_format.h"

namespace amoskys::wal {

namespace {

constexpr int begin_attempts = 5;
constexpr std::size_t piece_bytes = 1 << 20;

class LogCopyImpl final : public LogCopy {
  public:
    explicit LogCopyImpl(FolderClaim claim) : claim_(std::move(claim)) {}

    // Nothing where the list of files was no longer true.
    Result<bool> open(const std::filesystem::path& folder) {
        AMOSKYS_TRY(listing, list_folder(folder));
        if (listing.segments.empty())
            return make_error(ErrorKind::no_input, "wal_missing", "no log at " + folder.string());
        const auto newest = segment_path(folder, listing.segments.back());
        std::vector<std::filesystem::path> unchanging;
        for (const std::uint64_t number : listing.segments)
            if (number != listing.segments.back())
                unchanging.push_back(segment_path(folder, number));
        for (const std::uint64_t number : listing.leaves)
            unchanging.push_back(leaves_path(folder, number));
        AMOSKYS_TRY(there, open_newest(newest));
        for (const auto& file : unchanging)
            if (there)
                AMOSKYS_TRY_VOID(open_unchanging(file, there));
        return there;
    }

    const Log::TreeHead& tree() const override { return tree_; }
    const std::vector<File>& files() const override { return files_; }

    Result<> read(std::size_t file, const std::function<Result<>(ByteView)>& take) override {
        if (file == 0) {
            const auto done = snapshot_->pages().write_own_file(take);
            snapshot_.reset();
            return done;
        }
        Bytes piece(piece_bytes);
        const int fd = open_.at(file - 1).get();
        for (std::uint64_t at = 0; at < files_[file].bytes;) {
            const auto wanted = std::min<std::uint64_t>(piece.size(), files_[file].bytes - at);
            const ssize_t n =
                ::pread(fd, piece.data(), static_cast<std::size_t>(wanted), static_cast<off_t>(at));
            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                return errno_error("wal_io", "cannot read " + files_[file].name,
                                   n == 0 ? EIO : errno);
            AMOSKYS_TRY_VOID(take(ByteView(piece).first(static_cast<std::size_t>(n))));
            at += static_cast<std::uint64_t>(n);
        }
        return {};
    }

  private:
    // LMDB follows what it reads: a damaged file is not let near it.
    Result<bool> open_newest(const std::filesystem::path& file) {
        AMOSKYS_TRY(reader, SegmentReader::open(file));
        AMOSKYS_TRY_VOID(check_format(*reader));
        if (const auto soundness = reader->soundness(); !soundness.sound())
            return make_error(ErrorKind::bad_data, "wal_damaged",
                              file.string() + ": " + soundness.what(),
                              "start the process that writes this log: it salvages what it can");
        AMOSKYS_TRY(env, LmdbEnv::open(file, EnvMode::read_only, map_bytes_for({})));
        auto snapshot = env->snapshot();
        if (!snapshot &&
            (snapshot.error().code == "wal_busy" || snapshot.error().code == "wal_map_resized"))
            return false;
        if (!snapshot)
            return snapshot.error();
        AMOSKYS_TRY(head, read_head(**snapshot));
        tree_ = {head.frontier.size(), head.frontier.root()};
        files_.push_back({file.filename().string(), (*snapshot)->pages().own_file_bytes()});
        env_ = std::move(env);
        snapshot_ = std::move(*snapshot);
        return true;
    }

    Result<> open_unchanging(const std::filesystem::path& file, bool& there) {
        FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
        struct stat status {};
        if (!fd && errno == ENOENT) {
            there = false;  // pruned
            return {};
        }
        if (!fd || ::fstat(fd.get(), &status) != 0)
            return errno_error("wal_io", "cannot open " + file.string(), errno);
        files_.push_back({file.filename().string(), static_cast<std::uint64_t>(status.st_size)});
        open_.push_back(std::move(fd));
        return {};
    }

    FolderClaim claim_;
    std::unique_ptr<LmdbEnv> env_;
    std::unique_ptr<ReadSnapshot> snapshot_;  // before env_ goes
    Log::TreeHead tree_;
    std::vector<File> files_;
    std::vector<FileDescriptor> open_;  // of files_ from the second on
};

}  // namespace

Result<std::unique_ptr<LogCopy>> LogCopy::begin(const std::filesystem::path& folder) {
    for (int attempt = 0; attempt < begin_attempts; ++attempt) {
        AMOSKYS_TRY(claim, FolderClaim::take(folder, false));
        auto copy = std::make_unique<LogCopyImpl>(std::move(claim));
        AMOSKYS_TRY(opened, copy->open(folder));
        if (opened)
            return std::unique_ptr<LogCopy>(std::move(copy));
    }
    return make_error(ErrorKind::unavailable, "wal_busy",
                      folder.string() + ": its files change too fast to be copied");
}

bool is_copied_name(std::string_view name) {
    constexpr std::size_t digits = 8;
    const std::string_view suffix = name.size() > digits ? name.substr(digits) : "";
    return name.substr(0, digits).find_first_not_of("0123456789") == std::string_view::npos &&
           (suffix == ".mdb" || suffix == ".leaves");
}

}  // namespace amoskys::wal
