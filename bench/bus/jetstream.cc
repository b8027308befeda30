#include "bench/bus/jetstream.h"

#include <unistd.h>

#include <fstream>
#include <thread>

#include "bench/bus/publish.h"
#include "bench/measure.h"
#include "core/base/bytes.h"
#include "core/json/json.h"

namespace amoskys::bench {

namespace {

std::string find_server() {
    for (const char* path : {"/usr/sbin/nats-server", "/usr/bin/nats-server"})
        if (access(path, X_OK) == 0)
            return path;
    return {};
}

std::vector<std::string> server_command(const std::filesystem::path& scratch,
                                        const crypto::PkiPaths& pki) {
    const auto folder = scratch / "nats";
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "nats.conf")
        << "listen: \"127.0.0.1:-1\"\nports_file_dir: \"" << folder.string() << "\"\n"
        << "jetstream { store_dir: \"" << (folder / "store").string()
        << "\", max_file_store: 8GB }\n"
        << "tls { cert_file: \"" << pki.bus_cert().string() << "\", key_file: \""
        << pki.bus_key().string() << "\", ca_file: \"" << pki.ca_cert().string()
        << "\", verify: true }\n";
    return {find_server(), "-c", (folder / "nats.conf").string()};
}

// nats-server_PID.ports: {"nats": ["nats://127.0.0.1:41234"], ...}
std::string port_of(const std::filesystem::path& folder) {
    const Stopwatch watch;
    while (watch.seconds() < 10) {
        for (const auto& entry : std::filesystem::directory_iterator(folder)) {
            if (entry.path().extension() != ".ports")
                continue;
            std::ifstream file(entry.path());
            const std::string text((std::istreambuf_iterator<char>(file)), {});
            const auto ports = json::parse(text, entry.path().string());
            if (!ports || !ports->contains("nats"))
                continue;
            const auto url = (*ports)["nats"].at(0).get<std::string>();
            return url.substr(url.rfind(':') + 1);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    fail(make_error(ErrorKind::unavailable, "bench_nats", "nats-server did not start in 10 s"));
}

}  // namespace

std::unique_ptr<JetStream> JetStream::start(const std::filesystem::path& scratch,
                                            const crypto::PkiPaths& pki) {
    const auto publisher =
        std::filesystem::read_symlink("/proc/self/exe").parent_path() / "bench_jetstream";
    if (find_server().empty() || !std::filesystem::exists(publisher))
        return nullptr;
    return std::unique_ptr<JetStream>(new JetStream(scratch, pki, publisher.string()));
}

JetStream::JetStream(const std::filesystem::path& scratch, const crypto::PkiPaths& pki,
                     std::string publisher)
    : scratch_(scratch),
      pki_(pki),
      publisher_(std::move(publisher)),
      server_(server_command(scratch, pki), Child::Errors::dropped) {
    port_ = port_of(scratch / "nats");
}

double JetStream::publish(const std::vector<std::string>& messages) {
    const auto file = scratch_ / "messages";
    {
        std::ofstream out(file, std::ios::binary);
        for (const std::string& message : messages) {
            std::uint8_t size[4];
            store_be32(size, static_cast<std::uint32_t>(message.size()));
            out << as_text(size) << message;
        }
    }
    Child publisher(
        {publisher_, port_, pki_.ca_cert().string(), pki_.agent_cert(agent).string(),
         pki_.agent_key(agent).string(), file.string(), "round" + std::to_string(++rounds_)},
        Child::Errors::shown);
    const double seconds = std::stod(publisher.line());
    std::filesystem::remove(file);
    return seconds;
}

}  // namespace amoskys::bench
