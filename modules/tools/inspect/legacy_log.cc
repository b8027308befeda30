#include "modules/tools/inspect/legacy_log.h"

#include <algorithm>

#include "modules/tools/inspect/legacy_row.h"

namespace amoskys::modules::inspect {

namespace {

constexpr std::size_t damages_max = 10'000;               // as a log of ours names them
constexpr std::uint64_t numbers_apart_max = 100'000'000;  // `events --newest` looks through them

class LegacyLog final : public wal::Log {
  public:
    explicit LegacyLog(LegacyDatabase database) : database_(std::move(database)) {}

    Result<> look_through() {
        std::error_code failed;
        stats_.segments = 1;
        stats_.file_bytes = std::filesystem::file_size(database_.file(), failed);
        return database_.for_each(INT64_MIN, [this](const LegacyRow& row) -> Result<bool> {
            const std::int64_t first =
                stats_.oldest.value == 0 ? row.id : static_cast<std::int64_t>(stats_.oldest.value);
            if (row.id < 1 || static_cast<std::uint64_t>(row.id - first) > numbers_apart_max)
                return make_error(
                    ErrorKind::bad_data, "import_schema",
                    database_.file().string() + ": row " + std::to_string(row.id) +
                        ": numbers from 1 on are read, not more than 100 million apart",
                    "`amoskys inspect import` gives them numbers of their own");
            note(row);
            return true;
        });
    }

    Result<wal::Appended> append(const wal::Group&) override { return refused(); }
    Result<std::uint64_t> prune(WalOffset) override { return refused(); }

    Result<WalOffset> read(WalOffset from, std::uint64_t max_records,
                           const std::function<bool(const wal::RecordView&)>& visit) override {
        WalOffset reached = std::max(from, stats_.newest.next());
        std::uint64_t seen = 0;
        const auto take = [&](const LegacyRow& row) -> Result<bool> {
            CheckedRow checked;
            if (!check_legacy_row(row, checked).empty())
                return true;
            const bool wanted = visit(view(row, checked));
            if (wanted && ++seen < max_records)
                return true;
            reached = WalOffset{static_cast<std::uint64_t>(row.id)}.next();
            return false;
        };
        if (max_records == 0)
            return from;
        AMOSKYS_TRY_VOID(database_.for_each(static_cast<std::int64_t>(from.value), take));
        return reached;
    }
    Result<WalOffset> read_matching(
        WalOffset from, std::uint64_t max_records, const Skip&,
        const std::function<bool(const wal::RecordView&)>& visit) override {
        return read(from, max_records, visit);
    }
    Result<std::optional<Bytes>> read_stored(WalOffset offset) override {
        std::optional<Bytes> out;
        AMOSKYS_TRY_VOID(read(offset, 1, [&](const wal::RecordView& record) {
            if (record.header.offset == offset)
                out = to_bytes(record.stored);
            return false;
        }));
        return out;
    }

    Result<std::optional<std::string>> state(std::string_view) override {
        return std::optional<std::string>();
    }
    Result<std::vector<wal::StateUpdate>> states(std::string_view) override {
        return std::vector<wal::StateUpdate>();
    }
    Result<std::optional<WalOffset>> cursor(std::string_view) override {
        return std::optional<WalOffset>();
    }
    Result<std::optional<wal::DedupHit>> find_dedup(std::string_view) override {
        return std::optional<wal::DedupHit>();
    }

    wal::LogStats stats() override { return stats_; }
    std::vector<wal::SegmentInfo> segments() override {
        return {{stats_.oldest, stats_.newest, stats_.file_bytes, stats_.newest_received_ns, true}};
    }
    std::vector<wal::Damage> damages() override { return damages_; }
    Result<TreeHead> tree_head() override { return TreeHead{}; }
    Result<std::optional<Digest>> leaf_hash(WalOffset) override { return std::optional<Digest>(); }
    Result<> read_derived(wal::Derived, WalOffset, WalOffset,
                          const std::function<void(std::uint64_t, ByteView)>&) override {
        return {};
    }
    Result<std::vector<wal::SegmentClaims>> claims() override {
        return std::vector<wal::SegmentClaims>();
    }
    WalOffset states_as_of() override { return stats_.newest; }

  private:
    Error refused() const {
        return make_error(ErrorKind::usage, "wal_is_file",
                          database_.file().string() + " is read only");
    }

    static UnixNanos received(const LegacyRow& row) {
        return row.ts_ns < 0 ? 0 : static_cast<UnixNanos>(row.ts_ns);
    }

    void note(const LegacyRow& row) {
        const WalOffset offset{static_cast<std::uint64_t>(row.id)};
        if (stats_.oldest.value == 0)
            stats_.oldest = offset;
        stats_.newest = offset;
        CheckedRow checked;
        if (const std::string_view wrong = check_legacy_row(row, checked); !wrong.empty()) {
            if (damages_.size() < damages_max)
                damages_.push_back(
                    {offset, offset, database_.file().filename().string(), std::string(wrong)});
            return;
        }
        if (stats_.records++ == 0)
            stats_.oldest_received_ns = received(row);
        stats_.newest_received_ns = std::max(stats_.newest_received_ns, received(row));
        stats_.stored_bytes += row.bytes.size();
    }

    wal::RecordView view(const LegacyRow& row, const CheckedRow& checked) {
        wal::RecordHeader header;
        header.kind = checked.kind;
        header.flags = checked.flags();
        header.stored_bytes = static_cast<std::uint32_t>(row.bytes.size());
        header.offset = WalOffset{static_cast<std::uint64_t>(row.id)};
        header.received_ns = received(row);
        header.digest = checked.digest;
        raw_header_ = wal::encode_header(header);
        return {header, raw_header_, row.bytes};
    }

    LegacyDatabase database_;
    wal::LogStats stats_;
    std::vector<wal::Damage> damages_;
    wal::HeaderBytes raw_header_{};  // of the record that is being visited
};

}  // namespace

Result<std::unique_ptr<wal::Log>> open_legacy_log(const std::filesystem::path& file) {
    AMOSKYS_TRY(database, LegacyDatabase::open(file));
    auto log = std::make_unique<LegacyLog>(std::move(database));
    AMOSKYS_TRY_VOID(log->look_through());
    return std::unique_ptr<wal::Log>(std::move(log));
}

}  // namespace amoskys::modules::inspect
