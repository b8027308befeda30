#include "modules/tools/dash/assets.h"

#include "core/base/text.h"

namespace amoskys::modules::dash {
namespace {

// Who names no coding takes any (RFC 9110, 12.5.3).
bool takes_gzip(std::string_view accepted) {
    if (trim(accepted).empty())
        return true;
    for (const std::string_view raw : split(accepted, ',')) {
        const auto parts = split(raw, ';');
        const std::string_view name = trim(parts.front());
        const bool refused = parts.size() > 1 && trim(parts[1]).starts_with("q=0") &&
                             trim(parts[1]).find_first_not_of("q=0.") == std::string_view::npos;
        if ((name == "gzip" || name == "*") && !refused)
            return true;
    }
    return false;
}

}  // namespace

const Asset* find_asset(std::string_view path) {
    for (const Asset& each : assets())
        if (each.path == path)
            return &each;
    return nullptr;
}

Response asset_response(const Request& request, const Asset& asset) {
    if (!takes_gzip(request.accept_encoding))
        return problem(406, "gzip_only", "the page's files are served with Content-Encoding: gzip");
    Response out;
    std::string etag = etag_of(asset.gzip);
    out.content_type = asset.content_type;
    out.headers = {
        {"Content-Encoding", "gzip"}, {"Vary", "Accept-Encoding"}, {"Cache-Control", "no-cache"}};
    if (matches_etag(request.if_none_match, etag))
        out.status = 304;
    else
        out.body = asset.gzip;
    out.headers.emplace_back("ETag", std::move(etag));
    return out;
}

}  // namespace amoskys::modules::dash
