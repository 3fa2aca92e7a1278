// /js-sdk-loader/{key}.js: a few lines that catch a page's first errors and fetch the JavaScript
// SDK when it is needed. The SDK itself is the operator's: a file that is served here, or an
// address.
#pragma once

#include "relay/ingest/endpoint.h"

namespace picket::ingest {

// Also `{key}.min.js`. 404 with a comment that says what is missing.
http::Response js_loader(const PageContext& context);

// /js-sdk-bundle/bundle.js, the operator's file.
http::Response js_bundle(const PageContext& context);

}  // namespace picket::ingest
