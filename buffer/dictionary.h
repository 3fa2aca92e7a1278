// zstd with a dictionary trained on records: the only file of this folder, with dictionary.cpp, that knows zstd.
//
// THREADS  InflateDictionary is shared; an Inflater and a Deflater belong to one thread at a time.
#pragma once

#include "buffer/result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct ZSTD_CCtx_s;
struct ZSTD_CDict_s;
struct ZSTD_DCtx_s;
struct ZSTD_DDict_s;

namespace picket::buffer {

// zstd's, of a Deflater, and for which dictionaries are trained. Above it each level costs half as much again and gains
// a hundredth (docs/benchmarks.md).
constexpr int deflate_level = 9;

// A dictionary of at most `most_bytes`, at least a kibibyte, for what is like the samples, which stand one after another in `samples`.
// Empty when they are too few for one. Takes the samples' memory once more and 10 MB, and less than a tenth of a second for 4 MB.
std::string train_dictionary(const std::string& samples, const std::vector<std::size_t>& sizes, std::size_t most_bytes);

// By which those who were made with it name it: its CRC-32C, 0 for none.
std::uint32_t dictionary_id(std::string_view dictionary);

// What inflating with a dictionary needs, made once: 27 KB.
class InflateDictionary {
 public:
  // REQUIRES: the bytes outlive this, and do not move.
  explicit InflateDictionary(std::string_view dictionary);
  std::uint32_t id() const { return id_; }

 private:
  friend class Inflater;
  struct Free {
    void operator()(ZSTD_DDict_s* dictionary) const;
  };
  std::unique_ptr<ZSTD_DDict_s, Free> ready_;
  std::uint32_t id_ = 0;
};

class Inflater {
 public:
  // REQUIRES: the dictionary, if there is one, outlives this.
  explicit Inflater(const InflateDictionary* dictionary);
  // Into `out`, which has the length `bytes` then. False when the frame is damaged or of another length.
  bool inflate(std::string_view frame, std::size_t bytes, std::string& out);

 private:
  struct Free {
    void operator()(ZSTD_DCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_DCtx_s, Free> context_;
  const InflateDictionary* dictionary_;
};

// Keeps some 2 MB for its search.
class Deflater {
 public:
  // `piece_bytes`: how large what is deflated will be, about. REQUIRES: the dictionary's bytes outlive this.
  Deflater(std::string_view dictionary, std::size_t piece_bytes);
  void deflate(std::string_view bytes, std::string& out);

 private:
  struct FreeContext {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  struct FreeDictionary {
    void operator()(ZSTD_CDict_s* dictionary) const;
  };
  std::unique_ptr<ZSTD_CCtx_s, FreeContext> context_;
  std::unique_ptr<ZSTD_CDict_s, FreeDictionary> dictionary_;
};

}  // namespace picket::buffer
