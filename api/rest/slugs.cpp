// Slugs: what a path may name an organization, a project or a team by. Never digits only, because
// those are ids.
#include "api/rest/changes.h"

#include <algorithm>

namespace picket::rest {

using buffer::find_row;
using buffer::Key;
using buffer::KeyReader;
using buffer::Table;

bool is_slug(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !text.empty() && text.size() <= longest_slug &&
         std::all_of(text.begin(), text.end(), allowed) &&
         text.find_first_not_of("0123456789") != std::string_view::npos;
}

std::string slug_from(std::string_view name, std::string_view fallback) {
  std::string slug;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') {
      slug += static_cast<char>(c - 'A' + 'a');
    } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_') {
      slug += c;
    } else if (!slug.empty() && slug.back() != '-') {
      slug += '-';
    }
    if (slug.size() == longest_slug) break;
  }
  while (!slug.empty() && slug.back() == '-')
    slug.pop_back();
  return is_slug(slug) ? slug : std::string(fallback);
}

bool slug_taken(const buffer::Reader& reader,
                SlugKind kind,
                std::uint64_t scope,
                std::string_view slug) {
  const auto stored = reader.get(Table::slugs, slug_key(kind, scope, slug));
  if (!stored) return false;
  if (kind != SlugKind::project) return true;
  const auto project =
      find_row<schema::Project>(reader, Table::projects, Key().u64(KeyReader(*stored).u64()));
  return project && project->slug() == slug;
}

std::string free_slug(const buffer::Reader& reader,
                      SlugKind kind,
                      std::uint64_t scope,
                      std::string_view wanted) {
  std::string slug(wanted);
  for (std::uint64_t number = 2; slug_taken(reader, kind, scope, slug); ++number) {
    const auto suffix = "-" + std::to_string(number);
    slug = std::string(wanted.substr(0, longest_slug - suffix.size())) + suffix;
  }
  return slug;
}

}  // namespace picket::rest
