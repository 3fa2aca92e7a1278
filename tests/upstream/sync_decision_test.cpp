// Who wins, one part of one issue at a time; and networks of Pickets and trackers that are changed at
// random until nothing is left to say.
#include "upstream/sync_decision.h"

#include "buffer/stamp.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace picket::upstream {
namespace {

constexpr SyncMode both{.sends = true, .receives = true};
constexpr SyncMode send_only{.sends = true, .receives = false};
constexpr SyncMode receive_only{.sends = false, .receives = true};
constexpr char tracker[] = "https://sentry.example/acme";

schema::Stamp stamp(std::int64_t ms, std::string origin = "here") {
  schema::Stamp made;
  made.set_ms(ms);
  made.set_origin(std::move(origin));
  return made;
}
PartHere here(std::string value, std::int64_t ms, std::string origin = "here") {
  return {std::move(value), stamp(ms, std::move(origin))};
}
PartThere at_picket(std::string value, std::int64_t ms, std::string origin = "there") {
  return {std::move(value), stamp(ms, std::move(origin)), 0, false};
}
PartThere at_sentry(std::string value, std::int64_t changed_ms) {
  return {std::move(value), std::nullopt, changed_ms, false};
}
PartSettled settled(std::string there, std::int64_t ms, std::string origin = "here") {
  return {std::move(there), true, stamp(ms, std::move(origin))};
}

SyncVerdict verdict(const PartHere& ours, const PartThere& theirs, const PartSettled& known = {}, SyncMode mode = both) {
  return decide(ours, theirs, known, mode, tracker).verdict;
}

TEST(SyncDecision, WithAPicketTheLaterStampWins) {
  EXPECT_EQ(verdict(here("resolved", 5), at_picket("unresolved", 0)), SyncVerdict::tell);
  EXPECT_EQ(verdict(here("resolved", 5), at_picket("ignored forever", 4)), SyncVerdict::tell);
  const auto taken = decide(here("resolved", 5), at_picket("ignored forever", 6), {}, both, tracker);
  EXPECT_EQ(taken.verdict, SyncVerdict::take);
  EXPECT_TRUE(taken.another);
  EXPECT_EQ(taken.stamp.ms(), 6);
  EXPECT_EQ(taken.stamp.origin(), "there");
}

TEST(SyncDecision, WithAPicketTheSameChangeIsSettledWhateverItIsCalledThere) {
  EXPECT_EQ(verdict(here("ignored until 5", 5, "x"), at_picket("ignored until 6", 5, "x")), SyncVerdict::settle);
}

TEST(SyncDecision, WithAPicketTheSameValueWithALaterStampIsTakenAsAStampOnly) {
  const auto taken = decide(here("resolved", 5), at_picket("resolved", 6), {}, both, tracker);
  EXPECT_EQ(taken.verdict, SyncVerdict::take);
  EXPECT_FALSE(taken.another);
}

TEST(SyncDecision, WhatWasHandledOnceIsNotHandledAgain) {
  // Told and refused; somebody there who is unknown here.
  EXPECT_EQ(verdict(here("user ann", 5), at_picket("", 0), settled("", 5)), SyncVerdict::settle);
  EXPECT_EQ(verdict(here("", 5), at_picket("user bob", 6), settled("user bob", 6, "there")), SyncVerdict::settle);
}

TEST(SyncDecision, WithASentryWhatChangedOnOneSideOnlyWinsWhateverTheClocksSay) {
  EXPECT_EQ(verdict(here("resolved", 9'000), at_sentry("unresolved", 0)), SyncVerdict::tell);
  // Their clock is hours behind ours.
  const auto taken = decide(here("resolved", 9'000), at_sentry("ignored forever", 10), settled("resolved", 9'000), both, tracker);
  EXPECT_EQ(taken.verdict, SyncVerdict::take);
  EXPECT_TRUE(buffer::later(taken.stamp, stamp(9'000)));
  EXPECT_EQ(taken.stamp.origin(), tracker);
  EXPECT_EQ(verdict(here("unresolved", 9'001), at_sentry("resolved", 99'000), settled("resolved", 9'000)), SyncVerdict::tell);
}

TEST(SyncDecision, WithASentryTheLaterClockWinsWhenBothChanged) {
  EXPECT_EQ(verdict(here("resolved", 50), at_sentry("ignored forever", 40), settled("unresolved", 10)), SyncVerdict::tell);
  EXPECT_EQ(verdict(here("resolved", 50), at_sentry("ignored forever", 60), settled("unresolved", 10)), SyncVerdict::take);
  EXPECT_EQ(verdict(here("resolved", 50), at_sentry("ignored forever", 60)), SyncVerdict::take);
}

TEST(SyncDecision, WithASentryEqualValuesAreSettled) {
  EXPECT_EQ(verdict(here("resolved", 50), at_sentry("resolved", 60)), SyncVerdict::settle);
}

TEST(SyncDecision, WhatATrackerMadeIsNeverToldToIt) {
  EXPECT_EQ(verdict(here("resolved", 50, tracker), at_sentry("unresolved", 0)), SyncVerdict::settle);
  EXPECT_FALSE(to_be_told(stamp(50, tracker), stamp(10), both, tracker));
  EXPECT_TRUE(to_be_told(stamp(50, "https://other.example/acme"), stamp(10), both, tracker));
}

TEST(SyncDecision, WhatEventsDidIsNotTold) {
  auto ours = here("unresolved", 50);
  ours.stamp.set_automatic(true);
  EXPECT_EQ(verdict(ours, at_sentry("resolved", 40), settled("resolved", 40)), SyncVerdict::settle);
  EXPECT_EQ(verdict(ours, at_picket("resolved", 40)), SyncVerdict::settle);
}

TEST(SyncDecision, ModesSayWhichWay) {
  EXPECT_EQ(verdict(here("resolved", 5), at_picket("unresolved", 0), {}, receive_only), SyncVerdict::settle);
  EXPECT_EQ(verdict(here("resolved", 5), at_picket("ignored forever", 6), {}, send_only), SyncVerdict::settle);
  EXPECT_EQ(verdict(here("resolved", 5), at_sentry("unresolved", 0), {}, receive_only), SyncVerdict::settle);
  EXPECT_EQ(verdict(here("resolved", 5), at_sentry("ignored forever", 6), {}, send_only), SyncVerdict::settle);
  EXPECT_TRUE(parse_sync_mode("both").sends && parse_sync_mode("both").receives);
  EXPECT_TRUE(parse_sync_mode("send").sends && !parse_sync_mode("send").receives);
  EXPECT_TRUE(!parse_sync_mode("receive").sends && parse_sync_mode("receive").receives);
  EXPECT_FALSE(parse_sync_mode("off").sends || parse_sync_mode("off").receives);
}

// ---- networks -------------------------------------------------------------------------------------

struct Node {
  std::string name;
  bool picket = true;
  std::string value = "unresolved";
  schema::Stamp stamp{};       // of a Picket
  std::int64_t changed_ms = 0;  // of a tracker
  std::int64_t clock_off = 0;
  int activities = 0;
};
struct Edge {
  std::size_t from = 0;
  std::size_t to = 0;
  PartSettled known{};
};

class Network {
 public:
  Network(std::vector<Node> nodes, std::vector<Edge> edges, unsigned seed)
      : nodes_(std::move(nodes)), edges_(std::move(edges)), random_(seed) {}

  void decide_somewhere() {
    auto& node = nodes_[pick(nodes_.size())];
    const auto value = std::vector<std::string>{"unresolved", "resolved", "ignored forever"}[pick(3)];
    if (value == node.value) return;
    const auto at = ++now_ + node.clock_off;
    node.value = value;
    ++node.activities;
    ++made_;
    if (node.picket) node.stamp = buffer::next_stamp(node.stamp, at, node.name);
    else node.changed_ms = now_;
  }

  // One visit over one edge, as SyncPeer makes it. True when anything came of it.
  bool visit(Edge& edge) {
    auto& ours = nodes_[edge.from];
    auto& theirs = nodes_[edge.to];
    const auto decision = decide({ours.value, ours.stamp}, shown(theirs), edge.known, both, theirs.picket ? tracker : theirs.name);
    switch (decision.verdict) {
      case SyncVerdict::settle: settle(edge, theirs.value, ours.stamp); return false;
      case SyncVerdict::take:
        if (buffer::later(decision.stamp, ours.stamp)) set(ours, theirs.value, decision.stamp);
        settle(edge, theirs.value, decision.stamp);
        return true;
      case SyncVerdict::tell:
        ++told_;
        if (!theirs.picket) {
          if (theirs.value != ours.value) ++theirs.activities;
          theirs.value = ours.value;
          theirs.changed_ms = ++now_;
        } else if (buffer::later(ours.stamp, theirs.stamp)) {
          set(theirs, ours.value, ours.stamp);
        }
        settle(edge, theirs.value, ours.stamp);
        return true;
    }
    return false;
  }

  // Visits in random order until a whole round brings nothing; false when that does not come.
  bool settles() {
    for (int round = 0; round < 1'000; ++round) {
      bool anything = false;
      std::vector<std::size_t> order(edges_.size());
      for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
      std::shuffle(order.begin(), order.end(), random_);
      for (const auto index : order) anything = visit(edges_[index]) || anything;
      if (!anything) return true;
    }
    return false;
  }
  void some_visits() {
    for (auto i = pick(edges_.size() * 2); i > 0; --i) visit(edges_[pick(edges_.size())]);
  }

  bool agrees() const {
    for (const auto& node : nodes_) {
      if (node.value != nodes_.front().value) return false;
    }
    return true;
  }
  int told() const { return told_; }
  int made() const { return made_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  std::vector<Node>& nodes() { return nodes_; }
  std::size_t edges() const { return edges_.size(); }

 private:
  std::size_t pick(std::size_t count) { return std::uniform_int_distribution<std::size_t>(0, count - 1)(random_); }
  static PartThere shown(const Node& node) {
    if (node.picket) return {node.value, node.stamp, 0, false};
    return {node.value, std::nullopt, node.changed_ms, false};
  }
  static void set(Node& node, const std::string& value, const schema::Stamp& stamp) {
    if (node.value != value) ++node.activities;
    node.value = value;
    node.stamp = stamp;
  }
  static void settle(Edge& edge, const std::string& there, const schema::Stamp& stamp) {
    edge.known.there = there;
    edge.known.seen = true;
    if (buffer::later(stamp, edge.known.here)) edge.known.here = stamp;
  }

  std::vector<Node> nodes_;
  std::vector<Edge> edges_;
  std::mt19937 random_;
  std::int64_t now_ = 1'000;
  int told_ = 0;
  int made_ = 0;
};

TEST(SyncNetwork, ARingOfThreePicketsAgreesAndFallsSilent) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    Network ring({{"a"}, {"b", true, "unresolved", {}, 0, 90}, {"c", true, "unresolved", {}, 0, -70}}, {{0, 1}, {1, 2}, {2, 0}}, seed);
    for (int round = 0; round < 6; ++round) {
      for (int i = 0; i < 4; ++i) {
        ring.decide_somewhere();
        ring.some_visits();
      }
      ASSERT_TRUE(ring.settles()) << "seed " << seed;
      ASSERT_TRUE(ring.agrees()) << "seed " << seed;
    }
    // Each change crosses each edge once at most.
    EXPECT_LE(ring.told(), ring.made() * static_cast<int>(ring.edges())) << "seed " << seed;
  }
}

TEST(SyncNetwork, TheLastWriterWinsOnBothSidesOfALinkThatWasDown) {
  Network pair({{"edge"}, {"hub"}}, {{0, 1}}, 1);
  auto& edge = pair.nodes()[0];
  auto& hub = pair.nodes()[1];
  edge.value = "resolved";
  edge.stamp = buffer::next_stamp(edge.stamp, 100, "edge");
  hub.value = "ignored forever";
  hub.stamp = buffer::next_stamp(hub.stamp, 200, "hub");
  ASSERT_TRUE(pair.settles());
  EXPECT_EQ(edge.value, "ignored forever");
  EXPECT_EQ(hub.value, "ignored forever");
  edge.value = "unresolved";
  edge.stamp = buffer::next_stamp(edge.stamp, 150, "edge");  // its clock went back, but it has seen the other
  ASSERT_TRUE(pair.settles());
  EXPECT_EQ(hub.value, "unresolved");
}

TEST(SyncNetwork, PicketsAroundATrackerAgreeAndFallSilent) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    // Two Pickets with one Sentry as upstream, and connected with each other as well.
    Network net({{"a"}, {"b", true, "unresolved", {}, 0, 500}, {tracker, false}}, {{0, 2}, {1, 2}, {0, 1}}, seed);
    for (int round = 0; round < 6; ++round) {
      for (int i = 0; i < 3; ++i) {
        net.decide_somewhere();
        net.some_visits();
      }
      ASSERT_TRUE(net.settles()) << "seed " << seed;
    }
    EXPECT_LE(net.told(), net.made() * 2 * static_cast<int>(net.edges())) << "seed " << seed;
  }
}

TEST(SyncNetwork, PicketsBelowOneTrackerAgree) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    Network star({{"a"}, {"b", true, "unresolved", {}, 0, 500}, {"c", true, "unresolved", {}, 0, -500}, {tracker, false}},
                 {{0, 3}, {1, 3}, {2, 3}}, seed);
    for (int round = 0; round < 6; ++round) {
      for (int i = 0; i < 3; ++i) {
        star.decide_somewhere();
        star.some_visits();
      }
      ASSERT_TRUE(star.settles()) << "seed " << seed;
      ASSERT_TRUE(star.agrees()) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace picket::upstream
