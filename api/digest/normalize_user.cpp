// Who: addresses, places, the user.
#include "relay/protocol/json_repair.h"
#include "api/digest/normalize_rules.h"
#include "api/digest/normalize_steps.h"

#include <algorithm>
#include <array>
#include <utility>

namespace picket::digest {
namespace {

using enum FieldKind;

constexpr std::array user_fields = {
    Field{"id", text, {128, 0}},        Field{"email", text, {75, 0}},      Field{"username", text, {128, 0}}, Field{"name", text, {128, 0}},
    Field{"ip_address", text, {64, 0}}, Field{"segment", text, {200, 0}},   Field{"sentry_user", text, {256, 0}}, Field{"geo", object},
    Field{"data", object},
};
constexpr std::array geo_fields = {Field{"country_code", text, {102, 0}}, Field{"city", text, {102, 0}}, Field{"subdivision", text, {102, 0}},
                                   Field{"region", text, {102, 0}}};

InferIp infer_of(json::object& event) {
  auto* sdk = find_object(event, "sdk");
  auto* settings = sdk ? find_object(*sdk, "settings") : nullptr;
  const auto text = settings ? scalar_text(*settings, "infer_ip") : std::nullopt;
  return parse_infer_ip(ellipsed(text.value_or(""), 16));
}

std::string cut_scalar(const json::object* object, std::string_view name, std::size_t longest) {
  return object ? ellipsed(scalar_text(*object, name).value_or(""), longest) : std::string();
}

void add_place(json::object& user, std::string_view address, const GeoLookup& lookup) {
  const auto place = lookup.find(address);
  if (!place) return;
  auto& geo = make_object(user, "geo");
  for (const auto& [name, value] : {std::pair{"country_code", &place->country_code}, std::pair{"city", &place->city},
                                    std::pair{"subdivision", &place->subdivision}, std::pair{"region", &place->region}}) {
    if (!value->empty()) geo[name] = *value;
  }
}

}  // namespace

void normalize_addresses(Work& work) {
  auto& event = work.event;
  auto* request = find_object(event, "request");
  auto* env = request ? find_object(*request, "env") : nullptr;
  auto* user = find_object(event, "user");
  const auto remote = cut_scalar(env, "REMOTE_ADDR", 64);
  const auto said = cut_scalar(user, "ip_address", 64);
  const auto sender = ellipsed(relay::repair_utf8(work.source.remote_address), 64);
  const AddressClues clues{.user = said,
                           .remote = remote,
                           .sender = sender,
                           .platform = text_or(event, "platform"),
                           .infer = infer_of(event)};
  if (remote == "{{auto}}") {
    const auto address = remote_address(clues);
    if (address.empty()) {
      env->stable_erase("REMOTE_ADDR");
    } else {
      (*env)["REMOTE_ADDR"] = address;
    }
  }
  const auto address = user_address(clues);
  if (user && !said.empty() && said != "{{auto}}" && said != address)
    reject(*user, "ip_address", "expected an ip address", Place(Place(work.root, "user"), "ip_address"), work.notes);
  if (!address.empty()) {
    make_object(event, "user")["ip_address"] = address;
  } else if (user) {
    user->stable_erase("ip_address");
  }
  user = find_object(event, "user");
  if (work.geo && user && !address.empty() && !find(*user, "geo")) add_place(*user, address, *work.geo);
}

void normalize_user(Work& work) {
  auto* user = find_object(work.event, "user");
  if (!user) return;
  const Place place(work.root, "user");
  check_fields(*user, user_fields, place, work.notes);
  if (auto* geo = find_object(*user, "geo")) {
    check_fields(*geo, geo_fields, Place(place, "geo"), work.notes);
    if (geo->empty()) user->stable_erase("geo");
  }
  // What Sentry has no field for is the user's data.
  json::object known;
  json::object other;
  for (auto& [key, value] : *user) {
    const bool ours = std::ranges::any_of(user_fields, [&](const Field& field) { return field.name == std::string_view(key); });
    (ours ? known : other).emplace(key, std::move(value));
  }
  *user = std::move(known);
  if (!other.empty()) {
    auto& data = make_object(*user, "data");
    for (auto& [key, value] : other) {
      if (!data.contains(key)) data.emplace(key, std::move(value));
    }
  }
  // How Sentry names a user wherever it needs one text for it.
  for (const auto& [kind, name] : {std::pair{"id:", "id"}, std::pair{"username:", "username"}, std::pair{"email:", "email"}, std::pair{"ip:", "ip_address"}}) {
    const auto value = text_or(*user, name);
    if (value.empty()) continue;
    (*user)["sentry_user"] = std::string(kind) + std::string(value);
    break;
  }
  if (user->empty()) work.event.stable_erase("user");
}

}  // namespace picket::digest
