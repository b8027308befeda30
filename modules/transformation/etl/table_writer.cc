#include "modules/transformation/etl/table_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <numeric>

namespace amoskys::etl {
namespace {

constexpr std::size_t buffer_bytes = 1 << 20;

Result<> write_all(int fd, std::string_view bytes, std::string_view what) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno_error("features_write", what, errno);
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

// Removes the temporary file unless the rename has happened.
class TemporaryName {
  public:
    explicit TemporaryName(std::filesystem::path path) : path_(std::move(path)) {}
    ~TemporaryName() {
        if (!path_.empty())
            ::unlink(path_.c_str());
    }
    TemporaryName(const TemporaryName&) = delete;
    TemporaryName& operator=(const TemporaryName&) = delete;
    const std::filesystem::path& path() const { return path_; }
    void kept() { path_.clear(); }

  private:
    std::filesystem::path path_;
};

void append_times(std::string& out, UnixNanos start_ns, UnixNanos end_ns) {
    out += ',';
    out += format_time(start_ns);
    out += ',';
    out += format_time(end_ns);
}

}  // namespace

void ColumnStatistics::add(double value) {
    min = count == 0 ? value : std::min(min, value);
    max = count == 0 ? value : std::max(max, value);
    ++count;
    const double off = value - mean;
    mean += off / static_cast<double>(count);
    squares += off * (value - mean);
}

double ColumnStatistics::deviation() const {
    return count < 2 ? 0 : std::sqrt(squares / static_cast<double>(count - 1));
}

std::vector<module::ColumnId> column_order(std::span<const module::FeatureColumn> columns) {
    std::vector<module::ColumnId> order(columns.size());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(), [&](module::ColumnId a, module::ColumnId b) {
        return columns[a].metric < columns[b].metric;
    });
    return order;
}

void append_number(std::string& out, double value, int digits) {
    char text[64];
    // Adding 0 turns -0 into 0.
    const auto end = digits >= 17 ? std::to_chars(text, text + sizeof text, value + 0.0)
                                  : std::to_chars(text, text + sizeof text, value + 0.0,
                                                  std::chars_format::general, digits);
    out.append(text, end.ptr);
}

void append_csv_text(std::string& out, std::string_view text) {
    if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
        out += text;
        return;
    }
    out += '"';
    for (const char c : text) {
        if (c == '"')
            out += '"';
        out += c;
    }
    out += '"';
}

Result<TableWriter> TableWriter::open(const std::filesystem::path& folder) {
    FileDescriptor spill(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!spill && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        // A file system without O_TMPFILE: a name that is gone at once.
        std::string name = (folder / ".spill-XXXXXX").string();
        spill = FileDescriptor(::mkostemp(name.data(), O_CLOEXEC));
        if (spill)
            ::unlink(name.c_str());
    }
    if (!spill)
        return errno_error("features_folder", "cannot write in " + folder.string(), errno);
    return TableWriter(std::move(spill));
}

Result<> TableWriter::add(const module::Window& window, const module::FeatureRow& row) {
    auto device = device_numbers_.find(window.device);
    if (device == device_numbers_.end()) {
        const auto number = static_cast<std::uint32_t>(devices_.size());
        device = device_numbers_.emplace(std::string(window.device), number).first;
        devices_.emplace_back(window.device);
    }
    index_.push_back({device->second});
    const auto values = row.values();
    Row& entry = index_.back();
    entry.columns = static_cast<std::uint32_t>(values.size());
    entry.start_ns = window.start_ns;
    entry.end_ns = window.end_ns;
    entry.offset = written_ + pending_.size();
    pending_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    if (statistics_.size() < values.size())
        statistics_.resize(values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
        if (!std::isnan(values[i]))
            statistics_[i].add(values[i]);
    return pending_.size() < buffer_bytes ? Result<>() : flush_spill();
}

Result<> TableWriter::flush_spill() {
    AMOSKYS_TRY_VOID(write_all(spill_.get(), pending_, "cannot write the spill file"));
    written_ += pending_.size();
    pending_.clear();
    return {};
}

Result<> TableWriter::read_row(const Row& row, std::vector<double>& values) const {
    values.resize(row.columns);
    char* out = reinterpret_cast<char*>(values.data());
    std::size_t left = values.size() * sizeof(double);
    auto at = static_cast<off_t>(row.offset);
    while (left > 0) {
        const ssize_t n = ::pread(spill_.get(), out, left, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return errno_error("features_read", "cannot read the spill file", n < 0 ? errno : EIO);
        out += n;
        at += n;
        left -= static_cast<std::size_t>(n);
    }
    return {};
}

Result<> TableWriter::write_csv(const std::filesystem::path& path, const Layout& layout,
                                const std::function<void(std::uint64_t)>& progress) {
    AMOSKYS_TRY_VOID(flush_spill());
    std::vector<std::uint32_t> rank(devices_.size()), by_name(devices_.size());
    std::iota(by_name.begin(), by_name.end(), 0U);
    std::sort(by_name.begin(), by_name.end(),
              [&](auto a, auto b) { return devices_[a] < devices_[b]; });
    for (std::uint32_t i = 0; i < by_name.size(); ++i)
        rank[by_name[i]] = i;
    std::stable_sort(index_.begin(), index_.end(), [&](const Row& a, const Row& b) {
        return a.device != b.device ? rank[a.device] < rank[b.device] : a.start_ns < b.start_ns;
    });

    TemporaryName temporary(path.parent_path() / ("." + path.filename().string() + ".partial"));
    FileDescriptor file(
        ::open(temporary.path().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!file)
        return errno_error("features_create", "cannot create " + temporary.path().string(), errno);
    const std::string what = "cannot write " + temporary.path().string();
    std::string text = "device_id,window_start,window_end";
    for (const module::ColumnId id : layout.order) {
        text += ',';
        append_csv_text(text, layout.columns[id].name);
    }
    text += "\r\n";
    std::vector<double> values;
    std::uint64_t done = 0;
    for (const Row& row : index_) {
        AMOSKYS_TRY_VOID(read_row(row, values));
        append_csv_text(text, devices_[row.device]);
        append_times(text, row.start_ns, row.end_ns);
        for (const module::ColumnId id : layout.order) {
            text += ',';
            if (id < values.size() && !std::isnan(values[id]))
                append_number(text, values[id], layout.digits);
        }
        text += "\r\n";
        if (text.size() >= buffer_bytes) {
            AMOSKYS_TRY_VOID(write_all(file.get(), text, what));
            text.clear();
            progress(done);
        }
        ++done;
    }
    AMOSKYS_TRY_VOID(write_all(file.get(), text, what));
    if (::fsync(file.get()) != 0)
        return errno_error("features_write", what, errno);
    if (::rename(temporary.path().c_str(), path.c_str()) != 0)
        return errno_error("features_rename", "cannot rename to " + path.string(), errno);
    temporary.kept();
    return sync_directory(path.parent_path());
}

}  // namespace amoskys::etl
