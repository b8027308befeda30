// `inspect backup`: the log as it is at one moment, beside its writer, as one archive.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/fast_zstd.h"
#include "core/base/file.h"
#include "core/crypto/hash.h"
#include "core/crypto/pki.h"
#include "core/wal/checkpoint.h"
#include "core/wal/log_copy.h"
#include "modules/tools/inspect/backup_format.h"
#include "modules/tools/inspect/inspect_verbs.h"
#include "modules/tools/inspect/log_access.h"
#include "modules/tools/inspect/tar.h"

namespace amoskys::modules::inspect {

namespace {

constexpr std::size_t frame_bytes = 1 << 20;  // of tar in each zstd frame
constexpr std::string_view to_stdout = "-";

// Where the archive goes: stdout, or a file that is there only once it is whole.
class BackupTarget {
  public:
    BackupTarget(const std::string& file, ByteSink& out) : file_(file), out_(out) {}
    BackupTarget(const BackupTarget&) = delete;
    BackupTarget& operator=(const BackupTarget&) = delete;
    ~BackupTarget() {
        if (fd_)
            ::unlink(partial().c_str());
    }

    Result<> open() {
        if (file_ == to_stdout)
            return {};
        std::error_code failed;
        if (fs::exists(file_, failed))
            return make_error(ErrorKind::cannot_create, "file_exists",
                              file_ + " is there already; a backup replaces nothing");
        // What a backup that was killed has left is written anew.
        fd_ = FileDescriptor(
            ::open(partial().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!fd_) {
            Error error = errno_error("backup_create", "cannot create " + partial(), errno);
            if (error.kind == ErrorKind::no_input)
                error.kind = ErrorKind::cannot_create;
            return error;
        }
        return {};
    }

    Result<> write(std::string_view bytes) {
        bytes_ += bytes.size();
        sum_.update(as_bytes(bytes));
        if (!fd_)
            return out_.write(bytes) ? Result<>()
                                     : make_error(ErrorKind::io, "backup_write",
                                                  "nobody reads the backup any more");
        while (!bytes.empty()) {
            const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0)
                return errno_error("backup_write", "cannot write " + partial(), errno);
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
        return {};
    }

    Result<> finish() {
        if (!fd_)
            return out_.flush() ? Result<>()
                                : make_error(ErrorKind::io, "backup_write", "stdout is closed");
        if (::fsync(fd_.get()) != 0)
            return errno_error("backup_write", "cannot sync " + partial(), errno);
        if (::rename(partial().c_str(), file_.c_str()) != 0)
            return errno_error("backup_write", "cannot name " + file_, errno);
        fd_ = FileDescriptor();
        return sync_directory(fs::path(file_).parent_path());
    }

    std::uint64_t bytes() const { return bytes_; }
    Digest sum() { return sum_.finish(); }

  private:
    std::string partial() const { return file_ + ".partial"; }

    const std::string file_;
    ByteSink& out_;
    FileDescriptor fd_;
    std::uint64_t bytes_ = 0;
    crypto::Sha256 sum_;
};

// Files into tar into zstd frames; keeps their sums for the last one.
class BackupWriter {
  public:
    BackupWriter(BackupTarget& target, UnixNanos now_ns) : target_(target), now_ns_(now_ns) {}

    using Content = std::function<Result<>(const std::function<Result<>(ByteView)>&)>;
    Result<> add(const std::string& name, std::uint64_t bytes, const Content& content) {
        const auto header = tar_header(name, bytes, now_ns_);
        AMOSKYS_TRY_VOID(put({header.data(), header.size()}));
        crypto::Sha256 sum;
        AMOSKYS_TRY_VOID(content([&](ByteView piece) -> Result<> {
            sum.update(piece);
            return put(as_text(piece));
        }));
        sums_ += to_hex(sum.finish()) + "  " + name + "\n";
        content_bytes_ += bytes;
        return put(std::string(tar_padding(bytes), '\0'));
    }
    Result<> add(std::string_view name, const std::string& text) {
        return add(std::string(name), text.size(),
                   [&](const auto& take) { return take(as_bytes(text)); });
    }
    Result<> finish() {
        AMOSKYS_TRY_VOID(add(backup_sums, std::string(sums_)));
        AMOSKYS_TRY_VOID(put(std::string(2 * tar_block, '\0')));
        return frame_.empty() ? Result<>() : flush();
    }
    std::uint64_t content_bytes() const { return content_bytes_; }

