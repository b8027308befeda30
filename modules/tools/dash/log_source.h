// The data source on the log of a state directory: reads the log as `inspect` does (and through
// its verbs), never writes. Answers of verbs are kept for five seconds, 64 of them, so that many
// open pages cost one reading. Thread-safe.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>

#include "core/crypto/trust_map.h"
#include "core/module/module.h"
#include "core/wal/log.h"
#include "modules/tools/dash/board.h"
#include "modules/tools/dash/source.h"

namespace amoskys::modules::dash {

class LogSource final : public DataSource {
  public:
    LogSource(std::filesystem::path state_dir, const config::Loaded& loaded, const Clock& clock);

    // The log for one question; no_input "wal_missing" while there is none.
    Result<std::shared_ptr<wal::Log>> log();
    Board& board() { return board_; }

    Result<Json> ask(std::string_view module, std::string_view verb,
                     const std::vector<std::string>& arguments) override;
    Result<Json> change(std::string_view who, std::string_view module, std::string_view verb,
                        const std::vector<std::string>& arguments) override;
    void forget();                     // kept answers
    std::string alerts_stamp() const;  // changes with the alerts
    Result<Json> events(const EventQuery& query) override;
    Result<Json> series(const SeriesQuery& query) override;
    Result<Json> envelope(std::uint64_t offset) override;
    Result<Json> scores(std::string_view device, std::size_t limit) override;
    Result<Json> overview() override;
    Result<Json> devices(const std::string& text, const std::string& status,
                         const std::string& after, std::size_t limit) override;
    Result<Json> device(std::string_view name) override;

  private:
    struct Kept {
        Json value;
        std::chrono::steady_clock::time_point at;
    };
    Result<Json> run(std::string_view module, std::string_view verb,
                     const std::vector<std::string>& arguments);
    Result<std::shared_ptr<const std::vector<Json>>> score_rows();

    const std::filesystem::path state_dir_;
    const config::Loaded& loaded_;
    const Clock& clock_;
    Board board_;
    std::mutex mutex_;  // of what follows
    std::shared_ptr<wal::Log> log_;
    std::map<std::string, Kept> kept_;
    std::string scores_stamp_;
    std::shared_ptr<const std::vector<Json>> scores_;
};

// Whether the signature of a stored record is by the key that the trust map has for it: "ok",
// "wrong", "unknown_key", "unsigned", or "altered" where the bytes are not those of the digest.
Json signature_of(const wal::RecordView& record, const crypto::TrustMap* trust);

}  // namespace amoskys::modules::dash
