#include "buffer/dictionary.h"

#include "buffer/crc32c.h"

#define ZDICT_STATIC_LINKING_ONLY  // ZDICT_trainFromBuffer_fastCover(): with parameters found once
#define ZSTD_STATIC_LINKING_ONLY   // ZSTD_createCDict_advanced(): parameters for pieces of a known size
#include <zdict.h>
#include <zstd.h>

#include <algorithm>
#include <cstdlib>

namespace picket::buffer {
namespace {

// Of a library that has no memory: as everywhere.
template <class Made>
Made* or_end(Made* made) {
  if (made == nullptr) std::abort();
  return made;
}

}  // namespace

std::string train_dictionary(const std::string& samples, const std::vector<std::size_t>& sizes, std::size_t most_bytes) {
  std::string dictionary(most_bytes, '\0');
  // As good as what ZDICT_trainFromBuffer() finds by trying several, in a quarter of its time (docs/benchmarks.md).
  ZDICT_fastCover_params_t parameters{};
  parameters.k = static_cast<unsigned>(std::min<std::size_t>(2000, most_bytes / 8));
  parameters.d = 8;
  parameters.f = 20;
  parameters.accel = 4;
  parameters.splitPoint = 1.0;
  parameters.zParams.compressionLevel = deflate_level;
  const auto bytes = ZDICT_trainFromBuffer_fastCover(dictionary.data(), dictionary.size(), samples.data(), sizes.data(),
                                                     static_cast<unsigned>(sizes.size()), parameters);
  dictionary.resize(ZDICT_isError(bytes) != 0 ? 0 : bytes);
  return dictionary;
}

std::uint32_t dictionary_id(std::string_view dictionary) {
  return dictionary.empty() ? 0 : crc32c(dictionary);
}

void InflateDictionary::Free::operator()(ZSTD_DDict_s* dictionary) const {
  ZSTD_freeDDict(dictionary);
}

InflateDictionary::InflateDictionary(std::string_view dictionary)
    : ready_(or_end(ZSTD_createDDict_byReference(dictionary.data(), dictionary.size()))), id_(dictionary_id(dictionary)) {}

void Inflater::Free::operator()(ZSTD_DCtx_s* context) const {
  ZSTD_freeDCtx(context);
}

Inflater::Inflater(const InflateDictionary* dictionary) : context_(or_end(ZSTD_createDCtx())), dictionary_(dictionary) {}

bool Inflater::inflate(std::string_view frame, std::size_t bytes, std::string& out) {
  out.resize(bytes);
  const auto* const ready = dictionary_ != nullptr ? dictionary_->ready_.get() : nullptr;
  const auto made = ready != nullptr
                        ? ZSTD_decompress_usingDDict(context_.get(), out.data(), out.size(), frame.data(), frame.size(), ready)
                        : ZSTD_decompressDCtx(context_.get(), out.data(), out.size(), frame.data(), frame.size());
  return ZSTD_isError(made) == 0 && made == bytes;
}

void Deflater::FreeContext::operator()(ZSTD_CCtx_s* context) const {
  ZSTD_freeCCtx(context);
}
void Deflater::FreeDictionary::operator()(ZSTD_CDict_s* dictionary) const {
  ZSTD_freeCDict(dictionary);
}

Deflater::Deflater(std::string_view dictionary, std::size_t piece_bytes) : context_(or_end(ZSTD_createCCtx())) {
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, deflate_level);
  // Whoever reads knows which dictionary; records have checksums of their own.
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_dictIDFlag, 0);
  if (dictionary.empty()) return;
  const auto parameters = ZSTD_getCParams(deflate_level, piece_bytes, dictionary.size());
  dictionary_.reset(or_end(ZSTD_createCDict_advanced(dictionary.data(), dictionary.size(), ZSTD_dlm_byRef, ZSTD_dct_fullDict,
                                                     parameters, ZSTD_defaultCMem)));
  ZSTD_CCtx_refCDict(context_.get(), dictionary_.get());
}

void Deflater::deflate(std::string_view bytes, std::string& out) {
  out.resize(ZSTD_compressBound(bytes.size()));
  const auto made = ZSTD_compress2(context_.get(), out.data(), out.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(made) != 0) std::abort();  // there is room for whatever it can give
  out.resize(made);
}

}  // namespace picket::buffer
