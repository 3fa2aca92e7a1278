// Settings that intake acts on: how they are checked before they are stored (relay/filter and
// relay/scrub say what is wrong), and how a project's map of options is changed entry by entry.
#pragma once

#include "api/rest/fields.h"

#include <boost/json.hpp>

#include <string>
#include <string_view>

namespace picket::rest {

// Scrubbing and sampling settings of a project or an organization, allowed domains, and the entries of `options`.
// `changes` is what is to be stored; nulls clear.
void check_data_settings(Fields& fields, const boost::json::object& changes);

// What a project's biases of sampling are, as the API shows them.
boost::json::array render_biases(std::string_view project_json);

// Makes changes["options"] the whole map: what is stored, with the entries given over it.
void merge_option_map(std::string_view options_json, boost::json::object& changes);

// One entry of the stored map, null when it is not there.
boost::json::value stored_option(std::string_view options_json, std::string_view name);

}  // namespace picket::rest
