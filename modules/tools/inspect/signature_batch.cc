#include "modules/tools/inspect/signature_batch.h"

#include <algorithm>
#include <thread>

namespace amoskys::modules::inspect {

namespace {

constexpr std::size_t threads_max = 8;
constexpr std::size_t jobs_per_thread = 64;  // fewer are not worth a thread

bool good(const SignatureBatch::Job& job) {
    return job.key->algorithm == crypto::Algorithm::ed25519_sha256
               ? crypto::verify_digest(job.key->key, crypto::envelope_tag, job.digest,
                                       job.signature)
               : crypto::verify_bytes(job.key->key, as_bytes(job.body), job.signature);
}

}  // namespace

std::vector<WalOffset> SignatureBatch::run() {
    const std::size_t wanted =
        std::clamp<std::size_t>(jobs_.size() / jobs_per_thread, 1, threads_max);
    const std::size_t threads =
        std::min<std::size_t>(wanted, std::max(1U, std::thread::hardware_concurrency()));
    std::vector<char> ok(jobs_.size(), 0);
    const auto check_part = [&](std::size_t part) {
        for (std::size_t i = part; i < jobs_.size(); i += threads)
            ok[i] = good(jobs_[i]) ? 1 : 0;
    };
    {
        std::vector<std::jthread> others;
        for (std::size_t part = 1; part < threads; ++part)
            others.emplace_back(check_part, part);
        check_part(0);
    }
    std::vector<WalOffset> wrong;
    for (std::size_t i = 0; i < jobs_.size(); ++i)
        if (ok[i] == 0)
            wrong.push_back(jobs_[i].offset);
    checked_ += jobs_.size();
    jobs_.clear();
    std::ranges::sort(wrong);
    return wrong;
}

}  // namespace amoskys::modules::inspect