  private:
    Result<> put(std::string_view bytes) {
        while (!bytes.empty()) {
            const std::size_t part = std::min(bytes.size(), frame_bytes - frame_.size());
            frame_ += bytes.substr(0, part);
            bytes.remove_prefix(part);
            if (frame_.size() == frame_bytes)
                AMOSKYS_TRY_VOID(flush());
        }
        return {};
    }
    Result<> flush() {
        const std::string_view packed = zstd_.compress(frame_);
        if (packed.empty())
            return make_error(ErrorKind::failed, "backup_memory", "no memory to compress");
        frame_.clear();
        return target_.write(packed);
    }

    BackupTarget& target_;
    const UnixNanos now_ns_;
    FastZstd zstd_;
    std::string frame_, sums_;
    std::uint64_t content_bytes_ = 0;
};

// Signed here where the log's key can be read; nothing where there is none.
Result<std::string> signed_checkpoint(const module::ToolContext& context,
                                      const wal::Log::TreeHead& tree, UnixNanos now_ns) {
    const fs::path file = crypto::PkiPaths{context.state_dir / "pki"}.log_key();
    std::error_code failed;
    if (!fs::exists(file, failed))
        return std::string();
    AMOSKYS_TRY(key, crypto::SigningKey::load(file));
    const std::string origin =
        "amoskys/" + crypto::local_agent_name() + "/" + key.id().substr(0, 8);
    return wal::sign_checkpoint({origin, tree.size, tree.root, now_ns}, key);
}

}  // namespace

Result<> backup(module::ToolContext& context) {
    const auto& options = *static_cast<const BackupOptions*>(context.config.get());
    const UnixNanos now_ns = system_clock().now_ns();
    const fs::path folder = log_folder(context, options.log);
    AMOSKYS_TRY_VOID(require_log_folder(folder));
    BackupTarget target(options.file, context.out);
    AMOSKYS_TRY_VOID(target.open());
    AMOSKYS_TRY(copy, wal::LogCopy::begin(folder));
    const wal::Log::TreeHead tree = copy->tree();
    AMOSKYS_TRY(checkpoint, signed_checkpoint(context, tree, now_ns));
    Json manifest = Json::object();
    manifest["schema"] = "amoskys.backup_manifest/1";
    manifest["created"] = json::time(now_ns);
    manifest["tree_size"] = tree.size;
    manifest["root"] = to_hex(tree.root);

    BackupWriter writer(target, now_ns);
    AMOSKYS_TRY_VOID(writer.add(backup_manifest, json::dump_pretty(manifest) + "\n"));
    if (!checkpoint.empty())
        AMOSKYS_TRY_VOID(writer.add(backup_checkpoint, checkpoint));
    std::uint64_t total = 0, done = 0;
    for (const auto& file : copy->files())
        total += file.bytes;
    {
        module::Progress progress(context.progress, "copying", "bytes", total);
        for (std::size_t i = 0; i < copy->files().size(); ++i) {
            const auto content = [&](const std::function<Result<>(ByteView)>& take) {
                return copy->read(i, [&](ByteView piece) -> Result<> {
                    progress.update(done += piece.size());
                    return take(piece);
                });
            };
            AMOSKYS_TRY_VOID(writer.add(std::string(backup_log) + copy->files()[i].name,
                                        copy->files()[i].bytes, content));
        }
    }
    AMOSKYS_TRY_VOID(writer.finish());
    AMOSKYS_TRY_VOID(target.finish());
    if (options.file == to_stdout)
        return {};
    Json out = Json::object();
    out["file"] = options.file;
    out["created"] = json::time(now_ns);
    out["bytes"] = target.bytes();
    out["content_bytes"] = writer.content_bytes();
    out["log_files"] = copy->files().size();
    out["tree_size"] = tree.size;
    out["root"] = to_hex(tree.root);
    out["checkpoint"] = !checkpoint.empty();
    out["sha256"] = to_hex(target.sum());
    return write_object(context.out, context.output, "backup", out);
}

}  // namespace amoskys::modules::inspect
