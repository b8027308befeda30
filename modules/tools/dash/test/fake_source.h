// A data source that keeps what it was asked and answers it back.
#pragma once

#include <string>
#include <vector>

#include "modules/tools/dash/source.h"

namespace amoskys::modules::dash::test {

class FakeSource final : public DataSource {
  public:
    Result<Json> told(std::string what) {
        asked.push_back(std::move(what));
        if (failure)
            return *failure;
        Json out = {{"asked", asked.back()}};
        return {boost::system::in_place_value, std::move(out)};
    }
    Result<Json> ask(std::string_view module, std::string_view verb,
                     const std::vector<std::string>& arguments) override {
        std::string text = std::string(module) + " " + std::string(verb);
        for (const std::string& word : arguments)
            text += " " + word;
        return told(text);
    }
    Result<Json> change(std::string_view who, std::string_view module, std::string_view verb,
                        const std::vector<std::string>& arguments) override {
        std::string text = std::string(who) + ": " + std::string(module) + " " + std::string(verb);
        for (const std::string& word : arguments)
            text += " " + word;
        return told(text);
    }
    Result<Json> events(const EventQuery& query) override {
        last_events = query;
        return told("events");
    }
    Result<Json> series(const SeriesQuery& query) override {
        last_series = query;
        return told("series " + query.device + " " + query.metric);
    }
    Result<Json> envelope(std::uint64_t offset) override {
        return told("envelope " + std::to_string(offset));
    }
    Result<Json> scores(std::string_view device, std::size_t limit) override {
        return told("scores " + std::string(device) + " " + std::to_string(limit));
    }
    Result<Json> overview() override {
        asked.emplace_back("overview");
        Json out = {{"time", nullptr}, {"trouble", nullptr}};
        return {boost::system::in_place_value, std::move(out)};
    }
    Result<Json> devices(const std::string& text, const std::string& status,
                         const std::string& after, std::size_t limit) override {
        return told("devices " + text + "/" + status + "/" + after + "/" + std::to_string(limit));
    }
    Result<Json> device(std::string_view name) override {
        return told("device " + std::string(name));
    }

    std::vector<std::string> asked;
    std::optional<Error> failure;
    EventQuery last_events;
    SeriesQuery last_series;
};

}  // namespace amoskys::modules::dash::test
