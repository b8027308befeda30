// Capture files. They are read through a buffer that fits the processor's cache rather than mapped:
// it is as fast (measured), a pipe is read by the same code, and a file that somebody shortens
// meanwhile is an error and not a SIGBUS.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/file.h"
#include "modules/collectors/flow/filter.h"
#include "modules/collectors/flow/source.h"

namespace amoskys::flow {
namespace {

constexpr std::size_t buffer_bytes = 64 * 1024;
constexpr std::size_t batch_frames = 64;

struct Input {
    std::string name;
    FileDescriptor file;
};

class FileSource final : public PacketSource {
  public:
    FileSource(std::vector<Input> inputs, Filter filter)
        : inputs_(std::move(inputs)), filter_(std::move(filter)), buffer_(buffer_bytes) {}

    Result<bool> pump(Engine& engine) override {
        if (current_ == inputs_.size())
            return false;
        AMOSKYS_TRY(got, fill());
        ByteView rest(buffer_.data(), filled_);
        frames_.clear();
        Frame frame;
        while (true) {
            const auto step = parser_.next(rest, frame);
            if (!step) {
                engine.frames(frames_);
                Error error = step.error();
                error.message = inputs_[current_].name + ": " + error.message;
                return error;
            }
            if (*step == TraceParser::Step::need_more)
                break;
            if (!filter_.empty()) {
                AMOSKYS_TRY(wanted, filter_.matches(frame));
                if (!wanted) {
                    ++filtered_;
                    continue;
                }
            }
            frames_.push_back(frame);
            if (frames_.size() == batch_frames) {
                engine.frames(frames_);
                frames_.clear();
            }
        }
        engine.frames(frames_);
        std::memmove(buffer_.data(), rest.data(), rest.size());
        filled_ = rest.size();
        if (got == 0)
            return next_input();
        return true;
    }

    std::vector<std::pair<std::string, CaptureCounts>> counts() override { return {}; }
    std::uint64_t filtered() const override { return filtered_; }

  private:
    // Reads behind what is left of the buffer, which grows for a record that does not fit.
    Result<std::size_t> fill() {
        if (filled_ == buffer_.size())
            buffer_.resize(buffer_.size() * 2);
        while (true) {
            const ssize_t got = ::read(inputs_[current_].file.get(), buffer_.data() + filled_,
                                       buffer_.size() - filled_);
            if (got < 0 && errno == EINTR)
                continue;
            if (got < 0 && errno == EISDIR)
                return make_error(ErrorKind::no_input, "flow_read",
                                  "cannot read " + inputs_[current_].name + ": it is a folder");
            if (got < 0)
                return errno_error("flow_read", "cannot read " + inputs_[current_].name, errno);
            filled_ += static_cast<std::size_t>(got);
            return static_cast<std::size_t>(got);
        }
    }

    Result<bool> next_input() {
        const std::string& name = inputs_[current_].name;
        if (!parser_.began())
            return make_error(ErrorKind::bad_data, "flow_bad_trace",
                              name + ": " + (filled_ == 0 ? "is empty" : "too short") +
                                  "; a pcap or pcapng file is wanted");
        if (filled_ != 0)
            return make_error(ErrorKind::partial, "flow_cut_short",
                              name + ": byte " + std::to_string(parser_.offset()) +
                                  ": the file ends inside of a packet; the packets before it are "
                                  "in the flows");
        ++current_;
        parser_ = TraceParser();
        return current_ < inputs_.size();
    }

    std::vector<Input> inputs_;
    Filter filter_;
    std::size_t current_ = 0;
    TraceParser parser_;
    std::vector<std::uint8_t> buffer_;
    std::size_t filled_ = 0;
    std::vector<Frame> frames_;
    std::uint64_t filtered_ = 0;
};

}  // namespace

Result<std::unique_ptr<PacketSource>> open_files(const std::vector<std::string>& paths,
                                                 const std::string& filter) {
    AMOSKYS_TRY(compiled, Filter::make(filter));
    std::vector<Input> inputs;
    for (const std::string& path : paths) {
        const bool standard = path == "-";
        Input input{standard ? "stdin" : path,
                    FileDescriptor(standard ? ::dup(STDIN_FILENO)
                                            : ::open(path.c_str(), O_RDONLY | O_CLOEXEC))};
        if (!input.file)
            return errno_error("flow_open", "cannot open " + input.name, errno);
        inputs.push_back(std::move(input));
    }
    return std::unique_ptr<PacketSource>(
        std::make_unique<FileSource>(std::move(inputs), std::move(compiled)));
}

}  // namespace amoskys::flow
