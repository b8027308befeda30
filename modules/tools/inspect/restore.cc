// `inspect restore`: a backup beside the place of the log, checked there, and then put in its
// place.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/base/zstd_stream.h"
#include "core/crypto/hash.h"
#include "core/wal/log_copy.h"
#include "modules/tools/inspect/backup_format.h"
#include "modules/tools/inspect/heads.h"
#include "modules/tools/inspect/inspect_verbs.h"
#include "modules/tools/inspect/log_access.h"
#include "modules/tools/inspect/tar.h"
#include "modules/tools/inspect/verifier.h"

namespace amoskys::modules::inspect {

namespace {

constexpr std::size_t read_bytes = 1 << 18;
constexpr std::size_t files_max = 1 << 20;

Error bad_backup(std::string what) {
    return make_error(ErrorKind::bad_data, "backup_damaged", std::move(what),
                      "nothing was restored");
}

// The files of an archive, below a folder of its own; their sums.
class Unpacked final : public TarReader::Files {
  public:
    explicit Unpacked(fs::path folder) : folder_(std::move(folder)) {}

    Result<> begin(std::string_view name, std::uint64_t bytes) override {
        if (sums_.contains(backup_sums))
            return bad_backup("something follows the sums, which come last");
        name_ = std::string(name);
        const bool log_file =
            name.starts_with(backup_log) && wal::is_copied_name(name.substr(backup_log.size()));
        if (!log_file && name != backup_manifest && name != backup_checkpoint &&
            name != backup_sums)
            return bad_backup("it holds " + excerpt(name) + ", which no backup does");
        if (sums_.contains(name) || sums_.size() >= files_max)
            return bad_backup("it holds " + name_ + " twice, or too many files");
        if (!log_file) {
            if (bytes > backup_text_bytes_max)
                return bad_backup(name_ + " has " + std::to_string(bytes) + " bytes");
            return {};
        }
        const fs::path file = folder_ / name.substr(backup_log.size());
        fd_ = FileDescriptor(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        return fd_ ? Result<>()
                   : errno_error("restore_create", "cannot create " + file.string(), errno);
    }
    Result<> data(ByteView piece) override {
        sum_.update(piece);
        if (!fd_) {
            texts_[name_] += as_text(piece);
            return {};
        }
        while (!piece.empty()) {
            const ssize_t n = ::write(fd_.get(), piece.data(), piece.size());
            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0)
                return errno_error("restore_write", "cannot write " + name_, errno);
            piece = piece.subspan(static_cast<std::size_t>(n));
        }
        return {};
    }
    Result<> end() override {
        if (fd_ && ::fsync(fd_.get()) != 0)
            return errno_error("restore_write", "cannot sync " + name_, errno);
        fd_ = FileDescriptor();
        sums_[name_] = to_hex(sum_.finish());
        return {};
    }

    // Every file is named by the sums, and they by it.
    Result<> check_sums() const {
        if (!sums_.contains(backup_sums))
            return bad_backup("it ends before its sums");
        std::size_t lines = 0;
        for (const std::string_view line : split(text(backup_sums), '\n')) {
            constexpr std::size_t hex = 64;
            if (line.empty())
                continue;
            const auto found =
                line.size() > hex + 2 ? sums_.find(line.substr(hex + 2)) : sums_.end();
            if (found == sums_.end() || found->second != line.substr(0, hex))
                return bad_backup("a file in it has another sum than SHA256SUMS says: " +
                                  excerpt(line));
            ++lines;
        }
        return lines + 1 == sums_.size() ? Result<>()
                                         : bad_backup("SHA256SUMS does not name all of its files");
    }
    std::string_view text(std::string_view name) const {
        const auto found = texts_.find(name);
        return found == texts_.end() ? std::string_view() : std::string_view(found->second);
    }

