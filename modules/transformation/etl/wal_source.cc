#include "modules/transformation/etl/wal_source.h"

#include <algorithm>
#include <thread>

#include "core/wal/shared.h"

namespace amoskys::etl {
namespace {

constexpr std::uint64_t records_per_read = 4096;
constexpr auto look_every = std::chrono::milliseconds(200);

}  // namespace

Result<std::unique_ptr<WalSource>> WalSource::open(const std::filesystem::path& folder,
                                                   const wire::EventFilter& filter, bool progress) {
    std::error_code ignored;  // a folder that cannot be looked into is refused by open_reader
    if (!std::filesystem::exists(folder, ignored) && !ignored)
        return make_error(ErrorKind::no_input, "no_log", "there is no log at " + folder.string(),
                          "run amoskys up or amoskys bus first, or name the state directory "
                          "with --state-dir");
    AMOSKYS_TRY(log, wal::open_reader(folder));
    return std::unique_ptr<WalSource>(new WalSource(folder, std::move(log), filter, progress));
}

WalSource::WalSource(std::filesystem::path folder, std::shared_ptr<wal::Log> log,
                     const wire::EventFilter& filter, bool progress)
    : folder_(std::move(folder)),
      log_(std::move(log)),
      stats_(log_->stats()),
      skip_{filter.since_ns, filter.until_ns, std::nullopt},
      progress_(progress) {
    if (filter.devices.size() == 1 && filter.devices[0].find_first_of("*?") == std::string::npos)
        skip_.device_hash = wal::device_hash(filter.devices[0]);
}

bool WalSource::look_again(Duration wait) {
    std::this_thread::sleep_for(wait);
    stats_ = log_->stats();
    return true;
}

std::string WalSource::mark(std::uint64_t position) {
    std::string found;
    const auto read = log_->read({position}, 1, [&](const wal::RecordView& record) {
        if (record.header.offset.value == position)
            found = to_hex(ByteView(record.header.digest).first<16>());
        return false;
    });
    return read ? found : std::string();
}

Result<> WalSource::read_after(std::uint64_t position, const Visit& visit) {
    WalOffset next = std::max(stats_.oldest, WalOffset{position + 1});
    if (stats_.newest < next || stats_.newest.value == 0)
        return {};
    const WalOffset first = next;
    module::Progress progress(progress_, "reading the log", "records",
                              stats_.newest.value - first.value + 1);
    wire::EventDecoder decoder;
    while (next <= stats_.newest) {
        UnixNanos received_ns = 0;
        const auto each = [&](const wire::Event& event) {
            visit(event, received_ns);
            return true;
        };
        AMOSKYS_TRY(
            after,
            log_->read_matching(next, records_per_read, skip_, [&](const wal::RecordView& record) {
                if (record.header.offset > stats_.newest)
                    return false;
                received_ns = record.header.received_ns;
                decoder.decode_record(record.header.kind, record.stored, record.header.digest,
                                      record.header.offset.value, each);
                return true;
            }));
        if (after <= next)
            break;
        next = after;
        progress.update(next.value - first.value);
    }
    counts_ = decoder.counts();
    return {};
}

Result<> WalSource::follow(const Watch& visit) {
    wire::EventDecoder decoder;
    WalOffset next = stats_.oldest;
    bool wanted = true;
    while (wanted) {
        stats_ = log_->stats();
        next = std::max(next, stats_.oldest);
        if (stats_.newest.value == 0 || stats_.newest < next) {
            std::this_thread::sleep_for(look_every);
            continue;
        }
        AMOSKYS_TRY(after, log_->read_matching(
                               next, records_per_read, skip_, [&](const wal::RecordView& record) {
                                   const auto each = [&](const wire::Event& event) {
                                       wanted = visit(event, record.header.received_ns);
                                       return wanted;
                                   };
                                   return decoder.decode_record(record.header.kind, record.stored,
                                                                record.header.digest,
                                                                record.header.offset.value, each);
                               }));
        if (after <= next)
            std::this_thread::sleep_for(look_every);
        next = after;
    }
    counts_ = decoder.counts();
    return {};
}

Json WalSource::description() const {
    return {{"kind", "wal"},
            {"path", folder_.string()},
            {"first_offset", stats_.oldest.value},
            {"last_offset", stats_.newest.value},
            {"envelopes", counts_.envelopes},
            {"events", counts_.events},
            {"altered_envelopes", counts_.altered_envelopes},
            {"malformed_envelopes", counts_.malformed_envelopes},
            {"malformed_events", counts_.malformed_events}};
}

}  // namespace amoskys::etl
