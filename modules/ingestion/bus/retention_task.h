// Removes segments that retention no longer allows (core/wal/retention.h): looks once a second,
// says in an audit record of the log what goes and why, and once that is on disk removes it on a
// thread of its own, so that neither sessions nor the writer wait.
//
// Used by the bus's service on the io thread; log, writer and server outlive it.
#pragma once

#include <memory>

#include "core/io/runtime.h"
#include "core/link/server.h"
#include "core/wal/retention.h"
#include "core/wal/writer.h"

namespace amoskys::ingestion {

class RetentionTask {
  public:
    RetentionTask(io::asio::io_context& io, const Clock& clock, wal::Log& log, wal::Writer& writer,
                  link::Server& server);
    void set(const wal::RetentionPolicy& policy);
    io::Task<Result<>> run();  // until cancelled

  private:
    io::Task<Result<>> prune(wal::RetentionPlan plan);
    io::Task<Result<>> write_audit(wal::RetentionPlan plan);

    io::asio::io_context& io_;
    const Clock& clock_;
    wal::Log& log_;
    wal::Writer& writer_;
    link::Server& server_;
    wal::RetentionPolicy policy_;
    io::DedicatedThread thread_;
};

}  // namespace amoskys::ingestion