  private:
    const fs::path folder_;
    std::string name_;
    FileDescriptor fd_;
    crypto::Sha256 sum_;
    std::map<std::string, std::string, std::less<>> sums_, texts_;
};

Result<> unpack(const std::string& file, Unpacked& files, module::ToolContext& context) {
    const bool from_stdin = file == "-";
    const FileDescriptor opened(from_stdin ? -1 : ::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!from_stdin && !opened)
        return errno_error("restore_read", "cannot read " + file, errno);
    const int fd = from_stdin ? STDIN_FILENO : opened.get();
    struct stat status {};
    const bool sized = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    module::Progress progress(context.progress, "unpacking", "bytes",
                              sized ? static_cast<std::uint64_t>(status.st_size) : 0);
    Bytes piece(read_bytes);
    ZstdStream zstd;
    TarReader tar;
    for (std::uint64_t done = 0;;) {
        const ssize_t n = ::read(fd, piece.data(), piece.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno_error("restore_read", "cannot read " + file, errno);
        if (n == 0)
            break;
        const auto fed = zstd.feed(ByteView(piece).first(static_cast<std::size_t>(n)),
                                   [&](ByteView bytes) { return tar.feed(bytes, files); });
        if (!fed && (fed.error().code == "zstd_damaged" || fed.error().code == "tar_form"))
            return bad_backup(fed.error().message);
        AMOSKYS_TRY_VOID(fed);
        progress.update(done += static_cast<std::uint64_t>(n));
    }
    if (!zstd.whole() || !tar.whole())
        return bad_backup("it is cut off");
    return files.check_sums();
}

// Beside the log's place until it is checked; goes with the object unless it was put there.
class RestoreFolder {
  public:
    explicit RestoreFolder(const fs::path& target)
        : target_(target.has_filename() ? target : target.parent_path()),
          path_(target_.string() + ".restoring") {}
    RestoreFolder(const RestoreFolder&) = delete;
    RestoreFolder& operator=(const RestoreFolder&) = delete;
    ~RestoreFolder() {
        std::error_code ignored;  // whoever restores again is told of it
        if (made_)
            fs::remove_all(path_, ignored);
    }

    // A look at an archive (dry run) may be taken beside a log that is in use.
    Result<> make(bool dry_run) {
        std::error_code failed;
        if (!dry_run && fs::exists(target_, failed) && !fs::is_empty(target_, failed))
            return make_error(ErrorKind::cannot_create, "restore_exists",
                              target_.string() + " is not empty; a restore replaces nothing",
                              "move it away first, or name another place with --log");
        if (target_.has_parent_path())
            AMOSKYS_TRY_VOID(make_directories(target_.parent_path(), 0700));
        if (::mkdir(path_.c_str(), 0700) != 0)
            return make_error(ErrorKind::cannot_create, "restore_create",
                              "cannot create " + path_.string() + ": " + std::strerror(errno),
                              errno == EEXIST ? "another restore is at work, or was killed: then "
                                                "remove that folder"
                                              : "");
        made_ = true;
        return {};
    }
    Result<> put_in_place() {
        std::error_code failed;
        std::vector<fs::path> locks;  // of looking at it
        for (const auto& entry : fs::directory_iterator(path_, failed))
            if (entry.path().extension() == ".mdb-lock")
                locks.push_back(entry.path());
        for (const fs::path& lock : locks)
            fs::remove(lock, failed);
        AMOSKYS_TRY_VOID(sync_directory(path_));
        ::rmdir(target_.c_str());  // it is not there, or empty
        if (::rename(path_.c_str(), target_.c_str()) != 0)
            return errno_error("restore_create", "cannot make " + target_.string(), errno);
        made_ = false;
        return sync_directory(target_.parent_path());
    }
    const fs::path& path() const { return path_; }

  private:
    const fs::path target_, path_;
    bool made_ = false;
};

struct Checked {
    std::uint64_t records = 0, signatures_ok = 0, findings = 0;
    std::string first_finding;
    wal::Log::TreeHead tree;
    Json checkpoint;
};

// As `verify`; without a trust map, signatures are not held against it.
Result<Checked> check_log(const fs::path& folder, const Unpacked& files,
                          const RestoreOptions& options, module::ToolContext& context) {
    wal::Options log_options;
    log_options.read_only = true;
    AMOSKYS_TRY(log, wal::Log::open(folder, log_options));
    AMOSKYS_TRY(trust, load_trust(context, options.trust));
    const bool trusted = trust != nullptr;
    Verifier verifier(*log, std::move(trust));
    const std::string_view note = files.text(backup_checkpoint);
    const auto key = load_log_key(context, options.log_key);
    if (!key && (!options.log_key.empty() || key.error().code != "log_key_missing"))
        return key.error();
    if (!note.empty() && key) {
        HeldCheckpoint held;
        held.outside = true;
        held.file = std::string(backup_checkpoint);
        held.note = std::string(note);
        auto opened = wal::open_checkpoint(note, *key);
        if (opened)
            held.checkpoint = std::move(*opened);
        else
            held.error = opened.error();
        verifier.expect(std::move(held));
    }
    AMOSKYS_TRY_VOID(verify_log(*log, verifier, context.progress));
    Checked out;
    out.records = verifier.records;
    out.signatures_ok = verifier.signatures_ok;
    out.tree = verifier.tree;
    out.findings = verifier.findings_total;
    for (const Finding& finding : verifier.findings) {
        if (!trusted && finding.what == "trust_map")
            --out.findings;
        else if (out.first_finding.empty())
            out.first_finding = finding.message;
    }
    for (const auto& each : verifier.expected_checkpoints)
        if (each.held.checkpoint)
            out.checkpoint = {{"size", each.held.checkpoint->size},
                              {"time", json::time(each.held.checkpoint->time_ns)},
                              {"holds", each.holds}};
    return out;
}

}  // namespace

Result<> restore(module::ToolContext& context) {
    const auto& options = *static_cast<const RestoreOptions*>(context.config.get());
    const fs::path target = log_folder(context, options.log);
    RestoreFolder folder(target);
    AMOSKYS_TRY_VOID(folder.make(options.dry_run));
    Unpacked files(folder.path());
    AMOSKYS_TRY_VOID(unpack(options.file, files, context));
    AMOSKYS_TRY(checked, check_log(folder.path(), files, options, context));
    if (checked.findings != 0 && !options.as_is)
        return make_error(
            ErrorKind::finding, "restore_findings",
            "nothing was restored: " + std::to_string(checked.findings) +
                " findings, the first: " + checked.first_finding,
            "--as-is restores it all the same; `amoskys inspect verify` then lists them");
    if (!options.dry_run)
        AMOSKYS_TRY_VOID(folder.put_in_place());
    Json out = Json::object();
    out["file"] = options.file;
    out["log"] = target.string();
    out["dry_run"] = options.dry_run;
    out["records"] = checked.records;
    out["tree_size"] = checked.tree.size;
    out["root"] = to_hex(checked.tree.root);
    out["signatures_ok"] = checked.signatures_ok;
    out["checkpoint"] = checked.checkpoint;
    out["findings"] = checked.findings;
    return write_object(context.out, context.output, "restore", out);
}

}  // namespace amoskys::modules::inspect
