#include "api/digest/event.h"
#include "relay/protocol/json_repair.h"
#include "api/digest/normalize_rules.h"

namespace picket::digest {

void settle(Event& event, const EventSource& source) {
  if (source.item_type == "transaction") event.type = EventType::transaction;
  if (source.item_type == "feedback") event.type = EventType::feedback;
  const auto sender = event.text.keep(relay::repair_utf8(source.remote_address), {64, 0});
  event.user.ip = user_address({.user = event.user.ip,
                                .remote = event.remote_address,
                                .sender = sender,
                                .platform = event.platform,
                                .infer = parse_infer_ip(event.infer_ip)});
  if (event.type != EventType::transaction) return;
  if (event.transaction.empty()) event.transaction = "<unlabeled transaction>";
  if (!is_url_transaction(event.transaction, event.transaction_source)) return;
  if (const auto clean = sanitised_transaction(event.transaction)) event.transaction = event.text.keep(*clean);
}

}  // namespace picket::digest
