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

std::string_view content_type_of(std::string_view name) {
    if (name.ends_with(".html"))
        return "text/html; charset=utf-8";
    if (name.ends_with(".css"))
        return "text/css; charset=utf-8";
    return name.ends_with(".svg") ? "image/svg+xml" : "text/javascript; charset=utf-8";
}

}  // namespace

const EmbeddedFile* find_asset(std::string_view path) {
    if (!path.starts_with('/'))
        return nullptr;
    const std::string_view name = path == "/" ? "index.html" : path.substr(1);
    for (const EmbeddedFile& each : page_files())
        if (each.name == name)
            return &each;
    return nullptr;
}

Response asset_response(const Request& request, const EmbeddedFile& asset) {
    if (!takes_gzip(request.accept_encoding))
        return problem(406, "gzip_only", "the page's files are served with Content-Encoding: gzip");
    Response out;
    std::string etag = etag_of(asset.content);
    out.content_type = content_type_of(asset.name);
    out.headers = {
        {"Content-Encoding", "gzip"}, {"Vary", "Accept-Encoding"}, {"Cache-Control", "no-cache"}};
    if (matches_etag(request.if_none_match, etag))
        out.status = 304;
    else
        out.body = asset.content;
    out.headers.emplace_back("ETag", std::move(etag));
    return out;
}

}  // namespace amoskys::modules::dash
