// An emitter that keeps what it gets, and a run of one collector on an io_context of its own.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "core/module/module.h"

namespace amoskys::module {

class RecordingEmitter final : public module::Emitter {
  public:
    io::Task<Result<>> emit(messaging::DeviceTelemetry record) override {
        records.push_back(std::move(record));
        co_return Result<>();
    }
    io::Task<Result<>> emit(std::string device,
                            std::vector<messaging::ProcessEvent> events) override {
        devices.push_back(std::move(device));
        chunks.push_back(std::move(events));
        co_return Result<>();
    }
    io::Task<Result<>> emit(std::string, std::vector<messaging::FlowEvent>) override {
        co_return make_error(ErrorKind::internal, "flows", "no flows are expected");
    }
    io::Task<Result<>> flush() override {
        ++flushes;
        co_return Result<>();
    }
    std::vector<messaging::DeviceTelemetry> records;
    std::vector<std::string> devices;
    std::vector<std::vector<messaging::ProcessEvent>> chunks;
    int flushes = 0;
};

// Makes the collector of `info` and runs it until it ends.
inline Result<> run_once(const module::ModuleInfo& info, std::shared_ptr<const void> config,
                         const Clock& clock, metrics::Registry& metrics,
                         RecordingEmitter& emitter) {
    io::asio::io_context io;
    const module::CollectorContext context{io, clock, metrics, std::move(config), true, "box"};
    AMOSKYS_TRY(collector, info.make_collector(context));
    Result<> out;
    std::exception_ptr failure;
    auto task = collector->run(emitter);
    io::asio::co_spawn(io, std::move(task),
                       [&out, &failure](std::exception_ptr error, Result<> result) {
                           failure = error;
                           out = std::move(result);
                       });
    io.run();
    if (failure)
        std::rethrow_exception(failure);
    return out;
}

}  // namespace amoskys::module
