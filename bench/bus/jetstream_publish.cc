// Publishes the messages of a file to JetStream: asynchronously, each with a Nats-Msg-Id, and waits
// for all acknowledgements. Prints the seconds that it took.
// Usage: bench_jetstream PORT CA CERT KEY FILE STREAM
#include <nats/nats.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace {

constexpr std::size_t pending_bytes = 32U << 20;

void nats(natsStatus status, const char* what) {
    if (status == NATS_OK)
        return;
    std::fprintf(stderr, "bench_jetstream: %s: %s: %s\n", what, natsStatus_GetText(status),
                 nats_GetLastError(nullptr));
    std::exit(1);
}

std::vector<std::string> messages_of(const char* path) {
    std::ifstream file(path, std::ios::binary);
    std::vector<std::string> out;
    for (unsigned char size[4]; file.read(reinterpret_cast<char*>(size), sizeof size);) {
        std::string message(std::size_t{size[0]} << 24 | std::size_t{size[1]} << 16 |
                                std::size_t{size[2]} << 8 | size[3],
                            '\0');
        file.read(message.data(), static_cast<std::streamsize>(message.size()));
        out.push_back(std::move(message));
    }
    return out;
}

natsConnection* connect(char** argv) {
    natsOptions* options = nullptr;
    nats(natsOptions_Create(&options), "options");
    nats(natsOptions_SetURL(options, (std::string("tls://localhost:") + argv[1]).c_str()), "url");
    nats(natsOptions_SetSecure(options, true), "secure");
    nats(natsOptions_LoadCATrustedCertificates(options, argv[2]), "ca");
    nats(natsOptions_LoadCertificatesChain(options, argv[3], argv[4]), "certificate");
    natsConnection* connection = nullptr;
    nats(natsConnection_Connect(&connection, options), "connect");
    natsOptions_Destroy(options);
    return connection;
}

void on_error(jsCtx*, jsPubAckErr* error, void*) {
    std::fprintf(stderr, "bench_jetstream: a message was refused: %s\n", error->ErrText);
    std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 7)
        return 64;
    const auto messages = messages_of(argv[5]);
    const std::string stream = argv[6];
    natsConnection* connection = connect(argv);

    jsOptions options;
    jsOptions_Init(&options);
    const std::size_t largest = messages.empty() ? 1 : std::max<std::size_t>(1, messages[0].size());
    options.PublishAsync.MaxPending =
        static_cast<std::int64_t>(std::clamp<std::size_t>(pending_bytes / largest, 64, 4096));
    options.PublishAsync.StallWait = 10'000;
    options.PublishAsync.ErrHandler = on_error;
    jsCtx* js = nullptr;
    nats(natsConnection_JetStream(&js, connection, &options), "jetstream");

    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    const char* subjects[] = {stream.c_str()};
    config.Name = stream.c_str();
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.Storage = js_FileStorage;
    nats(js_AddStream(nullptr, js, &config, nullptr, nullptr), "stream");

    const auto begun = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < messages.size(); ++i) {
        const std::string id = stream + "-" + std::to_string(i);
        jsPubOptions publish;
        jsPubOptions_Init(&publish);
        publish.MsgId = id.c_str();
        nats(js_PublishAsync(js, stream.c_str(), messages[i].data(),
                             static_cast<int>(messages[i].size()), &publish),
             "publish");
    }
    nats(js_PublishAsyncComplete(js, nullptr), "complete");
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;

    jsStreamInfo* info = nullptr;
    nats(js_GetStreamInfo(&info, js, stream.c_str(), nullptr, nullptr), "stream info");
    const bool whole = info->State.Msgs == messages.size();
    jsStreamInfo_Destroy(info);
    if (!whole) {
        std::fprintf(stderr, "bench_jetstream: the stream has not all messages\n");
        return 1;
    }
    nats(js_DeleteStream(js, stream.c_str(), nullptr, nullptr), "delete stream");
    std::printf("%.6f\n", took.count());
    std::fflush(stdout);
    jsCtx_Destroy(js);
    natsConnection_Destroy(connection);
    nats_Close();
    return 0;
}
